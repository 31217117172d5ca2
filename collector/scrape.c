/* scrape: Prometheus exporters, asked at their intervals. Expected load: 2,500 targets of 1,500
 * series every 15 s. One timer looks every 50 ms which targets are due; answers are read on the
 * pool's thread. */
#include "base/clock.h"
#include "collector/scrape_in.h"

#include <stdlib.h>
#include <string.h>

#define SCRAPE_TICK_MS 50
#define SCRAPE_RUNNING 64u
#define SCRAPE_QUEUED  100000u

static void
scrape_target_due(struct scrape *s, struct scrape_target *t, int64_t now)
{
    int64_t interval = t->interval_ms * 1000;
    if (now < t->due_us)
        return;
    t->due_us += interval * ((now - t->due_us) / interval + 1);
    if (atomic_load(&t->busy))
        atomic_fetch_add(&s->skipped, 1);
    else
        scrape_target_ask(t);
}

/* Those no longer wanted go once their question is answered. */
static void
scrape_sweep(struct scrape_job *job)
{
    struct scrape *s = job->s;
    for (struct scrape_target **at = &job->targets; *at;) {
        struct scrape_target *t = *at;
        if (!t->retired || atomic_load(&t->busy)) {
            at = &t->next;
            continue;
        }
        scrape_read_retire(t);
        struct inlet_counts n = inlet_counts(t->inlet);
        pthread_mutex_lock(&s->mutex);
        s->gone.accepted += n.accepted;
        s->gone.refused += n.refused;
        s->gone.errors += n.errors;
        *at = t->next;
        job->target_count--;
        pthread_mutex_unlock(&s->mutex);
        scrape_target_free(t);
    }
}

static void
scrape_tick(void *ctx)
{
    struct scrape *s = ctx;
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < s->job_count; i++) {
        struct scrape_job *job = &s->jobs[i];
        scrape_sd_turn(job, now);
        scrape_sweep(job);
        for (struct scrape_target *t = job->targets; t; t = t->next)
            if (!t->retired)
                scrape_target_due(s, t, now);
    }
}

static void
scrape_stop(void *source)
{
    struct scrape *s = source;
    if (!s)
        return;
    if (s->timer)
        loop_timer_close(s->timer);
    atomic_store(&s->stopping, true);
    httpc_pool_free(s->pool);
    for (size_t i = 0; i < s->job_count; i++) {
        struct scrape_job *job = &s->jobs[i];
        while (job->targets) {
            struct scrape_target *t = job->targets;
            job->targets = t->next;
            scrape_target_free(t);
        }
        scrape_sd_close(job);
        relabel_free(job->relabel);
        relabel_free(job->metric_relabel);
    }
    pthread_mutex_destroy(&s->mutex);
    free(s->jobs);
    free(s);
}

static int
scrape_job_open(struct scrape_job *job, struct err *err)
{
    char why[512];
    const struct scrape_conf *c = job->conf;
    int rc = relabel_new(&c->relabel_configs, &job->relabel, err);
    if (!rc)
        rc = relabel_new(&c->metric_relabel_configs, &job->metric_relabel, err);
    if (!rc && c->scrape_timeout > c->scrape_interval && c->scrape_timeout != 10000)
        rc = err_set(err, ERR_RANGE, "scrape_timeout is longer than scrape_interval");
    if (!rc)
        rc = scrape_sd_open(job, err);
    if (rc && err) {
        memcpy(why, err->text, sizeof why);
        err_set(err, rc, "scrape_configs: job %s: %.400s", c->job_name, why);
    }
    return rc;
}

static int
scrape_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    const struct conf_list *list = conf;
    struct scrape *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for scraping");
    s->env = *env;
    pthread_mutex_init(&s->mutex, NULL);
    s->jobs = calloc(list->count + 1, sizeof *s->jobs);
    s->pool = httpc_pool_new(SCRAPE_RUNNING, SCRAPE_QUEUED);
    s->timer = loop_timer_open(env->loop, scrape_tick, s);
    int rc = s->jobs && s->pool && s->timer ? 0 : err_set(err, ERR_NOMEM, "no memory for scraping");
    for (size_t i = 0; !rc && i < list->count; i++) {
        s->jobs[i] = (struct scrape_job){.s = s, .conf = (const struct scrape_conf *)list->at + i};
        s->job_count = i + 1;
        for (size_t k = 0; !rc && k < i; k++)
            if (!strcmp(s->jobs[k].conf->job_name, s->jobs[i].conf->job_name))
                rc = err_set(err, ERR_EXISTS, "scrape_configs: two jobs are named %s",
                             s->jobs[i].conf->job_name);
        if (!rc)
            rc = scrape_job_open(&s->jobs[i], err);
    }
    if (rc) {
        scrape_stop(s);
        return rc;
    }
    loop_timer_set(s->timer, SCRAPE_TICK_MS, SCRAPE_TICK_MS);
    *ret = s;
    return 0;
}

/* --- what it tells of itself ---------------------------------------------------------------------
 */

static void
scrape_json(void *source, struct jsonw *w)
{
    struct scrape *s = source;
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->job_count; i++)
        for (struct scrape_target *t = s->jobs[i].targets; t; t = t->next)
            if (!t->retired)
                inlet_json(t->inlet, w);
    pthread_mutex_unlock(&s->mutex);
}

static void
scrape_metrics(void *source, struct buf *out)
{
    struct scrape *s = source;
    size_t targets = 0;
    pthread_mutex_lock(&s->mutex);
    struct inlet_counts sum = s->gone;
    for (size_t i = 0; i < s->job_count; i++)
        for (struct scrape_target *t = s->jobs[i].targets; t; t = t->next, targets++) {
            struct inlet_counts n = inlet_counts(t->inlet);
            sum.accepted += n.accepted;
            sum.refused += n.refused;
            sum.errors += n.errors;
        }
    pthread_mutex_unlock(&s->mutex);
    inlet_metrics("scrape", sum, out);
    buf_printf(out,
               "# HELP myriascope_scrape_targets Targets in force.\n"
               "# TYPE myriascope_scrape_targets gauge\nmyriascope_scrape_targets %zu\n"
               "# HELP myriascope_scrape_skipped_total Scrapes due while the last ran.\n"
               "# TYPE myriascope_scrape_skipped_total counter\n"
               "myriascope_scrape_skipped_total %llu\n",
               targets, (unsigned long long)atomic_load(&s->skipped));
}

const struct source_ops source_scrape = {"scrape_configs",
                                         scrape_conf_rows,
                                         sizeof(struct scrape_conf),
                                         true,
                                         scrape_start,
                                         scrape_stop,
                                         scrape_json,
                                         scrape_metrics,
                                         NULL};
