/* How a world moves, healthy and with each of its faults. */
#include "tests/sim/sim_test.h"

static void
same_seed_gives_the_same_bytes_and_another_seed_others(void **state)
{
    (void)state;
    uint32_t crc[3];
    for (int i = 0; i < 3; i++) {
        struct sim_test t;
        sim_test_open(&t, i == 2 ? 8 : 7, true);
        assert_true(fault_add_text(t.world, "pfc-storm@20s+20s", NULL) >= 0);
        sim_test_run(&t, 90);
        crc[i] = t.crc;
        sim_test_close(&t);
    }
    assert_int_equal(crc[0], crc[1]);
    assert_int_not_equal(crc[0], crc[2]);
}

static void
ten_healthy_minutes_end_no_job_and_take_no_link_down(void **state)
{
    (void)state;
    struct sim_test t;
    sim_test_open(&t, 3, true);
    sim_test_run(&t, 600);
    assert_int_equal(t.jobs_ended, 0);
    assert_true(t.lines > 100);
    for (uint32_t i = 0; i < t.plan->nics.count; i++)
        assert_true(t.world->nics[i].link_downed == 0);
    for (uint32_t i = 0; i < t.plan->gpus.count; i++)
        assert_true(t.world->gpus[i].temp < 80 && t.world->gpus[i].xid < 48 &&
                    t.world->gpus[i].tensor > 0.02);
    sim_test_close(&t);
}

/* At the middle of a fault of 60 s: the named series lies between lo and hi, or has ended; a line
 * holds the text. fate: what becomes of the job, NULL when it goes on. */
static const struct fault_case {
    const char *fault, *entity, *metric, *labels;
    double lo, hi;
    bool ends;
    const char *line, *fate;
} fault_cases[] = {
    {"gpu-fallen-off", "gpu:node00003/3", "DCGM_FI_DEV_GPU_TEMP", "Hostname=node00003", 0, 99,
     false, "79, pid", "failed"},
    {"gpu-ecc-dbe", "gpu:node00003/3", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "device=nvidia3,gpu=3,", 0,
     9, false, "DBE", "failed"},
    {"gpu-hang", "node00003/7", "DCGM_FI_DEV_GPU_UTIL", "device=nvidia7,", 0, 100, false,
     "): 119, pid", "failed"},
    {"gpu-slow", "gpu:node00008/7", "DCGM_FI_DEV_SM_CLOCK", "device=nvidia7,", 600, 1300, false, "",
     NULL},
    {"gpu-overheat", "gpu:node00008/7", "DCGM_FI_DEV_GPU_TEMP", "device=nvidia7,", 75, 120, false,
     "", NULL},
    {"nvlink-errors", "gpu:node00008/7", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
     "device=nvidia7,", 100, 1e6, false, "74, pid", "failed"},
    {"pcie-degraded", "gpu:node00008/7", "DCGM_FI_DEV_PCIE_LINK_WIDTH", "device=nvidia7,", 4, 4,
     false, "PCIe Bus Error", NULL},
    {"optic-degrading", "leaf-g01-1/Ethernet1/1", "optic_rx_power_dbm",
     "lane=1,node=leaf-g01-1,port=Ethernet1,", -14, -8.0, false, "THRESHOLD_VIOLATION", NULL},
    {"optic-dead", "leaf-g01-1/Ethernet1", "optic_tx_power_dbm",
     "lane=1,node=leaf-g01-1,port=Ethernet1,", -40, -40, false, "CMIS: Ethernet1", "failed"},
    {"link-flap", "leaf-g01-1/Ethernet1", "node_infiniband_link_downed_total",
     "device=mlx5_0,node=node00001,", 2, 9, false, "Link down", NULL},
    {"port-errors", "leaf-g01-1/Ethernet1", "ifInErrors", "ifName=Ethernet1,instance=leaf-g01-1,",
     1000, 1e9, false, "crc_rate", NULL},
    {"leaf-down", "leaf-g01-1", "ifOperStatus", "ifName=Ethernet1,instance=leaf-g01-1,", 0, 0, true,
     "Link down", "failed"},
    {"spine-down", "spine-01", "ifOperStatus", "ifName=Ethernet5,instance=leaf-g01-1,", 2, 2, false,
     "Ethernet5", NULL},
    {"nic-down", "node00002/mlx5_3", "node_infiniband_state_id", "device=mlx5_3,node=node00002,", 1,
     1, false, "Fatal error", "failed"},
    {"nic-flap", "node00002/mlx5_3", "node_infiniband_link_downed_total",
     "device=mlx5_3,node=node00002,", 2, 9, false, "mlx5_health", NULL},
    {"pfc-storm", "node00002/mlx5_3", "node_ethtool_tx_prio3_pause", "device=eth4,node=node00002,",
     1e5, 1e9, false, "storm", NULL},
    {"mtu-mismatch", "leaf-g01-1/Ethernet1", "ifMtu", "ifName=Ethernet1,instance=leaf-g01-1,", 1500,
     1500, false, "MTU_MISMATCH", NULL},
    {"miscabled", "leaf-g01-1/Ethernet1", "lldp_neighbor_info",
     "node=leaf-g01-1,peer=node00001,peer_descr=mlx5_1,", 1, 1, false, "", NULL},
    {"node-crash", "node00004", "up", "node=node00004,", 0, 0, false, "panic", "node_fail"},
    {"node-reboot", "node00004", "up", "node=node00004,", 0, 0, false, "reboot", "node_fail"},
    {"host-oom", "node00004", "node_vmstat_oom_kill", "node=node00004,", 1, 1, false,
     "Out of memory", "failed"},
    {"host-memory-ce-storm", "node00004", "node_edac_correctable_errors_total", "node=node00004,",
     500, 1e9, false, "EDAC", NULL},
    {"host-memory-ue", "node00004", "up", "node=node00004,", 0, 0, false, "UE memory", "node_fail"},
    {"disk-full", "node00004", "node_filesystem_avail_bytes", "mountpoint=/,node=node00004,", 0,
     1e6, false, "No space left", "failed"},
    {"cpu-lockup", "node00004", "node_load1", "node=node00004,", 40, 400, false, "soft lockup",
     NULL},
    {"clock-skew", "node00004", "node_timex_offset_seconds", "node=node00004,", 40, 60, false,
     "System clock wrong", NULL},
    {"agent-lost", "node00004", "node_load1", "node=node00004,", 0, 0, true, "", NULL},
    {"user-code-error", "4711/5", "training_loss", "job_id=4711,", 0, 0, true, "KeyError",
     "failed"},
    {"user-oom", "4711/5", "training_loss", "job_id=4711,", 0, 0, true, "CUDA out of memory",
     "failed"},
    {"storage-stall", "fs01", "node_pressure_io_stalled_seconds_total", "node=node00004,", 10, 1e4,
     false, "not responding", NULL},
    {"cdu-flow-low", "c01", "cdu_flow_lpm", "cdu=c01,", 50, 300, false, "", NULL},
    {"pdu-feed-loss", "p01", "pdu_feed_up", "pdu=p01,", 0, 0, false, "", "node_fail"},
};

