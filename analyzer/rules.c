/* rules: evaluates groups when they are due, keeps the instances of alerts from pending to firing
 * to over, writes what rules record.
 *
 * An alert's instance is a set of labels. It is pending from when the expression is true, fires
 * when that has lasted `for`, is over when the expression has not been true for keep_firing_for.
 * Time is the analyzer's. */
#include "analyzer/rules.h"

#include "analyzer/rules_priv.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- instances -------------------------------------------------------------------------------- */

void
rule_instance_free(void *p)
{
    struct rule_instance *i = p;
    if (!i)
        return;
    for (size_t k = 0; k < RULES_PAIRS; k++)
        free((void *)(uintptr_t)i->annotations[k].value);
    free(i->labels);
    free(i);
}

void
rule_done(struct rule *rule)
{
    promql_free(rule->query);
    map_free(rule->instances, rule_instance_free);
}

/* A copy that owns its texts, in one block. */
static struct labels *
rules_labels_copy(const struct labels *l)
{
    size_t n = sizeof *l;
    for (size_t i = 0; i < l->count; i++)
        n += l->at[i].name_len + l->at[i].value_len + 2;
    struct labels *copy = calloc(1, n);
    if (!copy)
        return NULL;
    char *p = (char *)(copy + 1);
    copy->count = l->count;
    for (size_t i = 0; i < l->count; i++) {
        struct label *to = &copy->at[i];
        *to = l->at[i];
        to->name = memcpy(p, l->at[i].name, l->at[i].name_len);
        p += l->at[i].name_len + 1;
        to->value = memcpy(p, l->at[i].value, l->at[i].value_len);
        p += l->at[i].value_len + 1;
    }
    return copy;
}

struct rules_texts {
    struct buf at[RULES_PAIRS];
    size_t count;
};

static void
rules_texts_done(struct rules_texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        buf_done(&t->at[i]);
}

/* The result's labels without its name, with the rule's over them. `texts` owns what was expanded.
 */
static int
rules_labels_of(const struct rule *rule, const struct series_row *r,
                const struct rules_scope *scope, const char *name_label, struct rules_texts *texts,
                struct labels *out)
{
    *out = (struct labels){0};
    texts->count = 0;
    for (size_t i = 0; i < r->labels->count; i++) {
        const struct label *l = &r->labels->at[i];
        bool over =
            (l->name_len == 8 && !memcmp(l->name, "__name__", 8)) ||
            (l->name_len == strlen(name_label) && !memcmp(l->name, name_label, l->name_len));
        for (size_t k = 0; k < rule->label_count && !over; k++)
            over = strlen(rule->labels[k].name) == l->name_len &&
                   !memcmp(rule->labels[k].name, l->name, l->name_len);
        if (!over && labels_add(out, l->name, l->name_len, l->value, l->value_len))
            return ERR_LIMIT;
    }
    for (size_t k = 0; k < rule->label_count; k++) {
        struct buf *b = &texts->at[texts->count++];
        buf_init(b, LABEL_VALUE_MAX);
        if (rules_expand(rule->labels[k].value, scope, b) ||
            labels_add_str(out, rule->labels[k].name, buf_str(b)))
            return ERR_LIMIT;
    }
    if (!rule->hidden && labels_add_str(out, name_label, rule->name))
        return ERR_LIMIT;
    return labels_finish(out);
}

/* --- events ----------------------------------------------------------------------------------- */

static void
rules_entity(struct rules *r, const struct rule *rule, const struct labels *l,
             char out[ENTITY_SIZE])
{
    char name[ENTITY_SIZE];
    if (!topo_resolve(r->topo, rule->row, l, out) || entity_ok(out))
        return;
    if (labels_copy(l, "entity", name, sizeof name) && entity_ok(name))
        memcpy(out, name, sizeof name);
    else
        entity_format(out, ENTITY_CLUSTER, "site", NULL);
}

static void
rules_event(struct rules *r, const struct rule *rule, const struct rule_instance *i,
            enum event_phase phase, int64_t t_ms)
{
    char text[512];
    const char *summary = NULL;
    for (size_t k = 0; k < rule->annotation_count; k++)
        if (!strcmp(rule->annotations[k].name, "summary") ||
            (!summary && !strcmp(rule->annotations[k].name, "description")))
            summary = i->annotations[k].value;
    if (summary)
        snprintf(text, sizeof text, "%s", summary);
    else
        snprintf(text, sizeof text, "%.400s: %.6g", rule->text, i->value);
    const char *slash = strchr(i->entity, '/');
    char node[ENTITY_SIZE] = "";
    if (str_prefix(i->entity, "node:") || slash) {
        str_copy(node, sizeof node, strchr(i->entity, ':') + 1);
        node[strcspn(node, "/")] = 0;
    }
    struct event ev = {.time_ms = t_ms,
                       .phase = phase,
                       .severity = rule->severity,
                       .entity = i->entity,
                       .code = rule->code,
                       .source = "rule",
                       .text = text,
                       .node = node,
                       .job = "",
                       .tenant = "",
                       .fields = ""};
    r->emit(r->emit_ctx, &ev);
    r->emitted++;
}

