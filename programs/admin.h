/* admin: routes that take care of the store: verify, compact, back up. */
#ifndef PROGRAMS_ADMIN_H
#define PROGRAMS_ADMIN_H

#include "base/httpd.h"
#include "store/store.h"

struct admin {
    struct store *store;
};
const struct route *admin_routes(size_t *ret_count);   /* ctx is a struct admin */

#endif
