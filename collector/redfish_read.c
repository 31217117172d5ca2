/* redfish_read: tables of types. A row of values says where in a document a number stands and what
 * series it is; a row of links which member leads on. */
#include "collector/redfish_read.h"

#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REDFISH_READ_TEXT  2048
#define REDFISH_READ_DEPTH 3 /* dots in a member's place */

/* --- members -------------------------------------------------------------------------------------
 */

/* "PowerMetrics.AverageConsumedWatts" within an object. */
static const struct doc_node *
redfish_read_at(const struct doc_node *n, const char *place)
{
    char name[64];
    for (int depth = 0; n && *place && depth < REDFISH_READ_DEPTH; depth++) {
        size_t len = strcspn(place, ".");
        if (len >= sizeof name)
            return NULL;
        memcpy(name, place, len);
        name[len] = 0;
        n = doc_get(n, name);
        place += len + (place[len] == '.');
    }
    return n;
}

/* A number, also one that a careless firmware writes as text. */
static bool
redfish_read_number(const struct doc_node *n, double *ret)
{
    if (n && (n->kind == DOC_INT || n->kind == DOC_REAL))
        *ret = doc_real(n, 0);
    else if (!n || n->kind != DOC_STR || !n->len || str_double(n->str, n->len, ret))
        return false;
    return isfinite(*ret);
}

static const char *
redfish_read_text(const struct doc_node *n, const char *a, const char *b)
{
    const struct doc_node *v = doc_get(n, a);
    if (!v || (v->kind != DOC_STR && v->kind != DOC_INT))
        v = b ? doc_get(n, b) : NULL;
    return v && v->kind == DOC_STR ? v->str : "";
}

/* Is the document of this type: "#Thermal.v1_6_0.Thermal" is a Thermal. */
static bool
redfish_read_is(const struct doc_node *n, const char *type)
{
    const char *t = doc_get_str(n, "@odata.type", "");
    size_t len = strlen(type);
    return *t == '#' && !strncmp(t + 1, type, len) && (t[1 + len] == '.' || !t[1 + len]);
}

/* --- values --------------------------------------------------------------------------------------
 */

struct redfish_reader {
    const struct redfish_sink *sink;
    char chassis[64];
    size_t count;
};

enum redfish_unit { HEAT, WATTS, VOLTS, AMPERES, SPIN, PERCENT, ENERGY, FLOW, PRESSURE, STATE };
static const struct {
    double min, max;
} redfish_read_ranges[] = {
    [HEAT] = {-60, 200},     [WATTS] = {0, 5e6}, [VOLTS] = {-1000, 1e5},
    [AMPERES] = {-1e4, 1e5}, [SPIN] = {0, 1e6},  [PERCENT] = {0, 1000},
    [ENERGY] = {0, 1e15},    [FLOW] = {0, 1e6},  [PRESSURE] = {-1e4, 1e6},
    [STATE] = {0, 100},
};

static void
redfish_read_give(struct redfish_reader *r, enum redfish_unit unit, const char *name,
                  const char *kind, const char *part, const char *id, double v)
{
    struct redfish_value value = {name, r->chassis, kind, part, id, v};
    if (!(v >= redfish_read_ranges[unit].min && v <= redfish_read_ranges[unit].max))
        return;
    r->count++;
    if (r->sink->value)
        r->sink->value(r->sink->ctx, &value);
}

struct redfish_value_row {
    const char *place, *name;
    enum redfish_unit unit;
    double scale;
};

/* An empty slot has readings too: zeros. */
static bool
redfish_read_absent(const struct doc_node *n)
{
    const char *state = doc_get_str(doc_get(n, "Status"), "State", "");
    return !strcmp(state, "Absent") || !strcmp(state, "UnavailableOffline") ||
           !strcmp(state, "Disabled");
}

/* OK 1, Warning 2, Critical 3, as redfish_exporter has it. 0: not told. */
static double
redfish_read_health(const struct doc_node *n)
{
    const struct doc_node *s = doc_get(n, "Status");
    const char *h = doc_get_str(s, "Health", doc_get_str(s, "HealthRollup", ""));
    return !strcmp(h, "OK") ? 1 : !strcmp(h, "Warning") ? 2 : !strcmp(h, "Critical") ? 3 : 0;
}

