/* myriascope-sim: a simulated cluster of any size that speaks to a server through its real inputs.
 *
 * Exit codes: 0 done, 2 failed, 3 usage. */
#include "base/clock.h"
#include "base/str.h"
#include "sim/control.h"
#include "sim/fault.h"
#include "sim/feed.h"
#include "sim/post.h"
#include "sim/responder.h"

#include <getopt.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 2, EXIT_USAGE = 3 };

#define MAIN_FAULTS_MAX 256
#define MAIN_NO_PORT    100000u
#define MAIN_BEHIND_MS                                                                             \
    30000 /* real time that was missed (a suspended machine) is not caught up beyond this */

struct main_options {
    const char *topology, *cluster, *server, *token_file, *syslog_udp, *syslog_tcp, *trap, *mirror,
        *control, *lines, *truth, *snmp_switches;
    struct plan_fabric fabric;
    struct world_config world;
    const char *faults[MAIN_FAULTS_MAX];
    unsigned fault_count, series_max, switch_interval, agents;
    unsigned snmp_port; /* MAIN_NO_PORT: no responder */
    int64_t start_ms, duration_ms;
    double speed;
    bool print_topology, put_topology, list_faults, dry_run, help, quiet, keep_jobs;
};

struct main_option {
    struct option o;
    const char *value, *help;
};

static const struct main_option main_table[] = {
    {{"topology", required_argument, NULL, 't'},
     "FILE",
     "simulate this topology document (JSON or YAML)"},
    {{"fabric", required_argument, NULL, 'f'},
     "KIND",
     "or expand a template: rail-spine-leaf (default) or fat-tree"},
    {{"nodes", required_argument, NULL, 'n'}, "N", "nodes of the template (default 16)"},
    {{"gpus", required_argument, NULL, 'g'}, "N", "accelerators a node (default 8)"},
    {{"vendor", required_argument, NULL, 'V'}, "NAME", "nvidia (default) or ascend"},
    {{"model", required_argument, NULL, 'M'}, "NAME", "model of the accelerators (default H100)"},
    {{"rails", required_argument, NULL, 'r'},
     "N",
     "rails, and NICs a node (default 8; fat-tree 1)"},
    {{"spines", required_argument, NULL, 'S'}, "N", "spine switches"},
    {{"nodes-per-group", required_argument, NULL, 'G'},
     "N",
     "nodes under one set of leaves (default 64)"},
    {{"cluster", required_argument, NULL, 'c'}, "NAME", "name of the cluster (default sim)"},
    {{"print-topology", no_argument, NULL, 'p'},
     NULL,
     "print the whole topology document as JSON and end"},
    {{"put-topology", no_argument, NULL, 'P'},
     NULL,
     "put the topology document to the server first"},
    {{"server", required_argument, NULL, 's'}, "URL", "the server (default http://127.0.0.1:8686)"},
    {{"token-file", required_argument, NULL, 'T'},
     "FILE",
     "its token (default: $MYRIASCOPE_TOKEN_FILE)"},
    {{"syslog", required_argument, NULL, 'y'},
     "IP:PORT",
     "switches log by syslog over UDP, from their own 127.x addresses"},
    {{"syslog-tcp", required_argument, NULL, 'Y'},
     "IP:PORT",
     "hosts log by syslog over TCP (RFC 5424) instead of Loki push"},
    {{"trap", required_argument, NULL, 'R'}, "IP:PORT", "switches send SNMPv2c traps"},
    {{"mirror", required_argument, NULL, 'M' + 128},
     "IP:PORT",
     "switches mirror some RoCE frames there, in VXLAN"},
    {{"snmp", required_argument, NULL, 'm'},
     "PORT",
     "answer SNMPv2c at the switches' 127.x addresses (0: any port)"},
    {{"snmp-switches", required_argument, NULL, 'w'},
     "GLOB",
     "switches left to SNMP, not sent by remote_write (default none)"},
    {{"agents", required_argument, NULL, 'A'},
     "N",
     "the first N nodes send batches as the node agent does"},
    {{"jobs", required_argument, NULL, 'j'}, "N", "training jobs (default one per 64 nodes)"},
    {{"first-job", required_argument, NULL, 'J'}, "N", "number of the first job (default 4711)"},
    {{"interval", required_argument, NULL, 'i'},
     "DURATION",
     "between two samples of a series (default 15s)"},
    {{"switch-interval", required_argument, NULL, 'I'},
     "DURATION",
     "the same for switches (default 60s from 20,000 ports on)"},
    {{"fault", required_argument, NULL, 'F'},
     "NAME@TIME[+DURATION][:ENTITY]",
     "inject a fault; may be given many times"},
    {{"list-faults", no_argument, NULL, 'l'}, NULL, "print the kinds of faults and end"},
    {{"control", required_argument, NULL, 'C'},
     "IP:PORT",
     "take faults at run time: POST, DELETE /fault"},
    {{"timer-scale", required_argument, NULL, 'k'},
     "X",
     "scale of watchdogs and retries (default 1; a demo takes 0.02)"},
    {{"no-noise", no_argument, NULL, 'N'}, NULL, "leave out what a healthy cluster says and does"},
    {{"seed", required_argument, NULL, 'e'}, "N", "seed of all chance (default 1)"},
    {{"start", required_argument, NULL, 'a'},
     "TIME",
     "replay: data begins here, as fast as the server takes it"},
    {{"duration", required_argument, NULL, 'd'},
     "DURATION",
     "end after this much data (default: never)"},
    {{"speed", required_argument, NULL, 'x'},
     "X",
     "data time runs X times as fast (default 1, with --start 0: no limit)"},
    {{"batch", required_argument, NULL, 'b'}, "N", "series a request (default 8000)"},
    {{"lines", required_argument, NULL, 'L'}, "FILE", "copy all lines here (- is standard output)"},
    {{"truth", required_argument, NULL, 'U'},
     "FILE",
     "append each fault's begin and end, as JSON lines"},
    {{"keep-jobs", no_argument, NULL, 'K'},
     NULL,
     "leave the jobs running at the end (default: they complete)"},
    {{"dry-run", no_argument, NULL, 'D'}, NULL, "send nothing"},
    {{"quiet", no_argument, NULL, 'q'}, NULL, "no progress line"},
    {{"help", no_argument, NULL, 'h'}, NULL, "print this"},
};
#define MAIN_OPTIONS (sizeof main_table / sizeof main_table[0])

