# SPDX-License-Identifier: Apache-2.0
"""Sends as clients and Twilio should not do them, and do: keys that meet, Retry-After of every
kind,
STOP as people write it, addresses that lie."""

import email.utils
import threading
import time
from urllib.parse import quote

import pytest

from support.conditions import in_parallel, wait_until
from support.httpd import Account, Httpd, apxs, messenger
from support.past import make_older


def with_key(key):
    return {"Idempotency-Key": key}


# ---- keys ----


def test_a_key_in_two_hosts_is_two_keys(api, gated_api, fresh, gate, twilio):
    number, text, headers = fresh.number(), fresh.text(), with_key("shared by chance")
    one = api.send(number, text, headers=headers)["message"]
    other = gated_api.send(number, text, headers=headers)["message"]
    assert one["id"] != other["id"] and one["phoneNumber"] != other["phoneNumber"]
    assert len(twilio.requests_to(number)) == len(gate.requests_to(number)) == 1


def test_a_key_of_another_number_on_the_same_store_is_a_conflict(
    contract, simulator, twilio, mpm, fresh
):
    """Two hosts of one account share the store, not the number: the other's message is not this
    one's."""
    second = Account(number="+14155238889")
    twilio.config(numbers=[Account().number, second.number])

    def configure(httpd):
        hosts = messenger(httpd.account, httpd.directory / "store", simulator.url)
        return (
            hosts
            + "<VirtualHost *>\nServerName one.test\n</VirtualHost>\n"
            + f"<VirtualHost *>\nServerName two.test\nWhatsAppNumber whatsapp:{second.number}\n"
            + "</VirtualHost>\n"
        )

    with Httpd(configure, contract, mpm=mpm, account=Account()) as server:
        number, text, headers = fresh.number(), fresh.text(), with_key("k")
        one = server.client(host="one.test").send(number, text, headers=headers)["message"]
        assert one["phoneNumber"] == Account().number
        two = server.client(host="two.test", account=second)
        assert two.send(number, text, headers=headers, expect=409)["code"] == "CONFLICT"
        assert (
            two.send(number, text, headers=with_key("k2"))["message"]["phoneNumber"]
            == second.number
        )
        assert [each["From"] for each in twilio.requests_to(number)] == [
            f"whatsapp:{Account().number}",
            f"whatsapp:{second.number}",
        ]


def test_white_space_around_a_key_is_not_its(api, fresh, twilio):
    number, text = fresh.number(), fresh.text()
    first = api.send(number, text, headers=with_key("a key with spaces"))
    assert api.send(number, text, headers=with_key("  a key with spaces \t")) == first
    assert len(twilio.requests_to(number)) == 1
    api.send(number, text, headers=with_key("   "), expect=400)
    api.send(number, text, headers=with_key("a  key with spaces"))
    assert len(twilio.requests_to(number)) == 2


def test_another_message_under_a_key_in_flight_is_refused_at_once(gated_api, fresh, gate):
    number, headers = fresh.number(), with_key("in flight")
    asked, release, text = threading.Event(), threading.Event(), fresh.text()

    def hold(request, sid):
        asked.set()
        release.wait(60)

    gate.before_answer(number, hold)

    def work(index):
        if index == 0:
            return gated_api.send(number, text, headers=headers)
        try:
            assert asked.wait(60)
            return gated_api.send(number, fresh.text(), headers=headers, expect=409)
        finally:
            release.set()

    first, second = in_parallel(2, work)
    assert first["message"]["status"] == "success" and second["code"] == "CONFLICT"
    assert len(gate.requests_to(number)) == 1


def test_asking_again_while_it_is_in_flight_costs_nothing_and_minds_no_rule(
    new_server, fresh, gate
):
    """Whoever waits for the first's outcome sends nothing: no token, and no 409 that would say
    so."""
    extra = "WhatsAppSendRate 2/hour\n"
    with new_server(extra=extra, twilio_url=gate.url) as server:
        api, number, text, headers = server.client(), fresh.number(), fresh.text(), with_key("slow")
        asked, release = threading.Event(), threading.Event()

        def hold(request, sid):
            asked.set()
            release.wait(60)

        gate.before_answer(number, hold)

        def work(index):
            if index == 0:
                return api.send(number, text, headers=headers)
            assert asked.wait(60)
            if index == 1:
                api.receive(number, "STOP", fresh.sid())
                wait_until(lambda: len(server.lines(0, "WA0511")) == 1, "their STOP to be stored")
                release.set()
                return None
            return api.send(number, text, headers=headers)

        answers = [a for a in in_parallel(8, work) if a]
        assert answers == [answers[0]] * 7
        assert len(gate.requests_to(number)) == 1
        # the second token is still there
        api.send(fresh.number(), fresh.text())
        api.send(fresh.number(), fresh.text(), expect=429)
        api.send(number, fresh.text(), expect=409)


