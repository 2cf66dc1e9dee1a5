# SPDX-License-Identifier: Apache-2.0
"""Pages of other sites change nothing: what browsers say of a request in Sec-Fetch-Site and
Origin, in every form."""

import itertools
import re
from urllib.parse import quote

import pytest

from support.client import RawConnection
from support.httpd import ROOT

BASE = "/api/whatsapp-messenger"
PUBLIC = "https://chat.example.org"  # the shared server's WhatsAppPublicURL
UNKNOWN_ID = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"


def routes():
    """The method and pattern of every route that the module has, from its source: a new one is
    tested without being named here."""
    source = (ROOT / "mod_whatsapp" / "api" / "router.c").read_text(encoding="utf-8")
    found = re.findall(r'\{M_(\w+), "[^"]*", "([^"]+)", wa_endpoint_(\w+),?', source)
    assert len(found) >= 13 and ("POST", "/webhook", "webhook") in found
    return [(method, pattern) for method, pattern, _ in found]


CHANGES = [route for route in routes() if route[0] != "GET" and route[1] != "/webhook"]
READS = [pattern for method, pattern in routes() if method == "GET"]


def ask(api, method, path, lines=(), body=b"", kind="application/json", host=None):
    """One request with exactly these header lines beside Host and the body's."""
    text = f"{method} {BASE}{path} HTTP/1.1\r\nHost: {host or api.host}\r\nConnection: close\r\n"
    text += "".join(f"{line}\r\n" for line in lines)
    if body:
        text += f"Content-Type: {kind}\r\n"
    if method not in ("GET", "HEAD"):
        text += f"Content-Length: {len(body)}\r\n"
    with RawConnection(api.port) as raw:
        raw.send(text.encode() + b"\r\n" + body)
        return raw.response(method)


def refused(response):
    assert response.status == 403, response
    assert response.json()["code"] == "UNAUTHORIZED", response
    assert response.headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
    return True


def own(api):
    return f"http://{api.host}"


FOREIGN = [
    ["Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: same-site"],
    ["Sec-Fetch-Site: cross-site", "Origin: {own}"],
    ["Sec-Fetch-Site: cross-site", "Origin: https://chat.example.org"],
    ["sec-fetch-site:cross-site"],
    ["SEC-FETCH-SITE: CROSS-SITE"],
    ["Sec-Fetch-Site: Same-Origin"],
    ["Sec-Fetch-Site: same-origin;x"],
    ['Sec-Fetch-Site: "same-origin"'],
    ["Sec-Fetch-Site: same-originx"],
    ["Sec-Fetch-Site: same"],
    ["Sec-Fetch-Site:"],
    ["Sec-Fetch-Site: same-origin, same-origin"],
    ["Sec-Fetch-Site: none, cross-site"],
    ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: none", "Sec-Fetch-Site: none"],
    ["Sec-Fetch-Site: " + "same-origin" * 600],
    ["Sec-Fetch-Site: same-origin", "Origin: null"],
    ["Sec-Fetch-Site: same-origin", "Origin:"],
    ["Sec-Fetch-Site: same-origin", "Origin: {own}, https://evil.example"],
    ["Sec-Fetch-Site: none", "Origin: https://evil.example"],
    ["Sec-Fetch-Site: same-site", "Origin: https://other.example.org"],
    ["Origin: null"],
    ["Origin: NULL"],
    ["Origin:"],
    ["Origin: https://evil.example"],
    ["origin: https://evil.example"],
    ["ORIGIN: HTTPS://EVIL.EXAMPLE"],
    ["Origin: {own}", "Origin: https://evil.example"],
    ["Origin: https://evil.example", "Origin: {own}"],
    ["Origin: {own}", "Origin: {own}"],
    ["Origin: {own}, {own}"],
    ["Origin: {own} https://evil.example"],
    ["Origin: {own}/"],
    ["Origin: {own}/path"],
    ["Origin: {own}?"],
    ["Origin: {own}#"],
    ["Origin: {own}."],
    ["Origin: {own}:80"],
    ["Origin: {own}0"],
    ["Origin: {own}.evil.example"],
    ["Origin: http://evil@{host}"],
    ["Origin: http://{host}@evil.example"],
    ["Origin: {host}"],
    ["Origin: //{host}"],
    ["Origin: ftp://{host}"],
    ["Origin: file://"],
    ["Origin: chrome-extension://{host}"],
    ["Origin: http:///{host}"],
    ["Origin: http://"],
    ["Origin: http://localhost:{port}"],
    ["Origin: http://127.0.0.1"],
    ["Origin: http://127.0.0.1:"],
    ["Origin: http://127.0.0.1:0"],
    ["Origin: http://127.0.0.1:99999"],
    ["Origin: http://127.0.0.1:{port}{port}"],
    ["Origin: http://127.0.0.1:+{port}"],
    ["Origin: http://127.0.0.1:0{port}"],
    ["Origin: http://0x7f000001:{port}"],
    ["Origin: http://[::1]:{port}"],
    ["Origin: http://chat.example.org"],
    ["Origin: https://chat.example.org:444"],
    ["Origin: https://chat.example.org:80"],
    ["Origin: https://chat.example.org.evil.example"],
    ["Origin: https://evilchat.example.org"],
    ["Origin: https://chat.example.orgx"],
    ["Origin: https://chat.example.or"],
    ["Origin: https://" + "a" * 7000],
    ["Origin: https://evil.example", "X-Forwarded-Host: evil.example"],
    ["Origin: https://evil.example", "Forwarded: host=evil.example"],
    ["Origin: https://evil.example", "X-HTTP-Method-Override: GET"],
    ["Origin: https://evil.example", "X-Requested-With: XMLHttpRequest"],
]
OURS = [
    [],
    ["User-Agent: curl/8"],
    ["Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: same-origin", "Origin: {own}"],
    ["Sec-Fetch-Site: same-origin", "Origin: https://behind-a-proxy.example"],
    ["Sec-Fetch-Site: none"],
    ["Sec-Fetch-Site: none", "Origin: {own}"],
    ["Sec-Fetch-Site: same-site", "Origin: {own}"],
    ["Origin: {own}"],
    ["origin:   {own}  "],
    ["Origin: HTTP://{host}"],
    ["Origin: https://{host}"],  # a proxy ends TLS on another machine and leaves Host as it is
    ["Origin: https://chat.example.org"],
    ["Origin: https://CHAT.example.org:443"],
    ["Referer: https://evil.example/", "Sec-Fetch-Mode: cors"],
]


