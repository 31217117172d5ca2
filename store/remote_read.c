/* remote_read: series of a range, part of which only the engine has.
 *
 * What the store's own files hold is read as ever; the engine is asked, once, for what lies before
 * (`query` of a range selector: the samples themselves), and both are joined by label set, a time
 * twice told counting once. An appliance that reads all asks the engine for everything. */
#include "store/remote_priv.h"

#include "base/clock.h"
#include "base/map.h"
#include "store/head.h"
#include "store/read.h"
#include "store/record.h"
#include "store/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REMOTE_EXPORTED   "exported_"
#define REMOTE_LATEST_RAW ((int64_t)600000) /* ms: beyond, the engine picks the newest sample */
#define REMOTE_SERIES_MAX ((size_t)1000000)

/* --- label sets as this appliance knows them -------------------------------------------------- */

static bool
remote_name_is(const struct label *a, const struct label *b, size_t skip)
{
    return a->name_len == b->name_len + skip && !memcmp(a->name + skip, b->name, b->name_len);
}

int
remote_row_labels(struct remote *r, const struct labels *l, struct labels *ret)
{
    const struct labels *own = &r->cfg.external;
    size_t head = strlen(REMOTE_EXPORTED);
    ret->count = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct label x = l->at[i];
        bool mine = false;
        for (size_t k = 0; !r->cfg.read_all && k < own->count && !mine; k++) {
            mine = remote_name_is(&x, &own->at[k], 0);
            if (x.name_len > head && !memcmp(x.name, REMOTE_EXPORTED, head) &&
                remote_name_is(&x, &own->at[k], head)) {
                x.name += head;
                x.name_len -= (uint32_t)head;
                break;
            }
        }
        if (!mine)
            ret->at[ret->count++] = x;
    }
    pthread_mutex_lock(&r->lock);
    bool full = false;
    for (size_t i = 0; i < ret->count; i++) {
        struct label *x = &ret->at[i];
        x->name = remote_words_take(r->words, x->name, x->name_len);
        x->value = remote_words_take(r->words, x->value, x->value_len);
        full |= !x->name || !x->value;
    }
    pthread_mutex_unlock(&r->lock);
    return full ? ERR_NOMEM : labels_finish(ret);
}

/* The series' own id where the index knows it, else one that no series here has. */
static int
remote_row_id(struct store *s, const struct labels *l, struct buf *bytes, uint64_t *ret)
{
    uint64_t hash[2];
    buf_reset(bytes);
    int rc = record_put_labels(bytes, l);
    if (rc)
        return rc;
    series_hash(bytes->data, bytes->len, s->index->seed, hash);
    pthread_rwlock_rdlock(&s->index->lock);
    *ret = series_find(s->index, hash);
    pthread_rwlock_unlock(&s->index->lock);
    if (!*ret)
        *ret = hash[0] | (uint64_t)1 << 63;
    return 0;
}

/* --- joining ---------------------------------------------------------------------------------- */

struct remote_join {
    struct remote *remote;
    struct series_set *set;
    size_t cap, max;
    struct map *by_id; /* id -> row + 1 */
    struct buf bytes;
    int64_t from, to;
    bool newest; /* the last sample only, and only where there is no row yet */
};

static int
remote_join_init(struct remote_join *j, struct remote *r, struct series_set *set,
                 const struct select_limits *lim)
{
    *j = (struct remote_join){.remote = r, .set = set, .cap = set->count};
    j->max = lim && lim->max_series ? lim->max_series : REMOTE_SERIES_MAX;
    buf_init(&j->bytes, RECORD_LABELS_MAX + 16);
    j->by_id = map_new(j->max + set->count + 1);
    for (size_t i = 0; j->by_id && i < set->count; i++)
        if (map_set(j->by_id, &set->rows[i].id, sizeof(uint64_t), (void *)(uintptr_t)(i + 1), NULL))
            return ERR_NOMEM;
    return j->by_id ? 0 : ERR_NOMEM;
}

static void
remote_join_done(struct remote_join *j)
{
    map_free(j->by_id, NULL);
    buf_done(&j->bytes);
}

static struct series_row *
remote_join_row(struct remote_join *j, uint64_t id, const struct labels *l)
{
    struct series_set *set = j->set;
    if (set->count == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 64;
        struct series_row *p = realloc(set->rows, cap * sizeof *p);
        if (!p)
            return NULL;
        set->rows = p;
        j->cap = cap;
    }
    struct series_row *row = &set->rows[set->count];
    size_t size = offsetof(struct labels, at) + l->count * sizeof(struct label);
    *row = (struct series_row){.id = id, .labels = read_alloc(set, size)};
    if (!row->labels ||
        map_set(j->by_id, &id, sizeof id, (void *)(uintptr_t)(set->count + 1), NULL))
        return NULL;
    memcpy(row->labels, l, size);
    set->count++;
    return row;
}

