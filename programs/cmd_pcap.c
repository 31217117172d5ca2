/* cmd_pcap: `myriascope pcap FILE...`: a report on the RoCE traffic of captures, as text, JSON or
 * HTML. */
#include "base/buf.h"
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
    buf_printf(out, "%-18s %-18s %8s %10s %8s %8s %8s %6s %6s %6s %6s\n", zh ? "源" : "from",
               zh ? "目的" : "to", "QP", zh ? "包数" : "packets", zh ? "缺口" : "gaps",
               zh ? "丢失" : "missing", zh ? "重传" : "repeated", "RNR", "NAK", "CNP", "CE");
    for (size_t i = 0; i < count && i < PCAP_FLOWS_TEXT; i++) {
        const struct roce_flow *f = flows[i];
        char from[48], to[48];
        roce_address(f->from, from);
        roce_address(f->to, to);
        buf_printf(out, "%-18s %-18s %#8x %10llu %8llu %8llu %8llu %6llu %6llu %6llu %6llu\n", from,
                   to, f->qp, (unsigned long long)f->packets,
                   (unsigned long long)(f->requests.gaps + f->responses.gaps),
                   (unsigned long long)(f->requests.missing + f->responses.missing),
                   (unsigned long long)(f->requests.repeated + f->responses.repeated),
                   (unsigned long long)f->rnr, (unsigned long long)(f->nak_psn + f->nak_other),
                   (unsigned long long)f->cnp, (unsigned long long)f->ce);
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
                buf_printf(out, "; %s %u: xoff %llu, xon %llu", zh ? "优先级" : "priority", k,
                           (unsigned long long)p->xoff[k], (unsigned long long)p->xon[k]);
        buf_putc(out, '\n');
    }
    free(ports);
}

static void
pcap_text(const struct roce *r, int zh, struct buf *out)
{
    pcap_text_totals(roce_totals(r), zh, out);
    if (roce_totals(r)->roce + roce_totals(r)->cnp)
        pcap_text_flows(r, zh, out);
    pcap_text_ports(r, zh, out);
}

/* Addresses, names of operations and numbers only: nothing of the capture's bytes needs escaping.
 */
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
    pcap_text(r, a->zh, out);
    if (html)
        buf_puts(out, "</pre></html>\n");
}

int
cmd_pcap(struct cmd_args *a)
{
    struct err err = {0};
    struct buf out;
    int rc = CMD_DONE;
    if (!a->count)
        return cmd_usage(a, "pcap FILE...");
    struct roce *r = roce_new();
    if (!r)
        return cmd_fail(a, (err_set(&err, ERR_NOMEM, "no memory"), &err));
    for (int i = 0; i < a->count; i++)
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
