/* check_runs: a place a run, each with its thread. A run that its caller waited for frees its place
 * at once; one that went on frees it when it ends well (the report is in the catalog then), and
 * keeps it when it failed, so that its cause can be told, until the place is needed. Load: some
 * checks a second while jobs start, a millisecond to a second each. */
#include "web/check_runs.h"

#include "base/str.h"
#include "web/web_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK_RUNS_MAX    8
#define CHECK_RUNS_REPORT ((size_t)256 << 20)

enum check_runs_state { RUN_FREE, RUN_GOES, RUN_FAILED };

struct check_runs_place {
    struct check_runs *r;
    enum check_runs_state state;
    bool awaited, done; /* its caller is still there; the thread is through */
    pthread_t thread;
    struct check_request req; /* its texts are ours */
    char id[CHECK_ID_SIZE];
    int64_t started_ms;
    struct buf out;
    struct err err;
    int rc;
};

struct check_runs {
    struct web *w;
    pthread_mutex_t lock; /* guards the places */
    pthread_cond_t ended;
    struct check_runs_place at[CHECK_RUNS_MAX];
};

static char *
check_runs_copy(const char *s)
{
    return s ? strdup(s) : NULL;
}

/* A text that could not be copied leaves the scope wider than asked: then nothing is run. */
static bool
check_runs_copied(const struct check_request *from, const struct check_request *to)
{
    return !from->profile == !to->profile && !from->profile_text == !to->profile_text &&
           !from->job == !to->job && !from->nodes == !to->nodes && !from->cluster == !to->cluster &&
           !from->tenant == !to->tenant && !from->who == !to->who;
}

static void
check_runs_clear(struct check_runs_place *p)
{
    const char *const texts[] = {p->req.profile, p->req.profile_text, p->req.job, p->req.nodes,
                                 p->req.cluster, p->req.tenant,       p->req.who};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((void *)(uintptr_t)texts[i]);
    buf_done(&p->out);
    *p = (struct check_runs_place){.r = p->r};
}

static int
check_runs_fill(struct check_runs_place *p, const struct check_request *req, int64_t now_ms)
{
    p->req = *req;
    p->req.profile = check_runs_copy(req->profile);
    char *profile = req->profile_text ? calloc(1, req->profile_len + 1) : NULL;
    if (profile)
        memcpy(profile, req->profile_text, req->profile_len);
    p->req.profile_text = profile;
    p->req.job = check_runs_copy(req->job);
    p->req.nodes = check_runs_copy(req->nodes);
    p->req.cluster = check_runs_copy(req->cluster);
    p->req.tenant = check_runs_copy(req->tenant);
    p->req.who = check_runs_copy(req->who);
    check_new_id(now_ms, p->id);
    p->req.id = p->id;
    p->started_ms = now_ms;
    buf_init(&p->out, CHECK_RUNS_REPORT);
    return check_runs_copied(req, &p->req) ? 0 : ERR_NOMEM;
}

