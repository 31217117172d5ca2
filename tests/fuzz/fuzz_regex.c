/* fuzz_regex: hostile pattern and subject, split at the first 0 byte. */
#include "base/regex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    const uint8_t *split = memchr(data + 1, 0, size - 1);
    size_t len = split ? (size_t)(split - data) - 1 : size - 1;
    const char *pattern = (const char *)data + 1, *subject = split ? (const char *)split + 1 : "";
    size_t rest = split ? size - len - 2 : 0;
    struct regex *r;
    if (regex_compile(pattern, len, data[0] & 7u, &r, NULL))
        return 0;
    struct regex_capture c[REGEX_CAPTURES_MAX];
    size_t n = 0;
    if (regex_match(r, subject, rest, c, &n) == 1)
        for (size_t i = 0; i < n; i++)
            if (c[i].text && (c[i].text < subject || c[i].text + c[i].len > subject + rest))
                abort();
    regex_free(r);
    return 0;
}
