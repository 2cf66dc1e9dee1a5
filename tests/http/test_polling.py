# SPDX-License-Identifier: Apache-2.0
"""GET /messages-since: the polling promise, as one client sees it."""

import time

import pytest

from test_messages import BAD_NUMBERS


@pytest.mark.every_mpm
def test_what_came_since_is_given_once_and_oldest_first(api, fresh):
    start = api.now()
    number, other = fresh.number(), fresh.number()
    texts = [fresh.text() for _ in range(4)]
    api.receive(number, texts[0], fresh.sid())
    api.receive(other, texts[1], fresh.sid())
    api.send(number, texts[2])
    api.receive(number, texts[3], fresh.sid())
    answer = api.since(start)
    assert set(answer) == {"success", "messages", "updates", "threads", "timestamp", "hasMore"}
    assert [message["body"] for message in answer["messages"]] == texts
    stamps = [message["timestamp"] for message in answer["messages"]]
    assert stamps == sorted(set(stamps)) and stamps[0] > start
    assert answer["timestamp"] >= stamps[-1]
    assert answer["hasMore"] is False
    assert answer["updates"] == []
    again = api.since(answer["timestamp"])
    assert (
        again["messages"] == []
        and again["updates"] == []
        and again["timestamp"] == answer["timestamp"]
    )


def test_a_message_is_given_as_messages_gives_it(api, fresh):
    start = api.now()
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    api.send(number, fresh.text())
    assert api.since(start)["messages"] == api.messages(number)["messages"][::-1]


