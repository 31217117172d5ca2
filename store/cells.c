/* cells: regions of 2 MiB, which the kernel may back by one huge page, of pages of 64 KiB, each of
 * cells of one size. A page whose cells are all given back serves any size again, and a region
 * whose pages all are goes back to the system, but for one that is kept.
 *
 * What is always true: a page is in the list of its size while it has room and a cell in use, and
 * in the list of empty ones while it has none. */
#include "store/cells.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CELLS_PAGE  ((size_t)64 << 10)
#define CELLS_HEAD  64
#define CELLS_SIZES (CELLS_MAX / CELLS_UNIT + 1)

struct cells_page { /* at the page's beginning; the first cell is CELLS_HEAD behind */
    struct cells_page *next, *prev;
    struct cells_region *region;
    void *given;         /* cells given back; each holds the next */
    uint32_t fresh;      /* where cells begin that were never taken */
    uint32_t used, size; /* cells in use; bytes of one */
};
_Static_assert(sizeof(struct cells_page) <= CELLS_HEAD, "the head of a page");

struct cells_region {
    struct cells_region *next;
    char *at;
    unsigned used; /* pages that are not empty */
};

struct cells {
    struct cells_page *with_room[CELLS_SIZES], *empty;
    struct cells_region *regions;
    unsigned idle; /* regions without a used page */
};

struct cells *
cells_new(void)
{
    return calloc(1, sizeof(struct cells));
}

void
cells_free(struct cells *c)
{
    if (!c)
        return;
    for (struct cells_region *r = c->regions, *next; r; r = next) {
        next = r->next;
        cells_region_unmap(r->at);
        free(r);
    }
    free(c);
}

static void
cells_link(struct cells_page **list, struct cells_page *p)
{
    p->prev = NULL;
    p->next = *list;
    if (p->next)
        p->next->prev = p;
    *list = p;
}

static void
cells_unlink(struct cells_page **list, struct cells_page *p)
{
    if (p->prev)
        p->prev->next = p->next;
    else
        *list = p->next;
    if (p->next)
        p->next->prev = p->prev;
}

static struct cells_page *
cells_page_at(const struct cells_region *r, size_t i)
{
    return (struct cells_page *)(void *)(r->at + i * CELLS_PAGE);
}

void *
cells_region_map(void)
{
    char *p =
        mmap(NULL, 2 * CELLS_REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)p & (CELLS_REGION - 1);
    if (before)
        munmap(p, before);
    munmap(p + before + CELLS_REGION, CELLS_REGION - before);
    madvise(p + before, CELLS_REGION, MADV_HUGEPAGE); /* refused: small pages do */
    return p + before;
}

void
cells_region_unmap(void *region)
{
    if (region)
        munmap(region, CELLS_REGION);
}

static bool
cells_grow(struct cells *c)
{
    struct cells_region *r = calloc(1, sizeof *r);
    if (!r || !(r->at = cells_region_map())) {
        free(r);
        return false;
    }
    r->next = c->regions;
    c->regions = r;
    c->idle++;
    for (size_t i = CELLS_REGION / CELLS_PAGE; i-- > 0;) {
        struct cells_page *p = cells_page_at(r, i);
        *p = (struct cells_page){.region = r};
        cells_link(&c->empty, p);
    }
    return true;
}

static void
cells_shrink(struct cells *c, struct cells_region *gone)
{
    struct cells_region **at = &c->regions;
    for (size_t i = 0; i < CELLS_REGION / CELLS_PAGE; i++)
        cells_unlink(&c->empty, cells_page_at(gone, i));
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    c->idle--;
    cells_region_unmap(gone->at);
    free(gone);
}

static struct cells_page *
cells_page_take(struct cells *c, size_t size)
{
    if (!c->empty && !cells_grow(c))
        return NULL;
    struct cells_page *p = c->empty;
    cells_unlink(&c->empty, p);
    c->idle -= !p->region->used++;
    p->given = NULL;
    p->fresh = CELLS_HEAD;
    p->used = 0;
    p->size = (uint32_t)size;
    cells_link(&c->with_room[size / CELLS_UNIT], p);
    return p;
}

static bool
cells_page_full(const struct cells_page *p)
{
    return !p->given && p->fresh + p->size > CELLS_PAGE;
}

void *
cells_take(struct cells *c, size_t size)
{
    size = cells_size(size);
    if (size > CELLS_MAX)
        return NULL;
    struct cells_page **list = &c->with_room[size / CELLS_UNIT], *p = *list;
    if (!p && !(p = cells_page_take(c, size)))
        return NULL;
    void *cell = p->given;
    if (cell) {
        p->given = *(void **)cell;
    } else {
        cell = (char *)p + p->fresh;
        p->fresh += p->size;
    }
    p->used++;
    if (cells_page_full(p))
        cells_unlink(list, p);
    return cell;
}

void
cells_give(struct cells *c, void *cell, size_t size)
{
    struct cells_page *p = (struct cells_page *)((uintptr_t)cell & ~(CELLS_PAGE - 1));
    struct cells_page **list = &c->with_room[cells_size(size) / CELLS_UNIT];
    if (cells_page_full(p))
        cells_link(list, p);
    *(void **)cell = p->given;
    p->given = cell;
    if (--p->used)
        return;
    cells_unlink(list, p);
    cells_link(&c->empty, p);
    c->idle += !--p->region->used;
    if (c->idle > 1 && !p->region->used)
        cells_shrink(c, p->region);
}
