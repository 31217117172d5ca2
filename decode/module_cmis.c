/* module_cmis: QSFP-DD, OSFP and all that speak the Common Management Interface Specification, 3 to
 * 5. Lanes are in banks of eight; page 11h of bank b tells lanes 8b+1 to 8b+8. */
#include "decode/module_in.h"

#include <math.h>
#include <stdio.h>

#define UP(page, offset) ((page) + (offset)-128)

static const char *const module_cmis_states[8] = {
    "", "low-power", "powering-up", "ready", "powering-down", "fault", "", ""};
static const char *const module_cmis_paths[16] = {"",
                                                  "deactivated",
                                                  "initializing",
                                                  "deinitializing",
                                                  "activated",
                                                  "turning-on",
                                                  "turning-off",
                                                  "initialized",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  ""};

static void
module_cmis_identity(const uint8_t *u, struct module *m)
{
    module_text(m->vendor, UP(u, 129), 16);
    module_oui(m->oui, UP(u, 145));
    module_text(m->part, UP(u, 148), 16);
    module_text(m->revision, UP(u, 164), 2);
    module_text(m->serial, UP(u, 166), 16);
    module_date(m->date, UP(u, 182));
    m->max_power_w = *UP(u, 201) * 0.25;
    m->connector = module_connector(*UP(u, 203));
    /* multiplier in bits 7-6: 0.1, 1, 10, 100; base in 5-0 */
    static const double factors[] = {0.1, 1, 10, 100};
    unsigned length = *UP(u, 202);
    m->length_m = length ? (length & 63) * factors[length >> 6] : NAN;
}

static void
module_cmis_lower(const uint8_t *l, struct module *m)
{
    static const char *const flags[] = {"temperature-high-alarm",   "temperature-low-alarm",
                                        "temperature-high-warning", "temperature-low-warning",
                                        "voltage-high-alarm",       "voltage-low-alarm",
                                        "voltage-high-warning",     "voltage-low-warning"};
    snprintf(m->revision_of_spec, sizeof m->revision_of_spec, "%u.%u", l[1] >> 4, l[1] & 15u);
    m->state = module_cmis_states[l[3] >> 1 & 7];
    for (unsigned bit = 0; bit < 8; bit++)
        module_flag_add(m, l[9] >> bit & 1, flags[bit], 0);
    module_flag_add(m, l[8] & 0x02, "module-firmware-error", 0);
    module_flag_add(m, l[8] & 0x04, "data-path-firmware-error", 0);
    m->temperature = module_value(l + 14, MODULE_CELSIUS, 1);
    m->voltage = module_value(l + 16, MODULE_VOLTS, 1);
    snprintf(m->firmware, sizeof m->firmware, "%u.%u", l[39], l[40]);
    static const char *const faults[] = {"", "tec-runaway", "data-memory-corrupted",
                                         "program-memory-corrupted"};
    m->fault = l[41] < 4 ? faults[l[41]] : "other";
    m->media_type = l[85];
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *a = l + 86 + 4 * i;
        if (a[0] == 0xff)
            break;
        m->applications[m->application_count++] =
            (struct module_application){a[0], a[1], a[2] >> 4, a[2] & 15};
    }
}

static void
module_cmis_thresholds(const uint8_t *t, struct module *m, double factor)
{
    module_limits_at(&m->temperature_limits, UP(t, 128), MODULE_CELSIUS, 1);
    module_limits_at(&m->voltage_limits, UP(t, 136), MODULE_VOLTS, 1);
    module_limits_at(&m->tx_limits, UP(t, 176), MODULE_DBM, 1);
    module_limits_at(&m->bias_limits, UP(t, 184), MODULE_MA, factor);
    module_limits_at(&m->rx_limits, UP(t, 192), MODULE_DBM, 1);
}

