# SPDX-License-Identifier: Apache-2.0
"""No door is left open: with the shipped configuration nothing but a login opens the API, whatever
a proxy on this machine makes of a request."""

import http.client
import ssl
import subprocess

import pytest

from config_support import (
    ACCOUNT,
    LOGIN_MODULES,
    OTHER_TOKEN,
    TOKEN,
    ask,
    httpd_with,
    login,
    make_readable,
    shipped,
    users,
)
from support.client import RawConnection
from support.httpd import free_port

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
        "GET {path} HTTP/1.0|Host: 127.0.0.1:{port}|Connection: close|User-Agent: curl/7.88.1|"
        "Accept: */*"
    ),
    "haproxy": "GET {path} HTTP/1.1|host: chat.example.org|user-agent: curl/7.88.1|accept: */*",
    "haproxy with localhost": "GET {path} HTTP/1.1|host: localhost",
    "caddy": (
        "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-For: 198.51.100.7|"
        "X-Forwarded-Host: localhost|X-Forwarded-Proto: https"
    ),
    "cloudflared": (
        "GET {path} HTTP/1.1|Host: chat.example.org|Cf-Connecting-Ip: 198.51.100.7|"
        "X-Forwarded-For: 198.51.100.7|Cf-Ray: 1-FRA"
    ),
    "mod_proxy": (
        "GET {path} HTTP/1.1|Host: localhost:{port}|X-Forwarded-For: 198.51.100.7|"
        "X-Forwarded-Host: chat.example.org|X-Forwarded-Server: x"
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
        "GET {path} HTTP/1.1|Host: localhost|X-Forwarded-User: ana|X-Remote-User: ana|"
        "Remote-User: ana"
    ),
    "x-original-url": "GET {path} HTTP/1.1|Host: localhost|X-Original-URL: "
    + API
    + "/webhook|X-Rewrite-URL: "
    + API
    + "/webhook",
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
        (httpd.directory / "frontend").mkdir()
        (httpd.directory / "frontend" / "index.html").write_text("page", encoding="utf-8")
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
                f"GET {base}{path or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
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


# ---- WhatsAppRequireUser: what a later section cannot do ----

