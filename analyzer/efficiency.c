/* efficiency: columns of the present and of a week ago, laid upon a job or the fleet. Load: asked
 * by a person; a column of 18,432 GPUs is tens of milliseconds. Always true: what is not known is
 * NaN, which is null outside. */
#include "analyzer/efficiency.h"

#include "analyzer/kpi.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/hostlist.h"
#include "base/str.h"
#include "store/topo.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EFFICIENCY_FLOPS   6.0 /* a parameter and token: 2 forward, 4 backward */
#define EFFICIENCY_DAY     86400000
#define EFFICIENCY_WEEK    (7 * (int64_t)EFFICIENCY_DAY)
#define EFFICIENCY_SIX_H   21600000
#define EFFICIENCY_FALL_DB 0.3   /* within a week: more than a module's readings wander */
#define EFFICIENCY_DARK    -25.0 /* dBm: no light any more, which is no trend */
#define EFFICIENCY_FLOOR   -10.5 /* dBm, where the module names no alarm */
#define EFFICIENCY_SOON    90.0  /* days */

/* Dense BF16, FLOP/s; makers' data sheets of the SXM or OAM part. Longer names stand first. */
static const struct {
    const char *model;
    double peak;
} efficiency_peaks[] = {
    {"GB200", 2.5e15},    {"B200", 2.25e15},    {"H200", 0.989e15},   {"H100", 0.989e15},
    {"H800", 0.989e15},   {"H20", 0.148e15},    {"A100", 0.312e15},   {"A800", 0.312e15},
    {"L40S", 0.362e15},   {"V100", 0.125e15},   {"A30", 0.165e15},    {"MI355X", 2.5e15},
    {"MI325X", 1.307e15}, {"MI300X", 1.307e15}, {"MI250X", 0.383e15},
};

double
efficiency_peak(const char *model)
{
    for (size_t i = 0; model && i < sizeof efficiency_peaks / sizeof *efficiency_peaks; i++)
        if (strcasestr(model, efficiency_peaks[i].model))
            return efficiency_peaks[i].peak;
    return 0;
}

double
efficiency_parameters(const char *text)
{
    static const struct {
        char unit;
        double scale;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'B', 1e9}, {'G', 1e9}, {'T', 1e12}};
    char *end;
    double v = text ? strtod(text, &end) : 0;
    if (!text || end == text || !(v > 0) || !isfinite(v))
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (toupper((unsigned char)*end) == units[i].unit)
            return v * units[i].scale;
    return *end ? 0 : v;
}

/* --- one job ---------------------------------------------------------------------------------- */

struct efficiency {
    struct store *store;
    const struct metric_table *metrics;
    const struct job *job;
    int64_t at_ms;
    struct topo *topo;
    uint8_t *in; /* its accelerators */
    size_t gpus;
    const char *model;
    double step, tokens, reported, checkpoint, power, tensor, parameters;
    int64_t checkpoint_ms;
};

static void
efficiency_gpus(struct efficiency *e)
{
    struct hostlist l;
    char entity[ENTITY_SIZE];
    if (hostlist_parse(e->job->nodes, &l, NULL))
        return;
    for (size_t i = 0; i < l.count; i++) {
        size_t n = 0;
        topo_id node = entity_format(entity, ENTITY_NODE, l.names[i], NULL)
                           ? TOPO_NONE
                           : topo_find(e->topo, entity);
        const struct topo_edge *edges = node == TOPO_NONE ? NULL : topo_edges(e->topo, node, &n);
        for (size_t k = 0; k < n; k++)
            if (topo_kind(e->topo, edges[k].to) == ENTITY_GPU) {
                e->in[edges[k].to] = 1;
                e->gpus++;
                e->model = topo_attr(e->topo, edges[k].to, "model");
            }
        if (e->model && !*e->model)
            e->model = topo_attr(e->topo, node, "model");
    }
    hostlist_done(&l);
}

