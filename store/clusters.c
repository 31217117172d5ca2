/* clusters: documents of clusters, merged with those that only a topology names. A handful of rows.
 */
#include "store/clusters.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/store_priv.h"
#include "store/topo_priv.h"

#include <stdlib.h>
#include <string.h>

#define CLUSTER_JSON_MAX     65536
#define CLUSTER_TRIES        16
#define CLUSTER_METADATA_MAX 256

static const char *const cluster_states[] = {"building", "active", "maintenance", "retired", NULL};

struct cluster_row { /* a document parsed, with what keeps its strings */
    struct cluster c;
    struct doc *d;
    struct buf metadata;
};

static void
cluster_metadata_write(struct jsonw *w, const struct doc_node *m)
{
    char number[64];
    jsonw_object(w);
    for (const struct doc_node *n = m && m->kind == DOC_MAP ? m->first : NULL; n; n = n->next)
        if (n->kind != DOC_NULL)
            jsonw_kstr(w, n->key, topo_scalar(n, number));
    jsonw_end_object(w);
}

static int
cluster_row_read(struct cluster_row *r, const struct catalog_doc *doc)
{
    struct jsonw w;
    int rc = doc_parse_json(doc->json, doc->json_len, "", &r->d, NULL);
    if (rc < 0)
        return rc;
    const struct doc_node *n = doc_root(r->d), *size = doc_get(n, "size");
    buf_init(&r->metadata, CLUSTER_JSON_MAX);
    jsonw_init(&w, &r->metadata);
    cluster_metadata_write(&w, doc_get(n, "metadata"));
    r->c = (struct cluster){.name = doc->id,
                            .title = doc_get_str(n, "title", ""),
                            .state = doc_get_str(n, "state", "active"),
                            .tenant = doc->tenant,
                            .nodes = (uint64_t)doc_get_int(size, "nodes", 0),
                            .gpus = (uint64_t)doc_get_int(size, "gpus", 0),
                            .metadata = buf_str(&r->metadata),
                            .revision = doc->revision,
                            .updated_ms = doc->updated_ms};
    return 0;
}

static void
cluster_row_done(struct cluster_row *r)
{
    doc_free(r->d);
    buf_done(&r->metadata);
}

static topo_id
cluster_entity(const struct topo *t, const char *name)
{
    char entity[ENTITY_SIZE];
    return entity_format(entity, ENTITY_CLUSTER, name, NULL) < 0 ? TOPO_NONE : topo_find(t, entity);
}

struct cluster_listing {
    struct topo *t;
    int (*cb)(void *ctx, const struct cluster *c);
    void *ctx;
    const topo_id *ids; /* clusters of the topology, by name */
    size_t count, at;
    struct store *s;
    int shown;
};

/* One that only the topology knows. */
static int
cluster_show_bare(struct cluster_listing *l, topo_id id)
{
    struct cluster c = {.name = strchr(topo_name(l->t, id), ':') + 1,
                        .title = topo_attr(l->t, id, "title"),
                        .state = "active",
                        .metadata = "{}",
                        .tenant = topo_attr(l->t, id, "tenant"),
                        .has_topology = true};
    l->shown++;
    return l->cb(l->ctx, &c);
}

static int
cluster_list_row(void *ctx, const struct catalog_doc *doc)
{
    struct cluster_listing *l = ctx;
    struct cluster_row r = {0};
    int rc = 0;
    while (l->at < l->count && rc >= 0) {
        int order = strcmp(strchr(topo_name(l->t, l->ids[l->at]), ':') + 1, doc->id);
        if (order > 0)
            break;
        if (order < 0)
            rc = cluster_show_bare(l, l->ids[l->at]);
        l->at++;
    }
    if (rc < 0 || cluster_row_read(&r, doc) < 0)
        return rc;
    topo_id id = cluster_entity(l->t, doc->id);
    r.c.has_topology = id != TOPO_NONE;
    if (!*r.c.title && id != TOPO_NONE)
        r.c.title = topo_attr(l->t, id, "title");
    l->shown++;
    rc = l->cb(l->ctx, &r.c);
    cluster_row_done(&r);
    return rc;
}

