/* httpc_mail: sends one message by SMTP (RFC 5321), a few an hour. A password is sent over TLS
 * only, except to this machine. */
#include "base/httpc_in.h"

#include <string.h>
#include <strings.h>

#define HTTPC_MAIL_MAX (1u << 20)

struct httpc_mail {
    struct buf text;
    size_t sent;
};

static size_t
httpc_mail_read(char *out, size_t size, size_t count, void *ctx)
{
    struct httpc_mail *m = ctx;
    size_t n = m->text.len - m->sent;
    if (n > size * count)
        n = size * count;
    memcpy(out, buf_str(&m->text) + m->sent, n);
    m->sent += n;
    return n;
}

/* Line ends are CRLF on the wire; dots are stuffed by libcurl. */
static int
httpc_mail_lines(struct buf *out, const char *message)
{
    for (const char *p = message; *p;) {
        size_t n = strcspn(p, "\r\n");
        buf_append(out, p, n);
        buf_puts(out, "\r\n");
        p += n;
        p += *p == '\r';
        p += *p == '\n';
    }
    return out->failed ? ERR_LIMIT : 0;
}

static void
httpc_mail_options(CURL *easy, const char *url, const char *user, const char *password,
                   const char *ca, unsigned timeout_ms)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms ? timeout_ms : 10000));
    bool must = (user || ca) && !httpc_is_loopback(url);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(must ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    if (httpc_is_loopback(url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    if (user) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, password ? password : "");
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
}

static int
httpc_mail_send(CURL *easy, const char *from, const char *const *to, struct httpc_mail *m,
                struct err *err)
{
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *rcpt = NULL;
    for (size_t i = 0; to[i]; i++) {
        struct curl_slist *grown = strpbrk(to[i], "\r\n") ? NULL : curl_slist_append(rcpt, to[i]);
        if (!grown) {
            curl_slist_free_all(rcpt);
            return err_set(err, ERR_USAGE, "a recipient is ill-formed");
        }
        rcpt = grown;
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, rcpt);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, httpc_mail_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, m);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->text.len);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    CURLcode code = curl_easy_perform(easy);
    long reply = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply);
    curl_slist_free_all(rcpt);
    if (!code)
        return 0;
    return err_set(err, httpc_code(code), "mail: %s (the server's last answer was %ld)",
                   *error ? error : curl_easy_strerror(code), reply);
}

int
httpc_mail(const char *url, const char *user, const char *password, const char *ca,
           const char *from, const char *const *to, const char *message, unsigned timeout_ms,
           struct err *err)
{
    struct httpc_mail m = {0};
    if ((strncasecmp(url, "smtp://", 7) && strncasecmp(url, "smtps://", 8)) || !to || !to[0] ||
        strpbrk(from, "\r\n"))
        return err_set(err, ERR_USAGE, "mail needs smtp://host:port, a sender and a recipient");
    buf_init(&m.text, HTTPC_MAIL_MAX);
    int rc = httpc_mail_lines(&m.text, message);
    CURL *easy = rc ? NULL : curl_easy_init();
    if (rc)
        rc = err_set(err, rc, "the message is over %u bytes", HTTPC_MAIL_MAX);
    else if (!easy)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else {
        httpc_mail_options(easy, url, user, password, ca, timeout_ms);
        rc = httpc_mail_send(easy, from, to, &m, err);
    }
    curl_easy_cleanup(easy);
    buf_done(&m.text);
    return rc;
}
