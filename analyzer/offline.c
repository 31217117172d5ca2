/* offline: lines to symptoms, symptoms to one answer. A symptom is kept once an entity and code,
 * with its first line, so that memory follows the variety of what is said and not its volume. */
#include "analyzer/offline_priv.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/entity.h"
#include "base/hostlist.h"
#include "base/map.h"
#include "base/str.h"
#include "decode/flight.h"
#include "decode/loghead.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OFFLINE_SYMPTOMS 20000
#define OFFLINE_LINE     65536 /* longer lines are cut here */
#define OFFLINE_CHUNK    ((size_t)4 << 20)
#define OFFLINE_DEPTH    8
#define OFFLINE_HEADS    200 /* lines of each file whose heads are read to learn who speaks */
#define OFFLINE_MATCHES  8
#define OFFLINE_NODES    64 /* that one line may name */

struct offline *
offline_new(const struct kb *kb, const struct kb_matcher *m)
{
    struct offline *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->kb = kb;
    o->matcher = m;
    o->hint_ms = clock_now_ms(NULL);
    o->scratch = kb_scratch_new(m);
    o->collective = collective_new();
    o->accuse = accuse_new();
    o->templates = templates_new();
    o->rank_node = calloc(COLLECTIVE_RANKS, sizeof *o->rank_node);
    o->arena = arena_new((size_t)256 << 20);
    o->index = map_new(OFFLINE_SYMPTOMS);
    o->symptoms = calloc(OFFLINE_SYMPTOMS, sizeof *o->symptoms);
    if (!o->scratch || !o->collective || !o->accuse || !o->templates || !o->rank_node ||
        !o->arena || !o->index || !o->symptoms) {
        offline_free(o);
        return NULL;
    }
    return o;
}

void
offline_free(struct offline *o)
{
    if (!o)
        return;
    kb_scratch_free(o->scratch);
    collective_free(o->collective);
    accuse_free(o->accuse);
    templates_free(o->templates);
    free(o->rank_node);
    arena_free(o->arena);
    map_free(o->index, NULL);
    free(o->symptoms);
    free(o);
}

uint64_t
offline_bytes(const struct offline *o)
{
    return o->bytes;
}

/* --- symptoms
 * --------------------------------------------------------------------------------- */

int
offline_symptom(struct offline *o, const struct kb_entry *e, const char *entity,
                const struct offline_origin *from, const char *text, size_t len, int64_t time_ms)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    int n = snprintf(key, sizeof key, "%s\n%s", e->id, entity);
    size_t key_len = (size_t)n < sizeof key ? (size_t)n : sizeof key - 1;
    struct symptom *s = map_get(o->index, key, key_len);
    if (s) {
        s->count++;
        if (time_ms && (!s->first_ms || time_ms < s->first_ms))
            s->first_ms = time_ms;
        if (time_ms > s->last_ms)
            s->last_ms = time_ms;
        return 0;
    }
    if (o->count == OFFLINE_SYMPTOMS) {
        o->refused++;
        return 0;
    }
    s = &o->symptoms[o->count];
    *s = (struct symptom){.entry = e, .first_ms = time_ms, .last_ms = time_ms, .count = 1};
    s->entity = arena_str(o->arena, entity, strlen(entity));
    s->source = arena_str(o->arena, from->name, strlen(from->name));
    s->text = arena_str(o->arena, text, len > EVENT_TEXT_MAX ? EVENT_TEXT_MAX : len);
    s->node = arena_str(o->arena, from->node, strlen(from->node));
    s->job = arena_str(o->arena, from->job, strlen(from->job));
    if (!s->entity || !s->source || !s->text || !s->node || !s->job)
        return ERR_NOMEM;
    o->count++;
    return map_set(o->index, key, key_len, s, NULL);
}

/* What a speaker is known by. */
static void
offline_speaks(struct offline *o, const char *node, int rank)
{
    if (rank < 0 || rank >= COLLECTIVE_RANKS)
        return;
    collective_seen(o->collective, rank);
    if (!o->rank_node[rank] && *node && strcmp(node, "-"))
        o->rank_node[rank] = arena_str(o->arena, node, strlen(node));
}

static void
offline_root(struct offline *o, const struct kb_entry *e, int rank)
{
    if (e->role != KB_ROOT || e->severity == SEVERITY_INFO)
        return;
    o->rooted = true;
    if (rank >= 0)
        collective_root(o->collective, rank);
}

/* The node that a match names: a scheduler's line knows where a task ran. */
static void
offline_named(struct offline *o, const struct kb_match *m)
{
    for (size_t i = 0; i < m->capture_count; i++) {
        const struct kb_capture *c = &m->captures[i];
        if (strcmp(c->name, "node") || !c->len || c->len > ENTITY_MAX || o->named_many)
            continue;
        if (!o->named)
            o->named = arena_str(o->arena, c->text, c->len);
        else
            o->named_many = strlen(o->named) != c->len || memcmp(o->named, c->text, c->len);
    }
}

