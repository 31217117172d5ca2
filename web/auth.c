/* auth: who asks: bearer token, Basic with the token as password, or the session's cookie.
 *
 * Load: a request a second a browser, one a fifteen seconds a node; each costs one or two reads by
 * primary key. Guessing is bounded where it could succeed, at passwords: AUTH_TRIES failures a user
 * and address in five minutes, one check at a time, so that a flood takes neither memory nor all
 * processors. Tokens have 256 bits: guessing them needs no bound. */
#include "web/auth.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/str.h"
#include "web/secret.h"
#include "web/web_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AUTH_TRIES     10
#define AUTH_WINDOW_MS 300000
#define AUTH_SLOTS     1024
#define AUTH_TOUCH_MS  600000 /* last_used is written at most this often */

struct auth_slot {
    uint64_t who;
    int64_t since_ms;
    unsigned failures;
};

struct auth {
    struct web *w;
    pthread_mutex_t password_lock, lock;
    struct auth_slot slots[AUTH_SLOTS];
};

/* --- documents -------------------------------------------------------------------------------- */

struct auth_doc { /* a copy of a catalog document, parsed */
    struct doc *d;
    const struct doc_node *root;
    char state[32], key[96];
    uint64_t revision;
};

static int
auth_doc_take(void *ctx, const struct catalog_doc *d)
{
    struct auth_doc *out = ctx;
    str_copy(out->state, sizeof out->state, d->state);
    str_copy(out->key, sizeof out->key, d->key);
    out->revision = d->revision;
    return doc_parse_json(d->json, d->json_len, d->kind, &out->d, NULL);
}

static int
auth_doc_get(struct auth *a, const char *kind, const char *id, struct auth_doc *ret)
{
    *ret = (struct auth_doc){0};
    int rc = catalog_get(a->w->cfg.store, kind, id, auth_doc_take, ret, NULL);
    if (!rc)
        ret->root = doc_root(ret->d);
    return rc;
}

/* A time member of the document; 0 when null or absent. */
static int64_t
auth_doc_time(const struct auth_doc *d, const char *key)
{
    int64_t ms = 0;
    const char *s = doc_get_str(d->root, key, "");
    return *s && !time_parse(s, &ms) ? ms : 0;
}

static bool
auth_doc_expired(const struct auth *a, const struct auth_doc *d)
{
    int64_t t = auth_doc_time(d, "expires");
    return t && t <= web_now(a->w);
}

/* Writes the document again with `member` set to now, unless that was done lately or somebody
 * changed it meanwhile. */
static void
auth_doc_touch(struct auth *a, const char *kind, const char *id, const struct auth_doc *d,
               const char *member)
{
    int64_t now = web_now(a->w);
    struct buf out;
    struct jsonw w;
    if (now - auth_doc_time(d, member) < AUTH_TOUCH_MS)
        return;
    buf_init(&out, 65536);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    for (const struct doc_node *n = d->root ? d->root->first : NULL; n; n = n->next)
        if (strcmp(n->key, member)) {
            jsonw_key(&w, n->key);
            web_copy_node(&w, n);
        }
    jsonw_ktime(&w, member, now);
    jsonw_end_object(&w);
    struct catalog_change c = {CATALOG_PUT_IF,
                               {.kind = kind,
                                .id = id,
                                .tenant = doc_get_str(d->root, "tenant", ""),
                                .state = d->state,
                                .key = d->key,
                                .time_ms = auth_doc_time(d, "created"),
                                .revision = d->revision,
                                .json = buf_str(&out),
                                .json_len = out.len}};
    if (!out.failed)
        catalog_apply(a->w->cfg.store, &c, 1, NULL, NULL);
    buf_done(&out);
}

/* --- principals ------------------------------------------------------------------------------- */

static int
auth_token_principal(struct auth *a, const char *id, const char *hash, struct principal *ret)
{
    struct auth_doc d;
    if (auth_doc_get(a, "token", id, &d))
        return ERR_DENIED;
    int role = role_find(doc_get_str(d.root, "role", ""));
    const char *node = doc_get_str(d.root, "node", "");
    int rc = role > ROLE_NONE && !strcmp(d.state, "active") && !auth_doc_expired(a, &d) &&
                     (!hash || secret_equal(d.key, hash))
                 ? 0
                 : ERR_DENIED;
    if (!rc) {
        *ret =
            (struct principal){.who.role = (enum role)role, .join = role == ROLE_AGENT && !*node};
        str_copy(ret->who.name, sizeof ret->who.name,
                 *node       ? node
                 : ret->join ? ""
                             : doc_get_str(d.root, "name", id));
        str_copy(ret->who.tenant, sizeof ret->who.tenant, doc_get_str(d.root, "tenant", ""));
        snprintf(ret->id, sizeof ret->id, "token:%s", id);
        auth_doc_touch(a, "token", id, &d, "last_used");
    }
    doc_free(d.d);
    return rc;
}

