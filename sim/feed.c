/* feed: see the header. Two queues to the server, so that lines and jobs do not wait behind
 * samples. */
#include "sim/feed.h"
#include "base/clock.h"
#include "base/compress.h"
#include "base/hostlist.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "sim/emit_agent.h"
#include "sim/emit_lines.h"
#include "sim/emit_mirror.h"
#include "sim/emit_trap.h"
#include "sim/emit_write.h"
#include "sim/post.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEED_LINES_MAX    (4u << 20) /* bytes of one Loki push */
#define FEED_COMPRESSED   (40u << 20)
#define FEED_TCP_RETRY_MS 5000

struct feed {
    struct feed_config cfg;
    struct world *w;
    struct emit_write *write;
    struct emit_agent *agent;
    struct emit_mirror *mirror;
    struct post *samples, *control;
    struct buf lines;
    struct sockaddr_in syslog, trap, tcp, mirrored;
    int udp_fd, tcp_fd;
    int64_t tcp_retry_ms;
    uint64_t line_count, trap_count, refused;
    int32_t request_id;
    unsigned site_turns;
};

static int
feed_address(const char *text, struct sockaddr_in *ret, struct err *err)
{
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    char host[64];
    if (text == NULL)
        return 0;
    snprintf(host, sizeof host, "%.*s", colon == NULL ? 0 : (int)(colon - text), text);
    long port = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (port < 1 || port > 65535 || inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return err_set(err, ERR_USAGE, "'%s' is not an IPv4 address and port", text);
    return 0;
}

int
feed_new(const struct feed_config *cfg, struct feed **ret, struct err *err)
{
    struct feed *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the feed");
    f->cfg = *cfg;
    f->tcp_fd = -1;
    f->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    buf_init(&f->lines, FEED_LINES_MAX * 2);
    int rc = feed_address(cfg->syslog_udp, &f->syslog, err);
    if (rc >= 0)
        rc = feed_address(cfg->syslog_tcp, &f->tcp, err);
    if (rc >= 0)
        rc = feed_address(cfg->trap, &f->trap, err);
    if (rc >= 0)
        rc = feed_address(cfg->mirror, &f->mirrored, err);
    if (rc >= 0 && cfg->server != NULL) {
        struct post_config pc = {.server = cfg->server,
                                 .token = cfg->token,
                                 .queue_max = cfg->replay ? 8 : 256,
                                 .wait = cfg->replay};
        f->samples = post_new(&pc);
        pc.queue_max = cfg->replay ? 32 : 2048;
        f->control = post_new(&pc);
        if (f->samples == NULL || f->control == NULL)
            rc = err_set(err, ERR_NOMEM, "no threads for the feed");
    }
    if (rc < 0) {
        feed_free(f, 0);
        return rc;
    }
    *ret = f;
    return 0;
}

static void
feed_flush_lines(struct feed *f)
{
    if (f->lines.len == 0 || f->control == NULL)
        return;
    emit_lines_close(&f->lines);
    if (post_send(f->control, "POST", "/loki/api/v1/push", "application/json", NULL, &f->lines) < 0)
        f->refused++;
    buf_done(&f->lines);
    buf_init(&f->lines, FEED_LINES_MAX * 2);
}

void
feed_free(struct feed *f, int64_t wait_ms)
{
    if (f == NULL)
        return;
    if (f->write != NULL)
        emit_write_flush(f->write);
    feed_flush_lines(f);
    post_free(f->samples, wait_ms);
    post_free(f->control, wait_ms);
    emit_write_free(f->write);
    emit_agent_free(f->agent);
    emit_mirror_free(f->mirror);
    buf_done(&f->lines);
    if (f->udp_fd >= 0)
        close(f->udp_fd);
    if (f->tcp_fd >= 0)
        close(f->tcp_fd);
    free(f);
}

static void
feed_send_samples(void *ctx, const void *body, size_t len, unsigned series)
{
    struct feed *f = ctx;
    struct buf out;
    (void)series;
    if (f->samples == NULL)
        return;
    buf_init(&out, FEED_COMPRESSED);
    if (compress_snappy(body, len, &out) < 0 ||
        post_send(f->samples, "POST", "/prometheus/api/v1/write", "application/x-protobuf",
                  "snappy", &out) < 0)
        f->refused++;
    buf_done(&out);
}

static void
feed_mirrored(void *ctx, const void *datagram, size_t len)
{
    struct feed *f = ctx;
    (void)sendto(f->udp_fd, datagram, len, 0, (const struct sockaddr *)&f->mirrored,
                 sizeof f->mirrored);
}

int
feed_bind(struct feed *f, struct world *w, struct err *err)
{
    f->w = w;
    f->write = emit_write_new(w, f->cfg.series_max, feed_send_samples, f);
    f->agent = f->cfg.agents > 0 ? emit_agent_new(w) : NULL;
    f->mirror = f->cfg.mirror != NULL ? emit_mirror_new(w, feed_mirrored, f) : NULL;
    if (f->write == NULL || (f->cfg.agents > 0 && f->agent == NULL) ||
        (f->cfg.mirror != NULL && f->mirror == NULL))
        return err_set(err, ERR_NOMEM, "no memory for the labels of so many series");
    if (f->cfg.switch_interval_s == 0)
        f->cfg.switch_interval_s =
            w->plan->ports.count > 20000 && w->cfg.interval_s < 60 ? 60 : w->cfg.interval_s;
    return 0;
}

void
feed_skip_switch(struct feed *f, uint32_t sw)
{
    emit_write_skip_switch(f->write, sw);
}

/* A datagram from the switch's own address, where that is one of this machine. */
static void
feed_from(const struct feed *f, const char *address, const struct sockaddr_in *to, const void *p,
          size_t n)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = -1;
    if (address != NULL && strncmp(address, "127.", 4) == 0 &&
        inet_pton(AF_INET, address, &from.sin_addr) == 1) {
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) < 0) {
            close(fd);
            fd = -1;
        }
    }
    (void)sendto(fd >= 0 ? fd : f->udp_fd, p, n, 0, (const struct sockaddr *)to, sizeof *to);
    if (fd >= 0)
        close(fd);
}

