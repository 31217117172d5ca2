/* pcapfile: the one file that sees libpcap. */
#include "decode/pcapfile.h"

#include "base/clock.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCAPFILE_SNAP    128
#define PCAPFILE_POLL_MS 200
#define PCAPFILE_BUFFER  (16 << 20)

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

static int
pcapfile_link(pcap_t *p)
{
    int link = pcap_datalink(p);
    return link == DLT_RAW ? 101 : link;
}

static struct pcapfile_frame
pcapfile_frame(int link, const struct pcap_pkthdr *head, const u_char *data)
{
    return (struct pcapfile_frame){.link = link,
                                   .wire_length = head->len,
                                   .data = data,
                                   .time_us = (int64_t)head->ts.tv_sec * 1000000 + head->ts.tv_usec,
                                   .len = head->caplen};
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
    int link = pcapfile_link(p);
    while (!rc && (more = pcap_next_ex(p, &head, &data)) == 1) {
        struct pcapfile_frame f = pcapfile_frame(link, head, data);
        rc = cb(ctx, &f);
        frames++;
    }
    if (!rc && more != PCAP_ERROR_BREAK)
        rc = err_set(err, ERR_SYNTAX, "%s: behind frame %lld: %s", path, (long long)frames,
                     pcap_geterr(p));
    pcap_close(p);
    return rc ? rc : frames;
}

static int
pcapfile_listen(const char *interface, pcap_t **ret, struct err *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_t *p = pcap_create(interface, why);
    int rc = p ? 0 : PCAP_ERROR;
    if (!rc)
        rc = pcap_set_snaplen(p, PCAPFILE_SNAP) || pcap_set_promisc(p, 1) ||
             pcap_set_timeout(p, PCAPFILE_POLL_MS) || pcap_set_buffer_size(p, PCAPFILE_BUFFER);
    if (!rc)
        rc = pcap_activate(p);
    if (rc < 0) {
        rc = err_set(err, rc == PCAP_ERROR_PERM_DENIED ? ERR_DENIED : ERR_IO,
                     "cannot capture on %s: %s", interface,
                     !p                             ? why
                     : rc == PCAP_ERROR_PERM_DENIED ? "this needs CAP_NET_RAW"
                                                    : pcap_statustostr(rc));
        if (p)
            pcap_close(p);
        return rc;
    }
    *ret = p;
    return 0;
}

int64_t
pcapfile_capture(const char *interface, int64_t duration_ms,
                 int (*cb)(void *ctx, const struct pcapfile_frame *f), void *ctx,
                 uint64_t *ret_dropped, struct err *err)
{
    pcap_t *p = NULL;
    struct pcap_pkthdr *head;
    struct pcap_stat stat = {0};
    const u_char *data;
    int64_t frames = 0, end = clock_mono_us() + duration_ms * 1000;
    int rc = pcapfile_listen(interface, &p, err), more = 0;
    if (rc)
        return rc;
    int link = pcapfile_link(p);
    while (!rc && clock_mono_us() < end && (more = pcap_next_ex(p, &head, &data)) >= 0) {
        if (!more)
            continue;
        struct pcapfile_frame f = pcapfile_frame(link, head, data);
        rc = cb(ctx, &f);
        frames++;
    }
    if (!rc && more < 0)
        rc = err_set(err, ERR_IO, "%s: %s", interface, pcap_geterr(p));
    *ret_dropped = pcap_stats(p, &stat) ? 0 : stat.ps_drop;
    pcap_close(p);
    return rc ? rc : frames;
}

/* --- for a loop ---------------------------------------------------------------------------------
 */

struct pcapfile_live {
    pcap_t *p;
    int link, fd;
};

int
pcapfile_live_open(const char *interface, struct pcapfile_live **ret, struct err *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    struct pcapfile_live *l = calloc(1, sizeof *l);
    int rc = l ? pcapfile_listen(interface, &l->p, err) : err_set(err, ERR_NOMEM, "no memory");
    if (!rc && (pcap_setnonblock(l->p, 1, why) || (l->fd = pcap_get_selectable_fd(l->p)) < 0))
        rc = err_set(err, ERR_IO, "cannot wait for frames of %s: %s", interface, why);
    if (rc) {
        pcapfile_live_close(l);
        return rc;
    }
    l->link = pcapfile_link(l->p);
    *ret = l;
    return 0;
}

int
pcapfile_live_fd(const struct pcapfile_live *l)
{
    return l->fd;
}

int
pcapfile_live_read(struct pcapfile_live *l, int max,
                   int (*cb)(void *ctx, const struct pcapfile_frame *f), void *ctx, struct err *err)
{
    struct pcap_pkthdr *head;
    const u_char *data;
    int n = 0, more = 0, rc = 0;
    while (!rc && n < max && (more = pcap_next_ex(l->p, &head, &data)) == 1) {
        struct pcapfile_frame f = pcapfile_frame(l->link, head, data);
        rc = cb(ctx, &f);
        n++;
    }
    if (!rc && more < 0)
        rc = err_set(err, ERR_IO, "capture: %s", pcap_geterr(l->p));
    return rc ? rc : n;
}

void
pcapfile_live_close(struct pcapfile_live *l)
{
    if (l && l->p)
        pcap_close(l->p);
    free(l);
}
