/* lint: what cannot be seen from one entry alone: every pattern against every line, codes given
 * twice, texts that are not in their language, numbers that contradict the role.
 *
 * Expected load: 3,000 entries and 5,000 lines, in a second beside the compilation of the patterns.
 */
#include "base/regex.h"
#include "base/str.h"
#include "kb/inside.h"

#include <stdio.h>
#include <string.h>

/* A pattern with fewer fixed characters fires on anything and makes the prefilter useless. */
#define LINT_FIXED_MIN 5u
#define LINT_MATCHES   32u

struct lint {
    const struct kb *kb;
    struct kb_matcher *matcher;
    struct kb_scratch *scratch;
    struct kb_problems problems;
};

static void lint_say(struct lint *l, const struct kb_entry *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
lint_say(struct lint *l, const struct kb_entry *e, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    kb_problem_at(&l->problems, e->file, e->line, 1, "%s: %s", e->id, text);
}

static bool
lint_has_cjk(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 0xe3 && (unsigned char)*s <= 0xe9)
            return true;
    return false;
}

static void
lint_text(struct lint *l, const struct kb_entry *e, const char *what, const struct kb_text *t)
{
    if (!t->en || !t->zh || !*t->en || !*t->zh)
        lint_say(l, e, "its %s lacks a language", what);
    else if (lint_has_cjk(t->en))
        lint_say(l, e, "its %s in English holds Chinese characters", what);
    else if (!lint_has_cjk(t->zh))
        lint_say(l, e, "its %s in Chinese holds no Chinese character", what);
}

static void
lint_texts(struct lint *l, const struct kb_entry *e)
{
    lint_text(l, e, "title", &e->title);
    lint_text(l, e, "description", &e->description);
    for (size_t i = 0; i < e->action_count; i++)
        lint_text(l, e, "action", &e->actions[i]);
    for (size_t i = 0; i < e->advice_count; i++)
        lint_text(l, e, "advice", &e->advice[i].says);
}

static void
lint_numbers(struct lint *l, const struct kb_entry *e)
{
    if (!kb_class(e->class_name))
        lint_say(l, e, "its class %s is not one of the contract", e->class_name);
    if (e->role == KB_ROOT && !(e->prior > 0))
        lint_say(l, e, "a root needs a prior above 0");
    for (size_t i = 0; i < e->cause_count; i++) {
        const struct kb_cause *c = &e->causes[i];
        if (!(c->probability > 0))
            lint_say(l, e, "the probability of %s is 0: leave the cause out", c->symptom);
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->symptom, e->causes[j].symptom) == 0 &&
                c->path_len == e->causes[j].path_len &&
                memcmp(c->path, e->causes[j].path, c->path_len * sizeof *c->path) == 0)
                lint_say(l, e, "the symptom %s is named twice on one path", c->symptom);
    }
}

static void
lint_codes(struct lint *l, const struct kb_entry *e)
{
    for (size_t i = 0; i < e->signal_count; i++) {
        char code[EVENT_CODE_MAX + 1];
        if (!kb_signal_code(&e->signals[i], code))
            continue;
        const struct kb_entry *first = kb_by_code(l->kb, code);
        if (first && first != e)
            lint_say(l, e, "the code %s belongs to %s already", code, first->id);
    }
}

/* The longest run of characters that a matching line must hold, roughly. */
static size_t
lint_fixed(const char *s)
{
    size_t best = 0, run = 0;
    for (; *s; s++) {
        bool escaped = *s == '\\' && s[1];
        char c = escaped ? *++s : *s;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool fixed = escaped ? !letter : !strchr("[](){}.*+?|^$", c);
        run = fixed ? run + 1 : 0;
        best = run > best ? run : best;
        if (!escaped && c == '[')
            while (s[1] && s[1] != ']')
                s++;
    }
    return best;
}

static void
lint_pattern(struct lint *l, const struct kb_entry *e, const char *pattern)
{
    struct regex *r = NULL;
    struct err err = {0};
    if (lint_fixed(pattern) < LINT_FIXED_MIN)
        lint_say(l, e, "the pattern %s has no run of %u fixed characters", pattern, LINT_FIXED_MIN);
    if (regex_compile(pattern, strlen(pattern), 0, &r, &err))
        lint_say(l, e, "%s", err.text);
    else if (regex_match(r, "", 0, NULL, NULL) == 1)
        lint_say(l, e, "the pattern %s matches an empty line", pattern);
    regex_free(r);
}

static bool
lint_declares(const struct kb_entry *e, const char *id)
{
    for (size_t i = 0; e && e->overlaps && e->overlaps[i]; i++)
        if (strcmp(e->overlaps[i], id) == 0)
            return true;
    return false;
}

/* Is `other` what a line of e may also match: the event that ends it, itself, or an overlap that
 * one of the two declares. */
static bool
lint_allowed(const struct lint *l, const struct kb_entry *e, const struct kb_match *m)
{
    return strcmp(m->id, e->id) == 0 || m->clears ||
           (e->clear_event && strcmp(m->id, e->clear_event) == 0) || lint_declares(e, m->id) ||
           lint_declares(kb_find(l->kb, m->id), e->id);
}