def test_a_key_counts_although_the_contact_is_gone(api, fresh, twilio):
    """What was sent was sent, whatever became of the contact that the request named."""
    number, text, headers = fresh.number(), fresh.text(), with_key("gone contact")
    contact = api.add_contact(number, "Soon gone")["id"]
    first = api.send(number, text, headers=headers, contactId=contact)
    api.delete(f"/contacts/{contact}")
    again = api.send(number, text, headers=headers, contactId=contact)
    assert again["message"]["id"] == first["message"]["id"]
    assert len(twilio.requests_to(number)) == 1
    api.send(number, text, headers=with_key("another"), contactId=contact, expect=400)
    api.send(number, text, headers=headers, contactId="no id", expect=400)


# ---- Retry-After ----


@pytest.mark.parametrize(
    "value",
    ["0", "-5", "", "abc", "1.5", "past", "99999999999999999999999", "0x10", "\u0661"],
    ids=ascii,
)
def test_a_retry_after_that_says_nothing_useful_costs_no_message(api, server, fresh, twilio, value):
    number = fresh.number()
    if value == "past":
        value = email.utils.formatdate(time.time() - 3600, usegmt=True)
    twilio.fail(number, "rate-limit", count=1, retry_after=value)
    server.claim("WA0301", required=False)
    answer = api.send(number, fresh.text(), expect=None)
    is_huge = len(value) == 23
    message = answer["message"]
    assert message["status"] == ("failed" if is_huge and not answer["success"] else "success")
    assert len(twilio.requests_to(number)) == (1 if message["status"] == "failed" else 2)


@pytest.mark.parametrize("wait", ["3600", "date"])
def test_a_retry_after_beyond_the_time_of_the_request_fails_at_once(
    api, server, fresh, twilio, wait
):
    number = fresh.number()
    if wait == "date":
        wait = email.utils.formatdate(time.time() + 3600, usegmt=True)
    twilio.fail(number, "rate-limit", retry_after=wait)
    server.claim("WA0301")
    message = api.send(number, fresh.text(), expect=502)["message"]
    assert message["status"] == "failed" and len(twilio.requests_to(number)) == 1


def test_a_503_with_retry_after_is_never_tried_again(api, server, fresh, twilio):
    number = fresh.number()
    twilio.fail(number, "error", http=503)
    server.claim("WA0301")
    assert api.send(number, fresh.text(), expect=502)["message"]["status"] == "pending"
    assert len(twilio.requests_to(number)) == 1


# ---- STOP and START ----


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "StOp",
        "  STOP\n",
        "STOP.",
        "Stop!!!",
        "\u201cSTOP\u201d",
        "'stop'",
        '"Stop."',
        "*STOP*",
        "_stop_",
        "\u00a1Stop!",
        "stop\u2026",
        "(stop)",
        "STOP\u200b",
        "\u2060stop\ufeff",
        "\u202astop\u202c",
        "stop,",
        "- stop -",
        "stop \U0001f64f",
    ],
    ids=ascii,
)
def test_stop_is_understood_as_people_write_it(api, fresh, text):
    number = fresh.number()
    api.receive(number, text, fresh.sid())
    assert api.thread(number).get("optedOut") is True
    api.receive(number, "\u00abStart\u00bb!", fresh.sid())
    assert "optedOut" not in api.thread(number)


@pytest.mark.parametrize(
    "text",
    [
        "please stop",
        "stop it",
        "bus stop",
        "STOPPED",
        "nonstop",
        "s.t.o.p",
        "st op",
        "stop start",
        "STOP? no",
        "",
        "...",
        "\u200b",
        "don't stop!",
    ],
    ids=ascii,
)
def test_stop_in_a_sentence_is_a_sentence(api, fresh, text):
    number = fresh.number()
    api.receive(number, text, fresh.sid())
    assert "optedOut" not in api.thread(number)


@pytest.mark.parametrize("word", ["START", "unstop", "yes", "Unstop."])
def test_every_word_of_the_list_opts_in_again(api, fresh, word):
    number = fresh.number()
    for text in ("UNSUBSCRIBE", word):
        api.receive(number, text, fresh.sid())
    assert "optedOut" not in api.thread(number)
    api.send(number, fresh.text())


