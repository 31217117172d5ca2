/* syslog: listeners for UDP, TCP and TLS (RFC 5425). Expected load: some thousands of lines a
 * second from all switches and hosts, bursts of a hundred thousand. Lines gather in a batch for 200
 * ms or 1,000 lines. Each host has a rate; what is beyond is counted and becomes a gap, so that one
 * looping daemon does not bury the others. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "base/tls.h"
#include "collector/inlet.h"
#include "collector/source.h"
#include "collector/syslog_parse.h"
#include "store/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SYSLOG_LISTENERS   3u
#define SYSLOG_BATCH       1000u
#define SYSLOG_WAIT_MS     200
#define SYSLOG_LINE_MAX    ((size_t)64 << 10) /* of a stream; a datagram cannot be longer */
#define SYSLOG_HOSTS_MAX   65536u
#define SYSLOG_FOUND_MAX   10000u /* devices that syslog alone may make known: names are hostile */
#define SYSLOG_CONNECTIONS 4096u
#define SYSLOG_IDLE_MS     3600000
#define SYSLOG_AHEAD_MS    300000 /* a time this far ahead of ours is not believed */

struct syslog_conf_tls {
    char *listen, *cert, *key, *client_ca;
};
struct syslog_conf {
    char *udp, *tcp;
    struct syslog_conf_tls tls;
    int64_t rate, burst;
    char *zone;
};

#define AT(m) offsetof(struct syslog_conf_tls, m)
static const struct conf_row syslog_tls_rows[] = {
    {.key = "listen",
     .type = CONF_STR,
     .offset = AT(listen),
     .help = "Address and port of the TLS listener; port 6514 is the usual one."},
    {.key = "cert",
     .type = CONF_PATH,
     .offset = AT(cert),
     .help = "PEM file of the certificate, with those between it and its root."},
    {.key = "key", .type = CONF_PATH, .offset = AT(key), .help = "PEM file of its private key."},
    {.key = "client_ca",
     .type = CONF_PATH,
     .offset = AT(client_ca),
     .help = "PEM file of the authority whose certificate a sender must show; any sender unless "
             "given."},
    {0}};
#undef AT

#define AT(m) offsetof(struct syslog_conf, m)
static const struct conf_row syslog_rows[] = {
    {.key = "udp",
     .type = CONF_STR,
     .offset = AT(udp),
     .help = "Address and port of the UDP listener."},
    {.key = "tcp",
     .type = CONF_STR,
     .offset = AT(tcp),
     .help = "Address and port of the TCP listener; octet counting and lines are told apart."},
    {.key = "tls",
     .type = CONF_MAP,
     .offset = AT(tls),
     .rows = syslog_tls_rows,
     .help = "Listener for syslog over TLS."},
    {.key = "rate",
     .type = CONF_INT,
     .offset = AT(rate),
     .dflt = "1000",
     .min = 1,
     .max = 1e6,
     .help = "Lines a second taken from one host in the long run; more are counted as a gap."},
    {.key = "burst",
     .type = CONF_INT,
     .offset = AT(burst),
     .dflt = "10000",
     .min = 1,
     .max = 1e7,
     .help = "Lines taken from one host at once."},
    {.key = "zone",
     .type = CONF_STR,
     .offset = AT(zone),
     .help = "Zone of times that name none, as +08:00; the server's own unless given."},
    {0}};
#undef AT

struct syslog_host { /* what is kept of a host name as messages write it */
    double tokens;
    int64_t at_us;
    uint64_t lost;
    bool told; /* to the catalog */
};

struct syslog_listener {
    struct syslog *s;
    struct inlet *inlet;
    struct store_batch *batch;
    uint64_t lines;
};

struct syslog {
    struct source_env env;
    double rate, burst;
    bool has_zone;
    int64_t offset_ms;
    struct loop_udp *udp;
    struct loop_tcp *tcp, *tls;
    struct tls_server *server;
    struct loop_timer *timer;
    struct syslog_conn *conns;
    struct syslog_listener listeners[SYSLOG_LISTENERS]; /* udp, tcp, tls */
    struct map *hosts;                                  /* name -> struct syslog_host */
    size_t found;
    struct syslog_message msg; /* one at a time: the loop has one thread */
};

struct syslog_conn {
    struct syslog_listener *l; /* NULL: the source ended before the connection did */
    struct syslog_conn *next, **self;
    struct syslog_frame frame;
    struct tls_conn *tls; /* NULL: plain */
    struct loop_conn *conn;
    char peer[64];
};

