/* packet: one frame of a capture, as far as RoCE and its flow control go.
 *
 * Ethernet (802.1Q, 802.1ad), Linux cooked and raw IP captures; IPv4, IPv6; VXLAN and ERSPAN are
 * looked through. RoCEv2 (UDP 4791), RoCEv1 (0x8915), CNP, 802.3x pause, 802.1Qbb PFC, LLDP. A CNP
 * is opcode 0x81, another of the transport 100b, or a manufacturer's own (11xxxxxxb) that bears
 * BECN. Sources: InfiniBand Architecture 1.6 volume 1 chapter 9 and annexes A16, A17; IEEE
 * 802.1Q-2018 36.2, IEEE 802.1AB 8. Linear, allocates nothing, reads nothing behind what was
 * captured. */
#ifndef DECODE_PACKET_H
#define DECODE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_kind { PACKET_OTHER, PACKET_ROCE, PACKET_CNP, PACKET_PFC, PACKET_PAUSE, PACKET_LLDP };

/* Link types of pcap files (tcpdump.org/linktypes.html). */
enum {
    PACKET_LINK_ETHERNET = 1,
    PACKET_LINK_RAW = 101,
    PACKET_LINK_SLL = 113,
    PACKET_LINK_SLL2 = 276,
    PACKET_LINK_VXLAN = -1 /* our own: what a datagram of VXLAN holds */
};

struct packet {
    enum packet_kind kind;
    uint8_t mac_from[6];
    uint8_t from[16], to[16]; /* IPv4 as ::ffff:a.b.c.d; RoCEv1: GIDs */
    uint16_t source_port;     /* UDP's */
    uint8_t priority;         /* 802.1Q, 0 without a tag */
    uint8_t dscp, ecn;        /* ecn 3: congestion experienced */
    uint32_t length; /* of the frame by its IP header, where a mirror cut it; 0: not told */
    uint32_t path;   /* of a mirror: ERSPAN's session or VXLAN's network, + 1; 0: none */
    /* ROCE, CNP: base transport header */
    uint8_t opcode;
    bool solicited, ack_request, cut; /* cut: headers beyond the captured bytes */
    bool becn;                        /* the other way is congested */
    uint32_t qp, psn;
    bool has_aeth;
    uint8_t syndrome;
    bool has_reth;
    uint32_t dma_length;
    /* PFC, PAUSE */
    uint8_t classes;    /* bit p: priority p is in the frame */
    uint16_t quanta[8]; /* of 512 bit times; PAUSE: [0] */
    /* LLDP: what follows the Ethernet header, within the frame */
    const uint8_t *body;
    size_t body_len;
};

/* 0, or ERR_SYNTAX: a frame that is too short or ill-formed for what it says it is. */
int packet_decode(int link, const uint8_t *data, size_t len, struct packet *ret);
const char *packet_opcode_name(uint8_t opcode); /* "RC SEND First"; "" if unknown */

enum packet_ack {
    PACKET_ACK,
    PACKET_RNR,
    PACKET_NAK_PSN,
    PACKET_NAK_REQUEST,
    PACKET_NAK_ACCESS,
    PACKET_NAK_OPERATION,
    PACKET_NAK_OTHER
};
enum packet_ack packet_ack_kind(uint8_t syndrome);

#endif
