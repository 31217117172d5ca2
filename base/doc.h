/* doc: a parsed document, from JSON (jansson) or YAML (libyaml's events), one tree for both.
 *
 * Every node of a YAML document keeps line and column, so that an error found later still names its
 * place; JSON nodes have line 0. Nodes live as long as the document. Limits: 64 MiB of text,
 * depth 64, 4 million nodes; YAML aliases are refused (they make bombs). Duplicate keys are errors.
 */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_REAL, DOC_STR, DOC_SEQ, DOC_MAP };

struct doc_node {
    enum doc_kind kind;
    unsigned line, column;
    const char *key; /* in a map: the member's name; else NULL */
    unsigned key_line, key_column;
    const char *str; /* DOC_STR: text (UTF-8, 0-terminated); scalars of YAML: text as written */
    size_t len;      /* of str */
    bool quoted;     /* YAML scalar in quotes or block: always a string */
    union {
        bool b;
        int64_t i;
        double r;
    } v;
    struct doc_node *first, *next; /* SEQ, MAP: children in order; next: sibling */
    size_t count;                  /* SEQ, MAP: number of children */
};

struct doc; /* owns all nodes and texts */

/* `name` is used in errors only. 0, ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
int doc_parse_json(const char *text, size_t len, const char *name, struct doc **ret_doc,
                   struct err *err);
int doc_parse_yaml(const char *text, size_t len, const char *name, struct doc **ret_doc,
                   struct err *err);
int doc_load_yaml(const char *path, struct doc **ret_doc, struct err *err);
/* JSON if the first significant character is { or [, else YAML. */
int doc_parse_any(const char *text, size_t len, const char *name, struct doc **ret_doc,
                  struct err *err);
void doc_free(struct doc *d);
const struct doc_node *doc_root(const struct doc *d);
const char *doc_name(const struct doc *d);

/* Access. All accept NULL nodes and nodes of another kind and then give the default. */
const struct doc_node *doc_get(const struct doc_node *map, const char *key);
const struct doc_node *doc_at(const struct doc_node *seq, size_t i);
/* Strings, and YAML scalars as written */
const char *doc_str(const struct doc_node *n, const char *dflt);
const char *doc_get_str(const struct doc_node *map, const char *key, const char *dflt);
int64_t doc_int(const struct doc_node *n, int64_t dflt); /* INT, REAL with integral value */
int64_t doc_get_int(const struct doc_node *map, const char *key, int64_t dflt);
double doc_real(const struct doc_node *n, double dflt); /* INT, REAL */
double doc_get_real(const struct doc_node *map, const char *key, double dflt);
bool doc_bool(const struct doc_node *n, bool dflt);
bool doc_get_bool(const struct doc_node *map, const char *key, bool dflt);

/* An error at a node's place. Returns code. */
int doc_err(const struct doc *d, const struct doc_node *n, struct err *err, int code,
            const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Unknown members of map are errors naming the nearest of `known` (NULL-terminated). 0 or
 * ERR_SYNTAX. */
int doc_only(const struct doc *d, const struct doc_node *map, const char *const *known,
             struct err *err);

#endif
