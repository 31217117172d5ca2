/* remote_write: a two-pass reader: the first pass walks the structure to its end, the second hands
 * series on. It reads the wire itself: with base/protobuf's calls, which cannot be inlined here,
 * 20,000 series of 8 labels took 19 ms instead of 9. */
#include "collector/remote_write.h"

#include "base/compress.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>

struct remote_write_in {
    const uint8_t *p, *end;
};

struct remote_write_field {
    uint32_t number;
    unsigned type;   /* 0 varint, 1 64 bit, 2 bytes, 5 32 bit */
    uint64_t varint; /* also 64 and 32 bit values */
    const uint8_t *bytes;
    size_t len;
};

static inline bool
remote_write_varint(struct remote_write_in *in, uint64_t *ret)
{
    uint64_t v = 0;
    if (in->p < in->end && *in->p < 128) {
        *ret = *in->p++;
        return true;
    }
    for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
        uint8_t b = *in->p++;
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool
remote_write_fixed(struct remote_write_in *in, size_t n, uint64_t *ret)
{
    if ((size_t)(in->end - in->p) < n)
        return false;
    *ret = 0;
    memcpy(ret, in->p, n);
    in->p += n;
    return true;
}

/* The next field; false when the input is cut or ill-formed. */
static bool
remote_write_next(struct remote_write_in *in, struct remote_write_field *f)
{
    uint64_t tag, n;
    if (!remote_write_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->type = (unsigned)(tag & 7);
    switch (f->type) {
    case 0:
        return remote_write_varint(in, &f->varint);
    case 1:
        return remote_write_fixed(in, 8, &f->varint);
    case 5:
        return remote_write_fixed(in, 4, &f->varint);
    case 2:
        if (!remote_write_varint(in, &n) || n > (uint64_t)(in->end - in->p))
            return false;
        f->bytes = in->p;
        f->len = (size_t)n;
        in->p += n;
        return true;
    default:
        return false;
    }
}

/* Walks one message; every field must be well-formed, those of `number` as messages too, `depth`
 * levels down. */
static bool
remote_write_sound(const uint8_t *p, size_t len, int depth)
{
    struct remote_write_in in = {p, p + len};
    struct remote_write_field f;
    while (in.p < in.end) {
        if (!remote_write_next(&in, &f))
            return false;
        bool message =
            f.type == 2 && ((depth == 0 && f.number == 1) || (depth == 1 && f.number <= 2));
        if (message && !remote_write_sound(f.bytes, f.len, depth + 1))
            return false;
    }
    return true;
}

static void
remote_write_label(const struct remote_write_field *msg, struct labels *l, bool *ok)
{
    struct remote_write_in in = {msg->bytes, msg->bytes + msg->len};
    struct remote_write_field f, name = {0}, value = {0};
    while (in.p < in.end && remote_write_next(&in, &f)) {
        if (f.type == 2 && f.number == 1)
            name = f;
        else if (f.type == 2 && f.number == 2)
            value = f;
    }
    if (!name.len ||
        labels_add(l, (const char *)name.bytes, name.len, (const char *)value.bytes, value.len))
        *ok = false;
}

static struct sample
remote_write_sample(const struct remote_write_field *msg)
{
    struct remote_write_in in = {msg->bytes, msg->bytes + msg->len};
    struct remote_write_field f;
    struct sample s = {0, 0};
    while (in.p < in.end && remote_write_next(&in, &f)) {
        if (f.number == 1 && f.type == 1)
            memcpy(&s.v, &f.varint, sizeof s.v);
        else if (f.number == 2 && f.type == 0)
            s.t_ms = (int64_t)f.varint;
    }
    return s;
}

static bool
remote_write_utf8(const struct labels *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (!str_utf8_ok(l->at[i].value, l->at[i].value_len))
            return false;
    return true;
}

static int
remote_write_series(const struct remote_write_field *msg, const struct sample_sink *sink,
                    struct remote_write_counts *ret)
{
    struct remote_write_in in = {msg->bytes, msg->bytes + msg->len};
    struct remote_write_field f;
    struct labels l;
    struct sample s[64];
    size_t n = 0;
    bool ok = true, ready = false;
    int rc = 0;
    l.count = 0;
    while (!rc && in.p < in.end && remote_write_next(&in, &f)) {
        if (f.number == 1 && f.type == 2) {
            remote_write_label(&f, &l, &ok);
        } else if (f.number == 2 && f.type == 2) {
            if (!ready) {
                ok = ok && !labels_finish(&l) && labels_find(&l, "__name__") &&
                     remote_write_utf8(&l);
                ready = true;
            }
            s[n++] = remote_write_sample(&f);
            if (ok && n == sizeof s / sizeof *s) {
                rc = sink->series(sink->ctx, &l, s, n);
                ret->samples += n;
            }
            if (n == sizeof s / sizeof *s) {
                ret->refused += ok ? 0 : n;
                n = 0;
            }
        }
    }
    if (!rc && n && ok) {
        rc = sink->series(sink->ctx, &l, s, n);
        ret->samples += n;
    }
    ret->refused += ok ? 0 : n;
    ret->series++;
    return rc < 0 ? rc : 0;
}

/* --- label sets that the sink knows ----------------------------------------------------------- */

#define REMOTE_WRITE_AHEAD 16 /* sets whose place in the sink's memory is being fetched */
#define REMOTE_WRITE_PLAIN 64 /* samples of a series that are read at once */

struct remote_write_ahead {
    struct remote_write_field msg;
    const uint8_t *samples; /* behind the labels, which come first */
    uint64_t key[2];
};

/* Labels are fields of one kind, one after the other. False: they are not at the beginning. */
static bool
remote_write_label_end(const struct remote_write_field *msg, const uint8_t **ret)
{
    struct remote_write_in in = {msg->bytes, msg->bytes + msg->len};
    uint64_t n;
    while (in.p < in.end && *in.p == (1 << 3 | 2)) {
        in.p++;
        if (in.p < in.end && *in.p < 128)
            n = *in.p++;
        else if (!remote_write_varint(&in, &n))
            return false;
        if (n > (uint64_t)(in.end - in.p))
            return false;
        in.p += n;
    }
    *ret = in.p;
    return in.p > msg->bytes;
}

/* A sample as every sender writes it: value, time, nothing else. */
static bool
remote_write_plain_sample(struct remote_write_in *in, struct sample *ret)
{
    uint64_t n, t;
    if (in->end - in->p < 2 || *in->p++ != (2 << 3 | 2) || !remote_write_varint(in, &n) ||
        n > (uint64_t)(in->end - in->p) || n < 11 || in->p[0] != (1 << 3 | 1) ||
        in->p[9] != (2 << 3))
        return false;
    struct remote_write_in time = {in->p + 10, in->p + n};
    memcpy(&ret->v, in->p + 1, sizeof ret->v);
    if (!remote_write_varint(&time, &t) || time.p != time.end)
        return false;
    ret->t_ms = (int64_t)t;
    in->p += n;
    return true;
}

/* Plain samples alone from p to the end: their number, or 0. */
static size_t
remote_write_plain(const uint8_t *p, const uint8_t *end, struct sample s[REMOTE_WRITE_PLAIN])
{
    struct remote_write_in in = {p, end};
    size_t n = 0;
    while (n < REMOTE_WRITE_PLAIN && in.p < in.end && remote_write_plain_sample(&in, &s[n]))
        n++;
    return in.p == in.end ? n : 0;
}

static int
remote_write_one(const struct remote_write_ahead *a, const struct sample_sink *sink,
                 struct remote_write_counts *ret)
{
    struct sample s[REMOTE_WRITE_PLAIN];
    size_t n = a->samples ? remote_write_plain(a->samples, a->msg.bytes + a->msg.len, s) : 0;
    size_t labels = n ? (size_t)(a->samples - a->msg.bytes) : 0;
    int rc = n ? sink->known(sink->memory, a->key, labels, s, n) : 0;
    if (rc > 0) {
        ret->samples += n;
        ret->series++;
        return 0;
    }
    if (!rc && !remote_write_sound(a->msg.bytes, a->msg.len, 1))
        return ERR_SYNTAX;
    return rc ? rc : remote_write_series(&a->msg, sink, ret);
}

/* Is it the set that likely comes next? 1 and it was taken, 0. The bytes of a known set are labels
 * and nothing else, so that its length says where the samples begin. */
static int
remote_write_follow(const struct remote_write_field *msg, const struct sample_sink *sink,
                    struct remote_write_counts *ret)
{
    struct sample s[REMOTE_WRITE_PLAIN];
    size_t len = sink->likely(sink->memory), n;
    if (!len || len >= msg->len ||
        !(n = remote_write_plain(msg->bytes + len, msg->bytes + msg->len, s)))
        return 0;
    int rc = sink->follows(sink->memory, msg->bytes, len, s, n);
    if (rc > 0) {
        ret->samples += n;
        ret->series++;
    }
    return rc;
}

struct remote_write_ring {
    struct remote_write_ahead at[REMOTE_WRITE_AHEAD];
    size_t count;
    size_t depth; /* so many sets are looked up together: more while none is the one expected */
};

static int
remote_write_drain(struct remote_write_ring *ring, const struct sample_sink *sink,
                   struct remote_write_counts *ret)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < ring->count; i++)
        rc = remote_write_one(&ring->at[i], sink, ret);
    ring->count = 0;
    return rc;
}

