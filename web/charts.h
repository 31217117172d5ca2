/* charts: what to draw of a device: one PromQL expression a metric that has samples of it now. */
#ifndef WEB_CHARTS_H
#define WEB_CHARTS_H

#include "web/view.h"
#include "web/web_priv.h"

/* Writes the items of the array that is open. */
void charts_write(struct web *web, struct view *v, const char *entity, struct jsonw *w);

#endif
