/* scrape_conf: one element of scrape_configs, in Prometheus' own format. */
#ifndef COLLECTOR_SCRAPE_CONF_H
#define COLLECTOR_SCRAPE_CONF_H

#include "base/conf.h"

#include <stdbool.h>

struct scrape_basic {
    char *username, *password, *password_file;
};
struct scrape_authorization {
    char *type, *credentials, *credentials_file;
};
struct scrape_tls {
    char *ca_file, *cert_file, *key_file, *server_name;
    bool insecure_skip_verify;
};
struct scrape_http { /* how to ask: of targets and of http_sd alike */
    struct scrape_basic basic;
    struct scrape_authorization authorization;
    char *bearer_token, *bearer_token_file;
    struct scrape_tls tls;
};
struct scrape_static {
    struct conf_strs targets;
    const struct doc_node *labels;
};
struct scrape_file_sd {
    struct conf_strs files;
    int64_t refresh_interval;
};
struct scrape_http_sd {
    char *url;
    int64_t refresh_interval;
    struct scrape_http http;
};
enum scrape_scheme { SCRAPE_HTTP, SCRAPE_HTTPS };

struct scrape_conf {
    const struct doc_node *idle; /* of the last key that changes nothing */
    char *job_name, *metrics_path;
    int scheme;
    const struct doc_node *params;
    bool honor_labels, honor_timestamps, follow_redirects, enable_compression;
    int64_t scrape_interval, scrape_timeout;
    int64_t body_size_limit, sample_limit, label_limit, label_name_length_limit,
        label_value_length_limit, target_limit;
    struct scrape_http http;
    struct conf_list static_configs, file_sd_configs, http_sd_configs;
    struct conf_list relabel_configs, metric_relabel_configs;
};
extern const struct conf_row scrape_conf_rows[];

#endif
