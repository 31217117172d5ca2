/* httpd_stream: server-sent events (WHATWG HTML, section 9.2). A stream with nothing to send is a
 * suspended connection and costs no thread; some hundred browsers, some events a second.
 *
 * The last events are kept: a client that comes again says the id of the last one it had
 * (Last-Event-ID) and gets what it missed; where that is no longer known, "reset" tells it to ask
 * for everything anew. An id is EPOCH-NUMBER, the epoch being this server's life.
 *
 * Always true: a stream is in the server's list exactly while libmicrohttpd may call its reader;
 * whoever suspends or resumes it holds the server's lock, so that no wake-up is lost. An event is
 * numbered, kept and sent under one hold of that lock, so that a stream has each once. */
#include "base/httpd_in.h"

#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct httpd_stream {
    struct httpd *s;
    struct MHD_Connection *conn;
    struct httpd_stream *next, **self;
    struct buf waiting;
    size_t sent; /* of waiting */
    struct identity who;
    bool suspended, ended;
};

static void
httpd_stream_wake(struct httpd_stream *st)
{
    if (st->suspended) {
        st->suspended = false;
        MHD_resume_connection(st->conn);
    }
}

/* libmicrohttpd asks for bytes to send, on its thread. */
static ssize_t
httpd_stream_read(void *ctx, uint64_t pos, char *out, size_t size)
{
    (void)pos;
    struct httpd_stream *st = ctx;
    ssize_t n = 0;
    pthread_mutex_lock(&st->s->lock);
    size_t left = st->waiting.len - st->sent;
    if (left) {
        n = (ssize_t)(left < size ? left : size);
        memcpy(out, st->waiting.data + st->sent, (size_t)n);
        st->sent += (size_t)n;
        if (st->sent == st->waiting.len) {
            buf_reset(&st->waiting);
            st->sent = 0;
        }
        atomic_fetch_add(&st->s->bytes_out, (uint64_t)n);
    } else if (st->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        st->suspended = true;
        MHD_suspend_connection(st->conn);
    }
    pthread_mutex_unlock(&st->s->lock);
    return n;
}

static void
httpd_stream_free(void *ctx)
{
    struct httpd_stream *st = ctx;
    pthread_mutex_lock(&st->s->lock);
    *st->self = st->next;
    if (st->next)
        st->next->self = st->self;
    st->s->stream_count--;
    pthread_mutex_unlock(&st->s->lock);
    buf_done(&st->waiting);
    free(st);
}

static bool
httpd_stream_may_see(const struct httpd_stream *st, const char *tenant)
{
    return !tenant || !*tenant || !*st->who.tenant || !strcmp(st->who.tenant, tenant);
}

/* --- the past --------------------------------------------------------------------------------- */

static void
httpd_past_begin(struct httpd_past *p)
{
    p->epoch = (uint64_t)clock_now_ms(NULL);
    p->first = p->next = 1;
}

static void
httpd_past_drop(struct httpd_past *p)
{
    struct httpd_past_event *e = &p->at[p->first++ % HTTPD_PAST_EVENTS];
    p->bytes -= e->len;
    free(e->text);
    *e = (struct httpd_past_event){0};
}

/* With the lock held. An event too large to keep is a hole: everyone before it asks anew. */
static void
httpd_past_add(struct httpd_past *p, const struct buf *text, const char *tenant)
{
    while (p->first < p->next &&
           (p->next - p->first == HTTPD_PAST_EVENTS || p->bytes + text->len > HTTPD_PAST_BYTES))
        httpd_past_drop(p);
    char *copy = text->len <= HTTPD_PAST_BYTES ? malloc(text->len) : NULL;
    uint64_t n = p->next++;
    if (!copy) {
        while (p->first < n)
            httpd_past_drop(p);
        p->first = p->next;
        return;
    }
    struct httpd_past_event *e = &p->at[n % HTTPD_PAST_EVENTS];
    memcpy(copy, text->data, text->len);
    *e = (struct httpd_past_event){.text = copy, .len = text->len};
    str_copy(e->tenant, sizeof e->tenant, tenant ? tenant : "");
    p->bytes += text->len;
}

void
httpd_past_done(struct httpd_past *p)
{
    while (p->first < p->next)
        httpd_past_drop(p);
}

/* With the lock held: what the client missed since the id it names, or "reset"; then the number it
 * now stands at, so that one that heard nothing yet can come again too. */
