/* snmp_walk: each question asks on from the last name of every column that is not at its end. */
#include "collector/snmp_walk.h"

#include <string.h>

static int snmp_walk_ask(struct snmp_walk *w);

/* One value of an answer: which column it belongs to is told by its place, row after row. */
static int
snmp_walk_take(struct snmp_walk *w, size_t c, const struct snmpc_value *v)
{
    size_t len = w->len[c];
    if (w->over[c])
        return 0;
    if (v->kind == SNMPC_NONE || v->oid.len <= len ||
        memcmp(v->oid.at, w->at[c].at, len * sizeof *v->oid.at)) {
        w->over[c] = true;
        return 0;
    }
    if (snmpc_oid_compare(&v->oid, &w->at[c]) <= 0)
        return ERR_LIMIT; /* it would never end */
    snmpc_oid_copy(&w->at[c], &v->oid);
    w->cell(w->ctx, c, v->oid.at + len, v->oid.len - len, v);
    return 0;
}

/* --- how much at once ---------------------------------------------------------------------------
 */

#define SNMP_WALK_VALUES_FIRST 60u  /* fit an Ethernet frame when they are counters */
#define SNMP_WALK_VALUES_MOST  120u /* two frames; few agents answer with more */
#define SNMP_WALK_GROW_AFTER   32u

static unsigned
snmp_walk_repetitions(const struct snmp_walk *w)
{
    unsigned n = (unsigned)w->asked_count;
    return w->pace->values > n ? w->pace->values / n : 1;
}

/* True when it is worth asking again for fewer rows, or fewer columns of one row. */
static bool
snmp_walk_shrink(struct snmp_walk *w)
{
    struct snmp_pace *p = w->pace;
    unsigned n = (unsigned)w->asked_count;
    if (w->repetitions < 2 && n < 2)
        return false;
    p->values = w->repetitions < 2 ? n / 2 : n * (w->repetitions / 2);
    p->good = 0;
    p->halved++;
    return true;
}

static void
snmp_walk_grow(struct snmp_walk *w, size_t n)
{
    struct snmp_pace *p = w->pace;
    if (n < w->asked_count * w->repetitions) {
        p->good = 0; /* the agent cut its answer: asking for more brings nothing */
    } else if (++p->good >= SNMP_WALK_GROW_AFTER && p->values < SNMP_WALK_VALUES_MOST) {
        p->values += p->values / 2 + 1;
        p->good = 0;
    }
    if (p->values > SNMP_WALK_VALUES_MOST)
        p->values = SNMP_WALK_VALUES_MOST;
}

static void
snmp_walk_answered(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_walk *w = ctx;
    bool more = false;
    if ((rc == ERR_FULL || rc == ERR_TIMEOUT) && w->asks < SNMP_WALK_ASKS && snmp_walk_shrink(w)) {
        if ((rc = snmp_walk_ask(w)))
            w->done(w->ctx, rc);
        return;
    }
    if (!rc)
        snmp_walk_grow(w, n);
    for (size_t i = 0; !rc && i < n; i++)
        rc = snmp_walk_take(w, w->asked[i % w->asked_count], &values[i]);
    for (size_t c = 0; c < w->count; c++)
        more |= !w->over[c];
    if (!rc && !n)
        rc = ERR_CORRUPT;
    if (!rc && more && w->asks >= SNMP_WALK_ASKS)
        rc = ERR_LIMIT;
    if (!rc && more && !(rc = snmp_walk_ask(w)))
        return;
    w->done(w->ctx, rc);
}

static int
snmp_walk_ask(struct snmp_walk *w)
{
    const struct snmpc_oid *oids[SNMP_WALK_COLUMNS];
    w->asked_count = 0;
    for (size_t c = 0; c < w->count && w->asked_count < w->pace->values; c++)
        if (!w->over[c]) {
            w->asked[w->asked_count] = c;
            oids[w->asked_count++] = &w->at[c];
        }
    w->asks++;
    w->repetitions = snmp_walk_repetitions(w);
    return snmpc_ask(w->s, oids, w->asked_count, w->repetitions, snmp_walk_answered, w);
}

int
snmp_walk_start(struct snmp_walk *w, struct snmpc *s, struct snmp_pace *pace,
                const char *const *columns, size_t n)
{
    w->s = s;
    w->pace = pace;
    w->count = n;
    w->asks = 0;
    if (!pace->values)
        pace->values = SNMP_WALK_VALUES_FIRST;
    for (size_t c = 0; c < n; c++) {
        if (!snmpc_oid_parse(columns[c], &w->at[c]))
            return ERR_SYNTAX;
        w->len[c] = (uint8_t)w->at[c].len;
        w->over[c] = false;
    }
    return snmp_walk_ask(w);
}
