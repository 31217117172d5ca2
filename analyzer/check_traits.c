/* check_traits: what is no single number: versions and settings that should be alike, nodes that
 * break again and again, and what those that failed a check have in common.
 *
 * A trait of a node is the sorted set of the values that its series give. Where the profile has a
 * golden value, that decides; else most of those that are alike do: an outlier is a failure only
 * where four in five agree and the row is hard, otherwise a warning; without a majority nobody is
 * an outlier. */
#include "analyzer/check_priv.h"
#include "base/clock.h"
#include "base/entity.h"
#include "base/str.h"
#include "store/catalog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_VALUES     64  /* of a node's trait; more are cut off */
#define CHECK_TRAIT_SIZE 400 /* of its text */
#define CHECK_TRAITS     100 /* of a profile */
#define CHECK_AGREE      0.8
#define CHECK_LATELY_MS  (30 * (int64_t)86400000)
#define CHECK_HALF_MS    (7.0 * 86400000) /* an incident counts half as much after so long */
#define CHECK_LATELY     1000

struct check_values { /* of one node */
    const char *at[CHECK_VALUES], *within;
    uint16_t times[CHECK_VALUES];
    size_t count;
};

struct check_common { /* one value among those alike */
    const char *value;
    size_t count;
};

/* --- the profile's own ------------------------------------------------------------------------ */

/* {check, metric, label, within, counted, fails}: a setting that some exporter of the site shows,
 * such as a variable of NCCL or a switch's class of service. */
static int
check_trait_read(struct check *c, const struct doc_node *n, struct check_row *row, struct err *err)
{
    const char *check = doc_get_str(n, "check", ""), *metric = doc_get_str(n, "metric", "");
    if (!*check || !*metric)
        return err_set(err, ERR_USAGE, "profile, line %u: a trait needs check and metric", n->line);
    for (size_t r = 0; r < c->row_count; r++)
        if (!strcmp(c->rows[r].check, check))
            return err_set(err, ERR_USAGE, "profile, line %u: there is a check %s already", n->line,
                           check);
    *row = (struct check_row){
        .check = check,
        .category = "consistency",
        .kind = ENTITY_NODE,
        .rule = CHECK_TRAIT,
        .unit = "",
        .prejob = true,
        .optional = true,
        .title = {check, check},
        .reason = {"differs from most nodes, or from the golden value", "与多数节点或基准值不一致"},
        .metric = metric,
        .label = doc_get_str(n, "label", ""),
        .within = doc_get_str(n, "within", NULL),
        .counted = doc_get_bool(n, "counted", false),
        .hard = doc_get_bool(n, "fails", false)};
    return 0;
}

int
check_rows_read(struct check *c, struct err *err)
{
    const struct doc_node *traits = doc_get(c->profile, "traits");
    size_t more = 0;
    int rc = 0;
    for (const struct doc_node *n = traits ? traits->first : NULL; n; n = n->next)
        more++;
    if (more > CHECK_TRAITS)
        return err_set(err, ERR_LIMIT, "the profile has more than %d traits", CHECK_TRAITS);
    c->rows = calloc(check_row_count + more + 1, sizeof *c->rows);
    if (!c->rows)
        return err_set(err, ERR_NOMEM, "no memory for the check");
    memcpy(c->rows, check_rows, check_row_count * sizeof *c->rows);
    c->row_count = check_row_count;
    for (const struct doc_node *n = traits ? traits->first : NULL; !rc && n; n = n->next) {
        rc = check_trait_read(c, n, &c->rows[c->row_count], err);
        c->row_count += !rc;
    }
    return rc;
}

/* --- versions and settings -------------------------------------------------------------------- */

