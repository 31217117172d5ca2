/* rules_json: what /prometheus/api/v1/rules and /alerts answer, as Prometheus 2 writes it. The
 * knowledge base's own rules are not shown. */
#include "analyzer/rules_priv.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rules_states[] = {"inactive", "pending", "firing"};

static void
rules_json_labels(struct jsonw *w, const char *key, const struct labels *l)
{
    char name[LABEL_NAME_MAX + 1];
    jsonw_key(w, key);
    jsonw_object(w);
    for (size_t i = 0; i < l->count; i++) {
        str_copy(name, l->at[i].name_len + 1 < sizeof name ? l->at[i].name_len + 1 : sizeof name,
                 l->at[i].name);
        jsonw_key(w, name);
        jsonw_strn(w, l->at[i].value, l->at[i].value_len);
    }
    jsonw_end_object(w);
}

static void
rules_json_pairs(struct jsonw *w, const char *key, const struct rule_pair *p, size_t n)
{
    jsonw_key(w, key);
    jsonw_object(w);
    for (size_t i = 0; i < n; i++)
        jsonw_kstr(w, p[i].name, p[i].value ? p[i].value : "");
    jsonw_end_object(w);
}

/* With an exponent, as Prometheus writes the value of an alert. */
static void
rules_json_value(double v, char out[32])
{
    if (!isfinite(v)) {
        str_double_format(v, out);
        return;
    }
    for (int k = 0; k <= 17; k++) {
        snprintf(out, 32, "%.*e", k, v);
        if (strtod(out, NULL) == v)
            return;
    }
}

static void
rules_json_instance(struct jsonw *w, const struct rule *rule, const struct rule_instance *i)
{
    char value[32];
    jsonw_object(w);
    rules_json_labels(w, "labels", i->labels);
    rules_json_pairs(w, "annotations", i->annotations, rule->annotation_count);
    jsonw_kstr(w, "state", rules_states[i->state]);
    jsonw_ktime(w, "activeAt", i->active_ms);
    rules_json_value(i->value, value);
    jsonw_kstr(w, "value", value);
    jsonw_end_object(w);
}

static void
rules_json_alerts(struct jsonw *w, const struct rule *rule)
{
    size_t pos = 0;
    void *value;
    while (rule->instances && map_next(rule->instances, &pos, NULL, &value))
        rules_json_instance(w, rule, value);
}

static enum rule_state
rules_json_state(const struct rule *rule)
{
    enum rule_state worst = RULE_INACTIVE;
    size_t pos = 0;
    void *value;
    while (rule->instances && map_next(rule->instances, &pos, NULL, &value)) {
        const struct rule_instance *i = value;
        worst = i->state > worst ? i->state : worst;
    }
    return worst;
}

static void
rules_json_rule(struct jsonw *w, const struct rule *rule)
{
    jsonw_object(w);
    if (rule->alerting) {
        jsonw_kstr(w, "state", rules_states[rules_json_state(rule)]);
        jsonw_kreal(w, "duration", (double)rule->for_ms / 1000);
        jsonw_kreal(w, "keepFiringFor", (double)rule->keep_ms / 1000);
        rules_json_pairs(w, "annotations", rule->annotations, rule->annotation_count);
        jsonw_key(w, "alerts");
        jsonw_array(w);
        rules_json_alerts(w, rule);
        jsonw_end_array(w);
    }
    jsonw_kstr(w, "name", rule->name);
    jsonw_kstr(w, "query", rule->text);
    rules_json_pairs(w, "labels", rule->labels, rule->label_count);
    jsonw_kstr(w, "health", *rule->error ? "err" : rule->ran_ms ? "ok" : "unknown");
    if (*rule->error)
        jsonw_kstr(w, "lastError", rule->error);
    jsonw_kstr(w, "type", rule->alerting ? "alerting" : "recording");
    jsonw_ktime(w, "lastEvaluation", rule->ran_ms);
    jsonw_kreal(w, "evaluationTime", rule->seconds);
    jsonw_end_object(w);
}

static void
rules_json_group(struct jsonw *w, const struct rules_group *g, const char *type)
{
    double seconds = 0;
    jsonw_object(w);
    jsonw_kstr(w, "name", g->name);
    jsonw_kstr(w, "file", g->file);
    jsonw_kreal(w, "interval", (double)g->interval_ms / 1000);
    jsonw_kint(w, "limit", g->limit);
    jsonw_key(w, "rules");
    jsonw_array(w);
    for (size_t i = 0; i < g->count; i++) {
        if (!type || !strcmp(type, g->rules[i].alerting ? "alert" : "record"))
            rules_json_rule(w, &g->rules[i]);
        seconds += g->rules[i].seconds;
    }
    jsonw_end_array(w);
    jsonw_kreal(w, "evaluationTime", seconds);
    jsonw_ktime(w, "lastEvaluation", g->due_ms ? g->due_ms - g->interval_ms : 0);
    jsonw_end_object(w);
}

void
rules_json(struct rules *r, const char *type, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "groups");
    jsonw_array(&w);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        if (*r->groups[i].file)
            rules_json_group(&w, &r->groups[i], type);
    pthread_mutex_unlock(&r->lock);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

void
rules_alerts_json(struct rules *r, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "alerts");
    jsonw_array(&w);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; *r->groups[i].file && k < r->groups[i].count; k++)
            if (r->groups[i].rules[k].alerting)
                rules_json_alerts(&w, &r->groups[i].rules[k]);
    pthread_mutex_unlock(&r->lock);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}
