/* module_sff8636: QSFP, QSFP+, QSFP28. Offsets of upper pages are given as in the specification,
 * 128 and up, and taken from the page's begin. */
#include "decode/module_in.h"

#include <math.h>

#define UP(page, offset) ((page) + (offset)-128)

static void
module_sff8636_identity(const uint8_t *u, struct module *m)
{
    module_text(m->vendor, UP(u, 148), 16);
    module_oui(m->oui, UP(u, 165));
    module_text(m->part, UP(u, 168), 16);
    module_text(m->revision, UP(u, 184), 2);
    module_text(m->serial, UP(u, 196), 16);
    module_date(m->date, UP(u, 212));
    m->connector = module_connector(*UP(u, 130));
    m->nominal_gbps = *UP(u, 140) == 255 ? *UP(u, 222) * 0.25 : *UP(u, 140) * 0.1;
    m->length_m = *UP(u, 142) ? *UP(u, 142) * 1000.0 : *UP(u, 146) ? *UP(u, 146) * 2.0 : NAN;
    if (*UP(u, 147) >> 4 < 10) /* optical: for copper these are attenuations */
        m->wavelength_nm = module_u16(UP(u, 186)) / 20.0;
}

/* Per lane four bits: high alarm, low alarm, high warning, low warning; lanes 1 and 2 in the first
 * byte, 3 and 4 in the second. */
static void
module_sff8636_lane_flags(struct module *m, const uint8_t *at, const char *const names[4])
{
    for (unsigned lane = 0; lane < 4; lane++) {
        unsigned bits = (unsigned)at[lane / 2] >> (lane % 2 ? 0 : 4) & 15u;
        for (unsigned k = 0; k < 4; k++)
            module_flag_add(m, bits >> (3 - k) & 1, names[k], lane + 1);
    }
}

static void
module_sff8636_flags(const uint8_t *l, struct module *m)
{
    static const char *const rx[] = {"rx-power-high-alarm", "rx-power-low-alarm",
                                     "rx-power-high-warning", "rx-power-low-warning"};
    static const char *const tx[] = {"tx-power-high-alarm", "tx-power-low-alarm",
                                     "tx-power-high-warning", "tx-power-low-warning"};
    static const char *const bias[] = {"bias-high-alarm", "bias-low-alarm", "bias-high-warning",
                                       "bias-low-warning"};
    static const char *const temp[] = {"temperature-high-alarm", "temperature-low-alarm",
                                       "temperature-high-warning", "temperature-low-warning"};
    static const char *const volt[] = {"voltage-high-alarm", "voltage-low-alarm",
                                       "voltage-high-warning", "voltage-low-warning"};
    for (unsigned lane = 0; lane < 4; lane++) {
        module_flag_add(m, l[3] >> lane & 1, "rx-los", lane + 1);
        module_flag_add(m, l[3] >> (lane + 4) & 1, "tx-los", lane + 1);
        module_flag_add(m, l[4] >> lane & 1, "tx-fault", lane + 1);
        module_flag_add(m, l[5] >> lane & 1, "rx-lol", lane + 1);
        module_flag_add(m, l[5] >> (lane + 4) & 1, "tx-lol", lane + 1);
        module_flag_add(m, l[86] >> lane & 1, "tx-disabled", lane + 1);
    }
    for (unsigned k = 0; k < 4; k++) {
        module_flag_add(m, l[6] >> (7 - k) & 1, temp[k], 0);
        module_flag_add(m, l[7] >> (7 - k) & 1, volt[k], 0);
    }
    module_sff8636_lane_flags(m, l + 9, rx);
    module_sff8636_lane_flags(m, l + 11, bias);
    module_sff8636_lane_flags(m, l + 13, tx);
}

int
module_sff8636(const struct module_pages *p, struct module *m, struct err *err)
{
    const uint8_t *l = p->lower, *u = module_page(p, 0, 0), *t = module_page(p, 0, 3);
    m->spec = "SFF-8636";
    if (!u)
        return err_set(err, ERR_SYNTAX, "page 00 is missing");
    m->lane_count = 4;
    module_sff8636_identity(u, m);
    bool copper = *UP(u, 147) >> 4 >= 10;
    if (copper && !module_u16(l + 22) && !module_u16(l + 26))
        return 0; /* passive cable: it measures nothing */
    m->temperature = module_value(l + 22, MODULE_CELSIUS, 1);
    m->voltage = module_value(l + 26, MODULE_VOLTS, 1);
    for (unsigned i = 0; i < 4; i++) {
        m->lanes[i].rx_power_dbm = module_value(l + 34 + 2 * i, MODULE_DBM, 1);
        m->lanes[i].bias_ma = module_value(l + 42 + 2 * i, MODULE_MA, 1);
        if (*UP(u, 220) & 0x04 || module_u16(l + 50 + 2 * i)) /* measuring it is optional */
            m->lanes[i].tx_power_dbm = module_value(l + 50 + 2 * i, MODULE_DBM, 1);
    }
    module_sff8636_flags(l, m);
    if (!t || l[2] & 0x04) /* flat memory has no page 03 */
        return 0;
    module_limits_at(&m->temperature_limits, UP(t, 128), MODULE_CELSIUS, 1);
    module_limits_at(&m->voltage_limits, UP(t, 144), MODULE_VOLTS, 1);
    module_limits_at(&m->rx_limits, UP(t, 176), MODULE_DBM, 1);
    module_limits_at(&m->bias_limits, UP(t, 184), MODULE_MA, 1);
    module_limits_at(&m->tx_limits, UP(t, 192), MODULE_DBM, 1);
    return 0;
}
