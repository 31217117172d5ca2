/* devices: device documents: made, edited, retired, with their history, each change with its row in
 * one commit. */
#include "store/devices.h"
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/devices_priv.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_JSON_MAX 65536
#define DEVICE_TRIES    16

static const char *const device_texts[DEVICE_TEXTS + 1] = {
    "cluster", "rack", "parent", "vendor", "model", "serial", "firmware", "note", NULL};
static const char *const device_members[] = {"entity",
                                             "kind",
                                             "name",
                                             "cluster",
                                             "rack",
                                             "parent",
                                             "vendor",
                                             "model",
                                             "serial",
                                             "firmware",
                                             "note",
                                             "state",
                                             "maintenance_until",
                                             "attributes",
                                             "origin",
                                             "tenant",
                                             NULL};
static const char *const device_states[] = {"active", "maintenance", "retired", NULL};

const char *const *
device_text_names(void)
{
    return device_texts;
}

/* --- documents in memory ---------------------------------------------------------------------- */

void
device_record_done(struct device_record *r)
{
    for (int i = 0; i < DEVICE_TEXTS; i++)
        free(r->texts[i]);
    for (size_t i = 0; i < r->attr_count; i++) {
        free(r->attrs[i].name);
        free(r->attrs[i].value);
    }
    free(r->attrs);
    free(r->tenant);
    memset(r, 0, sizeof *r);
}

int
device_record_attr(struct device_record *r, const char *name, const char *value)
{
    size_t i = 0;
    while (i < r->attr_count && strcmp(r->attrs[i].name, name) != 0)
        i++;
    if (i == r->attr_count) {
        if (r->attr_count >= DEVICE_ATTRS_MAX)
            return ERR_LIMIT;
        void *p = reallocarray(r->attrs, r->attr_count + 1, sizeof *r->attrs);
        if (!p)
            return ERR_NOMEM;
        r->attrs = p;
        r->attrs[i].name = strdup(name);
        r->attrs[i].value = NULL;
        if (!r->attrs[i].name)
            return ERR_NOMEM;
        r->attr_count++;
    }
    char *copy = strdup(value);
    if (!copy)
        return ERR_NOMEM;
    free(r->attrs[i].value);
    r->attrs[i].value = copy;
    return 0;
}

static int
device_record_text(char **at, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return ERR_NOMEM;
    free(*at);
    *at = copy;
    return 0;
}

int
device_record_read(struct device_record *r, const char *json, size_t len)
{
    struct doc *d = NULL;
    char number[64];
    int rc = doc_parse_json(json, len, "", &d, NULL);
    if (rc < 0)
        return rc;
    const struct doc_node *n = doc_root(d), *attrs = doc_get(n, "attributes");
    for (int i = 0; i < DEVICE_TEXTS && rc == 0; i++)
        rc = device_record_text(&r->texts[i], doc_get_str(n, device_texts[i], ""));
    if (rc == 0)
        rc = device_record_text(&r->tenant, doc_get_str(n, "tenant", ""));
    str_copy(r->state, sizeof r->state, doc_get_str(n, "state", "active"));
    str_copy(r->origin, sizeof r->origin, doc_get_str(n, "origin", "manual"));
    time_parse(doc_get_str(n, "maintenance_until", ""), &r->until_ms);
    time_parse(doc_get_str(n, "first_seen", ""), &r->first_ms);
    for (const struct doc_node *a = attrs && attrs->kind == DOC_MAP ? attrs->first : NULL;
         a && rc == 0; a = a->next)
        rc = device_record_attr(r, a->key, topo_scalar(a, number));
    doc_free(d);
    return rc;
}

void
device_record_attributes(struct jsonw *w, const struct device_record *r)
{
    jsonw_object(w);
    for (size_t i = 0; i < r->attr_count; i++)
        if (*r->attrs[i].value)
            jsonw_kstr(w, r->attrs[i].name, r->attrs[i].value);
    jsonw_end_object(w);
}

static void
device_record_write(struct jsonw *w, const char *entity, const struct device_record *r)
{
    jsonw_object(w);
    jsonw_kstr(w, "entity", entity);
    jsonw_kstr(w, "kind", entity_kind_row(entity_kind_of(entity))->word);
    jsonw_kstr(w, "state", r->state);
    jsonw_kstr(w, "origin", r->origin);
    for (int i = 0; i < DEVICE_TEXTS; i++)
        if (r->texts[i] && *r->texts[i])
            jsonw_kstr(w, device_texts[i], r->texts[i]);
    if (r->tenant && *r->tenant)
        jsonw_kstr(w, "tenant", r->tenant);
    if (r->until_ms)
        jsonw_ktime(w, "maintenance_until", r->until_ms);
    jsonw_ktime(w, "first_seen", r->first_ms);
    jsonw_key(w, "attributes");
    device_record_attributes(w, r);
    jsonw_end_object(w);
}

