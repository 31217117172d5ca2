/* test_exposition: what exporters write, and what is refused with its place. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/exposition.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Writes each series as "name=value,... v@t;". */
static int
on_series(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct buf *out = ctx;
    assert_int_equal(n, 1);
    for (size_t i = 0; i < l->count; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "," : "", (int)l->at[i].name_len, l->at[i].name,
                   (int)l->at[i].value_len, l->at[i].value);
    char number[32];
    str_double_format(s->v, number);
    buf_printf(out, " %s@%lld;", number, (long long)s->t_ms);
    return 0;
}

static int
parse(const char *text, size_t len, struct buf *out, struct exposition_counts *counts,
      struct err *err)
{
    struct sample_sink sink = {.series = on_series, .ctx = out};
    char *copy = malloc(len + 1); /* exactly as long as it says, for the sanitizer */
    memcpy(copy, text, len);
    char *exact = realloc(copy, len ? len : 1);
    int rc = exposition_read(exact, len, 7, &sink, counts, err);
    free(exact);
    return rc;
}

static void
lines_of_both_formats_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"\n\n# HELP a b\n# TYPE a counter\n#\n  # x\n", ""},
        {"up 1", "__name__=up 1@7;"},
        {"up 1\r\n", "__name__=up 1@7;"},
        {"up\t1\t", "__name__=up 1@7;"},
        {"up 1 1700000000123\n", "__name__=up 1@1700000000123;"},
        {"up{} 1\n", "__name__=up 1@7;"},
        {"up{a=\"b\"} 1\n", "__name__=up,a=b 1@7;"},
        {"up{b=\"2\",a=\"1\",} 1\n", "__name__=up,a=1,b=2 1@7;"},
        {"  up { b = \"2\" , a = \"1\" } 1.5e3\n", "__name__=up,a=1,b=2 1500@7;"},
        {"a:b{c=\"}\"} NaN\n", "__name__=a:b,c=} NaN@7;"},
        {"a +Inf\nb -Inf\n", "__name__=a +Inf@7;__name__=b -Inf@7;"},
        {"a{x=\"q\\\"\\\\\\n\\z\",y=\"\\\\\"} 1", "__name__=a,x=q\"\\\n\\z,y=\\ 1@7;"},
        {"a{x=\"\"} 1", "__name__=a 1@7;"},
        {"a{x=\"中\"} 1", "__name__=a,x=中 1@7;"},
        {"{\"dotted.name\",x=\"1\"} 2", "__name__=dotted.name,x=1 2@7;"},
        {"a 1 1700000000.123\n# EOF\n", "__name__=a 1@1700000000123;"},
        {"a_bucket{le=\"1.0\"} 17 # {trace_id=\"x\"} 0.5 1.5\n# EOF",
         "__name__=a_bucket,le=1.0 17@7;"},
        {"a 1 2 # {} 3\n# EOF\n", "__name__=a 1@2000;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        struct err err = {0};
        buf_init(&out, 4096);
        if (parse(rows[i].in, strlen(rows[i].in), &out, NULL, &err))
            fail_msg("%s: %s", rows[i].in, err.text);
        assert_string_equal(buf_str(&out), rows[i].out);
        buf_done(&out);
    }
}

