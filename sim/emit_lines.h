/* emit_lines: the world's lines as Loki push bodies and as syslog messages. */
#ifndef SIM_EMIT_LINES_H
#define SIM_EMIT_LINES_H

#include "base/buf.h"
#include "sim/world.h"

/* Appends one stream of a Loki push body (JSON): begin with emit_lines_open, end with
 * emit_lines_close. */
void emit_lines_open(struct buf *out);
void emit_lines_loki(struct buf *out, const struct world_line *l);
void emit_lines_close(struct buf *out);
/* The process id that a daemon's lines bear. */
unsigned emit_lines_pid(const struct world_line *l);
/* RFC 5424, without framing. */
void emit_lines_5424(struct buf *out, const struct world_line *l);
/* As switches write it (RFC 3164): "<187>Nov 23 08:00:12 leaf-g01-1 %FAC-3-MNEMONIC: ...". Local7.
 */
void emit_lines_3164(struct buf *out, const struct world_line *l);

#endif
