/* check_active: tasks out, results in. Load: five tasks a node, at most 10,000 nodes. Always true:
 * a node that did not answer is unknown, never failed. */
#include "analyzer/check_active.h"

#include "analyzer/check_priv.h"
#include "base/clock.h"
#include "base/hostlist.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_PORT    8687 /* and the 63 after it, for agents that share a machine */
#define CHECK_PORTS   64
#define CHECK_KEY     33
#define CHECK_PEERS   3 /* fewer are no measure of anything */
#define CHECK_SPREADS 5 /* robust deviations that an outlier is away from the others */

/* --- out -------------------------------------------------------------------------------------- */

static const struct {
    const char *test;
    int seconds;
} check_tests[] = {{"loopback", 5}, {"memory", 5}, {"disk", 10}, {"gpu", 12}, {"pair", 25}};

struct check_plan {
    struct store *store;
    const struct check_request *req;
    const char *run;
    char **names;
    uint8_t *left_out; /* a job runs there */
    char (*keys)[CHECK_KEY];
    size_t count;
    struct topo *topo;
};

static int
check_plan_nodes(struct check_plan *p, struct err *err)
{
    struct hostlist l = {0};
    struct job j = {0};
    int rc = 0;
    size_t n = 0;
    const char *hosts = p->req->nodes && *p->req->nodes ? p->req->nodes : NULL;
    if (!hosts && p->req->job && *p->req->job) {
        rc = job_get(p->store, p->req->job, &j, err);
        hosts = rc ? NULL : j.nodes;
    }
    const topo_id *all = topo_of_kind(p->topo, ENTITY_NODE, &n);
    if (!rc && hosts)
        rc = hostlist_parse(hosts, &l, err);
    n = hosts ? l.count : n;
    p->names = rc ? NULL : calloc(n + 1, sizeof *p->names);
    p->left_out = rc ? NULL : calloc(n + 1, 1);
    p->keys = rc ? NULL : calloc(n + 1, sizeof *p->keys);
    if (!rc && (!p->names || !p->left_out || !p->keys))
        rc = err_set(err, ERR_NOMEM, "no memory for the check");
    for (size_t i = 0; !rc && i < n; i++) {
        const char *name = hosts ? l.names[i] : strchr(topo_name(p->topo, all[i]), ':') + 1;
        if (!(p->names[p->count++] = strdup(name)))
            rc = err_set(err, ERR_NOMEM, "no memory for the check");
    }
    if (!rc && !p->count)
        rc = err_set(err, ERR_NOTFOUND, "there are no nodes to check");
    hostlist_done(&l);
    job_done(&j);
    return rc;
}

static void
check_plan_jobs(struct check_plan *p)
{
    char entity[ENTITY_SIZE];
    for (size_t i = 0; i < p->count && !p->req->busy; i++) {
        topo_id id = entity_format(entity, ENTITY_NODE, p->names[i], NULL)
                         ? TOPO_NONE
                         : topo_find(p->topo, entity);
        p->left_out[i] = id != TOPO_NONE && topo_neighbour(p->topo, id, ENTITY_JOB) != TOPO_NONE;
    }
}

/* The next node that takes part; i itself where it is alone. */
static size_t
check_plan_next(const struct check_plan *p, size_t i)
{
    size_t n = i;
    do
        n = (n + 1) % p->count;
    while (n != i && p->left_out[n]);
    return n;
}

static int
check_plan_task(const struct check_plan *p, size_t i, size_t test)
{
    struct buf json;
    struct jsonw w;
    char address[64];
    size_t next = check_plan_next(p, i);
    bool pair = !strcmp(check_tests[test].test, "pair");
    if (pair && next == i)
        return 0;
    tasks_peer(p->store, p->names[next], address, sizeof address);
    buf_init(&json, TASKS_TEXT_MAX);
    jsonw_init(&w, &json);
    jsonw_object(&w);
    jsonw_kstr(&w, "run", p->run);
    jsonw_kstr(&w, "id", check_tests[test].test);
    jsonw_kstr(&w, "test", check_tests[test].test);
    jsonw_kbool(&w, "busy", p->req->busy);
    jsonw_kint(&w, "seconds", check_tests[test].seconds);
    if (pair) {
        jsonw_kstr(&w, "peer", p->names[next]);
        jsonw_kstr(&w, "address", address);
        jsonw_kint(&w, "port", (int64_t)(CHECK_PORT + i % CHECK_PORTS));
        jsonw_kint(&w, "peer_port", (int64_t)(CHECK_PORT + next % CHECK_PORTS));
        jsonw_kstr(&w, "key", p->keys[i]);
        jsonw_kstr(&w, "peer_key", p->keys[next]);
    }
    jsonw_end_object(&w);
    int rc = json.failed
                 ? ERR_LIMIT
                 : tasks_add(p->store, p->run, p->names[i], check_tests[test].test, buf_str(&json));
    buf_done(&json);
    return rc;
}

