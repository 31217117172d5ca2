/* prom: the Prometheus HTTP API, version 1, as Prometheus 2.42 answers: queries. Grafana and
 * Prometheus' own tools ask it.
 *
 * Load: a dashboard asks twenty queries at once. An evaluation is bounded by samples, series and
 * time. */
#include "web/prom.h"

#include "base/str.h"
#include "web/resources.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROM_POINTS_MAX 11000 /* a series, as Prometheus: what no screen shows is not computed */
#define PROM_TIMEOUT_MS 120000
#define PROM_NAMED      "invalid parameter \"query\": "

/* --- envelope --------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    int status;
} prom_statuses[] = {{"bad_data", 400},    {"execution", 422}, {"timeout", 503}, {"canceled", 503},
                     {"unavailable", 503}, {"not_found", 404}, {"internal", 500}};

int
prom_fail(struct httpd_response *resp, const char *type, const char *fmt, ...)
{
    char text[1024];
    struct jsonw j;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    resp->status = 500;
    for (size_t i = 0; i < sizeof prom_statuses / sizeof *prom_statuses; i++)
        if (!strcmp(prom_statuses[i].type, type))
            resp->status = prom_statuses[i].status;
    buf_reset(&resp->body);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "status", "error");
    jsonw_kstr(&j, "errorType", type);
    jsonw_kstr(&j, "error", text);
    jsonw_end_object(&j);
    return 0;
}

int
prom_fail_err(struct httpd_response *resp, int rc, const struct err *err)
{
    const char *text = *err->text ? err->text : err_text(rc);
    if (rc == ERR_TIMEOUT)
        return prom_fail(resp, "timeout", "%s", text);
    if (rc == ERR_BUSY || rc == ERR_CLOSED || rc == ERR_NOMEM)
        return prom_fail(resp, "unavailable", "%s", text);
    return prom_fail(resp, rc == ERR_IO || rc == ERR_CORRUPT ? "internal" : "execution", "%s",
                     text);
}

void
prom_begin(struct httpd_response *resp)
{
    buf_puts(&resp->body, "{\"status\":\"success\",\"data\":");
}

int
prom_end(struct httpd_response *resp)
{
    return buf_puts(&resp->body, "}");
}

/* --- parameters ------------------------------------------------------------------------------- */

static int
prom_time_of(const struct httpd_request *req, struct httpd_response *resp, const char *name,
             const char *prefix, int64_t dflt_ms, int64_t *ret_ms)
{
    const char *text = httpd_query(req, name);
    if (!text || !*text) {
        *ret_ms = dflt_ms;
        return 0;
    }
    if (!time_parse(text, ret_ms))
        return 0;
    prom_fail(resp, "bad_data",
              "invalid parameter \"%s\": %scannot parse \"%s\" to a valid timestamp", name, prefix,
              text);
    return ERR_SYNTAX;
}

int
prom_time(const struct httpd_request *req, struct httpd_response *resp, const char *name,
          int64_t dflt_ms, int64_t *ret_ms)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "Invalid time value for '%s': ", name);
    return prom_time_of(req, resp, name, prefix, dflt_ms, ret_ms);
}

int
prom_duration(const char *text, int64_t *ret_ms)
{
    double seconds;
    if (!str_double(text, strlen(text), &seconds)) {
        if (!isfinite(seconds) || fabs(seconds) > 3.2e9)
            return ERR_RANGE;
        *ret_ms = (int64_t)llround(seconds * 1000);
        return 0;
    }
    return duration_parse(text, ret_ms);
}

/* The query's text, parsed; NULL after answering. Prometheus names the parameter in some answers
 * only: prefix. */
static struct promql *
prom_parse(const struct httpd_request *req, struct httpd_response *resp, const char *prefix)
{
    struct promql *q = NULL;
    struct err err = {0};
    const char *text = httpd_query(req, "query");
    if (promql_parse(text ? text : "", &q, &err)) {
        prom_fail(resp, "bad_data", "%s%s", prefix, err.text);
        return NULL;
    }
    return q;
}

