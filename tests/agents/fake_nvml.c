/* fake_nvml: a stand-in for NVIDIA's management library, for tests: two GPUs, or FAKE_NVML_GPUS.
 * FAKE_NVML tells it what to be: "" well, "none" without a GPU, "lost" with GPU 1 fallen off the
 * bus, "hang" never to answer a question, "hang-init" not even the first, "crash" to die at a
 * question, "xid" to report XID 79 once. */
#include "agents/nvml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int
fake_is(const char *what)
{
    const char *is = getenv("FAKE_NVML");
    return is && !strcmp(is, what);
}

static long
fake_index(nvml_device d)
{
    return (long)(intptr_t)d - 1;
}

static int
fake_lost(nvml_device d)
{
    if (fake_is("fail"))
        return 999; /* unknown error */
    return fake_is("lost") && fake_index(d) == 1 ? NVML_GPU_IS_LOST : NVML_OK;
}

/* clang-format off */
EXPORT int nvmlInit_v2(void);
EXPORT int nvmlSystemGetDriverVersion(char *out, unsigned size);
EXPORT int nvmlDeviceGetCount_v2(unsigned *ret);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned i, nvml_device *ret);
EXPORT int nvmlDeviceGetName(nvml_device d, char *out, unsigned size);
EXPORT int nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size);
EXPORT int nvmlDeviceGetPciInfo_v3(nvml_device d, struct nvml_pci *ret);
EXPORT int nvmlDeviceGetTemperature(nvml_device d, int sensor, unsigned *ret);
EXPORT int nvmlDeviceGetPowerUsage(nvml_device d, unsigned *ret);
EXPORT int nvmlDeviceGetUtilizationRates(nvml_device d, struct nvml_utilization *ret);
EXPORT int nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *ret);
EXPORT int nvmlDeviceGetTotalEccErrors(nvml_device d, int kind, int age, unsigned long long *ret);
EXPORT int nvmlEventSetCreate(void **ret);
EXPORT int nvmlDeviceRegisterEvents(nvml_device d, unsigned long long types, void *set);
EXPORT int nvmlEventSetWait_v2(void *set, struct nvml_event *ret, unsigned ms);
EXPORT int nvmlGpmQueryDeviceSupport(nvml_device d, struct nvml_gpm_support *ret);
EXPORT int nvmlGpmSampleAlloc(void **ret);
EXPORT int nvmlGpmSampleGet(nvml_device d, void *sample);
EXPORT int nvmlGpmMetricsGet(struct nvml_gpm *g);
EXPORT int nvmlDeviceGetNvLinkState(nvml_device d, unsigned link, unsigned *ret);
EXPORT int nvmlDeviceGetNvLinkErrorCounter(nvml_device d, unsigned link, int kind, unsigned long long *ret);
EXPORT int nvmlDeviceGetViolationStatus(nvml_device d, int kind, struct nvml_violation *ret);
EXPORT int nvmlDeviceGetRetiredPages(nvml_device d, int cause, unsigned *count, unsigned long long *at);
EXPORT int nvmlDeviceGetRetiredPagesPendingStatus(nvml_device d, int *ret);
EXPORT int nvmlDeviceGetRowRemapperHistogram(nvml_device d, struct nvml_remap_histogram *ret);
EXPORT int nvmlDeviceGetMigMode(nvml_device d, unsigned *now, unsigned *next);
EXPORT int nvmlDeviceGetGpuFabricInfo(nvml_device d, struct nvml_fabric *ret);
EXPORT int nvmlDeviceGetTemperatureThreshold(nvml_device d, int kind, unsigned *ret);
/* clang-format on */

int
nvmlInit_v2(void)
{
    while (fake_is("hang-init"))
        pause();
    return NVML_OK;
}

int
nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    snprintf(out, size, "550.1");
    return NVML_OK;
}

int
nvmlDeviceGetCount_v2(unsigned *ret)
{
    const char *gpus = getenv("FAKE_NVML_GPUS");
    *ret = fake_is("none") ? 0 : fake_is("lie-count") ? ~0u : gpus ? (unsigned)atoi(gpus) : 2;
    return NVML_OK;
}

int
nvmlDeviceGetHandleByIndex_v2(unsigned i, nvml_device *ret)
{
    *ret = (nvml_device)(intptr_t)(i + 1);
    return NVML_OK;
}

int
nvmlDeviceGetName(nvml_device d, char *out, unsigned size)
{
    if (fake_is("lie"))
        memset(out, 0xff, size);
    else
        snprintf(out, size, "Example GPU");
    return fake_lost(d);
}

int
nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size)
{
    snprintf(out, size, "GPU-%ld", fake_index(d));
    return NVML_OK;
}

int
nvmlDeviceGetPciInfo_v3(nvml_device d, struct nvml_pci *ret)
{
    memset(ret, 0, sizeof *ret);
    snprintf(ret->bus_id, sizeof ret->bus_id, "00000000:%02lX:00.0", 0x1b + fake_index(d));
    return NVML_OK;
}

