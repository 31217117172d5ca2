/* templates: one hash a line, one row a template. */
#include "analyzer/templates.h"

#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct templates_row {
    uint64_t hash;
    const char *text, *node;
    unsigned speaker; /* the first; another one makes it shared */
    int rank;
    unsigned count, speakers;
    size_t first;  /* number of the line among all that no pattern took */
    uint8_t alarm; /* 0: sounds ordinary; higher is worse */
    bool healthy;
};

struct templates {
    struct templates_row *rows;
    uint32_t *slots; /* row + 1 by hash, open addressing */
    size_t count, lines;
    unsigned speakers, last; /* told apart so far; the last one that spoke + 1 */
    bool learned;            /* healthy runs were read */
    struct arena *arena;
};

#define TEMPLATES_SLOTS (TEMPLATES_MAX * 4)
#define TEMPLATES_LATE  50  /* the last fiftieth of what one speaker says, */
#define TEMPLATES_LAST  200 /* or so many lines */
#define TEMPLATES_SHARE                                                                            \
    8 /* one speaker of this many may be joined by another and still stand out */

struct templates *
templates_new(void)
{
    struct templates *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->rows = calloc(TEMPLATES_MAX, sizeof *t->rows);
    t->slots = calloc(TEMPLATES_SLOTS, sizeof *t->slots);
    t->arena = arena_new((size_t)64 << 20);
    if (t->rows && t->slots && t->arena)
        return t;
    templates_free(t);
    return NULL;
}

void
templates_free(struct templates *t)
{
    if (!t)
        return;
    free(t->rows);
    free(t->slots);
    arena_free(t->arena);
    free(t);
}

/* What a byte is: 0 between words, 1 of a word, 2 a digit. */
static const uint8_t templates_kind[256] = {
    ['0'] = 2, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2, ['6'] = 2, ['7'] = 2,
    ['8'] = 2, ['9'] = 2, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
    ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,
    ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1,
    ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1,
    ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1,
    ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['_'] = 1,
};

/* The template's hash, 0 for a line without a word. Bytes above 127 are of words (other scripts).
 */
static uint64_t
templates_hash(const char *line, size_t len)
{
    const uint8_t *p = (const uint8_t *)line,
                  *end = p + (len > TEMPLATES_TEXT ? TEMPLATES_TEXT : len);
    uint64_t hash = 0;
    while (p < end) {
        uint64_t word = 0;
        bool digit = false;
        for (; p < end && (templates_kind[*p] || *p > 127); p++) {
            digit |= templates_kind[*p] == 2;
            word = (word ^ *p) * UINT64_C(0x100000001b3);
        }
        if (word && !digit)
            hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        p++;
    }
    return hash;
}

/* Lines that name trouble only to deny it, or that their program calls ordinary. */
static bool
templates_benign(const char *text)
{
    static const char *const words[] = {
        " info ",
        "[info]",
        "level=info",
        "\"info\"",
        " debug ",
        "[debug]",
        "level=debug",
        "<6>",
        "=0",
        ": 0",
        "no error",
        "0 error",
        "0 fail",
        "without error",
        "(error)",
        "deprecated",
        "logging enabled",
        "futurewarning",
        "userwarning",
        "error handling",
        "on_error",
        "error_handler",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

/* How much a line sounds like trouble. */
static uint8_t
templates_alarm(const char *line, size_t len)
{
    static const struct {
        const char *word;
        uint8_t alarm;
    } rows[] = {
        {"fatal", 4},     {"panic", 4},     {"abort", 4},    {"corrupt", 4}, {"segfault", 4},
        {"error", 3},     {"exception", 3}, {"crash", 3},    {"illegal", 3}, {"assert", 3},
        {"fail", 3},      {"错误", 3},      {"失败", 3},     {"异常", 3},    {"mismatch", 3},
        {"differs", 2},   {"invalid", 2},   {"overflow", 2}, {"refused", 2}, {"denied", 2},
        {"cannot", 2},    {"unable", 2},    {"lost", 2},     {"timeout", 2}, {"timed out", 2},
        {"超时", 2},      {"giving up", 1}, {"overdue", 1},  {"killed", 1},  {"unexpected", 1},
        {"not found", 1}, {"missing", 1},   {"broken", 1},   {"stuck", 1},   {"dead", 1},
    };
    char text[TEMPLATES_TEXT + 1];
    uint8_t worst = 0;
    len = len > TEMPLATES_TEXT ? TEMPLATES_TEXT : len;
    memcpy(text, line, len);
    text[len] = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].alarm > worst && strcasestr(text, rows[i].word))
            worst = rows[i].alarm;
    return worst && templates_benign(text) ? 0 : worst;
}

