/* entity: the printable names of everything there is, `kind:name`, and their kinds and relations.
 *
 * Names are stable and used in every table, event, API and page. At most ENTITY_MAX bytes,
 * printable UTF-8 without space, quotes, backslash or control characters. Node and switch names
 * hold no '/'; what follows the first '/' is the part as the equipment writes it (it may hold more
 * slashes). */
#ifndef BASE_ENTITY_H
#define BASE_ENTITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define ENTITY_MAX  191
#define ENTITY_SIZE (ENTITY_MAX + 1)

enum entity_kind {
    ENTITY_NONE,
    ENTITY_CLUSTER,
    ENTITY_RACK,
    ENTITY_PDU,
    ENTITY_CDU,
    ENTITY_NODE,
    ENTITY_GPU,
    ENTITY_NIC,
    ENTITY_SWITCH,
    ENTITY_PORT,
    ENTITY_OPTIC,
    ENTITY_LINK,
    ENTITY_STORAGE,
    ENTITY_JOB,
    ENTITY_RANK,
    ENTITY_TENANT,
    ENTITY_NVSWITCH,
    ENTITY_SUPERPOD,
    ENTITY_DPU,
    ENTITY_KINDS
};

enum relation {
    RELATION_NONE,
    RELATION_CONTAINS,
    RELATION_CABLED_TO,
    RELATION_ON_PATH_OF,
    RELATION_POWERED_BY,
    RELATION_COOLED_BY,
    RELATION_MOUNTS,
    RELATION_RUNS_ON,
    RELATIONS
};

/* One row a kind: its word, whether a '/' part is required, title in two languages. */
struct entity_kind_row {
    const char *word;
    bool has_part;          /* gpu:NODE/INDEX, port:SWITCH/NAME, ... */
    enum entity_kind owner; /* kind of what stands before the '/', e.g. node for gpu */
    const char *en, *zh;
};
const struct entity_kind_row *entity_kind_row(enum entity_kind k); /* never NULL */
enum entity_kind entity_kind_find(const char *word, size_t len);   /* ENTITY_NONE if none */
const char *relation_word(enum relation r);                        /* "cabled-to" */
enum relation relation_find(const char *word, size_t len);

struct entity { /* a parsed name; pointers into the text parsed */
    enum entity_kind kind;
    const char *name; /* all behind "kind:" */
    size_t name_len;
    const char *part; /* behind the first '/', NULL where the kind has none */
    size_t part_len;
    size_t owner_len; /* length of name before the '/' (name_len without part) */
};

/* Checks and splits. 0 or ERR_SYNTAX. */
int entity_parse(const char *text, struct entity *ret_entity, struct err *err);
bool entity_ok(const char *text);
enum entity_kind entity_kind_of(const char *text); /* by prefix only */
/* Writes "kind:name" or "kind:owner/part" (part may be NULL); 0 or ERR_RANGE when it does not fit
 * or is not printable. */
int entity_format(char out[ENTITY_SIZE], enum entity_kind k, const char *owner, const char *part);
/* "node:x" of gpu:x/3, nic:x/mlx5_0, optic:x/...; "switch:x" of port:x/...: the owner of a part.
 * An optic's or port's owner kind is not in its name: `is_switch` decides. 0 or ERR_RANGE. */
int entity_owner(char out[ENTITY_SIZE], const char *text, bool is_switch);
/* link name of two port names ("node00001/mlx5_0", "leaf-g01-1/Ethernet1"), the smaller (strcmp)
 * first. */
int entity_link(char out[ENTITY_SIZE], const char *a, const char *b);

#endif
