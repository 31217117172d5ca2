/* match: what a match says, as fields and as the entity it is about.
 *
 * Captures of the words below name the entity; every other capture is evidence. A GPU seen by its
 * PCI address alone stays its node here, with the address in the field "pci": which index has that
 * address is known to the inventory only, so the analyzer resolves it. */
#include "base/entity.h"
#include "base/jsonw.h"
#include "kb/matcher.h"

#include <stdio.h>
#include <string.h>

int
kb_match_fields(const struct kb_match *match, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (size_t i = 0; i < match->capture_count; i++) {
        jsonw_key(&w, match->captures[i].name);
        jsonw_strn(&w, match->captures[i].text, match->captures[i].len);
    }
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

/* The text of a capture, "" when it took no part or cannot be part of a name. */
static const char *
match_word(const struct kb_match *match, const char *name, char out[ENTITY_SIZE])
{
    out[0] = 0;
    for (size_t i = 0; i < match->capture_count; i++) {
        const struct kb_capture *c = &match->captures[i];
        if (strcmp(c->name, name) != 0 || !c->len || c->len > ENTITY_MAX)
            continue;
        memcpy(out, c->text, c->len);
        out[c->len] = 0;
        if (strpbrk(out, " \t\"'\\"))
            out[0] = 0;
    }
    return out;
}

/* Who a part belongs to and which capture names the part. */
static const struct {
    enum entity_kind kind;
    const char *owner[2]; /* captures, in this order; then the context */
    const char *part[2];
} match_rows[] = {
    {ENTITY_GPU, {"node"}, {"gpu"}},
    {ENTITY_NIC, {"node"}, {"nic"}},
    {ENTITY_PORT, {"switch", "node"}, {"port", "nic"}},
    {ENTITY_OPTIC, {"switch", "node"}, {"port", "nic"}},
    {ENTITY_NVSWITCH, {"node"}, {"nvswitch"}},
    {ENTITY_DPU, {"node"}, {"dpu"}},
};

static int
match_part(size_t row, const struct kb_match *match, const char *node, char out[ENTITY_SIZE])
{
    char owner[ENTITY_SIZE] = "", part[ENTITY_SIZE] = "";
    for (size_t i = 0; i < 2 && !owner[0] && match_rows[row].owner[i]; i++)
        match_word(match, match_rows[row].owner[i], owner);
    for (size_t i = 0; i < 2 && !part[0] && match_rows[row].part[i]; i++)
        match_word(match, match_rows[row].part[i], part);
    if (!owner[0])
        snprintf(owner, sizeof owner, "%.*s", ENTITY_MAX, node);
    /* RDMA libraries write mlx5_0:1, device and port; the adapter's name is the device. */
    char *colon = match_rows[row].kind == ENTITY_NIC ? strchr(part, ':') : NULL;
    if (colon)
        *colon = 0;
    if (!owner[0] || !part[0])
        return ERR_NOTFOUND;
    return entity_format(out, match_rows[row].kind, owner, part) ? ERR_NOTFOUND : 0;
}

static int
match_rank(const struct kb_match *match, const char *job, int rank, char out[ENTITY_SIZE])
{
    char named[ENTITY_SIZE], owner[ENTITY_SIZE];
    match_word(match, "job", owner);
    match_word(match, "rank", named);
    if (!owner[0])
        snprintf(owner, sizeof owner, "%.*s", ENTITY_MAX, *job ? job : "-");
    if (!named[0] && rank >= 0)
        snprintf(named, sizeof named, "%d", rank);
    if (!named[0])
        return ERR_NOTFOUND;
    return entity_format(out, ENTITY_RANK, owner, named) ? ERR_NOTFOUND : 0;
}

/* Kinds that are one name: the capture of the kind's own word, else what the context knows. */
static int
match_whole(enum entity_kind kind, const struct kb_match *match, const char *node, const char *job,
            char out[ENTITY_SIZE])
{
    char name[ENTITY_SIZE];
    match_word(match, entity_kind_row(kind)->word, name);
    const char *context = kind == ENTITY_JOB                             ? job
                          : kind == ENTITY_NODE || kind == ENTITY_SWITCH ? node
                                                                         : "";
    if (!name[0])
        snprintf(name, sizeof name, "%.*s", ENTITY_MAX, context);
    if (!name[0])
        return ERR_NOTFOUND;
    return entity_format(out, kind, name, NULL) ? ERR_NOTFOUND : 0;
}

/* The nearest that is known: the node, else the job. */
static void
match_near(const struct kb_match *match, const char *node, const char *job, char out[ENTITY_SIZE])
{
    out[0] = 0;
    if (match_whole(ENTITY_NODE, match, node, job, out) &&
        match_whole(ENTITY_JOB, match, node, job, out))
        out[0] = 0;
}

int
kb_match_entity(const struct kb_match *match, const char *node, const char *job, int rank,
                char *out, size_t size)
{
    char text[ENTITY_SIZE] = "";
    enum entity_kind kind = entity_kind_find(match->scope, strlen(match->scope));
    int rc = ERR_NOTFOUND;
    size_t row = 0;
    node = node ? node : "";
    job = job ? job : "";
    while (row < sizeof match_rows / sizeof *match_rows && match_rows[row].kind != kind)
        row++;
    if (row < sizeof match_rows / sizeof *match_rows)
        rc = match_part(row, match, node, text);
    else if (kind == ENTITY_RANK)
        rc = match_rank(match, job, rank, text);
    else if (kind != ENTITY_NONE && kind != ENTITY_LINK)
        rc = match_whole(kind, match, node, job, text);
    if (rc)
        match_near(match, node, job, text);
    snprintf(out, size, "%s", text);
    return rc;
}
