/* hash: XXH3 of 64 and 128 bits, seeded, for tables and identities inside one process or file. Not
 * cryptographic. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_64(const void *p, size_t len, uint64_t seed);
void hash_128(const void *p, size_t len, uint64_t seed, uint64_t ret[2]);

#endif
