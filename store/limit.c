/* limit: one counter a source, two bytes a series for its owner, and for sources past half of
 * their limit a sketch a label.
 *
 * A sketch is a HyperLogLog of 256 registers (Flajolet and others, 2007): 6.5 % off, which is
 * plenty to tell the label with a value a request from the one with eight values. Always true:
 * owners and sketches are the writer's thread's alone; counters and texts that others read are
 * under the lock; at most LIMIT_SOURCES sources and LIMIT_TRACKED of them with sketches. */
#include "store/limit.h"

#include "base/jsonw.h"
#include "base/map.h"
#include "base/str.h"
#include "store/record.h"
#include "store/series.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_SOURCES   60000 /* fits the two bytes; a fleet has an agent a node */
#define LIMIT_TRACKED   64    /* sources with sketches: 64 x 24 x 256 bytes are 400 kB */
#define LIMIT_LABELS    24
#define LIMIT_REGISTERS 256
#define LIMIT_TOP       20                /* sources shown in the metrics */
#define LIMIT_SAY_MS    ((int64_t)300000) /* between two events of one source */
#define LIMIT_EXAMPLE   64

struct limit_label {
    char name[64], example[LIMIT_EXAMPLE];
    uint8_t at[LIMIT_REGISTERS];
};

struct limit_sketch {
    char metric[128]; /* of the series refused last */
    unsigned count;
    struct limit_label labels[LIMIT_LABELS];
};

struct limit_source {
    char name[160];
    uint64_t max, refused;
    atomic_uint_fast64_t live;
    uint64_t said; /* refusals told in an event */
    int64_t said_ms;
    struct limit_sketch *sketch; /* NULL: far from its limit */
    char label[64];              /* the one with the most values when it was last told */
    uint32_t number;
};

struct limits {
    uint64_t max_source, max_agent;
    struct limit_rule {
        char pattern[160];
        uint64_t max;
    } * rules;
    size_t rule_count;
    pthread_mutex_t lock; /* sources, their counters */
    struct map *by_name;
    struct limit_source **at; /* number - 1 */
    uint32_t count, cap;
    unsigned tracked;
    uint16_t *owners; /* by id: number of the source, 0: nobody */
    uint64_t owner_cap;
    uint64_t refused;
    char text[512], fields[1024], entity[192];
};

struct limits *
limit_new(const struct store_config *cfg)
{
    struct limits *l = calloc(1, sizeof *l);
    size_t n = cfg->source_limit_count;
    if (!l || !(l->by_name = map_new(LIMIT_SOURCES)) ||
        !(l->rules = calloc(n + 1, sizeof *l->rules))) {
        if (l)
            map_free(l->by_name, NULL);
        free(l);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        str_copy(l->rules[i].pattern, sizeof l->rules[i].pattern, cfg->source_limits[i].pattern);
        l->rules[i].max = (uint64_t)cfg->source_limits[i].max_series;
    }
    l->rule_count = n;
    l->max_source = cfg->max_series_source;
    l->max_agent = cfg->max_series_agent;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void
limit_free(struct limits *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        free(l->at[i]->sketch);
        free(l->at[i]);
    }
    map_free(l->by_name, NULL);
    pthread_mutex_destroy(&l->lock);
    free(l->at);
    free(l->rules);
    free(l->owners);
    free(l);
}

static uint64_t
limit_max(const struct limits *l, const char *name)
{
    for (size_t i = 0; i < l->rule_count; i++)
        if (str_glob(l->rules[i].pattern, name))
            return l->rules[i].max;
    return str_prefix(name, "agent:") ? l->max_agent : l->max_source;
}

static struct limit_source *
limit_add(struct limits *l, const char *name)
{
    if (l->count == LIMIT_SOURCES)
        return NULL;
    if (l->count == l->cap) {
        uint32_t n = l->cap ? l->cap * 2 : 64;
        struct limit_source **p = realloc(l->at, n * sizeof *p);
        if (!p)
            return NULL;
        l->at = p;
        l->cap = n;
    }
    struct limit_source *src = calloc(1, sizeof *src);
    if (!src || map_set(l->by_name, name, strlen(name), src, NULL)) {
        free(src);
        return NULL;
    }
    str_copy(src->name, sizeof src->name, name);
    src->max = limit_max(l, name);
    l->at[l->count] = src;
    src->number = ++l->count;
    return src;
}

struct limit_source *
limit_source(struct limits *l, const char *name)
{
    if (!name || !*name)
        return NULL;
    pthread_mutex_lock(&l->lock);
    struct limit_source *src = map_get(l->by_name, name, strlen(name));
    if (!src)
        src = limit_add(l, name);
    pthread_mutex_unlock(&l->lock);
    return src;
}

