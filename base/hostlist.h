/* hostlist: Slurm hostlist syntax, both ways: "node[00001-00128,00200],login1".
 *
 * At most 200,000 names and 63 bytes a name (RFC 1123 labels; dots allowed). Several bracket groups
 * in one name are supported. Order is kept on expansion, duplicates are kept; formatting sorts and
 * merges. */
#ifndef BASE_HOSTLIST_H
#define BASE_HOSTLIST_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

struct hostlist {
    char **names; /* owned; each 0-terminated */
    size_t count;
};

/* "" gives an empty list */
int hostlist_parse(const char *text, struct hostlist *ret_list, struct err *err);
void hostlist_done(struct hostlist *l);
/* Compact form of names (any order, duplicates merged) appended to out. */
/* 0, ERR_RANGE for what is no host name, ERR_LIMIT of out, ERR_NOMEM. */
int hostlist_format(const char *const *names, size_t count, struct buf *out);

#endif
