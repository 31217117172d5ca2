/* matcher: every pattern over a line in one pass, candidates confirmed and captured.
 *
 * Expected load: 500,000 lines a second on one core, of which one in thousands matches anything.
 * Always true: the matcher's bytes are read-only; a confirming expression is compiled when its
 * first candidate comes and is then shared by all threads; a scratch belongs to one thread. Pattern
 * ids are ordered, the most specific first. */
#include "kb/matcher.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/regex.h"
#include "kb/inside.h"
#include "kb/matcher_inside.h"

#include <ctype.h>
#include <hs/hs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define MATCHER_LINE_MAX       65536u
#define MATCHER_CANDIDATES_MAX 64u
/* A line may cost this long in all: a hostile one is cut short and counted, the stream goes on. */
#define MATCHER_BUDGET_US 20000

struct kb_matcher {
    const uint8_t *data;
    void *owned; /* the same bytes when they are ours */
    size_t len;
    size_t pattern_count, entry_count, family_count, code_count, pool_len;
    const uint8_t *patterns, *entries, *families, *codes;
    const char *pool;
    uint64_t hash;
    hs_database_t *db; /* NULL: no patterns */
    _Atomic(struct regex *) *confirm;
};

struct kb_scratch {
    hs_scratch_t *hs;
    uint32_t candidates[MATCHER_CANDIDATES_MAX];
    size_t count;
    uint64_t limits;
};

/* ---- opening ---- */

/* A place in the pool; the empty string for one outside it. */
static const char *
matcher_str(const struct kb_matcher *m, uint32_t place)
{
    return place < m->pool_len ? m->pool + place : "";
}

/* Reads the header and checks every bound. */
static int
matcher_layout(struct kb_matcher *m, size_t *ret_hs, size_t *ret_hs_len)
{
    const uint8_t *d = m->data;
    if (m->len < MATCHER_HEADER || memcmp(d, "MSPM", 4) != 0 ||
        matcher_u32(d + 4) != MATCHER_VERSION)
        return ERR_CORRUPT;
    m->pattern_count = matcher_u32(d + 8);
    m->entry_count = matcher_u32(d + 12);
    m->family_count = matcher_u32(d + 16);
    m->code_count = matcher_u32(d + 20);
    m->pool_len = matcher_u32(d + 24);
    *ret_hs = matcher_u32(d + 28);
    *ret_hs_len = matcher_u32(d + 32);
    m->hash = (uint64_t)matcher_u32(d + 36) | (uint64_t)matcher_u32(d + 40) << 32;
    uint64_t at = MATCHER_HEADER;
    m->patterns = d + at;
    at += (uint64_t)m->pattern_count * MATCHER_PATTERN_SIZE;
    uint64_t entries = at;
    at += (uint64_t)m->entry_count * MATCHER_ENTRY_SIZE;
    uint64_t families = at;
    at += (uint64_t)m->family_count * MATCHER_FAMILY_SIZE;
    uint64_t codes = at;
    at += (uint64_t)m->code_count * MATCHER_CODE_SIZE;
    uint64_t pool = at;
    at += m->pool_len;
    if (at > m->len || at > *ret_hs || *ret_hs > m->len || *ret_hs_len > m->len - *ret_hs)
        return ERR_CORRUPT;
    m->entries = d + entries;
    m->families = d + families;
    m->codes = d + codes;
    m->pool = (const char *)d + pool;
    if (m->pool_len && m->pool[m->pool_len - 1])
        return ERR_CORRUPT;
    return m->hash == map_hash(d + MATCHER_HEADER, at - MATCHER_HEADER) ? 0 : ERR_CORRUPT;
}

/* Every reference of a record lies within its table. */
static int
matcher_check(const struct kb_matcher *m)
{
    bool ok = true;
    for (size_t i = 0; i < m->pattern_count; i++) {
        const uint8_t *p = m->patterns + i * MATCHER_PATTERN_SIZE;
        ok = ok && matcher_u32(p + 4) < m->entry_count && matcher_u32(p + 16) <= m->family_count;
    }
    for (size_t i = 0; i < m->family_count; i++) {
        const uint8_t *f = m->families + i * MATCHER_FAMILY_SIZE;
        ok = ok && (uint64_t)matcher_u32(f) + matcher_u32(f + 4) <= m->code_count;
    }
    for (size_t i = 0; i < m->code_count; i++) {
        uint32_t entry = matcher_u32(m->codes + i * MATCHER_CODE_SIZE + 4);
        ok = ok && (entry < m->entry_count || entry == MATCHER_NONE);
    }
    for (size_t i = 0; i < m->entry_count; i++)
        ok = ok && matcher_u32(m->entries + i * MATCHER_ENTRY_SIZE + 8) < SEVERITIES;
    return ok ? 0 : ERR_CORRUPT;
}

