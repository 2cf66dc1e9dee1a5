# SPDX-License-Identifier: Apache-2.0
"""POST /webhook: inbound messages of every kind, duplicates, and what is turned away."""

import pytest

from support.client import RawConnection, check_headers
from support.conditions import in_parallel
from support.signing import encode_form, sign


def media_url(sid, media):
    account = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001"
    return f"{account}/Messages/{sid}/Media/{media}"


def only(api, number):
    """The one message of a counterpart."""
    (message,) = api.messages(number)["messages"]
    return message


@pytest.mark.every_mpm
def test_a_text_is_stored_as_it_came(api, fresh):
    number, sid, text = (
        fresh.number(),
        fresh.sid(),
        "Hola \U0001f44b 1+1 = 2 & %41 ¿no?\n second line ",
    )
    before = api.now()
    api.receive(number, text, sid)
    message = only(api, number)
    assert message["direction"] == "received"
    assert message["counterpart"] == number
    assert message["phoneNumber"] == api.account.number
    assert message["body"] == text
    assert message["sid"] == sid
    assert message["unread"] is True
    assert message["timestamp"] > before
    assert "status" not in message and "errorMessage" not in message and "media" not in message


def test_the_order_of_fields_does_not_matter(api, fresh):
    number = fresh.number()
    fields = list(api.account.inbound(number, "whatever the order", fresh.sid()).items())
    api.plant(number)
    api.webhook(fields[::-1])
    assert only(api, number)["body"] == "whatever the order"


