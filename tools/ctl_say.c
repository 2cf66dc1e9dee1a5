/* SPDX-License-Identifier: Apache-2.0 */
/* What is said on stderr, and numbers and times for people. */
#include "ctl_say.h"

#include <stdarg.h>
#include <stdio.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "ctl_end.h"
#include "store/log/record.h"

static void say(const char *format, va_list arguments, const char *more)
{
    fputs("whatsappctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s%s\n", more ? ": " : "", more ? more : "");
}

int ctl_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, NULL);
    va_end(arguments);
    return CTL_FAILED;
}

int ctl_error_status(apr_status_t rv, const char *format, ...)
{
    va_list arguments;
    char text[200];

    if (APR_STATUS_IS_EINTR(rv) && ctl_is_interrupted()) {
        return CTL_INTERRUPTED;
    }
    va_start(arguments, format);
    say(format, arguments,
        rv == APR_EGENERAL || rv == APR_EINVAL || rv == APR_ENOENT
            ? NULL
            : apr_strerror(rv, text, sizeof(text)));
    va_end(arguments);
    return CTL_FAILED;
}

void ctl_note(const ctl_t *ctl, const char *format, ...)
{
    va_list arguments;

    if (!ctl->is_quiet) {
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
    }
}

const char *ctl_bytes(apr_uint64_t bytes, apr_pool_t *p)
{
    if (bytes < 10000) {
        return apr_psprintf(p, "%" APR_UINT64_T_FMT " bytes", bytes);
    }
    return bytes < 10000000 ? apr_psprintf(p, "%.1f kB", (double)bytes / 1e3)
                            : apr_psprintf(p, "%.1f MB", (double)bytes / 1e6);
}

const char *ctl_time(apr_int64_t ms, apr_pool_t *p)
{
    apr_time_exp_t t;

    if (!ms || !wa_record_time_is_valid(ms) || apr_time_exp_gmt(&t, ms * 1000) != APR_SUCCESS) {
        return "-";
    }
    return apr_psprintf(p, "%04d-%02d-%02d %02d:%02d:%02d.%03d UTC", t.tm_year + 1900, t.tm_mon + 1,
                        t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_usec / 1000);
}
