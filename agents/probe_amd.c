/* probe_amd: AMD's accelerators from the files of their driver. Sources: the kernel's
 * Documentation/gpu/amdgpu (driver-misc.rst, thermal.rst, ras.rst); names as AMD's
 * device-metrics-exporter writes them, memory in MB. pcie_bw is left alone: reading it takes the
 * driver a second. Runs apart: a GPU whose firmware does not answer holds its readers. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe_amd_gpu {
    char card[32], index[8], model[96], serial[64], pci[64];
    unsigned told; /* values that it gave */
};

/* What no accelerator has (the table of metrics has the same ranges) is not told. */
static void
probe_amd_add(struct probe *p, struct probe_amd_gpu *g, const char *name, double v, double max)
{
    g->told++;
    if (v >= 0 && v <= max)
        snap_add(p->out, name, v, "gpu_id", g->index, "serial_number", g->serial, "card_model",
                 g->model, "hostname", p->node, "pci_bus_id", g->pci, NULL);
    else
        snap_add(p->out, "myriascope_agent_gpu_implausible", 1, "gpu_id", g->index, "metric", name,
                 NULL);
}

static void
probe_amd_device(struct probe *p, struct probe_amd_gpu *g)
{
    static const struct {
        const char *file, *name;
        double max;
    } files[] = {{"gpu_busy_percent", "gpu_gfx_activity", 100},
                 {"mem_busy_percent", "gpu_umc_activity", 100},
                 {"pcie_replay_count", "pcie_replay_count", 2e19},
                 {"current_link_width", "pcie_link_width", 32},
                 {"current_link_speed", "pcie_link_speed_gts", 1000}};
    double v, total = 0, used = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (probe_number(p, &v, "sys/class/drm/%s/device/%s", g->card, files[i].file))
            probe_amd_add(p, g, files[i].name, v, files[i].max);
    if (!probe_number(p, &total, "sys/class/drm/%s/device/mem_info_vram_total", g->card) ||
        !probe_number(p, &used, "sys/class/drm/%s/device/mem_info_vram_used", g->card))
        return;
    probe_amd_add(p, g, "gpu_total_vram", total / 1048576, 1e7);
    probe_amd_add(p, g, "gpu_used_vram", used / 1048576, total / 1048576);
    if (used <= total)
        probe_amd_add(p, g, "gpu_free_vram", (total - used) / 1048576, 1e7);
}

/* temp1_label is edge, junction or mem; power1_average or power1_input is of the socket, in uW. */
static void
probe_amd_sensors(struct probe *p, struct probe_amd_gpu *g)
{
    static const char *const temps[][2] = {{"edge", "gpu_edge_temperature"},
                                           {"junction", "gpu_junction_temperature"},
                                           {"mem", "gpu_memory_temperature"}};
    struct probe_names dirs;
    double v;
    if (!probe_list(p, &dirs, "sys/class/drm/%s/device/hwmon", g->card))
        return;
    for (int i = 1; i <= 3; i++) {
        char label[32];
        str_copy(
            label, sizeof label,
            probe_word(p, "sys/class/drm/%s/device/hwmon/%s/temp%d_label", g->card, dirs.at[0], i));
        for (size_t k = 0; k < 3; k++)
            if (!strcmp(label, temps[k][0]) &&
                probe_number(p, &v, "sys/class/drm/%s/device/hwmon/%s/temp%d_input", g->card,
                             dirs.at[0], i))
                probe_amd_add(p, g, temps[k][1], v / 1e3, 150);
    }
    if (probe_number(p, &v, "sys/class/drm/%s/device/hwmon/%s/power1_average", g->card, dirs.at[0]))
        probe_amd_add(p, g, "gpu_average_package_power", v / 1e6, 3000);
    if (probe_number(p, &v, "sys/class/drm/%s/device/hwmon/%s/power1_input", g->card, dirs.at[0]))
        probe_amd_add(p, g, "gpu_package_power", v / 1e6, 3000);
    if (probe_number(p, &v, "sys/class/drm/%s/device/hwmon/%s/freq1_input", g->card, dirs.at[0]))
        probe_amd_add(p, g, "gpu_clock", v / 1e6, 5000);
    probe_names_done(&dirs);
}

/* ras/umc_err_count and its siblings: "ue: 0", "ce: 3" */
static void
probe_amd_errors(struct probe *p, struct probe_amd_gpu *g)
{
    struct probe_names files;
    double corrected = 0, uncorrected = 0;
    unsigned blocks = 0;
    probe_list(p, &files, "sys/class/drm/%s/device/ras", g->card);
    for (size_t i = 0; i < files.count; i++) {
        char *text, *line;
        if (!str_suffix(files.at[i], "_err_count") ||
            !probe_read(p, "sys/class/drm/%s/device/ras/%s", g->card, files.at[i]))
            continue;
        for (text = p->text.data; (line = probe_line(&text));)
            if (str_prefix(line, "ue:"))
                uncorrected += (double)strtoull(line + 3, NULL, 10);
            else if (str_prefix(line, "ce:"))
                corrected += (double)strtoull(line + 3, NULL, 10);
        blocks++;
    }
    probe_names_done(&files);
    if (!blocks)
        return;
    probe_amd_add(p, g, "gpu_ecc_correct_total", corrected, 2e19);
    probe_amd_add(p, g, "gpu_ecc_uncorrect_total", uncorrected, 2e19);
}

static void
probe_amd_of(struct probe *p, struct probe_amd_gpu *g)
{
    str_copy(g->pci, sizeof g->pci, probe_link(p, "sys/class/drm/%s/device", g->card));
    if (probe_asleep(p, "sys/class/drm/%s/device", g->card)) {
        snap_add(p->out, "myriascope_agent_gpu_asleep", 1, "gpu_id", g->index, NULL);
        return;
    }
    str_copy(g->model, sizeof g->model,
             probe_word(p, "sys/class/drm/%s/device/product_name", g->card));
    str_copy(g->serial, sizeof g->serial,
             probe_word(p, "sys/class/drm/%s/device/unique_id", g->card));
    probe_amd_device(p, g);
    probe_amd_sensors(p, g);
    probe_amd_errors(p, g);
    /* The driver is there and gives nothing: the device has gone from it. */
    snap_add(p->out, "myriascope_agent_gpu_lost", !g->told, "gpu_id", g->index, "pci_bus_id",
             g->pci, NULL);
}

int
probe_amd(struct probe *p)
{
    struct probe_names cards;
    unsigned index = 0;
    probe_list(p, &cards, "sys/class/drm");
    for (size_t i = 0; i < cards.count; i++) {
        struct probe_amd_gpu g = {.told = 0};
        if (!str_prefix(cards.at[i], "card") || strchr(cards.at[i], '-') ||
            strcmp(probe_word(p, "sys/class/drm/%s/device/vendor", cards.at[i]), "0x1002"))
            continue;
        str_copy(g.card, sizeof g.card, cards.at[i]);
        snprintf(g.index, sizeof g.index, "%u", index++);
        probe_amd_of(p, &g);
    }
    probe_names_done(&cards);
    return 0;
}
