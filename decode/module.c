/* module: pages in, and what all specifications have in common. Some modules a minute. */
#include "decode/module.h"

#include "base/str.h"
#include "decode/module_in.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- helpers ---------------------------------------------------------------------------------- */

unsigned
module_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

int
module_s16(const uint8_t *p)
{
    return (int16_t)module_u16(p);
}

double
module_dbm(double tenth_uw)
{
    return tenth_uw < 1 ? -40 : 10 * log10(tenth_uw / 1e4);
}

double
module_value(const uint8_t *p, enum module_unit unit, double factor)
{
    switch (unit) {
    case MODULE_CELSIUS:
        return module_s16(p) / 256.0;
    case MODULE_VOLTS:
        return module_u16(p) / 1e4;
    case MODULE_DBM:
        return module_dbm(module_u16(p));
    default:
        return module_u16(p) * factor * 2e-3; /* 2 uA */
    }
}

void
module_limits_at(struct module_limits *l, const uint8_t *p, enum module_unit unit, double factor)
{
    l->high_alarm = module_value(p, unit, factor);
    l->low_alarm = module_value(p + 2, unit, factor);
    l->high_warning = module_value(p + 4, unit, factor);
    l->low_warning = module_value(p + 6, unit, factor);
}

void
module_text(char *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = p[i] >= 32 && p[i] < 127 ? (char)p[i] : ' ';
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

void
module_date(char out[12], const uint8_t *p)
{
    *out = 0;
    for (int i = 0; i < 6; i++)
        if (!isdigit(p[i]))
            return;
    snprintf(out, 12, "20%c%c-%c%c-%c%c", p[0], p[1], p[2], p[3], p[4], p[5]);
}

void
module_oui(char out[12], const uint8_t *p)
{
    snprintf(out, 12, "%02x:%02x:%02x", p[0], p[1], p[2]);
}

void
module_flag_add(struct module *m, bool set, const char *name, unsigned lane)
{
    if (set && m->flag_count < MODULE_FLAGS_MAX)
        m->flags[m->flag_count++] = (struct module_flag){name, lane};
}

/* SFF-8024 table 4-3 */
const char *
module_connector(uint8_t code)
{
    switch (code) {
    case 0x01:
        return "SC";
    case 0x07:
        return "LC";
    case 0x08:
        return "MT-RJ";
    case 0x0b:
        return "optical pigtail";
    case 0x0c:
        return "MPO 1x12";
    case 0x0d:
        return "MPO 2x16";
    case 0x21:
        return "copper pigtail";
    case 0x22:
        return "RJ45";
    case 0x23:
        return "no separable connector";
    case 0x24:
        return "MXC 2x16";
    case 0x25:
        return "CS";
    case 0x26:
        return "SN";
    case 0x27:
        return "MPO 2x12";
    case 0x28:
        return "MPO 1x16";
    default:
        return "";
    }
}

/* --- pages ------------------------------------------------------------------------------------ */

const uint8_t *
module_page(const struct module_pages *p, unsigned bank, unsigned page)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->upper[i].bank == bank && p->upper[i].page == page)
            return p->upper[i].at;
    return NULL;
}

int
module_page_add(struct module_pages *p, unsigned bank, unsigned page, const uint8_t *at)
{
    unsigned i = 0;
    while (i < p->count && (p->upper[i].bank != bank || p->upper[i].page != page))
        i++;
    if (i == MODULE_PAGES_MAX || bank > 255 || page > 255)
        return ERR_LIMIT;
    p->count += i == p->count;
    p->upper[i].bank = (uint8_t)bank;
    p->upper[i].page = (uint8_t)page;
    memcpy(p->upper[i].at, at, MODULE_PAGE);
    return 0;
}

static bool
module_is_sfp(uint8_t identifier)
{
    return identifier == 0x03 || identifier == 0x0b;
}

