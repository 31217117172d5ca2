/* check_active: a check that asks agents for light tests: what is asked, and how the answers are
 * judged against those of the others.
 *
 * Nobody waits for it here: the tasks lie with the store (store/tasks.h), a document of kind
 * "check" in state running says that there is such a run, and whoever asks for it once all have
 * answered, or CHECK_ACTIVE_MS after it began, has the report made. A node on which a job runs is
 * left out unless the request says otherwise. Each node makes a pair with the next one of the
 * scope, in a ring, so that it is measured twice: what is slow with both is at fault. */
#ifndef ANALYZER_CHECK_ACTIVE_H
#define ANALYZER_CHECK_ACTIVE_H

#include "analyzer/check.h"

#define CHECK_ACTIVE_MS 60000

/* Hands out the tasks; ret_json: {id, state: "running", ...}, stored too. */
int check_active_start(struct store *s, const struct check_request *req, int64_t now_ms,
                       struct buf *ret_json, struct err *err);
/* Of a stored run that is not done: 0 to 1; 1 when its report may be made. */
double check_active_progress(struct store *s, const char *run, int64_t began_ms, int64_t now_ms);

#endif
