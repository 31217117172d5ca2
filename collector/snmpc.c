/* snmpc: one net-snmp session a device, its socket watched by the loop.
 *
 * The library's calls that wait for an answer are never used: discovery of a v3 engine, which
 * snmp_sess_open would do while everybody waits, is a question like any other here. All calls come
 * from one thread, as the library's table of users has no lock. */
/* OpenSSL, which net-snmp brings along, has a type that bears the name of one of our constants. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>
#undef ERR_STATE

#include "collector/snmpc.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#define SNMPC_TICK_MS 100
#define SNMPC_VALUES  512u
#define SNMPC_RETRIES 1

struct snmpc {
    struct loop *loop;
    struct snmpc_access access; /* texts owned */
    char *peer;
    void *handle; /* of the library; v3: of the probe until the engine is known */
    struct loop_fd *fd;
    struct loop_timer *timer;
    bool known;   /* v3: the engine is known and handle is the real one */
    bool waiting; /* a callback is owed */
    bool reopen;  /* the probe was answered: open the real one, out of the callback */
    uint8_t engine[64];
    size_t engine_len;
    snmpc_answer *cb;
    void *ctx;
    const struct snmpc_oid *oids[SNMPC_ASK_MAX]; /* of the question: the asker's */
    size_t oid_count;
    unsigned repetitions;
};

static void
snmpc_library(void)
{
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_string(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_MIBDIRS, "");
    setenv("MIBS", "", 0); /* the library takes the list of MIBs from here alone */
    init_snmp("myriascope");
    snmp_disable_log();
    netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
}

static void
snmpc_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, snmpc_library);
}

/* --- values --------------------------------------------------------------------------------------
 */

bool
snmpc_oid_parse(const char *text, struct snmpc_oid *ret)
{
    ret->len = 0;
    while (*text == '.')
        text++;
    while (*text) {
        char *end;
        unsigned long v = strtoul(text, &end, 10);
        if (end == text || v > UINT32_MAX || ret->len == SNMPC_OID_MAX || (*end && *end != '.'))
            return false;
        ret->at[ret->len++] = (uint32_t)v;
        text = *end ? end + 1 : end;
    }
    return ret->len > 0;
}