static int
auth_user_principal(struct auth *a, const char *name, struct principal *ret)
{
    struct auth_doc d;
    if (auth_doc_get(a, "user", name, &d))
        return ERR_DENIED;
    int role = role_find(doc_get_str(d.root, "role", ""));
    int rc = role > ROLE_AGENT && !doc_get_bool(d.root, "disabled", false) ? 0 : ERR_DENIED;
    if (!rc) {
        *ret = (struct principal){.who.role = (enum role)role};
        str_copy(ret->who.name, sizeof ret->who.name, name);
        str_copy(ret->who.tenant, sizeof ret->who.tenant, doc_get_str(d.root, "tenant", ""));
        snprintf(ret->id, sizeof ret->id, "user:%s", name);
        auth_doc_touch(a, "user", name, &d, "last_seen");
    }
    doc_free(d.d);
    return rc;
}

static int
auth_principal(struct auth *a, const char *id, struct principal *ret)
{
    if (str_prefix(id, "user:"))
        return auth_user_principal(a, id + 5, ret);
    return str_prefix(id, "token:") ? auth_token_principal(a, id + 6, NULL, ret) : ERR_DENIED;
}

/* The id that a token's hash gives; the admin's and the agents' have ids of their own and are found
 * by key. */
static int
auth_key_take(void *ctx, const struct catalog_doc *d)
{
    str_copy(ctx, 96, d->id);
    return 0;
}

int
auth_by_token(struct auth *a, const char *token, struct principal *ret)
{
    char hash[SECRET_HASH_SIZE], id[96] = "";
    if (!*token || strlen(token) >= 256)
        return ERR_DENIED;
    secret_hash(token, hash);
    struct catalog_query q = {.kind = "token", .key = hash, .limit = 1};
    if (catalog_list(a->w->cfg.store, &q, auth_key_take, id, NULL, NULL) < 1)
        return ERR_DENIED;
    return auth_token_principal(a, id, hash, ret);
}

static struct auth_slot *
auth_slot_of(struct auth *a, const char *peer, const char *user, int64_t now)
{
    uint64_t h = hash_64(user, strlen(user), hash_64(peer, strlen(peer), 1));
    struct auth_slot *s = &a->slots[h % AUTH_SLOTS];
    if (now - s->since_ms > AUTH_WINDOW_MS || s->since_ms > now)
        *s = (struct auth_slot){.who = h, .since_ms = now};
    return s;
}

/* Counts a failure before the password is looked at: checks that run side by side share the bound.
 */
static bool
auth_may_try(struct auth *a, const char *peer, const char *user)
{
    pthread_mutex_lock(&a->lock);
    struct auth_slot *s = auth_slot_of(a, peer, user, web_now(a->w));
    bool may = s->failures < AUTH_TRIES;
    s->failures += may;
    pthread_mutex_unlock(&a->lock);
    return may;
}

static void
auth_tried_well(struct auth *a, const char *peer, const char *user)
{
    pthread_mutex_lock(&a->lock);
    auth_slot_of(a, peer, user, web_now(a->w))->failures = 0;
    pthread_mutex_unlock(&a->lock);
}

int
auth_by_password(struct auth *a, const char *peer, const char *user, const char *password,
                 struct principal *ret)
{
    struct auth_doc d = {0};
    if (!*user || strlen(password) > 1024)
        return ERR_DENIED;
    if (!auth_may_try(a, peer, user))
        return ERR_BUSY;
    int rc = auth_doc_get(a, "user", user, &d);
    pthread_mutex_lock(&a->password_lock);
    bool ok = secret_password_ok(rc ? NULL : doc_get_str(d.root, "password", NULL), password);
    pthread_mutex_unlock(&a->password_lock);
    if (!rc)
        doc_free(d.d);
    if (!ok)
        return ERR_DENIED;
    auth_tried_well(a, peer, user);
    return auth_user_principal(a, user, ret);
}

int
auth_by_code(struct auth *a, const char *code, struct principal *ret)
{
    char hash[SECRET_HASH_SIZE];
    struct auth_doc d;
    secret_hash(code, hash);
    if (auth_doc_get(a, "signin", hash, &d))
        return ERR_DENIED;
    /* Of two who come with one code at once, one deletes it. */
    int rc = catalog_delete(a->w->cfg.store, "signin", hash, NULL);
    if (!rc && auth_doc_expired(a, &d))
        rc = ERR_DENIED;
    if (!rc)
        rc = auth_principal(a, doc_get_str(d.root, "principal", ""), ret);
    doc_free(d.d);
    return rc ? ERR_DENIED : 0;
}

/* --- making ----------------------------------------------------------------------------------- */

