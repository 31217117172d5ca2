/* conf: configuration by option tables. A row names the key, its type, range, default and help; the
 * same rows check a document, fill a struct, complete the manual page, and name the nearest key for
 * an unknown one. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/buf.h"
#include "base/doc.h"
#include "base/err.h"

#include <stddef.h>

enum conf_type {
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t, min..max */
    CONF_REAL,     /* double, min..max */
    CONF_STR,      /* char *, owned */
    CONF_CHOICE,   /* int: index into choices */
    CONF_DURATION, /* int64_t ms, min..max */
    CONF_SIZE,     /* int64_t bytes; KB MB GB TB (1000), KiB ... (1024) */
    CONF_PATH,     /* char *, owned; relative paths start at the configuration's folder */
    CONF_STRS,     /* struct conf_strs: a sequence of strings (one string is accepted) */
    CONF_MAP,      /* struct at offset, described by `rows` */
    CONF_LIST,     /* struct conf_list of structs of `size` bytes, described by `rows` */
    CONF_NODE, /* const struct doc_node *: kept raw for its reader (the document must live on) */
};

struct conf_strs {
    char **at;
    size_t count;
};
struct conf_list {
    void *at;
    size_t count;
};

struct conf_row {
    const char *key; /* NULL ends a table */
    enum conf_type type;
    size_t offset;
    const char *dflt;            /* as text; NULL: zero, "" or absent (CONF_STR stays NULL) */
    double min, max;             /* both 0: any */
    const char *const *choices;  /* NULL-terminated */
    const struct conf_row *rows; /* MAP, LIST */
    size_t size;                 /* LIST: of an element */
    bool required;
    const char *help; /* one sentence; the lint requires it */
};

/* Fills `out` (a struct laid out as rows say) from `map` (NULL: defaults only). `folder` resolves
 * CONF_PATH. Members of an absent map keep their defaults and are not required. 0 or an error with
 * place. On failure `out` is done. */
int conf_fill(const struct conf_row *rows, const struct doc *d, const struct doc_node *map,
              const char *folder, void *out, struct err *err);
void conf_done(const struct conf_row *rows, void *out);
/* Every key with its path, type, default and help, as man(7) paragraphs. 0 or ERR_LIMIT. */
int conf_describe(const struct conf_row *rows, const char *prefix, struct buf *out);

#endif