/* The database of the bytes; made anew where this library or processor does not take it. */
static int
matcher_database(struct kb_matcher *m, size_t at, size_t len, struct err *err)
{
    if (!m->pattern_count)
        return 0;
    if (len && hs_deserialize_database((const char *)m->data + at, len, &m->db) == HS_SUCCESS)
        return 0;
    const char **texts = calloc(m->pattern_count, sizeof *texts);
    if (!texts)
        return err_set(err, ERR_NOMEM, "out of memory while compiling patterns");
    for (size_t i = 0; i < m->pattern_count; i++)
        texts[i] = matcher_str(m, matcher_u32(m->patterns + i * MATCHER_PATTERN_SIZE));
    void *db = NULL;
    int bad, rc = kb_matcher_compile(texts, m->pattern_count, &db, &bad, err);
    if (!rc)
        m->db = db;
    free(texts);
    return rc;
}

/* Takes owned. */
static int
matcher_open(const void *data, size_t len, void *owned, struct kb_matcher **ret, struct err *err)
{
    struct kb_matcher *m = calloc(1, sizeof *m);
    if (!m) {
        free(owned);
        return err_set(err, ERR_NOMEM, "out of memory while opening patterns");
    }
    m->data = data;
    m->len = len;
    m->owned = owned;
    size_t at = 0, hs_len = 0;
    int rc = matcher_layout(m, &at, &hs_len);
    if (!rc)
        rc = matcher_check(m);
    if (rc)
        err_set(err, rc, "the pattern database is damaged or of another version");
    if (!rc)
        rc = matcher_database(m, at, hs_len, err);
    if (!rc && !(m->confirm = calloc(m->pattern_count + 1, sizeof *m->confirm)))
        rc = err_set(err, ERR_NOMEM, "out of memory while opening patterns");
    if (rc)
        kb_matcher_free(m);
    else
        *ret = m;
    return rc;
}

int
kb_matcher_builtin(struct kb_matcher **ret, struct err *err)
{
    size_t len = 0;
    const void *data = kb_builtin_matcher(&len);
    return matcher_open(data, len, NULL, ret, err);
}

int
kb_matcher_deserialize(const void *data, size_t len, struct kb_matcher **ret, struct err *err)
{
    void *copy = len && len <= MATCHER_MAX ? aligned_alloc(64, (len + 63) / 64 * 64) : NULL;
    if (!copy)
        return err_set(err, len ? ERR_NOMEM : ERR_CORRUPT,
                       "the pattern database is empty or too large");
    memcpy(copy, data, len);
    return matcher_open(copy, len, copy, ret, err);
}

int
kb_matcher_serialize(const struct kb_matcher *m, struct buf *out)
{
    return buf_append(out, m->data, m->len);
}

uint64_t
kb_matcher_hash(const struct kb_matcher *m)
{
    return m->hash;
}

void
kb_matcher_free(struct kb_matcher *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->confirm && i < m->pattern_count; i++)
        regex_free(atomic_load(&m->confirm[i]));
    free(m->confirm);
    hs_free_database(m->db);
    free(m->owned);
    free(m);
}

struct kb_scratch *
kb_scratch_new(const struct kb_matcher *m)
{
    struct kb_scratch *s = calloc(1, sizeof *s);
    if (s && m->db && hs_alloc_scratch(m->db, &s->hs) != HS_SUCCESS) {
        free(s);
        return NULL;
    }
    return s;
}

void
kb_scratch_free(struct kb_scratch *s)
{
    if (!s)
        return;
    hs_free_scratch(s->hs);
    free(s);
}

uint64_t
kb_scratch_limits(const struct kb_scratch *s)
{
    return s->limits;
}

/* ---- matching ---- */

static int
matcher_candidate(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                  void *context)
{
    struct kb_scratch *s = context;
    (void)from, (void)to, (void)flags;
    size_t i = s->count;
    if (i == MATCHER_CANDIDATES_MAX) { /* full: a worse candidate gives way */
        s->limits++;
        if (id >= s->candidates[--i])
            return 0;
        s->count--;
    }
    for (; i && s->candidates[i - 1] > id; i--)
        s->candidates[i] = s->candidates[i - 1];
    s->candidates[i] = id;
    s->count++;
    return 0;
}

/* Which patterns a line of this source may match: a pattern's own source, and those it may come
 * through. */
static uint32_t
matcher_sources(const char *source)
{
    static const struct {
        const char *word;
        uint32_t set;
    } rows[] = {
        {"kernel", MATCHER_KERNEL},
        {"job", MATCHER_JOB},
        {"syslog", MATCHER_SYSLOG | MATCHER_KERNEL | MATCHER_SWITCH},
        {"switch", MATCHER_SWITCH | MATCHER_SYSLOG},
    };
    for (size_t i = 0; source && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(source, rows[i].word) == 0)
            return rows[i].set;
    return MATCHER_ANY;
}

/* The confirming expression, compiled on first use; when two threads do, one wins. NULL: it cannot
 * be compiled. */
static struct regex *
matcher_confirm(const struct kb_matcher *m, uint32_t id)
{
    struct regex *r = atomic_load_explicit(&m->confirm[id], memory_order_acquire), *none = NULL;
    if (r)
        return r;
    const char *text = matcher_str(m, matcher_u32(m->patterns + (size_t)id * MATCHER_PATTERN_SIZE));
    if (regex_compile(text, strlen(text), 0, &r, NULL))
        return NULL;
    if (atomic_compare_exchange_strong(&m->confirm[id], &none, r))
        return r;
    regex_free(r);
    return none;
}