/* A line of a scheduler may name many nodes at once: each is a symptom of its own. */
static int
offline_symptoms(struct offline *o, const struct kb_entry *e, const char *entity,
                 const struct offline_origin *from, const char *text, size_t len, int64_t time_ms)
{
    struct hostlist nodes;
    char one[ENTITY_SIZE];
    int rc = 0;
    if (strncmp(entity, "node:", 5) || !strpbrk(entity, "[,") ||
        hostlist_parse(entity + 5, &nodes, NULL))
        return offline_symptom(o, e, entity, from, text, len, time_ms);
    for (size_t i = 0; !rc && i < nodes.count && i < OFFLINE_NODES; i++)
        if (!entity_format(one, ENTITY_NODE, nodes.names[i], NULL))
            rc = offline_symptom(o, e, one, from, text, len, time_ms);
    hostlist_done(&nodes);
    return rc;
}

int
offline_line(struct offline *o, const struct offline_origin *from, const char *line, size_t len,
             int64_t time_ms)
{
    struct kb_match m[OFFLINE_MATCHES];
    struct loghead h;
    struct offline_origin at = *from;
    char entity[ENTITY_SIZE];
    int rc = 0;
    if (len > OFFLINE_LINE)
        len = OFFLINE_LINE;
    size_t n = kb_match_line(o->matcher, o->scratch, line, len, from->source, m, OFFLINE_MATCHES);
    if (o->healthy || !n) {
        if (o->healthy)
            templates_healthy(o->templates, line, len);
        else
            templates_line(o->templates, o->speaker, from->rank, from->node, line, len);
        return 0;
    }
    n = kb_match_narrow(o->kb, m, n);
    loghead_parse(line, len, time_ms ? time_ms : o->hint_ms, &h);
    at.node = h.node[0] ? h.node : *from->node ? from->node : "-";
    at.job = *from->job ? from->job : "-";
    at.rank = h.rank >= 0 ? h.rank : from->rank;
    collective_line(o->collective, at.rank, line, len);
    accuse_address(o->accuse, at.node, line, len);
    accuse_line(o->accuse, at.node, at.rank, line, len);
    for (size_t i = 0; !rc && i < n; i++) {
        const struct kb_entry *e = m[i].clears ? NULL : kb_find(o->kb, m[i].id);
        if (!e ||
            (kb_match_entity(&m[i], at.node, at.job, at.rank, entity, sizeof entity) && !*entity))
            continue;
        symptom_of_rank(e, at.job, at.rank, entity);
        offline_named(o, &m[i]);
        offline_root(o, e, at.rank);
        rc = offline_symptoms(o, e, entity, &at, line, len, h.time_ms ? h.time_ms : time_ms);
    }
    return rc;
}

/* Heads of unmatched lines tell which ranks speak at all, and how large the world is. */
static void
offline_head(struct offline *o, const struct offline_origin *from, const char *line, size_t len)
{
    struct loghead h;
    loghead_parse(line, len, 0, &h);
    int rank = h.rank >= 0 ? h.rank : from->rank;
    if (o->healthy)
        return;
    offline_speaks(o, h.node[0] ? h.node : from->node, rank);
    accuse_address(o->accuse, h.node[0] ? h.node : from->node, line, len > 4096 ? 4096 : len);
    collective_line(o->collective, rank, line, len > 4096 ? 4096 : len);
}

/* --- texts
 * ------------------------------------------------------------------------------------ */

/* The first of several names that the object has. */
static const struct doc_node *
offline_member(const struct doc_node *n, const char *const *names)
{
    const struct doc_node *found = NULL;
    for (size_t i = 0; !found && names[i]; i++)
        found = doc_get(n, names[i]);
    return found;
}

static const char *const offline_texts[] = {"line", "log", "message", "msg", NULL},
                         *const offline_times[] = {"ts", "time", "timestamp", "@timestamp", NULL},
                         *const offline_hosts[] = {"node", "host", "hostname", NULL},
                         *const offline_jobs[] = {"job", "job_id", NULL};

/* Does a line hold one of the names of a text near its beginning? */
static bool
offline_is_json(const char *line, size_t len)
{
    static const char *const keys[] = {"\"line\"", "\"log\"", "\"message\"", "\"msg\""};
    len = len > 512 ? 512 : len;
    for (size_t i = 0; len > 2 && line[0] == '{' && i < sizeof keys / sizeof *keys; i++)
        if (memmem(line, len, keys[i], strlen(keys[i])))
            return true;
    return false;
}

