/* httpd_gate: everything that is decided before a handler runs, in one order for all routes:
 * address, Host, cross-site, who asks, path, method, size. Who may not ask does not learn which
 * paths exist. */
#include "base/httpd_in.h"

#include "base/compress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const httpd_role_words[] = {"none", "agent", "viewer", "operator", "admin"};

const char *
role_word(enum role r)
{
    return r <= ROLE_ADMIN ? httpd_role_words[r] : "none";
}

int
role_find(const char *word)
{
    for (int i = 0; i <= ROLE_ADMIN; i++)
        if (!strcmp(word, httpd_role_words[i]))
            return i;
    return ERR_NOTFOUND;
}

bool
role_may(enum role who, enum role need)
{
    if (need == ROLE_NONE)
        return true;
    if (need == ROLE_AGENT)
        return who == ROLE_AGENT || who >= ROLE_OPERATOR;
    return who != ROLE_AGENT && who >= need;
}

void
httpd_refuse(struct httpd_exchange *x, enum httpd_counter why)
{
    x->refused = true;
    atomic_fetch_add(&x->s->refused[why], 1);
}

bool
httpd_host_is_loopback(const char *host)
{
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (len > strlen(host) || (host[len] && host[len] != ':') ||
        (host[len] && strspn(host + len + 1, "0123456789") != strlen(host + len + 1)))
        return false;
    if (len == 5 && !memcmp(host, "[::1]", 5))
        return true;
    if (len && host[len - 1] == '.')
        len--;
    if (len == 9 && !strncasecmp(host, "localhost", 9))
        return true;
    unsigned a, b, c;
    int used = 0;
    char text[16];
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = 0;
    return sscanf(text, "127.%3u.%3u.%3u%n", &a, &b, &c, &used) == 3 && (size_t)used == len &&
           a < 256 && b < 256 && c < 256;
}

/* A page of another site makes the browser of somebody here write: refused. Fetch metadata says so
 * on any host; on a server open to its whole machine an Origin must be of this machine. */
