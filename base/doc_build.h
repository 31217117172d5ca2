/* doc_build: what the two readers of documents (doc_json, doc_yaml) share; nobody else includes it.
 *
 * A reader makes a document, adds nodes under the limits of doc.h, closes each map, and sets the
 * root. */
#ifndef BASE_DOC_BUILD_H
#define BASE_DOC_BUILD_H

#include "base/doc.h"
#include "base/map.h"

#define DOC_TEXT_MAX  (64u * 1024 * 1024)
#define DOC_DEPTH_MAX 64u
#define DOC_NODES_MAX 4000000u

struct doc {
    struct arena *arena; /* nodes and texts */
    const char *name;    /* in the arena */
    struct doc_node *root;
    size_t nodes;
};

/* Text of more than DOC_TEXT_MAX bytes is refused here. 0, ERR_LIMIT, ERR_NOMEM. */
int doc_new(size_t text_len, const char *name, struct doc **ret_doc, struct err *err);
/* A node at the end of parent's children (parent NULL: the root); *tail is the last child so far.
 */
int doc_node_add(struct doc *d, struct doc_node *parent, struct doc_node **tail,
                 struct doc_node **ret_node, struct err *err);
/* A text copied into the document, 0-terminated. A text that holds a 0 itself is refused. */
int doc_text_add(struct doc *d, const char *s, size_t len, const char **ret_text, struct err *err);
/* ERR_SYNTAX at the second of two equal keys. */
int doc_map_close(const struct doc *d, const struct doc_node *map, struct err *err);

#endif