static volatile sig_atomic_t main_stop;

static void
main_on_signal(int signum)
{
    (void)signum;
    main_stop = 1;
}

static void
main_help(void)
{
    printf("Usage: myriascope-sim [OPTIONS]\nSimulates a training cluster and sends its telemetry "
           "to a Myriascope server.\n\n");
    for (size_t i = 0; i < MAIN_OPTIONS; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", main_table[i].o.name,
                 main_table[i].value == NULL ? "" : " ",
                 main_table[i].value == NULL ? "" : main_table[i].value);
        printf("  %-34s %s\n", left, main_table[i].help);
    }
    printf("\nExample: myriascope-sim --nodes 256 --put-topology --timer-scale 0.02 \\\n"
           "    --fault optic-degrading@60s+120s:leaf-g01-1/Ethernet1\n");
}

static void
main_list_faults(void)
{
    const struct fault_row *r;
    for (size_t i = 0; (r = fault_row_at(i)) != NULL; i++)
        printf("%-22s at a %-8s %4us  %s\n%*s a right diagnosis names: %s, class %s, verdict %s\n",
               r->name, r->kind, r->seconds, r->help, 44, "", r->truth_kinds, r->truth_class,
               r->truth_verdict);
}

static int
main_usage(const char *option, const char *value, const char *why)
{
    fprintf(stderr, "myriascope-sim: --%s '%s': %s\n", option, value, why);
    return ERR_USAGE;
}

