/* alert_send: one function a kind, in a table; the formats are those the services document.
 *
 * DingTalk: custom robot, markdown message, sign = base64(HMAC-SHA256(secret, "timestamp\nsecret"))
 * in the URL. Feishu: custom bot, text message, sign = base64(HMAC-SHA256("timestamp\nsecret", ""))
 * in the body. WeCom: group robot, markdown. Alertmanager: POST /api/v2/alerts. */
#include "analyzer/alert_send.h"

#include "analyzer/alert_spawn.h"
#include "analyzer/incident_doc.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_TEXT_MAX ((size_t)1 << 20)
#define ALERT_HEADERS  16

struct alert_out {
    struct httpc *http;
    const struct alert_receiver *r;
    const struct alert_message *m;
    struct buf *note;
    struct err *err;
};

/* --- HTTP ------------------------------------------------------------------------------------- */

static int
alert_status(const struct alert_out *o, const struct httpc_response *resp)
{
    buf_printf(o->note, "%d in %.0f ms", resp->status, resp->seconds * 1000);
    if (resp->status >= 200 && resp->status < 300)
        return 0;
    bool again = resp->status >= 500 || resp->status == 429 || resp->status == 408;
    return err_set(o->err, again ? ERR_IO : ERR_RANGE, "%s answered %d: %.200s", o->r->name,
                   resp->status, buf_str(&resp->body));
}

static int
alert_post(const struct alert_out *o, const struct alert_http *conf, const char *url,
           const struct buf *body,
           int (*judge)(const struct alert_out *o, const struct httpc_response *resp))
{
    char key[320];
    const char *headers[ALERT_HEADERS + 3] = {"Content-Type: application/json", key};
    struct buf token;
    struct httpc_response resp;
    size_t n = 2;
    snprintf(key, sizeof key, "Idempotency-Key: %s", o->m->idempotency_key);
    for (size_t i = 0; i < conf->headers.count && i < ALERT_HEADERS; i++)
        headers[n++] = conf->headers.at[i];
    buf_init(&token, 65536);
    int rc = conf->bearer_file ? file_read(conf->bearer_file, 65536, &token, o->err) : 0;
    while (token.len && strchr("\r\n ", token.data[token.len - 1]))
        token.data[--token.len] = 0;
    struct httpc_request req = {.method = "POST",
                                .url = url,
                                .body = buf_str(body),
                                .body_len = body->len,
                                .headers = headers,
                                .bearer = token.len ? buf_str(&token) : NULL,
                                .ca = conf->ca,
                                .insecure = conf->insecure,
                                .timeout_ms = (unsigned)o->r->timeout_ms,
                                .max_body = 65536};
    if (!rc && !(rc = httpc_fetch(o->http, &req, &resp, o->err))) {
        rc = alert_status(o, &resp);
        if (!rc && judge)
            rc = judge(o, &resp);
        httpc_response_done(&resp);
    }
    buf_done(&token);
    return rc;
}

static int
alert_webhook(const struct alert_out *o)
{
    struct buf body;
    buf_init(&body, ALERT_TEXT_MAX * 8);
    alert_payload(o->m, o->r->name, &body);
    int rc = alert_post(o, &o->r->webhook, o->r->webhook.url, &body, NULL);
    buf_done(&body);
    return rc;
}

/* Chat services answer 200 with an error code in the body. */
static int
alert_chat_judge(const struct alert_out *o, const struct httpc_response *resp)
{
    struct doc *d = NULL;
    if (doc_parse_json(buf_str(&resp->body), resp->body.len, o->r->name, &d, NULL))
        return 0;
    int64_t code =
        doc_get_int(doc_root(d), "errcode",
                    doc_get_int(doc_root(d), "code", doc_get_int(doc_root(d), "StatusCode", 0)));
    int rc = code ? err_set(o->err, ERR_IO, "%s refused it with code %lld: %.200s", o->r->name,
                            (long long)code, buf_str(&resp->body))
                  : 0;
    doc_free(d);
    return rc;
}

