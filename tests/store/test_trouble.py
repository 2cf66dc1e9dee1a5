# SPDX-License-Identifier: Apache-2.0
"""Who owns a store, and what becomes of it on a disk that is full or cannot be written, through
kills and starts."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import uuid

import harness
import pytest
from support.conditions import wait_until
from support.contract import Contract
from support.httpd import Account, Httpd, messenger, module_path

ENOSPC, EROFS = 28, 30
PROGRAM = pathlib.Path(os.environ.get("WA_TEST_BUILD", module_path().parent)) / "whatsappctl"


def tmpfs_mount():
    """A file system of a few megabytes, None where that is not allowed."""
    path = tempfile.mkdtemp(prefix="wa-disk-")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0755", "none", path], capture_output=True
    )
    if done.returncode:
        os.rmdir(path)
        return None
    return path


def is_mountable():
    path = tmpfs_mount()
    if path:
        subprocess.run(["umount", path], check=True)
        os.rmdir(path)
    return path is not None


class Failing:
    """Every call that would write fails: for whoever may not mount."""

    def __init__(self, directory):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wa-disk-"))
        self.directory.chmod(0o755)
        self.faults = harness.Faults(directory)
        self.environment = harness.faults_environment(directory, self.faults)

    def fill(self):
        self.faults.arm(harness.FAIL, "posix_fallocate", 1, 10**9, ENOSPC)

    def relieve(self):
        self.faults.disarm()

    def forbid(self):
        self.faults.arm(harness.FAIL, "open", 1, 10**9, EROFS)

    def allow(self):
        self.faults.disarm()

    def close(self):
        shutil.rmtree(self.directory)


class Tmpfs:
    """A real file system that is really full, or really read-only."""

    environment = {}

    def __init__(self, _directory):
        self.directory = pathlib.Path(tmpfs_mount())

    def fill(self, room=0):
        """Leaves so many bytes."""
        with open(self.directory / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                filler.truncate(max(0, filler.tell() - room))

    def relieve(self):
        (self.directory / "filler").unlink()

    def forbid(self):
        subprocess.run(["mount", "-o", "remount,ro", str(self.directory)], check=True)

    def allow(self):
        subprocess.run(["mount", "-o", "remount,rw", str(self.directory)], check=True)

    def close(self):
        subprocess.run(["umount", str(self.directory)], check=True)
        self.directory.rmdir()


def open_the_way(path):
    """The server's user has to reach what is in there."""
    for part in (path, path.parent, path.parent.parent):
        part.chmod(0o755)


DISKS = [Failing] + ([Tmpfs] if is_mountable() else [])


@pytest.fixture(params=DISKS, ids=lambda kind: kind.__name__)
def disk(request, tmp_path):
    open_the_way(tmp_path)
    made = request.param(tmp_path)
    yield made
    made.close()


def server_make(store, environment=None, dbm="db"):
    account = Account()

    def configure(_httpd):
        return messenger(account, store, "http://127.0.0.1:9").replace(
            f'{store}"', f'{store}" type={dbm}'
        )

    made = Httpd(
        configure,
        Contract(),
        account=account,
        environment=environment or {},
        mpm_settings=harness.MPMS["event"],
    )
    made.claim("WA0122", "WA04*", "WA02*", "WA05*", required=False)
    made.noise = harness.NOISE
    return made


def sid():
    return "SM" + uuid.uuid4().hex


def stored(api):
    return [message["sid"] for message in api.all_messages("+15551230001")]


def receive(api, text="a text of some length"):
    """An inbound message; its sid when it was taken, None when it was refused with 503."""
    new = sid()
    response = api.webhook(api.account.inbound("+15551230001", text, new), expect=None)
    assert response.status in (200, 503), response
    return new if response.status == 200 else None


