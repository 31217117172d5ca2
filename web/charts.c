/* charts: finds the series of a device's host by the labels ecosystems use, keeps those that
 * describe the device or a part of it, and writes an expression for each metric. A host has some
 * hundred series; the index finds them by one label. */
#include "web/charts.h"

#include "base/str.h"
#include "web/measures.h"

#include <stdio.h>
#include <string.h>

#define CHARTS_MAX         80
#define CHARTS_LOOKBACK_MS 900000
#define CHARTS_LINES       16 /* more lines than this are cut to the ten highest */

struct chart {
    const struct metric_row *row;
    char label[64], host[160]; /* label="host" selects the device's host */
    char part[64], value[256]; /* part="value" the part; part "" none */
    char legend[64];
    size_t lines;
};

struct charts {
    const struct web *web;
    struct view *v;
    const char *entity;
    topo_id id;
    enum entity_kind kind;
    struct chart at[CHARTS_MAX];
    size_t count;
};

/* Whether a series of `of` is drawn on the page of the device: the device itself, or what a host or
 * port consists of. */
static bool
charts_shows(const struct charts *c, const char *of, bool *ret_itself)
{
    const struct topo *t = c->v->topo;
    *ret_itself = !strcmp(of, c->entity);
    if (*ret_itself)
        return true;
    topo_id id = topo_find(t, of);
    if (id == TOPO_NONE || c->id == TOPO_NONE)
        return false;
    enum entity_kind k = topo_kind(t, id);
    if (c->kind == ENTITY_NODE)
        return (k == ENTITY_GPU || k == ENTITY_NIC) && view_owner(t, id) == c->id;
    if (c->kind == ENTITY_SWITCH)
        return k == ENTITY_PORT && view_owner(t, id) == c->id;
    bool pair = (c->kind == ENTITY_PORT || c->kind == ENTITY_NIC)
                    ? k == ENTITY_OPTIC
                    : c->kind == ENTITY_OPTIC && (k == ENTITY_PORT || k == ENTITY_NIC);
    if (pair && !strcmp(view_plain(t, id), view_plain(t, c->id))) {
        *ret_itself = true;
        return true;
    }
    return false;
}

static bool
charts_drawn(enum metric_meaning m)
{
    const char *word = metric_meaning_row(m)->word;
    return m != METRIC_NONE && m != METRIC_NODE_BOOT_TIME && !str_suffix(word, "-alarm") &&
           !str_suffix(word, "-warning");
}

/* The first of the row's part labels that the series has. */
static bool
charts_part(const struct metric_row *row, const struct labels *l, char name[64], char *value,
            size_t size)
{
    const char *p = row->part_labels, *field;
    size_t len;
    while ((field = str_field(&p, " ", &len))) {
        if (len >= 64)
            continue;
        memcpy(name, field, len);
        name[len] = 0;
        if (labels_copy(l, name, value, size))
            return true;
    }
    *name = 0;
    return false;
}

static const char *
charts_legend(const struct labels *l)
{
    static const char *const names[] = {"lane",   "priority",   "mountpoint", "sensor", "chip",
                                        "device", "controller", "mode",       NULL};
    for (size_t i = 0; names[i]; i++)
        if (labels_find(l, names[i]))
            return names[i];
    return "";
}

static struct chart *
charts_find(struct charts *c, const struct metric_row *row, const char *label)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].row == row)
            return strcmp(c->at[i].label, label) ? NULL : &c->at[i];
    if (c->count == CHARTS_MAX)
        return NULL;
    c->at[c->count] = (struct chart){.row = row};
    return &c->at[c->count++];
}

