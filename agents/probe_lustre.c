/* probe_lustre: Lustre's clients and servers. Its files moved between releases, from
 * /proc/fs/lustre to /sys/fs/lustre and /sys/kernel/debug/lustre: all three are looked at, the
 * first that has a file counts. Runs apart: the health of a server's target is asked of its disks.
 */
#include "agents/lustre.h"
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const char *const probe_lustre_roots[] = {"proc/fs/lustre", "sys/fs/lustre",
                                                 "sys/kernel/debug/lustre"};
#define PROBE_LUSTRE_ROOTS 3

static char *
probe_lustre_text(struct probe *p, const char *kind, const char *name, const char *file)
{
    for (size_t i = 0; i < PROBE_LUSTRE_ROOTS; i++)
        if (probe_read(p, "%s/%s/%s/%s", probe_lustre_roots[i], kind, name, file) && p->text.len)
            return p->text.data;
    return NULL;
}

/* Size and room of a target or mount, where the release shows them. */
static void
probe_lustre_room(struct probe *p, const char *kind, const char *name, const char *component,
                  const char *target)
{
    static const char *const files[][2] = {
        {"kbytestotal", "lustre_capacity_kilobytes"},  {"kbytesfree", "lustre_free_kilobytes"},
        {"kbytesavail", "lustre_available_kilobytes"}, {"filestotal", "lustre_inodes_maximum"},
        {"filesfree", "lustre_inodes_free"},           {"num_exports", "lustre_exports_total"}};
    double v;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t r = 0; r < PROBE_LUSTRE_ROOTS; r++)
            if (probe_number(p, &v, "%s/%s/%s/%s", probe_lustre_roots[r], kind, name,
                             files[i][0])) {
                snap_add(p->out, files[i][1], v, "component", component, "target", target, NULL);
                break;
            }
}

/* Every folder of a kind, once, whichever root it is in. */
static void
probe_lustre_kind(struct probe *p, const char *kind, const char *component, const char *stats)
{
    struct probe_names names[PROBE_LUSTRE_ROOTS];
    for (size_t r = 0; r < PROBE_LUSTRE_ROOTS; r++)
        probe_list(p, &names[r], "%s/%s", probe_lustre_roots[r], kind);
    for (size_t r = 0; r < PROBE_LUSTRE_ROOTS; r++)
        for (size_t i = 0; i < names[r].count; i++) {
            char target[128];
            const char *name = names[r].at[i];
            bool again = false;
            for (size_t before = 0; before < r; before++)
                for (size_t k = 0; k < names[before].count; k++)
                    again = again || !strcmp(names[before].at[k], name);
            /* A client's folder is fs01-ffff8801234, its file system fs01. */
            str_copy(target, sizeof target, name);
            if (!strcmp(component, "client") && strrchr(target, '-'))
                *strrchr(target, '-') = 0;
            char *text = again ? NULL : probe_lustre_text(p, kind, name, stats);
            if (!text)
                continue;
            lustre_stats(text, component, target, p->out);
            if (strcmp(component, "client")) /* a client would ask every server */
                probe_lustre_room(p, kind, name, component, target);
        }
    for (size_t r = 0; r < PROBE_LUSTRE_ROOTS; r++)
        probe_names_done(&names[r]);
}

/* Connections of a client: osc and mdc, one folder a target. */
static void
probe_lustre_imports(struct probe *p, const char *kind)
{
    struct probe_names names;
    for (size_t r = 0; r < PROBE_LUSTRE_ROOTS; r++) {
        probe_list(p, &names, "%s/%s", probe_lustre_roots[r], kind);
        for (size_t i = 0; i < names.count; i++) {
            char target[128];
            str_copy(target, sizeof target, names.at[i]);
            char *tail = strstr(target, kind); /* fs01-OST0000-osc-ffff8801234 */
            if (!tail || tail == target || tail[-1] != '-' ||
                !probe_read(p, "%s/%s/%s/import", probe_lustre_roots[r], kind, names.at[i]))
                continue;
            tail[-1] = 0;
            lustre_import(p->text.data, target, p->out);
        }
        probe_names_done(&names);
    }
}

int
probe_lustre(struct probe *p)
{
    char health[64] = "";
    for (size_t r = 0; r < PROBE_LUSTRE_ROOTS && !*health; r++)
        str_copy(health, sizeof health, probe_word(p, "%s/health_check", probe_lustre_roots[r]));
    if (*health)
        snap_add(p->out, "lustre_health_check", !strncmp(health, "healthy", 7), NULL);
    probe_lustre_kind(p, "llite", "client", "stats");
    probe_lustre_kind(p, "obdfilter", "ost", "stats");
    probe_lustre_kind(p, "mdt", "mdt", "md_stats");
    probe_lustre_imports(p, "osc");
    probe_lustre_imports(p, "mdc");
    return 0;
}
