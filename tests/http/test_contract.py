# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml itself: complete, sound, and strict enough to catch an answer that is not as
promised."""

import copy

import pytest
from jsonschema import Draft202012Validator

from support.contract import STATUS_OF_CODE

OPERATIONS = {
    ("POST", "/send"),
    ("GET", "/messages"),
    ("GET", "/messages/{id}"),
    ("GET", "/messages/{id}/media/{n}"),
    ("GET", "/messages-since"),
    ("GET", "/threads"),
    ("GET", "/contacts"),
    ("POST", "/contacts"),
    ("PATCH", "/contacts/{id}"),
    ("DELETE", "/contacts/{id}"),
    ("POST", "/threads/{counterpart}/read"),
    ("POST", "/threads/{counterpart}/block"),
    ("POST", "/threads/{counterpart}/unblock"),
    ("POST", "/webhook"),
}


def walk(node, path=()):
    """Every (path, node) of a document."""
    yield path, node
    if isinstance(node, dict):
        for name, child in node.items():
            yield from walk(child, path + (name,))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from walk(child, path + (index,))


def test_it_has_every_endpoint_and_no_other(contract):
    assert {(method, template) for method, template, _ in contract.operations()} == OPERATIONS


def test_every_reference_leads_somewhere(contract):
    count = 0
    for path, node in walk(contract.document):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target = contract.document
            assert node["$ref"].startswith("#/"), path
            for part in node["$ref"][2:].split("/"):
                assert part in target, (path, node["$ref"])
                target = target[part]
            count += 1
    assert count > 20


def test_every_schema_is_one(contract):
    count = 0
    for path, node in walk(contract.document):
        if path and (
            path[-1] == "schema" or path[:2] == ("components", "schemas") and len(path) == 3
        ):
            Draft202012Validator.check_schema(node)
            count += 1
    assert count > 20


def test_every_operation_says_how_it_fails(contract):
    for method, template, operation in contract.operations():
        statuses = set(operation["responses"])
        assert "200" in statuses, template
        if method in ("POST", "PATCH") and "requestBody" in operation:
            assert {"400", "413", "503"} <= statuses, (method, template)
        if "requestBody" in operation and "application/json" in operation["requestBody"]["content"]:
            assert "415" in statuses, (method, template)
        if "{" in template:
            assert "404" in statuses, (method, template)


@pytest.mark.parametrize("code", STATUS_OF_CODE)
def test_every_error_code_is_known(contract, code):
    assert any(node == code for _, node in walk(contract.document)), code


@pytest.fixture
def answers(api, fresh):
    """A good answer of each kind."""
    number = fresh.number()
    contact = api.add_contact(number, "Under contract")
    api.receive(
        number,
        "an inbound message with a picture",
        fresh.sid("MM"),
        NumMedia="1",
        MediaUrl0="https://api.twilio.com/x",
        MediaContentType0="image/png",
    )
    start = api.now()
    sent = api.send(number, "an answer to that")
    for _ in range(3):
        api.send(number, "more than one page")
    # a page that is not complete, and one that is
    return [
        ("POST", "/send", sent),
        ("GET", "/messages", api.messages(number, limit=2)),
        ("GET", "/messages", api.messages(number)),
        ("GET", "/messages/x", api.get(f"/messages/{sent['message']['id']}").json()),
        ("GET", "/messages-since", api.since(start - 1)),
        ("GET", "/threads", api.get("/threads").json()),
        ("GET", "/contacts", api.get("/contacts").json()),
        ("POST", "/threads/x/read", api.mark_read(number)),
        (
            "PATCH",
            "/contacts/x",
            api.patch(f"/contacts/{contact['id']}", {"displayName": "Renamed"}).json(),
        ),
        ("DELETE", "/contacts/x", {"success": True}),
    ]


def test_an_answer_that_is_not_as_promised_is_caught(contract, answers):
    """Each member left out, added, or of another type makes the answer wrong, unless the member is
    optional."""
    optional = {
        "cursor",
        "status",
        "errorMessage",
        "contactId",
        "unread",
        "sid",
        "deliveryStatus",
        "errorCode",
        "media",
        "contactName",
        "windowClosesAt",
        "optedOut",
        "blocked",
        "type",
        "profileName",
    }
    count = 0
    for method, path, good in answers:
        contract.check_json(method, path, 200, good)
        for where, node in list(walk(good)):
            if not isinstance(node, dict):
                continue
            for name in list(node) + ["surprise"]:
                for change in ("drop", "retype"):
                    if change == "drop" and (name in optional or name == "surprise"):
                        continue
                    bad = copy.deepcopy(good)
                    target = bad
                    for part in where:
                        target = target[part]
                    if change == "drop":
                        del target[name]
                    else:
                        target[name] = {"no": "such"}
                    with pytest.raises(AssertionError):
                        contract.check_json(method, path, 200, bad)
                    count += 1
            if count > 2000:
                break
    assert count > 100
