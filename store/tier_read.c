/* tier_read: streams of a tier, row by row. The chunks stay held until the end; rows may be read by
 * several threads. */
#include "store/tier_read.h"

#include "store/series.h"
#include "store/store_priv.h"
#include "store/tier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIER_READ_SLOTS 4      /* kinds that a want needs at most */
#define TIER_READ_LEAST DAY_MS /* shorter ranges are quick from raw days */

static const struct tier_needs {
    int count;
    enum tier_kind kinds[TIER_READ_SLOTS]; /* TIER_LAST first */
} tier_needs[] = {
    [TIER_WANT_LAST] = {1, {TIER_LAST}},
    [TIER_WANT_MIN] = {2, {TIER_LAST, TIER_MIN}},
    [TIER_WANT_MAX] = {2, {TIER_LAST, TIER_MAX}},
    [TIER_WANT_SUM] = {2, {TIER_LAST, TIER_SUM}},
    [TIER_WANT_COUNT] = {2, {TIER_LAST, TIER_COUNT}},
    [TIER_WANT_AVG] = {3, {TIER_LAST, TIER_SUM, TIER_COUNT}},
    [TIER_WANT_RATE] = {4, {TIER_LAST, TIER_FIRST, TIER_COUNT, TIER_RESET}},
};

struct tier_piece {
    uint32_t next, place; /* next: + 1, 0: the end */
    const struct chunk_reader *reader;
};

struct tier_read {
    struct store *store;
    struct tier_plan plan;
    const struct tier_needs *needs;
    uint32_t *ids;
    const char **metrics; /* of each row; interned */
    size_t count;
    struct {
        uint32_t first, last; /* pieces, + 1 */
    } * chains;               /* rows x slots */
    uint32_t *sizes;          /* samples of each row, of all slots */
    size_t largest, total;
    struct tier_piece *pieces;
    size_t piece_count, piece_cap;
    struct chunk_held **held;
    size_t held_count, held_cap;
    int slot; /* being read */
    const char *metric;
};

/* --- may it ----------------------------------------------------------------------------------- */

static bool
tier_fits(const struct tier_ask *a, int64_t width)
{
    if (a->first_ms % width || (a->steps > 1 && a->step_ms % width))
        return false;
    if (!a->window_ms) /* the newest: a step must not need more than one a bucket */
        return a->steps > 1;
    return a->window_ms % width == 0 && (a->want != TIER_WANT_RATE || a->window_ms >= 2 * width);
}

bool
tier_choose(struct store *s, const struct tier_ask *a, struct tier_plan *ret)
{
    int64_t from = a->first_ms - a->back_ms,
            to = a->first_ms + (int64_t)(a->steps - 1) * a->step_ms;
    if (!s->tiers || s->remote || from < 0 || to - from < TIER_READ_LEAST)
        return false;
    for (int l = TIER_LEVELS - 1; l >= 0; l--) {
        int64_t width = tier_width(l);
        if (!tier_fits(a, width))
            continue;
        int64_t begin = from / width * width; /* the look-back of a selector is on no grid */
        int64_t until = tier_until(s->tiers, l, begin);
        if (until - begin < TIER_READ_LEAST)
            continue;
        *ret = (struct tier_plan){l, begin, until, a->want};
        return true;
    }
    return false;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int
tier_grow(void **at, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t n = *cap ? *cap * 2 : 64;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = n;
    return 0;
}

static int
tier_piece_add(struct tier_read *t, size_t row, const struct chunk_reader *r, size_t place)
{
    if (tier_grow((void **)&t->pieces, &t->piece_cap, t->piece_count, sizeof *t->pieces))
        return ERR_NOMEM;
    t->pieces[t->piece_count++] = (struct tier_piece){.place = (uint32_t)place, .reader = r};
    uint32_t *last = &t->chains[row * TIER_READ_SLOTS + (size_t)t->slot].last;
    if (*last)
        t->pieces[*last - 1].next = (uint32_t)t->piece_count;
    else
        t->chains[row * TIER_READ_SLOTS + (size_t)t->slot].first = (uint32_t)t->piece_count;
    *last = (uint32_t)t->piece_count;
    t->sizes[row] += (uint32_t)chunk_reader_count(r, place);
    return 0;
}

/* Rows and the chunk's series both ascend by id. */
static int
tier_chunk(void *ctx, struct chunk_held *h)
{
    struct tier_read *t = ctx;
    const struct chunk_reader *r = h->reader;
    size_t row = 0, before = t->piece_count;
    int rc = 0;
    for (size_t i = 0; !rc && i < chunk_reader_series(r); i++) {
        uint64_t id = chunk_reader_id(r, i);
        while (row < t->count && t->ids[row] < id)
            row++;
        if (row < t->count && t->ids[row] == id && t->metrics[row] == t->metric)
            rc = tier_piece_add(t, row, r, i);
    }
    if (rc || t->piece_count == before ||
        (rc = tier_grow((void **)&t->held, &t->held_cap, t->held_count, sizeof *t->held))) {
        t->piece_count = before; /* on an error all is thrown away */
        chunk_held_drop(h);
        return rc;
    }
    t->held[t->held_count++] = h;
    return 0;
}

static void
tier_names(struct tier_read *t)
{
    struct index *ix = t->store->index;
    pthread_rwlock_rdlock(&ix->lock);
    for (size_t i = 0; i < t->count; i++)
        t->metrics[i] = series_metric(ix, series_at(ix, t->ids[i]));
    pthread_rwlock_unlock(&ix->lock);
}

/* One metric's chunks of all kinds that are needed. */
static int
tier_metric(struct tier_read *t, uint64_t low, uint64_t high, struct err *err)
{
    char name[LABEL_VALUE_MAX + 2];
    int rc = 0;
    for (t->slot = 0; !rc && t->slot < t->needs->count; t->slot++) {
        struct days_chunk_query q = {.metric = name,
                                     .from_ms = t->plan.from_ms - 1,
                                     .to_ms = t->plan.until_ms,
                                     .low = low,
                                     .high = high};
        snprintf(name, sizeof name, "%c%s", tier_letter(t->needs->kinds[t->slot]), t->metric);
        rc = days_each_held(tier_days(t->store->tiers, t->plan.level), &q, tier_chunk, t, err);
        t->store->counters.damaged += q.damaged;
    }
    return rc;
}

static int
tier_all(struct tier_read *t, struct err *err)
{
    bool *seen = calloc(t->count + 1, 1);
    int rc = seen ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < t->count; i++) {
        uint64_t high = t->ids[i];
        if (seen[i])
            continue;
        t->metric = t->metrics[i];
        for (size_t k = i; k < t->count; k++)
            if (t->metrics[k] == t->metric) {
                seen[k] = true;
                high = t->ids[k];
            }
        rc = tier_metric(t, t->ids[i], high, err);
    }
    for (size_t i = 0; !rc && i < t->count; i++) {
        t->total += t->sizes[i];
        t->largest = t->sizes[i] > t->largest ? t->sizes[i] : t->largest;
    }
    free(seen);
    return rc;
}

