/* statfs: statvfs(3) with a deadline. A helper thread asks; while it hangs (a dead NFS server) the
 * caller goes on without an answer, and no second thread is started for it. */
#ifndef AGENTS_STATFS_H
#define AGENTS_STATFS_H

#include <sys/statvfs.h>

struct statfs_helper;
struct statfs_helper *statfs_new(void);
/* 0, ERR_IO (the system refused), ERR_TIMEOUT (no answer within ms; ask again later), ERR_BUSY (an
 * earlier question still hangs). */
int statfs_ask(struct statfs_helper *h, const char *path, int ms, struct statvfs *ret);
/* A helper that hangs is left to itself: it frees what it holds if it ever comes back. */
void statfs_free(struct statfs_helper *h);

#endif
