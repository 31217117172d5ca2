/* buf: a growable byte buffer that is born with a ceiling.
 *
 * A failed append (ceiling or memory) sets `failed` and leaves the content as it was; later appends
 * fail too, so that a caller may check once at the end. data is always 0-terminated once anything
 * was appended; buf_str() gives "" for an empty one. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);                /* frees; b may be used again after buf_init */
void buf_reset(struct buf *b);               /* len 0, memory kept, failed cleared */
int buf_reserve(struct buf *b, size_t more); /* room for `more` bytes: 0, ERR_LIMIT, ERR_NOMEM */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_drop(struct buf *b, size_t n); /* removes the first n bytes */
const char *buf_str(const struct buf *b);
char *buf_take(struct buf *b,
               size_t *ret_len); /* caller frees; b is empty afterwards; NULL if failed */

#endif
