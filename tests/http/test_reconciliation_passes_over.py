# SPDX-License-Identifier: Apache-2.0
"""One thing that cannot be had holds up nothing else: an attachment, a message, a list of one
counterpart, a page."""

import pytest

from support.conditions import wait_until

ON = "WhatsAppTwilioTimeout 1s 1s\nWhatsAppReconcile on interval=100ms lookback=2h\n"
DENIED = [(404, 20404), (403, 20003), (403, 20403), (403, 20005), (400, 20001), (410, 20404)]
PICTURE = [{"content_type": "image/png"}]


def missed(twilio, number, text, seconds_ago=300, **more):
    """A message that came while no webhook got through."""
    return twilio.inbound(From=number, Body=text, deliver=False, seconds_ago=seconds_ago, **more)[
        "sid"
    ]


def asked(twilio, text):
    """How often something with this text in its address was asked for."""
    return len([e for e in twilio.requests() if e["method"] == "GET" and text in e["target"]])


def stopped(api, number):
    return wait_until(lambda: (api.thread(number) or {}).get("optedOut"), "the STOP to count")


def warnings(server, mark, tag="WA0550"):
    return [line for line in server.lines(mark) if tag in line]


@pytest.mark.parametrize("http, code", DENIED)
def test_an_attachment_that_is_denied_is_named_missing(new_server, twilio, fresh, http, code):
    number, other = fresh.number(), fresh.number()
    sid = missed(twilio, number, "look", 400, media=PICTURE)
    missed(twilio, number, "STOP", 300)
    missed(twilio, other, "hello", 200)
    twilio.mode("refuse", http=http, code=code, target=f"/Messages/{sid}/Media")
    with new_server(ON) as server:
        mark = server.mark()
        api = server.client()
        api.plant(number, "look")
        api.plant(other, "hello")
        server.claim("WA0550")
        stopped(api, number)
        wait_until(lambda: api.messages(other)["messages"], "the other message to be there")
        message = api.messages(number)["messages"][-1]
        assert (message["sid"], message["body"]) == (sid, "look")
        wait_until(
            lambda: api.messages(number)["messages"][-1]["media"] == [{"missing": True}],
            "the attachment to be named missing",
        )
        assert api.fetch("GET", f"/messages/{message['id']}/media/0").status == 404
        before = asked(twilio, f"/Messages/{sid}/Media")
        assert 1 <= before <= 2
        twilio.wait_for_runs(10)
        assert asked(twilio, f"/Messages/{sid}/Media") == before, "it is asked for again and again"
        (line,) = warnings(server, mark)
        assert "attachments=1 messages=0 lists=0" in line and f"http={http}" in line
        assert sid in line and number not in line
        assert not warnings(server, mark, "WA0302"), "nobody refused the credentials"


@pytest.mark.every_mpm
def test_an_attachment_that_is_listed_later_comes(new_server, twilio, fresh):
    number = fresh.number()
    sid = missed(twilio, number, "", 400, media=PICTURE, media_listed=[])
    missed(twilio, number, "STOP", 300)
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        since = api.now()
        stopped(api, number)
        message = api.messages(number)["messages"][-1]
        assert (message["sid"], message["body"]) == (sid, "")
        assert message["media"] == [{"missing": True, "awaited": True}]
        asked_before = asked(twilio, f"/Messages/{sid}/Media")
        wait_until(
            lambda: asked(twilio, f"/Messages/{sid}/Media") > asked_before, "it to be looked for"
        )
        told = api.now()
        assert [m["id"] for m in api.since(since)["messages"]][0] == message["id"]
        twilio.listed(sid)
        (update,) = wait_until(lambda: api.since(told)["updates"], "the message to change")
        assert update["id"] == message["id"] and update["unread"]
        (media,) = update["media"]
        assert media["contentType"] == "image/png"
        assert api.fetch("GET", media["url"]).body.startswith(b"\x89PNG")
        asked_before = asked(twilio, f"/Messages/{sid}/Media")
        twilio.wait_for_runs(10)
        assert asked(twilio, f"/Messages/{sid}/Media.json") <= asked_before
        assert len(api.messages(number)["messages"]) == 2


def test_what_is_awaited_is_looked_for_after_a_restart(new_server, twilio, fresh):
    """Also one that the look-back does not reach any more: the store knows of it."""
    number = fresh.number()
    sid = missed(twilio, number, "two", 400, media=PICTURE * 2)
    one = [{"content_type": "image/png", "uri": f"{media_uri(twilio, sid, 0)}.json"}]
    twilio.listed(sid, media_listed=one)
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        wait_until(lambda: api.messages(number)["messages"], "the message to be there")
        media = api.messages(number)["messages"][0]["media"]
        assert [m.get("missing", False) for m in media] == [False, True]
        server.stop()
        twilio.listed(sid)
        configure = server.configure
        server.configure = lambda httpd: configure(httpd).replace("lookback=2h", "lookback=100ms")
        server.start()
        api = server.client()

        def whole():
            found = api.messages(number)["messages"][0]["media"]
            return found if all("url" in m for m in found) else None

        media = wait_until(whole, "the second attachment to come")
        assert len(media) == 2
        assert all(api.fetch("GET", m["url"]).body.startswith(b"\x89PNG") for m in media)


