/* config: the option table of the appliance; sections of other floors are filled by the tables
 * those floors export. */
#include "programs/config.h"

#include "analyzer/alert.h"
#include "analyzer/alert_conf.h"
#include "base/str.h"
#include "collector/collector.h"
#include "store/store.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const config_auths[] = {"required", "none", NULL};
static const char *const config_engines[] = {"sqlite", "prometheus", NULL};
static const char *const config_reads[] = {"own", "all", NULL};
static const char *const config_clocks[] = {"wall", "data", NULL};

#define AT(member) offsetof(struct config, member)

static const struct conf_row config_tls_rows[] = {
    {"cert", CONF_PATH, AT(http.tls.cert) - AT(http.tls), NULL, 0, 0, NULL, NULL, 0, true,
     "Certificate chain, a PEM file."},
    {"key", CONF_PATH, AT(http.tls.key) - AT(http.tls), NULL, 0, 0, NULL, NULL, 0, true,
     "Private key, a PEM file."},
    {0}};

static const struct conf_row config_http_rows[] = {
    {"listen", CONF_STR, AT(http.listen) - AT(http), "127.0.0.1:8686", 0, 0, NULL, NULL, 0, false,
     "Address and port of the web interface and API; port 0 takes a free one."},
    {"auth", CONF_CHOICE, AT(http.auth) - AT(http), "required", 0, 0, config_auths, NULL, 0, false,
     "required, or none: everyone is admin, accepted on loopback only."},
    {"base_url", CONF_STR, AT(http.base_url) - AT(http), NULL, 0, 0, NULL, NULL, 0, false,
     "Address that people reach this server by, for links in pages and mails."},
    {"tls", CONF_MAP, AT(http.tls) - AT(http), NULL, 0, 0, NULL, config_tls_rows, 0, false,
     "Serve HTTPS with this certificate."},
    {"threads", CONF_INT, AT(http.threads) - AT(http), "16", 1, 256, NULL, NULL, 0, false,
     "Threads that answer requests."},
    {0}};

static const struct conf_row config_limit_rows[] = {
    {"source", CONF_STR, offsetof(struct store_limit, pattern), NULL, 0, 0, NULL, NULL, 0, true,
     "Name of the source, such as agent:node00001 or remote_write; * and ? are expanded."},
    {"max_series", CONF_INT, offsetof(struct store_limit, max_series), NULL, 0, 1e9, NULL, NULL, 0,
     true, "Live series it may have; 0: any number."},
    {0}};