int
tier_read_open(struct store *s, const struct tier_plan *p, const uint32_t *ids, size_t n,
               struct tier_read **ret, struct err *err)
{
    struct tier_read *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "out of memory");
    t->store = s;
    t->plan = *p;
    t->needs = &tier_needs[p->want];
    t->count = n;
    t->ids = malloc((n + 1) * sizeof *t->ids);
    t->metrics = calloc(n + 1, sizeof *t->metrics);
    t->chains = calloc((n + 1) * TIER_READ_SLOTS, sizeof *t->chains);
    t->sizes = calloc(n + 1, sizeof *t->sizes);
    int rc = t->ids && t->metrics && t->chains && t->sizes
                 ? 0
                 : err_set(err, ERR_NOMEM, "out of memory");
    if (!rc) {
        memcpy(t->ids, ids, n * sizeof *ids);
        tier_names(t);
        rc = tier_all(t, err);
    }
    if (rc)
        tier_read_close(t);
    else
        *ret = t;
    return rc;
}

void
tier_read_close(struct tier_read *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->held_count; i++)
        chunk_held_drop(t->held[i]);
    free(t->held);
    free(t->pieces);
    free(t->chains);
    free(t->sizes);
    free(t->metrics);
    free(t->ids);
    free(t);
}

size_t
tier_read_samples(const struct tier_read *t)
{
    return t->total;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* A reset is two of them, a pair each: four; then the streams as they are. */
size_t
tier_read_room(const struct tier_read *t, size_t raw)
{
    return t->largest * 5 + raw * 2 + 8;
}

struct tier_in { /* a row's streams, within the plan's range */
    const struct sample *at[TIER_READ_SLOTS];
    size_t count[TIER_READ_SLOTS];
};

static void
tier_decode(const struct tier_read *t, size_t row, struct sample *room, struct tier_in *in)
{
    for (int k = 0; k < t->needs->count; k++) {
        size_t n = 0, kept = 0;
        for (uint32_t p = t->chains[row * TIER_READ_SLOTS + (size_t)k].first; p;
             p = t->pieces[p - 1].next) {
            const struct tier_piece *piece = &t->pieces[p - 1];
            if (chunk_reader_samples(piece->reader, piece->place, room + n))
                t->store->counters.damaged++;
            else
                n += chunk_reader_count(piece->reader, piece->place);
        }
        for (size_t i = 0; i < n; i++)
            if (room[i].t_ms >= t->plan.from_ms && room[i].t_ms <= t->plan.until_ms &&
                (!kept || room[i].t_ms > room[kept - 1].t_ms)) /* a midnight may be in two days */
                room[kept++] = room[i];
        in->at[k] = room;
        in->count[k] = kept;
        room += kept;
    }
}

static size_t
tier_pair(struct sample *out, size_t n, int64_t t, double v, double with)
{
    out[n] = (struct sample){t, v};
    out[n + 1] = (struct sample){t, with};
    return n + 2;
}

/* Values of buckets, and what stands exactly on the grid. */
static size_t
tier_plain(const struct tier_read *t, const struct tier_in *in, struct sample *out)
{
    int64_t width = tier_width(t->plan.level);
    bool pairs = t->plan.want == TIER_WANT_AVG, ones = t->plan.want == TIER_WANT_COUNT;
    size_t n = 0, k = 0;
    for (size_t i = 0; i <= in->count[0]; i++) {
        const struct sample *edge = i < in->count[0] ? &in->at[0][i] : NULL;
        for (; k < in->count[1] && (!edge || in->at[1][k].t_ms < edge->t_ms); k++)
            if (pairs)
                n = tier_pair(out, n, in->at[1][k].t_ms, in->at[1][k].v,
                              k < in->count[2] ? in->at[2][k].v : 1);
            else
                out[n++] = in->at[1][k];
        if (!edge || edge->t_ms % width || sample_is_stale(edge->v))
            continue;
        if (pairs)
            n = tier_pair(out, n, edge->t_ms, edge->v, 1);
        else
            out[n++] = (struct sample){edge->t_ms, ones ? 1 : edge->v};
    }
    return n;
}

/* First and last of each bucket, with the number of samples up to it, and falls between. */
static size_t
tier_rates(const struct tier_read *t, const struct tier_in *in, struct sample *out)
{
    int64_t width = tier_width(t->plan.level);
    size_t n = 0, last = 0, inner = 0, fall = 0;
    while (last < in->count[0] && in->at[0][last].t_ms == t->plan.from_ms &&
           (!in->count[1] || in->at[1][0].t_ms > t->plan.from_ms)) {
        if (!sample_is_stale(in->at[0][last].v)) /* of the bucket before: the window's edge */
            n = tier_pair(out, n, in->at[0][last].t_ms, in->at[0][last].v, 1);
        last++;
    }
    for (size_t i = 0; i < in->count[1]; i++) {
        const struct sample *a = &in->at[1][i];
        int64_t end = (a->t_ms + width - 1) / width * width;
        double count = 0;
        while (last < in->count[0] &&
               (sample_is_stale(in->at[0][last].v) || in->at[0][last].t_ms < a->t_ms))
            last++;
        if (last == in->count[0] || in->at[0][last].t_ms > end)
            continue;
        const struct sample *b = &in->at[0][last];
        while (inner < in->count[2] && in->at[2][inner].t_ms < end - 1)
            inner++;
        if (inner < in->count[2] && in->at[2][inner].t_ms == end - 1)
            count = in->at[2][inner].v;
        count += b->t_ms == end;
        n = tier_pair(out, n, a->t_ms, a->v, 1);
        while (fall < in->count[3] && in->at[3][fall].t_ms <= a->t_ms)
            fall++;
        if (fall < in->count[3] && in->at[3][fall].t_ms <= b->t_ms)
            n = tier_pair(out, n, in->at[3][fall].t_ms < end ? in->at[3][fall].t_ms : end - 1,
                          in->at[3][fall].v, -1);
        if (b->t_ms > a->t_ms)
            n = tier_pair(out, n, b->t_ms, b->v, count - 1);
    }
    return n;
}

static size_t
tier_raw(const struct tier_read *t, const struct sample *raw, size_t n, struct sample *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        bool stale = sample_is_stale(raw[i].v);
        if (t->plan.want == TIER_WANT_AVG || t->plan.want == TIER_WANT_RATE)
            k = stale ? k : tier_pair(out, k, raw[i].t_ms, raw[i].v, 1);
        else if (t->plan.want == TIER_WANT_COUNT && !stale)
            out[k++] = (struct sample){raw[i].t_ms, 1};
        else
            out[k++] = raw[i];
    }
    return k;
}

size_t
tier_read_row(const struct tier_read *t, size_t row, const struct sample *raw, size_t n,
              struct sample *out)
{
    struct tier_in in = {.count = {0}};
    size_t k;
    struct sample *room = out + 4 * t->largest + 2 * n + 8;
    tier_decode(t, row, room, &in);
    if (t->plan.want == TIER_WANT_LAST) {
        k = in.count[0];
        memcpy(out, in.at[0], k * sizeof *out);
    } else {
        k = t->plan.want == TIER_WANT_RATE ? tier_rates(t, &in, out) : tier_plain(t, &in, out);
    }
    return k + tier_raw(t, raw, n, out + k);
}
