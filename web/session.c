/* session: sign in, who am I, sign out; one-time sign-in codes. */
#include "web/auth.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <string.h>

static int
session_answer(struct web *w, const struct identity *who, struct httpd_response *resp)
{
    struct jsonw j;
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "user", who->name);
    jsonw_kstr(&j, "role", role_word(who->role));
    web_kstr_or_null(&j, "tenant", who->tenant);
    jsonw_kstr(&j, "auth", w->cfg.auth_required ? "required" : "none");
    jsonw_kstr(&j, "build", w->cfg.build_id);
    jsonw_end_object(&j);
    httpd_reply_header(resp, "Cache-Control", "no-store");
    return 0;
}

static int
session_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return session_answer(ctx, &req->who, resp);
}

static int
session_who(struct web *w, const struct httpd_request *req, const struct doc_node *n,
            struct principal *ret)
{
    const char *code = doc_get_str(n, "code", ""), *token = doc_get_str(n, "token", "");
    if (*code)
        return auth_by_code(w->auth, code, ret);
    if (*token)
        return auth_by_token(w->auth, token, ret);
    return auth_by_password(w->auth, req->peer, doc_get_str(n, "user", ""),
                            doc_get_str(n, "password", ""), ret);
}

static int
session_refuse(struct httpd_response *resp, int rc)
{
    if (rc == ERR_BUSY) {
        httpd_reply_header(resp, "Retry-After", "60");
        return httpd_reply_fail(resp, 429, "busy",
                                "too many attempts to sign in; try again in five minutes");
    }
    return httpd_reply_fail(resp, 401, "unauthorized",
                            "this code, token or password is wrong, used up or expired");
}

static void
session_cookie(struct httpd_response *resp, const char *value, int64_t life_s, bool tls)
{
    char text[256];
    snprintf(text, sizeof text,
             AUTH_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", value,
             (long long)life_s, tls ? "; Secure" : "");
    httpd_reply_header(resp, "Set-Cookie", text);
}

static int
session_post(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct principal p;
    struct err err;
    char cookie[64];
    if (!w->cfg.auth_required)
        return session_answer(w, &(struct identity){.role = ROLE_ADMIN, .name = "anonymous"}, resp);
    int rc = web_body(req, &d, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    rc = session_who(w, req, doc_root(d), &p);
    doc_free(d);
    if (rc)
        return session_refuse(resp, rc);
    rc = auth_session_open(w->auth, &p, cookie, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    session_cookie(resp, cookie, AUTH_SESSION_MS / 1000, req->tls);
    return session_answer(w, &p.who, resp);
}

static int
session_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *cookie = httpd_cookie(req, AUTH_COOKIE);
    if (cookie)
        auth_session_close(w->auth, cookie);
    session_cookie(resp, "", 0, req->tls);
    resp->status = 204;
    return 0;
}

/* {"user"?}: a code for a link that signs in once, within fifteen minutes. */
static int
session_code(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct err err;
    struct jsonw j;
    char code[80], url[512];
    int rc = req->body_len ? web_body(req, &d, &err) : 0;
    if (!rc && *req->who.tenant)
        rc = err_set(&err, ERR_DENIED, "only an admin of all tenants makes sign-in codes");
    if (!rc)
        rc = web_signin_code(w, doc_get_str(doc_root(d), "user", "admin"), code, &err);
    doc_free(d);
    if (rc)
        return web_fail(resp, rc, &err);
    snprintf(url, sizeof url, "%s/signin?code=%s", w->cfg.base_url ? w->cfg.base_url : "", code);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "code", code);
    jsonw_kstr(&j, "url", url);
    jsonw_ktime(&j, "expires", web_now(w) + AUTH_CODE_MS);
    jsonw_end_object(&j);
    resp->status = 201;
    return 0;
}

const struct route session_routes[] = {
    {"GET", "/api/v1/session", ROLE_VIEWER, session_get,
     .help = "Who is signed in, and under which build."},
    {"POST", "/api/v1/session", ROLE_NONE, session_post,
     .help = "Signs in by one-time code, token, or user and password; sets the session's cookie."},
    {"DELETE", "/api/v1/session", ROLE_NONE, session_delete, .help = "Ends the session."},
    {"POST", "/api/v1/session/code", ROLE_ADMIN, session_code,
     .help = "Makes a one-time sign-in code and its link, good for fifteen minutes."},
};
const size_t session_route_count = sizeof session_routes / sizeof *session_routes;
