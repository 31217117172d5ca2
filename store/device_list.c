/* device_list: the one view of topology and device documents, searched and paged.
 *
 * A page scans the snapshot's names and attributes in memory (200,000 entities, 10 ms) and reads
 * only the documents of the devices it answers; words that stand in documents alone come from the
 * catalog's full text. Devices that are retired and in no topology follow at the end, straight from
 * the catalog; their cursor begins with '~'. */
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/devices_priv.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_WORDS   8
#define DEVICE_VALUES  16384 /* slots; a clash only costs a second look */
#define DEVICE_MATCHES 5000  /* documents whose words matched that are looked at */

static const enum entity_kind device_kinds[] = {
    ENTITY_RACK,    ENTITY_PDU,      ENTITY_CDU,      ENTITY_NODE,  ENTITY_GPU,
    ENTITY_NIC,     ENTITY_SWITCH,   ENTITY_PORT,     ENTITY_OPTIC, ENTITY_LINK,
    ENTITY_STORAGE, ENTITY_NVSWITCH, ENTITY_SUPERPOD, ENTITY_DPU};

struct device_value { /* an attribute's value and which words it holds, by bit */
    const char *value;
    unsigned words;
};

struct device_scan {
    struct store *s;
    struct topo *t;
    const struct device_query *q;
    struct map *found; /* entities whose document holds the words */
    char words[DEVICE_WORDS][128];
    size_t word_count;
    struct device_value *values; /* DEVICE_VALUES, by address */
    int (*cb)(void *ctx, const struct device *d);
    void *ctx;
    size_t limit, count, total;
    bool counting, more;
    char last[256];
    struct err *err;
};

/* --- the view --------------------------------------------------------------------------------- */

void
device_write(struct jsonw *w, const struct device *d)
{
    const struct {
        const char *key, *value;
    } texts[] = {{"cluster", d->cluster},   {"rack", d->rack},   {"parent", d->parent},
                 {"vendor", d->vendor},     {"model", d->model}, {"serial", d->serial},
                 {"firmware", d->firmware}, {"note", d->note}};
    jsonw_kstr(w, "entity", d->entity);
    jsonw_kstr(w, "kind", d->kind);
    jsonw_kstr(w, "name", d->name);
    jsonw_kstr(w, "state", d->state);
    jsonw_kstr(w, "origin", d->origin);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        jsonw_kstr(w, texts[i].key, *texts[i].value ? texts[i].value : NULL);
    jsonw_ktime(w, "maintenance_until", d->maintenance_until_ms);
    jsonw_key(w, "attributes");
    jsonw_raw(w, d->attributes, strlen(d->attributes));
    jsonw_ktime(w, "first_seen", d->first_seen_ms);
}

/* What contains an entity; its own kind's rack or node first, not the cluster. */
static topo_id
device_container(const struct topo *t, topo_id id)
{
    size_t n;
    const struct topo_edge *e = topo_edges(t, id, &n);
    topo_id rack = TOPO_NONE;
    for (size_t i = 0; i < n; i++) {
        if (!e[i].reverse || e[i].relation != RELATION_CONTAINS ||
            topo_kind(t, e[i].to) == ENTITY_CLUSTER)
            continue;
        if (topo_kind(t, e[i].to) != ENTITY_RACK)
            return e[i].to;
        rack = e[i].to;
    }
    return rack;
}

/* Up the containers until one has what is asked for. */
static const char *
device_inherited(const struct topo *t, topo_id id, enum topo_attr_name a)
{
    for (int depth = 0; id < t->base->n && depth < 4; depth++) {
        const char *value = topo_base_attr(t->base, id, a);
        if (*value)
            return value;
        id = device_container(t, id);
    }
    return "";
}

static const char *
device_cluster_of(const struct topo *t, topo_id id)
{
    for (int depth = 0; id != TOPO_NONE && depth < 5; depth++) {
        topo_id c = topo_neighbour(t, id, ENTITY_CLUSTER);
        if (c != TOPO_NONE)
            return strchr(topo_name(t, c), ':') + 1;
        id = device_container(t, id);
    }
    return "";
}

static const char *
device_first(const char *a, const char *b)
{
    return a && *a ? a : b;
}

