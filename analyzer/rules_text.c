/* rules_text: the functions of templates: queries and what is made of their answers, comparisons,
 * numbers as people write them, texts. (Prometheus, "Template reference"; Go, text/template.) */
#include "analyzer/rules_template.h"

#include "base/clock.h"
#include "base/regex.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 8192

static struct template_value
text_value(struct template *t, const char *s)
{
    char *copy = arena_str(t->arena, s, strlen(s));
    if (!copy)
        template_fail(t, ERR_LIMIT, "the template needs more memory than it may have");
    return (struct template_value){.kind = TEMPLATE_TEXT, .text = copy ? copy : ""};
}

static struct template_value
text_number(double v)
{
    return (struct template_value){.kind = TEMPLATE_NUMBER, .number = v};
}

static struct template_value
text_bool(bool yes)
{
    return (struct template_value){.kind = TEMPLATE_BOOL, .number = yes};
}

/* --- values as text --------------------------------------------------------------------------- */

/* As Go writes a float64: with an exponent below 1e-4 and from 1e21 on. */
static void
text_of_number(const struct template_value *v, char out[400])
{
    double a = fabs(v->number);
    char digits[40];
    if (a == 0 || (a >= 1e-4 && a < 1e21 && isfinite(a)) || !isfinite(a)) {
        if (isfinite(a) && a >= 1e6 && !v->whole) { /* %v turns to exponents sooner */
            for (int k = 0; k <= 17; k++) {
                snprintf(digits, sizeof digits, "%.*e", k, v->number);
                if (strtod(digits, NULL) == v->number)
                    break;
            }
            str_copy(out, 400, digits);
            return;
        }
        if (isfinite(a))
            str_double_format(v->number, out);
        else
            str_copy(out, 400, isnan(a) ? "NaN" : v->number > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int k = 0; k <= 17; k++) {
        snprintf(digits, sizeof digits, "%.*e", k, v->number);
        if (strtod(digits, NULL) == v->number)
            break;
    }
    str_copy(out, 400, digits);
}

static void
text_write_labels(const struct labels *l, struct buf *out)
{
    buf_puts(out, "map[");
    for (size_t i = 0; l && i < l->count; i++)
        buf_printf(out, "%s%.*s:%.*s", i ? " " : "", (int)l->at[i].name_len, l->at[i].name,
                   (int)l->at[i].value_len, l->at[i].value);
    buf_puts(out, "]");
}

void
template_write(const struct template_value *v, struct buf *out)
{
    char text[400];
    switch (v->kind) {
    case TEMPLATE_NOTHING:
        buf_puts(out, "<no value>");
        break;
    case TEMPLATE_BOOL:
        buf_puts(out, v->number != 0 ? "true" : "false");
        break;
    case TEMPLATE_NUMBER:
        text_of_number(v, text);
        buf_puts(out, text);
        break;
    case TEMPLATE_TEXT:
        buf_puts(out, v->text);
        break;
    case TEMPLATE_LABELS:
        text_write_labels(v->labels, out);
        break;
    case TEMPLATE_SAMPLE:
    case TEMPLATE_VECTOR:
        buf_puts(out, "[");
        for (size_t i = 0; i < v->count; i++)
            text_write_labels(v->rows[i].labels, out);
        buf_puts(out, "]");
        break;
    }
}

static const char *
text_of(struct template *t, const struct template_value *v)
{
    struct buf b;
    if (v->kind == TEMPLATE_TEXT)
        return v->text;
    buf_init(&b, TEXT_MAX);
    template_write(v, &b);
    const char *s = text_value(t, buf_str(&b)).text;
    buf_done(&b);
    return s;
}

/* A number, also out of a text. */
static double
text_to_number(struct template *t, const struct template_value *v)
{
    double x = v->number;
    if (v->kind == TEMPLATE_TEXT && str_double(v->text, strlen(v->text), &x) && t->runs)
        template_fail(t, ERR_STATE, "a number is expected");
    return x;
}

static void
text_scaled(double v, double step, const char *const *up, const char *const *down, char *out,
            size_t size)
{
    size_t i = 0;
    double x = fabs(v);
    const char *prefix = "";
    if (!isfinite(v) || v == 0) {
        snprintf(out, size, "%.4g", v);
        return;
    }
    for (; x >= step && up[i]; i++) {
        prefix = up[i];
        x /= step;
    }
    for (i = 0; x < 1 && down && down[i]; i++) {
        prefix = down[i];
        x *= step;
    }
    snprintf(out, size, "%s%.4g%s", v < 0 ? "-" : "", x, prefix);
}

static void
text_duration(double v, char *out, size_t size)
{
    static const char *const down[] = {"m", "u", "n", "p", NULL}, *const none[] = {NULL};
    long long s = (long long)fabs(v);
    const char *sign = v < 0 ? "-" : "";
    if (fabs(v) < 1) {
        text_scaled(v, 1000, none, down, out, size - 1);
        strcat(out, "s");
    } else if (s >= 86400)
        snprintf(out, size, "%s%lldd %lldh %lldm %llds", sign, s / 86400, s / 3600 % 24,
                 s / 60 % 60, s % 60);
    else if (s >= 3600)
        snprintf(out, size, "%s%lldh %lldm %llds", sign, s / 3600, s / 60 % 60, s % 60);
    else if (s >= 60)
        snprintf(out, size, "%s%lldm %llds", sign, s / 60, s % 60);
    else
        snprintf(out, size, "%s%.4gs", sign, fabs(v));
}

/* --- printf ----------------------------------------------------------------------------------- */

/* One conversion: flags, width and precision as C's, at most two digits each. */
static const char *
text_conversion(struct template *t, const char *p, const struct template_value *v, struct buf *out)
{
    size_t n = 1 + strspn(p + 1, "0123456789.+-# ");
    char format[16], text[TEXT_MAX / 4], kind = p[n];
    if (n > 7 || !kind) {
        template_fail(t, ERR_SYNTAX, "a conversion of printf is not understood");
        return p + strlen(p);
    }
    snprintf(format, sizeof format, "%.*s", (int)n, p);
    bool number = strchr("eEfFgGd", kind) != NULL;
    size_t end = strlen(format);
    if (!number && !strchr("svqt", kind))
        template_fail(t, ERR_SYNTAX, "a conversion of printf is not understood");
    format[end] = kind == 'd' ? 'f' : number ? kind : 's';
    format[end + 1] = 0;
    if (kind == 'd' && !strchr(format, '.'))
        memcpy(format + end, ".0f", 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (number)
        snprintf(text, sizeof text, format, v->number);
    else
        snprintf(text, sizeof text, format, text_of(t, v));
#pragma GCC diagnostic pop
    if (kind == 'q')
        buf_printf(out, "\"%s\"", text);
    else
        buf_puts(out, text);
    return p + n + 1;
}

static struct template_value
text_printf(struct template *t, const struct template_value *args, size_t n)
{
    struct buf b;
    size_t at = 1;
    if (!n)
        template_fail(t, ERR_SYNTAX, "printf needs a format");
    const char *p = n ? text_of(t, &args[0]) : "";
    buf_init(&b, TEXT_MAX);
    while (*p && !t->rc) {
        size_t plain = strcspn(p, "%");
        buf_append(&b, p, plain);
        p += plain;
        if (*p && p[1] == '%') {
            buf_putc(&b, '%');
            p += 2;
        } else if (*p && at < n) {
            p = text_conversion(t, p, &args[at++], &b);
        } else if (*p) {
            buf_puts(&b, "%!(MISSING)");
            p += 2;
        }
    }
    struct template_value v = text_value(t, buf_str(&b));
    buf_done(&b);
    return v;
}

/* --- functions -------------------------------------------------------------------------------- */

static struct template_value
text_query(struct template *t, const struct template_value *args, size_t n)
{
    struct template_value v = {.kind = TEMPLATE_VECTOR};
    const struct rules_scope *s = t->scope;
    struct promql_options o = {.timeout_ms = 5000, .max_samples = 5000000};
    struct promql *q = NULL;
    struct err err;
    if (!s->store || !t->runs)
        return v;
    if (t->answer_count == TEMPLATE_QUERIES || n != 1) {
        template_fail(t, ERR_LIMIT, "the template asks too many queries");
        return v;
    }
    struct promql_result *r = &t->answers[t->answer_count];
    int rc = promql_parse(text_of(t, &args[0]), &q, &err);
    if (!rc)
        rc = promql_instant(s->store, q, s->at_ms, &o, r, &err);
    promql_free(q);
    if (rc) {
        template_fail(t, ERR_STATE, err.text);
        return v;
    }
    t->answer_count++;
    if (r->type == PROMQL_VECTOR) {
        v.rows = r->set.rows;
        v.count = r->set.count;
    }
    return v;
}

static struct template_value
text_first(struct template *t, const struct template_value *args, size_t n)
{
    (void)n;
    if (args[0].kind == TEMPLATE_VECTOR && args[0].count)
        return (struct template_value){.kind = TEMPLATE_SAMPLE,
                                       .labels = args[0].rows[0].labels,
                                       .number = args[0].rows[0].samples[0].v};
    if (t->runs)
        template_fail(t, ERR_STATE, "first() called on vector with no elements");
    return (struct template_value){0};
}

static struct template_value
text_value_of(struct template *t, const struct template_value *args, size_t n)
{
    (void)t;
    (void)n;
    return text_number(args[0].number);
}

static struct template_value
text_label(struct template *t, const struct template_value *args, size_t n)
{
    char out[LABEL_VALUE_MAX + 1] = "";
    if (args[n - 1].labels)
        labels_copy(args[n - 1].labels, text_of(t, &args[0]), out, sizeof out);
    return text_value(t, out);
}

struct text_row {
    const char *key;
    struct series_row row;
};

static int
text_compare_rows(const void *a, const void *b)
{
    const struct text_row *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static struct template_value
text_sort_by_label(struct template *t, const struct template_value *args, size_t n)
{
    struct template_value v = args[n - 1];
    struct text_row *at = arena_alloc(t->arena, (v.count + 1) * sizeof *at);
    struct series_row *rows = arena_alloc(t->arena, (v.count + 1) * sizeof *rows);
    if (!at || !rows || v.kind != TEMPLATE_VECTOR)
        return v;
    for (size_t i = 0; i < v.count; i++) {
        struct template_value by[2] = {args[0], {.labels = v.rows[i].labels}};
        at[i] = (struct text_row){text_label(t, by, 2).text, v.rows[i]};
    }
    qsort(at, v.count, sizeof *at, text_compare_rows);
    for (size_t i = 0; i < v.count; i++)
        rows[i] = at[i].row;
    v.rows = rows;
    return v;
}

static int
text_order(struct template *t, const struct template_value *a, const struct template_value *b)
{
    if (a->kind == TEMPLATE_TEXT && b->kind == TEMPLATE_TEXT)
        return strcmp(a->text, b->text);
    if (a->kind != b->kind && t->runs)
        template_fail(t, ERR_STATE, "incompatible types for comparison");
    return a->number < b->number ? -1 : a->number > b->number;
}

#define TEXT_COMPARE(name, expr)                                                                   \
    static struct template_value text_##name(struct template *t, const struct template_value *a,   \
                                             size_t n)                                             \
    {                                                                                              \
        (void)n;                                                                                   \
        int c = text_order(t, &a[0], &a[1]);                                                       \
        return text_bool(expr);                                                                    \
    }
TEXT_COMPARE(ne, c != 0)
TEXT_COMPARE(lt, c < 0)
TEXT_COMPARE(le, c <= 0)
TEXT_COMPARE(gt, c > 0)
TEXT_COMPARE(ge, c >= 0)

static struct template_value
text_eq(struct template *t, const struct template_value *a, size_t n)
{
    bool any = false;
    for (size_t i = 1; i < n && !any; i++)
        any = text_order(t, &a[0], &a[i]) == 0;
    return text_bool(any);
}

/* The first that decides, else the last. */
static struct template_value
text_and(struct template *t, const struct template_value *a, size_t n)
{
    size_t i = 0;
    (void)t;
    while (i + 1 < n && template_true(&a[i]))
        i++;
    return a[i];
}

static struct template_value
text_or(struct template *t, const struct template_value *a, size_t n)
{
    size_t i = 0;
    (void)t;
    while (i + 1 < n && !template_true(&a[i]))
        i++;
    return a[i];
}

static struct template_value
text_not(struct template *t, const struct template_value *a, size_t n)
{
    (void)t;
    (void)n;
    return text_bool(!template_true(&a[0]));
}

static struct template_value
text_len(struct template *t, const struct template_value *a, size_t n)
{
    (void)t;
    (void)n;
    double v = a[0].kind == TEMPLATE_TEXT     ? (double)strlen(a[0].text)
               : a[0].kind == TEMPLATE_LABELS ? (a[0].labels ? (double)a[0].labels->count : 0)
                                              : (double)a[0].count;
    return (struct template_value){.kind = TEMPLATE_NUMBER, .number = v, .whole = true};
}

/* Of labels by name, of an answer by number. */
static struct template_value
text_index(struct template *t, const struct template_value *a, size_t n)
{
    struct template_value by[2] = {a[1], a[0]};
    (void)n;
    if (a[0].kind == TEMPLATE_LABELS)
        return text_label(t, by, 2);
    struct template_value v = a[0];
    size_t i = a[1].number >= 0 ? (size_t)a[1].number : SIZE_MAX;
    if (v.kind != TEMPLATE_VECTOR || i >= v.count) {
        if (t->runs)
            template_fail(t, ERR_STATE, "index out of range");
        return (struct template_value){0};
    }
    v.rows += i;
    v.count -= i;
    return text_first(t, &v, 1);
}

static struct template_value
text_print(struct template *t, const struct template_value *a, size_t n)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i && a[i].kind != TEMPLATE_TEXT && a[i - 1].kind != TEMPLATE_TEXT)
            buf_putc(&b, ' ');
        template_write(&a[i], &b);
    }
    struct template_value v = text_value(t, buf_str(&b));
    buf_done(&b);
    return v;
}

