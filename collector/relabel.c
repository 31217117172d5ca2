/* relabel: rules one after another over an unsorted label set. */
#include "collector/relabel.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/regex.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum relabel_action {
    REPLACE,
    KEEP,
    DROP,
    KEEPEQUAL,
    DROPEQUAL,
    HASHMOD,
    LABELMAP,
    LABELDROP,
    LABELKEEP,
    LOWERCASE,
    UPPERCASE
};
static const char *const relabel_actions[] = {"replace",   "keep",      "drop",      "keepequal",
                                              "dropequal", "hashmod",   "labelmap",  "labeldrop",
                                              "labelkeep", "lowercase", "uppercase", NULL};

#define RELABEL_TEXT 4096 /* of joined sources and of a replacement, before limits of labels */
#define AT(m)        offsetof(struct relabel_conf, m)
const struct conf_row relabel_rows[] = {
    {.key = "source_labels",
     .type = CONF_STRS,
     .offset = AT(source_labels),
     .help = "Labels whose values are joined and matched."},
    {.key = "separator",
     .type = CONF_STR,
     .offset = AT(separator),
     .dflt = ";",
     .help = "What stands between joined values."},
    {.key = "regex",
     .type = CONF_STR,
     .offset = AT(regex),
     .dflt = "(.*)",
     .help = "Regular expression that the joined value matches as a whole."},
    {.key = "target_label",
     .type = CONF_STR,
     .offset = AT(target_label),
     .help = "Label that the action writes."},
    {.key = "replacement",
     .type = CONF_STR,
     .offset = AT(replacement),
     .dflt = "$1",
     .help = "What is written; $1 and ${name} stand for groups of the expression."},
    {.key = "modulus",
     .type = CONF_INT,
     .offset = AT(modulus),
     .dflt = "0",
     .min = 0,
     .max = 1e15,
     .help = "Modulus of hashmod."},
    {.key = "action",
     .type = CONF_CHOICE,
     .offset = AT(action),
     .dflt = "replace",
     .choices = relabel_actions,
     .help = "What is done with what matches."},
    {0}};
#undef AT

struct relabel_rule {
    const struct relabel_conf *conf;
    struct regex *regex;
};
struct relabel {
    size_t count;
    struct relabel_rule at[];
};

static int
relabel_check(const struct relabel_conf *c, struct err *err)
{
    bool writes = c->action == REPLACE || c->action == HASHMOD || c->action == LOWERCASE ||
                  c->action == UPPERCASE || c->action == KEEPEQUAL || c->action == DROPEQUAL;
    if (writes && (!c->target_label || !*c->target_label))
        return err_set(err, ERR_SYNTAX, "relabel action %s needs a target_label",
                       relabel_actions[c->action]);
    if (c->action == HASHMOD && c->modulus < 1)
        return err_set(err, ERR_SYNTAX, "relabel action hashmod needs a modulus");
    return 0;
}

int
relabel_new(const struct conf_list *conf, struct relabel **ret, struct err *err)
{
    struct relabel *r = NULL;
    int rc = 0;
    *ret = NULL;
    if (!conf->count)
        return 0;
    r = calloc(1, sizeof *r + conf->count * sizeof *r->at);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for relabelling");
    for (size_t i = 0; !rc && i < conf->count; i++) {
        const struct relabel_conf *c = (const struct relabel_conf *)conf->at + i;
        r->at[i].conf = c;
        r->count = i + 1;
        rc = relabel_check(c, err);
        if (!rc)
            rc = regex_compile(c->regex, strlen(c->regex), REGEX_ANCHORED, &r->at[i].regex, err);
    }
    if (rc)
        relabel_free(r);
    else
        *ret = r;
    return rc;
}

void
relabel_free(struct relabel *r)
{
    for (size_t i = 0; r && i < r->count; i++)
        regex_free(r->at[i].regex);
    free(r);
}

/* --- label sets ----------------------------------------------------------------------------------
 */

