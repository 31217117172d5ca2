/* remote_words: label names and values that the engine answered, each kept once until the store
 * closes: answers point at them, as they do at the index's own.
 *
 * Load: values of series that this appliance does not know itself: another appliance's, or those
 * that are gone. */
#include "store/remote_priv.h"

#include "base/map.h"

#include <stdlib.h>

#define REMOTE_WORDS_MAX   ((size_t)64 << 20)
#define REMOTE_WORDS_BYTES ((size_t)2 << 30)

struct remote_words {
    struct map *at;
    struct arena *arena;
};

struct remote_words *
remote_words_new(void)
{
    struct remote_words *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->at = map_new(REMOTE_WORDS_MAX);
    w->arena = arena_new(REMOTE_WORDS_BYTES);
    if (w->at && w->arena)
        return w;
    remote_words_free(w);
    return NULL;
}

void
remote_words_free(struct remote_words *w)
{
    if (!w)
        return;
    map_free(w->at, NULL);
    arena_free(w->arena);
    free(w);
}

const char *
remote_words_take(struct remote_words *w, const char *s, size_t len)
{
    char *have = map_get(w->at, s, len);
    if (have)
        return have;
    have = arena_str(w->arena, s, len);
    return have && !map_set(w->at, s, len, have, NULL) ? have : NULL;
}