/* --- edits ------------------------------------------------------------------------------------ */

static int
device_edit_text(const struct doc *d, const struct doc_node *n, const char *key, char **at,
                 struct buf *said, struct err *err)
{
    char number[64];
    if (n->kind == DOC_MAP || n->kind == DOC_SEQ)
        return doc_err(d, n, err, ERR_SYNTAX, "'%s' of a device must be one text", key);
    const char *value = n->kind == DOC_NULL ? "" : topo_scalar(n, number);
    if (strlen(value) > 1024)
        return doc_err(d, n, err, ERR_RANGE, "'%s' of a device is longer than 1024 bytes", key);
    if (strcmp(*at ? *at : "", value) == 0)
        return 0;
    buf_printf(said, "%s%s: %s -> %s", said->len ? "; " : "", key, *at && **at ? *at : "-",
               *value ? value : "-");
    return device_record_text(at, value);
}

static int
device_edit_state(struct device_record *r, const struct doc *d, const struct doc_node *n,
                  const char **ret_action, struct err *err)
{
    const char *word = doc_str(n, "active");
    size_t i = 0;
    while (device_states[i] && strcmp(device_states[i], word) != 0)
        i++;
    if (strcmp(word, "discovered") == 0)
        word = device_states[i = 0];
    if (!device_states[i])
        return doc_err(d, n, err, ERR_SYNTAX,
                       "the state of a device is active, maintenance or retired, not '%s'", word);
    word = device_states[i]; /* the document may go before the action is written */
    if (strcmp(r->state, word) != 0 && !(i == 0 && strcmp(r->state, "discovered") == 0))
        *ret_action = word;
    if (strcmp(r->state, word) != 0)
        str_copy(r->state, sizeof r->state, word);
    if (i != 1)
        r->until_ms = 0;
    return 0;
}

static int
device_edit_until(struct device_record *r, const struct doc *d, const struct doc_node *n,
                  struct buf *said, struct err *err)
{
    int64_t until = 0;
    if (n->kind != DOC_NULL && (!n->str || time_parse(n->str, &until) < 0))
        return doc_err(d, n, err, ERR_SYNTAX,
                       "'maintenance_until' must be a time like 2026-11-23T08:00:00Z");
    if (until != r->until_ms)
        buf_printf(said, "%smaintenance_until: %s", said->len ? "; " : "", until ? n->str : "-");
    r->until_ms = until;
    return 0;
}

/* `attributes` replaces them all; null clears. */
static int
device_edit_attributes(struct device_record *r, const struct doc *d, const struct doc_node *n,
                       struct buf *said, struct err *err)
{
    char number[64];
    int rc = 0;
    if (n->kind != DOC_MAP && n->kind != DOC_NULL)
        return doc_err(d, n, err, ERR_SYNTAX, "'attributes' of a device is a mapping of texts");
    for (size_t i = 0; i < r->attr_count; i++) {
        if (doc_get(n, r->attrs[i].name) || !*r->attrs[i].value)
            continue;
        buf_printf(said, "%s%s: %s -> -", said->len ? "; " : "", r->attrs[i].name,
                   r->attrs[i].value);
        r->attrs[i].value[0] = 0;
    }
    for (const struct doc_node *a = n->kind == DOC_MAP ? n->first : NULL; a && rc == 0;
         a = a->next) {
        if (a->kind == DOC_MAP || a->kind == DOC_SEQ)
            return doc_err(d, a, err, ERR_SYNTAX, "attribute '%s' must be one text", a->key);
        const char *value = a->kind == DOC_NULL ? "" : topo_scalar(a, number), *was = "";
        for (size_t i = 0; i < r->attr_count; i++)
            if (strcmp(r->attrs[i].name, a->key) == 0)
                was = r->attrs[i].value;
        if (strcmp(was, value) == 0)
            continue;
        buf_printf(said, "%s%s: %s -> %s", said->len ? "; " : "", a->key, *was ? was : "-", value);
        if ((rc = device_record_attr(r, a->key, value)) < 0)
            rc = doc_err(d, a, err, rc, "a device has at most %d attributes", DEVICE_ATTRS_MAX);
    }
    return rc;
}

