/* httpc: one blocking call, over libcurl's easy interface. Connections are kept between calls by
 * the handle.
 *
 * Always true: http and https only, at most three redirects and none to another scheme, no cookies,
 * no .netrc; a proxy only as the environment names one, and none for this machine; an answer over
 * its ceiling ends the transfer. */
#include "base/httpc_in.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTPC_TIMEOUT_MS 10000u
#define HTTPC_BODY_MAX   (16u << 20)
#define HTTPC_SILENCE_S  120L /* of an answer that is taken as it comes */

struct httpc {
    CURL *easy;
};

struct httpc *
httpc_new(void)
{
    struct httpc *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    /* Counted and thread-safe since libcurl 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        free(c);
        return NULL;
    }
    c->easy = curl_easy_init();
    if (!c->easy) {
        httpc_free(c);
        return NULL;
    }
    return c;
}

void
httpc_free(struct httpc *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->easy);
    curl_global_cleanup();
    free(c);
}

void
httpc_response_done(struct httpc_response *r)
{
    if (r)
        buf_done(&r->body);
}

int
httpc_code(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_USAGE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_NOTFOUND;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_LOGIN_DENIED:
        return ERR_DENIED;
    case CURLE_TOO_MANY_REDIRECTS:
        return ERR_LIMIT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

bool
httpc_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    for (size_t i = 0; i < len; i++)
        if (host[i] == '@')
            return false; /* no credentials in a URL of ours; whatever it is, it goes the usual way
                           */
    return !strncasecmp(host, "localhost", 9) || !strncmp(host, "127.", 4) ||
           !strncmp(host, "[::1]", 5);
}

static size_t
httpc_on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct httpc_call *c = ctx;
    long status = 0;
    if (c->data && !curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status) && status >= 200 &&
        status < 300)
        return c->data(c->data_ctx, data, size * count) < 0 ? 0 : size * count;
    if (buf_append(&c->resp.body, data, size * count)) {
        c->too_large = true;
        return 0;
    }
    return size * count;
}

static int
httpc_add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *grown = curl_slist_append(*list, line);
    if (!grown)
        return ERR_NOMEM;
    *list = grown;
    return 0;
}

static int
httpc_call_headers(struct httpc_call *c, const struct httpc_request *req)
{
    bool typed = false, agent = false;
    for (size_t i = 0; req->headers && req->headers[i]; i++) {
        const char *line = req->headers[i];
        if (strpbrk(line, "\r\n"))
            return ERR_USAGE;
        typed |= !strncasecmp(line, "Content-Type:", 13);
        agent |= !strncasecmp(line, "User-Agent:", 11);
        if (httpc_add_header(&c->headers, line))
            return ERR_NOMEM;
    }
    /* libcurl would call any body a form, and wait a second for "100 Continue" from those who never
     * send it. */
    if ((!typed && httpc_add_header(&c->headers, "Content-Type:")) ||
        httpc_add_header(&c->headers, "Expect:"))
        return ERR_NOMEM;
    if (!agent)
        curl_easy_setopt(c->easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
    return 0;
}

static void
httpc_call_method(struct httpc_call *c, const struct httpc_request *req)
{
    bool body = req->body || req->body_len;
    const char *method = req->method ? req->method : body ? "POST" : "GET";
    bool post = !strcmp(method, "POST");
    if (body || post) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
        curl_easy_setopt(c->easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    }
    if (!strcmp(method, "HEAD"))
        curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
    else if (!post && (body || strcmp(method, "GET")))
        curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* The name of the certificate is not the URL's: ask for that name, connect to the URL's host, and
 * keep the URL's name in the Host header. */
static int
httpc_call_server_name(struct httpc_call *c, const struct httpc_request *req)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *url = NULL;
    struct buf line;
    buf_init(&line, 1024);
    int rc = !u ? ERR_NOMEM : 0;
    if (!rc &&
        (curl_url_set(u, CURLUPART_URL, req->url, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
         curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
         curl_url_set(u, CURLUPART_HOST, req->server_name, 0) ||
         curl_url_get(u, CURLUPART_URL, &url, 0)))
        rc = ERR_USAGE;
    if (!rc) {
        buf_printf(&line, "%s:%s:%s:%s", req->server_name, port, host, port);
        c->connect_to = curl_slist_append(NULL, buf_str(&line));
        buf_reset(&line);
        buf_printf(&line, "Host: %s:%s", host, port);
        c->url = strdup(url);
        if (line.failed || !c->connect_to || !c->url ||
            httpc_add_header(&c->headers, buf_str(&line)))
            rc = ERR_NOMEM;
        curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(u);
    buf_done(&line);
    return rc;
}

static void
httpc_call_tls(CURL *easy, const struct httpc_request *req)
{
    if (req->ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, req->ca);
    if (req->cert)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, req->cert);
    if (req->key)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, req->key);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (req->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void
httpc_call_who(CURL *easy, const struct httpc_request *req)
{
    if (req->bearer) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, req->bearer);
    } else if (req->user) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, req->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, req->password ? req->password : "");
    }
}

