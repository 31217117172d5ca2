/* jobs: the job documents of CONTRACT.md, checked, stored as catalog kind "job", with their state
 * changes as a feed. */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "base/doc.h"
#include "store/store.h"

enum job_state {
    JOB_PENDING,
    JOB_RUNNING,
    JOB_COMPLETED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_TIMEOUT,
    JOB_NODE_FAIL,
    JOB_STATES
};
const char *job_state_word(enum job_state s);
int job_state_find(const char *word);

struct job { /* strings owned; job_done frees */
    char *id, *name, *user, *tenant, *nodes,
        *json; /* json: the whole document with unknown members kept */
    enum job_state state;
    unsigned gpus_per_node;
    int64_t start_ms, end_ms; /* 0: null */
    int exit_code;
    bool has_exit_code;
};
void job_done(struct job *j);
/* PUT: creates or replaces. PATCH: merges members (RFC 7396). ret_before/ret_after state for
 * triggers (may be NULL). Runs before the present one are kept in "runs" by either: [{start, end,
 * state, nodes, exit_code}], oldest first, at most 50. */
int job_put(struct store *s, const char *id, const char *json, size_t len, bool merge,
            struct job *ret, struct err *err);
int job_get(struct store *s, const char *id, struct job *ret, struct err *err);
int job_parse(const char *id, const struct doc_node *n, const struct doc *d, struct job *ret,
              struct err *err);
/* On the writer's thread after a job's document changed; before is JOB_STATES for a new one. The
 * callback copies and returns; it may read the store, not write. */
int job_watch(struct store *s, void (*cb)(void *ctx, const struct job *j, enum job_state before),
              void *ctx);

#endif
