/* measures: the table, and its resource. */
#include "web/measures.h"

#include "base/str.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <string.h>

static const struct measure measures[] = {
    {METRIC_GPU_UTIL, KPI_LAST, "high", 0, 100},
    {METRIC_GPU_TEMP, KPI_MAX, "low", 0, 110},
    {METRIC_GPU_MEM_TEMP, KPI_MAX, "low", 0, 110},
    {METRIC_GPU_POWER, KPI_LAST, "none", 0, 0},
    {METRIC_GPU_CLOCK, KPI_LAST, "high", 0, 0},
    {METRIC_GPU_MEM_USED, KPI_LAST, "none", 0, 0},
    {METRIC_GPU_TENSOR_ACTIVE, KPI_LAST, "high", 0, 1},
    {METRIC_GPU_SM_ACTIVE, KPI_LAST, "high", 0, 1},
    {METRIC_GPU_PCIE_TX, KPI_LAST, "none", 0, 0},
    {METRIC_GPU_PCIE_RX, KPI_LAST, "none", 0, 0},
    {METRIC_GPU_NVLINK_BYTES, KPI_LAST, "none", 0, 0},
    {METRIC_GPU_ECC_SBE, KPI_SUM, "low", 0, 0},
    {METRIC_GPU_NVLINK_ERRORS, KPI_SUM, "low", 0, 0},
    {METRIC_GPU_THERMAL_VIOLATION, KPI_LAST, "low", 0, 1},
    {METRIC_GPU_POWER_VIOLATION, KPI_LAST, "low", 0, 1},
    {METRIC_NODE_LOAD1, KPI_LAST, "none", 0, 0},
    {METRIC_NODE_MEM_AVAILABLE, KPI_LAST, "high", 0, 0},
    {METRIC_NODE_POWER, KPI_MAX, "none", 0, 0},
    {METRIC_NODE_TEMP, KPI_MAX, "low", 0, 110},
    {METRIC_NODE_TIME_OFFSET, KPI_LAST, "none", 0, 0},
    {METRIC_NODE_EDAC_CE, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_TX_BYTES, KPI_MAX, "none", 0, 0},
    {METRIC_NIC_RX_BYTES, KPI_MAX, "none", 0, 0},
    {METRIC_NIC_ERRORS, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_RETRANSMITS, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_OUT_OF_SEQUENCE, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_CNP_SENT, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_CNP_HANDLED, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_PFC_RX, KPI_SUM, "low", 0, 0},
    {METRIC_NIC_PFC_TX, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_RX_BYTES, KPI_MAX, "none", 0, 0},
    {METRIC_PORT_TX_BYTES, KPI_MAX, "none", 0, 0},
    {METRIC_PORT_RX_ERRORS, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_RX_DISCARDS, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_TX_DISCARDS, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_PFC_RX, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_PFC_TX, KPI_SUM, "low", 0, 0},
    {METRIC_PORT_ECN, KPI_SUM, "low", 0, 0},
    {METRIC_OPTIC_RX_POWER, KPI_MIN, "high", 0, 0},
    {METRIC_OPTIC_TX_POWER, KPI_MIN, "high", 0, 0},
    {METRIC_OPTIC_BIAS, KPI_MAX, "none", 0, 0},
    {METRIC_OPTIC_TEMP, KPI_MAX, "low", 0, 100},
    {METRIC_OPTIC_VOLTAGE, KPI_LAST, "none", 0, 0},
    {METRIC_OPTIC_BER, KPI_MAX, "low", 0, 0},
    {METRIC_RACK_POWER, KPI_SUM, "none", 0, 0},
    {METRIC_RACK_INLET, KPI_MAX, "low", 0, 60},
    {METRIC_PDU_POWER, KPI_SUM, "none", 0, 0},
    {METRIC_CDU_SUPPLY, KPI_LAST, "low", 0, 70},
    {METRIC_CDU_RETURN, KPI_LAST, "low", 0, 70},
    {METRIC_FACILITY_POWER, KPI_SUM, "none", 0, 0},
    {METRIC_FACILITY_PUE, KPI_LAST, "low", 0, 0},
    {METRIC_JOB_POWER, KPI_SUM, "none", 0, 0},
    {METRIC_JOB_ENERGY, KPI_SUM, "none", 0, 0},
    {METRIC_JOB_STEP, KPI_AVG, "low", 0, 0},
    {METRIC_JOB_MFU, KPI_AVG, "high", 0, 1},
    {METRIC_JOB_TOKENS, KPI_AVG, "high", 0, 0},
    {METRIC_JOB_LOSS, KPI_AVG, "low", 0, 0},
    {METRIC_JOB_CHECKPOINT, KPI_AVG, "low", 0, 0},
};

