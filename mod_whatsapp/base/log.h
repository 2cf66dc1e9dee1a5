/* SPDX-License-Identifier: Apache-2.0 */
/* Logging for the layers that know nothing of httpd: a callback behind a test of the level. */
#ifndef WA_BASE_LOG_H
#define WA_BASE_LOG_H

#include <apr_errno.h>
#include <apr_pools.h>

/* The levels that the layers below httpd/ use; the values are syslog's and httpd's APLOG_ ones. */
typedef enum {
    WA_LOG_ERR = 3,
    WA_LOG_WARNING = 4,
    WA_LOG_NOTICE = 5,
    WA_LOG_INFO = 6,
    WA_LOG_DEBUG = 7
} wa_log_level_e;

/* Where lines go. httpd/ fills one per virtual host; a tool or unit test fills its own.
 * Read-only after that. Both callbacks may be called by any thread. A NULL wa_log_t pointer
 * means that nothing is logged. */
typedef struct wa_log_t {
    int (*is_on)(void *baton, wa_log_level_e level);
    /* `text` is a finished line without newline or tag; `rv` is APR_SUCCESS or the status that
     * the line is about. */
    void (*write)(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                  const char *text);
    void *baton;
} wa_log_t;

/* 1 when a line of this level would be written. Any thread. */
int wa_log_is_on(const wa_log_t *log, wa_log_level_e level);

/* Formats (at most 1,000 bytes) and writes one line. Use WA_LOG. Any thread. */
void wa_log_write(const wa_log_t *log, wa_log_level_e level, const char *tag, apr_status_t rv,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* One line in the log: WA_LOG(log, WA_LOG_WARNING, "WA0312", rv, "sid=%s", sid). Arguments are
 * evaluated only when the level is on. Never give it a token, a signature, message text or an
 * unmasked number. */
#define WA_LOG(log, level, tag, rv, ...)                            \
    do {                                                            \
        if (wa_log_is_on((log), (level)))                           \
            wa_log_write((log), (level), (tag), (rv), __VA_ARGS__); \
    } while (0)

#endif
