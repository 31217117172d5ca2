/* intake: what the store took in, handed from its writer's thread to the analyzer's: events, log
 * lines, job changes.
 *
 * Bounded at INTAKE_MAX bytes; beyond, log lines are dropped first (counted: they are in the store,
 * but unmatched), events last. One producer side (any thread), one consumer. */
#ifndef ANALYZER_INTAKE_H
#define ANALYZER_INTAKE_H

#include "base/event.h"
#include "store/jobs.h"
#include "store/store.h"

#define INTAKE_MAX ((size_t)64 << 20)

enum intake_kind { INTAKE_EVENT, INTAKE_LOG, INTAKE_JOB };
struct intake_item {
    struct intake_item *next;
    enum intake_kind kind;
    uint64_t id;        /* event's */
    struct event event; /* texts live behind the item */
    struct log_line line;
    enum job_state before, after; /* INTAKE_JOB: event.job, event.time_ms, event.text are filled */
    size_t size;
};

struct intake;
int intake_new(struct store *s, struct intake **ret, struct err *err); /* subscribes */
void intake_free(struct intake *q);
/* Waits until something is there or the time is up; returns the whole list, oldest first (NULL:
 * nothing). */
struct intake_item *intake_take(struct intake *q, int64_t wait_ms);
void intake_items_free(struct intake_item *list);
void intake_wake(struct intake *q);
uint64_t intake_dropped(const struct intake *q);
int64_t intake_newest_ms(const struct intake *q); /* newest time of data seen, 0 none */

#endif