const char *
snmpc_oid_format(const struct snmpc_oid *o, char *out, size_t size)
{
    size_t n = 0;
    *out = 0;
    for (size_t i = 0; i < o->len && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%u", i ? "." : "", o->at[i]);
    return out;
}

bool
snmpc_oid_prefix(const struct snmpc_oid *o, const struct snmpc_oid *prefix)
{
    return o->len >= prefix->len && !memcmp(o->at, prefix->at, prefix->len * sizeof *o->at);
}

int
snmpc_oid_compare(const struct snmpc_oid *a, const struct snmpc_oid *b)
{
    for (size_t i = 0; i < a->len && i < b->len; i++)
        if (a->at[i] != b->at[i])
            return a->at[i] < b->at[i] ? -1 : 1;
    return (a->len > b->len) - (a->len < b->len);
}

void
snmpc_oid_copy(struct snmpc_oid *to, const struct snmpc_oid *from)
{
    to->len = from->len;
    memcpy(to->at, from->at, from->len * sizeof *to->at);
}

const char *
snmpc_value_text(const struct snmpc_value *v, char *out, size_t size)
{
    size_t n = v->kind == SNMPC_TEXT ? v->len : 0;
    n = n < size ? n : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = v->text[i] < 32 || v->text[i] == 127 ? ' ' : (char)v->text[i];
    while (n && out[n - 1] == ' ')
        n--;
    str_utf8_mend(out, &n);
    out[n] = 0;
    return out;
}

double
snmpc_value_number(const struct snmpc_value *v)
{
    return v->kind == SNMPC_INT ? (double)v->i : v->kind == SNMPC_COUNT ? (double)v->u : 0;
}

static void
snmpc_oid(const oid *from, size_t len, struct snmpc_oid *ret)
{
    ret->len = len < SNMPC_OID_MAX ? len : SNMPC_OID_MAX;
    for (size_t i = 0; i < ret->len; i++)
        ret->at[i] = (uint32_t)from[i];
}

static void
snmpc_value(const netsnmp_variable_list *v, struct snmpc_value *ret)
{
    /* member by member: a value has room for two long names, which are not worth clearing */
    ret->kind = SNMPC_NONE;
    ret->i = 0;
    ret->u = 0;
    ret->text = (const uint8_t *)"";
    ret->len = 0;
    ret->object.len = 0;
    snmpc_oid(v->name, v->name_length, &ret->oid);
    switch (v->type) {
    case ASN_INTEGER:
        ret->kind = SNMPC_INT;
        ret->i = *v->val.integer;
        break;
    case ASN_COUNTER:
    case ASN_GAUGE:
    case ASN_TIMETICKS:
    case ASN_UINTEGER:
        ret->kind = SNMPC_COUNT;
        ret->u = (uint32_t)*v->val.integer;
        break;
    case ASN_COUNTER64:
        ret->kind = SNMPC_COUNT;
        ret->u = (uint64_t)(uint32_t)v->val.counter64->high << 32 | (uint32_t)v->val.counter64->low;
        break;
    case ASN_OCTET_STR:
        ret->kind = SNMPC_TEXT;
        ret->text = v->val.string;
        ret->len = v->val_len;
        break;
    case ASN_IPADDRESS:
        ret->kind = v->val_len == 4 ? SNMPC_ADDRESS : SNMPC_NONE;
        ret->text = v->val.string;
        ret->len = v->val_len;
        break;
    case ASN_OBJECT_ID:
        ret->kind = SNMPC_OID;
        snmpc_oid(v->val.objid, v->val_len / sizeof(oid), &ret->object);
        break;
    default:
        break;
    }
}

/* Values of an answer or trap, in one allocation; NULL with *ret_count 0 when there are none. */
static struct snmpc_value *
snmpc_values(const netsnmp_pdu *pdu, size_t *ret_count)
{
    size_t n = 0;
    for (const netsnmp_variable_list *v = pdu->variables; v && n < SNMPC_VALUES;
         v = v->next_variable)
        n++;
    *ret_count = 0;
    struct snmpc_value *values = n ? malloc(n * sizeof *values) : NULL;
    if (values)
        for (const netsnmp_variable_list *v = pdu->variables; *ret_count < n; v = v->next_variable)
            snmpc_value(v, &values[(*ret_count)++]);
    return values;
}

/* --- credentials ---------------------------------------------------------------------------------
 */

static int
snmpc_auth(const char *word, const oid **ret, size_t *ret_len)
{
    static const struct {
        const char *word;
        const oid *id;
        size_t len;
    } rows[] = {{"md5", usmHMACMD5AuthProtocol, 10},
                {"sha", usmHMACSHA1AuthProtocol, 10},
                {"sha224", usmHMAC128SHA224AuthProtocol, OID_LENGTH(usmHMAC128SHA224AuthProtocol)},
                {"sha256", usmHMAC192SHA256AuthProtocol, OID_LENGTH(usmHMAC192SHA256AuthProtocol)},
                {"sha384", usmHMAC256SHA384AuthProtocol, OID_LENGTH(usmHMAC256SHA384AuthProtocol)},
                {"sha512", usmHMAC384SHA512AuthProtocol, OID_LENGTH(usmHMAC384SHA512AuthProtocol)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcasecmp(word, rows[i].word)) {
            *ret = rows[i].id;
            *ret_len = rows[i].len;
            return 0;
        }
    return ERR_NOTFOUND;
}

static int
snmpc_key(const oid *auth, size_t auth_len, const char *password, u_char *key, size_t *len)
{
    *len = USM_AUTH_KU_LEN;
    return generate_Ku(auth, (u_int)auth_len, (const u_char *)password, strlen(password), key, len)
               ? ERR_DENIED
               : 0;
}

/* Protocols and keys of a v3 session, from its access. */
static int
snmpc_secure(const struct snmpc_access *a, netsnmp_session *s)
{
    const oid *auth;
    size_t auth_len;
    s->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
    if (!a->auth_password)
        return 0;
    if (snmpc_auth(a->auth_protocol ? a->auth_protocol : "sha", &auth, &auth_len))
        return ERR_UNSUPPORTED;
    s->securityAuthProto = snmp_duplicate_objid(auth, auth_len);
    s->securityAuthProtoLen = auth_len;
    s->securityLevel = SNMP_SEC_LEVEL_AUTHNOPRIV;
    if (snmpc_key(auth, auth_len, a->auth_password, s->securityAuthKey, &s->securityAuthKeyLen))
        return ERR_DENIED;
    if (!a->priv_password)
        return 0;
    bool des = a->priv_protocol && !strcasecmp(a->priv_protocol, "des");
    if (a->priv_protocol && !des && strncasecmp(a->priv_protocol, "aes", 3))
        return ERR_UNSUPPORTED;
    s->securityPrivProto = des ? snmp_duplicate_objid(usmDESPrivProtocol, 10)
                               : snmp_duplicate_objid(usmAESPrivProtocol, 10);
    s->securityPrivProtoLen = 10;
    s->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    return snmpc_key(auth, auth_len, a->priv_password, s->securityPrivKey, &s->securityPrivKeyLen);
}

/* --- one session ---------------------------------------------------------------------------------
 */

static void
snmpc_shut(struct snmpc *s)
{
    if (s->fd)
        loop_fd_close(s->fd);
    s->fd = NULL;
    if (s->handle)
        snmp_sess_close(s->handle);
    s->handle = NULL;
}

static void snmpc_readable(void *ctx, int events);

/* The library's session: of v3 first the probe, then the one with the engine's name. */
static int
snmpc_connect(struct snmpc *s)
{
    netsnmp_session in;
    int rc = 0;
    snmpc_shut(s);
    snmp_sess_init(&in);
    in.peername = s->peer;
    in.timeout = (long)s->access.timeout_ms * 1000;
    in.retries = SNMPC_RETRIES;
    in.flags |= SNMP_FLAGS_DONT_PROBE;
    if (s->access.version == SNMPC_VERSION_2C) {
        in.version = SNMP_VERSION_2c;
        in.community = (u_char *)(uintptr_t)s->access.community;
        in.community_len = strlen(s->access.community);
    } else {
        in.version = SNMP_VERSION_3;
        in.securityModel = SNMP_SEC_MODEL_USM;
        in.securityName = (char *)(uintptr_t)(s->known ? s->access.user : "");
        in.securityNameLen = strlen(in.securityName);
        in.securityLevel = SNMP_SEC_LEVEL_NOAUTH;
        if (s->known) {
            in.securityEngineID = in.contextEngineID = s->engine;
            in.securityEngineIDLen = in.contextEngineIDLen = s->engine_len;
            rc = snmpc_secure(&s->access, &in);
        }
    }
    s->handle = rc ? NULL : snmp_sess_open(&in);
    if (s->handle && s->known && usm_create_user_from_session(snmp_sess_session(s->handle)))
        rc = ERR_DENIED;
    free(in.securityAuthProto);
    free(in.securityPrivProto);
    if (!s->handle)
        return rc ? rc : ERR_IO;
    s->fd = loop_fd_open(s->loop, snmp_sess_transport(s->handle)->sock, snmpc_readable, s);
    if (!s->fd)
        return ERR_NOMEM;
    loop_fd_set(s->fd, LOOP_READ);
    return rc;
}

static void
snmpc_end(struct snmpc *s, int rc, const struct snmpc_value *values, size_t n)
{
    if (!s->waiting)
        return;
    s->waiting = false;
    loop_timer_set(s->timer, -1, 0);
    s->cb(s->ctx, rc, values, n);
}

/* The engine's name from the report that a probe gets. */
static void
snmpc_probed(struct snmpc *s, const netsnmp_pdu *pdu)
{
    if (pdu->securityEngineIDLen < 5 || pdu->securityEngineIDLen > 32)
        return;
    memcpy(s->engine, pdu->securityEngineID, pdu->securityEngineIDLen);
    s->engine_len = pdu->securityEngineIDLen;
    s->reopen = true;
}

static int
snmpc_report(struct snmpc *s, netsnmp_pdu *pdu)
{
    int type = snmpv3_get_report_type(pdu);
    if (!s->known) {
        snmpc_probed(s, pdu);
        return 1;
    }
    if (type == SNMPERR_NOT_IN_TIME_WINDOW)
        return 1; /* the library asks again with the engine's time */
    if (type == SNMPERR_UNKNOWN_ENG_ID)
        s->known = false; /* another device has taken the address: probe with the next question */
    snmpc_end(s, ERR_DENIED, NULL, 0);
    return 1;
}

static int
snmpc_called(int op, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *ctx)
{
    struct snmpc *s = ctx;
    size_t n = 0;
    (void)session, (void)id;
    if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
        if (op == NETSNMP_CALLBACK_OP_TIMED_OUT)
            snmpc_end(s, ERR_TIMEOUT, NULL, 0);
        else if (op != NETSNMP_CALLBACK_OP_RESEND)
            snmpc_end(s, ERR_IO, NULL, 0);
        return 1;
    }
    if (pdu->command == SNMP_MSG_REPORT)
        return snmpc_report(s, pdu);
    if (pdu->command != SNMP_MSG_RESPONSE)
        return 0;
    if (pdu->errstat != SNMP_ERR_NOERROR) {
        snmpc_end(s,
                  pdu->errstat == SNMP_ERR_AUTHORIZATIONERROR ? ERR_DENIED
                  : pdu->errstat == SNMP_ERR_TOOBIG           ? ERR_FULL
                                                              : ERR_IO,
                  NULL, 0);
        return 1;
    }
    struct snmpc_value *values = snmpc_values(pdu, &n);
    snmpc_end(s, 0, values, n);
    free(values);
    return 1;
}

static int
snmpc_send(struct snmpc *s)
{
    bool probe = s->access.version == SNMPC_VERSION_3 && !s->known;
    netsnmp_pdu *pdu = snmp_pdu_create(s->repetitions && !probe ? SNMP_MSG_GETBULK : SNMP_MSG_GET);
    if (!pdu)
        return ERR_NOMEM;
    if (s->repetitions && !probe) {
        pdu->non_repeaters = 0;
        pdu->max_repetitions = s->repetitions;
    }
    if (probe) {
        pdu->version = SNMP_VERSION_3;
        pdu->securityName = strdup("");
        pdu->securityNameLen = 0;
        pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
        pdu->securityModel = SNMP_SEC_MODEL_USM;
    }
    for (size_t i = 0; i < (probe ? 0 : s->oid_count); i++) {
        oid name[SNMPC_OID_MAX];
        for (size_t k = 0; k < s->oids[i]->len; k++)
            name[k] = s->oids[i]->at[k];
        snmp_add_null_var(pdu, name, s->oids[i]->len);
    }
    if (!snmp_sess_async_send(s->handle, pdu, snmpc_called, s)) {
        snmp_free_pdu(pdu);
        return ERR_IO;
    }
    loop_timer_set(s->timer, SNMPC_TICK_MS, SNMPC_TICK_MS);
    return 0;
}

/* What a callback of the library may not do itself: close its session and open another. */
static void
snmpc_after(struct snmpc *s)
{
    if (!s->reopen)
        return;
    s->reopen = false;
    s->known = true;
    int rc = snmpc_connect(s);
    if (!rc &&
        s->waiting) /* it may have been given up: the engine came too late for its question */
        rc = snmpc_send(s);
    if (rc) {
        s->known = false;
        snmpc_end(s, rc, NULL, 0);
    }
}

static void
snmpc_readable(void *ctx, int events)
{
    struct snmpc *s = ctx;
    netsnmp_large_fd_set set;
    (void)events;
    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_SET(snmp_sess_transport(s->handle)->sock, &set);
    snmp_sess_read2(s->handle, &set);
    netsnmp_large_fd_set_cleanup(&set);
    snmpc_after(s);
}

static void
snmpc_tick(void *ctx)
{
    struct snmpc *s = ctx;
    if (s->handle)
        snmp_sess_timeout(s->handle);
    snmpc_after(s);
}

static char *
snmpc_text(const char *s)
{
    return s ? strdup(s) : NULL;
}

int
snmpc_open(struct loop *l, const struct snmpc_access *a, struct snmpc **ret, struct err *err)
{
    struct snmpc *s = calloc(1, sizeof *s);
    const oid *auth;
    size_t len;
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for an SNMP session");
    snmpc_init();
    s->loop = l;
    s->access =
        (struct snmpc_access){.version = a->version,
                              .timeout_ms = a->timeout_ms ? a->timeout_ms : 2000,
                              .community = snmpc_text(a->community ? a->community : "public"),
                              .user = snmpc_text(a->user ? a->user : ""),
                              .auth_protocol = snmpc_text(a->auth_protocol),
                              .auth_password = snmpc_text(a->auth_password),
                              .priv_protocol = snmpc_text(a->priv_protocol),
                              .priv_password = snmpc_text(a->priv_password)};
    size_t n = strlen(a->address) + 16;
    int rc = 0;
    if ((s->peer = malloc(n)))
        snprintf(s->peer, n, "%s:%s", *a->address == '[' ? "udp6" : "udp", a->address);
    if (a->auth_protocol && snmpc_auth(a->auth_protocol, &auth, &len))
        rc = err_set(err, ERR_SYNTAX,
                     "%s is no authentication protocol: md5 sha sha224 sha256 sha384 sha512",
                     a->auth_protocol);
    else if (!s->peer || !(s->timer = loop_timer_open(l, snmpc_tick, s)))
        rc = err_set(err, ERR_NOMEM, "no memory for an SNMP session");
    if (rc)
        snmpc_close(s);
    else
        *ret = s;
    return rc;
}

void
snmpc_close(struct snmpc *s)
{
    if (!s)
        return;
    s->waiting = false;
    s->cb = NULL;
    snmpc_shut(s);
    if (s->timer)
        loop_timer_close(s->timer);
    free((char *)(uintptr_t)s->access.community);
    free((char *)(uintptr_t)s->access.user);
    free((char *)(uintptr_t)s->access.auth_protocol);
    free((char *)(uintptr_t)s->access.auth_password);
    free((char *)(uintptr_t)s->access.priv_protocol);
    free((char *)(uintptr_t)s->access.priv_password);
    free(s->peer);
    free(s);
}

int
snmpc_ask(struct snmpc *s, const struct snmpc_oid *const *oids, size_t n, unsigned repetitions,
          snmpc_answer *cb, void *ctx)
{
    if (s->waiting)
        return ERR_STATE;
    if (n > SNMPC_ASK_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++)
        s->oids[i] = oids[i];
    s->oid_count = n;
    s->repetitions = repetitions;
    s->cb = cb;
    s->ctx = ctx;
    int rc = 0;
    if (!s->handle || (s->access.version == SNMPC_VERSION_3 && !s->known))
        rc = snmpc_connect(s);
    s->waiting = true;
    if (!rc)
        rc = snmpc_send(s);
    if (rc)
        s->waiting = false;
    return rc;
}

/* --- traps ---------------------------------------------------------------------------------------
 */

struct snmpc_listener {
    void *handle;
    struct loop_fd *fd;
    void (*cb)(void *ctx, const struct snmpc_trap *trap);
    void *ctx;
    unsigned port;
};

/* RFC 3584, 3.1: generic kinds are snmpTraps.N, specific ones enterprise.0.N. */
static void
snmpc_listener_kind_v1(const netsnmp_pdu *pdu, struct snmpc_oid *ret)
{
    if (pdu->trap_type != SNMP_TRAP_ENTERPRISESPECIFIC) {
        snmpc_oid_parse("1.3.6.1.6.3.1.1.5", ret);
        ret->at[ret->len++] = (uint32_t)pdu->trap_type + 1;
        return;
    }
    snmpc_oid(pdu->enterprise, pdu->enterprise_length, ret);
    if (ret->len <= SNMPC_OID_MAX - 2) {
        ret->at[ret->len++] = 0;
        ret->at[ret->len++] = (uint32_t)pdu->specific_type;
    }
}

static void
snmpc_listener_kind_v2(const struct snmpc_value *values, size_t n, struct snmpc_oid *ret)
{
    struct snmpc_oid trap;
    snmpc_oid_parse("1.3.6.1.6.3.1.1.4.1.0", &trap);
    ret->len = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i].kind == SNMPC_OID && !snmpc_oid_compare(&values[i].oid, &trap))
            *ret = values[i].object;
}

