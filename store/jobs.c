/* jobs: job documents: checked, merged, stored; their state changes told. A document keeps the
 * members it came with; those of CONTRACT.md are checked. `start` is what lists sort by. */
#include "store/jobs.h"
#include "base/clock.h"
#include "base/entity.h"
#include "base/hostlist.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define JOB_JSON_MAX (4u << 20)
#define JOB_TRIES    16    /* of a merge that loses against another writer */
#define JOB_RUNS     50    /* former runs that a document keeps, the newest */
#define JOB_SHIFT_MS 60000 /* a start told anew by another source differs by less */

static const char *const job_words[JOB_STATES] = {
    [JOB_PENDING] = "pending",     [JOB_RUNNING] = "running",     [JOB_COMPLETED] = "completed",
    [JOB_FAILED] = "failed",       [JOB_CANCELLED] = "cancelled", [JOB_TIMEOUT] = "timeout",
    [JOB_NODE_FAIL] = "node_fail",
};

const char *
job_state_word(enum job_state s)
{
    return (unsigned)s < JOB_STATES ? job_words[s] : "";
}

int
job_state_find(const char *word)
{
    for (int i = 0; i < JOB_STATES; i++)
        if (strcmp(job_words[i], word) == 0)
            return i;
    return ERR_NOTFOUND;
}

void
job_done(struct job *j)
{
    if (!j)
        return;
    free(j->id);
    free(j->name);
    free(j->user);
    free(j->tenant);
    free(j->nodes);
    free(j->json);
    memset(j, 0, sizeof *j);
}

/* --- checks ----------------------------------------------------------------------------------- */

static int
job_parse_text(const struct doc_node *n, const struct doc *d, const char *key, size_t max,
               char **ret, struct err *err)
{
    const struct doc_node *v = doc_get(n, key);
    if (v && v->kind != DOC_STR && v->kind != DOC_NULL)
        return doc_err(d, v, err, ERR_SYNTAX, "'%s' of a job must be a text", key);
    const char *text = v && v->kind == DOC_STR ? v->str : "";
    if (strlen(text) > max)
        return doc_err(d, v, err, ERR_RANGE, "'%s' of a job is longer than %zu bytes", key, max);
    if (v && v->kind == DOC_STR && strlen(text) != v->len)
        return doc_err(d, v, err, ERR_SYNTAX, "'%s' of a job holds a zero byte", key);
    *ret = strdup(text);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "no memory for a job");
}

static int
job_parse_time(const struct doc_node *n, const struct doc *d, const char *key, int64_t *ret,
               struct err *err)
{
    const struct doc_node *v = doc_get(n, key);
    if (!v || v->kind == DOC_NULL)
        return 0;
    if (v->kind == DOC_INT || v->kind == DOC_REAL) {
        double seconds = doc_real(v, 0);
        if (!(seconds >= 0 && seconds < 1e11))
            return doc_err(d, v, err, ERR_RANGE, "'%s' of a job is no time", key);
        *ret = (int64_t)(seconds * 1000);
        return 0;
    }
    if (v->kind != DOC_STR || time_parse(v->str, ret) < 0)
        return doc_err(
            d, v, err, ERR_SYNTAX,
            "'%s' of a job must be a time like 2026-11-23T08:00:00Z, Unix seconds, or null", key);
    return 0;
}

static int
job_parse_numbers(const struct doc_node *n, const struct doc *d, struct job *j, struct err *err)
{
    const struct doc_node *gpus = doc_get(n, "gpus_per_node"), *code = doc_get(n, "exit_code");
    if (gpus && gpus->kind != DOC_NULL) {
        int64_t v = doc_int(gpus, -1);
        if (v < 0 || v > 1024)
            return doc_err(d, gpus, err, ERR_RANGE,
                           "'gpus_per_node' of a job must be a number from 0 to 1024");
        j->gpus_per_node = (unsigned)v;
    }
    if (code && code->kind != DOC_NULL) {
        int64_t v = doc_int(code, INT64_MIN);
        if (v < INT32_MIN || v > INT32_MAX)
            return doc_err(d, code, err, ERR_RANGE,
                           "'exit_code' of a job must be a whole number or null");
        j->exit_code = (int)v;
        j->has_exit_code = true;
    }
    return 0;
}

