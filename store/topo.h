/* topo: what there is and how it hangs together, as an immutable graph one reads without locks.
 *
 * A snapshot is built from the topology documents (one a cluster, versioned in the catalog), the
 * device documents (entered, discovered) and the jobs that run; topo_get gives the present one,
 * topo_at the one that was in force at a time. 18,432 GPUs are about 200,000 entities and 600,000
 * relations: 60 MB, built in under a second. */
#ifndef STORE_TOPO_H
#define STORE_TOPO_H

#include "base/doc.h"
#include "base/entity.h"
#include "base/metric.h"
#include "base/sample.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct topo;              /* a snapshot, reference-counted */
typedef uint32_t topo_id; /* dense index of an entity in one snapshot; TOPO_NONE: none */
#define TOPO_NONE UINT32_MAX

struct topo *topo_get(struct store *s); /* never NULL; release with topo_put */
struct topo *topo_at(struct store *s, int64_t t_ms, struct err *err);
struct topo *topo_ref(struct topo *t);
void topo_put(struct topo *t);
uint64_t topo_revision(const struct topo *t);
/* Changes only with what is planned or discovered, not with jobs: ids below topo_planned are the
 * same entities in all snapshots of one plan. 0: of no store, or of the past. */
uint64_t topo_plan_revision(const struct topo *t);
size_t topo_planned(const struct topo *t);

/* Parses, checks and expands a document (JSON or YAML); errors name file, line, sentence. Stored as
 * a new version of its cluster; the old stays in force on failure. `text` is kept as written. */
int topo_put_document(struct store *s, const char *text, size_t len, const char *name,
                      struct err *err);
/* The document as written ("" when none), and expanded to explicit lists as JSON. cluster NULL: the
 * only or first one. */
int topo_get_document(struct store *s, const char *cluster, struct buf *out, struct err *err);
/* For offline use and tests: a snapshot from a document alone. */
int topo_parse(const char *text, size_t len, const char *name, struct topo **ret, struct err *err);

size_t topo_count(const struct topo *t);
topo_id topo_find(const struct topo *t, const char *entity); /* by "kind:name" */
const char *topo_name(const struct topo *t, topo_id id);     /* "kind:name" */
enum entity_kind topo_kind(const struct topo *t, topo_id id);
/* All entities of a kind, in name order. */
const topo_id *topo_of_kind(const struct topo *t, enum entity_kind k, size_t *ret_count);

struct topo_edge {
    topo_id to;
    uint8_t relation;
    bool reverse;
}; /* reverse: `to` is the relation's subject */
const struct topo_edge *topo_edges(const struct topo *t, topo_id id, size_t *ret_count);
/* First neighbour of a kind by any relation, TOPO_NONE if none: the node of a gpu, the switch of a
 * port, ... */
topo_id topo_neighbour(const struct topo *t, topo_id id, enum entity_kind k);
/* Walks "optic>port>link>nic>node>job" (kinds; the first is the start's own): calls cb for each
 * entity reached, each once. Reached are those of the last kind, without the start. A node stands
 * for a gpu or nic of it that nobody could name, where the path begins with one. Stops at `max`
 * entities. Returns how many. */
size_t topo_walk(const struct topo *t, topo_id from, const enum entity_kind *kinds, size_t n,
                 size_t max, void (*cb)(void *ctx, topo_id id), void *ctx);
int topo_path_parse(const char *text, enum entity_kind *ret,
                    size_t size); /* count, or ERR_SYNTAX */

/* Attributes of an entity as the document gives them; "" when absent: rack group rail plane role
 * model vendor gbps netdev superpod. */
const char *topo_attr(const struct topo *t, topo_id id, const char *name);
bool topo_in_maintenance(const struct topo *t, topo_id id); /* device state: planned work */

/* Jobs that run on the snapshot (edges runs-on from job to its nodes). */
struct topo_job {
    const char *id, *tenant, *user, *name;
    int64_t start_ms;
    unsigned gpus_per_node;
    const topo_id *nodes;
    size_t node_count;
};
size_t topo_jobs(const struct topo *t, const struct topo_job **ret);
const struct topo_job *topo_job_find(const struct topo *t, const char *id);
/* Rank r of a job -> gpu entity name; 0 or ERR_NOTFOUND. And back: rank of a gpu within the job, or
 * ERR_NOTFOUND. */
int topo_job_rank_gpu(const struct topo *t, const struct topo_job *j, unsigned rank,
                      char out[ENTITY_SIZE]);
int topo_job_gpu_rank(const struct topo *t, const struct topo_job *j, topo_id gpu);

/* The entity a series describes: aliases first, then base/metric's rules, matched against what
 * exists (an optic or port on a switch or node; netdev names to nics; gpu or nic by pci_bus_id, gpu
 * by uuid). 0, or ERR_NOTFOUND (out then holds the name the labels give, which may be a discovered
 * entity).
 */
int topo_resolve(const struct topo *t, const struct metric_row *row, const struct labels *l,
                 char out[ENTITY_SIZE]);
/* The node or switch entity that a host name or address stands for. */
int topo_resolve_host(const struct topo *t, const char *host, char out[ENTITY_SIZE]);

/* Tells the catalog of an entity nobody declared: becomes a device document with state
 * "discovered"; not so a job, a rank or a tenant, which are no devices. Cheap when known; written
 * within a second by a thread of the store. 0, ERR_SYNTAX, ERR_LIMIT (too many at once: tell again
 * later). */
int topo_discovered(struct store *s, const char *entity, const char *source);
/* Waits until everything told so far (documents, jobs, devices, discoveries) is in the snapshot
 * topo_get gives. */
void topo_settle(struct store *s);

#endif
