/* print: answers as Prometheus' JSON. Values are the shortest decimals that read back the same,
 * without exponent except for the very large and small ones, as strconv writes them.
 *
 * Expected load: 10,000 series of 240 points: most values are whole or have few decimals and are
 * written without printf, and so are fractions of any length. */
#include "store/promql/ast.h"

#include "base/jsonw.h"
#include "base/str.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

static const char value_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static int
value_digits(uint64_t v, char *out)
{
    char back[24];
    int at = sizeof back;
    for (; v >= 100; v /= 100) {
        at -= 2;
        memcpy(back + at, value_pairs + v % 100 * 2, 2);
    }
    if (v >= 10) {
        at -= 2;
        memcpy(back + at, value_pairs + v * 2, 2);
    } else {
        back[--at] = (char)('0' + v);
    }
    memcpy(out, back + at, sizeof back - (size_t)at);
    return (int)sizeof back - at;
}

/* A fraction's shortest text, by whole numbers alone. a = m / 2^s, and d / 10^k with n digits is
 * the nearest decimal; it reads back as a when it is within half of the distance to a's neighbours.
 *
 * With 1e-5 <= a < 1e15 nothing is wider than 126 bits. */
struct value_fraction {
    uint64_t m; /* 53 bits */
    unsigned s; /* 1 to 69 */
    int whole;  /* digits before the point, less one; negative below 1 */
};
__extension__ typedef unsigned __int128 value_wide;

static value_wide
value_power(int k)
{
    static const uint64_t power[] = {1,
                                     UINT64_C(10),
                                     UINT64_C(100),
                                     UINT64_C(1000),
                                     UINT64_C(10000),
                                     UINT64_C(100000),
                                     UINT64_C(1000000),
                                     UINT64_C(10000000),
                                     UINT64_C(100000000),
                                     UINT64_C(1000000000),
                                     UINT64_C(10000000000),
                                     UINT64_C(100000000000),
                                     UINT64_C(1000000000000)};
    return k <= 12 ? (value_wide)power[k] : (value_wide)power[12] * power[k - 12];
}

static bool
value_nearest(const struct value_fraction *f, int k, uint64_t *ret)
{
    value_wide unit = value_power(k), exact = f->m * unit, half = (value_wide)1 << (f->s - 1);
    uint64_t d = (uint64_t)((exact + half) >> f->s);
    if (((exact + half) & (((value_wide)1 << f->s) - 1)) == 0)
        d &= ~UINT64_C(1); /* halfway: the even one */
    value_wide back = (value_wide)d << f->s, off = back > exact ? back - exact : exact - back;
    off *= back < exact && f->m == UINT64_C(1) << 52 ? 4 : 2; /* below a power of 2 they are near */
    *ret = d;
    return off < unit || (off == unit && f->m % 2 == 0);
}

/* d / 10^k without zeros at the end. */
static int
value_put(uint64_t d, int k, char *out)
{
    char text[48];
    int n = 0;
    while (k >= 4 && d % 10000 == 0)
        d /= 10000, k -= 4;
    while (k && d % 10 == 0)
        d /= 10, k--;
    int len = value_digits(d, text);
    if (len <= k) {
        out[n++] = '0';
        out[n++] = '.';
        memset(out + n, '0', (size_t)(k - len));
        n += k - len;
        memcpy(out + n, text, (size_t)len);
        return n + len;
    }
    memcpy(out, text, (size_t)(len - k));
    n = len - k;
    if (k) {
        out[n++] = '.';
        memcpy(out + n, text + len - k, (size_t)k);
        n += k;
    }
    return n;
}

/* Values below 1e15 that are whole or not tiny; 0 when v is none. */
static int
value_common(double v, char *out)
{
    static const double power[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1,    1e1,  1e2,  1e3,  1e4,
                                   1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14};
    double a = fabs(v);
    int n = 0;
    if (!(a < 1e15))
        return 0;
    if (signbit(v))
        out[n++] = '-';
    uint64_t whole = (uint64_t)a, d, bits;
    if ((double)whole == a) {
        n += value_digits(whole, out + n);
        out[n] = 0;
        return n;
    }
    if (a < power[0])
        return 0;
    memcpy(&bits, &a, sizeof bits);
    struct value_fraction f = {.m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52,
                               .s = (unsigned)(1075 - (bits >> 52))};
    int low = whole ? 5 : 0;
    while (low + 1 < (int)(sizeof power / sizeof *power) && a >= power[low + 1])
        low++;
    f.whole = low - 5;
    int k = 14 - f.whole;
    while (!value_nearest(&f, k, &d) && k < 16 - f.whole)
        k++;
    n += value_put(d, k, out + n);
    out[n] = 0;
    return n;
}

