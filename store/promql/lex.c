/* lex: see its header. A hand-written automaton: the state is where we are (braces, brackets,
 * parentheses), a token is made on demand. Behaviour: prometheus 2.42, promql/parser, as its HTTP
 * API shows it (tests/store/promql_diff). */
#include "store/promql/lex.h"

#include "base/err.h"
#include "base/str.h"
#include "store/promql/ast.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEX_EOF (-1)

void
lex_init(struct lexer *l, const char *text, size_t len)
{
    *l = (struct lexer){.text = text, .end = text + len, .pos = text, .start = text};
}

/* --- characters ------------------------------------------------------------------------------- */

static bool
lex_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool
lex_is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
lex_is_word(int c)
{
    return lex_is_alpha(c) || lex_is_digit(c);
}

static bool
lex_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int
lex_peek(const struct lexer *l)
{
    return l->pos < l->end ? (unsigned char)*l->pos : LEX_EOF;
}

static bool
lex_accept(struct lexer *l, const char *set)
{
    int c = lex_peek(l);
    if (c <= 0 || !strchr(set, c))
        return false;
    l->pos++;
    return true;
}

static void
lex_run(struct lexer *l, const char *set)
{
    while (lex_accept(l, set))
        continue;
}

/* The character at p as a code point, and its length; invalid bytes are U+FFFD of length 1. */
static unsigned
lex_rune(const char *p, const char *end, size_t *ret_len)
{
    size_t n = p < end ? str_utf8_length(p, (size_t)(end - p)) : 0;
    *ret_len = n ? n : 1;
    if (!n)
        return 0xfffd;
    unsigned char c = (unsigned char)*p;
    unsigned v = n == 1 ? c : n == 2 ? c & 0x1fu : n == 3 ? c & 0x0fu : c & 0x07u;
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)p[i] & 0x3fu);
    return v;
}

void
lex_quote(const char *s, size_t len, size_t most, struct buf *out)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    const char *end = s + len;
    size_t n, count = 0;
    buf_putc(out, '"');
    for (; s < end && (!most || count < most); s += n, count++) {
        unsigned c = lex_rune(s, end, &n);
        const char *at = c && c < 128 ? strchr(from, (int)c) : NULL;
        if (at)
            buf_printf(out, "\\%c", to[at - from]);
        else if (c < 32 || c == 127 || (c == 0xfffd && n == 1))
            buf_printf(out, "\\x%02x", (unsigned char)*s);
        else
            buf_append(out, s, n);
    }
    buf_putc(out, '"');
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void
lex_emit(struct lexer *l, struct token *t, enum lex_kind kind, int value)
{
    *t = (struct token){kind, value, l->start, (size_t)(l->pos - l->start)};
    l->start = l->pos;
}

static void lex_error(struct lexer *l, struct token *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
lex_error(struct lexer *l, struct token *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->error, sizeof l->error, fmt, ap);
    va_end(ap);
    *t = (struct token){LEX_ERROR, 0, l->start, 0};
}

/* An error whose sentence ends with the character at p, quoted; %q of Go. */
static void
lex_error_at(struct lexer *l, struct token *t, const char *what, const char *p)
{
    static const char from[] = "\a\b\f\n\r\t\v\\'", to[] = "abfnrtv\\'";
    size_t n;
    unsigned c = lex_rune(p, l->end, &n);
    const char *at = p < l->end && c && c < 128 ? strchr(from, (int)c) : NULL;
    if (p >= l->end || (c == 0xfffd && n == 1))
        lex_error(l, t, "%s'\xef\xbf\xbd'", what);
    else if (at)
        lex_error(l, t, "%s'\\%c'", what, to[at - from]);
    else if (c < 32 || c == 127)
        lex_error(l, t, "%s'\\x%02x'", what, c);
    else
        lex_error(l, t, "%s'%.*s'", what, (int)n, p);
}

static void
lex_error_quoted(struct lexer *l, struct token *t, const char *what)
{
    struct buf b;
    buf_init(&b, 200);
    lex_quote(l->start, (size_t)(l->pos - l->start), 0, &b);
    lex_error(l, t, "%s%s", what, buf_str(&b));
    buf_done(&b);
}

