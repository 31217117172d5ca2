/* reason, for insiders: what reason.c works out and reason_answer.c puts into an answer. */
#ifndef ANALYZER_REASON_PRIV_H
#define ANALYZER_REASON_PRIV_H

#include "analyzer/reason.h"
#include "base/map.h"

/* What is known of an entry at a place: a symptom's number + 1; of ranks' the first, then chained
 * in r->next. */
struct reason_known {
    const struct kb_entry *entry;
    size_t number;
    struct reason_known *next;
};

/* What a path reaches from a place. */
struct reason_walk {
    uint64_t path;
    struct reason_place **at;
    size_t count;
    struct reason_walk *next;
};

/* An entity of this run. The lists are short: what was seen there, what its ranks printed, the
 * paths that were walked from it. */
struct reason_place {
    const char *name;
    enum entity_kind kind;
    struct reason_known *seen, *ranks;
    struct reason_walk *walks;
};

/* An entry's causes as this run follows them. */
struct reason_cause {
    const struct kb_cause *cause;
    bool leads; /* to something that was seen */
};
struct reason_effects {
    struct reason_cause *at; /* those that lead first */
    size_t count, leading;
};

struct explained {
    size_t symptom;
    double strength;
};

struct candidate {
    const struct kb_entry *entry;
    struct reason_place *place;
    const char *entity;        /* the place's name */
    const struct symptom *own; /* its own signal, where it was seen */
    size_t own_index;
    bool observable; /* not seen, though telemetry of its entity is fresh */
    struct explained *explained;
    size_t explained_count, explained_cap;
    double against; /* log units, for what was due and not seen */
    const struct kb_cause *absent[DIAGNOSIS_MISSING];
    size_t absent_count;
    size_t seen_kinds, seen_places;
    bool whole; /* of some kind of effect half of what it takes is there */
    bool early; /* of an unseen one: more would be missing if it were not so soon */
    double score, confidence;
    double common; /* log units that it gains as what several roots have in common */
};

struct reason_step;

struct reason {
    const struct kb *kb;
    const struct world *world;
    const struct symptom *symptoms;
    size_t count;
    struct reason_options options;
    struct map *places;  /* by name, of reason_place.c */
    size_t *next;        /* job, entry -> the first rank's symptom number + 1 of a job-wide entry;
                            then chained */
    size_t *slot;        /* of a symptom, its place + 1 among what the candidate at work explains */
    struct map *leads;   /* entries that can lead to something seen */
    struct map *effects; /* of an entry */
    struct map *by_key;  /* place, entry -> candidate */
    struct candidate **candidates;
    size_t candidate_count;
    bool *taken; /* symptoms that a former case explains */
    struct reason_step *queue;
    bool built; /* all candidates are expanded */
    struct arena *arena;
};

/* The place of a name, made when it is new; NULL only without memory. */
struct reason_place *reason_place(struct reason *r, const char *entity);
/* Makes a symptom known at its place, or among the ranks of a job's. */
int reason_place_symptom(struct reason *r, struct reason_place *p, size_t symptom);
int reason_place_rank(struct reason *r, struct reason_place *job, size_t symptom);
/* What a path (n kinds, the first is the place's own) reaches, up to REASON_REACH places; NULL only
 * without memory. */
const struct reason_walk *reason_place_walk(struct reason *r, struct reason_place *from,
                                            const enum entity_kind *path, size_t n);
const struct symptom *reason_seen(const struct reason *r, const struct kb_entry *e,
                                  const struct reason_place *p, size_t *ret_index);
/* A rank's symptom number + 1 of a job-wide entry, 0 none; the next ones in r->next. */
size_t reason_first_rank(const struct kb_entry *e, const struct reason_place *p);
void reason_score(const struct reason *r, struct candidate *c);
/* The answer with `best` first and its rivals behind, over the symptoms not taken. */
int reason_answer(const struct reason *r, const struct candidate *best, struct diagnosis **ret);

struct candidate *reason_candidate(struct reason *r, const struct kb_entry *e,
                                   struct reason_place *place);
/* Scores anew and makes a case of what `best` explains of the symptoms that are not taken. */
int reason_again(struct reason *r, struct candidate *best, struct reason_case *ret);
/* Puts cases under what their roots have in common; `best` as for reason_kin. */
int reason_common(struct reason *r, const struct candidate **best, struct reason_cases *cases);

/* Joins cases that are one fault; `best` are their first candidates, in the same order. */
bool reason_near(
    const char *a,
    const char *b); /* the same part, what holds it, or the other names of its end of a cable */
int reason_kin(const struct reason *r, const struct candidate **best, struct reason_cases *cases);

#endif
