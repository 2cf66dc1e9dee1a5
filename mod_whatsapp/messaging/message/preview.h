/* SPDX-License-Identifier: Apache-2.0 */
/* What the thread list shows of a message. */
#ifndef WA_MESSAGING_MESSAGE_PREVIEW_H
#define WA_MESSAGING_MESSAGE_PREVIEW_H

#include "base/slice.h"

/* How many characters (code points) of a body the thread list shows. */
#define WA_PREVIEW_CHARACTERS 100

/* The first characters of the body; where it is empty and there is an attachment what that is, such
 * as "[image]".
 * @param content_type  of the first attachment; NULL for none
 * @return a piece of `body`, or constant. Any thread. */
wa_slice_t wa_preview_make(wa_slice_t body, const char *content_type);

#endif
