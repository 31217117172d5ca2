/* scrub: one thread that looks at a few pages and then sleeps, so that a pass over everything takes
 * about SCRUB_PASS_MS, at most SCRUB_RATE bytes a second. What it finds becomes an event that names
 * the file, the page and what to do, and a counter.
 *
 * What is always true: it only reads, through handles of its own, and holds no lock of the store;
 * a page is told once a pass, at most SCRUB_TOLD events a pass. */
#include "store/scrub.h"

#include "base/jsonw.h"
#include "store/dayfile.h"
#include "store/pagesum.h"
#include "store/store_priv.h"
#include "store/verify.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCRUB_PASS_MS  ((int64_t)7 * 86400000) /* between the beginnings of two passes */
#define SCRUB_FIRST_MS 600000                  /* after the start: let it come to rest first */
#define SCRUB_RATE     ((uint64_t)16 << 20)
#define SCRUB_PAGES    64
#define SCRUB_TOLD     20

struct scrubber {
    struct store *store;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;                                   /* under the lock */
    atomic_uint_fast64_t pages, damaged, passes; /* since open */
    pthread_mutex_t pass;                        /* one at a time; what follows */
    char file[256];                              /* being read */
    unsigned told;
    int found;
};

int
scrub_new(struct store *s, struct scrubber **ret)
{
    struct scrubber *sc = calloc(1, sizeof *sc);
    if (!sc)
        return ERR_NOMEM;
    sc->store = s;
    pthread_mutex_init(&sc->lock, NULL);
    pthread_mutex_init(&sc->pass, NULL);
    pthread_cond_init(&sc->wake, NULL);
    *ret = sc;
    return 0;
}

/* False: the store closes. */
static bool
scrub_sleep(struct scrubber *sc, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_mutex_lock(&sc->lock);
    int rc = 0;
    while (!sc->stop && !rc)
        rc = pthread_cond_timedwait(&sc->wake, &sc->lock, &t);
    bool stop = sc->stop;
    pthread_mutex_unlock(&sc->lock);
    return !stop;
}

static void
scrub_tell(struct scrubber *sc, const struct store_fault *fault)
{
    struct store *s = sc->store;
    struct store_batch *b = store_batch_new(s);
    struct buf text;
    buf_init(&text, 1024);
    store_fault_text(fault, false, &text);
    struct event ev = {.time_ms = clock_now_ms(s->cfg.clock),
                       .severity = SEVERITY_CRITICAL,
                       .entity = "cluster:-",
                       .code = "telemetry.store-damaged",
                       .source = "store",
                       .text = buf_str(&text)};
    if (b && !store_batch_event(b, &ev))
        store_submit(s, b, NULL, NULL);
    else
        store_batch_free(b);
    buf_done(&text);
}

static void
scrub_bad(void *ctx, uint64_t page)
{
    struct scrubber *sc = ctx;
    struct store_fault fault = {page ? STORE_FAULT_PAGE : STORE_FAULT_SHORT, sc->file, "",
                                (int64_t)page};
    sc->damaged++;
    sc->found++;
    sc->store->counters.damaged++;
    if (sc->told++ < SCRUB_TOLD)
        scrub_tell(sc, &fault);
}

/* 0, ERR_CLOSED when the store closes, or what reading it failed with. */
static int
scrub_file(struct scrubber *sc, bool slow, struct err *err)
{
    struct pagesum_scan *scan;
    char path[4600];
    snprintf(path, sizeof path, "%s/%s", sc->store->cfg.folder, sc->file);
    int rc = pagesum_begin(path, &scan, err), n;
    if (rc == ERR_CORRUPT)
        scrub_bad(sc, 1);
    if (rc)
        return rc == ERR_CORRUPT ? 0 : rc;
    while ((n = pagesum_some(scan, SCRUB_PAGES, scrub_bad, sc, err)) > 0) {
        sc->pages += (uint64_t)n;
        /* a page is 8 KiB at most */
        if (slow && !scrub_sleep(sc, (int64_t)(SCRUB_PAGES * 8192 * 1000 / SCRUB_RATE))) {
            n = ERR_CLOSED;
            break;
        }
    }
    pagesum_end(scan);
    return n;
}

static int
scrub_files(struct scrubber *sc, bool slow, struct err *err)
{
    struct dirent **names = NULL;
    int n = scandir(sc->store->cfg.folder, &names, NULL, alphasort), rc = 0;
    if (n < 0)
        return err_set_errno(err, "cannot read %s", sc->store->cfg.folder);
    pthread_mutex_lock(&sc->pass);
    sc->told = 0;
    sc->found = 0;
    for (int i = 0; i < n; i++) {
        if (rc != ERR_CLOSED && verify_wanted(names[i]->d_name)) {
            snprintf(sc->file, sizeof sc->file, "%s", names[i]->d_name);
            rc = scrub_file(sc, slow, err); /* a file that retention took meanwhile is none */
        }
        free(names[i]);
    }
    free(names);
    sc->passes += rc != ERR_CLOSED;
    rc = rc == ERR_CLOSED ? rc : sc->found;
    pthread_mutex_unlock(&sc->pass);
    return rc;
}

int
scrub_pass(struct scrubber *sc, struct err *err)
{
    return scrub_files(sc, false, err);
}

int
store_scrub(struct store *s, struct err *err)
{
    return scrub_pass(s->scrubber, err);
}

static void *
scrub_main(void *arg)
{
    struct scrubber *sc = arg;
    if (!scrub_sleep(sc, SCRUB_FIRST_MS))
        return NULL;
    for (;;) {
        int64_t began = clock_mono_us();
        if (scrub_files(sc, true, NULL) == ERR_CLOSED)
            return NULL;
        int64_t left = SCRUB_PASS_MS - (clock_mono_us() - began) / 1000;
        if (!scrub_sleep(sc, left > SCRUB_FIRST_MS ? left : SCRUB_FIRST_MS))
            return NULL;
    }
}

int
scrub_start(struct scrubber *sc, struct err *err)
{
    int rc = pthread_create(&sc->thread, NULL, scrub_main, sc);
    if (rc)
        return err_set(err, ERR_NOMEM, "cannot start the store's scrubber: %s", strerror(rc));
    sc->started = true;
    return 0;
}

void
scrub_free(struct scrubber *sc)
{
    if (!sc)
        return;
    if (sc->started) {
        pthread_mutex_lock(&sc->lock);
        sc->stop = true;
        pthread_cond_signal(&sc->wake);
        pthread_mutex_unlock(&sc->lock);
        pthread_join(sc->thread, NULL);
    }
    pthread_cond_destroy(&sc->wake);
    pthread_mutex_destroy(&sc->lock);
    pthread_mutex_destroy(&sc->pass);
    free(sc);
}

void
scrub_metrics(struct scrubber *sc, struct buf *out)
{
    const struct {
        const char *name, *help;
        uint64_t v;
    } rows[] = {
        {"scrub_pages_total", "Pages of files that the scrubber looked at.", sc->pages},
        {"scrub_damaged_total", "Damaged pages that the scrubber found.", sc->damaged},
        {"scrub_passes_total", "Passes of the scrubber over all files.", sc->passes},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out,
                   "# HELP myriascope_store_%s %s\n# TYPE myriascope_store_%s counter\n"
                   "myriascope_store_%s %llu\n",
                   rows[i].name, rows[i].help, rows[i].name, rows[i].name,
                   (unsigned long long)rows[i].v);
}
