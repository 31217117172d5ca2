/* known: sources' own bytes of a label set -> series, so that a set that was read once is not read
 * again. Expected load: a look-up a sample, an entry a series. Insiders only.
 *
 * A key is 128 bits of a seeded hash of the bytes, of which 80 are kept. Sets keep the order in
 * which they first came, and sources send them in that order again: who was told the place of one
 * set asks for the next place first. Any thread looks up between known_hold and known_release; the
 * writer's thread alone puts. Growing waits for nobody: while someone holds, what does not fit is
 * not kept, and is put again when it comes again. */
#ifndef STORE_KNOWN_H
#define STORE_KNOWN_H

#include <stddef.h>
#include <stdint.h>

struct known;
struct known *known_new(void);
void known_free(struct known *k);
void known_hold(struct known *k);
void known_release(struct known *k);
void known_prefetch(const struct known *k, const uint64_t key[2]);
/* 0: none; else the id, and the set's place. */
uint64_t known_find(const struct known *k, const uint64_t key[2], uint32_t *ret_place);
/* The id of the set at the place when it has that key, else 0. */
uint64_t known_at(const struct known *k, uint32_t place, const uint64_t key[2]);
/* How many bytes the set at the place has; 0: not told, or there is none. */
size_t known_len(const struct known *k, uint32_t place);
void known_put(struct known *k, const uint64_t key[2], size_t len, uint64_t id);
void known_forget(struct known *k); /* everything: ids are about to mean something else */
size_t known_bytes(const struct known *k);

#endif
