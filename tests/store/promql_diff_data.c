/* promql_diff_data: about 300 series of every temper, and the queries asked of them: hand-picked
 * ones for the corners, and products of functions, selectors, operators and groupings. */
#include "tests/store/promql_diff.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- series ----------------------------------------------------------------------------------- */

static uint64_t
data_random(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct diff_series *
data_add(struct diff_series *out, size_t *n, char kind, const char *name, const char *labels)
{
    struct diff_series *s = &out[*n];
    *s = (struct diff_series){.kind = kind, .seed = (unsigned)*n};
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->labels, sizeof s->labels, "%s", labels);
    (*n)++;
    return s;
}

static void
data_histograms(struct diff_series *out, size_t *n)
{
    static const char *const bounds[] = {"0.1", "0.5", "1", "2.5", "5", "+Inf"};
    char l[200];
    for (unsigned h = 0; h < 6; h++)
        for (unsigned b = 0; b < 6; b++) {
            if (h == 5 && b == 5)
                continue; /* without +Inf */
            snprintf(l, sizeof l, "job=\"j%u\",le=\"%s\"", h, bounds[b]);
            struct diff_series *s = data_add(out, n, 'h', "lat_bucket", l);
            s->seed = h * 10 + b;
            if (h == 4)
                data_add(out, n, 'h', "other_bucket", l)->seed = h * 10 + b;
        }
    data_add(out, n, 'c', "lat_bucket", "job=\"bad\",le=\"x\"");
    data_add(out, n, 'c', "lat_bucket", "job=\"bad\"");
    data_add(out, n, 'c', "neg_bucket", "le=\"-1\"");
    data_add(out, n, 'c', "neg_bucket", "le=\"+Inf\"");
}