static void
fault_case_run(const struct fault_case *c)
{
    struct sim_test t;
    struct err err = {0};
    sim_test_open(&t, 5, false);
    if (fault_add(t.world, c->fault, c->entity, SIM_TEST_START + 20000, 60000, &err) < 0)
        fail_msg("%s: %s", c->fault, err.text);
    sim_test_run(&t, 19);
    snprintf(t.want_line, sizeof t.want_line, "%s", c->line);
    snprintf(t.want_metric, sizeof t.want_metric, "%s", c->metric);
    snprintf(t.want_labels, sizeof t.want_labels, "%s", c->labels);
    sim_test_run(&t, 70);
    if (t.stale != c->ends || t.value_hits == 0)
        fail_msg("%s: %s{%s} %s", c->fault, c->metric, c->labels, t.stale ? "ended" : "goes on");
    if (!c->ends && !(t.value >= c->lo && t.value <= c->hi))
        fail_msg("%s: %s{%s} is %g, not %g to %g", c->fault, c->metric, c->labels, t.value, c->lo,
                 c->hi);
    if (*c->line != 0 && t.line_hits == 0)
        fail_msg("%s: no line holds '%s'", c->fault, c->line);
    if ((c->fate != NULL) != (t.jobs_ended > 0) ||
        (c->fate != NULL && strcmp(t.last_state, c->fate) != 0))
        fail_msg("%s: the job ended as '%s', not '%s'", c->fault, t.last_state,
                 c->fate == NULL ? "" : c->fate);
    sim_test_run(&t, 300);
    if (t.jobs_created != (c->fate != NULL ? 1u : 0u) || t.world->fault_count != 0)
        fail_msg("%s: %u jobs were submitted again after it", c->fault, t.jobs_created);
    struct simjob *j = &t.world->jobs[t.world->job_count - 1];
    if (j->state != SIMJOB_RUNNING || j->speed < 0.95)
        fail_msg("%s: the job runs at %g after it", c->fault, j->speed);
    sim_test_close(&t);
}

