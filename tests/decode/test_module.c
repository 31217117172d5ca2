/* test_module: pages made by hand, after the specifications, and what is read from them. */
#include "base/doc.h"
#include "decode/module.h"
#include "tests/base/base_test.h"

#include <math.h>

static void
put16(uint8_t *p, unsigned at, unsigned v)
{
    p[at] = (uint8_t)(v >> 8);
    p[at + 1] = (uint8_t)v;
}

static void
put_text(uint8_t *p, unsigned at, size_t size, const char *text)
{
    memset(p + at, ' ', size);
    memcpy(p + at, text, strlen(text));
}

static void
near(double got, double want)
{
    if (!(fabs(got - want) < 0.005 + fabs(want) * 1e-6))
        fail_msg("%g is not %g", got, want);
}

/* A QSFP-DD of eight lanes: linear pages 00h to 02h, 11h, 20h, 24h as the struct has them. */
static void
make_cmis(struct module_pages *p)
{
    uint8_t up[6][128];
    static const unsigned numbers[] = {0x00, 0x01, 0x02, 0x11, 0x20, 0x24};
    memset(p, 0, sizeof *p);
    memset(up, 0, sizeof up);
    uint8_t *l = p->lower;
    p->have_lower = true;
    l[0] = 0x18;
    l[1] = 0x50;
    l[3] = 3 << 1;        /* ready */
    l[9] = 0x01;          /* temperature high alarm */
    put16(l, 14, 0x2d80); /* 45.5 C */
    put16(l, 16, 33000);  /* 3.3 V */
    l[39] = 2;
    l[40] = 7;
    l[85] = 2;                                              /* single mode */
    l[86] = 0x4f, l[87] = 0x1c, l[88] = 0x44, l[90] = 0xff; /* 400GAUI-4-S to 400GBASE-DR4 */
    put_text(up[0], 1, 16, "ExampleOptics");
    up[0][17] = 0x00, up[0][18] = 0x11, up[0][19] = 0x22;
    put_text(up[0], 20, 16, "EX-400G-DR4");
    put_text(up[0], 36, 2, "A1");
    put_text(up[0], 38, 16, "SN000017");
    put_text(up[0], 54, 8, "260131");
    up[0][72] = 0x04;          /* class */
    up[0][73] = 40;            /* 10 W */
    up[0][75] = 0x0c;          /* MPO */
    put16(up[1], 10, 26220);   /* 1311 nm */
    up[1][31] = 3;             /* temperature, voltage */
    up[1][32] = 0x07 | 1 << 3; /* all lane monitors, bias times 2 */
    put16(up[2], 0, 0x4b00);   /* 75 C */
    put16(up[2], 2, 0xfb00);   /* -5 C */
    put16(up[2], 48, 31623);   /* tx high alarm 5 dBm */
    put16(up[2], 56, 60000);   /* bias high alarm: 60,000 x 2 uA x 2 = 240 mA */
    put16(up[2], 64, 31623);   /* rx high alarm 5 dBm */
    put16(up[2], 66, 1000);    /* rx low alarm -10 dBm */
    memset(up[3], 0x44, 4);    /* activated */
    up[3][19] = 0x04;          /* rx los, lane 3 */
    up[3][22] = 0x04;          /* rx power low alarm, lane 3 */
    for (unsigned i = 0; i < 8; i++) {
        put16(up[3], 26 + 2 * i, 10000 + i);         /* 0 dBm */
        put16(up[3], 42 + 2 * i, 20000);             /* 80 mA */
        put16(up[3], 58 + 2 * i, i == 2 ? 0 : 5012); /* -3 dBm, lane 3 dark */
    }
    up[4][0] = 0x00, up[4][1] = 15;   /* lane 1, BER now, media */
    up[4][2] = 0x01, up[4][3] = 15;   /* lane 2 */
    up[4][4] = 0x0f, up[4][5] = 4;    /* the module's laser temperature */
    put16(up[5], 0, 18u << 11 | 250); /* 250e-6 */
    put16(up[5], 2, 17u << 11 | 120); /* 120e-7 */
    put16(up[5], 4, 0xf680);          /* -9.5 C */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(module_page_add(p, 0, numbers[i], up[i]), 0);
}

