# SPDX-License-Identifier: Apache-2.0
"""tests/lint/comparisons.sh finds every comparison of texts whose number is taken for a truth."""

import pathlib
import subprocess

LINT = pathlib.Path(__file__).parents[1] / "lint" / "comparisons.sh"

SOUND = """
    if (strcmp(a, b) == 0 && 0 != memcmp(a, (b), sizeof(a)) == 0) {
    return strcmp(a, b);
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    assert_int_equal(strncmp(a, b, 3), 0);
    n += strcasecmp(a, ")") == 0 || strcmp(a, "&&") < 0;
    while (*k && strcmp(*k, name)
                     != 0) {
    /* if (!strcmp(a, b)) { */
    const char *s = "!strcmp(a, b)";
    if (my_strcmp(a, b) && !wa_slice_is_equal(a, b)) {
"""

FLAWED = [
    "if (!strcmp(a, b)) {",
    "if (strcmp(a, b)) {",
    "} else if (strncmp(a, f(b, c), 3)) {",
    "while (memcmp(a, b, 3)) {",
    "if (x && strcmp(a, b)) {",
    "if (strcmp(a, b) || x) {",
    "if (strcmp(a, b) && strcmp(a, c) != 0) {",
    "return !strncasecmp(a, b, 3);",
    "if (!strcmp(a, b) == 0) {",
    "x = strcasecmp(a, b) ? 1 : 2;",
    "for (i = 0; strcmp(a, b); i++) {",
    "return x ||\n    strcmp(a, b);",
]


def lint(directory, text):
    (directory / "tools").mkdir(exist_ok=True)
    enough = "int x = strcmp(a, b) == 0;\n" * 100
    (directory / "tools/a.c").write_text(text)
    (directory / "tools/enough.h").write_text(enough)
    done = subprocess.run([LINT, directory], capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def test_what_is_compared_and_orders_pass(tmp_path):
    assert lint(tmp_path, SOUND) == (0, [])


def test_each_truth_is_named_with_its_line(tmp_path):
    lines = "\n".join(FLAWED).split("\n")
    calls = [i + 1 for i, line in enumerate(lines) if "cmp(" in line]
    rc, said = lint(tmp_path, "\n".join(lines))
    assert rc == 1
    assert [int(one.split(":")[1]) for one in said] == calls


def test_what_looks_at_nothing_fails(tmp_path):
    done = subprocess.run([LINT, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "the check is broken" in done.stderr