static int
main_number(const char *option, const char *text, double min, double max, double *ret)
{
    if (str_double(text, strlen(text), ret) < 0 || !(*ret >= min && *ret <= max))
        return main_usage(option, text, "not a number in its range");
    return 0;
}

static int
main_uint(const char *option, const char *text, unsigned min, unsigned max, unsigned *ret)
{
    double v;
    int rc = main_number(option, text, min, max, &v);
    if (rc >= 0 && v != floor(v))
        return main_usage(option, text, "not a whole number");
    if (rc >= 0)
        *ret = (unsigned)v;
    return rc;
}

static int
main_seconds(const char *option, const char *text, unsigned *ret)
{
    int64_t ms;
    if (duration_parse(text, &ms) < 0 || ms < 1000 || ms > 3600000)
        return main_usage(option, text, "not a duration of 1s to 1h");
    *ret = (unsigned)(ms / 1000);
    return 0;
}

static int
main_text_option(struct main_options *o, int c, const char *v)
{
    const struct {
        int c;
        const char **at;
    } texts[] = {
        {'t', &o->topology},     {'f', &o->fabric.kind},  {'V', &o->fabric.vendor},
        {'M', &o->fabric.model}, {'c', &o->cluster},      {'s', &o->server},
        {'T', &o->token_file},   {'y', &o->syslog_udp},   {'Y', &o->syslog_tcp},
        {'R', &o->trap},         {'M' + 128, &o->mirror}, {'w', &o->snmp_switches},
        {'C', &o->control},      {'L', &o->lines},        {'U', &o->truth},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].c == c) {
            *texts[i].at = v;
            return 1;
        }
    const struct {
        int c;
        bool *at;
    } flags[] = {
        {'p', &o->print_topology}, {'P', &o->put_topology}, {'l', &o->list_faults},
        {'D', &o->dry_run},        {'K', &o->keep_jobs},    {'h', &o->help},
        {'q', &o->quiet},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].c == c) {
            *flags[i].at = true;
            return 1;
        }
    return 0;
}

static int
main_number_option(struct main_options *o, int c, const char *name, const char *v)
{
    const struct {
        int c;
        unsigned *at, min, max;
    } numbers[] = {
        {'n', &o->fabric.nodes, 1, 32768},
        {'g', &o->fabric.gpus, 1, 64},
        {'r', &o->fabric.rails, 1, 16},
        {'S', &o->fabric.spines, 1, 512},
        {'G', &o->fabric.nodes_per_group, 1, 512},
        {'j', &o->world.jobs, 1, 1024},
        {'J', &o->world.first_job, 1, 1000000000},
        {'b', &o->series_max, 1, 100000},
        {'A', &o->agents, 0, 32768},
        {'m', &o->snmp_port, 0, 65535},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].c == c)
            return main_uint(name, v, numbers[i].min, numbers[i].max, numbers[i].at);
    return 1;
}

static int
main_other_option(struct main_options *o, int c, const char *name, const char *v)
{
    double seed;
    switch (c) {
    case 'i':
        return main_seconds(name, v, &o->world.interval_s);
    case 'I':
        return main_seconds(name, v, &o->switch_interval);
    case 'F':
        if (o->fault_count == MAIN_FAULTS_MAX)
            return main_usage(name, v, "too many faults");
        o->faults[o->fault_count++] = v;
        return 0;
    case 'k':
        return main_number(name, v, 0.001, 100, &o->world.timer_scale);
    case 'N':
        o->world.noise = false;
        return 0;
    case 'e':
        if (main_number(name, v, 0, 9e15, &seed) < 0)
            return ERR_USAGE;
        o->world.seed = (uint64_t)seed;
        return 0;
    case 'a':
        return time_parse(v, &o->start_ms) < 0
                   ? main_usage(name, v, "not a time (RFC 3339 or Unix seconds)")
                   : 0;
    case 'd':
        return duration_parse(v, &o->duration_ms) < 0 ? main_usage(name, v, "not a duration") : 0;
    case 'x':
        return main_number(name, v, 0, 1e6, &o->speed);
    default:
        return ERR_USAGE;
    }
}