OPEN = "Require all granted\n"
# What a site, or another file in conf-enabled, says after the shipped file.
LATER = {
    "location": f'<Location "/">\n{OPEN}</Location>\n',
    "location of the api": f'<Location "{API}">\n{OPEN}</Location>\n',
    "location below": f'<Location "{API}/threads">\n{OPEN}</Location>\n',
    "wildcard": (
        f'<Location "/api/*/threads">\n{OPEN}</Location>\n<Location "/api/*">\n{OPEN}</Location>\n'
    ),
    "match": f'<LocationMatch ".">\n{OPEN}</LocationMatch>\n',
    "tilde": f'<Location ~ "^/api">\n{OPEN}</Location>\n',
    "handler again": f'<Location "{API}">\nSetHandler whatsapp-messenger\n{OPEN}</Location>\n',
    "handler again in a match": (
        f'<LocationMatch "^/+api">\nSetHandler whatsapp-messenger\n{OPEN}</LocationMatch>\n'
    ),
    "if": f'<If "true">\n{OPEN}</If>\n',
    "if in a location": (
        f'<Location "/api">\n<If "%{{REQUEST_METHOD}} != \'BREW\'">\n{OPEN}</If>\n</Location>\n'
    ),
    "if in a directory": f'<Directory "/">\n<If "true">\n{OPEN}</If>\n</Directory>\n',
    "if else": f'<If "false">\nRequire all denied\n</If>\n<Else>\n{OPEN}</Else>\n',
    "directory": (
        f'<Directory "/">\n{OPEN}</Directory>\n<Location "/">\nAuthMerging Or\n{OPEN}</Location>\n'
    ),
    "directory and files": (
        f'<Directory "/">\nAuthMerging Off\n{OPEN}SetHandler whatsapp-messenger\n</Directory>\n'
        f'<FilesMatch ".">\n{OPEN}</FilesMatch>\n<Location "/">\n{OPEN}</Location>\n'
    ),
    "merging or": f'<Location "/">\nAuthMerging Or\n{OPEN}</Location>\n',
    "any": (
        '<Location "/">\n<RequireAny>\nRequire valid-user\nRequire all granted\n</RequireAny>\n'
        "</Location>\n"
    ),
    "method": (
        '<Location "/">\nRequire method GET POST PATCH DELETE PUT OPTIONS HEAD\n</Location>\n'
    ),
    "expression": '<Location "/">\nRequire expr true\n</Location>\n',
    "address": '<Location "/">\nRequire ip 127.0.0.1 ::1\n</Location>\n',
    "satisfy any": (
        f'<Location "/">\nSatisfy Any\nOrder allow,deny\nAllow from all\n{OPEN}</Location>\n'
    ),
    "satisfy any with the login": (
        '<Location "/">\nSatisfy Any\nOrder allow,deny\nAllow from all\n</Location>\n'
    ),
    "no type": f'<Location "/">\nAuthType None\n{OPEN}</Location>\n',
    "limit": (
        '<Location "/">\n<Limit GET POST>\nRequire all denied\n</Limit>\n<LimitExcept BREW>\n'
        f"{OPEN}</LimitExcept>\n</Location>\n"
    ),
    "fake user": f'<Location "/">\nAuthBasicFake ana "open sesame"\n{OPEN}</Location>\n',
    "not authoritative": f'<Location "/">\nAuthBasicAuthoritative Off\n{OPEN}</Location>\n',
    "rewriting": f'<Location "/">\n{OPEN}</Location>\nRewriteEngine On\n'
    f"RewriteRule ^/door(.*) {API}$1 [PT]\nRewriteRule ^/passed(.*) {API}$1\n"
    "RewriteRule ^/handed - [H=whatsapp-messenger]\n",
    "redirects inside": (
        f'<Location "/">\n{OPEN}</Location>\n<Location "/door">\nRewriteEngine On\n'
        f"RewriteRule .*?/door(.*) {API}$1 [L]\n</Location>\n"
    ),
    "alias": (
        f'<Location "/">\n{OPEN}</Location>\nAlias "{API}" "{{root}}"\n'
        f'Alias "/door" "{{root}}{API}"\n'
    ),
    "error documents": f'<Location "/">\n{OPEN}</Location>\n'
    + "".join(f"ErrorDocument {status} {API}/threads\n" for status in (401, 403, 404)),
    "error documents of the login": "".join(
        f"ErrorDocument {status} {API}/threads\n" for status in (401, 403, 404)
    ),
    "error documents in the location": (
        f'<Location "{API}">\nErrorDocument 401 {API}/contacts\nErrorDocument 403 {API}/threads\n'
        "</Location>\n"
    ),
    "fallback": (
        f'<Location "/">\n{OPEN}</Location>\n<Directory "{{root}}">\n'
        f"FallbackResource {API}/threads\nDirectoryIndex {API}/threads\n</Directory>\n"
    ),
    "slashes as they come": (
        f'MergeSlashes Off\nAllowEncodedSlashes On\n<Location "/">\n{OPEN}</Location>\n'
    ),
}
# Other ways to the API, for what is not below its path.
WAYS = [
    "/door/threads",
    "/passed/threads",
    "/handed",
    "/door",
    "/",
    "/nothing/at/all",
    "//api/whatsapp-messenger/threads",
    "/api//whatsapp-messenger/threads",
    "/API/whatsapp-messenger/threads",
    "/%61pi/whatsapp-messenger/%74hreads",
    "/api%2Fwhatsapp-messenger%2Fthreads",
    "/x/../api/whatsapp-messenger/threads",
    "/api/whatsapp-messenger%2Fthreads",
    "/api/./whatsapp-messenger/threads",
    "/api/whatsapp-messenger/%2e/threads",
    "/api/whatsapp-messenger/threads%3F",
]
LATER_MODULES = LOGIN_MODULES + [
    "authz_groupfile",
    "authz_host",
    "authn_anon",
    "remoteip",
    "alias",
    "dir",
    "rewrite",
    "access_compat",
]
ACCOUNTS = ["whatsapp.conf", "examples/roles.conf", "examples/behind-tls-proxy.conf"]


