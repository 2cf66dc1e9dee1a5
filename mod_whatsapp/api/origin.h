/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a browser says that a request was made by another site's page. */
#ifndef WA_API_ORIGIN_H
#define WA_API_ORIGIN_H

#include <httpd.h>

/* Says whether a request that changes something was made by the page of another site, through the
 * browser of somebody who may use the API. Browsers say so in Sec-Fetch-Site and Origin, which no
 * page can set or leave out; a client that is no browser sends neither. What cannot be told counts
 * as another site.
 *
 *   Sec-Fetch-Site            Origin              from elsewhere
 *   absent                    absent              no
 *   same-origin               absent, or one      no: the browser compared what it shows,
 *                                                 whatever a proxy made of Host
 *   none, same-site, absent   ours                no
 *   none                      absent              no
 *   all else, also a header twice, empty, or with an Origin that is no web origin ("null"): yes
 *
 * Ours is the host and port in Host, and the origin of public_url.
 * @param public_url  WhatsAppPublicURL, NULL for none
 * @return 1 from elsewhere, else 0. Any thread. */
int wa_origin_is_foreign(request_rec *r, const char *public_url);

#endif
