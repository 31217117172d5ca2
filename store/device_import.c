/* device_import: devices in from CSV or YAML, all or nothing, and out as CSV.
 *
 * Both forms become one edit a device (a JSON mapping as device_put takes), so that checks and
 * history are the same. What a spreadsheet would run as a formula (= + - @ tab CR first) is written
 * with a leading apostrophe, which is taken off again when read. */
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/devices_priv.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT_ROWS_MAX    400000
#define IMPORT_ERRORS_MAX  100
#define IMPORT_COLUMNS_MAX 64
#define IMPORT_BATCH       250

struct device_importer {
    struct store *s;
    const char *who;
    bool dry_run;
    struct device_import *ret;
    struct map *seen;          /* entities of this import */
    struct device_pair *pairs; /* of the batch being collected */
    struct catalog_change *changes;
    char **entities;
    size_t pending;
    bool checking; /* first pass: nothing is written */
    int64_t now;
};

static int
device_import_error(struct device_importer *im, unsigned line, const char *message)
{
    struct device_import *r = im->ret;
    if (r->error_count >= IMPORT_ERRORS_MAX)
        return 0;
    void *p = reallocarray(r->errors, r->error_count + 1, sizeof *r->errors);
    if (!p)
        return ERR_NOMEM;
    r->errors = p;
    r->errors[r->error_count].line = line;
    r->errors[r->error_count].message = strdup(message);
    if (r->errors[r->error_count].message)
        r->error_count++;
    return 0;
}

static int
device_import_row(struct device_importer *im, const char *entity, const char *action)
{
    struct device_import *r = im->ret;
    if (!im->checking)
        return 0;
    if (r->row_count % 256 == 0) {
        void *p = reallocarray(r->rows, r->row_count + 256, sizeof *r->rows);
        if (!p)
            return ERR_NOMEM;
        r->rows = p;
    }
    r->rows[r->row_count].entity = strdup(entity);
    r->rows[r->row_count].action = action;
    if (!r->rows[r->row_count].entity)
        return ERR_NOMEM;
    r->row_count++;
    r->created += strcmp(action, "create") == 0;
    r->updated += strcmp(action, "update") == 0;
    r->unchanged += strcmp(action, "none") == 0;
    return 0;
}

static int
device_import_flush(struct device_importer *im, struct err *err)
{
    int rc = im->pending ? catalog_apply(im->s, im->changes, im->pending * 2, NULL, err) : 0;
    for (size_t i = 0; i < im->pending; i++) {
        device_pair_done(&im->pairs[i]);
        free(im->entities[i]);
    }
    im->pending = 0;
    return rc;
}

static int
device_import_queue(struct device_importer *im, const char *entity, const struct device_record *r,
                    uint64_t revision, const char *action, const char *said, struct err *err)
{
    size_t i = im->pending;
    im->entities[i] = strdup(entity);
    if (!im->entities[i])
        return err_set(err, ERR_NOMEM, "no memory for an import");
    int rc = device_pair_fill(&im->pairs[i], im->entities[i], r, revision, im->now, im->who, action,
                              said, &im->changes[i * 2]);
    if (rc < 0) {
        rc = err_set(err, rc, "the document of %s is too large", im->entities[i]);
        device_pair_done(&im->pairs[i]);
        free(im->entities[i]);
        return rc;
    }
    im->pending++;
    return im->pending == IMPORT_BATCH ? device_import_flush(im, err) : 0;
}

