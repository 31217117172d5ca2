/* control: a table of five routes over the fault list. */
#include "sim/control.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/httpd.h"
#include "sim/fault.h"

#include <stdlib.h>
#include <string.h>

struct control {
    struct world *w;
    struct control_guard guard;
    struct httpd *httpd;
};

static void
control_fault_json(struct jsonw *w, const struct fault *f)
{
    static const char *const phases[] = {"waiting", "active", "done"};
    jsonw_object(w);
    jsonw_kstr(w, "name", f->row->name);
    jsonw_kstr(w, "entity", f->entity);
    jsonw_kstr(w, "phase", phases[f->phase]);
    jsonw_ktime(w, "begin", f->at_ms);
    jsonw_ktime(w, "end", f->end_ms);
    jsonw_kstr(w, "truth_kinds", f->row->truth_kinds);
    jsonw_kstr(w, "truth_class", f->row->truth_class);
    jsonw_kstr(w, "truth_verdict", f->row->truth_verdict);
    jsonw_end_object(w);
}

static int
control_add(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct control *c = ctx;
    struct doc *d;
    struct err err = {0};
    int64_t duration = 0;
    int rc = doc_parse_any(req->body, req->body_len, "request", &d, &err);
    if (rc < 0)
        return httpd_reply_err(resp, &err);
    const struct doc_node *root = doc_root(d), *seconds = doc_get(root, "duration");
    const char *name = doc_get_str(root, "name", ""), *text = doc_str(seconds, NULL);
    if (text != NULL && duration_parse(text, &duration) < 0)
        rc = err_set(&err, ERR_SYNTAX, "'%s' is not a duration", text);
    else if (text == NULL && seconds != NULL)
        duration = (int64_t)(doc_real(seconds, 0) * 1000);
    c->guard.lock(c->guard.ctx);
    if (rc >= 0)
        rc = fault_add(c->w, name, doc_get_str(root, "entity", NULL), c->w->now_ms, duration, &err);
    if (rc >= 0) {
        struct jsonw w;
        jsonw_init(&w, &resp->body);
        control_fault_json(&w, &c->w->faults[rc]);
        resp->status = 201;
    }
    c->guard.unlock(c->guard.ctx);
    doc_free(d);
    return rc < 0 ? httpd_reply_err(resp, &err) : 0;
}

static int
control_clear(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct control *c = ctx;
    struct jsonw w;
    c->guard.lock(c->guard.ctx);
    int n = fault_clear(c->w, httpd_query(req, "name"), httpd_query(req, "entity"));
    c->guard.unlock(c->guard.ctx);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kint(&w, "ended", n);
    jsonw_end_object(&w);
    return 0;
}

static int
control_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct control *c = ctx;
    struct jsonw w;
    (void)req;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    c->guard.lock(c->guard.ctx);
    for (uint32_t i = 0; i < c->w->fault_count; i++)
        control_fault_json(&w, &c->w->faults[i]);
    c->guard.unlock(c->guard.ctx);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return 0;
}

static int
control_kinds(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct jsonw w;
    (void)ctx, (void)req;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    const struct fault_row *r;
    for (size_t i = 0; (r = fault_row_at(i)) != NULL; i++) {
        jsonw_object(&w);
        jsonw_kstr(&w, "name", r->name);
        jsonw_kstr(&w, "at", r->kind);
        jsonw_kint(&w, "seconds", r->seconds);
        jsonw_kstr(&w, "help", r->help);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return 0;
}

static int
control_status(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct control *c = ctx;
    struct jsonw w;
    (void)req;
    jsonw_init(&w, &resp->body);
    c->guard.lock(c->guard.ctx);
    jsonw_object(&w);
    jsonw_ktime(&w, "now", c->w->now_ms);
    jsonw_kint(&w, "gpus", c->w->plan->gpus.count);
    jsonw_kint(&w, "lines", (int64_t)c->w->lines);
    jsonw_kint(&w, "faults", c->w->fault_count);
    jsonw_key(&w, "jobs");
    jsonw_array(&w);
    for (uint32_t i = 0; i < c->w->job_count; i++) {
        const struct simjob *j = &c->w->jobs[i];
        jsonw_object(&w);
        jsonw_kstr(&w, "id", j->id);
        jsonw_kstr(&w, "state", simjob_state_word(j->state));
        jsonw_kreal(&w, "speed", j->speed);
        jsonw_kstr(&w, "first_node", c->w->plan->nodes.at[j->first_node].name);
        jsonw_kint(&w, "nodes", j->nodes);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    c->guard.unlock(c->guard.ctx);
    return 0;
}

static const struct route control_routes[] = {
    {"POST", "/fault", ROLE_NONE, control_add,
     "Starts a fault now: name, entity (else one is chosen), duration.", 65536, NULL},
    {"DELETE", "/fault", ROLE_NONE, control_clear,
     "Ends matching faults, all when nothing is named.", 0,
     "name=kind of fault; entity=full entity name"},
    {"GET", "/faults", ROLE_NONE, control_list,
     "Faults that wait or last, and what a right diagnosis of each names.", 0, NULL},
    {"GET", "/kinds", ROLE_NONE, control_kinds, "Kinds of faults there are.", 0, NULL},
    {"GET", "/status", ROLE_NONE, control_status, "The simulated time and the jobs.", 0, NULL},
};

int
control_open(struct world *w, const char *listen, const struct control_guard *guard,
             struct control **ret, struct err *err)
{
    struct control *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the control port");
    c->w = w;
    c->guard = *guard;
    struct httpd_config cfg = {.listen = listen,
                               .listen_fd = -1,
                               .threads = 1,
                               .connections_max = 32,
                               .loopback_hosts_only = true};
    c->httpd = httpd_new(&cfg);
    int rc = c->httpd == NULL ? err_set(err, ERR_NOMEM, "no memory for the control port") : 0;
    if (rc >= 0)
        rc = httpd_routes(c->httpd, control_routes,
                          sizeof control_routes / sizeof control_routes[0], c);
    if (rc >= 0)
        rc = httpd_start(c->httpd, err);
    if (rc < 0) {
        control_close(c);
        return rc;
    }
    *ret = c;
    return 0;
}

unsigned
control_port(const struct control *c)
{
    return httpd_port(c->httpd);
}

void
control_close(struct control *c)
{
    if (c == NULL)
        return;
    if (c->httpd != NULL) {
        httpd_stop(c->httpd);
        httpd_free(c->httpd);
    }
    free(c);
}
