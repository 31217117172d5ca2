/* fault_gpu: what breaks in an accelerator, its links and its slot. Kernel lines are the NVIDIA
 * driver's. */
#include "sim/fault.h"
#include "sim/simline.h"

#include <math.h>
#include <stdio.h>

enum { FAULT_GPU_HW_SLOW = 0x8, FAULT_GPU_POWER_BRAKE = 0x80 };

struct fault_gpu {
    uint32_t node, gpu;
    char pci[16];
    unsigned pid;
};

/* "0000:18:00" is how the driver names the device in its Xid lines. */
static struct fault_gpu
fault_gpu_at(const struct world *w, const struct fault *f)
{
    const struct plan_gpu *p = &w->plan->gpus.at[f->i];
    struct fault_gpu g = {.node = p->node, .gpu = f->i, .pid = 20000 + f->i % 40000};
    snprintf(g.pci, sizeof g.pci, "%.10s", p->pci);
    return g;
}

static void
fault_gpu_ascend(struct world *w, const struct fault_gpu *g, const char *code)
{
    simline_syslog(w, g->node, 0, 3, "npu-exporter",
                   "device %u reported fault event, error code 0x%s",
                   w->plan->gpus.at[g->gpu].index, code);
}

static bool
fault_gpu_nvidia(const struct world *w, const struct fault_gpu *g)
{
    return w->plan->nodes.at[g->node].vendor[0] != 'a';
}

static void
fault_gpu_fallen_begin(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpus[f->i].xid = 79;
    w->gpus[f->i].error_code = 0x80E18402u;
    if (!fault_gpu_nvidia(w, &g)) {
        fault_gpu_ascend(w, &g, "80E18402");
        return;
    }
    simline_kernel(w, g.node, 0, 4, "pcieport %.7s:01.1: pciehp: Slot(%u): Link Down", g.pci,
                   w->plan->gpus.at[f->i].index + 32);
    simline_kernel(w, g.node, 150, 3, "NVRM: GPU at PCI:%s: GPU-%08x-6d0f-4b7e-9a51-0c3e7f2ab1%02x",
                   g.pci, (unsigned)rng_hash(f->i, 1), f->i & 255);
    simline_kernel(w, g.node, 160, 3,
                   "NVRM: Xid (PCI:%s): 79, pid=%u, name=python3, GPU has fallen off the bus.",
                   g.pci, g.pid);
    simline_kernel(w, g.node, 170, 3, "NVRM: GPU %s.0: GPU has fallen off the bus.", g.pci);
    simline_kernel(w, g.node, 900, 3,
                   "NVRM: Xid (PCI:%s): 154, GPU recovery action changed from 0x0 (None) to 0x2 "
                   "(Node Reboot Required)",
                   g.pci);
}

static void
fault_gpu_fallen_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->gpu_mods[f->i].lost = 1;
}

static void
fault_gpu_reset(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpus[f->i].xid = 0;
    w->gpus[f->i].error_code = 0;
    w->gpus[f->i].sbe = w->gpus[f->i].dbe = w->gpus[f->i].nvlink_crc =
        0; /* volatile counts start anew */
    simline_syslog(w, g.node, 0, 6, "nvidia-persistenced",
                   "device %s.0 - persistence mode enabled.", g.pci);
}

static void
fault_gpu_dbe_begin(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpus[f->i].dbe += 1;
    w->gpus[f->i].remap_rows += 1;
    w->gpus[f->i].xid = 94;
    w->gpus[f->i].error_code = 0x80E01801u;
    if (fault_gpu_nvidia(w, &g)) {
        simline_kernel(w, g.node, 0, 3,
                       "NVRM: Xid (PCI:%s): 48, pid=%u, name=python3, DBE (double bit error) ECC "
                       "Error detected",
                       g.pci, g.pid);
        simline_kernel(w, g.node, 5, 3,
                       "NVRM: Xid (PCI:%s): 63, pid=%u, name=python3, Row Remapper: New row "
                       "(0x000000000c3f21%02x) marked "
                       "for remapping, reset gpu to activate.",
                       g.pci, g.pid, f->i & 255);
        simline_kernel(w, g.node, 9, 3,
                       "NVRM: Xid (PCI:%s): 94, pid=%u, name=python3, Contained: HBM (0x1, 0x0). "
                       "RST: No, D-RST: No",
                       g.pci, g.pid);
        simline_kernel(w, g.node, 400, 4,
                       "NVRM: Xid (PCI:%s): 45, pid=%u, name=python3, Ch 00000010", g.pci, g.pid);
    } else {
        fault_gpu_ascend(w, &g, "80E01801");
    }
    simjob_kill(w, g.node, (int32_t)f->i, 1);
}

static void
fault_gpu_hang_begin(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpus[f->i].xid = 119;
    w->gpus[f->i].error_code = 0x8C03A000u;
    if (!fault_gpu_nvidia(w, &g)) {
        fault_gpu_ascend(w, &g, "8C03A000");
        return;
    }
    simline_kernel(w, g.node, 0, 3,
                   "NVRM: Xid (PCI:%s): 119, pid=%u, name=python3, Timeout after 6s of waiting for "
                   "RPC response from GPU%u "
                   "GSP! Expected function 76 (GSP_RM_CONTROL) (0x20800a4c 0x4).",
                   g.pci, g.pid, w->plan->gpus.at[f->i].index);
}