def test_a_percent_encoded_space_and_lower_case_hex_are_read_and_signed_alike(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.plant(number)
    body = (
        encode_form(list(api.account.inbound(number, "two words ¡sí!", sid).items()))
        .replace(b"+", b"%20")
        .replace(b"%C3", b"%c3")
    )
    api.webhook([], body=body)
    assert only(api, number)["body"] == "two words ¡sí!"


def test_fields_that_nobody_knows_yet_are_fine(api, fresh):
    number = fresh.number()
    api.plant(number)
    fields = api.account.inbound(
        number,
        "from the future",
        fresh.sid(),
        NewField="x",
        Another_Field="",
        ExternalUserId="whatsapp:US.abc123",
    )
    api.webhook(fields)
    assert only(api, number)["body"] == "from the future"


def test_a_message_without_optional_fields_is_kept(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.plant(number)
    api.webhook(
        {
            "MessageSid": sid,
            "AccountSid": api.account.sid,
            "From": f"whatsapp:{number}",
            "To": f"whatsapp:{api.account.number}",
            "Body": "bare bones",
        }
    )
    assert only(api, number)["body"] == "bare bones"


def test_a_long_text_is_kept_whole(api, fresh):
    number, text = fresh.number(), "é" * 4096
    api.receive(number, text, fresh.sid())
    assert only(api, number)["body"] == text


def test_an_image_with_a_caption_is_kept(api, fresh):
    number, sid = fresh.number(), fresh.sid("MM")
    url = media_url(sid, "ME00000000000000000000000000000012")
    api.receive(
        number,
        "my caption is this",
        sid,
        NumMedia="1",
        MessageType="image",
        MediaUrl0=url,
        MediaContentType0="image/jpeg",
    )
    message = only(api, number)
    assert message["body"] == "my caption is this"
    assert message["sid"] == sid
    assert [entry["contentType"] for entry in message["media"]] == ["image/jpeg"]
    assert all(set(entry) == {"url", "contentType"} and entry["url"] for entry in message["media"])


def test_a_picture_without_a_word_is_kept(api, fresh):
    number, sid = fresh.number(), fresh.sid("MM")
    api.plant(number)
    api.webhook(
        api.account.inbound(
            number,
            "",
            sid,
            NumMedia="1",
            MessageType="image",
            MediaUrl0=media_url(sid, "ME1"),
            MediaContentType0="image/png",
        )
    )
    assert len(only(api, number)["media"]) == 1
    assert api.thread(number)["messageCount"] == 1


def test_several_media_are_all_kept_in_order(api, fresh):
    number, sid = fresh.number(), fresh.sid("MM")
    more = {}
    for index in range(11):
        more[f"MediaUrl{index}"] = media_url(sid, f"ME{index:032}")
        more[f"MediaContentType{index}"] = f"image/x-{index}"
    api.receive(number, "a whole album of pictures", sid, NumMedia="11", **more)
    types = [entry["contentType"] for entry in only(api, number)["media"]]
    assert types[:10] == [f"image/x-{index}" for index in range(10)]


@pytest.mark.parametrize("count", ["", "x", "-1", "99999999999999999999", "3", None], ids=repr)
def test_a_media_count_that_is_not_true_does_no_harm(api, fresh, count):
    number, sid = fresh.number(), fresh.sid("MM")
    api.receive(
        number,
        "text beside odd media",
        sid,
        NumMedia=count,
        MediaUrl0=media_url(sid, "ME1"),
        MediaContentType0="image/png",
    )
    assert only(api, number)["body"] == "text beside odd media"


def test_a_location_is_kept(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.plant(number)
    api.webhook(
        api.account.inbound(
            number,
            "",
            sid,
            MessageType="location",
            Latitude="51.51322977399644",
            Longitude="-0.2197976373036567",
            Address="187 Freston Road",
            Label="The Harrow Club",
        )
    )
    body = only(api, number)["body"]
    for part in ("51.51322977399644", "-0.2197976373036567", "187 Freston Road", "The Harrow Club"):
        assert part in body
    assert api.thread(number)["lastMessagePreview"] == body[:100]


def test_a_location_without_words_is_kept(api, fresh):
    number = fresh.number()
    api.plant(number)
    api.webhook(
        api.account.inbound(
            number, "", fresh.sid(), MessageType="location", Latitude="1.5", Longitude="-2.25"
        )
    )
    body = only(api, number)["body"]
    assert "1.5" in body and "-2.25" in body


def test_a_button_is_kept_with_its_text(api, fresh):
    number = fresh.number()
    api.plant(number)
    api.webhook(
        api.account.inbound(
            number,
            "Yes",
            fresh.sid(),
            MessageType="button",
            ButtonText="Yes",
            ButtonPayload="confirm:42",
            OriginalRepliedMessageSid=fresh.sid("MM"),
            OriginalRepliedMessageSender=f"whatsapp:{api.account.number}",
        )
    )
    assert only(api, number)["body"] == "Yes"


def test_a_button_without_a_body_is_kept_with_its_text(api, fresh):
    number = fresh.number()
    api.plant(number)
    api.webhook(
        api.account.inbound(
            number,
            "",
            fresh.sid(),
            MessageType="button",
            ButtonText="Sí, gracias",
            ButtonPayload="confirm:42",
        )
    )
    assert only(api, number)["body"] == "Sí, gracias"


def test_an_empty_text_is_kept(api, fresh):
    number = fresh.number()
    api.plant(number)
    api.webhook(api.account.inbound(number, "", fresh.sid()))
    assert api.thread(number)["messageCount"] == 1


@pytest.mark.parametrize("identifier", ["US.13491208655302741918", "DE.a-b_c.9", "user.name"])
def test_a_sender_without_a_phone_number_is_a_counterpart_too(api, fresh, identifier):
    """A business-scoped id: kept, listed, found, read."""
    counterpart = identifier + fresh.number()[-6:]
    text = fresh.text()
    api.webhook(api.account.inbound(counterpart, text, fresh.sid(), WaId=None))
    message = only(api, counterpart)
    assert message["counterpart"] == counterpart and message["body"] == text
    assert api.thread(counterpart)["unreadCount"] == 1
    assert api.mark_read(counterpart)["thread"]["unreadCount"] == 0


@pytest.mark.parametrize(
    "sender",
    [
        "whatsapp:",
        "",
        "whatsapp:x/../y",
        "whatsapp:\u00e9\U0001f600",
        "whatsapp: ",
        "whatsapp:a b",
        "x" * 300,
        "tel:12",
        "whatsapp:%00",
    ],
    ids=lambda text: ascii(text[:16]),
)
def test_a_strange_sender_never_breaks_anything(api, fresh, sender):
    """Twilio signed it, so it is kept, or refused with a clear error; nothing in between."""
    text = fresh.text()
    before = api.now()
    fields = api.account.inbound("+15550001111", text, fresh.sid(), From=sender, WaId=None)
    body = encode_form(list(fields.items()))
    response = api.fetch(
        "POST",
        api.base + "/webhook",
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            ),
        },
    )
    api.check("POST", "/webhook", response)
    stored = [message for message in api.since(before)["messages"] if message["body"] == text]
    assert (response.status, len(stored)) in ((200, 1), (400, 0)), response
    if stored:
        assert text in [
            message["body"] for message in api.messages(stored[0]["counterpart"])["messages"]
        ]


@pytest.mark.every_mpm
def test_the_same_message_again_gets_the_same_answer_and_stores_nothing(api, fresh):
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    first = api.receive(number, text, sid)
    before = api.now()
    again = api.receive(number, text, sid)
    assert again.body == first.body
    # from the fallback URL, or with changed fields: the MessageSid decides
    api.webhook(api.account.inbound(number, "another text now", sid))
    assert only(api, number)["body"] == text
    assert api.now() == before
    assert api.thread(number)["unreadCount"] == 1


@pytest.mark.every_mpm
def test_forty_deliveries_of_one_message_store_it_once(api, fresh):
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    in_parallel(40, lambda _: api.receive(number, text, sid))
    only(api, number)
    assert api.thread(number)["messageCount"] == 1


def test_a_wrong_signature_is_refused_and_stores_nothing(api, server, fresh):
    number = fresh.number()
    fields = api.account.inbound(number, fresh.text(), fresh.sid())
    good = sign(
        api.account.token,
        api.account.public_url + api.base + "/webhook",
        encode_form(list(fields.items())),
    )
    before = api.now()
    server.claim("WA*")
    for signature in ("", good[:-1], good + "=", good.lower(), "A" * 28, good[::-1], "x", "=" * 28):
        assert (
            api.webhook(fields, expect=403, signature=signature).json()["code"] == "UNAUTHORIZED"
        ), signature
    for body in (
        encode_form(list(fields.items()) + [("Extra", "1")]),
        encode_form(list(fields.items())[:-1]),
        encode_form(list(fields.items())) + b"&Body=again",
    ):
        api.webhook([], expect=403, signature=good, body=body)
    for target in (
        "/api/whatsapp-messenger/webhook?",
        "/api/whatsapp-messenger/webhook?a=1",
        "/api/whatsapp-messenger/%77ebhook",
    ):
        assert api.webhook(fields, expect=403, signature=good, target=target)
    api.webhook(fields, expect=403, token="0" * 32)
    api.webhook(fields, expect=403, token="")
    api.webhook(fields, expect=403, url="http://chat.example.org" + api.base + "/webhook")
    api.webhook(fields, expect=403, url="https://other.example.org" + api.base + "/webhook")
    assert api.now() == before


def test_two_signature_headers_are_refused(api, server, fresh):
    fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid())
    body = encode_form(list(fields.items()))
    good = sign(api.account.token, api.account.public_url + api.base + "/webhook", body)
    server.claim("WA*", required=False)
    with RawConnection(api.port) as raw:
        raw.send(
            f"POST {api.base}/webhook HTTP/1.1\r\nHost: {api.host}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
            f"X-Twilio-Signature: {good}\r\nX-Twilio-Signature: {'A' * 28}\r\n\r\n".encode() + body
        )
        response = raw.response()
        assert response.status == 403
        check_headers(response)


