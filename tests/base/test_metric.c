/* Tests of base/metric: every name has one meaning, and a series names its entity. */
#include "tests/base/base_test.h"

#include "base/metric.h"

static void
every_row_has_a_meaning_a_range_and_a_sentence(void **state)
{
    (void)state;
    struct metric_table *t = metric_table_new();
    assert_non_null(t);
    assert_true(metric_rows(t) > 150);
    for (size_t i = 0; i < metric_rows(t); i++) {
        const struct metric_row *r = metric_row_at(t, i);
        assert_true(r->meaning > METRIC_NONE && r->meaning < METRIC_MEANING_COUNT);
        assert_true(r->min < r->max);
        assert_true(r->scale > 0);
        size_t n = strlen(r->help);
        if (n < 5 || r->help[n - 1] != '.' || !*r->vendor)
            fail_msg("%s has no sentence", r->name);
        assert_ptr_equal(metric_find(t, r->name, strlen(r->name)), r);
    }
    assert_null(metric_row_at(t, metric_rows(t)));
    assert_null(metric_find(t, "none", 4));
    metric_table_free(t);
    metric_table_free(NULL);
}

static void
every_meaning_has_a_name_words_and_an_entity(void **state)
{
    (void)state;
    struct metric_table *t = metric_table_new();
    for (unsigned m = METRIC_NONE + 1; m < METRIC_MEANING_COUNT; m++) {
        const struct metric_meaning_row *r = metric_meaning_row((enum metric_meaning)m);
        const char *names[4];
        assert_true(*r->en && *r->zh && r->entity != ENTITY_NONE);
        assert_int_equal(metric_meaning_find(r->word), m);
        if (!metric_names_of(t, (enum metric_meaning)m, names, COUNT_OF(names)))
            fail_msg("nothing carries %s", r->word);
        assert_int_equal(metric_find(t, names[0], strlen(names[0]))->meaning, m);
    }
    assert_int_equal(metric_meaning_find("none"), METRIC_NONE);
    assert_string_equal(metric_meaning_row((enum metric_meaning)9999)->word, "");
    const char *one[1];
    assert_true(metric_names_of(t, METRIC_NIC_PFC_RX, one, 1) >= 9);
    metric_table_free(t);
}

static void
names_map_to_meanings(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum metric_meaning m;
    } rows[] = {
        {"DCGM_FI_DEV_GPU_TEMP", METRIC_GPU_TEMP},
        {"npu_chip_info_temperature", METRIC_GPU_TEMP},
        {"amd_gpu_junction_temperature", METRIC_GPU_TEMP},
        {"rdma_local_ack_timeout_err_total", METRIC_NIC_ACK_TIMEOUT},
        {"node_ethtool_rx_prio3_pause", METRIC_NIC_PFC_RX},
        {"ifHCInOctets", METRIC_PORT_RX_BYTES},
        {"optic_rx_power_dbm_low_alarm", METRIC_OPTIC_RX_POWER_LOW_ALARM},
        {"optic_voltage_volts_high_warning", METRIC_OPTIC_VOLTAGE_HIGH_WARNING},
        {"training_mfu_ratio", METRIC_JOB_MFU},
    };
    struct metric_table *t = metric_table_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct metric_row *r = metric_find(t, rows[i].name, strlen(rows[i].name));
        assert_non_null(r);
        assert_int_equal(r->meaning, rows[i].m);
    }
    metric_table_free(t);
}

static void
a_site_adds_and_overrides_rows(void **state)
{
    (void)state;
    struct metric_table *t = metric_table_new();
    size_t n = metric_rows(t);
    struct err err;
    char name[] = "my_gpu_temp";
    struct metric_row r = {.name = name,
                           .meaning = METRIC_GPU_TEMP,
                           .scale = 0.1,
                           .max = 150,
                           .part_labels = "card",
                           .vendor = "any",
                           .help = "x"};
    assert_int_equal(metric_table_add(t, &r, &err), 0);
    name[0] = 'M';
    assert_int_equal(metric_rows(t), n + 1);
    assert_true(metric_find(t, "my_gpu_temp", 11)->scale == 0.1);
    r.name = "up";
    r.meaning = METRIC_GPU_HEALTH;
    assert_int_equal(metric_table_add(t, &r, &err), 0);
    assert_int_equal(metric_rows(t), n + 1);
    assert_int_equal(metric_find(t, "up", 2)->meaning, METRIC_GPU_HEALTH);
    r.name = "a b";
    assert_int_equal(metric_table_add(t, &r, &err), ERR_SYNTAX);
    r.name = "ab";
    r.meaning = METRIC_NONE;
    assert_int_equal(metric_table_add(t, &r, &err), ERR_RANGE);
    r.meaning = METRIC_GPU_TEMP;
    r.scale = 0;
    assert_int_equal(metric_table_add(t, &r, &err), ERR_RANGE);
    metric_table_free(t);
}

