/* cmd_store: verify, compact, delete, backup, restore: what takes care of the store.
 *
 * What a server does, it does within one request; a second thread asks it how far it is. On a
 * terminal everything that takes over two seconds shows that. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "programs/cmd.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORE_SHOWN_US 2000000
#define STORE_ASK_NS   500000000
#define STORE_BAR      30

/* --- progress --------------------------------------------------------------------------------- */

struct store_bar {
    const struct cmd_args *args;
    int64_t start_us, drawn_us;
    bool drawn;
    atomic_bool over;
    pthread_t thread;
};

static void
store_bar_draw(void *ctx, uint64_t done, uint64_t total)
{
    struct store_bar *b = ctx;
    int64_t now = clock_mono_us();
    if (!isatty(STDERR_FILENO) || now - b->start_us < STORE_SHOWN_US ||
        now - b->drawn_us < STORE_ASK_NS / 5000)
        return;
    if (!total) { /* how far is not known, only how long */
        fprintf(stderr, "\r%lld:%02lld ", (long long)(now - b->start_us) / 60000000,
                (long long)(now - b->start_us) / 1000000 % 60);
        b->drawn_us = now;
        b->drawn = true;
        return;
    }
    double part = (double)done / (double)total;
    int filled = part > 1 ? STORE_BAR : (int)(part * STORE_BAR);
    int64_t left =
        part > 0.01 ? (int64_t)((double)(now - b->start_us) * (1 - part) / part / 1e6) : 0;
    fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %lld:%02lld ", filled,
            "==============================", STORE_BAR - filled, "", part * 100,
            (long long)left / 60, (long long)left % 60);
    b->drawn_us = now;
    b->drawn = true;
}

static void
store_bar_end(struct store_bar *b)
{
    if (b->drawn)
        fprintf(stderr, "\r%*s\r", STORE_BAR + 24, "");
}

static void *
store_bar_ask(void *arg)
{
    struct store_bar *b = arg;
    while (!b->over) {
        struct timespec t = {.tv_nsec = STORE_ASK_NS};
        struct doc *d = NULL;
        struct err err;
        nanosleep(&t, NULL);
        if (b->over || clock_mono_us() - b->start_us < STORE_SHOWN_US)
            continue;
        if (!client_call(b->args, "GET", "/api/v1/store/work", NULL, 0, &d, NULL, &err) && d)
            store_bar_draw(b, (uint64_t)doc_get_int(doc_root(d), "done", 0),
                           (uint64_t)doc_get_int(doc_root(d), "total", 0));
        doc_free(d);
    }
    return NULL;
}

/* Asks the server to do something long. */
static int
store_send(const struct cmd_args *a, const char *path, const struct buf *body, struct doc **ret)
{
    struct store_bar bar = {.args = a, .start_us = clock_mono_us()};
    struct err err;
    bool shown = isatty(STDERR_FILENO) && !pthread_create(&bar.thread, NULL, store_bar_ask, &bar);
    int rc = client_call(a, "POST", path, body ? buf_str(body) : NULL, body ? body->len : 0, ret,
                         NULL, &err);
    bar.over = true;
    if (shown)
        pthread_join(bar.thread, NULL);
    store_bar_end(&bar);
    return rc ? cmd_fail(a, &err) : CMD_DONE;
}

/* --- store ------------------------------------------------------------------------------------ */

struct store_faults {
    const struct cmd_args *args;
    struct store_bar bar;
};

static void
store_faults_progress(void *ctx, uint64_t done, uint64_t total)
{
    store_bar_draw(&((struct store_faults *)ctx)->bar, done, total);
}

static void
store_faults_print(void *ctx, const struct store_fault *f)
{
    struct store_faults *s = ctx;
    struct buf text;
    store_bar_end(&s->bar);
    buf_init(&text, 4096);
    store_fault_text(f, s->args->zh, &text);
    printf("%s\n", buf_str(&text));
    buf_done(&text);
}

static int
store_verify_here(const struct cmd_args *a, const char *folder)
{
    struct store_faults s = {.args = a, .bar = {.args = a, .start_us = clock_mono_us()}};
    struct store_watch w = {store_faults_progress, store_faults_print, &s};
    struct err err;
    int bad = store_verify_watched(folder, &w, &err);
    store_bar_end(&s.bar);
    if (bad < 0)
        return cmd_fail(a, &err);
    printf(a->zh ? "%s: %d 处损坏\n" : "%s: %d faults\n", folder, bad);
    return bad ? CMD_FAILED : CMD_DONE;
}