static void
httpd_stream_catch_up(struct httpd_stream *st, struct httpd_past *p, const char *last_id)
{
    uint64_t epoch = 0, last = 0;
    int used = 0;
    if (!p->epoch)
        httpd_past_begin(p);
    if (last_id) {
        bool known = sscanf(last_id, "%" SCNx64 "-%" SCNu64 "%n", &epoch, &last, &used) == 2 &&
                     !last_id[used] && epoch == p->epoch && last + 1 >= p->first && last < p->next;
        for (uint64_t n = last + 1; known && n < p->next; n++) {
            const struct httpd_past_event *e = &p->at[n % HTTPD_PAST_EVENTS];
            if (httpd_stream_may_see(st, e->tenant))
                buf_append(&st->waiting, e->text, e->len);
        }
        if (!known)
            buf_puts(&st->waiting, "event: reset\ndata: {}\n\n");
    }
    buf_printf(&st->waiting, "id: %" PRIx64 "-%" PRIu64 "\n\n", p->epoch, p->next - 1);
}

/* --- streams ---------------------------------------------------------------------------------- */

struct MHD_Response *
httpd_stream_new(struct httpd_exchange *x)
{
    struct httpd *s = x->s;
    struct httpd_stream *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    *st = (struct httpd_stream){.s = s, .conn = x->conn, .who = x->req.who};
    buf_init(&st->waiting, HTTPD_STREAM_QUEUE);
    buf_puts(&st->waiting, "retry: 3000\n\n");
    buf_append(&st->waiting, buf_str(&x->resp.body), x->resp.body.len);
    pthread_mutex_lock(&s->lock);
    httpd_stream_catch_up(st, &s->past, httpd_header(&x->req, "Last-Event-ID"));
    bool room = s->stream_count < HTTPD_STREAMS_MAX && !s->stopping && !st->waiting.failed;
    if (room) {
        s->stream_count++;
        st->self = &s->streams;
        st->next = s->streams;
        if (st->next)
            st->next->self = &st->next;
        s->streams = st;
    }
    pthread_mutex_unlock(&s->lock);
    struct MHD_Response *r =
        room ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, httpd_stream_read, st,
                                                 httpd_stream_free)
             : NULL;
    if (!r && room)
        httpd_stream_free(st);
    else if (!room) {
        buf_done(&st->waiting);
        free(st);
    }
    return r;
}

/* With the lock held. A stream that cannot keep up is closed: its client comes again and asks anew.
 */
static void
httpd_stream_put(struct httpd_stream *st, const struct buf *event)
{
    if (st->ended)
        return;
    if (st->sent) {
        buf_drop(&st->waiting, st->sent);
        st->sent = 0;
    }
    if (buf_append(&st->waiting, event->data, event->len)) {
        buf_reset(&st->waiting);
        st->ended = true;
    }
    httpd_stream_wake(st);
}

/* One event; a line end in the data begins another data line, as the format wants it. */
static void
httpd_stream_format(struct buf *out, const char *event, const char *data)
{
    if (event && *event)
        buf_printf(out, "event: %.*s\n", (int)strcspn(event, "\r\n"), event);
    do {
        size_t n = strcspn(data, "\r\n");
        buf_puts(out, "data: ");
        buf_append(out, data, n);
        buf_putc(out, '\n');
        data += n;
        data += *data == '\r';
        data += *data == '\n';
    } while (*data);
    buf_putc(out, '\n');
}

void
httpd_publish(struct httpd *s, const char *event, const char *json, const char *tenant)
{
    struct buf text, whole;
    buf_init(&text, HTTPD_STREAM_QUEUE);
    buf_init(&whole, HTTPD_STREAM_QUEUE + 64);
    httpd_stream_format(&text, event, json);
    pthread_mutex_lock(&s->lock);
    if (!s->past.epoch)
        httpd_past_begin(&s->past);
    buf_printf(&whole, "id: %" PRIx64 "-%" PRIu64 "\n", s->past.epoch, s->past.next);
    buf_append(&whole, text.data, text.len);
    whole.failed |= text.failed;
    if (!whole.failed)
        httpd_past_add(&s->past, &whole, tenant);
    for (struct httpd_stream *st = s->streams; st && !whole.failed; st = st->next)
        if (httpd_stream_may_see(st, tenant))
            httpd_stream_put(st, &whole);
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->events, 1);
    buf_done(&text);
    buf_done(&whole);
}

void
httpd_streams_beat(struct httpd *s)
{
    const struct buf comment = {.data = ": still here\n\n", .len = 14};
    pthread_mutex_lock(&s->lock);
    for (struct httpd_stream *st = s->streams; st; st = st->next)
        httpd_stream_put(st, &comment);
    pthread_mutex_unlock(&s->lock);
}

void
httpd_streams_end(struct httpd *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct httpd_stream *st = s->streams; st; st = st->next) {
        st->ended = true;
        httpd_stream_wake(st);
    }
    pthread_mutex_unlock(&s->lock);
}
