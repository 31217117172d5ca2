/* topo_priv: what the files of the topology share.
 *
 * A snapshot has two layers. The base holds what documents and devices declare: immutable, shared,
 * built in about a second at 18,432 GPUs. The top holds the jobs that run and the maintenance set
 * since; it is made anew, in a millisecond or two, at each change of a job. Always true:
 *   1. a snapshot never changes once topo_get could return it; its base lives as long as any
 * snapshot on it;
 *   2. ids below base->n are the base's, sorted by kind, then name; ids from base->n on are the
 * top's;
 *   3. every relation stands in the lists of both its ends. */
#ifndef STORE_TOPO_PRIV_H
#define STORE_TOPO_PRIV_H

#include "base/hostlist.h"
#include "base/map.h"
#include "store/topo.h"

#include <stdatomic.h>

#define TOPO_ENTITIES_MAX 2000000u
#define TOPO_EDGES_MAX    16000000u
#define TOPO_ARENA_MAX    ((size_t)1 << 30)

enum topo_attr_name {
    TOPO_ATTR_NONE,
    TOPO_ATTR_RACK,
    TOPO_ATTR_GROUP,
    TOPO_ATTR_RAIL,
    TOPO_ATTR_PLANE,
    TOPO_ATTR_ROLE,
    TOPO_ATTR_MODEL,
    TOPO_ATTR_VENDOR,
    TOPO_ATTR_GBPS,
    TOPO_ATTR_NETDEV,
    TOPO_ATTR_SUPERPOD,
    TOPO_ATTR_SERIAL,
    TOPO_ATTR_ADDRESS,
    TOPO_ATTR_KIND,
    TOPO_ATTR_PATH,
    TOPO_ATTR_PCI,
    TOPO_ATTR_UUID,
    TOPO_ATTR_TENANT,
    TOPO_ATTR_STATE,
    TOPO_ATTR_SERVERS,
    TOPO_ATTR_TITLE,
    TOPO_ATTR_PDU,
    TOPO_ATTR_CDU,
    TOPO_ATTRS
};
enum topo_attr_name topo_attr_find(const char *word);
const char *topo_attr_word(enum topo_attr_name a);

enum {                            /* flags of an entity */
       TOPO_FLAG_DECLARED = 1,    /* an explicit row of a document */
       TOPO_FLAG_FABRIC = 2,      /* a template's */
       TOPO_FLAG_CABLED = 4,      /* a port or nic that has its link */
       TOPO_FLAG_MAINTENANCE = 8, /* device state */
       TOPO_FLAG_DISCOVERED = 16,
       TOPO_FLAG_DEVICE = 32,  /* has a device document */
       TOPO_FLAG_ORPHAN = 128, /* a device's part whose owner is still to be found */
       TOPO_FLAG_NICS = 64,    /* a node whose nics are listed: a link may not name another */
};

/* --- topo_build.c: what a base is made from --------------------------------------------------- */

struct topo_attr {
    const char *value; /* interned */
    uint32_t next;     /* in a builder: older one of the entity; TOPO_NONE ends */
    uint8_t name;
};
struct topo_raw_edge {
    uint32_t from, to;
    uint8_t relation;
};
struct topo_alias { /* a series with these labels is this entity's */
    const char *entity;
    const struct label *match; /* in the arena */
    size_t count;
    uint32_t next; /* with the same first label and value */
};

struct topo_build {
    struct arena *arena;
    struct map *strings; /* interned values */
    const char **names;
    uint8_t *kinds, *flags;
    uint32_t *attr_first;
    size_t n, cap;
    uint32_t *table; /* open addressing, TOPO_NONE empty */
    size_t table_size;
    struct topo_raw_edge *edges;
    size_t edge_count, edge_cap;
    struct topo_attr *attrs;
    size_t attr_count, attr_cap;
    struct topo_alias *aliases;
    size_t alias_count, alias_cap;
};

int topo_build_init(struct topo_build *b);
void topo_build_done(struct topo_build *b);
topo_id topo_build_find(const struct topo_build *b, enum entity_kind k, const char *owner,
                        const char *part);
topo_id topo_build_find_text(const struct topo_build *b, const char *entity);
/* Is it of the base: what stands in racks, not who works on it (jobs, ranks, tenants: they come
 * and go, jobs are the top's). */
bool topo_build_holds(enum entity_kind k);
/* Finds or adds. 0; ERR_RANGE for a name that is none or of a kind that no base holds; ERR_LIMIT.
 * *ret_new (may be NULL) says whether it is new. */
int topo_build_add(struct topo_build *b, enum entity_kind k, const char *owner, const char *part,
                   topo_id *ret, bool *ret_new);
int topo_build_edge(struct topo_build *b, topo_id from, enum relation r, topo_id to);
/* The newest value of an attribute wins; "" and NULL set nothing. */
int topo_build_attr(struct topo_build *b, topo_id id, enum topo_attr_name a, const char *value);
const char *topo_build_attr_get(const struct topo_build *b, topo_id id, enum topo_attr_name a);
int topo_build_alias(struct topo_build *b, const char *entity, const struct label *match,
                     size_t count);
