/* limit: how many live series each source may have, and which label exploded when it wants more.
 * Insiders only.
 *
 * A series belongs to the first source that brought it since the start. It stops counting when no
 * sample came for LIMIT_IDLE_MS, or when the registry forgets it. What is known is never refused:
 * a limit turns away new series alone. */
#ifndef STORE_LIMIT_H
#define STORE_LIMIT_H

#include "base/buf.h"
#include "base/event.h"
#include "store/store.h"

#define LIMIT_IDLE_MS ((int64_t)24 * 3600000)

struct limits;
struct limit_source;
/* Copies the rules. NULL: no memory. */
struct limits *limit_new(const struct store_config *cfg);
void limit_free(struct limits *l);

/* --- on the writer's thread ------------------------------------------------------------------- */

/* Finds or makes; NULL for "" and when there are too many sources: then nothing is limited. */
struct limit_source *limit_source(struct limits *l, const char *name);
/* The series counts as the source's unless another one has it. Cheap: one look at two bytes. */
void limit_seen(struct limits *l, struct limit_source *src, uint64_t id);
/* May the source bring one more? What is tracked of its labels is kept either way. */
bool limit_allows(struct limits *l, struct limit_source *src, const void *labels, size_t len);
void limit_forget(struct limits *l, uint64_t id);
/* Of the series [from, to) those without a sample since before_ms stop counting. */
struct index;
void limit_sweep(struct limits *l, const struct index *ix, uint64_t from, uint64_t to,
                 int64_t before_ms);
/* An event is due: the source was refused series and nothing was said of it for a while. Strings
 * live until the next call. */
bool limit_event(struct limits *l, struct limit_source *src, int64_t now_ms, struct event *ret);

/* --- anywhere --------------------------------------------------------------------------------- */

/* Counters as exposition text: series of the largest sources, refusals by source and label. */
void limit_metrics(struct limits *l, struct buf *out);

#endif