static int
module_pages_linear(const uint8_t *data, size_t len, size_t *next, struct module_pages *ret,
                    struct err *err)
{
    if (len < MODULE_PAGE)
        return err_set(err, ERR_SYNTAX, "%zu bytes are less than one page of 128", len);
    memcpy(ret->lower, data, MODULE_PAGE);
    ret->have_lower = true;
    *next = len;
    if (module_is_sfp(data[0]) && len > 2 * MODULE_PAGE) {
        size_t n = len - 2 * MODULE_PAGE;
        memcpy(ret->a2, data + 2 * MODULE_PAGE, n < sizeof ret->a2 ? n : sizeof ret->a2);
        ret->have_a2 = n >= MODULE_PAGE;
        len = 2 * MODULE_PAGE;
    }
    for (size_t page = 0; (page + 2) * MODULE_PAGE <= len && page < MODULE_PAGES_MAX; page++)
        module_page_add(ret, 0, (unsigned)page, data + (page + 1) * MODULE_PAGE);
    return 1;
}

/* Hex digits with blanks between. Bytes read, or ERR_SYNTAX. */
static int
module_hex(const char *at, const char *end, uint8_t *out, size_t size)
{
    size_t n = 0;
    int high = -1;
    for (; at < end && *at != '#'; at++) {
        int c = (unsigned char)*at;
        if (c == ' ' || c == '\t' || c == '\r')
            continue;
        int v = isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
        if (v < 0 || n == size)
            return ERR_SYNTAX;
        if (high < 0) {
            high = v;
        } else {
            out[n++] = (uint8_t)(high << 4 | v);
            high = -1;
        }
    }
    return high < 0 ? (int)n : ERR_SYNTAX;
}

enum module_key { MODULE_KEY_NONE, MODULE_KEY_LOWER, MODULE_KEY_A2, MODULE_KEY_UPPER };

/* "lower", "a2", "11", "2/11" */
static enum module_key
module_key(const char *at, const char *colon, unsigned *bank, unsigned *page)
{
    char word[16];
    int used = 0;
    while (at < colon && (*at == ' ' || *at == '\t'))
        at++;
    while (colon > at && (colon[-1] == ' ' || colon[-1] == '\t'))
        colon--;
    if (colon == at || (size_t)(colon - at) >= sizeof word)
        return MODULE_KEY_NONE;
    snprintf(word, sizeof word, "%.*s", (int)(colon - at), at);
    *bank = 0;
    if (!strcasecmp(word, "lower"))
        return MODULE_KEY_LOWER;
    if (!strcasecmp(word, "a2"))
        return MODULE_KEY_A2;
    if (sscanf(word, "%2x%n", page, &used) == 1 && !word[used] && isxdigit((unsigned char)word[0]))
        return MODULE_KEY_UPPER;
    if (sscanf(word, "%3u/%2x%n", bank, page, &used) == 2 && !word[used] && *bank < 256)
        return MODULE_KEY_UPPER;
    return MODULE_KEY_NONE;
}

static int
module_pages_line(struct module_pages *p, const char *at, const char *end, const char **ret_why)
{
    uint8_t bytes[2 * MODULE_PAGE];
    unsigned bank = 0, page = 0;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    enum module_key key = colon ? module_key(at, colon, &bank, &page) : MODULE_KEY_NONE;
    *ret_why = "a line is lower:, a2:, PAGE: or BANK/PAGE:, and hexadecimal bytes";
    if (key == MODULE_KEY_NONE)
        return ERR_SYNTAX;
    int n = module_hex(colon + 1, end, bytes, sizeof bytes);
    *ret_why = "not hexadecimal bytes";
    if (n < 0)
        return n;
    *ret_why = "a page has 128 bytes (a2: 128 or 256)";
    if (n != (int)MODULE_PAGE && (key != MODULE_KEY_A2 || n != 2 * (int)MODULE_PAGE))
        return ERR_SYNTAX;
    *ret_why = "too many pages";
    if (key == MODULE_KEY_UPPER)
        return module_page_add(p, bank, page, bytes);
    p->have_lower = p->have_lower || key == MODULE_KEY_LOWER;
    p->have_a2 = p->have_a2 || key == MODULE_KEY_A2;
    memcpy(key == MODULE_KEY_LOWER ? p->lower : p->a2, bytes, (size_t)n);
    return 0;
}

static bool
module_line_blank(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at == end || *at == '#';
}

