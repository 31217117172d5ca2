/* tls: the server's side of TLS 1.2 and 1.3 over a connection of the loop: what came in goes in,
 * plain bytes come out. Never blocks. Not thread-safe; a server outlives its connections. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/err.h"

#include <stddef.h>

struct tls_server;
/* PEM files. ca not NULL: a client must show a certificate that this authority signed. */
int tls_server_open(const char *cert, const char *key, const char *ca, struct tls_server **ret,
                    struct err *err);
void tls_server_close(struct tls_server *s);

struct tls_conn;
/* send: takes all bytes or returns a negative code. */
int tls_conn_open(struct tls_server *s, int (*send)(void *ctx, const void *data, size_t len),
                  void *ctx, struct tls_conn **ret);
void tls_conn_close(struct tls_conn *c);
/* 0: more may come; ERR_CLOSED: the other side said that it ended; ERR_DENIED: no handshake came
 * about, or what came is no TLS. Then nothing more may be fed. */
int tls_conn_feed(struct tls_conn *c, const char *data, size_t len,
                  void (*plain)(void *ctx, const char *data, size_t len), void *ctx);

#endif
