/* topo_resolve: which entity a series or a host name stands for.
 *
 * Aliases of the document come first; then base/metric's rules give a name by the labels alone; if
 * nothing bears it, the host part is looked up as address, alias or short name, and the part as
 * netdev, PCI address or UUID. Asked once a series; the caller keeps the answer until topo_revision
 * changes. */
#include "base/str.h"
#include "store/topo_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TOPO_KEY_SIZE (LABEL_NAME_MAX + LABEL_VALUE_MAX + 2)

static topo_id
topo_resolve_known(const struct map *m, const char *key)
{
    uintptr_t at = (uintptr_t)map_get(m, key, strlen(key));
    return at ? (topo_id)(at - 1) : TOPO_NONE;
}

static topo_id
topo_resolve_named(const struct topo *t, enum entity_kind k, const char *owner, const char *part)
{
    char name[ENTITY_SIZE];
    return entity_format(name, k, owner, part) < 0 ? TOPO_NONE : topo_find(t, name);
}

static topo_id
topo_resolve_host_exact(const struct topo *t, const char *host)
{
    topo_id id = topo_resolve_named(t, ENTITY_NODE, host, NULL);
    if (id == TOPO_NONE)
        id = topo_resolve_named(t, ENTITY_SWITCH, host, NULL);
    return id != TOPO_NONE ? id : topo_resolve_known(t->base->hosts, host);
}

/* By name or address; without port; by the first label of a domain name; in lower case. */
static topo_id
topo_resolve_host_id(const struct topo *t, const char *host)
{
    char text[256];
    topo_id id = topo_resolve_host_exact(t, host);
    if (id != TOPO_NONE || !*host || str_copy(text, sizeof text, host) >= sizeof text)
        return id;
    char *colon = strrchr(text, ':');
    if (colon && (strchr(text, ':') == colon || colon[-1] == ']')) {
        *colon = 0;
        if ((id = topo_resolve_host_exact(t, text)) != TOPO_NONE)
            return id;
    }
    if (text[0] == '[' && text[strlen(text) - 1] == ']') {
        text[strlen(text) - 1] = 0;
        return topo_resolve_known(t->base->hosts, text + 1);
    }
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if ((id = topo_resolve_host_exact(t, text)) != TOPO_NONE)
        return id;
    char *dot = strchr(text, '.');
    if (!dot || isdigit((unsigned char)text[strspn(text, "0123456789.")]) ||
        !text[strspn(text, "0123456789.")])
        return TOPO_NONE; /* an address has no short name */
    *dot = 0;
    return topo_resolve_host_exact(t, text);
}

int
topo_resolve_host(const struct topo *t, const char *host, char out[ENTITY_SIZE])
{
    topo_id id = topo_resolve_host_id(t, host);
    if (id == TOPO_NONE)
        return ERR_NOTFOUND;
    str_copy(out, ENTITY_SIZE, topo_name(t, id));
    return 0;
}

/* --- aliases ---------------------------------------------------------------------------------- */

static bool
topo_resolve_alias_fits(const struct topo_alias *a, const struct labels *l)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct label *have = labels_find(l, a->match[i].name);
        if (!have || have->value_len != a->match[i].value_len ||
            memcmp(have->value, a->match[i].value, have->value_len) != 0)
            return false;
    }
    return true;
}

/* The alias with the most labels that fits, NULL. */
static const struct topo_alias *
topo_resolve_alias(const struct topo_base *b, const struct labels *l)
{
    const struct topo_alias *best = NULL;
    for (size_t i = 0; i < b->alias_label_count; i++) {
        char key[TOPO_KEY_SIZE];
        const struct label *have = labels_find(l, b->alias_labels[i]);
        if (!have)
            continue;
        int n = snprintf(key, sizeof key, "%s=%.*s", b->alias_labels[i], (int)have->value_len,
                         have->value);
        if (n < 0 || (size_t)n >= sizeof key)
            continue;
        uintptr_t at = (uintptr_t)map_get(b->alias_index, key, (size_t)n);
        for (uint32_t k = at ? (uint32_t)(at - 1) : TOPO_NONE; k != TOPO_NONE;
             k = b->aliases[k].next)
            if ((!best || b->aliases[k].count > best->count) &&
                topo_resolve_alias_fits(&b->aliases[k], l))
                best = &b->aliases[k];
    }
    return best;
}