static int
remote_join_samples(struct remote_join *j, struct series_row *row, const struct sample *s, size_t n)
{
    struct sample *at = read_alloc(j->set, (row->count + n) * sizeof *at);
    if (!at)
        return ERR_NOMEM;
    memcpy(at, s, n * sizeof *at);
    if (row->count)
        memcpy(at + n, row->samples, row->count * sizeof *at);
    row->samples = at;
    row->count = head_sort(at, row->count + n);
    return 0;
}

static int
remote_join_one(void *ctx, const struct labels *theirs, const struct sample *s, size_t n)
{
    struct remote_join *j = ctx;
    struct labels l;
    uint64_t id = 0;
    while (n && s->t_ms < j->from)
        s++, n--;
    while (n && (s[n - 1].t_ms > j->to || (j->newest && isnan(s[n - 1].v))))
        n--;
    if (!n)
        return 0;
    int rc = remote_row_labels(j->remote, theirs, &l);
    if (!rc)
        rc = remote_row_id(j->remote->store, &l, &j->bytes, &id);
    if (rc)
        return rc;
    size_t have = (size_t)(uintptr_t)map_get(j->by_id, &id, sizeof id);
    if (have && j->newest)
        return 0;
    if (!have && j->set->count >= j->max)
        return ERR_LIMIT;
    struct series_row *row = have ? &j->set->rows[have - 1] : remote_join_row(j, id, &l);
    if (!row)
        return ERR_NOMEM;
    return j->newest ? remote_join_samples(j, row, s + n - 1, 1)
                     : remote_join_samples(j, row, s, n);
}

/* --- asking ----------------------------------------------------------------------------------- */

struct remote_question {
    const struct matcher *m;
    size_t n;
    int64_t from, to;
    bool newest;
    const struct select_limits *lim;
};

static int
remote_question_form(struct remote *r, const struct remote_question *q, struct buf *form)
{
    struct buf text;
    char range[32];
    bool picked = q->newest && q->to - q->from > REMOTE_LATEST_RAW;
    buf_init(&text, (size_t)1 << 20);
    if (picked)
        buf_puts(&text, "last_over_time(");
    int rc = remote_selector(r, q->m, q->n, q->lim ? q->lim->tenant : NULL, &text);
    duration_format(q->to - q->from + 1, range);
    buf_printf(&text, "[%s]%s", range, picked ? ")" : "");
    if (!rc && !text.failed) {
        remote_form_add(form, "query", text.data, text.len);
        remote_form_time(form, "time", q->to);
        remote_form_add(form, "nocache", "1", 1);
    }
    rc = rc ? rc : text.failed || form->failed ? ERR_LIMIT : 0;
    buf_done(&text);
    return rc;
}

/* The engine's rows of [from, to] into the set. */
static int
remote_fill(struct remote *r, const struct remote_question *q, struct series_set *set,
            struct err *err)
{
    struct remote_join j;
    struct buf form, body = {0};
    buf_init(&form, (size_t)4 << 20);
    int rc = remote_join_init(&j, r, set, q->lim);
    j.from = q->from;
    j.to = q->to;
    j.newest = q->newest;
    if (!rc)
        rc = remote_question_form(r, q, &form);
    if (rc)
        err_set(err, rc, "the question to the engine cannot be written: %s", err_text(rc));
    else
        rc = remote_ask(r, "/api/v1/query", &form, q->lim ? q->lim->deadline_mono_us : 0, &body,
                        err);
    struct remote_answer_sink sink = {.row = remote_join_one, .ctx = &j};
    sink.max_samples = q->lim ? q->lim->max_samples : 0;
    if (!rc)
        rc = remote_answer_parse(buf_str(&body), body.len, &sink, err);
    buf_done(&form);
    buf_done(&body);
    remote_join_done(&j);
    return rc;
}

int
remote_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
              const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    struct remote *r = s->remote;
    struct series_set set = {0};
    struct remote_question q = {.m = m, .n = n, .from = from_ms, .to = to_ms, .lim = lim};
    int64_t own = remote_local_from(r);
    if (!remote_wanted(r, from_ms))
        return read_select(s, m, n, from_ms, to_ms, lim, ret, err);
    int rc = r->cfg.read_all ? 0 : read_select(s, m, n, from_ms, to_ms, lim, &set, err);
    if (!r->cfg.read_all && q.to > own)
        q.to = own;
    if (!rc)
        rc = remote_fill(r, &q, &set, err);
    if (rc)
        series_set_done(&set);
    else
        *ret = set;
    return rc;
}

