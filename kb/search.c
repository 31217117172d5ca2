/* search: words of entries in two languages, ranked as BM25 does.
 *
 * Expected load: 3,000 entries, 300,000 words, some searches a second. The index is one sorted array of (word, entry,
 * weight): a word of the query is looked up whole and, at a lower rate, as a beginning. Chinese has no blanks, so runs
 * of CJK characters are indexed by pairs of neighbours. Always true: made once, read-only afterwards. */
#include "base/str.h"
#include "kb/inside.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEARCH_WORD_MAX  64u
#define SEARCH_WORDS_MAX (8u << 20)
#define SEARCH_QUERY_MAX 32u

struct search_word {
    const char *text;
    uint32_t len, entry;
    float weight;
};

struct kb_search {
    struct arena *arena;
    struct search_word *words; /* by text, then entry; merged */
    size_t count, cap;
    float *lengths;            /* sum of weights an entry */
    float mean;
    bool failed;
};

/* How much a word counts by where it stands. */
enum { SEARCH_ID = 6, SEARCH_TITLE = 4, SEARCH_CODE = 6, SEARCH_TEXT = 1 };

/* ---- splitting ---- */

static bool
search_is_word(unsigned char c)
{
    return c < 0x80 && (isalnum(c) || c == '_');
}

/* Bytes of the UTF-8 character at s, 1 for what is none. */
static size_t
search_char(const char *s)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 1;
    return n;
}

/* CJK ideographs and what is written among them; fullwidth and CJK punctuation (U+3000..303F, U+FF00..) are not. */
static bool
search_is_cjk(const char *s, size_t n)
{
    return n == 3 && (unsigned char)s[0] >= 0xe3 && (unsigned char)s[0] <= 0xe9 &&
           !((unsigned char)s[0] == 0xe3 && (unsigned char)s[1] == 0x80);
}

/* The next word of *p, lower case: a run of letters and digits, or two neighbouring CJK characters (one when it stands
 * alone). 0 at the end. */
static size_t
search_next(const char **p, char out[SEARCH_WORD_MAX])
{
    const char *s = *p;
    size_t n = 0;
    while (*s && !search_is_word((unsigned char)*s) && !search_is_cjk(s, search_char(s)))
        s += search_char(s);
    if (*s && search_is_word((unsigned char)*s)) {
        for (; search_is_word((unsigned char)*s); s++)
            if (n < SEARCH_WORD_MAX - 1)
                out[n++] = (char)tolower((unsigned char)*s);
    } else if (*s) {
        size_t second = s[3] ? search_char(s + 3) : 0;
        bool pair = second && search_is_cjk(s + 3, second);
        n = pair ? 6 : 3;
        memcpy(out, s, n);
        s += 3;
        if (pair && !(s[3] && search_is_cjk(s + 3, search_char(s + 3))))
            s += 3; /* the last pair of a run: do not leave its second half as a word */
    }
    *p = s;
    return n;
}

/* ---- the index ---- */

static void
search_add(struct kb_search *s, uint32_t entry, const char *text, float weight)
{
    char word[SEARCH_WORD_MAX];
    for (size_t n; text && !s->failed && (n = search_next(&text, word));) {
        if (s->count == s->cap) {
            size_t cap = s->cap ? s->cap * 2 : 1u << 16;
            struct search_word *more = cap <= SEARCH_WORDS_MAX ? realloc(s->words, cap * sizeof *more) : NULL;
            s->failed = !more;
            if (!more)
                return;
            s->words = more;
            s->cap = cap;
        }
        const char *kept = arena_str(s->arena, word, n);
        s->failed = !kept;
        if (kept)
            s->words[s->count++] = (struct search_word){kept, (uint32_t)n, entry, weight};
    }
}

static void
search_add_entry(struct kb_search *s, uint32_t i, const struct kb_entry *e)
{
    search_add(s, i, e->id, SEARCH_ID);
    search_add(s, i, e->class_name, SEARCH_TEXT);
    search_add(s, i, e->title.en, SEARCH_TITLE);
    search_add(s, i, e->title.zh, SEARCH_TITLE);
    search_add(s, i, e->description.en, SEARCH_TEXT);
    search_add(s, i, e->description.zh, SEARCH_TEXT);
    for (size_t j = 0; j < e->action_count; j++) {
        search_add(s, i, e->actions[j].en, SEARCH_TEXT);
        search_add(s, i, e->actions[j].zh, SEARCH_TEXT);
    }
    for (size_t j = 0; j < e->signal_count; j++) {
        search_add(s, i, e->signals[j].code, SEARCH_CODE);
        for (size_t k = 0; e->signals[j].match && e->signals[j].match[k]; k++)
            search_add(s, i, e->signals[j].match[k], SEARCH_TEXT);
    }
}

