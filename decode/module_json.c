/* module_json: one object a module. Keys that the module tells nothing of are null. */
#include "decode/module_in.h"

#include <math.h>
#include <stdio.h>

/* SFF-8024 table 4-5, of those seen in clusters */
const char *
module_host_name(uint8_t code)
{
    switch (code) {
    case 0x0b:
        return "CAUI-4 C2M";
    case 0x0c:
        return "100GAUI-4 C2M";
    case 0x0d:
        return "100GAUI-2 C2M";
    case 0x0e:
        return "200GAUI-8 C2M";
    case 0x0f:
        return "200GAUI-4 C2M";
    case 0x10:
        return "400GAUI-16 C2M";
    case 0x11:
        return "400GAUI-8 C2M";
    case 0x31:
        return "IB HDR";
    case 0x32:
        return "IB NDR";
    case 0x4b:
        return "100GAUI-1-S C2M";
    case 0x4c:
        return "100GAUI-1-L C2M";
    case 0x4d:
        return "200GAUI-2-S C2M";
    case 0x4e:
        return "200GAUI-2-L C2M";
    case 0x4f:
        return "400GAUI-4-S C2M";
    case 0x50:
        return "400GAUI-4-L C2M";
    case 0x51:
        return "800GAUI-8 S C2M";
    case 0x52:
        return "800GAUI-8 L C2M";
    default:
        return "";
    }
}

