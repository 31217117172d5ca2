/* symptoms: the table of what is wrong now, one row an (entity, code), coalesced from events.
 *
 * A row is active until its end event, a clearing event, or quiet for its entry's `clears: after`
 * (10 min by default); it stays MEMORY longer, so that effects reported late still find their
 * cause, and as long as an open incident holds it: what began a fault is said once, and is still
 * its reason when only the consequences go on. At most SYMPTOMS_MAX rows; beyond, instant rows of
 * info severity are dropped first, then everything new is counted and refused. One thread. */
#ifndef ANALYZER_SYMPTOMS_H
#define ANALYZER_SYMPTOMS_H

#include "analyzer/reason.h"
#include "base/event.h"

#define SYMPTOMS_MAX       20000
#define SYMPTOMS_MEMORY_MS 600000
#define SYMPTOMS_QUIET_MS  600000

struct symptom_row {
    struct symptom s; /* texts owned by the row */
    char *entity, *source, *text, *node, *job;
    bool held;          /* by an open incident: not forgotten while there is room */
    bool ongoing;       /* began by EVENT_BEGIN: ends by EVENT_END, not by quiet */
    char incident[40];  /* that it belongs to, "" none */
    uint64_t events[4]; /* ids of its first events, 0: none */
};

struct symptoms;
struct symptoms *symptoms_new(const struct kb *kb);
void symptoms_free(struct symptoms *t);
/* 1 when the table changed in a way that matters for judgement (new row, row ended), 0 when only a
 * count grew or the code is not in the knowledge base, ERR_LIMIT, ERR_NOMEM. */
int symptoms_event(struct symptoms *t, const struct event *ev, uint64_t id);
/* Ends quiet rows, forgets old ones. 1 when something ended. */
int symptoms_turn(struct symptoms *t, int64_t now_ms);
size_t symptoms_count(const struct symptoms *t);
struct symptom_row *symptoms_at(struct symptoms *t, size_t i); /* until the next event or turn */
struct symptom_row *symptoms_find(struct symptoms *t, const char *code, const char *entity);
uint64_t symptoms_refused(const struct symptoms *t);

#endif
