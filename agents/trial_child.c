/* trial_child: the tests themselves, in a process that may be killed at any moment. Each row of the
 * table is a function that fills in what it measured. Load: a second of one processor, 64 MiB of
 * memory, 48 MiB on disk, 16 MiB each way to a peer. */
#include "agents/trial.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIAL_MEMORY  ((size_t)32 << 20) /* two such blocks: beyond any cache of one core */
#define TRIAL_DISK    ((size_t)48 << 20)
#define TRIAL_BLOCK   ((size_t)1 << 20)
#define TRIAL_STREAM  ((size_t)16 << 20)
#define TRIAL_PINGS   50
#define TRIAL_ROUNDS  8
#define TRIAL_KEY_LEN 32

struct trial_args {
    const char *dir, *peer, *address, *key, *peer_key;
    int port, peer_port;
    int64_t until_us;
};
struct trial_answer {
    const char *status;
    double value, second; /* bytes a second; a second figure: round trip in seconds, read rate */
    char text[200];
};

static int
trial_say(struct trial_answer *a, const char *status, const char *text)
{
    a->status = status;
    snprintf(a->text, sizeof a->text, "%s%s%s", text, errno ? ": " : "",
             errno ? strerror(errno) : "");
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Copies between two blocks, the best of some rounds; and what was written is what is read. */
static int
trial_memory(const struct trial_args *args, struct trial_answer *a)
{
    uint64_t *from = malloc(TRIAL_MEMORY), *to = malloc(TRIAL_MEMORY);
    size_t words = TRIAL_MEMORY / sizeof *from, wrong = 0;
    double best = 0;
    (void)args;
    for (size_t i = 0; from && i < words; i++)
        from[i] = i * 0x9e3779b97f4a7c15;
    for (int r = 0; from && to && r < TRIAL_ROUNDS; r++) {
        int64_t start = clock_mono_us();
        memcpy(to, from, TRIAL_MEMORY);
        double rate = 2.0 * (double)TRIAL_MEMORY * 1e6 / (double)(clock_mono_us() - start + 1);
        best = r && rate > best ? rate : best; /* the first touches the pages */
        wrong += memcmp(to, from, TRIAL_MEMORY) != 0;
    }
    a->value = best;
    errno = 0;
    if (!from || !to)
        trial_say(a, "error", "no memory for the test");
    else if (wrong)
        trial_say(a, "failed", "memory did not hold what was written");
    free(from);
    free(to);
    return 0;
}

/* --- disk ------------------------------------------------------------------------------------- */

static int
trial_disk_write(int fd, const char *block, double *ret_rate)
{
    int64_t start = clock_mono_us();
    for (size_t n = 0; n < TRIAL_DISK; n += TRIAL_BLOCK)
        if (write(fd, block, TRIAL_BLOCK) != (ssize_t)TRIAL_BLOCK)
            return -1;
    if (fsync(fd))
        return -1;
    *ret_rate = (double)TRIAL_DISK * 1e6 / (double)(clock_mono_us() - start + 1);
    return 0;
}

static int
trial_disk_read(int fd, const char *block, char *back, double *ret_rate)
{
    int64_t start = clock_mono_us();
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (lseek(fd, 0, SEEK_SET))
        return -1;
    for (size_t n = 0; n < TRIAL_DISK; n += TRIAL_BLOCK) {
        if (read(fd, back, TRIAL_BLOCK) != (ssize_t)TRIAL_BLOCK)
            return -1;
        if (memcmp(back, block, TRIAL_BLOCK)) {
            errno = 0;
            return -1;
        }
    }
    *ret_rate = (double)TRIAL_DISK * 1e6 / (double)(clock_mono_us() - start + 1);
    return 0;
}

/* A file without a name: nothing stays, whatever happens. */
static int
trial_disk(const struct trial_args *args, struct trial_answer *a)
{
    char path[4200];
    char *block = malloc(2 * TRIAL_BLOCK);
    int fd = open(args->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(path, sizeof path, "%.4000s/trial-XXXXXX", args->dir);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0 || !block) {
        trial_say(a, "error", "no file to write");
    } else {
        for (size_t i = 0; i < TRIAL_BLOCK; i++)
            block[i] = (char)(i * 131 + i / 251);
        if (trial_disk_write(fd, block, &a->value))
            trial_say(a, errno == EIO || errno == EROFS ? "failed" : "error", "writing");
        else if (trial_disk_read(fd, block, block + TRIAL_BLOCK, &a->second))
            trial_say(a, "failed", "what was written was not read back");
    }
    if (fd >= 0)
        close(fd);
    free(block);
    return 0;
}

/* --- sockets ---------------------------------------------------------------------------------- */

static int
trial_all(int fd, char *data, size_t len, bool out, int64_t until_us)
{
    for (size_t n = 0; n < len;) {
        struct pollfd p = {.fd = fd, .events = out ? POLLOUT : POLLIN};
        int64_t left = (until_us - clock_mono_us()) / 1000;
        if (left <= 0 || poll(&p, 1, left > 1000 ? 1000 : (int)left) < 0)
            return -1;
        if (!p.revents)
            continue;
        ssize_t k = out ? send(fd, data + n, len - n, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : recv(fd, data + n, len - n, MSG_DONTWAIT);
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (k <= 0)
            return -1;
        n += (size_t)k;
    }
    return 0;
}

/* The one that connects: proves the key, measures the round trip, then a stream out and its
 * acknowledgement. */
static int
trial_connected(int fd, const char *key, int64_t until_us, struct trial_answer *a)
{
    char proof[TRIAL_KEY_LEN] = {0}, ping = 'p';
    char *block = calloc(1, TRIAL_BLOCK);
    double best = INFINITY;
    int one = 1, rc = block ? 0 : -1;
    str_copy(proof, sizeof proof, key);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!rc)
        rc = trial_all(fd, proof, sizeof proof, true, until_us);
    for (int i = 0; !rc && i < TRIAL_PINGS; i++) {
        int64_t start = clock_mono_us();
        rc = trial_all(fd, &ping, 1, true, until_us) || trial_all(fd, &ping, 1, false, until_us);
        double took = (double)(clock_mono_us() - start) / 1e6;
        best = took < best ? took : best;
    }
    int64_t start = clock_mono_us();
    for (size_t n = 0; !rc && n < TRIAL_STREAM; n += TRIAL_BLOCK)
        rc = trial_all(fd, block, TRIAL_BLOCK, true, until_us);
    if (!rc)
        rc = trial_all(fd, &ping, 1, false, until_us);
    a->value = (double)TRIAL_STREAM * 1e6 / (double)(clock_mono_us() - start + 1);
    a->second = best;
    free(block);
    return rc;
}

/* The other side; 0: it was the peer, and all went well. */
static int
trial_accepted(int fd, const char *key, int64_t until_us)
{
    char proof[TRIAL_KEY_LEN], want[TRIAL_KEY_LEN] = {0}, ping;
    char *block = malloc(TRIAL_BLOCK);
    int one = 1, rc = block ? 0 : -1;
    int64_t soon = clock_mono_us() + 2000000;
    str_copy(want, sizeof want, key);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!rc)
        rc = trial_all(fd, proof, sizeof proof, false, soon < until_us ? soon : until_us) ||
             memcmp(proof, want, sizeof want) != 0;
    for (int i = 0; !rc && i < TRIAL_PINGS; i++)
        rc = trial_all(fd, &ping, 1, false, until_us) || trial_all(fd, &ping, 1, true, until_us);
    for (size_t n = 0; !rc && n < TRIAL_STREAM; n += TRIAL_BLOCK)
        rc = trial_all(fd, block, TRIAL_BLOCK, false, until_us);
    if (!rc)
        rc = trial_all(fd, &ping, 1, true, until_us);
    free(block);
    return rc ? -1 : 0;
}

