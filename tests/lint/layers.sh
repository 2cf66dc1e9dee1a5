#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a directory may use. Includes point only downwards: httpd, api -> messaging -> store, twilio -> base; no httpd header below api/.
set -u
cd "$(dirname "$0")/../../mod_whatsapp" || exit 1
status=0

# refuse DIRECTORIES PATTERN WHY
refuse() {
    # shellcheck disable=SC2086 # the directories are words
    if grep -rnE --include='*.[ch]' "#[[:space:]]*include[[:space:]]*[<\"]($2)" $1; then
        echo "  ^ $3" >&2
        status=1
    fi
}

count=$(grep -rE --include='*.[ch]' '#[[:space:]]*include' base store twilio messaging api httpd | wc -l)
if [ "$count" -lt 100 ]; then
    echo "only $count includes found: the check is broken" >&2
    exit 1
fi
refuse 'base store twilio messaging' 'httpd\.h|http_|ap_|util_|mod_|mpm_|unixd' 'below api/ nothing includes an httpd header'
refuse 'base' '(store|twilio|messaging|api|httpd)/' 'base/ includes base/ only'
refuse 'store' '(twilio|messaging|api|httpd)/' 'store/ includes store/ and base/ only'
refuse 'twilio' '(store|messaging|api|httpd)/' 'twilio/ includes twilio/ and base/ only'
refuse 'messaging' '(api|httpd)/|store/[a-z]+/' 'messaging/ includes the store seam, twilio/ and base/ only'
refuse 'api httpd' 'store/[a-z]+/' 'a store driver is known to store/store.c only'
# A form's value without '=' has no bytes at all: apr_pstrmemdup gives NULL for it, and who goes on ends by a signal.
if grep -rnE --include='*.c' 'apr_pstrmemdup|(^|[^p_])strndup|apr_pstrndup\([^,]*, [^,]*\.ptr' . ../tools; then
    echo '  ^ a slice becomes a string by wa_slice_string (base/slice.h)' >&2
    status=1
fi
# Keys that strangers choose flood apr's own hash functions.
if grep -rnE --include='*.c' 'apr_hash_make(_custom)?\(|apr_hashfunc_default' . ../tools | grep -v '^./base/hash.c:'; then
    echo '  ^ a table is made by wa_table_make (base/hash.h)' >&2
    status=1
fi
# How long something took is no matter of the wall clock, which may be set meanwhile (base/hash.c: a seed).
if grep -rnE --include='*.[ch]' 'apr_time_now\(' api base httpd messaging twilio | grep -vE '^base/(clock|hash)\.c:'; then
    echo '  ^ a duration is measured by wa_clock_steady_us, a date is wa_clock_now_ms (base/clock.h)' >&2
    status=1
fi
exit $status
