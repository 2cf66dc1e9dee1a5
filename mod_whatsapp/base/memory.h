/* SPDX-License-Identifier: Apache-2.0 */
/* What happens where there is no memory. */
#ifndef WA_BASE_MEMORY_H
#define WA_BASE_MEMORY_H

/* Ends the process, and says why on stderr, as httpd does where its pools find no memory: for pools
 * of our own that hang below none of httpd's (apr_pool_create_ex, apr_pool_abort_set). Without it
 * APR gives NULL, which nobody asks for. Any thread; does not return.
 * @param rv  what APR says; not looked at */
int wa_memory_abort(int rv);

#endif
