/* batch: labels are brought into canonical bytes and hashed here, on the producers' threads, so
 * that the one writer only looks up. Nothing is allocated a sample: arrays double. */
#include "store/batch.h"

#include "base/hash.h"
#include "base/str.h"
#include "store/known.h"
#include "store/record.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TENANT_LABEL "tenant"
#define BATCH_AHEAD_MS     ((int64_t)86400000) /* clocks further ahead than a day are wrong */
#define BATCH_SPARES       16
#define BATCH_SPARE_BYTES  ((size_t)2 << 20) /* a larger one gives its memory back */

/* --- a batch's life --------------------------------------------------------------------------- */

struct batch_pool {
    pthread_mutex_t lock;
    size_t count;
    struct store_batch *at[BATCH_SPARES];
};

struct batch_pool *
batch_pool_new(void)
{
    struct batch_pool *p = calloc(1, sizeof *p);
    if (p)
        pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void
batch_done(struct store_batch *b)
{
    buf_done(&b->labels);
    buf_done(&b->rows);
    free(b->keys);
    free(b->sets);
    free(b->series);
    free(b->samples);
    free(b);
}

void
batch_pool_free(struct batch_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        batch_done(p->at[i]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct store_batch *
batch_pool_take(struct batch_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct store_batch *b = p->count ? p->at[--p->count] : NULL;
    pthread_mutex_unlock(&p->lock);
    return b;
}

/* An empty batch with the memory of a former one. */
static void
batch_empty(struct store_batch *b)
{
    struct store_batch old = *b;
    *b = (struct store_batch){.store = old.store,
                              .labels = old.labels,
                              .rows = old.rows,
                              .series = old.series,
                              .series_cap = old.series_cap,
                              .sets = old.sets,
                              .set_cap = old.set_cap,
                              .samples = old.samples,
                              .sample_cap = old.sample_cap,
                              .keys = old.keys,
                              .key_cap = old.key_cap,
                              .place = UINT32_MAX};
    buf_reset(&b->labels);
    buf_reset(&b->rows);
}

static bool
batch_pool_keep(struct batch_pool *p, struct store_batch *b)
{
    size_t held = b->labels.cap + b->rows.cap + b->series_cap * sizeof *b->series +
                  b->set_cap * sizeof *b->sets + b->sample_cap * sizeof *b->samples +
                  b->key_cap * sizeof *b->keys;
    bool kept = false;
    if (held > BATCH_SPARE_BYTES)
        return false;
    batch_empty(b);
    pthread_mutex_lock(&p->lock);
    if (p->count < BATCH_SPARES) {
        p->at[p->count++] = b;
        kept = true;
    }
    pthread_mutex_unlock(&p->lock);
    return kept;
}

struct store_batch *
store_batch_new(struct store *s)
{
    struct store_batch *b = batch_pool_take(s->batches);
    if (b || !(b = calloc(1, sizeof *b)))
        return b;
    b->store = s;
    b->place = UINT32_MAX;
    buf_init(&b->labels, BATCH_BYTES_MAX);
    buf_init(&b->rows, BATCH_BYTES_MAX);
    return b;
}

void
store_batch_free(struct store_batch *b)
{
    if (!b)
        return;
    batch_release(b);
    free(b->tenant);
    free(b->source);
    free(b->origin);
    if (!batch_pool_keep(b->store->batches, b))
        batch_done(b);
}

void
store_batch_tenant(struct store_batch *b, const char *tenant)
{
    free(b->tenant);
    b->tenant = tenant && *tenant ? strdup(tenant) : NULL;
}

void
store_batch_watermark(struct store_batch *b, const char *source, uint64_t epoch, uint64_t sequence)
{
    free(b->source);
    b->source = source && *source ? strdup(source) : NULL;
    b->epoch = epoch;
    b->sequence = sequence;
}

void
store_batch_origin(struct store_batch *b, const char *origin)
{
    free(b->origin);
    b->origin = origin && *origin ? strdup(origin) : NULL;
}

size_t
store_batch_size(const struct store_batch *b)
{
    return b->labels.len + b->rows.len + b->series_count * sizeof *b->series +
           b->set_count * sizeof *b->sets + b->sample_count * sizeof *b->samples;
}

static int
batch_room(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap ? *cap * 2 : 64;
    while (n < need)
        n *= 2;
    if (n > BATCH_BYTES_MAX / size * 2)
        return ERR_LIMIT;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = n;
    return 0;
}

/* The labels with the tenant's stamp in its place. */
static int
batch_stamp(const struct labels *l, const char *tenant, struct labels *out)
{
    size_t n = strlen(BATCH_TENANT_LABEL);
    out->count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i].name_len != n || memcmp(l->at[i].name, BATCH_TENANT_LABEL, n))
            out->at[out->count++] = l->at[i];
    int rc = labels_add_str(out, BATCH_TENANT_LABEL, tenant);
    return rc ? rc : labels_finish(out);
}

int
batch_label(struct store_batch *b, struct batch_series *bs, const struct labels *l)
{
    size_t off = b->labels.len;
    int rc = batch_room((void **)&b->sets, &b->set_cap, b->set_count + 1, sizeof *b->sets);
    if (!rc)
        rc = record_put_labels(&b->labels, l);
    if (rc)
        return rc;
    struct batch_set *set = &b->sets[b->set_count];
    *set = (struct batch_set){.off = (uint32_t)off, .len = (uint32_t)(b->labels.len - off)};
    series_hash(b->labels.data + off, set->len, b->store->index->seed, set->hash);
    bs->set = (uint32_t)b->set_count++;
    return 0;
}

/* Room for a series of n samples, and its place. */
static int
batch_begin(struct store_batch *b, size_t n)
{
    if (store_batch_size(b) + n * sizeof *b->samples > BATCH_BYTES_MAX)
        return ERR_LIMIT;
    int rc =
        batch_room((void **)&b->series, &b->series_cap, b->series_count + 1, sizeof *b->series);
    if (!rc)
        rc = batch_room((void **)&b->samples, &b->sample_cap, b->sample_count + n,
                        sizeof *b->samples);
    if (rc)
        return rc;
    b->series[b->series_count] = (struct batch_series){
        .first = (uint32_t)b->sample_count, .count = (uint32_t)n, .set = UINT32_MAX};
    return 0;
}

static inline void
batch_end(struct store_batch *b, const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->samples[b->sample_count++] = samples[i];
    b->series_count++;
}

int
store_batch_samples(struct store_batch *b, const struct labels *l, const struct sample *samples,
                    size_t n)
{
    struct labels stamped;
    int rc = 0;
    if (!n)
        return 0;
    if (b->tenant) {
        rc = batch_stamp(l, b->tenant, &stamped);
        l = &stamped;
    }
    if (!rc && l->count > LABELS_MAX)
        rc = ERR_LIMIT;
    if (!rc)
        rc = batch_begin(b, n);
    if (!rc)
        rc = batch_label(b, &b->series[b->series_count], l);
    if (rc)
        return rc;
    if (b->has_missed &&
        !batch_room((void **)&b->keys, &b->key_cap, b->key_count + 1, sizeof *b->keys))
        b->keys[b->key_count++] = (struct batch_key){
            {b->missed[0], b->missed[1]}, (uint32_t)b->series_count, (uint32_t)b->missed_len};
    b->has_missed = false;
    batch_end(b, samples, n);
    return 0;
}

/* A row whose time is before the retention or a day ahead is filed under the time it is taken in.
 */
static int64_t
batch_filed(const struct store *s, int64_t t, int64_t now)
{
    return t < now - s->cfg.retention_ms || t > now + BATCH_AHEAD_MS ? now : t;
}

static int
batch_row(struct store_batch *b, const struct record *r)
{
    struct buf one;
    buf_init(&one, BATCH_BYTES_MAX);
    int rc = record_put(&one, r);
    if (!rc && store_batch_size(b) + one.len + BYTES_VARINT_MAX > BATCH_BYTES_MAX)
        rc = ERR_LIMIT;
    if (!rc)
        rc = buf_reserve(&b->rows, one.len + BYTES_VARINT_MAX);
    if (!rc) {
        uint8_t *p = (uint8_t *)b->rows.data + b->rows.len;
        b->rows.len += (size_t)(bytes_put_varint(p, one.len) - p);
        rc = buf_append(&b->rows, one.data, one.len);
    }
    buf_done(&one);
    return rc;
}

/* At most max bytes, not cutting a UTF-8 character; s itself when it is short enough. */
static const char *
batch_cut(const char *s, size_t max, char *out)
{
    size_t n = s ? strnlen(s, max + 1) : 0;
    if (n <= max)
        return s ? s : "";
    n = max;
    while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, s, n);
    out[n] = 0;
    return out;
}

