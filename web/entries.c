/* entries: the knowledge base over HTTP: search, one entry. */
#include "web/entries.h"

#include "base/map.h"
#include "web/entry_doc.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_HITS 4096

struct entries {
    struct web *w;
    pthread_rwlock_t lock;
    struct kb *own; /* NULL: the one of the start */
};

int
entries_new(struct web *w, struct entries **ret, struct err *err)
{
    struct entries *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NOMEM, "no memory for the knowledge base");
    e->w = w;
    pthread_rwlock_init(&e->lock, NULL);
    *ret = e;
    return 0;
}

void
entries_free(struct entries *e)
{
    if (!e)
        return;
    kb_free(e->own);
    pthread_rwlock_destroy(&e->lock);
    free(e);
}

const struct kb *
entries_get(struct entries *e)
{
    pthread_rwlock_rdlock(&e->lock);
    return e->own ? e->own : e->w->cfg.kb;
}

void
entries_put(struct entries *e)
{
    pthread_rwlock_unlock(&e->lock);
}

int
entries_reload(struct entries *e, struct err *err)
{
    struct kb *fresh = NULL;
    int rc = kb_load(e->w->cfg.kb_site_folder, &fresh, err);
    if (rc)
        return rc;
    pthread_rwlock_wrlock(&e->lock);
    struct kb *old = e->own;
    e->own = fresh;
    pthread_rwlock_unlock(&e->lock);
    kb_free(old);
    return 0;
}

/* --- search ----------------------------------------------------------------------------------- */

static int
entries_by_id(const void *a, const void *b)
{
    const struct kb_hit *x = a, *y = b;
    return strcmp(x->entry->id, y->entry->id);
}

/* All entries by id when nothing is asked; else the best first, a code's own entry before all. */
static size_t
entries_hits(const struct kb *kb, const char *q, struct kb_hit *hits)
{
    size_t n = 0, keep = 0;
    if (!q || !*q) {
        for (; n < kb_count(kb) && n < ENTRIES_HITS; n++)
            hits[n] = (struct kb_hit){kb_at(kb, n), 0};
        qsort(hits, n, sizeof *hits, entries_by_id);
        return n;
    }
    const struct kb_entry *exact = kb_find_code(kb, q);
    if (exact)
        hits[keep++] = (struct kb_hit){exact, 1};
    n = kb_search(kb, q, hits + keep, ENTRIES_HITS - keep);
    size_t all = keep + (n < ENTRIES_HITS - keep ? n : ENTRIES_HITS - keep);
    for (size_t i = keep; i < all; i++)
        if (hits[i].entry != exact)
            hits[keep++] = hits[i];
    return keep;
}

static bool
entries_keep(const struct kb_entry *e, const char *class_name, const char *origin)
{
    if (class_name && *class_name && strcmp(e->class_name, class_name))
        return false;
    return !origin || !*origin || e->site == !strcmp(origin, "site");
}

static int
entries_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *class_name = httpd_query(req, "class"), *origin = httpd_query(req, "origin");
    struct kb_hit *hits;
    struct jsonw j;
    struct err err = {0};
    char next[32] = "";
    size_t limit, seen = 0, kept = 0;
    int64_t from;
    int rc = web_limit(req, &limit, &err);
    if (!rc && httpd_query_int(req, "cursor", 0, 0, ENTRIES_HITS, &from))
        rc = err_set(&err, ERR_SYNTAX, "cursor: not one that was given");
    if (rc)
        return web_fail(resp, rc, &err);
    if (!(hits = malloc(ENTRIES_HITS * sizeof *hits)))
        return ERR_NOMEM;
    const struct kb *kb = entries_get(w->entries);
    size_t n = entries_hits(kb, httpd_query(req, "q"), hits);
    web_list_begin(&j, resp);
    for (size_t i = 0; i < n && !*next; i++) {
        if (!entries_keep(hits[i].entry, class_name, origin) || seen++ < (size_t)from)
            continue;
        if (kept == limit)
            snprintf(next, sizeof next, "%zu", seen - 1);
        else
            entry_doc_json(kb, hits[i].entry, NULL, &j);
        kept++;
    }
    web_list_end(&j, next);
    entries_put(w->entries);
    free(hits);
    return 0;
}

static int
entries_one(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct jsonw j;
    const char *id = httpd_param(req, "id");
    const struct kb *kb = entries_get(w->entries);
    const struct kb_entry *e = kb_find(kb, id);
    if (!e)
        e = kb_find_code(kb, id);
    jsonw_init(&j, &resp->body);
    if (e)
        entry_doc_json(kb, e, NULL, &j);
    entries_put(w->entries);
    return e ? 0 : httpd_reply_fail(resp, 404, "not_found", "there is no entry %s", id);
}

const struct route entries_routes[] = {
    {"GET", "/api/v1/kb", ROLE_VIEWER, entries_list,
     .help = "Searches the knowledge base in both languages; all entries by id without words.",
     .query = "q=words, an id or a code; class=of the cause; origin=builtin or site; limit=1 to "
              "1000; cursor=from a former answer"},
    {"GET", "/api/v1/kb/{id}", ROLE_VIEWER, entries_one,
     .help = "One entry, by id or by a vendor's code."},
};
const size_t entries_route_count = sizeof entries_routes / sizeof *entries_routes;
