/* flight: one walk over the pickle's instructions without building its objects: only strings are
 * remembered, and a number or string is read by the key that stands before it. */
#include "decode/flight.h"

#include "base/doc.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHT_MEMO ((size_t)1 << 20) /* strings that a pickle may refer to again */

struct flight_text {
    const char *at;
    size_t len; /* 0: no string */
};

enum flight_section { FLIGHT_NONE, FLIGHT_STATUS, FLIGHT_ENTRIES };

struct flight_in {
    const uint8_t *p, *end;
    struct flight *out;
    struct flight_text *memo, last; /* the string pushed last */
    size_t memo_size, memo_next;
    enum flight_section section;
    int64_t group;      /* that a status speaks of, -1 none */
    int64_t entry, seq; /* of the entry at hand: its group and number */
    struct flight_text op;
    bool bad;
};

static struct flight_group *
flight_group(struct flight *f, int64_t group)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->at[i].group == group)
            return &f->at[i];
    if (f->count == FLIGHT_GROUPS)
        return NULL;
    f->at[f->count] = (struct flight_group){.group = group, .enqueued = -1, .completed = -1};
    return &f->at[f->count++];
}

static bool
flight_key(struct flight_text t, const char *word)
{
    return t.len == strlen(word) && !memcmp(t.at, word, t.len);
}

/* "0" -> 0; -1 for what is no small number */
static int64_t
flight_number(struct flight_text t)
{
    int64_t v = 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.at[i] < '0' || t.at[i] > '9' || t.len > 9)
            return -1;
        v = v * 10 + (t.at[i] - '0');
    }
    return t.len ? v : -1;
}

/* The entry at hand is over. */
static void
flight_flush(struct flight_in *in)
{
    if (in->entry >= 0 && in->seq >= 0) {
        struct flight_group *g = flight_group(in->out, in->entry);
        in->out->entries++;
        if (g && in->seq >= g->enqueued) {
            g->enqueued = in->seq;
            snprintf(g->op, sizeof g->op, "%.*s", (int)(in->op.len < 47 ? in->op.len : 47),
                     in->op.len ? in->op.at : "");
        }
    }
    in->entry = in->seq = -1;
    in->op.len = 0;
}

static void
flight_status_int(struct flight_in *in, int64_t v)
{
    struct flight_group *g = in->group >= 0 ? flight_group(in->out, in->group) : NULL;
    if (g && flight_key(in->last, "last_enqueued_collective"))
        g->enqueued = v;
    else if (g && flight_key(in->last, "last_completed_collective"))
        g->completed = v;
}

static void
flight_push_int(struct flight_in *in, int64_t v)
{
    if (in->section == FLIGHT_STATUS)
        flight_status_int(in, v);
    else if (in->section == FLIGHT_ENTRIES && flight_key(in->last, "record_id"))
        flight_flush(in);
    else if (in->section == FLIGHT_ENTRIES && flight_key(in->last, "pg_id"))
        in->entry = v;
    else if (in->section == FLIGHT_ENTRIES && flight_key(in->last, "collective_seq_id")) {
        if (in->seq >= 0)
            flight_flush(in);
        in->seq = v;
    }
    in->last.len = 0;
}

static void
flight_push_str(struct flight_in *in, struct flight_text t)
{
    if (flight_key(t, "pg_status") || flight_key(t, "entries") || flight_key(t, "pg_config")) {
        flight_flush(in);
        in->section = t.at[0] == 'e'   ? FLIGHT_ENTRIES
                      : t.at[3] == 's' ? FLIGHT_STATUS
                                       : FLIGHT_NONE;
    } else if (in->section == FLIGHT_STATUS && flight_number(t) >= 0) {
        in->group = flight_number(t);
    } else if (in->section == FLIGHT_ENTRIES && flight_key(in->last, "process_group")) {
        if (in->entry < 0)
            in->entry = flight_number(t);
    } else if (in->section == FLIGHT_ENTRIES && flight_key(in->last, "profiling_name")) {
        in->op = t;
    }
    in->last = t;
}

static uint64_t
flight_bytes(struct flight_in *in, unsigned n)
{
    uint64_t v = 0;
    if ((size_t)(in->end - in->p) < n) {
        in->bad = true;
        in->p = in->end;
        return 0;
    }
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)in->p[i] << (8 * i);
    in->p += n;
    return v;
}

static struct flight_text
flight_text(struct flight_in *in, uint64_t n)
{
    struct flight_text t = {(const char *)in->p, (size_t)n};
    if ((uint64_t)(in->end - in->p) < n) {
        in->bad = true;
        in->p = in->end;
        return (struct flight_text){"", 0};
    }
    in->p += n;
    return t;
}

static void
flight_memo_put(struct flight_in *in, uint64_t place)
{
    if (place >= FLIGHT_MEMO)
        return;
    if (place >= in->memo_size) {
        size_t size = in->memo_size ? in->memo_size : 256;
        while (size <= place)
            size *= 2;
        struct flight_text *more = realloc(in->memo, size * sizeof *more);
        if (!more) {
            in->bad = true;
            return;
        }
        memset(more + in->memo_size, 0, (size - in->memo_size) * sizeof *more);
        in->memo = more;
        in->memo_size = size;
    }
    in->memo[place] = in->last;
}

static void
flight_memo_get(struct flight_in *in, uint64_t place)
{
    if (place < in->memo_size && in->memo[place].len)
        flight_push_str(in, in->memo[place]);
    else
        in->last.len = 0;
}

