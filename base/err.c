/* err: the table of error names and sentences, and the functions that fill struct err. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} err_rows[] = {
    [-ERR_OK] = {"ok", "done"},
    [-ERR_NOMEM] = {"no_memory", "out of memory"},
    [-ERR_IO] = {"io", "the operating system refused"},
    [-ERR_SYNTAX] = {"syntax", "the input is not of its format"},
    [-ERR_RANGE] = {"range", "a value is out of range"},
    [-ERR_LIMIT] = {"limit", "a limit was reached"},
    [-ERR_NOTFOUND] = {"not_found", "not found"},
    [-ERR_EXISTS] = {"exists", "it exists already"},
    [-ERR_STATE] = {"state", "not possible in the present state"},
    [-ERR_TIMEOUT] = {"timeout", "it took too long"},
    [-ERR_DENIED] = {"denied", "not allowed"},
    [-ERR_UNSUPPORTED] = {"unsupported", "not supported"},
    [-ERR_CORRUPT] = {"corrupt", "the data is damaged"},
    [-ERR_BUSY] = {"busy", "overloaded, try again"},
    [-ERR_FULL] = {"full", "no space left"},
    [-ERR_CLOSED] = {"closed", "closed"},
    [-ERR_USAGE] = {"usage", "wrong arguments"},
};

static size_t
err_row(int code)
{
    size_t i = code <= 0 ? (size_t)-code : 0;
    return i < sizeof err_rows / sizeof *err_rows ? i : (size_t)-ERR_IO;
}

const char *
err_name(int code)
{
    return err_rows[err_row(code)].name;
}

const char *
err_text(int code)
{
    return err_rows[err_row(code)].text;
}

static void
err_fill(struct err *err, int code, const char *fmt, va_list ap)
{
    err->code = code;
    err->line = err->column = 0;
    err->file[0] = 0;
    vsnprintf(err->text, sizeof err->text, fmt, ap);
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err_fill(err, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

static int
err_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOENT:
        return ERR_NOTFOUND;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

int
err_set_errno(struct err *err, const char *fmt, ...)
{
    int e = errno, code = err_of_errno(e);
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err_fill(err, code, fmt, ap);
        va_end(ap);
        size_t n = strlen(err->text);
        snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(e));
    }
    return code;
}

int
err_at(struct err *err, const char *file, unsigned line, unsigned column)
{
    if (!err)
        return ERR_SYNTAX;
    if (!err->line) {
        err->line = line;
        err->column = column;
    }
    if (!err->file[0] && file)
        snprintf(err->file, sizeof err->file, "%s", file);
    return err->code;
}

const char *
err_format(const struct err *err, char *out, size_t size)
{
    if (err->file[0] && err->line)
        snprintf(out, size, "%s:%u:%u: %s", err->file, err->line, err->column, err->text);
    else if (err->line)
        snprintf(out, size, "line %u column %u: %s", err->line, err->column, err->text);
    else if (err->file[0])
        snprintf(out, size, "%s: %s", err->file, err->text);
    else
        snprintf(out, size, "%s", err->text);
    return out;
}
