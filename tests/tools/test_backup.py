# SPDX-License-Identifier: Apache-2.0
"""backup: whole, checked, complete, of a store that is being written to, and nothing is left of
one that failed."""

import signal
import subprocess
import threading

import pytest

from conftest import PROGRAM, ctl, dump, everything, files_of, give_to_server
from journal import flip, records
from support.conditions import wait_until


def test_a_backup_is_the_store(lived, directory):
    told = ctl("backup", directory / "copy", store=lived).err
    assert (
        f"backup of {len([r for r in records(lived) if r.kind == 'message'])} messages in" in told
    )
    assert (directory / "copy" / "journal").read_bytes() == (lived / "journal").read_bytes()
    assert dump(directory / "copy") == dump(lived)
    assert ctl("verify", store=directory / "copy").out.endswith("sound\n")
    assert "checkpoint   number" in ctl("stats", store=directory / "copy").out


def test_owner_and_modes(lived, directory):
    ctl("backup", directory / "copy", store=lived)
    owner = (lived.stat().st_uid, lived.stat().st_gid)
    assert (directory / "copy").stat().st_mode & 0o777 == 0o700
    for path in [directory / "copy", *(directory / "copy").iterdir()]:
        assert (path.stat().st_uid, path.stat().st_gid) == owner, path
    assert {path.stat().st_mode & 0o777 for path in (directory / "copy").iterdir()} == {0o600}


def test_a_server_starts_on_the_backup_at_once(lived, said, directory, serve):
    ctl("backup", directory / "copy", store=lived)
    before = (directory / "copy" / "CURRENT").read_bytes()
    with serve(directory / "copy") as server:
        assert (directory / "copy" / "CURRENT").read_bytes() == before
        assert everything(server.client()) == said
        assert not server.lines(0, "WA04")


def test_under_load(lived, directory, serve, fresh):
    """Everything answered before the backup began is in it, and it is a moment of the store."""
    with serve(lived) as server:
        api = server.client()
        stored, errors, end = [], [], threading.Event()

        def write():
            try:
                while not end.is_set():
                    number, sid = fresh.number(), fresh.sid()
                    api.receive(number, fresh.text(), sid)
                    stored.append(sid)
                    sent = api.send(number, fresh.text())["message"]
                    api.webhook(api.account.status(number, sent["sid"], "delivered"))
                    api.mark_read(number)
            except Exception as error:  # handed to the test below
                errors.append(error)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        try:
            for n in range(4):
                some = len(stored)
                wait_until(lambda: errors or len(stored) >= some + 10, "more to be stored")
                before = list(stored)
                copy = directory / f"copy{n}"
                ctl("backup", copy, store=lived)
                assert ctl("verify", store=copy).out.endswith("sound\n")
                pairs = dump(copy)
                sids = {value.get("sid") for key, value in pairs if key.startswith("msg:")}
                assert set(before) <= sids
                data = (copy / "journal").read_bytes()
                assert (lived / "journal").read_bytes()[: len(data)] == data
                threads = {k: v for k, v in pairs if k.startswith("thread:")}
                counted = [value["counterpart"] for key, value in pairs if key.startswith("msg:")]
                assert all(
                    v["messageCount"] == counted.count(v["counterpart"]) for v in threads.values()
                )
        finally:
            end.set()
            for writer in writers:
                writer.join(60)
        assert not errors, errors[0]


def test_what_is_there_is_not_overwritten(lived, directory):
    target = directory / "copy"
    ctl("backup", target, store=lived)
    before = files_of(target)
    assert "is no empty directory" in ctl("backup", target, store=lived, expect=2).err
    assert files_of(target) == before
    (directory / "file").write_text("x")
    assert "is no empty directory" in ctl("backup", directory / "file", store=lived, expect=2).err
    assert "cannot be made" in ctl("backup", directory / "no" / "way", store=lived, expect=2).err


def test_a_damaged_store_gives_no_backup(lived, directory):
    spoiled = records(lived)[5]
    flip(lived / "journal", spoiled.offset + 60)
    (directory / "empty").mkdir()
    for target in (directory / "copy", directory / "empty"):
        told = ctl("backup", target, store=lived, expect=1).err
        assert (
            f"is damaged at byte {spoiled.offset} ({spoiled.length} bytes): stop httpd and run"
            " whatsappctl rebuild" in told
        )
    assert not (directory / "copy").exists()
    assert list((directory / "empty").iterdir()) == []


def test_an_unfinished_end_is_left_out(lived, directory):
    last = records(lived)[-1]
    data = (lived / "journal").read_bytes()
    (lived / "journal").write_bytes(data + data[last.offset : last.offset + 100] + bytes(4096))
    ctl("backup", directory / "copy", store=lived)
    assert (directory / "copy" / "journal").read_bytes() == data


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_leaves_nothing(lived, directory, number):
    """Stopped as soon as it has made its directory: whatever it is at then, nothing stays."""
    target = directory / "copy"
    with subprocess.Popen(
        [PROGRAM, "--store", lived, "backup", target], stderr=subprocess.PIPE
    ) as process:
        wait_until(
            lambda: target.exists() or process.poll() is not None,
            "the backup to begin",
            interval=0.0001,
        )
        process.send_signal(number)
        status = process.wait(60)
    assert status in (0, 130)
    assert target.exists() == (status == 0)


def test_restoring(lived, said, directory, serve, fresh):
    ctl("backup", directory / "copy", store=lived)
    with serve(lived) as server:
        server.client().receive(fresh.number(), fresh.text(), fresh.sid())
        assert everything(server.client()) != said
    lived.rename(directory / "broken")
    (directory / "copy").rename(lived)
    give_to_server(lived)
    with serve(lived) as server:
        assert everything(server.client()) == said