static void
rules_sample(struct rules *r, const struct labels *l, int64_t t_ms, double v)
{
    struct sample s = {t_ms, v};
    if (!r->out)
        r->out = store_batch_new(r->cfg->store);
    if (r->out)
        store_batch_samples(r->out, l, &s, 1);
}

/* ALERTS{alertname, alertstate, ...} 1 while it is pending or firing; a stale marker ends it. */
static void
rules_alerts_sample(struct rules *r, const struct rule *rule, const struct rule_instance *i,
                    enum rule_state state, int64_t t_ms, bool end)
{
    struct labels l = {0};
    if (rule->hidden || state == RULE_INACTIVE)
        return;
    for (size_t k = 0; k < i->labels->count; k++)
        labels_add(&l, i->labels->at[k].name, i->labels->at[k].name_len, i->labels->at[k].value,
                   i->labels->at[k].value_len);
    if (labels_add_str(&l, "__name__", "ALERTS") ||
        labels_add_str(&l, "alertstate", state == RULE_FIRING ? "firing" : "pending") ||
        labels_finish(&l))
        return;
    rules_sample(r, &l, t_ms, end ? sample_stale() : 1);
}

/* ALERTS_FOR_STATE{alertname, ...}: since when it is true, in seconds. */
static void
rules_since_sample(struct rules *r, const struct rule *rule, const struct rule_instance *i,
                   int64_t t_ms, bool end)
{
    struct labels l = *i->labels;
    if (rule->hidden || labels_add_str(&l, "__name__", "ALERTS_FOR_STATE") || labels_finish(&l))
        return;
    rules_sample(r, &l, t_ms, end ? sample_stale() : (double)(i->active_ms / 1000));
}

/* --- one rule --------------------------------------------------------------------------------- */

static void
rules_annotate(const struct rule *rule, const struct rules_scope *scope, struct rule_instance *i)
{
    for (size_t k = 0; k < rule->annotation_count; k++) {
        struct buf b;
        buf_init(&b, EVENT_TEXT_MAX);
        rules_expand(rule->annotations[k].value, scope, &b);
        free((void *)(uintptr_t)i->annotations[k].value);
        i->annotations[k] = (struct rule_pair){rule->annotations[k].name, strdup(buf_str(&b))};
        buf_done(&b);
    }
}

static int
rules_active(struct rules *r, struct rule *rule, const struct series_row *row, int64_t now_ms)
{
    struct rules_texts texts;
    struct labels l;
    double v = row->samples[0].v;
    struct rules_scope scope = {row->labels, v, r->cfg->store, now_ms};
    int rc = rules_labels_of(rule, row, &scope, "alertname", &texts, &l);
    uint64_t key = rc ? 0 : labels_hash(&l);
    struct rule_instance *i = rc ? NULL : map_get(rule->instances, &key, sizeof key);
    if (!rc && !i) {
        i = calloc(1, sizeof *i);
        if (!i || !(i->labels = rules_labels_copy(&l)) ||
            (rc = map_set(rule->instances, &key, sizeof key, i, NULL))) {
            rule_instance_free(i);
            rules_texts_done(&texts);
            return rc ? rc : ERR_NOMEM;
        }
        i->active_ms = now_ms;
        rules_entity(r, rule, row->labels, i->entity);
    }
    rules_texts_done(&texts);
    if (rc)
        return rc;
    i->value = v;
    i->last_ms = now_ms;
    i->missed_ms = 0;
    rules_annotate(rule, &scope, i);
    enum rule_state before = i->state;
    if (i->state != RULE_FIRING && now_ms - i->active_ms >= rule->for_ms) {
        i->state = RULE_FIRING;
        i->fired_ms = now_ms;
        rules_event(r, rule, i, EVENT_BEGIN, i->active_ms);
    } else if (i->state == RULE_INACTIVE)
        i->state = RULE_PENDING;
    if (before == RULE_PENDING && i->state == RULE_FIRING)
        rules_alerts_sample(r, rule, i, before, now_ms, true);
    rules_alerts_sample(r, rule, i, i->state, now_ms, false);
    rules_since_sample(r, rule, i, now_ms, false);
    return 0;
}

/* Instances that were not true this time. */
static void
rules_over(struct rules *r, struct rule *rule, int64_t now_ms)
{
    uint64_t gone[256];
    size_t pos = 0, n = 0, len;
    void *value;
    const char *key;
    while (n < 256 && (key = map_next(rule->instances, &pos, &len, &value))) {
        struct rule_instance *i = value;
        if (i->last_ms == now_ms)
            continue;
        i->missed_ms = i->missed_ms ? i->missed_ms : now_ms;
        if (i->state == RULE_FIRING && now_ms - i->missed_ms < rule->keep_ms) {
            rules_alerts_sample(r, rule, i, i->state, now_ms, false);
            rules_since_sample(r, rule, i, now_ms, false);
            continue;
        }
        if (i->state == RULE_FIRING)
            rules_event(r, rule, i, EVENT_END, now_ms);
        rules_alerts_sample(r, rule, i, i->state, now_ms, true);
        rules_since_sample(r, rule, i, now_ms, true);
        memcpy(&gone[n++], key, sizeof *gone);
    }
    for (size_t k = 0; k < n; k++)
        rule_instance_free(map_remove(rule->instances, &gone[k], sizeof gone[k]));
}

