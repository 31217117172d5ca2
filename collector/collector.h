/* collector: every source that brings samples, events and logs into the store; and the routes that
 * sources post to.
 *
 * One loop thread for datagrams, connections, polls and scrapes; HTTP routes run on the server's
 * threads. */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/store.h"

#define COLLECTOR_SECTIONS_MAX 16

struct collector;
struct collector_config {
    struct store *store;
    const struct metric_table *metrics;
    const struct log *log;
    /* Sections of the configuration, in collector_section's order, filled by conf_fill with its
     * rows; NULL: off. */
    const void *sections[COLLECTOR_SECTIONS_MAX];
    const char *folder;    /* relative file paths of service discovery start here */
    uint64_t matcher_hash; /* told to agents; with matcher bytes below for them to fetch */
    const void *matcher;
    size_t matcher_len;
};
/* Option tables of the sections and sizes of their structs. */
struct collector_section {
    const char *key;
    const struct conf_row *rows;
    size_t size;
    bool list;
};
bool collector_section(
    size_t i,
    struct collector_section *ret); /* scrape_configs, snmp, syslog, ...; false at the end */

int collector_new(const struct collector_config *cfg, struct collector **ret, struct err *err);
int collector_start(struct collector *c, struct err *err); /* opens listeners, starts the thread */
void collector_stop(struct collector *c);
void collector_free(struct collector *c);
bool collector_ready(const struct collector *c); /* every configured listener is open */
int collector_reconfigure(struct collector *c, const struct collector_config *cfg, struct err *err);
const struct route *collector_routes(size_t *ret_count); /* ctx is the struct collector */
void collector_metrics(struct collector *c, struct buf *out);
/* Bound ports, for tests: "syslog-udp", "syslog-tcp", "syslog-tls", "trap"; 0 when off. */
unsigned collector_port(const struct collector *c, const char *what);
/* State of each source (name, kind, last success, errors) as JSON array. */
void collector_sources_json(struct collector *c, struct buf *out);

#endif
