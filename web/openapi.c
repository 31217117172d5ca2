/* openapi: the API's description, OpenAPI 3.0.3, made from the tables of routes: a route without a
 * row is not described, because it does not exist. */
#include "base/str.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "{name*}" takes the rest of a path; OpenAPI has one form for both. */
static void
openapi_path(const char *path, char *out, size_t size)
{
    size_t n = 0;
    for (; *path && n + 1 < size; path++)
        if (*path != '*')
            out[n++] = *path;
    out[n] = 0;
}

static int
openapi_by_path(const void *a, const void *b)
{
    const struct route *x = *(const struct route *const *)a, *y = *(const struct route *const *)b;
    int c = strcmp(x->path, y->path);
    return c ? c : strcmp(x->method, y->method);
}

static void
openapi_parameter(struct jsonw *j, const char *name, size_t name_len, const char *in,
                  const char *what, size_t what_len)
{
    jsonw_object(j);
    jsonw_key(j, "name");
    jsonw_strn(j, name, name_len);
    jsonw_kstr(j, "in", in);
    if (!strcmp(in, "path"))
        jsonw_kbool(j, "required", true);
    if (what_len) {
        jsonw_key(j, "description");
        jsonw_strn(j, what, what_len);
    }
    jsonw_key(j, "schema");
    jsonw_object(j);
    jsonw_kstr(j, "type", "string");
    jsonw_end_object(j);
    jsonw_end_object(j);
}

static void
openapi_parameters(struct jsonw *j, const struct route *r)
{
    const char *p = r->query ? r->query : "", *row;
    size_t n;
    jsonw_key(j, "parameters");
    jsonw_array(j);
    for (const char *at = strchr(r->path, '{'); at; at = strchr(at + 1, '{'))
        openapi_parameter(j, at + 1, strcspn(at + 1, "*}"), "path", NULL, 0);
    while ((row = str_field(&p, ";", &n))) {
        while (n && *row == ' ')
            row++, n--;
        const char *equals = memchr(row, '=', n);
        size_t name = equals ? (size_t)(equals - row) : n;
        if (name)
            openapi_parameter(j, row, name, "query", equals ? equals + 1 : "",
                              equals ? n - name - 1 : 0);
    }
    jsonw_end_array(j);
}

static void
openapi_response(struct jsonw *j, const char *status, const char *what, bool error)
{
    jsonw_key(j, status);
    jsonw_object(j);
    jsonw_kstr(j, "description", what);
    if (error) {
        static const char content[] =
            "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}";
        jsonw_key(j, "content");
        jsonw_raw(j, content, sizeof content - 1);
    }
    jsonw_end_object(j);
}

static void
openapi_operation(struct jsonw *j, const struct route *r)
{
    char method[16], id[200];
    size_t n = 0;
    for (; r->method[n] && n + 1 < sizeof method; n++)
        method[n] = (char)tolower((unsigned char)r->method[n]);
    method[n] = 0;
    snprintf(id, sizeof id, "%s%s", method, r->path);
    for (char *p = id; *p; p++)
        if (!isalnum((unsigned char)*p))
            *p = '_';
    jsonw_key(j, method);
    jsonw_object(j);
    jsonw_kstr(j, "operationId", id);
    jsonw_kstr(j, "summary", r->help);
    jsonw_kstr(j, "x-role", role_word(r->role));
    openapi_parameters(j, r);
    jsonw_key(j, "responses");
    jsonw_object(j);
    openapi_response(j, "200", "done", false);
    openapi_response(j, "400", "the request is not understood", true);
    if (r->role != ROLE_NONE) {
        openapi_response(j, "401", "a valid token is needed", true);
        openapi_response(j, "403", "the role does not reach", true);
    }
    jsonw_end_object(j);
    jsonw_key(j, "security");
    const char *security =
        r->role == ROLE_NONE ? "[]" : "[{\"bearer\":[]},{\"basic\":[]},{\"cookie\":[]}]";
    jsonw_raw(j, security, strlen(security));
    jsonw_end_object(j);
}

static void
openapi_paths(struct jsonw *j, const struct route **rows, size_t n)
{
    char path[256];
    jsonw_key(j, "paths");
    jsonw_object(j);
    for (size_t i = 0; i < n; i++) {
        bool first = !i || strcmp(rows[i]->path, rows[i - 1]->path),
             last = i + 1 == n || strcmp(rows[i]->path, rows[i + 1]->path);
        openapi_path(rows[i]->path, path, sizeof path);
        if (first) {
            jsonw_key(j, path);
            jsonw_object(j);
        }
        openapi_operation(j, rows[i]);
        if (last)
            jsonw_end_object(j);
    }
    jsonw_end_object(j);
}

static int
openapi_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    static const char components[] =
        "{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},\"basic\":{"
        "\"type\":\"http\",\"scheme\":\"basic\","
        "\"description\":\"the token as "
        "password\"},\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"myriascope_"
        "session\"}},"
        "\"schemas\":{\"Error\":{\"type\":\"object\",\"properties\":{\"error\":{\"type\":"
        "\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
        "\"message\":{\"type\":\"string\"}}}}}}}";
    struct web *w = ctx;
    struct jsonw j;
    (void)req;
    size_t n = w->httpd ? httpd_route_count(w->httpd) : 0;
    const struct route **rows = calloc(n + 1, sizeof *rows);
    if (!rows)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        rows[i] = httpd_route_at(w->httpd, i);
    qsort(rows, n, sizeof *rows, openapi_by_path);
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "openapi", "3.0.3");
    jsonw_key(&j, "info");
    jsonw_object(&j);
    jsonw_kstr(&j, "title", "Myriascope");
    jsonw_kstr(&j, "version", w->cfg.build_id);
    jsonw_end_object(&j);
    openapi_paths(&j, rows, n);
    jsonw_key(&j, "components");
    jsonw_raw(&j, components, sizeof components - 1);
    jsonw_end_object(&j);
    free(rows);
    return 0;
}

const struct route openapi_routes[] = {
    {"GET", "/api/v1/openapi.json", ROLE_VIEWER, openapi_get,
     .help = "This description, made from the tables of routes."},
};
const size_t openapi_route_count = sizeof openapi_routes / sizeof *openapi_routes;
