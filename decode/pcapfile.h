/* pcapfile: captures of any size, pcap and pcapng (libpcap), in constant memory. */
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

/* path "-" is standard input. cb stops the reading with a negative return, which is returned.
 * Frames read, or ERR_NOTFOUND, ERR_DENIED, ERR_SYNTAX (no capture, or a broken record: frames
 * before it were given). */
int64_t pcapfile_read(const char *path, int (*cb)(void *ctx, const struct pcapfile_frame *f),
                      void *ctx, struct err *err);

#endif
