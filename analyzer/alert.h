/* alert: incidents to people: routing, grouping, silences, escalation, a transactional outbox,
 * delivery with retry.
 *
 * An incident's change and the outbox rows it causes are one catalog transaction; a delivery is at
 * least once with Idempotency-Key incident:revision:receiver, and never lost. One thread delivers.
 */
#ifndef ANALYZER_ALERT_H
#define ANALYZER_ALERT_H

#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"
#include "store/catalog.h"
#include "store/store.h"

struct alert;
extern const struct conf_row alert_conf_rows[]; /* the `alerts:` section */
struct alert_conf; /* filled by conf_fill with alert_conf_rows; size in alert_conf_size */
extern const size_t alert_conf_size;

struct alert_config {
    struct store *store;
    const void *conf; /* an alert_conf, kept by reference; NULL: no receivers */
    const struct clock *clock;
    const struct log *log;
    const char *base_url;
    void (*publish)(void *ctx, const char *event, const char *json, const char *tenant);
    void *publish_ctx;
};
int alert_new(const struct alert_config *cfg, struct alert **ret, struct err *err);
int alert_start(struct alert *a, struct err *err);
void alert_stop(struct alert *a);
void alert_free(struct alert *a);
int alert_reconfigure(struct alert *a, const void *conf, struct err *err);
/* Called by incident code with the incident's new JSON: adds the outbox rows this revision causes
 * to `changes` (room for `size`); returns how many. Silenced, info-severity and
 * verdict-user/unknown incidents cause none. Texts live in `arena`. */
struct arena;
size_t alert_outbox_rows(struct alert *a, const char *incident_json, size_t len, uint64_t revision,
                         int64_t now_ms, struct arena *arena, struct catalog_change *changes,
                         size_t size);
/* Tells the deliverer that rows were added. */
void alert_wake(struct alert *a);
/* Sends a test notification to one receiver now; blocks. */
int alert_test(struct alert *a, const char *receiver, struct err *err);
void alert_receivers_json(struct alert *a, struct buf *out);
/* The circuit breaker of the receiver that has used most of its limit (analyzer/isolate.h). */
void alert_breaker_json(struct alert *a, int64_t now_ms, struct buf *out);
void alert_metrics(struct alert *a, struct buf *out);

#endif
