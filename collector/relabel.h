/* relabel: Prometheus' relabel_configs and metric_relabel_configs.
 *
 * Actions: replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep,
 * lowercase, uppercase. Regular expressions are anchored. hashmod spreads by XXH3, not MD5: shards
 * are even, but not those that a Prometheus would choose. Source: Prometheus, "Configuration",
 * relabel_config. Rules are read-only once compiled. */
#ifndef COLLECTOR_RELABEL_H
#define COLLECTOR_RELABEL_H

#include "base/conf.h"
#include "base/map.h"
#include "base/sample.h"

struct relabel_conf { /* one element of the list, as the configuration has it */
    struct conf_strs source_labels;
    char *separator, *regex, *target_label, *replacement;
    int64_t modulus;
    int action;
};
extern const struct conf_row relabel_rows[];

struct relabel;
/* conf (a list of struct relabel_conf) is borrowed until relabel_free. An empty list gives NULL. */
int relabel_new(const struct conf_list *conf, struct relabel **ret, struct err *err);
void relabel_free(struct relabel *r);
/* Changes l (need not be finished, is not afterwards); new texts come from a. false: dropped. r
 * NULL: nothing to do. */
bool relabel_apply(const struct relabel *r, struct labels *l, struct arena *a);
/* Sets, replaces, or with an empty value removes one label. 0 or ERR_LIMIT. */
int relabel_set(struct labels *l, const char *name, size_t name_len, const char *value, size_t len);

#endif
