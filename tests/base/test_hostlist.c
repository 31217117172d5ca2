/* Tests of base/hostlist. */
#include "tests/base/base_test.h"

#include "base/hostlist.h"

static void
lists_expand_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
    } rows[] = {
        {"", ""},
        {"login1", "login1"},
        {"node[1-3]", "node1 node2 node3"},
        {"node[00001-00003,00200],login1", "node00001 node00002 node00003 node00200 login1"},
        {"n[08-11]", "n08 n09 n10 n11"},
        {"n[8-11]", "n8 n9 n10 n11"},
        {"r[1-2]n[1-2]-ib", "r1n1-ib r1n2-ib r2n1-ib r2n2-ib"},
        {"b,a,b", "b a b"},
        {" a , b.example.com ", "a b.example.com"},
        {"a,,b,", "a b"},
        {"[1-2]x", "1x 2x"},
        {"n[001-12]", "n001 n002 n003 n004 n005 n006 n007 n008 n009 n010 n011 n012"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hostlist l;
        struct err err;
        char all[512] = "";
        assert_int_equal(hostlist_parse(rows[i].text, &l, &err), 0);
        for (size_t k = 0; k < l.count; k++) {
            strcat(all, k ? " " : "");
            strcat(all, l.names[k]);
        }
        assert_string_equal(all, rows[i].names);
        hostlist_done(&l);
    }
}

static void
wrong_lists_are_refused_at_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        unsigned column;
    } rows[] = {
        {"node[1-3", ERR_SYNTAX, 5},
        {"node[]", ERR_SYNTAX, 6},
        {"node[3-1]", ERR_SYNTAX, 6},
        {"node[a]", ERR_SYNTAX, 6},
        {"node[1-]", ERR_SYNTAX, 8},
        {"node[1,]", ERR_SYNTAX, 8},
        {"a b", ERR_SYNTAX, 2},
        {"a,b/c", ERR_SYNTAX, 4},
        {"a]", ERR_SYNTAX, 2},
        {"n[1-9999999]", ERR_LIMIT, 13},
        {"n[1-3][[1]", ERR_SYNTAX, 8},
        {"n[0-999999999999999999]", ERR_LIMIT, 24},
        {"n[1][1][1][1][1][1][1][1][1]", ERR_LIMIT, 26},
        {"n[1 -2]", ERR_SYNTAX, 4},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx[1]", ERR_LIMIT, 65},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ERR_LIMIT, 64},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hostlist l = {0};
        struct err err = {0};
        assert_int_equal(hostlist_parse(rows[i].text, &l, &err), rows[i].code);
        assert_int_equal(err.column, rows[i].column);
        assert_null(l.names);
    }
}

static void
names_are_compacted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *compact;
    } rows[] = {
        {"", ""},
        {"b,a,b", "a,b"},
        {"n3,n1,n2,n7", "n[1-3,7]"},
        {"node00009,node00010,node00011", "node[00009-00011]"},
        {"n9,n10,n11", "n[9-11]"},
        {"n099,n100", "n[099-100]"},
        {"n1,n01", "n[1,01]"},
        {"n5", "n5"},
        {"n1-ib,n2-ib,n1,n2", "n[1-2],n[1-2]-ib"},
        {"login,n1", "login,n1"},
        {"leaf-g01-1,leaf-g01-2", "leaf-g01-[1-2]"},
        {"7,8", "[7-8]"},
        {"n99999999999999999999,n99999999999999999998",
         "n99[999999999999999998-999999999999999999]"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hostlist l;
        struct buf b;
        buf_init(&b, 4096);
        assert_int_equal(hostlist_parse(rows[i].text, &l, NULL), 0);
        assert_int_equal(hostlist_format((const char *const *)l.names, l.count, &b), 0);
        assert_string_equal(buf_str(&b), rows[i].compact);
        hostlist_done(&l);
        buf_done(&b);
    }
    struct buf b;
    buf_init(&b, 4);
    assert_int_equal(hostlist_format((const char *const[]){"a,b"}, 1, &b), ERR_RANGE);
    assert_int_equal(hostlist_format((const char *const[]){"abcdefgh"}, 1, &b), ERR_LIMIT);
    buf_done(&b);
}

static void
two_thousand_nodes_make_one_short_text(void **state)
{
    (void)state;
    struct hostlist l;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(hostlist_parse("node[00001-02304]", &l, NULL), 0);
    assert_int_equal(l.count, 2304);
    assert_string_equal(l.names[2303], "node02304");
    assert_int_equal(hostlist_format((const char *const *)l.names, l.count, &b), 0);
    assert_string_equal(buf_str(&b), "node[00001-02304]");
    hostlist_done(&l);
    hostlist_done(NULL);
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_expand_in_order),
        cmocka_unit_test(wrong_lists_are_refused_at_their_place),
        cmocka_unit_test(names_are_compacted),
        cmocka_unit_test(two_thousand_nodes_make_one_short_text),
    };
    return cmocka_run_group_tests_name("hostlist", tests, NULL, NULL);
}
