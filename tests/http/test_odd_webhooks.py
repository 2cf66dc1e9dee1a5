# SPDX-License-Identifier: Apache-2.0
"""Webhooks that nobody promised to send like this: doubled and contradicting fields, fields of
other
times, and the same over and over."""

import json
import subprocess

import pytest

from support.httpd import module_path
from support.signing import encode_form


@pytest.fixture
def sent(api, fresh):
    return api.send(fresh.number(), fresh.text())["message"]


def now(api, message):
    (found,) = [
        each
        for each in api.messages(message["counterpart"])["messages"]
        if each["id"] == message["id"]
    ]
    return found


def only(api, number):
    (message,) = api.messages(number)["messages"]
    return message


def private_of(server, number):
    """What the store keeps of a message beside what the API shows."""
    done = subprocess.run(
        [module_path().parent / "whatsappctl", "--store", server.directory / "store", "dump"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [e for e in done.stdout.splitlines() if e.startswith('{"key":"msg:' + number + ":")]
    return json.loads(line)["value"]["store"]["form"]


# ---- receipts ----


def test_message_status_counts_where_sms_status_says_otherwise(api, sent):
    api.webhook(
        api.account.status(sent["counterpart"], sent["sid"], "delivered", SmsStatus="failed")
    )
    assert now(api, sent)["deliveryStatus"] == "delivered"


def test_the_old_names_alone_are_a_receipt(api, sent):
    fields = api.account.status(
        sent["counterpart"], sent["sid"], "delivered", MessageStatus=None, MessageSid=None
    )
    api.webhook(fields)
    assert now(api, sent)["deliveryStatus"] == "delivered"


def test_a_doubled_field_counts_once_and_one_that_contradicts_itself_is_refused(api, server, sent):
    fields = list(api.account.status(sent["counterpart"], sent["sid"], "sent").items())
    for more in ([("MessageStatus", "sent")] * 3, [("ErrorCode", "1")] * 2):
        api.webhook(fields + more)
        assert now(api, sent)["deliveryStatus"] == "sent"
    server.claim("WA0237")
    api.webhook(fields + [("MessageStatus", "read")], expect=400)
    assert now(api, sent)["deliveryStatus"] == "sent"


def test_a_receipt_with_all_that_twilio_may_add(api, sent):
    api.webhook(
        api.account.status(
            sent["counterpart"],
            sent["sid"],
            "undelivered",
            EventType="UNDELIVERED",
            ErrorCode="63016",
            ErrorMessage="",
            ChannelStatusMessage='Re-engagement message \u2014 "quoted" \x01',
            ChannelStatusCode="131047",
            StructuredMessage="false",
            RawDlrDoneDate="2611221500",
            Body="planted text of a receipt",
            ExternalUserId="whatsapp:US.123",
            MessagingServiceSid="MG" + "0" * 32,
        )
    )
    message = now(api, sent)
    assert (message["deliveryStatus"], message["errorCode"]) == ("undelivered", 63016)
    assert api.thread(sent["counterpart"])["messageCount"] == 1


@pytest.mark.parametrize("event", ["READ", "DELIVERED", "FUTURE", ""])
def test_an_event_type_beside_the_status_changes_nothing(api, sent, event):
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "delivered", EventType=event))
    assert now(api, sent)["deliveryStatus"] == "delivered"


@pytest.mark.parametrize("code", [" 63016", "63016 ", "0x1F", "63016;", "+63016", "٦٣٠١٦", "1e5"])
def test_an_error_code_that_is_none_leaves_a_failure_without_one(api, sent, code):
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "failed", ErrorCode=code))
    message = now(api, sent)
    assert message["status"] == "failed" and "errorCode" not in message


def test_an_inbound_message_that_carries_a_message_status_is_no_receipt(api, fresh):
    number, text = fresh.number(), fresh.text()
    api.receive(number, text, fresh.sid(), MessageStatus="received")
    assert only(api, number)["body"] == text


def test_a_receipt_of_received_for_a_message_that_nobody_knows_makes_none(api, fresh):
    number, before = fresh.number(), api.now()
    api.webhook(api.account.status(number, fresh.sid(), "received"))
    assert api.since(before)["messages"] == []


@pytest.mark.parametrize(
    "reference",
    [
        "",
        ".",
        "x",
        ".1",
        "%00",
        "00000000-0000-4000-8000-000000000000",
        "' OR 1=1",
        "a" * 3000,
        "00000000-0000-4000-8000-000000000000.99999999999999999999",
    ],
)
def test_a_reference_that_is_none_of_ours_leaves_the_sid_to_count(api, sent, reference):
    target = f"{api.base}/webhook?message={reference.replace(' ', '%20')}&message=y"
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "delivered"), target=target)
    assert now(api, sent)["deliveryStatus"] == "delivered"


