/* series: the table, and labels packed for it. Names are those of dcgm-exporter, npu-exporter,
 * node_exporter, snmp_exporter and of the documented optics, rack, PDU, CDU and job series. */
#include "sim/series.h"
#include "base/err.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPU(name, field)                                                                           \
    {                                                                                              \
        "DCGM_FI_" name, offsetof(struct world_gpu, field), 0, NULL, NULL                          \
    }
#define NPU(name, field)                                                                           \
    {                                                                                              \
        "npu_chip_info_" name, offsetof(struct world_gpu, field), 0, NULL, NULL                    \
    }
#define NODE(name, field, before, after)                                                           \
    {                                                                                              \
        "node_" name, offsetof(struct world_node, field), 0, before, after                         \
    }
#define NIC(name, field)                                                                           \
    {                                                                                              \
        name, offsetof(struct world_nic, field), 0, NULL, NULL                                     \
    }
#define PORT(name, field, after)                                                                   \
    {                                                                                              \
        name, offsetof(struct world_port, field), 0, NULL, after                                   \
    }
#define OPTIC(name, field)                                                                         \
    {                                                                                              \
        name, offsetof(struct world_optic, field), 0, NULL, NULL                                   \
    }
#define LANE(name, field, n)                                                                       \
    {                                                                                              \
        name, offsetof(struct world_optic, field) + (n - 1) * sizeof(double), 0, "lane=" #n, NULL  \
    }
#define LANES(name, field)                                                                         \
    LANE(name, field, 1), LANE(name, field, 2), LANE(name, field, 3), LANE(name, field, 4)
#define LIMIT(name, value)                                                                         \
    {                                                                                              \
        name, 0, value, NULL, NULL                                                                 \
    }
#define ROW(type, name, field)                                                                     \
    {                                                                                              \
        name, offsetof(struct type, field), 0, NULL, NULL                                          \
    }

