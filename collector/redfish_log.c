/* redfish_log: what is new in the event log of a controller.
 *
 * The first reading is of the whole log; afterwards its end, which costs one small answer. What was
 * there before is known by a hash of id, time and text, so that a controller whose clock jumps, or
 * that starts its ids again after a clear, neither repeats nor swallows an entry. The watermark in
 * the store says how far a former run had come: lines and watermark are one transaction. */
#include "base/clock.h"
#include "base/str.h"
#include "collector/redfish_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDFISH_LOG_SEEN     16384u /* entries of a log that are known */
#define REDFISH_LOG_PAGES    64u
#define REDFISH_LOG_RECALLED 1024u
#define REDFISH_LOG_TAIL     16 /* entries read again, to see that none was missed */
#define REDFISH_LOG_TOP      64

static void
redfish_log_source(const struct redfish_bmc *b, char out[REDFISH_NAME_MAX + 16])
{
    snprintf(out, REDFISH_NAME_MAX + 16, "redfish:%s", b->name);
}

int
redfish_log_open(struct redfish_bmc *b, struct redfish_path *p)
{
    char source[REDFISH_NAME_MAX + 16];
    if (!(p->log = calloc(1, sizeof *p->log)))
        return ERR_NOMEM;
    redfish_log_source(b, source);
    p->log->held = -1;
    p->log->mark =
        store_watermark(b->r->env.store, source, map_hash(p->path, strlen(p->path)) >> 1);
    return 0;
}

void
redfish_log_free(struct redfish_log *l)
{
    if (l) {
        free(l->seen);
        free(l->taken);
    }
    free(l);
}

static int
redfish_log_recalled(void *ctx, const struct log_line *line, uint64_t id)
{
    struct redfish_log *l = ctx;
    (void)id;
    if (!strcmp(line->source, "bmc") && l->taken_count < REDFISH_LOG_RECALLED)
        l->taken[l->taken_count++] = map_hash(line->text, strlen(line->text));
    return 0;
}

/* Controllers tell whole seconds: of the second at the watermark some may be taken, some not. */
static void
redfish_log_recall(const struct redfish_bmc *b, struct redfish_log *l)
{
    int64_t floor = (int64_t)(l->mark / 1000);
    struct event_query q = {
        .from_ms = floor, .to_ms = floor + 1, .node = b->name, .limit = REDFISH_LOG_RECALLED};
    struct err err;
    l->taken_count = 0;
    if (!l->mark || (!l->taken && !(l->taken = calloc(REDFISH_LOG_RECALLED, sizeof *l->taken))))
        return;
    store_logs(b->r->env.store, &q, redfish_log_recalled, l, &err);
}

static bool
redfish_log_was_taken(struct redfish_log *l, const char *text)
{
    uint64_t hash = map_hash(text, strlen(text));
    for (size_t i = 0; i < l->taken_count; i++)
        if (l->taken[i] == hash) {
            l->taken[i] = l->taken[--l->taken_count];
            return true;
        }
    return false;
}

void
redfish_log_url(struct redfish_bmc *b, struct redfish_path *p, struct buf *url)
{
    struct redfish_log *l = p->log;
    if (*b->next) {
        buf_printf(url, "%s%s", b->base, b->next);
        return;
    }
    l->pages = l->known = l->fresh = 0;
    if (!l->primed)
        redfish_log_recall(b, l);
    l->first_ms = l->last_ms = l->first_id = l->last_id = 0;
    l->whole = !l->primed || l->held < REDFISH_LOG_TOP;
    buf_printf(url, "%s%s", b->base, p->path);
    if (!l->whole && l->descending)
        buf_printf(url, "?$top=%d", REDFISH_LOG_TOP);
    else if (!l->whole)
        buf_printf(url, "?$skip=%lld", (long long)l->held - REDFISH_LOG_TAIL);
}

/* --- what is known -------------------------------------------------------------------------------
 */

static size_t
redfish_log_place(const struct redfish_log *l, uint64_t hash)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (l->seen[mid] < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* True when it was known; remembers it else. A set that is full is emptied by the caller. */
static bool
redfish_log_known(struct redfish_log *l, uint64_t hash)
{
    size_t at = redfish_log_place(l, hash);
    if (at < l->count && l->seen[at] == hash)
        return true;
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        uint64_t *more = realloc(l->seen, room * sizeof *more);
        if (!more)
            return false;
        l->seen = more;
        l->room = room;
    }
    memmove(l->seen + at + 1, l->seen + at, (l->count - at) * sizeof *l->seen);
    l->seen[at] = hash;
    l->count++;
    return false;
}

/* --- entries -------------------------------------------------------------------------------------
 */

