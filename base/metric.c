/* metric: the table of names, and the entity a series describes.
 *
 * Expected load: each new series once (stores keep the answer); the table has some hundred built-in
 * rows and at most METRIC_SITE_MAX of a site. Read-only once shared, so lookups need no lock. */
#include "base/metric.h"

#include "base/map.h"
#include "base/metric_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRIC_SITE_MAX 10000u

static const struct metric_meaning_row metric_meanings[METRIC_MEANING_COUNT] = {
    [METRIC_NONE] = {"", ENTITY_NONE, "", "unknown", "未知"},
#define X(id, word, entity, unit, en, zh) [METRIC_##id] = {word, ENTITY_##entity, unit, en, zh},
    METRIC_MEANINGS(X)
#undef X
};

struct metric_table {
    struct map *names;              /* name -> const struct metric_row * */
    struct arena *arena;            /* a site's rows and their texts */
    const struct metric_row **rows; /* in table order */
    size_t count, cap;
};

const struct metric_meaning_row *
metric_meaning_row(enum metric_meaning m)
{
    return &metric_meanings[(unsigned)m < METRIC_MEANING_COUNT ? m : METRIC_NONE];
}

enum metric_meaning
metric_meaning_find(const char *word)
{
    for (unsigned m = METRIC_NONE + 1; m < METRIC_MEANING_COUNT; m++)
        if (!strcmp(word, metric_meanings[m].word))
            return (enum metric_meaning)m;
    return METRIC_NONE;
}

/* Appends a row, or puts it in the place of the row of the same name. */
static int
metric_put(struct metric_table *t, const struct metric_row *row)
{
    size_t len = strlen(row->name);
    const struct metric_row *old = map_get(t->names, row->name, len);
    for (size_t i = 0; old && i < t->count; i++)
        if (t->rows[i] == old)
            t->rows[i] = row;
    if (!old && t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 512;
        const struct metric_row **p = realloc(t->rows, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        t->rows = p;
        t->cap = cap;
    }
    int rc = map_set(t->names, row->name, len, (void *)(uintptr_t)row, NULL);
    if (!rc && !old)
        t->rows[t->count++] = row;
    return rc;
}

struct metric_table *
metric_table_new(void)
{
    struct metric_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    size_t n;
    const struct metric_row *rows = metric_builtin_rows(&n);
    t->names = map_new(n + METRIC_SITE_MAX);
    t->arena = arena_new(METRIC_SITE_MAX * 2048);
    for (size_t i = 0; t->names && t->arena && i < n; i++)
        if (metric_put(t, &rows[i]))
            break;
    if (t->count != n) {
        metric_table_free(t);
        return NULL;
    }
    return t;
}

void
metric_table_free(struct metric_table *t)
{
    if (!t)
        return;
    map_free(t->names, NULL);
    arena_free(t->arena);
    free(t->rows);
    free(t);
}

static bool
metric_name_ok(const char *s)
{
    if (!*s || (*s >= '0' && *s <= '9'))
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
              *s == '_' || *s == ':'))
            return false;
    return true;
}

int
metric_table_add(struct metric_table *t, const struct metric_row *row, struct err *err)
{
    if (!row->name || !metric_name_ok(row->name))
        return err_set(err, ERR_SYNTAX, "'%.64s' is not a metric name", row->name ? row->name : "");
    if (row->meaning <= METRIC_NONE || row->meaning >= METRIC_MEANING_COUNT)
        return err_set(err, ERR_RANGE, "metric %.64s: there is no such meaning", row->name);
    if (!(row->scale != 0) || row->min > row->max)
        return err_set(err, ERR_RANGE, "metric %.64s: scale is 0, or min is above max", row->name);
    struct metric_row *copy = arena_alloc(t->arena, sizeof *copy);
    if (!copy)
        return err_set(err, ERR_LIMIT, "too many metrics are configured");
    *copy = *row;
    const char **texts[] = {&copy->name, &copy->part_labels, &copy->vendor, &copy->help};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *s = *texts[i] ? *texts[i] : "";
        if (!(*texts[i] = arena_str(t->arena, s, strlen(s))))
            return err_set(err, ERR_LIMIT, "too many metrics are configured");
    }
    int rc = metric_put(t, copy);
    return rc ? err_set(err, rc, "too many metrics are configured") : 0;
}

const struct metric_row *
metric_find(const struct metric_table *t, const char *name, size_t len)
{
    return map_get(t->names, name, len);
}

