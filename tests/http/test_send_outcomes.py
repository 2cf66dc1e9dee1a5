# SPDX-License-Identifier: Apache-2.0
"""POST /send when Twilio refuses, fails, hangs or lies: what is answered, what is stored, and that
nothing is ever sent twice."""

import pytest

from support.conditions import in_parallel


def stored(api, number):
    (message,) = api.messages(number)["messages"]
    return message


def check_not_accepted(api, number, text, answer, status):
    """The 502 carries the message as it is stored, and the store says the same."""
    assert answer["success"] is False and answer["code"] == "TWILIO_ERROR"
    message = answer["message"]
    assert message == stored(api, number)
    assert message["body"] == text and message["direction"] == "sent"
    assert message["status"] == status
    assert len(message["errorMessage"]) > 10
    assert api.thread(number)["messageCount"] == 1
    return message


@pytest.mark.parametrize(
    "http_status, code",
    [
        (400, 21211),
        (400, 63007),
        (400, 21610),
        (400, 63016),
        (400, 21608),
        (400, 21617),
        (404, 20404),
        (400, 99999),
        (422, 21620),
    ],
)
def test_what_twilio_refuses_is_failed_with_its_code(api, fresh, twilio, http_status, code):
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, "refuse", http=http_status, code=code)
    message = check_not_accepted(api, number, text, api.send(number, text, expect=502), "failed")
    assert message["errorCode"] == code
    assert "sid" not in message
    assert len(twilio.requests_to(number)) == 1


@pytest.mark.parametrize("http_status, code", [(401, 20003), (403, 20005)])
def test_refused_credentials_are_failed_and_an_alarm(server, api, fresh, twilio, http_status, code):
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, "refuse", http=http_status, code=code)
    # said once a minute and process, so not at each of these
    server.claim("WA0302", required=False)
    message = check_not_accepted(api, number, text, api.send(number, text, expect=502), "failed")
    assert message["errorCode"] == code
    assert len(twilio.requests_to(number)) == 1


UNKNOWN = [
    ("error", {"http": 500}),
    ("error", {"http": 500, "create": True}),
    ("error", {"http": 502}),
    ("error", {"http": 503}),
    ("error", {"http": 504}),
    ("html", {"http": 502}),
    ("html", {"http": 200}),
    ("empty", {"http": 201}),
    ("empty", {"http": 500}),
    ("truncated", {}),
    ("short", {}),
    ("huge", {}),
    ("no-sid", {}),
    ("reset-after", {}),
    ("close", {}),
]


@pytest.mark.every_mpm
@pytest.mark.parametrize(
    "mode, options",
    UNKNOWN,
    ids=lambda value: value
    if isinstance(value, str)
    else ",".join(f"{k}={v}" for k, v in value.items()) or "-",
)
def test_when_nobody_can_know_the_message_stays_pending_and_is_not_sent_again(
    server, api, fresh, twilio, mode, options
):
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, mode, **options)
    server.claim("WA0301")
    message = check_not_accepted(api, number, text, api.send(number, text, expect=502), "pending")
    assert "sid" not in message
    assert len(twilio.requests_to(number)) == 1


def test_a_connection_that_was_kept_and_is_closed_under_the_request_sends_nothing_twice(
    server, api, fresh, twilio
):
    """libcurl would silently write a POST again on a new connection."""
    server.claim("WA0301")
    for _ in range(10):
        number, text = fresh.number(), fresh.text()
        api.send(fresh.number(), fresh.text())
        twilio.fail(number, "close")
        check_not_accepted(api, number, text, api.send(number, text, expect=502), "pending")
        assert len(twilio.requests_to(number)) == 1


def test_a_connection_that_twilio_closed_in_between_is_no_error(api, fresh, twilio):
    """An answer, then a close without a word: the next send takes another connection."""
    for _ in range(5):
        number = fresh.number()
        twilio.fail(number, "close-after")
        assert api.send(number, fresh.text())["message"]["status"] == "success"
        number = fresh.number()
        assert api.send(number, fresh.text())["message"]["status"] == "success"
        assert len(twilio.requests_to(number)) == 1


def test_an_answer_that_comes_in_drips_is_read(api, fresh, twilio):
    number = fresh.number()
    twilio.fail(number, "slow-drip", ms=1)
    assert api.send(number, fresh.text())["message"]["status"] == "success"


@pytest.mark.parametrize("http_status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, api, fresh, twilio, http_status):
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, "redirect", http=http_status)
    server.claim("WA0301", required=False)
    answer = api.send(number, text, expect=502)
    check_not_accepted(api, number, text, answer, answer["message"]["status"])
    assert answer["message"]["status"] in ("failed", "pending")
    assert len(twilio.requests_to(number)) == 1


