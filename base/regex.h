/* regex: PCRE2 with limits (match, depth, heap), JIT where there is one. Safe for hostile subjects.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    REGEX_ANCHORED = 1,
    REGEX_CASELESS = 2,
    REGEX_UTF = 4
}; /* ANCHORED: the whole subject, as Prometheus */

#define REGEX_CAPTURES_MAX 32
struct regex;
struct regex_capture {
    const char *name; /* "" for unnamed groups */
    const char *text; /* into the subject, NULL when the group did not take part */
    size_t len;
};
int regex_compile(const char *pattern, size_t len, unsigned flags, struct regex **ret,
                  struct err *err);
void regex_free(struct regex *r);
/* 1 match, 0 none, ERR_LIMIT when a limit stopped it. Thread-safe. captures may be NULL; [0] is the
 * whole match. */
int regex_match(const struct regex *r, const char *subject, size_t len,
                struct regex_capture *captures, size_t *ret_count);

#endif
