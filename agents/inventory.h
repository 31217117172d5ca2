/* inventory: what a node is made of, as JSON: {version, kernel, os, cpu, cpus, memory_bytes, gpus,
 * nics, disks, problems}. */
#ifndef AGENTS_INVENTORY_H
#define AGENTS_INVENTORY_H

#include "agents/probe.h"

int inventory_format(struct probe *p, struct buf *out);

#endif
