/* Devices and clusters: the view over topology and documents, edits with their history, import and
 * export. */
#include "store/catalog_priv.h"
#include "store/clusters.h"
#include "store/devices.h"
#include "store/store_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL                                                                                      \
    "cluster: {name: demo, title: Demo}\n"                                                         \
    "racks: [{name: r01}]\n"                                                                       \
    "nodes: [{name: 'node[1-3]', rack: r01, vendor: Dell, gpus: {count: 2, vendor: nvidia, "       \
    "model: H100}}]\n"                                                                             \
    "switches: [{name: leaf1, vendor: nvidia, serial: SW-77}]\n"

struct fixture {
    struct store *s;
    char folder[64];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    strcpy(f->folder, "/tmp/ms-devices-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->s = calloc(1, sizeof *f->s);
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    assert_int_equal(topo_state_open(f->s, &err), 0);
    assert_int_equal(topo_put_document(f->s, SMALL, strlen(SMALL), "t", &err), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = {"catalog.db", "catalog.db-wal", "catalog.db-shm"};
    struct fixture *f = *state;
    char path[128];
    topo_state_close(f->s);
    catalog_close(f->s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    rmdir(f->folder);
    free(f->s);
    free(f);
    return 0;
}

static int
edit(struct store *s, const char *entity, const char *json, struct err *err)
{
    struct doc *d = NULL;
    assert_int_equal(doc_parse_json(json, strlen(json), "", &d, err), 0);
    int rc = device_put(s, entity, d, doc_root(d), "manual", "ann", err);
    doc_free(d);
    return rc;
}

static int
show(void *ctx, const struct device *d)
{
    struct jsonw w;
    buf_reset(ctx);
    jsonw_init(&w, ctx);
    jsonw_object(&w);
    device_write(&w, d);
    jsonw_end_object(&w);
    return 0;
}

static const char *
get(struct store *s, const char *entity)
{
    static char text[4096];
    struct buf out;
    struct err err;
    buf_init(&out, sizeof text - 1);
    snprintf(text, sizeof text, "%s",
             device_get(s, entity, show, &out, &err) < 0 ? err_name(err.code) : buf_str(&out));
    buf_done(&out);
    return text;
}

static int
name(void *ctx, const struct device *d)
{
    strcat(ctx, d->entity);
    strcat(ctx, " ");
    return 0;
}

static const char *
list(struct store *s, struct device_query q, char *next, size_t *total)
{
    static char text[4096];
    struct err err;
    text[0] = 0;
    return device_list(s, &q, name, text, next, total, &err) < 0 ? err_name(err.code) : text;
}

static bool
contains(const char *text, const char *what)
{
    if (strstr(text, what))
        return true;
    print_message("# %s lacks %s\n", text, what);
    return false;
}

static void
the_view_joins_topology_and_document(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct err err;
    const char *v = get(s, "gpu:node1/1");
    assert_true(contains(v, "\"origin\":\"topology\"") && contains(v, "\"vendor\":\"nvidia\"") &&
                contains(v, "\"rack\":\"r01\"") && contains(v, "\"cluster\":\"demo\"") &&
                contains(v, "\"parent\":\"node:node1\"") && contains(v, "\"serial\":null"));
    assert_int_equal(
        edit(s, "gpu:node1/1", "{\"serial\":\"S9\",\"attributes\":{\"slot\":\"4\"}}", &err), 0);
    v = get(s, "gpu:node1/1");
    assert_true(contains(v, "\"serial\":\"S9\"") && contains(v, "\"slot\":\"4\"") &&
                contains(v, "\"model\":\"H100\"") && contains(v, "\"origin\":\"topology\""));
    assert_int_equal(edit(s, "pdu:p9", "{\"vendor\":\"APC\"}", &err), 0);
    v = get(s, "pdu:p9");
    assert_true(contains(v, "\"origin\":\"manual\"") && contains(v, "\"state\":\"active\""));
    assert_string_equal(get(s, "node:nobody"), "not_found");
    assert_string_equal(get(s, "nonsense"), "syntax");
}

static void
wrong_edits_are_refused(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const struct {
        const char *entity, *json, *want;
    } cases[] = {
        {"node1", "{}", "KIND:NAME"},
        {"node:a", "{\"vender\":\"x\"}", "vendor"},
        {"node:a", "{\"state\":\"broken\"}", "maintenance"},
        {"node:a", "{\"vendor\":[1]}", "one text"},
        {"node:a", "{\"maintenance_until\":\"soon\"}", "maintenance_until"},
        {"node:a", "{\"attributes\":[]}", "mapping"},
        {"node:a", "[]", "mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        if (edit(s, cases[i].entity, cases[i].json, &err) >= 0 ||
            !contains(err.text, cases[i].want))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static int
row(void *ctx, const struct device_history *h)
{
    char line[256];
    snprintf(line, sizeof line, "%s %s (%s)|", h->user, h->action, h->text);
    strcat(ctx, line);
    return 0;
}

static void
every_change_leaves_its_row(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char text[2048] = "";
    struct err err;
    assert_int_equal(edit(s, "node:new", "{\"vendor\":\"A\"}", &err), 0);
    assert_int_equal(edit(s, "node:new", "{\"vendor\":\"A\"}", &err),
                     0); /* nothing changes, nothing is written */
    assert_int_equal(edit(s, "node:new", "{\"vendor\":\"B\",\"rack\":\"r01\"}", &err), 0);
    assert_int_equal(device_set_state(s, "node:new", "maintenance", 1795420800000, "bob", "", &err),
                     0);
    assert_true(contains(get(s, "node:new"), "\"maintenance_until\":\"2026-11-23T08:00:00.000Z\""));
    assert_int_equal(device_set_state(s, "node:new", "active", 0, "bob", "", &err), 0);
    assert_int_equal(device_set_state(s, "node:new", "retired", 0, "bob", "", &err), 0);
    assert_int_equal(device_history(s, "node:new", 0, row, text, &err), 5);
    static const char *const want[] = {"bob retired", "bob active", "bob maintenance",
                                       "ann edited (vendor: A -> B; rack: - -> r01)",
                                       "ann created (vendor: - -> A)"};
    for (size_t i = 0; i < 5; i++)
        assert_true(contains(text, want[i]));
    assert_int_equal(device_delete(s, "node:new", &err), 0);
    assert_int_equal(device_delete(s, "node:new", &err), ERR_NOTFOUND);
    assert_int_equal(device_history(s, "node:new", 0, row, text, &err), 0);
}

static void
lists_filter_search_and_page(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct err err;
    char next[256], cursor[256];
    size_t total;
    assert_int_equal(
        edit(s, "node:node2", "{\"state\":\"maintenance\",\"note\":\"fan swap\"}", &err), 0);
    assert_int_equal(edit(s, "node:gone", "{\"state\":\"retired\",\"vendor\":\"Dell\"}", &err), 0);
    assert_int_equal(edit(s, "pdu:p9", "{\"vendor\":\"APC\"}", &err), 0);
    topo_settle(s);
    assert_string_equal(list(s, (struct device_query){.kind = "node"}, next, &total),
                        "node:node1 node:node2 node:node3 node:gone ");
    assert_int_equal(total, 4);
    const struct {
        struct device_query q;
        const char *want;
    } cases[] = {
        {{.kind = "node", .state = "maintenance"}, "node:node2 "},
        {{.kind = "node", .state = "active"}, "node:node1 node:node3 "},
        {{.kind = "node,pdu", .state = "active,retired"},
         "pdu:p9 node:node1 node:node3 node:gone "},
        {{.text = "sw-7"}, "switch:leaf1 "},
        {{.text = "fan SWAP"}, "node:node2 "},
        {{.text = "node3 h100"}, "gpu:node3/0 gpu:node3/1 "},
        {{.kind = "node", .vendor = "Dell"}, "node:node1 node:node2 node:node3 node:gone "},
        {{.rack = "r01", .kind = "gpu", .text = "node1"}, "gpu:node1/0 gpu:node1/1 "},
        {{.origin = "manual"}, "pdu:p9 node:gone "},
        {{.origin = "topology", .kind = "node"}, "node:node1 node:node2 node:node3 "},
        {{.parent = "node:node2"}, "gpu:node2/0 gpu:node2/1 "},
        {{.cluster = "demo", .kind = "switch"}, "switch:leaf1 "},
        {{.cluster = "other"}, ""},
        {{.cursor = "what"}, "syntax"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(list(s, cases[i].q, NULL, NULL), cases[i].want) != 0)
            fail_msg("case %zu: %s", i, list(s, cases[i].q, NULL, NULL));
    char all[4096] = "";
    for (strcpy(cursor, "");; strcpy(cursor, next)) {
        strcat(all, list(s, (struct device_query){.limit = 3, .cursor = cursor}, next, NULL));
        if (!*next)
            break;
    }
    char whole[4096];
    strcpy(whole, list(s, (struct device_query){0}, next, &total));
    assert_string_equal(all, whole);
    assert_int_equal(total, 13);
}

static void
csv_is_taken_whole_or_not_at_all(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const char good[] = "\xef\xbb\xbf"
                               "entity,vendor,model,rack,asset\r\n"
                               "node:node1,Dell,\"XE, 9680\",r01,A-1\r\n"
                               "node:n9,'=cmd,\"say \"\"hi\"\"\",r02,\r\n\r\n";
    static const char bad[] =
        "kind,name,vendor\nnode,x,A\ngpuu,y,B\nnode,x,C\nnode,z,a,b,c\nnode,\"q";
    struct device_import r;
    struct err err;
    assert_int_equal(device_import(s, good, sizeof good - 1, true, true, "ann", &r, &err), 0);
    assert_int_equal(r.created, 2);
    device_import_done(&r);
    assert_string_equal(get(s, "node:n9"), "not_found");
    assert_int_equal(device_import(s, good, sizeof good - 1, true, false, "ann", &r, &err), 0);
    assert_int_equal(r.row_count, 2);
    assert_string_equal(r.rows[1].entity, "node:n9");
    device_import_done(&r);
    assert_true(contains(get(s, "node:n9"), "\"vendor\":\"=cmd\"") &&
                contains(get(s, "node:n9"), "say \\\"hi\\\"") &&
                contains(get(s, "node:n9"), "\"origin\":\"import\""));
    assert_true(contains(get(s, "node:node1"), "XE, 9680") &&
                contains(get(s, "node:node1"), "\"asset\":\"A-1\""));
    assert_int_equal(device_import(s, good, sizeof good - 1, true, false, "ann", &r, &err), 0);
    assert_int_equal(r.unchanged, 2);
    device_import_done(&r);
    assert_int_equal(device_import(s, bad, sizeof bad - 1, true, false, "ann", &r, &err), 0);
    assert_int_equal(r.error_count, 4);
    assert_int_equal(r.errors[0].line, 3);
    assert_true(contains(r.errors[0].message, "gpuu"));
    assert_int_equal(r.errors[1].line, 4);
    assert_true(contains(r.errors[1].message, "twice"));
    device_import_done(&r);
    assert_string_equal(get(s, "node:x"), "not_found");
    static const char states[] =
        "entity,state\nnode:s1,maintenance\nnode:s2,retired\nnode:s3,active\n";
    assert_int_equal(device_import(s, states, sizeof states - 1, true, false, "ann", &r, &err), 0);
    assert_int_equal(r.created, 3);
    device_import_done(&r);
    assert_true(contains(get(s, "node:s1"), "\"state\":\"maintenance\""));
    assert_true(contains(get(s, "node:s2"), "\"state\":\"retired\""));
    assert_int_equal(device_import(s, "vendor\nx\n", 9, true, true, "ann", &r, &err), ERR_SYNTAX);
}

static void
yaml_is_a_list_of_devices_or_a_topology(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const char devices[] = "- {entity: node:n7, vendor: Dell, attributes: {u: 12}}\n- "
                                  "{kind: switch, name: s7, rack: r7}\n"
                                  "- {entity: node:n8, wendor: x}\n";
    static const char topology[] =
        "version: 1\nnodes:\n  - {name: node300, rack: r12, gpus: 8, group: g9}\n";
    struct device_import r;
    struct err err;
    assert_int_equal(device_import(s, devices, sizeof devices - 1, false, false, "ann", &r, &err),
                     0);
    assert_int_equal(r.error_count, 1);
    assert_int_equal(r.errors[0].line, 3);
    assert_true(contains(r.errors[0].message, "vendor"));
    device_import_done(&r);
    assert_int_equal(device_import(s, devices, 91, false, false, "ann", &r, &err), 0);
    assert_int_equal(r.created, 2);
    device_import_done(&r);
    assert_true(contains(get(s, "node:n7"), "\"u\":\"12\"") && contains(get(s, "switch:s7"), "r7"));
    assert_int_equal(device_import(s, topology, sizeof topology - 1, false, false, "ann", &r, &err),
                     0);
    assert_int_equal(r.created, 1);
    device_import_done(&r);
    assert_true(contains(get(s, "node:node300"), "\"rack\":\"r12\"") &&
                contains(get(s, "node:node300"), "\"group\":\"g9\""));
    assert_int_equal(device_import(s, "a: b\n", 5, false, true, "ann", &r, &err), ERR_SYNTAX);
}

static void
an_export_runs_in_no_spreadsheet_and_reads_back(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct device_import r;
    struct buf out;
    struct err err;
    assert_int_equal(edit(s, "pdu:p9", "{\"vendor\":\"=1+1\",\"note\":\"a, \\\"b\\\"\"}", &err), 0);
    topo_settle(s);
    buf_init(&out, 1 << 20);
    assert_int_equal(device_export(s, &(struct device_query){.kind = "pdu,node"}, &out, &err), 0);
    assert_true(contains(buf_str(&out), ",'=1+1,") && contains(buf_str(&out), "\"a, \"\"b\"\"\""));
    assert_int_equal(device_import(s, out.data, out.len, true, true, "ann", &r, &err), 0);
    assert_int_equal(r.error_count, 0);
    assert_int_equal(r.unchanged, 1);
    device_import_done(&r);
    buf_done(&out);
}

static int
cluster(void *ctx, const struct cluster *c)
{
    char line[256];
    snprintf(line, sizeof line, "%s/%s/%s/%llu/%s%s ", c->name, c->title, c->state,
             (unsigned long long)c->gpus, c->metadata, c->has_topology ? "+" : "");
    strcat(ctx, line);
    return 0;
}

static int
cluster_edit(struct store *s, const char *which, const char *json, struct err *err)
{
    struct doc *d = NULL;
    assert_int_equal(doc_parse_json(json, strlen(json), "", &d, err), 0);
    int rc = cluster_put(s, which, d, doc_root(d), err);
    doc_free(d);
    return rc;
}

static void
clusters_are_edited_in_place(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char text[1024] = "";
    struct err err;
    assert_int_equal(cluster_list(s, cluster, text, &err), 1);
    assert_string_equal(text, "demo/Demo/active/0/{}+ ");
    assert_int_equal(
        cluster_edit(s, "demo",
                     "{\"size\":{\"nodes\":3,\"gpus\":6},\"metadata\":{\"site\":\"lab 2\"}}", &err),
        0);
    assert_int_equal(cluster_edit(s, "demo", "{\"state\":\"maintenance\"}", &err), 0);
    assert_int_equal(cluster_edit(s, "b", "{\"title\":\"Bee\"}", &err), 0);
    assert_int_equal(cluster_edit(s, "b", "{\"name\":\"c\"}", &err), 0);
    assert_int_equal(cluster_edit(s, "demo", "{\"name\":\"x\"}", &err), ERR_STATE);
    assert_int_equal(cluster_edit(s, "demo", "{\"state\":\"on fire\"}", &err), ERR_SYNTAX);
    assert_int_equal(cluster_edit(s, "a/b", "{}", &err), ERR_SYNTAX);
    text[0] = 0;
    assert_int_equal(cluster_list(s, cluster, text, &err), 2);
    assert_string_equal(text, "c/Bee/building/0/{} demo/Demo/maintenance/6/{\"site\":\"lab 2\"}+ ");
    text[0] = 0;
    assert_int_equal(cluster_get(s, "c", cluster, text, &err), 0);
    assert_int_equal(cluster_delete(s, "c", &err), 0);
    assert_int_equal(cluster_get(s, "c", cluster, text, &err), ERR_NOTFOUND);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_view_joins_topology_and_document),
        T(wrong_edits_are_refused),
        T(every_change_leaves_its_row),
        T(lists_filter_search_and_page),
        T(csv_is_taken_whole_or_not_at_all),
        T(yaml_is_a_list_of_devices_or_a_topology),
        T(an_export_runs_in_no_spreadsheet_and_reads_back),
        T(clusters_are_edited_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
