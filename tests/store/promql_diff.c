/* promql_diff: asks Prometheus (at the URL given) and this engine, over a real store, the same
 * queries on the same series, and compares status, type, label sets, order and values (relative
 * 1e-9). TAP: one result a kind of comparison; each difference is told as a comment. */
#include "tests/store/promql_diff.h"

#include "base/compress.h"
#include "base/doc.h"
#include "base/httpc.h"
#include "base/protobuf.h"
#include "base/str.h"
#include "store/promql/promql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_SERIES_MAX 600
#define DIFF_TELL       60

struct diff {
    const char *url;
    struct httpc *http;
    struct store *store;
    struct diff_series series[DIFF_SERIES_MAX];
    size_t series_count, asked, wrong, told;
    const char *only; /* a query to look at, from the environment */
};

/* --- writing ---------------------------------------------------------------------------------- */

/* name{a="b"} of a series, labels unescaped and sorted. */
static size_t
diff_labels(const struct diff_series *s, char *text, struct label *out)
{
    size_t n = 0;
    char *p = text;
    out[n++] = (struct label){.name = "__name__",
                              .value = s->name,
                              .name_len = 8,
                              .value_len = (uint32_t)strlen(s->name)};
    snprintf(text, 200, "%s", s->labels);
    while (*p) {
        char *eq = strchr(p, '='), *v = eq + 2, *to = v, *from = v;
        for (; *from != '"'; from++)
            *to++ = *from == '\\' ? *++from : *from;
        out[n++] = (struct label){
            .name = p, .value = v, .name_len = (uint32_t)(eq - p), .value_len = (uint32_t)(to - v)};
        p = from + 1 + (from[1] == ',');
    }
    return n;
}

static void
diff_put_label(struct buf *out, const struct label *l)
{
    size_t mark = protobuf_begin(out, 1);
    protobuf_put_bytes(out, 1, l->name, l->name_len);
    protobuf_put_bytes(out, 2, l->value, l->value_len);
    protobuf_end(out, mark);
}

static int
diff_send(struct diff *d, struct buf *raw)
{
    static const char *const headers[] = {"Content-Encoding: snappy",
                                          "Content-Type: application/x-protobuf",
                                          "X-Prometheus-Remote-Write-Version: 0.1.0", NULL};
    char url[200];
    struct buf packed;
    struct httpc_response resp;
    struct err err = {0};
    snprintf(url, sizeof url, "%s/api/v1/write", d->url);
    buf_init(&packed, (size_t)64 << 20);
    compress_snappy(raw->data, raw->len, &packed);
    struct httpc_request req = {.method = "POST",
                                .url = url,
                                .body = packed.data,
                                .body_len = packed.len,
                                .headers = headers};
    int rc = httpc_fetch(d->http, &req, &resp, &err);
    if (rc || resp.status / 100 != 2)
        printf("# write: %d %s %s\n", resp.status, err.text, buf_str(&resp.body)), rc = -1;
    httpc_response_done(&resp);
    buf_done(&packed);
    return rc;
}

#define DIFF_BLOCK 40u

/* What comes of a series in a block of steps: late ones of the block before first, as they may. */
static size_t
diff_samples(const struct diff_series *s, unsigned from, unsigned to, struct sample *out)
{
    size_t n = 0;
    bool first;
    for (unsigned step = from < DIFF_BLOCK ? 0 : from - DIFF_BLOCK; step < from; step++)
        n += diff_late(s, step, &first) && diff_sample(s, step, &out[n]);
    for (unsigned step = from; step < to; step++) {
        diff_late(s, step, &first);
        n += first && diff_sample(s, step, &out[n]);
    }
    return n;
}

