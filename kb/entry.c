/* entry: one entry of YAML, checked against the schema key by key, into struct kb_entry.
 *
 * Expected load: a few hundred entries at build, a few dozen of a site at start. Always true: a
 * problem is a sentence with its place, parsing goes on behind it, and what was wrong is left out
 * of the entry. */
#include "base/clock.h"
#include "base/regex.h"
#include "base/str.h"
#include "kb/inside.h"

#include <stdio.h>
#include <string.h>

void
kb_problem_at(struct kb_problems *problems, const char *file, unsigned line, unsigned column,
              const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (problems->out)
        buf_printf(problems->out, "%s:%u:%u: %s\n", file, line, column, text);
    if (!problems->count && problems->first) {
        err_set(problems->first, ERR_SYNTAX, "%s", text);
        err_at(problems->first, file, line, column);
    }
    problems->count++;
}

void
kb_problem(struct kb_parse *p, const struct doc_node *n, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    kb_problem_at(p->problems, p->file, n ? n->line : 0, n ? n->column : 0, "%s", text);
}

/* A list's room: count entries more than what the overridden entry had, when the entry extends it.
 */
static void *
entry_list(struct kb_parse *p, const void *base, size_t *count, size_t more, size_t size)
{
    size_t had = p->extend ? *count : 0;
    char *list = arena_alloc(p->arena, (had + more + 1) * size);
    if (list && had)
        memcpy(list, base, had * size);
    *count = list ? had : 0;
    return list;
}

bool
kb_id_ok(const char *id)
{
    size_t n = strlen(id);
    return n && n <= EVENT_CODE_MAX && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n &&
           id[0] != '.' && id[n - 1] != '.';
}

bool
kb_keys_check(struct kb_parse *p, const struct doc_node *n, const char *const *known)
{
    if (!n || n->kind != DOC_MAP) {
        kb_problem(p, n, "a mapping is expected here, with the keys %s, ...", known[0]);
        return false;
    }
    for (const struct doc_node *m = n->first; m; m = m->next) {
        bool found = false;
        for (size_t i = 0; known[i] && !found; i++)
            found = strcmp(m->key, known[i]) == 0;
        const char *near = found ? NULL : str_nearest(m->key, known);
        if (!found)
            kb_problem_at(p->problems, p->file, m->key_line, m->key_column,
                          near ? "unknown key %s; did you mean %s?" : "unknown key %s", m->key,
                          near);
    }
    return true;
}

const char *
kb_str_keep(struct kb_parse *p, const struct doc_node *n, const char *what)
{
    const char *s = doc_str(n, NULL);
    if (!s || !*s) {
        kb_problem(p, n, "%s is a text and may not be empty", what);
        return NULL;
    }
    return arena_str(p->arena, s, strlen(s));
}

bool
kb_text_parse(struct kb_parse *p, const struct doc_node *n, const char *what, struct kb_text *ret)
{
    static const char *const known[] = {"en", "zh", NULL};
    if (!kb_keys_check(p, n, known))
        return false;
    const struct doc_node *en = doc_get(n, "en"), *zh = doc_get(n, "zh");
    if (!en || !zh) {
        kb_problem(p, n, "%s has no %s text; both languages are needed", what, en ? "zh" : "en");
        return false;
    }
    ret->en = kb_str_keep(p, en, what);
    ret->zh = kb_str_keep(p, zh, what);
    return ret->en && ret->zh;
}

const char *const *
kb_lines_parse(struct kb_parse *p, const struct doc_node *n, const char *what)
{
    if (n && n->kind != DOC_SEQ) {
        kb_problem(p, n, "%s is a list of lines", what);
        n = NULL;
    }
    const char **lines = arena_alloc(p->arena, ((n ? n->count : 0) + 1) * sizeof *lines);
    size_t count = 0;
    for (const struct doc_node *m = lines && n ? n->first : NULL; m; m = m->next)
        if ((lines[count] = kb_str_keep(p, m, what)))
            count++;
    return lines;
}

int
kb_scope_parse(struct kb_parse *p, const struct doc_node *n)
{
    const char *word = doc_str(n, "");
    enum entity_kind k = entity_kind_find(word, strlen(word));
    if (k == ENTITY_NONE)
        kb_problem(p, n, "%s is no kind of entity", *word ? word : "scope");
    return (int)k;
}

/* A number of a key, within bounds. */
static double
entry_number(struct kb_parse *p, const struct doc_node *n, double min, double max)
{
    double v = doc_real(n, -1);
    if (!n || (n->kind != DOC_INT && n->kind != DOC_REAL) || v < min || v > max) {
        kb_problem(p, n, "%s is a number from %g to %g", n && n->key ? n->key : "it", min, max);
        return min;
    }
    return v;
}

