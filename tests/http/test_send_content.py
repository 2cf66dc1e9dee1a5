# SPDX-License-Identifier: Apache-2.0
"""POST /send with media and templates."""

import json

import pytest

TEMPLATE = "HX00000000000000000000000000000001"
PICTURE = "https://files.example.org/a.png"


def send(api, number, expect=200, headers=None, **members):
    response = api.post("/send", {"phoneNumber": number, **members}, headers)
    assert response.status == expect, response
    return response.json()


def forms(twilio, number):
    """What Twilio was asked, each field with all its values; nothing that it does not know."""
    entries = [
        entry
        for entry in twilio.requests()
        if entry["method"] == "POST" and entry["form"].get("To") == [f"whatsapp:{number}"]
    ]
    assert all(entry["problems"] == [] for entry in entries), entries
    return [entry["form"] for entry in entries]


def parts(twilio, number):
    """What the customer sees, in order: the text and the address of each of Twilio's messages."""
    forms(twilio, number)
    found = [each for each in twilio.messages() if each["to"] == f"whatsapp:{number}"]
    assert all(each["num_media"] == ("1" if each["shown"]["media"] else "0") for each in found)
    return [(each["shown"]["text"], each["shown"]["media"]) for each in found]


def file(name):
    return f"https://files.example.org/{name}"


@pytest.mark.parametrize(
    "urls", [PICTURE, [PICTURE], [PICTURE, "https://x.test/b?c=d&e", file("c.jpg")]]
)
def test_each_attachment_is_a_part_of_its_own(api, fresh, twilio, urls):
    number = fresh.number()
    message = send(api, number, mediaUrl=urls)["message"]
    asked = [urls] if isinstance(urls, str) else urls
    assert parts(twilio, number) == [(None, url) for url in asked]
    assert [each["url"] for each in message["media"]] == asked
    assert message["media"][0]["contentType"] == "image/png"
    assert message["body"] == "" and message["status"] == "success"
    assert api.messages(number)["messages"] == [message]
    assert api.thread(number)["lastMessagePreview"] == "[image]"
    assert api.thread(number)["messageCount"] == 1


