/* ui: the browser application's files, served from the program itself, plain or packed as the
 * browser takes them.
 *
 * They hold no data and need no sign-in. Every path that is no file and no API is the
 * application's: index.html. */
#include "base/str.h"
#include "web/ui_files.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <string.h>

static const char ui_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                                "'self' data:; connect-src 'self'; font-src 'self'; "
                                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
static const char *const ui_not_ours[] = {"/api/",    "/prometheus/", "/loki/", "/v1/",
                                          "/metrics", "/healthz",     "/readyz"};

/* The files that a page loads once the application runs: named with the page, so that a browser
 * fetches them beside the application instead of after it. */
static const struct {
    const char *page, *files[5];
} ui_pages[] = {
    {"/incidents", {"incidents", "verdict"}},
    {"/jobs", {"jobs", "verdict", "logs"}},
    {"/devices", {"devices", "chart", "logs"}},
    {"/clusters", {"devices", "chart", "logs"}},
    {"/checks", {"checks"}},
    {"/fabric", {"fabric"}},
    {"/logs", {"logs"}},
    {"/analysis", {"analysis", "chart"}},
    {"/explorer", {"analysis", "chart"}},
    {"/reliability", {"analysis", "chart"}},
    {"/kb", {"kb"}},
    {"/diagnose", {"incidents", "verdict"}},
    {"/alerts", {"admin"}},
    {"/settings", {"admin"}},
    {"/signin", {"admin"}},
};

static const struct ui_file *
ui_find(const char *name)
{
    for (size_t i = 0; i < ui_file_count; i++)
        if (!strcmp(ui_files[i].name, name))
            return &ui_files[i];
    return NULL;
}

static int
ui_send(const struct ui_file *f, const struct httpd_request *req, struct httpd_response *resp)
{
    const char *accept = httpd_header(req, "Accept-Encoding"),
               *have = httpd_header(req, "If-None-Match");
    bool packed = f->packed_len && accept && strstr(accept, "gzip");
    httpd_reply_header(resp, "Content-Security-Policy", ui_policy);
    httpd_reply_header(resp, "X-Content-Type-Options", "nosniff");
    httpd_reply_header(resp, "Referrer-Policy", "no-referrer");
    httpd_reply_header(resp, "Cache-Control", "no-cache");
    httpd_reply_header(resp, "ETag", f->etag);
    resp->content_type = f->type;
    if (have && strstr(have, f->etag)) {
        resp->status = 304;
        return 0;
    }
    resp->static_body = ui_files_bytes() + (packed ? f->packed_at : f->at);
    resp->static_len = packed ? f->packed_len : f->len;
    resp->static_gzip = packed;
    return 0;
}

static void
ui_hint_file(struct buf *links, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "assets/%s.js", name);
    if (ui_find(path))
        buf_printf(links, "%s</%s>; rel=modulepreload", links->len ? ", " : "", path);
}

/* The words of the language the browser prefers, and the page's own files (RFC 8288). */
static void
ui_hint(const struct httpd_request *req, struct httpd_response *resp)
{
    const char *language = httpd_header(req, "Accept-Language");
    struct buf links;
    buf_init(&links, 4096);
    ui_hint_file(&links, language && str_prefix(language, "zh") ? "zh" : "en");
    for (size_t i = 0; i < sizeof ui_pages / sizeof *ui_pages; i++) {
        size_t n = strlen(ui_pages[i].page);
        if (str_prefix(req->path, ui_pages[i].page) && (!req->path[n] || req->path[n] == '/'))
            for (const char *const *f = ui_pages[i].files; *f; f++)
                ui_hint_file(&links, *f);
    }
    if (links.len && !links.failed)
        httpd_reply_header(resp, "Link", buf_str(&links));
    buf_done(&links);
}

int
web_fallback(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    (void)ctx;
    const char *path = req->path;
    const struct ui_file *f = *path == '/' ? ui_find(path + 1) : NULL;
    for (size_t i = 0; !f && i < sizeof ui_not_ours / sizeof *ui_not_ours; i++)
        if (str_prefix(path, ui_not_ours[i]))
            return httpd_reply_fail(resp, 404, "not_found", "there is no %s", path);
    if (!f && str_prefix(path, "/assets/"))
        return httpd_reply_fail(resp, 404, "not_found", "there is no %s", path);
    if (!f) {
        f = ui_find("index.html");
        ui_hint(req, resp);
    }
    return f ? ui_send(f, req, resp)
             : httpd_reply_fail(resp, 404, "not_found",
                                "this server was built without its browser application");
}
