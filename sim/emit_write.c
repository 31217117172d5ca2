/* emit_write: appends protobuf, four copies of labels and one sample a series. */
#include "sim/emit_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EMIT_WRITE_BODY_MAX (32u << 20)
#define EMIT_WRITE_NOBODY   ((enum plan_what) - 1)
#define EMIT_WRITE_STALE    0x7ff0000000000002u /* Prometheus' stale NaN */

struct emit_write {
    const struct world *w;
    struct series_set *set;
    struct buf body;
    unsigned series, series_max;
    uint64_t samples;
    void (*send)(void *ctx, const void *body, size_t len, unsigned series);
    void *ctx;
    uint8_t *
        live[SERIES_KINDS]; /* 1: has samples, so that a stale marker is due once it falls silent */
    uint8_t *skipped;       /* switches */
    uint8_t jobs_live[WORLD_JOBS_MAX];
    struct plan_end *neighbours; /* of ports, as last told; PLAN_WHATS: none */
};

void
emit_write_free(struct emit_write *e)
{
    if (e == NULL)
        return;
    for (int k = 0; k < SERIES_KINDS; k++)
        free(e->live[k]);
    free(e->skipped);
    free(e->neighbours);
    series_set_free(e->set);
    buf_done(&e->body);
    free(e);
}

struct emit_write *
emit_write_new(const struct world *w, unsigned series_max,
               void (*send)(void *, const void *, size_t, unsigned), void *ctx)
{
    struct emit_write *e = calloc(1, sizeof *e);
    const struct plan *p = w->plan;
    if (e == NULL)
        return NULL;
    e->w = w;
    e->series_max = series_max == 0 ? 8000 : series_max;
    e->send = send;
    e->ctx = ctx;
    buf_init(&e->body, EMIT_WRITE_BODY_MAX);
    const size_t counts[SERIES_KINDS] = {
        [SERIES_GPU] = p->gpus.count,     [SERIES_NODE] = p->nodes.count,
        [SERIES_RDMA] = p->nics.count,    [SERIES_PORT] = p->ports.count,
        [SERIES_OPTIC] = p->optics.count, [SERIES_SWITCH] = p->switches.count};
    bool ok = series_set_new(p, &e->set) == 0 &&
              (e->skipped = calloc(p->switches.count + 1, 1)) != NULL &&
              (e->neighbours = calloc(p->ports.count + 1, sizeof *e->neighbours)) != NULL;
    for (uint32_t i = 0; ok && i < p->ports.count; i++)
        e->neighbours[i].what = EMIT_WRITE_NOBODY;
    for (int k = 0; k < SERIES_KINDS; k++)
        ok = (e->live[k] = calloc(counts[k] + 1, 1)) != NULL && ok;
    if (!ok) {
        emit_write_free(e);
        return NULL;
    }
    return e;
}

void
emit_write_skip_switch(struct emit_write *e, uint32_t sw)
{
    e->skipped[sw] = 1;
}

void
emit_write_flush(struct emit_write *e)
{
    if (e->series > 0)
        e->send(e->ctx, e->body.data, e->body.len, e->series);
    buf_reset(&e->body);
    e->series = 0;
}

static size_t
emit_write_varint(char *out, uint64_t v)
{
    size_t n = 0;
    for (; v > 127; v >>= 7)
        out[n++] = (char)(v | 128);
    out[n++] = (char)v;
    return n;
}

/* One series: pieces are {labels before the name, name and row's labels, entity's others, row's
 * behind them}. */
static void
emit_write_series(struct emit_write *e, const struct series_labels *of, const char *of_text,
                  const struct series_labels *row, int64_t t_ms, uint64_t value_bits)
{
    char sample[32];
    size_t n = 2;
    sample[0] = 0x12;
    sample[n++] = 0x09;
    memcpy(sample + n, &value_bits,
           8); /* little endian machines only, as all that Debian builds this for but s390x */
    n += 8;
    sample[n++] = 0x10;
    n += emit_write_varint(sample + n, (uint64_t)t_ms);
    sample[1] = (char)(n - 2);
    size_t inner = (size_t)of->before + of->after + row->before + row->after + n;
    if (buf_reserve(&e->body, inner + 8) < 0)
        return;
    char *out = e->body.data + e->body.len, *start = out;
    const char *row_text = e->set->text.data + row->offset;
    *out++ = 0x0a;
    out += emit_write_varint(out, inner);
    memcpy(out, of_text, of->before);
    out += of->before;
    memcpy(out, row_text, row->before);
    out += row->before;
    memcpy(out, of_text + of->before, of->after);
    out += of->after;
    memcpy(out, row_text + row->before, row->after);
    out += row->after;
    memcpy(out, sample, n);
    out += n;
    e->body.len += (size_t)(out - start);
    e->samples++;
    if (++e->series >= e->series_max)
        emit_write_flush(e);
}

