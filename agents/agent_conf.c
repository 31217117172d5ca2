/* agent_conf: the option table of the agent. */
#include "agents/agent.h"

#include "agents/probe.h"
#include "base/doc.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const agent_conf_forwards[] = {"all", "context", "none", NULL};

#define AT(member) offsetof(struct agent_conf, member)

static const struct conf_row agent_conf_server[] = {
    {.key = "url",
     .type = CONF_STR,
     .offset = AT(server.url) - AT(server),
     .help = "Address of the server, such as https://myriascope:8686; without it nothing is sent."},
    {.key = "token_file",
     .type = CONF_PATH,
     .offset = AT(server.token_file) - AT(server),
     .help = "File with the token of this node; it is read again for every batch."},
    {.key = "ca",
     .type = CONF_PATH,
     .offset = AT(server.ca) - AT(server),
     .help = "Certificates that the server's is checked with, a PEM file; default: the system's."},
    {0}};

static const struct conf_row agent_conf_spool[] = {
    {.key = "dir",
     .type = CONF_PATH,
     .offset = AT(spool.dir) - AT(spool),
     .help = "Folder where batches wait while the server is away; default "
             "$STATE_DIRECTORY/spool, else ./agent-spool."},
    {.key = "keep",
     .type = CONF_DURATION,
     .offset = AT(spool.keep) - AT(spool),
     .dflt = "24h",
     .min = 6e4,
     .max = 3.2e10,
     .help = "Batches older than this are dropped, and told as a gap."},
    {.key = "max_size",
     .type = CONF_SIZE,
     .offset = AT(spool.max_size) - AT(spool),
     .dflt = "512MB",
     .min = 1e6,
     .max = 1e12,
     .help = "Beyond this size the oldest batches are dropped, and told as a gap."},
    {0}};

static const struct conf_row agent_conf_logs[] = {
    {.key = "files",
     .type = CONF_STRS,
     .offset = AT(logs.files) - AT(logs),
     .help = "Log files of jobs; * and ? are expanded, new files are found within 10 s."},
    {.key = "forward",
     .type = CONF_CHOICE,
     .offset = AT(logs.forward) - AT(logs),
     .dflt = "context",
     .choices = agent_conf_forwards,
     .help = "Lines that mean nothing to the knowledge base: all are sent, only those around one "
             "that does, or none."},
    {.key = "rate",
     .type = CONF_INT,
     .offset = AT(logs.rate) - AT(logs),
     .dflt = "200",
     .min = 1,
     .max = 1e6,
     .help = "Forwarded lines a second at most; what is beyond is counted as a gap."},
    {.key = "kernel",
     .type = CONF_BOOL,
     .offset = AT(logs.kernel) - AT(logs),
     .dflt = "true",
     .help = "Read the kernel's log (/dev/kmsg)."},
    {0}};

static const struct conf_row agent_conf_probes[] = {
    {.key = "disable",
     .type = CONF_STRS,
     .offset = AT(probes.disable) - AT(probes),
     .help = "Names of probes that are not run."},
    {.key = "nvml",
     .type = CONF_STR,
     .offset = AT(probes.nvml) - AT(probes),
     .dflt = "libnvidia-ml.so.1",
     .help = "Name or path of NVIDIA's management library; where root is given, only a path is "
             "taken."},
    {.key = "dcmi",
     .type = CONF_STR,
     .offset = AT(probes.dcmi) - AT(probes),
     .dflt = "libdcmi.so",
     .help = "Name or path of Huawei's management library for Ascend NPUs; where root is given, "
             "only a path is taken."},
    {0}};

static const struct conf_row agent_conf_tests[] = {
    {.key = "allow",
     .type = CONF_BOOL,
     .offset = AT(tests.allow) - AT(tests),
     .dflt = "true",
     .help = "Make the light tests that a check with --active asks for; false refuses all."},
    {0}};

const struct conf_row agent_conf_rows[] = {
    {.key = "node",
     .type = CONF_STR,
     .offset = AT(node),
     .help = "Name of this node; default: the host's, up to the first dot."},
    {.key = "interval",
     .type = CONF_DURATION,
     .offset = AT(interval),
     .dflt = "15s",
     .min = 1e3,
     .max = 3.6e6,
     .help = "Time between collections."},
    {.key = "listen",
     .type = CONF_STR,
     .offset = AT(listen),
     .help = "Address and port that serve /metrics, for sites that scrape; off unless given."},
    {.key = "root",
     .type = CONF_PATH,
     .offset = AT(root),
     .help = "Read this folder's proc and sys instead of /: the host's, in a container."},
    {.key = "server",
     .type = CONF_MAP,
     .offset = AT(server),
     .rows = agent_conf_server,
     .help = "Where batches are sent."},
    {.key = "spool",
     .type = CONF_MAP,
     .offset = AT(spool),
     .rows = agent_conf_spool,
     .help = "Where batches wait."},
    {.key = "logs",
     .type = CONF_MAP,
     .offset = AT(logs),
     .rows = agent_conf_logs,
     .help = "Kernel log and log files."},
    {.key = "probes",
     .type = CONF_MAP,
     .offset = AT(probes),
     .rows = agent_conf_probes,
     .help = "What is collected."},
    {.key = "tests",
     .type = CONF_MAP,
     .offset = AT(tests),
     .rows = agent_conf_tests,
     .help = "Light tests on request of an operator."},
    {0}};

static int
agent_conf_probes_known(const struct agent_conf *c, const char *path, struct err *err)
{
    size_t count;
    const struct probe_row *rows = probes_table(&count);
    for (size_t i = 0; i < c->probes.disable.count; i++) {
        size_t k = 0;
        while (k < count && strcmp(rows[k].key, c->probes.disable.at[i]))
            k++;
        if (k == count) {
            err_set(err, ERR_SYNTAX, "probes.disable: there is no probe %s",
                    c->probes.disable.at[i]);
            return err_at(err, path, 1, 1);
        }
    }
    return 0;
}

int
agent_conf_load(const char *path, struct agent_conf *ret, struct err *err)
{
    struct doc *d = NULL;
    char folder[4096] = ".";
    memset(ret, 0, sizeof *ret);
    int rc = path ? doc_load_yaml(path, &d, err) : 0;
    if (rc)
        return rc;
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    rc = conf_fill(agent_conf_rows, d, doc_root(d), folder, ret, err);
    doc_free(d);
    if (rc)
        return rc;
    rc = agent_conf_probes_known(ret, path, err);
    if (rc)
        agent_conf_done(ret);
    return rc;
}

void
agent_conf_done(struct agent_conf *c)
{
    conf_done(agent_conf_rows, c);
}

int
agent_conf_describe(struct buf *out)
{
    return conf_describe(agent_conf_rows, "", out);
}