static void
redfish_read_rows(struct redfish_reader *r, const struct doc_node *n,
                  const struct redfish_value_row *rows, const char *kind, const char *health)
{
    const char *part = redfish_read_text(n, "Name", "FanName"),
               *id = redfish_read_text(n, "MemberId", "Id");
    char number[24];
    double v;
    if (!n || n->kind != DOC_MAP || (kind && redfish_read_absent(n)))
        return;
    const struct doc_node *index = doc_get(n, "MemberId");
    if (!*id && index && index->kind == DOC_INT) {
        snprintf(number, sizeof number, "%lld", (long long)index->v.i);
        id = number;
    }
    if (!*id)
        id = part;
    for (; rows->place; rows++)
        if (redfish_read_number(redfish_read_at(n, rows->place), &v))
            redfish_read_give(r, rows->unit, rows->name, kind, part, id, v * rows->scale);
    if (health && redfish_read_health(n) > 0)
        redfish_read_give(r, STATE, health, kind, part, id, redfish_read_health(n));
}

static void
redfish_read_list(struct redfish_reader *r, const struct doc_node *list,
                  const struct redfish_value_row *rows, const char *kind, const char *health)
{
    if (list && list->kind == DOC_SEQ)
        for (const struct doc_node *n = list->first; n; n = n->next)
            redfish_read_rows(r, n, rows, kind, health);
}

#define TEMPERATURE "redfish_chassis_temperature_celsius"
#define PSU         "redfish_chassis_power_powersupply_"

static const struct redfish_value_row redfish_read_control[] = {
    {"PowerConsumedWatts", "redfish_chassis_power_consumed_watts", WATTS, 1},
    {"PowerMetrics.AverageConsumedWatts", "redfish_chassis_power_average_consumed_watts", WATTS, 1},
    {"PowerCapacityWatts", "redfish_chassis_power_capacity_watts", WATTS, 1},
    {"PowerLimit.LimitInWatts", "redfish_chassis_power_limit_watts", WATTS, 1},
    {0}};
static const struct redfish_value_row redfish_read_supply[] = {
    {"LastPowerOutputWatts", PSU "last_power_output_watts", WATTS, 1},
    {"PowerOutputWatts", PSU "power_output_watts", WATTS, 1},
    {"PowerInputWatts", PSU "power_input_watts", WATTS, 1},
    {"PowerCapacityWatts", PSU "power_capacity_watts", WATTS, 1},
    {"LineInputVoltage", PSU "line_input_voltage", VOLTS, 1},
    {"EfficiencyPercent", PSU "efficiency_percentage", PERCENT, 1},
    {0}};
static const struct redfish_value_row redfish_read_supply_metrics[] = {
    {"OutputPowerWatts.Reading", PSU "power_output_watts", WATTS, 1},
    {"InputPowerWatts.Reading", PSU "power_input_watts", WATTS, 1},
    {"InputVoltage.Reading", PSU "line_input_voltage", VOLTS, 1},
    {"InputCurrentAmps.Reading", PSU "input_current_amperes", AMPERES, 1},
    {"TemperatureCelsius.Reading", PSU "temperature_celsius", HEAT, 1},
    {0}};
static const struct redfish_value_row redfish_read_voltage[] = {
    {"ReadingVolts", "redfish_chassis_power_voltage_volts", VOLTS, 1}, {0}};
static const struct redfish_value_row redfish_read_temperature[] = {
    {"ReadingCelsius", TEMPERATURE, HEAT, 1},
    {"UpperThresholdCritical", TEMPERATURE "_high_alarm", HEAT, 1},
    {"UpperThresholdNonCritical", TEMPERATURE "_high_warning", HEAT, 1},
    {0}};
static const struct redfish_value_row redfish_read_fan_new[] = {
    {"SpeedPercent.SpeedRPM", "redfish_chassis_fan_rpm", SPIN, 1},
    {"SpeedPercent.Reading", "redfish_chassis_fan_rpm_percentage", PERCENT, 1},
    {0}};
static const struct redfish_value_row redfish_read_environment[] = {
    {"PowerWatts.Reading", "redfish_chassis_power_consumed_watts", WATTS, 1},
    {"PowerLimitWatts.SetPoint", "redfish_chassis_power_limit_watts", WATTS, 1},
    {"EnergyJoules.Reading", "redfish_chassis_energy_joules_total", ENERGY, 1},
    {"EnergykWh.Reading", "redfish_chassis_energy_joules_total", ENERGY, 3.6e6},
    {0}};
