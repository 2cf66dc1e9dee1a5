# SPDX-License-Identifier: Apache-2.0
"""POST /send: what is accepted and kept as it is, and what is refused before anything is stored or
sent."""

import json
import pathlib

import pytest

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[1] / "number-vectors.json").read_text(encoding="utf-8")
)

# Unicode's White_Space property, all of it.
WHITE_SPACE = [
    0x09,
    0x0A,
    0x0B,
    0x0C,
    0x0D,
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
]


@pytest.fixture
def refused(api, fresh, twilio):
    """Posts a raw body and makes sure that it was refused with 400 and left nothing behind."""
    number = fresh.number()

    def post(body, field=None, status=400, headers=None):
        before = api.now()
        response = api.request(
            "POST",
            "/send",
            body=body,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        assert response.status == status, response
        if field:
            assert field in response.json()["error"], response
        assert api.since(before)["messages"] == []
        assert api.thread(number) is None
        assert twilio.requests_to(number) == []
        return response

    post.number = number
    return post


def envelope(number, text_json):
    """A /send body whose message is JSON text as given."""
    return b'{"phoneNumber":"' + number.encode() + b'","message":' + text_json + b"}"


@pytest.mark.every_mpm
def test_a_message_that_twilio_takes_is_sent_and_stored(api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    before = api.now()
    answer = api.send(number, text)
    assert set(answer) == {"success", "message"} and answer["success"] is True
    message = answer["message"]
    assert message["direction"] == "sent"
    assert message["phoneNumber"] == api.account.number
    assert message["counterpart"] == number
    assert message["body"] == text
    assert message["status"] == "success"
    assert message["deliveryStatus"] == "queued"
    assert message["sid"][:2] in ("SM", "MM") and len(message["sid"]) == 34
    assert message["timestamp"] > before
    assert (
        "errorMessage" not in message and "errorCode" not in message and "contactId" not in message
    )
    assert not message.get("unread", False)

    (request,) = twilio.requests_to(number)
    assert request["To"] == f"whatsapp:{number}"
    assert request["From"] == f"whatsapp:{api.account.number}"
    assert request["Body"] == text
    assert request["StatusCallback"].startswith(
        api.account.public_url + "/api/whatsapp-messenger/webhook"
    )

    assert api.messages(number) == {"success": True, "messages": [message], "listComplete": True}
    thread = api.thread(number)
    assert thread == {
        "counterpart": number,
        "lastMessagePreview": text[:100],
        "lastMessageTimestamp": message["timestamp"],
        "lastDirection": "sent",
        "messageCount": 1,
        "unreadCount": 0,
    }


@pytest.mark.parametrize(
    "typed",
    [
        "{n}",
        "whatsapp:{n}",
        " {n} ",
        "whatsapp: {n}",
        "{n}\t",
        "{n}\r\n",
        "{n}/",
        "tel:{n}",
        "{cc} (0) {a} {b}{c}",
        "{cc} (0{a}) {b}{c}",
        "\u202d{n}\u202c",
        "\ufeff{cc}\u00a0{a}\u2011{b}\u2013{c}\ufe0f",
        "{cc} ({a}) {b}-{c}",
        "{cc}.{a}.{b}.{c}",
        "{cc}-{a}-{b}-{c}",
        "whatsapp:{cc} ({a}){b}.{c}",
    ],
)
def test_a_number_is_taken_as_people_type_it(api, fresh, typed):
    number = fresh.number()
    parts = {"n": number, "cc": number[:2], "a": number[2:5], "b": number[5:8], "c": number[8:]}
    answer = api.send(typed.format(**parts), fresh.text())
    assert answer["message"]["counterpart"] == number
    assert len(api.messages(number)["messages"]) == 1


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "+",
        "++{d}",
        "{d}",
        "+0{d}",
        "+1",
        "+{d}a",
        "+{d}12345",
        "whatsapp:",
        "whatsapp:{d}",
        "whatsapp:whatsapp:+{d}",
        "sms:+{d}",
        "00{d}",
        "+{d}\t1",
        "+{d}\n+{d}",
        "+{d} (0)",
        "+{d}\u2460",
        "+{d}\u301c9",
        "tel:+{d};phone-context=x",
        "+{d}\u200bx",
        "+{d};ext=1",
        "+{d},+{d}",
    ],
)
def test_a_number_that_is_none_is_refused(refused, typed):
    document = {"phoneNumber": typed.format(d=refused.number[1:]), "message": "hello there"}
    refused(json.dumps(document).encode(), "phoneNumber")


