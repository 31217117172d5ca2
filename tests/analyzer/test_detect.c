/* The detectors, fed with series and an injected clock: what begins, at whom, with which text; what
 * ends; what healthy noise does not raise. */
#include "tests/analyzer/detect_bed.h"

/* --- one measure that goes wrong and comes back ----------------------------------------------- */

struct wrong {
    const char *code, *entity, *series;
    double good, bad, grow; /* grow: a counter, grown by `grow` a step while bad */
    const char *says;       /* part of the text */
    const char *with[4];    /* other series that must be there, "name{...} value" */
};

static const struct wrong wrongs[] = {
    {"gpu.temperature-high",
     "gpu:node00001/3",
     "DCGM_FI_DEV_GPU_TEMP{Hostname=node00001,gpu=3}",
     60,
     95,
     0,
     "95 °C > 87 °C",
     {0}},
    {"gpu.throttle-thermal",
     "gpu:node00001/3",
     "DCGM_FI_DEV_CLOCKS_EVENT_REASONS{Hostname=node00001,gpu=3}",
     4,
     0x40,
     0,
     "thermal",
     {0}},
    {"gpu.throttle-power",
     "gpu:node00001/3",
     "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{Hostname=node00001,gpu=3}",
     0,
     0x80,
     0,
     "power brake",
     {0}},
    {"gpu.ecc-dbe",
     "gpu:node00002/0",
     "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{Hostname=node00002,gpu=0}",
     0,
     0,
     1,
     "uncorrected",
     {0}},
    {"gpu.row-remap-failure",
     "gpu:node00002/0",
     "DCGM_FI_DEV_ROW_REMAP_FAILURE{Hostname=node00002,gpu=0}",
     0,
     1,
     0,
     "",
     {0}},
    {"gpu.pcie-replay",
     "gpu:node00002/0",
     "DCGM_FI_DEV_PCIE_REPLAY_COUNTER{Hostname=node00002,gpu=0}",
     5,
     0,
     600,
     "replays",
     {0}},
    {"gpu.nvlink-errors",
     "gpu:node00002/0",
     "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL{Hostname=node00002,gpu=0}",
     5,
     0,
     2000,
     "CRC",
     {0}},
    {"gpu.pcie-degraded",
     "gpu:node00001/3",
     "DCGM_FI_DEV_PCIE_LINK_WIDTH{Hostname=node00001,gpu=3}",
     16,
     4,
     0,
     "x4 < Gen0 x16",
     {"DCGM_FI_DEV_PCIE_LINK_WIDTH{Hostname=node00001,gpu=4} 16"}},
    {"nic.link-down",
     "nic:node00001/mlx5_0",
     "node_infiniband_state_id{node=node00001,device=mlx5_0,port=1}",
     4,
     1,
     0,
     "not active",
     {0}},
    {"nic.link-flap",
     "nic:node00001/mlx5_0",
     "node_ethtool_link_down_events_phy{node=node00001,device=eth1}",
     2,
     0,
     1,
     "went down",
     {0}},
    {"nic.errors",
     "nic:node00001/mlx5_0",
     "node_ethtool_rx_crc_errors_phy{node=node00001,device=eth1}",
     2,
     0,
     500,
     "physical",
     {0}},
    {"nic.retransmits",
     "nic:node00001/mlx5_0",
     "rdma_packet_seq_err_total{node=node00001,device=mlx5_0}",
     2,
     0,
     5000,
     "retrans",
     {0}},
    {"nic.pfc-pause",
     "nic:node00001/mlx5_0",
     "node_ethtool_rx_prio3_pause{node=node00001,device=eth1}",
     2,
     0,
     90000,
     "pauses received",
     {0}},
    {"nic.pause-storm",
     "nic:node00001/mlx5_0",
     "node_ethtool_tx_prio3_pause{node=node00001,device=eth1}",
     2,
     0,
     600000,
     "pauses sent",
     {0}},
    {"port.down",
     "port:leaf-g01-1/Ethernet1",
     "ifOperStatus{instance=leaf-g01-1,ifName=Ethernet1}",
     1,
     2,
     0,
     "oper state",
     {"ifAdminStatus{instance=leaf-g01-1,ifName=Ethernet1} 1"}},
    {"port.errors",
     "port:leaf-g01-1/Ethernet1",
     "ifInErrors{instance=leaf-g01-1,ifName=Ethernet1}",
     9,
     0,
     500,
     "input errors",
     {0}},
    {"port.discards",
     "port:leaf-g01-1/Ethernet1",
     "ifOutDiscards{instance=leaf-g01-1,ifName=Ethernet1}",
     9,
     0,
     9000,
     "discards",
     {0}},
    {"port.pfc-storm",
     "port:leaf-g01-1/Ethernet1",
     "switch_pfc_rx_total{instance=leaf-g01-1,ifName=Ethernet1,priority=3}",
     9,
     0,
     900000,
     "pauses",
     {0}},
    {"optic.rx-power-low",
     "optic:leaf-g01-1/Ethernet1",
     "optic_rx_power_dbm{node=leaf-g01-1,port=Ethernet1,lane=1}",
     -3,
     -12.1,
     0,
     "rx -12.1 dBm < -10.2 dBm (low alarm)",
     {"optic_rx_power_dbm_low_alarm{node=leaf-g01-1,port=Ethernet1} -10.2"}},
    {"optic.tx-power-low",
     "optic:node00001/mlx5_0",
     "optic_tx_power_dbm{node=node00001,port=mlx5_0,lane=2}",
     0,
     -40,
     0,
     "low alarm",
     {"optic_tx_power_dbm_low_alarm{node=node00001,port=mlx5_0} -5.9"}},
    {"optic.bias-high",
     "optic:node00001/mlx5_0",
     "optic_bias_milliamperes{node=node00001,port=mlx5_0,lane=2}",
     8,
     14,
     0,
     "14 mA > 12.5 mA",
     {"optic_bias_milliamperes_high_alarm{node=node00001,port=mlx5_0} 12.5"}},
    {"optic.temperature-high",
     "optic:node00001/mlx5_0",
     "optic_temperature_celsius{node=node00001,port=mlx5_0}",
     50,
     79,
     0,
     "> 75 °C",
     {"optic_temperature_celsius_high_alarm{node=node00001,port=mlx5_0} 75"}},
    {"optic.pre-fec-ber-high",
     "optic:node00001/mlx5_0",
     "optic_pre_fec_ber{node=node00001,port=mlx5_0}",
     1e-9,
     1e-4,
     0,
     "BER",
     {0}},
    {"optic.uncorrectable",
     "optic:node00001/mlx5_0",
     "optic_uncorrectable_codewords_total{node=node00001,port=mlx5_0}",
     1,
     0,
     90,
     "code",
     {0}},
    {"host.memory-errors",
     "node:node00003",
     "node_edac_correctable_errors_total{node=node00003,controller=0}",
     1,
     0,
     200,
     "corrected",
     {0}},
    {"host.oom-kill",
     "node:node00003",
     "node_vmstat_oom_kill{node=node00003}",
     1,
     0,
     1,
     "OOM",
     {0}},
    {"host.disk-full",
     "node:node00003",
     "node_filesystem_avail_bytes{node=node00003,device=/dev/sda1,fstype=ext4,mountpoint=/}",
     5e11,
     1e6,
     0,
     "/ has 0.00 % left",
     {"node_filesystem_size_bytes{node=node00003,device=/dev/sda1,fstype=ext4,mountpoint=/} 1e12",
      "node_load1{node=node00003} 3"}},
    {"host.clock-skew",
     "node:node00003",
     "node_timex_offset_seconds{node=node00003}",
     1e-5,
     -47.3,
     0,
     "-47.300 s",
     {0}},
    {"pdu.feed-down", "pdu:p01", "pdu_feed_up{pdu=p01}", 1, 0, 0, "feeds", {0}},
    {"rack.power-loss", "rack:r01", "rack_power_watts{rack=r01}", 20000, 0, 0, "rack power", {0}},
    {"rack.inlet-hot", "rack:r01", "rack_inlet_celsius{rack=r01}", 24, 36, 0, "36 °C > 32 °C", {0}},
    {"cdu.flow-low", "cdu:c01", "cdu_flow_lpm{cdu=c01}", 600, 150, 0, "150 L/min < 420 L/min", {0}},
    {"cdu.supply-hot", "cdu:c01", "cdu_supply_celsius{cdu=c01}", 25, 50, 0, "supply", {0}},
};

