/* batch: labels are brought into canonical bytes and hashed here, on the producers' threads, so
 * that the one writer only looks up. Nothing is allocated a sample: arrays double. */
#include "store/batch.h"

#include "base/hash.h"
#include "base/str.h"
#include "store/known.h"
#include "store/record.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_TENANT_LABEL "tenant"
#define BATCH_AHEAD_MS     ((int64_t)86400000) /* clocks further ahead than a day are wrong */

struct store_batch *
store_batch_new(struct store *s)
{
    struct store_batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->store = s;
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
    buf_done(&b->labels);
    buf_done(&b->rows);
    free(b->keys);
    free(b->series);
    free(b->samples);
    free(b->tenant);
    free(b->source);
    free(b->origin);
    free(b);
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
           b->sample_count * sizeof *b->samples;
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
    if (!rc &&
        (l->count > LABELS_MAX || store_batch_size(b) + n * sizeof *samples > BATCH_BYTES_MAX))
        rc = ERR_LIMIT;
    if (!rc)
        rc =
            batch_room((void **)&b->series, &b->series_cap, b->series_count + 1, sizeof *b->series);
    if (!rc)
        rc = batch_room((void **)&b->samples, &b->sample_cap, b->sample_count + n,
                        sizeof *b->samples);
    size_t off = b->labels.len;
    if (!rc)
        rc = record_put_labels(&b->labels, l);
    if (rc)
        return rc;
    struct batch_series *s = &b->series[b->series_count++];
    *s = (struct batch_series){.off = (uint32_t)off,
                               .len = (uint32_t)(b->labels.len - off),
                               .first = (uint32_t)b->sample_count,
                               .count = (uint32_t)n};
    series_hash(b->labels.data + off, s->len, b->store->index->seed, s->hash);
    if (b->has_missed &&
        !batch_room((void **)&b->keys, &b->key_cap, b->key_count + 1, sizeof *b->keys))
        b->keys[b->key_count++] =
            (struct batch_key){{b->missed[0], b->missed[1]}, (uint32_t)(b->series_count - 1)};
    b->has_missed = false;
    memcpy(b->samples + b->sample_count, samples, n * sizeof *samples);
    b->sample_count += n;
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
batch_sink_key(void *ctx, const void *bytes, size_t len, uint64_t ret[2])
{
    struct store_batch *b = ctx;
    if (!b->holds) {
        known_hold(b->store->known);
        b->holds = true;
        b->key_seed = b->store->index->seed;
        if (b->tenant) /* the same bytes are other series of another tenant */
            b->key_seed ^= hash_64(b->tenant, strlen(b->tenant), b->key_seed + 1);
    }
    hash_128(bytes, len, b->key_seed, ret);
    known_prefetch(b->store->known, ret);
}

static int
batch_sink_known(void *ctx, const uint64_t key[2], const struct sample *samples, size_t n)
{
    struct store_batch *b = ctx;
    uint64_t id = known_find(b->store->known, key);
    if (!n)
        return id != 0;
    if (!id) {
        b->missed[0] = key[0];
        b->missed[1] = key[1];
        b->has_missed = true;
        return 0;
    }
    int rc = store_batch_size(b) + n * sizeof *samples > BATCH_BYTES_MAX ? ERR_LIMIT : 0;
    if (!rc)
        rc =
            batch_room((void **)&b->series, &b->series_cap, b->series_count + 1, sizeof *b->series);
    if (!rc)
        rc = batch_room((void **)&b->samples, &b->sample_cap, b->sample_count + n,
                        sizeof *b->samples);
    if (rc)
        return rc;
    b->series[b->series_count++] = (struct batch_series){
        .id = (uint32_t)id, .first = (uint32_t)b->sample_count, .count = (uint32_t)n};
    for (size_t i = 0; i < n; i++)
        b->samples[b->sample_count++] = samples[i];
    return 1;
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
    return (struct sample_sink){
        .series = batch_sink_series, .ctx = b, .key = batch_sink_key, .known = batch_sink_known};
}