def later_httpd(door, later, is_vhost, files=FILES):
    def text(httpd):
        root = str(httpd.directory / "htdocs")
        own = LATER[later].replace("{root}", root)
        site = f'DocumentRoot "{root}"\n<Directory "{root}">\nRequire all granted\n</Directory>\n'
        if is_vhost:
            own = (
                f"<VirtualHost *:{httpd.port}>\nServerName localhost\nServerAlias *\n"
                f"{own}</VirtualHost>\n"
            )
        return site + shipped(door, httpd) + own

    return httpd_with(text, modules=LATER_MODULES, files=files)


def is_data(answer):
    return '"success":true' in answer


def whole_answer(httpd, method, target, lines=()):
    """Everything that comes back for this request target."""
    length = ["Content-Length: 0"] if method not in ("GET", "HEAD", "OPTIONS") else []
    with RawConnection(httpd.port) as raw:
        raw.send(
            "\r\n".join(
                [
                    f"{method} {target} HTTP/1.1",
                    "Host: localhost",
                    "Connection: close",
                    *lines,
                    *length,
                ]
            ).encode()
            + b"\r\n\r\n"
        )
        return raw.response(method)


@pytest.mark.parametrize("is_vhost", [False, True], ids=["main", "vhost"])
@pytest.mark.parametrize("later", LATER)
def test_no_later_section_opens_the_api(later, is_vhost):
    with later_httpd("whatsapp.conf", later, is_vhost) as httpd:
        make_readable(httpd)
        httpd.claim("AH*", "WA0231", "WA0273", "WA0173", required=False)
        httpd.start()
        for lines in (
            [],
            ["Authorization: " + login("ana", "wrong")],
            ["Authorization: " + login("")],
            ["Authorization: " + login("nobody")],
        ):
            for method, path in ENDPOINTS[:7] if lines else ENDPOINTS:
                answer = whole_answer(httpd, method, API + path, lines)
                assert answer.status >= 400, (method, path, lines, answer)
                assert not is_data(answer.body.decode()), (method, path, lines, answer)
            for way in WAYS[:4] if lines else WAYS:
                answer = whole_answer(httpd, "GET", way, lines)
                assert not is_data(answer.body.decode()), (way, lines, answer)
        # Twilio is let in by its signature alone.
        refused = whole_answer(httpd, "POST", API + "/webhook")
        assert refused.status == 403 and b"user" not in refused.body


@pytest.mark.parametrize(
    "door", ACCOUNTS + ["examples/one-host.conf", "examples/two-accounts.conf"]
)
def test_every_shipped_door_is_one(door):
    """The sections that ask for a login do not hang on their Require alone."""
    files = {
        **FILES,
        "whatsapp-sales.token": TOKEN + "\n",
        "whatsapp-support.token": OTHER_TOKEN + "\n",
        "whatsapp-sales.users": users("ana"),
        "whatsapp-support.users": users("ana"),
    }

    def text(httpd):
        (httpd.directory / "frontend").mkdir(exist_ok=True)
        conf = shipped(door, httpd)
        later = LATER["location"]
        return (
            conf.replace("</VirtualHost>", later + "</VirtualHost>")
            if "<VirtualHost" in conf
            else conf + later
        )

    with httpd_with(text, modules=LATER_MODULES, files=files) as httpd:
        make_readable(httpd)
        httpd.claim("AH*", "WA0231", "WA0273", "WA0173", required=False)
        httpd.start()
        for host in ("localhost", "chat.example.org", "sales.example.org", "support.example.org"):
            for lines in ([], ["Authorization: " + login("ana", "wrong")]):
                with RawConnection(httpd.port) as raw:
                    raw.send(
                        "\r\n".join(
                            [f"GET {API}/threads HTTP/1.1", f"Host: {host}", *lines]
                        ).encode()
                        + b"\r\n\r\n"
                    )
                    assert raw.response("GET").status in (401, 403), (host, lines)


# ---- WhatsAppRequireUser: what is a login ----

