/* power: what racks and jobs draw, what jobs have used, and the PUE, from what nodes tell.
 *
 * Once an interval the newest power of each node (its controller's; else its accelerators', which
 * is less than all) is added up along the topology. A rack that has a meter of its own keeps that
 * value. A node that several jobs share is shared out by their accelerators. The counter of a job's
 * energy goes on after a restart. A PUE is told only where nine of ten nodes are known. Runs on a
 * thread of its own: 18,432 GPUs are read in some 20 ms. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/inlet.h"
#include "collector/power_conf.h"
#include "collector/source.h"
#include "store/topo.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POWER_NAMES       16
#define POWER_LOOKBACK_MS 300000
#define POWER_RECALL_MS   86400000 /* how long a job's counter is sought after a restart */
#define POWER_KNOWN       0.9      /* of the nodes, for a PUE */

struct power_node {
    double watts; /* NAN: not known */
    bool measured;
    unsigned shares; /* accelerators, or jobs, that it is shared out by */
};

struct power {
    struct source_env env;
    const struct power_conf *conf;
    struct inlet *inlet;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping, started;
    struct map *jobs; /* id -> struct power_job */
    uint64_t turn;
};
struct power_job {
    double joules;
    int64_t at_ms;
    uint64_t turn;
};

struct power_turn { /* one reading */
    struct power *p;
    struct topo *t;
    struct power_node *nodes; /* by topo_id */
    double *racks;            /* by topo_id; NAN unknown */
    struct store_batch *batch;
    int64_t now_ms;
    uint64_t written;
    size_t known;
};

/* --- reading -------------------------------------------------------------------------------------
 */

/* Newest values of a meaning; take gets entity and value in the meaning's unit. */
static void
power_read(struct power_turn *u, enum metric_meaning m,
           void (*take)(struct power_turn *u, topo_id id, const struct labels *l, double v))
{
    const char *names[POWER_NAMES];
    size_t n = metric_names_of(u->p->env.metrics, m, names, POWER_NAMES);
    struct store *s = u->p->env.store;
    for (size_t i = 0; i < n && i < POWER_NAMES; i++) {
        struct matcher match = {MATCH_EQ, "__name__", names[i]};
        const struct metric_row *row = metric_find(u->p->env.metrics, names[i], strlen(names[i]));
        struct series_set set = {0};
        struct err err;
        if (!row || store_latest(s, &match, 1, u->now_ms, POWER_LOOKBACK_MS, NULL, &set, &err))
            continue;
        for (size_t k = 0; k < set.count; k++) {
            char entity[ENTITY_SIZE];
            double v = set.rows[k].samples[0].v * row->scale;
            if (isfinite(v) && v >= row->min && v <= row->max &&
                !topo_resolve(u->t, row, set.rows[k].labels, entity) &&
                topo_find(u->t, entity) != TOPO_NONE)
                take(u, topo_find(u->t, entity), set.rows[k].labels, v);
        }
        series_set_done(&set);
    }
}

/* Of several chassis the largest: it holds the others. */
static void
power_take_node(struct power_turn *u, topo_id id, const struct labels *l, double v)
{
    struct power_node *n = &u->nodes[id];
    (void)l;
    if (topo_kind(u->t, id) != ENTITY_NODE)
        return;
    n->watts = n->measured && n->watts > v ? n->watts : v;
    n->measured = true;
}

static void
power_take_gpu(struct power_turn *u, topo_id id, const struct labels *l, double v)
{
    topo_id node =
        topo_kind(u->t, id) == ENTITY_GPU ? topo_neighbour(u->t, id, ENTITY_NODE) : TOPO_NONE;
    (void)l;
    if (node == TOPO_NONE || u->nodes[node].measured)
        return;
    u->nodes[node].watts = isnan(u->nodes[node].watts) ? v : u->nodes[node].watts + v;
}

/* A rack's own meter; what we wrote ourselves is not one. */
static void
power_take_rack(struct power_turn *u, topo_id id, const struct labels *l, double v)
{
    if (topo_kind(u->t, id) == ENTITY_RACK && !labels_find(l, "method"))
        u->racks[id] = isnan(u->racks[id]) ? v : u->racks[id] + v;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void
power_write(struct power_turn *u, const char *name, const char *label, const char *value,
            const char *method, double v)
{
    struct labels l = {0};
    struct sample s = {u->now_ms, v};
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, label, value);
    labels_add_str(&l, "method", method);
    if (!labels_finish(&l) && store_batch_samples(u->batch, &l, &s, 1) >= 0)
        u->written++;
}

