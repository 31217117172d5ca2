/* probe_net: network interfaces and the protocols' counters. Sources: proc(5),
 * Documentation/ABI/testing/sysfs-class-net; names as node_exporter writes them. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
probe_net_dev(struct probe *p)
{
    static const char *const names[16] = {
        "receive_bytes",  "receive_packets",  "receive_errs",       "receive_drop",
        "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
        "transmit_bytes", "transmit_packets", "transmit_errs",      "transmit_drop",
        "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed"};
    char *text = probe_read(p, "proc/net/dev") ? p->text.data : NULL, *line, *f[16], name[64];
    while ((line = probe_line(&text))) {
        char *colon = strrchr(line, ':');
        if (!colon)
            continue;
        *colon = 0;
        line += strspn(line, " ");
        size_t n = probe_fields(colon + 1, f, 16);
        for (size_t i = 0; i < n; i++) {
            snprintf(name, sizeof name, "node_network_%s_total", names[i]);
            snap_add(p->out, name, strtod(f[i], NULL), "device", line, NULL);
        }
    }
    return 0;
}

static const struct {
    const char *file, *name;
    double scale;
} probe_net_files[] = {
    {"addr_assign_type", "node_network_address_assign_type", 1},
    {"carrier", "node_network_carrier", 1},
    {"carrier_changes", "node_network_carrier_changes_total", 1},
    {"carrier_down_count", "node_network_carrier_down_changes_total", 1},
    {"carrier_up_count", "node_network_carrier_up_changes_total", 1},
    {"dev_id", "node_network_device_id", 1},
    {"dormant", "node_network_dormant", 1},
    {"flags", "node_network_flags", 1},
    {"ifindex", "node_network_iface_id", 1},
    {"iflink", "node_network_iface_link", 1},
    {"link_mode", "node_network_iface_link_mode", 1},
    {"mtu", "node_network_mtu_bytes", 1},
    {"name_assign_type", "node_network_name_assign_type", 1},
    {"netdev_group", "node_network_net_dev_group", 1},
    {"speed", "node_network_speed_bytes", 125000}, /* Mbit/s */
    {"tx_queue_len", "node_network_transmit_queue_length", 1},
    {"type", "node_network_protocol_type", 1},
};

static void
probe_net_class_of(struct probe *p, const char *dev)
{
    char state[32], address[64], broadcast[64], duplex[32], alias[128];
    double v;
    str_copy(state, sizeof state, probe_word(p, "sys/class/net/%s/operstate", dev));
    if (!*state)
        return; /* bonding_masters and the like */
    str_copy(address, sizeof address, probe_word(p, "sys/class/net/%s/address", dev));
    str_copy(broadcast, sizeof broadcast, probe_word(p, "sys/class/net/%s/broadcast", dev));
    str_copy(duplex, sizeof duplex, probe_word(p, "sys/class/net/%s/duplex", dev));
    str_copy(alias, sizeof alias, probe_word(p, "sys/class/net/%s/ifalias", dev));
    snap_add(p->out, "node_network_info", 1, "address", address, "broadcast", broadcast, "device",
             dev, "duplex", duplex, "ifalias", alias, "operstate", state, NULL);
    snap_add(p->out, "node_network_up", !strcmp(state, "up"), "device", dev, NULL);
    for (size_t i = 0; i < sizeof probe_net_files / sizeof *probe_net_files; i++)
        if (probe_number(p, &v, "sys/class/net/%s/%s", dev, probe_net_files[i].file))
            snap_add(p->out, probe_net_files[i].name, v * probe_net_files[i].scale, "device", dev,
                     NULL);
}

int
probe_net_class(struct probe *p)
{
    struct probe_names devs;
    probe_list(p, &devs, "sys/class/net");
    for (size_t i = 0; i < devs.count; i++)
        probe_net_class_of(p, devs.at[i]);
    probe_names_done(&devs);
    return 0;
}

/* What node_exporter takes of /proc/net/netstat and /proc/net/snmp by default. */
static bool
probe_net_wanted(const char *group, const char *name)
{
    static const char *const words[] = {"Icmp_InMsgs",
                                        "Icmp_OutMsgs",
                                        "Icmp_InErrors",
                                        "Ip_Forwarding",
                                        "IpExt_InOctets",
                                        "IpExt_OutOctets",
                                        "TcpExt_ListenOverflows",
                                        "TcpExt_ListenDrops",
                                        "TcpExt_SyncookiesSent",
                                        "TcpExt_SyncookiesRecv",
                                        "TcpExt_SyncookiesFailed",
                                        "TcpExt_TCPSynRetrans",
                                        "TcpExt_TCPTimeouts",
                                        "Tcp_ActiveOpens",
                                        "Tcp_InSegs",
                                        "Tcp_OutSegs",
                                        "Tcp_OutRsts",
                                        "Tcp_PassiveOpens",
                                        "Tcp_RetransSegs",
                                        "Tcp_CurrEstab",
                                        "Tcp_InErrs",
                                        "Udp_InDatagrams",
                                        "Udp_OutDatagrams",
                                        "Udp_NoPorts",
                                        "Udp_InErrors",
                                        "Udp_RcvbufErrors",
                                        "Udp_SndbufErrors",
                                        "UdpLite_InErrors"};
    size_t n = strlen(group);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(words[i], group, n) && words[i][n] == '_' && !strcmp(words[i] + n + 1, name))
            return true;
    return false;
}

/* Pairs of lines: names, then values, each behind "Group:". */
static void
probe_net_stat_of(struct probe *p, const char *path)
{
    char *text = probe_read(p, "%s", path) ? p->text.data : NULL, *head, *row, name[96];
    while ((head = probe_line(&text)) && (row = probe_line(&text))) {
        char *group = strsep(&head, ":");
        strsep(&row, ":");
        if (!head || !row || !*head || !*row)
            continue;
        head++, row++;
        for (char *key, *value; (key = strsep(&head, " ")) && (value = strsep(&row, " "));) {
            if (!probe_net_wanted(group, key))
                continue;
            snprintf(name, sizeof name, "node_netstat_%s_%s", group, key);
            snap_add(p->out, name, strtod(value, NULL), NULL);
        }
    }
}

static void
probe_net_sockets(struct probe *p)
{
    char *text = probe_read(p, "proc/net/sockstat") ? p->text.data : NULL, *line, *f[16], name[96];
    while ((line = probe_line(&text))) {
        size_t n = probe_fields(line, f, 16), len = n ? strlen(f[0]) : 0;
        if (!len || len > 20)
            continue;
        f[0][len - 1] = 0;
        for (size_t i = 1; i + 1 < n; i += 2) {
            double v = strtod(f[i + 1], NULL);
            snprintf(name, sizeof name, "node_sockstat_%s_%.20s", f[0], f[i]);
            snap_add(p->out, name, v, NULL);
        }
    }
}

int
probe_net_stat(struct probe *p)
{
    probe_net_stat_of(p, "proc/net/netstat");
    probe_net_stat_of(p, "proc/net/snmp");
    probe_net_sockets(p);
    return 0;
}
