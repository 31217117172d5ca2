/* bench_queries: the same series of a GPU fleet written to several stores by remote_write, the same
 * questions asked of each in turn, the answers compared with the first one's, times and ratios
 * printed.
 *
 *   bench_queries [nodes=N] [rounds=N] [ingest=SAMPLES/S] [settle=COMMAND] NAME=PID=URL...
 *
 * 8 GPUs a node, 10 metrics a GPU: 1,250 nodes are 100,000 series. URL is what stands before
 * /api/v1. Samples stand on multiples of 15 s and so do the ends of rates, where all engines mean
 * the same by a rate; windows of maxima end between two samples, so that it does not matter which
 * ends of a window count. `settle` is run after the first round of questions, to bring all stores
 * to rest; then all is asked again. At last all is asked of the last store while it takes in
 * samples, `ingest` a second (0: not done), or half of what it took in when it was loaded. */
#include "base/clock.h"
#include "base/compress.h"
#include "base/doc.h"
#include "base/httpc.h"
#include "base/protobuf.h"
#include "base/str.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GPUS = 8, METRICS = 10, STEPS = 265, STEP_MS = 15000, A_BATCH = 5000, TARGETS = 4 };
enum { BUSY_ROUNDS = 100 }; /* of which the slowest but one is the p99 */

static const char *const metrics[METRICS] = {
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_XID_ERRORS",
};

