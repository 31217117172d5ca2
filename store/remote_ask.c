/* remote_ask: one question to the engine, over HTTP, with its deadline; what goes wrong is told as
 * "the engine at URL ...". */
#include "store/remote_priv.h"

#include "base/clock.h"
#include "base/httpc.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMOTE_ANSWER_MAX ((size_t)1 << 30)

/* --- what every request bears ----------------------------------------------------------------- */

/* The first line of a file: read each time, so that a renewed token counts at once. */
static int
remote_secret(const char *path, char *out, size_t size, struct err *err)
{
    struct buf text;
    int rc = file_read(path, size - 1, &text, err);
    if (!rc) {
        str_copy(out, size, buf_str(&text));
        out[strcspn(out, "\r\n")] = 0;
    }
    buf_done(&text);
    return rc;
}

int
remote_access_fill(const struct remote_config *c, const char *const *more,
                   struct remote_access *tmp, struct httpc_request *req, struct err *err)
{
    size_t n = 0, max = sizeof tmp->headers / sizeof *tmp->headers - 1;
    for (size_t i = 0; more && more[i] && n < max; i++)
        tmp->headers[n++] = more[i];
    for (size_t i = 0; c->headers && c->headers[i] && n < max; i++)
        tmp->headers[n++] = c->headers[i];
    tmp->headers[n] = NULL;
    req->headers = tmp->headers;
    req->ca = c->ca;
    req->cert = c->cert;
    req->key = c->key;
    int rc = c->token_file ? remote_secret(c->token_file, tmp->token, sizeof tmp->token, err) : 0;
    if (!rc && c->password_file)
        rc = remote_secret(c->password_file, tmp->password, sizeof tmp->password, err);
    if (rc)
        return rc;
    req->bearer = c->token_file ? tmp->token : NULL;
    req->user = c->user;
    req->password = c->user ? (c->password_file ? tmp->password : "") : NULL;
    return 0;
}

void
remote_form_add(struct buf *form, const char *key, const char *value, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    if (form->len)
        buf_putc(form, '&');
    for (const char *p = key; *p; p++) /* match[] */
        if (*p == '[' || *p == ']')
            buf_puts(form, *p == '[' ? "%5B" : "%5D");
        else
            buf_putc(form, *p);
    buf_putc(form, '=');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '.' || c == '-';
        if (plain) {
            buf_putc(form, (char)c);
        } else {
            char out[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_append(form, out, 3);
        }
    }
}

void
remote_form_time(struct buf *form, const char *key, int64_t ms)
{
    char text[40];
    ms = ms > 0 ? ms : 0;
    int n =
        snprintf(text, sizeof text, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
    remote_form_add(form, key, text, (size_t)n);
}

/* --- selectors -------------------------------------------------------------------------------- */

static void
remote_quote(struct buf *out, const char *s, size_t len)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\')
            buf_putc(out, '\\');
        if (s[i] == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, s[i]);
    }
    buf_putc(out, '"');
}

