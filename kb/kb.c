/* kb: the entries of a knowledge base in memory, loaded from the built-in digest, a site's folder,
 * or both.
 *
 * Expected load: 3,000 entries, loaded once a process; lookups by thousands a second. Always true:
 * after kb_finish nothing changes but the search index, which is made once under its lock. */
#include "base/str.h"
#include "kb/inside.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KB_FILE_MAX (16u << 20)

struct kb *
kb_new(void)
{
    struct kb *kb = calloc(1, sizeof *kb);
    if (!kb)
        return NULL;
    pthread_mutex_init(&kb->lock, NULL);
    kb->arena = arena_new(KB_ARENA_MAX);
    kb->by_id = map_new(KB_ENTRIES_MAX);
    kb->by_code = map_new((size_t)KB_ENTRIES_MAX * 4);
    if (kb->arena && kb->by_id && kb->by_code)
        return kb;
    kb_free(kb);
    return NULL;
}

void
kb_free(struct kb *kb)
{
    if (!kb)
        return;
    kb_search_free(kb->search);
    map_free(kb->by_id, NULL);
    map_free(kb->by_code, NULL);
    arena_free(kb->arena);
    free(kb->entries);
    free(kb->families);
    free(kb->whys);
    pthread_mutex_destroy(&kb->lock);
    free(kb);
}

const char *
kb_code_fold(const char *code, char out[EVENT_CODE_MAX + 1])
{
    size_t n = 0;
    if (code[0] == '0' && (code[1] == 'x' || code[1] == 'X'))
        code += 2;
    for (; *code && n < EVENT_CODE_MAX; code++)
        out[n++] = (char)toupper((unsigned char)*code);
    out[n] = 0;
    return out;
}

bool
kb_signal_code(const struct kb_signal *s, char out[EVENT_CODE_MAX + 1])
{
    if (s->kind == KB_SIGNAL_CODE)
        kb_code_fold(s->code, out);
    else if (s->kind == KB_SIGNAL_TRAP)
        snprintf(out, EVENT_CODE_MAX + 1, "TRAP.%s", s->oid);
    return s->kind == KB_SIGNAL_CODE || s->kind == KB_SIGNAL_TRAP;
}

static int
kb_put_codes(struct kb *kb, const struct kb_entry *e, size_t place)
{
    char folded[EVENT_CODE_MAX + 1];
    for (size_t i = 0; i < e->signal_count; i++) {
        if (!kb_signal_code(&e->signals[i], folded))
            continue;
        if (map_get(kb->by_code, folded, strlen(folded)))
            continue; /* the first one keeps it; lint names the second */
        int rc = map_set(kb->by_code, folded, strlen(folded), (void *)(uintptr_t)(place + 1), NULL);
        if (rc)
            return rc;
    }
    return 0;
}

int
kb_put(struct kb *kb, const struct kb_entry *e)
{
    size_t place = (size_t)(uintptr_t)map_get(kb->by_id, e->id, strlen(e->id));
    if (place) {
        kb->entries[place - 1] = *e;
        return kb_put_codes(kb, e, place - 1);
    }
    if (kb->count == KB_ENTRIES_MAX)
        return ERR_LIMIT;
    if (kb->count == kb->cap) {
        size_t cap = kb->cap ? kb->cap * 2 : 512;
        struct kb_entry *more = realloc(kb->entries, cap * sizeof *more);
        if (!more)
            return ERR_NOMEM;
        kb->entries = more;
        kb->cap = cap;
    }
    int rc = map_set(kb->by_id, e->id, strlen(e->id), (void *)(uintptr_t)(kb->count + 1), NULL);
    if (rc)
        return rc;
    kb->entries[kb->count++] = *e;
    return kb_put_codes(kb, e, kb->count - 1);
}