int
httpc_call_begin(struct httpc_call *c, CURL *easy, const struct httpc_request *req, struct err *err)
{
    *c = (struct httpc_call){.easy = easy, .data = req->data, .data_ctx = req->data_ctx};
    buf_init(&c->resp.body, req->max_body ? req->max_body : HTTPC_BODY_MAX);
    bool https = req->url && !strncasecmp(req->url, "https://", 8);
    if (!https && (!req->url || strncasecmp(req->url, "http://", 7)))
        return err_set(err, ERR_USAGE, "%s is no http or https address",
                       req->url ? req->url : "(none)");
    curl_easy_reset(easy);
    int rc = req->server_name && https ? httpc_call_server_name(c, req) : 0;
    if (!rc)
        rc = httpc_call_headers(c, req);
    if (rc)
        return err_set(err, rc,
                       rc == ERR_NOMEM ? "out of memory" : "%s: a name or header is ill-formed",
                       req->url);
    unsigned timeout = req->timeout_ms ? req->timeout_ms : HTTPC_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_URL, c->url ? c->url : req->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 3L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, httpc_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
    if (req->data) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, HTTPC_SILENCE_S);
    }
    if (httpc_is_loopback(req->url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (req->unix_socket)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, req->unix_socket);
    httpc_call_method(c, req);
    httpc_call_tls(easy, req);
    httpc_call_who(easy, req);
    return 0;
}

static void
httpc_copy_text(char *out, size_t size, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len >= size)
        len = size - 1;
    memcpy(out, text ? text : "", len);
    out[len] = 0;
}

/* A header's value; "" when it is absent or does not fit. */
static void
httpc_copy_header(CURL *easy, const char *name, char *out, size_t size)
{
    struct curl_header *h;
    *out = 0;
    if (!curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) && strlen(h->value) < size)
        httpc_copy_text(out, size, h->value);
}

int
httpc_call_end(struct httpc_call *c, CURLcode code, struct err *err)
{
    char *type = NULL, *url = NULL;
    curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (c->too_large)
        return err_set(err, ERR_LIMIT, "%s: the answer is over %zu bytes", url ? url : "",
                       c->resp.body.max);
    if (code)
        return err_set(err, httpc_code(code), "%s: %s", url ? url : "",
                       *c->error ? c->error : curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(c->easy, CURLINFO_TOTAL_TIME, &c->resp.seconds);
    c->resp.status = (int)status;
    httpc_copy_text(c->resp.content_type, sizeof c->resp.content_type, type);
    httpc_copy_header(c->easy, "Retry-After", c->resp.retry_after, sizeof c->resp.retry_after);
    httpc_copy_header(c->easy, "Location", c->resp.location, sizeof c->resp.location);
    httpc_copy_header(c->easy, "X-Auth-Token", c->resp.auth_token, sizeof c->resp.auth_token);
    return 0;
}

void
httpc_call_done(struct httpc_call *c)
{
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    free(c->url);
    httpc_response_done(&c->resp);
}

int
httpc_fetch(struct httpc *c, const struct httpc_request *req, struct httpc_response *ret,
            struct err *err)
{
    struct httpc_call call;
    int rc = httpc_call_begin(&call, c->easy, req, err);
    if (!rc)
        rc = httpc_call_end(&call, curl_easy_perform(c->easy), err);
    *ret = call.resp;
    buf_init(&call.resp.body, 0); /* its memory is the caller's now */
    httpc_call_done(&call);
    return rc;
}
