/* analysis_data: reads series window by window, resolves each once, folds them into cells. */
#include "web/analysis_data.h"

#include "base/clock.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ANALYSIS_WHOLE_MS    7200000
#define ANALYSIS_WINDOW_MS   120000
#define ANALYSIS_SLOT_MIN_MS 30000
#define ANALYSIS_DEADLINE_US 25000000
#define ANALYSIS_SERIES      4000000
#define ANALYSIS_NAMES       16

struct analysis_in {
    struct store *store;
    const struct topo *topo;
    const struct metric_row *row;
    const struct measure *measure;
    const uint8_t *wanted;
    struct map *places; /* series id -> place + 2; 1: none of ours */
    uint32_t *place;    /* topo_id -> place, UINT32_MAX */
    uint16_t *folded;   /* series in each cell, for means */
    double scale;
    struct analysis_data *d;
};

static uint32_t
analysis_place(struct analysis_in *in, const struct series_row *r)
{
    char entity[ENTITY_SIZE];
    uintptr_t have = (uintptr_t)map_get(in->places, &r->id, sizeof r->id);
    if (!have) {
        topo_id id = topo_resolve(in->topo, in->row, r->labels, entity)
                         ? TOPO_NONE
                         : topo_find(in->topo, entity);
        uint32_t place = id == TOPO_NONE ? UINT32_MAX : in->place[id];
        have = place == UINT32_MAX || (in->wanted && !in->wanted[place]) ? 1 : (uintptr_t)place + 2;
        map_set(in->places, &r->id, sizeof r->id, (void *)have, NULL);
    }
    return have == 1 ? UINT32_MAX : (uint32_t)(have - 2);
}

static void
analysis_fold(struct analysis_in *in, uint32_t place, size_t slot, double v)
{
    size_t cell = place * in->d->slots + slot;
    float *have = &in->d->at[cell];
    if (isnan(v))
        return;
    if (isnan(*have) || in->measure->fold == KPI_LAST)
        *have = (float)v;
    else if (in->measure->fold == KPI_SUM)
        *have += (float)v;
    else if (in->measure->fold == KPI_MIN)
        *have = (float)fmin(*have, v);
    else if (in->measure->fold == KPI_MAX)
        *have = (float)fmax(*have, v);
    else
        *have += (float)((v - *have) / (in->folded[cell] + 1));
    in->folded[cell]++;
}

/* One series of one window: the mean of each slot, or the increase a second where it counts. */
static void
analysis_series(struct analysis_in *in, const struct series_row *r)
{
    uint32_t place = analysis_place(in, r);
    bool counter = in->row->kind == METRIC_COUNTER;
    size_t slot = SIZE_MAX;
    double sum = 0, weight = 0;
    const struct sample *before = NULL;
    if (place == UINT32_MAX)
        return;
    for (size_t i = 0; i < r->count; i++) {
        const struct sample *s = &r->samples[i];
        size_t at = (size_t)((s->t_ms - in->d->from_ms) / in->d->width_ms);
        if (s->t_ms < in->d->from_ms || at >= in->d->slots || isnan(s->v))
            continue;
        if (at != slot) {
            if (weight > 0)
                analysis_fold(in, place, slot, sum / weight * in->row->scale * in->scale);
            slot = at;
            sum = weight = 0;
        }
        if (!counter) {
            sum += s->v;
            weight += 1;
        } else if (before) {
            sum += s->v >= before->v ? s->v - before->v : s->v;
            weight += (double)(s->t_ms - before->t_ms) / 1000;
        }
        before = s;
    }
    if (weight > 0)
        analysis_fold(in, place, slot, sum / weight * in->row->scale * in->scale);
}

static int
analysis_window(struct analysis_in *in, int64_t from, int64_t to, int64_t deadline, struct err *err)
{
    struct matcher m = {MATCH_EQ, "__name__", in->row->name};
    struct select_limits lim = {.deadline_mono_us = deadline};
    struct series_set set;
    int rc = store_select(in->store, &m, 1, from, to, &lim, &set, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < set.count; i++)
        analysis_series(in, &set.rows[i]);
    series_set_done(&set);
    return 0;
}

static int
analysis_name(struct analysis_in *in, int64_t to_ms, int64_t deadline, struct err *err)
{
    struct analysis_data *d = in->d;
    int rc = 0;
    if (to_ms - d->from_ms <= ANALYSIS_WHOLE_MS)
        return analysis_window(in, d->from_ms, to_ms - 1, deadline, err);
    for (size_t i = 0; !rc && i < d->slots; i++) {
        /* The end of each slot, so that the newest is among them. */
        int64_t end = d->from_ms + (int64_t)(i + 1) * d->width_ms;
        end = end > to_ms ? to_ms : end;
        rc = analysis_window(
            in, end - (ANALYSIS_WINDOW_MS < d->width_ms ? ANALYSIS_WINDOW_MS : d->width_ms),
            end - 1, deadline, err);
    }
    return rc;
}

