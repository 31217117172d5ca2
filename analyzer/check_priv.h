/* check, for insiders: a run, and the rows that are no single number. */
#ifndef ANALYZER_CHECK_PRIV_H
#define ANALYZER_CHECK_PRIV_H

#include "analyzer/check.h"
#include "analyzer/check_table.h"
#include "analyzer/kpi.h"
#include "analyzer/path.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "base/map.h"
#include "store/topo.h"

struct check_item {
    const struct check_row *row;
    topo_id id;
    enum check_verdict verdict;
    double observed, limit;
    const char *seen, *want; /* instead of numbers, in the arena; NULL: numbers */
};

struct check {
    struct store *store;
    const struct metric_table *metrics;
    const struct check_request *req;
    int64_t now_ms;
    struct topo *topo;
    struct health_map *health;
    uint8_t *in; /* by topo_id: in scope */
    topo_id *nodes;
    size_t node_count;
    struct kpi cache[METRIC_MEANING_COUNT];
    enum kpi_fold folds[METRIC_MEANING_COUNT];
    struct check_item *items;
    size_t count, cap;
    struct check_row *rows; /* the table's, then the profile's own traits */
    size_t row_count;
    size_t counts[4], (*per_row)[4];
    const struct doc_node *profile; /* of the site's file, NULL */
    char *scope_key;
    struct arena *arena;
};

/* Counts an item, and lists it where it is no pass. */
void check_add(struct check *c, const struct check_row *r, const struct check_item *item);
/* The node that an entity keeps from work: its own, or that at the end of its link. */
topo_id check_node_of(const struct check *c, topo_id id);

/* --- check_traits.c --------------------------------------------------------------------------- */

/* The table's rows and the profile's traits, into c->rows. */
int check_rows_read(struct check *c, struct err *err);
/* Versions and settings of nodes: against the profile's golden value, else against most others. */
void check_trait(struct check *c, const struct check_row *r);
/* Nodes that broke again and again. */
void check_lemon(struct check *c, const struct check_row *r);
/* --- check_active.c --------------------------------------------------------------------------- */

/* What the agents of the scope measured, against each other. */
void check_active(struct check *c, const struct check_row *r);
/* One value against the median and the robust deviation of all. */
enum check_verdict check_active_judge(const struct check_row *r, double v, double median,
                                      double spread);

/* "groups": what those that failed a check have in common and the others have not. */
void check_shared(const struct check *c, struct jsonw *w);

#endif
