/* scrape_target: one exporter: its address from labels, one question at a time. */
#include "base/clock.h"
#include "base/str.h"
#include "collector/scrape_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRAPE_TARGET_URL_MAX  ((size_t)8192)
#define SCRAPE_TARGET_BODY_MAX ((size_t)64 << 20)

static const char *
scrape_target_get(const struct labels *l, const char *name, char *out, size_t size)
{
    return labels_copy(l, name, out, size) ? out : "";
}

/* Query from __param_NAME labels. */
static void
scrape_target_query(const struct labels *l, struct buf *url)
{
    char sep = strchr(buf_str(url), '?') ? '&' : '?', text[LABEL_VALUE_MAX + 1];
    for (size_t i = 0; i < l->count; i++) {
        const struct label *x = &l->at[i];
        if (x->name_len <= 8 || memcmp(x->name, "__param_", 8) != 0)
            continue;
        buf_printf(url, "%c%.*s=", sep, (int)x->name_len - 8, x->name + 8);
        snprintf(text, sizeof text, "%.*s", (int)x->value_len, x->value);
        str_percent_encode(url, text, "");
        sep = '&';
    }
}

/* The first value of a parameter is its label, which rules may have changed; further ones follow
 * as they are. */
static void
scrape_target_more(const struct scrape_conf *c, struct buf *url)
{
    for (const struct doc_node *p = c->params ? c->params->first : NULL; p; p = p->next) {
        if (p->kind != DOC_SEQ || !p->first)
            continue;
        for (const struct doc_node *v = p->first->next; v; v = v->next) {
            buf_printf(url, "&%s=", p->key);
            str_percent_encode(url, doc_str(v, ""), "");
        }
    }
}

static int
scrape_target_url(struct scrape_target *t, const struct labels *l, struct err *err)
{
    char scheme[LABEL_VALUE_MAX + 1], address[LABEL_VALUE_MAX + 1], path[LABEL_VALUE_MAX + 1];
    struct buf url;
    scrape_target_get(l, "__scheme__", scheme, sizeof scheme);
    scrape_target_get(l, "__address__", address, sizeof address);
    scrape_target_get(l, "__metrics_path__", path, sizeof path);
    if (!labels_find(l, "__address__"))
        return err_set(err, ERR_SYNTAX, "a target has no __address__");
    if (strpbrk(address, "/ \t@?#") || (strcmp(scheme, "http") && strcmp(scheme, "https")))
        return err_set(err, ERR_SYNTAX, "%s://%s is not a scheme and host:port", scheme, address);
    buf_init(&url, SCRAPE_TARGET_URL_MAX);
    buf_printf(&url, "%s://%s%s%s", scheme, address, *path == '/' ? "" : "/", path);
    scrape_target_query(l, &url);
    scrape_target_more(t->job->conf, &url);
    t->url = buf_take(&url, NULL);
    return t->url ? 0 : err_set(err, ERR_LIMIT, "the address of %s is too long", address);
}

static int
scrape_target_duration(const struct labels *l, const char *name, int64_t dflt, int64_t *ret)
{
    char text[64];
    *ret = dflt;
    return labels_copy(l, name, text, sizeof text) ? duration_parse(text, ret) : 0;
}

/* Labels without two underscores in front, copied; instance is the address unless given. */
static int
scrape_target_labels(struct scrape_target *t, const struct labels *l)
{
    const struct label *address = labels_find(l, "__address__");
    int rc = 0;
    for (size_t i = 0; !rc && i < l->count; i++) {
        const struct label *x = &l->at[i];
        if (x->name_len > 1 && !memcmp(x->name, "__", 2))
            continue;
        char *name = arena_str(t->text, x->name, x->name_len);
        char *value = arena_str(t->text, x->value, x->value_len);
        rc = name && value ? labels_add(&t->labels, name, x->name_len, value, x->value_len)
                           : ERR_NOMEM;
    }
    if (!rc && !labels_find(&t->labels, "instance") && address) {
        char *value = arena_str(t->text, address->value, address->value_len);
        rc = value ? labels_add(&t->labels, "instance", 8, value, address->value_len) : ERR_NOMEM;
    }
    return rc ? rc : labels_finish(&t->labels);
}

/* URL and labels as one text. */
static int
scrape_target_key(struct scrape_target *t)
{
    struct buf key;
    buf_init(&key, (size_t)128 << 10);
    buf_puts(&key, t->url);
    for (size_t i = 0; i < t->labels.count; i++) {
        const struct label *x = &t->labels.at[i];
        buf_printf(&key, "\xff%.*s\xff%.*s", (int)x->name_len, x->name, (int)x->value_len,
                   x->value);
    }
    t->key = buf_take(&key, NULL);
    return t->key ? 0 : ERR_NOMEM;
}

