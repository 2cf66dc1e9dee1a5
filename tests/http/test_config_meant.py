# SPDX-License-Identifier: Apache-2.0
"""Values that were meant for another place: configtest says what is meant, once, and shows no
secret."""

import pytest

from config_support import (
    ACCOUNT,
    HANDLER,
    NUMBER,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    SID,
    TOKEN,
    accept,
    ask,
    httpd_with,
    refusal,
    warning,
)

BASE = "/api/whatsapp-messenger"
URL = "https://chat.example.org"
BEGIN = f"WhatsAppAccountSID {SID}\nWhatsAppNumber {NUMBER}\n"


def handler(path, directive="Location"):
    return f'<{directive} "{path}">\nSetHandler whatsapp-messenger\n</{directive}>\n'


def vhost(name, text=""):
    return f"<VirtualHost *>\nServerName {name}\n{text}</VirtualHost>\n"


# ---- the public URL ----


@pytest.mark.parametrize(
    "path, meant",
    [
        (f"{BASE}/webhook", URL),
        (BASE, URL),
        (f"{BASE}/", URL),
        (f"{BASE}/webhook/", URL),
        (f"{BASE}//webhook", URL),
        (f"{BASE}/WebHook", URL),
        (f"{BASE}/send", URL),
        (f"/behind{BASE}/webhook", f"{URL}/behind"),
        ("/api/%77hatsapp-messenger/webhook", URL),
        ("/api//whatsapp-messenger", URL),
        (f":8443{BASE}/webhook", f"{URL}:8443"),
    ],
)
def test_refuses_a_public_url_that_holds_the_apis_path(path, meant):
    output = refusal(f"{ACCOUNT}WhatsAppPublicURL {URL}{path}\n{HANDLER}")
    assert (
        "WA0145" in output
        and f"what stands before that, {meant};" in output
        and f"the webhook is then {meant}{BASE}/webhook" in output
    )


@pytest.mark.parametrize(
    "path, base",
    [
        (f"{BASE}/anything", None),
        (f"{BASE}-2{BASE}/v2", None),
        ("/webhook", None),
        ("/a/webhook", None),
        ("/chat", "/chat"),
        ("/eu/chat", "/chat"),
        ("/api/v1", "/api"),
        ("/chat/messages", "/chat"),
        ("/a/webhook", "/"),
    ],
)
def test_warns_of_a_public_url_that_looks_like_the_apis_path(path, base):
    output = warning(
        (
            f"{ACCOUNT}WhatsAppPublicURL {URL}{path}\n"
            f"{f'WhatsAppBasePath {base}' if base else ''}\n{handler(base or BASE)}"
        ),
        "WA0145",
    )
    assert (
        f"Unless Twilio really calls {URL}{path}{'' if base == '/' else base or BASE}/webhook"
        in output
    )


@pytest.mark.parametrize(
    "path, base",
    [
        ("/webhook", "/"),
        ("/chat/webhook", "/chat"),
        ("/eu/chat/webhook", "/chat"),
        ("/v1/chat", "/v1/chat"),
    ],
)
def test_refuses_the_whole_address_at_any_base_path(path, base):
    assert "WA0145" in refusal(
        f"{ACCOUNT}WhatsAppPublicURL {URL}{path}\nWhatsAppBasePath {base}\n{handler(base)}"
    )


def test_the_base_path_of_the_virtual_host_is_the_one_that_counts():
    own = f"WhatsAppBasePath /chat\nWhatsAppPublicURL {URL}/chat/webhook\n" + handler("/chat")
    output = refusal(ACCOUNT + HANDLER + vhost("one.test", own))
    assert (
        output.count("WA0145") == 1
        and "one.test" in output
        and f"the webhook is then {URL}/chat/webhook" in output
    )
    own = f"WhatsAppBasePath /chat\nWhatsAppPublicURL {URL}/api\n" + handler("/chat")
    accept(ACCOUNT + HANDLER + vhost("one.test", own))