OWN = (
    ACCOUNT_FILE
    + f'<Location "{API}">\nSetHandler whatsapp-messenger\nWhatsAppRequireUser On\n%s</Location>\n'
)
BASIC = "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile whatsapp.users\n"
ANONYMOUS = (
    "AuthType Basic\nAuthName x\nAuthBasicProvider anon\nAnonymous guest\nAnonymous_NoUserID on\n"
    "Anonymous_MustGiveEmail off\n"
)
# Modules may call anybody a user, at any time.
HOOKS = """function early(r) r.user = "ana" return apache2.DECLINED end
function nameless(r) r.user = "" return apache2.OK end
function named(r) r.user = "ana" return apache2.OK end
"""
ANA, GUEST, NAMELESS = login("ana"), login("guest", "x"), login("", "x")


def hook(where, function):
    return f"AuthType lua\n{where} {{directory}}/hooks.lua {function}\n"


@pytest.mark.parametrize(
    "section, user, status",
    [
        (BASIC + "Require valid-user\n", ANA, 200),
        (BASIC + "Require user ana\n", ANA, 200),
        (BASIC + "Require user ben\n", ANA, 401),
        (BASIC + "Require all granted\n", ANA, 403),
        (BASIC + "Require valid-user\nRequire all granted\n", ANA, 403),
        (BASIC + "Require valid-user\nSatisfy Any\nOrder allow,deny\nAllow from all\n", ANA, 403),
        (BASIC + "Require valid-user\nSatisfy Any\nOrder allow,deny\nDeny from all\n", ANA, 200),
        (BASIC + "Require valid-user\nSatisfy Any\nOrder allow,deny\nDeny from all\n", None, 401),
        (BASIC, ANA, 403),
        ("", None, 403),
        ("", ANA, 403),
        (BASIC + "Require valid-user\nWhatsAppRequireUser Off\n", None, 401),
        ("WhatsAppRequireUser Off\n", None, 200),
        ("AuthType None\nRequire valid-user\n", ANA, 500),
        (BASIC + 'AuthBasicFake ana "open sesame"\nRequire valid-user\n', None, 401),
        (BASIC + "AuthBasicAuthoritative Off\nRequire valid-user\n", login("ana", "wrong"), 401),
        (BASIC + "AuthBasicAuthoritative Off\nRequire valid-user\n", login("nobody"), 500),
        (ANONYMOUS + "Require valid-user\n", GUEST, 200),
        (ANONYMOUS + "Require valid-user\n", NAMELESS, 403),
        (hook("LuaHookAccessChecker", "early") + "Require all granted\n", None, 403),
        (hook("LuaHookTranslateName", "early") + "Require all granted\n", None, 403),
        (hook("LuaHookFixups", "early") + "Require all granted\n", None, 403),
        (hook("LuaHookCheckUserID", "nameless") + "Require valid-user\n", None, 403),
        (hook("LuaHookCheckUserID", "named") + "Require valid-user\n", None, 200),
        (hook("LuaHookCheckUserID", "named") + "Require all granted\n", None, 403),
        (
            hook("LuaHookCheckUserID", "early").replace("AuthType lua", "AuthType None")
            + "Require valid-user\n",
            None,
            403,
        ),
        (
            hook("LuaHookAccessChecker", "early").replace("AuthType lua", "AuthType None")
            + "Require valid-user\n",
            None,
            403,
        ),
    ],
)
def test_only_a_login_for_this_request_counts(section, user, status):
    with httpd_with(
        lambda httpd: OWN % section.format(directory=httpd.directory),
        modules=LATER_MODULES + ["lua"],
        files={**FILES, "hooks.lua": HOOKS},
    ) as httpd:
        make_readable(httpd)
        (httpd.directory / "hooks.lua").chmod(0o644)
        httpd.claim("AH*", "WA0273", "WA0231", required=False)
        httpd.start()
        answer = ask(httpd, "GET", f"{API}/threads", **({"Authorization": user} if user else {}))
        assert answer.status == status, answer
        if status == 403:
            assert answer.text == (
                '{"success":false,"error":"This API is for users who logged in.",'
                '"code":"UNAUTHORIZED"}'
            )
            assert any("WA0273: refused" in line for line in httpd.lines(0))


PLAIN = ACCOUNT_FILE + f'<Location "{API}">\nSetHandler whatsapp-messenger\n%s</Location>\n'