def test_a_reference_to_another_message_changes_only_whose_sid_it_is(api, fresh, sent):
    other = api.send(fresh.number(), fresh.text())["message"]
    target = f"{api.base}/webhook?message={other['id']}"
    api.webhook(
        api.account.status(sent["counterpart"], sent["sid"], "failed", ErrorCode="63024"),
        target=target,
    )
    assert now(api, other) == other and now(api, sent)["status"] == "failed"


def test_a_receipt_about_a_received_message_changes_nothing(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.receive(number, fresh.text(), sid)
    before = only(api, number)
    target = f"{api.base}/webhook?message={before['id']}"
    for way in (target, None):
        api.webhook(api.account.status(number, sid, "failed", ErrorCode="63016"), target=way)
    assert only(api, number) == before


def test_one_receipt_that_nobody_knows_over_and_over_is_kept_once(api, fresh):
    """A captured request is valid for ever: it must not fill the disk, nor use up its place."""
    sid, number = fresh.sid(), fresh.number()
    fields = api.account.status(number, sid, "delivered")
    api.webhook(fields)
    before = api.now()
    for _ in range(300):
        api.webhook(fields)
    assert api.now() == before
    api.webhook(api.account.status(number, sid, "failed", ErrorCode="63016"))
    assert api.now() > before


# ---- inbound ----


def test_a_gap_in_the_media_loses_none(api, fresh):
    number = fresh.number()
    urls = {f"MediaUrl{n}": f"https://api.twilio.com/{n}" for n in (1, 3)}
    types = {f"MediaContentType{n}": f"image/x-{n}" for n in (1, 3)}
    api.receive(number, "", fresh.sid("MM"), NumMedia="2", MessageType="image", **urls, **types)
    assert [e["contentType"] for e in only(api, number)["media"]] == ["image/x-1", "image/x-3"]


def test_more_media_than_are_told_and_more_told_than_are_there(api, fresh):
    for told, given in (("1", 3), ("11", 1), ("0", 1)):
        number = fresh.number()
        more = {f"MediaUrl{n}": f"https://api.twilio.com/{n}" for n in range(given)}
        api.receive(number, "", fresh.sid("MM"), NumMedia=told, **more)
        message = only(api, number)
        assert len(message["media"]) == given
        assert {e["contentType"] for e in message["media"]} == {"application/octet-stream"}


def test_media_announced_without_any_address_is_not_blank(api, fresh):
    number = fresh.number()
    api.receive(number, "", fresh.sid("MM"), NumMedia="2", MessageType="sticker")
    assert only(api, number)["body"] == "[sticker]" and "media" not in only(api, number)


@pytest.mark.parametrize(
    "latitude, longitude",
    [("abc", "def"), ("91", "181"), ("1e400", "NaN"), ("\n<b>", "\u202e1"), ("9" * 5000, "0")],
)
def test_a_place_that_is_nowhere_is_kept_as_it_was_given(api, fresh, latitude, longitude):
    number = fresh.number()
    api.receive(
        number, "", fresh.sid(), MessageType="location", Latitude=latitude, Longitude=longitude
    )
    body = only(api, number)["body"]
    assert body.startswith("Location: (") and latitude[:100] in body and longitude in body
    assert len(body) < 3000


def test_half_a_place_is_not_blank(api, fresh):
    number = fresh.number()
    api.receive(number, "", fresh.sid(), MessageType="location", Latitude="1.5", Longitude=None)
    assert only(api, number)["body"] == "[location]"


@pytest.mark.parametrize(
    "fields, body",
    [
        ({"ListId": "row-7", "ListTitle": "Blue, large"}, "Blue, large"),
        ({"ListId": "row-7"}, "row-7"),
        ({"ButtonPayload": "confirm:42"}, "confirm:42"),
        ({"ButtonPayload": "confirm:42", "ButtonText": " \u00a0"}, "confirm:42"),
        ({"InteractiveData": '{"a":1}', "MessageType": "interactive"}, "[interactive]"),
        ({"MessageType": "reaction"}, "[reaction]"),
        ({"MessageType": ""}, "[empty message]"),
    ],
    ids=repr,
)
def test_what_is_no_text_is_never_blank_and_kept_whole(new_server, fresh, fields, body):
    with new_server() as server:
        api, number = server.client(), fresh.number()
        replied = fresh.sid("MM")
        api.receive(number, "", fresh.sid(), OriginalRepliedMessageSid=replied, **fields)
        assert only(api, number)["body"] == body
        private = private_of(server, number)
        assert f"OriginalRepliedMessageSid={replied}" in private
        for name, value in fields.items():
            assert value == "" or f"{name}=" in private


@pytest.mark.parametrize(
    "name",
    [
        "Category",
        "Catalog",
        "ButtonTitle",
        "ButtonIndex",
        "ContextId",
        "Contacts",
        "Edited",
        "EntryPoint",
        "ContactName",
        "FlowToken",
        "BodyFormat",
        "Labels",
        "LabelColor",
        "AddressType",
        "UsernameType",
        "EventTypeVersion",
        "ErrorCodes",
        "lower",
        "x-y",
        "a.b",
        "Items[0]",
        "2fa",
        "ForwardedFrom2",
        "ParentMessageSids",
        "Zone",
    ],
)
def test_a_field_that_twilio_may_add_changes_nothing(api, fresh, name):
    sent = api.send(fresh.number(), fresh.text())["message"]
    for value in ("", "sale", "Two Words", "Ünïcödé und mehr", '{"a": [1, 2]}', "BackTo+5"):
        number, sid, text = fresh.number(), fresh.sid("MM"), fresh.text()
        api.receive(number, text, sid, **{name: value}, ProfileName="BackTo+5")
        message = only(api, number)
        assert (message["body"], message["sid"], message["phoneNumber"]) == (
            text,
            sid,
            api.account.number,
        ), value
        api.webhook(
            api.account.status(sent["counterpart"], sent["sid"], "delivered", **{name: value})
        )
    assert now(api, sent)["deliveryStatus"] == "delivered"


@pytest.mark.parametrize(
    "more",
    [
        {"ForwardedFrom": "whatsapp:+15559990000", "OriginalTo": "whatsapp:+15559990000"},
        {"ParentMessageSid": "SM" + "9" * 32, "ParentAccountSid": "AC" + "9" * 32},
        {"ParentMessageSid": "SM" + "9" * 32, "ReplyTo": "whatsapp:+15559990000"},
    ],
    ids=repr,
)
def test_other_messages_and_people_may_be_named(api, fresh, more):
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    api.receive(number, text, sid, **more)
    message = only(api, number)
    assert (message["body"], message["sid"]) == (text, sid)


def cuts_behind_a_text(text, end):
    """Where the text may be cut so that names stay in their order: behind Body and before From."""
    for at in range(len(text)):
        for to in range(at + 1, len(text) + 1):
            if "Body" < text[at:to] < end:
                yield text[:at], text[at:to], text[to:]


@pytest.mark.parametrize(
    "text",
    ["Dear Friend, Do Come to Dinner", "Catalog", "CALL BEN", "ButtonText.pdf", '(Even "Bob")'],
)
def test_no_cut_takes_the_end_of_a_text_away(api, server, fresh, text):
    server.claim("WA0260")
    tried = 0
    for body, name, value in cuts_behind_a_text(text, "From"):
        number = fresh.number()
        api.receive(number, body, fresh.sid(), **{name: value})
        assert only(api, number)["body"] == text, (body, name, value)
        tried += 1
    assert tried >= 3


def test_a_doubled_sid_or_account_takes_nobody_in(api, server, fresh):
    number, sid = fresh.number(), fresh.sid()
    fields = list(api.account.inbound(number, fresh.text(), sid).items())
    api.plant(number)
    server.claim("WA0231")
    api.webhook(fields + [("AccountSid", "AC" + "9" * 32)], expect=403)
    assert api.thread(number) is None
    server.claim("WA0237")
    api.webhook(fields + [("MessageSid", fresh.sid())], expect=400)
    assert api.thread(number) is None
    api.webhook(fields + [("MessageSid", sid)])
    assert only(api, number)["sid"] == sid


def test_a_subaccounts_webhook_is_refused_whoever_signs(api, server, fresh):
    number, token = fresh.number(), "5" * 32
    api.plant(number)
    server.claim("WA0231")
    fields = api.account.inbound(number, fresh.text(), fresh.sid(), AccountSid="AC" + "7" * 32)
    api.webhook(fields, expect=403, token=token)
    api.webhook(fields, expect=403)
    api.webhook({**fields, "AccountSid": api.account.sid.lower()}, expect=403)
    assert api.thread(number) is None


def test_the_answer_is_never_sent_on_to_the_customer(server, api, fresh):
    """Twilio sends the text of a text/plain answer to who wrote, and logs 12300 for no type at
    all."""
    number = fresh.number()
    answer = api.receive(number, fresh.text(), fresh.sid())
    assert answer.headers.get_all("Content-Type") == ["text/xml"]
    assert answer.body == b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
    server.claim("WA0290")
    refused = api.webhook(api.account.inbound(number, "x", "no sid"), expect=400)
    assert refused.headers["Content-Type"] == "application/json"


def test_a_fragment_of_twilios_address_is_not_signed(api, fresh):
    """The overrides of a connection (#rc=5&rp=all) are Twilio's alone."""
    number = fresh.number()
    api.plant(number)
    raw = encode_form(list(api.account.inbound(number, "with overrides", fresh.sid()).items()))
    api.webhook({}, body=raw)
    assert only(api, number)["body"] == "with overrides"
