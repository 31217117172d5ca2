/* shed: run once. Linking touches most pages of some thirty libraries, of which a collection needs
 * few: what stays is counted as the agent's memory until the system is short of it. Always true: a
 * mapping that holds a page of its own (relocated data) is left alone. Source: proc(5), madvise(2).
 */
#include "agents/shed.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct shed_map {
    unsigned long from, to, inode;
    char perms[5];
    long rss;
};

/* "00400000-00452000 r-xp 00000000 08:02 173521  /usr/bin/x" */
static bool
shed_head(const char *line, struct shed_map *ret)
{
    struct shed_map m = {0};
    if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu", &m.from, &m.to, m.perms, &m.inode) != 4)
        return false;
    *ret = m;
    return true;
}

static bool
shed_wanted(const struct shed_map *m, bool alone)
{
    return m->inode && (!strcmp(m->perms, "r-xp") || (alone && !strcmp(m->perms, "r--p")));
}

long
shed_pages(bool alone)
{
    char line[512];
    struct shed_map m = {0};
    long given = 0, anonymous;
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        if (shed_head(line, &m) || sscanf(line, "Rss: %ld kB", &m.rss) == 1 ||
            sscanf(line, "Anonymous: %ld kB", &anonymous) != 1)
            continue;
        if (!anonymous && shed_wanted(&m, alone) &&
            !madvise((void *)m.from, m.to - m.from, MADV_DONTNEED))
            given += m.rss;
    }
    fclose(f);
    return given;
}