@pytest.mark.parametrize(
    "text, status",
    [
        ("WhatsAppRequireUser On\n" + PLAIN % "", 403),
        ("WhatsAppRequireUser On\n" + PLAIN % "WhatsAppRequireUser Off\n", 200),
        ("WhatsAppRequireUser Off\n" + PLAIN % "WhatsAppRequireUser On\n", 403),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + f'<Location "{API}/threads">\nOptions None\n</Location>\n',
            403,
        ),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + '<Location "/">\nWhatsAppRequireUser Off\n</Location>\n',
            200,
        ),
        ('<Location "/">\nWhatsAppRequireUser On\n</Location>\n' + PLAIN % "", 403),
        (PLAIN % '<If "true">\nWhatsAppRequireUser On\n</If>\n', 403),
        (PLAIN % 'WhatsAppRequireUser On\n<If "false">\nWhatsAppRequireUser Off\n</If>\n', 403),
        (PLAIN % "" + '<Directory "/">\nWhatsAppRequireUser On\n</Directory>\n', 403),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + (
                '<Directory "/">\nWhatsAppRequireUser Off\n</Directory>\n<Files "*">\n'
                "WhatsAppRequireUser Off\n</Files>\n"
            ),
            403,
        ),
        (
            "WhatsAppRequireUser On\n<VirtualHost *>\nServerName localhost\n"
            + PLAIN % ""
            + "</VirtualHost>\n",
            403,
        ),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + "<VirtualHost *>\nServerName localhost\nWhatsAppRequireUser Off\n</VirtualHost>\n",
            403,
        ),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + (
                f'<VirtualHost *>\nServerName localhost\n<Location "{API}">\n'
                "SetHandler whatsapp-messenger\nRequire local\n</Location>\n</VirtualHost>\n"
            ),
            403,
        ),
        (
            PLAIN % "WhatsAppRequireUser On\n"
            + (
                f'<VirtualHost *>\nServerName localhost\n<Location "{API}">\n'
                "WhatsAppRequireUser Off\nRequire local\n</Location>\n</VirtualHost>\n"
            ),
            200,
        ),
    ],
)
def test_sections_merge_as_httpd_merges(text, status):
    with httpd_with(text, modules=["authz_host"], files=FILES) as httpd:
        httpd.claim("WA0273", "WA0231", required=False)
        httpd.start()
        assert ask(httpd, "GET", f"{API}/threads").status == status
        # The webhook is asked for its signature alone.
        assert (
            "webhook is not signed"
            in ask(
                httpd,
                "POST",
                f"{API}/webhook",
                "x=y",
                Content_Type="application/x-www-form-urlencoded",
            ).text
        )
        assert ask(httpd, "GET", f"{API}/webhook").status == 405


def test_a_host_without_a_messenger_says_so_to_who_logged_in():
    """What the main server lends to its virtual hosts is no messenger of its own."""
    account, number = ACCOUNT.rsplit("WhatsAppNumber", 1)
    text = (
        f'{account}<Location "{API}">\nSetHandler whatsapp-messenger\nWhatsAppRequireUser On\n'
        f"{BASIC}Require valid-user\n</Location>\n"
        "<VirtualHost *>\nServerName one.test\n</VirtualHost>\n<VirtualHost *>\n"
        f"ServerName two.test\nWhatsAppNumber{number}</VirtualHost>\n"
    )
    with httpd_with(text, modules=LATER_MODULES, files=FILES) as httpd:
        make_readable(httpd)
        httpd.start()
        for host, status in (("one.test", 500), ("two.test", 200)):
            assert ask(httpd, "GET", f"{API}/threads", Host=host).status == 401
            assert (
                ask(httpd, "GET", f"{API}/threads", Host=host, Authorization=ANA).status == status
            )


def test_the_log_says_once_where_to_look_and_not_without_end():
    with httpd_with(OWN % "") as httpd:
        httpd.claim("WA0273", "WA0150")
        httpd.start()
        for _ in range(200):
            assert ask(httpd, "GET", f"{API}/threads").status == 403
        lines = [line for line in httpd.lines(0) if "WA0273" in line and "WA0150" not in line]
        assert 0 < len(lines) < 150
        assert (
            "[client 127.0.0.1:" in lines[0]
            and "Look in the main server and its virtual hosts" in lines[0]
            and "configtest names it" in lines[0]
        )


