/* lex: PromQL text to tokens, one at a time, with the places and sentences of Prometheus' lexer. */
#ifndef STORE_PROMQL_LEX_H
#define STORE_PROMQL_LEX_H

#include "base/buf.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lex_kind {
    LEX_END,
    LEX_ERROR,
    LEX_IDENT,
    LEX_METRIC,
    LEX_STRING,
    LEX_NUMBER,
    LEX_DURATION,
    LEX_LEFT_PAREN,
    LEX_RIGHT_PAREN,
    LEX_LEFT_BRACE,
    LEX_RIGHT_BRACE,
    LEX_LEFT_BRACKET,
    LEX_RIGHT_BRACKET,
    LEX_COMMA,
    LEX_COLON,
    LEX_EQL,
    LEX_OPERATOR, /* value: enum ast_op */
    LEX_EQL_REGEX,
    LEX_NEQ_REGEX,
    LEX_AT,
    LEX_AGGREGATE, /* value: enum ast_aggregate */
    LEX_BOOL,
    LEX_BY,
    LEX_GROUP_LEFT,
    LEX_GROUP_RIGHT,
    LEX_IGNORING,
    LEX_OFFSET,
    LEX_ON,
    LEX_WITHOUT,
    LEX_START,
    LEX_STOP /* the words of @ start() and @ end() */
};

struct token {
    enum lex_kind kind;
    int value;
    const char *p; /* into the query */
    size_t len;
};

struct lexer {
    const char *text, *end, *pos, *start;
    bool brace, bracket, colon, duration;
    int paren;
    char error[256]; /* sentence of a LEX_ERROR, which is at `start` */
};

void lex_init(struct lexer *l, const char *text, size_t len);
void lex_next(struct lexer *l, struct token *ret);
/* How an unexpected token is named: `identifier "x"`, `<op:*>`, `"("`. */
void lex_describe(const struct token *t, struct buf *out);
/* As Go's %q. At most `most` characters, 0: all. */
void lex_quote(const char *s, size_t len, size_t most, struct buf *out);
/* The value of a string token, 0-terminated, in the arena; NULL without memory. */
char *lex_unquote(const struct token *t, struct arena *arena, size_t *ret_len);
/* The value of a number token: 0, or ERR_SYNTAX, ERR_RANGE as Go's ParseFloat says "invalid
 * syntax", "value out of range". */
int lex_number(const struct token *t, double *ret);

#endif
