/* collector_test: a store in a folder of its own, a collector with a configuration given as YAML,
 * and waiting for what shall come of it. */
#ifndef TESTS_COLLECTOR_COLLECTOR_TEST_H
#define TESTS_COLLECTOR_COLLECTOR_TEST_H

#include "base/clock.h"
#include "base/conf.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "base/metric.h"
#include "base/str.h"
#include "collector/collector.h"
#include "store/store.h"
#include "store/topo.h"
#include "tests/base/base_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

extern char **environ;

struct fixture {
    char folder[64];
    struct store *store;
    struct collector *collector;
    struct metric_table *metrics;
    struct doc *doc;
    void *sections[COLLECTOR_SECTIONS_MAX];
    struct collector_config cfg;
};

static int
fixture_remove(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static inline void
fixture_open_store(struct fixture *f)
{
    struct store_config sc = {.folder = f->folder};
    struct err err;
    memset(f, 0, sizeof *f);
    strcpy(f->folder, "/tmp/collector-test-XXXXXX");
    sc.folder = mkdtemp(f->folder);
    assert_non_null(sc.folder);
    if (store_open(&sc, &f->store, &err))
        fail_msg("%s", err.text);
    f->metrics = metric_table_new();
}

static inline void *
fixture_section(struct fixture *f, const struct collector_section *s)
{
    const struct doc_node *n = doc_get(doc_root(f->doc), s->key);
    struct conf_row outer[2] = {
        {.key = s->key, .type = CONF_LIST, .rows = s->rows, .size = s->size, .help = s->key}};
    struct err err;
    if (!n)
        return NULL;
    struct doc_node child = *n, map = {.kind = DOC_MAP, .count = 1, .first = &child};
    child.next = NULL;
    void *out = calloc(1, s->list ? sizeof(struct conf_list) : s->size);
    if (conf_fill(s->list ? outer : s->rows, f->doc, s->list ? &map : n, f->folder, out, &err))
        fail_msg("%s:%u: %s", err.file, err.line, err.text);
    return out;
}

static void
fixture_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level;
    print_message("# %s\n", line);
}

/* Starts a collector; what it answers is *ret_rc when given, else it must be well. */
static inline void
fixture_start(struct fixture *f, const char *yaml, struct err *ret_err)
{
    struct err err = {0};
    struct collector_section s;
    static const struct log log = {fixture_log, NULL, LOG_LEVEL_WARNING};
    if (doc_parse_yaml(yaml, strlen(yaml), "test.yaml", &f->doc, &err))
        fail_msg("%s", err.text);
    f->cfg = (struct collector_config){.store = f->store,
                                       .metrics = f->metrics,
                                       .log = &log,
                                       .folder = f->folder,
                                       .matcher = "",
                                       .matcher_len = 0};
    for (size_t i = 0; collector_section(i, &s); i++)
        f->cfg.sections[i] = f->sections[i] = fixture_section(f, &s);
    assert_int_equal(collector_new(&f->cfg, &f->collector, &err), 0);
    int rc = collector_start(f->collector, &err);
    if (rc && !ret_err)
        fail_msg("%s", err.text);
    if (ret_err)
        *ret_err = err;
}

static inline void
fixture_stop(struct fixture *f)
{
    struct collector_section s;
    if (f->collector) {
        collector_stop(f->collector);
        collector_free(f->collector);
    }
    f->collector = NULL;
    for (size_t i = 0; collector_section(i, &s); i++) {
        struct conf_row outer[2] = {
            {.key = s.key, .type = CONF_LIST, .rows = s.rows, .size = s.size, .help = s.key}};
        if (f->sections[i])
            conf_done(s.list ? outer : s.rows, f->sections[i]);
        free(f->sections[i]);
        f->sections[i] = NULL;
    }
    doc_free(f->doc);
    f->doc = NULL;
}

static inline void
fixture_close(struct fixture *f)
{
    fixture_stop(f);
    store_close(f->store);
    metric_table_free(f->metrics);
    nftw(f->folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The newest value of a series, by name and up to two labels; false when there is none. */
static inline bool
fixture_value(struct fixture *f, const char *name, const char *l1, const char *v1, const char *l2,
              const char *v2, double *ret)
{
    struct matcher m[3] = {{MATCH_EQ, "__name__", name}, {MATCH_EQ, l1, v1}, {MATCH_EQ, l2, v2}};
    struct series_set set = {0};
    struct err err;
    size_t n = l1 ? l2 ? 3 : 2 : 1;
    if (store_latest(f->store, m, n, clock_now_ms(NULL) + 1000, 600000, NULL, &set, &err))
        fail_msg("%s", err.text);
    bool found = set.count > 0;
    if (found)
        *ret = set.rows[0].samples[0].v;
    series_set_done(&set);
    return found;
}

static inline bool
fixture_wait_value(struct fixture *f, const char *name, const char *l1, const char *v1,
                   const char *l2, const char *v2, double *ret)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (!fixture_value(f, name, l1, v1, l2, v2, ret)) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

struct fixture_line {
    const char *words;
    char node[64], source[64], text[EVENT_TEXT_MAX + 1];
    int64_t time_ms;
    int severity;
    size_t count;
};

static inline int
fixture_line_take(void *ctx, const struct log_line *line, uint64_t id)
{
    struct fixture_line *l = ctx;
    (void)id;
    str_copy(l->node, sizeof l->node, line->node);
    str_copy(l->source, sizeof l->source, line->source);
    str_copy(l->text, sizeof l->text, line->text);
    l->time_ms = line->time_ms;
    l->severity = (int)line->severity;
    l->count++;
    return 0;
}

/* Waits for a log line that holds these words. */
static inline bool
fixture_wait_line(struct fixture *f, const char *words, struct fixture_line *ret)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    struct event_query q = {.from_ms = 1, .to_ms = INT64_MAX / 4, .text = words, .limit = 1};
    struct err err;
    memset(ret, 0, sizeof *ret);
    while (!ret->count) {
        if (store_logs(f->store, &q, fixture_line_take, ret, &err) < 0)
            fail_msg("%s", err.text);
        if (!ret->count && clock_mono_us() > end)
            return false;
        if (!ret->count)
            poll(NULL, 0, 20);
    }
    return true;
}

/* A free port of loopback: bound, told, let go. */
static inline unsigned
fixture_free_port(int type)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    getsockname(fd, (struct sockaddr *)&sin, &len);
    close(fd);
    return ntohs(sin.sin_port);
}

static inline pid_t
fixture_spawn(const char *const *argv)
{
    posix_spawn_file_actions_t fa;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    return rc ? -1 : pid;
}

static inline int
fixture_run(const char *const *argv)
{
    int status = -1;
    pid_t pid = fixture_spawn(argv);
    if (pid > 0)
        waitpid(pid, &status, 0);
    return status;
}

static inline void
fixture_kill(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

#endif
