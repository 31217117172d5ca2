/* detect_absence: who has fallen silent, and what that means. Silence alone says nothing of health:
 * a node is absent when its links are down or nothing can vouch for it, and only its telemetry is
 * lost where the switch sees its links up or the job on it goes on. When half of everything is
 * silent at once the observer is at fault, and nothing is said of anybody but those whose far ends
 * have been read since and say that the links are down: a room that lost its power. */
#include "analyzer/detect_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_SILENT_MS 40000 /* at the least: two missed intervals of 15 s and a late third */
#define DETECT_WAIT_MS   60000 /* longest wait for somebody else's word on a silent one */
#define DETECT_ENDS      1024

static int64_t
detect_silent_after(const struct detect_subject *s)
{
    int64_t usual = s->gap_ms * 5 / 2 + 10000;
    return usual > DETECT_SILENT_MS ? usual : DETECT_SILENT_MS;
}

static bool
detect_silent(const struct detectors *d, const struct detect_subject *s)
{
    return s->seen_ms && d->now_ms - s->seen_ms > detect_silent_after(s);
}

/* More than half of the kind silent (of four and more): it is us. */
static bool
detect_all_silent(const struct detectors *d, enum entity_kind k)
{
    size_t silent = 0, known = 0;
    for (size_t i = 0; i < d->kinds[k].count; i++) {
        known += d->kinds[k].at[i].seen_ms != 0;
        silent += detect_silent(d, &d->kinds[k].at[i]);
    }
    return known >= 4 && silent * 2 > known;
}

enum detect_word { DETECT_UNSAID, DETECT_ALIVE, DETECT_DEAD };

/* What the far ends of a device's links say since it fell silent. One link up: it lives; all that
 * speak down: it does not. */
static enum detect_word
detect_far_word(struct detectors *d, const struct detect_subject *s, enum entity_kind part)
{
    const struct detect_column *oper = detect_read(d, METRIC_PORT_OPER),
                               *nic = detect_read(d, METRIC_NIC_STATE);
    topo_id id = topo_find(d->topo, s->name);
    size_t n = 0, up = 0, down = 0;
    const struct topo_edge *e = id == TOPO_NONE ? NULL : topo_edges(d->topo, id, &n);
    for (size_t i = 0; i < n; i++) {
        topo_id far =
            topo_kind(d->topo, e[i].to) == part ? detect_far(d->topo, e[i].to) : TOPO_NONE;
        uint32_t f =
            far == TOPO_NONE ? DETECT_NONE : detect_subject_find(d, topo_name(d->topo, far));
        if (f == DETECT_NONE)
            continue;
        bool port = topo_kind(d->topo, far) == ENTITY_PORT;
        const struct detect_column *c = port ? oper : nic;
        if (f >= c->count || isnan(c->v[f]) || c->t_ms[f] < s->seen_ms + 10000)
            continue;
        bool is_up = port ? c->v[f] == 1 : c->v[f] >= 1;
        up += is_up;
        down += !is_up;
    }
    return up > down ? DETECT_ALIVE : down ? DETECT_DEAD : DETECT_UNSAID;
}

/* A job of the node that still finishes steps vouches for it. */
static bool
detect_job_lives(struct detectors *d, const struct detect_subject *s)
{
    topo_id id = topo_find(d->topo, s->name);
    topo_id job = id == TOPO_NONE ? TOPO_NONE : topo_neighbour(d->topo, id, ENTITY_JOB);
    const struct detect_column *step = detect_read(d, METRIC_JOB_STEP);
    uint32_t j = job == TOPO_NONE ? DETECT_NONE : detect_subject_find(d, topo_name(d->topo, job));
    return j != DETECT_NONE && j < step->count && step->t_ms[j] > s->seen_ms + 20000 &&
           detect_far_word(d, s, ENTITY_NIC) != DETECT_DEAD;
}

static void
detect_say_silent(struct detectors *d, const struct detect_row *row, uint32_t i, bool bad,
                  const char *why)
{
    const struct detect_subject *s = &d->kinds[row->kind].at[i];
    char text[256];
    struct detect_verdict v = {.bad = bad, .t_ms = d->now_ms, .value = 0, .limit = 0, .text = text};
    if (!bad && !detect_finding_of(d, row, i, false))
        return;
    snprintf(text, sizeof text, "no telemetry for %.0f s > %.0f s, %s",
             (double)(d->now_ms - s->seen_ms) / 1000, (double)detect_silent_after(s) / 1000, why);
    struct detect_finding *f = bad ? detect_finding_of(d, row, i, true) : NULL;
    if (f && !f->bad_ms)
        f->bad_ms =
            s->seen_ms + (s->gap_ms ? s->gap_ms / 2 : 1000); /* it fell silent then, not now */
    detect_judge(d, row, i, &v);
}