/* Negative after answering. */
static int
prom_options(const struct httpd_request *req, struct httpd_response *resp, struct promql_options *o)
{
    const char *timeout = httpd_query(req, "timeout"),
               *lookback = httpd_query(req, "lookback_delta");
    *o = (struct promql_options){.tenant = web_tenant(req), .timeout_ms = PROM_TIMEOUT_MS};
    if (timeout && *timeout && prom_duration(timeout, &o->timeout_ms)) {
        prom_fail(resp, "bad_data",
                  "invalid parameter \"timeout\": cannot parse \"%s\" to a valid duration",
                  timeout);
        return ERR_SYNTAX;
    }
    if (o->timeout_ms <= 0) {
        prom_fail(resp, "timeout", "query timed out in query execution");
        return ERR_TIMEOUT;
    }
    if (lookback && *lookback &&
        (prom_duration(lookback, &o->lookback_ms) || o->lookback_ms <= 0)) {
        prom_fail(resp, "bad_data",
                  "invalid parameter \"lookback_delta\": cannot parse \"%s\" to a valid duration",
                  lookback);
        return ERR_SYNTAX;
    }
    if (o->timeout_ms > PROM_TIMEOUT_MS)
        o->timeout_ms = PROM_TIMEOUT_MS;
    return 0;
}

/* --- queries ---------------------------------------------------------------------------------- */

static int
prom_answer(struct httpd_response *resp, const struct promql_result *r)
{
    struct jsonw j;
    prom_begin(resp);
    int rc = promql_result_json(r, &resp->body);
    if (rc)
        return prom_fail(resp, "execution",
                         "the answer is larger than an answer may be: ask for less");
    if (r->warning_count) {
        buf_puts(&resp->body, ",\"warnings\":");
        jsonw_init(&j, &resp->body);
        jsonw_array(&j);
        for (size_t i = 0; i < r->warning_count; i++)
            jsonw_str(&j, r->warnings[i]);
        jsonw_end_array(&j);
    }
    return prom_end(resp);
}

static int
prom_query(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct promql_options o;
    struct promql_result r = {0};
    struct err err = {0};
    int64_t at;
    if (prom_time(req, resp, "time", web_now(w), &at) || prom_options(req, resp, &o))
        return 0;
    struct promql *q = prom_parse(req, resp, PROM_NAMED);
    if (!q)
        return 0;
    int rc = promql_instant(w->cfg.store, q, at, &o, &r, &err);
    if (!rc)
        rc = prom_answer(resp, &r);
    else
        rc = prom_fail_err(resp, rc, &err);
    promql_result_done(&r);
    promql_free(q);
    return rc;
}

struct prom_span {
    int64_t from, to, step;
};

/* Negative after answering. */
static int
prom_span(const struct httpd_request *req, struct httpd_response *resp, struct prom_span *s)
{
    const char *step = httpd_query(req, "step");
    static const char *const names[] = {"start", "end"};
    for (int i = 0; i < 2; i++) {
        const char *text = httpd_query(req, names[i]);
        if (!text || !*text)
            return prom_fail(resp, "bad_data",
                             "invalid parameter \"%s\": cannot parse \"\" to a valid timestamp",
                             names[i]),
                   ERR_SYNTAX;
        if (prom_time_of(req, resp, names[i], "", 0, i ? &s->to : &s->from))
            return ERR_SYNTAX;
    }
    if (s->to < s->from)
        return prom_fail(resp, "bad_data",
                         "invalid parameter \"end\": end timestamp must not be before start time"),
               ERR_RANGE;
    if (prom_duration(step ? step : "", &s->step))
        return prom_fail(resp, "bad_data",
                         "invalid parameter \"step\": cannot parse \"%s\" to a valid duration",
                         step ? step : ""),
               ERR_SYNTAX;
    if (s->step <= 0)
        return prom_fail(resp, "bad_data",
                         "invalid parameter \"step\": zero or negative query resolution step "
                         "widths are not accepted. Try a positive integer"),
               ERR_RANGE;
    if ((s->to - s->from) / s->step > PROM_POINTS_MAX)
        return prom_fail(resp, "bad_data",
                         "exceeded maximum resolution of 11,000 points per timeseries. Try "
                         "decreasing the query resolution (?step=XX)"),
               ERR_RANGE;
    return 0;
}

