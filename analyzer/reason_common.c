/* reason_common: several roots of a kind at once that one thing above them explains are that
 * thing's. Racks that go dark together have lost what feeds them, though nobody reported a feed.
 *
 * Each further root would need a coincidence, whose rarity is that of the root's own rate over all
 * parts that could have failed in the same time; against it stand that the thing itself showed
 * nothing and how many of its parts are well. Expected load: as many cases as one turn has, some
 * hundreds at the worst. */
#include "analyzer/reason_priv.h"
#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMMON_WITHIN_MS 180000 /* machines that lost power at once come back within minutes */
#define COMMON_LEAST_MS  60000  /* onsets are not known better */
#define COMMON_RARE      8.0    /* one coincidence never outweighs more than e^8 */
#define COMMON_UNSEEN    5.0    /* the thing above showed nothing itself */
#define COMMON_MONTH_MS  2592000000.0
#define COMMON_HALF      0.5 /* of the share of its parts that it is known to take has to be there */
#define COMMON_EXTENT    0.3 /* a lower probability says that it may take any share */
#define COMMON_VOTES     4096

struct common {
    struct reason *r;
    const struct candidate **best;
    struct reason_cases *cases;
    struct candidate **votes;
    size_t vote_count;
};

static bool
common_part(const struct candidate *c)
{
    return c->entry->role == KB_ROOT && !c->early && c->place->kind != ENTITY_JOB &&
           c->place->kind != ENTITY_RANK && c->place->kind != ENTITY_CLUSTER;
}

/* Announced work takes machines one after the other: it has no cause above it. */
static bool
common_counts(const struct common *k, size_t i)
{
    return common_part(k->best[i]) && !k->cases->at[i].planned;
}

static int64_t
common_onset(const struct common *k, size_t i)
{
    int64_t first = INT64_MAX;
    for (size_t n = 0; n < k->cases->at[i].symptom_count; n++) {
        int64_t t = k->r->symptoms[k->cases->at[i].symptoms[n]].first_ms;
        first = t < first ? t : first;
    }
    return first;
}

/* The cause by which `above` explains a root; NULL: it does not. */
static const struct kb_cause *
common_why(struct reason *r, const struct candidate *above, const struct candidate *root,
           size_t *ret_reached)
{
    const struct kb_entry *e = above->entry;
    for (size_t i = 0; i < e->cause_count; i++) {
        const struct kb_cause *c = &e->causes[i];
        if (c->entry != root->entry || c->path_len < 2)
            continue;
        const struct reason_walk *w = reason_place_walk(r, above->place, c->path, c->path_len);
        for (size_t k = 0; w && k < w->count; k++)
            if (w->at[k] == root->place) {
                *ret_reached = w->count;
                return c;
            }
    }
    return NULL;
}

/* Everything that could stand above a case's root: the causes of its kind, wherever their paths
 * begin. */
static void
common_vote(struct common *k, const struct candidate *root)
{
    size_t n;
    const struct kb_why *why = kb_causes_of(k->r->kb, root->entry, &n);
    for (size_t i = 0; i < n; i++) {
        const struct kb_cause *c = why[i].cause;
        enum entity_kind back[8];
        if (why[i].entry->role != KB_ROOT || c->path_len < 2)
            continue;
        for (size_t j = 0; j < c->path_len; j++)
            back[j] = c->path[c->path_len - 1 - j];
        const struct reason_walk *w = reason_place_walk(k->r, root->place, back, c->path_len);
        for (size_t j = 0; w && j < w->count && w->count < 8; j++) {
            struct candidate *above = reason_candidate(k->r, why[i].entry, w->at[j]);
            bool known = !above;
            for (size_t v = 0; v < k->vote_count; v++)
                known |= k->votes[v] == above;
            if (!known && k->vote_count < COMMON_VOTES)
                k->votes[k->vote_count++] = above;
        }
    }
}

/* How much more likely the thing above is than that its parts failed by themselves, log units; and
 * which cases are its. */
