/* Tests of base/conf and base/log. */
#include "tests/base/base_test.h"

#include "base/conf.h"
#include "base/log.h"

struct peer {
    char *name;
    int64_t port;
};

struct all {
    bool on;
    int64_t count, wait, size;
    double ratio;
    char *name, *path;
    int choice;
    struct conf_strs words;
    struct {
        char *listen;
        struct conf_strs more;
    } http;
    struct conf_list peers;
    const struct doc_node *raw;
};

static const struct conf_row peer_rows[] = {
    {.key = "name",
     .type = CONF_STR,
     .offset = offsetof(struct peer, name),
     .required = true,
     .help = "Its name."},
    {.key = "port",
     .type = CONF_INT,
     .offset = offsetof(struct peer, port),
     .dflt = "80",
     .min = 1,
     .max = 65535,
     .help = "Its port."},
    {.key = NULL},
};
static const struct conf_row http_rows[] = {
    {.key = "listen",
     .type = CONF_STR,
     .offset = 0,
     .dflt = "127.0.0.1:8686",
     .help = "Where to listen."},
    {.key = "more", .type = CONF_STRS, .offset = sizeof(char *), .dflt = "x", .help = "More."},
    {.key = NULL},
};
static const char *const choices[] = {"sqlite", "prometheus", NULL};
static const struct conf_row rows[] = {
    {.key = "on",
     .type = CONF_BOOL,
     .offset = offsetof(struct all, on),
     .dflt = "true",
     .help = "On."},
    {.key = "count",
     .type = CONF_INT,
     .offset = offsetof(struct all, count),
     .dflt = "7",
     .min = 1,
     .max = 10,
     .help = "How many."},
    {.key = "wait",
     .type = CONF_DURATION,
     .offset = offsetof(struct all, wait),
     .dflt = "15s",
     .min = 1000,
     .max = 60000,
     .help = "How long."},
    {.key = "size",
     .type = CONF_SIZE,
     .offset = offsetof(struct all, size),
     .dflt = "64MiB",
     .help = "How large."},
    {.key = "ratio",
     .type = CONF_REAL,
     .offset = offsetof(struct all, ratio),
     .max = 1,
     .help = "Which part."},
    {.key = "name", .type = CONF_STR, .offset = offsetof(struct all, name), .help = "A name."},
    {.key = "path", .type = CONF_PATH, .offset = offsetof(struct all, path), .help = "A path."},
    {.key = "choice",
     .type = CONF_CHOICE,
     .offset = offsetof(struct all, choice),
     .dflt = "prometheus",
     .choices = choices,
     .help = "Which one."},
    {.key = "words", .type = CONF_STRS, .offset = offsetof(struct all, words), .help = ".Words."},
    {.key = "http",
     .type = CONF_MAP,
     .offset = offsetof(struct all, http),
     .rows = http_rows,
     .help = "The server."},
    {.key = "peers",
     .type = CONF_LIST,
     .offset = offsetof(struct all, peers),
     .rows = peer_rows,
     .size = sizeof(struct peer),
     .help = "Others."},
    {.key = "raw", .type = CONF_NODE, .offset = offsetof(struct all, raw), .help = "As it is."},
    {.key = NULL},
};

static void
defaults_fill_what_is_absent(void **state)
{
    (void)state;
    struct all a;
    assert_int_equal(conf_fill(rows, NULL, NULL, "/etc", &a, NULL), 0);
    assert_true(a.on);
    assert_int_equal(a.count, 7);
    assert_int_equal(a.wait, 15000);
    assert_int_equal(a.size, 64 << 20);
    assert_null(a.name);
    assert_int_equal(a.choice, 1);
    assert_string_equal(a.http.listen, "127.0.0.1:8686");
    assert_int_equal(a.http.more.count, 1);
    assert_int_equal(a.peers.count, 0);
    conf_done(rows, &a);
}

