# SPDX-License-Identifier: Apache-2.0
"""Status callbacks: in order, out of order, again, and before the answer to the send is known."""

import itertools

import pytest

from support.conditions import in_parallel

RANK = {
    "accepted": 0,
    "scheduled": 0,
    "queued": 1,
    "sending": 2,
    "sent": 3,
    "failed": 4,
    "undelivered": 4,
    "canceled": 4,
    "delivered": 5,
    "read": 6,
}


def expected(status):
    return "failed" if status in ("failed", "undelivered", "canceled") else "success"


@pytest.fixture
def sent(api, fresh):
    """A message that Twilio took."""
    return api.send(fresh.number(), fresh.text())["message"]


def now(api, message):
    (found,) = [
        each
        for each in api.messages(message["counterpart"])["messages"]
        if each["id"] == message["id"]
    ]
    return found


@pytest.mark.every_mpm
def test_each_step_is_shown(api, sent):
    for status in ("sending", "sent", "delivered", "read"):
        api.webhook(api.account.status(sent["counterpart"], sent["sid"], status))
        message = now(api, sent)
        assert message["deliveryStatus"] == status and message["status"] == "success"
        assert message == {**sent, "deliveryStatus": status}
    assert api.thread(sent["counterpart"])["messageCount"] == 1
    assert api.thread(sent["counterpart"])["unreadCount"] == 0


@pytest.mark.parametrize(
    "order", itertools.permutations(["sent", "delivered", "read"]), ids="-".join
)
def test_the_furthest_wins_in_whatever_order(api, sent, order):
    for status in order:
        api.webhook(api.account.status(sent["counterpart"], sent["sid"], status))
    assert now(api, sent)["deliveryStatus"] == "read"


@pytest.mark.parametrize("order", itertools.permutations(["sent", "undelivered"]), ids="-".join)
def test_a_late_sent_never_undoes_a_failure(api, sent, order):
    for status in order:
        more = (
            {
                "ErrorCode": "63016",
                "ErrorMessage": "",
                "ChannelStatusMessage": "Re-engagement message",
            }
            if status == "undelivered"
            else {}
        )
        api.webhook(api.account.status(sent["counterpart"], sent["sid"], status, **more))
    message = now(api, sent)
    assert (message["status"], message["deliveryStatus"], message["errorCode"]) == (
        "failed",
        "undelivered",
        63016,
    )
    assert len(message["errorMessage"]) > 10


@pytest.mark.parametrize("failure", ["failed", "undelivered", "canceled"])
@pytest.mark.parametrize("proof", ["delivered", "read"])
@pytest.mark.parametrize("is_first", [True, False], ids=["failure first", "proof first"])
def test_proof_of_delivery_wins_over_a_failure(api, sent, failure, proof, is_first):
    steps = [(failure, {"ErrorCode": "30008"}), (proof, {})]
    for status, more in steps if is_first else steps[::-1]:
        api.webhook(api.account.status(sent["counterpart"], sent["sid"], status, **more))
    message = now(api, sent)
    assert message["deliveryStatus"] == proof and message["status"] == "success"
    assert "errorCode" not in message and "errorMessage" not in message


@pytest.mark.parametrize(
    "code",
    [
        "63016",
        "63024",
        "30008",
        "21610",
        "99999",
        "",
        "0",
        "abc",
        "-5",
        "99999999999999999999",
        None,
    ],
    ids=repr,
)
def test_a_failure_is_shown_with_its_code(api, sent, code):
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "failed", ErrorCode=code))
    message = now(api, sent)
    assert message["status"] == "failed" and message["deliveryStatus"] == "failed"
    assert len(message["errorMessage"]) > 10
    if code in ("63016", "63024", "30008", "21610", "99999"):
        assert message["errorCode"] == int(code)
    else:
        assert "errorCode" not in message


def test_the_same_callback_again_changes_nothing(api, sent):
    fields = api.account.status(sent["counterpart"], sent["sid"], "delivered")
    api.webhook(fields)
    before = api.now()
    for _ in range(3):
        api.webhook(fields)
    assert api.now() == before


@pytest.mark.parametrize(
    "word", ["", "pending", "DELIVERED", "deliveredx", "<b>", "received", "é"], ids=ascii
)
def test_a_word_that_nobody_knows_changes_nothing(api, sent, word):
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "sent"))
    fields = api.account.status(
        sent["counterpart"], sent["sid"], word, SmsStatus="sent" if word == "" else word
    )
    api.webhook(fields)
    assert now(api, sent)["deliveryStatus"] == "sent"


@pytest.mark.every_mpm
def test_callbacks_that_race_end_with_the_furthest(api, sent):
    words = ["sending", "sent", "delivered", "read"] * 8
    in_parallel(
        len(words),
        lambda index: api.webhook(
            api.account.status(sent["counterpart"], sent["sid"], words[index])
        ),
    )
    assert now(api, sent)["deliveryStatus"] == "read"


def test_a_callback_for_a_message_that_nobody_knows_is_taken(api, fresh):
    """It may be of a message that another program sent: 200, and no message appears."""
    number, before = fresh.number(), api.now()
    api.webhook(api.account.status(number, fresh.sid(), "delivered"))
    assert api.since(before)["messages"] == []
    assert api.thread(number) is None


