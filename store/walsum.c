/* walsum: frames as SQLite's file format draws them (section 4, "The Write-Ahead Log"): a head of
 * 32 bytes, then frames of a head of 24 and a page; checksums run on from frame to frame.
 *
 * A frame of another salt is of an earlier log: the end, unless one of this log follows. Beside a
 * running store a frame may be half written when it is read: what is broken is read again. */
#include "store/walsum.h"

#include "store/bytes.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WALSUM_HEAD    32
#define WALSUM_FRAME   24
#define WALSUM_TRIES   5
#define WALSUM_WAIT_NS 20000000

struct walsum {
    int fd;
    uint8_t head[WALSUM_HEAD];
    size_t page;
    bool big; /* words of the checksum are big-endian */
    uint8_t *frame;
    uint32_t sum[2];
};

static uint32_t
walsum_word(const uint8_t *p, bool big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : bytes_get_u32(p);
}

static void
walsum_add(const struct walsum *w, const uint8_t *p, size_t n, uint32_t sum[2])
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        sum[0] += walsum_word(p + i, w->big) + sum[1];
        sum[1] += walsum_word(p + i + 4, w->big) + sum[0];
    }
}

static bool
walsum_is(const uint8_t *p, const uint32_t sum[2])
{
    return walsum_word(p, true) == sum[0] && walsum_word(p + 4, true) == sum[1];
}

static bool
walsum_head(struct walsum *w)
{
    uint32_t magic = walsum_word(w->head, true), sum[2] = {0, 0};
    w->big = magic & 1;
    w->page = walsum_word(w->head + 8, true);
    walsum_add(w, w->head, 24, sum);
    memcpy(w->sum, sum, sizeof sum);
    return (magic & ~1u) == 0x377f0682 && w->page >= 512 && w->page <= 65536 &&
           !(w->page & (w->page - 1)) && walsum_is(w->head + 24, sum);
}

/* 1 good, and the sum runs on; 0 of an earlier log; -1 broken; -2 the end. */
static int
walsum_frame(struct walsum *w, int64_t number)
{
    size_t size = WALSUM_FRAME + w->page;
    uint32_t sum[2] = {w->sum[0], w->sum[1]};
    off_t at = WALSUM_HEAD + (off_t)(number - 1) * (off_t)size;
    if (pread(w->fd, w->frame, size, at) != (ssize_t)size)
        return -2;
    if (memcmp(w->frame + 8, w->head + 16, 8))
        return 0;
    walsum_add(w, w->frame, 8, sum);
    walsum_add(w, w->frame + WALSUM_FRAME, w->page, sum);
    if (!walsum_is(w->frame + 16, sum))
        return -1;
    memcpy(w->sum, sum, sizeof sum);
    return 1;
}

/* Does a frame of this log follow one that is not? */
static bool
walsum_follows(struct walsum *w, int64_t number)
{
    int rc;
    while ((rc = walsum_frame(w, ++number)) != -2)
        if (rc)
            return true;
    return false;
}

/* The log was begun anew meanwhile: its writer is at work, and it is another one. */
static bool
walsum_changed(const struct walsum *w)
{
    uint8_t head[WALSUM_HEAD];
    return pread(w->fd, head, sizeof head, 0) != sizeof head ||
           memcmp(head, w->head, sizeof head) != 0;
}

static int64_t
walsum_frames(struct walsum *w)
{
    for (int64_t n = 1, tries = 0;; n++, tries = 0) {
        int rc;
        while ((rc = walsum_frame(w, n)) <= 0) {
            struct timespec wait = {.tv_nsec = WALSUM_WAIT_NS};
            if (rc == -2 || (rc == 0 && !walsum_follows(w, n)) || walsum_changed(w))
                return 0;
            if (tries++ == WALSUM_TRIES)
                return n;
            nanosleep(&wait, NULL);
        }
    }
}

int64_t
walsum_check(const char *path)
{
    char name[4700];
    struct walsum w = {.fd = -1};
    int64_t broken = 0;
    snprintf(name, sizeof name, "%s-wal", path);
    w.fd = open(name, O_RDONLY | O_CLOEXEC);
    if (w.fd < 0)
        return 0;
    if (pread(w.fd, w.head, sizeof w.head, 0) == sizeof w.head) {
        if (!walsum_head(&w))
            broken = walsum_changed(&w) ? 0 : 1;
        else if ((w.frame = malloc(WALSUM_FRAME + w.page)))
            broken = walsum_frames(&w);
    }
    free(w.frame);
    close(w.fd);
    return broken;
}
