/* apply: the hot path. A sample costs a hash look-up of 128 bits, its journal bytes, and an append
 * to its block. */
#include "store/apply.h"

#include "base/str.h"
#include "store/head.h"
#include "store/known.h"
#include "store/limit.h"
#include "store/record.h"
#include "store/rows.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define APPLY_AHEAD_MS ((int64_t)86400000)
#define APPLY_AHEAD    8    /* series whose memory is being fetched */
#define APPLY_SLICE    4096 /* series between two looks at readers that wait for the index */

void
apply_done(struct apply *a)
{
    free(a->ids);
    free(a->added);
    buf_done(&a->labels);
}

void
apply_begin(struct apply *a)
{
    a->id_count = 0;
}

void
apply_journaled(struct apply *a)
{
    a->added_count = 0;
    buf_reset(&a->labels);
}

static int
apply_room(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap ? *cap : 1024;
    while (n < need)
        n *= 2;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = n;
    return 0;
}

/* Onto the list for the registry. */
static int
apply_register(struct apply *a, const struct store_batch *b, const struct batch_series *bs,
               uint64_t id)
{
    struct index *ix = a->store->index;
    int rc = apply_room((void **)&a->added, &a->added_cap, a->added_count + 1, sizeof *a->added);
    const struct batch_set *set = &b->sets[bs->set];
    size_t off = a->labels.len;
    if (!rc)
        rc = buf_append(&a->labels, b->labels.data + set->off, set->len);
    if (rc)
        return rc;
    a->added[a->added_count++] = (struct apply_new){id, (uint32_t)off, set->len};
    pthread_rwlock_wrlock(&ix->lock);
    series_at(ix, id)->forgotten = series_at(ix, id)->dying = false;
    pthread_rwlock_unlock(&ix->lock);
    return 0;
}

/* A series nobody has seen: into the index and the registry. *ret_id 0 when the limit refuses it.
 */
static int
apply_add(struct apply *a, const struct store_batch *b, const struct batch_series *bs,
          uint64_t *ret_id)
{
    struct index *ix = a->store->index;
    const struct batch_set *set = &b->sets[bs->set];
    pthread_rwlock_wrlock(&ix->lock);
    int64_t id = series_add(ix, 0, b->labels.data + set->off, set->len, set->hash);
    if (id > 0)
        series_at(ix, (uint64_t)id)->forgotten = true; /* until it is on the list */
    pthread_rwlock_unlock(&ix->lock);
    *ret_id = id > 0 ? (uint64_t)id : 0;
    if (id < 0)
        return id == ERR_LIMIT || id == ERR_CORRUPT ? 0 : (int)id;
    return apply_register(a, b, bs, *ret_id);
}

struct apply_refusal {
    const char *reason;
    struct gap gap;
};

static void
apply_refuse(struct apply_refusal *r, const struct sample *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (!r->gap.count || s[i].t_ms < r->gap.from_ms)
            r->gap.from_ms = s[i].t_ms;
        if (!r->gap.count || s[i].t_ms > r->gap.to_ms)
            r->gap.to_ms = s[i].t_ms;
        r->gap.count++;
    }
}

/* Keeps the samples between the horizons, in place. */
static void
apply_filter(struct store_batch *b, struct batch_series *bs, int64_t low, int64_t high,
             struct apply_refusal refused[4])
{
    struct sample *at = b->samples + bs->first;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bs->count; i++) {
        if (at[i].t_ms >= low && at[i].t_ms <= high)
            at[kept++] = at[i];
        else
            apply_refuse(&refused[at[i].t_ms < low ? 0 : 1], &at[i], 1);
    }
    bs->count = kept;
}

/* The labels of a series that came without, where they are wanted after all. */
static int
apply_labels(const struct index *ix, struct store_batch *b, struct batch_series *bs)
{
    struct labels l;
    series_labels(ix, series_at(ix, bs->id), &l);
    return batch_label(b, bs, &l);
}

