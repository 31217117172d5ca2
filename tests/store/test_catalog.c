/* The catalog: documents, their lists, search, group commit, and what happens to a file of another
 * program. */
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/store_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct store *s;
    char folder[64];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    strcpy(f->folder, "/tmp/ms-catalog-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->s = calloc(1, sizeof *f->s);
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = {"catalog.db", "catalog.db-wal", "catalog.db-shm",
                                        "copy.db"};
    struct fixture *f = *state;
    char path[128];
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

static struct catalog_doc
doc(const char *kind, const char *id, int64_t t, const char *json)
{
    return (struct catalog_doc){
        .kind = kind, .id = id, .time_ms = t, .json = json, .json_len = strlen(json)};
}

static void
put(struct store *s, const char *kind, const char *id, const char *tenant, const char *state,
    const char *key, int64_t t, const char *json)
{
    struct catalog_doc d = doc(kind, id, t, json);
    struct err err;
    d.tenant = tenant;
    d.state = state;
    d.key = key;
    assert_int_equal(catalog_put(s, &d, &err), 0);
}

static int
collect(void *ctx, const struct catalog_doc *d)
{
    char *out = ctx;
    strcat(out, d->id);
    strcat(out, " ");
    return 0;
}

static const char *
ids(struct store *s, struct catalog_query q, char *next)
{
    static char out[4096];
    struct err err = {0};
    out[0] = 0;
    if (catalog_list(s, &q, collect, out, next, &err) < 0)
        return err_name(err.code);
    return out;
}

static void
a_document_put_is_read_back_with_its_revision(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put(s, "incident", "i1", "t1", "open", "gpu:n/1", 5, "{\"a\":1}");
    put(s, "incident", "i1", "t1", "resolved", "gpu:n/1", 5, "{\"a\":2}");
    char *json = catalog_get_json(s, "incident", "i1", NULL);
    assert_string_equal(json, "{\"a\":2}");
    free(json);
    assert_null(catalog_get_json(s, "incident", "i2", NULL));
    assert_null(catalog_get_json(s, "other", "i1", NULL));
}

static void
insert_refuses_what_is_there_and_put_if_what_has_changed(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct catalog_change ch = {.op = CATALOG_INSERT, .doc = doc("user", "u", 1, "{}")};
    struct err err;
    assert_int_equal(catalog_apply(s, &ch, 1, NULL, &err), 0);
    assert_int_equal(catalog_apply(s, &ch, 1, NULL, &err), ERR_EXISTS);
    ch.op = CATALOG_PUT_IF;
    ch.doc.revision = 2;
    assert_int_equal(catalog_apply(s, &ch, 1, NULL, &err), ERR_STATE);
    ch.doc.revision = 1;
    assert_int_equal(catalog_apply(s, &ch, 1, NULL, &err), 0);
    assert_int_equal(catalog_delete(s, "user", "u", &err), 0);
    assert_int_equal(catalog_delete(s, "user", "u", &err), ERR_NOTFOUND);
}

static void
changes_apply_all_or_none_and_the_failed_one_is_named(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct catalog_change ch[3] = {
        {.op = CATALOG_PUT, .doc = doc("x", "a", 1, "{}")},
        {.op = CATALOG_PUT, .doc = doc("x", "b", 1, "{}")},
        {.op = CATALOG_DELETE, .doc = {.kind = "x", .id = "nobody"}},
    };
    size_t failed = 0;
    struct err err;
    assert_int_equal(catalog_apply(s, ch, 3, &failed, &err), ERR_NOTFOUND);
    assert_int_equal(failed, 2);
    assert_int_equal(catalog_count(s, &(struct catalog_query){.kind = "x"}, &err), 0);
    assert_int_equal(catalog_apply(s, ch, 2, &failed, &err), 0);
    assert_int_equal(catalog_count(s, &(struct catalog_query){.kind = "x"}, &err), 2);
}

static void
lists_filter_sort_and_page(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char next[256], cursor[256];
    put(s, "job", "1", "t1", "running", "k", 10, "{}");
    put(s, "job", "2", "t2", "failed", "", 20, "{}");
    put(s, "job", "3", "t1", "failed", "k", 20, "{}");
    put(s, "job", "4", "t1", "pending", "", 30, "{}");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "job"}, next), "4 3 2 1 ");
    assert_string_equal(next, "");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "job", .ascending = true}, next),
                        "1 2 3 4 ");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "job", .tenant = "t1"}, next),
                        "4 3 1 ");
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "job", .state = "failed|running"}, next), "3 2 1 ");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "job", .key = "k"}, next), "3 1 ");
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "job", .from_ms = 15, .to_ms = 30}, next), "3 2 ");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "job", .limit = 2}, next), "4 3 ");
    strcpy(cursor, next);
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "job", .limit = 2, .cursor = cursor}, next), "2 1 ");
    assert_string_equal(next, "");
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "job", .limit = 3, .by_id = true}, next), "1 2 3 ");
    strcpy(cursor, next);
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "job", .by_id = true, .cursor = cursor}, next), "4 ");
}

