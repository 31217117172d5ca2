/* diagnosis: memory of an answer in one arena, its verdict, its JSON and its text for a terminal.
 */
#include "analyzer/diagnosis.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define DIAGNOSIS_ARENA_MAX ((size_t)64 << 20)

const char *
verdict_word(enum verdict v)
{
    static const char *const words[] = {"unknown", "infrastructure", "user"};
    return words[v];
}

struct diagnosis *
diagnosis_new(void)
{
    struct diagnosis *d = calloc(1, sizeof *d);
    if (!d || !(d->arena = arena_new(DIAGNOSIS_ARENA_MAX))) {
        free(d);
        return NULL;
    }
    return d;
}

void
diagnosis_free(struct diagnosis *d)
{
    if (!d)
        return;
    arena_free(d->arena);
    free(d);
}

void
diagnosis_conclude(struct diagnosis *d)
{
    d->verdict = VERDICT_UNKNOWN;
    d->confidence = 0;
    if (!d->hypothesis_count)
        return;
    const struct hypothesis *h = &d->hypotheses[0];
    d->confidence = h->confidence;
    if (h->confidence < 0.5 || !strcmp(h->class_name, "unknown"))
        d->verdict = VERDICT_UNKNOWN;
    else if (str_prefix(h->class_name, "user-"))
        d->verdict = VERDICT_USER;
    else
        d->verdict = VERDICT_INFRASTRUCTURE;
}

static double
diagnosis_round(double v, double unit)
{
    return (double)(int64_t)(v / unit + (v < 0 ? -0.5 : 0.5)) * unit;
}

static void
diagnosis_real(struct jsonw *w, const char *key, double v, int digits)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%.*f", digits, diagnosis_round(v, 1e-6));
    jsonw_key(w, key);
    jsonw_raw(w, text, (size_t)n);
}

