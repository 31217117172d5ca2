/* labelblock: see labelblock.h. A reference is told as its distance to that of the series before,
 * so that what repeats and what counts up both become runs, which zstd takes for nothing. */
#include "store/labelblock.h"

#include "base/compress.h"
#include "base/hash.h"
#include "store/bytes.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

#define LABELBLOCK_MAGIC  0x314c534du /* "MSL1" */
#define LABELBLOCK_HEADER 16          /* magic, crc, series, length of the payload */
#define LABELBLOCK_LEVEL  3
#define LABELBLOCK_TEXTS  (1u << 20)

struct labelblock_text {
    uint32_t off, len;
};

struct labelblock_entry {
    uint64_t id;
    uint32_t shape, first; /* first of its values in refs */
};

struct labelblock {
    struct buf texts; /* bytes, one after the other */
    struct labelblock_text *text;
    uint32_t text_count, text_cap;
    uint32_t *slots, slot_count; /* text + 1 by hash */
    uint32_t *refs;              /* of values, series after series */
    size_t ref_count, ref_cap;
    uint32_t *shapes; /* each: count, names */
    size_t shape_len, shape_cap;
    uint32_t shape_at[LABELBLOCK_SERIES], shape_count;
    struct labelblock_entry series[LABELBLOCK_SERIES];
    size_t count;
    struct buf payload;
    struct compress_zstd_ctx *zstd;
};

struct labelblock *
labelblock_new(void)
{
    struct labelblock *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    buf_init(&b->texts, LABELBLOCK_MAX);
    buf_init(&b->payload, 2 * LABELBLOCK_MAX);
    b->slot_count = 4096;
    b->slots = calloc(b->slot_count, sizeof *b->slots);
    b->zstd = compress_zstd_ctx_new();
    if (!b->slots || !b->zstd) {
        labelblock_free(b);
        return NULL;
    }
    return b;
}

void
labelblock_free(struct labelblock *b)
{
    if (!b)
        return;
    buf_done(&b->texts);
    buf_done(&b->payload);
    compress_zstd_ctx_free(b->zstd);
    free(b->text);
    free(b->slots);
    free(b->refs);
    free(b->shapes);
    free(b);
}

