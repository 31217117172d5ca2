/* plan: what the simulated cluster is made of, flat arrays with indices for relations.
 *
 * Read from a topology document (racks, switches, nodes, nics, storage, links, fabric) or expanded
 * from a template; printed as a document with everything expanded. Names live in the plan's arena.
 * Expected load: 18,432 GPUs, 55,000 ports, 37,000 links, read once. An index of -1 means "none".
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "base/buf.h"
#include "base/doc.h"
#include "base/err.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_what { PLAN_NIC, PLAN_PORT };

struct plan_end { /* where a cable, and its module, is plugged in */
    enum plan_what what;
    uint32_t i;
};

struct plan_unit {
    const char *name;
}; /* a PDU or a CDU */
struct plan_rack {
    const char *name;
    int32_t pdu, cdu;
};
struct plan_switch {
    const char *name, *role, *group, *plane;
    const char *address; /* IPv4, never NULL: the document's, else one of 127.0.0.0/8 of its own */
    int rail;
    int32_t first_port; /* chain by plan_port.next */
    uint32_t ports;
};
struct plan_port {
    const char *name;
    uint32_t sw;
    int32_t link, optic, next;
    uint32_t if_index;
};
struct plan_node {
    const char *name, *group, *vendor, *model;
    int32_t rack;
    uint32_t first_gpu, gpus, first_nic, nics;
    bool mounts; /* has a shared file system */
    int32_t storage;
};
struct plan_gpu {
    uint32_t node, index;
    char pci[16];
}; /* "0000:18:00.0" */
struct plan_nic {
    const char *name, *netdev, *plane;
    uint32_t node;
    int rail;
    int32_t link, optic;
    char pci[16];
};
struct plan_link {
    struct plan_end a, b;
    double gbps;
};
struct plan_optic {
    struct plan_end at;
};
struct plan_storage {
    const char *name, *kind, *path, *server, *nodes;
};

#define PLAN_ARRAY(type)                                                                           \
    struct {                                                                                       \
        type *at;                                                                                  \
        uint32_t count, cap;                                                                       \
    }

struct plan {
    const char *cluster;
    PLAN_ARRAY(struct plan_unit) pdus;
    PLAN_ARRAY(struct plan_unit) cdus;
    PLAN_ARRAY(struct plan_rack) racks;
    PLAN_ARRAY(struct plan_switch) switches;
    PLAN_ARRAY(struct plan_port) ports;
    PLAN_ARRAY(struct plan_node) nodes;
    PLAN_ARRAY(struct plan_gpu) gpus;
    PLAN_ARRAY(struct plan_nic) nics;
    PLAN_ARRAY(struct plan_link) links;
    PLAN_ARRAY(struct plan_optic) optics;
    PLAN_ARRAY(struct plan_storage) storage;
    struct arena *arena;
    struct map *names; /* entity text -> index + 1 */
};

/* A template's numbers; zero means the template's default. */
struct plan_fabric {
    const char *kind; /* rail-spine-leaf, fat-tree */
    uint32_t nodes;   /* 0: as many as fit */
    uint32_t groups, nodes_per_group, rails, spines;
    uint32_t k;    /* fat-tree: switch radix, even */
    uint32_t gpus; /* a node */
    const char *vendor, *model;
    double gbps;
};

int plan_new(const char *cluster, struct plan **ret_plan, struct err *err);
void plan_free(struct plan *p);
/* The document, checked; errors name line and column. */
int plan_load(const struct doc *d, struct plan **ret_plan, struct err *err);
int plan_expand(struct plan *p, const struct plan_fabric *f, struct err *err);
/* The whole plan as a topology document (JSON), two spaces of nothing: one object a line. */
int plan_print(const struct plan *p, struct buf *out);

/* Index of an entity by its full name ("port:leaf-g01-1/Ethernet1"), -1 when there is none. Port
 * names are also found without a trailing "/1", as some equipment numbers its lanes. */
int64_t plan_find(const struct plan *p, const char *entity);

/* Building blocks of reader and templates: each returns the index or a negative code. Names are
 * copied; duplicates are ERR_EXISTS. */
int64_t plan_add_rack(struct plan *p, const char *name, const char *pdu, const char *cdu);
int64_t plan_add_switch(struct plan *p, const struct plan_switch *s);
int64_t plan_add_node(struct plan *p, const struct plan_node *n); /* with n->gpus accelerators */
int64_t plan_add_nic(struct plan *p, const struct plan_nic *n);   /* of the last node added */
int64_t plan_add_port(struct plan *p, uint32_t sw,
                      const char *name); /* the existing one if there is */
int64_t plan_add_link(struct plan *p, struct plan_end a, struct plan_end b, double gbps,
                      bool optic);
int64_t plan_add_storage(struct plan *p, const struct plan_storage *s);
/* Gives every node one shared file system, fs01, unless there is storage already. */
int plan_share_storage(struct plan *p);
/* Grows an array by one zeroed element; NULL at ceiling or without memory. */
void *plan_grow(void *array_at, uint32_t *count, uint32_t *cap, size_t size);

/* Names of ends: "node00001/mlx5_0", "leaf-g01-1/Ethernet1". Returns out. */
const char *plan_end_name(const struct plan *p, struct plan_end e, char *out, size_t size);
struct plan_end plan_far_end(const struct plan *p, struct plan_end e); /* itself when not cabled */
/* The adapter's IPv4 address, a network a rail: 10.RAIL.x.y. Returns out. */
const char *plan_nic_address(const struct plan *p, uint32_t nic, char out[16]);
int32_t plan_end_link(const struct plan *p, struct plan_end e);
int32_t plan_end_optic(const struct plan *p, struct plan_end e);

#endif
