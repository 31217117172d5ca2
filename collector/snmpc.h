/* snmpc: SNMP over net-snmp: questions that answer later on the loop, and a listener for traps.
 * Only this file's .c sees the library.
 *
 * One question at a time a session; the library repeats it once when no answer comes. Values point
 * into the answer and are valid during the callback. The library knows no MIBs and reads no files.
 */
#ifndef COLLECTOR_SNMPC_H
#define COLLECTOR_SNMPC_H

#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNMPC_OID_MAX 128 /* RFC 2578, 3.5 */
#define SNMPC_ASK_MAX 16  /* names of one question */

struct snmpc_oid {
    size_t len;
    uint32_t at[SNMPC_OID_MAX];
};
/* "1.3.6.1": false when it is not one. */
bool snmpc_oid_parse(const char *text, struct snmpc_oid *ret);
/* Dotted text into out, cut at size; returns out. */
const char *snmpc_oid_format(const struct snmpc_oid *o, char *out, size_t size);
bool snmpc_oid_prefix(const struct snmpc_oid *o, const struct snmpc_oid *prefix);
int snmpc_oid_compare(const struct snmpc_oid *a, const struct snmpc_oid *b);
void snmpc_oid_copy(struct snmpc_oid *to, const struct snmpc_oid *from); /* what is used of it */

enum snmpc_kind {
    SNMPC_NONE, /* no such object, end of view, null */
    SNMPC_INT,
    SNMPC_COUNT, /* counters, gauges, ticks: unsigned */
    SNMPC_TEXT,  /* octets */
    SNMPC_OID,
    SNMPC_ADDRESS /* 4 octets */
};
struct snmpc_value {
    struct snmpc_oid oid; /* the object's */
    enum snmpc_kind kind;
    int64_t i;  /* INT */
    uint64_t u; /* COUNT */
    const uint8_t *text;
    size_t len;              /* TEXT, ADDRESS */
    struct snmpc_oid object; /* OID */
};
/* As text without control characters, cut at size; returns out. */
const char *snmpc_value_text(const struct snmpc_value *v, char *out, size_t size);
double snmpc_value_number(const struct snmpc_value *v); /* INT and COUNT, else 0 */

enum snmpc_version { SNMPC_VERSION_2C, SNMPC_VERSION_3 };
struct snmpc_access { /* texts are copied by the library */
    const char *address;
    int version;
    const char *community;                     /* 2c */
    const char *user;                          /* 3 */
    const char *auth_protocol, *auth_password; /* md5 sha sha224 sha256 sha384 sha512; NULL */
    const char *priv_protocol, *priv_password; /* des aes; NULL */
    const char *engine_id;                     /* of a sender of v3 traps, hex; NULL */
    unsigned timeout_ms;
};

struct snmpc;
/* Opens without sending. For version 3 the engine is asked for with the first question. */
int snmpc_open(struct loop *l, const struct snmpc_access *a, struct snmpc **ret, struct err *err);
void snmpc_close(struct snmpc *s); /* not from a callback; a waiting one is not called */
/* rc 0, ERR_TIMEOUT, ERR_FULL (the answer would be too big), ERR_DENIED (credentials), ERR_IO;
 * values are NULL unless 0. */
typedef void snmpc_answer(void *ctx, int rc, const struct snmpc_value *values, size_t n);
/* repetitions 0: get; else get-bulk. The names stay where they are until the answer. 0, or negative
 * when it could not be sent (no callback then).
 */
int snmpc_ask(struct snmpc *s, const struct snmpc_oid *const *oids, size_t n, unsigned repetitions,
              snmpc_answer *cb, void *ctx);

/* A trap or inform of any version. v1's kind is turned into its v2 OID (RFC 3584). */
struct snmpc_trap {
    const char *source; /* address it came from, without port */
    const char *agent;  /* v1: the agent's own address, else "" */
    struct snmpc_oid kind;
    const char *community, *user; /* "" where the version has none */
    const struct snmpc_value *values;
    size_t count;
};
struct snmpc_listener;
struct snmpc_listener_conf {
    const char *listen;               /* host:port */
    const struct snmpc_access *users; /* of v3 */
    size_t user_count;
};
int snmpc_listener_open(struct loop *l, const struct snmpc_listener_conf *c,
                        void (*cb)(void *ctx, const struct snmpc_trap *trap), void *ctx,
                        struct snmpc_listener **ret, struct err *err);
unsigned snmpc_listener_port(const struct snmpc_listener *l);
void snmpc_listener_close(struct snmpc_listener *l);

#endif
