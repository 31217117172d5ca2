/* snap: what one probe found: series without time, each a name, labels and a value.
 *
 * Expected load: some thousand series, refilled every 15 s into the same memory. Ceilings: 4 MiB of
 * text, 100,000 series; what is beyond is counted in `refused`. */
#ifndef AGENTS_SNAP_H
#define AGENTS_SNAP_H

#include "base/buf.h"
#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>

struct snap_row {
    uint32_t at; /* in text: name, then key and value by turns, then an empty text */
    double v;
};

struct snap {
    struct buf text;
    struct snap_row *rows;
    size_t count, cap;
    uint64_t refused;
};

void snap_init(struct snap *s);
void snap_done(struct snap *s);
void snap_reset(struct snap *s); /* no rows, memory kept */
/* Adds a series: key, value by turns, NULL at the end. A NULL value stands for an empty one. */
void snap_add(struct snap *s, const char *name, double v, ...) __attribute__((sentinel));
/* Appends all rows of `from`. */
void snap_append(struct snap *s, const struct snap *from);
/* Exposition text, series of one name together, without timestamps. 0 or ERR_LIMIT, ERR_NOMEM. */
int snap_text(const struct snap *s, struct buf *out);
/* Adds every series to a batch with label node. Number of samples, or an error of the encoder. */
int snap_encode(const struct snap *s, const char *node, int64_t t_ms, struct wire_encoder *e);

#endif
