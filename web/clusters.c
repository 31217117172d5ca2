/* clusters: each with what was said of it, what is known to be there, and how that fares. */
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include "store/clusters.h"

#include <string.h>

struct clusters_answer {
    struct jsonw *w;
    struct view *v;
    const struct health_map *health;
    const uint8_t *mask;
    size_t all;
};

struct clusters_sum {
    size_t of[ENTITY_KINDS], bad[ENTITY_KINDS], known;
};

static void
clusters_sum(const struct clusters_answer *a, topo_id cluster, struct clusters_sum *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int k = ENTITY_RACK; k < ENTITY_KINDS; k++) {
        size_t n;
        const topo_id *ids = topo_of_kind(a->v->topo, (enum entity_kind)k, &n);
        if (k == ENTITY_JOB || k == ENTITY_RANK || k == ENTITY_TENANT)
            continue;
        for (size_t i = 0; i < n; i++) {
            if ((a->mask && !a->mask[ids[i]]) ||
                (a->all > 1 && view_cluster_of(a->v->topo, ids[i]) != cluster))
                continue;
            enum health h = health_of(a->health, ids[i]);
            ret->of[k]++;
            ret->bad[k] += h >= HEALTH_MAJOR;
            ret->known += h != HEALTH_UNKNOWN;
        }
    }
}

/* A cluster is as ill as the share of its nodes that are: one is minor, more than one in a hundred
 * major, in ten critical. */
static enum health
clusters_health(const struct clusters_answer *a, topo_id cluster, const struct clusters_sum *s)
{
    enum health own = health_of(a->health, cluster), h = s->known ? HEALTH_OK : HEALTH_UNKNOWN;
    size_t bad = s->bad[ENTITY_NODE] + s->bad[ENTITY_SWITCH],
           parts =
               s->bad[ENTITY_GPU] + s->bad[ENTITY_OPTIC] + s->bad[ENTITY_NIC] + s->bad[ENTITY_LINK];
    size_t nodes = s->of[ENTITY_NODE] + s->of[ENTITY_SWITCH];
    if (bad * 10 > nodes && bad > 1)
        h = HEALTH_CRITICAL;
    else if (bad * 100 > nodes && bad > 1)
        h = HEALTH_MAJOR;
    else if (bad || parts)
        h = HEALTH_MINOR;
    return own > h ? own : h;
}

static int
clusters_write(void *ctx, const struct cluster *c)
{
    struct clusters_answer *a = ctx;
    struct clusters_sum sum;
    char entity[ENTITY_SIZE];
    topo_id id = entity_format(entity, ENTITY_CLUSTER, c->name, NULL)
                     ? TOPO_NONE
                     : topo_find(a->v->topo, entity);
    if (id != TOPO_NONE)
        clusters_sum(a, id, &sum);
    else
        memset(&sum, 0, sizeof sum);
    if (a->mask && !sum.of[ENTITY_NODE])
        return 0;
    jsonw_object(a->w);
    jsonw_kstr(a->w, "name", c->name);
    jsonw_kstr(a->w, "title", *c->title ? c->title : c->name);
    jsonw_kstr(a->w, "state", c->state);
    jsonw_key(a->w, "size");
    jsonw_object(a->w);
    jsonw_kint(a->w, "nodes", (int64_t)c->nodes);
    jsonw_kint(a->w, "gpus", (int64_t)c->gpus);
    jsonw_end_object(a->w);
    jsonw_key(a->w, "counts");
    jsonw_object(a->w);
    for (int k = ENTITY_RACK; k < ENTITY_KINDS; k++)
        if (sum.of[k])
            jsonw_kint(a->w, entity_kind_row((enum entity_kind)k)->word, (int64_t)sum.of[k]);
    jsonw_end_object(a->w);
    jsonw_kstr(a->w, "health", health_word(clusters_health(a, id, &sum)));
    jsonw_kint(a->w, "revision", (int64_t)c->revision);
    jsonw_ktime(a->w, "updated", c->updated_ms);
    jsonw_key(a->w, "metadata");
    jsonw_raw(a->w, c->metadata, strlen(c->metadata));
    jsonw_end_object(a->w);
    return 0;
}

static int
clusters_begin(struct web *web, const struct httpd_request *req, struct jsonw *w,
               struct clusters_answer *ret, struct err *err)
{
    struct clusters_answer a = {.w = w};
    int rc = view_get(web->views, 0, &a.v, err);
    if (rc)
        return rc;
    if (!(a.health = view_health(a.v, err))) {
        view_put(a.v);
        return err->code ? err->code : ERR_NOMEM;
    }
    a.mask = view_mask(a.v, req->who.tenant);
    topo_of_kind(a.v->topo, ENTITY_CLUSTER, &a.all);
    *ret = a;
    return 0;
}

static int
clusters_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    struct clusters_answer a;
    int rc = clusters_begin(web, req, &w, &a, &err);
    if (!rc) {
        web_list_begin(&w, resp);
        rc = cluster_list(web->cfg.store, clusters_write, &a, &err);
        web_list_end(&w, NULL);
        view_put(a.v);
    }
    if (rc < 0)
        buf_reset(&resp->body);
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

static int
clusters_put(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    struct doc *d = NULL;
    struct clusters_answer a;
    if (*req->who.tenant)
        return httpd_reply_fail(resp, 403, "denied", "a tenant changes no clusters");
    int rc = web_body(req, &d, &err);
    if (!rc)
        rc = cluster_put(web->cfg.store, httpd_param(req, "name"), d, doc_root(d), &err);
    if (!rc && !(rc = clusters_begin(web, req, &w, &a, &err))) {
        jsonw_init(&w, &resp->body);
        rc = cluster_get(web->cfg.store, doc_get_str(doc_root(d), "name", httpd_param(req, "name")),
                         clusters_write, &a, &err);
        view_put(a.v);
    }
    doc_free(d);
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

const struct route clusters_routes[] = {
    {"GET", "/api/v1/clusters", ROLE_VIEWER, clusters_list,
     .help = "Clusters: name, state, size, what is there, health, metadata."},
    {"PUT", "/api/v1/clusters/{name}", ROLE_OPERATOR, clusters_put,
     .help =
         "Changes what is said of a cluster (name title state size metadata); makes it if absent."},
};
const size_t clusters_route_count = sizeof clusters_routes / sizeof *clusters_routes;
