/* httpd_reply: answers. The body's memory goes to libmicrohttpd as it is; it is copied only to be
 * packed. */
#include "base/httpd_in.h"

#include "base/compress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
httpd_reply_header(struct httpd_response *resp, const char *name, const char *value)
{
    /* A line end in a value would let its author write headers of his own. */
    if (strpbrk(name, "\r\n:") || strpbrk(value, "\r\n"))
        return;
    buf_printf(&resp->headers, "%s: %s\n", name, value);
}

static const struct {
    int code, status;
} httpd_reply_statuses[] = {
    {ERR_NOMEM, 503},   {ERR_IO, 500},       {ERR_SYNTAX, 400},      {ERR_RANGE, 400},
    {ERR_LIMIT, 413},   {ERR_NOTFOUND, 404}, {ERR_EXISTS, 409},      {ERR_STATE, 409},
    {ERR_TIMEOUT, 504}, {ERR_DENIED, 403},   {ERR_UNSUPPORTED, 415}, {ERR_CORRUPT, 400},
    {ERR_BUSY, 429},    {ERR_FULL, 503},     {ERR_CLOSED, 503},      {ERR_USAGE, 400},
};

int
httpd_status_of(int code)
{
    for (size_t i = 0; i < sizeof httpd_reply_statuses / sizeof *httpd_reply_statuses; i++)
        if (httpd_reply_statuses[i].code == code)
            return httpd_reply_statuses[i].status;
    return 500;
}

static int
httpd_reply_text(struct httpd_response *resp, int status, const char *code, const char *message)
{
    struct jsonw w;
    resp->status = status;
    resp->content_type = "application/json";
    resp->static_body = NULL;
    resp->stream = false;
    buf_reset(&resp->body);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_key(&w, "error");
    jsonw_object(&w);
    jsonw_kstr(&w, "code", code);
    jsonw_kstr(&w, "message", message);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    buf_putc(&resp->body, '\n');
    return 0;
}

int
httpd_reply_err(struct httpd_response *resp, const struct err *err)
{
    char text[sizeof err->text + sizeof err->file + 48];
    err_format(err, text, sizeof text);
    int status = httpd_status_of(err->code);
    if (status == 429 || status == 503)
        httpd_reply_header(resp, "Retry-After", err->code == ERR_FULL ? "30" : "1");
    return httpd_reply_text(resp, status, err_name(err->code), *text ? text : err_text(err->code));
}

int
httpd_reply_fail(struct httpd_response *resp, int status, const char *code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return httpd_reply_text(resp, status, code, text);
}

bool
httpd_accepts(const char *accept, const char *coding)
{
    size_t len = strlen(coding);
    for (const char *p = accept; p && *p;) {
        p += strspn(p, " \t,");
        size_t n = strcspn(p, ",; \t");
        const char *end = p + strcspn(p, ",");
        if (n == len && !strncasecmp(p, coding, len)) {
            const char *q = strstr(p, "q=");
            return !q || q > end || strtod(q + 2, NULL) > 0;
        }
        p = end;
    }
    return false;
}

static bool
httpd_reply_is_text(const char *type)
{
    static const char *const starts[] = {"text/",
                                         "application/json",
                                         "application/javascript",
                                         "application/x-ndjson",
                                         "application/openmetrics-text",
                                         "application/yaml",
                                         "application/xml",
                                         "image/svg+xml",
                                         "application/manifest+json"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncasecmp(type, starts[i], strlen(starts[i])))
            return true;
    return false;
}

