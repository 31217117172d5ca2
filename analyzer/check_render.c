/* check_render: a report's JSON as text for a terminal, CSV, HTML, JUnit, or one line for a
 * monitoring plugin. */
#include "analyzer/check.h"

#include "base/doc.h"

#include <stdio.h>
#include <string.h>

struct render {
    const struct doc_node *report, *items;
    int zh;
    struct buf *out;
};

static const char *
render_text(const struct doc_node *n, const char *key, int zh)
{
    return doc_get_str(doc_get(n, key), zh ? "zh" : "en", "");
}

static bool
render_problem(const struct doc_node *item)
{
    return strcmp(doc_get_str(item, "verdict", ""), "pass") != 0;
}

static const char *
render_verdict(const char *word, int zh)
{
    if (!zh)
        return word;
    return !strcmp(word, "pass")   ? "通过"
           : !strcmp(word, "warn") ? "警告"
           : !strcmp(word, "fail") ? "失败"
                                   : "未知";
}

static void
render_number(const struct doc_node *n, struct buf *out)
{
    if (!n || n->kind == DOC_NULL)
        buf_puts(out, "-");
    else if (n->kind == DOC_STR)
        buf_puts(out, doc_str(n, ""));
    else
        buf_printf(out, "%.6g", doc_real(n, 0));
}

static int64_t
render_count(const struct render *r, const char *what)
{
    return doc_get_int(doc_get(r->report, "counts"), what, 0);
}

static void
render_as_text(struct render *r)
{
    size_t shown = 0;
    buf_printf(r->out, "%s: %s  (%s %lld, %s %lld, %s %lld, %s %lld; %lld ms)\n",
               r->zh ? "结论" : "Verdict",
               render_verdict(doc_get_str(r->report, "verdict", ""), r->zh),
               render_verdict("pass", r->zh), (long long)render_count(r, "pass"),
               render_verdict("warn", r->zh), (long long)render_count(r, "warn"),
               render_verdict("fail", r->zh), (long long)render_count(r, "fail"),
               render_verdict("unknown", r->zh), (long long)render_count(r, "unknown"),
               (long long)doc_get_int(r->report, "duration_ms", 0));
    const char *exclude = doc_get_str(r->report, "exclude", "");
    if (*exclude)
        buf_printf(r->out, "%s: %s\n", r->zh ? "建议排除的节点" : "Nodes to leave out", exclude);
    for (const struct doc_node *i = r->items->first; i && shown < 50; i = i->next) {
        if (!render_problem(i))
            continue;
        buf_printf(r->out, "  %-8s %-24s %-36s ",
                   render_verdict(doc_get_str(i, "verdict", ""), r->zh),
                   doc_get_str(i, "check", ""), doc_get_str(i, "entity", ""));
        render_number(doc_get(i, "observed"), r->out);
        buf_printf(r->out, " (%s)  %s\n", doc_get_str(i, "expected", ""),
                   render_text(i, "reason", r->zh));
        shown++;
    }
    int64_t problems =
        render_count(r, "warn") + render_count(r, "fail") + render_count(r, "unknown");
    if (problems > (int64_t)shown)
        buf_printf(r->out, r->zh ? "  ……另有 %lld 项\n" : "  ... and %lld more\n",
                   (long long)problems - (long long)shown);
}

/* One line, with performance data after the bar, as monitoring plugins print. */
static void
render_as_nagios(struct render *r)
{
    const char *v = doc_get_str(r->report, "verdict", "unknown"),
               *exclude = doc_get_str(r->report, "exclude", "");
    const char *word = !strcmp(v, "pass")   ? "OK"
                       : !strcmp(v, "warn") ? "WARNING"
                       : !strcmp(v, "fail") ? "CRITICAL"
                                            : "UNKNOWN";
    buf_printf(r->out,
               "MYRIASCOPE %s - %lld failed, %lld warnings, %lld unknown%s%s | pass=%lld warn=%lld "
               "fail=%lld unknown=%lld time=%lldms\n",
               word, (long long)render_count(r, "fail"), (long long)render_count(r, "warn"),
               (long long)render_count(r, "unknown"), *exclude ? ", exclude " : "", exclude,
               (long long)render_count(r, "pass"), (long long)render_count(r, "warn"),
               (long long)render_count(r, "fail"), (long long)render_count(r, "unknown"),
               (long long)doc_get_int(r->report, "duration_ms", 0));
}

