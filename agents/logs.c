/* logs: ordinarily some lines a minute, a thousand a second when a job starts; matched at more than
 * 100,000 lines a second. Always true: a line is in `pending` at most once; only the logs' own
 * thread touches anything here but `counts`, which are read torn at worst. */
#include "agents/logs.h"

#include "agents/kmsg.h"
#include "agents/tail.h"
#include "base/clock.h"
#include "base/entity.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/str.h"
#include "decode/container.h"
#include "decode/loghead.h"
#include "kb/matcher.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGS_CONTEXT     10    /* lines before and behind a match */
#define LOGS_TEXT_MAX    2048u /* of a context line; the rest is cut */
#define LOGS_PENDING_MAX 4096u /* lines and events that wait for a batch */
#define LOGS_SAME_MAX    20u   /* events of one (entity, code) within LOGS_SAME_MS */
#define LOGS_SAME_MS     10000
#define LOGS_URGENT_MS   50 /* so that a burst shares a batch */
#define LOGS_LAZY_MS     5000
#define LOGS_FILES_MS    500
#define LOGS_SOURCES     64u /* with a context of their own */

struct logs_kept { /* a line or an event, owned */
    bool event, sent;
    int64_t time_ms;
    enum severity severity;
    enum event_phase phase;
    int rank;
    char *text, *job, *entity, *code, *fields;
    const char *source;
};

struct logs_source { /* a file, or the kernel */
    char *path;
    struct logs_kept before[LOGS_CONTEXT];
    unsigned next, behind; /* place in `before`; lines still to send after a match */
    int64_t used_ms;
};

struct logs {
    const struct agent_conf *conf;
    const char *node, *state_dir;
    struct outbox *outbox;
    const struct log *log;
    struct kb_matcher *matcher;
    struct kb_scratch *scratch;
    struct loop *loop;
    struct loop_timer *flush, *files;
    struct loop_fd *kmsg;
    int kmsg_fd;
    char kmsg_path[4200], boot[64];
    uint64_t kmsg_sequence, kmsg_seen; /* last read; read before the start */
    bool kmsg_old;                     /* what is read happened before this agent's first start */
    struct tail *tail;
    pthread_t thread;
    bool started, urgent;
    struct logs_kept *pending;
    size_t pending_count;
    struct logs_source sources[LOGS_SOURCES];
    struct map *same;
    int64_t same_ms, rate_ms;
    double allowance;
    uint64_t held_back;
    struct logs_counts counts;
};

/* --- lines that wait -------------------------------------------------------------------------- */

static void
logs_kept_done(struct logs_kept *k)
{
    free(k->text);
    free(k->job);
    free(k->entity);
    free(k->code);
    free(k->fields);
    memset(k, 0, sizeof *k);
}

static int
logs_fill(void *ctx, struct wire_encoder *e)
{
    struct logs *l = ctx;
    int n = 0;
    for (size_t i = 0; i < l->pending_count; i++) {
        struct logs_kept *k = &l->pending[i];
        struct event ev = {.time_ms = k->time_ms,
                           .phase = k->phase,
                           .severity = k->severity,
                           .entity = k->entity,
                           .code = k->code,
                           .source = k->source,
                           .text = k->text,
                           .node = l->node,
                           .job = k->job ? k->job : "",
                           .tenant = "",
                           .fields = k->fields ? k->fields : ""};
        struct log_line line = {.time_ms = k->time_ms,
                                .severity = k->severity,
                                .node = l->node,
                                .job = k->job ? k->job : "",
                                .source = k->source,
                                .tenant = "",
                                .rank = k->rank,
                                .text = k->text};
        n += (k->event ? wire_encode_event(e, &ev) : wire_encode_log(e, &line)) == 0;
    }
    return n;
}

