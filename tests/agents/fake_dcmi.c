/* fake_dcmi: a stand-in for Huawei's device management library, for tests: two cards of one chip.
 * FAKE_DCMI tells it what to be: "" well, "none" without a card, "lost" with chip 1 gone, "hang"
 * never to answer, "lie" to give values that no chip has, "lie-count" to count a million cards,
 * "fail" to fail every question. */
#include "agents/dcmi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* clang-format off */
EXPORT int dcmi_init(void);
EXPORT int dcmi_get_driver_version(char *out, unsigned size);
EXPORT int dcmi_get_card_list(int *count, int *cards, int size);
EXPORT int dcmi_get_device_num_in_card(int card, int *ret);
EXPORT int dcmi_get_device_logic_id(int *ret, int card, int chip);
EXPORT int dcmi_get_device_chip_info(int card, int chip, struct dcmi_chip *ret);
EXPORT int dcmi_get_device_pcie_info_v2(int card, int chip, struct dcmi_pcie *ret);
EXPORT int dcmi_get_device_health(int card, int chip, unsigned *ret);
EXPORT int dcmi_get_device_errorcode_v2(int card, int chip, int *count, unsigned *codes, unsigned size);
EXPORT int dcmi_get_device_temperature(int card, int chip, int *ret);
EXPORT int dcmi_get_device_power_info(int card, int chip, int *ret);
EXPORT int dcmi_get_device_utilization_rate(int card, int chip, int kind, unsigned *ret);
EXPORT int dcmi_get_device_hbm_info(int card, int chip, struct dcmi_hbm *ret);
EXPORT int dcmi_get_device_ecc_info(int card, int chip, int kind, struct dcmi_ecc *ret);
EXPORT int dcmi_get_device_network_health(int card, int chip, unsigned *ret);
/* clang-format on */

static int
fake_is(const char *what)
{
    const char *is = getenv("FAKE_DCMI");
    return is && !strcmp(is, what);
}

static int
fake_rc(void)
{
    return fake_is("fail") ? -8005 : 0;
}

int
dcmi_init(void)
{
    return 0;
}

int
dcmi_get_driver_version(char *out, unsigned size)
{
    snprintf(out, size, "24.1");
    return fake_rc();
}

int
dcmi_get_card_list(int *count, int *cards, int size)
{
    *count = fake_is("none") ? 0 : fake_is("lie-count") ? 1000000 : 2;
    for (int i = 0; i < 2 && i < size; i++)
        cards[i] = i * 4; /* cards need not be numbered without gaps */
    return 0;
}

int
dcmi_get_device_num_in_card(int card, int *ret)
{
    (void)card;
    *ret = 1;
    return fake_rc();
}

int
dcmi_get_device_logic_id(int *ret, int card, int chip)
{
    *ret = card / 4 + chip;
    return fake_rc();
}

int
dcmi_get_device_chip_info(int card, int chip, struct dcmi_chip *ret)
{
    (void)card;
    (void)chip;
    memset(ret->name, 0xff, sizeof ret->name);
    if (!fake_is("lie"))
        snprintf((char *)ret->name, sizeof ret->name, "Example NPU");
    return fake_rc();
}

int
dcmi_get_device_pcie_info_v2(int card, int chip, struct dcmi_pcie *ret)
{
    *ret = (struct dcmi_pcie){.bus = 0xc1 + (unsigned)card / 4, .function = (unsigned)chip};
    return fake_rc();
}

int
dcmi_get_device_health(int card, int chip, unsigned *ret)
{
    (void)chip;
    while (fake_is("hang"))
        pause();
    *ret = card ? 2 : 0;
    return fake_is("lost") && card ? DCMI_NOT_EXIST : fake_rc();
}

int
dcmi_get_device_errorcode_v2(int card, int chip, int *count, unsigned *codes, unsigned size)
{
    (void)chip;
    *count = fake_is("lie") ? 1 << 30 : card && size ? 1 : 0;
    if (size)
        codes[0] = card ? 0x80e01801u : 0;
    return fake_rc();
}

int
dcmi_get_device_temperature(int card, int chip, int *ret)
{
    *ret = fake_is("lie") ? 0x7fff : 45 + card + chip;
    return fake_rc();
}

int
dcmi_get_device_power_info(int card, int chip, int *ret)
{
    (void)card;
    (void)chip;
    *ret = fake_is("lie") ? -1 : 3105;
    return fake_rc();
}

int
dcmi_get_device_utilization_rate(int card, int chip, int kind, unsigned *ret)
{
    (void)card;
    (void)chip;
    *ret = fake_is("lie") ? ~0u : 90 + (unsigned)kind;
    return fake_rc();
}

int
dcmi_get_device_hbm_info(int card, int chip, struct dcmi_hbm *ret)
{
    (void)card;
    (void)chip;
    *ret = (struct dcmi_hbm){.size = 65536, .used = 50000, .temperature = 60, .bandwidth = 12};
    if (fake_is("lie"))
        ret->used = ~0ull;
    return fake_rc();
}

int
dcmi_get_device_ecc_info(int card, int chip, int kind, struct dcmi_ecc *ret)
{
    (void)card;
    (void)chip;
    *ret = (struct dcmi_ecc){1, 3, 1, 30, 10, 2, 1};
    return kind == DCMI_DEVICE_HBM ? fake_rc() : -8003;
}

int
dcmi_get_device_network_health(int card, int chip, unsigned *ret)
{
    (void)chip;
    *ret = card ? 3 : 0;
    return fake_rc();
}