static const struct series_row series_gpu[] = {
    GPU("DEV_GPU_UTIL", util),
    GPU("DEV_GPU_TEMP", temp),
    GPU("DEV_MEMORY_TEMP", mem_temp),
    GPU("DEV_POWER_USAGE", power),
    GPU("DEV_SM_CLOCK", clock),
    GPU("DEV_FB_USED", fb_used),
    GPU("DEV_FB_FREE", fb_free),
    GPU("DEV_XID_ERRORS", xid),
    GPU("DEV_ECC_SBE_VOL_TOTAL", sbe),
    GPU("DEV_ECC_DBE_VOL_TOTAL", dbe),
    GPU("DEV_ROW_REMAP_FAILURE", remap_failure),
    GPU("DEV_UNCORRECTABLE_REMAPPED_ROWS", remap_rows),
    GPU("DEV_PCIE_REPLAY_COUNTER", pcie_replay),
    GPU("DEV_PCIE_LINK_GEN", pcie_gen),
    GPU("DEV_PCIE_LINK_WIDTH", pcie_width),
    GPU("DEV_NVLINK_BANDWIDTH_TOTAL", nvlink_kib),
    GPU("DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", nvlink_crc),
    GPU("DEV_CLOCKS_EVENT_REASONS", throttle),
    GPU("DEV_THERMAL_VIOLATION", thermal_violation),
    GPU("DEV_POWER_VIOLATION", power_violation),
    GPU("PROF_PIPE_TENSOR_ACTIVE", tensor),
    GPU("PROF_SM_ACTIVE", sm_active),
    GPU("PROF_PCIE_TX_BYTES", pcie_tx),
    GPU("PROF_PCIE_RX_BYTES", pcie_rx),
};
static const struct series_row series_npu[] = {
    NPU("utilization", util),
    NPU("temperature", temp),
    NPU("power", power),
    NPU("hbm_used_memory", fb_used),
    NPU("hbm_temperature", mem_temp),
    NPU("health_status", health),
    NPU("network_status", health),
    NPU("link_status", health),
    NPU("error_code", error_code),
    NPU("bandwidth_tx", net_tx),
    NPU("bandwidth_rx", net_rx),
    NPU("aicore_current_freq", clock),
};
static const struct series_row series_node[] = {
    NODE("cpu_seconds_total", cpu_idle, "cpu=0 mode=idle", NULL),
    NODE("cpu_seconds_total", cpu_user, "cpu=0 mode=user", NULL),
    NODE("cpu_seconds_total", cpu_system, "cpu=0 mode=system", NULL),
    NODE("cpu_seconds_total", cpu_iowait, "cpu=0 mode=iowait", NULL),
    NODE("load1", load1, NULL, NULL),
    NODE("memory_MemTotal_bytes", mem_total, NULL, NULL),
    NODE("memory_MemAvailable_bytes", mem_available, NULL, NULL),
    NODE("pressure_cpu_waiting_seconds_total", pressure_cpu, NULL, NULL),
    NODE("pressure_io_stalled_seconds_total", pressure_io, NULL, NULL),
    NODE("pressure_memory_stalled_seconds_total", pressure_memory, NULL, NULL),
    NODE("vmstat_oom_kill", oom_kills, NULL, NULL),
    NODE("edac_correctable_errors_total", edac_ce, "controller=0", NULL),
    NODE("edac_uncorrectable_errors_total", edac_ue, "controller=0", NULL),
    NODE("hwmon_temp_celsius", cpu_temp, "chip=platform_coretemp_0", "sensor=temp1"),
    NODE("filesystem_size_bytes", root_size, "device=/dev/nvme0n1p2 fstype=ext4 mountpoint=/",
         NULL),
    NODE("filesystem_avail_bytes", root_avail, "device=/dev/nvme0n1p2 fstype=ext4 mountpoint=/",
         NULL),
    NODE("filesystem_size_bytes", data_size, "device=fs01:/data fstype=nfs4 mountpoint=/data",
         NULL),
    NODE("filesystem_avail_bytes", data_avail, "device=fs01:/data fstype=nfs4 mountpoint=/data",
         NULL),
    NODE("disk_read_bytes_total", disk_read, "device=nvme0n1", NULL),
    NODE("disk_written_bytes_total", disk_written, "device=nvme0n1", NULL),
    NODE("mountstats_nfs_operations_requests_total", nfs_ops, "export=fs01:/data",
         "operation=WRITE"),
    NODE("mountstats_nfs_operations_request_time_seconds_total", nfs_seconds, "export=fs01:/data",
         "operation=WRITE"),
    NODE("timex_offset_seconds", clock_offset, NULL, NULL),
    NODE("timex_sync_status", clock_synced, NULL, NULL),
    NODE("boot_time_seconds", boot_time, NULL, NULL),
};
static const struct series_row series_up[] = {
    {"up", offsetof(struct world_node, up), 0, "job=node", NULL}};
