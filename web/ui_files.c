/* ui_files: what `ui-embed` made of web/ui/dist, as read-only pages of the program. */
#include "web/ui_files.h"

__asm__(".section .rodata\n"
        ".balign 64\n"
        "ui_files_pages:\n"
        ".incbin \"web/ui-files.bin\"\n"
        ".byte 0\n"
        ".previous\n");

extern const char ui_files_pages[];

const char *
ui_files_bytes(void)
{
    return ui_files_pages;
}

#include "web/ui-files.inc"