static void
fault_gpu_hang_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpu_mods[f->i].hung = 1;
    if (f->said == 0) {
        f->said = 1;
        f->next_ms = w->now_ms + 6000;
    }
    if (fault_gpu_nvidia(w, &g) && f->said < 4 && fault_due(w, f, 8)) {
        simline_kernel(w, g.node, 0, 3,
                       "NVRM: Xid (PCI:%s): 119, pid=%u, name=python3, Timeout after 6s of waiting "
                       "for RPC response from "
                       "GPU%u GSP! Expected function 76 (GSP_RM_CONTROL) (0x2080a068 0x4).",
                       g.pci, g.pid, w->plan->gpus.at[f->i].index);
        f->said++;
    }
}

static void
fault_gpu_slow_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->gpu_mods[f->i].slow = 0.45f;
    w->gpu_mods[f->i].throttle |= FAULT_GPU_HW_SLOW | FAULT_GPU_POWER_BRAKE;
}

static void
fault_gpu_hot_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)dt;
    w->gpu_mods[f->i].heat = (float)(38.0 * fmin(1.0, progress * 4));
}

static void
fault_gpu_nvlink_begin(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpus[f->i].xid = 74;
    simline_kernel(w, g.node, 0, 3,
                   "NVRM: Xid (PCI:%s): 74, pid=%u, name=python3, NVLink: fatal error detected on "
                   "link 6(0x10000, 0x0, 0x0, "
                   "0x0, 0x0, 0x0, 0x0)",
                   g.pci, g.pid);
    simline_kernel(w, g.node, 300, 4, "NVRM: Xid (PCI:%s): 45, pid=%u, name=python3, Ch 00000011",
                   g.pci, g.pid);
    simline_syslog(w, g.node, 500, 3, "nv-fabricmanager",
                   "[ERROR] detected NVLink fatal error on GPU pci bus id %s.0 link index 6",
                   g.pci);
    simjob_kill(w, g.node, (int32_t)f->i, 1);
}

static void
fault_gpu_nvlink_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->gpu_mods[f->i].nvlink_crc = 140;
}

static void
fault_gpu_pcie_begin(struct world *w, struct fault *f)
{
    struct fault_gpu g = fault_gpu_at(w, f);
    simline_kernel(w, g.node, 0, 4,
                   "pci %s.0: 15.752 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x4 "
                   "link at %.7s:01.1 (capable of "
                   "504.112 Gb/s with 32.0 GT/s PCIe x16 link)",
                   g.pci, g.pci);
}

static void
fault_gpu_pcie_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    struct fault_gpu g = fault_gpu_at(w, f);
    w->gpu_mods[f->i].narrow = 1;
    w->gpu_mods[f->i].replay = 40;
    if (!fault_due(w, f, 12))
        return;
    simline_kernel(w, g.node, 0, 4,
                   "pcieport %.7s:01.1: AER: Correctable error message received from %s.0", g.pci,
                   g.pci);
    simline_kernel(
        w, g.node, 2, 4,
        "nvidia %s.0: PCIe Bus Error: severity=Correctable, type=Data Link Layer, (Transmitter ID)",
        g.pci);
    simline_kernel(w, g.node, 3, 4,
                   "nvidia %s.0:   device [10de:2330] error status/mask=00001000/0000a000", g.pci);
    simline_kernel(w, g.node, 4, 4, "nvidia %s.0:    [12] Timeout", g.pci);
}

const struct fault_row fault_rows_gpu[] = {
    {"gpu-fallen-off", "gpu", 180,
     "the GPU drops off the PCIe bus (Xid 79): its series end, its rank dies, the job fails",
     fault_gpu_fallen_begin, fault_gpu_fallen_apply, fault_gpu_reset, "gpu node", "gpu",
     "infrastructure"},
    {"gpu-ecc-dbe", "gpu", 120,
     "an uncorrectable HBM error (Xid 48, 63, 94): a row is remapped, the rank dies, the job fails",
     fault_gpu_dbe_begin, NULL, fault_gpu_reset, "gpu", "gpu-memory", "infrastructure"},
    {"gpu-hang", "gpu", 240,
     "the GPU's firmware stops answering (Xid 119): it idles while all peers spin, the watchdog "
     "ends the job",
     fault_gpu_hang_begin, fault_gpu_hang_apply, fault_gpu_reset, "gpu node", "gpu",
     "infrastructure"},
    {"gpu-slow", "gpu", 240,
     "a straggler: the board's power brake halves the GPU's clock, the whole job runs at its pace",
     NULL, fault_gpu_slow_apply, NULL, "gpu node", "gpu power", "infrastructure"},
    {"gpu-overheat", "gpu", 300,
     "the GPU's cold plate loses contact: it heats up and throttles, the job slows down", NULL,
     fault_gpu_hot_apply, NULL, "gpu node", "cooling gpu", "infrastructure"},
    {"nvlink-errors", "gpu", 180,
     "an NVLink fails (Xid 74) with CRC errors before and after: the rank dies, the job fails",
     fault_gpu_nvlink_begin, fault_gpu_nvlink_apply, fault_gpu_reset, "gpu nvswitch node", "nvlink",
     "infrastructure"},
    {"pcie-degraded", "gpu", 240,
     "the GPU's PCIe link trains down to Gen3 x4 with replays and AER lines: the job slows down",
     fault_gpu_pcie_begin, fault_gpu_pcie_apply, NULL, "gpu node", "pcie", "infrastructure"},
    {.name = NULL},
};
