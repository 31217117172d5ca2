/* job_item: values of a job are means and sums over its accelerators and adapters, from columns the
 * view holds. */
#include "web/job_item.h"

#include "base/hostlist.h"
#include "base/map.h"
#include "store/jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JOB_ITEM_HOUR 3600000
#define JOB_ITEM_PAST 20000 /* pairs (job, incident) */

enum job_item_over { JOB_ITEM_OWN, JOB_ITEM_MEAN, JOB_ITEM_SUM };

/* better: whether more is better (1), less is better (-1), or neither (0): judged against the hour
 * before. */
static const struct {
    const char *key, *unit;
    enum metric_meaning meaning;
    enum kpi_fold fold;
    enum entity_kind kind;
    enum job_item_over over;
    int better;
    bool previous;
} job_item_kpis[] = {
    {"step_seconds", "seconds", METRIC_JOB_STEP, KPI_AVG, ENTITY_JOB, JOB_ITEM_OWN, -1, true},
    {"mfu", "ratio", METRIC_JOB_MFU, KPI_AVG, ENTITY_JOB, JOB_ITEM_OWN, 1, true},
    {"tokens_per_second", "per_second", METRIC_JOB_TOKENS, KPI_AVG, ENTITY_JOB, JOB_ITEM_OWN, 1,
     true},
    {"checkpoint_seconds", "seconds", METRIC_JOB_CHECKPOINT, KPI_AVG, ENTITY_JOB, JOB_ITEM_OWN, -1,
     true},
    {"gpu_util", "percent", METRIC_GPU_UTIL, KPI_LAST, ENTITY_GPU, JOB_ITEM_MEAN, 1, true},
    {"gpu_power", "watts", METRIC_GPU_POWER, KPI_LAST, ENTITY_GPU, JOB_ITEM_MEAN, 0, true},
    {"power", "watts", METRIC_JOB_POWER, KPI_LAST, ENTITY_JOB, JOB_ITEM_OWN, 0, true},
    {"nic_throughput", "bytes_per_second", METRIC_NIC_TX_BYTES, KPI_MAX, ENTITY_NIC, JOB_ITEM_SUM,
     0, false},
    {"retransmits", "per_second", METRIC_NIC_RETRANSMITS, KPI_SUM, ENTITY_NIC, JOB_ITEM_SUM, 0,
     false},
    {"pfc_pause", "per_second", METRIC_NIC_PFC_RX, KPI_SUM, ENTITY_NIC, JOB_ITEM_SUM, 0, false},
};

/* --- begin and end ---------------------------------------------------------------------------- */

static int
job_item_past(void *ctx, const struct catalog_doc *c)
{
    struct job_item_view *iv = ctx;
    struct doc *d = NULL;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *jobs = doc_get(doc_root(d), "jobs");
    const char *incident = jobs && jobs->first ? arena_str(iv->arena, c->id, strlen(c->id)) : NULL;
    for (const struct doc_node *j = incident ? jobs->first : NULL;
         j && iv->past_count < iv->past_cap; j = j->next) {
        const char *job = arena_str(iv->arena, doc_str(j, ""), strlen(doc_str(j, "")));
        if (job)
            iv->past[iv->past_count++] = (struct job_item_past){job, incident};
    }
    doc_free(d);
    return 0;
}

int
job_item_begin(struct web *web, int64_t at_ms, int64_t past_from_ms, struct job_item_view *ret,
               struct err *err)
{
    struct job_item_view iv = {.store = web->cfg.store};
    int rc = view_get(web->views, at_ms, &iv.v, err);
    if (rc)
        return rc;
    int64_t hour = (iv.v->at_ms - JOB_ITEM_HOUR) / 60000 *
                   60000; /* the same for a minute: the cache holds it */
    if (view_get(web->views, hour, &iv.before, NULL))
        iv.before = NULL;
    if (past_from_ms && (iv.arena = arena_new((size_t)16 << 20)) &&
        (iv.past = arena_alloc(iv.arena, JOB_ITEM_PAST * sizeof *iv.past))) {
        struct catalog_query q = {
            .kind = "incident", .from_ms = past_from_ms, .to_ms = iv.v->at_ms + 1, .limit = 1000};
        iv.past_cap = JOB_ITEM_PAST;
        catalog_list(iv.store, &q, job_item_past, &iv, NULL, NULL);
    }
    *ret = iv;
    return 0;
}

void
job_item_end(struct job_item_view *iv)
{
    view_put(iv->v);
    view_put(iv->before);
    arena_free(iv->arena);
    memset(iv, 0, sizeof *iv);
}

/* --- values ----------------------------------------------------------------------------------- */

static double
job_item_over_parts(const struct topo *t, const struct topo_job *j, const struct kpi *k,
                    enum entity_kind kind, bool mean)
{
    double sum = 0;
    size_t n = 0, edges;
    for (size_t i = 0; i < j->node_count; i++) {
        const struct topo_edge *e = topo_edges(t, j->nodes[i], &edges);
        for (size_t x = 0; x < edges; x++)
            if (topo_kind(t, e[x].to) == kind && !isnan(k->at[e[x].to])) {
                sum += k->at[e[x].to];
                n++;
            }
    }
    return !n ? NAN : mean ? sum / (double)n : sum;
}

