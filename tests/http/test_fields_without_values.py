# SPDX-License-Identifier: Apache-2.0
"""Signed forms and stored private parts whose fields have no '=', no value, or come twice: none
of them ends a child."""

import json
import os
import subprocess

import pytest

from support.httpd import Account, messenger, module_path, server_user
from support.signing import encode_form

# Every name that api/webhook.c and messaging/ read of a form.
READ = (
    "AccountSid From ExternalUserId WaId To MessageSid SmsSid SmsMessageSid MessageStatus SmsStatus"
    " ErrorCode NumMedia MediaUrl0 MediaUrl1 MediaUrl9 MediaContentType0 MediaContentType1 Body"
    " ButtonText ListTitle ButtonPayload ListId Latitude Longitude Label Address MessageType"
    " OptOutType DateSent ReferralNumMedia"
).split()

SHAPES = {
    "no =": lambda name, value: [name],
    "empty": lambda name, value: [name + "="],
    "only empty parts": lambda name, value: ["", name, "", name, ""],
    "first no =, then a value": lambda name, value: [name, f"{name}={value}"],
    "first a value, then no =": lambda name, value: [f"{name}={value}", name],
    "a NUL": lambda name, value: [name + "=%00"],
}


def parts_of(fields):
    """A form in pieces: {name: "name=value"}."""
    return dict(zip([name for name, _ in fields], encode_form(fields).decode("ascii").split("&")))


def forms(account, number, fresh):
    """An inbound message with everything, and a receipt."""
    inbound = account.inbound(
        number,
        "text",
        fresh.sid("MM"),
        NumMedia="2",
        MediaUrl0="https://api.twilio.com/a",
        MediaContentType0="image/png",
        MediaUrl1="https://api.twilio.com/b",
        MediaContentType1="video/mp4",
        Latitude="1",
        Longitude="2",
        Label="l",
        Address="a",
        ButtonText="b",
        OptOutType="STOP",
    )
    status = account.status(number, fresh.sid(), "delivered", ErrorCode="63016")
    return [list(form.items()) if isinstance(form, dict) else form for form in (inbound, status)]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_field_without_its_value_ends_a_child(new_server, fresh, shape):
    with new_server() as server:
        api = server.client()
        children, mark = server.children(), server.mark()
        assert children
        server.claim("WA0231", "WA0237", "WA0150", required=False)
        for name in READ:
            for form in forms(api.account, fresh.number(), fresh):
                parts = parts_of(form)
                value = parts.pop(name, "=x").partition("=")[2]
                body = "&".join([*SHAPES[shape](name, value), *parts.values()]).encode("ascii")
                answer = api.webhook([], body=body, expect=None)
                assert answer.status in (200, 400, 403), (name, answer)
                # Where the field comes last, nothing follows its name at all.
                body = "&".join([*parts.values(), *SHAPES[shape](name, value)]).encode("ascii")
                assert api.webhook([], body=body, expect=None).status in (200, 400, 403), name
        assert set(children) <= set(server.children()), "a child ended"
        assert not server.lines(mark, r"exit signal|AH00051|AH00052")


def everything_read(api, thread):
    """GETs all that there is of a thread."""
    api.threads()
    for message in api.all_messages(thread):
        for n in range(11):
            answer = api.get(f"/messages/{message['id']}/media/{n}", check=False)
            assert answer.status in (404, 502), answer
        yield message


PRIVATE = [
    "MediaUrl0",
    "MediaUrl0&MediaContentType0",
    "MediaUrl0=&MediaUrl1&MediaContentType1=",
    "MediaUrl0=http%3A%2F%2F127.0.0.1%3A1%2Fnot-twilio&MediaContentType0",
    "DateSent&MediaUrl0&OptOutType",
    "&&&MediaUrl0&&",
    "=&=x&MediaUrl0",
    "%&%0&MediaUrl0%",
    "1;",
    "2;;;",
    "3;;;;;",
    "3;;;;;1:2:3",
    "1;9;;=,=;",
    ";",
]


def test_loaded_private_parts_without_values_do_not_end_a_child(make_server, fresh, twilio):
    number = fresh.number()
    lines = []
    for n, private in enumerate(PRIVATE):
        for direction in ("received", "sent"):
            value = {
                "id": f"{direction}-{n}",
                "counterpart": number,
                "direction": direction,
                "phoneNumber": "+15550001111",
                "body": "STOP" if n % 2 else "x",
                "timestamp": 1700000000000 + n * 2 + (direction == "sent"),
                "store": {"private": private, "preview": "x"},
            }
            if direction == "sent":
                value.update(status="pending")
            key = f"msg:{number}:{value['timestamp']}:{value['id']}"
            lines.append(json.dumps({"key": key, "value": value}))
    server = make_server(
        lambda httpd: messenger(httpd.account, httpd.directory / "store", twilio.url),
        account=Account(),
    )
    store = server.directory / "store"
    tool = [module_path().parent / "whatsappctl", "--store", store]
    words = ["load", "-", "--account-sid", server.account.sid]
    words += ["--user", server_user().pw_name] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*tool, *words], input="\n".join(lines), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    dumped = subprocess.run([*tool, "dump"], capture_output=True, text=True, timeout=60)
    assert dumped.returncode == 0 and f"{len(lines)} messages" in dumped.stderr, dumped.stderr
    server.claim("WA0304", required=False)  # where an address is none of Twilio's
    with server:
        api, children = server.client(), server.children()
        seen = list(everything_read(api, number))
        assert len(seen) == len(lines)
        # A late "START" looks through what came after it: all of these.
        api.webhook(api.account.inbound(number, "START", fresh.sid(), OptOutType="START"))
        api.webhook(api.account.inbound(number, "STOP", fresh.sid(), OptOutType="STOP"))
        assert set(children) <= set(server.children()), "a child ended"
        assert not server.lines(0, r"exit signal")
