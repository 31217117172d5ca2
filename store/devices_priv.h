/* devices_priv: what devices.c, device_list.c and device_import.c share: a device document taken
 * apart. */
#ifndef STORE_DEVICES_PRIV_H
#define STORE_DEVICES_PRIV_H

#include "store/catalog.h"
#include "store/devices.h"
#include "store/topo_priv.h"

#define DEVICE_TEXTS     8
#define DEVICE_ATTRS_MAX 128
enum {
    DEVICE_CLUSTER,
    DEVICE_RACK,
    DEVICE_PARENT,
    DEVICE_VENDOR,
    DEVICE_MODEL,
    DEVICE_SERIAL,
    DEVICE_FIRMWARE,
    DEVICE_NOTE
};

struct device_attr {
    char *name, *value; /* value "" : removed */
};
struct device_record {
    char *texts[DEVICE_TEXTS], *tenant; /* NULL or "": nobody said */
    char state[16], origin[16];
    int64_t until_ms, first_ms;
    struct device_attr *attrs;
    size_t attr_count;
};
const char *const *device_text_names(void); /* in the order of the enum, NULL at the end */
void device_record_done(struct device_record *r);
int device_record_read(struct device_record *r, const char *json, size_t len);
int device_record_attr(struct device_record *r, const char *name, const char *value);
void device_record_attributes(struct jsonw *w, const struct device_record *r);
/* 0, ERR_NOTFOUND (revision 0), or an error. r is to be done in every case. */
int device_record_load(struct store *s, const char *entity, struct device_record *r,
                       uint64_t *ret_revision, struct err *err);
void device_record_fresh(struct store *s, const char *entity, const char *origin,
                         struct device_record *r);
/* Applies an edit; said collects what changed, *ret_action is set when the state does. */
int device_record_edit(struct device_record *r, const struct doc *d, const struct doc_node *edit,
                       const char **ret_action, struct buf *said, struct err *err);

struct device_pair { /* a document and its row of history, as changes that live while this does */
    struct buf json, past;
    char id[ENTITY_SIZE + 24], state[16], *tenant; /* own copies: a batch outlives its records */
};
/* entity and action must live as long as the changes; the record and the texts need not. */
int device_pair_fill(struct device_pair *p, const char *entity, const struct device_record *r,
                     uint64_t revision, int64_t now, const char *who, const char *action,
                     const char *text, struct catalog_change changes[2]);
void device_pair_done(struct device_pair *p);

#endif
