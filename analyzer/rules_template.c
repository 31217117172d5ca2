/* rules_template: the template language of labels and annotations, as Prometheus has it: actions
 * with pipelines, variables, if, else, with and range over the answers of queries. A text is run as
 * it is read; what is not taken is read too, so that a wrong text is found when its file is loaded.
 *
 * Load: a text of 200 bytes for each alert and evaluation. Texts nest at most 16 deep; an expansion
 * has 1 MiB, 64 variables and 16 queries. (Prometheus, "Template reference"; Go, text/template.) */
#include "analyzer/rules_template.h"

#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_DEPTH  16
#define TEMPLATE_MEMORY ((size_t)1 << 20)
#define TEMPLATE_ROUNDS 10000 /* of all ranges */

/* --- words ------------------------------------------------------------------------------------ */

static void
template_space(struct template *t)
{
    while (t->p < t->end && isspace((unsigned char)*t->p))
        t->p++;
}

int
template_fail(struct template *t, int code, const char *why)
{
    if (!t->rc) {
        t->rc = code;
        str_copy(t->why, sizeof t->why, why);
    }
    return t->rc;
}

static bool
template_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A name at the present place, kept in the arena; NULL when there is none. */
static const char *
template_name(struct template *t)
{
    const char *from = t->p;
    while (t->p < t->end && template_name_char(*t->p))
        t->p++;
    return t->p > from ? arena_str(t->arena, from, (size_t)(t->p - from)) : NULL;
}

/* Is this word next, and whole? */
static bool
template_word(struct template *t, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0 ||
        (t->p + n < t->end && template_name_char(t->p[n])))
        return false;
    t->p += n;
    template_space(t);
    return true;
}

static struct template_value
template_text(struct template *t, const char *s, size_t len)
{
    char *copy = arena_str(t->arena, s, len);
    if (!copy)
        template_fail(t, ERR_LIMIT, "the template needs more memory than it may have");
    return (struct template_value){.kind = TEMPLATE_TEXT, .text = copy ? copy : ""};
}

/* A text in quotes, with Go's escapes, or in backquotes. */
static struct template_value
template_quoted(struct template *t)
{
    char quote = *t->p++;
    struct buf b;
    buf_init(&b, TEMPLATE_MEMORY / 4);
    while (t->p < t->end && *t->p != quote) {
        if (*t->p == '\\' && quote == '"' && t->p + 1 < t->end) {
            static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
            const char *at = strchr(from, t->p[1]);
            buf_putc(&b, at ? to[at - from] : t->p[1]);
            t->p += 2;
        } else {
            buf_putc(&b, *t->p++);
        }
    }
    struct template_value v = template_text(t, buf_str(&b), b.len);
    buf_done(&b);
    if (t->p == t->end)
        template_fail(t, ERR_SYNTAX, "unterminated text");
    else
        t->p++;
    return v;
}

/* --- operands --------------------------------------------------------------------------------- */

static struct template_value template_pipeline(struct template *t);

static struct template_value
template_variable(struct template *t)
{
    t->p++;
    const char *name = template_name(t);
    for (size_t i = t->variable_count; name && i-- > 0;)
        if (!strcmp(t->variables[i].name, name))
            return t->variables[i].value;
    if (name)
        template_fail(t, ERR_SYNTAX, "undefined variable");
    return t->root;
}

/* .Labels, .Value, or a label of labels. */
static struct template_value
template_field(struct template *t, const struct template_value *v, const char *name)
{
    char text[LABEL_VALUE_MAX + 1] = "";
    if (v->kind == TEMPLATE_SAMPLE && !strcmp(name, "Labels"))
        return (struct template_value){.kind = TEMPLATE_LABELS, .labels = v->labels};
    if (v->kind == TEMPLATE_SAMPLE && !strcmp(name, "Value"))
        return (struct template_value){.kind = TEMPLATE_NUMBER, .number = v->number};
    if (v->kind == TEMPLATE_SAMPLE && !strcmp(name, "ExternalLabels"))
        return (struct template_value){.kind = TEMPLATE_LABELS};
    if (v->kind == TEMPLATE_SAMPLE && !strcmp(name, "ExternalURL"))
        return template_text(t, "", 0);
    if (v->kind == TEMPLATE_LABELS) {
        if (v->labels)
            labels_copy(v->labels, name, text, sizeof text);
        return template_text(t, text, strlen(text));
    }
    if (t->runs)
        template_fail(t, ERR_STATE, "there is no such field");
    return (struct template_value){0};
}

static struct template_value
template_fields(struct template *t, struct template_value v)
{
    while (t->p + 1 < t->end && *t->p == '.' && template_name_char(t->p[1])) {
        t->p++;
        const char *name = template_name(t);
        if (!name)
            template_fail(t, ERR_LIMIT, "the template needs more memory than it may have");
        else
            v = template_field(t, &v, name);
    }
    return v;
}

