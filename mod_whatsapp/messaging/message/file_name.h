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

#endif