/* {"ts":...,"node":...,"rank":...,"line":...}, and what container runtimes and structured
 * loggers write (log, message, msg); anything else is a plain line. */
static int
offline_ndjson(struct offline *o, const struct offline_origin *from, const char *line, size_t len)
{
    struct doc *d = NULL;
    int64_t t = 0;
    if (doc_parse_json(line, len, from->name, &d, NULL))
        return offline_line(o, from, line, len, 0);
    const struct doc_node *n = doc_root(d), *text = offline_member(n, offline_texts),
                          *ts = offline_member(n, offline_times);
    struct offline_origin at = *from;
    at.node = doc_str(offline_member(n, offline_hosts), from->node);
    at.job = doc_str(offline_member(n, offline_jobs), from->job);
    at.rank = (int)doc_get_int(n, "rank", from->rank);
    at.source = doc_get_str(n, "source", from->source);
    if (ts && ts->kind == DOC_STR)
        time_parse(ts->str, &t);
    else if (ts)
        t = (int64_t)(doc_real(ts, 0) * 1000);
    offline_speaks(o, at.node, at.rank);
    if (at.rank >= 0)
        o->speaker = (unsigned)at.rank;
    size_t end = text && text->kind == DOC_STR ? text->len : 0;
    while (end && strchr("\r\n", text->str[end - 1]))
        end--; /* docker keeps the line's end */
    int rc = end ? offline_line(o, &at, text->str, end, t) : offline_line(o, from, line, len, 0);
    doc_free(d);
    return rc;
}

/* Whole lines of a piece of text. Returns the bytes used, or negative; `last`: the rest
 * without an end is a line too. */
static int64_t
offline_lines(struct offline *o, const struct offline_origin *from, const char *p, size_t len,
              bool last, size_t *heads)
{
    const char *at = p, *end = p + len;
    int rc = 0;
    while (!rc && at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (!nl && !last && (size_t)(end - at) < OFFLINE_LINE)
            break;
        size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);
        size_t text = n && at[n - 1] == '\r' ? n - 1 : n;
        if (offline_is_json(at, text))
            rc = offline_ndjson(o, from, at, text);
        else if (text)
            rc = offline_line(o, from, at, text, 0);
        if (*heads < OFFLINE_HEADS) {
            (*heads)++;
            offline_head(o, from, at, text);
        }
        at = nl ? nl + 1 : end;
    }
    return rc ? rc : at - p;
}

int
offline_text(struct offline *o, const struct offline_origin *from, const char *text, size_t len)
{
    size_t heads = 0;
    o->bytes += len;
    o->speaker++;
    int64_t n = offline_lines(o, from, text, len, true, &heads);
    return n < 0 ? (int)n : 0;
}

/* --- files and folders
 * ------------------------------------------------------------------------ */

/* "rank_12.log", "rank12", "job-4711-rank-3.out" -> the rank; -1 */
static int
offline_rank_of_name(const char *name)
{
    const char *p = strcasestr(name, "rank");
    if (!p)
        return -1;
    p += 4;
    p += *p == '_' || *p == '-' || *p == '.';
    char *end;
    long v = strtol(p, &end, 10);
    return end == p || v < 0 || v >= COLLECTIVE_RANKS ? -1 : (int)v;
}

/* A dump of the flight recorder, whose beginning is in `chunk`: 1 when it was one, 0 when not.
 */
static int
offline_flight(struct offline *o, const struct offline_origin *from, int fd, const char *chunk,
               size_t have, struct err *err)
{
    struct stat st;
    if (from->rank < 0 || o->healthy || !flight_is(chunk, have) || fstat(fd, &st) ||
        !S_ISREG(st.st_mode) || (size_t)st.st_size > FLIGHT_MAX)
        return 0;
    struct flight *f = malloc(sizeof *f);
    char *data = malloc((size_t)st.st_size + 1);
    int rc = f && data ? 1 : err_set(err, ERR_NOMEM, "no memory to read %s", from->name);
    ssize_t n = rc > 0 ? pread(fd, data, (size_t)st.st_size, 0) : 0;
    if (rc > 0 && n > 0)
        flight_parse(data, (size_t)n, f); /* what a damaged one told until then counts */
    for (size_t i = 0; rc > 0 && n > 0 && i < f->count; i++)
        collective_record(o->collective, from->rank, f->at[i].group, f->at[i].enqueued,
                          f->at[i].completed, f->at[i].op);
    offline_speaks(o, from->node, from->rank);
    o->bytes += n > 0 ? (uint64_t)n : 0;
    free(data);
    free(f);
    return rc;
}

