/* alert_send: one delivery to one receiver, whatever its kind; blocks up to the receiver's timeout.
 */
#ifndef ANALYZER_ALERT_SEND_H
#define ANALYZER_ALERT_SEND_H

#include "analyzer/alert_conf.h"
#include "base/doc.h"
#include "base/err.h"
#include "base/httpc.h"

struct alert_message {
    const struct doc_node *incident; /* the document's root */
    const char *incident_json;
    size_t incident_len;
    const char *idempotency_key; /* incident:revision:receiver */
    const char *base_url;
    bool resolved, heartbeat, test;
};
/* What a person reads: subject (one line) and body, in the receiver's language. */
void alert_subject(const struct alert_message *m, int lang, struct buf *out);
void alert_body(const struct alert_message *m, int lang, struct buf *out);
/* The Alertmanager webhook payload, version 4, plus myriascope.incident. */
void alert_payload(const struct alert_message *m, const char *receiver, struct buf *out);
/* 0 delivered; ERR_IO and the like: try again; ERR_RANGE: refused for good (4xx). ret_note: what
 * was said or done. */
int alert_send(struct httpc *http, const struct alert_receiver *r, const struct alert_message *m,
               struct buf *ret_note, struct err *err);
/* The node that an action on the incident's first hypothesis would isolate; false when it names
 * none. */
bool alert_node(const struct doc_node *incident, char *out, size_t size);

#endif
