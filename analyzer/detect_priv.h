/* detect, for insiders: subjects (entities that have telemetry), columns (the newest value of a
 * meaning for each subject), and findings (a row that holds at a subject, or lately did).
 *
 * Subjects are numbered per kind and stay while the detectors live, whatever the topology's
 * revision: state hangs on them. A column is read at most once a turn and is as long as its kind
 * had subjects then; detect_v and its like give NAN beyond. */
#ifndef ANALYZER_DETECT_PRIV_H
#define ANALYZER_DETECT_PRIV_H

#include "analyzer/detect.h"
#include "base/entity.h"
#include "base/map.h"
#include "base/metric.h"

#include <math.h>

#define DETECT_LOOKBACK_MS 90000 /* older samples are no present value: six intervals of 15 s */
#define DETECT_ROWS        96
#define DETECT_BUCKETS     8 /* parts of a window of growth */
#define DETECT_NONE        UINT32_MAX

struct detect_subject {
    char *name;        /* "kind:name" */
    topo_id id;        /* in the present topology, TOPO_NONE: unknown to it */
    uint64_t revision; /* of the topology that `id` is of */
    enum entity_kind owner_kind;
    uint32_t owner;          /* subject of that kind, DETECT_NONE: none */
    int64_t seen_ms, gap_ms; /* newest sample of it or a part of it; usual distance of samples */
    uint64_t rows[2];        /* bit per row: has a finding */
    bool was_up;             /* NICs, ports: seen up since the start */
    double memory[2]; /* of the one special rule of its kind: a baseline, the last boot time, ... */
};

struct detect_kind {
    struct detect_subject *at;
    size_t count, cap;
};

struct detect_cell { /* one series */
    uint64_t id;     /* + 1; 0: free */
    uint32_t subject;
    int64_t t_ms;
    double v;
};

struct detect_source { /* one metric name */
    const struct metric_row *row;
    struct detect_cell *cells;
    size_t mask, count;
};

struct detect_column {
    enum entity_kind kind;
    double *v;     /* newest; NAN: none */
    double *grew;  /* increase since the turn before; 0 when nothing new */
    double *rate;  /* increase a second between the last two samples; NAN: not known */
    int64_t *t_ms; /* of the newest sample, 0: none */
    bool *fresh;   /* there is a sample that the last read had not */
    size_t count, cap;
    int64_t read_ms;
    struct detect_source *sources;
    size_t source_count;
    bool known; /* sources were looked up */
};

struct detect_finding {
    uint32_t subject;
    uint8_t row;
    bool begun, resumed;
    bool told;               /* somebody else told of it since the last turn */
    int64_t bad_ms, good_ms; /* since when it is bad, since when good; 0: not so */
    int64_t last_ms;         /* newest time judged */
    double grown[DETECT_BUCKETS];
    int64_t bucket_ms; /* start of the newest bucket */
    unsigned bucket;
};

struct detectors;
struct detect_row;

/* What a rule says of a subject: bad, by how much against what. */
struct detect_verdict {
    bool bad;
    int64_t t_ms;
    double value, limit;
    const char *text; /* instead of the one made of value and limit; NULL: that one */
};

enum detect_op { DETECT_ABOVE, DETECT_BELOW, DETECT_EQUALS };

struct detect_row {
    const char *code;
    enum entity_kind kind;
    void (*rule)(struct detectors *d, const struct detect_row *row);
    enum metric_meaning meaning, limit_of; /* limit_of: the module's own limit where there is one */
    enum detect_op op;
    double limit;
    int64_t window_ms;         /* growth within this */
    int64_t hold_ms, clear_ms; /* bad this long before it begins, good this long before it ends */
    int64_t every_ms;          /* 0: each turn */
    const char *what, *unit, *note;
    const char *help;
};

struct detect_jobs;
struct detect_peers;

struct detectors {
    const struct analyzer_config *cfg;
    struct detect_kind kinds[ENTITY_KINDS];
    struct map *names; /* entity -> subject + 1 */
    struct detect_column columns[METRIC_MEANING_COUNT];
    struct map *findings; /* (row, subject) -> finding */
    int64_t ran_ms[DETECT_ROWS];
    struct detect_jobs *jobs;
    struct detect_peers *peers;
    /* of this turn */
    struct topo *topo;
    struct presence *presence;
    int64_t now_ms, last_ms, tick_ms, started_ms;
    void (*emit)(void *ctx, const struct event *ev);
    void *emit_ctx;
    int emitted;
    bool reading; /* the store answered this turn */
};

