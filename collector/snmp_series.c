/* snmp_series: a poll as series. node and instance are the target's name, ifName and ifDescr as the
 * equipment gives them; of modules port is the ifName; parts of the switch have a name as sensor.
 *
 * Always true: `was` holds every series of a target that is alive in the store, eight bytes each.
 * One that a whole poll does not bring again, that bears another name now, or whose switch is
 * silent, ends with a stale marker. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/snmp_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_CELLS_MAX   65536u
#define SNMP_LOOKBACK_MS 300000 /* series older than this are not alive for anybody */
#define SNMP_ADOPTED_MAX 100000u
#define SNMP_CHUNK       4096u /* samples of one batch */
#define SNMP_OPTICS      5u

static void
snmp_series_sample(struct snmp_target *t, const struct labels *l, double v)
{
    struct sample s = {t->at_ms, v};
    if (!t->batch)
        return;
    if (store_batch_samples(t->batch, l, &s, 1) >= 0)
        t->written++;
    if (t->written < SNMP_CHUNK)
        return;
    inlet_submit(t->inlet, t->batch, t->written);
    t->written = 0;
    t->batch = store_batch_new(t->s->env.store);
}

static void
snmp_series_switch(struct labels *l, const char *name, const char *metric)
{
    l->count = 0;
    labels_add_str(l, "__name__", metric);
    labels_add_str(l, "instance", name);
    labels_add_str(l, "node", name);
}

/* A cell's labels; number holds its lane or priority, or its queue and what is counted of it. False
 * when there is no such name. */
static bool
snmp_series_labels(const struct snmp_target *t, struct snmp_cell c, struct labels *l,
                   char number[8])
{
    const char *name = c.name < t->name_count ? t->names[c.name].name : "",
               *descr = c.name < t->name_count ? t->names[c.name].descr : "";
    snmp_series_switch(l, t->conf->name, snmp_metric_name(c.metric));
    bool queue = c.metric == SNMP_QUEUE_DROPS;
    int n = snprintf(number, 8, "%u", queue ? c.lane & 255u : c.lane);
    snprintf(number + n + 1, (size_t)(8 - n - 1), "%u", (unsigned)c.lane >> 8);
    if (snmp_metric_optic(c.metric)) {
        labels_add_str(l, "port", name);
        if (snmp_metric_laned(c.metric))
            labels_add_str(l, "lane", number);
    } else if (c.metric >= SNMP_SWITCH_CPU) {
        labels_add_str(l, "sensor", name);
    } else if (c.name != SNMP_NO_NAME) {
        labels_add_str(l, "ifName", name);
        labels_add_str(l, "ifDescr", descr);
        if (c.metric == SNMP_PFC_RX || c.metric == SNMP_PFC_TX || queue)
            labels_add_str(l, queue ? "queue" : "priority", number);
        if (queue)
            labels_add_str(l, "type", number + n + 1);
    }
    return !labels_finish(l);
}

static void
snmp_series_write(struct snmp_target *t, struct snmp_cell c, double v)
{
    struct labels l;
    char number[8];
    if (snmp_series_labels(t, c, &l, number))
        snmp_series_sample(t, &l, v);
}

/* --- which are alive ----------------------------------------------------------------------------
 */

static bool
snmp_cells_add(struct snmp_cells *s, struct snmp_cell c)
{
    if (s->count == s->room) {
        size_t more = s->room ? 2 * s->room : 64;
        void *p = more > SNMP_CELLS_MAX ? NULL : realloc(s->at, more * sizeof *s->at);
        if (!p)
            return false;
        s->at = p;
        s->room = more;
    }
    s->at[s->count++] = c;
    return true;
}

static int
snmp_cells_compare(const void *a, const void *b)
{
    const struct snmp_cell *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->metric != y->metric)
        return x->metric < y->metric ? -1 : 1;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

static bool
snmp_cells_have(const struct snmp_cells *s, const struct snmp_cell *c)
{
    return s->count && bsearch(c, s->at, s->count, sizeof *s->at, snmp_cells_compare);
}

static void
snmp_cells_sort(struct snmp_cells *s)
{
    bool sorted = true;
    for (size_t i = 1; sorted && i < s->count; i++)
        sorted = snmp_cells_compare(&s->at[i - 1], &s->at[i]) < 0;
    if (!sorted && s->count)
        qsort(s->at, s->count, sizeof *s->at, snmp_cells_compare);
}

