/* fuzz_entity: hostile entity names, and the small readers of text that everybody trusts. */
#include "base/clock.h"
#include "base/entity.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_entity(const char *text)
{
    struct entity e;
    char out[ENTITY_SIZE], owner[ENTITY_SIZE];
    if (entity_parse(text, &e, NULL)) {
        if (entity_ok(text))
            abort();
        return;
    }
    memcpy(owner, e.name, e.owner_len);
    owner[e.owner_len] = 0;
    if (entity_format(out, e.kind, owner, e.part) || strcmp(out, text) != 0 ||
        entity_kind_of(text) != e.kind)
        abort();
    if (e.part && entity_owner(out, text, true) && !strpbrk(owner, "/"))
        abort();
}

static void
check_numbers(const char *text, size_t len)
{
    double v, w;
    int64_t i;
    uint64_t u;
    char out[32];
    if (!str_double(text, len, &v)) {
        size_t n = str_double_format(v, out);
        if (n >= sizeof out || str_double(out, n, &w) || (w != v && !(isnan(w) && isnan(v))))
            abort();
    }
    if (!str_u64(text, len, &u) && u <= INT64_MAX && (str_i64(text, len, &i) || (uint64_t)i != u))
        abort();
    if (!time_parse(text, &i))
        time_format(i, out);
    if (!duration_parse(text, &i))
        duration_format(i, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[513], glob[513], bytes[256];
    if (size > 512)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    check_entity(text);
    check_numbers(text, strlen(text));
    str_hex((const char *)data, size, (uint8_t *)bytes, sizeof bytes);
    char *split = strchr(text, '|');
    if (split) {
        str_copy(glob, sizeof glob, text);
        glob[split - text] = 0;
        str_glob(glob, split + 1);
        str_distance(glob, split + 1);
    }
    size_t n = size;
    memcpy(glob, data, size);
    str_utf8_mend(glob, &n);
    if (n != size || !str_utf8_ok(glob, n))
        abort();
    if (str_utf8_ok((const char *)data, size) && memcmp(glob, data, size) != 0)
        abort();
    return 0;
}
