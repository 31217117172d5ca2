/* care: each route runs to its end on the server's thread: they are rare, and only an admin may
 * ask. */
#include "programs/care.h"

#include "base/doc.h"

#include <string.h>

static int
care_done(struct httpd_response *resp, const char *key, int64_t v)
{
    struct jsonw w;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    if (key)
        jsonw_kint(&w, key, v);
    jsonw_end_object(&w);
    return 0;
}

static int
care_verify(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct err err;
    (void)req;
    int bad = store_verify(a->store, NULL, NULL, &err);
    return bad < 0 ? httpd_reply_err(resp, &err) : care_done(resp, "damaged", bad);
}

static int
care_compact(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct err err;
    (void)req;
    return store_compact(a->store, &err) ? httpd_reply_err(resp, &err) : care_done(resp, NULL, 0);
}

static int
care_backup(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct care *a = ctx;
    struct doc *d = NULL;
    struct err err;
    int rc = doc_parse_json(req->body, req->body_len, "body", &d, &err);
    const char *folder = rc ? "" : doc_get_str(doc_root(d), "folder", "");
    if (!rc && (folder[0] != '/' || strstr(folder, "/../")))
        rc = err_set(&err, ERR_USAGE, "folder must be an absolute path");
    if (!rc)
        rc = store_backup(a->store, folder, NULL, NULL, &err);
    doc_free(d);
    return rc ? httpd_reply_err(resp, &err) : care_done(resp, NULL, 0);
}

static const struct route care_rows[] = {
    {"POST", "/api/v1/store/verify", ROLE_ADMIN, care_verify,
     "Reads everything and checks every checksum; answers the number of damaged rows.", 0, NULL},
    {"POST", "/api/v1/store/compact", ROLE_ADMIN, care_compact,
     "Closes chunks, cuts the journal, returns free pages.", 0, NULL},
    {"POST", "/api/v1/store/backup", ROLE_ADMIN, care_backup,
     "Saves everything into a folder of the server while it runs.", 0, NULL},
};

const struct route *
care_routes(size_t *ret_count)
{
    *ret_count = sizeof care_rows / sizeof *care_rows;
    return care_rows;
}
