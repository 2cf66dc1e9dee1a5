# SPDX-License-Identifier: Apache-2.0
"""GET /messages: a thread page by page, and what is not a valid question."""

import threading

import pytest

BAD_NUMBERS = [
    "",
    " ",
    "-1",
    "+1",
    "1.0",
    "1e2",
    "0x10",
    "abc",
    "5x",
    " 5",
    "5 ",
    "5,0",
    "\u0665",
    "--",
    "null",
    "1_0",
]


def fill(api, fresh, number, count, start=0):
    """`count` inbound messages one after the other; gives their texts in that order."""
    texts = [f"filler message {start + index} {fresh.text()}" for index in range(count)]
    for text in texts:
        api.receive(number, text, fresh.sid())
    return texts


@pytest.mark.every_mpm
def test_a_thread_is_given_newest_first(api, fresh):
    number = fresh.number()
    texts = fill(api, fresh, number, 3)
    api.send(number, "an answer to all that")
    page = api.messages(number)
    assert [message["body"] for message in page["messages"]] == ["an answer to all that"] + texts[
        ::-1
    ]
    assert [message["direction"] for message in page["messages"]] == [
        "sent",
        "received",
        "received",
        "received",
    ]
    stamps = [message["timestamp"] for message in page["messages"]]
    assert stamps == sorted(stamps, reverse=True) and len(set(stamps)) == 4
    assert len({message["id"] for message in page["messages"]}) == 4
    assert page["listComplete"] is True and "cursor" not in page


def test_an_unknown_counterpart_has_an_empty_complete_list(api, fresh):
    assert api.messages(fresh.number()) == {"success": True, "messages": [], "listComplete": True}


def test_fifty_are_given_unless_said_otherwise_and_never_over_200(api, fresh):
    number = fresh.number()
    fill(api, fresh, number, 205)
    for limit, expected in (
        (None, 50),
        (1, 1),
        (49, 49),
        (50, 50),
        (199, 199),
        (200, 200),
        (201, 200),
        (1000, 200),
        (99999, 200),
    ):
        page = api.messages(number, **({} if limit is None else {"limit": limit}))
        assert len(page["messages"]) == expected, limit
        assert page["listComplete"] is False and page["cursor"], limit
    rest = api.messages(number, limit=200, cursor=api.messages(number, limit=200)["cursor"])
    assert len(rest["messages"]) == 5
    assert rest["listComplete"] is True and "cursor" not in rest


def test_a_page_that_ends_exactly_at_the_end_is_complete(api, fresh):
    number = fresh.number()
    fill(api, fresh, number, 4)
    assert api.messages(number, limit=4)["listComplete"] is True
    first = api.messages(number, limit=2)
    assert first["listComplete"] is False
    second = api.messages(number, limit=2, cursor=first["cursor"])
    assert len(second["messages"]) == 2
    assert second["listComplete"] is True and "cursor" not in second


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
def test_a_walk_sees_each_message_once_while_others_arrive(api, fresh, limit):
    number = fresh.number()
    count = 12 if limit == 1 else 61
    texts = fill(api, fresh, number, count)
    seen, cursor = [], None
    while True:
        page = api.messages(number, limit=limit, **({"cursor": cursor} if cursor else {}))
        seen += [message["body"] for message in page["messages"]]
        fill(api, fresh, number, 1, start=1000)
        if page["listComplete"]:
            break
        cursor = page["cursor"]
    assert seen == texts[::-1]


def test_a_walk_sees_each_message_once_while_a_writer_runs(api, fresh):
    number = fresh.number()
    texts = fill(api, fresh, number, 80)
    stop = threading.Event()
    errors = []

    def write():
        try:
            while not stop.is_set():
                fill(api, fresh, number, 1, start=5000)
        except BaseException as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            seen = [message["body"] for message in api.all_messages(number, limit=9)]
            assert seen[-len(texts) :] == texts[::-1]
            assert len(seen) == len(set(seen))
    finally:
        stop.set()
        writer.join(60)
    assert not errors, errors


def test_a_cursor_may_be_used_again(api, fresh):
    number = fresh.number()
    fill(api, fresh, number, 6)
    cursor = api.messages(number, limit=2)["cursor"]
    once = api.messages(number, limit=2, cursor=cursor)
    fill(api, fresh, number, 2)
    assert api.messages(number, limit=2, cursor=cursor) == once


def test_a_cursor_of_another_thread_is_refused(api, fresh):
    one, other = fresh.number(), fresh.number()
    fill(api, fresh, one, 3)
    fill(api, fresh, other, 3)
    cursor = api.messages(one, limit=1)["cursor"]
    assert api.messages(other, expect=400, limit=1, cursor=cursor)["code"] == "INVALID_INPUT"
    assert (
        api.messages(fresh.number(), expect=400, limit=1, cursor=cursor)["code"] == "INVALID_INPUT"
    )


def test_a_tampered_cursor_is_refused(api, fresh):
    number = fresh.number()
    fill(api, fresh, number, 5)
    cursor = api.messages(number, limit=2)["cursor"]
    for index, letter in enumerate(cursor):
        other = "A" if letter != "A" else "B"
        changed = cursor[:index] + other + cursor[index + 1 :]
        assert api.messages(number, expect=400, cursor=changed)["code"] == "INVALID_INPUT", (
            index,
            changed,
        )
    for changed in (
        cursor[:-1],
        cursor[1:],
        cursor + "A",
        cursor + cursor,
        cursor + "=",
        " " + cursor,
        cursor + " ",
    ):
        assert api.messages(number, expect=400, cursor=changed)["code"] == "INVALID_INPUT", changed


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "1",
        "abc",
        "../../etc/passwd",
        "\x00",
        "'",
        "%",
        "\U0001f600",
        "A" * 5000,
        "-1",
        "9" * 30,
        "null",
    ],
    ids=lambda c: ascii(c[:12]),
)
def test_a_cursor_that_is_not_ours_is_refused(api, fresh, cursor):
    number = fresh.number()
    fill(api, fresh, number, 1)
    assert "cursor" in api.messages(number, expect=400, cursor=cursor)["error"]


@pytest.mark.parametrize("limit", BAD_NUMBERS + ["0"], ids=ascii)
def test_a_limit_that_is_no_number_in_range_is_refused(api, fresh, limit):
    assert "limit" in api.messages(fresh.number(), expect=400, limit=limit)["error"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "counterpart=",
        "counterpart",
        "counterpart=%00",
        "counterpart=%FF",
        "limit=5",
        "Counterpart=%2B15550001111",
    ],
)
def test_a_counterpart_is_needed(api, query):
    response = api.get("/messages", query)
    assert response.status == 400
    assert "counterpart" in response.json()["error"]


@pytest.mark.parametrize(
    "form",
    [
        "%2B{d}",
        "+{d}",
        "%20{d}",
        "whatsapp%3A%2B{d}",
        "whatsapp:+{d}",
        "%2B{a}-{b}",
        "%2b{a}%20{b}",
        "+{a}+{b}",
    ],
)
def test_a_counterpart_in_a_query_is_read_as_people_write_it(api, fresh, form):
    number = fresh.number()
    text = fresh.text()
    api.receive(number, text, fresh.sid())
    query = "counterpart=" + form.format(d=number[1:], a=number[1:5], b=number[5:])
    response = api.get("/messages", query)
    assert response.status == 200
    assert [message["body"] for message in response.json()["messages"]] == [text]


def test_unknown_query_members_are_ignored(api, fresh):
    number = fresh.number()
    assert api.get("/messages", {"counterpart": number, "_": "1732273"}).status == 200