static void
every_measure_that_goes_wrong_begins_at_its_entity_and_ends(void **state)
{
    for (size_t k = 0; k < sizeof wrongs / sizeof *wrongs; k++) {
        const struct wrong *w = &wrongs[k];
        bed_setup(state);
        struct bed *b = *state;
        double counter = w->good;
        for (int step = 0; step < 60; step++) {
            struct store_batch *batch = store_batch_new(b->store);
            bool bad = step >= 8 && step < 20;
            counter += bad ? w->grow : 0;
            bed_put(b, batch, w->series, w->grow > 0 ? counter : bad ? w->bad : w->good);
            for (size_t i = 0; i < 4 && w->with[i]; i++)
                bed_put(b, batch, w->with[i], strtod(strrchr(w->with[i], ' '), NULL));
            if (step == 8 && b->count)
                fail_msg("%s: %s before anything was wrong", w->code, b->heard[0].code);
            bed_turn(b, batch);
        }
        const struct heard *begin = bed_find(b, w->code, EVENT_BEGIN);
        if (!begin)
            fail_msg("%s did not begin", w->code);
        assert_string_equal(begin->entity, w->entity);
        if (!strstr(begin->text, w->says))
            fail_msg("%s says '%s', not '%s'", w->code, begin->text, w->says);
        if (!bed_find(b, w->code, EVENT_END))
            fail_msg("%s did not end", w->code);
        bed_teardown(state);
    }
}