static const struct conf_row config_store_rows[] = {
    {"engine", CONF_CHOICE, AT(store.engine) - AT(store), "sqlite", 0, 0, config_engines, NULL, 0,
     false,
     "Where series are kept: sqlite (embedded), or prometheus: an engine elsewhere that speaks "
     "remote_write and PromQL, such as VictoriaMetrics."},
    {"retention", CONF_DURATION, AT(store.retention) - AT(store), "30d", 3.6e6, 3.2e11, NULL, NULL,
     0, false, "How long samples, events and logs are kept."},
    {"retention_5m", CONF_DURATION, AT(store.retention_5m) - AT(store), "180d", 8.64e7, 3.2e12,
     NULL, NULL, 0, false,
     "How long buckets of 5 minutes are kept, from which long charts are drawn."},
    {"retention_1h", CONF_DURATION, AT(store.retention_1h) - AT(store), "1826d", 8.64e7, 3.2e12,
     NULL, NULL, 0, false, "The same for buckets of an hour."},
    {"max_size", CONF_SIZE, AT(store.max_size) - AT(store), "200GB", 1e8, 1e16, NULL, NULL, 0,
     false, "Size at which the oldest day is dropped, whatever the retention."},
    {"max_series", CONF_INT, AT(store.max_series) - AT(store), "10000000", 1000, 1e9, NULL, NULL, 0,
     false, "Live series at most; new ones beyond are refused and counted."},
    {"query_threads", CONF_INT, AT(store.query_threads) - AT(store), "0", 0, 64, NULL, NULL, 0,
     false, "Threads that one query may use; 0: as many as processors, at most 4."},
    {"max_series_source", CONF_INT, AT(store.max_series_source) - AT(store), "5000000", 1000, 1e9,
     NULL, NULL, 0, false,
     "Live series of one source at most; new ones beyond are refused, counted by label, and an "
     "event."},
    {"max_series_agent", CONF_INT, AT(store.max_series_agent) - AT(store), "50000", 100, 1e9, NULL,
     NULL, 0, false, "The same for a node's agent."},
    {"source_limits", CONF_LIST, AT(store.source_limits) - AT(store), NULL, 0, 0, NULL,
     config_limit_rows, sizeof(struct store_limit), false,
     "Other limits for some sources; the first that fits decides."},
    {"window", CONF_DURATION, AT(store.window) - AT(store), "1h", 0, 8.64e7, NULL, NULL, 0, false,
     "How far behind the newest sample a late one may be and still join the recent data."},
    {"write_url", CONF_STR, AT(store.write_url) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "With engine: prometheus, where samples are sent by remote_write: "
     "http://HOST:8428/api/v1/write."},
    {"query_url", CONF_STR, AT(store.query_url) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "Where the engine is asked: what stands before /api/v1/query."},
    {"external_labels", CONF_NODE, AT(store.external_labels) - AT(store), NULL, 0, 0, NULL, NULL, 0,
     false,
     "Labels that every series sent bears, by which several appliances share one engine: "
     "{appliance: pod-1}."},
    {"read", CONF_CHOICE, AT(store.read) - AT(store), "own", 0, 0, config_reads, NULL, 0, false,
     "own: ask the engine for what this appliance sent; all: ask it for everything, whoever sent "
     "it."},
    {"recent", CONF_DURATION, AT(store.recent) - AT(store), "6h", 3.6e6, 6.048e8, NULL, NULL, 0,
     false, "How long samples stay here as well when an engine holds them."},
    {"spool", CONF_SIZE, AT(store.spool) - AT(store), "50GB", 1e6, 1e15, NULL, NULL, 0, false,
     "What may wait on this disk while the engine is away; beyond, the oldest samples become a "
     "gap."},
    {"shards", CONF_INT, AT(store.shards) - AT(store), "4", 1, 64, NULL, NULL, 0, false,
     "Requests of samples to the engine at once; a series always takes the same of them."},
    {"timeout", CONF_DURATION, AT(store.timeout) - AT(store), "30s", 1000, 6e5, NULL, NULL, 0,
     false, "How long a request to the engine may take."},
    {"token_file", CONF_PATH, AT(store.token_file) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "File with a bearer token for the engine, read at each request."},
    {"user", CONF_STR, AT(store.user) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "User name for the engine."},
    {"password_file", CONF_PATH, AT(store.password_file) - AT(store), NULL, 0, 0, NULL, NULL, 0,
     false, "File with that user's password."},
    {"ca", CONF_PATH, AT(store.ca) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "Certificates that the engine's is checked against, a PEM file."},
    {"cert", CONF_PATH, AT(store.cert) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "Certificate to show to the engine, a PEM file."},
    {"key", CONF_PATH, AT(store.key) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "Private key of it, a PEM file."},
    {"headers", CONF_STRS, AT(store.headers) - AT(store), NULL, 0, 0, NULL, NULL, 0, false,
     "Headers of every request to the engine, such as 'X-Scope-OrgID: a'."},
    {0}};

static const struct conf_row config_kb_rows[] = {
    {"site", CONF_PATH, AT(kb.site) - AT(kb), NULL, 0, 0, NULL, NULL, 0, false,
     "Folder of the site's own entries, which override or extend the built-in ones by id."},
    {0}};

static const struct conf_row config_analysis_rows[] = {
    {"enabled", CONF_BOOL, AT(analysis.enabled) - AT(analysis), "true", 0, 0, NULL, NULL, 0, false,
     "Detect, diagnose and open incidents."},
    {"clock", CONF_CHOICE, AT(analysis.clock) - AT(analysis), "wall", 0, 0, config_clocks, NULL, 0,
     false, "wall, or data: time is that of the data, for replays."},
    {"settle", CONF_DURATION, AT(analysis.settle) - AT(analysis), "10s", 0, 6e5, NULL, NULL, 0,
     false, "How long symptoms without a telling root wait for a better explanation."},
    {0}};

