/* httpd_query: what a request says. All of it is hostile: a broken escape or an embedded zero is
 * refused, and the number of parameters has a ceiling; their bytes are bounded by the ceilings of
 * target and body. */
#include "base/httpd_in.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
httpd_query_nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int64_t
httpd_percent_decode(char *text, bool plus)
{
    char *out = text;
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            *out++ = plus && *p == '+' ? ' ' : *p;
            continue;
        }
        int high = httpd_query_nibble(p[1]), low = high < 0 ? -1 : httpd_query_nibble(p[2]);
        if (low < 0 || !(high | low))
            return ERR_SYNTAX;
        *out++ = (char)(high << 4 | low);
        p += 2;
    }
    *out = 0;
    return out - text;
}

static int
httpd_query_add(struct httpd_pairs *p, const char *name, const char *value)
{
    if (p->count == HTTPD_PAIRS_MAX)
        return ERR_LIMIT;
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        struct httpd_pair *at = realloc(p->at, cap * sizeof *at);
        if (!at)
            return ERR_NOMEM;
        p->at = at;
        p->cap = cap;
    }
    p->at[p->count++] = (struct httpd_pair){name, value};
    return 0;
}

int
httpd_pairs_parse(struct httpd_pairs *p, char *text)
{
    while (text) {
        char *next = strchr(text, '&');
        if (next)
            *next++ = 0;
        char *value = strchr(text, '=');
        if (value)
            *value++ = 0;
        if (httpd_percent_decode(text, true) < 0 ||
            (value && httpd_percent_decode(value, true) < 0))
            return ERR_SYNTAX;
        int rc = *text ? httpd_query_add(p, text, value ? value : "") : 0;
        if (rc)
            return rc;
        text = next;
    }
    return 0;
}

void
httpd_pairs_done(struct httpd_pairs *p)
{
    free(p->at);
    free(p->text[0]);
    free(p->text[1]);
    *p = (struct httpd_pairs){0};
}

void
httpd_target_parse(struct httpd_exchange *x)
{
    char *query = strchr(x->target, '?');
    int rc = 0;
    if (query) {
        *query++ = 0;
        x->pairs.text[0] = strdup(query);
        rc = x->pairs.text[0] ? httpd_pairs_parse(&x->pairs, x->pairs.text[0]) : ERR_NOMEM;
    }
    x->path = strdup(x->target);
    if (!x->path)
        rc = ERR_NOMEM;
    else if (!rc && httpd_percent_decode(x->path, false) < 0)
        rc = ERR_SYNTAX;
    x->req.path = x->path ? x->path : "";
    if (!rc)
        return;
    httpd_refuse(x, HTTPD_REFUSED_SYNTAX);
    httpd_reply_fail(&x->resp, httpd_status_of(rc), err_name(rc),
                     rc == ERR_LIMIT ? "more than %d parameters"
                                     : "the address has a broken %%XX escape",
                     HTTPD_PAIRS_MAX);
}

/* Copies the pattern's values out of the raw path and decodes them; the whole path decodes already.
 */
void
httpd_params_fill(struct httpd_exchange *x)
{
    size_t size = 1;
    for (unsigned i = 0; i < x->found.params; i++)
        size += x->found.param[i].raw_len + 1;
    char *p = x->param_text = calloc(1, size);
    for (unsigned i = 0; i < x->found.params && p; i++) {
        memcpy(p, x->found.param[i].raw, x->found.param[i].raw_len);
        x->param[i] = p;
        httpd_percent_decode(p, false);
        p += x->found.param[i].raw_len + 1;
    }
}

const char *
httpd_param(const struct httpd_request *r, const char *name)
{
    const struct httpd_exchange *x = r->priv;
    size_t len = strlen(name);
    for (unsigned i = 0; x && i < x->found.params; i++)
        if (x->found.param[i].name_len == len && !memcmp(x->found.param[i].name, name, len))
            return x->param[i] ? x->param[i] : "";
    return "";
}

size_t
httpd_query_all(const struct httpd_request *r, const char *name, const char **ret, size_t size)
{
    const struct httpd_exchange *x = r->priv;
    size_t n = 0;
    for (size_t i = 0; x && i < x->pairs.count; i++)
        if (!strcmp(x->pairs.at[i].name, name)) {
            if (n < size)
                ret[n] = x->pairs.at[i].value;
            n++;
        }
    return n;
}

const char *
httpd_query(const struct httpd_request *r, const char *name)
{
    const char *value = NULL;
    httpd_query_all(r, name, &value, 1);
    return value;
}

const char *
httpd_header(const struct httpd_request *r, const char *name)
{
    const struct httpd_exchange *x = r->priv;
    return x ? MHD_lookup_connection_value(x->conn, MHD_HEADER_KIND, name) : NULL;
}

const char *
httpd_cookie(const struct httpd_request *r, const char *name)
{
    const struct httpd_exchange *x = r->priv;
    return x ? MHD_lookup_connection_value(x->conn, MHD_COOKIE_KIND, name) : NULL;
}

int
httpd_query_int(const struct httpd_request *r, const char *name, int64_t dflt, int64_t min,
                int64_t max, int64_t *ret)
{
    const char *text = httpd_query(r, name);
    if (!text || !*text) {
        *ret = dflt;
        return 0;
    }
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*end || end == text || *text == ' ')
        return ERR_SYNTAX;
    if (errno || v < min || v > max)
        return ERR_RANGE;
    *ret = v;
    return 0;
}

int
httpd_query_time(const struct httpd_request *r, const char *name, int64_t dflt_ms, int64_t *ret_ms)
{
    const char *text = httpd_query(r, name);
    if (text && *text)
        return time_parse(text, ret_ms);
    *ret_ms = dflt_ms;
    return 0;
}
