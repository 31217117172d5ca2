/* alert: who is told of an incident, and the thread that tells them.
 *
 * Outbox documents: kind "outbox", id = the Idempotency-Key incident:revision:receiver, key =
 * incident, state pending, delivered, failed, silenced or dropped, time = when it is due. The
 * incident is read anew at delivery, so that a page says what is known then; one that ended or was
 * merged before its page was due is dropped. A row of an unreachable receiver is tried again with
 * growing pauses for a day. Nodes are isolated by analyzer/isolate.h. */
#include "analyzer/alert.h"

#include "analyzer/alert_conf.h"
#include "analyzer/alert_send.h"
#include "analyzer/incident_doc.h"
#include "analyzer/isolate.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/map.h"
#include "base/regex.h"
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_BATCH        100
#define ALERT_GIVE_UP_MS   86400000
#define ALERT_PAUSE_MAX_MS 60000
#define ALERT_ROW_MAX      8192
#define ALERT_RECEIVERS    64
#define ALERT_FOLLOW_MS    1000

struct alert_state { /* of one receiver, for its row in the API */
    char name[64];
    int64_t success_ms, error_ms;
    char error[256];
};

struct alert {
    struct alert_config cfg;
    pthread_mutex_t mutex;     /* conf, states, wake, lent */
    pthread_cond_t wake, back; /* back: nobody holds a receiver of conf any more */
    const struct alert_conf *conf;
    struct alert_state states[ALERT_RECEIVERS];
    size_t state_count;
    int64_t heartbeat_ms, followed_ms;
    unsigned lent; /* tests that are sending by a receiver of conf */
    bool woken, stop, started;
    pthread_t thread;
    struct httpc *http;
    _Atomic uint64_t delivered, failed, dropped, retries;
};

/* --- routing ---------------------------------------------------------------------------------- */

static bool
alert_word_in(const char *list, const char *word)
{
    size_t n;
    const char *p = list, *f;
    if (!list)
        return true;
    while ((f = str_field(&p, "|", &n)))
        if (strlen(word) == n && !strncmp(f, word, n))
            return true;
    return false;
}

static bool
alert_matches(const struct alert_match *m, const struct doc_node *incident)
{
    const struct doc_node *h = doc_at(doc_get(incident, "hypotheses"), 0);
    return alert_word_in(m->severity, doc_get_str(incident, "severity", "")) &&
           alert_word_in(m->class_name, doc_get_str(h, "class", "")) &&
           (!m->cause || str_glob(m->cause, doc_get_str(h, "cause", ""))) &&
           (!m->entity || str_glob(m->entity, doc_get_str(h, "entity", ""))) &&
           (!m->tenant || !strcmp(m->tenant, doc_get_str(incident, "tenant", "")));
}

static size_t
alert_receivers(const struct alert_conf *c, const struct doc_node *incident,
                const struct alert_receiver **out, size_t size)
{
    const struct alert_subroute *r = c->route.routes.at;
    size_t n = 0;
    bool taken = false;
    for (size_t i = 0; i < c->route.routes.count && n < size; i++)
        if (alert_matches(&r[i].match, incident)) {
            out[n++] = alert_conf_receiver(c, r[i].receiver);
            taken = true;
            if (!r[i].go_on)
                return n;
        }
    if (!taken && c->route.receiver && n < size)
        out[n++] = alert_conf_receiver(c, c->route.receiver);
    return n;
}

/* --- the outbox's rows ------------------------------------------------------------------------ */

struct alert_told {
    const char *receiver;
    bool open, resolved;
    int severity;
};
struct alert_history {
    struct alert_told at[ALERT_RECEIVERS];
    size_t count;
    struct arena *arena;
};

static int
alert_history_cb(void *ctx, const struct catalog_doc *d)
{
    struct alert_history *h = ctx;
    struct doc *doc = NULL;
    if (!strcmp(d->state, "dropped") || doc_parse_json(d->json, d->json_len, d->id, &doc, NULL))
        return 0;
    const char *receiver = doc_get_str(doc_root(doc), "receiver", "");
    size_t i = 0;
    while (i < h->count && strcmp(h->at[i].receiver, receiver))
        i++;
    if (i == h->count && h->count < ALERT_RECEIVERS)
        h->at[h->count++] =
            (struct alert_told){.receiver = arena_str(h->arena, receiver, strlen(receiver))};
    if (i < h->count) {
        bool resolved = !strcmp(doc_get_str(doc_root(doc), "kind", ""), "resolved");
        int severity = (int)doc_get_int(doc_root(doc), "severity", 0);
        /* newest first: the first row seen says where things stand */
        if (!h->at[i].open && !h->at[i].resolved) {
            h->at[i].open = !resolved;
            h->at[i].resolved = resolved;
        }
        h->at[i].severity = severity > h->at[i].severity ? severity : h->at[i].severity;
    }
    doc_free(doc);
    return 0;
}

