# SPDX-License-Identifier: Apache-2.0
"""load, compact, rebuild and backup are killed at every single call that changes the disk: what
is there then is the old store or the new one."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import PROGRAM, copy, ctl, dump, give_to_server, lines_of
from store.harness import Faults, faults_environment

SOURCE = pathlib.Path(__file__).with_name("kill_at.c")


@pytest.fixture(scope="session")
def killer(session_directory):
    """The library that kills."""
    library = session_directory / "kill_at.so"
    subprocess.run(
        ["cc", "-std=gnu11", "-O1", "-fPIC", "-shared", "-o", library, SOURCE], check=True
    )
    return library


def run(killer, store, words, stdin, **more):
    preload = ":".join(filter(None, [os.environ.get("WA_TEST_PRELOAD"), str(killer)]))
    environment = {
        **os.environ,
        "LD_PRELOAD": preload,
        **{name: str(value) for name, value in more.items()},
    }
    return subprocess.run(
        [PROGRAM, "--store", store, *words],
        input=stdin,
        text=True,
        capture_output=True,
        env=environment,
        timeout=60,
    )


@pytest.fixture(scope="module")
def ahead_once(session_directory, serve, fresh):
    """A store whose last messages are dated 400 days ahead."""
    store, place = session_directory / "ahead", session_directory / "ahead-faults"
    place.mkdir()
    faults = Faults(place)
    server = serve(store)
    server.environment.update(faults_environment(place, faults))
    with server:
        api = server.client()
        api.receive(fresh.number(), "before", fresh.sid())
        faults.shift_clock(400 * 24 * 3600 * 1000)
        api.receive(fresh.number(), "ahead", fresh.sid())
        api.send(fresh.number(), "sent ahead")
        faults.shift_clock(0)
        api.receive(fresh.number(), "after", fresh.sid())
        server.claim("WA0455", required=False)
    return store


def newer(said):
    """Two messages that are newer than all others, and one of a thread that is there."""
    value = {
        "id": "n1",
        "direction": "received",
        "phoneNumber": "+14155238886",
        "counterpart": said["threads"][0]["counterpart"],
        "body": "newer",
        "timestamp": said["now"] + 1000,
    }
    other = {
        **value,
        "id": "n2",
        "counterpart": "+15559990000",
        "unread": True,
        "timestamp": said["now"] + 1001,
    }
    return lines_of(
        [
            (f"msg:{each['counterpart']}:{each['timestamp']}:{each['id']}", each)
            for each in (value, other)
        ]
    )


@pytest.mark.parametrize("words", [["compact"], ["load", "-"]], ids=["compact", "load"])
def test_killed_at_every_call(lived_once, said, directory, killer, words):
    stdin = newer(said) if words[0] == "load" else ""
    old = dump(lived_once[0])
    whole = copy(lived_once[0], directory / "whole")
    done = run(killer, whole, words, stdin, KILL_COUNT=directory / "count")
    assert done.returncode == 0, done
    calls = int((directory / "count").read_text())
    new = dump(whole)
    assert calls > 20 and (new == old) == (words[0] == "compact")
    new_journal = (whole / "journal").stat().st_size
    swapped = 0
    for at in range(1, calls + 1):
        store = copy(lived_once[0], directory / "store")
        done = run(killer, store, words, stdin, KILL_AT=at)
        assert done.returncode == -signal.SIGKILL, (at, done)
        found = dump(store)
        is_new = (store / "journal").stat().st_size == new_journal
        swapped += is_new
        assert found == (new if is_new else old), at
        assert ctl("verify", store=store).out.endswith("sound\n"), at
        if at % 4 == 0:
            again = ctl(*words, store=store, stdin=stdin)
            assert again.status == 0 and dump(store) == new, at
            assert not (store / "load.new").exists() and not (store / "compact.new").exists()
        shutil.rmtree(store)
    assert 3 < swapped < calls


def test_retime_killed_at_every_call(ahead_once, directory, killer):
    """Old times or new ones, never both; nothing else changes."""
    old = dump(ahead_once)
    whole = copy(ahead_once, directory / "whole")
    assert run(killer, whole, ["retime"], "", KILL_COUNT=directory / "count").returncode == 0
    calls = int((directory / "count").read_text())

    def bare(pairs):
        times = ("timestamp", "lastMessageTimestamp", "windowClosesAt", "store")
        return [{k: v for k, v in value.items() if k not in times} for _, value in pairs]

    assert calls > 20 and dump(whole) != old and bare(dump(whole)) == bare(old)
    swapped = 0
    for at in range(1, calls + 1):
        store = copy(ahead_once, directory / "store")
        done = run(killer, store, ["retime"], "", KILL_AT=at)
        assert done.returncode == -signal.SIGKILL, (at, done)
        found, told = dump(store), ctl("verify", store=store).out
        is_new = "AHEAD" not in told
        swapped += is_new
        assert bare(found) == bare(old) and (is_new or found == old), at
        assert told.endswith("sound\n"), at
        if at % 4 == 0:
            assert ctl("retime", store=store).status == 0
            assert "AHEAD" not in ctl("verify", store=store).out
            assert not (store / "retime.new").exists()
        shutil.rmtree(store)
    assert 3 < swapped < calls


@pytest.mark.parametrize("back", range(0, 16, 3))
def test_a_server_starts_on_what_a_kill_left(lived_once, said, directory, serve, killer, back):
    """Within the swap, which are the last calls of all."""
    whole = copy(lived_once[0], directory / "whole")
    assert run(killer, whole, ["compact"], "", KILL_COUNT=directory / "count").returncode == 0
    calls = int((directory / "count").read_text())
    store = copy(lived_once[0], directory / "store")
    assert run(killer, store, ["compact"], "", KILL_AT=calls - back).returncode == -signal.SIGKILL
    give_to_server(store)
    with serve(store) as server:
        api = server.client()
        assert api.threads() == said["threads"] and api.contacts() == said["contacts"]
        for counterpart, messages in said["messages"].items():
            assert api.all_messages(counterpart) == messages
        server.claim("WA0430", "WA0436", required=False)
    assert ctl("verify", store=store).out.endswith("sound\n")


def calls_of(killer, directory, store, words):
    """How many calls that change the disk a whole run makes."""
    done = run(killer, store, words, "", KILL_COUNT=directory / "count")
    assert done.returncode == 0, done
    calls = int((directory / "count").read_text())
    assert calls > 8
    return calls


def test_rebuild_killed_at_every_call(lived_once, directory, killer):
    """Again and again on the same store: each goes on over what the one before left."""
    old = dump(lived_once[0])
    store = copy(lived_once[0], directory / "store")
    for at in range(1, calls_of(killer, directory, store, ["rebuild"]) + 1):
        done = run(killer, store, ["rebuild"], "", KILL_AT=at)
        assert done.returncode == -signal.SIGKILL, (at, done)
        assert dump(store) == old, at
    assert ctl("rebuild", store=store).status == 0
    assert ctl("verify", store=store).out.endswith("sound\n") and dump(store) == old


def test_backup_killed_at_every_call(lived_once, directory, killer):
    """The store is what it was. What stands where the backup was to be is all of it, or is no
    store to anybody."""
    store = copy(lived_once[0], directory / "store")
    old = dump(store)
    calls = calls_of(killer, directory, store, ["backup", str(directory / "whole")])
    assert dump(directory / "whole") == old
    whole = 0
    for at in range(1, calls + 1):
        target = directory / "backup"
        done = run(killer, store, ["backup", str(target)], "", KILL_AT=at)
        assert done.returncode == -signal.SIGKILL, (at, done)
        found = ctl("dump", store=target, expect=None)
        if found.status == 0:
            whole += 1
            assert dump(target) == old, at
        else:
            assert found.status in (1, 2) and found.err, (at, found)
        shutil.rmtree(target, ignore_errors=True)
    assert 0 < whole < calls
    assert ctl("verify", store=store).out.endswith("sound\n") and dump(store) == old
