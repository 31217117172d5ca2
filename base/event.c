/* event: the words of severities. */
#include "base/event.h"

#include "base/err.h"

#include <string.h>

static const char *const severity_words[SEVERITIES] = {"info", "warning", "critical"};

const char *
severity_word(enum severity s)
{
    return (unsigned)s < SEVERITIES ? severity_words[s] : severity_words[SEVERITY_INFO];
}

int
severity_find(const char *word)
{
    for (int i = 0; i < SEVERITIES; i++)
        if (!strcmp(word, severity_words[i]))
            return i;
    return ERR_NOTFOUND;
}
