/* manifest: what a backup holds: its files with their sizes and checksums, and of which state of
 * the store's files they are copies. Written last: a folder without one is no backup. Drawn in
 * store/FORMAT.md. Insiders only. */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_NAME "manifest.json"

struct manifest_file {
    char name[64];
    uint64_t bytes;
    uint32_t crc;                   /* CRC32C of all its bytes */
    int64_t source_ns, source_size; /* of the file it is a copy of; 0: it was being written */
};
struct manifest {
    struct manifest_file *files; /* owned */
    size_t count, cap;
    int64_t made_ms;
};

void manifest_done(struct manifest *m);
int manifest_add(struct manifest *m, const struct manifest_file *f);
const struct manifest_file *manifest_find(const struct manifest *m, const char *name);
int manifest_write(const struct manifest *m, const char *folder, struct err *err);
/* ERR_NOTFOUND: none; ERR_CORRUPT: changed since. */
int manifest_read(const char *folder, struct manifest *ret, struct err *err);
/* Copies a file, synced; to NULL: only reads it. Gives its size and checksum. step (may be NULL) is
 * told the bytes done. */
int manifest_copy(const char *from, const char *to, void (*step)(void *ctx, uint64_t bytes),
                  void *ctx, uint64_t *ret_bytes, uint32_t *ret_crc, struct err *err);

#endif
