/* check: health of the cluster, of named nodes, or of the nodes of a job, before or while it runs
 * (CONTRACT.md, "Check report").
 *
 * One table of checks; a row has its category, its entity kind, what it reads, its limits, its
 * reason in two languages. Missing data is unknown, never pass. */
#ifndef ANALYZER_CHECK_H
#define ANALYZER_CHECK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "kb/kb.h"
#include "store/store.h"

#include <stdbool.h>

struct kpi_places;

#define CHECK_ID_SIZE 48

struct check_request {
    const char *id;      /* of the report, from check_new_id; NULL: one is made */
    const char *profile; /* prejob, full, or a profile's YAML text (profile_text) */
    const char *profile_text;
    size_t profile_len;
    const char *job, *nodes; /* scope: one of them, or neither: the cluster */
    const char *cluster, *tenant, *who;
    bool busy; /* of an active check: also where a job runs */
    const char
        *active; /* the run whose answers are judged too (analyzer/check_active.h), NULL: none */
    int64_t began_ms;          /* of that run */
    bool passed;               /* items that pass are listed too, else counted only */
    struct kpi_places *places; /* of the present's series; NULL: none are remembered */
};
void check_new_id(int64_t now_ms, char out[CHECK_ID_SIZE]);
/* Runs on the caller's thread; the report is stored (catalog kind "check") and returned as JSON. */
int check_run(struct store *s, const struct metric_table *metrics, const struct kb *kb,
              const struct check_request *req, int64_t now_ms, struct buf *ret_json,
              struct err *err);
/* Renders a report's JSON: "text", "json", "csv" (BOM, formula-safe), "html" (whole,
 * self-contained), "junit", "nagios". lang en|zh. */
int check_render(const char *json, size_t len, const char *format, const char *lang,
                 struct buf *out, struct err *err);
/* 0 pass, 1 warn, 2 fail, 3 unknown, of a report's JSON. */
int check_exit_code(const char *json, size_t len);
/* The table, for docs and for choosing: [{check, category, kind, title{en,zh}, impact}]. */
void check_table_json(struct buf *out);

#endif