static int
check_plan_out(struct check_plan *p, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < p->count; i++) {
        uint8_t raw[16] = {0};
        file_random(raw, sizeof raw);
        for (size_t k = 0; k < sizeof raw; k++)
            snprintf(p->keys[i] + 2 * k, 3, "%02x", raw[k]);
        p->keys[i][CHECK_KEY - 2] =
            0; /* 31 characters and the zero: what the wire of a pair holds */
    }
    for (size_t t = 0; t < sizeof check_tests / sizeof *check_tests; t++)
        for (size_t i = 0; !rc && i < p->count; i++)
            if (!p->left_out[i])
                rc = check_plan_task(p, i, t);
    return rc ? err_set(err, rc, "too many tests wait already: come again in a while") : 0;
}

static void
check_plan_write(const struct check_plan *p, int64_t now_ms, struct buf *out)
{
    const struct check_request *r = p->req;
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", p->run);
    jsonw_kstr(&w, "profile", r->profile);
    jsonw_key(&w, "scope");
    jsonw_object(&w);
    if (r->nodes && *r->nodes)
        jsonw_kstr(&w, "nodes", r->nodes);
    else if (r->job && *r->job)
        jsonw_kstr(&w, "job", r->job);
    else
        jsonw_kstr(&w, "cluster", r->cluster ? r->cluster : "");
    jsonw_end_object(&w);
    jsonw_kstr(&w, "state", "running");
    jsonw_kreal(&w, "progress", 0);
    jsonw_kstr(&w, "user", r->who);
    jsonw_kbool(&w, "active", true);
    jsonw_kbool(&w, "busy", r->busy);
    jsonw_kbool(&w, "passed", r->passed);
    if (r->profile_text) {
        jsonw_key(&w, "profile_text");
        jsonw_strn(&w, r->profile_text, r->profile_len);
    }
    jsonw_ktime(&w, "started", now_ms);
    jsonw_kint(&w, "nodes", (int64_t)p->count);
    jsonw_end_object(&w);
}

int
check_active_start(struct store *s, const struct check_request *req, int64_t now_ms,
                   struct buf *ret_json, struct err *err)
{
    char run[48];
    uint32_t salt = 0;
    struct check_plan p = {.store = s, .req = req, .run = run, .topo = topo_get(s)};
    file_random(&salt, sizeof salt);
    snprintf(run, sizeof run, "c-%lld-%04x", (long long)(now_ms / 1000), salt & 0xffff);
    int rc = check_plan_nodes(&p, err);
    if (!rc) {
        check_plan_jobs(&p);
        rc = check_plan_out(&p, err);
    }
    if (!rc) {
        check_plan_write(&p, now_ms, ret_json);
        struct catalog_doc d = {.kind = "check",
                                .id = run,
                                .tenant = req->tenant ? req->tenant : "",
                                .state = "running",
                                .key = "",
                                .time_ms = now_ms,
                                .json = buf_str(ret_json),
                                .json_len = ret_json->len};
        rc = catalog_put(s, &d, err);
    }
    for (size_t i = 0; p.names && i < p.count; i++)
        free(p.names[i]);
    free(p.names);
    free(p.left_out);
    free(p.keys);
    topo_put(p.topo);
    return rc;
}

struct check_progress {
    size_t all;
};

static void
check_progress_task(void *ctx, const char *node, const char *task, const char *result)
{
    (void)node;
    (void)task;
    (void)result;
    ((struct check_progress *)ctx)->all++;
}

double
check_active_progress(struct store *s, const char *run, int64_t began_ms, int64_t now_ms)
{
    struct check_progress p = {0};
    size_t open = tasks_each(s, run, check_progress_task, &p);
    if (!open || now_ms - began_ms >= CHECK_ACTIVE_MS)
        return 1;
    double share = (double)(p.all - open) / (double)p.all;
    return share < 0.99 ? share : 0.99;
}

/* --- in --------------------------------------------------------------------------------------- */

struct check_result {
    double v;         /* NaN: none */
    const char *said; /* why there is none; "" */
    bool failed, asked;
    unsigned unreachable; /* of the two pairs */
};
struct check_results {
    struct check *c;
    const struct check_row *row;
    struct map *index; /* node -> number + 1 */
    struct check_result *at;
};

static struct check_result *
check_result_of(struct check_results *r, const char *node)
{
    uintptr_t i = (uintptr_t)map_get(r->index, node, strlen(node));
    return i ? &r->at[i - 1] : NULL;
}

/* The better of two pairs is what the node can do. */
static void
check_result_value(const struct check_results *r, struct check_result *to, double v)
{
    bool low = r->row->rule == CHECK_ACTIVE_LOW;
    if (!isnan(v) && (isnan(to->v) || (low ? v > to->v : v < to->v)))
        to->v = v;
}

