/* judge: keeps incidents true to the symptoms: opens, improves, merges, resolves, reopens. One page
 * for one fault. */
#ifndef ANALYZER_JUDGE_H
#define ANALYZER_JUDGE_H

#include "analyzer/analyzer.h"
#include "analyzer/presence.h"
#include "analyzer/symptoms.h"
#include "store/topo.h"

#define JUDGE_HOLD_MS 10000 /* all quiet this long before an incident resolves */
#define JUDGE_CALM_MS                                                                              \
    120000 /* what cannot say that it ended (a line, a trap) is over after this long without       \
              another sign */
#define JUDGE_REOPEN_MS                                                                            \
    600000 /* the same root within this time reopens the incident instead of paging anew */

struct judge;
int judge_new(const struct analyzer_config *cfg, struct judge **ret,
              struct err *err); /* reads what is open in the catalog */
void judge_free(struct judge *j);
/* Judges the table as it stands. Returns how many incidents were written. */
int judge_turn(struct judge *j, struct symptoms *t, struct topo *topo, const struct presence *p,
               int64_t now_ms, struct err *err);
size_t judge_open_count(const struct judge *j);

#endif
