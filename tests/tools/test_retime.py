# SPDX-License-Identifier: Apache-2.0
"""A clock that was ahead once: it is said, and retime makes the times right, for whoever reads
them."""

import json
import re
import time

import pytest

from conftest import ACCOUNT, ctl, dump, everything, files_of, give_to_server
from journal import flip, records
from store.harness import Faults, faults_environment

DAY = 24 * 3600 * 1000
AHEAD = 400 * DAY


def now_ms():
    return int(time.time() * 1000)


@pytest.fixture
def shifting(serve, directory):
    """Servers on one store whose clock the test sets."""
    (directory / "faults").mkdir()
    faults = Faults(directory / "faults")

    def make(store, extra=""):
        server = serve(store, extra)
        server.environment.update(faults_environment(directory / "faults", faults))
        server.claim("WA0455", required=False)
        server.faults = faults
        return server

    return make


@pytest.fixture
def ahead(shifting, directory, fresh):
    """A store: one message of now, two of a clock that is 400 days ahead, two of now again."""
    store, numbers = directory / "store", [fresh.number() for _ in range(5)]
    with shifting(store) as server:
        api = server.client()
        api.receive(numbers[0], "before", fresh.sid())
        server.faults.shift_clock(AHEAD)
        api.receive(numbers[1], "ahead", fresh.sid())
        contact = api.add_contact(numbers[1], "Ahead")
        sent = api.send(numbers[2], "sent ahead")["message"]
        api.webhook(api.account.status(numbers[2], sent["sid"], "delivered"))
        api.webhook(api.account.status(numbers[2], fresh.sid(), "read"))  # is parked
        server.faults.shift_clock(0)
        api.receive(numbers[3], "after", fresh.sid())
        api.receive(numbers[4], "last", fresh.sid())
        said = everything(api)
    return store, numbers, said, contact


def times(store):
    return [record.timestamp for record in records(store)]


def flat(said):
    """Messages without their times, in the order of the thread list."""
    return [
        [
            {k: v for k, v in m.items() if k != "timestamp"}
            for m in said["messages"][t["counterpart"]]
        ]
        for t in said["threads"]
    ]


def test_it_is_said(ahead, shifting, fresh):
    store, *_ = ahead
    told = ctl("stats", store=store).out
    assert re.search(r"^AHEAD +the last change is dated (399|400) days after now", told, re.M), told
    found = json.loads(ctl("stats", "--json", store=store).out)["aheadMs"]
    assert AHEAD - DAY < found <= AHEAD + 60000
    told = ctl("verify", store=store).out
    assert re.search(r"^AHEAD: .* (399|400) days after now", told, re.M) and told.endswith(
        "sound\n"
    )
    with shifting(store) as server:
        server.wait_for_line("WA0455")
        server.client().receive(fresh.number(), "one more", fresh.sid())
        assert len([line for line in server.lines(0, "WA0455")]) == 1


def test_a_clock_that_is_right_is_not_mentioned(lived):
    before = files_of(lived)
    assert "AHEAD" not in ctl("stats", store=lived).out + ctl("verify", store=lived).out
    assert json.loads(ctl("stats", "--json", store=lived).out)["aheadMs"] == 0
    assert "nothing is dated after now" in ctl("retime", store=lived).err
    assert "nothing is dated after now" in ctl("retime", "--dry-run", store=lived).err
    after = files_of(lived)
    assert after == before


def test_times_become_right(ahead, shifting, fresh):
    store, numbers, said, contact = ahead
    before = times(store)
    assert before[-1] > now_ms() + AHEAD - DAY
    untouched = [t for t in before if t <= now_ms()]
    assert untouched
    dry = ctl("retime", "--dry-run", store=store).err
    assert "would be dated" in dry and times(store) == before
    told = ctl("retime", store=store).err
    assert "records were dated" in told
    after = times(store)
    assert after[: len(untouched)] == untouched and len(after) == len(before)
    assert all(a < b for a, b in zip(after, after[1:])), "not in strict order"
    assert after[-1] <= now_ms()
    assert after[0] > now_ms() - 3600 * 1000
    assert ctl("verify", store=store).out.endswith("sound\n")
    assert "AHEAD" not in ctl("stats", store=store).out
    assert json.loads(ctl("stats", "--json", store=store).out)["hasJournalBeforeRetime"]
    assert "nothing is dated after now" in ctl("retime", store=store).err
    with shifting(store) as server:
        api = server.client()
        again = everything(api)
        assert flat(again) == flat(said), "more than times changed"
        assert [t["counterpart"] for t in again["threads"]] == [
            t["counterpart"] for t in said["threads"]
        ]
        found = api.contacts()[0]
        assert found["id"] == contact["id"] and found["createdAt"] <= now_ms()
        assert found["updatedAt"] <= now_ms()
        # who polls with a time of then is given the server's, and goes on from there
        answer = api.since(said["now"])
        assert answer["messages"] == [] and answer["timestamp"] == after[-1]
        api.receive(numbers[0], "news", fresh.sid())
        news = api.since(answer["timestamp"])
        assert [m["body"] for m in news["messages"]] == ["news"]
        assert abs(news["messages"][0]["timestamp"] - now_ms()) < 60000
        assert len(api.since(0)["messages"]) == 6
        assert not server.lines(0, "WA0455")


def test_no_time_of_then_is_left_anywhere(ahead):
    store, *_ = ahead
    ctl("retime", "--delete", store=store)
    assert not (store / "journal.before-retime").exists()
    data = b"".join(files_of(store).values())
    wrong = [int(t) for t in re.findall(rb"(?<![0-9])[0-9]{13}(?![0-9])", data)]
    assert wrong, "no times are kept as text: this test could not fail"
    assert max(wrong) <= now_ms()


