# SPDX-License-Identifier: Apache-2.0
"""Reconciliation of messages in parts: which parts Twilio has, which it certainly never got,
and what
that makes of the message. Nothing is ever sent again."""

import json

import pytest

from support.client import RawConnection
from support.conditions import wait_until
from support.past import make_older

ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=2h\n"
TEXT = "a" * 1599 + " " + "b" * 1599 + " " + "c" * 600
NEVER = "Twilio never took"


def stored(api, number):
    (message,) = api.messages(number)["messages"]
    return message


def made(twilio, number):
    """Twilio's messages to a number, in the order of the parts."""
    found = [each for each in twilio.messages() if each["to"] == f"whatsapp:{number}"]
    return sorted(found, key=lambda each: each["body"])


def send(server, twilio, fresh, mode, at):
    """A message whose part `at` (1 and up) gets no answer; in `mode` close Twilio has it all
    the same."""
    number = fresh.number()
    server.claim("WA0301")
    twilio.fail(number, mode, count=1, skip=at - 1)
    answer = server.client().send(number, TEXT, expect=502)
    message = answer["message"]
    assert message["status"] == "pending" and f"part {at} of 3" in message["errorMessage"]
    assert message["errorMessage"] == answer["error"]
    return number, message


def wait_for_looks(twilio, number):
    """Waits until reconciliation has asked for the messages to a number, and has used the
    answer."""
    wait_until(
        lambda: len([e for e in twilio.lists() if number[1:] in e["target"]]) >= 2,
        "reconciliation to look for the message",
    )


def target_of(api, twilio, number, part):
    """Where the callbacks of a part go."""
    request = twilio.requests_to(number)[part - 1]
    return request["StatusCallback"][len(api.account.public_url) :]


def kill_while_sending(server, twilio, fresh, mode, at, headers=()):
    """Kills everything while part `at` waits for its answer."""
    number, api = fresh.number(), server.client()
    api.plant(number)
    twilio.fail(number, mode, count=1, skip=at - 1)
    body = json.dumps({"phoneNumber": number, "message": TEXT}).encode()
    head = (
        f"POST {api.base}/send HTTP/1.1\r\nHost: {api.host}\r\nContent-Type: application/json\r\n"
    )
    head += "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items())
    with RawConnection(api.port) as connection:
        connection.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: len(twilio.requests_to(number)) == at, f"part {at} to be sent")
        server.kill_all()
    server.claim("WA0301", "WA0303", required=False)
    return number


def only_the_first(count):
    """What is said of a message of which so many parts went out."""
    return ["None of", "Only the first of", "Only the first 2 of"][count]


@pytest.mark.every_mpm
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_part_whose_answer_was_lost_is_found(new_server, twilio, fresh, at):
    with new_server(ON) as server:
        api = server.client()
        number, sent = send(server, twilio, fresh, "close", at)
        told = api.now()
        message = wait_until(
            lambda: stored(api, number)["status"] != "pending" and stored(api, number),
            "the message to be settled",
        )
        sids = [each["sid"] for each in made(twilio, number)]
        assert len(sids) == at, "a part was sent again, or one after the lost one"
        assert message["sid"] == sids[0] and message["id"] == sent["id"]
        if at == 3:
            assert message["status"] == "success" and "errorMessage" not in message
            assert message["deliveryStatus"] == "queued"
        else:
            assert message["status"] == "failed"
            assert message["errorMessage"].startswith(only_the_first(at)), message
            assert NEVER not in message["errorMessage"]
        assert [each["id"] for each in api.since(told)["updates"]] == [message["id"]]
        twilio.wait_for_runs()
        assert stored(api, number) == message and len(made(twilio, number)) == at
        # a receipt that names no message finds its part
        api.webhook(api.account.status(number, sids[-1], "undelivered", ErrorCode="63024"))
        assert f"Part {at} of 3 was not delivered" in stored(api, number)["errorMessage"]
        for sid in sids:
            api.webhook(api.account.status(number, sid, "read"))
        assert stored(api, number)["status"] == ("success" if at == 3 else "failed")
        if at == 3:
            assert stored(api, number)["deliveryStatus"] == "read"


@pytest.mark.parametrize("at", [1, 3])
def test_a_part_that_twilio_never_got_is_not_known_before_its_time(new_server, twilio, fresh, at):
    with new_server(ON) as server:
        api = server.client()
        number, sent = send(server, twilio, fresh, "hang", at)
        wait_for_looks(twilio, number)
        assert stored(api, number) == sent and len(made(twilio, number)) == at - 1