static bool
module_line_lower(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    return end - at > 5 && !strncasecmp(at, "lower", 5);
}

static int
module_pages_text(const char *text, size_t len, size_t *next, struct module_pages *ret,
                  struct err *err)
{
    unsigned line = 1;
    for (size_t i = 0; i < *next; i++)
        line += text[i] == '\n';
    bool any = false;
    while (*next < len) {
        const char *at = text + *next, *end = memchr(at, '\n', len - *next), *why;
        end = end ? end : text + len;
        if (any && ret->have_lower && module_line_lower(at, end))
            break;
        int rc = module_line_blank(at, end) ? 1 : module_pages_line(ret, at, end, &why);
        if (rc < 0) {
            err_set(err, rc, "%s", why);
            return err_at(err, NULL, line, 1);
        }
        any = any || !rc;
        *next = (size_t)(end - text) + (end < text + len);
        line++;
    }
    return any;
}

/* Text has a colon within its first line, and begins with a letter, a digit or #. */
static bool
module_is_text(const uint8_t *data, size_t len)
{
    size_t n = len < 64 ? len : 64, i = 0;
    for (; i < n && data[i] != ':' && data[i] != '#'; i++)
        if (!isprint(data[i]) && !isspace(data[i]))
            return false;
    return i < n;
}

int
module_pages_parse(const void *data, size_t len, size_t *next, struct module_pages *ret,
                   struct err *err)
{
    memset(ret, 0, sizeof *ret);
    if (*next >= len)
        return 0;
    if (len > MODULE_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "more than 1 MiB");
    return module_is_text(data, len) ? module_pages_text(data, len, next, ret, err)
                                     : module_pages_linear(data, len, next, ret, err);
}

/* --- decoding --------------------------------------------------------------------------------- */

/* SFF-8024 table 4-1 */
static const struct {
    uint8_t id;
    const char *form;
    int (*decode)(const struct module_pages *p, struct module *m, struct err *err);
} module_forms[] = {
    {0x03, "SFP", module_sff8472},
    {0x0b, "DWDM-SFP", module_sff8472},
    {0x0c, "QSFP", module_sff8636},
    {0x0d, "QSFP+", module_sff8636},
    {0x11, "QSFP28", module_sff8636},
    {0x18, "QSFP-DD", module_cmis},
    {0x19, "OSFP", module_cmis},
    {0x1a, "SFP-DD", module_cmis},
    {0x1b, "DSFP", module_cmis},
    {0x1e, "QSFP+ with CMIS", module_cmis},
    {0x1f, "SFP-DD with CMIS", module_cmis},
    {0x20, "SFP+ with CMIS", module_cmis},
    {0x21, "OSFP-XD", module_cmis},
    {0x22, "OIF-ELSFP", module_cmis},
    {0x24, "CDFP with CMIS", module_cmis},
    {0x25, "OSFP-XD", module_cmis},
};

void
module_clear(struct module *m)
{
    static const struct module_limits none = {NAN, NAN, NAN, NAN};
    memset(m, 0, sizeof *m);
    m->form = m->spec = m->connector = m->state = m->fault = "";
    m->wavelength_nm = m->length_m = m->max_power_w = m->nominal_gbps = NAN;
    m->temperature = m->voltage = m->pre_fec_ber = NAN;
    m->temperature_limits = m->voltage_limits = m->rx_limits = m->tx_limits = m->bias_limits = none;
    for (unsigned i = 0; i < MODULE_LANES_MAX; i++)
        m->lanes[i] = (struct module_lane){NAN, NAN, NAN, ""};
}

int
module_decode(const struct module_pages *p, struct module *ret, struct err *err)
{
    if (!p->have_lower)
        return err_set(err, ERR_SYNTAX, "the lower page is missing");
    for (size_t i = 0; i < sizeof module_forms / sizeof *module_forms; i++) {
        if (module_forms[i].id != p->lower[0])
            continue;
        module_clear(ret);
        ret->identifier = p->lower[0];
        ret->form = module_forms[i].form;
        return module_forms[i].decode(p, ret, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "identifier 0x%02x is of no module that we know",
                   p->lower[0]);
}