/* --- the table -------------------------------------------------------------------------------- */

extern const struct detect_row detect_table[];
extern const size_t detect_table_size;

/* --- reading (detect_columns.c) --------------------------------------------------------------- */

const struct detect_column *detect_read(struct detectors *d, enum metric_meaning m);
const struct detect_column *detect_read_limits(struct detectors *d, enum metric_meaning m);
uint32_t detect_subject_of(struct detectors *d,
                           const char *entity); /* makes it when new; DETECT_NONE: no room */
uint32_t detect_subject_find(const struct detectors *d, const char *entity);
topo_id detect_topo(struct detectors *d, enum entity_kind k, uint32_t s);
void detect_columns_done(struct detectors *d);
static inline double
detect_v(const struct detect_column *c, uint32_t s)
{
    return s < c->count ? c->v[s] : NAN;
}
static inline bool
detect_fresh(const struct detect_column *c, uint32_t s)
{
    return s < c->count && c->fresh[s];
}

/* --- findings (detect.c) ---------------------------------------------------------------------- */

void detect_judge(struct detectors *d, const struct detect_row *row, uint32_t subject,
                  const struct detect_verdict *v);
/* The finding of a row at a subject; NULL when there is none and `make` is false. */
struct detect_finding *detect_finding_of(struct detectors *d, const struct detect_row *row,
                                         uint32_t subject, bool make);
/* The job that a subject or its owner runs, and its tenant where it has one; "": none. */
const char *detect_job_of(struct detectors *d, const struct detect_subject *s,
                          const char **ret_tenant);
void detect_emit(struct detectors *d, const struct detect_row *row, const struct detect_subject *s,
                 enum event_phase phase, int64_t t_ms, const char *code, const char *text);

/* --- rules ------------------------------------------------------------------------------------ */

void detect_rule_limit(struct detectors *d, const struct detect_row *row);
void detect_rule_growth(struct detectors *d, const struct detect_row *row);
void detect_rule_rate(struct detectors *d, const struct detect_row *row);
void detect_rule_mask(struct detectors *d, const struct detect_row *row);
void detect_rule_xid(struct detectors *d, const struct detect_row *row);
void detect_rule_pcie(struct detectors *d, const struct detect_row *row);
void detect_rule_optic(struct detectors *d, const struct detect_row *row);
void detect_rule_disk(struct detectors *d, const struct detect_row *row);
void detect_rule_clock(struct detectors *d, const struct detect_row *row);
void detect_rule_load(struct detectors *d, const struct detect_row *row);
void detect_rule_fallen(struct detectors *d, const struct detect_row *row);

void detect_rule_link(struct detectors *d, const struct detect_row *row);
void detect_rule_flap(struct detectors *d, const struct detect_row *row);
void detect_rule_slow_nic(struct detectors *d, const struct detect_row *row);
void detect_rule_ecmp(struct detectors *d, const struct detect_row *row);
void detect_rule_incast(struct detectors *d, const struct detect_row *row);
void detect_rule_cabling(struct detectors *d, const struct detect_row *row);
topo_id detect_far(const struct topo *t, topo_id end);
bool detect_cabled(struct detectors *d, enum entity_kind k, uint32_t s);
bool detect_admin_up(struct detectors *d, const char *optic);

void detect_rule_node_absent(struct detectors *d, const struct detect_row *row);
void detect_rule_agent_lost(struct detectors *d, const struct detect_row *row);
void detect_rule_gpu_absent(struct detectors *d, const struct detect_row *row);
void detect_rule_switch_absent(struct detectors *d, const struct detect_row *row);
void detect_rule_rebooted(struct detectors *d, const struct detect_row *row);
void detect_rule_restarted(struct detectors *d, const struct detect_row *row);
void detect_rule_rack_power(struct detectors *d, const struct detect_row *row);

struct detect_jobs *detect_jobs_new(void);
void detect_jobs_free(struct detect_jobs *j);
void detect_rule_slow(struct detectors *d, const struct detect_row *row);
void detect_rule_storage(struct detectors *d, const struct detect_row *row);

struct detect_peers *detect_peers_new(void);
void detect_peers_free(struct detect_peers *p);
struct detect_peers *detect_peers_read(struct detectors *d);
void detect_rule_straggler(struct detectors *d, const struct detect_row *row);
void detect_rule_idle(struct detectors *d, const struct detect_row *row);
void detect_rule_hang(struct detectors *d, const struct detect_row *row);
void detect_rule_alike(struct detectors *d, const struct detect_row *row);

#endif