/* Newest value of the job's own series; NaN: none. changed: when it last took another value. */
static double
efficiency_own(const struct efficiency *e, enum metric_meaning m, int64_t back_ms,
               int64_t *ret_changed)
{
    const char *names[8];
    size_t n = metric_names_of(e->metrics, m, names, 8);
    double last = NAN;
    int64_t newest = 0, changed = 0;
    for (size_t i = 0; i < (n < 8 ? n : 8); i++) {
        struct matcher match[] = {{MATCH_EQ, "__name__", names[i]},
                                  {MATCH_EQ, "job_id", e->job->id}};
        struct select_limits lim = {.max_series = 10000, .max_samples = 2000000};
        struct series_set set;
        if (store_select(e->store, match, 2, e->at_ms - back_ms, e->at_ms, &lim, &set, NULL))
            continue;
        for (size_t k = 0; k < set.count; k++)
            for (size_t s = 0; s < set.rows[k].count; s++) {
                const struct sample *v = &set.rows[k].samples[s];
                bool first = !s || sample_is_stale(set.rows[k].samples[s - 1].v);
                if (sample_is_stale(v->v))
                    continue;
                if ((first || v->v != set.rows[k].samples[s - 1].v) && v->t_ms > changed)
                    changed = v->t_ms;
                if (v->t_ms >= newest) {
                    newest = v->t_ms;
                    last = v->v;
                }
            }
        series_set_done(&set);
    }
    if (ret_changed)
        *ret_changed = changed;
    return last;
}

static double
efficiency_column(const struct efficiency *e, enum metric_meaning m, bool mean)
{
    struct kpi k;
    double sum = 0;
    size_t n = 0;
    if (kpi_read_scope(e->store, e->metrics, e->topo, NULL, e->in, m, KPI_LAST, e->at_ms, &k, NULL))
        return NAN;
    for (topo_id id = 0; id < k.count; id++)
        if (e->in[id] && !isnan(k.at[id])) {
            sum += k.at[id];
            n++;
        }
    kpi_done(&k);
    /* the power of those that do not report is taken to be that of the others */
    return !n ? NAN : mean ? sum / (double)n : sum * (double)e->gpus / (double)n;
}

static void
efficiency_read(struct efficiency *e)
{
    struct doc *d = NULL;
    e->step = efficiency_own(e, METRIC_JOB_STEP, KPI_LOOKBACK_MS, NULL);
    e->tokens = efficiency_own(e, METRIC_JOB_TOKENS, KPI_LOOKBACK_MS, NULL);
    e->reported = efficiency_own(e, METRIC_JOB_MFU, KPI_LOOKBACK_MS, NULL);
    e->checkpoint = efficiency_own(e, METRIC_JOB_CHECKPOINT, EFFICIENCY_SIX_H, &e->checkpoint_ms);
    e->power = efficiency_column(e, METRIC_GPU_POWER, false);
    e->tensor = efficiency_column(e, METRIC_GPU_TENSOR_ACTIVE, true);
    if (!doc_parse_json(e->job->json, strlen(e->job->json), e->job->id, &d, NULL)) {
        const struct doc_node *p = doc_get(doc_get(doc_root(d), "labels"), "parameters");
        e->parameters = p && p->kind == DOC_STR ? efficiency_parameters(p->str) : doc_real(p, 0);
    }
    doc_free(d);
}

static void
efficiency_method(struct jsonw *w, const char *method, double mfu, const char *en, const char *zh)
{
    jsonw_object(w);
    jsonw_kstr(w, "method", method);
    jsonw_kreal(w, "mfu", mfu);
    jsonw_ktext(w, "how", en, zh);
    jsonw_end_object(w);
}