@pytest.mark.parametrize(
    "value",
    [None, 15550001111, 1.5, True, [], ["+15550001111"], {}, {"n": "+15550001111"}],
    ids=repr,
)
@pytest.mark.parametrize("field", ["phoneNumber", "message"])
def test_a_field_of_another_type_is_refused(refused, field, value):
    document = {"phoneNumber": refused.number, "message": "hello there"}
    document[field] = value
    refused(json.dumps(document).encode(), field)


@pytest.mark.parametrize("field", ["phoneNumber", "message"])
def test_a_missing_field_is_named(refused, field):
    document = {"phoneNumber": refused.number, "message": "hello there"}
    del document[field]
    refused(json.dumps(document).encode(), field)


@pytest.mark.parametrize("value", [5, True, [], {}, "", "not a uuid"], ids=repr)
def test_a_contact_id_that_cannot_be_one_is_refused(refused, value):
    document = {"phoneNumber": refused.number, "message": "hello there", "contactId": value}
    refused(json.dumps(document).encode(), "contactId")


@pytest.mark.parametrize(
    "text",
    [
        " hello \r\n\tthere  ",
        "\u2003padded\u3000",
        'quotes " and \\ backslash / slash',
        "</script><b>&amp;",
        "tab\tnew\nline\rreturn",
        "controls \u0001\u001f\u007f\u0085",
        "separators \u2028\u2029 kept",
        "e\u0301 is not \u00e9",
        "\ufeffbom",
        "\u200bzero width\u200d",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "flag \U0001f1e9\U0001f1ea",
        "last plane \U0010ffff and \ufffe\uffff",
        "عربي עברית",
        "%41 + & = ; # ?",
        "null",
        '{"a":1}',
        "x" * 4096,
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_a_message_is_kept_byte_for_byte(gated_api, fresh, gate, text):
    number = fresh.number()
    assert gated_api.send(number, text)["message"]["body"] == text
    assert gated_api.messages(number)["messages"][0]["body"] == text
    assert "".join(request["Body"] for request in gate.requests_to(number)) == text
    assert gated_api.thread(number)["lastMessagePreview"] == text[:100]


def test_escapes_in_json_are_read(gated_api, fresh):
    number = fresh.number()
    body = envelope(number, b'"\\u0041\\ud83d\\ude00\\n\\/\\t\\u00e9"')
    response = gated_api.request(
        "POST", "/send", body=body, headers={"Content-Type": "application/json"}
    )
    assert response.status == 200
    assert response.json()["message"]["body"] == "A\U0001f600\n/\t\u00e9"


@pytest.mark.parametrize(
    "text, units",
    [
        ("a" * 4096, 4096),
        ("\U0001f600" * 2048, 4096),
        ("é" * 4096, 4096),
        ("\u3042" * 4096, 4096),
        ("a" + "\U0001f600" * 2047 + "b", 4096),
    ],
    ids=["ascii", "emoji", "latin", "kana", "mixed"],
)
def test_4096_utf16_units_fit(gated_api, fresh, text, units):
    assert len(text.encode("utf-16-le")) // 2 == units
    number = fresh.number()
    assert gated_api.send(number, text)["message"]["body"] == text


@pytest.mark.parametrize(
    "text",
    ["a" * 4097, "\U0001f600" * 2048 + "a", "\u3042" * 4097, " " * 4000 + "a" * 97],
    ids=["ascii", "emoji", "kana", "padded"],
)
def test_4097_utf16_units_are_too_long(refused, text):
    assert len(text.encode("utf-16-le")) // 2 == 4097
    refused(envelope(refused.number, json.dumps(text, ensure_ascii=False).encode()), "message")


def test_a_message_without_any_character_is_refused(refused):
    refused(envelope(refused.number, b'""'), "message")


@pytest.mark.parametrize("code", WHITE_SPACE, ids=lambda code: f"U+{code:04X}")
def test_a_message_of_white_space_is_refused(refused, code):
    refused(envelope(refused.number, json.dumps(chr(code) * 3).encode()), "message")


def test_a_message_of_every_white_space_is_refused(refused):
    refused(
        envelope(refused.number, json.dumps("".join(map(chr, WHITE_SPACE))).encode()), "message"
    )


@pytest.mark.parametrize("text", [text for text, unseen in VECTORS["texts"] if unseen], ids=ascii)
def test_a_message_of_which_nothing_is_seen_is_refused(refused, text):
    refused(envelope(refused.number, json.dumps(text).encode()), "message")


@pytest.mark.parametrize(
    "text", [text for text, unseen in VECTORS["texts"] if not unseen], ids=ascii
)
def test_what_is_seen_is_a_message(gated_api, fresh, text):
    assert gated_api.send(fresh.number(), text)["message"]["body"] == text


@pytest.mark.parametrize(
    "text_json",
    [b'"a\\u0000b"', b'"\\ud83d"', b'"\\ude00\\ud83d"', b'"a\\ud83dz"', b'"\\udc00"'],
    ids=repr,
)
def test_nul_and_lone_surrogates_are_refused(refused, text_json):
    refused(envelope(refused.number, text_json))


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"\xc3",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"a\x00b",
        b"a\nb",
    ],
    ids=repr,
)
def test_bytes_that_are_no_json_string_are_refused(refused, raw):
    refused(envelope(refused.number, b'"text ' + raw + b'"'))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"5",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{}",
        b"{",
        b"}",
        b"{,}",
        b'{"phoneNumber":}',
        b"{'phoneNumber':'x'}",
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"\xff\xfe{\x00}\x00",
        b"phoneNumber=%2B15550001111&message=hello",
        b"<xml/>",
    ],
    ids=repr,
)
def test_a_body_that_is_no_json_object_of_ours_is_refused(refused, body):
    refused(body)