static void
charts_series(struct charts *c, const struct series_row *r, const char *label)
{
    char name[LABEL_NAME_MAX + 1], of[ENTITY_SIZE], part[64], value[256];
    bool itself;
    const struct metric_row *row = labels_copy(r->labels, "__name__", name, sizeof name)
                                       ? metric_find(c->web->cfg.metrics, name, strlen(name))
                                       : NULL;
    if (!row || !charts_drawn(row->meaning) || topo_resolve(c->v->topo, row, r->labels, of) ||
        !charts_shows(c, of, &itself))
        return;
    struct chart *ch = charts_find(c, row, label);
    if (!ch)
        return;
    bool has = charts_part(row, r->labels, part, value, sizeof value);
    if (!ch->lines++) {
        str_copy(ch->label, sizeof ch->label, label);
        labels_copy(r->labels, label, ch->host, sizeof ch->host);
        str_copy(ch->legend, sizeof ch->legend, has && !itself ? part : charts_legend(r->labels));
        if (has && itself) {
            str_copy(ch->part, sizeof ch->part, part);
            str_copy(ch->value, sizeof ch->value, value);
            if (!strcmp(ch->legend, part))
                ch->legend[0] = 0;
        }
    }
}

static void
charts_by_label(struct charts *c, const char *label, const char *host)
{
    char pattern[256];
    bool port = !strcmp(label, "instance");
    size_t n = 0;
    for (const char *p = host; *p && n + 24 < sizeof pattern; p++) {
        if (port && strchr(".+*?()[]{}|^$\\", *p))
            pattern[n++] = '\\';
        pattern[n++] = *p;
    }
    str_copy(pattern + n, sizeof pattern - n, port ? "(:[0-9]+)?" : "");
    struct matcher m = {port ? MATCH_RE : MATCH_EQ, label, pattern};
    struct select_limits lim = {.max_series = 50000};
    struct series_set set;
    if (store_latest(c->web->cfg.store, &m, 1, c->v->at_ms, CHARTS_LOOKBACK_MS, &lim, &set, NULL))
        return;
    for (size_t i = 0; i < set.count; i++)
        charts_series(c, &set.rows[i], label);
    series_set_done(&set);
}

/* --- expressions ------------------------------------------------------------------------------ */

static void
charts_quoted(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_putc(out, '"');
}

static void
charts_select(const struct chart *ch, struct buf *out, const char *more)
{
    bool counter = ch->row->kind == METRIC_COUNTER;
    buf_puts(out, counter ? "rate(" : "");
    buf_printf(out, "%s{", ch->row->name);
    charts_quoted(out, ch->label, ch->host);
    if (*ch->part) {
        buf_putc(out, ',');
        charts_quoted(out, ch->part, ch->value);
    }
    buf_puts(out, more);
    buf_puts(out, counter ? "}[5m])" : "}");
}

/* Of processors the share that works: of all modes, however many processors a series speaks for. */
static void
charts_expr(const struct chart *ch, struct buf *out, double scale)
{
    bool cpu = ch->row->meaning == METRIC_NODE_CPU, top = ch->lines > CHARTS_LINES && !cpu;
    buf_puts(out, cpu ? "1 - sum(" : top ? "topk(10, " : "");
    charts_select(ch, out, cpu ? ",mode=\"idle\"" : "");
    if (cpu) {
        buf_puts(out, ") / sum(");
        charts_select(ch, out, "");
    }
    if (scale < 1 || scale > 1)
        buf_printf(out, " * %.9g", scale);
    buf_puts(out, cpu || top ? ")" : "");
}

/* Titles of metrics that share a meaning with others; those that are not here say their own name.
 */
static const struct {
    const char *metric, *en, *zh;
} charts_titles[] = {
    {"node_pressure_cpu_waiting_seconds_total", "Tasks waiting for a CPU", "等待 CPU 的时间占比"},
    {"node_pressure_io_waiting_seconds_total", "Some tasks waiting for I/O",
     "部分任务等待 I/O 的时间占比"},
    {"node_pressure_io_stalled_seconds_total", "All tasks waiting for I/O",
     "全部任务等待 I/O 的时间占比"},
    {"node_pressure_memory_waiting_seconds_total", "Some tasks waiting for memory",
     "部分任务等待内存的时间占比"},
    {"node_pressure_memory_stalled_seconds_total", "All tasks waiting for memory",
     "全部任务等待内存的时间占比"},
};

