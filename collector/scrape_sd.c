/* scrape_sd: targets from the configuration, from files and from HTTP. A source that fails keeps
 * what it last gave. */
#include "base/clock.h"
#include "base/doc.h"
#include "base/str.h"
#include "collector/scrape_in.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRAPE_SD_FILES_MAX 256u
#define SCRAPE_SD_TEXT_MAX  ((size_t)64 << 20)
#define SCRAPE_SD_MAX       100000u /* targets of one job */

/* --- credentials ---------------------------------------------------------------------------------
 */

static const char *
scrape_sd_secret(const char *value, const char *file, struct arena *a, int *rc, struct err *err)
{
    struct buf text;
    if (value || !file || *rc)
        return value;
    if ((*rc = file_read(file, 65536, &text, err)))
        return NULL;
    size_t n = text.len;
    while (n && strchr(" \t\r\n", buf_str(&text)[n - 1]))
        n--;
    char *kept = arena_str(a, buf_str(&text), n);
    buf_done(&text);
    if (!kept)
        *rc = err_set(err, ERR_LIMIT, "%s is too long for a secret", file);
    return kept;
}

int
scrape_sd_credentials(const struct scrape_http *h, struct arena *a, struct httpc_request *req,
                      const char **ret_header, struct err *err)
{
    int rc = 0;
    const struct scrape_authorization *z = &h->authorization;
    req->user = h->basic.username;
    req->password = scrape_sd_secret(h->basic.password, h->basic.password_file, a, &rc, err);
    req->bearer = scrape_sd_secret(h->bearer_token, h->bearer_token_file, a, &rc, err);
    const char *credentials = scrape_sd_secret(z->credentials, z->credentials_file, a, &rc, err);
    if (credentials && (!z->type || !strcasecmp(z->type, "Bearer"))) {
        req->bearer = credentials;
    } else if (credentials) {
        size_t n = strlen(credentials) + strlen(z->type) + 32;
        char *header = arena_alloc(a, n);
        if (header)
            snprintf(header, n, "Authorization: %s %s", z->type, credentials);
        *ret_header = header;
    }
    req->ca = h->tls.ca_file;
    req->cert = h->tls.cert_file;
    req->key = h->tls.key_file;
    req->server_name = h->tls.server_name;
    req->insecure = h->tls.insecure_skip_verify;
    return rc;
}

/* --- targets -------------------------------------------------------------------------------------
 */

struct scrape_sd {
    struct scrape_job *job;
    struct arena *text;
    size_t found;
};

static int
scrape_sd_add(struct labels *l, const char *name, const char *value)
{
    return relabel_set(l, name, strlen(name), value, strlen(value));
}

static void
scrape_sd_params(const struct scrape_conf *c, struct arena *text, struct labels *l)
{
    for (const struct doc_node *p = c->params ? c->params->first : NULL; p; p = p->next) {
        const struct doc_node *v = p->kind == DOC_SEQ ? p->first : p;
        char *name = arena_alloc(text, strlen(p->key) + 9);
        if (!v || !name)
            continue;
        sprintf(name, "__param_%s", p->key);
        scrape_sd_add(l, name, doc_str(v, ""));
    }
}

static const char *
scrape_sd_duration(struct arena *text, int64_t ms)
{
    char t[TIME_TEXT_SIZE];
    duration_format(ms, t);
    return arena_str(text, t, strlen(t));
}

/* The labels every target begins with, then those of its group. */
static void
scrape_sd_labels(struct scrape_sd *d, const char *address, const struct doc_node *labels,
                 const char *file, struct labels *l)
{
    const struct scrape_conf *c = d->job->conf;
    l->count = 0;
    scrape_sd_add(l, "__address__", address);
    scrape_sd_add(l, "__scheme__", c->scheme == SCRAPE_HTTPS ? "https" : "http");
    scrape_sd_add(l, "__metrics_path__", c->metrics_path);
    scrape_sd_add(l, "__scrape_interval__", scrape_sd_duration(d->text, c->scrape_interval));
    scrape_sd_add(l, "__scrape_timeout__", scrape_sd_duration(d->text, c->scrape_timeout));
    scrape_sd_add(l, "job", c->job_name);
    if (file)
        scrape_sd_add(l, "__meta_filepath", file);
    scrape_sd_params(c, d->text, l);
    for (const struct doc_node *n = labels ? labels->first : NULL; n; n = n->next)
        scrape_sd_add(l, n->key, doc_str(n, ""));
}

