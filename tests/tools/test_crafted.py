# SPDX-License-Identifier: Apache-2.0
"""Stores whose numbers somebody chose, with right checksums: nothing crashes, nothing loops, a
signal ends every command."""

import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess

import pytest

from conftest import PROGRAM, ctl, give_to_server
from journal import (
    HEADER,
    HEADER_FIELDS,
    PAYLOAD_FIELDS,
    ROW,
    chain,
    craft,
    craft_current,
    previous_made,
    records,
    salt_of,
    seal,
    seal_payload,
    wicked,
)
from support.conditions import wait_until

KINDS = ["message", "state", "read", "contact", "parked"]
READING = [["stats"], ["verify"], ["dump"]]

# The commands that write are run for these: they read by the same ways as the others, but each
# takes its time.
CHANGED = {0, 1, 2**32 - 1, 2**59 - 1, 2**59 + 1, 2**62, 2**64 - 1}


def run(store, *words, stdin=None):
    """A command that must end by itself, in its own words, and not by a signal."""
    result = ctl(*words, store=store, expect=None, stdin=stdin)
    assert result.status in (0, 1, 2), (words, result)
    assert result.status != 2 or result.err or "NOT CERTAIN" in result.out, (
        words,
        "did not say why",
        result,
    )
    return result


LINE = (
    json.dumps(
        {
            "key": "contact:5f0c6a52-0000-4000-8000-000000000001",
            "value": {
                "id": "5f0c6a52-0000-4000-8000-000000000001",
                "phoneNumber": "+15559990001",
                "displayName": "x",
                "createdAt": 1700000000000,
                "updatedAt": 1700000000000,
            },
        }
    )
    + "\n"
)


def judge(store, work, is_changed=True):
    """Every command on a store, the changing ones on copies; after a rebuild all is sound but
    what verify may call late."""
    for words in READING:
        run(store, *words)
    if not is_changed:
        return
    run(store, "backup", work / "backup")
    for words in (["compact"], ["load", "-"], ["rebuild"]):
        shutil.copytree(store, work / "copy")
        stdin = LINE if words[0] == "load" else None
        result = run(work / "copy", *words, stdin=stdin)
        if words == ["rebuild"]:
            assert result.status == 0, result
            after = run(work / "copy", "verify")
            assert (
                after.status == 0 or "is older than" in after.out or "no known type" in after.out
            ), after
            run(work / "copy", "dump")
        shutil.rmtree(work / "copy")
    shutil.rmtree(work / "backup", ignore_errors=True)


def first(store, kind, nth=0):
    return [r for r in records(store) if r.kind == kind][nth]


@pytest.fixture
def crafted(lived, directory):
    """Writes another journal into the lived store, and has it judged."""
    data = (lived / "journal").read_bytes()

    def put(journal, **more):
        (lived / "journal").write_bytes(journal)
        judge(lived, directory, **more)

    return lived, data, put


