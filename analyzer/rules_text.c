/* rules_text: the template language of labels and annotations, as far as it needs no query: {{
 * $labels.x }}, {{ $value }}, pipes and calls of humanize, humanize1024, humanizePercentage,
 * humanizeDuration, humanizeTimestamp, printf, title, toUpper, toLower. What else stands between
 * braces is an error. (Prometheus, "Template reference".) */
#include "analyzer/rules_priv.h"
#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RULES_WORDS 16
#define RULES_WORD  512

struct rules_word {
    char text[RULES_WORD];
    double number;
    bool is_number;
};

static void
rules_scaled(double v, double step, const char *const *up, const char *const *down, char *out,
             size_t size)
{
    size_t i = 0;
    double x = fabs(v);
    const char *prefix = "";
    if (!isfinite(v) || v == 0) {
        snprintf(out, size, "%.4g", v);
        return;
    }
    for (; x >= step && up[i]; i++) {
        prefix = up[i];
        x /= step;
    }
    for (i = 0; x < 1 && down && down[i]; i++) {
        prefix = down[i];
        x *= step;
    }
    snprintf(out, size, "%s%.4g%s", v < 0 ? "-" : "", x, prefix);
}

static void
rules_duration(double v, char *out, size_t size)
{
    static const char *const down[] = {"m", "u", "n", "p", NULL}, *const none[] = {NULL};
    long long s = (long long)fabs(v);
    const char *sign = v < 0 ? "-" : "";
    if (fabs(v) < 1) {
        rules_scaled(v, 1000, none, down, out, size - 1);
        strcat(out, "s");
    } else if (s >= 86400)
        snprintf(out, size, "%s%lldd %lldh %lldm %llds", sign, s / 86400, s / 3600 % 24,
                 s / 60 % 60, s % 60);
    else if (s >= 3600)
        snprintf(out, size, "%s%lldh %lldm %llds", sign, s / 3600, s / 60 % 60, s % 60);
    else if (s >= 60)
        snprintf(out, size, "%s%lldm %llds", sign, s / 60, s % 60);
    else
        snprintf(out, size, "%s%.4gs", sign, fabs(v));
}