static struct scrape_target *
scrape_sd_find(struct scrape_job *job, const struct scrape_target *like)
{
    for (struct scrape_target *t = job->targets; t; t = t->next)
        if (!t->retired && !strcmp(t->key, like->key))
            return t;
    return NULL;
}

static void
scrape_sd_target(struct scrape_sd *d, const char *address, const struct doc_node *labels,
                 const char *file)
{
    struct labels l;
    struct err err;
    bool dropped;
    const struct scrape_conf *c = d->job->conf;
    const struct log *log = d->job->s->env.log;
    size_t max = c->target_limit ? (size_t)c->target_limit : SCRAPE_SD_MAX;
    arena_reset(d->text);
    scrape_sd_labels(d, address, labels, file, &l);
    struct scrape_target *t = scrape_target_new(d->job, &l, d->text, &dropped, &err);
    if (!t) {
        if (!dropped)
            log_write(log, LOG_LEVEL_WARNING, "scrape %s: %s", c->job_name, err.text);
        return;
    }
    struct scrape_target *known = scrape_sd_find(d->job, t);
    if (!known && d->found >= max) {
        if (!d->job->told_limit)
            log_write(log, LOG_LEVEL_WARNING,
                      "scrape %s: more than %zu targets, the rest is left out", c->job_name, max);
        d->job->told_limit = true;
        scrape_target_free(t);
        return;
    }
    d->found++;
    if (known) {
        known->found = true;
        scrape_target_free(t);
        return;
    }
    t->found = true;
    t->next = d->job->targets;
    d->job->targets = t;
    d->job->target_count++;
}

static void
scrape_sd_groups(struct scrape_sd *d, const struct doc *doc, const char *file)
{
    const struct doc_node *root = doc ? doc_root(doc) : NULL;
    for (const struct doc_node *g = root && root->kind == DOC_SEQ ? root->first : NULL; g;
         g = g->next) {
        const struct doc_node *targets = doc_get(g, "targets");
        for (const struct doc_node *t = targets && targets->kind == DOC_SEQ ? targets->first : NULL;
             t; t = t->next)
            scrape_sd_target(d, doc_str(t, ""), doc_get(g, "labels"), file);
    }
}

/* Builds the list anew: known targets stay, new ones come, those not found again retire. */
static void
scrape_sd_sync(struct scrape_job *job)
{
    struct scrape_sd d = {.job = job, .text = arena_new(SCRAPE_LABELS_TEXT)};
    if (!d.text)
        return;
    pthread_mutex_lock(&job->s->mutex);
    for (struct scrape_target *t = job->targets; t; t = t->next)
        t->found = false;
    for (size_t i = 0; i < job->conf->static_configs.count; i++) {
        const struct scrape_static *g =
            (const struct scrape_static *)job->conf->static_configs.at + i;
        for (size_t k = 0; k < g->targets.count; k++)
            scrape_sd_target(&d, g->targets.at[k], g->labels, NULL);
    }
    for (struct scrape_feed *f = job->feeds; f; f = f->next)
        for (size_t i = 0; i < f->doc_count; i++)
            scrape_sd_groups(&d, f->docs[i], f->names[i]);
    for (struct scrape_target *t = job->targets; t; t = t->next)
        t->retired |= !t->found;
    pthread_mutex_unlock(&job->s->mutex);
    arena_free(d.text);
}

/* --- feeds ---------------------------------------------------------------------------------------
 */

