/* module: pluggable optical modules: what their memory pages say.
 *
 * Sources: SFF-8024 (identifiers), SFF-8472 rev 12.4 (SFP), SFF-8636 rev 2.11 (QSFP28), OIF
 * CMIS 5.2 and C-CMIS 1.3 (QSFP-DD, OSFP and what follows). Input is hostile: any bytes give a
 * struct or an error, nothing is read that was not given. Power of 0 uW is given as -40 dBm, the
 * smallest step. What the module does not tell is NaN (numbers) or "" (texts). */
#ifndef DECODE_MODULE_H
#define DECODE_MODULE_H

#include "base/err.h"
#include "base/jsonw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODULE_LANES_MAX 32 /* four banks of eight */
#define MODULE_FLAGS_MAX 256
#define MODULE_VDM_MAX   256
#define MODULE_PAGES_MAX 64
#define MODULE_PAGE      128u
#define MODULE_TEXT_MAX  ((size_t)1 << 20)

struct module_limits {
    double low_alarm, low_warning, high_warning, high_alarm;
};

struct module_flag {
    const char *name; /* constant: "rx-los", "tx-power-low-alarm", ... */
    unsigned lane;    /* from 1; 0: the module's */
};

struct module_lane {
    double rx_power_dbm, tx_power_dbm, bias_ma;
    const char *state; /* CMIS data path: "activated", ...; "" none */
};

struct module_vdm {
    const char *name, *unit; /* constant: "pre-fec-ber-current-media", "" */
    unsigned lane;           /* from 1; 0: the module's */
    double value;
};

struct module_application {
    uint8_t host, media, host_lanes, media_lanes;
};

struct module {
    uint8_t identifier;
    const char *form, *spec; /* "QSFP-DD", "CMIS" */
    char revision_of_spec[8];
    char vendor[20], oui[12], part[20], revision[8], serial[20], date[12];
    char firmware[12];
    const char *connector, *state, *fault;
    double wavelength_nm, length_m, max_power_w, nominal_gbps;
    double temperature, voltage; /* degrees Celsius, volts */
    struct module_limits temperature_limits, voltage_limits, rx_limits, tx_limits, bias_limits;
    struct module_lane lanes[MODULE_LANES_MAX];
    unsigned lane_count;
    struct module_flag flags[MODULE_FLAGS_MAX];
    unsigned flag_count;
    struct module_vdm vdm[MODULE_VDM_MAX];
    unsigned vdm_count;
    struct module_application applications[8];
    unsigned application_count;
    uint8_t media_type;
    double pre_fec_ber; /* worst of the lanes' and the module's current values, media side */
};

/* The pages that are there. page_lower and pages are 128 bytes each; upper pages by bank and
 * number; A2h of an SFP is `a2`. */
struct module_pages {
    uint8_t lower[MODULE_PAGE], a2[2 * MODULE_PAGE];
    bool have_lower, have_a2;
    struct {
        uint8_t bank, page, at[MODULE_PAGE];
    } upper[MODULE_PAGES_MAX];
    unsigned count;
};

/* NULL: not there. */
const uint8_t *module_page(const struct module_pages *p, unsigned bank, unsigned page);
/* 0, ERR_LIMIT: too many. The last given counts. */
int module_page_add(struct module_pages *p, unsigned bank, unsigned page, const uint8_t *at);

/* Raw bytes in ethtool's linear order: lower page, then upper page n at 128 * (n + 1); of an SFP
 * A0h, then A2h. Or text lines "lower: HEX", "00: HEX", "2/11: HEX" (bank/page), "a2: HEX" (256
 * bytes), blanks within HEX allowed, # begins a comment; several modules follow one another, each
 * begun by its lower line. `next`: where to go on, starts at 0; 1: a module was read, 0: no more,
 * or ERR_SYNTAX with its line, ERR_LIMIT. */
int module_pages_parse(const void *data, size_t len, size_t *next, struct module_pages *ret,
                       struct err *err);
/* 0, ERR_UNSUPPORTED: an identifier we do not know; ERR_SYNTAX: pages that must be there are not.
 */
int module_decode(const struct module_pages *p, struct module *ret, struct err *err);
/* Text that a tool printed of one module: `ethtool -m`, `mlxlink -m`, `hccn_tool -optical -g`. is:
 * these bytes look like it. 0, or ERR_SYNTAX: nothing in it tells of a module. */
bool module_dump_is(const void *data, size_t len);
int module_dump_parse(const void *data, size_t len, struct module *ret, struct err *err);
void module_json(const struct module *m, struct jsonw *w); /* one object */

/* Whole names; "" for those not known. */
const char *module_media_name(uint8_t media_type, uint8_t code);
const char *module_host_name(uint8_t code);

#endif