static const struct conf_row config_rows[] = {
    {"state", CONF_PATH, AT(state), NULL, 0, 0, NULL, NULL, 0, false,
     "Folder of the databases, made 0700."},
    {"topology", CONF_PATH, AT(topology), NULL, 0, 0, NULL, NULL, 0, false,
     "Topology document loaded at start."},
    {"http", CONF_MAP, AT(http), NULL, 0, 0, NULL, config_http_rows, 0, false,
     "The web interface and API."},
    {"store", CONF_MAP, AT(store), NULL, 0, 0, NULL, config_store_rows, 0, false, "The store."},
    {"kb", CONF_MAP, AT(kb), NULL, 0, 0, NULL, config_kb_rows, 0, false, "The knowledge base."},
    {"rules", CONF_STRS, AT(rules), NULL, 0, 0, NULL, NULL, 0, false,
     "Rule files in Prometheus' format; * and ? are expanded."},
    {"analysis", CONF_MAP, AT(analysis), NULL, 0, 0, NULL, config_analysis_rows, 0, false,
     "The analyzer."},
    {"alerts", CONF_NODE, AT(alerts_node), NULL, 0, 0, NULL, NULL, 0, false,
     "Receivers and routes of pages."},
    {"metrics", CONF_NODE, AT(metrics_node), NULL, 0, 0, NULL, NULL, 0, false,
     "The site's own metric names: a sequence of {name, meaning, kind, scale, labels}."},
    {"scrape_configs", CONF_NODE, AT(nodes[0]), NULL, 0, 0, NULL, NULL, 0, false,
     "Exporters to scrape, in Prometheus' own format."},
    {"snmp", CONF_NODE, AT(nodes[1]), NULL, 0, 0, NULL, NULL, 0, false,
     "Switches to poll and the trap listener."},
    {"syslog", CONF_NODE, AT(nodes[2]), NULL, 0, 0, NULL, NULL, 0, false, "Syslog listeners."},
    {"slurm", CONF_NODE, AT(nodes[3]), NULL, 0, 0, NULL, NULL, 0, false,
     "The Slurm controller to poll."},
    {"redfish", CONF_NODE, AT(nodes[4]), NULL, 0, 0, NULL, NULL, 0, false,
     "Management controllers to poll by Redfish."},
    {"mirror", CONF_NODE, AT(nodes[5]), NULL, 0, 0, NULL, NULL, 0, false,
     "RoCE traffic that switches mirror here."},
    {"kubernetes", CONF_NODE, AT(nodes[6]), NULL, 0, 0, NULL, NULL, 0, false,
     "The Kubernetes cluster to follow."},
    {"power", CONF_NODE, AT(nodes[7]), NULL, 0, 0, NULL, NULL, 0, false,
     "Adds up what racks and jobs draw, from what nodes tell."},
    {0}};

/* The node slot of a section, by its key in config_rows. */
static const char *const config_section_keys[CONFIG_SECTIONS] = {
    "scrape_configs", "snmp", "syslog", "slurm", "redfish", "mirror", "kubernetes", "power"};

static size_t
config_slot(const char *key)
{
    size_t i = 0;
    while (i < CONFIG_SECTIONS && config_section_keys[i] && strcmp(config_section_keys[i], key))
        i++;
    return i;
}

/* --- sections of other floors ----------------------------------------------------------------- */

static int
config_fill(const struct conf_row *rows, size_t size, bool list, const char *key,
            const struct config *c, const struct doc_node *n, const char *folder, void **ret,
            struct err *err)
{
    struct conf_row outer[2] = {
        {.key = key, .type = CONF_LIST, .rows = rows, .size = size, .help = key}};
    struct doc_node map = {.kind = DOC_MAP, .count = 1};
    struct doc_node child;
    if (!n)
        return 0;
    void *out = calloc(1, list ? sizeof(struct conf_list) : size);
    if (!out)
        return err_set(err, ERR_NOMEM, "no memory for %s", key);
    child = *n;
    child.key = key;
    child.next = NULL;
    map.first = &child;
    int rc = list ? conf_fill(outer, c->doc, &map, folder, out, err)
                  : conf_fill(rows, c->doc, n, folder, out, err);
    if (rc)
        free(out);
    else
        *ret = out;
    return rc;
}

static int
config_metric(struct config *c, const struct doc_node *n, struct err *err)
{
    static const char *const known[] = {"name", "meaning", "kind", "scale", "labels", NULL};
    struct metric_row row = {
        .name = doc_get_str(n, "name", ""),
        .meaning = metric_meaning_find(doc_get_str(n, "meaning", "")),
        .kind = !strcmp(doc_get_str(n, "kind", "gauge"), "counter") ? METRIC_COUNTER : METRIC_GAUGE,
        .scale = doc_get_real(n, "scale", 1),
        .min = -1e300,
        .max = 1e300,
        .part_labels = doc_get_str(n, "labels", ""),
        .vendor = "any",
        .help = "from the site's configuration"};
    int rc = doc_only(c->doc, n, known, err);
    if (rc)
        return rc;
    if (!*row.name || row.meaning == METRIC_NONE)
        return doc_err(c->doc, n, err, ERR_SYNTAX, "a metric needs a name and a meaning such as %s",
                       metric_meaning_row(METRIC_GPU_UTIL)->word);
    rc = metric_table_add(c->metrics, &row, err);
    return rc ? err_at(err, doc_name(c->doc), n->line, n->column) : 0;
}

