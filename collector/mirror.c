/* mirror: a window under way and the report of the last whole one. The report is text, made on the
 * loop's thread, handed out under a lock. */
#include "collector/mirror.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/inlet.h"
#include "collector/source.h"
#include "decode/pcapfile.h"
#include "decode/roce.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIRROR_FLOWS       200u /* of a report */
#define MIRROR_REPORT_MAX  ((size_t)4 << 20)
#define MIRROR_FRAMES_MAX  4096 /* of an interface, before the loop goes on */
#define MIRROR_ADDRESS_MAX 200000u
#define MIRROR_FIRST_MS    5000 /* the first report comes before its window is over */
#define MIRROR_TICK_MS     15000

struct mirror_conf {
    const char *name, *vxlan, *interface;
    int64_t window;
    double gbps;
};

struct mirror {
    struct source_env env;
    const struct mirror_conf *conf;
    struct inlet *inlet;
    struct loop_udp *udp;
    struct pcapfile_live *live;
    struct loop_fd *fd;
    struct loop_timer *timer;
    struct roce *roce; /* the window under way */
    int64_t began_ms;
    bool reported;
    uint64_t sums[16]; /* of mirror_counts, over the windows before */
    struct map *nics;  /* address -> name of a nic, of `revision` */
    uint64_t revision;
    pthread_mutex_t mutex; /* guards report */
    struct buf report;
};

static const struct conf_row mirror_rows[] = {
    {.key = "name",
     .type = CONF_STR,
     .offset = offsetof(struct mirror_conf, name),
     .dflt = "mirror",
     .help = "What series and reports call this mirror."},
    {.key = "vxlan",
     .type = CONF_STR,
     .offset = offsetof(struct mirror_conf, vxlan),
     .help = "Address and port that switches send mirrored frames to in VXLAN; usually :4789."},
    {.key = "interface",
     .type = CONF_STR,
     .offset = offsetof(struct mirror_conf, interface),
     .help = "Interface that a mirror ends at, plain, ERSPAN or VXLAN; needs CAP_NET_RAW."},
    {.key = "window",
     .type = CONF_DURATION,
     .offset = offsetof(struct mirror_conf, window),
     .dflt = "60s",
     .min = 5000,
     .max = 3.6e6,
     .help = "What one report covers; sequence numbers are followed within it."},
    {.key = "gbps",
     .type = CONF_REAL,
     .offset = offsetof(struct mirror_conf, gbps),
     .dflt = "400",
     .min = 1,
     .max = 10000,
     .help = "Speed of the mirrored ports, by which pauses last."},
    {0}};

/* --- series -------------------------------------------------------------------------------------
 */

static const char *const mirror_kinds[] = {"frames", "roce",  "cnp",      "ce",
                                           "pfc",    "pause", "missing",  "retransmitted",
                                           "nak",    "rnr",   "malformed"};
#define MIRROR_KINDS (sizeof mirror_kinds / sizeof *mirror_kinds)

static void
mirror_counts(const struct roce *r, uint64_t *ret)
{
    const struct roce_totals *t = roce_totals(r);
    const struct roce_flow **flows;
    uint64_t missing = 0, repeated = 0, nak = 0, rnr = 0;
    size_t n = roce_flows(r, &flows);
    for (size_t i = 0; i < n; i++) {
        missing += flows[i]->requests.missing + flows[i]->responses.missing;
        repeated += flows[i]->requests.repeated + flows[i]->responses.repeated;
        nak += flows[i]->nak_psn + flows[i]->nak_other;
        rnr += flows[i]->rnr;
    }
    free(flows);
    const uint64_t v[MIRROR_KINDS] = {t->frames, t->roce,  t->cnp, t->ce, t->pfc,      t->pause,
                                      missing,   repeated, nak,    rnr,   t->malformed};
    memcpy(ret, v, sizeof v);
}

static void
mirror_series(struct mirror *m, struct store_batch *b, const char *metric, const char *key,
              const char *value, double v, int64_t now_ms)
{
    struct labels l = {0};
    struct sample s = {now_ms, v};
    labels_add_str(&l, "__name__", metric);
    labels_add_str(&l, "mirror", m->conf->name);
    labels_add_str(&l, key, value);
    if (!labels_finish(&l))
        store_batch_samples(b, &l, &s, 1);
}

static void
mirror_write(struct mirror *m, int64_t now_ms)
{
    uint64_t now[MIRROR_KINDS];
    struct store_batch *b = store_batch_new(m->env.store);
    const struct roce_waits *w = &roce_totals(m->roce)->waits;
    uint64_t n = MIRROR_KINDS;
    if (!b)
        return;
    mirror_counts(m->roce, now);
    for (size_t i = 0; i < MIRROR_KINDS; i++)
        mirror_series(m, b, "roce_mirror_packets_total", "kind", mirror_kinds[i],
                      (double)(m->sums[i] + now[i]), now_ms);
    if (w->count) {
        mirror_series(m, b, "roce_mirror_answer_seconds", "quantile", "0.5",
                      roce_waits_quantile(w, 0.5) / 1e6, now_ms);
        mirror_series(m, b, "roce_mirror_answer_seconds", "quantile", "0.99",
                      roce_waits_quantile(w, 0.99) / 1e6, now_ms);
        n += 2;
    }
    inlet_submit(m->inlet, b, n);
}