/* The labels with the host they name replaced. */
static void
topo_resolve_rehost(const struct labels *l, const char *host, struct labels *ret)
{
    static const char *const hosts[] = {"node", "Hostname", "hostname", "host", NULL};
    ret->count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *const *h = hosts;
        while (*h && !(strlen(*h) == l->at[i].name_len &&
                       memcmp(*h, l->at[i].name, l->at[i].name_len) == 0))
            h++;
        if (!*h)
            ret->at[ret->count++] = l->at[i];
    }
    labels_add_str(ret, "node", host);
    labels_finish(ret);
}

/* --- parts ------------------------------------------------------------------------------------ */

static topo_id
topo_resolve_part(const struct topo *t, const char *host, const char *what)
{
    char key[ENTITY_SIZE + 64];
    int n = snprintf(key, sizeof key, "%s/%s", host, what);
    return n < 0 || (size_t)n >= sizeof key ? TOPO_NONE : topo_resolve_known(t->base->parts, key);
}

/* A device of a host by PCI address. Documents, drivers and exporters write one address in several
 * ways: domain of eight digits, four or none, function or none (then it is 0). */
static topo_id
topo_resolve_pci(const struct topo *t, const char *host, const char *address)
{
    static const char *const domains[] = {"", "0000:", "00000000:", NULL};
    char text[128], key[192];
    str_copy(text, sizeof text, address);
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    char *first = strchr(text, ':'), *function = strchr(text, '.');
    bool zero = first && strspn(text, "0") == (size_t)(first - text);
    const char *rest = zero && strchr(first + 1, ':') ? first + 1 : text;
    topo_id id = topo_resolve_part(t, host, text);
    for (int pass = 0; pass < 2 && id == TOPO_NONE; pass++) {
        const char *tail = pass && !function ? ".0" : "";
        if (pass && function && !strcmp(function, ".0"))
            *function = 0;
        for (const char *const *d = domains; *d && id == TOPO_NONE; d++) {
            snprintf(key, sizeof key, "%s%s%s", *d, rest, tail);
            id = topo_resolve_part(t, host, key);
        }
    }
    return id;
}

/* A gpu by UUID or PCI address. */
static topo_id
topo_resolve_gpu(const struct topo *t, const char *host, const struct labels *l)
{
    char text[128];
    topo_id id = TOPO_NONE;
    if (labels_copy(l, "UUID", text, sizeof text) || labels_copy(l, "uuid", text, sizeof text))
        id = topo_resolve_known(t->base->parts, text);
    if (id != TOPO_NONE || !host || !labels_copy(l, "pci_bus_id", text, sizeof text))
        return id;
    return topo_resolve_pci(t, host, text);
}

static topo_id
topo_resolve_nic_optic(const struct topo *t, topo_id nic)
{
    char name[ENTITY_SIZE];
    if (nic == TOPO_NONE)
        return nic;
    snprintf(name, sizeof name, "optic:%s", strchr(topo_name(t, nic), ':') + 1);
    return topo_find(t, name);
}

/* What `part` of a host that exists is: ports and nics stand in for each other, by name, then by
 * netdev. */
static topo_id
topo_resolve_of_host(const struct topo *t, enum entity_kind k, topo_id owner, const char *part,
                     const struct labels *l)
{
    const char *host = strchr(topo_name(t, owner), ':') + 1;
    bool is_switch = topo_kind(t, owner) == ENTITY_SWITCH;
    topo_id id = topo_resolve_named(t, k, host, part), nic;
    if (id != TOPO_NONE)
        return id;
    switch (k) {
    case ENTITY_GPU:
        return topo_resolve_gpu(t, host, l);
    case ENTITY_NIC:
    case ENTITY_PORT:
        id = topo_resolve_named(t, is_switch ? ENTITY_PORT : ENTITY_NIC, host, part);
        return id != TOPO_NONE || is_switch ? id : topo_resolve_part(t, host, part);
    case ENTITY_OPTIC:
        nic = is_switch ? TOPO_NONE : topo_resolve_part(t, host, part);
        return topo_resolve_nic_optic(t, nic);
    default:
        return TOPO_NONE;
    }
}

