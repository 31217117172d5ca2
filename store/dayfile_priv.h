/* dayfile_priv: a day file in memory, shared by dayfile.c (the list and its readers) and daywrite.c
 * (the writer). */
#ifndef STORE_DAYFILE_PRIV_H
#define STORE_DAYFILE_PRIV_H

#include "store/dayfile.h"

#include <pthread.h>
#include <stdatomic.h>

#define DAY_PAGE    8192
#define DAY_READERS 8 /* idle connections kept a file */
#define DAY_VERSION 3 /* 1: no labels, chunks of version 1; 2: integers of chunks as planes */

enum {
    DAY_ADD_LABELS,
    DAY_ADD_CHUNK,
    DAY_ADD_EVENT,
    DAY_ADD_LOG,
    DAY_ADD_GAP,
    DAY_ADD_EVENT_TEXT,
    DAY_ADD_LOG_TEXT,
    DAY_SET_META,
    DAY_STATEMENTS
};

struct day {
    struct days *days;
    int64_t number;
    char path[4096];
    atomic_uint_fast64_t held_samples, held_rows;
    uint64_t registry;    /* seed of the registry whose labels it has; 0: not known */
    uint64_t merged_held; /* held_samples when all was merged that ended before the time */
    int64_t merged_ms;
    unsigned refs; /* readers; under days.lock */
    bool dead;     /* out of the list */
    sqlite3 *readers[DAY_READERS];
    size_t idle;
    pthread_mutex_t ids_lock;
    uint64_t *ids; /* bitmap of the series it holds; NULL: not read yet */
    size_t ids_words;
    sqlite3 *w; /* the flusher's thread only, all below */
    sqlite3_stmt *st[DAY_STATEMENTS];
    struct buf words;
};

struct days {
    char *folder;
    const char *prefix;   /* of the files' names */
    pthread_mutex_t lock; /* list, refs, idle readers */
    pthread_cond_t released;
    struct day **at; /* by number */
    size_t count, cap;
    unsigned open_writers;
    uint64_t registry; /* seed */
    struct chunkcache *cache;
};

struct day *days_find(struct days *d, int64_t number);          /* under the lock; NULL */
int days_add(struct days *d, int64_t number, struct day **ret); /* under the lock */
void days_unlist(struct days *d, struct day *day);              /* under the lock */
void day_free(struct day *day);
int day_ids_add(struct day *day, uint64_t id); /* under ids_lock, ids not NULL or first */
bool day_ids_have(const struct day *day, uint64_t id);
int day_ids_load(struct days *d, struct day *day, struct err *err);
void day_reader_close(sqlite3 *db); /* with the statements that it kept */
int day_writer_open(struct day *day, struct err *err);
void day_writer_close(struct day *day);

#endif
