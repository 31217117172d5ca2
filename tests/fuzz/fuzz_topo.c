/* fuzz_topo: hostile topology documents: read whole or refused with a sentence; what was read holds
 * together. */
#include "store/topo.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Numbers of four digits would build fabrics of a million parts: legal, but not what is looked for
 * here. */
static int
fuzz_large(const uint8_t *data, size_t size)
{
    size_t digits = 0;
    for (size_t i = 0; i < size; i++) {
        digits = isdigit(data[i]) ? digits + 1 : 0;
        if (digits > 3)
            return 1;
    }
    return 0;
}

static void
fuzz_look(const struct topo *t)
{
    for (topo_id i = 0; i < topo_count(t); i++) {
        size_t n;
        const struct topo_edge *e = topo_edges(t, i, &n);
        if (topo_find(t, topo_name(t, i)) != i || !entity_ok(topo_name(t, i)))
            abort();
        for (size_t k = 0; k < n; k++)
            if (e[k].to >= topo_count(t))
                abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topo *t = NULL;
    struct err err = {0};
    if (size > 8192 || fuzz_large(data, size))
        return 0;
    if (topo_parse((const char *)data, size, "fuzz", &t, &err) == 0) {
        fuzz_look(t);
        topo_put(t);
    } else if (!err.text[0]) {
        abort();
    }
    return 0;
}
