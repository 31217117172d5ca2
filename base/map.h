/* map: string -> pointer hash table, and an arena. Open addressing, XXH3, ceiling at birth. Not
 * thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;
struct map *map_new(size_t max);                                 /* at most max keys */
void map_free(struct map *m, void (*free_value)(void *));        /* free_value may be NULL */
void *map_get(const struct map *m, const void *key, size_t len); /* NULL: none */
/* Sets (key is copied), returns the former value in *ret_old if not NULL. 0, ERR_LIMIT, ERR_NOMEM.
 */
int map_set(struct map *m, const void *key, size_t len, void *value, void **ret_old);
void *map_remove(struct map *m, const void *key, size_t len); /* the value, NULL if none */
size_t map_count(const struct map *m);
/* Iterates in no order: start with *pos = 0; NULL at the end. Removing while iterating is not
 * allowed. */
const char *map_next(const struct map *m, size_t *pos, size_t *ret_len, void **ret_value);
uint64_t map_hash(const void *key, size_t len); /* XXH3, for others' tables */

struct arena; /* memory that goes all at once */
struct arena *arena_new(size_t max);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, 16-aligned; NULL at the ceiling */
char *arena_str(struct arena *a, const char *s, size_t len); /* copy, 0-terminated */
size_t arena_used(const struct arena *a);
void arena_reset(struct arena *a); /* keeps the first block */
void arena_free(struct arena *a);

#endif
