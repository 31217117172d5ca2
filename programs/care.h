/* care: routes that take care of the store: verify, compact, back up, delete. */
#ifndef PROGRAMS_CARE_H
#define PROGRAMS_CARE_H

#include "base/httpd.h"
#include "store/store.h"

#include <stdatomic.h>

struct care {
    struct store *store;
    atomic_uint_fast64_t done, total; /* of what is under way; 0: nothing */
};
const struct route *care_routes(size_t *ret_count); /* ctx is a struct care */

#endif
