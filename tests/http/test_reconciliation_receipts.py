# SPDX-License-Identifier: Apache-2.0
"""Receipts that nobody took: what Twilio's list says of our messages counts like a receipt."""

import pytest

from support.conditions import wait_until

OFF = "WhatsAppReconcile off\n"
ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=2h\n"


def sent(api, fresh, text=None):
    message = api.send(fresh.number(), text or fresh.text())["message"]
    assert message["deliveryStatus"] == "queued"
    return message


def stored(api, message):
    return next(
        each
        for each in api.messages(message["counterpart"])["messages"]
        if each["id"] == message["id"]
    )


def restart_reconciling(server):
    configure = server.configure
    server.configure = lambda httpd: configure(httpd) + ON
    server.start()
    return server.client()


@pytest.mark.parametrize(
    "words, code, expected",
    [
        (["sent", "delivered", "read"], None, {"status": "success", "deliveryStatus": "read"}),
        (["sent", "delivered"], None, {"status": "success", "deliveryStatus": "delivered"}),
        (
            ["sent", "undelivered"],
            63016,
            {"status": "failed", "deliveryStatus": "undelivered", "errorCode": 63016},
        ),
        (["failed"], 63024, {"status": "failed", "deliveryStatus": "failed", "errorCode": 63024}),
    ],
)
def test_receipts_that_met_a_server_that_is_down(new_server, twilio, fresh, words, code, expected):
    with new_server(OFF) as server:
        message = sent(server.client(), fresh)
        server.stop()
        for word in words:
            assert not twilio.callback(
                message["sid"], word, error_code=code if word == words[-1] else None
            ).get("status"), "somebody took it"
        api = restart_reconciling(server)
        now = wait_until(
            lambda: (lambda m: m if m["deliveryStatus"] == words[-1] else None)(
                stored(api, message)
            ),
            "Twilio's word",
        )
        assert {name: now[name] for name in expected} == expected
        assert ("errorMessage" in now) == (code is not None)
        assert now["timestamp"] == message["timestamp"]
        updates = api.since(message["timestamp"])["updates"]
        assert [each["id"] for each in updates] == [message["id"]], "who polls was not told"


def test_what_twilio_says_in_its_list(new_server, twilio, fresh):
    """In words of its own, where we have none: kept like those of a receipt, and read once."""
    with new_server(OFF) as server:
        message = sent(server.client(), fresh)
        server.stop()
        extra = {"error_message": "Paused\n for a while"}
        twilio.callback(message["sid"], "failed", error_code=63999, extra=extra)
        api = restart_reconciling(server)
        wait_until(lambda: stored(api, message)["status"] == "failed", "Twilio's word")
        assert stored(api, message)["errorMessage"].endswith("It says: Paused for a while")
        receipts = api.get(f"/messages/{message['id']}").json()["receipts"]
        assert {each["deliveryStatus"] for each in receipts} == {"queued", "failed"}
        before = len(twilio.lists())
        wait_until(lambda: len(twilio.lists()) > before + 3, "more runs")
        assert len(api.since(message["timestamp"])["updates"]) == 1


def test_reading_the_list_again_stores_nothing(new_server, twilio, fresh):
    """The journal ends where it ended: whoever polls is not told anything either."""
    with new_server(OFF) as server:
        message, other = (sent(server.client(), fresh) for _ in range(2))
        server.stop()
        twilio.callback(message["sid"], "sent")
        twilio.callback(other["sid"], "read")
        api = restart_reconciling(server)
        wait_until(lambda: stored(api, message)["deliveryStatus"] == "sent", "Twilio's word")
        wait_until(lambda: stored(api, other)["deliveryStatus"] == "read", "Twilio's word")
        told = api.since(0)["timestamp"]
        twilio.wait_for_runs(6)
        assert api.since(0)["timestamp"] == told
        # what the list says does not take back what a receipt has said
        api.webhook(api.account.status(message["counterpart"], message["sid"], "delivered"))
        twilio.wait_for_runs()
        assert stored(api, message)["deliveryStatus"] == "delivered"


def test_receipts_lost_on_their_way_to_a_running_server(new_server, twilio, fresh):
    with new_server(ON) as server:
        api = server.client()
        message = sent(api, fresh)
        twilio.wait_for_runs(2)
        twilio.callback(message["sid"], "delivered", url="http://127.0.0.1:9/lost")
        wait_until(lambda: stored(api, message)["deliveryStatus"] == "delivered", "Twilio's word")
        twilio.callback(message["sid"], "read", url="http://127.0.0.1:9/lost")
        assert stored(api, message)["deliveryStatus"] in ("delivered", "read")
        sent(api, fresh)  # something happens: the list is read again
        wait_until(lambda: stored(api, message)["deliveryStatus"] == "read", "Twilio's word")


def test_the_parts_of_a_message(new_server, twilio, fresh):
    with new_server(OFF) as server:
        message = sent(server.client(), fresh, "a" * 1599 + " " + "b" * 900)
        parts = [e for e in twilio.messages() if e["to"] == f"whatsapp:{message['counterpart']}"]
        assert len(parts) == 2
        server.stop()
        for part in parts:
            twilio.callback(part["sid"], "read")
        api = restart_reconciling(server)
        wait_until(lambda: stored(api, message)["deliveryStatus"] == "read", "Twilio's word")
        server.stop()
        twilio.callback(parts[1]["sid"], "queued")  # nothing climbs down
        server.start()
        api = server.client()
        twilio.wait_for_runs()
        assert stored(api, message)["deliveryStatus"] == "read"


def test_an_opt_out_that_only_the_list_tells(new_server, twilio, fresh):
    with new_server(OFF) as server:
        message = sent(server.client(), fresh)
        server.stop()
        twilio.callback(message["sid"], "failed", error_code=21610)
        api = restart_reconciling(server)
        wait_until(
            lambda: (api.thread(message["counterpart"]) or {}).get("optedOut"), "the opt-out"
        )


def test_a_server_with_nothing_new_does_not_ask(new_server, twilio, fresh):
    with new_server(ON) as server:
        api = server.client()
        message = sent(api, fresh)
        twilio.callback(message["sid"], "read")
        wait_until(lambda: stored(api, message)["deliveryStatus"] == "read", "the receipt")

        def receipts():
            inbound = len(twilio.inbound_lists())
            return len(twilio.lists()) - inbound

        twilio.wait_for_runs(3)
        before = receipts()
        twilio.wait_for_runs(6)
        assert receipts() == before
