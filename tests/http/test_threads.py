# SPDX-License-Identifier: Apache-2.0
"""GET /threads and POST /threads/{counterpart}/read."""

import pytest


@pytest.mark.every_mpm
def test_a_thread_sums_up_its_messages(api, fresh):
    number = fresh.number()
    for text in ("first of them all", "second of them all"):
        api.receive(number, text, fresh.sid())
    thread = api.thread(number)
    newest = api.messages(number)["messages"][0]
    assert thread == {
        "counterpart": number,
        "lastMessagePreview": "second of them all",
        "lastMessageTimestamp": newest["timestamp"],
        "lastDirection": "received",
        "messageCount": 2,
        "unreadCount": 2,
        "windowClosesAt": newest["timestamp"] + 24 * 3600 * 1000,
        "profileName": "Ana Gómez",
    }
    sent = api.send(number, "the answer to both")["message"]
    assert api.thread(number) == {
        "counterpart": number,
        "lastMessagePreview": "the answer to both",
        "lastMessageTimestamp": sent["timestamp"],
        "lastDirection": "sent",
        "messageCount": 3,
        "unreadCount": 2,
        "windowClosesAt": newest["timestamp"] + 24 * 3600 * 1000,
        "profileName": "Ana Gómez",
    }


def test_the_latest_thread_comes_first(api, fresh):
    numbers = [fresh.number() for _ in range(4)]
    for number in numbers + [numbers[1]]:
        api.receive(number, fresh.text(), fresh.sid())
    rows = api.threads()
    order = [row["counterpart"] for row in rows if row["counterpart"] in numbers]
    assert order == [numbers[1], numbers[3], numbers[2], numbers[0]]
    stamps = [row["lastMessageTimestamp"] for row in rows]
    assert stamps == sorted(stamps, reverse=True)


@pytest.mark.parametrize(
    "text",
    ["x" * 101, "\U0001f600" * 150, "é" * 100, "e\u0301" * 80, 'a\nb\t"c"\\' * 30],
    ids=["ascii", "emoji", "exact", "combining", "escapes"],
)
def test_the_preview_is_the_first_100_characters(api, fresh, text):
    number = fresh.number()
    api.receive(number, text, fresh.sid())
    assert api.thread(number)["lastMessagePreview"] == text[:100]


@pytest.mark.every_mpm
def test_reading_a_thread_clears_its_count_and_its_messages(api, fresh):
    number, other = fresh.number(), fresh.number()
    for who in (number, number, other):
        api.receive(who, fresh.text(), fresh.sid())
    assert all(message["unread"] is True for message in api.messages(number)["messages"])
    answer = api.mark_read(number)
    assert set(answer) == {"success", "thread"}
    assert answer["thread"] == api.thread(number)
    assert answer["thread"]["unreadCount"] == 0 and answer["thread"]["messageCount"] == 2
    assert not any(message.get("unread", False) for message in api.messages(number)["messages"])
    assert api.thread(other)["unreadCount"] == 1
    api.receive(number, fresh.text(), fresh.sid())
    assert api.thread(number)["unreadCount"] == 1
    assert [message.get("unread", False) for message in api.messages(number)["messages"]] == [
        True,
        False,
        False,
    ]


def test_reading_twice_is_the_same(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    assert api.mark_read(number) == api.mark_read(number)


def test_getting_never_marks_as_read(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    before = api.now()
    api.messages(number)
    api.threads()
    api.since(0)
    assert api.thread(number)["unreadCount"] == 1
    assert api.now() == before


def test_a_sent_message_is_never_unread(api, fresh):
    number = fresh.number()
    assert not api.send(number, fresh.text())["message"].get("unread", False)
    assert api.thread(number)["unreadCount"] == 0
    assert api.mark_read(number)["thread"]["unreadCount"] == 0


@pytest.mark.parametrize("form", ["%2B{d}", "+{d}", "whatsapp:%2B{d}", "%20{d}"])
def test_the_counterpart_in_the_path_is_read_as_people_write_it(api, fresh, form):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    response = api.post("/threads/" + form.format(d=number[1:]) + "/read")
    assert response.status == 200
    assert response.json()["thread"]["counterpart"] == number


def test_another_page_hears_of_a_thread_that_was_read(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    before = api.now()
    api.mark_read(number)
    answer = api.since(before, threads="changed")
    rows = [row for row in answer["threads"] if row["counterpart"] == number]
    assert len(rows) == 1 and rows[0]["unreadCount"] == 0
    assert answer["timestamp"] > before