/* --- addresses ----------------------------------------------------------------------------------
 */

static void
mirror_learn(struct mirror *m, const struct topo *t)
{
    size_t n;
    const topo_id *nics = topo_of_kind(t, ENTITY_NIC, &n);
    if (m->nics && m->revision == topo_revision(t))
        return;
    map_free(m->nics, free);
    m->nics = map_new(MIRROR_ADDRESS_MAX);
    m->revision = topo_revision(t);
    for (size_t i = 0; m->nics && i < n; i++) {
        const char *address = topo_attr(t, nics[i], "address");
        char *name = *address ? strdup(topo_name(t, nics[i])) : NULL;
        void *old = NULL;
        if (name && map_set(m->nics, address, strlen(address), name, &old))
            free(name);
        free(old);
    }
}

/* The rank on the accelerator of the nic's rail, where a node has one nic for each. */
static int
mirror_rank(const struct topo *t, const struct topo_job *j, topo_id node, topo_id nic)
{
    size_t n, nics = 0, gpus = 0;
    const struct topo_edge *e = topo_edges(t, node, &n);
    topo_id gpu = TOPO_NONE;
    int rail = atoi(topo_attr(t, nic, "rail"));
    for (size_t i = 0; i < n; i++) {
        nics += topo_kind(t, e[i].to) == ENTITY_NIC;
        if (topo_kind(t, e[i].to) == ENTITY_GPU && (int)++gpus == rail)
            gpu = e[i].to;
    }
    return gpu != TOPO_NONE && nics == gpus ? topo_job_gpu_rank(t, j, gpu) : ERR_NOTFOUND;
}

static void
mirror_address(struct mirror *m, const struct topo *t, const char *address, struct jsonw *w)
{
    const char *name = m->nics ? map_get(m->nics, address, strlen(address)) : NULL;
    topo_id nic = name ? topo_find(t, name) : TOPO_NONE;
    topo_id node = nic == TOPO_NONE ? TOPO_NONE : topo_neighbour(t, nic, ENTITY_NODE);
    topo_id job = node == TOPO_NONE ? TOPO_NONE : topo_neighbour(t, node, ENTITY_JOB);
    if (nic == TOPO_NONE)
        return;
    jsonw_key(w, address);
    jsonw_object(w);
    jsonw_kstr(w, "entity", name);
    if (job != TOPO_NONE) {
        const char *id = strchr(topo_name(t, job), ':') + 1;
        const struct topo_job *j = topo_job_find(t, id);
        int rank = j ? mirror_rank(t, j, node, nic) : ERR_NOTFOUND;
        jsonw_kstr(w, "job", id);
        if (rank >= 0)
            jsonw_kint(w, "rank", rank);
    }
    jsonw_end_object(w);
}

/* Who the addresses of the report's flows are, each once. */
static void
mirror_addresses(struct mirror *m, struct jsonw *w)
{
    const struct roce_flow **flows;
    struct map *said = map_new((size_t)2 * MIRROR_FLOWS);
    struct topo *t = topo_get(m->env.store);
    size_t n = roce_flows(m->roce, &flows);
    mirror_learn(m, t);
    jsonw_key(w, "addresses");
    jsonw_object(w);
    for (size_t i = 0; said && i < n && i < MIRROR_FLOWS; i++)
        for (int end = 0; end < 2; end++) {
            char address[48];
            roce_address(end ? flows[i]->to : flows[i]->from, address);
            if (map_get(said, address, strlen(address)))
                continue;
            map_set(said, address, strlen(address), m, NULL);
            mirror_address(m, t, address, w);
        }
    jsonw_end_object(w);
    topo_put(t);
    map_free(said, NULL);
    free(flows);
}

/* --- windows ------------------------------------------------------------------------------------
 */

static void
mirror_report(struct mirror *m, int64_t now_ms)
{
    struct buf text;
    struct jsonw w;
    buf_init(&text, MIRROR_REPORT_MAX);
    jsonw_init(&w, &text);
    jsonw_object(&w);
    jsonw_kstr(&w, "name", m->conf->name);
    jsonw_ktime(&w, "start", m->began_ms);
    jsonw_ktime(&w, "end", now_ms);
    mirror_addresses(m, &w);
    jsonw_key(&w, "report");
    roce_json(m->roce, MIRROR_FLOWS, &w);
    jsonw_end_object(&w);
    pthread_mutex_lock(&m->mutex);
    buf_done(&m->report);
    m->report = text;
    pthread_mutex_unlock(&m->mutex);
}