/* Units of the metric table and what the API calls them; a counter's value is a second's increase.
 */
static const struct {
    const char *unit;
    bool counter;
    const char *api;
    double scale;
} measure_units[] = {
    {"%", false, "percent", 1},
    {"°C", false, "celsius", 1},
    {"W", false, "watts", 1},
    {"J", true, "watts", 1},
    {"MHz", false, "hertz", 1e6},
    {"MiB", false, "bytes", 1048576},
    {"B", false, "bytes", 1},
    {"B/s", false, "bytes_per_second", 1},
    {"ratio", false, "ratio", 1},
    {"s", false, "seconds", 1},
    {"cs", false, "seconds", 0.01},
    {"dBm", false, "dbm", 1},
    {"mA", false, "milliamperes", 1},
    {"V", false, "volts", 1},
    {"Mb/s", false, "bits_per_second", 1e6},
    {"1/s", false, "per_second", 1},
    {"lanes", false, "count", 1},
    {"ns", false, "seconds", 1e-9},
    {"B", true, "bytes_per_second", 1},
    {"", true, "per_second", 1},
    {"s", true, "ratio", 1},
    {"ns", true, "ratio", 1e-9},
};

size_t
measure_count(void)
{
    return sizeof measures / sizeof *measures;
}

const struct measure *
measure_at(size_t i)
{
    return &measures[i];
}

void
measure_name(enum metric_meaning m, char out[64])
{
    str_copy(out, 64, metric_meaning_row(m)->word);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : *p;
}

const struct measure *
measure_find(const char *name)
{
    char have[64];
    for (size_t i = 0; i < measure_count(); i++) {
        measure_name(measures[i].meaning, have);
        if (!strcmp(have, name))
            return &measures[i];
    }
    return NULL;
}

bool
measure_fleet(const struct measure *m)
{
    enum entity_kind k = metric_meaning_row(m->meaning)->entity;
    return k == ENTITY_GPU || k == ENTITY_NODE;
}

bool
measure_counter(const struct metric_table *t, enum metric_meaning m)
{
    const char *name;
    const struct metric_row *row =
        metric_names_of(t, m, &name, 1) ? metric_find(t, name, strlen(name)) : NULL;
    return row && row->kind == METRIC_COUNTER;
}

const char *
measure_unit(const struct metric_table *t, enum metric_meaning m, double *ret_scale)
{
    const char *unit = metric_meaning_row(m)->unit;
    bool counter = measure_counter(t, m);
    *ret_scale = 1;
    for (size_t i = 0; i < sizeof measure_units / sizeof *measure_units; i++)
        if (measure_units[i].counter == counter && !strcmp(measure_units[i].unit, unit)) {
            *ret_scale = measure_units[i].scale;
            return measure_units[i].api;
        }
    return "";
}

/* The first letter of an English title is a capital. */
static void
measure_title(struct jsonw *w, const struct metric_meaning_row *row)
{
    char en[128];
    str_copy(en, sizeof en, row->en);
    if (*en >= 'a' && *en <= 'z')
        *en = (char)(*en - 'a' + 'A');
    jsonw_ktext(w, "title", en, row->zh);
}

static int
measure_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    const struct web *web = ctx;
    struct jsonw w;
    (void)req;
    web_list_begin(&w, resp);
    for (size_t i = 0; i < measure_count(); i++) {
        const struct metric_meaning_row *row = metric_meaning_row(measures[i].meaning);
        char name[64];
        double scale;
        measure_name(measures[i].meaning, name);
        jsonw_object(&w);
        jsonw_kstr(&w, "name", name);
        jsonw_kstr(&w, "kind", entity_kind_row(row->entity)->word);
        jsonw_kstr(&w, "unit", measure_unit(web->cfg.metrics, measures[i].meaning, &scale));
        measure_title(&w, row);
        jsonw_kstr(&w, "better", measures[i].better);
        jsonw_key(&w, "range");
        if (measures[i].low < measures[i].high) {
            jsonw_array(&w);
            jsonw_real(&w, measures[i].low);
            jsonw_real(&w, measures[i].high);
            jsonw_end_array(&w);
        } else {
            jsonw_null(&w);
        }
        jsonw_kbool(&w, "fleet", measure_fleet(&measures[i]));
        jsonw_end_object(&w);
    }
    web_list_end(&w, NULL);
    return 0;
}

const struct route measures_routes[] = {
    {"GET", "/api/v1/measures", ROLE_VIEWER, measure_list,
     .help = "What can be measured: names, units, ranges, for the fleet map and the analysis."},
};
const size_t measures_route_count = sizeof measures_routes / sizeof *measures_routes;
