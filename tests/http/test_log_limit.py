# SPDX-License-Identifier: Apache-2.0
"""Whoever calls is named in every line, and nobody can fill the error log by calling."""

import re

import pytest

from support.client import RawConnection
from support.conditions import in_parallel, wait_until
from support.httpd import ROOT
from support.signing import encode_form, sign

BURST, RATE = 50, 10
CLIENT = re.compile(r"\[client ([0-9a-f.:]+):(\d+)\] (WA\d{4}): ")
LEFT_OUT = re.compile(r"WA0150: (\d+) more lines of (WA\d{4}) were left out")


def flood(server, count, threads=8, extra=b"", path="/webhook", body=b"a=1", signature=b"x" * 28):
    """`count` webhooks, over `threads` connections that are kept where the server keeps them."""
    request = (
        (
            f"POST /api/whatsapp-messenger{path} HTTP/1.1\r\nHost: x\r\nContent-Length:"
            f" {len(body)}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        ).encode()
        + b"X-Twilio-Signature: "
        + signature
        + b"\r\n"
        + extra
        + b"\r\n"
        + body
    )

    def work(_):
        statuses = []
        for _ in range(count // threads):
            with RawConnection(server.port) as raw:
                raw.send(request)
                statuses.append(raw.response("POST").status)
        return statuses

    return [status for each in in_parallel(threads, work) for status in each]


def left_out(server, mark, tag):
    found = [LEFT_OUT.search(line) for line in server.lines(mark, "WA0150")]
    return sum(int(match[1]) for match in found if match[2] == tag)


@pytest.mark.every_mpm
def test_a_flood_is_cut_and_every_line_is_accounted_for(new_server):
    """Nothing else comes after it: that lines were left out is said all the same."""
    with new_server() as server:
        mark, count = server.mark(), 800
        server.claim("WA0231", "WA0150")
        assert set(flood(server, count)) == {403}
        wait_until(
            lambda: len(server.lines(mark, "WA0231:")) + left_out(server, mark, "WA0231") == count,
            "all refused webhooks to be written or counted",
        )
        written = server.lines(mark, "WA0231:")
        assert BURST <= len(written) < count / 2
        for line in written:
            assert CLIENT.search(line), line
        # told once a second, not once for each line
        assert len(server.lines(mark, "WA0150")) <= len(written)


def test_what_is_left_out_of_one_tag_leaves_the_others_alone(new_server, fresh):
    with new_server() as server:
        api = server.client()
        server.claim("WA0231", "WA0150", "WA0236")
        flood(server, 200)
        mark = server.mark()
        assert flood(server, 8, body=b"a" * 70000) == [413] * 8
        assert len(server.lines(mark, "WA0236")) == 8
        number, text = fresh.number(), fresh.text()
        for _ in range(100):
            api.receive(number, text, fresh.sid())
        assert len(server.lines(mark, "WA0511")) == 100


def test_a_signed_webhook_that_somebody_saw_cannot_fill_the_log_either(new_server, fresh):
    with new_server() as server:
        api = server.client()
        number, sid = fresh.number(), fresh.sid()
        api.receive(number, fresh.text(), sid)
        receipt = encode_form(list(api.account.status(number, fresh.sid(), "read").items()))
        inbound = encode_form(list(api.account.inbound(number, "again", sid).items()))
        for body, tag in ((receipt, "WA0522"), (inbound, "WA0512")):
            mark = server.mark()
            signature = sign(
                api.account.token, api.account.public_url + api.base + "/webhook", body
            )
            assert set(flood(server, 400, body=body, signature=signature.encode())) == {200}
            assert len(server.lines(mark, rf"WA0511|WA0521|{tag}:")) < 200
            wait_until(lambda: left_out(server, mark, tag), "the rest to be counted")


def test_a_long_referer_makes_no_long_line(server):
    server.claim("WA0231")
    mark = server.mark()
    flood(server, 1, 1, extra=b"Referer: " + b"r" * 7000 + b"\r\n")
    (line,) = server.lines(mark, "WA0231:")
    assert len(line) < 800 and "referer: rrr" in line


def test_every_line_that_a_request_makes_says_who_called(server, api, fresh, twilio):
    """Also those of the layers that know nothing of httpd: sends, Twilio's client, the store's."""
    server.claim("WA0231", "WA0301", "WA0237")
    mark = server.mark()
    number = fresh.number()
    twilio.fail(number, "refuse", code=21610)
    api.send(number, fresh.text(), expect=502)
    sent = api.send(fresh.number(), fresh.text())["message"]
    api.webhook(api.account.status(sent["counterpart"], sent["sid"], "delivered"))
    sid = fresh.sid()
    for _ in range(2):
        api.receive(fresh.number(), fresh.text(), sid)
    fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid())
    api.webhook(fields, signature="x" * 28, expect=403)
    del fields["From"]
    api.webhook({**fields, "Fr": "omwhatsapp:+15551239999"}, expect=400)
    lines = server.lines(mark, r"\[whatsapp:")
    seen = set()
    for line in lines:
        found = CLIENT.search(line)
        assert found and found[1] == "127.0.0.1" and 0 < int(found[2]) < 65536, line
        seen.add(found[3])
    assert seen >= {"WA0301", "WA0501", "WA0511", "WA0521", "WA0512", "WA0231", "WA0237"}


def test_behind_a_proxy_the_line_names_the_client_that_the_proxy_names(make_server, simulator):
    from support.httpd import Account, messenger

    def configure(httpd):
        return "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n" + messenger(
            httpd.account, httpd.directory / "store", simulator.url
        )

    with make_server(configure, modules=["remoteip"], account=Account()) as server:
        server.secrets.add("nothing is planted in this server")
        server.claim("WA0231")
        flood(server, 1, 1, extra=b"X-Forwarded-For: 203.0.113.77\r\n")
        (line,) = server.lines(0, "WA0231:")
        assert "[client 203.0.113.77:" in line


def failregex():
    """The filter that is shipped, as Python sees it: fail2ban's own words for address and
    prefix replaced."""
    text = (ROOT / "conf" / "examples" / "fail2ban-whatsapp.filter").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"^failregex = (.+)$", text, re.MULTILINE)
    return re.compile(pattern.replace("<HOST>", r"(?P<host>[0-9a-fA-F.:]+?)"))


def matched(line):
    """fail2ban takes the time out of a line before it looks."""
    return failregex().search(re.sub(r"^\[[^]]*\]", "[]", line))


def test_the_filter_for_fail2ban_finds_real_lines_and_no_forged_ones(server, api, fresh):
    server.claim("WA0231", "WA0236")
    mark = server.mark()
    forged = (
        b"[Sun Jan 01 00:00:00 2030] [whatsapp:warn] [pid 1:tid 1] [client 8.8.8.8:1] WA0231:"
        b" webhook"
    )
    flood(server, 1, 1)
    flood(server, 1, 1, body=b"a" * 70000)
    flood(server, 1, 1, extra=b"Referer: " + forged + b"\r\n")
    api.receive(fresh.number(), fresh.text(), fresh.sid(), MessageType=forged.decode())
    lines = server.lines(mark)
    found = [matched(line) for line in lines]
    assert [match["host"] for match in found if match] == ["127.0.0.1"] * 3
    assert all(match or "WA023" not in line for match, line in zip(found, lines))
