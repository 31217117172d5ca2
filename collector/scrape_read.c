/* scrape_read: from an exporter's text to samples, stale markers and the five series that tell of
 * the scrape itself. Expected load: some 10,000 series a second; a target's series seldom change,
 * so the common case compares hashes and keeps nothing new. */
#include "base/clock.h"
#include "base/compress.h"
#include "base/exposition.h"
#include "base/str.h"
#include "collector/scrape_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRAPE_READ_HASHES_MAX 10000000u
#define SCRAPE_READ_BODY_MAX   ((size_t)64 << 20)

struct scrape_read {
    struct scrape_target *t;
    struct store_batch *batch;
    struct arena *text;
    uint64_t *hashes;
    size_t count, room;
    uint64_t scraped, added;
    const uint64_t *stale; /* second reading: mark these (sorted) stale */
    size_t stale_count;
    struct err *err;
};

static int
scrape_read_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Our labels join theirs: where both have one, theirs becomes exported_NAME unless honoured. */
static int
scrape_read_join(struct scrape_read *r, struct labels *l)
{
    const struct labels *ours = &r->t->labels;
    bool honor = r->t->job->conf->honor_labels;
    for (size_t i = 0; i < ours->count; i++) {
        const struct label *o = &ours->at[i];
        size_t k = 0;
        while (k < l->count && (l->at[k].name_len != o->name_len ||
                                memcmp(l->at[k].name, o->name, o->name_len) != 0))
            k++;
        if (k < l->count && honor)
            continue;
        if (k < l->count) {
            char *name = arena_alloc(r->text, o->name_len + 10);
            if (!name)
                return ERR_LIMIT;
            int n = snprintf(name, o->name_len + 10, "exported_%.*s", (int)o->name_len, o->name);
            l->at[k].name = name;
            l->at[k].name_len = (uint32_t)n;
        }
        int rc = labels_add(l, o->name, o->name_len, o->value, o->value_len);
        if (rc)
            return rc;
    }
    return 0;
}

static int
scrape_read_limits(const struct scrape_read *r, const struct labels *l)
{
    const struct scrape_conf *c = r->t->job->conf;
    if (c->label_limit && l->count > (size_t)c->label_limit)
        return err_set(r->err, ERR_LIMIT, "a series has more than label_limit %lld labels",
                       (long long)c->label_limit);
    for (size_t i = 0; i < l->count; i++) {
        if (c->label_name_length_limit && l->at[i].name_len > c->label_name_length_limit)
            return err_set(r->err, ERR_LIMIT, "a label name is longer than its limit");
        if (c->label_value_length_limit && l->at[i].value_len > c->label_value_length_limit)
            return err_set(r->err, ERR_LIMIT, "a label value is longer than its limit");
    }
    return 0;
}

/* A series as it is kept: 1, 0 dropped by a rule, negative. */
static int
scrape_read_labels(struct scrape_read *r, struct labels *l)
{
    arena_reset(r->text);
    int rc = scrape_read_join(r, l);
    if (rc)
        return rc;
    if (!relabel_apply(r->t->job->metric_relabel, l, r->text))
        return 0;
    for (size_t i = 0; i < l->count;)
        if (l->at[i].name_len > 2 && !memcmp(l->at[i].name, "__", 2) &&
            !(l->at[i].name_len == 8 && !memcmp(l->at[i].name, "__name__", 8)))
            l->at[i] = l->at[--l->count];
        else
            i++;
    return labels_finish(l) || !labels_find(l, "__name__") ? 0 : 1;
}

static int
scrape_read_remember(struct scrape_read *r, uint64_t hash)
{
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : r->t->hash_count + 256;
        uint64_t *more =
            room > SCRAPE_READ_HASHES_MAX ? NULL : realloc(r->hashes, room * sizeof *more);
        if (!more)
            return ERR_LIMIT;
        r->hashes = more;
        r->room = room;
    }
    r->hashes[r->count++] = hash;
    return 0;
}