static int64_t
syslog_offset(const struct syslog *s, int64_t now_ms)
{
    struct tm tm;
    time_t now = (time_t)(now_ms / 1000);
    if (s->has_zone)
        return s->offset_ms;
    return localtime_r(&now, &tm) ? (int64_t)tm.tm_gmtoff * 1000 : 0;
}

static void
syslog_flush(struct syslog_listener *l)
{
    if (l->batch)
        inlet_submit(l->inlet, l->batch, l->lines);
    l->batch = NULL;
    l->lines = 0;
}

/* --- one line ------------------------------------------------------------------------------------
 */

static struct syslog_host *
syslog_host(struct syslog *s, const char *name)
{
    struct syslog_host *h = map_get(s->hosts, name, strlen(name));
    if (h)
        return h;
    if (map_count(s->hosts) >= SYSLOG_HOSTS_MAX) /* the rest share one */
        return map_get(s->hosts, "", 0);
    h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    *h = (struct syslog_host){.tokens = s->burst, .at_us = clock_mono_us()};
    if (map_set(s->hosts, name, strlen(name), h, NULL)) {
        free(h);
        return NULL;
    }
    return h;
}

static bool
syslog_admit(struct syslog *s, struct syslog_host *h)
{
    int64_t now = clock_mono_us();
    h->tokens += (double)(now - h->at_us) * s->rate / 1e6;
    h->at_us = now;
    if (h->tokens > s->burst)
        h->tokens = s->burst;
    if (h->tokens < 1)
        return false;
    h->tokens -= 1;
    return true;
}

/* The address without its port. */
static void
syslog_peer(const char *peer, char out[SYSLOG_HOST_MAX + 1])
{
    unsigned port;
    char host[64];
    str_copy(out, SYSLOG_HOST_MAX + 1, peer);
    if (!loop_address_split(peer, host, &port))
        str_copy(out, SYSLOG_HOST_MAX + 1, host);
}

/* The node or switch a message is of; entity "" when nobody declared it. name is without kind. */
static void
syslog_resolve(struct syslog *s, const char *peer, char entity[ENTITY_SIZE], char name[ENTITY_SIZE])
{
    struct syslog_message *m = &s->msg;
    struct topo *t = topo_get(s->env.store);
    if (!*m->host || !strncmp(m->host, "localhost", 9))
        syslog_peer(peer, m->host);
    if (topo_resolve_host(t, m->host, entity))
        *entity = 0;
    topo_put(t);
    str_copy(name, ENTITY_SIZE, *entity ? strchr(entity, ':') + 1 : m->host);
}

/* A host that nobody declared but that writes well-formed lines becomes known. */
static void
syslog_discover(struct syslog *s, struct syslog_host *h)
{
    char entity[ENTITY_SIZE];
    const struct syslog_message *m = &s->msg;
    if (h->told || !m->time_ms || s->found >= SYSLOG_FOUND_MAX || strchr(m->host, '%') ||
        entity_format(entity, m->vendor ? ENTITY_SWITCH : ENTITY_NODE, m->host, NULL))
        return;
    if (!topo_discovered(s->env.store, entity, "syslog")) {
        h->told = true;
        s->found++;
    }
}

static void
syslog_keep(struct syslog_listener *l, const char *entity, const char *name, int64_t now)
{
    struct syslog_message *m = &l->s->msg;
    enum entity_kind kind = *entity     ? entity_kind_of(entity)
                            : m->vendor ? ENTITY_SWITCH
                                        : ENTITY_NODE;
    bool kernel = m->facility == 0 || !strcmp(m->app, "kernel");
    struct log_line line = {.time_ms = m->time_ms,
                            .severity = m->severity <= 3   ? SEVERITY_CRITICAL
                                        : m->severity == 4 ? SEVERITY_WARNING
                                                           : SEVERITY_INFO,
                            .node = name,
                            .job = "",
                            .source = kind == ENTITY_SWITCH ? "switch"
                                      : kernel              ? "kernel"
                                                            : "syslog",
                            .tenant = "",
                            .rank = -1,
                            .text = m->text};
    if (!line.time_ms || line.time_ms > now + SYSLOG_AHEAD_MS)
        line.time_ms = now;
    if (!l->batch)
        l->batch = store_batch_new(l->s->env.store);
    if (!l->batch || store_batch_log(l->batch, &line) < 0) {
        inlet_lost(l->inlet, "no-memory", 1);
        return;
    }
    if (++l->lines >= SYSLOG_BATCH)
        syslog_flush(l);
}

