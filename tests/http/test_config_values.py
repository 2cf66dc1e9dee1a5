# SPDX-License-Identifier: Apache-2.0
"""Each directive takes what it should and refuses everything else with its name, the value and
what is allowed."""

import re

import pytest

from config_support import (
    ACCOUNT,
    HANDLER,
    SID,
    TOKEN,
    accept,
    ask,
    configtest,
    httpd_with,
    refusal,
)
from support.httpd import ROOT

GOOD = [
    f"WhatsAppAccountSID {SID}\nWhatsAppAuthToken {TOKEN}\nWhatsAppNumber whatsapp:+14155238886",
    ACCOUNT + 'WhatsAppNumber "+1 (415) 523-8886"',
    ACCOUNT + f"WhatsAppAuthToken {TOKEN} ffffffffffffffffffffffffffffffff",
    ACCOUNT + "WhatsAppPublicURL https://chat.example.org",
    ACCOUNT + "WhatsAppPublicURL http://chat.example.org:8443/behind/a/path/",
    ACCOUNT + "WhatsAppPublicURL https://[2001:db8::1]:8443",
    ACCOUNT + "WhatsAppTwilioURL https://api.dublin.ie1.twilio.com",
    ACCOUNT + "WhatsAppTwilioURL http://127.0.0.1:4010",
    ACCOUNT + "WhatsAppTwilioURL http://localhost:4010/",
    ACCOUNT + "WhatsAppTwilioURL http://[::1]:4010",
    ACCOUNT + "WhatsAppTwilioTimeout 5 20",
    ACCOUNT + "WhatsAppTwilioTimeout 500ms 300s",
    ACCOUNT + "WhatsAppTwilioTimeout 20s 20s",
    ACCOUNT + "WhatsAppMaxBody 1024",
    ACCOUNT + "WhatsAppMaxBody 64K",
    ACCOUNT + "WhatsAppMaxBody 64m",
    ACCOUNT + "WhatsAppMaxSends 1",
    ACCOUNT + "WhatsAppMaxSends 65536",
    ACCOUNT + "WhatsAppSendRate 30/minute",
    ACCOUNT + "WhatsAppSendRate 1000/second",
    ACCOUNT + "WhatsAppSendRate 1/hour",
    ACCOUNT + "WhatsAppSendRate off",
    ACCOUNT + "WhatsAppEnforceWindow on",
    ACCOUNT + "WhatsAppStopWords none",
    ACCOUNT + 'WhatsAppStopWords "basta ya" ALTO arr\u00eat',
    ACCOUNT + "WhatsAppStartWords OK",
    ACCOUNT
    + "WhatsAppBasePath /chat/api-v1/\n"
    + HANDLER.replace("/api/whatsapp-messenger", "/chat/api-v1"),
    ACCOUNT + "WhatsAppBasePath /\n" + HANDLER.replace("/api/whatsapp-messenger", "/"),
    ACCOUNT + "WhatsAppSync always",
    ACCOUNT + "WhatsAppSync off",
    ACCOUNT + "WhatsAppReconcile off",
    ACCOUNT + "WhatsAppReconcile on",
    ACCOUNT + "WhatsAppReconcile on interval=100ms lookback=720h",
    ACCOUNT + "WhatsAppReconcile on lookback=1h interval=24h",
    ACCOUNT + "WhatsAppSync interval=1s",
    ACCOUNT + "WhatsAppSync interval=250ms",
    ACCOUNT + "WhatsAppStore dbm:/var/whatsapp-of-a-test",
    ACCOUNT + "WhatsAppStore dbm:/var/whatsapp-of-a-test type=sdbm",
    ACCOUNT + "WhatsAppStore dbm:in-the-serverroot",
]