static const struct redfish_value_row redfish_read_coolant[] = {
    {"SupplyTemperatureCelsius.Reading", "redfish_coolant_supply_celsius", HEAT, 1},
    {"ReturnTemperatureCelsius.Reading", "redfish_coolant_return_celsius", HEAT, 1},
    {"FlowLitersPerMinute.Reading", "redfish_coolant_flow_lpm", FLOW, 1},
    {"DeltaPressurekPa.Reading", "redfish_coolant_delta_pressure_kilopascals", PRESSURE, 1},
    {0}};
static const struct redfish_value_row redfish_read_pump[] = {
    {"PumpSpeedPercent.Reading", "redfish_pump_speed_percentage", PERCENT, 1}, {0}};
static const struct redfish_value_row redfish_read_distribution[] = {
    {"PowerWatts.Reading", "redfish_power_distribution_watts", WATTS, 1},
    {"EnergykWh.Reading", "redfish_power_distribution_energy_joules_total", ENERGY, 3.6e6},
    {0}};
static const struct redfish_value_row redfish_read_nothing[] = {{0}};

static void
redfish_read_fans(struct redfish_reader *r, const struct doc_node *list)
{
    double v;
    for (const struct doc_node *n = list && list->kind == DOC_SEQ ? list->first : NULL; n;
         n = n->next) {
        const char *part = redfish_read_text(n, "Name", "FanName"),
                   *id = redfish_read_text(n, "MemberId", NULL);
        bool percent = !strcmp(doc_get_str(n, "ReadingUnits", ""), "Percent");
        if (n->kind != DOC_MAP || redfish_read_absent(n))
            continue;
        id = *id ? id : part;
        if (redfish_read_number(doc_get(n, "Reading"), &v) ||
            redfish_read_number(doc_get(n, "ReadingRPM"), &v))
            redfish_read_give(r, percent ? PERCENT : SPIN,
                              percent ? "redfish_chassis_fan_rpm_percentage"
                                      : "redfish_chassis_fan_rpm",
                              "fan", part, id, v);
        if (redfish_read_health(n) > 0)
            redfish_read_give(r, STATE, "redfish_chassis_fan_health", "fan", part, id,
                              redfish_read_health(n));
    }
}

/* A Sensor says by its ReadingType what it is. */
static void
redfish_read_sensor(struct redfish_reader *r, const struct doc_node *n)
{
    static const struct {
        const char *type, *name;
        enum redfish_unit unit;
        double scale;
    } rows[] = {{"Temperature", TEMPERATURE, HEAT, 1},
                {"Power", "redfish_sensor_power_watts", WATTS, 1},
                {"Voltage", "redfish_chassis_power_voltage_volts", VOLTS, 1},
                {"Current", "redfish_sensor_current_amperes", AMPERES, 1},
                {"Rotational", "redfish_chassis_fan_rpm", SPIN, 1},
                {"EnergykWh", "redfish_sensor_energy_joules_total", ENERGY, 3.6e6},
                {"EnergyJoules", "redfish_sensor_energy_joules_total", ENERGY, 1},
                {"LiquidFlowLPM", "redfish_coolant_flow_lpm", FLOW, 1},
                {"PressurekPa", "redfish_coolant_pressure_kilopascals", PRESSURE, 1}};
    const char *type = doc_get_str(n, "ReadingType", ""), *id = redfish_read_text(n, "Id", NULL);
    const char *part = redfish_read_text(n, "Name", NULL);
    double v;
    if (redfish_read_absent(n))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool heat = rows[i].unit == HEAT, spin = rows[i].unit == SPIN;
        if (strcmp(type, rows[i].type))
            continue;
        if (redfish_read_number(doc_get(n, "Reading"), &v))
            redfish_read_give(r, rows[i].unit, rows[i].name, spin ? "fan" : "sensor", part, id,
                              v * rows[i].scale);
        if (heat && redfish_read_number(redfish_read_at(n, "Thresholds.UpperCritical.Reading"), &v))
            redfish_read_give(r, HEAT, TEMPERATURE "_high_alarm", "sensor", part, id, v);
        if (heat && redfish_read_number(redfish_read_at(n, "Thresholds.UpperCaution.Reading"), &v))
            redfish_read_give(r, HEAT, TEMPERATURE "_high_warning", "sensor", part, id, v);
    }
}

/* What an excerpt is called: DeviceName, or the last part of where it comes from. */
static const char *
redfish_read_excerpt(const struct doc_node *n)
{
    const char *from = doc_get_str(n, "DataSourceUri", ""), *slash = strrchr(from, '/');
    const char *name = slash && slash[1] ? slash + 1 : "";
    return *name ? name : doc_get_str(n, "DeviceName", doc_get_str(n, "PhysicalContext", ""));
}

