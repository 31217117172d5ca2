/* discover: an open-addressed table of hashes that doubles as series come. */
#include "collector/discover.h"

#include "base/str.h"
#include "store/topo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DISCOVER_FIRST ((size_t)4096)    /* slots */
#define DISCOVER_SLOTS ((size_t)1 << 23) /* 64 MiB */
#define DISCOVER_MAX   (DISCOVER_SLOTS / 4 * 3)
#define DISCOVER_NEAR  ((size_t)64) /* devices of a request among which one is looked for */

struct discover {
    struct store *store;
    const struct metric_table *metrics;
    pthread_rwlock_t lock; /* the table */
    uint64_t *slots;       /* 0: empty */
    size_t size, count;
    _Atomic uint64_t overflow;
};

struct discover *
discover_new(struct store *s, const struct metric_table *metrics)
{
    struct discover *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->store = s;
    d->metrics = metrics;
    d->size = DISCOVER_FIRST;
    d->slots = calloc(d->size, sizeof *d->slots);
    if (!d->slots) {
        free(d);
        return NULL;
    }
    pthread_rwlock_init(&d->lock, NULL);
    return d;
}

void
discover_free(struct discover *d)
{
    if (!d)
        return;
    pthread_rwlock_destroy(&d->lock);
    free(d->slots);
    free(d);
}

uint64_t
discover_overflow(const struct discover *d)
{
    return atomic_load(&d->overflow);
}

/* The hash's slot, or the empty one where it belongs. */
static size_t
discover_slot(const uint64_t *slots, size_t size, uint64_t hash)
{
    size_t i = hash & (size - 1);
    while (slots[i] && slots[i] != hash)
        i = (i + 1) & (size - 1);
    return i;
}

/* Is it to be looked at? */
static bool
discover_new_to(struct discover *d, uint64_t hash)
{
    pthread_rwlock_rdlock(&d->lock);
    bool known = d->slots[discover_slot(d->slots, d->size, hash)] != 0;
    bool full = d->count >= DISCOVER_MAX;
    pthread_rwlock_unlock(&d->lock);
    if (!known && full)
        atomic_fetch_add(&d->overflow, 1);
    return !known && !full;
}

static bool
discover_room(struct discover *d) /* under the lock */
{
    if (d->count < d->size / 4 * 3)
        return true;
    size_t size = d->size * 2;
    uint64_t *slots = size <= DISCOVER_SLOTS ? calloc(size, sizeof *slots) : NULL;
    if (!slots)
        return false;
    for (size_t i = 0; i < d->size; i++)
        if (d->slots[i])
            slots[discover_slot(slots, size, d->slots[i])] = d->slots[i];
    free(d->slots);
    d->slots = slots;
    d->size = size;
    return true;
}

static void
discover_remember(struct discover *d, const struct discover_batch *b, size_t n)
{
    pthread_rwlock_wrlock(&d->lock);
    for (size_t i = 0; i < n && discover_room(d); i++) {
        uint64_t *slot = &d->slots[discover_slot(d->slots, d->size, b->found[i].hash)];
        d->count += !*slot;
        *slot = b->found[i].hash;
    }
    pthread_rwlock_unlock(&d->lock);
}

/* Software's own interfaces are no devices. */
static bool
discover_virtual(const char *part, size_t len)
{
    static const char *const words[] = {"lo",   "veth",    "docker", "br-", "virbr",       "cali",
                                        "cni",  "flannel", "tun",    "tap", "dummy",       "bond",
                                        "kube", "vxlan",   "vlan",   "ovs", "nodelocaldns"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (len >= n && !memcmp(part, words[i], n) && (i || len == 2))
            return true;
    }
    return false;
}

static bool
discover_wanted(const char *name)
{
    struct entity e;
    if (entity_parse(name, &e, NULL))
        return false;
    switch (e.kind) {
    case ENTITY_NODE:
    case ENTITY_GPU:
    case ENTITY_SWITCH:
    case ENTITY_PORT:
    case ENTITY_OPTIC:
    case ENTITY_RACK:
    case ENTITY_PDU:
    case ENTITY_CDU:
    case ENTITY_NVSWITCH:
    case ENTITY_DPU:
        return true;
    case ENTITY_NIC:
        return !discover_virtual(e.part, e.part_len);
    default:
        return false;
    }
}

/* A series whose name means nothing to us tells of its node at most. */
static int
discover_entity(struct discover *d, const struct topo *t, const struct labels *l,
                char out[ENTITY_SIZE])
{
    static const struct metric_row of_node = {
        .name = "", .meaning = METRIC_NODE_UP, .part_labels = "", .vendor = "any", .help = ""};
    const struct label *name = labels_find(l, "__name__");
    const struct metric_row *row =
        name ? metric_find(d->metrics, name->value, name->value_len) : NULL;
    return topo_resolve(t, row ? row : &of_node, l, out);
}

static void
discover_keep(struct discover_batch *b, uint64_t hash, const char *entity)
{
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 64;
        void *more = room > DISCOVER_FOUND_MAX ? NULL : realloc(b->found, room * sizeof *b->found);
        if (!more) /* the next batch finds the rest: their hashes are not remembered */
            return;
        b->found = more;
        b->room = room;
    }
    b->found[b->count].hash = hash;
    str_copy(b->found[b->count++].entity, ENTITY_SIZE, entity);
}

/* A device's series come near each other. */
static bool
discover_told(const struct discover_batch *b, const char *entity)
{
    size_t n = b->count < DISCOVER_NEAR ? b->count : DISCOVER_NEAR;
    for (size_t i = b->count; i-- > b->count - n;)
        if (!strcmp(b->found[i].entity, entity))
            return true;
    return false;
}

static void
discover_look(struct discover_batch *b, const struct labels *l)
{
    char entity[ENTITY_SIZE] = "";
    uint64_t hash = b->next.known ? 0 : labels_hash(l) | 1;
    if (hash && !discover_new_to(b->d, hash))
        return;
    struct topo *t = topo_get(b->d->store);
    bool unknown = discover_entity(b->d, t, l, entity) == ERR_NOTFOUND && *entity;
    topo_put(t);
    if (!(unknown && discover_wanted(entity)))
        *entity = 0;
    if (hash || (*entity && !discover_told(b, entity)))
        discover_keep(b, hash, entity);
}

static int
discover_series(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct discover_batch *b = ctx;
    discover_look(b, l);
    return b->next.series(b->next.ctx, l, s, n);
}

struct sample_sink
discover_sink(struct discover_batch *b, struct discover *d, struct sample_sink next,
              const char *source)
{
    *b = (struct discover_batch){.d = d, .next = next, .source = source};
    if (!d)
        return next;
    struct sample_sink sink =
        next; /* what is known by its bytes was looked at when it came first */
    sink.series = discover_series;
    sink.ctx = b;
    return sink;
}

void
discover_done(struct discover_batch *b, bool stored)
{
    const char *last = "";
    size_t told = 0;
    for (; stored && told < b->count; told++) {
        const char *entity = b->found[told].entity;
        if (!*entity || !strcmp(entity, last)) /* a scrape's series come node by node */
            continue;
        if (topo_discovered(b->d->store, entity, b->source) == ERR_LIMIT)
            break; /* told again with a later batch */
        last = entity;
    }
    if (told && !b->next.known)
        discover_remember(b->d, b, told);
    free(b->found);
    b->found = NULL;
    b->count = b->room = 0;
}
