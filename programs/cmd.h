/* cmd: the operator's command: one row a subcommand, one parser of options, one client of the
 * server.
 *
 * Exit codes: 0 done, 2 failed, 3 usage; check has those of monitoring plugins. Colour only on a
 * terminal. */
#ifndef PROGRAMS_CMD_H
#define PROGRAMS_CMD_H

#include "base/buf.h"
#include "base/doc.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { CMD_DONE = 0, CMD_FAILED = 2, CMD_USAGE = 3 };

struct cmd_args {
    const char *server, *token_file, *format, *lang;
    const char *nodes, *job, *profile, *gate, *kind, *state, *since, *until, *at, *role, *expires,
        *tenant, *name, *comment, *duration, *output, *limit, *password_file, *query, *severity,
        *step, *config, *healthy, *base, *only, *timeout;
    bool follow, help, strict, server_away_fails, force, active, busy;
    int zh; /* lang is Chinese */
    const char *command;
    const char **words;
    int count; /* what stands behind the command */
};

struct cmd {
    const char *command; /* "check", "kb" */
    const char *usage;   /* what follows the command */
    const char *options; /* names of the options it takes, space-separated; the common ones are
                            always taken */
    const char *help, *help_zh;
    int (*run)(struct cmd_args *a);
};
extern const struct cmd cmd_rows[];
extern const size_t cmd_row_count;

struct cmd_option {
    const char *option, *value, *help, *help_zh;
    size_t offset;
    bool flag;
};
extern const struct cmd_option cmd_options[];
extern const size_t cmd_option_count;

int cmd_fail(const struct cmd_args *a, const struct err *err); /* prints, CMD_FAILED */
int cmd_usage(const struct cmd_args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* prints, CMD_USAGE */
bool cmd_json(const struct cmd_args *a);   /* --format json */
bool cmd_colour(void);                     /* standard output is a terminal */
const char *cmd_text(const struct cmd_args *a,
                     const struct doc_node *text); /* {en, zh} in the chosen language */

/* The server. path begins with '/'. 0 for 2xx with the parsed answer (may be NULL for an empty
 * one), else a negative code with the server's sentence. raw, if not NULL, gets the answer's text
 * (caller buf_done). */
int client_call(const struct cmd_args *a, const char *method, const char *path, const char *body,
                size_t len, struct doc **ret, struct buf *raw, struct err *err);
/* What --timeout says, in ms. */
int64_t client_timeout(const struct cmd_args *a);
/* Percent-encoded "path?name=value&..." from pairs, NULL values left out; NULL name ends. Caller
 * frees. */
char *client_path(const char *path, ...);

/* A table on standard output: columns as wide as needed. */
struct table;
struct table *table_new(const char *const *heads); /* NULL-terminated */
void table_row(struct table *t, ...);              /* one const char * a column */
void table_print(struct table *t);                 /* and frees */

/* Subcommands, one function each. */
int cmd_check(struct cmd_args *a), cmd_diagnose(struct cmd_args *a), cmd_job(struct cmd_args *a),
    cmd_incidents(struct cmd_args *a), cmd_devices(struct cmd_args *a),
    cmd_topology(struct cmd_args *a), cmd_kb(struct cmd_args *a), cmd_logs(struct cmd_args *a),
    cmd_query(struct cmd_args *a), cmd_alerts(struct cmd_args *a), cmd_silence(struct cmd_args *a),
    cmd_pcap(struct cmd_args *a), cmd_optics(struct cmd_args *a), cmd_backup(struct cmd_args *a),
    cmd_restore(struct cmd_args *a), cmd_token(struct cmd_args *a), cmd_user(struct cmd_args *a),
    cmd_top(struct cmd_args *a), cmd_agents(struct cmd_args *a), cmd_cluster(struct cmd_args *a),
    cmd_rules(struct cmd_args *a), cmd_store(struct cmd_args *a), cmd_reload(struct cmd_args *a),
    cmd_completion(struct cmd_args *a), cmd_reliability(struct cmd_args *a);

#endif
