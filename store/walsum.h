/* walsum: is a write-ahead log that a process left behind whole? SQLite reads it up to the first
 * frame whose checksum is wrong and forgets the rest without a word. Insiders only. */
#ifndef STORE_WALSUM_H
#define STORE_WALSUM_H

#include <stdint.h>

/* Of the database at path. 0: whole, or there is none; else the first frame, from 1, that is
 * broken although it is of this log (1 also when the log's head is broken). */
int64_t walsum_check(const char *path);

#endif
