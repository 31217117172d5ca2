/* topo_jobs: jobs on a snapshot: the top layer.
 *
 * A job's document is parsed once into a source that all snapshots share. A new top costs the
 * look-up of every node of every running job, and new relation lists for those nodes: 2 ms for
 * 2,304 nodes. */
#include "base/str.h"
#include "store/jobs.h"
#include "store/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPO_RANKS_MAX 1000000u

/* --- sources ---------------------------------------------------------------------------------- */

static int
topo_source_rank_order(const void *a, const void *b)
{
    const struct topo_rank *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* `ranks: [{rank, node, gpu}]`: node by name, as in the job's list. */
static int
topo_source_ranks(struct topo_source *j, const struct doc_node *ranks)
{
    struct map *places;
    if (!ranks || ranks->kind != DOC_SEQ || !ranks->count || ranks->count > TOPO_RANKS_MAX)
        return 0;
    places = map_new(j->nodes.count + 1);
    j->ranks = calloc(ranks->count, sizeof *j->ranks);
    if (!places || !j->ranks) {
        map_free(places, NULL);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < j->nodes.count; i++)
        map_set(places, j->nodes.names[i], strlen(j->nodes.names[i]), (void *)(i + 1), NULL);
    for (const struct doc_node *n = ranks->first; n; n = n->next) {
        const char *node = doc_get_str(n, "node", "");
        int64_t rank = doc_get_int(n, "rank", -1), gpu = doc_get_int(n, "gpu", -1);
        size_t place = (size_t)(uintptr_t)map_get(places, node, strlen(node));
        if (place && rank >= 0 && rank < TOPO_RANKS_MAX && gpu >= 0 && gpu < 65536)
            j->ranks[j->rank_count++] =
                (struct topo_rank){(uint32_t)rank, (uint32_t)place - 1, (uint32_t)gpu};
    }
    map_free(places, NULL);
    qsort(j->ranks, j->rank_count, sizeof *j->ranks, topo_source_rank_order);
    return 0;
}

static int
topo_source_fill(struct topo_source *j, const struct job *job, const struct doc_node *root,
                 struct err *err)
{
    char text[ENTITY_SIZE];
    int rc = hostlist_parse(job->nodes ? job->nodes : "", &j->nodes, err);
    if (rc < 0)
        return rc;
    if (entity_format(text, ENTITY_JOB, job->id, NULL) < 0)
        return err_set(err, ERR_SYNTAX, "'%s' is no name of a job", job->id);
    for (size_t i = 0; i < j->nodes.count; i++)
        if (entity_format(text, ENTITY_NODE, j->nodes.names[i], NULL) < 0)
            return err_set(err, ERR_SYNTAX, "'%s' is no name of a node", j->nodes.names[i]);
    j->id = strdup(job->id);
    j->name = strdup(job->name ? job->name : "");
    j->user = strdup(job->user ? job->user : "");
    j->tenant = strdup(job->tenant ? job->tenant : "");
    j->start_ms = job->start_ms;
    j->gpus_per_node = job->gpus_per_node;
    if (!j->id || !j->name || !j->user || !j->tenant)
        return err_set(err, ERR_NOMEM, "no memory for job %s", job->id);
    return topo_source_ranks(j, doc_get(root, "ranks"));
}

int
topo_source_new(const char *id, const char *json, size_t len, struct topo_source **ret,
                struct err *err)
{
    struct doc *d = NULL;
    struct job job = {0};
    struct topo_source *j = calloc(1, sizeof *j);
    int rc = j ? doc_parse_json(json, len, id, &d, err)
               : err_set(err, ERR_NOMEM, "no memory for job %s", id);
    if (rc < 0)
        goto out;
    atomic_init(&j->refs, 1);
    if ((rc = job_parse(id, doc_root(d), d, &job, err)) < 0)
        goto out;
    rc = topo_source_fill(j, &job, doc_root(d), err);
    job_done(&job);
out:
    doc_free(d);
    if (rc == 0) {
        *ret = j;
    } else if (j) {
        atomic_store(&j->refs, 1);
        topo_source_put(j);
    }
    return rc;
}

struct topo_source *
topo_source_ref(struct topo_source *j)
{
    atomic_fetch_add_explicit(&j->refs, 1, memory_order_relaxed);
    return j;
}

void
topo_source_put(struct topo_source *j)
{
    if (!j || atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) != 1)
        return;
    hostlist_done(&j->nodes);
    free(j->id);
    free(j->name);
    free(j->user);
    free(j->tenant);
    free(j->ranks);
    free(j);
}

