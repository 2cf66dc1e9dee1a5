# SPDX-License-Identifier: Apache-2.0
"""A site in the same virtual host keeps its front controller, its rewriting, proxies and
redirects; the API keeps its requests."""

import http.server
import re
import threading

import pytest

from support.httpd import ROOT, Account, messenger

API = "/api/whatsapp-messenger"
# What the shipped Location says about rewriting.
BELT = (
    '<Location "/api/whatsapp-messenger">\n%s</Location>\n'
    % re.search(
        r"<IfModule rewrite_module>.*?</IfModule>\n",
        (ROOT / "conf" / "whatsapp.conf").read_text(encoding="utf-8"),
        re.DOTALL,
    )[0]
)

# The site's index.php answers everything with 200, as a front controller does.
FRONT_CONTROLLER = """function handle(r)
    r.content_type = "text/plain"
    r:puts("200 ok from the site: " .. r.method .. " " .. r.unparsed_uri)
    return apache2.OK
end
"""
WORDPRESS = """RewriteEngine On
RewriteBase /
RewriteRule ^index\\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.php [L]
"""
MODULES = [
    "rewrite",
    "alias",
    "dir",
    "mime",
    "lua",
    "proxy",
    "proxy_http",
    "negotiation",
    "speling",
    "userdir",
    "actions",
    "access_compat",
]

# what the site's virtual host says, what its .htaccess says
SITES = {
    "wordpress": ("", WORDPRESS),
    "catch-all": ("", "RewriteEngine On\nRewriteRule ^ index.php [END]\n"),
    "htaccess-to-https": (
        "",
        (
            "RewriteEngine On\nRewriteRule ^(?!index) https://elsewhere.example.org/ [R=301,L]\n"
            "RewriteRule ^(?!index) - [F]\n"
        ),
    ),
    "htaccess-changes-query": (
        "",
        "RewriteEngine On\nRewriteRule ^ index.php?page=%{REQUEST_URI} [L]\n",
    ),
    "htaccess-redirect": (
        "",
        "Redirect 302 /api https://elsewhere.example.org/\nFallbackResource /index.php\n",
    ),
    "fallback": ("", "FallbackResource /index.php\n"),
    "fallback-in-location": ('<Location "/">\nFallbackResource /index.php\n</Location>\n', ""),
    "handler": ("", "SetHandler lua-script\n"),
    "action": ("", "Action whatsapp-messenger /index.php virtual\nFallbackResource /index.php\n"),
    "speling": ("", "CheckSpelling on\nOptions +MultiViews\nFallbackResource /index.php\n"),
    "error-documents": (
        "",
        "".join(
            f"ErrorDocument {status} /index.php\n" for status in (400, 403, 404, 405, 415, 500, 503)
        )
        + "FallbackResource /index.php\n",
    ),
    "vhost-rule": ("RewriteEngine On\nRewriteRule ^ /index.php\n", ""),
    "vhost-rule-passed-through": ("RewriteEngine On\nRewriteRule !^/index /index.php [PT,L]\n", ""),
    "vhost-rule-to-https": (
        (
            "RewriteEngine On\nRewriteRule ^/api https://elsewhere.example.org/"
            " [R=301,L]\nFallbackResource /index.php\n"
        ),
        "",
    ),
    "vhost-rule-proxies": ("RewriteEngine On\nRewriteRule ^ {backend}%{REQUEST_URI} [P]\n", ""),
    "location-rule": (
        '<Location "/">\nRewriteEngine On\nRewriteRule !index /index.php?page=1 [L]\n</Location>\n',
        "",
    ),
    "proxy": ("ProxyPass / {backend}/\n", ""),
    "proxy-encoded": ("ProxyPass / {backend}/ mapping=encoded\n", ""),
    "proxy-match": ("ProxyPassMatch ^/(.*)$ {backend}/$1\n", ""),
    "proxy-in-location": ('<Location "/">\nProxyPass {backend}/\n</Location>\n', ""),
    "files": ('<FilesMatch ".">\nSetHandler lua-script\n</FilesMatch>\n', WORDPRESS),
}
# Where the API below the webhook is only reached with the `RewriteEngine off` that the shipped
# Location has.
NEED_THE_BELT = {"vhost-rule-passed-through", "vhost-rule-to-https", "vhost-rule-proxies"}


