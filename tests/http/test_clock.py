# SPDX-License-Identifier: Apache-2.0
"""Clocks that were wrong: what goes by how long ago something was goes by the clock, not by the
store's time."""

import time

import pytest

from support.conditions import wait_until
from store.harness import Faults, faults_environment

HOUR = 3600 * 1000
DAY = 24 * HOUR
AHEAD = 400 * DAY
ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=48h\n"


def now_ms():
    return int(time.time() * 1000)


@pytest.fixture
def clocked(new_server, tmp_path_factory):
    """A server whose clock the test sets."""
    directory = tmp_path_factory.mktemp("faults")
    for each in (directory, directory.parent):
        each.chmod(0o755)
    faults = Faults(directory)

    def make(extra=""):
        server = new_server(extra)
        server.environment.update(faults_environment(directory, faults))
        server.claim("WA0455", required=False)
        server.shift_clock = faults.shift_clock
        return server

    return make


def put_ahead(server, fresh):
    """One message of a clock that is 400 days ahead; then the clock is right."""
    server.shift_clock(AHEAD)
    server.client().receive(fresh.number(), "of a clock that is ahead", fresh.sid())
    server.shift_clock(0)
    assert server.client().now() > now_ms() + AHEAD - DAY


def test_a_store_that_is_ahead_is_said_once(clocked, fresh):
    with clocked() as server:
        put_ahead(server, fresh)
        server.wait_for_line("WA0455")
        server.client().receive(fresh.number(), "more", fresh.sid())
        assert len(server.lines(0, "WA0455")) == 1
        mark = server.mark()
        server.stop()
        server.start()
        server.wait_for_line("WA0455", mark)


def test_windows_contacts_and_keys_go_by_the_clock(clocked, fresh):
    with clocked("WhatsAppEnforceWindow on\n") as server:
        put_ahead(server, fresh)
        api, early, late = server.client(), fresh.number(), fresh.number()
        api.receive(early, "hello", fresh.sid())
        assert abs(api.thread(early)["windowClosesAt"] - now_ms() - DAY) < 60000
        contact = api.add_contact(early, "Early")
        assert abs(contact["createdAt"] - now_ms()) < 60000
        key = {"Idempotency-Key": fresh.sid()}
        message = {"phoneNumber": early, "message": "once"}
        first = api.post("/send", message, headers=key).json()["message"]
        server.shift_clock(23 * HOUR)
        assert api.post("/send", message, headers=key).json()["message"]["id"] == first["id"]
        api.receive(late, "hello", fresh.sid())
        server.shift_clock(25 * HOUR)
        assert api.post("/send", message, headers={"Idempotency-Key": "x"}).status == 409
        assert api.post("/send", {"phoneNumber": late, "message": "x"}).status == 200
        renamed = api.patch(f"/contacts/{contact['id']}", {"displayName": "Ana"}).json()["contact"]
        assert renamed["createdAt"] == contact["createdAt"]
        assert abs(renamed["updatedAt"] - now_ms() - 25 * HOUR) < 60000
        server.shift_clock(0)


@pytest.mark.parametrize("shift", [AHEAD, -20000 * DAY], ids=["ahead", "in 1972"])
def test_reconciliation_goes_on_when_the_clock_is_right(clocked, twilio, fresh, shift):
    """A clock that jumps away and back stops nothing, and what was missed is fetched."""
    with clocked(ON) as server:
        api, number = server.client(), fresh.number()
        server.shift_clock(shift)
        message = api.send(number, fresh.text())["message"]
        if shift > 0:
            twilio.wait_for_runs(2)
        server.shift_clock(0)
        twilio.wait_for_runs(2)
        sid = twilio.inbound(From=fresh.number(), Body="x", deliver=False, seconds_ago=300)["sid"]
        twilio.callback(message["sid"], "read", url="http://127.0.0.1:9/lost")
        wait_until(
            lambda: api.messages(number)["messages"][0]["deliveryStatus"] == "read", "the receipt"
        )
        wait_until(
            lambda: sid in [m.get("sid") for m in api.since(0)["messages"]], "what was missed"
        )


def test_a_pending_send_is_settled_on_a_store_that_is_ahead(clocked, twilio, fresh):
    with clocked(ON) as server:
        put_ahead(server, fresh)
        api, number = server.client(), fresh.number()
        server.claim("WA0301")
        twilio.fail(number, "close", count=1)
        assert api.send(number, fresh.text(), expect=502)["message"]["status"] == "pending"
        wait_until(
            lambda: api.messages(number)["messages"][0]["status"] == "success", "it to be settled"
        )


def test_the_window_of_a_message_that_was_fetched(new_server, twilio, fresh):
    """It is open for 24 hours from when they wrote, however late it came here."""
    old, new = fresh.number(), fresh.number()
    twilio.inbound(From=old, Body="x", deliver=False, seconds_ago=30 * 3600)
    twilio.inbound(From=new, Body="x", deliver=False, seconds_ago=3600)
    with new_server("WhatsAppEnforceWindow on\n" + ON) as server:
        api = server.client()
        wait_until(lambda: api.thread(old) and api.thread(new), "both to be fetched")
        assert abs(api.thread(old)["windowClosesAt"] - (now_ms() - 6 * HOUR)) < 60000
        assert abs(api.thread(new)["windowClosesAt"] - (now_ms() + 23 * HOUR)) < 60000
        assert api.post("/send", {"phoneNumber": old, "message": "x"}).status == 409
        assert api.post("/send", {"phoneNumber": new, "message": "x"}).status == 200
