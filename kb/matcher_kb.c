/* matcher_kb: a matcher of a loaded knowledge base. Apart from matcher.c so that an agent links no
 * loader. */
#include "kb/matcher_inside.h"

#include <stdlib.h>

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
