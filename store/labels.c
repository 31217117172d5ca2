/* labels: names and values of labels that series with samples in a range bear. */
#include "store/read.h"

#include "store/dayfile.h"
#include "store/head.h"
#include "store/match.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define LABELS_SERIES_MAX ((size_t)10000000)

struct labels_range {
    struct store *store;
    int64_t from, to;
    bool all; /* no range given */
};

static bool
labels_active(const struct labels_range *r, uint32_t id)
{
    const struct series *s = series_at(r->store->index, id);
    if (r->all)
        return true;
    if (s->last_t >= r->from && s->last_t <= r->to)
        return true;
    for (const struct block *b = s->blocks; b; b = b->next)
        if (b->t0 <= r->to && block_last_ms(b) >= r->from)
            return true;
    return r->from < s->mem_from && days_hold_series(r->store->days, id, r->from, r->to);
}

static int
labels_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
labels_answer(const char **texts, size_t n, int (*cb)(void *, const char *), void *ctx)
{
    int rc = 0;
    qsort(texts, n, sizeof *texts, labels_compare);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        rc = cb(ctx, texts[i]);
    return rc < 0 ? rc : (int)n;
}

/* The series that match and have samples in the range, into seen[pair or name] by mark(). Under the
 * read lock. */
static int
labels_matched(const struct labels_range *r, const struct matcher *m, size_t n, uint32_t label,
               uint8_t *seen)
{
    struct index *ix = r->store->index;
    struct match *match = NULL;
    uint32_t *ids = NULL;
    size_t count = 0;
    int rc = match_new(m, n, NULL, &match, NULL);
    if (!rc)
        rc = match_series(match, ix, LABELS_SERIES_MAX, &ids, &count, NULL);
    for (size_t i = 0; !rc && i < count; i++) {
        const struct series *s = series_at(ix, ids[i]);
        if (!labels_active(r, ids[i]))
            continue;
        for (unsigned k = 0; k < s->pair_count; k++) {
            uint32_t name = ix->pairs[s->pairs[k]].name;
            if (label == UINT32_MAX)
                seen[name] = 1;
            else if (name == label)
                seen[s->pairs[k]] = 1;
        }
    }
    free(ids);
    match_free(match);
    return rc;
}

static bool
labels_pair_active(const struct labels_range *r, uint32_t pair)
{
    const struct series_pair *p = &r->store->index->pairs[pair];
    for (uint32_t i = p->count; i-- > 0;) /* the newest are the likeliest */
        if (labels_active(r, p->ids[i]))
            return true;
    return false;
}

static struct labels_range
labels_range_of(struct store *s, int64_t from, int64_t to)
{
    return (struct labels_range){s, from, to, from == 0 && to == 0};
}

int
read_label_names(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
                 int (*cb)(void *ctx, const char *name), void *ctx)
{
    struct labels_range r = labels_range_of(s, from_ms, to_ms);
    struct index *ix = s->index;
    size_t found = 0;
    pthread_rwlock_rdlock(&ix->lock);
    uint8_t *seen = calloc(ix->name_count, 1);
    const char **texts = calloc(ix->name_count, sizeof *texts);
    int rc = seen && texts ? 0 : ERR_NOMEM;
    if (!rc && n)
        rc = labels_matched(&r, m, n, UINT32_MAX, seen);
    for (uint32_t i = 0; !rc && i < ix->name_count; i++) {
        for (uint32_t k = ix->names[i].count; !n && !seen[i] && k-- > 0;)
            seen[i] = labels_pair_active(&r, ix->names[i].pairs[k]);
        if (seen[i])
            texts[found++] = ix->names[i].text;
    }
    pthread_rwlock_unlock(&ix->lock);
    if (!rc)
        rc = labels_answer(texts, found, cb, ctx);
    free(texts);
    free(seen);
    return rc;
}

int
read_label_values(struct store *s, const char *label, const struct matcher *m, size_t n,
                  int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *value),
                  void *ctx)
{
    struct labels_range r = labels_range_of(s, from_ms, to_ms);
    struct index *ix = s->index;
    size_t found = 0;
    pthread_rwlock_rdlock(&ix->lock);
    uint32_t name = series_name_find(ix, label, strlen(label));
    const struct series_name *names = name == UINT32_MAX ? NULL : &ix->names[name];
    uint8_t *seen = n ? calloc(ix->pair_count + 1, 1) : NULL;
    const char **texts = calloc(names && names->count ? names->count : 1, sizeof *texts);
    int rc = texts && (seen || !n) ? 0 : ERR_NOMEM;
    if (!rc && n && names)
        rc = labels_matched(&r, m, n, name, seen);
    for (uint32_t i = 0; !rc && names && i < names->count; i++)
        if (n ? seen[names->pairs[i]] : labels_pair_active(&r, names->pairs[i]))
            texts[found++] = ix->pairs[names->pairs[i]].value;
    pthread_rwlock_unlock(&ix->lock);
    if (!rc)
        rc = labels_answer(texts, found, cb, ctx);
    free(texts);
    free(seen);
    return rc;
}