static const char *
power_name(const struct topo *t, topo_id id)
{
    return strchr(topo_name(t, id), ':') + 1;
}

/* Racks, and what all of it draws. */
static double
power_racks(struct power_turn *u)
{
    size_t count, nodes;
    const topo_id *rack = topo_of_kind(u->t, ENTITY_RACK, &count);
    const topo_id *node = topo_of_kind(u->t, ENTITY_NODE, &nodes);
    double *sums = calloc(topo_count(u->t) + 1, sizeof *sums), all = 0;
    for (size_t i = 0; sums && i < nodes; i++) {
        topo_id at = topo_neighbour(u->t, node[i], ENTITY_RACK);
        double w = u->nodes[node[i]].watts;
        if (isnan(w))
            continue;
        u->known++;
        if (at == TOPO_NONE || isnan(u->racks[at]))
            all += w;
        if (at != TOPO_NONE)
            sums[at] += w;
    }
    for (size_t i = 0; sums && i < count; i++) {
        if (!isnan(u->racks[rack[i]]))
            all += u->racks[rack[i]];
        else if (sums[rack[i]] > 0)
            power_write(u, "rack_power_watts", "rack", power_name(u->t, rack[i]), "sum",
                        sums[rack[i]]);
    }
    free(sums);
    return all;
}

static void
power_pue(struct power_turn *u, double it)
{
    const char *name;
    struct series_set set = {0};
    struct err err;
    size_t nodes, clusters;
    double watts = 0;
    topo_of_kind(u->t, ENTITY_NODE, &nodes);
    const topo_id *cluster = topo_of_kind(u->t, ENTITY_CLUSTER, &clusters);
    if (clusters != 1 || !(it > 0) || (double)u->known < POWER_KNOWN * (double)nodes ||
        !metric_names_of(u->p->env.metrics, METRIC_FACILITY_POWER, &name, 1))
        return;
    struct matcher match = {MATCH_EQ, "__name__", name};
    if (store_latest(u->p->env.store, &match, 1, u->now_ms, POWER_LOOKBACK_MS, NULL, &set, &err))
        return;
    for (size_t i = 0; i < set.count; i++)
        watts += set.rows[i].samples[0].v;
    series_set_done(&set);
    if (watts >= it)
        power_write(u, "facility_pue_ratio", "cluster", power_name(u->t, cluster[0]), "",
                    watts / it);
}

/* The counter of a job: continued from the store when this run has not seen it. */
static struct power_job *
power_job(struct power_turn *u, const char *id)
{
    struct power_job *j = map_get(u->p->jobs, id, strlen(id));
    struct matcher m[2] = {{MATCH_EQ, "__name__", "job_energy_joules_total"},
                           {MATCH_EQ, "job_id", id}};
    struct series_set set = {0};
    struct err err;
    if (j)
        return j;
    if (!(j = calloc(1, sizeof *j)) || map_set(u->p->jobs, id, strlen(id), j, NULL)) {
        free(j);
        return NULL;
    }
    if (!store_latest(u->p->env.store, m, 2, u->now_ms, POWER_RECALL_MS, NULL, &set, &err)) {
        if (set.count)
            j->joules = set.rows[0].samples[0].v;
        series_set_done(&set);
    }
    return j;
}

static unsigned
power_share(const struct topo_job *j)
{
    return j->gpus_per_node ? j->gpus_per_node : 1;
}

static void
power_jobs(struct power_turn *u)
{
    const struct topo_job *jobs;
    size_t count = topo_jobs(u->t, &jobs);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < jobs[i].node_count; k++)
            u->nodes[jobs[i].nodes[k]].shares += power_share(&jobs[i]);
    for (size_t i = 0; i < count; i++) {
        double watts = 0;
        size_t known = 0;
        struct power_job *j = power_job(u, jobs[i].id);
        for (size_t k = 0; k < jobs[i].node_count; k++) {
            const struct power_node *n = &u->nodes[jobs[i].nodes[k]];
            if (isnan(n->watts))
                continue;
            known++;
            watts += n->watts * power_share(&jobs[i]) / n->shares;
        }
        if (!j)
            continue;
        j->turn = u->p->turn;
        int64_t span = j->at_ms ? u->now_ms - j->at_ms : 0, most = 2 * u->p->conf->interval;
        j->joules += known ? watts * (double)(span < most ? span : most) / 1000 : 0;
        j->at_ms = u->now_ms;
        if (!known)
            continue;
        power_write(u, "job_power_watts", "job_id", jobs[i].id, "", watts);
        power_write(u, "job_energy_joules_total", "job_id", jobs[i].id, "", j->joules);
        power_write(u, "job_power_known_ratio", "job_id", jobs[i].id, "",
                    (double)known / (double)jobs[i].node_count);
    }
}