/* {"principal":..., "created":..., "expires":...} under the hash of a secret, kinds session and
 * signin. */
static int
auth_ticket(struct auth *a, const char *kind, const char *principal, int64_t life_ms,
            const char *secret, struct err *err)
{
    char hash[SECRET_HASH_SIZE];
    int64_t now = web_now(a->w);
    struct buf out;
    struct jsonw w;
    secret_hash(secret, hash);
    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "principal", principal);
    jsonw_ktime(&w, "created", now);
    jsonw_ktime(&w, "expires", now + life_ms);
    jsonw_end_object(&w);
    struct catalog_doc d = {.kind = kind,
                            .id = hash,
                            .tenant = "",
                            .state = "active",
                            .key = principal,
                            .time_ms = now + life_ms,
                            .json = buf_str(&out),
                            .json_len = out.len};
    int rc =
        out.failed ? err_set(err, ERR_NOMEM, "no memory") : catalog_put(a->w->cfg.store, &d, err);
    buf_done(&out);
    return rc;
}

struct auth_old {
    char ids[64][96];
    size_t count;
};

static int
auth_old_take(void *ctx, const struct catalog_doc *d)
{
    struct auth_old *o = ctx;
    if (o->count < 64)
        str_copy(o->ids[o->count++], sizeof o->ids[0], d->id);
    return 0;
}

/* Forgets tickets that ended: a few each time a new one is made keep the table small. */
static void
auth_ticket_sweep(struct auth *a, const char *kind)
{
    struct auth_old *o = calloc(1, sizeof *o);
    struct catalog_query q = {
        .kind = kind, .from_ms = 1, .to_ms = web_now(a->w), .limit = 64, .ascending = true};
    if (!o)
        return;
    if (catalog_list(a->w->cfg.store, &q, auth_old_take, o, NULL, NULL) > 0)
        for (size_t i = 0; i < o->count; i++)
            catalog_delete(a->w->cfg.store, kind, o->ids[i], NULL);
    free(o);
}

int
auth_session_open(struct auth *a, const struct principal *p, char ret_cookie[64], struct err *err)
{
    if (p->join || p->who.role == ROLE_AGENT)
        return err_set(err, ERR_DENIED, "a token of role agent opens no session");
    auth_ticket_sweep(a, "session");
    int rc = secret_new("", ret_cookie, err);
    return rc ? rc : auth_ticket(a, "session", p->id, AUTH_SESSION_MS, ret_cookie, err);
}

void
auth_session_close(struct auth *a, const char *cookie)
{
    char hash[SECRET_HASH_SIZE];
    secret_hash(cookie, hash);
    catalog_delete(a->w->cfg.store, "session", hash, NULL);
}

int
web_signin_code(struct web *w, const char *who, char out[80], struct err *err)
{
    struct principal p;
    char id[96];
    const char *name = who && *who ? who : "admin";
    snprintf(id, sizeof id, "user:%s", name);
    if (auth_principal(w->auth, id, &p)) {
        if (strcmp(name, "admin"))
            return err_set(err, ERR_NOTFOUND, "there is no user %s, or it is disabled", name);
        str_copy(id, sizeof id, "token:admin");
    }
    auth_ticket_sweep(w->auth, "signin");
    int rc = secret_new("", out, err);
    return rc ? rc : auth_ticket(w->auth, "signin", id, AUTH_CODE_MS, out, err);
}

int
auth_token_make(struct auth *a, const struct token_spec *spec, char ret_token[64], char ret_id[64],
                struct err *err)
{
    char hash[SECRET_HASH_SIZE];
    struct buf out;
    struct jsonw w;
    int64_t now = web_now(a->w);
    int rc = *ret_token ? 0 : secret_new(AUTH_TOKEN, ret_token, err);
    if (rc)
        return rc;
    secret_hash(ret_token, hash);
    if (spec->id)
        str_copy(ret_id, 64, spec->id);
    else
        snprintf(ret_id, 64, "t-%.12s", hash);
    buf_init(&out, 8192);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", ret_id);
    jsonw_kstr(&w, "name", spec->name);
    jsonw_kstr(&w, "role", role_word(spec->role));
    web_kstr_or_null(&w, "tenant", spec->tenant);
    web_kstr_or_null(&w, "node", spec->node);
    jsonw_ktime(&w, "created", now);
    jsonw_ktime(&w, "expires", spec->expires_ms);
    jsonw_ktime(&w, "last_used", 0);
    jsonw_end_object(&w);
    struct catalog_doc d = {.kind = "token",
                            .id = ret_id,
                            .tenant = spec->tenant ? spec->tenant : "",
                            .state = "active",
                            .key = hash,
                            .time_ms = now,
                            .json = buf_str(&out),
                            .json_len = out.len};
    rc = out.failed ? err_set(err, ERR_NOMEM, "no memory") : catalog_put(a->w->cfg.store, &d, err);
    buf_done(&out);
    return rc;
}