/* "a=b c=d" */
static struct labels
labels_of(char *text)
{
    struct labels l = {.count = 0};
    for (char *p = strtok(text, " "); p; p = strtok(NULL, " ")) {
        char *eq = strchr(p, '=');
        labels_add(&l, p, (size_t)(eq - p), eq + 1, strlen(eq + 1));
    }
    assert_int_equal(labels_finish(&l), 0);
    return l;
}

static void
a_series_names_its_entity(void **state)
{
    (void)state;
    static const struct {
        const char *name, *labels, *entity;
    } rows[] = {
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=n1 gpu=3 device=nvidia3 UUID=GPU-x", "gpu:n1/3"},
        {"DCGM_FI_DEV_GPU_TEMP", "node=n1 gpu=3 instance=10.0.0.1:9400", "gpu:n1/3"},
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=n1", NULL},
        {"npu_chip_info_power", "instance=n1:8082 id=0", "gpu:n1/0"},
        {"amd_gpu_package_power", "hostname=n1 gpu_id=7", "gpu:n1/7"},
        {"node_load1", "instance=n1:9100 job=node", "node:n1"},
        {"node_load1", "instance=[fe80::1]:9100", "node:fe80::1"},
        {"node_load1", "instance=fe80::1", "node:fe80::1"},
        {"node_load1", "job=node", NULL},
        {"node_infiniband_state_id", "node=n1 device=mlx5_0 port=1", "nic:n1/mlx5_0"},
        {"rdma_np_cnp_sent_total", "node=n1 device=mlx5_0 port=1", "nic:n1/mlx5_0"},
        {"ifHCInOctets", "instance=leaf-g01-1 ifName=Ethernet1/1 ifDescr=x",
         "port:leaf-g01-1/Ethernet1/1"},
        {"ifHCInOctets", "node=leaf-g01-1 ifDescr=Eth1", "port:leaf-g01-1/Eth1"},
        {"sysUpTime", "instance=leaf-g01-1", "switch:leaf-g01-1"},
        {"optic_rx_power_dbm", "node=leaf-g01-1 port=Ethernet1/1 lane=1",
         "optic:leaf-g01-1/Ethernet1/1"},
        {"optic_rx_power_dbm", "node=n1 port=mlx5_0 lane=1", "optic:n1/mlx5_0"},
        {"rack_power_watts", "rack=r01", "rack:r01"},
        {"pdu_feed_up", "pdu=p1 node=x", "pdu:p1"},
        {"training_mfu_ratio", "job_id=4711 node=n1", "job:4711"},
        {"unknown", "node=n1 gpu=3", "gpu:n1/3"},
        {"unknown", "node=s1 ifName=E1", "port:s1/E1"},
        {"unknown", "node=n1 device=sda", "node:n1"},
        {"unknown", "job_id=4711", "job:4711"},
        {"unknown", "rank=3 job_id=4711", "rank:4711/3"},
        {"unknown", "a=b", NULL},
        {"unknown", "node=a/b", NULL},
    };
    struct metric_table *t = metric_table_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200], out[ENTITY_SIZE] = "none";
        strcpy(text, rows[i].labels);
        struct labels l = labels_of(text);
        int rc = metric_entity(metric_find(t, rows[i].name, strlen(rows[i].name)), &l, out);
        if (rc != (rows[i].entity ? 0 : ERR_NOTFOUND) ||
            (rows[i].entity && strcmp(out, rows[i].entity) != 0))
            fail_msg("%s{%s}: %d %s", rows[i].name, rows[i].labels, rc, out);
    }
    metric_table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_meaning_a_range_and_a_sentence),
        cmocka_unit_test(every_meaning_has_a_name_words_and_an_entity),
        cmocka_unit_test(names_map_to_meanings),
        cmocka_unit_test(a_site_adds_and_overrides_rows),
        cmocka_unit_test(a_series_names_its_entity),
    };
    return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