SHOWN = ["a.jpg", "a.JPEG?v=1", "a.png#b.pdf", "a.mp4", "a%2emp4", "%C3%A9.jpg?x=.ogg"]
HIDDEN = ["a.pdf", "a.docx", "a.xlsx", "a.ogg", "a.opus", "a.mp3", "a.vcf", "a.webp", "a", "a.jpg/"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_text_is_the_caption_of_a_picture(api, fresh, twilio, name):
    number, text = fresh.number(), fresh.text()
    message = send(api, number, message=text, mediaUrl=[file(name), file("b.pdf")])["message"]
    assert parts(twilio, number) == [(text, file(name)), (None, file("b.pdf"))]
    assert message["body"] == text and message["status"] == "success"


@pytest.mark.parametrize("name", HIDDEN)
def test_a_text_goes_before_what_shows_none(api, fresh, twilio, name):
    number, text = fresh.number(), fresh.text()
    message = send(api, number, message=text, mediaUrl=[file(name), PICTURE])["message"]
    assert parts(twilio, number) == [(text, None), (None, file(name)), (None, PICTURE)]
    assert message["body"] == text and len(message["media"]) == 2
    assert api.messages(number)["messages"] == [message]


@pytest.mark.parametrize("letter, most", [("x", 1024), ("\U0001f600", 512), ("a\u0301", 512)])
def test_what_is_too_long_for_a_caption_goes_first(api, fresh, twilio, letter, most):
    number, text = fresh.number(), letter * most
    send(api, number, message=text, mediaUrl=PICTURE)
    assert parts(twilio, number) == [(text, PICTURE)]
    number, text = fresh.number(), letter * most + "."
    send(api, number, message=text, mediaUrl=PICTURE)
    assert parts(twilio, number) == [(text, None), (None, PICTURE)]


def test_as_much_as_there_may_be(api, fresh, twilio):
    number, text = fresh.number(), "word " * 819
    urls = [file(f"{n}.pdf?" + "s" * 3900) for n in range(10)]
    message = send(api, number, message=text, mediaUrl=urls)["message"]
    seen = parts(twilio, number)
    assert "".join(text or "" for text, _ in seen) == text and [url for _, url in seen[3:]] == urls
    assert message["status"] == "success" and [each["url"] for each in message["media"]] == urls
    assert api.messages(number)["messages"] == [message]


def test_receipts_of_attachments(api, fresh, twilio):
    """Each is that of its part, by our id in the address and by its sid."""
    number = fresh.number()
    first = send(api, number, message="x", mediaUrl=[file("a.pdf"), file("b.pdf")])["message"]
    made = [each for each in twilio.messages() if each["to"] == f"whatsapp:{number}"]
    targets = [each["status_callback"][len(api.account.public_url) :] for each in made]
    assert first["sid"] == made[0]["sid"]
    assert [target.rpartition(".")[2] for target in targets] == ["1", "2", "3"]
    for each in made[:2]:
        api.webhook(api.account.status(number, each["sid"], "read"))
    assert api.messages(number)["messages"][0]["deliveryStatus"] == "queued"
    api.webhook(
        api.account.status(number, made[2]["sid"], "failed", ErrorCode="63019"), target=targets[2]
    )
    message = api.messages(number)["messages"][0]
    assert message["status"] == "failed" and message["errorCode"] == 63019
    assert message["errorMessage"].startswith("Part 3 of 3 was not delivered")


def test_an_attachment_that_is_refused_stops_those_after_it(server, api, fresh, twilio):
    number = fresh.number()
    twilio.allow(21620)
    twilio.fail(number, "refuse", code=21620, count=1, skip=1)
    urls = [file("a.jpg"), file("b.jpg"), file("c.jpg")]
    answer = send(api, number, expect=502, message="x", mediaUrl=urls)
    assert parts(twilio, number) == [("x", urls[0])] and len(forms(twilio, number)) == 2
    assert answer["error"].startswith("Only the first of the 3 parts of this message was sent")
    assert answer["message"]["status"] == "failed" and answer["message"]["errorCode"] == 21620


def test_addresses_as_people_have_them(api, fresh, twilio):
    for typed, asked in [
        ("https://my_bucket.example.org/a_b.png", None),
        (file("caf\u00e9 menu.pdf"), file("caf%C3%A9%20menu.pdf")),
        (file("a.jpg?X-Amz-Signature=" + "f" * 3900), None),
    ]:
        number = fresh.number()
        message = send(api, number, mediaUrl=typed)["message"]
        assert parts(twilio, number) == [(None, asked or typed)]
        assert message["media"][0]["url"] == (asked or typed)


@pytest.mark.parametrize(
    "url, said",
    [
        (file("a|b"), "character 28, U+007C (|)"),
        (file("a\u200bb"), "character 28, U+200B,"),
        (file("100%"), "% at character 30"),
        ("https://b\u00fccher.example/a", "character 10, U+00FC,"),
        ("https://a b.example/", "character 10, U+0020 (a space), may not stand in a host name"),
        ("https://ana@x.example/", "user name or password"),
        ("http://x.example/a", "begins with https://"),
        ("https://x.example:0/a", "the port"),
        (file("a" * 4000), "4000 characters"),
        (5, "must be a string"),
    ],
)
def test_what_is_wrong_with_an_address(api, fresh, twilio, url, said):
    number = fresh.number()
    answer = send(api, number, expect=400, mediaUrl=[PICTURE, PICTURE, url])
    assert answer["error"].startswith("mediaUrl[2]") and said in answer["error"]
    assert forms(twilio, number) == [] and api.thread(number) is None


def test_a_template(api, fresh, twilio):
    number = fresh.number()
    variables = {"2": "5", "1": "Ana Gómez"}
    message = send(api, number, contentSid=TEMPLATE, contentVariables=variables)["message"]
    (form,) = forms(twilio, number)
    assert form["ContentSid"] == [TEMPLATE] and "Body" not in form
    assert json.loads(form["ContentVariables"][0]) == variables
    assert message["contentSid"] == TEMPLATE and TEMPLATE in message["body"]
    assert "Ana Gómez" in message["body"]
    assert api.messages(number)["messages"] == [message]


def test_a_template_needs_no_window(new_server, fresh, twilio):
    with new_server(extra="WhatsAppEnforceWindow on\n") as server:
        api, number = server.client(), fresh.number()
        send(api, number, expect=409, mediaUrl=PICTURE)
        send(api, number, contentSid=TEMPLATE)


BAD = [
    ("mediaUrl", {"mediaUrl": []}),
    ("mediaUrl", {"mediaUrl": [PICTURE] * 11}),
    ("mediaUrl", {"mediaUrl": None}),
    ("mediaUrl", {"mediaUrl": 5}),
    ("mediaUrl", {"mediaUrl": [PICTURE, 5]}),
    ("mediaUrl", {"mediaUrl": "http://files.example.org/a.png"}),
    ("mediaUrl", {"mediaUrl": "https://ana:secret@files.example.org/"}),
    ("mediaUrl", {"mediaUrl": "https://files.example.org:70000/a.png"}),
    ("contentSid", {"contentSid": "HX1"}),
    ("contentSid", {"contentSid": None}),
    ("contentSid", {"contentSid": TEMPLATE, "message": "both"}),
    ("contentSid", {"contentSid": TEMPLATE, "mediaUrl": PICTURE}),
    ("contentVariables", {"contentSid": TEMPLATE, "contentVariables": "x"}),
    ("contentVariables", {"contentSid": TEMPLATE, "contentVariables": {"1": 5}}),
    ("contentVariables", {"contentSid": TEMPLATE, "contentVariables": {"1": "x" * 1601}}),
    ("contentVariables", {"message": "text", "contentVariables": {"1": "x"}}),
    ("message", {"mediaUrl": PICTURE, "message": " "}),
    ("message", {"mediaUrl": PICTURE, "message": None}),
    ("message", {}),
]


@pytest.mark.parametrize("field, members", BAD, ids=range(len(BAD)))
def test_what_is_refused(api, fresh, twilio, field, members):
    number = fresh.number()
    answer = send(api, number, expect=400, **members)
    assert answer["error"].startswith(field)
    assert forms(twilio, number) == [] and api.thread(number) is None


def test_a_key_counts_the_content_too(api, fresh, twilio):
    number, headers = fresh.number(), {"Idempotency-Key": fresh.sid()}

    def template(expect, **variables):
        return send(api, number, expect, headers, contentSid=TEMPLATE, contentVariables=variables)

    first = template(200, a="1", b="2")
    assert template(200, b="2", a="1") == first
    template(409, a="2", b="1")
    send(api, number, 409, headers, mediaUrl=PICTURE)
    assert len(forms(twilio, number)) == 1
