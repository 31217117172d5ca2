/* fuse_mounts DIR COMMAND...: for tests, as root: in a mount namespace of its own, mounts DIR/well,
 * DIR/dead0, DIR/dead1, DIR/dead2 as FUSE file systems, and runs COMMAND there. DIR/well answers;
 * the others answer the handshake and then nothing, as a server that died, for as long as the file
 * DIR/hold exists; then they are unplugged (the connection ends). Exits with the command's code;
 * 77: mounts are not allowed here. Source: linux/fuse.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNTS 4

static const char *const names[MOUNTS] = {"well", "dead0", "dead1", "dead2"};

static int
fuse_mount(const char *dir, const char *name)
{
    char at[512], options[256];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(at, sizeof at, "%s/%s", dir, name);
    mkdir(at, 0755);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
    return fd < 0 || mount(name, at, "fuse.test", MS_NOSUID | MS_NODEV, options) ? -1 : fd;
}

static void
fuse_reply(int fd, uint64_t unique, int error, const void *data, size_t len)
{
    char out[4096];
    struct fuse_out_header h = {
        .len = (uint32_t)(sizeof h + len), .error = error, .unique = unique};
    memcpy(out, &h, sizeof h);
    if (len)
        memcpy(out + sizeof h, data, len);
    if (write(fd, out, sizeof h + len) < 0)
        return;
}

static void
fuse_answer(int fd, int well)
{
    static char in[1 << 17];
    struct fuse_in_header h;
    ssize_t n = read(fd, in, sizeof in);
    if (n < (ssize_t)sizeof h)
        return;
    memcpy(&h, in, sizeof h);
    if (h.opcode == FUSE_INIT) {
        struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
        fuse_reply(fd, h.unique, 0, &init, sizeof init);
    } else if (!well || h.opcode == FUSE_FORGET || h.opcode == FUSE_INTERRUPT) {
        return;
    } else if (h.opcode == FUSE_STATFS) {
        struct fuse_statfs_out st = {.st = {.blocks = 1000,
                                            .bfree = 500,
                                            .bavail = 500,
                                            .files = 9,
                                            .bsize = 4096,
                                            .frsize = 4096,
                                            .namelen = 255}};
        fuse_reply(fd, h.unique, 0, &st, sizeof st);
    } else if (h.opcode == FUSE_GETATTR) {
        struct fuse_attr_out a = {.attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};
        fuse_reply(fd, h.unique, 0, &a, sizeof a);
    } else if (h.opcode == FUSE_OPENDIR) {
        struct fuse_open_out o = {0};
        fuse_reply(fd, h.unique, 0, &o, sizeof o);
    } else {
        fuse_reply(fd, h.unique, h.opcode == FUSE_RELEASEDIR ? 0 : -ENOSYS, NULL, 0);
    }
}

/* Serves until the command ended. */
static int
fuse_serve(const char *dir, int *fds, pid_t pid)
{
    char hold[512];
    int status;
    snprintf(hold, sizeof hold, "%s/hold", dir);
    while (!waitpid(pid, &status, WNOHANG)) {
        struct pollfd p[MOUNTS];
        for (int i = 0; i < MOUNTS; i++) {
            if (i && fds[i] >= 0 && access(hold, F_OK)) {
                close(fds[i]);
                fds[i] = -1;
            }
            p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
        }
        if (poll(p, MOUNTS, 50) > 0)
            for (int i = 0; i < MOUNTS; i++)
                if (p[i].revents & POLLIN)
                    fuse_answer(fds[i], !i);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
    int fds[MOUNTS];
    if (argc < 3)
        return 2;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return 77;
    for (int i = 0; i < MOUNTS; i++)
        if ((fds[i] = fuse_mount(argv[1], names[i])) < 0)
            return 77;
    pid_t pid = fork();
    if (!pid) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    return pid < 0 ? 1 : fuse_serve(argv[1], fds, pid);
}
