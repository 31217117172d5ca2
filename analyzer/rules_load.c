/* rules_load: rule files in Prometheus' format, every error with file, line and sentence; and the
 * knowledge base's metric and delta signals as hidden rules, where no detector covers the entry
 * already. */
#include "analyzer/detect_priv.h"
#include "analyzer/rules_priv.h"
#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
rules_keep(struct rules *r, const char *s)
{
    return arena_str(r->arena, s, strlen(s));
}

static int
rules_duration_of(const struct doc *d, const struct doc_node *map, const char *key, int64_t dflt,
                  int64_t *ret, struct err *err)
{
    const struct doc_node *n = doc_get(map, key);
    *ret = dflt;
    if (n && duration_parse(doc_str(n, ""), ret))
        return doc_err(d, n, err, ERR_SYNTAX, "%s: '%s' is not a duration", key, doc_str(n, ""));
    return 0;
}

static int
rules_pairs(struct rules *r, const struct doc *d, const struct doc_node *map, struct rule_pair *out,
            size_t *ret_count, struct err *err)
{
    static const struct labels none = {0};
    const struct rules_scope nothing = {.labels = &none};
    *ret_count = 0;
    if (map && map->kind != DOC_MAP && map->kind != DOC_NULL)
        return doc_err(d, map, err, ERR_SYNTAX, "names and values are expected here");
    for (const struct doc_node *n = map && map->kind == DOC_MAP ? map->first : NULL; n;
         n = n->next) {
        struct buf text;
        if (*ret_count == RULES_PAIRS)
            return doc_err(d, n, err, ERR_LIMIT, "more than %d names", RULES_PAIRS);
        buf_init(&text, 65536);
        int rc = rules_expand(doc_str(n, ""), &nothing, &text);
        buf_done(&text);
        if (rc)
            return doc_err(d, n, err, rc, "%s: this template is not understood", n->key);
        out[*ret_count] = (struct rule_pair){rules_keep(r, n->key), rules_keep(r, doc_str(n, ""))};
        (*ret_count)++;
    }
    return 0;
}

/* The first metric of an expression that the table knows: it tells what entity the results are of.
 */
static const struct metric_row *
rules_row(const struct rules *r, const char *expr)
{
    while (*expr) {
        size_t n = 0;
        while (isalnum((unsigned char)expr[n]) || expr[n] == '_' || expr[n] == ':')
            n++;
        const struct metric_row *row = n ? metric_find(r->cfg->metrics, expr, n) : NULL;
        if (row)
            return row;
        expr += n ? n : 1;
    }
    return NULL;
}

static int
rules_rule(struct rules *r, const struct doc *d, const struct doc_node *n, struct rule *out,
           struct err *err)
{
    static const char *const known[] = {"record",          "alert",  "expr",        "for",
                                        "keep_firing_for", "labels", "annotations", NULL};
    const char *alert = doc_get_str(n, "alert", NULL), *record = doc_get_str(n, "record", NULL);
    const struct doc_node *expr = doc_get(n, "expr");
    char code[EVENT_CODE_MAX + 1];
    struct err why;
    int rc = doc_only(d, n, known, err);
    if (rc)
        return rc;
    if (!alert == !record)
        return doc_err(d, n, err, ERR_SYNTAX, "a rule has either 'alert' or 'record'");
    if (!doc_str(expr, NULL))
        return doc_err(d, n, err, ERR_SYNTAX, "rule '%s' has no 'expr'", alert ? alert : record);
    if (record && (doc_get(n, "for") || doc_get(n, "annotations") || doc_get(n, "keep_firing_for")))
        return doc_err(
            d, n, err, ERR_SYNTAX,
            "'for', 'keep_firing_for' and 'annotations' belong to alerts, not to record '%s'",
            record);
    *out = (struct rule){.alerting = alert != NULL,
                         .name = rules_keep(r, alert ? alert : record),
                         .text = rules_keep(r, doc_str(expr, ""))};
    if (promql_parse(out->text, &out->query, &why))
        return doc_err(d, expr, err, ERR_SYNTAX, "expr of '%s': %s", out->name, why.text);
    if ((rc = rules_duration_of(d, n, "for", 0, &out->for_ms, err)) ||
        (rc = rules_duration_of(d, n, "keep_firing_for", 0, &out->keep_ms, err)) ||
        (rc = rules_pairs(r, d, doc_get(n, "labels"), out->labels, &out->label_count, err)) ||
        (rc = rules_pairs(r, d, doc_get(n, "annotations"), out->annotations, &out->annotation_count,
                          err)))
        return rc;
    snprintf(code, sizeof code, "rule.%.100s", out->name);
    int severity = severity_find(doc_get_str(doc_get(n, "labels"), "severity", "warning"));
    out->severity = severity < 0 ? SEVERITY_WARNING : (enum severity)severity;
    out->code = rules_keep(r, code);
    out->row = rules_row(r, out->text);
    out->instances = map_new(RULES_INSTANCES);
    return out->instances ? 0 : err_set(err, ERR_NOMEM, "no memory for rules");
}

static struct rules_group *
rules_group_new(struct rules *r, const char *name, const char *file, size_t rules)
{
    struct rules_group *p = realloc(r->groups, (r->count + 1) * sizeof *p);
    if (!p)
        return NULL;
    r->groups = p;
    struct rules_group *g = &p[r->count];
    *g = (struct rules_group){.name = rules_keep(r, name),
                              .file = rules_keep(r, file),
                              .interval_ms = RULES_INTERVAL_MS,
                              .rules = calloc(rules + 1, sizeof *g->rules)};
    if (!g->rules)
        return NULL;
    r->count++;
    return g;
}

