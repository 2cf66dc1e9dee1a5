/* SPDX-License-Identifier: Apache-2.0 */
/* What is said on stderr, and numbers and times for people. */
#ifndef WA_TOOLS_CTL_SAY_H
#define WA_TOOLS_CTL_SAY_H

#include "ctl.h"

/* Says on stderr what is wrong. @return CTL_FAILED */
int ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with what the system says of a status; CTL_INTERRUPTED without a word where the cause
 * is an interruption. */
int ctl_error_status(apr_status_t rv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells on stderr how it goes, unless --quiet. */
void ctl_note(const ctl_t *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "3.2 MB". */
const char *ctl_bytes(apr_uint64_t bytes, apr_pool_t *p);

/* "2026-03-01 12:00:00.123 UTC". */
const char *ctl_time(apr_int64_t ms, apr_pool_t *p);

#endif
