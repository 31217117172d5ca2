/* bench_store_load: a load for anything that takes Prometheus remote_write 1.0, made without the
 * code that it measures.
 *
 *   bench_store_load gen KIND SERIES STEPS INTERVAL_S START_S BATCH FILE
 *   bench_store_load send FILE HOST:PORT PATH CONNECTIONS [SKIP [COUNT]]
 *
 * gen writes request bodies (snappy), each after its length, one sample a series and step; the same
 * arguments give the same bytes. send posts COUNT of them in order over keep-alive connections,
 * leaving the first SKIP out; a series goes over the same connection always, as Prometheus' shards
 * send them. KIND: dcgm (GPUs), node (node_exporter), snmp (ports of switches),
 * constant. */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LABELS_SIZE 512 /* of one series, on the wire */

enum walk { /* how a series moves */
            CONSTANT,
            PERCENT, /* 90 to 100 */
            TEMPERATURE,
            POWER,     /* three decimals */
            MEMORY,    /* steps now and then */
            CLOCK,     /* mostly one value, three others */
            ENERGY,    /* a counter, quick */
            RATIO,     /* six decimals */
            BANDWIDTH, /* a counter, its whole lower half noise */
            RARE,      /* a counter that hardly moves */
            SECONDS,   /* a counter of hundredths */
            PAGES,     /* bytes, multiples of 4,096 */
            LOAD,      /* two decimals */
            OCTETS,    /* a counter of bytes at a steady rate */
};

struct metric {
    const char *name;
    enum walk walk;
    double first;
    unsigned copies; /* series of it a node or switch */
    const char *label;
};

static const struct metric dcgm[] = {
    {"DCGM_FI_DEV_GPU_UTIL", PERCENT, 95, 8, "gpu"},
    {"DCGM_FI_DEV_GPU_TEMP", TEMPERATURE, 60, 8, "gpu"},
    {"DCGM_FI_DEV_POWER_USAGE", POWER, 600, 8, "gpu"},
    {"DCGM_FI_DEV_FB_USED", MEMORY, 71234, 8, "gpu"},
    {"DCGM_FI_DEV_SM_CLOCK", CLOCK, 1980, 8, "gpu"},
    {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", ENERGY, 1e9, 8, "gpu"},
    {"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", RATIO, 0.4, 8, "gpu"},
    {"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", BANDWIDTH, 1e12, 8, "gpu"},
    {"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", RARE, 0, 8, "gpu"},
    {"DCGM_FI_DEV_XID_ERRORS", CONSTANT, 0, 8, "gpu"},
    {NULL, 0, 0, 0, NULL},
};
static const struct metric hosts[] = {
    {"node_cpu_seconds_total", SECONDS, 1e6, 32, "cpu"},
    {"node_network_receive_bytes_total", OCTETS, 1e12, 4, "device"},
    {"node_network_transmit_bytes_total", OCTETS, 1e12, 4, "device"},
    {"node_network_receive_errs_total", CONSTANT, 0, 4, "device"},
    {"node_memory_MemAvailable_bytes", PAGES, 1e12, 1, "part"},
    {"node_memory_Cached_bytes", PAGES, 1e11, 1, "part"},
    {"node_memory_MemTotal_bytes", CONSTANT, 2164587462656, 1, "part"},
    {"node_load1", LOAD, 8, 1, "part"},
    {"node_load5", LOAD, 8, 1, "part"},
    {"node_hwmon_temp_celsius", TEMPERATURE, 45, 8, "sensor"},
    {"node_filesystem_size_bytes", CONSTANT, 1.9e12, 8, "mountpoint"},
    {"node_filesystem_avail_bytes", PAGES, 9e11, 8, "mountpoint"},
    {"node_edac_correctable_errors_total", RARE, 0, 6, "controller"},
    {"node_boot_time_seconds", CONSTANT, 1790000000, 1, "part"},
    {NULL, 0, 0, 0, NULL},
};
static const struct metric ports[] = {
    {"ifHCInOctets", OCTETS, 1e14, 64, "ifName"},
    {"ifHCOutOctets", OCTETS, 1e14, 64, "ifName"},
    {"ifInErrors", RARE, 3, 64, "ifName"},
    {"ifOutErrors", CONSTANT, 0, 64, "ifName"},
    {"ifInDiscards", CONSTANT, 0, 64, "ifName"},
    {"ifOperStatus", CONSTANT, 1, 64, "ifName"},
    {"ifHighSpeed", CONSTANT, 400000, 64, "ifName"},
    {"ifLastChange", CONSTANT, 4711, 64, "ifName"},
    {NULL, 0, 0, 0, NULL},
};
static const struct metric constant[] = {
    {"constant_value", CONSTANT, 1, 64, "part"},
    {"constant_limit", CONSTANT, 42.5, 16, "part"},
    {NULL, 0, 0, 0, NULL},
};
static const struct kind {
    const char *name; /* also the label `job` */
    const struct metric *metrics;
} kinds[] = {{"dcgm", dcgm}, {"node", hosts}, {"snmp", ports}, {"constant", constant}};

struct series {
    uint16_t len;
    uint8_t walk;
    double v, rate;
    uint8_t *labels;
};

static uint64_t rng = 88172645463325252u;

static uint64_t
rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

/* --- the wire
 * ------------------------------------------------------------------------------------------- */

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *
put_bytes(uint8_t *p, unsigned field, const void *s, size_t n)
{
    *p++ = (uint8_t)(field << 3 | 2);
    p = put_varint(p, n);
    memcpy(p, s, n);
    return p + n;
}

static uint8_t *
put_label(uint8_t *p, const char *name, const char *value)
{
    uint8_t pair[256], *q = put_bytes(pair, 1, name, strlen(name));
    q = put_bytes(q, 2, value, strlen(value));
    return put_bytes(p, 1, pair, (size_t)(q - pair));
}

struct pair {
    char name[16], value[64];
};

static void
add_pair(struct pair *at, size_t *n, const char *name, const char *format, unsigned number)
{
    struct pair *p = &at[(*n)++];
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->value, sizeof p->value, format, number);
}