def test_a_message_for_another_account_is_refused(api, server, fresh):
    """The signature covers names and values without delimiters: AccountSid has to be looked at by
    itself."""
    before = api.now()
    server.claim("WA*", required=False)
    for sid in (
        "AC00000000000000000000000000000009",
        "",
        None,
        api.account.sid.lower(),
        api.account.sid + "0",
    ):
        fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid(), AccountSid=sid)
        assert api.webhook(fields, expect=403).json()["code"] == "UNAUTHORIZED", sid
    fields = list(api.account.inbound(fresh.number(), fresh.text(), fresh.sid()).items())
    api.webhook([("AccountSid", "AC00000000000000000000000000000009")] + fields, expect=403)
    assert api.now() == before


@pytest.mark.parametrize(
    "sid",
    [
        "",
        "x",
        "SM123",
        "sm00000000000000000000000000000011",
        "AC00000000000000000000000000000011",
        "SM0000000000000000000000000000001g",
        "SM000000000000000000000000000000111",
        None,
    ],
    ids=repr,
)
def test_a_message_without_a_proper_sid_is_refused(api, fresh, sid):
    before = api.now()
    fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid(), MessageSid=sid)
    assert api.webhook(fields, expect=400).json()["code"] == "INVALID_INPUT"
    assert api.now() == before


def test_a_query_is_part_of_what_is_signed(api, fresh):
    number = fresh.number()
    api.plant(number)
    api.webhook(
        api.account.inbound(number, "with a query", fresh.sid()),
        target=api.base + "/webhook?b=2&a=%20x&empty=&bare",
    )
    assert only(api, number)["body"] == "with a query"