static int
main_parse(int argc, char **argv, struct main_options *o)
{
    struct option options[MAIN_OPTIONS + 1] = {{0}};
    int c, index = 0;
    for (size_t i = 0; i < MAIN_OPTIONS; i++)
        options[i] = main_table[i].o;
    while ((c = getopt_long(argc, argv, "h", options, &index)) != -1) {
        if (c == '?')
            return ERR_USAGE;
        const char *name = options[index].name;
        if (main_text_option(o, c, optarg))
            continue;
        int rc = main_number_option(o, c, name, optarg);
        if (rc > 0)
            rc = main_other_option(o, c, name, optarg);
        if (rc < 0)
            return rc;
    }
    if (optind < argc) {
        fprintf(stderr, "myriascope-sim: '%s' is not an option; --help shows them all\n",
                argv[optind]);
        return ERR_USAGE;
    }
    return 0;
}

static int
main_plan(const struct main_options *o, struct plan **ret, struct err *err)
{
    struct doc *d;
    int rc;
    if (o->topology != NULL) {
        struct buf text;
        rc = file_read(o->topology, 64u << 20, &text, err);
        if (rc < 0)
            return rc;
        rc = doc_parse_any(buf_str(&text), text.len, o->topology, &d, err);
        if (rc >= 0) {
            rc = plan_load(d, ret, err);
            doc_free(d);
        }
        buf_done(&text);
        return rc;
    }
    struct plan_fabric f = o->fabric;
    f.nodes = f.nodes == 0 ? 16 : f.nodes;
    rc = plan_new(o->cluster, ret, err);
    if (rc >= 0 && (rc = plan_expand(*ret, &f, err)) < 0) {
        plan_free(*ret);
        return rc;
    }
    if (rc >= 0 && plan_share_storage(*ret) < 0) {
        plan_free(*ret);
        return err_set(err, ERR_NOMEM, "no memory for the plan's storage");
    }
    return rc;
}

struct main_run {
    struct main_options *o;
    struct plan *plan;
    struct world *world;
    struct feed *feed;
    struct responder *responder;
    struct control *control;
    pthread_mutex_t lock;
    FILE *lines, *truth;
    char token[512];
};

static void
main_lock(void *ctx)
{
    pthread_mutex_lock(&((struct main_run *)ctx)->lock);
}

static void
main_unlock(void *ctx)
{
    pthread_mutex_unlock(&((struct main_run *)ctx)->lock);
}

static int
main_token(struct main_run *r, struct err *err)
{
    const char *path =
        r->o->token_file != NULL ? r->o->token_file : getenv("MYRIASCOPE_TOKEN_FILE");
    struct buf text;
    if (path == NULL || *path == 0)
        return 0;
    int rc = file_read(path, sizeof r->token - 1, &text, err);
    if (rc < 0)
        return rc;
    str_copy(r->token, sizeof r->token, buf_str(&text));
    r->token[strcspn(r->token, "\r\n ")] = 0;
    buf_done(&text);
    return 0;
}

static int
main_put_topology(struct main_run *r, struct err *err)
{
    struct buf body;
    struct post_config pc = {.server = r->o->server, .token = r->token};
    buf_init(&body, 256u << 20);
    int rc = plan_print(r->plan, &body);
    if (rc >= 0)
        rc =
            post_once(&pc, "PUT", "/api/v1/topology", "application/json", body.data, body.len, err);
    buf_done(&body);
    return rc < 0 ? rc : rc >= 300 ? ERR_STATE : 0;
}

static int
main_open_file(const char *path, const char *mode, FILE **ret, struct err *err)
{
    if (path == NULL)
        return 0;
    *ret = strcmp(path, "-") == 0 ? stdout : fopen(path, mode);
    return *ret == NULL ? err_set_errno(err, "cannot write %s", path) : 0;
}