def media_uri(twilio, sid, index):
    entry = twilio.call("GET", f"medialist?sid={sid}")["media_list"][index]
    return entry["uri"].removesuffix(".json")


def test_the_webhook_that_comes_late_brings_the_attachment(new_server, twilio, fresh):
    number = fresh.number()
    sid = missed(twilio, number, "look", 400, media=PICTURE)
    twilio.mode("refuse", http=404, code=20404, target=f"/Messages/{sid}/Media.json")
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        server.claim("WA0550")
        wait_until(lambda: api.messages(number)["messages"], "the message to be there")
        form = api.account.inbound(number, "look", sid)
        api.webhook(
            {
                **form,
                "NumMedia": "1",
                "MediaUrl0": f"{twilio.url}{media_uri(twilio, sid, 0)}",
                "MediaContentType0": "image/png",
            }
        )
        (message,) = api.messages(number)["messages"]
        assert message["media"][0]["contentType"] == "image/png"
        assert api.fetch("GET", message["media"][0]["url"]).body.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "mode", [{"mode": "error", "http": 503}, {"mode": "rate-limit"}, {"mode": "hang"}]
)
def test_trouble_with_an_attachment_waits_for_better_times(new_server, twilio, fresh, mode):
    number, other = fresh.number(), fresh.number()
    sid = missed(twilio, number, "look", 400, media=PICTURE)
    missed(twilio, number, "STOP", 300)
    twilio.mode(**mode, target=f"/Messages/{sid}/Media")
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        server.claim("WA0303")
        stopped(api, number)
        late = missed(twilio, other, "later", 100)
        wait_until(lambda: api.messages(other)["messages"], "messages after it to be fetched")
        assert api.messages(other)["messages"][0]["sid"] == late
        assert api.messages(number)["messages"][-1]["media"] == [{"missing": True, "awaited": True}]
        twilio.mode("ok")
        wait_until(
            lambda: "url" in api.messages(number)["messages"][-1]["media"][0],
            "the attachment to come",
        )


BAD = {
    "no date": {"date_sent": None, "date_created": None, "date_updated": None},
    "unreadable date": {"date_sent": "yesterday", "date_created": 5, "date_updated": "x"},
    "a date to come": {"date_sent": "Tue, 01 Jan 2999 00:00:00 +0000"},
    "unknown direction": {"direction": "sideways"},
    "no direction": {"direction": None},
    "unknown status": {"direction": "inbound", "status": "lost"},
    "no number": {"from": None},
    "no text": {"body": None},
    "odd numbers": {"from": "whatsapp:" + "x" * 300, "to": "nowhere\u0001"},
    "a text that is cut in a character": {"body": "cut \ud83d"},
    "NUL in its text": {"body": "a\0b"},
    "a text of megabytes": {"body": "x" * 3_000_000},
    "odd types": {"num_media": {"a": 1}, "error_code": [], "body": 7, "status": 7},
    "very many attachments": {"num_media": "99999999999999999999"},
    "no sid": {"sid": None},
}


@pytest.mark.parametrize("what", BAD)
def test_a_message_that_is_odd_holds_up_no_other(new_server, twilio, fresh, what):
    number, other = fresh.number(), fresh.number()
    missed(twilio, other, "hello", 500)
    sid = missed(twilio, number, "odd", 400, listed=BAD[what])
    missed(twilio, other, "STOP", 300)
    with new_server(ON) as server:
        mark = server.mark()
        api = server.client()
        api.plant(number)
        api.plant(other)
        stopped(api, other)
        assert len(api.messages(other)["messages"]) == 2
        if what != "no sid":
            wait_until(
                lambda: [t for t in api.threads() if t["counterpart"] != other],
                "the odd one to be there",
            )
        twilio.wait_for_runs(5)
        assert len(warnings(server, mark)) <= 1
        late = missed(twilio, other, "later", 100)
        wait_until(
            lambda: api.messages(other)["messages"][0]["sid"] == late, "a later one to be fetched"
        )
        for thread in api.threads():
            if thread["counterpart"] != other and "date" in what:
                assert thread.get("windowClosesAt", 0) < api.now() + 22.1 * 3600 * 1000


