/* fault: what can break, one row a kind, and the faults of this run.
 *
 * A row has up to three functions: begin (once: lines, counters), apply (each step while it lasts:
 * modifiers), end (once). The row also says what a right diagnosis names: the simulator is the
 * ground truth. */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include "base/err.h"
#include "sim/world.h"

#include <stdint.h>

struct fault;

struct fault_row {
    const char *name;
    const char *kind; /* entity kind it is injected at */
    unsigned seconds; /* duration when none is given */
    const char *help; /* one sentence */
    void (*begin)(struct world *w, struct fault *f);
    void (*apply)(struct world *w, struct fault *f, double progress, double dt);
    void (*end)(struct world *w, struct fault *f);
    const char *truth_kinds; /* entity kinds a right diagnosis may name first, best first */
    const char *truth_class; /* classes, best first */
    const char *truth_verdict;
};

enum fault_phase { FAULT_WAITING, FAULT_ACTIVE, FAULT_DONE };

struct fault {
    const struct fault_row *row;
    int64_t at_ms, end_ms;
    char entity[192]; /* full: "gpu:node00001/3" */
    uint32_t i;       /* index of its kind */
    enum fault_phase phase;
    int64_t next_ms; /* of whatever the row repeats */
    uint32_t said;   /* bits: what was said already */
    double memo[2];
};

size_t fault_row_count(void);
const struct fault_row *fault_row_at(size_t i);
const struct fault_row *fault_row_find(const char *name);

/* "NAME@TIME[+DURATION][:ENTITY]": TIME is a duration from the start or RFC 3339; without ENTITY
 * one is chosen. ENTITY with or without its "kind:". 0 or ERR_USAGE, ERR_NOTFOUND, ERR_LIMIT with a
 * sentence. */
int fault_add_text(struct world *w, const char *text, struct err *err);
/* entity NULL: one is chosen; seconds 0: the row's. Returns the fault's number. */
int fault_add(struct world *w, const char *name, const char *entity, int64_t at_ms,
              int64_t duration_ms, struct err *err);
/* Ends matching faults (NULL matches all). Returns their count. */
int fault_clear(struct world *w, const char *name, const char *entity);
void fault_step(struct world *w, double dt);

/* 1 when the repetition is due: sets the next one. */
int fault_due(struct world *w, struct fault *f, double seconds);
/* Rows of the four families, ended by one without a name. */
extern const struct fault_row fault_rows_gpu[], fault_rows_net[], fault_rows_host[],
    fault_rows_site[];

#endif
