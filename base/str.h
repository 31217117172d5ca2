/* str: small things of text that C lacks. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t str_copy(char *out, size_t size, const char *s); /* strlcpy */
bool str_prefix(const char *s, const char *prefix);
bool str_suffix(const char *s, const char *suffix);
/* Next field of *p up to any of seps; returns its start and length, moves *p behind it; NULL at the
 * end. */
const char *str_field(const char **p, const char *seps, size_t *ret_len);
/* The whole text; Prometheus' NaN, +Inf, -Inf too. */
int str_double(const char *s, size_t len, double *ret);
int str_i64(const char *s, size_t len, int64_t *ret);
int str_u64(const char *s, size_t len, uint64_t *ret);
size_t str_double_format(double v, char out[32]);  /* shortest that reads back; NaN +Inf -Inf */
size_t str_distance(const char *a, const char *b); /* edit distance, for "did you mean" */
const char *str_nearest(const char *word, const char *const *known); /* NULL when none is near */
/* Of the well-formed sequence at s, 0: none; len > 0. */
size_t str_utf8_length(const char *s, size_t len);
bool str_utf8_ok(const char *s, size_t len);
void str_utf8_mend(char *s, size_t *len); /* invalid bytes become '?' */
int str_percent_encode(struct buf *out, const char *s, const char *keep);
/* Bytes written, ERR_SYNTAX, ERR_LIMIT. */
int str_hex(const char *hex, size_t len, uint8_t *out, size_t size);
bool str_glob(const char *pattern, const char *s); /* * and ? */

/* ret is initialised by the call. */
int file_read(const char *path, size_t max, struct buf *ret, struct err *err);
/* Temporary file, fsync, rename. */
int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode,
                      struct err *err);
/* With parents; tightens an existing wider one. */
int file_mkdir(const char *path, unsigned mode, struct err *err);
bool file_exists(const char *path);
int file_random(void *out, size_t len); /* getrandom */

#endif