size_t
diff_series(struct diff_series *out, size_t max)
{
    static const char *const envs[] = {"prod", "test", "dev"};
    size_t n = 0;
    char l[200];
    for (unsigned i = 0; i < 48 && n + 80 < max; i++) {
        snprintf(l, sizeof l, "env=\"%s\",instance=\"i%u\",job=\"j%u\"", envs[i % 3], i / 4, i % 4);
        data_add(out, &n, 'c', "req_total", l)->shift_ms = i % 5 ? (int64_t)(i * 293 % 15000) : 0;
        data_add(out, &n, 'g', "temp", l)->shift_ms = i % 4 ? (int64_t)(i * 411 % 15000) : 0;
        if (i % 2)
            data_add(out, &n, 'i', "level", l);
        if (i % 3 == 0)
            data_add(out, &n, 'p', "gappy", l);
        if (i % 4 == 0)
            data_add(out, &n, 'u', "up", l);
    }
    for (unsigned i = 0; i < 36; i++) {
        snprintf(l, sizeof l, "node=\"n%u\",pod=\"p%u\"", i % 3, i);
        data_add(out, &n, 'l', "pod_info", l)->seed = i;
    }
    for (unsigned i = 0; i < 12; i++) {
        snprintf(l, sizeof l, "instance=\"i%u\",version=\"v%u\"", i, i % 3);
        data_add(out, &n, '1', "build_info", l);
        snprintf(l, sizeof l, "k=\"%u\"", i % 6);
        data_add(out, &n, i < 6 ? 'a' : 'b', i < 6 ? "dup_a" : "dup_b", l);
        if (i < 4) {
            snprintf(l, sizeof l, "k=\"%u\"", i);
            data_add(out, &n, 'x', i < 2 ? "swap_a" : "swap_b", i % 2 ? "k=\"1\"" : "k=\"0\"")
                ->seed = i;
            data_add(out, &n, 'N', "weird", l)->seed = i;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        snprintf(l, sizeof l, "k=\"%u\"", i);
        data_add(out, &n, 'o', "late", l);
    }
    data_add(out, &n, 's', "ends", "how=\"stale\"");
    data_add(out, &n, 'e', "ends", "how=\"quiet\"");
    data_add(out, &n, '1', "sum", "k=\"keyword\"");
    data_add(out, &n, '1', "text", "v=\"a\\\\b \xe4\xb8\xad\\\"q\\\"\"");
    data_add(out, &n, 'k', "huge", "k=\"1\"");
    data_add(out, &n, 't', "tiny", "k=\"1\"");
    data_histograms(out, &n);
    return n;
}

static bool
data_weird(unsigned seed, unsigned step, double *v)
{
    unsigned r = (unsigned)(data_random(seed * 1000 + step) % 20);
    *v = r == 0 ? NAN : r == 1 ? INFINITY : r == 2 ? -INFINITY : (double)r - 8;
    return seed != 3 || step % 3 == 0;
}

/* In how many blocks' time a sample comes once more; 0: once, in time. */
unsigned
diff_late(const struct diff_series *s, unsigned step, bool *ret_first)
{
    unsigned r = (unsigned)(data_random((uint64_t)s->seed * 7919 + step) % 9);
    *ret_first = s->kind != 'o' || r != 1;
    return s->kind == 'o' && (r == 1 || r == 2) ? 1 : 0;
}

bool
diff_sample(const struct diff_series *s, unsigned step, struct sample *ret)
{
    uint64_t r = data_random((uint64_t)s->seed * 100003 + step);
    double x = step, v = 0;
    bool there = true;
    ret->t_ms = DIFF_START + (int64_t)step * 15000 + s->shift_ms;
    switch (s->kind) {
    case 'o': /* comes late or twice: diff_late */
    case 'c': /* a counter that starts anew now and then */
        v = (double)(step % (97 + s->seed * 7 % 300)) * (1 + s->seed % 7) + (double)(r % 3) / 4;
        break;
    case 'g':
        v = 20 + 10 * sin(x / 40 + s->seed) + (double)(r % 1000) / 1000;
        break;
    case 'i':
        v = (double)(r % 5);
        break;
    case 'p':
        v = (double)(r % 100) / 7;
        there = (step / 30 + s->seed) % 3 != 0;
        break;
    case 'u':
        v = (step / 25 + s->seed) % 9 != 0;
        break;
    case 'l': /* lives 25 minutes, ends with a stale marker or just ends */
        v = 1 + s->seed % 4;
        there = step >= s->seed * 18 && step <= s->seed * 18 + 100;
        if (step == s->seed * 18 + 100 && s->seed % 2)
            v = sample_stale();
        break;
    case 'a':
    case 'b':
        v = (double)(step + s->seed % 11) * (s->kind == 'a' ? 1 : -2);
        break;
    case 'x': /* one of two names at a time */
        v = x;
        there = (step / 60) % 2 == (s->seed >= 2);
        if (there && step % 60 == 59)
            v = sample_stale();
        break;
    case 'N':
        there = data_weird(s->seed, step, &v);
        break;
    case 's':
        v = step % 200 >= 120 ? sample_stale() : x;
        there = step % 200 <= 120;
        break;
    case 'e':
        v = x;
        there = step % 200 <= 120;
        break;
    case 'k':
        v = 1e300 * (1 + x / 100);
        break;
    case 't':
        v = 1e-9 * (1 + x);
        break;
    case 'h':
        v = (double)step * (1 + s->seed % 10) * (1 + s->seed / 10) +
            (s->seed == 13 ? -40.0 * (step % 2) : 0);
        there = s->seed / 10 != 3 || step % 100 < 80;
        break;
    default:
        v = 1;
    }
    ret->v = v;
    return there;
}

/* --- queries ---------------------------------------------------------------------------------- */

static const char *const data_picked[] = {
    "1",
    "-1",
    "1 + 2 * 3 ^ 2",
    "-1 ^ 2",
    "2 ^ 3 ^ 2",
    "(-1) ^ 2",
    "1 / 0",
    "-1 / 0",
    "0 / 0",
    "5 % 3",
    "-5 % 3",
    "5 % 0",
    "0x1F",
    "010",
    "08",
    "1e3",
    ".5",
    "Inf",
    "-Inf",
    "+Inf",
    "NaN",
    "1 > bool 2",
    "1 == bool NaN",
    "\"a string\"",
    "'it\\'s'",
    "`raw\\n`",
    "\"\\x41\\u4e2d\\101\\n\"",
    "1e21",
    "1e-7",
    "123456789012345678",
    "0.1 + 0.2",
    "time()",
    "pi()",
    "vector(1)",
    "vector(time())",
    "scalar(vector(3))",
    "scalar(temp)",
    "scalar(build_info{instance=\"i3\"})",
    "1 atan2 2",
    "temp{instance=\"i0\"} atan2 1",
    "temp",
    "temp{job=\"j1\"}",
    "temp{job!=\"j1\"}",
    "temp{job=~\"j[12]\"}",
    "temp{job!~\"j[12]\"}",
    "temp{job=~\"j\"}",
    "temp{nope=\"\"}",
    "temp{nope!=\"\"}",
    "{__name__=\"temp\",env=\"prod\"}",
    "{__name__=~\"temp|level\",env=\"prod\"}",
    "{job=\"j1\",env=~\".+\"}",
    "sum",
    "sum{k=\"keyword\"}",
    "text",
    "nothing",
    "temp offset 5m",
    "temp offset -5m",
    "temp offset 1h30m",
    "temp @ 1700003000",
    "temp @ 1700003000.5 offset 1m",
    "temp offset 1m @ 1700003000",
    "temp @ start()",
    "temp @ end()",
    "temp @ start() offset 2m",
    "ends",
    "ends offset 1m",
    "pod_info",
    "count(pod_info)",
    "timestamp(pod_info)",
    "timestamp(temp)",
    "timestamp(temp offset 2m)",
    "timestamp(temp @ 1700003000)",
    "timestamp(temp + 0)",
    "timestamp(-temp)",
    "timestamp((temp))",
    "timestamp(vector(1))",
    "timestamp(timestamp(temp))",
    "timestamp(ends)",
    "timestamp(temp @ end())",
    "swap_a",
    "{__name__=~\"swap_.\"}",
    "abs({__name__=~\"swap_.\"})",
    "-{__name__=~\"swap_.\"}",
    "rate({__name__=~\"swap_.\"}[5m])",
    "{__name__=~\"swap_.\"} + 1",
    "{__name__=~\"swap_.\"} > 100",
    "({__name__=~\"swap_.\"} > 100) + 1",
    "{__name__=~\"dup_.\"} + 1",
    "-{__name__=~\"dup_.\"}",
    "abs({__name__=~\"dup_.\"})",
    "rate({__name__=~\"dup_.\"}[5m])",
    "last_over_time({__name__=~\"dup_.\"}[5m])",
    "{__name__=~\"dup_.\"} > bool 3",
    "sum by (__name__) ({__name__=~\"dup_.\"})",
    "count without (k) ({__name__=~\"dup_.\"})",
    "dup_a or dup_b",
    "dup_b or dup_a",
    "dup_a and dup_b",
    "dup_a unless dup_b",
    "dup_a unless dup_b > -50",
    "(dup_a > 400) or dup_b",
    "pod_info or on(node) vector(1)",
    "swap_a or swap_b",
    "swap_a and swap_b",
    "swap_a unless swap_b",
    "abs(swap_a) or abs(swap_b)",
    "abs(swap_a) or dup_a",
    "dup_a and on() vector(1)",
    "dup_a unless on() nothing",
    "nothing or dup_a",
    "dup_a or nothing",
    "nothing and dup_a",
    "dup_a and nothing",
    "pod_info and on(pod) (pod_info offset 10m)",
    "pod_info unless on(pod) (pod_info offset 10m)",
    "dup_a + dup_b",
    "dup_a + on(k) dup_b",
    "dup_a + ignoring(k) dup_b",
    "dup_a == dup_b",
    "dup_a != dup_b",
    "dup_a > dup_b",
    "dup_a > bool dup_b",
    "dup_a < bool on(k) dup_b",
    "dup_a * on(k) group_left dup_b",
    "temp * on(instance) build_info",
    "temp * on(instance) group_left build_info",
    "temp * on(instance) group_left(version) build_info",
    "build_info * on(instance) group_right(version) temp",
    "build_info * on(instance) group_right temp",
    "temp > on(instance) group_left(version) build_info",
    "temp > bool on(instance) group_left(version) build_info",
    "temp * ignoring(env,job) build_info",
    "temp * ignoring(env,job,version) group_left build_info",
    "temp * on(job) group_left temp",
    "temp + on(job) temp",
    "temp{job=\"j1\"} + on(instance) group_left(job) build_info",
    "temp * on(instance) group_left(nope) build_info",
    "temp{instance=\"i1\"} + on(env) group_left(job) up",
    "sum by (instance) (temp) / on(instance) build_info",
    "build_info + on(version) build_info",
    "temp == on(env,instance,job) temp",
    "temp != on(env,instance,job) temp",
    "level + on(env) group_left level{instance=\"i1\"}",
    "temp > 25 and temp < 28",
    "temp > 25 or temp < 15 unless temp < 12",
    "temp and on(instance) build_info{version=\"v1\"}",
    "temp unless on(instance) build_info{version=\"v1\"}",
    "temp or on(instance) build_info",
    "build_info or on(instance) temp",
    "25 < temp",
    "25 < bool temp",
    "temp < 25",
    "25 - temp",
    "2 ^ level",
    "level ^ 2",
    "-level ^ 2",
    "level % 3",
    "-temp",
    "+temp",
    "--temp",
    "- - 1",
    "-1 * temp",
    "(temp)",
    "((temp))",
    "temp == temp",
    "temp != temp",
    "weird",
    "weird > 0",
    "weird == weird",
    "weird + weird",
    "-weird",
    "abs(weird)",
    "sum(weird)",
    "avg(weird)",
    "min(weird)",
    "max(weird)",
    "stddev(weird)",
    "stdvar(weird)",
    "count(weird)",
    "group(weird)",
    "topk(2, weird)",
    "bottomk(2, weird)",
    "quantile(0.5, weird)",
    "sort(weird)",
    "sort_desc(weird)",
    "count_values(\"v\", weird)",
    "sum_over_time(weird[5m])",
    "avg_over_time(weird[5m])",
    "min_over_time(weird[5m])",
    "max_over_time(weird[5m])",
    "stddev_over_time(weird[5m])",
    "quantile_over_time(0.3, weird[5m])",
    "changes(weird[5m])",
    "resets(weird[10m])",
    "rate(weird[5m])",
    "clamp(weird, -2, 3)",
    "clamp_min(weird, 0)",
    "clamp_max(weird, 0)",
    "clamp(weird, 3, -2)",
    "clamp(weird, NaN, 1)",
    "round(weird)",
    "round(temp, 0.25)",
    "round(temp, 5)",
    "round(-temp)",
    "sgn(weird)",
    "topk(3, temp)",
    "bottomk(3, temp)",
    "topk by (job) (1, temp)",
    "bottomk without (instance, env) (2, temp)",
    "topk(0, temp)",
    "topk(-1, temp)",
    "topk(1000, temp)",
    "topk(1.9, temp)",
    "topk(scalar(level{instance=\"i0\",job=\"j1\"}), temp)",
    "topk(3, temp > 29)",
    "topk(2, temp @ start())",
    "topk(scalar(sum(level @ start())), temp)",
    "topk(scalar(count(temp > 25 @ 1700003000)) % 7, temp)",
    "quantile(scalar(temp{instance=\"i0\",job=\"j1\"} @ 1700003000) / 40, temp)",
    "sum(topk(5, level))",
    "sum(bottomk(3, weird > -3))",
    "bottomk(3, weird > -3)",
    "sum(topk(5, temp))",
    "quantile(0.9, temp)",
    "quantile by (env) (0.1, temp)",
    "quantile(-1, temp)",
    "quantile(2, temp)",
    "quantile(NaN, temp)",
    "quantile(scalar(level{instance=\"i0\",job=\"j1\"}) / 5, temp)",
    "count_values(\"v\", level)",
    "count_values by (env) (\"v\", level)",
    "count_values without (instance) (\"v\", level)",
    "count_values(\"env\", level)",
    "count_values without (job) (\"job\", level)",
    "count_values(\"v\", huge)",
    "count_values(\"v\", tiny)",
    "count_values(\"v\", temp / 3)",
    "count_values((\"v\"), up)",
    "huge",
    "tiny",
    "sum(huge)",
    "avg(huge * 1e8)",
    "huge * 1e10",
    "avg_over_time((huge * 1e8)[5m:])",
    "SUM(temp)",
    "Sum By (job) (temp)",
    "sum(temp) by (job)",
    "sum(temp) without (job)",
    "sum by () (temp)",
    "sum without () (temp)",
    "sum by (job, job) (temp)",
    "sum by (nope) (temp)",
    "sum by (sum, by, on) (temp)",
    "sum by (job,) (temp)",
    "stddev(temp)",
    "stdvar by (env) (temp)",
    "group by (job) (temp)",
    "avg by (job) (temp)",
    "stddev(vector(Inf))",
    "stddev(vector(NaN))",
    "sort(temp)",
    "sort_desc(temp)",
    "sort(level) + 0",
    "sort(temp > 25)",
    "histogram_quantile(0.9, lat_bucket)",
    "histogram_quantile(0.5, rate(lat_bucket[5m]))",
    "histogram_quantile(0, lat_bucket)",
    "histogram_quantile(1, lat_bucket)",
    "histogram_quantile(-0.1, lat_bucket)",
    "histogram_quantile(1.1, lat_bucket)",
    "histogram_quantile(NaN, lat_bucket)",
    "histogram_quantile(0.9, sum by (le) (rate(lat_bucket[5m])))",
    "histogram_quantile(0.9, {__name__=~\"lat_bucket|other_bucket\"})",
    "histogram_quantile(0.2, neg_bucket)",
    "histogram_quantile(0.9, temp)",
    "histogram_quantile(scalar(level{instance=\"i0\",job=\"j1\"}) / 5, lat_bucket)",
    "histogram_quantile(0.9, lat_bucket * 0)",
    "histogram_quantile(0.99, lat_bucket{job=\"j1\"})",
    "histogram_sum(temp)",
    "histogram_count(temp)",
    "histogram_fraction(0, 1, temp)",
    "label_replace(temp, \"x\", \"$1\", \"job\", \"j(.*)\")",
    "label_replace(temp, \"x\", \"${1}y$$\", \"job\", \"j(.*)\")",
    "label_replace(temp, \"x\", \"$1y\", \"job\", \"j(.*)\")",
    "label_replace(temp, \"x\", \"$name\", \"job\", \"(?P<name>j).*\")",
    "label_replace(temp, \"job\", \"\", \"job\", \".*\")",
    "label_replace(temp, \"x\", \"a\", \"nope\", \"\")",
    "label_replace(temp, \"x\", \"a\", \"nope\", \".+\")",
    "label_replace(temp, \"instance\", \"same\", \"job\", \".*\")",
    "label_replace(temp, \"__name__\", \"other\", \"job\", \"j1\")",
    "label_replace(temp, \"x\", \"$9\", \"job\", \"(j)\")",
    "label_replace(temp, \"x\", \"$\", \"job\", \".*\")",
    "label_replace(temp, \"x\", \"${\", \"job\", \".*\")",
    "label_replace(rate(req_total[5m]), \"x\", \"$1\", \"__name__\", \"(.*)\")",
    "label_join(temp, \"x\", \"-\", \"job\", \"env\")",
    "label_join(temp, \"x\", \"-\")",
    "label_join(temp, \"x\", \"-\", \"job\")",
    "label_join(temp, \"x\", \"-\", \"nope\", \"nope\")",
    "label_join(temp, \"job\", \"\", \"nope\")",
    "label_join(temp, \"x\", \",\", \"job\", \"nope\", \"env\")",
    "label_replace(text, \"x\", \"$1\", \"v\", \".*(.)\\\"q.*\")",
    "absent(nothing)",
    "absent(temp)",
    "absent(nothing{a=\"b\",c!=\"d\",e=~\"f\"})",
    "absent(nothing{a=\"b\",a=\"c\"})",
    "absent(nothing{a=\"b\",a!=\"c\"})",
    "absent((nothing{a=\"b\"}))",
    "absent(sum(nothing{a=\"b\"}))",
    "absent(ends)",
    "absent(pod_info{pod=\"p10\"})",
    "absent(nothing{a=\"b\"} @ 1700003000)",
    "absent({__name__=\"nothing\",a=\"b\"})",
    "absent_over_time(nothing{a=\"b\"}[5m])",
    "absent_over_time(pod_info{pod=\"p10\"}[5m])",
    "absent_over_time(ends[1m])",
    "absent_over_time(gappy{instance=\"i0\"}[2m])",
    "absent_over_time(nothing[5m:1m])",
    "absent_over_time((nothing{a=\"b\"}[5m]))",
    "absent_over_time(temp[5m])",
    "present_over_time(gappy[5m])",
    "absent(-nothing{a=\"b\"})",
    "rate(req_total[1m])",
    "rate(req_total[15s])",
    "rate(req_total[29s])",
    "rate(req_total[30s])",
    "rate(req_total[1h])",
    "increase(req_total[5m] offset 5m)",
    "rate(req_total[5m] @ 1700003000)",
    "rate(req_total[5m:15s])",
    "rate(req_total[5m:])",
    "rate(ends[5m])",
    "rate(gappy[5m])",
    "sum(rate(req_total[5m]))",
    "sum by (job) (rate(req_total[5m]))",
    "irate(req_total[1m])",
    "idelta(temp[1m])",
    "delta(temp[10m])",
    "deriv(temp[10m])",
    "predict_linear(temp[10m], 600)",
    "predict_linear(temp[10m] offset 5m, 600)",
    "predict_linear(temp[10m] @ 1700003000, 600)",
    "predict_linear(temp[10m:1m], 60)",
    "predict_linear(temp[10m:1m] @ 1700003000, 60)",
    "predict_linear(up[10m], 60)",
    "deriv(build_info[5m])",
    "holt_winters(temp[10m], 0.3, 0.6)",
    "holt_winters(temp[10m], 0, 0.6)",
    "holt_winters(temp[10m], 0.3, 1)",
    "holt_winters(nothing[10m], 0, 1)",
    "quantile_over_time(0.9, temp[5m])",
    "quantile_over_time(-1, temp[5m])",
    "quantile_over_time(scalar(level{instance=\"i0\",job=\"j1\"}) / 4, temp[5m])",
    "max_over_time(rate(req_total[2m])[10m:1m])",
    "max_over_time(sum(rate(req_total[2m]))[10m:30s])",
    "avg_over_time(temp[10m:1m] offset 5m)",
    "avg_over_time((temp > 25)[10m:1m])",
    "sum_over_time(vector(1)[10m:1m])",
    "sum_over_time(vector(time())[10m:7s])",
    "count_over_time(temp[10m:37s])",
    "last_over_time(temp[5m])",
    "last_over_time(temp[10m:1m])",
    "count_over_time(temp[1m])",
    "count_over_time(temp[15s])",
    "count_over_time(temp[14s])",
    "count_over_time(pod_info[5m])",
    "count_over_time(ends[5m])",
    "max_over_time(temp[5m] @ end())",
    "max_over_time(temp[5m:1m] @ start())",
    "avg_over_time((temp @ 1700003000)[5m:1m])",
    "avg_over_time((temp @ start())[5m:1m] offset 3m)",
    "max_over_time((time() - temp)[5m:1m])",
    "sum_over_time((temp + temp @ 1700003000)[5m:1m])",
    "max_over_time((max_over_time(temp[2m:30s] @ 1700003000))[5m:1m])",
    "min_over_time(timestamp(temp)[5m:1m])",
    "max_over_time(max_over_time(temp[2m:30s])[10m:1m])",
    "sum_over_time(count_over_time(temp[2m])[10m:1m] @ end() offset 1m)",
    "day_of_month()",
    "day_of_week()",
    "day_of_year()",
    "days_in_month()",
    "hour()",
    "minute()",
    "month()",
    "year()",
    "year(vector(0))",
    "month(vector(1e10))",
    "day_of_year(vector(-1))",
    "days_in_month(vector(1709200000))",
    "hour(temp * 1e8)",
    "year(vector(-1e12))",
    "month(weird)",
    "year(vector(NaN))",
    "year(vector(Inf))",
    "day_of_week(vector(-86401))",
    "minute(temp @ 1700003000)",
    "temp # a comment",
    "sum ( # one\n temp # two\n )",
    "temp\t\r\n+\n1",
    "temp + on() group_left vector(2)",
    "vector(1) + on() vector(2)",
    "temp * scalar(vector(2))",
    "temp + vector(1)",
    "build_info + 1",
    "sum(build_info) by (version) > 3",
    "count(up == 1) / count(up)",
    "count(up == 0) or vector(0)",
    "up == 0",
    "up == bool 0",
    "min_over_time(up[5m]) == 0",
    "time() - timestamp(gappy)",
    "temp[1m]",
    "temp[1m] offset 1m",
    "temp[1m] @ 1700003000",
    "temp[5m:1m]",
    "ends[10m]",
    "pod_info[2m]",
    "(temp[1m])",
    "sum(temp)[3m:1m]",
    "weird[2m]",
    "gappy - gappy offset 15s",
    "changes(up[1h])",
    "resets(req_total[30m])",
    "increase(req_total[20m]) > 100",
    "sum without (instance) (temp) / count without (instance) (temp)",
    "sum(rate(req_total[1m:15s] offset 30s))",
    "sqrt(temp)",
    "ln(temp)",
    "exp(level)",
    "log2(temp)",
    "log10(temp)",
    "ceil(temp)",
    "floor(temp)",
    "deg(temp)",
    "rad(temp)",
    "asin(temp / 40)",
    "acosh(temp)",
    "atanh(temp / 40)",
    "sinh(level)",
    "late",
    "late offset 7m",
    "timestamp(late)",
    "rate(late[5m])",
    "increase(late[11m])",
    "sum_over_time(late[2m])",
    "count_over_time(late[10m])",
    "changes(late[20m])",
    "irate(late[1m])",
    "max_over_time(late[5m:30s])",
    "count_over_time(ends[10m])",
    "sum(count_over_time(pod_info[25m]))",
    "sum by (how) (rate(ends[20m]))",
    "max_over_time(temp[10m:1m] @ start() offset 2m)",
    "rate(req_total[5m:15s] @ end())",
    "rate(req_total[5m:15s] offset 45s @ end())",
    "sum_over_time((temp offset 1m)[5m:45s] offset 30s)",
    "avg_over_time(rate(req_total[1m] offset 1m)[5m:1m] offset -1m)",
    "min_over_time(sum(temp @ end())[5m:1m] @ start())",
    "count_over_time(temp[5m:7s] offset 1h)",
    "stddev_over_time((temp[5m:1m])[5m:1m] offset 1m)",
    "sum_over_time(sum_over_time(level[1m:15s] offset 15s)[3m:30s] offset 1m)",
    "temp * on(instance) group_left(version, nope) build_info",
    "up * on(instance) group_left(version) (build_info > 0)",
    "temp * on(instance) group_left(__name__) build_info",
    "build_info * on(instance) group_right(version, job) temp",
    "temp - on(instance, job, env) group_left() up",
    "sum by (version) (temp * on(instance) group_left(version) build_info)",
    "temp * on(env) group_left up",
    "up + on(env) group_right temp",
    "level - on(instance) up",
    "level and on(env) up == 0",
    "histogram_quantile(0.5, lat_bucket{le=\"+Inf\"})",
    "histogram_quantile(0.5, lat_bucket{le!=\"+Inf\"})",
    "histogram_quantile(0.5, lat_bucket{le=~\"1|[+]Inf\"})",
    "histogram_quantile(0.5, sum by (job, le) (lat_bucket) or vector(1))",
    "histogram_quantile(0.5, lat_bucket offset 3m)",
    "histogram_quantile(0.9, -lat_bucket)",
    "histogram_quantile(0.9, lat_bucket / 0)",
    "histogram_quantile(Inf, lat_bucket)",
    "histogram_quantile(0.9, label_replace(lat_bucket, \"le\", \"${1}.0\", \"le\", \"(1|5)\"))",
    "histogram_quantile(0.9, label_replace(lat_bucket, \"le\", \"1\", \"le\", \"2.5\"))",
    "sum by (job) (histogram_quantile(0.25, rate(lat_bucket[3m])))",
    "label_replace(temp, \"x\", \"y\", \"job\", \"1\")",
    "label_replace(temp, \"x\", \"<$1>\", \"job\", \"j2|(.)1\")",
    "label_replace(temp, \"x\", \"$0\", \"instance\", \"i(1|11)\")",
    "label_replace(temp, \"x\", \"$1$2\", \"instance\", \"(i)?(.*)\")",
    "label_replace(temp, \"x\", \"$1\", \"instance\", \"(?i)I(.*)\")",
    "label_replace(temp, \"x\", \"$1\", \"env\", \"(.*?)(o|e).*\")",
    "label_replace(temp, \"x\", \"$1\", \"job\", \"^j(.)$\")",
    "label_replace(temp, \"x\", \"${a}${1}\", \"env\", \"(?P<a>p).*\")",
    "label_replace(temp, \"__name__\", \"\", \"job\", \".*\")",
    "topk(100, weird)",
    "bottomk(100, weird)",
    "sort(weird or temp > 29)",
    "sort_desc(weird or temp > 29)",
    "topk by (nope) (1, weird)",
    "max(weird > -Inf)",
    "quantile(0.9, weird)",
    "temp{instance=~\"i1\"}",
    "temp{instance=~\"i1|i2.*\"}",
    "temp{instance=~\".*1\"}",
    "temp{instance!~\"i1.*|i[2-9]\"}",
    "temp{instance=~\"\"}",
    "temp{nope=~\"|x\"}",
    "temp{nope!~\".+\"}"};

static const char *const data_over[] = {"avg",  "min",     "max",    "sum",   "count",
                                        "last", "present", "stddev", "stdvar"};
static const char *const data_range[] = {"rate",   "increase", "delta",   "irate",
                                         "idelta", "deriv",    "changes", "resets"};
static const char *const data_matrix[] = {"temp[5m]",
                                          "req_total{env=\"prod\"}[137s]",
                                          "gappy[4m]",
                                          "pod_info[3m] offset 1m",
                                          "weird[90s]",
                                          "(level + 1)[6m:40s]",
                                          "ends[7m] @ 1700006000",
                                          "lat_bucket{job=\"j3\"}[2m]"};
static const char *const data_vector[] = {"temp",     "level", "gappy",
                                          "pod_info", "up",    "rate(req_total[5m])"};
static const char *const data_group[] = {"", "by (job)", "without (instance)", "by (env, job)"};
static const char *const data_aggregates[] = {"sum",   "avg",    "min",    "max",
                                              "count", "stddev", "stdvar", "group"};
static const char *const data_ops[] = {"+",      "-",       "*",   "/",  "%",     "^",  "atan2",
                                       "==",     "!=",      ">",   "<",  ">=",    "<=", "== bool",
                                       "> bool", "<= bool", "and", "or", "unless"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

void
diff_queries(void (*cb)(void *ctx, const char *query), void *ctx)
{
    char q[400];
    for (size_t i = 0; i < COUNT(data_picked); i++)
        cb(ctx, data_picked[i]);
    for (size_t i = 0; i < COUNT(data_matrix); i++) {
        for (size_t k = 0; k < COUNT(data_over); k++)
            snprintf(q, sizeof q, "%s_over_time(%s)", data_over[k], data_matrix[i]), cb(ctx, q);
        for (size_t k = 0; k < COUNT(data_range); k++)
            snprintf(q, sizeof q, "%s(%s)", data_range[k], data_matrix[i]), cb(ctx, q);
    }
    for (size_t i = 0; i < COUNT(data_vector); i++)
        for (size_t g = 0; g < COUNT(data_group); g++)
            for (size_t k = 0; k < COUNT(data_aggregates); k++)
                snprintf(q, sizeof q, "%s %s (%s)", data_aggregates[k], data_group[g],
                         data_vector[i]),
                    cb(ctx, q);
    for (size_t k = 0; k < COUNT(data_ops); k++) {
        snprintf(q, sizeof q, "temp %s on(env, instance, job) level", data_ops[k]), cb(ctx, q);
        snprintf(q, sizeof q, "gappy %s ignoring(x) up", data_ops[k]), cb(ctx, q);
        if (k < 16)
            snprintf(q, sizeof q, "level %s 2", data_ops[k]), cb(ctx, q),
                snprintf(q, sizeof q, "3 %s level", data_ops[k]), cb(ctx, q);
    }
}

void
diff_malformed(void (*cb)(void *ctx, const char *query), void *ctx)
{
    static const char *const bad[] = {"",
                                      "sum",
                                      "by",
                                      "offset",
                                      "without",
                                      "bool",
                                      "start",
                                      "sum(",
                                      "sum(foo",
                                      "sum()",
                                      "sum(foo bar)",
                                      "sum by foo (bar)",
                                      "sum by (a b) (bar)",
                                      "sum by (a,) (bar)",
                                      "sum by (,) (bar)",
                                      "sum by (1) (bar)",
                                      "sum by (a:b) (bar)",
                                      "sum (foo) by",
                                      "rate(foo)",
                                      "rate(foo[5m)",
                                      "rate(foo[5])",
                                      "foo[5m",
                                      "foo[",
                                      "foo[abc]",
                                      "foo[5m:abc]",
                                      "foo[5m:5m:5m]",
                                      "foo[5m:5",
                                      "foo[5m] offset 5",
                                      "foo offset",
                                      "foo offset 5",
                                      "foo offset 5m offset 5m",
                                      "1 offset 5m",
                                      "(foo) offset 5m",
                                      "foo @",
                                      "foo @ abc",
                                      "foo @ 10 @ 20",
                                      "foo @ start",
                                      "foo @ start(",
                                      "foo @ start()",
                                      "foo @ +Inf",
                                      "foo @ 1e300",
                                      "1 @ 5",
                                      "foo{",
                                      "foo{a",
                                      "foo{a=",
                                      "foo{a=b}",
                                      "foo{a=\"b\"",
                                      "foo{a=\"b\" c=\"d\"}",
                                      "foo{a=\"b\",}",
                                      "foo{,}",
                                      "foo{a~\"b\"}",
                                      "foo{1=\"b\"}",
                                      "foo{a=\"b\",,}",
                                      "foo}",
                                      "foo)",
                                      "foo]",
                                      "{}",
                                      "{a=\"\"}",
                                      "{a=~\".*\"}",
                                      "{a!~\".+\"}",
                                      "foo{__name__=\"bar\"}",
                                      "{__name__=\"a\",__name__=\"b\"}",
                                      "1 == 1",
                                      "1 and 1",
                                      "foo and 1",
                                      "foo + on(a) 1",
                                      "foo + on() 1",
                                      "foo + bool bar",
                                      "foo == bool",
                                      "1 + bool 2",
                                      "foo and on(a) group_left bar",
                                      "foo + group_left bar",
                                      "foo + on(a) group_left(a) bar",
                                      "foo + ignoring(a) group_left(a) bar",
                                      "foo +",
                                      "+",
                                      "-",
                                      "*",
                                      "foo * * bar",
                                      "foo ! bar",
                                      "foo !~ bar",
                                      "foo =~ bar",
                                      "foo = bar",
                                      "foo bar",
                                      "foo \"bar\"",
                                      "foo 1",
                                      "foo 5m",
                                      "\"abc",
                                      "'abc",
                                      "`abc",
                                      "\"\\z\"",
                                      "\"\\x4\"",
                                      "\"\\xzz\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\'\"",
                                      "\"\\400\"",
                                      "\"abc\\",
                                      "5x",
                                      "5mm",
                                      "1.5h",
                                      "foo[1.5h]",
                                      "foo[1h30m]",
                                      "foo[30m1h]",
                                      "foo[0m]",
                                      "foo[5m1]",
                                      "foo[1y2y]",
                                      "foo[ 5m ]",
                                      "foo[5m : 1m]",
                                      "0x",
                                      "0x1f",
                                      "0x1.8",
                                      "010",
                                      "08",
                                      "1e400",
                                      "1e",
                                      "1_000",
                                      ".5",
                                      "5.",
                                      ".",
                                      "1..2",
                                      "foo$",
                                      "foo # comment",
                                      "# only",
                                      "foo(",
                                      "foo()",
                                      "foo(bar)",
                                      "abs()",
                                      "abs(foo, bar)",
                                      "abs(foo,)",
                                      "abs(,)",
                                      "abs(1)",
                                      "abs(\"x\")",
                                      "round(foo,1,2)",
                                      "label_join(foo)",
                                      "label_join(foo,\"a\")",
                                      "label_join(foo,\"a\",\"b\",1)",
                                      "label_replace(foo,\"a\",\"b\",\"c\",\"(\")",
                                      "label_replace(foo,\"a b\",\"b\",\"c\",\"x\")",
                                      "topk(foo)",
                                      "topk(foo,1)",
                                      "topk(1,2,foo)",
                                      "topk(\"a\",foo)",
                                      "count_values(1,foo)",
                                      "count_values(\"a b\",foo)",
                                      "topk(NaN,foo)",
                                      "-\"a\"",
                                      "-foo[5m]",
                                      "!foo",
                                      "foo[5m][5m]",
                                      "foo[5m:1m][5m:1m]",
                                      "1[5m:1m]",
                                      "\"a\"[5m:1m]",
                                      "(foo[5m])[5m:1m]",
                                      "foo offset 5m [5m]",
                                      "foo @ 5 [5m]",
                                      "sum(foo)[5m]",
                                      "{a=~\"(\"}",
                                      "{a=~\"[a\"}",
                                      "{a=~\"*\"}",
                                      "{a=~\"a**\"}",
                                      "{a=~\"(?=x)\"}",
                                      "{a=~\"\\\\1\"}",
                                      "{a=~\"a{2000}\"}",
                                      "{a=~\"a)\"}",
                                      "{a=~\"\\\\\"}",
                                      "{a=~\"[z-a]\"}",
                                      "{a=~\"(?P<n>a)\"}",
                                      "{a=~\"(?P<n\"}",
                                      "{a=~\"\\\\8\"}",
                                      "{a=~\"(?z)\"}",
                                      "foo ^ bool bar",
                                      "foo atan2 bar",
                                      "foo ATAN2 bar",
                                      "SUM(foo)",
                                      "Sum BY (a) (foo)",
                                      "foo AND bar",
                                      "foo OFFSET 5m",
                                      "sum{a=\"b\"}",
                                      "sum + 1",
                                      "on",
                                      "on + 1",
                                      "group_left",
                                      "ignoring",
                                      "inf",
                                      "NaN",
                                      "nan{a=\"b\"}",
                                      "inf(foo)",
                                      "time",
                                      "time()",
                                      "foo[5m:1m] offset 5m @ 5",
                                      "foo offset -5m",
                                      "foo offset +5m",
                                      "foo offset - 5m",
                                      "a:b",
                                      ":a",
                                      "a:b{c=\"d\"}",
                                      "foo{a:b=\"c\"}",
                                      "foo{sum=\"c\"}",
                                      "sum by (sum, by, on) (foo)",
                                      "foo{on=\"x\"}",
                                      "日本",
                                      "foo{日本=\"x\"}",
                                      "foo \n + $",
                                      "sum\n(foo bar)",
                                      "foo == bool 1",
                                      "1 == bool 1",
                                      "vector(1) == bool on() vector(1)",
                                      "holt_winters(foo[5m],0,1)",
                                      "foo[-5m]",
                                      "foo[5m:-1m]",
                                      "foo[]",
                                      "foo[:]",
                                      "foo[5m:]",
                                      "foo{a=\"b\"}{c=\"d\"}",
                                      "foo{a=\"b\"}[5m]{c=\"d\"}",
                                      "(foo",
                                      "()",
                                      "( )",
                                      "((foo)",
                                      "sum(foo) by (a) by (b)",
                                      "sum by (a) (foo) by (b)",
                                      "sum without (foo)",
                                      "avg(rate(foo[5m]) > 1 and)",
                                      "1 > 2",
                                      "1 > bool 2 > 3",
                                      "\"a\" + 1",
                                      "\"a\" == \"b\"",
                                      "\"a\" and foo",
                                      "foo[5m] + 1",
                                      "foo[5m] and bar"};
    for (size_t i = 0; i < COUNT(bad); i++)
        cb(ctx, bad[i]);
}
