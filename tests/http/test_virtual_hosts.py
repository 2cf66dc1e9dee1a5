# SPDX-License-Identifier: Apache-2.0
"""Two virtual hosts with two accounts in one httpd know nothing of each other."""

import pytest


@pytest.mark.every_mpm
def test_each_host_has_its_own_account_and_messages(server, api, gated_api, fresh, gate, twilio):
    number = fresh.number()
    one, other = fresh.text(), fresh.text()
    api.receive(number, one, fresh.sid())
    gated_api.send(number, other)
    assert [message["body"] for message in api.messages(number)["messages"]] == [one]
    (message,) = gated_api.messages(number)["messages"]
    assert message["body"] == other and message["phoneNumber"] == gated_api.account.number
    assert len(gate.requests_to(number)) == 1 and twilio.requests_to(number) == []


def test_one_sid_may_come_to_both(api, gated_api, fresh):
    number, sid = fresh.number(), fresh.sid()
    for client in (api, gated_api):
        client.receive(number, f"to {client.account.number} this time", sid)
        assert [message["sid"] for message in client.messages(number)["messages"]] == [sid]


def test_a_contact_of_one_is_none_of_the_other(api, gated_api, fresh):
    number = fresh.number()
    contact = api.add_contact(number, "Only here")
    assert contact["id"] not in [each["id"] for each in gated_api.contacts()]
    assert gated_api.delete(f"/contacts/{contact['id']}").status == 404
    gated_api.add_contact(number, "Only there")
    assert contact in api.contacts()


def test_a_webhook_of_one_account_is_refused_by_the_other(server, api, gated_api, fresh):
    server.claim("WA0231")
    before = gated_api.now()
    fields = api.account.inbound(fresh.number(), fresh.text(), fresh.sid())
    # signed by the other account, for the other's URL, and for the right URL with the other's
    # fields
    gated_api.webhook(fields, token=api.account.token, expect=403)
    gated_api.webhook(
        fields,
        token=api.account.token,
        url=api.account.public_url + api.base + "/webhook",
        expect=403,
    )
    gated_api.webhook(fields, expect=403)
    assert gated_api.now() == before


def test_a_cursor_of_one_is_refused_by_the_other(api, gated_api, fresh):
    number = fresh.number()
    for client in (api, gated_api):
        for _ in range(3):
            client.receive(number, fresh.text(), fresh.sid())
    cursor = api.messages(number, limit=1)["cursor"]
    assert gated_api.messages(number, expect=400, cursor=cursor)["code"] == "INVALID_INPUT"
