/* config: the appliance's configuration file as one struct, checked whole before any of it takes
 * effect. */
#ifndef PROGRAMS_CONFIG_H
#define PROGRAMS_CONFIG_H

#include "base/conf.h"
#include "base/doc.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/remote.h"

#include <stdbool.h>

#define CONFIG_SECTIONS 16 /* of the collector */

struct config {
    char *state, *topology;
    struct {
        char *listen, *base_url;
        int auth;
        struct {
            char *cert, *key;
        } tls;
        int64_t threads;
    } http;
    struct {
        int engine;
        int64_t retention, retention_5m, retention_1h, max_size, max_series, max_series_source,
            max_series_agent, window, query_threads;
        struct conf_list source_limits; /* of struct store_limit */
        char *write_url, *query_url;    /* of an engine elsewhere, as all below */
        int read;
        int64_t recent, spool, shards, timeout;
        const struct doc_node *external_labels;
        char *token_file, *user, *password_file, *ca, *cert, *key;
        struct conf_strs headers;
    } store;
    struct {
        char *site;
    } kb;
    struct conf_strs rules;
    struct {
        bool enabled;
        int clock;
        int64_t settle;
    } analysis;
    const struct doc_node *alerts_node, *metrics_node, *nodes[CONFIG_SECTIONS];
    /* filled from the nodes by the owners' tables */
    void *alerts, *sections[CONFIG_SECTIONS];
    struct metric_table *metrics;
    struct remote_config engine; /* borrows from the rest */
    const char *engine_headers[8];
    struct doc *doc; /* holds the nodes */
    char *path;
};
enum config_auth { CONFIG_AUTH_REQUIRED, CONFIG_AUTH_NONE };
enum config_engine { CONFIG_ENGINE_SQLITE, CONFIG_ENGINE_PROMETHEUS };
enum config_read { CONFIG_READ_OWN, CONFIG_READ_ALL };
enum config_clock { CONFIG_CLOCK_WALL, CONFIG_CLOCK_DATA };

/* path NULL: defaults. The state folder is resolved ($STATE_DIRECTORY, ./state,
 * /var/lib/myriascope). */
int config_load(const char *path, struct config **ret, struct err *err);
void config_free(struct config *c);
int config_engine(struct config *c, struct err *err); /* fills engine; config_load calls it */
/* One of the collector's sections by key; NULL when absent. */
const void *config_section(const struct config *c, const char *key);
/* All options with type, default and help, as a manual page's list. */
int config_describe(struct buf *out);

#endif
