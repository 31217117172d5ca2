/* analysis: any measure by job, model, rack, leaf, pod, vendor, tenant, node or time, with outliers
 * and a second period.
 *
 * A group's statistics are over the means of its entities; in by=time over the entities' values of
 * each bucket. An outlier stands 3.5 robust deviations or more off the median of its group, or of
 * all where the group has fewer than five. */
#include "web/analysis_data.h"
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ANALYSIS_HOUR     3600000
#define ANALYSIS_GROUPS   500
#define ANALYSIS_OUTLIERS 50
#define ANALYSIS_FAR      3.5
#define ANALYSIS_PEERS    5

enum analysis_by {
    BY_JOB,
    BY_MODEL,
    BY_RACK,
    BY_LEAF,
    BY_POD,
    BY_VENDOR,
    BY_TENANT,
    BY_NODE,
    BY_TIME,
    ANALYSIS_BYS
};
static const char *const analysis_words[] = {"job",    "model",  "rack", "leaf", "pod",
                                             "vendor", "tenant", "node", "time", NULL};
static const enum entity_kind analysis_kinds[ANALYSIS_BYS] = {[BY_JOB] = ENTITY_JOB,
                                                              [BY_RACK] = ENTITY_RACK,
                                                              [BY_LEAF] = ENTITY_SWITCH,
                                                              [BY_TENANT] = ENTITY_TENANT,
                                                              [BY_NODE] = ENTITY_NODE};

struct analysis_row {
    const char *key;
    size_t place;
    double value, previous;
};
struct analysis_outlier {
    topo_id id;
    const char *group;
    double value, expected, deviations;
};

struct analysis {
    struct web *web;
    struct view *v;
    const struct measure *measure;
    enum analysis_by by;
    int64_t from, to, compare; /* compare 0: none */
    const char *filter;
    const struct topo_job **job_of; /* by topo_id, of nodes */
    uint8_t *wanted;                /* by place */
    size_t wanted_count;
    struct analysis_data now, before;
    struct analysis_row *rows;
    size_t row_count;
    struct analysis_outlier outliers[ANALYSIS_OUTLIERS + 1];
    size_t outlier_count;
    double *values, *scratch;
};

/* --- keys ------------------------------------------------------------------------------------- */

static const char *
analysis_attr(const struct topo *t, topo_id id, topo_id owner, const char *name)
{
    const char *own = topo_attr(t, id, name);
    return *own || owner == TOPO_NONE ? own : topo_attr(t, owner, name);
}

static const char *
analysis_key(const struct analysis *a, topo_id id, enum analysis_by by)
{
    const struct topo *t = a->v->topo;
    enum entity_kind k = topo_kind(t, id);
    topo_id owner = view_owner(t, id), leaf;
    const struct topo_job *j = k == ENTITY_JOB      ? topo_job_find(t, view_plain(t, id))
                               : owner == TOPO_NONE ? NULL
                                                    : a->job_of[owner];
    switch (by) {
    case BY_JOB:
        return j ? j->id : "";
    case BY_TENANT:
        return j && j->tenant ? j->tenant : "";
    case BY_MODEL:
        return analysis_attr(t, id, owner, "model");
    case BY_VENDOR:
        return analysis_attr(t, id, owner, "vendor");
    case BY_RACK:
        return k == ENTITY_RACK ? view_plain(t, id) : analysis_attr(t, id, owner, "rack");
    case BY_POD:
        return owner == TOPO_NONE ? "" : topo_attr(t, owner, "group");
    case BY_NODE:
        return owner == TOPO_NONE ? "" : view_plain(t, owner);
    case BY_LEAF:
        leaf = view_leaf(t, id);
        return leaf == TOPO_NONE ? "" : view_plain(t, leaf);
    default:
        return "";
    }
}

static bool
analysis_fits(const struct analysis *a, topo_id id)
{
    const struct topo *t = a->v->topo;
    topo_id f = topo_find(t, a->filter), owner = view_owner(t, id);
    const char *plain = strchr(a->filter, ':') + 1;
    if (f != TOPO_NONE && (f == id || f == owner))
        return true;
    switch (entity_kind_of(a->filter)) {
    case ENTITY_JOB:
        return !strcmp(analysis_key(a, id, BY_JOB), plain);
    case ENTITY_TENANT:
        return !strcmp(analysis_key(a, id, BY_TENANT), plain);
    case ENTITY_RACK:
        return !strcmp(analysis_key(a, id, BY_RACK), plain);
    case ENTITY_SWITCH:
        return !strcmp(analysis_key(a, id, BY_LEAF), plain);
    case ENTITY_CLUSTER:
        return f != TOPO_NONE && view_cluster_of(t, id) == f;
    default:
        return false;
    }
}

