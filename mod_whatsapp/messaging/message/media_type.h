/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of file an address leads to, as far as it says, and which kinds WhatsApp shows with a
 * text. */
#ifndef WA_MESSAGING_MESSAGE_MEDIA_TYPE_H
#define WA_MESSAGING_MESSAGE_MEDIA_TYPE_H

#include <apr_pools.h>

#include "base/slice.h"

/* The type that the ending of a path stands for, of those that WhatsApp takes (docs/TWILIO.md
 * section 1.6). Twilio goes by what the server says that has the file; this is the best guess
 * without asking it.
 * @param path  of an address: without query and fragment, escapes as they are
 * @return constant; "application/octet-stream" for an ending that is not known, or none. Any thread
 *         that may use p. */
const char *wa_media_type_of_path(const char *path, apr_pool_t *p);

/* 1 for a type under which WhatsApp certainly shows the text that is sent with it. Any thread. */
int wa_media_type_has_caption(wa_slice_t type);

#endif