static int64_t
entry_duration(struct kb_parse *p, const struct doc_node *n)
{
    int64_t ms = 0;
    if (duration_parse(doc_str(n, ""), &ms) || ms < 0) {
        kb_problem(p, n, "%s is not a duration such as 30s or 5m", doc_str(n, "it"));
        return 0;
    }
    return ms;
}

static void
entry_class(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    const char *name = kb_class_name(doc_str(n, ""));
    if (!name)
        kb_problem(p, n, "%s is no class of causes", doc_str(n, "it"));
    else
        e->class_name = name;
}

static void
entry_scope(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    e->scope = (enum entity_kind)kb_scope_parse(p, n);
}

static void
entry_role(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    static const char *const words[] = {"root", "cascade", "confirmation"};
    const char *word = doc_str(n, "");
    for (size_t i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            e->role = (enum kb_role)i;
            return;
        }
    kb_problem(p, n, "role is root, cascade or confirmation, not %s", word);
}

static void
entry_severity(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    int s = severity_find(doc_str(n, ""));
    if (s < 0)
        kb_problem(p, n, "severity is info, warning or critical, not %s", doc_str(n, "this"));
    else
        e->severity = (enum severity)s;
}

static void
entry_prior(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    e->prior = entry_number(p, n, 0, 1e6);
}

static void
entry_background(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    e->background = entry_number(p, n, 0, 1e6);
}

static void
entry_title(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    kb_text_parse(p, n, "title", &e->title);
}

static void
entry_description(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    kb_text_parse(p, n, "description", &e->description);
}

static bool
entry_is_list(struct kb_parse *p, const struct doc_node *n)
{
    if (n->kind != DOC_SEQ)
        kb_problem(p, n, "%s is a list", n->key ? n->key : "it");
    return n->kind == DOC_SEQ;
}

static void
entry_actions(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    if (!entry_is_list(p, n))
        return;
    struct kb_text *list = entry_list(p, e->actions, &e->action_count, n->count, sizeof *list);
    for (const struct doc_node *m = list ? n->first : NULL; m; m = m->next)
        if (kb_text_parse(p, m, "action", &list[e->action_count]))
            e->action_count++;
    e->actions = list;
}

bool
kb_log_parse(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"pattern", "source", "match", "reject", NULL};
    static const char *const sources[] = {"any", "kernel", "job", "syslog", "switch", NULL};
    if (!kb_keys_check(p, n, known) ||
        !(s->pattern = kb_str_keep(p, doc_get(n, "pattern"), "pattern")))
        return false;
    struct regex *r = NULL;
    struct err err = {0};
    if (regex_compile(s->pattern, strlen(s->pattern), 0, &r, &err)) {
        kb_problem(p, doc_get(n, "pattern"), "%s", err.text);
        return false;
    }
    regex_free(r);
    const char *source = doc_get_str(n, "source", "any");
    for (size_t i = 0; sources[i]; i++)
        if (strcmp(source, sources[i]) == 0)
            s->source = sources[i];
    if (!s->source)
        kb_problem(p, doc_get(n, "source"), "source is any, kernel, job, syslog or switch, not %s",
                   source);
    s->match = kb_lines_parse(p, doc_get(n, "match"), "match");
    s->reject = kb_lines_parse(p, doc_get(n, "reject"), "reject");
    if (s->match && !s->match[0])
        kb_problem(p, n, "a pattern needs at least one whole line under match");
    return s->source && s->match && s->reject;
}

static bool
signal_metric(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"expr", "for", NULL};
    if (!kb_keys_check(p, n, known))
        return false;
    s->expr = kb_str_keep(p, doc_get(n, "expr"), "expr");
    if (doc_get(n, "for"))
        s->for_ms = entry_duration(p, doc_get(n, "for"));
    return s->expr != NULL;
}

static bool
signal_trap(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"oid", NULL};
    if (!kb_keys_check(p, n, known) || !(s->oid = kb_str_keep(p, doc_get(n, "oid"), "oid")))
        return false;
    if (strspn(s->oid, "0123456789.") == strlen(s->oid))
        return true;
    kb_problem(p, doc_get(n, "oid"), "%s is not an OID in numbers", s->oid);
    return false;
}

static bool
signal_delta(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"metric", "over", "above", NULL};
    if (!kb_keys_check(p, n, known))
        return false;
    s->metric = kb_str_keep(p, doc_get(n, "metric"), "metric");
    s->over_ms = entry_duration(p, doc_get(n, "over"));
    s->above = entry_number(p, doc_get(n, "above"), 0, 1e18);
    return s->metric && s->over_ms > 0;
}

