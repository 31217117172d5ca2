/* tokens: API tokens listed, made and revoked; agents that join get a token bound to their node. */
#include "web/auth.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include "base/entity.h"

#include <stdio.h>
#include <string.h>

/* --- list ------------------------------------------------------------------------------------- */

static int
tokens_row(void *ctx, const struct catalog_doc *d)
{
    static const char *const members[] = {"id",   "name",    "role",    "tenant",
                                          "node", "created", "expires", "last_used"};
    struct jsonw *j = ctx;
    struct doc *doc = NULL;
    if (doc_parse_json(d->json, d->json_len, "token", &doc, NULL))
        return 0;
    jsonw_object(j);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct doc_node *n = doc_get(doc_root(doc), members[i]);
        jsonw_key(j, members[i]);
        if (n)
            web_copy_node(j, n);
        else
            jsonw_null(j);
    }
    jsonw_end_object(j);
    doc_free(doc);
    return 0;
}

static int
tokens_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct catalog_query q = {.kind = "token",
                              .tenant = web_tenant(req),
                              .state = "active",
                              .cursor = httpd_query(req, "cursor")};
    char next[256];
    struct err err;
    struct jsonw j;
    int rc = web_limit(req, &q.limit, &err);
    if (!rc) {
        web_list_begin(&j, resp);
        rc = catalog_list(w->cfg.store, &q, tokens_row, &j, next, &err);
    }
    if (rc < 0)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

/* --- make ------------------------------------------------------------------------------------- */

static int
tokens_expiry(struct web *w, const struct doc_node *n, int64_t *ret_ms, struct err *err)
{
    const char *text = doc_str(n, NULL);
    int64_t ms;
    *ret_ms = 0;
    if (!n || n->kind == DOC_NULL || (text && !*text))
        return 0;
    if (n->kind == DOC_INT || n->kind == DOC_REAL)
        ms = (int64_t)(doc_real(n, 0) * 1000);
    else if (!text || (time_parse(text, &ms) && duration_parse(text, &ms)))
        return err_set(err, ERR_SYNTAX,
                       "expires: a time (RFC 3339) or a duration such as 30d is needed");
    else if (time_parse(text, &ms))
        ms += web_now(w);
    if (ms <= web_now(w))
        return err_set(err, ERR_RANGE, "expires: %s is in the past", text ? text : "the time");
    *ret_ms = ms;
    return 0;
}

static int
tokens_spec(struct web *w, const struct httpd_request *req, const struct doc *d,
            struct token_spec *s, struct err *err)
{
    static const char *const known[] = {"name", "role", "tenant", "expires", NULL};
    const struct doc_node *n = doc_root(d);
    int rc = doc_only(d, n, known, err);
    if (rc)
        return rc;
    int role = role_find(doc_get_str(n, "role", "viewer"));
    if (role <= ROLE_NONE)
        return err_set(err, ERR_RANGE, "role: viewer, operator, admin or agent is needed");
    s->role = (enum role)role;
    s->name = doc_get_str(n, "name", "");
    if (!*s->name || strlen(s->name) > 63)
        return err_set(err, ERR_RANGE, "name: 1 to 63 bytes are needed");
    s->tenant = *req->who.tenant ? req->who.tenant : doc_get_str(n, "tenant", "");
    if (strlen(s->tenant) > 63)
        return err_set(err, ERR_RANGE, "tenant: at most 63 bytes");
    return tokens_expiry(w, doc_get(n, "expires"), &s->expires_ms, err);
}

static void
tokens_answer(struct jsonw *j, const char *id, const struct token_spec *s, const char *token,
              int64_t now_ms)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", id);
    jsonw_kstr(j, "name", s->name);
    jsonw_kstr(j, "role", role_word(s->role));
    web_kstr_or_null(j, "tenant", s->tenant);
    web_kstr_or_null(j, "node", s->node);
    jsonw_ktime(j, "created", now_ms);
    jsonw_ktime(j, "expires", s->expires_ms);
    jsonw_ktime(j, "last_used", 0);
    jsonw_kstr(j, "token", token);
    jsonw_end_object(j);
}