static void
redfish_read_thermal_metrics(struct redfish_reader *r, const struct doc_node *root)
{
    static const char *const summary[] = {"Intake", "Exhaust", "Ambient", "Internal"};
    const struct doc_node *list = doc_get(root, "TemperatureReadingsCelsius");
    double v;
    for (const struct doc_node *n = list && list->kind == DOC_SEQ ? list->first : NULL; n;
         n = n->next)
        if (redfish_read_number(doc_get(n, "Reading"), &v) && *redfish_read_excerpt(n))
            redfish_read_give(r, HEAT, TEMPERATURE, "sensor", redfish_read_excerpt(n),
                              redfish_read_excerpt(n), v);
    const struct doc_node *s = doc_get(root, "TemperatureSummaryCelsius");
    for (size_t i = 0; i < sizeof summary / sizeof *summary; i++)
        if (redfish_read_number(doc_get(doc_get(s, summary[i]), "Reading"), &v))
            redfish_read_give(r, HEAT, TEMPERATURE, "sensor", summary[i], summary[i], v);
}

/* OK 1, Warning 2, Critical 3; a detector that fell off its rope tells so too. */
static void
redfish_read_leak(struct redfish_reader *r, const struct doc_node *n)
{
    const char *s = doc_get_str(n, "DetectorState", "");
    double v = !strcmp(s, "OK") ? 1 : !strcmp(s, "Warning") ? 2 : !strcmp(s, "Critical") ? 3 : 0;
    if (v > 0)
        redfish_read_give(r, STATE, "redfish_leak_detector_state", "leak_detector",
                          redfish_read_text(n, "Name", NULL), redfish_read_text(n, "Id", NULL), v);
}

static void
redfish_read_system(struct redfish_reader *r, const struct doc_node *n)
{
    const char *power = doc_get_str(n, "PowerState", "");
    double health = redfish_read_health(n);
    if (health > 0)
        redfish_read_give(r, STATE, "redfish_system_health_state", NULL, "", "", health);
    if (*power)
        redfish_read_give(r, STATE, "redfish_system_power_state", NULL, "", "",
                          !strcmp(power, "On")    ? 1
                          : !strcmp(power, "Off") ? 2
                                                  : 3);
}

static void
redfish_read_one(struct redfish_reader *r, const struct doc_node *n)
{
    if (redfish_read_is(n, "Power")) {
        redfish_read_list(r, doc_get(n, "PowerControl"), redfish_read_control, NULL, NULL);
        redfish_read_list(r, doc_get(n, "PowerSupplies"), redfish_read_supply, "power_supply",
                          PSU "health");
        redfish_read_list(r, doc_get(n, "Voltages"), redfish_read_voltage, "sensor", NULL);
    } else if (redfish_read_is(n, "Thermal")) {
        redfish_read_list(r, doc_get(n, "Temperatures"), redfish_read_temperature, "sensor", NULL);
        redfish_read_fans(r, doc_get(n, "Fans"));
    } else if (redfish_read_is(n, "ThermalMetrics")) {
        redfish_read_thermal_metrics(r, n);
    } else if (redfish_read_is(n, "EnvironmentMetrics")) {
        redfish_read_rows(r, n, redfish_read_environment, NULL, NULL);
    } else if (redfish_read_is(n, "PowerSupply")) {
        redfish_read_rows(r, n, redfish_read_nothing, "power_supply", PSU "health");
    } else if (redfish_read_is(n, "PowerSupplyMetrics")) {
        redfish_read_rows(r, n, redfish_read_supply_metrics, "power_supply", NULL);
    } else if (redfish_read_is(n, "Fan")) {
        redfish_read_rows(r, n, redfish_read_fan_new, "fan", "redfish_chassis_fan_health");
    } else if (redfish_read_is(n, "Sensor")) {
        redfish_read_sensor(r, n);
    } else if (redfish_read_is(n, "LeakDetector")) {
        redfish_read_leak(r, n);
    } else if (redfish_read_is(n, "ComputerSystem")) {
        redfish_read_system(r, n);
    } else if (redfish_read_is(n, "CoolantConnector")) {
        redfish_read_rows(r, n, redfish_read_coolant, "sensor", NULL);
    } else if (redfish_read_is(n, "Pump")) {
        redfish_read_rows(r, n, redfish_read_pump, "sensor", "redfish_pump_health");
    } else if (redfish_read_is(n, "PowerDistributionMetrics")) {
        redfish_read_rows(r, n, redfish_read_distribution, NULL, NULL);
    }
}

