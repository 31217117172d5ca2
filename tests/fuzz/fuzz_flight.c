/* A dump of the flight recorder, in both forms: no byte does harm, and what is told is within
 * bounds.
 */
#include "decode/flight.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct flight f;
    flight_is(data, size);
    flight_parse(data, size, &f);
    if (f.count > FLIGHT_GROUPS)
        abort();
    for (size_t i = 0; i < f.count; i++)
        if (strlen(f.at[i].op) >= FLIGHT_OP)
            abort();
    return 0;
}
