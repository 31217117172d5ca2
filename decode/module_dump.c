/* module_dump: what tools print of a module: `ethtool -m`, `mlxlink -m`, `hccn_tool -optical -g`.
 *
 * A line is a key, a colon, a value with its unit. Keys are compared by their letters and digits
 * alone; the rows below tell what each prefix means. A value gives its unit: dBm stands before mW,
 * millivolts and volts are told apart. mlxlink puts lanes between commas and limits in brackets. */
#include "base/str.h"
#include "decode/module_in.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DUMP_LINE 256
#define DUMP_LOOK 4096 /* bytes by which a text is known */

enum dump_what {
    DUMP_TEMPERATURE,
    DUMP_VOLTAGE,
    DUMP_RX,
    DUMP_TX,
    DUMP_BIAS,
    DUMP_WAVELENGTH,
    DUMP_TEXT,
    DUMP_FORM
};

/* The longest prefixes first: the first that fits counts. */
static const struct {
    const char *key;
    enum dump_what what;
    size_t at; /* DUMP_TEXT: of the member */
    size_t size;
} dump_rows[] = {
#define TEXT(KEY, FIELD)                                                                           \
    {                                                                                              \
        KEY, DUMP_TEXT, offsetof(struct module, FIELD), sizeof(((struct module *)0)->FIELD)        \
    }
    TEXT("vendorname", vendor),
    TEXT("vendorpn", part),
    TEXT("vendorpartnumber", part),
    TEXT("vendorsn", serial),
    TEXT("vendorserialnumber", serial),
    TEXT("serialnumber", serial),
    TEXT("vendorrev", revision),
    TEXT("vendorrevision", revision),
    TEXT("vendoroui", oui),
    TEXT("rev", revision),
    TEXT("fwversion", firmware),
    TEXT("activefirmwareversion", firmware),
    TEXT("datecode", date),
    {"identifier", DUMP_FORM, 0, 0},
    {"moduletemperature", DUMP_TEMPERATURE, 0, 0},
    {"temperature", DUMP_TEMPERATURE, 0, 0},
    {"temp", DUMP_TEMPERATURE, 0, 0},
    {"modulevoltage", DUMP_VOLTAGE, 0, 0},
    {"supplyvcc", DUMP_VOLTAGE, 0, 0},
    {"voltage", DUMP_VOLTAGE, 0, 0},
    {"vcc", DUMP_VOLTAGE, 0, 0},
    {"receiversignalaverageopticalpower", DUMP_RX, 0, 0},
    {"rcvrsignalavgopticalpower", DUMP_RX, 0, 0},
    {"laserrxpower", DUMP_RX, 0, 0},
    {"rxpower", DUMP_RX, 0, 0},
    {"transmitavgopticalpower", DUMP_TX, 0, 0},
    {"laseroutputpower", DUMP_TX, 0, 0},
    {"lasertxpower", DUMP_TX, 0, 0},
    {"txpower", DUMP_TX, 0, 0},
    {"laserbiascurrent", DUMP_BIAS, 0, 0},
    {"lasertxbiascurrent", DUMP_BIAS, 0, 0},
    {"biascurrent", DUMP_BIAS, 0, 0},
    {"txbias", DUMP_BIAS, 0, 0},
    {"laserwavelength", DUMP_WAVELENGTH, 0, 0},
    {"wavelength", DUMP_WAVELENGTH, 0, 0},
};
#define DUMP_ROWS (sizeof dump_rows / sizeof *dump_rows)

/* Whole, so that a module's text stays one of ours. */
static const char *const dump_forms[] = {"QSFP-DD", "QSFP112", "QSFP28", "QSFP56", "QSFP+", "QSFP",
                                         "OSFP",    "SFP-DD",  "SFP28",  "SFP56",  "SFP+",  "SFP"};

/* --- a line -------------------------------------------------------------------------------------
 */

