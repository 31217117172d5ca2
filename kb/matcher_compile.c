/* matcher_compile: texts into a Vectorscan database; apart, so that an agent links no loader. */
#include "kb/matcher_inside.h"

#include <hs/hs.h>
#include <stdlib.h>

int
kb_matcher_compile(const char *const *texts, size_t count, void **ret_db, int *ret_bad,
                   struct err *err)
{
    unsigned *flags = calloc(count + 1, sizeof *flags), *ids = calloc(count + 1, sizeof *ids);
    hs_compile_error_t *why = NULL;
    hs_database_t *db = NULL;
    int rc = flags && ids ? 0 : err_set(err, ERR_NOMEM, "out of memory while compiling patterns");
    *ret_bad = -1;
    for (size_t i = 0; !rc && i < count; i++) {
        flags[i] = HS_FLAG_PREFILTER | HS_FLAG_SINGLEMATCH;
        ids[i] = (unsigned)i;
    }
    /* Of no particular processor: the program runs on another one than it was built on. */
    hs_platform_info_t plain = {.tune = HS_TUNE_FAMILY_GENERIC};
    if (!rc && count &&
        hs_compile_multi(texts, flags, ids, (unsigned)count, HS_MODE_BLOCK, &plain, &db, &why) !=
            HS_SUCCESS) {
        *ret_bad = why ? why->expression : -1;
        rc = err_set(err, ERR_SYNTAX, "pattern: %s", why ? why->message : "cannot be compiled");
    }
    hs_free_compile_error(why);
    free(flags);
    free(ids);
    if (!rc)
        *ret_db = db;
    return rc;
}