static struct template_value
template_number(struct template *t)
{
    char text[64];
    size_t n = strspn(t->p, "+-0123456789.eExXabcdefABCDEF_");
    struct template_value v = {.kind = TEMPLATE_NUMBER};
    n = n < (size_t)(t->end - t->p) ? n : (size_t)(t->end - t->p);
    snprintf(text, sizeof text, "%.*s", (int)n, t->p);
    v.whole = !strpbrk(text, ".eE");
    if (!n || n >= sizeof text || str_double(text, n, &v.number))
        template_fail(t, ERR_SYNTAX, "bad number");
    t->p += n;
    return v;
}

/* One operand; *ret_function: it is a function's name. */
static struct template_value
template_operand(struct template *t, const char **ret_function)
{
    struct template_value v = {0};
    char c = t->p < t->end ? *t->p : 0;
    *ret_function = NULL;
    if (c == '"' || c == '`')
        return template_quoted(t);
    if (c == '(') {
        t->p++;
        v = ++t->depth > TEMPLATE_DEPTH ? v : template_pipeline(t);
        t->depth--;
        template_space(t);
        if (t->p == t->end || *t->p != ')')
            template_fail(t, ERR_SYNTAX, "a parenthesis is not closed");
        else
            t->p++;
        return template_fields(t, v);
    }
    if (c == '$')
        return template_fields(t, template_variable(t));
    if (c == '.' && !(t->p + 1 < t->end && isdigit((unsigned char)t->p[1]))) {
        bool alone = t->p + 1 == t->end || !template_name_char(t->p[1]);
        t->p += alone;
        return alone ? t->dot : template_fields(t, t->dot);
    }
    if (isdigit((unsigned char)c) || c == '-' || c == '+' || c == '.')
        return template_number(t);
    const char *name = template_name(t);
    if (!name)
        template_fail(t, ERR_SYNTAX, "unexpected character in an action");
    else if (!strcmp(name, "true") || !strcmp(name, "false"))
        v = (struct template_value){.kind = TEMPLATE_BOOL, .number = *name == 't'};
    else if (strcmp(name, "nil") != 0)
        *ret_function = name;
    return v;
}

/* A function with its arguments, or one operand. What was piped comes last. */
static struct template_value
template_command(struct template *t, const struct template_value *piped)
{
    struct template_value args[TEMPLATE_ARGS], v = {0};
    const char *function = NULL, *inner;
    size_t n = 0;
    for (bool first = true;; first = false) {
        template_space(t);
        if (t->rc || t->p == t->end || strchr("|)", *t->p))
            break;
        v = template_operand(t, &inner);
        if (inner && first)
            function = inner;
        else if (inner)
            v = template_call(t, inner, NULL, 0);
        if (inner && first)
            continue;
        if (n == TEMPLATE_ARGS - 1)
            template_fail(t, ERR_SYNTAX, "too many arguments");
        else
            args[n++] = v;
    }
    if (piped)
        args[n++] = *piped;
    if (function && !t->rc)
        return template_call(t, function, args, n);
    if (n != 1)
        template_fail(t, ERR_SYNTAX, "a value is expected");
    return n ? args[0] : v;
}

static struct template_value
template_pipeline(struct template *t)
{
    struct template_value v = template_command(t, NULL);
    while (!t->rc && t->p < t->end && *t->p == '|') {
        t->p++;
        v = template_command(t, &v);
    }
    return v;
}

/* --- actions ---------------------------------------------------------------------------------- */

bool
template_true(const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NOTHING:
        return false;
    case TEMPLATE_BOOL:
    case TEMPLATE_NUMBER:
        return v->number != 0;
    case TEMPLATE_TEXT:
        return *v->text != 0;
    case TEMPLATE_VECTOR:
        return v->count > 0;
    case TEMPLATE_LABELS:
        return v->labels && v->labels->count;
    case TEMPLATE_SAMPLE:
        return true;
    }
    return false;
}

static void
template_set(struct template *t, const char *name, struct template_value v, bool fresh)
{
    for (size_t i = t->variable_count; !fresh && i-- > 0;)
        if (!strcmp(t->variables[i].name, name)) {
            t->variables[i].value = v;
            return;
        }
    if (!fresh || t->variable_count == TEMPLATE_VARIABLES) {
        template_fail(t, ERR_SYNTAX, fresh ? "too many variables" : "undefined variable");
        return;
    }
    t->variables[t->variable_count].name = name;
    t->variables[t->variable_count++].value = v;
}