static bool
check_series_counts(const struct check_row *r, const struct labels *l)
{
    static const char *const made[] = {"lo",   "veth*",    "docker*",      "br-*",
                                       "cni*", "flannel*", "cali*",        "virbr*",
                                       "tap*", "tun*",     "nodelocaldns*"};
    static const char *const net[] = {"nfs*",  "lustre",   "gpfs",       "beegfs*",  "wekafs",
                                      "ceph*", "fuse.ju*", "fuse.ceph*", "fuse.3fs*"};
    char text[64] = "";
    if (!strcmp(r->check, "nic-mtu")) {
        labels_copy(l, "device", text, sizeof text);
        for (size_t i = 0; i < sizeof made / sizeof *made; i++)
            if (str_glob(made[i], text))
                return false;
        return true;
    }
    if (strcmp(r->check, "storage-mounts"))
        return true;
    labels_copy(l, "fstype", text, sizeof text);
    for (size_t i = 0; i < sizeof net / sizeof *net; i++)
        if (str_glob(net[i], text))
            return true;
    return false;
}

/* Sorted, each once. */
static void
check_values_add(struct check *c, struct check_values *v, const char *value)
{
    size_t at = 0;
    while (at < v->count && strcmp(v->at[at], value) < 0)
        at++;
    if (at < v->count && !strcmp(v->at[at], value)) {
        v->times[at]++;
        return;
    }
    const char *kept = v->count < CHECK_VALUES ? arena_str(c->arena, value, strlen(value)) : NULL;
    if (!kept)
        return;
    memmove(v->at + at + 1, v->at + at, (v->count - at) * sizeof *v->at);
    memmove(v->times + at + 1, v->times + at, (v->count - at) * sizeof *v->times);
    v->at[at] = kept;
    v->times[at] = 1;
    v->count++;
}

static const char *
check_values_text(struct check *c, const struct check_row *r, const struct check_values *v)
{
    char text[CHECK_TRAIT_SIZE] = "";
    size_t len = 0;
    for (size_t i = 0; i < v->count && len < sizeof text; i++) {
        int n = r->counted
                    ? snprintf(text + len, sizeof text - len, "%s%s x%u", i ? ", " : "", v->at[i],
                               v->times[i])
                    : snprintf(text + len, sizeof text - len, "%s%s", i ? ", " : "", v->at[i]);
        len += n > 0 ? (size_t)n : 0;
    }
    return arena_str(c->arena, text, strlen(text));
}

static void
check_trait_series(struct check *c, const struct check_row *r, const struct series_row *s,
                   struct check_values **of)
{
    char value[256] = "", within[128] = "";
    if (!s->count || !check_series_counts(r, s->labels))
        return;
    topo_id id = kpi_place_of(c->req->places, c->topo,
                              metric_find(c->metrics, r->metric, strlen(r->metric)), s);
    id = id == TOPO_NONE ? id : check_node_of(c, id);
    if (id == TOPO_NONE || !c->in[id] || topo_kind(c->topo, id) != ENTITY_NODE)
        return;
    if (*r->label)
        labels_copy(s->labels, r->label, value, sizeof value);
    else
        snprintf(value, sizeof value, "%.10g", s->samples[s->count - 1].v);
    struct check_values *v = of[id];
    if (!*value || (!v && !(v = of[id] = arena_alloc(c->arena, sizeof *v))))
        return;
    check_values_add(c, v, value);
    if (r->within)
        labels_copy(s->labels, r->within, within, sizeof within);
    if (!v->within || strcmp(within, v->within) < 0)
        v->within = arena_str(c->arena, within, strlen(within));
}

/* The most frequent text among those alike: value -> how often. */
static struct check_common
check_most(struct map *counts, const char *within, size_t *ret_all)
{
    struct check_common best = {0};
    size_t pos = 0, all = 0, key_len, len = strlen(within);
    const char *key;
    void *value;
    while ((key = map_next(counts, &pos, &key_len, &value))) {
        size_t n = (size_t)(uintptr_t)value;
        if (key_len <= len || strncmp(key, within, len) || key[len] != '\n')
            continue;
        all += n;
        if (n > best.count)
            best = (struct check_common){key + len + 1, n};
    }
    *ret_all = all;
    return best;
}

static void
check_trait_judge(struct check *c, const struct check_row *r, topo_id id, const char *seen,
                  const char *want, bool hard)
{
    bool golden = want && strpbrk(want, "*?");
    bool good = !want || !strcmp(seen, want) || (golden && str_glob(want, seen));
    struct check_item i = {.row = r,
                           .id = id,
                           .verdict = good   ? CHECK_PASS
                                      : hard ? CHECK_FAIL
                                             : CHECK_WARN,
                           .observed = NAN,
                           .limit = NAN,
                           .seen = seen,
                           .want = want ? want : seen};
    check_add(c, r, &i);
}

