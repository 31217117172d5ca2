/* check: the entities of a scope against the table, one column of values a meaning; the report as
 * JSON, stored.
 *
 * Only what the rows ask for is read, and of that only the scope's series. Items that pass are
 * counted; the report lists them where they are asked for. */
#include "analyzer/check.h"

#include "analyzer/check_priv.h"
#include "analyzer/kpi.h"
#include "analyzer/path.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/hostlist.h"
#include "base/jsonw.h"
#include "base/map.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_ITEMS_ALL                                                                            \
    20000                   /* items listed in a report; beyond, those that pass are counted only */
#define CHECK_BUSY       50 /* % utilisation: an accelerator that works */
#define CHECK_REPORT_MAX ((size_t)64 << 20)

/* --- scope ------------------------------------------------------------------------------------ */

static void
check_in(struct check *c, topo_id id)
{
    size_t n;
    c->in[id] = 1;
    const struct topo_edge *e = topo_edges(c->topo, id, &n);
    for (size_t i = 0; i < n; i++) {
        enum entity_kind k = topo_kind(c->topo, e[i].to);
        if (k != ENTITY_GPU && k != ENTITY_NIC && k != ENTITY_NVSWITCH && k != ENTITY_DPU)
            continue;
        c->in[e[i].to] = 1;
        size_t m;
        const struct topo_edge *f = topo_edges(c->topo, e[i].to, &m);
        for (size_t j = 0; k == ENTITY_NIC && j < m; j++) {
            if (topo_kind(c->topo, f[j].to) == ENTITY_OPTIC)
                c->in[f[j].to] = 1;
            if (topo_kind(c->topo, f[j].to) != ENTITY_LINK)
                continue;
            topo_id port = topo_neighbour(c->topo, f[j].to, ENTITY_PORT);
            if (port == TOPO_NONE)
                continue;
            c->in[port] = 1;
            topo_id optic = topo_neighbour(c->topo, port, ENTITY_OPTIC);
            if (optic != TOPO_NONE)
                c->in[optic] = 1;
        }
    }
}

static int
check_node(struct check *c, const char *name, struct err *err)
{
    char entity[ENTITY_SIZE];
    if (entity_format(entity, ENTITY_NODE, name, NULL))
        return err_set(err, ERR_SYNTAX, "%s is no name of a node", name);
    topo_id id = topo_find(c->topo, entity);
    if (id == TOPO_NONE)
        return err_set(err, ERR_NOTFOUND, "no node is named %s", name);
    c->nodes[c->node_count++] = id;
    check_in(c, id);
    return 0;
}

static int
check_hosts(struct check *c, const char *hosts, struct err *err)
{
    struct hostlist l = {0};
    int rc = hostlist_parse(hosts, &l, err);
    if (!rc && !l.count)
        rc = err_set(err, ERR_USAGE, "the list of nodes is empty");
    for (size_t i = 0; !rc && i < l.count; i++)
        rc = c->node_count < topo_count(c->topo)
                 ? check_node(c, l.names[i], err)
                 : err_set(err, ERR_LIMIT, "more nodes than there are");
    hostlist_done(&l);
    return rc;
}

static int
check_scope(struct check *c, struct err *err)
{
    struct job j = {0};
    int rc = 0;
    size_t n;
    if (c->req->nodes && *c->req->nodes)
        return check_hosts(c, c->req->nodes, err);
    if (c->req->job && *c->req->job) {
        if (!(rc = job_get(c->store, c->req->job, &j, err)))
            rc = check_hosts(c, j.nodes, err);
        job_done(&j);
        return rc;
    }
    const topo_id *all = topo_of_kind(c->topo, ENTITY_NODE, &n);
    for (size_t i = 0; i < n; i++) {
        c->nodes[c->node_count++] = all[i];
        check_in(c, all[i]);
    }
    all = topo_of_kind(c->topo, ENTITY_PORT, &n);
    for (size_t i = 0; i < n; i++)
        c->in[all[i]] = 1;
    all = topo_of_kind(c->topo, ENTITY_OPTIC, &n);
    for (size_t i = 0; i < n; i++)
        c->in[all[i]] = 1;
    return c->node_count
               ? 0
               : err_set(err, ERR_NOTFOUND,
                         "there are no nodes to check: load a topology, or let an agent report");
}