static struct template_value
text_letters(struct template *t, const struct template_value *v, char kind)
{
    struct template_value r = text_value(t, text_of(t, v));
    char *s = (char *)(uintptr_t)r.text; /* our own copy */
    for (size_t i = 0; s[i]; i++)
        if (kind == 'u' || (kind == 't' && (!i || s[i - 1] == ' ')))
            s[i] = (char)toupper((unsigned char)s[i]);
        else if (kind == 'l')
            s[i] = (char)tolower((unsigned char)s[i]);
    return r;
}

#define TEXT_LETTERS(name, kind)                                                                   \
    static struct template_value text_##name(struct template *t, const struct template_value *a,   \
                                             size_t n)                                             \
    {                                                                                              \
        return text_letters(t, &a[n - 1], kind);                                                   \
    }
TEXT_LETTERS(upper, 'u')
TEXT_LETTERS(lower, 'l')
TEXT_LETTERS(title, 't')
TEXT_LETTERS(same, 's')

static const char *const text_up[] = {"k", "M", "G", "T", "P", "E", "Z", "Y", NULL},
                         *const text_down[] = {"m", "u", "n", "p", "f", "a", "z", "y", NULL},
                         *const text_up1024[] = {"ki", "Mi", "Gi", "Ti", "Pi",
                                                 "Ei", "Zi", "Yi", NULL};