void
detect_rule_node_absent(struct detectors *d, const struct detect_row *row)
{
    detect_read(d, row->meaning);
    detect_read(d, METRIC_NODE_BOOT_TIME);
    detect_read(d, METRIC_GPU_TEMP);
    bool us = detect_all_silent(d, ENTITY_NODE);
    for (uint32_t i = 0; i < d->kinds[ENTITY_NODE].count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_NODE].at[i];
        if (!s->seen_ms)
            continue;
        if (!detect_silent(d, s)) {
            detect_say_silent(d, row, i, false, "");
            continue;
        }
        enum detect_word w = detect_far_word(d, s, ENTITY_NIC);
        bool waited = d->now_ms - s->seen_ms > detect_silent_after(s) + DETECT_WAIT_MS;
        bool alone = d->kinds[ENTITY_NODE].count < 2;
        if (alone || w == DETECT_ALIVE || (us && w != DETECT_DEAD) ||
            (w == DETECT_UNSAID && (!waited || detect_job_lives(d, s))))
            continue;
        detect_say_silent(d, row, i, true,
                          w == DETECT_DEAD ? "and its links are down" : "and nothing else sees it");
    }
}

/* A node that was told absent and whose links come up again is starting: no word on its agent until
 * it speaks. */
static bool
detect_told_absent(struct detectors *d, uint32_t node)
{
    const struct detect_row *absent = detect_table;
    while (strcmp(absent->code, "node.absent"))
        absent++;
    const struct detect_finding *f = detect_finding_of(d, absent, node, false);
    return f && f->begun;
}

void
detect_rule_agent_lost(struct detectors *d, const struct detect_row *row)
{
    bool us = detect_all_silent(d, ENTITY_NODE);
    for (uint32_t i = 0; i < d->kinds[ENTITY_NODE].count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_NODE].at[i];
        if (!s->seen_ms)
            continue;
        if (!detect_silent(d, s)) {
            detect_say_silent(d, row, i, false, "");
            continue;
        }
        if (detect_told_absent(d, i))
            continue;
        bool alive =
            !us && (detect_far_word(d, s, ENTITY_NIC) == DETECT_ALIVE || detect_job_lives(d, s));
        if (alive || (!us && d->kinds[ENTITY_NODE].count < 2))
            detect_say_silent(d, row, i, true,
                              alive ? "but its links are up: only its telemetry is lost"
                                    : "its agent is silent");
    }
}

/* The node speaks, the accelerator does not. */
void
detect_rule_gpu_absent(struct detectors *d, const struct detect_row *row)
{
    detect_read(d, row->meaning);
    for (uint32_t i = 0; i < d->kinds[ENTITY_GPU].count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_GPU].at[i];
        const struct detect_subject *node =
            s->owner == DETECT_NONE ? NULL : &d->kinds[s->owner_kind].at[s->owner];
        if (!s->seen_ms || !node)
            continue;
        bool silent =
            d->now_ms - s->seen_ms > detect_silent_after(s) && node->seen_ms - s->seen_ms > 20000;
        if (silent && detect_silent(d, node))
            continue; /* nothing can be said of it */
        detect_say_silent(d, row, i, silent, "while its node reports");
    }
}

void
detect_rule_switch_absent(struct detectors *d, const struct detect_row *row)
{
    detect_read(d, row->meaning);
    detect_read(d, METRIC_PORT_OPER);
    for (uint32_t i = 0; i < d->kinds[ENTITY_SWITCH].count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_SWITCH].at[i];
        if (!s->seen_ms)
            continue;
        if (!detect_silent(d, s)) {
            detect_say_silent(d, row, i, false, "");
            continue;
        }
        if (detect_far_word(d, s, ENTITY_PORT) == DETECT_DEAD)
            detect_say_silent(d, row, i, true, "and the links to it are down");
    }
}

/* The boot time jumped forward; over when it has stayed up for a minute. */
void
detect_rule_rebooted(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128], at[TIME_TEXT_SIZE];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        double before = s->memory[0], now = c->v[i];
        if (!c->fresh[i] || isnan(now))
            continue;
        bool jumped = !isnan(before) && now - before > row->limit;
        struct detect_verdict v = {
            .bad = jumped, .t_ms = c->t_ms[i], .value = now, .limit = before, .text = text};
        snprintf(text, sizeof text, "boot time moved to %s, %.0f s later than before",
                 time_format((int64_t)(now * 1000), at), now - before);
        s->memory[0] = now;
        detect_judge(d, row, i, &v);
    }
}

/* The uptime of a switch started again (a counter of hundredths that wraps after 497 days is no
 * restart). */
void
detect_rule_restarted(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        double before = s->memory[0], now = c->v[i];
        if (!c->fresh[i] || isnan(now))
            continue;
        bool again = !isnan(before) && now < before && before < 4.2e9;
        struct detect_verdict v = {
            .bad = again, .t_ms = c->t_ms[i], .value = now, .limit = before, .text = text};
        snprintf(text, sizeof text, "uptime fell from %.0f s to %.0f s", before / 100, now / 100);
        s->memory[0] = now;
        detect_judge(d, row, i, &v);
    }
}

/* Power nearly gone against its own past. */
void
detect_rule_rack_power(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        if (isnan(s->memory[0]))
            s->memory[0] = c->v[i];
        double usual = s->memory[0];
        bool bad = usual > 1000 && c->v[i] < usual * row->limit;
        if (!bad)
            s->memory[0] += (c->v[i] - usual) * 0.05;
        struct detect_verdict v = {.bad = bad,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = usual * row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "rack power %.0f W < %.0f W (usual %.0f W)", c->v[i],
                 usual * row->limit, usual);
        detect_judge(d, row, i, &v);
    }
}
