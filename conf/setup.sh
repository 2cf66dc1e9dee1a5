#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts configuration and web client in place, and removes them, without losing what an admin changed. For `make install` and `uninstall`.
#
#   setup.sh CONF_DIR SHARE put NAME              the file NAME, from standard input
#   setup.sh CONF_DIR SHARE put-frontend DIRECTORY   the web client
#   setup.sh CONF_DIR SHARE remove NAME...        both again
#
# SHARE/installed holds everything as it was put: what differs from that was changed here.
set -eu
umask 022
CONF_DIR=$1 SHARE=$2
ORIGINAL=$SHARE/installed
command=$3
shift 3

is_there() { [ -e "$1" ] || [ -L "$1" ]; }
is_changed() { [ -L "$1" ] || ! diff -rq "$2" "$1" >/dev/null 2>&1; }

# Whole or not at all, whoever looks meanwhile.
lay() {
    install -m 644 "$1" "$2.new"
    mv -f "$2.new" "$2"
}

put() {
    name=$1 file=$CONF_DIR/$1 new=$ORIGINAL/$1.new
    mkdir -p "$ORIGINAL"
    cat > "$new"
    if ! is_there "$file" || ! is_changed "$file" "$ORIGINAL/$name"; then
        if ! cmp -s "$new" "$file"; then lay "$new" "$file"; fi
        rm -f "$file.dist"
    elif cmp -s "$new" "$file"; then
        rm -f "$file.dist"
    else
        lay "$new" "$file.dist"
        echo "keeping $file, which was changed here. The new one is $file.dist; it differs so:"
        diff -u "$file" "$file.dist" || true
    fi
    mv -f "$new" "$ORIGINAL/$name"
    chmod 644 "$ORIGINAL/$name"
}

put_frontend() {
    client=$SHARE/frontend
    keep_changed_frontend
    rm -rf "$client" "$ORIGINAL/frontend"
    mkdir -p "$ORIGINAL"
    for copy in "$ORIGINAL/frontend" "$client"; do
        cp -R "$1" "$copy"
        chmod -R u+rwX,go+rX,go-w "$copy"
    done
}

# What was changed in the web client goes where nothing is served from.
keep_changed_frontend() {
    if is_there "$SHARE/frontend" && is_changed "$SHARE/frontend" "$ORIGINAL/frontend"; then
        number=1
        while is_there "$SHARE/frontend.changed-$number"; do number=$((number + 1)); done
        mv "$SHARE/frontend" "$SHARE/frontend.changed-$number"
        echo "keeping the web client, which was changed here, as $SHARE/frontend.changed-$number"
    fi
}

remove() {
    for name; do
        file=$CONF_DIR/$name
        if is_there "$file" && is_changed "$file" "$ORIGINAL/$name"; then
            echo "keeping $file, which was changed here"
        else
            rm -f "$file"
        fi
        rm -f "$file.dist"
    done
    keep_changed_frontend
    rm -rf "$SHARE/frontend" "$ORIGINAL"
    rmdir "$SHARE" 2>/dev/null || true
}

case $command in
put) put "$1" ;;
put-frontend) put_frontend "$1" ;;
remove) remove "$@" ;;
*) echo "setup.sh: unknown command '$command'" >&2; exit 2 ;;
esac