static void
remote_matcher(struct buf *out, bool *first, enum match_op op, const char *name, size_t name_len,
               const char *value, size_t value_len)
{
    static const char *const ops[] = {
        [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    if (!*first)
        buf_putc(out, ',');
    *first = false;
    buf_append(out, name, name_len);
    buf_puts(out, ops[op]);
    remote_quote(out, value, value_len);
}

int
remote_selector(const struct remote *r, const struct matcher *m, size_t n, const char *tenant,
                struct buf *out)
{
    bool first = true, telling = false;
    buf_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        const char *value = m[i].value ? m[i].value : "";
        remote_matcher(out, &first, m[i].op, m[i].name, strlen(m[i].name), value, strlen(value));
        telling |= m[i].op == MATCH_EQ && *value;
    }
    if (tenant && *tenant)
        remote_matcher(out, &first, MATCH_EQ, "tenant", 6, tenant, strlen(tenant));
    const struct labels *own = &r->cfg.external;
    for (size_t i = 0; !r->cfg.read_all && i < own->count; i++)
        remote_matcher(out, &first, MATCH_EQ, own->at[i].name, own->at[i].name_len,
                       own->at[i].value, own->at[i].value_len);
    telling |= (tenant && *tenant) || (!r->cfg.read_all && own->count);
    if (!telling) /* PromQL wants one matcher that the empty text does not pass */
        remote_matcher(out, &first, MATCH_NE, "__name__", 8, "", 0);
    buf_putc(out, '}');
    return out->failed ? ERR_LIMIT : 0;
}

/* --- the question ----------------------------------------------------------------------------- */

static struct httpc *
remote_take_client(struct remote *r)
{
    pthread_mutex_lock(&r->lock);
    struct httpc *c = r->idle_count ? r->idle[--r->idle_count] : NULL;
    pthread_mutex_unlock(&r->lock);
    return c ? c : httpc_new();
}

static void
remote_give_client(struct remote *r, struct httpc *c)
{
    pthread_mutex_lock(&r->lock);
    bool keep = r->idle_count < REMOTE_IDLE_MAX;
    if (keep)
        r->idle[r->idle_count++] = c;
    pthread_mutex_unlock(&r->lock);
    if (!keep)
        httpc_free(c);
}

static int
remote_said(const struct remote *r, const struct httpc_response *resp, struct err *err)
{
    char text[300];
    remote_answer_error(buf_str(&resp->body), resp->body.len, text, sizeof text);
    if (!*text) {
        str_copy(text, sizeof text, buf_str(&resp->body));
        text[strcspn(text, "\r\n")] = 0;
    }
    int code = resp->status == 429 || resp->status == 503   ? ERR_BUSY
               : resp->status == 401 || resp->status == 403 ? ERR_DENIED
               : resp->status == 400 || resp->status == 422 ? ERR_UNSUPPORTED
                                                            : ERR_IO;
    return err_set(err, code, "the engine at %.120s answers %d: %.250s", r->cfg.query_url,
                   resp->status, text);
}

static int
remote_fetch(struct remote *r, struct httpc *c, const struct httpc_request *req,
             struct buf *ret_body, struct err *err)
{
    struct httpc_response resp;
    struct err why;
    int rc = httpc_fetch(c, req, &resp, &why);
    if (rc)
        rc = err_set(err, rc == ERR_TIMEOUT || rc == ERR_LIMIT ? rc : ERR_CLOSED,
                     "the engine at %.120s does not answer: %.300s", r->cfg.query_url, why.text);
    else if (resp.status < 200 || resp.status >= 300)
        rc = remote_said(r, &resp, err);
    if (!rc) {
        *ret_body = resp.body;
        resp.body = (struct buf){0};
    }
    httpc_response_done(&resp);
    return rc;
}

int
remote_ask(struct remote *r, const char *path, const struct buf *form, int64_t deadline_us,
           struct buf *ret_body, struct err *err)
{
    static const char *const more[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct remote_access access;
    struct httpc_request req = {.method = form ? "POST" : "GET", .max_body = REMOTE_ANSWER_MAX};
    char url[2048];
    int64_t left = deadline_us ? (deadline_us - clock_mono_us()) / 1000 : r->cfg.timeout_ms;
    if (left <= 0)
        return err_set(err, ERR_TIMEOUT, "the query took too long");
    snprintf(url, sizeof url, "%.1500s%s", r->cfg.query_url, path);
    req.url = url;
    req.body = form ? buf_str(form) : NULL;
    req.body_len = form ? form->len : 0;
    req.timeout_ms = (unsigned)(left < r->cfg.timeout_ms ? left : r->cfg.timeout_ms);
    struct httpc *c = remote_take_client(r);
    int rc = c ? remote_access_fill(&r->cfg, form ? more : NULL, &access, &req, err)
               : err_set(err, ERR_NOMEM, "out of memory");
    r->counters.asked++;
    if (!rc)
        rc = remote_fetch(r, c, &req, ret_body, err);
    r->counters.ask_failures += rc != 0;
    if (c)
        remote_give_client(r, c);
    return rc;
}