/* A field that a spreadsheet would take for a formula gets an apostrophe. */
static void
render_csv_field(struct buf *out, const char *s, bool last)
{
    buf_putc(out, '"');
    if (*s && strchr("=+-@\t\r", *s))
        buf_putc(out, '\'');
    for (; *s; s++) {
        if (*s == '"')
            buf_putc(out, '"');
        buf_putc(out, *s);
    }
    buf_puts(out, last ? "\"\r\n" : "\",");
}

static void
render_as_csv(struct render *r)
{
    char number[32];
    buf_puts(r->out, "\xef\xbb\xbf"
                     "check,category,entity,verdict,observed,expected,reason\r\n");
    for (const struct doc_node *i = r->items->first; i; i = i->next) {
        const struct doc_node *o = doc_get(i, "observed");
        bool none = !o || o->kind == DOC_NULL;
        snprintf(number, sizeof number, "%.6g", doc_real(o, 0));
        render_csv_field(r->out, doc_get_str(i, "check", ""), false);
        render_csv_field(r->out, doc_get_str(i, "category", ""), false);
        render_csv_field(r->out, doc_get_str(i, "entity", ""), false);
        render_csv_field(r->out, doc_get_str(i, "verdict", ""), false);
        buf_printf(r->out, "%s,", none ? "" : number);
        render_csv_field(r->out, doc_get_str(i, "expected", ""), false);
        render_csv_field(r->out, render_text(i, "reason", r->zh), true);
    }
}

static void
render_escape(struct buf *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            buf_putc(out, (unsigned char)*s < 32 && *s != '\n' && *s != '\t' ? ' ' : *s);
        }
}

static void
render_as_junit(struct render *r)
{
    int64_t pass = render_count(r, "pass"), fail = render_count(r, "fail"),
            unknown = render_count(r, "unknown"), warn = render_count(r, "warn");
    buf_printf(r->out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"myriascope.%s\" "
               "tests=\"%lld\" failures=\"%lld\" skipped=\"%lld\" time=\"%.3f\">\n",
               doc_get_str(r->report, "profile", ""), (long long)(pass + fail + unknown + warn),
               (long long)fail, (long long)unknown,
               (double)doc_get_int(r->report, "duration_ms", 0) / 1000);
    for (const struct doc_node *i = r->items->first; i; i = i->next) {
        const char *v = doc_get_str(i, "verdict", "");
        buf_puts(r->out, "  <testcase classname=\"");
        render_escape(r->out, doc_get_str(i, "check", ""));
        buf_puts(r->out, "\" name=\"");
        render_escape(r->out, doc_get_str(i, "entity", ""));
        buf_puts(r->out, "\">");
        if (!strcmp(v, "fail") || !strcmp(v, "unknown")) {
            buf_puts(r->out, !strcmp(v, "fail") ? "<failure message=\"" : "<skipped message=\"");
            render_escape(r->out, render_text(i, "reason", r->zh));
            buf_puts(r->out, "\"/>");
        } else if (!strcmp(v, "warn")) {
            buf_puts(r->out, "<system-out>");
            render_escape(r->out, render_text(i, "reason", r->zh));
            buf_puts(r->out, "</system-out>");
        }
        buf_puts(r->out, "</testcase>\n");
    }
    buf_puts(r->out, "</testsuite>\n");
}

static const char render_style[] =
    "body{font:14px/1.5 "
    "system-ui,sans-serif;margin:2em;color:#111;background:#fff}table{border-collapse:collapse;"
    "width:100%}"
    "th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid "
    "#ccc}th{background:#f2f4f6}.fail{color:#a50735;font-weight:600}"
    ".warn{color:#8a4b00}.unknown{color:#555}.pass{color:#1d5fa8}@media print{body{margin:0}}";

