/* collective: one small record a rank, in an array that grows by doubling. */
#include "analyzer/collective.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct collective_rank {
    int64_t enqueued, completed, timed_out; /* sequence numbers, -1 not told */
    int64_t group;                          /* process group that they count in, -1 not told */
    bool seen, root;
    bool waits; /* by its own record, for a collective that did not end */
};

struct collective_record {
    int rank;
    int64_t group, enqueued, completed;
    char op[COLLECTIVE_OP];
};

struct collective {
    struct collective_rank *at;
    size_t count, cap, world;
    struct collective_record *records;
    size_t record_count, record_cap;
};

struct collective *
collective_new(void)
{
    return calloc(1, sizeof(struct collective));
}

void
collective_free(struct collective *c)
{
    if (!c)
        return;
    free(c->at);
    free(c->records);
    free(c);
}

static struct collective_rank *
collective_rank(struct collective *c, int rank)
{
    if (rank < 0 || rank >= COLLECTIVE_RANKS)
        return NULL;
    size_t need = (size_t)rank + 1, cap = c->cap ? c->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > c->cap) {
        struct collective_rank *p = realloc(c->at, cap * sizeof *p);
        if (!p)
            return NULL;
        for (size_t i = c->cap; i < cap; i++)
            p[i] = (struct collective_rank){-1, -1, -1, -1, false, false, false};
        c->at = p;
        c->cap = cap;
    }
    if (need > c->count)
        c->count = need;
    return &c->at[rank];
}

void
collective_seen(struct collective *c, int rank)
{
    struct collective_rank *r = collective_rank(c, rank);
    if (r)
        r->seen = true;
}

void
collective_root(struct collective *c, int rank)
{
    struct collective_rank *r = collective_rank(c, rank);
    if (r)
        r->seen = r->root = true;
}

/* The number that follows `name` and up to two of "=: " in the line; -1 when there is none. */
static int64_t
collective_number(const char *line, size_t len, const char *name)
{
    const char *p = memmem(line, len, name, strlen(name)), *end = line + len;
    if (!p)
        return -1;
    p += strlen(name);
    for (int i = 0; i < 2 && p < end && strchr("=: ", *p); i++)
        p++;
    if (p >= end || *p < '0' || *p > '9')
        return -1;
    int64_t v = 0;
    for (int i = 0; i < 18 && p < end && *p >= '0' && *p <= '9'; i++)
        v = v * 10 + (*p++ - '0');
    return v;
}

static int
collective_rank_of(const char *line, size_t len, int rank)
{
    int64_t v = collective_number(line, len, "[Rank");
    if (v < 0)
        v = collective_number(line, len, " Rank");
    return v >= 0 && v < COLLECTIVE_RANKS ? (int)v : rank;
}

static void
collective_max(int64_t *at, int64_t v)
{
    if (v > *at)
        *at = v;
}

/* How many ranks the job has, in the words of PyTorch, NCCL and Megatron. */
static void
collective_world(struct collective *c, const char *line, size_t len)
{
    static const char *const names[] = {"world_size", "world size", "nranks",
                                        "initialization options: size"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t world = collective_number(line, len, names[i]);
        if (world > 1 && world <= COLLECTIVE_RANKS && (size_t)world > c->world)
            c->world = (size_t)world;
    }
}

bool
collective_line(struct collective *c, int rank, const char *line, size_t len)
{
    collective_world(c, line, len);
    if (!memmem(line, len, "ollective", 9) && !memmem(line, len, "NCCL work", 9) &&
        !memmem(line, len, "enqueued work", 13))
        return false;
    struct collective_rank *r = collective_rank(c, collective_rank_of(line, len, rank));
    if (!r)
        return false;
    int64_t group = collective_number(line, len, "PG GUID"),
            enqueued = collective_number(line, len, "last enqueued NCCL work"),
            completed = collective_number(line, len, "last completed NCCL work");
    if (group < 0)
        group = collective_number(line, len, "PG ID");
    r->seen = true;
    r->group = group >= 0 ? group : r->group;
    collective_max(&r->timed_out, collective_number(line, len, "SeqNum"));
    collective_max(&r->enqueued,
                   enqueued >= 0 ? enqueued : collective_number(line, len, "last enqueued work"));
    collective_max(&r->completed, completed >= 0
                                      ? completed
                                      : collective_number(line, len, "last completed work"));
    return true;
}

void
collective_record(struct collective *c, int rank, int64_t group, int64_t enqueued,
                  int64_t completed, const char *op)
{
    struct collective_rank *r = collective_rank(c, rank);
    if (!r || enqueued < 0 || c->record_count == COLLECTIVE_RECORDS)
        return;
    r->seen = true;
    if (c->record_count == c->record_cap) {
        size_t cap = c->record_cap ? c->record_cap * 2 : 256;
        struct collective_record *p = realloc(c->records, cap * sizeof *p);
        if (!p)
            return;
        c->records = p;
        c->record_cap = cap;
    }
    struct collective_record *e = &c->records[c->record_count++];
    *e = (struct collective_record){rank, group, enqueued, completed, ""};
    str_copy(e->op, sizeof e->op, op);
    r->waits |= completed >= 0 && enqueued > completed;
}

