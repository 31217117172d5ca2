/* digest: a knowledge base as bytes, made at build and read at every start without a parser.
 *
 *   header   "MSKB" u32 version, u32 pool length, u32 body length, u32 entries, u32 families, u64 0
 * (reserved) pool     the strings, each once, 0-terminated; offset 0 is the empty string body the
 * entries, then the families, field by field in the order of the functions below: u32 (little
 * endian), i64 and f64 as 8 bytes, text as u32 offset into the pool + 1 (0: NULL), lists with their
 * count before them
 *
 * Strings are used where they lie, so the bytes outlive the knowledge base. Reading checks every
 * bound: bytes that are not a digest give ERR_CORRUPT. */
#include "kb/inside.h"

#include <string.h>

#define DIGEST_VERSION 2u
#define DIGEST_HEADER  32u
#define DIGEST_LIST    65536u

/* ---- writing ---- */

struct digest_out {
    struct buf pool, body;
    struct map *seen;
    bool failed;
};

static void
digest_u32(struct digest_out *o, size_t v)
{
    uint32_t le = (uint32_t)v;
    uint8_t b[4] = {(uint8_t)le, (uint8_t)(le >> 8), (uint8_t)(le >> 16), (uint8_t)(le >> 24)};
    buf_append(&o->body, b, 4);
}

static void
digest_i64(struct digest_out *o, int64_t v)
{
    digest_u32(o, (uint32_t)((uint64_t)v & 0xffffffffu));
    digest_u32(o, (uint32_t)((uint64_t)v >> 32));
}

static void
digest_f64(struct digest_out *o, double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    digest_i64(o, bits);
}

static void
digest_str(struct digest_out *o, const char *s)
{
    if (!s) {
        digest_u32(o, 0);
        return;
    }
    size_t n = strlen(s), place = n ? (size_t)(uintptr_t)map_get(o->seen, s, n) : 1;
    if (!place) {
        place = o->pool.len + 1;
        if (map_set(o->seen, s, n, (void *)(uintptr_t)place, NULL) ||
            buf_append(&o->pool, s, n + 1))
            o->failed = true;
    }
    digest_u32(o, place);
}

static void
digest_text(struct digest_out *o, const struct kb_text *t)
{
    digest_str(o, t->en);
    digest_str(o, t->zh);
}

static void
digest_lines(struct digest_out *o, const char *const *lines)
{
    size_t n = 0;
    while (lines && lines[n])
        n++;
    digest_u32(o, n);
    for (size_t i = 0; i < n; i++)
        digest_str(o, lines[i]);
}

static void
digest_signal(struct digest_out *o, const struct kb_signal *s)
{
    digest_u32(o, s->kind);
    digest_str(o, s->pattern);
    digest_str(o, s->source);
    digest_lines(o, s->match);
    digest_lines(o, s->reject);
    digest_str(o, s->expr);
    digest_i64(o, s->for_ms);
    digest_str(o, s->oid);
    digest_str(o, s->metric);
    digest_i64(o, s->over_ms);
    digest_f64(o, s->above);
    digest_str(o, s->code);
}

static void
digest_cause(struct digest_out *o, const struct kb_cause *c)
{
    digest_str(o, c->symptom);
    digest_u32(o, c->path_len);
    for (size_t i = 0; i < c->path_len; i++)
        digest_u32(o, c->path[i]);
    digest_f64(o, c->probability);
    digest_i64(o, c->delay_min_ms);
    digest_i64(o, c->delay_max_ms);
}

static void
digest_entry_lists(struct digest_out *o, const struct kb_entry *e)
{
    digest_u32(o, e->action_count);
    for (size_t i = 0; i < e->action_count; i++)
        digest_text(o, &e->actions[i]);
    digest_u32(o, e->signal_count);
    for (size_t i = 0; i < e->signal_count; i++)
        digest_signal(o, &e->signals[i]);
    digest_u32(o, e->cause_count);
    for (size_t i = 0; i < e->cause_count; i++)
        digest_cause(o, &e->causes[i]);
    digest_u32(o, e->advice_count);
    for (size_t i = 0; i < e->advice_count; i++) {
        digest_str(o, e->advice[i].by);
        digest_str(o, e->advice[i].source);
        digest_str(o, e->advice[i].version);
        digest_text(o, &e->advice[i].says);
    }
    digest_u32(o, e->reference_count);
    for (size_t i = 0; i < e->reference_count; i++) {
        digest_str(o, e->references[i].title);
        digest_str(o, e->references[i].url);
    }
    digest_lines(o, e->overlaps);
}

static void
digest_entry(struct digest_out *o, const struct kb_entry *e)
{
    digest_str(o, e->id);
    digest_str(o, e->class_name);
    digest_str(o, e->domain);
    digest_u32(o, e->scope);
    digest_u32(o, e->role);
    digest_u32(o, e->severity);
    digest_f64(o, e->prior);
    digest_f64(o, e->background);
    digest_text(o, &e->title);
    digest_text(o, &e->description);
    digest_i64(o, e->clear_after_ms);
    digest_str(o, e->clear_pattern);
    digest_str(o, e->clear_event);
    digest_str(o, e->file);
    digest_u32(o, e->line);
    digest_entry_lists(o, e);
}