static void
snmpc_listener_source(const netsnmp_pdu *pdu, char *out, size_t size)
{
    const struct sockaddr *sa = pdu->transport_data; /* begins with the remote address */
    const struct sockaddr_in *v4 = pdu->transport_data;
    const struct sockaddr_in6 *v6 = pdu->transport_data;
    *out = 0;
    if (pdu->transport_data_length < (int)sizeof *v4)
        return;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
    else if (sa->sa_family == AF_INET6 && pdu->transport_data_length >= (int)sizeof *v6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
}

static void
snmpc_listener_confirm(struct snmpc_listener *l, netsnmp_pdu *pdu)
{
    netsnmp_pdu *reply = snmp_clone_pdu(pdu);
    if (!reply)
        return;
    reply->command = SNMP_MSG_RESPONSE;
    reply->errstat = 0;
    reply->errindex = 0;
    if (!snmp_sess_send(l->handle, reply))
        snmp_free_pdu(reply);
}

static int
snmpc_listener_called(int op, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *ctx)
{
    struct snmpc_listener *l = ctx;
    char source[64], agent[64] = "", community[64] = "", user[64] = "";
    struct snmpc_trap trap = {
        .source = source, .agent = agent, .community = community, .user = user};
    (void)id, (void)session;
    if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE ||
        (pdu->command != SNMP_MSG_TRAP && pdu->command != SNMP_MSG_TRAP2 &&
         pdu->command != SNMP_MSG_INFORM))
        return 1;
    struct snmpc_value *values = snmpc_values(pdu, &trap.count);
    trap.values = values;
    snmpc_listener_source(pdu, source, sizeof source);
    if (pdu->command == SNMP_MSG_TRAP) {
        snmpc_listener_kind_v1(pdu, &trap.kind);
        inet_ntop(AF_INET, pdu->agent_addr, agent, sizeof agent);
    } else {
        snmpc_listener_kind_v2(values, trap.count, &trap.kind);
    }
    snprintf(community, sizeof community, "%.*s", (int)pdu->community_len,
             pdu->community ? (const char *)pdu->community : "");
    snprintf(user, sizeof user, "%.*s", (int)pdu->securityNameLen,
             pdu->securityName ? pdu->securityName : "");
    if (pdu->version == SNMP_VERSION_3)
        *community = 0;
    l->cb(l->ctx, &trap);
    if (pdu->command == SNMP_MSG_INFORM)
        snmpc_listener_confirm(l, pdu);
    free(values);
    return 1;
}

