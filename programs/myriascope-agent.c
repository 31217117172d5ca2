/* myriascope-agent: the node agent. Runs until told to stop, or collects once and prints. */
#include "agents/agent.h"
#include "agents/gpu_child.h"
#include "agents/trial.h"
#include "base/buf.h"
#include "base/log.h"
#include "programs/sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static const char agent_usage[] =
    "usage: myriascope-agent [--config FILE] [--once] [--root DIR] [--check-config]\n"
    "                        [--print-options] [--verbose] [--version]\n"
    "\n"
    "Collects what a node tells of itself and sends it to the Myriascope server.\n"
    "\n"
    "  --config FILE      configuration, YAML\n"
    "  --once             print one collection as Prometheus text, and exit\n"
    "  --root DIR         read DIR/proc, DIR/sys and DIR/dev instead of /\n"
    "  --node NAME        name of this node, instead of the configuration's or the host's\n"
    "  --check-config     say whether the configuration is sound, and exit\n"
    "  --print-options    every option with its type, default and meaning\n"
    "  --verbose          say more\n"
    "  --version          print the version\n";

enum { AGENT_OK = 0, AGENT_FAILED = 2, AGENT_USAGE = 3 };

/* --once ends within 5 s; what has not answered by then is left out. */
#define AGENT_ONCE_MS 4000

/* Started again as the helper that calls the GPU's library, and after SIGHUP. */
#define AGENT_SELF "/proc/self/exe"

struct agent_args {
    char **argv;
    const char *config, *root, *node;
    bool once, check, describe, verbose;
};

static int
agent_fail(const struct err *err)
{
    char text[1024];
    fprintf(stderr, "myriascope-agent: %s\n", err_format(err, text, sizeof text));
    return AGENT_FAILED;
}

/* AGENT_OK to go on, else the exit code plus one. */
static int
agent_parse(int argc, char **argv, struct agent_args *a)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"root", required_argument, NULL, 'r'},
        {"node", required_argument, NULL, 'n'},   {"once", no_argument, NULL, 'o'},
        {"check-config", no_argument, NULL, 'k'}, {"print-options", no_argument, NULL, 'p'},
        {"verbose", no_argument, NULL, 'v'},      {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int c;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0)
        switch (c) {
        case 'c':
            a->config = optarg;
            break;
        case 'r':
            a->root = optarg;
            break;
        case 'n':
            a->node = optarg;
            break;
        case 'o':
            a->once = true;
            break;
        case 'k':
            a->check = true;
            break;
        case 'p':
            a->describe = true;
            break;
        case 'v':
            a->verbose = true;
            break;
        case 'V':
            puts(PACKAGE_STRING);
            return AGENT_OK + 1;
        case 'h':
            fputs(agent_usage, stdout);
            return AGENT_OK + 1;
        default:
            fputs(agent_usage, stderr);
            return AGENT_USAGE + 1;
        }
    if (optind < argc) {
        fprintf(stderr, "myriascope-agent: unexpected argument %s\n%s", argv[optind], agent_usage);
        return AGENT_USAGE + 1;
    }
    return AGENT_OK;
}

static int
agent_describe_options(void)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    int rc = agent_conf_describe(&out);
    fputs(buf_str(&out), stdout);
    buf_done(&out);
    return rc ? AGENT_FAILED : AGENT_OK;
}

/* Leaves by _exit: a probe that hangs must not keep the program. */
static int
agent_print_once(const struct agent_args *a)
{
    struct buf out;
    struct err err;
    buf_init(&out, (size_t)64 << 20);
    if (agent_once(a->root ? a->root : "", a->node, AGENT_SELF, AGENT_ONCE_MS, &out, &err))
        return agent_fail(&err);
    bool good = fwrite(buf_str(&out), 1, out.len, stdout) == out.len && !fflush(stdout);
    _exit(good ? AGENT_OK : AGENT_FAILED);
}

/* SIGHUP: a changed file is applied as a whole, or not at all. True when it is sound. */
static bool
agent_changed(const char *path, const struct log *log)
{
    struct agent_conf conf;
    struct err err;
    char text[1024];
    if (agent_conf_load(path, &conf, &err)) {
        log_write(log, LOG_LEVEL_ERROR, "configuration not applied, the old one stays in force: %s",
                  err_format(&err, text, sizeof text));
        return false;
    }
    agent_conf_done(&conf);
    return true;
}