/* A block of steps of all series, to both. */
static int
diff_write_block(struct diff *d, unsigned from, unsigned to)
{
    struct buf raw;
    struct sample samples[200];
    struct store_batch *b = store_batch_new(d->store);
    buf_init(&raw, (size_t)64 << 20);
    for (size_t k = 0; k < d->series_count; k++) {
        struct label l[16];
        struct labels set = {0};
        char text[200];
        size_t n = diff_labels(&d->series[k], text, l), count = 0, mark = protobuf_begin(&raw, 1);
        for (size_t i = 0; i < n; i++) {
            diff_put_label(&raw, &l[i]);
            labels_add(&set, l[i].name, l[i].name_len, l[i].value, l[i].value_len);
        }
        labels_finish(&set);
        count = diff_samples(&d->series[k], from, to, samples);
        for (size_t i = 0; i < count; i++) {
            size_t m = protobuf_begin(&raw, 2);
            protobuf_put_double(&raw, 1, samples[i].v);
            protobuf_put_varint(&raw, 2, (uint64_t)samples[i].t_ms);
            protobuf_end(&raw, m);
        }
        protobuf_end(&raw, mark);
        if (count)
            store_batch_samples(b, &set, samples, count);
    }
    struct err err = {0};
    int rc = store_commit(d->store, b, NULL, &err);
    if (rc)
        printf("# commit: %s\n", err.text);
    if (!rc)
        rc = diff_send(d, &raw);
    buf_done(&raw);
    return rc;
}

/* --- asking ----------------------------------------------------------------------------------- */

struct diff_ask {
    int64_t from_ms, to_ms, step_ms;
}; /* step 0: instant */

static int
diff_ask_prometheus(struct diff *d, const char *query, const struct diff_ask *a, struct doc **ret,
                    int *ret_status)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    char url[200];
    struct buf body;
    struct httpc_response resp;
    struct err err = {0};
    buf_init(&body, 1 << 20);
    buf_puts(&body, "query=");
    str_percent_encode(&body, query, "");
    if (a->step_ms)
        buf_printf(&body, "&start=%.3f&end=%.3f&step=%.3f", (double)a->from_ms / 1000,
                   (double)a->to_ms / 1000, (double)a->step_ms / 1000);
    else
        buf_printf(&body, "&time=%.3f", (double)a->from_ms / 1000);
    snprintf(url, sizeof url, "%s/api/v1/%s", d->url, a->step_ms ? "query_range" : "query");
    struct httpc_request req = {.method = "POST",
                                .url = url,
                                .body = body.data,
                                .body_len = body.len,
                                .headers = headers,
                                .max_body = (size_t)256 << 20};
    int rc = httpc_fetch(d->http, &req, &resp, &err);
    if (!rc)
        rc = doc_parse_json(buf_str(&resp.body), resp.body.len, "prometheus", ret, &err);
    if (rc)
        printf("# prometheus: %s\n", err.text);
    *ret_status = resp.status;
    httpc_response_done(&resp);
    buf_done(&body);
    return rc;
}

