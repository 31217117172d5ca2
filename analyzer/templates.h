/* templates: lines of formats that nobody described. A line's template is what is left without its
 * words that hold a digit; a template that one speaker alone prints, or that healthy runs never
 * print, and that sounds like trouble, is what an unknown program has to say.
 *
 * Load: every line of a gigabyte that no pattern took, at about a nanosecond a byte. Bounded:
 * TEMPLATES_MAX templates, beyond which new ones are not kept. */
#ifndef ANALYZER_TEMPLATES_H
#define ANALYZER_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATES_MAX  65536
#define TEMPLATES_TEXT 400 /* bytes of a line that are kept and compared */

struct templates;
struct templates *templates_new(void);
void templates_free(struct templates *t);
/* A line of a speaker (a file, or a rank: any number that tells them apart). */
void templates_line(struct templates *t, unsigned speaker, int rank, const char *node,
                    const char *line, size_t len);
/* A line of a healthy run: its template is ordinary from now on. */
void templates_healthy(struct templates *t, const char *line, size_t len);

struct templates_answer {
    const char *text, *node;
    int rank;
    size_t count, speakers, of; /* lines; speakers that print it, of how many */
};
/* The line that stands out most; false when none does. */
bool templates_find(const struct templates *t, struct templates_answer *ret);

#endif