static void
cmis_is_decoded(void **state)
{
    struct module_pages p;
    struct module m;
    struct err err;
    (void)state;
    make_cmis(&p);
    assert_int_equal(module_decode(&p, &m, &err), 0);
    assert_string_equal(m.form, "QSFP-DD");
    assert_string_equal(m.revision_of_spec, "5.0");
    assert_string_equal(m.vendor, "ExampleOptics");
    assert_string_equal(m.part, "EX-400G-DR4");
    assert_string_equal(m.serial, "SN000017");
    assert_string_equal(m.date, "2026-01-31");
    assert_string_equal(m.oui, "00:11:22");
    assert_string_equal(m.state, "ready");
    assert_string_equal(m.connector, "MPO 1x12");
    assert_string_equal(m.firmware, "2.7");
    assert_string_equal(module_media_name(m.media_type, m.applications[0].media), "400GBASE-DR4");
    assert_int_equal(m.application_count, 1);
    near(m.temperature, 45.5);
    near(m.voltage, 3.3);
    near(m.wavelength_nm, 1311);
    near(m.max_power_w, 10);
    near(m.temperature_limits.high_alarm, 75);
    near(m.temperature_limits.low_alarm, -5);
    near(m.rx_limits.high_alarm, 5);
    near(m.rx_limits.low_alarm, -10);
    near(m.bias_limits.high_alarm, 240);
    assert_int_equal(m.lane_count, 8);
    near(m.lanes[0].tx_power_dbm, 0);
    near(m.lanes[0].bias_ma, 80);
    near(m.lanes[0].rx_power_dbm, -3);
    near(m.lanes[2].rx_power_dbm, -40);
    assert_string_equal(m.lanes[7].state, "activated");
    assert_int_equal(m.flag_count, 3);
    assert_string_equal(m.flags[0].name, "temperature-high-alarm");
    assert_string_equal(m.flags[1].name, "rx-los");
    assert_int_equal(m.flags[1].lane, 3);
    assert_int_equal(m.vdm_count, 3);
    assert_true(fabs(m.vdm[0].value - 2.5e-4) < 1e-12);
    assert_int_equal(m.vdm[1].lane, 2);
    assert_true(fabs(m.vdm[1].value - 1.2e-5) < 1e-13);
    near(m.vdm[2].value, -9.5);
    assert_int_equal(m.vdm[2].lane, 0);
    assert_true(fabs(m.pre_fec_ber - 2.5e-4) < 1e-12);
}

static void
make_qsfp(uint8_t raw[640])
{
    memset(raw, 0, 640);
    raw[0] = 0x11;
    raw[3] = 0x12;          /* rx los lane 2, tx los lane 1 */
    raw[6] = 0x40;          /* temperature low alarm */
    raw[9] = 0x04;          /* rx lane 2 low alarm */
    put16(raw, 22, 0xff00); /* -1 C */
    put16(raw, 26, 32500);
    for (unsigned i = 0; i < 4; i++) {
        put16(raw, 34 + 2 * i, 7943); /* -1 dBm */
        put16(raw, 42 + 2 * i, 3000); /* 6 mA */
        put16(raw, 50 + 2 * i, 6310); /* -2 dBm */
    }
    raw[128] = 0x11;
    raw[130] = 0x0c;
    raw[140] = 255;
    raw[222] = 103; /* 25.75 Gb/s */
    put_text(raw, 148, 16, "ExampleOptics");
    put_text(raw, 168, 16, "EX-100G-SR4");
    put16(raw, 186, 17000); /* 850 nm */
    put_text(raw, 196, 16, "Q42");
    put_text(raw, 212, 8, "250630");
    raw[220] = 0x0c;
    put16(raw, 512, 0x5000);     /* page 03: 80 C */
    put16(raw, 512 + 48, 21878); /* rx high alarm 3.4 dBm */
    put16(raw, 512 + 50, 708);   /* rx low alarm -11.5 dBm */
    put16(raw, 512 + 54, 1413);  /* rx low warning -8.5 dBm */
}