static void
scrape_sd_say(struct scrape_feed *f, const struct err *err)
{
    char text[900];
    if (!f->failing)
        log_write(f->job->s->env.log, LOG_LEVEL_WARNING, "scrape %s: discovery: %s",
                  f->job->conf->job_name, err_format(err, text, sizeof text));
    f->failing = true;
}

static int
scrape_sd_shape(const struct doc *d, struct err *err)
{
    static const char *const known[] = {"targets", "labels", NULL};
    const struct doc_node *root = doc_root(d);
    if (root && root->kind == DOC_NULL)
        return 0;
    if (!root || root->kind != DOC_SEQ)
        return err_set(err, ERR_SYNTAX, "%s: not a list of target groups", doc_name(d));
    for (const struct doc_node *g = root->first; g; g = g->next) {
        if (g->kind != DOC_MAP)
            return doc_err(d, g, err, ERR_SYNTAX, "a target group is not a map");
        if (doc_only(d, g, known, err))
            return err->code;
    }
    return 0;
}

/* Keeps the document under its name, in place of the one before. */
static int
scrape_sd_keep(struct scrape_feed *f, const char *name, struct doc *d)
{
    for (size_t i = 0; i < f->doc_count; i++)
        if (!strcmp(f->names[i], name)) {
            doc_free(f->docs[i]);
            f->docs[i] = d;
            return 0;
        }
    if (f->doc_count == SCRAPE_SD_FILES_MAX)
        return ERR_LIMIT;
    struct doc **docs = realloc(f->docs, (f->doc_count + 1) * sizeof *docs);
    f->docs = docs ? docs : f->docs;
    char **names = realloc(f->names, (f->doc_count + 1) * sizeof *names);
    f->names = names ? names : f->names;
    char *copy = strdup(name);
    if (!docs || !names || !copy) {
        free(copy);
        return ERR_NOMEM;
    }
    f->docs[f->doc_count] = d;
    f->names[f->doc_count++] = copy;
    return 0;
}

static void
scrape_sd_file(struct scrape_feed *f, const char *path)
{
    struct buf text;
    struct doc *d = NULL;
    struct err err;
    int rc = file_read(path, SCRAPE_SD_TEXT_MAX, &text, &err);
    if (!rc) {
        rc = doc_parse_any(buf_str(&text), text.len, path, &d, &err);
        buf_done(&text);
    }
    if (!rc)
        rc = scrape_sd_shape(d, &err);
    if (!rc && (rc = scrape_sd_keep(f, path, d)))
        err_set(&err, rc, "too many files");
    if (rc) {
        doc_free(d);
        scrape_sd_say(f, &err);
    } else {
        f->failing = false;
    }
}

/* A file that is gone takes its targets along. */
static void
scrape_sd_forget(struct scrape_feed *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->doc_count; i++) {
        if (file_exists(f->names[i])) {
            f->docs[n] = f->docs[i];
            f->names[n++] = f->names[i];
        } else {
            doc_free(f->docs[i]);
            free(f->names[i]);
        }
    }
    f->doc_count = n;
}

static void
scrape_sd_files(struct scrape_feed *f)
{
    const char *folder = f->job->s->env.folder ? f->job->s->env.folder : ".";
    char pattern[4096];
    for (size_t i = 0; i < f->file->files.count; i++) {
        const char *p = f->file->files.at[i];
        glob_t g;
        snprintf(pattern, sizeof pattern, "%s%s%s", *p == '/' ? "" : folder, *p == '/' ? "" : "/",
                 p);
        if (glob(pattern, 0, NULL, &g))
            continue;
        for (size_t k = 0; k < g.gl_pathc; k++)
            scrape_sd_file(f, g.gl_pathv[k]);
        globfree(&g);
    }
    scrape_sd_forget(f);
}

