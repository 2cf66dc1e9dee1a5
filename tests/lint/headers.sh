#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file begins with the licence and one comment that states its purpose; headers have the guard that their path gives.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
count=0
wrong() {
    echo "$1: $2" >&2
    status=1
}
for file in $(find mod_whatsapp tests tools -name node_modules -prune -o -name '*.[ch]' -print 2>/dev/null | LC_ALL=C sort); do
    count=$((count + 1))
    [ "$(sed -n 1p "$file")" = '/* SPDX-License-Identifier: Apache-2.0 */' ] || wrong "$file" 'line 1 is not the licence'
    sed -n 2p "$file" | grep -qE '^/\* [A-Za-z].{10,}' || wrong "$file" 'line 2 does not say what the file is for'
    if LC_ALL=C grep -qn "$(printf '\r')" "$file"; then wrong "$file" 'has CR LF line ends'; fi
    if grep -nE '[[:space:]]+$' "$file" >&2; then wrong "$file" 'has white space at the end of a line'; fi
    case $file in
    mod_whatsapp/*.h)
        guard=WA_$(echo "${file#mod_whatsapp/}" | tr '[:lower:]/.' '[:upper:]__')
        grep -q "^#ifndef ${guard}\$" "$file" || wrong "$file" "has no include guard $guard"
        ;;
    esac
done
if [ $count -lt 30 ]; then
    echo "only $count files found: the check is broken" >&2
    exit 1
fi
exit $status