struct trial_server {
    int fd;
    const char *key;
    int64_t until_us;
};

/* Serves until one peer has been served. */
static void *
trial_serve(void *ctx)
{
    struct trial_server *s = ctx;
    for (bool served = false; !served && clock_mono_us() < s->until_us;) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        if (poll(&p, 1, 200) <= 0)
            continue;
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        served = !trial_accepted(fd, s->key, s->until_us);
        close(fd);
    }
    return NULL;
}

static int
trial_listen(int port, bool loopback, int *ret_port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in lo = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof lo;
    int one = 1, zero = 0;
    int fd = socket(loopback ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!loopback)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    int rc = loopback ? bind(fd, (struct sockaddr *)&lo, sizeof lo)
                      : bind(fd, (struct sockaddr *)&any, sizeof any);
    if (rc || listen(fd, 8) || (loopback && getsockname(fd, (struct sockaddr *)&lo, &len))) {
        close(fd);
        return -1;
    }
    *ret_port = loopback ? ntohs(lo.sin_port) : port;
    return fd;
}

static int
trial_connect(const char *host, int port, int64_t until_us)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    char service[16];
    int fd = -1;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &all))
        return -1;
    for (struct addrinfo *i = all; i && fd < 0; i = i->ai_next) {
        struct pollfd p = {.events = POLLOUT};
        int fault = 0;
        socklen_t len = sizeof fault;
        p.fd = fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        int64_t left = (until_us - clock_mono_us()) / 1000;
        if ((connect(fd, i->ai_addr, i->ai_addrlen) && errno != EINPROGRESS) ||
            poll(&p, 1, left > 2000 ? 2000 : (int)left) <= 0 ||
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) || fault) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static int
trial_loopback(const struct trial_args *args, struct trial_answer *a)
{
    struct trial_server s = {.until_us = args->until_us, .key = "loopback"};
    pthread_t thread;
    int port, fd;
    s.fd = trial_listen(0, true, &port);
    if (s.fd < 0 || pthread_create(&thread, NULL, trial_serve, &s))
        return trial_say(a, "error", "no listener");
    fd = trial_connect("127.0.0.1", port, args->until_us);
    if (fd < 0 || trial_connected(fd, s.key, args->until_us, a))
        trial_say(a, "failed", "loopback");
    if (fd >= 0)
        close(fd);
    pthread_join(thread, NULL);
    close(s.fd);
    return 0;
}

