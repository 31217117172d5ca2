/* bench_pcap: what a capture costs. Writes one of RoCE traffic, cut at 128 bytes a packet: `flows`
 * queue pairs in bursts, an acknowledgement in eight, CNPs, pauses; then reads and reports it as
 * `myriascope pcap` does, and prints packets a CPU-second and memory.
 *
 *   bench_pcap FILE PACKETS FLOWS        writes the file, then reads it
 */
#include "base/jsonw.h"
#include "decode/pcapfile.h"
#include "decode/roce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BENCH_CUT = 128, BENCH_WIRE = 4178, BENCH_BURST = 16 };

struct bench_head {
    uint32_t seconds, micros, kept, length;
};

static void
bench_put(uint8_t *p, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

/* Ethernet, IPv4, UDP, base transport header. */
static void
bench_frame(uint8_t f[BENCH_CUT], uint32_t from, uint32_t to, uint32_t port, unsigned opcode,
            uint32_t qp, uint32_t psn)
{
    static const uint8_t head[] = {2, 0, 0,    0,   0,  2,  2, 0, 0,    0, 0,  1,
                                   8, 0, 0x45, 106, 16, 48, 0, 1, 0x40, 0, 64, 17};
    memset(f, 0, BENCH_CUT);
    memcpy(f, head, sizeof head);
    bench_put(f + 26, 0x0a000000u | from, 4);
    bench_put(f + 30, 0x0a000000u | to, 4);
    bench_put(f + 34, port, 2);
    bench_put(f + 36, 4791, 2);
    bench_put(f + 38, BENCH_WIRE - 34, 2);
    f[42] = (uint8_t)opcode;
    bench_put(f + 44, 0xffff, 2);
    bench_put(f + 46, qp, 4);
    bench_put(f + 50, psn & 0xffffffu, 4);
}

static int
bench_write(const char *path, uint32_t packets, uint32_t flows)
{
    static const uint8_t file[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2,    0,    4, 0, 0, 0, 0, 0,
                                     0,    0,    0,    0,    0xff, 0xff, 0, 0, 1, 0, 0, 0};
    uint32_t *psn = calloc(flows, sizeof *psn), x = 1;
    uint8_t f[BENCH_CUT];
    FILE *out = fopen(path, "wb");
    if (!out || !psn)
        return 2;
    fwrite(file, sizeof file, 1, out);
    for (uint32_t i = 0; i < packets; i++) {
        if (i % BENCH_BURST == 0)
            x = x * 1664525u + 1013904223u;
        uint32_t flow = (x >> 8) % flows, node = flow / 8, peer = (node + 1 + flow % 8) % 4096;
        struct bench_head h = {1795000000u + i / 1000000, i % 1000000, BENCH_CUT, BENCH_WIRE};
        if (i % BENCH_BURST == 14) {
            bench_frame(f, peer, node, 50000 + flow % 16, 17, 0x100000 + flow, psn[flow] - 1);
            f[54] = 31;
        } else if (i % 1600 == 15) {
            bench_frame(f, peer, node, 4791, 0x81, 0x100000 + flow, 0);
        } else {
            bench_frame(f, node, peer, 50000 + flow % 16, 7, 0x200 + flow, psn[flow]++);
            f[50] = i % BENCH_BURST == 13 ? 0x80 : 0;
        }
        fwrite(&h, sizeof h, 1, out);
        fwrite(f, sizeof f, 1, out);
    }
    free(psn);
    return fclose(out) ? 2 : 0;
}

static int
bench_take(void *ctx, const struct pcapfile_frame *f)
{
    roce_frame(ctx, f->link, f->time_us, f->wire_length, f->data, f->len);
    return 0;
}

static double
bench_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
    uint32_t packets = argc > 2 ? (uint32_t)atoi(argv[2]) : 2000000,
             flows = argc > 3 ? (uint32_t)atoi(argv[3]) : 4096;
    struct err err = {0};
    struct buf out;
    struct jsonw w;
    struct rusage u;
    if (argc < 2 || bench_write(argv[1], packets, flows))
        return 2;
    double cpu = bench_cpu();
    struct roce *r = roce_new(0);
    int64_t n = pcapfile_read(argv[1], bench_take, r, &err);
    buf_init(&out, (size_t)64 << 20);
    jsonw_init(&w, &out);
    roce_json(r, 1000, &w);
    cpu = bench_cpu() - cpu;
    getrusage(RUSAGE_SELF, &u);
    printf("%lld packets of %u flows, cut at %d bytes: %.2f M packets a CPU-second, %ld MB, "
           "roce %llu, cnp %llu\n",
           (long long)n, flows, BENCH_CUT, (double)n / cpu / 1e6, u.ru_maxrss / 1024,
           (unsigned long long)roce_totals(r)->roce, (unsigned long long)roce_totals(r)->cnp);
    buf_done(&out);
    roce_free(r);
    return n < 0 ? 2 : 0;
}
