/* sample: labels and samples, as every source gives them and the store takes them.
 *
 * A label set is an array of {name, value} sorted by name (bytes), names unique, no empty values;
 * the metric name is label "__name__". Limits: 64 labels, names 128 bytes, values 1,024 bytes. */
#ifndef BASE_SAMPLE_H
#define BASE_SAMPLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABELS_MAX      64
#define LABEL_NAME_MAX  128
#define LABEL_VALUE_MAX 1024

struct label {
    const char *name, *value; /* not 0-terminated */
    uint32_t name_len, value_len;
};

struct labels {   /* points into memory of whoever filled it */
    size_t count; /* first, so that answers of many series need not carry empty places */
    struct label at[LABELS_MAX];
};

struct sample {
    int64_t t_ms;
    double v; /* stale marker: sample_stale() */
};

/* The NaN that Prometheus uses as stale marker, 0x7ff0000000000002. */
double sample_stale(void);
bool sample_is_stale(double v);

/* Adds, no order needed, name and value not copied; empty value: ignored. 0 or ERR_LIMIT. */
int labels_add(struct labels *l, const char *name, size_t name_len, const char *value,
               size_t value_len);
int labels_add_str(struct labels *l, const char *name, const char *value);
/* Sorts; 0, or ERR_SYNTAX for a duplicate or an ill-formed name, ERR_LIMIT for lengths. */
int labels_finish(struct labels *l);
const struct label *labels_find(const struct labels *l, const char *name);
/* Copies a value into out (0-terminated, cut at size); returns out, or NULL when there is no such
 * label. */
const char *labels_copy(const struct labels *l, const char *name, char *out, size_t size);
uint64_t labels_hash(const struct labels *l); /* XXH3 over name 0xff value 0xff ... */

/* Where decoders of series put what they read: one call per series (labels finished) with its
 * samples. A negative return stops the decoder and is returned by it. */
struct sample_sink {
    int (*series)(void *ctx, const struct labels *labels, const struct sample *samples,
                  size_t count);
    void *ctx;
    /* Of a sink that remembers label sets by their source's own bytes, else NULL; all take
     * `memory`. `key` of bytes, some sets ahead; then `known`, with the number of the bytes (0: not
     * told): 1 when the samples were taken, 0 when the set is to be given to `series`, next. */
    void *memory;
    void (*key)(void *memory, const void *bytes, size_t len, uint64_t ret[2]);
    int (*known)(void *memory, const uint64_t key[2], size_t len, const struct sample *samples,
                 size_t count);
    /* Sources send sets in one order: how many bytes the set has that came after the one known
     * last, 0 when nobody can say. `follows`: 1 when the bytes are that set's, and the samples were
     * taken, else 0. */
    size_t (*likely)(void *memory);
    int (*follows)(void *memory, const void *bytes, size_t len, const struct sample *samples,
                   size_t count);
};

#endif
