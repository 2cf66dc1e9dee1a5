# SPDX-License-Identifier: Apache-2.0
"""No door is left open: with the shipped configuration nothing but a login opens the API,
whatever a proxy on this machine makes of a request."""

import pytest

from config_support import (
    ACCOUNT,
    LOGIN_MODULES,
    TOKEN,
    ask,
    httpd_with,
    login,
    make_readable,
    shipped,
    users,
)
from support.client import RawConnection

API = "/api/whatsapp-messenger"
ACCOUNT_FILE = ACCOUNT + "WhatsAppPublicURL https://chat.example.org\n"
FILES = {
    "whatsapp-account.conf": ACCOUNT_FILE,
    "whatsapp.token": TOKEN + "\n",
    "whatsapp.users": users("ana"),
    "whatsapp.groups": "readers: rita\nagents: ana ben\nadmins: carla\n",
}
ID = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
ENDPOINTS = [
    ("GET", "/threads"),
    ("HEAD", "/threads"),
    ("GET", "/contacts"),
    ("GET", "/messages?counterpart=%2B15550001111"),
    ("GET", "/messages-since?since=0"),
    ("GET", f"/messages/{ID}/media/0"),
    ("POST", "/send"),
    ("POST", "/contacts"),
    ("PATCH", f"/contacts/{ID}"),
    ("DELETE", f"/contacts/{ID}"),
    ("POST", "/threads/%2B15550001111/read"),
    ("POST", "/threads/%2B15550001111/block"),
    ("POST", "/threads/%2B15550001111/unblock"),
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/nope"),
    ("PUT", "/send"),
    ("OPTIONS", "/send"),
    ("BREW", "/threads"),
    ("GET", "/webhook/../threads"),
    ("GET", "/webhook/%2e%2e/threads"),
    ("GET", "//threads"),
    ("GET", "/./threads"),
    ("GET", "/%74hreads"),
    ("GET", "/threads/"),
    ("GET", "/threads;webhook"),
    ("GET", "/threads?/webhook"),
]
# What reaches httpd when a proxy on this machine is configured with its bare minimum. nginx as seen
# on the wire, the others as documented.
PROXIES = {
    "nothing": "GET {path} HTTP/1.1|Host: localhost:{port}",
    "nginx": (
        "GET {path} HTTP/1.0|Host: 127.0.0.1:{port}|Connection: close|User-Agent:"
        " curl/7.88.1|Accept: */*"
    ),
    "haproxy": "GET {path} HTTP/1.1|host: chat.example.org|user-agent: curl/7.88.1|accept: */*",
    "haproxy with localhost": "GET {path} HTTP/1.1|host: localhost",
    "caddy": (
        "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-For: 198.51.100.7|X-Forwarded-Host:"
        " localhost|X-Forwarded-Proto: https"
    ),
    "cloudflared": (
        "GET {path} HTTP/1.1|Host: chat.example.org|Cf-Connecting-Ip: 198.51.100.7|X-Forwarded-For:"
        " 198.51.100.7|Cf-Ray: 1-FRA"
    ),
    "mod_proxy": (
        "GET {path} HTTP/1.1|Host: localhost:{port}|X-Forwarded-For: 198.51.100.7|X-Forwarded-Host:"
        " chat.example.org|X-Forwarded-Server: x"
    ),
    "via": "GET {path} HTTP/1.1|Host: localhost|Via: 1.1 proxy",
    "x-real-ip": "GET {path} HTTP/1.1|Host: localhost|X-Real-IP: 198.51.100.7",
    "x-real-ip of here": "GET {path} HTTP/1.1|Host: localhost|X-Real-IP: 127.0.0.1",
    "cf-connecting-ip": "GET {path} HTTP/1.1|Host: localhost|CF-Connecting-IP: 198.51.100.7",
    "x-forwarded-host": "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-Host: chat.example.org",
    "empty x-forwarded-for": "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-For:",
    "empty forwarded": "GET {path} HTTP/1.1|Host: localhost|Forwarded:",
    "x-forwarded-for of here": "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-For: 127.0.0.1",
    "x-forwarded-user": (
        "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-User: ana|X-Remote-User:"
        " ana|Remote-User: ana"
    ),
    "x-original-url": (
        "GET {path} HTTP/1.1|Host: localhost|X-Original-URL: "
        + API
        + "/webhook|X-Rewrite-URL: "
        + API
        + "/webhook"
    ),
    "whole address": "GET http://localhost{path} HTTP/1.1|Host: localhost",
    "no host": "GET {path} HTTP/1.0",
    "empty user": "GET {path} HTTP/1.1|Host: localhost|Authorization: Basic Og==",
    "wrong password": "GET {path} HTTP/1.1|Host: localhost|Authorization: " + login("ana", "open"),
    "nobody": "GET {path} HTTP/1.1|Host: localhost|Authorization: " + login("nobody"),
    "not basic": "GET {path} HTTP/1.1|Host: localhost|Authorization: Bearer x",
    "not base64": "GET {path} HTTP/1.1|Host: localhost|Authorization: Basic ana:open sesame",
}
DOORS = ["whatsapp.conf", "examples/roles.conf", "examples/behind-tls-proxy.conf"]