def filled(lines, api):
    return [
        line.format(own=own(api), host=api.host, port=api.port) if "{" in line else line
        for line in lines
    ]


def path_of(pattern, known="%2B15550001111"):
    return pattern.replace("*", known if pattern.startswith("/threads") else UNKNOWN_ID)


@pytest.mark.parametrize("lines", FOREIGN, ids=lambda lines: " + ".join(lines)[:60])
def test_a_change_that_a_browser_says_another_site_asks_for_is_refused(api, lines):
    assert refused(ask(api, "POST", "/threads/%2B15550001111/block", filled(lines, api)))


@pytest.mark.parametrize("lines", OURS, ids=lambda lines: " + ".join(lines)[:60])
def test_what_is_not_from_elsewhere_is_answered_as_ever(api, lines):
    response = ask(api, "POST", "/threads/%2B15550001111/block", filled(lines, api))
    assert response.status == 404 and response.json()["code"] == "NOT_FOUND", response


@pytest.mark.every_mpm
@pytest.mark.parametrize("route", CHANGES, ids=lambda route: " ".join(route))
@pytest.mark.parametrize(
    "lines",
    [["Sec-Fetch-Site: cross-site"], ["Origin: https://evil.example"], ["Origin: null"]],
    ids=str,
)
def test_every_route_that_changes_something_refuses(api, route, lines):
    method, pattern = route
    path = path_of(pattern)
    assert refused(ask(api, method, path, lines))
    for kind, body in (
        (k, b)
        for k in ("text/plain", "application/json", "multipart/form-data; boundary=x")
        for b in (b"{}", b"x" * 70000)
    ):
        assert refused(ask(api, method, path, lines, body, kind))
    assert ask(api, method, path).status != 403


