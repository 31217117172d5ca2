/* match: the rarest label=value gives the candidates; every other matcher is decided once for each
 * label value it meets and remembered in two bits, so that a regular expression runs over distinct
 * values, not over series.
 *
 * A matcher that accepts the empty text also accepts series without the label, as in Prometheus. */
#include "store/match.h"

#include "base/regex.h"

#include <stdlib.h>
#include <string.h>

#define MATCH_MAX 64

struct match_one {
    enum match_op op;
    const char *name, *value;
    struct regex *re;
    bool empty;     /* accepts "" */
    uint32_t label; /* its name in the index, UINT32_MAX: no series has it */
    uint32_t pair;  /* EQ: its pair */
    uint8_t *known; /* RE, NRE, NE: 0 not asked, 1 yes, 2 no, by the value's place among the name's
                       values */
};

struct match {
    size_t count;
    struct match_one at[];
};

static bool
match_value(const struct match_one *m, const char *value, size_t len)
{
    switch (m->op) {
    case MATCH_EQ:
        return strlen(m->value) == len && !memcmp(m->value, value, len);
    case MATCH_NE:
        return strlen(m->value) != len || memcmp(m->value, value, len) != 0;
    case MATCH_RE:
        return regex_match(m->re, value, len, NULL, NULL) == 1;
    case MATCH_NRE:
        return regex_match(m->re, value, len, NULL, NULL) == 0;
    }
    return false;
}

static int
match_one_init(struct match_one *m, const struct matcher *from, struct err *err)
{
    *m = (struct match_one){
        .op = from->op, .name = from->name, .value = from->value ? from->value : ""};
    int rc = 0;
    if (m->op == MATCH_RE || m->op == MATCH_NRE)
        rc = regex_compile(m->value, strlen(m->value), REGEX_ANCHORED | REGEX_UTF, &m->re, err);
    if (!rc)
        m->empty = match_value(m, "", 0);
    return rc;
}

int
match_new(const struct matcher *from, size_t n, const char *tenant, struct match **ret,
          struct err *err)
{
    bool scoped = tenant && *tenant;
    if (n > MATCH_MAX)
        return err_set(err, ERR_LIMIT, "a selector has at most %d matchers", MATCH_MAX);
    struct match *m = calloc(1, sizeof *m + (n + 1) * sizeof *m->at);
    if (!m)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = match_one_init(&m->at[m->count++], &from[i], err);
    if (!rc && scoped)
        rc = match_one_init(&m->at[m->count++], &(struct matcher){MATCH_EQ, "tenant", tenant}, err);
    if (rc)
        match_free(m);
    else
        *ret = m;
    return rc;
}

void
match_free(struct match *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        regex_free(m->at[i].re);
        free(m->at[i].known);
    }
    free(m);
}

/* Does a value of the matcher's label pass? Asked once a value. */
static bool
match_pair(struct match_one *m, const struct index *ix, uint32_t pair)
{
    if (m->op == MATCH_EQ)
        return pair == m->pair;
    uint8_t *known = m->known ? &m->known[pair] : NULL;
    if (known && *known)
        return *known == 1;
    bool yes = match_value(m, ix->pairs[pair].value, ix->pairs[pair].len);
    if (known)
        *known = yes ? 1 : 2;
    return yes;
}

static bool
match_one_series(struct match_one *m, const struct index *ix, const struct series *s)
{
    uint32_t pair = m->label == UINT32_MAX ? SERIES_NO_PAIR : series_label(ix, s, m->label);
    return pair == SERIES_NO_PAIR ? m->empty : match_pair(m, ix, pair);
}

