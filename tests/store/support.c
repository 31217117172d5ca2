/* support: see support.h. */
#include "tests/store/support.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t
support_now(void *ctx)
{
    return atomic_load(&((struct support *)ctx)->now);
}

void
support_open(struct support *f)
{
    struct err err;
    f->cfg.folder = f->folder;
    f->cfg.clock = &f->clock;
    if (store_open(&f->cfg, &f->s, &err))
        fail_msg("%s", err.text);
}

void
support_close(struct support *f)
{
    store_close(f->s);
    f->s = NULL;
}

int
support_setup(void **state)
{
    struct support *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ms-store-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    f->now = SUPPORT_NOW;
    f->clock = (struct clock){support_now, f};
    support_open(f);
    *state = f;
    return 0;
}

int
support_teardown(void **state)
{
    struct support *f = *state;
    char cmd[128];
    store_close(f->s);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->folder);
    int rc = system(cmd);
    free(f);
    return rc;
}

void
support_put(struct store *s, const char *metric, const char *node, int64_t t, double v,
            struct store_commit_result *ret)
{
    struct labels l = {0};
    struct err err;
    labels_add_str(&l, "__name__", metric);
    labels_add_str(&l, "node", node);
    assert_int_equal(labels_finish(&l), 0);
    struct store_batch *b = store_batch_new(s);
    assert_int_equal(store_batch_samples(b, &l, &(struct sample){t, v}, 1), 0);
    if (store_commit(s, b, ret, &err))
        fail_msg("%s", err.text);
}

size_t
support_get(struct store *s, const char *metric, const char *node, int64_t from, int64_t to,
            struct sample *out, size_t max)
{
    struct matcher m[2] = {{MATCH_EQ, "__name__", metric}, {MATCH_EQ, "node", node}};
    struct series_set set;
    struct err err;
    if (store_select(s, m, node ? 2 : 1, from, to, NULL, &set, &err))
        fail_msg("%s", err.text);
    size_t n = set.count ? set.rows[0].count : 0;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = set.rows[0].samples[i];
    series_set_done(&set);
    return n;
}

static int
support_count_event(void *ctx, const struct event *ev, uint64_t id)
{
    (void)ctx, (void)ev, (void)id;
    return 0;
}

static int
support_count_log(void *ctx, const struct log_line *l, uint64_t id)
{
    (void)ctx, (void)l, (void)id;
    return 0;
}

size_t
support_events(struct store *s, const struct event_query *q)
{
    struct err err;
    int n = store_events(s, q, support_count_event, NULL, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    return (size_t)n;
}

size_t
support_logs(struct store *s, const struct event_query *q)
{
    struct err err;
    int n = store_logs(s, q, support_count_log, NULL, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    return (size_t)n;
}
