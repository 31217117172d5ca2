/* regex: the one file that knows PCRE2.
 *
 * Loads: some thousand patterns confirmed after a prefilter, label matchers over 100,000 values a
 * query. Always true: a compiled pattern is read-only, so that any number of threads match with it;
 * what one match needs is made for it and freed. A match that passes a limit is ERR_LIMIT, never a
 * hang. */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Backtracking steps from one starting point: a sane pattern on a log line takes hundreds. */
#define REGEX_STEPS_MAX 100000u
#define REGEX_STEPS_MIN 4096u
/* Steps over all starting points, a second at the worst: long subjects get fewer from each. */
#define REGEX_STEPS_ALL 400000000u
#define REGEX_DEPTH_MAX 2000u
#define REGEX_HEAP_KIB  4096u
/* The machine stack gives the JIT 32 KiB; a match that needs more is tried again with this much. */
#define REGEX_JIT_STACK   (1024u * 1024u)
#define REGEX_PATTERN_MAX 65536u
/* Nested parentheses of a pattern: the compiler recurses on them. */
#define REGEX_NEST_MAX 100u

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    uint32_t groups;                       /* with the whole match, at most REGEX_CAPTURES_MAX */
    const char *names[REGEX_CAPTURES_MAX]; /* into the compiled code; "" for unnamed */
};

static uint32_t
regex_options(unsigned flags)
{
    uint32_t o = PCRE2_NEVER_BACKSLASH_C;
    if (flags & REGEX_ANCHORED)
        o |= PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL;
    if (flags & REGEX_CASELESS)
        o |= PCRE2_CASELESS;
    /* Subjects are hostile: invalid UTF-8 in them matches nothing, instead of undefined behaviour.
     */
    o |= flags & REGEX_UTF ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : PCRE2_NEVER_UTF;
    return o;
}

static pcre2_match_context *
regex_limits_new(uint32_t steps)
{
    pcre2_match_context *m = pcre2_match_context_create(NULL);
    if (!m)
        return NULL;
    pcre2_set_match_limit(m, steps);
    pcre2_set_depth_limit(m, REGEX_DEPTH_MAX);
    pcre2_set_heap_limit(m, REGEX_HEAP_KIB);
    return m;
}

static int
regex_compile_code(const char *pattern, size_t len, unsigned flags, pcre2_code **ret_code,
                   struct err *err)
{
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    if (!how)
        return err_set(err, ERR_NOMEM, "out of memory");
    pcre2_set_max_pattern_length(how, REGEX_PATTERN_MAX);
    pcre2_set_parens_nest_limit(how, REGEX_NEST_MAX);
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, len, regex_options(flags), &code, &at, how);
    pcre2_compile_context_free(how);
    if (!re) {
        PCRE2_UCHAR text[160] = "";
        pcre2_get_error_message(code, text, sizeof text);
        return err_set(err, code == PCRE2_ERROR_NOMEMORY ? ERR_NOMEM : ERR_SYNTAX,
                       "regular expression: %s at offset %zu", (const char *)text, at);
    }
    /* Where there is no JIT, or no executable memory, the interpreter does it. */
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    *ret_code = re;
    return 0;
}

/* The name table: entries of a size, each the group's number (big endian), then its name. */
static void
regex_fill_names(struct regex *r)
{
    uint32_t count = 0, size = 0, last = 0;
    PCRE2_SPTR at = NULL;
    pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &last);
    r->groups = last + 1 < REGEX_CAPTURES_MAX ? last + 1 : REGEX_CAPTURES_MAX;
    for (uint32_t i = 0; i < REGEX_CAPTURES_MAX; i++)
        r->names[i] = "";
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &at);
    for (uint32_t i = 0; i < count; i++, at += size) {
        uint32_t group = (uint32_t)at[0] << 8 | at[1];
        if (group < r->groups)
            r->names[group] = (const char *)at + 2;
    }
}

int
regex_compile(const char *pattern, size_t len, unsigned flags, struct regex **ret, struct err *err)
{
    struct regex *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = regex_compile_code(pattern, len, flags, &r->code, err);
    if (!rc && !(r->limits = regex_limits_new(REGEX_STEPS_MAX)))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc) {
        regex_free(r);
        return rc;
    }
    regex_fill_names(r);
    *ret = r;
    return 0;
}

void
regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    free(r);
}

static uint32_t
regex_steps(size_t len)
{
    size_t steps = REGEX_STEPS_ALL / (len + 1);
    return steps > REGEX_STEPS_MAX   ? REGEX_STEPS_MAX
           : steps < REGEX_STEPS_MIN ? REGEX_STEPS_MIN
                                     : (uint32_t)steps;
}

/* Matches with limits of this subject's own, and with a stack for the JIT that was too small
 * before. */
static int
regex_match_again(const struct regex *r, const char *subject, size_t len, pcre2_match_data *data)
{
    int rc = PCRE2_ERROR_NOMEMORY;
    pcre2_match_context *limits = regex_limits_new(regex_steps(len));
    pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, REGEX_JIT_STACK, NULL);
    if (limits) {
        if (stack)
            pcre2_jit_stack_assign(limits, NULL, stack);
        rc = pcre2_match(r->code, (PCRE2_SPTR)subject, len, 0, 0, data, limits);
    }
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(limits);
    return rc;
}

static int
regex_match_code(int rc)
{
    switch (rc) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_NOMEMORY:
        return ERR_NOMEM;
    default:
        return rc >= 0 ? 1 : ERR_LIMIT; /* steps, depth, heap, JIT stack, recursion loop */
    }
}

static void
regex_captures(const struct regex *r, const char *subject, pcre2_match_data *data,
               struct regex_capture *captures)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    for (uint32_t i = 0; i < r->groups; i++) {
        PCRE2_SIZE from = at[2 * i], to = at[2 * i + 1];
        bool set = from != PCRE2_UNSET;
        captures[i].name = r->names[i];
        captures[i].text = set ? subject + from : NULL;
        captures[i].len = set && to > from ? to - from : 0;
    }
}

int
regex_match(const struct regex *r, const char *subject, size_t len, struct regex_capture *captures,
            size_t *ret_count)
{
    if (!subject)
        subject = "";
    pcre2_match_data *data = pcre2_match_data_create(captures ? r->groups : 1, NULL);
    if (!data)
        return ERR_NOMEM;
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (regex_steps(len) == REGEX_STEPS_MAX)
        rc = pcre2_match(r->code, (PCRE2_SPTR)subject, len, 0, 0, data, r->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = regex_match_again(r, subject, len, data);
    rc = regex_match_code(rc);
    if (rc == 1 && captures)
        regex_captures(r, subject, data, captures);
    if (rc == 1 && ret_count)
        *ret_count = captures ? r->groups : 0;
    pcre2_match_data_free(data);
    return rc;
}
