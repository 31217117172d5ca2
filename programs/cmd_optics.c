/* cmd_optics: `myriascope optics decode FILE...`: what modules' memory pages, or texts of ethtool,
 * mlxlink and hccn_tool, say, one JSON object a module; `myriascope optics ENTITY`: what a server
 * now knows of the modules of a server or switch, or of one, beside the module's own limits. */
#include "base/buf.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "decode/module.h"
#include "programs/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTICS_FILE_MAX ((size_t)1 << 20)

static int
optics_read(const char *path, struct buf *ret, struct err *err)
{
    char part[4096];
    if (strcmp(path, "-"))
        return file_read(path, OPTICS_FILE_MAX, ret, err);
    buf_init(ret, OPTICS_FILE_MAX);
    for (size_t n; (n = fread(part, 1, sizeof part, stdin)) > 0;)
        if (buf_append(ret, part, n))
            return err_set(err, ERR_LIMIT, "more than 1 MiB");
    return 0;
}

static void
optics_print(const struct module *m)
{
    struct buf out;
    struct jsonw w;
    buf_init(&out, (size_t)16 << 20);
    jsonw_init(&w, &out);
    module_json(m, &w);
    puts(buf_str(&out));
    buf_done(&out);
}

/* Pages as bytes or text, or what a tool printed. */
static int
optics_file(const char *path, struct err *err)
{
    struct buf data;
    struct module m;
    size_t next = 0;
    int modules = 0, rc = optics_read(path, &data, err);
    bool dump = !rc && module_dump_is(buf_str(&data), data.len);
    if (dump && !(rc = module_dump_parse(buf_str(&data), data.len, &m, err)))
        optics_print(&m);
    while (!rc && !dump) {
        struct module_pages pages;
        rc = module_pages_parse(buf_str(&data), data.len, &next, &pages, err);
        if (rc <= 0 || (rc = module_decode(&pages, &m, err)))
            break;
        optics_print(&m);
        modules++;
    }
    if (!rc && !dump && !modules)
        rc = err_set(err, ERR_SYNTAX, "no module in it");
    buf_done(&data);
    return rc ? err_at(err, path, err->line, err->column) : 0;
}

/* --- what a server knows of modules ----------------------------------------------------------- */

enum optics_reading { RX, TX, BIAS, TEMPERATURE, VOLTAGE, BER, CODEWORDS, OPTICS_READINGS };
enum optics_limit { LOW_ALARM, LOW_WARNING, HIGH_WARNING, HIGH_ALARM, OPTICS_LIMITS };
enum { OPTICS_LANES = 17 }; /* lane 0: of the whole module; the widest form has 16 */

static const struct {
    const char *series, *en, *zh, *unit;
} optics_readings[OPTICS_READINGS] = {
    [RX] = {"rx_power_dbm", "rx power", "接收光功率", "dBm"},
    [TX] = {"tx_power_dbm", "tx power", "发送光功率", "dBm"},
    [BIAS] = {"bias_milliamperes", "laser bias", "激光器偏置", "mA"},
    [TEMPERATURE] = {"temperature_celsius", "temperature", "温度", "°C"},
    [VOLTAGE] = {"voltage_volts", "voltage", "电压", "V"},
    [BER] = {"pre_fec_ber", "pre-FEC BER", "纠前误码率", ""},
    [CODEWORDS] = {"uncorrectable_codewords_total", "uncorrectable codewords", "不可纠正码字", ""},
};
static const char *const optics_limits[OPTICS_LIMITS] = {"_low_alarm", "_low_warning",
                                                         "_high_warning", "_high_alarm"};

struct optics_module {
    char port[128];
    double value[OPTICS_READINGS][OPTICS_LANES], limit[OPTICS_READINGS][OPTICS_LIMITS];
};

struct optics_list {
    struct optics_module *at;
    size_t count, cap;
};

