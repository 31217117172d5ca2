/* module_in: what the files of module share among themselves. */
#ifndef DECODE_MODULE_IN_H
#define DECODE_MODULE_IN_H

#include "decode/module.h"

void module_clear(struct module *m); /* nothing is told */
unsigned module_u16(const uint8_t *p);
int module_s16(const uint8_t *p);
double module_dbm(double tenth_uw); /* of 0.1 uW */
/* Printable text of n bytes, blanks at the end removed. out has n + 1 bytes. */
void module_text(char *out, const uint8_t *p, size_t n);
void module_date(char out[12], const uint8_t *p); /* YYMMDD: 20YY-MM-DD */
void module_oui(char out[12], const uint8_t *p);
const char *module_connector(uint8_t code);
void module_flag_add(struct module *m, bool set, const char *name, unsigned lane);
/* Four limits at p in the order of all three specifications: high alarm, low alarm, high warning,
 * low warning; each a big-endian 16-bit number. */
enum module_unit { MODULE_CELSIUS, MODULE_VOLTS, MODULE_DBM, MODULE_MA };
void module_limits_at(struct module_limits *l, const uint8_t *p, enum module_unit unit,
                      double factor);
double module_value(const uint8_t *p, enum module_unit unit, double factor);

int module_sff8472(const struct module_pages *p, struct module *m, struct err *err);
int module_sff8636(const struct module_pages *p, struct module *m, struct err *err);
int module_cmis(const struct module_pages *p, struct module *m, struct err *err);
void module_vdm(const struct module_pages *p, struct module *m);

#endif
