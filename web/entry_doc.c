/* entry_doc: the two shapes in which a browser gets an entry. */
#include "web/entry_doc.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static const char *const entry_doc_roles[] = {
    [KB_ROOT] = "root", [KB_CASCADE] = "cascade", [KB_CONFIRMATION] = "confirmation"};
static const char *const entry_doc_kinds[] = {[KB_SIGNAL_LOG] = "log",
                                              [KB_SIGNAL_METRIC] = "metric",
                                              [KB_SIGNAL_TRAP] = "trap",
                                              [KB_SIGNAL_DELTA] = "delta",
                                              [KB_SIGNAL_CODE] = "code"};

static void
entry_doc_path(const struct kb_cause *c, struct buf *out)
{
    if (c->path_len < 2)
        buf_puts(out, "self");
    for (size_t i = 0; c->path_len > 1 && i < c->path_len; i++)
        buf_printf(out, "%s%s", i ? ">" : "", entity_kind_row(c->path[i])->word);
}

/* --- YAML ------------------------------------------------------------------------------------- */

void
entry_doc_scalar(struct buf *out, const char *s)
{
    buf_putc(out, '\'');
    for (; s && *s; s++) {
        if (*s == '\'')
            buf_putc(out, '\'');
        buf_putc(out, (unsigned char)*s < ' ' ? ' ' : *s);
    }
    buf_putc(out, '\'');
}

void
entry_doc_text(struct buf *out, const char *indent, const char *key, const char *en, const char *zh)
{
    buf_printf(out, "%s%s:\n%s  en: ", indent, key, indent);
    entry_doc_scalar(out, en);
    buf_printf(out, "\n%s  zh: ", indent);
    entry_doc_scalar(out, zh);
    buf_putc(out, '\n');
}

static void
entry_doc_lines(struct buf *out, const char *key, const char *const *lines)
{
    if (!lines || !*lines)
        return;
    buf_printf(out, "        %s:\n", key);
    for (; *lines; lines++) {
        buf_puts(out, "          - ");
        entry_doc_scalar(out, *lines);
        buf_putc(out, '\n');
    }
}

static void
entry_doc_yaml_signal(struct buf *out, const struct kb_signal *s)
{
    char text[TIME_TEXT_SIZE];
    buf_printf(out, "    - %s:\n", entry_doc_kinds[s->kind]);
    switch (s->kind) {
    case KB_SIGNAL_LOG:
        buf_puts(out, "        pattern: ");
        entry_doc_scalar(out, s->pattern);
        buf_printf(out, "\n        source: %s\n", s->source ? s->source : "any");
        entry_doc_lines(out, "match", s->match);
        entry_doc_lines(out, "reject", s->reject);
        break;
    case KB_SIGNAL_METRIC:
        buf_puts(out, "        expr: ");
        entry_doc_scalar(out, s->expr);
        if (s->for_ms)
            buf_printf(out, "\n        for: %s", duration_format(s->for_ms, text));
        buf_putc(out, '\n');
        break;
    case KB_SIGNAL_TRAP:
        buf_printf(out, "        oid: %s\n", s->oid);
        break;
    case KB_SIGNAL_DELTA:
        buf_printf(out, "        metric: %s\n        over: %s\n        above: %g\n", s->metric,
                   duration_format(s->over_ms, text), s->above);
        break;
    case KB_SIGNAL_CODE:
        buf_puts(out, "        is: ");
        entry_doc_scalar(out, s->code);
        buf_putc(out, '\n');
        break;
    }
}

static void
entry_doc_yaml_causes(const struct kb_entry *e, struct buf *out)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    if (e->cause_count)
        buf_puts(out, "  causes:\n");
    for (size_t i = 0; i < e->cause_count; i++) {
        const struct kb_cause *c = &e->causes[i];
        buf_printf(out, "    - {symptom: %s, path: ", c->symptom);
        entry_doc_path(c, out);
        buf_printf(out, ", probability: %g, delay: [%s, %s]}\n", c->probability,
                   duration_format(c->delay_min_ms, from), duration_format(c->delay_max_ms, to));
    }
}

