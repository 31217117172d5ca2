/* auth: who asks. */
#include "web/auth.h"

#include "web/web_priv.h"

#include <stdlib.h>

struct auth {
    struct web *w;
};

int
auth_new(struct web *w, struct auth **ret, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_NOMEM, "no memory");
    a->w = w;
    *ret = a;
    return 0;
}

void
auth_free(struct auth *a)
{
    free(a);
}
