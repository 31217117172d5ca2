/* detect: the turn, and the life of findings: bad for the hold time before a finding begins, good
 * for the clear time before it ends, no data for GONE before it is given up. What is looked for is
 * in detect_table.c. */
#include "analyzer/detect.h"

#include "analyzer/detect_priv.h"
#include "base/jsonw.h"
#include "kb/kb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_TICK_MS     5000 /* a turn of work; more where reading costs more than a tenth of it */
#define DETECT_TICK_MAX_MS 15000
#define DETECT_GONE_MS     600000 /* a finding whose subject is no longer measured ends then */
#define DETECT_FINDINGS    1000000

struct detectors *
detectors_new(const struct analyzer_config *cfg)
{
    struct detectors *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->cfg = cfg;
    d->tick_ms = DETECT_TICK_MS;
    d->names = map_new(8000000);
    d->findings = map_new(DETECT_FINDINGS);
    d->jobs = detect_jobs_new();
    d->peers = detect_peers_new();
    if (!d->names || !d->findings || !d->jobs || !d->peers) {
        detectors_free(d);
        return NULL;
    }
    return d;
}

void
detectors_free(struct detectors *d)
{
    if (!d)
        return;
    detect_columns_done(d);
    map_free(d->findings, free);
    map_free(d->names, NULL);
    detect_jobs_free(d->jobs);
    detect_peers_free(d->peers);
    free(d);
}

/* --- findings --------------------------------------------------------------------------------- */

struct detect_finding *
detect_finding_of(struct detectors *d, const struct detect_row *row, uint32_t subject, bool make)
{
    struct detect_subject *s = &d->kinds[row->kind].at[subject];
    size_t r = (size_t)(row - detect_table);
    uint64_t key = (uint64_t)r << 32 | subject;
    if (s->rows[r / 64] & (uint64_t)1 << r % 64)
        return map_get(d->findings, &key, sizeof key);
    struct detect_finding *f = make ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    f->subject = subject;
    f->row = (uint8_t)r;
    if (map_set(d->findings, &key, sizeof key, f, NULL)) {
        free(f);
        return NULL;
    }
    s->rows[r / 64] |= (uint64_t)1 << r % 64;
    return f;
}

static void
detect_forget(struct detectors *d, const struct detect_row *row, struct detect_finding *f)
{
    size_t r = (size_t)(row - detect_table);
    uint64_t key = (uint64_t)r << 32 | f->subject;
    d->kinds[row->kind].at[f->subject].rows[r / 64] &= ~((uint64_t)1 << r % 64);
    map_remove(d->findings, &key, sizeof key);
    free(f);
}

const char *
detect_job_of(struct detectors *d, const struct detect_subject *s, const char **ret_tenant)
{
    const char *name = s->name;
    topo_id id = topo_find(d->topo, name);
    if (entity_kind_of(name) == ENTITY_JOB)
        name += 4;
    else {
        if (s->owner != DETECT_NONE)
            id = topo_find(d->topo, d->kinds[s->owner_kind].at[s->owner].name);
        id = id != TOPO_NONE && topo_kind(d->topo, id) == ENTITY_NODE
                 ? topo_neighbour(d->topo, id, ENTITY_JOB)
                 : TOPO_NONE;
        name = id == TOPO_NONE ? "" : topo_name(d->topo, id) + 4;
    }
    const struct topo_job *j = *name ? topo_job_find(d->topo, name) : NULL;
    if (j && j->tenant)
        *ret_tenant = j->tenant;
    return name;
}

void
detect_emit(struct detectors *d, const struct detect_row *row, const struct detect_subject *s,
            enum event_phase phase, int64_t t_ms, const char *code, const char *text)
{
    const struct kb_entry *e = kb_find_code(d->cfg->kb, code);
    const char *tenant = "", *node = "";
    (void)row;
    if (s->owner != DETECT_NONE)
        node = d->kinds[s->owner_kind].at[s->owner].name;
    else if (entity_kind_of(s->name) == ENTITY_NODE || entity_kind_of(s->name) == ENTITY_SWITCH)
        node = s->name;
    struct event ev = {.time_ms = t_ms,
                       .phase = phase,
                       .severity = e ? e->severity : SEVERITY_WARNING,
                       .entity = s->name,
                       .code = code,
                       .source = "detector",
                       .text = text,
                       .node = *node ? strchr(node, ':') + 1 : "",
                       .job = detect_job_of(d, s, &tenant),
                       .fields = ""};
    ev.tenant = tenant;
    d->emit(d->emit_ctx, &ev);
    d->emitted++;
}

static void
detect_text(const struct detect_row *row, const struct detect_verdict *v, char *out, size_t size)
{
    static const char *const bad[] = {">", "<", "="}, *const good[] = {"<=", ">=", "is not"};
    const char *unit = row->unit ? row->unit : "", *note = row->note ? row->note : "";
    if (v->text && v->bad)
        snprintf(out, size, "%s", v->text);
    else if (v->text)
        snprintf(out, size, "over: %s", row->what);
    else
        snprintf(out, size, "%s %.4g%s%s %s %.4g%s%s%s%s%s", row->what, v->value, *unit ? " " : "",
                 unit, v->bad ? bad[row->op] : good[row->op], v->limit, *unit ? " " : "", unit,
                 *note ? " (" : "", note, *note ? ")" : "");
}

