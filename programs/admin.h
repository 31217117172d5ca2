/* admin: routes that concern the process as a whole: reload, and care of the store. */
#ifndef PROGRAMS_ADMIN_H
#define PROGRAMS_ADMIN_H

#include "base/httpd.h"
#include "store/store.h"

struct admin {
    struct store *store;
    int (*reload)(void *ctx, struct err *err);
    void *ctx;
};
const struct route *admin_routes(size_t *ret_count);   /* ctx is a struct admin */

#endif