struct dump_line {
    char key[DUMP_LINE], value[DUMP_LINE];
    const char *rest; /* of the key, behind the row's prefix */
    double scale;     /* of the unit that stands in the key */
};

static bool
dump_split(const char *line, size_t len, struct dump_line *ret)
{
    const char *colon = memchr(line, ':', len);
    size_t n = 0, end = len;
    if (!colon || len >= DUMP_LINE)
        return false;
    for (const char *p = line; p < colon; p++)
        if (isalnum((unsigned char)*p))
            ret->key[n++] = (char)tolower((unsigned char)*p);
    ret->key[n] = 0;
    const char *v = colon + 1;
    while (v < line + end && (*v == ' ' || *v == '\t'))
        v++;
    while (end > (size_t)(v - line) && isspace((unsigned char)line[end - 1]))
        end--;
    n = (size_t)(line + end - v);
    memcpy(ret->value, v, n);
    ret->value[n] = 0;
    str_utf8_mend(ret->value, &n);
    ret->value[n] = 0;
    return *ret->key != 0;
}

/* A number with its unit: dBm of it where it is light, else the plain value in the metric's unit.
 */
static double
dump_number(const char *text, enum dump_what what)
{
    const char *dbm = strstr(text, "dBm"), *p = dbm;
    char *end;
    while (dbm && p > text && p[-1] == ' ')
        p--;
    while (dbm && p > text && strchr("0123456789.+-", p[-1]))
        p--;
    if (dbm && *p != ' ') /* "0.9000 mW / -0.46 dBm"; of "0 mW / -inf dBm" the first counts */
        text = p;
    double v = strtod(text, &end);
    if (end == text || !isfinite(v))
        return NAN;
    while (*end == ' ')
        end++;
    if ((what == DUMP_RX || what == DUMP_TX) && !strncasecmp(end, "mW", 2))
        return module_dbm(v * 1e4);
    if ((what == DUMP_RX || what == DUMP_TX) && !strncasecmp(end, "uW", 2))
        return module_dbm(v * 10);
    if (what == DUMP_VOLTAGE && (!strncasecmp(end, "mV", 2) || v > 100))
        return v / 1000;
    return v;
}

/* --- what it says -------------------------------------------------------------------------------
 */

static struct module_limits *
dump_limits(struct module *m, enum dump_what what)
{
    struct module_limits *const of[] = {&m->temperature_limits, &m->voltage_limits, &m->rx_limits,
                                        &m->tx_limits, &m->bias_limits};
    return of[what];
}

/* "high alarm threshold", "High Thres": which limit; NULL: it is none. */
static double *
dump_limit(struct module *m, enum dump_what what, const char *rest)
{
    struct module_limits *l = dump_limits(m, what);
    bool high = strstr(rest, "high"), low = strstr(rest, "low"), warns = strstr(rest, "warn");
    if ((!high && !low) || !(strstr(rest, "thres") || strstr(rest, "alarm") || warns))
        return NULL;
    return high    ? warns ? &l->high_warning : &l->high_alarm
           : warns ? &l->low_warning
                   : &l->low_alarm;
}

static void
dump_set(struct module *m, enum dump_what what, unsigned lane, double v)
{
    if (what == DUMP_TEMPERATURE)
        m->temperature = v;
    else if (what == DUMP_VOLTAGE)
        m->voltage = v;
    if (what < DUMP_RX || lane >= MODULE_LANES_MAX)
        return;
    double *const of[] = {&m->lanes[lane].rx_power_dbm, &m->lanes[lane].tx_power_dbm,
                          &m->lanes[lane].bias_ma};
    *of[what - DUMP_RX] = v;
    m->lane_count = lane + 1 > m->lane_count ? lane + 1 : m->lane_count;
}

/* "[-10.4..5.4]" behind mlxlink's values are the alarm limits. */
static void
dump_range(struct module *m, enum dump_what what, const char *value)
{
    const char *open = strchr(value, '['), *dots = open ? strstr(open, "..") : NULL;
    if (!dots)
        return;
    dump_limits(m, what)->low_alarm = dump_number(open + 1, what);
    dump_limits(m, what)->high_alarm = dump_number(dots + 2, what);
}

