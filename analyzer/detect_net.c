/* detect_net: links of adapters and ports: down, flapping, slower than planned, loaded unevenly.
 *
 * A port or adapter counts when the plan cables it, or when the plan knows nothing of its device
 * and it was seen up; so tests on spare ports raise nothing. */
#include "analyzer/detect_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_UPLINKS 512
#define DETECT_BUSY    0.3 /* of the rate, mean of the uplinks: below, an imbalance hurts nobody */

/* The entity that is cabled: itself, or the port or adapter that holds a module. */
static topo_id
detect_end_of(struct detectors *d, enum entity_kind k, uint32_t s)
{
    topo_id id = detect_topo(d, k, s);
    if (id == TOPO_NONE || k != ENTITY_OPTIC)
        return id;
    topo_id end = topo_neighbour(d->topo, id, ENTITY_PORT);
    return end == TOPO_NONE ? topo_neighbour(d->topo, id, ENTITY_NIC) : end;
}

/* The other end of an end's link, TOPO_NONE: not cabled. */
topo_id
detect_far(const struct topo *t, topo_id end)
{
    topo_id link = topo_neighbour(t, end, ENTITY_LINK);
    size_t n = 0;
    const struct topo_edge *e = link == TOPO_NONE ? NULL : topo_edges(t, link, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].to != end &&
            (topo_kind(t, e[i].to) == ENTITY_PORT || topo_kind(t, e[i].to) == ENTITY_NIC))
            return e[i].to;
    return TOPO_NONE;
}

bool
detect_cabled(struct detectors *d, enum entity_kind k, uint32_t s)
{
    topo_id end = detect_end_of(d, k, s);
    return end != TOPO_NONE && topo_neighbour(d->topo, end, ENTITY_LINK) != TOPO_NONE;
}

/* Does the plan cable anything of this device? Then what it does not cable is spare. */
static bool
detect_planned(struct detectors *d, const struct detect_subject *s)
{
    topo_id owner = s->owner == DETECT_NONE
                        ? TOPO_NONE
                        : topo_find(d->topo, d->kinds[s->owner_kind].at[s->owner].name);
    size_t n;
    const struct topo_edge *e = owner == TOPO_NONE ? NULL : topo_edges(d->topo, owner, &n);
    for (size_t i = 0; e && i < n; i++)
        if ((topo_kind(d->topo, e[i].to) == ENTITY_PORT ||
             topo_kind(d->topo, e[i].to) == ENTITY_NIC) &&
            topo_neighbour(d->topo, e[i].to, ENTITY_LINK) != TOPO_NONE)
            return true;
    return false;
}

static bool
detect_counts(struct detectors *d, enum entity_kind k, uint32_t i)
{
    struct detect_subject *s = &d->kinds[k].at[i];
    return detect_cabled(d, k, i) || (s->was_up && !detect_planned(d, s));
}

/* A module counts where its port is enabled, or where nothing says that it is not. */
bool
detect_admin_up(struct detectors *d, const char *optic)
{
    char port[ENTITY_SIZE];
    struct entity e;
    const struct detect_column *admin = detect_read(d, METRIC_PORT_ADMIN);
    if (entity_parse(optic, &e, NULL) ||
        snprintf(port, sizeof port, "port:%s", e.name) >= (int)sizeof port)
        return true;
    uint32_t s = detect_subject_find(d, port);
    double v = s == DETECT_NONE ? NAN : detect_v(admin, s);
    return isnan(v) || v == 1;
}

void
detect_rule_link(struct detectors *d, const struct detect_row *row)
{
    bool port = row->kind == ENTITY_PORT;
    const struct detect_column *c = detect_read(d, row->meaning);
    const struct detect_column *admin = port ? detect_read(d, METRIC_PORT_ADMIN) : NULL;
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        bool down = port ? c->v[i] != 1 : c->v[i] < 1;
        double a = admin ? detect_v(admin, i) : NAN;
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        bool bad = down && (isnan(a) || a == 1) && detect_counts(d, row->kind, i);
        struct detect_verdict v = {
            .bad = bad, .t_ms = c->t_ms[i], .value = c->v[i], .limit = 1, .text = row->note};
        s->was_up |= !down;
        detect_judge(d, row, i, &v);
    }
}

/* Changes of the operational state seen within the window, by sampling. */
void
detect_rule_flap(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        double before = s->memory[0];
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        s->memory[0] = c->v[i];
        bool changed = !isnan(before) && before != c->v[i] && detect_counts(d, row->kind, i);
        struct detect_finding *f = detect_finding_of(d, row, i, changed);
        if (!f)
            continue;
        double n = 0;
        if (f->told && detect_counts(d, row->kind, i))
            changed = true;
        else if (f->told)
            memset(f->grown, 0, sizeof f->grown);
        bool sampled = changed && !f->told;
        f->told = false;
        while (c->t_ms[i] - f->bucket_ms >= row->window_ms / DETECT_BUCKETS) {
            f->bucket_ms = f->bucket_ms && c->t_ms[i] - f->bucket_ms < row->window_ms
                               ? f->bucket_ms + row->window_ms / DETECT_BUCKETS
                               : c->t_ms[i];
            f->bucket = (f->bucket + 1) % DETECT_BUCKETS;
            f->grown[f->bucket] = 0;
        }
        f->grown[f->bucket] += sampled;
        for (size_t k = 0; k < DETECT_BUCKETS; k++)
            n += f->grown[k];
        struct detect_verdict v = {.bad = n >= row->limit && changed,
                                   .t_ms = c->t_ms[i],
                                   .value = n,
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "%.0f changes of state in 10 min >= %.0f", n, row->limit);
        detect_judge(d, row, i, &v);
    }
}

