/* detect_rules: rules over one measure: a limit, a growth, a rate, a bit; and the small special
 * ones of accelerators, modules and hosts. Each walks one column; what is good and has no finding
 * costs a comparison. */
#include "analyzer/detect_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_DARK_DBM                                                                            \
    (-30.0)                /* below this there is no light at all: the far end does not send       \
                            */
#define DETECT_LOADED 50.0 /* utilisation from which a link shows its full width and speed */

/* --- limits ----------------------------------------------------------------------------------- */

static bool
detect_past(enum detect_op op, double v, double limit)
{
    return op == DETECT_ABOVE ? v > limit : op == DETECT_BELOW ? v < limit : v == limit;
}

void
detect_rule_limit(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        struct detect_verdict v = {.bad = detect_past(row->op, c->v[i], row->limit),
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = row->limit};
        detect_judge(d, row, i, &v);
    }
}

/* A module's measure against the limit that the module itself gives, where its port is enabled. */
void
detect_rule_optic(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    const struct detect_column *limits =
        row->limit_of ? detect_read_limits(d, row->limit_of) : NULL;
    bool dark_counts = row->meaning == METRIC_OPTIC_TX_POWER;
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        double own = limits ? detect_v(limits, i) : NAN, limit = isnan(own) ? row->limit : own;
        bool bad = !isnan(limit) && detect_past(row->op, c->v[i], limit);
        if (bad && row->meaning == METRIC_OPTIC_RX_POWER && c->v[i] <= DETECT_DARK_DBM)
            continue; /* no light at all: its link is down, which is another finding */
        if (bad && row->meaning == METRIC_OPTIC_BER && c->v[i] > 0.1)
            continue;
        if (bad && !detect_admin_up(d, d->kinds[row->kind].at[i].name))
            bad = false;
        if (bad && dark_counts && c->v[i] <= DETECT_DARK_DBM && !detect_cabled(d, ENTITY_OPTIC, i))
            bad = false;
        struct detect_verdict v = {
            .bad = bad, .t_ms = c->t_ms[i], .value = c->v[i], .limit = limit};
        detect_judge(d, row, i, &v);
    }
}

/* --- counters --------------------------------------------------------------------------------- */

/* Moves the window on and adds; returns what grew within it. */
static double
detect_window(struct detect_finding *f, const struct detect_row *row, int64_t t_ms, double more)
{
    int64_t part = row->window_ms / DETECT_BUCKETS;
    double sum = 0;
    if (!f->bucket_ms || t_ms - f->bucket_ms > row->window_ms * 2) {
        memset(f->grown, 0, sizeof f->grown);
        f->bucket_ms = t_ms;
    }
    while (t_ms - f->bucket_ms >= part) {
        f->bucket = (f->bucket + 1) % DETECT_BUCKETS;
        f->grown[f->bucket] = 0;
        f->bucket_ms += part;
    }
    f->grown[f->bucket] += more;
    for (size_t i = 0; i < DETECT_BUCKETS; i++)
        sum += f->grown[i];
    return sum;
}

/* Grew by more than the limit within the window, and still grows. */
void
detect_rule_growth(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[160], over[32];
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i])
            continue;
        struct detect_finding *f = detect_finding_of(d, row, i, c->grew[i] > 0);
        if (!f)
            continue;
        double sum = detect_window(f, row, c->t_ms[i], c->grew[i]);
        struct detect_verdict v = {.bad = sum > row->limit && c->grew[i] > 0,
                                   .t_ms = c->t_ms[i],
                                   .value = sum,
                                   .limit = row->limit,
                                   .text = text};
        duration_format(row->window_ms, over);
        snprintf(text, sizeof text, "%s: %.0f more in %s > %.0f%s%s", row->what, sum, over,
                 row->limit, row->note ? ", " : "", row->note ? row->note : "");
        detect_judge(d, row, i, &v);
    }
}

void
detect_rule_rate(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->rate[i]))
            continue;
        struct detect_verdict v = {.bad = c->rate[i] > row->limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->rate[i],
                                   .limit = row->limit};
        detect_judge(d, row, i, &v);
    }
}

/* --- accelerators ----------------------------------------------------------------------------- */

/* Any of the bits in `limit`. */
void
detect_rule_mask(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning),
                               *clock = detect_read(d, METRIC_GPU_CLOCK);
    char text[160];
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        uint64_t bits =
            c->v[i] >= 0 && c->v[i] < 1e18 ? (uint64_t)c->v[i] & (uint64_t)row->limit : 0;
        struct detect_verdict v = {.bad = bits != 0,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "clock event reasons 0x%llx (%s), SM clock %.0f MHz",
                 (unsigned long long)c->v[i], row->note,
                 isnan(detect_v(clock, i)) ? 0.0 : detect_v(clock, i));
        detect_judge(d, row, i, &v);
    }
}

/* A new XID (or a new error code of an Ascend driver) happens once: an instant event under its own
 * code. */
