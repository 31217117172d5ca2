/* dayfile: the day files of the folder: what they hold, their readers, and their writers. Insiders
 * only.
 *
 * A day file is written by the flusher's thread alone, through one connection; readers take a
 * read-only connection from the file's pool, one a thread at a time. */
#ifndef STORE_DAYFILE_H
#define STORE_DAYFILE_H

#include "base/err.h"
#include "store/chunk.h"
#include "store/chunkcache.h"
#include "store/record.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define DAY_MS  ((int64_t)86400000)
#define SLOT_MS ((int64_t)7200000) /* a chunk holds samples of one slot of two hours */

struct days;
struct day;

int days_open(const char *folder, struct days **ret, uint64_t *ret_damaged, struct err *err);
/* Files of another name: PREFIXyyyymmdd.db. prefix is a literal. */
int days_open_named(const char *folder, const char *prefix, struct days **ret,
                    uint64_t *ret_damaged, struct err *err);
void days_close(struct days *d);
static inline int64_t
days_of(int64_t t_ms) /* days since 1970, floor */
{
    return t_ms >= 0 ? t_ms / DAY_MS : -((-t_ms + DAY_MS - 1) / DAY_MS);
}
uint64_t days_bytes(struct days *d);
size_t days_count(struct days *d);

/* --- readers ---------------------------------------------------------------------------------- */

/* The files that may hold times in [from, to], oldest first, each referenced until day_put;
 * malloc'ed. */
int days_list(struct days *d, int64_t from_ms, int64_t to_ms, struct day ***ret, size_t *ret_count);
void day_put(struct days *d, struct day *day);
int64_t day_number(const struct day *day);
const char *day_path(const struct day *day);
/* A read-only connection, given back after use. */
int day_reader_take(struct days *d, struct day *day, sqlite3 **ret, struct err *err);
void day_reader_give(struct days *d, struct day *day, sqlite3 *db);
/* Every chunk of `metric` (NULL: all) that overlaps [from, to] and may hold ids in [low, high]. cb
 * < 0 stops and is returned. Damaged chunks are counted, not given. */
struct days_chunk_query {
    const char *metric;
    int64_t from_ms, to_ms;
    uint64_t low, high;
    uint64_t damaged; /* out */
};
int days_each_chunk(struct days *d, struct days_chunk_query *q,
                    int (*cb)(void *ctx, const struct chunk_reader *r), void *ctx, struct err *err);
/* The same chunks, held; cb drops what it is given. */
int days_each_held(struct days *d, struct days_chunk_query *q,
                   int (*cb)(void *ctx, struct chunk_held *h), void *ctx, struct err *err);
/* Samples of the chunks that end at that time or later. */
uint64_t days_samples(struct days *d, int64_t from_ms);
/* Does a day file in [from, to] hold samples of the series? The answer is kept in memory a file. */
bool days_hold_series(struct days *d, uint64_t id, int64_t from_ms, int64_t to_ms);
/* The labels of files of other registries than this one (all: of every file). */
int days_each_series(struct days *d, bool all,
                     int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx,
                     struct err *err);

/* --- the flusher ------------------------------------------------------------------------------ */

/* What the file of that day holds of the journal: every sample (row) of batches up to the answer.
 * 0: no file. */
uint64_t days_held_samples(struct days *d, int64_t day);
uint64_t days_held_rows(struct days *d, int64_t day);
/* Begins a transaction in the file of that day, which is made when absent. Then put..., and end:
 * commit when rc is 0, recording `held` (samples or rows), else roll back. */
struct day_writer;
int day_writer_begin(struct days *d, int64_t day, struct day_writer **ret, struct err *err);
/* This transaction brings samples of the series: its labels are wanted when the file has none. */
int day_writer_series(struct day_writer *w, uint64_t id, struct err *err);
/* Ids whose labels are wanted, ascending; valid until the next call. */
const uint64_t *day_writer_fresh(struct day_writer *w, size_t *ret_count);
int day_writer_labels(struct day_writer *w, const struct buf *block, struct err *err);
int day_writer_chunk(struct day_writer *w, const char *metric, const struct chunk_info *info,
                     const struct buf *data, struct err *err);
int day_writer_row(struct day_writer *w, uint64_t id, const struct record *r, struct err *err);
enum day_held { DAY_SAMPLES, DAY_ROWS, DAY_NEITHER };
int day_writer_end(struct day_writer *w, int rc, enum day_held what, uint64_t held,
                   struct err *err);
/* Chunks whose samples all lie in [from, to) leave their files: an engine elsewhere has them. */
int days_trim(struct days *d, int64_t from_ms, int64_t to_ms, struct err *err);
int days_checkpoint(struct days *d, struct err *err);
/* Returns the free pages of the file of that day, cuts its WAL and closes what is not in use. */
int days_shrink(struct days *d, int64_t day, struct err *err);
/* The label sets of the files are those of the registry with this seed. */
void days_registry(struct days *d, uint64_t seed);
/* Were samples filed, or did slots end, since all that ended before the time was merged? */
bool days_merge_due(struct days *d, int64_t day, int64_t before_ms);
void days_merged(struct days *d, int64_t day, int64_t before_ms);
/* The write connection of a transaction, for the one who merges chunks. */
sqlite3 *day_writer_db(struct day_writer *w);
/* Removes the file of that day, waiting for its readers. */
int days_remove(struct days *d, int64_t day, struct err *err);
/* Takes a damaged file out of use, waiting for its readers: it stays in the folder as NAME.damaged.
 */
int days_set_aside(struct days *d, int64_t day, struct err *err);
/* The numbers of all files, oldest first; malloc'ed. */
int days_numbers(struct days *d, int64_t **ret, size_t *ret_count);

#endif
