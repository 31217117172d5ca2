/* logs: the kernel's log and files of jobs, matched against the knowledge base on the node.
 *
 * A line that matches becomes an event that leaves at once, with the ten lines before and behind it
 * of the same source. Other lines follow at low priority and within a rate, or stay here, as
 * configured. A storm of one event is thinned: some of each (entity, code), the rest is counted. */
#ifndef AGENTS_LOGS_H
#define AGENTS_LOGS_H

#include "agents/agent.h"
#include "agents/outbox.h"

struct logs;
/* root: "" is this machine's own. All is kept by reference; state_dir keeps the place in the
 * kernel's log. */
int logs_new(const struct agent_conf *conf, const char *root, const char *node,
             const char *state_dir, struct outbox *o, const struct log *log, struct logs **ret,
             struct err *err);
int logs_start(struct logs *l, struct err *err);
void logs_free(struct logs *l); /* ends the thread, hands on what waits */

/* One line, as the sources hand it on; for tests. source: kernel or job; time_ms 0: by the line's
 * head, else now. */
void logs_line(struct logs *l, const char *source, const char *path, char *line, size_t len,
               int64_t time_ms, enum severity severity);
void logs_flush(struct logs *l);

struct logs_counts {
    uint64_t lines, matched, thinned, held_back; /* held_back: beyond the rate */
};
void logs_counts(const struct logs *l, struct logs_counts *ret);

/* The job that a file's name tells: slurm-4711.out, job_4711.log; "" if none. */
const char *logs_job(const char *path, char out[32]);

#endif
