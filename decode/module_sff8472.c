/* module_sff8472: SFP, SFP+, SFP28, SFP56. A0h tells who it is, A2h what it measures, calibrated by
 * the module or by constants that it gives. */
#include "base/str.h"
#include "decode/module_in.h"

#include <math.h>
#include <string.h>

/* IEEE 754 single, big endian: the constants of received power. */
static double
module_sff8472_float(const uint8_t *p)
{
    uint32_t bits = (uint32_t)module_u16(p) << 16 | module_u16(p + 2);
    float v;
    memcpy(&v, &bits, sizeof v);
    return isfinite(v) ? (double)v : 0;
}

static double
module_sff8472_linear(const uint8_t *a2, unsigned constants, double raw)
{
    return raw * module_u16(a2 + constants) / 256.0 + module_s16(a2 + constants + 2);
}

static void
module_sff8472_identity(const struct module_pages *p, struct module *m)
{
    const uint8_t *a0 = p->lower;
    module_text(m->vendor, a0 + 20, 16);
    module_oui(m->oui, a0 + 37);
    module_text(m->part, a0 + 40, 16);
    module_text(m->revision, a0 + 56, 4);
    module_text(m->serial, a0 + 68, 16);
    module_date(m->date, a0 + 84);
    m->connector = module_connector(a0[2]);
    m->nominal_gbps = a0[12] == 255 ? a0[66] * 0.25 : a0[12] * 0.1;
    if (!(a0[8] & 0x0c)) /* not copper: 60 is not its compliance */
        m->wavelength_nm = module_u16(a0 + 60);
    m->length_m = a0[14] ? a0[14] * 1000.0 : NAN;
}

static void
module_sff8472_flags(const uint8_t *a2, struct module *m)
{
    static const struct {
        unsigned at, bit;
        const char *alarm, *warning;
        unsigned lane;
    } rows[] = {
        {0, 7, "temperature-high-alarm", "temperature-high-warning", 0},
        {0, 6, "temperature-low-alarm", "temperature-low-warning", 0},
        {0, 5, "voltage-high-alarm", "voltage-high-warning", 0},
        {0, 4, "voltage-low-alarm", "voltage-low-warning", 0},
        {0, 3, "bias-high-alarm", "bias-high-warning", 1},
        {0, 2, "bias-low-alarm", "bias-low-warning", 1},
        {0, 1, "tx-power-high-alarm", "tx-power-high-warning", 1},
        {0, 0, "tx-power-low-alarm", "tx-power-low-warning", 1},
        {1, 7, "rx-power-high-alarm", "rx-power-high-warning", 1},
        {1, 6, "rx-power-low-alarm", "rx-power-low-warning", 1},
    };
    module_flag_add(m, a2[110] & 0x80, "tx-disabled", 1);
    module_flag_add(m, a2[110] & 0x04, "tx-fault", 1);
    module_flag_add(m, a2[110] & 0x02, "rx-los", 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        module_flag_add(m, a2[112 + rows[i].at] >> rows[i].bit & 1, rows[i].alarm, rows[i].lane);
        module_flag_add(m, a2[116 + rows[i].at] >> rows[i].bit & 1, rows[i].warning, rows[i].lane);
    }
}

/* Constants at 56: received power by a polynomial of fourth degree, the others by slope and offset.
 */
static void
module_sff8472_external(const uint8_t *a2, struct module *m)
{
    double rx = module_u16(a2 + 104), power = 0;
    for (unsigned i = 0; i < 5; i++)
        power = power * rx + module_sff8472_float(a2 + 56 + 4 * i);
    m->temperature = module_sff8472_linear(a2, 84, module_s16(a2 + 96)) / 256;
    m->voltage = module_sff8472_linear(a2, 88, module_u16(a2 + 98)) / 1e4;
    m->lanes[0].bias_ma = module_sff8472_linear(a2, 76, module_u16(a2 + 100)) * 2e-3;
    m->lanes[0].tx_power_dbm = module_dbm(module_sff8472_linear(a2, 80, module_u16(a2 + 102)));
    m->lanes[0].rx_power_dbm = module_dbm(power);
}

int
module_sff8472(const struct module_pages *p, struct module *m, struct err *err)
{
    const uint8_t *a2 = p->a2;
    (void)err;
    m->spec = "SFF-8472";
    m->lane_count = 1;
    module_sff8472_identity(p, m);
    if (!(p->lower[92] & 0x40) || !p->have_a2)
        return 0; /* no diagnostics, or none given */
    m->temperature = module_value(a2 + 96, MODULE_CELSIUS, 1);
    m->voltage = module_value(a2 + 98, MODULE_VOLTS, 1);
    m->lanes[0].bias_ma = module_value(a2 + 100, MODULE_MA, 1);
    m->lanes[0].tx_power_dbm = module_value(a2 + 102, MODULE_DBM, 1);
    m->lanes[0].rx_power_dbm = module_value(a2 + 104, MODULE_DBM, 1);
    if (p->lower[92] & 0x10)
        module_sff8472_external(a2, m);
    module_limits_at(&m->temperature_limits, a2, MODULE_CELSIUS, 1);
    module_limits_at(&m->voltage_limits, a2 + 8, MODULE_VOLTS, 1);
    module_limits_at(&m->bias_limits, a2 + 16, MODULE_MA, 1);
    module_limits_at(&m->tx_limits, a2 + 24, MODULE_DBM, 1);
    module_limits_at(&m->rx_limits, a2 + 32, MODULE_DBM, 1);
    module_sff8472_flags(a2, m);
    return 0;
}