static int
compare_pairs(const void *a, const void *b)
{
    return strcmp(a, b); /* the name is the first member */
}

static size_t
make_pairs(struct pair *at, const struct kind *k, const struct metric *m, unsigned node,
           unsigned copy)
{
    size_t n = 0;
    add_pair(at, &n, "instance", k->metrics == ports ? "leaf%05u" : "node%05u:9400", node);
    add_pair(at, &n, "job", k->name, 0);
    add_pair(at, &n, m->label, k->metrics == ports ? "Ethernet1/%u" : "%u", copy);
    if (k->metrics == dcgm) {
        add_pair(at, &n, "Hostname", "node%05u", node);
        add_pair(at, &n, "device", "nvidia%u", copy);
        add_pair(at, &n, "modelName", "NVIDIA H100 80GB HBM3", 0);
        add_pair(at, &n, "pod", "pod%02u", node / 128);
    } else if (k->metrics == ports) {
        add_pair(at, &n, "ifDescr", "Ethernet interface 1/%u", copy);
        add_pair(at, &n, "ifIndex", "%u", 1000 + copy);
    } else if (m->walk == SECONDS) {
        static const char *const modes[] = {"idle", "iowait", "system", "user"};
        snprintf(at[n - 1].value, sizeof at->value, "%u", copy / 4);
        add_pair(at, &n, "mode", modes[copy % 4], 0);
    }
    return n;
}

/* Labels by name, as Prometheus sends them. */
static void
make_series(struct series *s, const struct kind *k, const struct metric *m, unsigned node,
            unsigned copy)
{
    struct pair pairs[16];
    uint8_t raw[LABELS_SIZE], *p = raw;
    size_t n = make_pairs(pairs, k, m, node, copy);
    bool named = false;
    qsort(pairs, n, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i <= n; i++) {
        if (!named && (i == n || strcmp(pairs[i].name, "__name__") > 0)) {
            p = put_label(p, "__name__", m->name);
            named = true;
        }
        if (i < n)
            p = put_label(p, pairs[i].name, pairs[i].value);
    }
    s->len = (uint16_t)(p - raw);
    s->labels = malloc(s->len);
    memcpy(s->labels, raw, s->len);
    s->walk = (uint8_t)m->walk;
    s->v = m->walk == ENERGY || m->walk == BANDWIDTH || m->walk == OCTETS || m->walk == PAGES
               ? m->first - (double)(rnd(1u << 20) << 12)
               : m->first;
    s->rate = (double)(1000000 + rnd(1000000000));
}

