/* dcmi: the part of Huawei's device management library for Ascend NPUs that the agent calls, as
 * function types and structs of its documented interface (DCMI API Reference). The library is found
 * at run time; a function that a release lacks stays NULL. All return 0, or a negative code. */
#ifndef AGENTS_DCMI_H
#define AGENTS_DCMI_H

enum {
    DCMI_CARDS_MAX = 64,
    DCMI_ERRORS_MAX = 128,
    DCMI_NOT_EXIST = -8009, /* the device is not there, or is not ready */
    DCMI_FREQ_AICORE = 7,
    DCMI_UTIL_AICORE = 2,
    DCMI_UTIL_HBM = 6,
    DCMI_UTIL_HBM_BANDWIDTH = 10,
    DCMI_DEVICE_HBM = 2, /* of dcmi_get_device_ecc_info */
};

struct dcmi_hbm {
    unsigned long long size; /* MB */
    unsigned freq;           /* MHz */
    unsigned long long used; /* MB */
    int temperature;
    unsigned bandwidth; /* percent */
};
struct dcmi_ecc {
    int enabled;
    unsigned single, twofold, single_total, twofold_total, single_pages, twofold_pages;
};
struct dcmi_pcie {
    unsigned vendor, subvendor, device, subdevice;
    int domain;
    unsigned bus, slot, function;
    unsigned char reserved[32];
};
struct dcmi_chip {
    unsigned char type[32], name[32], version[32];
    unsigned aicores;
    unsigned char room[256]; /* later releases have more */
};

/* Name of the symbol, then its parameters. X(symbol, member, parameters) */
#define DCMI_FUNCTIONS(X)                                                                          \
    X("dcmi_init", init, (void))                                                                   \
    X("dcmi_get_driver_version", driver, (char *, unsigned))                                       \
    X("dcmi_get_card_list", cards, (int *, int *, int))                                            \
    X("dcmi_get_device_num_in_card", chips, (int, int *))                                          \
    X("dcmi_get_device_logic_id", logic_id, (int *, int, int))                                     \
    X("dcmi_get_device_chip_info", chip, (int, int, struct dcmi_chip *))                           \
    X("dcmi_get_device_pcie_info_v2", pcie, (int, int, struct dcmi_pcie *))                        \
    X("dcmi_get_device_health", health, (int, int, unsigned *))                                    \
    X("dcmi_get_device_errorcode_v2", errors, (int, int, int *, unsigned *, unsigned))             \
    X("dcmi_get_device_temperature", temperature, (int, int, int *))                               \
    X("dcmi_get_device_power_info", power, (int, int, int *))                                      \
    X("dcmi_get_device_voltage", voltage, (int, int, unsigned *))                                  \
    X("dcmi_get_device_frequency", frequency, (int, int, int, unsigned *))                         \
    X("dcmi_get_device_utilization_rate", utilization, (int, int, int, unsigned *))                \
    X("dcmi_get_device_hbm_info", hbm, (int, int, struct dcmi_hbm *))                              \
    X("dcmi_get_device_ecc_info", ecc, (int, int, int, struct dcmi_ecc *))                         \
    X("dcmi_get_device_network_health", network, (int, int, unsigned *))

struct dcmi {
#define DCMI_MEMBER(symbol, member, parameters) int(*member) parameters;
    DCMI_FUNCTIONS(DCMI_MEMBER)
#undef DCMI_MEMBER
};

#endif
