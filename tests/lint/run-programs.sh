#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test programs, as many at once as there are processors (or JOBS), at most an hour each; the output of a failing one is shown:
# run-programs.sh WRAPPER PROGRAM... PROGRAM:4 is run as four processes, of which each does its share (tests/unit/test_shard.h).
set -uo pipefail

# One process of a program, in a child of this script: its line, then its output when it failed.
if [ "${1-}" = --one ]; then
    program=${3%:*}
    shard=${3#"$program"}
    shard=${shard#:}
    [ -z "$shard" ] || export WA_TEST_SHARD=$shard
    name="${program##*/}${shard:+ $shard}"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    SECONDS=0
    # shellcheck disable=SC2086 # the wrapper is a command with arguments
    timeout -k 10 3600 $2 "$program" > "$log" 2>&1
    status=$?
    count=$(grep -c '^\[       OK' "$log")
    # A program that tested nothing has shown nothing.
    if [ $status -eq 0 ] && [ "$count" -gt 0 ]; then
        printf 'ok    %-36s %3s tests %4s s\n' "$name" "$count" "$SECONDS"
        exit 0
    fi
    printf 'FAIL  %s (status %s, %s tests passed)\n%s\n' "$name" "$status" "$count" "$(cat "$log")"
    exit 1
fi

wrapper=${1-}
shift
if [ $# -eq 0 ]; then
    echo 'no test program to run' >&2
    exit 1
fi
processes=()
for program; do
    case $program in
    *:*)
        for ((i = 1; i <= ${program##*:}; i++)); do
            processes+=("${program%:*}:$i/${program##*:}")
        done
        ;;
    *) processes+=("$program") ;;
    esac
done
if printf '%s\0' "${processes[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" "$0" --one "$wrapper"; then
    echo "$# test programs passed"
else
    echo 'failed: see FAIL above' >&2
    exit 1
fi
