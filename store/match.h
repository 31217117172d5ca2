/* match: which series bear what matchers ask for. Insiders only. */
#ifndef STORE_MATCH_H
#define STORE_MATCH_H

#include "store/series.h"
#include "store/store.h"

struct match; /* compiled matchers, and what they decided of each label value so far */
/* tenant NULL or "": all. */
int match_new(const struct matcher *m, size_t n, const char *tenant, struct match **ret,
              struct err *err);
void match_free(struct match *m);
/* Ids of the series that match, at most max (else ERR_LIMIT); malloc'ed. Under the read lock. */
int match_series(struct match *m, const struct index *ix, size_t max, uint32_t **ret_ids,
                 size_t *ret_count, struct err *err);

#endif
