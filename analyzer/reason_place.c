/* reason_place: entities by number instead of by name, and walks that are walked once.
 *
 * A run asks for the same neighbours thousands of times: each cause of each candidate of a node
 * leads to the same job. Always true: a place, its name and a walk live as long as the run. */
#include "analyzer/reason_priv.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct reason_place *
reason_place(struct reason *r, const char *entity)
{
    size_t n = strlen(entity);
    struct reason_place *p = map_get(r->places, entity, n);
    if (p)
        return p;
    p = arena_alloc(r->arena, sizeof *p);
    if (!p || !(p->name = arena_str(r->arena, entity, n)) || map_set(r->places, entity, n, p, NULL))
        return NULL;
    p->kind = entity_kind_of(entity);
    return p;
}

static struct reason_known *
place_known(struct reason_known *list, const struct kb_entry *e)
{
    while (list && list->entry != e)
        list = list->next;
    return list;
}

static int
place_know(struct reason *r, struct reason_known **list, size_t symptom, size_t *ret_before)
{
    const struct kb_entry *e = r->symptoms[symptom].entry;
    struct reason_known *k = place_known(*list, e);
    if (!k) {
        k = arena_alloc(r->arena, sizeof *k);
        if (!k)
            return ERR_NOMEM;
        *k = (struct reason_known){.entry = e, .next = *list};
        *list = k;
    }
    *ret_before = k->number;
    k->number = symptom + 1;
    return 0;
}

int
reason_place_symptom(struct reason *r, struct reason_place *p, size_t symptom)
{
    size_t before;
    return place_know(r, &p->seen, symptom, &before);
}

int
reason_place_rank(struct reason *r, struct reason_place *job, size_t symptom)
{
    return place_know(r, &job->ranks, symptom, &r->next[symptom]);
}

const struct symptom *
reason_seen(const struct reason *r, const struct kb_entry *e, const struct reason_place *p,
            size_t *ret_index)
{
    const struct reason_known *k = p ? place_known(p->seen, e) : NULL;
    if (!k)
        return NULL;
    if (ret_index)
        *ret_index = k->number - 1;
    return &r->symptoms[k->number - 1];
}

size_t
reason_first_rank(const struct kb_entry *e, const struct reason_place *p)
{
    const struct reason_known *k = place_known(p->ranks, e);
    return k ? k->number : 0;
}

static uint64_t
place_path(const enum entity_kind *path, size_t n)
{
    uint64_t p = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        p = p << 8 | ((uint64_t)path[i] + 1);
    return p;
}

struct place_walk {
    struct reason *r;
    struct reason_place **at;
    size_t count, cap;
};

static void
place_walk_cb(void *ctx, const char *entity)
{
    struct place_walk *w = ctx;
    struct reason_place *p = reason_place(w->r, entity);
    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        struct reason_place **more = realloc(w->at, cap * sizeof *more);
        if (!more)
            return;
        w->at = more;
        w->cap = cap;
    }
    if (p)
        w->at[w->count++] = p;
}

const struct reason_walk *
reason_place_walk(struct reason *r, struct reason_place *from, const enum entity_kind *path,
                  size_t n)
{
    uint64_t key = place_path(path, n);
    for (struct reason_walk *k = from->walks; k; k = k->next)
        if (k->path == key)
            return k;
    struct place_walk w = {.r = r};
    r->world->walk(r->world->ctx, from->name, path, n, REASON_REACH, place_walk_cb, &w);
    struct reason_walk *walk = arena_alloc(r->arena, sizeof *walk);
    if (walk && w.count && !(walk->at = arena_alloc(r->arena, w.count * sizeof *walk->at)))
        walk = NULL;
    if (walk && w.count)
        memcpy(walk->at, w.at, w.count * sizeof *walk->at);
    if (walk) {
        walk->path = key;
        walk->count = w.count;
        walk->next = from->walks;
        from->walks = walk;
    }
    free(w.at);
    return walk;
}
