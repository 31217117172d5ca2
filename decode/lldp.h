/* lldp: what a frame of LLDP says of the port that sent it, and how DCBX there sets priorities.
 *
 * Sources: IEEE 802.1AB-2016 8 (the TLVs), IEEE 802.1Q-2018 D.2.8 to D.2.11 (ETS, PFC, application
 * priority), and the older DCBX of CEE version 1.01. Any bytes give a struct or an error; texts are
 * printable UTF-8 and cut to their room. */
#ifndef DECODE_LLDP_H
#define DECODE_LLDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLDP_APPS_MAX 16

struct lldp_app {
    uint8_t priority, selector; /* 1 Ethertype, 2 TCP, 3 UDP, 4 either, 5 DSCP */
    uint16_t protocol;
};
struct lldp {
    char chassis[64], port[64], port_descr[64], system[64];
    uint16_t ttl;
    const char *dcbx; /* "ieee", "cee"; "" none */
    bool has_ets, has_pfc, ets_willing, pfc_willing;
    uint8_t group_of[8], bandwidth[8]; /* of priorities; of groups, per cent */
    uint8_t pfc;                       /* bit p: priority p may be paused */
    struct lldp_app apps[LLDP_APPS_MAX];
    unsigned app_count;
};
/* data is what follows the Ethernet header. 0, or ERR_SYNTAX: the three TLVs that must come first
 * are not there. A TLV that is cut ends the reading. */
int lldp_decode(const uint8_t *data, size_t len, struct lldp *ret);

#endif
