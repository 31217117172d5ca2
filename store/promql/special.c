/* special: functions that need more than a window or a value: labels, whole vectors, the
 * evaluation's time. */
#include "store/promql/eval.h"

#include "base/regex.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>

static const struct labels special_no_labels;

static double *
special_row(struct eval *e, struct value *ret)
{
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = eval_row(e, false)};
    return ret->scalar;
}

/* --- absent ----------------------------------------------------------------------------------- */

/* Labels that equality matchers of a selector give, each name once. */
static const struct labels *
special_absent_labels(struct eval *e, const struct ast *n)
{
    const struct labels *l = &special_no_labels;
    n = ast_bare(n);
    for (size_t i = 0; l && n->kind == AST_SELECTOR && i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        bool seen = false;
        if (!strcmp(m->name, "__name__"))
            continue;
        for (size_t k = 0; k < i; k++)
            seen |= n->matchers[k].op == MATCH_EQ && !strcmp(n->matchers[k].name, m->name);
        l = labels_set(e, l, m->name, m->value, m->op == MATCH_EQ && !seen ? strlen(m->value) : 0);
    }
    return l;
}

static int
special_absent_answer(struct eval *e, const struct ast *arg, const struct value *v,
                      struct value *ret)
{
    const struct labels *l = special_absent_labels(e, arg);
    if (!l || eval_one(e, l, ret))
        return ERR_LIMIT;
    for (size_t i = 0; i < e->steps; i++)
        ret->series->v[i] = 1;
    for (size_t k = 0; k < v->count; k++)
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(v->series[k].v[i]))
                ret->series->v[i] = ABSENT;
    return 0;
}

int
special_absent(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    int rc = eval_node(e, n->args[0], &v);
    return rc ? rc : special_absent_answer(e, n->args[0], &v, ret);
}