static bool
limit_room(struct limits *l, uint64_t id)
{
    if (id < l->owner_cap)
        return true;
    uint64_t n = l->owner_cap ? l->owner_cap * 2 : 4096;
    while (n <= id)
        n *= 2;
    uint16_t *p = realloc(l->owners, n * sizeof *p);
    if (!p)
        return false;
    memset(p + l->owner_cap, 0, (n - l->owner_cap) * sizeof *p);
    l->owners = p;
    l->owner_cap = n;
    return true;
}

void
limit_seen(struct limits *l, struct limit_source *src, uint64_t id)
{
    if (!src || !limit_room(l, id) || l->owners[id])
        return;
    l->owners[id] = (uint16_t)src->number;
    src->live++;
}

void
limit_forget(struct limits *l, uint64_t id)
{
    if (id >= l->owner_cap || !l->owners[id])
        return;
    l->at[l->owners[id] - 1]->live--;
    l->owners[id] = 0;
}

void
limit_sweep(struct limits *l, const struct index *ix, uint64_t from, uint64_t to, int64_t before_ms)
{
    for (uint64_t id = from; id < to && id < l->owner_cap; id++)
        if (l->owners[id] && series_at(ix, id)->last_t < before_ms)
            limit_forget(l, id);
}

/* --- sketches --------------------------------------------------------------------------------- */

static void
limit_label_add(struct limit_sketch *k, const struct label *x)
{
    unsigned i = 0;
    size_t n = x->name_len < sizeof k->labels[0].name ? x->name_len : sizeof k->labels[0].name - 1;
    while (i < k->count && (strncmp(k->labels[i].name, x->name, n) != 0 || k->labels[i].name[n]))
        i++;
    if (i == LIMIT_LABELS)
        return;
    struct limit_label *lab = &k->labels[i];
    if (i == k->count) {
        *lab = (struct limit_label){0};
        memcpy(lab->name, x->name, n);
        k->count++;
    }
    uint64_t h = map_hash(x->value, x->value_len);
    uint8_t rank = (uint8_t)(__builtin_clzll(h << 8 | 0x80) + 1);
    uint8_t *reg = &lab->at[h >> 56];
    if (rank > *reg)
        *reg = rank;
    n = x->value_len < LIMIT_EXAMPLE ? x->value_len : LIMIT_EXAMPLE - 1;
    memcpy(lab->example, x->value, n);
    lab->example[n] = 0;
}

static double
limit_estimate(const struct limit_label *lab)
{
    double sum = 0, m = LIMIT_REGISTERS;
    int zero = 0;
    for (int i = 0; i < LIMIT_REGISTERS; i++) {
        sum += ldexp(1, -lab->at[i]);
        zero += !lab->at[i];
    }
    double e = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return e <= 2.5 * m && zero ? m * log(m / zero) : e; /* linear counting while it is small */
}

static void
limit_track(struct limits *l, struct limit_source *src, const void *labels, size_t len)
{
    struct labels set;
    if (!src->sketch &&
        (l->tracked == LIMIT_TRACKED || !(src->sketch = calloc(1, sizeof *src->sketch))))
        return;
    if (record_take_labels(labels, len, &set))
        return;
    l->tracked += !src->sketch->count;
    for (size_t i = 0; i < set.count; i++)
        if (set.at[i].name_len == 8 && !memcmp(set.at[i].name, "__name__", 8))
            labels_copy(&set, "__name__", src->sketch->metric, sizeof src->sketch->metric);
        else
            limit_label_add(src->sketch, &set.at[i]);
}

static const struct limit_label *
limit_worst(const struct limit_sketch *k, double *ret_values)
{
    const struct limit_label *worst = NULL;
    for (unsigned i = 0; k && i < k->count; i++) {
        double v = limit_estimate(&k->labels[i]);
        if (!worst || v > *ret_values) {
            worst = &k->labels[i];
            *ret_values = v;
        }
    }
    return worst;
}

/* --- judging ---------------------------------------------------------------------------------- */

bool
limit_allows(struct limits *l, struct limit_source *src, const void *labels, size_t len)
{
    if (!src || !src->max)
        return true;
    if (src->live >= src->max / 2)
        limit_track(l, src, labels, len);
    if (src->live < src->max)
        return true;
    pthread_mutex_lock(&l->lock);
    src->refused++;
    l->refused++;
    pthread_mutex_unlock(&l->lock);
    return false;
}

