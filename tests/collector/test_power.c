/* test_power: nodes with and without a controller, a rack with a meter of its own, jobs that share
 * a node, a restart. */
#include "collector/source.h"
#include "store/jobs.h"
#include "tests/collector/collector_test.h"

#include <math.h>

static const char topology[] =
    "version: 1\ncluster: {name: demo}\nracks: [{name: r01}, {name: r02}]\nnodes:\n"
    "  - {name: n1, rack: r01, gpus: {count: 2, vendor: nvidia, model: H100}}\n"
    "  - {name: n2, rack: r01, gpus: {count: 2, vendor: nvidia, model: H100}}\n"
    "  - {name: n3, rack: r02, gpus: {count: 2, vendor: nvidia, model: H100}}\n";

static void
put(struct fixture *f, const char *name, const char *labels, double v)
{
    struct store_batch *b = store_batch_new(f->store);
    struct labels l = {0};
    struct sample s = {clock_now_ms(NULL), v};
    struct err err;
    char text[256], *save = NULL;
    str_copy(text, sizeof text, labels);
    labels_add_str(&l, "__name__", name);
    for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(p, '=');
        *equals = 0;
        labels_add_str(&l, p, equals + 1);
    }
    assert_int_equal(labels_finish(&l), 0);
    assert_true(store_batch_samples(b, &l, &s, 1) >= 0);
    assert_int_equal(store_commit(f->store, b, NULL, &err), 0);
}

static void
job(struct fixture *f, const char *id, const char *nodes, int gpus)
{
    char json[256];
    struct job j;
    struct err err;
    snprintf(json, sizeof json,
             "{\"state\":\"running\",\"nodes\":\"%s\",\"gpus_per_node\":%d,"
             "\"start\":\"2026-11-23T08:00:00Z\"}",
             nodes, gpus);
    if (job_put(f->store, id, json, strlen(json), false, &j, &err))
        fail_msg("%s", err.text);
    job_done(&j);
}

static bool
wait_is(struct fixture *f, const char *name, const char *label, const char *value, double want)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v = NAN;
    while (!fixture_value(f, name, label, value, NULL, NULL, &v) || fabs(v - want) > 1e-6) {
        if (clock_mono_us() > end) {
            print_message("%s of %s is %g\n", name, value, v);
            return false;
        }
        poll(NULL, 0, 20);
    }
    return true;
}

static void
racks_jobs_and_pue_are_added_up(void **state)
{
    struct fixture f;
    struct err err;
    double before, after;
    (void)state;
    fixture_open_store(&f);
    if (topo_put_document(f.store, topology, sizeof topology - 1, "topology", &err))
        fail_msg("%s", err.text);
    job(&f, "4711", "n[1-2]", 2);
    job(&f, "half", "n3", 1);
    job(&f, "other", "n3", 1);
    topo_settle(f.store);
    put(&f, "redfish_chassis_power_consumed_watts", "node=n1,chassis_id=1", 5000);
    put(&f, "redfish_chassis_power_consumed_watts", "node=n1,chassis_id=gpu", 3000); /* within it */
    put(&f, "DCGM_FI_DEV_POWER_USAGE", "Hostname=n1,gpu=0", 600); /* and this too */
    put(&f, "DCGM_FI_DEV_POWER_USAGE", "Hostname=n2,gpu=0", 600);
    put(&f, "DCGM_FI_DEV_POWER_USAGE", "Hostname=n2,gpu=1", 400);
    put(&f, "ipmi_dcmi_power_consumption_watts", "instance=n3:9290", 4000);
    put(&f, "rack_power_watts", "rack=r02", 4200);
    put(&f, "facility_power_watts", "cluster=demo", 15300);
    fixture_start(&f, "power: {interval: 100ms}\n", NULL);
    assert_true(wait_is(&f, "rack_power_watts", "rack", "r01", 6000));
    assert_true(wait_is(&f, "rack_power_watts", "rack", "r02", 4200)); /* its meter's */
    assert_true(wait_is(&f, "job_power_watts", "job_id", "4711", 6000));
    assert_true(wait_is(&f, "job_power_watts", "job_id", "half", 2000));
    assert_true(wait_is(&f, "job_power_known_ratio", "job_id", "4711", 1));
    assert_true(wait_is(&f, "facility_pue_ratio", "cluster", "demo", 1.5));
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    for (before = 0; before < 100 && clock_mono_us() < end; poll(NULL, 0, 20))
        fixture_value(&f, "job_energy_joules_total", "job_id", "4711", NULL, NULL, &before);
    assert_true(before >= 100);
    fixture_stop(&f);
    fixture_value(&f, "job_energy_joules_total", "job_id", "4711", NULL, NULL, &before);
    fixture_start(&f, "power: {interval: 100ms}\n", NULL); /* it goes on */
    for (after = before; after <= before && clock_mono_us() < end; poll(NULL, 0, 20))
        fixture_value(&f, "job_energy_joules_total", "job_id", "4711", NULL, NULL, &after);
    assert_true(after > before && after < before + 60000);
    fixture_close(&f);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(racks_jobs_and_pue_are_added_up)};
    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
