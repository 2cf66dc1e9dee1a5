/* SPDX-License-Identifier: Apache-2.0 */
/* Formats the lines that the layers below httpd/ log and hands them to the callback. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1000

int wa_log_is_on(const wa_log_t *log, wa_log_level_e level)
{
    return log != NULL && log->is_on(log->baton, level);
}

/* A value from outside must not begin a line of its own or move the cursor of who reads the log. */
static void replace_controls(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

void wa_log_write(const wa_log_t *log, wa_log_level_e level, const char *tag, apr_status_t rv,
                  const char *format, ...)
{
    char text[LINE_MAX_BYTES + 1];
    va_list args;
    int len;

    if (log == NULL) {
        return;
    }
    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0) { /* a wide character without bytes in this locale: the tag still tells where */
        text[0] = '\0';
    }
    replace_controls(text);
    log->write(log->baton, level, tag, rv, text);
}
