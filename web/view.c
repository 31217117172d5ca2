/* view: the cache of views, and the parts of a view that come from the store.
 *
 * Load: a few dozen browsers ask for the same instant; the fleet has 200,000 entities. Invariants:
 * a part is written once, under the view's mutex, before anyone has it; the cache holds one
 * reference of each view in it. */
#include "web/view_priv.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/map.h"
#include "base/str.h"
#include "store/catalog.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_SLOTS     8
#define VIEW_NOW_US    3000000
#define VIEW_PAST_US   60000000
#define VIEW_INCIDENTS 1000
#define VIEW_ARENA_MAX ((size_t)256 << 20)

struct view_slot {
    struct view *view;
    int64_t at_ms, made_us;
    uint64_t generation;
};

struct view_cache {
    struct store *store;
    const struct metric_table *metrics;
    pthread_mutex_t mutex;
    struct view_slot slots[VIEW_SLOTS];
    struct kpi_places *places;       /* of the present's series; views of the past do without */
    atomic_uint_fast64_t generation; /* changes that a view of now must show at once */
};

/* --- one view --------------------------------------------------------------------------------- */

static void
view_parts_free(struct view_parts *p)
{
    health_map_free(p->health);
    for (size_t i = 0; i < p->column_count; i++)
        if (p->columns[i].good)
            kpi_done(&p->columns[i].kpi);
    for (size_t i = 0; i < p->mask_count; i++)
        free(p->masks[i].seen);
    arena_free(p->arena);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

static int
view_new(struct view_cache *c, int64_t at_ms, struct view **ret, struct err *err)
{
    struct view *v = calloc(1, sizeof *v);
    struct view_parts *p = calloc(1, sizeof *p);
    pthread_mutexattr_t recursive;
    if (!v || !p || !(p->arena = arena_new(VIEW_ARENA_MAX))) {
        free(v);
        free(p);
        return err_set(err, ERR_NOMEM, "no memory for a view");
    }
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&p->mutex, &recursive);
    pthread_mutexattr_destroy(&recursive);
    p->store = c->store;
    p->metrics = c->metrics;
    p->places = at_ms ? NULL : c->places;
    p->refs = 1;
    v->parts = p;
    v->now = !at_ms;
    v->at_ms = at_ms ? at_ms : clock_now_ms(store_clock(c->store));
    v->topo = at_ms ? topo_at(c->store, at_ms, err) : topo_get(c->store);
    if (!v->topo) {
        view_put(v);
        return err && err->code ? err->code : ERR_NOTFOUND;
    }
    *ret = v;
    return 0;
}

static struct view *
view_ref(struct view *v)
{
    pthread_mutex_lock(&v->parts->mutex);
    v->parts->refs++;
    pthread_mutex_unlock(&v->parts->mutex);
    return v;
}

void
view_put(struct view *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->parts->mutex);
    bool last = --v->parts->refs == 0;
    pthread_mutex_unlock(&v->parts->mutex);
    if (!last)
        return;
    topo_put(v->topo);
    view_parts_free(v->parts);
    free(v);
}

/* --- the cache -------------------------------------------------------------------------------- */

static void
view_changed(void *ctx, enum catalog_op op, const struct catalog_doc *d)
{
    static const char *const kinds[] = {"incident", "job", "device", "cluster", "topology"};
    struct view_cache *c = ctx;
    (void)op;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(d->kind, kinds[i]))
            atomic_fetch_add(&c->generation, 1);
}

int
view_cache_new(struct store *s, const struct metric_table *metrics, struct view_cache **ret,
               struct err *err)
{
    struct view_cache *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "no memory for the views");
    c->store = s;
    c->metrics = metrics;
    c->places = kpi_places_new();
    pthread_mutex_init(&c->mutex, NULL);
    int rc = catalog_watch(s, view_changed, c);
    if (rc) {
        pthread_mutex_destroy(&c->mutex);
        kpi_places_free(c->places);
        free(c);
        return err_set(err, rc, "the catalog takes no more watchers");
    }
    *ret = c;
    return 0;
}

