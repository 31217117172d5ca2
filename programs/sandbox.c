/* sandbox: the appliance gives up, before it reads a byte from outside, what it never does: load a
 * module, mount, trace or read another process, turn the clock, make namespaces or keys. A decoder
 * that is tricked some day stays a plain process. The same holds without systemd, whose unit
 * forbids more; the commands that alerts start inherit it, and cannot gain privilege by setuid.
 * A refused call answers EPERM. */
#include "programs/sandbox.h"

#include <errno.h>
#include <seccomp.h>

/* By name: a call that an architecture or an older library lacks is passed over. */
static const char *const sandbox_refused[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "init_module",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "quotactl",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
#ifndef MS_SANITIZERS /* the leak checker stops its own threads with it */
    "ptrace",
#endif
};

int
sandbox_enter(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return err_set(err, ERR_NOMEM, "no memory for the filter of system calls");
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof sandbox_refused / sizeof *sandbox_refused; i++) {
        int call = seccomp_syscall_resolve_name(sandbox_refused[i]);
        if (call >= 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    }
    if (!rc)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc ? err_set(err, ERR_IO, "the filter of system calls cannot be set: error %d", -rc) : 0;
}
