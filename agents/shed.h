/* shed: gives back memory that only the start of the program needed. */
#ifndef AGENTS_SHED_H
#define AGENTS_SHED_H

#include <stdbool.h>

/* Unmaps the pages of programs and libraries that are in memory as they are on disk; those that are
 * used again come back from the page cache. `alone`: no other thread runs, so that read-only data
 * may go too; else code alone, which nobody ever writes. Returns KiB given back. */
long shed_pages(bool alone);

#endif