def test_since_a_messages_own_timestamp_leaves_it_out(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    stamp = api.messages(number)["messages"][0]["timestamp"]
    assert number not in [message["counterpart"] for message in api.since(stamp)["messages"]]
    assert [message["counterpart"] for message in api.since(stamp - 1)["messages"]][0] == number


def test_threads_are_all_or_only_the_changed(api, fresh):
    quiet, busy = fresh.number(), fresh.number()
    api.receive(quiet, fresh.text(), fresh.sid())
    start = api.now()
    api.receive(busy, fresh.text(), fresh.sid())
    assert api.since(start, threads="all")["threads"] == api.threads()
    assert api.since(start)["threads"] == api.threads()
    assert [row["counterpart"] for row in api.since(start, threads="changed")["threads"]] == [busy]
    assert api.since(api.now(), threads="changed")["threads"] == []


def test_a_contact_changes_its_thread(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    start = api.now()
    contact = api.add_contact(number, "Joined later")
    (row,) = api.since(start, threads="changed")["threads"]
    assert (row["counterpart"], row["contactId"], row["contactName"]) == (
        number,
        contact["id"],
        "Joined later",
    )
    start = api.now()
    api.patch(f"/contacts/{contact['id']}", {"displayName": "Renamed"})
    (row,) = api.since(start, threads="changed")["threads"]
    assert row["contactName"] == "Renamed"
    start = api.now()
    api.delete(f"/contacts/{contact['id']}")
    (row,) = api.since(start, threads="changed")["threads"]
    assert "contactName" not in row and "contactId" not in row


def test_an_older_message_whose_status_changed_is_an_update(api, fresh):
    number = fresh.number()
    sent = api.send(number, fresh.text())["message"]
    start = api.now()
    api.webhook(api.account.status(number, sent["sid"], "delivered"))
    answer = api.since(start)
    assert answer["messages"] == []
    (update,) = answer["updates"]
    assert update == {**sent, "deliveryStatus": "delivered"}
    assert answer["timestamp"] > start
    after = api.since(answer["timestamp"])
    assert after["updates"] == [] and after["messages"] == []


def test_a_new_message_whose_status_changed_is_given_once(api, fresh):
    number = fresh.number()
    start = api.now()
    sent = api.send(number, fresh.text())["message"]
    api.webhook(api.account.status(number, sent["sid"], "delivered"))
    answer = api.since(start)
    assert [(message["id"], message["deliveryStatus"]) for message in answer["messages"]] == [
        (sent["id"], "delivered")
    ]
    assert answer["updates"] == []


def test_several_changes_of_one_message_are_one_update(api, fresh):
    number = fresh.number()
    sent = api.send(number, fresh.text())["message"]
    start = api.now()
    for status in ("sent", "delivered", "read"):
        api.webhook(api.account.status(number, sent["sid"], status))
    assert [
        (message["id"], message["deliveryStatus"]) for message in api.since(start)["updates"]
    ] == [(sent["id"], "read")]


def test_a_since_in_the_future_is_answered_with_the_servers_own_time(api, fresh):
    api.receive(fresh.number(), fresh.text(), fresh.sid())
    now = api.now()
    for future in (int(time.time() * 1000) + 3600 * 1000, 9007199254740991):
        answer = api.since(future)
        assert answer["timestamp"] == now
        assert answer["messages"] == [] and answer["updates"] == [] and answer["hasMore"] is False
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    assert [message["counterpart"] for message in api.since(now)["messages"]] == [number]


def test_timestamps_are_milliseconds_of_this_time(api, fresh):
    before = int(time.time() * 1000)
    api.receive(fresh.number(), fresh.text(), fresh.sid())
    stamp = api.now()
    # commits above 1,000 a second may run ahead of the clock, which a test never does
    assert before - 1000 <= stamp <= int(time.time() * 1000) + 60000


def test_the_answer_is_bounded_and_says_where_to_go_on(new_server, fresh):
    """1,203 messages come in three answers, each message once; the last one says that this is
    all."""
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        sids = [fresh.sid() for _ in range(1203)]
        for index, sid in enumerate(sids):
            api.receive(number, f"message number {index} of a long thread", sid)
        since, seen, sizes = 0, [], []
        while True:
            answer = api.since(since)
            assert answer["timestamp"] > since
            since = answer["timestamp"]
            sizes.append(len(answer["messages"]))
            seen += [message["sid"] for message in answer["messages"]]
            if not answer["hasMore"]:
                break
        assert seen == sids
        assert len(sizes) == 3 and max(sizes) <= 500
        assert api.since(since)["messages"] == []


def test_updates_are_bounded_too(new_server, fresh):
    """Over 500 status changes are given in several answers, none lost."""
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        sent = [
            api.send(number, f"message number {index} to be delivered")["message"]
            for index in range(520)
        ]
        start = api.now()
        for message in sent:
            api.webhook(api.account.status(number, message["sid"], "delivered"))
        since, seen, rounds = start, {}, 0
        while True:
            answer = api.since(since)
            assert answer["messages"] == []
            assert len(answer["updates"]) <= 500
            for message in answer["updates"]:
                assert message["id"] not in seen, "given twice"
                seen[message["id"]] = message["deliveryStatus"]
            assert answer["timestamp"] > since
            since, rounds = answer["timestamp"], rounds + 1
            if not answer["hasMore"]:
                break
        assert seen == {message["id"]: "delivered" for message in sent}
        assert rounds == 2


@pytest.mark.parametrize("since", BAD_NUMBERS + ["9" * 30], ids=ascii)
def test_a_since_that_is_no_number_in_range_is_refused(api, since):
    response = api.get("/messages-since", {"since": since})
    assert response.status == 400
    assert "since" in response.json()["error"]


def test_since_is_needed(api):
    assert api.get("/messages-since").status == 400
    assert api.get("/messages-since", {"threads": "all"}).status == 400


@pytest.mark.parametrize("threads", ["", "ALL", "some", "1", "all,changed", "\x00"], ids=ascii)
def test_threads_is_all_or_changed(api, threads):
    response = api.get("/messages-since", {"since": "0", "threads": threads})
    assert response.status == 400
    assert "threads" in response.json()["error"]


def test_an_empty_store_answers_too(new_server):
    with new_server() as server:
        api = server.client()
        server.secrets.add("nothing is planted in this server")
        answer = api.since(0)
        assert (
            answer["messages"] == []
            and answer["updates"] == []
            and answer["threads"] == []
            and answer["hasMore"] is False
        )
        assert api.threads() == [] and api.contacts() == []
        assert answer["timestamp"] >= 0
