/* topology: the document that says what there is, read. The collector takes new ones. */
#include "web/resources.h"
#include "web/web_priv.h"

#include "store/topo.h"

static int
topology_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    if (*req->who.tenant)
        return httpd_reply_fail(resp, 403, "denied",
                                "the topology of all tenants is not yours to read");
    int rc = topo_get_document(w->cfg.store, httpd_query(req, "cluster"), &resp->body, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    if (!resp->body.len)
        return httpd_reply_fail(resp, 404, "not_found", "no topology document was given yet");
    resp->content_type = *buf_str(&resp->body) == '{' ? "application/json" : "application/yaml";
    return 0;
}

const struct route topology_routes[] = {
    {"GET", "/api/v1/topology", ROLE_VIEWER, topology_get,
     .help = "The topology document in force, as it was written.",
     .query = "cluster=its name; the first without"},
};
const size_t topology_route_count = sizeof topology_routes / sizeof *topology_routes;