/* A capture in lower case, "" when it took no part. */
static size_t
matcher_capture(const struct kb_match *match, const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < match->capture_count; i++) {
        const struct kb_capture *c = &match->captures[i];
        if (strcmp(c->name, name) == 0 && c->len < size)
            for (n = 0; n < c->len; n++)
                out[n] = (char)tolower((unsigned char)c->text[n]);
    }
    out[n] = 0;
    return n;
}

/* The row of a code in a family; NULL when there is none. */
static const uint8_t *
matcher_row(const struct kb_matcher *m, const uint8_t *f, const char *code)
{
    size_t lo = matcher_u32(f), hi = lo + matcher_u32(f + 4);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(matcher_str(m, matcher_u32(m->codes + mid * MATCHER_CODE_SIZE)), code);
        if (c == 0)
            return m->codes + mid * MATCHER_CODE_SIZE;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* The entry that a family's captured code leads to: "code/status" where a status was captured and
 * is listed, else the code, else every code not listed. entry_count when none. */
static size_t
matcher_family(const struct kb_matcher *m, uint32_t family, const struct kb_match *match)
{
    char code[EVENT_CODE_MAX + 1], status[EVENT_CODE_MAX + 1];
    const uint8_t *f = m->families + (size_t)family * MATCHER_FAMILY_SIZE, *row = NULL;
    size_t n = matcher_capture(match, "code", code, sizeof code);
    if (!n)
        return m->entry_count;
    if (matcher_capture(match, "status", status, sizeof status) &&
        n + strlen(status) + 1 < sizeof code) {
        snprintf(code + n, sizeof code - n, "/%s", status);
        row = matcher_row(m, f, code);
        code[n] = 0;
    }
    if (!row)
        row = matcher_row(m, f, code);
    if (!row)
        row = matcher_row(m, f, "*");
    return row ? matcher_u32(row + 4) : m->entry_count;
}

/* Runs one candidate over the line: 1 match, 0 none, negative when a limit stopped it. */
static int
matcher_try(const struct kb_matcher *m, uint32_t id, const char *line, size_t len,
            struct kb_match *ret)
{
    struct regex_capture groups[REGEX_CAPTURES_MAX];
    size_t n = 0;
    struct regex *r = matcher_confirm(m, id);
    int rc = r ? regex_match(r, line, len, groups, &n) : 0;
    if (rc != 1)
        return rc;
    const uint8_t *p = m->patterns + (size_t)id * MATCHER_PATTERN_SIZE;
    ret->capture_count = 0;
    for (size_t i = 1; i < n && ret->capture_count < sizeof ret->captures / sizeof *ret->captures;
         i++)
        if (groups[i].name[0] && groups[i].text)
            ret->captures[ret->capture_count++] =
                (struct kb_capture){groups[i].name, groups[i].text, groups[i].len};
    size_t entry = matcher_u32(p + 4);
    if (matcher_u32(p + 16))
        entry = matcher_family(m, matcher_u32(p + 16) - 1, ret);
    if (entry >= m->entry_count)
        return 0;
    const uint8_t *e = m->entries + entry * MATCHER_ENTRY_SIZE;
    ret->id = matcher_str(m, matcher_u32(e));
    ret->scope = matcher_str(m, matcher_u32(e + 4));
    ret->severity = (enum severity)matcher_u32(e + 8);
    ret->clears = matcher_u32(p + 12) & MATCHER_CLEARS;
    return 1;
}

static bool
matcher_has(const struct kb_match *list, size_t count, const struct kb_match *one)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].id == one->id && list[i].clears == one->clears)
            return true;
    return false;
}

size_t
kb_match_line(const struct kb_matcher *m, struct kb_scratch *s, const char *line, size_t len,
              const char *source, struct kb_match *ret, size_t size)
{
    if (!m->db || !len)
        return 0;
    if (len > MATCHER_LINE_MAX) {
        len = MATCHER_LINE_MAX;
        s->limits++;
    }
    s->count = 0;
    if (hs_scan(m->db, line, (unsigned)len, 0, s->hs, matcher_candidate, s) != HS_SUCCESS ||
        !s->count)
        return 0;
    uint32_t sources = matcher_sources(source);
    int64_t until = clock_mono_us() + MATCHER_BUDGET_US;
    size_t found = 0;
    bool special = false;
    for (size_t i = 0; i < s->count && found < size; i++) {
        const uint8_t *p = m->patterns + (size_t)s->candidates[i] * MATCHER_PATTERN_SIZE;
        if (!(matcher_u32(p + 8) & sources) || (matcher_u32(p + 16) && special))
            continue; /* a table of codes is silent where an entry of its own spoke */
        int rc = matcher_try(m, s->candidates[i], line, len, &ret[found]);
        if (rc == 1 && !matcher_has(ret, found, &ret[found]))
            special = !ret[found++].clears || special;
        if (rc < 0 || clock_mono_us() > until)
            s->limits++;
        if (clock_mono_us() > until)
            break;
    }
    return found;
}
