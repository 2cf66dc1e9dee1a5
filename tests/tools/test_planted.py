# SPDX-License-Identifier: Apache-2.0
"""What the directory's owner may have planted in it: root follows none of it, neither in httpd nor
in whatsappctl, and says what it found."""

import os
import socket
import shutil
import stat

import pytest

from conftest import ACCOUNT, ctl, dump, files_of, give_to_server, server_user
from support.httpd import program

FILES = [
    "lock",
    "rows",
    "times",
    "keys.0",
    "keys.1",
    "journal",
    "CURRENT",
    "CURRENT.new",
    "state-1",
    "state-1.pag",
    "state-9.dir",
    "__db.state-2",
    "damaged-4096",
    "journal.before-compact",
    "journal.before-retime",
    "journal.new",
]
DIRECTORIES = ["compact.new", "load.new", "retime.new"]
KINDS = [
    "link",
    "link to nothing",
    "link to a directory",
    "hard link",
    "pipe",
    "socket",
    "directory",
    "file of another",
]
COMMANDS = [
    ["stats"],
    ["verify"],
    ["rebuild"],
    ["dump"],
    ["load", "-"],
    ["load", "-", "--dry-run"],
    ["compact"],
    ["compact", "--delete"],
    ["retime"],
    ["backup"],
]


def is_root():
    return os.geteuid() == 0


def owner():
    """Whose the store is: not root, where the tests are root's."""
    return (
        (server_user().pw_uid, server_user().pw_gid) if is_root() else (os.geteuid(), os.getegid())
    )


class Victim:
    """Root's things beside the store, which nobody may touch."""

    def __init__(self, directory):
        self.directory = directory / "of root"
        self.directory.mkdir()
        self.file = self.directory / "shadow"
        self.file.write_text("root:secret\n")
        self.file.chmod(0o640)
        self.missing = self.directory / "missing"
        self.before = self.look()

    def look(self):
        found = {}
        for path in [self.directory, *sorted(self.directory.rglob("*"))]:
            info = path.lstat()
            found[path.name] = (
                info.st_uid,
                info.st_gid,
                info.st_mode,
                info.st_size,
                path.read_bytes() if path.is_file() else b"",
            )
        return found


