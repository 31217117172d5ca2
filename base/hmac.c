/* hmac: GnuTLS does the work. */
#include "base/hmac.h"

#include "base/err.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

int
hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
            uint8_t out[HMAC_SHA256_SIZE])
{
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_len, data, len, out) ? ERR_UNSUPPORTED : 0;
}

int
hmac_hash_sha256(const void *data, size_t len, uint8_t out[HMAC_SHA256_SIZE])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, out) ? ERR_UNSUPPORTED : 0;
}

int
hmac_base64(const void *data, size_t len, struct buf *out)
{
    gnutls_datum_t in = {(unsigned char *)(uintptr_t)data, (unsigned)len}, text = {0};
    if (gnutls_base64_encode2(&in, &text))
        return ERR_NOMEM;
    int rc = buf_append(out, text.data, text.size);
    gnutls_free(text.data);
    return rc;
}
