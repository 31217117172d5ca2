/* otlp_json: OTLP's JSON form turned into its protobuf form, so that one decoder reads both.
 *
 * Fields that the decoder does not read are left out; 64-bit integers are texts or numbers, as
 * proto3's JSON mapping has them. Source: opentelemetry-proto, "JSON Protobuf Encoding". */
#ifndef COLLECTOR_OTLP_JSON_H
#define COLLECTOR_OTLP_JSON_H

#include "base/buf.h"
#include "base/err.h"

enum otlp_json_root { OTLP_JSON_METRICS, OTLP_JSON_LOGS };
/* Appends the message. 0, ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
int otlp_json_encode(enum otlp_json_root root, const char *text, size_t len, struct buf *out,
                     struct err *err);

#endif
