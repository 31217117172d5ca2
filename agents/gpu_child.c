/* gpu_child: eight GPUs, some forty questions each, every 15 s. Always true: a question that fails
 * gives no series; a GPU that is lost gives none but myriascope_agent_gpu_lost. Names and units as
 * dcgm-exporter writes them. */
#include "agents/gpu_child.h"

#include "agents/nvml.h"
#include "agents/shed.h"
#include "agents/snap.h"
#include "base/err.h"
#include "base/jsonw.h"

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define GPU_CHILD_GPUS_MAX 64u

struct gpu_child_gpu {
    nvml_device device;
    char index[8], name[96], uuid[96], serial[64], pci[32], file[16];
    double xid;
    void *gpm[2]; /* the sample before, and the next; NULL: the GPU has none */
    bool gpm_begun;
    bool found, lost;
};

struct gpu_child {
    struct nvml nvml;
    const char *node;
    char driver[96];
    struct gpu_child_gpu gpus[GPU_CHILD_GPUS_MAX];
    unsigned count;
    void *events;
    bool plain;
    struct nvml_gpm gpm; /* 20 KB */
    struct snap out;
};

static int
gpu_child_load(struct gpu_child *c, const char *library)
{
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return GPU_CHILD_NO_LIBRARY;
        /* POSIX lets an object pointer from dlsym be copied into a function pointer. */
#define GPU_CHILD_SYMBOL(symbol, member, parameters)                                               \
    {                                                                                              \
        void *at = dlsym(lib, symbol);                                                             \
        memcpy(&c->nvml.member, &at, sizeof at);                                                   \
    }
    NVML_FUNCTIONS(GPU_CHILD_SYMBOL)
#undef GPU_CHILD_SYMBOL
    return c->nvml.init && c->nvml.count && c->nvml.handle ? 0 : GPU_CHILD_NO_LIBRARY;
}

/* Asks if the function is there: NVML_OK, or its error. */
#define ASK(c, member, ...)                                                                        \
    ((c)->nvml.member ? (c)->nvml.member(__VA_ARGS__) : (int)NVML_NOT_SUPPORTED)

static void
gpu_child_gpm_open(struct gpu_child *c, struct gpu_child_gpu *g)
{
    struct nvml_gpm_support support = {.version = 1};
    if (c->plain || !c->nvml.gpm_sample || !c->nvml.gpm_metrics ||
        ASK(c, gpm_support, g->device, &support) != NVML_OK || !support.supported ||
        ASK(c, gpm_alloc, &g->gpm[0]) != NVML_OK || ASK(c, gpm_alloc, &g->gpm[1]) != NVML_OK)
        g->gpm[0] = NULL;
}

static void
gpu_child_identify(struct gpu_child *c, unsigned i)
{
    struct gpu_child_gpu *g = &c->gpus[i];
    struct nvml_pci pci;
    int rc = c->nvml.handle(i, &g->device);
    snprintf(g->index, sizeof g->index, "%u", i);
    snprintf(g->file, sizeof g->file, "nvidia%u", i);
    g->found = rc == NVML_OK;
    g->lost = rc == NVML_GPU_IS_LOST;
    if (!g->found)
        return;
    ASK(c, name, g->device, g->name, sizeof g->name);
    ASK(c, uuid, g->device, g->uuid, sizeof g->uuid);
    ASK(c, serial, g->device, g->serial, sizeof g->serial);
    if (ASK(c, pci, g->device, &pci) == NVML_OK)
        snprintf(g->pci, sizeof g->pci, "%.31s", pci.bus_id);
    gpu_child_gpm_open(c, g);
    if (c->events)
        ASK(c, event_register, g->device, NVML_EVENT_XID, c->events);
}

static int
gpu_child_init(struct gpu_child *c)
{
    unsigned count = 0;
    if (c->nvml.init() != NVML_OK || c->nvml.count(&count) != NVML_OK)
        return GPU_CHILD_NO_GPU;
    ASK(c, driver, c->driver, sizeof c->driver);
    if (ASK(c, event_set, &c->events) != NVML_OK)
        c->events = NULL;
    c->count = count < GPU_CHILD_GPUS_MAX ? count : GPU_CHILD_GPUS_MAX;
    for (unsigned i = 0; i < c->count; i++)
        gpu_child_identify(c, i);
    return c->count ? 0 : GPU_CHILD_NO_GPU;
}

static void
gpu_child_add(struct gpu_child *c, const struct gpu_child_gpu *g, const char *name, double v)
{
    snap_add(&c->out, name, v, "gpu", g->index, "UUID", g->uuid, "device", g->file, "modelName",
             g->name, "Hostname", c->node, "pci_bus_id", g->pci, NULL);
}

