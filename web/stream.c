/* stream: GET /api/v1/stream, the live view.
 *
 * What happens is said ten times a second at the most. An event within that budget goes out at
 * once; beyond it, it waits in a queue with one place an object (the latest wins), which a thread
 * empties as the budget comes back. Should more than STREAM_WAITING objects change in a burst, the
 * queue is dropped and "reset" says so: ask for everything again. Load: some events a second,
 * thousands in the first second of a storm; tens of browsers. */
#include "web/stream.h"

#include "base/str.h"
#include "store/topo.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STREAM_RATE      10   /* events a second */
#define STREAM_WAITING   1000 /* objects that may wait */
#define STREAM_EVENT_MAX ((size_t)64 << 10)
#define STREAM_LOOK_S    5 /* between looks at the topology's revision */

struct stream_event {
    struct stream_event *next;
    char *json;
    char event[16], tenant[64], key[224]; /* key: what it is about */
};

struct stream {
    struct web *w;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stop;
    struct stream_event *first, **tail;
    size_t waiting;
    int64_t looked_us;
    uint64_t revision; /* of the topology, as last said */
    int64_t spent_us;  /* when the budget spent so far is whole again */
};

static void
stream_event_free(struct stream_event *e)
{
    if (e)
        free(e->json);
    free(e);
}

static void
stream_drop_all(struct stream *s)
{
    for (struct stream_event *e = s->first, *next; e; e = next) {
        next = e->next;
        stream_event_free(e);
    }
    s->first = NULL;
    s->tail = &s->first;
    s->waiting = 0;
}

/* What a browser is told of each kind of event: enough to know what to ask again, nothing long. A
 * kind that is not here is sent as it is. */
static const struct {
    const char *event;
    const char *members[9];
} stream_members[] = {
    {"incident", {"id", "state", "severity", "entity", "title", "jobs", "updated"}},
    {"job", {"id", "state", "health", "score"}},
    {"device", {"entity", "state", "health"}},
    {"alert", {"id", "incident", "receiver", "state"}},
    {"check", {"id", "state", "verdict", "progress"}},
};

static void
stream_trim(const struct doc_node *n, const char *const *members, struct buf *out)
{
    struct jsonw j;
    jsonw_init(&j, out);
    jsonw_object(&j);
    for (; *members; members++) {
        const struct doc_node *m = doc_get(n, *members);
        jsonw_key(&j, *members);
        if (m)
            web_copy_node(&j, m);
        else
            jsonw_null(&j);
    }
    jsonw_end_object(&j);
}

/* Fills json and key; the object an event is about is its "id", else its "entity". */
static int
stream_fill(struct stream_event *e, const char *json)
{
    struct doc *d = NULL;
    struct buf out;
    const char *const *members = NULL;
    for (size_t i = 0; i < sizeof stream_members / sizeof *stream_members; i++)
        if (!strcmp(stream_members[i].event, e->event))
            members = stream_members[i].members;
    if (doc_parse_json(json, strlen(json), "event", &d, NULL))
        return ERR_SYNTAX;
    const char *entity = doc_get_str(doc_root(d), "entity", "");
    str_copy(e->key, sizeof e->key, doc_get_str(doc_root(d), "id", entity));
    buf_init(&out, STREAM_EVENT_MAX);
    if (members)
        stream_trim(doc_root(d), members, &out);
    else
        buf_puts(&out, json);
    doc_free(d);
    e->json = buf_take(&out, NULL);
    buf_done(&out);
    return e->json ? 0 : ERR_NOMEM;
}

static void
stream_send(struct stream *s, const struct stream_event *e)
{
    if (s->w->httpd)
        httpd_publish(s->w->httpd, e->event, e->json, e->tenant);
}

/* Lock held. Does the budget allow one more now? A whole second's worth may be spent at once. */
static bool
stream_may_send(struct stream *s, int64_t now_us)
{
    const int64_t price = 1000000 / STREAM_RATE;
    if (s->spent_us < now_us)
        s->spent_us = now_us;
    if (s->spent_us + price > now_us + 1000000)
        return false;
    s->spent_us += price;
    return true;
}

static struct stream_event *
stream_find(struct stream *s, const struct stream_event *like)
{
    for (struct stream_event *e = s->first; e; e = e->next)
        if (*like->key && !strcmp(e->key, like->key) && !strcmp(e->event, like->event) &&
            !strcmp(e->tenant, like->tenant))
            return e;
    return NULL;
}