def test_a_public_url_is_refused_once_for_all_that_inherit_it():
    output = refusal(
        f"{ACCOUNT}WhatsAppPublicURL {URL}{BASE}/webhook\n{HANDLER}"
        + "".join(vhost(f"v{n}.test") for n in range(5))
    )
    assert output.count("WA0145") == 1 and "the main server" in output


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        f"{URL}/behind/a/path",
        f"{URL}/api",
        f"{URL}{BASE}s",
        f"{URL}/x{BASE[1:]}",
        f"{URL}/mywebhook",
        f"{URL}/messages",
        f"{URL}/threads/contacts",
        f"{URL}/send",
    ],
)
def test_accepts_other_public_urls(url):
    accept(f"{ACCOUNT}WhatsAppPublicURL {url}\n{HANDLER}")


@pytest.mark.parametrize(
    "directive, value, told",
    [
        ("WhatsAppPublicURL", "https://api.twilio.com", "is Twilio's"),
        ("WhatsAppPublicURL", "https://Api.Dublin.Ie1.Twilio.com/x", "is Twilio's"),
        ("WhatsAppTwilioURL", "https://api.twilio.com/2010-04-01", "leave out /2010-04-01"),
        (
            "WhatsAppTwilioURL",
            f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json",
            "leave out /2010-04-01",
        ),
        ("WhatsAppTwilioURL", f"https://chat.example.org{BASE}/webhook", "leave out"),
    ],
)
def test_refuses_urls_of_another_place(directive, value, told):
    output = refusal(f"{ACCOUNT}{directive} {value}\n{HANDLER}")
    assert directive in output and told in output


@pytest.mark.parametrize(
    "url",
    [
        "https://egress.example.org/webhook-relay",
        "https://egress.example.org/Messages-out",
        "https://egress.example.org/AccountsOf/me",
    ],
)
def test_accepts_a_twilio_behind_a_path(url):
    accept(f"{ACCOUNT}WhatsAppTwilioURL {url}\n{HANDLER}")


@pytest.mark.parametrize("directive", ["WhatsAppPublicURL", "WhatsAppTwilioURL"])
def test_a_users_password_in_a_url_is_not_shown(directive):
    output = refusal(f"{ACCOUNT}{directive} https://ana:geheim-7@chat.example.org\n{HANDLER}")
    assert "https://...@chat.example.org" in output and "geheim" not in output and "user" in output


# ---- Location and WhatsAppBasePath ----


@pytest.mark.parametrize(
    "section, base, told",
    [
        (handler("/chat"), None, "set WhatsAppBasePath /chat"),
        (HANDLER, "/chat", f"set WhatsAppBasePath {BASE}"),
        (
            handler("/api/whatsapp-messenger-2"),
            None,
            "set WhatsAppBasePath /api/whatsapp-messenger-2",
        ),
        (handler("/API/whatsapp-messenger"), None, "set WhatsAppBasePath /API/whatsapp-messenger"),
        (handler("^/chat", "LocationMatch"), None, "let the expression match"),
        (
            '<Location ~ "^/chat/">\nSetHandler whatsapp-messenger\n</Location>\n',
            None,
            "let the expression match",
        ),
        (handler("/*/chat"), None, "set WhatsAppBasePath"),
        (handler("/api/*"), None, "set WhatsAppBasePath"),
        (handler("/api/whatsapp-messenger/threads/*/unread"), None, "set WhatsAppBasePath"),
        (handler(f"{BASE}/nonsense"), None, "set WhatsAppBasePath"),
        (handler(f"{BASE}/webhook/"), None, "set WhatsAppBasePath"),
        (handler(f"{BASE}/threads/+15550001111/unread"), None, "set WhatsAppBasePath"),
        (handler("api/whatsapp-messenger"), None, "set WhatsAppBasePath"),
        (handler("^/api$", "LocationMatch"), None, "let the expression match"),
        (handler("^/api/whatsapp\\.messenger/", "LocationMatch"), None, "let the expression match"),
        (handler("^/api/", "LocationMatch"), "/v1/api", "let the expression match"),
        (
            (
                '<Location "/chat">\n<Limit GET POST>\nRequire all granted\n</Limit>\n'
                '<If "true">\nSetHandler whatsapp-messenger\n</If>\n</Location>\n'
            ),
            None,
            "/chat",
        ),
    ],
)
def test_refuses_a_location_where_the_api_is_not(section, base, told):
    output = refusal(f"{ACCOUNT}{f'WhatsAppBasePath {base}' if base else ''}\n{section}")
    assert (
        output.count("WA0143") == 1
        and "httpd.conf:" in output
        and told in output
        and (base or BASE) in output
    )
    assert "WA0144" not in output


