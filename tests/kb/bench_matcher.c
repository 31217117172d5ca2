/* bench_matcher: lines a second of one core over a mixed log: what kernels, schedulers, switches
 * and training jobs write all day, numbers varied, with one line in a thousand that means
 * something. `bench_matcher [LINES] [FILE...]`; files are matched as they are. Prints one line a
 * measurement. */
#include "base/clock.h"
#include "base/str.h"
#include "kb/kb.h"
#include "kb/matcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_BYTES_MAX (1u << 30)

/* %u: a number. Written by hand after what such programs print in good health. */
static const char *const bench_lines[] = {
    "[2026-11-23 08:%u:21,%u][rank%u] iteration %u/ 500000 | consumed samples: %u | elapsed time "
    "per iteration (ms): %u.3 | "
    "learning rate: 1.5E-04 | global batch size: 2048 | lm loss: 2.%uE+00 | loss scale: 1.0 | grad "
    "norm: 0.%u | "
    "number of skipped iterations: 0 | number of nan iterations: 0 |",
    "node%u:%u:%u [%u] NCCL INFO Channel %u/0 : %u[%u] -> %u[%u] via P2P/IPC/read",
    "node%u:%u:%u [%u] NCCL INFO NET/IB : Using [0]mlx5_0:1/RoCE [1]mlx5_1:1/RoCE [2]mlx5_2:1/RoCE "
    "; OOB eth0:10.0.%u.%u<0>",
    "node%u:%u:%u [%u] NCCL INFO comm 0x55d%u rank %u nranks 1024 cudaDev %u busId 5a000 commId "
    "0x%u - Init COMPLETE",
    "Nov 23 08:%u:01 node%u kernel: [%u.123456] perf: interrupt took too long (%u > %u), lowering "
    "kernel.perf_event_max_sample_rate to %u",
    "Nov 23 08:%u:02 node%u systemd[1]: Started Session %u of User root.",
    "Nov 23 08:%u:03 node%u sshd[%u]: Accepted publickey for admin from 10.1.%u.%u port %u ssh2: "
    "ED25519 SHA256:abcdef",
    "Nov 23 08:%u:04 node%u slurmd[%u]: launch task StepId=%u.0 request from UID:1000 GID:1000 "
    "HOST:10.0.%u.%u PORT:%u",
    "Nov 23 08:%u:05 node%u kernel: mlx5_core 0000:%u:00.0 eth%u: Link up",
    "Nov 23 08:%u:06 node%u containerd[%u]: time=\"2026-11-23T08:%u:06Z\" level=info "
    "msg=\"StartContainer for %u returns successfully\"",
    "<189>%u: Nov 23 08:%u:07: %%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet%u/%u, "
    "changed state to up",
    "Nov 23 08:%u:08 leaf-%u Ebra: %%ROUTING-6-BGP_UPDATE: peer 10.%u.%u.1 received %u prefixes",
    "INFO 08:%u:09 [dataloader.py:%u] worker %u prefetched shard %u in %u ms, queue depth %u",
    "[rank%u]:[I1123 08:%u:10.%u ProcessGroupNCCL.cpp:%u] [PG ID 0 PG GUID 0 Rank %u] "
    "ProcessGroupNCCL initialization options: "
    "size: 1024, global rank: %u, TIMEOUT(ms): 600000",
    "step %u: saved checkpoint to /data/ckpt/iter_%u in %u.2 s (%u files)",
    "  File \"/opt/train/model.py\", line %u, in forward",
    "DEBUG:urllib3.connectionpool:http://10.0.%u.%u:8080 \"GET /healthz HTTP/1.1\" 200 %u",
    "Nov 23 08:%u:11 node%u chronyd[%u]: Selected source 10.0.%u.%u",
    "Nov 23 08:%u:12 node%u kernel: EXT4-fs (nvme0n1p2): mounted filesystem with ordered data "
    "mode. Quota mode: none.",
    "{\"time\":\"2026-11-23T08:%u:13Z\",\"level\":\"info\",\"rank\":%u,\"tokens_per_second\":%u,"
    "\"mfu\":0.%u}",
};
static const char *const bench_telling[] = {
    "Nov 23 08:%u:14 node%u kernel: NVRM: Xid (PCI:0000:5a:00): 79, pid=%u, GPU has fallen off the "
    "bus.",
    "node%u:%u:%u [%u] transport/net_ib.cc:%u NCCL WARN NET/IB : Got completion from peer "
    "10.0.%u.1<%u> with status=12 opcode=0 "
    "len=0 vendor err 129 (Recv) localGid ::ffff:10.0.0.1 remoteGids ::ffff:10.0.0.2 hca mlx5_%u",
    "RuntimeError: CUDA error: an illegal memory access was encountered",
};