def test_words_of_other_languages_know_no_case(new_server, fresh):
    extra = 'WhatsAppStopWords СТОП "détenir ça" ΣΤΑΜΑΤΑ kończ "ALTO!"\n'
    with new_server(extra=extra) as server:
        api = server.client()
        for text in ("стоп", "Стоп!", "DÉTENIR ÇA", "σταματα", "KOŃCZ", "alto!", "Alto"):
            number = fresh.number()
            api.receive(number, text, fresh.sid())
            assert api.thread(number).get("optedOut") is True, text
        for text in ("STOP", "detenir ca", "стопка"):
            number = fresh.number()
            api.receive(number, text, fresh.sid())
            assert "optedOut" not in api.thread(number), text


def test_twilio_says_itself_what_a_word_meant(api, fresh):
    """Its own opt-out (OptOutType) goes by words that only its console knows."""
    number = fresh.number()
    for text, kind, is_out in (
        ("arret svp", "STOP", True),
        ("hello", "", True),
        ("help", "HELP", True),
        ("je reviens", "START", False),
        ("hello", None, False),
        ("x", "NONSENSE", False),
    ):
        api.receive(number, text, fresh.sid(), OptOutType=kind)
        assert api.thread(number).get("optedOut", False) is is_out, text


def test_a_stop_by_a_button_and_under_a_picture(api, fresh):
    for more in (
        {"Body": "", "ButtonText": "Stop", "ButtonPayload": "p1", "MessageType": "button"},
        {"Body": "Stop", "NumMedia": "1", "MediaUrl0": "https://api.twilio.com/x"},
    ):
        number = fresh.number()
        api.receive(number, "", fresh.sid(), **more)
        assert api.thread(number).get("optedOut") is True


def test_a_blocked_one_stays_blocked_whatever_they_write(api, fresh, twilio):
    number = fresh.number()
    api.receive(number, "hello", fresh.sid())
    api.post(f"/threads/{quote(number, safe='')}/block")
    for text in ("START", "STOP", "START"):
        api.receive(number, text, fresh.sid())
    assert "blocked" in api.send(number, fresh.text(), expect=409)["error"]
    assert twilio.requests_to(number) == []


# ---- the window ----


@pytest.mark.parametrize("minutes, is_open", [(24 * 60 - 1, True), (24 * 60 + 1, False)])
def test_the_window_around_its_end(new_server, fresh, twilio, minutes, is_open):
    with new_server(extra="WhatsAppEnforceWindow on\n") as server:
        number = fresh.number()
        server.client().receive(number, fresh.text(), fresh.sid())
        server.stop()
        make_older(server, minutes)
        server.start()
        api = server.client()
        closes = api.thread(number)["windowClosesAt"]
        assert (closes > time.time() * 1000) is is_open
        api.send(number, fresh.text(), expect=200 if is_open else 409)
        # what we send opens nothing
        template = {"phoneNumber": number, "contentSid": "HX" + "0" * 32}
        assert api.post("/send", template).status == 200
        assert api.thread(number)["windowClosesAt"] == closes
        api.send(number, fresh.text(), expect=200 if is_open else 409)
        api.receive(number, fresh.text(), fresh.sid())
        api.send(number, fresh.text())


# ---- addresses ----


def rate_server(new_server, remoteip):
    extra = "WhatsAppSendRate 1/hour\n"
    if remoteip:
        extra += f"LoadModule remoteip_module {apxs('LIBEXECDIR')}/mod_remoteip.so\n"
        extra += "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n"
    return new_server(extra=extra)


def test_who_says_to_be_another_address_is_not_believed(new_server, fresh):
    """Without mod_remoteip X-Forwarded-For is only a text."""
    with rate_server(new_server, False) as server:
        api = server.client()
        api.send(fresh.number(), fresh.text(), headers={"X-Forwarded-For": "203.0.113.1"})
        api.send(
            fresh.number(), fresh.text(), headers={"X-Forwarded-For": "203.0.113.2"}, expect=429
        )


def test_one_address_written_in_several_ways_is_one(new_server, fresh):
    with rate_server(new_server, True) as server:
        api = server.client()
        for first, *others in (
            ["203.0.113.1", "::ffff:203.0.113.1", "198.51.100.9, 203.0.113.1"],
            ["2001:db8::1", "2001:0DB8:0:0:0:0:0:1", "2001:db8::ffff"],
        ):
            api.send(fresh.number(), fresh.text(), headers={"X-Forwarded-For": first})
            for other in others:
                api.send(
                    fresh.number(), fresh.text(), headers={"X-Forwarded-For": other}, expect=429
                )
        # what is no address counts as the proxy's own
        api.send(fresh.number(), fresh.text(), headers={"X-Forwarded-For": "nonsense"})
        api.send(fresh.number(), fresh.text(), headers={"X-Forwarded-For": "999.1.1.1"}, expect=429)


