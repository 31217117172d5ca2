/* fuzz_module: any bytes as pages, or as a tool's text: read, decoded, written as JSON. */
#include "decode/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t next = 0;
    struct module_pages p;
    struct module m;
    struct err err;
    if (module_dump_is(data, size) && !module_dump_parse(data, size, &m, &err)) {
        struct buf out;
        struct jsonw w;
        buf_init(&out, (size_t)4 << 20);
        jsonw_init(&w, &out);
        module_json(&m, &w);
        buf_done(&out);
    }
    while (module_pages_parse(data, size, &next, &p, &err) > 0) {
        struct buf out;
        struct jsonw w;
        if (module_decode(&p, &m, &err))
            continue;
        buf_init(&out, (size_t)4 << 20);
        jsonw_init(&w, &out);
        module_json(&m, &w);
        buf_done(&out);
    }
    return 0;
}
