/* detect_jobs: a job against its own past, and a file system by what all of its clients see. */
#include "analyzer/detect_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_LEARN   3 /* samples of a step before it is a baseline */
#define DETECT_CLIENTS 1024

struct detect_past { /* of one job */
    double step;
    unsigned steps;
};

struct detect_jobs {
    struct map *past; /* job id -> struct detect_past */
};

struct detect_jobs *
detect_jobs_new(void)
{
    struct detect_jobs *j = calloc(1, sizeof *j);
    if (j && !(j->past = map_new(100000))) {
        free(j);
        return NULL;
    }
    return j;
}

void
detect_jobs_free(struct detect_jobs *j)
{
    if (!j)
        return;
    map_free(j->past, free);
    free(j);
}

static struct detect_past *
detect_past_of(struct detect_jobs *j, const char *id)
{
    struct detect_past *p = map_get(j->past, id, strlen(id));
    if (p)
        return p;
    p = calloc(1, sizeof *p);
    if (p && map_set(j->past, id, strlen(id), p, NULL)) {
        free(p);
        return NULL;
    }
    return p;
}

/* --- jobs against their past ------------------------------------------------------------------ */

void
detect_rule_slow(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[160];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_past *p = c->fresh[i] && c->v[i] > 0
                                    ? detect_past_of(d->jobs, d->kinds[ENTITY_JOB].at[i].name + 4)
                                    : NULL;
        if (!p)
            continue;
        if (p->steps < DETECT_LEARN) {
            p->step = p->steps ? fmin(p->step, c->v[i]) : c->v[i];
            p->steps++;
            continue;
        }
        double limit = p->step * row->limit;
        struct detect_verdict v = {.bad = c->v[i] > limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = limit,
                                   .text = text};
        snprintf(text, sizeof text, "step time %.2f s > %.2f s (usual %.2f s)", c->v[i], limit,
                 p->step);
        if (!v.bad)
            p->step += (c->v[i] - p->step) * 0.05;
        detect_judge(d, row, i, &v);
    }
}

/* --- file systems by their clients ------------------------------------------------------------ */

struct detect_clients {
    uint32_t storage;
    size_t count, slow, stalled;
    double worst;
    int64_t t_ms;
};

static void
detect_client(struct detectors *d, uint32_t node, double ops, double seconds, int64_t t_ms,
              struct detect_clients *all, size_t *n)
{
    struct detect_subject *s = &d->kinds[ENTITY_NODE].at[node];
    topo_id id = detect_topo(d, ENTITY_NODE, node);
    topo_id fs = id == TOPO_NONE ? TOPO_NONE : topo_neighbour(d->topo, id, ENTITY_STORAGE);
    uint32_t storage = fs == TOPO_NONE ? DETECT_NONE : detect_subject_of(d, topo_name(d->topo, fs));
    size_t k = 0;
    if (storage == DETECT_NONE)
        return;
    while (k < *n && all[k].storage != storage)
        k++;
    if (k == DETECT_CLIENTS)
        return;
    if (k == *n)
        all[(*n)++] = (struct detect_clients){.storage = storage};
    double usual = s->memory[1],
           each = ops > 0 ? seconds / ops : 0; /* memory[1]: usual operations a second */
    bool stalled = (ops > 0 && each > 5) || (usual > 0.5 && ops < usual * 0.02);
    all[k].count++;
    all[k].stalled += stalled;
    all[k].slow += ops > 0 && each > 0.25;
    all[k].worst = fmax(all[k].worst, each);
    all[k].t_ms = t_ms > all[k].t_ms ? t_ms : all[k].t_ms;
    if (!stalled)
        s->memory[1] = isnan(usual) ? ops : usual + (ops - usual) * 0.1;
}

/* Of the clients that use it, more than half (and two) see it slow, or not answer. `limit` 1:
 * stalled, 0: slow. */
void
detect_rule_storage(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *sec = detect_read(d, METRIC_STORAGE_OP_SECONDS),
                               *ops = detect_read(d, METRIC_STORAGE_OPS);
    struct detect_clients *all = calloc(DETECT_CLIENTS + 1, sizeof *all);
    size_t n = 0;
    char text[160];
    for (uint32_t i = 0; all && i < sec->count; i++)
        if (i < ops->count && !isnan(sec->rate[i]) && !isnan(ops->rate[i]) &&
            ops->t_ms[i] > d->now_ms - DETECT_LOOKBACK_MS)
            detect_client(d, i, ops->rate[i], sec->rate[i], ops->t_ms[i], all, &n);
    for (size_t k = 0; k < n; k++) {
        size_t many = row->limit > 0 ? all[k].stalled : all[k].slow;
        bool worse = row->limit == 0 && all[k].stalled * 2 > all[k].count;
        struct detect_verdict v = {.bad = many * 2 > all[k].count && many >= 2 && !worse,
                                   .t_ms = all[k].t_ms,
                                   .text = text};
        if (row->limit > 0)
            snprintf(text, sizeof text,
                     "%zu of %zu clients get no answer (%.0f s and more an operation)", many,
                     all[k].count, all[k].worst);
        else
            snprintf(text, sizeof text,
                     "%zu of %zu clients wait more than 250 ms an operation (worst %.2f s)", many,
                     all[k].count, all[k].worst);
        detect_judge(d, row, all[k].storage, &v);
    }
    free(all);
}