static const struct lex_word {
    const char *text;
    enum lex_kind kind;
    int value;
} lex_words[] = {{"and", LEX_OPERATOR, OP_AND},
                 {"or", LEX_OPERATOR, OP_OR},
                 {"unless", LEX_OPERATOR, OP_UNLESS},
                 {"atan2", LEX_OPERATOR, OP_ATAN2},
                 {"sum", LEX_AGGREGATE, AGG_SUM},
                 {"avg", LEX_AGGREGATE, AGG_AVG},
                 {"count", LEX_AGGREGATE, AGG_COUNT},
                 {"min", LEX_AGGREGATE, AGG_MIN},
                 {"max", LEX_AGGREGATE, AGG_MAX},
                 {"group", LEX_AGGREGATE, AGG_GROUP},
                 {"stddev", LEX_AGGREGATE, AGG_STDDEV},
                 {"stdvar", LEX_AGGREGATE, AGG_STDVAR},
                 {"topk", LEX_AGGREGATE, AGG_TOPK},
                 {"bottomk", LEX_AGGREGATE, AGG_BOTTOMK},
                 {"count_values", LEX_AGGREGATE, AGG_COUNT_VALUES},
                 {"quantile", LEX_AGGREGATE, AGG_QUANTILE},
                 {"offset", LEX_OFFSET, 0},
                 {"by", LEX_BY, 0},
                 {"without", LEX_WITHOUT, 0},
                 {"on", LEX_ON, 0},
                 {"ignoring", LEX_IGNORING, 0},
                 {"group_left", LEX_GROUP_LEFT, 0},
                 {"group_right", LEX_GROUP_RIGHT, 0},
                 {"bool", LEX_BOOL, 0},
                 {"start", LEX_START, 0},
                 {"end", LEX_STOP, 0},
                 {"inf", LEX_NUMBER, 0},
                 {"nan", LEX_NUMBER, 0}};

static void
lex_keyword(struct lexer *l, struct token *t)
{
    bool colon = false;
    while (lex_is_word(lex_peek(l)) || lex_peek(l) == ':')
        colon |= *l->pos++ == ':';
    size_t n = (size_t)(l->pos - l->start);
    for (size_t i = 0; i < sizeof lex_words / sizeof *lex_words; i++)
        if (strlen(lex_words[i].text) == n && !strncasecmp(lex_words[i].text, l->start, n)) {
            lex_emit(l, t, lex_words[i].kind, lex_words[i].value);
            return;
        }
    lex_emit(l, t, colon ? LEX_METRIC : LEX_IDENT, 0);
}

/* True when a number ends here; else what was read may begin a duration. */
static bool
lex_scan_number(struct lexer *l)
{
    const char *digits = "0123456789";
    if (lex_accept(l, "0") && lex_accept(l, "xX"))
        digits = "0123456789abcdefABCDEF";
    lex_run(l, digits);
    if (lex_accept(l, "."))
        lex_run(l, digits);
    if (lex_accept(l, "eE")) {
        lex_accept(l, "+-");
        lex_run(l, "0123456789");
    }
    return !lex_is_word(lex_peek(l));
}

static bool
lex_scan_duration(struct lexer *l)
{
    if (!lex_accept(l, "smhdwy"))
        return false;
    lex_accept(l, "s");
    while (lex_accept(l, "0123456789")) {
        lex_run(l, "0123456789");
        if (!lex_accept(l, "smhdw"))
            return false;
        lex_accept(l, "s");
    }
    if (!lex_is_word(lex_peek(l)))
        return true;
    l->pos++;
    return false;
}

static void
lex_number_or_duration(struct lexer *l, struct token *t)
{
    if (lex_scan_number(l))
        lex_emit(l, t, LEX_NUMBER, 0);
    else if (lex_scan_duration(l))
        lex_emit(l, t, LEX_DURATION, 0);
    else
        lex_error_quoted(l, t, "bad number or duration syntax: ");
}