def test_refuses_one_location_of_two():
    output = refusal(ACCOUNT + HANDLER + handler("/chat"))
    assert output.count("WA0143") == 1 and "/chat" in output


@pytest.mark.parametrize(
    "text",
    [
        ACCOUNT,
        f"{ACCOUNT}WhatsAppBasePath /chat\n",
        ACCOUNT
        + HANDLER
        + vhost("one.test", OTHER_ACCOUNT + "WhatsAppStore dbm:other\nWhatsAppBasePath /chat\n"),
        ACCOUNT + HANDLER + vhost("one.test", "WhatsAppBasePath /chat\n"),
        vhost("one.test", ACCOUNT),
        vhost("one.test", ACCOUNT)
        + vhost("two.test", OTHER_ACCOUNT + HANDLER + "WhatsAppStore dbm:other\n"),
        vhost(
            "one.test",
            ACCOUNT + '<Location "/api/whatsapp-messenger">\nRequire all granted\n</Location>\n',
        ),
    ],
)
def test_refuses_a_base_path_that_no_location_serves(text):
    output = refusal(text)
    assert (
        output.count("WA0144") == 1
        and "no Location" in output
        and "SetHandler whatsapp-messenger" in output
    )


@pytest.mark.parametrize(
    "text",
    [
        ACCOUNT + handler("/"),
        ACCOUNT + handler("/api"),
        ACCOUNT + handler("/api/"),
        ACCOUNT + handler(f"{BASE}/"),
        ACCOUNT + handler(f"{BASE}/webhook"),
        ACCOUNT + handler(f"{BASE}/threads/x"),
        ACCOUNT + handler("^/api/whatsapp-[a-z]+/", "LocationMatch"),
        ACCOUNT + handler("/*/whatsapp-messenger/webhook"),
        ACCOUNT + f"WhatsAppBasePath /chat/\n{handler('/chat')}",
        ACCOUNT + "SetHandler whatsapp-messenger\n",
        ACCOUNT + '<Directory "/">\nSetHandler whatsapp-messenger\n</Directory>\n',
        ACCOUNT + vhost("one.test", HANDLER),
        HANDLER + vhost("one.test", ACCOUNT),
        ACCOUNT + HANDLER + handler("/chat") + vhost("one.test", "WhatsAppBasePath /chat\n"),
        ACCOUNT
        + HANDLER
        + vhost("one.test", f"WhatsAppBasePath /chat\n{handler('/chat')}")
        + vhost("two.test"),
    ],
)
def test_accepts_a_location_that_serves_the_api(text):
    accept(text)


UUID = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a11"