static void
qsfp_is_decoded_from_linear_bytes(void **state)
{
    uint8_t raw[640];
    struct module_pages p;
    struct module m;
    struct err err;
    size_t next = 0;
    (void)state;
    make_qsfp(raw);
    assert_int_equal(module_pages_parse(raw, sizeof raw, &next, &p, &err), 1);
    assert_int_equal(module_decode(&p, &m, &err), 0);
    assert_string_equal(m.spec, "SFF-8636");
    assert_string_equal(m.vendor, "ExampleOptics");
    assert_string_equal(m.serial, "Q42");
    near(m.nominal_gbps, 25.75);
    near(m.wavelength_nm, 850);
    near(m.temperature, -1);
    near(m.voltage, 3.25);
    assert_int_equal(m.lane_count, 4);
    near(m.lanes[3].rx_power_dbm, -1);
    near(m.lanes[3].bias_ma, 6);
    near(m.lanes[3].tx_power_dbm, -2);
    near(m.temperature_limits.high_alarm, 80);
    near(m.rx_limits.high_alarm, 3.4);
    near(m.rx_limits.low_alarm, -11.5);
    near(m.rx_limits.low_warning, -8.5);
    assert_int_equal(m.flag_count, 4);
    assert_int_equal(module_pages_parse(raw, sizeof raw, &next, &p, &err), 0);
}

static void
sfp_is_decoded_calibrated_by_either_side(void **state)
{
    uint8_t raw[512] = {0};
    struct module_pages p;
    struct module m;
    struct err err;
    (void)state;
    raw[0] = 0x03;
    raw[2] = 0x07;
    raw[12] = 255;
    raw[66] = 103;
    put_text(raw, 20, 16, "ExampleOptics");
    put_text(raw, 68, 16, "S1");
    raw[92] = 0x60;
    uint8_t *a2 = raw + 256;
    put16(a2, 0, 0x5a00);  /* 90 C */
    put16(a2, 34, 100);    /* rx low alarm -20 dBm */
    put16(a2, 96, 0x1e80); /* 30.5 C */
    put16(a2, 98, 33100);
    put16(a2, 100, 4000); /* 8 mA */
    put16(a2, 102, 5012); /* -3 dBm */
    put16(a2, 104, 2512); /* -6 dBm */
    a2[110] = 0x02;
    for (int external = 0; external < 2; external++) {
        size_t next = 0;
        if (external) { /* the same values, told by constants: P = 2 raw, T = raw + 256 */
            raw[92] = 0x50;
            put16(a2, 68, 0x4000); /* rx_pwr(1) = 2.0 */
            put16(a2, 76, 256), put16(a2, 80, 256), put16(a2, 84, 256), put16(a2, 88, 256);
            put16(a2, 86, 256);
            put16(a2, 96, 0x1d80);
            put16(a2, 104, 1256);
        }
        assert_int_equal(module_pages_parse(raw, sizeof raw, &next, &p, &err), 1);
        assert_int_equal(module_decode(&p, &m, &err), 0);
        assert_string_equal(m.spec, "SFF-8472");
        near(m.temperature, 30.5);
        near(m.voltage, 3.31);
        near(m.lanes[0].bias_ma, 8);
        near(m.lanes[0].tx_power_dbm, -3);
        near(m.lanes[0].rx_power_dbm, -6);
        near(m.temperature_limits.high_alarm, 90);
        near(m.rx_limits.low_alarm, -20);
        assert_int_equal(m.flag_count, 1);
        assert_string_equal(m.flags[0].name, "rx-los");
    }
}

static size_t
hex_line(char *out, const char *key, const uint8_t *page)
{
    int n = sprintf(out, "%s: ", key);
    for (int i = 0; i < 128; i++)
        n += sprintf(out + n, i % 16 ? "%02X" : " %02x", page[i]);
    n += sprintf(out + n, "\n");
    return (size_t)n;
}

