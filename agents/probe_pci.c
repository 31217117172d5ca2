/* probe_pci: link width and speed, and Advanced Error Reporting, of the devices that a cluster
 * lives on: GPUs, NICs, NVMe, and the bridges above them. Sources:
 * Documentation/ABI/testing/sysfs-bus-pci and sysfs-bus-pci-devices-aer_stats. Links are named as
 * node_exporter's pcidevice collector does; it has no AER, whose names here follow the kernel's. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Class code: mass storage NVMe 0108, network 02, display 03, processing accelerator 12, bridge
 * 0604. */
static bool
probe_pci_wanted(unsigned long class_code)
{
    unsigned base = (unsigned)(class_code >> 16) & 0xff, both = (unsigned)(class_code >> 8);
    return base == 0x02 || base == 0x03 || base == 0x12 || both == 0x0108 || both == 0x0604;
}

struct probe_pci_address {
    char segment[16], bus[8], device[8], function[8];
};

static bool
probe_pci_parse(const char *name, struct probe_pci_address *ret)
{
    return sscanf(name, "%15[0-9a-f]:%7[0-9a-f]:%7[0-9a-f].%7[0-7]", ret->segment, ret->bus,
                  ret->device, ret->function) == 4;
}

#define PROBE_PCI_LABELS(a)                                                                        \
    "segment", (a)->segment, "bus", (a)->bus, "device", (a)->device, "function", (a)->function

static void
probe_pci_link(struct probe *p, const char *dev, const struct probe_pci_address *a)
{
    static const struct {
        const char *file, *name;
        double scale;
    } files[] = {
        {"current_link_speed", "node_pcidevice_current_link_transfers_per_second", 1e9},
        {"max_link_speed", "node_pcidevice_max_link_transfers_per_second", 1e9},
        {"current_link_width", "node_pcidevice_current_link_width", 1},
        {"max_link_width", "node_pcidevice_max_link_width", 1},
        {"numa_node", "node_pcidevice_numa_node", 1},
    };
    double v;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (probe_number(p, &v, "sys/bus/pci/devices/%s/%s", dev, files[i].file))
            snap_add(p->out, files[i].name, v * files[i].scale, PROBE_PCI_LABELS(a), NULL);
}

/* Lines "RxErr 3"; the last is TOTAL_ERR_COR 3. Zero kinds are left out, the total never is. */
static void
probe_pci_aer(struct probe *p, const char *dev, const struct probe_pci_address *a)
{
    static const char *const kinds[][2] = {{"correctable", "aer_dev_correctable"},
                                           {"nonfatal", "aer_dev_nonfatal"},
                                           {"fatal", "aer_dev_fatal"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *read = probe_read(p, "sys/bus/pci/devices/%s/%s", dev, kinds[i][1]);
        char *text = read ? p->text.data : NULL, *line, *f[2];
        while ((line = probe_line(&text))) {
            if (probe_fields(line, f, 2) < 2)
                continue;
            double v = strtod(f[1], NULL);
            if (str_prefix(f[0], "TOTAL_"))
                snap_add(p->out, "node_pcidevice_aer_errors_total", v, PROBE_PCI_LABELS(a),
                         "severity", kinds[i][0], NULL);
            else if (v > 0)
                snap_add(p->out, "node_pcidevice_aer_error_kinds_total", v, PROBE_PCI_LABELS(a),
                         "severity", kinds[i][0], "error", f[0], NULL);
        }
    }
}

int
probe_pci(struct probe *p)
{
    struct probe_names devs;
    struct probe_pci_address a;
    probe_list(p, &devs, "sys/bus/pci/devices");
    for (size_t i = 0; i < devs.count; i++) {
        const char *word = probe_word(p, "sys/bus/pci/devices/%s/class", devs.at[i]);
        if (!probe_pci_wanted(strtoul(word, NULL, 16)) || !probe_pci_parse(devs.at[i], &a) ||
            probe_asleep(p, "sys/bus/pci/devices/%s", devs.at[i]))
            continue;
        probe_pci_link(p, devs.at[i], &a);
        probe_pci_aer(p, devs.at[i], &a);
    }
    probe_names_done(&devs);
    return 0;
}
