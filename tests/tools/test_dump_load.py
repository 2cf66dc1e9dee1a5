# SPDX-License-Identifier: Apache-2.0
"""dump and load: what goes round is the same, exports of the first messenger go in, and nothing is
half loaded."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import uuid

import pytest

from conftest import ACCOUNT, PROGRAM, ctl, dump, everything, files_of, give_to_server, lines_of
from journal import flip, records
from support.conditions import wait_until

EXPORT = pathlib.Path(__file__).with_name("kv-export.json")
HERE = "+14155238886"


def load(store, text, *words, expect=0, account=ACCOUNT):
    more = ["--account-sid", account] if account else []
    return ctl("load", "-", *more, *words, store=store, stdin=text, expect=expect)


def message(number, time, body="text", **members):
    """A pair of key and value for a received message."""
    value = {
        "id": str(uuid.uuid4()),
        "direction": "received",
        "phoneNumber": HERE,
        "counterpart": number,
        "body": body,
        "timestamp": time,
    }
    value.update(members)
    value = {name: each for name, each in value.items() if each is not None}
    return f"msg:{number}:{value.get('timestamp')}:{value.get('id')}", value


def as_seen(pairs):
    """A dump without what clients do not see."""
    return [
        (key, {name: each for name, each in value.items() if name != "store"})
        for key, value in pairs
    ]


def at_the_api(message):
    """A message of a dump, which knows no base path, as the API gives it."""
    media = [
        {**one, "url": re.sub(r"^/messages/", "/api/whatsapp-messenger/messages/", one["url"])}
        for one in message.get("media", [])
    ]
    return {**message, "media": media} if media else message


# ---- round ----


def test_a_dump_is_what_the_server_says(lived, said):
    pairs = as_seen(dump(lived))
    messages = [value for key, value in pairs if key.startswith("msg:")]
    for counterpart, expected in said["messages"].items():
        found = [at_the_api(m) for m in messages if m["counterpart"] == counterpart]
        assert found == expected[::-1]
    assert len(messages) == sum(map(len, said["messages"].values()))
    assert [value for key, value in pairs if key.startswith("thread:")] == said["threads"]
    assert [value for key, value in pairs if key.startswith("contact:")] == said["contacts"]
    for key, value in pairs:
        if key.startswith("msg:"):
            assert key == f"msg:{value['counterpart']}:{value['timestamp']}:{value['id']}"
        elif key.startswith("thread:"):
            assert key == f"thread:{value['counterpart']}"
        else:
            assert key == f"contact:{value['id']}"


@pytest.mark.parametrize("which", ["lived", "filled"])
def test_dump_load_dump_is_the_same(request, directory, which):
    store, again = request.getfixturevalue(which), directory / "again"
    first = ctl("dump", store=store).out
    told = load(again, first).err
    assert "0 skipped that are there already" in told
    assert ctl("dump", store=again).out == first
    assert ctl("verify", store=again).out.endswith("sound\n")
    assert not (again / "load.new").exists()


def test_parts_go_round(directory, serve, simulator, fresh):
    """As many as there may be, of a text and attachments, one of which was not delivered: each
    keeps its sid, so that receipts still find it."""
    number = fresh.number()
    urls = [f"https://files.example.org/{n}.pdf?{'s' * 3900}" for n in range(10)]
    with serve(directory / "store") as server:
        api = server.client()
        text = {"message": "word " * 819, "mediaUrl": urls}
        assert api.post("/send", {"phoneNumber": number, **text}).status == 200
        made = [m["sid"] for m in simulator.messages() if m["to"] == f"whatsapp:{number}"]
        assert len(made) == 13
        api.webhook(api.account.status(number, made[11], "delivered"))
        before = api.all_messages(number)
        server.stop()
        first = ctl("dump", store=directory / "store").out
        load(directory / "again", first, account=server.account.sid)
        assert ctl("dump", store=directory / "again").out == first
        ctl("verify", store=directory / "again")
    parts = json.loads(first.splitlines()[0])["value"]["store"]["delivery"]["parts"]
    assert [part["sid"] for part in parts] == made and parts[11]["status"] == "delivered"
    give_to_server(directory / "again")
    with serve(directory / "again") as server:
        api = server.client()
        assert api.all_messages(number) == before
        api.webhook(api.account.status(number, made[12], "failed", ErrorCode="63019"))
        (message,) = api.all_messages(number)
        assert message["errorMessage"].startswith("Part 13 of 13 was not delivered")


def test_a_shuffled_dump_is_sorted(lived, directory):
    lines = ctl("dump", store=lived).out.split("\n")
    random.Random(7).shuffle(lines)
    load(directory / "again", "\n".join(lines))
    assert dump(directory / "again") == dump(lived)


def test_the_loaded_store_is_served_as_before(lived, said, directory, serve, fresh):
    again = directory / "again"
    load(again, ctl("dump", store=lived).out)
    give_to_server(again)
    with serve(again) as server:
        api = server.client()
        now = everything(api)
        assert {**now, "now": 0} == {**said, "now": 0}
        # a repeated webhook is known, and receipts find their message
        (known,) = [m for m in now["messages"][said["threads"][0]["counterpart"]][-1:]]
        api.webhook(api.account.inbound(known["counterpart"], "again", known["sid"]))
        assert everything(api)["threads"] == now["threads"]
        sids = {
            v["id"]: v.get("store", {}).get("sids", [v.get("sid")])
            for k, v in dump(lived)
            if k.startswith("msg:")
        }
        queued = [
            m for t in now["messages"].values() for m in t if m.get("deliveryStatus") == "queued"
        ]
        assert any(len(sids[m["id"]]) == 2 for m in queued), "none in parts"
        for sent in queued:
            for sid in sids[sent["id"]]:
                api.webhook(api.account.status(sent["counterpart"], sid, "delivered"))
            assert {**sent, "deliveryStatus": "delivered"} in api.all_messages(sent["counterpart"])
        number = fresh.number()
        api.receive(number, fresh.text(), fresh.sid())
        assert api.thread(number)["unreadCount"] == 1


def test_everything_that_a_message_can_have(directory):
    """Members that no message of the lived store has."""
    sid = [f"SM{n:032x}" for n in range(4)]
    pairs = [
        message(
            "+15550000001",
            1000,
            "",
            sid=sid[3],
            media=[{"url": "https://a/?x=1&y=2", "contentType": "audio/ogg"}],
        ),
        message(
            "+15550000001",
            1000,
            "the same time",
            sid="MM" + "f" * 32,
            store={"preview": "[other]", "form": "WaId=1&Frequently=%20&b%00%FF=x"},
        ),
        message(
            "+15550000001",
            1001,
            "parts",
            direction="sent",
            status="failed",
            sid=sid[0],
            deliveryStatus="undelivered",
            errorMessage='no "way" \\',
            errorCode=63016,
            store={
                "delivery": {
                    "parts": [
                        {
                            "place": "failed",
                            "status": "undelivered",
                            "errorCode": 63016,
                            "sid": sid[0],
                            "said": "Twilio's own words",
                            "times": {"sent": 9, "undelivered": 10},
                        }
                    ],
                    "digest": "0a",
                    "answer": "refused",
                    "reason": 'no "way" \\',
                },
                "idempotencyKey": "a key",
                "sids": [sid[0], sid[1], sid[2]],
            },
        ),
        message(
            "US.12:3 é", 1002, '\u2028\u00e9\U0001f44b\n\t"\\', direction="sent", status="pending"
        ),
    ]
    pairs[2][1]["contactId"] = pairs[0][1]["contactId"] = pairs[1][1][
        "contactId"
    ] = "11111111-2222-4333-8444-555555555555"
    threads = [
        (
            "thread:US.12:3 é",
            {
                "counterpart": "US.12:3 é",
                "lastMessagePreview": '\u2028\u00e9\U0001f44b\n\t"\\',
                "lastMessageTimestamp": 1002,
                "lastDirection": "sent",
                "messageCount": 1,
                "unreadCount": 0,
            },
        ),
        (
            "thread:+15550000001",
            {
                "counterpart": "+15550000001",
                "lastMessagePreview": "parts",
                "lastMessageTimestamp": 1001,
                "lastDirection": "sent",
                "messageCount": 3,
                "unreadCount": 1,
                "contactId": "11111111-2222-4333-8444-555555555555",
                "contactName": "Ana",
                "store": {"flags": 3},
            },
        ),
    ]
    contacts = [
        (
            "contact:11111111-2222-4333-8444-555555555555",
            {
                "id": "11111111-2222-4333-8444-555555555555",
                "phoneNumber": "+15550000001",
                "displayName": "Ana",
                "createdAt": 5,
                "updatedAt": 6,
            },
        )
    ]
    pairs[1][1]["unread"] = True
    text = lines_of(pairs + threads + contacts)
    load(directory / "a", text)
    assert [k for k, _ in dump(directory / "a")] == [k for k, _ in pairs + threads + contacts]
    found = dump(directory / "a")
    for (_, given), (_, value) in zip(pairs + threads + contacts, found):
        assert value.items() >= given.items()
    load(directory / "b", ctl("dump", store=directory / "a").out)
    assert ctl("dump", store=directory / "b").out == ctl("dump", store=directory / "a").out
    assert ctl("verify", store=directory / "a").out.endswith("sound\n")
    # each sid is known: nothing of it can be loaded a second time
    for known in sid:
        other = lines_of([message("+15550000005", 9000, sid=known)])
        assert "0 messages and 0 contacts loaded; 1 skipped" in load(directory / "a", other).err


ONE, TWO = "SM" + "1" * 32, "SM" + "2" * 32
# What version 1 had in "private", the API's members beside it, and what is kept of both.
VERSION_1 = {
    "1;7;63016;5=9,7=10;no": (
        {
            "status": "failed",
            "deliveryStatus": "undelivered",
            "errorCode": 63016,
            "errorMessage": "no",
            "sid": ONE,
        },
        {
            "parts": [
                {
                    "place": "failed",
                    "status": "undelivered",
                    "errorCode": 63016,
                    "sid": ONE,
                    "times": {"sent": 9, "undelivered": 10},
                }
            ],
            "reason": "no",
        },
    ),
    "2;5;0;5=9;0afe;1;": (
        {"status": "success", "deliveryStatus": "sent", "sid": ONE},
        {
            "parts": [{"place": "taken", "status": "sent", "sid": ONE, "times": {"sent": 9}}],
            "digest": "0afe",
            "answer": "accepted",
        },
    ),
    f"3;5;0;5=9;;0;1:5:0:{ONE},3:0:0:;a reason; with all": (
        {"status": "pending", "sid": ONE, "errorMessage": "any"},
        {
            "parts": [
                {"place": "taken", "status": "sent", "sid": ONE, "times": {"sent": 9}},
                {"place": "unknown"},
            ],
            "reason": "a reason; with all",
        },
    ),
    f"4;5=9;0afe;2;2:7:30003:{ONE},4:0:0:;why": (
        {
            "status": "failed",
            "deliveryStatus": "undelivered",
            "errorCode": 30003,
            "errorMessage": "any",
            "sid": ONE,
        },
        {
            "parts": [
                {
                    "place": "failed",
                    "status": "undelivered",
                    "errorCode": 30003,
                    "sid": ONE,
                    "times": {"sent": 9},
                },
                {"place": "stopped"},
            ],
            "digest": "0afe",
            "answer": "refused",
            "reason": "why",
        },
    ),
    "9;what;no;version;has": (
        {"status": "success", "deliveryStatus": "read", "sid": ONE},
        {"parts": [{"place": "taken", "status": "read", "sid": ONE}]},
    ),
}


def test_what_people_wrote_about_outlives_a_dump(directory):
    """Kinds, answers, ads and names are made of the form, times and words of the delivery."""
    form = (
        "ProfileName=Zo%C3%AB%0A&MessageType=sticker&ReferralHeadline=Sale"
        f"&OriginalRepliedMessageSid={ONE}"
    )
    parts = [
        {"place": "taken", "status": "sent", "sid": ONE, "times": {"queued": 8, "sent": 9}},
        {
            "place": "failed",
            "status": "failed",
            "errorCode": 63999,
            "sid": "SM" + "e" * 32,
            "said": "no way",
            "times": {"failed": 11},
        },
    ]
    load(
        directory / "store",
        lines_of(
            [
                message("+15550000001", 1000, "", sid="SM" + "a" * 32, store={"form": form}),
                message("+15550000001", 1001, "next", sid="SM" + "b" * 32),
                message(
                    "+15550000002",
                    1002,
                    "parts",
                    direction="sent",
                    status="failed",
                    errorMessage="any",
                    store={"delivery": {"parts": parts}},
                ),
            ]
        ),
    )
    found = [value for key, value in dump(directory / "store")]
    assert (found[0]["type"], found[0]["replyTo"]) == ("sticker", {"sid": ONE})
    assert found[0]["referral"] == {"headline": "Sale"}
    assert found[0]["store"]["form"] == form
    assert found[2]["store"]["delivery"]["parts"] == parts
    assert found[2]["errorMessage"].endswith("It says: no way")
    names = {each["counterpart"]: each.get("profileName") for each in found[3:]}
    assert names == {"+15550000001": "Zoë", "+15550000002": None}
    again = lines_of(dump(directory / "store"))
    result = load(directory / "again", again)
    assert "not known" not in result.err
    assert lines_of(dump(directory / "again")) == again


@pytest.mark.parametrize("private", VERSION_1)
def test_a_dump_of_version_1_is_loaded(directory, private):
    given, kept = VERSION_1[private]
    key, value = message(
        "+15550000001", 1000, "parts", direction="sent", **given, store={"private": private}
    )
    load(directory / "store", lines_of([(key, value)]))
    ((_, found),) = [pair for pair in dump(directory / "store") if pair[0].startswith("msg:")]
    assert found["store"]["delivery"] == kept
    for name in ("status", "sid", "deliveryStatus", "errorCode"):
        assert found.get(name) == given.get(name)


def test_a_received_message_of_version_1_keeps_its_attachments(directory):
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    shown = [{"url": "/old/base/messages/x/media/0", "contentType": "image/png"}]
    private = f"MediaUrl0={url}&MediaContentType0=image%2Fpng&ProfileName=Ana"
    key, value = message("+15550000001", 1000, "", sid=ONE, media=shown, store={"private": private})
    load(directory / "store", lines_of([(key, value)]))
    ((_, found),) = [pair for pair in dump(directory / "store") if pair[0].startswith("msg:")]
    assert found["media"] == [
        {"url": f"/messages/{value['id']}/media/0", "contentType": "image/png"}
    ]
    assert found["store"]["form"].startswith("MediaUrl0=https%3A%2F%2Fapi.twilio.com") and found[
        "store"
    ]["form"].endswith("&ProfileName=Ana")
    assert (
        json.loads(json.dumps(dump(directory / "store")))[-1][1]["lastMessagePreview"] == "[image]"
    )


def test_attachments_that_are_not_there_stay_so(directory):
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    media = [
        {"url": "/messages/x/media/0", "contentType": "image/png"},
        {"missing": True, "awaited": True},
        {"missing": True},
    ]
    form = {"form": f"MediaUrl0={url}&MediaContentType0=image%2Fpng"}
    key, value = message("+15550000001", 1000, "two", sid=ONE, media=media, store=form)
    lonely = message("+15550000001", 2000, "", media=[{"missing": True}])
    load(directory / "store", lines_of([(key, value), lonely]))
    pairs = [pair for pair in dump(directory / "store") if pair[0].startswith("msg:")]
    assert [m["media"] for _, m in pairs] == [
        [{"url": f"/messages/{value['id']}/media/0", "contentType": "image/png"}] + media[1:],
        [{"missing": True}],
    ]
    load(directory / "again", lines_of(dump(directory / "store")))
    assert dump(directory / "again") == dump(directory / "store")
    ctl("verify", store=directory / "again")
    assert json.loads(ctl("stats", "--json", store=directory / "again").out)["pending"] == 1


@pytest.mark.parametrize(
    "delivery",
    [
        {},
        {"parts": []},
        {"parts": [{}] * 9},
        {"parts": [{"place": "gone"}]},
        {"parts": [{"place": "taken", "status": "eaten"}]},
        {"parts": [{"place": "taken", "sid": "SM1"}]},
        {"parts": [{"place": "taken", "errorCode": -1}]},
        {"parts": [{"place": "taken"}], "times": {"x": 1}},
        {"parts": [{"place": "taken"}], "times": {"sent": "1"}},
        {"parts": [{"place": "taken", "times": {"sent": -1}}]},
        {"parts": [{"place": "taken", "times": {"eaten": 1}}]},
        {"parts": [{"place": "taken", "said": 7}]},
        {"parts": [{"place": "taken"}], "answer": "maybe"},
        {"parts": [{"place": "taken"}], "reason": 7},
        {"parts": [{"place": "taken"}], "digest": []},
        "4;;;",
        [],
        7,
    ],
)
def test_a_delivery_that_is_none_is_refused(directory, delivery):
    pair = message(
        "+15550000001",
        1000,
        "b",
        direction="sent",
        status="success",
        sid=ONE,
        store={"delivery": delivery},
    )
    done = ctl(
        "load",
        "-",
        "--account-sid",
        ACCOUNT,
        store=directory / "store",
        stdin=lines_of([pair]),
        expect=None,
    )
    assert done.status != 0 and "store.delivery" in done.err


def test_a_store_of_version_1_is_refused_with_the_way_over(directory):
    load(directory / "store", lines_of([message("+15550000001", 1000, "b")]))
    with open(directory / "store" / "journal", "r+b") as file:
        file.seek(16)
        file.write((1).to_bytes(4, "little"))
    for words in (["stats"], ["dump"], ["verify"], ["load", "-"]):
        done = ctl(*words, store=directory / "store", stdin="", expect=None)
        assert done.status != 0 and "has format version 1" in done.err, words
        assert "dump --output FILE" in done.err
        assert "load FILE --account-sid SID --user USER" in done.err  # its checksum is of version 2


EVERY_MEMBER = {
    "SentMessage": {
        "id": "a",
        "direction": "sent",
        "phoneNumber": HERE,
        "counterpart": "+15550000001",
        "body": "b",
        "timestamp": 7,
        "status": "failed",
        "sid": "SM" + "1" * 32,
        "deliveryStatus": "undelivered",
        "errorMessage": "It could not be delivered.",
        "errorCode": 63016,
        "media": [{"url": "https://a/b", "contentType": "a/b"}],
        "contentSid": "HX" + "2" * 32,
        "contactId": "11111111-2222-4333-8444-555555555555",
    },
    "ReceivedMessage": {
        "id": "c",
        "direction": "received",
        "phoneNumber": HERE,
        "counterpart": "+15550000001",
        "body": "d",
        "timestamp": 8,
        "sid": "SM" + "3" * 32,
        "media": [{"url": "/api/x", "contentType": "a/b"}],
        "unread": True,
        "contactId": "11111111-2222-4333-8444-555555555555",
        "type": "image",
        "replyTo": {"sid": "SM" + "4" * 32, "sender": HERE},
        "referral": {
            "sourceType": "ad",
            "sourceId": "1",
            "sourceUrl": "https://fb.example/a",
            "headline": "h",
            "body": "b",
            "mediaUrl": "https://fb.example/m",
            "mediaContentType": "image/png",
            "mediaId": "2",
            "ctwaClid": "3",
        },
    },
    "ThreadSummary": {
        "counterpart": "+15550000001",
        "channel": "sms",
        "lastMessagePreview": "d",
        "lastMessageTimestamp": 8,
        "lastDirection": "received",
        "messageCount": 2,
        "unreadCount": 1,
        "windowClosesAt": 8 + 24 * 3600 * 1000,
        "optedOut": True,
        "blocked": True,
        "contactId": "11111111-2222-4333-8444-555555555555",
        "contactName": "Ana",
        "profileName": "Zoë",
    },
    "Contact": {
        "id": "11111111-2222-4333-8444-555555555555",
        "phoneNumber": "+15550000001",
        "displayName": "Ana",
        "createdAt": 5,
        "updatedAt": 6,
    },
}


def test_no_member_of_the_api_is_lost(directory, contract):
    """Whoever adds a member to the API has to teach it to load: this fails until then."""
    schemas = contract.document["components"]["schemas"]
    for name, value in EVERY_MEMBER.items():
        assert set(value) == set(
            schemas[name]["properties"]
        ), f"{name} has other members now: teach tools/load_*.c, and this test"
    sent, received, thread, person = EVERY_MEMBER.values()
    pairs = [
        ("msg:+15550000001:7:a", sent),
        ("msg:+15550000001:8:c", received),
        ("thread:+15550000001", thread),
        (f"contact:{person['id']}", person),
    ]
    assert set(received["referral"]) == set(schemas["Referral"]["properties"])
    told = load(directory / "store", lines_of(pairs)).err
    assert "not known" not in told and "2 messages and 1 contacts loaded" in told
    del thread["channel"]  # what stands before the counterpart says it; here is none
    assert as_seen(dump(directory / "store")) == pairs


def test_other_channels_are_carried(directory):
    """With our address there, and a STOP of their own."""
    pairs = [
        message("+15550000001", 1000, "by WhatsApp"),
        message("rcs:+15550000001", 2000, "by RCS", phoneNumber="rcs:acme_agent"),
        message("sms:+15550000001", 3000, "by SMS", phoneNumber="sms:72345"),
    ]
    thread = {"counterpart": "SMS: +1 555 000-0001", "optedOut": True}
    store = directory / "store"
    load(store, lines_of([*pairs, ("thread:SMS: +1 555 000-0001", thread)]))
    before = dump(store)
    rows = {key: value for key, value in before if key.startswith("thread:")}
    assert {key: (row.get("channel"), row.get("optedOut")) for key, row in rows.items()} == {
        "thread:+15550000001": (None, None),
        "thread:rcs:+15550000001": ("rcs", None),
        "thread:sms:+15550000001": ("sms", True),
    }
    assert [key for key, row in rows.items() if "windowClosesAt" in row] == ["thread:+15550000001"]
    load(directory / "again", lines_of(before))
    assert dump(directory / "again") == before


# ---- exports of the first messenger ----


def check_export(pairs):
    values = dict(pairs)
    messages = [value for key, value in as_seen(pairs) if key.startswith("msg:")]
    assert [m["body"] for m in messages] == [
        "first",
        "padded key, Twilio's id",
        "second",
        "at the same time as second",
        'third, with a "quote", a \\ and \U0001f44b',
    ]
    first, padded, second, same, third = messages
    ana = "0b8d4a4e-6f0c-4d53-9a4e-2f3a6a1f0c11"
    assert first == {
        "id": "f2b9c7de-0000-4000-8000-000000000001",
        "direction": "received",
        "phoneNumber": HERE,
        "counterpart": "+15551230001",
        "body": "first",
        "timestamp": 1740000100000,
        "contactId": ana,
    }
    assert padded["status"] == "failed" and padded["errorMessage"] == "Twilio said no"
    assert padded["sid"] == padded["id"] == "SM0123456789abcdef0123456789abcdef"
    assert second["status"] == "success" and "unread" not in second
    assert same["status"] == "pending" and "contactId" not in same
    assert third["unread"] is True
    thread = values["thread:+15551230001"]
    assert (thread["messageCount"], thread["unreadCount"], thread["contactName"]) == (
        3,
        1,
        "Ana Gómez",
    )
    assert (
        thread["lastMessagePreview"] == third["body"]
        and thread["lastMessageTimestamp"] == 1740000300000
    )
    assert values["thread:+15551230002"]["messageCount"] == 2
    assert "thread:+15551230009" not in values
    assert values[f"contact:{ana}"] == {
        "id": ana,
        "phoneNumber": "+15551230001",
        "displayName": "Ana Gómez",
        "createdAt": 1740000000000,
        "updatedAt": 1740000500000,
    }
    other = values["contact:7c1e2d3f-1111-4222-8333-444455556666"]
    assert other["phoneNumber"] == "+15551230003" and other["displayName"] == "Never wrote"


def test_an_export_in_one_array(directory):
    told = ctl("load", EXPORT, "--account-sid", ACCOUNT, store=directory / "store").err
    assert "5 messages and 2 contacts loaded; 0 skipped" in told
    assert "1 threads without messages left out" in told and "1 half characters" in told
    check_export(dump(directory / "store"))
    assert ctl("verify", store=directory / "store").out.endswith("sound\n")


def test_an_export_in_lines(directory):
    lines = [json.dumps(each) for each in json.loads(EXPORT.read_text(encoding="utf-8"))]
    for name, text in {
        "lf": "\n".join(lines),
        "crlf": "\r\n\r\n".join(lines) + "\r\n",
        "bom": "\ufeff" + "\n".join(lines) + "\n",
    }.items():
        load(directory / name, text)
        check_export(dump(directory / name))


def test_an_export_in_a_file_and_a_pipe_give_the_same(directory):
    (directory / "lines").write_text(
        "\n".join(json.dumps(each) for each in json.loads(EXPORT.read_text(encoding="utf-8"))),
        encoding="utf-8",
    )
    for name, source in {"file": directory / "lines", "array": EXPORT}.items():
        ctl("load", source, "--account-sid", ACCOUNT, store=directory / name)
    load(directory / "pipe", EXPORT.read_text(encoding="utf-8"))
    assert dump(directory / "file") == dump(directory / "array") == dump(directory / "pipe")


def test_the_export_is_served(directory, serve):
    ctl("load", EXPORT, "--account-sid", ACCOUNT, store=directory / "store")
    give_to_server(directory / "store")
    with serve(directory / "store") as server:
        api = server.client()
        assert [t["counterpart"] for t in api.threads()] == ["+15551230001", "+15551230002"]
        assert api.now() == 1740000600000
        api.webhook(
            api.account.status("+15551230002", "SM0123456789abcdef0123456789abcdef", "delivered")
        )
        assert [m["status"] for m in api.all_messages("+15551230002")] == ["pending", "success"]
        assert [m.get("sid") for m in api.all_messages("+15551230001")] == [None, None, None]
        api.mark_read("+15551230001")
        api.receive("+15551230001", "the newest of all", "SM" + "7" * 32)
        assert api.since(1740000600000)["messages"][0]["body"] == "the newest of all"


# ---- unread ----


@pytest.mark.parametrize("unread", [0, 1, 2, 3, 4, 99])
def test_the_last_received_are_the_unread_ones(directory, unread):
    number = "+15550000001"
    pairs = [
        message(number, 1000 + n, f"{n}", direction=d, status="success" if d == "sent" else None)
        for n, d in enumerate(
            ["received", "sent", "received", "received", "sent", "received", "sent"]
        )
    ]
    pairs.append((f"thread:{number}", {"counterpart": number, "unreadCount": unread}))
    load(directory / "store", lines_of(pairs))
    found = dump(directory / "store")
    received = ["0", "2", "3", "5"]
    assert [v["body"] for k, v in found if v.get("unread")] == received[
        len(received) - unread if unread < 4 else 0 :
    ]
    assert dict(found)[f"thread:{number}"]["unreadCount"] == min(unread, 4)


def test_without_a_thread_the_messages_say_what_is_unread(directory):
    pairs = [message("+15550000001", 1000 + n, f"{n}", unread=n >= 3) for n in range(5)]
    pairs += [message("+15550000002", 2000 + n, f"{n}") for n in range(5)]
    load(directory / "store", lines_of(pairs))
    found = dict(dump(directory / "store"))
    assert found["thread:+15550000001"]["unreadCount"] == 2
    assert found["thread:+15550000002"]["unreadCount"] == 0


# ---- bad lines ----

GOOD = message("+15550000001", 1740000000000, "good", id="good")


def spoiled(**members):
    return lines_of([message("+15550000001", 1740000000000, **members)]).rstrip("\n")


def contact(**members):
    value = {
        "id": "11111111-2222-4333-8444-555555555555",
        "phoneNumber": "+15550000001",
        "displayName": "Ana",
        "createdAt": 5,
        "updatedAt": 6,
    }
    value.update(members)
    return json.dumps(
        {
            "key": f"contact:{value['id']}",
            "value": {k: v for k, v in value.items() if v is not None},
        }
    )


BAD = [
    ("{", "JSON"),
    ("not json", "JSON"),
    ('"text"', ""),
    ("[1]", ""),
    ("{} {}", "JSON"),
    ("\x00", "JSON"),
    ("{}", "key must be a string"),
    ('{"key":5,"value":{}}', "key must be a string"),
    ('{"key":"msg:x"}', "value is missing"),
    ('{"key":"msg:x","value":5}', "value must be an object"),
    ('{"key":"msg:x","value":"{"}', "the string in value"),
    ('{"key":"msg:x","value":"[]"}', "value must be an object"),
    ('{"key":"msg:x","key":"msg:y","value":{}}', "twice"),
    ('{"key":"msg:x","value":"e30=","base64":true}', "base64"),
    ('{"key":"index:x","value":{}}', "--ignore-other-keys"),
    (spoiled(id=None), "id is missing"),
    (spoiled(id=7), "id must be a string"),
    (spoiled(id="a b"), "id must be 1 to 64 letters"),
    (spoiled(id="x" * 65), "id must be 1 to 64 letters"),
    (spoiled(id="../../etc"), "id must be 1 to 64 letters"),
    (spoiled(body=None), "body is missing"),
    (spoiled(body=7), "body must be a string"),
    (spoiled(body="a\x00b"), ""),
    (spoiled(body="x" * 1100000), "too long for the store"),
    (spoiled(direction="both"), "direction must be sent or received"),
    (spoiled(timestamp=None), "timestamp is missing"),
    (spoiled(timestamp="1740000000000"), "timestamp must be a whole number"),
    (spoiled(timestamp=1740000000000.5), "timestamp must be a whole number"),
    (spoiled(timestamp=-5), "timestamp must be milliseconds"),
    (spoiled(timestamp=9999999999999), "timestamp lies in the future"),
    (spoiled(timestamp=1e300), ""),
    (spoiled(counterpart=""), "counterpart must have 1 to 128 bytes"),
    (spoiled(counterpart="x" * 129), "counterpart must have 1 to 128 bytes"),
    (spoiled(sid="SM 1"), "sid must be the sid of a message"),
    (spoiled(phoneNumber="our number"), "phoneNumber must be our phone number"),
    (spoiled(direction="sent"), "status is missing"),
    (spoiled(direction="sent", status="fine"), "status must be success, failed or pending"),
    (spoiled(direction="sent", status="failed", errorCode=-1), "errorCode"),
    (
        spoiled(direction="sent", status="success", deliveryStatus="lost"),
        "deliveryStatus must be one of",
    ),
    (
        spoiled(direction="sent", status="success", contentSid="HX1"),
        "contentSid must be the sid of a template",
    ),
    (spoiled(media=[{"url": "javascript:x", "contentType": "a/b"}]), "media must have urls"),
    (spoiled(media="a"), "media must be a list"),
    (spoiled(media=[{"url": "https://a"}]), "media must have objects"),
    (spoiled(store={"sids": []}), "store.sids must be a list"),
    (spoiled(store={"sids": "SM" + "1" * 32}), "store.sids must be a list"),
    (spoiled(sid="SM" + "2" * 32, store={"sids": ["SM1"]}), "store.sids must hold sids"),
    (spoiled().replace("msg:+15550000001", "msg:+15550000002"), "key does not say"),
    (spoiled().replace(":1740000000000:", ":1740000000001:"), "key does not say"),
    ('{"key":"thread:+15550000001","value":{"counterpart":"+15550000002"}}', "key does not say"),
    (
        '{"key":"thread:+15550000001","value":{"counterpart":"+15550000001","unreadCount":-1}}',
        "unreadCount must not be negative",
    ),
    ('{"key":"thread:+15550000001","value":{"unreadCount":1}}', "counterpart is missing"),
    (contact(id="7"), "id must be the id of a contact, a UUID"),
    (contact(phoneNumber="0555"), "phoneNumber must be a phone number"),
    (contact(displayName="  "), "displayName must not be empty"),
    (contact(displayName="x" * 101), "displayName must be at most 100"),
    (contact(createdAt=None), "createdAt is missing"),
    (contact(updatedAt=4), "updatedAt is before createdAt"),
]


def test_every_bad_line_is_named_and_nothing_is_loaded(directory):
    lines = []
    for bad, _ in BAD:
        lines += [lines_of([message("+15550000001", 1740000000000)]).rstrip("\n"), bad]
    data = "\n".join(lines).encode() + b'\n{"key":"msg:\xff"}\n'
    (directory / "input").write_bytes(data)
    result = ctl(
        "load", directory / "input", "--account-sid", ACCOUNT, store=directory / "store", expect=1
    )
    told = {}
    for line in result.err.splitlines()[:-1]:
        place, _, what = line[len(str(directory / "input")) + 1 :].partition(": ")
        told[int(place)] = what
    for number, (bad, what) in enumerate(BAD):
        assert what in told.get(2 * number + 2, "nothing was said"), (
            bad[:200],
            told.get(2 * number + 2),
        )
    assert set(told) == {2 * n + 2 for n in range(len(BAD))} | {2 * len(BAD) + 1}
    assert (
        result.err.splitlines()[-1]
        == f"whatsappctl: {len(BAD) + 1} lines cannot be loaded: nothing was changed"
    )
    assert not (directory / "store").exists()


def mutated(line, chance):
    """A line with a few bytes changed, lost, doubled or put in."""
    data = bytearray(line.encode())
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.choice(b'"\\\\{}[]:,0u\x00\xff\xc3 -e.')
        elif kind == 1:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randrange(1, 40)]
        else:
            data[at:at] = chance.choice(
                [
                    b"\\ud83d",
                    b"null",
                    b"1e400",
                    b"99999999999999999999",
                    b"\\u0000",
                    b"{}",
                    b"[[",
                    b'\\\\"',
                ]
            )
    return bytes(data).replace(b"\n", b" ")


def test_spoiled_lines_are_read_or_refused(lived, directory):
    """Whatever is done to lines: what is taken is in the store afterwards, what is not is named,
    and a dump of the rest goes round."""
    chance = random.Random(11)
    lines = ctl("dump", store=lived).out.split("\n")[:-1]
    spoilt = [mutated(chance.choice(lines), chance) for _ in range(3000)]
    (directory / "input").write_bytes(b"\n".join(spoilt))
    result = ctl(
        "load",
        directory / "input",
        "--account-sid",
        ACCOUNT,
        "--ignore-other-keys",
        store=directory / "store",
        expect=1,
    )
    prefix = f"{directory}/input:"
    refused = {
        int(line[len(prefix) :].split(":")[0])
        for line in result.err.splitlines()
        if line.startswith(prefix)
    }
    assert 1000 < len(refused) < 3000
    good = [line for number, line in enumerate(spoilt, 1) if number not in refused]
    (directory / "good").write_bytes(b"\n".join(good))
    ctl(
        "load",
        directory / "good",
        "--account-sid",
        ACCOUNT,
        "--ignore-other-keys",
        store=directory / "store",
    )
    text = ctl("dump", store=directory / "store").out
    assert text.count('{"key":"msg:') > 10
    load(directory / "again", text)
    assert ctl("dump", store=directory / "again").out == text
    assert ctl("verify", store=directory / "store").out.endswith("sound\n")


@pytest.mark.parametrize(
    "text, line, what",
    [
        ("[", 1, "the array has no end"),
        ("[\n{}", 2, ""),
        ("[\n\n{]", 3, ""),
        ('[\n{"key":"x}', 2, "the array ends within an element"),
        ("[\n,\n", 2, "an element of the array is missing"),
        (f"[{lines_of([GOOD])},\n]", 3, "an element of the array is missing"),
        (f"[{lines_of([GOOD])}\n{lines_of([GOOD])}]", 3, "a comma is missing"),
        (f"[{lines_of([GOOD])}]\n\n]", 4, "something stands after the end"),
        ("[5]", 1, ""),
        (f"[\n{lines_of([GOOD])},\n5, {spoiled(id=None)}]", 4, ""),
    ],
    ids=[str(n) for n in range(1, 11)],
)
def test_broken_arrays(directory, text, line, what):
    result = load(directory / "store", text, expect=1)
    assert any(
        said.startswith(f"-:{line}: ") and what in said for said in result.err.splitlines()
    ), result
    assert not (directory / "store").exists()


def test_a_line_that_never_ends_is_refused(directory):
    (directory / "input").write_bytes(b'{"key":"' + b"x" * (17 << 20))
    result = ctl(
        "load", directory / "input", "--account-sid", ACCOUNT, store=directory / "store", expect=1
    )
    assert ":1: is longer than 16 MB" in result.err


def test_deep_nesting_is_refused(directory):
    deep = '{"key":"msg:x","value":' + "[" * 100000 + "]" * 100000 + "}"
    assert "-:1: " in load(directory / "store", deep, expect=1).err


def test_empty_input_makes_an_empty_store(directory):
    for name, text in {"none": "", "blank": "\n \r\n", "array": " [ ] "}.items():
        assert "0 messages and 0 contacts loaded" in load(directory / name, text).err
        assert dump(directory / name) == []
        assert ctl("verify", store=directory / name).out.endswith("sound\n")


def test_other_keys_may_be_passed_over(directory):
    text = '{"key":"index:x","value":{}}\n' + lines_of([GOOD])
    assert (
        "1 messages and 0 contacts loaded"
        in load(directory / "store", text, "--ignore-other-keys").err
    )
    assert [key for key, _ in dump(directory / "store")] == [GOOD[0], "thread:+15550000001"]


def test_unknown_members_are_counted(directory):
    text = lines_of([message("+15550000001", 5, profileName="Ana", twilio={"a": 1})])
    assert "2 members that are not known left out" in load(directory / "store", text).err


# ---- into a store that is there ----


def test_into_a_store_that_has_messages(lived, said, serve, fresh):
    before = dump(lived)
    newest = said["now"]
    number = said["threads"][0]["counterpart"]
    text = lines_of(
        [
            message(number, newest + 5, "newer", sid=fresh.sid()),
            message("+15559990000", newest + 1, "new thread", sid=fresh.sid(), unread=True),
        ]
    )
    owner = lived.stat().st_uid
    assert "2 messages and 0 contacts loaded; 0 skipped" in load(lived, text, account=None).err
    after = dump(lived)
    messages = [pair for pair in as_seen(before) if pair[0].startswith("msg:")]
    assert [key for key, _ in as_seen(after)[: len(messages)]] == [key for key, _ in messages]
    assert [value["body"] for _, value in after[len(messages) : len(messages) + 2]] == [
        "new thread",
        "newer",
    ]
    assert dict(after)["thread:+15559990000"]["unreadCount"] == 1
    assert dict(after)[f"thread:{number}"]["unreadCount"] == 0
    assert ctl("verify", store=lived).out.endswith("sound\n")
    assert {path.stat().st_uid for path in lived.iterdir()} == {owner}
    with serve(lived) as server:
        found = server.client().since(newest)["messages"]
        assert [m["body"] for m in found] == ["new thread", "newer"]


def test_loading_again_skips_all(lived):
    text = ctl("dump", store=lived).out
    messages = text.count('{"key":"msg:') + text.count('{"key":"contact:')
    assert f"0 messages and 0 contacts loaded; {messages} skipped" in load(lived, text).err
    assert ctl("dump", store=lived).out == text


def test_doubles_within_the_input_are_skipped(directory, fresh):
    sid = fresh.sid()
    one = message("+15550000001", 1000, "one", sid=sid)
    pairs = [one, one, message("+15550000001", 1001, "the same sid", sid=sid)]
    same = {
        "id": "11111111-2222-4333-8444-555555555555",
        "phoneNumber": "+15550000001",
        "displayName": "Ana",
        "createdAt": 5,
        "updatedAt": 6,
    }
    pairs += [(f"contact:{same['id']}", same), (f"contact:{same['id']}", same)]
    other = {**same, "id": "11111111-2222-4333-8444-666666666666", "updatedAt": 7}
    pairs.append((f"contact:{other['id']}", other))
    assert (
        "1 messages and 1 contacts loaded; 4 skipped"
        in load(directory / "store", lines_of(pairs)).err
    )
    assert [v["body"] for k, v in dump(directory / "store") if k.startswith("msg:")] == ["one"]


def test_what_is_not_newer_than_the_store_is_refused(lived, said):
    before = files_of(lived)
    newest = said["now"]
    text = lines_of(
        [
            message("+15550000001", newest + 1),
            message("+15550000001", newest),
            message("+15550000001", 5),
        ]
    )
    result = load(lived, text, expect=1)
    refused = [line for line in result.err.splitlines() if line.startswith("-:")]
    assert [line[:4] for line in refused] == ["-:2:", "-:3:"]
    assert all(
        "load that dump and this file together (cat) into a new directory" in line
        for line in refused
    )
    assert files_of(lived) == before


def test_two_dumps_go_together_into_a_new_store(lived, said, directory):
    older = lines_of([message("+15550000077", 5, "older")])
    load(directory / "both", ctl("dump", store=lived).out + older)
    found = dump(directory / "both")
    assert found[0][1]["body"] == "older"
    assert len(found) == len(dump(lived)) + 2


def test_a_contact_older_than_the_store_is_taken_with_the_time_of_the_load(lived, said):
    text = contact(phoneNumber="+15550077777") + "\n"
    assert "0 messages and 1 contacts loaded" in load(lived, text).err
    found = dict(dump(lived))["contact:11111111-2222-4333-8444-555555555555"]
    assert found["createdAt"] == 5 and found["updatedAt"] > said["now"]


def test_another_account_is_refused(lived):
    result = load(lived, "", account="AC" + "9" * 32, expect=2)
    assert "holds the messages of another Twilio account" in result.err


def test_a_damaged_store_takes_nothing(lived):
    flip(lived / "journal", records(lived)[2].offset + 50)
    assert "run whatsappctl rebuild" in load(lived, lines_of([GOOD]), expect=1).err


def test_a_dry_run_changes_nothing(lived, directory):
    before = files_of(lived)
    newer = lines_of([message("+15550000001", dump(lived)[0][1]["timestamp"] + 10**7)])
    assert "would be: 1 messages" in load(lived, newer, "--dry-run").err
    assert files_of(lived) == before
    load(directory / "new", newer, "--dry-run")
    assert not (directory / "new").exists()


def test_a_new_store_needs_an_account(directory):
    assert (
        "say whose it is with --account-sid"
        in load(directory / "store", "", account=None, expect=2).err
    )
    assert not (directory / "store").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("is_new", [True, False])
def test_an_end_in_the_middle_leaves_what_was_there(lived, directory, number, is_new):
    store = directory / "new" if is_new else lived
    before = files_of(lived)
    with subprocess.Popen(
        [PROGRAM, "--store", store, "load", "-", "--account-sid", ACCOUNT],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(lines_of([GOOD]).encode())
        process.stdin.flush()
        wait_until(lambda: (store / "load.new" / "input").exists(), "the load to begin reading")
        process.send_signal(number)
        try:
            process.stdin.write(b"\n" + lines_of([GOOD]).encode())
            process.stdin.flush()
        except BrokenPipeError:
            pass
        status = process.wait(60)
        said = process.stderr.read().decode()
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 130 and "interrupted" in said
        assert not (store / "load.new").exists()
    if is_new:
        if number != signal.SIGKILL:
            assert not store.exists()
        load(store, lines_of([GOOD]))
        assert len(dump(store)) == 2
    else:
        assert {name: each for name, each in files_of_plain(store).items()} == before
        assert ctl("verify", store=store).out.endswith("sound\n")
        load(store, "")
    assert not (store / "load.new").exists()


def files_of_plain(store):
    return {path.name: path.read_bytes() for path in store.iterdir() if path.is_file()}


# ---- dump's output ----


def test_output_goes_to_a_private_file_in_one_step(lived, directory):
    target = directory / "dump.jsonl"
    target.write_text("older")
    ctl("dump", "--output", target, store=lived)
    assert target.read_text(encoding="utf-8") == ctl("dump", store=lived).out
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in directory.iterdir()) == ["dump.jsonl", "store"]


def test_output_may_be_no_file(lived):
    ctl("dump", "--output", "/dev/null", store=lived)
    assert (
        "cannot be written"
        in ctl("dump", "--output", "/no/such/directory/x", store=lived, expect=2).err
    )
    assert os.path.exists("/dev/null")


def test_a_dump_beside_a_live_server_is_a_moment_of_it(lived, serve, fresh):
    with serve(lived) as server:
        api = server.client()
        number = fresh.number()
        for n in range(3):
            api.receive(number, fresh.text(), fresh.sid())
            pairs = as_seen(dump(lived))
            now = everything(api)
            assert [v for k, v in pairs if k.startswith("thread:")] == now["threads"]
            assert [
                v for k, v in pairs if k.startswith("msg:") and v["counterpart"] == number
            ] == now["messages"][number][::-1]
            assert dict(pairs)[f"thread:{number}"]["unreadCount"] == n + 1
