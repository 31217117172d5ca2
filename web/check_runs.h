/* check_runs: checks on threads of their own, so that a long one is answered by its id first. */
#ifndef WEB_CHECK_RUNS_H
#define WEB_CHECK_RUNS_H

#include "analyzer/check.h"
#include "base/httpd.h"

#include <stdbool.h>

struct web;
struct check_runs;
int check_runs_new(struct web *w, struct check_runs **ret, struct err *err);
void check_runs_free(struct check_runs *r); /* waits for what still runs */
/* Runs req and waits for it, at most wait_ms; 0 never waits. The report is in out and 1 is
 * returned; or, while it goes on, what is known of it so far, and 0; or a negative code. With all
 * places taken it runs on the caller's thread, whatever wait_ms says. */
int check_runs_start(struct check_runs *r, const struct check_request *req, int64_t wait_ms,
                     struct buf *out, struct err *err);
/* A run that goes on or that failed after its id was given: true, and the answer is in resp. */
bool check_runs_answer(struct check_runs *r, const struct httpd_request *req, const char *id,
                       struct httpd_response *resp);

#endif
