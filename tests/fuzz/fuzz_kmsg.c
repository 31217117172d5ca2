/* fuzz_kmsg: any bytes as a record of the kernel's log. */
#include "agents/kmsg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kmsg_record r;
    char *line = malloc(size + 1);
    if (!line)
        return 0;
    memcpy(line, data, size);
    line[size] = 0;
    if (!kmsg_parse(line, &r) && r.text[r.len])
        abort();
    free(line);
    return 0;
}
