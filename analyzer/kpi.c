/* kpi: select, resolve each series to its entity, fold. */
#include "analyzer/kpi.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KPI_NAMES      16
#define KPI_PLACES_MAX 16000000 /* series ids are dense: 64 MB at the most */

struct kpi_places {
    pthread_mutex_t mutex;
    uint64_t revision;
    uint32_t *at; /* series id -> topo_id + 2; 1: none; 0: not asked yet */
    size_t cap;
};

struct kpi_in {
    const struct topo *t;
    const struct metric_table *m;
    enum kpi_fold fold;
    unsigned *seen; /* series folded into each entity, for averages */
    struct kpi *out;
    struct kpi_places *places; /* locked while series are placed; NULL: none */
    const uint8_t *wanted;     /* by topo_id; NULL: all */
};

static double
kpi_fold(enum kpi_fold f, double have, double v, unsigned n)
{
    if (isnan(have))
        return v;
    switch (f) {
    case KPI_SUM:
        return have + v;
    case KPI_MIN:
        return v < have ? v : have;
    case KPI_MAX:
        return v > have ? v : have;
    case KPI_AVG:
        return have + (v - have) / (n + 1);
    case KPI_LAST:
        break;
    }
    return v;
}

/* Increase a second over the row's samples, resets counted from zero. */
static double
kpi_rate(const struct series_row *r)
{
    double sum = 0;
    const struct sample *a = NULL, *b = NULL;
    for (size_t i = 0; i < r->count; i++) {
        if (sample_is_stale(r->samples[i].v))
            continue;
        if (b)
            sum += r->samples[i].v >= b->v ? r->samples[i].v - b->v : r->samples[i].v;
        a = a ? a : &r->samples[i];
        b = &r->samples[i];
    }
    return a && b->t_ms > a->t_ms ? sum * 1000 / (double)(b->t_ms - a->t_ms) : NAN;
}

struct kpi_places *
kpi_places_new(void)
{
    struct kpi_places *p = calloc(1, sizeof *p);
    if (p)
        pthread_mutex_init(&p->mutex, NULL);
    return p;
}

void
kpi_places_free(struct kpi_places *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->mutex);
    free(p->at);
    free(p);
}

/* Locks, and forgets what was of an older plan; NULL where it holds a newer one. */
static struct kpi_places *
kpi_places_take(struct kpi_places *p, const struct topo *t)
{
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->mutex);
    uint64_t revision = topo_plan_revision(t);
    if (p->revision > revision) {
        pthread_mutex_unlock(&p->mutex);
        return NULL;
    }
    if (p->revision < revision && p->cap)
        memset(p->at, 0, p->cap * sizeof *p->at);
    p->revision = revision;
    return p;
}

static uint32_t *
kpi_place(struct kpi_places *p, uint64_t id)
{
    if (!p || id >= KPI_PLACES_MAX)
        return NULL;
    if (id >= p->cap) {
        size_t cap = (size_t)id + (size_t)id / 2 + 1024;
        uint32_t *at = realloc(p->at, cap * sizeof *at);
        if (!at)
            return NULL;
        memset(at + p->cap, 0, (cap - p->cap) * sizeof *at);
        p->at = at;
        p->cap = cap;
    }
    return &p->at[id];
}

static topo_id
kpi_entity(struct kpi_in *in, const struct metric_row *row, const struct series_row *r)
{
    char entity[ENTITY_SIZE];
    uint32_t *place = kpi_place(in->places, r->id);
    if (place && *place)
        return *place == 1 ? TOPO_NONE : (topo_id)(*place - 2);
    topo_id id = topo_resolve(in->t, row, r->labels, entity) ? TOPO_NONE : topo_find(in->t, entity);
    if (place && (id == TOPO_NONE || id < topo_planned(in->t)))
        *place = id == TOPO_NONE ? 1 : id + 2;
    return id;
}

static void
kpi_row(struct kpi_in *in, const struct metric_row *row, const struct series_row *r)
{
    topo_id id = r->count ? kpi_entity(in, row, r) : TOPO_NONE;
    if (id == TOPO_NONE)
        return;
    double v = row->kind == METRIC_COUNTER ? kpi_rate(r) : r->samples[r->count - 1].v;
    if (isnan(v))
        return;
    in->out->known += isnan(in->out->at[id]) ? 1 : 0;
    in->out->at[id] = kpi_fold(in->fold, in->out->at[id], v * row->scale, in->seen[id]++);
    if (r->samples[r->count - 1].t_ms > in->out->t_ms[id])
        in->out->t_ms[id] = r->samples[r->count - 1].t_ms;
}