int
kb_put_family(struct kb *kb, const struct kb_family *f)
{
    for (size_t i = 0; i < kb->family_count; i++)
        if (strcmp(kb->families[i].id, f->id) == 0) {
            kb->families[i] = *f;
            return 0;
        }
    if (kb->family_count == KB_FAMILIES_MAX)
        return ERR_LIMIT;
    struct kb_family *more = realloc(kb->families, (kb->family_count + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    kb->families = more;
    kb->families[kb->family_count++] = *f;
    return 0;
}

/* ---- reading files ---- */

static void
kb_read_entry(struct kb_parse *p, const struct doc_node *n)
{
    const struct doc_node *id = doc_get(n, "id");
    const char *text = doc_str(id, "");
    if (!kb_id_ok(text)) {
        kb_problem(p, id ? id : n,
                   "an entry begins with an id of lower-case letters, digits, dots and dashes");
        return;
    }
    if (doc_get(n, "family")) {
        kb_family_parse(p, n);
        return;
    }
    struct kb_entry e = {0};
    const struct kb_entry *had = kb_find(p->kb, text);
    if (had && had->site == p->site) {
        kb_problem(p, id, "the id %s is already used at %s line %u", text, had->file, had->line);
        return;
    }
    if (had)
        e = *had;
    size_t before = p->problems->count;
    kb_entry_parse(p, n, &e);
    if (p->problems->count == before && kb_put(p->kb, &e))
        kb_problem(p, id, "too many entries");
}

int
kb_read_text(struct kb *kb, const char *text, size_t len, const char *file, bool site,
             struct kb_problems *problems, struct err *err)
{
    struct doc *doc = NULL;
    struct err first = {0};
    int rc = doc_parse_yaml(text, len, file, &doc, &first);
    if (rc == ERR_NOMEM)
        return err_set(err, rc, "out of memory while reading %s", file);
    if (rc) {
        kb_problem_at(problems, file, first.line, first.column, "%s", first.text);
        return 0;
    }
    const char *slash = strrchr(file, '/'), *stem = slash ? slash + 1 : file,
               *dot = strrchr(stem, '.');
    struct kb_parse p = {.kb = kb, .arena = kb->arena, .problems = problems, .site = site};
    p.file = arena_str(kb->arena, file, strlen(file));
    p.domain = arena_str(kb->arena, stem, dot ? (size_t)(dot - stem) : strlen(stem));
    const struct doc_node *root = doc_root(doc);
    if (!p.file || !p.domain)
        rc = err_set(err, ERR_NOMEM, "out of memory while reading %s", file);
    else if (root && root->kind == DOC_SEQ)
        for (const struct doc_node *n = root->first; n; n = n->next)
            kb_read_entry(&p, n);
    else if (root && root->kind != DOC_NULL)
        kb_problem(&p, root,
                   "a file of entries is a list: each begins with \"- id:\" in the first column");
    doc_free(doc);
    return rc;
}

static int
kb_read_file(struct kb *kb, const char *path, bool site, struct kb_problems *problems,
             struct err *err)
{
    struct buf text;
    int rc = file_read(path, KB_FILE_MAX, &text, err);
    if (!rc)
        rc = kb_read_text(kb, buf_str(&text), text.len, path, site, problems, err);
    buf_done(&text);
    return rc;
}

static int
kb_is_yaml(const struct dirent *d)
{
    return d->d_name[0] != '.' && (str_suffix(d->d_name, ".yaml") || str_suffix(d->d_name, ".yml"));
}

static int
kb_read_files(struct kb *kb, const char *folder, bool site, struct kb_problems *problems,
              struct err *err)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, kb_is_yaml, alphasort), rc = 0;
    if (n < 0)
        return err_set_errno(err, "cannot read the folder %s", folder);
    for (int i = 0; i < n; i++) {
        struct buf path;
        buf_init(&path, 4096);
        if (!rc && !(rc = buf_printf(&path, "%s/%s", folder, names[i]->d_name)))
            rc = kb_read_file(kb, buf_str(&path), site, problems, err);
        buf_done(&path);
        free(names[i]);
    }
    free(names);
    return rc;
}

int
kb_read_folder(struct kb *kb, const char *folder, bool site, struct kb_problems *problems,
               struct err *err)
{
    int rc = kb_read_files(kb, folder, site, problems, err);
    struct buf path;
    buf_init(&path, 4096);
    if (!rc)
        rc = buf_printf(&path, "%s/families", folder);
    if (!rc && file_exists(buf_str(&path)))
        rc = kb_read_files(kb, buf_str(&path), site, problems, err);
    buf_done(&path);
    return rc;
}

