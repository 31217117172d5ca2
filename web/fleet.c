/* fleet: every accelerator of the site on one screen: GET /api/v1/fleet/topology and GET
 * /api/v1/fleet, as columns.
 *
 * 18,432 accelerators are 18 KB of states and 100 KB of values. No cell allocates: names are
 * written from the topology, numbers straight into the answer. */
#include "web/measures.h"
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include "base/map.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column of words as indexes into the list of the different ones, in order of appearance. */
struct fleet_words {
    const char **words;
    int32_t *at;
    struct map *index;
    size_t count;
};

static int
fleet_words_init(struct fleet_words *f, size_t n)
{
    f->words = calloc(n + 1, sizeof *f->words);
    f->at = calloc(n + 1, sizeof *f->at);
    f->index = map_new(n + 1);
    f->count = 0;
    return f->words && f->at && f->index ? 0 : ERR_NOMEM;
}

static void
fleet_words_done(struct fleet_words *f)
{
    free(f->words);
    free(f->at);
    map_free(f->index, NULL);
}

static int32_t
fleet_word(struct fleet_words *f, const char *word)
{
    if (!word || !*word)
        return -1;
    uintptr_t have = (uintptr_t)map_get(f->index, word, strlen(word));
    if (!have) {
        f->words[f->count++] = word;
        have = f->count;
        if (map_set(f->index, word, strlen(word), (void *)have, NULL))
            return -1;
    }
    return (int32_t)have - 1;
}

static void
fleet_words_write(struct jsonw *w, const char *key, const struct fleet_words *f)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (size_t i = 0; i < f->count; i++)
        jsonw_str(w, f->words[i]);
    jsonw_end_array(w);
}

static void
fleet_column_write(struct jsonw *w, const char *key, const int32_t *at, size_t n)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        jsonw_int(w, at[i]);
    jsonw_end_array(w);
}

/* The rows an identity sees: indexes into the fleet; returns their count. */
static size_t
fleet_rows(struct view *v, const struct view_fleet *f, const char *tenant, uint32_t *out)
{
    const uint8_t *mask = view_mask(v, tenant);
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!tenant || !*tenant || (mask && mask[f->nodes[i]]))
            out[n++] = (uint32_t)i;
    return n;
}

/* --- topology --------------------------------------------------------------------------------- */

enum fleet_column {
    FLEET_CLUSTER,
    FLEET_RACK,
    FLEET_POD,
    FLEET_MODEL,
    FLEET_VENDOR,
    FLEET_COLUMNS
};
static const struct {
    const char *one, *many;
} fleet_columns[FLEET_COLUMNS] = {{"cluster", "clusters"},
                                  {"rack", "racks"},
                                  {"pod", "pods"},
                                  {"model", "models"},
                                  {"vendor", "vendors"}};

static const char *
fleet_attr(const struct topo *t, const struct view_fleet *f, size_t row, enum fleet_column c)
{
    topo_id node = f->nodes[row],
            gpu = f->first[row] < f->first[row + 1] ? f->gpus[f->first[row]] : node;
    if (c == FLEET_CLUSTER)
        return f->clusters[row] == TOPO_NONE ? "" : view_plain(t, f->clusters[row]);
    if (c == FLEET_RACK)
        return topo_attr(t, node, "rack");
    if (c == FLEET_POD)
        return topo_attr(t, node, "group");
    const char *name = c == FLEET_MODEL ? "model" : "vendor", *value = topo_attr(t, gpu, name);
    return *value ? value : topo_attr(t, node, name);
}

static void
fleet_topology_write(struct jsonw *w, const struct topo *t, const struct view_fleet *f,
                     const uint32_t *rows, size_t n, struct fleet_words *words)
{
    jsonw_object(w);
    jsonw_kint(w, "revision", (int64_t)topo_revision(t));
    jsonw_key(w, "nodes");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, view_plain(t, f->nodes[rows[i]]));
    jsonw_end_array(w);
    jsonw_key(w, "gpus");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        jsonw_int(w, f->first[rows[i] + 1] - f->first[rows[i]]);
    jsonw_end_array(w);
    for (int c = 0; c < FLEET_COLUMNS; c++) {
        for (size_t i = 0; i < n; i++)
            words[c].at[i] = fleet_word(&words[c], fleet_attr(t, f, rows[i], (enum fleet_column)c));
        fleet_words_write(w, fleet_columns[c].many, &words[c]);
    }
    for (int c = 0; c < FLEET_COLUMNS; c++)
        fleet_column_write(w, fleet_columns[c].one, words[c].at, n);
    jsonw_end_object(w);
}