/* SFF-8024 tables 4-6 (multi mode, media type 1) and 4-7 (single mode, 2) */
const char *
module_media_name(uint8_t media_type, uint8_t code)
{
    static const struct {
        uint8_t type, code;
        const char *name;
    } rows[] = {
        {1, 0x09, "100GBASE-SR4"},  {1, 0x0d, "100GBASE-SR2"}, {1, 0x0e, "200GBASE-SR4"},
        {1, 0x0f, "400GBASE-SR16"}, {1, 0x10, "400GBASE-SR8"}, {1, 0x11, "400GBASE-SR4"},
        {1, 0x12, "800GBASE-SR8"},  {1, 0x1d, "100GBASE-VR1"}, {1, 0x1f, "400GBASE-VR4"},
        {1, 0x20, "800GBASE-VR8"},  {2, 0x14, "100GBASE-DR"},  {2, 0x15, "100GBASE-FR1"},
        {2, 0x16, "100GBASE-LR1"},  {2, 0x17, "200GBASE-DR4"}, {2, 0x18, "200GBASE-FR4"},
        {2, 0x19, "200GBASE-LR4"},  {2, 0x1a, "400GBASE-FR8"}, {2, 0x1b, "400GBASE-LR8"},
        {2, 0x1c, "400GBASE-DR4"},  {2, 0x1d, "400GBASE-FR4"}, {2, 0x43, "400GBASE-LR4-6"},
        {2, 0x3e, "400ZR"},         {2, 0x56, "800GBASE-DR8"}, {2, 0x57, "800GBASE-DR8-2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == media_type && rows[i].code == code)
            return rows[i].name;
    return "";
}

/* Four digits behind the point tell more than any module measures. */
static void
module_json_real(struct jsonw *w, const char *key, double v)
{
    jsonw_kreal(w, key, isfinite(v) ? round(v * 1e4) / 1e4 : v);
}

static void
module_json_limits(struct jsonw *w, const char *key, const struct module_limits *l)
{
    jsonw_key(w, key);
    jsonw_object(w);
    module_json_real(w, "low_alarm", l->low_alarm);
    module_json_real(w, "low_warning", l->low_warning);
    module_json_real(w, "high_warning", l->high_warning);
    module_json_real(w, "high_alarm", l->high_alarm);
    jsonw_end_object(w);
}

static void
module_json_identity(const struct module *m, struct jsonw *w)
{
    char id[8];
    snprintf(id, sizeof id, "0x%02x", m->identifier);
    jsonw_key(w, "identity");
    jsonw_object(w);
    jsonw_kstr(w, "identifier", id);
    jsonw_kstr(w, "form", m->form);
    jsonw_kstr(w, "specification", m->spec);
    jsonw_kstr(w, "specification_revision", m->revision_of_spec);
    jsonw_kstr(w, "vendor", m->vendor);
    jsonw_kstr(w, "oui", m->oui);
    jsonw_kstr(w, "part", m->part);
    jsonw_kstr(w, "revision", m->revision);
    jsonw_kstr(w, "serial", m->serial);
    jsonw_kstr(w, "date", m->date);
    jsonw_kstr(w, "firmware", m->firmware);
    jsonw_kstr(w, "connector", m->connector);
    module_json_real(w, "wavelength_nm", m->wavelength_nm);
    module_json_real(w, "length_m", m->length_m);
    module_json_real(w, "max_power_watts", m->max_power_w);
    module_json_real(w, "nominal_gbps", m->nominal_gbps);
    jsonw_key(w, "applications");
    jsonw_array(w);
    for (unsigned i = 0; i < m->application_count; i++) {
        const struct module_application *a = &m->applications[i];
        jsonw_object(w);
        jsonw_kint(w, "host_id", a->host);
        jsonw_kstr(w, "host", module_host_name(a->host));
        jsonw_kint(w, "media_id", a->media);
        jsonw_kstr(w, "media", module_media_name(m->media_type, a->media));
        jsonw_kint(w, "host_lanes", a->host_lanes);
        jsonw_kint(w, "media_lanes", a->media_lanes);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void
module_json_lanes(const struct module *m, struct jsonw *w)
{
    jsonw_key(w, "lanes");
    jsonw_array(w);
    for (unsigned i = 0; i < m->lane_count; i++) {
        jsonw_object(w);
        jsonw_kint(w, "lane", i + 1);
        module_json_real(w, "rx_power_dbm", m->lanes[i].rx_power_dbm);
        module_json_real(w, "tx_power_dbm", m->lanes[i].tx_power_dbm);
        module_json_real(w, "bias_ma", m->lanes[i].bias_ma);
        if (*m->lanes[i].state)
            jsonw_kstr(w, "state", m->lanes[i].state);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
module_json_lists(const struct module *m, struct jsonw *w)
{
    jsonw_key(w, "flags");
    jsonw_array(w);
    for (unsigned i = 0; i < m->flag_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "flag", m->flags[i].name);
        if (m->flags[i].lane)
            jsonw_kint(w, "lane", m->flags[i].lane);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "vdm");
    jsonw_array(w);
    for (unsigned i = 0; i < m->vdm_count; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", m->vdm[i].name);
        if (m->vdm[i].lane)
            jsonw_kint(w, "lane", m->vdm[i].lane);
        jsonw_kreal(w, "value", m->vdm[i].value);
        jsonw_kstr(w, "unit", m->vdm[i].unit);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

void
module_json(const struct module *m, struct jsonw *w)
{
    jsonw_object(w);
    module_json_identity(m, w);
    if (*m->state)
        jsonw_kstr(w, "state", m->state);
    if (*m->fault)
        jsonw_kstr(w, "fault", m->fault);
    module_json_real(w, "temperature", m->temperature);
    module_json_real(w, "voltage", m->voltage);
    jsonw_kreal(w, "pre_fec_ber", m->pre_fec_ber);
    module_json_lanes(m, w);
    jsonw_key(w, "thresholds");
    jsonw_object(w);
    module_json_limits(w, "temperature", &m->temperature_limits);
    module_json_limits(w, "voltage", &m->voltage_limits);
    module_json_limits(w, "rx_power_dbm", &m->rx_limits);
    module_json_limits(w, "tx_power_dbm", &m->tx_limits);
    module_json_limits(w, "bias_ma", &m->bias_limits);
    jsonw_end_object(w);
    module_json_lists(m, w);
    jsonw_end_object(w);
}
