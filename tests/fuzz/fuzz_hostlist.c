/* fuzz_hostlist: what is accepted, written compactly and read again, is the same set of names. */
#include "base/hostlist.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t
sort_unique(struct hostlist *l)
{
    size_t kept = 0;
    if (l->count)
        qsort(l->names, l->count, sizeof *l->names, order);
    for (size_t i = 0; i < l->count; i++)
        if (!kept || strcmp(l->names[kept - 1], l->names[i]) != 0)
            l->names[kept++] = l->names[i];
    return kept;
}

static void
check(struct hostlist *l)
{
    struct hostlist again;
    struct buf text;
    buf_init(&text, 64 << 20);
    if (hostlist_format((const char *const *)l->names, l->count, &text))
        abort();
    if (hostlist_parse(buf_str(&text), &again, NULL))
        abort();
    size_t n = sort_unique(l), m = sort_unique(&again);
    if (n != m || m != again.count)
        abort();
    for (size_t i = 0; i < n; i++)
        if (strcmp(l->names[i], again.names[i]) != 0)
            abort();
    hostlist_done(&again);
    buf_done(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[257];
    struct hostlist l;
    struct err err = {0};
    if (size > 256)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int rc = hostlist_parse(text, &l, &err);
    if (rc) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (l.count < 3000) /* larger ones cost the fuzzer its time and show nothing more */
        check(&l);
    hostlist_done(&l);
    return 0;
}
