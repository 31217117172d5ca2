/* text: words of log lines and events as the full-text index sees them, in both languages. Insiders
 * only.
 *
 * A word is a run of letters and digits, in lower case. A run of Chinese, Japanese or Korean
 * characters becomes its pairs, and its last character alone: so that a pair finds itself and one
 * character is found as a beginning. */
#ifndef STORE_TEXT_H
#define STORE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>

/* The words of s with a space between: what the index is fed. */
int text_words(const char *s, struct buf *out);

/* A question: words all of which occur, "quoted phrases", and word* for beginnings. */
struct text_query;
int text_query_new(const char *question,
                   struct text_query **ret); /* ERR_SYNTAX when it holds no word */
void text_query_free(struct text_query *q);
const char *text_query_fts(const struct text_query *q); /* for MATCH */
bool text_query_match(const struct text_query *q,
                      const char *s); /* the same decision without an index */

#endif