void
detect_judge(struct detectors *d, const struct detect_row *row, uint32_t subject,
             const struct detect_verdict *v)
{
    char text[512];
    struct detect_finding *f = detect_finding_of(d, row, subject, v->bad);
    if (!f)
        return;
    f->last_ms = v->t_ms > f->last_ms ? v->t_ms : f->last_ms;
    if (v->bad) {
        f->good_ms = 0;
        f->bad_ms = f->bad_ms ? f->bad_ms : v->t_ms;
        if (f->begun || v->t_ms - f->bad_ms < row->hold_ms)
            return;
        f->begun = true;
        detect_text(row, v, text, sizeof text);
        detect_emit(d, row, &d->kinds[row->kind].at[subject], EVENT_BEGIN, f->bad_ms, row->code,
                    text);
        return;
    }
    f->good_ms = f->good_ms ? f->good_ms : v->t_ms;
    if (!f->begun) {
        f->bad_ms = 0;
        if (v->t_ms - f->good_ms >= row->clear_ms && v->t_ms - f->bucket_ms >= row->window_ms)
            detect_forget(d, row, f);
        return;
    }
    if (v->t_ms - f->good_ms < row->clear_ms)
        return;
    detect_text(row, v, text, sizeof text);
    detect_emit(d, row, &d->kinds[row->kind].at[subject], EVENT_END, f->good_ms, row->code, text);
    detect_forget(d, row, f);
}

/* Findings of what is no longer measured, and of jobs that are gone. */
static void
detect_sweep(struct detectors *d)
{
    struct detect_finding *gone[256];
    size_t pos = 0, n = 0;
    void *value;
    while (n < 256 && map_next(d->findings, &pos, NULL, &value)) {
        struct detect_finding *f = value;
        const struct detect_row *row = &detect_table[f->row];
        if (d->now_ms - (f->last_ms ? f->last_ms : d->now_ms) > DETECT_GONE_MS + row->window_ms)
            gone[n++] = f;
    }
    for (size_t i = 0; i < n; i++) {
        const struct detect_row *row = &detect_table[gone[i]->row];
        if (gone[i]->begun)
            detect_emit(d, row, &d->kinds[row->kind].at[gone[i]->subject], EVENT_END, d->now_ms,
                        row->code, "over: it is no longer measured");
        detect_forget(d, row, gone[i]);
    }
}

/* --- the turn --------------------------------------------------------------------------------- */

int
detectors_turn(struct detectors *d, struct topo *t, struct presence *p, int64_t now_ms,
               void (*emit)(void *ctx, const struct event *ev), void *ctx)
{
    if (now_ms >= d->last_ms && now_ms - d->last_ms < d->tick_ms)
        return 0;
    int64_t began_us = clock_mono_us();
    d->topo = t;
    d->presence = p;
    d->now_ms = now_ms;
    d->last_ms = now_ms;
    d->started_ms = d->started_ms ? d->started_ms : now_ms;
    d->emit = emit;
    d->emit_ctx = ctx;
    d->emitted = 0;
    for (size_t i = 0; i < detect_table_size; i++) {
        const struct detect_row *row = &detect_table[i];
        if (row->every_ms && now_ms >= d->ran_ms[i] && now_ms - d->ran_ms[i] < row->every_ms)
            continue;
        d->ran_ms[i] = now_ms;
        row->rule(d, row);
    }
    detect_sweep(d);
    int64_t cost_ms = (clock_mono_us() - began_us) / 1000;
    d->tick_ms = cost_ms * 10 < DETECT_TICK_MS       ? DETECT_TICK_MS
                 : cost_ms * 10 > DETECT_TICK_MAX_MS ? DETECT_TICK_MAX_MS
                                                     : cost_ms * 10;
    d->topo = NULL;
    return d->emitted;
}

void
detectors_resume(struct detectors *d, const struct event *ev)
{
    for (size_t i = 0; i < detect_table_size; i++) {
        const struct detect_row *row = &detect_table[i];
        if (strcmp(row->code, ev->code) || entity_kind_of(ev->entity) != row->kind)
            continue;
        struct topo *t = d->topo;
        d->topo = t ? t : topo_get(d->cfg->store);
        uint32_t s = detect_subject_of(d, ev->entity);
        struct detect_finding *f =
            s == DETECT_NONE ? NULL : detect_finding_of(d, row, s, ev->phase == EVENT_BEGIN);
        if (!t)
            topo_put(d->topo);
        d->topo = t;
        if (f && ev->phase == EVENT_END) {
            detect_forget(d, row, f);
        } else if (f) {
            f->begun = f->resumed = true;
            f->bad_ms = f->last_ms = ev->time_ms;
        }
        return;
    }
}

void
detectors_event(struct detectors *d, const struct event *ev)
{
    if (ev->phase == EVENT_END || strcmp(ev->code, "port.link-down-log"))
        return;
    for (size_t i = 0; i < detect_table_size; i++) {
        uint32_t s = strcmp(detect_table[i].code, "port.flap") ? DETECT_NONE
                                                               : detect_subject_find(d, ev->entity);
        struct detect_finding *f =
            s == DETECT_NONE ? NULL : detect_finding_of(d, &detect_table[i], s, true);
        if (!f)
            continue;
        f->grown[f->bucket] += 2; /* down, and up again before the next sample */
        f->told = true;
    }
}

void
detectors_table_json(struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    for (size_t i = 0; i < detect_table_size; i++) {
        const struct detect_row *r = &detect_table[i];
        jsonw_object(&w);
        jsonw_kstr(&w, "code", r->code);
        jsonw_kstr(&w, "scope", entity_kind_row(r->kind)->word);
        jsonw_kstr(&w, "measure", r->meaning ? metric_meaning_row(r->meaning)->word : NULL);
        jsonw_kint(&w, "hold_ms", r->hold_ms);
        jsonw_kint(&w, "clear_ms", r->clear_ms);
        jsonw_kstr(&w, "help", r->help);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
}