static void
limit_event_fields(struct limits *l, const struct limit_source *src,
                   const struct limit_label *worst, double values)
{
    struct buf b;
    struct jsonw w;
    buf_init(&b, sizeof l->fields);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "source", src->name);
    jsonw_kint(&w, "limit", (int64_t)src->max);
    jsonw_kint(&w, "refused", (int64_t)(src->refused - src->said));
    jsonw_kstr(&w, "label", worst ? worst->name : NULL);
    jsonw_kint(&w, "values", (int64_t)values);
    jsonw_kstr(&w, "example", worst ? worst->example : NULL);
    jsonw_kstr(&w, "metric", src->sketch ? src->sketch->metric : NULL);
    jsonw_end_object(&w);
    str_copy(l->fields, sizeof l->fields, b.failed ? "" : buf_str(&b));
    buf_done(&b);
}

bool
limit_event(struct limits *l, struct limit_source *src, int64_t now_ms, struct event *ret)
{
    double values = 0;
    if (!src || src->refused == src->said || (src->said && now_ms < src->said_ms + LIMIT_SAY_MS))
        return false;
    const struct limit_label *worst = limit_worst(src->sketch, &values);
    bool agent = str_prefix(src->name, "agent:");
    snprintf(l->entity, sizeof l->entity, "%s%s",
             agent ? "node:" : "cluster:", agent ? src->name + 6 : "-");
    snprintf(l->text, sizeof l->text,
             "%s has %llu live series, its limit; %llu new ones refused. Label %s has about %.0f "
             "values, such as \"%s\" in %s",
             src->name, (unsigned long long)src->live,
             (unsigned long long)(src->refused - src->said), worst ? worst->name : "-", values,
             worst ? worst->example : "", src->sketch ? src->sketch->metric : "-");
    limit_event_fields(l, src, worst, values);
    pthread_mutex_lock(&l->lock);
    src->said = src->refused;
    src->said_ms = now_ms;
    str_copy(src->label, sizeof src->label, worst ? worst->name : "");
    pthread_mutex_unlock(&l->lock);
    *ret = (struct event){.time_ms = now_ms,
                          .severity = SEVERITY_WARNING,
                          .entity = l->entity,
                          .code = agent ? "telemetry.cardinality" : "telemetry.cardinality-source",
                          .source = "store",
                          .text = l->text,
                          .node = agent ? l->entity + 5 : "",
                          .fields = l->fields};
    return true;
}

/* --- metrics ---------------------------------------------------------------------------------- */

struct limit_shown {
    const struct limit_source *src;
    uint64_t live;
};

static int
limit_compare(const void *a, const void *b)
{
    const struct limit_shown *x = a, *y = b;
    return x->live < y->live ? 1 : x->live > y->live ? -1 : 0;
}

static void
limit_metrics_text(struct buf *out, const char *s) /* a label's value */
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_puts(out, "\\");
        buf_append(out, *s == '\n' ? " " : s, 1);
    }
}

void
limit_metrics(struct limits *l, struct buf *out)
{
    pthread_mutex_lock(&l->lock);
    struct limit_shown *at = malloc((l->count + 1) * sizeof *at);
    for (uint32_t i = 0; at && i < l->count; i++)
        at[i] = (struct limit_shown){l->at[i], l->at[i]->live};
    if (at)
        qsort(at, l->count, sizeof *at, limit_compare);
    buf_puts(out, "# HELP myriascope_store_source_series Live series of the largest sources.\n"
                  "# TYPE myriascope_store_source_series gauge\n");
    for (uint32_t i = 0; at && i < l->count && i < LIMIT_TOP; i++) {
        buf_puts(out, "myriascope_store_source_series{source=\"");
        limit_metrics_text(out, at[i].src->name);
        buf_printf(out, "\"} %llu\n", (unsigned long long)at[i].live);
    }
    buf_puts(out, "# HELP myriascope_store_source_refused_total New series refused by the limit of "
                  "their source, and the label that has the most values.\n"
                  "# TYPE myriascope_store_source_refused_total counter\n");
    for (uint32_t i = 0; at && i < l->count; i++) {
        if (!at[i].src->refused)
            continue;
        buf_puts(out, "myriascope_store_source_refused_total{source=\"");
        limit_metrics_text(out, at[i].src->name);
        buf_puts(out, "\",label=\"");
        limit_metrics_text(out, at[i].src->label);
        buf_printf(out, "\"} %llu\n", (unsigned long long)at[i].src->refused);
    }
    pthread_mutex_unlock(&l->lock);
    free(at);
}