void
detect_rule_xid(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char code[48], text[96];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[ENTITY_GPU].at[i];
        double before = s->memory[0], now = c->v[i];
        if (!c->fresh[i] || isnan(now))
            continue;
        s->memory[0] = now;
        if (isnan(before) || now == before || now <= 0)
            continue;
        if (now > 100000)
            snprintf(code, sizeof code, "0x%llX", (unsigned long long)now);
        else
            snprintf(code, sizeof code, "nvidia.xid.%.0f", now);
        const struct kb_entry *e = kb_find_code(d->cfg->kb, code);
        snprintf(text, sizeof text, "%s %.0f -> %.0f",
                 c->source_count ? c->sources[0].row->name : "xid", before, now);
        detect_emit(d, row, s, EVENT_INSTANT, c->t_ms[i], e ? e->id : code, text);
    }
}

/* Narrower or slower than the best of the same node, under load. */
void
detect_rule_pcie(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *width = detect_read(d, METRIC_GPU_PCIE_WIDTH),
                               *gen = detect_read(d, METRIC_GPU_PCIE_GEN);
    const struct detect_column *util = detect_read(d, METRIC_GPU_UTIL);
    size_t nodes = d->kinds[ENTITY_NODE].count;
    double *best = calloc(nodes + 1, 2 * sizeof *best);
    char text[128];
    if (!best)
        return;
    for (uint32_t i = 0; i < width->count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_GPU].at[i];
        if (s->owner >= nodes || isnan(width->v[i]))
            continue;
        best[2 * s->owner] = fmax(best[2 * s->owner], width->v[i]);
        best[2 * s->owner + 1] =
            fmax(best[2 * s->owner + 1], isnan(detect_v(gen, i)) ? 0 : detect_v(gen, i));
    }
    for (uint32_t i = 0; i < width->count; i++) {
        const struct detect_subject *s = &d->kinds[ENTITY_GPU].at[i];
        if (!width->fresh[i] || s->owner >= nodes)
            continue;
        double w = width->v[i], g = detect_v(gen, i), *b = &best[2 * s->owner];
        bool loaded =
            detect_v(util, i) > DETECT_LOADED; /* idle links may rest at a lower generation */
        struct detect_verdict v = {.bad = w < b[0] || (g < b[1] && loaded),
                                   .t_ms = width->t_ms[i],
                                   .value = w,
                                   .limit = b[0],
                                   .text = text};
        snprintf(text, sizeof text, "PCIe Gen%.0f x%.0f < Gen%.0f x%.0f (peers in the same node)",
                 g, w, b[1], b[0]);
        detect_judge(d, row, i, &v);
    }
    free(best);
}

/* --- hosts ------------------------------------------------------------------------------------ */

struct detect_disk {
    double size, least;
    char mount[96];
};

static bool
detect_disk_counts(const struct labels *l)
{
    static const char *const not [] = {"tmpfs",    "overlay", "squashfs", "iso9660",
                                       "devtmpfs", "ramfs",   "erofs"};
    char type[32] = "";
    labels_copy(l, "fstype", type, sizeof type);
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (!strcmp(type, not [i]))
            return false;
    return strncmp(type, "fuse", 4) != 0;
}