def plant(store, name, kind, victim):
    """Puts it there as the directory's owner would. @return False where this user cannot"""
    path = store / name
    if path.is_dir() and not path.is_symlink():
        return False
    if path.exists() or path.is_symlink():
        path.unlink()
    if kind == "link":
        path.symlink_to(victim.file)
    elif kind == "link to nothing":
        path.symlink_to(victim.missing)
    elif kind == "link to a directory":
        path.symlink_to(victim.directory)
    elif kind == "hard link":
        os.link(victim.file, path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_text("another's")
    if is_root() and kind not in ("hard link", "file of another"):
        os.lchown(path, *owner())
    return True


def planted(name, kind):
    """What is right for this name is no plant; a hard link and a stranger's file are only a
    stranger's where there is one."""
    return not (name in DIRECTORIES and kind == "directory") and (
        is_root() or kind != "file of another"
    )


CASES = [(name, kind) for name in FILES + DIRECTORIES for kind in KINDS if planted(name, kind)]


@pytest.fixture
def victim(directory):
    made = Victim(directory)
    yield made
    assert made.look() == made.before


@pytest.mark.parametrize("name, kind", CASES)
def test_no_command_touches_what_is_planted(filled, directory, victim, name, kind):
    assert plant(filled, name, kind, victim)
    before = {path.name: path.lstat()[:7] for path in filled.iterdir()}
    for words in COMMANDS:
        more = [directory / "copy"] if words == ["backup"] else []
        result = ctl(*words, *more, store=filled, stdin="", expect=2)
        assert f"{filled}/{name} " in result.err and "is not touched" in result.err, result
        assert not (directory / "copy").exists()
    assert {path.name: path.lstat()[:7] for path in filled.iterdir()} == before
    assert victim.look() == victim.before


@pytest.mark.parametrize("kind", KINDS[:3] + KINDS[4:6])
def test_httpd_does_not_start_on_what_is_planted(filled, victim, serve, kind):
    """One name after the other, in one store that is sound but for it."""
    for name in FILES + DIRECTORIES:
        saved = (filled / name).read_bytes() if (filled / name).is_file() else None
        assert plant(filled, name, kind, victim)
        with pytest.raises(AssertionError) as stopped:
            serve(filled).start()
        assert "WA0121" in str(stopped.value) and f"{filled}/{name} " in str(stopped.value)
        assert victim.look() == victim.before, name
        (filled / name).unlink()
        if saved is not None:
            (filled / name).write_bytes(saved)
            (filled / name).chmod(0o600)
            give_to_server(filled)
    with serve(filled):
        assert program()


def test_what_is_planted_under_a_running_server_is_not_followed_at_its_end(
    filled, victim, serve, fresh
):
    """Nothing of this is root's: not the checkpoint at the stop, nor the cutting of the journal."""
    with serve(filled) as server:
        server.claim("WA04*", required=False)
        server.client().receive(fresh.number(), fresh.text(), fresh.sid())
        numbers = [int(p.name[6:].split(".")[0]) for p in filled.glob("state-*")]
        for number in range(max(numbers) + 1, max(numbers) + 4):
            for name in (f"state-{number}", f"state-{number}.pag", f"state-{number}.dir"):
                plant(filled, name, "link to nothing", victim)
        plant(filled, "CURRENT.new", "link", victim)
        plant(filled, "CURRENT", "link", victim)
        server.stop()
    assert victim.look() == victim.before


def test_all_of_a_store_is_its_owners_after_a_life(filled, directory, serve, fresh):
    """Whoever started it, nothing that root made stays root's."""
    with serve(directory / "new") as server:
        server.client().receive(fresh.number(), fresh.text(), fresh.sid())
    for words in (["rebuild"], ["compact"], ["load", "-"]):
        ctl(*words, store=directory / "new", stdin="")
    ctl("backup", directory / "copy", store=directory / "new")
    for store in (directory / "new", directory / "copy"):
        for path in [store, *store.iterdir()]:
            info = path.lstat()
            assert (info.st_uid, info.st_gid) == owner() and not info.st_mode & 0o077, path


def test_a_work_directory_with_links_is_emptied_of_the_links_only(filled, victim):
    (filled / "compact.new").mkdir()
    (filled / "compact.new" / "journal").symlink_to(victim.file)
    (filled / "compact.new" / "state-1").symlink_to(victim.directory)
    give_to_server(filled)
    ctl("compact", store=filled)
    assert not (filled / "compact.new").exists() and victim.look() == victim.before


def test_a_dry_run_removes_nothing(filled):
    (filled / "load.new").mkdir()
    (filled / "load.new" / "mine").write_text("x")
    give_to_server(filled)
    assert (
        "a dry run removes nothing"
        in ctl("load", "-", "--dry-run", store=filled, stdin="", expect=2).err
    )
    assert (filled / "load.new" / "mine").read_text() == "x"


def test_a_compact_that_was_killed_between_its_two_names_heals(filled):
    os.link(filled / "journal", filled / "journal.before-compact")
    text = ctl("dump", store=filled).out
    ctl("rebuild", store=filled)
    assert (
        not (filled / "journal.before-compact").exists() and ctl("dump", store=filled).out == text
    )


@pytest.mark.parametrize(
    "names",
    [["journal.before-retime"], ["journal.before-compact", "journal.before-retime"]],
    ids=len,
)
def test_killed_rewrites_one_after_the_other_heal(filled, names):
    """Each leaves the journal one more name when it is killed before its rename; the next takes
    them away before it begins."""
    for name in names:
        os.link(filled / "journal", filled / name)
    text = ctl("dump", store=filled).out
    ctl("compact", store=filled)
    assert ctl("stats", store=filled).status == 0 and ctl("dump", store=filled).out == text
    assert (filled / "journal").stat().st_nlink == 1 and not (
        filled / "journal.before-retime"
    ).exists()


def test_two_kept_journals_that_are_one_file_heal(filled):
    os.link(filled / "journal", filled / "journal.before-compact")
    (filled / "journal").write_bytes((filled / "journal").read_bytes())
    os.rename(filled / "journal.before-compact", filled / "kept")
    shutil.copy2(filled / "kept", filled / "journal.before-compact")
    os.unlink(filled / "kept")
    os.link(filled / "journal.before-compact", filled / "journal.before-retime")
    give_to_server(filled)
    assert ctl("stats", store=filled).status == 0
    ctl("rebuild", store=filled)
    assert sum(path.name.startswith("journal.before-") for path in filled.iterdir()) == 1


def test_a_dump_goes_nowhere_by_a_strangers_link(filled, directory):
    if not is_root():
        assert ctl("stats", store=filled).status == 0
        return
    victim, place = directory / "victim", directory / "place of www-data"
    victim.mkdir(mode=0o700)
    (victim / "data").write_text("root's")
    (victim / "data.part").write_text("root's, too")
    place.mkdir()
    (place / "out").symlink_to(victim)
    owner = filled.stat()
    for path in (place, place / "out"):
        os.lchown(path, owner.st_uid, owner.st_gid)
    ctl("dump", "--output", place / "out" / "data", store=filled, expect=2)
    assert (victim / "data").read_text() == "root's" and (
        victim / "data.part"
    ).read_text() == "root's, too"


def test_a_directory_with_roots_group_gives_nobody_roots_group(filled, directory):
    if not is_root():
        assert ctl("stats", store=filled).status == 0
        return
    os.chown(filled, -1, 0)
    ctl("rebuild", store=filled)
    assert {
        path.stat().st_gid
        for path in filled.iterdir()
        if path.stat().st_uid == filled.stat().st_uid
    } != {0}
    for name in ("rows", "times", "CURRENT"):
        assert (filled / name).stat().st_gid != 0, name


def test_a_store_whose_path_only_root_may_go(filled, directory):
    """Root's own place for backups: everything works there, as the copy's owner."""
    place = directory / "private"
    place.mkdir(mode=0o700)
    ctl("backup", place / "copy", store=filled)
    again = ctl("backup", place / "again", store=place / "copy")
    assert f"in {place}/again" in again.err
    assert f"store        {place}/copy" in ctl("stats", store=place / "copy").out
    assert ctl("verify", store=place / "again").out.endswith("sound\n")
    ctl("dump", "--output", place / "dump", store=place / "again")
    assert (place / "dump").stat().st_uid == os.geteuid() and stat.S_IMODE(
        (place / "dump").stat().st_mode
    ) == 0o600
    assert len((place / "dump").read_text().splitlines()) == len(dump(filled))
    for words in (["compact"], ["rebuild"], ["load", "-"]):
        ctl(*words, store=place / "again", stdin="")
    for path in [place / "again", *(place / "again").iterdir()]:
        assert path.stat().st_uid == filled.stat().st_uid


def test_a_directory_under_a_strangers_link_is_not_entered(filled, directory):
    """A directory that its owner may replace leads root nowhere."""
    if not is_root():
        assert ctl("stats", store=filled).status == 0
        return
    place = directory / "of www-data"
    place.mkdir()
    root = directory / "root's"
    root.mkdir()
    (place / "store").symlink_to(root)
    for path in (place, place / "store"):
        os.lchown(path, *owner())
    for words in (
        ["load", "-", "--account-sid", ACCOUNT],
        ["load", "-", "--account-sid", ACCOUNT, "--user", server_user().pw_name],
    ):
        ctl(*words, store=place / "store", stdin="", expect=2)
        assert files_of(root) == {} and root.stat().st_uid == 0
