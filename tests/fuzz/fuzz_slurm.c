/* fuzz_slurm: lines of Slurm's commands; the document made of a job is JSON. */
#include "base/doc.h"
#include "collector/slurm_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slurm_job j;
    struct slurm_node n;
    struct doc *d = NULL;
    struct buf out;
    struct err err;
    char *a = strndup((const char *)data, size), *b = strdup(a), *c = strdup(a);
    buf_init(&out, 1 << 20);
    if (!slurm_parse_job(a, &j)) {
        slurm_parse_document(&j, j.account, "c", &out);
        if (doc_parse_json(buf_str(&out), out.len, "document", &d, &err))
            abort();
        doc_free(d);
    }
    slurm_parse_ended(b, &j);
    slurm_parse_node(c, &n);
    buf_done(&out);
    free(a);
    free(b);
    free(c);
    return 0;
}