void
logs_flush(struct logs *l)
{
    int64_t now = clock_now_ms(NULL);
    if (l->held_back)
        outbox_lost(l->outbox, "log-rate", now - LOGS_LAZY_MS, now, l->held_back);
    l->held_back = 0;
    if (!l->pending_count)
        return;
    if (outbox_batch(l->outbox, logs_fill, l) < 0)
        outbox_lost(l->outbox, "batch-failed", now, now, l->pending_count);
    for (size_t i = 0; i < l->pending_count; i++)
        logs_kept_done(&l->pending[i]);
    l->pending_count = 0;
    l->urgent = false;
}

static void
logs_soon(struct logs *l, bool urgent)
{
    if (!l->flush || (l->urgent && urgent))
        return;
    if (urgent || l->pending_count == 1)
        loop_timer_set(l->flush, urgent ? LOGS_URGENT_MS : LOGS_LAZY_MS, 0);
    l->urgent = l->urgent || urgent;
}

/* Takes what k owns. */
static void
logs_pend(struct logs *l, struct logs_kept *k)
{
    if (l->pending_count == LOGS_PENDING_MAX)
        logs_flush(l);
    l->pending[l->pending_count++] = *k;
    bool urgent = k->event;
    memset(k, 0, sizeof *k);
    logs_soon(l, urgent);
}

/* --- context ---------------------------------------------------------------------------------- */

static struct logs_source *
logs_source(struct logs *l, const char *path)
{
    struct logs_source *oldest = &l->sources[0];
    for (size_t i = 0; i < LOGS_SOURCES; i++) {
        struct logs_source *s = &l->sources[i];
        if (s->path && !strcmp(s->path, path))
            return s;
        if (s->used_ms < oldest->used_ms)
            oldest = s;
    }
    for (size_t i = 0; i < LOGS_CONTEXT; i++)
        logs_kept_done(&oldest->before[i]);
    free(oldest->path);
    memset(oldest, 0, sizeof *oldest);
    oldest->path = strdup(path);
    return oldest;
}

static void
logs_remember(struct logs_source *s, struct logs_kept *k)
{
    logs_kept_done(&s->before[s->next]);
    s->before[s->next] = *k;
    s->next = (s->next + 1) % LOGS_CONTEXT;
    memset(k, 0, sizeof *k);
}

static void
logs_send_before(struct logs *l, struct logs_source *s)
{
    for (unsigned i = 0; i < LOGS_CONTEXT; i++) {
        struct logs_kept *k = &s->before[(s->next + i) % LOGS_CONTEXT];
        if (k->text && !k->sent)
            logs_pend(l, k);
        logs_kept_done(k);
    }
}

/* A bucket that holds two seconds of the rate. */
static bool
logs_within_rate(struct logs *l)
{
    int64_t now = clock_mono_us() / 1000;
    double rate = (double)l->conf->logs.rate;
    l->allowance += (double)(now - l->rate_ms) * rate / 1000;
    l->allowance = l->allowance > 2 * rate ? 2 * rate : l->allowance;
    l->rate_ms = now;
    if (l->allowance < 1) {
        l->held_back++;
        l->counts.held_back++;
        return false;
    }
    l->allowance--;
    return true;
}

/* --- one line --------------------------------------------------------------------------------- */

/* Some of each (entity, code) in ten seconds; the rest is counted and told as a gap. */
static bool
logs_too_many(struct logs *l, const char *entity, const char *code)
{
    char key[ENTITY_SIZE + EVENT_CODE_MAX + 2];
    int64_t now = clock_mono_us() / 1000;
    if (!l->same || now - l->same_ms > LOGS_SAME_MS) {
        map_free(l->same, NULL);
        l->same = map_new(10000);
        l->same_ms = now;
    }
    int n = snprintf(key, sizeof key, "%s %s", entity, code);
    uintptr_t seen = l->same ? (uintptr_t)map_get(l->same, key, (size_t)n) : 0;
    if (l->same)
        map_set(l->same, key, (size_t)n, (void *)(seen + 1), NULL);
    return seen >= LOGS_SAME_MAX;
}

