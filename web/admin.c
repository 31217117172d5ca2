/* admin: the appliance itself: its inputs, and its configuration applied again. */
#include "web/resources.h"
#include "web/web_priv.h"

static int
admin_sources(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    (void)req;
    buf_puts(&resp->body, "{\"items\":");
    size_t before = resp->body.len;
    if (w->cfg.sources_json)
        w->cfg.sources_json(w->cfg.ctx, &resp->body);
    if (resp->body.len == before)
        buf_puts(&resp->body, "[]");
    return buf_puts(&resp->body, ",\"next\":null}");
}

static int
admin_reload(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    if (*req->who.tenant)
        return httpd_reply_fail(resp, 403, "denied", "only an admin of all tenants may do this");
    int rc = w->cfg.reload
                 ? w->cfg.reload(w->cfg.ctx, &err)
                 : err_set(&err, ERR_UNSUPPORTED, "this server has no configuration to apply");
    resp->status = 204;
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route admin_routes[] = {
    {"GET", "/api/v1/sources", ROLE_VIEWER, admin_sources,
     .help = "Every input with its state and counts: listeners, targets, pushes."},
    {"POST", "/api/v1/reload", ROLE_ADMIN, admin_reload,
     .help = "Applies the changed configuration file, as a whole or not at all."},
};
const size_t admin_route_count = sizeof admin_routes / sizeof *admin_routes;
