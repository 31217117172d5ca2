/* care: routes that take care of the store: verify, compact, back up. */
#ifndef PROGRAMS_CARE_H
#define PROGRAMS_CARE_H

#include "base/httpd.h"
#include "store/store.h"

struct care {
    struct store *store;
};
const struct route *care_routes(size_t *ret_count); /* ctx is a struct care */

#endif
