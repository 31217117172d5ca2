/* family: a vendor's table of codes, compact: shared texts in buckets, one short row a code, one
 * log pattern for all.
 *
 *   - id: nvidia.xid
 *     family:
 *       strip: PREFIX_             # left out of the ids made from codes
 *       title: {en: 'Xid {code}: {name}', zh: ...}
 *       log: {pattern: '... (?<code>\d+)', source: kernel, match: [...], reject: [...]}
 *       codes: ['XID {code}']      # the codes by which others name it
 *       advice: {by, source, version}
 *       references: [...]
 *       buckets: [{name: RESET_GPU, says: {en, zh}, KEYS OF AN ENTRY}]
 *       rows: [{code: 8, name: ..., zh: ..., bucket: RESET_GPU, leads: [CODE, 'CODE gpu>rank'],
 * KEYS OF AN ENTRY}]
 *
 * A row makes the entry ID.CODE (lower case, _ and blanks as -), unless an entry of that id or with
 * that code is there already: then the code leads to it, and a line with the code too unless that
 * entry has patterns of its own. Row code "*" stands for every code that is not listed. Where the
 * pattern captures `status` too, a row CODE/STATUS goes before the row CODE. */
#include "base/str.h"
#include "kb/inside.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY_BUCKETS 64

struct family_bucket {
    const char *name;
    struct kb_entry entry;
    struct kb_text says;
};

struct family {
    struct kb_parse *p;
    const char *id, *strip;
    struct kb_text title;
    const char *const *codes;
    struct kb_advice advice; /* by NULL: none */
    struct kb_family out;
    struct kb_family_row *rows;
    struct family_bucket buckets[FAMILY_BUCKETS];
    size_t bucket_count;
};

static const char *const family_entry_keys[] = {
    "class",   "scope",   "role",   "severity", "prior",  "background", "title", "description",
    "actions", "signals", "clears", "causes",   "advice", "references", NULL,
};

/* Keys of an entry and those of the family's own. */
static bool
family_keys(struct kb_parse *p, const struct doc_node *n, const char *const *own)
{
    const char *known[32] = {0};
    size_t count = 0;
    for (; own[count]; count++)
        known[count] = own[count];
    for (size_t i = 0; family_entry_keys[i]; i++)
        known[count++] = family_entry_keys[i];
    return kb_keys_check(p, n, known);
}

static void
family_bucket_parse(struct family *f, const struct doc_node *n)
{
    static const char *const own[] = {"name", "says", NULL};
    if (!family_keys(f->p, n, own))
        return;
    if (f->bucket_count == FAMILY_BUCKETS) {
        kb_problem(f->p, n, "a family has at most %d buckets", FAMILY_BUCKETS);
        return;
    }
    struct family_bucket *b = &f->buckets[f->bucket_count];
    *b = (struct family_bucket){.name = kb_str_keep(f->p, doc_get(n, "name"), "name"),
                                .entry.background = 0.1};
    kb_entry_fill(f->p, n, &b->entry);
    if (doc_get(n, "says"))
        kb_text_parse(f->p, doc_get(n, "says"), "says", &b->says);
    if (b->name)
        f->bucket_count++;
}

static const struct family_bucket *
family_bucket_find(const struct family *f, const char *name)
{
    for (size_t i = 0; i < f->bucket_count; i++)
        if (strcmp(f->buckets[i].name, name) == 0)
            return &f->buckets[i];
    return NULL;
}

/* Replaces {code} and {name} in a template. */
static const char *
family_fill(struct family *f, const char *template, const char *code, const char *name)
{
    struct buf b;
    buf_init(&b, 4096);
    for (const char *s = template; *s;) {
        if (str_prefix(s, "{code}")) {
            buf_puts(&b, code);
            s += 6;
        } else if (str_prefix(s, "{name}")) {
            buf_puts(&b, name);
            s += 6;
        } else {
            buf_putc(&b, *s++);
        }
    }
    const char *kept = arena_str(f->p->arena, buf_str(&b), b.len);
    buf_done(&b);
    return kept;
}

static const char *
family_row_id(struct family *f, const char *code)
{
    char id[EVENT_CODE_MAX + 1];
    size_t n = str_copy(id, sizeof id, f->id);
    if (*f->strip && str_prefix(code, f->strip))
        code += strlen(f->strip);
    if (strcmp(code, "*") == 0)
        code = "other";
    if (n + 1 + strlen(code) >= sizeof id)
        return NULL;
    id[n++] = '.';
    for (; *code; code++)
        id[n++] = isalnum((unsigned char)*code) || *code == '.'
                      ? (char)tolower((unsigned char)*code)
                      : '-';
    return arena_str(f->p->arena, id, n);
}