static void
a_cursor_that_no_list_answered_is_an_error(void **state)
{
    static const char *const bad[] = {"x", "t:", "t:x:y", "i:0:a", "\xff\xff", "r:1:"};
    struct store *s = ((struct fixture *)*state)->s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(ids(s, (struct catalog_query){.kind = "job", .cursor = bad[i]}, NULL),
                            "syntax");
}

static void
text_finds_devices_by_prefix_of_id_and_values_but_not_keys(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put(s, "device", "gpu:node00001/3", "", "active", "", 1,
        "{\"vendor\":\"nvidia\",\"serial\":\"SN-99-A\"}");
    put(s, "device", "node:node00001", "", "maintenance", "", 2,
        "{\"vendor\":\"Dell\",\"note\":\"\\u6362\\u98ce\\u6247\"}");
    put(s, "device", "switch:leaf-g01-1", "t1", "active", "", 3,
        "{\"vendor\":\"nvidia\",\"rack\":\"r01\"}");
    struct {
        struct catalog_query q;
        const char *want;
    } cases[] = {
        {{.text = "node000"}, "node:node00001 gpu:node00001/3 "},
        {{.text = "NVID"}, "switch:leaf-g01-1 gpu:node00001/3 "},
        {{.text = "nvidia leaf-g01"}, "switch:leaf-g01-1 "},
        {{.text = "sn-99"}, "gpu:node00001/3 "},
        {{.text = "vendor"}, ""},
        {{.text = "换风"}, "node:node00001 "},
        {{.text = "node", .state = "maintenance"}, "node:node00001 "},
        {{.text = "nvidia", .tenant = "t1"}, "switch:leaf-g01-1 "},
        {{.text = "nvidia", .id_prefix = "gpu:"}, "gpu:node00001/3 "},
        {{.text = "\" OR * ("}, ""},
        {{.text = "leaf-g01-1"}, "switch:leaf-g01-1 "},
        {{.id_prefix = "node:"}, "node:node00001 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cases[i].q.kind = "device";
        assert_string_equal(ids(s, cases[i].q, NULL), cases[i].want);
    }
    put(s, "device", "gpu:node00001/3", "", "active", "", 1, "{\"vendor\":\"amd\"}");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "device", .text = "sn-99"}, NULL),
                        "");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "device", .text = "amd"}, NULL),
                        "gpu:node00001/3 ");
    assert_int_equal(catalog_delete(s, "device", "gpu:node00001/3", NULL), 0);
    assert_string_equal(ids(s, (struct catalog_query){.kind = "device", .text = "amd"}, NULL), "");
}

static void
text_of_other_kinds_is_found_anywhere(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put(s, "silence", "a", "", "", "", 1, "{\"why\":\"cable swap\"}");
    put(s, "silence", "b", "", "", "", 2, "{\"why\":\"power\"}");
    assert_string_equal(ids(s, (struct catalog_query){.kind = "silence", .text = "CABLE"}, NULL),
                        "a ");
    assert_string_equal(
        ids(s, (struct catalog_query){.kind = "silence", .text = "swap power"}, NULL), "");
}

struct seen {
    char text[512];
    struct store *s;
    int rc;
};

static void
watch(void *ctx, enum catalog_op op, const struct catalog_doc *d)
{
    struct seen *seen = ctx;
    char line[128];
    snprintf(line, sizeof line, "%s%s/%s/%llu ", op == CATALOG_DELETE ? "-" : "+", d->id, d->tenant,
             (unsigned long long)d->revision);
    strcat(seen->text, line);
    struct catalog_doc other = doc("x", "from-a-watcher", 1, "{}");
    seen->rc = catalog_put(seen->s, &other, NULL);
}

