# SPDX-License-Identifier: Apache-2.0
"""stats: the numbers are right, beside a live server and without a checkpoint too."""

import json

from conftest import ctl, dump, files_of
from journal import records


def stats(store):
    return json.loads(ctl("stats", "--json", store=store).out)


def expected(pairs):
    messages = [value for key, value in pairs if key.startswith("msg:")]
    threads = [value for key, value in pairs if key.startswith("thread:")]
    return {
        "messages": len(messages),
        "threads": len(threads),
        "unread": sum(thread["unreadCount"] for thread in threads),
        "contacts": sum(key.startswith("contact:") for key, _ in pairs),
        "oldestTimestamp": min(message["timestamp"] for message in messages),
        "newestTimestamp": max(message["timestamp"] for message in messages),
    }


def test_the_numbers_are_those_of_the_store(lived):
    found = stats(lived)
    assert found.items() >= expected(dump(lived)).items()
    all_records = records(lived)
    assert found["records"] == len(all_records)
    assert found["journalBytes"] == all_records[-1].end
    assert found["lastChange"] == all_records[-1].timestamp
    assert found["parked"] == 1 and found["inUse"] is False
    assert found["checkpoint"]["journalBytesAfter"] == 0
    assert found["keyLevels"][0]["slots"] == 65536
    assert found["damagedBytes"] == 0 and found["damagedFiles"] == 0


def test_looking_changes_nothing(lived):
    before = files_of(lived)
    ctl("stats", store=lived)
    ctl("verify", store=lived)
    ctl("dump", store=lived)
    assert files_of(lived) == before


def test_without_a_checkpoint_the_numbers_are_the_same(lived):
    found = stats(lived)
    (lived / "CURRENT").unlink()
    again = stats(lived)
    assert "checkpoint" not in again
    for name in ("checkpoint", "checkpointFileBytes"):
        found.pop(name), again.pop(name, None)
    assert again == found
    assert "none that can be used" in ctl("stats", store=lived).out


def test_beside_a_live_server(lived, serve, fresh):
    with serve(lived) as server:
        api = server.client()
        number = fresh.number()
        before = stats(lived)
        assert before["inUse"] is True
        api.receive(number, fresh.text(), fresh.sid())
        api.receive(number, fresh.text(), fresh.sid())
        found = stats(lived)
        assert found["messages"] == before["messages"] + 2
        assert found["unread"] == before["unread"] + 2
        assert found["threads"] == before["threads"] + 1
        assert found["checkpoint"]["journalBytesAfter"] > 0
        assert found["lastChange"] == api.now()
        assert found["journalAllocatedBytes"] > found["journalBytes"]
        server.kill_all()
    assert stats(lived)["messages"] == found["messages"]


def test_the_text_says_the_same(lived):
    found, text = stats(lived), ctl("stats", store=lived).out
    assert (
        f"messages     {found['messages']} in {found['threads']} threads, {found['unread']} unread"
        in text
    )
    assert "in use       no" in text
    assert f"account      {found['accountSid']}" in text