/* One device: its edit applied to what is there. Errors of the row go into the result. */
static int
device_import_device(struct device_importer *im, unsigned line, const char *entity,
                     const struct doc *d, const struct doc_node *edit, struct err *err)
{
    struct device_record r;
    struct buf said;
    struct err cause = {0};
    struct entity e;
    uint64_t revision = 0;
    const char *action = NULL;
    int rc = entity_parse(entity, &e, &cause);
    if (rc < 0)
        return device_import_error(im, line, cause.text);
    if (im->checking && map_get(im->seen, entity, strlen(entity)))
        return device_import_error(im, line, "the device stands twice in this import");
    if (im->checking && (rc = map_set(im->seen, entity, strlen(entity), (void *)1, NULL)) < 0)
        return err_set(err, rc, "an import has at most %d devices", IMPORT_ROWS_MAX);
    buf_init(&said, 16384);
    rc = device_record_load(im->s, entity, &r, &revision, err);
    if (rc == ERR_NOTFOUND) {
        device_record_fresh(im->s, entity, "import", &r);
        rc = 0;
    }
    if (rc < 0)
        goto out;
    if (device_record_edit(&r, d, edit, &action, &said, &cause) < 0) {
        rc = device_import_error(im, line, cause.text);
        goto out;
    }
    bool same = revision && !said.len && !action;
    rc = device_import_row(im, entity, same ? "none" : revision ? "update" : "create");
    if (rc == 0 && !same && !im->checking)
        rc = device_import_queue(im, entity, &r, revision,
                                 action     ? action
                                 : revision ? "edited"
                                            : "created",
                                 buf_str(&said), err);
out:
    buf_done(&said);
    device_record_done(&r);
    return rc;
}

/* --- CSV (RFC 4180) --------------------------------------------------------------------------- */

struct device_csv {
    const char *p, *end;
    unsigned line;
    struct buf cells; /* 0-terminated one after the other */
    size_t at[IMPORT_COLUMNS_MAX];
    size_t count;
    bool broken; /* a quote that does not end, too many columns */
};

static void
device_csv_cell(struct device_csv *c)
{
    bool quoted = c->p < c->end && *c->p == '"';
    if (quoted)
        c->p++;
    while (c->p < c->end) {
        if (quoted && *c->p == '"') {
            if (c->p + 1 < c->end && c->p[1] == '"') {
                buf_putc(&c->cells, '"');
                c->p += 2;
                continue;
            }
            c->p++;
            quoted = false;
            continue;
        }
        if (!quoted && (*c->p == ',' || *c->p == '\n' || *c->p == '\r'))
            break;
        c->line += *c->p == '\n';
        if (*c->p)
            buf_putc(&c->cells, *c->p);
        c->p++;
    }
    c->broken = c->broken || quoted;
    buf_putc(&c->cells, 0);
}

/* The next record; false at the end. */
static bool
device_csv_record(struct device_csv *c)
{
    buf_reset(&c->cells);
    c->count = 0;
    while (c->p < c->end && (*c->p == '\n' || *c->p == '\r')) {
        c->line += *c->p == '\n';
        c->p++;
    }
    if (c->p >= c->end)
        return false;
    for (;;) {
        if (c->count == IMPORT_COLUMNS_MAX) {
            c->broken = true;
            return true;
        }
        c->at[c->count++] = c->cells.len;
        device_csv_cell(c);
        if (c->p >= c->end || *c->p != ',')
            return true;
        c->p++;
    }
}

static const char *
device_csv_get(const struct device_csv *c, size_t i)
{
    const char *s = i < c->count ? c->cells.data + c->at[i] : "";
    return s[0] == '\'' && s[1] && strchr("=+-@\t\r", s[1]) ? s + 1 : s;
}

struct device_csv_columns {
    char names[IMPORT_COLUMNS_MAX][64];
    size_t count;
    int entity, kind, name; /* -1: none */
};

static int
device_csv_header(struct device_csv *c, struct device_csv_columns *h, struct err *err)
{
    h->entity = h->kind = h->name = -1;
    if (!device_csv_record(c) || c->broken || c->cells.failed)
        return err_set(err, ERR_SYNTAX,
                       "the import has no header line like 'entity,vendor,model,rack'");
    h->count = c->count;
    for (size_t i = 0; i < c->count; i++) {
        const char *name = device_csv_get(c, i);
        str_copy(h->names[i], sizeof h->names[i], name);
        if (!*name)
            return err_set(err, ERR_SYNTAX, "column %zu of the header has no name", i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(h->names[k], h->names[i]) == 0)
                return err_set(err, ERR_SYNTAX, "column '%s' stands twice in the header",
                               h->names[i]);
        if (strcmp(name, "entity") == 0)
            h->entity = (int)i;
        else if (strcmp(name, "kind") == 0)
            h->kind = (int)i;
        else if (strcmp(name, "name") == 0)
            h->name = (int)i;
    }
    if (h->entity < 0 && (h->kind < 0 || h->name < 0))
        return err_set(err, ERR_SYNTAX, "the header needs a column 'entity', or 'kind' and 'name'");
    return 0;
}