/* Numbers and strings. False: another instruction. */
static bool
flight_value(struct flight_in *in, uint8_t op)
{
    uint64_t n;
    switch (op) {
    case 'J': /* BININT */
        flight_push_int(in, (int32_t)(uint32_t)flight_bytes(in, 4));
        return true;
    case 'K': /* BININT1 */
        flight_push_int(in, (int64_t)flight_bytes(in, 1));
        return true;
    case 'M': /* BININT2 */
        flight_push_int(in, (int64_t)flight_bytes(in, 2));
        return true;
    case 0x8a: /* LONG1 */
        n = flight_bytes(in, 1);
        if (n <= 8)
            flight_push_int(in, (int64_t)flight_bytes(in, (unsigned)n));
        else
            flight_text(in, n);
        return true;
    case 'X': /* BINUNICODE */
        flight_push_str(in, flight_text(in, flight_bytes(in, 4)));
        return true;
    case 0x8c: /* SHORT_BINUNICODE */
        flight_push_str(in, flight_text(in, flight_bytes(in, 1)));
        return true;
    case 0x8d: /* BINUNICODE8 */
        flight_push_str(in, flight_text(in, flight_bytes(in, 8)));
        return true;
    default:
        return false;
    }
}

/* Instructions for the memo, and those whose bytes only have to be passed. False: unknown. */
static bool
flight_other(struct flight_in *in, uint8_t op)
{
    switch (op) {
    case 'q': /* BINPUT */
        flight_memo_put(in, flight_bytes(in, 1));
        return true;
    case 'r': /* LONG_BINPUT */
        flight_memo_put(in, flight_bytes(in, 4));
        return true;
    case 0x94: /* MEMOIZE */
        flight_memo_put(in, in->memo_next++);
        return true;
    case 'h': /* BINGET */
        flight_memo_get(in, flight_bytes(in, 1));
        return true;
    case 'j': /* LONG_BINGET */
        flight_memo_get(in, flight_bytes(in, 4));
        return true;
    case 0x80: /* PROTO */
        flight_bytes(in, 1);
        return true;
    case 0x95: /* FRAME */
    case 'G':  /* BINFLOAT */
        flight_bytes(in, 8);
        return true;
    case '(': /* MARK: the key before a list or a tuple stays the key of its first item */
    case ']':
        return true;
    default:
        break;
    }
    in->last.len = 0;
    return op && strchr("}NaetusO)", op) != NULL;
}

static bool
flight_plain(uint8_t op)
{
    return op >= 0x85 && op <= 0x89; /* TUPLE1 to TUPLE3, NEWTRUE, NEWFALSE */
}

static int
flight_pickle(const uint8_t *data, size_t len, struct flight *ret)
{
    struct flight_in in = {.p = data, .end = data + len, .out = ret, .group = -1};
    in.entry = in.seq = -1;
    bool stopped = false;
    while (!in.bad && !stopped && in.p < in.end) {
        uint8_t op = *in.p++;
        stopped = op == '.';
        if (!stopped && !flight_value(&in, op) && !flight_plain(op) && !flight_other(&in, op))
            in.bad = true;
        if (flight_plain(op))
            in.last.len = 0;
    }
    flight_flush(&in);
    free(in.memo);
    return in.bad || !stopped || !ret->count ? ERR_SYNTAX : 0;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void
flight_json_entry(struct flight *f, const struct doc_node *n)
{
    const struct doc_node *group = doc_get(n, "process_group");
    const char *name = group && group->first ? doc_str(group->first, "") : "";
    int64_t id = doc_get_int(n, "pg_id", flight_number((struct flight_text){name, strlen(name)})),
            seq = doc_get_int(n, "collective_seq_id", -1);
    struct flight_group *g = id >= 0 && seq >= 0 ? flight_group(f, id) : NULL;
    f->entries++;
    if (!g || seq < g->enqueued)
        return;
    g->enqueued = seq;
    snprintf(g->op, sizeof g->op, "%.47s", doc_get_str(n, "profiling_name", ""));
}

static int
flight_json(const char *data, size_t len, struct flight *ret)
{
    struct doc *d = NULL;
    int rc = doc_parse_json(data, len, "flight recorder", &d, NULL);
    if (rc)
        return rc == ERR_NOMEM ? rc : ERR_SYNTAX;
    const struct doc_node *status = doc_get(doc_root(d), "pg_status"),
                          *entries = doc_get(doc_root(d), "entries");
    for (const struct doc_node *n = entries ? entries->first : NULL; n; n = n->next)
        flight_json_entry(ret, n);
    for (const struct doc_node *n = status ? status->first : NULL; n; n = n->next) {
        int64_t id = n->key ? flight_number((struct flight_text){n->key, strlen(n->key)}) : -1;
        struct flight_group *g = id >= 0 ? flight_group(ret, id) : NULL;
        if (!g)
            continue;
        g->enqueued = doc_get_int(n, "last_enqueued_collective", g->enqueued);
        g->completed = doc_get_int(n, "last_completed_collective", g->completed);
    }
    doc_free(d);
    return ret->count ? 0 : ERR_SYNTAX;
}

bool
flight_is(const void *data, size_t len)
{
    const uint8_t *p = data;
    if (len > 16 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5)
        return memmem(data, len, "pg_config", 9) || memmem(data, len, "entries", 7) ||
               memmem(data, len, "pg_status", 9);
    return len > 16 && p[0] == '{' && memmem(data, len, "\"version\"", 9) &&
           (memmem(data, len, "\"pg_status\"", 11) || memmem(data, len, "\"pg_config\"", 11));
}

int
flight_parse(const void *data, size_t len, struct flight *ret)
{
    const uint8_t *p = data;
    memset(ret, 0, sizeof *ret);
    if (len < 2)
        return ERR_SYNTAX;
    return p[0] == 0x80 ? flight_pickle(data, len, ret) : flight_json(data, len, ret);
}
