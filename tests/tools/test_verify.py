# SPDX-License-Identifier: Apache-2.0
"""verify and rebuild: whatever is spoiled is found at its place, and what can be made anew is."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import copy, ctl, dump, everything, files_of, give_to_server
from journal import ROW, START, crc32c, flip, records

KINDS = ["message", "state", "read", "contact", "contact deleted", "parked"]


def test_a_sound_store(lived):
    result = ctl("verify", store=lived)
    assert result.out.endswith("\nsound\n")
    assert f"{len(records(lived))} records" in result.out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["header", "payload"])
def test_damage_in_the_journal_is_found_at_its_place(lived, kind, part):
    spoiled = [r for r in records(lived) if r.kind == kind][0]
    flip(lived / "journal", spoiled.offset + (8 if part == "header" else 84))
    result = ctl("verify", store=lived, expect=1)
    assert f"journal: {spoiled.length} bytes at byte {spoiled.offset} are damaged" in result.out
    assert "DAMAGED: the journal" in result.out


def test_damage_is_found_and_all_else_survives_a_rebuild(lived, serve):
    spoiled = [r for r in records(lived) if r.kind == "message"][3]
    before = dump(lived)
    lost = [key for key, value in before if key.startswith("msg:")][3]
    flip(lived / "journal", spoiled.offset + 100)
    broken = ctl("dump", store=lived, expect=1)
    assert f"{spoiled.length} bytes of the journal are damaged" in broken.err
    kept = [json.loads(line)["key"] for line in broken.out.split("\n")[:-1]]
    result = ctl("rebuild", store=lived)
    assert (
        f"{spoiled.length} bytes at {spoiled.offset} are damaged; they were set aside" in result.err
    )
    assert (lived / f"damaged-{spoiled.offset}").stat().st_size == spoiled.length
    assert ctl("verify", store=lived).out.endswith("sound\n")
    keys = [key for key, _ in before if key != lost]
    assert [key for key, _ in dump(lived)] == keys == kept
    give_to_server(lived)
    with serve(lived) as server:
        assert len(everything(server.client())["messages"]) == len([k for k in keys if k[0] == "t"])


def test_two_damaged_places(lived):
    first, second = [r for r in records(lived) if r.kind in ("message", "state")][2::4][:2]
    flip(lived / "journal", first.offset + 50)
    flip(lived / "journal", second.offset + 50)
    result = ctl("verify", store=lived, expect=1)
    assert result.out.count("are damaged") == 2
    assert f"byte {first.offset} " in result.out and f"byte {second.offset} " in result.out


def test_the_last_record_counts_when_the_checkpoint_has_seen_it(lived):
    last = records(lived)[-1]
    flip(lived / "journal", last.offset + 90)
    result = ctl("verify", store=lived, expect=1)
    assert (
        f"journal: ends at byte {last.offset}, but the checkpoint has seen it up to byte {last.end}"
        in result.out
    )
    os.truncate(lived / "journal", last.offset)
    result = ctl("verify", store=lived, expect=1)
    assert f"journal: ends at byte {last.offset}, but the checkpoint" in result.out


def test_a_torn_end_after_a_crash_cannot_be_told_from_damage(lived, serve, fresh):
    with serve(lived) as server:
        server.client().receive(fresh.number(), fresh.text(), fresh.sid())
        server.kill_all()
        assert ctl("verify", store=lived).out.endswith("sound\n")
        last = records(lived)[-1]
        with open(lived / "journal", "r+b") as file:
            file.seek(last.offset + 100)
            file.write(bytes(last.length - 100))
        result = ctl("verify", store=lived, expect=2)
        assert (
            f"(byte {last.offset}) are no whole record" in result.out
            and "NOT CERTAIN" in result.out
        )
        ctl("rebuild", store=lived)
        assert ctl("verify", store=lived).out.endswith("sound\n")


def spoil_row(store):
    flip(store / "rows", ROW * 5)
    return "rows: row 5 (byte 160) names byte"


def spoil_row_chain(store):
    flip(store / "rows", ROW * 5 + 16)
    return "rows: row 5 (byte 160)"


def spoil_row_state(store):
    changed = [r for r in records(store) if r.kind == "state"][-1].row
    flip(store / "rows", ROW * changed + 8)
    return f"rows: row {changed} (byte {ROW * changed}) has its state at byte"


def spoil_key(store):
    data = bytearray((store / "keys.0").read_bytes())
    slot = next(at for at in range(0, len(data), 8) if data[at : at + 8] != bytes(8))
    data[slot : slot + 8] = bytes(8)
    (store / "keys.0").write_bytes(data)
    return "keys: the "


def spoil_key_row(store):
    """A key that leads to another message."""
    data = bytearray((store / "keys.0").read_bytes())
    slot = next(at for at in range(0, len(data), 8) if data[at : at + 8] != bytes(8))
    data[slot] = 3 if data[slot] != 3 else 4
    (store / "keys.0").write_bytes(data)
    return "keys: the "


def lose(name, sentence):
    def spoil(store):
        (store / name).unlink()
        return sentence

    spoil.__name__ = f"lose_{name}"
    return spoil


def spoil_current(store):
    flip(store / "CURRENT", 40)
    return "checkpoint: CURRENT is damaged"


def spoil_state(store):
    (path,) = store.glob("state-*")
    data = path.read_bytes()
    flip(path, data.index(b"thread:+1555") + 3)
    return f"checkpoint: {path.name} is damaged"


SPOILERS = [
    spoil_row,
    spoil_row_chain,
    spoil_row_state,
    spoil_key,
    spoil_key_row,
    spoil_current,
    spoil_state,
    lose("rows", "rows: the file is missing"),
    lose("times", "times: the file is missing"),
    lose("keys.0", "keys: keys.0 is missing"),
]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_what_is_derived_is_compared_and_made_anew(lived, spoil):
    before = dump(lived)
    sentence = spoil(lived)
    result = ctl("verify", store=lived, expect=1)
    assert sentence in result.out
    assert "the journal is sound, so nothing is lost" in result.out
    assert dump(lived) == before
    ctl("rebuild", store=lived)
    assert ctl("verify", store=lived).out.endswith("sound\n")
    assert dump(lived) == before


@pytest.mark.parametrize(
    "what, sentence",
    [
        ("read_row", ": read_row is"),
        ("message_count", ": message_count is"),
        ("unread_count", ": unread_count is"),
        ("changed_ms", ": changed_ms is"),
        ("last_inbound_ms", ": last_inbound_ms is"),
        ("inbound", ": when they wrote to"),
        ("name_row", ": name_row is"),
        ("flags", ": flags is"),
        ("thread", ": is missing"),
        ("contact", "contacts, should have"),
        ("parked", "has 0 parked receipts, should have 1"),
        ("pending", "pending messages, should have"),
        ("records", "CURRENT counts"),
    ],
)
def test_a_checkpoint_that_is_whole_and_wrong(lived, spoiler, what, sentence):
    subprocess.run([spoiler, lived, what], check=True)
    result = ctl("verify", store=lived, expect=1)
    assert sentence in result.out and "the journal is sound" in result.out
    assert result.out.count("\n") <= 4, "more than what is wrong"
    ctl("rebuild", store=lived)
    assert ctl("verify", store=lived).out.endswith("sound\n")


def test_a_mark(filled):
    flip(filled / "times", 16 * 3 + 8)
    assert "times: entry 3 (byte 48) names byte" in ctl("verify", store=filled, expect=1).out


def test_many_differences_are_counted(filled):
    (filled / "rows").write_bytes(bytes((filled / "rows").stat().st_size))
    result = ctl("verify", store=filled, expect=1)
    # the checkpoint cannot be loaded on such rows either
    assert (
        result.out.count("rows: row") == 100 and "rows: 1900 more; --all shows them" in result.out
    )
    assert ctl("verify", "--all", store=filled, expect=1).out.count("rows: row") == 2000


def test_a_checkpoint_that_says_something_else(lived, directory, serve, fresh):
    """CURRENT and state-N are whole, and those of an earlier moment: the index went on without
    them."""
    older = copy(lived, directory / "older")
    with serve(lived) as server:
        server.client().receive(fresh.number(), fresh.text(), fresh.sid())
    for path in [lived / "CURRENT", *lived.glob("state-*")]:
        path.unlink()
    for path in [older / "CURRENT", *older.glob("state-*")]:
        shutil.copy(path, lived)
    give_to_server(lived)
    # an older checkpoint of the same journal is sound: what came after it is applied by the next
    # start
    assert ctl("verify", store=lived).out.endswith("sound\n")


def test_a_checkpoint_of_another_journal(lived, filled_once):
    for path in [lived / "CURRENT", *lived.glob("state-*")]:
        path.unlink()
    for path in [filled_once / "CURRENT", *filled_once.glob("state-*")]:
        shutil.copy(path, lived)
    give_to_server(lived)
    assert (
        "CURRENT is damaged, or belongs to another journal"
        in ctl("verify", store=lived, expect=1).out
    )


def test_a_checkpoint_of_another_version(lived):
    """Nothing is compared with what another version meant by it: the next start makes it again."""
    before = (lived / "CURRENT").read_bytes()
    text = before[: before.index(b"check ")].replace(b"checkpoint 6", b"checkpoint 5")
    (lived / "CURRENT").write_bytes(text + b"check %d\n" % crc32c(text))
    out = ctl("verify", store=lived).out
    assert (
        "checkpoint: another version of the module wrote it: the next start" in out
        and out.endswith("sound\n")
    )
    ctl("rebuild", store=lived)
    assert (lived / "CURRENT").read_bytes().startswith(b"mod_whatsapp checkpoint 6\n")
    assert "checkpoint:" not in ctl("verify", store=lived).out


def test_only_the_journal_is_sound(lived):
    for path in lived.iterdir():
        if path.name != "journal":
            path.unlink()
    result = ctl("verify", store=lived)
    assert "there is none: the next start makes everything" in result.out and result.out.endswith(
        "sound\n"
    )


def test_beside_a_live_server(lived, serve, fresh):
    with serve(lived) as server:
        api = server.client()
        for _ in range(5):
            number = fresh.number()
            api.receive(number, fresh.text(), fresh.sid())
            sent = api.send(number, fresh.text())["message"]
            api.webhook(api.account.status(number, sent["sid"], "delivered"))
            result = ctl("verify", store=lived)
            assert "a server or a tool owns the store" in result.out and result.out.endswith(
                "sound\n"
            )


def test_rebuild_makes_the_same_again(lived):
    before = files_of(lived)
    ctl("rebuild", store=lived)
    after = files_of(lived)
    assert after["journal"] == before["journal"]
    rows = len([r for r in records(lived) if r.kind == "message"])
    assert after["rows"][: ROW * (rows + 1)] == before["rows"][: ROW * (rows + 1)]
    assert sorted(name.split("-")[0] for name in after) == sorted(
        name.split("-")[0] for name in before
    )


def test_rebuild_keeps_owner_mode_and_type(lived):
    owner = (lived.stat().st_uid, lived.stat().st_gid)
    ctl("rebuild", store=f"dbm:{lived} type=sdbm")
    assert list(lived.glob("state-*.pag"))
    ctl("rebuild", store=lived)
    assert list(lived.glob("state-*.pag")), "the store's own type was not kept"
    for path in lived.iterdir():
        info = path.stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (*owner, 0o600), path


def test_the_first_block(lived):
    flip(lived / "journal", 30)
    for command in ("verify", "dump", "rebuild", "stats"):
        assert "the first block of" in ctl(command, store=lived, expect=2).err
    assert START == 4096
