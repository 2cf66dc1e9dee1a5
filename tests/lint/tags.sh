#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Log tags: each in one place only, in the range of its layer, and explained in docs/OPERATIONS.md.
set -u
cd "$(dirname "$0")/../../mod_whatsapp" || exit 1
tags=$(grep -rnoE --include='*.c' '"WA0[0-9]{3}[":]' . | sed 's/^\.\///; s/"//g; s/:$//')
count=$(printf '%s\n' "$tags" | grep -c .)
if [ "$count" -lt 20 ]; then
    echo "only $count log tags found: the check is broken" >&2
    exit 1
fi
status=0
twice=$(printf '%s\n' "$tags" | sed 's/.*://' | LC_ALL=C sort | uniq -d)
if [ -n "$twice" ]; then
    echo 'used in more than one place:' >&2
    printf '%s\n' "$tags" | grep -F "$twice" >&2
    status=1
fi
if printf '%s\n' "$tags" | grep -vE '^(mod_whatsapp\.c|httpd/).*WA01|^api/.*WA02|^twilio/.*WA03|^store/.*WA04|^messaging/.*WA05' >&2; then
    echo 'outside the range of their layer: 01 httpd, 02 api, 03 twilio, 04 store, 05 messaging' >&2
    status=1
fi
for tag in $(printf '%s\n' "$tags" | sed 's/.*://'); do
    if ! grep -q "^|.*$tag.*|.*|" ../docs/OPERATIONS.md; then
        echo "$tag is not explained in docs/OPERATIONS.md" >&2
        status=1
    fi
done
exit $status