static struct optics_module *
optics_find(struct optics_list *l, const char *port)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->at[i].port, port))
            return &l->at[i];
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct optics_module *p = realloc(l->at, cap * sizeof *p);
        if (!p)
            return NULL;
        l->at = p;
        l->cap = cap;
    }
    struct optics_module *m = &l->at[l->count++];
    str_copy(m->port, sizeof m->port, port);
    for (int r = 0; r < OPTICS_READINGS; r++) {
        for (int i = 0; i < OPTICS_LANES; i++)
            m->value[r][i] = NAN;
        for (int i = 0; i < OPTICS_LIMITS; i++)
            m->limit[r][i] = NAN;
    }
    return m;
}

static void
optics_take(struct optics_module *m, const char *series, const char *lane, double v)
{
    for (int r = 0; r < OPTICS_READINGS; r++) {
        size_t n = strlen(optics_readings[r].series);
        if (strncmp(series, optics_readings[r].series, n))
            continue;
        if (!series[n]) {
            long at = strtol(lane, NULL, 10);
            m->value[r][at > 0 && at < OPTICS_LANES ? at : 0] = v;
        }
        for (int i = 0; i < OPTICS_LIMITS; i++)
            if (!strcmp(series + n, optics_limits[i]))
                m->limit[r][i] = v;
    }
}

/* The word for how a reading stands to its limits. */
static const char *
optics_state(const struct cmd_args *a, const struct optics_module *m, int r, double v)
{
    const double *l = m->limit[r];
    if (v < l[LOW_ALARM] || v > l[HIGH_ALARM])
        return a->zh ? "告警" : "ALARM";
    if (v < l[LOW_WARNING] || v > l[HIGH_WARNING])
        return a->zh ? "预警" : "warning";
    for (int i = 0; i < OPTICS_LIMITS; i++)
        if (!isnan(l[i]))
            return a->zh ? "正常" : "ok";
    return "-";
}

static const char *
optics_number(char out[32], double v)
{
    if (isnan(v))
        return "-";
    snprintf(out, 32, "%.4g", v);
    return out;
}

static void
optics_print_one(const struct cmd_args *a, const struct optics_module *m)
{
    static const char *const en[] = {"READING",    "LANE",      "VALUE",       "UNIT",
                                     "STATE",      "LOW ALARM", "LOW WARNING", "HIGH WARNING",
                                     "HIGH ALARM", NULL};
    static const char *const zh[] = {"读数",   "通道",   "值",     "单位",   "状态",
                                     "低告警", "低预警", "高预警", "高告警", NULL};
    struct table *t = table_new(a->zh ? zh : en);
    for (int r = 0; r < OPTICS_READINGS; r++)
        for (int i = 0; i < OPTICS_LANES; i++) {
            char lane[16] = "-", v[32], l[OPTICS_LIMITS][32];
            if (isnan(m->value[r][i]))
                continue;
            if (i)
                snprintf(lane, sizeof lane, "%d", i);
            table_row(t, a->zh ? optics_readings[r].zh : optics_readings[r].en, lane,
                      optics_number(v, m->value[r][i]), optics_readings[r].unit,
                      optics_state(a, m, r, m->value[r][i]), optics_number(l[0], m->limit[r][0]),
                      optics_number(l[1], m->limit[r][1]), optics_number(l[2], m->limit[r][2]),
                      optics_number(l[3], m->limit[r][3]));
        }
    table_print(t);
}

/* The lane that stands worst: the least, for light; where the module has one value, that. */
static double
optics_least(const struct optics_module *m, int r)
{
    double least = NAN;
    for (int i = 0; i < OPTICS_LANES; i++)
        if (!isnan(m->value[r][i]) && !(least <= m->value[r][i]))
            least = m->value[r][i];
    return least;
}

/* How far the light that comes in is above its alarm limit, dB; unknown last. */
static double
optics_margin(const struct optics_module *m)
{
    double rx = optics_least(m, RX), low = m->limit[RX][LOW_ALARM];
    return isnan(rx) ? INFINITY : isnan(low) ? 1000 + rx : rx - low;
}

static int
optics_by_margin(const void *a, const void *b)
{
    double x = optics_margin(a), y = optics_margin(b);
    return x < y ? -1 : x > y ? 1 : strcmp(a, b);
}

