/* netfs: asks network mounts whether they answer, in a child process with a deadline.
 *
 * A mount whose server is dead holds whoever asks it, at times beyond SIGKILL: such a process may
 * hang without harm, where a thread would keep the agent from ending. One child asks all mounts by
 * turns (statvfs, then open of the folder) and is gone in milliseconds; one that hangs is left with
 * the mount that holds it, and the next child asks the others. Always true: a mount that hangs is
 * not asked again until its child came back, and at most NETFS_STUCK children hang; mounts beyond
 * that are not asked, and that is told. */
#ifndef AGENTS_NETFS_H
#define AGENTS_NETFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>

#define NETFS_STUCK  16
#define NETFS_MOUNTS 64
#define NETFS_PATH   256

enum netfs_state { NETFS_UNASKED, NETFS_ANSWERS, NETFS_REFUSES, NETFS_STALLS };

struct netfs_mount {
    char path[NETFS_PATH];
    enum netfs_state state;
    struct statvfs st;  /* where it answers */
    int64_t stalled_us; /* since when it was waited for, where it stalls */
};

struct netfs;
struct netfs *netfs_new(void);
void netfs_free(struct netfs *n); /* children that hang are left to themselves */
/* Asks `count` mounts (their path is given, the rest is filled), each for at most each_ms, all
 * together for at most all_ms. What no time was left for stays NETFS_UNASKED. */
void netfs_ask(struct netfs *n, struct netfs_mount *mounts, size_t count, int each_ms, int all_ms);
/* A type of /proc/mounts that lives by others: a network, or a process. */
bool netfs_is(const char *type);

#endif
