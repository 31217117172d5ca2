/* gpu_frame: how a helper process that calls a vendor's library answers (see agents/gpu_child.h).
 */
#ifndef AGENTS_GPU_FRAME_H
#define AGENTS_GPU_FRAME_H

#include "base/buf.h"

void gpu_frame_init(void); /* the helper ends with the agent */
/* Two frames to GPU_CHILD_FD. 0, ERR_CLOSED. */
int gpu_frame_send(const struct buf *series, const struct buf *devices);
/* Calls answer for each byte that comes, until it fails or GPU_CHILD_FD is closed. 0. */
int gpu_frame_serve(int (*answer)(void *ctx), void *ctx);

#endif
