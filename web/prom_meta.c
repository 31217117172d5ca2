/* prom_meta: the Prometheus API's questions about what there is: series, labels, metadata, rules,
 * alerts, build. */
#include "analyzer/rules.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/regex.h"
#include "base/str.h"
#include "web/prom.h"
#include "web/resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROM_META_MATCHES  32
#define PROM_META_VALUES   2000000
#define PROM_META_LOOKBACK (INT64_C(86400) * 1000) /* of /series without a start */

/* --- what was asked --------------------------------------------------------------------------- */

struct prom_meta_ask {
    struct promql *queries[PROM_META_MATCHES];
    struct matcher matchers[65]; /* of one query, with the tenant's besides */
    size_t count;
    int64_t from, to;
    const char *tenant;
};

static void
prom_meta_done(struct prom_meta_ask *a)
{
    for (size_t i = 0; i < a->count; i++)
        promql_free(a->queries[i]);
}

/* Does some matcher refuse the empty text? Else the selector would take every series. */
static bool
prom_meta_selects(const struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct regex *re = NULL;
        bool equal = m[i].op == MATCH_EQ || m[i].op == MATCH_RE, empty = !*m[i].value;
        if (m[i].op >= MATCH_RE &&
            !regex_compile(m[i].value, strlen(m[i].value), REGEX_ANCHORED | REGEX_UTF, &re, NULL))
            empty = regex_match(re, "", 0, NULL, NULL) == 1;
        regex_free(re);
        if (empty != equal)
            return true;
    }
    return false;
}

/* Negative after answering; done by the caller in every case. */
static int
prom_meta_ask(struct web *w, const struct httpd_request *req, struct httpd_response *resp,
              const char *prefix, struct prom_meta_ask *a)
{
    const char *texts[PROM_META_MATCHES];
    const struct matcher *m;
    size_t n = httpd_query_all(req, "match[]", texts, PROM_META_MATCHES), k;
    struct err err = {0};
    *a = (struct prom_meta_ask){.tenant = web_tenant(req)};
    if (prom_time(req, resp, "start", 0, &a->from) || prom_time(req, resp, "end", 0, &a->to))
        return ERR_SYNTAX;
    if (a->from && !a->to)
        a->to = web_now(w);
    for (size_t i = 0; i < n && i < PROM_META_MATCHES; i++) {
        int rc = promql_parse_selector(texts[i], &a->queries[a->count], &err);
        if (!rc)
            rc = promql_selector(a->queries[a->count++], &m, &k, &err);
        if (!rc && !prom_meta_selects(m, k))
            rc = err_set(&err, ERR_SYNTAX, "match[] must contain at least one non-empty matcher");
        if (rc) {
            prom_fail(resp, "bad_data", "%s%s", prefix, err.text);
            return rc;
        }
    }
    return 0;
}

/* The matchers of query i (none: SIZE_MAX), and the tenant's. Returns their count. */
static size_t
prom_meta_matchers(struct prom_meta_ask *a, size_t i)
{
    const struct matcher *m = NULL;
    size_t n = 0;
    if (i < a->count)
        promql_selector(a->queries[i], &m, &n, NULL);
    if (n)
        memcpy(a->matchers, m, n * sizeof *m);
    if (a->tenant)
        a->matchers[n++] = (struct matcher){MATCH_EQ, "tenant", a->tenant};
    return n;
}

/* --- words: the union over several match[] ---------------------------------------------------- */

struct prom_meta_words {
    struct arena *arena;
    const char **at;
    size_t count, cap;
};

static int
prom_meta_word(void *ctx, const char *word)
{
    struct prom_meta_words *s = ctx;
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        const char **more = cap > PROM_META_VALUES ? NULL : realloc(s->at, cap * sizeof *more);
        if (!more)
            return ERR_LIMIT;
        s->at = more;
        s->cap = cap;
    }
    char *copy = arena_str(s->arena, word, strlen(word));
    if (!copy)
        return ERR_LIMIT;
    s->at[s->count++] = copy;
    return 0;
}

static int
prom_meta_by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* label NULL: names. */
static int
prom_meta_words(struct web *w, struct prom_meta_ask *a, const char *label,
                struct prom_meta_words *s)
{
    int rc = 0;
    *s = (struct prom_meta_words){.arena = arena_new((size_t)256 << 20)};
    if (!s->arena)
        return ERR_NOMEM;
    for (size_t i = 0; !rc && i < (a->count ? a->count : 1); i++) {
        size_t n = prom_meta_matchers(a, i);
        rc = label ? store_label_values(w->cfg.store, label, a->matchers, n, a->from, a->to,
                                        prom_meta_word, s)
                   : store_label_names(w->cfg.store, a->matchers, n, a->from, a->to, prom_meta_word,
                                       s);
        rc = rc > 0 ? 0 : rc; /* a count */
    }
    if (!rc && a->count > 1 && s->count)
        qsort(s->at, s->count, sizeof *s->at, prom_meta_by_text);
    return rc;
}

