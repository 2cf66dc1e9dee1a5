# SPDX-License-Identifier: Apache-2.0
"""What the error log says: one line at info for each thing that happens, and never a text, a token
or a full number."""

import re

import pytest

from support.conditions import wait_until

AT_INFO = r"\[whatsapp:info\]"


def masked(number):
    """How a number may be shown: with its middle or its end left out."""
    return re.escape(number[:3])


def one_line(server, mark, *parts):
    """The one info line since the mark that holds all these parts."""

    def find():
        return [
            line
            for line in server.lines(mark, AT_INFO)
            if all(re.search(part, line) for part in parts)
        ]

    wait_until(find, f"a line at info with {parts}")
    found = find()
    assert len(found) == 1, found
    return found[0]


@pytest.mark.every_mpm
def test_a_send_is_one_line(server, api, fresh, twilio):
    mark = server.mark()
    number, text = fresh.number(), fresh.text()
    sid = api.send(number, text)["message"]["sid"]
    line = one_line(server, mark, r"WA0501", sid)
    units = len(text.encode("utf-16-le")) // 2
    assert masked(number) in re.escape(line) and number not in line and number[1:] not in line
    assert (
        re.search(rf"\b{units}\b", line) and re.search(r"\b\d+ ?(ms|us)\b", line) and "201" in line
    )


@pytest.mark.every_mpm
def test_an_inbound_message_is_one_line(server, api, fresh):
    mark = server.mark()
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    api.receive(number, text, sid)
    line = one_line(server, mark, r"WA0511", sid)
    units = len(text.encode("utf-16-le")) // 2
    assert (
        number not in line
        and re.search(rf"\b{units}\b", line)
        and re.search(r"\b\d+ ?(ms|us)\b", line)
    )


def test_a_duplicate_is_one_line_that_says_so(server, api, fresh):
    number, sid, text = fresh.number(), fresh.sid(), fresh.text()
    api.receive(number, text, sid)
    mark = server.mark()
    api.receive(number, text, sid)
    one_line(server, mark, sid, "duplicate")


def test_a_status_callback_is_one_line(server, api, fresh):
    number = fresh.number()
    sid = api.send(number, fresh.text())["message"]["sid"]
    mark = server.mark()
    api.webhook(api.account.status(number, sid, "delivered"))
    line = one_line(server, mark, sid, "delivered")
    assert number not in line


def test_a_refused_webhook_is_one_line_without_the_signature(server, api, fresh):
    mark = server.mark()
    number, text = fresh.number(), fresh.text()
    api.plant(number, text)
    wrong = "wrongSignature0123456789abc="
    server.claim("WA0231")
    server.secrets.add(wrong)
    api.webhook(api.account.inbound(number, text, fresh.sid()), signature=wrong, expect=403)
    wait_until(lambda: server.lines(mark, r"whatsapp:.*signature"), "a line about the signature")
    assert len(server.lines(mark, r"whatsapp:.*signature")) == 1
    assert not any(wrong in line for line in server.lines(mark))


def test_a_send_that_twilio_refuses_is_one_line_with_its_code(server, api, fresh, twilio):
    mark = server.mark()
    number, text = fresh.number(), fresh.text()
    twilio.fail(number, "refuse", code=21610)
    api.send(number, text, expect=502)
    one_line(server, mark, r"WA0501", "21610")


def test_bad_input_logs_nothing_above_debug_that_shows_it(server, api, fresh):
    """Nothing above info (the fixture sees to that), and nothing of what was typed at any level."""
    planted = "planted-in-bad-input-" + fresh.text()
    server.secrets.add(planted)
    mark = server.mark()
    for document in (
        {"phoneNumber": planted, "message": "hello there"},
        {"phoneNumber": fresh.number(), "message": [planted]},
        {"phoneNumber": fresh.number(), "message": planted * 200},
    ):
        assert api.post("/send", document).status == 400
    api.post("/contacts", {"phoneNumber": planted, "displayName": planted})
    api.get("/messages", {"counterpart": planted})
    api.get("/messages-since", {"since": planted})
    assert not any(planted[:20] in line for line in server.lines(mark))


def test_control_characters_from_outside_cannot_forge_a_line(server, api, fresh):
    mark = server.mark()
    forged = "x\r\n[Sun Jan 01 00:00:00.000000 2030] [core:emerg] forged by a sender"
    api.webhook(
        api.account.inbound(
            forged, "hello from a forger", fresh.sid(), ProfileName=forged, WaId=None
        ),
        expect=None,  # such a From may be no form of Twilio's; the line about it is what counts
    )
    server.claim("WA0237", required=False)
    api.webhook(api.account.inbound(fresh.number(), forged, fresh.sid(), MessageType=forged))
    number = fresh.number()
    sid = api.send(number, fresh.text())["message"]["sid"]
    api.webhook(api.account.status(number, sid, forged, ErrorCode=forged))
    assert not [line for line in server.lines(mark) if line.startswith("[Sun Jan 01")]


@pytest.mark.every_mpm
def test_tokens_are_in_no_process_argument_and_no_log(server, api, fresh):
    api.send(fresh.number(), fresh.text())
    for pid in [server.process.pid] + server.children():
        with open(f"/proc/{pid}/cmdline", "rb") as arguments:
            assert api.account.token.encode() not in arguments.read()
    server.check_secrets()


def test_the_check_for_secrets_finds_one(new_server, fresh):
    """The check itself works: what is written to the log is found."""
    with new_server() as server:
        api = server.client()
        number = fresh.number()
        api.send(number, fresh.text())
        with open(server.directory / "logs" / "extra.log", "w", encoding="utf-8") as extra:
            extra.write(f"a line with {number} in it\n")
        with pytest.raises(AssertionError, match="extra.log shows"):
            server.check_secrets()
        (server.directory / "logs" / "extra.log").unlink()


def test_an_unclaimed_warning_is_found(new_server):
    """The gate works: a line of level warn or above that nobody claimed fails."""
    with new_server() as server:
        server.secrets.add("nothing is planted in this server")
        with open(server.error_log, "a", encoding="utf-8") as log:
            log.write(
                "[Sun Jan 01 00:00:00.000000 2026] [whatsapp:warn] [pid 1:tid 1] WA0999: a test\n"
            )
        with pytest.raises(AssertionError, match="WA0999"):
            server.check_log(0)
        server.claim("WA0999", required=False)
        server.check_log(0)
        with open(server.error_log, "a", encoding="utf-8") as log:
            log.write(
                "[Sun Jan 01 00:00:00.000000 2026] [core:notice] [pid 1:tid 1] AH00052: "
                "child pid 7 exit signal Segmentation fault (11)\n"
            )
        with pytest.raises(AssertionError, match="Segmentation"):
            server.check_log(0)
        text = server.error_log.read_text(encoding="utf-8")
        server.error_log.write_text(
            "\n".join(line for line in text.splitlines() if "Segmentation" not in line) + "\n",
            encoding="utf-8",
        )
