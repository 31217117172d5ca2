/* tls: GnuTLS with its transport turned round: it pulls from the bytes that are fed. */
#include "base/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TLS_PIECE 16384u /* a record's most plain bytes, RFC 8446, 5.1 */

struct tls_server {
    gnutls_certificate_credentials_t cred;
    gnutls_priority_t priority;
    bool clients; /* must show a certificate */
};

struct tls_conn {
    gnutls_session_t session;
    int (*send)(void *ctx, const void *data, size_t len);
    void *ctx;
    const char *in;
    size_t in_len;
    bool shaken;
};

int
tls_server_open(const char *cert, const char *key, const char *ca, struct tls_server **ret,
                struct err *err)
{
    struct tls_server *s = calloc(1, sizeof *s);
    if (!s || gnutls_certificate_allocate_credentials(&s->cred)) {
        free(s);
        return err_set(err, ERR_NOMEM, "no memory for TLS");
    }
    int rc = gnutls_certificate_set_x509_key_file(s->cred, cert, key, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        rc = err_set(err, ERR_SYNTAX, "%s, %s: %s", cert, key, gnutls_strerror(rc));
    else if (ca && gnutls_certificate_set_x509_trust_file(s->cred, ca, GNUTLS_X509_FMT_PEM) <= 0)
        rc = err_set(err, ERR_SYNTAX, "%s: no certificate in it", ca);
    else if (gnutls_priority_init(&s->priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL))
        rc = err_set(err, ERR_NOMEM, "no memory for TLS");
    if (rc < 0) {
        tls_server_close(s);
        return rc;
    }
    s->clients = ca != NULL;
    *ret = s;
    return 0;
}

void
tls_server_close(struct tls_server *s)
{
    if (!s)
        return;
    if (s->priority)
        gnutls_priority_deinit(s->priority);
    gnutls_certificate_free_credentials(s->cred);
    free(s);
}

static ssize_t
tls_conn_pull(gnutls_transport_ptr_t ptr, void *to, size_t size)
{
    struct tls_conn *c = ptr;
    size_t n = size < c->in_len ? size : c->in_len;
    if (!n) {
        gnutls_transport_set_errno(c->session, EAGAIN);
        return -1;
    }
    memcpy(to, c->in, n);
    c->in += n;
    c->in_len -= n;
    return (ssize_t)n;
}

static ssize_t
tls_conn_push(gnutls_transport_ptr_t ptr, const void *data, size_t size)
{
    struct tls_conn *c = ptr;
    if (!c->send(c->ctx, data, size))
        return (ssize_t)size;
    gnutls_transport_set_errno(c->session, EIO);
    return -1;
}

int
tls_conn_open(struct tls_server *s, int (*send)(void *ctx, const void *data, size_t len), void *ctx,
              struct tls_conn **ret)
{
    struct tls_conn *c = calloc(1, sizeof *c);
    if (!c || gnutls_init(&c->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL)) {
        free(c);
        return ERR_NOMEM;
    }
    c->send = send;
    c->ctx = ctx;
    gnutls_priority_set(c->session, s->priority);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, s->cred);
    if (s->clients) {
        gnutls_certificate_server_set_request(c->session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(c->session, NULL, 0);
    }
    gnutls_transport_set_ptr(c->session, c);
    gnutls_transport_set_pull_function(c->session, tls_conn_pull);
    gnutls_transport_set_push_function(c->session, tls_conn_push);
    *ret = c;
    return 0;
}

void
tls_conn_close(struct tls_conn *c)
{
    if (!c)
        return;
    gnutls_deinit(c->session);
    free(c);
}

int
tls_conn_feed(struct tls_conn *c, const char *data, size_t len,
              void (*plain)(void *ctx, const char *data, size_t len), void *ctx)
{
    char out[TLS_PIECE];
    c->in = data;
    c->in_len = len;
    while (!c->shaken) {
        int rc = gnutls_handshake(c->session);
        c->shaken = rc == GNUTLS_E_SUCCESS;
        if (rc == GNUTLS_E_AGAIN)
            return 0;
        if (rc < 0 && gnutls_error_is_fatal(rc)) {
            gnutls_alert_send_appropriate(c->session, rc);
            return ERR_DENIED;
        }
    }
    for (;;) {
        ssize_t n = gnutls_record_recv(c->session, out, sizeof out);
        if (n > 0)
            plain(ctx, out, (size_t)n);
        else if (n == GNUTLS_E_AGAIN)
            return 0;
        else if (!n || n == GNUTLS_E_PREMATURE_TERMINATION)
            return ERR_CLOSED;
        else if (gnutls_error_is_fatal((int)n))
            return ERR_DENIED;
    }
}
