/* resources: the tables of routes, one a file of this folder. web.c mounts them all; handlers get
 * ctx = struct web. */
#ifndef WEB_RESOURCES_H
#define WEB_RESOURCES_H

#include "base/httpd.h"

#include <stddef.h>

struct web_table {
    const struct route *rows;
    const size_t *count;
};

/* A file NAME.c exports NAME_routes and NAME_route_count; it adds its NAME here and itself to
 * floor.am. */
#define WEB_RESOURCES(X)                                                                           \
    X(measures)                                                                                    \
    X(fleet)                                                                                       \
    X(jobs)                                                                                        \
    X(agents)                                                                                      \
    X(overview)                                                                                    \
    X(clusters)                                                                                    \
    X(devices)                                                                                     \
    X(reliability)                                                                                 \
    X(search)                                                                                      \
    X(analysis)                                                                                    \
    X(probe)                                                                                       \
    X(session)                                                                                     \
    X(tokens)                                                                                      \
    X(users)                                                                                       \
    X(admin)                                                                                       \
    X(topology)                                                                                    \
    X(incidents)                                                                                   \
    X(diagnose)                                                                                    \
    X(entries)                                                                                     \
    X(site_entries)                                                                                \
    X(checks)                                                                                      \
    X(alerts)                                                                                      \
    X(prom)                                                                                        \
    X(prom_meta)                                                                                   \
    X(logs)                                                                                        \
    X(openapi)                                                                                     \
    X(stream)

#define X(name)                                                                                    \
    extern const struct route name##_routes[];                                                     \
    extern const size_t name##_route_count;
WEB_RESOURCES(X)
#undef X

#endif