def test_nothing_changes(api, fresh):
    number, other = fresh.number(), fresh.number()
    api.receive(number, "still unread", fresh.sid())
    contact = api.add_contact(other, "Still Here")
    before = [api.get("/threads").json(), api.get("/contacts").json()]
    evil = ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example", "Sec-Fetch-Mode: no-cors"]
    person = quote(number, safe="")
    text = (
        b'{"phoneNumber":"%s","message":"from elsewhere","displayName":"Mallory"}' % number.encode()
    )
    for method, path, body in (
        ("POST", f"/threads/{person}/block", b""),
        ("POST", f"/threads/{person}/read", b""),
        ("POST", f"/threads/{person}/unblock", b""),
        ("POST", "/send", text),
        ("POST", "/contacts", text),
        ("PATCH", f"/contacts/{contact['id']}", text),
        ("DELETE", f"/contacts/{contact['id']}", b""),
    ):
        assert refused(ask(api, method, path, evil, body))
    mine = [api.get("/threads").json(), api.get("/contacts").json()]
    pick = lambda answers: (  # noqa: E731 - other tests write beside this one
        [one for one in answers[0]["threads"] if one["counterpart"] == number],
        [one for one in answers[1]["contacts"] if one["id"] == contact["id"]],
    )
    assert pick(before) == pick(mine) and len(pick(mine)[0]) == len(pick(mine)[1]) == 1
    # The same without a browser's word, as an API client asks.
    blocked = ask(api, "POST", f"/threads/{person}/block").json()
    assert blocked["thread"]["blocked"] is True


def test_http_1_0_without_host_knows_only_the_public_url(api):
    for origin, status in ((own(api), 403), (PUBLIC, 404), (None, 404)):
        line = f"Origin: {origin}\r\n" if origin else ""
        with RawConnection(api.port) as raw:
            raw.send(f"POST {BASE}/threads/%2B15550001111/read HTTP/1.0\r\n{line}\r\n".encode())
            assert raw.response("POST").status == status, origin


@pytest.mark.parametrize(
    "host, origin, status",
    [
        ("localhost", "http://localhost", 404),
        ("localhost", "https://localhost", 404),
        ("localhost", "http://localhost:80", 404),
        ("localhost", "http://localhost:443", 403),
        ("localhost", "http://127.0.0.1", 403),
        ("localhost:80", "http://localhost", 404),
        ("localhost:80", "https://localhost", 403),
        ("localhost:443", "https://localhost", 404),
        ("localhost:8080", "http://localhost:8080", 404),
        ("localhost:8080", "http://localhost:8081", 403),
        ("localhost:8080", "http://localhost", 403),
        ("LOCALHOST:8080", "http://localhost:8080", 404),
        ("[::1]:8080", "http://[::1]:8080", 404),
        ("[::1]:8080", "http://[::2]:8080", 403),
        ("[::1]", "http://[::1]", 404),
        ("192.0.2.1:8080", "https://chat.example.org", 404),
    ],
)
def test_ours_is_what_host_says(api, host, origin, status):
    assert (
        ask(api, "POST", "/threads/%2B15550001111/unblock", [f"Origin: {origin}"], host=host).status
        == status
    )


def test_requests_after_a_refused_one_on_the_same_connection_are_answered(api):
    with RawConnection(api.port) as raw:
        for _ in range(3):
            head = (
                f"POST {BASE}/send HTTP/1.1\r\nHost: {api.host}\r\nSec-Fetch-Site:"
                " cross-site\r\nContent-Type: text/plain\r\nContent-Length: 20000\r\n\r\n"
            )
            raw.send(head.encode() + b"x" * 20000)
            assert refused(raw.response("POST"))
            raw.send(f"GET {BASE}/threads HTTP/1.1\r\nHost: {api.host}\r\n\r\n".encode())
            assert raw.response().status == 200


def test_the_webhook_and_reads_do_not_look(api, fresh):
    answer = api.webhook(
        api.account.inbound(fresh.number(), "signed", fresh.sid()),
        headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status == 200
    for path in ("/threads", "/contacts", "/messages-since?since=0"):
        assert ask(api, "GET", path, ["Sec-Fetch-Site: cross-site"]).status == 200


@pytest.mark.parametrize(
    "method, path",
    list(
        itertools.product(
            ["GET", "HEAD", "POST", "PUT", "DELETE"],
            [path_of(pattern) for pattern in READS] + ["/webhook", "/nope", "/send"],
        )
    ),
)
def test_no_answer_may_be_read_or_shown_by_another_site(server, api, method, path):
    server.claim("WA0231", required=False)
    response = ask(
        api, method, path, ["Origin: https://evil.example"] if method in ("GET", "HEAD") else ()
    )
    assert response.headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"], response
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]
