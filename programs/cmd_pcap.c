/* cmd_pcap: `myriascope pcap FILE...`: a report on the RoCE traffic of captures, as text, JSON or
 * HTML. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "decode/pcapfile.h"
#include "decode/roce.h"
#include "programs/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCAP_FLOWS_TEXT 20
#define PCAP_FLOWS_JSON 10000
#define PCAP_LIVE_MS    10000

static int
pcap_frame(void *ctx, const struct pcapfile_frame *f)
{
    roce_frame(ctx, f->link, f->time_us, f->wire_length, f->data, f->len);
    return 0;
}

static void
pcap_text_totals(const struct roce_totals *t, int zh, struct buf *out)
{
    double seconds = (double)(t->last_us - t->first_us) / 1e6;
    buf_printf(out,
               zh ? "共 %llu 帧,%llu 字节,历时 %.3f 秒\n" : "%llu frames, %llu bytes in %.3f s\n",
               (unsigned long long)t->frames, (unsigned long long)t->bytes, seconds);
    buf_printf(out,
               zh ? "RoCE %llu,CNP %llu,CE 标记 %llu,PFC 暂停帧 %llu,全局暂停帧 %llu,畸形帧 %llu\n"
                  : "RoCE %llu, CNP %llu, CE marks %llu, PFC frames %llu, pause frames %llu, "
                    "malformed %llu\n",
               (unsigned long long)t->roce, (unsigned long long)t->cnp, (unsigned long long)t->ce,
               (unsigned long long)t->pfc, (unsigned long long)t->pause,
               (unsigned long long)t->malformed);
    for (unsigned i = 0; i < 256; i++)
        if (t->opcodes[i])
            buf_printf(out, "  %-32s %llu\n",
                       *packet_opcode_name((uint8_t)i) ? packet_opcode_name((uint8_t)i) : "?",
                       (unsigned long long)t->opcodes[i]);
}

static void
pcap_text_flows(const struct roce *r, int zh, struct buf *out)
{
    const struct roce_flow **flows;
    size_t count = roce_flows(r, &flows);
    buf_printf(out,
               zh ? "\n流(按异常程度排序):%zu 条\n" : "\nFlows, the most troubled first: %zu\n",
               count);
    buf_printf(out, "%-18s %-18s %8s %10s %8s %8s %8s %6s %6s %6s %6s %8s\n", zh ? "源" : "from",
               zh ? "目的" : "to", "QP", zh ? "包数" : "packets", zh ? "缺口" : "gaps",
               zh ? "丢失" : "missing", zh ? "重传" : "repeated", "RNR", "NAK", "CNP", "CE",
               zh ? "应答p99" : "ack p99");
    for (size_t i = 0; i < count && i < PCAP_FLOWS_TEXT; i++) {
        const struct roce_flow *f = flows[i];
        char from[48], to[48];
        roce_address(f->from, from);
        roce_address(f->to, to);
        buf_printf(out, "%-18s %-18s %#8x %10llu %8llu %8llu %8llu %6llu %6llu %6llu %6llu ", from,
                   to, f->qp, (unsigned long long)f->packets,
                   (unsigned long long)(f->requests.gaps + f->responses.gaps),
                   (unsigned long long)(f->requests.missing + f->responses.missing),
                   (unsigned long long)(f->requests.repeated + f->responses.repeated),
                   (unsigned long long)f->rnr, (unsigned long long)(f->nak_psn + f->nak_other),
                   (unsigned long long)f->cnp, (unsigned long long)f->ce);
        if (f->waits.count)
            buf_printf(out, "%5.0f us\n", roce_waits_quantile(&f->waits, 0.99));
        else
            buf_puts(out, "       -\n");
    }
    free(flows);
}

static void
pcap_text_ports(const struct roce *r, int zh, struct buf *out)
{
    const struct roce_port **ports;
    size_t count = roce_ports(r, &ports);
    if (count)
        buf_puts(out, zh ? "\n发送暂停帧的端口\n" : "\nPorts that paused others\n");
    for (size_t i = 0; i < count; i++) {
        const struct roce_port *p = ports[i];
        buf_printf(out, "  %02x:%02x:%02x:%02x:%02x:%02x  PFC %llu, %s %llu", p->mac[0], p->mac[1],
                   p->mac[2], p->mac[3], p->mac[4], p->mac[5], (unsigned long long)p->pfc,
                   zh ? "全局暂停" : "pause", (unsigned long long)p->pause);
        for (unsigned k = 0; k < 8; k++)
            if (p->xoff[k] || p->xon[k])
                buf_printf(out,
                           zh ? "; 优先级 %u:xoff %llu,xon %llu,暂停 %.3f 秒"
                              : "; priority %u: xoff %llu, xon %llu, held %.3f s",
                           k, (unsigned long long)p->xoff[k], (unsigned long long)p->xon[k],
                           (double)p->paused_ns[k] / 1e9);
        buf_putc(out, '\n');
    }
    free(ports);
}

static void
pcap_text_storm(const struct roce *r, int zh, struct buf *out)
{
    const struct roce_port *p = roce_storm(r);
    char mac[18];
    if (!p)
        return;
    roce_mac(p->mac, mac);
    buf_printf(out,
               zh ? "  暂停风暴由 %s 发起(最先持续占用半数以上时间)\n"
                  : "  the storm began at %s, the first to hold others half of the time\n",
               mac);
}

static void
pcap_text_collisions(const struct roce *r, int zh, struct buf *out)
{
    struct roce_shared *at;
    size_t n = roce_collisions(r, &at);
    if (n)
        buf_puts(out, zh ? "\n共用一条路径的大象流\n" : "\nElephant flows that share one path\n");
    for (size_t i = 0; i < n; i++) {
        char from[48], to[48];
        roce_address(at[i].of->from, from);
        roce_address(at[i].of->to, to);
        if (at[i].path)
            buf_printf(out,
                       zh ? "  镜像会话 %u:%zu 条流,%llu 字节\n"
                          : "  mirror session %u: %zu flows, %llu bytes\n",
                       at[i].path - 1, at[i].flows, (unsigned long long)at[i].bytes);
        else
            buf_printf(out,
                       zh ? "  %s -> %s,源端口 %u:%zu 条流,%llu 字节\n"
                          : "  %s -> %s, source port %u: %zu flows, %llu bytes\n",
                       from, to, at[i].of->source_port, at[i].flows,
                       (unsigned long long)at[i].bytes);
    }
    free(at);
}

static void
pcap_text_neighbours(const struct roce *r, int zh, struct buf *out)
{
    const struct roce_neighbour **at;
    size_t n = roce_neighbours(r, &at);
    if (n)
        buf_puts(out, zh ? "\nLLDP/DCBX 通告\n" : "\nLLDP and DCBX\n");
    for (size_t i = 0; i < n; i++) {
        const struct lldp *l = &at[i]->says;
        buf_printf(out, "  %s %s", *l->system ? l->system : l->chassis, l->port);
        if (l->has_pfc) {
            buf_printf(out, zh ? "  PFC 优先级" : "  PFC on");
            for (unsigned k = 0; k < 8; k++)
                if (l->pfc >> k & 1)
                    buf_printf(out, " %u", k);
            if (!l->pfc)
                buf_puts(out, zh ? " 无" : " none");
            if (l->pfc_willing)
                buf_puts(out, zh ? "(可协商)" : " (willing)");
        }
        for (unsigned k = 0; k < l->app_count; k++)
            buf_printf(out, zh ? "  应用 %u -> 优先级 %u" : "  application %u to priority %u",
                       l->apps[k].protocol, l->apps[k].priority);
        buf_putc(out, '\n');
    }
    free(at);
}

static void
pcap_text(const struct roce *r, int zh, struct buf *out)
{
    pcap_text_totals(roce_totals(r), zh, out);
    if (roce_totals(r)->roce + roce_totals(r)->cnp)
        pcap_text_flows(r, zh, out);
    pcap_text_ports(r, zh, out);
    pcap_text_storm(r, zh, out);
    pcap_text_collisions(r, zh, out);
    pcap_text_neighbours(r, zh, out);
}

/* Names that neighbours give themselves are the capture's own text: escaped. */
static void
pcap_escape(const char *text, struct buf *out)
{
    for (; *text; text++)
        if (*text == '<')
            buf_puts(out, "&lt;");
        else if (*text == '&')
            buf_puts(out, "&amp;");
        else
            buf_putc(out, *text);
}

