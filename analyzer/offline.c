/* offline: lines to symptoms, symptoms to one answer. A symptom is kept once an entity and code,
 * with its first line, so that memory follows the variety of what is said and not its volume. */
#include "analyzer/offline.h"

#include "analyzer/accuse.h"
#include "analyzer/collective.h"
#include "analyzer/reason.h"
#include "analyzer/templates.h"
#include "analyzer/world.h"
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
#define OFFLINE_NODES    64  /* that one line may name */
#define OFFLINE_LATER_MS 200 /* ranks of one step differ by less */
#define OFFLINE_OLD_MS                                                                             \
    (INT64_C(60) *                                                                                 \
     60000) /* what ended an hour before the job did is not why: a watchdog waits 30 min */

struct offline {
    const struct kb *kb;
    const struct kb_matcher *matcher;
    struct kb_scratch *scratch;
    struct collective *collective;
    struct accuse *accuse;
    struct templates *templates;
    const char **rank_node; /* by rank: the node it ran on, NULL not told */
    unsigned speaker;       /* the file at hand */
    bool rooted;            /* a line said what may well be the cause */
    bool healthy;           /* what is read now is of a healthy run */
    struct arena *arena;
    struct map *index;
    struct symptom *symptoms;
    size_t count;
    uint64_t bytes, refused;
    int64_t hint_ms; /* now: the year of heads that have none */
};

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

/* --- symptoms --------------------------------------------------------------------------------- */

static int
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

/* --- texts ------------------------------------------------------------------------------------ */

/* {"ts":...,"node":...,"rank":...,"line":...}; anything else is a plain line. */
static int
offline_ndjson(struct offline *o, const struct offline_origin *from, const char *line, size_t len)
{
    struct doc *d = NULL;
    int64_t t = 0;
    if (doc_parse_json(line, len, from->name, &d, NULL))
        return offline_line(o, from, line, len, 0);
    const struct doc_node *n = doc_root(d), *text = doc_get(n, "line"), *ts = doc_get(n, "ts");
    struct offline_origin at = *from;
    at.node = doc_get_str(n, "node", from->node);
    at.job = doc_get_str(n, "job", from->job);
    at.rank = (int)doc_get_int(n, "rank", from->rank);
    at.source = doc_get_str(n, "source", from->source);
    if (ts && ts->kind == DOC_STR)
        time_parse(ts->str, &t);
    else if (ts)
        t = (int64_t)(doc_real(ts, 0) * 1000);
    offline_speaks(o, at.node, at.rank);
    if (at.rank >= 0)
        o->speaker = (unsigned)at.rank;
    int rc = text && text->kind == DOC_STR ? offline_line(o, &at, text->str, text->len, t)
                                           : offline_line(o, from, line, len, 0);
    doc_free(d);
    return rc;
}

/* Whole lines of a piece of text. Returns the bytes used, or negative; `last`: the rest without an
 * end is a line too. */
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
        if (text > 2 && at[0] == '{' && memmem(at, text > 512 ? 512 : text, "\"line\"", 6))
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

/* --- files and folders ------------------------------------------------------------------------ */

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

/* A dump of the flight recorder, whose beginning is in `chunk`: 1 when it was one, 0 when not. */
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

/* --- the answer ------------------------------------------------------------------------------- */

/* A line at a node that is not known, of an entry that a known node shows too or where there is but
 * one node, is that node's. */
static void
offline_name_nodes(struct offline *o)
{
    const char *only = NULL;
    bool many = false;
    for (size_t i = 0; i < o->count; i++) {
        const char *e = o->symptoms[i].entity;
        if (strncmp(e, "node:", 5) || !strcmp(e, "node:-"))
            continue;
        many |= only && strcmp(only, e);
        only = e;
    }
    for (size_t i = 0; i < o->count; i++) {
        struct symptom *s = &o->symptoms[i], *same = NULL;
        for (size_t k = 0; !strcmp(s->entity, "node:-") && k < o->count && !same; k++)
            if (k != i && o->symptoms[k].entry == s->entry &&
                !strncmp(o->symptoms[k].entity, "node:", 5))
                same = &o->symptoms[k];
        if (same) {
            same->count += s->count;
            *s = o->symptoms[--o->count];
            i--;
        } else if (!strcmp(s->entity, "node:-") && only && !many) {
            s->entity = only;
        }
    }
}