static void
entry_doc_yaml_clears(const struct kb_entry *e, struct buf *out)
{
    char text[TIME_TEXT_SIZE];
    if (!e->clear_after_ms && !e->clear_pattern && !e->clear_event)
        return;
    buf_puts(out, "  clears:\n");
    if (e->clear_after_ms)
        buf_printf(out, "    after: %s\n", duration_format(e->clear_after_ms, text));
    if (e->clear_pattern) {
        buf_puts(out, "    pattern: ");
        entry_doc_scalar(out, e->clear_pattern);
        buf_putc(out, '\n');
    }
    if (e->clear_event)
        buf_printf(out, "    event: %s\n", e->clear_event);
}

static void
entry_doc_yaml_sources(const struct kb_entry *e, struct buf *out)
{
    if (e->advice_count)
        buf_puts(out, "  advice:\n");
    for (size_t i = 0; i < e->advice_count; i++) {
        const struct kb_advice *a = &e->advice[i];
        buf_puts(out, "    - by: ");
        entry_doc_scalar(out, a->by);
        buf_puts(out, "\n      source: ");
        entry_doc_scalar(out, a->source);
        if (a->version && *a->version) {
            buf_puts(out, "\n      version: ");
            entry_doc_scalar(out, a->version);
        }
        buf_putc(out, '\n');
        entry_doc_text(out, "      ", "says", a->says.en, a->says.zh);
    }
    if (e->reference_count)
        buf_puts(out, "  references:\n");
    for (size_t i = 0; i < e->reference_count; i++) {
        buf_puts(out, "    - title: ");
        entry_doc_scalar(out, e->references[i].title);
        buf_puts(out, "\n      url: ");
        entry_doc_scalar(out, e->references[i].url);
        buf_putc(out, '\n');
    }
}

