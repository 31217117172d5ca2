/* lldp: TLV after TLV. Always true: a TLV's reader sees its own bytes only. */
#include "decode/lldp.h"

#include "base/err.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { LLDP_END, LLDP_CHASSIS, LLDP_PORT, LLDP_TTL, LLDP_PORT_DESCR, LLDP_SYSTEM, LLDP_OWN = 127 };
enum { CHASSIS_MAC = 4, CHASSIS_ADDRESS = 5, PORT_MAC = 3, PORT_ADDRESS = 4 };
#define LLDP_IEEE 0x0080c2u
#define LLDP_CEE  0x001b21u

static unsigned
lldp_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void
lldp_text(char *out, size_t size, const uint8_t *p, size_t n)
{
    n = n < size ? n : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = p[i] < 32 || p[i] == 127 ? ' ' : (char)p[i];
    while (n && out[n - 1] == ' ')
        n--;
    str_utf8_mend(out, &n);
    out[n] = 0;
}

/* A chassis or port: a hardware address, an IP address, or a text. */
static void
lldp_id(char out[64], const uint8_t *p, size_t n, unsigned mac, unsigned address)
{
    *out = 0;
    if (n > 1 && p[0] == mac && n == 7)
        snprintf(out, 64, "%02x:%02x:%02x:%02x:%02x:%02x", p[1], p[2], p[3], p[4], p[5], p[6]);
    else if (n > 2 && p[0] == address && p[1] == 1 && n == 6)
        inet_ntop(AF_INET, p + 2, out, 64);
    else if (n > 2 && p[0] == address && p[1] == 2 && n == 18)
        inet_ntop(AF_INET6, p + 2, out, 64);
    else if (n > 1)
        lldp_text(out, 64, p + 1, n - 1);
}

/* --- DCBX ---------------------------------------------------------------------------------------
 */

static void
lldp_app_add(struct lldp *l, unsigned priority, unsigned selector, unsigned protocol)
{
    if (l->app_count < LLDP_APPS_MAX)
        l->apps[l->app_count++] =
            (struct lldp_app){(uint8_t)priority, (uint8_t)selector, (uint16_t)protocol};
}

static void
lldp_ets(struct lldp *l, bool willing, const uint8_t *groups, const uint8_t *bandwidth)
{
    l->has_ets = true;
    l->ets_willing = willing;
    for (unsigned i = 0; i < 8; i++) {
        l->group_of[i] = groups[i / 2] >> (i % 2 ? 0 : 4) & 15;
        l->bandwidth[i] = bandwidth[i];
    }
}

static void
lldp_ieee(struct lldp *l, unsigned subtype, const uint8_t *p, size_t n)
{
    if (subtype == 9 && n >= 21)
        lldp_ets(l, p[0] & 0x80, p + 1, p + 5);
    else if (subtype == 11 && n >= 2) {
        l->has_pfc = true;
        l->pfc_willing = p[0] & 0x80;
        l->pfc = p[1];
    } else if (subtype == 12)
        for (size_t i = 1; i + 3 <= n; i += 3)
            lldp_app_add(l, p[i] >> 5, p[i] & 7u, lldp_u16(p + i + 1));
    else
        return;
    l->dcbx = "ieee";
}

/* The older form: TLVs of its own within one, each with a head of four bytes. */
static void
lldp_cee(struct lldp *l, const uint8_t *p, size_t n)
{
    while (n >= 6) {
        unsigned type = p[0] >> 1, size = lldp_u16(p) & 511u;
        if (size < 4 || size + 2u > n)
            return;
        const uint8_t *v = p + 6;
        unsigned room = size - 4;
        bool willing = p[4] & 0x40;
        if (type == 2 && room >= 12)
            lldp_ets(l, willing, v, v + 4);
        if (type == 3 && room >= 1) {
            l->has_pfc = true;
            l->pfc_willing = willing;
            l->pfc = v[0];
        }
        for (unsigned i = 0; type == 4 && i + 6 <= room; i += 6)
            for (unsigned bit = 0; bit < 8; bit++)
                if (v[i + 5] >> bit & 1)
                    lldp_app_add(l, bit, v[i + 2] & 3u ? 4 : 1, lldp_u16(v + i));
        l->dcbx = "cee";
        p += size + 2;
        n -= size + 2;
    }
}

static void
lldp_own(struct lldp *l, const uint8_t *p, size_t n)
{
    uint32_t who = n >= 4 ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2] : 0;
    if (who == LLDP_IEEE)
        lldp_ieee(l, p[3], p + 4, n - 4);
    else if (who == LLDP_CEE && p[3] == 2 && !*l->dcbx)
        lldp_cee(l, p + 4, n - 4);
}

/* --- a frame ------------------------------------------------------------------------------------
 */

static void
lldp_tlv(struct lldp *l, unsigned type, const uint8_t *p, size_t n)
{
    switch (type) {
    case LLDP_CHASSIS:
        lldp_id(l->chassis, p, n, CHASSIS_MAC, CHASSIS_ADDRESS);
        break;
    case LLDP_PORT:
        lldp_id(l->port, p, n, PORT_MAC, PORT_ADDRESS);
        break;
    case LLDP_TTL:
        l->ttl = n >= 2 ? (uint16_t)lldp_u16(p) : 0;
        break;
    case LLDP_PORT_DESCR:
        lldp_text(l->port_descr, sizeof l->port_descr, p, n);
        break;
    case LLDP_SYSTEM:
        lldp_text(l->system, sizeof l->system, p, n);
        break;
    case LLDP_OWN:
        lldp_own(l, p, n);
        break;
    default:
        break;
    }
}

int
lldp_decode(const uint8_t *data, size_t len, struct lldp *ret)
{
    unsigned seen = 0;
    *ret = (struct lldp){.dcbx = ""};
    while (len >= 2) {
        unsigned type = data[0] >> 1, n = lldp_u16(data) & 511u;
        if (seen < 3 && type != seen + 1)
            return ERR_SYNTAX;
        if (type == LLDP_END || n + 2u > len)
            break;
        lldp_tlv(ret, type, data + 2, n);
        seen++;
        data += n + 2;
        len -= n + 2;
    }
    return seen < 3 ? ERR_SYNTAX : 0;
}