@pytest.mark.parametrize(
    "section",
    [
        handler(f"^{BASE}/(?:webhook|send|threads)$", "LocationMatch"),
        handler(
            f"^{BASE}/messages/{UUID}/media/0$".replace(UUID, "[0-9a-f-]{36}"), "LocationMatch"
        ),
        handler(f"^{BASE}/messages/[^/]+/media/[0-9]+$", "LocationMatch"),
        handler(f"^{BASE}/threads/[+][0-9]+/(read|block|unblock)$", "LocationMatch"),
        handler(f"^{BASE}/contacts/[0-9a-f-]{{36}}$", "LocationMatch"),
        handler(f"(?i)^{BASE.upper()}/", "LocationMatch"),
        handler(r"^/+api/+whatsapp\-messenger/", "LocationMatch"),
        handler(r"\A/api/whatsapp-messenger(/|$)", "LocationMatch"),
        '<Location ~ "/whatsapp-messenger/">\nSetHandler whatsapp-messenger\n</Location>\n',
        handler(f"{BASE}/threads/*/read"),
        handler(f"{BASE}/threads/+1555*/unblock"),
        handler(f"{BASE}/messages/*/media/?"),
        handler(f"{BASE}/contacts/{UUID}"),
        handler(f"{BASE}/messages/{UUID}/media/0"),
        handler(f"{BASE}/messages/"),
        handler("/api/[vw]hatsapp-messenger/send"),
        '<If "true">\nSetHandler whatsapp-messenger\n</If>\n',
        (
            f"<Location \"{BASE}\">\n<If \"req('Host') == 'chat.example.org'\">\n"
            "SetHandler whatsapp-messenger\n</If>\n</Location>\n"
        ),
        f'<Location "{BASE}">\nSetHandler WhatsApp-Messenger\n</Location>\n',
        f'<Location "{BASE}">\nSetHandler "whatsapp-messenger"\n</Location>\n',
        f"<Location {BASE}>\nsethandler 'whatsapp-messenger'\n</Location>\n",
        f"RewriteEngine On\nRewriteRule ^{BASE}/ - [L,H=whatsapp-messenger]\n",
        f"RewriteEngine On\nRewriteRule ^{BASE}/ - [handler=whatsapp-messenger,NE]\n",
        f"Define where {BASE}\n" + handler("${where}"),
    ],
)
def test_accepts_a_section_that_has_part_of_the_api(section):
    accept(ACCOUNT + section, modules=["rewrite"])


@pytest.mark.parametrize(
    "section",
    [
        handler(f"^{BASE}/contacts/{UUID}$", "LocationMatch"),
        handler(f"^{BASE}/threads/[+]49[0-9]+/read$", "LocationMatch"),
        handler("^/a[^/]*/messenger", "LocationMatch"),
        handler("(?i)^/CHAT/", "LocationMatch"),
        handler("^/chat/|^/messenger/", "LocationMatch"),
        handler("/send/now$", "LocationMatch"),
    ],
)
def test_warns_of_an_expression_that_nothing_of_the_api_was_seen_to_fit(section):
    assert "nothing of it that was tried fits" in warning(ACCOUNT + HANDLER + section, "WA0143")
    warning(ACCOUNT + section, "WA0143")


@pytest.mark.parametrize(
    "elsewhere",
    [
        '<Directory "/">\nAllowOverride FileInfo\n</Directory>\n',
        '<Directory "/">\nAllowOverride All\n</Directory>\n',
        '<Directory "/">\nAllowOverrideList SetHandler\n</Directory>\n',
        'SetHandler "%{env:HANDLER}"\n',
        "RewriteEngine On\nRewriteRule ^/api/ - [H=%{ENV:HANDLER}]\n",
    ],
)
def test_warns_where_something_else_may_set_the_handler(elsewhere):
    assert "no Location there sets the handler" in warning(
        ACCOUNT + elsewhere, "WA0144", modules=["rewrite"]
    )


def test_a_directory_without_overrides_is_no_excuse():
    assert "WA0144" in refusal(ACCOUNT + '<Directory "/">\nAllowOverride none\n</Directory>\n')


def test_a_handlers_name_is_the_same_in_any_letters():
    with httpd_with(
        ACCOUNT + HANDLER.replace("whatsapp-messenger\n", "WhatsApp-Messenger\n")
    ) as httpd:
        httpd.start()
        assert ask(httpd, "GET", f"{BASE}/threads").text == '{"success":true,"threads":[]}'


# What other directives say of the API's path sets no handler.
RULES = (
    f"RewriteEngine On\nRewriteRule ^{BASE}(/|$) - [L]\nRewriteCond %{{REQUEST_URI}} !^{BASE}\n"
    "RewriteRule ^/whatsapp-messenger$ /x [R=301,E=H:whatsapp-messenger]\n"
)


