/* head: see head.h. The chain of a series is short: an open block, perhaps one being flushed, one
 * flushed, and a raw one where samples came late. */
#include "store/head.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_CHAIN 32
#define HEAD_TAIL  40 /* samples: 10 minutes at 15 s, twice the look-back of a query */

static bool
head_open(const struct index *ix, const struct block *b, bool raw)
{
    return block_generation(b) == ix->generation && !(b->flags & BLOCK_FLUSHED) &&
           raw == !!(b->flags & BLOCK_RAW);
}

static struct block **
head_find_open(const struct index *ix, struct series *s, bool raw)
{
    for (struct block **b = &s->blocks; *b; b = &(*b)->next)
        if (head_open(ix, *b, raw))
            return b;
    return NULL;
}

static int
head_push(struct index *ix, struct series *s, int64_t t, double v, bool raw)
{
    struct block *b = block_new(ix->cells, t, v, ix->generation, raw);
    if (!b)
        return ERR_NOMEM;
    b->next = s->blocks;
    s->blocks = b;
    ix->block_bytes += sizeof *b + b->cap;
    return 0;
}

/* Is there a sample of that time in memory? */
static bool
head_holds(const struct series *s, int64_t t)
{
    for (const struct block *b = s->blocks; b; b = b->next) {
        if (t < b->t0 || t > block_last_ms(b))
            continue;
        struct sample *at = malloc(b->count * sizeof *at);
        if (!at)
            return false;
        block_decode(b, at);
        bool found = false;
        for (unsigned i = 0; i < b->count && !found; i++)
            found = at[i].t_ms == t;
        free(at);
        if (found)
            return true;
    }
    return false;
}

static int
head_append_late(struct index *ix, struct series *s, int64_t t, double v)
{
    if (head_holds(s, t))
        return ERR_EXISTS;
    struct block **b = head_find_open(ix, s, true);
    size_t before = b ? (*b)->cap : 0;
    int rc = b ? block_insert(ix->cells, b, t, v) : ERR_LIMIT;
    if (rc == 0)
        ix->block_bytes += (*b)->cap - before;
    else if (rc == ERR_LIMIT)
        rc = head_push(ix, s, t, v, true);
    return rc ? rc : 1;
}

int
head_append(struct index *ix, struct series *s, int64_t t, double v)
{
    int rc;
    if (t <= s->last_t) {
        rc = t == s->last_t ? ERR_EXISTS : head_append_late(ix, s, t, v);
    } else {
        struct block **b = head_find_open(ix, s, false);
        size_t before = b ? (*b)->cap : 0;
        rc = b ? block_append(ix->cells, b, t, v, s->last_v) : ERR_LIMIT;
        if (rc == 0)
            ix->block_bytes += (*b)->cap - before;
        else if (rc == ERR_LIMIT)
            rc = head_push(ix, s, t, v, false);
        if (!rc) {
            s->last_t = t;
            s->last_v = v;
        }
    }
    if (rc >= 0) {
        s->dirty = true;
        ix->unflushed++;
    }
    return rc;
}

int
head_load(struct index *ix, struct series *s, const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t unflushed = ix->unflushed;
        bool dirty = s->dirty;
        int rc = head_append(ix, s, samples[i].t_ms, samples[i].v);
        ix->unflushed = unflushed;
        s->dirty = dirty;
        if (rc < 0 && rc != ERR_EXISTS)
            return rc;
    }
    for (struct block *b = s->blocks; b; b = b->next)
        b->flags |= BLOCK_FLUSHED;
    return 0;
}

static bool
head_wanted(const struct index *ix, const struct block *b, unsigned what)
{
    return !(what & HEAD_SEALED) ||
           (block_generation(b) != ix->generation && !(b->flags & BLOCK_FLUSHED));
}

size_t
head_count(const struct index *ix, const struct series *s, unsigned what)
{
    size_t n = 0;
    for (const struct block *b = s->blocks; b; b = b->next)
        if (head_wanted(ix, b, what))
            n += b->count;
    return n;
}

static int
head_compare(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return x->t_ms < y->t_ms ? -1 : x->t_ms > y->t_ms;
}

/* Merge sort, stable; nearly sorted input is the rule, so runs of two are tried first. */
static void
head_merge(struct sample *at, size_t n, struct sample *spare)
{
    if (n < 2)
        return;
    size_t half = n / 2;
    head_merge(at, half, spare);
    head_merge(at + half, n - half, spare);
    if (head_compare(&at[half - 1], &at[half]) <= 0)
        return;
    memcpy(spare, at, half * sizeof *at);
    for (size_t i = 0, j = half, k = 0; i < half; k++)
        at[k] = j < n && at[j].t_ms < spare[i].t_ms ? at[j++] : spare[i++];
}

size_t
head_sort(struct sample *at, size_t n)
{
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = at[i - 1].t_ms < at[i].t_ms;
    if (sorted)
        return n;
    struct sample *spare = malloc((n / 2 + 1) * sizeof *spare);
    if (spare)
        head_merge(at, n, spare);
    else
        qsort(at, n, sizeof *at, head_compare);
    free(spare);
    size_t kept = n ? 1 : 0;
    for (size_t i = 1; i < n; i++)
        if (at[i].t_ms != at[kept - 1].t_ms)
            at[kept++] = at[i];
    return kept;
}