static void
rules_record(struct rules *r, struct rule *rule, const struct series_row *row, int64_t now_ms)
{
    struct rules_texts texts;
    struct labels l;
    struct rules_scope scope = {row->labels, row->samples[0].v, r->cfg->store, now_ms};
    if (!rules_labels_of(rule, row, &scope, "__name__", &texts, &l))
        rules_sample(r, &l, now_ms, row->samples[0].v);
    rules_texts_done(&texts);
}

static void
rules_take(struct rules *r, struct rule *rule, const struct promql_result *res, int64_t now_ms)
{
    struct {
        size_t count;
        struct label at[1];
    } none = {0};
    struct sample scalar = res->scalar;
    struct series_row one = {.labels = (struct labels *)&none, .samples = &scalar, .count = 1};
    bool is_scalar = res->type == PROMQL_SCALAR;
    size_t n = is_scalar ? 1 : res->type == PROMQL_VECTOR ? res->set.count : 0;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct series_row *row = is_scalar ? &one : &res->set.rows[i];
        if (!row->count)
            continue;
        if (rule->alerting)
            rc = rules_active(r, rule, row, now_ms);
        else
            rules_record(r, rule, row, now_ms);
    }
    if (rc)
        snprintf(rule->error, sizeof rule->error,
                 "more than %d instances, or labels that do not fit", RULES_INSTANCES);
}

static void
rules_run(struct rules *r, struct rule *rule, int64_t now_ms)
{
    struct promql_options o = {.timeout_ms = 5000, .max_samples = 5000000};
    struct promql_result res;
    struct err err;
    int64_t began = clock_mono_us();
    if (rule->hidden && !map_count(rule->instances) && !rules_present(r, rule, now_ms))
        return;
    int rc = promql_instant(r->cfg->store, rule->query, now_ms, &o, &res, &err);
    pthread_mutex_lock(&r->lock);
    rule->error[0] = 0;
    rule->ran_ms = now_ms;
    if (rc)
        str_copy(rule->error, sizeof rule->error, err.text);
    else
        rules_take(r, rule, &res, now_ms);
    if (rule->alerting && !rc)
        rules_over(r, rule, now_ms);
    rule->seconds = (double)(clock_mono_us() - began) / 1e6;
    pthread_mutex_unlock(&r->lock);
    if (!rc)
        promql_result_done(&res);
}

/* Rules of a group run in order, and see what those before them recorded. */
int
rules_group_run(struct rules *r, struct rules_group *g, int64_t now_ms)
{
    struct err err;
    int rc = 0;
    for (size_t i = 0; i < g->count; i++) {
        rules_run(r, &g->rules[i], now_ms);
        if (r->out && (!g->rules[i].alerting || i + 1 == g->count)) {
            rc = store_commit(r->cfg->store, r->out, NULL, &err);
            r->out = NULL;
        }
    }
    return rc;
}

int
rules_turn(struct rules *r, struct topo *t, int64_t now_ms,
           void (*emit)(void *ctx, const struct event *ev), void *ctx)
{
    struct err err;
    r->topo = t;
    r->emit = emit;
    r->emit_ctx = ctx;
    r->emitted = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct rules_group *g = &r->groups[i];
        if (g->due_ms && now_ms < g->due_ms && g->due_ms - now_ms <= g->interval_ms)
            continue;
        g->due_ms = now_ms + g->interval_ms;
        if (rules_group_run(r, g, now_ms))
            log_write(r->cfg->log, LOG_LEVEL_ERROR,
                      "rules: what group '%s' recorded could not be stored", g->name);
    }
    if (r->out)
        store_commit(r->cfg->store, r->out, NULL, &err);
    r->out = NULL;
    r->topo = NULL;
    return r->emitted;
}

/* --- life ------------------------------------------------------------------------------------- */

int
rules_new(const struct analyzer_config *cfg, struct rules **ret, struct err *err)
{
    struct rules *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for rules");
    r->cfg = cfg;
    pthread_mutex_init(&r->lock, NULL);
    r->arena = arena_new((size_t)64 << 20);
    int rc = r->arena ? 0 : err_set(err, ERR_NOMEM, "no memory for rules");
    for (size_t i = 0; !rc && cfg->rule_files && cfg->rule_files[i]; i++)
        rc = rules_load_file(r, cfg->rule_files[i], err);
    if (!rc && cfg->kb)
        rc = rules_load_kb(r, err);
    if (rc)
        rules_free(r);
    else
        *ret = r;
    return rc;
}

void
rules_free(struct rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->groups[i].count; k++)
            rule_done(&r->groups[i].rules[k]);
        free(r->groups[i].rules);
    }
    free(r->groups);
    store_batch_free(r->out);
    map_free(r->present, NULL);
    arena_free(r->arena);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
