/* redfish_bmc: one management controller: sign-in, what there is to read, values, logs.
 *
 * A round is a chain of questions, each asked when the last is answered; it ends at the first
 * question that no answer comes to, and when it takes longer than its interval. A path that is no
 * longer there starts a discovery with the next round; what a controller refuses is skipped. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "collector/redfish_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDFISH_PATHS_MAX 512u
#define REDFISH_BODY_MAX  ((size_t)8 << 20)
#define REDFISH_SKIPS_MAX 16u /* refusals of one round before it is called failed */
#define REDFISH_SECRET    1024u

static void redfish_bmc_step(struct redfish_bmc *b);

/* --- paths ---------------------------------------------------------------------------------------
 */

static struct redfish_path *
redfish_bmc_path(struct redfish_bmc *b, const char *path)
{
    for (size_t i = 0; i < b->count; i++)
        if (!strcmp(b->paths[i].path, path))
            return &b->paths[i];
    return NULL;
}

/* Sensors come whole or not at all; the summary of temperatures only where they do not. */
static bool
redfish_bmc_wanted(const struct redfish_bmc *b, const char *path)
{
    size_t len = strlen(path);
    if (str_suffix(path, "/Sensors"))
        return b->expands;
    if (!str_suffix(path, "/ThermalSubsystem/ThermalMetrics"))
        return true;
    for (size_t i = 0; i < b->count; i++)
        if (str_suffix(b->paths[i].path, "/Sensors") && b->paths[i].found &&
            !strncmp(b->paths[i].path, path, len - strlen("ThermalSubsystem/ThermalMetrics")))
            return false;
    return true;
}

/* Dumps and journals are not events; everything that is one has another name. */
static bool
redfish_bmc_log_wanted(const struct redfish_bmc *b, const char *path)
{
    static const char *const noise[] = {"*Dump*",     "*dump*",       "*Journal*", "*Audit*",
                                        "*PostCode*", "*HostLogger*", "*Diagnos*", "*Security*"};
    const char *at = strstr(path, "/LogServices/");
    const struct conf_strs *given = &b->r->conf->log_services;
    char name[64];
    if (!at)
        return false;
    at += 13;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "/"), at);
    for (size_t i = 0; i < given->count; i++)
        if (str_glob(given->at[i], name))
            return true;
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        if (str_glob(noise[i], name))
            return false;
    return !given->count;
}

static void
redfish_bmc_link(void *ctx, enum redfish_role role, const char *path)
{
    struct redfish_bmc *b = ctx;
    struct redfish_path *p = redfish_bmc_path(b, path);
    if (p) {
        p->found = true;
        return;
    }
    if (b->count >= REDFISH_PATHS_MAX || !redfish_bmc_wanted(b, path) ||
        (role == REDFISH_ENTRIES && !redfish_bmc_log_wanted(b, path)))
        return;
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 16;
        struct redfish_path *more = realloc(b->paths, room * sizeof *more);
        if (!more)
            return;
        b->paths = more;
        b->room = room;
    }
    struct redfish_path made = {.path = strdup(path), .role = role, .found = true};
    if (!made.path || (role == REDFISH_ENTRIES && redfish_log_open(b, &made))) {
        free(made.path);
        return;
    }
    b->paths[b->count++] = made;
}

static void
redfish_bmc_drop(struct redfish_path *p)
{
    redfish_log_free(p->log);
    free(p->path);
}

/* What the discovery did not meet again goes. */
static void
redfish_bmc_sweep(struct redfish_bmc *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->paths[i].found)
            b->paths[kept++] = b->paths[i];
        else
            redfish_bmc_drop(&b->paths[i]);
    b->count = kept;
}

void
redfish_bmc_done(struct redfish_bmc *b)
{
    for (size_t i = 0; i < b->count; i++)
        redfish_bmc_drop(&b->paths[i]);
    free(b->paths);
    free(b->base);
    if (b->batch)
        store_batch_free(b->batch);
    inlet_put(b->inlet);
}

/* --- requests ------------------------------------------------------------------------------------
 */

/* The password, read from its file when it stands there; "" when there is none. */
static void
redfish_bmc_secret(const struct redfish_bmc *b, struct buf *out)
{
    const struct redfish_conf *c = b->r->conf;
    const char *given = b->conf->password        ? b->conf->password
                        : b->conf->password_file ? NULL
                                                 : c->password;
    const char *file = b->conf->password_file ? b->conf->password_file : c->password_file;
    struct buf text;
    struct err err;
    buf_init(out, REDFISH_SECRET);
    if (given || !file) {
        buf_puts(out, given ? given : "");
        return;
    }
    if (file_read(file, REDFISH_SECRET, &text, &err)) {
        inlet_state(b->inlet, err.text);
        return;
    }
    size_t n = text.len;
    while (n && strchr(" \t\r\n", buf_str(&text)[n - 1]))
        n--;
    buf_append(out, buf_str(&text), n);
    buf_done(&text);
}