static bool
dump_measure(struct module *m, enum dump_what what, const struct dump_line *l)
{
    double *limit = dump_limit(m, what, l->rest), v;
    const char *digit = l->rest + strcspn(l->rest, "0123456789"), *p = l->value;
    unsigned lane = *digit ? (unsigned)atoi(digit) & 63u : 0;
    if (limit) {
        v = dump_number(l->value, what);
        *limit = isnan(v) ? *limit : v;
        return !isnan(v);
    }
    if (strstr(l->rest, "alarm") || strstr(l->rest, "warning") || strstr(l->rest, "flag") ||
        strstr(l->rest, "type"))
        return false; /* a flag, or how it is measured */
    /* ethtool counts channels from 1, hccn_tool lanes from 0 */
    if (lane && strstr(l->rest, "channel"))
        lane--;
    bool some = false;
    for (unsigned i = 0; p && *p != '[' && i < MODULE_LANES_MAX; i++) {
        if (!isnan(v = dump_number(p, what))) {
            dump_set(m, what, lane + i, v);
            some = true;
        }
        p = strchr(p, ',');
        p = p ? p + 1 : NULL;
    }
    dump_range(m, what, l->value);
    return some;
}

static void
dump_form(struct module *m, const char *value)
{
    for (size_t i = 0; i < sizeof dump_forms / sizeof *dump_forms; i++)
        if (strstr(value, dump_forms[i])) {
            m->form = dump_forms[i];
            break;
        }
    if (!strncmp(value, "0x", 2))
        m->identifier = (uint8_t)strtoul(value, NULL, 16);
}

static bool
dump_take(struct module *m, struct dump_line *l)
{
    size_t i = 0;
    while (i < DUMP_ROWS && strncmp(l->key, dump_rows[i].key, strlen(dump_rows[i].key)) != 0)
        i++;
    if (i == DUMP_ROWS)
        return false;
    l->rest = l->key + strlen(dump_rows[i].key);
    switch (dump_rows[i].what) {
    case DUMP_TEXT:
        if (*l->rest)
            return false;
        str_copy((char *)m + dump_rows[i].at, dump_rows[i].size, l->value);
        return true;
    case DUMP_FORM:
        dump_form(m, l->value);
        return true;
    case DUMP_WAVELENGTH:
        m->wavelength_nm = dump_number(l->value, DUMP_WAVELENGTH);
        return true;
    default:
        return dump_measure(m, dump_rows[i].what, l);
    }
}

bool
module_dump_is(const void *data, size_t len)
{
    const char *p = data;
    size_t n = len < DUMP_LOOK ? len : DUMP_LOOK, lines = 0;
    struct module m;
    module_clear(&m);
    for (size_t i = 0; i < n; i++)
        if (!p[i] || ((unsigned char)p[i] < 32 && !strchr("\n\r\t", p[i])))
            return false;
    while (n) {
        const char *end = memchr(p, '\n', n);
        size_t k = end ? (size_t)(end - p) : n;
        struct dump_line l;
        lines += dump_split(p, k, &l) && dump_take(&m, &l);
        p += k + (end != NULL);
        n -= k + (end != NULL);
    }
    return lines > 0;
}

int
module_dump_parse(const void *data, size_t len, struct module *ret, struct err *err)
{
    const char *p = data;
    size_t said = 0;
    module_clear(ret);
    ret->spec = "text";
    while (len) {
        const char *end = memchr(p, '\n', len);
        size_t k = end ? (size_t)(end - p) : len;
        struct dump_line l;
        said += dump_split(p, k, &l) && dump_take(ret, &l);
        p += k + (end != NULL);
        len -= k + (end != NULL);
    }
    return said ? 0 : err_set(err, ERR_SYNTAX, "nothing in it tells of a module");
}
