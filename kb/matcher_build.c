/* matcher_build: from the log signals of entries and families to the bytes of a pattern database.
 *
 * Expected load: 2,000 patterns, at build of the program and when a site's entries change; 1.5 ms a
 * pattern. Always true: the same knowledge base gives the same bytes before the Vectorscan part. */
#include "kb/inside.h"
#include "kb/matcher_inside.h"

#include <hs/hs.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct build_pattern {
    const char *text, *source, *id, *file;
    unsigned line;
    uint32_t entry, flags, family; /* family: place + 1 */
    size_t weight;
};

struct build {
    const struct kb *kb;
    struct build_pattern *patterns;
    size_t count;
    struct buf pool, codes, families, entries;
    struct map *strings;
    size_t code_count;
    bool failed;
};

/* How many characters of a pattern are fixed: the more, the less it matches by accident. */
static size_t
build_weight(const char *s)
{
    size_t n = 0;
    for (; *s; s++) {
        if (*s == '[') {
            for (s++; *s && *s != ']'; s++)
                if (*s == '\\' && s[1])
                    s++;
            if (!*s)
                return n;
        } else if (*s == '\\' && s[1]) {
            s++;
            n += !isalnum((unsigned char)*s);
        } else if (*s == '(' && s[1] == '?') {
            while (s[1] && *s != '>' && *s != ':' && *s != ')')
                s++;
        } else if (!strchr("()|.*+?{}^$", *s)) {
            n++;
        }
    }
    return n;
}

static uint32_t
build_source(const char *source)
{
    static const char *const words[] = {"kernel", "job", "syslog", "switch"};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(source, words[i]) == 0)
            return 1u << i;
    return MATCHER_ANY;
}

static uint32_t
build_str(struct build *b, const char *s)
{
    size_t n = strlen(s) + 1, place = (size_t)(uintptr_t)map_get(b->strings, s, n);
    if (place)
        return (uint32_t)(place - 1);
    place = b->pool.len;
    if (map_set(b->strings, s, n, (void *)(uintptr_t)(place + 1), NULL) ||
        buf_append(&b->pool, s, n))
        b->failed = true;
    return (uint32_t)place;
}

static void
build_u32(struct buf *out, uint32_t v)
{
    uint8_t bytes[4];
    matcher_put_u32(bytes, v);
    buf_append(out, bytes, 4);
}

static int
build_compare(const void *a, const void *b)
{
    const struct build_pattern *x = a, *y = b;
    if (!x->family != !y->family)
        return x->family ? 1 : -1;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    int c = strcmp(x->id, y->id);
    return c ? c : strcmp(x->text, y->text);
}

static void
build_add(struct build *b, const char *text, const char *source, uint32_t entry, uint32_t flags,
          const char *id, const char *file, unsigned line)
{
    b->patterns[b->count++] = (struct build_pattern){
        .text = text,
        .source = source,
        .id = id,
        .file = file,
        .line = line,
        .entry = entry,
        .flags = flags,
        .weight = build_weight(text),
    };
}

static void
build_entry(struct build *b, const struct kb_entry *e, uint32_t place)
{
    build_u32(&b->entries, build_str(b, e->id));
    build_u32(&b->entries, build_str(b, entity_kind_row(e->scope)->word));
    build_u32(&b->entries, e->severity);
    for (size_t i = 0; i < e->signal_count; i++)
        if (e->signals[i].kind == KB_SIGNAL_LOG && e->signals[i].pattern)
            build_add(b, e->signals[i].pattern, e->signals[i].source ? e->signals[i].source : "any",
                      place, 0, e->id, e->file, e->line);
    if (e->clear_pattern)
        build_add(b, e->clear_pattern, "any", place, MATCHER_CLEARS, e->id, e->file, e->line);
}

static void
build_family(struct build *b, const struct kb_family *f, uint32_t place)
{
    uint32_t first = (uint32_t)b->code_count;
    for (size_t i = 0; i < f->row_count; i++) {
        const struct kb_entry *e = kb_find(b->kb, f->rows[i].id);
        if (!e && f->rows[i].id[0])
            continue;
        build_u32(&b->codes, build_str(b, f->rows[i].code));
        build_u32(&b->codes, e ? (uint32_t)(e - kb_at(b->kb, 0)) : MATCHER_NONE);
        b->code_count++;
    }
    build_u32(&b->families, first);
    build_u32(&b->families, (uint32_t)b->code_count - first);
    if (!f->pattern)
        return;
    build_add(b, f->pattern, f->source ? f->source : "any", 0, 0, f->id, f->file, f->line);
    b->patterns[b->count - 1].family = place + 1;
}