/* --- who is silent ---------------------------------------------------------------------------- */

struct silence {
    const char *who;
    bool links_down;
    const char *code, *entity;
};

static void
bed_alive(struct bed *b, struct store_batch *batch, int n, bool speaks, bool port_up)
{
    char series[160];
    for (int g = 0; speaks && g < 2; g++) {
        snprintf(series, sizeof series, "DCGM_FI_DEV_GPU_TEMP{Hostname=node%05d,gpu=%d}", n, g);
        bed_put(b, batch, series, 50);
    }
    snprintf(series, sizeof series, "node_load1{node=node%05d}", n);
    if (speaks)
        bed_put(b, batch, series, 10);
    for (int rail = 1; rail <= 2; rail++) {
        snprintf(series, sizeof series, "ifOperStatus{instance=leaf-g01-%d,ifName=Ethernet%d}",
                 rail, n);
        bed_put(b, batch, series, port_up ? 1 : 2);
    }
}

static void
silence_is_told_by_what_the_switch_sees(void **state)
{
    for (int down = 0; down < 2; down++) {
        bed_setup(state);
        struct bed *b = *state;
        for (int step = 0; step < 30; step++) {
            struct store_batch *batch = store_batch_new(b->store);
            bool silent = step >= 8 && step < 20;
            for (int n = 1; n <= 4; n++)
                bed_alive(b, batch, n, n != 2 || !silent, n != 2 || !silent || !down);
            bed_turn(b, batch);
        }
        const char *code = down ? "node.absent" : "telemetry.agent-lost",
                   *other = down ? "telemetry.agent-lost" : "node.absent";
        const struct heard *h = bed_find(b, code, EVENT_BEGIN);
        assert_non_null(h);
        assert_string_equal(h->entity, "node:node00002");
        assert_non_null(bed_find(b, code, EVENT_END));
        assert_null(bed_find(b, other, EVENT_BEGIN));
        assert_null(bed_find(b, "gpu.absent", EVENT_BEGIN));
        bed_teardown(state);
    }
}

static void
silence_of_everybody_is_ours(void **state)
{
    struct bed *b = *state;
    for (int step = 0; step < 30; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        for (int n = 1; n <= 4 && step < 8; n++)
            bed_alive(b, batch, n, true, true);
        bed_turn(b, batch);
    }
    assert_int_equal(b->count, 0);
}

static void
an_accelerator_that_is_silent_while_its_node_speaks_is_absent(void **state)
{
    struct bed *b = *state;
    for (int step = 0; step < 20; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        for (int n = 1; n <= 4; n++)
            bed_alive(b, batch, n, true, true);
        if (step < 8)
            bed_put(b, batch, "DCGM_FI_DEV_GPU_TEMP{Hostname=node00003,gpu=7}", 50);
        bed_turn(b, batch);
    }
    assert_int_equal(b->count, 1);
    assert_string_equal(b->heard[0].code, "gpu.absent");
    assert_string_equal(b->heard[0].entity, "gpu:node00003/7");
}

