# SPDX-License-Identifier: Apache-2.0
"""Reconciliation: sends whose outcome is not known are settled, missed messages are fetched, by one
process."""

import os
import signal

import pytest

from support.conditions import wait_until
from support.httpd import Account, Httpd, messenger

ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=2h\n"


def missed(twilio, number, text, seconds_ago=300, **more):
    """A message that came while no webhook got through."""
    return twilio.inbound(From=number, Body=text, deliver=False, seconds_ago=seconds_ago, **more)[
        "sid"
    ]


@pytest.mark.every_mpm
def test_a_send_whose_answer_was_lost_is_settled(new_server, twilio, fresh):
    with new_server(ON) as server:
        api = server.client()
        numbers = [fresh.number() for _ in range(3)]
        text = fresh.text()
        server.claim("WA0301")
        for number in numbers:
            twilio.fail(number, "close", count=1)
        since = api.now()
        pending = [api.send(number, text, expect=502)["message"] for number in numbers]
        assert all(each["status"] == "pending" and "sid" not in each for each in pending)
        told = api.now()

        def settled():
            found = [api.messages(number)["messages"][0] for number in numbers]
            return found if all(each["status"] == "success" for each in found) else None

        found = wait_until(settled, "the sends to be settled")
        taken = {each["to"]: each["sid"] for each in twilio.messages()}
        for message in found:
            assert message["sid"] == taken["whatsapp:" + message["counterpart"]]
            assert message["deliveryStatus"] == "queued" and "errorMessage" not in message
        assert sorted(each["id"] for each in api.since(told)["updates"]) == sorted(
            each["id"] for each in pending
        )
        assert len(api.since(since)["messages"]) == 3
        assert len(twilio.messages()) == 3, "something was sent twice"


def test_the_same_text_twice_is_claimed_once_each(new_server, twilio, fresh):
    """One of three reached Twilio twice over: as many are settled as Twilio has, none shares a
    sid."""
    with new_server(ON) as server:
        api = server.client()
        number, text = fresh.number(), fresh.text()
        server.claim("WA0301")
        twilio.fail(number, "close", count=2)
        twilio.fail(number, "hang", count=1)
        for _ in range(3):
            api.send(number, text, expect=502)
        made = {each["sid"] for each in twilio.messages()}
        assert len(made) == 2

        def found():
            return [
                each for each in api.messages(number)["messages"] if each["status"] == "success"
            ]

        wait_until(lambda: len(found()) == 2, "two to be settled")
        twilio.wait_for_runs()
        assert {each["sid"] for each in found()} == made
        (left,) = [e for e in api.messages(number)["messages"] if e["status"] != "success"]
        assert left["status"] == "pending" and "sid" not in left, "it may still be under way"


@pytest.mark.every_mpm
def test_messages_that_came_while_the_server_was_down_are_fetched_once(new_server, twilio, fresh):
    number, texts = fresh.number(), [fresh.text() for _ in range(3)]
    sids = [missed(twilio, number, text, 300 - index) for index, text in enumerate(texts)]
    too_old = missed(twilio, number, "before the look-back", 3 * 3600)
    too_new = missed(twilio, number, "its webhook is on its way", 0)
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        for text in texts:
            api.plant(number, text)
        wait_until(
            lambda: len(api.messages(number)["messages"]) >= 3, "the missed messages to be there"
        )
        twilio.wait_for_runs()
        found = api.messages(number)["messages"][::-1]
        assert [(each["sid"], each["body"]) for each in found] == list(zip(sids, texts))
        assert all(each["direction"] == "received" and each["unread"] for each in found)
        api.receive(number, texts[0], sids[0])  # its webhook after all
        assert len(api.messages(number)["messages"]) == 3
        api.receive(number, "a new one, by its webhook", too_new)
        assert [each["sid"] for each in api.messages(number)["messages"]][0] == too_new
        assert too_old not in [each["sid"] for each in api.messages(number)["messages"]]


def test_a_message_whose_form_was_refused_is_fetched_once(new_server, twilio, fresh):
    """Somebody wrote what cannot be told from a form that was cut anew; Twilio's list has no such
    doubts."""
    number = fresh.number()
    text = f"{fresh.text()} Fromwhatsapp:+15559990000"
    with new_server(ON) as server:
        api = server.client()
        api.plant(number, text)
        server.claim("WA0237")
        twilio.wait_for_runs()
        sid = missed(twilio, number, text)
        form = api.account.inbound(number, text, sid)
        cut = {
            **form,
            "Body": text[: -len("Fromwhatsapp:+15559990000")],
            "From": "whatsapp:+15559990000",
        }
        del cut["WaId"]
        api.webhook(form, expect=400)
        wait_until(lambda: api.messages(number)["messages"], "the refused message to be there")
        twilio.wait_for_runs()
        api.webhook(form, expect=400)
        api.webhook({**cut, "Fromwhatsapp:": number}, expect=400)
        twilio.wait_for_runs()
        (message,) = api.messages(number)["messages"]
        assert (message["sid"], message["body"], message["unread"]) == (sid, text, True)
        assert api.thread("+15559990000") is None