static void
charts_title(const struct metric_row *row, const struct metric_meaning_row *m, bool again,
             char en[256], char zh[256])
{
    for (size_t i = 0; i < sizeof charts_titles / sizeof *charts_titles; i++)
        if (!strcmp(charts_titles[i].metric, row->name)) {
            str_copy(en, 256, charts_titles[i].en);
            str_copy(zh, 256, charts_titles[i].zh);
            return;
        }
    snprintf(en, 256, "%s%s%s%s", m->en, again ? " (" : "", again ? row->name : "",
             again ? ")" : "");
    snprintf(zh, 256, "%s%s%s%s", m->zh, again ? " (" : "", again ? row->name : "",
             again ? ")" : "");
    *en = *en >= 'a' && *en <= 'z' ? (char)(*en - 'a' + 'A') : *en;
}

static void
charts_one(const struct charts *c, size_t i, struct jsonw *w)
{
    const struct chart *ch = &c->at[i];
    const struct metric_meaning_row *m = metric_meaning_row(ch->row->meaning);
    char name[64], en[256], zh[256];
    struct buf expr;
    double scale;
    bool again = false;
    const char *unit = measure_unit(c->web->cfg.metrics, ch->row->meaning, &scale);
    for (size_t k = 0; k < c->count; k++)
        again |= k != i && c->at[k].row->meaning == ch->row->meaning;
    measure_name(ch->row->meaning, name);
    charts_title(ch->row, m, again, en, zh);
    buf_init(&expr, 4096);
    charts_expr(ch, &expr, scale * ch->row->scale);
    jsonw_object(w);
    jsonw_kstr(w, "name", again ? ch->row->name : name);
    jsonw_ktext(w, "title", en, zh);
    jsonw_kstr(w, "unit", unit);
    jsonw_kstr(w, "expr", buf_str(&expr));
    jsonw_kstr(w, "legend", ch->row->meaning == METRIC_NODE_CPU ? "" : ch->legend);
    jsonw_kstr(w, "group", entity_kind_row(m->entity)->word);
    jsonw_end_object(w);
    buf_done(&expr);
}

void
charts_write(struct web *web, struct view *v, const char *entity, struct jsonw *w)
{
    static const char *const hosts[] = {"node", "Hostname", "hostname", "host", "instance", NULL};
    static const struct {
        enum entity_kind kind;
        const char *label;
    } own[] = {
        {ENTITY_RACK, "rack"}, {ENTITY_PDU, "pdu"}, {ENTITY_CDU, "cdu"}, {ENTITY_JOB, "job_id"}};
    struct charts c = {.web = web,
                       .v = v,
                       .entity = entity,
                       .id = topo_find(v->topo, entity),
                       .kind = entity_kind_of(entity)};
    const char *colon = strchr(entity, ':');
    char host[160];
    size_t len = colon ? strcspn(colon + 1, "/") : 0;
    if (!len || len >= sizeof host)
        return;
    memcpy(host, colon + 1, len);
    host[len] = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].kind == c.kind)
            charts_by_label(&c, own[i].label, colon + 1);
    topo_id owner = view_owner(v->topo, c.id);
    const char *address = owner == TOPO_NONE ? "" : topo_attr(v->topo, owner, "address");
    /* A metric is drawn by the first of the labels that has it: an exporter may stand beside the
     * agent. */
    for (size_t i = 0; hosts[i]; i++)
        charts_by_label(&c, hosts[i], host);
    if (*address)
        charts_by_label(&c, "instance", address);
    for (size_t i = 0; i < c.count; i++)
        charts_one(&c, i, w);
}
