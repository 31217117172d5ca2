/* probe_hw: sensors, memory errors, machine checks. Sources: Documentation/hwmon/sysfs-interface,
 * Documentation/driver-api/edac.rst; names as node_exporter writes them. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- sensors ------------------------------------------------------------------------------------
 */

/* In place: lower case, all but letters, digits and colons '_', none at the ends. */
static char *
probe_hw_clean(char *name)
{
    for (char *c = name; *c; c++)
        *c = isalnum((unsigned char)*c) || *c == ':' ? (char)tolower((unsigned char)*c) : '_';
    for (size_t n = strlen(name); n && name[n - 1] == '_'; n--)
        name[n - 1] = 0;
    return name + strspn(name, "_");
}

/* As node_exporter names a chip: the last two parts of the device's path, else the name file. */
static void
probe_hw_chip(struct probe *p, const char *dir, char *out, size_t size)
{
    char target[512], device[512], *last, *before;
    str_copy(target, sizeof target, probe_target(p, "sys/class/hwmon/%s", dir));
    str_copy(device, sizeof device, probe_target(p, "sys/class/hwmon/%s/device", dir));
    if (*device && *target) {
        /* target: ../../devices/TYPE/NAME/hwmon/hwmonN, device: ../../NAME or ../../../NAME */
        size_t up = 0;
        for (const char *d = device; str_prefix(d, "../"); d += 3)
            up++;
        for (; up && (last = strrchr(target, '/')); up--)
            *last = 0;
        char *rest = device;
        while (str_prefix(rest, "../"))
            rest += 3;
        char joined[1100];
        snprintf(joined, sizeof joined, "%s/%s", target, rest);
        last = strrchr(joined, '/');
        *last++ = 0;
        before = strrchr(joined, '/');
        last = probe_hw_clean(last);
        before = probe_hw_clean(before ? before + 1 : joined);
        if (*last && *before) {
            snprintf(out, size, "%s_%s", before, last);
            return;
        }
    }
    char name[128];
    str_copy(name, sizeof name, probe_word(p, "sys/class/hwmon/%s/name", dir));
    str_copy(out, size, *name ? probe_hw_clean(name) : dir);
}

static const struct {
    const char *type, *unit;
    double scale;
    const char *counter;
} probe_hw_types[] = {
    {"temp", "celsius", 1e-3, ""}, {"fan", "rpm", 1, ""},       {"in", "volts", 1e-3, ""},
    {"curr", "amps", 1e-3, ""},    {"power", "watt", 1e-6, ""}, {"energy", "joule", 1e-6, "_total"},
    {"humidity", "", 1e-6, ""},
};

/* temp1_input: node_hwmon_temp_celsius{sensor="temp1"}; temp1_crit: node_hwmon_temp_crit_celsius.
 */