def test_a_429_is_tried_again_because_twilio_did_not_act(api, fresh, twilio):
    number = fresh.number()
    twilio.fail(number, "rate-limit", count=1)
    message = api.send(number, fresh.text())["message"]
    assert message["status"] == "success"
    assert len(twilio.requests_to(number)) == 2
    assert stored(api, number) == message


def test_a_429_that_stays_is_failed(server, api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, "rate-limit")
    server.claim("WA0301")
    check_not_accepted(api, number, text, api.send(number, text, expect=502), "failed")
    assert len(twilio.requests_to(number)) > 1


def test_the_first_word_of_twilio_is_kept(gated_api, fresh, gate):
    for word in ("accepted", "queued", "sending", "sent", "delivered"):
        number = fresh.number()
        gate.before_answer(number, lambda request, sid: {"status": word})
        message = gated_api.send(number, fresh.text())["message"]
        assert message["deliveryStatus"] == word and message["status"] == "success"


def test_a_message_that_is_born_failed_is_failed(gated_api, fresh, gate):
    number, text = fresh.number(), fresh.text()
    gate.before_answer(number, lambda request, sid: {"status": "failed", "error_code": 63016})
    message = check_not_accepted(
        gated_api, number, text, gated_api.send(number, text, expect=502), "failed"
    )
    assert (
        message["deliveryStatus"] == "failed" and message["errorCode"] == 63016 and message["sid"]
    )


@pytest.mark.every_mpm
def test_when_twilio_cannot_be_reached_it_is_502_and_the_message_is_kept(new_server, fresh):
    with new_server(twilio_url="http://127.0.0.1:9") as server:
        api = server.client()
        number, text = fresh.number(), fresh.text()
        server.claim("WA0301")
        message = check_not_accepted(
            api, number, text, api.send(number, text, expect=502), "failed"
        )
        assert "sid" not in message
        assert [each["id"] for each in api.since(0)["messages"]] == [message["id"]]


def test_a_twilio_that_hangs_is_given_up_in_time_and_blocks_nobody(new_server, fresh, twilio):
    """While sends hang, everything else is answered; after WhatsAppTwilioTimeout nobody knows what
    became of them."""
    with new_server(extra="WhatsAppTwilioTimeout 1s 2s") as server:
        api = server.client()
        numbers = [fresh.number() for _ in range(20)]
        for number in numbers:
            twilio.fail(number, "hang-after")
        server.claim("WA0301")
        other = fresh.number()

        def act(index):
            if index < 20:
                return api.send(numbers[index], fresh.text(), expect=502)["message"]
            for _ in range(20):
                assert api.get("/threads").status == 200
            api.receive(other, fresh.text(), fresh.sid())
            api.mark_read(other)
            return None

        answers = in_parallel(21, act)
        for number, message in zip(numbers, answers):
            assert message["status"] == "pending" and message["errorMessage"]
            assert stored(api, number) == message
            assert len(twilio.requests_to(number)) == 1


def test_a_message_is_seen_as_pending_while_twilio_thinks(gated_api, fresh, gate):
    api, number, text = gated_api, fresh.number(), fresh.text()
    seen = []
    since = api.now()

    def look(request, sid):
        seen.append(stored(api, number))
        seen.append(
            [each for each in api.since(since)["messages"] if each["counterpart"] == number][0]
        )

    gate.before_answer(number, look)
    message = api.send(number, text)["message"]
    assert [each["status"] for each in seen] == ["pending", "pending"]
    assert all("errorMessage" not in each and "sid" not in each for each in seen)
    assert {each["id"] for each in seen} == {message["id"]}
    assert message["timestamp"] == seen[0]["timestamp"]


def test_no_more_sends_than_configured_wait_for_twilio(new_server, fresh, gate):
    """Over WhatsAppMaxSends it is 503 with Retry-After, and nothing was stored or sent."""
    one_process = """
ServerLimit 1
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
"""
    with new_server(
        twilio_url=gate.url,
        extra="WhatsAppMaxSends 1\nWhatsAppTwilioTimeout 2s 4s",
        settings_of=("event", one_process),
    ) as server:
        api = server.client()
        held, refused = fresh.number(), fresh.number()
        answers = []

        def meanwhile(request, sid):
            answers.append(
                api.post("/send", {"phoneNumber": refused, "message": "one too many for now"})
            )

        gate.before_answer(held, meanwhile)
        api.send(held, fresh.text())
        (answer,) = answers
        assert answer.status == 503 and answer.json()["code"] == "UNAVAILABLE"
        assert api.thread(refused) is None
        assert gate.requests_to(refused) == []
        api.send(refused, fresh.text())


def test_a_wrong_token_is_refused_by_twilio(server, api, fresh, twilio):
    """The simulator compares the credentials, so that every other test shows that they are the
    account's."""
    number, text = fresh.number(), fresh.text()
    twilio.config(tokens=["another token"])
    server.claim("WA0302", required=False)
    message = check_not_accepted(api, number, text, api.send(number, text, expect=502), "failed")
    assert message["errorCode"] == 20003
