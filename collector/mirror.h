/* mirror: RoCE traffic as switches mirror it: VXLAN datagrams to a port of ours, or frames of an
 * interface that a mirror (also ERSPAN) ends at.
 *
 * Frames are gathered by decode/roce over a window and forgotten with it; what a window said stays
 * as the report of GET /api/v1/packets, and its counts become series roce_mirror_*. Expected load:
 * 100,000 cut frames a second through the socket; more only through `myriascope pcap`. */
#ifndef COLLECTOR_MIRROR_H
#define COLLECTOR_MIRROR_H

#include "base/jsonw.h"

/* Its reports, objects into an open array; source NULL: none. Thread-safe. */
void mirror_reports_json(void *source, struct jsonw *w);

#endif