static void
efficiency_members(const struct efficiency *e, struct jsonw *w)
{
    double peak = efficiency_peak(e->model), all = peak * (double)e->gpus;
    double flops = e->parameters > 0 ? EFFICIENCY_FLOPS * e->parameters * e->tokens : NAN;
    double tokens = all > 0 ? flops / all : NAN;
    double mfu = !isnan(e->reported) ? e->reported : !isnan(tokens) ? tokens : e->tensor;
    double since = e->checkpoint_ms ? (double)(e->at_ms - e->checkpoint_ms) / 1000 : NAN;
    jsonw_kreal(w, "mfu", mfu);
    jsonw_kstr(w, "method",
               !isnan(e->reported) ? "reported"
               : !isnan(tokens)    ? "tokens"
               : !isnan(e->tensor) ? "tensor"
                                   : NULL);
    jsonw_key(w, "methods");
    jsonw_array(w);
    efficiency_method(w, "reported", e->reported, "as the job reports it", "作业自身上报");
    efficiency_method(
        w, "tokens", tokens,
        "6 x parameters x tokens/s / (accelerators x peak FLOP/s); parameters from "
        "the job's label",
        "6 × 参数量 × 每秒 token 数 /(加速卡数 × 峰值算力);参数量取自作业标签 parameters");
    efficiency_method(w, "tensor", e->tensor, "mean activity of the tensor cores, an upper bound",
                      "Tensor 核平均活跃比,为上限值");
    jsonw_end_array(w);
    jsonw_kint(w, "accelerators", (int64_t)e->gpus);
    jsonw_kstr(w, "model", e->model && *e->model ? e->model : NULL);
    jsonw_kreal(w, "peak_flops", peak > 0 ? peak : NAN);
    jsonw_kreal(w, "power_watts", e->power);
    jsonw_kreal(w, "flops_per_watt", e->power > 0 && all > 0 ? mfu * all / e->power : NAN);
    jsonw_kreal(w, "tokens_per_joule", e->power > 0 ? e->tokens / e->power : NAN);
    jsonw_kreal(w, "step_seconds", e->step);
    jsonw_kreal(w, "checkpoint_seconds", e->checkpoint);
    jsonw_ktime(w, "last_checkpoint", e->checkpoint_ms);
    jsonw_kreal(w, "steps_at_risk", e->step > 0 ? floor(since / e->step) : NAN);
}

int
efficiency_write(struct store *s, const struct metric_table *metrics, const struct job *j,
                 int64_t at_ms, struct jsonw *w, struct err *err)
{
    struct efficiency e = {
        .store = s, .metrics = metrics, .job = j, .at_ms = at_ms, .topo = topo_get(s), .model = ""};
    e.in = calloc(topo_count(e.topo) + 1, 1);
    if (!e.in) {
        topo_put(e.topo);
        return err_set(err, ERR_NOMEM, "no memory");
    }
    efficiency_gpus(&e);
    efficiency_read(&e);
    efficiency_members(&e, w);
    free(e.in);
    topo_put(e.topo);
    return 0;
}

/* --- watch lists ------------------------------------------------------------------------------ */

struct efficiency_risk {
    topo_id id;
    const char *en, *zh, *unit;
    double value, before, limit, days;
};
struct efficiency_risks {
    struct efficiency_risk *at;
    size_t count, cap;
};

static void
efficiency_risk_add(struct efficiency_risks *r, const struct efficiency_risk *risk)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct efficiency_risk *at = realloc(r->at, cap * sizeof *at);
        if (!at)
            return;
        r->at = at;
        r->cap = cap;
    }
    r->at[r->count++] = *risk;
}

/* Received power that falls: days until the module's own alarm, by the week's slope. */
static void
efficiency_optics(const struct topo *t, const struct kpi *now, const struct kpi *before,
                  const struct kpi *alarm, struct efficiency_risks *out)
{
    for (topo_id id = 0; id < now->count; id++) {
        double fall = before->at[id] - now->at[id];
        double limit = isnan(alarm->at[id]) ? EFFICIENCY_FLOOR : alarm->at[id];
        double days = (now->at[id] - limit) / (fall / 7);
        if (topo_kind(t, id) != ENTITY_OPTIC || isnan(fall) || fall < EFFICIENCY_FALL_DB ||
            now->at[id] < EFFICIENCY_DARK || days > EFFICIENCY_SOON)
            continue;
        struct efficiency_risk r = {id,
                                    "received power falls towards its alarm",
                                    "接收光功率正向告警门限下降",
                                    "dBm",
                                    now->at[id],
                                    before->at[id],
                                    limit,
                                    days > 0 ? days : 0};
        efficiency_risk_add(out, &r);
    }
}

