/* secret: random tokens, their hashes, and passwords. The one file that knows argon2. */
#include "web/secret.h"

#include "base/buf.h"
#include "base/hmac.h"
#include "base/str.h"

#include <argon2.h>
#include <stdio.h>
#include <string.h>

/* OWASP's least for Argon2id: 19 MiB, two passes, one lane. */
#define SECRET_PASSES 2u
#define SECRET_KIB    19456u

static void
secret_url_form(struct buf *b)
{
    while (b->len && b->data[b->len - 1] == '=')
        b->data[--b->len] = 0;
    for (size_t i = 0; i < b->len; i++)
        b->data[i] = b->data[i] == '+' ? '-' : b->data[i] == '/' ? '_' : b->data[i];
}

int
secret_new(const char *prefix, char out[SECRET_SIZE], struct err *err)
{
    unsigned char raw[32];
    struct buf text;
    int rc = file_random(raw, sizeof raw);
    if (rc)
        return err_set(err, rc, "the system gives no random bytes");
    buf_init(&text, 128);
    rc = hmac_base64(raw, sizeof raw, &text);
    if (!rc)
        secret_url_form(&text);
    if (rc || text.failed)
        rc = err_set(err, ERR_NOMEM, "no memory for a token");
    else
        snprintf(out, SECRET_SIZE, "%s%s", prefix, buf_str(&text));
    buf_done(&text);
    return rc;
}

void
secret_hash(const char *text, char out[SECRET_HASH_SIZE])
{
    uint8_t sum[HMAC_SHA256_SIZE] = {0};
    hmac_hash_sha256(text, strlen(text), sum);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

bool
secret_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    unsigned diff = 0;
    if (n != strlen(b)) /* the length is no secret */
        return false;
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned)(a[i] ^ b[i]);
    return !diff;
}

int
secret_password_hash(const char *password, char out[SECRET_PASSWORD_SIZE], struct err *err)
{
    unsigned char salt[16];
    int rc = file_random(salt, sizeof salt);
    if (rc)
        return err_set(err, rc, "the system gives no random bytes");
    rc = argon2id_hash_encoded(SECRET_PASSES, SECRET_KIB, 1, password, strlen(password), salt,
                               sizeof salt, 32, out, SECRET_PASSWORD_SIZE);
    return rc ? err_set(err, ERR_NOMEM, "the password: %s", argon2_error_message(rc)) : 0;
}

bool
secret_password_ok(const char *stored, const char *password)
{
    char spare[SECRET_PASSWORD_SIZE];
    if (stored && *stored)
        return argon2id_verify(stored, password, strlen(password)) == ARGON2_OK;
    secret_password_hash(password, spare, NULL);
    return false;
}