static bool
logs_event(struct logs *l, const struct kb_match *m, const struct logs_kept *line)
{
    char entity[ENTITY_SIZE];
    struct buf fields;
    kb_match_entity(m, l->node, line->job ? line->job : "", line->rank, entity, sizeof entity);
    if (!*entity)
        return false;
    if (logs_too_many(l, entity, m->id)) {
        l->counts.thinned++;
        l->held_back++;
        return false;
    }
    buf_init(&fields, 65536);
    kb_match_fields(m, &fields);
    struct logs_kept k = {.event = true,
                          .time_ms = line->time_ms,
                          .severity = m->severity,
                          .phase = m->clears ? EVENT_END : EVENT_INSTANT,
                          .rank = line->rank,
                          .source = line->source,
                          .text = strdup(line->text),
                          .job = line->job ? strdup(line->job) : NULL,
                          .entity = strdup(entity),
                          .code = strdup(m->id),
                          .fields = buf_take(&fields, NULL)};
    if (k.text && k.entity && k.code)
        logs_pend(l, &k);
    logs_kept_done(&k);
    return true;
}

const char *
logs_job(const char *path, char out[32])
{
    const char *name = strrchr(path, '/'), *at;
    name = name ? name + 1 : path;
    *out = 0;
    if (!(at = strstr(name, "slurm-")) && !(at = strstr(name, "job")))
        return out;
    at += strcspn(at, "0123456789");
    size_t n = strspn(at, "0123456789");
    if (n && n < 32)
        snprintf(out, 32, "%.*s", (int)n, at);
    return out;
}

void
logs_line(struct logs *l, const char *source, const char *path, char *line, size_t len,
          int64_t time_ms, enum severity severity)
{
    struct kb_match matches[4];
    struct loghead head;
    char job[32];
    int64_t now = clock_now_ms(NULL);
    struct container_line wrapped;
    if (container_unwrap(line, len, &wrapped)) {
        line = wrapped.text;
        len = wrapped.len;
        time_ms = time_ms ? time_ms : wrapped.time_ms;
    }
    str_utf8_mend(line, &len);
    line[len] = 0;
    loghead_parse(line, len, now, &head);
    struct logs_source *s = logs_source(l, path);
    s->used_ms = now;
    l->counts.lines++;
    size_t n = kb_match_line(l->matcher, l->scratch, line, len, source, matches,
                             sizeof matches / sizeof *matches);
    logs_job(path, job);
    struct logs_kept k = {.time_ms = time_ms        ? time_ms
                                     : head.time_ms ? head.time_ms
                                                    : now,
                          .severity = n ? matches[0].severity : severity,
                          .rank = head.rank,
                          .source = source,
                          .job = *job ? strdup(job) : NULL,
                          .text = strndup(line, n ? EVENT_TEXT_MAX - 1 : LOGS_TEXT_MAX)};
    if (!k.text)
        return;
    bool told = false;
    for (size_t i = 0; i < n; i++)
        told = logs_event(l, &matches[i], &k) || told;
    if (told) {
        l->counts.matched++;
        logs_send_before(l, s);
        s->behind = LOGS_CONTEXT;
        logs_pend(l, &k);
    } else if (s->behind && l->conf->logs.forward != AGENT_FORWARD_NONE) {
        s->behind--;
        logs_pend(l, &k);
    } else if (l->conf->logs.forward == AGENT_FORWARD_ALL && !l->kmsg_old && logs_within_rate(l)) {
        logs_pend(l, &k);
    } else if (l->conf->logs.forward != AGENT_FORWARD_NONE) {
        logs_remember(s, &k);
    }
    logs_kept_done(&k);
}

void
logs_counts(const struct logs *l, struct logs_counts *ret)
{
    *ret = l->counts;
}

/* --- sources ---------------------------------------------------------------------------------- */