static bool
offline_of_job(const struct symptom *s)
{
    enum entity_kind k = entity_kind_of(s->entity);
    return k == ENTITY_JOB || k == ENTITY_RANK;
}

/* A setting or a version is as bad as ever, however long ago it was told. */
static bool
offline_lasting(const struct symptom *s)
{
    static const char *const classes[] = {"software-version", "environment", "fabric-config"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(s->entry->class_name, classes[i]))
            return true;
    return false;
}

/* Events of the machines long before the job's end are left out, unless nothing nearer may be the
 * cause (clocks of other zones look like hours). */
static void
offline_forget_old(struct offline *o)
{
    int64_t end = 0;
    bool near = false;
    size_t kept = 0;
    for (size_t i = 0; i < o->count; i++)
        if (offline_of_job(&o->symptoms[i]) && o->symptoms[i].first_ms > end)
            end = o->symptoms[i].first_ms;
    for (size_t i = 0; i < o->count; i++) {
        const struct symptom *s = &o->symptoms[i];
        near |= s->entry->role == KB_ROOT && s->last_ms && s->last_ms >= end - OFFLINE_OLD_MS;
    }
    for (size_t i = 0; i < o->count; i++) {
        const struct symptom *s = &o->symptoms[i];
        bool old = end && near && s->last_ms && s->last_ms < end - OFFLINE_OLD_MS &&
                   !offline_of_job(s) && !offline_lasting(s);
        if (!old)
            o->symptoms[kept++] = *s;
    }
    o->count = kept;
}

static bool
offline_of_user_rank(const struct symptom *s)
{
    return s->entry->role == KB_ROOT && str_prefix(s->entry->class_name, "user-") && s->first_ms &&
           entity_kind_of(s->entity) == ENTITY_RANK;
}

/* Where few ranks of many print errors of their own, the first is the cause: the others met its
 * consequences in code that was not made for them. */
static void
offline_first_error(struct offline *o, size_t seen)
{
    int64_t first = INT64_MAX;
    const char *rank = NULL;
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct symptom *s = &o->symptoms[i];
        if (!offline_of_user_rank(s))
            continue;
        count++;
        if (s->first_ms < first) {
            first = s->first_ms;
            rank = s->entity;
        }
    }
    if (count < 2 || 2 * count >= seen)
        return;
    for (size_t i = 0; i < o->count; i++) {
        const struct symptom *s = &o->symptoms[i];
        bool later = offline_of_user_rank(s) && strcmp(s->entity, rank) &&
                     s->first_ms >= first + OFFLINE_LATER_MS;
        if (!later)
            o->symptoms[kept++] = *s;
    }
    o->count = kept;
}

/* Does a line of this node say what may well be the cause? */
static bool
offline_node_rooted(const struct offline *o, const char *node)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct symptom *s = &o->symptoms[i];
        if (s->entry->role == KB_ROOT && s->entry->severity != SEVERITY_INFO &&
            !strcmp(s->node, node))
            return true;
    }
    return false;
}

static int
offline_told(struct offline *o, const char *id, const char *entity, const char *text)
{
    const struct kb_entry *e = kb_find(o->kb, id);
    const struct offline_origin from = {
        .node = "-", .job = "-", .name = "collective", .rank = -1, .source = "any"};
    return e ? offline_symptom(o, e, entity, &from, text, strlen(text), 0) : 0;
}

static int
offline_told_rank(struct offline *o, int rank, const char *text)
{
    char entity[ENTITY_SIZE], part[16];
    snprintf(part, sizeof part, "%d", rank);
    if (rank < COLLECTIVE_RANKS && o->rank_node[rank] && offline_node_rooted(o, o->rank_node[rank]))
        return 0; /* what its node says explains it */
    return entity_format(entity, ENTITY_RANK, "-", part)
               ? 0
               : offline_told(o, "collective.rank-behind", entity, text);
}

/* The node of all ranks that fell quiet, NULL when there are several. */
static const char *
offline_quiet_node(const struct offline *o, const struct collective_answer *a)
{
    const char *node = NULL;
    for (size_t i = 0; i < a->quiet_count; i++) {
        const char *of = a->quiet[i] < COLLECTIVE_RANKS ? o->rank_node[a->quiet[i]] : NULL;
        if (!of || (node && strcmp(node, of)))
            return NULL;
        node = of;
    }
    return node;
}