static void
probe_hw_sensor(struct probe *p, const char *dir, const char *chip, const char *file)
{
    char sensor[32], type[16], name[96];
    size_t letters = strcspn(file, "0123456789"), digits = strspn(file + letters, "0123456789");
    const char *property = file + letters + digits;
    double v;
    if (!letters || letters >= sizeof type || !digits || *property != '_' ||
        letters + digits >= sizeof sensor || strlen(property) > 40)
        return;
    property++;
    snprintf(type, sizeof type, "%.*s", (int)letters, file);
    snprintf(sensor, sizeof sensor, "%.*s", (int)(letters + digits), file);
    if (!strcmp(property, "label")) {
        snap_add(p->out, "node_hwmon_sensor_label", 1, "chip", chip, "label",
                 probe_word(p, "sys/class/hwmon/%s/%s", dir, file), "sensor", sensor, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof probe_hw_types / sizeof *probe_hw_types; i++) {
        if (strcmp(type, probe_hw_types[i].type) ||
            !probe_number(p, &v, "sys/class/hwmon/%s/%s", dir, file))
            continue;
        bool plain = str_suffix(property, "alarm") || str_suffix(property, "type") ||
                     str_suffix(property, "beep") || str_suffix(property, "offset") ||
                     str_suffix(property, "fault");
        bool input = !strcmp(property, "input") && strcmp(type, "power");
        bool unit = !plain && *probe_hw_types[i].unit;
        snprintf(name, sizeof name, "node_hwmon_%s%s%s%s%s%s", type, input ? "" : "_",
                 input ? "" : property, unit ? "_" : "", unit ? probe_hw_types[i].unit : "",
                 plain ? "" : probe_hw_types[i].counter);
        snap_add(p->out, name, plain ? v : v * probe_hw_types[i].scale, "chip", chip, "sensor",
                 sensor, NULL);
    }
}

/* Sensors whose reading would wake their device, or keep a disk from spinning down
 * (Documentation/hwmon/drivetemp.rst), are left in peace. */
static bool
probe_hw_rests(struct probe *p, const char *dir, const char *name)
{
    struct probe_names disks;
    double rotates = 0;
    if (probe_asleep(p, "sys/class/hwmon/%s/device", dir) ||
        probe_asleep(p, "sys/class/hwmon/%s/device/device", dir))
        return true;
    if (strcmp(name, "drivetemp"))
        return false;
    if (probe_list(p, &disks, "sys/class/hwmon/%s/device/block", dir))
        probe_number(p, &rotates, "sys/class/hwmon/%s/device/block/%s/queue/rotational", dir,
                     disks.at[0]);
    probe_names_done(&disks);
    return rotates > 0;
}

int
probe_hw_hwmon(struct probe *p)
{
    struct probe_names chips, files;
    probe_list(p, &chips, "sys/class/hwmon");
    for (size_t i = 0; i < chips.count; i++) {
        char chip[256], name[128];
        probe_hw_chip(p, chips.at[i], chip, sizeof chip);
        str_copy(name, sizeof name, probe_word(p, "sys/class/hwmon/%s/name", chips.at[i]));
        if (probe_hw_rests(p, chips.at[i], name))
            continue;
        if (*name)
            snap_add(p->out, "node_hwmon_chip_names", 1, "chip", chip, "chip_name",
                     probe_hw_clean(name), NULL);
        probe_list(p, &files, "sys/class/hwmon/%s", chips.at[i]);
        for (size_t k = 0; k < files.count; k++)
            probe_hw_sensor(p, chips.at[i], chip, files.at[k]);
        probe_names_done(&files);
    }
    probe_names_done(&chips);
    return 0;
}

/* --- memory errors ------------------------------------------------------------------------------
 */

static void
probe_hw_row(struct probe *p, const char *mc, const char *csrow, const char *folder, bool unknown)
{
    const char *ce = unknown ? "ce_noinfo_count" : "ce_count";
    const char *ue = unknown ? "ue_noinfo_count" : "ue_count";
    double v;
    if (probe_number(p, &v, "%s/%s", folder, ce))
        snap_add(p->out, "node_edac_csrow_correctable_errors_total", v, "controller", mc, "csrow",
                 csrow, NULL);
    if (probe_number(p, &v, "%s/%s", folder, ue))
        snap_add(p->out, "node_edac_csrow_uncorrectable_errors_total", v, "controller", mc, "csrow",
                 csrow, NULL);
}

int
probe_hw_edac(struct probe *p)
{
    struct probe_names mcs, rows;
    double v;
    char folder[256];
    probe_list(p, &mcs, "sys/devices/system/edac/mc");
    for (size_t i = 0; i < mcs.count; i++) {
        if (!str_prefix(mcs.at[i], "mc"))
            continue;
        const char *mc = mcs.at[i] + 2;
        if (probe_number(p, &v, "sys/devices/system/edac/mc/%s/ce_count", mcs.at[i]))
            snap_add(p->out, "node_edac_correctable_errors_total", v, "controller", mc, NULL);
        if (probe_number(p, &v, "sys/devices/system/edac/mc/%s/ue_count", mcs.at[i]))
            snap_add(p->out, "node_edac_uncorrectable_errors_total", v, "controller", mc, NULL);
        snprintf(folder, sizeof folder, "sys/devices/system/edac/mc/%.60s", mcs.at[i]);
        probe_hw_row(p, mc, "unknown", folder, true);
        probe_list(p, &rows, "%s", folder);
        for (size_t k = 0; k < rows.count; k++) {
            if (!str_prefix(rows.at[k], "csrow"))
                continue;
            snprintf(folder, sizeof folder, "sys/devices/system/edac/mc/%.60s/%.60s", mcs.at[i],
                     rows.at[k]);
            probe_hw_row(p, mc, rows.at[k] + 5, folder, false);
        }
        probe_names_done(&rows);
    }
    probe_names_done(&mcs);
    return 0;
}

/* --- machine checks: the sums of /proc/interrupts' lines over all processors ------------------ */

static void
probe_hw_interrupt(void *ctx, char *line)
{
    static const char *const words[][2] = {{"MCE:", "node_mce_exceptions_total"},
                                           {"TRM:", "node_mce_thermal_events_total"},
                                           {"DFR:", "node_mce_deferred_errors_total"}};
    struct probe *p = ctx;
    line += strspn(line, " ");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_prefix(line, words[i][0]))
            continue;
        double sum = 0;
        char *end = line + strlen(words[i][0]);
        for (char *at = NULL; at != end;) {
            at = end;
            end += strspn(end, " ");
            if (isdigit((unsigned char)*end))
                sum += (double)strtoull(end, &end, 10);
            else
                end = at;
        }
        snap_add(p->out, words[i][1], sum, NULL);
    }
}

/* Some megabytes on a large machine. */
int
probe_hw_mce(struct probe *p)
{
    probe_each(p, "proc/interrupts", probe_hw_interrupt, p);
    return 0;
}
