/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of who starts the server, for what keeps it from starting. */
#ifndef WA_HTTPD_TERMINAL_H
#define WA_HTTPD_TERMINAL_H

/* Keeps standard error as it is now. httpd makes it the error log when it opens its logs, and only
 * then tells whether it starts at all (or only signals another). To be called in the first
 * check_config. */
void wa_terminal_keep(void);

/* Writes a line to what was kept, unless that is the error log too or nothing was kept. Before
 * httpd detaches. */
void wa_terminal_say(const char *line);

/* Lets go of it. */
void wa_terminal_release(void);

#endif
