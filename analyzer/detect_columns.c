/* detect_columns: reads the newest sample of each series of a meaning, once a turn, and folds it
 * onto the subject it describes. Which subject a series describes is asked of the topology once per
 * series and remembered.
 *
 * Load: 18,432 GPUs have two and a half million series; a read costs a hash look-up a series. */
#include "analyzer/detect_priv.h"

#include <stdlib.h>
#include <string.h>

#define DETECT_NAMES    48
#define DETECT_SUBJECTS 4000000

/* --- subjects --------------------------------------------------------------------------------- */

uint32_t
detect_subject_find(const struct detectors *d, const char *entity)
{
    uintptr_t i = (uintptr_t)map_get(d->names, entity, strlen(entity));
    return i ? (uint32_t)(i - 1) : DETECT_NONE;
}

/* The node or switch that a part belongs to. */
static void
detect_owner(struct detectors *d, const char *entity, struct detect_subject *s)
{
    char owner[ENTITY_SIZE];
    s->owner = DETECT_NONE;
    if (!strchr(entity, '/') || entity_kind_of(entity) == ENTITY_RANK ||
        entity_owner(owner, entity, false))
        return;
    if (entity_kind_of(owner) == ENTITY_NODE && topo_find(d->topo, owner) == TOPO_NONE) {
        char other[ENTITY_SIZE];
        if (!entity_owner(other, entity, true) && topo_find(d->topo, other) != TOPO_NONE)
            memcpy(owner, other, sizeof owner);
    }
    s->owner_kind = entity_kind_of(owner);
    s->owner = detect_subject_of(d, owner);
}

uint32_t
detect_subject_of(struct detectors *d, const char *entity)
{
    uint32_t found = detect_subject_find(d, entity);
    enum entity_kind kind = entity_kind_of(entity);
    struct detect_kind *k = &d->kinds[kind];
    struct detect_subject s = {.id = TOPO_NONE, .memory = {NAN, NAN}};
    if (found != DETECT_NONE || kind == ENTITY_NONE || k->count >= DETECT_SUBJECTS)
        return found;
    if (k->count == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 64;
        struct detect_subject *p = realloc(k->at, cap * sizeof *p);
        if (!p)
            return DETECT_NONE;
        k->at = p;
        k->cap = cap;
    }
    detect_owner(d, entity, &s);
    if (!(s.name = strdup(entity)) ||
        map_set(d->names, entity, strlen(entity), (void *)(uintptr_t)(k->count + 1), NULL)) {
        free(s.name);
        return DETECT_NONE;
    }
    k->at[k->count] = s;
    return (uint32_t)k->count++;
}

topo_id
detect_topo(struct detectors *d, enum entity_kind k, uint32_t s)
{
    struct detect_subject *u = &d->kinds[k].at[s];
    uint64_t revision = topo_revision(d->topo) + 1;
    if (u->revision != revision) {
        u->id = topo_find(d->topo, u->name);
        u->revision = revision;
    }
    return u->id;
}

/* --- being seen ------------------------------------------------------------------------------- */

static void
detect_seen(struct detectors *d, enum entity_kind kind, uint32_t i, int64_t t_ms)
{
    struct detect_subject *s = &d->kinds[kind].at[i];
    int64_t gap = t_ms - s->seen_ms;
    if (gap <= 0)
        return;
    if (s->seen_ms && gap >= 1000 && gap < 120000)
        s->gap_ms = s->gap_ms ? (s->gap_ms * 4 + gap) / 5 : gap;
    s->seen_ms = t_ms;
    presence_seen(d->presence, s->name, t_ms);
    if (s->owner != DETECT_NONE)
        detect_seen(d, s->owner_kind, s->owner, t_ms);
}

/* --- columns ---------------------------------------------------------------------------------- */

enum detect_fold { DETECT_LAST, DETECT_MIN, DETECT_MAX, DETECT_ABS };

