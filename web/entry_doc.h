/* entry_doc: an entry of the knowledge base as the API's object and as the YAML one would write it
 * in. */
#ifndef WEB_ENTRY_DOC_H
#define WEB_ENTRY_DOC_H

#include "base/buf.h"
#include "base/jsonw.h"
#include "kb/kb.h"

/* The object of docs/UI-API.md; yaml NULL: made from the entry. */
void entry_doc_json(const struct kb *kb, const struct kb_entry *e, const char *yaml,
                    struct jsonw *w);
/* "- id: ..." with every key the entry has; reads back as the same entry. */
void entry_doc_yaml(const struct kb_entry *e, struct buf *out);
/* A scalar in single quotes, on one line. */
void entry_doc_scalar(struct buf *out, const char *s);
/* "title:" and its two languages, indented by `indent`. */
void entry_doc_text(struct buf *out, const char *indent, const char *key, const char *en,
                    const char *zh);

#endif
