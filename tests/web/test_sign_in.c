/* Who may what: tokens, codes, sessions, passwords, roles, joining nodes; over HTTP with the
 * server's own sign-in. */
#include "tests/web/web_test.h"

#include "base/hmac.h"
#include "web/auth.h"
#include "web/web_priv.h"

#include <sys/stat.h>

static struct web_test t;
static char admin[128]; /* header with the admin's token */

static int
setup(void **state)
{
    char path[128];
    struct buf text;
    (void)state;
    web_test_open_with(&t, true);
    snprintf(path, sizeof path, "%s/admin.token", t.folder);
    assert_int_equal(file_read(path, 256, &text, NULL), 0);
    snprintf(admin, sizeof admin, "Authorization: Bearer %.*s", (int)strcspn(buf_str(&text), "\n"),
             buf_str(&text));
    buf_done(&text);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    web_test_close(&t);
    return 0;
}

/* A header with a new token. */
static void
token(const char *role, const char *more, char out[160])
{
    char body[256];
    snprintf(body, sizeof body, "{\"name\":\"x\",\"role\":\"%s\"%s}", role, more);
    const struct doc_node *n = web_test_call(&t, "POST", "/api/v1/tokens", admin, NULL, body, 201);
    snprintf(out, 160, "Authorization: Bearer %s", doc_get_str(n, "token", ""));
}

/* A cookie header for a session of the one-time code's user. */
static void
session(const char *user, char out[160])
{
    struct principal p;
    char code[80], cookie[64];
    assert_int_equal(web_signin_code(t.web, user, code, NULL), 0);
    assert_int_equal(auth_by_code(t.web->auth, code, &p), 0);
    assert_int_equal(auth_session_open(t.web->auth, &p, cookie, NULL), 0);
    snprintf(out, 160, "Cookie: " AUTH_COOKIE "=%s", cookie);
}

static void
admin_token_is_private_and_kept(void **state)
{
    char path[128];
    struct stat st;
    struct web *second = NULL;
    struct web_config wc = t.web->cfg;
    (void)state;
    snprintf(path, sizeof path, "%s/admin.token", t.folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(web_new(&wc, &second, NULL), 0); /* a second start changes nothing */
    web_free(second);
    web_test_get(&t, "/api/v1/session", admin);
}

static void
nothing_is_answered_without_a_token(void **state)
{
    static const char *const closed[] = {"/api/v1/session",
                                         "/api/v1/incidents",
                                         "/api/v1/stream",
                                         "/metrics",
                                         "/prometheus/api/v1/query?query=1",
                                         "/api/v1/nothing"};
    static const char *const open[] = {"/healthz", "/readyz", "/", "/signin", "/assets/app.js"};
    (void)state;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        web_test_call(&t, "GET", closed[i], NULL, NULL, NULL, 401);
        web_test_call(&t, "GET", closed[i], "Authorization: Bearer mst_wrong", NULL, NULL, 401);
        web_test_call(&t, "GET", closed[i], "Cookie: " AUTH_COOKIE "=wrong", NULL, NULL, 401);
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        web_test_call(&t, "GET", open[i], NULL, NULL, NULL, 200);
}

static void
a_token_is_also_basics_password(void **state)
{
    char plain[128], header[256];
    struct buf b;
    (void)state;
    snprintf(plain, sizeof plain, "grafana:%s", admin + strlen("Authorization: Bearer "));
    buf_init(&b, 512);
    hmac_base64(plain, strlen(plain), &b);
    snprintf(header, sizeof header, "Authorization: Basic %s", buf_str(&b));
    buf_done(&b);
    assert_string_equal(doc_get_str(web_test_get(&t, "/api/v1/session", header), "role", ""),
                        "admin");
    web_test_call(&t, "GET", "/api/v1/session", "Authorization: Basic !!!!", NULL, NULL, 401);
    web_test_call(&t, "GET", "/api/v1/session", "Authorization: Basic ", NULL, NULL, 401);
}

static void
roles_decide(void **state)
{
    char viewer[160], operator[160];
    (void)state;
    token("viewer", "", viewer);
    token("operator", "", operator);
    web_test_get(&t, "/api/v1/incidents", viewer);
    web_test_call(&t, "GET", "/api/v1/tokens", viewer, NULL, NULL, 403);
    web_test_call(&t, "GET", "/api/v1/tokens", operator, NULL, NULL, 403);
    web_test_call(&t, "POST", "/api/v1/alerts/silences", viewer, NULL, "{}", 403);
    web_test_call(&t, "POST", "/api/v1/alerts/silences", operator, NULL, "{}", 400);
    web_test_call(&t, "POST", "/api/v1/tokens", admin, NULL, "{\"name\":\"x\",\"role\":\"king\"}",
                  400);
    web_test_call(&t, "POST", "/api/v1/tokens", admin, NULL, "{\"name\":\"x\",\"rolle\":\"admin\"}",
                  400);
}

static void
tokens_end_when_revoked_or_expired(void **state)
{
    char h[160], id[64];
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/tokens", admin, NULL,
                      "{\"name\":\"y\",\"role\":\"viewer\",\"expires\":\"1h\"}", 201);
    snprintf(h, sizeof h, "Authorization: Bearer %s", doc_get_str(n, "token", ""));
    snprintf(id, sizeof id, "/api/v1/tokens/%s", doc_get_str(n, "id", ""));
    assert_non_null(strstr(doc_get_str(n, "expires", ""), "Z"));
    web_test_get(&t, "/api/v1/session", h);
    web_test_call(&t, "DELETE", id, admin, NULL, NULL, 204);
    web_test_call(&t, "GET", "/api/v1/session", h, NULL, NULL, 401);
    web_test_call(&t, "DELETE", id, admin, NULL, NULL, 404);
    web_test_call(&t, "POST", "/api/v1/tokens", admin, NULL,
                  "{\"name\":\"y\",\"role\":\"viewer\",\"expires\":\"2001-01-01T00:00:00Z\"}", 400);
    struct token_spec old = {.name = "old", .role = ROLE_VIEWER, .expires_ms = t.now - 1000};
    char secret[64] = "", made[64];
    struct principal p;
    assert_int_equal(auth_token_make(t.web->auth, &old, secret, made, NULL), 0);
    assert_int_equal(auth_by_token(t.web->auth, secret, &p), ERR_DENIED);
}