int
store_batch_event(struct store_batch *b, const struct event *ev)
{
    char text[EVENT_TEXT_MAX + 1];
    if (!ev->code || !*ev->code || !ev->entity || !*ev->entity || ev->phase > EVENT_END ||
        ev->severity >= SEVERITIES)
        return ERR_SYNTAX;
    if (strlen(ev->code) > EVENT_CODE_MAX)
        return ERR_LIMIT;
    int64_t now = clock_now_ms(b->store->cfg.clock);
    struct record r = {
        .kind = RECORD_EVENT, .filed_ms = batch_filed(b->store, ev->time_ms, now), .event = *ev};
    if (!r.event.seen_ms)
        r.event.seen_ms = now;
    if (b->tenant)
        r.event.tenant = b->tenant;
    r.event.text = batch_cut(ev->text, EVENT_TEXT_MAX, text);
    int rc = batch_row(b, &r);
    if (!rc)
        b->events++;
    if (ev->severity == SEVERITY_CRITICAL)
        b->urgent = true;
    return rc;
}

int
store_batch_log(struct store_batch *b, const struct log_line *line)
{
    char text[EVENT_TEXT_MAX + 1];
    if (line->severity >= SEVERITIES)
        return ERR_SYNTAX;
    int64_t now = clock_now_ms(b->store->cfg.clock);
    struct record r = {
        .kind = RECORD_LOG, .filed_ms = batch_filed(b->store, line->time_ms, now), .log = *line};
    if (b->tenant)
        r.log.tenant = b->tenant;
    r.log.text = batch_cut(line->text, EVENT_TEXT_MAX, text);
    int rc = batch_row(b, &r);
    b->logs += !rc;
    return rc;
}