def test_callbacks_that_come_before_the_answer_are_not_lost(gated_api, fresh, gate):
    """Twilio calls back while our send still waits for its answer."""
    number, text = fresh.number(), fresh.text()
    seen = []

    def call_back(request, sid):
        for status in ("sent", "delivered"):
            gated_api.webhook(gated_api.account.status(number, sid, status))
        seen.append(sid)

    gate.before_answer(number, call_back)
    message = gated_api.send(number, text)["message"]
    assert seen == [message["sid"]]
    stored = gated_api.messages(number)["messages"][0]
    assert (stored["status"], stored["deliveryStatus"]) == ("success", "delivered")


def test_a_failure_that_comes_before_the_answer_is_not_lost(gated_api, fresh, gate):
    number = fresh.number()
    gate.before_answer(
        number,
        lambda request, sid: gated_api.webhook(
            gated_api.account.status(number, sid, "undelivered", ErrorCode="63016")
        ),
    )
    gated_api.send(number, fresh.text(), expect=None)
    stored = gated_api.messages(number)["messages"][0]
    assert (stored["status"], stored["deliveryStatus"], stored["errorCode"]) == (
        "failed",
        "undelivered",
        63016,
    )


SHOWN = ("id", "counterpart", "sid", "body", "timestamp", "contactId")


@pytest.mark.parametrize(
    "events",
    [
        ("sent", "delivered", "read"),
        ("queued", "sent", "undelivered"),
        ("undelivered", "delivered", "sent"),
        ("failed", "failed", "sent"),
    ],
    ids="-".join,
)
def test_every_order_before_and_after_the_answer_ends_the_same(gated_api, fresh, gate, events):
    """Each callback comes twice, some of them before the answer to the send and the rest after
    it."""
    ends = []
    for order in itertools.permutations(events):
        for early in range(len(order) + 1):
            number = fresh.number()

            def tell(sid, statuses, number=number):
                for status in statuses:
                    code = {"ErrorCode": "63016"} if expected(status) == "failed" else {}
                    fields = gated_api.account.status(number, sid, status, **code)
                    gated_api.webhook(fields)
                    gated_api.webhook(fields)

            gate.before_answer(
                number, lambda request, sid, first=order[:early], tell=tell: tell(sid, first)
            )
            since = gated_api.now()
            message = gated_api.send(number, "the same text", expect=None)["message"]
            told = gated_api.now()
            tell(message["sid"], order[early:])
            stored = now(gated_api, message)
            assert stored in gated_api.since(since)["messages"]
            changed = gated_api.since(told)["updates"]
            updates = [each for each in changed if each["id"] == stored["id"]]
            news = set(order[early:]) - set(order[:early]) - {"queued"}  # the answer said queued
            assert updates == ([stored] if news else [])
            ends.append({name: stored[name] for name in stored if name not in SHOWN})
    assert all(end == ends[0] for end in ends), ends
    furthest = max(events, key=RANK.get)
    assert (ends[0]["status"], ends[0]["deliveryStatus"]) == (expected(furthest), furthest)


@pytest.mark.parametrize("status", ["sent", "delivered", "failed"])
def test_a_callback_tells_the_sid_when_the_answer_was_lost(server, gated_api, fresh, gate, status):
    """The answer to the send never came; the callback's URL names the message, so that its outcome
    is known after all."""
    number = fresh.number()
    gate.lose_answer(number)
    server.claim("WA0301")
    pending = gated_api.send(number, fresh.text(), expect=502)["message"]
    assert pending["status"] == "pending"
    (request,) = gate.requests_to(number)
    url = request["StatusCallback"]
    assert url.startswith(gated_api.account.public_url)
    target = url[len(gated_api.account.public_url) :]
    sid = fresh.sid()
    gated_api.webhook(gated_api.account.status(number, sid, status), target=target)
    stored = now(gated_api, pending)
    assert stored["sid"] == sid
    assert (stored["status"], stored["deliveryStatus"]) == (expected(status), status)
    if status != "failed":
        assert "errorMessage" not in stored


def test_a_status_callback_for_another_account_is_refused(api, server, sent):
    server.claim("WA*", required=False)
    api.webhook(
        api.account.status(
            sent["counterpart"],
            sent["sid"],
            "read",
            AccountSid="AC00000000000000000000000000000009",
        ),
        expect=403,
    )
    assert now(api, sent)["deliveryStatus"] == sent["deliveryStatus"]


def test_an_unsigned_status_callback_is_refused(api, server, sent):
    server.claim("WA*", required=False)
    api.webhook(
        api.account.status(sent["counterpart"], sent["sid"], "read"), signature="", expect=403
    )
    assert now(api, sent)["deliveryStatus"] == sent["deliveryStatus"]


def test_an_inbound_message_has_no_status_to_change(api, fresh):
    number, sid = fresh.number(), fresh.sid()
    api.receive(number, fresh.text(), sid)
    message = api.messages(number)["messages"][0]
    api.webhook(api.account.status(number, sid, "delivered"))
    assert api.messages(number)["messages"] == [message]