static const char *
check_golden_text(struct check *c, const struct doc_node *golden)
{
    char number[40];
    snprintf(number, sizeof number, "%.10g", doc_real(golden, 0));
    const char *text = golden->kind == DOC_STR ? doc_str(golden, "") : number;
    return arena_str(c->arena, text, strlen(text));
}

static void
check_trait_nodes(struct check *c, const struct check_row *r, struct check_values *const *of,
                  struct map *counts)
{
    const struct doc_node *golden = doc_get(doc_get(c->profile, "golden"), r->check);
    const char **texts = calloc(c->node_count + 1, sizeof *texts), *last = NULL;
    const char *want = golden ? check_golden_text(c, golden) : NULL;
    struct check_common most = {0};
    size_t all = 0;
    char key[CHECK_TRAIT_SIZE + 160];
    for (size_t i = 0; texts && i < c->node_count; i++) {
        const struct check_values *v = of[c->nodes[i]];
        if (!v || !(texts[i] = check_values_text(c, r, v)))
            continue;
        int n = snprintf(key, sizeof key, "%s\n%s", v->within, texts[i]);
        uintptr_t before = (uintptr_t)map_get(counts, key, (size_t)n + 1);
        if (map_set(counts, key, (size_t)n + 1, (void *)(before + 1), NULL))
            break;
    }
    for (size_t i = 0; texts && i < c->node_count; i++) {
        if (!texts[i])
            continue;
        const char *within = of[c->nodes[i]]->within;
        if (golden) {
            check_trait_judge(c, r, c->nodes[i], texts[i], want, true);
            continue;
        }
        if (!last || strcmp(last, within)) {
            most = check_most(counts, within, &all);
            most.value = most.value ? arena_str(c->arena, most.value, strlen(most.value)) : NULL;
            last = within;
        }
        bool majority = all >= 3 && most.count * 2 > all;
        check_trait_judge(c, r, c->nodes[i], texts[i], majority ? most.value : NULL,
                          r->hard && all >= 5 && (double)most.count >= CHECK_AGREE * (double)all);
    }
    free(texts);
}

static bool
check_trait_wants(void *ctx, uint64_t series)
{
    const struct check *c = ctx;
    return !c->req->places || kpi_place_wanted(c->req->places, c->topo, c->in, series);
}

void
check_trait(struct check *c, const struct check_row *r)
{
    struct select_limits lim = {.want = check_trait_wants, .want_ctx = c};
    struct matcher match = {MATCH_EQ, "__name__", r->metric};
    struct series_set set = {0};
    struct check_values **of = calloc(topo_count(c->topo) + 1, sizeof *of);
    struct map *counts = map_new(100000);
    if (of && counts &&
        !store_latest(c->store, &match, 1, c->now_ms, KPI_LOOKBACK_MS, &lim, &set, NULL)) {
        for (size_t i = 0; i < set.count; i++)
            check_trait_series(c, r, &set.rows[i], of);
        check_trait_nodes(c, r, of, counts);
        series_set_done(&set);
    }
    map_free(counts, NULL);
    free(of);
}

/* --- nodes that break again and again --------------------------------------------------------- */

struct check_lemons {
    struct check *c;
    double *at; /* by topo_id */
};

static int
check_lemon_incident(void *ctx, const struct catalog_doc *d)
{
    struct check_lemons *l = ctx;
    struct doc *doc = NULL;
    if (doc_parse_json(d->json, d->json_len, d->id, &doc, NULL))
        return 0;
    const struct doc_node *n = doc_root(doc);
    topo_id id = topo_find(l->c->topo, doc_get_str(n, "entity", ""));
    topo_id node = id == TOPO_NONE ? TOPO_NONE : check_node_of(l->c, id);
    if (node != TOPO_NONE && !strcmp(doc_get_str(n, "verdict", ""), "infrastructure") &&
        strcmp(doc_get_str(n, "severity", "info"), "info"))
        l->at[node] += exp2(-(double)(l->c->now_ms - d->time_ms) / CHECK_HALF_MS);
    doc_free(doc);
    return 0;
}