/* A link that came up slower than the others of its node on the same plane. */
void
detect_rule_slow_nic(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        topo_id id = c->fresh[i] && c->v[i] > 0 ? detect_topo(d, ENTITY_NIC, i) : TOPO_NONE;
        topo_id link = id == TOPO_NONE ? TOPO_NONE : topo_neighbour(d->topo, id, ENTITY_LINK);
        const char *gbps = link == TOPO_NONE ? "" : topo_attr(d->topo, link, "gbps");
        double planned = strtod(gbps, NULL) * 1e9 / 8;
        if (!(planned > 0))
            continue;
        struct detect_verdict v = {.bad = c->v[i] < planned * row->limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = planned,
                                   .text = text};
        snprintf(text, sizeof text, "link rate %.0f Gb/s < %.0f Gb/s (planned)", c->v[i] * 8e-9,
                 planned * 8e-9);
        detect_judge(d, row, i, &v);
    }
}

/* --- loads of a switch's ports ---------------------------------------------------------------- */

struct detect_uplinks {
    double share[DETECT_UPLINKS];
    const char *name[DETECT_UPLINKS];
    size_t count;
    int64_t t_ms;
};

/* Share of its rate that each port towards another switch sends. */
static void
detect_uplinks_of(struct detectors *d, topo_id sw, struct detect_uplinks *u)
{
    const struct detect_column *tx = detect_read(d, METRIC_PORT_TX_BYTES),
                               *speed = detect_read(d, METRIC_PORT_SPEED);
    const struct detect_column *oper = detect_read(d, METRIC_PORT_OPER);
    size_t n;
    const struct topo_edge *e = topo_edges(d->topo, sw, &n);
    for (size_t i = 0; i < n && u->count < DETECT_UPLINKS; i++) {
        if (topo_kind(d->topo, e[i].to) != ENTITY_PORT)
            continue;
        uint32_t s = detect_subject_find(d, topo_name(d->topo, e[i].to));
        if (s == DETECT_NONE || s >= tx->count || isnan(tx->rate[s]) || detect_v(oper, s) != 1 ||
            !(detect_v(speed, s) > 0) || detect_far(d->topo, e[i].to) == TOPO_NONE ||
            topo_kind(d->topo, detect_far(d->topo, e[i].to)) != ENTITY_PORT)
            continue;
        u->name[u->count] = topo_name(d->topo, e[i].to);
        u->share[u->count++] = tx->rate[s] * 8e-6 / detect_v(speed, s);
        u->t_ms = tx->t_ms[s];
    }
}

void
detect_rule_ecmp(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *up = detect_read(d, METRIC_SWITCH_UPTIME);
    struct detect_uplinks *u = malloc(sizeof *u);
    char text[256];
    for (uint32_t i = 0; u && i < d->kinds[ENTITY_SWITCH].count; i++) {
        topo_id sw = detect_topo(d, ENTITY_SWITCH, i);
        u->count = 0;
        if (sw == TOPO_NONE || !strcmp(topo_attr(d->topo, sw, "role"), "spine"))
            continue;
        detect_uplinks_of(d, sw, u);
        size_t most = 0, least = 0;
        double mean = 0;
        for (size_t k = 0; k < u->count; k++) {
            mean += u->share[k] / (double)u->count;
            most = u->share[k] > u->share[most] ? k : most;
            least = u->share[k] < u->share[least] ? k : least;
        }
        if (u->count < 4)
            continue;
        struct detect_verdict v = {.bad = mean > DETECT_BUSY &&
                                          u->share[most] > mean * row->limit &&
                                          u->share[least] < mean / row->limit,
                                   .t_ms = u->t_ms,
                                   .value = u->share[most] / mean,
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "uplink %s carries %.0f %%, %s %.0f %% (mean %.0f %%)",
                 u->name[most], u->share[most] * 100, u->name[least], u->share[least] * 100,
                 mean * 100);
        detect_judge(d, row, i, &v);
    }
    free(u);
    (void)up;
}

/* A port that sends at its rate and marks far more than is usual, while it drops or pauses. */
void
detect_rule_incast(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *tx = detect_read(d, METRIC_PORT_TX_BYTES),
                               *speed = detect_read(d, METRIC_PORT_SPEED);
    const struct detect_column *ecn = detect_read(d, METRIC_PORT_ECN);
    char text[160];
    for (uint32_t i = 0; i < ecn->count; i++) {
        if (!ecn->fresh[i] || isnan(ecn->rate[i]) || i >= tx->count || isnan(tx->rate[i]) ||
            !(detect_v(speed, i) > 0))
            continue;
        double share = tx->rate[i] * 8e-6 / detect_v(speed, i);
        struct detect_verdict v = {.bad = share > 0.9 && ecn->rate[i] > row->limit,
                                   .t_ms = ecn->t_ms[i],
                                   .value = ecn->rate[i],
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "%.0f packets/s marked at %.0f %% of the rate", ecn->rate[i],
                 share * 100);
        detect_judge(d, row, i, &v);
    }
}
