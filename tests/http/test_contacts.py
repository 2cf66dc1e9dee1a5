# SPDX-License-Identifier: Apache-2.0
"""Contacts: made, renamed, deleted, unique by number, and joined to what is read."""

import json
import uuid

import pytest

from support.conditions import in_parallel
from test_send_input import WHITE_SPACE


@pytest.mark.every_mpm
def test_a_contact_is_made_renamed_and_deleted(api, fresh):
    number = fresh.number()
    before = api.now()
    contact = api.add_contact(number, "Ana Gómez")
    assert set(contact) == {"id", "phoneNumber", "displayName", "createdAt", "updatedAt"}
    assert str(uuid.UUID(contact["id"], version=4)) == contact["id"]
    assert contact["phoneNumber"] == number and contact["displayName"] == "Ana Gómez"
    assert contact["createdAt"] == contact["updatedAt"] > before
    assert contact in api.contacts()

    renamed = api.patch(f"/contacts/{contact['id']}", {"displayName": "Ana G."})
    assert renamed.status == 200
    renamed = renamed.json()["contact"]
    assert renamed["updatedAt"] > contact["updatedAt"]
    assert renamed == {**contact, "displayName": "Ana G.", "updatedAt": renamed["updatedAt"]}
    assert renamed in api.contacts() and contact not in api.contacts()

    gone = api.delete(f"/contacts/{contact['id']}")
    assert gone.status == 200 and gone.json() == {"success": True}
    assert contact["id"] not in [each["id"] for each in api.contacts()]
    assert api.delete(f"/contacts/{contact['id']}").status == 404
    assert api.patch(f"/contacts/{contact['id']}", {"displayName": "Nobody"}).status == 404


def test_contacts_are_listed_by_name(api, fresh):
    names = ["delta", "Alpha", "charlie", "Bravo", "alpha", "Échalote", "Zulu", "9 lives"]
    made = {api.add_contact(fresh.number(), f"order {name}")["id"] for name in names}
    listed = [contact["displayName"][6:] for contact in api.contacts() if contact["id"] in made]
    assert [name.lower() for name in listed] == [
        "9 lives",
        "alpha",
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "zulu",
        "échalote",
    ]


def test_a_second_contact_with_a_number_is_refused(api, fresh):
    number = fresh.number()
    first = api.add_contact(number, "The first")
    for typed in (
        number,
        f"whatsapp:{number}",
        f"{number[:3]} {number[3:]}",
        f"{number[:5]}-({number[5:]})",
        f"\u202a{number[:2]} (0){number[2:]}\u202c",
    ):
        refusal = api.add_contact(typed, "The second", expect=400)
        assert refusal["code"] == "INVALID_INPUT"
    assert [contact for contact in api.contacts() if contact["phoneNumber"] == number] == [first]
    api.delete(f"/contacts/{first['id']}")
    again = api.add_contact(number, "The third")
    assert again["id"] != first["id"]


@pytest.mark.every_mpm
def test_fifty_creates_of_one_number_make_one_contact(api, fresh):
    number = fresh.number()
    api.plant(number)
    answers = in_parallel(
        50,
        lambda index: api.post(
            "/contacts", {"phoneNumber": number, "displayName": f"Racer {index}"}
        ),
    )
    won = [answer.json()["contact"] for answer in answers if answer.status == 200]
    assert len(won) == 1
    assert sorted({answer.status for answer in answers}) == [200, 400]
    assert [contact for contact in api.contacts() if contact["phoneNumber"] == number] == won


def test_fifty_renames_and_a_delete_leave_nothing_behind(api, fresh):
    number = fresh.number()
    contact = api.add_contact(number, "Soon gone")
    path = f"/contacts/{contact['id']}"

    def act(index):
        return (
            api.delete(path) if index == 25 else api.patch(path, {"displayName": f"Name {index}"})
        )

    answers = in_parallel(50, act)
    assert {answer.status for answer in answers} <= {200, 404}
    assert answers[25].status == 200
    assert number not in [each["phoneNumber"] for each in api.contacts()]
    api.add_contact(number, "Free again")


