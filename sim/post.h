/* post: requests on their way to the server: a bounded queue and one thread with one kept
 * connection.
 *
 * Requests go out in order. 429, 503 and a server that is away are retried with growing waits;
 * other refusals are counted and dropped. A full queue drops its oldest request (counted), or makes
 * the caller wait, as asked. */
#ifndef SIM_POST_H
#define SIM_POST_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct post_config {
    const char *server, *token; /* token may be NULL */
    unsigned queue_max;         /* requests */
    bool wait;                  /* a full queue makes post_send wait: replays */
};
struct post_counts {
    uint64_t sent, failed, dropped, retries, bytes;
    unsigned queued;
    char last_error[160];
};

struct post;
struct post *post_new(const struct post_config *cfg);
/* Ends the thread after at most wait_ms spent on what is queued. */
void post_free(struct post *p, int64_t wait_ms);
/* Takes body's memory (body is empty afterwards). method and path are copied; content_type and
 * encoding (may be NULL) are constant strings. */
int post_send(struct post *p, const char *method, const char *path, const char *content_type,
              const char *encoding, struct buf *body);
/* One request now, on the caller's thread; the status, or negative. err gets the sentence. */
struct err;
int post_once(const struct post_config *cfg, const char *method, const char *path,
              const char *content_type, const void *body, size_t len, struct err *err);
void post_counts(struct post *p, struct post_counts *ret);
/* Waits until all is sent or wait_ms is over: true when all is. */
bool post_drain(struct post *p, int64_t wait_ms);

#endif