static int
job_parse_state(const struct doc_node *n, const struct doc *d, struct job *j, struct err *err)
{
    const struct doc_node *v = doc_get(n, "state");
    if (!v || v->kind == DOC_NULL) {
        j->state = j->end_ms ? JOB_COMPLETED : j->start_ms ? JOB_RUNNING : JOB_PENDING;
        return 0;
    }
    int s = job_state_find(doc_str(v, ""));
    if (s < 0)
        return doc_err(d, v, err, ERR_SYNTAX,
                       "'state' of a job is pending, running, completed, failed, cancelled, "
                       "timeout or node_fail, not '%s'",
                       doc_str(v, "?"));
    j->state = (enum job_state)s;
    return 0;
}

static int
job_parse_nodes(const struct doc_node *n, const struct doc *d, struct job *j, struct err *err)
{
    const struct doc_node *v = doc_get(n, "nodes");
    struct hostlist list;
    struct err cause = {0};
    char name[ENTITY_SIZE];
    int rc;
    if (v && v->kind == DOC_SEQ)
        return doc_err(d, v, err, ERR_SYNTAX,
                       "'nodes' of a job is one text in Slurm's syntax, like 'node[00001-00128]'");
    if ((rc = job_parse_text(n, d, "nodes", 1u << 20, &j->nodes, err)) < 0)
        return rc;
    if ((rc = hostlist_parse(j->nodes, &list, &cause)) < 0)
        return doc_err(d, v, err, rc, "'nodes' of a job: %s", cause.text);
    for (size_t i = 0; i < list.count && rc == 0; i++)
        if (entity_format(name, ENTITY_NODE, list.names[i], NULL) < 0)
            rc = doc_err(d, v, err, ERR_SYNTAX, "'nodes' of a job: '%s' is no name of a node",
                         list.names[i]);
    hostlist_done(&list);
    return rc;
}

static int
job_parse_id(const char *id, const struct doc_node *n, const struct doc *d, struct job *j,
             struct err *err)
{
    const struct doc_node *v = doc_get(n, "id");
    char name[ENTITY_SIZE];
    if (n->kind != DOC_MAP)
        return doc_err(d, n, err, ERR_SYNTAX, "a job is a JSON object");
    if (entity_format(name, ENTITY_JOB, id, NULL) < 0 || strchr(id, '/'))
        return doc_err(d, n, err, ERR_SYNTAX,
                       "'%s' cannot be the id of a job: printable, without spaces and '/'", id);
    if (v && v->kind == DOC_STR && strcmp(v->str, id) != 0)
        return doc_err(d, v, err, ERR_SYNTAX, "the document is of job '%s', not '%s'", v->str, id);
    j->id = strdup(id);
    return j->id ? 0 : err_set(err, ERR_NOMEM, "no memory for a job");
}

int
job_parse(const char *id, const struct doc_node *n, const struct doc *d, struct job *ret,
          struct err *err)
{
    struct job j = {0};
    int rc;
    if ((rc = job_parse_id(id, n, d, &j, err)) < 0 ||
        (rc = job_parse_text(n, d, "name", 1024, &j.name, err)) < 0 ||
        (rc = job_parse_text(n, d, "user", 256, &j.user, err)) < 0 ||
        (rc = job_parse_text(n, d, "tenant", CATALOG_WORD_MAX - 1, &j.tenant, err)) < 0 ||
        (rc = job_parse_nodes(n, d, &j, err)) < 0 ||
        (rc = job_parse_time(n, d, "start", &j.start_ms, err)) < 0 ||
        (rc = job_parse_time(n, d, "end", &j.end_ms, err)) < 0 ||
        (rc = job_parse_numbers(n, d, &j, err)) < 0 || (rc = job_parse_state(n, d, &j, err)) < 0)
        goto out;
    if (j.start_ms && j.end_ms && j.end_ms < j.start_ms)
        rc = doc_err(d, doc_get(n, "end"), err, ERR_RANGE, "the job ends before it starts");
out:
    if (rc < 0)
        job_done(&j);
    else
        *ret = j;
    return rc;
}

/* --- documents -------------------------------------------------------------------------------- */

static void job_write_node(struct jsonw *w, const struct doc_node *n);

/* RFC 7396: members of `patch` win, null removes, objects merge. base NULL: the patch without nulls
 * of its top. */
