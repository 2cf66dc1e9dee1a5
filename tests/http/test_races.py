# SPDX-License-Identifier: Apache-2.0
"""Many at once: counts are exact, and a client that chains T sees every message exactly once,
whatever is restarted or killed."""

import collections
import threading

import pytest

from support.conditions import in_parallel


@pytest.mark.every_mpm
def test_200_parallel_sends_to_one_counterpart_are_200_messages(server, api, fresh, twilio):
    number = fresh.number()
    texts = [f"parallel message {index} {fresh.text()}" for index in range(200)]
    # prefork has a process for each connection: fewer at one time, as many messages
    width = 200 if server.mpm != "prefork" else 50
    answers = []
    for start in range(0, 200, width):
        answers += in_parallel(
            width, lambda index, start=start: api.send(number, texts[start + index])["message"]
        )
    stored = api.all_messages(number)
    assert sorted(message["body"] for message in stored) == sorted(texts)
    assert {message["id"] for message in stored} == {message["id"] for message in answers}
    assert (
        len({message["id"] for message in stored})
        == len({message["sid"] for message in stored})
        == 200
    )
    assert {message["status"] for message in stored} == {"success"}
    thread = api.thread(number)
    assert thread["messageCount"] == 200 and thread["unreadCount"] == 0
    assert thread["lastMessageTimestamp"] == max(message["timestamp"] for message in stored)
    assert collections.Counter(
        request["Body"] for request in twilio.requests_to(number)
    ) == collections.Counter(texts)


@pytest.mark.every_mpm
def test_counts_are_exact_when_messages_come_and_are_read_at_once(api, fresh):
    number = fresh.number()
    texts = [fresh.text() for _ in range(60)]

    def act(index):
        if index % 3 == 2:
            response = api.post(f"/threads/%2B{number[1:]}/read")
            assert response.status in (200, 404), response
        else:
            api.receive(number, texts[index], fresh.sid())

    in_parallel(60, act)
    messages = api.all_messages(number)
    thread = api.thread(number)
    assert len(messages) == thread["messageCount"] == 40
    assert (
        sum(message["unread"] for message in messages if "unread" in message)
        == thread["unreadCount"]
    )
    assert api.mark_read(number)["thread"]["unreadCount"] == 0
    assert not any(message.get("unread", False) for message in api.all_messages(number))


class Poller(threading.Thread):
    """A client that chains T from `since` until it is told that all is written, and then to the end
    of what there is."""

    def __init__(self, api, since):
        super().__init__(daemon=True)
        self.api, self.since = api, since
        self.seen = []
        self.is_written = threading.Event()
        self.error = None

    def run(self):
        try:
            while True:
                is_last_round = self.is_written.is_set()
                try:
                    response = self.api.get(
                        "/messages-since", {"since": self.since, "threads": "changed"}
                    )
                except (OSError, EOFError, self.api.broken):
                    continue  # it broke with the server that was killed: ask again, T is as it was
                if response.status == 503:
                    continue
                assert response.status == 200, response
                answer = response.json()
                stamps = [message["timestamp"] for message in answer["messages"]]
                assert all(self.since < stamp <= answer["timestamp"] for stamp in stamps), (
                    self.since,
                    stamps,
                    answer["timestamp"],
                )
                assert stamps == sorted(stamps)
                assert answer["timestamp"] >= self.since
                self.seen += [message["id"] for message in answer["messages"]]
                self.since = answer["timestamp"]
                if is_last_round and not answer["hasMore"]:
                    return
        except BaseException as error:
            self.error = error


def chase(server, fresh, disturb, writers=32, each=12, pollers=4):
    """Writers and pollers run while `disturb` does its worst; every message must be seen exactly
    once by every poller."""
    api = server.client()
    start = api.now()
    numbers = [fresh.number() for _ in range(8)]
    chasers = [Poller(api, start) for _ in range(pollers)]
    for chaser in chasers:
        chaser.start()
    done = [0] * writers
    at_work = threading.Event()

    def write(index):
        if index == writers:
            at_work.wait(60)
            return disturb()
        for round_ in range(each):
            number, sid, text = numbers[(index + round_) % len(numbers)], fresh.sid(), fresh.text()
            while True:
                # as a careful sender would: the same MessageSid again until it is answered, which
                # must store it once
                try:
                    if (index + round_) % 4 == 0:
                        api.send(number, text)
                    else:
                        api.receive(number, text, sid)
                    break
                except (OSError, EOFError, api.broken):
                    if (index + round_) % 4 == 0:
                        break  # nobody may send twice: what became of it is the store's to tell
            done[index] += 1
            if sum(done) > writers:
                at_work.set()
        return None

    in_parallel(writers + 1, write, timeout=180)
    for chaser in chasers:
        chaser.is_written.set()
    for chaser in chasers:
        chaser.join(60)
        assert not chaser.is_alive()
        if chaser.error:
            raise chaser.error
    truth = [message["id"] for number in numbers for message in api.all_messages(number)]
    assert len(truth) == len(set(truth)) >= writers * each * 3 // 4
    for chaser in chasers:
        counts = collections.Counter(chaser.seen)
        assert [identifier for identifier, count in counts.items() if count != 1] == []
        assert set(counts) == set(truth)
    for number in numbers:
        assert api.thread(number)["messageCount"] == len(api.all_messages(number))
    return truth


@pytest.mark.every_mpm
def test_pollers_see_every_message_once_while_32_write_and_httpd_restarts_gracefully(
    new_server, fresh
):
    with new_server() as server:
        truth = chase(server, fresh, lambda: [server.graceful() for _ in range(2)])
        # a graceful restart breaks no request: not one write was lost
        assert len(truth) == 32 * 12


@pytest.mark.every_mpm
def test_pollers_see_every_message_once_while_children_are_killed(new_server, fresh):
    with new_server() as server:

        def disturb():
            for _ in range(3):
                server.kill_child()
            server.graceful()
            server.kill_child()

        server.claim("WA04*", required=False)
        chase(server, fresh, disturb)


def test_two_pollers_agree_on_the_order(new_server, fresh):
    """What is committed in one order is given in that order to everybody."""
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        chasers = [Poller(api, 0) for _ in range(3)]
        for chaser in chasers:
            chaser.start()
        in_parallel(
            16, lambda index: [api.receive(number, fresh.text(), fresh.sid()) for _ in range(20)]
        )
        for chaser in chasers:
            chaser.is_written.set()
        for chaser in chasers:
            chaser.join(60)
            assert chaser.error is None
        order = [message["id"] for message in api.all_messages(number)][::-1]
        assert len(order) == 320
        for chaser in chasers:
            assert chaser.seen == order


def test_timestamps_never_go_back_over_a_cold_restart(new_server, fresh):
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        last = 0
        for _ in range(3):
            api.receive(number, fresh.text(), fresh.sid())
            stamp = api.now()
            assert stamp > last
            last = stamp
            server.stop()
            server.start()
            api = server.client()
            assert api.now() == last