@pytest.mark.parametrize("field", HEADER_FIELDS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_number_of_a_header_is_believed(crafted, kind, field):
    store, data, put = crafted
    record = first(store, kind)
    code = HEADER_FIELDS[field][0]
    now = struct.unpack_from("<" + code, data, record.offset + HEADER_FIELDS[field][1])[0]
    for value in wicked(code, now, record.length, len(data) // 32):
        put(
            craft(data, record, {field: value}),
            is_changed=value in CHANGED and kind in ("message", "state"),
        )


@pytest.mark.parametrize(
    "kind, field", [(kind, field) for kind in KINDS for field in PAYLOAD_FIELDS[kind]]
)
def test_no_number_of_a_payload_is_believed(crafted, kind, field):
    store, data, put = crafted
    record = first(store, kind, -1)
    code, at = PAYLOAD_FIELDS[kind][field]
    now = struct.unpack_from("<" + code, data, record.offset + HEADER.size + at)[0]
    for value in wicked(code, now, record.offset, len(data)):
        put(craft(data, record, {field: value}, is_payload=True), is_changed=value in CHANGED)


def test_a_state_before_that_leads_in_a_ring_or_to_another_message(crafted):
    store, data, put = crafted
    states = [r for r in records(store) if r.kind == "state"]
    for record in states:
        for other in (
            record.offset,
            states[-1].offset,
            states[0].offset,
            records(store)[0].offset,
            record.end,
        ):
            put(craft(data, record, {"previous": other}, is_payload=True), is_changed=False)


def test_rows_that_come_back_or_leap(crafted):
    store, data, put = crafted
    messages = [r for r in records(store) if r.kind == "message"]
    for record in messages[1:4]:
        most = (record.offset - 4096) // 112 + 1
        for row in (0, 1, record.row - 1, record.row + 1, most - 1, most, most + 1):
            put(craft(data, record, {"row": row}))


def test_garbage_shorter_than_a_record_before_one_that_is_whole(crafted):
    store, data, put = crafted
    for garbage in (8, 16, 72, 80, 88):
        for record in records(store)[3:5]:
            moved = bytearray(
                data[: record.offset] + b"\x11" * garbage + data[record.offset : record.end]
            )
            seal(moved, record.offset + garbage)
            put(chain(moved + data[record.end :], record.offset + garbage))


def test_what_is_no_record_of_this_chain_is_set_aside_in_one_piece(lived):
    data = bytearray((lived / "journal").read_bytes())
    bad = [r for r in records(lived) if r.kind == "message"][2:6]
    for record in bad:  # each whole, with a number that was there already
        struct.pack_into("<Q", data, record.offset + 40, 1)
        seal(data, record.offset)
    (lived / "journal").write_bytes(data)
    ctl("rebuild", store=lived)
    assert len(list(lived.glob("damaged-*"))) <= len(bad)
    assert ctl("verify", store=lived).out.endswith("sound\n")


# ---- CURRENT and the files beside it ----

NUMBERS = ["number", "offset", "timestamp", "records", "rows", "keys", "crc", "entries", "digest"]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_of_current_is_believed(lived, directory, name):
    text = (lived / "CURRENT").read_text()
    now = int(next(line.split()[1] for line in text.split("\n") if line.startswith(name + " ")))
    size = (lived / "journal").stat().st_size
    for value in [
        *wicked("Q", now, size, size // 80, size // 112),
        "-1",
        "-9223372036854775808",
        "1e9",
        "99999999999999999999999",
    ]:
        (lived / "CURRENT").write_text(craft_current(text, name, value))
        judge(lived, directory, is_changed=value in CHANGED)


def test_no_type_of_a_checkpoint_but_the_known_is_asked_for(lived, directory):
    text = (lived / "CURRENT").read_text()
    for kind in ("x", "../../../x", "default", "mysql", "%s%n"):
        (lived / "CURRENT").write_text(craft_current(text, "type", kind))
        judge(lived, directory)


def test_no_word_of_the_rows_is_believed(lived, directory):
    data = (lived / "rows").read_bytes()
    salt = salt_of((lived / "journal").read_bytes())
    last = max(r.row for r in records(lived) if r.kind == "message")
    for at in (0, 8, 16, 24):
        for value in wicked("Q", 4096, (lived / "journal").stat().st_size):
            spoiled = bytearray(data)
            for row in range(1, last + 1):
                struct.pack_into("<Q", spoiled, row * ROW + at, value)
            (lived / "rows").write_bytes(spoiled)
            judge(lived, directory, is_changed=False)
    for leap in (
        0,
        1,
        -1,
        2**39,
        2**40 - 1 - last,
    ):  # to itself, forward, back, out of the file: with right check bits
        spoiled = bytearray(data)
        for row in range(1, last + 1):
            struct.pack_into(
                "<Q", spoiled, row * ROW + 16, previous_made(salt, row, max(row + leap, 0))
            )
        (lived / "rows").write_bytes(spoiled)
        judge(lived, directory)


@pytest.mark.parametrize("name", ["rows", "times", "keys.0"])
@pytest.mark.parametrize("what", ["ones", "cut", "empty", "full"])
def test_files_beside_the_journal_with_anything_in_them(lived, directory, name, what):
    size = (lived / name).stat().st_size
    path = lived / name
    if what == "ones":
        path.write_bytes(b"\xff" * size)
    elif what == "full":
        path.write_bytes(struct.pack("<Q", 1 << 40 | 1) * (size // 8))
    else:
        os.truncate(path, size // 2 if what == "cut" else 0)
    judge(lived, directory)


THREAD_FIELDS = [
    "last_row",
    "read_row",
    "message_count",
    "unread_count",
    "changed_ms",
    "last_inbound_ms",
    "inbound_row",
    "name_row",
    "pending",
    "contact_offset",
    "parked_offset",
]


@pytest.mark.parametrize("field", THREAD_FIELDS)
def test_no_number_of_a_checkpoint_is_believed(lived, directory, spoiler, field):
    for n, value in enumerate(wicked("Q", 3, (lived / "journal").stat().st_size)):
        store = directory / f"spoiled{n}"
        shutil.copytree(lived, store)
        subprocess.run([spoiler, store, field, str(value)], check=True)
        judge(store, directory, is_changed=value in CHANGED)
        shutil.rmtree(store)


# ---- anything at all ----


@pytest.mark.parametrize("seed", range(8))
def test_mutations_with_right_checksums(lived, directory, seed):
    """Words anywhere in records, CURRENT and the index are set to anything; what has a checksum
    gets a right one."""
    dice = random.Random(seed)
    found = records(lived)
    journal, current, rows = (
        (lived / name).read_bytes() for name in ("journal", "CURRENT", "rows")
    )
    for _ in range(12):
        data = bytearray(journal)
        for record in dice.sample(found, dice.randint(1, 4)):
            for _ in range(dice.randint(1, 3)):
                code = dice.choice("BHIQ")
                at = record.offset + 8 + dice.randrange(record.length - 16)
                struct.pack_into(
                    "<" + code, data, at, dice.choice(wicked(code, record.offset, record.row))
                )
            size = struct.unpack_from("<I", data, record.offset + 12)[0]
            if size <= record.length - HEADER.size:
                seal_payload(data, record.offset)
            seal(data, record.offset)
        (lived / "journal").write_bytes(
            chain(data, found[0].offset) if dice.random() < 0.7 else data
        )
        if dice.random() < 0.5:
            name = dice.choice(NUMBERS)
            (lived / "CURRENT").write_text(
                craft_current(current.decode(), name, dice.choice(wicked("Q", len(journal))))
            )
        else:
            (lived / "CURRENT").write_bytes(current)
        spoiled = bytearray(rows)
        for _ in range(dice.randint(0, 4)):
            struct.pack_into(
                "<Q",
                spoiled,
                dice.randrange(ROW * 40) // 8 * 8,
                dice.choice(wicked("Q", len(journal))),
            )
        (lived / "rows").write_bytes(spoiled)
        judge(lived, directory, is_changed=dice.random() < 0.3)


# ---- httpd ----


REPAIRS = ["WA0403", "WA0404", "WA0405", "WA0430", "WA0431", "WA0432", "WA0434", "WA0435", "WA0450"]


def start_or_refuse(serve, store):
    """httpd comes up and answers, or says in a line why not; no process of it ends by a signal."""
    give_to_server(store)
    server = serve(store)
    server.claim(*REPAIRS, required=False)
    try:
        server.start()
    except AssertionError as refused:
        said = str(refused)
        assert "WA0" in said and "exit signal" not in said and "Sanitizer" not in said, said
        return "refused"
    children = server.children()
    api = server.client()
    for path in ("/threads", "/contacts", "/messages-since?since=0"):
        assert api.get(path, check=False).status in (200, 500), path
    for thread in api.get("/threads", check=False).json().get("threads", []):
        assert api.get(
            "/messages", query={"counterpart": thread["counterpart"]}, check=False
        ).status in (200, 500)
    assert set(children) <= set(server.children()) and not server.lines(0, "exit signal")
    server.close()
    return "serves"


@pytest.mark.parametrize(
    "field, value",
    [
        ("row", 2**59 - 1),
        ("row", 2**59 + 1),
        ("row", 2**64 - 1),
        ("number", 2**62),
        ("number", 2**64 - 1),
        ("timestamp", 2**63 - 1),
        ("timestamp", 2**63),
        ("length", 2**32 - 8),
        ("payload_length", 2**32 - 1),
    ],
)
def test_httpd_starts_on_a_crafted_journal(lived, serve, field, value):
    data = (lived / "journal").read_bytes()
    (lived / "journal").write_bytes(craft(data, first(lived, "message", 2), {field: value}))
    (lived / "CURRENT").unlink()
    assert start_or_refuse(serve, lived) == "serves"


@pytest.mark.parametrize(
    "name, value",
    [
        ("rows", 2**59 + 1),
        ("records", 2**62),
        ("offset", 2**63 - 8),
        ("offset", 8),
        ("keys", 2**63),
        ("number", 2**64 - 1),
        ("timestamp", 2**63 - 1),
    ],
)
def test_httpd_starts_on_a_crafted_current(lived, serve, name, value):
    (lived / "CURRENT").write_text(craft_current((lived / "CURRENT").read_text(), name, value))
    assert start_or_refuse(serve, lived) == "serves"


def test_httpd_starts_on_a_crafted_index_and_checkpoint(lived, serve, spoiler):
    subprocess.run([spoiler, lived, "last_row", str(2**59 + 1)], check=True)
    os.truncate(lived / "rows", 0)
    assert start_or_refuse(serve, lived) == "serves"


def test_the_latest_time_is_the_end_and_no_overflow(lived, serve, fresh):
    data = (lived / "journal").read_bytes()
    (lived / "journal").write_bytes(craft(data, records(lived)[-1], {"timestamp": 2**53}))
    (lived / "CURRENT").unlink()
    give_to_server(lived)
    with serve(lived) as server:
        server.claim(*REPAIRS, required=False)
        server.claim("WA0451")
        server.claim("WA0455", "WA0512", "WA0201", "WA0202", required=False)
        api = server.client()
        answer = api.webhook(api.account.inbound(fresh.number(), "x", fresh.sid()), expect=None)
        assert answer.status in (500, 503), answer
        assert api.now() == 2**53
    assert ctl("verify", store=lived, expect=None).status in (0, 1)


# ---- signals ----


def huge(store):
    """A journal whose end takes hours to look through: a hole."""
    os.truncate(store / "journal", 2**43)
    (store / "CURRENT").unlink()


def maps_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "words",
    [
        ["stats"],
        ["verify"],
        ["dump"],
        ["backup", "{}/b"],
        ["compact"],
        ["rebuild"],
        ["load", "{}/in"],
    ],
    ids=lambda words: words[0],
)
def test_a_signal_ends_every_command_in_its_longest_loop(lived, directory, words, how):
    before = sorted(path.name for path in lived.iterdir() if path.name != "CURRENT")
    (directory / "in").write_text(LINE)
    huge(lived)
    running = subprocess.Popen(
        [PROGRAM, "--store", lived, *[word.format(directory) for word in words]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def is_reading():
        if running.poll() is not None:
            return True
        # run by root it is a process of the store's owner that works
        workers = (
            pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        )
        return any(str(lived / "journal") in maps_of(pid) for pid in [running.pid, *workers])

    wait_until(is_reading, "the journal to be mapped")
    assert running.poll() is None, running.stderr.read()
    running.send_signal(how)
    _, said = running.communicate(timeout=100)
    assert running.returncode == 130 and "interrupted" in said, (running.returncode, said)
    assert not (directory / "b").exists()
    assert (lived / "journal").stat().st_size == 2**43, "what nobody looked at was cut off"
    left = {path.name for path in lived.iterdir()} - set(before)
    assert not left - {"lock"}, left
