/* server: the appliance put together: store, knowledge base, collector, analyzer, alerts, web, one
 * HTTP server. */
#ifndef PROGRAMS_SERVER_H
#define PROGRAMS_SERVER_H

#include "base/err.h"
#include "base/log.h"
#include "programs/config.h"

struct server;
/* Takes the configuration. listen_fd: a socket handed over by the service manager, -1: none. */
int server_new(struct config *c, const struct log *log, int listen_fd, struct server **ret,
               struct err *err);
int server_start(struct server *s, struct err *err);
void server_stop(struct server *s);
void server_free(struct server *s);
unsigned server_port(const struct server *s);
/* Applies the changed file as a whole or not at all. */
int server_reload(struct server *s, struct err *err);

#endif