struct redfish_log_reading {
    struct redfish_bmc *b;
    struct redfish_path *p;
    struct store_batch *batch;
    uint64_t lines;
    int64_t newest_ms; /* of those taken, by a clock that is not ahead of ours */
};

/* Was it taken before this run, or is it of the past that nobody asked for? */
static bool
redfish_log_old(struct redfish_log *l, const struct redfish_bmc *b, const struct redfish_entry *e)
{
    int64_t t = e->time_ms, floor = (int64_t)(l->mark / 1000);
    if (l->primed)
        return false;
    if (!l->mark)
        return !t || t < b->at_ms - b->r->conf->log_past;
    /* one without a time is older than anything */
    return t < floor || (t == floor && redfish_log_was_taken(l, e->text));
}

static void
redfish_log_entry(void *ctx, const struct redfish_entry *e)
{
    struct redfish_log_reading *g = ctx;
    struct redfish_log *l = g->p->log;
    char key[64];
    snprintf(key, sizeof key, "%lld %.40s", (long long)e->time_ms, e->id);
    uint64_t hash = map_hash(e->text, strlen(e->text)) ^ (map_hash(key, strlen(key)) * 31);
    l->first_ms = l->first_ms ? l->first_ms : e->time_ms;
    l->last_ms = e->time_ms ? e->time_ms : l->last_ms;
    if (!str_i64(e->id, strlen(e->id), &l->last_id) && !l->first_id)
        l->first_id = l->last_id;
    if (redfish_log_known(l, hash)) {
        l->known++;
        return;
    }
    l->fresh++;
    if (redfish_log_old(l, g->b, e))
        return;
    struct log_line line = {.time_ms = e->time_ms ? e->time_ms : g->b->at_ms,
                            .severity = e->severity,
                            .node = g->b->name,
                            .job = "",
                            .source = "bmc",
                            .tenant = "",
                            .rank = -1,
                            .text = e->text};
    if (line.time_ms > g->b->at_ms + 60000)
        line.time_ms = g->b->at_ms; /* its clock is ahead */
    if (store_batch_log(g->batch, &line) < 0)
        return;
    g->lines++;
    g->newest_ms = line.time_ms > g->newest_ms ? line.time_ms : g->newest_ms;
}

static void
redfish_log_submit(struct redfish_log_reading *g)
{
    struct redfish_log *l = g->p->log;
    char source[REDFISH_NAME_MAX + 16];
    if (!g->lines) {
        store_batch_free(g->batch);
        return;
    }
    uint64_t mark = (uint64_t)g->newest_ms * 1000;
    l->mark = mark > l->mark ? mark : l->mark + 1;
    redfish_log_source(g->b, source);
    store_batch_watermark(g->batch, source, map_hash(g->p->path, strlen(g->p->path)) >> 1, l->mark);
    atomic_fetch_add(&g->b->r->entries, g->lines);
    inlet_submit(g->b->inlet, g->batch, g->lines);
}

/* The last page was read. True: its end holds less than what came, or does not meet what is known:
 * read it whole. */
static bool
redfish_log_end(struct redfish_log *l, size_t entries, int64_t held)
{
    bool missed = !l->whole &&
                  ((int64_t)l->fresh < held - l->held || held < l->held || (entries && !l->known));
    if (l->whole) {
        l->descending =
            l->first_ms > l->last_ms || (l->first_ms == l->last_ms && l->first_id > l->last_id);
        l->primed = true;
    }
    l->held = held;
    if (!missed)
        return false;
    l->held = -1; /* it was cleared, or more came than its end holds */
    return true;
}

bool
redfish_log_take(struct redfish_bmc *b, struct redfish_path *p, const struct doc_node *root)
{
    struct redfish_log *l = p->log;
    struct redfish_log_reading g = {.b = b, .p = p, .batch = store_batch_new(b->r->env.store)};
    struct redfish_sink sink = {.entry = redfish_log_entry, .ctx = &g};
    char next[REDFISH_PATH_MAX + 1];
    if (!g.batch)
        return false;
    if (l->whole && !l->pages && l->count > REDFISH_LOG_SEEN)
        l->count = 0, l->primed = false; /* begins again from the watermark */
    size_t entries = redfish_read_entries(root, &sink);
    redfish_log_submit(&g);
    str_copy(next, sizeof next, redfish_read_next(root));
    bool more = *next && strcmp(next, b->next) && ++l->pages < REDFISH_LOG_PAGES;
    str_copy(b->next, sizeof b->next, more ? next : "");
    if (more)
        return true;
    int64_t held = redfish_read_count(root);
    return redfish_log_end(l, entries, held >= 0 ? held : (int64_t)l->count);
}