def test_a_second_server_on_the_store_is_refused_and_the_first_goes_on(tmp_path):
    open_the_way(tmp_path)
    with server_make(tmp_path / "unused") as first:
        store = first.directory / "store"
        first.stop()
        first.configure = lambda _httpd: messenger(first.account, store, "http://127.0.0.1:9")
        first.start()
        api = first.client()
        taken = [receive(api) for _ in range(3)]
        second = server_make(store)
        with pytest.raises(AssertionError, match="is in use by another server"):
            second.start()
        taken.append(receive(api))
        assert set(stored(api)) == set(taken)
        # nobody else may read what is in the files
        assert store.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in store.iterdir()}
        assert len(modes) >= 6 and set(modes.values()) == {0o600}, modes
        first.stop()
        third = server_make(store)
        with third:
            assert set(stored(third.client())) == set(taken)
        first.start()


def test_children_that_outlive_their_killed_parent_still_own_the_store():
    with server_make("unused") as server:
        server.stop()
        store = server.directory / "store"
        server.configure = lambda _httpd: messenger(server.account, store, "http://127.0.0.1:9")
        server.start()
        taken = [receive(server.client())]
        group = server.process.pid
        orphans = server.children()
        os.kill(group, signal.SIGKILL)
        server.process.wait(30)
        server.process = None
        second = server_make(store)
        with pytest.raises(AssertionError, match="is in use by another server"):
            second.start()
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: not any(pathlib.Path(f"/proc/{pid}/fd/0").exists() for pid in orphans),
            "the orphans to be dead",
        )
        server.claim("AH00098", required=False)
        server.start()
        api = server.client()
        assert stored(api) == taken
        taken.append(receive(api))
        assert set(stored(api)) == set(taken)


# a full disk is quick to fill where there is one
@pytest.mark.parametrize(
    "disk,dbm",
    [(DISKS[-1], dbm) for dbm in harness.TYPES] + [(disk, "db") for disk in DISKS[:-1]],
    indirect=["disk"],
)
def test_a_full_disk_loses_nothing_through_kills_stops_and_starts(disk, dbm):
    with server_make(disk.directory / "store", disk.environment, dbm) as server:
        api = server.client()
        taken = [receive(api) for _ in range(5)]
        disk.fill()
        refused = 0
        for _ in range(3000):
            new = receive(api, "x" * 4000)
            if new is None:
                refused += 1
                break
            taken.append(new)
        # what is allocated ahead may hold more than the test sends: a start takes that away
        for end in (server.kill_all, server.stop, server.kill_all):
            end()
            server.start()
            api = server.client()
            assert sorted(stored(api)) == sorted(taken)
            for _ in range(5):
                new = receive(api, "x" * 4000)
                if new is None:
                    refused += 1
                else:
                    taken.append(new)
            assert sorted(stored(api)) == sorted(taken)
        assert refused > 0
        disk.relieve()
        taken += [receive(api) for _ in range(3)]
        assert None not in taken
        server.kill_all()
        server.start()
        api = server.client()
        assert sorted(stored(api)) == sorted(taken)
        assert api.thread("+15551230001")["messageCount"] == len(taken)
        server.stop()


def test_a_store_that_cannot_be_written_is_refused_at_the_start_and_whole_afterwards(disk):
    with server_make(disk.directory / "store", disk.environment) as server:
        taken = [receive(server.client()) for _ in range(5)]
        server.stop()
        disk.forbid()
        other = server_make(disk.directory / "store", disk.environment)
        with pytest.raises(AssertionError, match=r"WA0121.*cannot be (opened|created)"):
            other.start()
        disk.allow()
        server.start()
        api = server.client()
        assert sorted(stored(api)) == sorted(taken)
        taken.append(receive(api))
        assert sorted(stored(api)) == sorted(taken)
        server.stop()


def test_files_made_read_only_under_a_server_that_runs(tmp_path):
    """What is open stays writable; what is not cannot be made. Nothing is lost, and the log
    says what could not be done."""
    open_the_way(tmp_path)
    with server_make(tmp_path / "unused") as server:
        store = server.directory / "store"
        server.stop()
        server.configure = lambda _httpd: messenger(server.account, store, "http://127.0.0.1:9")
        server.start()
        api = server.client()
        taken = [receive(api) for _ in range(5)]
        mark = server.mark()
        modes = {path: path.stat().st_mode & 0o777 for path in [*store.iterdir(), store]}
        for path in modes:
            path.chmod(0o500 if path == store else 0o400)
        # until a checkpoint is due, after 8 MB
        while not server.lines(mark, "Permission denied: WA0420"):
            taken.append(receive(api, "x" * 30000))
            assert len(taken) < 3000
        taken += [receive(api) for _ in range(5)]
        assert None not in taken
        assert sorted(stored(api)) == sorted(taken)
        server.kill_all()
        for path, mode in modes.items():
            path.chmod(mode)
        server.start()
        api = server.client()
        assert sorted(stored(api)) == sorted(taken)
        taken.append(receive(api))
        assert api.thread("+15551230001")["messageCount"] == len(taken)
        server.stop()