static const struct alert_told *
alert_told(const struct alert_history *h, const char *receiver)
{
    static const struct alert_told none;
    for (size_t i = 0; i < h->count; i++)
        if (!strcmp(h->at[i].receiver, receiver))
            return &h->at[i];
    return &none;
}

struct alert_row {
    const char *incident, *receiver, *kind, *title_en, *title_zh, *tenant;
    uint64_t revision;
    int severity;
    int64_t created_ms, due_ms;
};

/* Texts in the arena; false without memory. */
static bool
alert_row_make(const struct alert_row *r, struct arena *arena, struct catalog_change *out)
{
    struct buf json;
    struct jsonw w;
    char id[320];
    buf_init(&json, ALERT_ROW_MAX);
    jsonw_init(&w, &json);
    int n = snprintf(id, sizeof id, "%s:%llu:%s", r->incident, (unsigned long long)r->revision,
                     r->receiver);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", id);
    jsonw_kstr(&w, "incident", r->incident);
    jsonw_ktext(&w, "title", r->title_en, r->title_zh);
    jsonw_kstr(&w, "receiver", r->receiver);
    jsonw_kint(&w, "revision", (int64_t)r->revision);
    jsonw_kstr(&w, "kind", r->kind);
    jsonw_kint(&w, "severity", r->severity);
    jsonw_kint(&w, "attempts", 0);
    jsonw_ktime(&w, "created", r->created_ms);
    jsonw_end_object(&w);
    *out = (struct catalog_change){.op = CATALOG_PUT,
                                   .doc = {.kind = "outbox",
                                           .id = arena_str(arena, id, (size_t)n),
                                           .tenant = r->tenant,
                                           .state = "pending",
                                           .key = r->incident,
                                           .time_ms = r->due_ms,
                                           .json = arena_str(arena, buf_str(&json), json.len),
                                           .json_len = json.len}};
    bool ok = !json.failed && out->doc.id && out->doc.json;
    buf_done(&json);
    return ok;
}

struct alert_plan {
    struct alert *a;
    struct alert_row row;
    struct arena *arena;
    struct catalog_change *changes;
    size_t size, count;
};

static void
alert_plan_add(struct alert_plan *p, const char *receiver, const char *kind, int64_t due_ms)
{
    p->row.receiver = receiver;
    p->row.kind = kind;
    p->row.due_ms = due_ms;
    if (p->count < p->size && alert_row_make(&p->row, p->arena, &p->changes[p->count]))
        p->count++;
}

static void
alert_plan_incident(struct alert_plan *p, const struct doc_node *n, const struct alert_history *h,
                    int64_t now_ms)
{
    const struct alert_receiver *to[ALERT_RECEIVERS];
    const struct alert_conf *c = p->a->conf;
    bool resolved = !strcmp(doc_get_str(n, "state", ""), "resolved"), first = h->count == 0;
    size_t count = alert_receivers(c, n, to, ALERT_RECEIVERS);
    for (size_t i = 0; resolved && i < h->count; i++) {
        const struct alert_receiver *r = alert_conf_receiver(c, h->at[i].receiver);
        if (r && r->send_resolved && h->at[i].open)
            alert_plan_add(p, r->name, "resolved", now_ms);
    }
    for (size_t i = 0; !resolved && i < count; i++) {
        const struct alert_told *t = alert_told(h, to[i]->name);
        if (!t->open || p->row.severity > t->severity)
            alert_plan_add(p, to[i]->name, "firing", now_ms + (first ? c->route.group_wait_ms : 0));
    }
    const struct alert_escalation *e = c->route.escalate.at;
    for (size_t i = 0; !resolved && first && p->count && i < c->route.escalate.count; i++)
        if (!alert_told(h, e[i].receiver)->open)
            alert_plan_add(p, e[i].receiver, "escalation", now_ms + e[i].after_ms);
}