static const struct series_row series_rdma[] = {
    NIC("node_infiniband_port_data_transmitted_bytes_total", tx_bytes),
    NIC("node_infiniband_port_data_received_bytes_total", rx_bytes),
    NIC("node_infiniband_state_id", state),
    NIC("node_infiniband_physical_state_id", phys_state),
    NIC("node_infiniband_rate_bytes_per_second", rate),
    NIC("node_infiniband_link_downed_total", link_downed),
    NIC("node_infiniband_symbol_error_total", symbol_errors),
    NIC("rdma_out_of_sequence_total", out_of_sequence),
    NIC("rdma_local_ack_timeout_err_total", ack_timeout),
    NIC("rdma_packet_seq_err_total", seq_err),
    NIC("rdma_roce_adp_retrans_total", adp_retrans),
    NIC("rdma_np_cnp_sent_total", cnp_sent),
    NIC("rdma_rp_cnp_handled_total", cnp_handled),
    NIC("rdma_np_ecn_marked_roce_packets_total", ecn),
};
static const struct series_row series_net[] = {
    NIC("node_ethtool_rx_prio3_pause", pause_rx),
    NIC("node_ethtool_tx_prio3_pause", pause_tx),
    NIC("node_ethtool_rx_discards_phy", discards),
    NIC("node_ethtool_rx_crc_errors_phy", crc),
    NIC("node_ethtool_link_down_events_phy", carrier),
    NIC("node_ethtool_tx_pause_storm_warning_events", pause_storm),
};
static const struct series_row series_switch[] = {ROW(world_switch, "sysUpTime", uptime)};
static const struct series_row series_port[] = {
    PORT("ifAdminStatus", admin, NULL),
    PORT("ifOperStatus", oper, NULL),
    PORT("ifHighSpeed", speed, NULL),
    PORT("ifMtu", mtu, NULL),
    PORT("ifHCInOctets", in_octets, NULL),
    PORT("ifHCOutOctets", out_octets, NULL),
    PORT("ifInErrors", in_errors, NULL),
    PORT("ifOutErrors", out_errors, NULL),
    PORT("ifInDiscards", in_discards, NULL),
    PORT("ifOutDiscards", out_discards, NULL),
    PORT("switch_pfc_rx_total", pfc_rx, "priority=3"),
    PORT("switch_pfc_tx_total", pfc_tx, "priority=3"),
    PORT("switch_ecn_marked_total", ecn, "priority=3"),
};
static const struct series_row series_optic[] = {
    LANES("optic_rx_power_dbm", rx),
    LANES("optic_tx_power_dbm", tx),
    LANES("optic_bias_milliamperes", bias),
    OPTIC("optic_temperature_celsius", temp),
    OPTIC("optic_voltage_volts", voltage),
    OPTIC("optic_pre_fec_ber", ber),
    OPTIC("optic_uncorrectable_codewords_total", uncorrectable),
};
static const struct series_row series_limit[] = {
    /* a 400G-DR4 module's own thresholds */
    LIMIT("optic_rx_power_dbm_low_alarm", -9.6),
    LIMIT("optic_rx_power_dbm_low_warning", -8.4),
    LIMIT("optic_rx_power_dbm_high_warning", 4.0),
    LIMIT("optic_rx_power_dbm_high_alarm", 5.0),
    LIMIT("optic_tx_power_dbm_low_alarm", -5.9),
    LIMIT("optic_tx_power_dbm_low_warning", -2.9),
    LIMIT("optic_bias_milliamperes_high_warning", 11.0),
    LIMIT("optic_bias_milliamperes_high_alarm", 12.5),
    LIMIT("optic_temperature_celsius_high_warning", 70),
    LIMIT("optic_temperature_celsius_high_alarm", 75),
};
static const struct series_row series_rack[] = {ROW(world_rack, "rack_power_watts", power),
                                                ROW(world_rack, "rack_inlet_celsius", inlet)};
static const struct series_row series_pdu[] = {ROW(world_pdu, "pdu_power_watts", power),
                                               ROW(world_pdu, "pdu_feed_up", feed)};
static const struct series_row series_cdu[] = {ROW(world_cdu, "cdu_supply_celsius", supply),
                                               ROW(world_cdu, "cdu_return_celsius", back),
                                               ROW(world_cdu, "cdu_flow_lpm", flow)};
static const struct series_row series_site[] = {ROW(world_site, "facility_power_watts", power)};
static const struct series_row series_job[] = {
    ROW(simjob, "training_step_seconds", step),
    ROW(simjob, "training_mfu_ratio", mfu),
    ROW(simjob, "training_loss", loss),
    ROW(simjob, "training_tokens_per_second", tokens),
    ROW(simjob, "checkpoint_seconds", checkpoint),
};

#define ROWS(x)                                                                                    \
    {                                                                                              \
        x, sizeof x / sizeof x[0]                                                                  \
    }
static const struct {
    const struct series_row *rows;
    size_t count;
} series_tables[SERIES_KINDS] = {
    [SERIES_GPU] = ROWS(series_gpu),       [SERIES_NPU] = ROWS(series_npu),
    [SERIES_NODE] = ROWS(series_node),     [SERIES_UP] = ROWS(series_up),
    [SERIES_RDMA] = ROWS(series_rdma),     [SERIES_NET] = ROWS(series_net),
    [SERIES_SWITCH] = ROWS(series_switch), [SERIES_PORT] = ROWS(series_port),
    [SERIES_OPTIC] = ROWS(series_optic),   [SERIES_LIMIT] = ROWS(series_limit),
    [SERIES_RACK] = ROWS(series_rack),     [SERIES_PDU] = ROWS(series_pdu),
    [SERIES_CDU] = ROWS(series_cdu),       [SERIES_SITE] = ROWS(series_site),
    [SERIES_JOB] = ROWS(series_job),
};

const struct series_row *
series_rows(enum series_of kind, size_t *ret_count)
{
    *ret_count = series_tables[kind].count;
    return series_tables[kind].rows;
}

static int
series_varint(struct buf *out, size_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v > 127; v >>= 7)
        b[n++] = (uint8_t)(v | 128);
    b[n++] = (uint8_t)v;
    return buf_append(out, b, n);
}

