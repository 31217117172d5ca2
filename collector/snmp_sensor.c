/* snmp_sensor: words decide, units are turned into those of the metric table. */
#include "collector/snmp_sensor.h"

#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* EntitySensorDataType */
enum {
    VOLTS_AC = 3,
    VOLTS_DC = 4,
    AMPERES = 5,
    WATTS = 6,
    CELSIUS = 8,
    RPM = 10,
    DBM = 14 /* Cisco's own MIB */
};

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

/* What a sensor of the switch itself measures. */
static unsigned
snmp_sensor_part(int type)
{
    switch (type) {
    case CELSIUS:
        return SNMP_SWITCH_TEMP;
    case RPM:
        return SNMP_SWITCH_FAN;
    case WATTS:
        return SNMP_SWITCH_WATTS;
    case VOLTS_AC:
    case VOLTS_DC:
        return SNMP_SWITCH_VOLTS;
    case AMPERES:
        return SNMP_SWITCH_AMPERES;
    default:
        return SNMP_METRICS;
    }
}

static unsigned
snmp_sensor_light(const char *name)
{
    static const char *const receive[] = {"rx", "receive", "received", "input", "rcv", NULL};
    static const char *const transmit[] = {"tx", "transmit", "transmitted", "output", "xmit", NULL};
    return snmp_sensor_any(name, receive)    ? SNMP_RX_POWER
           : snmp_sensor_any(name, transmit) ? SNMP_TX_POWER
                                             : SNMP_METRICS;
}

void
snmp_sensor_plan(const struct snmp_sensor_raw *raw, struct snmp_sensor *ret)
{
    static const char *const module[] = {"dom",  "xcvr", "transceiver", "optical", "optics", "sfp",
                                         "qsfp", "osfp", "module",      "laser",   "lane",   NULL};
    *ret = (struct snmp_sensor){.metric = SNMP_METRICS,
                                .lane = snmp_sensor_lane(raw->name),
                                .optic = raw->module || snmp_sensor_any(raw->name, module),
                                .factor = pow(10, 3 * (raw->scale - 9) - raw->precision)};
    if (!isfinite(ret->factor))
        return;
    if (!ret->optic) {
        ret->metric = snmp_sensor_part(raw->type);
    } else if (raw->type == WATTS || raw->type == DBM) {
        ret->metric = snmp_sensor_light(raw->name);
        ret->light = raw->type == WATTS;
        ret->factor *= ret->light ? 1000 : 1;
    } else if (raw->type == AMPERES) {
        ret->metric = SNMP_BIAS;
        ret->factor *= 1000;
    } else if (raw->type == VOLTS_DC) {
        ret->metric = SNMP_VOLTAGE;
    } else if (raw->type == CELSIUS) {
        ret->metric = SNMP_TEMP;
    }
    if (!snmp_metric_laned(ret->metric))
        ret->lane = 0;
    else if (!ret->lane)
        ret->lane = 1;
}

double
snmp_sensor_value(const struct snmp_sensor *s, double raw)
{
    double v = raw * s->factor;
    if (!s->light)
        return v;
    return v > 1e-4 ? 10 * log10(v) : SNMP_SENSOR_DARK_DBM;
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