def test_a_rewrite_rule_that_names_the_api_sets_no_handler():
    accept(RULES, modules=["rewrite"])
    assert "WA0144" in refusal(ACCOUNT + RULES, modules=["rewrite"])
    accept(ACCOUNT + HANDLER + RULES, modules=["rewrite"])


# ---- as real configurations are put together ----

PIECE = """<VirtualHost *>
ServerName ${name}
ServerAlias *.${name} www.${name}
WhatsAppAccountSID ${sid}
WhatsAppAuthToken %s
WhatsAppNumber %s
WhatsAppStore dbm:${name}
WhatsAppBasePath ${base}
<Location "${base}">
SetHandler whatsapp-messenger
</Location>
</VirtualHost>
""" % (
    TOKEN,
    NUMBER,
)
TWO = [
    ("one.test", SID, "/chat"),
    ("two.test", "AC00000000000000000000000000000002", "/api/messages"),
]


def each(line):
    return "".join(
        (
            f"Define name {name}\nDefine sid {sid}\nDefine base {base}\n{line}\nUnDefine name\n"
            "UnDefine sid\nUnDefine base\n"
        )
        for name, sid, base in TWO
    )


REAL = {
    "account outside, path and Location in the virtual hosts": ACCOUNT
    + vhost("one.test", "WhatsAppBasePath /one\n" + handler("/one"))
    + vhost("two.test", "WhatsAppBasePath /two\n" + handler("/two/"))
    + vhost("three.test"),
    "account and path outside, Location in one virtual host": ACCOUNT
    + "WhatsAppBasePath /chat\n"
    + vhost("one.test", handler("/chat"))
    + vhost("two.test"),
    "path outside, overridden where it is served": ACCOUNT
    + "WhatsAppBasePath /chat\n"
    + vhost("one.test", "WhatsAppBasePath /one\n" + handler("/one")),
    "account in both hosts, Location in the one with TLS": vhost(
        "one.test", ACCOUNT + "WhatsAppBasePath /chat\n"
    )
    + vhost("one.test", ACCOUNT + "WhatsAppBasePath /chat\n" + handler("/chat")),
    "one file, twice": each("Include piece.conf"),
    "one file, twice, optional": each(
        "IncludeOptional pieces/*.conf\nIncludeOptional piece.con[f]"
    ),
    "a macro": "<Macro Messenger $name $sid $base>\n"
    + PIECE.replace("${", "$").replace("}", "")
    + "</Macro>\n"
    + "".join(f"Use Messenger {name} {sid} {base}\n" for name, sid, base in TWO),
    "a macro in one line of a file, twice": "<Macro Messenger $name $sid $base>\n"
    + PIECE.replace("${", "$").replace("}", "")
    + "</Macro>\n"
    + each("Include use.conf"),
    "a macro of the Location": "<Macro Api $base>\n"
    + handler("$base")
    + "</Macro>\n"
    + ACCOUNT
    + "WhatsAppBasePath /chat\nUse Api /chat\n"
    + vhost("one.test", "WhatsAppBasePath /x\nUse Api /x\n"),
    "conditions": "Define tls\n<IfDefine tls>\n"
    + vhost("one.test", ACCOUNT + HANDLER)
    + "</IfDefine>\n<IfDefine !tls>\n"
    + vhost("two.test", HANDLER)
    + "</IfDefine>\n"
    + "<IfModule no_such_module>\n"
    + handler("/elsewhere")
    + "</IfModule>\n",
    "wildcard hosts": (
        f"{ACCOUNT}<VirtualHost *:81 *:82>\nServerName a.test\n{HANDLER}</VirtualHost>\n"
        "<VirtualHost _default_:*>\nServerAlias *\n</VirtualHost>\n"
    ),
    "one account, numbers in the virtual hosts": (
        f"WhatsAppAccountSID {SID}\nWhatsAppAuthToken {TOKEN}\n"
    )
    + HANDLER
    + vhost("one.test", f"WhatsAppNumber {NUMBER}\nWhatsAppStore dbm:one\n")
    + vhost("two.test", "WhatsAppNumber +14155238887\nWhatsAppStore dbm:two\n")
    + vhost("three.test"),
    "paths of one part": ACCOUNT + "WhatsAppBasePath /c\n" + handler("/c"),
    "the root": ACCOUNT + "WhatsAppBasePath /\n" + handler("/"),
    "the root, an endpoint": ACCOUNT
    + "WhatsAppBasePath /\n"
    + handler("/webhook")
    + handler("/threads"),
}
PIECES = {"piece.conf": PIECE, "use.conf": "Use Messenger ${name} ${sid} ${base}\n"}


