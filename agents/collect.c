/* collect: some twenty probes, 5 ms together. Always true: a probe writes to `work`, which only its
 * thread sees; `parts` are read and exchanged under the mutex. */
#include "agents/collect.h"

#include "agents/apart.h"
#include "agents/inventory.h"
#include "agents/probe.h"
#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLLECT_TEXT_KEPT ((size_t)128 << 10)
#define COLLECT_APART_MS  2500 /* a child is waited for */

struct collect_part {
    const struct probe_row *row;
    struct snap snap;
    struct apart apart; /* its child, for rows that run in one */
    void *state;
    int64_t next_ms;
    bool disabled, fresh, ran;
    int rc;
};

struct collect {
    struct probe probe;
    struct snap work;
    struct collect_part *parts;
    size_t count;
    pthread_mutex_t mutex;
    const struct probe_row *running;
    int64_t running_us;
};

static bool
collect_disabled(const struct conf_strs *disable, const char *key)
{
    for (size_t i = 0; disable && i < disable->count; i++)
        if (!strcmp(disable->at[i], key))
            return true;
    return false;
}

int
collect_new(const char *root, const char *node, const struct conf_strs *disable, const char *nvml,
            const char *dcmi, const char *helper, struct collect **ret, struct err *err)
{
    struct collect *c = calloc(1, sizeof *c);
    const struct probe_row *rows = NULL;
    size_t count = 0;
    rows = probes_table(&count);
    if (!c || !(c->parts = calloc(count, sizeof *c->parts))) {
        free(c);
        return err_set(err, ERR_NOMEM, "no memory for the probes");
    }
    c->count = count;
    pthread_mutex_init(&c->mutex, NULL);
    snap_init(&c->work);
    for (size_t i = 0; i < count; i++) {
        c->parts[i].row = &rows[i];
        c->parts[i].disabled = collect_disabled(disable, rows[i].key);
        snap_init(&c->parts[i].snap);
    }
    int rc = probe_init(&c->probe, root, node, err);
    if (rc) {
        collect_free(c);
        return rc;
    }
    if (nvml)
        c->probe.nvml = nvml;
    if (dcmi)
        c->probe.dcmi = dcmi;
    c->probe.helper = helper;
    *ret = c;
    return 0;
}

void
collect_free(struct collect *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        snap_done(&c->parts[i].snap);
        apart_done(&c->parts[i].apart);
        if (c->parts[i].row->done)
            c->parts[i].row->done(c->parts[i].state);
        else
            free(c->parts[i].state);
    }
    free(c->parts);
    snap_done(&c->work);
    probe_done(&c->probe);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

/* What it needs is there, or it needs nothing. */
static bool
collect_needed(const struct probe *p, const struct probe_row *row)
{
    for (size_t i = 0; i < 2; i++) {
        int fd = row->needs[i] ? probe_open(p, row->needs[i], O_PATH) : -1;
        if (fd < 0)
            continue;
        close(fd);
        return true;
    }
    return !row->needs[0];
}

static int
collect_probe(struct collect *c, struct collect_part *part)
{
    if (!collect_needed(&c->probe, part->row))
        return 0;
    if (!part->row->apart)
        return part->row->run(&c->probe);
    int rc = apart_run(&part->apart, &c->probe, part->row, COLLECT_APART_MS);
    if (rc == ERR_TIMEOUT || rc == ERR_BUSY)
        snap_add(&c->work, "myriascope_agent_probe_stalled_seconds",
                 (double)(clock_mono_us() - part->apart.since_us) / 1e6, "probe", part->row->key,
                 NULL);
    return rc;
}

static void
collect_part(struct collect *c, struct collect_part *part)
{
    snap_reset(&c->work);
    pthread_mutex_lock(&c->mutex);
    c->running = part->row;
    c->running_us = clock_mono_us();
    pthread_mutex_unlock(&c->mutex);
    c->probe.out = &c->work;
    c->probe.state = &part->state;
    int rc = collect_probe(c, part);
    pthread_mutex_lock(&c->mutex);
    struct snap old = part->snap;
    part->snap = c->work;
    c->work = old;
    part->rc = rc;
    part->fresh = part->ran = true;
    c->running = NULL;
    pthread_mutex_unlock(&c->mutex);
}

int
collect_run(struct collect *c, int64_t now_ms, bool all)
{
    int ran = 0;
    c->probe.now_ms = now_ms;
    for (size_t i = 0; i < c->count; i++) {
        struct collect_part *part = &c->parts[i];
        part->fresh = false;
        if (part->disabled || (!all && now_ms < part->next_ms))
            continue;
        /* Half a second early is on time: intervals jitter. */
        part->next_ms =
            now_ms + (int64_t)part->row->period_s * 1000 - (part->row->strict ? 0 : 500);
        collect_part(c, part);
        ran++;
    }
    if (c->probe.text.cap > COLLECT_TEXT_KEPT)
        buf_done(&c->probe.text);
    return ran;
}

const char *
collect_running(struct collect *c, int64_t *ret_since_us)
{
    pthread_mutex_lock(&c->mutex);
    const char *key = c->running ? c->running->key : NULL;
    *ret_since_us = c->running_us;
    pthread_mutex_unlock(&c->mutex);
    return key;
}

int
collect_encode(struct collect *c, const char *node, int64_t t_ms, struct wire_encoder *e)
{
    int count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (!c->parts[i].fresh)
            continue;
        int rc = snap_encode(&c->parts[i].snap, node, t_ms, e);
        if (rc < 0)
            return rc;
        count += rc;
    }
    return count;
}

int
collect_text(struct collect *c, const struct snap *more, struct buf *out)
{
    struct snap all;
    snap_init(&all);
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < c->count; i++) {
        snap_append(&all, &c->parts[i].snap);
        if (!c->parts[i].disabled)
            snap_add(&all, "myriascope_agent_probe_success",
                     c->parts[i].ran && !c->parts[i].rc && c->parts[i].row != c->running, "probe",
                     c->parts[i].row->key, NULL);
    }
    pthread_mutex_unlock(&c->mutex);
    if (more)
        snap_append(&all, more);
    int rc = snap_text(&all, out);
    snap_done(&all);
    return rc;
}

int
collect_inventory(struct collect *c, struct buf *out)
{
    return inventory_format(&c->probe, out);
}
