/* switches: answers SNMPv2c for many equal switches from one table that is made once: what benches
 * and tests of collection ask. It has no world behind it (see responder.h for one that has):
 * counters grow with the clock.
 *
 * A switch is chosen by the number at the end of the community ("public@17", "s17"); none is switch
 * 0. It can be told to lie as real agents do. Expected load: hundreds of thousands of values a
 * second. */
#ifndef SIM_SWITCHES_H
#define SIM_SWITCHES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum switches_lie {
    SWITCHES_HONEST,
    SWITCHES_SILENT,    /* unplugged */
    SWITCHES_LATE,      /* answers ten times late, after delay_ms */
    SWITCHES_LOOP,      /* the next name is the one asked for */
    SWITCHES_BACK,      /* the next name lies before the one asked for */
    SWITCHES_TYPES,     /* texts for numbers, numbers for texts */
    SWITCHES_TRUNCATED, /* half a message */
    SWITCHES_OTHER_ID,  /* the answer of another request */
    SWITCHES_BACKWARDS, /* counters of four gigabytes that fall */
    SWITCHES_NAMESAKES, /* all ports have one name */
    SWITCHES_TOO_BIG,   /* tooBig above eight values */
    SWITCHES_FAILING,   /* genErr for the sensors */
    SWITCHES_BARE,      /* honest, but without ENTITY-SENSOR-MIB */
    SWITCHES_FLOOD,     /* names that grow and never end */
};

struct switches_config {
    unsigned ports; /* of a switch; 0: 64 */
    unsigned port;  /* UDP on 127.0.0.1; 0: a free one */
    unsigned delay_ms;
    size_t message_max; /* bytes of an answer; 0: 1,400, within one frame */
};
struct switches;
int switches_open(const struct switches_config *c, struct switches **ret, struct err *err);
void switches_close(struct switches *s);
int switches_fd(const struct switches *s);
unsigned switches_port(const struct switches *s);
void switches_run(struct switches *s, int64_t now_ms); /* answers all requests that wait */
uint64_t switches_values(const struct switches *s);    /* answered so far */
uint64_t switches_asks(const struct switches *s);

/* All of these from the thread that runs it, or before. */
void switches_tell(struct switches *s, enum switches_lie lie);
void switches_hide(struct switches *s,
                   uint32_t if_index);     /* this port is there no more; 0: all are */
void switches_reverse(struct switches *s); /* ifIndex 1 means the last port, and so on */
void switches_recable(struct switches *s, uint32_t a, uint32_t b); /* two cables change ports */
void switches_restart(struct switches *s, uint32_t up_time);       /* hundredths of a second */

/* Adds an object of a maker's own: an integer, or a text when that is not NULL (not copied). 0,
 * ERR_SYNTAX, ERR_LIMIT. */
int switches_put(struct switches *s, const char *oid, int64_t number, const char *text);

/* One request to one answer: its length (0: none is due), its start in *ret_at. */
int switches_answer(struct switches *s, int64_t now_ms, const uint8_t *request, size_t len,
                    uint8_t *memory, size_t size, const uint8_t **ret_at);

#endif