static uint64_t
emit_write_bits(double v)
{
    uint64_t bits;
    if (isnan(v))
        return EMIT_WRITE_STALE;
    memcpy(&bits, &v, 8);
    return bits;
}

static double
emit_write_round(double v)
{
    /* instruments give a few digits, not seventeen; counters stay whole */
    return fabs(v) >= 1000 || v == floor(v) ? floor(v + 0.5)
           : fabs(v) < 1e-3                 ? v
                                            : floor(v * 1000 + 0.5) / 1000;
}

static void
emit_write_rows(struct emit_write *e, enum series_of rows, enum series_of labels, uint32_t i,
                const void *at, int64_t t_ms, bool stale)
{
    size_t n;
    const struct series_row *r = series_rows(rows, &n);
    const struct series_labels *of = &e->set->of[labels][i];
    for (size_t k = 0; k < n; k++) {
        double v = rows == SERIES_LIMIT ? r[k].constant : 0;
        if (rows != SERIES_LIMIT)
            memcpy(&v, (const char *)at + r[k].offset, sizeof v);
        emit_write_series(e, of, e->set->text.data + of->offset, &e->set->rows[rows][k], t_ms,
                          stale ? EMIT_WRITE_STALE : emit_write_bits(emit_write_round(v)));
    }
}

/* 0: say nothing; 1: samples; 2: the one stale marker. */
static int
emit_write_turn(struct emit_write *e, enum series_of kind, uint32_t i, bool silent)
{
    uint8_t was = e->live[kind][i];
    e->live[kind][i] = silent ? 0 : 1;
    return !silent ? 1 : was ? 2 : 0;
}

static void
emit_write_optic(struct emit_write *e, int32_t i, int64_t t_ms, bool silent, bool rare)
{
    int turn = i < 0 ? 0 : emit_write_turn(e, SERIES_OPTIC, (uint32_t)i, silent);
    if (turn == 0)
        return;
    emit_write_rows(e, SERIES_OPTIC, SERIES_OPTIC, (uint32_t)i, &e->w->optics[i], t_ms, turn == 2);
    if (rare && turn == 1)
        emit_write_rows(e, SERIES_LIMIT, SERIES_OPTIC, (uint32_t)i, NULL, t_ms, false);
}

void
emit_write_node(struct emit_write *e, uint32_t node, int64_t t_ms, bool rare)
{
    const struct world *w = e->w;
    const struct plan_node *p = &w->plan->nodes.at[node];
    bool silent = world_node_silent(w, node), nvidia = strcmp(p->vendor, "ascend") != 0;
    struct world_node up = {.up = silent ? 0 : 1};
    int turn = emit_write_turn(e, SERIES_NODE, node, silent);
    emit_write_rows(e, SERIES_UP, SERIES_NODE, node, &up, t_ms, false);
    if (turn != 0)
        emit_write_rows(e, SERIES_NODE, SERIES_NODE, node, &w->nodes[node], t_ms, turn == 2);
    enum series_of gpu = nvidia ? SERIES_GPU : SERIES_NPU;
    for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++) {
        turn = emit_write_turn(e, SERIES_GPU, g, world_gpu_gone(w, g));
        if (turn != 0)
            emit_write_rows(e, gpu, gpu, g, &w->gpus[g], t_ms, turn == 2);
    }
    for (uint32_t k = p->first_nic; k < p->first_nic + p->nics; k++) {
        turn = emit_write_turn(e, SERIES_RDMA, k, silent);
        if (turn != 0) {
            emit_write_rows(e, SERIES_RDMA, SERIES_RDMA, k, &w->nics[k], t_ms, turn == 2);
            emit_write_rows(e, SERIES_NET, SERIES_NET, k, &w->nics[k], t_ms, turn == 2);
        }
        emit_write_optic(e, w->plan->nics.at[k].optic, t_ms, silent, rare);
    }
}