static int
prom_meta_words_answer(struct web *w, const struct httpd_request *req, struct httpd_response *resp,
                       const char *label)
{
    struct prom_meta_ask a;
    struct prom_meta_words s = {0};
    struct jsonw j;
    int64_t limit = 0;
    int rc = prom_meta_ask(w, req, resp, "", &a), asked = rc;
    if (!rc && httpd_query_int(req, "limit", 0, 0, INT64_MAX, &limit))
        asked = rc = ERR_SYNTAX,
        prom_fail(resp, "bad_data", "invalid parameter \"limit\": a whole number is needed");
    if (!rc)
        rc = prom_meta_words(w, &a, label, &s);
    if (!rc) {
        prom_begin(resp);
        jsonw_init(&j, &resp->body);
        jsonw_array(&j);
        for (size_t i = 0; i < s.count && (!limit || i < (size_t)limit); i++)
            if (!i || strcmp(s.at[i], s.at[i - 1]))
                jsonw_str(&j, s.at[i]);
        jsonw_end_array(&j);
        prom_end(resp);
    } else if (!asked) {
        prom_fail_err(resp, rc, &(struct err){0});
    }
    free(s.at);
    arena_free(s.arena);
    prom_meta_done(&a);
    return 0;
}

static int
prom_meta_labels(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return prom_meta_words_answer(ctx, req, resp, NULL);
}

static bool
prom_meta_name_ok(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return *name && strchr(first, *name) &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")];
}

static int
prom_meta_values(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    const char *name = httpd_param(req, "name");
    if (!prom_meta_name_ok(name))
        return prom_fail(resp, "bad_data", "invalid label name: \"%s\"", name);
    return prom_meta_words_answer(ctx, req, resp, name);
}

/* --- series ----------------------------------------------------------------------------------- */

static void
prom_meta_series_write(struct jsonw *j, const struct series_row *r)
{
    jsonw_object(j);
    for (size_t i = 0; i < r->labels->count; i++) {
        const struct label *l = &r->labels->at[i];
        char name[LABEL_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)l->name_len, l->name);
        jsonw_key(j, name);
        jsonw_strn(j, l->value, l->value_len);
    }
    jsonw_end_object(j);
}

static int
prom_meta_series(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct prom_meta_ask a;
    struct map *seen = map_new(PROM_META_VALUES);
    struct jsonw j;
    struct err err = {0};
    int64_t limit = 0;
    size_t written = 0;
    int rc = prom_meta_ask(w, req, resp, "invalid parameter \"match[]\": ", &a), asked = rc;
    if (!rc && httpd_query_int(req, "limit", 0, 0, INT64_MAX, &limit))
        asked = rc = ERR_SYNTAX,
        prom_fail(resp, "bad_data", "invalid parameter \"limit\": a whole number is needed");
    if (!rc && !a.count)
        asked = rc = ERR_SYNTAX, prom_fail(resp, "bad_data", "no match[] parameter provided");
    int64_t to = a.to ? a.to : web_now(w), from = a.from ? a.from : to - PROM_META_LOOKBACK;
    if (!rc)
        prom_begin(resp);
    jsonw_init(&j, &resp->body);
    if (!rc)
        jsonw_array(&j);
    for (size_t i = 0; !rc && i < a.count; i++) {
        struct series_set set = {0};
        struct select_limits lim = {.tenant = a.tenant};
        size_t n = prom_meta_matchers(&a, i);
        rc = store_latest(w->cfg.store, a.matchers, n, to, to - from, &lim, &set, &err);
        for (size_t k = 0; !rc && k < set.count; k++) {
            void *old = NULL;
            if (seen && a.count > 1)
                map_set(seen, &set.rows[k].id, sizeof set.rows[k].id, seen, &old);
            if (!old && (!limit || written++ < (size_t)limit))
                prom_meta_series_write(&j, &set.rows[k]);
        }
        if (!rc)
            series_set_done(&set);
    }
    if (!rc) {
        jsonw_end_array(&j);
        prom_end(resp);
    } else if (!asked) {
        prom_fail_err(resp, rc, &err);
    }
    map_free(seen, NULL);
    prom_meta_done(&a);
    return 0;
}

/* --- metadata --------------------------------------------------------------------------------- */

struct prom_meta_metadata {
    struct web *w;
    struct jsonw *j;
    const char *only;
    int64_t left;
};