static void
watchers_hear_of_commits_and_may_not_write(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct seen seen = {.s = s};
    assert_int_equal(catalog_watch(s, watch, &seen), 0);
    put(s, "x", "a", "t1", "", "", 1, "{}");
    put(s, "x", "a", "t1", "", "", 1, "{}");
    assert_int_equal(catalog_delete(s, "x", "a", NULL), 0);
    assert_int_equal(catalog_delete(s, "x", "a", NULL), ERR_NOTFOUND);
    assert_string_equal(seen.text, "+a/t1/1 +a/t1/2 -a/t1/0 ");
    assert_int_equal(seen.rc, ERR_STATE);
}

struct writer {
    struct store *s;
    int number;
};

static void *
write_many(void *ctx)
{
    struct writer *w = ctx;
    for (int i = 0; i < 50; i++) {
        char id[32];
        snprintf(id, sizeof id, "%d-%d", w->number, i);
        struct catalog_doc d = doc("x", id, i, "{}");
        if (catalog_put(w->s, &d, NULL) < 0)
            return "put failed";
        if (!(catalog_count(w->s, &(struct catalog_query){.kind = "x"}, NULL) > i))
            return "a write is not seen by its writer";
    }
    return NULL;
}

static void
writers_of_many_threads_lose_nothing(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    pthread_t threads[8];
    struct writer w[8];
    for (int i = 0; i < 8; i++) {
        w[i] = (struct writer){s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &w[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(catalog_count(s, &(struct catalog_query){.kind = "x"}, NULL), 400);
}

static void
documents_out_of_bounds_are_refused_with_a_sentence(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char id[300];
    struct err err;
    memset(id, 'x', sizeof id);
    id[299] = 0;
    struct catalog_doc d = doc("x", id, 1, "{}");
    assert_int_equal(catalog_put(s, &d, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "1 to 220 bytes"));
    d = doc("x", "", 1, "{}");
    assert_int_equal(catalog_put(s, &d, &err), ERR_RANGE);
    d = doc("", "a", 1, "{}");
    assert_int_equal(catalog_put(s, &d, &err), ERR_USAGE);
    d = doc("x", "a", 1, "");
    assert_int_equal(catalog_put(s, &d, &err), ERR_USAGE);
}

static int
seen(void *ctx, const struct catalog_topology *t)
{
    (void)ctx;
    assert_string_equal(t->name, "a.yaml");
    assert_int_equal(t->len, 3);
    return 0;
}

static void
topology_versions_have_their_span_of_time(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    uint64_t one, two, same;
    struct err err;
    assert_int_equal(catalog_topology_put(s, "demo", "a.yaml", "one", 3, 100, &one, &err), 0);
    assert_int_equal(catalog_topology_put(s, "demo", "a.yaml", "one", 3, 150, &same, &err), 0);
    assert_int_equal(catalog_topology_put(s, "demo", "a.yaml", "two", 3, 200, &two, &err), 0);
    assert_int_equal(same, one);
    assert_true(two > one);
    struct {
        int64_t at;
        int count;
    } cases[] = {{50, 0}, {100, 1}, {199, 1}, {200, 1}, {0, 1}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(catalog_topology_list(s, cases[i].at, seen, NULL, &err), cases[i].count);
    }
    assert_int_equal(catalog_topology_end(s, "demo", 300, &err), 0);
    assert_int_equal(catalog_topology_end(s, "demo", 300, &err), ERR_NOTFOUND);
}

static void
what_was_written_is_there_after_reopening_and_in_a_copy(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct err err;
    put(f->s, "x", "a", "", "", "", 1, "{}");
    snprintf(path, sizeof path, "%s/copy.db", f->folder);
    assert_int_equal(catalog_backup(f->s, path, &err), 0);
    assert_true(file_exists(path));
    assert_int_equal(catalog_verify(f->s, &err), 0);
    catalog_close(f->s);
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    assert_int_equal(catalog_count(f->s, &(struct catalog_query){.kind = "x"}, &err), 1);
}

static void
a_file_of_a_newer_program_or_of_none_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct err err;
    sqlite3 *db;
    catalog_close(f->s);
    snprintf(path, sizeof path, "%s/catalog.db", f->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(catalog_open(f->s, f->folder, &err), ERR_UNSUPPORTED);
    assert_int_equal(
        file_write_atomic(path, "not a database, but long enough to be looked at", 47, 0600, &err),
        0);
    assert_int_equal(catalog_open(f->s, f->folder, &err), ERR_CORRUPT);
}

struct found_seen {
    size_t count;
    char last[64];
    bool ordered;
};

static int
see_found(void *ctx, const struct catalog_doc *d)
{
    struct found_seen *f = ctx;
    f->ordered = (!f->count || strcmp(f->last, d->id) < 0) && strstr(d->json, d->id);
    f->count++;
    snprintf(f->last, sizeof f->last, "%s", d->id);
    return f->ordered ? 0 : ERR_STATE;
}

static int
keep_state(void *ctx, const struct catalog_doc *d)
{
    snprintf(ctx, 16, "%s %d", d->state, (int)d->revision);
    return 0;
}

static void
what_was_found_stands_in_blocks_until_it_is_changed(void **state)
{
    enum { BATCH = 1500, ROUNDS = 5 };
    struct store *s = ((struct fixture *)*state)->s;
    struct catalog_found at[BATCH];
    char names[BATCH][32], said[16];
    struct err err;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BATCH; i++) { /* in no order; a fifth of each batch was there */
            unsigned n = round * BATCH * 4 / 5 + i;
            snprintf(names[i], sizeof names[i], "node:n%05u", n * 7919 % 100003);
            at[i] = (struct catalog_found){names[i], i % 2 ? "agent" : "remote_write", 1000 + i, 0};
        }
        assert_int_equal(catalog_add_found(s, at, BATCH, &err), 0);
        unsigned added = 0;
        for (unsigned i = 0; i < BATCH; i++)
            added += at[i].added;
        assert_int_equal(added, round ? BATCH * 4 / 5 : BATCH);
    }
    size_t all = BATCH + (ROUNDS - 1) * BATCH * 4 / 5;
    struct found_seen seen = {0};
    assert_int_equal(catalog_each_found(s, see_found, &seen, &err), 0);
    assert_int_equal(seen.count, all);
    assert_int_equal(catalog_get(s, "device", names[3], keep_state, said, &err), 0);
    assert_string_equal(said, "discovered 1");
    assert_int_equal(catalog_get(s, "device", "node:none", keep_state, said, &err), ERR_NOTFOUND);
    struct catalog_doc d = doc("device", names[3], 5, "{\"note\":\"spare\"}");
    d.state = "active";
    d.revision = 1;
    struct catalog_change edit = {.op = CATALOG_PUT_IF, .doc = d};
    assert_int_equal(catalog_apply(s, &edit, 1, NULL, &err), 0);
    assert_int_equal(catalog_get(s, "device", names[3], keep_state, said, &err), 0);
    assert_string_equal(said, "active 2");
    edit.op = CATALOG_INSERT;
    edit.doc.id = names[4];
    assert_int_equal(catalog_apply(s, &edit, 1, NULL, &err), ERR_EXISTS);
    assert_int_equal(catalog_delete(s, "device", names[5], &err), 0);
    assert_int_equal(catalog_get(s, "device", names[5], keep_state, said, &err), ERR_NOTFOUND);
    at[0] = (struct catalog_found){names[3], "agent", 1, 0};
    assert_int_equal(catalog_add_found(s, at, 1, &err), 0);
    assert_false(at[0].added);
    seen = (struct found_seen){0};
    assert_int_equal(catalog_each_found(s, see_found, &seen, &err), 0);
    assert_int_equal(seen.count, all - 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_document_put_is_read_back_with_its_revision),
        T(insert_refuses_what_is_there_and_put_if_what_has_changed),
        T(changes_apply_all_or_none_and_the_failed_one_is_named),
        T(lists_filter_sort_and_page),
        T(a_cursor_that_no_list_answered_is_an_error),
        T(text_finds_devices_by_prefix_of_id_and_values_but_not_keys),
        T(text_of_other_kinds_is_found_anywhere),
        T(watchers_hear_of_commits_and_may_not_write),
        T(writers_of_many_threads_lose_nothing),
        T(documents_out_of_bounds_are_refused_with_a_sentence),
        T(topology_versions_have_their_span_of_time),
        T(what_was_written_is_there_after_reopening_and_in_a_copy),
        T(a_file_of_a_newer_program_or_of_none_is_refused),
        T(what_was_found_stands_in_blocks_until_it_is_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
