/* remote_encode: samples as a Prometheus WriteRequest (prometheus.io/docs/concepts/
 * remote_write_spec, version 1.0): field 1 TimeSeries {1 Label {1 name, 2 value}, 2 Sample {1
 * double value, 2 int64 timestamp}}. Sizes are summed first, so that every byte is written once. */
#include "store/remote_priv.h"

#include "store/bytes.h"

#include <stdlib.h>
#include <string.h>

#define REMOTE_EXPORTED "exported_"

static size_t
remote_encode_varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static size_t
remote_encode_label_size(const struct label *l) /* of the message, without tag and length */
{
    return 2 + remote_encode_varint_size(l->name_len) + l->name_len +
           remote_encode_varint_size(l->value_len) + l->value_len;
}

static uint8_t *
remote_encode_text(uint8_t *p, uint8_t tag, const char *s, size_t len)
{
    *p++ = tag;
    p = bytes_put_varint(p, len);
    memcpy(p, s, len);
    return p + len;
}

static uint8_t *
remote_encode_label(uint8_t *p, const struct label *l)
{
    *p++ = 0x0a;
    p = bytes_put_varint(p, remote_encode_label_size(l));
    p = remote_encode_text(p, 0x0a, l->name, l->name_len);
    return remote_encode_text(p, 0x12, l->value, l->value_len);
}

static uint8_t *
remote_encode_sample(uint8_t *p, const struct remote_entry *e)
{
    uint64_t bits, t = (uint64_t)e->t_ms;
    memcpy(&bits, &e->v, sizeof bits);
    *p++ = 0x12;
    *p++ = (uint8_t)(10 + remote_encode_varint_size(t));
    *p++ = 0x09;
    p = bytes_put_u64(p, bits);
    *p++ = 0x10;
    return bytes_put_varint(p, t);
}

/* The series' own label of an external one's name steps aside. `names` holds the new names. */
static int
remote_encode_aside(const struct labels *l, const struct labels *external, struct labels *out,
                    char names[][LABEL_NAME_MAX + 1])
{
    size_t aside = 0;
    out->count = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct label x = l->at[i];
        for (size_t k = 0; k < external->count; k++)
            if (x.name_len == external->at[k].name_len &&
                !memcmp(x.name, external->at[k].name, x.name_len)) {
                size_t head = strlen(REMOTE_EXPORTED);
                if (head + x.name_len > LABEL_NAME_MAX)
                    return ERR_LIMIT;
                memcpy(names[aside], REMOTE_EXPORTED, head);
                memcpy(names[aside] + head, x.name, x.name_len);
                x.name = names[aside++];
                x.name_len += (uint32_t)head;
            }
        int rc = labels_add(out, x.name, x.name_len, x.value, x.value_len);
        if (rc)
            return rc;
    }
    for (size_t k = 0; k < external->count; k++) {
        const struct label *x = &external->at[k];
        int rc = labels_add(out, x->name, x->name_len, x->value, x->value_len);
        if (rc)
            return rc;
    }
    return labels_finish(out);
}

/* Both in one, by name. 1: a name is in both. */
static int
remote_encode_merge(const struct labels *l, const struct labels *external, struct labels *out)
{
    size_t i = 0, k = 0;
    out->count = 0;
    if (l->count + external->count > LABELS_MAX)
        return ERR_LIMIT;
    while (i < l->count && k < external->count) {
        const struct label *a = &l->at[i], *b = &external->at[k];
        size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
        int c = memcmp(a->name, b->name, n);
        if (!c)
            c = (a->name_len > b->name_len) - (a->name_len < b->name_len);
        if (!c)
            return 1;
        out->at[out->count++] = c < 0 ? l->at[i++] : external->at[k++];
    }
    for (; i < l->count; i++)
        out->at[out->count++] = l->at[i];
    for (; k < external->count; k++)
        out->at[out->count++] = external->at[k];
    return 0;
}

int
remote_encode_series(struct buf *out, const struct labels *l, const struct labels *external,
                     const struct remote_entry *at, size_t n)
{
    struct labels merged;
    char names[LABELS_MAX][LABEL_NAME_MAX + 1];
    size_t body = 0;
    if (external->count) {
        int rc = remote_encode_merge(l, external, &merged);
        if (rc == 1)
            rc = remote_encode_aside(l, external, &merged, names);
        if (rc)
            return rc;
        l = &merged;
    }
    for (size_t i = 0; i < l->count; i++) {
        size_t one = remote_encode_label_size(&l->at[i]);
        body += 1 + remote_encode_varint_size(one) + one;
    }
    for (size_t i = 0; i < n; i++)
        body += 12 + remote_encode_varint_size((uint64_t)at[i].t_ms);
    int rc = buf_reserve(out, body + 1 + BYTES_VARINT_MAX);
    if (rc)
        return rc;
    uint8_t *begin = (uint8_t *)out->data + out->len, *p = begin;
    *p++ = 0x0a;
    p = bytes_put_varint(p, body);
    for (size_t i = 0; i < l->count; i++)
        p = remote_encode_label(p, &l->at[i]);
    for (size_t i = 0; i < n; i++)
        p = remote_encode_sample(p, &at[i]);
    out->len += (size_t)(p - begin);
    return 0;
}

void
remote_sort_entries(struct remote_entry *at, struct remote_entry *tmp, size_t n)
{
    uint32_t high = 0;
    for (size_t i = 0; i < n; i++)
        high = at[i].id > high ? at[i].id : high;
    struct remote_entry *from = at, *to = tmp;
    for (unsigned shift = 0; shift < 32 && high >> shift; shift += 11) {
        size_t first[2048] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            first[from[i].id >> shift & 2047]++;
        for (size_t k = 0; k < 2048; k++) {
            size_t here = first[k];
            first[k] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[first[from[i].id >> shift & 2047]++] = from[i];
        struct remote_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != at)
        memcpy(at, from, n * sizeof *at);
}