size_t
alert_outbox_rows(struct alert *a, const char *incident_json, size_t len, uint64_t revision,
                  int64_t now_ms, struct arena *arena, struct catalog_change *changes, size_t size)
{
    struct doc *d = NULL;
    struct alert_history h = {.arena = arena};
    if (doc_parse_json(incident_json, len, "incident", &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *title = doc_get(n, "title");
    const char *id = doc_get_str(n, "id", "");
    struct catalog_query q = {.kind = "outbox", .key = id, .limit = 200};
    struct alert_plan p = {.a = a,
                           .arena = arena,
                           .changes = changes,
                           .size = size,
                           .row = {.incident = arena_str(arena, id, strlen(id)),
                                   .revision = revision,
                                   .created_ms = now_ms,
                                   .title_en = doc_get_str(title, "en", ""),
                                   .title_zh = doc_get_str(title, "zh", ""),
                                   .tenant = "",
                                   .severity = severity_find(doc_get_str(n, "severity", "info"))}};
    bool told = !strcmp(doc_get_str(n, "verdict", ""), "infrastructure") &&
                strcmp(doc_get_str(n, "severity", ""), "info");
    catalog_list(a->cfg.store, &q, alert_history_cb, &h, NULL, NULL);
    pthread_mutex_lock(&a->mutex);
    if (a->conf && p.row.incident && (told || h.count))
        alert_plan_incident(&p, n, &h, now_ms);
    pthread_mutex_unlock(&a->mutex);
    doc_free(d);
    return p.count;
}

void
alert_wake(struct alert *a)
{
    pthread_mutex_lock(&a->mutex);
    a->woken = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mutex);
}

/* --- silences --------------------------------------------------------------------------------- */

struct alert_silence {
    const struct doc_node *incident;
    int64_t now_ms, until_ms;
};

static const char *
alert_attribute(const struct doc_node *incident, const char *name)
{
    const struct doc_node *h = doc_at(doc_get(incident, "hypotheses"), 0);
    if (!strcmp(name, "severity") || !strcmp(name, "tenant"))
        return doc_get_str(incident, name, "");
    if (!strcmp(name, "job"))
        return doc_str(doc_at(doc_get(incident, "jobs"), 0), "");
    return doc_get_str(h, name, "");
}

static bool
alert_silence_matches(const struct doc_node *matcher, const struct doc_node *incident)
{
    char node[128] = "", with_kind[160];
    const char *name = doc_get_str(matcher, "name", ""), *value = doc_get_str(matcher, "value", "");
    const char *have = alert_attribute(incident, name);
    bool equal = doc_get_bool(matcher, "equal", true), is;
    if (!strcmp(name, "node") && alert_node(incident, node, sizeof node))
        have = node;
    snprintf(with_kind, sizeof with_kind, "node:%s", node);
    if (doc_get_bool(matcher, "regex", false)) {
        struct regex *re = NULL;
        is = !regex_compile(value, strlen(value), REGEX_ANCHORED, &re, NULL) &&
             regex_match(re, have, strlen(have), NULL, NULL) > 0;
        regex_free(re);
    } else {
        is = !strcmp(have, value) || (*node && !strcmp(with_kind, value));
    }
    return is == equal;
}

static int
alert_silence_cb(void *ctx, const struct catalog_doc *c)
{
    struct alert_silence *s = ctx;
    struct doc *d = NULL;
    int64_t start = 0, end = 0;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *m = doc_get(n, "matchers");
    time_parse(doc_get_str(n, "start", "0"), &start);
    time_parse(doc_get_str(n, "end", "0"), &end);
    bool all = m && m->count && start <= s->now_ms && s->now_ms < end;
    for (const struct doc_node *k = all ? m->first : NULL; all && k; k = k->next)
        all = alert_silence_matches(k, s->incident);
    if (all && end > s->until_ms)
        s->until_ms = end;
    doc_free(d);
    return 0;
}

static int64_t
alert_silenced(struct alert *a, const struct doc_node *incident, int64_t now_ms)
{
    struct alert_silence s = {incident, now_ms, 0};
    struct catalog_query q = {.kind = "silence", .limit = 1000};
    catalog_list(a->cfg.store, &q, alert_silence_cb, &s, NULL, NULL);
    return s.until_ms;
}

/* --- delivery --------------------------------------------------------------------------------- */

struct alert_due {
    char *id, *json, *incident;
    size_t len;
};
struct alert_due_list {
    struct alert_due at[ALERT_BATCH];
    size_t count;
};

static int
alert_due_cb(void *ctx, const struct catalog_doc *d)
{
    struct alert_due_list *l = ctx;
    if (l->count < ALERT_BATCH)
        l->at[l->count++] = (struct alert_due){strdup(d->id), strndup(d->json, d->json_len),
                                               strdup(d->key), d->json_len};
    return 0;
}

static struct alert_state *
alert_state_of(struct alert *a, const char *receiver)
{
    for (size_t i = 0; i < a->state_count; i++)
        if (!strcmp(a->states[i].name, receiver))
            return &a->states[i];
    if (a->state_count == ALERT_RECEIVERS)
        return &a->states[ALERT_RECEIVERS - 1];
    struct alert_state *s = &a->states[a->state_count++];
    *s = (struct alert_state){0};
    str_copy(s->name, sizeof s->name, receiver);
    return s;
}

/* Puts the row back with its new state; the former members are kept. */
static void
alert_row_update(struct alert *a, const struct alert_due *due, const struct doc_node *row,
                 const char *state, int64_t due_ms, int64_t attempts, int64_t delivered_ms,
                 const char *note)
{
    struct buf json;
    struct jsonw w;
    buf_init(&json, ALERT_ROW_MAX);
    jsonw_init(&w, &json);
    jsonw_object(&w);
    for (const struct doc_node *c = row->first; c; c = c->next)
        if (strcmp(c->key, "attempts") && strcmp(c->key, "delivered") && strcmp(c->key, "error") &&
            strcmp(c->key, "state")) {
            jsonw_key(&w, c->key);
            incident_doc_copy(c, &w);
        }
    jsonw_kstr(&w, "state", state);
    jsonw_kint(&w, "attempts", attempts);
    jsonw_ktime(&w, "delivered", delivered_ms);
    jsonw_kstr(&w, "error", note && *note ? note : NULL);
    jsonw_end_object(&w);
    struct catalog_doc d = {.kind = "outbox",
                            .id = due->id,
                            .tenant = "",
                            .state = state,
                            .key = due->incident,
                            .time_ms = due_ms,
                            .json = buf_str(&json),
                            .json_len = json.len};
    struct err err;
    if (catalog_put(a->cfg.store, &d, &err))
        log_write(a->cfg.log, LOG_LEVEL_ERROR, "alerts: the outbox could not be written: %s",
                  err.text);
    if (a->cfg.publish)
        a->cfg.publish(a->cfg.publish_ctx, "alert", buf_str(&json), "");
    buf_done(&json);
}

static int
alert_deliver_to(struct alert *a, const struct alert_receiver *r, const struct alert_message *m,
                 struct buf *note, int64_t now_ms, struct err *err)
{
    struct isolate iso = {a->cfg.store, a->http, a->cfg.log, now_ms};
    int rc = isolate_hook_of(r) ? isolate_run(&iso, r, m, note, err)
                                : alert_send(a->http, r, m, note, err);
    pthread_mutex_lock(&a->mutex);
    struct alert_state *s = alert_state_of(a, r->name);
    if (rc && rc != ERR_BUSY) { /* a receiver that waits for a surer diagnosis is well */
        s->error_ms = now_ms;
        str_copy(s->error, sizeof s->error, err->text);
    } else if (!rc) {
        s->success_ms = now_ms;
        s->error[0] = 0;
    }
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

struct alert_incident {
    struct doc *doc;
    char *json;
    size_t len;
};

static int
alert_incident_cb(void *ctx, const struct catalog_doc *d)
{
    struct alert_incident *i = ctx;
    i->json = strndup(d->json, d->json_len);
    i->len = d->json_len;
    return i->json ? doc_parse_json(i->json, i->len, d->id, &i->doc, NULL) : ERR_NOMEM;
}

/* Why a due row is not sent after all; NULL: send it. */
static const char *
alert_obsolete(const char *kind, const struct doc_node *incident)
{
    const char *state = doc_get_str(incident, "state", "");
    if (!incident)
        return "the incident is gone";
    if (doc_get(incident, "merged_into") && strcmp(kind, "resolved"))
        return "merged into another incident before it was sent";
    if (!strcmp(kind, "firing") && !strcmp(state, "resolved"))
        return "ended before it was sent";
    if (!strcmp(kind, "escalation") && strcmp(state, "open"))
        return "acknowledged or ended before its time";
    return NULL;
}

static int64_t
alert_pause(int64_t attempts)
{
    int64_t ms = 1000;
    for (int64_t i = 1; i < attempts && ms < ALERT_PAUSE_MAX_MS; i++)
        ms *= 2;
    return ms > ALERT_PAUSE_MAX_MS ? ALERT_PAUSE_MAX_MS : ms;
}

static void
alert_outcome(struct alert *a, const struct alert_due *due, const struct doc_node *row, int rc,
              const struct buf *note, const struct err *err, int64_t now_ms)
{
    int64_t attempts = doc_get_int(row, "attempts", 0) + 1, created = now_ms;
    time_parse(doc_get_str(row, "created", "0"), &created);
    if (!rc) {
        atomic_fetch_add(&a->delivered, 1);
        alert_row_update(a, due, row, "delivered", now_ms, attempts, now_ms, buf_str(note));
    } else if (rc == ERR_RANGE || rc == ERR_DENIED || rc == ERR_UNSUPPORTED ||
               now_ms - created > ALERT_GIVE_UP_MS) {
        atomic_fetch_add(&a->failed, 1);
        alert_row_update(a, due, row, "failed", now_ms, attempts, 0, err->text);
        log_write(a->cfg.log, LOG_LEVEL_ERROR, "alerts: %s given up: %s", due->id, err->text);
    } else {
        atomic_fetch_add(&a->retries, 1);
        alert_row_update(a, due, row, "pending", now_ms + alert_pause(attempts), attempts, 0,
                         err->text);
    }
}

static void
alert_deliver(struct alert *a, const struct alert_conf *conf, const struct alert_due *due,
              const struct doc_node *row, int64_t now_ms)
{
    struct alert_incident inc = {0};
    struct err err = {0};
    struct buf note;
    const char *kind = doc_get_str(row, "kind", "firing");
    const struct alert_receiver *r =
        conf ? alert_conf_receiver(conf, doc_get_str(row, "receiver", "")) : NULL;
    catalog_get(a->cfg.store, "incident", due->incident, alert_incident_cb, &inc, NULL);
    const struct doc_node *n = inc.doc ? doc_root(inc.doc) : NULL;
    const char *obsolete = !r ? "its receiver is no longer configured" : alert_obsolete(kind, n);
    int64_t until = obsolete || !strcmp(kind, "resolved") ? 0 : alert_silenced(a, n, now_ms);
    buf_init(&note, 4096);
    if (obsolete) {
        atomic_fetch_add(&a->dropped, 1);
        alert_row_update(a, due, row, "dropped", now_ms, doc_get_int(row, "attempts", 0), 0,
                         obsolete);
    } else if (until) {
        alert_row_update(a, due, row, "silenced", until, doc_get_int(row, "attempts", 0), 0,
                         "silenced");
    } else {
        struct alert_message m = {.incident = n,
                                  .incident_json = inc.json,
                                  .incident_len = inc.len,
                                  .idempotency_key = due->id,
                                  .base_url = a->cfg.base_url,
                                  .resolved = !strcmp(kind, "resolved")};
        int rc = alert_deliver_to(a, r, &m, &note, now_ms, &err);
        alert_outcome(a, due, row, rc, &note, &err, now_ms);
    }
    buf_done(&note);
    doc_free(inc.doc);
    free(inc.json);
}

/* One round over what is due. A receiver that failed in this round is not asked again in it. */
static size_t
alert_round(struct alert *a, int64_t now_ms)
{
    struct alert_due_list *l = calloc(1, sizeof *l);
    struct catalog_query q = {.kind = "outbox",
                              .state = "pending|silenced",
                              .from_ms = 1,
                              .to_ms = now_ms + 1,
                              .limit = ALERT_BATCH,
                              .ascending = true};
    if (!l)
        return 0;
    catalog_list(a->cfg.store, &q, alert_due_cb, l, NULL, NULL);
    pthread_mutex_lock(&a->mutex);
    const struct alert_conf *conf = a->conf;
    pthread_mutex_unlock(&a->mutex);
    for (size_t i = 0; i < l->count; i++) {
        struct doc *d = NULL;
        if (l->at[i].json && l->at[i].id &&
            !doc_parse_json(l->at[i].json, l->at[i].len, "outbox", &d, NULL))
            alert_deliver(a, conf, &l->at[i], doc_root(d), clock_now_ms(a->cfg.clock));
        doc_free(d);
        free(l->at[i].id);
        free(l->at[i].json);
        free(l->at[i].incident);
    }
    size_t n = l->count;
    free(l);
    return n;
}

static void
alert_heartbeat(struct alert *a, int64_t now_ms)
{
    const struct alert_conf *c = a->conf;
    const struct alert_receiver *r = c ? alert_conf_receiver(c, c->heartbeat.receiver) : NULL;
    char key[128];
    struct buf note;
    struct err err;
    if (!r || now_ms - a->heartbeat_ms < c->heartbeat.every_ms)
        return;
    a->heartbeat_ms = now_ms;
    snprintf(key, sizeof key, "heartbeat:%lld:%s", (long long)now_ms, r->name);
    struct alert_message m = {
        .idempotency_key = key, .base_url = a->cfg.base_url, .heartbeat = true};
    buf_init(&note, 4096);
    alert_deliver_to(a, r, &m, &note, now_ms, &err);
    buf_done(&note);
}

static void
alert_isolated(struct alert *a, int64_t now_ms)
{
    struct isolate iso = {a->cfg.store, a->http, a->cfg.log, now_ms};
    if (now_ms - a->followed_ms < ALERT_FOLLOW_MS && now_ms >= a->followed_ms)
        return;
    a->followed_ms = now_ms;
    isolate_follow(&iso, a->conf);
}

static void *
alert_run(void *ctx)
{
    struct alert *a = ctx;
    pthread_mutex_lock(&a->mutex);
    while (!a->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        if (!a->woken)
            pthread_cond_timedwait(&a->wake, &a->mutex, &until);
        a->woken = false;
        pthread_mutex_unlock(&a->mutex);
        int64_t now_ms = clock_now_ms(a->cfg.clock);
        alert_heartbeat(a, now_ms);
        alert_round(a, now_ms);
        alert_isolated(a, now_ms);
        pthread_mutex_lock(&a->mutex);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

int
alert_new(const struct alert_config *cfg, struct alert **ret, struct err *err)
{
    pthread_condattr_t attr;
    int rc = cfg->conf ? alert_conf_check(cfg->conf, err) : 0;
    struct alert *a = rc ? NULL : calloc(1, sizeof *a);
    if (rc || !a)
        return rc ? rc : err_set(err, ERR_NOMEM, "no memory for alerts");
    a->cfg = *cfg;
    a->conf = cfg->conf;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&a->back, NULL);
    if (!(a->http = httpc_new())) {
        alert_free(a);
        return err_set(err, ERR_NOMEM, "no memory for alerts");
    }
    *ret = a;
    return 0;
}

int
alert_start(struct alert *a, struct err *err)
{
    if (pthread_create(&a->thread, NULL, alert_run, a))
        return err_set(err, ERR_NOMEM, "the thread of alerts could not start");
    a->started = true;
    return 0;
}

void
alert_stop(struct alert *a)
{
    if (!a->started)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    a->started = false;
}

void
alert_free(struct alert *a)
{
    if (!a)
        return;
    alert_stop(a);
    httpc_free(a->http);
    pthread_cond_destroy(&a->wake);
    pthread_cond_destroy(&a->back);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}

/* The deliverer and tests read the configuration outside the lock: the first is stopped while the
 * pointer changes, the others are waited for, and when this returns nobody reads the one before. On
 * failure that one stays in force. */
int
alert_reconfigure(struct alert *a, const void *conf, struct err *err)
{
    int rc = conf ? alert_conf_check(conf, err) : 0;
    bool run = a->started;
    if (rc)
        return rc;
    alert_stop(a);
    pthread_mutex_lock(&a->mutex);
    while (a->lent)
        pthread_cond_wait(&a->back, &a->mutex);
    const struct alert_conf *old = a->conf;
    a->conf = conf;
    a->stop = false;
    pthread_mutex_unlock(&a->mutex);
    if (run && (rc = alert_start(a, err))) {
        pthread_mutex_lock(&a->mutex);
        a->conf = old;
        pthread_mutex_unlock(&a->mutex);
    }
    return rc;
}

int
alert_test(struct alert *a, const char *receiver, struct err *err)
{
    struct buf note;
    char key[160];
    struct httpc *http = httpc_new();
    pthread_mutex_lock(&a->mutex);
    const struct alert_receiver *r = a->conf ? alert_conf_receiver(a->conf, receiver) : NULL;
    a->lent++;
    pthread_mutex_unlock(&a->mutex);
    snprintf(key, sizeof key, "test:%lld:%.80s", (long long)clock_now_ms(NULL), receiver);
    struct alert_message m = {.idempotency_key = key, .base_url = a->cfg.base_url, .test = true};
    buf_init(&note, 4096);
    int rc = !r     ? err_set(err, ERR_NOTFOUND, "no receiver is named %s", receiver)
             : http ? alert_send(http, r, &m, &note, err)
                    : err_set(err, ERR_NOMEM, "no memory");
    pthread_mutex_lock(&a->mutex);
    if (!--a->lent)
        pthread_cond_broadcast(&a->back);
    pthread_mutex_unlock(&a->mutex);
    if (!rc && err)
        err_set(err, 0, "%s", buf_str(&note)); /* what the receiver said */
    buf_done(&note);
    httpc_free(http);
    return rc;
}

/* The address without what follows the host: it often carries a key. */
static void
alert_target(const struct alert_receiver *r, char *out, size_t size)
{
    const struct alert_http *https[] = {&r->webhook, &r->dingtalk, &r->feishu, &r->wecom,
                                        &r->alertmanager};
    str_copy(out, size,
             r->email.to.count       ? r->email.to.at[0]
             : r->command.argv.count ? r->command.argv.at[0]
             : r->slurm.scontrol     ? r->slurm.scontrol
             : r->kubernetes.url     ? r->kubernetes.url
                                     : "");
    for (size_t i = 0; i < 5; i++)
        if (https[i]->url) {
            const char *host = strstr(https[i]->url, "://");
            size_t n = host ? strcspn(host + 3, "/?") + 3 + (size_t)(host - https[i]->url)
                            : strlen(https[i]->url);
            snprintf(out, size, "%.*s%s", (int)n, https[i]->url, https[i]->url[n] ? "/..." : "");
        }
}

void
alert_receivers_json(struct alert *a, struct buf *out)
{
    struct jsonw w;
    char target[256];
    jsonw_init(&w, out);
    jsonw_array(&w);
    pthread_mutex_lock(&a->mutex);
    const struct alert_receiver *r = a->conf ? a->conf->receivers.at : NULL;
    for (size_t i = 0; a->conf && i < a->conf->receivers.count; i++) {
        struct alert_state *s = alert_state_of(a, r[i].name);
        alert_target(&r[i], target, sizeof target);
        jsonw_object(&w);
        jsonw_kstr(&w, "name", r[i].name);
        jsonw_kstr(&w, "kind", alert_kind_word(alert_receiver_kind(&r[i])));
        jsonw_kstr(&w, "target", target);
        jsonw_kstr(&w, "state", s->error[0] ? "failing" : s->success_ms ? "ok" : "idle");
        jsonw_ktime(&w, "last_success", s->success_ms);
        jsonw_kstr(&w, "last_error", s->error[0] ? s->error : NULL);
        jsonw_ktime(&w, "last_error_time", s->error_ms);
        jsonw_end_object(&w);
    }
    pthread_mutex_unlock(&a->mutex);
    jsonw_end_array(&w);
}

void
alert_breaker_json(struct alert *a, int64_t now_ms, struct buf *out)
{
    struct isolate iso = {a->cfg.store, NULL, a->cfg.log, now_ms};
    pthread_mutex_lock(&a->mutex);
    const struct alert_conf *conf = a->conf;
    a->lent++;
    pthread_mutex_unlock(&a->mutex);
    isolate_breaker_json(&iso, conf, out);
    pthread_mutex_lock(&a->mutex);
    if (!--a->lent)
        pthread_cond_broadcast(&a->back);
    pthread_mutex_unlock(&a->mutex);
}

void
alert_metrics(struct alert *a, struct buf *out)
{
    const struct {
        const char *outcome;
        uint64_t n;
    } rows[] = {{"delivered", atomic_load(&a->delivered)},
                {"failed", atomic_load(&a->failed)},
                {"dropped", atomic_load(&a->dropped)},
                {"retried", atomic_load(&a->retries)}};
    buf_puts(out, "# HELP myriascope_alert_deliveries_total Notifications by outcome.\n# TYPE "
                  "myriascope_alert_deliveries_total counter\n");
    for (size_t i = 0; i < 4; i++)
        buf_printf(out, "myriascope_alert_deliveries_total{outcome=\"%s\"} %llu\n", rows[i].outcome,
                   (unsigned long long)rows[i].n);
}
