# SPDX-License-Identifier: Apache-2.0
"""What was answered with success is still there after a restart, a kill of one process, and a kill
of all."""

import threading

import pytest

from support.conditions import in_parallel


def snapshot(api, number):
    return {
        "messages": api.all_messages(number),
        "thread": api.thread(number),
        "contacts": api.contacts(),
        "now": api.now(),
    }


def fill(api, fresh, number):
    for _ in range(5):
        api.receive(number, fresh.text(), fresh.sid())
    sent = api.send(number, fresh.text())["message"]
    api.webhook(api.account.status(number, sent["sid"], "delivered"))
    api.mark_read(number)
    api.receive(number, fresh.text(), fresh.sid())
    contact = api.add_contact(number, "Kept over all")
    other = api.add_contact(fresh.number(), "Deleted before")
    api.patch(f"/contacts/{contact['id']}", {"displayName": "Kept and renamed"})
    api.delete(f"/contacts/{other['id']}")


@pytest.mark.every_mpm
@pytest.mark.parametrize("how", ["graceful", "stop", "kill_child", "kill_all"])
def test_everything_answered_survives(new_server, fresh, how):
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        fill(api, fresh, number)
        before = snapshot(api, number)
        for _ in range(2):
            if how == "graceful":
                server.graceful(wait_for_old=True)
            elif how == "kill_child":
                server.kill_child()
            else:
                getattr(server, how)()
                server.start()
            assert snapshot(server.client(), number) == before
        api = server.client()
        api.receive(number, fresh.text(), fresh.sid())
        assert api.thread(number)["messageCount"] == before["thread"]["messageCount"] + 1


def test_a_duplicate_is_known_after_everything_was_killed(new_server, fresh):
    with new_server() as server:
        number, sid, text = fresh.number(), fresh.sid(), fresh.text()
        server.client().receive(number, text, sid)
        server.kill_all()
        server.start()
        api = server.client()
        api.receive(number, text, sid)
        assert len(api.messages(number)["messages"]) == 1


def test_a_cursor_works_after_a_restart(new_server, fresh):
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        for _ in range(6):
            api.receive(number, fresh.text(), fresh.sid())
        cursor = api.messages(number, limit=2)["cursor"]
        page = api.messages(number, limit=2, cursor=cursor)
        server.kill_all()
        server.start()
        assert server.client().messages(number, limit=2, cursor=cursor) == page


def test_nothing_answered_is_lost_when_everything_is_killed_at_work(new_server, fresh):
    """Webhooks are answered until the instant of kill -9; each that was answered is there
    afterwards, three times over."""
    with new_server() as server:
        for _ in range(3):
            api = server.client()
            number = fresh.number()
            answered, lock, is_warm = [], threading.Lock(), threading.Event()

            def write(index):
                if index == 12:
                    is_warm.wait(60)
                    server.kill_all()
                    return
                try:
                    while True:
                        sid = fresh.sid()
                        api.receive(number, fresh.text(), sid)
                        with lock:
                            answered.append(sid)
                            if len(answered) > 100:
                                is_warm.set()
                except (OSError, EOFError, api.broken):
                    return

            in_parallel(13, write)
            server.claim("WA04*", required=False)
            server.start()
            api = server.client()
            messages = api.all_messages(number)
            sids = [message["sid"] for message in messages]
            assert len(sids) == len(set(sids))
            assert set(answered) <= set(sids)
            assert len(sids) <= len(answered) + 12
            assert api.thread(number)["messageCount"] == len(sids)


def test_a_send_that_was_cut_off_by_a_kill_stays_known_and_is_never_sent_again(
    new_server, fresh, gate
):
    """The intent is stored before Twilio is asked: when everything dies while Twilio thinks, the
    message is still there, as pending."""
    with new_server(twilio_url=gate.url) as server:
        api = server.client()
        number, text = fresh.number(), fresh.text()
        asked = threading.Event()
        release = threading.Event()

        def hold(request, sid):
            asked.set()
            release.wait(60)

        gate.before_answer(number, hold)
        api.plant(number, text)

        def send(_):
            try:
                api.post("/send", {"phoneNumber": number, "message": text})
            except (OSError, EOFError, api.broken):
                return True
            return False

        def kill(_):
            assert asked.wait(60)
            server.kill_all()
            release.set()

        try:
            assert in_parallel(2, lambda index: (send, kill)[index](index))[
                0
            ], "the send was answered by a server that was dead"
        finally:
            release.set()
        server.start()
        api = server.client()
        (message,) = api.messages(number)["messages"]
        assert message["body"] == text and message["status"] == "pending"
        (request,) = gate.requests_to(number)
        target = request["StatusCallback"][len(api.account.public_url) :]
        sid = fresh.sid()
        api.webhook(api.account.status(number, sid, "delivered"), target=target)
        (message,) = api.messages(number)["messages"]
        assert (message["status"], message["deliveryStatus"], message["sid"]) == (
            "success",
            "delivered",
            sid,
        )
        assert len(gate.requests_to(number)) == 1