static size_t
relabel_find(const struct labels *l, const char *name, size_t len)
{
    size_t i = 0;
    while (i < l->count && (l->at[i].name_len != len || memcmp(l->at[i].name, name, len) != 0))
        i++;
    return i;
}

int
relabel_set(struct labels *l, const char *name, size_t name_len, const char *value, size_t len)
{
    size_t i = relabel_find(l, name, name_len);
    if (i < l->count && !len) {
        l->at[i] = l->at[--l->count];
        return 0;
    }
    if (len > LABEL_VALUE_MAX)
        return ERR_LIMIT;
    if (i < l->count) {
        l->at[i].value = value;
        l->at[i].value_len = (uint32_t)len;
        return 0;
    }
    return labels_add(l, name, name_len, value, len);
}

/* --- one rule ------------------------------------------------------------------------------------
 */

struct relabel_text {
    char at[RELABEL_TEXT];
    size_t len;
};

static void
relabel_put(struct relabel_text *t, const char *s, size_t n)
{
    if (n > sizeof t->at - t->len)
        n = sizeof t->at - t->len;
    memcpy(t->at + t->len, s, n);
    t->len += n;
}

static void
relabel_join(const struct relabel_conf *c, const struct labels *l, struct relabel_text *ret)
{
    ret->len = 0;
    for (size_t i = 0; i < c->source_labels.count; i++) {
        const char *name = c->source_labels.at[i];
        size_t at = relabel_find(l, name, strlen(name));
        if (i)
            relabel_put(ret, c->separator, strlen(c->separator));
        if (at < l->count)
            relabel_put(ret, l->at[at].value, l->at[at].value_len);
    }
}

/* The group that "$..." at p names; its length in *ret_len. NULL: none, the sign stands for itself.
 */
static const struct regex_capture *
relabel_group(const char *p, const struct regex_capture *captures, size_t count, size_t *ret_len)
{
    static const struct regex_capture none = {"", "", 0};
    bool braces = p[1] == '{';
    const char *name = p + (braces ? 2 : 1);
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || name[n] == '_')
        n++;
    if (!n || (braces && name[n] != '}'))
        return NULL;
    *ret_len = n + (braces ? 3 : 1);
    if (strspn(name, "0123456789") >= n) {
        size_t i = strtoul(name, NULL, 10);
        return i < count && captures[i].text ? &captures[i] : &none;
    }
    for (size_t i = 0; i < count; i++)
        if (strlen(captures[i].name) == n && !memcmp(captures[i].name, name, n))
            return captures[i].text ? &captures[i] : &none;
    return &none;
}

static void
relabel_expand(const char *replacement, const struct regex_capture *captures, size_t count,
               struct relabel_text *ret)
{
    ret->len = 0;
    for (const char *p = replacement; *p;) {
        size_t n = 1;
        const struct regex_capture *c = NULL;
        if (*p == '$' && p[1] == '$') {
            relabel_put(ret, "$", 1);
            p += 2;
            continue;
        }
        if (*p == '$')
            c = relabel_group(p, captures, count, &n);
        if (c)
            relabel_put(ret, c->text, c->len);
        else
            relabel_put(ret, p, 1);
        p += c ? n : 1;
    }
}

static int
relabel_write(struct labels *l, struct arena *a, const char *name, const struct relabel_text *t)
{
    char *value = arena_str(a, t->at, t->len), *kept = arena_str(a, name, strlen(name));
    return value && kept ? relabel_set(l, kept, strlen(kept), value, t->len) : ERR_LIMIT;
}

static int
relabel_replace(const struct relabel_rule *r, struct labels *l, struct arena *a,
                const struct relabel_text *source)
{
    struct regex_capture captures[REGEX_CAPTURES_MAX];
    size_t count = REGEX_CAPTURES_MAX;
    struct relabel_text name, value;
    if (regex_match(r->regex, source->at, source->len, captures, &count) <= 0)
        return 0;
    relabel_expand(r->conf->target_label, captures, count, &name);
    relabel_expand(r->conf->replacement, captures, count, &value);
    char *kept = arena_str(a, name.at, name.len);
    return kept ? relabel_write(l, a, kept, &value) : ERR_LIMIT;
}

