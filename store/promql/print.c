/* print: answers as Prometheus' JSON. Values are the shortest decimals that read back the same,
 * without exponent except for the very large and small ones, as strconv writes them.
 *
 * Expected load: 10,000 series of 240 points: most values are whole or have few decimals and are
 * written without printf. */
#include "store/promql/ast.h"

#include "base/jsonw.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

static int
value_digits(uint64_t v, char *out)
{
    char back[24];
    int n = 0;
    do
        back[n++] = (char)('0' + v % 10);
    while (v /= 10);
    for (int i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    return n;
}

/* Values with up to six decimals and fifteen digits in all; 0 when v is none. */
static int
value_decimal(double v, char *out)
{
    static const double scale[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    double a = fabs(v);
    int n = 0;
    for (int k = 0; k < 7; k++) {
        double s = a * scale[k];
        if (s >= 1e15)
            return 0;
        if (s != (double)(uint64_t)s || (double)(uint64_t)s / scale[k] != a)
            continue;
        uint64_t whole = (uint64_t)s;
        if (signbit(v))
            out[n++] = '-';
        char text[24];
        int len = value_digits(whole, text);
        for (int pad = k + 1 - len; pad > 0; pad--) {
            memmove(text + 1, text, (size_t)len++);
            text[0] = '0';
        }
        memcpy(out + n, text, (size_t)(len - k));
        n += len - k;
        if (k) {
            out[n++] = '.';
            memcpy(out + n, text + len - k, (size_t)k);
            n += k;
        }
        out[n] = 0;
        return n;
    }
    return 0;
}

/* Digits and decimal exponent of the shortest text that reads back. */
static int
value_shortest(double a, char digits[24], int *ret_exponent)
{
    char text[40];
    for (int k = 14; k <= 16; k++) {
        snprintf(text, sizeof text, "%.*e", k, a);
        if (k == 16 || strtod(text, NULL) == a)
            break;
    }
    char *e = strchr(text, 'e');
    int n = 0;
    for (const char *p = text; p < e; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    *ret_exponent = (int)strtol(e + 1, NULL, 10);
    return n;
}

int
value_format(double v, bool json, char out[400])
{
    char digits[24];
    int exponent, n = 0;
    if (isnan(v) || isinf(v))
        return (int)str_copy(out, 400, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
    if ((n = value_decimal(v, out)))
        return n;
    int len = value_shortest(fabs(v), digits, &exponent);
    if (signbit(v))
        out[n++] = '-';
    if (json && (exponent < -6 || exponent >= 21)) {
        out[n++] = digits[0];
        if (len > 1)
            out[n++] = '.';
        memcpy(out + n, digits + 1, (size_t)(len - 1));
        n += len - 1;
        return n + snprintf(out + n, 16, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > exponent; i--)
            out[n++] = '0';
    }
    for (int i = 0; i < len || i <= exponent; i++) {
        if (i == exponent + 1 && exponent >= 0)
            out[n++] = '.';
        out[n++] = i < len ? digits[i] : '0';
    }
    out[n] = 0;
    return n;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void
print_text(struct jsonw *w, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 32 || (unsigned char)s[i] >= 127 || s[i] == '"' || s[i] == '\\') {
            struct jsonw plain;
            jsonw_init(&plain, w->out);
            jsonw_strn(&plain, s, len);
            return;
        }
    buf_putc(w->out, '"');
    buf_append(w->out, s, len);
    buf_putc(w->out, '"');
}

static void
print_labels(struct jsonw *w, const struct labels *l)
{
    buf_putc(w->out, '{');
    for (size_t i = 0; i < l->count; i++) {
        if (i)
            buf_putc(w->out, ',');
        print_text(w, l->at[i].name, l->at[i].name_len);
        buf_putc(w->out, ':');
        print_text(w, l->at[i].value, l->at[i].value_len);
    }
    buf_putc(w->out, '}');
}

/* Seconds with milliseconds only where there are some. */
static int
print_time(int64_t t_ms, bool trim, char *out)
{
    uint64_t t = t_ms < 0 ? 0 - (uint64_t)t_ms : (uint64_t)t_ms;
    int n = 0;
    if (t_ms < 0)
        out[n++] = '-';
    n += value_digits(t / 1000, out + n);
    if (t % 1000)
        n += snprintf(out + n, 8, ".%03u", (unsigned)(t % 1000));
    while (trim && t % 1000 && out[n - 1] == '0')
        n--;
    return n;
}

/* Rows of a matrix have the same times: their texts are kept. */
#define PRINT_TIMES 1024
struct print_times {
    int64_t t_ms;
    int len;
    char text[28];
};

static int
print_time_kept(int64_t t_ms, bool json, struct print_times *kept, char *out)
{
    struct print_times *k = kept ? &kept[(uint64_t)t_ms / 1000 % 1021] : NULL;
    if (!k)
        return print_time(t_ms, !json, out);
    if (!k->len || k->t_ms != t_ms) {
        k->t_ms = t_ms;
        k->len = print_time(t_ms, !json, k->text);
    }
    memcpy(out, k->text, sizeof k->text);
    return k->len;
}

static void
print_point(struct jsonw *w, const struct sample *s, bool json, struct print_times *kept)
{
    char text[480];
    int n = 0;
    text[n++] = '[';
    n += print_time_kept(s->t_ms, json, kept, text + n);
    text[n++] = ',';
    text[n++] = '"';
    n += value_format(s->v, json, text + n);
    text[n++] = '"';
    text[n++] = ']';
    buf_append(w->out, text, (size_t)n);
}

static void
print_rows(const struct promql_result *r, struct jsonw *w)
{
    bool matrix = r->type == PROMQL_MATRIX;
    struct print_times *kept =
        matrix ? calloc(PRINT_TIMES, sizeof *kept) : NULL; /* without memory: slower */
    buf_putc(w->out, '[');
    for (size_t i = 0; i < r->set.count; i++) {
        const struct series_row *row = &r->set.rows[i];
        buf_puts(w->out, i ? ",{\"metric\":" : "{\"metric\":");
        print_labels(w, row->labels);
        buf_puts(w->out, matrix ? ",\"values\":[" : ",\"value\":");
        for (size_t k = 0; k < row->count && (k == 0 || matrix); k++) {
            if (k)
                buf_putc(w->out, ',');
            print_point(w, &row->samples[k], true, kept);
        }
        buf_puts(w->out, matrix ? "]}" : "}");
    }
    buf_putc(w->out, ']');
    free(kept);
}

int
promql_result_json(const struct promql_result *r, struct buf *out)
{
    static const char *const types[] = {"scalar", "vector", "matrix", "string"};
    struct jsonw w;
    char text[40];
    jsonw_init(&w, out);
    buf_printf(out, "{\"resultType\":\"%s\",\"result\":", types[r->type]);
    if (r->type == PROMQL_SCALAR) {
        print_point(&w, &r->scalar, false, NULL);
    } else if (r->type == PROMQL_STRING) {
        buf_printf(out, "[%.*s,", print_time(r->scalar.t_ms, true, text), text);
        jsonw_str(&w, r->string);
        buf_putc(out, ']');
    } else {
        print_rows(r, &w);
    }
    buf_putc(out, '}');
    return out->failed ? ERR_LIMIT : 0;
}