@pytest.mark.parametrize("is_made", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_between_the_parts(new_server, twilio, fresh, at, is_made):
    """What is at Twilio is found after the next start; what is not there counts as not sent
    when its
    time is over, and that is still so after another start."""
    has = at if is_made else at - 1
    with new_server(ON) as server:
        number = kill_while_sending(server, twilio, fresh, "hang-after" if is_made else "hang", at)
        server.start()
        api = server.client()
        sids = [each["sid"] for each in made(twilio, number)]
        assert len(sids) == has
        if is_made and at == 3:
            message = wait_until(
                lambda: stored(api, number)["status"] == "success" and stored(api, number),
                "the message to be settled",
            )
            assert message["sid"] == sids[0]
        else:
            wait_for_looks(twilio, number)
            assert stored(api, number).get("sid") == (sids + [None])[0]
            assert stored(api, number)["status"] == "pending"
            server.stop()
            make_older(server, 20)
            server.start()
            message = wait_until(
                lambda: stored(api, number)["status"] == "failed" and stored(api, number),
                "the rest to be given up",
            )
            assert message["errorMessage"].startswith(only_the_first(has)), message
            assert NEVER in message["errorMessage"]
            server.kill_all()
            server.start()
            assert stored(api, number) == message
            # the receipt of a part that was found is merged, and changes nothing of that
            for sid in sids:
                api.webhook(api.account.status(number, sid, "delivered"))
            assert stored(api, number)["status"] == "failed"
            assert stored(api, number)["errorMessage"] == message["errorMessage"]
        assert len(made(twilio, number)) == has, "a part was sent again"


@pytest.mark.parametrize("is_named", [True, False], ids=["by our id", "by sid alone"])
def test_a_callback_before_reconciliation(new_server, twilio, fresh, is_named):
    with new_server(ON) as server:
        api = server.client()
        number, _ = send(server, twilio, fresh, "close", 3)
        sids = [each["sid"] for each in made(twilio, number)]
        target = target_of(api, twilio, number, 3) if is_named else None
        api.webhook(api.account.status(number, sids[2], "delivered"), target=target)
        if is_named:
            assert stored(api, number)["status"] == "success"
        for sid in sids[:2]:
            api.webhook(api.account.status(number, sid, "read"))
        wait_until(
            lambda: stored(api, number).get("deliveryStatus") == "delivered", "the parked receipt"
        )
        assert stored(api, number)["status"] == "success"
        before = stored(api, number)
        twilio.wait_for_runs()
        assert stored(api, number) == before
        # and it is found by its sid, whatever came first
        api.webhook(api.account.status(number, sids[2], "read"))
        assert stored(api, number)["deliveryStatus"] == "read"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_given_up_and_then_a_receipt_comes_after_all(new_server, twilio, fresh, at):
    with new_server(ON) as server:
        api = server.client()
        number, sent = send(server, twilio, fresh, "hang", at)
        server.stop()
        make_older(server, 20)
        server.start()
        message = wait_until(
            lambda: stored(api, number)["status"] == "failed" and stored(api, number),
            "it to be given up",
        )
        assert (
            message["errorMessage"].startswith(only_the_first(at - 1))
            and message["id"] == sent["id"]
        )
        assert NEVER in message["errorMessage"]
        server.kill_all()
        server.start()
        twilio.wait_for_runs()
        assert stored(api, number) == message
        sid = fresh.sid()
        api.webhook(
            api.account.status(number, sid, "delivered"), target=target_of(api, twilio, number, at)
        )
        now = stored(api, number)
        if at == 3:
            assert now["status"] == "success" and "errorMessage" not in now
        else:
            assert now["status"] == "failed" and NEVER not in now["errorMessage"]
            assert now["errorMessage"].startswith(only_the_first(at))
        assert len(made(twilio, number)) == at - 1, "a part was sent again"


def test_parts_that_are_alike_and_a_short_message_that_is_like_one(new_server, twilio, fresh):
    """No message of Twilio's becomes two of ours."""
    with new_server(ON) as server:
        api = server.client()
        number, text = fresh.number(), "x" * 3200
        server.claim("WA0301")
        twilio.fail(number, "close", count=3)
        twice = [api.send(number, text, expect=502)["message"]["id"] for _ in range(2)]
        short = api.send(number, "x" * 1600, expect=502)["message"]["id"]
        assert len(made(twilio, number)) == 3
        found = wait_until(
            lambda: all(e["status"] != "pending" for e in api.messages(number)["messages"])
            and api.messages(number)["messages"],
            "all to be settled",
        )
        assert {e["sid"] for e in found} == {e["sid"] for e in made(twilio, number)}
        status = {e["id"]: e["status"] for e in found}
        assert [status[each] for each in [*twice, short]] == ["failed", "failed", "success"]


def test_a_key_whose_request_was_cut_off_between_the_parts(new_server, twilio, fresh):
    """Asking again sends nothing, before and after it is known what became of the parts."""
    with new_server(ON) as server:
        headers = {"Idempotency-Key": "cut off"}
        number = kill_while_sending(server, twilio, fresh, "hang-after", 3, headers)
        server.start()
        api = server.client()
        again = api.send(number, TEXT, headers=headers, expect=None)
        assert again["message"]["status"] in ("pending", "success")
        wait_until(lambda: stored(api, number)["status"] == "success", "it to be settled")
        assert api.send(number, TEXT, headers=headers)["message"] == stored(api, number)
        api.send(number, TEXT + "!", headers=headers, expect=409)
        assert len(made(twilio, number)) == 3
