/* nvml: the part of NVIDIA's management library that the agent calls, as function types and
 * numbers of its documented interface (NVML API Reference Guide). The library is found at run time;
 * nothing of it is needed to build. A function that an older library lacks stays NULL. */
#ifndef AGENTS_NVML_H
#define AGENTS_NVML_H

#include <stdint.h>

typedef void *nvml_device;

enum {
    NVML_OK = 0,
    NVML_NOT_SUPPORTED = 3,
    NVML_GPU_IS_LOST = 15,
    NVML_EVENT_XID = 0x8,
    NVML_FIELD_MEMORY_TEMP = 82,
    NVML_FIELD_NVLINK_TX_KIB = 138, /* NVLink data sent, KiB, all links with scope UINT_MAX */
    NVML_FIELD_NVLINK_RX_KIB = 139,
    NVML_NVLINK_REPLAY = 0,
    NVML_NVLINK_RECOVERY = 1,
    NVML_NVLINK_CRC_FLIT = 2,
    NVML_NVLINK_CRC_DATA = 3,
    NVML_NVLINK_ERRORS = 4,
    NVML_NVLINKS_MAX = 18,
    NVML_INSUFFICIENT_SIZE = 7, /* the count is given, the room was too small */
    NVML_VIOLATIONS = 6, /* power, thermal, sync boost, board limit, low utilization, reliability */
};

/* Banks of memory by how many spare rows they have left. */
struct nvml_remap_histogram {
    unsigned max, high, partial, low, none;
};
/* State: 0 not supported, 1 not started, 2 in progress, 3 completed (status tells how). */
struct nvml_fabric {
    unsigned char cluster[16];
    int status;
    unsigned clique;
    unsigned char state;
};

struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_utilization {
    unsigned gpu, memory;
};
struct nvml_violation {
    unsigned long long reference_time, violation_time; /* us, ns */
};
struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};
struct nvml_field {
    unsigned field, scope;
    long long timestamp, latency_us;
    int value_type; /* 0 double, 1 unsigned, 2 unsigned long, 3 unsigned long long, 4 long long */
    int result;
    union {
        double d;
        unsigned ui;
        unsigned long ul;
        unsigned long long ull;
        long long sll;
    } value;
};
struct nvml_event {
    nvml_device device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

/* GPU performance metrics (Hopper and later): two samples give rates over the time between them. */
enum {
    NVML_GPM_GRAPHICS = 1, /* percent */
    NVML_GPM_SM = 2,
    NVML_GPM_OCCUPANCY = 3,
    NVML_GPM_TENSOR = 5,
    NVML_GPM_DRAM = 10,
    NVML_GPM_FP64 = 11,
    NVML_GPM_FP32 = 12,
    NVML_GPM_FP16 = 13,
    NVML_GPM_PCIE_TX = 20, /* MiB/s */
    NVML_GPM_PCIE_RX = 21,
    NVML_GPM_NVLINK_RX = 60, /* MiB/s, of all links */
    NVML_GPM_NVLINK_TX = 61,
    NVML_GPM_ROOM = 512, /* places that the library may know of; only metric_count are asked */
};
struct nvml_gpm_support {
    unsigned version, supported;
};
struct nvml_gpm_metric {
    unsigned metric;
    int result;
    double value;
    char *texts[3];
};
struct nvml_gpm {
    unsigned version, metric_count;
    void *before, *after;
    struct nvml_gpm_metric metrics[NVML_GPM_ROOM];
};

/* Name of the symbol, then its parameters. X(symbol, member, parameters) */
#define NVML_FUNCTIONS(X)                                                                          \
    X("nvmlInit_v2", init, (void))                                                                 \
    X("nvmlSystemGetDriverVersion", driver, (char *, unsigned))                                    \
    X("nvmlDeviceGetCount_v2", count, (unsigned *))                                                \
    X("nvmlDeviceGetHandleByIndex_v2", handle, (unsigned, nvml_device *))                          \
    X("nvmlDeviceGetName", name, (nvml_device, char *, unsigned))                                  \
    X("nvmlDeviceGetUUID", uuid, (nvml_device, char *, unsigned))                                  \
    X("nvmlDeviceGetSerial", serial, (nvml_device, char *, unsigned))                              \
    X("nvmlDeviceGetPciInfo_v3", pci, (nvml_device, struct nvml_pci *))                            \
    X("nvmlDeviceGetTemperature", temperature, (nvml_device, int, unsigned *))                     \
    X("nvmlDeviceGetPowerUsage", power, (nvml_device, unsigned *))                                 \
    X("nvmlDeviceGetTotalEnergyConsumption", energy, (nvml_device, unsigned long long *))          \
    X("nvmlDeviceGetUtilizationRates", utilization, (nvml_device, struct nvml_utilization *))      \
    X("nvmlDeviceGetMemoryInfo", memory, (nvml_device, struct nvml_memory *))                      \
    X("nvmlDeviceGetClockInfo", clock, (nvml_device, int, unsigned *))                             \
    X("nvmlDeviceGetCurrentClocksThrottleReasons", throttle, (nvml_device, unsigned long long *))  \
    X("nvmlDeviceGetTotalEccErrors", ecc, (nvml_device, int, int, unsigned long long *))           \
    X("nvmlDeviceGetRemappedRows", remapped,                                                       \
      (nvml_device, unsigned *, unsigned *, unsigned *, unsigned *))                               \
    X("nvmlDeviceGetPcieReplayCounter", replay, (nvml_device, unsigned *))                         \
    X("nvmlDeviceGetCurrPcieLinkGeneration", link_gen, (nvml_device, unsigned *))                  \
    X("nvmlDeviceGetCurrPcieLinkWidth", link_width, (nvml_device, unsigned *))                     \
    X("nvmlDeviceGetNvLinkState", nvlink_state, (nvml_device, unsigned, unsigned *))               \
    X("nvmlDeviceGetNvLinkErrorCounter", nvlink_errors,                                            \
      (nvml_device, unsigned, int, unsigned long long *))                                          \
    X("nvmlDeviceGetViolationStatus", violation, (nvml_device, int, struct nvml_violation *))      \
    X("nvmlDeviceGetFieldValues", fields, (nvml_device, int, struct nvml_field *))                 \
    X("nvmlDeviceGetMaxPcieLinkGeneration", link_gen_max, (nvml_device, unsigned *))               \
    X("nvmlDeviceGetMaxPcieLinkWidth", link_width_max, (nvml_device, unsigned *))                  \
    X("nvmlDeviceGetRetiredPages", retired, (nvml_device, int, unsigned *, unsigned long long *))  \
    X("nvmlDeviceGetRetiredPagesPendingStatus", retired_pending, (nvml_device, int *))             \
    X("nvmlDeviceGetRowRemapperHistogram", remap_histogram,                                        \
      (nvml_device, struct nvml_remap_histogram *))                                                \
    X("nvmlDeviceGetMigMode", mig, (nvml_device, unsigned *, unsigned *))                          \
    X("nvmlDeviceGetEccMode", ecc_mode, (nvml_device, int *, int *))                               \
    X("nvmlDeviceGetPersistenceMode", persistence, (nvml_device, int *))                           \
    X("nvmlDeviceGetPerformanceState", pstate, (nvml_device, int *))                               \
    X("nvmlDeviceGetEnforcedPowerLimit", power_limit, (nvml_device, unsigned *))                   \
    X("nvmlDeviceGetTemperatureThreshold", threshold, (nvml_device, int, unsigned *))              \
    X("nvmlDeviceGetEncoderUtilization", encoder, (nvml_device, unsigned *, unsigned *))           \
    X("nvmlDeviceGetDecoderUtilization", decoder, (nvml_device, unsigned *, unsigned *))           \
    X("nvmlDeviceGetGpuFabricInfo", fabric, (nvml_device, struct nvml_fabric *))                   \
    X("nvmlEventSetCreate", event_set, (void **))                                                  \
    X("nvmlDeviceRegisterEvents", event_register, (nvml_device, unsigned long long, void *))       \
    X("nvmlEventSetWait_v2", event_wait, (void *, struct nvml_event *, unsigned))                  \
    X("nvmlGpmQueryDeviceSupport", gpm_support, (nvml_device, struct nvml_gpm_support *))          \
    X("nvmlGpmSampleAlloc", gpm_alloc, (void **))                                                  \
    X("nvmlGpmSampleGet", gpm_sample, (nvml_device, void *))                                       \
    X("nvmlGpmMetricsGet", gpm_metrics, (struct nvml_gpm *))

struct nvml {
#define NVML_MEMBER(symbol, member, parameters) int(*member) parameters;
    NVML_FUNCTIONS(NVML_MEMBER)
#undef NVML_MEMBER
};

#endif
