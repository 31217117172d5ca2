/* snmp_sensor: words decide, units are turned into those of the metric table. */
#include "collector/snmp_sensor.h"

#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* EntitySensorDataType */
enum { VOLTS_DC = 4, AMPERES = 5, WATTS = 6, CELSIUS = 8, DBM = 14 /* Cisco's own MIB */ };

#define SNMP_SENSOR_DARK_DBM -40.0 /* what modules report as no light at all */

static bool
snmp_sensor_says(const char *name, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = name; *p; p++)
        if (!strncasecmp(p, word, n) && (p == name || !isalnum((unsigned char)p[-1])) &&
            !isalpha((unsigned char)p[n]))
            return true;
    return false;
}

static bool
snmp_sensor_any(const char *name, const char *const *words)
{
    for (; *words; words++)
        if (snmp_sensor_says(name, *words))
            return true;
    return false;
}

static int
snmp_sensor_lane(const char *name)
{
    static const char *const words[] = {"lane", "channel", "ch", NULL};
    for (const char *const *w = words; *w; w++)
        for (const char *p = name; *p; p++)
            if (!strncasecmp(p, *w, strlen(*w)) && (p == name || !isalnum((unsigned char)p[-1]))) {
                const char *d = p + strlen(*w);
                while (*d == ' ' || *d == '-' || *d == '_')
                    d++;
                if (isdigit((unsigned char)*d))
                    return atoi(d) & 63;
            }
    return 0;
}

void
snmp_sensor_read(const struct snmp_sensor_raw *raw, struct snmp_sensor *ret)
{
    static const char *const receive[] = {"rx", "receive", "received", "input", "rcv", NULL};
    static const char *const transmit[] = {"tx", "transmit", "transmitted", "output", "xmit", NULL};
    static const char *const module[] = {"dom",  "xcvr", "transceiver", "optical", "optics", "sfp",
                                         "qsfp", "osfp", "module",      "laser",   "lane",   NULL};
    double v = raw->value * pow(10, 3 * (raw->scale - 9) - raw->precision);
    bool optic = raw->module || snmp_sensor_any(raw->name, module);
    *ret = (struct snmp_sensor){
        .metric = "", .value = v, .lane = snmp_sensor_lane(raw->name), .optic = optic};
    if (!isfinite(v))
        return;
    if (optic && (raw->type == WATTS || raw->type == DBM)) {
        if (raw->type == WATTS)
            ret->value = v > 1e-7 ? 10 * log10(v * 1000) : SNMP_SENSOR_DARK_DBM;
        ret->metric = snmp_sensor_any(raw->name, receive)    ? "optic_rx_power_dbm"
                      : snmp_sensor_any(raw->name, transmit) ? "optic_tx_power_dbm"
                                                             : "";
    } else if (optic && raw->type == AMPERES) {
        ret->value = v * 1000;
        ret->metric = "optic_bias_milliamperes";
    } else if (optic && raw->type == VOLTS_DC) {
        ret->metric = "optic_voltage_volts";
        ret->lane = 0;
    } else if (raw->type == CELSIUS) {
        ret->metric = optic ? "optic_temperature_celsius" : "switch_temperature_celsius";
        ret->lane = 0;
    }
    if (*ret->metric && !ret->lane &&
        (raw->type == WATTS || raw->type == DBM || raw->type == AMPERES))
        ret->lane = 1;
}

int
snmp_sensor_port(const char *name, const char *const *ports, size_t count, int *ret_lane)
{
    int best = -1;
    size_t best_len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(ports[i]);
        const char *at = n > best_len ? strstr(name, ports[i]) : NULL;
        for (; at; at = strstr(at + 1, ports[i])) {
            const char *end = at + n;
            size_t lane = *end == '/' ? strspn(end + 1, "0123456789") : 0;
            bool begins = at == name || strchr(" (:,\"", at[-1]);
            bool ends = !*end || strchr(" ):,\";", *end);
            if (!begins || (!ends && !(lane && !isalnum((unsigned char)end[lane + 1]))))
                continue;
            best = (int)i;
            best_len = n;
            *ret_lane = ends ? 0 : atoi(end + 1) & 63;
            break;
        }
    }
    return best;
}
