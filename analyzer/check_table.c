/* check_table: the rows. A limit has its reason in the row's reason text. */
#include "analyzer/check_table.h"

#define NONE METRIC_NONE

const struct check_row check_rows[] = {
    {"open-incident", "health", ENTITY_NODE, CHECK_INCIDENT, NONE, NONE, NONE, KPI_LAST, 0, 0, "", true, false,
     {"No open incident", "无未恢复故障"}, {"an open incident names this part as the root cause", "存在以该部件为根因的未恢复故障"}},
    {"telemetry", "health", ENTITY_NODE, CHECK_ABOVE, METRIC_NODE_LOAD1, NONE, NONE, KPI_LAST, 1e300, 1e300, "", true, false,
     {"The node reports", "节点有遥测数据"}, {"no telemetry of the node for two minutes: it can be neither passed nor failed", "两分钟内没有该节点的遥测数据,无法判定"}},
    {"gpu-reports", "health", ENTITY_GPU, CHECK_ABOVE, METRIC_GPU_TEMP, NONE, NONE, KPI_LAST, 85, 92, "°C", true, false,
     {"GPU reports and is not hot", "GPU 有数据且温度正常"}, {"NVIDIA parts slow down at about 87 to 93 °C", "NVIDIA GPU 约在 87 至 93 °C 开始降频"}},
    {"gpu-memory-temperature", "health", ENTITY_GPU, CHECK_ABOVE, METRIC_GPU_MEM_TEMP, NONE, NONE, KPI_LAST, 95, 105, "°C", true, true,
     {"GPU memory temperature", "显存温度"}, {"HBM slows down above about 95 °C", "HBM 超过约 95 °C 会降频"}},
    {"gpu-ecc-uncorrected", "health", ENTITY_GPU, CHECK_ABOVE, METRIC_GPU_ECC_DBE, NONE, NONE, KPI_SUM, 0, 0, "/s", true, true,
     {"No uncorrected GPU memory errors", "无不可纠正显存错误"}, {"uncorrected memory errors within the last two minutes", "最近两分钟内出现不可纠正显存错误"}},
    {"gpu-row-remap", "health", ENTITY_GPU, CHECK_ABOVE, METRIC_GPU_ROW_REMAP_FAILURE, NONE, NONE, KPI_MAX, 0, 0, "", true, true,
     {"Row remapping works", "行重映射正常"}, {"a failed row remapping means that spare rows are used up: replace the GPU", "行重映射失败说明备用行已耗尽,需更换 GPU"}},
    {"gpu-nvlink-errors", "health", ENTITY_GPU, CHECK_ABOVE, METRIC_GPU_NVLINK_ERRORS, NONE, NONE, KPI_SUM, 0.5, 10, "/s", true, true,
     {"NVLink is clean", "NVLink 无错误"}, {"CRC errors on NVLink cost bandwidth by replays", "NVLink CRC 错误会因重传损失带宽"}},
    {"gpu-pcie-width", "consistency", ENTITY_GPU, CHECK_MODE, METRIC_GPU_PCIE_WIDTH, NONE, NONE, KPI_MIN, 0, 0, "lanes", true, true,
     {"PCIe width as the others", "PCIe 宽度一致"}, {"a narrower link than the other GPUs have", "PCIe 链路宽度小于其他 GPU"}},
    {"gpu-pcie-generation", "consistency", ENTITY_GPU, CHECK_MODE, METRIC_GPU_PCIE_GEN, NONE, NONE, KPI_MIN, 0, 0, "", false, true,
     {"PCIe generation as the others", "PCIe 代数一致"}, {"idle links lower their generation; under load it must be that of the others", "空闲时链路会降代,负载下应与其他 GPU 一致"}},
    {"gpu-clock", "performance", ENTITY_GPU, CHECK_PEERS_LOW, METRIC_GPU_CLOCK, NONE, NONE, KPI_LAST, 0.92, 0.8, "MHz", true, true,
     {"Clock as high as the others'", "时钟频率与同类一致"}, {"a clock below the scope's median holds back every collective", "低于同组中位数的时钟会拖慢所有集合通信"}},
    {"node-memory", "health", ENTITY_NODE, CHECK_RATIO_BELOW, METRIC_NODE_MEM_AVAILABLE, METRIC_NODE_MEM_TOTAL, NONE, KPI_LAST, 0.1, 0.04, "ratio", true, true,
     {"Host memory available", "主机可用内存"}, {"little memory available: the next job will meet the OOM killer", "可用内存过少,后续作业可能被 OOM 终止"}},
    {"node-memory-errors", "health", ENTITY_NODE, CHECK_ABOVE, METRIC_NODE_EDAC_UE, NONE, NONE, KPI_SUM, 0, 0, "/s", true, true,
     {"No uncorrected host memory errors", "无不可纠正主机内存错误"}, {"uncorrected memory errors within the last two minutes", "最近两分钟内出现不可纠正内存错误"}},
    {"node-disk", "health", ENTITY_NODE, CHECK_RATIO_BELOW, METRIC_NODE_FS_AVAIL, METRIC_NODE_FS_SIZE, NONE, KPI_MIN, 0.1, 0.03, "ratio", true, true,
     {"Room on local file systems", "本地文件系统空间"}, {"a full local disk stops checkpoints and logs", "本地磁盘写满会导致检查点和日志失败"}},
    {"node-clock", "health", ENTITY_NODE, CHECK_ABOVE, METRIC_NODE_TIME_OFFSET, NONE, NONE, KPI_MAX, 0.1, 1, "s", true, true,
     {"Clock in step", "时钟同步"}, {"clocks apart make rendezvous, tokens and log order go wrong", "时钟偏差会影响集合点、令牌和日志顺序"}},
    {"node-load", "performance", ENTITY_NODE, CHECK_ABOVE, METRIC_NODE_LOAD1, NONE, NONE, KPI_LAST, 512, 2048, "", true, true,
     {"Load is sane", "负载正常"}, {"a very high load before a job starts is a leftover process or a hung mount", "作业开始前负载过高,通常是残留进程或挂死的挂载点"}},
    {"nic-link", "health", ENTITY_NIC, CHECK_BELOW, METRIC_NIC_STATE, NONE, NONE, KPI_MIN, 1, 1, "", true, true,
     {"NIC port is up", "网卡端口正常"}, {"the port is not active: link down, or the subnet has not brought it up", "端口未处于 ACTIVE 状态:链路断开或子网未激活"}},
    {"nic-rate", "consistency", ENTITY_NIC, CHECK_MODE, METRIC_NIC_RATE, NONE, NONE, KPI_LAST, 0, 0, "B/s", true, true,
     {"Link rate as the others", "链路速率一致"}, {"a slower link than the scope's other NICs", "链路速率低于同组其他网卡"}},
    {"nic-errors", "health", ENTITY_NIC, CHECK_ABOVE, METRIC_NIC_ERRORS, NONE, NONE, KPI_SUM, 1, 100, "/s", true, true,
     {"NIC is clean", "网卡无错误"}, {"symbol or CRC errors point at the module, the fibre or the port", "符号或 CRC 错误指向光模块、光纤或端口"}},
    {"nic-retransmits", "performance", ENTITY_NIC, CHECK_ABOVE, METRIC_NIC_RETRANSMITS, NONE, NONE, KPI_SUM, 20, 500, "/s", true, true,
     {"No RDMA retransmissions", "无 RDMA 重传"}, {"retransmissions mean loss on the path of this NIC", "重传说明该网卡路径上有丢包"}},
    {"optic-rx-power", "health", ENTITY_OPTIC, CHECK_BELOW_LIMIT, METRIC_OPTIC_RX_POWER, METRIC_OPTIC_RX_POWER_LOW_WARNING, METRIC_OPTIC_RX_POWER_LOW_ALARM, KPI_MIN, -9.0, -10.5, "dBm", true, true,
     {"Optical receive power", "光模块接收功率"}, {"below the module's own limit: clean or replace fibre or module at the far end first", "低于光模块自身门限:先清洁或更换光纤,再检查对端模块"}},
    {"optic-tx-power", "health", ENTITY_OPTIC, CHECK_BELOW_LIMIT, METRIC_OPTIC_TX_POWER, NONE, METRIC_OPTIC_TX_POWER_LOW_ALARM, KPI_MIN, -8, -10, "dBm", true, true,
     {"Optical transmit power", "光模块发送功率"}, {"the laser is weak: replace this module", "激光器功率偏低:更换该模块"}},
    {"optic-temperature", "health", ENTITY_OPTIC, CHECK_ABOVE, METRIC_OPTIC_TEMP, NONE, NONE, KPI_MAX, 70, 75, "°C", true, true,
     {"Module temperature", "光模块温度"}, {"commercial modules are specified to 70 °C", "商用光模块规格上限为 70 °C"}},
    {"port-up", "health", ENTITY_PORT, CHECK_EQUALS, METRIC_PORT_OPER, NONE, NONE, KPI_LAST, 1, 1, "", false, true,
     {"Cabled switch port is up", "已接线的交换机端口正常"}, {"a cabled port that is not operationally up", "已接线端口未处于 up 状态"}},
    {"port-errors", "health", ENTITY_PORT, CHECK_ABOVE, METRIC_PORT_RX_ERRORS, NONE, NONE, KPI_SUM, 1, 100, "/s", true, true,
     {"Switch port is clean", "交换机端口无错误"}, {"input errors on the port", "端口存在接收错误"}},
};
const size_t check_row_count = sizeof check_rows / sizeof *check_rows;

const char *
check_verdict_word(enum check_verdict v)
{
    static const char *const words[] = {"pass", "warn", "fail", "unknown"};
    return words[v];
}
