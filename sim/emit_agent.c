/* emit_agent: what emit_write gives for one node, taken apart and put into a batch. */
#include "sim/emit_agent.h"
#include "base/wire.h"
#include "sim/emit_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMIT_AGENT_SERIES_MAX 1000000u /* never reached by one node: its body stays whole */

struct emit_agent {
    const struct world *w;
    struct emit_write *write;
    struct wire_encoder *wire;
    uint64_t *sequences;
    int64_t t_ms;
    int rc;
};

static size_t
emit_agent_varint(const uint8_t *p, uint64_t *ret)
{
    size_t n = 0;
    *ret = 0;
    do
        *ret |= (uint64_t)(p[n] & 127) << (7 * n);
    while (p[n++] & 128);
    return n;
}

/* One TimeSeries of our own making: repeated Label = 1, one Sample = 2. */
static void
emit_agent_series(struct emit_agent *e, const uint8_t *p, size_t len)
{
    struct labels l = {.count = 0};
    double v = 0;
    for (size_t i = 0; i < len;) {
        uint8_t tag = p[i++];
        uint64_t n, name, value;
        i += emit_agent_varint(p + i, &n);
        if (tag == 0x12) {
            memcpy(&v, p + i + 1, sizeof v);
        } else {
            size_t at = i + 1;
            at += emit_agent_varint(p + at, &name);
            const char *text = (const char *)p + at;
            at += name + 1;
            at += emit_agent_varint(p + at, &value);
            labels_add(&l, text, name, (const char *)p + at, value);
        }
        i += n;
    }
    const struct label *metric = labels_find(&l, "__name__");
    if (metric != NULL && metric->value_len == 2 && memcmp(metric->value, "up", 2) == 0)
        return; /* the scraper's word, not the agent's */
    int rc = wire_encode_sample(e->wire, &l, e->t_ms, v);
    e->rc = rc < 0 ? rc : e->rc;
}

static void
emit_agent_body(void *ctx, const void *body, size_t len, unsigned series)
{
    const uint8_t *p = body;
    (void)series;
    for (size_t i = 0; i < len;) {
        uint64_t n;
        i += 1 + emit_agent_varint(p + i + 1, &n);
        emit_agent_series(ctx, p + i, n);
        i += n;
    }
}

struct emit_agent *
emit_agent_new(const struct world *w)
{
    struct emit_agent *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->w = w;
    e->write = emit_write_new(w, EMIT_AGENT_SERIES_MAX, emit_agent_body, e);
    e->wire = wire_encoder_new();
    e->sequences = calloc(w->plan->nodes.count + 1, sizeof *e->sequences);
    if (e->write == NULL || e->wire == NULL || e->sequences == NULL) {
        emit_agent_free(e);
        return NULL;
    }
    return e;
}

void
emit_agent_free(struct emit_agent *e)
{
    if (e == NULL)
        return;
    emit_write_free(e->write);
    wire_encoder_free(e->wire);
    free(e->sequences);
    free(e);
}

int
emit_agent_node(struct emit_agent *e, uint32_t node, int64_t t_ms, bool rare, struct buf *out)
{
    struct wire_head head = {.epoch = (uint64_t)e->w->cfg.start_ms, .sent_ms = t_ms};
    if (world_node_silent(e->w, node))
        return 0;
    head.sequence = ++e->sequences[node];
    snprintf(head.agent, sizeof head.agent, "%.63s", e->w->plan->nodes.at[node].name);
    e->t_ms = t_ms;
    e->rc = 0;
    wire_encode_begin(e->wire, &head);
    emit_write_node(e->write, node, t_ms, rare);
    emit_write_flush(e->write);
    int rc = wire_encode_end(e->wire, out);
    return e->rc < 0 ? e->rc : rc < 0 ? rc : 1;
}
