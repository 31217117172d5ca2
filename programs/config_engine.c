/* config_engine: store.* of an engine elsewhere, as the store takes it. */
#include "programs/config.h"

#include <string.h>

static int
config_engine_labels(const struct config *c, struct labels *out, struct err *err)
{
    const struct doc_node *n = c->store.external_labels;
    if (n && n->kind != DOC_MAP)
        return doc_err(c->doc, n, err, ERR_SYNTAX,
                       "store.external_labels is a mapping such as {appliance: pod-1}");
    for (const struct doc_node *l = n ? n->first : NULL; l; l = l->next) {
        if (!l->str || !*l->str)
            return doc_err(c->doc, l, err, ERR_SYNTAX, "the label %s needs a value", l->key);
        if (labels_add_str(out, l->key, l->str))
            return doc_err(c->doc, l, err, ERR_LIMIT, "these are too many labels");
    }
    return labels_finish(out) ? doc_err(c->doc, n, err, ERR_SYNTAX,
                                        "store.external_labels: a name or value is "
                                        "ill-formed or too long")
                              : 0;
}

int
config_engine(struct config *c, struct err *err)
{
    struct remote_config *r = &c->engine;
    *r = (struct remote_config){.write_url = c->store.write_url,
                                .query_url = c->store.query_url,
                                .read_all = c->store.read == CONFIG_READ_ALL,
                                .recent_ms = c->store.recent,
                                .spool_bytes = c->store.spool,
                                .shards = (unsigned)c->store.shards,
                                .timeout_ms = c->store.timeout,
                                .token_file = c->store.token_file,
                                .user = c->store.user,
                                .password_file = c->store.password_file,
                                .ca = c->store.ca,
                                .cert = c->store.cert,
                                .key = c->store.key};
    size_t max = sizeof c->engine_headers / sizeof *c->engine_headers - 1;
    if (c->store.headers.count > max)
        return err_set(err, ERR_LIMIT, "store.headers: at most %zu", max);
    for (size_t i = 0; i < c->store.headers.count; i++)
        c->engine_headers[i] = c->store.headers.at[i];
    r->headers = c->engine_headers;
    if (c->store.engine == CONFIG_ENGINE_SQLITE) {
        if (c->store.write_url || c->store.query_url)
            return err_set(err, ERR_SYNTAX,
                           "store.write_url and store.query_url need store.engine: prometheus");
        return 0;
    }
    int rc = config_engine_labels(c, &r->external, err);
    return rc ? rc : remote_config_check(r, err);
}