static int
main_open_feed(struct main_run *r, struct err *err)
{
    struct main_options *o = r->o;
    struct feed_config fc = {.server = o->dry_run ? NULL : o->server,
                             .token = r->token,
                             .syslog_udp = o->syslog_udp,
                             .syslog_tcp = o->syslog_tcp,
                             .trap = o->trap,
                             .mirror = o->mirror,
                             .lines = r->lines,
                             .truth = r->truth,
                             .replay = o->start_ms != 0,
                             .agents = o->agents,
                             .series_max = o->series_max,
                             .switch_interval_s = o->switch_interval};
    int rc = feed_new(&fc, &r->feed, err);
    if (rc < 0)
        return rc;
    struct world_sink sink = feed_sink(r->feed);
    rc = world_new(r->plan, &o->world, &sink, &r->world, err);
    if (rc >= 0)
        rc = feed_bind(r->feed, r->world, err);
    for (uint32_t i = 0; rc >= 0 && o->snmp_switches != NULL && i < r->plan->switches.count; i++)
        if (str_glob(o->snmp_switches, r->plan->switches.at[i].name))
            feed_skip_switch(r->feed, i);
    for (unsigned i = 0; rc >= 0 && i < o->fault_count; i++)
        rc = fault_add_text(r->world, o->faults[i], err) < 0 ? ERR_USAGE : 0;
    return rc;
}

static int
main_open(struct main_run *r, struct err *err)
{
    struct main_options *o = r->o;
    struct control_guard guard = {main_lock, main_unlock, r};
    int rc = main_token(r, err);
    if (rc >= 0)
        rc = main_open_file(o->lines, "w", &r->lines, err);
    if (rc >= 0)
        rc = main_open_file(o->truth, "a", &r->truth, err);
    if (rc >= 0)
        rc = main_open_feed(r, err);
    if (rc >= 0 && o->put_topology && !o->dry_run)
        rc = main_put_topology(r, err);
    if (rc >= 0 && o->snmp_port != MAIN_NO_PORT)
        rc = responder_open(r->world, o->snmp_port, &r->responder, err);
    if (rc >= 0 && r->responder != NULL)
        fprintf(stderr, "myriascope-sim: SNMP on UDP port %u\n", responder_port(r->responder));
    if (rc >= 0 && o->control != NULL)
        rc = control_open(r->world, o->control, &guard, &r->control, err);
    if (rc >= 0 && r->control != NULL)
        fprintf(stderr, "myriascope-sim: control on port %u\n", control_port(r->control));
    return rc;
}

static void
main_progress(struct main_run *r, bool last)
{
    static const char clear[] = "\r\033[K";
    struct feed_counts c;
    char t[TIME_TEXT_SIZE];
    if (r->o->quiet || (!last && !isatty(STDERR_FILENO)))
        return;
    feed_counts(r->feed, &c);
    fprintf(stderr, "%s%s  %u GPUs  %llu samples  %llu lines  %u faults  queue %u",
            isatty(STDERR_FILENO) ? clear : "", time_format(r->world->now_ms, t),
            r->plan->gpus.count, (unsigned long long)c.samples, (unsigned long long)c.lines,
            r->world->fault_count, c.queued);
    if (c.failed + c.dropped + c.retries > 0)
        fprintf(stderr, "  refused %llu, dropped %llu, retried %llu: %.100s",
                (unsigned long long)c.failed, (unsigned long long)c.dropped,
                (unsigned long long)c.retries, c.last_error);
    if (last)
        fputc('\n', stderr);
    fflush(stderr);
}

/* Waits for the wall to reach the data's next second, answering SNMP meanwhile. */
static void
main_wait(struct main_run *r, int64_t until_us)
{
    for (;;) {
        int64_t left = (until_us - clock_mono_us()) / 1000;
        if (left <= 0 || main_stop)
            return;
        struct pollfd p = {.fd = r->responder == NULL ? -1 : responder_fd(r->responder),
                           .events = POLLIN};
        if (poll(&p, 1, (int)(left > 200 ? 200 : left)) > 0) {
            main_lock(r);
            responder_run(r->responder);
            main_unlock(r);
        }
    }
}