# directive, value as written, what the message has to tell of the allowed
BAD = [
    ("WhatsAppAccountSID", "AC0000000000000000000000000000000", "AC and 32 hexadecimal digits"),
    ("WhatsAppAccountSID", "SK00000000000000000000000000000001", "AC and 32 hexadecimal digits"),
    ("WhatsAppAccountSID", "AC0000000000000000000000000000000g", "AC and 32 hexadecimal digits"),
    ("WhatsAppNumber", "14155238886", "country code"),
    ("WhatsAppNumber", "+0155238886", "country code"),
    ("WhatsAppNumber", "whatsapp:sales", "country code"),
    ("WhatsAppNumber", "+12345678901234567", "country code"),
    ("WhatsAppPublicURL", "chat.example.org", "http://"),
    ("WhatsAppPublicURL", "ftp://chat.example.org", "http://"),
    ("WhatsAppPublicURL", "https://", "host name"),
    ("WhatsAppPublicURL", "https://my_chat.example.org", "without underscore"),
    ("WhatsAppPublicURL", "https://chat.example.org/?a=b", "query"),
    ("WhatsAppPublicURL", "https://chat.example.org/#rc=3", "fragment"),
    ("WhatsAppPublicURL", "https://chat.example.org:0", "port"),
    ("WhatsAppPublicURL", "https://chat.example.org:99999999", "port"),
    ("WhatsAppPublicURL", "https://chat.example.org/%zz", "path"),
    ("WhatsAppPublicURL", "https://[::1", "host name"),
    ("WhatsAppPublicURL", "https://2130706433", "host name"),
    ("WhatsAppPublicURL", "https://chat.example.org/<b>", "path"),
    ("WhatsAppTwilioURL", "http://api.twilio.com", "https://"),
    ("WhatsAppTwilioURL", "http://127.evil.example", "https://"),
    ("WhatsAppTwilioURL", "http://127.0.0.1.example", "https://"),
    ("WhatsAppTwilioURL", "http://127.1", "https://"),
    ("WhatsAppTwilioURL", "api.twilio.com", "https://"),
    ("WhatsAppTwilioTimeout", "0 20s", "10ms to 60s"),
    ("WhatsAppTwilioTimeout", "61s 90s", "10ms to 60s"),
    ("WhatsAppTwilioTimeout", "5s 301s", "10ms to 300s"),
    ("WhatsAppTwilioTimeout", "soon 20s", "10ms to 60s"),
    ("WhatsAppTwilioTimeout", "-1s 20s", "10ms to 60s"),
    ("WhatsAppTwilioTimeout", "20s 5s", "must not be longer"),
    ("WhatsAppMaxBody", "1023", "1K to 64M"),
    ("WhatsAppMaxBody", "65M", "1K to 64M"),
    ("WhatsAppMaxBody", "64KB", "1K to 64M"),
    ("WhatsAppMaxBody", "-64K", "1K to 64M"),
    ("WhatsAppMaxBody", "K", "1K to 64M"),
    ("WhatsAppMaxBody", "18446744073709551617K", "1K to 64M"),
    ("WhatsAppMaxSends", "0", "1 to 65536"),
    ("WhatsAppMaxSends", "65537", "1 to 65536"),
    ("WhatsAppMaxSends", "ten", "1 to 65536"),
    ("WhatsAppMaxSends", "+5", "1 to 65536"),
    ("WhatsAppMaxSends", "18446744073709551617", "1 to 65536"),
    ("WhatsAppSendRate", "0/minute", "1 to 1000"),
    ("WhatsAppSendRate", "1001/hour", "1 to 1000"),
    ("WhatsAppSendRate", "30", "/second, /minute or /hour"),
    ("WhatsAppSendRate", "30/day", "/second, /minute or /hour"),
    ("WhatsAppSendRate", "x/minute", "1 to 1000"),
    ("WhatsAppSendRate", "-1/minute", "1 to 1000"),
    ("WhatsAppStopWords", "x" * 65, "words of up to 64 bytes"),
    ("WhatsAppStartWords", "x" * 65, "words of up to 64 bytes"),
    ("WhatsAppBasePath", "api", "begins with /"),
    ("WhatsAppBasePath", "/api//v1", "letters, digits"),
    ("WhatsAppBasePath", "/api/../v1", "letters, digits"),
    ("WhatsAppBasePath", "/api?x", "letters, digits"),
    ("WhatsAppSync", "on", "always, off, or interval="),
    ("WhatsAppSync", "interval=", "always, off, or interval="),
    ("WhatsAppSync", "interval=1ms", "10ms to 1h"),
    ("WhatsAppSync", "interval=2h", "10ms to 1h"),
    ("WhatsAppReconcile", "yes", "on or off"),
    ("WhatsAppReconcile", "on 60s", "interval="),
    ("WhatsAppReconcile", "on interval=99ms", "100ms to 24h"),
    ("WhatsAppReconcile", "on interval=25h", "100ms to 24h"),
    ("WhatsAppReconcile", "on interval=soon", "100ms to 24h"),
    ("WhatsAppReconcile", "on lookback=721h", "100ms to 720h"),
    ("WhatsAppReconcile", "off lookback", "lookback="),
    ("WhatsAppReconcile", "interval=60s on", "on or off"),
    ("WhatsAppStore", "sqlite:/var/lib/x", "dbm"),
    ("WhatsAppStore", "dbm:", "dbm"),
    ("WhatsAppStore", "dbm:/var/lib/x type=nosuch", "type"),
    ("WhatsAppStore", "dbm:/var/lib/x colour=blue", "type"),
]