/* --- the top ---------------------------------------------------------------------------------- */

static topo_id
topo_top_find(const struct topo *t, const char *entity)
{
    topo_id id = topo_base_find(t->base, entity);
    if (id != TOPO_NONE || !t->index)
        return id;
    uintptr_t at = (uintptr_t)map_get(t->index, entity, strlen(entity));
    return at ? (topo_id)(at - 1) : TOPO_NONE;
}

/* An entity of the top; *ret is the base's where it has the name. */
static int
topo_top_add(struct topo *t, enum entity_kind k, const char *name, topo_id *ret)
{
    char text[ENTITY_SIZE];
    int rc = entity_format(text, k, name, NULL);
    if (rc < 0)
        return rc;
    if ((*ret = topo_top_find(t, text)) != TOPO_NONE)
        return 0;
    if (t->extra >= t->extra_cap)
        return ERR_LIMIT;
    char *copy = arena_str(t->arena, text, strlen(text));
    if (!copy)
        return ERR_NOMEM;
    *ret = (topo_id)(t->base->n + t->extra);
    t->names[t->extra] = copy;
    t->kinds[t->extra++] = (uint8_t)k;
    return map_set(t->index, copy, strlen(copy), (void *)((uintptr_t)*ret + 1), NULL);
}

static int
topo_top_place(struct topo *t, struct topo_placed *p, struct topo_source *j, topo_id *ret_job)
{
    topo_id *nodes = arena_alloc(t->arena, (j->nodes.count + 1) * sizeof *nodes);
    if (!nodes)
        return ERR_NOMEM;
    int rc = topo_top_add(t, ENTITY_JOB, j->id, ret_job);
    for (size_t i = 0; i < j->nodes.count && rc == 0; i++)
        rc = topo_top_add(t, ENTITY_NODE, j->nodes.names[i], &nodes[i]);
    if (rc < 0)
        return rc;
    p->source = j;
    p->pub = (struct topo_job){.id = j->id,
                               .tenant = j->tenant,
                               .user = j->user,
                               .name = j->name,
                               .start_ms = j->start_ms,
                               .gpus_per_node = j->gpus_per_node,
                               .nodes = nodes,
                               .node_count = j->nodes.count};
    return 0;
}

/* gpus_per_node 0: as many as the first node has. */
static void
topo_top_gpus(struct topo *t, struct topo_placed *p)
{
    size_t n = 0;
    const struct topo_edge *e = p->pub.node_count ? topo_edges(t, p->pub.nodes[0], &n) : NULL;
    for (size_t i = 0; i < n && !p->source->gpus_per_node; i++)
        p->pub.gpus_per_node += topo_kind(t, e[i].to) == ENTITY_GPU;
}

static struct topo_list *
topo_top_list(struct topo *t, topo_id id)
{
    return id >= t->base->n ? &t->lists[id - t->base->n]
                            : &t->node_lists[id - t->base->kind_first[ENTITY_NODE]];
}

static size_t
topo_top_base_edges(const struct topo *t, topo_id id, const struct topo_edge **ret)
{
    if (id >= t->base->n)
        return 0;
    *ret = t->base->edges + t->base->edge_first[id];
    return t->base->edge_first[id + 1] - t->base->edge_first[id];
}