int
special_absent_over_time(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    struct ast present = *n;
    present.function = function_find("count_over_time", 15);
    int rc = range_call(e, &present, NULL, 0, &v);
    return rc ? rc : special_absent_answer(e, n->args[0], &v, ret);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Seconds from the first day of a year that begins a cycle of 400 years, long before anything;
 * arithmetic wraps as Go's. */
#define SPECIAL_ZERO_YEAR (-INT64_C(292277022399))
#define SPECIAL_ZERO_SEC  UINT64_C(9223372028715321600)
#define SPECIAL_CYCLE     146097 /* days of 400 years */

struct special_date {
    int64_t year;
    int month, day, weekday, yearday, hour, minute, month_days;
};

static bool
special_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static struct special_date
special_date_of(double t)
{
    static const int months[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t unix_sec = t >= -0x1p63 && t < 0x1p63 ? (int64_t)t : INT64_MIN;
    uint64_t sec = (uint64_t)unix_sec + SPECIAL_ZERO_SEC, days = sec / 86400;
    struct special_date d = {.weekday = (int)((days + 1) % 7),
                             .hour = (int)(sec % 86400 / 3600),
                             .minute = (int)(sec % 3600 / 60)};
    uint64_t year = days / SPECIAL_CYCLE * 400, left = days % SPECIAL_CYCLE, n = left / 36524;
    n -= n >> 2;
    year += n * 100, left -= n * 36524;
    n = left / 1461;
    year += n * 4, left -= n * 1461;
    n = left / 365;
    n -= n >> 2;
    year += n, left -= n * 365;
    d.year = (int64_t)(year + (uint64_t)SPECIAL_ZERO_YEAR);
    d.yearday = (int)left + 1;
    for (int rest = (int)left;; rest -= d.month_days) {
        d.month_days = months[d.month] + (d.month == 1 && special_leap(d.year));
        d.month++;
        d.day = rest + 1;
        if (rest < d.month_days)
            return d;
    }
}

static double
special_date_part(const char *what, double t)
{
    struct special_date d = special_date_of(t);
    const struct {
        const char *name;
        double v;
    } parts[] = {{"year", (double)d.year},   {"month", d.month},
                 {"day_of_month", d.day},    {"day_of_week", d.weekday},
                 {"day_of_year", d.yearday}, {"hour", d.hour},
                 {"minute", d.minute},       {"days_in_month", d.month_days}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(parts[i].name, what))
            return parts[i].v;
    return NAN;
}

int
special_date(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = n->arg_count ? eval_node(e, n->args[0], ret) : eval_one(e, &special_no_labels, ret);
    for (size_t i = 0; !rc && !n->arg_count && i < e->steps; i++)
        ret->series->v[i] = floor((double)eval_time(e, i) / 1000);
    for (size_t k = 0; !rc && k < ret->count; k++)
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = special_date_part(n->function->name, ret->series[k].v[i]);
    return rc ? rc : eval_drop_names(e, ret, false);
}

int
special_time(struct eval *e, const struct ast *n, struct value *ret)
{
    (void)n;
    double *row = special_row(e, ret);
    for (size_t i = 0; row && i < e->steps; i++)
        row[i] = (double)eval_time(e, i) / 1000;
    return row ? 0 : ERR_LIMIT;
}

int
special_pi(struct eval *e, const struct ast *n, struct value *ret)
{
    (void)n;
    double *row = special_row(e, ret);
    for (size_t i = 0; row && i < e->steps; i++)
        row[i] = M_PI;
    return row ? 0 : ERR_LIMIT;
}

/* Of a selector the samples' own times; of anything else the evaluation's. */
int
special_timestamp(struct eval *e, const struct ast *n, struct value *ret)
{
    const struct ast *a = ast_bare(n->args[0]);
    bool selector = a->kind == AST_SELECTOR;
    int rc = selector ? select_vector(e, a, true, ret) : eval_node(e, n->args[0], ret);
    for (size_t k = 0; !rc && !selector && k < ret->count; k++)
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = (double)eval_time(e, i) / 1000;
    return rc ? rc : eval_drop_names(e, ret, false);
}

/* --- scalar, vector, sort --------------------------------------------------------------------- */

int
special_scalar(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    int rc = eval_node(e, n->args[0], &v);
    double *row = rc ? NULL : special_row(e, ret);
    for (size_t i = 0; row && i < e->steps; i++) {
        size_t there = 0;
        for (size_t k = 0; k < v.count; k++)
            if (!absent(v.series[k].v[i])) {
                there++;
                row[i] = v.series[k].v[i];
            }
        if (there != 1)
            row[i] = NAN;
    }
    return rc ? rc : row ? 0 : ERR_LIMIT;
}

int
special_vector(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value v;
    int rc = eval_node(e, n->args[0], &v);
    if (!rc)
        rc = eval_one(e, &special_no_labels, ret);
    for (size_t i = 0; !rc && i < e->steps; i++)
        ret->series->v[i] = v.scalar[i];
    return rc;
}

/* By value, NaN last; equal ones by labels. */
static int
special_order(const struct series *a, const struct series *b, int sign)
{
    double x = a->v[0], y = b->v[0];
    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    if (x != y && !isnan(x))
        return x < y ? -sign : sign;
    return labels_compare(a->labels, b->labels);
}

static int
special_up(const void *a, const void *b)
{
    return special_order(a, b, 1);
}

static int
special_down(const void *a, const void *b)
{
    return special_order(a, b, -1);
}

/* Orders an instant query's answer; range queries are in order of labels. */
int
special_sort(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = eval_node(e, n->args[0], ret);
    size_t kept = 0;
    if (rc || e->steps != 1)
        return rc;
    for (size_t k = 0; k < ret->count; k++)
        if (!absent(ret->series[k].v[0]))
            ret->series[kept++] = ret->series[k];
    ret->count = kept;
    if (kept)
        qsort(ret->series, kept, sizeof *ret->series,
              n->function->name[4] ? special_down : special_up);
    ret->sorted = true;
    return 0;
}

/* Functions of native histograms: samples that are none give nothing. */
int
special_nothing(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = eval_node(e, n->args[n->arg_count - 1], ret);
    if (!rc)
        *ret = (struct value){.type = PROMQL_VECTOR, .one_name = true};
    return rc;
}

/* --- labels ----------------------------------------------------------------------------------- */

#define SPECIAL_WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static bool
special_name_ok(const char *s)
{
    return *s && !strchr("0123456789", *s) && strspn(s, SPECIAL_WORD) == strlen(s);
}

/* The text of a string argument; parentheses may stand round it. */
static const struct ast *
special_text(const struct ast *n, size_t arg)
{
    return ast_bare(n->args[arg]);
}

/* The group that a $name means; count when there is none. */
static size_t
special_group(const char *name, size_t len, const struct regex_capture *c, size_t count)
{
    size_t k = 0;
    if (strspn(name, "0123456789") >= len && len < 9 && (*name != '0' || len == 1))
        return (size_t)strtoul(name, NULL, 10);
    while (k < count && !(strlen(c[k].name) == len && !memcmp(c[k].name, name, len)))
        k++;
    return k;
}

/* Replacement text with $1, ${1}, ${name}, $$ from a match, as Go's Expand. */
static void
special_expand(const char *text, const struct regex_capture *c, size_t count, struct buf *out)
{
    for (const char *p = text; *p; p++) {
        bool brace = p[0] == '$' && p[1] == '{';
        const char *name = p + 1 + brace;
        size_t len = *p == '$' ? strspn(name, SPECIAL_WORD) : 0;
        if (p[0] == '$' && p[1] == '$') {
            buf_putc(out, *++p);
        } else if (!len || (brace && name[len] != '}')) {
            buf_putc(out, *p);
        } else {
            size_t k = special_group(name, len, c, count);
            if (k < count && c[k].text)
                buf_append(out, c[k].text, c[k].len);
            p = name + len - 1 + brace;
        }
    }
}

static int
special_replace(struct eval *e, const struct ast *n, const struct regex *re, struct series *s)
{
    const char *src = special_text(n, 3)->text;
    const struct label *l = labels_find(s->labels, src);
    struct regex_capture c[REGEX_CAPTURES_MAX];
    size_t count = REGEX_CAPTURES_MAX;
    struct buf out;
    if (l && s->nameless && !strcmp(src, "__name__"))
        l = NULL;
    int m = regex_match(re, l ? l->value : "", l ? l->value_len : 0, c, &count);
    if (m < 0)
        return eval_fail(e, m, "label_replace(): the expression takes too long on a value");
    if (!m)
        return 0;
    buf_init(&out, LABEL_VALUE_MAX);
    special_expand(special_text(n, 2)->text, c, count, &out);
    s->labels = labels_plain(e, s);
    s->nameless = false;
    if (out.failed)
        m = eval_fail(e, ERR_LIMIT, "label_replace() makes a value longer than %d bytes",
                      LABEL_VALUE_MAX);
    else if (!s->labels || !(s->labels = labels_set(e, s->labels, special_text(n, 1)->text,
                                                    buf_str(&out), out.len)))
        m = ERR_LIMIT;
    buf_done(&out);
    return m < 0 ? m : 0;
}

int
special_label_replace(struct eval *e, const struct ast *n, struct value *ret)
{
    const char *dst = special_text(n, 1)->text, *pattern = special_text(n, 4)->text;
    struct regex *re = NULL;
    char fault[400];
    if (parse_regex_fault(pattern, fault, sizeof fault) ||
        regex_compile(pattern, strlen(pattern), REGEX_ANCHORED | REGEX_UTF, &re, NULL))
        return eval_fail(e, ERR_SYNTAX, "invalid regular expression in label_replace(): %s",
                         pattern);
    int rc = special_name_ok(dst)
                 ? eval_node(e, n->args[0], ret)
                 : eval_fail(e, ERR_SYNTAX, "invalid destination label name in label_replace(): %s",
                             dst);
    for (size_t k = 0; !rc && k < ret->count; k++)
        rc = special_replace(e, n, re, &ret->series[k]);
    regex_free(re);
    ret->one_name = ret->sorted = false;
    return rc ? rc : eval_merge(e, ret, false);
}

static int
special_join(struct eval *e, const struct ast *n, struct series *s, struct buf *out)
{
    buf_reset(out);
    if (!(s->labels = labels_plain(e, s)))
        return ERR_LIMIT;
    s->nameless = false;
    for (size_t i = 3; i < n->arg_count; i++) {
        const struct label *l = labels_find(s->labels, special_text(n, i)->text);
        if (i > 3)
            buf_puts(out, special_text(n, 2)->text);
        if (l)
            buf_append(out, l->value, l->value_len);
    }
    if (out->failed)
        return eval_fail(e, ERR_LIMIT, "label_join() makes a value longer than %d bytes",
                         LABEL_VALUE_MAX);
    s->labels = labels_set(e, s->labels, special_text(n, 1)->text, buf_str(out), out->len);
    return s->labels ? 0 : ERR_LIMIT;
}

int
special_label_join(struct eval *e, const struct ast *n, struct value *ret)
{
    struct buf out;
    for (size_t i = 3; i < n->arg_count; i++)
        if (!special_name_ok(special_text(n, i)->text))
            return eval_fail(e, ERR_SYNTAX, "invalid source label name in label_join(): %s",
                             special_text(n, i)->text);
    if (!special_name_ok(special_text(n, 1)->text))
        return eval_fail(e, ERR_SYNTAX, "invalid destination label name in label_join(): %s",
                         special_text(n, 1)->text);
    int rc = eval_node(e, n->args[0], ret);
    buf_init(&out, LABEL_VALUE_MAX);
    for (size_t k = 0; !rc && k < ret->count; k++)
        rc = special_join(e, n, &ret->series[k], &out);
    buf_done(&out);
    ret->one_name = ret->sorted = false;
    return rc ? rc : eval_merge(e, ret, false);
}

/* --- histograms ------------------------------------------------------------------------------- */

struct special_bucket {
    double bound;
    const double *v;
    size_t group;
};

static int
special_bucket_order(const void *a, const void *b)
{
    const struct special_bucket *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->bound > y->bound) - (x->bound < y->bound);
}

static double
special_quantile(double q, const double *bounds, double *counts, size_t n)
{
    if (isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (!isinf(bounds[n - 1]) || bounds[n - 1] < 0 || n < 2)
        return NAN;
    for (size_t i = 1; i < n; i++) /* buckets are cumulative: a smaller one is noise of scraping */
        counts[i] = counts[i] < counts[i - 1] ? counts[i - 1] : counts[i];
    double total = counts[n - 1], rank = q * total;
    if (total == 0)
        return NAN;
    size_t b = 0, end = n - 1;
    while (b < end) { /* the first that reaches the rank; NaN never does */
        size_t mid = (b + end) / 2;
        if (counts[mid] >= rank)
            end = mid;
        else
            b = mid + 1;
    }
    if (b == n - 1)
        return bounds[n - 2];
    if (b == 0 && bounds[0] <= 0)
        return bounds[0];
    double start = b ? bounds[b - 1] : 0, count = b ? counts[b] - counts[b - 1] : counts[b];
    if (b)
        rank -= counts[b - 1];
    return start + (bounds[b] - start) * (rank / count);
}

/* One histogram's buckets in order of bounds, step by step. */
static void
special_histogram(const struct eval *e, const double *q, const struct special_bucket *b, size_t n,
                  double *bounds, double *counts, double *out)
{
    for (size_t i = 0; i < e->steps; i++) {
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
            out[i] = special_quantile(q[i], bounds, counts, m);
    }
}

/* Buckets of the vector with their histogram's number; series without a readable bound are left
 * out. */
static size_t
special_buckets(const struct value *v, struct groups *g, struct special_bucket *all)
{
    size_t n = 0;
    for (size_t k = 0; k < v->count; k++) {
        const struct label *l = labels_find(v->series[k].labels, "le");
        if (!l || str_double(l->value, l->value_len, &all[n].bound))
            continue;
        all[n].v = v->series[k].v;
        all[n++].group = groups_take(g, &v->series[k]);
    }
    return n;
}

int
special_histogram_quantile(struct eval *e, const struct ast *n, struct value *ret)
{
    static const char *const le[] = {"le"};
    struct ast_names drop = {(const char **)(uintptr_t)le, 1};
    struct value q, v;
    struct pick pick;
    struct groups g = {0};
    int rc = eval_node(e, n->args[0], &q);
    if (!rc)
        rc = eval_node(e, n->args[1], &v);
    pick_init(&pick, PICK_WITHOUT, &drop, false);
    if (!rc)
        rc = groups_init(&g, e, &pick, v.count);
    struct special_bucket *all = rc ? NULL : eval_alloc(e, v.count, sizeof *all);
    double *bounds = rc ? NULL : eval_alloc(e, v.count, sizeof *bounds),
           *counts = rc ? NULL : eval_alloc(e, v.count, sizeof *counts);
    size_t count = all ? special_buckets(&v, &g, all) : 0;
    struct series *out = all ? eval_alloc(e, g.count, sizeof *out) : NULL;
    rc = rc ? rc : bounds && counts && out ? 0 : ERR_LIMIT;
    if (!rc && count)
        qsort(all, count, sizeof *all, special_bucket_order);
    *ret = (struct value){.type = PROMQL_VECTOR, .series = out};
    for (size_t i = 0, end; !rc && i < count; i = end) {
        for (end = i; end < count && all[end].group == all[i].group; end++)
            continue;
        struct series *s = &out[ret->count++];
        *s = (struct series){.labels = pick_labels(e, &pick, g.at[all[i].group].first, 0),
                             .v = eval_row(e, true),
                             .nameless = true};
        rc = s->labels && s->v ? 0 : ERR_LIMIT;
        if (!rc)
            special_histogram(e, q.scalar, &all[i], end - i, bounds, counts, s->v);
    }
    groups_done(&g);
    return rc ? rc : eval_drop_names(e, ret, false);
}