static void
text_lines_are_read_module_by_module(void **state)
{
    char text[16384];
    size_t len = (size_t)sprintf(text, "# two modules\n"), next = 0;
    struct module_pages made, p;
    struct module m;
    struct err err;
    (void)state;
    make_cmis(&made);
    for (int twice = 0; twice < 2; twice++) {
        len += hex_line(text + len, "lower", made.lower);
        len += hex_line(text + len, "00", module_page(&made, 0, 0));
        len += hex_line(text + len, "11", module_page(&made, 0, 0x11));
        len += hex_line(text + len, "1/11", module_page(&made, 0, 0x11));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(module_pages_parse(text, len, &next, &p, &err), 1);
        assert_int_equal(module_decode(&p, &m, &err), 0);
        assert_int_equal(m.lane_count, 16);
        near(m.lanes[8].rx_power_dbm, -3);
        assert_string_equal(m.serial, "SN000017");
    }
    assert_int_equal(module_pages_parse(text, len, &next, &p, &err), 0);
}

static void
mistakes_are_named_with_their_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {{"lower: 18\n", 1},
                 {"# x\nupper: 00\n", 2},
                 {"lower: zz\n", 1},
                 {"\n\n00: 1\n", 3},
                 {"no colon here # :\n", 1}};
    struct module_pages p;
    struct err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t next = 0;
        memset(&err, 0, sizeof err);
        assert_int_equal(module_pages_parse(cases[i].text, strlen(cases[i].text), &next, &p, &err),
                         ERR_SYNTAX);
        assert_int_equal(err.line, cases[i].line);
    }
}

static void
json_is_whole_and_what_is_not_told_is_null(void **state)
{
    struct module_pages p;
    struct module m;
    struct buf out;
    struct jsonw w;
    struct doc *d = NULL;
    struct err err;
    (void)state;
    make_cmis(&p);
    assert_int_equal(module_decode(&p, &m, &err), 0);
    m.voltage = NAN;
    buf_init(&out, 1 << 20);
    jsonw_init(&w, &out);
    module_json(&m, &w);
    assert_int_equal(doc_parse_json(out.data, out.len, "json", &d, &err), 0);
    const struct doc_node *root = doc_root(d), *lanes = doc_get(root, "lanes");
    assert_string_equal(doc_get_str(doc_get(root, "identity"), "vendor", ""), "ExampleOptics");
    near(doc_get_real(root, "temperature", 0), 45.5);
    assert_int_equal(doc_get(root, "voltage")->kind, DOC_NULL);
    assert_int_equal(lanes->count, 8);
    near(doc_get_real(doc_at(lanes, 1), "rx_power_dbm", 0), -3);
    assert_int_equal(doc_get(root, "vdm")->count, 3);
    near(doc_get_real(doc_get(doc_get(root, "thresholds"), "rx_power_dbm"), "low_alarm", 0), -10);
    doc_free(d);
    buf_done(&out);
}

static void
unknown_and_cut_modules_are_refused(void **state)
{
    uint8_t raw[256] = {0x7f};
    struct module_pages p;
    struct module m;
    struct err err;
    size_t next = 0;
    (void)state;
    assert_int_equal(module_pages_parse(raw, sizeof raw, &next, &p, &err), 1);
    assert_int_equal(module_decode(&p, &m, &err), ERR_UNSUPPORTED);
    raw[0] = 0x18;
    next = 0;
    assert_int_equal(module_pages_parse(raw, 128, &next, &p, &err), 1);
    assert_int_equal(module_decode(&p, &m, &err), ERR_SYNTAX);
    next = 0;
    assert_int_equal(module_pages_parse(raw, 100, &next, &p, &err), ERR_SYNTAX);
}