/* Tries again and again: the peer may learn of the test fifteen seconds later. */
static int
trial_peer(const struct trial_args *args, struct trial_answer *a)
{
    const char *hosts[] = {args->peer, args->address};
    for (unsigned turn = 0; clock_mono_us() < args->until_us; turn++) {
        const char *host = hosts[turn % 2];
        int fd = *host ? trial_connect(host, args->peer_port, args->until_us) : -1;
        if (fd >= 0) {
            int rc = trial_connected(fd, args->peer_key, args->until_us, a);
            close(fd);
            if (!rc)
                return 0;
        }
        usleep(200000);
    }
    return -1;
}

/* Serves the node before it and calls the one after it. Who is called proves by its key that it is
 * the one that was meant: an address may be another's, or our own. */
static int
trial_pair(const struct trial_args *args, struct trial_answer *a)
{
    struct trial_server s = {.key = args->key, .until_us = args->until_us};
    pthread_t thread;
    int port;
    if (args->port < 1024)
        return trial_say(a, "error", "no port");
    s.fd = trial_listen(args->port, false, &port);
    if (s.fd < 0)
        return trial_say(a, "error", "no listener");
    if (pthread_create(&thread, NULL, trial_serve, &s)) {
        close(s.fd);
        return trial_say(a, "error", "no thread");
    }
    if (trial_peer(args, a)) {
        errno = 0;
        a->value = a->second = NAN;
        trial_say(a, "unreachable", args->peer);
    }
    pthread_join(thread, NULL);
    close(s.fd);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct {
    const char *test;
    int (*run)(const struct trial_args *args, struct trial_answer *a);
    const char *help;
} trial_table[] = {
    {"loopback", trial_loopback, .help = "Data and round trips through the loopback."},
    {"memory", trial_memory, .help = "Copies between two blocks, and compares them."},
    {"disk", trial_disk, .help = "Writes, syncs and reads a file without a name."},
    {"pair", trial_pair, .help = "Serves the node before and calls the node after this one."}};

static void
trial_limit(int what, rlim_t most)
{
    struct rlimit l = {most, most};
    setrlimit(what, &l);
}

static void
trial_print(const struct trial_answer *a)
{
    struct buf out;
    struct jsonw w;
    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "status", a->status);
    jsonw_kreal(&w, "value", a->value);
    jsonw_kreal(&w, "second", a->second);
    jsonw_kstr(&w, "text", a->text);
    jsonw_end_object(&w);
    fputs(buf_str(&out), stdout);
    fflush(stdout);
    buf_done(&out);
}

int
trial_child(char *const *args)
{
    struct trial_args t = {.dir = args[1],
                           .peer = args[2],
                           .address = args[3],
                           .port = atoi(args[4]),
                           .peer_port = atoi(args[5]),
                           .key = args[6],
                           .peer_key = args[7],
                           .until_us = clock_mono_us() + (int64_t)atoi(args[8]) * 1000000};
    struct trial_answer a = {.status = "ok", .value = NAN, .second = NAN};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setpriority(PRIO_PROCESS, 0, 19);
    trial_limit(RLIMIT_CPU, 10);
    trial_limit(RLIMIT_AS, (rlim_t)1 << 30);
    trial_limit(RLIMIT_FSIZE, (rlim_t)64 << 20);
    trial_limit(RLIMIT_NOFILE, 64);
    trial_limit(RLIMIT_CORE, 0);
    for (size_t i = 0; i < sizeof trial_table / sizeof *trial_table; i++)
        if (!strcmp(trial_table[i].test, args[0])) {
            trial_table[i].run(&t, &a);
            trial_print(&a);
            return 0;
        }
    trial_say(&a, "absent", "no such test");
    trial_print(&a);
    return 0;
}