/* Behind a left bracket only a duration may stand. */
static void
lex_duration(struct lexer *l, struct token *t)
{
    l->duration = false;
    if (lex_scan_number(l))
        lex_error(l, t, "missing unit character in duration");
    else if (lex_scan_duration(l))
        lex_emit(l, t, LEX_DURATION, 0);
    else
        lex_error_quoted(l, t, "bad duration syntax: ");
}

/* --- strings ---------------------------------------------------------------------------------- */

static int
lex_digit(int c)
{
    return lex_is_digit(c)        ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 16;
}

static void
lex_error_escape(struct lexer *l, struct token *t, const char *what, const char *behind)
{
    size_t n;
    unsigned c = lex_rune(l->pos, l->end, &n);
    if (c < 32 || c == 127)
        lex_error(l, t, "%s U+%04X%s", what, c, behind);
    else
        lex_error(l, t, "%s U+%04X '%.*s'%s", what, c, (int)n, l->pos, behind);
}

/* Behind a backslash: false with an error in t. */
static bool
lex_escape(struct lexer *l, struct token *t, char quote)
{
    int c = lex_peek(l), base = 16;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    unsigned long v = 0, max = digits > 3 ? 0x10ffff : 255;
    if (c == LEX_EOF) {
        lex_error(l, t, "escape sequence not terminated");
        return false;
    }
    if (!digits) {
        if (c == quote || (c && strchr("abfnrtv\\", c)))
            return l->pos++, true;
        lex_error_escape(l, t, "unknown escape sequence", "");
        return false;
    }
    if (digits == 3)
        base = 8;
    else
        l->pos++;
    for (; digits; digits--, l->pos++) {
        c = lex_peek(l);
        if (c == LEX_EOF) {
            lex_error(l, t, "escape sequence not terminated");
            return false;
        }
        if (lex_digit(c) >= base) {
            lex_error_escape(l, t, "illegal character", " in escape sequence");
            return false;
        }
        v = v * (unsigned long)base + (unsigned long)lex_digit(c);
    }
    if (v > max || (v >= 0xd800 && v < 0xe000)) {
        lex_error(l, t, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static void
lex_string(struct lexer *l, struct token *t, char quote)
{
    bool raw = quote == '`';
    size_t n;
    for (;;) {
        int c = lex_peek(l);
        if (c == LEX_EOF || (c == '\n' && !raw)) {
            lex_error(l, t, raw ? "unterminated raw string" : "unterminated quoted string");
            return;
        }
        if (lex_rune(l->pos, l->end, &n) == 0xfffd) {
            lex_error(l, t, "invalid UTF-8 rune");
            return;
        }
        l->pos += n;
        if (c == quote)
            break;
        if (c == '\\' && !raw && !lex_escape(l, t, quote))
            return;
    }
    lex_emit(l, t, LEX_STRING, 0);
}

static size_t
lex_utf8(unsigned long c, char *out)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char head[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(head[n] | c);
    return n;
}

char *
lex_unquote(const struct token *t, struct arena *arena, size_t *ret_len)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    const char *p = t->p + 1, *end = t->p + t->len - 1;
    char *out = arena_alloc(arena, t->len + 1);
    size_t n = 0;
    while (out && p < end) {
        if (*p != '\\' || *t->p == '`') {
            if (*p != '\r' || *t->p != '`')
                out[n++] = *p;
            p++;
            continue;
        }
        const char *at = strchr(from, *++p);
        size_t digits = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : lex_is_digit(*p) ? 3 : 0;
        if (!digits) {
            out[n++] = at && *at ? to[at - from] : *p;
            p++;
            continue;
        }
        char text[9] = "";
        p += digits != 3;
        memcpy(text, p, digits);
        p += digits;
        unsigned long v = strtoul(text, NULL, digits == 3 ? 8 : 16);
        if (digits > 3)
            n += lex_utf8(v, out + n);
        else
            out[n++] = (char)v;
    }
    if (out)
        *ret_len = n;
    return out;
}

/* --- where we are ----------------------------------------------------------------------------- */

static void
lex_in_braces(struct lexer *l, struct token *t)
{
    int c = lex_peek(l);
    if (c == LEX_EOF) {
        lex_error(l, t, "unexpected end of input inside braces");
        return;
    }
    if (lex_is_alpha(c)) {
        while (lex_is_word(lex_peek(l)))
            l->pos++;
        lex_emit(l, t, LEX_IDENT, 0);
        return;
    }
    const char *at = l->pos++;
    if (c == ',') {
        lex_emit(l, t, LEX_COMMA, 0);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, (char)c);
    } else if (c == '=') {
        bool regex = lex_accept(l, "~");
        lex_emit(l, t, regex ? LEX_EQL_REGEX : LEX_EQL, 0);
    } else if (c == '!') {
        if (lex_accept(l, "~"))
            lex_emit(l, t, LEX_NEQ_REGEX, 0);
        else if (lex_accept(l, "="))
            lex_emit(l, t, LEX_OPERATOR, OP_NE);
        else
            lex_error_at(l, t, "unexpected character after '!' inside braces: ", l->pos);
    } else if (c == '{') {
        lex_error(l, t, "unexpected left brace '{'");
    } else if (c == '}') {
        l->brace = false;
        lex_emit(l, t, LEX_RIGHT_BRACE, 0);
    } else {
        lex_error_at(l, t, "unexpected character inside braces: ", at);
    }
}

static void
lex_bracket(struct lexer *l, struct token *t, int c)
{
    if (c == '(') {
        l->paren++;
        lex_emit(l, t, LEX_LEFT_PAREN, 0);
    } else if (c == ')') {
        lex_emit(l, t, LEX_RIGHT_PAREN, 0);
        if (--l->paren < 0)
            lex_error(l, t, "unexpected right parenthesis ')'");
    } else if (c == '{') {
        l->brace = true;
        lex_emit(l, t, LEX_LEFT_BRACE, 0);
    } else if (c == ']') {
        if (!l->bracket) {
            lex_error(l, t, "unexpected right bracket ']'");
            return;
        }
        l->bracket = false;
        lex_emit(l, t, LEX_RIGHT_BRACKET, 0);
    } else if (l->bracket) {
        lex_error(l, t, "unexpected left bracket '['");
    } else {
        l->colon = false;
        l->bracket = l->duration = true;
        lex_emit(l, t, LEX_LEFT_BRACKET, 0);
    }
}

/* Operators of one or two characters; the first is consumed. */
static bool
lex_operator(struct lexer *l, struct token *t, int c)
{
    static const char single[] = "*/%+-^";
    static const enum ast_op ops[] = {OP_MUL, OP_DIV, OP_MOD, OP_ADD, OP_SUB, OP_POW};
    const char *at = strchr(single, c);
    if (at && c) {
        lex_emit(l, t, LEX_OPERATOR, (int)ops[at - single]);
        return true;
    }
    if (c == '=') {
        if (lex_peek(l) == '~')
            lex_error_at(l, t, "unexpected character after '=': ", l->pos);
        else if (lex_accept(l, "="))
            lex_emit(l, t, LEX_OPERATOR, OP_EQ);
        else
            lex_emit(l, t, LEX_EQL, 0);
    } else if (c == '!') {
        if (lex_accept(l, "="))
            lex_emit(l, t, LEX_OPERATOR, OP_NE);
        else
            lex_error_at(l, t, "unexpected character after '!': ", l->pos);
    } else if (c == '<' || c == '>') {
        bool equal = lex_accept(l, "=");
        lex_emit(l, t, LEX_OPERATOR, c == '<' ? (equal ? OP_LE : OP_LT) : equal ? OP_GE : OP_GT);
    } else {
        return false;
    }
    return true;
}

static void
lex_statement(struct lexer *l, struct token *t)
{
    int c = lex_peek(l);
    if (c == LEX_EOF) {
        if (l->paren)
            lex_error(l, t, "unclosed left parenthesis");
        else if (l->bracket)
            lex_error(l, t, "unclosed left bracket");
        else
            lex_emit(l, t, LEX_END, 0);
        return;
    }
    if (lex_is_digit(c) || (c == '.' && l->pos + 1 < l->end && lex_is_digit(l->pos[1]))) {
        lex_number_or_duration(l, t);
        return;
    }
    if ((lex_is_alpha(c) || c == ':') && !l->bracket) {
        lex_keyword(l, t);
        return;
    }
    const char *at = l->pos++;
    if (lex_is_alpha(c) || c == ':') {
        if (l->colon) {
            lex_error_at(l, t, "unexpected colon ", at);
            return;
        }
        l->colon = true;
        lex_emit(l, t, LEX_COLON, 0);
    } else if (c == ',') {
        lex_emit(l, t, LEX_COMMA, 0);
    } else if (c == '@') {
        lex_emit(l, t, LEX_AT, 0);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, (char)c);
    } else if (c && strchr("(){[]", c)) {
        lex_bracket(l, t, c);
    } else if (!lex_operator(l, t, c)) {
        lex_error_at(l, t, "unexpected character: ", at);
    }
}

