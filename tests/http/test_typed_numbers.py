# SPDX-License-Identifier: Apache-2.0
"""Numbers as people write and copy them, wherever the API takes one: all of number-vectors.json."""

import json
import pathlib
from urllib.parse import quote

import pytest

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[1] / "number-vectors.json").read_text(encoding="utf-8")
)
READ = [(typed, number) for typed, number in VECTORS["numbers"] if number]
REFUSED = [typed for typed, number in VECTORS["numbers"] if not number]


def test_there_are_enough():
    assert len(READ) >= 50 and len(REFUSED) >= 35


@pytest.mark.parametrize("typed, number", READ, ids=lambda text: ascii(text))
def test_it_is_read_wherever_a_number_is_taken(api, fresh, twilio, typed, number):
    text = fresh.text()
    sent = api.send(typed, text)["message"]
    assert sent["counterpart"] == number
    (request,) = [r for r in twilio.requests_to(number) if r["Body"] == text]
    assert request["To"] == f"whatsapp:{number}"
    # in a query: all escaped, and with the + as people leave it, which arrives as a space
    for query in (quote(typed, safe=""), quote(typed, safe="+")):
        found = api.get("/messages", f"limit=1&counterpart={query}").json()
        assert [message["id"] for message in found["messages"]] == [sent["id"]]
    if "/" not in typed:  # httpd takes no path with an escaped slash
        for action in ("block", "unblock", "read"):
            path = f"/threads/{quote(typed, safe='+')}/{action}"
            answer = api.request("POST", path)
            assert answer.status == 200, answer
            assert answer.json()["thread"]["counterpart"] == number
    contact = api.post("/contacts", {"phoneNumber": typed, "displayName": "Vector"}).json()
    assert contact["contact"]["phoneNumber"] == number
    api.delete(f"/contacts/{contact['contact']['id']}")


@pytest.mark.parametrize("typed", REFUSED, ids=ascii)
def test_it_is_refused_wherever_a_number_is_taken(api, typed):
    body = json.dumps({"phoneNumber": typed, "message": "hello", "displayName": "V"}).encode()
    headers = {"Content-Type": "application/json"}
    for path in ("/send", "/contacts"):
        answer = api.request("POST", path, body=body, headers=headers)
        assert answer.status == 400, answer
        assert answer.json()["code"] == "INVALID_INPUT"
    answer = api.get("/messages", {"counterpart": typed})
    assert answer.status == 400, answer


@pytest.mark.parametrize(
    "typed, said",
    [
        ("+44 20 7946 0958;ext=7", "the character ';' (U+003B) stands in none"),
        ("+44 20 7946 \u0627958", "the character U+0627 stands in none"),
        ("+44 20 (0) 7946 0958", "a (0) can only follow the country code"),
        ("0044 20 7946 0958", "it begins with 00, for which + has to stand"),
        ("020 7946 0958", "it has no + in front"),
    ],
)
def test_the_refusal_says_why(api, typed, said):
    answer = api.send(typed, "hello", expect=400)
    assert answer["error"].endswith(f"like +15551230001: {said}.")
    if typed.startswith("+"):
        answer = api.get("/messages", {"counterpart": typed})
        assert answer.json()["error"].endswith(f"{said}.")
