/* check_table: what is checked: one row a check, and the limits' reasons. */
#ifndef ANALYZER_CHECK_TABLE_H
#define ANALYZER_CHECK_TABLE_H

#include "analyzer/kpi.h"
#include "base/entity.h"
#include "base/metric.h"
#include "kb/kb.h"

enum check_verdict { CHECK_PASS, CHECK_WARN, CHECK_FAIL, CHECK_UNKNOWN };
enum check_rule {
    CHECK_ABOVE,       /* warn, fail: the value is above */
    CHECK_BELOW,       /* warn, fail: the value is below */
    CHECK_EQUALS,      /* fail: the value is not `fail` */
    CHECK_PEERS_LOW,   /* fail: the value is below `fail` times the median of the scope (warn
                          likewise) */
    CHECK_MODE,        /* fail: the value differs from the most frequent one of the scope */
    CHECK_RATIO_BELOW, /* value / second meaning below: warn, fail */
    CHECK_BELOW_LIMIT, /* value below the module's own limit (second: warning, third: alarm) */
    CHECK_INCIDENT,    /* an open incident's root is this entity */
    CHECK_TRAIT,       /* values of a series' label differ from those of most others */
    CHECK_ACTIVE_LOW,  /* a test of the agents, `metric`, its figure `label`: below warn, fail times
                          the median, and far from the others */
    CHECK_ACTIVE_HIGH, /* the same above */
    CHECK_LEMON,       /* warn: incidents of late, each half as much after a week */
};

struct check_row {
    const char *check, *category;
    enum entity_kind kind;
    enum check_rule rule;
    enum metric_meaning meaning, second, third;
    enum kpi_fold fold;
    double warn, fail;
    const char *unit;
    bool prejob;   /* part of the pre-job profile */
    bool optional; /* entities that never reported it are left out, not unknown */
    bool cabled;   /* only ends of a cable that the topology knows: a free port may be down */
    struct kb_text title, reason;
    const char *metric, *label, *within; /* of a trait: compared among those alike in `within` */
    bool counted, hard; /* how many there are matters too; an outlier is a failure */
};
extern const struct check_row check_rows[];
extern const size_t check_row_count;
const char *check_verdict_word(enum check_verdict v);

#endif