static void
gpu_child_load_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    struct nvml_utilization use;
    struct nvml_memory memory;
    unsigned v;
    unsigned long long big;
    if (ASK(c, utilization, g->device, &use) == NVML_OK) {
        gpu_child_add(c, g, "DCGM_FI_DEV_GPU_UTIL", use.gpu);
        gpu_child_add(c, g, "DCGM_FI_DEV_MEM_COPY_UTIL", use.memory);
    }
    if (ASK(c, memory, g->device, &memory) == NVML_OK) {
        gpu_child_add(c, g, "DCGM_FI_DEV_FB_USED", (double)(memory.used >> 20)); /* MiB */
        gpu_child_add(c, g, "DCGM_FI_DEV_FB_FREE", (double)(memory.free >> 20));
    }
    if (ASK(c, clock, g->device, 1, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_SM_CLOCK", v);
    if (ASK(c, clock, g->device, 2, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_MEM_CLOCK", v);
    if (ASK(c, throttle, g->device, &big) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", (double)big);
}

static void
gpu_child_power_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    struct nvml_violation violation;
    struct nvml_field field = {.field = NVML_FIELD_MEMORY_TEMP};
    unsigned v;
    unsigned long long big;
    if (ASK(c, temperature, g->device, 0, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_GPU_TEMP", v);
    if (ASK(c, fields, g->device, 1, &field) == NVML_OK && field.result == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_MEMORY_TEMP", field.value.ui);
    if (ASK(c, power, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_POWER_USAGE", v / 1e3); /* mW */
    if (ASK(c, energy, g->device, &big) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", (double)big);
    if (ASK(c, violation, g->device, 0, &violation) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_POWER_VIOLATION", (double)violation.violation_time);
    if (ASK(c, violation, g->device, 1, &violation) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_THERMAL_VIOLATION", (double)violation.violation_time);
}

static void
gpu_child_errors_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    static const char *const ecc[2][2] = {
        {"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL"},
        {"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL"}};
    unsigned corrected, uncorrected, pending, failed, v;
    unsigned long long big;
    for (int kind = 0; kind < 2; kind++)
        for (int age = 0; age < 2; age++)
            if (ASK(c, ecc, g->device, kind, age, &big) == NVML_OK)
                gpu_child_add(c, g, ecc[kind][age], (double)big);
    if (ASK(c, remapped, g->device, &corrected, &uncorrected, &pending, &failed) == NVML_OK) {
        gpu_child_add(c, g, "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", corrected);
        gpu_child_add(c, g, "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", uncorrected);
        gpu_child_add(c, g, "DCGM_FI_DEV_ROW_REMAP_PENDING", pending);
        gpu_child_add(c, g, "DCGM_FI_DEV_ROW_REMAP_FAILURE", failed);
    }
    if (ASK(c, replay, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", v);
    if (ASK(c, link_gen, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PCIE_LINK_GEN", v);
    if (ASK(c, link_width, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PCIE_LINK_WIDTH", v);
    gpu_child_add(c, g, "DCGM_FI_DEV_XID_ERRORS", g->xid);
}

static void
gpu_child_nvlink_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    struct nvml_field f[2] = {{.field = NVML_FIELD_NVLINK_TX_KIB, .scope = UINT_MAX},
                              {.field = NVML_FIELD_NVLINK_RX_KIB, .scope = UINT_MAX}};
    unsigned links = 0, up, state;
    double errors = 0;
    for (up = 0; links < NVML_NVLINKS_MAX; links++) {
        unsigned long long crc = 0;
        if (ASK(c, nvlink_state, g->device, links, &state) != NVML_OK)
            break;
        up += state == 1;
        if (ASK(c, nvlink_errors, g->device, links, NVML_NVLINK_CRC_FLIT, &crc) == NVML_OK)
            errors += (double)crc;
    }
    if (!links)
        return;
    gpu_child_add(c, g, "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", errors);
    gpu_child_add(c, g, "myriascope_gpu_nvlinks_up", up);
    if (ASK(c, fields, g->device, 2, f) != NVML_OK || f[0].result || f[1].result)
        return;
    gpu_child_add(c, g, "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
                  (double)(f[0].value.ull + f[1].value.ull)); /* KiB */
}

/* Shares of the time since the last collection, as DCGM's profiling fields. */
static void
gpu_child_gpm_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    static const struct {
        unsigned metric;
        const char *name;
        double scale;
    } rows[] = {{NVML_GPM_GRAPHICS, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.01},
                {NVML_GPM_SM, "DCGM_FI_PROF_SM_ACTIVE", 0.01},
                {NVML_GPM_TENSOR, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.01},
                {NVML_GPM_DRAM, "DCGM_FI_PROF_DRAM_ACTIVE", 0.01},
                {NVML_GPM_PCIE_TX, "DCGM_FI_PROF_PCIE_TX_BYTES", 1048576},
                {NVML_GPM_PCIE_RX, "DCGM_FI_PROF_PCIE_RX_BYTES", 1048576}};
    enum { ROWS = sizeof rows / sizeof *rows };
    if (!g->gpm[0] || ASK(c, gpm_sample, g->device, g->gpm[1]) != NVML_OK)
        return;
    c->gpm.version = 1;
    c->gpm.metric_count = ROWS;
    c->gpm.before = g->gpm[0];
    c->gpm.after = g->gpm[1];
    for (unsigned i = 0; i < ROWS; i++)
        c->gpm.metrics[i] = (struct nvml_gpm_metric){.metric = rows[i].metric};
    if (g->gpm_begun && ASK(c, gpm_metrics, &c->gpm) == NVML_OK)
        for (unsigned i = 0; i < ROWS; i++)
            if (c->gpm.metrics[i].result == NVML_OK && c->gpm.metrics[i].value >= 0)
                gpu_child_add(c, g, rows[i].name, c->gpm.metrics[i].value * rows[i].scale);
    g->gpm_begun = true;
    g->gpm[1] = g->gpm[0];
    g->gpm[0] = c->gpm.after;
}

/* XID errors since the last time; at most 64 a turn. */
static void
gpu_child_events(struct gpu_child *c)
{
    struct nvml_event ev;
    for (int turn = 0; c->events && turn < 64 && ASK(c, event_wait, c->events, &ev, 0) == NVML_OK;
         turn++)
        for (unsigned i = 0; i < c->count; i++)
            if (c->gpus[i].found && c->gpus[i].device == ev.device && ev.type == NVML_EVENT_XID)
                c->gpus[i].xid = (double)ev.data;
}

static void
gpu_child_collect(struct gpu_child *c)
{
    unsigned lost = 0;
    snap_reset(&c->out);
    gpu_child_events(c);
    for (unsigned i = 0; i < c->count; i++) {
        struct gpu_child_gpu *g = &c->gpus[i];
        unsigned v;
        if (g->found)
            g->lost = ASK(c, temperature, g->device, 0, &v) == NVML_GPU_IS_LOST;
        lost += g->lost || !g->found;
        gpu_child_add(c, g, "myriascope_agent_gpu_lost", g->lost || !g->found);
        if (g->lost || !g->found)
            continue;
        gpu_child_load_of(c, g);
        gpu_child_power_of(c, g);
        gpu_child_errors_of(c, g);
        gpu_child_nvlink_of(c, g);
        gpu_child_gpm_of(c, g);
    }
    snap_add(&c->out, "myriascope_agent_gpus", c->count, NULL);
    snap_add(&c->out, "myriascope_agent_gpus_lost", lost, NULL);
}

static void
gpu_child_inventory(const struct gpu_child *c, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    for (unsigned i = 0; i < c->count; i++) {
        const struct gpu_child_gpu *g = &c->gpus[i];
        jsonw_object(&w);
        jsonw_kint(&w, "index", i);
        jsonw_kstr(&w, "uuid", g->uuid);
        jsonw_kstr(&w, "pci", g->pci);
        jsonw_kstr(&w, "model", g->name);
        jsonw_kstr(&w, "serial", g->serial);
        jsonw_kstr(&w, "driver", c->driver);
        jsonw_kbool(&w, "lost", g->lost || !g->found);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
}

static int
gpu_child_send(const struct buf *b)
{
    uint8_t head[4];
    size_t done = 0;
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(b->len >> 8 * i);
    if (write(GPU_CHILD_FD, head, 4) != 4)
        return ERR_CLOSED;
    while (done < b->len) {
        ssize_t n = write(GPU_CHILD_FD, b->data + done, b->len - done);
        if (n <= 0)
            return ERR_CLOSED;
        done += (size_t)n;
    }
    return 0;
}

static int
gpu_child_answer(struct gpu_child *c)
{
    struct buf series, gpus;
    buf_init(&series, GPU_CHILD_FRAME_MAX);
    buf_init(&gpus, GPU_CHILD_FRAME_MAX);
    gpu_child_collect(c);
    snap_text(&c->out, &series);
    gpu_child_inventory(c, &gpus);
    int rc = gpu_child_send(&series);
    if (!rc)
        rc = gpu_child_send(&gpus);
    buf_done(&series);
    buf_done(&gpus);
    return rc;
}

int
gpu_child_run(const char *option, const char *library, const char *node)
{
    static struct gpu_child c; /* of this process, which does nothing else */
    char asked;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    c.node = node;
    c.plain = !strcmp(option, GPU_CHILD_PLAIN);
    snap_init(&c.out);
    shed_pages(true);
    int rc = gpu_child_load(&c, library);
    if (!rc)
        rc = gpu_child_init(&c);
    while (!rc && read(GPU_CHILD_FD, &asked, 1) == 1)
        if (gpu_child_answer(&c))
            break;
    return rc;
}
