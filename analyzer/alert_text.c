/* alert_text: an incident as a page's words, and as Alertmanager's payload. */
#include "analyzer/alert_send.h"

#include "analyzer/incident_doc.h"
#include "base/entity.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word, *en, *zh;
} alert_severities[] = {
    {"critical", "CRITICAL", "紧急"}, {"warning", "WARNING", "重要"}, {"info", "INFO", "次要"}};

static const char *
alert_severity(const char *word, int zh)
{
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(word, alert_severities[i].word))
            return zh ? alert_severities[i].zh : alert_severities[i].en;
    return word;
}

static const char *
alert_lang(const struct doc_node *text, int zh)
{
    return doc_get_str(text, zh ? "zh" : "en", "");
}

static void
alert_subject_one(const struct alert_message *m, int zh, struct buf *out)
{
    const struct doc_node *n = m->incident;
    if (m->heartbeat || m->test) {
        buf_puts(out,
                 m->test
                     ? (zh ? "[测试] Myriascope 测试通知" : "[TEST] Myriascope test notification")
                     : (zh ? "[心跳] Myriascope 运行正常" : "[HEARTBEAT] Myriascope is alive"));
        return;
    }
    buf_printf(out, "[%s] %s",
               m->resolved ? (zh ? "已恢复" : "RESOLVED")
                           : alert_severity(doc_get_str(n, "severity", ""), zh),
               alert_lang(doc_get(n, "title"), zh));
}

void
alert_subject(const struct alert_message *m, int lang, struct buf *out)
{
    alert_subject_one(m, lang == 1, out);
    if (lang == 2) {
        buf_puts(out, " / ");
        alert_subject_one(m, 1, out);
    }
}

static void
alert_jobs(const struct doc_node *n, int zh, struct buf *out)
{
    const struct doc_node *jobs = doc_get(n, "jobs");
    if (!jobs || !jobs->count)
        return;
    buf_puts(out, zh ? "受影响作业:" : "Jobs hurt: ");
    for (const struct doc_node *c = jobs->first; c; c = c->next)
        buf_printf(out, "%s%s", doc_str(c, ""), c->next ? ", " : "\n");
}

static void
alert_body_one(const struct alert_message *m, int zh, struct buf *out)
{
    const struct doc_node *n = m->incident, *h = doc_at(doc_get(n, "hypotheses"), 0);
    alert_subject_one(m, zh, out);
    buf_putc(out, '\n');
    if (m->heartbeat || m->test)
        return;
    buf_printf(out, "%s%s\n", zh ? "故障对象:" : "Broken part: ", doc_get_str(h, "entity", "-"));
    buf_printf(out, "%s%s (%s), %s %.0f %%\n",
               zh ? "根因:" : "Cause: ", doc_get_str(h, "cause", "-"), doc_get_str(h, "class", "-"),
               zh ? "置信度" : "confidence", doc_get_real(n, "confidence", 0) * 100);
    alert_jobs(n, zh, out);
    const struct doc_node *action = doc_at(doc_get(h, "actions"), 0);
    if (action)
        buf_printf(out, "%s%s\n", zh ? "下一步:" : "Next step: ", alert_lang(action, zh));
    const struct doc_node *evidence = doc_get(h, "evidence");
    size_t shown = 0;
    for (const struct doc_node *e = evidence ? evidence->first : NULL; e && shown < 3;
         e = e->next, shown++)
        buf_printf(out, "%s%s %s: %.200s\n",
                   zh ? "证据:" : "Evidence: ", doc_get_str(e, "time", ""),
                   doc_get_str(e, "entity", ""), doc_get_str(e, "text", ""));
    buf_printf(out, "%s/incidents/%s\n", m->base_url, doc_get_str(n, "id", ""));
}

void
alert_body(const struct alert_message *m, int lang, struct buf *out)
{
    if (lang != 1)
        alert_body_one(m, 0, out);
    if (lang == 2)
        buf_putc(out, '\n');
    if (lang != 0)
        alert_body_one(m, 1, out);
}

