/* probe_rdma: ports and counters of /sys/class/infiniband. Sources:
 * Documentation/ABI/stable/sysfs-class-infiniband; counters as node_exporter names them, hardware
 * counters as rdma_NAME_total with the kernel's NAME. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *file, *name;
    double scale;
} probe_rdma_counters[] = {
    {"VL15_dropped", "vl15_dropped_total", 1},
    {"excessive_buffer_overrun_errors", "excessive_buffer_overrun_errors_total", 1},
    {"link_downed", "link_downed_total", 1},
    {"link_error_recovery", "link_error_recovery_total", 1},
    {"local_link_integrity_errors", "local_link_integrity_errors_total", 1},
    {"multicast_rcv_packets", "multicast_packets_received_total", 1},
    {"multicast_xmit_packets", "multicast_packets_transmitted_total", 1},
    {"port_rcv_constraint_errors", "port_constraint_errors_received_total", 1},
    {"port_rcv_data", "port_data_received_bytes_total", 4}, /* counts words of 4 bytes */
    {"port_rcv_errors", "port_errors_received_total", 1},
    {"port_rcv_packets", "port_packets_received_total", 1},
    {"port_rcv_remote_physical_errors", "port_receive_remote_physical_errors_total", 1},
    {"port_rcv_switch_relay_errors", "port_receive_switch_relay_errors_total", 1},
    {"port_xmit_constraint_errors", "port_constraint_errors_transmitted_total", 1},
    {"port_xmit_data", "port_data_transmitted_bytes_total", 4},
    {"port_xmit_discards", "port_discards_transmitted_total", 1},
    {"port_xmit_packets", "port_packets_transmitted_total", 1},
    {"port_xmit_wait", "port_transmit_wait_total", 1},
    {"symbol_error", "symbol_error_total", 1},
    {"unicast_rcv_packets", "unicast_packets_received_total", 1},
    {"unicast_xmit_packets", "unicast_packets_transmitted_total", 1},
};

/* "4: ACTIVE" */
static void
probe_rdma_state(struct probe *p, const char *dev, const char *port)
{
    double v;
    if (probe_number(p, &v, "sys/class/infiniband/%s/ports/%s/state", dev, port))
        snap_add(p->out, "node_infiniband_state_id", v, "device", dev, "port", port, NULL);
    if (probe_number(p, &v, "sys/class/infiniband/%s/ports/%s/phys_state", dev, port))
        snap_add(p->out, "node_infiniband_physical_state_id", v, "device", dev, "port", port, NULL);
    /* "400 Gb/sec (4X NDR)" */
    if (probe_number(p, &v, "sys/class/infiniband/%s/ports/%s/rate", dev, port))
        snap_add(p->out, "node_infiniband_rate_bytes_per_second", v * 125e6, "device", dev, "port",
                 port, NULL);
}

static void
probe_rdma_hardware(struct probe *p, const char *dev, const char *port)
{
    struct probe_names files;
    char name[96];
    double v;
    probe_list(p, &files, "sys/class/infiniband/%s/ports/%s/hw_counters", dev, port);
    for (size_t i = 0; i < files.count; i++) {
        if (!strcmp(files.at[i], "lifespan") ||
            !probe_number(p, &v, "sys/class/infiniband/%s/ports/%s/hw_counters/%s", dev, port,
                          files.at[i]))
            continue;
        snprintf(name, sizeof name, "rdma_%.80s_total", files.at[i]);
        snap_add(p->out, name, v, "device", dev, "port", port, NULL);
    }
    probe_names_done(&files);
}

static void
probe_rdma_port(struct probe *p, const char *dev, const char *port)
{
    char name[96];
    double v;
    probe_rdma_state(p, dev, port);
    for (size_t i = 0; i < sizeof probe_rdma_counters / sizeof *probe_rdma_counters; i++) {
        if (!probe_number(p, &v, "sys/class/infiniband/%s/ports/%s/counters/%s", dev, port,
                          probe_rdma_counters[i].file))
            continue;
        snprintf(name, sizeof name, "node_infiniband_%s", probe_rdma_counters[i].name);
        snap_add(p->out, name, v * probe_rdma_counters[i].scale, "device", dev, "port", port, NULL);
    }
    probe_rdma_hardware(p, dev, port);
}

int
probe_rdma(struct probe *p)
{
    struct probe_names devs, ports;
    probe_list(p, &devs, "sys/class/infiniband");
    for (size_t i = 0; i < devs.count; i++) {
        char board[64], firmware[64], type[64];
        const char *dev = devs.at[i];
        str_copy(board, sizeof board, probe_word(p, "sys/class/infiniband/%s/board_id", dev));
        str_copy(firmware, sizeof firmware, probe_word(p, "sys/class/infiniband/%s/fw_ver", dev));
        str_copy(type, sizeof type, probe_word(p, "sys/class/infiniband/%s/hca_type", dev));
        snap_add(p->out, "node_infiniband_info", 1, "board_id", board, "device", dev,
                 "firmware_version", firmware, "hca_type", type, NULL);
        probe_list(p, &ports, "sys/class/infiniband/%s/ports", dev);
        for (size_t k = 0; k < ports.count; k++)
            probe_rdma_port(p, dev, ports.at[k]);
        probe_names_done(&ports);
    }
    probe_names_done(&devs);
    return 0;
}