static int
analysis_data_init(struct analysis_data *d, const struct topo *t, struct analysis_in *in,
                   int64_t from_ms, int64_t to_ms)
{
    enum entity_kind kind = metric_meaning_row(in->measure->meaning)->entity;
    d->ids = topo_of_kind(t, kind, &d->count);
    d->from_ms = from_ms;
    d->slots = (size_t)((to_ms - from_ms) / ANALYSIS_SLOT_MIN_MS);
    d->slots = d->slots < 1 ? 1 : d->slots > ANALYSIS_SLOTS ? ANALYSIS_SLOTS : d->slots;
    d->width_ms = (to_ms - from_ms + (int64_t)d->slots - 1) / (int64_t)d->slots;
    size_t cells = d->count * d->slots;
    d->at = malloc((cells + 1) * sizeof *d->at);
    d->mean = malloc((d->count + 1) * sizeof *d->mean);
    in->folded = calloc(cells + 1, sizeof *in->folded);
    in->places = map_new(ANALYSIS_SERIES);
    in->place = malloc((topo_count(t) + 1) * sizeof *in->place);
    if (!d->at || !d->mean || !in->folded || !in->places || !in->place)
        return ERR_NOMEM;
    memset(in->place, 0xff, (topo_count(t) + 1) * sizeof *in->place);
    for (size_t i = 0; i < cells; i++)
        d->at[i] = NAN;
    for (size_t i = 0; i < d->count; i++)
        in->place[d->ids[i]] = (uint32_t)i;
    return 0;
}

static void
analysis_means(struct analysis_data *d, const uint8_t *wanted)
{
    for (size_t i = 0; i < d->count; i++) {
        double sum = 0;
        size_t n = 0;
        for (size_t k = 0; k < d->slots; k++)
            if (!isnan(d->at[i * d->slots + k])) {
                sum += (double)d->at[i * d->slots + k];
                n++;
            }
        d->mean[i] = n ? sum / (double)n : NAN;
        d->known += wanted && !wanted[i] ? 0 : n;
    }
}

int
analysis_data_read(struct store *s, const struct metric_table *m, const struct topo *t,
                   const struct measure *measure, int64_t from_ms, int64_t to_ms,
                   const uint8_t *wanted, struct analysis_data *ret, struct err *err)
{
    const char *names[ANALYSIS_NAMES];
    size_t n = metric_names_of(m, measure->meaning, names, ANALYSIS_NAMES);
    struct analysis_data d = {0};
    struct analysis_in in = {.store = s, .topo = t, .measure = measure, .wanted = wanted, .d = &d};
    int64_t deadline = clock_mono_us() + ANALYSIS_DEADLINE_US;
    measure_unit(m, measure->meaning, &in.scale);
    int rc = analysis_data_init(&d, t, &in, from_ms, to_ms);
    if (rc)
        err_set(err, rc, "no memory for the analysis");
    for (size_t i = 0; !rc && i < n && i < ANALYSIS_NAMES; i++) {
        in.row = metric_find(m, names[i], strlen(names[i]));
        rc = analysis_name(&in, to_ms, deadline, err);
    }
    free(in.folded);
    free(in.place);
    map_free(in.places, NULL);
    if (rc) {
        analysis_data_done(&d);
        return rc;
    }
    analysis_means(&d, wanted);
    *ret = d;
    return 0;
}

void
analysis_data_done(struct analysis_data *d)
{
    free(d->at);
    free(d->mean);
    memset(d, 0, sizeof *d);
}

/* --- statistics ------------------------------------------------------------------------------- */

static int
analysis_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void
analysis_sort(double *values, size_t n)
{
    if (n)
        qsort(values, n, sizeof *values, analysis_order);
}

double
analysis_percentile(const double *sorted, size_t n, double fraction)
{
    double rank = fraction * (double)(n - 1);
    size_t low = (size_t)rank;
    return low + 1 < n ? sorted[low] + (sorted[low + 1] - sorted[low]) * (rank - (double)low)
                       : sorted[n - 1];
}

void
analysis_robust(const double *sorted, size_t n, double *scratch, double *ret_median,
                double *ret_sigma)
{
    double median = analysis_percentile(sorted, n, 0.5);
    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(sorted[i] - median);
    analysis_sort(scratch, n);
    double sigma = 1.4826 * analysis_percentile(scratch, n, 0.5), least = fabs(median) / 100;
    *ret_median = median;
    *ret_sigma = sigma > least ? sigma : least > 0 ? least : 1e-9;
}