static bool
httpd_gate_cross_site(const struct httpd_exchange *x)
{
    const char *method = x->req.method;
    if (!strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS"))
        return false;
    const char *site = httpd_header(&x->req, "Sec-Fetch-Site");
    if (site && !strcmp(site, "cross-site"))
        return true;
    const char *origin = httpd_header(&x->req, "Origin");
    if (!x->s->cfg.loopback_hosts_only || !origin)
        return false;
    const char *host = strstr(origin, "://");
    return !host || !httpd_host_is_loopback(host + 3);
}

static bool
httpd_gate_host(struct httpd_exchange *x)
{
    const char *host = httpd_header(&x->req, "Host");
    if (x->s->cfg.loopback_hosts_only && host && !httpd_host_is_loopback(host)) {
        httpd_refuse(x, HTTPD_REFUSED_HOST);
        httpd_reply_fail(&x->resp, 403, "denied",
                         "the Host header is not of this machine; without authentication only "
                         "localhost, 127.0.0.0/8 and [::1] are answered");
        return false;
    }
    if (httpd_gate_cross_site(x)) {
        httpd_refuse(x, HTTPD_REFUSED_HOST);
        httpd_reply_fail(&x->resp, 403, "denied", "a page of another site may not write here");
        return false;
    }
    return true;
}

static void
httpd_gate_unknown(struct httpd_exchange *x, int rc)
{
    httpd_refuse(x, HTTPD_REFUSED_AUTH);
    if (rc == ERR_BUSY) {
        httpd_reply_fail(&x->resp, 429, "busy", "too many attempts to sign in, try again later");
        httpd_reply_header(&x->resp, "Retry-After", "10");
        return;
    }
    if (rc == ERR_USAGE) {
        httpd_reply_fail(
            &x->resp, 403, "forbidden",
            "a change under the session cookie needs the header X-Requested-With: myriascope");
        return;
    }
    httpd_reply_fail(&x->resp, 401, "unauthorized", "a valid token is needed");
    httpd_reply_header(&x->resp, "WWW-Authenticate", "Bearer realm=\"myriascope\"");
    /* A browser answers a Basic challenge with a window of its own over our sign-in page. */
    if (!httpd_header(&x->req, "Sec-Fetch-Mode"))
        httpd_reply_header(&x->resp, "WWW-Authenticate",
                           "Basic realm=\"myriascope\", charset=\"UTF-8\"");
}

static bool
httpd_gate_who(struct httpd_exchange *x, enum role need)
{
    const struct httpd_auth *auth = &x->s->cfg.auth;
    if (!auth->check) {
        x->req.who = (struct identity){.role = ROLE_ADMIN, .name = "anonymous"};
        return true;
    }
    struct identity who = {.role = ROLE_NONE};
    bool offered = httpd_header(&x->req, "Authorization") || httpd_header(&x->req, "Cookie");
    int rc = need == ROLE_NONE && !offered ? ERR_DENIED : auth->check(auth->ctx, &x->req, &who);
    if (!rc)
        x->req.who = who;
    else if (need != ROLE_NONE) {
        httpd_gate_unknown(x, rc);
        return false;
    }
    if (role_may(x->req.who.role, need))
        return true;
    httpd_refuse(x, HTTPD_REFUSED_ROLE);
    httpd_reply_fail(&x->resp, 403, "denied", "this needs the role %s, you have %s",
                     role_word(need), role_word(x->req.who.role));
    return false;
}

/* No row has path and method: the fallback's page, the list of methods, 404 or 405. */
static void
httpd_gate_no_row(struct httpd_exchange *x)
{
    struct buf allow;
    buf_init(&allow, 256);
    httpd_table_allow(&x->s->table, x->target, &allow);
    x->refused = true;
    if (!strcmp(x->req.method, "OPTIONS") && (x->found.path_known || !strcmp(x->target, "*"))) {
        x->resp.status = 204;
        httpd_reply_header(&x->resp, "Allow", buf_str(&allow));
    } else if (x->found.path_known) {
        httpd_reply_fail(&x->resp, 405, "method", "%s does not take %s", x->path, x->req.method);
        httpd_reply_header(&x->resp, "Allow", buf_str(&allow));
    } else {
        httpd_reply_fail(&x->resp, 404, "not_found", "there is no %s", x->path);
    }
    buf_done(&allow);
}

static void
httpd_gate_size(struct httpd_exchange *x)
{
    const struct httpd_row *row = x->found.row;
    x->body_max = row && row->route->body_max ? row->route->body_max : HTTPD_BODY_DEFAULT;
    buf_init(&x->body, x->body_max);
    const char *text = httpd_header(&x->req, "Content-Length");
    unsigned long long len = text ? strtoull(text, NULL, 10) : 0;
    if (len > x->body_max) {
        httpd_refuse(x, HTTPD_REFUSED_SIZE);
        httpd_reply_fail(&x->resp, 413, "limit", "the body is over %zu bytes", x->body_max);
    } else if (len) {
        /* Room at once, so that the body is copied once; a claim alone gets no more than 4 MiB. */
        (void)buf_reserve(&x->body, len < 4u << 20 ? (size_t)len : 4u << 20);
    }
}

void
httpd_gate(struct httpd_exchange *x)
{
    struct httpd *s = x->s;
    bool get = !strcmp(x->req.method, "GET") || !strcmp(x->req.method, "HEAD");
    httpd_target_parse(x);
    if (x->refused || !httpd_gate_host(x))
        return;
    httpd_table_find(&s->table, x->req.method, x->target, &x->found);
    x->fallback = !x->found.row && get && !x->found.first_known && s->cfg.fallback;
    enum role need = x->found.row          ? x->found.row->route->role
                     : x->fallback         ? ROLE_NONE
                     : x->found.path_known ? x->found.least
                                           : ROLE_VIEWER;
    if (!httpd_gate_who(x, need))
        return;
    if (!x->found.row && !x->fallback) {
        httpd_gate_no_row(x);
        return;
    }
    httpd_params_fill(x);
    httpd_gate_size(x);
}

static void
httpd_body_undo(struct httpd_exchange *x, int (*undo)(const void *, size_t, struct buf *))
{
    struct buf plain;
    buf_init(&plain, x->body_max);
    int rc = undo(buf_str(&x->body), x->body.len, &plain);
    if (rc) {
        buf_done(&plain);
        httpd_refuse(x, rc == ERR_LIMIT ? HTTPD_REFUSED_SIZE : HTTPD_REFUSED_SYNTAX);
        httpd_reply_fail(&x->resp, httpd_status_of(rc), err_name(rc),
                         rc == ERR_LIMIT ? "the body is over %zu bytes when unpacked"
                                         : "the body is not of its Content-Encoding",
                         x->body_max);
        return;
    }
    buf_done(&x->body);
    x->body = plain;
}

static void
httpd_body_decode(struct httpd_exchange *x)
{
    static const struct {
        const char *coding;
        int (*undo)(const void *, size_t, struct buf *);
    } rows[] = {
        {"identity", NULL},           {"snappy", NULL},
        {"gzip", compress_gunzip},    {"x-gzip", compress_gunzip},
        {"deflate", compress_gunzip}, {"zstd", compress_unzstd},
    };
    const char *coding = httpd_header(&x->req, "Content-Encoding");
    if (!coding || !x->body.len)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcasecmp(coding, rows[i].coding)) {
            if (rows[i].undo)
                httpd_body_undo(x, rows[i].undo);
            return;
        }
    httpd_refuse(x, HTTPD_REFUSED_SYNTAX);
    httpd_reply_fail(&x->resp, 415, "unsupported",
                     "Content-Encoding must be gzip, deflate, zstd, snappy or identity");
}

void
httpd_body_finish(struct httpd_exchange *x)
{
    httpd_body_decode(x);
    const char *type = httpd_header(&x->req, "Content-Type");
    if (x->refused || !type || strncasecmp(type, "application/x-www-form-urlencoded", 33) ||
        !x->body.len)
        return;
    x->pairs.text[1] = strdup(buf_str(&x->body));
    int rc = x->pairs.text[1] ? httpd_pairs_parse(&x->pairs, x->pairs.text[1]) : ERR_NOMEM;
    if (!rc)
        return;
    httpd_refuse(x, HTTPD_REFUSED_SYNTAX);
    httpd_reply_fail(&x->resp, httpd_status_of(rc), err_name(rc),
                     "the form in the body cannot be read: %s", err_text(rc));
}
