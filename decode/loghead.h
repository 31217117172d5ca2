/* loghead: what the head of a log line tells: time, host, rank, and where the text begins.
 *
 * Knows, in any sensible order at the head: RFC 3339 and "YYYY-MM-DD HH:MM:SS[,.]fff" times, "Nov
 * 23 08:00:00" (RFC 3164, the year is taken from a hint), "E1123 08:00:00" (glog), "[  123.456789]"
 * (kernel, since boot: no wall time), "host prog[pid]:" after a 3164 time, NCCL's "host:pid:tid
 * [gpu] NCCL", "[rank37]:" and "[Rank 37]" (PyTorch), "37: " (srun --label), "[1,37]<stderr>:"
 * (Open MPI), "stderr F" (container runtimes). Nothing is required. Linear, allocates nothing,
 * reads at most LOGHEAD_MAX bytes. */
#ifndef DECODE_LOGHEAD_H
#define DECODE_LOGHEAD_H

#include <stddef.h>
#include <stdint.h>

#define LOGHEAD_MAX 256

struct loghead {
    int64_t time_ms; /* 0: none */
    char node[64];   /* "" none */
    int rank;        /* -1 none */
    int gpu;         /* NCCL's [gpu], -1 none */
    size_t text;     /* offset of what follows the head */
};

/* hint_ms: a time near the line's, for formats without a year; 0: now is not asked, such times stay
 * 0. */
void loghead_parse(const char *line, size_t len, int64_t hint_ms, struct loghead *ret);

#endif