/* A series that is new, or that the registry does not have any more. */
static int
apply_resolve_new(struct apply *a, struct store_batch *b, struct batch_series *bs, uint64_t *id,
                  struct limit_source *src, struct apply_refusal refused[4])
{
    struct store *s = a->store;
    if (bs->set == UINT32_MAX && apply_labels(s->index, b, bs))
        return ERR_LIMIT;
    const struct batch_set *set = &b->sets[bs->set];
    bool allowed = limit_allows(s->limits, src, b->labels.data + set->off, set->len);
    int rc = !allowed ? 0 : *id ? apply_register(a, b, bs, *id) : apply_add(a, b, bs, id);
    if (rc)
        return rc;
    if (allowed && *id) {
        limit_seen(s->limits, src, *id);
        return 0;
    }
    *id = 0;
    apply_refuse(&refused[allowed ? 2 : 3], b->samples + bs->first, bs->count);
    bs->count = 0;
    return 0;
}

static int
apply_resolve(struct apply *a, struct store_batch *b, size_t first, struct apply_refusal refused[4])
{
    struct index *ix = a->store->index;
    int64_t now = clock_now_ms(a->store->cfg.clock), low = now - a->store->cfg.retention_ms,
            high = now + APPLY_AHEAD_MS;
    struct limit_source *src = limit_source(a->store->limits, b->origin ? b->origin : b->source);
    int rc = 0;
    for (size_t i = 0; !rc && i < b->series_count; i++) {
        struct batch_series *bs = &b->series[i];
        if (i + APPLY_AHEAD < b->series_count && b->series[i + APPLY_AHEAD].id)
            __builtin_prefetch(series_at(ix, b->series[i + APPLY_AHEAD].id));
        apply_filter(b, bs, low, high, refused);
        uint64_t *id = &a->ids[first + i];
        *id = !bs->count ? 0 : bs->id ? bs->id : series_find(ix, b->sets[bs->set].hash);
        if (*id && !series_at(ix, *id)->forgotten)
            limit_seen(a->store->limits, src, *id);
        else if (bs->count)
            rc = apply_resolve_new(a, b, bs, id, src, refused);
    }
    return rc;
}

static int
apply_refused(struct apply *a, struct store_batch *b, struct apply_refusal refused[4])
{
    for (int i = 0; i < 4; i++) {
        if (!refused[i].gap.count)
            continue;
        refused[i].gap.source = b->origin ? b->origin : b->source ? b->source : "store";
        refused[i].gap.reason = refused[i].reason;
        int rc = store_batch_gap(b, &refused[i].gap);
        if (rc)
            return rc;
    }
    struct event ev;
    if (refused[3].gap.count &&
        limit_event(a->store->limits,
                    limit_source(a->store->limits, b->origin ? b->origin : b->source),
                    clock_now_ms(a->store->cfg.clock), &ev)) {
        int rc = store_batch_event(b, &ev);
        if (rc)
            return rc;
    }
    b->result.too_old = refused[0].gap.count;
    b->result.refused = refused[1].gap.count + refused[2].gap.count + refused[3].gap.count;
    a->store->counters.too_old += refused[0].gap.count;
    a->store->counters.refused_series += b->result.refused;
    return 0;
}

int
apply_encode(struct apply *a, struct store_batch *b, size_t *ret_first, struct buf *out)
{
    struct apply_refusal refused[4] = {{.reason = "too-old"},
                                       {.reason = "clock-ahead"},
                                       {.reason = "limit-series"},
                                       {.reason = "limit-series-source"}};
    size_t first = a->id_count, live = 0;
    int rc = apply_room((void **)&a->ids, &a->id_cap, first + b->series_count, sizeof *a->ids);
    if (!rc)
        rc = apply_resolve(a, b, first, refused);
    if (!rc)
        rc = apply_refused(a, b, refused);
    if (rc)
        return rc;
    a->id_count += b->series_count;
    for (size_t i = 0; i < b->series_count; i++)
        live += b->series[i].count > 0;
    b->row0 = a->row0;
    a->row0 += (uint64_t)b->events + b->logs + b->gaps;
    struct record_batch_state st = {0};
    rc = record_batch_begin(out, b->row0, live);
    for (size_t i = 0; !rc && i < b->series_count; i++)
        if (b->series[i].count)
            rc = record_batch_series(out, &st, a->ids[first + i], b->samples + b->series[i].first,
                                     b->series[i].count);
    if (!rc)
        rc = record_batch_end(out, b->rows.data, b->rows.len);
    *ret_first = first;
    return rc;
}

/* A series, its block and the end of that are three places that no cache holds: each is fetched
 * when the one before it is there, a few series ahead. */