/* ---- links and indexes ---- */

static size_t
kb_place(const struct kb *kb, const struct kb_entry *e)
{
    return (size_t)(e - kb->entries);
}

static int
kb_why_compare(const void *a, const void *b)
{
    const struct kb_why *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->cause->entry, q = (uintptr_t)y->cause->entry;
    if (p != q)
        return p < q ? -1 : 1;
    p = (uintptr_t)x->entry, q = (uintptr_t)y->entry;
    return p < q ? -1 : p > q;
}

/* Resolves a cause; says what is wrong with it. */
static bool
kb_link(struct kb *kb, const struct kb_entry *e, struct kb_cause *c, struct kb_problems *problems)
{
    c->entry = kb_find_code(kb, c->symptom);
    if (c->entry)
        c->symptom = c->entry->id;
    if (problems->site_only && !e->site)
        return c->entry;
    if (!c->entry)
        kb_problem_at(problems, e->file, e->line, 1,
                      "%s names the symptom %s, which is no entry's id", e->id, c->symptom);
    else if (c->path[0] != e->scope || c->path[c->path_len - 1] != c->entry->scope)
        kb_problem_at(problems, e->file, e->line, 1,
                      "the path to %s runs from %s to %s, but %s is of %s and %s of %s", c->symptom,
                      entity_kind_row(c->path[0])->word,
                      entity_kind_row(c->path[c->path_len - 1])->word, e->id,
                      entity_kind_row(e->scope)->word, c->symptom,
                      entity_kind_row(c->entry->scope)->word);
    return c->entry;
}

/* The causes of one entry, linked; those whose symptom is unknown are left out. */
static int
kb_link_entry(struct kb *kb, struct kb_entry *e, struct kb_problems *problems)
{
    struct kb_cause *causes = arena_alloc(kb->arena, (e->cause_count + 1) * sizeof *causes);
    size_t n = 0;
    if (!causes)
        return ERR_NOMEM;
    for (size_t j = 0; j < e->cause_count; j++) {
        causes[n] = e->causes[j];
        if (!kb_link(kb, e, &causes[n], problems))
            continue;
        kb->whys[kb->why_count++] = (struct kb_why){e, &causes[n]};
        n++;
    }
    e->causes = causes;
    e->cause_count = n;
    if (e->clear_event && !kb_find(kb, e->clear_event))
        kb_problem_at(problems, e->file, e->line, 1, "%s is cleared by %s, which is no entry's id",
                      e->id, e->clear_event);
    return 0;
}

int
kb_finish(struct kb *kb, struct kb_problems *problems)
{
    size_t total = 0;
    for (size_t i = 0; i < kb->count; i++)
        total += kb->entries[i].cause_count;
    kb->whys = calloc(total + 1, sizeof *kb->whys);
    if (!kb->whys)
        return ERR_NOMEM;
    for (size_t i = 0; i < kb->count; i++) {
        int rc = kb_link_entry(kb, &kb->entries[i], problems);
        if (rc)
            return rc;
    }
    qsort(kb->whys, kb->why_count, sizeof *kb->whys, kb_why_compare);
    return 0;
}

static int
kb_hash_make(struct kb *kb)
{
    struct buf b;
    buf_init(&b, KB_ARENA_MAX);
    int rc = kb_digest_encode(kb, &b);
    if (!rc)
        kb->hash = map_hash(b.data, b.len);
    buf_done(&b);
    return rc;
}

/* ---- loading ---- */

/* Built-in entries, then the site's over them; sentences go to `read` and, about links, to `links`.
 */
static int
kb_load_parts(struct kb *kb, const char *site_folder, struct kb_problems *read,
              struct kb_problems *links, struct err *err)
{
    size_t len = 0;
    const void *digest = kb_builtin_digest(&len);
    int rc = len ? kb_digest_decode(kb, digest, len) : 0;
    if (rc)
        return err_set(err, rc, "the built-in knowledge base is damaged");
    if (site_folder)
        rc = kb_read_folder(kb, site_folder, true, read, err);
    if (!rc && (rc = kb_finish(kb, links)))
        err_set(err, rc, "out of memory while loading the knowledge base");
    if (!rc && !site_folder)
        kb->hash = map_hash(digest, len);
    else if (!rc && (rc = kb_hash_make(kb)))
        err_set(err, rc, "out of memory while loading the knowledge base");
    return rc;
}