static const char *
redfish_bmc_user(const struct redfish_bmc *b)
{
    const char *user = b->conf->user ? b->conf->user : b->r->conf->user;
    return user ? user : "";
}

void
redfish_bmc_request(struct redfish_bmc *b, struct httpc_request *req, char scratch[300],
                    const char *headers[2], struct buf *secret)
{
    const struct redfish_conf *c = b->r->conf;
    req->timeout_ms = (unsigned)c->timeout;
    req->max_body = REDFISH_BODY_MAX;
    req->ca = c->ca;
    req->insecure = c->insecure;
    buf_init(secret, REDFISH_SECRET);
    if (*b->token) {
        snprintf(scratch, 300, "X-Auth-Token: %s", b->token);
        headers[0] = scratch;
        headers[1] = NULL;
        req->headers = headers;
    } else if (b->basic) {
        redfish_bmc_secret(b, secret);
        req->user = redfish_bmc_user(b);
        req->password = buf_str(secret);
    }
    atomic_fetch_add(&b->r->requests, 1);
}

/* --- a round -------------------------------------------------------------------------------------
 */

static int64_t
redfish_bmc_delay(const struct redfish_bmc *b, unsigned failures)
{
    int64_t interval = b->r->conf->interval * 1000;
    return interval << (failures > 4 ? 4 : failures > 1 ? failures - 1 : 0);
}

static void
redfish_bmc_own(struct redfish_bmc *b, const char *name, double v)
{
    struct labels l = {0};
    struct sample s = {b->at_ms, v};
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, b->label, b->name);
    if (!labels_finish(&l) && store_batch_samples(b->batch, &l, &s, 1) >= 0)
        b->written++;
}

/* Ends the round: why is NULL when all went well. */
static void
redfish_bmc_end(struct redfish_bmc *b, const char *why)
{
    int64_t now = clock_mono_us();
    unsigned failures = why ? atomic_load(&b->failures) + 1 : 0;
    atomic_store(&b->failures, failures);
    redfish_bmc_own(b, "redfish_up", why ? 0 : 1);
    redfish_bmc_own(b, "redfish_scrape_duration_seconds", (double)(now - b->began_us) / 1e6);
    inlet_state(b->inlet, why);
    inlet_submit(b->inlet, b->batch, b->written);
    b->batch = NULL;
    b->due_us = b->began_us + redfish_bmc_delay(b, failures);
    if (b->logs_due && !why)
        b->logs_us = b->began_us + b->r->conf->log_interval * 1000;
    atomic_store(&b->busy, false);
}

static void
redfish_bmc_value(void *ctx, const struct redfish_value *v)
{
    struct redfish_bmc *b = ctx;
    struct labels l = {0};
    struct sample s = {b->at_ms, v->v};
    char id[40];
    labels_add_str(&l, "__name__", v->name);
    labels_add_str(&l, b->label, b->name);
    labels_add_str(&l, "chassis_id", v->chassis);
    if (v->kind) {
        snprintf(id, sizeof id, "%s_id", v->kind);
        labels_add_str(&l, v->kind, v->part);
        labels_add_str(&l, id, v->id);
    }
    if (labels_finish(&l) || store_batch_samples(b->batch, &l, &s, 1) < 0)
        b->skipped++;
    else
        b->written++;
}

/* Units of a rack bear the names that every detector knows, too. */
static void
redfish_bmc_value_unit(void *ctx, const struct redfish_value *v)
{
    static const struct {
        const char *label, *name, *known;
    } rows[] = {{"pdu", "redfish_power_distribution_watts", "pdu_power_watts"},
                {"cdu", "redfish_coolant_supply_celsius", "cdu_supply_celsius"},
                {"cdu", "redfish_coolant_return_celsius", "cdu_return_celsius"},
                {"cdu", "redfish_coolant_flow_lpm", "cdu_flow_lpm"}};
    struct redfish_bmc *b = ctx;
    redfish_bmc_value(ctx, v);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(b->label, rows[i].label) && !strcmp(v->name, rows[i].name)) {
            struct redfish_value known = *v;
            known.name = rows[i].known;
            known.kind = v->kind ? "connector" : NULL;
            redfish_bmc_value(ctx, &known);
        }
}

