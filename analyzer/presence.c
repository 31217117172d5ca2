/* presence: a map from entity to the time it was last seen; a part that was never seen itself
 * counts as its owner. */
#include "analyzer/presence.h"

#include "base/entity.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define PRESENCE_MAX 2000000

struct presence {
    struct map *last;
};

struct presence *
presence_new(void)
{
    struct presence *p = calloc(1, sizeof *p);
    if (p && !(p->last = map_new(PRESENCE_MAX))) {
        free(p);
        return NULL;
    }
    return p;
}

void
presence_free(struct presence *p)
{
    if (!p)
        return;
    map_free(p->last, NULL);
    free(p);
}

void
presence_seen(struct presence *p, const char *entity, int64_t t_ms)
{
    map_set(p->last, entity, strlen(entity), (void *)(intptr_t)t_ms, NULL);
}

int64_t
presence_last(const struct presence *p, const char *entity)
{
    char owner[ENTITY_SIZE];
    int64_t t = (intptr_t)map_get(p->last, entity, strlen(entity));
    if (!t && !entity_owner(owner, entity, false))
        t = (intptr_t)map_get(p->last, owner, strlen(owner));
    if (!t && !entity_owner(owner, entity, true))
        t = (intptr_t)map_get(p->last, owner, strlen(owner));
    return t;
}

bool
presence_fresh(const struct presence *p, const char *entity, int64_t now_ms)
{
    int64_t t = presence_last(p, entity);
    return t && now_ms - t <= PRESENCE_FRESH_MS;
}
