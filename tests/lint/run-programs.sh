#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each test program, at most half an hour each; the output of a failing one is shown: run-programs.sh WRAPPER PROGRAM...
wrapper=$1
shift
if [ $# -eq 0 ]; then
    echo 'no test program to run' >&2
    exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=
count=0
for program; do
    count=$((count + 1))
    # shellcheck disable=SC2086 # the wrapper is a command with arguments
    if timeout 1800 $wrapper "$program" > "$log" 2>&1; then
        printf 'ok    %-32s %s tests\n' "${program##*/}" "$(grep -c '^\[       OK' "$log")"
    else
        printf 'FAIL  %s (status %s)\n' "${program##*/}" "$?"
        cat "$log"
        failed="$failed ${program##*/}"
    fi
done
if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    exit 1
fi
echo "$count test programs passed"