/* Does a pattern of `id` take one of e's lines? */
static bool
lint_takes(struct lint *l, const struct kb_entry *e, const char *id)
{
    struct kb_match matches[LINT_MATCHES];
    for (size_t i = 0; i < e->signal_count; i++)
        for (size_t j = 0; e->signals[i].kind == KB_SIGNAL_LOG && e->signals[i].match[j]; j++) {
            const char *line = e->signals[i].match[j];
            size_t n = kb_match_line(l->matcher, l->scratch, line, strlen(line),
                                     e->signals[i].source, matches, LINT_MATCHES);
            for (size_t k = 0; k < n; k++)
                if (strcmp(matches[k].id, id) == 0)
                    return true;
        }
    return false;
}

/* A declared overlap is with an entry whose pattern does take one of the lines. */
static void
lint_overlaps(struct lint *l, const struct kb_entry *e)
{
    for (size_t i = 0; e->overlaps && e->overlaps[i]; i++)
        if (!kb_find(l->kb, e->overlaps[i]))
            lint_say(l, e, "it declares an overlap with %s, which is no entry's id",
                     e->overlaps[i]);
        else if (!lint_takes(l, e, e->overlaps[i]))
            lint_say(l, e, "it declares an overlap with %s, which takes none of its lines",
                     e->overlaps[i]);
}

static void
lint_match(struct lint *l, const struct kb_entry *e, const char *line, const char *source)
{
    struct kb_match matches[LINT_MATCHES];
    size_t n =
        kb_match_line(l->matcher, l->scratch, line, strlen(line), source, matches, LINT_MATCHES);
    bool own = false;
    for (size_t i = 0; i < n; i++) {
        own = own || (strcmp(matches[i].id, e->id) == 0 && !matches[i].clears);
        if (!lint_allowed(l, e, &matches[i]))
            lint_say(l, e, "its line is matched by %s too: %.200s", matches[i].id, line);
    }
    if (!own)
        lint_say(l, e, "its line is not matched by its pattern: %.200s", line);
}

static void
lint_reject(struct lint *l, const struct kb_entry *e, const char *line, const char *source)
{
    struct kb_match matches[LINT_MATCHES];
    size_t n =
        kb_match_line(l->matcher, l->scratch, line, strlen(line), source, matches, LINT_MATCHES);
    for (size_t i = 0; i < n; i++)
        if (strcmp(matches[i].id, e->id) == 0 && !matches[i].clears)
            lint_say(l, e, "the line it must not match is matched: %.200s", line);
}

static void
lint_lines(struct lint *l, const struct kb_entry *e)
{
    lint_overlaps(l, e);
    for (size_t i = 0; i < e->signal_count; i++) {
        const struct kb_signal *s = &e->signals[i];
        if (s->kind != KB_SIGNAL_LOG)
            continue;
        for (size_t j = 0; s->match[j]; j++)
            lint_match(l, e, s->match[j], s->source);
        for (size_t j = 0; s->reject[j]; j++)
            lint_reject(l, e, s->reject[j], s->source);
    }
}

static void
lint_patterns(struct lint *l, const struct kb_entry *e)
{
    for (size_t i = 0; i < e->signal_count; i++)
        if (e->signals[i].kind == KB_SIGNAL_LOG)
            lint_pattern(l, e, e->signals[i].pattern);
    if (e->clear_pattern)
        lint_pattern(l, e, e->clear_pattern);
}

/* A family's example lines lead to one of its rows; the others to none. */
static void
lint_family(struct lint *l, const struct kb_family *f)
{
    struct kb_match matches[LINT_MATCHES];
    for (size_t i = 0; f->match && f->match[i]; i++)
        if (!kb_match_line(l->matcher, l->scratch, f->match[i], strlen(f->match[i]), f->source,
                           matches, LINT_MATCHES))
            kb_problem_at(&l->problems, f->file, f->line, 1, "%s: its line matches nothing: %.200s",
                          f->id, f->match[i]);
    for (size_t i = 0; f->reject && f->reject[i]; i++) {
        size_t n = kb_match_line(l->matcher, l->scratch, f->reject[i], strlen(f->reject[i]),
                                 f->source, matches, LINT_MATCHES);
        for (size_t j = 0; j < n; j++)
            if (str_prefix(matches[j].id, f->id))
                kb_problem_at(&l->problems, f->file, f->line, 1,
                              "%s: the line it must not match is matched: %.200s", f->id,
                              f->reject[i]);
    }
}

int
kb_lint(const struct kb *kb, struct buf *out)
{
    struct lint l = {.kb = kb, .problems = {.out = out}};
    struct err err = {0};
    char place[1024];
    int rc = kb_matcher_new(kb, &l.matcher, &err);
    if (!rc && !(l.scratch = kb_scratch_new(l.matcher)))
        rc = err_set(&err, ERR_NOMEM, "out of memory");
    if (rc) {
        buf_printf(out, "%s\n", err_format(&err, place, sizeof place));
        l.problems.count++;
    }
    for (size_t i = 0; i < kb->count; i++) {
        lint_texts(&l, &kb->entries[i]);
        lint_numbers(&l, &kb->entries[i]);
        lint_codes(&l, &kb->entries[i]);
        lint_patterns(&l, &kb->entries[i]);
        if (l.scratch)
            lint_lines(&l, &kb->entries[i]);
    }
    for (size_t i = 0; l.scratch && i < kb->family_count; i++)
        lint_family(&l, &kb->families[i]);
    kb_scratch_free(l.scratch);
    kb_matcher_free(l.matcher);
    return (int)l.problems.count;
}
