# SPDX-License-Identifier: Apache-2.0
"""tests/lint/cycles.sh finds what leads back to where it came from, and only that."""

import os
import pathlib
import subprocess

import pytest

LINT = pathlib.Path(__file__).parents[1] / "lint" / "cycles.sh"


def tree(directory, uses):
    """A source for each file, that defines one function and uses those of others, and its
    object."""
    for file, others in uses.items():
        source = directory / file
        source.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"int {name(other)}(void);" for other in others]
        lines.append(
            f"int {name(file)}(void) "
            f"{{ return 1{''.join(f' + {name(other)}()' for other in others)}; }}"
        )
        source.write_text("\n".join(lines) + "\n")
        made = directory / "build/obj" / file.replace(".c", ".o")
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [*os.environ.get("CC", "cc").split(), "-c", "-O0", "-o", made, source], check=True
        )
    return directory


def name(file):
    return file.removesuffix(".c").replace("/", "_")


def lint(directory):
    return subprocess.run(
        [LINT, directory], capture_output=True, text=True, env={**os.environ, "BUILD": "build"}
    )


# Every file uses what stands below it: the one order that this has leads nowhere back.
SOUND = {
    "mod_whatsapp/base/a.c": [],
    "mod_whatsapp/base/b.c": ["mod_whatsapp/base/a.c"],
    "mod_whatsapp/store/c.c": ["mod_whatsapp/base/a.c", "mod_whatsapp/base/b.c"],
    "mod_whatsapp/store/dbm/d.c": ["mod_whatsapp/base/a.c", "mod_whatsapp/base/b.c"],
    "tools/e.c": ["mod_whatsapp/store/c.c", "mod_whatsapp/store/dbm/d.c", "mod_whatsapp/base/a.c"],
}


def test_what_goes_one_way_passes(tmp_path):
    done = lint(tree(tmp_path, SOUND))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("file", "back"),
    [
        ("mod_whatsapp/base/a.c", "mod_whatsapp/base/b.c"),  # two files of one directory
        ("mod_whatsapp/base/a.c", "tools/e.c"),  # through all of them
        ("mod_whatsapp/store/c.c", "tools/e.c"),
    ],
)
def test_a_cycle_of_files_is_named_with_its_symbols(tmp_path, file, back):
    done = lint(tree(tmp_path, {**SOUND, file: [*SOUND[file], back]}))
    assert done.returncode == 1
    assert "files:" in done.stderr.splitlines()[0]
    assert f"  {file} -> {back}: {name(back)}\n" in done.stderr
    assert (
        "mod_whatsapp/store/dbm/d.c -> mod_whatsapp/base" not in done.stderr or back == "tools/e.c"
    )


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("mod_whatsapp/store", "mod_whatsapp/store/dbm"),
        ("mod_whatsapp/store", "mod_whatsapp/base"),
        ("mod_whatsapp", "tools"),
    ],
)
def test_directories_that_know_each_other_are_named_though_no_file_does(tmp_path, above, below):
    more = {
        f"{above}/x.c": [f"{below}/y.c"],
        f"{below}/y.c": [],
        f"{below}/z.c": [f"{above}/w.c"],
        f"{above}/w.c": [],
    }
    done = lint(tree(tmp_path, {**SOUND, **more}))
    assert done.returncode == 1
    assert " files:" not in done.stderr
    assert "a cycle of 2 directories:" in done.stderr
    assert f"{name(below + '/y.c')} ({above}/x.c)" in done.stderr
    assert f"{name(above + '/w.c')} ({below}/z.c)" in done.stderr


def test_an_object_that_is_not_there_and_one_without_its_source(tmp_path):
    tree(tmp_path, {**SOUND, "mod_whatsapp/base/a.c": ["mod_whatsapp/base/b.c"]})
    (tmp_path / "mod_whatsapp/base/b.c").unlink()
    assert "cycle of" not in lint(tmp_path).stderr  # what was removed makes no cycle
    (tmp_path / "build/obj/mod_whatsapp/base/a.o").unlink()
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "a.o is not built" in done.stderr


def test_nothing_to_check_is_no_success(tmp_path):
    done = lint(tree(tmp_path, {"mod_whatsapp/base/a.c": [], "tools/e.c": []}))
    assert done.returncode == 1
    assert "the check is broken" in done.stderr