static void
lists_of_tokens_show_no_secret(void **state)
{
    (void)state;
    const struct doc_node *items = doc_get(web_test_get(&t, "/api/v1/tokens", admin), "items");
    for (const struct doc_node *n = items->first; n; n = n->next) {
        assert_null(doc_get(n, "token"));
        assert_null(doc_get(n, "key"));
    }
    assert_non_null(web_test_item(items, "id", "admin"));
}

static void
a_sign_in_code_works_once(void **state)
{
    char body[160];
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/session/code", admin, NULL, NULL, 201);
    assert_non_null(strstr(doc_get_str(n, "url", ""), "/signin?code="));
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", doc_get_str(n, "code", ""));
    n = web_test_call(&t, "POST", "/api/v1/session", NULL, NULL, body, 200);
    assert_string_equal(doc_get_str(n, "role", ""), "admin");
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL, body, 401);
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL, "{\"code\":\"no\"}", 401);
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL, "no json", 400);
}

static void
a_change_under_the_cookie_needs_its_header(void **state)
{
    char cookie[160];
    (void)state;
    session("admin", cookie);
    web_test_get(&t, "/api/v1/session", cookie);
    t.bare = true;
    web_test_get(&t, "/api/v1/session", cookie);
    web_test_call(&t, "PUT", "/api/v1/users/carl", cookie, NULL, "{\"password\":\"12345678\"}",
                  403);
    web_test_call(&t, "PUT", "/api/v1/users/carl", admin, NULL, "{\"password\":\"12345678\"}", 201);
    t.bare = false;
    web_test_call(&t, "PUT", "/api/v1/users/carl", cookie, NULL, "{\"role\":\"viewer\"}", 200);
    web_test_call(&t, "DELETE", "/api/v1/session", cookie, NULL, NULL, 204);
    web_test_call(&t, "GET", "/api/v1/session", cookie, NULL, NULL, 401);
}

static void
a_session_has_its_users_present_rights(void **state)
{
    char cookie[160];
    (void)state;
    web_test_call(&t, "PUT", "/api/v1/users/ann", admin, NULL,
                  "{\"role\":\"operator\",\"tenant\":\"t1\",\"password\":\"correct horse\"}", 201);
    session("ann", cookie);
    const struct doc_node *n = web_test_get(&t, "/api/v1/session", cookie);
    assert_string_equal(doc_get_str(n, "role", ""), "operator");
    assert_string_equal(doc_get_str(n, "tenant", ""), "t1");
    web_test_call(&t, "PUT", "/api/v1/users/ann", admin, NULL, "{\"role\":\"viewer\"}", 200);
    assert_string_equal(doc_get_str(web_test_get(&t, "/api/v1/session", cookie), "role", ""),
                        "viewer");
    web_test_call(&t, "PUT", "/api/v1/users/ann", admin, NULL, "{\"disabled\":true}", 200);
    web_test_call(&t, "GET", "/api/v1/session", cookie, NULL, NULL, 401);
    web_test_call(&t, "DELETE", "/api/v1/users/ann", admin, NULL, NULL, 204);
    web_test_call(&t, "GET", "/api/v1/session", cookie, NULL, NULL, 401);
}