/* Looks up names and values. 0: no series can match. */
static int
match_bind(struct match *m, const struct index *ix)
{
    for (size_t i = 0; i < m->count; i++) {
        struct match_one *o = &m->at[i];
        o->label = series_name_find(ix, o->name, strlen(o->name));
        o->pair = o->label == UINT32_MAX
                      ? SERIES_NO_PAIR
                      : series_pair_find(ix, o->label, o->value, strlen(o->value));
        if (!o->empty &&
            (o->label == UINT32_MAX || (o->op == MATCH_EQ && o->pair == SERIES_NO_PAIR)))
            return 0;
        if (o->op != MATCH_EQ && !o->known)
            o->known = calloc(ix->pair_count ? ix->pair_count : 1, 1);
    }
    return 1;
}

/* How many candidates this matcher would give; SIZE_MAX when it cannot give any. */
static size_t
match_cost(struct match_one *m, const struct index *ix)
{
    if (m->empty || m->op == MATCH_NE || m->op == MATCH_NRE)
        return SIZE_MAX;
    if (m->op == MATCH_EQ)
        return ix->pairs[m->pair].count;
    const struct series_name *n = &ix->names[m->label];
    size_t total = n->count; /* reading the values costs too */
    for (uint32_t i = 0; i < n->count; i++)
        if (match_pair(m, ix, n->pairs[i]))
            total += ix->pairs[n->pairs[i]].count;
    return total;
}

struct match_out {
    uint32_t *ids;
    size_t count, cap, max;
};

static int
match_emit(struct match *m, const struct index *ix, const struct match_one *given, uint32_t id,
           struct match_out *out)
{
    const struct series *s = series_at(ix, id);
    for (size_t i = 0; i < m->count; i++)
        if (&m->at[i] != given && !match_one_series(&m->at[i], ix, s))
            return 0;
    if (out->count == out->max)
        return ERR_LIMIT;
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 256;
        uint32_t *p = realloc(out->ids, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        out->ids = p;
        out->cap = cap;
    }
    out->ids[out->count++] = id;
    return 0;
}

static int
match_emit_pair(struct match *m, const struct index *ix, const struct match_one *given,
                uint32_t pair, struct match_out *out)
{
    const struct series_pair *p = &ix->pairs[pair];
    int rc = 0;
    for (uint32_t i = 0; !rc && i < p->count; i++)
        rc = match_emit(m, ix, given, p->ids[i], out);
    return rc;
}

static int
match_scan(struct match *m, const struct index *ix, struct match_out *out)
{
    struct match_one *best = NULL;
    size_t cost = SIZE_MAX;
    int rc = 0;
    for (size_t pass = 0; pass < 2; pass++) /* exact ones first: they are cheap to ask */
        for (size_t i = 0; i < m->count; i++) {
            struct match_one *o = &m->at[i];
            bool exact = o->op == MATCH_EQ;
            size_t c = exact == (pass == 0) && (exact || !best) ? match_cost(o, ix) : SIZE_MAX;
            if (c < cost) {
                cost = c;
                best = o;
            }
        }
    if (!best) {
        for (uint64_t id = 1; !rc && id < ix->next_id; id++)
            if (series_at(ix, id)->pairs)
                rc = match_emit(m, ix, NULL, (uint32_t)id, out);
        return rc;
    }
    if (best->op == MATCH_EQ)
        return match_emit_pair(m, ix, best, best->pair, out);
    const struct series_name *n = &ix->names[best->label];
    for (uint32_t i = 0; !rc && i < n->count; i++)
        if (match_pair(best, ix, n->pairs[i]))
            rc = match_emit_pair(m, ix, best, n->pairs[i], out);
    return rc;
}

int
match_series(struct match *m, const struct index *ix, size_t max, uint32_t **ret_ids,
             size_t *ret_count, struct err *err)
{
    struct match_out out = {.max = max};
    int rc = match_bind(m, ix) ? match_scan(m, ix, &out) : 0;
    if (rc) {
        free(out.ids);
        return rc == ERR_LIMIT ? err_set(err, rc, "the query selects more than %zu series", max)
                               : err_set(err, rc, "out of memory");
    }
    *ret_ids = out.ids;
    *ret_count = out.count;
    return 0;
}