static void
snmpc_listener_readable(void *ctx, int events)
{
    struct snmpc_listener *l = ctx;
    netsnmp_large_fd_set set;
    (void)events;
    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_SET(snmp_sess_transport(l->handle)->sock, &set);
    snmp_sess_read2(l->handle, &set);
    netsnmp_large_fd_set_cleanup(&set);
}

/* Users become known to the library's table by its own configuration line. */
static void
snmpc_listener_user(const struct snmpc_access *u)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%s%s %s", u->engine_id ? "-e 0x" : "",
                     u->engine_id ? u->engine_id : "", u->user);
    if (u->auth_password)
        n += snprintf(line + n, sizeof line - (size_t)n, " %s \"%s\"",
                      u->auth_protocol ? u->auth_protocol : "SHA", u->auth_password);
    if (u->auth_password && u->priv_password && n < (int)sizeof line)
        n += snprintf(line + n, sizeof line - (size_t)n, " %s \"%s\"",
                      u->priv_protocol ? u->priv_protocol : "AES", u->priv_password);
    if (n < (int)sizeof line)
        usm_parse_create_usmUser("createUser", line);
}

int
snmpc_listener_open(struct loop *loop, const struct snmpc_listener_conf *c,
                    void (*cb)(void *ctx, const struct snmpc_trap *trap), void *ctx,
                    struct snmpc_listener **ret, struct err *err)
{
    char name[128];
    netsnmp_session in;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;
    struct snmpc_listener *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "no memory for the trap listener");
    snmpc_init();
    *l = (struct snmpc_listener){.cb = cb, .ctx = ctx};
    snprintf(name, sizeof name, "%s:%s", *c->listen == '[' ? "udp6" : "udp", c->listen);
    netsnmp_transport *t = netsnmp_tdomain_transport(name, 1, "udp");
    if (!t) {
        free(l);
        return err_set_errno(err, "cannot listen for traps on %s", c->listen);
    }
    for (size_t i = 0; i < c->user_count; i++)
        snmpc_listener_user(&c->users[i]);
    snmp_sess_init(&in);
    in.peername = SNMP_DEFAULT_PEERNAME;
    in.version = SNMP_DEFAULT_VERSION;
    in.community_len = SNMP_DEFAULT_COMMUNITY_LEN;
    in.retries = SNMP_DEFAULT_RETRIES;
    in.timeout = SNMP_DEFAULT_TIMEOUT;
    in.callback = snmpc_listener_called;
    in.callback_magic = l;
    in.isAuthoritative = SNMP_SESS_UNKNOWNAUTH;
    l->handle = snmp_sess_add(&in, t, NULL, NULL);
    if (!l->handle || !(l->fd = loop_fd_open(loop, t->sock, snmpc_listener_readable, l))) {
        snmpc_listener_close(l);
        return err_set(err, ERR_NOMEM, "no memory for the trap listener");
    }
    loop_fd_set(l->fd, LOOP_READ);
    if (!getsockname(t->sock, (struct sockaddr *)&ss, &len))
        l->port = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                                 : ((struct sockaddr_in *)&ss)->sin_port);
    *ret = l;
    return 0;
}

unsigned
snmpc_listener_port(const struct snmpc_listener *l)
{
    return l->port;
}

void
snmpc_listener_close(struct snmpc_listener *l)
{
    if (!l)
        return;
    if (l->fd)
        loop_fd_close(l->fd);
    if (l->handle)
        snmp_sess_close(l->handle);
    free(l);
}
