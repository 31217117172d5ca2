/* care: each route runs to its end on the server's thread: they are rare, and only an admin may
 * ask. How far the one under way is, /api/v1/store/work tells. */
#include "programs/care.h"

#include "base/doc.h"
#include "store/promql/promql.h"

#include <string.h>

#define CARE_FAULTS  200 /* told one by one; the count tells of all */
#define CARE_MATCHES 64

static void
care_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct care *a = ctx;
    a->done = done;
    a->total = total;
}

static int
care_done(struct care *a, struct httpd_response *resp, const char *key, int64_t v)
{
    struct jsonw w;
    a->done = a->total = 0;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    if (key)
        jsonw_kint(&w, key, v);
    jsonw_end_object(&w);
    return 0;
}

static int
care_work(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct jsonw w;
    (void)req;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kint(&w, "done", (int64_t)a->done);
    jsonw_kint(&w, "total", (int64_t)a->total);
    jsonw_end_object(&w);
    return 0;
}

/* --- verify ----------------------------------------------------------------------------------- */

struct care_faults {
    struct care *care;
    struct jsonw w;
    unsigned count;
};

static void
care_faults_progress(void *ctx, uint64_t done, uint64_t total)
{
    care_progress(((struct care_faults *)ctx)->care, done, total);
}

static void
care_faults_add(void *ctx, const struct store_fault *f)
{
    struct care_faults *c = ctx;
    struct buf text[2];
    if (c->count++ >= CARE_FAULTS)
        return;
    for (int zh = 0; zh < 2; zh++) {
        buf_init(&text[zh], 4096);
        store_fault_text(f, zh, &text[zh]);
    }
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "file", f->file);
    jsonw_kstr(&c->w, "en", buf_str(&text[0]));
    jsonw_kstr(&c->w, "zh", buf_str(&text[1]));
    jsonw_end_object(&c->w);
    buf_done(&text[0]);
    buf_done(&text[1]);
}

static int
care_verify(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct care_faults c = {.care = a};
    struct store_watch watch = {care_faults_progress, care_faults_add, &c};
    struct err err;
    (void)req;
    jsonw_init(&c.w, &resp->body);
    jsonw_object(&c.w);
    jsonw_key(&c.w, "faults");
    jsonw_array(&c.w);
    int bad = store_verify_watched(store_folder(a->store), &watch, &err);
    a->done = a->total = 0;
    if (bad < 0) {
        buf_reset(&resp->body);
        return httpd_reply_err(resp, &err);
    }
    jsonw_end_array(&c.w);
    jsonw_kint(&c.w, "damaged", bad);
    jsonw_end_object(&c.w);
    return 0;
}

/* --- compact, backup -------------------------------------------------------------------------- */

static int
care_compact(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct err err;
    (void)req;
    return store_compact(a->store, &err) ? httpd_reply_err(resp, &err)
                                         : care_done(a, resp, NULL, 0);
}

static bool
care_folder(const char *path)
{
    return path[0] == '/' && !strstr(path, "/../");
}

static int
care_backup(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct store_watch watch = {.progress = care_progress, .ctx = a};
    struct doc *d = NULL;
    struct err err;
    int rc = doc_parse_json(req->body, req->body_len, "body", &d, &err);
    const char *folder = rc ? "" : doc_get_str(doc_root(d), "folder", "");
    const char *since = rc ? NULL : doc_get_str(doc_root(d), "since", NULL);
    if (!rc && (!care_folder(folder) || (since && !care_folder(since))))
        rc = err_set(&err, ERR_USAGE, "folder and since must be absolute paths");
    if (!rc)
        rc = store_backup(a->store, folder, since, &watch, &err);
    doc_free(d);
    a->done = a->total = 0;
    return rc ? httpd_reply_err(resp, &err) : care_done(a, resp, NULL, 0);
}

/* --- delete ----------------------------------------------------------------------------------- */

