/* function_special: see its header. */
#include "store/promql/function_special.h"

#include "base/regex.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct labels no_labels;

static int
one_series(struct eval *e, const struct labels *l, struct value *ret)
{
    *ret = (struct value){.type = PROMQL_VECTOR, .series = arena_alloc(e->arena, sizeof *ret->series), .count = 1};
    if (!ret->series || !(ret->series->v = eval_row(e)))
        return ERR_LIMIT;
    ret->series->labels = l;
    return 0;
}

static int
scalar_row(struct eval *e, struct value *ret)
{
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = eval_row(e)};
    return ret->scalar ? 0 : ERR_LIMIT;
}

/* --- absent ------------------------------------------------------------------------------------------------ */

/* Labels that equality matchers of a selector give, each name once. */
static const struct labels *
absent_labels(struct eval *e, const struct ast *n)
{
    const struct labels *l = &no_labels;
    while (n->kind == AST_PAREN)
        n = n->args[0];
    for (size_t i = 0; l && n->kind == AST_SELECTOR && i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        size_t same = 0;
        for (size_t k = 0; k < n->matcher_count; k++)
            same += !strcmp(n->matchers[k].name, m->name);
        if (m->op == MATCH_EQ && same == 1 && strcmp(m->name, "__name__"))
            l = labels_set(e, l, m->name, m->value, strlen(m->value));
    }
    return l;
}

int
special_absent(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    const struct labels *l = absent_labels(e, n->args[0]);
    int rc = eval_node(e, n->args[0], &v);
    if (!rc)
        rc = l ? one_series(e, l, ret) : ERR_LIMIT;
    for (size_t i = 0; !rc && i < e->steps; i++) {
        bool there = false;
        for (size_t k = 0; k < v.count; k++)
            there |= !absent(v.series[k].v[i]);
        if (!there)
            ret->series->v[i] = 1;
    }
    return rc;
}

