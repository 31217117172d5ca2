/* plan_doc: the topology document, read into a plan and printed from one.
 *
 * The simulator's own small reader: what it does not simulate (aliases, addresses of nodes) it
 * passes over. */
#include "base/hostlist.h"
#include "base/jsonw.h"
#include "sim/plan.h"

#include <stdio.h>
#include <string.h>

struct plan_reader {
    struct plan *plan;
    const struct doc *doc;
    struct err *err;
};

static int
plan_doc_fail(struct plan_reader *r, const struct doc_node *n, int64_t rc, const char *what,
              const char *name)
{
    return doc_err(r->doc, n, r->err, (int)rc, "%s '%s': %s", what, name, err_text((int)rc));
}

static int
plan_doc_name(struct plan_reader *r, const struct doc_node *n, const char **ret_name)
{
    const char *name = doc_get_str(n, "name", NULL);
    if (name == NULL || *name == 0)
        return doc_err(r->doc, n, r->err, ERR_SYNTAX, "a name is missing here");
    *ret_name = name;
    return 0;
}

static int
plan_doc_rack(struct plan_reader *r, const struct doc_node *n)
{
    const char *name = "";
    int rc = plan_doc_name(r, n, &name);
    if (rc < 0)
        return rc;
    int64_t i =
        plan_add_rack(r->plan, name, doc_get_str(n, "pdu", NULL), doc_get_str(n, "cdu", NULL));
    return i < 0 ? plan_doc_fail(r, n, i, "rack", name) : 0;
}

static int
plan_doc_switch(struct plan_reader *r, const struct doc_node *n)
{
    const char *name = "";
    int rc = plan_doc_name(r, n, &name);
    if (rc < 0)
        return rc;
    struct plan_switch s = {.name = name,
                            .role = doc_get_str(n, "role", "leaf"),
                            .group = doc_get_str(n, "group", ""),
                            .plane = doc_get_str(n, "plane", NULL),
                            .address = doc_get_str(n, "address", NULL),
                            .rail = (int)doc_get_int(n, "rail", 0)};
    int64_t i = plan_add_switch(r->plan, &s);
    return i < 0 ? plan_doc_fail(r, n, i, "switch", name) : 0;
}

static int
plan_doc_nics(struct plan_reader *r, const struct doc_node *nics)
{
    for (const struct doc_node *n = nics == NULL ? NULL : nics->first; n != NULL; n = n->next) {
        const char *name = "";
        int rc = plan_doc_name(r, n, &name);
        if (rc < 0)
            return rc;
        struct plan_nic nic = {.name = name,
                               .netdev = doc_get_str(n, "netdev", NULL),
                               .plane = doc_get_str(n, "plane", NULL),
                               .rail = (int)doc_get_int(n, "rail", 0)};
        int64_t i = plan_add_nic(r->plan, &nic);
        if (i < 0)
            return plan_doc_fail(r, n, i, "nic", name);
        if (doc_get_str(n, "pci", NULL) != NULL)
            snprintf(r->plan->nics.at[i].pci, sizeof r->plan->nics.at[i].pci, "%.15s",
                     doc_get_str(n, "pci", ""));
    }
    return 0;
}

static void
plan_doc_pci(struct plan_reader *r, const struct doc_node *pci, uint32_t node)
{
    const struct plan_node *at = &r->plan->nodes.at[node];
    for (uint32_t g = 0; g < at->gpus; g++) {
        const char *text = doc_str(doc_at(pci, g), NULL);
        if (text != NULL)
            snprintf(r->plan->gpus.at[at->first_gpu + g].pci, sizeof r->plan->gpus.at[0].pci,
                     "%.15s", text);
    }
}

