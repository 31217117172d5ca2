/* matcher: every pattern of every entry in one pass over a line.
 *
 * Vectorscan finds candidates, PCRE2 confirms and captures, with match, depth and heap limits, a
 * line length ceiling (64 KiB) and a time budget. The compiled database of the built-in entries is
 * inside the program, mapped read-only. The agents' floor may include this header and nothing else
 * of kb. A matcher is read-only; a scratch belongs to one thread. */
#ifndef KB_MATCHER_H
#define KB_MATCHER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kb;
struct kb_matcher;
struct kb_scratch;

struct kb_capture {
    const char *name;
    const char *text;
    size_t len;
};
struct kb_match {
    const char *id; /* the entry's */
    enum severity severity;
    const char *scope;              /* word of the entity kind */
    bool clears;                    /* the line ends the entry's event */
    struct kb_capture captures[16]; /* named ones that took part; text points into the line */
    size_t capture_count;
};

/* Built-in patterns, without loading kb: for the agent. */
int kb_matcher_builtin(struct kb_matcher **ret, struct err *err);
int kb_matcher_new(const struct kb *kb, struct kb_matcher **ret, struct err *err);
/* Leaves out matches of entries that give way to another one of the same line (its `overlaps`).
 * Returns how many are left, in their order. */
size_t kb_match_narrow(const struct kb *kb, struct kb_match *m, size_t n);
/* As bytes, to hand to agents by hash; and back. */
int kb_matcher_serialize(const struct kb_matcher *m, struct buf *out);
int kb_matcher_deserialize(const void *data, size_t len, struct kb_matcher **ret, struct err *err);
uint64_t kb_matcher_hash(const struct kb_matcher *m);
void kb_matcher_free(struct kb_matcher *m);
struct kb_scratch *kb_scratch_new(const struct kb_matcher *m);
void kb_scratch_free(struct kb_scratch *s);
/* How often a ceiling stopped something: line length, candidates, steps of an expression, time of a
 * line. */
uint64_t kb_scratch_limits(const struct kb_scratch *s);

/* source: kernel, job, syslog, switch, any. Best matches first (at most `size`); returns the count.
 * Counts limit hits. */
size_t kb_match_line(const struct kb_matcher *m, struct kb_scratch *s, const char *line, size_t len,
                     const char *source, struct kb_match *ret, size_t size);
/* The fields of a match as a JSON object of captures (for struct event.fields). */
int kb_match_fields(const struct kb_match *match, struct buf *out);
/* The entity a match is about: the entry's scope with the captures node, gpu, nic, port, switch,
 * nvswitch, dpu, rank, job, and with the line's node, job and rank as context. 0, or ERR_NOTFOUND
 * when a part is not known; then out is the node's, else the job's entity, else "". A GPU named by
 * its PCI address alone is such a case: out is its node, the address is the field "pci", and the
 * analyzer finds the index in the inventory. A port's owner is the capture switch, else the line's
 * node, which for a switch's own log is the switch. */
int kb_match_entity(const struct kb_match *match, const char *node, const char *job, int rank,
                    char *out, size_t size);

#endif
