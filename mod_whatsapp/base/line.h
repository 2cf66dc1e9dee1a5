/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody else wrote as one line that may be shown anywhere: a name, a title, a reason. */
#ifndef WA_BASE_LINE_H
#define WA_BASE_LINE_H

#include <apr_pools.h>

#include "base/slice.h"

/* The text as one line: valid UTF-8 (what is not becomes U+FFFD), white space and controls as one
 * space each run, none at the ends, and without what directs how text is written (a name must not
 * turn around the text beside it). Joiners stay: emoji and words are made with them.
 * @param raw         any bytes
 * @param characters  how many code points are kept at most
 * @return `raw` or a piece of it where nothing had to change, else in p; empty when nothing is
 * left. Any thread that may use p. */
wa_slice_t wa_line_clean(wa_slice_t raw, apr_size_t characters, apr_pool_t *p);

#endif