static void
logs_kmsg_record(struct logs *l, char *line)
{
    struct kmsg_record r;
    if (kmsg_parse(line, &r) || (l->kmsg_seen && r.sequence <= l->kmsg_seen))
        return;
    int64_t time_ms = clock_now_ms(NULL) - (clock_mono_us() - r.since_boot_us) / 1000;
    l->kmsg_sequence = r.sequence;
    logs_line(l, "kernel", "/dev/kmsg", line + (r.text - line), r.len, time_ms, r.severity);
}

/* A read of the device gives one record; of a recorded file, many lines. */
static void
logs_kmsg_read(void *ctx, int events)
{
    struct logs *l = ctx;
    char data[16384];
    (void)events;
    for (int turn = 0; turn < 512; turn++) {
        ssize_t n = read(l->kmsg_fd, data, sizeof data - 1);
        if (n < 0 && errno == EPIPE) { /* records were overwritten before we read them */
            int64_t now = clock_now_ms(NULL);
            outbox_lost(l->outbox, "kernel-log-overrun", now, now, 1);
            continue;
        }
        if (n < 0 && errno == EINVAL)
            continue;
        if (n <= 0) {
            l->kmsg_old = false;
            return;
        }
        data[n] = 0;
        for (char *at = data, *line; (line = strsep(&at, "\n"));)
            logs_kmsg_record(l, line);
    }
}

static void
logs_kmsg_save(struct logs *l)
{
    char path[4200], text[128];
    int n = snprintf(text, sizeof text, "%s %" PRIu64 "\n", l->boot, l->kmsg_sequence);
    if (!l->kmsg_sequence)
        return;
    snprintf(path, sizeof path, "%.4000s/kmsg", l->state_dir);
    file_write_atomic(path, text, (size_t)n, 0600, NULL);
}

/* Where the last run stopped; a former boot's place means nothing. */
static void
logs_kmsg_load(struct logs *l, const char *root)
{
    char path[4200], boot[64];
    uint64_t sequence;
    struct buf text;
    snprintf(path, sizeof path, "%.4000s/proc/sys/kernel/random/boot_id", root);
    if (!file_read(path, 4096, &text, NULL))
        str_copy(l->boot, sizeof l->boot, buf_str(&text));
    buf_done(&text);
    l->boot[strcspn(l->boot, "\n")] = 0;
    l->kmsg_old = true;
    snprintf(path, sizeof path, "%.4000s/kmsg", l->state_dir);
    if (!file_read(path, 4096, &text, NULL) &&
        sscanf(buf_str(&text), "%63s %" SCNu64, boot, &sequence) == 2 && !strcmp(boot, l->boot)) {
        l->kmsg_seen = sequence;
        l->kmsg_old = false;
    }
    buf_done(&text);
}

static void
logs_file_line(void *ctx, const char *path, char *line, size_t len)
{
    logs_line(ctx, "job", path, line, len, 0, SEVERITY_INFO);
}

static void
logs_new_matcher(struct logs *l)
{
    struct buf data;
    struct kb_matcher *m = NULL;
    struct err err;
    if (!l->outbox || !outbox_matcher(l->outbox, &data))
        return;
    struct kb_scratch *s = NULL;
    if (kb_matcher_deserialize(data.data, data.len, &m, &err) || !(s = kb_scratch_new(m))) {
        log_write(l->log, LOG_LEVEL_WARNING, "the server's patterns cannot be used: %s", err.text);
        kb_matcher_free(m);
    } else {
        kb_scratch_free(l->scratch);
        kb_matcher_free(l->matcher);
        l->matcher = m;
        l->scratch = s;
        outbox_matcher_is(l->outbox, kb_matcher_hash(m));
        log_write(l->log, LOG_LEVEL_NOTICE, "lines are matched with the server's patterns");
    }
    buf_done(&data);
}

static void
logs_turn(void *ctx)
{
    struct logs *l = ctx;
    if (l->tail)
        tail_read(l->tail, clock_mono_us() / 1000, (size_t)1 << 20);
    if (l->kmsg_fd >= 0 && !l->kmsg)
        logs_kmsg_read(l, 0);
    logs_new_matcher(l);
}