def test_attachments_of_missed_messages_are_there(new_server, twilio, fresh):
    number = fresh.number()
    missed(
        twilio, number, "", media=[{"content_type": "image/png"}, {"content_type": "text/vcard"}]
    )
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        (message,) = wait_until(
            lambda: api.messages(number)["messages"], "the missed message to be there"
        )
        assert [e["contentType"] for e in message["media"]] == ["image/png", "text/vcard"]
        assert api.fetch("GET", message["media"][0]["url"]).body.startswith(b"\x89PNG")


def test_one_process_does_it(new_server, twilio):
    """A process keeps its connection: more than one asking would show as more connections."""
    with new_server(ON) as server:
        wait_until(lambda: len(twilio.lists()) >= 10, "ten lists")
        asked = twilio.lists()
        assert len({each["connection"] for each in asked}) == 1
        assert all(each["user"] == server.account.sid for each in asked)


@pytest.mark.every_mpm
def test_another_process_goes_on_when_that_one_is_killed(new_server, twilio, fresh):
    with new_server(ON) as server:
        twilio.wait_for_runs()
        server.claim("AH0*", required=False)
        old = set(server.children())
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not old & set(server.children()), "the killed processes to be gone")
        number = fresh.number()
        sid = missed(twilio, number, fresh.text())
        api = server.client()
        api.plant(number)
        wait_until(
            lambda: [e for e in api.messages(number)["messages"] if e["sid"] == sid],
            "the next process to go on",
        )


def test_a_list_that_twilio_does_not_give_settles_nothing(new_server, twilio, fresh):
    with new_server(ON) as server:
        api = server.client()
        number = fresh.number()
        server.claim("WA0301")
        twilio.fail(number, "close", count=1)
        api.send(number, fresh.text(), expect=502)
        server.claim("WA0303")
        twilio.mode("error", http=503)
        twilio.wait_for_runs()
        assert api.messages(number)["messages"][0]["status"] == "pending"
        twilio.mode("ok")
        wait_until(
            lambda: api.messages(number)["messages"][0]["status"] == "success", "it to be settled"
        )


def test_off_means_never_and_each_host_has_its_own(contract, simulator, twilio, mpm):
    other = Account(sid="AC00000000000000000000000000000009", number="+14155238899", token="9" * 32)

    def configure(httpd):
        return (
            messenger(httpd.account, httpd.directory / "store", simulator.url)
            + "<VirtualHost *>\nServerName other.test\n"
            + messenger(other, httpd.directory / "store-other", simulator.url, extra=ON)
            + "</VirtualHost>\n"
        )

    with Httpd(configure, contract, mpm=mpm, account=Account()) as server:
        server.claim("WA0303", "WA0302")  # the simulator knows one account only
        twilio.wait_for_runs()
        assert all(other.sid in each["target"] for each in twilio.lists())


@pytest.mark.parametrize("first, second", [("STOP", "START"), ("START", "STOP")])
def test_a_stop_or_start_that_was_missed_counts_as_of_its_time(
    new_server, twilio, fresh, first, second
):
    """What they said last holds, whatever of it came by webhook and what was fetched after that."""
    by_webhook, missed_both, alone = (fresh.number() for _ in range(3))
    for number in (by_webhook, missed_both, alone):
        missed(twilio, number, first, 600)
    missed(twilio, missed_both, second, 500)
    with new_server("WhatsAppReconcile off\n") as server:
        api = server.client()
        api.receive(by_webhook, "hello", fresh.sid())
        api.receive(by_webhook, second, fresh.sid())
        api.receive(by_webhook, "something else", fresh.sid())
        api.receive(alone, "something else", fresh.sid())
        server.stop()
        configure = server.configure
        server.configure = lambda httpd: configure(httpd) + ON
        server.start()
        api = server.client()
        counts = {by_webhook: 4, missed_both: 2, alone: 2}
        wait_until(
            lambda: all((api.thread(n) or {}).get("messageCount") == counts[n] for n in counts),
            "the missed messages to be there",
        )
        expected = {
            by_webhook: second == "STOP",
            missed_both: second == "STOP",
            alone: first == "STOP",
        }
        wait_until(
            lambda: {n: api.thread(n).get("optedOut", False) for n in counts} == expected,
            "what they said last to hold",
        )
        twilio.wait_for_runs()
        assert {n: api.thread(n).get("optedOut", False) for n in counts} == expected