static int
fleet_topology_answer(const struct httpd_request *req, struct httpd_response *resp, struct view *v)
{
    const struct view_fleet *f = view_fleet(v);
    struct fleet_words words[FLEET_COLUMNS] = {0};
    uint32_t *rows = f ? calloc(f->count + 1, sizeof *rows) : NULL;
    int rc = rows ? 0 : ERR_NOMEM;
    for (int c = 0; !rc && c < FLEET_COLUMNS; c++)
        rc = fleet_words_init(&words[c], f->count);
    if (!rc) {
        struct jsonw w;
        jsonw_init(&w, &resp->body);
        fleet_topology_write(&w, v->topo, f, rows, fleet_rows(v, f, req->who.tenant, rows), words);
    }
    for (int c = 0; c < FLEET_COLUMNS; c++)
        fleet_words_done(&words[c]);
    free(rows);
    return rc;
}

/* What a tenant sees is another answer than what all see: its tag says so. */
static int
fleet_topology(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct view *v;
    struct err err = {0};
    int64_t at;
    char tag[64];
    const char *tenant = req->who.tenant, *have = httpd_header(req, "If-None-Match");
    int rc = web_time(req, "at", 0, &at, &err);
    if (!rc)
        rc = view_get(web->views, at, &v, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    if (*tenant)
        snprintf(tag, sizeof tag, "\"%llu.%llx\"", (unsigned long long)topo_revision(v->topo),
                 (unsigned long long)map_hash(tenant, strlen(tenant)));
    else
        snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)topo_revision(v->topo));
    httpd_reply_header(resp, "ETag", tag);
    httpd_reply_header(resp, "Cache-Control", "private, no-cache");
    if (have && strstr(have, tag))
        resp->status = 304;
    else
        rc = fleet_topology_answer(req, resp, v);
    view_put(v);
    return rc;
}

/* --- states and values ------------------------------------------------------------------------ */

static const char fleet_digits[] = {[HEALTH_OK] = '0',
                                    [HEALTH_MINOR] = '1',
                                    [HEALTH_MAJOR] = '2',
                                    [HEALTH_CRITICAL] = '3',
                                    [HEALTH_UNKNOWN] = '4'};

static void
fleet_states(struct jsonw *w, const struct view_fleet *f, const struct health_map *h,
             const uint32_t *rows, size_t n, char *text)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t g = f->first[rows[i]]; g < f->first[rows[i] + 1]; g++)
            text[len++] = fleet_digits[health_of(h, f->gpus[g])];
    jsonw_key(w, "states");
    jsonw_strn(w, text, len);
    for (size_t i = 0; i < n; i++)
        text[i] = fleet_digits[health_of(h, f->nodes[rows[i]])];
    jsonw_key(w, "node_states");
    jsonw_strn(w, text, n);
}

/* Numbers are given to four significant digits: what a colour or a tooltip shows, in a third of the
 * bytes. */
static void
fleet_value(struct jsonw *w, double v)
{
    char text[32];
    if (isnan(v) || isinf(v)) {
        jsonw_null(w);
        return;
    }
    int n = snprintf(text, sizeof text, "%.4g", v);
    jsonw_raw(w, text, (size_t)n);
}

static void
fleet_values(struct jsonw *w, const struct view_fleet *f, const struct kpi *k, bool of_node,
             double scale, const uint32_t *rows, size_t n)
{
    jsonw_key(w, "values");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        for (uint32_t g = f->first[rows[i]]; g < f->first[rows[i] + 1]; g++)
            fleet_value(w, k ? k->at[of_node ? f->nodes[rows[i]] : f->gpus[g]] * scale : NAN);
    jsonw_end_array(w);
}