/* Adds code signals by the family's templates to an entry's list. */
static void
family_row_codes(struct family *f, const char *code, struct kb_entry *e)
{
    size_t more = 0;
    while (f->codes[more])
        more++;
    struct kb_signal *list = arena_alloc(f->p->arena, (e->signal_count + more + 1) * sizeof *list);
    if (!list || strcmp(code, "*") == 0)
        return;
    if (e->signal_count)
        memcpy(list, e->signals, e->signal_count * sizeof *list);
    for (size_t i = 0; i < more; i++) {
        const char *text = family_fill(f, f->codes[i], code, "");
        const struct kb_entry *had = kb_by_code(f->p->kb, text);
        if (!had)
            list[e->signal_count++] = (struct kb_signal){.kind = KB_SIGNAL_CODE, .code = text};
    }
    e->signals = list;
}

/* One lead: "CODE" on the same entity, or "CODE PATH" with a path as causes have it. */
static bool
family_lead(struct family *f, const struct doc_node *n, const struct kb_entry *e,
            struct kb_cause *c)
{
    const char *text = doc_str(n, ""), *path = strchr(text, ' ');
    size_t len = path ? (size_t)(path - text) : strlen(text);
    *c = (struct kb_cause){
        .symptom = arena_str(f->p->arena, text, len),
        .path = {e->scope},
        .path_len = 1,
        .probability = 0.5, /* the vendor's table says that it may, not how often */
        .delay_max_ms = 600000,
    };
    return c->symptom && (!path || kb_path_parse(f->p, n, path + 1, c));
}

/* What the row's fault leads to by the vendor's table: codes or ids, found when all entries are
 * there. */
static void
family_row_leads(struct family *f, const struct doc_node *leads, struct kb_entry *e)
{
    size_t more = leads ? leads->count : 0;
    struct kb_cause *list = arena_alloc(f->p->arena, (e->cause_count + more + 1) * sizeof *list);
    if (!list || !more)
        return;
    if (e->cause_count)
        memcpy(list, e->causes, e->cause_count * sizeof *list);
    for (const struct doc_node *m = leads->first; m; m = m->next)
        if (family_lead(f, m, e, &list[e->cause_count]))
            e->cause_count++;
    e->causes = list;
}

static void
family_row_advice(struct family *f, const struct family_bucket *b, struct kb_entry *e)
{
    struct kb_advice *list = arena_alloc(f->p->arena, (e->advice_count + 1) * sizeof *list);
    if (!list || !f->advice.by || !b->says.en)
        return;
    if (e->advice_count)
        memcpy(list, e->advice, e->advice_count * sizeof *list);
    list[e->advice_count] = f->advice;
    list[e->advice_count++].says = b->says;
    e->advice = list;
}

/* The entry a row makes. */
static int
family_row_entry(struct family *f, const struct doc_node *n, const char *code, const char *id,
                 const struct family_bucket *b, const struct kb_entry *shared)
{
    struct kb_entry e = b->entry;
    const char *name = doc_get_str(n, "name", ""), *zh = doc_get_str(n, "zh", name);
    e.id = id;
    e.title = (struct kb_text){family_fill(f, f->title.en, code, name),
                               family_fill(f, f->title.zh, code, zh)};
    if (!e.reference_count) {
        e.references = shared->references;
        e.reference_count = shared->reference_count;
    }
    kb_entry_fill(f->p, n, &e);
    family_row_codes(f, code, &e);
    family_row_leads(f, doc_get(n, "leads"), &e);
    family_row_advice(f, b, &e);
    e.domain = f->p->domain;
    e.file = f->p->file;
    e.line = n->line;
    e.site = f->p->site;
    if (!e.class_name || !e.scope || !e.description.en || !e.action_count) {
        kb_problem(
            f->p, n,
            "row %s has no class, scope, description or actions, of its own or of its bucket",
            code);
        return 0;
    }
    return kb_put(f->p->kb, &e);
}

/* An entry with patterns of its own knows best which lines are its own: the table then leads to
 * nothing. */
static bool
family_has_log(const struct kb_entry *e)
{
    for (size_t i = 0; i < e->signal_count; i++)
        if (e->signals[i].kind == KB_SIGNAL_LOG)
            return true;
    return false;
}

