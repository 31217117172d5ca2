/* cmd_check: a report from the server, and the exit code that plugins and prologs understand. */
#include "analyzer/check.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "programs/cmd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
check_body(const struct cmd_args *a, struct buf *out, struct err *err)
{
    struct jsonw w;
    struct buf text;
    const char *profile = a->profile                      ? a->profile
                          : a->gate || a->nodes || a->job ? "prejob"
                                                          : "full";
    bool file = strcmp(profile, "prejob") && strcmp(profile, "full");
    int rc = file ? file_read(profile, (size_t)1 << 20, &text, err) : 0;
    if (rc)
        return rc;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "profile", profile);
    jsonw_kbool(&w, "active", a->active);
    jsonw_kbool(&w, "busy", a->busy);
    if (file) {
        jsonw_kstr(&w, "profile_text", buf_str(&text));
        buf_done(&text);
    }
    jsonw_key(&w, "scope");
    jsonw_object(&w);
    if (a->nodes)
        jsonw_kstr(&w, "nodes", a->nodes);
    else if (a->job)
        jsonw_kstr(&w, "job", a->job);
    else
        jsonw_kstr(&w, "cluster", "");
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    return 0;
}

/* Answers of long runs come by id: ask until it is done. */
static int
check_wait(const struct cmd_args *a, struct buf *raw, struct err *err)
{
    struct doc *d = NULL;
    char path[256];
    int64_t until = clock_mono_us() + client_timeout(a) * 1000;
    int rc = doc_parse_json(buf_str(raw), raw->len, "report", &d, err);
    while (!rc && !strcmp(doc_get_str(doc_root(d), "state", "done"), "running")) {
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%3.0f %%", doc_get_real(doc_root(d), "progress", 0) * 100);
        snprintf(path, sizeof path, "/api/v1/checks/%s", doc_get_str(doc_root(d), "id", ""));
        doc_free(d);
        d = NULL;
        buf_done(raw);
        if (clock_mono_us() > until)
            return err_set(err, ERR_TIMEOUT, "the check has not ended within %lld s",
                           (long long)(client_timeout(a) / 1000));
        usleep(500000);
        rc = client_call(a, "GET", path, NULL, 0, &d, raw, err);
    }
    doc_free(d);
    return rc;
}

static int
check_gate(const struct cmd_args *a, int code)
{
    return code == 2 || (a->strict && code != 0) ? 1 : 0;
}

static int
check_away(const struct cmd_args *a, const struct err *err)
{
    cmd_fail(a, err);
    if (!a->gate)
        return 3;
    return a->server_away_fails || a->strict ? 1 : 0;
}

int
cmd_check(struct cmd_args *a)
{
    struct buf body, raw, out;
    struct err err;
    if (a->count)
        return cmd_usage(a, "unexpected %s; nodes are given by --nodes", a->words[0]);
    buf_init(&body, (size_t)4 << 20);
    buf_init(&out, (size_t)256 << 20);
    int rc = check_body(a, &body, &err);
    if (!rc)
        rc = client_call(a, "POST", "/api/v1/checks", buf_str(&body), body.len, NULL, &raw, &err);
    buf_done(&body);
    if (!rc)
        rc = check_wait(a, &raw, &err);
    if (rc) {
        buf_done(&out);
        return check_away(a, &err);
    }
    int code = check_exit_code(buf_str(&raw), raw.len);
    if (check_render(buf_str(&raw), raw.len, a->format, a->zh ? "zh" : "en", &out, &err))
        code = cmd_fail(a, &err), code = 3;
    else if (a->output && file_write_atomic(a->output, buf_str(&out), out.len, 0644, &err))
        code = cmd_fail(a, &err), code = 3;
    else if (!a->output)
        fwrite(buf_str(&out), 1, out.len, stdout);
    if (cmd_json(a) && !a->output)
        fputc('\n', stdout);
    buf_done(&raw);
    buf_done(&out);
    return a->gate ? check_gate(a, code) : code;
}
