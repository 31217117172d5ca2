/* jsonw: writes JSON straight into a buf, no tree. Commas are placed by the writer.
 *
 * Depth ceiling 64. Invalid UTF-8 in strings is replaced by U+FFFD, so that the output is always
 * valid JSON. NaN and infinities are written as null by jsonw_real. */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct jsonw {
    struct buf *out;
    uint64_t comma; /* bit d: a value was written at depth d */
    unsigned depth;
    bool after_key;
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object(struct jsonw *w);     /* { */
void jsonw_end_object(struct jsonw *w); /* } */
void jsonw_array(struct jsonw *w);
void jsonw_end_array(struct jsonw *w);
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_str(struct jsonw *w, const char *s); /* NULL writes null */
void jsonw_strn(struct jsonw *w, const char *s, size_t n);
void jsonw_int(struct jsonw *w, int64_t v);
void jsonw_real(struct jsonw *w, double v); /* shortest that reads back the same */
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_time(struct jsonw *w, int64_t ms); /* RFC 3339 UTC with ms; 0 writes null */
void jsonw_raw(struct jsonw *w, const char *json, size_t n); /* a value that is JSON already */
/* key and value in one call */
void jsonw_kstr(struct jsonw *w, const char *key, const char *s);
void jsonw_kint(struct jsonw *w, const char *key, int64_t v);
void jsonw_kreal(struct jsonw *w, const char *key, double v);
void jsonw_kbool(struct jsonw *w, const char *key, bool v);
void jsonw_ktime(struct jsonw *w, const char *key, int64_t ms);
/* "key": {"en": en, "zh": zh} */
void jsonw_ktext(struct jsonw *w, const char *key, const char *en, const char *zh);

#endif