static void
diagnosis_evidence_json(const struct hypothesis *h, struct jsonw *w)
{
    jsonw_key(w, "evidence");
    jsonw_array(w);
    for (size_t i = 0; i < h->evidence_count; i++) {
        const struct evidence *e = &h->evidence[i];
        jsonw_object(w);
        jsonw_ktime(w, "time", e->time_ms);
        jsonw_kstr(w, "entity", e->entity);
        jsonw_kstr(w, "signal", e->signal);
        jsonw_kstr(w, "source", e->source);
        jsonw_kstr(w, "text", e->text);
        diagnosis_real(w, "weight", e->weight, 2);
        jsonw_kint(w, "count", e->count);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "missing");
    jsonw_array(w);
    for (size_t i = 0; i < h->missing_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "signal", h->missing[i].signal);
        jsonw_ktext(w, "why", h->missing[i].why.en, h->missing[i].why.zh);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
diagnosis_hypothesis_json(const struct hypothesis *h, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "cause", h->cause);
    jsonw_kstr(w, "class", h->class_name);
    jsonw_kstr(w, "entity", h->entity);
    diagnosis_real(w, "confidence", h->confidence, 3);
    jsonw_ktext(w, "summary", h->summary.en, h->summary.zh);
    diagnosis_evidence_json(h, w);
    jsonw_ktext(w, "next_test", h->next_test.en, h->next_test.zh);
    jsonw_key(w, "actions");
    jsonw_array(w);
    for (size_t i = 0; i < h->action_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "en", h->actions[i].en);
        jsonw_kstr(w, "zh", h->actions[i].zh);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

void
diagnosis_members(const struct diagnosis *d, struct jsonw *w)
{
    jsonw_kstr(w, "verdict", verdict_word(d->verdict));
    diagnosis_real(w, "confidence", d->confidence, 3);
    jsonw_key(w, "hypotheses");
    jsonw_array(w);
    for (size_t i = 0; i < d->hypothesis_count; i++)
        diagnosis_hypothesis_json(&d->hypotheses[i], w);
    jsonw_end_array(w);
    jsonw_key(w, "victims");
    jsonw_array(w);
    for (size_t i = 0; i < d->victim_count; i++)
        jsonw_str(w, d->victims[i]);
    jsonw_end_array(w);
    jsonw_key(w, "window");
    jsonw_object(w);
    jsonw_ktime(w, "start", d->from_ms);
    jsonw_ktime(w, "end", d->to_ms);
    jsonw_end_object(w);
}

void
diagnosis_json(const struct diagnosis *d, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    diagnosis_members(d, &w);
    jsonw_end_object(&w);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Words of the text form, [0] en, [1] zh. */
static const char *const diagnosis_words[][2] = {
    {"Verdict", "结论"},
    {"the infrastructure", "基础设施故障"},
    {"the user's program", "用户程序问题"},
    {"cannot be told", "无法判定"},
    {"confidence", "置信度"},
    {"Evidence", "证据"},
    {"Missing", "缺少的证据"},
    {"What to do", "处理建议"},
    {"Settle it by", "进一步确认"},
    {"Why not the others", "其他可能"},
    {"Victims (not the cause)", "受影响者(并非原因)"},
    {"No line of the input meant anything that is known.", "输入中没有任何可识别的日志行。"},
};
enum {
    W_VERDICT,
    W_INFRA,
    W_USER,
    W_UNKNOWN,
    W_CONFIDENCE,
    W_EVIDENCE,
    W_MISSING,
    W_ACTIONS,
    W_TEST,
    W_OTHERS,
    W_VICTIMS,
    W_NOTHING
};

static const char *
diagnosis_pick(const struct kb_text *t, int zh)
{
    const char *s = zh ? t->zh : t->en;
    return s ? s : "";
}

/* A node of whom the lines tell no name is written as one dash. */
static const char *
diagnosis_where(const char *entity)
{
    return strcmp(entity, "node:-") ? entity : "-";
}

static void
diagnosis_text_evidence(const struct hypothesis *h, int zh, struct buf *out)
{
    char when[TIME_TEXT_SIZE];
    buf_printf(out, "\n%s\n", diagnosis_words[W_EVIDENCE][zh]);
    for (size_t i = 0; i < h->evidence_count && i < 12; i++) {
        const struct evidence *e = &h->evidence[i];
        buf_printf(out, "  %s  %s  [%s]%s\n    %.300s\n",
                   e->time_ms ? time_format(e->time_ms, when) : "-", diagnosis_where(e->entity),
                   e->signal, e->count > 1 ? " ..." : "", e->text);
    }
    if (h->missing_count)
        buf_printf(out, "\n%s\n", diagnosis_words[W_MISSING][zh]);
    for (size_t i = 0; i < h->missing_count; i++)
        buf_printf(out, "  - %s: %s\n", h->missing[i].signal,
                   diagnosis_pick(&h->missing[i].why, zh));
    if (h->action_count)
        buf_printf(out, "\n%s\n", diagnosis_words[W_ACTIONS][zh]);
    for (size_t i = 0; i < h->action_count; i++)
        buf_printf(out, "  %zu. %s\n", i + 1, diagnosis_pick(&h->actions[i], zh));
    bool said = h->action_count &&
                !strcmp(diagnosis_pick(&h->next_test, zh), diagnosis_pick(&h->actions[0], zh));
    if (!said && *diagnosis_pick(&h->next_test, zh))
        buf_printf(out, "\n%s: %s\n", diagnosis_words[W_TEST][zh],
                   diagnosis_pick(&h->next_test, zh));
}

void
diagnosis_text(const struct diagnosis *d, const char *lang, bool colour, struct buf *out)
{
    int zh = !strcmp(lang, "zh");
    if (!d->hypothesis_count) {
        buf_printf(out, "%s\n", diagnosis_words[W_NOTHING][zh]);
        return;
    }
    const struct hypothesis *h = &d->hypotheses[0];
    int said = d->verdict == VERDICT_USER             ? W_USER
               : d->verdict == VERDICT_INFRASTRUCTURE ? W_INFRA
                                                      : W_UNKNOWN;
    buf_printf(out, "%s: %s%s%s (%s %.0f %%)\n", diagnosis_words[W_VERDICT][zh],
               colour ? "\033[1m" : "", diagnosis_words[said][zh], colour ? "\033[0m" : "",
               diagnosis_words[W_CONFIDENCE][zh], d->confidence * 100);
    buf_printf(out, "%s  [%s, %s]\n%s\n", diagnosis_where(h->entity), h->cause, h->class_name,
               diagnosis_pick(&h->summary, zh));
    diagnosis_text_evidence(h, zh, out);
    if (d->hypothesis_count > 1)
        buf_printf(out, "\n%s\n", diagnosis_words[W_OTHERS][zh]);
    for (size_t i = 1; i < d->hypothesis_count && i < 5; i++)
        buf_printf(out, "  %3.0f %%  %s  [%s]\n", d->hypotheses[i].confidence * 100,
                   diagnosis_pick(&d->hypotheses[i].summary, zh), d->hypotheses[i].cause);
    if (d->victim_count)
        buf_printf(out, "\n%s:", diagnosis_words[W_VICTIMS][zh]);
    for (size_t i = 0; i < d->victim_count && i < 16; i++)
        buf_printf(out, " %s", d->victims[i]);
    if (d->victim_count)
        buf_printf(out, "%s\n", d->victim_count > 16 ? " ..." : "");
}
