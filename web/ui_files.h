/* ui_files: the built browser application, inside the program: one row a file. */
#ifndef WEB_UI_FILES_H
#define WEB_UI_FILES_H

#include <stddef.h>

struct ui_file {
    const char *name;             /* "index.html", "assets/app.js" */
    const char *type;             /* Content-Type */
    const char *etag;             /* with its quotes */
    size_t at, len;               /* of the plain bytes */
    size_t packed_at, packed_len; /* of the same, gzip; 0, 0 where that is no smaller */
};
extern const struct ui_file ui_files[];
extern const size_t ui_file_count;
extern const char ui_files_hash[]; /* of all files: changes with any of them */
const char *ui_files_bytes(void);

#endif