static int
remote_write_take(struct remote_write_ring *ring, const struct remote_write_field *msg,
                  const struct sample_sink *sink, struct remote_write_counts *ret)
{
    if (!ring->count) {
        int rc = remote_write_follow(msg, sink, ret);
        ring->depth = rc ? 1 : ring->depth < REMOTE_WRITE_AHEAD ? 2 * ring->depth : ring->depth;
        if (rc)
            return rc < 0 ? rc : 0;
    }
    struct remote_write_ahead *a = &ring->at[ring->count++];
    a->msg = *msg;
    if (remote_write_label_end(msg, &a->samples))
        sink->key(sink->memory, msg->bytes, (size_t)(a->samples - msg->bytes), a->key);
    else
        a->samples = NULL;
    return ring->count == ring->depth ? remote_write_drain(ring, sink, ret) : 0;
}

/* What is wrong somewhere is told after some of it was given: the caller drops it all. */
static int
remote_write_known(const void *raw, size_t len, const struct sample_sink *sink,
                   struct remote_write_counts *ret)
{
    struct remote_write_in in = {raw, (const uint8_t *)raw + len};
    struct remote_write_ring ring = {.depth = 1};
    struct remote_write_field msg;
    int rc = 0;
    while (!rc && in.p < in.end) {
        if (!remote_write_next(&in, &msg))
            return ERR_SYNTAX;
        if (msg.number == 1 && msg.type == 2)
            rc = remote_write_take(&ring, &msg, sink, ret);
    }
    return rc ? rc : remote_write_drain(&ring, sink, ret);
}