bool
kpi_place_wanted(struct kpi_places *places, const struct topo *t, const uint8_t *wanted,
                 uint64_t series)
{
    struct kpi_places *p = kpi_places_take(places, t);
    uint32_t place = p && series < p->cap ? p->at[series] : 0;
    if (p)
        pthread_mutex_unlock(&p->mutex);
    return place == 0 || (place != 1 && wanted[place - 2]);
}

topo_id
kpi_place_of(struct kpi_places *places, const struct topo *t, const struct metric_row *row,
             const struct series_row *r)
{
    struct kpi_in in = {.t = t, .places = kpi_places_take(places, t)};
    topo_id id = kpi_entity(&in, row, r);
    if (in.places)
        pthread_mutex_unlock(&in.places->mutex);
    return id;
}

/* A series is left out when its place is known, and nobody asks for what is there. */
static bool
kpi_wants(void *ctx, uint64_t series)
{
    const struct kpi_in *in = ctx;
    return kpi_place_wanted(in->places, in->t, in->wanted, series);
}

static int
kpi_name(struct store *s, struct kpi_in *in, const char *name, int64_t at_ms, struct err *err)
{
    const struct metric_row *row = metric_find(in->m, name, strlen(name));
    struct matcher match = {MATCH_EQ, "__name__", name};
    struct series_set set;
    struct select_limits lim = {.want = in->places && in->wanted ? kpi_wants : NULL,
                                .want_ctx = in};
    int rc = row->kind == METRIC_COUNTER
                 ? store_select(s, &match, 1, at_ms - KPI_LOOKBACK_MS, at_ms, &lim, &set, err)
                 : store_latest(s, &match, 1, at_ms, KPI_LOOKBACK_MS, &lim, &set, err);
    if (rc)
        return rc;
    struct kpi_places *places = in->places;
    in->places = kpi_places_take(places, in->t);
    for (size_t i = 0; i < set.count; i++)
        kpi_row(in, row, &set.rows[i]);
    if (in->places)
        pthread_mutex_unlock(&in->places->mutex);
    in->places = places;
    series_set_done(&set);
    return 0;
}

int
kpi_read(struct store *s, const struct metric_table *m, const struct topo *t,
         enum metric_meaning meaning, enum kpi_fold fold, int64_t at_ms, struct kpi *ret,
         struct err *err)
{
    return kpi_read_with(s, m, t, NULL, meaning, fold, at_ms, ret, err);
}

int
kpi_read_with(struct store *s, const struct metric_table *m, const struct topo *t,
              struct kpi_places *places, enum metric_meaning meaning, enum kpi_fold fold,
              int64_t at_ms, struct kpi *ret, struct err *err)
{
    return kpi_read_scope(s, m, t, places, NULL, meaning, fold, at_ms, ret, err);
}

int
kpi_read_scope(struct store *s, const struct metric_table *m, const struct topo *t,
               struct kpi_places *places, const uint8_t *in_scope, enum metric_meaning meaning,
               enum kpi_fold fold, int64_t at_ms, struct kpi *ret, struct err *err)
{
    const char *names[KPI_NAMES];
    size_t n = metric_names_of(m, meaning, names, KPI_NAMES), count = topo_count(t);
    struct kpi k = {.count = count,
                    .at = malloc((count + 1) * sizeof *k.at),
                    .t_ms = calloc(count + 1, sizeof *k.t_ms),
                    .unit = metric_meaning_row(meaning)->unit};
    struct kpi_in in = {t, m, fold, calloc(count + 1, sizeof *in.seen), &k, places, in_scope};
    int rc = k.at && k.t_ms && in.seen
                 ? 0
                 : err_set(err, ERR_NOMEM, "no memory for %zu entities", count);
    for (size_t i = 0; !rc && i < count; i++)
        k.at[i] = NAN;
    for (size_t i = 0; !rc && i < (n < KPI_NAMES ? n : KPI_NAMES); i++)
        rc = kpi_name(s, &in, names[i], at_ms, err);
    free(in.seen);
    if (rc)
        kpi_done(&k);
    else
        *ret = k;
    return rc;
}

void
kpi_done(struct kpi *k)
{
    free(k->at);
    free(k->t_ms);
    *k = (struct kpi){0};
}