void
lex_next(struct lexer *l, struct token *ret)
{
    for (;;) {
        while (lex_is_space(lex_peek(l)))
            l->pos++;
        if (l->duration || lex_peek(l) != '#')
            break;
        while (l->pos < l->end && *l->pos != '\n' && *l->pos != '\r')
            l->pos++;
    }
    l->start = l->pos;
    if (l->duration)
        lex_duration(l, ret);
    else if (l->brace)
        lex_in_braces(l, ret);
    else
        lex_statement(l, ret);
}

/* --- words of tokens -------------------------------------------------------------------------- */

void
lex_describe(const struct token *t, struct buf *out)
{
    static const char *const kinds[] = {[LEX_IDENT] = "identifier ",
                                        [LEX_METRIC] = "metric identifier ",
                                        [LEX_STRING] = "string ",
                                        [LEX_NUMBER] = "number ",
                                        [LEX_DURATION] = "duration "};
    int n = (int)t->len;
    if (t->kind == LEX_END) {
        buf_puts(out, "end of input");
        return;
    }
    if (t->kind <= LEX_DURATION && kinds[t->kind])
        buf_puts(out, kinds[t->kind]);
    if (t->kind >= LEX_OPERATOR && t->kind <= LEX_AT) {
        buf_printf(out, "<op:%.*s>", n, t->p);
    } else if (t->kind == LEX_AGGREGATE) {
        buf_printf(out, "<aggr:%.*s>", n, t->p);
    } else if (t->kind >= LEX_BOOL && t->kind <= LEX_WITHOUT) {
        buf_printf(out, "<%.*s>", n, t->p);
    } else if (t->kind != LEX_IDENT && t->kind != LEX_METRIC && t->len > 10) {
        lex_quote(t->p, t->len, 10, out);
        buf_puts(out, "...");
    } else {
        lex_quote(t->p, t->len, 0, out);
    }
}

