/* site_entries: entries of the site: started from an incident, linted, saved, removed.
 *
 * A saved entry is a file of its own, ID.yaml, in the site's folder. It is checked together with
 * all others before it is put there: in a copy of the folder, so that a wrong one never lies where
 * the next start would stumble over it. */
#include "base/entity.h"
#include "base/map.h"
#include "base/str.h"
#include "kb/kb.h"
#include "web/entries.h"
#include "web/entry_doc.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SITE_ENTRIES_BODY ((size_t)256 << 10)
#define SITE_ENTRIES_FILE ((size_t)4 << 20)
#define SITE_ENTRIES_OURS "0-draft.yaml" /* the text being checked, in the copy of the folder */

/* --- checking --------------------------------------------------------------------------------- */

static bool
site_entries_id_ok(const char *id)
{
    size_t n = strlen(id);
    for (const char *p = id; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '.' && *p != '-')
            return false;
    return n > 0 && n < 128 && *id != '.' && *id != '-';
}

/* Does the draft hold an entry of the file's name? Its file is what the draft replaces. */
static bool
site_entries_replaces(const struct doc *draft, const char *file)
{
    char id[160];
    str_copy(id, sizeof id, file);
    if (str_suffix(id, ".yaml"))
        id[strlen(id) - 5] = 0;
    const struct doc_node *root = doc_root(draft);
    for (const struct doc_node *n = root ? root->first : NULL; n; n = n->next)
        if (!strcmp(doc_get_str(n, "id", ""), id))
            return true;
    return false;
}