static int
store_verify_server(const struct cmd_args *a)
{
    struct doc *d = NULL;
    int rc = store_send(a, "/api/v1/store/verify", NULL, &d);
    if (rc)
        return rc;
    int64_t bad = d ? doc_get_int(doc_root(d), "damaged", 0) : 0;
    const struct doc_node *faults = d ? doc_get(doc_root(d), "faults") : NULL;
    for (const struct doc_node *n = faults ? faults->first : NULL; n; n = n->next)
        printf("%s\n", doc_get_str(n, a->zh ? "zh" : "en", ""));
    printf(a->zh ? "%lld 处损坏\n" : "%lld faults\n", (long long)bad);
    doc_free(d);
    return bad ? CMD_FAILED : CMD_DONE;
}

static int
store_delete_series(const struct cmd_args *a)
{
    struct buf path;
    struct doc *d = NULL;
    buf_init(&path, 65536);
    buf_puts(&path, "/api/v1/store/delete?");
    for (int i = 1; i < a->count; i++) {
        buf_puts(&path, i > 1 ? "&match[]=" : "match[]=");
        str_percent_encode(&path, a->words[i], "");
    }
    if (a->since) {
        buf_puts(&path, "&start=");
        str_percent_encode(&path, a->since, "");
    }
    if (a->until) {
        buf_puts(&path, "&end=");
        str_percent_encode(&path, a->until, "");
    }
    int rc = store_send(a, buf_str(&path), NULL, &d);
    if (!rc && d)
        printf(a->zh ? "已删除 %lld 个样本\n" : "%lld samples deleted\n",
               (long long)doc_get_int(doc_root(d), "samples", 0));
    doc_free(d);
    buf_done(&path);
    return rc;
}

int
cmd_store(struct cmd_args *a)
{
    const char *word = a->count ? a->words[0] : "";
    if (a->count == 2 && !strcmp(word, "verify"))
        return store_verify_here(a, a->words[1]);
    if (a->count == 1 && !strcmp(word, "verify"))
        return store_verify_server(a);
    if (a->count > 1 && !strcmp(word, "delete"))
        return store_delete_series(a);
    if (a->count == 1 && !strcmp(word, "compact")) {
        int rc = store_send(a, "/api/v1/store/compact", NULL, NULL);
        if (!rc)
            puts(a->zh ? "完成" : "done");
        return rc;
    }
    return cmd_usage(a, "store verify [FOLDER], store compact, or store delete SELECTOR...");
}

/* --- backup and restore ----------------------------------------------------------------------- */

/* A folder as the server must name it. */
static void
store_absolute(const char *path, char *out, size_t size)
{
    char *real = realpath(path, NULL), cwd[3072];
    if (real || path[0] == '/' || !getcwd(cwd, sizeof cwd))
        str_copy(out, size, real ? real : path);
    else
        snprintf(out, size, "%s/%.1000s", cwd, path);
    free(real);
}

int
cmd_backup(struct cmd_args *a)
{
    struct buf body;
    struct jsonw w;
    char path[4200], since[4200];
    if (a->count != 1)
        return cmd_usage(a, "backup FOLDER (it is made; the server writes there)");
    store_absolute(a->words[0], path, sizeof path);
    buf_init(&body, 16384);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    jsonw_kstr(&w, "folder", path);
    if (a->base) {
        store_absolute(a->base, since, sizeof since);
        jsonw_kstr(&w, "since", since);
    }
    jsonw_end_object(&w);
    int rc = store_send(a, "/api/v1/store/backup", &body, NULL);
    if (!rc)
        printf(a->zh ? "已备份到 %s\n" : "saved to %s\n", path);
    buf_done(&body);
    return rc;
}

int
cmd_restore(struct cmd_args *a)
{
    struct store_bar bar = {.args = a, .start_us = clock_mono_us()};
    struct store_watch w = {.progress = store_bar_draw, .ctx = &bar};
    struct store_restore how = {.only = a->only, .force = a->force, .watch = &w};
    struct err err;
    if (a->count != 2)
        return cmd_usage(a, "restore FOLDER STATE");
    int rc = store_restore(a->words[0], a->words[1], &how, &err);
    store_bar_end(&bar);
    if (rc)
        return cmd_fail(a, &err);
    printf(a->zh ? "已恢复到 %s\n" : "restored to %s\n", a->words[1]);
    return CMD_DONE;
}
