/* offline: diagnosis of log text alone, with no server: files, folders (one a node or worker), or a
 * pasted excerpt.
 *
 * 1 GB in 5 s is the goal: lines are matched as they come, only matched ones are kept (the first
 * and the last of each kind a rank), so memory is bounded whatever the input. */
#ifndef ANALYZER_OFFLINE_H
#define ANALYZER_OFFLINE_H

#include "analyzer/diagnosis.h"
#include "base/err.h"
#include "kb/kb.h"
#include "kb/matcher.h"

struct offline;
struct offline *offline_new(const struct kb *kb, const struct kb_matcher *m);
void offline_free(struct offline *o);
/* Lines of one source. node and job may be "", rank -1 when the name does not tell; lines that name
 * a rank or node themselves win. time_ms 0: taken from the head of the line where there is one. */
struct offline_origin {
    const char *node, *job, *name;
    int rank;
    const char *source;
};
int offline_line(struct offline *o, const struct offline_origin *from, const char *line, size_t len,
                 int64_t time_ms);
/* Whole texts and files; recognises PyTorch flight-recorder dumps, NDJSON with ts/node/rank/line,
 * gzip is refused with advice. */
int offline_text(struct offline *o, const struct offline_origin *from, const char *text,
                 size_t len);
int offline_path(struct offline *o, const char *path, struct err *err); /* file or folder */
/* A file or folder of a healthy run of the same job: what is said there is ordinary, so that a line
 * of an unknown format that is not said there stands out. Before the paths to diagnose. */
int offline_healthy(struct offline *o, const char *path, struct err *err);
uint64_t offline_bytes(const struct offline *o);
int offline_finish(struct offline *o, struct diagnosis **ret, struct err *err);

#endif
