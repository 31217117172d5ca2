/* rules: Prometheus rule files, evaluated on their groups' intervals: recording rules write series,
 * alerting rules become events with code "rule.NAME" (EVENT_BEGIN when firing, EVENT_END when over)
 * at the entity their labels name, and ALERTS series. The knowledge base's metric and delta signals
 * are rules too (generated, never shown as files). */
#ifndef ANALYZER_RULES_H
#define ANALYZER_RULES_H

#include "analyzer/analyzer.h"
#include "base/event.h"
#include "store/topo.h"

struct rules;
int rules_new(const struct analyzer_config *cfg, struct rules **ret,
              struct err *err); /* a broken file: file, line, sentence */
void rules_free(struct rules *r);
int rules_turn(struct rules *r, struct topo *t, int64_t now_ms,
               void (*emit)(void *ctx, const struct event *ev), void *ctx);
/* Answers of /prometheus/api/v1/rules and /alerts (the "data" member). type: alert, record, NULL
 * for both. Thread-safe. */
void rules_json(struct rules *r, const char *type, struct buf *out);
void rules_alerts_json(struct rules *r, struct buf *out);
/* Unit tests of rules in promtool's file format; returns the number of failures, text in out. */
int rules_test_file(const char *path, struct buf *out, struct err *err);

struct rules *analyzer_rules(struct analyzer *a);

#endif
