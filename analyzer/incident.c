/* incident: what people do to an incident: read the document, change it, put it back if nobody
 * changed it meanwhile. */
#include "analyzer/incident.h"

#include "analyzer/incident_doc.h"
#include "base/clock.h"
#include "store/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INCIDENT_TRIES 8 /* a change that collides this often means somebody writes in a loop */
#define INCIDENT_MAX   ((size_t)4 << 20)

struct incident_copy {
    char *json, *key, *tenant;
    size_t len;
    uint64_t revision;
    int64_t time_ms;
};

static int
incident_read_cb(void *ctx, const struct catalog_doc *d)
{
    struct incident_copy *c = ctx;
    c->json = strndup(d->json, d->json_len);
    c->key = strdup(d->key ? d->key : "");
    c->tenant = strdup(d->tenant ? d->tenant : "");
    c->len = d->json_len;
    c->revision = d->revision;
    c->time_ms = d->time_ms;
    return c->json && c->key && c->tenant ? 0 : ERR_NOMEM;
}

static void
incident_copy_done(struct incident_copy *c)
{
    free(c->json);
    free(c->key);
    free(c->tenant);
    *c = (struct incident_copy){0};
}

static int
incident_write(struct store *s, const char *id, const struct incident_copy *c,
               const struct incident_change *change, const struct doc_node *root, struct err *err)
{
    struct buf out;
    const char *state = change->state >= 0 ? incident_state_word((enum incident_state)change->state)
                                           : doc_get_str(root, "state", "open");
    buf_init(&out, INCIDENT_MAX);
    int rc = incident_doc_change(root, change, &out);
    struct catalog_change put = {.op = CATALOG_PUT_IF,
                                 .doc = {.kind = "incident",
                                         .id = id,
                                         .tenant = c->tenant,
                                         .state = state,
                                         .key = c->key,
                                         .time_ms = c->time_ms,
                                         .revision = c->revision,
                                         .json = buf_str(&out),
                                         .json_len = out.len}};
    if (!rc)
        rc = catalog_apply(s, &put, 1, NULL, err);
    else
        err_set(err, rc, "the incident's document would grow too large");
    buf_done(&out);
    return rc;
}

static int
incident_apply(struct store *s, const char *id, const struct incident_change *change,
               struct err *err)
{
    int rc = ERR_STATE;
    for (int i = 0; i < INCIDENT_TRIES && rc == ERR_STATE; i++) {
        struct incident_copy c = {0};
        struct doc *d = NULL;
        rc = catalog_get(s, "incident", id, incident_read_cb, &c, err);
        if (!rc)
            rc = doc_parse_json(c.json, c.len, id, &d, err);
        if (!rc)
            rc = incident_write(s, id, &c, change, doc_root(d), err);
        doc_free(d);
        incident_copy_done(&c);
    }
    return rc;
}

static int64_t
incident_now(struct store *s)
{
    return clock_now_ms(store_clock(s));
}

int
incident_acknowledge(struct store *s, const char *id, const char *who, struct err *err)
{
    struct incident_change c = {.state = INCIDENT_ACKNOWLEDGED,
                                .now_ms = incident_now(s),
                                .action = "acknowledged",
                                .user = who};
    return incident_apply(s, id, &c, err);
}

int
incident_resolve(struct store *s, const char *id, const char *who, const char *why, struct err *err)
{
    struct incident_change c = {.state = INCIDENT_RESOLVED,
                                .now_ms = incident_now(s),
                                .action = "resolved",
                                .user = who,
                                .text = why};
    return incident_apply(s, id, &c, err);
}

int
incident_comment(struct store *s, const char *id, const char *who, const char *text,
                 struct err *err)
{
    struct incident_change c = {
        .state = -1, .now_ms = incident_now(s), .action = "comment", .user = who, .text = text};
    if (!text || !*text)
        return err_set(err, ERR_USAGE, "a comment needs a text");
    return incident_apply(s, id, &c, err);
}

static void
incident_feedback_row(struct jsonw *w, int64_t now_ms, const char *who, bool right,
                      const char *cause, const char *entity, const char *text)
{
    jsonw_object(w);
    jsonw_ktime(w, "time", now_ms);
    jsonw_kstr(w, "user", who);
    jsonw_kbool(w, "correct", right);
    jsonw_kstr(w, "cause", cause && *cause ? cause : NULL);
    jsonw_kstr(w, "entity", entity && *entity ? entity : NULL);
    jsonw_kstr(w, "text", text && *text ? text : NULL);
    jsonw_end_object(w);
}

int
incident_feedback(struct store *s, const char *id, const char *who, bool right, const char *cause,
                  const char *entity, const char *text, struct err *err)
{
    struct buf row;
    struct jsonw w;
    char doc_id[96];
    struct incident_change c = {
        .state = -1, .now_ms = incident_now(s), .action = "feedback", .user = who, .text = text};
    buf_init(&row, 65536);
    jsonw_init(&w, &row);
    incident_feedback_row(&w, c.now_ms, who, right, cause, entity, text);
    c.feedback_json = buf_str(&row);
    int rc = row.failed ? err_set(err, ERR_LIMIT, "the feedback is longer than 64 KiB")
                        : incident_apply(s, id, &c, err);
    if (!rc) {
        snprintf(doc_id, sizeof doc_id, "%s-%lld", id, (long long)c.now_ms);
        struct catalog_doc d = {.kind = "feedback",
                                .id = doc_id,
                                .tenant = "",
                                .state = right ? "right" : "wrong",
                                .key = id,
                                .time_ms = c.now_ms,
                                .json = buf_str(&row),
                                .json_len = row.len};
        rc = catalog_put(s, &d, err);
    }
    buf_done(&row);
    return rc;
}
