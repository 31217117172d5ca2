/* fuzz_container: any line, in place: what comes out lies within it and ends there. */
#include "decode/container.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct container_line c;
    char *line = malloc(size + 1);
    if (line == NULL)
        return 0;
    memcpy(line, data, size);
    line[size] = 0;
    size_t len = strlen(line);
    if (container_unwrap(line, len, &c) &&
        (c.text < line || c.text + c.len > line + len || c.text[c.len] != 0))
        abort();
    free(line);
    return 0;
}
