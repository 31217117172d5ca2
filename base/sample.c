/* sample: label sets. Every sample of every source passes here, so the common case (few labels,
 * already sorted, ASCII names) is one pass without calls. */
#include "base/sample.h"

#include "base/hash.h"

#include <string.h>

#define SAMPLE_STALE_BITS UINT64_C(0x7ff0000000000002)

double
sample_stale(void)
{
    uint64_t bits = SAMPLE_STALE_BITS;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

bool
sample_is_stale(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == SAMPLE_STALE_BITS;
}

int
labels_add(struct labels *l, const char *name, size_t name_len, const char *value, size_t value_len)
{
    if (!value_len)
        return 0;
    if (l->count == LABELS_MAX || name_len > LABEL_NAME_MAX || value_len > LABEL_VALUE_MAX)
        return ERR_LIMIT;
    l->at[l->count++] = (struct label){name, value, (uint32_t)name_len, (uint32_t)value_len};
    return 0;
}

int
labels_add_str(struct labels *l, const char *name, const char *value)
{
    return labels_add(l, name, strlen(name), value, strlen(value));
}

static int
labels_compare(const struct label *a, const struct label *b)
{
    uint32_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
    int c = memcmp(a->name, b->name, n);
    return c ? c : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* [a-zA-Z_][a-zA-Z0-9_]*, as Prometheus; ':' is for metric names, which are values here. */
static bool
labels_name_ok(const struct label *l)
{
    if (!l->name_len || l->name_len > LABEL_NAME_MAX || l->value_len > LABEL_VALUE_MAX)
        return false;
    for (uint32_t i = 0; i < l->name_len; i++) {
        unsigned char c = (unsigned char)l->name[i], letter = (unsigned char)(c | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && c != '_' && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

int
labels_finish(struct labels *l)
{
    /* Insertion sort: sources mostly send sorted sets, and 64 is the most there can be. */
    for (size_t i = 1; i < l->count; i++) {
        struct label x = l->at[i];
        size_t j = i;
        while (j && labels_compare(&l->at[j - 1], &x) > 0) {
            l->at[j] = l->at[j - 1];
            j--;
        }
        if (j != i)
            l->at[j] = x;
    }
    for (size_t i = 0; i < l->count; i++) {
        if (l->at[i].name_len > LABEL_NAME_MAX || l->at[i].value_len > LABEL_VALUE_MAX)
            return ERR_LIMIT;
        if (!labels_name_ok(&l->at[i]) || (i && !labels_compare(&l->at[i - 1], &l->at[i])))
            return ERR_SYNTAX;
    }
    return 0;
}

const struct label *
labels_find(const struct labels *l, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i].name_len == n && !memcmp(l->at[i].name, name, n))
            return &l->at[i];
    return NULL;
}

const char *
labels_copy(const struct labels *l, const char *name, char *out, size_t size)
{
    const struct label *x = labels_find(l, name);
    if (!x || !size)
        return NULL;
    size_t n = x->value_len < size ? x->value_len : size - 1;
    memcpy(out, x->value, n);
    out[n] = 0;
    return out;
}

/* Appends one field and its 0xff, hashing in blocks: XXH3 is fastest on whole buffers. */
static size_t
labels_hash_add(uint64_t *h, char block[1024 + 256], size_t used, const char *s, uint32_t len)
{
    if (used + len + 1 > 1024 + 256) {
        *h = hash_64(block, used, *h);
        used = 0;
    }
    memcpy(block + used, s, len);
    block[used + len] = (char)0xff;
    return used + len + 1;
}

uint64_t
labels_hash(const struct labels *l)
{
    char block[1024 + 256];
    size_t used = 0;
    uint64_t h = 0;
    for (size_t i = 0; i < l->count; i++) {
        used = labels_hash_add(&h, block, used, l->at[i].name, l->at[i].name_len);
        used = labels_hash_add(&h, block, used, l->at[i].value, l->at[i].value_len);
    }
    return hash_64(block, used, h);
}
