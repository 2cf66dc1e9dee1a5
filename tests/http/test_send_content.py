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


@pytest.mark.parametrize("urls", [PICTURE, [PICTURE], [PICTURE, "https://x.test/b?c=d&e"]])
def test_media(api, fresh, twilio, urls):
    number = fresh.number()
    message = send(api, number, mediaUrl=urls)["message"]
    asked = [urls] if isinstance(urls, str) else urls
    (form,) = forms(twilio, number)
    assert form["MediaUrl"] == asked and "Body" not in form
    assert [each["url"] for each in message["media"]] == asked
    assert message["media"][0]["contentType"] == "image/png"
    assert message["body"] == "" and message["status"] == "success"
    assert api.messages(number)["messages"] == [message]
    assert api.thread(number)["lastMessagePreview"] == "[image]"


def test_media_with_a_text(api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    api.plant(number, text)
    message = send(api, number, message=text, mediaUrl=PICTURE)["message"]
    (form,) = forms(twilio, number)
    assert form["Body"] == [text] and form["MediaUrl"] == [PICTURE] and message["body"] == text


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
