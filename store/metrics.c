/* metrics: the store's own counters, as exposition text and as a struct. */
#include "store/store.h"

#include "store/dayfile.h"
#include "store/journal.h"
#include "store/limit.h"
#include "store/remote_priv.h"
#include "store/rows.h"
#include "store/scrub.h"
#include "store/series.h"
#include "store/store_priv.h"
#include "store/writer.h"

#include <stddef.h>

static const struct metrics_row {
    const char *name, *type, *help;
    size_t offset; /* in struct store_counters */
} metrics_rows[] = {
    {"samples_total", "counter", "Samples kept.", offsetof(struct store_counters, samples)},
    {"samples_duplicate_total", "counter",
     "Samples dropped because their series has one of that time.",
     offsetof(struct store_counters, duplicates)},
    {"samples_too_old_total", "counter",
     "Samples refused because they are older than the retention.",
     offsetof(struct store_counters, too_old)},
    {"samples_refused_total", "counter",
     "Samples refused by the series limit or a clock far ahead.",
     offsetof(struct store_counters, refused_series)},
    {"samples_out_of_order_total", "counter", "Samples kept although a newer one was there.",
     offsetof(struct store_counters, out_of_order)},
    {"events_total", "counter", "Events kept.", offsetof(struct store_counters, events)},
    {"logs_total", "counter", "Log lines kept.", offsetof(struct store_counters, logs)},
    {"gaps_total", "counter", "Known losses recorded.", offsetof(struct store_counters, gaps)},
    {"commits_total", "counter", "Transactions of the journal.",
     offsetof(struct store_counters, commits)},
    {"batches_total", "counter", "Batches committed.", offsetof(struct store_counters, batches)},
    {"replays_total", "counter", "Batches that were held already.",
     offsetof(struct store_counters, replays)},
    {"busy_total", "counter", "Batches turned away because the queue was full or closed.",
     offsetof(struct store_counters, busy)},
    {"disk_full_total", "counter", "Groups that found the disk full.",
     offsetof(struct store_counters, full)},
    {"failed_total", "counter", "Groups that could not be committed.",
     offsetof(struct store_counters, failed)},
    {"damaged_total", "counter", "Rows and chunks whose checksum was wrong when read.",
     offsetof(struct store_counters, damaged)},
    {"flushes_total", "counter", "Fills of day files with samples.",
     offsetof(struct store_counters, flushes)},
    {"flush_failures_total", "counter", "Fills that failed and are tried again.",
     offsetof(struct store_counters, flush_failures)},
    {"chunks_total", "counter", "Chunks written.", offsetof(struct store_counters, chunks)},
    {"chunk_bytes_total", "counter", "Bytes of the chunks written.",
     offsetof(struct store_counters, chunk_bytes)},
};

static void
metrics_put(struct buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
    buf_printf(
        out,
        "# HELP myriascope_store_%s %s\n# TYPE myriascope_store_%s %s\nmyriascope_store_%s %llu\n",
        name, help, name, type, name, (unsigned long long)v);
}

void
store_metrics(struct store *s, struct buf *out)
{
    struct store_stats st;
    store_stats_get(s, &st);
    pthread_rwlock_rdlock(&s->index->lock);
    uint64_t index = s->index->bytes, blocks = s->index->block_bytes, waiting = s->index->unflushed;
    pthread_rwlock_unlock(&s->index->lock);
    for (size_t i = 0; i < sizeof metrics_rows / sizeof *metrics_rows; i++) {
        const struct metrics_row *r = &metrics_rows[i];
        const atomic_uint_fast64_t *at = (const void *)((const char *)&s->counters + r->offset);
        metrics_put(out, r->name, r->type, r->help, *at);
    }
    metrics_put(out, "series", "gauge", "Series in the index.", st.series);
    metrics_put(out, "index_bytes", "gauge", "Memory of labels, postings and tables.", index);
    metrics_put(out, "block_bytes", "gauge", "Memory of recent samples.", blocks);
    metrics_put(out, "unflushed_samples", "gauge", "Samples that no day file holds yet.", waiting);
    metrics_put(out, "queue_bytes", "gauge", "Batches waiting for the writer.", st.queue_bytes);
    metrics_put(out, "journal_bytes", "gauge", "Size of the journal.", st.journal_bytes);
    metrics_put(out, "day_bytes", "gauge", "Size of all day files.", st.day_bytes);
    metrics_put(out, "day_files", "gauge", "Number of day files.", days_count(s->days));
    remote_metrics(s->remote, out);
    limit_metrics(s->limits, out);
    scrub_metrics(s->scrubber, out);
}

void
store_stats_get(struct store *s, struct store_stats *ret)
{
    *ret = (struct store_stats){
        .samples_total = s->counters.samples,
        .events_total = s->counters.events,
        .logs_total = s->counters.logs,
        .gaps_total = s->counters.gaps,
        .queue_bytes = writer_queue_bytes(s->writer),
        .day_bytes = days_bytes(s->days),
    };
    journal_bytes(s->journal, &ret->journal_bytes);
    pthread_rwlock_rdlock(&s->index->lock);
    ret->series = s->index->live;
    pthread_rwlock_unlock(&s->index->lock);
}