static void
scrape_sd_answer(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct scrape_feed *f = ctx;
    struct err why;
    if (rc && atomic_load(&f->job->s->stopping)) {
        atomic_store(&f->busy, false);
        return;
    }
    if (rc)
        why = *err;
    else if (resp->status != 200)
        rc = err_set(&why, ERR_IO, "%s answers HTTP status %d", f->http->url, resp->status);
    else
        rc = doc_parse_json(buf_str(&resp->body), resp->body.len, f->http->url, &f->doc, &why);
    if (!rc && (rc = scrape_sd_shape(f->doc, &why))) {
        doc_free(f->doc);
        f->doc = NULL;
    }
    if (rc)
        scrape_sd_say(f, &why);
    else
        f->failing = false;
    atomic_store(&f->answered, true);
}

static void
scrape_sd_fetch(struct scrape_feed *f)
{
    const char *headers[3] = {"Accept: application/json", NULL, NULL};
    struct httpc_request req = {
        .url = f->http->url, .headers = headers, .max_body = SCRAPE_SD_TEXT_MAX};
    struct arena *text = arena_new(SCRAPE_LABELS_TEXT);
    struct err err;
    int rc = text ? scrape_sd_credentials(&f->http->http, text, &req, &headers[1], &err)
                  : err_set(&err, ERR_NOMEM, "no memory");
    atomic_store(&f->busy, true);
    if (!rc && (rc = httpc_pool_submit(f->job->s->pool, &req, scrape_sd_answer, f)))
        err_set(&err, rc, "too many requests wait");
    if (rc) {
        scrape_sd_say(f, &err);
        atomic_store(&f->busy, false);
    }
    arena_free(text);
}

void
scrape_sd_turn(struct scrape_job *job, int64_t now_us)
{
    bool changed = false;
    for (struct scrape_feed *f = job->feeds; f; f = f->next) {
        if (f->http && atomic_load(&f->answered)) {
            if (f->doc && scrape_sd_keep(f, f->http->url, f->doc))
                doc_free(f->doc);
            changed |= f->doc != NULL;
            f->doc = NULL;
            atomic_store(&f->answered, false);
            atomic_store(&f->busy, false);
        }
        if (now_us < f->due_us || atomic_load(&f->busy))
            continue;
        f->due_us = now_us + f->refresh_ms * 1000;
        if (f->file) {
            scrape_sd_files(f);
            changed = true;
        } else {
            scrape_sd_fetch(f);
        }
    }
    if (changed)
        scrape_sd_sync(job);
}

static int
scrape_sd_feed(struct scrape_job *job, const struct scrape_file_sd *file,
               const struct scrape_http_sd *http, int64_t refresh_ms, struct err *err)
{
    struct scrape_feed *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NOMEM, "no memory for discovery");
    *f = (struct scrape_feed){.job = job, .file = file, .http = http, .refresh_ms = refresh_ms};
    f->next = job->feeds;
    job->feeds = f;
    return 0;
}

int
scrape_sd_open(struct scrape_job *job, struct err *err)
{
    const struct scrape_conf *c = job->conf;
    int rc = 0;
    for (size_t i = 0; !rc && i < c->file_sd_configs.count; i++) {
        const struct scrape_file_sd *f = (const struct scrape_file_sd *)c->file_sd_configs.at + i;
        rc = scrape_sd_feed(job, f, NULL, f->refresh_interval, err);
    }
    for (size_t i = 0; !rc && i < c->http_sd_configs.count; i++) {
        const struct scrape_http_sd *h = (const struct scrape_http_sd *)c->http_sd_configs.at + i;
        rc = scrape_sd_feed(job, NULL, h, h->refresh_interval, err);
    }
    if (!rc)
        scrape_sd_sync(job);
    return rc;
}

void
scrape_sd_close(struct scrape_job *job)
{
    while (job->feeds) {
        struct scrape_feed *f = job->feeds;
        job->feeds = f->next;
        for (size_t i = 0; i < f->doc_count; i++) {
            doc_free(f->docs[i]);
            free(f->names[i]);
        }
        doc_free(f->doc);
        free(f->docs);
        free(f->names);
        free(f);
    }
}
