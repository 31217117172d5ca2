/* fault_vfs: a layer below SQLite that makes the nth write, sync or truncation go wrong. */
#ifndef TESTS_STORE_FAULT_VFS_H
#define TESTS_STORE_FAULT_VFS_H

enum fault_how {
    FAULT_ONCE, /* that one fails with an I/O error; half of a write is done */
    FAULT_FULL, /* from that one on every write answers that the disk is full */
    FAULT_KILL, /* half of it is done, and the process ends there */
};
/* The default layer from then on; before anything else opens a database. */
void fault_vfs_install(void);
void fault_vfs_arm(long n, enum fault_how how); /* counted from 1; 0: never */
long fault_vfs_count(void);                     /* calls since armed */

#endif