static void
job_write_merged(struct jsonw *w, const struct doc_node *base, const struct doc_node *patch)
{
    jsonw_object(w);
    for (const struct doc_node *n = base && base->kind == DOC_MAP ? base->first : NULL; n;
         n = n->next) {
        const struct doc_node *p = doc_get(patch, n->key);
        if (p && p->kind != DOC_MAP)
            continue;
        jsonw_key(w, n->key);
        if (p)
            job_write_merged(w, n, p);
        else
            job_write_node(w, n);
    }
    for (const struct doc_node *p = patch->first; p; p = p->next) {
        bool there = base && base->kind == DOC_MAP && doc_get(base, p->key);
        if (p->kind == DOC_NULL || (there && p->kind == DOC_MAP))
            continue;
        jsonw_key(w, p->key);
        if (p->kind == DOC_MAP)
            job_write_merged(w, NULL, p);
        else
            job_write_node(w, p);
    }
    jsonw_end_object(w);
}

static void
job_write_node(struct jsonw *w, const struct doc_node *n)
{
    switch (n->kind) {
    case DOC_BOOL:
        jsonw_bool(w, n->v.b);
        break;
    case DOC_INT:
        jsonw_int(w, n->v.i);
        break;
    case DOC_REAL:
        jsonw_real(w, n->v.r);
        break;
    case DOC_STR:
        jsonw_strn(w, n->str, n->len);
        break;
    case DOC_SEQ:
        jsonw_array(w);
        for (const struct doc_node *c = n->first; c; c = c->next)
            job_write_node(w, c);
        jsonw_end_array(w);
        break;
    case DOC_MAP:
        jsonw_object(w);
        for (const struct doc_node *c = n->first; c; c = c->next) {
            jsonw_key(w, c->key);
            job_write_node(w, c);
        }
        jsonw_end_object(w);
        break;
    default:
        jsonw_null(w);
        break;
    }
}

/* --- runs ------------------------------------------------------------------------------------- */

/* What a scheduler that puts a job back into its queue forgets: a document keeps the runs before
 * the present one as "runs": [{start, end, state, nodes, exit_code}], the state of a run that did
 * not end by itself is "requeued". */
struct job_before {
    const struct doc_node *root; /* NULL: the job is new */
    struct job job;
    int64_t now_ms;
};

static int64_t
job_restarts(const struct doc_node *n)
{
    const struct doc_node *v = doc_get(doc_get(n, "labels"), "restarts");
    return v && v->kind == DOC_STR ? strtoll(v->str, NULL, 10) : doc_int(v, -1);
}

/* Has the run of `before` given way to another one, or to waiting for it? */
static bool
job_run_over(const struct job_before *before, const struct doc_node *n, const struct job *j)
{
    const struct job *b = &before->job;
    bool ended = b->state != JOB_RUNNING && b->state != JOB_PENDING;
    if (!before->root || !b->start_ms || b->state == JOB_PENDING)
        return false;
    if (j->state == JOB_PENDING)
        return true;
    if (j->state != JOB_RUNNING || j->start_ms <= b->start_ms)
        return false;
    return job_restarts(n) > job_restarts(before->root) ||
           j->start_ms - b->start_ms > JOB_SHIFT_MS || (ended && j->start_ms >= b->end_ms);
}

static void
job_write_run(struct jsonw *w, const struct job_before *before, const struct job *now)
{
    const struct job *b = &before->job;
    bool ended = b->state != JOB_RUNNING && b->end_ms;
    int64_t end = ended ? b->end_ms : before->now_ms;
    if (!ended && now->start_ms > b->start_ms && now->start_ms < end)
        end = now->start_ms;
    jsonw_object(w);
    jsonw_ktime(w, "start", b->start_ms);
    jsonw_ktime(w, "end", end);
    jsonw_kstr(w, "state", ended ? job_state_word(b->state) : "requeued");
    jsonw_kstr(w, "nodes", b->nodes);
    jsonw_key(w, "exit_code");
    if (ended && b->has_exit_code)
        jsonw_int(w, b->exit_code);
    else
        jsonw_null(w);
    jsonw_end_object(w);
}

static void
job_write_runs(struct jsonw *w, const struct job_before *before, const struct doc_node *n,
               const struct job *j)
{
    const struct doc_node *old = doc_get(before->root ? before->root : n, "runs");
    bool over = job_run_over(before, n, j);
    size_t count = old && old->kind == DOC_SEQ ? old->count : 0;
    size_t skip = count + over > JOB_RUNS ? count + over - JOB_RUNS : 0;
    if (!count && !over)
        return;
    jsonw_key(w, "runs");
    jsonw_array(w);
    for (const struct doc_node *r = count ? old->first : NULL; r; r = r->next)
        if (skip)
            skip--;
        else
            job_write_node(w, r);
    if (over)
        job_write_run(w, before, j);
    jsonw_end_array(w);
}

