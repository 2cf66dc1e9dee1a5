# SPDX-License-Identifier: Apache-2.0
"""The configuration files that come with the module work as they are."""

import json
import re
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
from support.httpd import ROOT, free_port, program

API = "/api/whatsapp-messenger"
ACCOUNT_FILE = ACCOUNT + "WhatsAppPublicURL https://chat.example.org\n"
PAGE = "<!doctype html><title>messenger</title>" + "<p>text</p>" * 200
FILE_MODULES = ["alias", "dir", "mime", "headers", "filter", "deflate"]


def file_list():
    names = sorted(path.name for path in (ROOT / "conf" / "examples").glob("*.conf"))
    assert len(names) >= 4
    return ["whatsapp.conf", "whatsapp-reference.conf"] + [f"examples/{name}" for name in names]


def with_frontend(name, extra=""):
    """The shipped file in a server whose web client is one page."""

    def text(httpd):
        (httpd.directory / "frontend").mkdir(exist_ok=True)
        (httpd.directory / "frontend" / "index.html").write_text(PAGE, encoding="utf-8")
        return (
            extra
            + "<IfModule mime_module>\nTypesConfig /dev/null\n</IfModule>\n"
            + shipped(name, httpd)
        )

    return text


def files(**more):
    return {
        "whatsapp-account.conf": ACCOUNT_FILE,
        "whatsapp.token": TOKEN + "\n",
        "whatsapp-sales.token": TOKEN + "\n",
        "whatsapp-support.token": OTHER_TOKEN + "\n",
        "whatsapp.users": users("ana"),
        "whatsapp-sales.users": users("sam"),
        "whatsapp-support.users": users("sue"),
        "whatsapp.groups": "readers: rita\nagents: ana ben\nadmins: carla\n",
        **more,
    }


@pytest.mark.parametrize("name", file_list())
def test_is_valid(name):
    with httpd_with(
        with_frontend(name),
        modules=FILE_MODULES + LOGIN_MODULES + ["authz_groupfile", "remoteip"],
        files=files(),
    ) as httpd:
        status, output = httpd.check_config()
        assert status == 0 and output.strip() == "Syntax OK", output


@pytest.mark.parametrize("name", ["whatsapp.conf", "whatsapp-reference.conf"])
def test_is_valid_with_no_other_module(name):
    with httpd_with(lambda httpd: shipped(name, httpd), files=files()) as httpd:
        status, output = httpd.check_config()
        assert status == 0 and output.strip() == "Syntax OK", output


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in file_list()
        if "SetHandler" in (ROOT / "conf" / name).read_text(encoding="utf-8")
    ],
)
def test_each_section_of_the_api_turns_rewriting_off(name):
    """Rules of the virtual host as well: tried in test_site_mappings.py."""
    text = (ROOT / "conf" / name).read_text(encoding="utf-8")
    sections = [
        section
        for section in re.findall(r"<Location .*?</Location>", text, re.DOTALL)
        if "SetHandler" in section
    ]
    assert sections
    for section in sections:
        assert re.search(
            r"<IfModule rewrite_module>\s+RewriteEngine off\s+</IfModule>", section
        ), section


