/* scrub: reads all files slowly in the background and tells what is damaged. Insiders only. */
#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

#include "store/store.h"

struct scrubber;
int scrub_new(struct store *s, struct scrubber **ret);
int scrub_start(struct scrubber *sc, struct err *err); /* begins the thread */
void scrub_free(struct scrubber *sc);                  /* ends it; NULL: nothing */
/* One whole pass now, without pauses. Returns the number of damaged pages. */
int scrub_pass(struct scrubber *sc, struct err *err);
/* Counters as exposition text. */
void scrub_metrics(struct scrubber *sc, struct buf *out);

#endif
