/* gpu_child: the helper process that calls the GPU's library, which may hang for ever.
 *
 * On descriptor 3 it is asked with one byte and answers with two frames, each a little-endian u32
 * length and text: series in exposition format, and a JSON array of the GPUs. */
#ifndef AGENTS_GPU_CHILD_H
#define AGENTS_GPU_CHILD_H

#define GPU_CHILD_OPTION    "--gpu-child"       /* then: library, node */
#define GPU_CHILD_PLAIN     "--gpu-child-plain" /* the same, without GPU performance metrics */
#define NPU_CHILD_OPTION    "--npu-child"       /* Ascend NPUs: library, node */
#define GPU_CHILD_FD        3
#define GPU_CHILD_FRAME_MAX (4u << 20)

/* Exit codes. */
enum { GPU_CHILD_NO_LIBRARY = 41, GPU_CHILD_NO_GPU = 42, GPU_CHILD_LIES = 43 };

/* Runs until descriptor 3 is closed; returns the exit code. */
int gpu_child_run(const char *option, const char *library, const char *node);
int npu_child_run(const char *library, const char *node); /* agents/npu_child.c */

#endif
