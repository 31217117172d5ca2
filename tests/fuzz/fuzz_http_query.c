/* fuzz_http_query: what a request's first line and headers can hold: escapes, parameters, paths,
 * hosts. */
#include "base/httpd_in.h"
#include "base/loop.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route routes[] = {
    {"GET", "/api/v1/devices/{entity*}", ROLE_VIEWER, NULL, "", 0, NULL},
    {"GET", "/api/v1/jobs/{id}/path", ROLE_VIEWER, NULL, "", 0, NULL},
    {"GET", "/api/v1/jobs/{id}", ROLE_VIEWER, NULL, "", 0, NULL},
    {"POST", "/{a}/{b}", ROLE_VIEWER, NULL, "", 0, NULL},
    {"GET", "/", ROLE_NONE, NULL, "", 0, NULL},
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), host[64];
    unsigned port;
    memcpy(text, data, size);
    text[size] = 0;
    struct httpd_table t = {0};
    struct httpd_found f;
    if (httpd_table_add(&t, routes, sizeof routes / sizeof *routes, NULL))
        abort();
    httpd_table_find(&t, "GET", text, &f);
    size_t len = strlen(text);
    for (unsigned i = 0; i < f.params; i++)
        if (f.param[i].raw < text || f.param[i].raw + f.param[i].raw_len > text + len)
            abort();
    httpd_table_done(&t);
    httpd_host_is_loopback(text);
    httpd_accepts(text, "gzip");
    loop_address_split(text, host, &port);
    struct httpd_pairs p = {0};
    httpd_pairs_parse(&p, text);
    for (size_t i = 0; i < p.count; i++)
        if (!*p.at[i].name || strlen(p.at[i].name) + strlen(p.at[i].value) > len)
            abort();
    httpd_pairs_done(&p);
    free(text);
    return 0;
}
