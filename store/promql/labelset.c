/* labelset: label sets in evaluation: which labels count, equality by them, groups of series, new
 * label sets.
 *
 * Expected load: 20,000 series of ten labels, grouped by two. Names stand at the same places in
 * most series of a query, so what is decided of a name is kept by its place and pointer, and no
 * label set is copied until a result needs it. */
#include "store/promql/eval.h"

#include "base/hash.h"
#include "store/promql/lex.h"

#include <stdlib.h>

static bool
labelset_is(const struct label *l, const char *name)
{
    size_t n = strlen(name);
    return l->name_len == n && !memcmp(l->name, name, n);
}

void
pick_init(struct pick *p, enum pick_kind kind, const struct ast_names *names, bool drop_name)
{
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->names = names;
    p->drop_name = drop_name;
}

static const struct pick_place *
pick_place(struct pick *p, const struct label *l, size_t i)
{
    struct pick_place *at = &p->places[i];
    if (at->name == l->name && at->len == l->name_len)
        return at;
    bool named = false;
    for (size_t k = 0; !named && p->kind != PICK_ALL && k < p->names->count; k++)
        named = labelset_is(l, p->names->at[k]);
    at->name = l->name;
    at->len = l->name_len;
    at->is_name = labelset_is(l, "__name__");
    at->keep =
        (p->kind == PICK_ALL || named == (p->kind == PICK_WITH)) && !(at->is_name && p->drop_name);
    at->hash = hash_64(l->name, l->name_len, 7);
    return at;
}

static bool
pick_keeps(struct pick *p, const struct series *s, size_t i)
{
    const struct pick_place *at = pick_place(p, &s->labels->at[i], i);
    return at->keep && !(at->is_name && s->nameless);
}

uint64_t
pick_hash(struct pick *p, const struct series *s)
{
    uint64_t h = 0;
    for (size_t i = 0; i < s->labels->count; i++) {
        const struct label *l = &s->labels->at[i];
        const struct pick_place *at = pick_place(p, l, i);
        if (at->keep && !(at->is_name && s->nameless))
            h = hash_64(l->value, l->value_len, h ^ at->hash);
    }
    return h;
}

static bool
pick_same(const char *a, const char *b, size_t n)
{
    return a == b || !memcmp(a, b, n);
}

bool
pick_equal(struct pick *p, const struct series *a, const struct series *b)
{
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < a->labels->count && !pick_keeps(p, a, i))
            i++;
        while (k < b->labels->count && !pick_keeps(p, b, k))
            k++;
        if (i == a->labels->count || k == b->labels->count)
            return i == a->labels->count && k == b->labels->count;
        const struct label *x = &a->labels->at[i], *y = &b->labels->at[k];
        if (x->name_len != y->name_len || x->value_len != y->value_len ||
            !pick_same(x->name, y->name, x->name_len) ||
            !pick_same(x->value, y->value, x->value_len))
            return false;
    }
}

struct labels *
pick_labels(struct eval *e, struct pick *p, const struct series *s, size_t room)
{
    struct labels *n =
        eval_alloc(e, 1, offsetof(struct labels, at) + (s->labels->count + room) * sizeof *n->at);
    for (size_t i = 0; n && i < s->labels->count; i++)
        if (pick_keeps(p, s, i))
            n->at[n->count++] = s->labels->at[i];
    return n;
}

const struct labels *
labels_plain(struct eval *e, const struct series *s)
{
    struct pick all;
    if (!s->nameless || !labels_find(s->labels, "__name__"))
        return s->labels;
    pick_init(&all, PICK_ALL, NULL, true);
    return pick_labels(e, &all, s, 0);
}

/* --- groups ----------------------------------------------------------------------------------- */

int
groups_init(struct groups *g, struct eval *e, struct pick *p, size_t max)
{
    size_t size = 16;
    while (size < max * 2)
        size *= 2;
    *g = (struct groups){.pick = p,
                         .mask = size - 1,
                         .slots = calloc(size, sizeof *g->slots),
                         .at = calloc(max + 1, sizeof *g->at)};
    if (max < UINT32_MAX / 2 && g->slots && g->at)
        return 0;
    groups_done(g);
    return eval_fail(e, ERR_NOMEM, "no memory for the query");
}

void
groups_done(struct groups *g)
{
    free(g->slots);
    free(g->at);
    g->slots = NULL;
    g->at = NULL;
}

static size_t
groups_probe(struct groups *g, const struct series *s, bool add)
{
    uint64_t h = pick_hash(g->pick, s);
    size_t i = h & g->mask;
    for (; g->slots[i]; i = (i + 1) & g->mask) {
        const struct group *at = &g->at[g->slots[i] - 1];
        if (at->hash == h && pick_equal(g->pick, at->first, s))
            return g->slots[i] - 1;
    }
    if (!add)
        return SIZE_MAX;
    g->at[g->count] = (struct group){h, s};
    g->slots[i] = (uint32_t)++g->count;
    return g->count - 1;
}

size_t
groups_find(struct groups *g, const struct series *s)
{
    return groups_probe(g, s, false);
}

size_t
groups_take(struct groups *g, const struct series *s)
{
    return groups_probe(g, s, true);
}

/* --- label sets ------------------------------------------------------------------------------- */

static int
labelset_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a == b && a_len == b_len)
        return 0;
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : (a_len > b_len) - (a_len < b_len);
}

int
labels_compare(const struct labels *a, const struct labels *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct label *x = &a->at[i], *y = &b->at[i];
        int c = labelset_order(x->name, x->name_len, y->name, y->name_len);
        if (!c)
            c = labelset_order(x->value, x->value_len, y->value, y->value_len);
        if (c)
            return c;
    }
    return (a->count > b->count) - (a->count < b->count);
}

struct labels *
labels_set(struct eval *e, const struct labels *l, const char *name, const char *value, size_t len)
{
    struct labels *n =
        eval_alloc(e, 1, offsetof(struct labels, at) + (l->count + 1) * sizeof *n->at);
    size_t i = 0, name_len = strlen(name);
    if (!n)
        return NULL;
    n->count = l->count;
    memcpy(n->at, l->at, l->count * sizeof *l->at);
    while (i < n->count && labelset_order(n->at[i].name, n->at[i].name_len, name, name_len) < 0)
        i++;
    bool there = i < n->count && labelset_is(&n->at[i], name);
    if (!len) {
        if (there)
            memmove(&n->at[i], &n->at[i + 1], (--n->count - i) * sizeof *n->at);
        return n;
    }
    if (!there && n->count >= LABELS_MAX) {
        eval_fail(e, ERR_LIMIT, "a series has more than %d labels", LABELS_MAX);
        return NULL;
    }
    if (!there)
        memmove(&n->at[i + 1], &n->at[i], (n->count++ - i) * sizeof *n->at);
    n->at[i] = (struct label){.name = arena_str(e->run->arena, name, name_len),
                              .name_len = (uint32_t)name_len,
                              .value = arena_str(e->run->arena, value, len),
                              .value_len = (uint32_t)len};
    if (n->at[i].name && n->at[i].value)
        return n;
    eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
    return NULL;
}

void
labels_text(const struct labels *l, struct buf *out)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < l->count; i++) {
        buf_printf(out, "%s%.*s=", i ? ", " : "", (int)l->at[i].name_len, l->at[i].name);
        lex_quote(l->at[i].value, l->at[i].value_len, 0, out);
    }
    buf_putc(out, '}');
}
