/* inventory: read at start and every ten minutes; sent when it changed. */
#include "agents/inventory.h"

#include "base/err.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value behind "key :" of a text such as /proc/cpuinfo, or behind KEY= of os-release. */
static void
inventory_value(const char *text, const char *key, char *out, size_t size)
{
    *out = 0;
    for (const char *at = text; at && (at = strstr(at, key)); at++) {
        if (at != text && at[-1] != '\n')
            continue;
        at += strlen(key);
        at += strspn(at, " \t:=\"");
        size_t n = strcspn(at, "\"\n");
        snprintf(out, size, "%.*s", (int)n, at);
        return;
    }
}

static void
inventory_machine(struct probe *p, struct jsonw *w)
{
    char value[256];
    jsonw_kstr(w, "version", PACKAGE_VERSION);
    jsonw_kstr(w, "kernel", probe_word(p, "proc/sys/kernel/osrelease"));
    inventory_value(probe_read(p, "etc/os-release"), "PRETTY_NAME", value, sizeof value);
    jsonw_kstr(w, "os", value);
    const char *text = probe_read(p, "proc/cpuinfo");
    inventory_value(text, "model name", value, sizeof value);
    int64_t cpus = 0;
    for (const char *at = text; at && (at = strstr(at, "processor\t")); at++)
        cpus++;
    jsonw_kstr(w, "cpu", value);
    jsonw_kint(w, "cpus", cpus);
    inventory_value(probe_read(p, "proc/meminfo"), "MemTotal", value, sizeof value);
    jsonw_kint(w, "memory_bytes", (int64_t)(strtod(value, NULL) * 1024));
    jsonw_kstr(w, "product", probe_word(p, "sys/class/dmi/id/product_name"));
    jsonw_kstr(w, "boot_id", probe_word(p, "proc/sys/kernel/random/boot_id"));
}

static void
inventory_nics(struct probe *p, struct jsonw *w)
{
    struct probe_names devs, nets;
    char firmware[64], pci[64];
    probe_list(p, &devs, "sys/class/infiniband");
    jsonw_key(w, "nics");
    jsonw_array(w);
    for (size_t i = 0; i < devs.count; i++) {
        str_copy(firmware, sizeof firmware,
                 probe_word(p, "sys/class/infiniband/%s/fw_ver", devs.at[i]));
        str_copy(pci, sizeof pci, probe_link(p, "sys/class/infiniband/%s/device", devs.at[i]));
        probe_list(p, &nets, "sys/class/infiniband/%s/device/net", devs.at[i]);
        jsonw_object(w);
        jsonw_kstr(w, "name", devs.at[i]);
        jsonw_kstr(w, "netdev", nets.count ? nets.at[0] : "");
        jsonw_kstr(w, "firmware", firmware);
        jsonw_kstr(w, "pci", pci);
        jsonw_end_object(w);
        probe_names_done(&nets);
    }
    jsonw_end_array(w);
    probe_names_done(&devs);
}

static void
inventory_disks(struct probe *p, struct jsonw *w)
{
    struct probe_names devs;
    double sectors;
    probe_list(p, &devs, "sys/block");
    jsonw_key(w, "disks");
    jsonw_array(w);
    for (size_t i = 0; i < devs.count; i++) {
        const char *dev = devs.at[i];
        if (str_prefix(dev, "loop") || str_prefix(dev, "ram") || str_prefix(dev, "zram") ||
            !probe_number(p, &sectors, "sys/block/%s/size", dev) || sectors <= 0)
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "name", dev);
        jsonw_kint(w, "bytes", (int64_t)(sectors * 512));
        jsonw_kstr(w, "model", probe_word(p, "sys/block/%s/device/model", dev));
        jsonw_kstr(w, "serial", probe_word(p, "sys/block/%s/device/serial", dev));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    probe_names_done(&devs);
}

int
inventory_format(struct probe *p, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    inventory_machine(p, &w);
    inventory_nics(p, &w);
    inventory_disks(p, &w);
    jsonw_key(&w, "gpus");
    if (p->gpus)
        jsonw_raw(&w, p->gpus, strlen(p->gpus));
    else
        jsonw_raw(&w, "[]", 2);
    jsonw_key(&w, "problems");
    jsonw_array(&w);
    if (p->gpu_problem)
        jsonw_str(&w, p->gpu_problem);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}
