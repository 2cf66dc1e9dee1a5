# SPDX-License-Identifier: Apache-2.0
"""configtest refuses exactly when a start does: for each kind of damage to a store's directory
configtest, start and reload are asked, as the user that runs the tests; as root with a store that
is the server user's."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess

import pytest

from config_support import ask, httpd_with
from support.conditions import wait_until
from support.httpd import server_user
from test_config_reload import (
    API,
    CONTACT,
    IS_ROOT,
    REFUSED,
    can_mount,
    control,
    is_unavailable,
    messenger,
    processes,
    receive,
    reload,
    site,
    store,
)

# What a start finds, mends and says.
REPAIRS = ["WA0456", "WA0430", "WA0431", "WA0432", "WA0434", "WA0435", "WA0420"]
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root has a store that is another's")


def parent(httpd):
    return httpd.directory / "parent"


def own(path, uid=None, gid=None):
    if IS_ROOT:
        os.lchown(
            path,
            server_user().pw_uid if uid is None else uid,
            server_user().pw_gid if gid is None else gid,
        )


def chmod(name, bits):
    def damage(httpd):
        path = store(httpd) / name
        path.touch()
        own(path)
        path.chmod(bits)

    return damage


def chattr(name, flag):
    """Undone when the test ends, or its directory could not be removed."""

    def damage(httpd):
        path = parent(httpd) if name == ".." else store(httpd) / name
        subprocess.run(["chattr", f"+{flag}", path], check=True)
        httpd.undo.callback(
            subprocess.run,
            ["chattr", "-R", f"-{flag}", httpd.directory],
            check=False,
            capture_output=True,
        )

    return damage


def can_chattr(directory="/tmp"):
    path = pathlib.Path(directory) / f"wa-chattr-{os.getpid()}"
    path.touch()
    try:
        if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode != 0:
            return False
        subprocess.run(["chattr", "-i", path], check=True)
        return True
    finally:
        path.unlink()


def cut(name, size):
    return lambda httpd: os.truncate(store(httpd) / name, size)


def gone(*names):
    def damage(httpd):
        for name in names:
            for path in store(httpd).glob(name):
                path.unlink()

    return damage


def zeros(name, begin, length):
    def damage(httpd):
        with open(store(httpd) / name, "r+b") as file:
            file.seek(begin)
            file.write(bytes(length))

    return damage


def both(*damages):
    def damage(httpd):
        for each in damages:
            each(httpd)

    return damage


def linked(httpd):
    """The way leads through a link into a directory of root's alone."""
    closed = httpd.directory / "closed"
    closed.mkdir(mode=0o700)
    shutil.move(parent(httpd), closed / "parent")
    parent(httpd).symlink_to(closed / "parent")


def link_in_closed(httpd):
    closed = httpd.directory / "closed"
    closed.mkdir(mode=0o700)
    (closed / "link").symlink_to(store(httpd))
    mine = httpd.configure
    httpd.configure = lambda made: mine(made).replace("/parent/store", "/closed/link")


def away(httpd):
    store(httpd).rename(httpd.directory / "away")


def new_store(bits=0o755, uid=0, gid=0):
    """There is none yet, in a directory of that mode and owner."""

    def damage(httpd):
        away(httpd)
        parent(httpd).chmod(bits)
        own(parent(httpd), uid, gid)

    return damage


def full(*first):
    """A small file system, full when the store is in it and the damage is done."""

    def damage(httpd):
        directory = httpd.directory / "small"
        shutil.move(parent(httpd), directory)
        parent(httpd).mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=40m,mode=0755", "none", parent(httpd)], check=True
        )
        httpd.undo.callback(subprocess.run, ["umount", "-l", parent(httpd)], check=True)
        shutil.copytree(directory / "store", store(httpd), copy_function=shutil.copy2)
        for path in (store(httpd), *store(httpd).iterdir()):
            own(path)
        store(httpd).chmod(0o700)
        for each in first:
            each(httpd)
        with contextlib.suppress(OSError), open(
            parent(httpd) / "filler", "wb", buffering=0
        ) as filler:
            while filler.write(bytes(4096)):
                pass

    return damage


def no_inodes(httpd):
    full()(httpd)
    (parent(httpd) / "filler").unlink()
    (store(httpd) / "keys.0").unlink()
    subprocess.run(["mount", "-o", "remount,nr_inodes=20", parent(httpd)], check=True)
    with contextlib.suppress(OSError):
        for number in range(100):
            (parent(httpd) / f"f{number}").touch()