static void
syslog_line(struct syslog_listener *l, const char *data, size_t len, const char *peer)
{
    struct syslog *s = l->s;
    char entity[ENTITY_SIZE], name[ENTITY_SIZE];
    int64_t now = clock_now_ms(store_clock(s->env.store));
    syslog_parse(data, len, now, syslog_offset(s, now), &s->msg);
    if (!s->msg.text_len)
        return;
    syslog_resolve(s, peer, entity, name);
    struct syslog_host *h = syslog_host(s, name);
    if (!h || !syslog_admit(s, h)) {
        inlet_lost(l->inlet, "rate-limit", 1);
        return;
    }
    if (!*entity)
        syslog_discover(s, h);
    syslog_keep(l, entity, name, now);
}

/* --- listeners -----------------------------------------------------------------------------------
 */

static void
syslog_datagram(void *ctx, const char *data, size_t len, const char *peer)
{
    syslog_line(ctx, data, len, peer);
}

static int
syslog_tls_send(void *ctx, const void *data, size_t len)
{
    struct syslog_conn *k = ctx;
    return loop_conn_write(k->conn, data, len);
}

static void *
syslog_opened(void *ctx, struct loop_conn *c, const char *peer)
{
    struct syslog_conn *k = calloc(1, sizeof *k);
    struct syslog *s = ((struct syslog_listener *)ctx)->s;
    bool tls = ctx == &s->listeners[2];
    if (!k || (tls && tls_conn_open(s->server, syslog_tls_send, k, &k->tls))) {
        free(k);
        return NULL;
    }
    k->l = ctx;
    k->conn = c;
    k->self = &s->conns;
    if ((k->next = s->conns))
        k->next->self = &k->next;
    s->conns = k;
    str_copy(k->peer, sizeof k->peer, peer);
    syslog_frame_init(&k->frame, SYSLOG_LINE_MAX);
    return k;
}

static void
syslog_framed(void *ctx, const char *msg, size_t len)
{
    struct syslog_conn *k = ctx;
    syslog_line(k->l, msg, len, k->peer);
}

static void
syslog_plain(void *ctx, const char *data, size_t len)
{
    struct syslog_conn *k = ctx;
    syslog_frame_feed(&k->frame, data, len, syslog_framed, k);
}

/* What is no TLS, or of a sender without a good certificate, is counted and hung up on. */
static void
syslog_data(void *conn_ctx, struct loop_conn *c, const char *data, size_t len)
{
    struct syslog_conn *k = conn_ctx;
    if (!k->tls) {
        syslog_plain(k, data, len);
        return;
    }
    int rc = tls_conn_feed(k->tls, data, len, syslog_plain, k);
    if (rc == ERR_DENIED)
        inlet_lost(k->l->inlet, "tls", 1);
    if (rc)
        loop_conn_close(c);
}

/* What stands without an end is a line too; a counted message that was cut is not. */
static void
syslog_conn_end(struct syslog_conn *k)
{
    if (!k->frame.counted)
        syslog_frame_feed(&k->frame, "\n", 1, syslog_framed, k);
    *k->self = k->next;
    if (k->next)
        k->next->self = k->self;
    tls_conn_close(k->tls);
    k->tls = NULL;
    k->l = NULL;
}

static void
syslog_closed(void *conn_ctx)
{
    struct syslog_conn *k = conn_ctx;
    if (k->l)
        syslog_conn_end(k);
    syslog_frame_done(&k->frame);
    free(k);
}

static void
syslog_tick(void *ctx)
{
    struct syslog *s = ctx;
    for (size_t i = 0; i < SYSLOG_LISTENERS; i++)
        if (s->listeners[i].inlet)
            syslog_flush(&s->listeners[i]);
}

static void
syslog_stop(void *source)
{
    struct syslog *s = source;
    if (!s)
        return;
    if (s->udp)
        loop_udp_close(s->udp);
    while (s->conns)
        syslog_conn_end(s->conns);
    if (s->tcp)
        loop_tcp_close(s->tcp);
    if (s->tls)
        loop_tcp_close(s->tls);
    if (s->timer)
        loop_timer_close(s->timer);
    for (size_t i = 0; i < SYSLOG_LISTENERS; i++) {
        if (s->listeners[i].inlet)
            syslog_flush(&s->listeners[i]);
        inlet_put(s->listeners[i].inlet);
    }
    map_free(s->hosts, free);
    tls_server_close(s->server);
    free(s);
}

static int
syslog_zone(struct syslog *s, const char *zone, struct err *err)
{
    char text[64];
    int64_t ms, base;
    if (!zone)
        return 0;
    snprintf(text, sizeof text, "2026-01-01T00:00:00%s", zone);
    if (strlen(zone) > 6 || time_parse(text, &ms) || time_parse("2026-01-01T00:00:00Z", &base))
        return err_set(err, ERR_SYNTAX, "syslog.zone: %s is not an offset such as +08:00", zone);
    s->has_zone = true;
    s->offset_ms = base - ms;
    return 0;
}

