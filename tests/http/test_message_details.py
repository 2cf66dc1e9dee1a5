# SPDX-License-Identifier: Apache-2.0
"""What people wrote about: kinds, the message that one answers, ads, names of files and people."""

import pytest

ME = "ME00000000000000000000000000000012"


@pytest.fixture
def receive(api, fresh):
    """Receives one message of somebody new; gives the message as /messages has it."""

    def one(body="", number=None, **fields):
        number, sid = number or fresh.number(), fields.pop("MessageSid", None) or fresh.sid("MM")
        if "type" in fields:
            fields["MediaContentType0"] = fields.pop("type")
            fields["NumMedia"] = "1"
            fields["MediaUrl0"] = (
                f"https://api.twilio.com/2010-04-01/Accounts/{api.account.sid}"
                f"/Messages/{sid}/Media/{ME}"
            )
        api.plant(number)
        api.webhook(api.account.inbound(number, body, sid, **fields))
        return api.all_messages(number)[0]

    return one


def preview(api, message):
    return api.thread(message["counterpart"])["lastMessagePreview"]


@pytest.mark.parametrize(
    "kind, content_type, shown",
    [
        ("contacts", "text/vcard", "[contacts]"),
        ("sticker", "image/webp", "[sticker]"),
        ("image", "image/jpeg", "[image]"),
        ("voice-of-2027", "audio/ogg", "[voice-of-2027]"),
        (None, "text/vcard", "[contacts]"),
        (None, "image/webp", "[image]"),
        ("text", "application/pdf", "[document]"),
    ],
)
def test_a_kind_without_a_text(api, receive, kind, content_type, shown):
    message = receive(MessageType=kind, type=content_type)
    assert message.get("type") == kind
    assert message["body"] == ""
    assert preview(api, message) == shown


@pytest.mark.parametrize("kind", ["contacts", "order", "reaction", "unsupported"])
def test_a_kind_without_a_text_and_a_file(api, receive, kind):
    message = receive(MessageType=kind)
    assert (message["type"], message["body"]) == (kind, f"[{kind}]")
    assert preview(api, message) == f"[{kind}]"


def test_a_kind_that_is_anything(receive):
    message = receive("x", MessageType="  a\u202eb\n\tc \x00" + "d" * 100)
    assert message["type"] == "ab c " + "d" * 35
    assert "type" not in receive("x", MessageType="\u200b \u202e")


def test_a_text_wins_over_its_kind(api, receive):
    message = receive("a caption", MessageType="sticker", type="image/webp")
    assert (message["body"], preview(api, message)) == ("a caption", "a caption")


# ---- what it answers ----


def test_an_answer_to_what_we_sent(api, fresh, receive, twilio):
    number = fresh.number()
    sent = api.send(number, "Shall we say " + "Friday " * 30)["message"]
    message = receive(
        "Yes",
        number,
        OriginalRepliedMessageSid=sent["sid"],
        OriginalRepliedMessageSender=f"whatsapp:{api.account.number}",
    )
    assert message["replyTo"] == {
        "sid": sent["sid"],
        "sender": api.account.number,
        "id": sent["id"],
        "direction": "sent",
        "preview": sent["body"][:100],
    }
    changes = api.since(0)["messages"]
    assert [m["replyTo"] for m in changes if m["id"] == message["id"]] == [message["replyTo"]]


def test_an_answer_to_a_part_of_a_long_message(api, fresh, receive, twilio):
    number = fresh.number()
    sent = api.send(number, "word " * 700)["message"]
    parts = api.get(f"/messages/{sent['id']}").json()["parts"]
    reply = receive("that one", number, OriginalRepliedMessageSid=parts[2]["sid"])["replyTo"]
    assert (reply["sid"], reply["id"]) == (parts[2]["sid"], sent["id"])


def test_an_answer_to_a_picture_of_theirs(receive, fresh):
    number = fresh.number()
    first = receive("", number, MessageType="sticker", type="image/webp")
    reply = receive("that one", number, OriginalRepliedMessageSid=first["sid"])["replyTo"]
    assert reply == {
        "sid": first["sid"],
        "id": first["id"],
        "direction": "received",
        "preview": "[sticker]",
    }


def test_an_answer_to_what_comes_later(api, receive, fresh):
    number, sid = fresh.number(), fresh.sid()
    early = receive("yes", number, OriginalRepliedMessageSid=sid)
    assert early["replyTo"] == {"sid": sid}
    late = receive("will you?", number, MessageSid=sid)
    again = api.all_messages(number)[1]
    assert (again["id"], again["replyTo"]["id"]) == (early["id"], late["id"])


