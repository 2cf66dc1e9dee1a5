# SPDX-License-Identifier: Apache-2.0
"""Virtual hosts: what they inherit, and what configtest finds only in the whole."""

import json
import os
import pathlib

import pytest

from config_support import (
    ACCOUNT,
    HANDLER,
    NUMBER,
    OTHER_ACCOUNT,
    OTHER_SID,
    OTHER_TOKEN,
    SID,
    accept,
    ask,
    httpd_with,
    refusal,
)


def vhost(name, text):
    return f"<VirtualHost *>\nServerName {name}\n{text}</VirtualHost>\n"


def test_accepts_a_module_that_is_loaded_and_not_configured():
    accept("")


@pytest.mark.parametrize("missing", ["WhatsAppAccountSID", "WhatsAppAuthToken", "WhatsAppNumber"])
def test_refuses_an_account_that_is_not_complete(missing):
    text = "".join(line + "\n" for line in ACCOUNT.splitlines() if not line.startswith(missing))
    output = refusal(text + HANDLER)
    assert f"WA0110: {missing} is missing for the main server" in output


def test_names_the_virtual_host_whose_account_is_not_complete():
    output = refusal(
        vhost("chat.example.org", f"WhatsAppAccountSID {SID}\nWhatsAppNumber {NUMBER}\n")
    )
    assert "WA0110: WhatsAppAuthToken is missing for the virtual host chat.example.org (" in output
    assert "httpd.conf:" in output


def test_refuses_the_handler_without_any_account():
    output = refusal(HANDLER)
    assert "WA0114" in output and "httpd.conf:" in output and "WhatsAppAccountSID" in output


def test_refuses_the_handler_in_a_virtual_host_without_account():
    output = refusal(
        vhost("one.example.org", ACCOUNT + HANDLER) + vhost("two.example.org", HANDLER)
    )
    assert "WA0114" in output and "two.example.org" in output and "one.example.org" not in output


def test_finds_the_handler_in_nested_sections():
    output = refusal(
        vhost(
            "one.example.org",
            (
                '<Location "/api/whatsapp-messenger">\n<If "true">\nSetHandler'
                " whatsapp-messenger\n</If>\n</Location>\n"
            ),
        )
    )
    assert "WA0114" in output


def test_accepts_the_handler_for_all_where_only_virtual_hosts_have_accounts():
    accept(HANDLER + vhost("one.example.org", ACCOUNT))


def test_accepts_a_virtual_host_that_takes_the_account_of_the_main_server():
    accept(ACCOUNT + vhost("one.example.org", HANDLER))


def test_another_account_takes_neither_token_nor_number_of_the_main_server():
    own_sid = vhost("one.example.org", f"WhatsAppAccountSID {OTHER_SID}\nWhatsAppStore dbm:other\n")
    assert "WA0110: WhatsAppAuthToken is missing for the virtual host one.example.org" in refusal(
        ACCOUNT + own_sid
    )
    own_token = vhost(
        "one.example.org",
        (
            f"WhatsAppAccountSID {OTHER_SID}\nWhatsAppAuthToken {OTHER_TOKEN}\nWhatsAppStore"
            " dbm:other\n"
        ),
    )
    assert "WA0110: WhatsAppNumber is missing for the virtual host one.example.org" in refusal(
        ACCOUNT + own_token
    )


def test_the_same_account_takes_the_token_of_the_main_server():
    accept(
        ACCOUNT
        + vhost("one.example.org", f"WhatsAppAccountSID {SID}\nWhatsAppNumber +14155238887\n")
    )


@pytest.mark.parametrize(
    "store", ["", "WhatsAppStore dbm:shared\n", "WhatsAppStore dbm:shared/../shared/\n"]
)
def test_refuses_two_accounts_with_one_store(store):
    first = "WhatsAppStore dbm:shared\n" if store else ""
    output = refusal(ACCOUNT + first + vhost("one.example.org", OTHER_ACCOUNT + store))
    assert (
        "WA0112" in output
        and "the main server" in output
        and "one.example.org" in output
        and "WhatsAppStore" in output
    )


def test_accepts_two_accounts_with_two_stores():
    accept(ACCOUNT + vhost("one.example.org", OTHER_ACCOUNT + "WhatsAppStore dbm:other\n"))


@pytest.mark.parametrize("one, two", [("always", "off"), ("interval=1s", "interval=2s")])
def test_refuses_one_store_with_two_kinds_of_sync(one, two):
    output = refusal(
        f"{ACCOUNT}WhatsAppSync {one}\n" + vhost("one.example.org", f"WhatsAppSync {two}\n")
    )
    assert "WA0113" in output and "WhatsAppSync" in output


def test_accepts_one_store_with_one_kind_of_sync():
    accept(
        f"{ACCOUNT}WhatsAppSync interval=1s\n"
        + vhost("one.example.org", "WhatsAppSync interval=1000ms\n")
    )


def test_each_virtual_host_is_its_own_messenger(simulator):
    """Own accounts have own stores; what is inherited is shared."""

    def text(httpd):
        main = f"WhatsAppTwilioURL {simulator.url}\nWhatsAppStore dbm:{httpd.directory}/main\n"
        return (
            ACCOUNT
            + main
            + HANDLER
            + vhost("same.test", "WhatsAppMaxBody 2K\n")
            + vhost(
                "other.test",
                f"{OTHER_ACCOUNT}WhatsAppStore dbm:{httpd.directory}/other\n"
                + "WhatsAppBasePath /chat\n"
                + HANDLER.replace("/api/whatsapp-messenger", "/chat"),
            )
        )

    with httpd_with(text) as httpd:
        httpd.start()
        assert (
            api(
                httpd,
                "same.test",
                "POST",
                "/api/whatsapp-messenger/contacts",
                '{"phoneNumber":"+15551230001","displayName":"Ana"}',
            )[0]
            == 200
        )
        assert names(httpd, "same.test", "/api/whatsapp-messenger") == ["Ana"]
        assert names(httpd, "localhost", "/api/whatsapp-messenger") == ["Ana"]
        assert names(httpd, "other.test", "/chat") == []
        long_body = '{"phoneNumber":"+15551230002","displayName":"Bo"}' + " " * 3000
        assert (
            api(httpd, "same.test", "POST", "/api/whatsapp-messenger/contacts", long_body)[0] == 413
        )
        assert api(httpd, "other.test", "POST", "/chat/contacts", long_body)[0] == 200
        assert names(httpd, "other.test", "/chat") == ["Bo"]
        assert names(httpd, "same.test", "/api/whatsapp-messenger") == ["Ana"]
        # two servers use the one, one server the other: each is open once
        assert open_files(httpd, "main") == open_files(httpd, "other") > 0


def open_files(httpd, store):
    """How many files of a store the parent process has open."""
    links = [os.readlink(link) for link in pathlib.Path(f"/proc/{httpd.process.pid}/fd").iterdir()]
    return sum(str(httpd.directory / store) + "/" in link for link in links)


def api(httpd, host, method, path, body=None):
    """The status and the parsed answer of one request."""
    response = ask(httpd, method, path, body, Host=host)
    return response.status, json.loads(response.text)


def names(httpd, host, base):
    status, answer = api(httpd, host, "GET", base + "/contacts")
    assert status == 200, answer
    return [contact["displayName"] for contact in answer["contacts"]]