static int
syslog_inlets(struct syslog *s, const struct syslog_conf *conf, struct err *err)
{
    static const char *const names[] = {"udp", "tcp", "tls"};
    const char *listen[] = {conf->udp, conf->tcp, conf->tls.listen};
    for (size_t i = 0; i < SYSLOG_LISTENERS; i++) {
        char name[96];
        s->listeners[i].s = s;
        if (!listen[i])
            continue;
        snprintf(name, sizeof name, "%s %s", names[i], listen[i]);
        if (!(s->listeners[i].inlet = inlet_new(s->env.store, "syslog", name)))
            return err_set(err, ERR_NOMEM, "no memory for syslog");
    }
    return 0;
}

static int
syslog_tls_open(struct syslog *s, const struct syslog_conf_tls *conf,
                const struct loop_tcp_handler *handler, struct err *err)
{
    if (!conf->cert || !conf->key)
        return err_set(err, ERR_SYNTAX, "syslog.tls: a listener needs cert and key");
    int rc = tls_server_open(conf->cert, conf->key, conf->client_ca, &s->server, err);
    return rc ? rc
              : loop_tcp_open(s->env.loop, conf->listen, handler, &s->listeners[2], &s->tls, err);
}

static int
syslog_open(struct syslog *s, const struct syslog_conf *conf, struct err *err)
{
    static const struct loop_tcp_handler handler = {syslog_opened, syslog_data, syslog_closed,
                                                    SYSLOG_CONNECTIONS, SYSLOG_IDLE_MS};
    int rc = syslog_zone(s, conf->zone, err);
    if (!rc)
        rc = syslog_inlets(s, conf, err);
    if (!rc && conf->udp)
        rc = loop_udp_open(s->env.loop, conf->udp, syslog_datagram, &s->listeners[0], &s->udp, err);
    if (!rc && conf->tcp)
        rc = loop_tcp_open(s->env.loop, conf->tcp, &handler, &s->listeners[1], &s->tcp, err);
    if (!rc && conf->tls.listen)
        rc = syslog_tls_open(s, &conf->tls, &handler, err);
    if (!rc && !(s->timer = loop_timer_open(s->env.loop, syslog_tick, s)))
        rc = err_set(err, ERR_NOMEM, "no memory for syslog");
    if (!rc)
        loop_timer_set(s->timer, SYSLOG_WAIT_MS, SYSLOG_WAIT_MS);
    return rc;
}

static int
syslog_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    const struct syslog_conf *c = conf;
    struct syslog *s = calloc(1, sizeof *s);
    if (!s || !(s->hosts = map_new(SYSLOG_HOSTS_MAX + 1))) {
        free(s);
        return err_set(err, ERR_NOMEM, "no memory for syslog");
    }
    s->env = *env;
    s->rate = (double)c->rate;
    s->burst = (double)c->burst;
    int rc = syslog_host(s, "") ? syslog_open(s, c, err)
                                : err_set(err, ERR_NOMEM, "no memory for syslog");
    if (rc)
        syslog_stop(s);
    else
        *ret = s;
    return rc;
}

/* --- what it tells of itself ---------------------------------------------------------------------
 */

static void
syslog_json(void *source, struct jsonw *w)
{
    struct syslog *s = source;
    for (size_t i = 0; i < SYSLOG_LISTENERS; i++)
        if (s->listeners[i].inlet)
            inlet_json(s->listeners[i].inlet, w);
}

static void
syslog_metrics(void *source, struct buf *out)
{
    struct syslog *s = source;
    struct inlet_counts sum = {0};
    for (size_t i = 0; i < SYSLOG_LISTENERS; i++)
        if (s->listeners[i].inlet) {
            struct inlet_counts n = inlet_counts(s->listeners[i].inlet);
            sum.accepted += n.accepted;
            sum.refused += n.refused;
            sum.errors += n.errors;
        }
    inlet_metrics("syslog", sum, out);
}

static unsigned
syslog_port(void *source, const char *what)
{
    struct syslog *s = source;
    if (!strcmp(what, "syslog-udp") && s->udp)
        return loop_udp_port(s->udp);
    if (!strcmp(what, "syslog-tls") && s->tls)
        return loop_tcp_port(s->tls);
    return !strcmp(what, "syslog-tcp") && s->tcp ? loop_tcp_port(s->tcp) : 0;
}

const struct source_ops source_syslog = {"syslog",    syslog_rows,    sizeof(struct syslog_conf),
                                         false,       syslog_start,   syslog_stop,
                                         syslog_json, syslog_metrics, syslog_port};