struct template_assigned {
    const char *names[2];
    size_t count;
    bool fresh;
};

/* "$x := ", "$i, $x := ", "$x = " before a pipeline. */
static void
template_assignment(struct template *t, struct template_assigned *ret)
{
    const char *from = t->p;
    *ret = (struct template_assigned){0};
    while (ret->count < 2 && t->p < t->end && *t->p == '$') {
        t->p++;
        ret->names[ret->count] = template_name(t);
        ret->count += ret->names[ret->count] != NULL;
        template_space(t);
        if (t->p < t->end && *t->p == ',') {
            t->p++;
            template_space(t);
        }
    }
    ret->fresh = t->p < t->end && *t->p == ':';
    t->p += ret->fresh;
    if (ret->count && t->p < t->end && *t->p == '=') {
        t->p++;
        template_space(t);
        return;
    }
    t->p = from;
    ret->count = 0;
}

/* Runs to an "end" or "else" of its own: which, and whether it was told. */
enum template_stop { TEMPLATE_STOP_TEXT, TEMPLATE_STOP_END, TEMPLATE_STOP_ELSE };
static enum template_stop template_run(struct template *t);

/* The action's text between {{ and }}: [t->p, t->end) is the action while it is looked at. */
static void
template_leave(struct template *t)
{
    template_space(t);
    if (!t->rc && t->p != t->end)
        template_fail(t, ERR_SYNTAX, "unexpected words in an action");
    t->p = t->after;
    t->end = t->text_end;
}

/* A branch, run or only read. */
static enum template_stop
template_branch(struct template *t, bool runs, const struct template_value *dot)
{
    struct template_value before = t->dot;
    bool ran = t->runs;
    size_t variables = t->variable_count;
    t->runs = ran && runs;
    t->dot = dot ? *dot : before;
    enum template_stop stop = template_run(t);
    t->runs = ran;
    t->dot = before;
    t->variable_count = variables;
    return stop;
}

/* After "if" or "with". */
static void
template_if(struct template *t, bool with)
{
    struct template_assigned set;
    size_t variables = t->variable_count;
    template_assignment(t, &set);
    struct template_value v = template_pipeline(t);
    if (set.count)
        template_set(t, set.names[0], v, set.fresh);
    template_leave(t);
    bool yes = template_true(&v);
    enum template_stop stop = template_branch(t, yes, with ? &v : NULL);
    if (stop == TEMPLATE_STOP_ELSE && !t->rc) {
        bool ran = t->runs;
        if (template_word(t, "if") || template_word(t, "with")) { /* ends with the same end */
            t->runs = ran && !yes;
            template_if(t, t->p[-1] == 'h');
            t->runs = ran;
            t->variable_count = variables;
            return;
        }
        template_leave(t);
        stop = template_branch(t, !yes, NULL);
    }
    if (stop != TEMPLATE_STOP_END)
        template_fail(t, ERR_SYNTAX, "an end is missing");
    template_leave(t);
    t->variable_count = variables;
}

static struct template_value
template_item(const struct template_value *v, size_t i)
{
    return (struct template_value){
        .kind = TEMPLATE_SAMPLE, .labels = v->rows[i].labels, .number = v->rows[i].samples[0].v};
}

static void
template_range(struct template *t)
{
    struct template_assigned set;
    size_t variables = t->variable_count;
    template_assignment(t, &set);
    struct template_value v = template_pipeline(t);
    template_leave(t);
    const char *body = t->p;
    size_t n = v.kind == TEMPLATE_VECTOR ? v.count : 0;
    enum template_stop stop = TEMPLATE_STOP_TEXT;
    if (t->runs && v.kind != TEMPLATE_VECTOR && v.kind != TEMPLATE_NOTHING)
        template_fail(t, ERR_STATE, "range can't iterate over this");
    for (size_t i = 0; i < n && t->runs && !t->rc; i++) {
        struct template_value item = template_item(&v, i),
                              index = {.kind = TEMPLATE_NUMBER, .number = (double)i};
        if (++t->rounds > TEMPLATE_ROUNDS)
            template_fail(t, ERR_LIMIT, "the template goes round too often");
        if (set.count)
            template_set(t, set.names[set.count - 1], item, true);
        if (set.count == 2)
            template_set(t, set.names[0], index, true);
        t->p = body;
        t->end = t->text_end;
        stop = template_branch(t, true, &item);
        t->variable_count = variables;
    }
    if (!n || !t->runs) {
        struct template_value nothing = {.kind = TEMPLATE_NOTHING};
        for (size_t i = 0; i < set.count; i++)
            template_set(t, set.names[i], nothing, true);
        stop = template_branch(t, false, NULL);
    }
    if (stop == TEMPLATE_STOP_ELSE && !t->rc) {
        template_leave(t);
        stop = template_branch(t, !n, NULL);
    }
    if (stop != TEMPLATE_STOP_END)
        template_fail(t, ERR_SYNTAX, "an end is missing");
    template_leave(t);
    t->variable_count = variables;
}

