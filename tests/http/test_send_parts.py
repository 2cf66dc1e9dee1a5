# SPDX-License-Identifier: Apache-2.0
"""Messages that are too long for one of Twilio's: the parts that go out, and the one message
here."""

import pytest

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def units(text):
    return len(text.encode("utf-16-le")) // 2


def bodies(twilio, number):
    return [request["Body"] for request in twilio.requests_to(number)]


def stored(api, number):
    (message,) = api.messages(number)["messages"]
    return message


@pytest.mark.parametrize(
    "text, count",
    [
        ("x" * 1600, 1),
        ("x" * 1601, 2),
        ("word " * 819, 3),
        ("x" * 1599 + FAMILY + "y" * 100, 2),
        ("\U0001f600" * 2048, 3),
        ("a\u0301" * 2000, 3),
    ],
    ids=["1600", "1601", "words", "family", "pairs", "times"],
)
def test_a_long_message_goes_out_in_parts_and_is_one_message(api, fresh, twilio, text, count):
    number = fresh.number()
    message = api.send(number, text)["message"]
    assert message["status"] == "success" and message["body"] == text
    parts = bodies(twilio, number)
    assert len(parts) == count and "".join(parts) == text
    assert all(units(part) <= 1600 for part in parts)
    assert all(FAMILY in part for part in parts if "\u200d" in part)
    assert not any(part.startswith("\u0301") for part in parts)
    assert stored(api, number) == message
    assert api.thread(number)["messageCount"] == 1


def test_the_status_is_that_of_the_worst_part(api, fresh, twilio):
    number = fresh.number()
    first = api.send(number, "word " * 819)["message"]
    requests = twilio.requests_to(number)
    targets = [request["StatusCallback"][len(api.account.public_url) :] for request in requests]
    sids = [
        message["sid"] for message in twilio.messages() if message["to"] == f"whatsapp:{number}"
    ]
    assert len(set(sids)) == 3 and first["sid"] in sids
    sids = [first["sid"]] + [sid for sid in sids if sid != first["sid"]]
    since = api.now()
    # by sid alone
    for sid in sids:
        api.webhook(api.account.status(number, sid, "delivered"))
    assert stored(api, number)["deliveryStatus"] == "delivered"
    assert [each["id"] for each in api.since(since)["updates"]] == [first["id"]]
    # by the address that was asked for, in which the part's number is
    api.webhook(api.account.status(number, first["sid"], "read"), target=targets[0])
    assert stored(api, number)["deliveryStatus"] == "delivered"
    for sid in sids[1:]:
        api.webhook(api.account.status(number, sid, "read"))
    assert stored(api, number)["deliveryStatus"] == "read"
    assert len(set(targets)) == 3


def test_a_part_that_is_not_delivered_makes_the_message_failed(api, fresh, twilio):
    number = fresh.number()
    first = api.send(number, "word " * 819)["message"]
    api.webhook(api.account.status(number, first["sid"], "undelivered", ErrorCode="63024"))
    message = stored(api, number)
    assert message["status"] == "failed" and message["errorCode"] == 63024
    assert message["errorMessage"].startswith("Part 1 of 3 was not delivered")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_part_that_is_not_sent_stops_the_rest(server, gated_api, fresh, gate, at):
    number, calls = fresh.number(), []
    server.claim("WA0301")

    def refuse(request, sid):
        calls.append(request)
        return {"sid": None} if len(calls) == at else None

    gate.before_answer(number, refuse)
    answer = gated_api.send(number, "word " * 819, expect=502)
    assert len(gate.requests_to(number)) == at
    message = answer["message"]
    assert message["status"] == "pending"
    assert f"part {at} of 3" in answer["error"] and message["errorMessage"] == answer["error"]
    assert ("those after it were not" in answer["error"]) == (at < 3)
    # its callback tells what became of it
    target = gate.requests_to(number)[at - 1]["StatusCallback"]
    target = target[len(gated_api.account.public_url) :]
    gated_api.webhook(gated_api.account.status(number, fresh.sid(), "delivered"), target=target)
    message = stored(gated_api, number)
    if at == 3:
        assert message["status"] == "success"
    else:
        assert message["status"] == "failed" and message["errorMessage"].startswith(
            "Only the first"
        )


def test_parts_survive_a_restart(new_server, fresh, twilio):
    with new_server() as server:
        number = fresh.number()
        first = server.client().send(number, "word " * 819)["message"]
        server.kill_all()
        server.start()
        api = server.client()
        assert stored(api, number) == first
        sids = [m["sid"] for m in twilio.messages() if m["to"] == f"whatsapp:{number}"]
        for sid in sids:
            api.webhook(api.account.status(number, sid, "read"))
        assert stored(api, number)["deliveryStatus"] == "read"