/* prometheus.TimeSeries: repeated Label labels = 1; Label: string name = 1, value = 2. */
int
series_put_label(struct buf *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    size_t inner = 2 + n + (n > 127) + 2 + v + (v > 127);
    buf_putc(out, 0x0a);
    series_varint(out, inner);
    buf_putc(out, 0x0a);
    series_varint(out, n);
    buf_append(out, name, n);
    buf_putc(out, 0x12);
    series_varint(out, v);
    return buf_append(out, value, v);
}

static void
series_pairs(struct buf *out, const char *pairs)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", pairs == NULL ? "" : pairs);
    for (char *save = NULL, *p = strtok_r(copy, " ", &save); p != NULL;
         p = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(p, '=');
        *eq = 0;
        series_put_label(out, p, eq + 1);
    }
}

static void
series_pack_rows(struct series_set *s, enum series_of kind)
{
    size_t n;
    const struct series_row *rows = series_rows(kind, &n);
    for (size_t i = 0; i < n; i++) {
        struct series_labels *l = &s->rows[kind][i];
        size_t at = s->text.len;
        l->offset = (uint32_t)at;
        series_put_label(&s->text, "__name__", rows[i].name);
        series_pairs(&s->text, rows[i].before);
        l->before = (uint16_t)(s->text.len - at);
        series_pairs(&s->text, rows[i].after);
        l->after = (uint16_t)(s->text.len - at - l->before);
    }
}

struct series_pair {
    const char *name, *value;
};

/* `before` pairs of the NULL-ended list sort before "__name__". */
static void
series_pack(struct series_set *s, enum series_of kind, uint32_t i, const struct series_pair *pairs,
            int before)
{
    struct series_labels *l = &s->of[kind][i];
    size_t at = s->text.len;
    l->offset = (uint32_t)at;
    for (int k = 0; pairs[k].name != NULL; k++) {
        if (k == before)
            l->before = (uint16_t)(s->text.len - at);
        series_put_label(&s->text, pairs[k].name, pairs[k].value);
    }
    l->after = (uint16_t)(s->text.len - at - l->before);
}

static void
series_pack_gpu(struct series_set *s, const struct plan *p, uint32_t i)
{
    const struct plan_gpu *g = &p->gpus.at[i];
    const struct plan_node *n = &p->nodes.at[g->node];
    char uuid[48], device[32], index[16], model[64], bus[32];
    uint64_t h = rng_hash(i, 77), k = rng_hash(i, 78);
    snprintf(uuid, sizeof uuid, "GPU-%08x-%04x-4%03x-9%03x-%012llx", (unsigned)h,
             (unsigned)(h >> 32) & 0xffff, (unsigned)(h >> 48) & 0xfff, (unsigned)k & 0xfff,
             (unsigned long long)(k >> 16));
    snprintf(device, sizeof device, "nvidia%u", g->index);
    snprintf(index, sizeof index, "%u", g->index);
    snprintf(model, sizeof model, "%s %s 80GB HBM3", "NVIDIA", n->model);
    snprintf(bus, sizeof bus, "0000%s", g->pci);
    for (char *c = bus; *c != 0; c++)
        *c = (char)toupper((unsigned char)*c);
    const struct series_pair nvidia[] = {
        {"Hostname", n->name}, {"UUID", uuid},      {"device", device}, {"gpu", index},
        {"modelName", model},  {"pci_bus_id", bus}, {NULL, NULL}};
    series_pack(s, SERIES_GPU, i, nvidia, 2);
    const struct series_pair ascend[] = {{"id", index},
                                         {"model_name", n->model},
                                         {"node", n->name},
                                         {"pcie_bus_info", g->pci},
                                         {NULL, NULL}};
    series_pack(s, SERIES_NPU, i, ascend, 0);
}