size_t
metric_rows(const struct metric_table *t)
{
    return t->count;
}

const struct metric_row *
metric_row_at(const struct metric_table *t, size_t i)
{
    return i < t->count ? t->rows[i] : NULL;
}

size_t
metric_names_of(const struct metric_table *t, enum metric_meaning m, const char **ret_names,
                size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i]->meaning != m)
            continue;
        if (n < size)
            ret_names[n] = t->rows[i]->name;
        n++;
    }
    return n;
}

/* The value of the first label of a space-separated list that is there. */
static const char *
metric_label(const struct labels *l, const char *names, char out[ENTITY_SIZE])
{
    char name[LABEL_NAME_MAX + 1];
    while (*names) {
        size_t n = strcspn(names, " ");
        if (n && n < sizeof name) {
            memcpy(name, names, n);
            name[n] = 0;
            const struct label *x = labels_find(l, name);
            /* A value cut short would name another thing: one that is too long names nothing. */
            if (x && x->value_len < ENTITY_SIZE)
                return labels_copy(l, name, out, ENTITY_SIZE);
        }
        names += n + (names[n] == ' ');
    }
    return NULL;
}

/* The equipment: node, Hostname, hostname, host, else instance without its port (":9100",
 * "[::1]:9100"). */
static const char *
metric_owner(const struct labels *l, char out[ENTITY_SIZE])
{
    if (metric_label(l, "node Hostname hostname host", out))
        return out;
    if (!metric_label(l, "instance", out))
        return NULL;
    char *colon = strrchr(out, ':');
    if (out[0] == '[') {
        char *close = strchr(out, ']');
        size_t n = close ? (size_t)(close - out) - 1 : strlen(out + 1);
        memmove(out, out + 1, n);
        out[n] = 0;
    } else if (colon && strchr(out, ':') == colon) {
        *colon = 0;
    }
    return *out ? out : NULL;
}

/* What a kind is named by, where its row says nothing else. */
static const char *
metric_part_labels(enum entity_kind k)
{
    switch (k) {
    case ENTITY_GPU:
        return "gpu id";
    case ENTITY_NIC:
        return "device port";
    case ENTITY_PORT:
        return "ifName ifDescr";
    case ENTITY_OPTIC:
        return "port ifName ifDescr device";
    case ENTITY_RANK:
        return "rank";
    case ENTITY_NVSWITCH:
        return "nvswitch";
    case ENTITY_RACK:
        return "rack";
    case ENTITY_PDU:
        return "pdu";
    case ENTITY_CDU:
        return "cdu";
    case ENTITY_JOB:
        return "job_id";
    case ENTITY_CLUSTER:
        return "cluster";
    default:
        return "";
    }
}

static int
metric_entity_of(enum entity_kind k, const char *part_labels, const struct labels *l,
                 char out[ENTITY_SIZE])
{
    char owner[ENTITY_SIZE], part[ENTITY_SIZE];
    const struct entity_kind_row *row = entity_kind_row(k);
    if (k == ENTITY_NODE || k == ENTITY_SWITCH)
        return metric_owner(l, owner) && !entity_format(out, k, owner, NULL) ? 0 : ERR_NOTFOUND;
    if (!metric_label(l, *part_labels ? part_labels : metric_part_labels(k), part))
        return ERR_NOTFOUND;
    if (!row->has_part)
        return entity_format(out, k, part, NULL) ? ERR_NOTFOUND : 0;
    const char *found =
        row->owner == ENTITY_JOB ? metric_label(l, "job_id", owner) : metric_owner(l, owner);
    return found && !entity_format(out, k, owner, part) ? 0 : ERR_NOTFOUND;
}

int
metric_entity(const struct metric_row *row, const struct labels *l, char out[ENTITY_SIZE])
{
    /* The most specific that labels alone can tell. `device` of an unknown series may be a disk, so
     * it is not read there; `job` is Prometheus' own label, not a training job. */
    static const enum entity_kind guesses[] = {ENTITY_GPU, ENTITY_PORT, ENTITY_RANK, ENTITY_NODE,
                                               ENTITY_JOB, ENTITY_RACK, ENTITY_PDU,  ENTITY_CDU};
    if (row)
        return metric_entity_of(metric_meaning_row(row->meaning)->entity, row->part_labels, l, out);
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        const char *labels = guesses[i] == ENTITY_GPU ? "gpu" : "";
        if (!metric_entity_of(guesses[i], labels, l, out))
            return 0;
    }
    return ERR_NOTFOUND;
}