/* A port whose ifName nobody knows may be known by its ifDescr, and the other way round. */
static topo_id
topo_resolve_other_name(const struct topo *t, enum entity_kind k, topo_id owner,
                        const struct labels *l)
{
    static const char *const names[] = {"ifDescr", "ifName", "ifAlias", "port", NULL};
    char text[ENTITY_SIZE];
    topo_id id = TOPO_NONE;
    for (const char *const *n = names;
         *n && id == TOPO_NONE && (k == ENTITY_PORT || k == ENTITY_OPTIC); n++)
        if (labels_copy(l, *n, text, sizeof text))
            id = topo_resolve_of_host(t, k, owner, text, l);
    return id;
}

/* Labels that name a host mean an accelerator of it where the metric is one's, or, without a
 * metric, where a bus address stands. */
static bool
topo_resolve_wants_gpu(const struct metric_row *row, const struct labels *l)
{
    return row ? metric_meaning_row(row->meaning)->entity == ENTITY_GPU
               : labels_find(l, "pci_bus_id") != NULL;
}

/* The name the labels gave does not exist: finds what is meant; out becomes its name, or the best
 * one can say. */
static int
topo_resolve_mend(const struct topo *t, const struct metric_row *row, const struct labels *l,
                  char out[ENTITY_SIZE])
{
    char host[ENTITY_SIZE], part[ENTITY_SIZE] = "";
    struct entity e;
    if (entity_parse(out, &e, NULL) < 0)
        return ERR_NOTFOUND;
    snprintf(host, sizeof host, "%.*s", (int)e.owner_len, e.name);
    if (e.part)
        snprintf(part, sizeof part, "%.*s", (int)e.part_len, e.part);
    topo_id owner = e.kind == ENTITY_NODE || e.kind == ENTITY_SWITCH || e.part
                        ? topo_resolve_host_id(t, host)
                        : TOPO_NONE;
    topo_id id = TOPO_NONE;
    if (owner == TOPO_NONE)
        return ERR_NOTFOUND;
    if (!e.part && e.kind == ENTITY_NODE && topo_resolve_wants_gpu(row, l))
        id = topo_resolve_gpu(t, strchr(topo_name(t, owner), ':') + 1, l);
    else if (!e.part)
        id = owner;
    else if ((id = topo_resolve_of_host(t, e.kind, owner, part, l)) == TOPO_NONE)
        id = topo_resolve_other_name(t, e.kind, owner, l);
    if (id != TOPO_NONE) {
        str_copy(out, ENTITY_SIZE, topo_name(t, id));
        return 0;
    }
    enum entity_kind k = e.kind;
    if (topo_kind(t, owner) == ENTITY_SWITCH && k == ENTITY_NIC)
        k = ENTITY_PORT;
    else if (topo_kind(t, owner) == ENTITY_NODE && k == ENTITY_PORT)
        k = ENTITY_NIC;
    entity_format(out, k, strchr(topo_name(t, owner), ':') + 1, e.part ? part : NULL);
    return ERR_NOTFOUND;
}

int
topo_resolve(const struct topo *t, const struct metric_row *row, const struct labels *l,
             char out[ENTITY_SIZE])
{
    const struct topo_alias *a = t->base->alias_label_count ? topo_resolve_alias(t->base, l) : NULL;
    struct labels changed;
    if (a) {
        enum entity_kind k = entity_kind_of(a->entity);
        if (k != ENTITY_NODE && k != ENTITY_SWITCH) {
            str_copy(out, ENTITY_SIZE, a->entity);
            return topo_find(t, out) == TOPO_NONE ? ERR_NOTFOUND : 0;
        }
        topo_resolve_rehost(l, strchr(a->entity, ':') + 1, &changed);
        l = &changed;
    }
    int rc = metric_entity(row, l, out);
    if (rc < 0) {
        topo_id gpu = topo_resolve_gpu(t, NULL, l);
        if (gpu == TOPO_NONE)
            return ERR_NOTFOUND;
        str_copy(out, ENTITY_SIZE, topo_name(t, gpu));
        return 0;
    }
    bool wants_gpu = entity_kind_of(out) == ENTITY_NODE && topo_resolve_wants_gpu(row, l);
    return !wants_gpu && topo_find(t, out) != TOPO_NONE ? 0 : topo_resolve_mend(t, row, l, out);
}
