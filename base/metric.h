/* metric: the one table that maps the names ecosystems give to what they mean.
 *
 * Detectors ask for meanings, never for vendor names. A row: metric name, meaning, kind, unit,
 * plausible range, the entity it describes and the labels that name its part. A site can add rows
 * by configuration (metric_table_add). */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/entity.h"
#include "base/err.h"
#include "base/sample.h"

#include <stddef.h>

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_STATE };

/* clang-format off */
/* Meanings: METRIC_GPU_UTIL ... One list, with unit and titles; X(id, "word", entity, unit, en, zh). */
#define METRIC_MEANINGS(X) \
    X(GPU_UTIL, "gpu-utilization", GPU, "%", "GPU utilization", "GPU 利用率") \
    X(GPU_TEMP, "gpu-temperature", GPU, "°C", "GPU temperature", "GPU 温度") \
    X(GPU_MEM_TEMP, "gpu-memory-temperature", GPU, "°C", "GPU memory temperature", "显存温度") \
    X(GPU_POWER, "gpu-power", GPU, "W", "GPU power", "GPU 功耗") \
    X(GPU_CLOCK, "gpu-clock", GPU, "MHz", "SM clock", "SM 时钟频率") \
    X(GPU_MEM_USED, "gpu-memory-used", GPU, "MiB", "GPU memory used", "已用显存") \
    X(GPU_MEM_FREE, "gpu-memory-free", GPU, "MiB", "GPU memory free", "空闲显存") \
    X(GPU_XID, "gpu-xid", GPU, "", "last XID", "最近的 XID") \
    X(GPU_ECC_SBE, "gpu-ecc-sbe", GPU, "", "corrected ECC errors", "可纠正 ECC 错误") \
    X(GPU_ECC_DBE, "gpu-ecc-dbe", GPU, "", "uncorrected ECC errors", "不可纠正 ECC 错误") \
    X(GPU_ROW_REMAP_FAILURE, "gpu-row-remap-failure", GPU, "", "row remapping failed", "行重映射失败") \
    X(GPU_ROW_REMAP, "gpu-row-remap", GPU, "", "uncorrectable remapped rows", "不可纠正的重映射行") \
    X(GPU_PCIE_REPLAY, "gpu-pcie-replay", GPU, "", "PCIe replays", "PCIe 重放次数") \
    X(GPU_PCIE_GEN, "gpu-pcie-generation", GPU, "", "PCIe generation", "PCIe 代数") \
    X(GPU_PCIE_WIDTH, "gpu-pcie-width", GPU, "lanes", "PCIe width", "PCIe 宽度") \
    X(GPU_NVLINK_BYTES, "gpu-nvlink-bandwidth", GPU, "B", "NVLink traffic", "NVLink 流量") \
    X(GPU_NVLINK_ERRORS, "gpu-nvlink-errors", GPU, "", "NVLink CRC errors", "NVLink CRC 错误") \
    X(GPU_THROTTLE, "gpu-throttle-reasons", GPU, "", "clock event reasons", "降频原因") \
    X(GPU_THERMAL_VIOLATION, "gpu-thermal-violation", GPU, "ns", "time throttled by heat", "过热降频时间") \
    X(GPU_POWER_VIOLATION, "gpu-power-violation", GPU, "ns", "time throttled by power", "功率受限时间") \
    X(GPU_TENSOR_ACTIVE, "gpu-tensor-active", GPU, "ratio", "tensor cores active", "Tensor 核活跃比") \
    X(GPU_SM_ACTIVE, "gpu-sm-active", GPU, "ratio", "SMs active", "SM 活跃比") \
    X(GPU_PCIE_TX, "gpu-pcie-tx", GPU, "B/s", "PCIe sent", "PCIe 发送") \
    X(GPU_PCIE_RX, "gpu-pcie-rx", GPU, "B/s", "PCIe received", "PCIe 接收") \
    X(GPU_HEALTH, "gpu-health", GPU, "", "device health", "设备健康状态") \
    X(GPU_LINK, "gpu-link", GPU, "", "accelerator's own network port is up", "加速卡自带网口已连接") \
    X(GPU_NETWORK, "gpu-network-health", GPU, "", "accelerator's own network is healthy", "加速卡自带网络健康") \
    X(NODE_UP, "node-up", NODE, "", "scrape succeeded", "采集成功") \
    X(NODE_LOAD1, "node-load", NODE, "", "load, 1 minute", "1 分钟负载") \
    X(NODE_CPU, "node-cpu-seconds", NODE, "s", "CPU time", "CPU 时间") \
    X(NODE_MEM_AVAILABLE, "node-memory-available", NODE, "B", "memory available", "可用内存") \
    X(NODE_MEM_TOTAL, "node-memory-total", NODE, "B", "memory total", "内存总量") \
    X(NODE_OOM_KILLS, "node-oom-kills", NODE, "", "OOM kills", "OOM 终止次数") \
    X(NODE_EDAC_CE, "node-memory-corrected", NODE, "", "corrected memory errors", "内存可纠正错误") \
    X(NODE_EDAC_UE, "node-memory-uncorrected", NODE, "", "uncorrected memory errors", "内存不可纠正错误") \
    X(NODE_FS_AVAIL, "node-filesystem-available", NODE, "B", "file system space available", "文件系统可用空间") \
    X(NODE_FS_SIZE, "node-filesystem-size", NODE, "B", "file system size", "文件系统容量") \
    X(NODE_TIME_OFFSET, "node-time-offset", NODE, "s", "clock offset", "时钟偏差") \
    X(NODE_BOOT_TIME, "node-boot-time", NODE, "s", "boot time", "启动时间") \
    X(NODE_PRESSURE, "node-pressure", NODE, "s", "time waiting for a resource", "资源等待时间") \
    X(NODE_TIME_SYNC, "node-time-sync", NODE, "", "clock is synchronised", "时钟已同步") \
    X(NODE_TEMP, "node-temperature", NODE, "°C", "hardware sensor temperature", "硬件传感器温度") \
    X(NODE_FS_READONLY, "node-filesystem-readonly", NODE, "", "file system is read-only", "文件系统只读") \
    X(NODE_DISK_SECONDS, "node-disk-seconds", NODE, "s", "time of disk operations", "磁盘操作耗时") \
    X(NODE_POWER, "node-power", NODE, "W", "node power", "节点功率") \
    X(NODE_DISK_OPS, "node-disk-ops", NODE, "", "disk operations", "磁盘操作数") \
    X(NIC_STATE, "nic-state", NIC, "", "NIC port state, 1 and above is active", "网卡端口状态,1 及以上为活动") \
    X(NIC_PHYSICAL, "nic-physical-state", NIC, "", "NIC physical state, 1 is link up", "网卡物理状态,1 为已连接") \
    X(NIC_RATE, "nic-rate", NIC, "B/s", "NIC link rate", "网卡链路速率") \
    X(NIC_TX_BYTES, "nic-tx-bytes", NIC, "B", "NIC bytes sent", "网卡发送字节") \
    X(NIC_RX_BYTES, "nic-rx-bytes", NIC, "B", "NIC bytes received", "网卡接收字节") \
    X(NIC_TX_RATE, "nic-tx-rate", NIC, "B/s", "NIC send rate", "网卡发送速率") \
    X(NIC_RX_RATE, "nic-rx-rate", NIC, "B/s", "NIC receive rate", "网卡接收速率") \
    X(NIC_ERRORS, "nic-errors", NIC, "", "NIC errors", "网卡错误") \
    X(NIC_DISCARDS, "nic-discards", NIC, "", "NIC discards", "网卡丢弃") \
    X(NIC_LINK_DOWN, "nic-link-down", NIC, "", "times the link went down", "链路断开次数") \
    X(NIC_RETRANSMITS, "nic-retransmits", NIC, "", "RDMA retransmissions", "RDMA 重传") \
    X(NIC_OUT_OF_SEQUENCE, "nic-out-of-sequence", NIC, "", "RDMA packets out of sequence", "RDMA 乱序包") \
    X(NIC_ACK_TIMEOUT, "nic-ack-timeout", NIC, "", "RDMA acknowledgement time-outs", "RDMA 确认超时") \
    X(NIC_CNP_SENT, "nic-cnp-sent", NIC, "", "CNP sent", "发送的 CNP") \
    X(NIC_CNP_HANDLED, "nic-cnp-handled", NIC, "", "CNP handled", "处理的 CNP") \
    X(NIC_ECN_MARKED, "nic-ecn-marked", NIC, "", "ECN marked packets", "ECN 标记包") \
    X(NIC_PFC_RX, "nic-pfc-rx", NIC, "", "PFC pauses received", "收到的 PFC 暂停帧") \
    X(NIC_PFC_TX, "nic-pfc-tx", NIC, "", "PFC pauses sent", "发送的 PFC 暂停帧") \
    X(NIC_PAUSE_STORM, "nic-pause-storm", NIC, "", "pause storm warnings", "暂停风暴告警") \
    X(SWITCH_UPTIME, "switch-uptime", SWITCH, "cs", "switch uptime", "交换机运行时间") \
    X(SWITCH_CPU, "switch-cpu", SWITCH, "%", "switch CPU", "交换机 CPU") \
    X(SWITCH_TEMP, "switch-temperature", SWITCH, "°C", "switch temperature", "交换机温度") \
    X(PORT_ADMIN, "port-admin", PORT, "", "admin state", "管理状态") \
    X(PORT_OPER, "port-oper", PORT, "", "oper state", "运行状态") \
    X(PORT_SPEED, "port-speed", PORT, "Mb/s", "port speed", "端口速率") \
    X(PORT_RX_BYTES, "port-rx-bytes", PORT, "B", "port bytes in", "端口接收字节") \
    X(PORT_TX_BYTES, "port-tx-bytes", PORT, "B", "port bytes out", "端口发送字节") \
    X(PORT_RX_ERRORS, "port-rx-errors", PORT, "", "port errors in", "端口接收错误") \
    X(PORT_TX_ERRORS, "port-tx-errors", PORT, "", "port errors out", "端口发送错误") \
    X(PORT_RX_DISCARDS, "port-rx-discards", PORT, "", "port discards in", "端口接收丢弃") \
    X(PORT_TX_DISCARDS, "port-tx-discards", PORT, "", "port discards out", "端口发送丢弃") \
    X(PORT_LAST_CHANGE, "port-last-change", PORT, "cs", "last state change", "最近状态变化") \
    X(PORT_PFC_RX, "port-pfc-rx", PORT, "", "PFC pauses received by the switch", "交换机收到的 PFC 暂停帧") \
    X(PORT_PFC_TX, "port-pfc-tx", PORT, "", "PFC pauses sent by the switch", "交换机发送的 PFC 暂停帧") \
    X(PORT_ECN, "port-ecn-marked", PORT, "", "ECN marked by the switch", "交换机 ECN 标记") \
    X(OPTIC_RX_POWER, "optic-rx-power", OPTIC, "dBm", "received optical power", "接收光功率") \
    X(OPTIC_TX_POWER, "optic-tx-power", OPTIC, "dBm", "transmitted optical power", "发送光功率") \
    X(OPTIC_BIAS, "optic-bias", OPTIC, "mA", "laser bias", "激光器偏置电流") \
    X(OPTIC_TEMP, "optic-temperature", OPTIC, "°C", "module temperature", "光模块温度") \
    X(OPTIC_VOLTAGE, "optic-voltage", OPTIC, "V", "module voltage", "光模块电压") \
    X(OPTIC_BER, "optic-pre-fec-ber", OPTIC, "", "pre-FEC bit error ratio", "FEC 前误码率") \
    X(OPTIC_UNCORRECTABLE, "optic-uncorrectable", OPTIC, "", "uncorrectable codewords", "不可纠正码字") \
    X(OPTIC_RX_POWER_LOW_ALARM, "optic-rx-power-low-alarm", OPTIC, "dBm", "Rx power low alarm limit", "接收光功率低告警门限") \
    X(OPTIC_RX_POWER_LOW_WARNING, "optic-rx-power-low-warning", OPTIC, "dBm", "Rx power low warning limit", "接收光功率低预警门限") \
    X(OPTIC_RX_POWER_HIGH_WARNING, "optic-rx-power-high-warning", OPTIC, "dBm", "Rx power high warning limit", "接收光功率高预警门限") \
    X(OPTIC_RX_POWER_HIGH_ALARM, "optic-rx-power-high-alarm", OPTIC, "dBm", "Rx power high alarm limit", "接收光功率高告警门限") \
    X(OPTIC_TX_POWER_LOW_ALARM, "optic-tx-power-low-alarm", OPTIC, "dBm", "Tx power low alarm limit", "发送光功率低告警门限") \
    X(OPTIC_TX_POWER_LOW_WARNING, "optic-tx-power-low-warning", OPTIC, "dBm", "Tx power low warning limit", "发送光功率低预警门限") \
    X(OPTIC_TX_POWER_HIGH_WARNING, "optic-tx-power-high-warning", OPTIC, "dBm", "Tx power high warning limit", "发送光功率高预警门限") \
    X(OPTIC_TX_POWER_HIGH_ALARM, "optic-tx-power-high-alarm", OPTIC, "dBm", "Tx power high alarm limit", "发送光功率高告警门限") \
    X(OPTIC_BIAS_LOW_ALARM, "optic-bias-low-alarm", OPTIC, "mA", "bias low alarm limit", "偏置电流低告警门限") \
    X(OPTIC_BIAS_LOW_WARNING, "optic-bias-low-warning", OPTIC, "mA", "bias low warning limit", "偏置电流低预警门限") \
    X(OPTIC_BIAS_HIGH_WARNING, "optic-bias-high-warning", OPTIC, "mA", "bias high warning limit", "偏置电流高预警门限") \
    X(OPTIC_BIAS_HIGH_ALARM, "optic-bias-high-alarm", OPTIC, "mA", "bias high alarm limit", "偏置电流高告警门限") \
    X(OPTIC_TEMP_HIGH_ALARM, "optic-temperature-high-alarm", OPTIC, "°C", "module temperature high alarm limit", "光模块温度高告警门限") \
    X(OPTIC_TEMP_LOW_ALARM, "optic-temperature-low-alarm", OPTIC, "°C", "module temperature low alarm limit", "光模块温度低告警门限") \
    X(OPTIC_TEMP_LOW_WARNING, "optic-temperature-low-warning", OPTIC, "°C", "module temperature low warning limit", "光模块温度低预警门限") \
    X(OPTIC_TEMP_HIGH_WARNING, "optic-temperature-high-warning", OPTIC, "°C", "module temperature high warning limit", "光模块温度高预警门限") \
    X(OPTIC_VOLTAGE_LOW_ALARM, "optic-voltage-low-alarm", OPTIC, "V", "module voltage low alarm limit", "光模块电压低告警门限") \
    X(OPTIC_VOLTAGE_LOW_WARNING, "optic-voltage-low-warning", OPTIC, "V", "module voltage low warning limit", "光模块电压低预警门限") \
    X(OPTIC_VOLTAGE_HIGH_WARNING, "optic-voltage-high-warning", OPTIC, "V", "module voltage high warning limit", "光模块电压高预警门限") \
    X(OPTIC_VOLTAGE_HIGH_ALARM, "optic-voltage-high-alarm", OPTIC, "V", "module voltage high alarm limit", "光模块电压高告警门限") \
    X(STORAGE_OP_SECONDS, "storage-op-seconds", NODE, "s", "time of storage operations", "存储操作耗时") \
    X(STORAGE_OPS, "storage-ops", NODE, "", "storage operations", "存储操作数") \
    X(RACK_POWER, "rack-power", RACK, "W", "rack power", "机架功率") \
    X(RACK_INLET, "rack-inlet", RACK, "°C", "rack inlet temperature", "机架进风温度") \
    X(PDU_POWER, "pdu-power", PDU, "W", "PDU power", "PDU 功率") \
    X(PDU_FEED, "pdu-feed", PDU, "", "PDU feed present", "PDU 供电正常") \
    X(CDU_SUPPLY, "cdu-supply", CDU, "°C", "coolant supply temperature", "冷却液供液温度") \
    X(CDU_RETURN, "cdu-return", CDU, "°C", "coolant return temperature", "冷却液回液温度") \
    X(CDU_FLOW, "cdu-flow", CDU, "L/min", "coolant flow", "冷却液流量") \
    X(FACILITY_POWER, "facility-power", CLUSTER, "W", "facility power", "机房总功率") \
    X(FACILITY_PUE, "facility-pue", CLUSTER, "ratio", "PUE", "PUE") \
    X(JOB_POWER, "job-power", JOB, "W", "job power", "作业功率") \
    X(JOB_ENERGY, "job-energy", JOB, "J", "energy used by the job", "作业能耗") \
    X(JOB_STEP, "job-step", JOB, "s", "training step time", "训练步时间") \
    X(JOB_MFU, "job-mfu", JOB, "ratio", "model FLOPs utilization", "模型算力利用率") \
    X(JOB_LOSS, "job-loss", JOB, "", "training loss", "训练损失") \
    X(JOB_TOKENS, "job-tokens", JOB, "1/s", "tokens a second", "每秒 token 数") \
    X(JOB_CHECKPOINT, "job-checkpoint", JOB, "s", "checkpoint time", "检查点耗时")
