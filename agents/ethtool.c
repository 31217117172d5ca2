/* ethtool: a dozen requests a collection. Always true: nothing is written to a device. Pages of a
 * module cost milliseconds each on its slow bus: the caller reads them once a minute. */
#include "agents/ethtool.h"

#include "base/str.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ETHTOOL_I2C_A0 0x50
#define ETHTOOL_I2C_A2 0x51

struct ethtool {
    int fd;
    struct nl_sock *netlink; /* NULL: not there */
    int family;
};

struct ethtool *
ethtool_new(void)
{
    struct ethtool *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    e->netlink = nl_socket_alloc();
    if (e->netlink && (genl_connect(e->netlink) ||
                       (e->family = genl_ctrl_resolve(e->netlink, ETHTOOL_GENL_NAME)) < 0)) {
        nl_socket_free(e->netlink);
        e->netlink = NULL;
    }
    /* A driver answers within a second or its bus is stuck: nobody waits for it for ever. */
    struct timeval wait = {.tv_sec = 2};
    if (e->netlink)
        setsockopt(nl_socket_get_fd(e->netlink), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (e->fd < 0) {
        ethtool_free(e);
        return NULL;
    }
    return e;
}

void
ethtool_free(struct ethtool *e)
{
    if (!e)
        return;
    if (e->fd >= 0)
        close(e->fd);
    if (e->netlink)
        nl_socket_free(e->netlink);
    free(e);
}

static int
ethtool_ioctl(const struct ethtool *e, const char *dev, void *data)
{
    struct ifreq r;
    memset(&r, 0, sizeof r);
    str_copy(r.ifr_name, sizeof r.ifr_name, dev);
    r.ifr_data = data;
    return ioctl(e->fd, SIOCETHTOOL, &r) ? ERR_UNSUPPORTED : 0;
}

/* --- statistics ------------------------------------------------------------------------------- */

static int
ethtool_count(const struct ethtool *e, const char *dev)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    int rc = ethtool_ioctl(e, dev, &info);
    return rc ? rc : info.n_stats > ETHTOOL_STATS_MAX ? ERR_LIMIT : (int)info.n_stats;
}

int
ethtool_names(struct ethtool *e, const char *dev, char **ret)
{
    int count = ethtool_count(e, dev);
    if (count <= 0)
        return count;
    /* Twice the room: the number may grow between the two questions. */
    struct ethtool_gstrings *s = calloc(1, sizeof *s + (size_t)count * 2 * ETH_GSTRING_LEN);
    if (!s)
        return ERR_NOMEM;
    s->cmd = ETHTOOL_GSTRINGS;
    s->string_set = ETH_SS_STATS;
    s->len = (unsigned)count;
    int rc = ethtool_ioctl(e, dev, s);
    if (!rc && s->len != (unsigned)count)
        rc = ERR_STATE;
    char *names = rc ? NULL : malloc((size_t)count * ETHTOOL_NAME_SIZE);
    if (names) {
        memcpy(names, s->data, (size_t)count * ETHTOOL_NAME_SIZE);
        *ret = names;
        rc = count;
    }
    free(s);
    return rc ? rc : ERR_NOMEM;
}

int
ethtool_values(struct ethtool *e, const char *dev, uint64_t *values, size_t count)
{
    int now = ethtool_count(e, dev);
    if (now < 0 || (size_t)now != count)
        return now < 0 ? now : ERR_STATE;
    struct ethtool_stats *s = calloc(1, sizeof *s + count * 2 * sizeof(uint64_t));
    if (!s)
        return ERR_NOMEM;
    s->cmd = ETHTOOL_GSTATS;
    s->n_stats = (unsigned)count;
    int rc = ethtool_ioctl(e, dev, s);
    if (!rc)
        memcpy(values, s->data, count * sizeof(uint64_t));
    free(s);
    return rc ? rc : (int)count;
}

/* --- module ----------------------------------------------------------------------------------- */

struct ethtool_answer {
    uint8_t *out;
    size_t len, got;
};

static int
ethtool_take(struct nl_msg *msg, void *ctx)
{
    struct ethtool_answer *a = ctx;
    struct nlattr *attrs[ETHTOOL_A_MODULE_EEPROM_MAX + 1];
    if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, ETHTOOL_A_MODULE_EEPROM_MAX, NULL))
        return NL_SKIP;
    struct nlattr *data = attrs[ETHTOOL_A_MODULE_EEPROM_DATA];
    if (data && (size_t)nla_len(data) <= a->len) {
        a->got = (size_t)nla_len(data);
        memcpy(a->out, nla_data(data), a->got);
    }
    return NL_OK;
}