static bool
device_csv_is_member(const char *name)
{
    static const char *const more[] = {"state", "maintenance_until", "tenant", NULL};
    for (const char *const *p = device_text_names(); *p; p++)
        if (strcmp(*p, name) == 0)
            return true;
    for (const char *const *p = more; *p; p++)
        if (strcmp(*p, name) == 0)
            return true;
    return false;
}

/* The record as an edit. Empty cells say nothing; columns that are no member become attributes. */
static void
device_csv_edit(const struct device_csv *c, const struct device_csv_columns *h, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (size_t i = 0; i < h->count; i++)
        if (device_csv_is_member(h->names[i]) && *device_csv_get(c, i))
            jsonw_kstr(&w, h->names[i], device_csv_get(c, i));
    bool any = false;
    for (size_t i = 0; i < h->count; i++)
        any = any ||
              (!device_csv_is_member(h->names[i]) && (int)i != h->entity && (int)i != h->kind &&
               (int)i != h->name && strcmp(h->names[i], "origin") != 0 && *device_csv_get(c, i));
    if (any) {
        jsonw_key(&w, "attributes");
        jsonw_object(&w);
        for (size_t i = 0; i < h->count; i++)
            if (!device_csv_is_member(h->names[i]) && (int)i != h->entity && (int)i != h->kind &&
                (int)i != h->name && strcmp(h->names[i], "origin") != 0 && *device_csv_get(c, i))
                jsonw_kstr(&w, h->names[i], device_csv_get(c, i));
        jsonw_end_object(&w);
    }
    jsonw_end_object(&w);
}

static int
device_csv_device(struct device_importer *im, const struct device_csv *c,
                  const struct device_csv_columns *h, unsigned line, struct err *err)
{
    char entity[ENTITY_SIZE * 2], message[256];
    struct doc *d = NULL;
    struct buf edit;
    int rc;
    if (c->broken || c->count > h->count) {
        snprintf(message, sizeof message,
                 c->broken ? "a quote does not end" : "the line has %zu cells, the header %zu",
                 c->count, h->count);
        return device_import_error(im, line, message);
    }
    if (h->entity >= 0)
        str_copy(entity, sizeof entity, device_csv_get(c, (size_t)h->entity));
    else
        snprintf(entity, sizeof entity, "%s:%s", device_csv_get(c, (size_t)h->kind),
                 device_csv_get(c, (size_t)h->name));
    buf_init(&edit, 65536);
    device_csv_edit(c, h, &edit);
    if ((rc = doc_parse_json(buf_str(&edit), edit.len, "import", &d, err)) == 0)
        rc = device_import_device(im, line, entity, d, doc_root(d), err);
    doc_free(d);
    buf_done(&edit);
    return rc;
}

static int
device_import_csv(struct device_importer *im, const char *text, size_t len, struct err *err)
{
    struct device_csv c = {.p = text, .end = text + len, .line = 1};
    struct device_csv_columns h;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c.p += 3;
    buf_init(&c.cells, 1 << 20);
    int rc = device_csv_header(&c, &h, err);
    while (rc == 0) {
        while (c.p < c.end && (*c.p == '\n' || *c.p == '\r')) {
            c.line += *c.p == '\n';
            c.p++;
        }
        unsigned line = c.line;
        if (!device_csv_record(&c))
            break;
        rc = c.cells.failed ? err_set(err, ERR_LIMIT, "line %u is longer than 1 MiB", line)
                            : device_csv_device(im, &c, &h, line, err);
        if (c.broken)
            break;
    }
    buf_done(&c.cells);
    return rc;
}

