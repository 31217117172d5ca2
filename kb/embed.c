/* embed: run by make: checks every built-in entry and writes the digest and the pattern database
 * that the programs carry. `kb-embed ENTRIES DIGEST MATCHER`; on a problem, each with file and
 * line, nothing is written. `kb-embed --lint ENTRIES` runs every check of kb_lint as well and
 * writes nothing. */
#include "base/str.h"
#include "kb/inside.h"
#include "kb/matcher_inside.h"

#include <stdio.h>
#include <string.h>

/* This program makes what these give to others. */
const void *
kb_builtin_digest(size_t *ret_len)
{
    *ret_len = 0;
    return "";
}

const void *
kb_builtin_matcher(size_t *ret_len)
{
    *ret_len = 0;
    return "";
}

/* Files are named as in the source tree, wherever the build is. */
static void
embed_shorten(struct kb *kb, const char *folder)
{
    size_t n = strlen(folder);
    for (size_t i = 0; i < kb->count; i++)
        if (strncmp(kb->entries[i].file, folder, n) == 0)
            kb->entries[i].file += n + 1;
    for (size_t i = 0; i < kb->family_count; i++)
        if (strncmp(kb->families[i].file, folder, n) == 0)
            kb->families[i].file += n + 1;
}

static int
embed_write(struct kb *kb, char **argv, struct err *err)
{
    struct buf digest, matcher;
    buf_init(&digest, KB_ARENA_MAX);
    buf_init(&matcher, MATCHER_MAX);
    int rc = kb_digest_encode(kb, &digest);
    if (rc)
        err_set(err, rc, "out of memory while writing the digest");
    if (!rc)
        rc = kb_matcher_build(kb, &matcher, err);
    if (!rc)
        rc = file_write_atomic(argv[3], matcher.data, matcher.len, 0644, err);
    if (!rc)
        rc = file_write_atomic(argv[2], digest.data, digest.len, 0644, err);
    buf_done(&digest);
    buf_done(&matcher);
    return rc;
}

/* Every check; the number of problems. */
static int
embed_lint(const char *folder)
{
    struct err err = {0};
    struct buf text;
    struct kb *kb = NULL;
    char line[1024];
    buf_init(&text, 4u << 20);
    int rc = kb_load_folder(folder, &kb, &text, &err), found = rc ? 1 : kb_lint(kb, &text);
    if (rc)
        buf_printf(&text, "%s\n", err_format(&err, line, sizeof line));
    found += !rc && text.len && !found;
    fputs(buf_str(&text), stderr);
    if (!rc)
        printf("%zu entries, %s\n", kb_count(kb), found ? "with problems" : "no problem");
    buf_done(&text);
    kb_free(kb);
    return found;
}

static int
embed_make(char **argv)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, 4u << 20);
    struct kb_problems problems = {.out = &text}, links = {.out = &text};
    struct kb *kb = kb_new();
    int rc = kb ? kb_read_folder(kb, argv[1], false, &problems, &err)
                : err_set(&err, ERR_NOMEM, "out of memory");
    if (!rc)
        rc = kb_finish(kb, &links);
    fputs(buf_str(&text), stderr);
    if (!rc && problems.count)
        rc = err_set(&err, ERR_SYNTAX, "the entries have %zu problems", problems.count);
    if (!rc) {
        embed_shorten(kb, argv[1]);
        rc = embed_write(kb, argv, &err);
    }
    char line[1024];
    if (rc)
        fprintf(stderr, "kb-embed: %s\n", err_format(&err, line, sizeof line));
    buf_done(&text);
    kb_free(kb);
    return rc;
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--lint") == 0)
        return embed_lint(argv[2]) ? 1 : 0;
    if (argc == 4)
        return embed_make(argv) ? 1 : 0;
    fprintf(stderr, "usage: kb-embed ENTRIES DIGEST MATCHER | kb-embed --lint ENTRIES\n");
    return 3;
}
