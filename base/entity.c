/* entity: one row a kind; names are checked once, where they enter, and trusted afterwards. */
#include "base/entity.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct entity_kind_row entity_rows[ENTITY_KINDS] = {
    [ENTITY_NONE] = {"", false, ENTITY_NONE, "none", "无"},
    [ENTITY_CLUSTER] = {"cluster", false, ENTITY_NONE, "cluster", "集群"},
    [ENTITY_RACK] = {"rack", false, ENTITY_NONE, "rack", "机柜"},
    [ENTITY_PDU] = {"pdu", false, ENTITY_NONE, "power distribution unit", "配电单元"},
    [ENTITY_CDU] = {"cdu", false, ENTITY_NONE, "coolant distribution unit", "冷却液分配单元"},
    [ENTITY_NODE] = {"node", false, ENTITY_NONE, "node", "节点"},
    [ENTITY_GPU] = {"gpu", true, ENTITY_NODE, "accelerator", "加速卡"},
    [ENTITY_NIC] = {"nic", true, ENTITY_NODE, "network adapter", "网卡"},
    [ENTITY_SWITCH] = {"switch", false, ENTITY_NONE, "switch", "交换机"},
    [ENTITY_PORT] = {"port", true, ENTITY_SWITCH, "switch port", "交换机端口"},
    [ENTITY_OPTIC] = {"optic", true, ENTITY_SWITCH, "optical module", "光模块"},
    [ENTITY_LINK] = {"link", false, ENTITY_NONE, "link", "链路"},
    [ENTITY_STORAGE] = {"storage", false, ENTITY_NONE, "storage", "存储"},
    [ENTITY_JOB] = {"job", false, ENTITY_NONE, "job", "作业"},
    [ENTITY_RANK] = {"rank", true, ENTITY_JOB, "rank", "训练进程(rank)"},
    [ENTITY_TENANT] = {"tenant", false, ENTITY_NONE, "tenant", "租户"},
    [ENTITY_NVSWITCH] = {"nvswitch", true, ENTITY_NODE, "NVSwitch", "NVSwitch 芯片"},
    [ENTITY_SUPERPOD] = {"superpod", false, ENTITY_NONE, "superpod", "超节点"},
    [ENTITY_DPU] = {"dpu", true, ENTITY_NODE, "DPU", "DPU"},
};

static const char *const relation_words[RELATIONS] = {
    [RELATION_NONE] = "",
    [RELATION_CONTAINS] = "contains",
    [RELATION_CABLED_TO] = "cabled-to",
    [RELATION_ON_PATH_OF] = "on-path-of",
    [RELATION_POWERED_BY] = "powered-by",
    [RELATION_COOLED_BY] = "cooled-by",
    [RELATION_MOUNTS] = "mounts",
    [RELATION_RUNS_ON] = "runs-on",
};

const struct entity_kind_row *
entity_kind_row(enum entity_kind k)
{
    return &entity_rows[(unsigned)k < ENTITY_KINDS ? k : ENTITY_NONE];
}

enum entity_kind
entity_kind_find(const char *word, size_t len)
{
    for (unsigned k = ENTITY_NONE + 1; k < ENTITY_KINDS; k++)
        if (!strncmp(word, entity_rows[k].word, len) && !entity_rows[k].word[len])
            return (enum entity_kind)k;
    return ENTITY_NONE;
}

const char *
relation_word(enum relation r)
{
    return relation_words[(unsigned)r < RELATIONS ? r : RELATION_NONE];
}

enum relation
relation_find(const char *word, size_t len)
{
    for (unsigned r = RELATION_NONE + 1; r < RELATIONS; r++)
        if (!strncmp(word, relation_words[r], len) && !relation_words[r][len])
            return (enum relation)r;
    return RELATION_NONE;
}

/* Printable: well-formed UTF-8 without space, quotes, backslash, control characters (C0, DEL, C1),
 * and without the line and paragraph separators and byte order marks that would break a line of
 * output. */
static bool
entity_printable(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x80) {
            if (c <= ' ' || c == 0x7f || c == '"' || c == '\'' || c == '\\' || c == '`')
                return false;
            i++;
            continue;
        }
        size_t n = str_utf8_length(s + i, len - i);
        if (!n || (c == 0xc2 && (unsigned char)s[i + 1] <= 0xa0))
            return false;
        if (n == 3 && (!memcmp(s + i, "\xe2\x80\xa8", 3) || !memcmp(s + i, "\xe2\x80\xa9", 3) ||
                       !memcmp(s + i, "\xe3\x80\x80", 3) || !memcmp(s + i, "\xef\xbb\xbf", 3)))
            return false;
        i += n;
    }
    return true;
}

