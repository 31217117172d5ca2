/* trial: light tests that the server asks for, by a fixed table: loopback, memory, disk, GPU, pair.
 *
 * Each runs in a child of its own with little priority, limits on processor time (10 s), memory
 * (1 GiB; the GPU's test none), size of files (64 MiB) and descriptors, and a deadline after which
 * it is killed; it writes one file below the agent's own folder and removes it. A node whose
 * processors are busy refuses, unless the task says that it may be. The answer is a record of the
 * next batch, sent at once:
 *   {run, id, test, status, value, unit, second, ms, text}
 * status: ok, busy, absent (nothing of its kind here), failed (the part misbehaved), error (the
 * test could not be made). A pair test talks TCP with the agents of the node before and after it,
 * on the ports and with the keys that the server gave to both. */
#ifndef AGENTS_TRIAL_H
#define AGENTS_TRIAL_H

#include "agents/outbox.h"
#include "base/err.h"

#define TRIAL_CHILD_OPTION "--trial-child"
/* then: test, folder, peer, address, port, peer_port, key, peer_key, seconds */
#define TRIAL_CHILD_ARGS 9

struct trial;
/* helper: the program that takes the option, NULL: every task is refused; dir: where a file may be
 * written. */
int trial_new(struct outbox *o, const char *helper, const char *dir, const struct log *log,
              struct trial **ret, struct err *err);
void trial_free(struct trial *t); /* kills what runs */

/* The child: prints one JSON object and returns the exit code. args as above. */
int trial_child(char *const *args);

#endif