static int
relabel_case(const struct relabel_conf *c, struct labels *l, struct arena *a,
             struct relabel_text *source)
{
    for (size_t i = 0; i < source->len; i++) {
        unsigned char ch = (unsigned char)source->at[i];
        source->at[i] = (char)(c->action == LOWERCASE ? tolower(ch) : toupper(ch));
    }
    return relabel_write(l, a, c->target_label, source);
}

static int
relabel_hashmod(const struct relabel_conf *c, struct labels *l, struct arena *a,
                const struct relabel_text *source)
{
    struct relabel_text t;
    uint64_t h = hash_64(source->at, source->len, 0) % (uint64_t)c->modulus;
    t.len = (size_t)snprintf(t.at, sizeof t.at, "%llu", (unsigned long long)h);
    return relabel_write(l, a, c->target_label, &t);
}

static int
relabel_map(const struct relabel_rule *r, struct labels *l, struct arena *a)
{
    struct regex_capture captures[REGEX_CAPTURES_MAX];
    struct relabel_text name;
    size_t n = l->count;
    for (size_t i = 0; i < n; i++) {
        size_t count = REGEX_CAPTURES_MAX;
        struct label x = l->at[i];
        if (regex_match(r->regex, x.name, x.name_len, captures, &count) <= 0)
            continue;
        relabel_expand(r->conf->replacement, captures, count, &name);
        char *kept = arena_str(a, name.at, name.len);
        if (!kept || relabel_set(l, kept, name.len, x.value, x.value_len))
            return ERR_LIMIT;
    }
    return 0;
}

static void
relabel_thin(const struct relabel_rule *r, struct labels *l, bool keep)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        bool match = regex_match(r->regex, l->at[i].name, l->at[i].name_len, NULL, NULL) > 0;
        if (match == keep)
            l->at[n++] = l->at[i];
    }
    l->count = n;
}

static bool
relabel_equal(const struct relabel_conf *c, const struct labels *l,
              const struct relabel_text *source)
{
    size_t i = relabel_find(l, c->target_label, strlen(c->target_label));
    size_t n = i < l->count ? l->at[i].value_len : 0;
    return n == source->len && (!n || !memcmp(l->at[i].value, source->at, n));
}

/* 1 go on, 0 dropped, negative: over a limit. */
static int
relabel_rule(const struct relabel_rule *r, struct labels *l, struct arena *a)
{
    const struct relabel_conf *c = r->conf;
    struct relabel_text source;
    int rc = 0;
    relabel_join(c, l, &source);
    switch ((enum relabel_action)c->action) {
    case REPLACE:
        rc = relabel_replace(r, l, a, &source);
        break;
    case KEEP:
        return regex_match(r->regex, source.at, source.len, NULL, NULL) > 0;
    case DROP:
        return regex_match(r->regex, source.at, source.len, NULL, NULL) <= 0;
    case KEEPEQUAL:
        return relabel_equal(c, l, &source);
    case DROPEQUAL:
        return !relabel_equal(c, l, &source);
    case HASHMOD:
        rc = relabel_hashmod(c, l, a, &source);
        break;
    case LABELMAP:
        rc = relabel_map(r, l, a);
        break;
    case LABELDROP:
    case LABELKEEP:
        relabel_thin(r, l, c->action == LABELKEEP);
        break;
    case LOWERCASE:
    case UPPERCASE:
        rc = relabel_case(c, l, a, &source);
        break;
    }
    return rc < 0 ? rc : 1;
}

bool
relabel_apply(const struct relabel *r, struct labels *l, struct arena *a)
{
    for (size_t i = 0; r && i < r->count; i++)
        if (relabel_rule(&r->at[i], l, a) <= 0)
            return false;
    return true;
}
