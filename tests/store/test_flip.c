/* flip: turns single bits of the store's files and asks the verifier; and what it says of them.
 *
 * FLIPS sets how many (300; make flips takes 10,000). Bits are drawn evenly over every byte of
 * every database file: rows, indexes, headers, free pages alike. */
#include "tests/store/support.h"

#include "store/catalog.h"
#include "store/pagesum.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
fill(struct support *f)
{
    for (int i = 0; i < 60; i++) {
        struct store_batch *b = store_batch_new(f->s);
        char node[16], id[32], json[128];
        snprintf(node, sizeof node, "n%d", i % 20);
        struct event ev = {.time_ms = SUPPORT_NOW + i,
                           .entity = "gpu:n1/3",
                           .code = "nvidia.xid.79",
                           .text = "GPU has fallen off the bus"};
        struct log_line line = {
            .time_ms = SUPPORT_NOW + i, .rank = -1, .node = node, .text = "a line of a log"};
        struct gap gap = {.from_ms = SUPPORT_NOW,
                          .to_ms = SUPPORT_NOW + i,
                          .source = "syslog",
                          .reason = "queue-full",
                          .count = 3};
        store_batch_event(b, &ev);
        store_batch_log(b, &line);
        store_batch_gap(b, &gap);
        store_batch_watermark(b, node, 1, (uint64_t)i + 1);
        assert_int_equal(store_commit(f->s, b, NULL, NULL), 0);
        support_put(f->s, "m", node, SUPPORT_NOW + i * 15000, i * 1.25, NULL);
        snprintf(id, sizeof id, "d%d", i);
        snprintf(json, sizeof json, "{\"name\":\"%s\",\"rack\":\"r%d\"}", id, i % 7);
        struct catalog_doc d = {
            .kind = "device", .id = id, .json = json, .json_len = strlen(json), .key = node};
        assert_int_equal(catalog_put(f->s, &d, NULL), 0);
    }
    assert_int_equal(store_compact(f->s, NULL), 0);
    support_put(f->s, "m", "late", SUPPORT_NOW + 1000, 1, NULL);
    support_close(f);
}

struct file {
    char path[160];
    off_t size;
};

static size_t
files(const struct support *f, struct file *out, size_t max)
{
    static const char *const names[] = {"day-20260921.db", "journal.db", "catalog.db"};
    size_t n = 0;
    struct stat st;
    for (size_t i = 0; i < 3 && n < max; i++) {
        snprintf(out[n].path, sizeof out[n].path, "%s/%s", f->folder, names[i]);
        assert_int_equal(stat(out[n].path, &st), 0);
        struct pagesum_scan *s;
        assert_int_equal(pagesum_begin(out[n].path, &s, NULL), 0);
        assert_true(pagesum_sealed(s));
        pagesum_end(s);
        out[n++].size = st.st_size;
    }
    return n;
}

