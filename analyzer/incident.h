/* incident: a diagnosis with a life: open, acknowledged, resolved. Catalog kind "incident"; id
 * "inc-YYYYMMDD-N".
 *
 * The document is CONTRACT.md's incident object as JSON; key is the first hypothesis' entity, state
 * the state, time opened. */
#ifndef ANALYZER_INCIDENT_H
#define ANALYZER_INCIDENT_H

#include "base/err.h"
#include "base/httpd.h"
#include "store/store.h"

/* By people. `who` is the user's name. Each change is kept in the incident's "log": [{time, who,
 * action, text}]. */
int incident_acknowledge(struct store *s, const char *id, const char *who, struct err *err);
int incident_resolve(struct store *s, const char *id, const char *who, const char *why,
                     struct err *err);
int incident_comment(struct store *s, const char *id, const char *who, const char *text,
                     struct err *err);
/* right or wrong, and what it really was (cause and entity may be ""). Kept as kind "feedback" too.
 */
int incident_feedback(struct store *s, const char *id, const char *who, bool right,
                      const char *cause, const char *entity, const char *text, struct err *err);

#endif