/* --- judging ---------------------------------------------------------------------------------- */

static const struct kpi *
check_column(struct check *c, enum metric_meaning m, enum kpi_fold fold)
{
    struct kpi *k = &c->cache[m];
    if (m == METRIC_NONE)
        return NULL;
    if (k->at && c->folds[m] != fold)
        kpi_done(k);
    if (!k->at && kpi_read_scope(c->store, c->metrics, c->topo, c->req->places, c->in, m, fold,
                                 c->now_ms, k, NULL))
        return NULL;
    c->folds[m] = fold;
    return k;
}

static int
check_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Is it a part that somebody counts on? Adapters that are not in the plan and no RDMA devices are
 * loopbacks, bridges, spare ports: whatever state they are in is right. */
static bool
check_counts(const struct check *c, const struct check_row *r, topo_id id)
{
    static const char *const rdma[] = {"mlx*",  "bnxt_re*", "irdma*", "qedr*",  "efa*",  "hns_*",
                                       "roce*", "ib*",      "hfi1*",  "erdma*", "ionic*"};
    const char *name = strrchr(topo_name(c->topo, id), '/');
    if (r->kind != ENTITY_NIC || *topo_attr(c->topo, id, "plane") ||
        topo_neighbour(c->topo, id, ENTITY_LINK) != TOPO_NONE)
        return true;
    for (size_t i = 0; name && i < sizeof rdma / sizeof *rdma; i++)
        if (str_glob(rdma[i], name + 1))
            return true;
    return false;
}

/* Is it alike those it would be compared with? Idle accelerators rest at any clock; adapters of
 * other planes are of other rates. busy: utilisation, or NULL. */
static bool
check_alike(const struct check *c, const struct check_row *r, const struct kpi *busy, topo_id id)
{
    if (r->rule == CHECK_PEERS_LOW && busy && busy->at[id] < CHECK_BUSY)
        return false;
    const char *plane = r->kind == ENTITY_NIC ? topo_attr(c->topo, id, "plane") : "";
    return !*plane || !strcmp(plane, "parameter");
}

/* Median, or the most frequent value, of the scope's column; NaN when there is none. */
static double
check_common(const struct check *c, const struct check_row *r, const struct kpi *k,
             const struct kpi *busy)
{
    bool mode = r->rule == CHECK_MODE;
    double *v = malloc((k->count + 1) * sizeof *v), common = NAN;
    size_t n = 0, best = 0;
    for (topo_id id = 0; v && id < k->count; id++)
        if (c->in[id] && !isnan(k->at[id]) && check_alike(c, r, busy, id))
            v[n++] = k->at[id];
    if (n) {
        qsort(v, n, sizeof *v, check_double);
        common = v[n / 2];
    }
    for (size_t i = 0, run = 0; mode && i < n; i++) {
        run = i && v[i] == v[i - 1] ? run + 1 : 1;
        if (run >= best) {
            best = run;
            common = v[i];
        }
    }
    free(v);
    return common;
}

static enum check_verdict
check_above(double v, double warn, double fail)
{
    return v > fail ? CHECK_FAIL : v > warn ? CHECK_WARN : CHECK_PASS;
}

static enum check_verdict
check_below(double v, double warn, double fail)
{
    return v < fail ? CHECK_FAIL : v < warn ? CHECK_WARN : CHECK_PASS;
}

