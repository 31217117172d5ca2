/* hmac: HMAC-SHA256 and base64, as chat services ask for to sign a message (RFC 2104, RFC 4648);
 * SHA-256 for tokens. */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/buf.h"

#include <stdint.h>

#define HMAC_SHA256_SIZE 32

int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                uint8_t out[HMAC_SHA256_SIZE]);
int hmac_hash_sha256(const void *data, size_t len, uint8_t out[HMAC_SHA256_SIZE]);
int hmac_base64(const void *data, size_t len, struct buf *out); /* appends, padded */

#endif
