/* rules_unit: unit tests of rules in promtool's file format: input series in expanding notation,
 * then what must fire and what an expression must give at a time. Each test has a store of its own
 * in a temporary folder and a clock of its own. */
#include "analyzer/rules_priv.h"
#include "base/str.h"

#include <ftw.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIT_ZERO_MS INT64_C(0) /* a test's time 0, as promtool has it */
#define UNIT_VALUES  100000
#define UNIT_STEPS   100000

struct unit {
    const struct doc *doc;
    const struct doc_node *file, *test;
    const char *path;
    struct rules *rules;
    struct store *store;
    struct metric_table *metrics;
    struct analyzer_config cfg;
    int64_t now_ms, interval_ms;
    struct buf *out;
    int failures;
    char folder[64];
};

static int64_t
unit_now(void *ctx)
{
    return ((struct unit *)ctx)->now_ms;
}

static int
unit_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

/* --- series ----------------------------------------------------------------------------------- */

/* A series as a selector writes it, equal signs alone; "" is {}. *ret_q owns the texts. */
static int
unit_labels(const char *s, struct promql **ret_q, struct labels *l)
{
    const struct matcher *m;
    size_t n;
    struct err err;
    *l = (struct labels){0};
    *ret_q = NULL;
    int rc = promql_parse_selector(*s ? s : "{}", ret_q, &err);
    if (!rc)
        rc = promql_selector(*ret_q, &m, &n, &err);
    for (size_t i = 0; !rc && i < n; i++)
        rc = m[i].op == MATCH_EQ ? labels_add_str(l, m[i].name, m[i].value) : ERR_SYNTAX;
    return rc ? rc : labels_finish(l);
}

struct unit_values {
    struct sample *at;
    size_t count;
    int64_t t_ms, step_ms;
};

static int
unit_value(struct unit_values *v, double x, bool there)
{
    if (v->count >= UNIT_VALUES)
        return ERR_LIMIT;
    if (there)
        v->at[v->count++] = (struct sample){v->t_ms, x};
    v->t_ms += v->step_ms;
    return 0;
}

/* "1 2 3", "0+10x5", "100-1x3", "_", "_x4", "stale", "5x3". */
static int
unit_expand(const char *s, struct unit_values *v)
{
    int rc = 0;
    while (!rc && *(s += strspn(s, " \t\n"))) {
        char word[64], *end;
        size_t n = strcspn(s, " \t\n");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        s += n;
        char *x = strchr(word, 'x');
        unsigned long times = x ? strtoul(x + 1, NULL, 10) : 0;
        if (*word == '_') {
            for (unsigned long i = 0; !rc && i < (x ? times : 1); i++)
                rc = unit_value(v, 0, false);
            continue;
        }
        if (!strcmp(word, "stale")) {
            rc = unit_value(v, sample_stale(), true);
            continue;
        }
        if (x) /* 0x20 is not a number of base 16 */
            *x = 0;
        double first = strtod(word, &end), step = *end ? strtod(end, &end) : 0;
        if (end == word || *end)
            return ERR_SYNTAX;
        for (unsigned long i = 0; !rc && i <= times; i++)
            rc = unit_value(v, first + (double)i * step, true);
    }
    return rc;
}

static int
unit_series(struct unit *u, const struct doc_node *n, struct err *err)
{
    const char *name = doc_get_str(n, "series", "");
    struct promql *q = NULL;
    struct labels l;
    struct unit_values v = {
        .at = calloc(UNIT_VALUES, sizeof *v.at), .t_ms = UNIT_ZERO_MS, .step_ms = u->interval_ms};
    struct store_batch *b = store_batch_new(u->store);
    int rc = v.at && b ? 0 : err_set(err, ERR_NOMEM, "no memory for the test");
    if (!rc && unit_labels(name, &q, &l))
        rc = doc_err(u->doc, n, err, ERR_SYNTAX, "this series is not understood: %s", name);
    if (!rc && unit_expand(doc_get_str(n, "values", ""), &v))
        rc = doc_err(u->doc, n, err, ERR_SYNTAX, "these values are not understood: %s",
                     doc_get_str(n, "values", ""));
    if (!rc && v.count)
        rc = store_batch_samples(b, &l, v.at, v.count);
    free(v.at);
    promql_free(q);
    if (rc) {
        store_batch_free(b);
        return rc;
    }
    return b ? store_commit(u->store, b, NULL, err) : rc;
}

/* --- what is expected ------------------------------------------------------------------------- */

static bool
unit_same_labels(const struct labels *l, const struct doc_node *want, const char *alertname)
{
    char value[LABEL_VALUE_MAX + 1];
    size_t n = 0;
    for (const struct doc_node *m = want ? want->first : NULL; m; m = m->next, n++)
        if (!labels_copy(l, m->key, value, sizeof value) || strcmp(value, doc_str(m, "")))
            return false;
    return n + (doc_get(want, "alertname") ? 0 : 1) == l->count &&
           labels_copy(l, "alertname", value, sizeof value) && !strcmp(value, alertname);
}

