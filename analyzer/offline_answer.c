/* offline_answer: what stands out among the symptoms of a log alone (who is behind, who fell quiet,
 * whom the victims name, which line is strange), what does not belong to the failure, and the
 * answer. */
#include "analyzer/offline_priv.h"
#include "analyzer/world.h"
#include "base/entity.h"
#include "base/str.h"
#include "decode/loghead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFLINE_LATER_MS 200 /* ranks of one step differ by less */
/* what ended an hour before the job did is not why: a watchdog waits 30 min */
#define OFFLINE_OLD_MS (INT64_C(60) * 60000)

/* A line at a node that is not known, of an entry that a known node shows too or where there is but
 * one node, is that node's. */
static void
offline_name_nodes(struct offline *o)
{
    char named[ENTITY_SIZE];
    const char *only = NULL;
    bool many = false;
    if (o->named && !o->named_many && !entity_format(named, ENTITY_NODE, o->named, NULL))
        only = arena_str(o->arena, named, strlen(named));
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

/* The rank that a line's head or the file it was in tells, -1 none. */
static int
offline_rank_of(const struct offline *o, const char *text)
{
    struct loghead h;
    loghead_parse(text, strlen(text), o->hint_ms, &h);
    return h.rank >= 0 && h.rank < COLLECTIVE_RANKS ? h.rank : -1;
}

/* Lines of a rank whose node nobody tells: the rank is what can be named, and where there is not
 * even one, the summary is about no part. */
static void
offline_unplaced(const struct offline *o, struct diagnosis *d)
{
    char entity[ENTITY_SIZE], part[16], text[1024];
    for (size_t i = 0; i < d->hypothesis_count; i++) {
        struct hypothesis *h = &d->hypotheses[i];
        int rank = -1;
        bool one = true;
        if (strcmp(h->entity, "node:-"))
            continue;
        for (size_t k = 0; k < h->evidence_count; k++) {
            int r = offline_rank_of(o, h->evidence[k].text);
            one &= r >= 0 && (rank < 0 || r == rank);
            rank = r;
        }
        snprintf(part, sizeof part, "%d", rank);
        h->summary = h->entry->title;
        if (rank < 0 || !one || entity_format(entity, ENTITY_RANK, "-", part))
            continue;
        h->entity = arena_str(d->arena, entity, strlen(entity));
        int n = snprintf(text, sizeof text, "%s: %s", entity, h->entry->title.en);
        h->summary.en = arena_str(d->arena, text, (size_t)n < sizeof text ? (size_t)n : 0);
        n = snprintf(text, sizeof text, "%s:%s", entity, h->entry->title.zh);
        h->summary.zh = arena_str(d->arena, text, (size_t)n < sizeof text ? (size_t)n : 0);
    }
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
    offline_unplaced(o, *ret);
    offline_place(o, *ret);
    return 0;
}
