# SPDX-License-Identifier: Apache-2.0
"""Who owns a store, and what becomes of it on a disk that is full or cannot be written, through kills and starts."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import uuid

import harness
import pytest
from support.conditions import wait_until
from support.contract import Contract
from support.httpd import Account, Httpd, messenger

ENOSPC, EROFS = 28, 30


def tmpfs_mount():
    """A file system of a few megabytes, None where that is not allowed."""
    path = tempfile.mkdtemp(prefix="wa-disk-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0755", "none", path], capture_output=True)
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

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wa-disk-"))
        self.folder.chmod(0o755)
        self.faults = harness.Faults(folder)
        self.environment = {"LD_PRELOAD": str(harness.build_library(folder)), "WA_FAULTS": str(self.faults.path)}

    def fill(self):
        self.faults.arm(harness.FAIL, "posix_fallocate", 1, 10**9, ENOSPC)

    def relieve(self):
        self.faults.disarm()

    def forbid(self):
        self.faults.arm(harness.FAIL, "open", 1, 10**9, EROFS)

    def allow(self):
        self.faults.disarm()

    def close(self):
        shutil.rmtree(self.folder)


class Tmpfs:
    """A real file system that is really full, or really read-only."""

    environment = {}

    def __init__(self, _folder):
        self.folder = pathlib.Path(tmpfs_mount())

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass

    def relieve(self):
        (self.folder / "filler").unlink()

    def forbid(self):
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def allow(self):
        subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)

    def close(self):
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()


@pytest.fixture(params=[Failing] + ([Tmpfs] if is_mountable() else []), ids=lambda kind: kind.__name__)
def disk(request, tmp_path):
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        path.chmod(0o755)
    made = request.param(tmp_path)
    yield made
    made.close()


def server_make(store, environment=None):
    account = Account()

    def configure(_httpd):
        return messenger(account, store, "http://127.0.0.1:9")

    made = Httpd(configure, Contract(), account=account, environment=environment or {}, mpm_settings=harness.MPM)
    made.claim("WA04*", "WA02*", "WA05*", required=False)
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
    with server_make(tmp_path / "unused") as first:
        store = first.folder / "store"
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
        store = server.folder / "store"
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
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}/fd/0").exists() for pid in orphans), "the orphans to be dead")
        server.claim("AH00098", required=False)
        server.start()
        api = server.client()
        assert stored(api) == taken
        taken.append(receive(api))
        assert set(stored(api)) == set(taken)


def test_a_full_disk_loses_nothing_through_kills_and_starts(disk):
    with server_make(disk.folder / "store", disk.environment) as server:
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
        for _ in range(2):
            server.kill_all()
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
    with server_make(disk.folder / "store", disk.environment) as server:
        taken = [receive(server.client()) for _ in range(5)]
        server.stop()
        disk.forbid()
        other = server_make(disk.folder / "store", disk.environment)
        with pytest.raises(AssertionError, match=r"WA0121.*cannot be (opened|created)"):
            other.start()
        disk.allow()
        server.start()
        api = server.client()
        assert sorted(stored(api)) == sorted(taken)
        taken.append(receive(api))
        assert sorted(stored(api)) == sorted(taken)
        server.stop()
