/* probes: the one table. The order is that of reading. */
#include "agents/probes.h"

#include "agents/probe.h"

static const struct probe_row probes_rows[] = {
    {.key = "cpu",
     .run = probe_host_stat,
     .help = "Processor time by mode, interrupts, context switches, boot time (/proc/stat)."},
    {.key = "load", .run = probe_load, .help = "Load averages (/proc/loadavg)."},
    {.key = "memory", .run = probe_host_memory, .help = "Memory (/proc/meminfo)."},
    {.key = "vmstat",
     .run = probe_host_vmstat,
     .help = "Paging, page faults and processes killed for memory (/proc/vmstat)."},
    {.key = "pressure",
     .run = probe_host_pressure,
     .help = "Time that tasks waited for CPU, memory and disk (/proc/pressure)."},
    {.key = "limits",
     .run = probe_host_limits,
     .help = "Open files, tracked connections, entropy, with their limits."},
    {.key = "names", .period_s = 60, .run = probe_host_names, .help = "Kernel and host name."},
    {.key = "netdev",
     .run = probe_net_dev,
     .help = "Bytes, packets and errors of network interfaces (/proc/net/dev)."},
    {.key = "netclass",
     .run = probe_net_class,
     .help = "State, speed, carrier changes and MTU of network interfaces (/sys/class/net)."},
    {.key = "netstat",
     .run = probe_net_stat,
     .help = "TCP, UDP and IP counters and sockets (/proc/net)."},
    {.key = "disk", .run = probe_disk_stats, .help = "Block devices (/proc/diskstats)."},
    {.key = "nvme",
     .period_s = 60,
     .run = probe_disk_nvme,
     .help = "NVMe controllers: model, firmware, state (/sys/class/nvme)."},
    {.key = "filesystem",
     .run = probe_fs,
     .done = probe_fs_done,
     .help = "Size and free space of mounted filesystems; one that hangs is told and passed over."},
    {.key = "nfs", .run = probe_nfs, .help = "NFS mounts by operation (/proc/self/mountstats)."},
    {.key = "hwmon",
     .period_s = 30,
     .run = probe_hw_hwmon,
     .help = "Temperatures, fans, voltages and power (/sys/class/hwmon)."},
    {.key = "edac",
     .run = probe_hw_edac,
     .help = "Corrected and uncorrected memory errors (/sys/devices/system/edac)."},
    {.key = "mce",
     .period_s = 60,
     .run = probe_hw_mce,
     .help = "Machine check exceptions and thermal interrupts (/proc/interrupts)."},
    {.key = "pci",
     .period_s = 30,
     .run = probe_pci,
     .help = "PCIe link width and speed, and AER counters, of GPUs, NICs and NVMe."},
    {.key = "rdma",
     .run = probe_rdma,
     .help = "RDMA ports, counters and hardware counters (/sys/class/infiniband)."},
    {.key = "gpu",
     .run = probe_gpu,
     .done = probe_gpu_done,
     .help = "NVIDIA GPUs by their management library, called in a helper process that may hang."},
    {.key = "time",
     .run = probe_time,
     .help = "Clock discipline as the kernel sees it (adjtimex)."},
};

const struct probe_row *
probes_table(size_t *ret_count)
{
    *ret_count = sizeof probes_rows / sizeof *probes_rows;
    return probes_rows;
}