static void
pcap_report(const struct cmd_args *a, const struct roce *r, struct buf *out)
{
    struct jsonw w;
    if (cmd_json(a)) {
        jsonw_init(&w, out);
        roce_json(r, PCAP_FLOWS_JSON, &w);
        buf_putc(out, '\n');
        return;
    }
    bool html = !strcmp(a->format, "html");
    if (html)
        buf_printf(out,
                   "<!doctype html>\n<html lang=\"%s\"><meta "
                   "charset=\"utf-8\"><title>%s</title>\n<h1>%s</h1>\n<pre>\n",
                   a->zh ? "zh" : "en", a->zh ? "RoCE 抓包报告" : "RoCE capture report",
                   a->zh ? "RoCE 抓包报告" : "RoCE capture report");
    if (!html) {
        pcap_text(r, a->zh, out);
        return;
    }
    struct buf text;
    buf_init(&text, (size_t)16 << 20);
    pcap_text(r, a->zh, &text);
    pcap_escape(buf_str(&text), out);
    buf_done(&text);
    buf_puts(out, "</pre></html>\n");
}

static int
pcap_live(const struct cmd_args *a, int64_t duration_ms, struct roce *r)
{
    struct err err = {0};
    uint64_t dropped = 0;
    if (pcapfile_capture(a->words[1], duration_ms, pcap_frame, r, &dropped, &err) < 0)
        return cmd_fail(a, &err);
    if (dropped)
        fprintf(stderr,
                a->zh ? "myriascope: 内核丢弃了 %llu 帧,以下计数偏少\n"
                      : "myriascope: the kernel dropped %llu frames: counts are too low\n",
                (unsigned long long)dropped);
    return CMD_DONE;
}

int
cmd_pcap(struct cmd_args *a)
{
    struct err err = {0};
    struct buf out;
    int rc = CMD_DONE;
    bool live = a->count == 2 && !strcmp(a->words[0], "live");
    int64_t duration_ms = PCAP_LIVE_MS;
    if (!a->count)
        return cmd_usage(a, "pcap FILE..., or pcap live INTERFACE");
    if (a->duration && duration_parse(a->duration, &duration_ms))
        return cmd_usage(a, "--duration %s is no duration such as 30s", a->duration);
    struct roce *r = roce_new(0);
    if (!r)
        return cmd_fail(a, (err_set(&err, ERR_NOMEM, "no memory"), &err));
    if (live)
        rc = pcap_live(a, duration_ms, r);
    for (int i = 0; !live && i < a->count; i++)
        if (pcapfile_read(a->words[i], pcap_frame, r, &err) < 0)
            rc = cmd_fail(a, &err); /* what was read before the break is reported */
    buf_init(&out, (size_t)64 << 20);
    pcap_report(a, r, &out);
    if (a->output && file_write_atomic(a->output, buf_str(&out), out.len, 0644, &err))
        rc = cmd_fail(a, &err);
    else if (!a->output)
        fputs(buf_str(&out), stdout);
    buf_done(&out);
    roce_free(r);
    return rc;
}