static int
config_owners(struct config *c, const char *folder, struct err *err)
{
    int rc = config_fill(alert_conf_rows, alert_conf_size, false, "alerts", c, c->alerts_node,
                         folder, &c->alerts, err);
    struct collector_section s;
    for (size_t i = 0; !rc && collector_section(i, &s); i++) {
        size_t at = config_slot(s.key);
        if (at < CONFIG_SECTIONS)
            rc = config_fill(s.rows, s.size, s.list, s.key, c, c->nodes[at], folder,
                             &c->sections[at], err);
    }
    for (const struct doc_node *n = c->metrics_node ? c->metrics_node->first : NULL; !rc && n;
         n = n->next)
        rc = config_metric(c, n, err);
    return rc;
}

const void *
config_section(const struct config *c, const char *key)
{
    size_t i = config_slot(key);
    return i < CONFIG_SECTIONS ? c->sections[i] : NULL;
}

/* --- the file --------------------------------------------------------------------------------- */

static int
config_state(struct config *c, struct err *err)
{
    struct stat st;
    const char *dir = getenv("STATE_DIRECTORY");
    if (c->state)
        return 0;
    if (!dir || !*dir)
        dir = !stat("/var/lib/myriascope", &st) && S_ISDIR(st.st_mode) ? "/var/lib/myriascope"
                                                                       : "./state";
    c->state = strdup(dir);
    return c->state ? 0 : err_set(err, ERR_NOMEM, "no memory");
}

static void
config_folder(const char *path, char *out, size_t size)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash)
        str_copy(out, size, ".");
    else
        snprintf(out, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int
config_sane(struct config *c, struct err *err)
{
    char host[64];
    int rc = config_engine(c, err);
    if (rc)
        return rc;
    rc = c->alerts ? alert_conf_check(c->alerts, err) : 0;
    if (rc)
        return rc;
    if (c->http.auth == CONFIG_AUTH_NONE) {
        const char *colon = strrchr(c->http.listen, ':');
        snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - c->http.listen) : 0,
                 c->http.listen);
        if (strncmp(host, "127.", 4) && strcmp(host, "[::1]") && strcmp(host, "localhost"))
            return err_set(err, ERR_DENIED,
                           "http.auth: none is accepted on loopback only, and http.listen is %s",
                           c->http.listen);
    }
    return 0;
}

int
config_load(const char *path, struct config **ret, struct err *err)
{
    struct config *c = calloc(1, sizeof *c);
    char folder[4096];
    if (!c || !(c->metrics = metric_table_new())) {
        free(c);
        return err_set(err, ERR_NOMEM, "no memory for the configuration");
    }
    config_folder(path, folder, sizeof folder);
    int rc = path ? doc_load_yaml(path, &c->doc, err) : 0;
    if (!rc && path && !(c->path = strdup(path)))
        rc = err_set(err, ERR_NOMEM, "no memory");
    if (!rc)
        rc = conf_fill(config_rows, c->doc, c->doc ? doc_root(c->doc) : NULL, folder, c, err);
    if (!rc)
        rc = config_owners(c, folder, err);
    if (!rc)
        rc = config_state(c, err);
    if (!rc && (rc = config_sane(c, err)) && path)
        err_at(err, path, 0, 0);
    if (rc)
        config_free(c);
    else
        *ret = c;
    return rc;
}

void
config_free(struct config *c)
{
    if (!c)
        return;
    struct collector_section s;
    for (size_t i = 0; collector_section(i, &s); i++) {
        struct conf_row outer[2] = {
            {.key = s.key, .type = CONF_LIST, .rows = s.rows, .size = s.size, .help = s.key}};
        void *at = config_slot(s.key) < CONFIG_SECTIONS ? c->sections[config_slot(s.key)] : NULL;
        if (at)
            conf_done(s.list ? outer : s.rows, at);
        free(at);
    }
    if (c->alerts) {
        conf_done(alert_conf_rows, c->alerts);
        free(c->alerts);
    }
    metric_table_free(c->metrics);
    struct doc *d = c->doc;
    free(c->path);
    conf_done(config_rows, c);
    doc_free(d);
    free(c);
}

int
config_describe(struct buf *out)
{
    int rc = conf_describe(config_rows, "", out);
    if (!rc)
        rc = conf_describe(alert_conf_rows, "alerts", out);
    struct collector_section s;
    for (size_t i = 0; !rc && collector_section(i, &s); i++)
        rc = conf_describe(s.rows, s.key, out);
    return rc;
}