static double
step_value(const struct series *s)
{
    double v = s->v;
    switch ((enum walk)s->walk) {
    case PERCENT:
        return 90 + (double)rnd(11);
    case TEMPERATURE:
        return rnd(4) ? v : v + (double)rnd(3) - 1;
    case POWER:
        return 600 + (double)rnd(80000) / 1000;
    case MEMORY:
        return rnd(20) ? v : v + (double)rnd(64) - 32;
    case CLOCK:
        return rnd(10) ? v : 1980 - 15 * (double)rnd(4);
    case ENERGY:
        return v + 9000000 + (double)rnd(1000000);
    case RATIO:
        return (double)(350000 + rnd(100000)) / 1e6;
    case BANDWIDTH:
        return v + (double)rnd(4000000000u);
    case RARE:
        return rnd(1000) ? v : v + 1;
    case SECONDS:
        return round(v * 100 + 1450 + (double)rnd(50)) / 100;
    case PAGES:
        return rnd(3) ? v + 4096 * ((double)rnd(2000) - 1000) : v;
    case LOAD:
        return round(v * 100 + (double)rnd(41) - 20) / 100;
    case OCTETS:
        return v + floor(s->rate * (0.95 + (double)rnd(1000) / 10000));
    default:
        return v;
    }
}

static uint8_t *
put_series(uint8_t *p, struct series *s, int64_t t_ms)
{
    uint8_t sample[32], *q = sample;
    s->v = step_value(s);
    *q++ = 1 << 3 | 1;
    memcpy(q, &s->v, 8);
    q += 8;
    *q++ = 2 << 3;
    q = put_varint(q, (uint64_t)t_ms);
    size_t n = (size_t)(q - sample);
    *p++ = 1 << 3 | 2;
    p = put_varint(p, s->len + 2 + n);
    memcpy(p, s->labels, s->len);
    return put_bytes(p + s->len, 2, sample, n);
}

static size_t
make_all(const struct kind *k, size_t want, struct series *at)
{
    size_t n = 0;
    for (unsigned node = 0; n < want; node++)
        for (const struct metric *m = k->metrics; m->name; m++)
            for (unsigned i = 0; i < m->copies && n < want; i++)
                make_series(&at[n++], k, m, node, i);
    return n;
}

static int
gen(char **a)
{
    const struct kind *k = kinds;
    while (strcmp(k->name, a[0]))
        if (++k == kinds + sizeof kinds / sizeof *kinds)
            return 2;
    size_t want = strtoul(a[1], NULL, 10), steps = strtoul(a[2], NULL, 10),
           interval = strtoul(a[3], NULL, 10), batch = strtoul(a[5], NULL, 10);
    int64_t start = atoll(a[4]);
    FILE *f = fopen(a[6], "wb");
    struct series *at = calloc(want, sizeof *at);
    uint8_t *raw = malloc(batch * LABELS_SIZE);
    char *packed = malloc(snappy_max_compressed_length(batch * LABELS_SIZE));
    if (!f || !at || !raw || !packed)
        return 1;
    make_all(k, want, at);
    uint32_t a_step = (uint32_t)((want + batch - 1) / batch);
    fwrite(&a_step, 4, 1, f);
    for (size_t s = 0; s < steps; s++)
        for (size_t i = 0; i < want;) {
            uint8_t *p = raw;
            size_t end = i + batch < want ? i + batch : want;
            for (; i < end; i++)
                p = put_series(p, &at[i], (start + (int64_t)(s * interval)) * 1000);
            size_t len = snappy_max_compressed_length((size_t)(p - raw));
            snappy_compress((char *)raw, (size_t)(p - raw), packed, &len);
            uint32_t head = (uint32_t)len;
            fwrite(&head, 4, 1, f);
            fwrite(packed, 1, len, f);
        }
    return fclose(f) ? 1 : 0;
}

/* --- sending
 * -------------------------------------------------------------------------------------------- */

struct sender {
    const char *file, *path, *host;
    struct addrinfo *to;
    size_t skip, end; /* bodies [skip, end) */
    unsigned number, of;
    size_t sent, failed;
};

