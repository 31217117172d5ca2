/* fuzz_rules_text: templates of rules' labels and annotations, as a file brings them. */
#include "analyzer/rules_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[2049];
    struct labels l = {0};
    struct buf once, again;
    if (size > 2048)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    labels_add_str(&l, "node", "node00001");
    labels_add_str(&l, "severity", "critical");
    labels_finish(&l);
    const struct rules_scope scope = {.labels = &l, .value = 12.5};
    buf_init(&once, 65536);
    buf_init(&again, 65536);
    int rc = rules_expand(text, &scope, &once);
    if (rc != rules_expand(text, &scope, &again) || strcmp(buf_str(&once), buf_str(&again)) != 0)
        abort();
    if (!rc && !strstr(text, "{{") && strcmp(buf_str(&once), text) != 0)
        abort();
    buf_done(&once);
    buf_done(&again);
    return 0;
}
