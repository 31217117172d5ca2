/* module_vdm: versatile diagnostics monitoring, CMIS pages 20h to 27h: up to 256 observables, each
 * described by two bytes (threshold set and lane, type) and given as two. Types: CMIS 5.2 table
 * 8-130, C-CMIS 1.3 table 10. */
#include "decode/module_in.h"

#include <math.h>

enum module_vdm_format { VDM_U16, VDM_S16, VDM_F16 };

static const struct {
    uint8_t type;
    const char *name, *unit;
    enum module_vdm_format format;
    double scale;
} module_vdm_types[] = {
    {1, "laser-age", "percent", VDM_U16, 1},
    {2, "tec-current", "percent", VDM_S16, 100.0 / 32767},
    {3, "laser-frequency-error", "MHz", VDM_S16, 10},
    {4, "laser-temperature", "celsius", VDM_S16, 1.0 / 256},
    {5, "snr-media", "dB", VDM_U16, 1.0 / 256},
    {6, "snr-host", "dB", VDM_U16, 1.0 / 256},
    {7, "ltp-media", "dB", VDM_U16, 1.0 / 256},
    {8, "ltp-host", "dB", VDM_U16, 1.0 / 256},
    {9, "pre-fec-ber-min-media", "", VDM_F16, 1},
    {10, "pre-fec-ber-min-host", "", VDM_F16, 1},
    {11, "pre-fec-ber-max-media", "", VDM_F16, 1},
    {12, "pre-fec-ber-max-host", "", VDM_F16, 1},
    {13, "pre-fec-ber-average-media", "", VDM_F16, 1},
    {14, "pre-fec-ber-average-host", "", VDM_F16, 1},
    {15, "pre-fec-ber-current-media", "", VDM_F16, 1},
    {16, "pre-fec-ber-current-host", "", VDM_F16, 1},
    {17, "frame-error-ratio-min-media", "", VDM_F16, 1},
    {18, "frame-error-ratio-min-host", "", VDM_F16, 1},
    {19, "frame-error-ratio-max-media", "", VDM_F16, 1},
    {20, "frame-error-ratio-max-host", "", VDM_F16, 1},
    {21, "frame-error-ratio-average-media", "", VDM_F16, 1},
    {22, "frame-error-ratio-average-host", "", VDM_F16, 1},
    {23, "frame-error-ratio-current-media", "", VDM_F16, 1},
    {24, "frame-error-ratio-current-host", "", VDM_F16, 1},
    {128, "modulator-bias-xi", "percent", VDM_U16, 100.0 / 65535},
    {129, "modulator-bias-xq", "percent", VDM_U16, 100.0 / 65535},
    {130, "modulator-bias-yi", "percent", VDM_U16, 100.0 / 65535},
    {131, "modulator-bias-yq", "percent", VDM_U16, 100.0 / 65535},
    {132, "modulator-bias-x-phase", "percent", VDM_U16, 100.0 / 65535},
    {133, "modulator-bias-y-phase", "percent", VDM_U16, 100.0 / 65535},
    {134, "chromatic-dispersion-short", "ps/nm", VDM_S16, 1},
    {135, "chromatic-dispersion-long", "ps/nm", VDM_S16, 20},
    {136, "differential-group-delay", "ps", VDM_U16, 0.01},
    {137, "second-order-pmd", "ps^2", VDM_U16, 0.01},
    {138, "polarization-dependent-loss", "dB", VDM_U16, 0.1},
    {139, "osnr", "dB", VDM_U16, 0.1},
    {140, "esnr", "dB", VDM_U16, 0.1},
    {141, "carrier-frequency-offset", "MHz", VDM_S16, 1},
    {142, "error-vector-magnitude", "percent", VDM_U16, 100.0 / 65535},
    {143, "tx-power", "dBm", VDM_S16, 0.01},
    {144, "rx-total-power", "dBm", VDM_S16, 0.01},
    {145, "rx-signal-power", "dBm", VDM_S16, 0.01},
    {146, "polarization-change-rate", "krad/s", VDM_U16, 1},
    {147, "modulation-error-ratio", "dB", VDM_U16, 0.1},
};

/* F16: exponent in the upper five bits, offset 24, mantissa in the lower eleven. */
static double
module_vdm_f16(unsigned bits)
{
    return (bits & 0x7ff) * pow(10, (int)(bits >> 11) - 24);
}

static void
module_vdm_one(struct module *m, unsigned bank, const uint8_t *what, const uint8_t *value)
{
    unsigned lane = what[0] & 15u; /* 0 to 7: a lane of the bank; 15: the module */
    for (size_t i = 0; i < sizeof module_vdm_types / sizeof *module_vdm_types; i++) {
        if (module_vdm_types[i].type != what[1] || m->vdm_count == MODULE_VDM_MAX)
            continue;
        double raw = module_u16(value);
        if (module_vdm_types[i].format == VDM_F16)
            raw = module_vdm_f16(module_u16(value));
        else if (module_vdm_types[i].format == VDM_S16)
            raw = module_s16(value);
        struct module_vdm *v = &m->vdm[m->vdm_count++];
        *v = (struct module_vdm){module_vdm_types[i].name, module_vdm_types[i].unit,
                                 lane < 8 ? bank * 8 + lane + 1 : 0,
                                 raw * module_vdm_types[i].scale};
        if (what[1] == 15 && !(v->value <= m->pre_fec_ber)) /* NaN at first */
            m->pre_fec_ber = v->value;
    }
}

void
module_vdm(const struct module_pages *p, struct module *m)
{
    for (unsigned bank = 0; bank < MODULE_LANES_MAX / 8; bank++)
        for (unsigned group = 0; group < 4; group++) {
            const uint8_t *what = module_page(p, bank, 0x20 + group);
            const uint8_t *value = module_page(p, bank, 0x24 + group);
            if (!what || !value)
                continue;
            for (unsigned i = 0; i < MODULE_PAGE; i += 2)
                module_vdm_one(m, bank, what + i, value + i);
        }
}