@pytest.mark.parametrize(
    "name, kept",
    [
        ("  Ana  ", "Ana"),
        ("\u3000\u2003Ana Gómez\u00a0\n", "Ana Gómez"),
        ("A", "A"),
        ("x" * 100, "x" * 100),
        ("\U0001f600" * 50, "\U0001f600" * 50),
        (" " * 500 + "y" * 100, "y" * 100),
        ("a  b", "a  b"),
        (" \u200eAna\u200f ", "\u200eAna\u200f"),
        ('"<b>\\', '"<b>\\'),
    ],
    ids=lambda value: ascii(value[:12]),
)
def test_a_name_is_trimmed_and_kept(api, fresh, name, kept):
    contact = api.add_contact(fresh.number(), name)
    assert contact["displayName"] == kept
    assert contact in api.contacts()
    renamed = api.patch(f"/contacts/{contact['id']}", {"displayName": name + "\t"}).json()[
        "contact"
    ]
    assert renamed["displayName"] == kept


BAD_NAMES = [
    '""',
    '" "',
    '"\\n\\t"',
    json.dumps("".join(map(chr, WHITE_SPACE))),
    json.dumps("x" * 101),
    json.dumps("\U0001f600" * 50 + "a"),
    '"\\u200b"',
    '" \\u2800\\u3164 "',
    "null",
    "5",
    "true",
    "[]",
    "{}",
    '"a\\u0000b"',
    '"\\ud83d"',
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda text: text[:16])
def test_a_name_that_is_none_is_refused(api, fresh, name):
    number = fresh.number()
    headers = {"Content-Type": "application/json"}
    body = b'{"phoneNumber":"%s","displayName":%s}' % (number.encode(), name.encode())
    response = api.request("POST", "/contacts", body=body, headers=headers)
    assert response.status == 400
    contact = api.add_contact(number, "Still free")
    response = api.request(
        "PATCH",
        f"/contacts/{contact['id']}",
        body=b'{"displayName":%s}' % name.encode(),
        headers=headers,
    )
    assert response.status == 400
    assert contact in api.contacts()


@pytest.mark.parametrize(
    "typed", ["", "15550001111", "+0155500011", "+1", "hello", "US.abcdef", "+1555000111122223"]
)
def test_a_contact_needs_a_phone_number(api, typed):
    response = api.post("/contacts", {"phoneNumber": typed, "displayName": "Nobody"})
    assert response.status == 400
    assert "phoneNumber" in response.json()["error"]


@pytest.mark.parametrize(
    "document, field",
    [({"displayName": "Nobody"}, "phoneNumber"), ({"phoneNumber": "+15550001111"}, "displayName")],
)
def test_a_missing_member_is_named(api, document, field):
    response = api.post("/contacts", document)
    assert response.status == 400
    assert field in response.json()["error"]


def test_a_contact_is_joined_when_read(api, fresh):
    """A contact made, renamed or deleted later shows at once in threads and in old messages."""
    number = fresh.number()
    received = fresh.text()
    api.receive(number, received, fresh.sid())
    api.send(number, fresh.text())
    assert all("contactId" not in message for message in api.messages(number)["messages"])
    start = api.messages(number)["messages"][1]["timestamp"] - 1
    contact = api.add_contact(number, "Known now")
    assert [message["contactId"] for message in api.messages(number)["messages"]] == [
        contact["id"]
    ] * 2
    assert all(
        message["contactId"] == contact["id"]
        for message in api.since(start)["messages"]
        if message["counterpart"] == number
    )
    assert (api.thread(number)["contactId"], api.thread(number)["contactName"]) == (
        contact["id"],
        "Known now",
    )
    api.patch(f"/contacts/{contact['id']}", {"displayName": "Known better"})
    assert api.thread(number)["contactName"] == "Known better"
    assert api.mark_read(number)["thread"]["contactName"] == "Known better"
    api.delete(f"/contacts/{contact['id']}")
    assert all("contactId" not in message for message in api.messages(number)["messages"])
    thread = api.thread(number)
    assert "contactId" not in thread and "contactName" not in thread
    assert thread["messageCount"] == 2


def test_a_send_to_a_contact_carries_its_id(api, fresh):
    number = fresh.number()
    contact = api.add_contact(number, "Addressee")
    assert api.send(number, fresh.text())["message"]["contactId"] == contact["id"]
    assert (
        api.send(number, fresh.text(), contactId=contact["id"])["message"]["contactId"]
        == contact["id"]
    )


def test_a_contact_without_messages_has_no_thread(api, fresh):
    number = fresh.number()
    api.add_contact(number, "Quiet")
    assert api.thread(number) is None