size_t
head_read(const struct index *ix, const struct series *s, unsigned what, int64_t from, int64_t to,
          struct sample *out)
{
    const struct block *chain[HEAD_CHAIN];
    size_t n = 0, depth = 0, total = 0;
    for (const struct block *b = s->blocks; b; b = b->next, depth++)
        if (depth < HEAD_CHAIN)
            chain[depth] = b;
    size_t listed = depth < HEAD_CHAIN ? depth : HEAD_CHAIN;
    for (const struct block *b = depth > listed ? chain[listed - 1]->next : NULL; b; b = b->next) {
        if (head_wanted(ix, b, what)) { /* a long tail: order comes from the sort below */
            block_decode(b, out + total);
            total += b->count;
        }
    }
    for (size_t i = listed; i-- > 0;) { /* oldest first: the first of equal times stays */
        const struct block *b = chain[i];
        if (!head_wanted(ix, b, what) || b->t0 > to || block_last_ms(b) < from)
            continue;
        block_decode(b, out + total);
        total += b->count;
    }
    total = head_sort(out, total);
    for (size_t i = 0; i < total; i++)
        if (out[i].t_ms >= from && out[i].t_ms <= to)
            out[n++] = out[i];
    return n;
}

int
head_latest(const struct index *ix, const struct series *s, int64_t from, int64_t to,
            struct sample *ret)
{
    if (s->last_t >= from && s->last_t <= to && s->last_t != INT64_MIN) {
        *ret = (struct sample){s->last_t, s->last_v};
        return 1;
    }
    if (s->last_t != INT64_MIN && s->last_t < from && s->mem_from <= from)
        return 0;
    size_t room = s->blocks ? head_count(ix, s, 0) : 0;
    struct sample *at = room ? malloc(room * sizeof *at) : NULL;
    size_t n = at ? head_read(ix, s, 0, from, to, at) : 0;
    int found = s->mem_from > from ? -1 : 0;
    if (n && at[n - 1].t_ms >= s->mem_from) {
        *ret = at[n - 1];
        found = 1;
    }
    free(at);
    return found;
}

void
head_seal(struct index *ix)
{
    ix->generation = (ix->generation + 1) % BLOCK_GENERATIONS;
}

/* A block that a day file holds now keeps its last samples only: what live views and detectors ask.
 */
static void
head_shrink(struct index *ix, struct series *s, struct block **at)
{
    struct block *b = *at;
    if (b->flags & BLOCK_RAW || b->count <= HEAD_TAIL)
        return;
    struct block *t = block_tail(ix->cells, b, HEAD_TAIL);
    if (!t)
        return;
    t->flags = b->flags;
    t->next = b->next;
    if (t->t0 > s->mem_from)
        s->mem_from = t->t0;
    ix->block_bytes += t->cap;
    ix->block_bytes -= b->cap;
    *at = t;
    block_free(ix->cells, b);
}

void
head_flushed(struct index *ix, struct series *s, int64_t idle_ms)
{
    bool fresh = false, dirty = false;
    for (struct block *b = s->blocks; b; b = b->next)
        fresh |= !(b->flags & BLOCK_FLUSHED) && block_generation(b) != ix->generation;
    for (struct block **at = &s->blocks; *at;) {
        struct block *b = *at;
        if (b->flags & BLOCK_FLUSHED ? fresh || block_last_ms(b) < idle_ms : false) {
            if (block_last_ms(b) >= s->mem_from)
                s->mem_from = block_last_ms(b) + 1;
            ix->block_bytes -= sizeof *b + b->cap;
            *at = b->next;
            block_free(ix->cells, b);
            continue;
        }
        if (block_generation(b) != ix->generation && !(b->flags & BLOCK_FLUSHED)) {
            b->flags |= BLOCK_FLUSHED;
            ix->unflushed -= b->count < ix->unflushed ? b->count : ix->unflushed;
            head_shrink(ix, s, at);
            b = *at;
        }
        dirty |= !(b->flags & BLOCK_FLUSHED);
        at = &b->next;
    }
    s->dirty = dirty;
}

/* Whole blocks go: what they hold beside the range is in the day files. */
void
head_erase(struct index *ix, struct series *s, int64_t from, int64_t to)
{
    bool open = false;
    for (struct block **at = &s->blocks; *at;) {
        struct block *b = *at;
        open |= !(b->flags & BLOCK_FLUSHED);
        if (!(b->flags & BLOCK_FLUSHED) || b->t0 > to || block_last_ms(b) < from) {
            at = &b->next;
            continue;
        }
        if (block_last_ms(b) >= s->mem_from)
            s->mem_from = block_last_ms(b) + 1;
        ix->block_bytes -= sizeof *b + b->cap;
        *at = b->next;
        block_free(ix->cells, b);
    }
    if (!open && s->last_t >= from && s->last_t <= to) {
        if (s->last_t >= s->mem_from)
            s->mem_from = s->last_t + 1;
        s->last_t = INT64_MIN;
    }
}