__attribute__((always_inline)) static inline void
apply_fetch(const struct index *ix, const uint64_t *ids, size_t left)
{
    const struct block *b;
    if (left > 3 * APPLY_AHEAD)
        __builtin_prefetch(series_at(ix, ids[3 * APPLY_AHEAD]));
    if (left > 2 * APPLY_AHEAD && (b = series_at(ix, ids[2 * APPLY_AHEAD])->blocks)) {
        __builtin_prefetch(b);
        __builtin_prefetch(&b->flags); /* perhaps the next line */
    }
    if (left > APPLY_AHEAD && (b = series_at(ix, ids[APPLY_AHEAD])->blocks))
        __builtin_prefetch(b->data + b->used, 1);
}

static void
apply_sample(struct store *s, struct series *se, const struct sample *x,
             struct store_commit_result *res)
{
    int rc = head_append(s->index, se, x->t_ms, x->v);
    if (rc >= 0) {
        res->samples++;
        if (rc == 1)
            s->counters.out_of_order++;
    } else {
        res->duplicates++;
    }
}

int
apply_commit(struct apply *a, struct store_batch *b, size_t first)
{
    struct store *s = a->store;
    struct index *ix = s->index;
    for (size_t i = 0; i < b->series_count; i += APPLY_SLICE) {
        size_t end = i + APPLY_SLICE < b->series_count ? i + APPLY_SLICE : b->series_count;
        pthread_rwlock_wrlock(&ix->lock);
        for (size_t k = i; k < end; k++) {
            const struct batch_series *bs = &b->series[k];
            apply_fetch(ix, a->ids + first + k, end - k);
            for (uint32_t n = 0; n < bs->count; n++)
                apply_sample(s, series_at(ix, a->ids[first + k]), &b->samples[bs->first + n],
                             &b->result);
        }
        pthread_rwlock_unlock(&ix->lock);
    }
    for (size_t i = 0; i < b->key_count; i++)
        if (a->ids[first + b->keys[i].series])
            known_put(s->known, b->keys[i].key, b->keys[i].len, a->ids[first + b->keys[i].series]);
    b->result.events = b->events;
    b->result.logs = b->logs;
    s->counters.samples += b->result.samples;
    s->counters.duplicates += b->result.duplicates;
    s->counters.events += b->events;
    s->counters.logs += b->logs;
    s->counters.gaps += b->gaps;
    return 0;
}

/* --- replay ----------------------------------------------------------------------------------- */

static int
apply_replay_samples(struct store *s, struct record_batch *rb, const struct writer_held *held)
{
    struct store_commit_result res = {0};
    uint64_t id, n;
    int rc;
    while ((rc = record_batch_next(rb, &id, &n)) > 0) {
        bool known = id < s->index->next_id && series_at(s->index, id)->pairs;
        struct sample x;
        for (; n > 0 && record_batch_sample(rb, &x); n--)
            if (known && !(held && held->samples(held->ctx, x.t_ms)))
                apply_sample(s, series_at(s->index, id), &x, &res);
        if (!known)
            s->counters.damaged++;
    }
    return rc || rb->in.bad ? ERR_CORRUPT : 0;
}

int
writer_replay(struct store *s, uint64_t number, const void *data, size_t len,
              const struct writer_held *held, uint64_t *ret_rows)
{
    struct record_batch rb;
    int rc = record_batch_open(data, len, &rb);
    if (rc)
        return rc;
    pthread_rwlock_wrlock(&s->index->lock);
    rc = apply_replay_samples(s, &rb, held);
    pthread_rwlock_unlock(&s->index->lock);
    uint64_t row = rb.row0;
    const uint8_t *at;
    size_t n;
    while (!rc && record_next(&rb.in, &at, &n) > 0) {
        struct record rec;
        struct buf one;
        buf_init(&one, BATCH_BYTES_MAX);
        rc = record_take(at, n, &rec);
        if (!rc && !(held && held->rows(held->ctx, rec.filed_ms)) &&
            !(rc = buf_reserve(&one, n + BYTES_VARINT_MAX))) {
            one.len = (size_t)(bytes_put_varint((uint8_t *)one.data, n) - (uint8_t *)one.data);
            rc = buf_append(&one, at, n);
            if (!rc)
                rc = rows_add(s->rows, number, row, &one);
        }
        buf_done(&one);
        row++;
    }
    if (row > *ret_rows)
        *ret_rows = row;
    return rc;
}
