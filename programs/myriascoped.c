/* myriascoped: the appliance. Reads its configuration, builds the server, runs until told to stop.
 *
 * SIGTERM and SIGINT end it cleanly, SIGHUP applies a changed configuration. Under systemd it takes
 * its socket from the service manager and reports readiness. */
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "programs/config.h"
#include "programs/sandbox.h"
#include "programs/server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static const char daemon_usage[] =
    "usage: myriascoped [--config FILE] [--check-config] [--print-options] [--version]\n"
    "\n"
    "The Myriascope appliance: collects, stores, diagnoses, pages, and serves the web interface\n"
    "(http://127.0.0.1:8686 unless configured otherwise).\n"
    "\n"
    "  --config FILE      configuration, YAML; without it everything is at its default\n"
    "  --check-config     say whether the configuration is sound, and exit\n"
    "  --print-options    every option with its type, default and meaning\n"
    "  --verbose          say more\n"
    "  --version          print the version\n";

enum { DAEMON_OK = 0, DAEMON_FAILED = 2, DAEMON_USAGE = 3 };

struct daemon_args {
    const char *config;
    bool check, describe, verbose;
};

static int
daemon_fail(const struct err *err)
{
    char text[1024];
    fprintf(stderr, "myriascoped: %s\n", err_format(err, text, sizeof text));
    return DAEMON_FAILED;
}

/* DAEMON_OK to go on, else the exit code plus one. */
static int
daemon_parse(int argc, char **argv, struct daemon_args *a)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"print-options", no_argument, NULL, 'p'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int c;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0)
        switch (c) {
        case 'c':
            a->config = optarg;
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
            return DAEMON_OK + 1;
        case 'h':
            fputs(daemon_usage, stdout);
            return DAEMON_OK + 1;
        default:
            fputs(daemon_usage, stderr);
            return DAEMON_USAGE + 1;
        }
    if (optind < argc) {
        fprintf(stderr, "myriascoped: unexpected argument %s\n%s", argv[optind], daemon_usage);
        return DAEMON_USAGE + 1;
    }
    return DAEMON_OK;
}

static int
daemon_describe(void)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    int rc = config_describe(&out);
    fputs(buf_str(&out), stdout);
    buf_done(&out);
    return rc ? DAEMON_FAILED : DAEMON_OK;
}

static int
daemon_socket(void)
{
    return sd_listen_fds(1) > 0 ? SD_LISTEN_FDS_START : -1;
}

static void
daemon_reload(struct server *s, const struct log *log)
{
    struct err err;
    char text[1024];
    sd_notify(0, "RELOADING=1");
    if (server_reload(s, &err))
        log_write(log, LOG_LEVEL_ERROR, "configuration not applied, the old one stays in force: %s",
                  err_format(&err, text, sizeof text));
    else
        log_write(log, LOG_LEVEL_NOTICE, "configuration applied");
    sd_notify(0, "READY=1");
}

/* Signals are blocked in every thread and taken here, one by one. */
static void
daemon_wait(struct server *s, const sigset_t *set, const struct log *log)
{
    int sig;
    while (!sigwait(set, &sig)) {
        if (sig == SIGHUP)
            daemon_reload(s, log);
        else
            break;
    }
    sd_notify(0, "STOPPING=1");
    log_write(log, LOG_LEVEL_NOTICE, "stopping");
}

static int
daemon_run(struct config *c, const struct log *log)
{
    struct server *s = NULL;
    struct err err;
    char text[1024];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (sandbox_enter(&err))
        log_write(log, LOG_LEVEL_WARNING, "%s", err_format(&err, text, sizeof text));
    if (server_new(c, log, daemon_socket(), &s, &err))
        return daemon_fail(&err);
    if (server_start(s, &err)) {
        int rc = daemon_fail(&err);
        server_free(s);
        return rc;
    }
    log_write(log, LOG_LEVEL_NOTICE, "%s listens on port %u", PACKAGE_STRING, server_port(s));
    sd_notify(0, "READY=1");
    daemon_wait(s, &set, log);
    server_free(s);
    return DAEMON_OK;
}

int
main(int argc, char **argv)
{
    struct daemon_args a = {0};
    struct config *c = NULL;
    struct err err;
    int stop = daemon_parse(argc, argv, &a);
    if (stop)
        return stop - 1;
    if (a.describe)
        return daemon_describe();
    if (config_load(a.config, &c, &err))
        return daemon_fail(&err);
    if (a.check) {
        config_free(c);
        printf("%s: sound\n", a.config ? a.config : "defaults");
        return DAEMON_OK;
    }
    /* Buffers of requests, some MB each, come and go a hundred times a second: kept, not unmapped.
     */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    struct log log = {.write = log_stderr, .max = a.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO};
    return daemon_run(c, &log);
}