static int
tokens_post(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct token_spec s = {0};
    struct doc *d = NULL;
    struct err err;
    struct jsonw j;
    char token[64] = "", id[64];
    int rc = web_body(req, &d, &err);
    if (!rc)
        rc = tokens_spec(w, req, d, &s, &err);
    if (!rc)
        rc = auth_token_make(w->auth, &s, token, id, &err);
    if (!rc) {
        jsonw_init(&j, &resp->body);
        tokens_answer(&j, id, &s, token, web_now(w));
        resp->status = 201;
        httpd_reply_header(resp, "Cache-Control", "no-store");
    }
    doc_free(d);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* A node comes with a join token and leaves with one of its own name; joining again replaces it. An
 * agent that is bound already may renew its own. */
static int
tokens_join(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *node = httpd_param(req, "node");
    char entity[ENTITY_SIZE], id[64 + 16], token[64] = "", made[64];
    struct err err;
    struct jsonw j;
    if (entity_format(entity, ENTITY_NODE, node, NULL) || strlen(node) > 55 || strchr(node, '/'))
        return httpd_reply_fail(resp, 400, "range", "%.64s is no name of a node (at most 55 bytes)",
                                node);
    snprintf(id, sizeof id, "agent-%s", node);
    if (req->who.role == ROLE_AGENT && *req->who.name && strcmp(req->who.name, node))
        return httpd_reply_fail(resp, 403, "forbidden", "this token is bound to node %s",
                                req->who.name);
    struct token_spec s = {
        .id = id, .name = node, .node = node, .tenant = req->who.tenant, .role = ROLE_AGENT};
    int rc = auth_token_make(w->auth, &s, token, made, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    jsonw_init(&j, &resp->body);
    tokens_answer(&j, made, &s, token, web_now(w));
    resp->status = 201;
    httpd_reply_header(resp, "Cache-Control", "no-store");
    return 0;
}

/* --- revoke ----------------------------------------------------------------------------------- */

static int
tokens_tenant(void *ctx, const struct catalog_doc *d)
{
    const struct httpd_request *req = ctx;
    return web_sees(req, d->tenant) && strcmp(d->state, "revoked") ? 0 : ERR_NOTFOUND;
}

/* The admin's own token is kept as revoked, so that the next start makes no other. */
static int
tokens_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    const char *id = httpd_param(req, "id");
    int rc = catalog_get(w->cfg.store, "token", id, tokens_tenant, (void *)(uintptr_t)req, &err);
    if (!rc && strcmp(id, "admin")) {
        rc = catalog_delete(w->cfg.store, "token", id, &err);
    } else if (!rc) {
        struct catalog_doc d = {.kind = "token",
                                .id = id,
                                .tenant = "",
                                .state = "revoked",
                                .key = "",
                                .json = "{}",
                                .json_len = 2};
        rc = catalog_put(w->cfg.store, &d, &err);
    }
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 404, "not_found", "there is no token %s", id);
    resp->status = 204;
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route tokens_routes[] = {
    {"GET", "/api/v1/tokens", ROLE_ADMIN, tokens_list, .help = "API tokens, without their secrets.",
     .query = "limit=1 to 1000; cursor=from a former answer"},
    {"POST", "/api/v1/tokens", ROLE_ADMIN, tokens_post,
     .help = "Makes a token; the answer shows it this once. Role agent makes one that nodes join "
             "with."},
    {"DELETE", "/api/v1/tokens/{id}", ROLE_ADMIN, tokens_delete,
     .help = "Revokes a token, and the sessions opened with it."},
    {"POST", "/api/v1/agents/{node}/join", ROLE_AGENT, tokens_join,
     .help = "Gives a node that comes with a join token a token bound to its name."},
};
const size_t tokens_route_count = sizeof tokens_routes / sizeof *tokens_routes;
