/* matcher_inside: the pattern database as it lies in memory and in bytes, for matcher.c and
 * matcher_build.c.
 *
 *   header    "MSPM", u32: version, patterns, entries, families, codes, pool length, hs offset, hs
 * length; u64 hash patterns  u32 each: text, entry, source set, flags, family + 1 (0: none); best
 * (most specific) first entries   u32 each: id, scope word, severity families  u32 each: first
 * code, count of codes codes     u32 each: code, entry (all ones: none); by strcmp within a family;
 * "*" is for all others pool      0-terminated strings hs        the serialized Vectorscan
 * database, at a multiple of 64; pattern ids are places in patterns
 *
 * All little endian. The hash is of everything between header and hs: of what is matched, not of
 * the library's version. A database of another version or processor is made anew from the patterns.
 */
#ifndef KB_MATCHER_INSIDE_H
#define KB_MATCHER_INSIDE_H

#include "base/buf.h"
#include "base/err.h"
#include "kb/matcher.h"

#define MATCHER_VERSION      1u
#define MATCHER_HEADER       48u
#define MATCHER_PATTERN_SIZE 20u
#define MATCHER_ENTRY_SIZE   12u
#define MATCHER_FAMILY_SIZE  8u
#define MATCHER_CODE_SIZE    8u
#define MATCHER_MAX          (256u << 20)
#define MATCHER_NONE         UINT32_MAX

enum {
    MATCHER_KERNEL = 1,
    MATCHER_JOB = 2,
    MATCHER_SYSLOG = 4,
    MATCHER_SWITCH = 8,
    MATCHER_OTHER = 16,
    MATCHER_ANY = 31,
};
enum { MATCHER_CLEARS = 1 };

static inline uint32_t
matcher_u32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline void
matcher_put_u32(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}

/* All patterns of a knowledge base as bytes. An error names the entry. */
int kb_matcher_build(const struct kb *kb, struct buf *out, struct err *err);
/* Compiles texts into a database (hs_database_t). ret_bad: the place of the pattern at fault, or
 * -1. */
int kb_matcher_compile(const char *const *texts, size_t count, void **ret_db, int *ret_bad,
                       struct err *err);

#endif
