/* fuzz_redfish: documents of a management controller; every path that comes out is one to ask for,
 * every value a finite number. */
#include "collector/redfish_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_value(void *ctx, const struct redfish_value *v)
{
    (void)ctx;
    if (!isfinite(v->v) || !v->name || !v->part || !v->id)
        abort();
}

static void
take_link(void *ctx, enum redfish_role role, const char *path)
{
    (void)ctx, (void)role;
    if (!redfish_path_ok(path))
        abort();
}

static void
take_entry(void *ctx, const struct redfish_entry *e)
{
    (void)ctx;
    if (!e->id || !*e->text)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redfish_sink sink = {.value = take_value, .link = take_link, .entry = take_entry};
    struct doc *d = NULL;
    struct err err;
    if (doc_parse_json((const char *)data, size, "bmc", &d, &err))
        return 0;
    redfish_read_values(doc_root(d), "/redfish/v1/Chassis/1/Power", &sink);
    redfish_read_links(doc_root(d), &sink);
    redfish_read_entries(doc_root(d), &sink);
    redfish_read_next(doc_root(d));
    redfish_read_count(doc_root(d));
    redfish_read_expands(doc_root(d));
    doc_free(d);
    return 0;
}
