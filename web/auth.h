/* auth: who asks. Tokens, users, sessions, one-time sign-in codes; each a catalog document that holds hashes only. */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include "base/httpd.h"

struct web;
struct auth;
int auth_new(struct web *w, struct auth **ret, struct err *err);   /* writes STATE/admin.token at first start */
void auth_free(struct auth *a);

#endif