static int
plan_doc_node(struct plan_reader *r, const struct doc_node *n)
{
    const char *name = "", *rack = doc_get_str(n, "rack", NULL);
    const struct doc_node *gpus = doc_get(n, "gpus");
    char text[256];
    int rc = plan_doc_name(r, n, &name);
    if (rc < 0)
        return rc;
    struct plan_node node = {.name = name,
                             .rack = -1,
                             .group = doc_get_str(n, "group", ""),
                             .vendor = doc_get_str(gpus, "vendor", NULL),
                             .model = doc_get_str(gpus, "model", NULL)};
    int64_t count =
        gpus != NULL && gpus->kind == DOC_INT ? doc_int(gpus, 0) : doc_get_int(gpus, "count", 0);
    if (count < 0 || count > 64)
        return doc_err(r->doc, gpus, r->err, ERR_RANGE, "a node has 0 to 64 accelerators, not %lld",
                       (long long)count);
    node.gpus = (uint32_t)count;
    if (rack != NULL) {
        snprintf(text, sizeof text, "rack:%s", rack);
        node.rack = (int32_t)plan_find(r->plan, text);
        if (node.rack < 0)
            return doc_err(r->doc, doc_get(n, "rack"), r->err, ERR_NOTFOUND,
                           "rack '%s' is not in racks", rack);
    }
    int64_t i = plan_add_node(r->plan, &node);
    if (i < 0)
        return plan_doc_fail(r, n, i, "node", name);
    plan_doc_pci(r, doc_get(gpus, "pci"), (uint32_t)i);
    return plan_doc_nics(r, doc_get(n, "nics"));
}

static int
plan_doc_end(struct plan_reader *r, const struct doc_node *at, struct plan_end *ret_end)
{
    const char *text = doc_str(at, "");
    const char *slash = strchr(text, '/');
    char name[256];
    if (slash == NULL)
        return doc_err(r->doc, at, r->err, ERR_SYNTAX, "'%s' is not NODE/NIC or SWITCH/PORT", text);
    snprintf(name, sizeof name, "nic:%s", text);
    int64_t i = plan_find(r->plan, name);
    if (i >= 0) {
        *ret_end = (struct plan_end){PLAN_NIC, (uint32_t)i};
        return 0;
    }
    snprintf(name, sizeof name, "switch:%.*s", (int)(slash - text), text);
    int64_t sw = plan_find(r->plan, name);
    if (sw < 0)
        return doc_err(r->doc, at, r->err, ERR_NOTFOUND,
                       "'%s' is neither a NIC of a node nor a port of a switch", text);
    i = plan_add_port(r->plan, (uint32_t)sw, slash + 1);
    if (i < 0)
        return plan_doc_fail(r, at, i, "port", text);
    *ret_end = (struct plan_end){PLAN_PORT, (uint32_t)i};
    return 0;
}

static int
plan_doc_link(struct plan_reader *r, const struct doc_node *n)
{
    struct plan_end a, b;
    int rc = plan_doc_end(r, doc_get(n, "a"), &a);
    if (rc >= 0)
        rc = plan_doc_end(r, doc_get(n, "b"), &b);
    if (rc < 0)
        return rc;
    int64_t i =
        plan_add_link(r->plan, a, b, doc_get_real(n, "gbps", 400), doc_get_bool(n, "optic", true));
    return i < 0 ? plan_doc_fail(r, n, i, "link", doc_get_str(n, "a", "")) : 0;
}

static int
plan_doc_storage(struct plan_reader *r, const struct doc_node *n)
{
    const char *name = "";
    int rc = plan_doc_name(r, n, &name);
    if (rc < 0)
        return rc;
    struct plan_storage s = {.name = name,
                             .kind = doc_get_str(n, "kind", NULL),
                             .path = doc_get_str(n, "path", NULL),
                             .server = doc_str(doc_at(doc_get(n, "servers"), 0), NULL),
                             .nodes = doc_get_str(n, "nodes", NULL)};
    int64_t i = plan_add_storage(r->plan, &s);
    if (i < 0)
        return plan_doc_fail(r, n, i, "storage", name);
    struct hostlist list;
    if (s.nodes == NULL)
        return 0;
    rc = hostlist_parse(s.nodes, &list, r->err);
    if (rc < 0)
        return rc;
    for (size_t h = 0; h < list.count; h++) {
        char text[256];
        snprintf(text, sizeof text, "node:%s", list.names[h]);
        int64_t node = plan_find(r->plan, text);
        if (node >= 0) {
            r->plan->nodes.at[node].mounts = true;
            r->plan->nodes.at[node].storage = (int32_t)i;
        }
    }
    hostlist_done(&list);
    return 0;
}