static struct template_value
text_humanize(struct template *t, const struct template_value *a, size_t n)
{
    char out[64];
    text_scaled(text_to_number(t, &a[n - 1]), 1000, text_up, text_down, out, sizeof out);
    return text_value(t, out);
}

static struct template_value
text_humanize1024(struct template *t, const struct template_value *a, size_t n)
{
    char out[64];
    text_scaled(text_to_number(t, &a[n - 1]), 1024, text_up1024, NULL, out, sizeof out);
    return text_value(t, out);
}

static struct template_value
text_percentage(struct template *t, const struct template_value *a, size_t n)
{
    char out[64];
    snprintf(out, sizeof out, "%.4g%%", text_to_number(t, &a[n - 1]) * 100);
    return text_value(t, out);
}

static struct template_value
text_humanize_duration(struct template *t, const struct template_value *a, size_t n)
{
    char out[96];
    text_duration(text_to_number(t, &a[n - 1]), out, sizeof out);
    return text_value(t, out);
}

/* As Go prints a time. */
static struct template_value
text_timestamp(struct template *t, const struct template_value *a, size_t n)
{
    char out[TIME_TEXT_SIZE], text[2 * TIME_TEXT_SIZE];
    double v = text_to_number(t, &a[n - 1]);
    if (!(fabs(v) < 1e11))
        return text_value(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
    time_format((int64_t)llround(v * 1000), out);
    size_t len = strlen(out) - 1; /* without Z */
    while (out[len - 1] == '0')
        len--;
    len -= out[len - 1] == '.';
    out[10] = ' ';
    snprintf(text, sizeof text, "%.*s +0000 UTC", (int)len, out);
    return text_value(t, text);
}

static struct template_value
text_match(struct template *t, const struct template_value *a, size_t n)
{
    const char *pattern = text_of(t, &a[0]), *s = text_of(t, &a[n - 1]);
    struct regex *re = NULL;
    if (regex_compile(pattern, strlen(pattern), REGEX_UTF, &re, NULL))
        template_fail(t, ERR_STATE, "a regular expression is not understood");
    bool yes = re && regex_match(re, s, strlen(s), NULL, NULL) == 1;
    regex_free(re);
    return text_bool(yes);
}

static struct template_value
text_strip_port(struct template *t, const struct template_value *a, size_t n)
{
    struct template_value v = text_value(t, text_of(t, &a[n - 1]));
    char *s = (char *)(uintptr_t)v.text, *colon = strrchr(s, ':');
    if (colon && (strchr(s, ':') == colon || (colon > s && colon[-1] == ']')))
        *colon = 0;
    if (*s == '[' && strchr(s, ']')) {
        *strchr(s, ']') = 0;
        v.text++;
    }
    return v;
}

static const struct text_function {
    const char *name;
    struct template_value (*call)(struct template *t, const struct template_value *a, size_t n);
    size_t least, most;
} text_functions[] = {
    {"and", text_and, 1, TEMPLATE_ARGS},
    {"eq", text_eq, 2, TEMPLATE_ARGS},
    {"externalURL", text_print, 0, 0},
    {"first", text_first, 1, 1},
    {"ge", text_ge, 2, 2},
    {"gt", text_gt, 2, 2},
    {"html", text_same, 1, 1},
    {"humanize", text_humanize, 1, 1},
    {"humanize1024", text_humanize1024, 1, 1},
    {"humanizeDuration", text_humanize_duration, 1, 1},
    {"humanizePercentage", text_percentage, 1, 1},
    {"humanizeTimestamp", text_timestamp, 1, 1},
    {"index", text_index, 2, 2},
    {"label", text_label, 2, 2},
    {"le", text_le, 2, 2},
    {"len", text_len, 1, 1},
    {"lt", text_lt, 2, 2},
    {"match", text_match, 2, 2},
    {"ne", text_ne, 2, 2},
    {"not", text_not, 1, 1},
    {"or", text_or, 1, TEMPLATE_ARGS},
    {"pathPrefix", text_print, 0, 0},
    {"print", text_print, 0, TEMPLATE_ARGS},
    {"printf", text_printf, 1, TEMPLATE_ARGS},
    {"query", text_query, 1, 1},
    {"safeHtml", text_same, 1, 1},
    {"sortByLabel", text_sort_by_label, 2, 2},
    {"stripPort", text_strip_port, 1, 1},
    {"title", text_title, 1, 1},
    {"toLower", text_lower, 1, 1},
    {"toUpper", text_upper, 1, 1},
    {"value", text_value_of, 1, 1},
};

struct template_value
template_call(struct template *t, const char *name, const struct template_value *args, size_t n)
{
    for (size_t i = 0; i < sizeof text_functions / sizeof *text_functions; i++) {
        const struct text_function *f = &text_functions[i];
        if (strcmp(f->name, name) != 0)
            continue;
        if (n >= f->least && n <= f->most)
            return f->call(t, args, n);
        template_fail(t, ERR_SYNTAX, "wrong number of arguments");
        return (struct template_value){0};
    }
    template_fail(t, ERR_SYNTAX, "there is no such function");
    return (struct template_value){0};
}