/* ".../Chassis/NAME/..." */
static void
redfish_read_chassis(struct redfish_reader *r, const char *path)
{
    const char *at = strstr(path, "/Chassis/");
    at = at ? at + 9 : "";
    size_t len = strcspn(at, "/?#");
    snprintf(r->chassis, sizeof r->chassis, "%.*s", (int)len, at);
}

size_t
redfish_read_values(const struct doc_node *root, const char *path, const struct redfish_sink *sink)
{
    struct redfish_reader r = {.sink = sink};
    const struct doc_node *members = doc_get(root, "Members");
    redfish_read_chassis(&r, path);
    redfish_read_one(&r, root);
    if (members && members->kind == DOC_SEQ)
        for (const struct doc_node *n = members->first; n; n = n->next)
            redfish_read_one(&r, n);
    return r.count;
}

/* --- links ---------------------------------------------------------------------------------------
 */

bool
redfish_path_ok(const char *path)
{
    size_t n = 0;
    for (const char *p = path; *p; p++, n++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~' || strchr("\"'\\<>{}|^`#@", *p))
            return false;
    return n <= REDFISH_PATH_MAX && str_prefix(path, "/redfish/") && !strstr(path, "/../");
}

static size_t
redfish_read_link(const struct doc_node *n, enum redfish_role role, const struct redfish_sink *sink)
{
    const char *path = doc_get_str(n, "@odata.id", "");
    if (!redfish_path_ok(path))
        return 0;
    sink->link(sink->ctx, role, path);
    return 1;
}

static const struct {
    const char *type, *member;
    enum redfish_role role;
    const char *unless; /* a member that tells the same, better */
} redfish_read_link_rows[] = {
    {"ServiceRoot", "Chassis", REDFISH_WALK, NULL},
    {"ServiceRoot", "Systems", REDFISH_WALK, NULL},
    {"ServiceRoot", "Managers", REDFISH_WALK, NULL},
    {"ServiceRoot", "ThermalEquipment", REDFISH_WALK, NULL},
    {"ServiceRoot", "PowerEquipment", REDFISH_WALK, NULL},
    {"Chassis", "Power", REDFISH_READ, NULL},
    {"Chassis", "Thermal", REDFISH_READ, NULL},
    {"Chassis", "PowerSubsystem", REDFISH_WALK, "Power"},
    {"Chassis", "ThermalSubsystem", REDFISH_WALK, NULL},
    {"Chassis", "EnvironmentMetrics", REDFISH_READ, "Power"},
    {"Chassis", "Sensors", REDFISH_EXPAND, "Thermal"},
    {"PowerSubsystem", "PowerSupplies", REDFISH_EXPAND, NULL},
    {"PowerSupply", "Metrics", REDFISH_READ, NULL},
    {"ThermalSubsystem", "ThermalMetrics", REDFISH_READ, NULL},
    {"ThermalSubsystem", "Fans", REDFISH_EXPAND, NULL},
    {"ThermalSubsystem", "Pumps", REDFISH_EXPAND, NULL},
    {"ThermalSubsystem", "LeakDetection", REDFISH_WALK, NULL},
    {"ThermalSubsystem", "CoolantConnectors", REDFISH_EXPAND, NULL},
    {"LeakDetection", "LeakDetectors", REDFISH_EXPAND, NULL},
    {"ComputerSystem", "LogServices", REDFISH_WALK, NULL},
    {"Manager", "LogServices", REDFISH_WALK, NULL},
    {"Chassis", "LogServices", REDFISH_WALK, NULL},
    {"LogService", "Entries", REDFISH_ENTRIES, NULL},
    {"ThermalEquipment", "CDUs", REDFISH_WALK, NULL},
    {"CoolingUnit", "PrimaryCoolantConnectors", REDFISH_EXPAND, NULL},
    {"CoolingUnit", "SecondaryCoolantConnectors", REDFISH_EXPAND, NULL},
    {"CoolingUnit", "Pumps", REDFISH_EXPAND, NULL},
    {"CoolingUnit", "LeakDetection", REDFISH_WALK, NULL},
    {"CoolingUnit", "EnvironmentMetrics", REDFISH_READ, NULL},
    {"PowerEquipment", "RackPDUs", REDFISH_WALK, NULL},
    {"PowerEquipment", "FloorPDUs", REDFISH_WALK, NULL},
    {"PowerDistribution", "Metrics", REDFISH_READ, NULL},
};

/* Members of a collection: what is walked for links, and read where its own document has values. */
static size_t
redfish_read_members(const struct doc_node *root, const struct redfish_sink *sink)
{
    static const char *const valued[] = {
        "ComputerSystemCollection", "SensorCollection", "FanCollection",
        "LeakDetectorCollection",   "PumpCollection",   "CoolantConnectorCollection"};
    const struct doc_node *list = doc_get(root, "Members");
    enum redfish_role role = REDFISH_WALK;
    size_t n = 0;
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++)
        if (redfish_read_is(root, valued[i]))
            role = i ? REDFISH_READ : REDFISH_BOTH;
    if (redfish_read_is(root, "PowerSupplyCollection"))
        role = REDFISH_BOTH;
    for (const struct doc_node *m = list && list->kind == DOC_SEQ ? list->first : NULL; m;
         m = m->next)
        n += redfish_read_link(m, role, sink);
    return n;
}

size_t
redfish_read_links(const struct doc_node *root, const struct redfish_sink *sink)
{
    size_t n = 0;
    if (!sink->link)
        return 0;
    for (size_t i = 0; i < sizeof redfish_read_link_rows / sizeof *redfish_read_link_rows; i++)
        if (redfish_read_is(root, redfish_read_link_rows[i].type) &&
            !(redfish_read_link_rows[i].unless && doc_get(root, redfish_read_link_rows[i].unless)))
            n += redfish_read_link(doc_get(root, redfish_read_link_rows[i].member),
                                   redfish_read_link_rows[i].role, sink);
    return n + redfish_read_members(root, sink);
}

bool
redfish_read_expands(const struct doc_node *root)
{
    const struct doc_node *e = redfish_read_at(root, "ProtocolFeaturesSupported.ExpandQuery");
    return doc_get_bool(e, "NoLinks", false);
}

/* --- logs ----------------------------------------------------------------------------------------
 */

static enum severity
redfish_read_severity(const struct doc_node *n)
{
    const char *s = doc_get_str(n, "Severity", doc_get_str(n, "MessageSeverity", ""));
    return !strcmp(s, "Critical")  ? SEVERITY_CRITICAL
           : !strcmp(s, "Warning") ? SEVERITY_WARNING
                                   : SEVERITY_INFO;
}

/* The message; what a bare IPMI entry says only by its sensor goes before it; the id of a message
 * that is known by a registry behind it. */
static void
redfish_read_message(const struct doc_node *n, struct buf *out)
{
    const char *message = redfish_read_text(n, "Message", "EventType");
    const char *sensor = doc_get_str(n, "SensorType", ""), *id = doc_get_str(n, "MessageId", "");
    if (*sensor && !strstr(message, sensor))
        buf_printf(out, "%s: ", sensor);
    buf_puts(out, message);
    if (*id && strchr(id, '.') && !strstr(message, id))
        buf_printf(out, " [%s]", id);
}

size_t
redfish_read_entries(const struct doc_node *root, const struct redfish_sink *sink)
{
    const struct doc_node *list = doc_get(root, "Members");
    struct buf text;
    size_t count = 0;
    buf_init(&text, REDFISH_READ_TEXT * 4);
    for (const struct doc_node *n = list && list->kind == DOC_SEQ ? list->first : NULL; n;
         n = n->next) {
        struct redfish_entry e = {.severity = redfish_read_severity(n),
                                  .id = redfish_read_text(n, "Id", "@odata.id")};
        const char *at = doc_get_str(n, "Created", doc_get_str(n, "EventTimestamp", ""));
        buf_reset(&text);
        redfish_read_message(n, &text);
        if (n->kind != DOC_MAP || !text.len || text.failed)
            continue;
        if (time_parse(at, &e.time_ms) || e.time_ms < 946684800000)
            e.time_ms = 0; /* a clock that was never set begins in 1970 */
        for (size_t i = 0; i < text.len; i++)
            if (iscntrl((unsigned char)text.data[i]))
                text.data[i] = ' ';
        e.text = buf_str(&text);
        count++;
        if (sink->entry)
            sink->entry(sink->ctx, &e);
    }
    buf_done(&text);
    return count;
}

const char *
redfish_read_next(const struct doc_node *root)
{
    const char *next =
        doc_get_str(root, "Members@odata.nextLink", doc_get_str(root, "@odata.nextLink", ""));
    return redfish_path_ok(next) ? next : "";
}

int64_t
redfish_read_count(const struct doc_node *root)
{
    return doc_get_int(root, "Members@odata.count", -1);
}
