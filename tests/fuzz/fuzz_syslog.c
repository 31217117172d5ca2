/* fuzz_syslog: any bytes as one message, and as a stream cut where the first byte says. */
#include "base/str.h"
#include "collector/syslog_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct syslog_message fuzz_syslog_message;

static void
fuzz_syslog_one(void *ctx, const char *msg, size_t len)
{
    struct syslog_message *m = &fuzz_syslog_message;
    (void)ctx;
    syslog_parse(msg, len, 1795420800000, 0, m);
    if (m->severity < 0 || m->severity > 7 || m->facility < 0 || m->facility > 23 ||
        strlen(m->text) != m->text_len || m->text_len > EVENT_TEXT_MAX ||
        !str_utf8_ok(m->text, m->text_len) || strpbrk(m->text, "\n\r"))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct syslog_frame f;
    size_t step = size ? data[0] % 64 + 1 : 1;
    fuzz_syslog_one(NULL, (const char *)data, size);
    syslog_frame_init(&f, 512);
    for (size_t at = 0; at < size; at += step)
        syslog_frame_feed(&f, (const char *)data + at, size - at < step ? size - at : step,
                          fuzz_syslog_one, NULL);
    syslog_frame_done(&f);
    return 0;
}