def test_the_user_of_another_page_is_not_that_of_the_api():
    """mod_dir puts the API in the place of a page that had a login; the API's own was not asked
    for."""

    def text(httpd):
        root = httpd.directory / "htdocs"
        return (
            OWN % "Require all granted\n"
            + f'DocumentRoot "{root}"\n<Directory "{root}">\nRequire all granted\n</Directory>\n'
            f'<Location "/site">\n{BASIC}Require valid-user\nFallbackResource {API}/threads\n'
            "</Location>\n"
        )

    with httpd_with(text, modules=LATER_MODULES, files=FILES) as httpd:
        make_readable(httpd)
        httpd.claim("WA0273")
        httpd.start()
        assert ask(httpd, "GET", "/site/x").status == 401
        answer = ask(httpd, "GET", "/site/x", Authorization=ANA)
        assert answer.status == 403 and "UNAUTHORIZED" in answer.text


def certificates(directory):
    """A CA, a server, and two people: one whom the CA knows and one who signed for themselves."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=directory)

    fresh_key = ("-newkey", "rsa:2048", "-nodes")
    for name, subject, *more in (
        ("ca", "/CN=ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        ("own", "/CN=ana"),
    ):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
        openssl("req", "-x509", *fresh_key, "-days", "2", "-subj", subject, *more, *files)
    for name in ("localhost", "ana"):
        openssl(
            "req",
            *fresh_key,
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
        )
        openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-out",
            f"{name}.crt",
        )


def certified(httpd, name):
    """The status of a GET with this certificate."""
    context = ssl.create_default_context(cafile=httpd.directory / "ca.crt")
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # of Python 3.13; these are the tests' own
    if name:
        context.load_cert_chain(httpd.directory / f"{name}.crt", httpd.directory / f"{name}.key")
    connection = http.client.HTTPSConnection(
        "127.0.0.1", httpd.own_port, timeout=60, context=context
    )
    try:
        connection.request("GET", f"{API}/threads")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "verify, section, known, unknown, nobody",
    [
        ("optional_no_ca", "SSLUserName SSL_CLIENT_S_DN_CN\nRequire valid-user\n", 200, 403, 500),
        ("optional_no_ca", "SSLUserName SSL_CLIENT_S_DN_CN\nRequire all granted\n", 200, 403, 403),
        ("optional_no_ca", "Require all granted\n", 403, 403, 403),
        ("optional", "SSLUserName SSL_CLIENT_S_DN_CN\nRequire valid-user\n", 200, None, 500),
        (
            "optional_no_ca",
            (
                "SSLOptions +FakeBasicAuth\nAuthType Basic\nAuthName x\nAuthBasicProvider file\n"
                "AuthUserFile certificates.users\nRequire valid-user\n"
            ),
            200,
            403,
            401,
        ),
    ],
)
def test_a_client_certificate_is_a_login_when_it_was_verified(
    verify, section, known, unknown, nobody
):
    def text(httpd):
        certificates(httpd.directory)
        httpd.own_port = getattr(httpd, "own_port", None) or free_port()
        return (
            f"Listen 127.0.0.1:{httpd.own_port}\n<VirtualHost *:{httpd.own_port}>\n"
            "ServerName localhost\nSSLEngine On\n"
            f"SSLCertificateFile {httpd.directory}/localhost.crt\n"
            f"SSLCertificateKeyFile {httpd.directory}/localhost.key\n"
            f"SSLCACertificateFile {httpd.directory}/ca.crt\nSSLVerifyClient {verify}\n"
            f"{OWN % section}</VirtualHost>\n"
        )

    # What mod_ssl calls the password.
    known_users = (
        "/CN=ana:"
        + subprocess.run(
            ["openssl", "passwd", "-apr1", "password"], check=True, capture_output=True, text=True
        ).stdout
    )
    with httpd_with(
        text,
        modules=LATER_MODULES + ["ssl", "socache_shmcb"],
        files={**FILES, "certificates.users": known_users},
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH*", "WA0273", required=False)
        httpd.start()
        assert certified(httpd, "ana") == known
        assert unknown is None or certified(httpd, "own") == unknown
        assert certified(httpd, None) == nobody
