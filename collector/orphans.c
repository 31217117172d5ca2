/* orphans: the jobs of the present snapshot, by the label that their source gave them. */
#include "collector/orphans.h"

#include "base/doc.h"
#include "base/jsonw.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <string.h>

static bool
orphans_is_of(struct store *s, const char *id, const char *scheduler)
{
    struct doc *d = NULL;
    struct job j;
    struct err err;
    if (job_get(s, id, &j, &err))
        return false;
    bool is = j.state == JOB_RUNNING && !doc_parse_json(j.json, strlen(j.json), "job", &d, &err) &&
              !strcmp(doc_get_str(doc_get(doc_root(d), "labels"), "scheduler", ""), scheduler);
    doc_free(d);
    job_done(&j);
    return is;
}

size_t
orphans_each(struct store *s, const char *scheduler, void (*cb)(void *ctx, const char *id),
             void *ctx)
{
    struct topo *t = topo_get(s);
    const struct topo_job *jobs;
    size_t count = topo_jobs(t, &jobs), n = 0;
    for (size_t i = 0; i < count; i++)
        if (orphans_is_of(s, jobs[i].id, scheduler)) {
            cb(ctx, jobs[i].id);
            n++;
        }
    topo_put(t);
    return n;
}

int
orphans_end(struct store *s, const char *id, int64_t now_ms, const char *reason, struct err *err)
{
    struct buf json;
    struct jsonw w;
    struct job j;
    buf_init(&json, 4096);
    jsonw_init(&w, &json);
    jsonw_object(&w);
    jsonw_kstr(&w, "state", job_state_word(JOB_COMPLETED));
    jsonw_ktime(&w, "end", now_ms);
    jsonw_key(&w, "labels");
    jsonw_object(&w);
    jsonw_kstr(&w, "reason", reason);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    int rc = job_put(s, id, buf_str(&json), json.len, true, &j, err);
    if (!rc)
        job_done(&j);
    buf_done(&json);
    return rc;
}