int
remote_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms,
              int64_t lookback_ms, const struct select_limits *lim, struct series_set *ret,
              struct err *err)
{
    struct remote *r = s->remote;
    struct series_set set = {0};
    struct remote_question q = {
        .m = m, .n = n, .from = at_ms - lookback_ms, .to = at_ms, .lim = lim, .newest = true};
    int64_t own = remote_local_from(r);
    if (!remote_wanted(r, q.from))
        return read_latest(s, m, n, at_ms, lookback_ms, lim, ret, err);
    int rc = r->cfg.read_all ? 0 : read_latest(s, m, n, at_ms, lookback_ms, lim, &set, err);
    if (!r->cfg.read_all && q.to > own)
        q.to = own;
    bool there = !rc && set.count > 0; /* detectors go on while the engine is away: what is newer
                                          than its part is here */
    if (!rc)
        rc = remote_fill(r, &q, &set, err);
    if (there && (rc == ERR_CLOSED || rc == ERR_TIMEOUT || rc == ERR_BUSY))
        rc = 0;
    if (rc)
        series_set_done(&set);
    else
        *ret = set;
    return rc;
}

/* --- label names and values ------------------------------------------------------------------- */

struct remote_texts {
    struct arena *arena;
    const char **at;
    size_t count, cap;
};

static int
remote_texts_add(void *ctx, const char *text)
{
    struct remote_texts *t = ctx;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        const char **p = realloc(t->at, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        t->at = p;
        t->cap = cap;
    }
    char *copy = arena_str(t->arena, text, strlen(text));
    if (!copy)
        return ERR_NOMEM;
    t->at[t->count++] = copy;
    return 0;
}

static int
remote_texts_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* path: of the question; "/api/v1/label/NAME/values" takes its parameters in the URL. */
static int
remote_texts_ask(struct remote *r, const char *label, const struct matcher *m, size_t n,
                 int64_t from_ms, int64_t to_ms, struct remote_texts *t)
{
    struct buf form, path, body = {0};
    struct remote_answer_sink sink = {.word = remote_texts_add, .ctx = t};
    struct err err;
    buf_init(&form, (size_t)64 << 10);
    buf_init(&path, (size_t)64 << 10);
    if (n || !r->cfg.read_all) {
        struct buf sel;
        buf_init(&sel, (size_t)64 << 10);
        if (!remote_selector(r, m, n, NULL, &sel))
            remote_form_add(&form, "match[]", buf_str(&sel), sel.len);
        buf_done(&sel);
    }
    if (from_ms || to_ms) {
        remote_form_time(&form, "start", from_ms);
        remote_form_time(&form, "end", to_ms);
    }
    if (label)
        buf_printf(&path, "/api/v1/label/%s/values?%s", label, buf_str(&form));
    else
        buf_printf(&path, "/api/v1/labels?%s", buf_str(&form));
    int rc = path.failed || form.failed ? ERR_LIMIT
                                        : remote_ask(r, buf_str(&path), NULL, 0, &body, &err);
    if (!rc)
        rc = remote_answer_parse(buf_str(&body), body.len, &sink, &err);
    buf_done(&form);
    buf_done(&path);
    buf_done(&body);
    return rc;
}

static bool
remote_is_external(const struct remote *r, const char *name)
{
    const struct labels *own = &r->cfg.external;
    return !r->cfg.read_all && labels_find(own, name);
}

int
remote_labels(struct store *s, const char *label, const struct matcher *m, size_t n,
              int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *text), void *ctx)
{
    struct remote *r = s->remote;
    struct remote_texts t = {.arena = arena_new((size_t)1 << 30)};
    bool all = !from_ms && !to_ms;
    int rc = t.arena ? 0 : ERR_NOMEM;
    if (!rc && !r->cfg.read_all)
        rc = label ? read_label_values(s, label, m, n, from_ms, to_ms, remote_texts_add, &t)
                   : read_label_names(s, m, n, from_ms, to_ms, remote_texts_add, &t);
    if (rc >= 0 && (r->cfg.read_all || (!all && remote_wanted(r, from_ms))) &&
        !(label && remote_is_external(r, label))) {
        int asked = remote_texts_ask(r, label, m, n, from_ms, to_ms, &t);
        rc = r->cfg.read_all ? asked : 0; /* what this appliance knows itself is an answer */
    }
    if (rc >= 0 && t.count)
        qsort(t.at, t.count, sizeof *t.at, remote_texts_compare);
    int told = 0;
    for (size_t i = 0; rc >= 0 && i < t.count; i++) {
        if ((i && !strcmp(t.at[i], t.at[i - 1])) || (!label && remote_is_external(r, t.at[i])))
            continue;
        rc = cb(ctx, t.at[i]);
        told++;
    }
    free(t.at);
    arena_free(t.arena);
    return rc < 0 ? rc : told;
}
