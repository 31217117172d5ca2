/* auth: who asks. Tokens, users, sessions, one-time sign-in codes: each a catalog document that
 * holds hashes only.
 *
 *   kind     id                     says
 *   token    t-HASH12, admin, agent-NODE   name role tenant created expires last_used node; key:
 * the hash user     NAME                   role tenant disabled last_seen password (Argon2id)
 *   session  HASH                   principal created expires
 *   signin   HASH                   principal expires; gone once used
 *
 * A session holds no rights of its own: it names its principal ("user:ann", "token:t-0123"), whose
 * present role counts. */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include "base/httpd.h"

#include <stdint.h>

#define AUTH_COOKIE     "myriascope_session"
#define AUTH_SESSION_MS (INT64_C(14) * 86400 * 1000)
#define AUTH_CODE_MS    (INT64_C(15) * 60 * 1000)
/* What tokens begin with, so that scanners of leaked secrets know them. */
#define AUTH_TOKEN "mst_"

struct web;
struct auth;

struct principal {
    struct identity who;
    char id[96]; /* "user:NAME" or "token:ID" */
    bool join; /* a token of role agent that is bound to no node (who.name is ""): it may join, and
                  nothing else */
};

int auth_new(struct web *w, struct auth **ret,
             struct err *err); /* writes STATE/admin.token at first start */
void auth_free(struct auth *a);

/* 0 or ERR_DENIED; expired, revoked and disabled ones are denied like unknown ones. */
int auth_by_token(struct auth *a, const char *token, struct principal *ret);
/* ERR_BUSY after AUTH_TRIES failures of this user from this address within five minutes. */
int auth_by_password(struct auth *a, const char *peer, const char *user, const char *password,
                     struct principal *ret);
int auth_by_code(struct auth *a, const char *code, struct principal *ret); /* the code is used up */
/* A session for the principal; the cookie's value in ret. */
int auth_session_open(struct auth *a, const struct principal *p, char ret_cookie[64],
                      struct err *err);
void auth_session_close(struct auth *a, const char *cookie);
/* Makes a token document. id NULL: made from the hash. expires_ms 0: never. node NULL: not bound.
 * ret_token holds "" (a random one is made) or the token to take. */
struct token_spec {
    const char *id, *name, *tenant, *node;
    enum role role;
    int64_t expires_ms;
};
int auth_token_make(struct auth *a, const struct token_spec *spec, char ret_token[64],
                    char ret_id[64], struct err *err);

#endif