static void
device_attributes(struct buf *out, const struct topo *t, topo_id id, const struct device_record *r)
{
    static const enum topo_attr_name shown[] = {
        TOPO_ATTR_GROUP,  TOPO_ATTR_RAIL,     TOPO_ATTR_PLANE,   TOPO_ATTR_ROLE, TOPO_ATTR_GBPS,
        TOPO_ATTR_NETDEV, TOPO_ATTR_SUPERPOD, TOPO_ATTR_ADDRESS, TOPO_ATTR_KIND, TOPO_ATTR_PATH,
        TOPO_ATTR_PCI,    TOPO_ATTR_UUID,     TOPO_ATTR_SERVERS};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (size_t i = 0; id < t->base->n && i < sizeof shown / sizeof *shown; i++) {
        const char *name = topo_attr_word(shown[i]), *value = topo_base_attr(t->base, id, shown[i]);
        bool own = false;
        for (size_t k = 0; k < r->attr_count; k++)
            own = own || strcmp(r->attrs[k].name, name) == 0;
        if (*value && !own)
            jsonw_kstr(&w, name, value);
    }
    for (size_t k = 0; k < r->attr_count; k++)
        if (*r->attrs[k].value)
            jsonw_kstr(&w, r->attrs[k].name, r->attrs[k].value);
    jsonw_end_object(&w);
}

static const char *
device_state_view(const char *state)
{
    return !*state || strcmp(state, "discovered") == 0 ? "active" : state;
}

/* Shows one entity to cb. id TOPO_NONE: known by its document alone. */
static int
device_show(struct topo *t, topo_id id, const char *entity, const struct device_record *r,
            int (*cb)(void *ctx, const struct device *d), void *ctx)
{
    struct buf attributes;
    bool has = id < t->base->n;
    topo_id up = id != TOPO_NONE ? device_container(t, id) : TOPO_NONE;
    buf_init(&attributes, 65536);
    device_attributes(&attributes, t, id, r);
    struct device d = {
        .entity = entity,
        .kind = entity_kind_row(entity_kind_of(entity))->word,
        .name = strchr(entity, ':') + 1,
        .state = device_state_view(r->state),
        .origin = *r->origin ? r->origin : "topology",
        .cluster =
            device_first(r->texts[DEVICE_CLUSTER], id != TOPO_NONE ? device_cluster_of(t, id) : ""),
        .rack =
            device_first(r->texts[DEVICE_RACK], has ? device_inherited(t, id, TOPO_ATTR_RACK) : ""),
        .parent = device_first(r->texts[DEVICE_PARENT], up != TOPO_NONE ? topo_name(t, up) : ""),
        .vendor = device_first(r->texts[DEVICE_VENDOR],
                               has ? topo_base_attr(t->base, id, TOPO_ATTR_VENDOR) : ""),
        .model = device_first(r->texts[DEVICE_MODEL],
                              has ? topo_base_attr(t->base, id, TOPO_ATTR_MODEL) : ""),
        .serial = device_first(r->texts[DEVICE_SERIAL],
                               has ? topo_base_attr(t->base, id, TOPO_ATTR_SERIAL) : ""),
        .firmware = device_first(r->texts[DEVICE_FIRMWARE], ""),
        .note = device_first(r->texts[DEVICE_NOTE], ""),
        .tenant = device_first(r->tenant, has ? device_inherited(t, id, TOPO_ATTR_TENANT) : ""),
        .maintenance_until_ms = r->until_ms,
        .first_seen_ms = r->first_ms,
        .attributes = attributes.len ? buf_str(&attributes) : "{}",
    };
    int rc = attributes.failed ? ERR_NOMEM : cb(ctx, &d);
    buf_done(&attributes);
    return rc;
}

