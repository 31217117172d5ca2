/* agent: the node agent as a whole: collects by the table of probes, sends, serves /metrics.
 *
 * Threads: one paces, one collects, one sends (agents/outbox.h), one reads logs (agents/logs.h),
 * one serves. A probe that hangs stops collecting only: the others go on, and tell which it is. */
#ifndef AGENTS_AGENT_H
#define AGENTS_AGENT_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdint.h>

enum agent_forward { AGENT_FORWARD_ALL, AGENT_FORWARD_CONTEXT, AGENT_FORWARD_NONE };

struct agent_conf {
    char *node;       /* name; NULL: the host's, up to the first dot */
    int64_t interval; /* ms */
    char *listen;     /* NULL: off */
    char *root;       /* NULL: this machine's own */
    struct {
        char *url, *token_file, *ca;
    } server;
    struct {
        char *dir; /* NULL: $STATE_DIRECTORY/spool, else ./agent-spool */
        int64_t keep, max_size;
    } spool;
    struct {
        struct conf_strs files;
        int forward;
        int64_t rate; /* forwarded lines a second */
        bool kernel;
    } logs;
    struct {
        struct conf_strs disable;
        char *nvml, *dcmi;
    } probes;
    struct {
        bool allow;
    } tests;
};
extern const struct conf_row agent_conf_rows[];
/* Fills from a file; path NULL: defaults. Caller calls agent_conf_done. */
int agent_conf_load(const char *path, struct agent_conf *ret, struct err *err);
void agent_conf_done(struct agent_conf *c);
int agent_conf_describe(struct buf *out);

/* helper: program that takes agents/gpu_child.h's option, NULL: GPUs are left out. */
/* One collection as exposition text: every probe once, those that do not end within ms left out. */
int agent_once(const char *root, const char *node, const char *helper, int ms, struct buf *out,
               struct err *err);

struct agent;
/* conf and log are kept by reference. */
int agent_new(const struct agent_conf *conf, const char *helper, const struct log *log,
              struct agent **ret, struct err *err);
int agent_start(struct agent *a, struct err *err);
unsigned agent_port(const struct agent *a); /* of the /metrics listener; 0: none */
void agent_free(struct agent *a);

#endif
