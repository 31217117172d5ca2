/* ethtool: what the kernel gives of an interface's driver: statistics (ioctl) and memory pages of
 * its module (netlink, else ioctl). Source: Documentation/networking/ethtool-netlink.rst,
 * linux/ethtool.h. */
#ifndef AGENTS_ETHTOOL_H
#define AGENTS_ETHTOOL_H

#include "decode/module.h"

#include <stddef.h>
#include <stdint.h>

#define ETHTOOL_NAME_SIZE 32 /* of a statistic, 0-terminated or full */
#define ETHTOOL_STATS_MAX 16384u

struct ethtool;
struct ethtool *ethtool_new(void); /* NULL: no sockets */
void ethtool_free(struct ethtool *e);

/* Names of all statistics, ETHTOOL_NAME_SIZE bytes each. Caller frees *ret. Count, or an error. */
int ethtool_names(struct ethtool *e, const char *dev, char **ret);
/* Values in the order of the names. Count, or ERR_STATE: the driver now has another number. */
int ethtool_values(struct ethtool *e, const char *dev, uint64_t *values, size_t count);
/* The pages that module_decode wants. 0; ERR_UNSUPPORTED: no module, or none that can be read. */
int ethtool_module(struct ethtool *e, const char *dev, struct module_pages *ret);

#endif
