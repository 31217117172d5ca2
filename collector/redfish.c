/* redfish: management controllers (BMC) of servers, switches, PDUs and CDUs, by Redfish. Expected
 * load: 2,304 controllers each minute, two to five small answers of each; they answer in a tenth of
 * a second to ten seconds, so many are asked side by side and each at a place of its own in the
 * interval. */
#include "base/clock.h"
#include "base/hostlist.h"
#include "base/str.h"
#include "collector/redfish_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REDFISH_TICK_MS   50
#define REDFISH_RUNNING   256u
#define REDFISH_QUEUED    200000u
#define REDFISH_BMCS_MAX  200000u
#define REDFISH_GOODBYE_S 2 /* how long sessions may take to end */

static void
redfish_tick(void *ctx)
{
    struct redfish *r = ctx;
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < r->count; i++)
        if (!atomic_load(&r->bmcs[i].busy) && now >= r->bmcs[i].due_us)
            redfish_bmc_begin(&r->bmcs[i]);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void
redfish_left(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct redfish *r = ctx;
    (void)rc, (void)resp, (void)err;
    pthread_mutex_lock(&r->mutex);
    r->leaving--;
    pthread_cond_signal(&r->left);
    pthread_mutex_unlock(&r->mutex);
}

/* Controllers have a handful of sessions, which outlive us by half an hour: they are given back. */
static void
redfish_sign_out(struct redfish *r)
{
    struct timespec until;
    for (size_t i = 0; i < r->count; i++) {
        struct redfish_bmc *b = &r->bmcs[i];
        const char *headers[2];
        char url[512], scratch[300];
        struct buf secret;
        struct httpc_request req = {.method = "DELETE", .url = url};
        if (!*b->session || !*b->token || atomic_load(&b->busy))
            continue;
        snprintf(url, sizeof url, "%.250s%s", b->base, b->session);
        redfish_bmc_request(b, &req, scratch, headers, &secret);
        pthread_mutex_lock(&r->mutex);
        r->leaving += !httpc_pool_submit(r->pool, &req, redfish_left, r);
        pthread_mutex_unlock(&r->mutex);
        buf_done(&secret);
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += REDFISH_GOODBYE_S;
    pthread_mutex_lock(&r->mutex);
    while (r->leaving && !pthread_cond_timedwait(&r->left, &r->mutex, &until)) {
    }
    pthread_mutex_unlock(&r->mutex);
}

static void
redfish_stop(void *source)
{
    struct redfish *r = source;
    if (!r)
        return;
    if (r->timer)
        loop_timer_close(r->timer);
    atomic_store(&r->stopping, true);
    if (r->pool)
        redfish_sign_out(r);
    httpc_pool_free(r->pool);
    for (size_t i = 0; i < r->count; i++)
        redfish_bmc_done(&r->bmcs[i]);
    free(r->bmcs);
    pthread_cond_destroy(&r->left);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

/* --- the start -----------------------------------------------------------------------------------
 */

/* Scheme, what may be a host list, and port of an address. */
struct redfish_address {
    char scheme[16], host[1024], port[16];
};

static int
redfish_address_split(const char *text, struct redfish_address *ret, struct err *err)
{
    const char *at = strstr(text, "://"), *host = at ? at + 3 : text;
    size_t len = strcspn(host, "/");
    const char *colon = NULL;
    for (size_t i = 0; i < len; i++)
        if (host[i] == ':')
            colon = host + i;
    bool v6 = *host == '[' && memchr(host, ':', len);
    if (v6 && colon && colon[-1] != ']')
        colon = NULL;
    size_t port = colon ? len - (size_t)(colon - host) : 0;
    snprintf(ret->scheme, sizeof ret->scheme, "%.*s", at ? (int)(at - text) : 5,
             at ? text : "https");
    if (strcmp(ret->scheme, "https") && strcmp(ret->scheme, "http"))
        return err_set(err, ERR_SYNTAX, "redfish: %s is no http or https address", text);
    if (len - port >= sizeof ret->host || port >= sizeof ret->port || !len)
        return err_set(err, ERR_SYNTAX, "redfish: %s is not an address", text);
    snprintf(ret->host, sizeof ret->host, "%.*s", (int)(len - port), host);
    snprintf(ret->port, sizeof ret->port, "%.*s", (int)port, colon ? colon : "");
    return 0;
}

/* The address of the i-th name: {} is the name. */
static char *
redfish_address_of(const struct redfish_address *a, const struct hostlist *hosts, size_t i,
                   const char *name)
{
    struct buf out;
    const char *host = hosts->count ? hosts->names[i] : a->host, *hole = strstr(host, "{}");
    buf_init(&out, 4096);
    buf_printf(&out, "%s://", a->scheme);
    if (hole)
        buf_printf(&out, "%.*s%s%s", (int)(hole - host), host, name, hole + 2);
    else
        buf_puts(&out, host);
    buf_puts(&out, a->port);
    return buf_take(&out, NULL);
}

static int
redfish_add(struct redfish *r, const struct redfish_conf_target *c, const char *label,
            const char *name, char *base, struct err *err)
{
    struct redfish_bmc b = {.r = r, .conf = c, .label = label, .base = base};
    if (!base || strlen(name) > REDFISH_NAME_MAX || r->count >= REDFISH_BMCS_MAX) {
        free(base);
        return err_set(err, ERR_LIMIT, "redfish: %s: too long, or too many controllers", name);
    }
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct redfish_bmc *more = realloc(r->bmcs, room * sizeof *more);
        if (!more) {
            free(base);
            return err_set(err, ERR_NOMEM, "no memory for Redfish");
        }
        r->bmcs = more;
        r->room = room;
    }
    str_copy(b.name, sizeof b.name, name);
    if (!(b.inlet = inlet_new(r->env.store, "redfish", name))) {
        free(base);
        return err_set(err, ERR_NOMEM, "no memory for Redfish");
    }
    /* spread over the interval, the first round soon */
    uint64_t spread = (uint64_t)(r->conf->interval < 60000 ? r->conf->interval : 60000) * 1000;
    b.due_us = clock_mono_us() + (int64_t)(map_hash(name, strlen(name)) % spread) / 4;
    r->bmcs[r->count++] = b;
    return 0;
}

static int
redfish_target(struct redfish *r, const struct redfish_conf_target *c, struct err *err)
{
    const struct {
        const char *names, *label;
    } kinds[] = {{c->nodes, "node"}, {c->switches, "node"}, {c->pdus, "pdu"}, {c->cdus, "cdu"}};
    const char *list = NULL, *label = NULL;
    struct redfish_address a;
    struct hostlist names = {0}, hosts = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].names && list)
            return err_set(err, ERR_SYNTAX,
                           "redfish: a target has one of nodes, switches, pdus and cdus");
        else if (kinds[i].names) {
            list = kinds[i].names;
            label = kinds[i].label;
        }
    if (!list)
        return err_set(err, ERR_SYNTAX, "redfish: target %s needs nodes, switches, pdus or cdus",
                       c->address);
    int rc = redfish_address_split(c->address, &a, err);
    if (rc || (rc = hostlist_parse(list, &names, err)))
        return rc;
    if (!strstr(a.host, "{}") && *a.host != '[')
        rc = hostlist_parse(a.host, &hosts, err);
    size_t addresses = hosts.count ? hosts.count : strstr(a.host, "{}") ? names.count : 1;
    if (!rc && addresses != names.count)
        rc = err_set(err, ERR_SYNTAX, "redfish: %s is %zu addresses for the %zu names of %s",
                     c->address, addresses, names.count, list);
    for (size_t i = 0; !rc && i < names.count; i++)
        rc = redfish_add(r, c, label, names.names[i],
                         redfish_address_of(&a, &hosts, i, names.names[i]), err);
    hostlist_done(&hosts);
    hostlist_done(&names);
    return rc;
}