/* clang-format on */

enum metric_meaning {
    METRIC_NONE,
#define X(id, word, entity, unit, en, zh) METRIC_##id,
    METRIC_MEANINGS(X)
#undef X
        METRIC_MEANING_COUNT
};

struct metric_meaning_row {
    const char *word;
    enum entity_kind entity;
    const char *unit, *en, *zh;
};
const struct metric_meaning_row *metric_meaning_row(enum metric_meaning m); /* never NULL */
enum metric_meaning metric_meaning_find(const char *word);                  /* METRIC_NONE */

struct metric_row {
    const char *name; /* "DCGM_FI_DEV_GPU_UTIL" */
    enum metric_meaning meaning;
    enum metric_kind kind;
    double scale;    /* value * scale is in the meaning's unit */
    double min, max; /* plausible, in the meaning's unit; outside: the observer is at fault */
    const char *part_labels; /* space-separated, first present wins: "gpu id" ; "" for none */
    const char *vendor;      /* nvidia ascend amd any */
    const char *help;
};

struct metric_table; /* built-in rows and a site's; read-only once shared */
struct metric_table *metric_table_new(void);
void metric_table_free(struct metric_table *t);
/* Copies */
int metric_table_add(struct metric_table *t, const struct metric_row *row, struct err *err);
/* NULL */
const struct metric_row *metric_find(const struct metric_table *t, const char *name, size_t len);
size_t metric_rows(const struct metric_table *t);
const struct metric_row *metric_row_at(const struct metric_table *t, size_t i);
/* All names that carry a meaning, in table order; returns their count (at most `size` written). */
size_t metric_names_of(const struct metric_table *t, enum metric_meaning m, const char **ret_names,
                       size_t size);

/* The entity a series describes, by its labels alone (aliases are the store's matter): node from
 * node, Hostname, hostname, host, else instance without port; the part from gpu, id, device, port,
 * ifName/ifDescr, rack, pdu, cdu, job_id. `row` may be NULL (unknown name: the most specific entity
 * that labels name). 0, or ERR_NOTFOUND when the labels name nothing. */
int metric_entity(const struct metric_row *row, const struct labels *l, char out[ENTITY_SIZE]);

#endif