/* The row of a template; NULL when it is new and there is no room. */
static struct templates_row *
templates_row(struct templates *t, uint64_t hash, bool *ret_new)
{
    size_t i = (size_t)(hash >> 40) % TEMPLATES_SLOTS;
    for (; t->slots[i]; i = (i + 1) % TEMPLATES_SLOTS)
        if (t->rows[t->slots[i] - 1].hash == hash) {
            *ret_new = false;
            return &t->rows[t->slots[i] - 1];
        }
    if (t->count == TEMPLATES_MAX)
        return NULL;
    t->slots[i] = (uint32_t)++t->count;
    *ret_new = true;
    t->rows[t->count - 1].hash = hash;
    return &t->rows[t->count - 1];
}

void
templates_healthy(struct templates *t, const char *line, size_t len)
{
    bool fresh;
    uint64_t hash = templates_hash(line, len);
    struct templates_row *r = hash ? templates_row(t, hash, &fresh) : NULL;
    t->learned = true;
    if (r)
        r->healthy = true;
}

void
templates_line(struct templates *t, unsigned speaker, int rank, const char *node, const char *line,
               size_t len)
{
    bool fresh;
    uint64_t hash = templates_hash(line, len);
    struct templates_row *r = hash ? templates_row(t, hash, &fresh) : NULL;
    if (speaker + 1 != t->last) { /* files come one after another; ranks of one file may mix */
        t->speakers += speaker + 1 > t->speakers;
        t->last = speaker + 1;
    }
    t->lines++;
    if (!r || r->healthy)
        return;
    if (r->count++ && r->speaker != speaker) {
        r->speaker = speaker;
        r->speakers++;
    }
    if (!fresh)
        return;
    *r = (struct templates_row){.hash = hash,
                                .speaker = speaker,
                                .speakers = 1,
                                .rank = rank,
                                .count = 1,
                                .first = t->lines,
                                .alarm = templates_alarm(line, len)};
    len = len > TEMPLATES_TEXT ? TEMPLATES_TEXT : len;
    if (r->alarm || t->learned) {
        r->text = arena_str(t->arena, line, len);
        r->node = arena_str(t->arena, node, strlen(node));
    }
}

/* How much a template stands out: what it sounds like, and that others do not say it. */
static int
templates_weight(const struct templates *t, const struct templates_row *r)
{
    if (!r->text || r->healthy || (!r->alarm && !t->learned))
        return 0;
    if (t->speakers > 2 && r->speakers > 1 + t->speakers / TEMPLATES_SHARE)
        return 0;
    /* one speaker alone has nobody to be compared with: what it says last, and seldom, counts */
    size_t late =
        t->lines / TEMPLATES_LATE > TEMPLATES_LAST ? t->lines / TEMPLATES_LATE : TEMPLATES_LAST;
    if (t->speakers <= 2 && !t->learned &&
        (r->count > 3 || r->alarm < 3 || r->first + late < t->lines))
        return 0;
    return 1 + 2 * r->alarm + (t->speakers > 2 && r->speakers == 1 ? 3 : 0) + (r->count < 4);
}

bool
templates_find(const struct templates *t, struct templates_answer *ret)
{
    const struct templates_row *best = NULL;
    int most = 0;
    for (size_t i = 0; i < t->count; i++) {
        int w = templates_weight(t, &t->rows[i]);
        if (w >
            most) { /* the first of equals: rows are in the order in which they were first said */
            best = &t->rows[i];
            most = w;
        }
    }
    if (!best)
        return false;
    *ret = (struct templates_answer){best->text,  best->node,     best->rank,
                                     best->count, best->speakers, t->speakers};
    return true;
}
