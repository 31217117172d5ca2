/* verify: which files are the store's. Insiders only; callers see store_verify in store/store.h. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <stdbool.h>

bool verify_wanted(const char *name); /* a database of the store, by its name in the folder */

#endif
