/* builtin: the digest and the pattern database that make put into the program, as read-only pages
 * of its file. */
#include "kb/inside.h"

__asm__(".section .rodata\n"
        ".balign 64\n"
        "kb_builtin_digest_bytes:\n"
        ".incbin \"kb/builtin-digest.bin\"\n"
        "kb_builtin_digest_end:\n"
        ".balign 64\n"
        "kb_builtin_matcher_bytes:\n"
        ".incbin \"kb/builtin-matcher.bin\"\n"
        "kb_builtin_matcher_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char kb_builtin_digest_bytes[], kb_builtin_digest_end[];
extern const char kb_builtin_matcher_bytes[], kb_builtin_matcher_end[];

const void *
kb_builtin_digest(size_t *ret_len)
{
    *ret_len = (size_t)(kb_builtin_digest_end - kb_builtin_digest_bytes);
    return kb_builtin_digest_bytes;
}

const void *
kb_builtin_matcher(size_t *ret_len)
{
    *ret_len = (size_t)(kb_builtin_matcher_end - kb_builtin_matcher_bytes);
    return kb_builtin_matcher_bytes;
}
