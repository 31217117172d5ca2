/* httpc_in: what the files of httpc share. Floors above include base/httpc.h only. */
#ifndef BASE_HTTPC_IN_H
#define BASE_HTTPC_IN_H

#include "base/httpc.h"

#include <curl/curl.h>

/* One transfer: an easy handle and what it fills. */
struct httpc_call {
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char *url; /* rewritten for server_name, else NULL */
    struct httpc_response resp;
    char error[CURL_ERROR_SIZE];
    bool too_large;
    int (*data)(void *ctx, const char *data, size_t len);
    void *data_ctx;
};
/* Sets all options; req and what it points to must live until the call ends. 0, ERR_NOMEM,
 * ERR_USAGE. */
int httpc_call_begin(struct httpc_call *c, CURL *easy, const struct httpc_request *req,
                     struct err *err);
/* Reads the outcome into c->resp, what went wrong into err. */
int httpc_call_end(struct httpc_call *c, CURLcode code, struct err *err);
void httpc_call_done(struct httpc_call *c); /* not the easy handle */
int httpc_code(CURLcode code);              /* enum err_code */
bool httpc_is_loopback(const char *url);

#endif
