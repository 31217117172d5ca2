/* cmd: what all subcommands share: errors, languages, tables, and the server's client. */
#include "programs/cmd.h"

#include "base/httpc.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_ANSWER_MAX ((size_t)256 << 20)
#define TABLE_COLUMNS     12

int
cmd_fail(const struct cmd_args *a, const struct err *err)
{
    char text[1024];
    (void)a;
    fflush(stdout);
    fprintf(stderr, "myriascope: %s\n", err_format(err, text, sizeof text));
    return CMD_FAILED;
}

int
cmd_usage(const struct cmd_args *a, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "myriascope%s%s: ", a->command ? " " : "", a->command ? a->command : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return CMD_USAGE;
}

bool
cmd_json(const struct cmd_args *a)
{
    return !strcmp(a->format, "json");
}

bool
cmd_colour(void)
{
    const char *none = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(none && *none);
}

const char *
cmd_text(const struct cmd_args *a, const struct doc_node *text)
{
    return doc_get_str(text, a->zh ? "zh" : "en", doc_str(text, ""));
}

/* --- client ----------------------------------------------------------------------------------- */

/* The admin's token of a server on this machine, where it can be read. */
static const char *
client_token_file(const struct cmd_args *a, char out[512])
{
    static const char *const places[] = {"./state/admin.token", "/var/lib/myriascope/admin.token"};
    const char *dir = getenv("STATE_DIRECTORY"), *home = getenv("MYRIASCOPE_STATE");
    if (a->token_file && *a->token_file)
        return a->token_file;
    const char *folders[] = {home, dir};
    for (size_t i = 0; i < 2; i++) {
        snprintf(out, 512, "%s/admin.token", folders[i] ? folders[i] : "");
        if (folders[i] && *folders[i] && !access(out, R_OK))
            return out;
    }
    for (size_t i = 0; i < 2; i++)
        if (!access(places[i], R_OK))
            return places[i];
    return NULL;
}

static int
client_token(const struct cmd_args *a, struct buf *token, struct err *err)
{
    char path[512];
    const char *file = client_token_file(a, path);
    buf_init(token, 4096);
    int rc = file ? file_read(file, 4096, token, err) : 0;
    while (!rc && token->len && strchr("\r\n ", token->data[token->len - 1]))
        token->data[--token->len] = 0;
    return rc;
}

static int
client_status(const struct cmd_args *a, const struct httpc_response *r, const struct doc *d,
              struct err *err)
{
    static const struct {
        int status, code;
    } codes[] = {{400, ERR_SYNTAX},   {401, ERR_DENIED}, {403, ERR_DENIED},
                 {404, ERR_NOTFOUND}, {409, ERR_STATE},  {429, ERR_BUSY}};
    const struct doc_node *e = d ? doc_get(doc_root(d), "error") : NULL;
    const char *said = doc_get_str(e, "message", doc_str(e, ""));
    int code = ERR_IO;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == r->status)
            code = codes[i].code;
    if (r->status == 401)
        return err_set(
            err, code,
            "%s wants a token: give --token-file, or run as a user who can read STATE/admin.token",
            a->server);
    return err_set(err, code, "%s answered %d%s%s", a->server, r->status, *said ? ": " : "", said);
}

int64_t
client_timeout(const struct cmd_args *a)
{
    double s = a->timeout ? strtod(a->timeout, NULL) : 0;
    return s > 0 && s < 86400 ? (int64_t)(s * 1000) : 120000;
}