static enum check_verdict
check_value(struct check *c, const struct check_row *r, topo_id id, double v, double common,
            struct check_item *i)
{
    const struct kpi *second = check_column(c, r->second, r->fold),
                     *third = check_column(c, r->third, r->fold);
    double warn = second && second->at && !isnan(second->at[id]) ? second->at[id] : r->warn;
    double fail = third && third->at && !isnan(third->at[id]) ? third->at[id] : r->fail;
    i->limit = r->fail;
    switch (r->rule) {
    case CHECK_ABOVE:
        return check_above(v, r->warn, r->fail);
    case CHECK_BELOW:
        return check_below(v, r->warn, r->fail);
    case CHECK_EQUALS:
        return v == r->fail ? CHECK_PASS : CHECK_FAIL;
    case CHECK_PEERS_LOW:
        i->limit = common * r->fail;
        return check_below(v, common * r->warn, common * r->fail);
    case CHECK_MODE:
        i->limit = common;
        return v < common ? CHECK_FAIL : CHECK_PASS;
    case CHECK_RATIO_BELOW:
        if (!second || isnan(second->at[id]) || second->at[id] <= 0)
            return CHECK_UNKNOWN;
        i->observed = v / second->at[id];
        return check_below(i->observed, r->warn, r->fail);
    case CHECK_BELOW_LIMIT:
        i->limit = fail;
        return check_below(v, warn > fail ? warn : fail, fail);
    case CHECK_INCIDENT:
    case CHECK_TRAIT:
    case CHECK_ACTIVE_LOW:
    case CHECK_ACTIVE_HIGH:
    case CHECK_LEMON:
        break;
    }
    return CHECK_UNKNOWN;
}

void
check_add(struct check *c, const struct check_row *r, const struct check_item *item)
{
    size_t row = (size_t)(r - c->rows);
    c->counts[item->verdict]++;
    c->per_row[row][item->verdict]++;
    if (item->verdict == CHECK_PASS && (!c->req->passed || c->count >= CHECK_ITEMS_ALL))
        return;
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 1024;
        struct check_item *p = realloc(c->items, cap * sizeof *p);
        if (!p)
            return;
        c->items = p;
        c->cap = cap;
    }
    c->items[c->count++] = *item;
}

static void
check_incident(struct check *c, const struct check_row *r)
{
    for (topo_id id = 0; id < topo_count(c->topo); id++) {
        enum entity_kind k = topo_kind(c->topo, id);
        if (!c->in[id] ||
            (k != ENTITY_NODE && k != ENTITY_GPU && k != ENTITY_NIC && k != ENTITY_OPTIC))
            continue;
        enum health h = health_of(c->health, id);
        if (k != ENTITY_NODE && h < HEALTH_MINOR)
            continue;
        struct check_item i = {.row = r,
                               .id = id,
                               .observed = NAN,
                               .limit = NAN,
                               .verdict = h >= HEALTH_CRITICAL ? CHECK_FAIL
                                          : h >= HEALTH_MINOR  ? CHECK_WARN
                                                               : CHECK_PASS};
        check_add(c, r, &i);
    }
}

static bool
check_is_active(const struct check_row *r)
{
    return r->rule == CHECK_ACTIVE_LOW || r->rule == CHECK_ACTIVE_HIGH;
}

static void
check_row_run(struct check *c, const struct check_row *r)
{
    if (check_is_active(r)) {
        check_active(c, r);
        return;
    }
    if (r->rule == CHECK_INCIDENT || r->rule == CHECK_TRAIT || r->rule == CHECK_LEMON) {
        r->rule == CHECK_TRAIT   ? check_trait(c, r)
        : r->rule == CHECK_LEMON ? check_lemon(c, r)
                                 : check_incident(c, r);
        return;
    }
    const struct kpi *k = check_column(c, r->meaning, r->fold);
    size_t n;
    const topo_id *ids = topo_of_kind(c->topo, r->kind, &n);
    bool compared = r->rule == CHECK_PEERS_LOW || r->rule == CHECK_MODE;
    const struct kpi *busy = compared ? check_column(c, r->second, KPI_LAST) : NULL;
    double common = k && compared ? check_common(c, r, k, busy) : NAN;
    for (size_t i = 0; i < n; i++) {
        topo_id id = ids[i];
        bool there = k && !isnan(k->at[id]);
        if (!c->in[id] || (!there && r->optional) || !check_counts(c, r, id) ||
            (compared && !check_alike(c, r, busy, id)) ||
            (r->cabled && topo_neighbour(c->topo, id, ENTITY_LINK) == TOPO_NONE))
            continue;
        struct check_item item = {.row = r,
                                  .id = id,
                                  .observed = there ? k->at[id] : NAN,
                                  .limit = r->fail,
                                  .verdict = CHECK_UNKNOWN};
        if (there)
            item.verdict = check_value(c, r, id, k->at[id], common, &item);
        check_add(c, r, &item);
    }
}