static double
job_item_value(struct view *v, const char *id, size_t row)
{
    char entity[ENTITY_SIZE];
    const struct topo_job *j = v ? topo_job_find(v->topo, id) : NULL;
    const struct kpi *k =
        j ? view_column(v, job_item_kpis[row].meaning, job_item_kpis[row].fold) : NULL;
    if (!k)
        return NAN;
    if (job_item_kpis[row].over != JOB_ITEM_OWN)
        return job_item_over_parts(v->topo, j, k, job_item_kpis[row].kind,
                                   job_item_kpis[row].over == JOB_ITEM_MEAN);
    topo_id job =
        entity_format(entity, ENTITY_JOB, id, NULL) ? TOPO_NONE : topo_find(v->topo, entity);
    return job == TOPO_NONE ? NAN : k->at[job];
}

/* A tenth worse than an hour ago is nothing, a quarter is minor, beyond a third major. */
static enum health
job_item_judge(double value, double previous, int better)
{
    double worse = better > 0 ? previous - value : value - previous;
    double share = fabs(previous) > 0 ? worse / fabs(previous) : 0;
    return share > 1.0 / 3 ? HEALTH_MAJOR : share > 0.1 ? HEALTH_MINOR : HEALTH_OK;
}

void
job_item_kpi(struct jsonw *w, struct job_item_view *iv, const char *id)
{
    jsonw_object(w);
    for (size_t i = 0; i < sizeof job_item_kpis / sizeof *job_item_kpis; i++) {
        double value = job_item_value(iv->v, id, i);
        if (isnan(value))
            continue;
        double previous = job_item_kpis[i].previous ? job_item_value(iv->before, id, i) : NAN;
        jsonw_key(w, job_item_kpis[i].key);
        jsonw_object(w);
        jsonw_kreal(w, "value", value);
        jsonw_kstr(w, "unit", job_item_kpis[i].unit);
        if (!isnan(previous))
            jsonw_kreal(w, "previous", previous);
        if (!isnan(previous) && job_item_kpis[i].better)
            jsonw_kstr(w, "health",
                       health_word(job_item_judge(value, previous, job_item_kpis[i].better)));
        jsonw_end_object(w);
    }
    jsonw_end_object(w);
}

enum health
job_item_health(struct job_item_view *iv, const char *id, const char *state, double *ret_score)
{
    const struct view_job *j = view_job_find(iv->v, id);
    *ret_score = j ? j->score : NAN;
    if (j)
        return j->health;
    int s = job_state_find(state);
    return s == JOB_COMPLETED                                          ? HEALTH_OK
           : s == JOB_FAILED || s == JOB_NODE_FAIL || s == JOB_TIMEOUT ? HEALTH_CRITICAL
                                                                       : HEALTH_UNKNOWN;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
job_item_incidents(struct jsonw *w, struct job_item_view *iv, const char *id)
{
    const struct view_incident *open;
    size_t n = view_incidents(iv->v, &open);
    jsonw_key(w, "incidents");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < open[i].job_count; k++)
            if (!strcmp(open[i].jobs[k], id)) {
                jsonw_str(w, open[i].id);
                break;
            }
    for (size_t i = 0; i < iv->past_count; i++) {
        bool open_too = false;
        if (strcmp(iv->past[i].job, id) != 0)
            continue;
        for (size_t k = 0; k < n; k++)
            open_too |= !strcmp(open[k].id, iv->past[i].incident);
        if (!open_too)
            jsonw_str(w, iv->past[i].incident);
    }
    jsonw_end_array(w);
}

static int64_t
job_item_nodes(struct job_item_view *iv, const char *id, const char *nodes)
{
    const struct topo_job *j = topo_job_find(iv->v->topo, id);
    struct hostlist l;
    if (j && j->node_count)
        return (int64_t)j->node_count;
    if (hostlist_parse(nodes, &l, NULL))
        return 0;
    int64_t n = (int64_t)l.count;
    hostlist_done(&l);
    return n;
}

int
job_item_write(struct jsonw *w, struct job_item_view *iv, const char *json, size_t len)
{
    static const char *const ours[] = {"node_count", "health", "score", "incidents", "kpi"};
    struct doc *d = NULL;
    double score;
    if (doc_parse_json(json, len, "job", &d, NULL))
        return ERR_CORRUPT;
    const struct doc_node *n = doc_root(d);
    const char *id = doc_get_str(n, "id", "");
    jsonw_object(w);
    for (const struct doc_node *m = n->first; m; m = m->next) {
        size_t i = 0;
        while (i < sizeof ours / sizeof *ours && strcmp(ours[i], m->key) != 0)
            i++;
        if (i < sizeof ours / sizeof *ours)
            continue;
        jsonw_key(w, m->key);
        web_copy_node(w, m);
    }
    if (!doc_get(n, "labels")) {
        jsonw_key(w, "labels");
        jsonw_object(w);
        jsonw_end_object(w);
    }
    enum health h = job_item_health(iv, id, doc_get_str(n, "state", ""), &score);
    jsonw_kint(w, "node_count", job_item_nodes(iv, id, doc_get_str(n, "nodes", "")));
    jsonw_kstr(w, "health", health_word(h));
    jsonw_kreal(w, "score", score);
    job_item_incidents(w, iv, id);
    jsonw_key(w, "kpi");
    job_item_kpi(w, iv, id);
    jsonw_end_object(w);
    doc_free(d);
    return 0;
}
