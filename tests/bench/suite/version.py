# SPDX-License-Identifier: Apache-2.0
"""Builds of the module that are measured: this tree's, and another one beside it."""

import dataclasses
import pathlib
import shutil
import subprocess

from .load import HERE

ROOT = HERE.parents[1]


class VersionError(Exception):
    """There is no such build."""


@dataclasses.dataclass
class Version:
    """A build: its module, and the program that fills a store as that module reads it."""

    name: str
    module: pathlib.Path
    fill: pathlib.Path
    about: str


def _make(tree, build, *targets):
    subprocess.run(["make", "-s", "-j2", "-C", tree, f"BUILD={build}", *targets], check=True)


def ours(build):
    """This tree's, built anew where it is older than its sources."""
    _make(ROOT, build, f"{build}/mod_whatsapp.so", "lib")
    _make(HERE, build, "fill")
    return Version("module", build / "mod_whatsapp.so", build / "wa-fill", "this tree")


def _commit(name):
    """The full name of a commit, None when there is no such one."""
    command = ["git", "-C", ROOT, "rev-parse", "--quiet", "--verify", "--end-of-options"]
    found = subprocess.run([*command, f"{name}^{{commit}}"], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def _checkout(commit, below):
    """A build directory of that commit, in a tree of its own below `below`."""
    tree = below / commit
    if not (tree / "Makefile").exists():
        tree.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", commit], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    _make(tree, tree / "build", "all", "lib")
    return tree / "build"


def other(against, ours_fill, below):
    """The build that `against` names: a build directory, a mod_whatsapp.so or a commit. A
    directory is taken as it is; only the program that fills a store is made there, from the tree
    that it lies in."""
    path = pathlib.Path(against).resolve()
    about = against
    commit = None if path.exists() else _commit(against)
    if commit:
        path, about = _checkout(commit, below), commit[:12]
    if path.is_file():
        module, build = path, path.parent
    else:
        module, build = path / "mod_whatsapp.so", path
    if not module.is_file():
        raise VersionError(f"{against} is no build directory, no mod_whatsapp.so and no commit")
    bench = build.parent / "tests" / "bench"
    if (bench / "Makefile").exists() and (build / "libwa.a").exists():
        _make(bench, build, "fill")
    fill = build / "wa-fill"
    # One that nothing can be made for reads what ours fills, or says that it does not.
    return Version("other", module, fill if fill.exists() else ours_fill, about)


def copied(version, where):
    """The same, from a copy: a build that goes on meanwhile changes nothing."""
    module = shutil.copy(version.module, where / f"{version.name}.so")
    fill = shutil.copy(version.fill, where / f"{version.name}-fill")
    return dataclasses.replace(version, module=module, fill=fill)