static int
plan_doc_fabric(struct plan_reader *r, const struct doc_node *n)
{
    const struct doc_node *gpus = doc_get(n, "gpus");
    struct plan_fabric f = {.kind = doc_get_str(n, "kind", NULL),
                            .groups = (uint32_t)doc_get_int(n, "groups", 0),
                            .nodes_per_group = (uint32_t)doc_get_int(n, "nodes_per_group", 0),
                            .rails = (uint32_t)doc_get_int(n, "rails", 0),
                            .spines = (uint32_t)doc_get_int(n, "spines", 0),
                            .nodes = (uint32_t)doc_get_int(n, "nodes", 0),
                            .k = (uint32_t)doc_get_int(n, "k", 0),
                            .gpus = (uint32_t)doc_get_int(gpus, "count", doc_get_int(n, "gpus", 8)),
                            .vendor = doc_get_str(gpus, "vendor", NULL),
                            .model = doc_get_str(gpus, "model", NULL),
                            .gbps = doc_get_real(n, "gbps", 400)};
    int rc = plan_expand(r->plan, &f, r->err);
    if (rc < 0 && r->err != NULL)
        err_at(r->err, doc_name(r->doc), n->line, n->column);
    return rc;
}

static int
plan_doc_each(struct plan_reader *r, const char *key,
              int (*read)(struct plan_reader *, const struct doc_node *))
{
    const struct doc_node *list = doc_get(doc_root(r->doc), key);
    if (list != NULL && list->kind != DOC_SEQ && list->kind != DOC_NULL)
        return doc_err(r->doc, list, r->err, ERR_SYNTAX, "'%s' is a list", key);
    int rc = 0;
    for (const struct doc_node *n = list == NULL ? NULL : list->first; n != NULL && rc >= 0;
         n = n->next)
        rc = n->kind == DOC_MAP
                 ? read(r, n)
                 : doc_err(r->doc, n, r->err, ERR_SYNTAX, "an entry of '%s' is a map", key);
    return rc;
}

int
plan_load(const struct doc *d, struct plan **ret_plan, struct err *err)
{
    const struct doc_node *root = doc_root(d), *fabric = doc_get(root, "fabric");
    struct plan_reader r = {.doc = d, .err = err};
    if (root == NULL || root->kind != DOC_MAP)
        return doc_err(d, root, err, ERR_SYNTAX, "a topology document is a map");
    int rc = plan_new(doc_get_str(doc_get(root, "cluster"), "name", "sim"), &r.plan, err);
    if (rc < 0)
        return rc;
    rc = plan_doc_each(&r, "racks", plan_doc_rack);
    if (rc >= 0)
        rc = plan_doc_each(&r, "switches", plan_doc_switch);
    if (rc >= 0)
        rc = plan_doc_each(&r, "nodes", plan_doc_node);
    if (rc >= 0 && fabric != NULL)
        rc = plan_doc_fabric(&r, fabric);
    if (rc >= 0)
        rc = plan_doc_each(&r, "links", plan_doc_link);
    if (rc >= 0)
        rc = plan_doc_each(&r, "storage", plan_doc_storage);
    if (rc < 0) {
        plan_free(r.plan);
        return rc;
    }
    *ret_plan = r.plan;
    return 0;
}

