/* event: something that happened to an entity; and log lines, which may become events.
 *
 * An event names its entity and a code: the id of a knowledge-base entry, or of a detector's
 * finding (the ids in kb entries of domain "detectors"). begin and end of the same (entity, code)
 * pair up; an instant event has no end. Strings are 0-terminated, owned by whoever filled the
 * struct. */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITIES };
const char *severity_word(enum severity s); /* info warning critical */
int severity_find(const char *word);        /* ERR_NOTFOUND */

enum event_phase { EVENT_INSTANT, EVENT_BEGIN, EVENT_END };

#define EVENT_TEXT_MAX 8192
#define EVENT_CODE_MAX 127

struct event {
    int64_t time_ms; /* when it happened, by the reporter's clock */
    int64_t seen_ms; /* when we took it in; filled by the store if 0 */
    enum event_phase phase;
    enum severity severity;
    const char *entity; /* kind:name */
    const char *code;   /* kb id; never empty */
    const char *source; /* kernel, syslog, snmp-trap, snmp, agent, detector, alertmanager, ... */
    const char *text;   /* raw line or sample */
    const char *node;   /* where it was seen, may be "" */
    const char *job;    /* plain job id, may be "" */
    const char *tenant; /* may be "" */
    const char *fields; /* JSON object of captures, or "" */
};

struct log_line {
    int64_t time_ms;
    enum severity severity;
    const char *node, *job, *source, *tenant; /* may be "" */
    int rank;                                 /* -1: none */
    const char *text;                         /* one line, without its end */
};

/* A known loss: what could not be kept, of whom, and why. */
struct gap {
    int64_t from_ms, to_ms;
    const char *source; /* agent:node00001, remote_write, syslog, ... */
    const char *reason; /* spool-full, queue-full, too-old, quarantined, limit-series, ... */
    uint64_t count;     /* samples, lines or events lost; 0: not known */
};

#endif
