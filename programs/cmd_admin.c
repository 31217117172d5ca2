/* cmd_admin: alerts, silences, tokens, users, rules, the knowledge base, completion. */
#include "analyzer/rules.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "kb/kb.h"
#include "kb/matcher.h"
#include "programs/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
admin_get(const struct cmd_args *a, const char *path, struct doc **ret)
{
    struct buf raw;
    struct err err;
    *ret = NULL;
    if (client_call(a, "GET", path, NULL, 0, ret, &raw, &err))
        return cmd_fail(a, &err);
    if (cmd_json(a)) {
        printf("%s\n", buf_str(&raw));
        doc_free(*ret);
        *ret = NULL;
    }
    buf_done(&raw);
    return CMD_DONE;
}

static const struct doc_node *
admin_items(const struct doc *d)
{
    const struct doc_node *items = d ? doc_get(doc_root(d), "items") : NULL;
    return items ? items->first : NULL;
}

static int
admin_send(const struct cmd_args *a, const char *method, const char *path, const struct buf *body,
           struct doc **ret)
{
    struct err err;
    if (client_call(a, method, path, body ? buf_str(body) : NULL, body ? body->len : 0, ret, NULL,
                    &err))
        return cmd_fail(a, &err);
    return CMD_DONE;
}

/* --- alerts and silences ---------------------------------------------------------------------- */