static void
digest_family(struct digest_out *o, const struct kb_family *f)
{
    digest_str(o, f->id);
    digest_str(o, f->pattern);
    digest_str(o, f->source);
    digest_lines(o, f->match);
    digest_lines(o, f->reject);
    digest_str(o, f->file);
    digest_u32(o, f->line);
    digest_u32(o, f->row_count);
    for (size_t i = 0; i < f->row_count; i++) {
        digest_str(o, f->rows[i].code);
        digest_str(o, f->rows[i].id);
    }
}

int
kb_digest_encode(const struct kb *kb, struct buf *out)
{
    struct digest_out o = {.seen = map_new(4u << 20)};
    buf_init(&o.pool, KB_ARENA_MAX);
    buf_init(&o.body, KB_ARENA_MAX);
    buf_putc(&o.pool, 0);
    for (size_t i = 0; o.seen && i < kb->count; i++)
        digest_entry(&o, &kb->entries[i]);
    for (size_t i = 0; o.seen && i < kb->family_count; i++)
        digest_family(&o, &kb->families[i]);
    struct buf body = o.body;
    buf_init(&o.body, DIGEST_HEADER); /* the header is written by the same functions */
    buf_puts(&o.body, "MSKB");
    digest_u32(&o, DIGEST_VERSION);
    digest_u32(&o, o.pool.len);
    digest_u32(&o, body.len);
    digest_u32(&o, kb->count);
    digest_u32(&o, kb->family_count);
    digest_i64(&o, 0);
    bool failed = !o.seen || o.failed || o.pool.failed || o.body.failed || body.failed;
    failed = failed || buf_append(out, o.body.data, o.body.len) ||
             buf_append(out, o.pool.data, o.pool.len) ||
             (body.len && buf_append(out, body.data, body.len));
    map_free(o.seen, NULL);
    buf_done(&o.pool);
    buf_done(&o.body);
    buf_done(&body);
    return failed ? ERR_NOMEM : 0;
}

/* ---- reading ---- */

struct digest_in {
    const uint8_t *at, *end;
    const char *pool;
    size_t pool_len;
    struct arena *arena;
    bool bad;
};