static void
check_result_task(void *ctx, const char *node, const char *task, const char *result)
{
    struct check_results *r = ctx;
    struct doc *asked = NULL, *said = NULL;
    struct check_result *own = check_result_of(r, node);
    if (!own || doc_parse_json(task, strlen(task), "task", &asked, NULL))
        return;
    const struct doc_node *t = doc_root(asked);
    if (!strcmp(doc_get_str(t, "test", ""), r->row->metric)) {
        struct check_result *peer = check_result_of(r, doc_get_str(t, "peer", ""));
        bool answered = *result && !doc_parse_json(result, strlen(result), "result", &said, NULL);
        const struct doc_node *n = answered ? doc_root(said) : NULL;
        const char *status = doc_get_str(n, "status", "");
        const char *text = doc_get_str(n, "text", "");
        own->asked = strcmp(status, "absent") != 0;
        own->failed |= !strcmp(status, "failed");
        check_result_value(r, own, doc_get_real(n, r->row->label, NAN));
        if (peer && !strcmp(status, "ok"))
            check_result_value(r, peer, doc_get_real(n, r->row->label, NAN));
        if (peer && !strcmp(status, "unreachable")) {
            own->unreachable++;
            peer->unreachable++;
        }
        if (strcmp(status, "ok"))
            own->said = arena_str(r->c->arena, answered ? *text ? text : status : "no answer",
                                  strlen(answered ? *text ? text : status : "no answer"));
    }
    doc_free(said);
    doc_free(asked);
}

static int
check_active_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median and robust deviation of what was measured; false: too few. */
static bool
check_active_spread(const struct check_results *r, double *ret_median, double *ret_spread)
{
    double *v = malloc((r->c->node_count + 1) * sizeof *v);
    size_t n = 0;
    for (size_t i = 0; v && i < r->c->node_count; i++)
        if (!isnan(r->at[i].v))
            v[n++] = r->at[i].v;
    if (n >= CHECK_PEERS) {
        qsort(v, n, sizeof *v, check_active_order);
        *ret_median = v[n / 2];
        for (size_t i = 0; i < n; i++)
            v[i] = fabs(v[i] - *ret_median);
        qsort(v, n, sizeof *v, check_active_order);
        *ret_spread = 1.4826 * v[n / 2];
    }
    free(v);
    return n >= CHECK_PEERS;
}

enum check_verdict
check_active_judge(const struct check_row *r, double v, double median, double spread)
{
    bool low = r->rule == CHECK_ACTIVE_LOW;
    double away = low ? median - v : v - median;
    double ratio = v / median;
    if (!(away > CHECK_SPREADS * spread))
        return CHECK_PASS;
    if (low)
        return ratio < r->fail ? CHECK_FAIL : ratio < r->warn ? CHECK_WARN : CHECK_PASS;
    return ratio > r->fail ? CHECK_FAIL : ratio > r->warn ? CHECK_WARN : CHECK_PASS;
}

static enum check_verdict
check_active_verdict(const struct check_results *r, const struct check_result *n, bool compared,
                     double median, double spread)
{
    if (n->failed || (n->unreachable > 1 && r->c->node_count > 2))
        return CHECK_FAIL;
    if (n->unreachable)
        return CHECK_WARN;
    if (isnan(n->v))
        return CHECK_UNKNOWN;
    return compared ? check_active_judge(r->row, n->v, median, spread) : CHECK_PASS;
}

void
check_active(struct check *c, const struct check_row *row)
{
    struct check_results r = {.c = c,
                              .row = row,
                              .index = map_new(c->node_count + 1),
                              .at = calloc(c->node_count + 1, sizeof *r.at)};
    double median = NAN, spread = 0;
    for (size_t i = 0; r.index && r.at && i < c->node_count; i++) {
        const char *name = strchr(topo_name(c->topo, c->nodes[i]), ':') + 1;
        r.at[i] = (struct check_result){.v = NAN};
        map_set(r.index, name, strlen(name), (void *)(uintptr_t)(i + 1), NULL);
    }
    if (r.index && r.at) {
        tasks_each(c->store, c->req->active, check_result_task, &r);
        bool compared = check_active_spread(&r, &median, &spread);
        for (size_t i = 0; i < c->node_count; i++) {
            struct check_result *n = &r.at[i];
            if (!n->asked && row->optional)
                continue;
            struct check_item item = {.row = row,
                                      .id = c->nodes[i],
                                      .observed = n->v,
                                      .limit = median * row->fail,
                                      .seen = isnan(n->v) ? n->said    ? n->said
                                                            : n->asked ? "no answer"
                                                                       : "a job runs"
                                                          : NULL};
            item.verdict = check_active_verdict(&r, n, compared, median, spread);
            check_add(c, row, &item);
        }
    }
    map_free(r.index, NULL);
    free(r.at);
}
