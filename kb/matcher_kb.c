/* matcher_kb: a matcher of a loaded knowledge base. Apart from matcher.c so that an agent links no
 * loader. */
#include "kb/kb.h"
#include "kb/matcher_inside.h"

#include <stdlib.h>
#include <string.h>

#define MATCHER_NARROW 64 /* matches of one line that are compared */

int
kb_matcher_new(const struct kb *kb, struct kb_matcher **ret, struct err *err)
{
    struct buf b;
    buf_init(&b, MATCHER_MAX);
    int rc = kb_matcher_build(kb, &b, err);
    if (!rc)
        rc = kb_matcher_deserialize(b.data, b.len, ret, err);
    buf_done(&b);
    return rc;
}

static bool
matcher_yields(const struct kb *kb, const struct kb_match *to, const char *id)
{
    const struct kb_entry *e = to->clears ? NULL : kb_find(kb, to->id);
    for (size_t i = 0; e && e->overlaps && e->overlaps[i]; i++)
        if (strcmp(e->overlaps[i], id) == 0)
            return true;
    return false;
}

size_t
kb_match_narrow(const struct kb *kb, struct kb_match *m, size_t n)
{
    bool gone[MATCHER_NARROW] = {false};
    size_t left = 0;
    if (n > MATCHER_NARROW)
        n = MATCHER_NARROW;
    for (size_t i = 0; n > 1 && i < n; i++)
        for (size_t k = 0; k < n; k++)
            gone[i] |= k != i && !m[i].clears && matcher_yields(kb, &m[k], m[i].id);
    for (size_t i = 0; i < n; i++)
        if (!gone[i])
            m[left++] = m[i];
    return left;
}