/* The next body that is this sender's: those of the same place in their steps. */
static bool
take_body(FILE *in, const struct sender *s, size_t a_step, size_t *at, uint8_t **b, uint32_t *len)
{
    for (;; ++*at) {
        if (*at == s->end || fread(len, 4, 1, in) != 1)
            return false;
        if (*at >= s->skip && *at % a_step % s->of == s->number)
            break;
        fseek(in, (long)*len, SEEK_CUR);
    }
    ++*at;
    *b = realloc(*b, *len);
    return *b && fread(*b, 1, *len, in) == *len;
}

static int
dial(const struct sender *s)
{
    int one = 1, fd = socket(s->to->ai_family, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, s->to->ai_addr, s->to->ai_addrlen)) {
        perror("bench_store_load: connect");
        exit(1);
    }
    return fd;
}

static bool
put_all(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t some = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (some <= 0)
            return false;
        at += (size_t)some;
    }
    return true;
}

static int
take_status(int fd) /* 0: the connection is gone */
{
    char r[4096];
    for (size_t got = 0; got < sizeof r - 1;) {
        ssize_t n = recv(fd, r + got, sizeof r - 1 - got, 0);
        if (n <= 0)
            return 0;
        r[got += (size_t)n] = 0;
        char *end = strstr(r, "\r\n\r\n"), *len = strcasestr(r, "content-length:");
        if (!end)
            continue;
        size_t want = len && len < end ? strtoul(len + 15, NULL, 10) : 0;
        if (got >= (size_t)(end + 4 - r) + want)
            return atoi(r + 9);
    }
    return 0;
}

static int
post_body(const struct sender *s, int *fd, const uint8_t *b, uint32_t len)
{
    char head[512];
    int code = 0,
        n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Encoding: snappy\r\n"
                     "Content-Type: application/x-protobuf\r\n"
                     "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %u\r\n\r\n",
                     s->path, s->host, len);
    for (int tries = 0; tries < 500 && code / 100 != 2 && code / 100 != 4; tries++) {
        if (tries)
            usleep(20000);
        code = put_all(*fd, head, (size_t)n) && put_all(*fd, b, len) ? take_status(*fd) : 0;
        if (code == 429)
            code = 503;
        if (!code) {
            close(*fd);
            *fd = dial(s);
        }
    }
    return code;
}

static void *
sender_main(void *arg)
{
    struct sender *s = arg;
    FILE *in = fopen(s->file, "rb");
    uint8_t *b = NULL;
    uint32_t len, a_step;
    size_t at = 0;
    int fd = dial(s);
    if (in && fread(&a_step, 4, 1, in) == 1)
        while (take_body(in, s, a_step, &at, &b, &len)) {
            int code = post_body(s, &fd, b, len);
            s->sent += code / 100 == 2;
            s->failed += code / 100 != 2;
        }
    close(fd);
    free(b);
    if (in)
        fclose(in);
    return NULL;
}

static int
post(int count, char **a)
{
    char name[128];
    unsigned connections = (unsigned)atoi(a[3]);
    pthread_t t[16];
    struct sender at[16], s = {.file = a[0], .host = a[1], .path = a[2], .of = connections};
    s.skip = count > 4 ? strtoul(a[4], NULL, 10) : 0;
    s.end = count > 5 ? s.skip + strtoul(a[5], NULL, 10) : SIZE_MAX;
    snprintf(name, sizeof name, "%s", a[1]);
    char *colon = strrchr(name, ':');
    if (!colon || !connections || connections > 16)
        return 2;
    *colon = 0;
    if (getaddrinfo(name, colon + 1, NULL, &s.to))
        return 1;
    for (unsigned i = 0; i < connections; i++) {
        at[i] = s;
        at[i].number = i;
        pthread_create(&t[i], NULL, sender_main, &at[i]);
    }
    for (unsigned i = 0; i < connections; i++) {
        pthread_join(t[i], NULL);
        s.sent += at[i].sent;
        s.failed += at[i].failed;
    }
    printf("%zu requests, %zu failed\n", s.sent, s.failed);
    return s.failed != 0;
}

int
main(int argc, char **argv)
{
    if (argc == 9 && !strcmp(argv[1], "gen"))
        return gen(argv + 2);
    if (argc >= 6 && argc <= 8 && !strcmp(argv[1], "send"))
        return post(argc - 2, argv + 2);
    fprintf(stderr, "usage: bench_store_load gen KIND SERIES STEPS INTERVAL_S START_S BATCH FILE | "
                    "send FILE HOST:PORT PATH CONNECTIONS [SKIP [COUNT]]\n");
    return 2;
}