static void
ill_formed_lines_are_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        unsigned line, column;
    } rows[] = {
        {"up", 1, 3},
        {"ok 1\nup x\n", 2, 4},
        {"\n\n1up 1\n", 3, 1},
        {"up{ 1\n", 1, 5},
        {"up{a} 1\n", 1, 5},
        {"up{a=b} 1\n", 1, 6},
        {"up{a=\"b} 1\n", 1, 11},
        {"up{a=\"b\"c=\"d\"} 1", 1, 9},
        {"up{a=\"b\"", 1, 9},
        {"up 1 2 3\n", 1, 8},
        {"up 1 1.5\n", 1, 6},
        {"up 1 x\n# EOF\n", 1, 6},
        {"{a=\"b\"} 1\n", 1, 8},
        {"up{a=\"1\",a=\"2\"} 1", 1, 18},
        {"up{a:b=\"1\"} 1", 1, 14},
        {"up 0x10\n", 1, 4},
        {"up 1 # {}\n", 1, 6},
        {"up 1 99999999999999999\n", 1, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        struct err err = {0};
        buf_init(&out, 4096);
        assert_int_equal(parse(rows[i].in, strlen(rows[i].in), &out, NULL, &err), ERR_SYNTAX);
        if (err.line != rows[i].line || err.column != rows[i].column)
            fail_msg("%s: %u:%u %s", rows[i].in, err.line, err.column, err.text);
        buf_done(&out);
    }
}

static void
series_over_a_limit_is_counted_and_the_others_are_kept(void **state)
{
    (void)state;
    struct buf text, out;
    struct exposition_counts n;
    buf_init(&text, 1u << 20);
    buf_init(&out, 1u << 20);
    buf_puts(&text, "a 1\nb{x=\"");
    for (int i = 0; i < 1025; i++)
        buf_putc(&text, 'v');
    buf_puts(&text, "\"} 1\nc{x=\"\xff\"} 1\nd{");
    for (int i = 0; i < 70; i++)
        buf_printf(&text, "l%d=\"1\",", i);
    buf_puts(&text, "} 1\ne 1\n");
    assert_int_equal(parse(text.data, text.len, &out, &n, NULL), 0);
    assert_string_equal(buf_str(&out), "__name__=a 1@7;__name__=e 1@7;");
    assert_int_equal(n.samples, 2);
    assert_int_equal(n.refused, 3);
    buf_reset(&text);
    for (int i = 0; i < 70000; i++)
        buf_putc(&text, '#');
    assert_int_equal(parse(text.data, text.len, &out, &n, NULL), ERR_LIMIT);
    buf_done(&text);
    buf_done(&out);
}

static int
on_full(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    (void)ctx, (void)l, (void)s, (void)n;
    return ERR_BUSY;
}

static void
refusal_of_the_sink_ends_the_reading(void **state)
{
    (void)state;
    struct sample_sink sink = {.series = on_full, .ctx = NULL};
    struct err err = {0};
    assert_int_equal(exposition_parse("a 1\nb 2\n", 8, 0, &sink, &err), ERR_BUSY);
    assert_int_equal(err.line, 1);
}

static int
on_count(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    (void)l, (void)s;
    *(size_t *)ctx += n;
    return 0;
}

static void
large_text_is_read_at_speed(void **state)
{
    (void)state;
    struct buf text;
    size_t count = 0;
    struct sample_sink sink = {.series = on_count, .ctx = &count};
    buf_init(&text, 64u << 20);
    for (int i = 0; i < 200000; i++)
        buf_printf(&text,
                   "DCGM_FI_DEV_GPU_TEMP{Hostname=\"node%05d\",gpu=\"%d\",UUID=\"GPU-8f1c\",device="
                   "\"nvidia%d\"} %d\n",
                   i, i % 8, i % 8, 30 + i % 50);
    int64_t begin = clock_mono_us();
    assert_int_equal(exposition_parse(text.data, text.len, 0, &sink, NULL), 0);
    int64_t us = clock_mono_us() - begin;
    print_message("# %.0f lines a second\n", 200000 / ((double)us / 1e6));
    assert_int_equal(count, 200000);
    assert_true(us <
                4000000); /* some seventy times what it takes, for sanitizers and busy machines */
    buf_done(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_both_formats_are_read),
        cmocka_unit_test(ill_formed_lines_are_refused_with_line_and_column),
        cmocka_unit_test(series_over_a_limit_is_counted_and_the_others_are_kept),
        cmocka_unit_test(refusal_of_the_sink_ends_the_reading),
        cmocka_unit_test(large_text_is_read_at_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
