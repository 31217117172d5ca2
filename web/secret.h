/* secret: random tokens, their hashes, and passwords. What is stored never lets anyone in. */
#ifndef WEB_SECRET_H
#define WEB_SECRET_H

#include "base/err.h"

#include <stdbool.h>

#define SECRET_SIZE          64 /* text of a token, with its end */
#define SECRET_HASH_SIZE     65 /* SHA-256 in hex, with its end */
#define SECRET_PASSWORD_SIZE 160

/* 256 random bits as "PREFIX" and 43 characters of base64url (RFC 4648, section 5). */
int secret_new(const char *prefix, char out[SECRET_SIZE], struct err *err);
/* SHA-256 in hex: enough for secrets of 256 bits, which nobody can guess from it. */
void secret_hash(const char *text, char out[SECRET_HASH_SIZE]);
/* Compares in a time that does not tell where they differ. */
bool secret_equal(const char *a, const char *b);
/* Argon2id (RFC 9106) in its own text form, salt and costs inside. About 50 ms and 19 MiB each. */
int secret_password_hash(const char *password, char out[SECRET_PASSWORD_SIZE], struct err *err);
/* stored NULL or "" takes as long as a real one and is false. */
bool secret_password_ok(const char *stored, const char *password);

#endif
