/* backup: a copy of every file while the store runs.
 *
 * The journal is copied first: whatever is filled into day files and cut from the journal
 * afterwards is in both copies, and the numbers that day files hold keep it from being applied
 * twice. */
#include "store/store.h"

#include "base/str.h"
#include "store/dayfile.h"
#include "store/db.h"
#include "store/store_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
backup_one(const char *from, const char *folder, struct err *err)
{
    char to[4600];
    const char *name = strrchr(from, '/');
    snprintf(to, sizeof to, "%s/%s", folder, name ? name + 1 : from);
    if (file_exists(to))
        return err_set(err, ERR_EXISTS, "%s is there already: a backup needs a folder of its own",
                       to);
    return db_copy(from, to, err);
}

static int
backup_days(struct store *s, const char *folder, struct err *err)
{
    struct day **at;
    size_t n;
    int rc = days_list(s->days, INT64_MIN, INT64_MAX, &at, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!rc)
            rc = backup_one(day_path(at[i]), folder, err);
        day_put(s->days, at[i]);
    }
    free(at);
    return rc;
}

static int
backup_sync(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", folder);
    int rc = fsync(fd) ? err_set_errno(err, "cannot sync %s", folder) : 0;
    close(fd);
    return rc;
}

int
store_backup(struct store *s, const char *folder, struct err *err)
{
    char path[4600];
    int rc = file_mkdir(folder, 0700, err);
    snprintf(path, sizeof path, "%s/journal.db", s->cfg.folder);
    if (!rc)
        rc = backup_one(path, folder, err);
    if (!rc)
        rc = backup_days(s, folder, err);
    snprintf(path, sizeof path, "%s/catalog.db", s->cfg.folder);
    if (!rc && file_exists(path))
        rc = backup_one(path, folder, err);
    return rc ? rc : backup_sync(folder, err);
}