ONE_VALUE = [
    "WhatsAppAccountSID",
    "WhatsAppNumber",
    "WhatsAppPublicURL",
    "WhatsAppTwilioURL",
    "WhatsAppMaxBody",
    "WhatsAppMaxSends",
    "WhatsAppBasePath",
    "WhatsAppSync",
    "WhatsAppSendRate",
]


@pytest.mark.parametrize("text", GOOD)
def test_accepts(text):
    accept(text)


@pytest.mark.parametrize("directive, value, allowed", BAD)
def test_refuses_with_name_value_and_what_is_allowed(directive, value, allowed):
    output = refusal(f"{ACCOUNT}{directive} {value}\n")
    assert "Syntax error on line" in output
    assert directive in output
    # a long word may be a secret, and is not shown
    assert (
        value.split()[0] in output
        or value.split()[-1] in output
        or (max(map(len, re.findall(r"\w+", value))) >= 32 and "'...'" in output)
    )
    assert allowed in output


def all_directives():
    """The names of all directives, from the table in the source: a new one is checked without
    being named here."""
    found = re.findall(
        r'AP_INIT_\w+\(\s*"(WhatsApp\w+)"',
        (ROOT / "mod_whatsapp" / "httpd" / "directives.c").read_text(encoding="utf-8"),
    )
    assert len(found) >= 10
    return found


@pytest.mark.parametrize("directive", all_directives())
def test_refuses_a_variable_that_is_not_defined(directive):
    value = {
        "WhatsAppStore": "dbm:/var/lib/${WA_NO_SUCH}",
        "WhatsAppTwilioTimeout": "1s ${WA_NO_SUCH}",
    }.get(directive, "${WA_NO_SUCH}")
    output = refusal(f"{ACCOUNT}{directive} {value}\n")
    # httpd itself reads On and Off
    assert (
        f"{directive}: a variable in its value" in output and "is not defined" in output
    ) or f"{directive} must be On or Off" in output


def test_refuses_a_token_with_a_variable_that_is_not_defined():
    output = refusal(f"{ACCOUNT}WhatsAppAuthToken ${{WA_NO_SUCH}}\n")
    assert "WhatsAppAuthToken: a variable in its value" in output


def test_takes_values_from_define_and_from_the_environment():
    text = (
        "Define WA_SID "
        + SID
        + "\nWhatsAppAccountSID ${WA_SID}\nWhatsAppAuthToken ${WA_TOKEN}\nWhatsAppNumber"
        " ${WA_NUMBER}\n"
    )
    accept(text, environment={"WA_TOKEN": TOKEN, "WA_NUMBER": "+14155238886"})


@pytest.mark.parametrize("directive", ONE_VALUE)
def test_refuses_two_values(directive):
    assert f"{directive} takes one argument" in refusal(f"{ACCOUNT}{directive} one two\n")


def test_refuses_three_tokens():
    assert "WhatsAppAuthToken takes 1-2 arguments" in refusal(
        f"{ACCOUNT}WhatsAppAuthToken {TOKEN} {TOKEN} {TOKEN}\n"
    )


@pytest.mark.parametrize(
    "directive", [name for name in all_directives() if name != "WhatsAppRequireUser"]
)
def test_refuses_a_directive_in_a_location(directive):
    status, output = configtest(f'{ACCOUNT}<Location "/x">\n{directive} 1 2\n</Location>\n')
    assert status != 0 and f"{directive} not allowed" in output


def test_a_user_is_required_in_a_section_or_everywhere_but_not_by_a_directory():
    accept(
        f"{ACCOUNT}WhatsAppRequireUser On\n<VirtualHost *>\nWhatsAppRequireUser off\n"
        '<Location "/x">\nWhatsAppRequireUser on\n</Location>\n</VirtualHost>\n'
    )
    assert "WhatsAppRequireUser must be On or Off" in refusal(
        f'{ACCOUNT}<Location "/x">\nWhatsAppRequireUser 1\n</Location>\n'
    )
    with httpd_with(
        lambda httpd: (
            f'{ACCOUNT}{HANDLER}<Directory "{httpd.directory}/htdocs">\nAllowOverride All\n'
            "Require all granted\n</Directory>\n"
        )
    ) as httpd:
        httpd.noise = r".*/\.htaccess: WhatsAppRequireUser not allowed here"
        httpd.start()
        (httpd.directory / "htdocs" / ".htaccess").write_text(
            "WhatsAppRequireUser Off\n", encoding="utf-8"
        )
        assert ask(httpd, "GET", "/").status == 500


def test_the_window_is_on_or_off():
    assert "WhatsAppEnforceWindow must be On or Off" in refusal(
        f"{ACCOUNT}WhatsAppEnforceWindow maybe\n"
    )


def test_a_blank_word_is_refused():
    assert "words of up to 64 bytes" in refusal(f'{ACCOUNT}WhatsAppStopWords STOP " "\n')