/* The links of a document; of a collection that came whole, those of its members. */
static void
redfish_bmc_links(struct redfish_bmc *b, struct redfish_path *p, const struct doc_node *root)
{
    struct redfish_sink sink = {.link = redfish_bmc_link, .ctx = b};
    const struct doc_node *members = doc_get(root, "Members");
    if (p->role == REDFISH_EXPAND && b->expands && members && members->kind == DOC_SEQ) {
        if (!members->first || doc_get(members->first, "@odata.type")) {
            for (const struct doc_node *n = members->first; n; n = n->next)
                redfish_read_links(n, &sink); /* p may move: it is not touched again */
            return;
        }
        b->expands = false; /* it said that it could */
    }
    if (b->at == 0)
        b->expands = redfish_read_expands(root);
    redfish_read_links(root, &sink);
}

static void
redfish_bmc_document(struct redfish_bmc *b, const struct httpc_response *resp)
{
    struct redfish_path *p = &b->paths[b->at];
    struct redfish_sink sink = {.value = redfish_bmc_value, .ctx = b};
    struct doc *d = NULL;
    struct err err;
    bool again = false;
    if (strcmp(b->label, "node"))
        sink.value = redfish_bmc_value_unit;
    if (doc_parse_json(buf_str(&resp->body), resp->body.len, p->path, &d, &err)) {
        b->skipped++;
        b->next[0] = 0;
    } else if (b->phase == REDFISH_DISCOVER) {
        redfish_bmc_links(b, p, doc_root(d));
    } else if (b->phase == REDFISH_VALUES) {
        redfish_read_values(doc_root(d), p->path, &sink);
    } else {
        again = redfish_log_take(b, p, doc_root(d));
    }
    doc_free(d);
    if (!again)
        b->at++;
}

static void
redfish_bmc_signed_in(struct redfish_bmc *b, const struct httpc_response *resp)
{
    const char *at = resp->location;
    if (resp->status >= 200 && resp->status < 300 && *resp->auth_token) {
        const char *slash = strstr(at, "://") ? strchr(strstr(at, "://") + 3, '/') : at;
        str_copy(b->token, sizeof b->token, resp->auth_token);
        str_copy(b->session, sizeof b->session, slash && redfish_path_ok(slash) ? slash : "");
    } else {
        b->basic = true; /* no sessions here, or no more of them */
    }
    b->phase = REDFISH_DISCOVER;
    b->at = 0;
}

/* What a status other than success means for the round. NULL: it goes on. */
static const char *
redfish_bmc_refused(struct redfish_bmc *b, int status, char why[128])
{
    const char *path = b->paths && b->at < b->count ? b->paths[b->at].path : "";
    snprintf(why, 128, "%.90s: HTTP status %d", path, status);
    if (status == 401 && *b->token && !b->relogged) {
        b->relogged = true;
        *b->token = *b->session = 0;
        b->phase = REDFISH_LOGIN; /* the session has ended: begin again */
        return NULL;
    }
    if (status == 401 || status == 403) {
        snprintf(why, 128, "sign-in refused: HTTP status %d", status);
        return why;
    }
    if (status == 404 || status == 410)
        b->discover_us = 0;
    b->next[0] = 0;
    b->at++;
    return ++b->skipped > REDFISH_SKIPS_MAX || (b->phase == REDFISH_DISCOVER && b->at == 1) ? why
                                                                                            : NULL;
}

/* One resource may be without an end, or wedged alone: then the others are still asked. */
static bool
redfish_bmc_passes(struct redfish_bmc *b, int rc)
{
    if (b->phase == REDFISH_LOGIN || (b->phase == REDFISH_DISCOVER && !b->at) ||
        (rc != ERR_LIMIT && (rc != ERR_TIMEOUT || b->late)) || ++b->skipped > REDFISH_SKIPS_MAX)
        return false;
    b->late |= rc == ERR_TIMEOUT;
    b->next[0] = 0;
    b->at++;
    return true;
}

static void
redfish_bmc_answer(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct redfish_bmc *b = ctx;
    int64_t spent = clock_mono_us() - b->began_us;
    const struct redfish_conf *c = b->r->conf;
    char text[128];
    const char *why = NULL;
    if (atomic_load(&b->r->stopping)) {
        store_batch_free(b->batch);
        b->batch = NULL;
        atomic_store(&b->busy, false);
        return;
    }
    if (rc)
        why = redfish_bmc_passes(b, rc) ? NULL : err->text;
    else if (b->phase == REDFISH_LOGIN && resp->status != 401 && resp->status != 403)
        redfish_bmc_signed_in(b, resp);
    else if (resp->status >= 200 && resp->status < 300)
        redfish_bmc_document(b, resp);
    else
        why = redfish_bmc_refused(b, resp->status, text);
    if (!why && spent > 1000 * (c->interval > c->timeout ? c->interval : c->timeout))
        why = "it took longer than the interval";
    if (why)
        redfish_bmc_end(b, why);
    else
        redfish_bmc_step(b);
}

