/* dayrow: events, log lines and gaps as rows of a day file's tables, each with its checksum.
 * Insiders only. */
#ifndef STORE_DAYROW_H
#define STORE_DAYROW_H

#include "store/record.h"

#include <sqlite3.h>

struct dayrow_table { /* one a kind; index is enum record_kind */
    const char *name, *text_table;
    int count; /* of columns: id first, crc last */
};
extern const struct dayrow_table dayrow_tables[4];

void dayrow_bind(sqlite3_stmt *st, uint64_t id, const struct record *r); /* all columns, id first */
/* Reads id and the columns from column 0 on; strings are valid until the next step. 0, or
 * ERR_CORRUPT (checksum). */
int dayrow_read(sqlite3_stmt *st, enum record_kind kind, uint64_t *ret_id, struct record *ret);
const char *dayrow_text(const struct record *r); /* what the full-text index holds of it */

#endif