@pytest.mark.parametrize("text", REAL.values(), ids=REAL.keys())
def test_accepts_what_real_configurations_look_like(text):
    accept(text, modules=["macro"], files=PIECES)


def test_what_the_main_server_lends_is_no_messenger_of_its_own():
    text = REAL["one account, numbers in the virtual hosts"]
    with httpd_with(text) as httpd:
        httpd.start()
        for _ in range(2):
            for host, status in (("one.test", 200), ("two.test", 200), ("three.test", 500)):
                assert ask(httpd, "GET", f"{BASE}/threads", Host=host).status == status
            httpd.graceful(wait_for_old=True)


def test_a_piece_that_is_wrong_is_refused_though_it_is_read_twice():
    text = each("Include piece.conf")
    wrong = {"piece.conf": PIECE.replace('<Location "${base}">', '<Location "/elsewhere">')}
    assert refusal(text, files=wrong).count("WA0143") == 2
    assert "WA0114" in refusal(
        text,
        files={"piece.conf": f"<VirtualHost *>\nServerName ${{name}}\n{HANDLER}</VirtualHost>\n"},
    )


# ---- a later section that takes the place of a door's Require ----

DOOR = f'<Location "{BASE}">\nSetHandler whatsapp-messenger\nRequire valid-user\n</Location>\n'
ALL = "Require all granted\n"


@pytest.mark.parametrize(
    "later",
    [
        f'<Location "/">\n{ALL}</Location>\n',
        (
            f'<Location "{BASE}">\n<RequireAll>\n{ALL}Require all granted\n</RequireAll>\n'
            "</Location>\n"
        ),
        f'<LocationMatch "threads$">\n{ALL}</LocationMatch>\n',
        f'<Location "/api/*/threads">\n{ALL}</Location>\n',
        f'<Location "{BASE}">\nAuthMerging Or\n{ALL}</Location>\n',
        f'<If "true">\n{ALL}</If>\n',
        vhost("one.test", '<Location "/">\nRequire valid-user\n</Location>\n'),
        vhost("one.test", f'<Location "/api">\n<If "true">\n{ALL}</If>\n</Location>\n'),
    ],
)
def test_warns_of_a_require_that_takes_the_doors_place(later):
    output = warning(ACCOUNT + DOOR + later, "WA0173", modules=["authn_core", "authz_user"])
    assert "takes the place" in output and output.count("httpd.conf:") >= 2


@pytest.mark.parametrize("begin, end", [("", ""), ("<IfModule core_module>\n", "</IfModule>\n")])
def test_warns_of_it_in_the_doors_own_virtual_host(begin, end):
    text = vhost(
        "one.test", begin + ACCOUNT + DOOR + f'<Location "/">\n{ALL}{ALL}</Location>\n' + end
    ) + vhost("two.test", f'<Location "/">\n{ALL}</Location>\n')
    assert "one.test" in warning(text, "WA0173", modules=["authn_core", "authz_user"])