/* RFC 6587 octet counting. */
static bool
feed_tcp(struct feed *f, const struct world_line *l)
{
    struct buf text, frame;
    if (f->tcp_fd < 0 && clock_mono_us() / 1000 >= f->tcp_retry_ms) {
        f->tcp_retry_ms = clock_mono_us() / 1000 + FEED_TCP_RETRY_MS;
        f->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval limit = {.tv_sec = 2};
        if (f->tcp_fd >= 0) {
            setsockopt(f->tcp_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
            if (connect(f->tcp_fd, (struct sockaddr *)&f->tcp, sizeof f->tcp) < 0) {
                close(f->tcp_fd);
                f->tcp_fd = -1;
            }
        }
    }
    if (f->tcp_fd < 0)
        return false;
    buf_init(&text, 65536);
    buf_init(&frame, 65600);
    emit_lines_5424(&text, l);
    buf_printf(&frame, "%zu %s", text.len, buf_str(&text));
    ssize_t n = send(f->tcp_fd, frame.data, frame.len, MSG_NOSIGNAL);
    bool ok = n == (ssize_t)frame.len;
    if (!ok) {
        close(f->tcp_fd);
        f->tcp_fd = -1;
    }
    buf_done(&text);
    buf_done(&frame);
    return ok;
}

static void
feed_line(void *ctx, const struct world_line *l)
{
    struct feed *f = ctx;
    bool on_switch = l->address != NULL, on_job = *l->job != 0;
    f->line_count++;
    if (f->cfg.lines != NULL) {
        char t[TIME_TEXT_SIZE];
        fprintf(f->cfg.lines, "%s %s %s%s%s ", time_format(l->t_ms, t), l->host, l->source,
                on_job ? "=" : "", l->job);
        if (strcmp(l->source, "syslog") == 0)
            fprintf(f->cfg.lines, "%s[%u]: ", l->app, emit_lines_pid(l));
        fprintf(f->cfg.lines, "%s\n", l->text);
    }
    if (on_switch && f->cfg.syslog_udp != NULL) {
        struct buf b;
        buf_init(&b, 65536);
        emit_lines_3164(&b, l);
        feed_from(f, l->address, &f->syslog, buf_str(&b), b.len);
        buf_done(&b);
        return;
    }
    if (!on_switch && !on_job && f->cfg.syslog_tcp != NULL && feed_tcp(f, l))
        return;
    if (f->control == NULL)
        return;
    if (f->lines.len == 0)
        emit_lines_open(&f->lines);
    emit_lines_loki(&f->lines, l);
    if (f->lines.len > FEED_LINES_MAX)
        feed_flush_lines(f);
}

static void
feed_trap(void *ctx, const struct world_trap *t)
{
    struct feed *f = ctx;
    uint8_t memory[1500];
    const uint8_t *at;
    if (f->cfg.trap == NULL)
        return;
    int n = emit_trap_encode(f->w, t, ++f->request_id, memory, sizeof memory, &at);
    if (n <= 0)
        return;
    feed_from(f, f->w->plan->switches.at[f->w->plan->ports.at[t->port].sw].address, &f->trap, at,
              (size_t)n);
    f->trap_count++;
}

int
feed_job_document(const struct plan *p, const struct simjob *j, bool whole, struct buf *out)
{
    struct jsonw w;
    struct buf list;
    const char **names = calloc(j->nodes + 1, sizeof *names);
    buf_init(&list, 1 << 20);
    if (names == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < j->nodes; i++)
        names[i] = p->nodes.at[j->first_node + i].name;
    int rc = hostlist_format(names, j->nodes, &list);
    free(names);
    jsonw_init(&w, out);
    jsonw_object(&w);
    if (whole) {
        jsonw_kstr(&w, "id", j->id);
        jsonw_kstr(&w, "name", j->name);
        jsonw_kstr(&w, "user", j->user);
        jsonw_kstr(&w, "tenant", j->tenant);
        jsonw_kstr(&w, "nodes", buf_str(&list));
        jsonw_kint(&w, "gpus_per_node", j->gpus_per_node);
        jsonw_ktime(&w, "start", j->start_ms);
        jsonw_key(&w, "labels");
        jsonw_object(&w);
        jsonw_kstr(&w, "framework", j->small ? "pytorch" : "megatron");
        jsonw_end_object(&w);
    }
    jsonw_kstr(&w, "state", simjob_state_word(j->state));
    jsonw_key(&w, "end");
    jsonw_time(&w, j->end_ms);
    jsonw_key(&w, "exit_code");
    if (j->end_ms > 0)
        jsonw_int(&w, j->exit_code);
    else
        jsonw_null(&w);
    jsonw_end_object(&w);
    buf_done(&list);
    return rc < 0 ? rc : 0;
}

static void
feed_job(void *ctx, const struct simjob *j, bool created)
{
    struct feed *f = ctx;
    struct buf body;
    char path[64];
    if (f->control == NULL)
        return;
    feed_flush_lines(f); /* what was said before the end arrives before it */
    if (f->cfg.replay && !created && f->write != NULL) {
        emit_write_flush(f->write);
        post_drain(f->samples, 30000);
    }
    buf_init(&body, 4 << 20);
    snprintf(path, sizeof path, "/api/v1/jobs/%s", j->id);
    if (feed_job_document(f->w->plan, j, created, &body) < 0 ||
        post_send(f->control, created ? "PUT" : "PATCH", path, "application/json", NULL, &body) < 0)
        f->refused++;
    buf_done(&body);
}

static void
feed_fault(void *ctx, const char *name, const char *entity, bool begins, int64_t t_ms)
{
    struct feed *f = ctx;
    char t[TIME_TEXT_SIZE];
    if (f->cfg.truth == NULL)
        return;
    fprintf(f->cfg.truth, "{\"time\":\"%s\",\"fault\":\"%s\",\"entity\":\"%s\",\"phase\":\"%s\"}\n",
            time_format(t_ms, t), name, entity, begins ? "begin" : "end");
    fflush(f->cfg.truth);
}

struct world_sink
feed_sink(struct feed *f)
{
    return (struct world_sink){
        .line = feed_line, .trap = feed_trap, .job = feed_job, .fault = feed_fault, .ctx = f};
}

static void
feed_agent(struct feed *f, uint32_t node, bool rare)
{
    struct buf batch;
    char path[160];
    buf_init(&batch, 16u << 20);
    snprintf(path, sizeof path, "/api/v1/agents/%.63s/batches", f->w->plan->nodes.at[node].name);
    int rc = emit_agent_node(f->agent, node, f->w->now_ms, rare, &batch);
    if (rc > 0 && f->samples != NULL)
        rc = post_send(f->samples, "POST", path, "application/octet-stream", NULL, &batch);
    f->refused += rc < 0;
    buf_done(&batch);
}

void
feed_tick(struct feed *f)
{
    struct world *w = f->w;
    uint32_t second = (uint32_t)(w->now_ms / 1000), every = w->cfg.interval_s,
             sw_every = f->cfg.switch_interval_s;
    bool rare = second / every % 4 == 0;
    for (uint32_t i = second % every; i < w->plan->nodes.count; i += every) {
        world_sample_node(w, i);
        if (i < f->cfg.agents)
            feed_agent(f, i, rare);
        else
            emit_write_node(f->write, i, w->now_ms, rare);
    }
    for (uint32_t i = second % sw_every; i < w->plan->switches.count; i += sw_every) {
        world_sample_switch(w, i);
        emit_write_switch(f->write, i, w->now_ms, second / sw_every % 4 == 0);
    }
    if (second % every == 0 || f->site_turns++ == 0) {
        world_sample_site(w);
        emit_write_site(f->write, w->now_ms);
    }
    if (f->mirror != NULL)
        emit_mirror_tick(f->mirror);
    if (!f->cfg.replay || second % 15 == 0) {
        emit_write_flush(f->write);
        feed_flush_lines(f);
    }
}

void
feed_counts(struct feed *f, struct feed_counts *ret)
{
    struct post_counts a = {0}, b = {0};
    if (f->samples != NULL) {
        post_counts(f->samples, &a);
        post_counts(f->control, &b);
    }
    *ret = (struct feed_counts){.samples = emit_write_samples(f->write),
                                .requests = a.sent + b.sent,
                                .failed = a.failed + b.failed + f->refused,
                                .dropped = a.dropped + b.dropped,
                                .retries = a.retries + b.retries,
                                .lines = f->line_count,
                                .traps = f->trap_count,
                                .bytes = a.bytes + b.bytes,
                                .queued = a.queued + b.queued};
    str_copy(ret->last_error, sizeof ret->last_error,
             *a.last_error != 0 ? a.last_error : b.last_error);
}