void
check_lemon(struct check *c, const struct check_row *r)
{
    struct check_lemons l = {c, calloc(topo_count(c->topo) + 1, sizeof *l.at)};
    struct catalog_query q = {.kind = "incident",
                              .from_ms = c->now_ms - CHECK_LATELY_MS,
                              .to_ms = c->now_ms + 1,
                              .limit = CHECK_LATELY};
    if (l.at && catalog_list(c->store, &q, check_lemon_incident, &l, NULL, NULL) >= 0)
        for (size_t i = 0; i < c->node_count; i++) {
            struct check_item item = {.row = r,
                                      .id = c->nodes[i],
                                      .verdict =
                                          l.at[c->nodes[i]] > r->warn ? CHECK_WARN : CHECK_PASS,
                                      .observed = l.at[c->nodes[i]],
                                      .limit = r->warn};
            check_add(c, r, &item);
        }
    free(l.at);
}

/* --- what outliers share ---------------------------------------------------------------------- */

/* The rack, or the leaf of the link, that a problem lies in. */
static topo_id
check_share_of(const struct check *c, topo_id id, enum entity_kind by)
{
    topo_id node = check_node_of(c, id);
    if (by != ENTITY_SWITCH)
        return node == TOPO_NONE ? TOPO_NONE : topo_neighbour(c->topo, node, by);
    topo_id port =
        topo_kind(c->topo, id) == ENTITY_PORT ? id : topo_neighbour(c->topo, id, ENTITY_PORT);
    topo_id link = topo_neighbour(c->topo, id, ENTITY_LINK);
    if (port == TOPO_NONE && link != TOPO_NONE)
        port = topo_neighbour(c->topo, link, ENTITY_PORT);
    return port == TOPO_NONE ? TOPO_NONE : topo_neighbour(c->topo, port, ENTITY_SWITCH);
}

/* Of a check's problems four in five in one place that holds less than half of the scope's nodes.
 */
static void
check_shared_row(const struct check *c, const struct check_row *r, enum entity_kind by,
                 uint32_t *counts, struct jsonw *w)
{
    size_t problems = 0;
    topo_id best = TOPO_NONE;
    memset(counts, 0, topo_count(c->topo) * sizeof *counts);
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].row != r || c->items[i].verdict == CHECK_PASS)
            continue;
        problems++;
        topo_id at = check_share_of(c, c->items[i].id, by);
        if (at != TOPO_NONE && (++counts[at], best == TOPO_NONE || counts[at] > counts[best]))
            best = at;
    }
    if (problems < 3 || best == TOPO_NONE || counts[best] * 5 < problems * 4)
        return;
    size_t nodes = 0;
    for (size_t i = 0; by != ENTITY_SWITCH && i < c->node_count; i++)
        nodes += topo_neighbour(c->topo, c->nodes[i], by) == best;
    if (nodes * 2 >= c->node_count)
        return;
    jsonw_object(w);
    jsonw_kstr(w, "check", r->check);
    jsonw_kstr(w, "shared", topo_name(c->topo, best));
    jsonw_kint(w, "count", (int64_t)counts[best]);
    jsonw_kint(w, "of", (int64_t)problems);
    jsonw_end_object(w);
}

void
check_shared(const struct check *c, struct jsonw *w)
{
    static const enum entity_kind by[] = {ENTITY_SWITCH, ENTITY_RACK};
    uint32_t *counts = calloc(topo_count(c->topo) + 1, sizeof *counts);
    jsonw_key(w, "groups");
    jsonw_array(w);
    for (size_t r = 0; counts && r < c->row_count; r++) {
        const size_t *n = c->per_row[r];
        for (size_t k = 0;
             n[CHECK_WARN] + n[CHECK_FAIL] + n[CHECK_UNKNOWN] >= 3 && k < sizeof by / sizeof *by;
             k++)
            check_shared_row(c, &c->rows[r], by[k], counts, w);
    }
    jsonw_end_array(w);
    free(counts);
}