static void
family_row_parse(struct family *f, const struct doc_node *n, const struct kb_entry *shared)
{
    static const char *const own[] = {"code", "name", "zh", "bucket", "leads", NULL};
    if (!family_keys(f->p, n, own))
        return;
    const char *code = kb_str_keep(f->p, doc_get(n, "code"), "code");
    const char *bucket = doc_get_str(n, "bucket", "");
    const struct family_bucket *b = family_bucket_find(f, bucket);
    const char *id = code ? family_row_id(f, code) : NULL;
    if (!b)
        kb_problem(f->p, n, "the family has no bucket %s", bucket);
    if (!id || !b)
        return;
    const struct kb_entry *had = kb_find(f->p->kb, id);
    for (size_t i = 0; !had && f->codes[i]; i++)
        had = kb_by_code(f->p->kb, family_fill(f, f->codes[i], code, ""));
    if (had) {
        struct kb_entry e = *had;
        family_row_codes(f, code, &e);
        id = family_has_log(&e) ? "" : e.id;
        kb_put(f->p->kb, &e);
    } else if (family_row_entry(f, n, code, id, b, shared)) {
        kb_problem(f->p, n, "too many entries");
    }
    char *lower = arena_str(f->p->arena, code, strlen(code));
    for (char *c = lower; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    f->rows[f->out.row_count++] = (struct kb_family_row){lower, id};
}

static int
family_row_compare(const void *a, const void *b)
{
    const struct kb_family_row *x = a, *y = b;
    return strcmp(x->code, y->code);
}

static void
family_head_parse(struct family *f, const struct doc_node *n, struct kb_entry *shared)
{
    static const char *const said[] = {"by", "source", "version", NULL};
    struct kb_parse *p = f->p;
    f->strip = doc_get_str(n, "strip", "");
    f->codes = kb_lines_parse(p, doc_get(n, "codes"), "codes");
    kb_text_parse(p, doc_get(n, "title"), "title", &f->title);
    const struct doc_node *log = doc_get(n, "log"), *advice = doc_get(n, "advice");
    struct kb_signal s = {0};
    if (log && kb_log_parse(p, log, &s)) {
        f->out.pattern = s.pattern;
        f->out.source = s.source;
        f->out.match = s.match;
        f->out.reject = s.reject;
        if (!strstr(s.pattern, "(?<code>"))
            kb_problem(p, doc_get(log, "pattern"), "a family's pattern has a capture named code");
    }
    if (advice && kb_keys_check(p, advice, said)) {
        f->advice.by = kb_str_keep(p, doc_get(advice, "by"), "by");
        f->advice.source = kb_str_keep(p, doc_get(advice, "source"), "source");
        f->advice.by = f->advice.source ? f->advice.by : NULL;
        f->advice.version = doc_get_str(advice, "version", "");
        f->advice.version = arena_str(p->arena, f->advice.version, strlen(f->advice.version));
    }
    if (doc_get(n, "references"))
        kb_references_parse(p, doc_get(n, "references"), shared);
}

void
kb_family_parse(struct kb_parse *p, const struct doc_node *n)
{
    static const char *const outer[] = {"id", "family", NULL};
    static const char *const known[] = {"strip",      "title",   "log",  "codes", "advice",
                                        "references", "buckets", "rows", NULL};
    const struct doc_node *body = doc_get(n, "family"), *rows = doc_get(body, "rows"),
                          *buckets = doc_get(body, "buckets");
    if (!kb_keys_check(p, n, outer) || !kb_keys_check(p, body, known))
        return;
    struct family *f = calloc(1, sizeof *f);
    const char *id = kb_str_keep(p, doc_get(n, "id"), "id");
    if (!f || !id || !rows || !buckets) {
        kb_problem(p, n, "a family has an id, buckets and rows");
        free(f);
        return;
    }
    f->p = p;
    f->id = id;
    f->out = (struct kb_family){.id = id, .file = p->file, .line = n->line};
    f->rows = arena_alloc(p->arena, (rows->count + 1) * sizeof *f->rows);
    struct kb_entry shared = {0};
    family_head_parse(f, body, &shared);
    for (const struct doc_node *m = buckets->first; m; m = m->next)
        family_bucket_parse(f, m);
    for (const struct doc_node *m = f->rows && f->title.en && f->codes ? rows->first : NULL; m;
         m = m->next)
        family_row_parse(f, m, &shared);
    qsort(f->rows, f->out.row_count, sizeof *f->rows, family_row_compare);
    f->out.rows = f->rows;
    if (kb_put_family(p->kb, &f->out))
        kb_problem(p, n, "too many families");
    free(f);
}
