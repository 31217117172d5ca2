/* users: people with a password: listed, made, changed, removed. One admin at least always remains.
 */
#include "web/resources.h"
#include "web/secret.h"
#include "web/web_priv.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct users_user {
    char name[64], tenant[64], password[SECRET_PASSWORD_SIZE];
    enum role role;
    bool disabled, found;
    int64_t created_ms, last_seen_ms;
};

static int64_t
users_time(const struct doc_node *n, const char *key)
{
    int64_t ms = 0;
    const char *s = doc_get_str(n, key, "");
    return *s && !time_parse(s, &ms) ? ms : 0;
}

static int
users_take(void *ctx, const struct catalog_doc *d)
{
    struct users_user *u = ctx;
    struct doc *doc = NULL;
    int rc = doc_parse_json(d->json, d->json_len, "user", &doc, NULL);
    if (rc)
        return rc;
    const struct doc_node *n = doc_root(doc);
    int role = role_find(doc_get_str(n, "role", "viewer"));
    *u = (struct users_user){.role = role < 0 ? ROLE_VIEWER : (enum role)role,
                             .disabled = doc_get_bool(n, "disabled", false),
                             .found = true,
                             .created_ms = users_time(n, "created"),
                             .last_seen_ms = users_time(n, "last_seen")};
    str_copy(u->name, sizeof u->name, d->id);
    str_copy(u->tenant, sizeof u->tenant, doc_get_str(n, "tenant", ""));
    str_copy(u->password, sizeof u->password, doc_get_str(n, "password", ""));
    doc_free(doc);
    return 0;
}

static void
users_write(struct jsonw *j, const struct users_user *u, bool secret)
{
    jsonw_object(j);
    jsonw_kstr(j, "name", u->name);
    jsonw_kstr(j, "role", role_word(u->role));
    web_kstr_or_null(j, "tenant", u->tenant);
    jsonw_kbool(j, "disabled", u->disabled);
    jsonw_ktime(j, "created", u->created_ms);
    jsonw_ktime(j, "last_seen", u->last_seen_ms);
    if (secret)
        jsonw_kstr(j, "password", u->password);
    jsonw_end_object(j);
}

static int
users_row(void *ctx, const struct catalog_doc *d)
{
    struct users_user u;
    if (!users_take(&u, d))
        users_write(ctx, &u, false);
    return 0;
}

static int
users_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct catalog_query q = {.kind = "user",
                              .tenant = web_tenant(req),
                              .cursor = httpd_query(req, "cursor"),
                              .by_id = true,
                              .ascending = true};
    char next[256];
    struct err err;
    struct jsonw j;
    int rc = web_limit(req, &q.limit, &err);
    if (!rc) {
        web_list_begin(&j, resp);
        rc = catalog_list(w->cfg.store, &q, users_row, &j, next, &err);
    }
    if (rc < 0)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

/* --- change ----------------------------------------------------------------------------------- */

struct users_admins {
    const char *but;
    size_t count;
};

static int
users_admin_count(void *ctx, const struct catalog_doc *d)
{
    struct users_admins *a = ctx;
    struct users_user u;
    if (strcmp(d->id, a->but) && !users_take(&u, d))
        a->count += u.role == ROLE_ADMIN && !u.disabled && !*u.tenant;
    return 0;
}

/* Is `name` the last who may do everything? The token of the first start, while it is in force, is
 * one more. */
static bool
users_is_last_admin(struct web *w, const char *name)
{
    struct users_admins a = {.but = name};
    struct catalog_query q = {.kind = "user", .limit = 1000};
    char *token = catalog_get_json(w->cfg.store, "token", "admin", NULL);
    bool by_token = token && strcmp(token, "{}");
    free(token);
    catalog_list(w->cfg.store, &q, users_admin_count, &a, NULL, NULL);
    return !a.count && !by_token;
}

static bool
users_name_ok(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-@", *p))
            return false;
    return *name && strlen(name) < 64;
}

