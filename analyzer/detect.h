/* detect: findings from series: thresholds, flaps, absence, stragglers among peers, hangs. One
 * table of detectors; a row has the code it reports, its period, its help. A finding begins and
 * ends: both are events (source "detector"). */
#ifndef ANALYZER_DETECT_H
#define ANALYZER_DETECT_H

#include "analyzer/analyzer.h"
#include "analyzer/presence.h"
#include "base/event.h"
#include "store/topo.h"

struct detectors;
struct detectors *detectors_new(const struct analyzer_config *cfg);
void detectors_free(struct detectors *d);
/* Runs the rows that are due at now_ms. emit is called for each beginning and end. Returns how
 * many, or negative. */
int detectors_turn(struct detectors *d, struct topo *t, struct presence *p, int64_t now_ms,
                   void (*emit)(void *ctx, const struct event *ev), void *ctx);
/* After a restart: a finding that began before and has not ended. */
void detectors_resume(struct detectors *d, const struct event *began);
/* What switches say themselves, between two samples: each line or trap of a port that goes down
 * counts for a flap. */
void detectors_event(struct detectors *d, const struct event *ev);
void detectors_table_json(struct buf *out);

#endif
