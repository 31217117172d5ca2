/* probe_disk: block devices and NVMe. Sources: Documentation/admin-guide/iostats.rst,
 * Documentation/ABI/stable/sysfs-block; names as node_exporter writes them. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double scale;
} probe_disk_columns[] = {
    {"node_disk_reads_completed_total", 1},
    {"node_disk_reads_merged_total", 1},
    {"node_disk_read_bytes_total", 512},
    {"node_disk_read_time_seconds_total", 1e-3},
    {"node_disk_writes_completed_total", 1},
    {"node_disk_writes_merged_total", 1},
    {"node_disk_written_bytes_total", 512},
    {"node_disk_write_time_seconds_total", 1e-3},
    {"node_disk_io_now", 1},
    {"node_disk_io_time_seconds_total", 1e-3},
    {"node_disk_io_time_weighted_seconds_total", 1e-3},
    {"node_disk_discards_completed_total", 1},
    {"node_disk_discards_merged_total", 1},
    {"node_disk_discarded_sectors_total", 1},
    {"node_disk_discard_time_seconds_total", 1e-3},
    {"node_disk_flush_requests_total", 1},
    {"node_disk_flush_requests_time_seconds_total", 1e-3},
};

/* Partitions and pseudo devices are left out, as node_exporter does:
 * ^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$ */
static bool
probe_disk_wanted(const char *dev)
{
    size_t len = strlen(dev);
    if (!len || !isdigit((unsigned char)dev[len - 1]))
        return true;
    while (len && isdigit((unsigned char)dev[len - 1]))
        len--;
    if (len == 4 && !strncmp(dev, "loop", 4))
        return false;
    if ((len == 3 && !strncmp(dev, "ram", 3)) || (len == 2 && !strncmp(dev, "fd", 2)))
        return false;
    if ((len == 3 && strchr("hsv", dev[0]) && dev[1] == 'd') ||
        (len == 4 && !strncmp(dev, "xvd", 3)))
        return false;
    return !(str_prefix(dev, "nvme") && len > 5 && dev[len - 1] == 'p');
}

int
probe_disk_stats(struct probe *p)
{
    char *text = probe_read(p, "proc/diskstats") ? p->text.data : NULL, *line, *f[20];
    while ((line = probe_line(&text))) {
        size_t n = probe_fields(line, f, 20);
        if (n < 14 || !probe_disk_wanted(f[2]))
            continue;
        for (size_t i = 3; i < n; i++) {
            /* Divided, not multiplied, so that 17971 ms is 17.971 s to the last digit. */
            double v = strtod(f[i], NULL), scale = probe_disk_columns[i - 3].scale;
            snap_add(p->out, probe_disk_columns[i - 3].name, scale < 1 ? v / 1e3 : v * scale,
                     "device", f[2], NULL);
        }
    }
    return 0;
}

int
probe_disk_nvme(struct probe *p)
{
    struct probe_names devs;
    probe_list(p, &devs, "sys/class/nvme");
    for (size_t i = 0; i < devs.count; i++) {
        char model[128], serial[128], firmware[64], state[32];
        str_copy(model, sizeof model, probe_word(p, "sys/class/nvme/%s/model", devs.at[i]));
        str_copy(serial, sizeof serial, probe_word(p, "sys/class/nvme/%s/serial", devs.at[i]));
        str_copy(firmware, sizeof firmware,
                 probe_word(p, "sys/class/nvme/%s/firmware_rev", devs.at[i]));
        str_copy(state, sizeof state, probe_word(p, "sys/class/nvme/%s/state", devs.at[i]));
        snap_add(p->out, "node_nvme_info", 1, "device", devs.at[i], "firmware_revision", firmware,
                 "model", model, "serial", serial, "state", state, NULL);
    }
    probe_names_done(&devs);
    return 0;
}
