/* rules, for insiders: rules in groups, the instances of an alert, the template language. */
#ifndef ANALYZER_RULES_PRIV_H
#define ANALYZER_RULES_PRIV_H

#include "analyzer/rules.h"
#include "base/doc.h"
#include "base/map.h"
#include "store/promql/promql.h"

#include <pthread.h>

#define RULES_INTERVAL_MS 15000
#define RULES_MAX         10000 /* of all files */
#define RULES_INSTANCES   10000 /* of one rule: beyond, the rule is in error */
#define RULES_PAIRS       32    /* labels, annotations of one rule */

struct rule_pair {
    const char *name, *value;
};

enum rule_state { RULE_INACTIVE, RULE_PENDING, RULE_FIRING };

struct rule_instance {
    struct labels *labels; /* of the alert: the result's without its name, the rule's, alertname;
                              texts follow */
    struct rule_pair annotations[RULES_PAIRS]; /* expanded; owned */
    enum rule_state state;
    /* Since when true; when it fired; when last true; when first not true after that, 0: it is. */
    int64_t active_ms, fired_ms, last_ms, missed_ms;
    double value;
    char entity[ENTITY_SIZE];
};

struct rule {
    const char *name, *text; /* alert or record; expr */
    struct promql *query;
    bool alerting, hidden; /* hidden: of the knowledge base */
    const char *code;      /* of its events */
    enum severity severity;
    int64_t for_ms, keep_ms;
    struct rule_pair labels[RULES_PAIRS], annotations[RULES_PAIRS];
    size_t label_count, annotation_count;
    const struct metric_row
        *row; /* of the first known metric that it names: tells which entity a result is of */
    enum entity_kind scope;
    struct map *instances;
    char error[256];
    int64_t ran_ms;
    double seconds;
};

struct rules_group {
    const char *name, *file;
    int64_t interval_ms, due_ms, limit;
    struct rule *rules;
    size_t count;
};

struct rules {
    const struct analyzer_config *cfg;
    pthread_mutex_t
        lock; /* instances, errors: written by the analyzer's thread, read by the API's */
    struct rules_group *groups;
    size_t count, total;
    struct arena *arena;
    struct map *present; /* metric names that have series */
    int64_t present_ms;
    struct store_batch *out;
    /* of this turn */
    struct topo *topo;
    void (*emit)(void *ctx, const struct event *ev);
    void *emit_ctx;
    int emitted;
};

int rules_load_file(struct rules *r, const char *path, struct err *err);
int rules_load_kb(struct rules *r, struct err *err);
/* What a rule needs to have any result is there: at least one of the metrics it names has series.
 */
bool rules_present(struct rules *r, const struct rule *rule, int64_t now_ms);
int rules_group_run(struct rules *r, struct rules_group *g, int64_t now_ms);
void rule_done(struct rule *rule);
void rule_instance_free(void *p);
/* What a template is about. store NULL: queries answer nothing. */
struct rules_scope {
    const struct labels *labels;
    double value;
    struct store *store;
    int64_t at_ms;
};
/* Expands {{ }} of Prometheus' templates. 0, or ERR_SYNTAX; what cannot be run is told in the
 * text, as Prometheus does it. */
int rules_expand(const char *text, const struct rules_scope *scope, struct buf *out);

#endif