static int
scrape_target_fill(struct scrape_target *t, const struct labels *l, struct err *err)
{
    const struct scrape_conf *c = t->job->conf;
    char name[160];
    int rc = scrape_target_url(t, l, err);
    if (rc)
        return rc;
    if (scrape_target_duration(l, "__scrape_interval__", c->scrape_interval, &t->interval_ms) ||
        scrape_target_duration(l, "__scrape_timeout__", c->scrape_timeout, &t->timeout_ms) ||
        t->interval_ms < 100 || t->timeout_ms < 1)
        return err_set(err, ERR_SYNTAX, "%s: interval or timeout is not a duration", t->url);
    if (t->timeout_ms > t->interval_ms)
        t->timeout_ms = t->interval_ms;
    if ((rc = scrape_target_labels(t, l)))
        return err_set(err, rc, "%s: its labels are not well-formed", t->url);
    if (scrape_target_key(t))
        return err_set(err, ERR_NOMEM, "no memory for a target");
    snprintf(name, sizeof name, "%s %s", c->job_name, t->url);
    t->inlet = inlet_new(t->job->s->env.store, "scrape", name);
    return t->inlet ? 0 : err_set(err, ERR_NOMEM, "no memory for a target");
}

struct scrape_target *
scrape_target_new(struct scrape_job *job, struct labels *l, struct arena *text, bool *ret_dropped,
                  struct err *err)
{
    *ret_dropped = !relabel_apply(job->relabel, l, text);
    if (*ret_dropped)
        return NULL;
    struct scrape_target *t = calloc(1, sizeof *t);
    if (!t || !(t->text = arena_new(SCRAPE_LABELS_TEXT))) {
        free(t);
        err_set(err, ERR_NOMEM, "no memory for a target");
        return NULL;
    }
    t->job = job;
    buf_init(&t->body, 0);
    if (scrape_target_fill(t, l, err)) {
        scrape_target_free(t);
        return NULL;
    }
    /* spread over the interval, always at the same place of it */
    int64_t interval_us = t->interval_ms * 1000, now = clock_mono_us();
    int64_t place = (int64_t)(map_hash(t->key, strlen(t->key)) % (uint64_t)interval_us);
    t->due_us = now - now % interval_us + place;
    if (t->due_us < now)
        t->due_us += interval_us;
    return t;
}

void
scrape_target_free(struct scrape_target *t)
{
    if (!t)
        return;
    inlet_put(t->inlet);
    arena_free(t->text);
    buf_done(&t->body);
    free(t->hashes);
    free(t->key);
    free(t->url);
    free(t);
}

static void
scrape_target_done(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct scrape_target *t = ctx;
    double seconds = (double)(clock_mono_us() - t->sent_us) / 1e6;
    char told[128];
    if (rc && atomic_load(&t->job->s->stopping)) { /* we end, the target does not */
    } else if (rc) {
        scrape_read_take(t, "", 0, seconds, err->text);
    } else if (resp->status != 200) {
        snprintf(told, sizeof told, "server returned HTTP status %d", resp->status);
        scrape_read_take(t, "", 0, seconds, told);
    } else {
        scrape_read_take(t, buf_str(&resp->body), resp->body.len, seconds, NULL);
    }
    atomic_store(&t->busy, false);
}

void
scrape_target_ask(struct scrape_target *t)
{
    const struct scrape_conf *c = t->job->conf;
    char timeout[64];
    struct err err;
    const char *headers[4] = {
        "Accept: text/plain;version=0.0.4;q=0.8,application/openmetrics-text;version=1.0.0;q=0.5",
        timeout, NULL, NULL};
    struct httpc_request req = {.url = t->url,
                                .headers = headers,
                                .timeout_ms = (unsigned)t->timeout_ms,
                                .max_body = c->body_size_limit ? (size_t)c->body_size_limit
                                                               : SCRAPE_TARGET_BODY_MAX};
    snprintf(timeout, sizeof timeout, "X-Prometheus-Scrape-Timeout-Seconds: %g",
             (double)t->timeout_ms / 1000);
    t->at_ms = clock_now_ms(store_clock(t->job->s->env.store));
    t->sent_us = clock_mono_us();
    struct arena *text = arena_new(SCRAPE_LABELS_TEXT);
    int rc = text ? scrape_sd_credentials(&c->http, text, &req, &headers[2], &err)
                  : err_set(&err, ERR_NOMEM, "no memory");
    atomic_store(&t->busy, true);
    if (!rc)
        rc = httpc_pool_submit(t->job->s->pool, &req, scrape_target_done, t);
    if (rc == ERR_BUSY)
        err_set(&err, rc, "too many scrapes wait");
    if (rc) {
        scrape_read_take(t, "", 0, 0, err.text);
        atomic_store(&t->busy, false);
    }
    arena_free(text);
}
