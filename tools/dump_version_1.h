/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the delivery out of dumps of a store of version 1. */
#ifndef WA_TOOLS_DUMP_VERSION_1_H
#define WA_TOOLS_DUMP_VERSION_1_H

#include <apr_pools.h>

#include "messaging/delivery/state.h"

/* Reads what such dumps have as "private" in place of "delivery": one text, described in
 * dump_version_1.c.
 * @param delivery  in: what the API's members say. A text that is not known changes nothing.
 *     Strings in p */
void dump_version_1_read(wa_delivery_t *delivery, const char *text, apr_pool_t *p);

#endif