/* Our answer as the API would give it. */
static int
diff_ask_engine(struct diff *d, const char *query, const struct diff_ask *a, struct doc **ret,
                int *ret_status, struct err *err)
{
    struct promql *q = NULL;
    struct promql_result r;
    struct buf out;
    *ret = NULL;
    *ret_status = 400;
    if (promql_parse(query, &q, err))
        return 0;
    if (a->step_ms && promql_type(q) != PROMQL_SCALAR && promql_type(q) != PROMQL_VECTOR) {
        promql_range(d->store, q, a->from_ms, a->to_ms, a->step_ms, NULL, &r, err);
        promql_free(q);
        return 0;
    }
    *ret_status = 422;
    int rc = a->step_ms ? promql_range(d->store, q, a->from_ms, a->to_ms, a->step_ms, NULL, &r, err)
                        : promql_instant(d->store, q, a->from_ms, NULL, &r, err);
    promql_free(q);
    if (rc)
        return 0;
    *ret_status = 200;
    buf_init(&out, (size_t)256 << 20);
    promql_result_json(&r, &out);
    promql_result_done(&r);
    rc = doc_parse_json(buf_str(&out), out.len, "engine", ret, err);
    if (rc)
        printf("# engine's JSON: %s\n", err->text);
    buf_done(&out);
    return rc;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void diff_tell(struct diff *d, const char *query, const struct diff_ask *a, const char *fmt,
                      ...) __attribute__((format(printf, 4, 5)));

static void
diff_tell(struct diff *d, const char *query, const struct diff_ask *a, const char *fmt, ...)
{
    va_list ap;
    d->wrong++;
    if (d->told++ >= DIFF_TELL)
        return;
    printf("# %s [%lld..%lld/%lld]: ", query, (long long)(a->from_ms - DIFF_START) / 1000,
           (long long)(a->to_ms - DIFF_START) / 1000, (long long)a->step_ms / 1000);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static bool
diff_same_value(const char *x, const char *y)
{
    double a, b;
    if (!strcmp(x, y))
        return true;
    if (str_double(x, strlen(x), &a) || str_double(y, strlen(y), &b))
        return false;
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return (isnan(a) && isnan(b)) || a == b;
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) || fabs(a - b) < 1e-13;
}

static void
diff_key(const struct doc_node *row, struct buf *out)
{
    for (const struct doc_node *n = doc_get(row, "metric")->first; n; n = n->next)
        buf_printf(out, "%s=%s;", n->key, doc_str(n, "?"));
}

/* Points of two rows: the first that differs, or "". */
static void
diff_points(const struct doc_node *x, const struct doc_node *y, char *out, size_t size)
{
    const struct doc_node *a = doc_get(x, "values"), *b = doc_get(y, "values");
    const struct doc_node *p = a ? a->first : doc_get(x, "value"),
                          *q = b ? b->first : doc_get(y, "value");
    *out = 0;
    for (; p || q; p = a ? p->next : NULL, q = b ? q->next : NULL) {
        double t = doc_real(doc_at(p, 0), -1), u = doc_real(doc_at(q, 0), -1);
        const char *v = doc_str(doc_at(p, 1), "none"), *w = doc_str(doc_at(q, 1), "none");
        if (t == u && diff_same_value(v, w))
            continue;
        snprintf(out, size, "at %.3f Prometheus %s, at %.3f we %s", t, v, u, w);
        return;
    }
}

static bool
diff_is_ordered(const char *query)
{
    size_t n = strlen(query);
    return query[n - 1] == ')' && (!strncmp(query, "sort", 4) || !strncmp(query, "topk(", 5) ||
                                   !strncmp(query, "bottomk(", 8));
}

static const struct doc_node *
diff_find(const struct doc_node *rows, const char *key)
{
    for (const struct doc_node *r = rows->first; r; r = r->next) {
        struct buf b;
        buf_init(&b, 4096);
        diff_key(r, &b);
        bool same = !strcmp(buf_str(&b), key);
        buf_done(&b);
        if (same)
            return r;
    }
    return NULL;
}

static void
diff_rows(struct diff *d, const char *query, const struct diff_ask *a, const struct doc_node *x,
          const struct doc_node *y)
{
    bool ties = (strstr(query, "level") || strstr(query, "weird")) &&
                (strstr(query, "topk") || strstr(query, "bottomk") ||
                 strstr(query, "sort")); /* which of equals is kept is not told */
    if (ties && a->step_ms)
        return;
    if (x->count != y->count) {
        diff_tell(d, query, a, "Prometheus has %zu rows, we %zu", x->count, y->count);
        return;
    }
    const struct doc_node *q = y->first;
    for (const struct doc_node *p = x->first; p; p = p->next, q = q->next) {
        struct buf key;
        char what[200];
        buf_init(&key, 4096);
        diff_key(p, &key);
        const struct doc_node *same =
            a->step_ms || diff_is_ordered(query) ? q : diff_find(y, buf_str(&key));
        struct buf other;
        buf_init(&other, 4096);
        if (same)
            diff_key(same, &other);
        diff_points(p, same, what, sizeof what);
        bool wrong = !same || *what || strcmp(buf_str(&key), buf_str(&other));
        if (wrong && !(ties && same && !*what))
            diff_tell(d, query, a, "row {%s} against {%s}: %s", buf_str(&key),
                      same ? buf_str(&other) : "none", what);
        buf_done(&key);
        buf_done(&other);
        if (wrong)
            return;
    }
}

static void
diff_compare(struct diff *d, const char *query, const struct diff_ask *a, const struct doc *x,
             const struct doc *y)
{
    const struct doc_node *p = doc_get(doc_root(x), "data"), *q = doc_root(y);
    const char *type = doc_get_str(p, "resultType", "?"), *ours = doc_get_str(q, "resultType", "?");
    const struct doc_node *xs = doc_get(p, "result"), *ys = doc_get(q, "result");
    if (strcmp(type, ours)) {
        diff_tell(d, query, a, "Prometheus says %s, we %s", type, ours);
    } else if (!strcmp(type, "scalar") || !strcmp(type, "string")) {
        const char *v = doc_str(doc_at(xs, 1), "?"), *w = doc_str(doc_at(ys, 1), "?");
        if (doc_real(doc_at(xs, 0), 0) != doc_real(doc_at(ys, 0), 0) || !diff_same_value(v, w))
            diff_tell(d, query, a, "Prometheus %s, we %s", v, w);
    } else {
        diff_rows(d, query, a, xs, ys);
    }
}

/* Sentences; lists of series in brackets may stand in another order. */
static bool
diff_same_error(const char *theirs, const char *ours)
{
    static const char invalid[] = "invalid parameter \"query\": ";
    if (str_prefix(theirs, invalid))
        theirs += sizeof invalid - 1;
    const char *bracket = strstr(theirs, ": [");
    size_t n =
        bracket && strstr(theirs, "many-to-many") ? (size_t)(bracket - theirs) : strlen(theirs);
    if (n < strlen(theirs) && !strncmp(theirs, "found duplicate", 15)) {
        const char *hand = strstr(theirs, "} on the "), *ourhand = strstr(ours, "} on the ");
        return hand && ourhand && !strncmp(theirs, ours, 48) &&
               strstr(ours, ";many-to-many matching not allowed: matching labels must be unique on "
                            "one side");
    }
    return !strcmp(theirs, ours);
}

static void
diff_one(struct diff *d, const char *query, const struct diff_ask *a)
{
    struct doc *x = NULL, *y = NULL;
    struct err err = {0};
    int status, ours;
    d->asked++;
    if (diff_ask_prometheus(d, query, a, &x, &status) ||
        diff_ask_engine(d, query, a, &y, &ours, &err)) {
        diff_tell(d, query, a, "no answer");
    } else if (status == 200 && ours == 200) {
        diff_compare(d, query, a, x, y);
    } else {
        const char *theirs = status == 200 ? "fine" : doc_get_str(doc_root(x), "error", "?"),
                   *we = ours == 200 ? "fine" : err.text;
        if (status != ours || !diff_same_error(theirs, we))
            diff_tell(d, query, a, "Prometheus %d %s; we %d %s", status, theirs, ours, we);
    }
    doc_free(x);
    doc_free(y);
}

static void
diff_query(void *ctx, const char *query)
{
    static const struct diff_ask asks[] = {
        {DIFF_START + 7200000, DIFF_START + 7200000, 0},
        {DIFF_START + 5407000, DIFF_START + 5407000, 0},
        {DIFF_START + 705 * 15000 + 200123, DIFF_START + 705 * 15000 + 200123, 0},
        {DIFF_START + 3600000, DIFF_START + 9000000, 60000},
        {DIFF_START - 120000, DIFF_START + 3601000, 97000}};
    struct diff *d = ctx;
    if (d->only && strcmp(d->only, query))
        return;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        diff_one(d, query, &asks[i]);
}

static void
diff_bad(void *ctx, const char *query)
{
    static const struct diff_ask instant = {DIFF_START, DIFF_START, 0};
    struct diff *d = ctx;
    if (!d->only || !strcmp(d->only, query))
        diff_one(ctx, query, &instant);
}

static void
diff_format(void *ctx, const char *query)
{
    struct diff *d = ctx;
    struct promql *q;
    struct buf url, out;
    struct httpc_response resp;
    struct doc *doc = NULL;
    struct err err;
    static const struct diff_ask none = {0};
    if (promql_parse(query, &q, NULL))
        return;
    d->asked++;
    buf_init(&url, 1 << 16);
    buf_init(&out, 1 << 20);
    buf_printf(&url, "%s/api/v1/format_query?query=", d->url);
    str_percent_encode(&url, query, "");
    struct httpc_request req = {.url = buf_str(&url)};
    promql_pretty(q, &out);
    if (httpc_fetch(d->http, &req, &resp, &err) ||
        doc_parse_json(buf_str(&resp.body), resp.body.len, "x", &doc, &err))
        diff_tell(d, query, &none, "no answer");
    else if (strcmp(doc_get_str(doc_root(doc), "data", "?"), buf_str(&out)))
        diff_tell(d, query, &none, "Prometheus formats %s; we %s",
                  doc_get_str(doc_root(doc), "data", "?"), buf_str(&out));
    doc_free(doc);
    httpc_response_done(&resp);
    buf_done(&url);
    buf_done(&out);
    promql_free(q);
}

static int64_t
diff_now(void *ctx)
{
    (void)ctx;
    return DIFF_START + DIFF_STEPS * 15000;
}

static void
diff_say(struct diff *d, int n, const char *what)
{
    printf("%s %d - %s\n# %zu comparisons, %zu differ\n", d->wrong ? "not ok" : "ok", n, what,
           d->asked, d->wrong);
    d->asked = d->wrong = d->told = 0;
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static struct diff d;
    struct clock clock = {diff_now, NULL};
    struct store_config cfg = {.folder = argc > 2 ? argv[2] : "", .clock = &clock};
    struct err err = {0};
    if (argc < 3 || store_open(&cfg, &d.store, &err)) {
        printf("1..0 # SKIP promql_diff URL FOLDER; %s\n", err.text);
        return argc < 3 ? 0 : 1;
    }
    d.url = argv[1];
    d.only = getenv("MS_QUERY");
    d.http = httpc_new();
    d.series_count = diff_series(d.series, DIFF_SERIES_MAX);
    printf("1..5\n# %zu series\n", d.series_count);
    int rc = 0;
    for (unsigned from = 0; !rc && from < DIFF_STEPS; from += DIFF_BLOCK) {
        unsigned to = from + DIFF_BLOCK < DIFF_STEPS ? from + DIFF_BLOCK : DIFF_STEPS;
        rc = diff_write_block(&d, from, to);
        if (!rc && from % (5 * DIFF_BLOCK) == 0) /* the rest is in memory alone */
            rc = store_flush(d.store, &err);
    }
    printf("%s 1 - both hold the same series\n", rc ? "not ok" : "ok");
    if (!rc) {
        diff_queries(diff_query, &d);
        diff_say(&d, 2, "queries give the same");
        rc = store_compact(d.store, &err);
        diff_queries(diff_query, &d);
        diff_say(&d, 3, "and so after compaction");
        diff_malformed(diff_bad, &d);
        diff_say(&d, 4, "malformed queries are refused in the same words");
        diff_queries(diff_format, &d);
        diff_say(&d, 5, "expressions are written the same");
    }
    httpc_free(d.http);
    store_close(d.store);
    return 0;
}