static int
site_entries_copy(const char *from, const char *to, const struct doc *draft, struct err *err)
{
    DIR *d = from ? opendir(from) : NULL;
    struct dirent *e;
    int rc = 0;
    while (!rc && d && (e = readdir(d))) {
        char path[4608];
        struct buf text;
        if (e->d_name[0] == '.' || !str_suffix(e->d_name, ".yaml") ||
            site_entries_replaces(draft, e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", from, e->d_name);
        rc = file_read(path, SITE_ENTRIES_FILE, &text, err);
        if (rc < 0)
            break;
        snprintf(path, sizeof path, "%s/%s", to, e->d_name);
        rc = file_write_atomic(path, buf_str(&text), text.len, 0600, err);
        buf_done(&text);
    }
    if (d)
        closedir(d);
    return rc < 0 ? rc : 0;
}

static void
site_entries_clean(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[4608];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(folder);
}

/* Every problem of the draft as "file:line:col: sentence" lines. */
static int
site_entries_problems(struct web *w, const char *text, size_t len, const struct doc *draft,
                      struct buf *problems, struct err *err)
{
    char folder[4096], path[4608];
    struct kb *kb = NULL;
    snprintf(folder, sizeof folder, "%s/kb-check-XXXXXX", w->cfg.state_folder);
    if (!mkdtemp(folder))
        return err_set_errno(err, "%s cannot be made", folder);
    int rc = site_entries_copy(w->cfg.kb_site_folder, folder, draft, err);
    snprintf(path, sizeof path, "%s/%s", folder, SITE_ENTRIES_OURS);
    if (!rc)
        rc = file_write_atomic(path, text, len, 0600, err);
    if (!rc)
        rc = kb_load_site(folder, &kb, problems, err);
    if (rc == ERR_SYNTAX || rc == ERR_RANGE || rc == ERR_LIMIT || rc == ERR_EXISTS ||
        rc == ERR_NOTFOUND || rc == ERR_UNSUPPORTED) {
        char line[1024]; /* the draft's, said once in err as well */
        if (!problems->len)
            buf_printf(problems, "%s\n", err_format(err, line, sizeof line));
        rc = 0;
    }
    if (!rc && kb && !strstr(buf_str(problems), SITE_ENTRIES_OURS))
        kb_lint(kb, problems);
    kb_free(kb);
    site_entries_clean(folder);
    return rc;
}

/* "path:3:5: sentence" of our file as {line, column, severity, message}. Returns 1 when it is one.
 */
static size_t
site_entries_problem(struct jsonw *j, const char *line, size_t len)
{
    char text[1024];
    unsigned row = 0, column = 0;
    int used = 0;
    snprintf(text, sizeof text, "%.*s", (int)len, line);
    const char *at = strstr(text, SITE_ENTRIES_OURS);
    if (!at)
        return 0;
    at += strlen(SITE_ENTRIES_OURS);
    const char *message = at;
    if (sscanf(at, ":%u:%u: %n", &row, &column, &used) == 2 && used)
        message = at + used;
    else if (sscanf(at, ":%u: %n", &row, &used) == 1 && used)
        message = at + used;
    jsonw_object(j);
    jsonw_kint(j, "line", row);
    jsonw_kint(j, "column", column);
    jsonw_kstr(j, "severity", "error");
    jsonw_kstr(j, "message", message + strspn(message, ": "));
    jsonw_end_object(j);
    return 1;
}

static size_t
site_entries_write_problems(struct jsonw *j, const struct buf *problems)
{
    const char *p = buf_str(problems), *line;
    size_t n, count = 0;
    jsonw_key(j, "problems");
    jsonw_array(j);
    while ((line = str_field(&p, "\n", &n)))
        if (n && count < 200)
            count += site_entries_problem(j, line, n);
    jsonw_end_array(j);
    return count;
}

/* A text that is no YAML has its one problem at once. */
static int
site_entries_check(struct web *w, const char *text, size_t len, struct doc **ret_draft,
                   struct buf *problems, struct err *err)
{
    char line[1024];
    *ret_draft = NULL;
    if (doc_parse_yaml(text, len, SITE_ENTRIES_OURS, ret_draft, err)) {
        buf_printf(problems, "%s\n", err_format(err, line, sizeof line));
        return 0;
    }
    return site_entries_problems(w, text, len, *ret_draft, problems, err);
}

static int
site_entries_lint(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *draft;
    struct buf problems;
    struct jsonw j;
    struct err err = {0};
    buf_init(&problems, SITE_ENTRIES_FILE);
    int rc = site_entries_check(w, req->body, req->body_len, &draft, &problems, &err);
    doc_free(draft);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    size_t n = site_entries_write_problems(&j, &problems);
    jsonw_kbool(&j, "ok", n == 0);
    jsonw_end_object(&j);
    buf_done(&problems);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* --- saving ----------------------------------------------------------------------------------- */

static int
site_entries_refuse(struct httpd_response *resp, const struct buf *problems)
{
    struct jsonw j;
    resp->status = 422;
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_key(&j, "error");
    jsonw_object(&j);
    jsonw_kstr(&j, "code", "syntax");
    jsonw_kstr(&j, "message", "the entry has problems; nothing was saved");
    jsonw_end_object(&j);
    site_entries_write_problems(&j, problems);
    jsonw_end_object(&j);
    return 0;
}

/* ID.yaml in the site's folder; what lies in another file of the site is edited there. */
static int
site_entries_path(struct web *w, const char *id, char *out, size_t size, struct err *err)
{
    char name[160];
    if (!w->cfg.kb_site_folder || !*w->cfg.kb_site_folder)
        return err_set(err, ERR_STATE,
                       "no folder for the site's entries is configured (kb: {site: DIR})");
    if (!site_entries_id_ok(id))
        return err_set(err, ERR_RANGE, "an id is lower-case letters, digits, dots and dashes");
    snprintf(name, sizeof name, "%s.yaml", id);
    snprintf(out, size, "%s/%s", w->cfg.kb_site_folder, name);
    const struct kb *kb = entries_get(w->entries);
    const struct kb_entry *e = kb_find(kb, id);
    const char *slash = e && e->file ? strrchr(e->file, '/') : NULL;
    const char *file = slash ? slash + 1 : e && e->file ? e->file : "";
    int rc =
        e && e->site && strcmp(file, name)
            ? err_set(err, ERR_STATE, "%s is kept in the site's file %s: edit it there", id, file)
            : 0;
    entries_put(w->entries);
    return rc;
}

static int
site_entries_answer(struct web *w, const char *id, const char *yaml, struct httpd_response *resp)
{
    struct jsonw j;
    const struct kb *kb = entries_get(w->entries);
    const struct kb_entry *e = kb_find(kb, id);
    jsonw_init(&j, &resp->body);
    if (e)
        entry_doc_json(kb, e, yaml, &j);
    entries_put(w->entries);
    return e ? 0 : ERR_NOTFOUND;
}

static int
site_entries_save(struct web *w, const struct httpd_request *req, const char *path, struct err *err)
{
    int rc = file_mkdir(w->cfg.kb_site_folder, 0755, err);
    if (!rc)
        rc = file_write_atomic(path, req->body, req->body_len, 0644, err);
    return rc ? rc : entries_reload(w->entries, err);
}

static int
site_entries_put(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *id = httpd_param(req, "id");
    char path[4096];
    struct doc *draft;
    struct buf problems;
    struct err err = {0};
    int rc = site_entries_path(w, id, path, sizeof path, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    buf_init(&problems, SITE_ENTRIES_FILE);
    rc = site_entries_check(w, req->body, req->body_len, &draft, &problems, &err);
    const struct doc_node *root = doc_root(draft);
    if (!rc && root && (root->count != 1 || strcmp(doc_get_str(doc_at(root, 0), "id", ""), id)))
        buf_printf(&problems, "%s:1:1: the text holds one entry, and its id is %s\n",
                   SITE_ENTRIES_OURS, id);
    bool bad = strstr(buf_str(&problems), SITE_ENTRIES_OURS) != NULL;
    doc_free(draft);
    if (!rc && bad)
        site_entries_refuse(resp, &problems);
    buf_done(&problems);
    if (!rc && !bad && !(rc = site_entries_save(w, req, path, &err)))
        rc = site_entries_answer(w, id, req->body, resp);
    return rc ? web_fail(resp, rc, &err) : 0;
}

static int
site_entries_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *id = httpd_param(req, "id");
    char path[4096];
    struct err err = {0};
    const struct kb *kb = entries_get(w->entries);
    const struct kb_entry *e = kb_find(kb, id);
    bool there = e != NULL, site = e && e->site;
    entries_put(w->entries);
    if (!there)
        return httpd_reply_fail(resp, 404, "not_found", "there is no entry %s", id);
    if (!site)
        return httpd_reply_fail(
            resp, 409, "state",
            "%s is built in and cannot be removed; an entry of the site may override it", id);
    int rc = site_entries_path(w, id, path, sizeof path, &err);
    if (!rc && unlink(path))
        rc = err_set_errno(&err, "%s cannot be removed", path);
    if (!rc)
        rc = entries_reload(w->entries, &err);
    resp->status = 204;
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* --- draft ------------------------------------------------------------------------------------ */

/* A line as a pattern: fixed text stays, runs of digits become [0-9]+, what PCRE2 takes specially
 * is escaped. */
static void
site_entries_pattern(const char *line, struct buf *out)
{
    for (const char *p = line; *p && out->len < 400;) {
        if (isdigit((unsigned char)*p)) {
            p += strspn(p, "0123456789");
            buf_puts(out, "[0-9]+");
        } else {
            if (strchr("\\^$.[]|()?*+{}", *p))
                buf_putc(out, '\\');
            buf_putc(out, *p++);
        }
    }
}

static void
site_entries_draft_signals(const struct doc_node *hypothesis, struct buf *out)
{
    const struct doc_node *evidence = doc_get(hypothesis, "evidence"),
                          *e = evidence ? evidence->first : NULL;
    struct buf pattern;
    const char *line = doc_get_str(e, "text", "");
    buf_init(&pattern, 4096);
    site_entries_pattern(line, &pattern);
    buf_puts(out, "  signals:\n    - log:\n        pattern: ");
    entry_doc_scalar(out, *line ? buf_str(&pattern) : "text of the line");
    buf_puts(out, "\n        source: any\n        match:\n          - ");
    entry_doc_scalar(out, *line ? line : "text of the line");
    buf_putc(out, '\n');
    buf_done(&pattern);
}

static void
site_entries_draft_text(const struct doc_node *incident, const char *id, struct buf *out)
{
    const struct doc_node *h = doc_at(doc_get(incident, "hypotheses"), 0),
                          *summary = doc_get(h, "summary");
    const struct doc_node *actions = doc_get(h, "actions"), *title = doc_get(incident, "title");
    const char *entity = doc_get_str(h, "entity", "node:x");
    buf_printf(out,
               "- id: %s\n  class: %s\n  scope: %s\n  role: root\n  severity: %s\n  prior: 1\n", id,
               doc_get_str(h, "class", "unknown"), entity_kind_row(entity_kind_of(entity))->word,
               doc_get_str(incident, "severity", "warning"));
    entry_doc_text(out, "  ", "title", doc_get_str(title, "en", "what broke"),
                   doc_get_str(title, "zh", "故障名称"));
    entry_doc_text(out, "  ", "description",
                   doc_get_str(summary, "en", "what it is and how it shows"),
                   doc_get_str(summary, "zh", "故障说明与表现"));
    buf_puts(out, "  actions:\n");
    for (const struct doc_node *a = actions ? actions->first : NULL; a; a = a->next) {
        buf_puts(out, "    - en: ");
        entry_doc_scalar(out, doc_get_str(a, "en", ""));
        buf_puts(out, "\n      zh: ");
        entry_doc_scalar(out, doc_get_str(a, "zh", ""));
        buf_putc(out, '\n');
    }
    if (!actions || !actions->count)
        buf_puts(out, "    - en: 'what to do'\n      zh: '处理步骤'\n");
    site_entries_draft_signals(h, out);
    buf_puts(out, "  clears:\n    after: 10m\n");
}

static int
site_entries_tenant(void *ctx, const struct catalog_doc *d)
{
    return web_sees(ctx, d->tenant) ? 0 : ERR_NOTFOUND;
}

static int
site_entries_draft(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *body = NULL, *doc = NULL;
    struct err err = {0};
    struct buf yaml;
    struct jsonw j;
    char id[160];
    int rc = web_body(req, &body, &err);
    const char *incident = doc_get_str(doc_root(body), "incident", "");
    if (!rc)
        rc = catalog_get(w->cfg.store, "incident", incident, site_entries_tenant,
                         (void *)(uintptr_t)req, &err);
    char *json = rc ? NULL : catalog_get_json(w->cfg.store, "incident", incident, &err);
    if (!rc)
        rc = json ? doc_parse_json(json, strlen(json), "incident", &doc, &err) : ERR_NOTFOUND;
    if (!rc) {
        const struct doc_node *h = doc_at(doc_get(doc_root(doc), "hypotheses"), 0);
        snprintf(id, sizeof id, "site.%s.%s", doc_get_str(h, "class", "unknown"), incident);
        buf_init(&yaml, SITE_ENTRIES_FILE);
        site_entries_draft_text(doc_root(doc), id, &yaml);
        jsonw_init(&j, &resp->body);
        jsonw_object(&j);
        jsonw_kstr(&j, "id", id);
        jsonw_kstr(&j, "yaml", buf_str(&yaml));
        jsonw_end_object(&j);
        buf_done(&yaml);
    }
    free(json);
    doc_free(doc);
    doc_free(body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route site_entries_routes[] = {
    {"POST", "/api/v1/kb/draft", ROLE_OPERATOR, site_entries_draft,
     .help = "Starts an entry of the site from an incident; stores nothing."},
    {"POST", "/api/v1/kb/lint", ROLE_VIEWER, site_entries_lint,
     .help = "Checks an entry (YAML) together with all others.", .body_max = SITE_ENTRIES_BODY},
    {"PUT", "/api/v1/kb/{id}", ROLE_OPERATOR, site_entries_put,
     .help = "Saves an entry of the site (YAML); with problems 422 and nothing saved.",
     .body_max = SITE_ENTRIES_BODY},
    {"DELETE", "/api/v1/kb/{id}", ROLE_OPERATOR, site_entries_delete,
     .help = "Removes an entry of the site."},
};
const size_t site_entries_route_count = sizeof site_entries_routes / sizeof *site_entries_routes;