int
device_record_edit(struct device_record *r, const struct doc *d, const struct doc_node *edit,
                   const char **ret_action, struct buf *said, struct err *err)
{
    int rc = 0;
    if (!edit || edit->kind != DOC_MAP)
        return doc_err(d, edit, err, ERR_SYNTAX, "a device is a mapping");
    if ((rc = doc_only(d, edit, device_members, err)) < 0)
        return rc;
    for (const struct doc_node *n = edit->first; n && rc == 0; n = n->next) {
        int at = 0;
        while (at < DEVICE_TEXTS && strcmp(device_texts[at], n->key) != 0)
            at++;
        if (at < DEVICE_TEXTS)
            rc = device_edit_text(d, n, n->key, &r->texts[at], said, err);
        else if (strcmp(n->key, "tenant") == 0)
            rc = device_edit_text(d, n, n->key, &r->tenant, said, err);
        else if (strcmp(n->key, "state") == 0)
            rc = device_edit_state(r, d, n, ret_action, err);
        else if (strcmp(n->key, "attributes") == 0)
            rc = device_edit_attributes(r, d, n, said, err);
    }
    const struct doc_node *until = doc_get(edit, "maintenance_until");
    if (rc == 0 && until)
        rc = device_edit_until(r, d, until, said, err);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct device_held {
    struct device_record *record;
    uint64_t revision;
};

static int
device_hold(void *ctx, const struct catalog_doc *d)
{
    struct device_held *h = ctx;
    h->revision = d->revision;
    return device_record_read(h->record, d->json, d->json_len);
}

int
device_record_load(struct store *s, const char *entity, struct device_record *r,
                   uint64_t *ret_revision, struct err *err)
{
    struct device_held h = {.record = r};
    memset(r, 0, sizeof *r);
    int rc = catalog_get(s, "device", entity, device_hold, &h, err);
    if (rc == 0 || rc == ERR_NOTFOUND)
        *ret_revision = h.revision;
    return rc;
}

/* A record for an entity nobody wrote of yet. */
void
device_record_fresh(struct store *s, const char *entity, const char *origin,
                    struct device_record *r)
{
    struct topo *t = topo_get(s);
    topo_id id = topo_find(t, entity);
    str_copy(r->state, sizeof r->state, "active");
    str_copy(r->origin, sizeof r->origin,
             id != TOPO_NONE     ? "topology"
             : origin && *origin ? origin
                                 : "manual");
    r->first_ms = clock_now_ms(s->cfg.clock);
    topo_put(t);
}

static void
device_history_json(struct buf *out, const char *who, const char *action, const char *text)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "user", who ? who : "");
    jsonw_kstr(&w, "action", action);
    jsonw_kstr(&w, "text", text);
    jsonw_end_object(&w);
}

int
device_pair_fill(struct device_pair *p, const char *entity, const struct device_record *r,
                 uint64_t revision, int64_t now, const char *who, const char *action,
                 const char *text, struct catalog_change changes[2])
{
    struct jsonw w;
    buf_init(&p->json, DEVICE_JSON_MAX);
    buf_init(&p->past, DEVICE_JSON_MAX);
    jsonw_init(&w, &p->json);
    device_record_write(&w, entity, r);
    device_history_json(&p->past, who, action, text);
    /* the revision makes the row's id its own; it sorts as it came */
    snprintf(p->id, sizeof p->id, "%s#%06llx", entity, (unsigned long long)revision + 1);
    str_copy(p->state, sizeof p->state, r->state);
    p->tenant = strdup(r->tenant ? r->tenant : "");
    if (!p->tenant)
        return ERR_NOMEM;
    if (p->json.failed || p->past.failed)
        return ERR_LIMIT;
    changes[0].op = CATALOG_PUT_IF;
    changes[0].doc = (struct catalog_doc){.kind = "device",
                                          .id = entity,
                                          .tenant = p->tenant,
                                          .state = p->state,
                                          .time_ms = r->first_ms,
                                          .revision = revision,
                                          .json = buf_str(&p->json),
                                          .json_len = p->json.len};
    changes[1].op = CATALOG_PUT;
    changes[1].doc = (struct catalog_doc){.kind = "device-history",
                                          .id = p->id,
                                          .key = entity,
                                          .time_ms = now,
                                          .tenant = p->tenant,
                                          .state = action,
                                          .json = buf_str(&p->past),
                                          .json_len = p->past.len};
    return 0;
}

void
device_pair_done(struct device_pair *p)
{
    buf_done(&p->json);
    buf_done(&p->past);
    free(p->tenant);
    p->tenant = NULL;
}

