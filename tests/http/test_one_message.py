# SPDX-License-Identifier: Apache-2.0
"""GET /messages/{id}: one message, when it was received, and Twilio's own words for a failure."""

import time

import pytest

WORDS = "Meta has paused this sender for a while"
UNKNOWN = 63999  # a code that our table has no sentence for


@pytest.fixture
def sent(api, fresh, twilio):
    return api.send(fresh.number(), fresh.text())["message"]


def one(api, key, expect=200):
    response = api.get(f"/messages/{key}")
    assert response.status == expect, response
    return response.json()


def receipt(api, message, status, sid=None, **fields):
    fields = api.account.status(message["counterpart"], sid or message["sid"], status, **fields)
    api.webhook(fields)


def test_a_message_by_its_id_and_its_sid(api, sent):
    answer = one(api, sent["id"])
    assert answer["message"] == sent
    assert one(api, sent["sid"]) == answer
    assert "parts" not in answer


def test_the_time_of_each_receipt(api, sent):
    times = {"queued": one(api, sent["id"])["receipts"][0]["timestamp"]}
    for word in ("sent", "delivered", "read"):
        before = int(time.time() * 1000)
        receipt(api, sent, word)
        answer = one(api, sent["id"])
        (times[word],) = [
            each["timestamp"] for each in answer["receipts"] if each["deliveryStatus"] == word
        ]
        assert before <= times[word] <= int(time.time() * 1000)
        receipt(api, sent, word)  # again: the first time stays
        assert one(api, sent["id"]) == answer
    assert [each["deliveryStatus"] for each in answer["receipts"]] == list(times)
    assert [each["timestamp"] for each in answer["receipts"]] == sorted(times.values())
    assert answer["message"]["deliveryStatus"] == "read"


def test_a_late_receipt_has_its_time_too(api, sent):
    for word in ("read", "sent", "delivered"):
        receipt(api, sent, word)
    receipts = one(api, sent["id"])["receipts"]
    assert {each["deliveryStatus"] for each in receipts} == {"queued", "sent", "delivered", "read"}
    assert receipts == sorted(receipts, key=lambda each: each["timestamp"])


def test_a_failure_has_its_time(api, sent):
    receipt(api, sent, "undelivered", ErrorCode="63016")
    assert one(api, sent["id"])["receipts"][-1]["deliveryStatus"] == "undelivered"


def test_each_part_has_its_own_receipts(api, fresh, twilio):
    message = api.send(fresh.number(), "word " * 700)["message"]
    answer = one(api, message["id"])
    sids = [part["sid"] for part in answer["parts"]]
    assert len(set(sids)) == 3 and sids[0] == message["sid"]
    receipt(api, message, "delivered", sids[1])
    receipt(api, message, "undelivered", sids[2], ErrorCode=str(UNKNOWN), ErrorMessage=WORDS)
    parts = one(api, sids[2])["parts"]
    words = [[each["deliveryStatus"] for each in part["receipts"]] for part in parts]
    assert words == [["queued"], ["queued", "delivered"], ["queued", "undelivered"]]
    assert [part["status"] for part in parts] == ["success", "success", "failed"]
    assert parts[2]["errorCode"] == UNKNOWN and WORDS in parts[2]["errorMessage"]
    assert "errorMessage" not in parts[0]
    message = one(api, message["id"])["message"]
    assert message["errorMessage"].startswith("Part 3 of 3 was not delivered: ")
    assert WORDS in message["errorMessage"]


def test_a_received_message_has_no_receipts(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.receive(number, fresh.text(), sid)
    (message,) = api.messages(number)["messages"]
    assert one(api, sid) == one(api, message["id"])
    assert one(api, sid) == {"success": True, "message": message, "receipts": []}


@pytest.mark.parametrize(
    "key",
    ["x", "00000000-0000-4000-8000-000000000000", "SM" + "0" * 32, "idem%3Aabc", "a" * 65]
    + ["a%2Fb", "%00", "..", "%C3%A9", "a/b"],
)
def test_a_message_that_is_not_there(api, key):
    assert api.fetch("GET", f"{api.base}/messages/{key}").status in (404, 400)


def test_a_key_of_a_request_finds_no_message(api, fresh, twilio):
    key = fresh.sid()
    api.send(fresh.number(), fresh.text(), headers={"Idempotency-Key": key})
    one(api, f"idem:{key}", 404)


def test_only_reading(api, sent):
    response = api.post(f"/messages/{sent['id']}", {})
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert api.request("HEAD", f"/messages/{sent['id']}").status == 200
    response = api.post(f"/messages/{sent['id']}/media/0", {})
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


# ---- Twilio's own words ----


def error_of(api, message):
    return one(api, message["id"])["message"].get("errorMessage")


@pytest.mark.parametrize("field", ["ChannelStatusMessage", "ErrorMessage"])
def test_what_twilio_says_of_an_unknown_failure(api, sent, field):
    receipt(api, sent, "failed", ErrorCode=str(UNKNOWN), **{field: WORDS})
    assert str(UNKNOWN) in error_of(api, sent) and error_of(api, sent).endswith(WORDS)


def test_what_twilio_says_without_a_code(api, sent):
    receipt(api, sent, "failed", ErrorCode="", ChannelStatusMessage=WORDS)
    assert error_of(api, sent).endswith(WORDS)


def test_our_sentence_where_there_is_one(api, sent):
    receipt(api, sent, "failed", ErrorCode="63016", ChannelStatusMessage="Re-engagement message")
    assert "24 hours" in error_of(api, sent) and "Re-engagement" not in error_of(api, sent)


def test_words_that_are_anything(api, sent):
    said = "a\x00b\r\nc\u202ed" + "\U0001f44b" * 5000
    fields = {"ChannelStatusMessage": "\u200b", "ErrorMessage": said}
    receipt(api, sent, "failed", ErrorCode=str(UNKNOWN), **fields)
    error = error_of(api, sent)
    assert "\n" not in error and "\u202e" not in error and len(error) < 500
    receipt(api, sent, "failed", ErrorCode=str(UNKNOWN), ChannelStatusMessage="x")
    assert error_of(api, sent) == error


def test_words_go_when_it_was_delivered_after_all(api, sent):
    receipt(api, sent, "failed", ErrorCode=str(UNKNOWN), ChannelStatusMessage=WORDS)
    receipt(api, sent, "delivered")
    assert error_of(api, sent) is None


def test_words_that_come_before_the_sid_is_known(gated_api, fresh, gate):
    number = fresh.number()
    gate.before_answer(
        number,
        lambda request, sid: gated_api.webhook(
            gated_api.account.status(
                number, sid, "failed", ErrorCode=str(UNKNOWN), ChannelStatusMessage=WORDS
            )
        ),
    )
    message = gated_api.send(number, fresh.text(), expect=None)["message"]
    assert error_of(gated_api, message).endswith(WORDS)


def test_what_twilio_says_when_it_refuses(api, fresh, twilio):
    number = fresh.number()
    twilio.mode("refuse", to=number, code=UNKNOWN, message=f"  {WORDS}\n")
    answer = api.send(number, fresh.text(), expect=502)
    assert answer["message"]["errorMessage"].endswith(WORDS)
    assert answer["error"] == answer["message"]["errorMessage"] + "."
    assert error_of(api, answer["message"]) == answer["message"]["errorMessage"]
    twilio.mode("refuse", to=number, code=21211, message=WORDS)
    answer = api.send(number, fresh.text(), expect=502)
    assert WORDS not in answer["error"]