/* Jobs that run no more are forgotten. */
static void
power_forget(struct power *p)
{
    const char *key;
    size_t pos = 0, len;
    void *value;
    char id[ENTITY_SIZE] = "";
    while ((key = map_next(p->jobs, &pos, &len, &value)))
        if (((struct power_job *)value)->turn != p->turn && len < sizeof id) {
            memcpy(id, key, len);
            id[len] = 0;
            break; /* one a turn: there are few */
        }
    if (*id)
        free(map_remove(p->jobs, id, strlen(id)));
}

static void
power_turn(struct power *p)
{
    struct power_turn u = {.p = p,
                           .t = topo_get(p->env.store),
                           .batch = store_batch_new(p->env.store),
                           .now_ms = clock_now_ms(store_clock(p->env.store))};
    size_t n = topo_count(u.t);
    u.nodes = calloc(n + 1, sizeof *u.nodes);
    u.racks = calloc(n + 1, sizeof *u.racks);
    p->turn++;
    if (u.nodes && u.racks && u.batch) {
        for (size_t i = 0; i < n; i++)
            u.nodes[i].watts = u.racks[i] = NAN;
        power_read(&u, METRIC_NODE_POWER, power_take_node);
        power_read(&u, METRIC_GPU_POWER, power_take_gpu);
        power_read(&u, METRIC_RACK_POWER, power_take_rack);
        power_pue(&u, power_racks(&u));
        power_jobs(&u);
        power_forget(p);
    }
    if (u.batch && u.written)
        inlet_submit(p->inlet, u.batch, u.written);
    else if (u.batch)
        store_batch_free(u.batch);
    free(u.nodes);
    free(u.racks);
    topo_put(u.t);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void *
power_run(void *ctx)
{
    struct power *p = ctx;
    pthread_mutex_lock(&p->mutex);
    while (!p->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&p->mutex);
        power_turn(p);
        clock_gettime(CLOCK_REALTIME, &until);
        int64_t at = (int64_t)until.tv_nsec / 1000000 + p->conf->interval;
        until.tv_sec += at / 1000;
        until.tv_nsec = at % 1000 * 1000000;
        pthread_mutex_lock(&p->mutex);
        while (!p->stopping && !pthread_cond_timedwait(&p->wake, &p->mutex, &until)) {
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static void
power_stop(void *source)
{
    struct power *p = source;
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    if (p->started)
        pthread_join(p->thread, NULL);
    map_free(p->jobs, free);
    inlet_put(p->inlet);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

static int
power_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct power *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "no memory for power");
    p->env = *env;
    p->conf = conf;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->inlet = inlet_new(env->store, "power", "power");
    p->jobs = map_new(100000);
    p->started =
        p->inlet && p->jobs && env->metrics && !pthread_create(&p->thread, NULL, power_run, p);
    if (!p->started) {
        power_stop(p);
        return err_set(err, ERR_NOMEM, "no memory for power");
    }
    *ret = p;
    return 0;
}

static void
power_json(void *source, struct jsonw *w)
{
    inlet_json(((struct power *)source)->inlet, w);
}

static void
power_metrics(void *source, struct buf *out)
{
    inlet_metrics("power", inlet_counts(((struct power *)source)->inlet), out);
}

const struct conf_row power_conf_rows[] = {
    {.key = "interval",
     .type = CONF_DURATION,
     .offset = offsetof(struct power_conf, interval),
     .dflt = "30s",
     .min = 100,
     .max = 3.6e6,
     .help = "How often the power of racks and jobs is added up."},
    {0}};

const struct source_ops source_power = {"power",    power_conf_rows, sizeof(struct power_conf),
                                        false,      power_start,     power_stop,
                                        power_json, power_metrics,   NULL};
