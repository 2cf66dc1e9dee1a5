# SPDX-License-Identifier: Apache-2.0
"""The module's life: the default store, restarts, counters, per-host logs, and starts that must
fail."""

import json
import os
import re
import signal
import subprocess

from config_support import ACCOUNT, HANDLER, OTHER_ACCOUNT, ask, httpd_with, refusal
from support.conditions import wait_until
from support.httpd import program, server_user

API = "/api/whatsapp-messenger"
CONTACT = '{"phoneNumber":"+15551230001","displayName":"Ana"}'
STATUS = "<Location /status>\nSetHandler server-status\n</Location>\n"


def contact_names(httpd):
    answer = ask(httpd, "GET", f"{API}/contacts")
    assert answer.status == 200, answer
    return [contact["displayName"] for contact in json.loads(answer.text)["contacts"]]


def fails_to_start(httpd):
    """Starts it in the foreground; it has to end by itself. Gives all that it said."""
    httpd.port = httpd.port or 1
    httpd._write()
    done = subprocess.run(
        [
            program(),
            "-d",
            str(httpd.directory),
            "-f",
            str(httpd.directory / "httpd.conf"),
            "-DFOREGROUND",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=httpd._environment(),
        timeout=60,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr + httpd.log_text()


def test_without_a_configured_store_there_is_one_in_the_state_directory():
    with httpd_with(ACCOUNT + HANDLER) as httpd:
        httpd.start()
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        directory = httpd.directory / "state" / "whatsapp"
        info = directory.stat()
        assert info.st_mode & 0o777 == 0o700
        assert info.st_uid == (server_user().pw_uid if os.geteuid() == 0 else os.geteuid())
        assert any(directory.iterdir())
        for path in directory.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"
        httpd.stop()
        httpd.start()
        assert contact_names(httpd) == ["Ana"]


def test_the_state_directory_follows_the_serverroot():
    """Seen in what configtest says of two accounts that share the default store."""

    def text(root):
        return (
            f"ServerRoot {root}\n{ACCOUNT}<VirtualHost *>\nServerName"
            f" one.test\n{OTHER_ACCOUNT}</VirtualHost>\n"
        )

    assert "WhatsAppStore 'dbm:/var/lib/ssl/whatsapp'" in refusal(text("/etc/ssl"))
    assert "WhatsAppStore 'dbm:/var/lib/ssl/whatsapp'" in refusal(text("/etc/ssl/"))
    assert "WhatsAppStore 'dbm:/etc/ssl/certs/state/whatsapp'" in refusal(text("/etc/ssl/certs"))


def test_a_restart_keeps_what_is_stored():
    with httpd_with(ACCOUNT + HANDLER) as httpd:
        httpd.start()
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        for _ in range(3):
            httpd.graceful()
            assert contact_names(httpd) == ["Ana"]
        before = httpd._generations()
        httpd.process.send_signal(signal.SIGHUP)
        wait_until(lambda: httpd._generations() > before, "the generation after a restart")
        assert contact_names(httpd) == ["Ana"]


def counters(httpd):
    text = ask(httpd, "GET", "/status?auto").text
    return {
        name: int(value)
        for name, value in re.findall(r"^WhatsApp(\w+): (\d+)$", text, re.MULTILINE)
    }


def test_mod_status_counts_over_restarts():
    with httpd_with(ACCOUNT + HANDLER + STATUS, modules=["status"]) as httpd:
        httpd.claim("WA02*", "WA03*", "WA05*", required=False)
        httpd.start()
        assert counters(httpd) == dict.fromkeys(
            [
                "Requests",
                "Sends",
                "SendsFailed",
                "Webhooks",
                "WebhooksRefused",
                "ClientErrors",
                "ServerErrors",
            ],
            0,
        )
        assert ask(httpd, "GET", f"{API}/threads").status == 200
        assert ask(httpd, "GET", f"{API}/no-such").status == 404
        assert ask(httpd, "POST", f"{API}/send", "{}").status == 400
        assert (
            ask(
                httpd,
                "POST",
                f"{API}/webhook",
                "a=b",
                Content_Type="application/x-www-form-urlencoded",
            ).status
            == 403
        )
        expected = {
            "Requests": 4,
            "Sends": 0,
            "SendsFailed": 1,
            "Webhooks": 0,
            "WebhooksRefused": 1,
            "ClientErrors": 3,
            "ServerErrors": 0,
        }
        assert counters(httpd) == expected
        httpd.graceful()
        assert counters(httpd) == expected
        assert "<h2>WhatsApp messenger</h2>" in ask(httpd, "GET", "/status").text


def test_lines_go_to_the_log_of_the_virtual_host():
    def text(httpd):
        return (
            f"{HANDLER}<VirtualHost *>\nServerName one.test\n{ACCOUNT}ErrorLog"
            f" {httpd.directory}/logs/one.log\n</VirtualHost>\n"
        )

    with httpd_with(text) as httpd:
        httpd.start()
        httpd.claim("WA*", required=False)
        unsigned = ask(
            httpd,
            "POST",
            f"{API}/webhook",
            "a=b",
            Content_Type="application/x-www-form-urlencoded",
            Host="one.test",
        )
        assert unsigned.status == 403
        assert re.search(r"WA0[235]\d\d", (httpd.directory / "logs" / "one.log").read_text())
        assert not httpd.lines(0, r"WA0[235]\d\d")


def test_does_not_start_with_a_store_that_cannot_be_opened():
    with httpd_with(
        lambda h: f"{ACCOUNT}{HANDLER}WhatsAppStore dbm:{h.directory}/taken\n",
        files={"taken": "a file"},
    ) as httpd:
        said = fails_to_start(httpd)
        assert "WA0121" in said and f"dbm:{httpd.directory}/taken" in said


def test_does_not_start_where_the_state_directory_cannot_be_made():
    with httpd_with(ACCOUNT + HANDLER, files={"state": "a file"}) as httpd:
        said = fails_to_start(httpd)
        assert "WA0121" in said and f"{httpd.directory}/state/whatsapp" in said


def test_does_not_start_on_the_store_of_another_server():
    with httpd_with(ACCOUNT + HANDLER) as first:
        first.start()
        with httpd_with(
            f"{ACCOUNT}{HANDLER}WhatsAppStore dbm:{first.directory}/state/whatsapp\n"
        ) as second:
            assert "WA0121" in fails_to_start(second)
        assert ask(first, "POST", f"{API}/contacts", CONTACT).status == 200


def test_does_not_start_on_the_store_of_another_account():
    with httpd_with(ACCOUNT + HANDLER) as httpd:
        httpd.start()
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        httpd.stop()
        httpd.configure = lambda _: OTHER_ACCOUNT + HANDLER
        assert "WA0121" in fails_to_start(httpd)
