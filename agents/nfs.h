/* nfs: text of /proc/self/mountstats as series. Input is hostile: any bytes give series or none. */
#ifndef AGENTS_NFS_H
#define AGENTS_NFS_H

#include "agents/snap.h"

void nfs_mountstats(char *text, struct snap *out); /* changed in place */

#endif
