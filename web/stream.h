/* stream: live events to browsers: at most ten a second, more are merged to the latest of each
 * object. */
#ifndef WEB_STREAM_H
#define WEB_STREAM_H

#include "base/err.h"

struct web;
struct stream;
int stream_new(struct web *w, struct stream **ret, struct err *err);
void stream_free(struct stream *s);
/* Takes an event for every browser that may see the tenant's. Any thread; never blocks on a
 * browser. */
void stream_take(struct stream *s, const char *event, const char *json, const char *tenant);

#endif