int
remote_write_decode_raw(const void *raw, size_t len, const struct sample_sink *sink,
                        struct remote_write_counts *ret, struct err *err)
{
    struct remote_write_in in = {raw, (const uint8_t *)raw + len};
    struct remote_write_field f;
    int rc = 0;
    *ret = (struct remote_write_counts){0};
    if (sink->known)
        rc = remote_write_known(raw, len, sink, ret);
    else if (!remote_write_sound(raw, len, 0))
        rc = ERR_SYNTAX;
    if (rc == ERR_SYNTAX)
        return err_set(err, rc, "the body is not a protobuf WriteRequest: cut or ill-formed");
    if (sink->known)
        in.p = in.end;
    while (!rc && in.p < in.end && remote_write_next(&in, &f))
        if (f.number == 1 && f.type == 2)
            rc = remote_write_series(&f, sink, ret);
    return rc ? err_set(err, rc, "the samples do not fit: %s", err_text(rc)) : 0;
}

int
remote_write_decode(const void *body, size_t len, struct buf *scratch,
                    const struct sample_sink *sink, struct remote_write_counts *ret,
                    struct err *err)
{
    buf_reset(scratch);
    int rc = compress_unsnappy(body, len, scratch);
    if (rc == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "the body unpacks to more than %zu bytes", scratch->max);
    if (rc)
        return err_set(err, ERR_SYNTAX, "the body is not a snappy block");
    return remote_write_decode_raw(buf_str(scratch), scratch->len, sink, ret, err);
}