@pytest.mark.parametrize(
    "text",
    [
        ACCOUNT + f'<Location "/">\n{ALL}</Location>\n' + DOOR,
        ACCOUNT + DOOR + f'<Location "{BASE}/webhook">\n{ALL}</Location>\n',
        ACCOUNT + DOOR + f'<Location "/whatsapp-messenger">\n{ALL}</Location>\n',
        ACCOUNT + DOOR + f'<Directory "/">\n{ALL}</Directory>\n<Files ".*">\n{ALL}</Files>\n',
        ACCOUNT + DOOR + f'<Location "/">\nAuthMerging And\n{ALL}</Location>\n',
        ACCOUNT + DOOR + '<Location "/">\nOptions None\n</Location>\n',
        ACCOUNT + HANDLER + f'<Location "{BASE}">\nRequire valid-user\n</Location>\n',
        ACCOUNT + DOOR + DOOR,
        f'<VirtualHost *>\nServerName two.test\n<Location "/">\n{ALL}</Location>\n</VirtualHost>\n'
        + vhost("one.test", ACCOUNT + DOOR),
        ACCOUNT + DOOR.replace("Require valid-user", '<If "true">\nRequire valid-user\n</If>'),
        vhost("one.test", ACCOUNT + DOOR) + f'<Location "/">\n{ALL}</Location>\n',
    ],
)
def test_does_not_warn_of_other_requires(text):
    accept(text, modules=["authn_core", "authz_user"])


# ---- the account, once ----


@pytest.mark.parametrize("missing", ["WhatsAppAccountSID", "WhatsAppAuthToken", "WhatsAppNumber"])
def test_an_account_that_is_not_complete_is_told_of_once(missing):
    text = "".join(line + "\n" for line in ACCOUNT.splitlines() if not line.startswith(missing))
    output = refusal(
        text + HANDLER + "".join(vhost(f"v{n}.test", "WhatsAppMaxBody 2K\n") for n in range(6))
    )
    assert output.count("WA0110") == 1 and f"{missing} is missing for the main server" in output


def test_a_virtual_host_with_trouble_of_its_own_is_told_of_too():
    output = refusal(
        f"WhatsAppAccountSID {SID}\n"
        + vhost("one.test", f"WhatsAppNumber {NUMBER}\n")
        + vhost("two.test")
    )
    assert output.count("WA0110") == 2 and "one.test" in output and "two.test" not in output


# ---- the token ----


@pytest.mark.parametrize(
    "value, told",
    [
        ("/etc/apache2/whatsapp.token", "write file: before it"),
        ("./whatsapp.token", "write file: before it"),
        ("../whatsapp.token", "write file: before it"),
        ("secrets/whatsapp-token-1234", "write file: before it"),
        ("~/whatsapp.token", "write file: before it"),
        ("a-file-that-is-there-1", "write file: before it"),
        ("FILE:whatsapp.token", "begins with file: or exec:"),
        ("File:/etc/whatsapp.token", "begins with file: or exec:"),
        ("file=/etc/whatsapp.token", "begins with file: or exec:"),
        ("file/etc/whatsapp.token", "begins with file: or exec:"),
        ("EXEC:/bin/cat", "begins with file: or exec:"),
        ("whatsapp.token", "32 hexadecimal digits"),
        ("no-such-file.token", "32 hexadecimal digits"),
        ("1234", "too short"),
        ("changeme", "is no token"),
        ("your_auth_token", "is no token"),
        ("whatsapp-token-file", "is no token"),
        ("0f1e2d3c4b5a69788796a5b4c3d2e1", "30 hexadecimal digits"),
        ("0f1e2d3c4b5a69788796a5b4c3d2e1f0a", "33 hexadecimal digits"),
        ("AC0123456789abcdef0123456789abcdef", "is an SID"),
        ("SK0123456789abcdef0123456789abcdef", "is an SID"),
        ('"two words"', "one word"),
    ],
)
def test_refuses_a_token_that_is_none(value, told):
    for text, which in ((value, "first"), (f"{TOKEN} {value}", "second")):
        output = refusal(
            f"{BEGIN}WhatsAppAuthToken {text}\n{HANDLER}", files={"a-file-that-is-there-1": "x"}
        )
        assert f"WhatsAppAuthToken: the {which} token" in output and told in output
        assert len(value) < 8 or value.strip('"') not in output