/* --- YAML ------------------------------------------------------------------------------------- */

/* A row of a topology document's list says what a device may: the members that are a device's. */
static int
device_import_topology_row(struct device_importer *im, const char *kind, const struct doc_node *row,
                           struct err *err)
{
    static const char *const ignored[] = {"name",  "nics",     "gpus",       "pdu",  "cdu",
                                          "nodes", "servers",  "nvswitches", "dpus", "superpod",
                                          "title", "metadata", NULL};
    struct buf edit;
    struct jsonw w;
    struct doc *d = NULL;
    char entity[ENTITY_SIZE * 2], number[64];
    snprintf(entity, sizeof entity, "%s:%s", kind, doc_get_str(row, "name", ""));
    buf_init(&edit, 65536);
    jsonw_init(&w, &edit);
    jsonw_object(&w);
    for (const struct doc_node *n = row->kind == DOC_MAP ? row->first : NULL; n; n = n->next)
        if (device_csv_is_member(n->key))
            jsonw_kstr(&w, n->key, topo_scalar(n, number));
    jsonw_key(&w, "attributes");
    jsonw_object(&w);
    for (const struct doc_node *n = row->kind == DOC_MAP ? row->first : NULL; n; n = n->next) {
        const char *const *i = ignored;
        while (*i && strcmp(*i, n->key) != 0)
            i++;
        if (!*i && !device_csv_is_member(n->key) && n->kind != DOC_MAP && n->kind != DOC_SEQ)
            jsonw_kstr(&w, n->key, topo_scalar(n, number));
    }
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    int rc = doc_parse_json(buf_str(&edit), edit.len, "import", &d, err);
    if (rc == 0)
        rc = device_import_device(im, row->line, entity, d, doc_root(d), err);
    doc_free(d);
    buf_done(&edit);
    return rc;
}

static int
device_import_sequence(struct device_importer *im, const struct doc *d, const struct doc_node *seq,
                       struct err *err)
{
    int rc = 0;
    for (const struct doc_node *n = seq->first; n && rc == 0; n = n->next) {
        char entity[ENTITY_SIZE * 2];
        const char *given = doc_get_str(n, "entity", NULL);
        if (n->kind != DOC_MAP) {
            rc = device_import_error(
                im, n->line, "a device is a mapping like {entity: node:node00300, rack: r12}");
            continue;
        }
        if (given)
            str_copy(entity, sizeof entity, given);
        else
            snprintf(entity, sizeof entity, "%s:%s", doc_get_str(n, "kind", ""),
                     doc_get_str(n, "name", ""));
        rc = device_import_device(im, n->line, entity, d, n, err);
    }
    return rc;
}

static int
device_import_yaml(struct device_importer *im, const struct doc *d, struct err *err)
{
    static const struct {
        const char *key, *kind;
    } lists[] = {
        {"nodes", "node"}, {"switches", "switch"}, {"racks", "rack"}, {"storage", "storage"}};
    const struct doc_node *root = doc_root(d), *devices = doc_get(root, "devices");
    int rc = 0;
    if (root && root->kind == DOC_SEQ)
        return device_import_sequence(im, d, root, err);
    if (devices && devices->kind == DOC_SEQ)
        rc = device_import_sequence(im, d, devices, err);
    bool any = devices != NULL;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && rc == 0; i++) {
        const struct doc_node *seq = doc_get(root, lists[i].key);
        any = any || seq;
        for (const struct doc_node *n = seq && seq->kind == DOC_SEQ ? seq->first : NULL;
             n && rc == 0; n = n->next)
            rc = device_import_topology_row(im, lists[i].kind, n, err);
    }
    return rc < 0 || any
               ? rc
               : err_set(err, ERR_SYNTAX, "an import is a list of devices, or a topology document");
}

/* --- both ------------------------------------------------------------------------------------- */

