/* agenda: what is to happen at a known time, in order of time and then of entry (a binary heap).
 *
 * Expected load: some thousands of entries when a large job dies. Texts are owned by the agenda. */
#ifndef SIM_AGENDA_H
#define SIM_AGENDA_H

#include <stddef.h>
#include <stdint.h>

struct agenda_item {
    int64_t at_ms;
    uint64_t order;
    int what; /* the world's own numbering */
    uint32_t a, b;
    int32_t c;
    char *text; /* may be NULL */
};

struct agenda {
    struct agenda_item *items;
    size_t count, cap;
    uint64_t order, refused;
};

void agenda_done(struct agenda *a);
/* Takes item->text. Over the ceiling of 1,000,000 entries the item is dropped and counted in
 * `refused`. */
void agenda_add(struct agenda *a, struct agenda_item item);
/* Takes the first entry due at or before now: 1, or 0 when there is none. The caller frees its
 * text. */
int agenda_take(struct agenda *a, int64_t now_ms, struct agenda_item *ret_item);

#endif
