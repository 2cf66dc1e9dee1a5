#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The module exports its record only; the library below it needs no httpd.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
exported=$(nm -D --defined-only "$build/mod_whatsapp.so" | awk '{print $3}')
if [ "$exported" != whatsapp_module ]; then
    echo "$build/mod_whatsapp.so exports other than whatsapp_module: $(echo "$exported" | tr '\n' ' ')" >&2
    exit 1
fi
count=$(nm --undefined-only "$build/libwa.a" 2>/dev/null | grep -c ' U apr_')
if [ "$count" -lt 50 ]; then
    echo "only $count uses of APR found in $build/libwa.a: the check is broken" >&2
    exit 1
fi
if nm --undefined-only "$build/libwa.a" 2>/dev/null | grep -E ' U (ap_|unixd_|whatsapp_module)'; then
    echo "$build/libwa.a uses httpd" >&2
    exit 1
fi