def test_reference_names_every_directive_that_the_module_has():
    """By the module's own list, as mod_info would show it; `make lint` compares the source as
    well."""
    with httpd_with("") as httpd:
        httpd.port = 1
        httpd._write()
        listing = subprocess.run(
            [
                program(),
                "-d",
                str(httpd.directory),
                "-f",
                str(httpd.directory / "httpd.conf"),
                "-L",
            ],
            capture_output=True,
            text=True,
            env=httpd._environment(),
            timeout=60,
        ).stdout
    code = re.findall(r"^(WhatsApp\w+) \(", listing, re.MULTILINE)
    reference = re.findall(
        r"^#?(WhatsApp\w+) ",
        (ROOT / "conf" / "whatsapp-reference.conf").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(code) >= 10
    assert sorted(code) == sorted(reference)


def test_reference_shows_the_defaults():
    """Every line that shows a default is accepted as it stands, and those with numbers are what
    the table of directives says."""
    text = (ROOT / "conf" / "whatsapp-reference.conf").read_text(encoding="utf-8")
    uncommented = re.sub(r"^#(WhatsApp)", r"\1", text, flags=re.MULTILINE)
    with httpd_with(uncommented, files=files()) as httpd:
        status, output = httpd.check_config()
        assert status == 0, output
    source = (ROOT / "mod_whatsapp" / "httpd" / "directives.c").read_text(encoding="utf-8")
    for directive, default in re.findall(r"^#(WhatsApp\w+) (.+)$", text, re.MULTILINE):
        if directive in (
            "WhatsAppTwilioURL",
            "WhatsAppTwilioTimeout",
            "WhatsAppMaxBody",
            "WhatsAppBasePath",
            "WhatsAppSync",
        ):
            assert re.search(rf'"{directive}"[^)]*; {re.escape(default)}"', source), directive


def test_whatsapp_conf_without_account_serves_the_web_client_only():
    with httpd_with(with_frontend("whatsapp.conf"), modules=FILE_MODULES) as httpd:
        httpd.start()
        assert ask(httpd, "GET", "/whatsapp-messenger/").status == 200
        assert ask(httpd, "GET", f"{API}/threads").status == 404


ANA = {"Authorization": login("ana")}


def test_whatsapp_conf_serves_client_and_api():
    with httpd_with(
        with_frontend("whatsapp.conf"), modules=FILE_MODULES + LOGIN_MODULES, files=files()
    ) as httpd:
        make_readable(httpd)
        httpd.start()
        threads = ask(httpd, "GET", f"{API}/threads", **ANA)
        assert threads.status == 200 and json.loads(threads.text) == {
            "success": True,
            "threads": [],
        }
        page = ask(httpd, "GET", "/whatsapp-messenger/", **ANA)
        assert page.status == 200 and page.text == PAGE
        policy = page.headers["content-security-policy"]
        assert (
            policy.startswith("default-src 'none'; ")
            and "unsafe" not in policy
            and "frame-ancestors 'none'" in policy
        )
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["content-type"].startswith("text/html")
        assert (
            ask(
                httpd, "GET", "/whatsapp-messenger/", If_None_Match=page.headers["etag"], **ANA
            ).status
            == 304
        )
        assert (
            ask(httpd, "GET", "/whatsapp-messenger/", Accept_Encoding="gzip", **ANA).headers[
                "content-encoding"
            ]
            == "gzip"
        )
        assert ask(httpd, "GET", "/whatsapp-messenger", **ANA).status == 301
        assert ask(httpd, "GET", "/whatsapp-messenger/no-such", **ANA).status == 404
        # One realm, so that the browser asks once.
        realms = {
            ask(httpd, "GET", path).headers["www-authenticate"]
            for path in ("/whatsapp-messenger/", f"{API}/threads")
        }
        assert realms == {'Basic realm="WhatsApp messenger"'}


def webhook(httpd, **headers):
    """An unsigned webhook: the module itself answers it."""
    return ask(
        httpd,
        "POST",
        f"{API}/webhook",
        "MessageSid=SM00000000000000000000000000000001",
        Content_Type="application/x-www-form-urlencoded",
        **headers,
    )


@pytest.mark.parametrize("address", ["192.0.2.7", "198.51.100.7", "127.0.0.1", None])
def test_behind_tls_proxy_no_address_is_a_key(address):
    with httpd_with(
        with_frontend("examples/behind-tls-proxy.conf"),
        modules=["remoteip"] + LOGIN_MODULES,
        files=files(),
    ) as httpd:
        make_readable(httpd)
        httpd.claim("WA02*", required=False)
        httpd.start()
        headers = {"X_Forwarded_For": address} if address else {}
        assert ask(httpd, "GET", f"{API}/threads", **headers).status == 401
        assert ask(httpd, "GET", f"{API}/threads", **headers, **ANA).status == 200
        assert json.loads(webhook(httpd, **headers).text)["code"] == "UNAUTHORIZED"


def test_two_accounts_are_two_messengers():
    sam, sue = {"Authorization": login("sam"), "Host": "sales.example.org"}, {
        "Authorization": login("sue"),
        "Host": "support.example.org",
    }
    with httpd_with(
        with_frontend("examples/two-accounts.conf"), modules=LOGIN_MODULES, files=files()
    ) as httpd:
        make_readable(httpd)
        httpd.claim("AH01618", required=False)
        httpd.start()
        contact = '{"phoneNumber":"+15551230001","displayName":"Ana"}'
        assert ask(httpd, "POST", f"{API}/contacts", contact, **sam).status == 200
        assert len(json.loads(ask(httpd, "GET", f"{API}/contacts", **sam).text)["contacts"]) == 1
        assert json.loads(ask(httpd, "GET", f"{API}/contacts", **sue).text)["contacts"] == []
        for headers in ({}, {"Authorization": login("sue")}):
            assert (
                ask(httpd, "GET", f"{API}/contacts", Host="sales.example.org", **headers).status
                == 401
            )
        assert (httpd.directory / "whatsapp-sales").is_dir() and (
            httpd.directory / "whatsapp-support"
        ).is_dir()


def test_one_host_serves_the_client_at_its_root():
    with httpd_with(
        with_frontend("examples/one-host.conf"),
        modules=["dir", "headers", "mime"] + LOGIN_MODULES,
        files=files(),
    ) as httpd:
        make_readable(httpd)
        httpd.start()
        page = ask(httpd, "GET", "/", Host="chat.example.org", **ANA)
        assert (
            page.status == 200 and page.text == PAGE and "content-security-policy" in page.headers
        )
        assert ask(httpd, "GET", f"{API}/threads", Host="chat.example.org", **ANA).status == 200
        assert ask(httpd, "GET", f"{API}/threads", Host="chat.example.org").status == 401
        assert ask(httpd, "GET", "/", Host="chat.example.org").status == 401


def test_loopback_opens_a_door_that_no_site_redirects():
    door = free_port()

    def text(httpd):
        return (
            with_frontend("whatsapp.conf")(httpd)
            + shipped("examples/loopback.conf", httpd).replace("8080", str(door))
            + f"<VirtualHost *:{httpd.port}>\nServerName chat.example.org\nRedirect permanent /"
            " https://chat.example.org/\n</VirtualHost>\n"
        )

    with httpd_with(text, modules=FILE_MODULES + LOGIN_MODULES, files=files()) as httpd:
        httpd.claim("AH*", required=False)
        make_readable(httpd)
        httpd.start()
        assert (
            ask(httpd, "GET", "/whatsapp-messenger/", Host=f"localhost:{httpd.port}").status == 301
        )
        site, httpd.port = httpd.port, door
        page = ask(httpd, "GET", "/whatsapp-messenger/", Host=f"localhost:{door}", **ANA)
        assert page.status == 200 and page.text == PAGE
        assert ask(httpd, "GET", f"{API}/threads", Host=f"localhost:{door}").status == 401
        assert ask(httpd, "GET", f"{API}/threads", Host=f"localhost:{door}", **ANA).status == 200
        httpd.port = site
