/* reason: from symptoms to ranked causes.
 *
 * A symptom is one (entity, code) with its times and count: events coalesce before they come here.
 * A hypothesis is a knowledge-base entry at an entity. What a hypothesis makes appear follows the
 * entries' causes along typed relation paths, several steps deep; what was seen of that counts for
 * it (noisy-OR over the paths, against the background rate as leak, by kinds of symptom so that a
 * flood of one kind does not outweigh variety), what was due, observable and not seen counts
 * against it, what could not be observed counts for nothing. Delays enter as densities blurred by
 * clock uncertainty. Rivals always compete: "unknown" has a fixed score. Symptoms are split into
 * cases greedily: the best hypothesis takes what it explains, then the next, so that two faults
 * make two cases.
 *
 * Load: up to REASON_SYMPTOMS symptoms (the caller coalesces floods), candidates up to
 * REASON_CANDIDATES. */
#ifndef ANALYZER_REASON_H
#define ANALYZER_REASON_H

#include "analyzer/diagnosis.h"
#include "base/entity.h"
#include "kb/kb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASON_SYMPTOMS   20000
#define REASON_CANDIDATES 4000
#define REASON_REACH      4096 /* entities one walk may reach */

struct symptom {
    const char *entity;
    const struct kb_entry *entry;
    int64_t first_ms, last_ms, end_ms; /* end_ms 0: still there */
    unsigned count;
    const char *source, *text, *node, *job;
    bool sampled; /* seen by sampling: its onset may be a collection interval late */
};

/* How entities hang together, and what can be seen: the topology of a server, or what file names
 * tell offline. */
struct world {
    size_t (*walk)(void *ctx, const char *from, const enum entity_kind *kinds, size_t n, size_t max,
                   void (*cb)(void *cb_ctx, const char *entity), void *cb_ctx);
    bool (*observable)(void *ctx, const char *entity,
                       const struct kb_entry *symptom); /* would it have been seen by now? */
    int64_t (*spoke)(void *ctx, const char *entity); /* when it last reported; NULL, 0: unknown */
    bool (*planned)(void *ctx, const char *entity);  /* in maintenance */
    void *ctx;
};

struct reason_options {
    int64_t now_ms;
    int64_t blur_ms;     /* clock uncertainty between reporters; 0: 5 s */
    int64_t sampling_ms; /* onset uncertainty of sampled symptoms; 0: 45 s */
    const char *focus;   /* an entity (a job) that the answer must concern; NULL: all */
};

struct reason_case {
    struct diagnosis *diagnosis;
    size_t *symptoms;
    size_t symptom_count; /* indices, those the first hypothesis explains */
    bool planned;         /* its root is in maintenance */
    bool seen;            /* the first hypothesis' own sign was */
    bool early;   /* it would take more than is seen yet, and what is missing may only be late */
    bool telling; /* a root was itself seen, or is inferred from two places: may open at once */
};
struct reason_cases {
    struct reason_case *at;
    size_t count;
};

/* A user's error is kept by the rank that printed it, so that the one rank that differs can be
 * named: rewrites entity when the entry is of a user-* class and the rank is known. */
void symptom_of_rank(const struct kb_entry *e, const char *job, int rank, char entity[ENTITY_SIZE]);

/* Splits into cases, best first. 0, ERR_NOMEM, ERR_LIMIT. */
int reason_cases(const struct kb *kb, const struct world *w, const struct symptom *s, size_t n,
                 const struct reason_options *o, struct reason_cases *ret);
void reason_cases_done(struct reason_cases *c);
/* One answer over all symptoms: for a job or a text. */
int reason_one(const struct kb *kb, const struct world *w, const struct symptom *s, size_t n,
               const struct reason_options *o, struct diagnosis **ret);

/* The jobs that an entity's failure can hurt: cb for each, as "job:ID", perhaps more than once. */
void reason_walk_jobs(const struct world *w, const char *entity, size_t max,
                      void (*cb)(void *ctx, const char *job), void *ctx);

#endif