static void
redfish_bmc_ask(struct redfish_bmc *b, const char *url, const struct buf *body)
{
    struct httpc_request req = {.url = url};
    static const char *const json[] = {"Content-Type: application/json", NULL};
    const char *headers[2];
    char scratch[300];
    struct buf secret;
    redfish_bmc_request(b, &req, scratch, headers, &secret);
    if (body) {
        req.body = buf_str(body);
        req.body_len = body->len;
        req.headers = json;
    }
    int rc = httpc_pool_submit(b->r->pool, &req, redfish_bmc_answer, b);
    buf_done(&secret);
    if (rc)
        redfish_bmc_end(b, err_text(rc));
}

static void
redfish_bmc_sign_in(struct redfish_bmc *b)
{
    struct buf url, body, secret;
    struct jsonw w;
    buf_init(&url, 4096);
    buf_init(&body, 8192);
    buf_printf(&url, "%s/redfish/v1/SessionService/Sessions", b->base);
    redfish_bmc_secret(b, &secret);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    jsonw_kstr(&w, "UserName", redfish_bmc_user(b));
    jsonw_kstr(&w, "Password", buf_str(&secret));
    jsonw_end_object(&w);
    redfish_bmc_ask(b, buf_str(&url), &body);
    buf_done(&secret);
    buf_done(&body);
    buf_done(&url);
}

/* Is the path one that the phase asks for? */
static bool
redfish_bmc_due(const struct redfish_bmc *b, const struct redfish_path *p)
{
    switch (b->phase) {
    case REDFISH_DISCOVER:
        return b->discovering && p->found && !p->walked && p->role != REDFISH_READ &&
               p->role != REDFISH_ENTRIES;
    case REDFISH_VALUES:
        return p->role == REDFISH_READ || p->role == REDFISH_BOTH ||
               (p->role == REDFISH_EXPAND && b->expands);
    case REDFISH_LOGS:
        return b->logs_due && p->log;
    default:
        return false;
    }
}

static void
redfish_bmc_discovered(struct redfish_bmc *b)
{
    if (!b->discovering)
        return;
    b->discovering = false;
    redfish_bmc_sweep(b);
    b->discover_us = b->began_us + b->r->conf->discovery_interval * 1000;
}

/* The next question of the round, or its end. */
static void
redfish_bmc_step(struct redfish_bmc *b)
{
    struct buf url;
    if (b->phase == REDFISH_LOGIN) {
        redfish_bmc_sign_in(b);
        return;
    }
    while (b->phase < REDFISH_DONE) {
        while (b->at < b->count && !redfish_bmc_due(b, &b->paths[b->at]))
            b->at++;
        if (b->at < b->count)
            break;
        if (b->phase == REDFISH_DISCOVER)
            redfish_bmc_discovered(b);
        b->phase++;
        b->at = 0;
    }
    if (b->phase == REDFISH_DONE) {
        redfish_bmc_end(b, NULL);
        return;
    }
    struct redfish_path *p = &b->paths[b->at];
    buf_init(&url, 4096);
    if (b->phase == REDFISH_LOGS)
        redfish_log_url(b, p, &url);
    else
        buf_printf(&url, "%s%s%s", b->base, p->path,
                   p->role == REDFISH_EXPAND && b->expands ? "?$expand=.($levels=1)" : "");
    p->walked |= b->phase == REDFISH_DISCOVER;
    redfish_bmc_ask(b, buf_str(&url), NULL);
    buf_done(&url);
}

void
redfish_bmc_begin(struct redfish_bmc *b)
{
    const struct redfish_conf *c = b->r->conf;
    b->began_us = clock_mono_us();
    b->at_ms = clock_now_ms(store_clock(b->r->env.store));
    b->due_us = b->began_us + c->interval * 1000;
    if (!(b->batch = store_batch_new(b->r->env.store)))
        return;
    b->written = b->skipped = b->at = 0;
    b->relogged = b->late = false;
    b->next[0] = 0;
    b->discovering = b->began_us >= b->discover_us;
    b->logs_due = b->began_us >= b->logs_us;
    b->basic |= c->auth == REDFISH_AUTH_BASIC;
    b->phase = c->auth == REDFISH_AUTH_SESSION && !b->basic && !*b->token ? REDFISH_LOGIN
                                                                          : REDFISH_DISCOVER;
    for (size_t i = 0; b->discovering && i < b->count; i++)
        b->paths[i].found = b->paths[i].walked = false;
    if (b->discovering)
        redfish_bmc_link(b, REDFISH_WALK, "/redfish/v1/");
    atomic_store(&b->busy, true);
    redfish_bmc_step(b);
}
