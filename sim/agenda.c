/* agenda: a binary heap by (time, order). */
#include "sim/agenda.h"

#include <stdbool.h>
#include <stdlib.h>

#define AGENDA_MAX 1000000u

void
agenda_done(struct agenda *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->items[i].text);
    free(a->items);
    *a = (struct agenda){0};
}

static bool
agenda_before(const struct agenda_item *x, const struct agenda_item *y)
{
    return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->order < y->order;
}

static void
agenda_swap(struct agenda *a, size_t i, size_t j)
{
    struct agenda_item t = a->items[i];
    a->items[i] = a->items[j];
    a->items[j] = t;
}

void
agenda_add(struct agenda *a, struct agenda_item item)
{
    if (a->count == a->cap) {
        size_t cap = a->cap == 0 ? 64 : a->cap * 2;
        struct agenda_item *more = cap > AGENDA_MAX ? NULL : realloc(a->items, cap * sizeof *more);
        if (more == NULL) {
            a->refused++;
            free(item.text);
            return;
        }
        a->items = more;
        a->cap = cap;
    }
    item.order = a->order++;
    size_t i = a->count++;
    a->items[i] = item;
    for (; i > 0 && agenda_before(&a->items[i], &a->items[(i - 1) / 2]); i = (i - 1) / 2)
        agenda_swap(a, i, (i - 1) / 2);
}

int
agenda_take(struct agenda *a, int64_t now_ms, struct agenda_item *ret_item)
{
    if (a->count == 0 || a->items[0].at_ms > now_ms)
        return 0;
    *ret_item = a->items[0];
    a->items[0] = a->items[--a->count];
    for (size_t i = 0;;) {
        size_t least = i, l = 2 * i + 1, r = l + 1;
        if (l < a->count && agenda_before(&a->items[l], &a->items[least]))
            least = l;
        if (r < a->count && agenda_before(&a->items[r], &a->items[least]))
            least = r;
        if (least == i)
            break;
        agenda_swap(a, i, least);
        i = least;
    }
    return 1;
}