/* Digits and decimal exponent of the shortest text that reads back. */
static int
value_shortest(double a, char digits[24], int *ret_exponent)
{
    char text[40];
    for (int k = a < DBL_MIN ? 0 : 14; k <= 16; k++) { /* subnormals have few digits */
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
    if ((n = value_common(v, out)))
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

static bool
print_is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 32 || (unsigned char)s[i] >= 127 || s[i] == '"' || s[i] == '\\')
            return false;
    return true;
}

static void
print_text(struct buf *out, const char *s, size_t len)
{
    if (!print_is_plain(s, len)) {
        struct jsonw plain;
        jsonw_init(&plain, out);
        jsonw_strn(&plain, s, len);
        return;
    }
    if (buf_reserve(out, len + 2))
        return;
    char *p = out->data + out->len;
    *p++ = '"';
    memcpy(p, s, len);
    p[len] = '"';
    out->len += len + 2;
}

static void
print_labels(struct buf *out, const struct labels *l)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < l->count; i++) {
        if (i)
            buf_putc(out, ',');
        print_text(out, l->at[i].name, l->at[i].name_len);
        buf_putc(out, ':');
        print_text(out, l->at[i].value, l->at[i].value_len);
    }
    buf_putc(out, '}');
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
print_time_kept(int64_t t_ms, struct print_times *kept, char *out)
{
    struct print_times *k = kept ? &kept[(uint64_t)t_ms / 1000 % 1021] : NULL;
    if (!k)
        return print_time(t_ms, false, out);
    if (!k->len || k->t_ms != t_ms) {
        k->t_ms = t_ms;
        k->len = print_time(t_ms, false, k->text);
    }
    memcpy(out, k->text, sizeof k->text);
    return k->len;
}

#define PRINT_POINT 96 /* bytes: a time, a value as JSON has it, and what stands around them */

static size_t
print_point(char *out, const struct sample *s, struct print_times *kept)
{
    size_t n = 0;
    out[n++] = '[';
    n += (size_t)print_time_kept(s->t_ms, kept, out + n);
    out[n++] = ',';
    out[n++] = '"';
    n += (size_t)value_format(s->v, true, out + n);
    out[n++] = '"';
    out[n++] = ']';
    return n;
}

static void
print_points(struct buf *out, const struct series_row *row, struct print_times *kept)
{
    if (buf_reserve(out, row->count * PRINT_POINT + 400))
        return;
    char *p = out->data + out->len;
    for (size_t k = 0; k < row->count; k++) {
        if (k)
            *p++ = ',';
        p += print_point(p, &row->samples[k], kept);
    }
    out->len = (size_t)(p - out->data);
    *p = 0;
}

static void
print_rows(const struct promql_result *r, struct buf *out)
{
    bool matrix = r->type == PROMQL_MATRIX;
    struct print_times *kept = calloc(PRINT_TIMES, sizeof *kept); /* without memory: slower */
    buf_putc(out, '[');
    for (size_t i = 0; i < r->set.count; i++) {
        struct series_row row = r->set.rows[i];
        row.count = matrix || !row.count ? row.count : 1;
        buf_puts(out, i ? ",{\"metric\":" : "{\"metric\":");
        print_labels(out, row.labels);
        buf_puts(out, matrix ? ",\"values\":[" : ",\"value\":");
        print_points(out, &row, kept);
        buf_puts(out, matrix ? "]}" : "}");
    }
    buf_putc(out, ']');
    free(kept);
}

/* A scalar is written as strconv's 'f' does it: up to 310 digits. */
static void
print_scalar(struct buf *out, const struct sample *s)
{
    char time[40], value[400];
    int len = print_time(s->t_ms, true, time);
    value_format(s->v, false, value);
    buf_printf(out, "[%.*s,\"%s\"]", len, time, value);
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
        print_scalar(out, &r->scalar);
    } else if (r->type == PROMQL_STRING) {
        buf_printf(out, "[%.*s,", print_time(r->scalar.t_ms, true, text), text);
        jsonw_str(&w, r->string);
        buf_putc(out, ']');
    } else {
        print_rows(r, out);
    }
    buf_putc(out, '}');
    return out->failed ? ERR_LIMIT : 0;
}
