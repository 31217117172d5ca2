/* overview: the front page in one answer: what there is, how it is, what suffers, what is not seen.
 */
#include "web/agents.h"
#include "web/jobs.h"
#include "web/resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERVIEW_SUFFERING 20

/* Kinds whose health is counted, always; further kinds are counted where there are any. */
static const enum entity_kind overview_kinds[] = {ENTITY_NODE,  ENTITY_GPU,  ENTITY_SWITCH,
                                                  ENTITY_OPTIC, ENTITY_LINK, ENTITY_STORAGE};
#define OVERVIEW_KINDS (sizeof overview_kinds / sizeof *overview_kinds)

struct overview_sum {
    size_t of[HEALTH_CRITICAL + 1];
};

static struct overview_sum
overview_sum(const struct topo *t, const struct health_map *h, const uint8_t *mask,
             enum entity_kind k)
{
    struct overview_sum sum = {0};
    size_t n;
    const topo_id *ids = topo_of_kind(t, k, &n);
    for (size_t i = 0; i < n; i++)
        if (!mask || mask[ids[i]])
            sum.of[health_of(h, ids[i])]++;
    return sum;
}

static void
overview_counts(struct jsonw *w, const struct topo *t, const uint8_t *mask)
{
    static const enum entity_kind always[] = {ENTITY_NODE, ENTITY_GPU,     ENTITY_SWITCH,
                                              ENTITY_PORT, ENTITY_NIC,     ENTITY_OPTIC,
                                              ENTITY_LINK, ENTITY_STORAGE, ENTITY_RACK};
    jsonw_key(w, "counts");
    jsonw_object(w);
    for (int k = ENTITY_CLUSTER; k < ENTITY_KINDS; k++) {
        size_t n, count = 0;
        bool must = false;
        const topo_id *ids = topo_of_kind(t, (enum entity_kind)k, &n);
        for (size_t i = 0; mask && i < n; i++)
            count += mask[ids[i]];
        for (size_t i = 0; i < sizeof always / sizeof *always; i++)
            must |= always[i] == (enum entity_kind)k;
        count = mask ? count : n;
        if (k != ENTITY_JOB && k != ENTITY_RANK && k != ENTITY_TENANT && (must || count))
            jsonw_kint(w, entity_kind_row((enum entity_kind)k)->word, (int64_t)count);
    }
    jsonw_end_object(w);
}

static void
overview_health(struct jsonw *w, const struct overview_sum *sums)
{
    static const enum health order[] = {HEALTH_OK, HEALTH_MINOR, HEALTH_MAJOR, HEALTH_CRITICAL,
                                        HEALTH_UNKNOWN};
    jsonw_key(w, "health");
    jsonw_object(w);
    for (size_t k = 0; k < OVERVIEW_KINDS; k++) {
        jsonw_key(w, entity_kind_row(overview_kinds[k])->word);
        jsonw_object(w);
        for (size_t i = 0; i < sizeof order / sizeof *order; i++)
            jsonw_kint(w, health_word(order[i]), (int64_t)sums[k].of[order[i]]);
        jsonw_end_object(w);
    }
    jsonw_end_object(w);
}

static void
overview_incidents(struct jsonw *w, struct view *v, const char *tenant)
{
    static const char *const words[] = {"open", "acknowledged", "critical", "warning", "info"};
    const struct view_incident *in;
    size_t n = view_incidents(v, &in);
    int64_t of[5] = {0};
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 5; k++)
            of[k] += (!*tenant || !strcmp(tenant, in[i].tenant)) &&
                     !strcmp(k < 2 ? in[i].state : in[i].severity, words[k]);
    jsonw_key(w, "incidents");
    jsonw_object(w);
    for (int k = 0; k < 5; k++)
        jsonw_kint(w, words[k], of[k]);
    jsonw_end_object(w);
}

/* Running jobs are those of the view; how many wait is only known of the present. */
static void
overview_jobs(struct jsonw *w, struct web *web, struct job_item_view *iv, const char *tenant)
{
    const struct topo_job *jobs;
    size_t n = topo_jobs(iv->v->topo, &jobs), running = 0, suffering = 0;
    struct catalog_query q = {.kind = "job", .state = "pending", .tenant = tenant};
    int64_t pending = iv->v->now ? catalog_count(web->cfg.store, &q, NULL) : 0;
    for (size_t i = 0; i < n; i++)
        running += !*tenant || (jobs[i].tenant && !strcmp(jobs[i].tenant, tenant));
    jsonw_key(w, "suffering");
    jsonw_array(w);
    jobs_suffering(w, iv, tenant, OVERVIEW_SUFFERING, &suffering);
    jsonw_end_array(w);
    jsonw_key(w, "jobs");
    jsonw_object(w);
    jsonw_kint(w, "running", (int64_t)running);
    jsonw_kint(w, "pending", pending < 0 ? 0 : pending);
    jsonw_kint(w, "suffering", (int64_t)suffering);
    jsonw_end_object(w);
}

void
overview_measure(struct web *web)
{
    struct store_stats now;
    struct web_speed *s = &web->speed;
    store_stats_get(web->cfg.store, &now);
    pthread_mutex_lock(&s->mutex);
    s->at[s->next].t_ms = clock_mono_us() / 1000;
    s->at[s->next].samples = now.samples_total;
    s->at[s->next].events = now.events_total;
    s->next = (s->next + 1) % WEB_SPEED_READINGS;
    s->count += s->count < WEB_SPEED_READINGS;
    pthread_mutex_unlock(&s->mutex);
}