/* Lock held; takes e. */
static void
stream_queue(struct stream *s, struct stream_event *e)
{
    struct stream_event *old = stream_find(s, e);
    if (old) {
        char *json = old->json;
        old->json = e->json;
        e->json = json;
        stream_event_free(e);
        return;
    }
    if (s->waiting >= STREAM_WAITING) {
        stream_drop_all(s);
        free(e->json);
        e->json = strdup("{}");
        str_copy(e->event, sizeof e->event, "reset");
        *e->key = *e->tenant = 0;
        if (!e->json) {
            stream_event_free(e);
            return;
        }
    }
    e->next = NULL;
    *s->tail = e;
    s->tail = &e->next;
    s->waiting++;
    pthread_cond_signal(&s->wake);
}

void
stream_take(struct stream *s, const char *event, const char *json, const char *tenant)
{
    struct stream_event *e = calloc(1, sizeof *e);
    if (!e)
        return;
    str_copy(e->event, sizeof e->event, event);
    str_copy(e->tenant, sizeof e->tenant, tenant ? tenant : "");
    if (stream_fill(e, json)) {
        stream_event_free(e);
        return;
    }
    pthread_mutex_lock(&s->lock);
    bool now = !s->first && stream_may_send(s, clock_mono_us());
    if (now)
        stream_send(s, e);
    else
        stream_queue(s, e);
    pthread_mutex_unlock(&s->lock);
    if (now)
        stream_event_free(e);
}

static void
stream_nap(struct stream *s, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += us % 1000000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

/* Lock held. Reads what comes in, and says that the topology changed, at most once in
 * STREAM_LOOK_S: a cluster that is being discovered changes it all the time. */
static void
stream_look(struct stream *s)
{
    int64_t now = clock_mono_us();
    if (now - s->looked_us < STREAM_LOOK_S * 1000000)
        return;
    s->looked_us = now;
    overview_measure(s->w);
    struct topo *t = topo_get(s->w->cfg.store);
    uint64_t revision = topo_revision(t);
    topo_put(t);
    char json[64];
    snprintf(json, sizeof json, "{\"revision\":%llu}", (unsigned long long)revision);
    if (s->revision && revision != s->revision && s->w->httpd)
        httpd_publish(s->w->httpd, "topology", json, "");
    s->revision = revision;
}

static void *
stream_run(void *ctx)
{
    struct stream *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        stream_look(s);
        if (!s->first || !stream_may_send(s, clock_mono_us())) {
            stream_nap(s, s->first ? 1000000 / STREAM_RATE : STREAM_LOOK_S * 1000000);
            continue;
        }
        struct stream_event *e = s->first;
        s->first = e->next;
        if (!s->first)
            s->tail = &s->first;
        s->waiting--;
        stream_send(s, e);
        stream_event_free(e);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int
stream_new(struct web *w, struct stream **ret, struct err *err)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for live events");
    s->w = w;
    s->tail = &s->first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    if (pthread_create(&s->thread, NULL, stream_run, s)) {
        stream_free(s);
        return err_set(err, ERR_NOMEM, "no thread for live events");
    }
    s->running = true;
    *ret = s;
    return 0;
}

void
stream_free(struct stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->running)
        pthread_join(s->thread, NULL);
    stream_drop_all(s);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void
web_publish(void *ctx, const char *event, const char *json, const char *tenant)
{
    struct web *w = ctx;
    stream_take(w->stream, event, json, tenant);
}

/* --- the route -------------------------------------------------------------------------------- */

/* "hello" comes first; then the server sends what a client that comes again has missed, or "reset"
 * (base/httpd_stream.c). */
static int
stream_open(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct jsonw j;
    struct topo *t = topo_get(w->cfg.store);
    (void)req;
    resp->stream = true;
    resp->content_type = "text/event-stream";
    buf_puts(&resp->body, "event: hello\ndata: ");
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "build", w->cfg.build_id);
    jsonw_kint(&j, "revision", (int64_t)topo_revision(t));
    jsonw_ktime(&j, "now", web_now(w));
    jsonw_end_object(&j);
    buf_puts(&resp->body, "\n\n");
    topo_put(t);
    return 0;
}

const struct route stream_routes[] = {
    {"GET", "/api/v1/stream", ROLE_VIEWER, stream_open,
     .help = "Live events: incident, job, device, alert, topology."},
};
const size_t stream_route_count = sizeof stream_routes / sizeof *stream_routes;
