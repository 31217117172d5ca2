/* detect_bed: detectors over a store of their own, fed with series by an injected clock; what they
 * say is heard. */
#ifndef TESTS_ANALYZER_DETECT_BED_H
#define TESTS_ANALYZER_DETECT_BED_H

#include "analyzer/detect.h"
#include "base/clock.h"
#include "base/doc.h"
#include "kb/kb.h"
#include "store/jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZERO  1700000000000
#define STEP  15000
#define HEARD 512

#define PLAN                                                                                       \
    "version: 1\ncluster: {name: t}\n"                                                             \
    "fabric: {kind: rail-spine-leaf, groups: 1, nodes_per_group: 4, rails: 2, spines: 4, "         \
    "nodes_per_rack: 2, "                                                                          \
    "gpus: {count: 8, model: H100}}\n"                                                             \
    "storage: [{name: fs01, kind: nfs, servers: [nas1], path: /data, nodes: "                      \
    "'node[00001-00004]'}]\n"

struct heard {
    char code[64], entity[ENTITY_SIZE], text[256];
    enum event_phase phase;
    int64_t at_ms; /* when it was said */
};

struct bed {
    char folder[64];
    int64_t now_ms;
    struct clock clock;
    struct store *store;
    struct kb *kb;
    struct metric_table *metrics;
    struct analyzer_config cfg;
    struct detectors *d;
    struct presence *presence;
    struct heard heard[HEARD];
    size_t count;
};

static inline int64_t
bed_now(void *ctx)
{
    return ((struct bed *)ctx)->now_ms;
}

static inline int
bed_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline void
bed_hear(void *ctx, const struct event *ev)
{
    struct bed *b = ctx;
    assert_true(b->count < HEARD);
    struct heard *h = &b->heard[b->count++];
    snprintf(h->code, sizeof h->code, "%s", ev->code);
    snprintf(h->entity, sizeof h->entity, "%s", ev->entity);
    snprintf(h->text, sizeof h->text, "%s", ev->text);
    h->phase = ev->phase;
    h->at_ms = b->now_ms;
}

static inline int
bed_setup_with(void **state, const char *plan)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    snprintf(b->folder, sizeof b->folder, "/tmp/myriascope-detect-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->now_ms = ZERO;
    b->clock = (struct clock){bed_now, b};
    struct store_config sc = {
        .folder = b->folder, .clock = &b->clock, .retention_ms = (int64_t)3650 * 86400000};
    assert_int_equal(store_open(&sc, &b->store, &err), 0);
    assert_int_equal(topo_put_document(b->store, plan, strlen(plan), "plan", &err), 0);
    assert_int_equal(kb_load(NULL, &b->kb, &err), 0);
    b->metrics = metric_table_new();
    b->cfg = (struct analyzer_config){
        .store = b->store, .kb = b->kb, .metrics = b->metrics, .clock = &b->clock};
    b->d = detectors_new(&b->cfg);
    b->presence = presence_new();
    topo_settle(b->store);
    *state = b;
    return 0;
}

static inline int
bed_setup(void **state)
{
    return bed_setup_with(state, PLAN);
}

static inline int
bed_teardown(void **state)
{
    struct bed *b = *state;
    detectors_free(b->d);
    presence_free(b->presence);
    metric_table_free(b->metrics);
    store_close(b->store);
    kb_free(b->kb);
    nftw(b->folder, bed_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
    return 0;
}

/* "name{label=value,...}" */
static inline void
bed_put(struct bed *b, struct store_batch *batch, const char *series, double v)
{
    char text[512], *save = NULL;
    struct labels l = {0};
    struct sample s = {b->now_ms, v};
    snprintf(text, sizeof text, "%s", series);
    labels_add_str(&l, "__name__", strtok_r(text, "{", &save));
    for (char *p = strtok_r(NULL, ",}", &save); p; p = strtok_r(NULL, ",}", &save)) {
        char *eq = strchr(p, '=');
        if (!eq)
            break; /* what follows the braces is a value */
        *eq = 0;
        labels_add_str(&l, p, eq + 1);
    }
    assert_int_equal(labels_finish(&l), 0);
    assert_true(store_batch_samples(batch, &l, &s, 1) >= 0);
}

static inline void
bed_turn(struct bed *b, struct store_batch *batch)
{
    struct err err;
    assert_int_equal(store_commit(b->store, batch, NULL, &err), 0);
    struct topo *t = topo_get(b->store);
    detectors_turn(b->d, t, b->presence, b->now_ms, bed_hear, b);
    topo_put(t);
    b->now_ms += STEP;
}

static inline const struct heard *
bed_find(const struct bed *b, const char *code, enum event_phase phase)
{
    for (size_t i = 0; i < b->count; i++)
        if (!strcmp(b->heard[i].code, code) && b->heard[i].phase == phase)
            return &b->heard[i];
    return NULL;
}

static inline void
bed_job_on(struct bed *b, const char *nodes)
{
    char job[256];
    snprintf(job, sizeof job,
             "{\"id\":\"7\",\"name\":\"j\",\"state\":\"running\",\"nodes\":\"%s\","
             "\"gpus_per_node\":8,\"start\":\"2023-11-14T22:00:00Z\"}",
             nodes);
    struct err err;
    struct job j = {0};
    assert_int_equal(job_put(b->store, "7", job, strlen(job), false, &j, &err), 0);
    job_done(&j);
    topo_settle(b->store);
}

#endif