static void
mirror_tick(void *ctx)
{
    struct mirror *m = ctx;
    int64_t now_ms = clock_now_ms(store_clock(m->env.store));
    bool over = now_ms - m->began_ms >= m->conf->window || now_ms < m->began_ms;
    inlet_state(m->inlet, NULL);
    mirror_write(m, now_ms);
    if (over || !m->reported)
        mirror_report(m, now_ms);
    if (!over)
        return;
    uint64_t counts[MIRROR_KINDS];
    struct roce *next = roce_new(m->conf->gbps);
    if (!next)
        return; /* this window grows until there is memory */
    mirror_counts(m->roce, counts);
    for (size_t i = 0; i < MIRROR_KINDS; i++)
        m->sums[i] += counts[i];
    roce_free(m->roce);
    m->roce = next;
    m->began_ms = now_ms;
    m->reported = true;
}

/* A datagram holds VXLAN's header and the frame; its time is when it came. */
static void
mirror_datagram(void *ctx, const char *data, size_t len, const char *peer)
{
    struct mirror *m = ctx;
    (void)peer;
    roce_frame(m->roce, PACKET_LINK_VXLAN, clock_mono_us(), len, (const uint8_t *)data, len);
}

static int
mirror_frame(void *ctx, const struct pcapfile_frame *f)
{
    struct mirror *m = ctx;
    roce_frame(m->roce, f->link, f->time_us, f->wire_length, f->data, f->len);
    return 0;
}

static void
mirror_readable(void *ctx, int events)
{
    struct mirror *m = ctx;
    struct err err = {0};
    (void)events;
    if (pcapfile_live_read(m->live, MIRROR_FRAMES_MAX, mirror_frame, m, &err) < 0)
        inlet_state(m->inlet, err.text);
}

/* --- the source ---------------------------------------------------------------------------------
 */

static void
mirror_stop(void *source)
{
    struct mirror *m = source;
    if (!m)
        return;
    if (m->udp)
        loop_udp_close(m->udp);
    if (m->fd)
        loop_fd_close(m->fd);
    if (m->timer)
        loop_timer_close(m->timer);
    pcapfile_live_close(m->live);
    roce_free(m->roce);
    map_free(m->nics, free);
    inlet_put(m->inlet);
    buf_done(&m->report);
    pthread_mutex_destroy(&m->mutex);
    free(m);
}

static int
mirror_open(struct mirror *m, struct err *err)
{
    const struct mirror_conf *c = m->conf;
    int rc = 0;
    if (!c->vxlan && !c->interface)
        return err_set(err, ERR_SYNTAX, "mirror: give vxlan or interface");
    if (!(m->roce = roce_new(c->gbps)) || !(m->inlet = inlet_new(m->env.store, "mirror", c->name)))
        return err_set(err, ERR_NOMEM, "no memory for the mirror");
    if (c->vxlan)
        rc = loop_udp_open(m->env.loop, c->vxlan, mirror_datagram, m, &m->udp, err);
    if (!rc && c->interface)
        rc = pcapfile_live_open(c->interface, &m->live, err);
    if (!rc && m->live &&
        !(m->fd = loop_fd_open(m->env.loop, pcapfile_live_fd(m->live), mirror_readable, m)))
        rc = err_set(err, ERR_NOMEM, "no memory for the mirror");
    if (!rc && m->fd)
        loop_fd_set(m->fd, LOOP_READ);
    if (!rc && !(m->timer = loop_timer_open(m->env.loop, mirror_tick, m)))
        rc = err_set(err, ERR_NOMEM, "no memory for the mirror");
    if (!rc)
        loop_timer_set(m->timer, MIRROR_FIRST_MS, MIRROR_TICK_MS);
    return rc;
}

static int
mirror_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct mirror *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ERR_NOMEM, "no memory for the mirror");
    m->env = *env;
    m->conf = conf;
    m->began_ms = clock_now_ms(store_clock(env->store));
    pthread_mutex_init(&m->mutex, NULL);
    buf_init(&m->report, MIRROR_REPORT_MAX);
    int rc = mirror_open(m, err);
    if (rc)
        mirror_stop(m);
    else
        *ret = m;
    return rc;
}

void
mirror_reports_json(void *source, struct jsonw *w)
{
    struct mirror *m = source;
    if (!m)
        return;
    pthread_mutex_lock(&m->mutex);
    if (m->report.len)
        jsonw_raw(w, buf_str(&m->report), m->report.len);
    pthread_mutex_unlock(&m->mutex);
}

static void
mirror_json(void *source, struct jsonw *w)
{
    inlet_json(((struct mirror *)source)->inlet, w);
}

static void
mirror_metrics(void *source, struct buf *out)
{
    inlet_metrics("mirror", inlet_counts(((struct mirror *)source)->inlet), out);
}

static unsigned
mirror_port(void *source, const char *what)
{
    struct mirror *m = source;
    return m->udp && !strcmp(what, "mirror") ? loop_udp_port(m->udp) : 0;
}

const struct source_ops source_mirror = {"mirror",    mirror_rows,    sizeof(struct mirror_conf),
                                         false,       mirror_start,   mirror_stop,
                                         mirror_json, mirror_metrics, mirror_port};
