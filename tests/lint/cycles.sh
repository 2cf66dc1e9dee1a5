#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who uses whom goes one way: no cycle between .c files, none between directories. The objects' symbols
# tell: a file that uses what another one defines depends on it. A header may be shared; what is
# called through a pointer that was passed is no dependency.
#
#   cycles.sh [ROOT]    the directory that has mod_whatsapp/ and tools/ (the project's), with objects in
#                       $BUILD/obj
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
objects=${BUILD:-build}/obj

# Objects of sources that are gone may still be there: the sources say which count.
sources=$(find mod_whatsapp tools -name '*.c' | LC_ALL=C sort)
set --
for source in $sources; do
    object=$objects/${source%.c}.o
    if ! [ -e "$object" ]; then
        echo "$object is not built: run make first" >&2
        exit 1
    fi
    set -- "$@" "$object"
done

nm -A -P "$@" | awk -v prefix="$objects/" '
# The module record is httpd'"'"'s to call. Our files take its address and its index, by which httpd
# knows whose log line or settings they mean.
$2 == "whatsapp_module" { next }
{
    file = substr($1, length(prefix) + 1)
    sub(/\.o:$/, ".c", file)
    if ($3 == "U" || $3 == "w") {
        uses[file, ++use_count[file]] = $2
    } else if ($3 ~ /^[A-Z]$/) {
        defined_in[$2] = file
    }
    if (!(file in seen)) {
        seen[file] = 1
        files[++file_count] = file
    }
}

# The directory of a file, no more than `depth` parts of it.
function directory_of(file, depth,    part, n, i, directory) {
    n = split(file, part, "/")
    directory = part[1]
    for (i = 2; i < n && i <= depth; i++) {
        directory = directory "/" part[i]
    }
    return directory
}

function node_add(name) {
    if (!(name in is_node)) {
        is_node[name] = 1
        nodes[++node_count] = name
    }
}

function arrow_add(from, to, why) {
    if (from == to) {
        return
    }
    if (!((from, to) in because)) {
        next_of[from, ++next_count[from]] = to
    }
    because[from, to] = because[from, to] " " why
}

function graph_clear() {
    split("", nodes); split("", is_node); split("", because)
    split("", next_of); split("", next_count); split("", reach)
    node_count = 0
}

# Who can be come to from a node.
function reach_all(start,    stack, top, at, i, to) {
    stack[top = 1] = start
    while (top > 0) {
        at = stack[top--]
        for (i = 1; i <= next_count[at]; i++) {
            to = next_of[at, i]
            if (!((start, to) in reach)) {
                reach[start, to] = 1
                stack[++top] = to
            }
        }
    }
}

# Says each set of nodes that all lead to each other, with what makes it one.
function cycles_say(what,    i, k, m, names, count, told, from, to) {
    for (i = 1; i <= node_count; i++) {
        reach_all(nodes[i])
    }
    for (i = 1; i <= node_count; i++) {
        if (nodes[i] in told || !((nodes[i], nodes[i]) in reach)) {
            continue
        }
        count = 0
        for (k = 1; k <= node_count; k++) {
            if (((nodes[i], nodes[k]) in reach) && ((nodes[k], nodes[i]) in reach)) {
                names[++count] = nodes[k]
                told[nodes[k]] = 1
            }
        }
        print "a cycle of " count " " what ":"
        for (k = 1; k <= count; k++) {
            for (m = 1; m <= count; m++) {
                from = names[k]; to = names[m]
                if ((from, to) in because) {
                    print "  " from " -> " to ":" because[from, to]
                }
            }
        }
        status = 1
    }
}

END {
    graph_clear()
    for (f = 1; f <= file_count; f++) {
        node_add(files[f])
        for (u = 1; u <= use_count[files[f]]; u++) {
            symbol = uses[files[f], u]
            if (symbol in defined_in && defined_in[symbol] != files[f]) {
                arrow_add(files[f], defined_in[symbol], symbol)
                arrows++
                n = split(files[f], part, "/")
                deepest = n > deepest ? n : deepest
            }
        }
    }
    cycles_say("files")
    for (depth = 1; depth < deepest; depth++) {
        graph_clear()
        for (f = 1; f <= file_count; f++) {
            node_add(directory_of(files[f], depth))
            for (u = 1; u <= use_count[files[f]]; u++) {
                symbol = uses[files[f], u]
                if (symbol in defined_in) {
                    arrow_add(directory_of(files[f], depth), directory_of(defined_in[symbol], depth),
                              symbol " (" files[f] ")")
                }
            }
        }
        cycles_say("directories")
    }
    if (arrows < file_count || file_count == 0) {
        print "only " arrows + 0 " uses found in " file_count " files: the check is broken"
        status = 1
    }
    exit status
}' >&2
