#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What compares texts or bytes (strcmp, memcmp and their like) says by a number which is the greater:
# its answer is compared, with == 0 where they are to be equal, and is never the truth of a condition.
#
#   comparisons.sh [ROOT]    the directory that has mod_whatsapp/, tools/ and tests/ (the project's)
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
exec python3 -B - <<'END'
import pathlib
import re
import sys

# At least so many calls are looked at; less means that this check is broken.
LEAST = 100

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL
)
CALL = re.compile(r"\b(?:str|mem)n?(?:case)?cmp\(")
COMPARED = re.compile(r"\s*(?:[=!]=|[<>])")
# Whose truth is asked for, by what stands before or after.
TRUE_BEFORE = re.compile(r"(?:!|&&|\|\||\b(?:if|while) \()\s*$")
TRUE_AFTER = re.compile(r"\s*(?:&&|\|\||\?|;[^;{}]*\) \{)")


def blank(match):
    return re.sub(r"[^\n]", "_", match.group())


def end_of(text, at):
    """After the parenthesis that closes the one at `at`."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return end + 1
    return len(text)


seen, wrong = 0, []
for top in ("mod_whatsapp", "tools", "tests"):
    for path in sorted(pathlib.Path(top).rglob("*.[ch]")):
        if "node_modules" in path.parts:
            continue
        text = TOKEN.sub(blank, path.read_text(encoding="utf-8"))
        for call in CALL.finditer(text):
            seen += 1
            end = end_of(text, call.end() - 1)
            is_compared = COMPARED.match(text, end) and not text[: call.start()].endswith("!")
            is_truth = TRUE_BEFORE.search(text[: call.start()]) or TRUE_AFTER.match(text, end)
            if not is_compared and is_truth:
                line = text.count("\n", 0, call.start()) + 1
                wrong.append(f"{path}:{line}: {call.group()}...) is compared with == 0 or != 0")
if seen < LEAST:
    wrong.append(f"only {seen} calls found: the check is broken")
sys.exit("\n".join(wrong) or 0)
END
