# SPDX-License-Identifier: Apache-2.0
"""tests/lint/parameters.sh counts the parameters of every function, wherever it stands."""

import pathlib
import subprocess

import pytest

LINT = pathlib.Path(__file__).parents[1] / "lint" / "parameters.sh"
FEW = "\n".join(f"int few_{i}(int a, int b, int c, int d, int e);" for i in range(1000))


FILES = ["mod_whatsapp/base/a.h", "tools/a.c", "tests/unit/a.c"]


def lint(directory, text):
    for path, content in (("tools/few.h", FEW), *((file, text) for file in FILES)):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(content + "\n")
    done = subprocess.run([LINT, directory], capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "int f(int a, int b, int c, int d, const char *format, ...);",
        "int f(void) { return g(1, 2, 3, 4, 5, 6); }",
        "int f(int a)\n{\n    struct { int x; } s = {g(1, 2, 3, 4, 5, 6)};\n    return s.x;\n}",
        "/* int f(int a, int b, int c, int d, int e, int g) */",
        'const char *s = "f(a, b, c, d, e, g)";',
        "#define F(a, b, c, d, e, g) \\\n    (h(a, b, c, \\\n       d, e, g))",
        "char brace = '{', other = '\\'';",
        "int f(int (*a)(int, int, int, int, int), int b, int c);",
    ],
)
def test_five_and_what_is_no_function_pass(tmp_path, text):
    assert lint(tmp_path, text) == (0, [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("int f(int a, int b, int c, int d, int e, int g);", 1),
        ("int f(int a, int b, int c, int d, int e, int g, ...);", 1),
        ("\nstatic int f(int a, int b,\n             int c, int d, int e, int g)\n{\n}", 2),
        ("typedef int (*f)(int a, int b, int c, int d, int e, int g);", 1),
        ("typedef struct t {\n    int (*f)(int a, int b, int c, int d, int e, int g);\n} t;", 2),
        (
            "struct t {\n  union {\n  int a; } u;\n  int (*f)(int, int, int, int, int, int);\n};",
            4,
        ),
        ("int g(int (*f)(int, int, int, int, int, int));", 1),
        ("int one(void) { return '}' + 1; } int f(int a, int b, int c, int d, int e, int g);", 1),
    ],
)
def test_more_are_named_with_their_place(tmp_path, text, line):
    said = [f"{file}:{line}: f has 6 parameters, 5 at most" for file in FILES]
    assert lint(tmp_path, text) == (1, said)


def test_what_looks_at_nothing_fails(tmp_path):
    (tmp_path / "tools").mkdir()
    done = subprocess.run([LINT, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "the check is broken" in done.stderr
