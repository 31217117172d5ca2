/* reason, for insiders: what reason.c works out and reason_answer.c puts into an answer. */
#ifndef ANALYZER_REASON_PRIV_H
#define ANALYZER_REASON_PRIV_H

#include "analyzer/reason.h"
#include "base/map.h"

struct explained {
    size_t symptom;
    double strength;
};

struct candidate {
    const struct kb_entry *entry;
    const char *entity;
    const struct symptom *own; /* its own signal, where it was seen */
    size_t own_index;
    bool observable; /* not seen, though telemetry of its entity is fresh */
    struct explained *explained;
    size_t explained_count, explained_cap;
    double against; /* log units, for what was due and not seen */
    const struct kb_cause *absent[DIAGNOSIS_MISSING];
    size_t absent_count;
    size_t seen_kinds, seen_places;
    double score, confidence;
};

struct reason_step;

struct reason {
    const struct kb *kb;
    const struct world *world;
    const struct symptom *symptoms;
    size_t count;
    struct reason_options options;
    struct map *index; /* code, entity -> symptom number + 1 */
    struct map *of_job;
    size_t *next;      /* code, job -> the first rank's symptom number + 1 of a job-wide entry; then
                          chained */
    struct map *leads; /* entry ids that can lead to something seen */
    struct map *by_key; /* code, entity -> candidate */
    struct candidate **candidates;
    size_t candidate_count;
    bool *taken; /* symptoms that a former case explains */
    struct reason_step *queue;
    struct arena *arena;
};

const struct symptom *reason_seen(const struct reason *r, const char *code, const char *entity,
                                  size_t *ret_index);
void reason_score(const struct reason *r, struct candidate *c);
/* The answer with `best` first and its rivals behind, over the symptoms not taken. */
int reason_answer(const struct reason *r, const struct candidate *best, struct diagnosis **ret);

/* Joins cases that are one fault; `best` are their first candidates, in the same order. */
bool reason_near(
    const char *a,
    const char *b); /* the same part, what holds it, or the other names of its end of a cable */
int reason_kin(const struct reason *r, const struct candidate **best, struct reason_cases *cases);

#endif
