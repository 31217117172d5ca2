/* probe: what watches the appliance asks: liveness, readiness, own metrics. */
#include "web/resources.h"
#include "web/web_priv.h"

static int
probe_alive(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    (void)ctx;
    (void)req;
    resp->content_type = "text/plain; charset=utf-8";
    return buf_puts(&resp->body, "ok\n");
}

static int
probe_ready(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    (void)req;
    bool ready = w->cfg.ready ? w->cfg.ready(w->cfg.ctx) : store_ready(w->cfg.store);
    resp->content_type = "text/plain; charset=utf-8";
    resp->status = ready ? 200 : 503;
    return buf_puts(&resp->body,
                    ready ? "ready\n"
                          : "not ready: the store is recovering, or a listener is not open yet\n");
}

static int
probe_metrics(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    (void)req;
    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (w->cfg.metrics_text)
        w->cfg.metrics_text(w->cfg.ctx, &resp->body);
    return 0;
}

const struct route probe_routes[] = {
    {"GET", "/healthz", ROLE_NONE, probe_alive,
     .help = "Liveness: answers while the process runs."},
    {"GET", "/readyz", ROLE_NONE, probe_ready,
     .help = "Readiness: 200 once the store is recovered and every listener is open."},
    {"GET", "/metrics", ROLE_VIEWER, probe_metrics,
     .help = "The appliance's own metrics as exposition text."},
};
const size_t probe_route_count = sizeof probe_routes / sizeof *probe_routes;
