/* rules_template: values and functions of templates, shared by rules_template.c (the language) and
 * rules_text.c (its functions). */
#ifndef ANALYZER_RULES_TEMPLATE_H
#define ANALYZER_RULES_TEMPLATE_H

#include "analyzer/rules_priv.h"
#include "base/map.h"

#define TEMPLATE_ARGS      16
#define TEMPLATE_VARIABLES 64
#define TEMPLATE_QUERIES   16

enum template_kind {
    TEMPLATE_NOTHING,
    TEMPLATE_BOOL,
    TEMPLATE_NUMBER,
    TEMPLATE_TEXT,
    TEMPLATE_LABELS,
    TEMPLATE_SAMPLE, /* labels and number */
    TEMPLATE_VECTOR  /* rows of a query's answer */
};

struct template_value {
    enum template_kind kind;
    double number;
    bool whole;       /* written without a point */
    const char *text; /* in the arena */
    const struct labels *labels;
    const struct series_row *rows;
    size_t count;
};

struct template
{
    const struct rules_scope *scope;
    const char *p, *end, *text_end, *after; /* end: of the action while one is looked at */
    struct arena *arena;
    struct buf *out;
    struct template_value root, dot;
    struct {
        const char *name;
        struct template_value value;
    } variables[TEMPLATE_VARIABLES];
    size_t variable_count;
    struct promql_result answers[TEMPLATE_QUERIES];
    size_t answer_count, rounds;
    unsigned depth;
    bool runs; /* else it is only read */
    int rc;    /* ERR_SYNTAX: a wrong text; others: it could not be run */
    char why[200];
};

int template_fail(struct template *t, int code, const char *why);
bool template_true(const struct template_value *v);
void template_write(const struct template_value *v, struct buf *out);
struct template_value template_call(struct template *t, const char *name,
                                    const struct template_value *args, size_t n);

#endif