@pytest.mark.parametrize("sid", ["", "SM12", "idem:key", "../x", "SM" + "z" * 32, "\x00"])
def test_an_answer_to_no_message(receive, sid):
    assert "replyTo" not in receive("yes", OriginalRepliedMessageSid=sid)


def test_a_sent_message_answers_none(api, fresh, twilio):
    """Twilio cannot be told what a message answers: the member is ignored like any unknown one."""
    number = fresh.number()
    message = api.send(number, "an answer", replyTo={"sid": fresh.sid()})["message"]
    assert "replyTo" not in message


# ---- ads ----

AD = {
    "ReferralSourceType": "ad",
    "ReferralSourceId": "118588094077142",
    "ReferralSourceUrl": "https://fb.me/3cgbxPtLG",
    "ReferralHeadline": "Summer sale",
    "ReferralBody": "Half price\nuntil Sunday",
    "ReferralMediaUrl": "https://scontent.xx.fbcdn.net/v/t45?x=1&y=2",
    "ReferralMediaContentType": "image/jpeg",
    "ReferralMediaId": "42",
    "ReferralNumMedia": "1",
    "ReferralCtwaClid": "ARAkLkA8rmlFeiCktEJQ",
}


def test_an_ad(receive):
    message = receive("Hi, I saw this", **AD)
    assert message["referral"] == {
        "sourceType": "ad",
        "sourceId": "118588094077142",
        "sourceUrl": "https://fb.me/3cgbxPtLG",
        "headline": "Summer sale",
        "body": "Half price until Sunday",
        "mediaUrl": "https://scontent.xx.fbcdn.net/v/t45?x=1&y=2",
        "mediaContentType": "image/jpeg",
        "mediaId": "42",
        "ctwaClid": "ARAkLkA8rmlFeiCktEJQ",
    }


def test_no_ad(receive):
    assert "referral" not in receive("hi")
    assert "referral" not in receive("hi", ReferralNumMedia="1", ReferralBody=" ")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "ftp://x/y",
        "java\nscript:x",
        " https://x.example",
        "https://x.example/\u202ey",
        "https://x.example/" + "y" * 3000,
    ],
)
def test_an_ad_with_an_address_that_is_none(receive, url):
    referral = receive("hi", ReferralHeadline="Sale", ReferralSourceUrl=url)["referral"]
    assert referral == {"headline": "Sale"}


def test_the_short_name_of_the_click(receive):
    assert receive("hi", CtwaClid="AbC")["referral"] == {"ctwaClid": "AbC"}


# ---- names ----


def test_the_name_of_a_document(api, receive):
    message = receive("report 2026.pdf", MessageType="document", type="application/pdf")
    assert message["media"][0]["fileName"] == "report 2026.pdf"
    assert preview(api, message) == "report 2026.pdf"


@pytest.mark.parametrize(
    "body, kind, content_type",
    [
        ("a caption", "image", "image/png"),
        ("a caption", "video", "video/mp4"),
        ("Ana", "contacts", "text/vcard"),
        ("two\nlines", "document", "application/pdf"),
        ("please sign", "document", "application/pdf"),
        ("read this. thanks", "document", "application/pdf"),
        ("by 5 p.m.", "document", "application/pdf"),
        ("", "document", "application/pdf"),
    ],
)
def test_what_is_no_name_of_a_document(receive, body, kind, content_type):
    assert "fileName" not in receive(body, MessageType=kind, type=content_type)["media"][0]


def test_the_newest_name_of_somebody(api, fresh, receive):
    number = fresh.number()
    receive("one", number, ProfileName="Ana \u202eG\u00f3mez\n")
    assert api.thread(number)["profileName"] == "Ana G\u00f3mez"
    receive("two", number, ProfileName=None)
    receive("three", number, ProfileName="\u200b")
    assert api.thread(number)["profileName"] == "Ana G\u00f3mez"
    receive("four", number, ProfileName="\U0001f469\u200d\U0001f680 Ana" + "x" * 200)
    assert api.thread(number)["profileName"] == "\U0001f469\u200d\U0001f680 Ana" + "x" * 93
    api.post("/contacts", {"phoneNumber": number, "displayName": "Ours"})
    assert api.thread(number)["contactName"] == "Ours"
    assert api.thread(number)["profileName"].startswith("\U0001f469")


def test_somebody_without_a_name(api, fresh, receive, twilio):
    number = fresh.number()
    api.send(number, "hello?")
    receive("hi", number, ProfileName=None)
    assert "profileName" not in api.thread(number)
