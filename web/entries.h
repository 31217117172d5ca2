/* entries: the knowledge base as the web sees it: that of the start, or with the site entries saved
 * since. */
#ifndef WEB_ENTRIES_H
#define WEB_ENTRIES_H

#include "base/err.h"

struct web;
struct kb;
struct entries;
int entries_new(struct web *w, struct entries **ret, struct err *err);
void entries_free(struct entries *e);
/* Borrowed until entries_put; others may read at the same time. */
const struct kb *entries_get(struct entries *e);
void entries_put(struct entries *e);
/* Reads the site's folder again; on an error the former knowledge base stays. */
int entries_reload(struct entries *e, struct err *err);

#endif