static int
offline_read(struct offline *o, const struct offline_origin *from, int fd, struct err *err)
{
    char *chunk = malloc(OFFLINE_CHUNK);
    size_t have = 0, heads = 0;
    bool first = true;
    o->speaker++;
    int rc = chunk ? 0 : err_set(err, ERR_NOMEM, "no memory to read %s", from->name);
    while (!rc) {
        ssize_t n = read(fd, chunk + have, OFFLINE_CHUNK - have);
        if (n < 0) {
            rc = err_set_errno(err, "%s cannot be read", from->name);
            break;
        }
        if (!o->bytes && n > 2 && (unsigned char)chunk[0] == 0x1f &&
            (unsigned char)chunk[1] == 0x8b) {
            rc = err_set(err, ERR_UNSUPPORTED,
                         "%s is gzip: unpack it first (zcat %s | myriascope diagnose)", from->name,
                         from->name);
            break;
        }
        have += (size_t)n;
        if (first && (rc = offline_flight(o, from, fd, chunk, have, err))) {
            rc = rc > 0 ? 0 : rc;
            break;
        }
        first = false;
        o->bytes += (uint64_t)n;
        int64_t used = offline_lines(o, from, chunk, have, n == 0, &heads);
        if (used < 0 || n == 0) {
            rc = used < 0 ? (int)used : 0;
            break;
        }
        have -= (size_t)used;
        memmove(chunk, chunk + used, have);
    }
    free(chunk);
    return rc;
}

static int offline_walk(struct offline *o, const char *path, const char *node, int rank,
                        unsigned depth, struct err *err);

static int
offline_names(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static bool
offline_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

/* The folder given is no node itself; those in it are, unless their names are a launcher's
 * (attempt_0, a rank's number). */
static int
offline_folder(struct offline *o, const char *path, const char *node, int rank, unsigned depth,
               struct err *err)
{
    struct dirent **names;
    int n = scandir(path, &names, offline_names, versionsort), rc = 0;
    if (n < 0)
        return err_set_errno(err, "%s cannot be listed", path);
    for (int i = 0; i < n; i++) {
        char child[4096];
        struct stat st;
        const char *name = names[i]->d_name;
        snprintf(child, sizeof child, "%s/%s", path, name);
        bool folder = !stat(child, &st) && S_ISDIR(st.st_mode),
             launcher = str_prefix(name, "attempt_") || str_prefix(name, "log");
        int r = folder && offline_number(name)    ? atoi(name)
                : offline_rank_of_name(name) >= 0 ? offline_rank_of_name(name)
                                                  : rank;
        if (!rc && depth < OFFLINE_DEPTH)
            rc = offline_walk(
                o, child, folder && depth == 0 && !launcher && !offline_number(name) ? name : node,
                r, depth + 1, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

static int
offline_walk(struct offline *o, const char *path, const char *node, int rank, unsigned depth,
             struct err *err)
{
    struct stat st;
    if (stat(path, &st))
        return err_set_errno(err, "%s cannot be read", path);
    if (S_ISDIR(st.st_mode))
        return offline_folder(o, path, node, rank, depth, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "%s cannot be read", path);
    const char *base = strrchr(path, '/');
    if (str_prefix(base ? base + 1 : path, "slurm"))
        node = ""; /* slurm-4711.out and slurmctld.log speak of many nodes, wherever they lie */
    struct offline_origin from = {
        .node = node, .job = "", .name = base ? base + 1 : path, .rank = rank, .source = "any"};
    int rc = offline_read(o, &from, fd, err);
    close(fd);
    return rc;
}

/* A folder given by itself is named after its node, if it holds no folders of nodes. */
static bool
offline_has_folders(const char *path)
{
    struct dirent **names;
    bool found = false;
    int n = scandir(path, &names, offline_names, NULL);
    for (int i = 0; i < n; i++) {
        char child[4096];
        struct stat st;
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        found |= !stat(child, &st) && S_ISDIR(st.st_mode);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return found;
}

int
offline_path(struct offline *o, const char *path, struct err *err)
{
    struct stat st;
    char node[64] = "", real[4096];
    if (!stat(path, &st) && S_ISDIR(st.st_mode) && !offline_has_folders(path) &&
        realpath(path, real)) {
        const char *base = strrchr(real, '/');
        str_copy(node, sizeof node, base ? base + 1 : real);
    }
    int rank = S_ISDIR(st.st_mode)
                   ? -1
                   : offline_rank_of_name(strrchr(path, '/') ? strrchr(path, '/') : path);
    return offline_walk(o, path, node, rank, 0, err);
}

int
offline_healthy(struct offline *o, const char *path, struct err *err)
{
    o->healthy = true;
    int rc = offline_path(o, path, err);
    o->healthy = false;
    o->speaker = 0;
    return rc;
}