static int
device_import_pass(struct device_importer *im, const char *text, size_t len, const struct doc *d,
                   bool checking, struct err *err)
{
    im->checking = checking;
    int rc = d ? device_import_yaml(im, d, err) : device_import_csv(im, text, len, err);
    int end = device_import_flush(im, rc < 0 ? NULL : err);
    return rc < 0 ? rc : end;
}

int
device_import(struct store *s, const char *text, size_t len, bool csv, bool dry_run,
              const char *who, struct device_import *ret, struct err *err)
{
    struct device_importer im = {
        .s = s, .who = who, .dry_run = dry_run, .ret = ret, .now = clock_now_ms(s->cfg.clock)};
    struct doc *d = NULL;
    memset(ret, 0, sizeof *ret);
    im.seen = map_new(IMPORT_ROWS_MAX);
    im.pairs = calloc(IMPORT_BATCH, sizeof *im.pairs);
    im.changes = calloc(IMPORT_BATCH * 2, sizeof *im.changes);
    im.entities = calloc(IMPORT_BATCH, sizeof *im.entities);
    int rc = im.seen && im.pairs && im.changes && im.entities
                 ? 0
                 : err_set(err, ERR_NOMEM, "no memory for an import");
    if (rc == 0 && !csv)
        rc = doc_parse_any(text, len, "import", &d, err);
    if (rc == 0)
        rc = device_import_pass(&im, text, len, d, true, err);
    if (rc == 0 && !dry_run && !ret->error_count)
        rc = device_import_pass(&im, text, len, d, false, err);
    doc_free(d);
    map_free(im.seen, NULL);
    free(im.pairs);
    free(im.changes);
    free(im.entities);
    if (rc < 0)
        device_import_done(ret);
    return rc;
}

void
device_import_done(struct device_import *r)
{
    for (size_t i = 0; i < r->row_count; i++)
        free(r->rows[i].entity);
    for (size_t i = 0; i < r->error_count; i++)
        free(r->errors[i].message);
    free(r->rows);
    free(r->errors);
    memset(r, 0, sizeof *r);
}

/* --- out -------------------------------------------------------------------------------------- */

static void
device_export_cell(struct buf *out, const char *s, bool last)
{
    bool formula = *s && strchr("=+-@\t\r", *s);
    bool quote = s[strcspn(s, ",\"\r\n")] != 0;
    if (quote)
        buf_putc(out, '"');
    if (formula)
        buf_putc(out, '\'');
    for (; *s; s++) {
        if (*s == '"')
            buf_putc(out, '"');
        buf_putc(out, *s);
    }
    if (quote)
        buf_putc(out, '"');
    buf_puts(out, last ? "\r\n" : ",");
}

static int
device_export_device(void *ctx, const struct device *d)
{
    struct buf *out = ctx;
    char until[TIME_TEXT_SIZE] = "";
    if (d->maintenance_until_ms)
        time_format(d->maintenance_until_ms, until);
    const char *cells[] = {d->entity, d->state, d->origin, d->cluster,  d->rack, d->parent,
                           d->vendor, d->model, d->serial, d->firmware, d->note, until};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        device_export_cell(out, cells[i], i + 1 == sizeof cells / sizeof *cells);
    return out->failed ? ERR_LIMIT : 0;
}

int
device_export(struct store *s, const struct device_query *q, struct buf *out, struct err *err)
{
    struct device_query all = *q;
    char cursor[256] = "", next[256];
    int rc;
    buf_puts(out, "entity,state,origin,cluster,rack,parent,vendor,model,serial,firmware,note,"
                  "maintenance_until\r\n");
    all.limit = 10000;
    do {
        all.cursor = *cursor ? cursor : q->cursor;
        rc = device_list(s, &all, device_export_device, out, next, NULL, err);
        memcpy(cursor, next, sizeof cursor);
    } while (rc >= 0 && *cursor);
    return rc == ERR_LIMIT ? err_set(err, rc, "the export is too large") : rc < 0 ? rc : 0;
}