class _Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"200 ok from the site: {self.command} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def backend():
    """The application behind a site that is a proxy."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Backend) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def site(make_server, simulator, backend):
    """Makes an httpd whose virtual host is a site; the account is the main server's, as in the
    shipped files."""

    def make(vhost, htaccess, extra="", more_modules=()):
        def configure(httpd):
            root = httpd.directory / "htdocs"
            (root / "index.php").write_text(FRONT_CONTROLLER, encoding="utf-8")
            (root / ".htaccess").write_text(htaccess, encoding="utf-8")
            # a file and a directory that mod_negotiation and mod_dir would find
            (root / "api.php").write_text(FRONT_CONTROLLER, encoding="utf-8")
            (root / "api" / "whatsapp-messenger" / "threads").mkdir(parents=True, exist_ok=True)
            return (
                messenger(httpd.account, httpd.directory / "store", simulator.url, extra=extra)
                + "TypesConfig /dev/null\nDirectoryIndex index.php\n"
                + f'<Directory "{root}">\nAllowOverride All\nOptions +FollowSymLinks\nRequire all'
                " granted\n</Directory>\n"
                + '<FilesMatch "\\.php$">\nSetHandler lua-script\n</FilesMatch>\n'
                + "<VirtualHost *>\nServerName 127.0.0.1\n"
                + vhost.replace("{backend}", backend)
                + "</VirtualHost>\n"
            )

        return make_server(configure, modules=[*MODULES, *more_modules], account=Account())

    return make


def works(api, fresh, is_all):
    """A signed webhook is stored, one that is not is refused, and with `is_all` the rest of the
    API answers."""
    number, text = fresh.number(), fresh.text()
    api.receive(number, text, fresh.sid())
    api.webhook(api.account.inbound(number, text, fresh.sid()), signature="AAAA", expect=403)
    if is_all:
        (message,) = api.messages(number, limit=1)["messages"]
        assert message["body"] == text
        assert [thread["counterpart"] for thread in api.get("/threads").json()["threads"]] == [
            number
        ]
        contact = api.add_contact(number, "Ana")
        assert api.delete(f"/contacts/{contact['id']}").status == 200
        assert api.get("/nothing").status == 404
        assert api.post("/webhook/", {}).status == 404


@pytest.mark.parametrize("belt", ["", BELT], ids=["bare", "shipped"])
@pytest.mark.parametrize("name", SITES)
def test_api_and_site_each_answer_their_own(site, fresh, name, belt):
    vhost, htaccess = SITES[name]
    with site(vhost, htaccess, extra=belt) as httpd:
        httpd.claim("WA0231", "AH*", required=False)
        works(httpd.client(), fresh, belt or name not in NEED_THE_BELT)
        for method in ("GET", "POST"):
            answer = httpd.client().fetch(
                method, "/index.php/some/page", b"" if method == "POST" else None
            )
            assert answer.status == 200 and answer.body.startswith(
                f"200 ok from the site: {method}".encode()
            ), answer
        if name != "handler":
            answer = httpd.client().fetch("GET", "/some/page")
            assert answer.status in (200, 301, 403) and API.encode() not in answer.body, answer


def test_redirect_to_https_leaves_the_webhook_alone_and_moves_people(site, fresh):
    with site("Redirect permanent / https://chat.example.org/\n", "", extra=BELT) as httpd:
        httpd.claim("WA0231", required=False)
        works(httpd.client(), fresh, is_all=False)
        for path in ("/some/page", f"{API}/threads", f"{API}/webhooks"):
            answer = httpd.client().fetch("GET", path)
            assert (
                answer.status == 301
                and answer.headers["Location"] == f"https://chat.example.org{path}"
            ), answer


def test_where_the_handler_is_not_set_everything_is_the_site_s(site, fresh):
    """By its path alone a request is not the API's."""
    with site('<Location "/api">\nSetHandler none\n</Location>\n', WORDPRESS) as httpd:
        for path in ("/webhook", "/send"):
            answer = httpd.client().fetch("POST", API + path, b"")
            assert answer.status == 200 and answer.body.startswith(b"200 ok from the site"), answer


@pytest.mark.parametrize(
    "vhost, htaccess",
    [
        ("", "Require all denied\n"),
        ("", "Require ip 192.0.2.1\nRewriteEngine On\nRewriteRule . /index.php [L]\n"),
        ("", "Order deny,allow\nDeny from all\n"),
        ("", '<Files "*">\nRequire all denied\n</Files>\n'),
        ('<Location "/">\nRequire all denied\n</Location>\n', ""),
        (
            (
                'Alias "/api" "{directory}/elsewhere"\n<Directory "{directory}/elsewhere">\n'
                "Require all denied\n</Directory>\n"
            ),
            "",
        ),
        ('<If "%{REQUEST_URI} =~ m#messenger#">\nRequire all denied\n</If>\n', WORDPRESS),
    ],
)
def test_whatever_denies_the_api_still_does(site, vhost, htaccess):
    made = site("", htaccess)
    configure = made.configure
    (made.directory / "elsewhere").mkdir()
    made.configure = lambda httpd: configure(httpd).replace(
        "</VirtualHost>", vhost.replace("{directory}", str(httpd.directory)) + "</VirtualHost>"
    )
    with made as httpd:
        httpd.claim("AH*")
        for path in ("/threads", "/messages-since", "/contacts"):
            assert httpd.client().fetch("GET", API + path).status == 403
        assert httpd.client().fetch("POST", f"{API}/send", b"{}").status == 403


def test_a_site_behind_a_login_leaves_the_webhook_open(site, fresh):
    webhook = f'<Location "{API}/webhook">\nRequire all granted\n</Location>\n'
    login = 'AuthType Basic\nAuthName "the site"\nAuthUserFile /dev/null\nRequire valid-user\n'
    with site(
        "",
        login + WORDPRESS,
        extra=webhook,
        more_modules=["auth_basic", "authn_core", "authn_file", "authz_user"],
    ) as httpd:
        httpd.claim("WA0231", required=False)
        works(httpd.client(), fresh, is_all=False)
        assert httpd.client().fetch("GET", f"{API}/threads").status == 401
        assert httpd.client().fetch("GET", "/some/page").status == 401


def test_a_cache_before_the_site_keeps_nothing_of_the_api(site, fresh):
    cache = (
        "CacheEnable disk /\nCacheRoot {directory}/cache\nCacheIgnoreNoLastMod On\n"
        "CacheDefaultExpire 3600\n"
    )
    made = site("", WORDPRESS, more_modules=["cache", "cache_disk"])
    configure = made.configure
    made.configure = lambda httpd: configure(httpd) + cache.replace(
        "{directory}", str(httpd.directory)
    )
    (made.directory / "cache").mkdir()
    (made.directory / "cache").chmod(0o777)
    with made as httpd:
        httpd.claim("WA0231", required=False)
        api = httpd.client()
        assert api.get("/threads").json()["threads"] == []
        works(api, fresh, is_all=True)
        # the cache is at work
        assert api.fetch("GET", "/some/page").status == 200
        assert any(path.is_file() for path in (httpd.directory / "cache").rglob("*"))