static void
each_fault_shows_at_its_entity_and_passes(void **state)
{
    (void)state;
    size_t cases = sizeof fault_cases / sizeof fault_cases[0];
    for (size_t i = 0; i < cases; i++)
        fault_case_run(&fault_cases[i]);
    for (size_t i = 0; i < fault_row_count(); i++) {
        bool found = false;
        for (size_t k = 0; k < cases; k++)
            found = found || strcmp(fault_cases[k].fault, fault_row_at(i)->name) == 0;
        if (!found)
            fail_msg("%s has no case", fault_row_at(i)->name);
    }
}

static void
straggler_makes_its_peers_wait(void **state)
{
    (void)state;
    struct sim_test t;
    sim_test_open(&t, 5, false);
    assert_true(fault_add_text(t.world, "gpu-slow@10s+60s:node00003/2", NULL) >= 0);
    sim_test_run(&t, 60);
    const struct world_gpu *slow = &t.world->gpus[2 * 8 + 2], *peer = &t.world->gpus[0];
    assert_true(slow->clock < 0.7 * peer->clock);
    assert_true(peer->tensor < 0.7 * slow->tensor);
    assert_true(peer->util > 90);
    assert_true(t.world->jobs[0].step > 1.5 * t.world->jobs[0].base_step);
    sim_test_close(&t);
}

static void
faults_are_found_by_text_or_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *text, *entity;
    } good[] = {
        {"optic-degrading@60s+120s:leaf-g01-1/Ethernet1/1", "optic:leaf-g01-1/Ethernet1"},
        {"leaf-down@2025-11-23T08:00:10Z:leaf-g02-3", "switch:leaf-g02-3"},
        {"gpu-hang@0s:gpu:node00001/0", "gpu:node00001/0"},
        {"node-crash@5s:node00001", "node:node00001"},
    };
    static const char *const bad[] = {"gpu-melt@1s",
                                      "gpu-hang@soon:node00001/0",
                                      "gpu-hang@1s:node00001/9",
                                      "node-crash@1s+0s:node00001",
                                      "node-crash@1s:gpu:node00001/0",
                                      "leaf-down@1s:leaf-g99-1"};
    struct sim_test t;
    sim_test_open(&t, 1, false);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int n = fault_add_text(t.world, good[i].text, NULL);
        assert_true(n >= 0);
        assert_string_equal(t.world->faults[n].entity, good[i].entity);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {0};
        assert_true(fault_add_text(t.world, bad[i], &err) < 0);
        assert_true(strlen(err.text) > 10);
    }
    for (size_t i = 0; i < fault_row_count(); i++)
        assert_true(fault_add(t.world, fault_row_at(i)->name, NULL, SIM_TEST_START, 0, NULL) >= 0);
    sim_test_close(&t);
}

static void
demo_table_names_what_the_fault_table_knows(void **state)
{
    (void)state;
    char path[512], line[512], name[64], entity[128], kinds[64], classes[64], verdict[32];
    const char *dir = getenv("MS_SRCDIR");
    snprintf(path, sizeof path, "%s/tests/programs/demo-faults.tsv", dir == NULL ? "." : dir);
    FILE *f = fopen(path, "r");
    unsigned rows = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (*line == '#')
            continue;
        assert_int_equal(sscanf(line, "%63[^\t]\t%127[^\t]\t%63[^\t]\t%63[^\t]\t%31[^\n]", name,
                                entity, kinds, classes, verdict),
                         5);
        const struct fault_row *r = fault_row_find(name);
        assert_non_null(r);
        assert_string_equal(kinds, r->truth_kinds);
        assert_string_equal(classes, r->truth_class);
        assert_string_equal(verdict, r->truth_verdict);
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, fault_row_count());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_gives_the_same_bytes_and_another_seed_others),
        cmocka_unit_test(ten_healthy_minutes_end_no_job_and_take_no_link_down),
        cmocka_unit_test(each_fault_shows_at_its_entity_and_passes),
        cmocka_unit_test(straggler_makes_its_peers_wait),
        cmocka_unit_test(faults_are_found_by_text_or_refused_with_a_sentence),
        cmocka_unit_test(demo_table_names_what_the_fault_table_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