/* Lists of jobs and of their nodes: counted, made, filled. */
static int
topo_top_edges(struct topo *t, const topo_id *jobs)
{
    for (size_t i = 0; i < t->source_count; i++)
        for (size_t k = 0; k < t->placed[i].pub.node_count; k++) {
            topo_top_list(t, jobs[i])->count++;
            topo_top_list(t, t->placed[i].pub.nodes[k])->count++;
        }
    for (size_t i = 0; i < t->source_count; i++) {
        for (size_t k = 0; k <= t->placed[i].pub.node_count; k++) {
            topo_id id = k ? t->placed[i].pub.nodes[k - 1] : jobs[i];
            struct topo_list *l = topo_top_list(t, id);
            const struct topo_edge *have = NULL;
            if (l->edges || !l->count)
                continue;
            size_t n = topo_top_base_edges(t, id, &have);
            struct topo_edge *edges = arena_alloc(t->arena, (n + l->count) * sizeof *edges);
            if (!edges)
                return ERR_NOMEM;
            if (n)
                memcpy(edges, have, n * sizeof *edges);
            *l = (struct topo_list){edges, n};
        }
    }
    for (size_t i = 0; i < t->source_count; i++)
        for (size_t k = 0; k < t->placed[i].pub.node_count; k++) {
            topo_id node = t->placed[i].pub.nodes[k];
            struct topo_list *a = topo_top_list(t, jobs[i]), *b = topo_top_list(t, node);
            ((struct topo_edge *)(uintptr_t)a->edges)[a->count++] =
                (struct topo_edge){node, RELATION_RUNS_ON, false};
            ((struct topo_edge *)(uintptr_t)b->edges)[b->count++] =
                (struct topo_edge){jobs[i], RELATION_RUNS_ON, true};
        }
    return 0;
}

static int
topo_top_name_order(const void *a, const void *b, void *ctx)
{
    return strcmp(topo_name(ctx, *(const topo_id *)a), topo_name(ctx, *(const topo_id *)b));
}

/* Kinds that have extras get a list of their own. */
static int
topo_top_kinds(struct topo *t)
{
    static const enum entity_kind kinds[] = {ENTITY_JOB, ENTITY_NODE};
    for (size_t k = 0; k < ENTITY_KINDS; k++) {
        t->kind_lists[k] = t->base->ids + t->base->kind_first[k];
        t->kind_counts[k] = t->base->kind_first[k + 1] - t->base->kind_first[k];
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t extra = 0, n = t->kind_counts[kinds[i]];
        for (size_t e = 0; e < t->extra; e++)
            extra += t->kinds[e] == kinds[i];
        if (!extra)
            continue;
        topo_id *ids = arena_alloc(t->arena, (n + extra) * sizeof *ids);
        if (!ids)
            return ERR_NOMEM;
        if (n)
            memcpy(ids, t->kind_lists[kinds[i]], n * sizeof *ids);
        for (size_t e = 0; e < t->extra; e++)
            if (t->kinds[e] == kinds[i])
                ids[n++] = (topo_id)(t->base->n + e);
        qsort_r(ids, n, sizeof *ids, topo_top_name_order, t);
        t->kind_lists[kinds[i]] = ids;
        t->kind_counts[kinds[i]] = n;
    }
    return 0;
}

static int
topo_top_source_order(const void *a, const void *b)
{
    return strcmp((*(struct topo_source *const *)a)->id, (*(struct topo_source *const *)b)->id);
}

static int
topo_top_init(struct topo *t, struct topo_source *const *jobs, size_t n,
              const struct topo_change *changes, size_t change_count)
{
    size_t nodes = t->base->kind_first[ENTITY_NODE + 1] - t->base->kind_first[ENTITY_NODE];
    for (size_t i = 0; i < n; i++)
        t->extra_cap += jobs[i]->nodes.count + 1;
    t->arena = arena_new(TOPO_ARENA_MAX);
    t->index = map_new(t->extra_cap + 1);
    if (!t->arena || !t->index)
        return ERR_NOMEM;
    t->sources = arena_alloc(t->arena, (n + 1) * sizeof(struct topo_source *));
    t->placed = arena_alloc(t->arena, (n + 1) * sizeof *t->placed);
    t->jobs = arena_alloc(t->arena, (n + 1) * sizeof *t->jobs);
    t->names = arena_alloc(t->arena, (t->extra_cap + 1) * sizeof *t->names);
    t->kinds = arena_alloc(t->arena, t->extra_cap + 1);
    t->lists = arena_alloc(t->arena, (t->extra_cap + 1) * sizeof *t->lists);
    t->node_lists = arena_alloc(t->arena, (nodes + 1) * sizeof *t->node_lists);
    t->changes = arena_alloc(t->arena, (change_count + 1) * sizeof *t->changes);
    if (!t->sources || !t->placed || !t->jobs || !t->names || !t->kinds || !t->lists ||
        !t->node_lists || !t->changes)
        return ERR_NOMEM;
    if (change_count)
        memcpy(t->changes, changes, change_count * sizeof *changes);
    t->change_count = change_count;
    for (size_t i = 0; i < n; i++)
        t->sources[t->source_count++] = topo_source_ref(jobs[i]);
    qsort(t->sources, n, sizeof(struct topo_source *), topo_top_source_order);
    return 0;
}

