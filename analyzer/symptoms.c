/* symptoms: rows in an array, found by a map of "code\nentity"; clearing by event code and by
 * quiet. */
#include "analyzer/symptoms.h"

#include "base/err.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symptoms {
    const struct kb *kb;
    struct symptom_row **rows;
    size_t count;
    struct map *index;
    uint64_t refused;
};

static size_t
symptoms_key(char *out, size_t size, const char *code, const char *entity)
{
    int n = snprintf(out, size, "%s\n%s", code, entity);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

struct symptoms *
symptoms_new(const struct kb *kb)
{
    struct symptoms *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->kb = kb;
    t->rows = calloc(SYMPTOMS_MAX, sizeof *t->rows);
    t->index = map_new(SYMPTOMS_MAX);
    if (!t->rows || !t->index) {
        symptoms_free(t);
        return NULL;
    }
    return t;
}

static void
symptoms_row_free(struct symptom_row *r)
{
    if (!r)
        return;
    free(r->entity);
    free(r->source);
    free(r->text);
    free(r->node);
    free(r->job);
    free(r);
}

void
symptoms_free(struct symptoms *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->rows && i < t->count; i++)
        symptoms_row_free(t->rows[i]);
    free(t->rows);
    map_free(t->index, NULL);
    free(t);
}

struct symptom_row *
symptoms_find(struct symptoms *t, const char *code, const char *entity)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    return map_get(t->index, key, symptoms_key(key, sizeof key, code, entity));
}

static char *
symptoms_dup(const char *s)
{
    return strdup(s ? s : "");
}

static struct symptom_row *
symptoms_row_new(const struct kb_entry *e, const struct event *ev, uint64_t id)
{
    struct symptom_row *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->entity = symptoms_dup(ev->entity);
    r->source = symptoms_dup(ev->source);
    r->text = symptoms_dup(ev->text);
    r->node = symptoms_dup(ev->node);
    r->job = symptoms_dup(ev->job);
    if (!r->entity || !r->source || !r->text || !r->node || !r->job) {
        symptoms_row_free(r);
        return NULL;
    }
    r->s =
        (struct symptom){.entity = r->entity,
                         .entry = e,
                         .first_ms = ev->time_ms,
                         .last_ms = ev->time_ms,
                         .count = 1,
                         .source = r->source,
                         .text = r->text,
                         .node = r->node,
                         .job = r->job,
                         .sampled = !strcmp(r->source, "detector") || !strcmp(r->source, "rule")};
    r->ongoing = ev->phase == EVENT_BEGIN;
    r->events[0] = id;
    return r;
}

static int
symptoms_add(struct symptoms *t, const struct kb_entry *e, const struct event *ev, uint64_t id)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    if (t->count == SYMPTOMS_MAX) {
        t->refused++;
        return ERR_LIMIT;
    }
    struct symptom_row *r = symptoms_row_new(e, ev, id);
    if (!r || map_set(t->index, key, symptoms_key(key, sizeof key, e->id, ev->entity), r, NULL)) {
        symptoms_row_free(r);
        return ERR_NOMEM;
    }
    t->rows[t->count++] = r;
    return 1;
}

/* Rows that this code's coming ends, on the same entity. */
static int
symptoms_clear(struct symptoms *t, const struct event *ev)
{
    int changed = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct symptom_row *r = t->rows[i];
        if (!r->s.end_ms && r->s.entry->clear_event && !strcmp(r->s.entry->clear_event, ev->code) &&
            !strcmp(r->entity, ev->entity)) {
            r->s.end_ms = ev->time_ms;
            changed = 1;
        }
    }
    return changed;
}

int
symptoms_event(struct symptoms *t, const struct event *ev, uint64_t id)
{
    const struct kb_entry *e = kb_find_code(t->kb, ev->code);
    int cleared = ev->phase == EVENT_END ? 0 : symptoms_clear(t, ev);
    if (!e)
        return cleared;
    struct symptom_row *r = symptoms_find(t, e->id, ev->entity);
    if (ev->phase == EVENT_END) {
        if (!r || r->s.end_ms)
            return 0;
        r->s.end_ms = ev->time_ms;
        return 1;
    }
    if (!r)
        return symptoms_add(t, e, ev, id);
    r->s.count++;
    for (size_t i = 1; i < sizeof r->events / sizeof *r->events; i++)
        if (!r->events[i]) {
            r->events[i] = id;
            break;
        }
    r->s.last_ms = ev->time_ms > r->s.last_ms ? ev->time_ms : r->s.last_ms;
    if (!r->s.end_ms)
        return cleared;
    if (ev->time_ms < r->s.end_ms)
        return cleared;
    r->s.end_ms = 0; /* it came back */
    r->ongoing = ev->phase == EVENT_BEGIN;
    return 1;
}

static void
symptoms_forget(struct symptoms *t, size_t i)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    struct symptom_row *r = t->rows[i];
    map_remove(t->index, key, symptoms_key(key, sizeof key, r->s.entry->id, r->entity));
    symptoms_row_free(r);
    t->rows[i] = t->rows[--t->count];
}

int
symptoms_turn(struct symptoms *t, int64_t now_ms)
{
    int changed = 0;
    for (size_t i = 0; i < t->count;) {
        struct symptom_row *r = t->rows[i];
        int64_t quiet =
            r->s.entry->clear_after_ms > 0 ? r->s.entry->clear_after_ms : SYMPTOMS_QUIET_MS;
        if (!r->s.end_ms && !r->ongoing && now_ms - r->s.last_ms > quiet) {
            r->s.end_ms = r->s.last_ms + quiet;
            changed = 1;
        }
        bool held = r->held && t->count < SYMPTOMS_MAX / 2;
        if (r->s.end_ms && !held && now_ms - r->s.end_ms > SYMPTOMS_MEMORY_MS) {
            symptoms_forget(t, i);
            changed = 1;
        } else {
            i++;
        }
    }
    return changed;
}

size_t
symptoms_count(const struct symptoms *t)
{
    return t->count;
}

struct symptom_row *
symptoms_at(struct symptoms *t, size_t i)
{
    return t->rows[i];
}

uint64_t
symptoms_refused(const struct symptoms *t)
{
    return t->refused;
}
