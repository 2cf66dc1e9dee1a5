# SPDX-License-Identifier: Apache-2.0
"""WhatsAppSendRate: how many messages an address and a user may send, over all processes."""

import base64
import hashlib

import pytest

from support.conditions import in_parallel
from support.httpd import apxs


def load(*names):
    return "".join(
        f"LoadModule {name}_module {apxs('LIBEXECDIR')}/mod_{name}.so\n" for name in names
    )


ADDRESSES = load("remoteip") + "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n"


def send_from(api, fresh, address, expect, **headers):
    number = fresh.number()
    answer = api.send(
        number, fresh.text(), expect=expect, headers={"X-Forwarded-For": address, **headers}
    )
    if expect == 429:
        assert answer["code"] == "RATE_LIMITED"
        assert api.thread(number) is None
    return number


@pytest.mark.every_mpm
def test_the_rate_counts_over_all_processes(new_server, fresh, twilio):
    with new_server(extra="WhatsAppSendRate 5/hour\n") as server:
        api = server.client()
        number = fresh.number()
        api.plant(number)

        def send(_):
            return api.post("/send", {"phoneNumber": number, "message": "one of many at once"})

        answers = in_parallel(40, send)
        assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 35
        assert len(twilio.requests_to(number)) == api.thread(number)["messageCount"] == 5
        waits = {int(a.headers["Retry-After"]) for a in answers if a.status == 429}
        assert all(0 < wait <= 720 for wait in waits), waits
        # over a graceful restart, and a kill of the children, too
        server.graceful()
        assert send(None).status == 429
        server.kill_child()
        assert send(None).status == 429
        # reading costs nothing
        assert api.threads()


def test_each_address_has_its_own(new_server, fresh):
    extra = "WhatsAppSendRate 2/hour\n" + ADDRESSES
    with new_server(extra=extra) as server:
        api = server.client()
        for address in ("203.0.113.1", "203.0.113.2", "2001:db8:1:1::1"):
            for _ in range(2):
                send_from(api, fresh, address, 200)
            send_from(api, fresh, address, 429)
        # a network of IPv6 is one customer's
        send_from(api, fresh, "2001:db8:1:1:ffff::2", 429)
        send_from(api, fresh, "2001:db8:1:2::1", 200)


def test_each_user_has_its_own_from_whatever_address(new_server, fresh):
    login = {
        name: {"Authorization": "Basic " + base64.b64encode(f"{name}:pw".encode()).decode()}
        for name in ("ana", "ben")
    }
    hashed = base64.b64encode(hashlib.sha1(b"pw").digest()).decode()
    extra = (
        "WhatsAppSendRate 2/hour\n"
        + ADDRESSES
        + load("auth_basic", "authn_core", "authn_file", "authz_user")
        + '<Location "/api/whatsapp-messenger/send">\nAuthType Basic\nAuthName x\n'
        "AuthUserFile htpasswd\nRequire valid-user\n</Location>\n"
    )
    server = new_server(extra=extra)
    (server.directory / "htpasswd").write_text(
        "".join(f"{name}:{{SHA}}{hashed}\n" for name in login)
    )
    with server:
        api = server.client()
        send_from(api, fresh, "203.0.113.1", 200, **login["ana"])
        send_from(api, fresh, "203.0.113.2", 200, **login["ana"])
        send_from(api, fresh, "203.0.113.3", 429, **login["ana"])
        # what was refused for the user has cost the address nothing
        send_from(api, fresh, "203.0.113.3", 200, **login["ben"])
        send_from(api, fresh, "203.0.113.3", 200, **login["ben"])
        send_from(api, fresh, "203.0.113.4", 429, **login["ben"])


def test_what_is_not_sent_costs_nothing(new_server, fresh, twilio):
    with new_server(extra="WhatsAppSendRate 2/hour\n") as server:
        api = server.client()
        number, text = fresh.number(), fresh.text()
        headers = {"Idempotency-Key": "once"}
        first = api.send(number, text, headers=headers)
        for _ in range(3):
            assert api.send(number, text, headers=headers) == first
            api.send(number, " ", expect=400)
            api.send(number, fresh.text(), headers=headers, expect=409)
        api.send(number, fresh.text())
        api.send(number, fresh.text(), expect=429)
        assert api.send(number, text, headers=headers) == first


def test_off_in_a_virtual_host(new_server, fresh):
    with new_server(extra="WhatsAppSendRate 1/hour\nWhatsAppSendRate off\n") as server:
        for _ in range(4):
            server.client().send(fresh.number(), fresh.text())
