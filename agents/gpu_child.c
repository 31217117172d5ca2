/* gpu_child: eight GPUs, some forty questions each every 15 s, and twenty that change seldom once a
 * minute. Always true: a question that fails gives no series; a GPU that is lost, or that the
 * kernel put to sleep, gives none but the one that says so; a value that no GPU can have (the table
 * of metrics has the ranges) is not told but counted. Names and units as dcgm-exporter writes them.
 */
#include "agents/gpu_child.h"

#include "agents/gpu_frame.h"
#include "agents/nvml.h"
#include "agents/shed.h"
#include "agents/snap.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "base/metric.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GPU_CHILD_GPUS_MAX 64u
#define GPU_CHILD_SLOW     4u /* turns between two looks at what changes seldom */

struct gpu_child_gpu {
    nvml_device device;
    char index[8], name[96], uuid[96], serial[64], pci[32], file[16];
    double xid;
    void *gpm[2]; /* the sample before, and the next; NULL: the GPU has none */
    bool gpm_begun;
    bool found, lost, asleep;
    double implausible; /* values that were not told */
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
    struct metric_table *ranges;
    struct snap out, slow; /* slow: what changes seldom, as last asked */
    struct snap *to;       /* which of them is filled */
    unsigned turns;
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

/* What the library wrote, as a label can have it: printable, and ended. */
static void
gpu_child_clean(char *text, size_t size)
{
    text[size - 1] = 0;
    for (char *c = text; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
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
    gpu_child_clean(g->name, sizeof g->name);
    gpu_child_clean(g->uuid, sizeof g->uuid);
    gpu_child_clean(g->serial, sizeof g->serial);
    gpu_child_clean(g->pci, sizeof g->pci);
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
    if (count > GPU_CHILD_GPUS_MAX)
        return GPU_CHILD_LIES;
    ASK(c, driver, c->driver, sizeof c->driver);
    gpu_child_clean(c->driver, sizeof c->driver);
    if (ASK(c, event_set, &c->events) != NVML_OK)
        c->events = NULL;
    c->count = count;
    for (unsigned i = 0; i < c->count; i++)
        gpu_child_identify(c, i);
    return c->count ? 0 : GPU_CHILD_NO_GPU;
}

/* No GPU has a negative, an endless or an undefined value of anything. */
static bool
gpu_child_plausible(const struct gpu_child *c, const char *name, double v)
{
    const struct metric_row *row = metric_find(c->ranges, name, strlen(name));
    if (!isfinite(v) || v < 0)
        return false;
    return !row || (v * row->scale >= row->min && v * row->scale <= row->max);
}

static void
gpu_child_add(struct gpu_child *c, struct gpu_child_gpu *g, const char *name, double v)
{
    if (gpu_child_plausible(c, name, v))
        snap_add(c->to, name, v, "gpu", g->index, "UUID", g->uuid, "device", g->file, "modelName",
                 g->name, "Hostname", c->node, "pci_bus_id", g->pci, NULL);
    else
        g->implausible++;
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
        gpu_child_add(c, g, "DCGM_FI_DEV_FB_TOTAL", (double)(memory.total >> 20));
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
    static const char *const violations[NVML_VIOLATIONS] = {
        "DCGM_FI_DEV_POWER_VIOLATION",      "DCGM_FI_DEV_THERMAL_VIOLATION",
        "DCGM_FI_DEV_SYNC_BOOST_VIOLATION", "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION",
        "DCGM_FI_DEV_LOW_UTIL_VIOLATION",   "DCGM_FI_DEV_RELIABILITY_VIOLATION"};
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
    for (int i = 0; i < NVML_VIOLATIONS; i++)
        if (ASK(c, violation, g->device, i, &violation) == NVML_OK)
            gpu_child_add(c, g, violations[i], (double)violation.violation_time);
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
    static const char *const names[NVML_NVLINK_ERRORS] = {
        "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
        "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL",
        "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
        "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL"};
    struct nvml_field f[2] = {{.field = NVML_FIELD_NVLINK_TX_KIB, .scope = UINT_MAX},
                              {.field = NVML_FIELD_NVLINK_RX_KIB, .scope = UINT_MAX}};
    unsigned links = 0, up = 0, told[NVML_NVLINK_ERRORS] = {0}, state;
    double errors[NVML_NVLINK_ERRORS] = {0};
    for (; links < NVML_NVLINKS_MAX; links++) {
        if (ASK(c, nvlink_state, g->device, links, &state) != NVML_OK)
            break;
        up += state == 1;
        for (int i = 0; i < NVML_NVLINK_ERRORS; i++) {
            unsigned long long v = 0;
            if (ASK(c, nvlink_errors, g->device, links, i, &v) != NVML_OK)
                continue;
            told[i]++;
            errors[i] += (double)v;
        }
    }
    if (!links)
        return;
    for (int i = 0; i < NVML_NVLINK_ERRORS; i++)
        if (told[i])
            gpu_child_add(c, g, names[i], errors[i]);
    gpu_child_add(c, g, "myriascope_gpu_nvlinks", links);
    gpu_child_add(c, g, "myriascope_gpu_nvlinks_up", up);
    if (ASK(c, fields, g->device, 2, f) != NVML_OK || f[0].result || f[1].result)
        return;
    gpu_child_add(c, g, "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
                  (double)(f[0].value.ull + f[1].value.ull)); /* KiB */
}

/* --- what changes seldom ---------------------------------------------------------------------- */

static void
gpu_child_limits_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    static const char *const thresholds[] = {
        "DCGM_FI_DEV_SHUTDOWN_TEMP", "DCGM_FI_DEV_SLOWDOWN_TEMP", "DCGM_FI_DEV_MEM_MAX_OP_TEMP",
        "DCGM_FI_DEV_GPU_MAX_OP_TEMP"};
    unsigned v, period;
    for (int i = 0; i < 4; i++)
        if (ASK(c, threshold, g->device, i, &v) == NVML_OK)
            gpu_child_add(c, g, thresholds[i], v);
    if (ASK(c, power_limit, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", v / 1e3); /* mW */
    if (ASK(c, link_gen_max, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PCIE_MAX_LINK_GEN", v);
    if (ASK(c, link_width_max, g->device, &v) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH", v);
    if (ASK(c, encoder, g->device, &v, &period) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_ENC_UTIL", v);
    if (ASK(c, decoder, g->device, &v, &period) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_DEC_UTIL", v);
}

static void
gpu_child_modes_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    struct nvml_fabric fabric = {.state = 0};
    unsigned on, next;
    int now, then;
    if (ASK(c, mig, g->device, &on, &next) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_MIG_MODE", on);
    if (ASK(c, ecc_mode, g->device, &now, &then) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_ECC_CURRENT", now);
    if (ASK(c, persistence, g->device, &now) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PERSISTENCE_MODE", now);
    if (ASK(c, pstate, g->device, &now) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_PSTATE", now);
    if (ASK(c, fabric, g->device, &fabric) != NVML_OK || fabric.state > 3)
        return;
    /* As DCGM counts: 0 not supported, 1 not started, 2 in progress, 3 success, 4 failure. */
    bool failed = fabric.state == 3 && fabric.status != NVML_OK;
    gpu_child_add(c, g, "DCGM_FI_DEV_FABRIC_MANAGER_STATUS", failed ? 4 : fabric.state);
    if (failed)
        gpu_child_add(c, g, "DCGM_FI_DEV_FABRIC_MANAGER_ERROR_CODE", fabric.status);
}

static void
gpu_child_retired_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    static const char *const retired[] = {"DCGM_FI_DEV_RETIRED_SBE", "DCGM_FI_DEV_RETIRED_DBE"};
    struct nvml_remap_histogram h;
    int pending;
    for (int cause = 0; cause < 2; cause++) {
        unsigned count = 0; /* no room for addresses: their number is all that is wanted */
        int rc = ASK(c, retired, g->device, cause, &count, NULL);
        if (rc == NVML_OK || rc == NVML_INSUFFICIENT_SIZE)
            gpu_child_add(c, g, retired[cause], count);
    }
    if (ASK(c, retired_pending, g->device, &pending) == NVML_OK)
        gpu_child_add(c, g, "DCGM_FI_DEV_RETIRED_PENDING", pending);
    if (ASK(c, remap_histogram, g->device, &h) != NVML_OK)
        return;
    gpu_child_add(c, g, "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX", h.max);
    gpu_child_add(c, g, "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH", h.high);
    gpu_child_add(c, g, "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL", h.partial);
    gpu_child_add(c, g, "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW", h.low);
    gpu_child_add(c, g, "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE", h.none);
}

/* --- rates ------------------------------------------------------------------------------------ */

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
                {NVML_GPM_OCCUPANCY, "DCGM_FI_PROF_SM_OCCUPANCY", 0.01},
                {NVML_GPM_FP64, "DCGM_FI_PROF_PIPE_FP64_ACTIVE", 0.01},
                {NVML_GPM_FP32, "DCGM_FI_PROF_PIPE_FP32_ACTIVE", 0.01},
                {NVML_GPM_FP16, "DCGM_FI_PROF_PIPE_FP16_ACTIVE", 0.01},
                {NVML_GPM_NVLINK_TX, "DCGM_FI_PROF_NVLINK_TX_BYTES", 1048576},
                {NVML_GPM_NVLINK_RX, "DCGM_FI_PROF_NVLINK_RX_BYTES", 1048576},
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

/* "00000000:1B:00.0" is 0000:1b:00.0 in sysfs. A question would wake a GPU that sleeps. */
static bool
gpu_child_asleep(const struct gpu_child_gpu *g)
{
    char path[128], status[16] = "", pci[32];
    size_t n = strlen(g->pci);
    const char *from = n > 12 ? g->pci + n - 12 : g->pci;
    snprintf(pci, sizeof pci, "%s", from);
    for (char *p = pci; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/power/runtime_status", pci);
    FILE *f = strpbrk(pci, "/ ") || !*pci ? NULL : fopen(path, "re");
    if (!f)
        return false;
    bool read = fgets(status, sizeof status, f) != NULL;
    fclose(f);
    return read && !strncmp(status, "suspend", 7);
}

static void
gpu_child_of(struct gpu_child *c, struct gpu_child_gpu *g)
{
    unsigned v;
    g->asleep = g->found && gpu_child_asleep(g);
    if (g->asleep) {
        gpu_child_add(c, g, "myriascope_agent_gpu_asleep", 1);
        return;
    }
    if (g->found)
        g->lost = ASK(c, temperature, g->device, 0, &v) == NVML_GPU_IS_LOST;
    gpu_child_add(c, g, "myriascope_agent_gpu_lost", g->lost || !g->found);
    if (g->lost || !g->found)
        return;
    gpu_child_load_of(c, g);
    gpu_child_power_of(c, g);
    gpu_child_errors_of(c, g);
    gpu_child_nvlink_of(c, g);
    gpu_child_gpm_of(c, g);
    gpu_child_add(c, g, "myriascope_agent_gpu_implausible_total", g->implausible);
}

static void
gpu_child_slowly(struct gpu_child *c)
{
    snap_reset(&c->slow);
    c->to = &c->slow;
    for (unsigned i = 0; i < c->count; i++) {
        struct gpu_child_gpu *g = &c->gpus[i];
        if (!g->found || g->lost || g->asleep)
            continue;
        gpu_child_limits_of(c, g);
        gpu_child_modes_of(c, g);
        gpu_child_retired_of(c, g);
    }
}

static void
gpu_child_collect(struct gpu_child *c)
{
    unsigned lost = 0;
    snap_reset(&c->out);
    gpu_child_events(c);
    c->to = &c->out;
    for (unsigned i = 0; i < c->count; i++) {
        gpu_child_of(c, &c->gpus[i]);
        lost += c->gpus[i].lost || !c->gpus[i].found;
    }
    snap_add(&c->out, "myriascope_agent_gpus", c->count, NULL);
    snap_add(&c->out, "myriascope_agent_gpus_lost", lost, NULL);
    if (c->turns++ % GPU_CHILD_SLOW == 0)
        gpu_child_slowly(c);
    snap_append(&c->out, &c->slow);
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
gpu_child_answer(void *ctx)
{
    struct gpu_child *c = ctx;
    struct buf series, gpus;
    buf_init(&series, GPU_CHILD_FRAME_MAX);
    buf_init(&gpus, GPU_CHILD_FRAME_MAX);
    gpu_child_collect(c);
    snap_text(&c->out, &series);
    gpu_child_inventory(c, &gpus);
    int rc = gpu_frame_send(&series, &gpus);
    buf_done(&series);
    buf_done(&gpus);
    return rc;
}

int
gpu_child_run(const char *option, const char *library, const char *node)
{
    static struct gpu_child c; /* of this process, which does nothing else */
    gpu_frame_init();
    c.node = node;
    c.plain = !strcmp(option, GPU_CHILD_PLAIN);
    snap_init(&c.out);
    snap_init(&c.slow);
    c.ranges = metric_table_new();
    if (!c.ranges)
        return GPU_CHILD_NO_LIBRARY;
    shed_pages(true);
    int rc = gpu_child_load(&c, library);
    if (!rc)
        rc = gpu_child_init(&c);
    return rc ? rc : gpu_frame_serve(gpu_child_answer, &c);
}