static int
entity_split(const char *text, struct entity *e, struct err *err)
{
    const char *slash = memchr(e->name, '/', e->name_len);
    bool has_part = entity_rows[e->kind].has_part;
    e->owner_len = has_part && slash ? (size_t)(slash - e->name) : e->name_len;
    if (!has_part) {
        /* A link is named after its two ports, each of which holds a slash. */
        if (slash && (e->kind == ENTITY_NODE || e->kind == ENTITY_SWITCH))
            return err_set(err, ERR_SYNTAX, "'%s': a %s's name holds no '/'", text,
                           entity_rows[e->kind].word);
        return 0;
    }
    if (!slash || slash == e->name || !slash[1])
        return err_set(err, ERR_SYNTAX, "'%s': a %s is written %s:%s/NAME", text,
                       entity_rows[e->kind].word, entity_rows[e->kind].word,
                       entity_rows[entity_rows[e->kind].owner].word);
    e->part = slash + 1;
    e->part_len = e->name_len - e->owner_len - 1;
    return 0;
}

int
entity_parse(const char *text, struct entity *ret_entity, struct err *err)
{
    size_t len = strnlen(text, ENTITY_SIZE);
    if (len > ENTITY_MAX)
        return err_set(err, ERR_SYNTAX, "'%.40s...': an entity has at most %d bytes", text,
                       ENTITY_MAX);
    if (!entity_printable(text, len))
        return err_set(err, ERR_SYNTAX,
                       "an entity is printable, without spaces, quotes and backslashes");
    const char *colon = memchr(text, ':', len);
    if (!colon)
        return err_set(err, ERR_SYNTAX, "'%s': an entity is written KIND:NAME", text);
    struct entity e = {.kind = entity_kind_find(text, (size_t)(colon - text)), .name = colon + 1};
    if (!e.kind)
        return err_set(err, ERR_SYNTAX, "'%s': there is no kind of entity '%.*s'", text,
                       (int)(colon - text), text);
    e.name_len = len - (size_t)(e.name - text);
    if (!e.name_len)
        return err_set(err, ERR_SYNTAX, "'%s': the name is empty", text);
    int rc = entity_split(text, &e, err);
    if (!rc)
        *ret_entity = e;
    return rc;
}

bool
entity_ok(const char *text)
{
    struct entity e;
    return !entity_parse(text, &e, NULL);
}

enum entity_kind
entity_kind_of(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon ? entity_kind_find(text, (size_t)(colon - text)) : ENTITY_NONE;
}

int
entity_format(char out[ENTITY_SIZE], enum entity_kind k, const char *owner, const char *part)
{
    char text[ENTITY_SIZE];
    int n = snprintf(text, sizeof text, "%s:%s%s%s", entity_kind_row(k)->word, owner,
                     part ? "/" : "", part ? part : "");
    if (n < 0 || (size_t)n >= sizeof text || !entity_ok(text))
        return ERR_RANGE;
    memcpy(out, text, (size_t)n + 1);
    return 0;
}

int
entity_owner(char out[ENTITY_SIZE], const char *text, bool is_switch)
{
    struct entity e;
    if (entity_parse(text, &e, NULL) || !e.part)
        return ERR_RANGE;
    enum entity_kind k = entity_rows[e.kind].owner;
    if (e.kind == ENTITY_OPTIC || e.kind == ENTITY_PORT)
        k = is_switch ? ENTITY_SWITCH : ENTITY_NODE;
    char owner[ENTITY_SIZE];
    memcpy(owner, e.name, e.owner_len);
    owner[e.owner_len] = 0;
    return entity_format(out, k, owner, NULL);
}

int
entity_link(char out[ENTITY_SIZE], const char *a, const char *b)
{
    bool swap = strcmp(a, b) > 0;
    char name[ENTITY_SIZE];
    int n = snprintf(name, sizeof name, "%s--%s", swap ? b : a, swap ? a : b);
    if (n < 0 || (size_t)n >= sizeof name || !*a || !*b)
        return ERR_RANGE;
    return entity_format(out, ENTITY_LINK, name, NULL);
}
