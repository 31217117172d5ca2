/* kb_test: what the tests of kb share: an entry as text, and a knowledge base made of texts. */
#ifndef TESTS_KB_KB_TEST_H
#define TESTS_KB_KB_TEST_H

#include "tests/base/base_test.h"

#include "base/err.h"
#include "kb/inside.h"
#include "kb/kb.h"
#include "kb/matcher.h"

/* An entry whose keys from `class` to `actions` are right; signals and more follow. */
#define KB_TEST_HEAD(id)                                                                           \
    "- id: " id "\n"                                                                               \
    "  class: gpu\n"                                                                               \
    "  scope: gpu\n"                                                                               \
    "  role: root\n"                                                                               \
    "  severity: critical\n"                                                                       \
    "  prior: 20\n"                                                                                \
    "  title:\n    en: Card lost\n    zh: 掉卡\n"                                                \
    "  description:\n    en: The card left the bus.\n    zh: 加速卡从总线上脱落。\n"     \
    "  actions:\n    - en: Power-cycle the node.\n      zh: 对节点强制上下电。\n"
#define KB_TEST_LOG(pattern, line)                                                                 \
    "  signals:\n    - log:\n        pattern: '" pattern "'\n        match: ['" line "']\n"

/* Problems of a text go to `problems`; the knowledge base is linked. */
static inline struct kb *
kb_test_read(const char *text, struct buf *problems)
{
    struct kb *kb = kb_new();
    struct kb_problems p = {.out = problems};
    assert_non_null(kb);
    assert_int_equal(kb_read_text(kb, text, strlen(text), "t.yaml", false, &p, NULL), 0);
    assert_int_equal(kb_finish(kb, &p), 0);
    return kb;
}

static inline struct kb *
kb_test_good(const char *text)
{
    struct buf problems;
    buf_init(&problems, 65536);
    struct kb *kb = kb_test_read(text, &problems);
    if (problems.len)
        print_error("%s", buf_str(&problems));
    assert_int_equal(problems.len, 0);
    buf_done(&problems);
    return kb;
}

#endif
