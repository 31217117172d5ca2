/* snmp_walk: each question asks on from the last name of every column that is not at its end. */
#include "collector/snmp_walk.h"

#include <string.h>

static int snmp_walk_ask(struct snmp_walk *w);

/* One value of an answer: which column it belongs to is told by its place, row after row. */
static int
snmp_walk_take(struct snmp_walk *w, size_t c, const struct snmpc_value *v)
{
    const struct snmpc_oid *column = &w->columns[c];
    if (w->over[c])
        return 0;
    if (v->kind == SNMPC_NONE || !snmpc_oid_prefix(&v->oid, column) || v->oid.len == column->len) {
        w->over[c] = true;
        return 0;
    }
    if (snmpc_oid_compare(&v->oid, &w->at[c]) <= 0)
        return ERR_LIMIT; /* it would never end */
    w->at[c] = v->oid;
    w->cell(w->ctx, c, v->oid.at + column->len, v->oid.len - column->len, v);
    return 0;
}

static void
snmp_walk_answered(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_walk *w = ctx;
    bool more = false;
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
    struct snmpc_oid oids[SNMP_WALK_COLUMNS];
    w->asked_count = 0;
    for (size_t c = 0; c < w->count; c++)
        if (!w->over[c]) {
            w->asked[w->asked_count] = c;
            oids[w->asked_count++] = w->at[c];
        }
    w->asks++;
    return snmpc_ask(w->s, oids, w->asked_count, w->repetitions, snmp_walk_answered, w);
}

int
snmp_walk_start(struct snmp_walk *w, struct snmpc *s, const char *const *columns, size_t n,
                unsigned repetitions)
{
    w->s = s;
    w->count = n;
    w->asks = 0;
    w->repetitions = repetitions;
    for (size_t c = 0; c < n; c++) {
        if (!snmpc_oid_parse(columns[c], &w->columns[c]))
            return ERR_SYNTAX;
        w->at[c] = w->columns[c];
        w->over[c] = false;
    }
    return snmp_walk_ask(w);
}