static int
users_edit(const struct httpd_request *req, const struct doc *d, struct users_user *u,
           struct err *err)
{
    static const char *const known[] = {"name", "role", "tenant", "disabled", "password", NULL};
    const struct doc_node *n = doc_root(d);
    int rc = doc_only(d, n, known, err);
    if (rc)
        return rc;
    int role = role_find(doc_get_str(n, "role", role_word(u->role)));
    if (role < ROLE_VIEWER)
        return err_set(err, ERR_RANGE, "role: viewer, operator or admin is needed");
    u->role = (enum role)role;
    u->disabled = doc_get_bool(n, "disabled", u->disabled);
    if (doc_get(n, "tenant") &&
        str_copy(u->tenant, sizeof u->tenant, doc_get_str(n, "tenant", "")) >= sizeof u->tenant)
        return err_set(err, ERR_RANGE, "tenant: at most 63 bytes");
    if (*req->who.tenant)
        str_copy(u->tenant, sizeof u->tenant, req->who.tenant);
    const char *password = doc_get_str(n, "password", NULL);
    if (password && (strlen(password) < 8 || strlen(password) > 1024))
        return err_set(err, ERR_RANGE, "password: 8 to 1024 bytes are needed");
    if (password)
        return secret_password_hash(password, u->password, err);
    return u->found || *u->password ? 0
                                    : err_set(err, ERR_SYNTAX, "password: a new user needs one");
}

static int
users_store(struct web *w, const struct users_user *u, struct err *err)
{
    struct buf out;
    struct jsonw j;
    buf_init(&out, 8192);
    jsonw_init(&j, &out);
    users_write(&j, u, true);
    struct catalog_doc d = {.kind = "user",
                            .id = u->name,
                            .tenant = u->tenant,
                            .state = u->disabled ? "disabled" : "active",
                            .key = "",
                            .time_ms = u->created_ms,
                            .json = buf_str(&out),
                            .json_len = out.len};
    int rc = out.failed ? err_set(err, ERR_NOMEM, "no memory") : catalog_put(w->cfg.store, &d, err);
    buf_done(&out);
    return rc;
}

/* The user, or a fresh one; ERR_NOTFOUND when another tenant has that name. */
static int
users_get(struct web *w, const struct httpd_request *req, const char *name, struct users_user *ret)
{
    *ret = (struct users_user){.role = ROLE_VIEWER, .created_ms = web_now(w)};
    int rc = catalog_get(w->cfg.store, "user", name, users_take, ret, NULL);
    if (rc && rc != ERR_NOTFOUND)
        return rc;
    if (!rc && !web_sees(req, ret->tenant))
        return ERR_NOTFOUND;
    str_copy(ret->name, sizeof ret->name, name);
    return 0;
}

static int
users_put(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct users_user u;
    struct doc *d = NULL;
    struct err err;
    struct jsonw j;
    const char *name = httpd_param(req, "name");
    if (!users_name_ok(name))
        return httpd_reply_fail(resp, 400, "range",
                                "a user's name is 1 to 63 letters, digits and . _ - @");
    int rc = users_get(w, req, name, &u);
    if (rc)
        return httpd_reply_fail(resp, 409, "exists", "the name %s is taken", name);
    rc = web_body(req, &d, &err);
    if (!rc)
        rc = users_edit(req, d, &u, &err);
    doc_free(d);
    bool weaker = u.disabled || u.role != ROLE_ADMIN || *u.tenant;
    if (!rc && u.found && weaker && users_is_last_admin(w, name))
        return httpd_reply_fail(resp, 409, "state", "%s is the last admin", name);
    if (!rc)
        rc = users_store(w, &u, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    resp->status = u.found ? 200 : 201;
    jsonw_init(&j, &resp->body);
    users_write(&j, &u, false);
    return 0;
}

static int
users_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct users_user u;
    struct err err;
    const char *name = httpd_param(req, "name");
    int rc = users_get(w, req, name, &u);
    if (rc || !u.found)
        return httpd_reply_fail(resp, 404, "not_found", "there is no user %s", name);
    if (u.role == ROLE_ADMIN && users_is_last_admin(w, name))
        return httpd_reply_fail(resp, 409, "state", "%s is the last admin", name);
    rc = catalog_delete(w->cfg.store, "user", name, &err);
    resp->status = 204;
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route users_routes[] = {
    {"GET", "/api/v1/users", ROLE_ADMIN, users_list, .help = "Users, by name.",
     .query = "limit=1 to 1000; cursor=from a former answer"},
    {"PUT", "/api/v1/users/{name}", ROLE_ADMIN, users_put,
     .help = "Makes or changes a user: role, tenant, disabled, password."},
    {"DELETE", "/api/v1/users/{name}", ROLE_ADMIN, users_delete,
     .help = "Removes a user; the last admin stays."},
};
const size_t users_route_count = sizeof users_routes / sizeof *users_routes;