/* --- the report ------------------------------------------------------------------------------- */

topo_id
check_node_of(const struct check *c, topo_id id)
{
    if (topo_kind(c->topo, id) == ENTITY_NODE)
        return id;
    topo_id n = topo_neighbour(c->topo, id, ENTITY_NODE);
    if (n != TOPO_NONE)
        return n;
    topo_id nic = topo_neighbour(c->topo, id, ENTITY_NIC),
            port = topo_neighbour(c->topo, id, ENTITY_PORT);
    if (nic == TOPO_NONE) {
        topo_id link = topo_neighbour(c->topo, port == TOPO_NONE ? id : port, ENTITY_LINK);
        nic = link == TOPO_NONE ? TOPO_NONE : topo_neighbour(c->topo, link, ENTITY_NIC);
    }
    return nic == TOPO_NONE ? TOPO_NONE : topo_neighbour(c->topo, nic, ENTITY_NODE);
}

static void
check_exclude(const struct check *c, struct jsonw *w)
{
    const char **names = calloc(c->node_count + 1, sizeof *names);
    uint8_t *out = calloc(topo_count(c->topo) + 1, 1);
    size_t n = 0;
    struct buf text;
    buf_init(&text, (size_t)4 << 20);
    for (size_t i = 0; names && out && i < c->count; i++) {
        topo_id node =
            c->items[i].verdict == CHECK_FAIL ? check_node_of(c, c->items[i].id) : TOPO_NONE;
        if (node != TOPO_NONE && c->in[node] && !out[node]) {
            out[node] = 1;
            names[n++] = topo_name(c->topo, node) + strlen("node:");
        }
    }
    if (n)
        hostlist_format(names, n, &text);
    jsonw_kstr(w, "exclude", buf_str(&text));
    buf_done(&text);
    free(names);
    free(out);
}

static void
check_expected(const struct check_item *i, char *out, size_t size)
{
    static const char *const words[] = {
        "<=", ">=", "=", ">=", "=", ">=", ">=", "", "", ">=", "<=", "<="};
    if (i->want)
        snprintf(out, size, "%s", i->want);
    else if (isnan(i->limit) || fabs(i->limit) > 1e299)
        snprintf(out, size, "%s", i->row->rule == CHECK_INCIDENT ? "no open incident" : "reported");
    else
        snprintf(out, size, "%s %.6g%s%s", words[i->row->rule], i->limit, *i->row->unit ? " " : "",
                 i->row->unit);
}