static int
analysis_prepare(struct analysis *a, const char *tenant)
{
    const struct topo_job *jobs;
    size_t n = topo_jobs(a->v->topo, &jobs), count;
    const uint8_t *mask = view_mask(a->v, tenant);
    const topo_id *ids =
        topo_of_kind(a->v->topo, metric_meaning_row(a->measure->meaning)->entity, &count);
    a->job_of = calloc(topo_count(a->v->topo) + 1, sizeof *a->job_of);
    a->wanted = calloc(count + 1, 1);
    a->rows = calloc(count + 1, sizeof *a->rows);
    a->values = malloc((count + ANALYSIS_GROUPS + 1) * sizeof *a->values);
    a->scratch = malloc((count + ANALYSIS_GROUPS + 1) * sizeof *a->scratch);
    if (!a->job_of || !a->wanted || !a->rows || !a->values || !a->scratch || (*tenant && !mask))
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < jobs[i].node_count; k++)
            a->job_of[jobs[i].nodes[k]] = &jobs[i];
    for (size_t i = 0; i < count; i++) {
        a->wanted[i] = (!mask || mask[ids[i]]) && (!*a->filter || analysis_fits(a, ids[i]));
        a->wanted_count += a->wanted[i];
    }
    return 0;
}

/* --- statistics ------------------------------------------------------------------------------- */

/* `sorted` ascending; n 0 gives nulls. */
static void
analysis_stats(struct jsonw *w, const double *sorted, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += sorted[i];
    jsonw_kint(w, "count", (int64_t)n);
    jsonw_kreal(w, "avg", n ? sum / (double)n : NAN);
    jsonw_kreal(w, "min", n ? sorted[0] : NAN);
    jsonw_kreal(w, "p50", n ? analysis_percentile(sorted, n, 0.5) : NAN);
    jsonw_kreal(w, "p95", n ? analysis_percentile(sorted, n, 0.95) : NAN);
    jsonw_kreal(w, "max", n ? sorted[n - 1] : NAN);
}

static void
analysis_previous(struct jsonw *w, const struct analysis *a, double *sorted, size_t n)
{
    jsonw_key(w, "previous");
    if (!a->compare) {
        jsonw_null(w);
        return;
    }
    analysis_sort(sorted, n);
    jsonw_object(w);
    analysis_stats(w, sorted, n);
    jsonw_end_object(w);
}

static int
analysis_row_order(const void *x, const void *y)
{
    const struct analysis_row *a = x, *b = y;
    int c = strcmp(a->key, b->key);
    return c ? c : a->value < b->value ? -1 : a->value > b->value;
}

/* Keeps the farthest, ordered. */
static void
analysis_far(struct analysis *a, topo_id id, const char *group, double value, double median,
             double sigma)
{
    struct analysis_outlier o = {id, group, value, median, (value - median) / sigma};
    size_t i = a->outlier_count;
    if (!(fabs(o.deviations) >= ANALYSIS_FAR))
        return;
    while (i && fabs(a->outliers[i - 1].deviations) < fabs(o.deviations)) {
        a->outliers[i] = a->outliers[i - 1];
        i--;
    }
    if (i < ANALYSIS_OUTLIERS) {
        a->outliers[i] = o;
        a->outlier_count += a->outlier_count < ANALYSIS_OUTLIERS;
    }
}

/* Rows of one group, first to first + n, ascending: their outliers, by their own median or that of
 * all. */
static void
analysis_group_outliers(struct analysis *a, size_t first, size_t n, double median, double sigma)
{
    const struct analysis_row *r = a->rows + first;
    for (size_t i = 0; i < n; i++)
        a->values[i] = r[i].value;
    if (n >= ANALYSIS_PEERS)
        analysis_robust(a->values, n, a->scratch, &median, &sigma);
    for (size_t i = 0; i < n; i++)
        analysis_far(a, a->now.ids[r[i].place], r[i].key, r[i].value, median, sigma);
}

static size_t
analysis_group_end(const struct analysis *a, size_t first)
{
    size_t end = first;
    while (end < a->row_count && !strcmp(a->rows[end].key, a->rows[first].key))
        end++;
    return end;
}

/* --- groups ----------------------------------------------------------------------------------- */

