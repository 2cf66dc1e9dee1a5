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
    refusal,
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
        (f"{BASE}/anything", URL),
        ("/webhook", URL),
        ("/a/webhook", f"{URL}/a"),
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
        (
            (
                '<Location "/chat">\n<Limit GET POST>\nRequire all granted\n</Limit>\n<If'
                ' "true">\nSetHandler whatsapp-messenger\n</If>\n</Location>\n'
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
        ("dbm:file:/var/lib/x", "the folder's path and nothing else"),
        ("dbm:dbm:/var/lib/x", "the folder's path and nothing else"),
        ("dbm:///var/lib/x", "the folder's path and nothing else"),
        ("dbm:~/x", "whole path"),
        ("dbm:~www-data/x", "whole path"),
        ("dbm:/", "root folder"),
        ("dbm: /var/lib/x", "dbm"),
        ("sqlite:/var/lib/x", "there is no store driver 'sqlite'"),
    ],
)
def test_refuses_what_is_no_store(value, told):
    output = refusal(f"{ACCOUNT}WhatsAppStore {value}\n{HANDLER}")
    assert "WhatsAppStore" in output and told in output


def test_accepts_a_store_below_the_serverroot():
    accept(f"{ACCOUNT}WhatsAppStore dbm:messages\n{HANDLER}")