static void
logs_flush_timer(void *ctx)
{
    logs_flush(ctx);
    logs_kmsg_save(ctx);
}

/* --- life ------------------------------------------------------------------------------------- */

static int
logs_open(struct logs *l, const char *root, struct err *err)
{
    struct stat st;
    int rc = kb_matcher_builtin(&l->matcher, err);
    if (rc)
        return rc;
    l->scratch = kb_scratch_new(l->matcher);
    l->loop = loop_new();
    l->pending = calloc(LOGS_PENDING_MAX, sizeof *l->pending);
    if (!l->scratch || !l->loop || !l->pending)
        return err_set(err, ERR_NOMEM, "no memory for the logs");
    outbox_matcher_is(l->outbox, kb_matcher_hash(l->matcher));
    l->flush = loop_timer_open(l->loop, logs_flush_timer, l);
    l->files = loop_timer_open(l->loop, logs_turn, l);
    if (l->conf->logs.files.count)
        l->tail = tail_new(&l->conf->logs.files, logs_file_line, l);
    if (l->conf->logs.kernel) {
        snprintf(l->kmsg_path, sizeof l->kmsg_path, "%.4000s/dev/kmsg", root);
        l->kmsg_fd = open(l->kmsg_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (l->kmsg_fd < 0)
            log_write(l->log, LOG_LEVEL_WARNING, "%s: %s: the kernel's log is not read",
                      l->kmsg_path, strerror(errno));
        logs_kmsg_load(l, root);
    }
    if (l->kmsg_fd >= 0 && !fstat(l->kmsg_fd, &st) && S_ISCHR(st.st_mode)) {
        l->kmsg = loop_fd_open(l->loop, l->kmsg_fd, logs_kmsg_read, l);
        if (l->kmsg)
            loop_fd_set(l->kmsg, LOOP_READ);
    }
    /* Files are looked at twice a second; without any, only for the server's patterns. */
    loop_timer_set(l->files, 10, l->tail || !l->kmsg ? LOGS_FILES_MS : 30000);
    return 0;
}

int
logs_new(const struct agent_conf *conf, const char *root, const char *node, const char *state_dir,
         struct outbox *o, const struct log *log, struct logs **ret, struct err *err)
{
    struct logs *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "no memory for the logs");
    l->conf = conf;
    l->node = node;
    l->state_dir = state_dir;
    l->outbox = o;
    l->log = log;
    l->kmsg_fd = -1;
    l->rate_ms = clock_mono_us() / 1000;
    l->allowance = 2 * (double)conf->logs.rate;
    int rc = logs_open(l, root, err);
    if (rc) {
        logs_free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

static void *
logs_main(void *ctx)
{
    struct logs *l = ctx;
    loop_run(l->loop);
    return NULL;
}

int
logs_start(struct logs *l, struct err *err)
{
    if (pthread_create(&l->thread, NULL, logs_main, l))
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    l->started = true;
    return 0;
}

void
logs_free(struct logs *l)
{
    if (!l)
        return;
    if (l->started) {
        loop_stop(l->loop);
        pthread_join(l->thread, NULL);
        logs_turn(l);
    }
    l->flush = NULL;
    if (l->pending)
        logs_flush(l);
    logs_kmsg_save(l);
    for (size_t i = 0; i < LOGS_SOURCES; i++) {
        for (size_t k = 0; k < LOGS_CONTEXT; k++)
            logs_kept_done(&l->sources[i].before[k]);
        free(l->sources[i].path);
    }
    tail_free(l->tail);
    loop_free(l->loop);
    if (l->kmsg_fd >= 0)
        close(l->kmsg_fd);
    map_free(l->same, NULL);
    kb_scratch_free(l->scratch);
    kb_matcher_free(l->matcher);
    free(l->pending);
    free(l);
}
