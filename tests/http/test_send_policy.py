# SPDX-License-Identifier: Apache-2.0
"""To whom nothing is sent: who opted out, who is blocked, and who has not written in 24 hours."""

from urllib.parse import quote

import pytest


def post(api, number, what, expect=200):
    response = api.post(f"/threads/{quote(number, safe='')}/{what}")
    assert response.status == expect, response
    return response.json()


def conflict(api, fresh, twilio, number):
    """A send is 409, stores nothing and asks Twilio nothing."""
    asked, thread = len(twilio.requests_to(number)), api.thread(number)
    answer = api.send(number, fresh.text(), expect=409)
    assert answer["code"] == "CONFLICT"
    assert len(twilio.requests_to(number)) == asked and api.thread(number) == thread
    return answer["error"]


@pytest.mark.parametrize("word", ["STOP", " stop ", "Unsubscribe", "optout", "Stop!"])
def test_stop_opts_out_until_start(api, fresh, twilio, word):
    number = fresh.number()
    api.receive(number, word, fresh.sid())
    assert api.thread(number)["optedOut"] is True
    assert "START" in conflict(api, fresh, twilio, number)
    api.receive(number, "hello again", fresh.sid())
    conflict(api, fresh, twilio, number)
    api.receive(number, "start", fresh.sid())
    assert "optedOut" not in api.thread(number)
    api.send(number, fresh.text())


def test_a_text_that_only_holds_the_word_opts_nobody_out(api, fresh, twilio):
    number = fresh.number()
    api.receive(number, "when does the bus stop", fresh.sid())
    api.send(number, fresh.text())
    assert "optedOut" not in api.thread(number)


def test_twilio_says_that_somebody_opted_out(server, api, fresh, twilio):
    number = fresh.number()
    twilio.fail(number, "refuse", http=400, code=21610)
    api.send(number, fresh.text(), expect=502)
    assert api.thread(number)["optedOut"] is True
    conflict(api, fresh, twilio, number)
    other = fresh.number()
    sid = api.send(other, fresh.text())["message"]["sid"]
    api.webhook(api.account.status(other, sid, "failed", ErrorCode="21610"))
    assert api.thread(other)["optedOut"] is True
    conflict(api, fresh, twilio, other)


def test_block_and_unblock(api, fresh, twilio):
    number = fresh.number()
    post(api, number, "block", expect=404)
    api.receive(number, fresh.text(), fresh.sid())
    before = api.now()
    assert post(api, number, "block")["thread"]["blocked"] is True
    assert post(api, number, "block")["thread"]["blocked"] is True
    assert [row["counterpart"] for row in api.since(before, threads="changed")["threads"]] == [
        number
    ]
    assert "blocked" in conflict(api, fresh, twilio, number)
    api.receive(number, fresh.text(), fresh.sid())
    assert api.thread(number)["messageCount"] == 2
    assert "blocked" not in post(api, number, "unblock")["thread"]
    api.send(number, fresh.text())


def test_the_window_closes_24_hours_after_their_last_message(api, fresh):
    number = fresh.number()
    api.send(number, fresh.text())
    assert "windowClosesAt" not in api.thread(number)
    api.receive(number, fresh.text(), fresh.sid())
    received = api.messages(number)["messages"][0]["timestamp"]
    assert api.thread(number)["windowClosesAt"] == received + 24 * 3600 * 1000
    api.send(number, fresh.text())
    assert api.thread(number)["windowClosesAt"] == received + 24 * 3600 * 1000


def test_an_enforced_window(new_server, fresh, twilio):
    with new_server(extra="WhatsAppEnforceWindow on\n") as server:
        api, number = server.client(), fresh.number()
        assert "24 hours" in conflict(api, fresh, twilio, number)
        api.receive(number, fresh.text(), fresh.sid())
        api.send(number, fresh.text())


def test_other_words_and_none(new_server, fresh, twilio):
    extra = 'WhatsAppStopWords "Basta ya" alto\nWhatsAppStartWords none\n'
    with new_server(extra=extra) as server:
        api, number = server.client(), fresh.number()
        api.receive(number, "STOP", fresh.sid())
        assert "optedOut" not in api.thread(number)
        api.receive(number, "basta YA", fresh.sid())
        api.receive(number, "START", fresh.sid())
        assert api.thread(number)["optedOut"] is True


def test_what_holds_survives_a_kill(new_server, fresh, twilio):
    with new_server() as server:
        out, blocked = fresh.number(), fresh.number()
        for number in (out, blocked):
            server.client().receive(number, fresh.text(), fresh.sid())
        server.client().receive(out, "STOP", fresh.sid())
        post(server.client(), blocked, "block")
        server.kill_all()
        server.start()
        for number in (out, blocked):
            conflict(server.client(), fresh, twilio, number)