int
nvmlDeviceGetTemperature(nvml_device d, int sensor, unsigned *ret)
{
    (void)sensor;
    while (fake_is("hang"))
        pause();
    if (fake_is("crash"))
        abort();
    *ret = fake_is("lie") ? 4000000000u : 40 + (unsigned)fake_index(d);
    return fake_lost(d);
}

int
nvmlDeviceGetPowerUsage(nvml_device d, unsigned *ret)
{
    *ret = fake_is("lie") ? ~0u : 123456;
    return fake_lost(d);
}

int
nvmlDeviceGetUtilizationRates(nvml_device d, struct nvml_utilization *ret)
{
    *ret = fake_is("lie") ? (struct nvml_utilization){~0u, 12} : (struct nvml_utilization){97, 12};
    return fake_lost(d);
}

int
nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *ret)
{
    *ret = (struct nvml_memory){80ull << 30, 16ull << 30, 64ull << 30};
    return fake_lost(d);
}

int
nvmlDeviceGetTotalEccErrors(nvml_device d, int kind, int age, unsigned long long *ret)
{
    *ret = (unsigned)(kind * 10 + age);
    return fake_lost(d);
}

int
nvmlEventSetCreate(void **ret)
{
    *ret = (void *)1;
    return NVML_OK;
}

int
nvmlDeviceRegisterEvents(nvml_device d, unsigned long long types, void *set)
{
    (void)d;
    (void)types;
    (void)set;
    return NVML_OK;
}

int
nvmlEventSetWait_v2(void *set, struct nvml_event *ret, unsigned ms)
{
    static int told;
    (void)set;
    (void)ms;
    if (told++ || !fake_is("xid"))
        return 10; /* timeout */
    *ret = (struct nvml_event){.device = (nvml_device)2, .type = NVML_EVENT_XID, .data = 79};
    return NVML_OK;
}

int
nvmlGpmQueryDeviceSupport(nvml_device d, struct nvml_gpm_support *ret)
{
    (void)d;
    ret->supported = 1;
    return NVML_OK;
}

int
nvmlGpmSampleAlloc(void **ret)
{
    *ret = calloc(1, sizeof(int));
    return *ret ? NVML_OK : 1;
}

int
nvmlGpmSampleGet(nvml_device d, void *sample)
{
    static int samples;
    *(int *)sample = ++samples;
    return fake_lost(d);
}

/* 50 percent or MiB/s of everything, of two samples in their order. */
int
nvmlGpmMetricsGet(struct nvml_gpm *g)
{
    if (g->version != 1 || *(int *)g->before >= *(int *)g->after)
        return 2;
    if (fake_is("gpm-crash"))
        abort();
    for (unsigned i = 0; i < g->metric_count; i++)
        g->metrics[i].value = fake_is("lie") ? (i & 1 ? NAN : -INFINITY) : 50;
    return NVML_OK;
}

int
nvmlDeviceGetNvLinkState(nvml_device d, unsigned link, unsigned *ret)
{
    *ret = link != 3; /* one is down */
    return link < 18 ? fake_lost(d) : 2;
}

int
nvmlDeviceGetNvLinkErrorCounter(nvml_device d, unsigned link, int kind, unsigned long long *ret)
{
    *ret = link == 5 ? 7 + (unsigned)kind : 0;
    return fake_lost(d);
}

int
nvmlDeviceGetViolationStatus(nvml_device d, int kind, struct nvml_violation *ret)
{
    *ret = (struct nvml_violation){1, 1000u * (unsigned)kind};
    return fake_lost(d);
}

int
nvmlDeviceGetRetiredPages(nvml_device d, int cause, unsigned *count, unsigned long long *at)
{
    (void)at;
    *count = cause ? 2 : 5;
    return fake_lost(d) ? fake_lost(d) : NVML_INSUFFICIENT_SIZE;
}

int
nvmlDeviceGetRetiredPagesPendingStatus(nvml_device d, int *ret)
{
    *ret = 1;
    return fake_lost(d);
}

int
nvmlDeviceGetRowRemapperHistogram(nvml_device d, struct nvml_remap_histogram *ret)
{
    *ret = (struct nvml_remap_histogram){640, 1, 0, 0, 0};
    return fake_lost(d);
}

int
nvmlDeviceGetMigMode(nvml_device d, unsigned *now, unsigned *next)
{
    *now = *next = 0;
    return fake_lost(d);
}

int
nvmlDeviceGetGpuFabricInfo(nvml_device d, struct nvml_fabric *ret)
{
    *ret = (struct nvml_fabric){.state = 3, .status = fake_index(d) ? 15 : NVML_OK};
    return fake_lost(d);
}

int
nvmlDeviceGetTemperatureThreshold(nvml_device d, int kind, unsigned *ret)
{
    *ret = 95 - (unsigned)kind;
    return fake_lost(d);
}
