/* cmd_diagnose: with a job the server is asked; else files, folders or standard input are read and
 * nobody is contacted. Standard output holds one diagnosis and nothing else. */
#include "analyzer/offline.h"
#include "base/clock.h"
#include "base/str.h"
#include "kb/kb.h"
#include "kb/matcher.h"
#include "programs/cmd.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
diagnose_print(const struct cmd_args *a, const struct diagnosis *d)
{
    struct buf out;
    struct err err;
    int rc = CMD_DONE;
    buf_init(&out, (size_t)64 << 20);
    if (cmd_json(a)) {
        diagnosis_json(d, &out);
        buf_putc(&out, '\n');
    } else {
        diagnosis_text(d, a->zh ? "zh" : "en", cmd_colour() && !a->output, &out);
    }
    if (a->output && file_write_atomic(a->output, buf_str(&out), out.len, 0644, &err))
        rc = cmd_fail(a, &err);
    else if (!a->output)
        fwrite(buf_str(&out), 1, out.len, stdout);
    buf_done(&out);
    return rc;
}

/* --- progress of long reads ------------------------------------------------------------------- */

struct diagnose_progress {
    struct offline *o;
    pthread_t thread;
    _Atomic bool stop;
    bool running;
};

static void *
diagnose_progress_run(void *ctx)
{
    struct diagnose_progress *p = ctx;
    int64_t start = clock_mono_us();
    bool shown = false;
    while (!atomic_load(&p->stop)) {
        usleep(200000);
        if (clock_mono_us() - start < 2000000)
            continue;
        fprintf(stderr, "\r%.1f GB ", (double)offline_bytes(p->o) / 1e9);
        shown = true;
    }
    if (shown)
        fputs("\r            \r", stderr);
    return NULL;
}

static void
diagnose_progress_start(struct diagnose_progress *p, struct offline *o)
{
    *p = (struct diagnose_progress){.o = o};
    p->running =
        isatty(STDERR_FILENO) && !pthread_create(&p->thread, NULL, diagnose_progress_run, p);
}

static void
diagnose_progress_stop(struct diagnose_progress *p)
{
    if (!p->running)
        return;
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
}

/* --- without a server ------------------------------------------------------------------------- */

static int
diagnose_stdin(struct offline *o, struct err *err)
{
    if (isatty(STDIN_FILENO))
        fputs("myriascope diagnose: reading standard input; end with Ctrl-D\n", stderr);
    return offline_path(o, "/dev/stdin", err);
}

static int
diagnose_offline(const struct cmd_args *a)
{
    struct kb *kb = NULL;
    struct kb_matcher *m = NULL;
    struct offline *o = NULL;
    struct diagnosis *d = NULL;
    struct diagnose_progress p;
    struct err err;
    int rc = kb_load(NULL, &kb, &err);
    if (!rc)
        rc = kb_matcher_builtin(&m, &err);
    if (!rc && !(o = offline_new(kb, m)))
        rc = err_set(&err, ERR_NOMEM, "no memory");
    if (!rc) {
        diagnose_progress_start(&p, o);
        if (a->healthy)
            rc = offline_healthy(o, a->healthy, &err);
        if (!rc && !a->count)
            rc = diagnose_stdin(o, &err);
        for (int i = 0; !rc && i < a->count; i++)
            rc = offline_path(o, !strcmp(a->words[i], "-") ? "/dev/stdin" : a->words[i], &err);
        diagnose_progress_stop(&p);
    }
    if (!rc)
        rc = offline_finish(o, &d, &err);
    rc = rc ? cmd_fail(a, &err) : diagnose_print(a, d);
    diagnosis_free(d);
    offline_free(o);
    kb_matcher_free(m);
    kb_free(kb);
    return rc;
}

/* --- of a server's job ------------------------------------------------------------------------ */

static void
diagnose_show(const struct cmd_args *a, const struct doc_node *n)
{
    const struct doc_node *hs = doc_get(n, "hypotheses"), *h = doc_at(hs, 0);
    printf("%s: %s (%.0f %%)\n", a->zh ? "结论" : "Verdict", doc_get_str(n, "verdict", ""),
           doc_get_real(n, "confidence", 0) * 100);
    if (!h)
        return;
    printf("%s  [%s, %s]\n%s\n", doc_get_str(h, "entity", ""), doc_get_str(h, "cause", ""),
           doc_get_str(h, "class", ""), cmd_text(a, doc_get(h, "summary")));
    const struct doc_node *list = doc_get(h, "evidence");
    printf("\n%s\n", a->zh ? "证据" : "Evidence");
    for (const struct doc_node *e = list ? list->first : NULL; e; e = e->next)
        printf("  %s  %s  [%s]\n    %.300s\n", doc_get_str(e, "time", "-"),
               doc_get_str(e, "entity", ""), doc_get_str(e, "signal", ""),
               doc_get_str(e, "text", ""));
    list = doc_get(h, "actions");
    printf("\n%s\n", a->zh ? "处理建议" : "What to do");
    for (const struct doc_node *e = list ? list->first : NULL; e; e = e->next)
        printf("  - %s\n", cmd_text(a, e));
    for (const struct doc_node *e = h->next; e; e = e->next)
        printf("%s %3.0f %%  %s [%s]\n", e == h->next ? "\n" : "",
               doc_get_real(e, "confidence", 0) * 100, cmd_text(a, doc_get(e, "summary")),
               doc_get_str(e, "cause", ""));
}

int
cmd_diagnose(struct cmd_args *a)
{
    struct buf raw;
    struct doc *d = NULL;
    struct err err;
    char name[512];
    if (!a->job)
        return diagnose_offline(a);
    if (a->count)
        return cmd_usage(a, "either --job or files, not both");
    if (a->healthy)
        return cmd_usage(a, "--healthy compares files: give those of the failed run too");
    snprintf(name, sizeof name, "/api/v1/jobs/%s/diagnosis", a->job);
    char *path = client_path(name, NULL);
    int rc = client_call(a, "GET", path, NULL, 0, &d, &raw, &err);
    free(path);
    if (rc)
        return cmd_fail(a, &err);
    if (cmd_json(a))
        printf("%s\n", buf_str(&raw));
    else
        diagnose_show(a, doc_root(d));
    buf_done(&raw);
    doc_free(d);
    return CMD_DONE;
}
