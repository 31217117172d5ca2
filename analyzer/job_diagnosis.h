/* job_diagnosis: why a job died: the incident that names it, else an answer reasoned from what
 * happened around its end. */
#ifndef ANALYZER_JOB_DIAGNOSIS_H
#define ANALYZER_JOB_DIAGNOSIS_H

#include "base/buf.h"
#include "base/err.h"
#include "kb/kb.h"
#include "store/store.h"

/* The diagnosis of CONTRACT.md as JSON, with `job` and `incident` (its id, or null) besides. tenant
 * NULL: all may ask. Several incidents may name the job: the surest that was there when it ended
 * counts, the latest of equals. ERR_NOTFOUND: there is no such job. */
int job_diagnosis(struct store *s, const struct kb *kb, const char *job, const char *tenant,
                  int64_t now_ms, struct buf *out, struct err *err);

#endif
