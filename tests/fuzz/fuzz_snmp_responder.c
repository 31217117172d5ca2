/* fuzz_snmp_responder: requests of anyone to the simulated switches: never more than an answer or
 * silence. */
#include "sim/responder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct responder *
fuzz_snmp_open(void)
{
    struct plan_fabric f = {.nodes = 2, .nodes_per_group = 2, .rails = 1, .spines = 1, .gpus = 1};
    struct world_config cfg = {
        .seed = 1, .interval_s = 15, .jobs = 1, .timer_scale = 1, .start_ms = 1000};
    struct plan *plan;
    struct world *world;
    struct responder *r;
    if (plan_new("fuzz", &plan, NULL) < 0 || plan_expand(plan, &f, NULL) < 0 ||
        world_new(plan, &cfg, &(struct world_sink){0}, &world, NULL) < 0 ||
        responder_open(world, 0, &r, NULL) < 0)
        abort();
    return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct responder *r; /* one world for all inputs */
    static uint8_t memory[65000];
    const uint8_t *at;
    if (r == NULL)
        r = fuzz_snmp_open();
    int n = responder_answer(r, 0, data, size, memory, sizeof memory, &at);
    if (n < 0 || (n > 0 && (at < memory || at + n > memory + sizeof memory)))
        abort();
    return 0;
}
