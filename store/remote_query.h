/* remote_query: PromQL over an engine elsewhere. Insiders (store/promql) only. */
#ifndef STORE_REMOTE_QUERY_H
#define STORE_REMOTE_QUERY_H

#include "store/promql/promql.h"

struct remote_span {
    int64_t from_ms, to_ms, step_ms;
    bool range; /* else at from_ms alone */
};
/* 0 and the answer, an error, or 1: the store's own files hold all that the query looks at, or the
 * evaluation reads what it needs. */
int remote_promql(struct store *s, const struct promql *q, const struct remote_span *span,
                  const struct promql_options *o, struct promql_result *ret, struct err *err);

#endif