int
special_absent_over_time(struct eval *e, const struct ast *n, struct value *ret)
{
    struct ranges r;
    const struct labels *l = absent_labels(e, n->args[0]);
    int rc = eval_ranges(e, n->args[0], &r);
    if (!rc)
        rc = l ? one_series(e, l, ret) : ERR_LIMIT;
    for (size_t i = 0; !rc && i < e->steps; i++) {
        int64_t to = eval_reference(e, r.node ? r.node : n->args[0], i), from = to - r.range_ms;
        bool there = false;
        for (size_t k = 0; k < r.count; k++)
            for (size_t j = 0; !there && j < r.rows[k].count; j++)
                there = r.rows[k].samples[j].t_ms >= from && r.rows[k].samples[j].t_ms <= to;
        if (!there)
            ret->series->v[i] = 1;
    }
    return rc;
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static double
date_part(const char *what, double t)
{
    time_t s = (time_t)t;
    struct tm tm;
    if (!isfinite(t) || !gmtime_r(&s, &tm))
        return NAN;
    if (!strcmp(what, "year"))
        return tm.tm_year + 1900;
    if (!strcmp(what, "month"))
        return tm.tm_mon + 1;
    if (!strcmp(what, "day_of_month"))
        return tm.tm_mday;
    if (!strcmp(what, "day_of_week"))
        return tm.tm_wday;
    if (!strcmp(what, "day_of_year"))
        return tm.tm_yday + 1;
    if (!strcmp(what, "hour"))
        return tm.tm_hour;
    if (!strcmp(what, "minute"))
        return tm.tm_min;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = tm.tm_year + 1900;
    return days[tm.tm_mon] + (tm.tm_mon == 1 && ((y % 4 == 0 && y % 100) || y % 400 == 0));
}

int
special_date(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = n->arg_count ? eval_node(e, n->args[0], ret) : one_series(e, &no_labels, ret);
    for (size_t i = 0; !rc && !n->arg_count && i < e->steps; i++)
        ret->series->v[i] = (double)eval_time(e, i) / 1000;
    for (size_t k = 0; !rc && k < ret->count; k++) {
        if (!(ret->series[k].labels = labels_without(e, ret->series[k].labels, NULL, true)))
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = date_part(n->function->name, ret->series[k].v[i]);
    }
    return rc;
}

int
special_time(struct eval *e, const struct ast *n, struct value *ret)
{
    (void)n;
    int rc = scalar_row(e, ret);
    for (size_t i = 0; !rc && i < e->steps; i++)
        ret->scalar[i] = (double)eval_time(e, i) / 1000;
    return rc;
}

int
special_pi(struct eval *e, const struct ast *n, struct value *ret)
{
    (void)n;
    int rc = scalar_row(e, ret);
    for (size_t i = 0; !rc && i < e->steps; i++)
        ret->scalar[i] = M_PI;
    return rc;
}

/* timestamp(selector) is the sample's own time; of anything else the evaluation's. */
int
special_timestamp(struct eval *e, const struct ast *n, struct value *ret)
{
    const struct ast *a = n->args[0];
    int rc = eval_node(e, a, ret);
    struct ranges r = {0};
    while (a->kind == AST_PAREN)
        a = a->args[0];
    if (!rc && a->kind == AST_SELECTOR) {
        struct ast range = *a;
        range.range_ms = e->lookback_ms;
        rc = eval_ranges(e, &range, &r);
        r.node = a;
    }
    for (size_t k = 0; !rc && k < ret->count; k++) {
        const struct series_row *row = NULL;
        for (size_t j = 0; j < r.count && !row; j++)
            row = labels_equal(r.rows[j].labels, ret->series[k].labels) ? &r.rows[j] : NULL;
        if (!(ret->series[k].labels = labels_without(e, ret->series[k].labels, NULL, true)))
            return ERR_LIMIT;
        for (size_t i = 0, j = 0; i < e->steps; i++) {
            int64_t t = a->kind == AST_SELECTOR ? eval_reference(e, a, i) : eval_time(e, i);
            while (row && j < row->count && row->samples[j].t_ms <= t)
                j++;
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = (double)(row && j ? row->samples[j - 1].t_ms : eval_time(e, i)) / 1000;
        }
    }
    return rc;
}

/* --- scalar, vector, sort ---------------------------------------------------------------------------------------- */

int
special_scalar(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    int rc = eval_node(e, n->args[0], &v);
    if (!rc)
        rc = scalar_row(e, ret);
    for (size_t i = 0; !rc && i < e->steps; i++) {
        size_t there = 0;
        for (size_t k = 0; k < v.count; k++)
            if (!absent(v.series[k].v[i])) {
                there++;
                ret->scalar[i] = v.series[k].v[i];
            }
        if (there != 1)
            ret->scalar[i] = NAN;
    }
    return rc;
}

int
special_vector(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    int rc = eval_node(e, n->args[0], &v);
    if (!rc)
        rc = one_series(e, &no_labels, ret);
    for (size_t i = 0; !rc && i < e->steps; i++)
        ret->series->v[i] = v.scalar[i];
    return rc;
}

static int
sort_up(const void *a, const void *b)
{
    double x = ((const struct series *)a)->v[0], y = ((const struct series *)b)->v[0];
    if (isnan(x) || isnan(y))
        return isnan(x) ? (isnan(y) ? 0 : 1) : -1;
    return x < y ? -1 : x > y;
}

static int
sort_down(const void *a, const void *b)
{
    double x = ((const struct series *)a)->v[0], y = ((const struct series *)b)->v[0];
    if (isnan(x) || isnan(y))
        return isnan(x) ? (isnan(y) ? 0 : 1) : -1;
    return x > y ? -1 : x < y;
}

/* Orders an instant query's answer; range queries are in order of labels. */
int
special_sort(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = eval_node(e, n->args[0], ret);
    if (rc || e->steps != 1)
        return rc;
    qsort(ret->series, ret->count, sizeof *ret->series, n->function->name[4] ? sort_down : sort_up);
    ret->sorted = true;
    return 0;
}

/* --- labels ---------------------------------------------------------------------------------------------------------- */

static bool
label_name_ok(const char *s)
{
    if (!*s || strchr("0123456789", *s))
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(s);
}

/* Replacement text with $1, ${1}, ${name}, $$ from a match. */
static void
expand(const char *text, const struct regex_capture *c, size_t count, struct buf *out)
{
    for (const char *p = text; *p; p++) {
        if (*p != '$') {
            buf_putc(out, *p);
            continue;
        }
        bool brace = p[1] == '{';
        const char *name = p + 1 + brace;
        size_t len = brace ? strcspn(name, "}") : strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (p[1] == '$') {
            buf_putc(out, '$');
            p++;
            continue;
        }
        if (!len) {
            buf_putc(out, '$');
            continue;
        }
        char *end;
        unsigned long k = strtoul(name, &end, 10);
        if (end != name + len)
            for (k = 0; k < count && !(strlen(c[k].name) == len && !strncmp(c[k].name, name, len)); k++)
                continue;
        if (k < count && c[k].text)
            buf_append(out, c[k].text, c[k].len);
        p = name + len - 1 + (brace && name[len] == '}');
    }
}

static int
replace_one(struct eval *e, const struct ast *n, const struct regex *re, struct series *s)
{
    const char *dst = n->args[1]->text, *replacement = n->args[2]->text, *src = n->args[3]->text;
    const struct label *l = labels_find(s->labels, src);
    struct regex_capture c[REGEX_CAPTURES_MAX];
    size_t count = REGEX_CAPTURES_MAX;
    struct buf out;
    int m = regex_match(re, l ? l->value : "", l ? l->value_len : 0, c, &count);
    if (m <= 0)
        return m;
    buf_init(&out, LABEL_VALUE_MAX);
    expand(replacement, c, count, &out);
    s->labels = labels_set(e, s->labels, dst, buf_str(&out), out.len);
    buf_done(&out);
    return s->labels ? 0 : ERR_LIMIT;
}

int
special_label_replace(struct eval *e, const struct ast *n, struct value *ret)
{
    struct regex *re = NULL;
    struct err err;
    for (size_t i = 1; i < 5; i++)
        if (n->args[i]->kind != AST_STRING)
            return eval_fail(e, ERR_SYNTAX, "label_replace takes literal strings");
    if (regex_compile(n->args[4]->text, strlen(n->args[4]->text), REGEX_ANCHORED, &re, &err))
        return eval_fail(e, ERR_SYNTAX, "invalid regular expression in label_replace(): %s", n->args[4]->text);
    int rc = label_name_ok(n->args[1]->text) ? eval_node(e, n->args[0], ret)
                                             : eval_fail(e, ERR_SYNTAX, "invalid destination label name in label_replace(): %s", n->args[1]->text);
    for (size_t k = 0; !rc && k < ret->count; k++)
        rc = replace_one(e, n, re, &ret->series[k]);
    regex_free(re);
    return rc;
}

int
special_label_join(struct eval *e, const struct ast *n, struct value *ret)
{
    struct buf out;
    for (size_t i = 1; i < n->arg_count; i++)
        if (n->args[i]->kind != AST_STRING)
            return eval_fail(e, ERR_SYNTAX, "label_join takes literal strings");
    if (!label_name_ok(n->args[1]->text))
        return eval_fail(e, ERR_SYNTAX, "invalid destination label name in label_join(): %s", n->args[1]->text);
    int rc = eval_node(e, n->args[0], ret);
    buf_init(&out, LABEL_VALUE_MAX);
    for (size_t k = 0; !rc && k < ret->count; k++) {
        buf_reset(&out);
        for (size_t i = 3; i < n->arg_count; i++) {
            const struct label *l = labels_find(ret->series[k].labels, n->args[i]->text);
            if (i > 3)
                buf_puts(&out, n->args[2]->text);
            if (l)
                buf_append(&out, l->value, l->value_len);
        }
        ret->series[k].labels = labels_set(e, ret->series[k].labels, n->args[1]->text, buf_str(&out), out.len);
        rc = ret->series[k].labels ? 0 : ERR_LIMIT;
    }
    buf_done(&out);
    return rc;
}

/* --- histograms ------------------------------------------------------------------------------------------------------- */

struct bucket { double bound; const double *v; };

static int
bucket_compare(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->bound, y = ((const struct bucket *)b)->bound;
    return x < y ? -1 : x > y;
}

static double
bucket_quantile(double q, const double *bounds, double *counts, size_t n)
{
    if (isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (n < 2 || !isinf(bounds[n - 1]) || bounds[n - 1] < 0)
        return NAN;
    for (size_t i = 1; i < n; i++)      /* buckets are cumulative: a smaller one is noise of scraping */
        counts[i] = counts[i] < counts[i - 1] ? counts[i - 1] : counts[i];
    double total = counts[n - 1], rank = q * total;
    if (total == 0)
        return NAN;
    size_t b = 0;
    while (b < n - 1 && counts[b] < rank)
        b++;
    if (b == n - 1)
        return bounds[n - 2];
    if (b == 0 && bounds[0] <= 0)
        return bounds[0];
    double start = b ? bounds[b - 1] : 0, count = b ? counts[b] - counts[b - 1] : counts[b];
    if (b)
        rank -= counts[b - 1];
    return start + (bounds[b] - start) * (rank / count);
}

static int
histogram_group(struct eval *e, const double *q, struct bucket *b, size_t n, double *out)
{
    double *bounds = malloc((n + 1) * sizeof *bounds), *counts = malloc((n + 1) * sizeof *counts);
    int rc = bounds && counts ? 0 : eval_fail(e, ERR_NOMEM, "no memory for the query");
    qsort(b, n, sizeof *b, bucket_compare);
    for (size_t i = 0; !rc && i < e->steps; i++) {
        size_t m = 0;
        for (size_t k = 0; k < n; k++) {
            if (absent(b[k].v[i]))
                continue;
            if (m && bounds[m - 1] == b[k].bound) {
                counts[m - 1] += b[k].v[i];
                continue;
            }
            bounds[m] = b[k].bound;
            counts[m++] = b[k].v[i];
        }
        if (m)
            out[i] = bucket_quantile(q[i], bounds, counts, m);
    }
    free(bounds);
    free(counts);
    return rc;
}

int
special_histogram_quantile(struct eval *e, const struct ast *n, struct value *ret)
{
    static const char *const le[] = {"le"};
    struct ast_names drop = {(const char **)le, 1};
    struct value q, v;
    struct gather g = {0};
    int rc = eval_node(e, n->args[0], &q);
    if (!rc)
        rc = eval_node(e, n->args[1], &v);
    if (!rc)
        rc = gather_init(&g, e);
    size_t *of = rc ? NULL : arena_alloc(e->arena, (v.count + 1) * sizeof *of);
    struct bucket *all = rc ? NULL : arena_alloc(e->arena, (v.count + 1) * sizeof *all), *some = rc ? NULL : arena_alloc(e->arena, (v.count + 1) * sizeof *some);
    if (!rc && (!of || !all || !some))
        rc = ERR_LIMIT;
    for (size_t k = 0; !rc && k < v.count; k++) {
        const struct label *l = labels_find(v.series[k].labels, "le");
        of[k] = SIZE_MAX;
        if (!l || str_double(l->value, l->value_len, &all[k].bound))
            continue;
        const struct labels *group = labels_without(e, v.series[k].labels, &drop, true);
        struct series *s = group ? gather_series(&g, group) : NULL;
        if (!s)
            rc = ERR_LIMIT;
        else
            of[k] = (size_t)(s - g.series);
        all[k].v = v.series[k].v;
    }
    for (size_t i = 0; !rc && i < g.count; i++) {
        size_t m = 0;
        for (size_t k = 0; k < v.count; k++)
            if (of[k] == i)
                some[m++] = all[k];
        rc = histogram_group(e, q.scalar, some, m, g.series[i].v);
    }
    *ret = (struct value){.type = PROMQL_VECTOR, .series = g.series, .count = g.count};
    gather_done(&g);
    return rc;
}