/* Speeds are those of the last minute, since sources send in bursts. */
static void
overview_ingest(struct jsonw *w, struct web *web)
{
    struct store_stats now;
    struct web_speed *s = &web->speed;
    double samples = 0, events = 0;
    store_stats_get(web->cfg.store, &now);
    pthread_mutex_lock(&s->mutex);
    size_t oldest = s->count < WEB_SPEED_READINGS ? 0 : s->next;
    int64_t ms = s->count ? clock_mono_us() / 1000 - s->at[oldest].t_ms : 0;
    if (ms > 0) {
        samples = (double)(now.samples_total - s->at[oldest].samples) * 1000 / (double)ms;
        events = (double)(now.events_total - s->at[oldest].events) * 1000 / (double)ms;
    }
    pthread_mutex_unlock(&s->mutex);
    jsonw_key(w, "ingest");
    jsonw_object(w);
    jsonw_kreal(w, "samples_per_second", samples);
    jsonw_kreal(w, "events_per_second", events);
    jsonw_kint(w, "dropped", (int64_t)now.gaps_total);
    jsonw_end_object(w);
}

/* --- what the picture lacks ------------------------------------------------------------------- */

static void
overview_part(struct jsonw *w, const char *part, const char *en, const char *zh)
{
    jsonw_object(w);
    jsonw_kstr(w, "part", part);
    jsonw_ktext(w, "why", en, zh);
    jsonw_end_object(w);
}

static void
overview_partial(struct jsonw *w, const struct overview_sum *sums,
                 const struct agent_counts *agents)
{
    static const struct {
        const char *part, *en, *zh_all, *zh_silent;
    } parts[OVERVIEW_KINDS] = {
        {"node", "nodes do not report", "个节点中有", "个未上报数据"},
        {"gpu", "accelerators do not report", "张加速卡中有", "张未上报数据"},
        {"snmp", "switches do not answer", "台交换机中有", "台无应答"},
        {"optic", "optical modules do not report", "个光模块中有", "个未上报数据"},
    };
    char en[160], zh[160];
    jsonw_key(w, "partial");
    jsonw_array(w);
    for (size_t k = 0; k < OVERVIEW_KINDS; k++) {
        size_t all = 0, unknown = sums[k].of[HEALTH_UNKNOWN];
        for (int h = 0; h <= HEALTH_CRITICAL; h++)
            all += sums[k].of[h];
        if (!parts[k].part || !unknown)
            continue;
        snprintf(en, sizeof en, "%zu of %zu %s", unknown, all, parts[k].en);
        snprintf(zh, sizeof zh, "%zu %s %zu %s", all, parts[k].zh_all, unknown, parts[k].zh_silent);
        overview_part(w, parts[k].part, en, zh);
    }
    if (agents->of[AGENT_LOST]) {
        snprintf(en, sizeof en, "%zu agents were last heard of more than five minutes ago",
                 agents->of[AGENT_LOST]);
        snprintf(zh, sizeof zh, "%zu 个采集代理已超过 5 分钟没有消息", agents->of[AGENT_LOST]);
        overview_part(w, "agent", en, zh);
    }
    jsonw_end_array(w);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void
overview_write(struct jsonw *w, struct web *web, struct job_item_view *iv,
               const struct health_map *h, const char *tenant)
{
    struct view *v = iv->v;
    const uint8_t *mask = view_mask(v, tenant);
    struct overview_sum sums[OVERVIEW_KINDS];
    struct agent_counts agents = {0};
    for (size_t k = 0; k < OVERVIEW_KINDS; k++)
        sums[k] = overview_sum(v->topo, h, mask, overview_kinds[k]);
    agents_count(web, tenant, v->at_ms, &agents, NULL);
    jsonw_object(w);
    jsonw_kstr(w, "build", web->cfg.build_id ? web->cfg.build_id : "");
    jsonw_ktime(w, "now", v->at_ms);
    jsonw_kint(w, "revision", (int64_t)topo_revision(v->topo));
    jsonw_ktime(w, "retention_start",
                web->cfg.retention_ms ? web_now(web) - web->cfg.retention_ms : 0);
    overview_counts(w, v->topo, mask);
    overview_health(w, sums);
    overview_incidents(w, v, tenant);
    overview_jobs(w, web, iv, tenant);
    jsonw_key(w, "agents");
    jsonw_object(w);
    jsonw_kint(w, "online", (int64_t)agents.of[AGENT_ONLINE]);
    jsonw_kint(w, "late", (int64_t)agents.of[AGENT_LATE]);
    jsonw_kint(w, "lost", (int64_t)agents.of[AGENT_LOST]);
    jsonw_end_object(w);
    overview_ingest(w, web);
    overview_partial(w, sums, &agents);
    jsonw_end_object(w);
}

static int
overview_read(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct job_item_view iv;
    struct jsonw w;
    int64_t at;
    int rc = web_time(req, "at", 0, &at, &err);
    if (!rc)
        rc = job_item_begin(web, at, 0, &iv, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    const struct health_map *h = view_health(iv.v, &err);
    jsonw_init(&w, &resp->body);
    if (h)
        overview_write(&w, web, &iv, h, req->who.tenant);
    job_item_end(&iv);
    return h ? 0 : web_fail(resp, err.code ? err.code : ERR_NOMEM, &err);
}

const struct route overview_routes[] = {
    {"GET", "/api/v1/overview", ROLE_VIEWER, overview_read, .query = "at=instant of the past",
     .help = "What the front page shows: counts, health, incidents, jobs that suffer, agents, "
             "ingest, what is not seen."},
};
const size_t overview_route_count = sizeof overview_routes / sizeof *overview_routes;
