/* tasks: what agents are asked to do next, and what came of it: light tests of an active check.
 *
 * In memory: a check lives a minute, and a restart of the server ends it. A task is {id, test,
 * busy, peer, address, port, peer_port, key, peer_key, seconds}: it goes out once, with the answer
 * to its node's next batch; its result comes as a record of a later one. At most 65,536 tasks wait
 * or are remembered, each 1 KiB; all of a run are forgotten ten minutes after it began.
 * Thread-safe. */
#ifndef STORE_TASKS_H
#define STORE_TASKS_H

#include "base/jsonw.h"
#include "store/store.h"

#define TASKS_MAX      65536
#define TASKS_TEXT_MAX 1024

struct tasks;
struct tasks *tasks_new(void); /* the store's own */
void tasks_free(struct tasks *t);

/* json: the task's object; it has "id", unique in the run. ERR_LIMIT: too many. */
int tasks_add(struct store *s, const char *run, const char *node, const char *id, const char *json);
/* The tasks that wait for a node, as elements of an array that is open; peer: the address that it
 * calls from, remembered for its pair. */
void tasks_take(struct store *s, const char *node, const char *peer, struct jsonw *w);
/* The address a node last called from; "" unknown. */
void tasks_peer(struct store *s, const char *node, char *out, size_t size);
/* A result: {run, id, ...}. Of a run nobody knows it is dropped. */
void tasks_result(struct store *s, const char *node, const char *json, size_t len);
/* Each task of a run; result "" where there is none yet. Returns how many have none. */
size_t tasks_each(struct store *s, const char *run,
                  void (*cb)(void *ctx, const char *node, const char *task, const char *result),
                  void *ctx);

#endif