static int
alert_chat(const struct alert_out *o, const struct alert_http *conf, const char *url,
           void (*write)(struct jsonw *w, const char *subject, const char *text, void *ctx),
           void *ctx)
{
    struct buf body, subject, text;
    struct jsonw w;
    buf_init(&body, ALERT_TEXT_MAX);
    buf_init(&subject, 4096);
    buf_init(&text, 65536);
    alert_subject(o->m, o->r->lang, &subject);
    alert_body(o->m, o->r->lang, &text);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    write(&w, buf_str(&subject), buf_str(&text), ctx);
    jsonw_end_object(&w);
    int rc = alert_post(o, conf, url, &body, alert_chat_judge);
    buf_done(&body);
    buf_done(&subject);
    buf_done(&text);
    return rc;
}

static void
alert_dingtalk_write(struct jsonw *w, const char *subject, const char *text, void *ctx)
{
    (void)ctx;
    jsonw_kstr(w, "msgtype", "markdown");
    jsonw_key(w, "markdown");
    jsonw_object(w);
    jsonw_kstr(w, "title", subject);
    jsonw_kstr(w, "text", text);
    jsonw_end_object(w);
}

static int
alert_sign(const void *key, size_t key_len, const void *data, size_t len, struct buf *out)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    int rc = hmac_sha256(key, key_len, data, len, mac);
    return rc ? rc : hmac_base64(mac, sizeof mac, out);
}

static int
alert_dingtalk(const struct alert_out *o)
{
    const struct alert_http *c = &o->r->dingtalk;
    struct buf url, sign;
    char text[512];
    buf_init(&url, 8192);
    buf_init(&sign, 256);
    buf_puts(&url, c->url);
    if (c->secret) {
        long long now = (long long)clock_now_ms(NULL);
        int n = snprintf(text, sizeof text, "%lld\n%s", now, c->secret);
        alert_sign(c->secret, strlen(c->secret), text, (size_t)n, &sign);
        buf_printf(&url, "%stimestamp=%lld&sign=", strchr(c->url, '?') ? "&" : "?", now);
        str_percent_encode(&url, buf_str(&sign), "");
    }
    int rc = alert_chat(o, c, buf_str(&url), alert_dingtalk_write, NULL);
    buf_done(&url);
    buf_done(&sign);
    return rc;
}

static void
alert_feishu_write(struct jsonw *w, const char *subject, const char *text, void *ctx)
{
    const char *secret = ctx;
    (void)subject;
    if (secret) {
        struct buf sign;
        char when[32], key[512];
        buf_init(&sign, 256);
        snprintf(when, sizeof when, "%lld", (long long)(clock_now_ms(NULL) / 1000));
        int n = snprintf(key, sizeof key, "%s\n%s", when, secret);
        alert_sign(key, (size_t)n, "", 0, &sign);
        jsonw_kstr(w, "timestamp", when);
        jsonw_kstr(w, "sign", buf_str(&sign));
        buf_done(&sign);
    }
    jsonw_kstr(w, "msg_type", "text");
    jsonw_key(w, "content");
    jsonw_object(w);
    jsonw_kstr(w, "text", text);
    jsonw_end_object(w);
}

static int
alert_feishu(const struct alert_out *o)
{
    return alert_chat(o, &o->r->feishu, o->r->feishu.url, alert_feishu_write, o->r->feishu.secret);
}

static void
alert_wecom_write(struct jsonw *w, const char *subject, const char *text, void *ctx)
{
    (void)subject, (void)ctx;
    jsonw_kstr(w, "msgtype", "markdown");
    jsonw_key(w, "markdown");
    jsonw_object(w);
    jsonw_kstr(w, "content", text);
    jsonw_end_object(w);
}

static int
alert_wecom(const struct alert_out *o)
{
    return alert_chat(o, &o->r->wecom, o->r->wecom.url, alert_wecom_write, NULL);
}

/* The alerts list of the webhook payload is what an Alertmanager's API takes. */
static int
alert_alertmanager(const struct alert_out *o)
{
    struct buf payload, body, url;
    struct doc *d = NULL;
    struct jsonw w;
    struct alert_message bare = *o->m;
    buf_init(&payload, ALERT_TEXT_MAX);
    buf_init(&body, ALERT_TEXT_MAX);
    buf_init(&url, 4096);
    bare.incident_json = NULL;
    alert_payload(&bare, o->r->name, &payload);
    int rc = doc_parse_json(buf_str(&payload), payload.len, "payload", &d, o->err);
    if (!rc) {
        jsonw_init(&w, &body);
        incident_doc_copy(doc_get(doc_root(d), "alerts"), &w);
        buf_printf(&url, "%s/api/v2/alerts", o->r->alertmanager.url);
        rc = alert_post(o, &o->r->alertmanager, buf_str(&url), &body, NULL);
    }
    doc_free(d);
    buf_done(&payload);
    buf_done(&body);
    buf_done(&url);
    return rc;
}