static bool
snmp_cells_same(const struct snmp_cells *a, const struct snmp_cells *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->at, b->at, a->count * sizeof *a->at));
}

static void
snmp_cells_trim(struct snmp_cells *s)
{
    void *p = s->count ? realloc(s->at, s->count * sizeof *s->at) : NULL;
    if (p) {
        s->at = p;
        s->room = s->count;
    }
}

/* Of a whole reading, what was and is no more ends; of a broken one all stay, and new ones come. */
static void
snmp_cells_turn(struct snmp_target *t, enum snmp_period p, bool whole)
{
    struct snmp_cells *was = &t->was[p], *now = &t->now[p];
    snmp_cells_sort(now);
    if (!snmp_cells_same(was, now)) {
        size_t sorted = now->count;
        for (size_t i = 0; i < was->count; i++) {
            const struct snmp_cells read = {now->at, sorted, 0};
            if (snmp_cells_have(&read, &was->at[i]))
                continue;
            if (whole)
                snmp_series_write(t, was->at[i], sample_stale());
            else if (!snmp_cells_add(now, was->at[i]))
                break;
        }
        snmp_cells_sort(now);
        struct snmp_cells other = *was;
        *was = *now;
        *now = other;
        snmp_cells_trim(was);
    }
    free(now->at); /* between polls there is one list, not two */
    *now = (struct snmp_cells){0};
}

static void
snmp_cells_stale(struct snmp_target *t)
{
    for (int p = 0; p < SNMP_PERIODS; p++) {
        for (size_t i = 0; i < t->was[p].count; i++)
            snmp_series_write(t, t->was[p].at[i], sample_stale());
        t->was[p].count = t->now[p].count = 0;
    }
}

/* --- values -------------------------------------------------------------------------------------
 */

void
snmp_series_put(struct snmp_target *t, enum snmp_period p, struct snmp_cell c, double v)
{
    if (snmp_cells_add(&t->now[p], c))
        snmp_series_write(t, c, v);
}

/* Of a module: nothing from a port that is switched off or has none, and of each lane the first. */
void
snmp_series_optic(struct snmp_target *t, enum snmp_period p, struct snmp_cell c, double v,
                  struct snmp_port *port)
{
    enum { DOWN = 2, NOT_PRESENT = 6 };
    unsigned of = c.metric - SNMP_RX_POWER;
    bool limit = of % SNMP_OPTICS != SNMP_VALUE;
    if (port && (port->oper == NOT_PRESENT || (port->admin == DOWN && !limit)))
        return;
    if (port && !limit) {
        uint16_t bit = (uint16_t)(1u << (c.lane & 15));
        if (port->seen[of / SNMP_OPTICS] & bit)
            return;
        port->seen[of / SNMP_OPTICS] |= bit;
    }
    snmp_series_put(t, p, c, v);
}

void
snmp_series_neighbour(struct snmp_target *t, const struct snmp_neighbour *n, double v)
{
    struct labels l;
    if (n->name >= t->name_count)
        return;
    snmp_series_switch(&l, t->conf->name, "lldp_neighbor_info");
    labels_add_str(&l, "ifName", t->names[n->name].name);
    labels_add_str(&l, "ifDescr", t->names[n->name].descr);
    labels_add_str(&l, "peer", n->system);
    labels_add_str(&l, "peer_port", n->id);
    labels_add_str(&l, "peer_descr", n->descr);
    labels_add_str(&l, "chassis", n->chassis);
    if (!labels_finish(&l))
        snmp_series_sample(t, &l, v);
}

/* --- a poll -------------------------------------------------------------------------------------
 */

void
snmp_series_open(struct snmp_target *t)
{
    t->batch = store_batch_new(t->s->env.store);
    t->written = 0;
    for (size_t i = 0; t->due[SNMP_SENSORS] && i < t->port_count; i++)
        memset(t->ports[i].seen, 0, sizeof t->ports[i].seen);
    for (int p = 0; p < SNMP_PERIODS; p++)
        t->now[p].count = 0;
}