void
entry_doc_yaml(const struct kb_entry *e, struct buf *out)
{
    buf_printf(out, "- id: %s\n  class: %s\n  scope: %s\n  role: %s\n  severity: %s\n  prior: %g\n",
               e->id, e->class_name, entity_kind_row(e->scope)->word, entry_doc_roles[e->role],
               severity_word(e->severity), e->prior);
    entry_doc_text(out, "  ", "title", e->title.en, e->title.zh);
    entry_doc_text(out, "  ", "description", e->description.en, e->description.zh);
    if (e->action_count)
        buf_puts(out, "  actions:\n");
    for (size_t i = 0; i < e->action_count; i++) {
        buf_puts(out, "    - en: ");
        entry_doc_scalar(out, e->actions[i].en);
        buf_puts(out, "\n      zh: ");
        entry_doc_scalar(out, e->actions[i].zh);
        buf_putc(out, '\n');
    }
    if (e->signal_count)
        buf_puts(out, "  signals:\n");
    for (size_t i = 0; i < e->signal_count; i++)
        entry_doc_yaml_signal(out, &e->signals[i]);
    entry_doc_yaml_clears(e, out);
    entry_doc_yaml_causes(e, out);
    entry_doc_yaml_sources(e, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void
entry_doc_texts(struct jsonw *w, const char *key, const char *const *lines)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (; lines && *lines; lines++)
        jsonw_str(w, *lines);
    jsonw_end_array(w);
}

/* The one line that says what is looked for. */
static void
entry_doc_signal_text(const struct kb_signal *s, char *out, size_t size)
{
    char over[TIME_TEXT_SIZE];
    const char *text = s->kind == KB_SIGNAL_LOG      ? s->pattern
                       : s->kind == KB_SIGNAL_METRIC ? s->expr
                       : s->kind == KB_SIGNAL_TRAP   ? s->oid
                                                     : s->code;
    if (s->kind == KB_SIGNAL_DELTA)
        snprintf(out, size, "%s > %g over %s", s->metric, s->above,
                 duration_format(s->over_ms, over));
    else
        snprintf(out, size, "%s", text ? text : "");
}

static void
entry_doc_signals(struct jsonw *w, const struct kb_entry *e)
{
    char text[4096];
    jsonw_key(w, "signals");
    jsonw_array(w);
    for (size_t i = 0; i < e->signal_count; i++) {
        const struct kb_signal *s = &e->signals[i];
        entry_doc_signal_text(s, text, sizeof text);
        jsonw_object(w);
        jsonw_kstr(w, "type", entry_doc_kinds[s->kind]);
        jsonw_kstr(w, "text", text);
        if (s->kind == KB_SIGNAL_LOG) {
            jsonw_kstr(w, "source", s->source);
            entry_doc_texts(w, "match", s->match);
            entry_doc_texts(w, "reject", s->reject);
        }
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
entry_doc_causes(struct jsonw *w, const struct kb *kb, const struct kb_entry *e)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], delay[2 * TIME_TEXT_SIZE + 2];
    struct buf path;
    size_t n;
    buf_init(&path, 256);
    jsonw_key(w, "causes");
    jsonw_array(w);
    for (size_t i = 0; i < e->cause_count; i++) {
        const struct kb_cause *c = &e->causes[i];
        buf_reset(&path);
        entry_doc_path(c, &path);
        snprintf(delay, sizeof delay, "%s-%s", duration_format(c->delay_min_ms, from),
                 duration_format(c->delay_max_ms, to));
        jsonw_object(w);
        jsonw_kstr(w, "symptom", c->symptom);
        jsonw_kstr(w, "path", buf_str(&path));
        jsonw_kreal(w, "probability", c->probability);
        jsonw_kstr(w, "delay", delay);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    buf_done(&path);
    const struct kb_why *why = kb_causes_of(kb, e, &n);
    jsonw_key(w, "caused_by");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, why[i].entry->id);
    jsonw_end_array(w);
}

static void
entry_doc_json_clears(struct jsonw *w, const struct kb_entry *e)
{
    char text[TIME_TEXT_SIZE];
    jsonw_key(w, "clears");
    if (!e->clear_after_ms && !e->clear_pattern && !e->clear_event) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    if (e->clear_after_ms)
        jsonw_kstr(w, "after", duration_format(e->clear_after_ms, text));
    if (e->clear_pattern)
        jsonw_kstr(w, "pattern", e->clear_pattern);
    if (e->clear_event)
        jsonw_kstr(w, "event", e->clear_event);
    jsonw_end_object(w);
}

void
entry_doc_json(const struct kb *kb, const struct kb_entry *e, const char *yaml, struct jsonw *w)
{
    const char *slash = e->file ? strrchr(e->file, '/') : NULL;
    struct buf made;
    buf_init(&made, (size_t)1 << 20);
    if (!yaml)
        entry_doc_yaml(e, &made);
    jsonw_object(w);
    jsonw_kstr(w, "id", e->id);
    jsonw_kstr(w, "class", e->class_name);
    jsonw_kstr(w, "scope", entity_kind_row(e->scope)->word);
    jsonw_kstr(w, "role", entry_doc_roles[e->role]);
    jsonw_kstr(w, "severity", severity_word(e->severity));
    jsonw_ktext(w, "title", e->title.en, e->title.zh);
    jsonw_ktext(w, "description", e->description.en, e->description.zh);
    jsonw_key(w, "actions");
    jsonw_array(w);
    for (size_t i = 0; i < e->action_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "en", e->actions[i].en);
        jsonw_kstr(w, "zh", e->actions[i].zh);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    entry_doc_signals(w, e);
    entry_doc_json_clears(w, e);
    entry_doc_causes(w, kb, e);
    kb_entry_sources(e, w);
    jsonw_kstr(w, "origin", e->site ? "site" : "builtin");
    jsonw_kstr(w, "file", slash ? slash + 1 : e->file);
    jsonw_kstr(w, "yaml", yaml ? yaml : buf_str(&made));
    jsonw_end_object(w);
    buf_done(&made);
}