int
device_get(struct store *s, const char *entity, int (*cb)(void *ctx, const struct device *d),
           void *ctx, struct err *err)
{
    struct device_record r;
    struct entity e;
    uint64_t revision = 0;
    int rc = entity_parse(entity, &e, err);
    if (rc < 0)
        return rc;
    rc = device_record_load(s, entity, &r, &revision, err);
    struct topo *t = topo_get(s);
    topo_id id = topo_find(t, entity);
    if (rc == 0 || (rc == ERR_NOTFOUND && id != TOPO_NONE))
        rc = device_show(t, id, entity, &r, cb, ctx);
    else if (rc == ERR_NOTFOUND)
        err_set(err, rc, "there is no device '%s'", entity);
    topo_put(t);
    device_record_done(&r);
    return rc;
}

/* --- filters ---------------------------------------------------------------------------------- */

static bool
device_in_list(const char *list, const char *word)
{
    size_t len = strlen(word);
    if (!list || !*list)
        return true;
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == len && strncmp(list, word, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static bool
device_equal(const char *want, const char *value)
{
    return !want || !*want || strcmp(want, value) == 0;
}

static unsigned char
device_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* `word` is in lower case. Names are short: a plain loop beats the library's set-up. */
static bool
device_contains(const char *text, const char *word)
{
    for (; *text; text++) {
        size_t i = 0;
        while (word[i] && device_lower(text[i]) == (unsigned char)word[i])
            i++;
        if (!word[i])
            return true;
    }
    return false;
}

/* Whether an interned attribute value holds a word: looked at once a query, few values serve all
 * entities. */
static bool
device_value_contains(struct device_scan *d, const char *value, size_t word)
{
    struct device_value *v = &d->values[((uintptr_t)value >> 4) % DEVICE_VALUES];
    if (v->value != value) {
        v->value = value;
        v->words = 0;
        for (size_t i = 0; i < d->word_count; i++)
            v->words |= device_contains(value, d->words[i]) ? 1u << i : 0;
    }
    return v->words & (1u << word);
}

/* Words in names and attributes: each somewhere, ASCII case ignored. */
static bool
device_has_word(struct device_scan *d, topo_id id, size_t word)
{
    const struct topo_base *b = d->t->base;
    if (device_contains(topo_name(d->t, id), d->words[word]))
        return true;
    if ((b->flags[id] & TOPO_FLAG_DISCOVERED) && device_contains("discovered", d->words[word]))
        return true;
    for (uint32_t i = b->attr_first[id]; i < b->attr_first[id + 1]; i++)
        if (b->attrs[i].name != TOPO_ATTR_STATE &&
            device_value_contains(d, b->attrs[i].value, word))
            return true;
    return false;
}

static bool
device_has_words(struct device_scan *d, topo_id id)
{
    const char *name = topo_name(d->t, id);
    bool all = true;
    for (size_t i = 0; i < d->word_count && all; i++)
        all = device_has_word(d, id, i);
    return all || (d->found && map_count(d->found) && map_get(d->found, name, strlen(name)));
}

static const char *
device_scan_state(const struct device_scan *d, topo_id id)
{
    struct topo_change want = {.id = id};
    const char *state = id < d->t->base->n ? topo_base_attr(d->t->base, id, TOPO_ATTR_STATE) : "";
    for (size_t i = 0; i < d->t->change_count; i++)
        if (d->t->changes[i].id == want.id)
            return d->t->changes[i].on ? "maintenance" : "active";
    return device_state_view(state);
}

static const char *
device_scan_origin(const struct device_scan *d, topo_id id)
{
    uint8_t flags = id < d->t->base->n ? d->t->base->flags[id] : 0;
    if (flags & TOPO_FLAG_DISCOVERED)
        return "discovered";
    return flags & TOPO_FLAG_DEVICE ? "document" : "topology";
}

static bool
device_passes(struct device_scan *d, topo_id id)
{
    const struct device_query *q = d->q;
    const struct topo_base *b = d->t->base;
    if (id >= b->n)
        return false; /* jobs, and nodes that only a job names */
    if (d->word_count && !device_has_words(d, id))
        return false;
    if (q->state && *q->state && !device_in_list(q->state, device_scan_state(d, id)))
        return false;
    if (!device_equal(q->vendor,
                      q->vendor && *q->vendor ? topo_base_attr(b, id, TOPO_ATTR_VENDOR) : "") ||
        !device_equal(q->rack,
                      q->rack && *q->rack ? device_inherited(d->t, id, TOPO_ATTR_RACK) : "") ||
        !device_equal(q->cluster, q->cluster && *q->cluster ? device_cluster_of(d->t, id) : ""))
        return false;
    if (q->tenant && *q->tenant &&
        !device_equal(q->tenant, device_inherited(d->t, id, TOPO_ATTR_TENANT)))
        return false;
    if (q->parent && *q->parent) {
        topo_id up = device_container(d->t, id);
        if (up == TOPO_NONE || strcmp(topo_name(d->t, up), q->parent) != 0)
            return false;
    }
    return !q->keep || q->keep(q->ctx, b->names[id]);
}

/* manual, import and an edited device of the topology are told apart by the document alone. */
static bool
device_origin_passes(const struct device_scan *d, topo_id id)
{
    const char *want = d->q->origin, *have = device_scan_origin(d, id);
    struct device_record r;
    uint64_t revision;
    if (!want || !*want)
        return true;
    if (strcmp(have, "document") != 0)
        return strcmp(have, want) == 0;
    int rc = device_record_load(d->s, topo_name(d->t, id), &r, &revision, NULL);
    bool same = rc == 0 && strcmp(r.origin, want) == 0;
    device_record_done(&r);
    return same;
}

/* --- the scan --------------------------------------------------------------------------------- */

static int
device_scan_found(void *ctx, const struct catalog_doc *c)
{
    return map_set(ctx, c->id, strlen(c->id), (void *)1, NULL);
}

static int
device_scan_words(struct device_scan *d)
{
    struct catalog_query q = {.kind = "device", .text = d->q->text, .limit = DEVICE_MATCHES};
    const char *p = d->q->text ? d->q->text : "";
    while (*p && d->word_count < DEVICE_WORDS) {
        size_t n = strcspn(p, " \t");
        if (n)
            snprintf(d->words[d->word_count++], sizeof *d->words, "%.*s", (int)n, p);
        p += n + (p[n] != 0);
    }
    if (!d->word_count)
        return 0;
    for (size_t i = 0; i < d->word_count; i++)
        for (char *c = d->words[i]; *c; c++)
            *c = (char)device_lower(*c);
    d->found = map_new(DEVICE_MATCHES + 1);
    d->values = calloc(DEVICE_VALUES, sizeof *d->values);
    if (!d->found || !d->values)
        return err_set(d->err, ERR_NOMEM, "no memory for a search");
    return catalog_list(d->s, &q, device_scan_found, d->found, NULL, d->err);
}

static int
device_scan_emit(struct device_scan *d, topo_id id)
{
    const char *name = topo_name(d->t, id);
    struct device_record r;
    uint64_t revision;
    int rc = device_record_load(d->s, name, &r, &revision, d->err);
    if (rc == 0 || rc == ERR_NOTFOUND)
        rc = device_show(d->t, id, name, &r, d->cb, d->ctx);
    device_record_done(&r);
    if (rc < 0)
        return rc;
    str_copy(d->last, sizeof d->last, name);
    d->count++;
    return 0;
}

/* The first of a kind's list whose name is behind `after`. */
static size_t
device_scan_start(const struct topo *t, const topo_id *ids, size_t n, const char *after)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(topo_name(t, ids[mid]), after) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* One kind; `after` NULL: all of it is behind the cursor, "": none has been shown, else those
 * behind it are to be. */
static int
device_scan_kind(struct device_scan *d, enum entity_kind k, const char *after)
{
    size_t n;
    const topo_id *ids = topo_of_kind(d->t, k, &n);
    size_t start = !after ? n : *after ? device_scan_start(d->t, ids, n, after) : 0;
    for (size_t i = d->counting ? 0 : start; i < n; i++) {
        if (!device_passes(d, ids[i]) || !device_origin_passes(d, ids[i]))
            continue;
        d->total++;
        if (i < start)
            continue;
        if (d->count == d->limit) {
            d->more = true;
            if (!d->counting)
                return 0;
            continue;
        }
        int rc = device_scan_emit(d, ids[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
device_scan_live(struct device_scan *d, const char *cursor)
{
    enum entity_kind at = *cursor ? entity_kind_of(cursor) : ENTITY_NONE;
    bool behind =
        *cursor == '~' || at != ENTITY_NONE; /* kinds before the cursor's are shown already */
    int rc = 0;
    for (size_t i = 0;
         i < sizeof device_kinds / sizeof *device_kinds && rc == 0 && (d->counting || !d->more);
         i++) {
        const char *after = behind ? NULL : "";
        if (device_kinds[i] == at) {
            after = cursor;
            behind = false;
        }
        if (device_in_list(d->q->kind, entity_kind_row(device_kinds[i])->word))
            rc = device_scan_kind(d, device_kinds[i], after);
    }
    return rc;
}

/* --- the retired ------------------------------------------------------------------------------ */

static bool
device_retired_passes(const struct device_scan *d, const char *entity,
                      const struct device_record *r)
{
    const struct device_query *q = d->q;
    return topo_find(d->t, entity) == TOPO_NONE &&
           device_in_list(q->kind, entity_kind_row(entity_kind_of(entity))->word) &&
           device_equal(q->vendor, device_first(r->texts[DEVICE_VENDOR], "")) &&
           device_equal(q->rack, device_first(r->texts[DEVICE_RACK], "")) &&
           device_equal(q->cluster, device_first(r->texts[DEVICE_CLUSTER], "")) &&
           device_equal(q->parent, device_first(r->texts[DEVICE_PARENT], "")) &&
           device_equal(q->origin, r->origin) &&
           device_equal(q->tenant, device_first(r->tenant, "")) &&
           (!q->keep || q->keep(q->ctx, entity));
}

struct device_retired {
    struct device_scan *d;
    const char *after;
};

static int
device_retired_row(void *ctx, const struct catalog_doc *c)
{
    struct device_retired *x = ctx;
    struct device_scan *d = x->d;
    struct device_record r = {0};
    int rc = device_record_read(&r, c->json, c->json_len);
    if (rc == 0 && device_retired_passes(d, c->id, &r)) {
        d->total++;
        if (x->after && strcmp(c->id, x->after) <= 0) {
            rc = 0; /* on a page before this */
        } else if (d->count == d->limit) {
            d->more = true;
        } else if ((rc = device_show(d->t, TOPO_NONE, c->id, &r, d->cb, d->ctx)) >= 0) {
            snprintf(d->last, sizeof d->last, "~%s", c->id);
            d->count++;
            rc = 0;
        }
    }
    device_record_done(&r);
    return rc;
}

static int
device_scan_retired(struct device_scan *d, const char *cursor)
{
    struct device_retired x = {d, *cursor == '~' ? cursor + 1 : NULL};
    struct catalog_query q = {
        .kind = "device", .state = "retired", .text = d->q->text, .by_id = true, .limit = 100000};
    if (!device_in_list(d->q->state, "retired") || (d->more && !d->counting))
        return 0;
    int rc = catalog_list(d->s, &q, device_retired_row, &x, NULL, d->err);
    return rc < 0 ? rc : 0;
}

int
device_list(struct store *s, const struct device_query *q,
            int (*cb)(void *ctx, const struct device *d), void *ctx, char *ret_next,
            size_t *ret_total, struct err *err)
{
    struct device_scan d = {.s = s,
                            .q = q,
                            .cb = cb,
                            .ctx = ctx,
                            .limit = q->limit ? q->limit : 100,
                            .counting = ret_total != NULL,
                            .err = err};
    const char *cursor = q->cursor ? q->cursor : "";
    if (*cursor && entity_kind_of(*cursor == '~' ? cursor + 1 : cursor) == ENTITY_NONE)
        return err_set(err, ERR_SYNTAX, "the cursor is not one that a list answered");
    d.t = topo_get(s);
    int rc = device_scan_words(&d);
    if (rc >= 0)
        rc = device_scan_live(&d, cursor);
    if (rc >= 0)
        rc = device_scan_retired(&d, cursor);
    map_free(d.found, NULL);
    free(d.values);
    topo_put(d.t);
    if (rc < 0)
        return rc;
    if (ret_next)
        str_copy(ret_next, 256, d.more ? d.last : "");
    if (ret_total)
        *ret_total = d.total;
    return (int)d.count;
}