/* After a start: series of this switch that an earlier run wrote and this one did not end too. */
static void
snmp_series_inherit(struct snmp_target *t)
{
    struct matcher m[] = {{MATCH_EQ, "node", t->conf->name}, {MATCH_EQ, "instance", t->conf->name}};
    struct select_limits lim = {.max_series = SNMP_ADOPTED_MAX};
    struct series_set set = {0};
    struct map *mine = map_new(SNMP_CELLS_MAX * SNMP_PERIODS);
    struct labels l;
    char number[8];
    if (mine && store_latest(t->s->env.store, m, 2, t->at_ms, SNMP_LOOKBACK_MS, &lim, &set, NULL))
        set.count = 0;
    for (int p = 0; mine && set.count && p < SNMP_PERIODS; p++)
        for (size_t i = 0; i < t->was[p].count; i++)
            if (snmp_series_labels(t, t->was[p].at[i], &l, number)) {
                uint64_t h = labels_hash(&l);
                map_set(mine, &h, sizeof h, t, NULL);
            }
    for (size_t i = 0; mine && i < set.count; i++) {
        char name[LABEL_NAME_MAX];
        uint64_t h = labels_hash(set.rows[i].labels);
        bool ours = false;
        labels_copy(set.rows[i].labels, "__name__", name, sizeof name);
        for (unsigned k = SNMP_POLL_SECONDS + 1; !ours && k < SNMP_METRICS; k++)
            ours = !strcmp(name, snmp_metric_name(k));
        if (ours && !map_get(mine, &h, sizeof h))
            snmp_series_sample(t, set.rows[i].labels, sample_stale());
    }
    series_set_done(&set);
    map_free(mine, NULL);
}

void
snmp_series_close(struct snmp_target *t, const char *error)
{
    bool away = error && t->stage == 0;
    inlet_state(t->inlet, error);
    for (int p = 0; !away && p < SNMP_PERIODS; p++)
        if (t->due[p] || t->now[p].count)
            snmp_cells_turn(t, (enum snmp_period)p, t->due[p] && !error && !t->broken);
    if (away)
        snmp_cells_stale(t);
    snmp_series_write(t, (struct snmp_cell){SNMP_NO_NAME, SNMP_UP, 0}, away ? 0 : 1);
    if (!away)
        snmp_series_write(t, (struct snmp_cell){SNMP_NO_NAME, SNMP_POLL_SECONDS, 0},
                          (double)(clock_mono_us() - t->began_us) / 1e6);
    if (!t->inherited && !error && !t->port && !t->broken) {
        t->inherited = true;
        snmp_series_inherit(t);
    }
    if (t->batch)
        inlet_submit(t->inlet, t->batch, t->written);
    t->batch = NULL;
    t->written = 0;
}

void
snmp_series_done(struct snmp_target *t)
{
    store_batch_free(t->batch);
    for (int p = 0; p < SNMP_PERIODS; p++) {
        free(t->was[p].at);
        free(t->now[p].at);
    }
}

/* --- switches that left the configuration -------------------------------------------------------
 */

static bool
snmp_series_polled(const struct snmp *s, const char *name)
{
    for (size_t i = 0; i < s->target_count; i++)
        if (!strcmp(s->targets[i].conf->name, name))
            return true;
    return false;
}

/* All series of one switch that is polled no more. */
static void
snmp_series_end(struct snmp *s, struct inlet *in, const char *name, int64_t now_ms)
{
    struct matcher m[] = {{MATCH_EQ, "node", name}, {MATCH_EQ, "instance", name}};
    struct select_limits lim = {.max_series = SNMP_ADOPTED_MAX};
    struct series_set set = {0};
    struct store_batch *b = store_batch_new(s->env.store);
    uint64_t n = 0;
    struct sample end = {now_ms, sample_stale()};
    if (b && store_latest(s->env.store, m, 2, now_ms, SNMP_LOOKBACK_MS, &lim, &set, NULL))
        set.count = 0;
    for (size_t i = 0; b && i < set.count; i++)
        n += store_batch_samples(b, set.rows[i].labels, &end, 1) >= 0;
    series_set_done(&set);
    if (b)
        inlet_submit(in, b, n);
}

void
snmp_series_adopt(struct snmp *s)
{
    struct matcher m[] = {{MATCH_EQ, "__name__", snmp_metric_name(SNMP_POLL_SECONDS)}};
    struct series_set set = {0};
    char name[128];
    int64_t now = clock_now_ms(store_clock(s->env.store));
    struct inlet *in = inlet_new(s->env.store, "snmp", "snmp");
    if (!in || store_latest(s->env.store, m, 1, now, SNMP_LOOKBACK_MS, NULL, &set, NULL))
        set.count = 0;
    for (size_t i = 0; i < set.count; i++)
        if (labels_copy(set.rows[i].labels, "node", name, sizeof name) &&
            !snmp_series_polled(s, name))
            snmp_series_end(s, in, name, now);
    series_set_done(&set);
    inlet_put(in);
}