static void
plan_print_racks(const struct plan *p, struct jsonw *w)
{
    jsonw_key(w, "racks");
    jsonw_array(w);
    for (uint32_t i = 0; i < p->racks.count; i++) {
        const struct plan_rack *r = &p->racks.at[i];
        jsonw_object(w);
        jsonw_kstr(w, "name", r->name);
        if (r->pdu >= 0)
            jsonw_kstr(w, "pdu", p->pdus.at[r->pdu].name);
        if (r->cdu >= 0)
            jsonw_kstr(w, "cdu", p->cdus.at[r->cdu].name);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
plan_print_switches(const struct plan *p, struct jsonw *w)
{
    jsonw_key(w, "switches");
    jsonw_array(w);
    for (uint32_t i = 0; i < p->switches.count; i++) {
        const struct plan_switch *s = &p->switches.at[i];
        jsonw_object(w);
        jsonw_kstr(w, "name", s->name);
        jsonw_kstr(w, "role", s->role);
        if (*s->group != 0)
            jsonw_kstr(w, "group", s->group);
        if (s->rail > 0)
            jsonw_kint(w, "rail", s->rail);
        jsonw_kstr(w, "plane", s->plane);
        jsonw_kstr(w, "address", s->address);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
plan_print_node(const struct plan *p, const struct plan_node *n, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "name", n->name);
    if (n->rack >= 0)
        jsonw_kstr(w, "rack", p->racks.at[n->rack].name);
    if (*n->group != 0)
        jsonw_kstr(w, "group", n->group);
    jsonw_key(w, "gpus");
    jsonw_object(w);
    jsonw_kint(w, "count", n->gpus);
    jsonw_kstr(w, "vendor", n->vendor);
    jsonw_kstr(w, "model", n->model);
    jsonw_key(w, "pci");
    jsonw_array(w);
    for (uint32_t g = 0; g < n->gpus; g++)
        jsonw_str(w, p->gpus.at[n->first_gpu + g].pci);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_key(w, "nics");
    jsonw_array(w);
    for (uint32_t i = n->first_nic; i < n->first_nic + n->nics; i++) {
        const struct plan_nic *c = &p->nics.at[i];
        char address[16];
        jsonw_object(w);
        jsonw_kstr(w, "name", c->name);
        if (c->rail > 0)
            jsonw_kint(w, "rail", c->rail);
        jsonw_kstr(w, "plane", c->plane);
        jsonw_kstr(w, "netdev", c->netdev);
        jsonw_kstr(w, "pci", c->pci);
        jsonw_kstr(w, "address", plan_nic_address(p, i, address));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static int
plan_print_storage(const struct plan *p, struct jsonw *w)
{
    int rc = 0;
    jsonw_key(w, "storage");
    jsonw_array(w);
    for (uint32_t i = 0; i < p->storage.count && rc >= 0; i++) {
        const struct plan_storage *s = &p->storage.at[i];
        jsonw_object(w);
        jsonw_kstr(w, "name", s->name);
        jsonw_kstr(w, "kind", s->kind);
        jsonw_key(w, "servers");
        jsonw_array(w);
        jsonw_str(w, s->server);
        jsonw_end_array(w);
        jsonw_kstr(w, "path", s->path);
        jsonw_kstr(w, "nodes", s->nodes);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    return rc;
}

static void
plan_print_links(const struct plan *p, struct jsonw *w)
{
    char name[256];
    jsonw_key(w, "links");
    jsonw_array(w);
    for (uint32_t i = 0; i < p->links.count; i++) {
        const struct plan_link *l = &p->links.at[i];
        jsonw_object(w);
        jsonw_kstr(w, "a", plan_end_name(p, l->a, name, sizeof name));
        jsonw_kstr(w, "b", plan_end_name(p, l->b, name, sizeof name));
        jsonw_kreal(w, "gbps", l->gbps);
        jsonw_kbool(w, "optic", plan_end_optic(p, l->a) >= 0);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

int
plan_print(const struct plan *p, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kint(&w, "version", 1);
    jsonw_key(&w, "cluster");
    jsonw_object(&w);
    jsonw_kstr(&w, "name", p->cluster);
    jsonw_end_object(&w);
    plan_print_racks(p, &w);
    plan_print_switches(p, &w);
    jsonw_key(&w, "nodes");
    jsonw_array(&w);
    for (uint32_t i = 0; i < p->nodes.count; i++)
        plan_print_node(p, &p->nodes.at[i], &w);
    jsonw_end_array(&w);
    int rc = plan_print_storage(p, &w);
    plan_print_links(p, &w);
    jsonw_end_object(&w);
    return rc < 0 ? rc : out->failed ? ERR_LIMIT : 0;
}
