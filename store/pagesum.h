/* pagesum: a checksum at the end of every page of a SQLite file, so that any flipped bit of it is
 * found: rows, indexes, b-tree headers, free pages. Insiders only.
 *
 * A file whose header reserves PAGESUM_BYTES a page carries them; drawn in store/FORMAT.md. They
 * are written by the layer below SQLite as a page goes to the file (a checkpoint), and checked by
 * who reads the file as bytes: the scrubber. The WAL has checksums of SQLite's own. */
#ifndef STORE_PAGESUM_H
#define STORE_PAGESUM_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGESUM_BYTES 8

/* The name of the layer for sqlite3_open_v2, registered at the first call; it stands on what was
 * the default then. NULL: no memory. */
const char *pagesum_vfs(void);
/* Before the first table is made: its pages have room for the checksum. */
void pagesum_reserve(sqlite3 *db);

/* Reads a file, some pages a call: begin, then pages until it answers 0, then end. */
struct pagesum_scan;
/* ERR_CORRUPT: no SQLite file. */
int pagesum_begin(const char *path, struct pagesum_scan **ret, struct err *err);
bool pagesum_sealed(const struct pagesum_scan *s); /* false: made before; nothing can be checked */
uint64_t pagesum_pages(const struct pagesum_scan *s);
/* Checks at most `pages` more. bad(ctx, page) for each damaged one, counted from 1; page 0: the
 * file is shorter than it says. Returns how many were looked at; 0 at the end; ERR_IO. */
int pagesum_some(struct pagesum_scan *s, unsigned pages, void (*bad)(void *ctx, uint64_t page),
                 void *ctx, struct err *err);
void pagesum_end(struct pagesum_scan *s);

#endif
