/* fuzz_lldp: any bytes as what follows a frame's Ethernet header. */
#include "decode/lldp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lldp l;
    if (!lldp_decode(data, size, &l) &&
        (strlen(l.chassis) >= sizeof l.chassis || strlen(l.port) >= sizeof l.port ||
         strlen(l.system) >= sizeof l.system || l.app_count > LLDP_APPS_MAX))
        abort();
    return 0;
}