size_t
labelblock_count(const struct labelblock *b)
{
    return b->count;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int
labelblock_room(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap ? *cap * 2 : 1024;
    while (n < need)
        n *= 2;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = n;
    return 0;
}

static uint64_t
labelblock_hash(const struct labelblock *b, uint32_t i)
{
    return hash_64(b->texts.data + b->text[i].off, b->text[i].len, 0);
}

static int
labelblock_grow(struct labelblock *b)
{
    if (b->text_count * 2 < b->slot_count)
        return 0;
    uint32_t n = b->slot_count * 2, *slots = calloc(n, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < b->text_count; i++) {
        uint32_t at = (uint32_t)labelblock_hash(b, i) & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = i + 1;
    }
    free(b->slots);
    b->slots = slots;
    b->slot_count = n;
    return 0;
}

static int
labelblock_text(struct labelblock *b, const char *s, uint32_t len, uint32_t *ret)
{
    int rc = labelblock_grow(b);
    if (rc)
        return rc;
    uint32_t at = (uint32_t)hash_64(s, len, 0) & (b->slot_count - 1);
    for (; b->slots[at]; at = (at + 1) & (b->slot_count - 1)) {
        const struct labelblock_text *t = &b->text[b->slots[at] - 1];
        if (t->len == len && !memcmp(b->texts.data + t->off, s, len)) {
            *ret = b->slots[at] - 1;
            return 0;
        }
    }
    size_t cap = b->text_cap;
    rc = labelblock_room((void **)&b->text, &cap, b->text_count + 1, sizeof *b->text);
    b->text_cap = (uint32_t)cap;
    uint32_t off = (uint32_t)b->texts.len;
    if (!rc)
        rc = buf_append(&b->texts, s, len);
    if (rc)
        return rc;
    b->text[b->text_count] = (struct labelblock_text){off, len};
    b->slots[at] = b->text_count + 1;
    *ret = b->text_count++;
    return 0;
}

/* The shape of the names that were put at the end of the shapes: an earlier one like it, or new. */
static uint32_t
labelblock_shape(struct labelblock *b, size_t from)
{
    size_t n = b->shape_len - from;
    for (uint32_t i = b->shape_count; i-- > 0;) {
        const uint32_t *s = b->shapes + b->shape_at[i];
        if (*s + 1 == n && !memcmp(s, b->shapes + from, n * sizeof *s)) {
            b->shape_len = from;
            return i;
        }
    }
    b->shape_at[b->shape_count] = (uint32_t)from;
    return b->shape_count++;
}

int
labelblock_add(struct labelblock *b, uint64_t id, const struct labels *l)
{
    if (b->count == LABELBLOCK_SERIES || b->texts.len > LABELBLOCK_MAX / 2)
        return ERR_LIMIT;
    size_t from = b->shape_len;
    int rc =
        labelblock_room((void **)&b->refs, &b->ref_cap, b->ref_count + l->count, sizeof *b->refs);
    if (!rc)
        rc = labelblock_room((void **)&b->shapes, &b->shape_cap, from + l->count + 1,
                             sizeof *b->shapes);
    if (rc)
        return rc;
    b->shapes[b->shape_len++] = (uint32_t)l->count;
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = labelblock_text(b, l->at[i].name, l->at[i].name_len, &b->shapes[b->shape_len++]);
        if (!rc)
            rc = labelblock_text(b, l->at[i].value, l->at[i].value_len, &b->refs[b->ref_count + i]);
    }
    if (rc)
        return rc;
    b->series[b->count++] =
        (struct labelblock_entry){id, labelblock_shape(b, from), (uint32_t)b->ref_count};
    b->ref_count += l->count;
    return 0;
}

