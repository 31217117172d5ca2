/* log: one line a message, cut at 4 KiB; control characters become spaces, so that nothing from
 * outside can forge a second line or drive a terminal. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
log_write(const struct log *l, enum log_level level, const char *fmt, ...)
{
    if (!l || !l->write || level > l->max)
        return;
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    l->write(l->ctx, level, line);
}

/* systemd sets JOURNAL_STREAM when standard error goes to the journal, which reads "<6>"
 * (sd-daemon(3)). */
void
log_stderr(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    char out[4200];
    int n = getenv("JOURNAL_STREAM") ? snprintf(out, sizeof out, "<%d>%s\n", (int)level, line)
                                     : snprintf(out, sizeof out, "%s\n", line);
    if (n >= (int)sizeof out) {
        n = (int)sizeof out - 1;
        out[n - 1] = '\n';
    }
    /* One write, so that lines of several threads do not mix. Where to report that it failed?
     * Nowhere. */
    if (n > 0 && write(STDERR_FILENO, out, (size_t)n) < 0)
        return;
}
