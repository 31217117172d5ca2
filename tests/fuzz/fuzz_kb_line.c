/* fuzz_kb_line: hostile lines against every built-in pattern: captures lie within the line, names
 * are entities. */
#include "base/entity.h"
#include "kb/matcher.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_match_check(const struct kb_match *m, const char *line, size_t len)
{
    for (size_t i = 0; i < m->capture_count; i++)
        if (m->captures[i].text < line || m->captures[i].text + m->captures[i].len > line + len)
            abort();
    char out[ENTITY_SIZE];
    if (kb_match_entity(m, "n1", "7", 3, out, sizeof out) == 0 && !entity_ok(out))
        abort();
    struct buf fields;
    buf_init(&fields, 1u << 20);
    kb_match_fields(m, &fields);
    buf_done(&fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sources[] = {"kernel", "job",   "syslog", "switch",
                                          "any",    "other", "",       NULL};
    static struct kb_matcher *m;
    static struct kb_scratch *s;
    if (!m && (kb_matcher_builtin(&m, NULL) || !(s = kb_scratch_new(m))))
        abort();
    if (!size)
        return 0;
    struct kb_match found[8];
    const char *line = (const char *)data + 1;
    size_t n =
        kb_match_line(m, s, line, size - 1, sources[data[0] % 8], found, data[0] / 8 % 8 + 1);
    for (size_t i = 0; i < n; i++)
        fuzz_match_check(&found[i], line, size - 1);
    return 0;
}
