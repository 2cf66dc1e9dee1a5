# SPDX-License-Identifier: Apache-2.0
"""What each process remembers of its answers: in a server of one process every second question is
answered from there, and no answer may be another's or an old one."""

import time
from urllib.parse import quote

import pytest

from support.httpd import Account, messenger

ONE_PROCESS = """
StartServers 1
ServerLimit 1
ThreadLimit 8
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
"""
FUTURE = 9007199254740991


@pytest.fixture
def one(new_server):
    """A client of a server whose requests all meet in one process."""
    with new_server(settings_of=("worker", ONE_PROCESS)) as server:
        yield server.client()


def twice(ask):
    """Asks two times, the second time for what was remembered."""
    first, second = ask(), ask()
    assert first == second
    return second


def bodies(answer):
    return [message["body"] for message in answer["messages"]]


@pytest.mark.parametrize("threads", ["all", "changed"])
def test_an_idle_poll_answers_nobody_who_asks_from_earlier(one, fresh, threads):
    number = fresh.number()
    texts = [fresh.text() for _ in range(3)]
    stamps = []
    for text in texts:
        one.receive(number, text, fresh.sid())
        stamps.append(one.now())
    idle = twice(lambda: one.since(stamps[2], threads=threads))
    assert idle["messages"] == [] and idle["timestamp"] == stamps[2]
    for index, stamp in enumerate(stamps):
        assert bodies(one.since(stamp, threads=threads)) == texts[index + 1 :]
        assert bodies(one.since(stamp - 1, threads=threads)) == texts[index:]
    assert bodies(one.since(0, threads=threads)) == texts
    future = one.since(FUTURE, threads=threads)
    assert future["messages"] == [] and future["timestamp"] == stamps[2]
    assert future["threads"] == one.threads() != []


def test_a_poll_from_ahead_is_given_all_threads_and_one_from_now_none(one, fresh):
    """Who was ahead of the store cannot know what it missed."""
    for _ in range(3):
        one.receive(fresh.number(), fresh.text(), fresh.sid())
    now = one.now()
    assert len(one.threads()) == 3
    assert twice(lambda: one.since(now, threads="changed"))["threads"] == []
    for ahead in (now + 1, int(time.time() * 1000) + 3600 * 1000, FUTURE):
        answer = twice(lambda: one.since(ahead, threads="changed"))
        assert answer["threads"] == one.threads()
        assert answer["timestamp"] == now
    assert len(one.since(now - 1, threads="changed")["threads"]) == 1


def test_idle_polls_with_all_threads_and_with_changed_ones_are_two(one, fresh):
    one.receive(fresh.number(), fresh.text(), fresh.sid())
    now = one.now()
    for _ in range(2):
        assert one.since(now, threads="changed")["threads"] == []
        assert one.since(now, threads="all")["threads"] == one.threads() != []
        assert one.since(now)["threads"] == one.threads()


def test_whatever_changes_is_seen_by_the_next_question(one, fresh):
    """Lists, pages and polls are asked for between all changes there are."""
    number, other = fresh.number(), fresh.number()
    one.receive(other, fresh.text(), fresh.sid())
    one.receive(number, fresh.text(), fresh.sid())
    contact = one.add_contact(number, "Before")
    sent = one.send(number, fresh.text())["message"]
    path = f"/threads/{quote(number, safe='')}"

    def look():
        start = one.now()
        return (
            start,
            twice(one.threads),
            twice(one.contacts),
            twice(lambda: one.messages(number)),
            twice(lambda: one.since(start)),
            twice(lambda: one.since(start, threads="changed")),
        )

    def change_is_seen(change, is_seen, in_contacts=False, in_page=True):
        start, threads, contacts, page, _, _ = look()
        change()
        now = one.thread(number)
        assert is_seen(now), now
        assert one.threads() != threads
        assert (one.contacts() != contacts) == in_contacts
        assert (one.messages(number) != page) == in_page
        poll = one.since(start, threads="changed")
        assert [row["counterpart"] for row in poll["threads"]] == [number]
        assert poll["timestamp"] > start
        look()

    change_is_seen(
        lambda: one.receive(number, "what is newest now", fresh.sid()),
        lambda row: row["lastMessagePreview"] == "what is newest now",
    )
    change_is_seen(lambda: one.mark_read(number), lambda row: row["unreadCount"] == 0)
    change_is_seen(
        lambda: one.post(f"{path}/block"), lambda row: row["blocked"] is True, in_page=False
    )
    change_is_seen(
        lambda: one.post(f"{path}/unblock"), lambda row: "blocked" not in row, in_page=False
    )
    change_is_seen(
        lambda: one.patch(f"/contacts/{contact['id']}", {"displayName": "After"}),
        lambda row: row["contactName"] == "After",
        in_contacts=True,
        in_page=False,
    )
    change_is_seen(
        lambda: one.delete(f"/contacts/{contact['id']}"),
        lambda row: "contactName" not in row,
        in_contacts=True,
    )
    start, _, _, page, _, _ = look()
    one.webhook(one.account.status(number, sent["sid"], "read"))
    assert one.messages(number) != page
    assert [update["id"] for update in one.since(start)["updates"]] == [sent["id"]]


def test_pages_of_another_size_or_counterpart_are_others(one, fresh):
    numbers = [fresh.number() for _ in range(3)]
    for index, number in enumerate(numbers):
        for _ in range(index + 2):
            one.receive(number, fresh.text(), fresh.sid())
    for _ in range(2):
        for index, number in enumerate(numbers):
            for limit in (1, 2, 3, 200):
                page = one.messages(number, limit=limit)
                assert {message["counterpart"] for message in page["messages"]} == {number}
                assert len(page["messages"]) == min(limit, index + 2)
                assert page["listComplete"] == (limit >= index + 2)


def test_what_one_site_remembers_is_not_anothers(new_server, fresh):
    """Two virtual hosts of one process, each with its store."""
    second = Account(sid="AC" + "5" * 32, token="c" * 32, number="+14155238880")
    server = new_server(settings_of=("worker", ONE_PROCESS))
    first = server.configure

    def both(httpd):
        return (
            "<VirtualHost *>\nServerName 127.0.0.1\n"
            + first(httpd)
            + "</VirtualHost>\n<VirtualHost *>\nServerName second.test\n"
            + messenger(second, httpd.directory / "store-2", "http://127.0.0.1:9")
            + "</VirtualHost>\n"
        )

    server.configure = both
    with server:
        server.secrets.add(second.token)
        one, two = server.client(), server.client(host="second.test", account=second)
        number = fresh.number()
        one.receive(number, fresh.text(), fresh.sid())
        one.add_contact(number, "Of the first")
        for _ in range(2):
            assert len(one.threads()) == 1 and two.threads() == []
            assert len(one.contacts()) == 1 and two.contacts() == []
            assert len(one.messages(number)["messages"]) == 1
            assert two.messages(number)["messages"] == []
            assert one.since(one.now())["threads"] != two.since(two.now())["threads"] == []
