/* incident_doc: the incident's document as the analyzer keeps it: made from a case, read back at
 * start, changed by people.
 *
 * The document is the API's object. What people did (history, feedback, acknowledgement) is carried
 * over from the former document as it is; the rest is written anew from the case. */
#ifndef ANALYZER_INCIDENT_DOC_H
#define ANALYZER_INCIDENT_DOC_H

#include "analyzer/diagnosis.h"
#include "base/buf.h"
#include "base/doc.h"

#include <stdint.h>

#define INCIDENT_ID_SIZE 40

enum incident_state { INCIDENT_OPEN, INCIDENT_ACKNOWLEDGED, INCIDENT_RESOLVED };
const char *incident_state_word(enum incident_state s);
int incident_state_find(const char *word);

struct incident_facts {
    const char *id;
    enum incident_state state;
    enum severity severity;
    int64_t opened_ms, updated_ms, resolved_ms;
    const char *const *jobs;
    size_t job_count;
    const uint64_t *events;
    size_t event_count;
    const char *tenant;
    const char *action, *action_user, *action_text; /* one row added to the history, NULL: none */
};
/* `before` is the former document's root, NULL for a new incident. */
int incident_doc_write(const struct incident_facts *f, const struct diagnosis *d,
                       const struct doc_node *before, struct buf *out);
/* Copies the document with members replaced: state, updated, resolved, acknowledged_by, a history
 * row, a feedback row. NULL or negative: as it was. Used by people's actions and by resolution. */
struct incident_change {
    int state; /* enum incident_state, -1: as it was */
    int64_t now_ms;
    const char *action, *user, *text;
    const char *feedback_json; /* a row for "feedback", NULL: none */
    const char *merged_into;
};
int incident_doc_change(const struct doc_node *before, const struct incident_change *c,
                        struct buf *out);
/* Any node as JSON. */
void incident_doc_copy(const struct doc_node *n, struct jsonw *w);

#endif