/* A link with its relations: ends (port or nic ids), optics where asked. */
int topo_build_link(struct topo_build *b, topo_id a, topo_id z, bool optic, const char *gbps,
                    const char *plane, uint8_t flag, topo_id *ret);
const char *topo_build_bare(const struct topo_build *b, topo_id id); /* the name behind "kind:" */

/* --- the base --------------------------------------------------------------------------------- */

struct topo_base {
    atomic_uint refs;
    uint64_t key;        /* hash of the revisions of its documents */
    struct arena *arena; /* everything below */
    size_t n;
    const char **names;
    uint8_t *kinds, *flags;
    topo_id *ids; /* 0, 1, 2, ... for lists of a kind */
    uint32_t kind_first[ENTITY_KINDS + 1];
    uint32_t *table;
    size_t table_size;
    uint32_t *edge_first; /* n + 1 */
    struct topo_edge *edges;
    uint32_t *attr_first; /* n + 1 */
    struct topo_attr *attrs;
    struct map *hosts; /* address, alias -> node or switch, id + 1 */
    struct map *parts; /* "node/netdev", "node/pci", uuid -> nic or gpu, id + 1 */
    struct topo_alias *aliases;
    size_t alias_count;
    struct map *alias_index;      /* "label\0value" -> number + 1 */
    const char *alias_labels[16]; /* first labels in use */
    size_t alias_label_count;
};
/* Takes the builder's arena: the builder is empty afterwards. */
int topo_base_new(struct topo_build *b, uint64_t key, struct topo_base **ret);
struct topo_base *topo_base_ref(struct topo_base *b);
void topo_base_put(struct topo_base *b);
topo_id topo_base_find(const struct topo_base *b, const char *entity);
const char *topo_base_attr(const struct topo_base *b, topo_id id, enum topo_attr_name a);

/* --- topo_doc.c, topo_fabric.c ---------------------------------------------------------------- */

/* Adds what a document declares; *ret_cluster (ENTITY_SIZE, may be NULL) is the cluster's plain
 * name. */
int topo_doc_read(struct topo_build *b, const char *text, size_t len, const char *name,
                  char *ret_cluster, struct err *err);
/* Only the cluster's plain name (ENTITY_SIZE), as far as the text can be parsed; "" when it has
 * none. */
int topo_doc_cluster_name(const char *text, size_t len, const char *name, char *ret,
                          struct err *err);
int topo_fabric_expand(struct topo_build *b, const struct doc *d, const struct doc_node *fabric,
                       topo_id cluster, struct err *err);
/* A scalar as text: "" when absent. */
const char *topo_scalar(const struct doc_node *n, char out[64]);
int topo_doc_nomem(const struct doc *d, const struct doc_node *n, struct err *err, int rc);

/* --- topo_jobs.c: the top --------------------------------------------------------------------- */

struct topo_rank {
    uint32_t rank, node, gpu; /* node: number in the job's list */
};
struct topo_source { /* a running job as its document gives it: immutable, shared by snapshots */
    atomic_uint refs;
    char *id, *name, *user, *tenant;
    int64_t start_ms;
    unsigned gpus_per_node;
    struct hostlist nodes;
    struct topo_rank *ranks; /* sorted by rank */
    size_t rank_count;
};
/* From a job document (JSON). ERR_* when it is no job or its nodes no list. */
int topo_source_new(const char *id, const char *json, size_t len, struct topo_source **ret,
                    struct err *err);
struct topo_source *topo_source_ref(struct topo_source *j);
void topo_source_put(struct topo_source *j);

struct topo_placed {     /* a job on a snapshot */
    struct topo_job pub; /* first: callers hold pointers to it */
    const struct topo_source *source;
};
struct topo_change { /* maintenance differing from the base's flag */
    topo_id id;
    bool on;
};
struct topo_list {
    const struct topo_edge *edges;
    size_t count;
};

struct topo {
    atomic_uint refs;
    struct topo_base *base;
    uint64_t revision, plan;
    struct arena *arena;
    struct topo_source **sources;
    size_t source_count;
    struct topo_job *jobs; /* sorted by id; pub of each, for topo_jobs */
    struct topo_placed *placed;
    size_t extra, extra_cap; /* entities of the top: jobs, and nodes of jobs that nobody declared */
    const char **names;
    uint8_t *kinds;
    struct topo_list *lists; /* of extras */
    struct map *index;       /* extras by name, id + 1 */
    struct topo_list
        *node_lists; /* of base nodes, by position in their kind; NULL edges: the base's */
    const topo_id *kind_lists[ENTITY_KINDS];
    size_t kind_counts[ENTITY_KINDS];
    struct topo_change *changes; /* sorted by id */
    size_t change_count;
};
/* Takes a reference on the base and on each source. */
int topo_new(struct topo_base *base, struct topo_source *const *jobs, size_t job_count,
             const struct topo_change *changes, size_t change_count, struct topo **ret);

#endif
