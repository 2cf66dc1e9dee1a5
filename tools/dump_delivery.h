/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump says of the delivery of a sent message beside the API's members. */
#ifndef WA_TOOLS_DUMP_DELIVERY_H
#define WA_TOOLS_DUMP_DELIVERY_H

#include <apr_pools.h>
#include <jansson.h>

#include "base/json_write.h"
#include "messaging/delivery/state.h"

/*
 * {"parts": [{"place": "taken", "status": "delivered", "errorCode": 0, "sid": "SM...",
 *             "said": "...", "times": {"sent": 1700000000000, ...}}, ...],
 *  "digest": "...", "answer": "accepted", "reason": "..."}
 *
 * A part's place is waiting, taken, failed, unknown or stopped (wa_part_e), the answer accepted or
 * refused (wa_answer_e). What is not known is left out.
 */

/* Writes the object. */
void dump_delivery_write(wa_json_writer_t *w, const wa_delivery_t *delivery);

/* Reads it. Strings are those of `object`, or in p.
 * @return NULL | what is wrong, constant; *delivery is of no use then */
const char *dump_delivery_read(wa_delivery_t *delivery, const json_t *object, apr_pool_t *p);

#endif