static void
flip(const struct file *f, off_t at, int bit)
{
    unsigned char c;
    int fd = open(f->path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= (unsigned char)(1 << bit);
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void
every_flipped_bit_is_found(void **state)
{
    struct support *f = *state;
    struct file at[3];
    uint64_t x = 88172645463325252u, missed = 0;
    fill(f);
    size_t n = files(f, at, 3);
    off_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += at[i].size;
    int count = getenv("FLIPS") ? atoi(getenv("FLIPS")) : 300;
    assert_int_equal(store_verify_folder(f->folder, NULL, NULL, NULL), 0);
    for (int k = 0; k < count; k++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        off_t place = (off_t)(x % (uint64_t)total);
        int bit = (int)(x >> 60 & 7);
        size_t i = 0;
        while (place >= at[i].size)
            place -= at[i++].size;
        flip(&at[i], place, bit);
        if (store_verify_folder(f->folder, NULL, NULL, NULL) <= 0) {
            print_message("%s byte %lld bit %d not found\n", at[i].path, (long long)place, bit);
            missed++;
        }
        flip(&at[i], place, bit);
    }
    print_message("%d bits flipped, %d found\n", count, count - (int)missed);
    assert_int_equal(missed, 0);
    assert_int_equal(store_verify_folder(f->folder, NULL, NULL, NULL), 0);
    support_open(f);
}

struct said {
    struct buf text;
    int count;
};

static void
say(void *ctx, const struct store_fault *fault)
{
    struct said *s = ctx;
    s->count++;
    store_fault_text(fault, false, &s->text);
}

static void
a_fault_names_its_file_its_page_and_what_to_do(void **state)
{
    struct support *f = *state;
    struct file at[3];
    struct said s = {.count = 0};
    struct store_watch w = {.fault = say, .ctx = &s};
    fill(f);
    files(f, at, 3);
    buf_init(&s.text, 4096);
    flip(&at[0], 3 * 8192 + 77, 2);
    assert_int_equal(store_verify_watched(f->folder, &w, NULL), 1);
    assert_int_equal(s.count, 1);
    assert_string_equal(buf_str(&s.text),
                        "day-20260921.db: page 4 is damaged. Stop the server and restore this file "
                        "from a backup with --only; without one, leave it: what is damaged is left "
                        "out of answers and counted, the rest of the day is read.");
    flip(&at[0], 3 * 8192 + 77, 2);
    buf_done(&s.text);
    support_open(f);
}

/* A process ended in the middle: what it acknowledged is in its logs alone. */
static void
every_flipped_bit_of_a_log_left_behind_is_found(void **state)
{
    struct support *f = *state;
    struct file at = {.size = 0};
    struct stat st;
    uint64_t x = 88172645463325252u, missed = 0;
    support_close(f);
    pid_t pid = fork();
    if (!pid) {
        support_open(f);
        for (int i = 0; i < 30; i++)
            support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, i, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    snprintf(at.path, sizeof at.path, "%s/journal.db-wal", f->folder);
    assert_int_equal(stat(at.path, &st), 0);
    assert_true(st.st_size > 30 * 4096);
    assert_int_equal(store_verify_folder(f->folder, NULL, NULL, NULL), 0);
    for (int k = 0; k < 20; k++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        off_t place =
            (off_t)(x %
                    (uint64_t)(st.st_size -
                               4120)); /* the last frame's salt alone tells it from an older one */
        flip(&at, place, (int)(x >> 60 & 7));
        missed += store_verify_folder(f->folder, NULL, NULL, NULL) <= 0;
        flip(&at, place, (int)(x >> 60 & 7));
    }
    assert_int_equal(missed, 0);
    support_open(f);
    struct sample got[64];
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, got, 64), 30);
}

static void
the_scrubber_finds_a_damaged_page_beside_a_running_store_and_tells_it(void **state)
{
    struct support *f = *state;
    struct file at[3];
    struct event_query q = {.code = "telemetry.store-damaged"};
    fill(f);
    files(f, at, 3);
    support_open(f);
    assert_int_equal(store_scrub(f->s, NULL), 0);
    flip(&at[0], 3 * 8192 + 77, 2);
    assert_int_equal(store_scrub(f->s, NULL), 1);
    support_put(f->s, "m", "after", SUPPORT_NOW + 2000, 1, NULL); /* what came before is there */
    assert_int_equal(support_events(f->s, &q), 1);
    flip(&at[0], 3 * 8192 + 77, 2);
}

static void
a_file_that_lost_its_end_is_found(void **state)
{
    struct support *f = *state;
    struct file at[3];
    fill(f);
    files(f, at, 3);
    assert_int_equal(truncate(at[0].path, at[0].size - 8192), 0);
    assert_true(store_verify_folder(f->folder, NULL, NULL, NULL) > 0);
    support_open(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_flipped_bit_is_found),
        T(every_flipped_bit_of_a_log_left_behind_is_found),
        T(a_fault_names_its_file_its_page_and_what_to_do),
        T(the_scrubber_finds_a_damaged_page_beside_a_running_store_and_tells_it),
        T(a_file_that_lost_its_end_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
