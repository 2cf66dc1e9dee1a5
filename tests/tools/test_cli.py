# SPDX-License-Identifier: Apache-2.0
"""The command line: help, mistakes, exit codes, locks, and the bar on a terminal."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import tempfile

import pytest

from conftest import ACCOUNT, PROGRAM, ctl, files_of

COMMANDS = ["stats", "verify", "rebuild", "dump", "load", "backup", "compact", "retime"]


def test_help_names_every_command():
    said = ctl("--help").out
    assert re.findall(r"^  ([a-z]+)  ", said, re.M) == COMMANDS
    for command in COMMANDS:
        told = ctl(command, "--help").out
        assert told.startswith("usage: whatsappctl") and f" {command}" in told.splitlines()[0]


def test_version():
    assert re.fullmatch(r"whatsappctl \d+\.\d+\.\d+\n", ctl("--version").out)


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["polish"], "there is no command 'polish'"),
        (["--polish"], "there is no option --polish"),
        (["stats", "--polish"], "there is no option --polish"),
        (["stats", "more"], "'more' is one argument too many"),
        (["backup", "a", "b"], "'b' is one argument too many"),
        (["dump", "--output"], "--output needs a value"),
        (["--store"], "--store needs a value"),
        (["stats", "--json=yes"], "--json takes no value"),
        (["stats", "--quiet=yes"], "--quiet takes no value"),
        (["stats", "--polish=very"], "there is no option --polish here"),
        (["stats", "-x"], "there is no option -x here"),
        (["stats", "--", "--json"], "'--json' is one argument too many"),
        (["stats", "-"], "'-' is one argument too many"),
        (["--json", "stats"], "there is no option --json;"),
        (["-", "stats"], "there is no command '-'"),
        (["backup"], "backup needs the directory"),
        (["load"], "load needs the file"),
        (["load", "x", "--account-sid", "AC1"], "--account-sid must be AC and 32 hex digits"),
        (
            ["load", "x", "--account-sid", ACCOUNT, "--user", "no such"],
            "there is no user 'no such'",
        ),
    ],
)
def test_mistakes_are_named(directory, words, sentence):
    store = [] if "--store" in words else ["--store", directory / "store"]
    result = ctl(*store, *words, expect=2)
    assert sentence in result.err and result.out == "", result
    assert not (directory / "store").exists()


def test_options_stand_where_they_are_typed(filled):
    wanted = ctl("stats", "--json", store=filled).out
    for words in (
        ["stats", f"--store={filled}", "--json"],
        ["-q", "stats", "--json", "--store", filled],
        ["--store", "/nothing", "stats", "--json", "--store", filled, "-q"],
        [f"--store={filled}", "--", "stats", "--json"],
    ):
        assert ctl(*words).out == wanted


@pytest.mark.parametrize(
    "words", [["--version"], ["stats", "--version"], ["load", "x", "--dry-run", "--version"]]
)
def test_what_is_only_asked_needs_no_store(words):
    assert ctl("--store", "/nothing", *words).out == ctl("--version").out
    assert ctl(*words[:-1], "-h").out.startswith("usage: whatsappctl")


def test_no_command_shows_the_usage():
    assert "usage: whatsappctl" in ctl(expect=2).err


@pytest.mark.parametrize(
    "words",
    [["stats"], ["verify"], ["rebuild"], ["dump"], ["backup", "to"], ["compact"], ["retime"]],
)
def test_no_store_is_said_and_none_is_made(directory, words):
    for store in (directory / "nothing", directory):
        result = ctl(*words[:1], *[directory / w for w in words[1:]], store=store, expect=2)
        assert f"there is no store in {store}" in result.err
    assert list(directory.iterdir()) == []


def test_a_file_that_is_no_journal_is_refused(directory):
    (directory / "journal").write_bytes(b"something else" * 1000)
    for command in ("stats", "verify", "dump", "rebuild", "compact", "retime"):
        assert "is not a journal of mod_whatsapp" in ctl(command, store=directory, expect=2).err
    assert (directory / "journal").read_bytes() == b"something else" * 1000


@pytest.mark.parametrize("how", ["{}", "dbm:{}", "dbm:{} type=sdbm", "{}/", "{}/../store"])
def test_the_store_may_be_named_in_several_ways(filled, how):
    assert "messages     2000 in 7 threads" in ctl("stats", store=how.format(filled)).out


def test_a_relative_directory(filled):
    done = subprocess.run(
        [PROGRAM, "--store", filled.name, "stats"],
        cwd=filled.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and f"store        {filled}" in done.stdout


def test_other_drivers_and_arguments_are_refused(filled):
    assert "not known" in ctl("rebuild", store=f"dbm:{filled} size=3", expect=2).err
    assert "type=x is not known" in ctl("rebuild", store=f"dbm:{filled} type=x", expect=2).err


@pytest.mark.parametrize("words", [["rebuild"], ["load", "-"], ["compact"], ["retime"]])
def test_a_store_in_use_is_left_alone(lived, serve, words):
    with serve(lived) as server:
        api = server.client()
        before = api.threads()
        result = ctl(*words, store=lived, stdin="", expect=2)
        assert "in use by a server or another tool: stop httpd" in result.err
        assert api.threads() == before
    assert not {"load.new", "compact.new", "retime.new"} & set(files_of(lived))


TIOCSPTLCK, TIOCGPTPEER = 0x40045431, 0x5441


@contextlib.contextmanager
def terminal():
    """Both sides of a terminal; in a bare chroot without /dev/pts those of one mounted for it."""
    with contextlib.ExitStack() as stack:
        try:
            ours, theirs = pty.openpty()
        except OSError:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            subprocess.run(
                ["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", directory],
                check=True,
            )
            stack.callback(subprocess.run, ["umount", directory], check=True)
            ours = os.open(os.path.join(directory, "ptmx"), os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(ours, TIOCSPTLCK, struct.pack("i", 0))
            theirs = fcntl.ioctl(ours, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        stack.callback(os.close, ours)
        yield ours, theirs


def test_the_bar_is_for_terminals(filled):
    with terminal() as (ours, theirs):
        done = subprocess.run(
            [PROGRAM, "--store", filled, "verify"], stdout=subprocess.PIPE, stderr=theirs, text=True
        )
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
    assert done.returncode == 0 and done.stdout.endswith("sound\n")
    assert re.search(r"reading \[#* *\] +\d+%", shown) and shown.endswith("\r\x1b[K")
    assert ctl("verify", store=filled).err == ""


def test_quiet_says_only_what_was_asked_for(filled, directory):
    assert ctl("backup", directory / "b", store=filled).err != ""
    assert ctl("--quiet", "backup", directory / "c", store=filled).err == ""
    result = ctl("dump", "--quiet", store=filled)
    assert result.err == "" and result.out.count("\n") == 2027


def test_output_that_cannot_be_written_fails(filled):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [PROGRAM, "--store", filled, "dump"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2 and "No space left" in done.stderr