static void
job_write_time(struct jsonw *w, const char *key, int64_t ms)
{
    jsonw_ktime(w, key, ms); /* 0 is null */
}

/* The document as the API gives it: the contract's members always, in their order, then the others
 * as they came. */
static void
job_write(struct jsonw *w, const struct job *j, const struct doc_node *n,
          const struct job_before *before)
{
    static const char *const known[] = {"id",    "name",      "user",          "tenant",
                                        "state", "nodes",     "gpus_per_node", "start",
                                        "end",   "exit_code", "runs",          NULL};
    jsonw_object(w);
    jsonw_kstr(w, "id", j->id);
    jsonw_kstr(w, "name", j->name);
    jsonw_kstr(w, "user", j->user);
    jsonw_kstr(w, "tenant", j->tenant);
    jsonw_kstr(w, "state", job_state_word(j->state));
    jsonw_kstr(w, "nodes", j->nodes);
    jsonw_kint(w, "gpus_per_node", j->gpus_per_node);
    job_write_time(w, "start", j->start_ms);
    job_write_time(w, "end", j->end_ms);
    jsonw_key(w, "exit_code");
    if (j->has_exit_code)
        jsonw_int(w, j->exit_code);
    else
        jsonw_null(w);
    for (const struct doc_node *m = n->first; m; m = m->next) {
        const char *const *k = known;
        while (*k && strcmp(*k, m->key) != 0)
            k++;
        if (*k)
            continue;
        jsonw_key(w, m->key);
        job_write_node(w, m);
    }
    job_write_runs(w, before, n, j);
    jsonw_end_object(w);
}

/* Checks a document; ret->json becomes the text to store. */
static int
job_read(const char *id, const char *json, size_t len, const struct job_before *before,
         struct job *ret, struct err *err)
{
    struct doc *d = NULL;
    struct jsonw w;
    struct buf out;
    int rc = doc_parse_json(json, len, "", &d, err);
    if (rc < 0)
        return rc;
    if ((rc = job_parse(id, doc_root(d), d, ret, err)) == 0) {
        buf_init(&out, JOB_JSON_MAX);
        jsonw_init(&w, &out);
        job_write(&w, ret, doc_root(d), before);
        ret->json = buf_take(&out, NULL);
        if (!ret->json) {
            rc = err_set(err, ERR_LIMIT, "the document of job %s is larger than 4 MiB", id);
            job_done(ret);
        }
        buf_done(&out);
    }
    doc_free(d);
    return rc;
}

struct job_held { /* what the catalog holds */
    char *json;
    size_t len;
    uint64_t revision;
    int64_t time_ms;
};

static int
job_hold(void *ctx, const struct catalog_doc *d)
{
    struct job_held *h = ctx;
    h->json = strndup(d->json, d->json_len);
    h->len = d->json_len;
    h->revision = d->revision;
    h->time_ms = d->time_ms;
    return h->json ? 0 : ERR_NOMEM;
}

static int
job_merge(const struct job_held *held, const char *json, size_t len, struct buf *out,
          struct err *err)
{
    struct doc *base = NULL, *patch = NULL;
    struct jsonw w;
    int rc = doc_parse_json(json, len, "", &patch, err);
    if (rc == 0 && doc_root(patch)->kind != DOC_MAP)
        rc = err_set(err, ERR_SYNTAX, "a change of a job is a JSON object");
    if (rc == 0)
        rc = doc_parse_json(held->json, held->len, "", &base, err);
    if (rc == 0) {
        jsonw_init(&w, out);
        job_write_merged(&w, doc_root(base), doc_root(patch));
        rc = out->failed
                 ? err_set(err, ERR_LIMIT, "the document of the job becomes larger than 4 MiB")
                 : 0;
    }
    doc_free(base);
    doc_free(patch);
    return rc;
}