static void
main_loop(struct main_run *r)
{
    const struct main_options *o = r->o;
    int64_t next = o->world.start_ms + 1000,
            end = o->duration_ms > 0 ? o->world.start_ms + o->duration_ms : INT64_MAX, shown = 0;
    int64_t origin_us = clock_mono_us(), origin_ms = o->world.start_ms;
    for (; !main_stop && next <= end; next += 1000) {
        if (o->speed > 0) {
            int64_t due = origin_us + (int64_t)((double)(next - origin_ms) * 1000 / o->speed);
            if (clock_mono_us() - due > (int64_t)MAIN_BEHIND_MS * 1000 && o->start_ms == 0) {
                int64_t skip = (clock_mono_us() - due) / 1000000 * 1000;
                next += (int64_t)((double)skip * o->speed) / 1000 * 1000;
            }
            main_wait(r, due);
        } else if (r->responder != NULL) {
            responder_run(r->responder);
        }
        if (main_stop)
            break;
        main_lock(r);
        world_step(r->world, next);
        feed_tick(r->feed);
        main_unlock(r);
        if (clock_mono_us() - shown > 500000) {
            shown = clock_mono_us();
            main_progress(r, false);
        }
    }
}

static void
main_close(struct main_run *r, bool started)
{
    control_close(r->control);
    if (started)
        main_progress(r, true);
    feed_free(r->feed, started ? 30000 : 0);
    responder_close(r->responder);
    world_free(r->world);
    plan_free(r->plan);
    if (r->lines != NULL && r->lines != stdout)
        fclose(r->lines);
    if (r->truth != NULL && r->truth != stdout)
        fclose(r->truth);
}

static int
main_run(struct main_options *o)
{
    struct main_run r = {.o = o, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct err err = {0};
    char text[800];
    int rc = main_plan(o, &r.plan, &err);
    if (rc >= 0 && o->print_topology) {
        struct buf body;
        buf_init(&body, 256u << 20);
        rc = plan_print(r.plan, &body);
        fwrite(buf_str(&body), 1, body.len, stdout);
        putchar('\n');
        buf_done(&body);
        plan_free(r.plan);
        return rc < 0 ? EXIT_FAILED : EXIT_DONE;
    }
    if (rc >= 0)
        rc = main_open(&r, &err);
    if (rc >= 0) {
        world_announce(r.world);
        main_loop(&r);
        if (!o->keep_jobs)
            world_end_jobs(r.world);
    } else {
        fprintf(stderr, "myriascope-sim: %s\n", err_format(&err, text, sizeof text));
    }
    struct feed_counts c = {0};
    if (rc >= 0)
        feed_counts(r.feed, &c);
    main_close(&r, rc >= 0);
    return rc == ERR_USAGE ? EXIT_USAGE : rc < 0 || c.failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

int
main(int argc, char **argv)
{
    struct main_options o = {
        .server = "http://127.0.0.1:8686",
        .cluster = "sim",
        .snmp_port = MAIN_NO_PORT,
        .speed = -1,
        .world = {.seed = 1, .interval_s = 15, .timer_scale = 1, .noise = true}};
    if (main_parse(argc, argv, &o) < 0)
        return EXIT_USAGE;
    if (o.help)
        main_help();
    else if (o.list_faults)
        main_list_faults();
    if (o.help || o.list_faults)
        return EXIT_DONE;
    int64_t now = clock_now_ms(NULL);
    if (o.start_ms == 0 && o.speed > 0 && o.speed > 1 && o.duration_ms > 0)
        o.start_ms = now - o.duration_ms; /* faster than life ends now, not in the future */
    o.world.start_ms = (o.start_ms != 0 ? o.start_ms : now) / 1000 * 1000;
    if (o.speed < 0)
        o.speed = o.start_ms != 0 ? 0 : 1;
    struct sigaction sa = {.sa_handler = main_on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    return main_run(&o);
}
