# SPDX-License-Identifier: Apache-2.0
"""Against real counterparts: Twilio's own library signs webhooks that the module takes, checks the
module's callback addresses, and finds the simulator to speak as Twilio does."""

import json
import pathlib
import subprocess

import pytest

DIRECTORY = pathlib.Path(__file__).resolve().parents[1] / "npm"


def ask(order, **more):
    """What tests/npm/twilio.mjs answers."""
    assert (
        DIRECTORY / "node_modules" / "twilio"
    ).is_dir(), "run make check-http: it installs twilio"
    done = subprocess.run(
        ["node", "twilio.mjs"],
        cwd=DIRECTORY,
        input=json.dumps({"order": order, **more}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sign(api, fields, token=None, path=None):
    return ask(
        "sign",
        token=token or api.account.token,
        url=api.account.public_url + (path or f"{api.base}/webhook"),
        params=fields,
    )


@pytest.fixture
def account(twilio):
    return {"sid": twilio.account.sid, "token": twilio.account.token, "base": twilio.url}


TEXTS = [
    "Hola 👋 1+1=2 & more",
    "",
    "  white\tspace\r\n",
    "%41+b;c=d&e",
    "ünïcödé ﷽ \u202e",
    "'\"<&>",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_what_twilio_signs_is_taken(api, fresh, text):
    number, sid = fresh.number(), fresh.sid()
    fields = api.account.inbound(number, text, sid)
    api.plant(number)
    api.webhook(fields, signature=sign(api, fields))
    assert api.messages(number)["messages"][0]["sid"] == sid


def test_a_signed_receipt_with_a_query_is_taken(api, fresh):
    sent = api.send(fresh.number(), fresh.text())["message"]
    fields = api.account.status(sent["counterpart"], sent["sid"], "delivered")
    target = f"{api.base}/webhook?message={sent['id']}"
    api.webhook(fields, signature=sign(api, fields, path=target), target=target)
    assert api.messages(sent["counterpart"])["messages"][0]["deliveryStatus"] == "delivered"


@pytest.mark.parametrize("change", ["token", "field", "added", "path"])
def test_what_twilio_did_not_sign_is_refused(api, server, fresh, change):
    number = fresh.number()
    api.plant(number)
    fields = api.account.inbound(number, "a text that was signed", fresh.sid())
    signature = sign(
        api,
        fields,
        token="0" * 32 if change == "token" else None,
        path="/elsewhere" if change == "path" else None,
    )
    if change == "field":
        fields["Body"] += "!"
    if change == "added":
        fields["Extra"] = "x"
    server.claim("WA0231")
    api.webhook(fields, signature=signature, expect=403)
    assert api.messages(number)["messages"] == []


def test_the_tests_own_signatures_are_twilios(api, fresh):
    fields = api.account.inbound(fresh.number(), TEXTS[0], fresh.sid())
    url = f"{api.account.public_url}{api.base}/webhook"
    good = sign(api, fields)
    assert ask("validate", token=api.account.token, signature=good, url=url, params=fields) is True
    bad = ask("validate", token=api.account.token, signature=good, url=url + "?x", params=fields)
    assert bad is False


def test_the_simulator_takes_what_twilios_library_sends(account, twilio, fresh):
    number = fresh.number()
    answer = ask(
        "create",
        **account,
        message={
            "to": f"whatsapp:{number}",
            "from": f"whatsapp:{twilio.account.number}",
            "body": TEXTS[0],
            "statusCallback": "https://chat.example.org/hook?message=1",
        },
    )["message"]
    assert answer["status"] == "queued" and answer["direction"] == "outbound-api"
    assert answer["body"] == TEXTS[0] and answer["accountSid"] == account["sid"]
    assert answer["dateCreated"].endswith("Z"), "the library could read the date"
    (request,) = twilio.requests_to(number)
    assert request["StatusCallback"] == "https://chat.example.org/hook?message=1"


@pytest.mark.parametrize(
    "message, code",
    [
        ({"body": "x" * 1601}, 21617),
        ({"to": "whatsapp:nobody"}, 21211),
        ({"from": "whatsapp:+14155550000"}, 63007),
        ({"statusCallback": "https://under_score.example/x"}, 21609),
    ],
    ids=["length", "to", "from", "callback"],
)
def test_the_simulators_refusals_are_errors_to_twilios_library(
    account, twilio, fresh, message, code
):
    twilio.allow(code)
    answer = ask(
        "create",
        **account,
        message={
            "to": f"whatsapp:{fresh.number()}",
            "from": f"whatsapp:{twilio.account.number}",
            "body": "x",
            **message,
        },
    )
    assert answer["name"] == "RestException" and answer["status"] == 400
    assert answer["code"] == code and answer["moreInfo"].endswith(f"/errors/{code}")


def test_wrong_credentials_are_refused(account, twilio, fresh):
    answer = ask(
        "create", **{**account, "token": "f" * 32}, message={"to": "whatsapp:+15550000001"}
    )
    assert (answer["status"], answer["code"]) == (401, 20003)


def test_lists_pages_and_media_are_what_twilios_library_expects(account, twilio, fresh):
    number = fresh.number()
    sids = [
        twilio.inbound(From=number, Body=f"text {index}", deliver=False, seconds_ago=600 - index)
        for index in range(7)
    ]
    old = twilio.inbound(From=number, Body="old", deliver=False, seconds_ago=86400 * 3)["sid"]
    picture = twilio.inbound(
        From=number, deliver=False, media=[{"content_type": "image/png"}, {"content_type": "a/b"}]
    )["sid"]
    listed = ask("list", **account, filter={"from": f"whatsapp:{number}", "pageSize": 2})
    assert [each["sid"] for each in listed] == [picture, old] + [e["sid"] for e in sids[::-1]]
    assert {each["direction"] for each in listed} == {"inbound"}
    recent = ask(
        "list",
        **account,
        filter={"from": f"whatsapp:{number}", "dateSentAfter": listed[-1]["dateSent"]},
    )
    assert len(recent) == 8 and old not in [each["sid"] for each in recent]
    fetched = ask("fetch", **account, message=picture)
    assert fetched["message"]["numMedia"] == "2"
    assert [each["contentType"] for each in fetched["media"]] == ["image/png", "a/b"]
    assert {each["parentSid"] for each in fetched["media"]} == {picture}


def test_what_the_module_sends_is_what_twilios_library_sends(api, account, twilio, fresh):
    """The same message by both: the same fields, and the same message at Twilio."""
    ours, theirs, text = fresh.number(), fresh.number(), TEXTS[0]
    api.send(ours, text)
    (sent,) = twilio.requests_to(ours)
    ask(
        "create",
        **account,
        message={
            "to": f"whatsapp:{theirs}",
            "from": f"whatsapp:{twilio.account.number}",
            "body": text,
            "statusCallback": sent["StatusCallback"],
        },
    )
    (other,) = twilio.requests_to(theirs)
    assert {**sent, "To": None} == {**other, "To": None}