static int
job_store(struct store *s, const struct job *j, const struct job_held *held, bool exact,
          struct err *err)
{
    struct catalog_change ch = {.op = exact ? CATALOG_PUT_IF : CATALOG_PUT};
    ch.doc = (struct catalog_doc){
        .kind = "job", .id = j->id, .tenant = j->tenant, .state = job_state_word(j->state)};
    /* lists sort by start; a job that waits keeps the time it was first seen */
    ch.doc.time_ms = j->start_ms     ? j->start_ms
                     : held->time_ms ? held->time_ms
                                     : clock_now_ms(s->cfg.clock);
    ch.doc.revision = held->revision;
    ch.doc.json = j->json;
    ch.doc.json_len = strlen(j->json);
    return catalog_apply(s, &ch, 1, NULL, err);
}

/* One try: 0, ERR_STATE when another writer was quicker. */
static int
job_try(struct store *s, const char *id, const char *json, size_t len, bool merge, struct job *ret,
        struct err *err)
{
    struct job_held held = {0};
    struct job_before before = {.now_ms = clock_now_ms(s->cfg.clock)};
    struct doc *d = NULL;
    struct buf merged;
    int rc = catalog_get(s, "job", id, job_hold, &held, err);
    buf_init(&merged, JOB_JSON_MAX);
    if (rc < 0 && (rc != ERR_NOTFOUND || merge))
        goto out;
    if (held.json && !doc_parse_json(held.json, held.len, "", &d, NULL) &&
        !job_parse(id, doc_root(d), d, &before.job, NULL))
        before.root = doc_root(d);
    rc = merge ? job_merge(&held, json, len, &merged, err) : 0;
    if (rc == 0)
        rc = merge ? job_read(id, merged.data, merged.len, &before, ret, err)
                   : job_read(id, json, len, &before, ret, err);
    if (rc == 0 && (rc = job_store(s, ret, &held, merge, err)) < 0)
        job_done(ret);
out:
    job_done(&before.job);
    doc_free(d);
    buf_done(&merged);
    free(held.json);
    return rc;
}

int
job_put(struct store *s, const char *id, const char *json, size_t len, bool merge, struct job *ret,
        struct err *err)
{
    struct job job;
    int rc = ERR_STATE;
    if (strlen(id) > CATALOG_WORD_MAX * 2)
        return err_set(err, ERR_RANGE, "the id of a job has at most %d bytes",
                       CATALOG_WORD_MAX * 2);
    for (int i = 0; i < JOB_TRIES && rc == ERR_STATE; i++)
        rc = job_try(s, id, json, len, merge, &job, err);
    if (rc < 0)
        return rc;
    if (ret)
        *ret = job;
    else
        job_done(&job);
    return 0;
}

int
job_get(struct store *s, const char *id, struct job *ret, struct err *err)
{
    struct job_held held = {0};
    struct doc *d = NULL;
    int rc = catalog_get(s, "job", id, job_hold, &held, err);
    if (rc < 0)
        return rc;
    if ((rc = doc_parse_json(held.json, held.len, "", &d, err)) == 0 &&
        (rc = job_parse(id, doc_root(d), d, ret, err)) == 0) {
        ret->json = held.json;
        held.json = NULL;
    }
    doc_free(d);
    free(held.json);
    return rc;
}

/* --- watchers --------------------------------------------------------------------------------- */

struct job_watcher {
    void (*cb)(void *ctx, const struct job *j, enum job_state before);
    void *ctx;
};

static void
job_changed(void *ctx, const struct catalog_doc *d, const char *before, bool deleted)
{
    const struct job_watcher *w = ctx;
    struct doc *doc = NULL;
    struct job j;
    int state = *before ? job_state_find(before) : JOB_STATES;
    if (deleted || strcmp(d->kind, "job") != 0 ||
        doc_parse_json(d->json, d->json_len, "", &doc, NULL) < 0)
        return;
    if (job_parse(d->id, doc_root(doc), doc, &j, NULL) == 0) {
        j.json = strndup(d->json, d->json_len);
        if (j.json)
            w->cb(w->ctx, &j, state < 0 ? JOB_STATES : (enum job_state)state);
        job_done(&j);
    }
    doc_free(doc);
}

int
job_watch(struct store *s, void (*cb)(void *ctx, const struct job *j, enum job_state before),
          void *ctx)
{
    struct job_watcher *w = malloc(sizeof *w);
    if (!w)
        return ERR_NOMEM;
    *w = (struct job_watcher){cb, ctx};
    int rc = catalog_watch_owned(s, job_changed, w);
    if (rc < 0)
        free(w);
    return rc;
}