/* Waits for a reason to end; true: to begin again with a changed configuration. */
static bool
agent_wait(const char *path, const sigset_t *set, const struct log *log)
{
    int sig;
    while (!sigwait(set, &sig) && sig == SIGHUP)
        if (agent_changed(path, log)) {
            sd_notify(0, "RELOADING=1");
            return true;
        }
    sd_notify(0, "STOPPING=1");
    log_write(log, LOG_LEVEL_NOTICE, "stopping");
    return false;
}

/* What a collection or a batch needed for a moment goes back to the system: one heap for all
 * threads, and blocks of 64 KiB and more on their own. Measured with everything on: 3 MB less. */
static void
agent_keep_little(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 << 10);
    mallopt(M_TRIM_THRESHOLD, 128 << 10);
}

/* A changed configuration starts the program anew, under the same pid: spool and sequence are on
 * disk, so that nothing is lost, and no old setting can linger. */
static int
agent_run(const struct agent_args *args, const struct agent_conf *conf, const struct log *log)
{
    struct agent *a = NULL;
    struct err err;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    agent_keep_little();
    if (agent_new(conf, AGENT_SELF, log, &a, &err))
        return agent_fail(&err);
    if (agent_start(a, &err)) {
        agent_free(a);
        return agent_fail(&err);
    }
    if (conf->server.url)
        log_write(log, LOG_LEVEL_NOTICE, "%s sends to %s", PACKAGE_STRING, conf->server.url);
    if (conf->listen)
        log_write(log, LOG_LEVEL_NOTICE, "%s serves /metrics on port %u", PACKAGE_STRING,
                  agent_port(a));
    sd_notify(0, "READY=1");
    bool again = agent_wait(args->config, &set, log);
    agent_free(a);
    if (!again)
        return AGENT_OK;
    log_write(log, LOG_LEVEL_NOTICE, "configuration applied");
    execv(AGENT_SELF, args->argv);
    log_write(log, LOG_LEVEL_ERROR, "cannot start anew: %s", strerror(errno));
    return AGENT_FAILED;
}

static int
agent_with(const struct agent_args *args, struct agent_conf *conf)
{
    if (args->check) {
        printf("%s: sound\n", args->config ? args->config : "defaults");
        return AGENT_OK;
    }
    if (!conf->server.url && !conf->listen) {
        fputs("myriascope-agent: neither server.url nor listen is configured: nothing to do "
              "(--once prints one collection)\n",
              stderr);
        return AGENT_USAGE;
    }
    struct log log = {.write = log_stderr, .max = args->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO};
    return agent_run(args, conf, &log);
}

int
main(int argc, char **argv)
{
    struct agent_args a = {.argv = argv};
    struct agent_conf conf;
    struct err err;
    if (argc == 4 && (!strcmp(argv[1], GPU_CHILD_OPTION) || !strcmp(argv[1], GPU_CHILD_PLAIN)))
        return gpu_child_run(argv[1], argv[2], argv[3]);
    if (argc == 4 && !strcmp(argv[1], NPU_CHILD_OPTION))
        return npu_child_run(argv[2], argv[3]);
    if (argc == TRIAL_CHILD_ARGS + 2 && !strcmp(argv[1], TRIAL_CHILD_OPTION))
        return sandbox_enter(&err) ? AGENT_FAILED : trial_child(argv + 2);
    int stop = agent_parse(argc, argv, &a);
    if (stop)
        return stop - 1;
    if (a.describe)
        return agent_describe_options();
    if (a.once)
        return agent_print_once(&a);
    if (agent_conf_load(a.config, &conf, &err))
        return agent_fail(&err);
    char *root = conf.root, *node = conf.node;
    conf.root = a.root ? (char *)(uintptr_t)a.root : root;
    conf.node = a.node ? (char *)(uintptr_t)a.node : node;
    int rc = agent_with(&a, &conf);
    conf.root = root;
    conf.node = node;
    agent_conf_done(&conf);
    return rc;
}