# ---- whatsappctl, which makes everything anew, in every amount of room ----


class Limited:
    """No file may be longer than this: what anybody can do."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wa-disk-"))
        self.bytes = None

    def fill(self, room=0):
        self.bytes = room

    def relieve(self):
        self.bytes = None

    @staticmethod
    def amounts(store):
        """From nothing to enough."""
        largest = max(path.stat().st_size for path in store.iterdir() if path.name != "journal")
        return range(0, largest + 16384, 16384)

    def prepare(self):
        """Runs in the new process."""
        if self.bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.bytes, self.bytes))

    def close(self):
        shutil.rmtree(self.directory)


class Starved(Tmpfs):
    """A disk that has only so much room."""

    def __init__(self):
        super().__init__(None)

    @staticmethod
    def amounts(store):
        """From nothing to enough, page by page where the checkpoint is written."""
        whole = sum(
            path.stat().st_blocks * 512 for path in store.iterdir() if path.name != "journal"
        )
        return [*range(0, whole - 100000, 131072), *range(whole - 100000, whole + 8192, 4096)]

    def prepare(self):
        pass


@pytest.fixture(
    params=[Limited] + ([Starved] if is_mountable() else []), ids=lambda kind: kind.__name__
)
def room(request):
    made = request.param()
    yield made
    made.close()


def export():
    """Messages and contacts enough for more than one page of each type of dbm."""
    for n in range(100):
        number, contact = f"+1555{n:07d}", str(uuid.uuid4())
        yield f"contact:{contact}", {
            "id": contact,
            "phoneNumber": number,
            "displayName": f"Name {n}",
            "createdAt": 1700000000000,
            "updatedAt": 1700000000000,
        }
        for k in range(5):
            at = 1700000000000 + 10 * n + k
            yield f"msg:{number}:{at}:m{n}-{k}", {
                "id": f"m{n}-{k}",
                "direction": "received",
                "phoneNumber": "+14155238886",
                "counterpart": number,
                "body": "a text",
                "timestamp": at,
                "sid": f"SM{n * 10 + k:032x}",
            }


@pytest.mark.parametrize("dbm", harness.TYPES)
def test_every_amount_of_room_is_enough_or_said_to_be_too_little(room, dbm):
    """Rows, keys and checkpoint are made on a disk that is full at any of their pages: no
    crash, no half truth, and all is well with more room."""
    store = room.directory / "store"

    # gdbm leaks where it cannot write a file
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}

    def ctl(*words, stdin=None):
        return subprocess.run(
            [PROGRAM, "--quiet", "--store", f"dbm:{store} type={dbm}", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            preexec_fn=room.prepare,
            restore_signals=False,
        )

    lines = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in export())
    done = ctl("load", "-", "--account-sid", Account().sid, stdin=lines)
    assert done.returncode == 0, done
    before = ctl("dump").stdout
    assert before.count("\n") > 600
    refused = 0
    for bytes_left in room.amounts(store):
        for path in store.iterdir():
            if path.name not in ("journal", "lock"):
                path.unlink()
        room.fill(bytes_left)
        done = ctl("rebuild")
        refused += done.returncode == 2
        assert done.returncode == 0 or (
            done.returncode == 2 and ("No space left" in done.stderr or "too large" in done.stderr)
        ), (bytes_left, done)
        if done.returncode == 0:
            assert ctl("verify").returncode == 0, bytes_left
        room.relieve()
        assert ctl("dump").stdout == before, bytes_left
    assert refused > 5
    assert done.returncode == 0, "the last one had room enough"
    assert ctl("rebuild").returncode == 0 and ctl("verify").returncode == 0
    assert ctl("dump").stdout == before
