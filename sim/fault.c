/* fault: the rows gathered, texts parsed, and each fault taken through waiting, active, done. */
#include "sim/fault.h"
#include "base/clock.h"
#include "base/str.h"
#include "sim/simline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fault_row *const fault_families[] = {fault_rows_gpu, fault_rows_net,
                                                         fault_rows_host, fault_rows_site};

const struct fault_row *
fault_row_at(size_t i)
{
    for (size_t f = 0; f < sizeof fault_families / sizeof fault_families[0]; f++)
        for (const struct fault_row *r = fault_families[f]; r->name != NULL; r++)
            if (i-- == 0)
                return r;
    return NULL;
}

size_t
fault_row_count(void)
{
    size_t n = 0;
    while (fault_row_at(n) != NULL)
        n++;
    return n;
}

const struct fault_row *
fault_row_find(const char *name)
{
    const struct fault_row *r;
    for (size_t i = 0; (r = fault_row_at(i)) != NULL; i++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

/* A rank's entity moves with its job's number, so it is looked up when the fault begins. */
static int64_t
fault_rank_find(struct world *w, const char *name)
{
    char id[32];
    const char *slash = strchr(name, '/');
    snprintf(id, sizeof id, "%.*s", slash == NULL ? 31 : (int)(slash - name), name);
    struct simjob *j = simjob_find(w, id);
    for (uint32_t i = 0; i < w->job_count && (j == NULL || j->state != SIMJOB_RUNNING); i++)
        if (w->jobs[i].state == SIMJOB_RUNNING)
            j = &w->jobs[i];
    return j == NULL ? -1 : j - w->jobs;
}

/* Faults are wanted where a job of several nodes runs: the busiest place shows them. */
static void
fault_pick(struct world *w, const struct fault_row *row, char *out, size_t size)
{
    const struct plan *p = w->plan;
    const struct simjob *j = w->job_count == 0 ? NULL : &w->jobs[0];
    uint32_t node = j == NULL ? rng_below(&w->rng, p->nodes.count)
                              : j->first_node + rng_below(&w->rng, j->nodes);
    const struct plan_node *n = p->nodes.count == 0 ? NULL : &p->nodes.at[node];
    struct plan_end nic = {PLAN_NIC, n == NULL ? 0 : n->first_nic + rng_below(&w->rng, n->nics)},
                    port;
    char name[256];
    *out = 0;
    if (strcmp(row->kind, "rank") == 0 && j != NULL)
        snprintf(out, size, "rank:%s/%u", j->id, rng_below(&w->rng, j->nodes * j->gpus_per_node));
    else if (strcmp(row->kind, "node") == 0 && n != NULL)
        snprintf(out, size, "node:%s", n->name);
    else if (strcmp(row->kind, "gpu") == 0 && n != NULL && n->gpus > 0)
        snprintf(out, size, "gpu:%s/%u", n->name, rng_below(&w->rng, n->gpus));
    else if (strcmp(row->kind, "storage") == 0 && p->storage.count > 0)
        snprintf(out, size, "storage:%s", p->storage.at[0].name);
    else if (n != NULL && n->rack >= 0 && strcmp(row->kind, "pdu") == 0 &&
             p->racks.at[n->rack].pdu >= 0)
        snprintf(out, size, "pdu:%s", p->pdus.at[p->racks.at[n->rack].pdu].name);
    else if (n != NULL && n->rack >= 0 && strcmp(row->kind, "cdu") == 0 &&
             p->racks.at[n->rack].cdu >= 0)
        snprintf(out, size, "cdu:%s", p->cdus.at[p->racks.at[n->rack].cdu].name);
    else if (n != NULL && n->nics > 0 && p->nics.at[nic.i].link >= 0) {
        port = plan_far_end(p, nic);
        uint32_t sw = p->ports.at[port.i].sw;
        if (strcmp(row->name, "spine-down") == 0)
            while (sw + 1 < p->switches.count && strcmp(p->switches.at[sw].role, "spine") != 0)
                sw++;
        if (strcmp(row->kind, "nic") == 0)
            snprintf(out, size, "nic:%s", plan_end_name(p, nic, name, sizeof name));
        else if (strcmp(row->kind, "switch") == 0)
            snprintf(out, size, "switch:%s", p->switches.at[sw].name);
        else
            snprintf(out, size, "%s:%s", row->kind, plan_end_name(p, port, name, sizeof name));
    }
}

static int
fault_resolve(struct world *w, struct fault *f, const char *entity, struct err *err)
{
    const struct fault_row *row = f->row;
    char text[sizeof f->entity];
    const char *colon = entity == NULL ? NULL : strchr(entity, ':'),
               *slash = entity == NULL ? NULL : strchr(entity, '/');
    bool prefixed = colon != NULL && (slash == NULL || colon < slash);
    if (entity == NULL || *entity == 0)
        fault_pick(w, row, text, sizeof text);
    else if (prefixed && strncmp(entity, row->kind, (size_t)(colon - entity)) != 0 &&
             strcmp(row->kind, "optic") != 0 && strcmp(row->kind, "port") != 0)
        return err_set(err, ERR_USAGE, "%s is injected at a %s, not at '%s'", row->name, row->kind,
                       entity);
    else
        snprintf(text, sizeof text, "%s:%s", row->kind, prefixed ? colon + 1 : entity);
    bool rank = strcmp(row->kind, "rank") == 0;
    int64_t i = rank ? fault_rank_find(w, text + 5) : plan_find(w->plan, text);
    if (i < 0)
        return err_set(err, ERR_NOTFOUND, "%s: there is no %s '%s' in this cluster", row->name,
                       row->kind, entity == NULL ? "" : entity);
    size_t len = strlen(text);
    char shorter[sizeof text];
    snprintf(shorter, sizeof shorter, "%.*s", len > 2 ? (int)len - 2 : 0, text);
    if (!rank && strcmp(text + len - 2, "/1") == 0 && plan_find(w->plan, shorter) == i)
        text[len - 2] = 0; /* found under the shorter port name */
    memcpy(f->entity, text, sizeof text);
    f->i = (uint32_t)i;
    return 0;
}

int
fault_add(struct world *w, const char *name, const char *entity, int64_t at_ms, int64_t duration_ms,
          struct err *err)
{
    const struct fault_row *row = fault_row_find(name);
    if (row == NULL)
        return err_set(err, ERR_USAGE, "there is no fault '%s'; --list-faults shows them all",
                       name);
    if (w->fault_count >= WORLD_FAULTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %u faults", WORLD_FAULTS_MAX);
    struct fault f = {.row = row, .at_ms = at_ms};
    f.end_ms = at_ms + (duration_ms > 0 ? duration_ms : (int64_t)row->seconds * 1000);
    int rc = fault_resolve(w, &f, entity, err);
    if (rc < 0)
        return rc;
    w->faults[w->fault_count++] = f;
    return (int)w->fault_count - 1;
}

int
fault_add_text(struct world *w, const char *text, struct err *err)
{
    char copy[512];
    if (str_copy(copy, sizeof copy, text) >= sizeof copy)
        return err_set(err, ERR_USAGE, "this fault is too long: '%s'", text);
    char *at = strchr(copy, '@'), *plus, *entity = NULL;
    int64_t when = w->now_ms, start = 0, duration = 0;
    if (at != NULL) {
        *at++ = 0;
        /* the entity begins behind the first ':' that is not inside a time like 08:00:00 */
        for (char *c = strchr(at, ':'); c != NULL && entity == NULL; c = strchr(c + 1, ':'))
            if (!(c[1] >= '0' && c[1] <= '9' && c[2] >= '0' && c[2] <= '9' &&
                  (c[3] == ':' || c[3] == 'Z' || c[3] == '.')))
                entity = c;
        if (entity != NULL)
            *entity++ = 0;
        plus = strchr(at, '+');
        if (plus != NULL)
            *plus++ = 0;
        if (plus != NULL && (duration_parse(plus, &duration) < 0 || duration <= 0))
            return err_set(err, ERR_USAGE, "'%s' is not a duration, in fault '%s'", plus, text);
        if (duration_parse(at, &start) == 0)
            when = w->cfg.start_ms + start;
        else if (time_parse(at, &when) < 0)
            return err_set(err, ERR_USAGE, "'%s' is neither a duration nor a time, in fault '%s'",
                           at, text);
    }
    return fault_add(w, copy, entity, when, duration, err);
}

static void
fault_end(struct world *w, struct fault *f)
{
    bool active = f->phase == FAULT_ACTIVE;
    f->phase = FAULT_DONE;
    if (active && f->row->end != NULL)
        f->row->end(w, f);
    if (active && w->sink.fault != NULL)
        w->sink.fault(w->sink.ctx, f->row->name, f->entity, false, w->now_ms);
}

int
fault_clear(struct world *w, const char *name, const char *entity)
{
    int n = 0;
    for (uint32_t i = 0; i < w->fault_count; i++) {
        struct fault *f = &w->faults[i];
        if (f->phase == FAULT_DONE || (name != NULL && strcmp(name, f->row->name) != 0) ||
            (entity != NULL && strcmp(entity, f->entity) != 0))
            continue;
        f->end_ms = w->now_ms;
        if (f->phase == FAULT_WAITING)
            f->phase = FAULT_DONE;
        n++;
    }
    return n;
}

int
fault_due(struct world *w, struct fault *f, double seconds)
{
    if (w->now_ms < f->next_ms)
        return 0;
    f->next_ms = w->now_ms + (int64_t)(seconds * 1000);
    return 1;
}

static void
fault_forget(struct world *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->fault_count; i++)
        if (w->faults[i].phase != FAULT_DONE)
            w->faults[kept++] = w->faults[i];
    w->fault_count = kept;
}

void
fault_step(struct world *w, double dt)
{
    bool done = false;
    for (uint32_t i = 0; i < w->fault_count; i++) {
        struct fault *f = &w->faults[i];
        if (f->phase == FAULT_WAITING && w->now_ms >= f->at_ms) {
            f->phase = FAULT_ACTIVE;
            if (strcmp(f->row->kind, "rank") == 0) {
                int64_t j = fault_rank_find(w, f->entity + 5);
                f->i = j < 0 ? 0 : (uint32_t)j;
            }
            if (w->sink.fault != NULL)
                w->sink.fault(w->sink.ctx, f->row->name, f->entity, true, w->now_ms);
            if (f->row->begin != NULL)
                f->row->begin(w, f);
        }
        if (f->phase == FAULT_ACTIVE && w->now_ms >= f->end_ms)
            fault_end(w, f);
        if (f->phase == FAULT_ACTIVE && f->row->apply != NULL)
            f->row->apply(w, f, (double)(w->now_ms - f->at_ms) / (double)(f->end_ms - f->at_ms),
                          dt);
        done = done || f->phase == FAULT_DONE;
    }
    if (done)
        fault_forget(w);
}