static void
labelblock_put(struct buf *out, uint64_t v)
{
    if (buf_reserve(out, BYTES_VARINT_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    out->len += (size_t)(bytes_put_varint(p, v) - p);
}

static uint32_t
labelblock_labels(const struct labelblock *b, const struct labelblock_entry *e)
{
    return b->shapes[b->shape_at[e->shape]];
}

static void
labelblock_payload(struct labelblock *b)
{
    struct buf *out = &b->payload;
    uint64_t id = 0;
    uint32_t deepest = 0;
    labelblock_put(out, b->text_count);
    for (uint32_t i = 0; i < b->text_count; i++)
        labelblock_put(out, b->text[i].len);
    buf_append(out, b->texts.data, b->texts.len);
    labelblock_put(out, b->shape_count);
    for (uint32_t i = 0; i < b->shape_count; i++)
        for (uint32_t k = 0; k <= b->shapes[b->shape_at[i]]; k++)
            labelblock_put(out, b->shapes[b->shape_at[i] + k]);
    for (size_t i = 0; i < b->count; id = b->series[i++].id)
        labelblock_put(out, bytes_zigzag((int64_t)(b->series[i].id - id)));
    for (size_t i = 0; i < b->count; i++) {
        uint32_t n = labelblock_labels(b, &b->series[i]);
        labelblock_put(out, b->series[i].shape);
        deepest = n > deepest ? n : deepest;
    }
    for (uint32_t k = 0; k < deepest; k++) {
        int64_t before = 0;
        for (size_t i = 0; i < b->count; i++) {
            if (labelblock_labels(b, &b->series[i]) <= k)
                continue;
            int64_t ref = b->refs[b->series[i].first + k];
            labelblock_put(out, bytes_zigzag(ref - before));
            before = ref;
        }
    }
}

int
labelblock_finish(struct labelblock *b, struct buf *out)
{
    static const uint8_t head[LABELBLOCK_HEADER] = {0};
    buf_reset(out);
    labelblock_payload(b);
    int rc = b->payload.failed ? ERR_LIMIT : buf_append(out, head, sizeof head);
    if (!rc)
        rc = compress_zstd_with(b->zstd, b->payload.data, b->payload.len, LABELBLOCK_LEVEL, out);
    if (!rc) {
        uint8_t *p = (uint8_t *)out->data;
        bytes_put_u32(p, LABELBLOCK_MAGIC);
        bytes_put_u32(p + 8, (uint32_t)b->count);
        bytes_put_u32(p + 12, (uint32_t)b->payload.len);
        bytes_put_u32(p + 4, crc32c(0, p + 8, out->len - 8));
    }
    buf_reset(&b->texts);
    buf_reset(&b->payload);
    memset(b->slots, 0, b->slot_count * sizeof *b->slots);
    b->text_count = b->shape_count = 0;
    b->ref_count = b->shape_len = b->count = 0;
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct labelblock_in {
    struct buf payload, one;
    struct labelblock_text *text;
    uint32_t texts, shapes, series;
    uint32_t *shape_at, *shape; /* as the writer's */
    uint64_t *ids;
    uint32_t *shape_of, *first, *refs;
};

static void
labelblock_in_done(struct labelblock_in *r)
{
    buf_done(&r->payload);
    buf_done(&r->one);
    free(r->text);
    free(r->shape_at);
    free(r->shape);
    free(r->ids);
    free(r->shape_of);
    free(r->first);
    free(r->refs);
}

static int
labelblock_unpack(struct labelblock_in *r, const void *p, size_t len)
{
    const uint8_t *b = p;
    if (!b || len < LABELBLOCK_HEADER || bytes_get_u32(b) != LABELBLOCK_MAGIC ||
        bytes_get_u32(b + 4) != crc32c(0, b + 8, len - 8))
        return ERR_CORRUPT;
    r->series = bytes_get_u32(b + 8);
    uint32_t size = bytes_get_u32(b + 12);
    if (!r->series || r->series > LABELBLOCK_SERIES || size > 2 * LABELBLOCK_MAX)
        return ERR_CORRUPT;
    buf_init(&r->payload, size);
    buf_init(&r->one, RECORD_LABELS_MAX);
    int rc = compress_unzstd(b + LABELBLOCK_HEADER, len - LABELBLOCK_HEADER, &r->payload);
    return !rc && r->payload.len != size ? ERR_CORRUPT : rc;
}

static int
labelblock_take_texts(struct labelblock_in *r, struct bytes_in *in)
{
    uint64_t n = bytes_take_varint(in), off = 0;
    if (in->bad || n > LABELBLOCK_TEXTS || n > r->payload.len)
        return ERR_CORRUPT;
    r->texts = (uint32_t)n;
    r->text = calloc(n + 1, sizeof *r->text);
    if (!r->text)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t len = bytes_take_varint(in);
        if (len > r->payload.len)
            return ERR_CORRUPT;
        r->text[i] = (struct labelblock_text){(uint32_t)off, (uint32_t)len};
        off += len;
    }
    const uint8_t *at = bytes_take(in, off);
    for (uint32_t i = 0; at && i < n; i++)
        r->text[i].off += (uint32_t)(at - (const uint8_t *)r->payload.data);
    return in->bad ? ERR_CORRUPT : 0;
}

static int
labelblock_take_shapes(struct labelblock_in *r, struct bytes_in *in)
{
    uint64_t n = bytes_take_varint(in);
    size_t at = 0;
    if (in->bad || n > LABELBLOCK_SERIES)
        return ERR_CORRUPT;
    r->shapes = (uint32_t)n;
    r->shape_at = calloc(n + 1, sizeof *r->shape_at);
    r->shape = calloc(n + 1, (LABELS_MAX + 1) * sizeof *r->shape);
    if (!r->shape_at || !r->shape)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t count = bytes_take_varint(in);
        if (in->bad || count > LABELS_MAX)
            return ERR_CORRUPT;
        r->shape_at[i] = (uint32_t)at;
        r->shape[at++] = (uint32_t)count;
        for (uint64_t k = 0; k < count; k++) {
            uint64_t text = bytes_take_varint(in);
            if (in->bad || text >= r->texts)
                return ERR_CORRUPT;
            r->shape[at++] = (uint32_t)text;
        }
    }
    return 0;
}

static int
labelblock_take_series(struct labelblock_in *r, struct bytes_in *in)
{
    uint64_t id = 0;
    uint32_t total = 0;
    r->ids = calloc(r->series, sizeof *r->ids);
    r->shape_of = calloc(r->series, sizeof *r->shape_of);
    r->first = calloc(r->series, sizeof *r->first);
    if (!r->ids || !r->shape_of || !r->first)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < r->series; i++)
        r->ids[i] = id += (uint64_t)bytes_unzigzag(bytes_take_varint(in));
    for (uint32_t i = 0; i < r->series; i++) {
        uint64_t shape = bytes_take_varint(in);
        if (in->bad || shape >= r->shapes)
            return ERR_CORRUPT;
        r->shape_of[i] = r->shape_at[shape];
        r->first[i] = total;
        total += r->shape[r->shape_of[i]];
    }
    r->refs = calloc((size_t)total + 1, sizeof *r->refs);
    return r->refs ? 0 : ERR_NOMEM;
}

