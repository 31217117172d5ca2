/* fuzz_conf: hostile configurations against a table that has a row of every type. */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
    char *name;
    struct conf_strs words;
};

struct all {
    bool on;
    int64_t count, wait, size;
    double ratio;
    char *name, *path;
    int choice;
    struct conf_strs words;
    struct part part;
    struct conf_list parts;
    const struct doc_node *raw;
};

static const struct conf_row part_rows[] = {
    {.key = "n", .type = CONF_STR, .offset = offsetof(struct part, name), .required = true},
    {.key = "w", .type = CONF_STRS, .offset = offsetof(struct part, words), .dflt = "a"},
    {.key = NULL},
};
static const char *const choices[] = {"one", "two", NULL};
static const struct conf_row rows[] = {
    {.key = "b", .type = CONF_BOOL, .offset = offsetof(struct all, on), .dflt = "true"},
    {.key = "i", .type = CONF_INT, .offset = offsetof(struct all, count), .min = -5, .max = 1e6},
    {.key = "d", .type = CONF_DURATION, .offset = offsetof(struct all, wait), .dflt = "15s"},
    {.key = "z", .type = CONF_SIZE, .offset = offsetof(struct all, size), .dflt = "1GB"},
    {.key = "r", .type = CONF_REAL, .offset = offsetof(struct all, ratio)},
    {.key = "s", .type = CONF_STR, .offset = offsetof(struct all, name)},
    {.key = "p", .type = CONF_PATH, .offset = offsetof(struct all, path), .dflt = "x"},
    {.key = "c", .type = CONF_CHOICE, .offset = offsetof(struct all, choice), .choices = choices},
    {.key = "w", .type = CONF_STRS, .offset = offsetof(struct all, words)},
    {.key = "m", .type = CONF_MAP, .offset = offsetof(struct all, part), .rows = part_rows},
    {.key = "l",
     .type = CONF_LIST,
     .offset = offsetof(struct all, parts),
     .rows = part_rows,
     .size = sizeof(struct part)},
    {.key = "n", .type = CONF_NODE, .offset = offsetof(struct all, raw)},
    {.key = NULL},
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doc *d;
    struct all a;
    struct err err = {0};
    if (size > 4096 || doc_parse_any((const char *)data, size, "fuzz", &d, NULL))
        return 0;
    if (!conf_fill(rows, d, doc_root(d), "/etc", &a, &err))
        conf_done(rows, &a);
    else if (!err.text[0])
        abort();
    conf_done(rows, &a); /* twice is allowed, and after a failure */
    doc_free(d);
    return 0;
}
