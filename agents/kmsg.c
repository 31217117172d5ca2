/* kmsg: some lines a minute, thousands a second in a storm; in place, nothing is allocated. */
#include "agents/kmsg.h"

#include "base/err.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int
kmsg_hex(int c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* The kernel writes bytes that are not printable, and the backslash, as \xNN. */
static size_t
kmsg_unescape(char *s)
{
    char *to = s, *begin = s;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\\' && s[1] == 'x' && kmsg_hex((unsigned char)s[2]) >= 0 &&
            kmsg_hex((unsigned char)s[3]) >= 0) {
            c = (unsigned char)(kmsg_hex((unsigned char)s[2]) * 16 + kmsg_hex((unsigned char)s[3]));
            s += 3;
        }
        *to++ = (char)(c < 32 ? ' ' : c);
    }
    *to = 0;
    return (size_t)(to - begin);
}

int
kmsg_parse(char *line, struct kmsg_record *ret)
{
    char *end;
    if (!isdigit((unsigned char)*line))
        return ERR_SYNTAX;
    unsigned long priority = strtoul(line, &end, 10);
    if (*end != ',' || !isdigit((unsigned char)end[1]))
        return ERR_SYNTAX;
    uint64_t sequence = strtoull(end + 1, &end, 10);
    if (*end != ',' || !isdigit((unsigned char)end[1]))
        return ERR_SYNTAX;
    uint64_t us = strtoull(end + 1, &end, 10);
    char *text = strchr(end, ';');
    if (*end != ',' || !text || us > INT64_MAX / 2)
        return ERR_SYNTAX;
    unsigned level = priority & 7; /* 0 emerg .. 2 crit, 3 err, 4 warning */
    ret->severity = level <= 2 ? SEVERITY_CRITICAL : level <= 4 ? SEVERITY_WARNING : SEVERITY_INFO;
    ret->sequence = sequence;
    ret->since_boot_us = (int64_t)us;
    ret->text = text + 1;
    ret->len = kmsg_unescape(text + 1);
    return 0;
}
