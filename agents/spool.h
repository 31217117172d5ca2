/* spool: batches on disk that wait for the server, oldest first.
 *
 * One file a batch: EPOCH-SEQUENCE-SENT-RECORDS.batch (zero-padded numbers, so that order by name
 * is order of sending), written whole by rename. A file `open` stands while an agent runs; its time
 * is when the agent last said so, and a start that finds it knows since when something is missing.
 */
#ifndef AGENTS_SPOOL_H
#define AGENTS_SPOOL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/event.h"

#include <stddef.h>
#include <stdint.h>

struct spool_key {
    uint64_t epoch, sequence;
    int64_t sent_ms;
    uint32_t records;
};

struct spool;
/* Makes the folder (0700). ret_unclean_ms: when the former run was last alive if it did not end
 * cleanly, else 0. */
int spool_open(const char *dir, int64_t keep_ms, int64_t max_bytes, struct spool **ret,
               int64_t *ret_unclean_ms, struct err *err);
uint64_t spool_last_epoch(const struct spool *s); /* of what is kept; 0: none */
size_t spool_count(const struct spool *s);
/* ERR_FULL where the disk is. */
int spool_put(struct spool *s, const struct spool_key *key, const void *data, size_t len,
              struct err *err);
/* The oldest: ERR_NOTFOUND when empty; ERR_IO or ERR_NOTFOUND of a file that went away, which is
 * then forgotten. ret is initialised by the call. */
int spool_peek(struct spool *s, struct spool_key *ret_key, struct buf *ret, struct err *err);
/* Removes the oldest if it is that one. */
void spool_drop(struct spool *s, const struct spool_key *key);
/* Puts the oldest aside, in the folder `refused` (32 at most are kept there). */
void spool_quarantine(struct spool *s, const struct spool_key *key);
/* Drops what is older than allowed, and the oldest beyond the size. Records dropped; ret_gap tells
 * from when to when (times only). */
uint64_t spool_trim(struct spool *s, int64_t now_ms, struct gap *ret_gap);
void spool_alive(struct spool *s);            /* now, for the `open` file */
void spool_close(struct spool *s, int clean); /* clean: removes `open` */

#endif
