/* err: one error convention and one table of its texts.
 *
 * Every function that can fail returns 0 or a count, or a negative enum err_code. Where a person
 * will read the cause, the last parameter is a struct err *, which may be NULL; it is written only
 * on failure. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
    ERR_OK = 0,
    ERR_NOMEM = -1,  /* out of memory, or an allocation limit */
    ERR_IO = -2,     /* the operating system refused; errno text in the sentence */
    ERR_SYNTAX = -3, /* input is not of its format */
    ERR_RANGE = -4,  /* a value is outside what is allowed */
    ERR_LIMIT = -5,  /* a ceiling (size, depth, count) was reached */
    ERR_NOTFOUND = -6,
    ERR_EXISTS = -7,
    ERR_STATE = -8, /* not possible in the present state */
    ERR_TIMEOUT = -9,
    ERR_DENIED = -10,
    ERR_UNSUPPORTED = -11,
    ERR_CORRUPT = -12, /* a checksum or structure on disk or wire is wrong */
    ERR_BUSY = -13,    /* overload: come again */
    ERR_FULL = -14,    /* the disk or a spool is full */
    ERR_CLOSED = -15,  /* the other side, or this object, is closed */
    ERR_USAGE = -16,   /* the caller's arguments */
};

struct err {
    int code;              /* enum err_code */
    unsigned line, column; /* 1-based position in `file`, 0 when there is none */
    char file[160];        /* name of the input, empty when there is none */
    char text[512];        /* one sentence, without position */
};

/* The short name of a code ("not_found"), for JSON errors, and its sentence. Never NULL. */
const char *err_name(int code);
const char *err_text(int code);

/* Writes code and sentence into err (may be NULL), clears the position, and returns code. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with strerror(errno) appended; code is ERR_FULL for ENOSPC and EDQUOT, ERR_NOMEM for
 * ENOMEM, ERR_NOTFOUND for ENOENT, ERR_DENIED for EACCES and EPERM, else ERR_IO. */
int err_set_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds the position to an error that has none yet. Returns err->code. */
int err_at(struct err *err, const char *file, unsigned line, unsigned column);
/* "file:line:col: sentence" into out, always terminated; returns out. */
const char *err_format(const struct err *err, char *out, size_t size);

#endif