@pytest.mark.parametrize(
    "entry",
    [{}, {"uri": None}, {"uri": "https://evil.example/x.json"}, 7, {"content_type": "image/png"}],
)
def test_a_media_entry_that_is_none_is_awaited(new_server, twilio, fresh, entry):
    number = fresh.number()
    missed(twilio, number, "look", 400, media=PICTURE, media_listed=[entry])
    missed(twilio, number, "STOP", 300)
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        stopped(api, number)
        assert api.messages(number)["messages"][-1]["media"] == [{"missing": True, "awaited": True}]


def test_a_media_entry_without_a_type_is_there(new_server, twilio, fresh):
    number = fresh.number()
    sid = missed(twilio, number, "look", 400, media=PICTURE)
    twilio.listed(sid, media_listed=[{"uri": media_uri(twilio, sid, 0) + ".json"}])
    with new_server(ON) as server:
        api = server.client()
        api.plant(number)
        (message,) = wait_until(lambda: api.messages(number)["messages"], "the message")
        (media,) = message["media"]
        assert media["contentType"] == "application/octet-stream"
        assert api.fetch("GET", media["url"]).body.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/2010-04-01/Accounts",
        "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/none.json",
        "nonsense",
        7,
    ],
)
def test_a_link_to_the_next_page_that_leads_nowhere(new_server, twilio, fresh, uri):
    """The list goes on by dates: nothing behind it is lost."""
    number = fresh.number()
    missed(twilio, number, "STOP", 800)
    for index in range(250):
        wrong = {"date_sent": "Mon, 01 Jan 2001 00:00:00 +0000"} if index == 150 else {}
        missed(twilio, fresh.number(), "many", 600 - index, listed=wrong)
    twilio.config(next_page={"uri": uri})
    with new_server(ON) as server:
        mark = server.mark()
        api = server.client()
        server.claim("WA0550")
        stopped(api, number)
        wait_until(lambda: len(api.threads()) == 251, "all to be there")
        twilio.wait_for_runs(5)
        (line,) = warnings(server, mark)
        assert "lists=1" in line


@pytest.mark.parametrize("http, code", DENIED)
def test_a_list_that_is_refused_for_one_counterpart(new_server, twilio, fresh, http, code):
    """Neither the sends to others nor what came in waits for it."""
    with new_server(ON) as server:
        mark = server.mark()
        api = server.client()
        bad, good, caller = (fresh.number() for _ in range(3))
        text = fresh.text()
        server.claim("WA0301", "WA0550")
        twilio.wait_for_runs(1)
        for number in (bad, good):
            twilio.fail(number, "close", count=1)
        twilio.spoil("refuse", http=http, code=code, target=f"?To=whatsapp:{bad}&From=")
        for number in (bad, good):
            api.send(number, text, expect=502)
        wait_until(
            lambda: api.messages(good)["messages"][0]["status"] == "success", "it to be settled"
        )
        missed(twilio, caller, "STOP", 300)
        stopped(api, caller)
        wait_until(lambda: warnings(server, mark), "the warning")
        before = asked(twilio, f"To=whatsapp%3A%2B{bad[1:]}&From")
        assert before == 1
        twilio.wait_for_runs(10)
        assert asked(twilio, f"To=whatsapp%3A%2B{bad[1:]}&From") == before
        (line,) = warnings(server, mark)
        assert "lists=1" in line and bad not in line
        assert not warnings(server, mark, "WA0302")
        assert api.messages(bad)["messages"][0]["status"] == "pending", "nobody knows of it"


@pytest.mark.parametrize("mode", [{"mode": "error", "http": 503}, {"mode": "hang"}])
def test_trouble_with_the_list_of_one_counterpart(new_server, twilio, fresh, mode):
    with new_server(ON) as server:
        api = server.client()
        bad, good, caller = (fresh.number() for _ in range(3))
        text = fresh.text()
        server.claim("WA0301", "WA0303")
        twilio.wait_for_runs(1)
        for number in (bad, good):
            twilio.fail(number, "close", count=1)
        twilio.spoil(target=f"?To=whatsapp:{bad}&From=", **mode)
        for number in (bad, good):
            api.send(number, text, expect=502)
        wait_until(
            lambda: api.messages(good)["messages"][0]["status"] == "success", "it to be settled"
        )
        missed(twilio, caller, "STOP", 300)
        stopped(api, caller)
        twilio.mode("ok")
        wait_until(
            lambda: api.messages(bad)["messages"][0]["status"] == "success", "it to be settled"
        )


def test_credentials_that_are_refused_are_said(new_server, twilio, fresh):
    with new_server(ON) as server:
        server.claim("WA0302", "WA0303")
        mark = server.mark()
        twilio.mode("refuse", http=401, code=20003)
        wait_until(lambda: warnings(server, mark, "WA0302"), "the alarm")
        number = fresh.number()
        missed(twilio, number, "STOP", 300)
        twilio.mode("ok")
        api = server.client()
        stopped(api, number)