static int
search_compare(const void *a, const void *b)
{
    const struct search_word *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* One row a (word, entry), with the sum of weights. */
static void
search_merge(struct kb_search *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (n && s->words[n - 1].entry == s->words[i].entry && strcmp(s->words[n - 1].text, s->words[i].text) == 0)
            s->words[n - 1].weight += s->words[i].weight;
        else
            s->words[n++] = s->words[i];
    }
    s->count = n;
}

struct kb_search *
kb_search_new(const struct kb *kb)
{
    struct kb_search *s = calloc(1, sizeof *s);
    if (!s || !(s->arena = arena_new(KB_ARENA_MAX)) || !(s->lengths = calloc(kb->count + 1, sizeof *s->lengths))) {
        kb_search_free(s);
        return NULL;
    }
    for (size_t i = 0; i < kb->count; i++)
        search_add_entry(s, (uint32_t)i, &kb->entries[i]);
    if (s->failed) {
        kb_search_free(s);
        return NULL;
    }
    if (s->count)
        qsort(s->words, s->count, sizeof *s->words, search_compare);
    search_merge(s);
    double all = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->lengths[s->words[i].entry] += s->words[i].weight;
        all += (double)s->words[i].weight;
    }
    s->mean = kb->count ? (float)(all / (double)kb->count) : 1;
    return s;
}

void
kb_search_free(struct kb_search *s)
{
    if (!s)
        return;
    arena_free(s->arena);
    free(s->words);
    free(s->lengths);
    free(s);
}

/* ---- asking ---- */

static size_t
search_lower(const struct kb_search *s, const char *word)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(s->words[mid].text, word) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Adds a word's scores. BM25 with k1 1.2 and b 0.75 (Robertson and Zaragoza, The Probabilistic Relevance Framework,
 * 2009); a word found as a beginning only counts a third. */
static void
search_score(const struct kb_search *s, size_t entries, const char *word, size_t len, double *scores, uint8_t *hits)
{
    size_t from = search_lower(s, word), to = from;
    while (to < s->count && strncmp(s->words[to].text, word, len) == 0)
        to++;
    double n = (double)(to - from), rest = (double)entries - n;
    double idf = log(1 + ((rest > 0 ? rest : 0) + 0.5) / (n + 0.5));
    for (size_t i = from; i < to; i++) {
        const struct search_word *w = &s->words[i];
        double tf = (double)w->weight, norm = 1.2 * (0.25 + 0.75 * (double)(s->lengths[w->entry] / s->mean));
        double score = idf * tf * 2.2 / (tf + norm);
        scores[w->entry] += w->len == len ? score : score / 3;
        hits[w->entry] |= 1; /* this word was found; counted once, below, by twos */
    }
    for (size_t i = from; i < to; i++) {
        uint8_t *h = &hits[s->words[i].entry];
        if (*h & 1)
            *h = (uint8_t)((*h & ~1u) + 2);
    }
}

static int
search_hit_compare(const void *a, const void *b)
{
    const struct kb_hit *x = a, *y = b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->entry->id, y->entry->id);
}

size_t
kb_search_run(const struct kb_search *s, const struct kb *kb, const char *q, struct kb_hit *ret, size_t size)
{
    double *scores = calloc(kb->count + 1, sizeof *scores);
    uint8_t *hits = calloc(kb->count + 1, 1);
    struct kb_hit *all = calloc(kb->count + 1, sizeof *all);
    size_t words = 0, n = 0;
    char word[SEARCH_WORD_MAX];
    const char *p = q;
    for (size_t len; scores && hits && all && words < SEARCH_QUERY_MAX && (len = search_next(&p, word)); words++) {
        word[len] = 0;
        search_score(s, kb->count, word, len, scores, hits);
    }
    for (size_t i = 0; words && i < kb->count; i++) {
        if (!hits[i])
            continue;
        double share = (double)(hits[i] / 2) / (double)words; /* an entry with all words stands before one with some */
        all[n++] = (struct kb_hit){&kb->entries[i], scores[i] * share * share};
    }
    const struct kb_entry *exact = words ? kb_find_code(kb, q) : NULL;
    for (size_t i = 0; i < n && exact; i++)
        if (all[i].entry == exact)
            all[i].score += 1000;
    if (n)
        qsort(all, n, sizeof *all, search_hit_compare);
    if (n > size)
        n = size;
    for (size_t i = 0; i < n; i++)
        ret[i] = all[i];
    free(scores);
    free(hits);
    free(all);
    return n;
}
