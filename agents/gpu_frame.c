/* gpu_frame: some kilobytes every 15 s. */
#include "agents/gpu_frame.h"

#include "agents/gpu_child.h"
#include "base/err.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

void
gpu_frame_init(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
}

static int
gpu_frame_put(const struct buf *b)
{
    uint8_t head[4];
    size_t done = 0;
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(b->len >> 8 * i);
    if (write(GPU_CHILD_FD, head, 4) != 4)
        return ERR_CLOSED;
    while (done < b->len) {
        ssize_t n = write(GPU_CHILD_FD, b->data + done, b->len - done);
        if (n <= 0)
            return ERR_CLOSED;
        done += (size_t)n;
    }
    return 0;
}

int
gpu_frame_send(const struct buf *series, const struct buf *devices)
{
    int rc = gpu_frame_put(series);
    return rc ? rc : gpu_frame_put(devices);
}

int
gpu_frame_serve(int (*answer)(void *ctx), void *ctx)
{
    char asked;
    while (read(GPU_CHILD_FD, &asked, 1) == 1)
        if (answer(ctx))
            break;
    return 0;
}