def status_of(httpd, method, path, proxy="nothing", lines=()):
    """The status that this request gets behind that proxy."""
    text = PROXIES[proxy].format(path=API + path, port=httpd.port).replace("GET", method, 1)
    text = "\r\n".join(
        [
            *text.split("|"),
            *lines,
            *(["Content-Length: 0"] if method not in ("GET", "HEAD", "OPTIONS") else []),
        ]
    )
    with RawConnection(httpd.port) as raw:
        raw.send(text.encode() + b"\r\n\r\n")
        return raw.response(method).status


@pytest.fixture(scope="module", params=DOORS)
def guarded(request):
    modules = LOGIN_MODULES + ["authz_groupfile", "remoteip", "alias", "dir"]
    with httpd_with(
        lambda httpd: shipped(request.param, httpd), modules=modules, files=FILES
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH016*", "AH01797", "WA0231", required=False)
        yield httpd.start()


@pytest.mark.parametrize("proxy", PROXIES)
def test_without_a_login_nothing_opens(guarded, proxy):
    for method, path in ENDPOINTS:
        # 403: what no role may do at all.
        assert status_of(guarded, method, path, proxy) in (401, 403), (method, path)
    assert (
        status_of(guarded, "GET", "/threads", proxy)
        == status_of(guarded, "POST", "/send", proxy)
        == 401
    )


@pytest.mark.parametrize(
    "proxy", [name for name, text in PROXIES.items() if "Authorization" not in text]
)
def test_a_login_opens_and_the_webhook_needs_none(guarded, proxy):
    assert status_of(guarded, "GET", "/threads", proxy, ["Authorization: " + login("ana")]) == 200
    # Unsigned: the module itself answers.
    assert status_of(guarded, "POST", "/webhook", proxy) == 403
    assert status_of(guarded, "POST", "/webhook", proxy, ["Authorization: Basic Og=="]) == 403


@pytest.mark.parametrize("missing", LOGIN_MODULES + ["whatsapp.users", "all", "an empty file"])
def test_without_users_or_a_module_it_is_closed_and_quiet(missing):
    if missing == "all":
        modules, files = [], FILES
    else:
        modules, files = [name for name in LOGIN_MODULES if name != missing], {
            k: v for k, v in FILES.items() if k != missing
        }
    # Debian's modules depend on authn_core: without it nothing of a login can be loaded.
    if missing == "authn_core":
        modules = []
    if missing == "an empty file":
        files = {**FILES, "whatsapp.users": ""}
    with httpd_with(
        lambda httpd: shipped("whatsapp.conf", httpd), modules=modules + ["alias"], files=files
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH016*", "WA0231", required=False)
        status, output = httpd.check_config()
        assert status == 0 and output.strip() == "Syntax OK", output
        httpd.start()
        for proxy in ("nothing", "nginx", "caddy"):
            for method, path in ENDPOINTS:
                for lines in ([], ["Authorization: " + login("ana")]):
                    assert status_of(httpd, method, path, proxy, lines) in (401, 403), (
                        method,
                        path,
                        lines,
                    )
        assert ask(httpd, "GET", "/whatsapp-messenger/").status in (401, 403)
        assert status_of(httpd, "POST", "/webhook") == 403


ROLES = {
    "rita": {"GET"},
    "ben": {"GET", "POST", "PATCH"},
    "carla": {"GET", "POST", "PATCH", "DELETE"},
    "eve": set(),
    None: set(),
}


@pytest.fixture(scope="module")
def roles():
    files = {**FILES, "whatsapp.users": users("rita", "ben", "carla", "eve")}
    with httpd_with(
        lambda httpd: shipped("examples/roles.conf", httpd),
        modules=LOGIN_MODULES + ["authz_groupfile"],
        files=files,
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH016*", "AH01797", "WA0231", required=False)
        yield httpd.start()


@pytest.mark.parametrize("name", ROLES)
def test_roles_may_what_they_may_and_no_more(roles, name):
    lines = ["Authorization: " + login(name)] if name else []
    for method, path in ENDPOINTS:
        kind = "GET" if method == "HEAD" else method
        status = status_of(roles, method, path, lines=lines)
        if kind in ROLES[name]:
            assert status not in (401, 403, 500), (method, path, status)
        else:
            assert status == (403 if name else 401) or (
                name is None and status == 403 and kind not in ROLES["carla"]
            ), (method, path, status)
    assert status_of(roles, "POST", "/webhook", lines=lines) == 403


def test_no_login_is_a_port_of_its_own():
    with httpd_with(
        lambda httpd: shipped("examples/no-login.conf", httpd),
        modules=["dir", "headers"],
        files=FILES,
    ) as httpd:
        (httpd.folder / "frontend").mkdir()
        (httpd.folder / "frontend" / "index.html").write_text("page", encoding="utf-8")
        httpd.claim("AH00135", "AH016*", "WA0231", required=False)
        httpd.start()
        # The main port has the webhook and nothing else, by whatever name it is called.
        for proxy in PROXIES:
            for method, path in ENDPOINTS:
                assert status_of(httpd, method, path, proxy) in (404, 405, 501) or (
                    method,
                    path,
                ) == ("OPTIONS", "/send"), (proxy, method, path)
        for host in (f"localhost:{httpd.own_port}", "127.0.0.1"):
            assert status_of(httpd, "GET", "/threads", lines=[]) == 404
            assert own(httpd, "/threads", host) == 200 and own(httpd, "", host, "") == 200
        for host in (
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "chat.example.org",
            "localhost:x",
            "[::1]",
        ):
            assert own(httpd, "/threads", host) in (400, 403), host
        assert status_of(httpd, "POST", "/webhook") == 403


def own(httpd, path, host, base=API):
    """The status of a GET at the port of its own."""
    with RawConnection(httpd.own_port) as raw:
        raw.send(
            (
                f"GET {base}{path or '/'} HTTP/1.1\r\n"
                f"Host: {host}\r\nConnection: close\r\n\r\n"
            ).encode()
        )
        return raw.response().status


@pytest.mark.parametrize("door", DOORS)
def test_a_site_that_takes_an_address_for_a_login_opens_nothing(door):
    """mod_access_compat's Satisfy Any lets in whom an address lets in; Debian has the module
    enabled."""

    def text(httpd):
        return (
            shipped(door, httpd)
            + '<Directory "/">\nOrder allow,deny\nAllow from all\nSatisfy Any\n</Directory>\n'
        )

    with httpd_with(
        text,
        modules=LOGIN_MODULES + ["authz_groupfile", "remoteip", "alias", "dir", "access_compat"],
        files=FILES,
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH*", "WA0231", required=False)
        httpd.start()
        for method, path in ENDPOINTS:
            assert status_of(httpd, method, path) in (400, 401, 403, 404), (method, path)
        assert ask(httpd, "GET", f"{API}/threads", Authorization=login("ana")).status == 200
