/* fuzz_kube: objects of the Kubernetes API; the documents made of them are JSON. */
#include "collector/kube_read.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_want want = {"team", "namespace", "user"};
    struct doc *d = NULL;
    struct kube_pod p;
    struct kube_job j;
    struct kube_event e;
    struct err err;
    if (doc_parse_json((const char *)data, size, "object", &d, &err))
        return 0;
    if (!kube_read_pod(doc_root(d), &want, &p) &&
        (!*p.job || strlen(p.node) > KUBE_NAME_MAX || p.device_count > KUBE_DEVICES_MAX))
        abort();
    if (!kube_read_job(doc_root(d), &j) && (!*j.name || (unsigned)j.state >= JOB_STATES))
        abort();
    if (!kube_read_event(doc_root(d), &e) && !*e.name)
        abort();
    doc_free(d);
    return 0;
}
