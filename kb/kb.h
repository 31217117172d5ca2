/* kb: the knowledge base, loaded: entries, and the index over their ids, classes, codes and texts.
 *
 * The built-in entries are compiled into the program (kb_builtin); a site's folder overrides or
 * extends by id. Immutable once loaded; thread-safe. */
#ifndef KB_KB_H
#define KB_KB_H

#include "base/buf.h"
#include "base/entity.h"
#include "base/err.h"
#include "base/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kb_role { KB_ROOT, KB_CASCADE, KB_CONFIRMATION };
enum kb_signal_kind {
    KB_SIGNAL_LOG,
    KB_SIGNAL_METRIC,
    KB_SIGNAL_TRAP,
    KB_SIGNAL_DELTA,
    KB_SIGNAL_CODE
};

struct kb_text {
    const char *en, *zh;
};

struct kb_signal {
    enum kb_signal_kind kind;
    const char *pattern, *source;             /* LOG; source "any" by default */
    const char *const *match, *const *reject; /* LOG: NULL-terminated */
    const char *expr;
    int64_t for_ms;  /* METRIC: PromQL */
    const char *oid; /* TRAP */
    const char *metric;
    int64_t over_ms;
    double above;     /* DELTA */
    const char *code; /* CODE */
};

struct kb_cause {                 /* what this entry's fault makes appear elsewhere */
    const char *symptom;          /* entry id */
    const struct kb_entry *entry; /* resolved */
    enum entity_kind path[8];     /* path[0] is this entry's scope; path_len 1: the same entity */
    size_t path_len;
    double probability;
    int64_t delay_min_ms, delay_max_ms;
};

struct kb_advice {
    const char *by, *source, *version;
    struct kb_text says;
};
struct kb_reference {
    const char *title, *url;
};

struct kb_entry {
    const char *id, *class_name, *domain; /* domain: file stem */
    enum entity_kind scope;
    enum kb_role role;
    enum severity severity;
    double prior, background; /* per 10,000 entities and 30 days */
    struct kb_text title, description;
    const struct kb_text *actions;
    size_t action_count;
    const struct kb_signal *signals;
    size_t signal_count;
    const struct kb_cause *causes;
    size_t cause_count;
    int64_t clear_after_ms;
    const char *clear_pattern, *clear_event;
    const struct kb_advice *advice;
    size_t advice_count;
    const struct kb_reference *references;
    size_t reference_count;
    /* entries that may take its lines too, and then give way; NULL-terminated, or NULL */
    const char *const *overlaps;
    const char *file;
    unsigned line; /* where it is defined */
    bool site;
};

struct kb;
/* folder NULL: built-in only. Else the folder's entries too: a new id adds an entry; the id of a
 * built-in one overrides it, and need only give the keys it changes; with `extend: true` its lists
 * (actions, signals, causes, advice, references) are added to those that are there. The first
 * error names file, line and sentence: a folder is taken whole or not at all. */
int kb_load(const char *site_folder, struct kb **ret, struct err *err);
/* The same, and every problem of the folder goes to `problems` as "file:line:col: sentence\n"; an
 * entry with a problem is left out. For kb_lint of a site. */
int kb_load_site(const char *site_folder, struct kb **ret, struct buf *problems, struct err *err);
/* From a folder alone, without the built-in: for the build and tests. problems as above. */
int kb_load_folder(const char *folder, struct kb **ret, struct buf *problems, struct err *err);
/* Every check that needs all entries: each match line matches, each reject line does not, no line
 * of one entry matches another, codes, texts and numbers. Returns the number of problems; text in
 * out, a line each. Compiles all patterns: a second or two. */
int kb_lint(const struct kb *kb, struct buf *out);
void kb_free(struct kb *kb);
uint64_t kb_hash(const struct kb *kb);
size_t kb_count(const struct kb *kb);
const struct kb_entry *kb_at(const struct kb *kb, size_t i);
const struct kb_entry *kb_find(const struct kb *kb, const char *id); /* by id, NULL */
/* By id, else by signal code, whatever its case and with or without 0x: "Xid 79", "SXid 12028",
 * "DCGM_FR_XID_ERROR", "0x80E18400", "AISW_CANN_HCCL_029"; a trap's is "trap.OID". */
const struct kb_entry *kb_find_code(const struct kb *kb, const char *code);
/* Entries whose fault makes `symptom` appear: pairs (entry, cause). */
struct kb_why {
    const struct kb_entry *entry;
    const struct kb_cause *cause;
};
const struct kb_why *kb_causes_of(const struct kb *kb, const struct kb_entry *symptom,
                                  size_t *ret_count);
/* Classes of CONTRACT.md: title in two languages; NULL when no such class. */
const struct kb_text *kb_class(const char *name);
/* What a person does to see whether the cause is of that class, in two languages; NULL as above. */
const struct kb_text *kb_class_test(const char *name);

/* Search, both languages (words; CJK by bigrams), ranked; returns count. */
struct kb_hit {
    const struct kb_entry *entry;
    double score;
};
size_t kb_search(const struct kb *kb, const char *q, struct kb_hit *ret, size_t size);
struct jsonw;
/* The members "advice" and "references", into an object that is already open. */
void kb_entry_sources(const struct kb_entry *e, struct jsonw *w);
int kb_entry_json(const struct kb_entry *e, struct buf *out); /* the API's object */
int kb_entry_explain(const struct kb_entry *e, const char *lang,
                     struct buf *out); /* plain text for a terminal */

#endif
