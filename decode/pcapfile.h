/* pcapfile: captures of any size, pcap and pcapng (libpcap), and of an interface, in constant
 * memory. */
#ifndef DECODE_PCAPFILE_H
#define DECODE_PCAPFILE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct pcapfile_frame {
    int link; /* tcpdump.org/linktypes.html */
    int64_t time_us;
    size_t wire_length; /* before the capture cut it */
    const uint8_t *data;
    size_t len;
};

/* An interface, for a loop: its descriptor becomes readable; read hands on at most `max` frames
 * without waiting and gives their count, or negative. The first 128 bytes of each frame, in
 * promiscuous mode; needs the right to capture. */
struct pcapfile_live;
int pcapfile_live_open(const char *interface, struct pcapfile_live **ret, struct err *err);
int pcapfile_live_fd(const struct pcapfile_live *l);
int pcapfile_live_read(struct pcapfile_live *l, int max,
                       int (*cb)(void *ctx, const struct pcapfile_frame *f), void *ctx,
                       struct err *err);
void pcapfile_live_close(struct pcapfile_live *l);

/* The same from an interface, in promiscuous mode, its first 128 bytes of each frame, for so many
 * milliseconds. Needs the right to capture. *ret_dropped: frames that the kernel could not hand on.
 */
int64_t pcapfile_capture(const char *interface, int64_t duration_ms,
                         int (*cb)(void *ctx, const struct pcapfile_frame *f), void *ctx,
                         uint64_t *ret_dropped, struct err *err);

/* path "-" is standard input. cb stops the reading with a negative return, which is returned.
 * Frames read, or ERR_NOTFOUND, ERR_DENIED, ERR_SYNTAX (no capture, or a broken record: frames
 * before it were given). */
int64_t pcapfile_read(const char *path, int (*cb)(void *ctx, const struct pcapfile_frame *f),
                      void *ctx, struct err *err);

#endif
