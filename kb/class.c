/* class: the classes of a cause, their titles, and what settles whether a cause is of that class.
 * The names are part of the outside contract. */
#include "kb/inside.h"

#include <string.h>

static const struct {
    const char *name;
    struct kb_text title, test;
} class_rows[] = {
    {"gpu",
     {"Accelerator", "加速卡"},
     {"With no job on it, run the maker's diagnostics (NVIDIA: dcgmi diag -r 3; Ascend: ascend-dmi "
      "-dg): broken hardware fails again, a single upset does not.",
      "移走作业后运行厂商诊断(NVIDIA:dcgmi diag -r 3;昇腾:ascend-dmi "
      "-dg):硬件故障会复现,偶发错误不会。"}},
    {"gpu-memory",
     {"Accelerator memory", "加速卡显存"},
     {"Read its ECC counts and remapped rows (nvidia-smi -q -d ECC,ROW_REMAPPER), reset it and "
      "test its memory: counts that grow again are hardware.",
      "读取 ECC 计数和行重映射(nvidia-smi -q -d "
      "ECC,ROW_REMAPPER),复位后做显存测试:计数再次增长即为硬件故障。"}},
    {"nvlink",
     {"Scale-up link", "卡间高速互联"},
     {"Read state and errors of the link at both ends (nvidia-smi nvlink -s, -e) before and after "
      "an all-reduce within the node: the bad link's counts grow.",
      "在节点内 all-reduce 前后读取链路两端的状态与错误(nvidia-smi nvlink "
      "-s、-e):故障链路的计数会增长。"}},
    {"pcie",
     {"PCIe", "PCIe 链路"},
     {"Compare the link's speed and width with what both sides can do (lspci -vv: LnkSta against "
      "LnkCap), reset, then reseat: what stays low is hardware.",
      "对比链路速率、宽度与两端能力(lspci -vv:LnkSta 与 "
      "LnkCap),先复位再重新插拔:仍然降级即为硬件故障。"}},
    {"nic",
     {"Network adapter", "网卡"},
     {"Measure between it and healthy adapters under the same leaf (ib_write_bw): when only pairs "
      "with it are bad it is the adapter or its cable; swap the cable to tell which.",
      "与同一 leaf 下正常网卡互测(ib_write_bw):只有含它的组合异常则是网卡或线缆,换线即可区分。"}},
    {"optic",
     {"Optical module or cable", "光模块或线缆"},
     {"Read transmit and receive power at both ends, then swap the module with a good one: errors "
      "that move with it are the module's, errors that stay are the fibre's or the port's.",
      "读取两端的收发光功率,再与正常模块对调:错误随模块走则是模块故障,留在原处则是光纤或端口。"}},
    {"switch",
     {"Switch", "交换机"},
     {"Read the switch's own log and counters around the first evidence, and see whether other "
      "ports of the same chip or card show it too.",
      "查看首个证据前后交换机自身的日志与计数,并看同一芯片或板卡的其他端口是否也有异常。"}},
    {"congestion",
     {"Congestion", "网络拥塞"},
     {"Find the port that sent pause frames or marked packets first and pace its biggest sender: "
      "congestion goes away, a fault stays.",
      "找出最先发送 PFC 或打 ECN 标记的端口,并对其最大的发送方限速:拥塞会消失,故障不会。"}},
    {"fabric-config",
     {"Fabric configuration", "网络配置"},
     {"Compare MTU, PFC, ECN and DSCP of both ends with a healthy pair, and ping across at full "
      "MTU with fragmentation forbidden.",
      "将两端的 MTU、PFC、ECN、DSCP 与正常链路对比,并以最大 MTU、禁止分片的方式 ping 对端。"}},
    {"storage",
     {"Storage", "存储"},
     {"Read and write the same file system from a node that does not suffer (fio with direct I/O): "
      "slow there too is the server, fast there is this client or its path.",
      "在未受影响的节点上读写同一文件系统(fio,direct "
      "I/O):同样慢是服务端问题,正常则是本客户端或其链路。"}},
    {"host-memory",
     {"Host memory", "主机内存"},
     {"Read error counts by memory module (ras-mc-ctl --error-count) and test the memory: counts "
      "that grow on one module are that module's.",
      "按内存条读取错误计数(ras-mc-ctl --error-count)并做内存测试:计数集中在某一条则更换它。"}},
    {"host-cpu",
     {"Host CPU", "主机 CPU"},
     {"Compare frequency, throttling and machine checks with a healthy node under the same load "
      "(turbostat, ras-mc-ctl --errors).",
      "在相同负载下与正常节点对比频率、降频和机器检查异常(turbostat、ras-mc-ctl --errors)。"}},
    {"host-os",
     {"Operating system", "操作系统"},
     {"Read the kernel's log before the first evidence (after a restart: journalctl -k -b -1) and "
      "compare kernel and drivers with a healthy node.",
      "查看首个证据之前的内核日志(重启后:journalctl -k -b -1),并与正常节点对比内核和驱动版本。"}},
    {"software-version",
     {"Software versions", "软件版本"},
     {"Compare versions with a healthy node (myriascope check --nodes), then run the same on nodes "
      "of one version only.",
      "与正常节点对比版本(myriascope check --nodes),再只在同一版本的节点上运行相同作业。"}},
    {"power",
     {"Power", "供电"},
     {"Read the power supplies and the BMC's event log (ipmitool sel list), and see whether "
      "neighbours on the same feed show it too.",
      "查看电源模块和 BMC 事件日志(ipmitool sel list),并看同一供电回路的相邻设备是否也有异常。"}},
    {"cooling",
     {"Cooling", "散热"},
     {"Compare inlet and outlet temperatures and fan or flow readings with the neighbours in the "
      "rack: all warm is the room or the loop, one warm is the device.",
      "与同机柜相邻设备对比进出口温度及风扇或流量:全部偏热是机房或液冷回路问题,"
      "单台偏热是设备问题。"}},
    {"clock",
     {"Clock", "时钟同步"},
     {"Compare offset and source with neighbours (chronyc tracking, chronyc sources): many off "
      "alike is the time server, one off is the node.",
      "与相邻节点对比时钟偏差和时间源(chronyc tracking、chronyc "
      "sources):多台一致偏差是时间服务器问题,单台偏差是节点问题。"}},
    {"environment",
     {"Environment of the job", "作业运行环境"},
     {"Start a shell on the node as the job would and compare environment, limits and mounts (env, "
      "ulimit -a, findmnt) with a run that worked.",
      "以作业方式在该节点打开 shell,将环境变量、限制和挂载(env、ulimit "
      "-a、findmnt)与成功的运行对比。"}},
    {"user-code",
     {"User's program", "用户程序"},
     {"Run the same program on other nodes, or smaller: an error that comes again elsewhere is the "
      "program's.",
      "换其他节点或缩小规模运行同一程序:换地方仍然复现即为程序问题。"}},
    {"user-oom",
     {"Out of accelerator memory", "作业显存耗尽"},
     {"Run the same on other nodes: out of memory at the same step again is the job's; a foreign "
      "process on the device (nvidia-smi) is not.",
      "换其他节点运行:在相同步骤再次显存耗尽是作业问题;若卡上有其他进程(nvidia-smi)则不是。"}},
    {"user-data",
     {"User's data", "用户数据"},
     {"Read the record or file that is named on another node: the same error there is the data's, "
      "none there is this node's storage.",
      "在其他节点读取报错的记录或文件:同样报错是数据问题,正常则是本节点存储问题。"}},
    {"framework",
     {"Framework or library", "框架或库"},
     {"Run with the version that worked before on the same nodes, or with this version on others.",
      "在相同节点上换回之前正常的版本运行,或在其他节点上运行当前版本。"}},
    {"scheduler",
     {"Scheduler", "调度器"},
     {"Ask the scheduler why (scontrol show job, sacct -j) and read its log around the first "
      "evidence.",
      "询问调度器原因(scontrol show job、sacct -j),并查看首个证据前后的调度器日志。"}},
    {"telemetry",
     {"Telemetry", "监测数据"},
     {"Ask the source itself from the collecting machine (curl its /metrics, snmpget): no answer "
      "is the telemetry, a good answer clears the equipment.",
      "从采集机直接访问数据源(curl "
      "/metrics、snmpget):没有应答是监测链路问题,应答正常则设备无恙。"}},
    {"unknown",
     {"Unknown", "原因未知"},
     {"Collect the logs of the entity around the first evidence.",
      "收集首个证据前后该对象的日志。"}},
};
#define CLASS_COUNT (sizeof class_rows / sizeof *class_rows)

static size_t
class_row(const char *name)
{
    size_t i = 0;
    while (i < CLASS_COUNT && strcmp(class_rows[i].name, name) != 0)
        i++;
    return i;
}

const struct kb_text *
kb_class(const char *name)
{
    size_t i = name ? class_row(name) : CLASS_COUNT;
    return i < CLASS_COUNT ? &class_rows[i].title : NULL;
}

const struct kb_text *
kb_class_test(const char *name)
{
    size_t i = name ? class_row(name) : CLASS_COUNT;
    return i < CLASS_COUNT ? &class_rows[i].test : NULL;
}

const char *
kb_class_name(const char *name)
{
    size_t i = class_row(name);
    return i < CLASS_COUNT ? class_rows[i].name : NULL;
}