static enum detect_fold
detect_fold_of(enum metric_meaning m)
{
    switch (m) {
    case METRIC_OPTIC_RX_POWER:
    case METRIC_OPTIC_TX_POWER:
    case METRIC_NIC_STATE:
    case METRIC_NIC_PHYSICAL:
    case METRIC_PORT_OPER:
    case METRIC_CDU_FLOW:
    case METRIC_PDU_FEED:
    case METRIC_NODE_TIME_SYNC:
    case METRIC_GPU_PCIE_WIDTH:
    case METRIC_GPU_PCIE_GEN:
        return DETECT_MIN;
    case METRIC_NODE_TIME_OFFSET:
        return DETECT_ABS;
    default:
        return DETECT_MAX;
    }
}

static double
detect_folded(enum detect_fold f, double have, double v)
{
    if (isnan(have))
        return v;
    if (f == DETECT_ABS)
        return fabs(v) > fabs(have) ? v : have;
    return (f == DETECT_MIN) == (v < have) ? v : have;
}

/* Several counters that tell of the same happenings are not added. */
static bool
detect_same_counts(enum metric_meaning m)
{
    return m == METRIC_NIC_LINK_DOWN || m == METRIC_NIC_RETRANSMITS;
}

static int
detect_column_reserve(struct detect_column *c, size_t n)
{
    if (n <= c->cap)
        return 0;
    size_t cap = c->cap ? c->cap : 64;
    while (cap < n)
        cap *= 2;
    double *v = realloc(c->v, cap * sizeof *v);
    c->v = v ? v : c->v;
    double *grew = realloc(c->grew, cap * sizeof *grew);
    c->grew = grew ? grew : c->grew;
    double *rate = realloc(c->rate, cap * sizeof *rate);
    c->rate = rate ? rate : c->rate;
    int64_t *t = realloc(c->t_ms, cap * sizeof *t);
    c->t_ms = t ? t : c->t_ms;
    bool *fresh = realloc(c->fresh, cap * sizeof *fresh);
    c->fresh = fresh ? fresh : c->fresh;
    if (!v || !grew || !rate || !t || !fresh)
        return ERR_NOMEM;
    c->cap = cap;
    return 0;
}

static int
detect_column_extend(struct detect_column *c, size_t n)
{
    if (detect_column_reserve(c, n))
        return ERR_NOMEM;
    for (; c->count < n; c->count++) {
        c->v[c->count] = c->rate[c->count] = NAN;
        c->grew[c->count] = 0;
        c->t_ms[c->count] = 0;
        c->fresh[c->count] = false;
    }
    return 0;
}

static int
detect_source_grow(struct detect_source *s)
{
    size_t cap = s->cells ? (s->mask + 1) * 2 : 64;
    struct detect_cell *cells = calloc(cap, sizeof *cells);
    if (!cells)
        return ERR_NOMEM;
    for (size_t i = 0; s->cells && i <= s->mask; i++) {
        size_t at = (size_t)(s->cells[i].id * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);
        while (s->cells[i].id && cells[at].id)
            at = (at + 1) & (cap - 1);
        if (s->cells[i].id)
            cells[at] = s->cells[i];
    }
    free(s->cells);
    s->cells = cells;
    s->mask = cap - 1;
    return 0;
}

static struct detect_cell *
detect_source_cell(struct detectors *d, struct detect_source *s, const struct series_row *r,
                   enum entity_kind kind)
{
    char entity[ENTITY_SIZE];
    uint64_t id = r->id + 1;
    if ((!s->cells || s->count * 2 > s->mask) && detect_source_grow(s))
        return NULL;
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & s->mask;
    while (s->cells[at].id && s->cells[at].id != id)
        at = (at + 1) & s->mask;
    struct detect_cell *c = &s->cells[at];
    if (c->id)
        return c;
    int rc = topo_resolve(d->topo, s->row, r->labels, entity);
    uint32_t subject = (rc && rc != ERR_NOTFOUND) || entity_kind_of(entity) != kind
                           ? DETECT_NONE
                           : detect_subject_of(d, entity);
    if (rc == ERR_NOTFOUND && subject != DETECT_NONE && topo_find(d->topo, entity) == TOPO_NONE)
        topo_discovered(d->cfg->store, entity, "series");
    *c = (struct detect_cell){.id = id, .subject = subject, .v = NAN};
    s->count++;
    return c;
}

