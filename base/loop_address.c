/* loop_address: splits "host:port", the form of every listen address in a configuration. */
#include "base/loop.h"

#include <stdlib.h>
#include <string.h>

int
loop_address_split(const char *text, char host[64], unsigned *ret_port)
{
    const char *colon = strrchr(text, ':'), *from = text;
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1] ||
        strlen(colon + 1) > 5)
        return ERR_SYNTAX;
    const char *to = colon;
    if (*text == '[') {
        from++;
        to--;
        if (to < from || *to != ']')
            return ERR_SYNTAX;
    }
    size_t len = (size_t)(to - from);
    bool bracketed = from != text;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (len > 63 || port > 65535 || (bracketed && !len) || (!bracketed && memchr(from, ':', len)) ||
        memchr(from, '[', len) || memchr(from, ']', len))
        return ERR_SYNTAX;
    memcpy(host, from, len);
    host[len] = 0;
    *ret_port = (unsigned)port;
    return 0;
}