static int
fleet_jobs(struct jsonw *w, struct view *v, const struct view_fleet *f, const char *tenant,
           const uint32_t *rows, size_t n)
{
    const struct topo_job *jobs;
    size_t count = topo_jobs(v->topo, &jobs), shown = 0;
    int32_t *of = malloc((topo_count(v->topo) + 1) * sizeof *of),
            *at = malloc((n + 1) * sizeof *at);
    if (!of || !at) {
        free(of);
        free(at);
        return ERR_NOMEM;
    }
    memset(of, 0xff, (topo_count(v->topo) + 1) * sizeof *of);
    jsonw_key(w, "jobs");
    jsonw_array(w);
    for (size_t j = 0; j < count; j++) {
        if (*tenant && (!jobs[j].tenant || strcmp(jobs[j].tenant, tenant) != 0))
            continue;
        jsonw_str(w, jobs[j].id);
        for (size_t k = 0; k < jobs[j].node_count; k++)
            of[jobs[j].nodes[k]] = (int32_t)shown;
        shown++;
    }
    jsonw_end_array(w);
    for (size_t i = 0; i < n; i++)
        at[i] = of[f->nodes[rows[i]]];
    fleet_column_write(w, "job", at, n);
    free(of);
    free(at);
    return 0;
}

static int
fleet_write(const struct httpd_request *req, struct httpd_response *resp, const struct web *web,
            struct view *v, const char *name, const struct measure *m)
{
    struct err err = {0};
    const struct view_fleet *f = view_fleet(v);
    const struct health_map *h = view_health(v, &err);
    uint32_t *rows = f ? calloc(f->count + 1, sizeof *rows) : NULL;
    char *text = f ? malloc(f->gpu_count + f->count + 1) : NULL;
    struct jsonw w;
    double scale = 1;
    int rc = rows && text ? h ? 0 : web_fail(resp, err.code, &err) : ERR_NOMEM;
    if (rc || !h || !rows || !text)
        goto out;
    size_t n = fleet_rows(v, f, req->who.tenant, rows);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kint(&w, "revision", (int64_t)topo_revision(v->topo));
    jsonw_ktime(&w, "at", v->at_ms);
    jsonw_kstr(&w, "measure", name);
    jsonw_kstr(&w, "unit", m ? measure_unit(web->cfg.metrics, m->meaning, &scale) : "");
    fleet_states(&w, f, h, rows, n, text);
    if (m) {
        fleet_values(&w, f, view_column(v, m->meaning, m->fold),
                     metric_meaning_row(m->meaning)->entity == ENTITY_NODE, scale, rows, n);
    } else {
        jsonw_key(&w, "values");
        jsonw_null(&w);
    }
    rc = fleet_jobs(&w, v, f, req->who.tenant, rows, n);
    jsonw_end_object(&w);
out:
    free(rows);
    free(text);
    return rc;
}

static int
fleet_read(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct view *v;
    struct err err = {0};
    int64_t at;
    const char *name = httpd_query(req, "measure");
    name = name && *name ? name : "health";
    const struct measure *m = measure_find(name);
    if (strcmp(name, "health") != 0 && (!m || !measure_fleet(m)))
        return httpd_reply_fail(resp, 400, "range",
                                "measure: '%.60s' is none of the fleet map; see /api/v1/measures",
                                name);
    int rc = web_time(req, "at", 0, &at, &err);
    if (!rc)
        rc = view_get(web->views, at, &v, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    rc = fleet_write(req, resp, web, v, name, m);
    view_put(v);
    return rc;
}

const struct route fleet_routes[] = {
    {"GET", "/api/v1/fleet/topology", ROLE_VIEWER, fleet_topology,
     .query = "at=instant of the past",
     .help = "Nodes and their accelerators as columns, in the order of the fleet map; ETag by "
             "topology revision."},
    {"GET", "/api/v1/fleet", ROLE_VIEWER, fleet_read,
     .query = "measure=health or a name of /api/v1/measures; at=instant of the past",
     .help = "State, and one value, of every accelerator, in the order of the fleet's topology."},
};
const size_t fleet_route_count = sizeof fleet_routes / sizeof *fleet_routes;
