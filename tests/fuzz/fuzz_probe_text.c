/* fuzz_probe_text: any bytes as the text of a file system's statistics; the first byte chooses
 * which parser. */
#include "agents/lustre.h"
#include "agents/nfs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap out;
    char *text = size ? malloc(size) : NULL;
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    snap_init(&out);
    if (data[0] % 3 == 0)
        lustre_stats(text, "client", "fs01", &out);
    else if (data[0] % 3 == 1)
        lustre_import(text, "fs01-OST0000", &out);
    else
        nfs_mountstats(text, &out);
    snap_done(&out);
    free(text);
    return 0;
}
