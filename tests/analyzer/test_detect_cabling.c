/* test_detect_cabling: cables that are not where the plan has them: two swapped are one finding,
 * one wrong is one, a silent switch says nothing, and all of it ends by itself. */
#include "tests/analyzer/detect_bed.h"

struct cable {
    const char *leaf, *port, *peer, *peer_port;
};

/* The neighbours of two leaves' first ports, and of one uplink; a NULL peer: nobody. */
static void
put_cables(struct bed *b, const struct cable *cables, size_t n)
{
    struct store_batch *batch = store_batch_new(b->store);
    char series[256];
    for (size_t i = 0; i < n; i++) {
        snprintf(series, sizeof series, "ifOperStatus{ifName=%s,instance=%s}", cables[i].port,
                 cables[i].leaf);
        bed_put(b, batch, series, 1);
        if (!cables[i].peer)
            continue;
        snprintf(series, sizeof series,
                 "lldp_neighbor_info{ifName=%s,instance=%s,node=%s,peer=%s,peer_port=%s}",
                 cables[i].port, cables[i].leaf, cables[i].leaf, cables[i].peer,
                 cables[i].peer_port);
        bed_put(b, batch, series, 1);
    }
    bed_turn(b, batch);
}

static void
end_cable(struct bed *b, const struct cable *c)
{
    struct store_batch *batch = store_batch_new(b->store);
    char series[256];
    snprintf(series, sizeof series,
             "lldp_neighbor_info{ifName=%s,instance=%s,node=%s,peer=%s,peer_port=%s}", c->port,
             c->leaf, c->leaf, c->peer, c->peer_port);
    bed_put(b, batch, series, sample_stale());
    assert_int_equal(store_commit(b->store, batch, NULL, NULL), 0);
}

static size_t
heard_of(const struct bed *b, const char *code, enum event_phase phase)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        n += !strcmp(b->heard[i].code, code) && b->heard[i].phase == phase;
    return n;
}

static const struct cable as_planned[] = {{"leaf-g01-1", "Ethernet1", "node00001", "eth1"},
                                          {"leaf-g01-2", "Ethernet1", "node00001.x.org", "eth2"},
                                          {"leaf-g01-1", "Ethernet5", "spine-01", "Ethernet1"}};
static const struct cable swapped[] = {{"leaf-g01-1", "Ethernet1", "node00001", "eth2"},
                                       {"leaf-g01-2", "Ethernet1", "node00001.x.org", "eth1"},
                                       {"leaf-g01-1", "Ethernet5", "spine-01", "Ethernet1"}};
static const struct cable moved[] = {{"leaf-g01-1", "Ethernet1", "node00002", "eth1"},
                                     {"leaf-g01-2", "Ethernet1", "node00001.x.org", "eth2"},
                                     {"leaf-g01-1", "Ethernet5", "spine-01", "Ethernet1"}};

static void
run(struct bed *b, const struct cable *cables, const struct cable *before, int turns)
{
    for (size_t i = 0; before && i < 3; i++)
        if (strcmp(before[i].peer_port, cables[i].peer_port) ||
            strcmp(before[i].peer, cables[i].peer))
            end_cable(b, &before[i]);
    while (turns-- > 0)
        put_cables(b, cables, 3);
}

static void
two_swapped_cables_are_one_finding_that_ends(void **state)
{
    struct bed *b = *state;
    run(b, as_planned, NULL, 4);
    assert_int_equal(b->count, 0);
    run(b, swapped, as_planned, 8);
    assert_int_equal(heard_of(b, "fabric.miscabled", EVENT_BEGIN), 1);
    const struct heard *h = bed_find(b, "fabric.miscabled", EVENT_BEGIN);
    assert_string_equal(h->entity, "link:leaf-g01-1/Ethernet1--node00001/mlx5_0");
    assert_non_null(strstr(h->text, "two cables are swapped: port:leaf-g01-1/Ethernet1 has "
                                    "nic:node00001/mlx5_1"));
    run(b, as_planned, swapped, 8);
    assert_int_equal(heard_of(b, "fabric.miscabled", EVENT_END), 1);
    assert_int_equal(b->count, 2);
}

static void
one_wrong_cable_is_told_with_both_names(void **state)
{
    struct bed *b = *state;
    run(b, as_planned, NULL, 4);
    run(b, moved, as_planned, 8);
    const struct heard *h = bed_find(b, "fabric.miscabled", EVENT_BEGIN);
    assert_non_null(h);
    assert_string_equal(h->text, "port:leaf-g01-1/Ethernet1: planned is nic:node00001/mlx5_0, "
                                 "there is nic:node00002/mlx5_0");
    assert_int_equal(heard_of(b, "fabric.miscabled", EVENT_BEGIN), 1);
}

static void
a_neighbour_missing_between_switches_counts_where_the_port_is_up(void **state)
{
    static const struct cable alone[] = {{"leaf-g01-1", "Ethernet1", "node00001", "eth1"},
                                         {"leaf-g01-1", "Ethernet5", NULL, NULL},
                                         {"leaf-g01-1", "Ethernet2", NULL, NULL}};
    struct bed *b = *state;
    for (int i = 0; i < 16; i++)
        put_cables(b, alone, 3);
    const struct heard *h = bed_find(b, "fabric.link-missing", EVENT_BEGIN);
    assert_non_null(h);
    assert_string_equal(h->entity, "link:leaf-g01-1/Ethernet5--spine-01/Ethernet1");
    assert_int_equal(b->count, 1); /* a host need not speak LLDP; Ethernet6 tells no state */
}

static void
a_switch_that_tells_no_neighbours_is_not_miscabled(void **state)
{
    static const struct cable silent[] = {{"leaf-g01-1", "Ethernet1", NULL, NULL},
                                          {"leaf-g01-1", "Ethernet5", NULL, NULL},
                                          {"leaf-g01-1", "Ethernet6", NULL, NULL}};
    struct bed *b = *state;
    for (int i = 0; i < 16; i++)
        put_cables(b, silent, 3);
    assert_int_equal(b->count, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_swapped_cables_are_one_finding_that_ends, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(one_wrong_cable_is_told_with_both_names, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(
            a_neighbour_missing_between_switches_counts_where_the_port_is_up, bed_setup,
            bed_teardown),
        cmocka_unit_test_setup_teardown(a_switch_that_tells_no_neighbours_is_not_miscabled,
                                        bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests_name("detect_cabling", tests, NULL, NULL);
}
