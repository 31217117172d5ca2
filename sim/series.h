/* series: which series the simulated exporters give, one row each, and their labels as protobuf
 * bytes.
 *
 * A row names a double in a world's struct by offset. Labels are precomputed: an entity's labels
 * that sort before
 * "__name__", the row's own (name, and labels that sort before the entity's others), the entity's
 * others, the row's that sort behind them. So a series is four copies. */
#ifndef SIM_SERIES_H
#define SIM_SERIES_H

#include "base/buf.h"
#include "sim/world.h"

#include <stddef.h>
#include <stdint.h>

enum series_of {
    SERIES_GPU,
    SERIES_NPU,
    SERIES_NODE,
    SERIES_UP,
    SERIES_RDMA,
    SERIES_NET,
    SERIES_SWITCH,
    SERIES_PORT,
    SERIES_OPTIC,
    SERIES_LIMIT,
    SERIES_RACK,
    SERIES_PDU,
    SERIES_CDU,
    SERIES_SITE,
    SERIES_JOB,
    SERIES_KINDS
};

struct series_row {
    const char *name;
    size_t offset;              /* of a double in the kind's struct */
    double constant;            /* SERIES_LIMIT: the value itself */
    const char *before, *after; /* "k=v k=v", labels around the entity's own; NULL: none */
};

/* Rows of a kind; the count comes back. */
const struct series_row *series_rows(enum series_of kind, size_t *ret_count);

struct series_labels {
    uint32_t offset;
    uint16_t before, after;
}; /* bytes in the set's text */

struct series_set { /* labels of all entities of a plan, and of all rows */
    struct buf text;
    struct series_labels *of[SERIES_KINDS];
    struct series_labels *rows[SERIES_KINDS];
};

int series_set_new(const struct plan *p, struct series_set **ret_set);
void series_set_free(struct series_set *s);
/* One protobuf Label (field 1 of TimeSeries) appended. */
int series_put_label(struct buf *out, const char *name, const char *value);

#endif