static bool
unit_same_annotations(const struct rule *rule, const struct rule_instance *i,
                      const struct doc_node *want)
{
    for (size_t k = 0; k < rule->annotation_count; k++)
        if (strcmp(doc_get_str(want, rule->annotations[k].name, ""),
                   i->annotations[k].value ? i->annotations[k].value : ""))
            return false;
    return !want || want->count == rule->annotation_count;
}

static void
unit_alert(struct unit *u, const struct doc_node *n)
{
    const char *name = doc_get_str(n, "alertname", "");
    const struct doc_node *want = doc_get(n, "exp_alerts");
    size_t firing = 0, met = 0, expected = want ? want->count : 0, pos;
    void *value;
    for (size_t i = 0; i < u->rules->count; i++)
        for (size_t k = 0; k < u->rules->groups[i].count; k++) {
            const struct rule *rule = &u->rules->groups[i].rules[k];
            pos = 0;
            while (rule->alerting && !strcmp(rule->name, name) &&
                   map_next(rule->instances, &pos, NULL, &value)) {
                const struct rule_instance *inst = value;
                firing += inst->state == RULE_FIRING;
                for (const struct doc_node *m = want ? want->first : NULL;
                     m && inst->state == RULE_FIRING; m = m->next)
                    met += unit_same_labels(inst->labels, doc_get(m, "exp_labels"), name) &&
                           unit_same_annotations(rule, inst, doc_get(m, "exp_annotations"));
            }
        }
    if (firing == expected && met == expected)
        return;
    u->failures++;
    buf_printf(u->out, "%s:%u: %s at %s: %zu firing, %zu expected, %zu of them as described\n",
               u->path, n->line, name, doc_get_str(n, "eval_time", "0"), firing, expected, met);
}

static bool
unit_sample(const struct promql_result *res, const struct doc_node *want)
{
    static const struct labels none = {0};
    struct promql *q;
    struct labels l;
    bool met = false, bad = unit_labels(doc_get_str(want, "labels", ""), &q, &l) != 0;
    const char *text = doc_get_str(want, "value", "0");
    double v = doc_get_real(want, "value", 0), got;
    str_double(text, strlen(text), &v);
    for (size_t i = 0; !bad && !met && (i < res->set.count || res->type == PROMQL_SCALAR); i++) {
        const struct labels *is = res->type == PROMQL_VECTOR ? res->set.rows[i].labels : &none;
        got = res->type == PROMQL_VECTOR ? res->set.rows[i].samples[0].v : res->scalar.v;
        met = is->count == l.count && labels_hash(is) == labels_hash(&l) &&
              (fabs(got - v) <= 1e-9 * fmax(1, fabs(v)) || got == v);
        if (res->type != PROMQL_VECTOR)
            break;
    }
    promql_free(q);
    return met;
}

static void
unit_expr(struct unit *u, const struct doc_node *n, int64_t at_ms)
{
    const struct doc_node *want = doc_get(n, "exp_samples");
    struct promql *q = NULL;
    struct promql_result res;
    struct err err;
    size_t met = 0, expected = want ? want->count : 0;
    int rc = promql_parse(doc_get_str(n, "expr", ""), &q, &err);
    if (!rc)
        rc = promql_instant(u->store, q, at_ms, NULL, &res, &err);
    promql_free(q);
    if (rc) {
        u->failures++;
        buf_printf(u->out, "%s:%u: %s\n", u->path, n->line, err.text);
        return;
    }
    for (const struct doc_node *m = want ? want->first : NULL; m; m = m->next)
        met += unit_sample(&res, m);
    size_t got = res.type == PROMQL_VECTOR ? res.set.count : 1;
    if (met != expected || got != expected) {
        u->failures++;
        buf_printf(u->out, "%s:%u: %s at %s: %zu samples, %zu expected, %zu of them equal\n",
                   u->path, n->line, doc_get_str(n, "expr", ""), doc_get_str(n, "eval_time", "0"),
                   got, expected, met);
    }
    promql_result_done(&res);
}

/* Everything whose time is in (from, to]. */
static void
unit_check(struct unit *u, int64_t from_ms, int64_t to_ms)
{
    static const char *const kinds[] = {"alert_rule_test", "promql_expr_test"};
    for (size_t k = 0; k < 2; k++) {
        const struct doc_node *list = doc_get(u->test, kinds[k]);
        for (const struct doc_node *n = list ? list->first : NULL; n; n = n->next) {
            int64_t at = 0;
            duration_parse(doc_get_str(n, "eval_time", "0"), &at);
            if (at <= from_ms || at > to_ms)
                continue;
            if (k)
                unit_expr(u, n, UNIT_ZERO_MS + at);
            else
                unit_alert(u, n);
        }
    }
}

