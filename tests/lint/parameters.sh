#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No function of ours has more than five parameters: what is more goes into a struct. Definitions and
# declarations, static ones, types of functions and members that point to one alike.
#
#   parameters.sh [ROOT]    the directory that has mod_whatsapp/, tools/ and tests/ (the project's)
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
exec python3 -B - <<'END'
import pathlib
import re
import sys

MOST = 5
# At least so many lists of parameters are looked at; less means that this check is broken.
LEAST = 1000
# What tests put in the place of the C library's own.
FOREIGN = {"mmap", "mmap_fn"}

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
MEMBERS = re.compile(r"\s*(?:typedef\s+)?(?:struct|union)\b[^()=]*$")
NAME = re.compile(r"(?:\(\s*\*\s*)?(\w+)\s*\)?\s*$")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def lists(text):
    """(name, line, count of parameters) of each list in parentheses that stands outside of code."""
    text = DIRECTIVE.sub(blank, TOKEN.sub(blank, text))
    is_code, open_at, begin = [], [], 0
    for at, char in enumerate(text):
        if char == "{":
            is_code.append(not MEMBERS.match(text[begin:at]))
        elif char == "}":
            is_code.pop()
        elif char == "(":
            open_at.append([at, 1])
        elif char == "," and open_at:
            open_at[-1][1] += 1
        elif char == ")":
            start, count = open_at.pop()
            named = NAME.search(text, begin, start)
            if not any(is_code) and named:
                variable = text[start:at].rstrip().endswith("...")
                yield named[1], text.count("\n", 0, start) + 1, count - variable
        if char in "{};":
            begin = at + 1


seen, wrong = 0, []
for top in ("mod_whatsapp", "tools", "tests"):
    for path in sorted(pathlib.Path(top).rglob("*.[ch]")):
        if "node_modules" in path.parts:
            continue
        for name, line, count in lists(path.read_text(encoding="utf-8")):
            seen += 1
            if count > MOST and name not in FOREIGN:
                wrong.append(f"{path}:{line}: {name} has {count} parameters, {MOST} at most")
if seen < LEAST:
    wrong.append(f"only {seen} lists of parameters found: the check is broken")
sys.exit("\n".join(wrong) or 0)
END