static void
a_boot_time_that_moves_is_a_reboot_and_a_new_xid_an_event(void **state)
{
    struct bed *b = *state;
    for (int step = 0; step < 20; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        bed_put(b, batch, "node_boot_time_seconds{node=node00001}", step < 8 ? 1.6e9 : 1.6999e9);
        bed_put(b, batch, "sysUpTime{instance=leaf-g01-1}",
                step < 8 ? 1e6 + step * 1500 : step * 100);
        bed_put(b, batch, "DCGM_FI_DEV_XID_ERRORS{Hostname=node00001,gpu=1}", step < 8 ? 31 : 79);
        bed_turn(b, batch);
    }
    assert_string_equal(bed_find(b, "node.rebooted", EVENT_BEGIN)->entity, "node:node00001");
    assert_non_null(bed_find(b, "node.rebooted", EVENT_END));
    assert_string_equal(bed_find(b, "switch.rebooted", EVENT_BEGIN)->entity, "switch:leaf-g01-1");
    assert_string_equal(bed_find(b, "nvidia.xid.79", EVENT_INSTANT)->entity, "gpu:node00001/1");
    assert_null(bed_find(b, "nvidia.xid.31", EVENT_INSTANT));
}

/* --- peers ------------------------------------------------------------------------------------ */

static void
bed_gpus(struct bed *b, struct store_batch *batch, const char *name, double all, double odd)
{
    char series[160];
    for (int n = 1; n <= 4; n++)
        for (int g = 0; g < 8; g++) {
            snprintf(series, sizeof series, "%s{Hostname=node%05d,gpu=%d}", name, n, g);
            bed_put(b, batch, series, n == 2 && g == 5 ? odd : all);
        }
}

static void
one_slow_or_idle_accelerator_stands_out_of_its_job(void **state)
{
    struct bed *b = *state;
    bed_job_on(b, "node[00001-00004]");
    for (int step = 0; step < 50; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        bool slow = step >= 14 && step < 22, idle = step >= 34;
        bed_gpus(b, batch, "DCGM_FI_DEV_GPU_UTIL", 98, idle ? 0 : 98);
        bed_gpus(b, batch, "DCGM_FI_DEV_SM_CLOCK", 1755, slow ? 900 : 1755);
        bed_gpus(b, batch, "DCGM_FI_DEV_POWER_USAGE", 600, 600);
        bed_put(b, batch, "training_step_seconds{job_id=7}", slow ? 9 : 5);
        bed_turn(b, batch);
    }
    assert_string_equal(bed_find(b, "gpu.straggler", EVENT_BEGIN)->entity, "gpu:node00002/5");
    assert_non_null(bed_find(b, "gpu.straggler", EVENT_END));
    assert_string_equal(bed_find(b, "gpu.idle-in-job", EVENT_BEGIN)->entity, "gpu:node00002/5");
    assert_string_equal(bed_find(b, "job.slow", EVENT_BEGIN)->entity, "job:7");
    assert_non_null(bed_find(b, "job.slow", EVENT_END));
    assert_null(bed_find(b, "job.hang", EVENT_BEGIN));
}

static void
a_job_that_spins_hangs_and_one_that_saves_does_not(void **state)
{
    for (int saves = 0; saves < 2; saves++) {
        bed_setup(state);
        struct bed *b = *state;
        bed_job_on(b, "node[00001-00004]");
        for (int step = 0; step < 30; step++) {
            struct store_batch *batch = store_batch_new(b->store);
            bool stands = step >= 10;
            bed_gpus(b, batch, "DCGM_FI_DEV_GPU_UTIL", stands && saves ? 22 : 98,
                     stands && saves ? 22 : 98);
            bed_put(b, batch, "node_disk_writes_completed_total{node=node00001,device=sda}",
                    step * 75);
            bed_gpus(b, batch, "DCGM_FI_DEV_POWER_USAGE", stands ? 240 : 620, stands ? 240 : 620);
            bed_gpus(b, batch, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", stands ? 0.01 : 0.4,
                     stands ? 0.01 : 0.4);
            bed_turn(b, batch);
        }
        const struct heard *hang = bed_find(b, "job.hang", EVENT_BEGIN);
        assert_int_equal(hang != NULL, !saves);
        if (hang) /* within two intervals of the first sample that stands */
            assert_true(hang->at_ms <= ZERO + (10 + 1) * STEP + 5000);
        bed_teardown(state);
    }
}

