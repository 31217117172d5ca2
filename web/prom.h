/* prom: what the files of the Prometheus API share: its envelope, its errors, its times. */
#ifndef WEB_PROM_H
#define WEB_PROM_H

#include "base/httpd.h"
#include "store/promql/promql.h"
#include "web/web_priv.h"

/* {"status":"error","errorType":...,"error":...} with the status that Prometheus gives the type.
 * Returns 0. */
int prom_fail(struct httpd_response *resp, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failed evaluation or read. */
int prom_fail_err(struct httpd_response *resp, int rc, const struct err *err);
/* {"status":"success","data": ... }: the data comes between. */
void prom_begin(struct httpd_response *resp);
int prom_end(struct httpd_response *resp);
/* A time parameter; dflt_ms when absent. Negative after answering. */
int prom_time(const struct httpd_request *req, struct httpd_response *resp, const char *name,
              int64_t dflt_ms, int64_t *ret_ms);
/* Seconds with fraction, or a duration. */
int prom_duration(const char *text, int64_t *ret_ms);

#endif
