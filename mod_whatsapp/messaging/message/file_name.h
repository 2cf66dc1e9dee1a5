/* SPDX-License-Identifier: Apache-2.0 */
/* What a document that somebody sent is called. */
#ifndef WA_MESSAGING_MESSAGE_FILE_NAME_H
#define WA_MESSAGING_MESSAGE_FILE_NAME_H

#include <apr_pools.h>

#include "base/slice.h"

/* Twilio gives a document's name as the message's text, and no other kind's: a caption is no name.
 * @param body          of the message
 * @param type          MessageType; empty where it is not known
 * @param content_type  of the attachment
 * @return the name without path, control and quote characters, UTF-8, in p; "" for none. Any thread
 * that may use p. */
const char *wa_file_name(wa_slice_t body, wa_slice_t type, wa_slice_t content_type, apr_pool_t *p);

/* 1 for a name that ends like those of files do, in ".pdf" and the like. One that does not may be a
 * caption: a file can be saved under it, and it is shown as a text. Any thread. */
int wa_file_name_has_end(const char *name);

#endif
