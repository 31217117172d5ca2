/* job_item: a job as the API shows it: its document, health, score, incidents, key values. */
#ifndef WEB_JOB_ITEM_H
#define WEB_JOB_ITEM_H

#include "base/jsonw.h"
#include "store/catalog.h"
#include "web/view.h"
#include "web/web_priv.h"

/* What one answer about jobs needs; filled by job_item_begin. */
struct job_item_view {
    struct store *store;
    struct view *v, *before; /* before: an hour ago, NULL when it could not be had */
    struct arena *arena;
    struct job_item_past {
        const char *job, *incident;
    } * past; /* incidents of jobs that have ended */
    size_t past_count, past_cap;
};
/* past_from_ms: also reads which incidents named jobs since then, for jobs that have ended; 0: does
 * not. */
int job_item_begin(struct web *web, int64_t at_ms, int64_t past_from_ms, struct job_item_view *ret,
                   struct err *err);
void job_item_end(struct job_item_view *iv);

/* A job document (JSON) as JOB. Text that is no job gives ERR_CORRUPT and writes nothing. */
int job_item_write(struct jsonw *w, struct job_item_view *iv, const char *json, size_t len);
/* Only its `kpi` value. */
void job_item_kpi(struct jsonw *w, struct job_item_view *iv, const char *id);
enum health job_item_health(struct job_item_view *iv, const char *id, const char *state,
                            double *ret_score); /* score NaN: none */

#endif
