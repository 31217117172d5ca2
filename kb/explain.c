/* explain: an entry as the API's JSON object, and as plain text for a terminal. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "kb/inside.h"

#include <string.h>

static const char *const explain_roles[] = {"root", "cascade", "confirmation"};
static const char *const explain_kinds[] = {"log", "metric", "trap", "delta", "code"};

/* ---- JSON ---- */

static void
explain_json_duration(struct jsonw *w, const char *key, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    jsonw_kstr(w, key, duration_format(ms, text));
}

static void
explain_json_lines(struct jsonw *w, const char *key, const char *const *lines)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (size_t i = 0; lines && lines[i]; i++)
        jsonw_str(w, lines[i]);
    jsonw_end_array(w);
}

static void
explain_json_signal(struct jsonw *w, const struct kb_signal *s)
{
    jsonw_object(w);
    jsonw_kstr(w, "kind", explain_kinds[s->kind]);
    switch (s->kind) {
    case KB_SIGNAL_LOG:
        jsonw_kstr(w, "pattern", s->pattern);
        jsonw_kstr(w, "source", s->source);
        explain_json_lines(w, "match", s->match);
        explain_json_lines(w, "reject", s->reject);
        break;
    case KB_SIGNAL_METRIC:
        jsonw_kstr(w, "expr", s->expr);
        explain_json_duration(w, "for", s->for_ms);
        break;
    case KB_SIGNAL_TRAP:
        jsonw_kstr(w, "oid", s->oid);
        break;
    case KB_SIGNAL_DELTA:
        jsonw_kstr(w, "metric", s->metric);
        explain_json_duration(w, "over", s->over_ms);
        jsonw_kreal(w, "above", s->above);
        break;
    case KB_SIGNAL_CODE:
        jsonw_kstr(w, "code", s->code);
        break;
    }
    jsonw_end_object(w);
}

static void
explain_path(const struct kb_cause *c, struct buf *out)
{
    if (c->path_len < 2)
        buf_puts(out, "self");
    for (size_t i = 0; c->path_len > 1 && i < c->path_len; i++)
        buf_printf(out, "%s%s", i ? ">" : "", entity_kind_row(c->path[i])->word);
}

static void
explain_json_cause(struct jsonw *w, const struct kb_cause *c)
{
    struct buf path;
    buf_init(&path, 256);
    explain_path(c, &path);
    jsonw_object(w);
    jsonw_kstr(w, "symptom", c->symptom);
    if (c->entry)
        jsonw_ktext(w, "title", c->entry->title.en, c->entry->title.zh);
    jsonw_kstr(w, "path", buf_str(&path));
    jsonw_kreal(w, "probability", c->probability);
    explain_json_duration(w, "delay_min", c->delay_min_ms);
    explain_json_duration(w, "delay_max", c->delay_max_ms);
    jsonw_end_object(w);
    buf_done(&path);
}

static void
explain_json_lists(struct jsonw *w, const struct kb_entry *e)
{
    jsonw_key(w, "actions");
    jsonw_array(w);
    for (size_t i = 0; i < e->action_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "en", e->actions[i].en);
        jsonw_kstr(w, "zh", e->actions[i].zh);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "signals");
    jsonw_array(w);
    for (size_t i = 0; i < e->signal_count; i++)
        explain_json_signal(w, &e->signals[i]);
    jsonw_end_array(w);
    jsonw_key(w, "causes");
    jsonw_array(w);
    for (size_t i = 0; i < e->cause_count; i++)
        explain_json_cause(w, &e->causes[i]);
    jsonw_end_array(w);
}

void
kb_entry_sources(const struct kb_entry *e, struct jsonw *w)
{
    jsonw_key(w, "advice");
    jsonw_array(w);
    for (size_t i = 0; i < e->advice_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "by", e->advice[i].by);
        jsonw_kstr(w, "source", e->advice[i].source);
        jsonw_kstr(w, "version", e->advice[i].version);
        jsonw_ktext(w, "says", e->advice[i].says.en, e->advice[i].says.zh);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "references");
    jsonw_array(w);
    for (size_t i = 0; i < e->reference_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "title", e->references[i].title);
        jsonw_kstr(w, "url", e->references[i].url);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