# ---- tokens ----


def test_the_first_token_sends_and_both_are_good_for_signatures(new_server, fresh, twilio):
    new, old = "9" * 32, Account().token
    server = new_server()
    first = server.configure
    server.configure = lambda httpd: first(httpd).replace(
        f"WhatsAppAuthToken {old}", f"WhatsAppAuthToken {new} {old}"
    )
    server.secrets.add(new)
    with server:
        api, number = server.client(), fresh.number()
        for token in (new, old):
            api.webhook(api.account.inbound(number, fresh.text(), fresh.sid()), token=token)
        api.plant(number)
        twilio.config(tokens=[new])
        api.send(number, fresh.text())
        twilio.config(tokens=[old])
        server.claim("WA0302")
        assert api.send(number, fresh.text(), expect=502)["message"]["status"] == "failed"
        assert len(twilio.requests_to(number)) == 2, "it was tried with the other token, too"


# ---- answers ----


@pytest.mark.parametrize(
    "answer, shown",
    [
        ({"status": 5}, "accepted"),
        ({"status": None}, "accepted"),
        ({"status": "partially_delivered"}, "accepted"),
        ({"status": "received"}, "accepted"),
        ({"status": "read"}, "read"),
        ({"status": "failed", "error_code": "63016"}, "failed"),
        ({"status": "canceled", "error_code": -1}, "canceled"),
        ({"error_code": 63016}, "queued"),
        ({"sid": "MM" + "aB" * 16}, "queued"),
        ({"body": None, "to": None, "from": None, "num_media": 7, "tags": {"a": ["b"]}}, "queued"),
    ],
    ids=repr,
)
def test_an_accepting_answer_with_odd_members(gated_api, fresh, gate, answer, shown):
    number = fresh.number()
    gate.before_answer(number, lambda request, sid: answer)
    message = gated_api.send(number, fresh.text(), expect=None)["message"]
    assert message["deliveryStatus"] == shown
    assert message["status"] == ("failed" if shown in ("failed", "canceled") else "success")
    assert len(gate.requests_to(number)) == 1


@pytest.mark.parametrize(
    "sid",
    [None, "", 5, "SM1", "XX" + "0" * 32, "SM" + "0" * 33, "SM" + "g" * 32, "SM" + "0" * 31 + "\n"],
)
def test_an_answer_with_no_sid_that_is_one_is_no_confirmation(server, gated_api, fresh, gate, sid):
    number = fresh.number()
    server.claim("WA0301")
    gate.before_answer(number, lambda request, given: {"sid": sid})
    message = gated_api.send(number, fresh.text(), expect=502)["message"]
    assert message["status"] == "pending" and "sid" not in message
    assert len(gate.requests_to(number)) == 1


def test_one_sid_for_two_messages_breaks_neither(gated_api, fresh, gate):
    """Something between us and Twilio gives an old answer again."""
    numbers, sid = [fresh.number(), fresh.number()], fresh.sid()
    for number in numbers:
        gate.before_answer(number, lambda request, given: {"sid": sid})
    sent = [gated_api.send(number, fresh.text())["message"] for number in numbers]
    assert [message["sid"] for message in sent] == [sid, sid]
    gated_api.webhook(gated_api.account.status(numbers[0], sid, "delivered"))
    words = [gated_api.messages(n)["messages"][0]["deliveryStatus"] for n in numbers]
    assert sorted(words) == ["delivered", "queued"]
    target = f"{gated_api.base}/webhook?message={sent[words.index('queued')]['id']}"
    gated_api.webhook(gated_api.account.status(numbers[1], sid, "delivered"), target=target)
    assert {gated_api.messages(n)["messages"][0]["deliveryStatus"] for n in numbers} == {
        "delivered"
    }


def test_start_ends_what_twilio_said(api, fresh, twilio):
    number = fresh.number()
    twilio.fail(number, "refuse", http=400, code=21610, count=1)
    api.send(number, fresh.text(), expect=502)
    api.send(number, fresh.text(), expect=409)
    api.receive(number, "Start", fresh.sid())
    api.send(number, fresh.text())
    assert len(twilio.requests_to(number)) == 2