def test_the_way_back(ahead):
    store, *_ = ahead
    before = dump(store)
    ctl("retime", store=store)
    assert dump(store) != before
    (store / "journal.before-retime").rename(store / "journal")
    ctl("rebuild", store=store)
    assert dump(store) == before


@pytest.mark.parametrize("is_mended", [False, True])
def test_the_window_goes_by_the_clock(ahead, shifting, fresh, is_mended):
    """Who wrote 25 hours ago has a closed window, who wrote an hour ago an open one."""
    store, numbers, _, _ = ahead
    if is_mended:
        ctl("retime", store=store)
    with shifting(store, "WhatsAppEnforceWindow on\n") as server:
        api = server.client()
        closes = {t["counterpart"]: t.get("windowClosesAt") for t in api.threads()}
        for number in (numbers[0], numbers[1], numbers[3], numbers[4]):
            assert abs(closes[number] - now_ms() - DAY) < 600000, number
        server.faults.shift_clock(24 * 3600 * 1000)
        api.receive(numbers[4], "again", fresh.sid())
        server.faults.shift_clock(25 * 3600 * 1000)
        for number in (numbers[0], numbers[1], numbers[3]):
            assert api.post("/send", {"phoneNumber": number, "message": "x"}).status == 409
        assert api.post("/send", {"phoneNumber": numbers[4], "message": "x"}).status == 200
        server.faults.shift_clock(0)


def test_a_store_that_began_ahead(shifting, directory, fresh):
    store = directory / "store"
    with shifting(store) as server:
        server.faults.shift_clock(AHEAD)
        api = server.client()
        for _ in range(3):
            api.receive(fresh.number(), "x", fresh.sid())
        said = everything(api)
        server.faults.shift_clock(0)
    old = times(store)
    ctl("retime", store=store)
    new = times(store)
    assert [b - a for a, b in zip(new, new[1:])] == [b - a for a, b in zip(old, old[1:])]
    assert now_ms() - 600000 < new[-1] <= now_ms()
    give_to_server(store)
    with shifting(store) as server:
        assert flat(everything(server.client())) == flat(said)


def test_what_it_refuses(ahead, shifting, directory):
    store, *_ = ahead
    with shifting(store):
        assert "in use" in ctl("retime", store=store, expect=2).err
        assert "would be dated" in ctl("retime", "--dry-run", store=store).err
    before = files_of(store)
    flip(store / "journal", records(store)[1].offset + 90)
    assert "rebuild" in ctl("retime", store=store, expect=1).err
    flip(store / "journal", records(store)[0].end + 90)
    assert "no store" in ctl("retime", store=directory / "none", expect=2).err.lower()
    assert set(files_of(store)) == set(before)


def test_a_dump_keeps_when_it_was(ahead, shifting, directory, fresh):
    """load takes no times that are ahead, and says what to do; the dates of the others are kept."""
    store, numbers, *_ = ahead
    text = ctl("dump", store=store).out
    refused = ctl(
        "load", "-", "--account-sid", ACCOUNT, store=directory / "x", stdin=text, expect=1
    )
    assert "retime" in refused.err
    ctl("retime", store=store)
    with shifting(store) as server:
        server.client().receive(
            numbers[0], "late", fresh.sid(), DateSent="Thu, 01 Jan 2015 00:00:00 +0000"
        )
        server.client().receive(
            number := fresh.number(),
            "late",
            fresh.sid(),
            DateSent="Thu, 01 Jan 2015 00:00:00 +0000",
        )
        row = server.client().thread(number)
    assert row["windowClosesAt"] == 1420070400000 + DAY
    text = ctl("dump", store=store).out
    assert '"date":1420070400000' in text
    ctl("load", "-", "--account-sid", ACCOUNT, store=directory / "new", stdin=text)
    assert ctl("dump", store=directory / "new").out == text


@pytest.mark.parametrize("way", ["all", "changed"])
def test_a_poller_with_a_time_of_then(ahead, shifting, fresh, way):
    """It is given the server's time and all threads, and misses nothing that comes later; no poll
    of a time in between hides anything either."""
    store, numbers, said, _ = ahead
    before = times(store)
    ctl("retime", store=store)
    after = times(store)
    with shifting(store) as server:
        api = server.client()
        api.receive(numbers[0], "came while it was away", fresh.sid())
        now = api.since(0)["timestamp"]
        for old in [moment for moment in before if moment > now]:
            answer = api.get("/messages-since", {"since": old, "threads": way}).json()
            assert answer["messages"] == answer["updates"] == [] and not answer["hasMore"]
            assert answer["timestamp"] == now
            rows = {row["counterpart"]: row["lastMessagePreview"] for row in answer["threads"]}
            assert set(rows) == set(numbers) and rows[numbers[0]] == "came while it was away"
        held = now
        for text in ("one", "two", "three"):
            api.receive(numbers[1], text, fresh.sid())
            answer = api.get("/messages-since", {"since": held, "threads": way}).json()
            assert [message["body"] for message in answer["messages"]] == [text]
            assert answer["timestamp"] > held
            held = answer["timestamp"]
        # a time that is right again: nothing of what the store has after it is left out
        for moment in after:
            found = [message["timestamp"] for message in api.since(moment)["messages"]]
            everything_after = [
                m["timestamp"] for m in api.since(0)["messages"] if m["timestamp"] > moment
            ]
            assert found == everything_after