static uint32_t
digest_get_u32(struct digest_in *in)
{
    if (in->end - in->at < 4) {
        in->bad = true;
        return 0;
    }
    const uint8_t *b = in->at;
    in->at += 4;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int64_t
digest_get_i64(struct digest_in *in)
{
    uint64_t lo = digest_get_u32(in);
    return (int64_t)(lo | (uint64_t)digest_get_u32(in) << 32);
}

static double
digest_get_f64(struct digest_in *in)
{
    int64_t bits = digest_get_i64(in);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static const char *
digest_get_str(struct digest_in *in)
{
    size_t place = digest_get_u32(in);
    if (!place)
        return NULL;
    if (place <= in->pool_len)
        return in->pool + place - 1;
    in->bad = true;
    return "";
}

/* A text that may not be absent. */
static const char *
digest_get_name(struct digest_in *in)
{
    const char *s = digest_get_str(in);
    in->bad = in->bad || !s;
    return s ? s : "";
}

static unsigned
digest_get_word(struct digest_in *in, unsigned limit)
{
    unsigned v = digest_get_u32(in);
    in->bad = in->bad || v >= limit;
    return v < limit ? v : 0;
}

/* A list's count and its room. */
static void *
digest_get_list(struct digest_in *in, size_t *ret_count, size_t size)
{
    size_t n = digest_get_word(in, DIGEST_LIST);
    void *list = in->bad ? NULL : arena_alloc(in->arena, (n + 1) * size);
    in->bad = in->bad || !list;
    *ret_count = list ? n : 0;
    return list;
}

static struct kb_text
digest_get_text(struct digest_in *in)
{
    struct kb_text t;
    t.en = digest_get_str(in);
    t.zh = digest_get_str(in);
    return t;
}

static const char *const *
digest_get_lines(struct digest_in *in)
{
    size_t n;
    const char **lines = digest_get_list(in, &n, sizeof *lines);
    for (size_t i = 0; i < n; i++)
        lines[i] = digest_get_name(in);
    return lines;
}

static void
digest_get_signal(struct digest_in *in, struct kb_signal *s)
{
    s->kind = (enum kb_signal_kind)digest_get_word(in, KB_SIGNAL_CODE + 1);
    s->pattern = digest_get_str(in);
    s->source = digest_get_str(in);
    s->match = digest_get_lines(in);
    s->reject = digest_get_lines(in);
    s->expr = digest_get_str(in);
    s->for_ms = digest_get_i64(in);
    s->oid = digest_get_str(in);
    s->metric = digest_get_str(in);
    s->over_ms = digest_get_i64(in);
    s->above = digest_get_f64(in);
    s->code = digest_get_str(in);
}

static void
digest_get_cause(struct digest_in *in, struct kb_cause *c)
{
    c->symptom = digest_get_name(in);
    c->path_len = digest_get_word(in, sizeof c->path / sizeof *c->path + 1);
    for (size_t i = 0; i < c->path_len; i++)
        c->path[i] = (enum entity_kind)digest_get_word(in, ENTITY_KINDS);
    in->bad = in->bad || !c->path_len;
    c->probability = digest_get_f64(in);
    c->delay_min_ms = digest_get_i64(in);
    c->delay_max_ms = digest_get_i64(in);
}

static void
digest_get_lists(struct digest_in *in, struct kb_entry *e)
{
    struct kb_text *actions = digest_get_list(in, &e->action_count, sizeof *actions);
    for (size_t i = 0; i < e->action_count; i++)
        actions[i] = digest_get_text(in);
    struct kb_signal *signals = digest_get_list(in, &e->signal_count, sizeof *signals);
    for (size_t i = 0; i < e->signal_count; i++)
        digest_get_signal(in, &signals[i]);
    struct kb_cause *causes = digest_get_list(in, &e->cause_count, sizeof *causes);
    for (size_t i = 0; i < e->cause_count; i++)
        digest_get_cause(in, &causes[i]);
    struct kb_advice *advice = digest_get_list(in, &e->advice_count, sizeof *advice);
    for (size_t i = 0; i < e->advice_count; i++) {
        advice[i].by = digest_get_name(in);
        advice[i].source = digest_get_name(in);
        advice[i].version = digest_get_name(in);
        advice[i].says = digest_get_text(in);
    }
    struct kb_reference *references = digest_get_list(in, &e->reference_count, sizeof *references);
    for (size_t i = 0; i < e->reference_count; i++) {
        references[i].title = digest_get_name(in);
        references[i].url = digest_get_name(in);
    }
    e->overlaps = digest_get_lines(in);
    e->actions = actions;
    e->signals = signals;
    e->causes = causes;
    e->advice = advice;
    e->references = references;
}

static void
digest_get_entry(struct digest_in *in, struct kb_entry *e)
{
    e->id = digest_get_name(in);
    e->class_name = digest_get_name(in);
    e->domain = digest_get_name(in);
    e->scope = (enum entity_kind)digest_get_word(in, ENTITY_KINDS);
    e->role = (enum kb_role)digest_get_word(in, KB_CONFIRMATION + 1);
    e->severity = (enum severity)digest_get_word(in, SEVERITIES);
    e->prior = digest_get_f64(in);
    e->background = digest_get_f64(in);
    e->title = digest_get_text(in);
    e->description = digest_get_text(in);
    e->clear_after_ms = digest_get_i64(in);
    e->clear_pattern = digest_get_str(in);
    e->clear_event = digest_get_str(in);
    e->file = digest_get_name(in);
    e->line = digest_get_u32(in);
    digest_get_lists(in, e);
}

static void
digest_get_family(struct digest_in *in, struct kb_family *f)
{
    f->id = digest_get_name(in);
    f->pattern = digest_get_str(in);
    f->source = digest_get_str(in);
    f->match = digest_get_lines(in);
    f->reject = digest_get_lines(in);
    f->file = digest_get_name(in);
    f->line = digest_get_u32(in);
    struct kb_family_row *rows = digest_get_list(in, &f->row_count, sizeof *rows);
    for (size_t i = 0; i < f->row_count; i++) {
        rows[i].code = digest_get_name(in);
        rows[i].id = digest_get_name(in);
    }
    f->rows = rows;
}

int
kb_digest_decode(struct kb *kb, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    struct digest_in in = {.at = bytes + 4, .end = bytes + len, .arena = kb->arena};
    if (len < DIGEST_HEADER || memcmp(bytes, "MSKB", 4) != 0 ||
        digest_get_u32(&in) != DIGEST_VERSION)
        return ERR_CORRUPT;
    size_t pool = digest_get_u32(&in), body = digest_get_u32(&in);
    size_t entries = digest_get_u32(&in), families = digest_get_u32(&in);
    if (pool > len - DIGEST_HEADER || body != len - DIGEST_HEADER - pool || !pool ||
        bytes[DIGEST_HEADER + pool - 1])
        return ERR_CORRUPT;
    in.pool = (const char *)bytes + DIGEST_HEADER;
    in.pool_len = pool;
    in.at = bytes + DIGEST_HEADER + pool;
    int rc = 0;
    for (size_t i = 0; !rc && i < entries && !in.bad; i++) {
        struct kb_entry e = {0};
        digest_get_entry(&in, &e);
        rc = in.bad ? 0 : kb_put(kb, &e);
    }
    for (size_t i = 0; !rc && i < families && !in.bad; i++) {
        struct kb_family f = {0};
        digest_get_family(&in, &f);
        rc = in.bad ? 0 : kb_put_family(kb, &f);
    }
    return rc ? rc : in.bad || in.at != in.end ? ERR_CORRUPT : 0;
}
