# SPDX-License-Identifier: Apache-2.0
"""What opens WhatsApp's window, who is answered by which channel, what a button says, and hooks
that are none of a message."""

import hashlib
import json
import time
from urllib.parse import quote

import pytest

from support import twilio_rules
from support.conditions import wait_until
from support.signing import sign

HOUR, DAY = 3600000, 24 * 3600000
ON = "WhatsAppReconcile on interval=100ms lookback=48h\n"


def now_ms():
    return int(time.time() * 1000)


def sms(api, number, text, sid, **more):
    """As captured: no `whatsapp:`, nothing that only WhatsApp says."""
    fields = {
        "From": number,
        "To": api.account.number,
        "FromCountry": "US",
        "ToCountry": "US",
        "MessagingServiceSid": "MG" + "1" * 32,
        "WaId": None,
        "ProfileName": None,
        "MessageType": None,
        **more,
    }
    return api.webhook(api.account.inbound(number, text, sid, **fields))


def only(api, counterpart):
    (message,) = api.messages(counterpart)["messages"]
    return message


# ---- channels ----


def test_an_sms_is_of_a_counterpart_of_its_own(api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    api.plant(number, text)
    sms(api, number, text, fresh.sid())
    row = api.thread("sms:" + number)
    assert row["channel"] == "sms" and row["unreadCount"] == 1
    assert "windowClosesAt" not in row
    assert api.thread(number) is None
    assert only(api, "sms:" + number)["body"] == text
    before = len(twilio.requests_to(number))
    answer = api.send("sms:" + number, fresh.text(), expect=409)
    assert answer["code"] == "CONFLICT" and "WhatsApp" in answer["error"]
    assert len(twilio.requests_to(number)) == before
    assert api.thread("sms:" + number) == row
    assert api.mark_read("sms:" + number)["thread"]["unreadCount"] == 0


@pytest.mark.parametrize(
    "sender, to, counterpart, channel",
    [
        ("rcs:%s", "rcs:acme_agent", "rcs:%s", "rcs"),
        ("messenger:%s9", "messenger:17", "messenger:%s9", "messenger"),
        ("instagram:%s.x", "instagram:17", "instagram:%s.x", "instagram"),
        ("%s", "72345", "sms:%s", "sms"),
    ],
)
def test_every_other_channel(api, fresh, sender, to, counterpart, channel):
    number = fresh.number()
    api.plant(number)
    counterpart %= number
    fields = {"From": sender % number, "To": to, "WaId": None, "ProfileName": None}
    api.webhook(api.account.inbound(number, "hello", fresh.sid(), **fields))
    assert api.thread(counterpart)["channel"] == channel
    assert api.thread(number) is None
    assert api.send(counterpart, "x", expect=409)["code"] == "CONFLICT"
    assert only(api, counterpart)["phoneNumber"] == (to if ":" in to else "sms:" + to)
    assert only(api, counterpart.replace("+", " "))["body"] == "hello"
    answer = api.post(f"/threads/{quote(counterpart, safe='')}/block")
    assert answer.json()["thread"]["blocked"] is True


def test_a_stop_is_of_the_channel_that_it_came_by(api, fresh):
    number = fresh.number()
    api.receive(number, "hello", fresh.sid())
    sms(api, number, "STOP", fresh.sid(), OptOutType="STOP")
    assert api.thread("sms:" + number)["optedOut"] is True
    assert "optedOut" not in api.thread(number)
    api.send(number, fresh.text())
    api.receive(number, "STOP", fresh.sid())
    sms(api, number, "START", fresh.sid())
    assert "optedOut" not in api.thread("sms:" + number)
    assert api.thread(number)["optedOut"] is True
    api.send(number, fresh.text(), expect=409)


def test_what_only_looks_like_another_channel(api, fresh):
    number = fresh.number()
    api.plant(number)
    sms(api, number, "by SMS", fresh.sid())
    api.webhook(api.account.inbound("sms:" + number, "by WhatsApp", fresh.sid(), WaId=None))
    assert api.thread("sms:" + number)["messageCount"] == 1
    assert "channel" not in api.thread("whatsapp:sms:" + number)


# ---- windows ----


def test_an_sms_opens_no_window(new_server, fresh):
    with new_server("WhatsAppEnforceWindow on\n") as server:
        api, number = server.client(), fresh.number()
        sms(api, number, "hello", fresh.sid())
        assert "24 hours" in api.send(number, fresh.text(), expect=409)["error"]


def test_a_window_is_of_the_number_that_was_written_to(new_server, fresh):
    with new_server("WhatsAppEnforceWindow on\n") as server:
        api, number = server.client(), fresh.number()
        api.receive(number, "to another", fresh.sid(), To="whatsapp:+14155230002")
        assert "windowClosesAt" not in api.thread(number)
        assert "24 hours" in api.send(number, fresh.text(), expect=409)["error"]
        api.receive(number, "to us", fresh.sid())
        closes = api.messages(number)["messages"][0]["timestamp"] + DAY
        assert api.thread(number)["windowClosesAt"] == closes
        api.receive(number, "to another again", fresh.sid(), To="whatsapp:+14155230002")
        listed = [r for r in api.threads() if r["counterpart"] == number]
        polled = [r for r in api.since(0)["threads"] if r["counterpart"] == number]
        changed = [
            r for r in api.since(1, threads="changed")["threads"] if r["counterpart"] == number
        ]
        read = api.mark_read(number)["thread"]
        for row in [*listed, *polled, *changed, read]:
            assert row["windowClosesAt"] == closes
        api.send(number, fresh.text())
        server.kill_all()
        server.start()
        assert server.client().thread(number)["windowClosesAt"] == closes
        server.graceful(wait_for_old=True)
        assert server.client().thread(number)["windowClosesAt"] == closes


@pytest.mark.parametrize("enforce", ["on", "off"])
def test_a_fetched_message_opens_the_window_of_its_date(new_server, twilio, fresh, enforce):
    old, late = fresh.number(), fresh.number()
    twilio.inbound(From=old, Body="x", deliver=False, seconds_ago=30 * 3600)
    # Twilio has two dates: the earlier one counts
    twilio.inbound(From=late, Body="x", deliver=False, seconds_ago=25 * 3600, sent_after=7200)
    with new_server(f"WhatsAppEnforceWindow {enforce}\n" + ON) as server:
        api = server.client()
        wait_until(lambda: api.thread(old) and api.thread(late), "both to be fetched")
        assert abs(api.thread(old)["windowClosesAt"] - (now_ms() - 6 * HOUR)) < 60000
        assert abs(api.thread(late)["windowClosesAt"] - (now_ms() - HOUR)) < 60000
        for number in (old, late):
            api.send(number, fresh.text(), expect=409 if enforce == "on" else 200)


# ---- buttons ----

BUTTON = {"ButtonPayload": "appointment-cancel", "MessageType": "interactive"}
LIST = {"ListId": "entry-3", "ListTitle": "Cancel", "MessageType": "interactive"}


@pytest.mark.parametrize(
    "text, fields, is_out",
    [
        ("Cancel", {"ButtonText": "Cancel", **BUTTON}, False),
        ("END", {"ButtonText": "END", **BUTTON}, False),
        ("Quit", LIST, False),
        ("Cancel", {"ButtonText": "Cancel", "MessageType": "button"}, False),
        ("Cancel", {}, True),
        ("Cancel", {"ButtonPayload": "", "ListId": ""}, True),
        ("STOP", {"ButtonText": "STOP", **BUTTON}, True),
        ("Unsubscribe", {"ButtonText": "Unsubscribe", **BUTTON}, True),
        ("stopall", LIST, True),
        ("Opt out", {"ButtonText": "Opt out", "ButtonPayload": "OPTOUT"}, True),
        ("Cancel", {"OptOutType": "STOP", **BUTTON}, True),
    ],
)
def test_what_a_button_says(api, fresh, text, fields, is_out):
    number = fresh.number()
    api.receive(number, text, fresh.sid(), **fields)
    assert api.thread(number).get("optedOut", False) is is_out
    api.send(number, fresh.text(), expect=409 if is_out else 200)


def test_no_button_opts_in(api, fresh):
    number = fresh.number()
    api.receive(number, "STOP", fresh.sid())
    for text in ("Yes", "START", "Unstop"):
        api.receive(number, text, fresh.sid(), ButtonText=text, **BUTTON)
        assert api.thread(number)["optedOut"] is True
    api.receive(number, "Start", fresh.sid(), OptOutType="START", **BUTTON)
    assert "optedOut" not in api.thread(number)


def test_what_is_fetched_may_have_been_a_button(new_server, twilio, fresh):
    """The list does not say: what could be a STOP is one, what could be a button's Yes is not."""
    stop, yes, start = fresh.number(), fresh.number(), fresh.number()
    for number in (yes, start):
        twilio.inbound(From=number, Body="STOP", deliver=False, seconds_ago=600)
    twilio.inbound(From=stop, Body="Cancel", ButtonPayload="x", deliver=False, seconds_ago=300)
    twilio.inbound(From=yes, Body="Yes", ButtonPayload="x", deliver=False, seconds_ago=300)
    twilio.inbound(From=start, Body="START", deliver=False, seconds_ago=300)
    with new_server(ON) as server:
        api = server.client()
        wanted = {stop: 1, yes: 2, start: 2}
        wait_until(
            lambda: {r["counterpart"]: r["messageCount"] for r in api.threads()} == wanted,
            "all to be fetched",
        )
        assert api.thread(stop)["optedOut"] is True
        assert api.thread(yes)["optedOut"] is True
        assert "optedOut" not in api.thread(start)


# ---- hooks of other products ----


@pytest.mark.parametrize(
    "product, name, status",
    [
        ("conversations", "Conversations", 400),
        ("voice", "Voice", 400),
        ("studio", "Studio", 400),
        ("taskrouter", "TaskRouter", 400),
        ("debugger", "Debugger", 400),
        ("unknown", "another product", 400),
        ("event_streams", "Event Streams", 415),
        ("verify", "Verify", 415),
    ],
)
@pytest.mark.parametrize("account", ["ours", "none"])
def test_a_hook_of_another_product_is_named(server, api, product, name, status, account):
    more = {"AccountSid": None} if account == "none" else {}
    mark = server.mark()
    server.claim("WA0290", "WA0231")
    before = api.now()
    answer = hook(api, product, **more)
    assert answer.status == status, answer
    assert name in answer.json()["error"]
    (line,) = [each for each in server.lines(mark) if "WA0290" in each]
    assert name in line and "set another one at Twilio" in line
    refused = hook(api, product, is_signed=False, **more)
    assert refused.status == 403 and name not in refused.json()["error"]
    assert len([each for each in server.lines(mark) if "WA0290" in each]) == 1
    assert api.since(before)["messages"] == []


def hook(api, product, is_signed=True, **more):
    """A hook as the simulator makes it."""
    fields, document = twilio_rules.hook_of(product, api.account.sid)
    if document is None:
        fields = {k: v for k, v in {**fields, **more}.items() if v is not None}
        return api.webhook(fields, expect=None, signature=None if is_signed else "")
    raw = json.dumps(document).encode()
    target = f"{api.base}/webhook?bodySHA256={hashlib.sha256(raw).hexdigest()}"
    signature = sign(api.account.token, api.account.public_url + target, is_form=False)
    return api.webhook(
        {},
        expect=None,
        body=raw,
        target=target,
        headers={"Content-Type": "application/json; charset=utf-8"},
        signature=signature if is_signed else "",
    )


def test_a_hook_of_another_account_is_not_named(server, api):
    server.claim("WA0231")
    fields, _ = twilio_rules.hook_of("conversations", "AC" + "9" * 32)
    assert "Conversations" not in api.webhook(fields, expect=403).json()["error"]


def test_a_message_is_a_message_whatever_else_it_says(api, fresh):
    """Fields that another product's hooks have too lose no message."""
    number = fresh.number()
    api.receive(number, "hello", fresh.sid(), FlowSid="FW1", CallSid="CA1", EventType="onward")
    assert api.thread(number)["messageCount"] == 1