static size_t
detect_disk_key(const struct labels *l, const char *node, char *out, size_t size)
{
    char mount[256] = "", device[256] = "";
    labels_copy(l, "mountpoint", mount, sizeof mount);
    labels_copy(l, "device", device, sizeof device);
    int n = snprintf(out, size, "%s\n%s\n%s", node, mount, device);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* Space left of each local file system; the fullest of a node decides. */
static void
detect_disk_node(struct detectors *d, const struct series_row *r, struct map *sizes, double *share,
                 int64_t *t_ms, char (*mounts)[64], size_t nodes)
{
    char entity[ENTITY_SIZE], key[800], mount[64] = "";
    if (!r->count || !detect_disk_counts(r->labels) ||
        topo_resolve(d->topo, NULL, r->labels, entity))
        return;
    uint32_t s = detect_subject_find(d, entity);
    double *size = map_get(sizes, key, detect_disk_key(r->labels, entity, key, sizeof key));
    if (!size || !(*size > 0) || s >= nodes || entity_kind_of(entity) != ENTITY_NODE)
        return;
    double left = r->samples[r->count - 1].v / *size;
    t_ms[s] = r->samples[r->count - 1].t_ms;
    labels_copy(r->labels, "mountpoint", mount, sizeof mount);
    if (isnan(share[s]) || left < share[s]) {
        share[s] = left;
        memcpy(mounts[s], mount, sizeof mount);
    }
}

static int
detect_disk_sizes(struct detectors *d, const struct series_set *set, struct map *sizes,
                  double *values)
{
    char entity[ENTITY_SIZE], key[800];
    int rc = 0;
    for (size_t i = 0; !rc && i < set->count; i++) {
        const struct series_row *r = &set->rows[i];
        if (!r->count || topo_resolve(d->topo, NULL, r->labels, entity))
            continue;
        values[i] = r->samples[r->count - 1].v;
        rc = map_set(sizes, key, detect_disk_key(r->labels, entity, key, sizeof key), &values[i],
                     NULL);
    }
    return rc;
}

static void
detect_disk_judge(struct detectors *d, const struct detect_row *row, const double *share,
                  const int64_t *t_ms, char (*mounts)[64], size_t nodes)
{
    char text[160];
    for (uint32_t i = 0; i < nodes; i++) {
        if (isnan(share[i]))
            continue;
        struct detect_verdict v = {.bad = share[i] < row->limit,
                                   .t_ms = t_ms[i],
                                   .value = share[i],
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "%s has %.2f %% left < %.0f %%", mounts[i], share[i] * 100,
                 row->limit * 100);
        detect_judge(d, row, i, &v);
    }
}

void
detect_rule_disk(struct detectors *d, const struct detect_row *row)
{
    struct matcher size = {MATCH_EQ, "__name__", "node_filesystem_size_bytes"};
    struct matcher avail = {MATCH_EQ, "__name__", "node_filesystem_avail_bytes"};
    struct series_set a = {0}, b = {0};
    struct err err;
    size_t nodes = d->kinds[ENTITY_NODE].count;
    struct map *sizes = map_new(1000000);
    double *share = malloc((nodes + 1) * sizeof *share), *values = NULL;
    int64_t *t_ms = calloc(nodes + 1, sizeof *t_ms);
    char(*mounts)[64] = calloc(nodes + 1, sizeof *mounts);
    if (!sizes || !share || !t_ms || !mounts ||
        store_latest(d->cfg->store, &size, 1, d->now_ms, DETECT_LOOKBACK_MS, NULL, &a, &err) ||
        store_latest(d->cfg->store, &avail, 1, d->now_ms, DETECT_LOOKBACK_MS, NULL, &b, &err))
        goto out;
    for (size_t i = 0; i < nodes; i++)
        share[i] = NAN;
    values = calloc(a.count + 1, sizeof *values);
    if (!values || detect_disk_sizes(d, &a, sizes, values))
        goto out;
    for (size_t i = 0; i < b.count; i++)
        detect_disk_node(d, &b.rows[i], sizes, share, t_ms, mounts, nodes);
    detect_disk_judge(d, row, share, t_ms, mounts, nodes);
out:
    series_set_done(&a);
    series_set_done(&b);
    map_free(sizes, NULL);
    free(share);
    free(values);
    free(t_ms);
    free(mounts);
}

void
detect_rule_clock(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning),
                               *sync = detect_read(d, METRIC_NODE_TIME_SYNC);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        struct detect_verdict v = {.bad = fabs(c->v[i]) > row->limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = row->limit,
                                   .text = text};
        snprintf(text, sizeof text, "clock offset %+.3f s, limit %.1f s%s", c->v[i], row->limit,
                 detect_v(sync, i) == 0 ? ", not synchronised" : "");
        detect_judge(d, row, i, &v);
    }
}

static int
detect_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Far above the median of all nodes: a job loads all of its nodes alike, a stray process one. */
void
detect_rule_load(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    double *sorted = malloc((c->count + 1) * sizeof *sorted);
    size_t n = 0;
    char text[128];
    for (uint32_t i = 0; sorted && i < c->count; i++)
        if (!isnan(c->v[i]))
            sorted[n++] = c->v[i];
    if (n < 4) {
        free(sorted);
        return;
    }
    qsort(sorted, n, sizeof *sorted, detect_by_value);
    double median = sorted[n / 2], limit = fmax(median * 4, median + row->limit);
    free(sorted);
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        struct detect_verdict v = {.bad = c->v[i] > limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = limit,
                                   .text = text};
        snprintf(text, sizeof text, "load %.0f > %.0f (median of all nodes %.0f)", c->v[i], limit,
                 median);
        detect_judge(d, row, i, &v);
    }
}

/* Below `limit` of its own slow average: coolant flow. */
void
detect_rule_fallen(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[128];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_subject *s = &d->kinds[row->kind].at[i];
        if (!c->fresh[i] || isnan(c->v[i]))
            continue;
        if (isnan(s->memory[0]))
            s->memory[0] = c->v[i];
        double usual = s->memory[0], limit = usual * row->limit;
        bool bad = usual > 0 && c->v[i] < limit;
        if (!bad)
            s->memory[0] += (c->v[i] - usual) * 0.02;
        struct detect_verdict v = {
            .bad = bad, .t_ms = c->t_ms[i], .value = c->v[i], .limit = limit, .text = text};
        snprintf(text, sizeof text, "%s %.0f %s < %.0f %s (usual %.0f)", row->what, c->v[i],
                 row->unit, limit, row->unit, usual);
        detect_judge(d, row, i, &v);
    }
}