int
cluster_list(struct store *s, int (*cb)(void *ctx, const struct cluster *c), void *ctx,
             struct err *err)
{
    struct cluster_listing l = {.s = s, .cb = cb, .ctx = ctx, .t = topo_get(s)};
    struct catalog_query q = {.kind = "cluster", .by_id = true, .limit = 10000};
    l.ids = topo_of_kind(l.t, ENTITY_CLUSTER, &l.count);
    int rc = catalog_list(s, &q, cluster_list_row, &l, NULL, err);
    while (rc >= 0 && l.at < l.count)
        rc = cluster_show_bare(&l, l.ids[l.at++]);
    topo_put(l.t);
    return rc < 0 ? rc : l.shown;
}

struct cluster_wanted {
    const char *name;
    int (*cb)(void *ctx, const struct cluster *c);
    void *ctx;
    bool found;
};

static int
cluster_get_row(void *ctx, const struct cluster *c)
{
    struct cluster_wanted *w = ctx;
    if (strcmp(c->name, w->name) != 0)
        return 0;
    w->found = true;
    return w->cb(w->ctx, c);
}

int
cluster_get(struct store *s, const char *name, int (*cb)(void *ctx, const struct cluster *c),
            void *ctx, struct err *err)
{
    struct cluster_wanted w = {.name = name, .cb = cb, .ctx = ctx};
    int rc = cluster_list(s, cluster_get_row, &w, err);
    if (rc >= 0 && !w.found)
        return err_set(err, ERR_NOTFOUND, "there is no cluster '%s'", name);
    return rc < 0 ? rc : 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int
cluster_check_name(const struct doc *d, const struct doc_node *n, const char *name, struct err *err)
{
    char entity[ENTITY_SIZE];
    if (strlen(name) > 64 || strchr(name, '/') ||
        entity_format(entity, ENTITY_CLUSTER, name, NULL) < 0)
        return doc_err(d, n, err, ERR_SYNTAX,
                       "'%.70s' cannot be the name of a cluster: printable, without spaces and '/'",
                       name);
    return 0;
}

static int
cluster_check(const struct doc *d, const struct doc_node *edit, struct err *err)
{
    static const char *const known[] = {"name", "title", "state", "size", "metadata", NULL};
    static const char *const sizes[] = {"nodes", "gpus", NULL};
    const struct doc_node *state = doc_get(edit, "state"), *size = doc_get(edit, "size"),
                          *m = doc_get(edit, "metadata");
    size_t i = 0;
    int rc;
    if (!edit || edit->kind != DOC_MAP)
        return doc_err(d, edit, err, ERR_SYNTAX, "a cluster is a mapping");
    if ((rc = doc_only(d, edit, known, err)) < 0)
        return rc;
    while (state && cluster_states[i] && strcmp(cluster_states[i], doc_str(state, "")) != 0)
        i++;
    if (!cluster_states[i])
        return doc_err(d, state, err, ERR_SYNTAX,
                       "the state of a cluster is building, active, maintenance or retired");
    if (size && (size->kind != DOC_MAP || doc_only(d, size, sizes, err) < 0 ||
                 doc_get_int(size, "nodes", 0) < 0 || doc_get_int(size, "gpus", 0) < 0))
        return doc_err(d, size, err, ERR_SYNTAX,
                       "'size' of a cluster is {nodes: NUMBER, gpus: NUMBER}");
    if (m && ((m->kind != DOC_MAP && m->kind != DOC_NULL) || m->count > CLUSTER_METADATA_MAX))
        return doc_err(d, m, err, ERR_SYNTAX,
                       "'metadata' of a cluster is a mapping of at most %d texts",
                       CLUSTER_METADATA_MAX);
    return 0;
}

/* The document after the edit, on top of `old` (NULL: none). */
static void
cluster_write(struct buf *out, const struct cluster *old, const struct doc_node *edit)
{
    const struct doc_node *size = doc_get(edit, "size"), *m = doc_get(edit, "metadata");
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "title", doc_get_str(edit, "title", old ? old->title : ""));
    jsonw_kstr(&w, "state", doc_get_str(edit, "state", old ? old->state : "building"));
    jsonw_key(&w, "size");
    jsonw_object(&w);
    jsonw_kint(&w, "nodes", doc_get_int(size, "nodes", old ? (int64_t)old->nodes : 0));
    jsonw_kint(&w, "gpus", doc_get_int(size, "gpus", old ? (int64_t)old->gpus : 0));
    jsonw_end_object(&w);
    jsonw_key(&w, "metadata");
    if (m || !old)
        cluster_metadata_write(&w, m);
    else
        jsonw_raw(&w, old->metadata, strlen(old->metadata));
    jsonw_end_object(&w);
}