static int
offline_told_node(struct offline *o, const char *node, const char *text)
{
    char entity[ENTITY_SIZE];
    if (offline_node_rooted(o, node) || entity_format(entity, ENTITY_NODE, node, NULL))
        return 0;
    return offline_told(o, "collective.node-accused", entity, text);
}

/* The rank that is behind, or that fell quiet, or is not there at all; ranks of one node that fell
 * quiet together are the node's. */
static int
offline_behind(struct offline *o, const struct collective_answer *a)
{
    char text[200];
    const char *node = a->quiet_count > 1 ? offline_quiet_node(o, a) : NULL;
    if (a->behind >= 0) {
        snprintf(text, sizeof text, "rank %d stands at collective %lld while others are at %lld%s",
                 a->behind, (long long)a->behind_seq, (long long)a->others_seq,
                 a->recorded ? " (flight recorder)" : "");
        return offline_told_rank(o, a->behind, text);
    }
    if (a->quiet_count == 1 && a->timed_out > 1) {
        snprintf(text, sizeof text, "rank %d stopped without a word while %zu ranks timed out",
                 a->quiet[0], a->timed_out);
        return offline_told_rank(o, a->quiet[0], text);
    }
    if (a->silent_count == 1 && a->timed_out > 1) {
        snprintf(text, sizeof text, "rank %d printed nothing while %zu ranks timed out",
                 a->silent[0], a->timed_out);
        return offline_told_rank(o, a->silent[0], text);
    }
    if (!node)
        return 0;
    snprintf(text, sizeof text, "all %zu ranks of %s stopped without a word while %zu timed out",
             a->quiet_count, node, a->timed_out);
    return offline_told_node(o, node, text);
}

/* Has somebody else said which node went away? */
static bool
offline_node_told(const struct offline *o)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->symptoms[i].entry->role == KB_CASCADE && !strncmp(o->symptoms[i].entity, "node:", 5))
            return true;
    return false;
}

/* A rank that runs another operation than the rest, by the flight recorder. */
static int
offline_odd(struct offline *o, const struct collective_answer *a)
{
    char entity[ENTITY_SIZE], part[16], text[200];
    snprintf(part, sizeof part, "%d", a->odd);
    if (a->odd < 0 || entity_format(entity, ENTITY_RANK, "-", part))
        return 0;
    snprintf(text, sizeof text, "rank %d is in %s while the others are in %s (flight recorder)",
             a->odd, a->odd_op, a->others_op);
    o->rooted = true;
    return offline_told(o, "nccl.collective-mismatch", entity, text);
}

/* The peer that the victims name; by an address that is nobody's only where nothing better is
 * known. */
static int
offline_accused(struct offline *o)
{
    struct accuse_answer a;
    char text[200];
    if (!accuse_find(o->accuse, &a) || offline_node_told(o) ||
        (a.node && o->rooted && a.node[strspn(a.node, "0123456789abcdef.:")] == 0))
        return 0;
    if (a.rank >= 0) {
        snprintf(text, sizeof text, "%zu of %zu that name a peer name rank %d", a.reporters, a.all,
                 a.rank);
        return offline_told_rank(o, a.rank, text);
    }
    snprintf(text, sizeof text, "%zu of %zu that name a peer name %s", a.reporters, a.all, a.node);
    return offline_told_node(o, a.node, text);
}

/* Where no line says what happened: the line of a format that nobody described that stands out. */
static int
offline_unfamiliar(struct offline *o)
{
    struct templates_answer a;
    struct loghead h;
    char entity[ENTITY_SIZE], part[16];
    const struct kb_entry *e = kb_find(o->kb, "log.unfamiliar");
    if (!e || o->rooted || !templates_find(o->templates, &a))
        return 0;
    loghead_parse(a.text, strlen(a.text), o->hint_ms, &h);
    const struct offline_origin from = {.node = h.node[0] ? h.node
                                                : *a.node ? a.node
                                                          : "-",
                                        .job = "-",
                                        .name = "unfamiliar",
                                        .rank = h.rank >= 0 ? h.rank : a.rank,
                                        .source = "any"};
    snprintf(part, sizeof part, "%d", from.rank);
    if (entity_format(entity, from.rank >= 0 ? ENTITY_RANK : ENTITY_JOB, "-",
                      from.rank >= 0 ? part : NULL))
        return 0;
    return offline_symptom(o, e, entity, &from, a.text, strlen(a.text), h.time_ms);
}