/* How far a rank has come: what it enqueued last, else what it waits for. */
static int64_t
collective_place(const struct collective_rank *r)
{
    return r->enqueued >= 0 ? r->enqueued : r->timed_out;
}

/* The group that most ranks count in: numbers of other groups cannot be compared with it. */
static int64_t
collective_group(const struct collective *c)
{
    int64_t group = -1;
    size_t votes = 0;
    for (size_t i = 0; i < c->count; i++) { /* majority vote in one pass */
        if (c->at[i].group < 0)
            continue;
        if (!votes)
            group = c->at[i].group;
        votes = c->at[i].group == group ? votes + 1 : votes - 1;
    }
    return group;
}

/* The one rank below all others of its group. */
static void
collective_behind(const struct collective *c, struct collective_answer *ret)
{
    int64_t low = INT64_MAX, next = INT64_MAX, high = -1, group = collective_group(c);
    int lowest = -1;
    for (size_t i = 0; i < c->count; i++) {
        const struct collective_rank *r = &c->at[i];
        int64_t at = collective_place(r);
        if (at < 0 || (r->group >= 0 && r->group != group))
            continue;
        high = at > high ? at : high;
        if (at < low) {
            next = low;
            low = at;
            lowest = (int)i;
        } else if (at < next) {
            next = at;
        }
    }
    if (next == INT64_MAX || low >= next)
        return;
    ret->behind = lowest;
    ret->behind_seq = low;
    ret->others_seq = high;
}

static int
collective_by_group(const void *a, const void *b)
{
    const struct collective_record *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->enqueued != y->enqueued ? (x->enqueued < y->enqueued ? -1 : 1) : x->rank - y->rank;
}

/* Of the records of one group, in order of what was enqueued: a rank that is behind and waits for
 * nothing itself holds the others up; one that waits elsewhere is held up too. */
static void
collective_group_behind(const struct collective *c, const struct collective_record *r, size_t n,
                        struct collective_answer *ret)
{
    const struct collective_record *first = NULL;
    size_t free_ranks = 0;
    for (size_t i = 0; i < n && r[i].enqueued < r[n - 1].enqueued; i++)
        if (!c->at[r[i].rank].waits) {
            first = first ? first : &r[i];
            free_ranks++;
        }
    if (!first || free_ranks > 1 || (ret->recorded && ret->behind != first->rank))
        return;
    ret->behind = first->rank;
    ret->behind_seq = first->enqueued;
    ret->others_seq = r[n - 1].enqueued;
    ret->recorded = true;
}

/* The one rank of a group whose last operation is another than that of all others at the same
 * number. */
static void
collective_group_odd(const struct collective_record *r, size_t n, struct collective_answer *ret)
{
    size_t same = 0, other = 0;
    const struct collective_record *odd = NULL, *like = &r[n / 2];
    if (n < 3 || r[0].enqueued != r[n - 1].enqueued || !*like->op)
        return;
    if (strcmp(r[0].op, like->op) && strcmp(r[n - 1].op, like->op))
        like = &r[0];
    for (size_t i = 0; i < n; i++) {
        bool is = !strcmp(r[i].op, like->op);
        same += is;
        other += !is && *r[i].op;
        odd = !is && *r[i].op ? &r[i] : odd;
    }
    if (other != 1 || same < 2 || odd->enqueued == odd->completed)
        return;
    ret->odd = odd->rank;
    str_copy(ret->odd_op, sizeof ret->odd_op, odd->op);
    str_copy(ret->others_op, sizeof ret->others_op, like->op);
}

static void
collective_recorded(const struct collective *c, struct collective_answer *ret)
{
    if (c->record_count)
        qsort(c->records, c->record_count, sizeof *c->records, collective_by_group);
    for (size_t i = 0, n; i < c->record_count; i += n) {
        for (n = 1; i + n < c->record_count && c->records[i + n].group == c->records[i].group;)
            n++;
        if (n > 1)
            collective_group_behind(c, &c->records[i], n, ret);
        collective_group_odd(&c->records[i], n, ret);
    }
}

void
collective_answer(const struct collective *c, struct collective_answer *ret)
{
    *ret = (struct collective_answer){.behind = -1, .odd = -1, .world = c->world};
    for (size_t i = 0; i < c->count; i++) {
        ret->timed_out += c->at[i].timed_out >= 0;
        ret->seen += c->at[i].seen;
    }
    collective_recorded(c, ret);
    if (!ret->recorded)
        collective_behind(c, ret);
    for (size_t i = 0; ret->seen && i < c->world && ret->silent_count < 8; i++)
        if (i >= c->count || !c->at[i].seen)
            ret->silent[ret->silent_count++] = (int)i;
    for (size_t i = 0; 2 * ret->timed_out > ret->seen && i < c->count; i++) {
        const struct collective_rank *r = &c->at[i];
        if (r->seen && !r->root && r->timed_out < 0 && r->enqueued < 0 && ret->quiet_count < 8)
            ret->quiet[ret->quiet_count++] = (int)i;
    }
}