/* A neighbour as an exporter of LLDP tells it: hosts by netdev and adapter, switches by port. */
static void
emit_write_neighbour_series(struct emit_write *e, uint32_t port, struct plan_end far, int64_t t_ms,
                            bool stale)
{
    static const char name[] = "lldp_neighbor_info";
    const struct plan *p = e->w->plan;
    const struct plan_port *at = &p->ports.at[port];
    const char *of = p->switches.at[at->sw].name;
    bool nic = far.what == PLAN_NIC;
    size_t before = e->set->text.len; /* borrowed for the row's labels, and given back */
    struct buf text;
    series_put_label(&e->set->text, "__name__", name);
    struct series_labels row = {(uint32_t)before, (uint16_t)(e->set->text.len - before), 0};
    buf_init(&text, 4096);
    series_put_label(&text, "ifDescr", at->name);
    series_put_label(&text, "ifName", at->name);
    series_put_label(&text, "instance", of);
    series_put_label(&text, "node", of);
    series_put_label(&text, "peer",
                     nic ? p->nodes.at[p->nics.at[far.i].node].name
                         : p->switches.at[p->ports.at[far.i].sw].name);
    if (nic)
        series_put_label(&text, "peer_descr", p->nics.at[far.i].name);
    series_put_label(&text, "peer_port", nic ? p->nics.at[far.i].netdev : p->ports.at[far.i].name);
    struct series_labels labels = {.before = 0, .after = (uint16_t)text.len};
    emit_write_series(e, &labels, text.data, &row, t_ms,
                      stale ? EMIT_WRITE_STALE : emit_write_bits(1));
    buf_done(&text);
    e->set->text.len = before;
}

static void
emit_write_neighbour(struct emit_write *e, uint32_t port, int64_t t_ms, bool silent, bool rare)
{
    struct plan_end *was = &e->neighbours[port], now = {EMIT_WRITE_NOBODY, 0};
    if (silent || !world_neighbour(e->w, port, &now))
        now.what = EMIT_WRITE_NOBODY;
    bool same = was->what == now.what && (now.what == EMIT_WRITE_NOBODY || was->i == now.i);
    if (!same && was->what != EMIT_WRITE_NOBODY)
        emit_write_neighbour_series(e, port, *was, t_ms, true);
    if (now.what != EMIT_WRITE_NOBODY && (rare || !same))
        emit_write_neighbour_series(e, port, now, t_ms, false);
    *was = now;
}

void
emit_write_switch(struct emit_write *e, uint32_t sw, int64_t t_ms, bool rare)
{
    const struct world *w = e->w;
    bool silent = w->switch_down[sw] != 0;
    if (e->skipped[sw])
        return;
    int turn = emit_write_turn(e, SERIES_SWITCH, sw, silent);
    if (turn != 0)
        emit_write_rows(e, SERIES_SWITCH, SERIES_SWITCH, sw, &w->switches[sw], t_ms, turn == 2);
    for (int32_t i = w->plan->switches.at[sw].first_port; i >= 0; i = w->plan->ports.at[i].next) {
        turn = emit_write_turn(e, SERIES_PORT, (uint32_t)i, silent);
        if (turn != 0)
            emit_write_rows(e, SERIES_PORT, SERIES_PORT, (uint32_t)i, &w->ports[i], t_ms,
                            turn == 2);
        emit_write_optic(e, w->plan->ports.at[i].optic, t_ms, silent, rare);
        emit_write_neighbour(e, (uint32_t)i, t_ms, silent, rare);
    }
}

static void
emit_write_job(struct emit_write *e, uint32_t i, int64_t t_ms)
{
    const struct simjob *j = &e->w->jobs[i];
    bool live = j->state == SIMJOB_RUNNING && !j->small, was = e->jobs_live[i];
    e->jobs_live[i] = live;
    if (!live && !was)
        return;
    struct buf text;
    size_t n;
    const struct series_row *r = series_rows(SERIES_JOB, &n);
    buf_init(&text, 4096);
    series_put_label(&text, "job_id", j->id);
    struct series_labels of = {.before = 0, .after = (uint16_t)text.len};
    for (size_t k = 0; k < n; k++) {
        double v;
        memcpy(&v, (const char *)j + r[k].offset, sizeof v);
        emit_write_series(e, &of, text.data, &e->set->rows[SERIES_JOB][k], t_ms,
                          live ? emit_write_bits(emit_write_round(v)) : EMIT_WRITE_STALE);
    }
    buf_done(&text);
}

void
emit_write_site(struct emit_write *e, int64_t t_ms)
{
    const struct world *w = e->w;
    for (uint32_t i = 0; i < w->plan->racks.count; i++)
        emit_write_rows(e, SERIES_RACK, SERIES_RACK, i, &w->racks[i], t_ms, false);
    for (uint32_t i = 0; i < w->plan->pdus.count; i++)
        emit_write_rows(e, SERIES_PDU, SERIES_PDU, i, &w->pdus[i], t_ms, false);
    for (uint32_t i = 0; i < w->plan->cdus.count; i++)
        emit_write_rows(e, SERIES_CDU, SERIES_CDU, i, &w->cdus[i], t_ms, false);
    emit_write_rows(e, SERIES_SITE, SERIES_SITE, 0, &w->site, t_ms, false);
    for (uint32_t i = 0; i < w->job_count; i++)
        emit_write_job(e, i, t_ms);
}

uint64_t
emit_write_samples(const struct emit_write *e)
{
    return e->samples;
}
