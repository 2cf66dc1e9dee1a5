/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a key msg:...: a message as the API shows it, with what "store" says beside. */
#ifndef WA_TOOLS_LOAD_MESSAGE_H
#define WA_TOOLS_LOAD_MESSAGE_H

#include "load_item.h"
#include "load_reader.h"

/* Reads it; what is wrong is noted in the reader.
 * @param rest  what the key says after "msg:" */
void load_message_read(load_reader_t *r, load_item_t *item, const char *rest);

#endif
