/* detect_cabling: cables that are not where the plan has them, by what LLDP says at both ends,
 * whichever source brought it (series lldp_neighbor_info).
 *
 * Two cables that changed places are one finding, at one of their links: whoever pulls one of them
 * puts both right. Expected load: 40,000 ports compared twice a minute. */
#include "analyzer/detect_priv.h"
#include "base/str.h"
#include "store/cabling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CABLING_WRONG_MAX                                                                          \
    4096u /* the plan itself is wrong then; the others come when these end                         \
           */

struct detect_wrong {
    char *port, *link, *planned, *seen;
};
struct detect_cabling {
    struct detectors *d;
    const struct detect_row *wrong, *missing, *unplanned;
    struct detect_wrong *list;
    size_t count;
};

static const struct detect_row *
detect_cabling_row(const char *code)
{
    const struct detect_row *row = detect_table;
    while (strcmp(row->code, code))
        row++;
    return row;
}

/* text NULL: it is as planned, in this respect. */
static void
detect_cabling_say(struct detectors *d, const struct detect_row *row, const char *entity,
                   const char *text)
{
    uint32_t s = !*entity ? DETECT_NONE
                 : text   ? detect_subject_of(d, entity)
                          : detect_subject_find(d, entity);
    struct detect_verdict v = {.bad = text != NULL, .t_ms = d->now_ms, .text = text ? text : ""};
    if (s != DETECT_NONE)
        detect_judge(d, row, s, &v);
}

static bool
detect_cabling_up(struct detectors *d, const char *port)
{
    const struct detect_column *oper = detect_read(d, METRIC_PORT_OPER);
    uint32_t s = detect_subject_find(d, port);
    return s != DETECT_NONE && detect_v(oper, s) == 1;
}

static void
detect_cabling_keep(struct detect_cabling *c, const struct cabling_verdict *v)
{
    if (c->count == CABLING_WRONG_MAX)
        return;
    if (c->count % 64 == 0) {
        void *p = realloc(c->list, (c->count + 64) * sizeof *c->list);
        if (!p)
            return;
        c->list = p;
    }
    struct detect_wrong w = {strdup(v->port), strdup(v->link), strdup(v->planned), strdup(v->seen)};
    c->list[c->count++] = w;
}

static int
detect_cabling_port(void *ctx, const struct cabling_verdict *v)
{
    struct detect_cabling *c = ctx;
    char text[3 * ENTITY_SIZE];
    bool missing = v->kind == CABLING_MISSING && !strncmp(v->planned, "port:", 5) &&
                   detect_cabling_up(c->d, v->port);
    if (v->kind == CABLING_WRONG)
        detect_cabling_keep(c, v);
    else if (v->kind == CABLING_SAME)
        detect_cabling_say(c->d, c->wrong, v->link, NULL);
    snprintf(text, sizeof text, "%s: planned is %s, nobody announces itself though the port is up",
             v->port, v->planned);
    if (v->kind != CABLING_MISSING || missing)
        detect_cabling_say(c->d, c->missing, v->link, missing ? text : NULL);
    snprintf(text, sizeof text, "%s: nothing is planned, there is %s", v->port, v->seen);
    detect_cabling_say(c->d, c->unplanned, v->port, v->kind == CABLING_UNPLANNED ? text : NULL);
    return 0;
}

/* The wrong cable that has what this one lacks, and the other way round; NULL: none. */
static const struct detect_wrong *
detect_cabling_twin(const struct detect_cabling *c, const struct detect_wrong *w)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct detect_wrong *o = &c->list[i];
        if (o != w && o->link && o->planned && o->seen && !strcmp(o->planned, w->seen) &&
            !strcmp(o->seen, w->planned))
            return o;
    }
    return NULL;
}

static bool
detect_cabling_told(struct detectors *d, const struct detect_row *row, const char *link)
{
    uint32_t s = detect_subject_find(d, link);
    const struct detect_finding *f = s == DETECT_NONE ? NULL : detect_finding_of(d, row, s, false);
    return f && f->begun;
}

/* Of two that are told, one is; the one that was told already stays it. */
static bool
detect_cabling_speaks(const struct detect_cabling *c, const struct detect_wrong *w,
                      const struct detect_wrong *twin)
{
    bool told = detect_cabling_told(c->d, c->wrong, w->link),
         other = twin && detect_cabling_told(c->d, c->wrong, twin->link);
    return !twin || told || (!other && strcmp(w->link, twin->link) < 0);
}

static void
detect_cabling_wrong(struct detect_cabling *c, const struct detect_wrong *w)
{
    char text[6 * ENTITY_SIZE];
    const struct detect_wrong *twin = detect_cabling_twin(c, w);
    if (!detect_cabling_speaks(c, w, twin)) {
        detect_cabling_say(c->d, c->wrong, w->link, NULL);
        return;
    }
    if (twin)
        snprintf(text, sizeof text,
                 "two cables are swapped: %s has %s where %s is planned, and %s has %s", w->port,
                 w->seen, w->planned, twin->port, twin->seen);
    else
        snprintf(text, sizeof text, "%s: planned is %s, there is %s", w->port, w->planned, w->seen);
    detect_cabling_say(c->d, c->wrong, w->link, text);
}

/* One reading serves all three rows: the first that is due does it for the others. */
void
detect_rule_cabling(struct detectors *d, const struct detect_row *row)
{
    struct cabling_count count;
    struct detect_cabling c = {.d = d,
                               .wrong = detect_cabling_row("fabric.miscabled"),
                               .missing = detect_cabling_row("fabric.link-missing"),
                               .unplanned = detect_cabling_row("fabric.link-unplanned")};
    if (row != c.wrong)
        return;
    if (cabling_compare(d->cfg->store, d->topo, d->now_ms, detect_cabling_port, &c, &count, NULL))
        c.count = 0;
    for (size_t i = 0; i < c.count; i++)
        if (c.list[i].port && c.list[i].link && c.list[i].planned && c.list[i].seen)
            detect_cabling_wrong(&c, &c.list[i]);
    while (c.count > 0) {
        struct detect_wrong *w = &c.list[--c.count];
        free(w->port);
        free(w->link);
        free(w->planned);
        free(w->seen);
    }
    free(c.list);
}