@pytest.mark.parametrize(
    "content",
    [
        "TOKEN=0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        '"0f1e2d3c4b5a69788796a5b4c3d2e1f0"',
        "0f1e2d3c4b5a69788796a5b4c3d2e1f",
        "file:other",
        "AC0123456789abcdef0123456789abcdef",
    ],
)
def test_refuses_a_file_that_holds_no_token(content):
    output = refusal(f"{BEGIN}WhatsAppAuthToken file:t\n{HANDLER}", files={"t": content})
    assert "the first token 'file:t'" in output and content not in output


@pytest.mark.parametrize(
    "value",
    [
        "12345",
        TOKEN,
        TOKEN.upper(),
        f"{TOKEN} {OTHER_TOKEN}",
        "test-token-for-a-simulator-1",
        "PT0123456789abcdef0123456789abcdef0123456789",
    ],
)
def test_accepts_tokens_of_others_than_twilio(value):
    accept(f"{BEGIN}WhatsAppAuthToken {value}\n{HANDLER}")


# ---- values in the wrong directive ----


@pytest.mark.parametrize(
    "directive",
    [
        "WhatsAppAccountSID",
        "WhatsAppNumber",
        "WhatsAppPublicURL",
        "WhatsAppTwilioURL",
        "WhatsAppStore",
        "WhatsAppBasePath",
        "WhatsAppSync",
        "WhatsAppMaxBody",
        "WhatsAppMaxSends",
        "WhatsAppReconcile",
        "WhatsAppSendRate",
    ],
)
def test_a_token_in_another_directive_is_not_shown(directive):
    """refusal() looks for it in what is said."""
    assert directive in refusal(f"{ACCOUNT}{directive} {TOKEN}\n{HANDLER}")


@pytest.mark.parametrize(
    "value",
    [
        "14155238886",
        "whatsapp:14155238886",
        "415-523-8886",
        "tel:+14155238886x",
        "whatsapp:",
        "file:number",
        '"+1415 and more"',
    ],
)
def test_refuses_what_is_no_number(value):
    output = refusal(f"{ACCOUNT}WhatsAppNumber {value}\n{HANDLER}")
    assert (
        "WhatsAppNumber must be a number with its country code, such as whatsapp:+14155238886"
        in output
    )


def test_a_number_with_spaces_wants_quotes():
    assert (
        "WhatsAppNumber takes one argument, our WhatsApp number, such as whatsapp:+14155238886"
        in refusal(f"{ACCOUNT}WhatsAppNumber +1 415 523 8886\n")
    )
    accept(f'{ACCOUNT}WhatsAppNumber "whatsapp:+1 415 523 8886"\n{HANDLER}')


@pytest.mark.parametrize(
    "value, told",
    [
        ("/var/lib/x", "write dbm:/var/lib/x"),
        ("./x", "write dbm:./x"),
        ("x", "write dbm:x"),
        ("file:/var/lib/x", "write dbm:/var/lib/x"),
        ("DBM:/var/lib/x", "write dbm:/var/lib/x"),
        ("dbm:file:/var/lib/x", "the directory's path and nothing else"),
        ("dbm:dbm:/var/lib/x", "the directory's path and nothing else"),
        ("dbm:///var/lib/x", "the directory's path and nothing else"),
        ("dbm:~/x", "whole path"),
        ("dbm:~www-data/x", "whole path"),
        ("dbm:/", "root directory"),
        ("dbm: /var/lib/x", "dbm"),
        ("sqlite:/var/lib/x", "there is no store driver 'sqlite'"),
    ],
)
def test_refuses_what_is_no_store(value, told):
    output = refusal(f"{ACCOUNT}WhatsAppStore {value}\n{HANDLER}")
    assert "WhatsAppStore" in output and told in output


def test_accepts_a_store_below_the_serverroot():
    accept(f"{ACCOUNT}WhatsAppStore dbm:messages\n{HANDLER}")
