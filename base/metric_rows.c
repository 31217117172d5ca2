/* metric (rows): the built-in table, one row a name, grouped by the ecosystem that gives the name.
 *
 * A row: name, meaning, kind, scale to the meaning's unit, least and greatest plausible value in
 * that unit, the labels that name the part, vendor, help. Always true: names are unique, and every
 * row has a sentence (checked by a test). The metric reference is generated from these rows. */
#include "base/metric_rows.h"

/* Counters and values without a natural ceiling: more than any 64-bit counter. */
#define HIGH 2e19

#define ROW(name, meaning, kind, scale, min, max, parts, vendor, help)                             \
    {name, METRIC_##meaning, METRIC_##kind, scale, min, max, parts, vendor, help},

/* clang-format off */
static const struct metric_row metric_builtin[] = {
    /* NVIDIA GPUs: DCGM field names as dcgm-exporter writes them. {gpu} */
    ROW("DCGM_FI_DEV_GPU_UTIL", GPU_UTIL, GAUGE, 1, 0, 100, "gpu", "nvidia",
        "Share of time in which a kernel ran.")
    ROW("DCGM_FI_DEV_GPU_TEMP", GPU_TEMP, GAUGE, 1, -20, 150, "gpu", "nvidia", "Core temperature.")
    ROW("DCGM_FI_DEV_MEMORY_TEMP", GPU_MEM_TEMP, GAUGE, 1, -20, 150, "gpu", "nvidia",
        "Memory temperature.")
    ROW("DCGM_FI_DEV_POWER_USAGE", GPU_POWER, GAUGE, 1, 0, 3000, "gpu", "nvidia",
        "Power drawn by the board.")
    ROW("DCGM_FI_DEV_SM_CLOCK", GPU_CLOCK, GAUGE, 1, 0, 5000, "gpu", "nvidia",
        "Clock of the streaming multiprocessors.")
    ROW("DCGM_FI_DEV_FB_USED", GPU_MEM_USED, GAUGE, 1, 0, 1e7, "gpu", "nvidia",
        "Frame buffer memory used.")
    ROW("DCGM_FI_DEV_FB_FREE", GPU_MEM_FREE, GAUGE, 1, 0, 1e7, "gpu", "nvidia",
        "Frame buffer memory free.")
    ROW("DCGM_FI_DEV_XID_ERRORS", GPU_XID, STATE, 1, 0, 100000, "gpu", "nvidia",
        "Number of the last XID; 0 when there was none.")
    ROW("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", GPU_ECC_SBE, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Corrected (single-bit) ECC errors since the driver was loaded.")
    ROW("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", GPU_ECC_DBE, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Uncorrected (double-bit) ECC errors since the driver was loaded.")
    ROW("DCGM_FI_DEV_ROW_REMAP_FAILURE", GPU_ROW_REMAP_FAILURE, STATE, 1, 0, 1, "gpu", "nvidia",
        "1 when a row could not be remapped.")
    ROW("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", GPU_ROW_REMAP, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Rows remapped because of uncorrectable errors.")
    ROW("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", GPU_PCIE_REPLAY, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Replays on the PCIe link.")
    ROW("DCGM_FI_DEV_PCIE_LINK_GEN", GPU_PCIE_GEN, STATE, 1, 0, 9, "gpu", "nvidia",
        "Present generation of the PCIe link.")
    ROW("DCGM_FI_DEV_PCIE_LINK_WIDTH", GPU_PCIE_WIDTH, STATE, 1, 0, 32, "gpu", "nvidia",
        "Present width of the PCIe link.")
    ROW("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", GPU_NVLINK_BYTES, COUNTER, 1024, 0, HIGH, "gpu", "nvidia",
        "Traffic over all NVLink lanes, counted in KiB.")
    ROW("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", GPU_NVLINK_ERRORS, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "CRC errors of NVLink flits over all lanes.")
    ROW("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", GPU_THROTTLE, STATE, 1, 0, HIGH, "gpu", "nvidia",
        "Bit mask of what holds the clock down.")
    ROW("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", GPU_THROTTLE, STATE, 1, 0, HIGH, "gpu", "nvidia",
        "Bit mask of what holds the clock down, by its former name.")
    ROW("DCGM_FI_DEV_THERMAL_VIOLATION", GPU_THERMAL_VIOLATION, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Time in which heat held the clock down.")
    ROW("DCGM_FI_DEV_POWER_VIOLATION", GPU_POWER_VIOLATION, COUNTER, 1, 0, HIGH, "gpu", "nvidia",
        "Time in which the power limit held the clock down.")
    ROW("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", GPU_TENSOR_ACTIVE, GAUGE, 1, 0, 1, "gpu", "nvidia",
        "Share of cycles in which the tensor pipes were active.")
    ROW("DCGM_FI_PROF_SM_ACTIVE", GPU_SM_ACTIVE, GAUGE, 1, 0, 1, "gpu", "nvidia",
        "Share of cycles in which a multiprocessor had a warp.")
    ROW("DCGM_FI_PROF_PCIE_TX_BYTES", GPU_PCIE_TX, GAUGE, 1, 0, 1e12, "gpu", "nvidia",
        "Bytes a second sent over PCIe.")
    ROW("DCGM_FI_PROF_PCIE_RX_BYTES", GPU_PCIE_RX, GAUGE, 1, 0, 1e12, "gpu", "nvidia",
        "Bytes a second received over PCIe.")
    /* Ascend NPUs: npu-exporter. {id}. Optical powers are left out: releases differ in their unit. */
    ROW("npu_chip_info_utilization", GPU_UTIL, GAUGE, 1, 0, 100, "id gpu", "ascend",
        "AI core utilization.")
    ROW("npu_chip_info_temperature", GPU_TEMP, GAUGE, 1, -20, 150, "id gpu", "ascend",
        "Chip temperature.")
    ROW("npu_chip_info_hbm_temperature", GPU_MEM_TEMP, GAUGE, 1, -20, 150, "id gpu", "ascend",
        "HBM temperature.")
    ROW("npu_chip_info_power", GPU_POWER, GAUGE, 1, 0, 3000, "id gpu", "ascend",
        "Power drawn by the chip or the board.")
    ROW("npu_chip_info_aicore_current_freq", GPU_CLOCK, GAUGE, 1, 0, 5000, "id gpu", "ascend",
        "Clock of the AI cores.")
    ROW("npu_chip_info_hbm_used_memory", GPU_MEM_USED, GAUGE, 1, 0, 1e7, "id gpu", "ascend",
        "HBM used.")
    ROW("npu_chip_info_used_memory", GPU_MEM_USED, GAUGE, 1, 0, 1e7, "id gpu", "ascend",
        "Device memory used, on chips without HBM.")
    ROW("npu_chip_info_health_status", GPU_HEALTH, STATE, 1, 0, 1, "id gpu", "ascend",
        "1 healthy, 0 not.")
    ROW("npu_chip_info_error_code", GPU_XID, STATE, 1, 0, 1e10, "id gpu", "ascend",
        "Error code of the driver; 0 when there is none.")
    ROW("npu_chip_info_network_status", GPU_NETWORK, STATE, 1, 0, 1, "id gpu", "ascend",
        "1 when the network of the chip is healthy.")
    ROW("npu_chip_info_link_status", GPU_LINK, STATE, 1, 0, 1, "id gpu", "ascend",
        "1 when the network port of the chip is up.")
    ROW("npu_chip_info_hbm_ecc_single_bit_error_cnt", GPU_ECC_SBE, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "Corrected (single-bit) ECC errors of the HBM.")
    ROW("npu_chip_info_hbm_ecc_double_bit_error_cnt", GPU_ECC_DBE, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "Uncorrected (double-bit) ECC errors of the HBM.")
    ROW("npu_chip_info_bandwidth_tx", NIC_TX_RATE, GAUGE, 1e6, 0, 1e12, "id gpu", "ascend",
        "Rate sent by the network port of the chip, in MB/s.")
    ROW("npu_chip_info_bandwidth_rx", NIC_RX_RATE, GAUGE, 1e6, 0, 1e12, "id gpu", "ascend",
        "Rate received by the network port of the chip, in MB/s.")
    ROW("npu_chip_mac_rx_pfc_pkt_num", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "PFC frames received by the network port of the chip.")
    ROW("npu_chip_mac_tx_pfc_pkt_num", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "PFC frames sent by the network port of the chip.")
    ROW("npu_chip_mac_rx_bad_pkt_num", NIC_ERRORS, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "Bad packets received by the network port of the chip.")
    ROW("npu_chip_roce_new_pkt_rty_num", NIC_RETRANSMITS, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "RoCE packets sent again.")
    ROW("npu_chip_roce_out_of_order_num", NIC_OUT_OF_SEQUENCE, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "RoCE packets out of order.")
    ROW("npu_chip_roce_tx_cnp_pkt_num", NIC_CNP_SENT, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "Congestion notifications sent.")
    ROW("npu_chip_roce_rx_cnp_pkt_num", NIC_CNP_HANDLED, COUNTER, 1, 0, HIGH, "id gpu", "ascend",
        "Congestion notifications received.")
    ROW("npu_chip_optical_temp", OPTIC_TEMP, GAUGE, 1, -60, 150, "id gpu", "ascend",
        "Temperature of the module of the chip.")
    ROW("npu_chip_optical_vcc", OPTIC_VOLTAGE, GAUGE, 1e-3, 0, 10, "id gpu", "ascend",
        "Supply voltage of the module of the chip, in mV.")
    /* AMD GPUs: device-metrics-exporter, with and without the prefix that its operator sets. {gpu_id} */
    ROW("gpu_gfx_activity", GPU_UTIL, GAUGE, 1, 0, 100, "gpu_id gpu", "amd",
        "Share of time in which the graphics engine was busy.")
    ROW("amd_gpu_gfx_activity", GPU_UTIL, GAUGE, 1, 0, 100, "gpu_id gpu", "amd",
        "Share of time in which the graphics engine was busy.")
    ROW("gpu_junction_temperature", GPU_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Hotspot temperature.")
    ROW("amd_gpu_junction_temperature", GPU_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Hotspot temperature.")
    ROW("gpu_edge_temperature", GPU_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Edge temperature, on parts without a hotspot sensor.")
    ROW("amd_gpu_edge_temperature", GPU_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Edge temperature, on parts without a hotspot sensor.")
    ROW("gpu_memory_temperature", GPU_MEM_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Memory temperature.")
    ROW("amd_gpu_memory_temperature", GPU_MEM_TEMP, GAUGE, 1, -20, 150, "gpu_id gpu", "amd",
        "Memory temperature.")
    ROW("gpu_package_power", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd",
        "Present power of the socket.")
    ROW("amd_gpu_package_power", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd",
        "Present power of the socket.")
    ROW("gpu_average_package_power", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd",
        "Average power of the socket.")
    ROW("amd_gpu_average_package_power", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd",
        "Average power of the socket.")
    ROW("gpu_power_usage", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd", "Power used.")
    ROW("amd_gpu_power_usage", GPU_POWER, GAUGE, 1, 0, 3000, "gpu_id gpu", "amd", "Power used.")
    ROW("gpu_used_vram", GPU_MEM_USED, GAUGE, 1, 0, 1e7, "gpu_id gpu", "amd", "Video memory used.")
    ROW("amd_gpu_used_vram", GPU_MEM_USED, GAUGE, 1, 0, 1e7, "gpu_id gpu", "amd",
        "Video memory used.")
    ROW("gpu_free_vram", GPU_MEM_FREE, GAUGE, 1, 0, 1e7, "gpu_id gpu", "amd", "Video memory free.")
    ROW("amd_gpu_free_vram", GPU_MEM_FREE, GAUGE, 1, 0, 1e7, "gpu_id gpu", "amd",
        "Video memory free.")
    ROW("gpu_ecc_correct_total", GPU_ECC_SBE, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Corrected ECC errors over all blocks.")
    ROW("amd_gpu_ecc_correct_total", GPU_ECC_SBE, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Corrected ECC errors over all blocks.")
    ROW("gpu_ecc_uncorrect_total", GPU_ECC_DBE, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Uncorrected ECC errors over all blocks.")
    ROW("amd_gpu_ecc_uncorrect_total", GPU_ECC_DBE, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Uncorrected ECC errors over all blocks.")
    ROW("pcie_replay_count", GPU_PCIE_REPLAY, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Replays on the PCIe link.")
    ROW("amd_pcie_replay_count", GPU_PCIE_REPLAY, COUNTER, 1, 0, HIGH, "gpu_id gpu", "amd",
        "Replays on the PCIe link.")
    ROW("gpu_health", GPU_HEALTH, STATE, 1, 0, 1, "gpu_id gpu", "amd", "1 healthy, 0 not.")
    ROW("amd_gpu_health", GPU_HEALTH, STATE, 1, 0, 1, "gpu_id gpu", "amd", "1 healthy, 0 not.")
    /* Hosts: node_exporter. */
    ROW("up", NODE_UP, STATE, 1, 0, 1, "", "any", "1 when the last scrape of the target succeeded.")
    ROW("node_load1", NODE_LOAD1, GAUGE, 1, 0, 1e6, "", "any", "Load average of one minute.")
    ROW("node_cpu_seconds_total", NODE_CPU, COUNTER, 1, 0, HIGH, "", "any",
        "CPU time by core and mode.")
    ROW("node_memory_MemAvailable_bytes", NODE_MEM_AVAILABLE, GAUGE, 1, 0, 1e15, "", "any",
        "Memory that programs can still get.")
    ROW("node_memory_MemTotal_bytes", NODE_MEM_TOTAL, GAUGE, 1, 0, 1e15, "", "any",
        "Memory of the node.")
    ROW("node_vmstat_oom_kill", NODE_OOM_KILLS, COUNTER, 1, 0, HIGH, "", "any",
        "Processes killed because memory ran out.")
    ROW("node_edac_correctable_errors_total", NODE_EDAC_CE, COUNTER, 1, 0, HIGH, "", "any",
        "Corrected errors by memory controller.")
    ROW("node_edac_uncorrectable_errors_total", NODE_EDAC_UE, COUNTER, 1, 0, HIGH, "", "any",
        "Uncorrected errors by memory controller.")
    ROW("node_filesystem_avail_bytes", NODE_FS_AVAIL, GAUGE, 1, 0, 1e19, "", "any",
        "Space that users can still get, by mount point.")
    ROW("node_filesystem_size_bytes", NODE_FS_SIZE, GAUGE, 1, 0, 1e19, "", "any",
        "Size by mount point.")
    ROW("node_filesystem_readonly", NODE_FS_READONLY, STATE, 1, 0, 1, "", "any",
        "1 when the file system is mounted read-only.")
    ROW("node_timex_offset_seconds", NODE_TIME_OFFSET, GAUGE, 1, -1e6, 1e6, "", "any",
        "Offset between the local clock and its reference.")
    ROW("node_timex_sync_status", NODE_TIME_SYNC, STATE, 1, 0, 1, "", "any",
        "1 when the clock is synchronised.")
    ROW("node_boot_time_seconds", NODE_BOOT_TIME, GAUGE, 1, 0, 1e11, "", "any",
        "When the node was started, in seconds since 1970.")
    ROW("node_pressure_cpu_waiting_seconds_total", NODE_PRESSURE, COUNTER, 1, 0, HIGH, "", "any",
        "Time in which tasks waited for a CPU.")
    ROW("node_pressure_memory_waiting_seconds_total", NODE_PRESSURE, COUNTER, 1, 0, HIGH, "", "any",
        "Time in which some task waited for memory.")
    ROW("node_pressure_memory_stalled_seconds_total", NODE_PRESSURE, COUNTER, 1, 0, HIGH, "", "any",
        "Time in which all tasks waited for memory.")
    ROW("node_pressure_io_waiting_seconds_total", NODE_PRESSURE, COUNTER, 1, 0, HIGH, "", "any",
        "Time in which some task waited for input or output.")
    ROW("node_pressure_io_stalled_seconds_total", NODE_PRESSURE, COUNTER, 1, 0, HIGH, "", "any",
        "Time in which all tasks waited for input or output.")
    ROW("node_hwmon_temp_celsius", NODE_TEMP, GAUGE, 1, -60, 200, "", "any",
        "Temperature by chip and sensor.")
    ROW("node_disk_read_time_seconds_total", NODE_DISK_SECONDS, COUNTER, 1, 0, HIGH, "", "any",
        "Time of all reads, by device.")
    ROW("node_disk_write_time_seconds_total", NODE_DISK_SECONDS, COUNTER, 1, 0, HIGH, "", "any",
        "Time of all writes, by device.")
    ROW("node_disk_reads_completed_total", NODE_DISK_OPS, COUNTER, 1, 0, HIGH, "", "any",
        "Completed reads, by device.")
    ROW("node_disk_writes_completed_total", NODE_DISK_OPS, COUNTER, 1, 0, HIGH, "", "any",
        "Completed writes, by device.")
    ROW("node_mountstats_nfs_operations_request_time_seconds_total", STORAGE_OP_SECONDS, COUNTER, 1, 0, HIGH, "", "any",
        "Time from request to answer, by export and operation.")
    ROW("node_mountstats_nfs_operations_requests_total", STORAGE_OPS, COUNTER, 1, 0, HIGH, "", "any",
        "Requests by export and operation.")
    ROW("lustre_operation_seconds_total", STORAGE_OP_SECONDS, COUNTER, 1, 0, HIGH, "", "any",
        "Time of Lustre operations, by target and operation.")
    ROW("lustre_stats_total", STORAGE_OPS, COUNTER, 1, 0, HIGH, "", "any",
        "Lustre operations, by target and operation.")
    /* NICs: node_exporter's infiniband, network and ethtool collectors, and the kernel's RDMA counters. {device, port} */
    ROW("node_infiniband_state_id", NIC_STATE, STATE, 0.25, 0, 1.25, "device", "any",
        "InfiniBand port state; 4 is active.")
    ROW("node_network_up", NIC_STATE, STATE, 1, 0, 1, "device", "any",
        "1 when the interface is operational.")
    ROW("node_infiniband_physical_state_id", NIC_PHYSICAL, STATE, 0.2, 0, 1.4, "device", "any",
        "InfiniBand physical state; 5 is link up.")
    ROW("node_network_carrier", NIC_PHYSICAL, STATE, 1, 0, 1, "device", "any",
        "1 when the interface has a carrier.")
    ROW("node_infiniband_rate_bytes_per_second", NIC_RATE, GAUGE, 1, 0, 1e12, "device", "any",
        "Rate of the link.")
    ROW("node_network_speed_bytes", NIC_RATE, GAUGE, 1, -1, 1e12, "device", "any",
        "Rate of the link; negative when it is down.")
    ROW("node_infiniband_port_data_transmitted_bytes_total", NIC_TX_BYTES, COUNTER, 1, 0, HIGH, "device", "any",
        "Bytes sent by the port.")
    ROW("node_network_transmit_bytes_total", NIC_TX_BYTES, COUNTER, 1, 0, HIGH, "device", "any",
        "Bytes sent by the interface.")
    ROW("node_infiniband_port_data_received_bytes_total", NIC_RX_BYTES, COUNTER, 1, 0, HIGH, "device", "any",
        "Bytes received by the port.")
    ROW("node_network_receive_bytes_total", NIC_RX_BYTES, COUNTER, 1, 0, HIGH, "device", "any",
        "Bytes received by the interface.")
    ROW("node_infiniband_symbol_error_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Minor errors on the physical lanes.")
    ROW("node_infiniband_port_receive_errors_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Erroneous packets received.")
    ROW("node_infiniband_port_errors_received_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Erroneous packets received, as node_exporter writes it.")
    ROW("node_infiniband_link_error_recovery_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Recoveries of the link after an error.")
    ROW("node_infiniband_local_link_integrity_errors_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the local error threshold was passed.")
    ROW("node_infiniband_port_receive_remote_physical_errors_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Packets marked bad by the other side.")
    ROW("node_network_receive_errs_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Receive errors of the interface.")
    ROW("node_network_transmit_errs_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Transmit errors of the interface.")
    ROW("node_ethtool_rx_crc_errors_phy", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Frames with a wrong checksum, counted by the port.")
    ROW("node_ethtool_rx_symbol_err_phy", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "Symbol errors counted by the port.")
    ROW("node_ethtool_rx_discards_phy", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Frames dropped because the port had no buffer.")
    ROW("node_ethtool_tx_discards_phy", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Frames dropped by the port before they were sent.")
    ROW("node_ethtool_rx_out_of_buffer", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Frames dropped because the host had no buffer.")
    ROW("node_infiniband_port_transmit_discards_total", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Packets the port could not send.")
    ROW("node_infiniband_port_discards_transmitted_total", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Packets the port could not send, as node_exporter writes it.")
    ROW("node_network_receive_drop_total", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Received packets dropped by the interface.")
    ROW("node_network_transmit_drop_total", NIC_DISCARDS, COUNTER, 1, 0, HIGH, "device", "any",
        "Packets dropped by the interface before they were sent.")
    ROW("node_infiniband_link_downed_total", NIC_LINK_DOWN, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the link failed to recover and went down.")
    ROW("node_ethtool_link_down_events_phy", NIC_LINK_DOWN, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the link went down, counted by the port.")
    ROW("node_network_carrier_down_changes_total", NIC_LINK_DOWN, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the interface lost its carrier.")
    ROW("rdma_roce_adp_retrans_total", NIC_RETRANSMITS, COUNTER, 1, 0, HIGH, "device", "any",
        "Adaptive retransmissions of RoCE.")
    ROW("rdma_roce_slow_restart_total", NIC_RETRANSMITS, COUNTER, 1, 0, HIGH, "device", "any",
        "Slow restarts of RoCE after a loss.")
    ROW("rdma_packet_seq_err_total", NIC_RETRANSMITS, COUNTER, 1, 0, HIGH, "device", "any",
        "Sequence error acknowledgements received: the peer asked for packets again.")
    ROW("rdma_out_of_sequence_total", NIC_OUT_OF_SEQUENCE, COUNTER, 1, 0, HIGH, "device", "any",
        "Packets received out of sequence.")
    ROW("rdma_local_ack_timeout_err_total", NIC_ACK_TIMEOUT, COUNTER, 1, 0, HIGH, "device", "any",
        "Acknowledgements that did not arrive in time.")
    ROW("rdma_np_cnp_sent_total", NIC_CNP_SENT, COUNTER, 1, 0, HIGH, "device", "any",
        "Congestion notifications sent.")
    ROW("rdma_rp_cnp_handled_total", NIC_CNP_HANDLED, COUNTER, 1, 0, HIGH, "device", "any",
        "Congestion notifications that made the sender slower.")
    ROW("rdma_np_ecn_marked_roce_packets_total", NIC_ECN_MARKED, COUNTER, 1, 0, HIGH, "device", "any",
        "RoCE packets received with a congestion mark.")
    ROW("rdma_rx_icrc_encapsulated_total", NIC_ERRORS, COUNTER, 1, 0, HIGH, "device", "any",
        "RoCE packets with a wrong invariant checksum.")
    ROW("node_ethtool_rx_prio0_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 0.")
    ROW("node_ethtool_tx_prio0_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 0.")
    ROW("node_ethtool_rx_prio1_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 1.")
    ROW("node_ethtool_tx_prio1_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 1.")
    ROW("node_ethtool_rx_prio2_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 2.")
    ROW("node_ethtool_tx_prio2_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 2.")
    ROW("node_ethtool_rx_prio3_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 3.")
    ROW("node_ethtool_tx_prio3_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 3.")
    ROW("node_ethtool_rx_prio4_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 4.")
    ROW("node_ethtool_tx_prio4_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 4.")
    ROW("node_ethtool_rx_prio5_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 5.")
    ROW("node_ethtool_tx_prio5_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 5.")
    ROW("node_ethtool_rx_prio6_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 6.")
    ROW("node_ethtool_tx_prio6_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 6.")
    ROW("node_ethtool_rx_prio7_pause", NIC_PFC_RX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames received for priority 7.")
    ROW("node_ethtool_tx_prio7_pause", NIC_PFC_TX, COUNTER, 1, 0, HIGH, "device", "any",
        "Pause frames sent for priority 7.")
    ROW("node_ethtool_tx_pause_storm_warning_events", NIC_PAUSE_STORM, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the NIC paused the network for long.")
    ROW("node_ethtool_tx_pause_storm_error_events", NIC_PAUSE_STORM, COUNTER, 1, 0, HIGH, "device", "any",
        "Times the NIC stopped pausing because it had paused for too long.")
    /* Switches and their ports: snmp_exporter's names of IF-MIB, and common private sensors. {ifName} */
    ROW("sysUpTime", SWITCH_UPTIME, GAUGE, 1, 0, 4294967295, "", "any",
        "Time since the agent of the switch was started.")
    ROW("hrProcessorLoad", SWITCH_CPU, GAUGE, 1, 0, 100, "", "any",
        "Load of a processor of the switch.")
    ROW("cpmCPUTotal5minRev", SWITCH_CPU, GAUGE, 1, 0, 100, "", "any",
        "Load of a processor of the switch.")
    ROW("hh3cEntityExtCpuUsage", SWITCH_CPU, GAUGE, 1, 0, 100, "", "any",
        "Load of a processor of the switch.")
    ROW("hwEntityCpuUsage", SWITCH_CPU, GAUGE, 1, 0, 100, "", "any",
        "Load of a processor of the switch.")
    ROW("switch_cpu_percent", SWITCH_CPU, GAUGE, 1, 0, 100, "", "any",
        "Load of a processor of the switch.")
    ROW("ciscoEnvMonTemperatureStatusValue", SWITCH_TEMP, GAUGE, 1, -60, 200, "", "any",
        "Temperature of a part of the switch.")
    ROW("hh3cEntityExtTemperature", SWITCH_TEMP, GAUGE, 1, -60, 200, "", "any",
        "Temperature of a part of the switch.")
    ROW("hwEntityTemperature", SWITCH_TEMP, GAUGE, 1, -60, 200, "", "any",
        "Temperature of a part of the switch.")
    ROW("switch_temperature_celsius", SWITCH_TEMP, GAUGE, 1, -60, 200, "", "any",
        "Temperature of a part of the switch.")
    ROW("ifAdminStatus", PORT_ADMIN, STATE, 1, 1, 3, "ifName ifDescr port", "any",
        "What is configured: 1 up, 2 down, 3 testing.")
    ROW("ifOperStatus", PORT_OPER, STATE, 1, 1, 7, "ifName ifDescr port", "any",
        "What is: 1 up, 2 down, 3 testing, 5 dormant, 6 not present, 7 lower layer down.")
    ROW("ifHighSpeed", PORT_SPEED, GAUGE, 1, 0, 1e7, "ifName ifDescr port", "any",
        "Speed of the port.")
    ROW("ifHCInOctets", PORT_RX_BYTES, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Bytes received by the port.")
    ROW("ifHCOutOctets", PORT_TX_BYTES, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Bytes sent by the port.")
    ROW("ifInErrors", PORT_RX_ERRORS, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Received packets with errors.")
    ROW("ifOutErrors", PORT_TX_ERRORS, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Packets that could not be sent because of errors.")
    ROW("ifInDiscards", PORT_RX_DISCARDS, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Received packets dropped.")
    ROW("ifOutDiscards", PORT_TX_DISCARDS, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Packets dropped before they were sent.")
    ROW("ifLastChange", PORT_LAST_CHANGE, GAUGE, 1, 0, 4294967295, "ifName ifDescr port", "any",
        "Uptime of the switch when the port last changed state.")
    ROW("switch_pfc_rx_total", PORT_PFC_RX, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "PFC pauses received, by priority.")
    ROW("cpfcIfIndications", PORT_PFC_RX, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "PFC frames received by the port.")
    ROW("switch_pfc_tx_total", PORT_PFC_TX, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "PFC pauses sent, by priority.")
    ROW("cpfcIfRequests", PORT_PFC_TX, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "PFC frames sent by the port.")
    ROW("switch_ecn_marked_total", PORT_ECN, COUNTER, 1, 0, HIGH, "ifName ifDescr port", "any",
        "Packets marked for congestion, by priority.")
    /* Optical modules: per lane, and their limits. {port, lane} */
    ROW("optic_rx_power_dbm", OPTIC_RX_POWER, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "Received power by lane.")
    ROW("optic_tx_power_dbm", OPTIC_TX_POWER, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "Transmitted power by lane.")
    ROW("optic_bias_milliamperes", OPTIC_BIAS, GAUGE, 1, 0, 1000, "port ifName ifDescr device", "any",
        "Laser bias by lane.")
    ROW("optic_temperature_celsius", OPTIC_TEMP, GAUGE, 1, -60, 150, "port ifName ifDescr device", "any",
        "Module temperature.")
    ROW("optic_voltage_volts", OPTIC_VOLTAGE, GAUGE, 1, 0, 10, "port ifName ifDescr device", "any",
        "Supply voltage of the module.")
    ROW("optic_pre_fec_ber", OPTIC_BER, GAUGE, 1, 0, 1, "port ifName ifDescr device", "any",
        "Bit error ratio before error correction.")
    ROW("optic_uncorrectable_codewords_total", OPTIC_UNCORRECTABLE, COUNTER, 1, 0, HIGH, "port ifName ifDescr device", "any",
        "Codewords that error correction could not repair.")
    ROW("optic_rx_power_dbm_low_alarm", OPTIC_RX_POWER_LOW_ALARM, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's low alarm limit of received power.")
    ROW("optic_rx_power_dbm_low_warning", OPTIC_RX_POWER_LOW_WARNING, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's low warning limit of received power.")
    ROW("optic_rx_power_dbm_high_warning", OPTIC_RX_POWER_HIGH_WARNING, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's high warning limit of received power.")
    ROW("optic_rx_power_dbm_high_alarm", OPTIC_RX_POWER_HIGH_ALARM, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's high alarm limit of received power.")
    ROW("optic_tx_power_dbm_low_alarm", OPTIC_TX_POWER_LOW_ALARM, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's low alarm limit of transmitted power.")
    ROW("optic_tx_power_dbm_low_warning", OPTIC_TX_POWER_LOW_WARNING, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's low warning limit of transmitted power.")
    ROW("optic_tx_power_dbm_high_warning", OPTIC_TX_POWER_HIGH_WARNING, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's high warning limit of transmitted power.")
    ROW("optic_tx_power_dbm_high_alarm", OPTIC_TX_POWER_HIGH_ALARM, GAUGE, 1, -60, 20, "port ifName ifDescr device", "any",
        "The module's high alarm limit of transmitted power.")
    ROW("optic_bias_milliamperes_low_alarm", OPTIC_BIAS_LOW_ALARM, GAUGE, 1, 0, 1000, "port ifName ifDescr device", "any",
        "The module's low alarm limit of laser bias.")
    ROW("optic_bias_milliamperes_low_warning", OPTIC_BIAS_LOW_WARNING, GAUGE, 1, 0, 1000, "port ifName ifDescr device", "any",
        "The module's low warning limit of laser bias.")
    ROW("optic_bias_milliamperes_high_warning", OPTIC_BIAS_HIGH_WARNING, GAUGE, 1, 0, 1000, "port ifName ifDescr device", "any",
        "The module's high warning limit of laser bias.")
    ROW("optic_bias_milliamperes_high_alarm", OPTIC_BIAS_HIGH_ALARM, GAUGE, 1, 0, 1000, "port ifName ifDescr device", "any",
        "The module's high alarm limit of laser bias.")
    ROW("optic_temperature_celsius_low_alarm", OPTIC_TEMP_LOW_ALARM, GAUGE, 1, -60, 150, "port ifName ifDescr device", "any",
        "The module's low alarm limit of module temperature.")
    ROW("optic_temperature_celsius_low_warning", OPTIC_TEMP_LOW_WARNING, GAUGE, 1, -60, 150, "port ifName ifDescr device", "any",
        "The module's low warning limit of module temperature.")
    ROW("optic_temperature_celsius_high_warning", OPTIC_TEMP_HIGH_WARNING, GAUGE, 1, -60, 150, "port ifName ifDescr device", "any",
        "The module's high warning limit of module temperature.")
    ROW("optic_temperature_celsius_high_alarm", OPTIC_TEMP_HIGH_ALARM, GAUGE, 1, -60, 150, "port ifName ifDescr device", "any",
        "The module's high alarm limit of module temperature.")
    ROW("optic_voltage_volts_low_alarm", OPTIC_VOLTAGE_LOW_ALARM, GAUGE, 1, 0, 10, "port ifName ifDescr device", "any",
        "The module's low alarm limit of supply voltage.")
    ROW("optic_voltage_volts_low_warning", OPTIC_VOLTAGE_LOW_WARNING, GAUGE, 1, 0, 10, "port ifName ifDescr device", "any",
        "The module's low warning limit of supply voltage.")
    ROW("optic_voltage_volts_high_warning", OPTIC_VOLTAGE_HIGH_WARNING, GAUGE, 1, 0, 10, "port ifName ifDescr device", "any",
        "The module's high warning limit of supply voltage.")
    ROW("optic_voltage_volts_high_alarm", OPTIC_VOLTAGE_HIGH_ALARM, GAUGE, 1, 0, 10, "port ifName ifDescr device", "any",
        "The module's high alarm limit of supply voltage.")
    /* Nodes by their management controllers. */
    ROW("redfish_chassis_power_consumed_watts", NODE_POWER, GAUGE, 1, 0, 1e5, "", "any",
        "Power that the chassis draws, by its controller.")
    ROW("ipmi_dcmi_power_consumption_watts", NODE_POWER, GAUGE, 1, 0, 1e5, "", "any",
        "Power that the node draws, by ipmi_exporter.")
    ROW("idrac_power_control_consumed_watts", NODE_POWER, GAUGE, 1, 0, 1e5, "", "any",
        "Power that the node draws, by idrac_exporter.")
    /* Racks, power and cooling. */
    ROW("rack_power_watts", RACK_POWER, GAUGE, 1, 0, 1e7, "rack", "any", "Power drawn by the rack.")
    ROW("rack_inlet_celsius", RACK_INLET, GAUGE, 1, -40, 100, "rack", "any",
        "Air temperature at the inlet of the rack.")
    ROW("pdu_power_watts", PDU_POWER, GAUGE, 1, 0, 1e7, "pdu", "any", "Power given by the unit.")
    ROW("pdu_feed_up", PDU_FEED, STATE, 1, 0, 1, "pdu", "any",
        "1 when the feed of the unit has power.")
    ROW("cdu_supply_celsius", CDU_SUPPLY, GAUGE, 1, -40, 120, "cdu", "any",
        "Temperature of the coolant sent to the racks.")
    ROW("cdu_return_celsius", CDU_RETURN, GAUGE, 1, -40, 120, "cdu", "any",
        "Temperature of the coolant that comes back.")
    ROW("cdu_flow_lpm", CDU_FLOW, GAUGE, 1, 0, 1e5, "cdu", "any", "Flow of the coolant.")
    ROW("facility_power_watts", FACILITY_POWER, GAUGE, 1, 0, 1e9, "cluster", "any",
        "Power of the whole facility, cooling included.")
    ROW("facility_pue_ratio", FACILITY_PUE, GAUGE, 1, 1, 100, "cluster", "any",
        "Power of the facility for each watt of its equipment.")
    ROW("job_power_watts", JOB_POWER, GAUGE, 1, 0, 1e9, "job_id", "any",
        "Power of the job's nodes, by its share of them.")
    ROW("job_energy_joules_total", JOB_ENERGY, COUNTER, 1, 0, HIGH, "job_id", "any",
        "Energy that the job has used.")
    /* Jobs: what a training program reports of itself. {job_id} */
    ROW("training_step_seconds", JOB_STEP, GAUGE, 1, 0, 1e6, "job_id", "any",
        "Duration of the last training step.")
    ROW("training_mfu_ratio", JOB_MFU, GAUGE, 1, 0, 1, "job_id", "any",
        "Share of the peak FLOPs that the model used.")
    ROW("training_loss", JOB_LOSS, GAUGE, 1, -HIGH, HIGH, "job_id", "any", "Loss of the last step.")
    ROW("training_tokens_per_second", JOB_TOKENS, GAUGE, 1, 0, 1e12, "job_id", "any",
        "Tokens trained in a second.")
    ROW("checkpoint_seconds", JOB_CHECKPOINT, GAUGE, 1, 0, 1e6, "job_id", "any",
        "Duration of the last checkpoint.")
};
/* clang-format on */

const struct metric_row *
metric_builtin_rows(size_t *ret_count)
{
    *ret_count = sizeof metric_builtin / sizeof *metric_builtin;
    return metric_builtin;
}