static void
analysis_group(struct jsonw *w, struct analysis *a, size_t first, size_t n, double median,
               double sigma, bool judged)
{
    const struct analysis_row *r = a->rows + first;
    char entity[ENTITY_SIZE];
    size_t before = 0;
    for (size_t i = 0; i < n; i++)
        a->values[i] = r[i].value;
    jsonw_object(w);
    jsonw_kstr(w, "key", r->key);
    bool named =
        analysis_kinds[a->by] && !entity_format(entity, analysis_kinds[a->by], r->key, NULL);
    if (named && a->by == BY_NODE && topo_find(a->v->topo, entity) == TOPO_NONE)
        named = !entity_format(entity, ENTITY_SWITCH, r->key, NULL);
    jsonw_kstr(w, "entity", named ? entity : NULL);
    analysis_stats(w, a->values, n);
    jsonw_kbool(w, "outlier",
                judged &&
                    fabs(analysis_percentile(a->values, n, 0.5) - median) / sigma >= ANALYSIS_FAR);
    for (size_t i = 0; i < n; i++)
        if (!isnan(r[i].previous))
            a->values[before++] = r[i].previous;
    analysis_previous(w, a, a->values, before);
    jsonw_end_object(w);
}

/* Median and deviation of the groups' medians; false when there are too few to judge by. */
static bool
analysis_between(struct analysis *a, double *ret_median, double *ret_sigma)
{
    double *medians = malloc((a->row_count + 1) * sizeof *medians);
    size_t groups = 0;
    for (size_t i = 0, end; medians && i < a->row_count; i = end) {
        end = analysis_group_end(a, i);
        for (size_t k = i; k < end; k++)
            a->values[k - i] = a->rows[k].value;
        medians[groups++] = analysis_percentile(a->values, end - i, 0.5);
    }
    bool enough = groups >= ANALYSIS_PEERS;
    if (enough) {
        analysis_sort(medians, groups);
        analysis_robust(medians, groups, a->scratch, ret_median, ret_sigma);
    }
    free(medians);
    return enough;
}

static void
analysis_rows(struct analysis *a)
{
    for (size_t i = 0; i < a->now.count; i++) {
        const char *key = a->by == BY_TIME ? "" : analysis_key(a, a->now.ids[i], a->by);
        if (a->wanted[i] && !isnan(a->now.mean[i]) && (*key || a->by == BY_TIME))
            a->rows[a->row_count++] =
                (struct analysis_row){key, i, a->now.mean[i], a->compare ? a->before.mean[i] : NAN};
    }
    if (a->row_count)
        qsort(a->rows, a->row_count, sizeof *a->rows, analysis_row_order);
}

static void
analysis_groups(struct jsonw *w, struct analysis *a)
{
    double median = 0, sigma = 1, all_median = 0, all_sigma = 1;
    size_t groups = 0;
    for (size_t i = 0; i < a->row_count; i++)
        a->values[i] = a->rows[i].value;
    analysis_sort(a->values, a->row_count);
    if (a->row_count)
        analysis_robust(a->values, a->row_count, a->scratch, &all_median, &all_sigma);
    bool judged = analysis_between(a, &median, &sigma);
    for (size_t i = 0, end; i < a->row_count; i = end) {
        end = analysis_group_end(a, i);
        if (groups++ < ANALYSIS_GROUPS && a->by != BY_TIME)
            analysis_group(w, a, i, end - i, median, sigma, judged);
        analysis_group_outliers(a, i, end - i, all_median, all_sigma);
    }
}

static size_t
analysis_bucket(const struct analysis *a, const struct analysis_data *d, size_t slot, double *out)
{
    size_t n = 0;
    for (size_t i = 0; slot < d->slots && i < d->count; i++)
        if (a->wanted[i] && !isnan(d->at[i * d->slots + slot]))
            out[n++] = (double)d->at[i * d->slots + slot];
    analysis_sort(out, n);
    return n;
}