static void
optics_print_all(const struct cmd_args *a, struct optics_list *l)
{
    static const char *const en[] = {"MODULE",  "RX dBm", "LOW ALARM",   "STATE", "TX dBm",
                                     "BIAS mA", "°C",     "PRE-FEC BER", NULL};
    static const char *const zh[] = {"光模块",  "接收 dBm", "低告警",     "状态", "发送 dBm",
                                     "偏置 mA", "°C",       "纠前误码率", NULL};
    struct table *t = table_new(a->zh ? zh : en);
    qsort(l->at, l->count, sizeof *l->at, optics_by_margin);
    for (size_t i = 0; i < l->count; i++) {
        const struct optics_module *m = &l->at[i];
        char v[6][32];
        table_row(t, m->port, optics_number(v[0], optics_least(m, RX)),
                  optics_number(v[1], m->limit[RX][LOW_ALARM]),
                  optics_state(a, m, RX, optics_least(m, RX)),
                  optics_number(v[2], optics_least(m, TX)),
                  optics_number(v[3], optics_least(m, BIAS)),
                  optics_number(v[4], optics_least(m, TEMPERATURE)),
                  optics_number(v[5], optics_least(m, BER)));
    }
    table_print(t);
}

static void
optics_collect(const struct doc *d, struct optics_list *l)
{
    const struct doc_node *rows = doc_get(doc_get(doc_root(d), "data"), "result");
    for (const struct doc_node *n = rows ? rows->first : NULL; n; n = n->next) {
        const struct doc_node *metric = doc_get(n, "metric");
        const char *series = doc_get_str(metric, "__name__", "");
        struct optics_module *m = optics_find(l, doc_get_str(metric, "port", "-"));
        if (m && str_prefix(series, "optic_"))
            optics_take(m, series + strlen("optic_"), doc_get_str(metric, "lane", ""),
                        strtod(doc_str(doc_at(doc_get(n, "value"), 1), "nan"), NULL));
    }
}

/* NODE or SWITCH: all its modules, the least margin first; NODE/PORT: one, with its limits. */
static int
optics_of(struct cmd_args *a, const char *entity)
{
    char expr[1024];
    struct doc *d = NULL;
    struct buf raw;
    struct err err;
    struct optics_list l = {0};
    const char *colon = strchr(entity, ':'), *name = colon ? colon + 1 : entity,
               *slash = strchr(name, '/');
    if (strpbrk(name, "\"\\\n") || strlen(name) > 300)
        return cmd_usage(a, "optics takes a server, a switch, or a module: leaf-g01-1/Ethernet1");
    snprintf(expr, sizeof expr, "{__name__=~\"optic_.*\",node=\"%.*s\"%s%s%s}",
             (int)(slash ? slash - name : (long)strlen(name)), name, slash ? ",port=\"" : "",
             slash ? slash + 1 : "", slash ? "\"" : "");
    char *path = client_path("/prometheus/api/v1/query", "query", expr, NULL);
    int rc = client_call(a, "GET", path, NULL, 0, &d, &raw, &err);
    free(path);
    if (rc)
        return cmd_fail(a, &err);
    optics_collect(d, &l);
    if (cmd_json(a))
        printf("%s\n", buf_str(&raw));
    else if (!l.count)
        rc = err_set(&err, ERR_NOTFOUND,
                     "no module of %s reports now: `myriascope devices %s` shows what is known",
                     name, name);
    else if (slash)
        optics_print_one(a, &l.at[0]);
    else
        optics_print_all(a, &l);
    free(l.at);
    buf_done(&raw);
    doc_free(d);
    return rc ? cmd_fail(a, &err) : CMD_DONE;
}

int
cmd_optics(struct cmd_args *a)
{
    int rc = CMD_DONE;
    bool decode = a->count && !strcmp(a->words[0], "decode");
    if (a->count == 1 && !decode)
        return optics_of(a, a->words[0]);
    if (a->count < 2 || !decode)
        return cmd_usage(a, "optics SERVER | SWITCH | SERVER/PORT | decode FILE...");
    for (int i = 1; i < a->count; i++) {
        struct err err = {0};
        if (optics_file(a->words[i], &err))
            rc = cmd_fail(a, &err);
    }
    return rc;
}
