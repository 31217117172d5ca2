/* bench_collect: what polling switches costs. A child answers for all switches; this process is the
 * collector and a store; or, with --serve, only the child's part, for another's collector.
 *
 * Prints CPU time of this process and its memory, per value, after a warm-up in which names were
 * learnt. Wall time of a shared machine says nothing, so it is not printed. */
#include "sim/switches.h"
#include "tests/collector/collector_test.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static void
bench_serve(int out, unsigned ports)
{
    struct switches_config c = {.ports = ports};
    struct switches *s;
    struct err err;
    if (switches_open(&c, &s, &err)) {
        fprintf(stderr, "%s\n", err.text);
        _exit(2);
    }
    dprintf(out, "%u\n", switches_port(s));
    for (;;) {
        struct pollfd p = {switches_fd(s), POLLIN, 0};
        poll(&p, 1, 1000);
        switches_run(s, clock_mono_us() / 1000);
    }
}

static pid_t
bench_child(unsigned ports, unsigned *ret_port)
{
    int fd[2];
    char text[16] = "";
    if (pipe(fd))
        return -1;
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fd[0]);
        bench_serve(fd[1], ports);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], text, sizeof text - 1);
    close(fd[0]);
    *ret_port = n > 0 ? (unsigned)atoi(text) : 0;
    return pid;
}

static char *
bench_yaml(unsigned switches, unsigned port, bool sensors)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "snmp:\n  targets:\n");
    for (unsigned i = 0; i < switches; i++)
        buf_printf(&b,
                   "  - {switch: leaf-%04u, address: '127.0.0.1:%u', community: public@%u,"
                   " sensors: %s}\n",
                   i, port, i, sensors ? "true" : "false");
    char *text = strdup(buf_str(&b));
    buf_done(&b);
    return text;
}

static double
bench_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long
bench_memory(const char *key)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kb = atol(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return kb;
}

static uint64_t
bench_samples(struct fixture *f)
{
    struct store_stats s;
    store_stats_get(f->store, &s);
    return s.samples_total;
}

static void
bench_wait(double seconds)
{
    int64_t end = clock_mono_us() + (int64_t)(seconds * 1e6);
    for (int64_t left; (left = end - clock_mono_us()) > 0;)
        poll(NULL, 0, (int)(left / 1000 + 1));
}

static int
bench_run(unsigned switches, unsigned ports, bool sensors, double warm_s, double run_s)
{
    struct fixture f;
    unsigned port = 0;
    pid_t pid = bench_child(ports, &port);
    if (!port)
        return 2;
    fixture_open_store(&f);
    long empty = bench_memory("RssAnon:");
    char *yaml = bench_yaml(switches, port, sensors);
    fixture_start(&f, yaml, NULL);
    bench_wait(warm_s);
    double cpu = bench_cpu();
    uint64_t before = bench_samples(&f);
    int64_t from = clock_mono_us();
    bench_wait(run_s);
    double wall = (double)(clock_mono_us() - from) / 1e6;
    cpu = bench_cpu() - cpu;
    uint64_t n = bench_samples(&f) - before;
    printf("%u switches of %u ports%s: %.0f values/s, %.1f %% of a core, %.0f values a CPU-second, "
           "%.2f us each, %ld MB (%ld MB more than with an empty store, %ld MB at most)\n",
           switches, ports, sensors ? " with sensors" : "", (double)n / wall, 100 * cpu / wall,
           (double)n / cpu, 1e6 * cpu / (double)n, bench_memory("RssAnon:") / 1024,
           (bench_memory("RssAnon:") - empty) / 1024, bench_memory("VmHWM:") / 1024);
    fflush(stdout);
    fixture_close(&f);
    free(yaml);
    fixture_kill(pid);
    return 0;
}

int
main(int argc, char **argv)
{
    unsigned switches = argc > 1 ? (unsigned)atoi(argv[1]) : 600,
             ports = argc > 2 ? (unsigned)atoi(argv[2]) : 64;
    if (argc > 1 && !strcmp(argv[1], "--serve"))
        bench_serve(1, 64);
    bool sensors = argc <= 3 || strcmp(argv[3], "counters");
    double warm_s = argc > 4 ? atof(argv[4]) : 75, run_s = argc > 5 ? atof(argv[5]) : 60;
    return bench_run(switches, ports, sensors, warm_s, run_s);
}