def test_anything_after_the_document_is_refused(refused):
    whole = envelope(refused.number, b'"hello there"')
    for tail in (b"x", b"{}", b",", b"]", b"\x00"):
        refused(whole + tail)


def test_white_space_around_the_document_is_fine(api, fresh):
    body = b" \r\n\t" + envelope(fresh.number(), b'"hello there"') + b"\n \t"
    assert (
        api.request("POST", "/send", body=body, headers={"Content-Type": "application/json"}).status
        == 200
    )


def test_a_name_given_twice_is_refused(refused):
    number = refused.number.encode()
    refused(b'{"phoneNumber":"' + number + b'","message":"one","message":"two"}')


@pytest.mark.parametrize(
    "open_, close", [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"]
)
@pytest.mark.parametrize("depth", [64, 1000, 10000])
def test_deep_nesting_is_refused(refused, open_, close, depth):
    inner = open_ * depth + b"1" + close * depth
    refused(
        b'{"phoneNumber":"'
        + refused.number.encode()
        + b'","message":"hello there","more":'
        + inner
        + b"}"
    )
    refused(inner)
    refused(open_ * depth)


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/problem+json",
        "json",
        "text/json",
        "application/ json",
        "application/json, text/plain",
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/send"),
        ("POST", "/contacts"),
        ("PATCH", "/contacts/6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"),
    ],
)
def test_only_application_json_is_taken(api, fresh, method, path, media_type):
    body = json.dumps(
        {"phoneNumber": fresh.number(), "message": "hello there", "displayName": "Nobody"}
    ).encode()
    before = api.now()
    response = api.request(
        method, path, body=body, headers={} if media_type is None else {"Content-Type": media_type}
    )
    assert response.status == 415, response
    assert api.since(before)["messages"] == []


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "Application/JSON",
        "application/json ; charset=utf-8",
        " application/json ",
    ],
    ids=repr,
)
def test_application_json_is_taken_however_it_is_written(api, fresh, media_type):
    response = api.request(
        "POST",
        "/send",
        body=envelope(fresh.number(), b'"hello there"'),
        headers={"Content-Type": media_type},
    )
    assert response.status == 200, response


def padded(number, size):
    """A valid body of exactly `size` bytes."""
    body = envelope(number, b'"hello there"')
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_64_kib_fits(api, fresh, is_chunked):
    body = padded(fresh.number(), 65536)
    response = api.request(
        "POST",
        "/send",
        body=[body[:1], body[1:]] if is_chunked else body,
        headers={"Content-Type": "application/json"},
    )
    assert response.status == 200, response


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [65537, 1000000])
def test_a_larger_body_is_refused(refused, size, is_chunked):
    body = padded(refused.number, size)
    pieces = [body[start : start + 10000] for start in range(0, size, 10000)]
    refused(pieces if is_chunked else body, status=413)


def test_a_body_in_tiny_chunks_is_read(api, fresh):
    number = fresh.number()
    body = envelope(number, '"in \U0001f600 pieces"'.encode())
    response = api.request(
        "POST",
        "/send",
        body=[bytes([byte]) for byte in body],
        headers={"Content-Type": "application/json"},
    )
    assert response.status == 200, response
    assert api.messages(number)["messages"][0]["body"] == "in \U0001f600 pieces"


def test_an_error_never_repeats_what_was_typed(refused):
    planted = "<script>planted-in-error</script>"
    for document in (
        {"phoneNumber": planted, "message": "hello there"},
        {"phoneNumber": refused.number, "message": "hello", "contactId": planted},
    ):
        assert "planted-in-error" not in refused(json.dumps(document).encode()).body.decode()
