/* known: sources' own bytes of a label set -> series, so that a set that was read once is not read
 * again. Expected load: a look-up a sample, an entry a series. Insiders only.
 *
 * A key is 128 bits of a seeded hash of the bytes. Any thread looks up between known_hold and
 * known_release; the writer's thread alone puts. Growing waits for nobody: while someone holds,
 * what does not fit is not kept, and is put again when it comes again. */
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
uint64_t known_find(const struct known *k, const uint64_t key[2]); /* 0: none */
void known_put(struct known *k, const uint64_t key[2], uint64_t id);
void known_forget(struct known *k); /* everything: ids are about to mean something else */
size_t known_bytes(const struct known *k);

#endif