void
view_cache_free(struct view_cache *c)
{
    if (!c)
        return;
    catalog_unwatch(c->store, c);
    for (size_t i = 0; i < VIEW_SLOTS; i++)
        view_put(c->slots[i].view);
    kpi_places_free(c->places);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

struct kpi_places *
view_places(const struct view_cache *c)
{
    return c->places;
}

static bool
view_fresh(const struct view_cache *c, const struct view_slot *s, int64_t at_ms, int64_t now_us,
           uint64_t revision)
{
    if (!s->view || s->at_ms != at_ms)
        return false;
    if (at_ms)
        return now_us - s->made_us < VIEW_PAST_US;
    return now_us - s->made_us < VIEW_NOW_US && topo_revision(s->view->topo) == revision &&
           s->generation == atomic_load(&c->generation);
}

int
view_get(struct view_cache *c, int64_t at_ms, struct view **ret, struct err *err)
{
    int64_t now_us = clock_mono_us();
    struct topo *t = topo_get(c->store);
    uint64_t revision = topo_revision(t), generation = atomic_load(&c->generation);
    struct view *v = NULL, *old = NULL;
    struct view_slot *oldest = &c->slots[0], *same = NULL;
    int rc = 0;
    topo_put(t);
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < VIEW_SLOTS && !v; i++) {
        struct view_slot *s = &c->slots[i];
        if (view_fresh(c, s, at_ms, now_us, revision))
            v = view_ref(s->view);
        same = s->view && s->at_ms == at_ms ? s : same;
        oldest = !s->view || s->made_us < oldest->made_us ? s : oldest;
    }
    if (!v && (rc = view_new(c, at_ms, &v, err)) == 0) {
        struct view_slot *s = same ? same : oldest;
        old = s->view;
        *s = (struct view_slot){view_ref(v), at_ms, now_us, generation};
    }
    pthread_mutex_unlock(&c->mutex);
    view_put(old);
    if (!rc)
        *ret = v;
    return rc;
}

/* --- parts ------------------------------------------------------------------------------------ */

const struct health_map *
view_health(struct view *v, struct err *err)
{
    struct view_parts *p = v->parts;
    pthread_mutex_lock(&p->mutex);
    if (!p->health)
        health_map_new_with(p->store, p->metrics, v->topo, p->places, v->at_ms, &p->health, err);
    const struct health_map *h = p->health;
    pthread_mutex_unlock(&p->mutex);
    return h;
}

const struct kpi *
view_column(struct view *v, enum metric_meaning m, enum kpi_fold fold)
{
    struct view_parts *p = v->parts;
    struct view_column_slot *slot = NULL;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->column_count && !slot; i++)
        if (p->columns[i].meaning == m && p->columns[i].fold == fold)
            slot = &p->columns[i];
    if (!slot && p->column_count < VIEW_COLUMNS) {
        slot = &p->columns[p->column_count++];
        *slot = (struct view_column_slot){.meaning = m, .fold = fold};
        slot->good = !kpi_read_with(p->store, p->metrics, v->topo, p->places, m, fold, v->at_ms,
                                    &slot->kpi, NULL);
    }
    const struct kpi *k = slot && slot->good ? &slot->kpi : NULL;
    pthread_mutex_unlock(&p->mutex);
    return k;
}

const struct kpi *
view_column_of(void *ctx, enum metric_meaning m, enum kpi_fold fold)
{
    return view_column(ctx, m, fold);
}

static const char *
view_text(struct view_parts *p, const char *s)
{
    const char *copy = arena_str(p->arena, s, strlen(s));
    return copy ? copy : "";
}

static void
view_incident_jobs(struct view_parts *p, const struct doc_node *jobs, struct view_incident *i)
{
    const char **ids = arena_alloc(p->arena, ((jobs ? jobs->count : 0) + 1) * sizeof *ids);
    for (const struct doc_node *j = ids && jobs ? jobs->first : NULL; j; j = j->next)
        ids[i->job_count++] = view_text(p, doc_str(j, ""));
    i->jobs = ids;
}

static int
view_incident_read(void *ctx, const struct catalog_doc *c)
{
    struct view *v = ctx;
    struct view_parts *p = v->parts;
    struct doc *d = NULL;
    int64_t resolved = 0;
    if (p->incident_count == p->incident_cap || c->time_ms > v->at_ms ||
        doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d);
    const char *end = doc_get_str(n, "resolved", NULL);
    if (!end || (!time_parse(end, &resolved) && resolved > v->at_ms)) {
        struct view_incident *i = &p->incidents[p->incident_count++];
        i->id = view_text(p, c->id);
        i->tenant = view_text(p, c->tenant);
        i->state = end ? "open" : view_text(p, c->state);
        i->entity = view_text(p, doc_get_str(n, "entity", ""));
        i->severity = view_text(p, doc_get_str(n, "severity", "info"));
        i->class_name =
            view_text(p, doc_get_str(doc_at(doc_get(n, "hypotheses"), 0), "class", "unknown"));
        view_incident_jobs(p, doc_get(n, "jobs"), i);
    }
    doc_free(d);
    return 0;
}