/* One byte a flag, one bit a lane. */
static void
module_cmis_lane_flags(const uint8_t *u, unsigned first, struct module *m)
{
    static const struct {
        unsigned at;
        const char *name;
    } rows[] = {
        {135, "tx-fault"},
        {136, "tx-los"},
        {137, "tx-lol"},
        {138, "tx-equalizer-fault"},
        {139, "tx-power-high-alarm"},
        {140, "tx-power-low-alarm"},
        {141, "tx-power-high-warning"},
        {142, "tx-power-low-warning"},
        {143, "bias-high-alarm"},
        {144, "bias-low-alarm"},
        {145, "bias-high-warning"},
        {146, "bias-low-warning"},
        {147, "rx-los"},
        {148, "rx-lol"},
        {149, "rx-power-high-alarm"},
        {150, "rx-power-low-alarm"},
        {151, "rx-power-high-warning"},
        {152, "rx-power-low-warning"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned lane = 0; lane < 8; lane++)
            module_flag_add(m, *UP(u, rows[i].at) >> lane & 1, rows[i].name, first + lane + 1);
}

static void
module_cmis_lanes(const uint8_t *u, unsigned bank, struct module *m, double factor,
                  unsigned monitors)
{
    unsigned first = bank * 8;
    for (unsigned i = 0; i < 8; i++) {
        struct module_lane *lane = &m->lanes[first + i];
        if (monitors & 2)
            lane->tx_power_dbm = module_value(UP(u, 154) + 2 * i, MODULE_DBM, 1);
        if (monitors & 1)
            lane->bias_ma = module_value(UP(u, 170) + 2 * i, MODULE_MA, factor);
        if (monitors & 4)
            lane->rx_power_dbm = module_value(UP(u, 186) + 2 * i, MODULE_DBM, 1);
        lane->state = module_cmis_paths[*UP(u, 128 + i / 2) >> (i % 2 * 4) & 15];
    }
    module_cmis_lane_flags(u, first, m);
    m->lane_count = first + 8;
}

/* Lanes beyond those that the first application uses are dark by design: QSFP+ and SFP forms. */
static void
module_cmis_lane_count(struct module *m)
{
    unsigned lanes = m->lane_count;
    if (m->identifier == 0x1e)
        lanes = 4;
    else if (m->identifier == 0x1a || m->identifier == 0x1b || m->identifier == 0x1f)
        lanes = 2;
    else if (m->identifier == 0x20)
        lanes = 1;
    m->lane_count = lanes < m->lane_count ? lanes : m->lane_count;
    unsigned kept = 0;
    for (unsigned i = 0; i < m->flag_count; i++)
        if (m->flags[i].lane <= m->lane_count)
            m->flags[kept++] = m->flags[i];
    m->flag_count = kept;
}

int
module_cmis(const struct module_pages *p, struct module *m, struct err *err)
{
    const uint8_t *u = module_page(p, 0, 0), *one = module_page(p, 0, 1),
                  *two = module_page(p, 0, 2);
    double factor = 1;
    unsigned monitors = 7;
    m->spec = "CMIS";
    if (!u)
        return err_set(err, ERR_SYNTAX, "page 00 is missing");
    module_cmis_identity(u, m);
    module_cmis_lower(p->lower, m);
    if (p->lower[2] & 0x80) { /* flat memory: a passive cable */
        m->temperature = m->voltage = NAN;
        return 0;
    }
    if (one) {
        m->wavelength_nm = module_u16(UP(one, 138)) / 20.0;
        monitors = *UP(one, 160) & 7u;
        factor = 1u << (*UP(one, 160) >> 3 & 3);
        if (!(*UP(one, 159) & 1))
            m->temperature = NAN;
        if (!(*UP(one, 159) & 2))
            m->voltage = NAN;
    }
    if (two)
        module_cmis_thresholds(two, m, factor);
    for (unsigned bank = 0; bank < MODULE_LANES_MAX / 8; bank++) {
        const uint8_t *lanes = module_page(p, bank, 0x11);
        if (lanes)
            module_cmis_lanes(lanes, bank, m, factor, monitors);
    }
    module_cmis_lane_count(m);
    module_vdm(p, m);
    return 0;
}