def read_only(path):
    def damage(httpd):
        subprocess.run(["mount", "--bind", path(httpd), path(httpd)], check=True)
        httpd.undo.callback(subprocess.run, ["umount", "-l", path(httpd)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", path(httpd)], check=True)

    return damage


DERIVED = ("rows", "times", "keys.*", "CURRENT", "state-*")

# name: (what is done to the store of a server that was stopped, whether it is refused)
DAMAGES = {
    "nothing": (lambda httpd: None, False),
    "the journal may not be opened": (chmod("journal", 0), True),
    "the journal may only be read": (chmod("journal", 0o400), True),
    "the journal may only be written": (chmod("journal", 0o200), True),
    "the lock may not be opened": (chmod("lock", 0), True),
    "the lock may only be read": (chmod("lock", 0o400), True),
    "rows may not be opened": (chmod("rows", 0), True),
    "times may only be read": (chmod("times", 0o400), True),
    "keys.0 may only be read": (chmod("keys.0", 0o400), True),
    "keys.7 may not be opened": (chmod("keys.7", 0), True),
    "CURRENT may not be opened": (chmod("CURRENT", 0), False),
    "what was set aside is closed": (
        both(chmod("damaged-4096", 0), zeros("journal", 4096, 8)),
        False,
    ),
    "the directory may not be listed": (lambda httpd: store(httpd).chmod(0o300), True),
    "the directory may not be entered": (lambda httpd: store(httpd).chmod(0o600), True),
    "the directory may not be written": (lambda httpd: store(httpd).chmod(0o555), True),
    "the journal is empty": (cut("journal", 0), True),
    "the journal has 100 bytes": (cut("journal", 100), True),
    "the journal has all of its first block but a byte": (cut("journal", 4095), True),
    "the journal has its first block only": (cut("journal", 4096), True),
    "the journal has half a record": (cut("journal", 4130), True),
    "the journal is zeros": (zeros("journal", 0, 8192), True),
    "the journal's records are zeros": (zeros("journal", 4096, 60000), True),
    "the journal is empty and alone": (both(cut("journal", 0), gone(*DERIVED)), True),
    "the journal is gone": (gone("journal"), True),
    "the journal is gone, only CURRENT is there": (
        gone("journal", "rows", "times", "keys.*", "state-*"),
        True,
    ),
    "the journal is gone, only rows is there": (
        gone("journal", "CURRENT", "times", "keys.*", "state-*"),
        True,
    ),
    "all is gone": (gone("*"), False),
    "what is derived is gone": (gone(*DERIVED), False),
    "the lock is gone": (gone("lock"), False),
    "rows is cut": (cut("rows", 10), False),
    "keys.0 is cut": (cut("keys.0", 0), False),
    "CURRENT is cut": (cut("CURRENT", 5), False),
    "the first record is damaged": (zeros("journal", 4100, 30), False),
    "a half-made journal is left": (chmod("journal.new", 0), False),
    "a half-made journal is left of a first start": (
        both(gone("*"), chmod("journal.new", 0)),
        False,
    ),
    "a store is to be made": (new_store(0o755), False),
    "a directory that was never given away is left": (
        both(new_store(0o755), lambda httpd: (parent(httpd) / ".mod_whatsapp.new").mkdir(0o700)),
        False,
    ),
    "a store is to be made where there is no directory": (
        lambda httpd: shutil.move(parent(httpd), httpd.directory / "away"),
        True,
    ),
}
if IS_ROOT:
    NOBODY, USER = 65534, server_user().pw_uid
    DAMAGES |= {
        "the way is closed to others": (lambda httpd: parent(httpd).chmod(0o710), True),
        "the way is closed by root": (lambda httpd: parent(httpd).chmod(0o700), True),
        "the way is open to the group": (
            lambda httpd: (own(parent(httpd), 0), parent(httpd).chmod(0o710)),
            False,
        ),
        "the way is closed to the group alone": (
            lambda httpd: (own(parent(httpd), 0), parent(httpd).chmod(0o705)),
            True,
        ),
        "the way is closed to its owner alone": (
            lambda httpd: (own(parent(httpd)), parent(httpd).chmod(0o077)),
            True,
        ),
        "a link leads into a closed directory": (linked, True),
        "the link is in a closed directory": (link_in_closed, True),
        "a store is to be made by the user itself": (new_store(0o700, USER), False),
        "a store is to be made in another's directory": (new_store(0o755, NOBODY), True),
        "a store is to be made in another's closed directory": (new_store(0o700, NOBODY), True),
        "a store is to be made in root's directory for a group": (new_store(0o775), True),
        "a store is to be made in root's directory for its group": (
            new_store(0o775, 0, server_user().pw_gid),
            False,
        ),
        "a store is to be made in a directory for all": (new_store(0o777), False),
        "a store is to be made in root's closed directory": (new_store(0o700), True),
        "a store is to be made in root's half-closed directory": (new_store(0o744), True),
        "a store is to be made in a sticky directory": (new_store(0o1777), False),
        "the directory is root's": (lambda httpd: os.chown(store(httpd), 0, 0), True),
        "the directory is another's": (lambda httpd: os.chown(store(httpd), NOBODY, 0), True),
        "rows is root's": (lambda httpd: os.chown(store(httpd) / "rows", 0, 0), True),
    }
    if can_chattr():
        DAMAGES |= {
            "the journal is immutable": (chattr("journal", "i"), True),
            "the journal is append-only": (chattr("journal", "a"), True),
            "the lock is immutable": (chattr("lock", "i"), True),
            "rows is append-only": (chattr("rows", "a"), True),
            "the directory is immutable": (chattr("", "i"), True),
            "the directory is append-only": (chattr("", "a"), True),
            "the directory above is immutable": (chattr("..", "i"), False),
            "a store is to be made in an immutable directory": (
                both(new_store(0o755), chattr("..", "i")),
                True,
            ),
        }
    if can_mount():
        DAMAGES |= {
            "the disk is full": (full(), False),
            "the disk is full and what is derived is gone": (full(gone(*DERIVED)), True),
            "the disk is full and keys.0 is gone": (full(gone("keys.0")), True),
            "the disk is full and rows is gone": (full(gone("rows")), True),
            "the disk is full and rows is cut": (full(cut("rows", 0)), True),
            "the disk is full and CURRENT is gone": (full(gone("CURRENT", "state-*")), False),
            "the disk is full and a store is to be made": (
                full(lambda httpd: shutil.rmtree(store(httpd))),
                True,
            ),
            "there are no inodes": (no_inodes, True),
            "the directory is read-only": (read_only(store), True),
            "the directory above is read-only": (read_only(parent), True),
            "a store is to be made on a read-only file system": (
                both(away, read_only(parent)),
                True,
            ),
        }


@contextlib.contextmanager
def stopped():
    """A server that has a store with a contact and a message, and was stopped; nothing remains
    mounted or immutable."""
    with httpd_with(site(messenger)) as httpd, contextlib.ExitStack() as undo:
        httpd.undo = undo
        httpd.noise = REFUSED
        httpd.claim(*REPAIRS, "WA0140", "WA0442", "WA0441", required=False)
        for name in ("parent", "site"):
            (httpd.directory / name).mkdir()
        (httpd.directory / "site" / "page.txt").write_text("still here")
        httpd.start()
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        assert receive(httpd, "SM" + "1" * 32) == 200
        httpd.stop()
        yield httpd


def refuses(httpd):
    """Whether a start does."""
    before, generations = httpd.console_text(), httpd._generations()
    status, output = control(httpd, "-k", "start")
    if status != 0:
        assert "WA0121" in output and not processes(httpd), output
        return output
    pid_file = httpd.directory / "run" / "httpd.pid"
    wait_until(
        lambda: pid_file.exists()
        and pid_file.read_text().endswith("\n")
        and httpd._generations() > generations,
        "the server to run",
    )
    pid = int(pid_file.read_text())
    control(httpd, "-k", "stop")
    wait_until(
        lambda: not pathlib.Path(f"/proc/{pid}").exists() and not processes(httpd),
        "the server to end",
    )
    assert httpd.console_text() == before
    return None


def look(directory):
    """All that configtest must leave as it is."""
    return (
        {
            path: (path.lstat()[:7], path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
            for path in [directory, *sorted(directory.rglob("*"))]
        }
        if directory.exists()
        else {}
    )


@pytest.mark.parametrize("name", DAMAGES)
def test_configtest_and_a_start_agree(name):
    damage, is_refused = DAMAGES[name]
    with stopped() as httpd:
        damage(httpd)
        before = look(parent(httpd))
        status, output = httpd.check_config()
        assert look(parent(httpd)) == before, "configtest changed something"
        assert (status != 0) == is_refused, output
        told = refuses(httpd)
        assert (told is not None) == is_refused, told
        if is_refused:
            line = next(line for line in output.splitlines() if "WA0121" in line)
            assert "WhatsAppStore" in line and str(httpd.directory) in line, line
            said = line.partition("WA0121: ")[2]
            assert said in told, (said, told)


@needs_root
def test_a_start_that_may_not_write_long_files_says_so():
    """`ulimit -f`: the signal that goes with it ends nobody; the terminal says what is wrong."""
    with stopped() as httpd:
        new_store()(httpd)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (51200, before[1]))
        try:
            told = refuses(httpd)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert told and "WA0121" in told, told


# ---- the same in a reload, which has the files open ----

ON_A_LIVE_STORE = [
    name
    for name, (_, is_refused) in DAMAGES.items()
    if is_refused and "made" not in name and "full" not in name and "inodes" not in name
]


@pytest.mark.parametrize("name", ON_A_LIVE_STORE)
def test_a_reload_agrees(name):
    with stopped() as httpd:
        httpd.start()
        DAMAGES[name][0](httpd)
        status, output = httpd.check_config()
        assert status != 0 and "WA0121" in output, output
        mark = httpd.mark()
        reload(httpd, signal.SIGUSR1)
        is_unavailable(httpd)
        assert httpd.lines(mark, "WA0140")


# ---- where the default store is made ----


@needs_root
def test_the_directories_above_a_default_store_are_open_whatever_the_shell_says():
    """With a umask of 077 root would make them for itself alone."""
    with httpd_with(
        site(
            lambda httpd: messenger(httpd).replace(
                f"WhatsAppStore dbm:{httpd.directory}/parent/store\n", ""
            )
        )
    ) as httpd:
        (httpd.directory / "site").mkdir()
        (httpd.directory / "site" / "page.txt").write_text("still here")
        before = os.umask(0o077)
        try:
            assert httpd.check_config()[0] == 0
            httpd.start()
        finally:
            os.umask(before)
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        assert (httpd.directory / "state").stat().st_mode & 0o777 == 0o755
