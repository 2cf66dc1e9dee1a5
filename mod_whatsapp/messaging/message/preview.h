/* SPDX-License-Identifier: Apache-2.0 */
/* What the thread list shows of a message. */
#ifndef WA_MESSAGING_MESSAGE_PREVIEW_H
#define WA_MESSAGING_MESSAGE_PREVIEW_H

#include <apr_pools.h>

#include "base/slice.h"

/* How many characters (code points) of a body the thread list shows. */
#define WA_PREVIEW_CHARACTERS 100

/* The first characters of the body; where it is empty and there is an attachment what that is, such
 * as "[image]".
 * @param content_type  of the first attachment; NULL for none
 * @return a piece of `body`, or constant. Any thread. */
wa_slice_t wa_preview_make(wa_slice_t body, const char *content_type);

/* The same of a message that came in, whose kind says more than its attachment: "[sticker]".
 * @param type  MessageType as it came; empty for none
 * @return also in p. Any thread that may use p. */
wa_slice_t wa_preview_received(wa_slice_t body, wa_slice_t type, const char *content_type,
                               apr_pool_t *p);

#endif
