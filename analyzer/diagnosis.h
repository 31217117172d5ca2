/* diagnosis: the answer's shape (CONTRACT.md, "Diagnosis"), owned by one arena, and its JSON.
 *
 * verdict: unknown where the first hypothesis is below one half or its class is unknown; user for
 * user-* classes; infrastructure for all others. hypotheses are ranked, one to ten. */
#ifndef ANALYZER_DIAGNOSIS_H
#define ANALYZER_DIAGNOSIS_H

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/map.h"
#include "kb/kb.h"

#include <stdint.h>

#define DIAGNOSIS_HYPOTHESES 10
#define DIAGNOSIS_EVIDENCE   64
#define DIAGNOSIS_MISSING    8
#define DIAGNOSIS_VICTIMS    256

enum verdict { VERDICT_UNKNOWN, VERDICT_INFRASTRUCTURE, VERDICT_USER };
const char *verdict_word(enum verdict v);

struct evidence {
    int64_t time_ms;
    const char *entity, *signal, *source, *text;
    double weight;  /* log-likelihood it adds, natural units */
    unsigned count; /* how many such were coalesced */
};

struct missing {
    const char *signal;
    struct kb_text why;
};

struct hypothesis {
    const struct kb_entry *entry; /* NULL: cause/class_name/summary given instead */
    const char *cause, *class_name, *entity;
    double confidence, score;
    struct kb_text summary, next_test;
    struct evidence *evidence;
    size_t evidence_count;
    struct missing *missing;
    size_t missing_count;
    const struct kb_text *actions;
    size_t action_count;
};

struct diagnosis {
    enum verdict verdict;
    double confidence;
    struct hypothesis hypotheses[DIAGNOSIS_HYPOTHESES];
    size_t hypothesis_count;
    const char **victims;
    size_t victim_count;
    int64_t from_ms, to_ms;
    struct arena *arena; /* owns all texts */
};

struct diagnosis *diagnosis_new(void);
void diagnosis_free(struct diagnosis *d);
/* Sets verdict and confidence from the ranked hypotheses. */
void diagnosis_conclude(struct diagnosis *d);
/* The members of a diagnosis, into an object that is already open (an incident has more). */
void diagnosis_members(const struct diagnosis *d, struct jsonw *w);
void diagnosis_json(const struct diagnosis *d, struct buf *out);
/* For a terminal: lang en or zh. */
void diagnosis_text(const struct diagnosis *d, const char *lang, bool colour, struct buf *out);

#endif
