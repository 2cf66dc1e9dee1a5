# SPDX-License-Identifier: Apache-2.0
"""tests/lint/docs.sh finds what documents and comments name and the tree does not have."""

import pathlib
import subprocess

import pytest

LINT = pathlib.Path(__file__).parents[1] / "lint" / "docs.sh"

NOTE = "/* {} */\n"
CODE = """/* SPDX-License-Identifier: Apache-2.0 */
/* What a {noun} is (docs/GUIDE.md section 1). See base/thing_1.h and wa_{noun}_make. */
#include "base/{noun}.h"

/* A "string" with slashes is no comment: */
static const char *const text = "/* wa_nowhere_at_all in nowhere/gone.c */";

static int {noun}_count(int a,
                        int b)
{{
    return a + b + text[0];
}}

int wa_{noun}_make(int a)
{{
    return {noun}_count(a, 1) /* as wa_{noun}_make(), of thing_1.c, does */;
}}
"""
GUIDE = """# Guide

## 1. What there is

`base/thing_1.c` has `wa_thing_1_make`; first thing_1.c:wa_thing_1_make, then
base/thing_2.c:thing_2_count.
More in mod_whatsapp/base/, docs/GUIDE.md section 1.1 ([more](GUIDE.md#11-more)),
<a id="x"></a>[x](#x), RFC 9562 section 4 and POSIX section 2, `thing_1_count`
(https://example.org/gone.c). A test is a file tests/NAME.sh; wa_thing_* are functions,
/api/whatsapp-messenger is a path of URLs, build/made.c is made.

### 1.1 More
"""


def sound(directory):
    """A tree of which everything that is named is there."""
    for i in range(25):
        noun = f"thing_{i}"
        write(directory, f"mod_whatsapp/base/{noun}.c", CODE.format(noun=noun))
        write(directory, f"mod_whatsapp/base/{noun}.h", f"int wa_{noun}_make(int a);\n")
    for name in ("GUIDE", "A", "BE", "CEE", "DEE"):
        write(directory, f"docs/{name}.md", GUIDE)
    write(directory, "tools/tool.c", "int main(void)\n{\n    return 0;\n}\n")
    write(directory, "tests/one.sh", "# Shows what docs/GUIDE.md section 1 says.\n")
    return directory


def write(directory, name, text):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lint(directory):
    return subprocess.run([LINT, directory], capture_output=True, text=True)


def test_a_tree_that_has_what_is_named_passes(tmp_path):
    done = lint(sound(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("docs/NEW.md", "It is in `base/gone.c`.", "base/gone.c"),
        ("docs/NEW.md", "It is in gone.c.", "gone.c"),
        ("docs/NEW.md", "It is in `mod_whatsapp/gone/`.", "mod_whatsapp/gone/"),
        ("docs/NEW.md", "Run tests/gone now.", "tests/gone"),
        ("docs/NEW.md", "`wa_gone_make` makes it.", "wa_gone_make"),
        ("docs/NEW.md", "All of wa_gone_*.", "wa_gone_"),
        ("docs/NEW.md", "At most WA_GONE_MAX.", "WA_GONE_MAX"),
        ("docs/NEW.md", "The member `gone_ms` of a thing.", "gone_ms"),
        ("docs/NEW.md", "See [more](#gone).", "#gone"),
        ("docs/NEW.md", "See [more](GUIDE.md#2-gone).", "#2-gone"),
        # a file that is there, without that function; a function that another file has
        ("docs/NEW.md", "First thing_1.c:thing_2_count.", "thing_2_count is not defined"),
        ("docs/NEW.md", "First base/gone.c:thing_2_count.", "thing_2_count is not defined"),
        ("docs/NEW.md", "See GUIDE.md section 7.", "section 7"),
        ("docs/NEW.md", "See GUIDE.md sections 1 and 1.2.", "section 1.2"),
        ("docs/NEW.md", "See [this](GONE.md).", "GONE.md"),
        ("mod_whatsapp/base/new.c", NOTE.format("The other half of wa_gone_make."), "wa_gone_make"),
        ("mod_whatsapp/base/new.c", "int a; // As gone.h says.\n", "gone.h"),
        ("mod_whatsapp/base/new.c", NOTE.format("As docs/GONE.md says."), "GONE.md"),
        ("mod_whatsapp/base/new.c", NOTE.format("As said\n * (GONE.md\n * section 2)."), "GONE.md"),
        ("mod_whatsapp/base/new.c", NOTE.format("By GONE section 2."), "section of GONE"),
        ("mod_whatsapp/base/new.h", NOTE.format("GUIDE.md, section 4"), "section 4"),
        ("tools/new.c", NOTE.format("See tools/gone.h."), "tools/gone.h"),
        ("tests/new.py", "# The table of GONE.md\n", "GONE.md"),
        ("tests/new.json", '{"note": "printed in GONE.md"}\n', "GONE.md"),
        ("conf/new.conf", "# docs/GONE.md says more\n", "GONE.md"),
        ("README.md", "See docs/GONE.md.\n", "GONE.md"),
    ],
)
def test_what_is_not_there_is_named_with_its_place(tmp_path, file, text, said):
    write(sound(tmp_path), file, text)
    done = lint(tmp_path)
    assert done.returncode == 1
    assert all(line.startswith(f"{file}:1: ") for line in done.stderr.splitlines()), done.stderr
    assert said in done.stderr


def test_what_is_renamed_is_missed_everywhere(tmp_path):
    sound(tmp_path)
    (tmp_path / "mod_whatsapp/base/thing_1.c").rename(tmp_path / "mod_whatsapp/base/other.c")
    (tmp_path / "docs/GUIDE.md").rename(tmp_path / "docs/OTHER.md")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "docs/A.md:5: names base/thing_1.c" in done.stderr
    assert "mod_whatsapp/base/thing_2.c:2: cites GUIDE.md" in done.stderr
    assert "tests/one.sh:1: cites GUIDE.md" in done.stderr


def test_nothing_to_check_is_no_success(tmp_path):
    write(tmp_path, "docs/A.md", "# Nothing\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "the check is broken" in done.stderr