static double
common_gain(struct common *k, const struct candidate *above, bool *of)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    size_t roots = 0, reached = 0, sum = 0;
    double rate = 0, gain = 0, share = 0;
    const struct kb_cause *before = NULL;
    for (size_t i = 0; i < k->cases->count; i++) {
        size_t n = 0;
        const struct kb_cause *c = common_counts(k, i) && k->best[i] != above
                                       ? common_why(k->r, above, k->best[i], &n)
                                       : NULL;
        of[i] = c || k->best[i] == above;
        if (!c)
            continue;
        int64_t t = common_onset(k, i);
        first = t < first ? t : first;
        last = t > last ? t : last;
        roots++;
        reached = n > reached ? n : reached;
        sum += c == before ? 0 : n;
        before = c;
        rate += k->best[i]->entry->prior + k->best[i]->entry->background;
        share = fmax(share, c->probability < COMMON_EXTENT ? 0 : c->probability);
    }
    if (roots < 2 || last - first > COMMON_WITHIN_MS ||
        (double)roots < COMMON_HALF * share * (double)sum)
        return 0;
    int64_t window = last - first > COMMON_LEAST_MS ? last - first : COMMON_LEAST_MS;
    rate = (rate / (double)roots + 0.1) / 10000 * (double)reached;
    gain = -log(rate * (double)window / COMMON_MONTH_MS);
    gain = gain > COMMON_RARE ? COMMON_RARE : gain;
    gain *= (double)(roots - 1);
    return above->own ? gain : gain - COMMON_UNSEEN;
}

/* The cases of `of` become one, whose first hypothesis is the thing above. */
static int
common_join(struct common *k, struct candidate *above, const bool *of, double gain)
{
    struct reason_case one = {0};
    size_t kept = 0, total = 0;
    for (size_t i = 0; i < k->cases->count; i++)
        for (size_t n = 0; of[i] && n < k->cases->at[i].symptom_count; n++) {
            k->r->taken[k->cases->at[i].symptoms[n]] = false;
            total++;
        }
    above->common = gain;
    int rc = reason_again(k->r, above, &one);
    size_t *more =
        rc ? NULL : realloc(one.symptoms, (one.symptom_count + total + 1) * sizeof *more);
    if (!more) {
        diagnosis_free(one.diagnosis);
        free(one.symptoms);
        return rc ? rc : ERR_NOMEM;
    }
    one.symptoms = more;
    one.telling = true;
    for (size_t i = 0; i < k->cases->count; i++) {
        struct reason_case *c = &k->cases->at[i];
        if (!of[i]) {
            k->best[kept] = k->best[i];
            k->cases->at[kept++] = *c;
            continue;
        }
        for (size_t n = 0; n < c->symptom_count; n++)
            if (!k->r->taken[c->symptoms[n]]) {
                k->r->taken[c->symptoms[n]] = true;
                one.symptoms[one.symptom_count++] = c->symptoms[n];
            }
        diagnosis_free(c->diagnosis);
        free(c->symptoms);
    }
    memmove(&k->cases->at[1], &k->cases->at[0], kept * sizeof *k->cases->at);
    memmove(&k->best[1], &k->best[0], kept * sizeof *k->best);
    k->cases->at[0] = one;
    k->best[0] = above;
    k->cases->count = kept + 1;
    return 0;
}

int
reason_common(struct reason *r, const struct candidate **best, struct reason_cases *cases)
{
    struct common k = {r, best, cases, calloc(COMMON_VOTES, sizeof *k.votes), 0};
    bool *of = calloc(cases->count + 1, sizeof *of),
         *of_most = calloc(cases->count + 1, sizeof *of);
    int rc = k.votes && of && of_most ? 0 : ERR_NOMEM;
    for (bool again = true; !rc && again && cases->count > 1;) {
        struct candidate *above = NULL;
        double most = 0;
        k.vote_count = 0;
        for (size_t i = 0; i < cases->count; i++)
            if (common_counts(&k, i))
                common_vote(&k, best[i]);
        for (size_t v = 0; v < k.vote_count; v++) {
            double gain = common_gain(&k, k.votes[v], of);
            if (gain > most) {
                most = gain;
                above = k.votes[v];
                memcpy(of_most, of, cases->count * sizeof *of);
            }
        }
        again = above != NULL;
        if (above)
            rc = common_join(&k, above, of_most, most);
    }
    free(k.votes);
    free(of);
    free(of_most);
    return rc;
}