static int
labelblock_take_refs(struct labelblock_in *r, struct bytes_in *in)
{
    bool more = true;
    for (uint32_t k = 0; more; k++) {
        int64_t ref = 0;
        more = false;
        for (uint32_t i = 0; i < r->series; i++) {
            if (r->shape[r->shape_of[i]] <= k)
                continue;
            ref += bytes_unzigzag(bytes_take_varint(in));
            if (in->bad || ref < 0 || ref >= (int64_t)r->texts)
                return ERR_CORRUPT;
            r->refs[r->first[i] + k] = (uint32_t)ref;
            more = true;
        }
    }
    return in->p == in->end ? 0 : ERR_CORRUPT;
}

static int
labelblock_take(struct labelblock_in *r, const void *p, size_t len, bool ids_only)
{
    int rc = labelblock_unpack(r, p, len);
    if (rc)
        return rc;
    struct bytes_in in = bytes_in_of(r->payload.data, r->payload.len);
    rc = labelblock_take_texts(r, &in);
    if (!rc)
        rc = labelblock_take_shapes(r, &in);
    if (!rc)
        rc = labelblock_take_series(r, &in);
    return rc || ids_only ? rc : labelblock_take_refs(r, &in);
}

static int
labelblock_one(struct labelblock_in *r, uint32_t i)
{
    struct labels l;
    const uint32_t *shape = r->shape + r->shape_of[i];
    const char *base = r->payload.data;
    l.count = *shape;
    for (uint32_t k = 0; k < *shape; k++) {
        const struct labelblock_text *n = &r->text[shape[k + 1]],
                                     *v = &r->text[r->refs[r->first[i] + k]];
        l.at[k] = (struct label){base + n->off, base + v->off, n->len, v->len};
    }
    buf_reset(&r->one);
    return record_put_labels(&r->one, &l);
}

int
labelblock_read(const void *p, size_t len,
                int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx)
{
    struct labelblock_in r = {0};
    int rc = labelblock_take(&r, p, len, false);
    for (uint32_t i = 0; rc >= 0 && i < r.series; i++) {
        rc = labelblock_one(&r, i);
        if (!rc)
            rc = cb(ctx, r.ids[i], r.one.data, r.one.len);
    }
    labelblock_in_done(&r);
    return rc < 0 ? rc : 0;
}

int
labelblock_ids(const void *p, size_t len,
               int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx)
{
    struct labelblock_in r = {0};
    int rc = labelblock_take(&r, p, len, true);
    for (uint32_t i = 0; rc >= 0 && i < r.series; i++)
        rc = cb(ctx, r.ids[i], NULL, 0);
    labelblock_in_done(&r);
    return rc < 0 ? rc : 0;
}
