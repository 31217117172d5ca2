/* httpd_route: path patterns. Some 150 rows, a look-up for every request: rows are sorted with the
 * most literal first, so that the first that fits is the right one, and a literal first segment
 * turns away most rows after one comparison. Matching is on the raw path, so that an encoded slash
 * never splits a segment. */
#include "base/httpd_in.h"

#include <stdlib.h>
#include <string.h>

static int
httpd_route_compile(const struct route *route, void *ctx, struct httpd_row *ret_row)
{
    struct httpd_row row = {.route = route, .ctx = ctx};
    const char *p = route->path;
    unsigned params = 0;
    while (*p == '/') {
        if (row.count == HTTPD_SEGMENTS_MAX)
            return ERR_LIMIT;
        size_t len = strcspn(++p, "/");
        struct httpd_segment *seg = &row.seg[row.count++];
        *seg = (struct httpd_segment){.text = p, .len = len};
        if (len > 2 && p[0] == '{' && p[len - 1] == '}') {
            seg->param = true;
            seg->rest = p[len - 2] == '*';
            seg->text = p + 1;
            seg->len = len - 2 - seg->rest;
            params++;
        } else {
            row.literal += (unsigned)len + 1;
        }
        p += len;
        if (seg->rest && *p)
            return ERR_USAGE;
    }
    if (*p || !row.count || params > HTTPD_PARAMS_MAX)
        return ERR_USAGE;
    *ret_row = row;
    return 0;
}

static int
httpd_route_compare(const void *a, const void *b)
{
    const struct httpd_row *x = a, *y = b;
    if (x->literal != y->literal)
        return x->literal > y->literal ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->seg[x->count - 1].rest - y->seg[y->count - 1].rest;
}

int
httpd_table_add(struct httpd_table *t, const struct route *rows, size_t count, void *ctx)
{
    if (count > HTTPD_ROUTES_MAX - t->count)
        return ERR_LIMIT;
    size_t need = t->count + count;
    struct httpd_row *grown = realloc(t->rows, (need + !need) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    t->rows = grown;
    const struct route **order = realloc(t->order, (need + !need) * sizeof *order);
    if (!order)
        return ERR_NOMEM;
    t->order = order;
    for (size_t i = 0; i < count; i++) {
        int rc = httpd_route_compile(&rows[i], ctx, &grown[t->count + i]);
        if (rc)
            return rc;
        order[t->count + i] = &rows[i];
    }
    t->count = need;
    qsort(t->rows, t->count, sizeof *t->rows, httpd_route_compare);
    return 0;
}

void
httpd_table_done(struct httpd_table *t)
{
    free(t->rows);
    free(t->order);
    *t = (struct httpd_table){0};
}

/* Whether the path has the row's pattern; the parameters are left in f. */
static bool
httpd_route_fits(const struct httpd_row *row, const char *path, struct httpd_found *f)
{
    f->params = 0;
    for (unsigned i = 0; i < row->count; i++) {
        const struct httpd_segment *seg = &row->seg[i];
        if (*path++ != '/')
            return false;
        size_t len = seg->rest ? strlen(path) : strcspn(path, "/");
        if (!seg->param && (len != seg->len || memcmp(path, seg->text, len)))
            return false;
        if (seg->param) {
            if (!len)
                return false;
            f->param[f->params].name = seg->text;
            f->param[f->params].name_len = seg->len;
            f->param[f->params].raw = path;
            f->param[f->params++].raw_len = len;
        }
        path += len;
    }
    return !*path;
}

static bool
httpd_route_takes(const struct httpd_row *row, const char *method)
{
    return !strcmp(row->route->method, method) ||
           (!strcmp(method, "HEAD") && !strcmp(row->route->method, "GET"));
}

void
httpd_table_find(const struct httpd_table *t, const char *method, const char *path,
                 struct httpd_found *ret_found)
{
    struct httpd_found f = {.least = ROLE_ADMIN};
    size_t first = *path ? 1 + strcspn(path + 1, "/") : 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct httpd_row *row = &t->rows[i];
        const struct httpd_segment *seg = &row->seg[0];
        if (!seg->param && (first != seg->len + 1 || memcmp(path + 1, seg->text, seg->len)))
            continue;
        f.first_known |= !seg->param && seg->len;
        if (!httpd_route_fits(row, path, &f))
            continue;
        f.path_known = true;
        if (row->route->role < f.least)
            f.least = row->route->role;
        if (httpd_route_takes(row, method)) {
            f.row = row;
            break;
        }
    }
    if (!f.row)
        f.params = 0;
    *ret_found = f;
}

void
httpd_table_allow(const struct httpd_table *t, const char *path, struct buf *out)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct httpd_found f;
        httpd_table_find(t, methods[i], path, &f);
        if (f.row)
            buf_printf(out, "%s%s, ", methods[i], i ? "" : ", HEAD");
    }
    buf_puts(out, "OPTIONS");
}