static uint32_t
bench_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void
bench_write(struct buf *out, const char *format, uint32_t *state)
{
    for (const char *s = format; *s; s++) {
        if (str_prefix(s, "%u"))
            s++, buf_printf(out, "%u", bench_random(state) % 50000u);
        else if (str_prefix(s, "%%"))
            buf_putc(out, *s++);
        else
            buf_putc(out, *s);
    }
    buf_putc(out, '\n');
}

static void
bench_corpus(struct buf *out, size_t lines)
{
    uint32_t state = 7;
    for (size_t i = 0; i < lines; i++) {
        uint32_t pick = bench_random(&state);
        if (i % 1000 == 999)
            bench_write(out, bench_telling[pick % (sizeof bench_telling / sizeof *bench_telling)],
                        &state);
        else
            bench_write(out, bench_lines[pick % (sizeof bench_lines / sizeof *bench_lines)],
                        &state);
    }
}

static void
bench_run(const struct kb_matcher *m, const char *name, const struct buf *text)
{
    struct kb_scratch *s = kb_scratch_new(m);
    struct kb_match matches[8];
    size_t lines = 0, found = 0, clears = 0;
    int64_t start = clock_mono_us();
    const char *p = buf_str(text), *end = p + text->len;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl ? nl : end) - p);
        size_t n = kb_match_line(m, s, p, len, "any", matches, 8);
        for (size_t i = 0; i < n; i++)
            matches[i].clears ? clears++ : found++;
        lines++;
        p += len + 1;
    }
    double took = (double)(clock_mono_us() - start) / 1e6;
    printf("%s: %zu lines, %.1f MB in %.3f s: %.0f lines/s, %.0f MB/s, %zu matches, %zu clear, "
           "%llu limits\n",
           name, lines, (double)text->len / 1e6, took, (double)lines / took,
           (double)text->len / 1e6 / took, found, clears, (unsigned long long)kb_scratch_limits(s));
    kb_scratch_free(s);
}

int
main(int argc, char **argv)
{
    struct kb_matcher *m = NULL;
    struct err err = {0};
    int64_t start = clock_mono_us();
    if (kb_matcher_builtin(&m, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("patterns opened in %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    struct kb *kb = NULL;
    start = clock_mono_us();
    if (!kb_load(NULL, &kb, &err))
        printf("%zu entries loaded in %.2f ms\n", kb_count(kb),
               (double)(clock_mono_us() - start) / 1000);
    struct kb_matcher *again = NULL;
    start = clock_mono_us();
    if (kb && !kb_matcher_new(kb, &again, &err))
        printf("patterns compiled anew in %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    struct buf text;
    buf_init(&text, BENCH_BYTES_MAX);
    bench_corpus(&text, argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000);
    bench_run(m, "mixed corpus", &text);
    for (int i = 2; i < argc; i++) {
        struct buf file;
        if (!file_read(argv[i], BENCH_BYTES_MAX, &file, &err))
            bench_run(m, argv[i], &file);
        buf_done(&file);
    }
    buf_done(&text);
    kb_matcher_free(again);
    kb_matcher_free(m);
    kb_free(kb);
    return 0;
}
