# SPDX-License-Identifier: Apache-2.0
"""Attachments whose answer from Twilio was lost, or whose server died between them: what Twilio
has is found, in order; what it has not is told; nothing is sent again, and none is mixed up."""

import json

import pytest

from support.client import RawConnection
from support.conditions import wait_until
from support.past import make_older

ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=2h\n"
FILES = [f"https://files.example.org/{name}" for name in ("a.pdf", "b.jpg", "c.pdf")]
SEEN = [("hello", None), (None, FILES[0]), (None, FILES[1]), (None, FILES[2])]


def stored(api, number):
    (message,) = api.messages(number)["messages"]
    return message


def made(twilio, number):
    return [each for each in twilio.messages() if each["to"] == f"whatsapp:{number}"]


def seen(twilio, number):
    return [(each["shown"]["text"], each["shown"]["media"]) for each in made(twilio, number)]


def settled(api, number):
    return wait_until(
        lambda: stored(api, number)["status"] != "pending" and stored(api, number),
        "the message to be settled",
    )


def body_of(number, **members):
    return {"phoneNumber": number, "message": "hello", "mediaUrl": FILES, **members}


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_attachment_whose_answer_was_lost_is_found(new_server, twilio, fresh, at):
    with new_server(ON) as server:
        api, number = server.client(), fresh.number()
        server.claim("WA0301")
        twilio.fail(number, "close", count=1, skip=at - 1)
        answer = api.post("/send", body_of(number)).json()
        assert answer["message"]["status"] == "pending" and f"part {at} of 4" in answer["error"]
        message = settled(api, number)
        assert seen(twilio, number) == SEEN[:at]
        assert message["sid"] == made(twilio, number)[0]["sid"]
        assert message["status"] == ("success" if at == 4 else "failed")
        # by their sids alone the receipts find the parts
        for each in made(twilio, number):
            api.webhook(api.account.status(number, each["sid"], "read"))
        if at == 4:
            assert stored(api, number)["deliveryStatus"] == "read"
        else:
            assert stored(api, number)["errorMessage"].startswith("Only the first")


@pytest.mark.parametrize("is_made", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("at", [2, 3, 4])
def test_killed_between_the_attachments(new_server, twilio, fresh, at, is_made):
    has = at if is_made else at - 1
    with new_server(ON) as server:
        api, number, key = server.client(), fresh.number(), fresh.sid()
        api.plant(number)
        twilio.fail(number, "hang-after" if is_made else "hang", count=1, skip=at - 1)
        body = json.dumps(body_of(number)).encode()
        head = (
            f"POST {api.base}/send HTTP/1.1\r\nHost: {api.host}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with RawConnection(api.port) as connection:
            connection.send(head.encode() + body)
            wait_until(lambda: len(twilio.requests_to(number)) == at, f"part {at} to be sent")
            server.kill_all()
        server.claim("WA0301", "WA0303", required=False)
        server.start()
        if not (is_made and at == 4):
            twilio.wait_for_runs()
            assert stored(server.client(), number)["status"] == "pending"
            server.stop()
            make_older(server, 20)
            server.start()
        api = server.client()
        message = settled(api, number)
        assert message["status"] == ("success" if has == 4 else "failed")
        if has < 4:
            assert "Twilio never took the next one" in message["errorMessage"]
        # asked again by its key it is answered, not sent; also after another death
        again = api.post("/send", body_of(number), {"Idempotency-Key": key}).json()
        assert again["message"] == message
        other = body_of(number, mediaUrl=FILES[:2])
        assert api.post("/send", other, {"Idempotency-Key": key}).status == 409
        server.kill_all()
        server.start()
        assert stored(server.client(), number) == message
        assert seen(twilio, number) == SEEN[:has], "something was sent again"


def test_two_pictures_are_not_mixed_up(new_server, twilio, fresh):
    """Twilio has the second, and its list does not say which it is: its receipt does."""
    with new_server(ON) as server:
        api, number = server.client(), fresh.number()
        server.claim("WA0301")
        twilio.fail(number, "hang", count=1)
        twilio.fail(number, "close", count=1)
        lost = api.post("/send", {"phoneNumber": number, "mediaUrl": FILES[1]}).json()["message"]
        taken = api.post("/send", {"phoneNumber": number, "mediaUrl": FILES[0]}).json()["message"]
        (only,) = made(twilio, number)
        assert only["shown"]["media"] == FILES[0]
        wait_until(
            lambda: len(
                [e for e in twilio.lists() if f"To=whatsapp%3A%2B{number[1:]}" in e["target"]]
            )
            >= 2,
            "reconciliation to look for them",
        )

        def states():
            return {each["id"]: each["status"] for each in api.messages(number)["messages"]}

        assert states() == {lost["id"]: "pending", taken["id"]: "pending"}
        target = only["status_callback"][len(api.account.public_url) :]
        api.webhook(api.account.status(number, only["sid"], "delivered"), target=target)
        assert states() == {lost["id"]: "pending", taken["id"]: "success"}
        server.stop()
        make_older(server, 20)
        server.start()
        wait_until(
            lambda: states() == {lost["id"]: "failed", taken["id"]: "success"},
            "the lost one to be given up",
        )