static void *
check_runs_thread(void *ctx)
{
    struct check_runs_place *p = ctx;
    struct check_runs *r = p->r;
    const struct web_config *c = &r->w->cfg;
    int rc = check_run(c->store, c->metrics, c->kb, &p->req, p->started_ms, &p->out, &p->err);
    pthread_mutex_lock(&r->lock);
    p->rc = rc;
    p->done = true;
    if (!p->awaited) {
        pthread_detach(p->thread);
        p->state = RUN_FAILED;
        if (!rc)
            check_runs_clear(p);
    }
    pthread_cond_broadcast(&r->ended);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void
check_runs_text(struct jsonw *w, const char *key, const char *s)
{
    if (s && *s)
        jsonw_kstr(w, key, s);
}

/* The report's shape with nothing in it yet. */
static void
check_runs_write(const struct check_runs_place *p, int64_t now_ms, struct buf *out)
{
    static const char *const verdicts[] = {"pass", "warn", "fail", "unknown"};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", p->id);
    jsonw_kstr(&w, "profile", p->req.profile);
    jsonw_key(&w, "scope");
    jsonw_object(&w);
    check_runs_text(&w, "nodes", p->req.nodes);
    check_runs_text(&w, "job", p->req.job);
    check_runs_text(&w, "cluster", p->req.cluster);
    jsonw_end_object(&w);
    jsonw_kstr(&w, "state", "running");
    jsonw_kreal(&w, "progress", 0);
    jsonw_kstr(&w, "user", p->req.who);
    jsonw_kstr(&w, "verdict", "unknown");
    jsonw_ktime(&w, "started", p->started_ms);
    jsonw_kint(&w, "duration_ms", now_ms > p->started_ms ? now_ms - p->started_ms : 0);
    jsonw_key(&w, "counts");
    jsonw_object(&w);
    for (int i = 0; i < 4; i++)
        jsonw_kint(&w, verdicts[i], 0);
    jsonw_end_object(&w);
    jsonw_kstr(&w, "exclude", "");
    jsonw_key(&w, "summary");
    jsonw_array(&w);
    jsonw_end_array(&w);
    jsonw_key(&w, "previous");
    jsonw_null(&w);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

/* Lock held. A free place, else that of a failure nobody asked for yet; NULL: all run. */
static struct check_runs_place *
check_runs_place_for(struct check_runs *r)
{
    struct check_runs_place *found = NULL;
    for (size_t i = 0; i < CHECK_RUNS_MAX; i++) {
        if (r->at[i].state == RUN_FREE)
            return &r->at[i];
        if (r->at[i].state == RUN_FAILED)
            found = &r->at[i];
    }
    if (found)
        check_runs_clear(found);
    return found;
}

/* Lock held: until the run is done, or wait_ms have passed. */
static void
check_runs_await(struct check_runs *r, const struct check_runs_place *p, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    for (int rc = 0; !p->done && !rc;)
        rc = pthread_cond_timedwait(&r->ended, &r->lock, &until);
}

/* Lock held. */
static int
check_runs_take(struct check_runs *r, struct check_runs_place *p, struct buf *out, struct err *err)
{
    if (!p->done) {
        p->awaited = false;
        check_runs_write(p, web_now(r->w), out);
        return 0;
    }
    int rc = p->rc;
    if (rc)
        *err = p->err;
    else if (buf_append(out, p->out.data, p->out.len))
        rc = err_set(err, ERR_LIMIT, "the report is larger than an answer may be");
    pthread_join(p->thread, NULL); /* it ends without the lock */
    check_runs_clear(p);
    return rc ? rc : 1;
}

int
check_runs_start(struct check_runs *r, const struct check_request *req, int64_t wait_ms,
                 struct buf *out, struct err *err)
{
    const struct web_config *c = &r->w->cfg;
    int64_t now_ms = web_now(r->w);
    pthread_mutex_lock(&r->lock);
    struct check_runs_place *p = check_runs_place_for(r);
    if (p) {
        int rc = check_runs_fill(p, req, now_ms);
        p->state = RUN_GOES;
        p->awaited = true;
        if (rc || pthread_create(&p->thread, NULL, check_runs_thread, p)) {
            check_runs_clear(p);
            p = NULL;
        }
    }
    if (!p) {
        pthread_mutex_unlock(&r->lock);
        int rc = check_run(c->store, c->metrics, c->kb, req, now_ms, out, err);
        return rc ? rc : 1;
    }
    if (wait_ms > 0)
        check_runs_await(r, p, wait_ms);
    int rc = check_runs_take(r, p, out, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

bool
check_runs_answer(struct check_runs *r, const struct httpd_request *req, const char *id,
                  struct httpd_response *resp)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < CHECK_RUNS_MAX && !found; i++) {
        struct check_runs_place *p = &r->at[i];
        if (p->state == RUN_FREE || strcmp(p->id, id) != 0 ||
            !web_sees(req, p->req.tenant ? p->req.tenant : ""))
            continue;
        found = true;
        if (p->state == RUN_FAILED && (p->rc == ERR_NOTFOUND || p->rc == ERR_USAGE))
            httpd_reply_fail(resp, 400, "range", "%s", p->err.text); /* the scope's, not the id's */
        else if (p->state == RUN_FAILED)
            web_fail(resp, p->rc, &p->err);
        else
            check_runs_write(p, web_now(r->w), &resp->body);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

int
check_runs_new(struct web *w, struct check_runs **ret, struct err *err)
{
    struct check_runs *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for checks");
    r->w = w;
    for (size_t i = 0; i < CHECK_RUNS_MAX; i++)
        r->at[i].r = r;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->ended, &attr);
    pthread_condattr_destroy(&attr);
    *ret = r;
    return 0;
}

void
check_runs_free(struct check_runs *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < CHECK_RUNS_MAX; i++)
        while (r->at[i].state == RUN_GOES)
            pthread_cond_wait(&r->ended, &r->lock);
    for (size_t i = 0; i < CHECK_RUNS_MAX; i++)
        check_runs_clear(&r->at[i]);
    pthread_mutex_unlock(&r->lock);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