static void
passwords_let_in_and_guesses_are_bounded(void **state)
{
    (void)state;
    web_test_call(&t, "PUT", "/api/v1/users/eve", admin, NULL, "{\"password\":\"short\"}", 400);
    web_test_call(&t, "PUT", "/api/v1/users/eve", admin, NULL, "{\"role\":\"viewer\"}", 400);
    web_test_call(&t, "PUT", "/api/v1/users/eve", admin, NULL,
                  "{\"role\":\"viewer\",\"password\":\"long enough\"}", 201);
    assert_null(
        strstr(doc_get_str(web_test_get(&t, "/api/v1/users", admin), "items", ""), "password"));
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL,
                  "{\"user\":\"eve\",\"password\":\"long enough\"}", 200);
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL,
                  "{\"user\":\"nobody\",\"password\":\"long enough\"}", 401);
    for (int i = 0; i < 10; i++)
        web_test_call(&t, "POST", "/api/v1/session", NULL, NULL,
                      "{\"user\":\"eve\",\"password\":\"wrong one\"}", 401);
    web_test_call(&t, "POST", "/api/v1/session", NULL, NULL,
                  "{\"user\":\"eve\",\"password\":\"long enough\"}", 429);
    web_test_get(&t, "/api/v1/session", admin); /* others are not held up */
}

static void
a_node_joins_and_holds_a_token_of_its_name(void **state)
{
    char join[160], bound[160];
    (void)state;
    token("agent", ",\"expires\":\"1h\"", join);
    web_test_call(&t, "GET", "/api/v1/incidents", join, NULL, NULL, 401);
    web_test_call(&t, "POST", "/api/v1/agents/bad%2Fname/join", join, NULL, NULL, 400);
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/agents/node00001/join", join, NULL, NULL, 201);
    assert_string_equal(doc_get_str(n, "node", ""), "node00001");
    snprintf(bound, sizeof bound, "Authorization: Bearer %s", doc_get_str(n, "token", ""));
    struct principal p;
    assert_int_equal(auth_by_token(t.web->auth, bound + strlen("Authorization: Bearer "), &p), 0);
    assert_string_equal(p.who.name, "node00001");
    assert_int_equal(p.who.role, ROLE_AGENT);
    assert_false(p.join);
    web_test_call(&t, "GET", "/api/v1/incidents", bound, NULL, NULL, 403);
    char cookie[64];
    assert_int_equal(auth_session_open(t.web->auth, &p, cookie, NULL), ERR_DENIED);
    web_test_call(&t, "POST", "/api/v1/agents/node00002/join", bound, NULL, NULL, 403);
}

static void
the_last_admin_stays(void **state)
{
    char boss[160];
    (void)state;
    web_test_call(&t, "PUT", "/api/v1/users/boss", admin, NULL,
                  "{\"role\":\"admin\",\"password\":\"long enough\"}", 201);
    session("boss", boss);
    web_test_call(&t, "DELETE", "/api/v1/tokens/admin", boss, NULL, NULL, 204);
    web_test_call(&t, "GET", "/api/v1/session", admin, NULL, NULL, 401);
    web_test_call(&t, "DELETE", "/api/v1/users/boss", boss, NULL, NULL, 409);
    web_test_call(&t, "PUT", "/api/v1/users/boss", boss, NULL, "{\"role\":\"viewer\"}", 409);
    web_test_call(&t, "PUT", "/api/v1/users/boss", boss, NULL, "{\"disabled\":true}", 409);
    struct web *again = NULL;
    struct web_config wc = t.web->cfg;
    assert_int_equal(web_new(&wc, &again, NULL),
                     0); /* the next start brings a revoked token not back */
    web_free(again);
    web_test_call(&t, "GET", "/api/v1/session", admin, NULL, NULL, 401);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(admin_token_is_private_and_kept),
                                       cmocka_unit_test(nothing_is_answered_without_a_token),
                                       cmocka_unit_test(a_token_is_also_basics_password),
                                       cmocka_unit_test(roles_decide),
                                       cmocka_unit_test(tokens_end_when_revoked_or_expired),
                                       cmocka_unit_test(lists_of_tokens_show_no_secret),
                                       cmocka_unit_test(a_sign_in_code_works_once),
                                       cmocka_unit_test(a_change_under_the_cookie_needs_its_header),
                                       cmocka_unit_test(a_session_has_its_users_present_rights),
                                       cmocka_unit_test(passwords_let_in_and_guesses_are_bounded),
                                       cmocka_unit_test(a_node_joins_and_holds_a_token_of_its_name),
                                       cmocka_unit_test(the_last_admin_stays)};
    return cmocka_run_group_tests_name("sign-in", tests, setup, teardown);
}