static const struct question {
    const char *title, *query;
    int64_t range_ms, later_ms; /* 0: instant; how far behind the last sample it is asked */
    bool values_only;           /* of equal values either may stand in the answer */
} questions[] = {
    {"one series, 1 h", "DCGM_FI_DEV_GPU_TEMP{Hostname=\"node00001\",gpu=\"3\"}", 3600000, 0,
     false},
    {"avg by pod, 1 h", "avg by (pod) (DCGM_FI_DEV_GPU_UTIL)", 3600000, 0, false},
    {"topk, instant", "topk(10, DCGM_FI_DEV_POWER_USAGE)", 0, 0, true},
    {"sum(rate[5m]), 1 h", "sum(rate(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL[5m]))", 3600000, 0, false},
    {"max_over_time[1h] by node", "max by (Hostname) (max_over_time(DCGM_FI_DEV_GPU_TEMP[1h]))", 0,
     7000, false},
    {"all of a metric, instant", "DCGM_FI_DEV_GPU_UTIL", 0, 0, false},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

struct target {
    char name[32];
    int pid;
    const char *url;
};

struct bench {
    struct target targets[TARGETS];
    size_t target_count;
    unsigned nodes, rounds;
    uint64_t ingest;
    bool half;         /* of full speed */
    int64_t loaded_us; /* that the last store took for its samples */
    const char *settle;
    struct fleet_series {
        struct buf labels; /* encoded */
        double v;
    } * series;
    size_t count;
    uint64_t rng;
    int64_t start_ms;
    atomic_bool stop;
};

/* --- the fleet
 * ------------------------------------------------------------------------------------------------
 */

static double
bench_random(struct bench *b)
{
    b->rng ^= b->rng << 13;
    b->rng ^= b->rng >> 7;
    b->rng ^= b->rng << 17;
    return (double)(b->rng >> 11) / 9007199254740992.0;
}

static void
bench_label(struct buf *out, const char *name, const char *value)
{
    size_t mark = protobuf_begin(out, 1);
    protobuf_put_str(out, 1, name);
    protobuf_put_str(out, 2, value);
    protobuf_end(out, mark);
}

static void
bench_fleet(struct bench *b)
{
    b->count = (size_t)b->nodes * GPUS * METRICS;
    b->series = calloc(b->count, sizeof *b->series);
    if (!b->series)
        exit(1);
    for (size_t i = 0; i < b->count; i++) {
        struct fleet_series *s = &b->series[i];
        size_t m = i % METRICS, gpu = i / METRICS % GPUS, node = i / METRICS / GPUS;
        char text[64];
        buf_init(&s->labels, 1024);
        bench_label(&s->labels, "__name__", metrics[m]);
        snprintf(text, sizeof text, "node%05zu", node);
        bench_label(&s->labels, "Hostname", text);
        snprintf(text, sizeof text, "nvidia%zu", gpu);
        bench_label(&s->labels, "device", text);
        bench_label(&s->labels, "gpu", text + 6);
        snprintf(text, sizeof text, "node%05zu:9400", node);
        bench_label(&s->labels, "instance", text);
        bench_label(&s->labels, "job", "dcgm");
        bench_label(&s->labels, "modelName", "NVIDIA H100 80GB HBM3");
        snprintf(text, sizeof text, "pod%02zu", node / 128);
        bench_label(&s->labels, "pod", text);
        s->v = m == 1 ? 60 : m == 3 ? 71234 : m == 5 || m == 7 ? floor(1e9 * bench_random(b)) : 0;
    }
}

/* Counters, slow integers, noisy decimals and constants, as a fleet has them. */
static double
bench_value(struct bench *b, size_t m, double v)
{
    double u = bench_random(b);
    switch (m) {
    case 0:
        return 90 + floor(11 * u);
    case 1:
        return u < 0.1 ? v + 1 : u > 0.9 ? v - 1 : v;
    case 2:
        return floor((600 + 80 * u) * 1000) / 1000;
    case 3:
        return u < 0.05 ? v + floor(u * 1280) - 32 : v;
    case 4:
        return u < 0.1 ? 1935 + 15 * floor(u * 40) : v > 0 ? v : 1980;
    case 5:
        return v + 9000000 + floor(1000000 * u);
    case 6:
        return floor((0.35 + 0.1 * u) * 1e6) / 1e6;
    case 7:
        return v + floor(4e9 * u);
    case 8:
        return u < 0.001 ? v + 1 : v;
    default:
        return v;
    }
}

static int
bench_post(struct httpc *http, const struct target *t, const char *path, const struct buf *body)
{
    static const char *const headers[] = {"Content-Encoding: snappy",
                                          "Content-Type: application/x-protobuf",
                                          "X-Prometheus-Remote-Write-Version: 0.1.0", NULL};
    char url[300];
    struct httpc_response resp;
    struct err err = {0};
    snprintf(url, sizeof url, "%s%s", t->url, path);
    struct httpc_request req = {.method = "POST",
                                .url = url,
                                .body = body->data,
                                .body_len = body->len,
                                .headers = headers,
                                .timeout_ms = 120000};
    int rc = httpc_fetch(http, &req, &resp, &err);
    if (rc || resp.status / 100 != 2) {
        printf("%s: %d %s %s\n", t->name, resp.status, err.text, buf_str(&resp.body));
        rc = rc ? rc : ERR_IO;
    }
    httpc_response_done(&resp);
    return rc;
}

/* One step of series [from, to) as a request. */
static void
bench_body(struct bench *b, size_t from, size_t to, int64_t t_ms, struct buf *raw,
           struct buf *packed)
{
    buf_reset(raw);
    buf_reset(packed);
    for (size_t i = from; i < to; i++) {
        struct fleet_series *s = &b->series[i];
        size_t mark = protobuf_begin(raw, 1);
        s->v = bench_value(b, i % METRICS, s->v);
        buf_append(raw, s->labels.data, s->labels.len);
        size_t sample = protobuf_begin(raw, 2);
        protobuf_put_double(raw, 1, s->v);
        protobuf_put_varint(raw, 2, (uint64_t)t_ms);
        protobuf_end(raw, sample);
        protobuf_end(raw, mark);
    }
    compress_snappy(raw->data, raw->len, packed);
}

static int
bench_load(struct bench *b)
{
    struct httpc *http = httpc_new();
    struct buf raw, packed;
    int rc = 0;
    buf_init(&raw, (size_t)64 << 20);
    buf_init(&packed, (size_t)64 << 20);
    for (int64_t step = 0; !rc && step < STEPS; step++)
        for (size_t i = 0; !rc && i < b->count; i += A_BATCH) {
            size_t end = i + A_BATCH < b->count ? i + A_BATCH : b->count;
            bench_body(b, i, end, b->start_ms + step * STEP_MS, &raw, &packed);
            for (size_t k = 0; !rc && k < b->target_count; k++) {
                int64_t from = clock_mono_us();
                rc = bench_post(http, &b->targets[k], "/api/v1/write", &packed);
                b->loaded_us += k + 1 == b->target_count ? clock_mono_us() - from : 0;
            }
        }
    buf_done(&raw);
    buf_done(&packed);
    httpc_free(http);
    return rc;
}

/* --- answers
 * --------------------------------------------------------------------------------------------------
 */

struct answer_row {
    char *key; /* labels in order */
    const struct doc_node *row;
};

static int
bench_compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
bench_compare_rows(const void *a, const void *b)
{
    const struct answer_row *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static char *
bench_key(const struct doc_node *metric)
{
    const char *texts[64];
    char room[64][200];
    size_t n = 0;
    struct buf out;
    for (const struct doc_node *l = metric ? metric->first : NULL; l && n < 64; l = l->next, n++) {
        snprintf(room[n], sizeof room[n], "%s=%s;", l->key, doc_str(l, ""));
        texts[n] = room[n];
    }
    qsort(texts, n, sizeof *texts, bench_compare_texts);
    buf_init(&out, 65536);
    buf_puts(&out, "");
    for (size_t i = 0; i < n; i++)
        buf_puts(&out, texts[i]);
    return buf_take(&out, NULL);
}

static struct answer_row *
bench_rows(const struct doc *d, bool values_only, size_t *ret_count)
{
    const struct doc_node *rows = doc_get(doc_get(doc_root(d), "data"), "result");
    size_t n = 0;
    struct answer_row *at = calloc(rows ? rows->count + 1 : 1, sizeof *at);
    for (const struct doc_node *r = rows ? rows->first : NULL; at && r; r = r->next, n++) {
        at[n].row = r;
        at[n].key = values_only ? strdup(doc_str(doc_at(doc_get(r, "value"), 1), ""))
                                : bench_key(doc_get(r, "metric"));
        if (!at[n].key)
            exit(1);
    }
    if (at)
        qsort(at, n, sizeof *at, bench_compare_rows);
    *ret_count = n;
    return at;
}

static bool
bench_same_point(const struct doc_node *x, const struct doc_node *y)
{
    const char *v = doc_str(doc_at(x, 1), ""), *w = doc_str(doc_at(y, 1), "");
    double a, b;
    if (doc_real(doc_at(x, 0), -1) != doc_real(doc_at(y, 0), -2))
        return false;
    if (!strcmp(v, w))
        return true;
    return !str_double(v, strlen(v), &a) && !str_double(w, strlen(w), &b) &&
           fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool
bench_same_row(const struct answer_row *a, const struct answer_row *b, bool values_only)
{
    const struct doc_node *x = doc_get(a->row, "values"), *y = doc_get(b->row, "values");
    if (strcmp(a->key, b->key))
        return false;
    if (!x || !y)
        return values_only ||
               (!x && !y && bench_same_point(doc_get(a->row, "value"), doc_get(b->row, "value")));
    const struct doc_node *p = x->first, *q = y->first;
    while (p && q && bench_same_point(p, q))
        p = p->next, q = q->next;
    return !p && !q;
}

/* The number of rows when both answers are the same, else -1 after saying where they differ. */
static long
bench_same(const struct question *q, const struct buf *x, const struct buf *y)
{
    struct doc *a = NULL, *b = NULL;
    struct err err = {0};
    size_t n = 0, m = 0, at = 0;
    if (doc_parse_json(buf_str(x), x->len, "answer", &a, &err) ||
        doc_parse_json(buf_str(y), y->len, "answer", &b, &err)) {
        printf("%s: %s\n", q->title, err.text);
        doc_free(a);
        return -1;
    }
    struct answer_row *r = bench_rows(a, q->values_only, &n),
                      *s = bench_rows(b, q->values_only, &m);
    while (r && s && at < n && at < m && bench_same_row(&r[at], &s[at], q->values_only))
        at++;
    bool same = n == m && at == n && n;
    if (!same)
        printf("# %s: %zu and %zu rows; row %zu differs: %s and %s\n", q->title, n, m, at,
               at < n ? r[at].key : "none", at < m ? s[at].key : "none");
    for (size_t i = 0; r && i < n; i++)
        free(r[i].key);
    for (size_t i = 0; s && i < m; i++)
        free(s[i].key);
    free(r);
    free(s);
    doc_free(a);
    doc_free(b);
    return same ? (long)n : -1;
}

/* --- asking
 * ---------------------------------------------------------------------------------------------------
 */

/* CPU of a process so far, ms, of all its threads, those that ended too. */
static double
bench_cpu(int pid)
{
    clockid_t of;
    struct timespec t;
    if (clock_getcpuclockid(pid, &of) || clock_gettime(of, &t))
        return 0;
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int
bench_ask(struct httpc *http, const struct bench *b, const struct target *t,
          const struct question *q, double *ret_ms, struct buf *ret)
{
    struct buf url;
    struct httpc_response resp;
    struct err err = {0};
    int64_t end = b->start_ms + (STEPS - 1) * (int64_t)STEP_MS + q->later_ms;
    buf_init(&url, 4096);
    buf_printf(&url, "%s/api/v1/query%s?nocache=1&query=", t->url, q->range_ms ? "_range" : "");
    str_percent_encode(&url, q->query, "");
    if (q->range_ms)
        buf_printf(&url, "&start=%.3f&end=%.3f&step=15",
                   (double)(end - q->range_ms + STEP_MS) / 1000, (double)end / 1000);
    else
        buf_printf(&url, "&time=%.3f", (double)end / 1000);
    struct httpc_request req = {
        .url = buf_str(&url), .timeout_ms = 120000, .max_body = (size_t)512 << 20};
    int64_t from = clock_mono_us();
    int rc = httpc_fetch(http, &req, &resp, &err);
    *ret_ms = (double)(clock_mono_us() - from) / 1000;
    if (!rc && resp.status != 200)
        rc = ERR_IO;
    if (rc)
        printf("%s: %s: %d %s %s\n", t->name, q->query, resp.status, err.text, buf_str(&resp.body));
    if (ret && !rc) {
        *ret = resp.body;
        buf_init(&resp.body, 16);
    }
    httpc_response_done(&resp);
    buf_done(&url);
    return rc;
}

/* A store may answer a write before it shows it. */
static int
bench_wait(struct httpc *http, const struct bench *b, const struct target *t)
{
    char query[120];
    struct question q = {.title = "all is there", .query = query};
    for (int i = 0, m = 0; i < 300; i++) {
        snprintf(query, sizeof query, "count(timestamp(%s) == %.0f)", metrics[m],
                 (double)(b->start_ms + (STEPS - 1) * (int64_t)STEP_MS) / 1000);
        struct buf text = {0};
        struct doc *d = NULL;
        double ms;
        size_t seen = 0;
        int rc = bench_ask(http, b, t, &q, &ms, &text);
        if (!rc && !doc_parse_json(buf_str(&text), text.len, "answer", &d, NULL)) {
            const struct doc_node *rows = doc_get(doc_get(doc_root(d), "data"), "result");
            seen = strtoull(doc_str(doc_at(doc_get(doc_at(rows, 0), "value"), 1), "0"), NULL, 10);
        }
        doc_free(d);
        buf_done(&text);
        bool shown = seen == b->count / METRICS;
        if (rc || (shown && m == METRICS - 1))
            return rc;
        m += shown;
        if (!shown)
            usleep(100000);
    }
    printf("%s does not show all that was written\n", t->name);
    return ERR_TIMEOUT;
}

static int
bench_compare_times(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct measure {
    double median, best, p99, cpu;
};

/* Asks each in turn, round after round. */
static int
bench_measure(struct httpc *http, struct bench *b, size_t first, const struct question *q,
              struct measure *ret)
{
    double *times = calloc((size_t)b->rounds * TARGETS, sizeof *times), cpu[TARGETS] = {0};
    int rc = times ? 0 : ERR_NOMEM;
    for (unsigned i = 0; !rc && i < b->rounds; i++)
        for (size_t k = first; !rc && k < b->target_count; k++) {
            double before = bench_cpu(b->targets[k].pid);
            rc = bench_ask(http, b, &b->targets[k], q, &times[k * b->rounds + i], NULL);
            cpu[k] += bench_cpu(b->targets[k].pid) - before;
        }
    for (size_t k = first; !rc && k < b->target_count; k++) {
        double *at = times + k * b->rounds;
        qsort(at, b->rounds, sizeof *at, bench_compare_times);
        ret[k] = (struct measure){at[b->rounds / 2], at[0], at[(b->rounds - 1) * 99 / 100],
                                  cpu[k] / b->rounds};
    }
    free(times);
    return rc;
}

static int
bench_question(struct httpc *http, struct bench *b, const struct question *q)
{
    struct buf answers[TARGETS] = {0};
    struct measure at[TARGETS];
    double ms;
    long rows = 0;
    int rc = 0;
    for (size_t k = 0; !rc && k < b->target_count; k++)
        rc = bench_ask(http, b, &b->targets[k], q, &ms, &answers[k]);
    for (size_t k = 1; !rc && k < b->target_count; k++)
        rows = rows < 0 ? -1 : bench_same(q, &answers[0], &answers[k]);
    for (size_t k = 0; k < b->target_count; k++)
        buf_done(&answers[k]);
    if (!rc)
        rc = bench_measure(http, b, 0, q, at);
    if (rc)
        return rc;
    for (size_t k = 0; k < b->target_count; k++) {
        printf("%-26s %-18s %9.2f %9.2f %9.2f %9.2f", k ? "" : q->title, b->targets[k].name,
               at[k].median, at[k].best, at[k].p99, at[k].cpu);
        if (k)
            printf("   %5.1f x, CPU %5.1f x, %s", at[0].median / at[k].median,
                   at[0].cpu / at[k].cpu, rows < 0 ? "ANSWERS DIFFER" : "same answer");
        putchar('\n');
    }
    return rows < 0 ? ERR_STATE : 0;
}

static int
bench_questions(struct httpc *http, struct bench *b, const char *state)
{
    int rc = 0;
    printf("%-26s %-18s %9s %9s %9s %9s\n", state, "ms", "median", "best", "p99", "CPU");
    for (size_t i = 0; rc != ERR_IO && i < QUESTIONS; i++) {
        int one = bench_question(http, b, &questions[i]);
        rc = one ? one : rc;
    }
    return rc;
}

/* --- while samples come in
 * ------------------------------------------------------------------------------------
 */

static void *
bench_ingest(void *arg)
{
    struct bench *b = arg;
    struct httpc *http = httpc_new();
    struct buf raw, packed;
    uint64_t sent = 0;
    int64_t began = clock_mono_us();
    buf_init(&raw, (size_t)64 << 20);
    buf_init(&packed, (size_t)64 << 20);
    for (int64_t step = STEPS; !b->stop; step++)
        for (size_t i = 0; i < b->count && !b->stop; i += A_BATCH) {
            size_t end = i + A_BATCH < b->count ? i + A_BATCH : b->count;
            bench_body(b, i, end, b->start_ms + step * STEP_MS, &raw, &packed);
            if (bench_post(http, &b->targets[b->target_count - 1], "/api/v1/write", &packed))
                b->stop = true;
            sent += end - i;
            int64_t ahead = (int64_t)(sent * 1000000 / b->ingest) - (clock_mono_us() - began);
            if (ahead > 0)
                usleep((useconds_t)ahead); /* the rate is what was asked for */
        }
    printf("%.0f samples/s taken in meanwhile\n",
           (double)sent * 1e6 / (double)(clock_mono_us() - began));
    buf_done(&raw);
    buf_done(&packed);
    httpc_free(http);
    return NULL;
}

static int
bench_busy(struct httpc *http, struct bench *b)
{
    struct measure idle[QUESTIONS][TARGETS], busy[QUESTIONS][TARGETS];
    size_t last = b->target_count - 1;
    pthread_t writer;
    int rc = 0;
    b->rounds = b->rounds < BUSY_ROUNDS ? BUSY_ROUNDS : b->rounds;
    if (b->half)
        b->ingest = b->count * STEPS * 1000000 / (uint64_t)(2 * b->loaded_us + 1) + 1;
    for (size_t i = 0; !rc && i < QUESTIONS; i++)
        rc = bench_measure(http, b, last, &questions[i], idle[i]);
    if (rc || pthread_create(&writer, NULL, bench_ingest, b))
        return rc ? rc : ERR_NOMEM;
    for (size_t i = 0; !rc && i < QUESTIONS; i++)
        rc = bench_measure(http, b, last, &questions[i], busy[i]);
    b->stop = true;
    pthread_join(writer, NULL);
    for (size_t i = 0; !rc && i < QUESTIONS; i++)
        printf("%-26s %-18s p99 idle %8.2f, while taking in %8.2f: %4.1f x\n", questions[i].title,
               b->targets[last].name, idle[i][last].p99, busy[i][last].p99,
               busy[i][last].p99 / idle[i][last].p99);
    return rc;
}

static int
bench_argument(struct bench *b, char *text)
{
    char *value = strchr(text, '=');
    if (!value)
        return ERR_USAGE;
    *value++ = 0;
    char *url = strchr(value, '=');
    if (!strcmp(text, "nodes")) {
        b->nodes = (unsigned)strtoul(value, NULL, 10);
    } else if (!strcmp(text, "rounds")) {
        b->rounds = (unsigned)strtoul(value, NULL, 10);
    } else if (!strcmp(text, "ingest")) {
        b->ingest = strtoull(value, NULL, 10);
        b->half = false;
    } else if (!strcmp(text, "settle")) {
        b->settle = value;
    } else if (url && b->target_count < TARGETS) {
        struct target *t = &b->targets[b->target_count++];
        str_copy(t->name, sizeof t->name, text);
        t->pid = (int)strtol(value, NULL, 10);
        t->url = url + 1;
    } else {
        return ERR_USAGE;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    struct bench b = {
        .nodes = 1250, .rounds = 15, .half = true, .rng = UINT64_C(88172645463325252)};
    int rc = 0;
    for (int i = 1; !rc && i < argc; i++)
        rc = bench_argument(&b, argv[i]);
    if (rc || !b.target_count || b.nodes < 2 || !b.rounds) {
        fputs("usage: bench_queries [nodes=N] [rounds=N] [ingest=RATE] [settle=COMMAND] "
              "NAME=PID=URL...\n",
              stderr);
        return 3;
    }
    b.start_ms = (clock_now_ms(NULL) / STEP_MS - STEPS - 40) * STEP_MS; /* all of it is past */
    bench_fleet(&b);
    int64_t began = clock_mono_us();
    rc = bench_load(&b);
    printf("%zu series, %zu samples written to each in %.0f s in all\n", b.count, b.count * STEPS,
           (double)(clock_mono_us() - began) / 1e6);
    struct httpc *http = httpc_new();
    for (size_t k = 0; !rc && k < b.target_count; k++)
        rc = bench_wait(http, &b, &b.targets[k]);
    if (!rc)
        rc = bench_questions(http, &b, "as it was taken in");
    if (!rc && b.settle && !system(b.settle))
        rc = bench_questions(http, &b, "after compaction");
    if (!rc && (b.ingest || b.half))
        rc = bench_busy(http, &b);
    httpc_free(http);
    for (size_t i = 0; i < b.count; i++)
        buf_done(&b.series[i].labels);
    free(b.series);
    return rc ? 1 : 0;
}