/* --- mail ------------------------------------------------------------------------------------- */

/* RFC 2047: a subject in UTF-8 as base64 words of at most 45 bytes each. */
static void
alert_mail_subject(const char *s, struct buf *out)
{
    size_t len = strlen(s);
    buf_puts(out, "Subject:");
    for (size_t i = 0; i < len;) {
        size_t n = len - i > 45 ? 45 : len - i;
        while (n > 1 && i + n < len && ((unsigned char)s[i + n] & 0xc0) == 0x80)
            n--;
        buf_puts(out, " =?UTF-8?B?");
        hmac_base64(s + i, n, out);
        buf_puts(out, i + n < len ? "?=\r\n" : "?=");
        i += n;
    }
    buf_puts(out, "\r\n");
}

static void
alert_mail_text(const struct alert_out *o, const char *subject, const char *text, struct buf *out)
{
    struct buf base64;
    buf_init(&base64, ALERT_TEXT_MAX);
    buf_printf(out, "From: Myriascope <%s>\r\nTo: ", o->r->email.from);
    for (size_t i = 0; i < o->r->email.to.count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", o->r->email.to.at[i]);
    buf_puts(out, "\r\n");
    alert_mail_subject(subject, out);
    buf_printf(out,
               "Message-ID: <%s@myriascope>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
               "charset=UTF-8\r\n"
               "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n",
               o->m->idempotency_key);
    hmac_base64(text, strlen(text), &base64);
    for (size_t i = 0; i < base64.len; i += 76)
        buf_printf(out, "%.76s\r\n", buf_str(&base64) + i);
    buf_done(&base64);
}

static int
alert_email(const struct alert_out *o)
{
    const struct alert_email *c = &o->r->email;
    struct buf subject, text, mail, password;
    const char *to[65] = {0};
    buf_init(&subject, 4096);
    buf_init(&text, 65536);
    buf_init(&mail, ALERT_TEXT_MAX);
    buf_init(&password, 4096);
    for (size_t i = 0; i < c->to.count && i < 64; i++)
        to[i] = c->to.at[i];
    alert_subject(o->m, o->r->lang, &subject);
    alert_body(o->m, o->r->lang, &text);
    alert_mail_text(o, buf_str(&subject), buf_str(&text), &mail);
    int rc = c->password_file ? file_read(c->password_file, 4096, &password, o->err) : 0;
    while (password.len && strchr("\r\n", password.data[password.len - 1]))
        password.data[--password.len] = 0;
    if (!rc)
        rc = httpc_mail(c->smarthost, c->user, c->password_file ? buf_str(&password) : NULL, c->ca,
                        c->from, to, buf_str(&mail), (unsigned)o->r->timeout_ms, o->err);
    if (!rc)
        buf_printf(o->note, "accepted by %s", c->smarthost);
    buf_done(&subject);
    buf_done(&text);
    buf_done(&mail);
    buf_done(&password);
    return rc;
}

/* --- programs and schedulers ------------------------------------------------------------------ */

static int
alert_command(const struct alert_out *o)
{
    const struct conf_strs *argv = &o->r->command.argv;
    struct buf body, out;
    char **copy = calloc(argv->count + 1, sizeof *copy);
    if (!copy)
        return err_set(o->err, ERR_NOMEM, "no memory");
    memcpy(copy, argv->at, argv->count * sizeof *copy);
    buf_init(&body, ALERT_TEXT_MAX * 8);
    buf_init(&out, 65536);
    alert_payload(o->m, o->r->name, &body);
    int rc = alert_spawn(copy, buf_str(&body), body.len, o->r->timeout_ms, &out, o->err);
    if (!rc)
        buf_printf(o->note, "%s ended well", argv->at[0]);
    buf_done(&body);
    buf_done(&out);
    free(copy);
    return rc;
}

static bool
alert_hook_node(const struct alert_out *o, const struct alert_hook *c, char *node, size_t size)
{
    if (o->m->resolved || o->m->heartbeat) {
        buf_puts(o->note, "nothing to do");
        return false;
    }
    if (!o->m->incident || !alert_node(o->m->incident, node, size)) {
        buf_puts(o->note, "no single node to isolate");
        return false;
    }
    if (doc_get_real(o->m->incident, "confidence", 0) < c->confidence) {
        buf_printf(o->note, "confidence below %.2f: left alone", c->confidence);
        return false;
    }
    return true;
}

static int
alert_slurm(const struct alert_out *o)
{
    const struct alert_hook *c = &o->r->slurm;
    char node[128], name[160], reason[320];
    struct buf out;
    if (!alert_hook_node(o, c, node, sizeof node))
        return 0;
    snprintf(name, sizeof name, "NodeName=%s", node);
    snprintf(reason, sizeof reason, "Reason=myriascope:%s:%s",
             doc_get_str(o->m->incident, "id", ""),
             doc_get_str(doc_at(doc_get(o->m->incident, "hypotheses"), 0), "cause", ""));
    char *argv[] = {c->scontrol, "update", name, "State=DRAIN", reason, NULL};
    buf_printf(o->note, "%s%s update %s State=DRAIN %s", c->dry_run ? "dry run: " : "", c->scontrol,
               name, reason);
    if (c->dry_run)
        return 0;
    buf_init(&out, 65536);
    int rc = alert_spawn(argv, "", 0, o->r->timeout_ms, &out, o->err);
    buf_done(&out);
    return rc;
}

static int
alert_kubernetes(const struct alert_out *o)
{
    const struct alert_hook *c = &o->r->kubernetes;
    static const char *const headers[] = {"Content-Type: application/strategic-merge-patch+json",
                                          NULL};
    static const char body[] = "{\"spec\":{\"unschedulable\":true}}";
    char node[128], url[512];
    struct buf token;
    struct httpc_response resp;
    if (!alert_hook_node(o, c, node, sizeof node))
        return 0;
    snprintf(url, sizeof url, "%s/api/v1/nodes/%s", c->url, node);
    buf_printf(o->note, "%sPATCH %s unschedulable=true", c->dry_run ? "dry run: " : "", url);
    if (c->dry_run)
        return 0;
    buf_init(&token, 65536);
    int rc = c->token_file ? file_read(c->token_file, 65536, &token, o->err) : 0;
    while (token.len && strchr("\r\n ", token.data[token.len - 1]))
        token.data[--token.len] = 0;
    struct httpc_request req = {.method = "PATCH",
                                .url = url,
                                .body = body,
                                .body_len = sizeof body - 1,
                                .headers = headers,
                                .bearer = token.len ? buf_str(&token) : NULL,
                                .ca = c->ca,
                                .insecure = c->insecure,
                                .timeout_ms = (unsigned)o->r->timeout_ms};
    if (!rc && !(rc = httpc_fetch(o->http, &req, &resp, o->err))) {
        rc = alert_status(o, &resp);
        httpc_response_done(&resp);
    }
    buf_done(&token);
    return rc;
}

static int (*const alert_senders[ALERT_KINDS])(const struct alert_out *o) = {
    [ALERT_WEBHOOK] = alert_webhook,      [ALERT_EMAIL] = alert_email,
    [ALERT_DINGTALK] = alert_dingtalk,    [ALERT_FEISHU] = alert_feishu,
    [ALERT_WECOM] = alert_wecom,          [ALERT_ALERTMANAGER] = alert_alertmanager,
    [ALERT_COMMAND] = alert_command,      [ALERT_SLURM] = alert_slurm,
    [ALERT_KUBERNETES] = alert_kubernetes};

int
alert_send(struct httpc *http, const struct alert_receiver *r, const struct alert_message *m,
           struct buf *ret_note, struct err *err)
{
    struct alert_out o = {http, r, m, ret_note, err};
    enum alert_kind k = alert_receiver_kind(r);
    return alert_senders[k] ? alert_senders[k](&o)
                            : err_set(err, ERR_UNSUPPORTED, "%s says no way to tell it", r->name);
}