static bool
signal_code(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"is", NULL};
    return kb_keys_check(p, n, known) && (s->code = kb_str_keep(p, doc_get(n, "is"), "is"));
}

static const struct {
    const char *key;
    enum kb_signal_kind kind;
    bool (*parse)(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s);
} signal_rows[] = {
    {"log", KB_SIGNAL_LOG, kb_log_parse},  {"metric", KB_SIGNAL_METRIC, signal_metric},
    {"trap", KB_SIGNAL_TRAP, signal_trap}, {"delta", KB_SIGNAL_DELTA, signal_delta},
    {"code", KB_SIGNAL_CODE, signal_code},
};
#define SIGNAL_KINDS (sizeof signal_rows / sizeof *signal_rows)

static bool
entry_signal(struct kb_parse *p, const struct doc_node *n, struct kb_signal *s)
{
    static const char *const known[] = {"log", "metric", "trap", "delta", "code", NULL};
    if (!kb_keys_check(p, n, known))
        return false;
    if (n->count != 1) {
        kb_problem(p, n, "a signal is one of log, metric, trap, delta or code");
        return false;
    }
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        if (strcmp(n->first->key, signal_rows[i].key) == 0) {
            s->kind = signal_rows[i].kind;
            return signal_rows[i].parse(p, n->first, s);
        }
    return false;
}

static void
entry_signals(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    if (!entry_is_list(p, n))
        return;
    struct kb_signal *list = entry_list(p, e->signals, &e->signal_count, n->count, sizeof *list);
    for (const struct doc_node *m = list ? n->first : NULL; m; m = m->next) {
        list[e->signal_count] = (struct kb_signal){0};
        if (entry_signal(p, m, &list[e->signal_count]))
            e->signal_count++;
    }
    e->signals = list;
}

static void
entry_clears(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    static const char *const known[] = {"after", "pattern", "event", NULL};
    if (!kb_keys_check(p, n, known))
        return;
    const struct doc_node *after = doc_get(n, "after"), *pattern = doc_get(n, "pattern"),
                          *event = doc_get(n, "event");
    e->clear_after_ms = after ? entry_duration(p, after) : 0;
    e->clear_pattern = pattern ? kb_str_keep(p, pattern, "pattern") : NULL;
    e->clear_event = event ? kb_str_keep(p, event, "event") : NULL;
    struct regex *r = NULL;
    struct err err = {0};
    if (e->clear_pattern &&
        regex_compile(e->clear_pattern, strlen(e->clear_pattern), 0, &r, &err)) {
        kb_problem(p, pattern, "%s", err.text);
        e->clear_pattern = NULL;
    }
    regex_free(r);
}

bool
kb_path_parse(struct kb_parse *p, const struct doc_node *n, const char *s, struct kb_cause *c)
{
    c->path_len = 0;
    if (strcmp(s, "self") == 0)
        return true; /* path[0] is filled with the scope once the whole entry is read */
    size_t len;
    for (const char *word; (word = str_field(&s, ">", &len));) {
        enum entity_kind k = entity_kind_find(word, len);
        if (k == ENTITY_NONE || c->path_len == sizeof c->path / sizeof *c->path) {
            kb_problem(p, n, k ? "a path has at most 8 steps" : "%.*s is no kind of entity",
                       (int)len, word);
            return false;
        }
        c->path[c->path_len++] = k;
    }
    return c->path_len > 0;
}

static bool
entry_cause(struct kb_parse *p, const struct doc_node *n, struct kb_cause *c)
{
    static const char *const known[] = {"symptom", "path", "probability", "delay", NULL};
    if (!kb_keys_check(p, n, known) ||
        !(c->symptom = kb_str_keep(p, doc_get(n, "symptom"), "symptom")) ||
        !kb_path_parse(p, doc_get(n, "path"), doc_get_str(n, "path", "self"), c))
        return false;
    c->probability = entry_number(p, doc_get(n, "probability"), 0, 1);
    const struct doc_node *delay = doc_get(n, "delay");
    if (!delay || delay->count != 2) {
        kb_problem(p, delay ? delay : n, "delay is [earliest, latest], such as [0s, 600s]");
        return false;
    }
    c->delay_min_ms = entry_duration(p, doc_at(delay, 0));
    c->delay_max_ms = entry_duration(p, doc_at(delay, 1));
    if (c->delay_max_ms < c->delay_min_ms)
        kb_problem(p, delay, "the latest delay is before the earliest");
    return true;
}

static void
entry_causes(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    if (!entry_is_list(p, n))
        return;
    struct kb_cause *list = entry_list(p, e->causes, &e->cause_count, n->count, sizeof *list);
    for (const struct doc_node *m = list ? n->first : NULL; m; m = m->next) {
        list[e->cause_count] = (struct kb_cause){0};
        if (entry_cause(p, m, &list[e->cause_count]))
            e->cause_count++;
    }
    e->causes = list;
}

