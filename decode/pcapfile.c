/* pcapfile: the one file that sees libpcap. */
#include "decode/pcapfile.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

static int
pcapfile_open(const char *path, pcap_t **ret, struct err *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    FILE *f = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
    if (!f)
        return err_set_errno(err, "cannot open %s", path);
    *ret = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_MICRO, why);
    if (*ret)
        return 0;
    if (f != stdin)
        fclose(f);
    return err_set(err, ERR_SYNTAX, "%s is no capture: %s", path, why);
}

int64_t
pcapfile_read(const char *path, int (*cb)(void *ctx, const struct pcapfile_frame *f), void *ctx,
              struct err *err)
{
    pcap_t *p = NULL;
    struct pcap_pkthdr *head;
    const u_char *data;
    int64_t frames = 0;
    int rc = pcapfile_open(path, &p, err), more = 1;
    if (rc)
        return rc;
    int link = pcap_datalink(p);
    if (link == DLT_RAW)
        link = 101;
    while (!rc && (more = pcap_next_ex(p, &head, &data)) == 1) {
        struct pcapfile_frame f = {.link = link,
                                   .wire_length = head->len,
                                   .data = data,
                                   .time_us = (int64_t)head->ts.tv_sec * 1000000 + head->ts.tv_usec,
                                   .len = head->caplen};
        rc = cb(ctx, &f);
        frames++;
    }
    if (!rc && more != PCAP_ERROR_BREAK)
        rc = err_set(err, ERR_SYNTAX, "%s: behind frame %lld: %s", path, (long long)frames,
                     pcap_geterr(p));
    pcap_close(p);
    return rc ? rc : frames;
}