int
cmd_alerts(struct cmd_args *a)
{
    static const char *const receivers[] = {"RECEIVER",     "KIND",       "STATE",
                                            "LAST SUCCESS", "LAST ERROR", NULL};
    static const char *const deliveries[] = {"DELIVERY", "RECEIVER", "STATE", "ATTEMPTS",
                                             "CREATED",  "ERROR",    NULL};
    struct doc *d = NULL;
    char path[256], attempts[24];
    if (a->count == 2 && !strcmp(a->words[0], "test")) {
        snprintf(path, sizeof path, "/api/v1/alerts/receivers/%s/test", a->words[1]);
        int rc = admin_send(a, "POST", path, NULL, &d);
        if (!rc)
            printf("%s\n", doc_get_str(doc_root(d), "message", "done"));
        rc = !rc && d && !doc_get_bool(doc_root(d), "ok", true) ? CMD_FAILED : rc;
        doc_free(d);
        return rc;
    }
    bool list = a->count == 1 && !strcmp(a->words[0], "deliveries");
    if (a->count && !list)
        return cmd_usage(a, "alerts [deliveries | test RECEIVER]");
    char *url = client_path(list ? "/api/v1/alerts/deliveries" : "/api/v1/alerts/receivers",
                            "state", a->state, "limit", a->limit, NULL);
    int rc = admin_get(a, url, &d);
    free(url);
    if (!d)
        return rc;
    struct table *t = table_new(list ? deliveries : receivers);
    for (const struct doc_node *n = admin_items(d); n; n = n->next) {
        snprintf(attempts, sizeof attempts, "%lld", (long long)doc_get_int(n, "attempts", 0));
        if (list)
            table_row(t, doc_get_str(n, "id", ""), doc_get_str(n, "receiver", ""),
                      doc_get_str(n, "state", ""), attempts, doc_get_str(n, "created", ""),
                      doc_get_str(n, "error", ""));
        else
            table_row(t, doc_get_str(n, "name", ""), doc_get_str(n, "kind", ""),
                      doc_get_str(n, "state", ""), doc_get_str(n, "last_success", "-"),
                      doc_get_str(n, "last_error", "-"));
    }
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

static int
silence_add(const struct cmd_args *a)
{
    struct buf body;
    struct jsonw w;
    char when[TIME_TEXT_SIZE], name[64];
    int64_t ms = 3600000, now = clock_now_ms(NULL);
    struct doc *d = NULL;
    if (a->duration && duration_parse(a->duration, &ms))
        return cmd_usage(a, "--duration %s is no duration such as 2h", a->duration);
    buf_init(&body, 65536);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    jsonw_key(&w, "matchers");
    jsonw_array(&w);
    for (int i = 1; i < a->count; i++) {
        const char *equals = strchr(a->words[i], '=');
        if (!equals) {
            buf_done(&body);
            return cmd_usage(a,
                             "%s is not NAME=VALUE (names: entity node rack cluster job tenant "
                             "class cause severity)",
                             a->words[i]);
        }
        bool regex = equals[1] == '~';
        snprintf(name, sizeof name, "%.*s", (int)(equals - a->words[i]), a->words[i]);
        jsonw_object(&w);
        jsonw_kstr(&w, "name", name);
        jsonw_kstr(&w, "value", equals + 1 + regex);
        jsonw_kbool(&w, "regex", regex);
        jsonw_kbool(&w, "equal", true);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_kstr(&w, "start", time_format(now, when));
    jsonw_kstr(&w, "end", time_format(now + ms, when));
    jsonw_kstr(&w, "comment", a->comment ? a->comment : "");
    jsonw_end_object(&w);
    int rc = admin_send(a, "POST", "/api/v1/alerts/silences", &body, &d);
    if (!rc)
        printf("%s\n", d ? doc_get_str(doc_root(d), "id", "done") : "done");
    doc_free(d);
    buf_done(&body);
    return rc;
}

int
cmd_silence(struct cmd_args *a)
{
    static const char *const heads[] = {"SILENCE", "STATE", "END", "USER", "COMMENT", NULL};
    struct doc *d = NULL;
    char path[256];
    if (a->count >= 2 && !strcmp(a->words[0], "add"))
        return silence_add(a);
    if (a->count == 2 && !strcmp(a->words[0], "expire")) {
        snprintf(path, sizeof path, "/api/v1/alerts/silences/%s", a->words[1]);
        return admin_send(a, "DELETE", path, NULL, NULL);
    }
    if (a->count)
        return cmd_usage(a, "silence [add NAME=VALUE... | expire ID]");
    int rc = admin_get(a, "/api/v1/alerts/silences", &d);
    if (!d)
        return rc;
    struct table *t = table_new(heads);
    for (const struct doc_node *n = admin_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "id", ""), doc_get_str(n, "state", ""),
                  doc_get_str(n, "end", ""), doc_get_str(n, "user", ""),
                  doc_get_str(n, "comment", ""));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

/* --- tokens and users ------------------------------------------------------------------------- */

int
cmd_token(struct cmd_args *a)
{
    static const char *const heads[] = {"TOKEN",   "NAME",    "ROLE", "TENANT",
                                        "CREATED", "EXPIRES", NULL};
    struct doc *d = NULL;
    struct buf body;
    struct jsonw w;
    char path[256];
    if (a->count == 2 && !strcmp(a->words[0], "revoke")) {
        snprintf(path, sizeof path, "/api/v1/tokens/%s", a->words[1]);
        return admin_send(a, "DELETE", path, NULL, NULL);
    }
    if (a->count == 1 && !strcmp(a->words[0], "create")) {
        if (!a->role)
            return cmd_usage(a, "token create needs --role (viewer, operator, admin or agent)");
        buf_init(&body, 4096);
        jsonw_init(&w, &body);
        jsonw_object(&w);
        jsonw_kstr(&w, "name", a->name ? a->name : a->role);
        jsonw_kstr(&w, "role", a->role);
        jsonw_kstr(&w, "tenant", a->tenant);
        jsonw_kstr(&w, "expires", a->expires);
        jsonw_end_object(&w);
        int rc = admin_send(a, "POST", "/api/v1/tokens", &body, &d);
        if (!rc && d)
            printf("%s\n", doc_get_str(doc_root(d), "token", ""));
        doc_free(d);
        buf_done(&body);
        return rc;
    }
    if (a->count)
        return cmd_usage(a, "token [create --role ROLE --expires 1h | revoke ID]");
    int rc = admin_get(a, "/api/v1/tokens", &d);
    if (!d)
        return rc;
    struct table *t = table_new(heads);
    for (const struct doc_node *n = admin_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "id", ""), doc_get_str(n, "name", ""),
                  doc_get_str(n, "role", ""), doc_get_str(n, "tenant", "-"),
                  doc_get_str(n, "created", ""), doc_get_str(n, "expires", "never"));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

static int
user_set(const struct cmd_args *a)
{
    struct buf body, password;
    struct jsonw w;
    struct err err;
    char path[256];
    buf_init(&password, 4096);
    if (a->password_file &&
        file_read(!strcmp(a->password_file, "-") ? "/dev/stdin" : a->password_file, 4096, &password,
                  &err))
        return cmd_fail(a, &err);
    while (password.len && strchr("\r\n", password.data[password.len - 1]))
        password.data[--password.len] = 0;
    buf_init(&body, 8192);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    if (a->role)
        jsonw_kstr(&w, "role", a->role);
    if (a->tenant)
        jsonw_kstr(&w, "tenant", a->tenant);
    if (a->password_file)
        jsonw_kstr(&w, "password", buf_str(&password));
    jsonw_end_object(&w);
    snprintf(path, sizeof path, "/api/v1/users/%s", a->words[1]);
    int rc = admin_send(a, "PUT", path, &body, NULL);
    buf_done(&body);
    buf_done(&password);
    return rc;
}

int
cmd_user(struct cmd_args *a)
{
    static const char *const heads[] = {"USER", "ROLE", "TENANT", "LAST SEEN", NULL};
    struct doc *d = NULL;
    char path[256];
    if (a->count == 2 && !strcmp(a->words[0], "set"))
        return user_set(a);
    if (a->count == 2 && !strcmp(a->words[0], "remove")) {
        snprintf(path, sizeof path, "/api/v1/users/%s", a->words[1]);
        return admin_send(a, "DELETE", path, NULL, NULL);
    }
    if (a->count == 1 && !strcmp(a->words[0], "signin")) {
        int rc = admin_send(a, "POST", "/api/v1/session/code", NULL, &d);
        if (!rc && d)
            printf("%s/signin?code=%s\n", a->server, doc_get_str(doc_root(d), "code", ""));
        doc_free(d);
        return rc;
    }
    if (a->count)
        return cmd_usage(a,
                         "user [set NAME --role ROLE --password-file FILE | remove NAME | signin]");
    int rc = admin_get(a, "/api/v1/users", &d);
    if (!d)
        return rc;
    struct table *t = table_new(heads);
    for (const struct doc_node *n = admin_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "name", ""), doc_get_str(n, "role", ""),
                  doc_get_str(n, "tenant", "-"), doc_get_str(n, "last_seen", "-"));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

/* --- the server --------------------------------------------------------------------------------
 */

int
cmd_reload(struct cmd_args *a)
{
    if (a->count)
        return cmd_usage(a, "reload takes nothing");
    int rc = admin_send(a, "POST", "/api/v1/reload", NULL, NULL);
    if (!rc)
        puts(a->zh ? "已生效" : "applied");
    return rc;
}

int
cmd_rules(struct cmd_args *a)
{
    struct buf out;
    struct err err;
    int failed = 0;
    if (a->count < 2 || strcmp(a->words[0], "test"))
        return cmd_usage(a, "rules test FILE...");
    buf_init(&out, (size_t)16 << 20);
    for (int i = 1; i < a->count; i++) {
        int n = rules_test_file(a->words[i], &out, &err);
        if (n < 0) {
            buf_done(&out);
            return cmd_fail(a, &err);
        }
        failed += n;
    }
    fputs(buf_str(&out), stdout);
    buf_done(&out);
    return failed ? CMD_FAILED : CMD_DONE;
}

/* --- the knowledge base ----------------------------------------------------------------------- */

static int
kb_search_print(const struct cmd_args *a, const struct kb *kb)
{
    struct kb_hit hits[50];
    struct buf q;
    struct jsonw w;
    struct buf out;
    buf_init(&q, 4096);
    buf_init(&out, (size_t)16 << 20);
    for (int i = 1; i < a->count; i++)
        buf_printf(&q, "%s%s", i > 1 ? " " : "", a->words[i]);
    size_t n = kb_search(kb, buf_str(&q), hits, 50);
    jsonw_init(&w, &out);
    jsonw_array(&w);
    for (size_t i = 0; i < n && i < 50; i++) {
        struct buf one;
        buf_init(&one, (size_t)1 << 20);
        if (cmd_json(a) && !kb_entry_json(hits[i].entry, &one))
            jsonw_raw(&w, buf_str(&one), one.len);
        else
            printf("%-36s %s\n", hits[i].entry->id,
                   a->zh ? hits[i].entry->title.zh : hits[i].entry->title.en);
        buf_done(&one);
    }
    jsonw_end_array(&w);
    if (cmd_json(a))
        printf("%s\n", buf_str(&out));
    else if (!n)
        puts(a->zh ? "没有匹配的条目" : "no entry matches");
    buf_done(&q);
    buf_done(&out);
    return CMD_DONE;
}

static int
kb_show(const struct cmd_args *a, const struct kb *kb)
{
    const struct kb_entry *e = kb_find_code(kb, a->words[1]);
    struct err err;
    struct buf out;
    if (!e)
        return err_set(&err, ERR_NOTFOUND, "no entry has the id %s; try kb search", a->words[1]),
               cmd_fail(a, &err);
    buf_init(&out, (size_t)4 << 20);
    if (cmd_json(a))
        kb_entry_json(e, &out);
    else
        kb_entry_explain(e, a->zh ? "zh" : "en", &out);
    printf("%s\n", buf_str(&out));
    buf_done(&out);
    return CMD_DONE;
}

static int
kb_lint_print(const struct cmd_args *a, const struct kb *kb)
{
    struct buf out;
    buf_init(&out, (size_t)16 << 20);
    int problems = kb_lint(kb, &out);
    fputs(buf_str(&out), stdout);
    printf(a->zh ? "%zu 个条目,%d 个问题\n" : "%zu entries, %d problems\n", kb_count(kb), problems);
    buf_done(&out);
    return problems ? CMD_FAILED : CMD_DONE;
}

int
cmd_kb(struct cmd_args *a)
{
    struct kb *kb = NULL;
    struct err err;
    bool lint = a->count && !strcmp(a->words[0], "lint");
    if (!a->count || (lint && a->count > 2) || (!strcmp(a->words[0], "show") && a->count != 2))
        return cmd_usage(a, "kb search WORDS, kb show ID, or kb lint [FOLDER]");
    if (kb_load(lint && a->count == 2 ? a->words[1] : NULL, &kb, &err))
        return cmd_fail(a, &err);
    int rc = lint                           ? kb_lint_print(a, kb)
             : !strcmp(a->words[0], "show") ? kb_show(a, kb)
             : !strcmp(a->words[0], "search")
                 ? kb_search_print(a, kb)
                 : cmd_usage(a, "kb search WORDS, kb show ID, or kb lint [FOLDER]");
    kb_free(kb);
    return rc;
}

/* --- completion ------------------------------------------------------------------------------- */

int
cmd_completion(struct cmd_args *a)
{
    if (a->count != 1 || (strcmp(a->words[0], "bash") && strcmp(a->words[0], "zsh")))
        return cmd_usage(a, "completion bash, or completion zsh");
    if (!strcmp(a->words[0], "zsh"))
        puts("autoload -U +X bashcompinit && bashcompinit");
    fputs("_myriascope() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  if [[ $cur == -* ]]; then "
          "COMPREPLY=($(compgen -W \"",
          stdout);
    for (size_t i = 0; i < cmd_option_count; i++)
        printf("--%s ", cmd_options[i].option);
    fputs("\" -- \"$cur\")); return; fi\n  if [[ $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W "
          "\"",
          stdout);
    for (size_t i = 0; i < cmd_row_count; i++)
        printf("%s ", cmd_rows[i].command);
    puts("\" -- \"$cur\")); return; fi\n  COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -F "
         "_myriascope myriascope");
    return CMD_DONE;
}