static void
dumps_of_tools_are_read(void **state)
{
    static const char ethtool[] =
        "\tIdentifier                                : 0x11 (QSFP28)\n"
        "\tExtended identifier                       : 0xcc\n"
        "\tVendor name                               : ACME\n"
        "\tVendor PN                                 : QS-28\n"
        "\tVendor SN                                 : A123\n"
        "\tLaser wavelength                          : 1310.000nm\n"
        "\tModule temperature                        : 34.56 degrees C / 94.21 degrees F\n"
        "\tModule voltage                            : 3.2930 V\n"
        "\tAlarm/warning flags implemented           : Yes\n"
        "\tLaser tx bias current (Channel 1)         : 6.750 mA\n"
        "\tLaser tx bias current (Channel 4)         : 7.100 mA\n"
        "\tTransmit avg optical power (Channel 1)    : 0.9000 mW / -0.46 dBm\n"
        "\tRcvr signal avg optical power(Channel 1)  : 0.5012 mW / -3.00 dBm\n"
        "\tRcvr signal avg optical power(Channel 4)  : 0.0000 mW / -inf dBm\n"
        "\tLaser bias current high alarm   (Chan 1)  : Off\n"
        "\tLaser rx power low warning threshold      : 0.0400 mW / -13.98 dBm\n"
        "\tModule temperature high alarm threshold   : 75.00 degrees C / 167.00 degrees F\n";
    static const char mlxlink[] = "Module Info\n-----------\n"
                                  "Identifier                         : QSFP-DD\n"
                                  "Vendor Name                        : ACME\n"
                                  "Vendor Serial Number               : B7\n"
                                  "Temperature [C]                    : 45 [-5..75]\n"
                                  "Voltage [mV]                       : 3264.5 [2970..3630]\n"
                                  "Bias Current [mA]                  : 7.0,7.1,7.2,7.3 [2..15]\n"
                                  "Rx Power Current [dBm]             : 1.2,-1.1,N/A,0.4 "
                                  "[-10.4..5.4]\n"
                                  "Rx Power Type                      : Average\n";
    static const char hccn[] = "optical info:\npresent              : present\n"
                               "Vendor Name          : HUAWEI\nSerial Number : C9\n"
                               "Temperature          : 44 C\nSupply Vcc           : 3287.10 mV\n"
                               "Tx Power0            : 1.0000 mW\nTx Power3 : 0.5012 mW\n"
                               "Rx Power0            : 0.9531 mW\n"
                               "Tx Bias2             : 6.1000 mA\n"
                               "Vcc High Thres       : 3465.00 mV\n"
                               "RxPower Low Thres    : 0.1000 mW\nTx Los Flag : 0x0\n";
    struct module m;
    struct err err;
    (void)state;
    assert_true(module_dump_is(ethtool, strlen(ethtool)));
    assert_int_equal(module_dump_parse(ethtool, strlen(ethtool), &m, &err), 0);
    assert_string_equal(m.form, "QSFP28");
    assert_string_equal(m.serial, "A123");
    assert_int_equal(m.lane_count, 4);
    near(m.temperature, 34.56);
    near(m.lanes[0].rx_power_dbm, -3);
    near(m.lanes[3].bias_ma, 7.1);
    assert_true(isnan(m.lanes[1].rx_power_dbm));
    near(m.rx_limits.low_warning, -13.98);
    near(m.temperature_limits.high_alarm, 75);
    near(m.wavelength_nm, 1310);
    assert_int_equal(module_dump_parse(mlxlink, strlen(mlxlink), &m, &err), 0);
    assert_string_equal(m.form, "QSFP-DD");
    near(m.voltage, 3.2645);
    near(m.lanes[1].rx_power_dbm, -1.1);
    near(m.lanes[3].rx_power_dbm, 0.4);
    near(m.rx_limits.low_alarm, -10.4);
    near(m.bias_limits.high_alarm, 15);
    near(m.voltage_limits.low_alarm, 2.97);
    assert_int_equal(module_dump_parse(hccn, strlen(hccn), &m, &err), 0);
    assert_string_equal(m.serial, "C9");
    near(m.lanes[0].tx_power_dbm, 0);
    near(m.lanes[3].tx_power_dbm, -3);
    near(m.lanes[2].bias_ma, 6.1);
    near(m.rx_limits.low_alarm, -10);
    near(m.voltage_limits.high_alarm, 3.465);
    assert_false(module_dump_is("lower: 18 00", 12));
    assert_int_equal(module_dump_parse("hello: world\n", 13, &m, &err), ERR_SYNTAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmis_is_decoded),
        cmocka_unit_test(qsfp_is_decoded_from_linear_bytes),
        cmocka_unit_test(sfp_is_decoded_calibrated_by_either_side),
        cmocka_unit_test(text_lines_are_read_module_by_module),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(json_is_whole_and_what_is_not_told_is_null),
        cmocka_unit_test(unknown_and_cut_modules_are_refused),
        cmocka_unit_test(dumps_of_tools_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
