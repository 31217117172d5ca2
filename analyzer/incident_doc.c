/* incident_doc: writing an incident's JSON, members in the order a person reads them. */
#include "analyzer/incident_doc.h"

#include "base/err.h"
#include "base/event.h"

#include <stdio.h>
#include <string.h>

static const char *const incident_states[] = {"open", "acknowledged", "resolved"};

const char *
incident_state_word(enum incident_state s)
{
    return incident_states[s];
}

int
incident_state_find(const char *word)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(word, incident_states[i]))
            return i;
    return ERR_NOTFOUND;
}

void
incident_doc_copy(const struct doc_node *n, struct jsonw *w)
{
    if (!n || n->kind == DOC_NULL) {
        jsonw_null(w);
    } else if (n->kind == DOC_BOOL) {
        jsonw_bool(w, n->v.b);
    } else if (n->kind == DOC_INT) {
        jsonw_int(w, n->v.i);
    } else if (n->kind == DOC_REAL) {
        jsonw_real(w, n->v.r);
    } else if (n->kind == DOC_STR) {
        jsonw_strn(w, n->str, n->len);
    } else if (n->kind == DOC_SEQ) {
        jsonw_array(w);
        for (const struct doc_node *c = n->first; c; c = c->next)
            incident_doc_copy(c, w);
        jsonw_end_array(w);
    } else {
        jsonw_object(w);
        for (const struct doc_node *c = n->first; c; c = c->next) {
            jsonw_key(w, c->key);
            incident_doc_copy(c, w);
        }
        jsonw_end_object(w);
    }
}

static void
incident_doc_history_row(struct jsonw *w, int64_t now_ms, const char *action, const char *user,
                         const char *text)
{
    jsonw_object(w);
    jsonw_ktime(w, "time", now_ms);
    jsonw_kstr(w, "user", user && *user ? user : NULL);
    jsonw_kstr(w, "action", action);
    jsonw_kstr(w, "text", text && *text ? text : NULL);
    jsonw_end_object(w);
}

#define INCIDENT_HISTORY_MAX 200

static void
incident_doc_history(const struct doc_node *before, struct jsonw *w, int64_t now_ms,
                     const char *action, const char *user, const char *text)
{
    const struct doc_node *old = doc_get(before, "history");
    size_t skip =
        old && old->count >= INCIDENT_HISTORY_MAX ? old->count - INCIDENT_HISTORY_MAX + 1 : 0;
    jsonw_key(w, "history");
    jsonw_array(w);
    for (const struct doc_node *c = old ? old->first : NULL; c; c = c->next) {
        if (skip && skip--)
            continue;
        incident_doc_copy(c, w);
    }
    if (action)
        incident_doc_history_row(w, now_ms, action, user, text);
    jsonw_end_array(w);
}

static void
incident_doc_member(const struct doc_node *before, const char *key, struct jsonw *w, bool list)
{
    const struct doc_node *n = doc_get(before, key);
    jsonw_key(w, key);
    if (n) {
        incident_doc_copy(n, w);
    } else if (list) {
        jsonw_array(w);
        jsonw_end_array(w);
    } else {
        jsonw_null(w);
    }
}

static void
incident_doc_lists(const struct incident_facts *f, struct jsonw *w)
{
    char id[32];
    jsonw_key(w, "jobs");
    jsonw_array(w);
    for (size_t i = 0; i < f->job_count; i++)
        jsonw_str(w, f->jobs[i]);
    jsonw_end_array(w);
    jsonw_key(w, "events");
    jsonw_array(w);
    for (size_t i = 0; i < f->event_count; i++) {
        snprintf(id, sizeof id, "e%llu", (unsigned long long)f->events[i]);
        jsonw_str(w, id);
    }
    jsonw_end_array(w);
}

int
incident_doc_write(const struct incident_facts *f, const struct diagnosis *d,
                   const struct doc_node *before, struct buf *out)
{
    struct jsonw w;
    const struct hypothesis *h = d->hypothesis_count ? &d->hypotheses[0] : NULL;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", f->id);
    jsonw_kstr(&w, "state", incident_state_word(f->state));
    jsonw_kstr(&w, "severity", severity_word(f->severity));
    jsonw_ktext(&w, "title", h ? h->summary.en : "Unknown", h ? h->summary.zh : "未知");
    jsonw_kstr(&w, "entity", h ? h->entity : NULL);
    jsonw_ktime(&w, "opened", f->opened_ms);
    jsonw_ktime(&w, "updated", f->updated_ms);
    jsonw_ktime(&w, "resolved", f->resolved_ms);
    jsonw_kstr(&w, "tenant", f->tenant ? f->tenant : "");
    incident_doc_member(before, "acknowledged_by", &w, false);
    incident_doc_lists(f, &w);
    diagnosis_members(d, &w);
    incident_doc_history(before, &w, f->updated_ms, f->action, f->action_user, f->action_text);
    incident_doc_member(before, "feedback", &w, true);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

static void
incident_doc_changed(const struct doc_node *n, const struct doc_node *before,
                     const struct incident_change *c, struct jsonw *w)
{
    bool state = c->state >= 0;
    if (!strcmp(n->key, "history")) {
        incident_doc_history(before, w, c->now_ms, c->action, c->user, c->text);
        return;
    }
    jsonw_key(w, n->key);
    if (!strcmp(n->key, "state") && state) {
        jsonw_str(w, incident_state_word((enum incident_state)c->state));
    } else if (!strcmp(n->key, "updated")) {
        jsonw_time(w, c->now_ms);
    } else if (!strcmp(n->key, "resolved") && state) {
        jsonw_time(w, c->state == INCIDENT_RESOLVED ? c->now_ms : 0);
    } else if (!strcmp(n->key, "acknowledged_by") && c->state == INCIDENT_ACKNOWLEDGED) {
        jsonw_str(w, c->user);
    } else if (!strcmp(n->key, "feedback") && c->feedback_json) {
        jsonw_array(w);
        for (const struct doc_node *k = n->first; k; k = k->next)
            incident_doc_copy(k, w);
        jsonw_raw(w, c->feedback_json, strlen(c->feedback_json));
        jsonw_end_array(w);
    } else {
        incident_doc_copy(n, w);
    }
}

int
incident_doc_change(const struct doc_node *before, const struct incident_change *c, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (const struct doc_node *n = before ? before->first : NULL; n; n = n->next)
        if (strcmp(n->key, "merged_into") || !c->merged_into)
            incident_doc_changed(n, before, c, &w);
    if (c->merged_into)
        jsonw_kstr(&w, "merged_into", c->merged_into);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}