static int64_t
care_delete_one(struct care *a, const char *text, int64_t from, int64_t to, struct err *err)
{
    struct promql *q = NULL;
    const struct matcher *m;
    size_t n;
    int64_t rc = promql_parse(text, &q, err);
    if (!rc)
        rc = promql_selector(q, &m, &n, err);
    if (!rc)
        rc = store_delete(a->store, m, n, from, to, err);
    promql_free(q);
    return rc;
}

/* As Prometheus' /api/v1/admin/tsdb/delete_series: match[], start, end. Counts, or a negative. */
static int64_t
care_delete(struct care *a, const struct httpd_request *req, struct err *err)
{
    const char *texts[CARE_MATCHES];
    int64_t from, to, total = 0, rc = 0;
    size_t n = httpd_query_all(req, "match[]", texts, CARE_MATCHES);
    if (!n || n > CARE_MATCHES)
        return err_set(err, ERR_USAGE,
                       n ? "more than %d match[] parameters" : "no match[] parameter provided",
                       CARE_MATCHES);
    if (httpd_query_time(req, "start", INT64_MIN / 4, &from) ||
        httpd_query_time(req, "end", INT64_MAX / 4, &to))
        return err_set(err, ERR_USAGE, "start or end is not a time");
    for (size_t i = 0; rc >= 0 && i<n; i++, total += rc> 0 ? rc : 0)
        rc = care_delete_one(a, texts[i], from, to, err);
    return rc < 0 ? rc : total;
}

static int
care_delete_series(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct err err;
    int64_t n = care_delete(ctx, req, &err);
    return n < 0 ? httpd_reply_err(resp, &err) : care_done(ctx, resp, "samples", n);
}

static int
care_delete_prometheus(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct err err;
    struct jsonw w;
    if (care_delete(ctx, req, &err) >= 0) {
        resp->status = 204;
        return 0;
    }
    resp->status = err.code == ERR_USAGE || err.code == ERR_SYNTAX ? 400 : 500;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kstr(&w, "status", "error");
    jsonw_kstr(&w, "errorType", resp->status == 400 ? "bad_data" : "internal");
    jsonw_kstr(&w, "error", err.text);
    jsonw_end_object(&w);
    return 0;
}

static int
care_clean(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    (void)ctx, (void)req; /* nothing is kept of what was deleted */
    resp->status = 204;
    return 0;
}

#define CARE_MATCH "match[]=a selector, several allowed; start=from; end=to"

static const struct route care_rows[] = {
    {"POST", "/api/v1/store/verify", ROLE_ADMIN, care_verify,
     "Reads everything and checks every checksum; answers what is damaged and what to do.", 0,
     NULL},
    {"POST", "/api/v1/store/compact", ROLE_ADMIN, care_compact,
     "Closes chunks, cuts the journal, returns free pages.", 0, NULL},
    {"POST", "/api/v1/store/backup", ROLE_ADMIN, care_backup,
     "Saves everything into a folder of the server while it runs; since: an earlier backup.", 0,
     NULL},
    {"POST", "/api/v1/store/delete", ROLE_ADMIN, care_delete_series,
     "Deletes samples of the series that match; answers how many.", 0, CARE_MATCH},
    {"GET", "/api/v1/store/work", ROLE_ADMIN, care_work,
     "How far the verification or backup under way is.", 0, NULL},
    {"POST", "/prometheus/api/v1/admin/tsdb/delete_series", ROLE_ADMIN, care_delete_prometheus,
     "Deletes samples of the series that match, as Prometheus' admin API.", 0, CARE_MATCH},
    {"PUT", "/prometheus/api/v1/admin/tsdb/delete_series", ROLE_ADMIN, care_delete_prometheus,
     "The same.", 0, CARE_MATCH},
    {"POST", "/prometheus/api/v1/admin/tsdb/clean_tombstones", ROLE_ADMIN, care_clean,
     "Nothing to do: deleted samples are gone at once.", 0, NULL},
};

const struct route *
care_routes(size_t *ret_count)
{
    *ret_count = sizeof care_rows / sizeof *care_rows;
    return care_rows;
}
