/* slabs: blocks double from 16 KiB to 1 MiB: a small answer is small, a big one makes few calls. */
#include "store/slabs.h"

#include "base/sample.h"

#include <stdlib.h>

#define SLABS_MIN ((size_t)16 << 10)
#define SLABS_MAX ((size_t)1 << 20)

struct slab {
    struct slab *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void *
slabs_alloc(struct slabs *all, size_t n)
{
    struct slab *s = all->top;
    n = (n + 15) & ~(size_t)15;
    if (!s || s->used + n > s->size) {
        size_t size = s ? s->size * 2 : SLABS_MIN;
        size = size > SLABS_MAX ? SLABS_MAX : size;
        size = size < n ? n : size;
        s = malloc(sizeof *s + size + sizeof(struct labels));
        if (!s)
            return NULL;
        s->next = all->top;
        s->size = size;
        s->used = 0;
        all->top = s;
    }
    s->used += n;
    return s->data + s->used - n;
}

void
slabs_done(struct slabs *all)
{
    for (struct slab *s = all->top, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    all->top = NULL;
}

void
slabs_join(struct slabs *into, struct slabs *from)
{
    struct slab **end = &into->top;
    while (*end)
        end = &(*end)->next;
    *end = from->top;
    from->top = NULL;
}