static void
entry_advice(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    static const char *const known[] = {"by", "source", "version", "says", NULL};
    if (!entry_is_list(p, n))
        return;
    struct kb_advice *list = entry_list(p, e->advice, &e->advice_count, n->count, sizeof *list);
    for (const struct doc_node *m = list ? n->first : NULL; m; m = m->next) {
        struct kb_advice *a = &list[e->advice_count];
        if (!kb_keys_check(p, m, known))
            continue;
        a->by = kb_str_keep(p, doc_get(m, "by"), "by");
        a->source = kb_str_keep(p, doc_get(m, "source"), "source");
        a->version = doc_get(m, "version") ? kb_str_keep(p, doc_get(m, "version"), "version") : "";
        if (a->by && a->source && a->version &&
            kb_text_parse(p, doc_get(m, "says"), "says", &a->says))
            e->advice_count++;
    }
    e->advice = list;
}

void
kb_references_parse(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    static const char *const known[] = {"title", "url", NULL};
    if (!entry_is_list(p, n))
        return;
    struct kb_reference *list =
        entry_list(p, e->references, &e->reference_count, n->count, sizeof *list);
    for (const struct doc_node *m = list ? n->first : NULL; m; m = m->next) {
        struct kb_reference *r = &list[e->reference_count];
        if (!kb_keys_check(p, m, known))
            continue;
        r->title = kb_str_keep(p, doc_get(m, "title"), "title");
        r->url = kb_str_keep(p, doc_get(m, "url"), "url");
        if (r->url && !str_prefix(r->url, "https://") && !str_prefix(r->url, "http://"))
            kb_problem(p, doc_get(m, "url"), "a reference's url begins with https:// or http://");
        if (r->title && r->url)
            e->reference_count++;
    }
    e->references = list;
}

static void
entry_overlaps(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    if (entry_is_list(p, n))
        e->overlaps = kb_lines_parse(p, n, "overlaps");
}

static const struct {
    const char *key;
    bool needed; /* by an entry that overrides none */
    void (*parse)(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e);
} entry_rows[] = {
    {"class", true, entry_class},        {"scope", true, entry_scope},
    {"role", true, entry_role},          {"severity", true, entry_severity},
    {"prior", false, entry_prior},       {"background", false, entry_background},
    {"title", true, entry_title},        {"description", true, entry_description},
    {"actions", true, entry_actions},    {"signals", true, entry_signals},
    {"clears", false, entry_clears},     {"causes", false, entry_causes},
    {"advice", false, entry_advice},     {"references", false, kb_references_parse},
    {"overlaps", false, entry_overlaps},
};
#define ENTRY_ROWS (sizeof entry_rows / sizeof *entry_rows)

static const char *const entry_keys[] = {
    "id",     "extend",     "class",  "scope",       "role",     "severity",
    "prior",  "background", "title",  "description", "actions",  "signals",
    "clears", "causes",     "advice", "references",  "overlaps", NULL,
};

void
kb_entry_fill(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    for (size_t i = 0; i < ENTRY_ROWS; i++) {
        const struct doc_node *v = doc_get(n, entry_rows[i].key);
        if (v)
            entry_rows[i].parse(p, v, e);
    }
    struct kb_cause *causes = (struct kb_cause *)e->causes;
    for (size_t i = 0; i < e->cause_count; i++)
        if (!causes[i].path_len) {
            causes[i].path[0] = e->scope;
            causes[i].path_len = 1;
        }
}

void
kb_entry_parse(struct kb_parse *p, const struct doc_node *n, struct kb_entry *e)
{
    bool fresh = !e->id;
    kb_keys_check(p, n, entry_keys);
    const struct doc_node *id = doc_get(n, "id");
    p->extend = !fresh && doc_get_bool(n, "extend", false);
    if (fresh) {
        e->id = kb_str_keep(p, id, "id");
        e->background = 0.1;
    }
    kb_entry_fill(p, n, e);
    for (size_t i = 0; fresh && i < ENTRY_ROWS; i++)
        if (entry_rows[i].needed && !doc_get(n, entry_rows[i].key))
            kb_problem(p, id, "%s has no %s", e->id ? e->id : "the entry", entry_rows[i].key);
    if (fresh && doc_get(n, "signals") && !e->signal_count)
        kb_problem(p, doc_get(n, "signals"), "%s has no usable signal",
                   e->id ? e->id : "the entry");
    p->extend = false;
    e->domain = p->domain;
    e->file = p->file;
    e->line = id ? id->line : n->line;
    e->site = p->site;
}