def test_the_port_of_the_url_may_be_signed_or_not(api, fresh):
    for url in ("https://chat.example.org:443", "https://chat.example.org"):
        number = fresh.number()
        api.plant(number)
        api.webhook(
            api.account.inbound(number, "with or without", fresh.sid()),
            url=url + api.base + "/webhook",
        )
        assert only(api, number)["body"] == "with or without"


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencodedx",
    ],
    ids=repr,
)
def test_a_webhook_that_is_no_form_is_refused(api, server, fresh, media_type):
    fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid())
    server.claim("WA*", required=False)
    before = api.now()
    headers = {"Content-Type": media_type} if media_type else {}
    body = encode_form(list(fields.items()))
    headers["X-Twilio-Signature"] = sign(
        api.account.token, api.account.public_url + api.base + "/webhook", body
    )
    response = api.request("POST", "/webhook", body=body, headers=headers)
    assert response.status in (403, 415)
    assert api.now() == before


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-URLEncoded",
        "application/x-www-form-urlencoded;charset=x",
    ],
)
def test_parameters_of_the_media_type_are_ignored(api, fresh, media_type):
    number = fresh.number()
    api.plant(number)
    api.webhook(
        api.account.inbound(number, "whatever charset", fresh.sid()),
        headers={"Content-Type": media_type},
    )
    assert only(api, number)["body"] == "whatever charset"


def test_a_chunked_webhook_is_read(api, fresh):
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    api.plant(number, text)
    body = encode_form(list(api.account.inbound(number, text, sid).items()))
    response = api.request(
        "POST",
        "/webhook",
        body=[body[start : start + 7] for start in range(0, len(body), 7)],
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            ),
        },
    )
    assert response.status == 200
    assert only(api, number)["body"] == text


def test_a_webhook_over_the_limit_is_refused(api, server, fresh):
    server.claim("WA0236")
    fields = api.account.inbound(fresh.number(), "x" * 70000, fresh.sid())
    assert api.webhook(fields, expect=413).json()["code"] == "PAYLOAD_TOO_LARGE"


def test_a_form_of_very_many_fields_is_refused_or_kept_but_nothing_breaks(api, fresh, server):
    number = fresh.number()
    api.plant(number)
    server.claim("WA*", required=False)
    fields = list(api.account.inbound(number, "with 5000 more", fresh.sid()).items()) + [
        (f"f{index}", "") for index in range(5000)
    ]
    body = encode_form(fields)
    response = api.request(
        "POST",
        "/webhook",
        body=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            ),
        },
    )
    assert response.status in (200, 400, 403)
    assert len(api.messages(number)["messages"]) == (1 if response.status == 200 else 0)


@pytest.mark.parametrize(
    "body", [b"", b"&&&", b"=", b"=x", b"a", b"%", b"MessageSid", b"\x00\xff", b"+" * 1000]
)
def test_a_signed_form_without_the_fields_is_refused(api, server, body):
    server.claim("WA*", required=False)
    response = api.request(
        "POST",
        "/webhook",
        body=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            ),
        },
    )
    assert response.status in (400, 403)


@pytest.mark.parametrize(
    "raw, kept",
    [
        (b"bad%FFbyte", "bad\ufffdbyte"),
        (b"nul%00byte", "nul\ufffdbyte"),
        (b"half%E2%82", "half\ufffd"),
        (b"100%", "100%"),
        (b"%zz%4", "%zz%4"),
        (b"semi;colon", "semi;colon"),
        (b"a=b=c", "a=b=c"),
    ],
    ids=repr,
)
def test_bytes_that_are_no_text_never_lose_the_message(api, fresh, raw, kept):
    """Twilio sends UTF-8; what is not becomes replacement characters or is refused, and the answer
    is JSON that can be read."""
    number, sid = fresh.number(), fresh.sid()
    api.plant(number)
    body = (
        encode_form(
            [
                (name, value)
                for name, value in api.account.inbound(number, "", sid).items()
                if name != "Body"
            ]
        )
        + b"&Body="
        + raw
    )
    response = api.fetch(
        "POST",
        api.base + "/webhook",
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            ),
        },
    )
    api.check("POST", "/webhook", response)
    stored = api.messages(number)["messages"]
    if b"%FF" in raw or b"%00" in raw or b"%E2" in raw:
        assert (response.status, len(stored)) in ((200, 1), (400, 0))
        return
    assert response.status == 200
    assert stored[0]["body"] == kept


def test_a_get_webhook_is_not_allowed_even_when_signed(api, fresh):
    query = encode_form(
        list(api.account.inbound(fresh.number(), fresh.text(), fresh.sid()).items())
    ).decode()
    target = f"{api.base}/webhook?{query}"
    response = api.fetch(
        "GET",
        target,
        headers={"X-Twilio-Signature": sign(api.account.token, api.account.public_url + target)},
    )
    api.check("GET", "/webhook", response)
    assert response.status == 405