int
store_batch_gap(struct store_batch *b, const struct gap *gap)
{
    int64_t now = clock_now_ms(b->store->cfg.clock);
    struct record r = {
        .kind = RECORD_GAP, .filed_ms = batch_filed(b->store, gap->to_ms, now), .gap = *gap};
    int rc = batch_row(b, &r);
    b->gaps += !rc;
    return rc;
}

static int
batch_sink_series(void *ctx, const struct labels *labels, const struct sample *samples,
                  size_t count)
{
    return store_batch_samples(ctx, labels, samples, count);
}

/* --- label sets that are known --------------------------------------------------------------- */

static void
batch_hold(struct store_batch *b)
{
    known_hold(b->store->known);
    b->holds = true;
    b->key_seed = b->store->index->seed;
    if (b->tenant) /* the same bytes are other series of another tenant */
        b->key_seed ^= hash_64(b->tenant, strlen(b->tenant), b->key_seed + 1);
}

static void
batch_sink_key(void *memory, const void *bytes, size_t len, uint64_t ret[2])
{
    struct store_batch *b = memory;
    if (!b->holds)
        batch_hold(b);
    hash_128(bytes, len, b->key_seed, ret);
    known_prefetch(b->store->known, ret);
}

static int
batch_take(struct store_batch *b, uint64_t id, uint32_t place, const struct sample *samples,
           size_t n)
{
    int rc = batch_begin(b, n);
    if (rc)
        return rc;
    b->series[b->series_count].id = (uint32_t)id;
    b->place = place + 1;
    batch_end(b, samples, n);
    return 1;
}

static int
batch_sink_known(void *memory, const uint64_t key[2], size_t len, const struct sample *samples,
                 size_t n)
{
    struct store_batch *b = memory;
    uint32_t place;
    uint64_t id = known_find(b->store->known, key, &place);
    if (!n) { /* only asked: the samples come later */
        b->place = id ? place + 1 : UINT32_MAX;
        return id != 0;
    }
    if (id)
        return batch_take(b, id, place, samples, n);
    b->missed[0] = key[0];
    b->missed[1] = key[1];
    b->missed_len = len;
    b->has_missed = true;
    b->place = UINT32_MAX;
    return 0;
}

static size_t
batch_sink_likely(void *memory)
{
    struct store_batch *b = memory;
    if (!b->holds)
        batch_hold(b);
    return known_len(b->store->known, b->place);
}

static int
batch_sink_follows(void *memory, const void *bytes, size_t len, const struct sample *samples,
                   size_t n)
{
    struct store_batch *b = memory;
    uint64_t key[2];
    hash_128(bytes, len, b->key_seed, key);
    uint64_t id = known_at(b->store->known, b->place, key);
    return id ? batch_take(b, id, b->place, samples, n) : 0;
}

void
batch_release(struct store_batch *b)
{
    if (b->holds)
        known_release(b->store->known);
    b->holds = false;
}

struct sample_sink
store_batch_sink(struct store_batch *b)
{
    return (struct sample_sink){.series = batch_sink_series,
                                .ctx = b,
                                .memory = b,
                                .key = batch_sink_key,
                                .known = batch_sink_known,
                                .likely = batch_sink_likely,
                                .follows = batch_sink_follows};
}