static void
analysis_buckets(struct jsonw *w, struct analysis *a)
{
    char key[TIME_TEXT_SIZE];
    for (size_t k = 0; k < a->now.slots; k++) {
        size_t n = analysis_bucket(a, &a->now, k, a->values);
        jsonw_object(w);
        jsonw_kstr(w, "key", time_format(a->now.from_ms + (int64_t)k * a->now.width_ms, key));
        jsonw_kstr(w, "entity", NULL);
        analysis_stats(w, a->values, n);
        jsonw_kbool(w, "outlier", false);
        analysis_previous(w, a, a->values,
                          a->compare ? analysis_bucket(a, &a->before, k, a->values) : 0);
        jsonw_end_object(w);
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

static void
analysis_write(struct jsonw *w, struct analysis *a, const char *name)
{
    double scale;
    jsonw_object(w);
    jsonw_kstr(w, "measure", name);
    jsonw_kstr(w, "unit", measure_unit(a->web->cfg.metrics, a->measure->meaning, &scale));
    jsonw_kstr(w, "by", analysis_words[a->by]);
    jsonw_ktime(w, "start", a->from);
    jsonw_ktime(w, "end", a->to);
    jsonw_kreal(w, "coverage",
                a->wanted_count ? (double)a->now.known / (double)(a->wanted_count * a->now.slots)
                                : NAN);
    jsonw_key(w, "groups");
    jsonw_array(w);
    analysis_rows(a);
    analysis_groups(w, a);
    if (a->by == BY_TIME)
        analysis_buckets(w, a);
    jsonw_end_array(w);
    jsonw_key(w, "outliers");
    jsonw_array(w);
    for (size_t i = 0; i < a->outlier_count; i++) {
        const struct analysis_outlier *o = &a->outliers[i];
        jsonw_object(w);
        jsonw_kstr(w, "entity", topo_name(a->v->topo, o->id));
        jsonw_kstr(w, "group", o->group);
        jsonw_kreal(w, "value", o->value);
        jsonw_kreal(w, "expected", o->expected);
        jsonw_kreal(w, "deviations", o->deviations);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static int
analysis_parse(struct analysis *a, const struct httpd_request *req, int64_t now, struct err *err)
{
    const char *name = httpd_query(req, "measure"), *by = httpd_query(req, "by"),
               *filter = httpd_query(req, "filter");
    int b = 0;
    a->measure = measure_find(name ? name : "");
    while (analysis_words[b] && strcmp(analysis_words[b], by ? by : "rack") != 0)
        b++;
    a->by = (enum analysis_by)b;
    a->filter = filter ? filter : "";
    if (!a->measure)
        return err_set(err, ERR_RANGE, "measure: '%.60s' is none; see /api/v1/measures",
                       name ? name : "");
    if (!analysis_words[b])
        return err_set(err, ERR_RANGE,
                       "by: job, model, rack, leaf, pod, vendor, tenant, node or time, not '%.60s'",
                       by);
    if (*a->filter && !entity_ok(a->filter))
        return err_set(err, ERR_SYNTAX,
                       "filter: an entity such as job:4711 or rack:r001 is needed");
    int rc = web_time(req, "end", now, &a->to, err);
    if (!rc)
        rc = web_time(req, "start", a->to - ANALYSIS_HOUR, &a->from, err);
    if (!rc)
        rc = web_time(req, "compare_start", 0, &a->compare, err);
    if (!rc && a->to - a->from < 15000)
        rc = err_set(err, ERR_RANGE, "start: must be 15 seconds before end at the least");
    return rc;
}

static int
analysis_read(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    int64_t now = web_now(web);
    struct analysis *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->web = web;
    int rc = analysis_parse(a, req, now, &err);
    if (!rc)
        rc = view_get(web->views, now - a->to < 60000 ? 0 : a->to, &a->v, &err);
    if (!rc)
        rc = analysis_prepare(a, req->who.tenant);
    if (!rc)
        rc = analysis_data_read(web->cfg.store, web->cfg.metrics, a->v->topo, a->measure, a->from,
                                a->to, a->wanted, &a->now, &err);
    if (!rc && a->compare)
        rc =
            analysis_data_read(web->cfg.store, web->cfg.metrics, a->v->topo, a->measure, a->compare,
                               a->compare + (a->to - a->from), a->wanted, &a->before, &err);
    if (!rc) {
        jsonw_init(&w, &resp->body);
        analysis_write(&w, a, httpd_query(req, "measure"));
    }
    analysis_data_done(&a->now);
    analysis_data_done(&a->before);
    view_put(a->v);
    free(a->job_of);
    free(a->wanted);
    free(a->rows);
    free(a->values);
    free(a->scratch);
    free(a);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route analysis_routes[] = {
    {"GET", "/api/v1/analysis", ROLE_VIEWER, analysis_read,
     .query = "measure=name of /api/v1/measures; by=job, model, rack, leaf, pod, vendor, tenant, "
              "node, time; start=; end=; compare_start=; filter=entity",
     .help = "A measure over a period, by group or over time: distribution, outliers, a second "
             "period beside it."},
};
const size_t analysis_route_count = sizeof analysis_routes / sizeof *analysis_routes;