int
client_call(const struct cmd_args *a, const char *method, const char *path, const char *body,
            size_t len, struct doc **ret, struct buf *raw, struct err *err)
{
    struct buf token, url;
    struct httpc_response resp = {0};
    struct doc *d = NULL;
    struct httpc *c = httpc_new();
    int rc = c ? client_token(a, &token, err) : err_set(err, ERR_NOMEM, "no memory");
    static const char *const headers[] = {"X-Requested-With: myriascope", NULL};
    if (!c || rc)
        goto out;
    buf_init(&url, 65536);
    buf_printf(&url, "%.*s%s", (int)strcspn(a->server, " ") - (str_suffix(a->server, "/") ? 1 : 0),
               a->server, path);
    struct httpc_request req = {.method = method,
                                .url = buf_str(&url),
                                .body = body,
                                .body_len = len,
                                .headers = headers,
                                .bearer = token.len ? buf_str(&token) : NULL,
                                .timeout_ms = (unsigned)client_timeout(a),
                                .max_body = CLIENT_ANSWER_MAX};
    rc = httpc_fetch(c, &req, &resp, err);
    if (!rc && resp.body.len && str_prefix(resp.content_type, "application/json"))
        rc = doc_parse_json(buf_str(&resp.body), resp.body.len, "answer", &d, err);
    if (!rc && (resp.status < 200 || resp.status > 299))
        rc = client_status(a, &resp, d, err);
    if (!rc && raw) {
        buf_init(raw, CLIENT_ANSWER_MAX);
        buf_append(raw, buf_str(&resp.body), resp.body.len);
    }
    httpc_response_done(&resp);
    buf_done(&url);
out:
    if (c)
        buf_done(&token);
    httpc_free(c);
    if (!rc && ret)
        *ret = d;
    else
        doc_free(d);
    return rc;
}

char *
client_path(const char *path, ...)
{
    struct buf b;
    va_list ap;
    const char *name;
    char sep = '?';
    buf_init(&b, 65536);
    str_percent_encode(&b, path, "/:");
    va_start(ap, path);
    while ((name = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);
        if (!value)
            continue;
        buf_printf(&b, "%c%s=", sep, name);
        str_percent_encode(&b, value, "");
        sep = '&';
    }
    va_end(ap);
    return buf_take(&b, NULL);
}

/* --- tables ----------------------------------------------------------------------------------- */

struct table {
    size_t columns, rows, cap;
    char **cells;
};

struct table *
table_new(const char *const *heads)
{
    struct table *t = calloc(1, sizeof *t);
    while (t && heads[t->columns] && t->columns < TABLE_COLUMNS)
        t->columns++;
    if (t && (t->cells = calloc(t->columns, sizeof *t->cells))) {
        t->rows = t->cap = 1;
        for (size_t i = 0; i < t->columns; i++)
            t->cells[i] = strdup(heads[i]);
    }
    return t;
}

void
table_row(struct table *t, ...)
{
    va_list ap;
    if (!t || !t->cells)
        return;
    if (t->rows == t->cap) {
        char **p = realloc(t->cells, t->cap * 2 * t->columns * sizeof *p);
        if (!p)
            return;
        t->cells = p;
        t->cap *= 2;
    }
    va_start(ap, t);
    for (size_t i = 0; i < t->columns; i++) {
        const char *s = va_arg(ap, const char *);
        t->cells[t->rows * t->columns + i] = strdup(s ? s : "");
    }
    va_end(ap);
    t->rows++;
}

/* Columns that a terminal uses: wide for CJK, none for bytes that go on a character. */
static size_t
table_width(const char *s)
{
    size_t w = 0;
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c & 0xc0) == 0x80)
            continue;
        w += c >= 0xe3 && c <= 0xed ? 2 : 1;
    }
    return w;
}

void
table_print(struct table *t)
{
    size_t widths[TABLE_COLUMNS] = {0};
    for (size_t r = 0; t && t->cells && r < t->rows; r++)
        for (size_t i = 0; i < t->columns; i++) {
            size_t w = table_width(t->cells[r * t->columns + i]);
            widths[i] = w > widths[i] ? w : widths[i];
        }
    bool colour = cmd_colour();
    for (size_t r = 0; t && t->cells && r < t->rows; r++) {
        fputs(r == 0 && colour ? "\033[1m" : "", stdout);
        for (size_t i = 0; i < t->columns; i++) {
            char *cell = t->cells[r * t->columns + i];
            fputs(cell ? cell : "", stdout);
            for (size_t k = table_width(cell); i + 1 < t->columns && k < widths[i] + 2; k++)
                fputc(' ', stdout);
            free(cell);
        }
        fputs(r == 0 && colour ? "\033[0m\n" : "\n", stdout);
    }
    if (t)
        free(t->cells);
    free(t);
}