int
lex_number(const struct token *t, double *ret)
{
    char text[512], *stop;
    if (t->len >= sizeof text)
        return ERR_SYNTAX;
    memcpy(text, t->p, t->len);
    text[t->len] = 0;
    if (!strcasecmp(text, "inf") || !strcasecmp(text, "nan")) {
        *ret = (*text | 32) == 'i' ? INFINITY : NAN;
        return 0;
    }
    bool hex = !strncasecmp(text, "0x", 2),
         octal = !hex && *text == '0' && text[1] && strspn(text, "01234567") == t->len;
    if (hex || octal) {
        errno = 0;
        unsigned long long v = strtoull(text + (hex ? 2 : 1), &stop, hex ? 16 : 8);
        bool whole = !*stop && (!hex || t->len > 2);
        if (hex && (!whole || errno || v > INT64_MAX))
            return ERR_SYNTAX;
        if (whole && !errno && v <= INT64_MAX) {
            *ret = (double)v;
            return 0;
        }
    }
    size_t n = strspn(text, "0123456789.");
    if (text[n] && !lex_is_digit(text[t->len - 1]))
        return ERR_SYNTAX; /* "1e", "1e+" */
    double v = strtod(text, &stop);
    if (*stop)
        return ERR_SYNTAX;
    if (isinf(v))
        return ERR_RANGE;
    *ret = v;
    return 0;
}
