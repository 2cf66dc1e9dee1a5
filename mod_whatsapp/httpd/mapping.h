/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what a site does with its URLs (front controllers, rewriting, proxies, redirects) away from
 * the API. */
#ifndef WA_HTTPD_MAPPING_H
#define WA_HTTPD_MAPPING_H

#include <httpd.h>

/* All four are httpd's hooks, for any thread. They touch a request only when its server has an
 * account, its path is at or below the base path, and its <Location> sets the handler
 * whatsapp-messenger. Who may use the API is not decided here: every Require of a <Location>,
 * <Directory>, <Files> or .htaccess counts as without them; but for the webhook those of the
 * directory count that httpd's core maps it to, not of one that an Alias names. */

/* The hooks pre_translate_name and translate_name, to be run before all others: ProxyPass is turned
 * off for the request. The webhook, which has its signature, goes to no other mapping at all, since
 * what answers it in our place loses the message.
 * @return OK for the webhook (translate_name only; its file name is as httpd's core makes it) |
 *         DECLINED | what the core says of a path that it cannot map */
int wa_mapping_unproxy(request_rec *r);
int wa_mapping_translate(request_rec *r);

/* The hook type_checker, to be run before all others, which is after the authorization: the
 * settings of the directory that the path would be in are put aside for those of the <Location>s
 * alone, and whether there is a file at the path no longer matters.
 * @return OK when that was done | DECLINED */
int wa_mapping_settle(request_rec *r);

/* The hook fixups, to be run after all others: what rules in a <Location> around ours made of the
 * request is taken back.
 * @return OK | DECLINED */
int wa_mapping_restore(request_rec *r);

#endif