static int
scrape_read_series(void *ctx, const struct labels *labels, const struct sample *samples, size_t n)
{
    struct scrape_read *r = ctx;
    const struct scrape_conf *c = r->t->job->conf;
    struct labels l;
    l.count = labels->count;
    memcpy(l.at, labels->at, labels->count * sizeof *l.at);
    r->scraped += n;
    int rc = scrape_read_labels(r, &l);
    if (rc <= 0)
        return rc;
    if ((rc = scrape_read_limits(r, &l)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        struct sample s = {c->honor_timestamps ? samples[i].t_ms : r->t->at_ms, samples[i].v};
        if (c->sample_limit && r->added >= (uint64_t)c->sample_limit)
            return err_set(r->err, ERR_LIMIT, "the scrape has more than sample_limit %lld samples",
                           (long long)c->sample_limit);
        if ((rc = store_batch_samples(r->batch, &l, &s, 1)) < 0)
            return rc;
        r->added++;
        /* a series that bears its own times ends when its exporter says so */
        if (s.t_ms == r->t->at_ms && (rc = scrape_read_remember(r, labels_hash(&l))))
            return rc;
    }
    return 0;
}

/* --- stale markers -------------------------------------------------------------------------------
 */

static int
scrape_read_stale(void *ctx, const struct labels *labels, const struct sample *samples, size_t n)
{
    struct scrape_read *r = ctx;
    struct labels l = *labels;
    (void)samples, (void)n;
    int rc = scrape_read_labels(r, &l);
    if (rc <= 0)
        return rc;
    uint64_t hash = labels_hash(&l);
    if (!bsearch(&hash, r->stale, r->stale_count, sizeof hash, scrape_read_compare))
        return 0;
    struct sample s = {r->t->at_ms, sample_stale()};
    rc = store_batch_samples(r->batch, &l, &s, 1);
    return rc < 0 ? rc : 0;
}

/* Marks what the last scrape had and `now` (sorted) has not. */
static void
scrape_read_mark(struct scrape_target *t, struct store_batch *b, struct arena *text,
                 const uint64_t *now, size_t count)
{
    uint64_t *gone = malloc((t->hash_count + 1) * sizeof *gone);
    struct scrape_read r = {.t = t, .batch = b, .text = text, .stale = gone};
    struct sample_sink sink = {.series = scrape_read_stale, .ctx = &r};
    struct buf body;
    buf_init(&body, SCRAPE_READ_BODY_MAX);
    for (size_t i = 0; gone && i < t->hash_count; i++)
        if (!count || !bsearch(&t->hashes[i], now, count, sizeof *now, scrape_read_compare))
            gone[r.stale_count++] = t->hashes[i];
    if (r.stale_count) {
        qsort(gone, r.stale_count, sizeof *gone, scrape_read_compare);
        if (!compress_unzstd(buf_str(&t->body), t->body.len, &body))
            exposition_read(buf_str(&body), body.len, t->at_ms, &sink, NULL, NULL);
    }
    buf_done(&body);
    free(gone);
}

/* What is remembered becomes this scrape's; series that are gone are marked. Returns how many are
 * new. */
static size_t
scrape_read_turn(struct scrape_target *t, struct scrape_read *r, const char *body, size_t len)
{
    size_t fresh = 0;
    if (r->count == t->hash_count && r->count &&
        !memcmp(r->hashes, t->hashes, r->count * sizeof *r->hashes))
        return 0; /* the same series in the same order */
    uint64_t *sorted = malloc((r->count + t->hash_count + 1) * sizeof *sorted);
    if (!sorted)
        return 0;
    if (r->count)
        memcpy(sorted, r->hashes, r->count * sizeof *sorted);
    qsort(sorted, r->count, sizeof *sorted, scrape_read_compare);
    scrape_read_mark(t, r->batch, r->text, sorted, r->count);
    uint64_t *old = sorted + r->count;
    if (t->hash_count)
        memcpy(old, t->hashes, t->hash_count * sizeof *old);
    qsort(old, t->hash_count, sizeof *old, scrape_read_compare);
    for (size_t i = 0; i < r->count; i++)
        fresh += !bsearch(&sorted[i], old, t->hash_count, sizeof *old, scrape_read_compare);
    free(sorted);
    free(t->hashes);
    t->hashes = r->hashes;
    t->hash_count = r->count;
    r->hashes = NULL;
    buf_done(&t->body);
    buf_init(&t->body, SCRAPE_READ_BODY_MAX);
    if (r->count && compress_zstd(body, len, 1, &t->body))
        t->hash_count = 0; /* no memory: the next turn marks nothing */
    return fresh;
}

/* --- the five series of the scrape itself --------------------------------------------------------
 */

static void
scrape_read_own(struct scrape_target *t, struct store_batch *b, const char *name, double v)
{
    struct labels l = t->labels;
    struct sample s = {t->at_ms, v};
    if (!labels_add_str(&l, "__name__", name) && !labels_finish(&l))
        store_batch_samples(b, &l, &s, 1);
}

void
scrape_read_take(struct scrape_target *t, const char *text, size_t len, double seconds,
                 const char *error)
{
    struct err err = {0}, ours = {0};
    char told[512] = "";
    struct scrape_read r = {.t = t, .err = &ours};
    struct sample_sink sink = {.series = scrape_read_series, .ctx = &r};
    struct exposition_counts n = {0, 0};
    r.batch = store_batch_new(t->job->s->env.store);
    r.text = arena_new(SCRAPE_LABELS_TEXT);
    if (error)
        str_copy(told, sizeof told, error);
    if (!r.batch || !r.text) {
        inlet_state(t->inlet, "no memory");
        goto out;
    }
    if (!*told && exposition_read(text, len, t->at_ms, &sink, &n, &err)) {
        str_copy(told, sizeof told, *ours.text ? ours.text : err.text);
        store_batch_free(r.batch); /* a scrape is kept whole or not at all */
        r.count = 0;
        r.added = 0;
        if (!(r.batch = store_batch_new(t->job->s->env.store)))
            goto out;
    }
    if (n.refused)
        inlet_lost(t->inlet, "bad-labels", n.refused);
    size_t fresh = scrape_read_turn(t, &r, *told ? "" : text, *told ? 0 : len);
    scrape_read_own(t, r.batch, "up", *told ? 0 : 1);
    scrape_read_own(t, r.batch, "scrape_duration_seconds", seconds);
    scrape_read_own(t, r.batch, "scrape_samples_scraped", (double)r.scraped);
    scrape_read_own(t, r.batch, "scrape_samples_post_metric_relabeling", (double)r.added);
    scrape_read_own(t, r.batch, "scrape_series_added", (double)fresh);
    inlet_state(t->inlet, *told ? told : NULL);
    inlet_submit(t->inlet, r.batch, r.added + 5);
    r.batch = NULL;
out:
    if (r.batch)
        store_batch_free(r.batch);
    arena_free(r.text);
    free(r.hashes);
}

void
scrape_read_retire(struct scrape_target *t)
{
    struct store_batch *b = store_batch_new(t->job->s->env.store);
    struct arena *text = arena_new(SCRAPE_LABELS_TEXT);
    static const char *const own[] = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                                      "scrape_samples_post_metric_relabeling",
                                      "scrape_series_added"};
    t->at_ms = clock_now_ms(store_clock(t->job->s->env.store));
    if (b && text) {
        size_t n = t->hash_count;
        scrape_read_mark(t, b, text, NULL, 0);
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            scrape_read_own(t, b, own[i], sample_stale());
        inlet_submit(t->inlet, b, n + 5);
        b = NULL;
    }
    if (b)
        store_batch_free(b);
    arena_free(text);
}
