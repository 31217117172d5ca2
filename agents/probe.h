/* probe: what every probe is given, and the helpers to read /proc and /sys with.
 *
 * A probe is a function and a row in agents/probes.c. To add one: copy agents/probe_load.c, read
 * files with the helpers below (paths are relative to the root: "proc/loadavg"), add series with
 * snap_add, write the row. A probe that finds nothing of its kind adds nothing and returns 0. It
 * runs on the collecting thread, which may wait for it; it must not wait for a device (see
 * agents/statfs.c and agents/gpu.c for how to ask something that may hang). */
#ifndef AGENTS_PROBE_H
#define AGENTS_PROBE_H

#include "agents/snap.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct jsonw;

struct probe {
    int root;           /* descriptor of the root folder */
    bool live;          /* the root is this machine's own: ioctl, netlink, statvfs are meaningful */
    const char *node;   /* name of this node */
    struct snap *out;   /* where series go */
    struct buf text;    /* probe_read's */
    char word[512];     /* probe_word's */
    void **state;       /* the probe's own, kept between runs; NULL at first */
    const char *nvml;   /* file name of the GPU library */
    const char *dcmi;   /* of the NPU library */
    const char *helper; /* program that calls it (agents/gpu_child.h); NULL: it is not called */
    const char *gpus;   /* JSON array, what the GPU probe found; NULL: nothing */
    const char *gpu_problem; /* short word, NULL: none */
    int64_t now_ms;
};

struct probe_row {
    const char *key;   /* name, for configuration and series about itself */
    unsigned period_s; /* so far apart; 0: every interval */
    bool strict;       /* never a moment less: else half a second early is on time */
    bool apart;        /* in a child that may hang (agents/apart.h); keeps nothing between runs */
    const char *needs[2]; /* one of these paths is there, else it is not run; NULL: no matter */
    int (*run)(struct probe *p);
    void (*done)(void *state); /* frees *state; may be NULL: free() */
    const char *help;          /* one sentence */
};
const struct probe_row *probes_table(size_t *ret_count); /* agents/probes.c */

/* root "" is this machine's own. 0, or an error. */
int probe_init(struct probe *p, const char *root, const char *node, struct err *err);
void probe_done(struct probe *p);

/* Below the root; with --root no link leads out of it. -1: none (errno). */
int probe_open(const struct probe *p, const char *path, int flags);
/* Whole file into p->text (0-terminated, at most 8 MiB); borrowed until the next read; NULL: none.
 */
const char *probe_read(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hands each line of a file, 0-terminated and at most 8 KiB of it, to `line`, without ever holding
 * the whole: for files of megabytes. false: none. */
bool probe_each(struct probe *p, const char *path, void (*line)(void *ctx, char *text), void *ctx);
/* A small file without blanks at its ends, in p->word; "" if there is none. */
const char *probe_word(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The number a file begins with (0x... too). false: none. */
bool probe_number(struct probe *p, double *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Last part of the target of a link; "" if none; in p->word. */
const char *probe_link(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The whole target of a link; "" if none; in p->word. */
const char *probe_target(struct probe *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The kernel put the device (a folder of sysfs) to sleep: reading more of it than this would wake
 * it up. Source: Documentation/ABI/testing/sysfs-devices-power (runtime_status). */
bool probe_asleep(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Names in a folder, sorted, without . and .. ; at most 4,096. Caller calls done. */
struct probe_names {
    char **at;
    size_t count;
};
size_t probe_list(struct probe *p, struct probe_names *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void probe_names_done(struct probe_names *n);

/* Splits a line into fields at blanks, in place; returns how many. */
size_t probe_fields(char *line, char **fields, size_t max);
/* Next line of *text, 0-terminated in place; NULL at the end. */
char *probe_line(char **text);

#endif