static int
rules_call(const char *name, const struct rules_word *args, size_t n, struct rules_word *ret)
{
    static const char *const up[] = {"k", "M", "G", "T", "P", "E", "Z", "Y", NULL},
                             *const down[] = {"m", "u", "n", "p", "f", "a", NULL};
    static const char *const up1024[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi", NULL};
    char time[TIME_TEXT_SIZE];
    *ret = (struct rules_word){0};
    if (!n)
        return ERR_SYNTAX;
    const struct rules_word *a = &args[n - 1];
    double v = a->number;
    if (!strcmp(name, "printf") && n == 2) {
        /* one number or text: the format's own conversion decides */
        const char *p = strchr(args[0].text, '%');
        const char *c = p ? p + 1 + strspn(p + 1, "0123456789.+-# ") : NULL;
        char format[64];
        if (!c || !*c || (size_t)(c - p) > 6) /* wider is no text that anybody reads */
            return ERR_SYNTAX;
        snprintf(format, sizeof format, "%.*s%s", (int)(c - p), p,
                 strchr("dv", *c) ? (*c == 'd' ? ".0f" : "g")
                 : *c == 's'      ? "s"
                                  : "f");
        if (strchr("eEgG", *c))
            format[strlen(format) - 1] = *c;
        char body[RULES_WORD / 2];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (*c == 's')
            snprintf(body, sizeof body, format, a->text);
        else
            snprintf(body, sizeof body, format, v);
#pragma GCC diagnostic pop
        snprintf(ret->text, sizeof ret->text, "%.*s%.255s%.100s",
                 (int)(p - args[0].text > 100 ? 100 : p - args[0].text), args[0].text, body, c + 1);
        return 0;
    }
    if (!strcmp(name, "humanize"))
        rules_scaled(v, 1000, up, down, ret->text, sizeof ret->text);
    else if (!strcmp(name, "humanize1024"))
        rules_scaled(v, 1024, up1024, NULL, ret->text, sizeof ret->text);
    else if (!strcmp(name, "humanizePercentage"))
        snprintf(ret->text, sizeof ret->text, "%.4g%%", v * 100);
    else if (!strcmp(name, "humanizeDuration"))
        rules_duration(v, ret->text, sizeof ret->text);
    else if (!strcmp(name, "humanizeTimestamp"))
        snprintf(ret->text, sizeof ret->text, "%s", time_format((int64_t)(v * 1000), time));
    else if (!strcmp(name, "toUpper") || !strcmp(name, "toLower") || !strcmp(name, "title")) {
        snprintf(ret->text, sizeof ret->text, "%s", a->text);
        for (size_t i = 0; ret->text[i]; i++)
            if (name[2] == 'U' || (name[1] == 'i' && (!i || ret->text[i - 1] == ' ')))
                ret->text[i] = (char)toupper((unsigned char)ret->text[i]);
            else if (name[2] == 'L')
                ret->text[i] = (char)tolower((unsigned char)ret->text[i]);
    } else
        return ERR_SYNTAX;
    return 0;
}

static void
rules_number(struct rules_word *w, double v)
{
    char text[32];
    str_double_format(v, text);
    snprintf(w->text, sizeof w->text, "%s", text);
    w->number = v;
    w->is_number = true;
}

/* One word: a text in quotes, a number, $value, $labels.x, .Labels.x. Moves *p. 1: it is a
 * function's name. */
static int
rules_word_parse(const char **p, const struct labels *l, double value, struct rules_word *ret)
{
    const char *s = *p;
    *ret = (struct rules_word){0};
    if (*s == '"' || *s == '`') {
        size_t n = strcspn(s + 1, *s == '"' ? "\"" : "`");
        if (!s[n + 1] || n >= RULES_WORD)
            return ERR_SYNTAX;
        memcpy(ret->text, s + 1, n);
        *p = s + n + 2;
        return 0;
    }
    size_t n = strcspn(s, " \t\n|()");
    if (!n || n >= RULES_WORD)
        return ERR_SYNTAX;
    memcpy(ret->text, s, n);
    *p = s + n;
    if (!strcmp(ret->text, "$value") || !strcmp(ret->text, ".Value")) {
        rules_number(ret, value);
    } else if (str_prefix(ret->text, "$labels.") || str_prefix(ret->text, ".Labels.")) {
        char name[RULES_WORD], out[LABEL_VALUE_MAX + 1] = "";
        snprintf(name, sizeof name, "%s", ret->text + 8);
        labels_copy(l, name, out, sizeof out);
        snprintf(ret->text, sizeof ret->text, "%.500s", out);
    } else if (str_prefix(ret->text, "$externalLabels.") || str_prefix(ret->text, "$externalURL")) {
        ret->text[0] = 0;
    } else if (!str_double(ret->text, n, &ret->number)) {
        ret->is_number = true;
    } else if (isalpha((unsigned char)*s))
        return 1;
    else
        return ERR_SYNTAX;
    return 0;
}

/* One action: words, piped: each part's answer is the last argument of the next. */
static int
rules_action(const char *s, const struct labels *l, double value, struct rules_word *ret)
{
    struct rules_word args[RULES_WORDS], piped = {0};
    bool has_piped = false;
    int rc = 0;
    for (;;) {
        char function[RULES_WORD] = "";
        size_t n = 0;
        for (s += strspn(s, " \t\n()"); *s && *s != '|'; s += strspn(s, " \t\n()")) {
            if (n >= RULES_WORDS - 1 || (rc = rules_word_parse(&s, l, value, &args[n])) < 0)
                return ERR_SYNTAX;
            if (rc)
                memcpy(function, args[n].text, sizeof function);
            else
                n++;
        }
        if (has_piped)
            args[n++] = piped;
        if (*function ? rules_call(function, args, n, &piped) : n != 1)
            return ERR_SYNTAX;
        if (!*function)
            piped = args[0];
        has_piped = true;
        if (*s++ != '|')
            break;
    }
    *ret = piped;
    return 0;
}

int
rules_expand(const char *text, const struct labels *l, double value, struct buf *out)
{
    for (;;) {
        const char *open = strstr(text, "{{"), *close = open ? strstr(open, "}}") : NULL;
        char action[1024];
        struct rules_word w;
        if (!open) {
            buf_puts(out, text);
            return 0;
        }
        if (!close || (size_t)(close - open) >= sizeof action)
            return ERR_SYNTAX;
        buf_append(out, text, (size_t)(open - text));
        snprintf(action, sizeof action, "%.*s", (int)(close - open - 2), open + 2);
        char *from = action + (*action == '-');
        size_t n = strlen(from);
        if (n && from[n - 1] == '-')
            from[n - 1] = 0;
        if (rules_action(from, l, value, &w))
            return ERR_SYNTAX;
        buf_puts(out, w.text);
        text = close + 2;
    }
}