size_t
view_incidents(struct view *v, const struct view_incident **ret)
{
    struct view_parts *p = v->parts;
    struct catalog_query open = {
        .kind = "incident", .state = "open|acknowledged", .limit = VIEW_INCIDENTS};
    struct catalog_query past = {.kind = "incident",
                                 .from_ms = v->at_ms - 30 * (int64_t)86400000,
                                 .to_ms = v->at_ms + 1,
                                 .limit = VIEW_INCIDENTS};
    pthread_mutex_lock(&p->mutex);
    if (!p->incidents_read &&
        (p->incidents = arena_alloc(p->arena, VIEW_INCIDENTS * sizeof *p->incidents))) {
        p->incident_cap = VIEW_INCIDENTS;
        catalog_list(p->store, v->now ? &open : &past, view_incident_read, v, NULL, NULL);
    }
    p->incidents_read = true;
    *ret = p->incidents;
    size_t n = p->incident_count;
    pthread_mutex_unlock(&p->mutex);
    return n;
}

const struct view_job *
view_job_find(struct view *v, const char *id)
{
    struct view_parts *p = v->parts;
    const struct topo_job *jobs, *j = topo_job_find(v->topo, id);
    size_t n = topo_jobs(v->topo, &jobs), i = 0;
    const struct health_map *h = j ? view_health(v, NULL) : NULL;
    const struct view_job *ret = NULL;
    if (!h)
        return NULL;
    while (i < n && strcmp(jobs[i].id, id) != 0)
        i++;
    pthread_mutex_lock(&p->mutex);
    if (!p->jobs) {
        p->jobs = arena_alloc(p->arena, (n + 1) * sizeof *p->jobs);
        p->job_known = p->jobs ? arena_alloc(p->arena, n + 1) : NULL;
    }
    if (p->job_known && i < n) {
        if (!p->job_known[i] &&
            !path_judge(v->topo, h, id, &p->jobs[i].health, &p->jobs[i].score, NULL))
            p->job_known[i] = 1;
        ret = p->job_known[i] ? &p->jobs[i] : NULL;
    }
    pthread_mutex_unlock(&p->mutex);
    return ret;
}

const struct view_fleet *
view_fleet(struct view *v)
{
    struct view_parts *p = v->parts;
    pthread_mutex_lock(&p->mutex);
    if (!p->fleet)
        p->fleet = view_fleet_new(v->topo, p->arena);
    const struct view_fleet *f = p->fleet;
    pthread_mutex_unlock(&p->mutex);
    return f;
}

const uint8_t *
view_mask(struct view *v, const char *tenant)
{
    struct view_parts *p = v->parts;
    struct view_mask_slot *slot = NULL;
    if (!tenant || !*tenant)
        return NULL;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->mask_count && !slot; i++)
        slot = !strcmp(p->masks[i].tenant, tenant) ? &p->masks[i] : NULL;
    if (!slot) {
        /* Masks are borrowed by others, so none is thrown out: tenants beyond the places see
         * nothing for three seconds. */
        static const char nobody[] = "\1";
        bool room = p->mask_count < VIEW_MASKS - 1;
        if (room || strcmp(p->masks[VIEW_MASKS - 1].tenant, nobody) != 0) {
            slot = &p->masks[p->mask_count++];
            str_copy(slot->tenant, sizeof slot->tenant, room ? tenant : nobody);
            slot->seen = calloc(topo_count(v->topo) + 1, 1);
            if (slot->seen && room)
                view_mask_fill(v->topo, tenant, slot->seen);
        } else {
            slot = &p->masks[VIEW_MASKS - 1];
        }
    }
    const uint8_t *seen = slot->seen;
    pthread_mutex_unlock(&p->mutex);
    return seen;
}

bool
view_sees(struct view *v, const char *tenant, topo_id id)
{
    const uint8_t *mask = view_mask(v, tenant);
    return !tenant || !*tenant || (mask && id != TOPO_NONE && mask[id]);
}
