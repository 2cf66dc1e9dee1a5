/* SPDX-License-Identifier: Apache-2.0 */
/* Makes JSON readable in which single characters of texts are none. */
#ifndef WA_BASE_JSON_MEND_H
#define WA_BASE_JSON_MEND_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/slice.h"

/* Puts U+FFFD in the place of what no text can hold and what makes wa_json_parse refuse a whole
 * document: bytes that are not UTF-8, half a surrogate pair (\ud83d, as a text that was cut after
 * so many UTF-16 units ends in), \u0000 and raw control characters, each in strings only. For
 * documents of many items, of which one must not make the others unreadable.
 * @param pjson  out: `json` itself where nothing is wrong, else in p
 * @return APR_SUCCESS | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_json_mend(wa_slice_t json, wa_slice_t *pjson, apr_pool_t *p);

#endif
