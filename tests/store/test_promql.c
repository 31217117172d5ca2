/* PromQL over a few series in memory: the corners that the comparison with Prometheus found, kept
 * where no Prometheus is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/promql/ast.h"
#include "tests/store/fake_series.h"

#include <math.h>
#include <pthread.h>

#define T0 INT64_C(1700000100000)

static struct store *
setup_store(void)
{
    static struct store s;
    struct fake_series *f;
    s = (struct store){0};
    for (unsigned i = 0; i < 4; i++) {
        char text[80];
        snprintf(text, sizeof text, "temp{i=\"%u\",job=\"j%u\"}", i, i % 2);
        f = fake_series(&s, text);
        for (int k = 0; k <= 40; k++)
            fake_add(f, T0 + k * 15000, 10.0 * i + k % 4);
    }
    f = fake_series(&s, "req{job=\"j0\"}");
    for (int k = 0; k <= 40; k++)
        fake_add(f, T0 + k * 15000, (k % 25) * 3);
    f = fake_series(&s, "ends{}");
    fake_add(f, T0, 1);
    fake_add(f, T0 + 15000, sample_stale());
    f = fake_series(&s, "quiet{}");
    fake_add(f, T0, 1);
    f = fake_series(&s, "a{k=\"1\"}");
    fake_add(f, T0, 5);
    f = fake_series(&s, "b{k=\"1\"}");
    fake_add(f, T0, 7);
    return &s;
}

static const char *
answer(struct store *s, const char *query, int64_t at, char *out, size_t size)
{
    struct promql *q = NULL;
    struct promql_result r;
    struct err err = {0};
    struct buf b;
    if (promql_parse(query, &q, &err) || promql_instant(s, q, at, NULL, &r, &err)) {
        snprintf(out, size, "%s", err.text);
        promql_free(q);
        return out;
    }
    buf_init(&b, 1 << 20);
    promql_result_json(&r, &b);
    const char *result = strstr(buf_str(&b), "\"result\":");
    snprintf(out, size, "%.*s", result ? (int)strlen(result) - 10 : 0, result ? result + 9 : "");
    buf_done(&b);
    promql_result_done(&r);
    promql_free(q);
    return out;
}

static void
answers_are_those_of_prometheus(void **state)
{
    static const struct {
        const char *query;
        int64_t at;
        const char *result;
    } cases[] = {
        {"1 + 2 * 3 ^ 2", T0, "[1700000100,\"19\"]"},
        {"-1 ^ 2", T0, "[1700000100,\"-1\"]"},
        {"010 + 0x1F", T0 + 500, "[1700000100.5,\"39\"]"},
        {"1e21", T0, "[1700000100,\"1000000000000000000000\"]"},
        {"vector(1e21)", T0, "[{\"metric\":{},\"value\":[1700000100,\"1e+21\"]}]"},
        {"vector(0.1 + 0.2)", T0,
         "[{\"metric\":{},\"value\":[1700000100,\"0.30000000000000004\"]}]"},
        {"sum(temp)", T0, "[{\"metric\":{},\"value\":[1700000100,\"60\"]}]"},
        {"sum by (job) (temp)", T0,
         "[{\"metric\":{\"job\":\"j0\"},\"value\":[1700000100,\"20\"]},{\"metric\":{\"job\":\"j1\"}"
         ",\"value\":[1700000100,\"40\"]}]"},
        {"topk(1, temp)", T0,
         "[{\"metric\":{\"__name__\":\"temp\",\"i\":\"3\",\"job\":\"j1\"},\"value\":[1700000100,"
         "\"30\"]}]"},
        {"ends", T0 + 14999,
         "[{\"metric\":{\"__name__\":\"ends\"},\"value\":[1700000114.999,\"1\"]}]"},
        {"ends", T0 + 15000, "[]"},
        {"quiet", T0 + 300000,
         "[{\"metric\":{\"__name__\":\"quiet\"},\"value\":[1700000400,\"1\"]}]"},
        {"quiet", T0 + 300001, "[]"},
        {"count_over_time(temp{i=\"0\"}[30s])", T0 + 30000,
         "[{\"metric\":{\"i\":\"0\",\"job\":\"j0\"},\"value\":[1700000130,\"3\"]}]"},
        {"a + b", T0, "[{\"metric\":{\"k\":\"1\"},\"value\":[1700000100,\"12\"]}]"},
        {"a atan2 b > 0", T0,
         "[{\"metric\":{\"__name__\":\"a\",\"k\":\"1\"},\"value\":[1700000100,\"0."
         "6202494859828215\"]}]"},
        {"abs({k=\"1\"})", T0, "vector cannot contain metrics with the same labelset"},
        {"absent(none{a=\"b\",c!=\"d\"})", T0,
         "[{\"metric\":{\"a\":\"b\"},\"value\":[1700000100,\"1\"]}]"},
        {"rate(req[1m])", T0 + 60000,
         "[{\"metric\":{\"job\":\"j0\"},\"value\":[1700000160,\"0.2\"]}]"},
        {"increase(req[2m])", T0 + 26 * 15000,
         "[{\"metric\":{\"job\":\"j0\"},\"value\":[1700000490,\"21\"]}]"},
        {"max_over_time(req[10m:1m] @ 1700000500)", T0,
         "[{\"metric\":{\"job\":\"j0\"},\"value\":[1700000100,\"72\"]}]"},
        {"count_values(\"v\", temp)", T0,
         "[{\"metric\":{\"v\":\"0\"},\"value\":[1700000100,\"1\"]},{\"metric\":{\"v\":\"10\"},"
         "\"value\":[1700000100,\"1\"]},"
         "{\"metric\":{\"v\":\"20\"},\"value\":[1700000100,\"1\"]},{\"metric\":{\"v\":\"30\"},"
         "\"value\":[1700000100,\"1\"]}]"},
        {"sum(temp bar)", T0, "1:10: parse error: unexpected identifier \"bar\" in aggregation"},
        {"foo{a=\"b\" c=\"d\"}", T0,
         "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or "
         "\"}\""},
        {"1 == 1", T0, "1:3: parse error: comparisons between scalars must use BOOL modifier"},
        {"{a=~\"(\"}", T0, "1:2: parse error: error parsing regexp: missing closing ): `^(?:()$`"},
    };
    struct store *s = setup_store();
    char out[4096];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(answer(s, cases[i].query, cases[i].at, out, sizeof out),
                            cases[i].result);
    fake_done(s);
}

/* A range query's columns are instant queries, whatever slides. */
static void
each_step_of_a_range_is_the_instant_answer(void **state)
{
    static const char *const queries[] = {"rate(req[1m])",
                                          "max_over_time(temp[90s])",
                                          "min_over_time(temp[47s])",
                                          "sum by (job) (temp)",
                                          "avg(temp)",
                                          "stddev(temp)",
                                          "quantile(0.3, temp)",
                                          "increase(req[3m])",
                                          "temp - temp offset 30s",
                                          "ends or quiet",
                                          "sum_over_time(temp[1m])"};
    struct store *s = setup_store();
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct promql *q;
        struct promql_result range, one;
        assert_int_equal(promql_parse(queries[i], &q, NULL), 0);
        assert_int_equal(promql_range(s, q, T0 - 60000, T0 + 600000, 7000, NULL, &range, NULL), 0);
        for (int64_t t = T0 - 60000; t <= T0 + 600000; t += 7000) {
            size_t k = 0;
            assert_int_equal(promql_instant(s, q, t, NULL, &one, NULL), 0);
            for (size_t r = 0; r < range.set.count; r++)
                for (size_t p = 0; p < range.set.rows[r].count; p++)
                    if (range.set.rows[r].samples[p].t_ms == t)
                        assert_true(range.set.rows[r].samples[p].v ==
                                    one.set.rows[k++].samples[0].v);
            assert_int_equal(k, one.set.count);
            promql_result_done(&one);
        }
        promql_result_done(&range);
        promql_free(q);
    }
    fake_done(s);
}