/* Counts as they stand, by topo_id; a kpi column would give their rate. NULL: no memory. */
static double *
efficiency_counts(struct store *s, const struct metric_table *m, const struct topo *t,
                  enum metric_meaning meaning, int64_t at_ms)
{
    const char *names[8];
    size_t n = metric_names_of(m, meaning, names, 8), all = topo_count(t);
    double *v = malloc((all + 1) * sizeof *v);
    for (size_t i = 0; v && i < all; i++)
        v[i] = NAN;
    for (size_t i = 0; v && i < (n < 8 ? n : 8); i++) {
        const struct metric_row *row = metric_find(m, names[i], strlen(names[i]));
        struct matcher match = {MATCH_EQ, "__name__", names[i]};
        struct select_limits lim = {0};
        struct series_set set;
        if (store_latest(s, &match, 1, at_ms, KPI_LOOKBACK_MS, &lim, &set, NULL))
            continue;
        for (size_t k = 0; k < set.count; k++) {
            topo_id id = set.rows[k].count ? kpi_place_of(NULL, t, row, &set.rows[k]) : TOPO_NONE;
            if (id != TOPO_NONE)
                v[id] = set.rows[k].samples[0].v;
        }
        series_set_done(&set);
    }
    return v;
}

/* What a GPU had a week ago and nobody recorded is not growth. */
static void
efficiency_memory(const struct topo *t, const double *now, const double *before,
                  struct efficiency_risks *out)
{
    for (topo_id id = 0; now && before && id < topo_count(t); id++) {
        if (topo_kind(t, id) != ENTITY_GPU || isnan(now[id]) || isnan(before[id]) ||
            now[id] < before[id] + 1)
            continue;
        struct efficiency_risk r = {id,
                                    "rows of its memory were remapped this week",
                                    "本周有显存行被重映射",
                                    "",
                                    now[id],
                                    before[id],
                                    NAN,
                                    NAN};
        efficiency_risk_add(out, &r);
    }
}

static int
efficiency_risk_order(const void *a, const void *b)
{
    const struct efficiency_risk *x = a, *y = b;
    double p = isnan(x->days) ? 30 / (x->value + 1) : x->days,
           q = isnan(y->days) ? 30 / (y->value + 1) : y->days;
    return p < q ? -1 : p > q ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

static void
efficiency_risk_write(const struct topo *t, const struct efficiency_risk *r, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "entity", topo_name(t, r->id));
    jsonw_kstr(w, "kind", entity_kind_row(topo_kind(t, r->id))->word);
    jsonw_ktext(w, "what", r->en, r->zh);
    jsonw_kreal(w, "value", r->value);
    jsonw_kreal(w, "before", r->before);
    jsonw_kreal(w, "limit", r->limit);
    jsonw_kstr(w, "unit", r->unit);
    jsonw_kreal(w, "days_left", r->days);
    jsonw_end_object(w);
}

int
efficiency_watch(struct store *s, const struct metric_table *metrics, int64_t now_ms, size_t limit,
                 struct jsonw *w, struct err *err)
{
    static const struct {
        enum metric_meaning meaning;
        enum kpi_fold fold;
        bool past;
    } columns[] = {{METRIC_OPTIC_RX_POWER, KPI_MIN, false},
                   {METRIC_OPTIC_RX_POWER, KPI_MIN, true},
                   {METRIC_OPTIC_RX_POWER_LOW_ALARM, KPI_MAX, false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    struct kpi k[COLUMNS] = {0};
    struct topo *t = topo_get(s);
    struct efficiency_risks risks = {0};
    int rc = 0;
    for (size_t i = 0; !rc && i < COLUMNS; i++)
        rc = kpi_read(s, metrics, t, columns[i].meaning, columns[i].fold,
                      columns[i].past ? now_ms - EFFICIENCY_WEEK : now_ms, &k[i], err);
    if (!rc) {
        efficiency_optics(t, &k[0], &k[1], &k[2], &risks);
        double *now = efficiency_counts(s, metrics, t, METRIC_GPU_ROW_REMAP, now_ms);
        double *past =
            efficiency_counts(s, metrics, t, METRIC_GPU_ROW_REMAP, now_ms - EFFICIENCY_WEEK);
        efficiency_memory(t, now, past, &risks);
        free(now);
        free(past);
        if (risks.count)
            qsort(risks.at, risks.count, sizeof *risks.at, efficiency_risk_order);
        for (size_t i = 0; i < risks.count && i < limit; i++)
            efficiency_risk_write(t, &risks.at[i], w);
    }
    for (size_t i = 0; i < COLUMNS; i++)
        kpi_done(&k[i]);
    free(risks.at);
    topo_put(t);
    return rc;
}