static int
prom_query_range(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct promql_options o;
    struct promql_result r = {0};
    struct prom_span s;
    struct err err = {0};
    if (prom_span(req, resp, &s) || prom_options(req, resp, &o))
        return 0;
    struct promql *q = prom_parse(req, resp, "");
    if (!q)
        return 0;
    int rc;
    if (promql_type(q) != PROMQL_SCALAR && promql_type(q) != PROMQL_VECTOR) {
        const char *type = promql_type(q) == PROMQL_STRING ? "string" : "range vector";
        rc = prom_fail(resp, "bad_data",
                       "invalid expression type \"%s\" for range "
                       "query, must be Scalar or instant Vector",
                       type);
    } else if ((rc = promql_range(w->cfg.store, q, s.from, s.to, s.step, &o, &r, &err))) {
        rc = prom_fail_err(resp, rc, &err);
    } else {
        rc = prom_answer(resp, &r);
    }
    promql_result_done(&r);
    promql_free(q);
    return rc;
}

static int
prom_format(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct buf text;
    struct jsonw j;
    (void)ctx;
    struct promql *q = prom_parse(req, resp, PROM_NAMED);
    if (!q)
        return 0;
    buf_init(&text, (size_t)1 << 20);
    promql_format(q, &text);
    prom_begin(resp);
    jsonw_init(&j, &resp->body);
    jsonw_str(&j, buf_str(&text));
    buf_done(&text);
    promql_free(q);
    return prom_end(resp);
}

/* None are kept. */
static int
prom_exemplars(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    int64_t from, to;
    (void)ctx;
    if (prom_time(req, resp, "start", INT64_MIN, &from) ||
        prom_time(req, resp, "end", INT64_MAX, &to))
        return 0;
    if (to < from)
        return prom_fail(resp, "bad_data", "end timestamp must not be before start timestamp");
    struct promql *q = prom_parse(req, resp, "");
    if (!q)
        return 0;
    promql_free(q);
    return buf_puts(&resp->body, "{\"status\":\"success\",\"data\":[]}");
}

#define PROM       "/prometheus/api/v1/"
#define PROM_QUERY "query=PromQL; time=RFC 3339 or Unix seconds, now without; timeout=duration"
#define PROM_RANGE "query=PromQL; start=from; end=to; step=seconds or duration; timeout=duration"

const struct route prom_routes[] = {
    {"GET", PROM "query", ROLE_VIEWER, prom_query, .help = "Evaluates an expression at one time.",
     .query = PROM_QUERY},
    {"POST", PROM "query", ROLE_VIEWER, prom_query, .help = "The same, parameters in a form.",
     .query = PROM_QUERY},
    {"GET", PROM "query_range", ROLE_VIEWER, prom_query_range,
     .help = "Evaluates an expression over a range of time.", .query = PROM_RANGE},
    {"POST", PROM "query_range", ROLE_VIEWER, prom_query_range,
     .help = "The same, parameters in a form.", .query = PROM_RANGE},
    {"GET", PROM "format_query", ROLE_VIEWER, prom_format,
     .help = "Checks an expression and gives it back.", .query = "query=PromQL"},
    {"POST", PROM "format_query", ROLE_VIEWER, prom_format,
     .help = "The same, parameters in a form.", .query = "query=PromQL"},
    {"GET", PROM "query_exemplars", ROLE_VIEWER, prom_exemplars,
     .help = "No exemplars are kept: always empty."},
    {"POST", PROM "query_exemplars", ROLE_VIEWER, prom_exemplars, .help = "The same."},
};
const size_t prom_route_count = sizeof prom_routes / sizeof *prom_routes;
