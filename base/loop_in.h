/* loop_in: what the files of loop share. Floors above include base/loop.h only. */
#ifndef BASE_LOOP_IN_H
#define BASE_LOOP_IN_H

#include "base/loop.h"

#include <uv.h>

#define LOOP_READ_SIZE            65536
#define LOOP_WRITE_MAX            (1u << 20)
#define LOOP_LISTENER_CONNECTIONS 1024 /* when the handler names no number */

struct loop {
    uv_loop_t uv;
    uv_async_t stop;
    char scratch[LOOP_READ_SIZE]; /* reads are handed on at once, so one buffer serves all */
};

/* First member of everything that owns uv handles; each handle's data points to it. close may be
 * called more than once; the memory goes when the last handle has closed. */
struct loop_object {
    void (*close)(struct loop_object *o);
};

int loop_err(struct err *err, int uv_code, const char *what, const char *name);
/* "10.0.0.1", "fe80::1"; an IPv4 address in IPv6 clothes is written as IPv4. */
void loop_peer_text(const struct sockaddr *sa, char *out, size_t size);

#endif