static int
rules_group_load(struct rules *r, const struct doc *d, const struct doc_node *n, const char *path,
                 struct err *err)
{
    static const char *const known[] = {"name",   "interval", "limit", "query_offset",
                                        "labels", "rules",    NULL};
    const struct doc_node *list = doc_get(n, "rules");
    int rc = doc_only(d, n, known, err);
    if (rc)
        return rc;
    const char *name = doc_get_str(n, "name", "");
    if (!*name)
        return doc_err(d, n, err, ERR_SYNTAX, "a group has no 'name'");
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->groups[i].name, name) && !strcmp(r->groups[i].file, path))
            return doc_err(d, n, err, ERR_EXISTS, "there are two groups '%s'", name);
    if (list && list->kind != DOC_SEQ)
        return doc_err(d, list, err, ERR_SYNTAX, "'rules' of group '%s' is not a list", name);
    if ((r->total += list ? list->count : 0) > RULES_MAX)
        return doc_err(d, n, err, ERR_LIMIT, "more than %d rules", RULES_MAX);
    struct rules_group *g = rules_group_new(r, name, path, list ? list->count : 0);
    if (!g)
        return err_set(err, ERR_NOMEM, "no memory for rules");
    g->limit = doc_get_int(n, "limit", 0);
    if ((rc = rules_duration_of(d, n, "interval", RULES_INTERVAL_MS, &g->interval_ms, err)))
        return rc;
    for (const struct doc_node *m = list ? list->first : NULL; m; m = m->next)
        if ((rc = rules_rule(r, d, m, &g->rules[g->count++], err)))
            return rc;
    return 0;
}

int
rules_load_file(struct rules *r, const char *path, struct err *err)
{
    static const char *const known[] = {"groups", NULL};
    struct doc *d = NULL;
    int rc = doc_load_yaml(path, &d, err);
    if (rc)
        return rc;
    const struct doc_node *root = doc_root(d), *groups = doc_get(root, "groups");
    if (!root || root->kind != DOC_MAP || !groups || groups->kind != DOC_SEQ)
        rc = doc_err(d, root, err, ERR_SYNTAX, "a rule file has a list 'groups'");
    if (!rc)
        rc = doc_only(d, root, known, err);
    for (const struct doc_node *n = rc ? NULL : groups->first; n && !rc; n = n->next)
        rc = rules_group_load(r, d, n, path, err);
    doc_free(d);
    return rc;
}

/* --- the knowledge base's signals ------------------------------------------------------------- */

static bool
rules_detected(const char *id)
{
    for (size_t i = 0; i < detect_table_size; i++)
        if (!strcmp(detect_table[i].code, id))
            return true;
    return false;
}

static int
rules_signal(struct rules *r, const struct kb_entry *e, const struct kb_signal *s, struct rule *out)
{
    char expr[2048], over[TIME_TEXT_SIZE];
    struct err err;
    if (s->kind == KB_SIGNAL_DELTA)
        snprintf(expr, sizeof expr, "increase(%s[%s]) > %.17g", s->metric,
                 duration_format(s->over_ms, over), s->above);
    else
        snprintf(expr, sizeof expr, "%s", s->expr);
    *out = (struct rule){.alerting = true,
                         .hidden = true,
                         .name = e->id,
                         .code = e->id,
                         .severity = e->severity,
                         .for_ms = s->kind == KB_SIGNAL_METRIC ? s->for_ms : 0,
                         .scope = e->scope,
                         .text = rules_keep(r, expr)};
    if (!out->text || promql_parse(out->text, &out->query, &err))
        return ERR_SYNTAX;
    out->row = rules_row(r, expr);
    out->instances = map_new(RULES_INSTANCES);
    return out->instances ? 0 : ERR_NOMEM;
}

int
rules_load_kb(struct rules *r, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < kb_count(r->cfg->kb); i++)
        n += kb_at(r->cfg->kb, i)->signal_count;
    struct rules_group *g = rules_group_new(r, "knowledge base", "", n);
    if (!g)
        return err_set(err, ERR_NOMEM, "no memory for the knowledge base's rules");
    for (size_t i = 0; i < kb_count(r->cfg->kb); i++) {
        const struct kb_entry *e = kb_at(r->cfg->kb, i);
        for (size_t k = 0; k < e->signal_count && !rules_detected(e->id); k++) {
            const struct kb_signal *s = &e->signals[k];
            if (s->kind != KB_SIGNAL_METRIC && s->kind != KB_SIGNAL_DELTA)
                continue;
            int rc = rules_signal(r, e, s, &g->rules[g->count]);
            if (rc == ERR_NOMEM)
                return err_set(err, rc, "no memory for the knowledge base's rules");
            if (!rc)
                g->count++;
        }
    }
    return 0;
}

/* --- what has series at all ------------------------------------------------------------------- */

static int
rules_present_cb(void *ctx, const char *name)
{
    return map_set(ctx, name, strlen(name), ctx, NULL);
}

bool
rules_present(struct rules *r, const struct rule *rule, int64_t now_ms)
{
    const char *s = rule->text;
    if (!r->present || now_ms - r->present_ms > 60000 || now_ms < r->present_ms) {
        map_free(r->present, NULL);
        r->present = map_new(1000000);
        r->present_ms = now_ms;
        if (r->present)
            store_label_values(r->cfg->store, "__name__", NULL, 0, now_ms - 600000, now_ms,
                               rules_present_cb, r->present);
    }
    while (*s && r->present) {
        size_t n = 0;
        while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':')
            n++;
        if (n && map_get(r->present, s, n))
            return true;
        s += n ? n : 1;
    }
    return false;
}
