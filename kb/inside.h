/* inside: what the files of kb share among themselves. Other floors include kb/kb.h and
 * kb/matcher.h.
 *
 * The way of an entry: YAML (entry.c, family.c) or digest (digest.c) -> struct kb_entry in the
 * arena -> kb.c links symptoms and builds the indexes -> matcher_build.c turns log signals into a
 * pattern database. */
#ifndef KB_INSIDE_H
#define KB_INSIDE_H

#include "base/doc.h"
#include "base/map.h"
#include "kb/kb.h"
#include "kb/matcher.h"

#include <pthread.h>

/* One pattern whose capture `code` chooses the entry: a vendor's whole table of codes for the price
 * of one pattern. */
struct kb_family_row {
    const char *code; /* as captured, lower case; "*" stands for every code not listed */
    const char *id;   /* the entry that a line with the code leads to; "": none */
};
struct kb_family {
    const char *id;
    const char *pattern, *source; /* pattern NULL: codes only */
    const char *const *match, *const *reject;
    const struct kb_family_row *rows; /* by code, strcmp */
    size_t row_count;
    const char *file;
    unsigned line;
};

/* Where sentences about bad input go: each with its place into `out`, the first into `first`. */
struct kb_problems {
    struct buf *out;   /* may be NULL */
    struct err *first; /* may be NULL */
    size_t count;
    bool site_only; /* links of built-in entries are not looked at again */
};

/* What the parsers of one file need. */
struct kb_parse {
    struct kb *kb;
    struct arena *arena;
    struct kb_problems *problems;
    const char *file, *domain;
    bool site;
    bool extend; /* the entry at hand adds to the lists of the one it overrides */
};

#define KB_ENTRIES_MAX  65536
#define KB_FAMILIES_MAX 256
#define KB_ARENA_MAX    (256u << 20)

struct kb_search;
struct kb {
    struct arena *arena;
    struct kb_entry *entries;
    size_t count, cap;
    struct kb_family *families;
    size_t family_count;
    struct map *by_id;   /* id -> index + 1 into entries */
    struct map *by_code; /* upper-case code -> index + 1 */
    struct kb_why *whys; /* sorted by symptom's place in entries */
    size_t why_count;
    uint64_t hash;
    pthread_mutex_t lock; /* guards the lazy search index alone */
    struct kb_search *search;
};

void kb_problem(struct kb_parse *p, const struct doc_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void kb_problem_at(struct kb_problems *problems, const char *file, unsigned line, unsigned column,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Reads and checks one entry of YAML over *e, which is zeroed or a copy of the entry it overrides.
 * Problems are counted in p. */
void kb_entry_parse(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e);
/* The keys that are there, over *e, without asking for any. */
void kb_entry_fill(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e);
bool kb_text_parse(struct kb_parse *p, const struct doc_node *n, const char *what,
                   struct kb_text *ret);
const char *kb_str_keep(struct kb_parse *p, const struct doc_node *n, const char *what);
const char *const *kb_lines_parse(struct kb_parse *p, const struct doc_node *n, const char *what);
bool kb_keys_check(struct kb_parse *p, const struct doc_node *n, const char *const *known);
bool kb_id_ok(const char *id);
void kb_references_parse(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e);
bool kb_log_parse(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s);
/* "gpu>node>job"; "self" gives an empty path, which kb_entry_fill makes the scope. n: the place for
 * problems. */
bool kb_path_parse(struct kb_parse *p, const struct doc_node *n, const char *text,
                   struct kb_cause *c);
int kb_scope_parse(struct kb_parse *p, const struct doc_node *n);
const char *kb_class_name(const char *name); /* the table's own string, NULL when there is none */

/* Expands the rows of a family into entries and adds its pattern. */
void kb_family_parse(struct kb_parse *p, const struct doc_node *n);

/* Adds or replaces; 0, ERR_LIMIT, ERR_NOMEM. */
int kb_put(struct kb *kb, const struct kb_entry *e);
/* The spelling under which codes are compared: upper case, without 0x. Returns out. */
const char *kb_code_fold(const char *code, char out[EVENT_CODE_MAX + 1]);
/* The folded code by which a signal's events are named: of a code itself, "TRAP.OID" of a trap.
 * False for other signals. */
bool kb_signal_code(const struct kb_signal *s, char out[EVENT_CODE_MAX + 1]);
const struct kb_entry *kb_by_code(const struct kb *kb, const char *code);
int kb_put_family(struct kb *kb, const struct kb_family *f);
struct kb *kb_new(void);
/* Links symptoms and builds the index of causes; what does not fit goes to problems, and a cause
 * without its symptom is left out. */
int kb_finish(struct kb *kb, struct kb_problems *problems);
/* Every *.yaml of folder and of its folder families/; problems are counted, 0 or ERR_IO, ERR_NOMEM.
 */
int kb_read_folder(struct kb *kb, const char *folder, bool site, struct kb_problems *problems,
                   struct err *err);
int kb_read_text(struct kb *kb, const char *text, size_t len, const char *file, bool site,
                 struct kb_problems *problems, struct err *err);

/* The digest: entries and families as bytes whose strings are used where they lie. Format in
 * digest.c. */
int kb_digest_encode(const struct kb *kb, struct buf *out);
int kb_digest_decode(struct kb *kb, const void *data,
                     size_t len); /* data outlives kb; 0, ERR_CORRUPT, ERR_NOMEM */

/* What the build put into the program; both 64-aligned and read-only. len 0: built without. */
const void *kb_builtin_digest(size_t *ret_len);
const void *kb_builtin_matcher(size_t *ret_len);

struct kb_search *kb_search_new(const struct kb *kb);
void kb_search_free(struct kb_search *s);
size_t kb_search_run(const struct kb_search *s, const struct kb *kb, const char *q,
                     struct kb_hit *ret, size_t size);

#endif
