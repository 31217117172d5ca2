/* presence: when telemetry of an entity was last seen. Missing telemetry is neither healthy nor
 * broken, and what could not have been seen must not count as absent. Written by the absence
 * detector, read by the reasoner. One thread. */
#ifndef ANALYZER_PRESENCE_H
#define ANALYZER_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_FRESH_MS 60000

struct presence;
struct presence *presence_new(void);
void presence_free(struct presence *p);
void presence_seen(struct presence *p, const char *entity, int64_t t_ms);
int64_t presence_last(const struct presence *p, const char *entity); /* 0: never */
bool presence_fresh(const struct presence *p, const char *entity, int64_t now_ms);

#endif
