/* topology: the document that says what there is, read. The collector takes new ones. */
#include "web/resources.h"
#include "web/web_priv.h"

#include "store/cabling.h"

#include <string.h>

#define TOPOLOGY_DIFF_MAX 10000 /* items of one answer */

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

/* --- cabling as it is ---------------------------------------------------------------------------
 */

struct topology_diff {
    struct jsonw *w;
    size_t left;
    const char *state; /* only these; NULL: all */
};

static int
topology_diff_item(void *ctx, const struct cabling_verdict *v)
{
    struct topology_diff *d = ctx;
    const char *state = cabling_word(v->kind);
    if (!d->left || v->kind == CABLING_SAME || (d->state && strcmp(d->state, state)))
        return 0;
    d->left--;
    jsonw_object(d->w);
    jsonw_kstr(d->w, "port", v->port);
    jsonw_kstr(d->w, "state", state);
    jsonw_kstr(d->w, "link", *v->link ? v->link : NULL);
    jsonw_kstr(d->w, "planned", *v->planned ? v->planned : NULL);
    jsonw_kstr(d->w, "seen", *v->seen ? v->seen : NULL);
    jsonw_end_object(d->w);
    return 0;
}

static void
topology_diff_counts(struct jsonw *w, const struct cabling_count *n)
{
    jsonw_key(w, "counts");
    jsonw_object(w);
    jsonw_kint(w, "switches", (int64_t)n->switches);
    jsonw_kint(w, "ports", (int64_t)n->ports);
    jsonw_kint(w, "same", (int64_t)n->same);
    jsonw_kint(w, "wrong", (int64_t)n->wrong);
    jsonw_kint(w, "missing", (int64_t)n->missing);
    jsonw_kint(w, "unplanned", (int64_t)n->unplanned);
    jsonw_kint(w, "unknown", (int64_t)n->unknown);
    jsonw_end_object(w);
}

static int
topology_diff_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    struct jsonw out;
    struct cabling_count counts;
    struct topology_diff d = {&out, TOPOLOGY_DIFF_MAX, httpd_query(req, "state")};
    if (*req->who.tenant)
        return httpd_reply_fail(resp, 403, "denied",
                                "the topology of all tenants is not yours to read");
    struct topo *t = topo_get(w->cfg.store);
    jsonw_init(&out, &resp->body);
    jsonw_object(&out);
    jsonw_key(&out, "items");
    jsonw_array(&out);
    int rc = cabling_compare(w->cfg.store, t, clock_now_ms(store_clock(w->cfg.store)),
                             topology_diff_item, &d, &counts, &err);
    topo_put(t);
    if (rc) {
        buf_reset(&resp->body);
        return web_fail(resp, rc, &err);
    }
    jsonw_end_array(&out);
    jsonw_key(&out, "next");
    jsonw_null(&out);
    topology_diff_counts(&out, &counts);
    jsonw_end_object(&out);
    resp->content_type = "application/json";
    return 0;
}

const struct route topology_routes[] = {
    {"GET", "/api/v1/topology", ROLE_VIEWER, topology_get,
     .help = "The topology document in force, as it was written.",
     .query = "cluster=its name; the first without"},
    {"GET", "/api/v1/topology/diff", ROLE_VIEWER, topology_diff_get,
     .help = "Cabling as switches see it by LLDP against the topology document: each port whose "
             "neighbour is wrong, missing, unplanned or unknown, and how many are as planned.",
     .query = "state=wrong, missing, unplanned or unknown"},
};
const size_t topology_route_count = sizeof topology_routes / sizeof *topology_routes;
