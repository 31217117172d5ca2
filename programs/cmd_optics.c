/* cmd_optics: `myriascope optics decode FILE...`: what modules' memory pages say, one JSON object a
 * module. */
#include "base/buf.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "decode/module.h"
#include "programs/cmd.h"

#include <stdio.h>
#include <string.h>

#define OPTICS_FILE_MAX ((size_t)1 << 20)

static int
optics_read(const char *path, struct buf *ret, struct err *err)
{
    char part[4096];
    if (strcmp(path, "-"))
        return file_read(path, OPTICS_FILE_MAX, ret, err);
    buf_init(ret, OPTICS_FILE_MAX);
    for (size_t n; (n = fread(part, 1, sizeof part, stdin)) > 0;)
        if (buf_append(ret, part, n))
            return err_set(err, ERR_LIMIT, "more than 1 MiB");
    return 0;
}

static int
optics_file(const char *path, struct err *err)
{
    struct buf data, out;
    struct jsonw w;
    size_t next = 0;
    int modules = 0, rc = optics_read(path, &data, err);
    buf_init(&out, (size_t)16 << 20);
    while (!rc) {
        struct module_pages pages;
        struct module m;
        rc = module_pages_parse(buf_str(&data), data.len, &next, &pages, err);
        if (rc <= 0)
            break;
        rc = module_decode(&pages, &m, err);
        if (rc)
            break;
        buf_reset(&out);
        jsonw_init(&w, &out);
        module_json(&m, &w);
        puts(buf_str(&out));
        modules++;
    }
    if (!rc && !modules)
        rc = err_set(err, ERR_SYNTAX, "no module in it");
    buf_done(&data);
    buf_done(&out);
    return rc ? err_at(err, path, err->line, err->column) : 0;
}

int
cmd_optics(struct cmd_args *a)
{
    int rc = CMD_DONE;
    if (a->count < 2 || strcmp(a->words[0], "decode"))
        return cmd_usage(a, "optics decode FILE...");
    for (int i = 1; i < a->count; i++) {
        struct err err = {0};
        if (optics_file(a->words[i], &err))
            rc = cmd_fail(a, &err);
    }
    return rc;
}
