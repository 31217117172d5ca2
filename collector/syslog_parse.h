/* syslog_parse: syslog messages of any maker to host, time, severity and text; and their framing.
 *
 *   RFC 5424   <PRI>1 TIME HOST APP PROCID MSGID SD MSG
 *   RFC 3164   <PRI>Mmm dd hh:mm:ss[.f] HOST TAG[PID]: MSG      (also with an ISO time, as rsyslog)
 *   Cisco      <PRI>[SEQ: ][HOST: ][*|.]Mmm dd [yyyy] hh:mm:ss[.f] [ZONE]: %FAC-SEV-MNEMONIC: ...
 *   NX-OS      <PRI>: yyyy Mmm dd hh:mm:ss[.f] [ZONE]: %FAC-SEV-...
 *   Huawei     <PRI>Mmm dd yyyy hh:mm:ss[+hh:mm] HOST %%01MODULE/SEV/BRIEF(l):...
 *   H3C        <PRI>Mmm dd hh:mm:ss[:f] yyyy HOST %%10MODULE/SEV/BRIEF: ...
 *   SONiC      <PRI>Mmm dd hh:mm:ss.f HOST LEVEL container#program[pid]: ...
 * Nothing is required: what is no head is text. Linear, allocates nothing. Sources: RFC 5424, RFC
 * 3164, RFC 6587 and the vendors' logging guides. */
#ifndef COLLECTOR_SYSLOG_PARSE_H
#define COLLECTOR_SYSLOG_PARSE_H

#include "base/buf.h"
#include "base/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSLOG_HOST_MAX 255

struct syslog_message {
    int facility, severity;         /* 0 to 23 (1 where none is given), 0 to 7 (6) */
    int64_t time_ms;                /* 0: the message has none */
    bool has_zone;                  /* the time named its offset, or UTC */
    char host[SYSLOG_HOST_MAX + 1]; /* "" none */
    char app[64];                   /* APP-NAME or TAG without process id, "" none */
    bool vendor;                    /* a switch's form: %FAC-SEV-X or %%01X */
    /* What goes to the store: tag and process id in front of the message; one line, UTF-8. */
    char text[EVENT_TEXT_MAX + 1];
    size_t text_len;
    bool cut; /* the message was longer */
};

/* now_ms and offset_ms (local zone, east positive) complete times that have no year or no zone. */
void syslog_parse(const char *data, size_t len, int64_t now_ms, int64_t offset_ms,
                  struct syslog_message *ret);

/* Framing of a stream: octet counting ("LEN SP MSG") or lines, told apart at each message (RFC
 * 6587, 3.4). A message beyond `max` is cut, its rest passed over. */
struct syslog_frame {
    struct buf line;
    size_t want;   /* octets of a counted message still to come */
    bool counted;  /* within a counted message */
    bool skipping; /* within the rest of a line that was cut */
    uint64_t cut;  /* messages that were longer than max */
};
void syslog_frame_init(struct syslog_frame *f, size_t max);
void syslog_frame_done(struct syslog_frame *f);
void syslog_frame_feed(struct syslog_frame *f, const char *data, size_t len,
                       void (*cb)(void *ctx, const char *msg, size_t len), void *ctx);

#endif