int
kb_entry_json(const struct kb_entry *e, struct buf *out)
{
    const struct kb_text *class_title = kb_class(e->class_name);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", e->id);
    jsonw_kstr(&w, "class", e->class_name);
    if (class_title)
        jsonw_ktext(&w, "class_title", class_title->en, class_title->zh);
    jsonw_kstr(&w, "domain", e->domain);
    jsonw_kstr(&w, "scope", entity_kind_row(e->scope)->word);
    jsonw_kstr(&w, "role", explain_roles[e->role]);
    jsonw_kstr(&w, "severity", severity_word(e->severity));
    jsonw_kreal(&w, "prior", e->prior);
    jsonw_kreal(&w, "background", e->background);
    jsonw_ktext(&w, "title", e->title.en, e->title.zh);
    jsonw_ktext(&w, "description", e->description.en, e->description.zh);
    explain_json_lists(&w, e);
    jsonw_key(&w, "clears");
    jsonw_object(&w);
    if (e->clear_after_ms)
        explain_json_duration(&w, "after", e->clear_after_ms);
    if (e->clear_pattern)
        jsonw_kstr(&w, "pattern", e->clear_pattern);
    if (e->clear_event)
        jsonw_kstr(&w, "event", e->clear_event);
    jsonw_end_object(&w);
    kb_entry_sources(e, &w);
    jsonw_kbool(&w, "site", e->site);
    jsonw_kstr(&w, "file", e->file);
    jsonw_kint(&w, "line", e->line);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

/* ---- plain text ---- */

enum explain_word {
    EXPLAIN_CLASS,
    EXPLAIN_SCOPE,
    EXPLAIN_ROLE,
    EXPLAIN_SEVERITY,
    EXPLAIN_ACTIONS,
    EXPLAIN_SEEN,
    EXPLAIN_LEADS,
    EXPLAIN_CLEARS,
    EXPLAIN_ADVICE,
    EXPLAIN_SOURCES,
    EXPLAIN_COLON,
};
static const struct kb_text explain_words[] = {
    [EXPLAIN_CLASS] = {"class", "类别"},
    [EXPLAIN_SCOPE] = {"concerns", "对象"},
    [EXPLAIN_ROLE] = {"role", "角色"},
    [EXPLAIN_SEVERITY] = {"severity", "级别"},
    [EXPLAIN_ACTIONS] = {"What to do", "处理步骤"},
    [EXPLAIN_SEEN] = {"How it shows", "识别方式"},
    [EXPLAIN_LEADS] = {"What it leads to", "可能引发"},
    [EXPLAIN_CLEARS] = {"When it is over", "恢复条件"},
    [EXPLAIN_ADVICE] = {"What others say", "各方说法"},
    [EXPLAIN_SOURCES] = {"References", "参考资料"},
    [EXPLAIN_COLON] = {": ", ":"},
};
static const struct kb_text explain_role_words[] = {
    {"root cause", "根因"},
    {"consequence of something else", "由其他故障引发"},
    {"supports another cause, never one by itself", "佐证,不单独成为根因"},
};
static const struct kb_text explain_severity_words[] = {
    {"info", "提示"}, {"warning", "警告"}, {"critical", "严重"}};
static const struct kb_text explain_signal_words[] = {
    {"log line", "日志"},  {"metric", "指标"}, {"SNMP trap", "SNMP Trap"},
    {"counter", "计数器"}, {"code", "事件码"},
};

static const char *
explain_say(bool zh, const struct kb_text *t)
{
    const char *s = zh ? t->zh : t->en;
    return s ? s : "";
}

static void
explain_head(const struct kb_entry *e, bool zh, struct buf *out)
{
    const char *colon = explain_say(zh, &explain_words[EXPLAIN_COLON]);
    const struct kb_text *class_title = kb_class(e->class_name);
    const struct entity_kind_row *scope = entity_kind_row(e->scope);
    const struct kb_text scope_title = {scope->en, scope->zh};
    const struct kb_text *values[] = {class_title, &scope_title, &explain_role_words[e->role],
                                      &explain_severity_words[e->severity]};
    buf_printf(out, "%s\n%s\n", explain_say(zh, &e->title), e->id);
    for (size_t i = 0; i < 4; i++)
        if (values[i])
            buf_printf(out, "%s%s%s%s", i ? "  " : "",
                       explain_say(zh, &explain_words[EXPLAIN_CLASS + i]), colon,
                       explain_say(zh, values[i]));
    buf_printf(out, "\n\n%s\n", explain_say(zh, &e->description));
}

static void
explain_title(enum explain_word word, bool zh, struct buf *out)
{
    buf_printf(out, "\n%s\n", explain_say(zh, &explain_words[word]));
}

static void
explain_signals(const struct kb_entry *e, bool zh, struct buf *out)
{
    if (e->signal_count)
        explain_title(EXPLAIN_SEEN, zh, out);
    for (size_t i = 0; i < e->signal_count; i++) {
        const struct kb_signal *s = &e->signals[i];
        const char *const texts[] = {s->match && s->match[0] ? s->match[0] : s->pattern, s->expr,
                                     s->oid, s->metric, s->code};
        buf_printf(out, "  %s%s%s", explain_say(zh, &explain_signal_words[s->kind]),
                   explain_say(zh, &explain_words[EXPLAIN_COLON]),
                   texts[s->kind] ? texts[s->kind] : "");
        char over[TIME_TEXT_SIZE];
        if (s->kind == KB_SIGNAL_DELTA)
            buf_printf(out, " > %g / %s", s->above, duration_format(s->over_ms, over));
        buf_putc(out, '\n');
    }
}

static void
explain_causes(const struct kb_entry *e, bool zh, struct buf *out)
{
    if (e->cause_count)
        explain_title(EXPLAIN_LEADS, zh, out);
    for (size_t i = 0; i < e->cause_count; i++) {
        const struct kb_cause *c = &e->causes[i];
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
        buf_printf(out, "  %3.0f %%  %s (%s)  ", c->probability * 100,
                   c->entry ? explain_say(zh, &c->entry->title) : c->symptom, c->symptom);
        explain_path(c, out);
        buf_printf(out, "  %s..%s\n", duration_format(c->delay_min_ms, from),
                   duration_format(c->delay_max_ms, to));
    }
}

static void
explain_clears(const struct kb_entry *e, bool zh, struct buf *out)
{
    char after[TIME_TEXT_SIZE];
    if (e->clear_after_ms || e->clear_pattern || e->clear_event)
        explain_title(EXPLAIN_CLEARS, zh, out);
    if (e->clear_after_ms && zh)
        buf_printf(out, "  %s 内不再出现\n", duration_format(e->clear_after_ms, after));
    else if (e->clear_after_ms)
        buf_printf(out, "  quiet for %s\n", duration_format(e->clear_after_ms, after));
    if (e->clear_pattern)
        buf_printf(out, "  %s%s%s\n", explain_say(zh, &explain_signal_words[0]),
                   explain_say(zh, &explain_words[EXPLAIN_COLON]), e->clear_pattern);
    if (e->clear_event)
        buf_printf(out, "  %s\n", e->clear_event);
}

int
kb_entry_explain(const struct kb_entry *e, const char *lang, struct buf *out)
{
    bool zh = lang && strncmp(lang, "zh", 2) == 0;
    explain_head(e, zh, out);
    if (e->action_count)
        explain_title(EXPLAIN_ACTIONS, zh, out);
    for (size_t i = 0; i < e->action_count; i++)
        buf_printf(out, "  %zu. %s\n", i + 1, explain_say(zh, &e->actions[i]));
    explain_signals(e, zh, out);
    explain_causes(e, zh, out);
    explain_clears(e, zh, out);
    if (e->advice_count)
        explain_title(EXPLAIN_ADVICE, zh, out);
    for (size_t i = 0; i < e->advice_count; i++) {
        const struct kb_advice *a = &e->advice[i];
        buf_printf(out, "  %s, %s%s%s%s%s\n", a->by, a->source, *a->version ? " " : "", a->version,
                   explain_say(zh, &explain_words[EXPLAIN_COLON]), explain_say(zh, &a->says));
    }
    if (e->reference_count)
        explain_title(EXPLAIN_SOURCES, zh, out);
    for (size_t i = 0; i < e->reference_count; i++)
        buf_printf(out, "  %s  %s\n", e->references[i].title, e->references[i].url);
    return out->failed ? ERR_LIMIT : 0;
}