int
topo_new(struct topo_base *base, struct topo_source *const *jobs, size_t job_count,
         const struct topo_change *changes, size_t change_count, struct topo **ret)
{
    struct topo *t = calloc(1, sizeof *t);
    topo_id *ids = calloc(job_count + 1, sizeof *ids);
    int rc = ERR_NOMEM;
    if (!t || !ids) {
        free(t);
        goto out;
    }
    atomic_init(&t->refs, 1);
    t->base = topo_base_ref(base);
    rc = topo_top_init(t, jobs, job_count, changes, change_count);
    for (size_t i = 0; i < t->source_count && rc == 0; i++)
        rc = topo_top_place(t, &t->placed[i], t->sources[i], &ids[i]);
    if (rc == 0 && (rc = topo_top_edges(t, ids)) == 0)
        rc = topo_top_kinds(t);
    for (size_t i = 0; i < t->source_count && rc == 0; i++) {
        topo_top_gpus(t, &t->placed[i]);
        t->jobs[i] = t->placed[i].pub;
    }
    if (rc < 0)
        topo_put(t);
    else
        *ret = t;
out:
    free(ids);
    return rc;
}

/* --- questions -------------------------------------------------------------------------------- */

size_t
topo_jobs(const struct topo *t, const struct topo_job **ret)
{
    *ret = t->jobs;
    return t->source_count;
}

const struct topo_job *
topo_job_find(const struct topo *t, const char *id)
{
    size_t low = 0, high = t->source_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(t->jobs[mid].id, id);
        if (c == 0)
            return &t->jobs[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static const struct topo_source *
topo_job_source(const struct topo *t, const struct topo_job *j)
{
    return t->placed[j - t->jobs].source;
}

static int
topo_job_gpu(const struct topo *t, const struct topo_job *j, size_t node, unsigned gpu,
             char out[ENTITY_SIZE])
{
    char part[16];
    if (node >= j->node_count)
        return ERR_NOTFOUND;
    snprintf(part, sizeof part, "%u", gpu);
    return entity_format(out, ENTITY_GPU, strchr(topo_name(t, j->nodes[node]), ':') + 1, part);
}

int
topo_job_rank_gpu(const struct topo *t, const struct topo_job *j, unsigned rank,
                  char out[ENTITY_SIZE])
{
    const struct topo_source *s = topo_job_source(t, j);
    if (s->rank_count) {
        struct topo_rank want = {.rank = rank}, *r;
        r = bsearch(&want, s->ranks, s->rank_count, sizeof want, topo_source_rank_order);
        return r ? topo_job_gpu(t, j, r->node, r->gpu, out) : ERR_NOTFOUND;
    }
    if (!j->gpus_per_node)
        return ERR_NOTFOUND;
    return topo_job_gpu(t, j, rank / j->gpus_per_node, rank % j->gpus_per_node, out);
}

int
topo_job_gpu_rank(const struct topo *t, const struct topo_job *j, topo_id gpu)
{
    const struct topo_source *s = topo_job_source(t, j);
    topo_id node = topo_neighbour(t, gpu, ENTITY_NODE);
    const char *slash = strrchr(topo_name(t, gpu), '/');
    uint64_t index;
    if (node == TOPO_NONE || !slash || str_u64(slash + 1, strlen(slash + 1), &index) < 0)
        return ERR_NOTFOUND;
    for (size_t i = 0; i < s->rank_count; i++)
        if (j->nodes[s->ranks[i].node] == node && s->ranks[i].gpu == index)
            return (int)s->ranks[i].rank;
    if (s->rank_count || index >= j->gpus_per_node)
        return ERR_NOTFOUND;
    for (size_t i = 0; i < j->node_count; i++)
        if (j->nodes[i] == node)
            return (int)(i * j->gpus_per_node + index);
    return ERR_NOTFOUND;
}
