/* fake_series: a store of a few series in memory, behind the two functions that PromQL reads by.
 * For unit tests, the bench and the fuzzer of the engine: what stands here is defined instead of
 * the store's own. */
#ifndef TESTS_STORE_FAKE_SERIES_H
#define TESTS_STORE_FAKE_SERIES_H

#include "base/map.h"
#include "base/regex.h"
#include "base/str.h"
#include "store/promql/promql.h"
#include "store/remote_query.h"
#include "store/scan.h"
#include "store/slabs.h"
#include "store/tier_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_series {
    struct labels *labels;
    char *text;
    struct sample *samples;
    size_t count, cap;
};
struct store {
    struct fake_series *at;
    size_t count, cap;
};

static struct fake_series *
fake_series(struct store *s, const char *text) /* m{a="b",c="d"}, no escapes */
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
    }
    struct fake_series *f = &s->at[s->count++];
    *f = (struct fake_series){.labels = calloc(1, sizeof *f->labels), .text = strdup(text)};
    size_t n = strcspn(f->text, "{");
    char *p = f->text + n;
    if (n)
        labels_add(f->labels, "__name__", 8, f->text, n);
    while (*p && *++p && *p != '}') {
        char *name = p, *eq = strchr(p, '='), *end = strchr(eq + 2, '"');
        labels_add(f->labels, name, (size_t)(eq - name), eq + 2, (size_t)(end - eq - 2));
        p = end + 1;
    }
    labels_finish(f->labels);
    return f;
}

int
remote_promql(struct store *s, const struct promql *q, const struct remote_span *span,
              const struct promql_options *o, struct promql_result *ret, struct err *err)
{
    (void)s, (void)q, (void)span, (void)o, (void)ret, (void)err;
    return 1;
}

static void
fake_add(struct fake_series *f, int64_t t_ms, double v)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->samples = realloc(f->samples, f->cap * sizeof *f->samples);
    }
    f->samples[f->count++] = (struct sample){t_ms, v};
}

static void
fake_done(struct store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->at[i].labels);
        free(s->at[i].text);
        free(s->at[i].samples);
    }
    free(s->at);
    *s = (struct store){0};
}

static bool
fake_matches(const struct fake_series *f, const struct matcher *m, size_t n,
             struct regex *const *re)
{
    for (size_t i = 0; i < n; i++) {
        const struct label *l = labels_find(f->labels, m[i].name);
        const char *v = l ? l->value : "";
        size_t len = l ? l->value_len : 0;
        bool is = re[i] ? regex_match(re[i], v, len, NULL, NULL) == 1
                        : len == strlen(m[i].value) && !memcmp(v, m[i].value, len);
        if (is != (m[i].op == MATCH_EQ || m[i].op == MATCH_RE))
            return false;
    }
    return true;
}

static int
fake_read(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
          bool latest, const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    struct regex *re[64] = {0};
    size_t total = 0;
    int rc = n <= 64 ? 0 : ERR_LIMIT;
    for (size_t i = 0; !rc && i < n; i++)
        if (m[i].op >= MATCH_RE)
            rc = regex_compile(m[i].value, strlen(m[i].value), REGEX_ANCHORED | REGEX_UTF, &re[i],
                               err);
    *ret = (struct series_set){.rows = calloc(s->count + 1, sizeof *ret->rows)};
    for (size_t k = 0; !rc && k < s->count; k++) {
        const struct fake_series *f = &s->at[k];
        size_t a = 0, b = f->count;
        if (!fake_matches(f, m, n, re))
            continue;
        while (a < b && f->samples[a].t_ms < from_ms)
            a++;
        while (b > a && f->samples[b - 1].t_ms > to_ms)
            b--;
        if (latest && b > a)
            a = b - 1;
        if (a == b || (latest && sample_is_stale(f->samples[a].v)))
            continue;
        struct series_row *r = &ret->rows[ret->count++];
        *r = (struct series_row){.labels = f->labels,
                                 .id = k,
                                 .samples = malloc((b - a) * sizeof *r->samples),
                                 .count = b - a};
        memcpy(r->samples, f->samples + a, (b - a) * sizeof *r->samples);
        total += b - a;
    }
    for (size_t i = 0; i < 64; i++)
        regex_free(re[i]);
    if (!rc && lim->max_samples && total > lim->max_samples)
        rc = err_set(err, ERR_LIMIT,
                     "query processing would load too many samples into memory in query execution");
    if (rc)
        series_set_done(ret);
    return rc;
}

int
store_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
             const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    return fake_read(s, m, n, from_ms, to_ms, false, lim, ret, err);
}

int
store_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms, int64_t lookback_ms,
             const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    return fake_read(s, m, n, at_ms - lookback_ms, at_ms, true, lim, ret, err);
}

/* A scan of a fake store is what store_select gives. */
struct scan {
    struct series_set set;
    size_t room;
};

void
scan_close(struct scan *c)
{
    if (c)
        series_set_done(&c->set);
    free(c);
}

int
scan_open(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
          const struct select_limits *lim, struct scan **ret, struct err *err)
{
    struct scan *c = calloc(1, sizeof *c);
    int rc = fake_read(s, m, n, from_ms, to_ms, false, lim, &c->set, err);
    for (size_t i = 0; !rc && i < c->set.count; i++)
        c->room = c->set.rows[i].count > c->room ? c->set.rows[i].count : c->room;
    if (rc)
        free(c);
    else
        *ret = c;
    return rc;
}

bool
tier_choose(struct store *s, const struct tier_ask *a, struct tier_plan *ret) /* it has none */
{
    (void)s, (void)a, (void)ret;
    return false;
}

int
scan_open_tier(struct store *s, const struct matcher *m, size_t n, int64_t to_ms,
               const struct tier_plan *plan, const struct select_limits *lim, struct scan **ret,
               struct err *err)
{
    (void)s, (void)m, (void)n, (void)to_ms, (void)plan, (void)lim, (void)ret;
    return err_set(err, ERR_UNSUPPORTED, "no tiers");
}

size_t
scan_count(const struct scan *c)
{
    return c->set.count;
}

struct labels *
scan_labels(const struct scan *c, size_t i)
{
    return c->set.rows[i].labels;
}

size_t
scan_room(const struct scan *c)
{
    return c->room;
}

size_t
scan_read(const struct scan *c, size_t i, struct sample *room, struct sample **ret_first)
{
    memcpy(room, c->set.rows[i].samples, c->set.rows[i].count * sizeof *room);
    *ret_first = room;
    return c->set.rows[i].count;
}

void
scan_give_labels(struct scan *c, struct slabs *into)
{
    (void)c;
    (void)into;
}

struct crew *
store_crew(const struct store *s)
{
    (void)s;
    return NULL;
}

void
series_set_done(struct series_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->rows[i].samples);
    free(set->rows);
    *set = (struct series_set){0};
}

#endif
