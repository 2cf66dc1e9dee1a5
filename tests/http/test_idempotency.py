# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key on POST /send: one message and one request to Twilio for each key, however many
ask, in whatever processes, before and after restarts."""

import threading
import uuid

import pytest

from support.conditions import in_parallel, wait_until


def key():
    return {"Idempotency-Key": f"{uuid.uuid4()}"}


def test_the_same_request_again_gets_the_same_answer_and_sends_nothing(api, fresh, twilio):
    number, text, headers = fresh.number(), fresh.text(), key()
    first = api.send(number, text, headers=headers)
    for _ in range(3):
        assert api.send(number, text, headers=headers) == first
    # the same meaning, written otherwise
    assert api.send(f"whatsapp:{number[:2]} {number[2:]}", text, headers=headers) == first
    assert len(twilio.requests_to(number)) == 1
    assert api.thread(number)["messageCount"] == 1


@pytest.mark.parametrize(
    "mode, options", [("refuse", {"http": 400, "code": 21211}), ("error", {"http": 500})]
)
def test_a_failure_is_answered_again_too(server, api, fresh, twilio, mode, options):
    number, text, headers = fresh.number(), fresh.text(), key()
    server.claim("WA0301", required=False)
    twilio.fail(number, mode, **options)
    first = api.send(number, text, headers=headers, expect=502)
    assert api.send(number, text, headers=headers, expect=502) == first
    assert len(twilio.requests_to(number)) == 1


def test_another_message_under_the_key_is_a_conflict(api, fresh, twilio):
    number, text, headers = fresh.number(), fresh.text(), key()
    api.send(number, text, headers=headers)
    answer = api.send(number, fresh.text(), headers=headers, expect=409)
    assert answer["code"] == "CONFLICT" and "Idempotency-Key" in answer["error"]
    other = fresh.number()
    api.send(other, text, headers=headers, expect=409)
    contact = api.add_contact(number, "Somebody")
    api.send(number, text, headers=headers, contactId=contact["id"], expect=409)
    assert twilio.requests_to(other) == [] and len(twilio.requests_to(number)) == 1
    assert api.thread(other) is None


def test_keys_are_told_apart_to_their_last_character(api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    longest = uuid.uuid4().hex * 8
    first = api.send(number, text, headers={"Idempotency-Key": longest[:255]})
    second = api.send(number, text, headers={"Idempotency-Key": longest[:254]})
    assert first["message"]["id"] != second["message"]["id"]
    assert len(twilio.requests_to(number)) == 2


@pytest.mark.parametrize("bad", ["", "k" * 256, "tab\tinside", "caf\u00e9"])
def test_a_key_that_is_none_is_refused(api, fresh, twilio, bad):
    number = fresh.number()
    answer = api.send(number, fresh.text(), headers={"Idempotency-Key": bad}, expect=400)
    assert answer["error"].startswith("Idempotency-Key")
    assert twilio.requests_to(number) == [] and api.thread(number) is None


def test_a_request_that_is_refused_does_not_use_the_key_up(api, fresh, twilio):
    number, headers = fresh.number(), key()
    api.send(number, " ", headers=headers, expect=400)
    api.send(number, fresh.text(), headers=headers)
    assert len(twilio.requests_to(number)) == 1


@pytest.mark.every_mpm
def test_many_at_once_over_all_processes_are_one_send(server, gated_api, fresh, gate):
    """Twilio's answer waits until all of them have come: those in the same and in other processes
    wait for the outcome of the one that sends."""
    number, text, headers = fresh.number(), fresh.text(), key()
    asked, release = threading.Event(), threading.Event()

    def hold(request, sid):
        asked.set()
        release.wait(60)

    gate.before_answer(number, hold)

    def send(index):
        if index == 24:
            asked.wait(60)
            release.set()
            return None
        return gated_api.send(number, text, headers=headers)

    answers = in_parallel(25, send)[:24]
    assert len(gate.requests_to(number)) == 1
    assert answers == [answers[0]] * 24
    assert answers[0]["message"]["status"] == "success"
    assert gated_api.thread(number)["messageCount"] == 1


@pytest.mark.parametrize("how", ["graceful", "stop", "kill_all"])
def test_a_key_survives_restarts(new_server, fresh, twilio, how):
    with new_server() as server:
        number, text, headers = fresh.number(), fresh.text(), key()
        first = server.client().send(number, text, headers=headers)
        getattr(server, how)()
        if how != "graceful":
            server.start()
        assert server.client().send(number, text, headers=headers) == first
        assert server.client().send(number, fresh.text(), headers=headers, expect=409)
        assert len(twilio.requests_to(number)) == 1


def test_a_request_whose_first_was_cut_off_by_a_kill_sends_nothing(new_server, fresh, gate):
    """The first died while Twilio was thinking: the second says what the stored message says."""
    extra = "WhatsAppTwilioTimeout 100ms 300ms\n"
    with new_server(extra=extra, twilio_url=gate.url) as server:
        api = server.client()
        number, text, headers = fresh.number(), fresh.text(), key()
        asked, release = threading.Event(), threading.Event()

        def hold(request, sid):
            asked.set()
            release.wait(60)

        gate.before_answer(number, hold)

        def work(index):
            if index == 1:
                assert asked.wait(60)
                server.kill_all()
                release.set()
                return None
            try:
                api.send(number, text, headers=headers, expect=None)
            except (OSError, EOFError, api.broken):
                return True
            return False

        cut_off = in_parallel(2, work)[0]
        server.claim("WA0301", required=False)
        server.start()
        api = server.client()
        answer = api.send(number, text, headers=headers, expect=502)
        assert answer["message"]["status"] == "pending"
        if cut_off:
            assert "Nobody can know" in answer["error"]
        assert len(gate.requests_to(number)) == 1
        # a receipt settles it, and then the answer is the message
        target = gate.requests_to(number)[0]["StatusCallback"][len(api.account.public_url) :]
        sid = fresh.sid()
        api.webhook(api.account.status(number, sid, "delivered"), target=target)
        wait_until(
            lambda: api.messages(number)["messages"][0]["status"] == "success", "the receipt"
        )
        assert api.send(number, text, headers=headers)["message"]["sid"] == sid
        assert len(gate.requests_to(number)) == 1
