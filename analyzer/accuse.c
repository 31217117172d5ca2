/* accuse: two maps, who is named by whom, and which address is whose. */
#include "analyzer/accuse.h"

#include "base/map.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCUSE_NAME 64

struct accuse_one {
    const char *name;
    size_t reporters;
};

struct accuse {
    struct arena *arena;
    struct map *addresses; /* address -> node's name */
    struct map *accused;   /* name -> struct accuse_one */
    struct map *pairs;     /* "accused\nreporter" */
    struct map *reporters;
};

struct accuse *
accuse_new(void)
{
    struct accuse *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->arena = arena_new((size_t)64 << 20);
    a->addresses = map_new(ACCUSE_PAIRS);
    a->accused = map_new(ACCUSE_PAIRS);
    a->pairs = map_new(ACCUSE_PAIRS);
    a->reporters = map_new(ACCUSE_PAIRS);
    if (a->arena && a->addresses && a->accused && a->pairs && a->reporters)
        return a;
    accuse_free(a);
    return NULL;
}

void
accuse_free(struct accuse *a)
{
    if (!a)
        return;
    map_free(a->addresses, NULL);
    map_free(a->accused, NULL);
    map_free(a->pairs, NULL);
    map_free(a->reporters, NULL);
    arena_free(a->arena);
    free(a);
}

/* The word that follows `before`, up to one of `ends`. */
static size_t
accuse_word(const char *line, size_t len, const char *before, const char *ends,
            char out[ACCUSE_NAME])
{
    const char *p = memmem(line, len, before, strlen(before)), *end = line + len;
    size_t n = 0;
    if (!p)
        return 0;
    for (p += strlen(before); p < end && !strchr(ends, *p) && n < ACCUSE_NAME - 1; p++)
        out[n++] = *p;
    out[n] = 0;
    return p < end ? n : 0;
}

/* "eth0:10.0.1.1" -> "10.0.1.1"; IPv4 within IPv6 without its prefix */
static const char *
accuse_plain(const char *address)
{
    const char *mapped = strstr(address, "::ffff:");
    return mapped ? mapped + 7 : address;
}

void
accuse_address(struct accuse *a, const char *node, const char *line, size_t len)
{
    static const struct {
        const char *before, *ends;
        bool interface;
    } rows[] = {
        {"Bootstrap : Using ", "<", true}, {"; OOB ", "<", true}, {"localGid ", " ", false}};
    char word[ACCUSE_NAME];
    for (size_t i = 0; *node && strcmp(node, "-") && i < sizeof rows / sizeof *rows; i++) {
        if (!accuse_word(line, len, rows[i].before, rows[i].ends, word))
            continue;
        const char *colon = rows[i].interface ? strchr(word, ':') : NULL,
                   *address = accuse_plain(colon ? colon + 1 : word);
        if (*address && !map_get(a->addresses, address, strlen(address)))
            map_set(a->addresses, address, strlen(address), arena_str(a->arena, node, strlen(node)),
                    NULL);
    }
}

static void
accuse_count(struct accuse *a, const char *name, const char *reporter)
{
    char pair[2 * ACCUSE_NAME + 80];
    int n = snprintf(pair, sizeof pair, "%s\n%s", name, reporter);
    struct accuse_one *one = map_get(a->accused, name, strlen(name));
    if (map_get(a->pairs, pair, (size_t)n) || map_set(a->pairs, pair, (size_t)n, a, NULL))
        return;
    map_set(a->reporters, reporter, strlen(reporter), a, NULL);
    if (!one) {
        one = arena_alloc(a->arena, sizeof *one);
        if (!one || !(one->name = arena_str(a->arena, name, strlen(name))) ||
            map_set(a->accused, name, strlen(name), one, NULL))
            return;
    }
    one->reporters++;
}

/* A rank is kept as "rank N", which is no host's name. */
static bool
accuse_rank(const char *line, size_t len, char out[ACCUSE_NAME])
{
    static const struct {
        const char *before, *ends;
    } rows[] = {{"remote rank [", "]"}, {"remoteInfo[rank ", "],"}, {"remote rank ", ", ."}};
    char word[ACCUSE_NAME];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (accuse_word(line, len, rows[i].before, rows[i].ends, word) &&
            strspn(word, "0123456789") == strlen(word) && strlen(word) < 7) {
            snprintf(out, ACCUSE_NAME, "rank %s", word);
            return true;
        }
    return false;
}

static bool
accuse_peer(const char *line, size_t len, char out[ACCUSE_NAME])
{
    static const char *const before[] = {"from peer ", "remote peer ", "to recv from ",
                                         "to recvmsg from ", "Connect to "};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (accuse_word(line, len, before[i], "< ", out) > 1)
            return true;
    return false;
}

void
accuse_line(struct accuse *a, const char *node, int rank, const char *line, size_t len)
{
    char name[ACCUSE_NAME], reporter[ACCUSE_NAME + 16];
    if (rank >= 0)
        snprintf(reporter, sizeof reporter, "rank %d", rank);
    else
        snprintf(reporter, sizeof reporter, "%.63s", node);
    if (!accuse_rank(line, len, name) && !accuse_peer(line, len, name))
        return;
    if (strcmp(name, node) && strcmp(name, reporter))
        accuse_count(a, accuse_plain(name), reporter);
}

int
accuse_find(const struct accuse *a, struct accuse_answer *ret)
{
    const struct accuse_one *best = NULL;
    const char *key;
    size_t pos = 0, len, second = 0;
    void *value;
    while ((key = map_next(a->accused, &pos, &len, &value))) {
        const struct accuse_one *one = value;
        if (!best || one->reporters > best->reporters) {
            second = best ? best->reporters : 0;
            best = one;
        } else if (one->reporters > second) {
            second = one->reporters;
        }
    }
    *ret = (struct accuse_answer){.rank = -1, .all = map_count(a->reporters)};
    if (!best || best->reporters < 2 || 2 * best->reporters <= ret->all ||
        best->reporters < 2 * second)
        return 0;
    ret->reporters = best->reporters;
    if (!strncmp(best->name, "rank ", 5)) {
        ret->rank = atoi(best->name + 5);
        return 1;
    }
    const char *node = map_get(a->addresses, best->name, strlen(best->name));
    ret->node = node ? node : best->name;
    return 1;
}
