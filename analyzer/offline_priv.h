/* offline, for insiders: what offline.c gathers from lines and offline_answer.c makes an answer of.
 */
#ifndef ANALYZER_OFFLINE_PRIV_H
#define ANALYZER_OFFLINE_PRIV_H

#include "analyzer/accuse.h"
#include "analyzer/collective.h"
#include "analyzer/offline.h"
#include "analyzer/reason.h"
#include "analyzer/templates.h"
#include "base/map.h"

struct offline {
    const struct kb *kb;
    const struct kb_matcher *matcher;
    struct kb_scratch *scratch;
    struct collective *collective;
    struct accuse *accuse;
    struct templates *templates;
    const char **rank_node; /* by rank: the node it ran on, NULL not told */
    unsigned speaker;       /* the file at hand */
    const char *named;      /* the one node that lines name, NULL none */
    bool named_many;        /* they name several */
    bool rooted;            /* a line said what may well be the cause */
    bool healthy;           /* what is read now is of a healthy run */
    struct arena *arena;
    struct map *index;
    struct symptom *symptoms;
    size_t count;
    uint64_t bytes, refused;
    int64_t hint_ms; /* now: the year of heads that have none */
};

/* Keeps a symptom once an entity and code, with its first line. 0, ERR_NOMEM. */
int offline_symptom(struct offline *o, const struct kb_entry *e, const char *entity,
                    const struct offline_origin *from, const char *text, size_t len,
                    int64_t time_ms);

#endif