static int
prom_meta_metadata_row(void *ctx, const char *name)
{
    struct prom_meta_metadata *m = ctx;
    const struct metric_row *row = metric_find(m->w->cfg.metrics, name, strlen(name));
    if (!row || !m->left || (m->only && *m->only && strcmp(m->only, name)))
        return 0;
    m->left--;
    jsonw_key(m->j, name);
    jsonw_array(m->j);
    jsonw_object(m->j);
    jsonw_kstr(m->j, "type", row->kind == METRIC_COUNTER ? "counter" : "gauge");
    jsonw_kstr(m->j, "help",
               row->help && *row->help ? row->help : metric_meaning_row(row->meaning)->en);
    jsonw_kstr(m->j, "unit", "");
    jsonw_end_object(m->j);
    jsonw_end_array(m->j);
    return 0;
}

static int
prom_meta_metadata(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct jsonw j;
    struct prom_meta_metadata m = {w, &j, httpd_query(req, "metric"), INT64_MAX};
    const char *tenant = web_tenant(req);
    struct matcher of = {MATCH_EQ, "tenant", tenant};
    if (httpd_query_int(req, "limit", INT64_MAX, 0, INT64_MAX, &m.left))
        return prom_fail(resp, "bad_data", "limit must be a number");
    prom_begin(resp);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    int rc = store_label_values(w->cfg.store, "__name__", &of, tenant ? 1 : 0, 0, 0,
                                prom_meta_metadata_row, &m);
    jsonw_end_object(&j);
    return rc < 0 ? prom_fail_err(resp, rc, &(struct err){0}) : prom_end(resp);
}

/* --- rules, alerts, build --------------------------------------------------------------------- */

/* Rules are the site's: a tenant sees none. */
static struct rules *
prom_meta_rules_of(const struct web *w, const struct httpd_request *req)
{
    return w->cfg.analyzer && !web_tenant(req) ? analyzer_rules(w->cfg.analyzer) : NULL;
}

static int
prom_meta_rules(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    const char *type = httpd_query(req, "type");
    struct rules *r = prom_meta_rules_of(ctx, req);
    if (type && *type && strcmp(type, "alert") && strcmp(type, "record"))
        return prom_fail(resp, "bad_data", "invalid parameter \"type\": not supported value \"%s\"",
                         type);
    prom_begin(resp);
    if (r)
        rules_json(r, type && *type ? type : NULL, &resp->body);
    else
        buf_puts(&resp->body, "{\"groups\":[]}");
    return prom_end(resp);
}

static int
prom_meta_alerts(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct rules *r = prom_meta_rules_of(ctx, req);
    prom_begin(resp);
    if (r)
        rules_alerts_json(r, &resp->body);
    else
        buf_puts(&resp->body, "{\"alerts\":[]}");
    return prom_end(resp);
}

/* Clients decide by this version what they may ask; the language is that of 2.42. */
static int
prom_meta_build(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct jsonw j;
    (void)req;
    prom_begin(resp);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "version", "2.42.0");
    jsonw_kstr(&j, "revision", w->cfg.build_id);
    jsonw_kstr(&j, "branch", "");
    jsonw_kstr(&j, "buildUser", "");
    jsonw_kstr(&j, "buildDate", "");
    jsonw_kstr(&j, "goVersion", "");
    jsonw_kstr(&j, "application", "myriascope");
    jsonw_end_object(&j);
    return prom_end(resp);
}

#define PROM       "/prometheus/api/v1/"
#define PROM_MATCH "match[]=a selector, several allowed; start=from; end=to; limit=at most so many"

const struct route prom_meta_routes[] = {
    {"GET", PROM "series", ROLE_VIEWER, prom_meta_series, .help = "Series that a selector takes.",
     .query = PROM_MATCH},
    {"POST", PROM "series", ROLE_VIEWER, prom_meta_series,
     .help = "The same, parameters in a form.", .query = PROM_MATCH},
    {"GET", PROM "labels", ROLE_VIEWER, prom_meta_labels, .help = "Label names.",
     .query = PROM_MATCH},
    {"POST", PROM "labels", ROLE_VIEWER, prom_meta_labels,
     .help = "The same, parameters in a form.", .query = PROM_MATCH},
    {"GET", PROM "label/{name}/values", ROLE_VIEWER, prom_meta_values,
     .help = "Values of one label.", .query = PROM_MATCH},
    {"GET", PROM "metadata", ROLE_VIEWER, prom_meta_metadata, .help = "Type and help of metrics.",
     .query = "metric=its name; limit=at most so many"},
    {"GET", PROM "rules", ROLE_VIEWER, prom_meta_rules, .help = "Rule groups with their state.",
     .query = "type=alert or record; both without"},
    {"GET", PROM "alerts", ROLE_VIEWER, prom_meta_alerts,
     .help = "Alerts of rules that are pending or firing."},
    {"GET", PROM "status/buildinfo", ROLE_VIEWER, prom_meta_build, .help = "Version of the API."},
};
const size_t prom_meta_route_count = sizeof prom_meta_routes / sizeof *prom_meta_routes;
