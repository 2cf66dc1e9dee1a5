#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The directives in the code and in conf/whatsapp-reference.conf are the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat mod_whatsapp/httpd/*.c | sed -n 's/.*AP_INIT_[A-Z0-9_]*("\(WhatsApp[A-Za-z]*\)".*/\1/p' | LC_ALL=C sort > "$work/code"
sed -n 's/^#\{0,1\}\(WhatsApp[A-Za-z]*\) .*/\1/p' conf/whatsapp-reference.conf | LC_ALL=C sort > "$work/reference"
if [ "$(wc -l < "$work/code")" -lt 10 ]; then
    echo 'fewer than 10 directives found in the code: the check is broken' >&2
    exit 1
fi
diff -u --label code --label conf/whatsapp-reference.conf "$work/code" "$work/reference"