static int
redfish_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct redfish *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for Redfish");
    r->env = *env;
    r->conf = conf;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->left, NULL);
    const struct redfish_conf_target *targets = r->conf->targets.at;
    int rc = 0;
    for (size_t i = 0; !rc && i < r->conf->targets.count; i++)
        rc = redfish_target(r, &targets[i], err);
    if (!rc && (!(r->pool = httpc_pool_new(REDFISH_RUNNING, REDFISH_QUEUED)) ||
                !(r->timer = loop_timer_open(env->loop, redfish_tick, r))))
        rc = err_set(err, ERR_NOMEM, "no memory for Redfish");
    if (rc) {
        redfish_stop(r);
        return rc;
    }
    loop_timer_set(r->timer, 0, REDFISH_TICK_MS);
    *ret = r;
    return 0;
}

/* --- what it tells of itself ---------------------------------------------------------------------
 */

static void
redfish_json(void *source, struct jsonw *w)
{
    struct redfish *r = source;
    for (size_t i = 0; i < r->count; i++)
        inlet_json(r->bmcs[i].inlet, w);
}

static void
redfish_metrics(void *source, struct buf *out)
{
    struct redfish *r = source;
    struct inlet_counts sum = {0};
    size_t away = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct inlet_counts n = inlet_counts(r->bmcs[i].inlet);
        sum.accepted += n.accepted;
        sum.refused += n.refused;
        sum.errors += n.errors;
        away += atomic_load(&r->bmcs[i].failures) > 0;
    }
    inlet_metrics("redfish", sum, out);
    buf_printf(out,
               "# HELP myriascope_redfish_targets Management controllers that are polled.\n"
               "# TYPE myriascope_redfish_targets gauge\nmyriascope_redfish_targets %zu\n"
               "# HELP myriascope_redfish_targets_failing Of these, whose last round failed.\n"
               "# TYPE myriascope_redfish_targets_failing gauge\n"
               "myriascope_redfish_targets_failing %zu\n"
               "# HELP myriascope_redfish_requests_total Questions asked.\n"
               "# TYPE myriascope_redfish_requests_total counter\n"
               "myriascope_redfish_requests_total %llu\n"
               "# HELP myriascope_redfish_entries_total Entries taken from event logs.\n"
               "# TYPE myriascope_redfish_entries_total counter\n"
               "myriascope_redfish_entries_total %llu\n",
               r->count, away, (unsigned long long)atomic_load(&r->requests),
               (unsigned long long)atomic_load(&r->entries));
}

const struct source_ops source_redfish = {
    "redfish",    redfish_conf_rows, sizeof(struct redfish_conf),
    false,        redfish_start,     redfish_stop,
    redfish_json, redfish_metrics,   NULL};