struct cluster_edit {
    struct store *s;
    const struct doc_node *edit;
    const char *to; /* the name afterwards */
    struct buf json;
    uint64_t revision;
    char state[16], tenant[64];
    bool there, has_topology;
};

static int
cluster_edit_old(void *ctx, const struct cluster *c)
{
    struct cluster_edit *e = ctx;
    e->there = true;
    e->revision = c->revision;
    e->has_topology = c->has_topology;
    str_copy(e->tenant, sizeof e->tenant, c->tenant);
    str_copy(e->state, sizeof e->state, doc_get_str(e->edit, "state", c->state));
    cluster_write(&e->json, c, e->edit);
    return 0;
}

static int
cluster_put_try(struct store *s, const char *name, const struct doc *d, const struct doc_node *edit,
                struct err *err)
{
    struct cluster_edit e = {.s = s, .edit = edit, .to = doc_get_str(edit, "name", name)};
    struct catalog_change ch[2] = {0};
    size_t n = 1;
    buf_init(&e.json, CLUSTER_JSON_MAX);
    str_copy(e.state, sizeof e.state, doc_get_str(edit, "state", "building"));
    int rc = cluster_get(s, name, cluster_edit_old, &e, err);
    bool renames = strcmp(e.to, name) != 0;
    if (rc == ERR_NOTFOUND) {
        cluster_write(&e.json, NULL, edit);
        rc = 0;
    }
    if (rc == 0 && renames && e.has_topology)
        rc = doc_err(d, doc_get(edit, "name"), err, ERR_STATE,
                     "cluster '%s' is named by its topology document; rename it there", name);
    if (rc < 0)
        goto out;
    ch[0].op = renames ? CATALOG_INSERT : CATALOG_PUT_IF;
    ch[0].doc = (struct catalog_doc){.kind = "cluster",
                                     .id = e.to,
                                     .tenant = e.tenant,
                                     .state = e.state,
                                     .time_ms = clock_now_ms(s->cfg.clock),
                                     .revision = e.revision,
                                     .json = buf_str(&e.json),
                                     .json_len = e.json.len};
    if (renames && e.revision)
        ch[n++] =
            (struct catalog_change){.op = CATALOG_DELETE, .doc = {.kind = "cluster", .id = name}};
    rc = e.json.failed ? err_set(err, ERR_LIMIT, "the document of cluster '%s' is too large", name)
                       : catalog_apply(s, ch, n, NULL, err);
out:
    buf_done(&e.json);
    return rc;
}

int
cluster_put(struct store *s, const char *name, const struct doc *d, const struct doc_node *edit,
            struct err *err)
{
    int rc = cluster_check(d, edit, err);
    if (rc < 0 || (rc = cluster_check_name(d, edit, name, err)) < 0 ||
        (rc = cluster_check_name(d, doc_get(edit, "name"), doc_get_str(edit, "name", name), err)) <
            0)
        return rc;
    bool renames = strcmp(doc_get_str(edit, "name", name), name) != 0;
    rc = cluster_put_try(s, name, d, edit, err);
    for (int i = 1; i < CLUSTER_TRIES && rc == ERR_STATE && !renames; i++)
        rc = cluster_put_try(s, name, d, edit, err);
    return rc;
}

int
cluster_delete(struct store *s, const char *name, struct err *err)
{
    return catalog_delete(s, "cluster", name, err);
}
