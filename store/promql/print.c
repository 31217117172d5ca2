/* print: answers as Prometheus' JSON, and expressions as Prometheus writes them. */
#include "store/promql/ast.h"

#include "base/jsonw.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static void
print_labels(struct jsonw *w, const struct labels *l)
{
    char name[LABEL_NAME_MAX + 1];
    jsonw_object(w);
    for (size_t i = 0; i < l->count; i++) {
        snprintf(name, sizeof name, "%.*s", (int)l->at[i].name_len, l->at[i].name);
        jsonw_key(w, name);
        jsonw_strn(w, l->at[i].value, l->at[i].value_len);
    }
    jsonw_end_object(w);
}

static void
print_point(struct jsonw *w, const struct sample *s)
{
    char text[64];
    int n = s->t_ms % 1000 ? snprintf(text, sizeof text, "%.3f", (double)s->t_ms / 1000) : snprintf(text, sizeof text, "%lld", (long long)(s->t_ms / 1000));
    jsonw_array(w);
    jsonw_raw(w, text, (size_t)n);
    size_t len = str_double_format(s->v, text);
    jsonw_strn(w, text, len);
    jsonw_end_array(w);
}

static void
print_rows(const struct promql_result *r, struct jsonw *w)
{
    jsonw_array(w);
    for (size_t i = 0; i < r->set.count; i++) {
        const struct series_row *row = &r->set.rows[i];
        jsonw_object(w);
        jsonw_key(w, "metric");
        print_labels(w, row->labels);
        jsonw_key(w, r->type == PROMQL_MATRIX ? "values" : "value");
        if (r->type == PROMQL_MATRIX)
            jsonw_array(w);
        for (size_t k = 0; k < row->count && (k == 0 || r->type == PROMQL_MATRIX); k++)
            print_point(w, &row->samples[k]);
        if (r->type == PROMQL_MATRIX)
            jsonw_end_array(w);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

int
promql_result_json(const struct promql_result *r, struct buf *out)
{
    static const char *const types[] = {"scalar", "vector", "matrix", "string"};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "resultType", types[r->type]);
    jsonw_key(&w, "result");
    if (r->type == PROMQL_SCALAR) {
        print_point(&w, &r->scalar);
    } else if (r->type == PROMQL_STRING) {
        jsonw_array(&w);
        jsonw_real(&w, (double)r->scalar.t_ms / 1000);
        jsonw_str(&w, r->string);
        jsonw_end_array(&w);
    } else {
        print_rows(r, &w);
    }
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

int
promql_format(const struct promql *q, struct buf *out)
{
    return buf_puts(out, q->text);
}