static void
check_item_json(const struct check *c, const struct check_item *i, struct jsonw *w)
{
    char expected[256], observed[32];
    jsonw_object(w);
    jsonw_kstr(w, "check", i->row->check);
    jsonw_kstr(w, "category", i->row->category);
    jsonw_kstr(w, "entity", topo_name(c->topo, i->id));
    jsonw_kstr(w, "verdict", check_verdict_word(i->verdict));
    jsonw_key(w, "observed");
    int n = snprintf(observed, sizeof observed, "%.6g", i->observed);
    if (i->seen)
        jsonw_str(w, i->seen);
    else if (isnan(i->observed) || isinf(i->observed))
        jsonw_null(w);
    else
        jsonw_raw(w, observed, (size_t)n);
    check_expected(i, expected, sizeof expected);
    jsonw_kstr(w, "expected", expected);
    if (i->verdict == CHECK_UNKNOWN && check_is_active(i->row))
        jsonw_ktext(w, "reason", "the test was not made", "未执行该测试");
    else if (i->verdict == CHECK_UNKNOWN)
        jsonw_ktext(w, "reason", "no data within two minutes", "两分钟内没有数据");
    else
        jsonw_ktext(w, "reason", i->verdict == CHECK_PASS ? "" : i->row->reason.en,
                    i->verdict == CHECK_PASS ? "" : i->row->reason.zh);
    jsonw_key(w, "actions");
    jsonw_array(w);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void
check_counts_json(const char *key, const size_t n[4], struct jsonw *w)
{
    if (key) {
        jsonw_key(w, key);
        jsonw_object(w);
    }
    for (int v = 0; v < 4; v++)
        jsonw_kint(w, check_verdict_word((enum check_verdict)v), (int64_t)n[v]);
    if (key)
        jsonw_end_object(w);
}

static bool
check_selected(const struct check *c, const struct check_row *r)
{
    if (check_is_active(r) && !c->req->active)
        return false;
    if (c->profile) {
        const struct doc_node *list = doc_get(c->profile, "checks");
        for (const struct doc_node *n = list ? list->first : NULL; n; n = n->next)
            if (str_glob(doc_str(n, ""), r->check))
                return true;
        return !list;
    }
    return strcmp(c->req->profile, "prejob") || r->prejob;
}

static enum check_verdict
check_verdict(const struct check *c)
{
    return c->counts[CHECK_FAIL]      ? CHECK_FAIL
           : c->counts[CHECK_WARN]    ? CHECK_WARN
           : c->counts[CHECK_UNKNOWN] ? CHECK_UNKNOWN
                                      : CHECK_PASS;
}

/* The last finished run of the same profile and scope. */
struct check_before {
    char *json;
    size_t len;
};

static int
check_before_cb(void *ctx, const struct catalog_doc *d)
{
    struct check_before *b = ctx;
    if (!b->json && (b->json = strndup(d->json, d->json_len)))
        b->len = d->json_len;
    return 0;
}

static bool
check_was(const struct doc_node *items, const char *check, const char *entity, bool *problem)
{
    for (const struct doc_node *n = items ? items->first : NULL; n; n = n->next)
        if (!strcmp(doc_get_str(n, "check", ""), check) &&
            !strcmp(doc_get_str(n, "entity", ""), entity)) {
            const char *v = doc_get_str(n, "verdict", "pass");
            *problem = !strcmp(v, "fail") || !strcmp(v, "warn");
            return true;
        }
    return false;
}

static void
check_change_json(struct jsonw *w, const char *check, const char *entity, const char *verdict)
{
    jsonw_object(w);
    jsonw_kstr(w, "check", check);
    jsonw_kstr(w, "entity", entity);
    jsonw_kstr(w, "verdict", verdict);
    jsonw_end_object(w);
}

static void
check_previous(const struct check *c, struct jsonw *w)
{
    struct check_before b = {0};
    struct doc *d = NULL;
    struct catalog_query q = {.kind = "check", .key = c->scope_key, .state = "done", .limit = 1};
    size_t shown = 0;
    bool problem;
    catalog_list(c->store, &q, check_before_cb, &b, NULL, NULL);
    jsonw_key(w, "previous");
    if (!b.json || doc_parse_json(b.json, b.len, "report", &d, NULL)) {
        jsonw_null(w);
        free(b.json);
        return;
    }
    const struct doc_node *root = doc_root(d), *items = doc_get(root, "items"),
                          *counts = doc_get(root, "counts");
    jsonw_object(w);
    jsonw_kstr(w, "id", doc_get_str(root, "id", ""));
    jsonw_kstr(w, "started", doc_get_str(root, "started", ""));
    size_t n[4];
    for (int v = 0; v < 4; v++)
        n[v] = (size_t)doc_get_int(counts, check_verdict_word((enum check_verdict)v), 0);
    check_counts_json("counts", n, w);
    jsonw_key(w, "new");
    jsonw_array(w);
    for (size_t i = 0; i < c->count && shown < 200; i++) {
        const struct check_item *it = &c->items[i];
        bool bad = it->verdict == CHECK_FAIL || it->verdict == CHECK_WARN;
        if (bad &&
            !(check_was(items, it->row->check, topo_name(c->topo, it->id), &problem) && problem)) {
            check_change_json(w, it->row->check, topo_name(c->topo, it->id),
                              check_verdict_word(it->verdict));
            shown++;
        }
    }
    jsonw_end_array(w);
    jsonw_key(w, "fixed");
    jsonw_array(w);
    shown = 0;
    for (const struct doc_node *o = items ? items->first : NULL; o && shown < 200; o = o->next) {
        const char *v = doc_get_str(o, "verdict", "pass");
        bool still = strcmp(v, "fail") && strcmp(v, "warn");
        for (size_t i = 0; !still && i < c->count; i++)
            still = (c->items[i].verdict == CHECK_FAIL || c->items[i].verdict == CHECK_WARN) &&
                    !strcmp(c->items[i].row->check, doc_get_str(o, "check", "")) &&
                    !strcmp(topo_name(c->topo, c->items[i].id), doc_get_str(o, "entity", ""));
        if (!still) {
            check_change_json(w, doc_get_str(o, "check", ""), doc_get_str(o, "entity", ""), "pass");
            shown++;
        }
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
    doc_free(d);
    free(b.json);
}

static void
check_summary(const struct check *c, struct jsonw *w)
{
    jsonw_key(w, "summary");
    jsonw_array(w);
    for (size_t r = 0; r < c->row_count; r++) {
        if (!check_selected(c, &c->rows[r]))
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "check", c->rows[r].check);
        jsonw_kstr(w, "category", c->rows[r].category);
        jsonw_ktext(w, "title", c->rows[r].title.en, c->rows[r].title.zh);
        check_counts_json(NULL, c->per_row[r], w);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static int
check_by_verdict(const void *a, const void *b)
{
    static const int order[] = {3, 1, 0, 2};
    const struct check_item *x = a, *y = b;
    int c = order[x->verdict] - order[y->verdict];
    return c                  ? c
           : x->row != y->row ? (x->row < y->row ? -1 : 1)
           : x->id < y->id    ? -1
                              : x->id > y->id;
}

static int
check_report(struct check *c, const char *id, int64_t took_ms, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", id);
    jsonw_kstr(&w, "profile", c->req->profile);
    jsonw_key(&w, "scope");
    jsonw_object(&w);
    if (c->req->nodes && *c->req->nodes)
        jsonw_kstr(&w, "nodes", c->req->nodes);
    else if (c->req->job && *c->req->job)
        jsonw_kstr(&w, "job", c->req->job);
    else
        jsonw_kstr(&w, "cluster", c->req->cluster ? c->req->cluster : "");
    jsonw_end_object(&w);
    jsonw_kstr(&w, "state", "done");
    jsonw_kreal(&w, "progress", 1);
    jsonw_kstr(&w, "user", c->req->who);
    jsonw_kbool(&w, "active", c->req->active != NULL);
    jsonw_kstr(&w, "verdict", check_verdict_word(check_verdict(c)));
    jsonw_ktime(&w, "started", c->req->active ? c->req->began_ms : c->now_ms);
    jsonw_kint(&w, "duration_ms", took_ms);
    jsonw_kint(&w, "nodes", (int64_t)c->node_count);
    check_counts_json("counts", c->counts, &w);
    check_exclude(c, &w);
    check_summary(c, &w);
    check_previous(c, &w);
    check_shared(c, &w);
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, check_by_verdict);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    for (size_t i = 0; i < c->count; i++)
        check_item_json(c, &c->items[i], &w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

/* --- running ---------------------------------------------------------------------------------- */

static void
check_done(struct check *c)
{
    for (int m = 0; m < METRIC_MEANING_COUNT; m++)
        kpi_done(&c->cache[m]);
    health_map_free(c->health);
    topo_put(c->topo);
    free(c->in);
    free(c->nodes);
    free(c->items);
    free(c->per_row);
    free(c->rows);
    free(c->scope_key);
    arena_free(c->arena);
}

static int
check_init(struct check *c, struct err *err)
{
    c->topo = topo_get(c->store);
    size_t n = topo_count(c->topo) + 1;
    c->in = calloc(n, 1);
    c->nodes = calloc(n, sizeof *c->nodes);
    c->arena = arena_new((size_t)64 << 20);
    int rc = c->arena ? check_rows_read(c, err) : 0;
    if (rc)
        return rc;
    c->per_row = calloc(c->row_count + 1, sizeof *c->per_row);
    if (!c->in || !c->nodes || !c->per_row || !c->arena ||
        asprintf(&c->scope_key, "%s %s %s", c->req->profile, c->req->nodes ? c->req->nodes : "",
                 c->req->job ? c->req->job : "") < 0)
        return err_set(err, ERR_NOMEM, "no memory for the check");
    if (strlen(c->scope_key) > 200)
        snprintf(c->scope_key, 200, "%s %016llx", c->req->profile,
                 (unsigned long long)map_hash(c->scope_key, strlen(c->scope_key)));
    rc = check_scope(c, err);
    return rc ? rc : health_map_new(c->store, NULL, c->topo, c->now_ms, &c->health, err);
}

static int
check_profile(struct check *c, struct doc **doc, struct err *err)
{
    static const char *const known[] = {"name", "checks", "golden", "traits", NULL};
    if (!c->req->profile_text)
        return strcmp(c->req->profile, "prejob") && strcmp(c->req->profile, "full")
                   ? err_set(err, ERR_USAGE, "no profile is named %s: prejob, full, or a file",
                             c->req->profile)
                   : 0;
    int rc = doc_parse_yaml(c->req->profile_text, c->req->profile_len, "profile", doc, err);
    c->profile = rc ? NULL : doc_root(*doc);
    return rc ? rc : doc_only(*doc, c->profile, known, err);
}

static int
check_store(struct check *c, const char *id, const struct buf *json, struct err *err)
{
    struct catalog_doc d = {.kind = "check",
                            .id = id,
                            .tenant = c->req->tenant ? c->req->tenant : "",
                            .state = "done",
                            .key = c->scope_key,
                            .time_ms = c->now_ms,
                            .json = buf_str(json),
                            .json_len = json->len};
    return catalog_put(c->store, &d, err);
}

void
check_new_id(int64_t now_ms, char out[CHECK_ID_SIZE])
{
    uint32_t salt = 0;
    file_random(&salt, sizeof salt);
    snprintf(out, CHECK_ID_SIZE, "c-%lld-%04x", (long long)(now_ms / 1000), salt & 0xffff);
}

int
check_run(struct store *s, const struct metric_table *metrics, const struct kb *kb,
          const struct check_request *req, int64_t now_ms, struct buf *ret_json, struct err *err)
{
    struct check c = {.store = s, .metrics = metrics, .req = req, .now_ms = now_ms};
    struct doc *profile = NULL;
    char id[CHECK_ID_SIZE];
    int64_t start = clock_mono_us();
    (void)kb;
    if (req->active || req->id)
        str_copy(id, sizeof id, req->active ? req->active : req->id);
    else
        check_new_id(now_ms, id);
    int rc = check_profile(&c, &profile, err);
    if (!rc)
        rc = check_init(&c, err);
    for (size_t r = 0; !rc && r < c.row_count; r++)
        if (check_selected(&c, &c.rows[r]))
            check_row_run(&c, &c.rows[r]);
    if (!rc && check_report(&c, id,
                            req->active ? now_ms - req->began_ms : (clock_mono_us() - start) / 1000,
                            ret_json))
        rc = err_set(err, ERR_LIMIT,
                     "the report is larger than an answer may be: check fewer nodes");
    if (!rc)
        rc = check_store(&c, id, ret_json, err);
    check_done(&c);
    doc_free(profile);
    return rc;
}

void
check_table_json(struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    for (size_t r = 0; r < check_row_count; r++) {
        jsonw_object(&w);
        jsonw_kstr(&w, "check", check_rows[r].check);
        jsonw_kstr(&w, "category", check_rows[r].category);
        jsonw_kstr(&w, "kind", entity_kind_row(check_rows[r].kind)->word);
        jsonw_ktext(&w, "title", check_rows[r].title.en, check_rows[r].title.zh);
        jsonw_kbool(&w, "prejob", check_rows[r].prejob);
        jsonw_kstr(&w, "impact", check_is_active(&check_rows[r]) ? "light" : "none");
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
}