static void
ceilings_end_a_query(void **state)
{
    struct store *s = setup_store();
    struct promql_options few = {.max_samples = 100};
    struct promql_result r;
    struct promql *q;
    struct err err;
    (void)state;
    assert_int_equal(promql_parse("sum_over_time((temp * temp)[2h:1s])", &q, NULL), 0);
    assert_int_equal(promql_range(s, q, T0, T0 + 600000, 1000, &few, &r, &err), ERR_LIMIT);
    assert_string_equal(
        err.text, "query processing would load too many samples into memory in query execution");
    assert_int_equal(promql_range(s, q, T0, T0 + 12000000, 1000, NULL, &r, &err), ERR_RANGE);
    promql_free(q);
    char deep[2000];
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(promql_parse(deep, &q, &err), ERR_SYNTAX);
    fake_done(s);
}

static void
expressions_are_written_as_prometheus_does(void **state)
{
    static const char *const cases[][2] = {{"SUM(rate( x{b=\"c\",a!~'d'} [300s] ))BY(job,)",
                                            "sum by (job) (rate(x{a!~\"d\",b=\"c\"}[5m]))"},
                                           {"a+on(x)group_left(y)b", "a + on (x) group_left (y) b"},
                                           {"a==bool 1e8", "a == bool 1e+08"},
                                           {"x offset 90s @ 5", "x @ 5.000 offset 1m30s"},
                                           {"-x[1w:]", ""},
                                           {"(x)[14d:1h]", "(x)[2w:1h]"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql *q;
        struct buf b;
        if (promql_parse(cases[i][0], &q, NULL))
            continue;
        buf_init(&b, 1000);
        assert_int_equal(promql_format(q, &b), 0);
        assert_string_equal(buf_str(&b), cases[i][1]);
        buf_done(&b);
        promql_free(q);
    }
}

struct shared {
    struct store *s;
    const struct promql *q;
    int wrong;
};

static void *
shared_run(void *arg)
{
    struct shared *h = arg;
    for (int i = 0; i < 50; i++) {
        struct promql_result r;
        if (promql_range(h->s, h->q, T0, T0 + 600000, 15000, NULL, &r, NULL) || r.set.count != 2)
            h->wrong++;
        else
            promql_result_done(&r);
    }
    return NULL;
}

static void
a_parsed_query_is_evaluated_by_many_threads(void **state)
{
    struct store *s = setup_store();
    struct promql *q;
    pthread_t threads[4];
    struct shared h[4];
    (void)state;
    assert_int_equal(promql_parse("sum by (job) (label_replace(temp, \"x\", \"$1\", \"i\", "
                                  "\"(.)\") * 2 + (temp @ end()) * 0)",
                                  &q, NULL),
                     0);
    promql_free(q);
    assert_int_equal(
        promql_parse("sum by (job) (max_over_time(temp[1m:10s]) + temp @ start())", &q, NULL), 0);
    for (int i = 0; i < 4; i++) {
        h[i] = (struct shared){s, q, 0};
        pthread_create(&threads[i], NULL, shared_run, &h[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(h[i].wrong, 0);
    }
    promql_free(q);
    fake_done(s);
}

/* The digits that count of a text: without point, exponent and zeros at both ends. */
static void
digits_of(const char *text, char *out)
{
    size_t n = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n || *text != '0'))
            out[n++] = *text;
    while (n && out[n - 1] == '0')
        n--;
    out[n] = 0;
}

static void
expect_shortest(double v)
{
    char got[400], want[40], a[400], b[40];
    int len = value_format(v, true, got);
    assert_int_equal(len, strlen(got));
    assert_true(strtod(got, NULL) == v);
    for (int k = 0; k <= 16; k++) {
        snprintf(want, sizeof want, "%.*e", k, v);
        if (strtod(want, NULL) == v)
            break;
    }
    digits_of(got, a);
    digits_of(want, b);
    assert_string_equal(a, b);
}

static void
values_are_the_shortest_decimals_that_read_back(void **state)
{
    static const struct {
        double v;
        const char *text;
    } known[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-2.5, "-2.5"},
                 {0.1, "0.1"},
                 {1.0 / 3, "0.3333333333333333"},
                 {2e14, "200000000000000"},
                 {123456.789, "123456.789"},
                 {1e-5, "0.00001"},
                 {1e-7, "1e-07"},
                 {1e21, "1e+21"},
                 {5e-324, "5e-324"},
                 {0.0001220703125, "0.0001220703125"}};
    uint64_t r = UINT64_C(88172645463325252);
    char text[400];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        value_format(known[i].v, true, text);
        assert_string_equal(text, known[i].text);
        expect_shortest(known[i].v);
    }
    for (int e = -70; e < 70; e++) { /* powers of two: the neighbour below is nearer */
        expect_shortest(ldexp(1, e));
        expect_shortest(nextafter(ldexp(1, e), 0));
        expect_shortest(nextafter(ldexp(1, e), 1e300));
    }
    for (int i = 0; i < 200000; i++) {
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        expect_shortest((double)(r >> 11) / 9007199254740992.0 * pow(10, (double)(r % 23) - 6));
        expect_shortest((double)(int64_t)(r % 2000000) / 1000 - 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_prometheus),
        cmocka_unit_test(each_step_of_a_range_is_the_instant_answer),
        cmocka_unit_test(ceilings_end_a_query),
        cmocka_unit_test(expressions_are_written_as_prometheus_does),
        cmocka_unit_test(a_parsed_query_is_evaluated_by_many_threads),
        cmocka_unit_test(values_are_the_shortest_decimals_that_read_back)};
    return cmocka_run_group_tests_name("promql", tests, NULL, NULL);
}
