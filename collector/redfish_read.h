/* redfish_read: documents of a Redfish service, as values, links and log entries.
 *
 * What a document is, its @odata.type says; members of it that are of no use here are not looked
 * at. Both generations are read: Power and Thermal; PowerSubsystem, ThermalSubsystem,
 * EnvironmentMetrics, Sensors. Names of series are those of redfish_exporter where it has one.
 * Nothing is trusted: wrong types are absent members, implausible readings are left out, a path is
 * taken only when it stays under /redfish/. Source: DSP0266, DSP0268 (Redfish schemas 2024.1). */
#ifndef COLLECTOR_REDFISH_READ_H
#define COLLECTOR_REDFISH_READ_H

#include "base/doc.h"
#include "base/event.h"

#include <stdbool.h>

#define REDFISH_PATH_MAX 255

struct redfish_value {
    const char *name;      /* of the series */
    const char *chassis;   /* "" none */
    const char *kind;      /* sensor, fan, power_supply, leak_detector, NULL: of the whole */
    const char *part, *id; /* its name and its id; "" none */
    double v;
};
/* What to do with a path that a document names. */
enum redfish_role {
    REDFISH_WALK,    /* read at discovery, for its links */
    REDFISH_READ,    /* read at each poll, for its values */
    REDFISH_BOTH,    /* both */
    REDFISH_EXPAND,  /* a collection: read whole where the service can, else walked */
    REDFISH_ENTRIES, /* entries of a log */
};
struct redfish_entry {
    int64_t time_ms; /* 0: it has none that makes sense */
    enum severity severity;
    const char *id, *text; /* text holds the message and what it is about */
};
struct redfish_sink { /* any may be NULL; texts live as long as the document or the call */
    void (*value)(void *ctx, const struct redfish_value *v);
    void (*link)(void *ctx, enum redfish_role role, const char *path);
    void (*entry)(void *ctx, const struct redfish_entry *e);
    void *ctx;
};

/* Values of a document, of a collection also of members that it carries whole. `path` is where it
 * was got, the place of its chassis's name. Returns how many. */
size_t redfish_read_values(const struct doc_node *root, const char *path,
                           const struct redfish_sink *sink);
/* Links worth following. A chassis with the older schema is read by that alone: two answers tell
 * all, with the limits. Returns how many. */
size_t redfish_read_links(const struct doc_node *root, const struct redfish_sink *sink);
/* Entries of a collection of log entries, in its order. */
size_t redfish_read_entries(const struct doc_node *root, const struct redfish_sink *sink);
/* "" or where the collection goes on. */
const char *redfish_read_next(const struct doc_node *root);
/* Entries that the collection has in all, -1 when it does not tell. */
int64_t redfish_read_count(const struct doc_node *root);
/* Does the service root say that collections come whole when asked? */
bool redfish_read_expands(const struct doc_node *root);
/* A path of the service: under /redfish/, printable, not too long. */
bool redfish_path_ok(const char *path);

#endif