static void
render_html_rows(struct render *r)
{
    for (const struct doc_node *i = r->items->first; i; i = i->next) {
        if (!render_problem(i))
            continue;
        const char *v = doc_get_str(i, "verdict", "");
        buf_printf(r->out, "<tr><td class=\"%s\">%s</td><td>", v, render_verdict(v, r->zh));
        render_escape(r->out, doc_get_str(i, "check", ""));
        buf_puts(r->out, "</td><td>");
        render_escape(r->out, doc_get_str(i, "entity", ""));
        buf_puts(r->out, "</td><td>");
        render_number(doc_get(i, "observed"), r->out);
        buf_puts(r->out, "</td><td>");
        render_escape(r->out, doc_get_str(i, "expected", ""));
        buf_puts(r->out, "</td><td>");
        render_escape(r->out, render_text(i, "reason", r->zh));
        buf_puts(r->out, "</td></tr>\n");
    }
}

static void
render_as_html(struct render *r)
{
    const char *heads[2][6] = {{"Verdict", "Check", "Object", "Observed", "Expected", "Reason"},
                               {"结论", "检查项", "对象", "实测", "期望", "原因"}};
    const char *v = doc_get_str(r->report, "verdict", "");
    buf_printf(r->out,
               "<!doctype html><html lang=\"%s\"><meta charset=\"utf-8\"><title>Myriascope "
               "%s</title><style>%s</style>\n",
               r->zh ? "zh" : "en", r->zh ? "检查报告" : "check report", render_style);
    buf_printf(r->out, "<h1>%s: <span class=\"%s\">%s</span></h1>\n<p>%s, ",
               r->zh ? "检查报告" : "Check report", v, render_verdict(v, r->zh),
               doc_get_str(r->report, "started", ""));
    render_escape(r->out, doc_get_str(r->report, "profile", ""));
    buf_printf(r->out, "; pass %lld, warn %lld, fail %lld, unknown %lld</p>\n",
               (long long)render_count(r, "pass"), (long long)render_count(r, "warn"),
               (long long)render_count(r, "fail"), (long long)render_count(r, "unknown"));
    const char *exclude = doc_get_str(r->report, "exclude", "");
    if (*exclude) {
        buf_printf(r->out, "<p><b>%s:</b> ", r->zh ? "建议排除的节点" : "Nodes to leave out");
        render_escape(r->out, exclude);
        buf_puts(r->out, "</p>\n");
    }
    buf_puts(r->out, "<table><tr>");
    for (int i = 0; i < 6; i++)
        buf_printf(r->out, "<th>%s</th>", heads[r->zh][i]);
    buf_puts(r->out, "</tr>\n");
    render_html_rows(r);
    buf_puts(r->out, "</table></html>\n");
}

static const struct {
    const char *name;
    void (*render)(struct render *r);
} render_formats[] = {{"text", render_as_text},
                      {"csv", render_as_csv},
                      {"html", render_as_html},
                      {"junit", render_as_junit},
                      {"nagios", render_as_nagios}};

int
check_render(const char *json, size_t len, const char *format, const char *lang, struct buf *out,
             struct err *err)
{
    struct doc *d = NULL;
    static const struct doc_node none = {.kind = DOC_SEQ};
    if (!strcmp(format, "json"))
        return buf_append(out, json, len);
    int rc = doc_parse_json(json, len, "report", &d, err);
    struct render r = {.report = rc ? NULL : doc_root(d), .zh = !strcmp(lang, "zh"), .out = out};
    size_t i = 0, n = sizeof render_formats / sizeof *render_formats;
    while (i < n && strcmp(render_formats[i].name, format))
        i++;
    if (!rc && i == n)
        rc = err_set(err, ERR_USAGE, "no format is named %s: text, json, csv, html, junit, nagios",
                     format);
    if (!rc) {
        r.items = doc_get(r.report, "items") ? doc_get(r.report, "items") : &none;
        render_formats[i].render(&r);
        rc = out->failed ? err_set(err, ERR_LIMIT, "the report is too large") : 0;
    }
    doc_free(d);
    return rc;
}

int
check_exit_code(const char *json, size_t len)
{
    static const char *const words[] = {"pass", "warn", "fail", "unknown"};
    struct doc *d = NULL;
    int code = 3;
    if (doc_parse_json(json, len, "report", &d, NULL))
        return code;
    for (int i = 0; i < 4; i++)
        if (!strcmp(doc_get_str(doc_root(d), "verdict", ""), words[i]))
            code = i;
    doc_free(d);
    return code;
}
