/* class: the classes of a cause, and their titles. The words are part of the outside contract. */
#include "kb/inside.h"

#include <string.h>

static const struct {
    const char *name;
    struct kb_text title;
} class_rows[] = {
    {"gpu", {"Accelerator", "加速卡"}},
    {"gpu-memory", {"Accelerator memory", "加速卡显存"}},
    {"nvlink", {"Scale-up link", "卡间高速互联"}},
    {"pcie", {"PCIe", "PCIe 链路"}},
    {"nic", {"Network adapter", "网卡"}},
    {"optic", {"Optical module or cable", "光模块或线缆"}},
    {"switch", {"Switch", "交换机"}},
    {"congestion", {"Congestion", "网络拥塞"}},
    {"fabric-config", {"Fabric configuration", "网络配置"}},
    {"storage", {"Storage", "存储"}},
    {"host-memory", {"Host memory", "主机内存"}},
    {"host-cpu", {"Host CPU", "主机 CPU"}},
    {"host-os", {"Operating system", "操作系统"}},
    {"software-version", {"Software versions", "软件版本"}},
    {"power", {"Power", "供电"}},
    {"cooling", {"Cooling", "散热"}},
    {"clock", {"Clock", "时钟同步"}},
    {"environment", {"Environment of the job", "作业运行环境"}},
    {"user-code", {"User's program", "用户程序"}},
    {"user-oom", {"Out of accelerator memory", "作业显存耗尽"}},
    {"user-data", {"User's data", "用户数据"}},
    {"framework", {"Framework or library", "框架或库"}},
    {"scheduler", {"Scheduler", "调度器"}},
    {"telemetry", {"Telemetry", "监测数据"}},
    {"unknown", {"Unknown", "原因未知"}},
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

const char *
kb_class_name(const char *name)
{
    size_t i = class_row(name);
    return i < CLASS_COUNT ? class_rows[i].name : NULL;
}