static bool
httpd_reply_has(const struct httpd_response *resp, const char *name)
{
    size_t len = strlen(name);
    const char *line = buf_str(&resp->headers);
    for (; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (!strncasecmp(line, name, len) && line[len] == ':')
            return true;
    return false;
}

/* Packs resp->body when the client takes it and it pays; returns the coding or NULL. */
static const char *
httpd_reply_pack(struct httpd_response *resp, const char *accept)
{
    const char *data = resp->static_body ? resp->static_body : buf_str(&resp->body);
    size_t len = resp->static_body ? resp->static_len : resp->body.len;
    const char *coding = httpd_accepts(accept, "zstd")   ? "zstd"
                         : httpd_accepts(accept, "gzip") ? "gzip"
                                                         : NULL;
    if (!coding || len < HTTPD_COMPRESS_FROM)
        return NULL;
    struct buf packed;
    buf_init(&packed, HTTPD_ANSWER_MAX);
    /* Level 1: as small as gzip's 5 on JSON at a tenth of its time. */
    int rc =
        *coding == 'z' ? compress_zstd(data, len, 1, &packed) : compress_gzip(data, len, &packed);
    if (rc || packed.len >= len) {
        buf_done(&packed);
        return NULL;
    }
    buf_done(&resp->body);
    resp->body = packed;
    resp->static_body = NULL;
    return coding;
}

/* Brings the body into the coding that is sent; "" is none, NULL when it cannot be unpacked. */
static const char *
httpd_reply_code(struct httpd_exchange *x, const char *type)
{
    struct httpd_response *resp = &x->resp;
    const char *accept = httpd_header(&x->req, "Accept-Encoding");
    if (resp->static_body && resp->static_gzip) {
        if (httpd_accepts(accept, "gzip"))
            return "gzip";
        const char *packed = resp->static_body;
        resp->static_body = NULL;
        buf_reset(&resp->body);
        return compress_gunzip(packed, resp->static_len, &resp->body) ? NULL : "";
    }
    if (!httpd_reply_is_text(type) || httpd_reply_has(resp, "Content-Encoding"))
        return "";
    const char *coding = httpd_reply_pack(resp, accept);
    return coding ? coding : "";
}

static void
httpd_reply_copy_headers(struct httpd_response *resp, struct MHD_Response *to)
{
    for (char *line = resp->headers.data; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        char *value = strstr(line, ": ");
        if (value) {
            *value = 0;
            MHD_add_response_header(to, line, value + 2);
        }
        line = end;
    }
}

/* On everything: no guessing of types, no address to other sites, no frame around us, nothing kept
 * by caches that a handler did not want kept. */
static void
httpd_reply_add_headers(struct httpd_exchange *x, const char *type, const char *coding,
                        struct MHD_Response *to)
{
    static const char *const always[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
        {"Content-Security-Policy", "frame-ancestors 'none'"},
        {"Cache-Control", "no-store"},
    };
    struct httpd_response *resp = &x->resp;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!httpd_reply_has(resp, always[i][0]))
            MHD_add_response_header(to, always[i][0], always[i][1]);
    if (resp->status != 204 && resp->status != 304)
        MHD_add_response_header(to, "Content-Type", type);
    if (*coding)
        MHD_add_response_header(to, "Content-Encoding", coding);
    if (httpd_reply_is_text(type))
        MHD_add_response_header(to, "Vary", "Accept-Encoding");
    if (resp->stream) {
        MHD_add_response_header(to, "X-Accel-Buffering", "no");
        MHD_add_response_header(to, "Connection", "close");
    }
    httpd_reply_copy_headers(resp, to);
}

static struct MHD_Response *
httpd_reply_whole(struct httpd_exchange *x)
{
    struct httpd_response *resp = &x->resp;
    if (resp->static_body) {
        atomic_fetch_add(&x->s->bytes_out, resp->static_len);
        return MHD_create_response_from_buffer(resp->static_len, (void *)resp->static_body,
                                               MHD_RESPMEM_PERSISTENT);
    }
    size_t len = 0;
    char *data = buf_take(&resp->body, &len);
    atomic_fetch_add(&x->s->bytes_out, len);
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(len, data, free);
    if (!r)
        free(data);
    return r;
}

enum MHD_Result
httpd_send(struct httpd_exchange *x)
{
    struct httpd_response *resp = &x->resp;
    if (resp->body.failed || resp->headers.failed)
        httpd_reply_fail(resp, 500, "limit", "the answer is over %u bytes", HTTPD_ANSWER_MAX);
    if (!resp->status)
        resp->status = 200;
    const char *type = resp->stream         ? "text/event-stream"
                       : resp->content_type ? resp->content_type
                                            : "application/json";
    const char *coding = resp->stream ? "" : httpd_reply_code(x, type);
    if (!coding) {
        httpd_reply_fail(resp, 500, "corrupt", "the page cannot be unpacked");
        type = "application/json";
        coding = "";
    }
    struct MHD_Response *r = resp->stream ? httpd_stream_new(x) : httpd_reply_whole(x);
    if (!r && resp->stream) {
        httpd_refuse(x, HTTPD_REFUSED_STREAMS);
        httpd_reply_fail(resp, 503, "busy", "more than %d streams are open", HTTPD_STREAMS_MAX);
        httpd_reply_header(resp, "Retry-After", "10");
        return httpd_send(x);
    }
    if (!r)
        return MHD_NO;
    unsigned status = (unsigned)resp->status;
    atomic_fetch_add(&x->s->by_class[status / 100 < 6 ? status / 100 : 5], 1);
    httpd_reply_add_headers(x, type, coding, r);
    enum MHD_Result rc = MHD_queue_response(x->conn, status, r);
    MHD_destroy_response(r);
    return rc;
}