/* Ranks of whom there is no line go under what is missing. */
static void
offline_missing(const struct collective_answer *a, struct diagnosis *d)
{
    struct hypothesis *h = d->hypothesis_count ? &d->hypotheses[0] : NULL;
    char text[160];
    for (size_t i = 0; h && i < a->silent_count && h->missing_count < DIAGNOSIS_MISSING; i++) {
        struct missing *m = &h->missing[h->missing_count++];
        int n = snprintf(text, sizeof text, "log of rank %d", a->silent[i]);
        m->signal = arena_str(d->arena, text, (size_t)n);
        n = snprintf(text, sizeof text,
                     "rank %d's log is not among what was given, and the others wait for it",
                     a->silent[i]);
        m->why.en = arena_str(d->arena, text, (size_t)n);
        n = snprintf(text, sizeof text, "缺少 rank %d 的日志,而其他 rank 正在等待它", a->silent[i]);
        m->why.zh = arena_str(d->arena, text, (size_t)n);
    }
}

/* A user's fault is the rank's that printed it, or the job's; never the device's that noticed. */
static void
offline_of_user(struct diagnosis *d)
{
    struct hypothesis *h = d->hypothesis_count ? &d->hypotheses[0] : NULL;
    const char *entity = "job:-";
    if (!h || d->verdict != VERDICT_USER || entity_kind_of(h->entity) == ENTITY_RANK ||
        entity_kind_of(h->entity) == ENTITY_JOB)
        return;
    for (size_t i = 1; i < d->hypothesis_count; i++)
        if (str_prefix(d->hypotheses[i].class_name, "user-") &&
            entity_kind_of(d->hypotheses[i].entity) == ENTITY_RANK) {
            entity = d->hypotheses[i].entity;
            break;
        }
    h->entity = entity;
}

/* Where the rank that is named ran. */
static void
offline_place(const struct offline *o, struct diagnosis *d)
{
    for (size_t i = 0; i < d->hypothesis_count; i++) {
        struct hypothesis *h = &d->hypotheses[i];
        const char *slash = strrchr(h->entity, '/');
        long rank = entity_kind_of(h->entity) == ENTITY_RANK && slash ? atol(slash + 1) : -1;
        char text[1024];
        if (rank < 0 || rank >= COLLECTIVE_RANKS || !o->rank_node[rank])
            continue;
        int n = snprintf(text, sizeof text, "%s (node %s)", h->summary.en, o->rank_node[rank]);
        if (n > 0 && (size_t)n < sizeof text)
            h->summary.en = arena_str(d->arena, text, (size_t)n);
        n = snprintf(text, sizeof text, "%s(节点 %s)", h->summary.zh, o->rank_node[rank]);
        if (n > 0 && (size_t)n < sizeof text)
            h->summary.zh = arena_str(d->arena, text, (size_t)n);
    }
}

int
offline_finish(struct offline *o, struct diagnosis **ret, struct err *err)
{
    struct collective_answer a;
    collective_answer(o->collective, &a);
    offline_forget_old(o);
    offline_first_error(o, a.seen);
    offline_name_nodes(o);
    int rc = a.odd >= 0 ? offline_odd(o, &a) : offline_behind(o, &a);
    if (!rc)
        rc = offline_accused(o);
    if (!rc)
        rc = offline_unfamiliar(o);
    struct world_names names = {o->symptoms, o->count};
    struct world w = world_of_names(&names);
    struct reason_options options = {.now_ms = 0};
    if (!rc)
        rc = reason_one(o->kb, &w, o->symptoms, o->count, &options, ret);
    if (rc)
        return err_set(err, rc, "the log could not be diagnosed: %s", err_text(rc));
    offline_missing(&a, *ret);
    offline_of_user(*ret);
    offline_place(o, *ret);
    return 0;
}
