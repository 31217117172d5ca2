/* jobs: what other resources show of jobs. */
#ifndef WEB_JOBS_H
#define WEB_JOBS_H

#include "web/job_item.h"

/* Writes running jobs that are minor or worse, worst first, at most `limit`, as items of the array
 * that is open; returns how many. ret_all (may be NULL): how many there are. */
size_t jobs_suffering(struct jsonw *w, struct job_item_view *iv, const char *tenant, size_t limit,
                      size_t *ret_all);

#endif