static int
device_put_try(struct store *s, const char *entity, const struct doc *d,
               const struct doc_node *edit, const char *origin, const char *who, struct err *err)
{
    struct device_record r;
    struct device_pair pair = {0};
    struct catalog_change ch[2];
    struct buf said;
    uint64_t revision = 0;
    const char *action = NULL;
    int rc = device_record_load(s, entity, &r, &revision, err);
    buf_init(&said, 16384);
    if (rc == ERR_NOTFOUND) {
        device_record_fresh(s, entity, origin, &r);
        rc = 0;
    }
    if (rc == 0)
        rc = device_record_edit(&r, d, edit, &action, &said, err);
    if (rc < 0 || (revision && !action && !said.len))
        goto out; /* nothing changes */
    if (!action)
        action = revision || strcmp(r.origin, "topology") == 0 ? "edited" : "created";
    rc = device_pair_fill(&pair, entity, &r, revision, clock_now_ms(s->cfg.clock), who, action,
                          buf_str(&said), ch);
    rc = rc < 0 ? err_set(err, rc, "the document of %s is too large", entity)
                : catalog_apply(s, ch, 2, NULL, err);
out:
    device_pair_done(&pair);
    buf_done(&said);
    device_record_done(&r);
    return rc;
}

int
device_put(struct store *s, const char *entity, const struct doc *d, const struct doc_node *edit,
           const char *origin, const char *who, struct err *err)
{
    struct entity e;
    int rc = entity_parse(entity, &e, err);
    if (rc < 0)
        return rc;
    rc = ERR_STATE;
    for (int i = 0; i < DEVICE_TRIES && rc == ERR_STATE; i++)
        rc = device_put_try(s, entity, d, edit, origin, who, err);
    return rc;
}

int
device_set_state(struct store *s, const char *entity, const char *state, int64_t until_ms,
                 const char *who, const char *text, struct err *err)
{
    struct doc *d = NULL;
    struct buf out;
    struct jsonw w;
    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "state", state);
    jsonw_ktime(&w, "maintenance_until", until_ms);
    if (text && *text)
        jsonw_kstr(&w, "note", text);
    jsonw_end_object(&w);
    int rc = doc_parse_json(buf_str(&out), out.len, "", &d, err);
    if (rc == 0)
        rc = device_put(s, entity, d, doc_root(d), "manual", who, err);
    doc_free(d);
    buf_done(&out);
    return rc;
}

/* --- history ---------------------------------------------------------------------------------- */

struct device_past {
    int (*cb)(void *ctx, const struct device_history *h);
    void *ctx;
};

static int
device_history_row(void *ctx, const struct catalog_doc *c)
{
    struct device_past *p = ctx;
    struct doc *d = NULL;
    if (doc_parse_json(c->json, c->json_len, "", &d, NULL) < 0)
        return 0;
    struct device_history h = {.time_ms = c->time_ms,
                               .user = doc_get_str(doc_root(d), "user", ""),
                               .action = doc_get_str(doc_root(d), "action", ""),
                               .text = doc_get_str(doc_root(d), "text", "")};
    int rc = p->cb(p->ctx, &h);
    doc_free(d);
    return rc;
}

int
device_history(struct store *s, const char *entity, size_t limit,
               int (*cb)(void *ctx, const struct device_history *h), void *ctx, struct err *err)
{
    struct device_past p = {cb, ctx};
    struct catalog_query q = {.kind = "device-history", .key = entity, .limit = limit};
    return catalog_list(s, &q, device_history_row, &p, NULL, err);
}

static int
device_history_forget(void *ctx, const struct catalog_doc *c)
{
    char(*ids)[256] = ctx;
    size_t n = 0;
    while (ids[n][0])
        n++;
    str_copy(ids[n], sizeof ids[n], c->id);
    return 0;
}

int
device_delete(struct store *s, const char *entity, struct err *err)
{
    enum { ROWS = 100 };
    char(*ids)[256] = calloc(ROWS + 1, sizeof *ids);
    struct catalog_query q = {.kind = "device-history", .key = entity, .limit = ROWS};
    int rc = ids ? catalog_delete(s, "device", entity, err) : err_set(err, ERR_NOMEM, "no memory");
    for (int n = 1; rc == 0 && n > 0;) {
        memset(ids, 0, (ROWS + 1) * sizeof *ids);
        if ((n = catalog_list(s, &q, device_history_forget, ids, NULL, err)) < 0)
            rc = n;
        struct catalog_change ch[ROWS] = {0};
        for (int i = 0; i < n; i++)
            ch[i] = (struct catalog_change){.op = CATALOG_DELETE,
                                            .doc = {.kind = "device-history", .id = ids[i]}};
        if (n > 0)
            rc = catalog_apply(s, ch, (size_t)n, NULL, err);
    }
    free(ids);
    return rc;
}