/* --- first start ------------------------------------------------------------------------------ */

/* The admin's token lies in the state folder (0600). Made once; a file that is there already, from
 * a folder that was carried over, is taken. A token that an admin revoked stays revoked. */
static int
auth_first_start(struct auth *a, struct err *err)
{
    char path[4096], token[64] = "", id[64];
    struct auth_doc d;
    struct buf text;
    if (!auth_doc_get(a, "token", "admin", &d)) {
        doc_free(d.d);
        return 0;
    }
    snprintf(path, sizeof path, "%s/admin.token", a->w->cfg.state_folder);
    bool there = file_exists(path);
    if (there) {
        int rc = file_read(path, 256, &text, err);
        if (rc < 0)
            return rc;
        size_t n = strcspn(buf_str(&text), "\r\n");
        bool fits = n >= 32 && n < sizeof token;
        if (fits)
            snprintf(token, sizeof token, "%.*s", (int)n, buf_str(&text));
        buf_done(&text);
        if (!fits)
            return err_set(err, ERR_SYNTAX, "%s holds no token: remove the file and start again",
                           path);
    }
    struct token_spec spec = {.id = "admin", .name = "admin", .role = ROLE_ADMIN};
    int rc = auth_token_make(a, &spec, token, id, err);
    if (rc || there)
        return rc;
    char line[80];
    int n = snprintf(line, sizeof line, "%s\n", token);
    rc = file_write_atomic(path, line, (size_t)n, 0600, err);
    if (rc)
        catalog_delete(a->w->cfg.store, "token", "admin", NULL);
    return rc;
}

int
auth_new(struct web *w, struct auth **ret, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_NOMEM, "no memory");
    a->w = w;
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->password_lock, NULL);
    int rc = auth_first_start(a, err);
    if (rc) {
        auth_free(a);
        return rc;
    }
    *ret = a;
    return 0;
}

void
auth_free(struct auth *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->password_lock);
    free(a);
}

/* --- each request ----------------------------------------------------------------------------- */

/* The password of "Basic BASE64(user:password)" (RFC 7617), which is the token. */
static bool
auth_basic(const char *text, char *out, size_t size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[512];
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (; *text && *text != '='; text++) {
        const char *at = strchr(alphabet, *text);
        if (!at || n + 1 >= sizeof plain)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            plain[n++] = (char)(bits >> have & 0xff);
        }
    }
    plain[n] = 0;
    const char *colon = strchr(plain, ':');
    if (!colon || strlen(plain) != n)
        return false;
    return str_copy(out, size, colon + 1) < size;
}

static int
auth_cookie(struct auth *a, const struct httpd_request *req, const char *cookie,
            struct principal *ret)
{
    char hash[SECRET_HASH_SIZE];
    struct auth_doc d;
    secret_hash(cookie, hash);
    if (auth_doc_get(a, "session", hash, &d))
        return ERR_DENIED;
    int rc = auth_doc_expired(a, &d) ? ERR_DENIED
                                     : auth_principal(a, doc_get_str(d.root, "principal", ""), ret);
    doc_free(d.d);
    const char *with = httpd_header(req, "X-Requested-With");
    bool reads = !strcmp(req->method, "GET") || !strcmp(req->method, "HEAD");
    if (!rc && !reads && (!with || strcmp(with, "myriascope")))
        rc = ERR_USAGE;
    return rc;
}

/* A join token gets a node its own token, and nothing else. */
static bool
auth_join_path(const char *path)
{
    return str_prefix(path, "/api/v1/agents/") && str_suffix(path, "/join");
}

static int
auth_check(void *ctx, const struct httpd_request *req, struct identity *ret_who)
{
    struct auth *a = ctx;
    struct principal p;
    char token[256];
    int rc = ERR_DENIED;
    const char *text = httpd_header(req, "Authorization"), *cookie = httpd_cookie(req, AUTH_COOKIE);
    if (text && !strncasecmp(text, "Bearer ", 7)) {
        text += 7;
        rc = auth_by_token(a, text + strspn(text, " "), &p);
    } else if (text && !strncasecmp(text, "Basic ", 6)) {
        text += 6;
        if (auth_basic(text + strspn(text, " "), token, sizeof token))
            rc = auth_by_token(a, token, &p);
    } else if (!text && cookie) {
        rc = auth_cookie(a, req, cookie, &p);
    }
    if (!rc && p.join && !auth_join_path(req->path))
        rc = ERR_DENIED;
    if (!rc)
        *ret_who = p.who;
    return rc;
}

struct httpd_auth
web_auth(struct web *w)
{
    if (!w->cfg.auth_required)
        return (struct httpd_auth){0};
    return (struct httpd_auth){auth_check, w->auth};
}