/* 128 bytes of one page; offset 0 or 128. */
static int
ethtool_page(const struct ethtool *e, const char *dev, uint8_t i2c, uint8_t bank, uint8_t page,
             uint32_t offset, uint8_t *out)
{
    struct ethtool_answer a = {out, MODULE_PAGE, 0};
    struct nl_msg *m = e->netlink ? nlmsg_alloc() : NULL;
    int rc = ERR_UNSUPPORTED;
    if (!m)
        return rc;
    genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, e->family, 0, 0, ETHTOOL_MSG_MODULE_EEPROM_GET,
                ETHTOOL_GENL_VERSION);
    struct nlattr *head = nla_nest_start(m, ETHTOOL_A_MODULE_EEPROM_HEADER | NLA_F_NESTED);
    nla_put_string(m, ETHTOOL_A_HEADER_DEV_NAME, dev);
    if (head)
        nla_nest_end(m, head);
    nla_put_u32(m, ETHTOOL_A_MODULE_EEPROM_OFFSET, offset);
    nla_put_u32(m, ETHTOOL_A_MODULE_EEPROM_LENGTH, MODULE_PAGE);
    nla_put_u8(m, ETHTOOL_A_MODULE_EEPROM_PAGE, page);
    nla_put_u8(m, ETHTOOL_A_MODULE_EEPROM_BANK, bank);
    nla_put_u8(m, ETHTOOL_A_MODULE_EEPROM_I2C_ADDRESS, i2c);
    nl_socket_modify_cb(e->netlink, NL_CB_VALID, NL_CB_CUSTOM, ethtool_take, &a);
    if (nl_send_auto(e->netlink, m) >= 0) {
        int got = nl_recvmsgs_default(e->netlink); /* the answer, or the error */
        if (got >= 0 && a.got)
            nl_wait_for_ack(e->netlink);
        rc = a.got == MODULE_PAGE ? 0 : ERR_UNSUPPORTED;
    }
    nlmsg_free(m);
    return rc;
}

static int
ethtool_upper(const struct ethtool *e, const char *dev, unsigned bank, unsigned page,
              struct module_pages *ret)
{
    uint8_t at[MODULE_PAGE];
    int rc = ethtool_page(e, dev, ETHTOOL_I2C_A0, (uint8_t)bank, (uint8_t)page, 128, at);
    return rc ? rc : module_page_add(ret, bank, page, at);
}

/* Page 01h byte 142: bits 1-0 tell the banks, bit 6 that there are observables (pages 20h, 24h). */
static void
ethtool_cmis(const struct ethtool *e, const char *dev, struct module_pages *ret)
{
    unsigned banks = 1;
    bool vdm = false;
    if (!ethtool_upper(e, dev, 0, 0x01, ret)) {
        const uint8_t *one = module_page(ret, 0, 0x01);
        static const unsigned counts[] = {1, 2, 4, 4};
        banks = counts[one[142 - 128] & 3];
        vdm = one[142 - 128] & 0x40;
    }
    ethtool_upper(e, dev, 0, 0x02, ret);
    for (unsigned bank = 0; bank < banks; bank++) {
        ethtool_upper(e, dev, bank, 0x11, ret);
        if (vdm && !ethtool_upper(e, dev, bank, 0x20, ret))
            ethtool_upper(e, dev, bank, 0x24, ret);
    }
}

static int
ethtool_module_netlink(const struct ethtool *e, const char *dev, struct module_pages *ret)
{
    memset(ret, 0, sizeof *ret);
    int rc = ethtool_page(e, dev, ETHTOOL_I2C_A0, 0, 0, 0, ret->lower);
    if (rc)
        return rc;
    ret->have_lower = true;
    ethtool_upper(e, dev, 0, 0, ret);
    uint8_t id = ret->lower[0];
    if (id == 0x03 || id == 0x0b) {
        ret->have_a2 =
            (ret->lower[92] & 0x40) && !ethtool_page(e, dev, ETHTOOL_I2C_A2, 0, 0, 0, ret->a2);
    } else if (id == 0x0c || id == 0x0d || id == 0x11) {
        if (!(ret->lower[2] & 0x04))
            ethtool_upper(e, dev, 0, 0x03, ret);
    } else if (!(ret->lower[2] & 0x80)) {
        ethtool_cmis(e, dev, ret);
    }
    return 0;
}

/* Older kernels and drivers: all pages in one row. */
static int
ethtool_module_ioctl(const struct ethtool *e, const char *dev, struct module_pages *ret)
{
    struct ethtool_modinfo info = {.cmd = ETHTOOL_GMODULEINFO};
    size_t next = 0;
    int rc = ethtool_ioctl(e, dev, &info);
    if (rc || !info.eeprom_len || info.eeprom_len > 4096)
        return ERR_UNSUPPORTED;
    struct ethtool_eeprom *rom = calloc(1, sizeof *rom + info.eeprom_len);
    if (!rom)
        return ERR_NOMEM;
    rom->cmd = ETHTOOL_GMODULEEEPROM;
    rom->len = info.eeprom_len;
    rc = ethtool_ioctl(e, dev, rom);
    if (!rc)
        rc = module_pages_parse(rom->data, info.eeprom_len, &next, ret, NULL) == 1
                 ? 0
                 : ERR_UNSUPPORTED;
    free(rom);
    return rc;
}

int
ethtool_module(struct ethtool *e, const char *dev, struct module_pages *ret)
{
    return ethtool_module_netlink(e, dev, ret) ? ethtool_module_ioctl(e, dev, ret) : 0;
}