/* --- text ------------------------------------------------------------------------------------- */

/* Finds the next action, writes what stands before it, and looks into it. false: there is none. */
static bool
template_enter(struct template *t)
{
    const char *open = t->p, *close;
    while (open + 1 < t->end && !(open[0] == '{' && open[1] == '{'))
        open++;
    bool found = open + 1 < t->end;
    const char *text_end = found ? open : t->end;
    if (found && open[2] == '-' && open + 3 < t->end && isspace((unsigned char)open[3]))
        while (text_end > t->p && isspace((unsigned char)text_end[-1]))
            text_end--;
    if (t->runs && text_end > t->p)
        buf_append(t->out, t->p, (size_t)(text_end - t->p));
    t->p = found ? open + 2 : t->end;
    if (!found)
        return false;
    t->p += *t->p == '-';
    for (close = t->p; close + 1 < t->end && !(close[0] == '}' && close[1] == '}'); close++)
        if (*close == '"' || *close == '`') {
            char quote = *close;
            for (close++; close < t->end && *close != quote; close++)
                close += *close == '\\' && quote == '"';
        }
    if (close + 1 >= t->end) {
        template_fail(t, ERR_SYNTAX, "an action is not closed");
        return false;
    }
    t->after = close + 2;
    if (close > t->p && close[-1] == '-') {
        close--;
        while (t->after < t->end && isspace((unsigned char)*t->after))
            t->after++;
    }
    t->end = close;
    template_space(t);
    return true;
}

static void
template_print(struct template *t)
{
    struct template_assigned set;
    if (t->end - t->p >= 4 && t->p[0] == '/' && t->p[1] == '*') { /* a comment */
        t->p = t->end;
        template_leave(t);
        return;
    }
    template_assignment(t, &set);
    struct template_value v = template_pipeline(t);
    template_leave(t);
    if (set.count)
        template_set(t, set.names[0], v, set.fresh);
    else if (t->runs && !t->rc)
        template_write(&v, t->out);
}

static enum template_stop
template_run(struct template *t)
{
    enum template_stop stop = TEMPLATE_STOP_TEXT;
    if (++t->depth > TEMPLATE_DEPTH)
        template_fail(t, ERR_LIMIT, "the template is nested too deep");
    while (!t->rc && !stop && template_enter(t)) {
        if (template_word(t, "end"))
            stop = TEMPLATE_STOP_END;
        else if (template_word(t, "else"))
            stop = TEMPLATE_STOP_ELSE;
        else if (template_word(t, "if"))
            template_if(t, false);
        else if (template_word(t, "with"))
            template_if(t, true);
        else if (template_word(t, "range"))
            template_range(t);
        else
            template_print(t);
    }
    t->depth--;
    return stop;
}

int
rules_expand(const char *text, const struct rules_scope *scope, struct buf *out)
{
    struct template t = {.scope = scope, .p = text, .out = out, .runs = true};
    if (!strstr(text, "{{"))
        return buf_puts(out, text);
    t.end = t.text_end = text + strlen(text);
    t.arena = arena_new(TEMPLATE_MEMORY);
    if (!t.arena)
        return ERR_NOMEM;
    t.root = t.dot = (struct template_value){
        .kind = TEMPLATE_SAMPLE, .labels = scope->labels, .number = scope->value};
    template_set(&t, "labels",
                 (struct template_value){.kind = TEMPLATE_LABELS, .labels = scope->labels}, true);
    template_set(&t, "value",
                 (struct template_value){.kind = TEMPLATE_NUMBER, .number = scope->value}, true);
    template_set(&t, "externalLabels", (struct template_value){.kind = TEMPLATE_LABELS}, true);
    template_set(&t, "externalURL", (struct template_value){.kind = TEMPLATE_TEXT, .text = ""},
                 true);
    size_t before = out->len;
    if (template_run(&t) != TEMPLATE_STOP_TEXT)
        template_fail(&t, ERR_SYNTAX, "unexpected end or else");
    if (t.rc && t.rc != ERR_SYNTAX) { /* the text stays an annotation: it says what went wrong */
        if (out->len > before) {
            out->len = before;
            out->data[before] = 0;
        }
        buf_printf(out, "<error expanding template: %s>", t.why);
    }
    for (size_t i = 0; i < t.answer_count; i++)
        promql_result_done(&t.answers[i]);
    arena_free(t.arena);
    return t.rc == ERR_SYNTAX ? ERR_SYNTAX : 0;
}