static void
unit_emit(void *ctx, const struct event *ev)
{
    (void)ctx, (void)ev;
}

static int64_t
unit_last(const struct unit *u)
{
    static const char *const kinds[] = {"alert_rule_test", "promql_expr_test"};
    int64_t last = 0, at;
    for (size_t k = 0; k < 2; k++) {
        const struct doc_node *list = doc_get(u->test, kinds[k]);
        for (const struct doc_node *n = list ? list->first : NULL; n; n = n->next)
            if (!duration_parse(doc_get_str(n, "eval_time", "0"), &at) && at > last)
                last = at;
    }
    return last;
}

/* Files by a pattern; none is not an error, as in promtool. */
static int
unit_rules_of(struct unit *u, const char *pattern, struct err *err)
{
    glob_t found;
    int rc = 0;
    if (glob(pattern, 0, NULL, &found))
        return 0;
    for (size_t i = 0; !rc && i < found.gl_pathc; i++)
        rc = rules_load_file(u->rules, found.gl_pathv[i], err);
    globfree(&found);
    return rc;
}

static int
unit_rules(struct unit *u, struct err *err)
{
    char path[4096];
    const struct doc_node *files = doc_get(u->file, "rule_files");
    const char *slash = strrchr(u->path, '/');
    int rc = rules_new(&u->cfg, &u->rules, err);
    for (const struct doc_node *n = files ? files->first : NULL; n && !rc; n = n->next) {
        const char *name = doc_str(n, "");
        snprintf(path, sizeof path, "%.*s%s",
                 *name == '/' || !slash ? 0 : (int)(slash - u->path + 1), u->path, name);
        rc = unit_rules_of(u, path, err);
    }
    return rc;
}

static int
unit_run(struct unit *u, int64_t every_ms, struct err *err)
{
    struct clock clock = {unit_now, u};
    struct store_config sc = {.folder = u->folder,
                              .window_ms = (int64_t)400 * 86400000,
                              .retention_ms = (int64_t)36500 * 86400000,
                              .clock = &clock};
    int64_t last = unit_last(u);
    snprintf(u->folder, sizeof u->folder, "/tmp/myriascope-rules-XXXXXX");
    u->now_ms = UNIT_ZERO_MS + last;
    if (!mkdtemp(u->folder))
        return err_set_errno(err, "no temporary folder");
    int rc = last / every_ms > UNIT_STEPS
                 ? err_set(err, ERR_LIMIT, "more than %d evaluations", UNIT_STEPS)
                 : store_open(&sc, &u->store, err);
    u->cfg = (struct analyzer_config){.store = u->store, .metrics = u->metrics, .clock = &clock};
    if (!rc)
        rc = unit_rules(u, err);
    const struct doc_node *series = doc_get(u->test, "input_series");
    for (const struct doc_node *n = series ? series->first : NULL; n && !rc; n = n->next)
        rc = unit_series(u, n, err);
    struct topo *t = rc ? NULL : topo_get(u->store);
    for (int64_t at = 0, before = -1; t && at <= last + every_ms - 1; before = at, at += every_ms) {
        unit_check(u, before, at - 1);
        rules_turn(u->rules, t, UNIT_ZERO_MS + at, unit_emit, NULL);
        unit_check(u, at - 1, at);
    }
    if (t)
        topo_put(t);
    rules_free(u->rules);
    if (u->store)
        store_close(u->store);
    u->rules = NULL;
    u->store = NULL;
    nftw(u->folder, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
    return rc;
}

int
rules_test_file(const char *path, struct buf *out, struct err *err)
{
    static const char *const known[] = {"rule_files", "evaluation_interval", "group_eval_order",
                                        "tests", NULL};
    struct doc *d = NULL;
    struct unit u = {.path = path, .out = out};
    int64_t every = 60000;
    int rc = doc_load_yaml(path, &d, err);
    if (rc)
        return rc;
    u.doc = d;
    u.file = doc_root(d);
    u.metrics = metric_table_new();
    rc = u.metrics ? doc_only(d, u.file, known, err)
                   : err_set(err, ERR_NOMEM, "no memory for the test");
    if (duration_parse(doc_get_str(u.file, "evaluation_interval", "1m"), &every) || every < 1000)
        rc = doc_err(d, u.file, err, ERR_SYNTAX,
                     "evaluation_interval is not a duration of a second or more");
    const struct doc_node *tests = doc_get(u.file, "tests");
    for (u.test = tests ? tests->first : NULL; u.test && !rc; u.test = u.test->next) {
        u.interval_ms = every;
        if (doc_get(u.test, "interval") &&
            duration_parse(doc_get_str(u.test, "interval", ""), &u.interval_ms))
            rc = doc_err(d, u.test, err, ERR_SYNTAX, "interval is not a duration");
        else
            rc = unit_run(&u, every, err);
    }
    metric_table_free(u.metrics);
    doc_free(d);
    return rc ? rc : u.failures;
}
