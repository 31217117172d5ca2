/* ingest: one place where a commit's outcome becomes a status code, and one table of the inputs'
 * counters. */
#include "collector/ingest.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>

static const char *const ingest_names[INGEST_INPUTS] = {"remote_write", "import", "loki",
                                                        "otlp",         "agent",  "alertmanager"};

struct ingest_counters {
    _Atomic uint64_t requests, accepted, refused, errors;
    _Atomic int64_t last_ms;
};

struct ingest {
    struct store *store;
    struct ingest_counters at[INGEST_INPUTS];
};

struct ingest *
ingest_new(struct store *s)
{
    struct ingest *i = calloc(1, sizeof *i);
    if (i)
        i->store = s;
    return i;
}

void
ingest_free(struct ingest *i)
{
    free(i);
}

void
ingest_count(struct ingest *i, enum ingest_input in, uint64_t accepted, uint64_t refused)
{
    struct ingest_counters *c = &i->at[in];
    atomic_fetch_add(&c->requests, 1);
    atomic_fetch_add(&c->accepted, accepted);
    atomic_fetch_add(&c->refused, refused);
    atomic_store(&c->last_ms, clock_now_ms(store_clock(i->store)));
}

int
ingest_commit(struct ingest *i, enum ingest_input in, struct store_batch *b,
              struct httpd_response *resp)
{
    struct store_commit_result res = {0};
    struct err err;
    if (in != INGEST_AGENT)
        store_batch_origin(b, ingest_names[in]);
    int rc = store_commit(i->store, b, &res, &err);
    if (!rc || rc == ERR_EXISTS) {
        ingest_count(i, in, res.samples + res.events + res.logs, res.refused + res.too_old);
        resp->status = 204;
        return rc;
    }
    atomic_fetch_add(&i->at[in].errors, 1);
    httpd_reply_header(resp, "Retry-After", "1");
    httpd_reply_fail(resp, rc == ERR_BUSY ? 429 : 503, err_name(rc), "not stored: %s", err.text);
    return rc;
}

int
ingest_refuse(struct ingest *i, enum ingest_input in, struct httpd_response *resp,
              const struct err *err)
{
    atomic_fetch_add(&i->at[in].errors, 1);
    return httpd_reply_fail(resp, err->code == ERR_LIMIT ? 413 : 400, err_name(err->code), "%s",
                            err->text);
}

void
ingest_json(struct ingest *i, struct jsonw *w)
{
    for (int k = 0; k < INGEST_INPUTS; k++) {
        struct ingest_counters *c = &i->at[k];
        int64_t last = atomic_load(&c->last_ms);
        jsonw_object(w);
        jsonw_kstr(w, "kind", ingest_names[k]);
        jsonw_kstr(w, "name", ingest_names[k]);
        jsonw_kstr(w, "state", last ? "ok" : "idle");
        jsonw_key(w, "rate");
        jsonw_null(w);
        jsonw_kint(w, "accepted", (int64_t)atomic_load(&c->accepted));
        jsonw_kint(w, "refused", (int64_t)(atomic_load(&c->refused) + atomic_load(&c->errors)));
        jsonw_ktime(w, "last_seen", last);
        jsonw_kstr(w, "error", NULL);
        jsonw_end_object(w);
    }
}

static void
ingest_metric(struct ingest *i, struct buf *out, const char *name, const char *help, size_t offset)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
    for (int k = 0; k < INGEST_INPUTS; k++)
        buf_printf(
            out, "%s{input=\"%s\"} %llu\n", name, ingest_names[k],
            (unsigned long long)atomic_load((_Atomic uint64_t *)((char *)&i->at[k] + offset)));
}

void
ingest_metrics(struct ingest *i, struct buf *out)
{
    ingest_metric(i, out, "myriascope_ingest_requests_total", "Requests answered.",
                  offsetof(struct ingest_counters, requests));
    ingest_metric(i, out, "myriascope_ingest_accepted_total", "Samples, events and lines kept.",
                  offsetof(struct ingest_counters, accepted));
    ingest_metric(i, out, "myriascope_ingest_refused_total", "Samples not kept, each a gap.",
                  offsetof(struct ingest_counters, refused));
    ingest_metric(i, out, "myriascope_ingest_errors_total",
                  "Requests that could not be decoded or stored.",
                  offsetof(struct ingest_counters, errors));
}