static void
a_document_fills_the_struct(void **state)
{
    (void)state;
    static const char text[] = "on: false\ncount: 3\nwait: 1m\nsize: 1.5GB\nratio: 0.25\nname: "
                               "007\npath: x/y\nchoice: sqlite\n"
                               "words: [a, 1]\nhttp: {listen: ':1'}\npeers: [{name: p1}, {name: "
                               "p2, port: 9}]\nraw: {a: 1}\n";
    struct all a;
    struct doc *d;
    struct err err = {0};
    assert_int_equal(doc_parse_yaml(text, sizeof text - 1, "f.yaml", &d, &err), 0);
    assert_int_equal(conf_fill(rows, d, doc_root(d), "/etc", &a, &err), 0);
    assert_false(a.on);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.wait, 60000);
    assert_int_equal(a.size, 1500000000);
    assert_true(a.ratio == 0.25);
    assert_string_equal(a.name, "007");
    assert_string_equal(a.path, "/etc/x/y");
    assert_int_equal(a.choice, 0);
    assert_int_equal(a.words.count, 2);
    assert_string_equal(a.words.at[1], "1");
    const struct peer *p = a.peers.at;
    assert_int_equal(a.peers.count, 2);
    assert_string_equal(p[1].name, "p2");
    assert_int_equal(p[0].port, 80);
    assert_int_equal(doc_get_int(a.raw, "a", 0), 1);
    conf_done(rows, &a);
    doc_free(d);
}

static void
errors_name_the_place_and_what_is_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"counts: 1\n", "f.yaml:1:1: unknown key 'counts'; did you mean 'count'?"},
        {"on: true\ncount: x\n", "f.yaml:2:8: 'count' must be an integer"},
        {"count: 11\n", "f.yaml:1:8: 'count' must be between 1 and 10"},
        {"wait: 2h\n", "f.yaml:1:7: 'wait' must be between 1s and 1m"},
        {"size: 3XB\n", "f.yaml:1:7: 'size' must be a size such as 64MiB or 200GB"},
        {"ratio: 2\n", "f.yaml:1:8: 'ratio' must be between 0 and 1"},
        {"on: yes\n", "f.yaml:1:5: 'on' must be true or false"},
        {"choice: x\n", "f.yaml:1:9: 'choice' must be one of sqlite, prometheus"},
        {"name: [a]\n", "f.yaml:1:7: 'name' must be a text"},
        {"words: {a: 1}\n", "f.yaml:1:8: 'words' must be a list of texts"},
        {"words: [a, [b]]\n", "f.yaml:1:12: 'words' must be a list of texts"},
        {"http: x\n", "f.yaml:1:7: 'http' must be a map of options"},
        {"peers: [{name: a}, {port: 1}]\n", "f.yaml:1:20: 'name' is missing here"},
        {"peers: [x]\n", "f.yaml:1:9: an element of 'peers' must be a map"},
        {"- a\n", "f.yaml:1:1: a map of options is expected here"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct all a;
        struct doc *d;
        struct err err = {0};
        char out[512];
        assert_int_equal(doc_parse_yaml(cases[i].text, strlen(cases[i].text), "f.yaml", &d, &err),
                         0);
        assert_true(conf_fill(rows, d, doc_root(d), NULL, &a, &err) < 0);
        assert_string_equal(err_format(&err, out, sizeof out), cases[i].message);
        doc_free(d);
    }
}

static void
every_row_is_described(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(conf_describe(rows, "", &b), 0);
    assert_non_null(strstr(
        buf_str(&b), ".B http.listen\n(a text; default: 127.0.0.1:8686)\nWhere to listen.\n"));
    assert_non_null(strstr(buf_str(&b), ".B peers[].name\n(a text; required)\n"));
    assert_non_null(strstr(buf_str(&b), "(one of sqlite, prometheus; default: prometheus)"));
    assert_non_null(strstr(buf_str(&b), "\n\\&.Words."));
    buf_done(&b);
}

static void
log_keep(void *ctx, enum log_level level, const char *line)
{
    snprintf(ctx, 64, "%d %s", (int)level, line);
}

static void
log_writes_one_line_up_to_its_level(void **state)
{
    (void)state;
    char last[64] = "";
    struct log l = {log_keep, last, LOG_LEVEL_NOTICE};
    log_write(&l, LOG_LEVEL_INFO, "no");
    assert_string_equal(last, "");
    log_write(&l, LOG_LEVEL_ERROR, "a\nb\033%d", 1);
    assert_string_equal(last, "3 a b 1");
    log_write(NULL, LOG_LEVEL_ERROR, "nothing");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_is_absent),
        cmocka_unit_test(a_document_fills_the_struct),
        cmocka_unit_test(errors_name_the_place_and_what_is_expected),
        cmocka_unit_test(every_row_is_described),
        cmocka_unit_test(log_writes_one_line_up_to_its_level),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