static int
build_collect(struct build *b)
{
    size_t room = 0;
    for (size_t i = 0; i < b->kb->count; i++)
        room += b->kb->entries[i].signal_count + 1;
    b->strings = map_new(4u << 20);
    b->patterns = calloc(room + b->kb->family_count + 1, sizeof *b->patterns);
    if (!b->strings || !b->patterns)
        return ERR_NOMEM;
    for (size_t i = 0; i < b->kb->count; i++)
        build_entry(b, &b->kb->entries[i], (uint32_t)i);
    for (size_t i = 0; i < b->kb->family_count; i++)
        build_family(b, &b->kb->families[i], (uint32_t)i);
    qsort(b->patterns, b->count, sizeof *b->patterns, build_compare);
    return 0;
}

/* The Vectorscan part, behind padding to 64 bytes. */
static int
build_database(struct build *b, struct buf *out, struct err *err)
{
    const char **texts = calloc(b->count + 1, sizeof *texts);
    if (!texts)
        return err_set(err, ERR_NOMEM, "out of memory while compiling patterns");
    for (size_t i = 0; i < b->count; i++)
        texts[i] = b->patterns[i].text;
    void *db = NULL;
    char *bytes = NULL;
    size_t len = 0;
    int bad = -1, rc = kb_matcher_compile(texts, b->count, &db, &bad, err);
    if (rc && bad >= 0 && (size_t)bad < b->count)
        err_at(err, b->patterns[bad].file, b->patterns[bad].line, 1);
    if (!rc && db && hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
        rc = err_set(err, ERR_NOMEM, "out of memory while serializing patterns");
    while (!rc && out->len % 64)
        rc = buf_putc(out, 0);
    if (!rc) {
        matcher_put_u32((uint8_t *)out->data + 28, (uint32_t)out->len);
        matcher_put_u32((uint8_t *)out->data + 32, (uint32_t)len);
        rc = len ? buf_append(out, bytes, len) : 0;
    }
    free(bytes);
    hs_free_database(db);
    free(texts);
    return rc;
}

static int
build_write(struct build *b, struct buf *out, struct err *err)
{
    uint8_t header[MATCHER_HEADER] = "MSPM";
    const uint32_t fields[] = {MATCHER_VERSION, (uint32_t)b->count, (uint32_t)b->kb->count,
                               (uint32_t)b->kb->family_count, (uint32_t)b->code_count};
    for (size_t i = 0; i < 5; i++)
        matcher_put_u32(header + 4 + 4 * i, fields[i]);
    buf_append(out, header, sizeof header);
    for (size_t i = 0; i < b->count; i++) {
        const struct build_pattern *p = &b->patterns[i];
        build_u32(out, build_str(b, p->text));
        build_u32(out, p->entry);
        build_u32(out, build_source(p->source));
        build_u32(out, p->flags);
        build_u32(out, p->family);
    }
    const struct buf *parts[] = {&b->entries, &b->families, &b->codes, &b->pool};
    for (size_t i = 0; i < 4; i++) {
        b->failed = b->failed || parts[i]->failed;
        if (parts[i]->len)
            buf_append(out, parts[i]->data, parts[i]->len);
    }
    if (b->failed || out->failed)
        return err_set(err, ERR_NOMEM, "out of memory while laying out patterns");
    matcher_put_u32((uint8_t *)out->data + 24, (uint32_t)b->pool.len);
    uint64_t hash = map_hash(out->data + MATCHER_HEADER, out->len - MATCHER_HEADER);
    matcher_put_u32((uint8_t *)out->data + 36, (uint32_t)hash);
    matcher_put_u32((uint8_t *)out->data + 40, (uint32_t)(hash >> 32));
    return build_database(b, out, err);
}

int
kb_matcher_build(const struct kb *kb, struct buf *out, struct err *err)
{
    struct build b = {.kb = kb};
    buf_init(&b.pool, MATCHER_MAX);
    buf_init(&b.codes, MATCHER_MAX);
    buf_init(&b.families, MATCHER_MAX);
    buf_init(&b.entries, MATCHER_MAX);
    int rc = build_collect(&b);
    if (rc)
        err_set(err, rc, "out of memory while collecting patterns");
    else
        rc = build_write(&b, out, err);
    map_free(b.strings, NULL);
    free(b.patterns);
    buf_done(&b.pool);
    buf_done(&b.codes);
    buf_done(&b.families);
    buf_done(&b.entries);
    return rc;
}
