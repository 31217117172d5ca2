/* bench_store_agent: batches as an agent sends them, of the series that bench_store_load makes of
 * GPUs, in the file that its `send` posts: one sample a series and batch.
 *
 *   bench_store_agent NODE SERIES STEPS INTERVAL_S START_S FILE */
#include "base/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 10 };

static const char *const metrics[METRICS] = {
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_XID_ERRORS",
};

static double
value_of(unsigned i, unsigned step)
{
    unsigned noise = (i * 2654435761u + step * 40503u) >> 7;
    switch (i % METRICS) {
    case 0:
        return 90 + noise % 11;
    case 2:
        return 600 + (double)(noise % 80000) / 1000;
    case 5:
        return 1e9 + step * 9000000.0 + noise % 1000000;
    case 6:
        return (double)(350000 + noise % 100000) / 1e6;
    case 7:
        return 1e12 + step * 2e9 + noise;
    default:
        return 60 + i % METRICS;
    }
}

static int
add(struct wire_encoder *e, const char *node, unsigned i, int64_t t_ms, double v)
{
    char gpu[16], device[24];
    struct labels l = {0};
    snprintf(gpu, sizeof gpu, "%u", i / METRICS);
    snprintf(device, sizeof device, "nvidia%u", i / METRICS);
    labels_add_str(&l, "Hostname", node);
    labels_add_str(&l, "__name__", metrics[i % METRICS]);
    labels_add_str(&l, "device", device);
    labels_add_str(&l, "gpu", gpu);
    labels_add_str(&l, "modelName", "NVIDIA H100 80GB HBM3");
    int rc = labels_finish(&l);
    return rc ? rc : wire_encode_sample(e, &l, t_ms, v);
}

int
main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: bench_store_agent NODE SERIES STEPS INTERVAL_S START_S FILE\n");
        return 2;
    }
    unsigned series = (unsigned)atoi(argv[2]), steps = (unsigned)atoi(argv[3]);
    int64_t interval = atoll(argv[4]), start = atoll(argv[5]);
    struct wire_encoder *e = wire_encoder_new();
    FILE *f = fopen(argv[6], "wb");
    uint32_t a_step = 1;
    int rc = !e || !f || fwrite(&a_step, 4, 1, f) != 1;
    for (unsigned s = 0; !rc && s < steps; s++) {
        struct wire_head head = {.epoch = 1, .sequence = s + 1};
        struct buf out;
        head.sent_ms = (start + s * interval) * 1000;
        snprintf(head.agent, sizeof head.agent, "%s", argv[1]);
        buf_init(&out, (size_t)32 << 20);
        wire_encode_begin(e, &head);
        for (unsigned i = 0; !rc && i < series; i++)
            rc = add(e, argv[1], i, head.sent_ms, value_of(i, s));
        rc = rc ? rc : wire_encode_end(e, &out);
        uint32_t len = (uint32_t)out.len;
        if (!rc)
            rc = fwrite(&len, 4, 1, f) != 1 || fwrite(out.data, 1, len, f) != len;
        buf_done(&out);
    }
    wire_encoder_free(e);
    return rc || fclose(f) ? 1 : 0;
}