static void
detect_column_take(struct detectors *d, struct detect_column *c, enum metric_meaning m,
                   struct detect_source *s, const struct series_row *r)
{
    struct detect_cell *cell = r->count ? detect_source_cell(d, s, r, c->kind) : NULL;
    if (!cell || cell->subject == DETECT_NONE || detect_column_extend(c, cell->subject + 1))
        return;
    uint32_t i = cell->subject;
    const struct sample *p = &r->samples[r->count - 1];
    double v = p->v * s->row->scale;
    if (isnan(v) || v < s->row->min || v > s->row->max)
        return; /* out of range: the observer is at fault */
    c->v[i] = detect_folded(detect_fold_of(m), c->v[i], v);
    c->t_ms[i] = p->t_ms > c->t_ms[i] ? p->t_ms : c->t_ms[i];
    if (p->t_ms <= cell->t_ms)
        return;
    if (!isnan(cell->v) && v > cell->v && p->t_ms > cell->t_ms) {
        double more = v - cell->v;
        c->grew[i] = detect_same_counts(m) ? fmax(c->grew[i], more) : c->grew[i] + more;
    }
    if (!isnan(cell->v) && s->row->kind == METRIC_COUNTER) {
        double rate = v >= cell->v ? (v - cell->v) * 1000 / (double)(p->t_ms - cell->t_ms) : 0;
        c->rate[i] = isnan(c->rate[i]) ? rate : c->rate[i] + rate;
    }
    c->fresh[i] = true;
    cell->t_ms = p->t_ms;
    cell->v = v;
    if (m != METRIC_NODE_UP || v > 0)
        detect_seen(d, c->kind, i, p->t_ms);
}

static void
detect_column_sources(struct detectors *d, struct detect_column *c, enum metric_meaning m)
{
    const char *names[DETECT_NAMES];
    size_t n = metric_names_of(d->cfg->metrics, m, names, DETECT_NAMES);
    n = n < DETECT_NAMES ? n : DETECT_NAMES;
    c->known = true;
    c->kind = metric_meaning_row(m)->entity;
    c->sources = calloc(n + 1, sizeof *c->sources);
    for (size_t i = 0; c->sources && i < n; i++)
        c->sources[c->source_count++].row =
            metric_find(d->cfg->metrics, names[i], strlen(names[i]));
}

const struct detect_column *
detect_read(struct detectors *d, enum metric_meaning m)
{
    struct detect_column *c = &d->columns[m];
    struct err err;
    if (!c->known)
        detect_column_sources(d, c, m);
    if (c->read_ms == d->now_ms)
        return c;
    c->read_ms = d->now_ms;
    c->count = 0;
    if (detect_column_extend(c, d->kinds[c->kind].count))
        return c;
    for (size_t i = 0; i < c->source_count; i++) {
        struct matcher match = {MATCH_EQ, "__name__", c->sources[i].row->name};
        struct series_set set;
        if (store_latest(d->cfg->store, &match, 1, d->now_ms, DETECT_LOOKBACK_MS, NULL, &set, &err))
            continue;
        for (size_t k = 0; k < set.count; k++)
            detect_column_take(d, c, m, &c->sources[i], &set.rows[k]);
        series_set_done(&set);
    }
    return c;
}

/* What modules say of themselves does not change: read again when there are new ones, else every
 * five minutes. */
const struct detect_column *
detect_read_limits(struct detectors *d, enum metric_meaning m)
{
    const struct detect_column *c = &d->columns[m];
    bool all = c->known && c->count == d->kinds[c->kind].count;
    if (c->known && d->now_ms >= c->read_ms && d->now_ms - c->read_ms < (all ? 300000 : 15000))
        return c;
    return detect_read(d, m);
}

void
detect_columns_done(struct detectors *d)
{
    for (size_t m = 0; m < METRIC_MEANING_COUNT; m++) {
        struct detect_column *c = &d->columns[m];
        for (size_t i = 0; i < c->source_count; i++)
            free(c->sources[i].cells);
        free(c->sources);
        free(c->v);
        free(c->grew);
        free(c->rate);
        free(c->t_ms);
        free(c->fresh);
    }
    for (size_t k = 0; k < ENTITY_KINDS; k++) {
        for (size_t i = 0; i < d->kinds[k].count; i++)
            free(d->kinds[k].at[i].name);
        free(d->kinds[k].at);
    }
}