static void
alert_labels(const struct alert_message *m, struct jsonw *w)
{
    const struct doc_node *n = m->incident, *h = doc_at(doc_get(n, "hypotheses"), 0);
    char node[128];
    jsonw_object(w);
    jsonw_kstr(w, "alertname",
               m->heartbeat ? "MyriascopeHeartbeat"
               : m->test    ? "MyriascopeTest"
                            : doc_get_str(h, "cause", "unknown"));
    jsonw_kstr(w, "severity",
               m->heartbeat || m->test ? "info" : doc_get_str(n, "severity", "warning"));
    if (n) {
        jsonw_kstr(w, "incident", doc_get_str(n, "id", ""));
        jsonw_kstr(w, "entity", doc_get_str(h, "entity", ""));
        jsonw_kstr(w, "class", doc_get_str(h, "class", "unknown"));
        if (alert_node(n, node, sizeof node))
            jsonw_kstr(w, "node", node);
    }
    jsonw_end_object(w);
}

static void
alert_annotations(const struct alert_message *m, struct jsonw *w)
{
    struct buf text;
    buf_init(&text, 65536);
    jsonw_object(w);
    alert_subject(m, 0, &text);
    jsonw_kstr(w, "summary", buf_str(&text));
    buf_reset(&text);
    alert_subject(m, 1, &text);
    jsonw_kstr(w, "summary_zh", buf_str(&text));
    buf_reset(&text);
    alert_body(m, 2, &text);
    jsonw_kstr(w, "description", buf_str(&text));
    jsonw_end_object(w);
    buf_done(&text);
}

static void
alert_times(const struct alert_message *m, struct jsonw *w)
{
    const struct doc_node *n = m->incident;
    char url[512];
    jsonw_kstr(w, "startsAt", doc_get_str(n, "opened", "1970-01-01T00:00:00.000Z"));
    jsonw_kstr(w, "endsAt",
               m->resolved ? doc_get_str(n, "resolved", "0001-01-01T00:00:00Z")
                           : "0001-01-01T00:00:00Z");
    snprintf(url, sizeof url, "%s/incidents/%s", m->base_url, doc_get_str(n, "id", ""));
    jsonw_kstr(w, "generatorURL", url);
}

void
alert_payload(const struct alert_message *m, const char *receiver, struct buf *out)
{
    struct jsonw w;
    const char *id = doc_get_str(m->incident, "id", m->test ? "test" : "heartbeat");
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "version", "4");
    jsonw_kstr(&w, "groupKey", id);
    jsonw_kint(&w, "truncatedAlerts", 0);
    jsonw_kstr(&w, "status", m->resolved ? "resolved" : "firing");
    jsonw_kstr(&w, "receiver", receiver);
    jsonw_key(&w, "groupLabels");
    jsonw_object(&w);
    jsonw_kstr(&w, "incident", id);
    jsonw_end_object(&w);
    jsonw_key(&w, "commonLabels");
    alert_labels(m, &w);
    jsonw_key(&w, "commonAnnotations");
    alert_annotations(m, &w);
    jsonw_kstr(&w, "externalURL", m->base_url);
    jsonw_key(&w, "alerts");
    jsonw_array(&w);
    jsonw_object(&w);
    jsonw_kstr(&w, "status", m->resolved ? "resolved" : "firing");
    jsonw_key(&w, "labels");
    alert_labels(m, &w);
    jsonw_key(&w, "annotations");
    alert_annotations(m, &w);
    alert_times(m, &w);
    jsonw_kstr(&w, "fingerprint", id);
    jsonw_end_object(&w);
    jsonw_end_array(&w);
    if (m->incident_json) {
        jsonw_key(&w, "myriascope");
        jsonw_object(&w);
        jsonw_key(&w, "incident");
        jsonw_raw(&w, m->incident_json, m->incident_len);
        jsonw_end_object(&w);
    }
    jsonw_end_object(&w);
}

/* Entities that sit in a node isolate that node; what is outside any node (switch, optic of a
 * switch) isolates none. */
bool
alert_node(const struct doc_node *incident, char *out, size_t size)
{
    struct entity e;
    const char *text = doc_get_str(doc_at(doc_get(incident, "hypotheses"), 0), "entity", "");
    if (entity_parse(text, &e, NULL))
        return false;
    if (e.kind != ENTITY_NODE && e.kind != ENTITY_GPU && e.kind != ENTITY_NIC &&
        e.kind != ENTITY_NVSWITCH && e.kind != ENTITY_DPU)
        return false;
    snprintf(out, size, "%.*s", (int)e.owner_len, e.name);
    return true;
}