static void
series_pack_net(struct series_set *s, const struct plan *p)
{
    char port[64];
    for (uint32_t i = 0; i < p->nics.count; i++) {
        const struct plan_nic *n = &p->nics.at[i];
        const char *node = p->nodes.at[n->node].name;
        series_pack(s, SERIES_RDMA, i,
                    (struct series_pair[]){
                        {"device", n->name}, {"node", node}, {"port", "1"}, {NULL, NULL}},
                    0);
        series_pack(s, SERIES_NET, i,
                    (struct series_pair[]){{"device", n->netdev}, {"node", node}, {NULL, NULL}}, 0);
    }
    for (uint32_t i = 0; i < p->switches.count; i++)
        series_pack(s, SERIES_SWITCH, i,
                    (struct series_pair[]){{"instance", p->switches.at[i].name}, {NULL, NULL}}, 0);
    for (uint32_t i = 0; i < p->ports.count; i++) {
        const struct plan_port *o = &p->ports.at[i];
        series_pack(s, SERIES_PORT, i,
                    (struct series_pair[]){{"ifName", o->name},
                                           {"instance", p->switches.at[o->sw].name},
                                           {NULL, NULL}},
                    0);
    }
    for (uint32_t i = 0; i < p->optics.count; i++) {
        struct plan_end e = p->optics.at[i].at;
        bool nic = e.what == PLAN_NIC;
        snprintf(port, sizeof port, "%s", nic ? p->nics.at[e.i].name : p->ports.at[e.i].name);
        const char *owner =
            nic ? p->nodes.at[p->nics.at[e.i].node].name : p->switches.at[p->ports.at[e.i].sw].name;
        series_pack(s, SERIES_OPTIC, i,
                    (struct series_pair[]){{"node", owner}, {"port", port}, {NULL, NULL}}, 0);
    }
}

static void
series_pack_all(struct series_set *s, const struct plan *p)
{
    for (int k = 0; k < SERIES_KINDS; k++)
        series_pack_rows(s, (enum series_of)k);
    for (uint32_t i = 0; i < p->gpus.count; i++)
        series_pack_gpu(s, p, i);
    for (uint32_t i = 0; i < p->nodes.count; i++)
        series_pack(s, SERIES_NODE, i,
                    (struct series_pair[]){{"node", p->nodes.at[i].name}, {NULL, NULL}}, 0);
    series_pack_net(s, p);
    for (uint32_t i = 0; i < p->racks.count; i++)
        series_pack(s, SERIES_RACK, i,
                    (struct series_pair[]){{"rack", p->racks.at[i].name}, {NULL, NULL}}, 0);
    for (uint32_t i = 0; i < p->pdus.count; i++)
        series_pack(s, SERIES_PDU, i,
                    (struct series_pair[]){{"pdu", p->pdus.at[i].name}, {NULL, NULL}}, 0);
    for (uint32_t i = 0; i < p->cdus.count; i++)
        series_pack(s, SERIES_CDU, i,
                    (struct series_pair[]){{"cdu", p->cdus.at[i].name}, {NULL, NULL}}, 0);
    series_pack(s, SERIES_SITE, 0, (struct series_pair[]){{"cluster", p->cluster}, {NULL, NULL}},
                0);
}

int
series_set_new(const struct plan *p, struct series_set **ret_set)
{
    struct series_set *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_NOMEM;
    const size_t counts[SERIES_KINDS] = {
        [SERIES_GPU] = p->gpus.count,   [SERIES_NPU] = p->gpus.count,
        [SERIES_NODE] = p->nodes.count, [SERIES_RDMA] = p->nics.count,
        [SERIES_NET] = p->nics.count,   [SERIES_SWITCH] = p->switches.count,
        [SERIES_PORT] = p->ports.count, [SERIES_OPTIC] = p->optics.count,
        [SERIES_RACK] = p->racks.count, [SERIES_PDU] = p->pdus.count,
        [SERIES_CDU] = p->cdus.count,   [SERIES_SITE] = 1,
    };
    bool ok = true;
    buf_init(&s->text, (size_t)1 << 31);
    for (int k = 0; k < SERIES_KINDS; k++) {
        s->of[k] = calloc(counts[k] + 1, sizeof **s->of);
        s->rows[k] = calloc(series_tables[k].count, sizeof **s->rows);
        ok = ok && s->of[k] != NULL && s->rows[k] != NULL;
    }
    if (ok)
        series_pack_all(s, p);
    if (!ok || s->text.failed) {
        series_set_free(s);
        return ERR_NOMEM;
    }
    *ret_set = s;
    return 0;
}

void
series_set_free(struct series_set *s)
{
    if (s == NULL)
        return;
    for (int k = 0; k < SERIES_KINDS; k++) {
        free(s->of[k]);
        free(s->rows[k]);
    }
    buf_done(&s->text);
    free(s);
}
