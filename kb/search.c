/* search: words of entries in two languages, ranked as BM25 does.
 *
 * Expected load: 3,000 entries, 500,000 words of which 20,000 differ, some searches a second. Each
 * word has the list of its entries; the words are sorted, so that a word of the query is looked up
 * whole and, at a lower rate, as a beginning. Chinese has no blanks, so runs of CJK characters are
 * indexed by pairs of neighbours. Always true: made once, read-only afterwards; a word's entries
 * stand in the order of the entries, each once. */
#include "base/str.h"
#include "kb/inside.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEARCH_WORD_MAX  64u
#define SEARCH_WORDS_MAX (1u << 20)
#define SEARCH_QUERY_MAX 32u

struct search_post {
    uint32_t entry;
    float weight;
};

struct search_word {
    const char *text;
    size_t len, count, cap;
    struct search_post *posts;
};

struct kb_search {
    struct arena *arena;
    struct map *places;        /* word -> place + 1; while building */
    struct search_word *words; /* by text */
    size_t count, cap;
    float *lengths; /* sum of weights an entry */
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

/* CJK ideographs and what is written among them; fullwidth and CJK punctuation (U+3000..303F,
 * U+FF00..) are not. */
static bool
search_is_cjk(const char *s, size_t n)
{
    return n == 3 && (unsigned char)s[0] >= 0xe3 && (unsigned char)s[0] <= 0xe9 &&
           !((unsigned char)s[0] == 0xe3 && (unsigned char)s[1] == 0x80);
}

/* The next word of *p, lower case: a run of letters and digits, or two neighbouring CJK characters
 * (one when it stands alone). 0 at the end. */
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

/* The word's row, made when it is new; NULL when there is no room. */
static struct search_word *
search_word_get(struct kb_search *s, const char *word, size_t len)
{
    size_t place = (size_t)(uintptr_t)map_get(s->places, word, len);
    if (place)
        return &s->words[place - 1];
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4096;
        struct search_word *more =
            cap <= SEARCH_WORDS_MAX ? realloc(s->words, cap * sizeof *more) : NULL;
        if (!more)
            return NULL;
        s->words = more;
        s->cap = cap;
    }
    const char *kept = arena_str(s->arena, word, len);
    if (!kept || map_set(s->places, word, len, (void *)(uintptr_t)(s->count + 1), NULL))
        return NULL;
    s->words[s->count] = (struct search_word){.text = kept, .len = len};
    return &s->words[s->count++];
}

static bool
search_post_add(struct search_word *w, uint32_t entry, float weight)
{
    if (w->count && w->posts[w->count - 1].entry == entry) {
        w->posts[w->count - 1].weight += weight;
        return true;
    }
    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 4;
        struct search_post *more = realloc(w->posts, cap * sizeof *more);
        if (!more)
            return false;
        w->posts = more;
        w->cap = cap;
    }
    w->posts[w->count++] = (struct search_post){entry, weight};
    return true;
}

static void
search_add(struct kb_search *s, uint32_t entry, const char *text, float weight)
{
    char word[SEARCH_WORD_MAX];
    for (size_t n; text && !s->failed && (n = search_next(&text, word));) {
        struct search_word *w = search_word_get(s, word, n);
        s->failed = !w || !search_post_add(w, entry, weight);
        s->lengths[entry] += weight;
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
    return strcmp(x->text, y->text);
}

struct kb_search *
kb_search_new(const struct kb *kb)
{
    struct kb_search *s = calloc(1, sizeof *s);
    if (!s || !(s->arena = arena_new(KB_ARENA_MAX)) || !(s->places = map_new(SEARCH_WORDS_MAX)) ||
        !(s->lengths = calloc(kb->count + 1, sizeof *s->lengths))) {
        kb_search_free(s);
        return NULL;
    }
    double all = 0;
    for (size_t i = 0; i < kb->count; i++) {
        search_add_entry(s, (uint32_t)i, &kb->entries[i]);
        all += (double)s->lengths[i];
    }
    if (s->failed) {
        kb_search_free(s);
        return NULL;
    }
    if (s->count)
        qsort(s->words, s->count, sizeof *s->words, search_compare);
    map_free(s->places, NULL);
    s->places = NULL;
    s->mean = all > 0 ? (float)(all / (double)kb->count) : 1;
    return s;
}

void
kb_search_free(struct kb_search *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->words[i].posts);
    map_free(s->places, NULL);
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

/* Adds a word's scores; hits gets a mark at each entry found. BM25 with k1 1.2 and b 0.75
 * (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009); a word found as a
 * beginning only counts a third. */
static void
search_score(const struct kb_search *s, size_t entries, const char *word, size_t len,
             double *scores, uint8_t *hits)
{
    size_t from = search_lower(s, word), to = from, posts = 0;
    while (to < s->count && strncmp(s->words[to].text, word, len) == 0)
        posts += s->words[to++].count;
    double n = (double)posts, rest = (double)entries - n;
    double idf = log(1 + ((rest > 0 ? rest : 0) + 0.5) / (n + 0.5));
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < s->words[i].count; j++) {
            const struct search_post *p = &s->words[i].posts[j];
            double tf = (double)p->weight,
                   norm = 1.2 * (0.25 + 0.75 * (double)(s->lengths[p->entry] / s->mean));
            double score = idf * tf * 2.2 / (tf + norm);
            scores[p->entry] += s->words[i].len == len ? score : score / 3;
            hits[p->entry] = 1;
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
kb_search_run(const struct kb_search *s, const struct kb *kb, const char *q, struct kb_hit *ret,
              size_t size)
{
    double *scores = calloc(kb->count + 1, sizeof *scores);
    uint8_t *hits = calloc(kb->count + 1, 1), *shares = calloc(kb->count + 1, 1);
    struct kb_hit *all = calloc(kb->count + 1, sizeof *all);
    size_t words = 0, n = 0;
    char word[SEARCH_WORD_MAX];
    const char *p = q;
    bool room = scores && hits && shares && all;
    for (size_t len; room && words < SEARCH_QUERY_MAX && (len = search_next(&p, word)); words++) {
        word[len] = 0;
        memset(hits, 0, kb->count);
        search_score(s, kb->count, word, len, scores, hits);
        for (size_t i = 0; i < kb->count; i++)
            shares[i] = (uint8_t)(shares[i] + hits[i]);
    }
    for (size_t i = 0; words && i < kb->count; i++) {
        if (!shares[i])
            continue;
        double share = (double)shares[i] /
                       (double)words; /* an entry with all words stands before one with some */
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
    free(shares);
    free(all);
    return n;
}