int
kb_load_site(const char *site_folder, struct kb **ret, struct buf *problems, struct err *err)
{
    struct err first = {0};
    struct kb_problems read = {.out = problems, .first = &first};
    struct kb_problems links = {.out = problems, .site_only = true};
    struct err later = {0};
    links.first = &later;
    struct kb *kb = kb_new();
    int rc = kb ? kb_load_parts(kb, site_folder, &read, &links, err)
                : err_set(err, ERR_NOMEM, "out of memory while loading the knowledge base");
    if (!rc && !problems && read.count + links.count) {
        rc = ERR_SYNTAX;
        if (err)
            *err = read.count ? first : later;
    }
    if (rc)
        kb_free(kb);
    else
        *ret = kb;
    return rc;
}

int
kb_load(const char *site_folder, struct kb **ret, struct err *err)
{
    return kb_load_site(site_folder, ret, NULL, err);
}

int
kb_load_folder(const char *folder, struct kb **ret, struct buf *problems, struct err *err)
{
    struct err first = {0};
    struct kb_problems seen = {.out = problems, .first = &first};
    struct kb *kb = kb_new();
    int rc = kb ? 0 : err_set(err, ERR_NOMEM, "out of memory while loading %s", folder);
    if (!rc)
        rc = kb_read_folder(kb, folder, false, &seen, err);
    if (!rc && (kb_finish(kb, &seen) || kb_hash_make(kb)))
        rc = err_set(err, ERR_NOMEM, "out of memory while loading %s", folder);
    if (!rc && seen.count && !problems) {
        rc = ERR_SYNTAX;
        if (err)
            *err = first;
    }
    if (rc)
        kb_free(kb);
    else
        *ret = kb;
    return rc;
}

/* ---- access ---- */

uint64_t
kb_hash(const struct kb *kb)
{
    return kb->hash;
}

size_t
kb_count(const struct kb *kb)
{
    return kb->count;
}

const struct kb_entry *
kb_at(const struct kb *kb, size_t i)
{
    return i < kb->count ? &kb->entries[i] : NULL;
}

const struct kb_entry *
kb_find(const struct kb *kb, const char *id)
{
    size_t place = (size_t)(uintptr_t)map_get(kb->by_id, id, strlen(id));
    return place ? &kb->entries[place - 1] : NULL;
}

const struct kb_entry *
kb_by_code(const struct kb *kb, const char *code)
{
    char folded[EVENT_CODE_MAX + 1];
    kb_code_fold(code, folded);
    size_t place = (size_t)(uintptr_t)map_get(kb->by_code, folded, strlen(folded));
    return place ? &kb->entries[place - 1] : NULL;
}

const struct kb_entry *
kb_find_code(const struct kb *kb, const char *code)
{
    const struct kb_entry *e = kb_find(kb, code);
    return e ? e : kb_by_code(kb, code);
}

const struct kb_why *
kb_causes_of(const struct kb *kb, const struct kb_entry *symptom, size_t *ret_count)
{
    size_t lo = 0, hi = kb->why_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (kb_place(kb, kb->whys[mid].cause->entry) < kb_place(kb, symptom))
            lo = mid + 1;
        else
            hi = mid;
    }
    size_t n = lo;
    while (n < kb->why_count && kb->whys[n].cause->entry == symptom)
        n++;
    *ret_count = n - lo;
    return kb->whys + lo;
}

size_t
kb_search(const struct kb *kb, const char *q, struct kb_hit *ret, size_t size)
{
    struct kb *lazy = (struct kb *)kb;
    pthread_mutex_lock(&lazy->lock);
    if (!kb->search)
        lazy->search = kb_search_new(kb);
    pthread_mutex_unlock(&lazy->lock);
    return kb->search ? kb_search_run(kb->search, kb, q, ret, size) : 0;
}