static void
a_file_system_that_none_of_its_clients_reaches_is_stalled(void **state)
{
    struct bed *b = *state;
    double ops = 0, seconds = 0;
    char series[200];
    for (int step = 0; step < 30; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        bool stalled = step >= 10 && step < 18;
        ops += stalled ? 0 : 600;
        seconds += stalled ? 0 : 1.2;
        for (int n = 1; n <= 4; n++) {
            snprintf(series, sizeof series,
                     "node_mountstats_nfs_operations_requests_total{node=node%05d,operation=WRITE}",
                     n);
            bed_put(b, batch, series, ops);
            snprintf(series, sizeof series,
                     "node_mountstats_nfs_operations_request_time_seconds_total{node=node%05d,"
                     "operation=WRITE}",
                     n);
            bed_put(b, batch, series, seconds);
        }
        bed_turn(b, batch);
    }
    assert_string_equal(bed_find(b, "storage.stalled", EVENT_BEGIN)->entity, "storage:fs01");
    assert_non_null(bed_find(b, "storage.stalled", EVENT_END));
}

/* --- what must raise nothing ------------------------------------------------------------------ */

static void
healthy_noise_raises_nothing(void **state)
{
    struct bed *b = *state;
    double sbe = 0, ce = 0, retrans = 0;
    for (int step = 0; step < 60; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        sbe += step % 20 == 0;
        ce += step % 25 == 0;
        retrans += 3;
        bed_put(b, batch, "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL{Hostname=node00001,gpu=1}", sbe);
        bed_put(b, batch, "DCGM_FI_DEV_GPU_TEMP{Hostname=node00001,gpu=1}", step == 30 ? 92 : 64);
        bed_put(b, batch, "node_edac_correctable_errors_total{node=node00001,controller=0}", ce);
        bed_put(b, batch, "rdma_packet_seq_err_total{node=node00001,device=mlx5_0}", retrans);
        bed_put(b, batch, "ifOperStatus{instance=leaf-g01-1,ifName=Ethernet60}",
                step % 10 == 3 ? 1 : 2);
        bed_put(b, batch, "ifAdminStatus{instance=leaf-g01-1,ifName=Ethernet60}", 1);
        bed_put(b, batch, "ifOperStatus{instance=leaf-g01-1,ifName=Ethernet2}", 2);
        bed_put(b, batch, "ifAdminStatus{instance=leaf-g01-1,ifName=Ethernet2}", 2);
        bed_put(b, batch, "optic_rx_power_dbm{node=leaf-g01-1,port=Ethernet2,lane=1}", -20);
        bed_turn(b, batch);
    }
    for (size_t i = 0; i < b->count; i++)
        print_message("%s %s %s\n", b->heard[i].code, b->heard[i].entity, b->heard[i].text);
    assert_int_equal(b->count, 0);
}

static void
every_row_has_an_entry_of_its_scope(void **state)
{
    struct bed *b = *state;
    struct buf out;
    struct doc *d = NULL;
    struct err err;
    buf_init(&out, 1 << 20);
    detectors_table_json(&out);
    assert_int_equal(doc_parse_json(buf_str(&out), out.len, "table", &d, &err), 0);
    for (const struct doc_node *n = doc_root(d)->first; n; n = n->next) {
        const char *code = doc_get_str(n, "code", "");
        const struct kb_entry *e = kb_find(b->kb, code);
        if (!e && strcmp(code, "nvidia.xid"))
            fail_msg("%s has no entry", code);
        if (e)
            assert_string_equal(entity_kind_row(e->scope)->word, doc_get_str(n, "scope", ""));
        assert_true(strlen(doc_get_str(n, "help", "")) > 20);
    }
    doc_free(d);
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_measure_that_goes_wrong_begins_at_its_entity_and_ends),
        cmocka_unit_test(silence_is_told_by_what_the_switch_sees),
        cmocka_unit_test_setup_teardown(silence_of_everybody_is_ours, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(
            an_accelerator_that_is_silent_while_its_node_speaks_is_absent, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_boot_time_that_moves_is_a_reboot_and_a_new_xid_an_event,
                                        bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(one_slow_or_idle_accelerator_stands_out_of_its_job,
                                        bed_setup, bed_teardown),
        cmocka_unit_test(a_job_that_spins_hangs_and_one_that_saves_does_not),
        cmocka_unit_test_setup_teardown(a_file_system_that_none_of_its_clients_reaches_is_stalled,
                                        bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(healthy_noise_raises_nothing, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(every_row_has_an_entry_of_its_scope, bed_setup,
                                        bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
