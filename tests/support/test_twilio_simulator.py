# SPDX-License-Identifier: Apache-2.0
"""The simulator speaks as Twilio does, fails as told, and signs what it sends."""

import base64
import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import urllib.parse

import pytest

import twilio_modes
import twilio_signing
from twilio_simulator import ACCOUNT_SID, AUTH_TOKEN, NUMBER, TwilioSimulator

HERE = pathlib.Path(__file__).parent
THEIRS = "+15551230001"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
GOOD = {"To": f"whatsapp:{THEIRS}", "From": f"whatsapp:{NUMBER}", "Body": "héllo 👋 & more"}


@pytest.fixture(scope="module")
def running():
    with TwilioSimulator() as simulator:
        yield simulator


@pytest.fixture
def twilio(running):
    running.reset()
    yield running
    running.reset()


class Receiver:
    """A webhook that keeps what it gets and answers 200, or `status`."""

    def __init__(self):
        self.got = []
        self.status = 200
        self.changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.changed:
                    outer.got.append(
                        {
                            "target": self.path,
                            "headers": dict(self.headers),
                            "body": body,
                            "fields": dict(urllib.parse.parse_qsl(body.decode(), True)),
                        }
                    )
                    outer.changed.notify_all()
                answer = b"<Response></Response>"
                self.send_response(outer.status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, 20), self.got
        return self.got

    def is_signed(self, entry, token=AUTH_TOKEN):
        return entry["headers"].get("X-Twilio-Signature") == twilio_signing.sign(
            token, self.url + entry["target"], twilio_signing.form_pairs(entry["body"])
        )


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def ask(
    twilio, method, target, fields=None, user=ACCOUNT_SID, password=AUTH_TOKEN, connection=None
):
    """One request on the API side: (status, headers, body)."""
    used = connection or http.client.HTTPConnection(twilio.url.partition("//")[2], timeout=20)
    body = None if fields is None else urllib.parse.urlencode(fields, doseq=True)
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    used.request(
        method,
        target,
        body,
        {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {basic}"},
    )
    answer = used.getresponse()
    result = answer.status, dict(answer.headers), answer.read()
    if not connection:
        used.close()
    return result


def create(twilio, connection=None, **changes):
    fields = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    status, headers, body = ask(twilio, "POST", MESSAGES + ".json", fields, connection=connection)
    return status, headers, json.loads(body)


# ---- Signing ----


def test_signing_agrees_with_the_recorded_vectors():
    vectors = json.loads((HERE.parent / "signature-vectors.json").read_text())
    checked = 0
    for vector in vectors:
        if "json" in vector["content_type"] or "nul" in vector["name"]:
            continue
        url = vector["url"]
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        bare, _, port = host.partition(":")
        default = {"https": "443"}.get(scheme, "80")
        urls = {f"{scheme}://{bare}/{path}", f"{scheme}://{bare}:{port or default}/{path}"}
        pairs = (
            twilio_signing.form_pairs(vector["raw_body"].encode())
            if vector["method"] == "POST"
            else []
        )
        matches = vector["signature"] in {
            twilio_signing.sign(vector["auth_token"], u, pairs) for u in urls
        }
        assert matches == vector["valid"], vector["name"]
        checked += 1
    assert checked > 55


# ---- Taking messages ----


def test_created_message_looks_like_twilios(twilio):
    status, headers, message = create(twilio)
    assert status == 201
    assert headers["Twilio-Request-Id"].startswith("RQ")
    assert message["sid"].startswith("SM") and len(message["sid"]) == 34
    assert message["status"] == "queued" and message["direction"] == "outbound-api"
    assert message["num_media"] == "0" and message["num_segments"] == "1"
    assert message["body"] == GOOD["Body"] and message["error_code"] is None
    assert message["date_created"].endswith("+0000") and message["date_sent"] is None
    assert ask(twilio, "GET", f"{MESSAGES}/{message['sid']}.json")[0] == 200
    seen = twilio.requests()
    assert len(seen) == 2 and seen[0]["form"]["Body"] == [GOOD["Body"]]
    assert seen[0]["problems"] == [] and "authorization" not in seen[0]["headers"]


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"To": None}, 21604),
        ({"To": "nonsense"}, 21211),
        ({"To": "+15551230001"}, 21211),
        ({"To": "whatsapp:+0555"}, 21211),
        ({"From": None}, 21603),
        ({"From": "x"}, 21212),
        ({"From": "whatsapp:+15550000000"}, 63007),
        ({"From": NUMBER}, 63007),
        ({"Body": None}, 21619),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"Body": "👋" * 801}, 21617),
        ({"MediaUrl": ["https://a.example/1"] * 11}, 21623),
        ({"MediaUrl": "nonsense"}, 21620),
        ({"ContentSid": "HX" + "0" * 32}, 21655),
        ({"Body": None, "ContentSid": "HX1"}, 21655),
        ({"ContentVariables": "{}"}, 21654),
        ({"Body": None, "ContentSid": "HX" + "0" * 32, "ContentVariables": "["}, 21656),
        ({"Body": None, "ContentSid": "HX" + "0" * 32, "ContentVariables": '{"1": 2}'}, 21656),
        (
            {
                "Body": None,
                "ContentSid": "HX" + "0" * 32,
                "ContentVariables": json.dumps({"1": "x" * 1601}),
            },
            21658,
        ),
        ({"StatusCallback": "ftp://a.example/"}, 21609),
        ({"StatusCallback": "https://a_b.example/"}, 21609),
        ({"StatusCallback": "https://a.example/" + "x" * 4000}, 21609),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "36001"}, 20001),
        ({"Body": b"\xff"}, 20001),
    ],
)
def test_what_twilio_refuses(twilio, changes, code):
    status, _, error = create(twilio, **changes)
    assert (status, error["code"], error["status"]) == (400, code, 400)
    assert error["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert twilio.stats()["messages"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"Body": "x" * 1600},
        {"Body": "👋" * 800},
        {"To": "whatsapp:US.1a2B3c"},
        {"ValidityPeriod": "36000"},
        {"StatusCallback": "http://127.0.0.1:8080/hook?id=1"},
        {"StatusCallback": "https://user:pw@h.example/x#rc=3"},
        {"Body": None, "MediaUrl": ["https://a.example/1", "https://a_b.example/2"]},
        {"Body": None, "ContentSid": "HX" + "0" * 32, "ContentVariables": '{"1": "Ana"}'},
    ],
)
def test_what_twilio_takes(twilio, changes):
    assert create(twilio, **changes)[0] == 201


def test_who_may_send(twilio):
    assert ask(twilio, "POST", MESSAGES + ".json", GOOD, password="wrong")[0] == 401
    assert ask(twilio, "POST", MESSAGES.replace("0001", "0002") + ".json", GOOD)[0] == 404
    assert ask(twilio, "PUT", MESSAGES + ".json", GOOD)[0] == 405
    assert ask(twilio, "GET", "/2010-04-01/Accounts")[0] == 404
    assert twilio.stats()["messages"] == 0


def test_fields_that_only_a_wrong_client_sends_are_noted(twilio):
    fields = {**GOOD, "MediaUrl[0]": "https://a.example/1", "body": "x"}
    assert ask(twilio, "POST", MESSAGES + ".json", fields)[0] == 201
    assert twilio.requests()[0]["problems"] == ["unknown field MediaUrl[0]", "unknown field body"]


URL = "https://files.example/"


@pytest.mark.parametrize(
    "body, urls, text, problems",
    [
        ("hi", [], "hi", 0),
        ("hi", ["a.jpg"], "hi", 0),
        ("hi", ["a.JPG?x=.pdf#y.ogg"], "hi", 0),
        ("hi", ["a%2emp4"], "hi", 0),
        ("x" * 1024, ["a.png"], "x" * 1024, 0),
        ("x" * 1025, ["a.png"], None, 1),
        (None, ["a.pdf"], None, 0),
        ("hi", ["a.pdf"], None, 1),
        ("hi", ["a.ogg"], None, 1),
        ("hi", ["a.vcf"], None, 1),
        ("hi", ["a.webp"], None, 1),
        ("hi", ["unknown"], None, 1),
        (None, ["a.jpg", "b.jpg"], None, 1),
        ("hi", ["a.jpg", "b.jpg"], "hi", 1),
    ],
)
def test_what_the_customer_sees(twilio, body, urls, text, problems):
    urls = [URL + each for each in urls]
    _, _, made = create(twilio, Body=body, MediaUrl=urls or None)
    (message,) = twilio.messages()
    assert message["shown"] == {"text": text, "media": urls[0] if urls else None}
    assert message["media_urls"] == urls[:1] and made["num_media"] == str(len(urls[:1]))
    assert len(twilio.requests()[0]["problems"]) == problems


# ---- Lists and media ----


def test_list_pages_and_filters(twilio):
    sids = [create(twilio, Body=str(i))[2]["sid"] for i in range(7)]
    twilio.inbound(From=THEIRS, Body="in", deliver=False)
    target = f"{MESSAGES}.json?To={urllib.parse.quote(GOOD['To'])}&PageSize=3"
    found = []
    while target:
        status, _, body = ask(twilio, "GET", target)
        assert status == 200
        page = json.loads(body)
        found += [m["sid"] for m in page["messages"]]
        target = page["next_page_uri"]
    assert found == sids[::-1]
    for query, count in (
        ("", 8),
        ("DateSent%3E=2020-01-01", 8),
        ("DateSent%3C=2020-01-01T00:00:00Z", 0),
        ("DateSent=2020-01-01", 0),
        (f"From={urllib.parse.quote(GOOD['From'])}", 7),
    ):
        assert (
            len(json.loads(ask(twilio, "GET", f"{MESSAGES}.json?{query}")[2])["messages"]) == count
        ), query
    assert ask(twilio, "GET", f"{MESSAGES}.json?PageSize=1001")[0] == 400


def test_media_is_listed_redirected_and_served(twilio):
    made = twilio.inbound(
        From=THEIRS, media=[{"content_type": "image/webp", "base64": "aGk="}], deliver=False
    )
    _, _, body = ask(twilio, "GET", f"{MESSAGES}/{made['sid']}/Media.json")
    media = json.loads(body)["media_list"][0]
    assert media["content_type"] == "image/webp" and made["sid"].startswith("MM")
    status, headers, _ = ask(twilio, "GET", media["uri"].removesuffix(".json"))
    assert status == 307
    status, headers, body = ask(twilio, "GET", headers["Location"].removeprefix(twilio.url))
    assert (status, headers["Content-Type"], body) == (200, "image/webp", b"hi")


# ---- Failing on demand ----


@pytest.mark.parametrize(
    "mode, options, status, created",
    [
        ("ok", {}, 201, 1),
        ("delay", {"ms": 5}, 201, 1),
        ("refuse", {"code": 21610, "http": 400}, 400, 0),
        ("rate-limit", {"retry_after": 3}, 429, 0),
        ("error", {}, 500, 0),
        ("error", {"http": 503, "create": True}, 503, 1),
        ("html", {}, 502, 0),
        ("empty", {}, 201, 1),
        ("truncated", {}, 201, 1),
        ("huge", {"bytes": 500000}, 201, 1),
        ("no-sid", {}, 201, 1),
        ("wrong-type", {}, 201, 1),
        ("close-after", {}, 201, 1),
        ("redirect", {}, 307, 0),
        ("slow-drip", {"ms": 0}, 201, 1),
        ("reset-before", {}, ConnectionResetError, 0),
        ("reset-after", {}, ConnectionResetError, 1),
        ("close", {}, http.client.RemoteDisconnected, 1),
        ("short", {}, http.client.IncompleteRead, 1),
        ("hang", {}, TimeoutError, 0),
        ("hang-after", {}, TimeoutError, 1),
    ],
)
def test_every_mode(twilio, mode, options, status, created):
    twilio.mode(mode, count=1, **options)
    connection = http.client.HTTPConnection(
        twilio.url.partition("//")[2], timeout=0.3 if "hang" in mode else 20
    )
    if isinstance(status, int):
        got, headers, body = ask(twilio, "POST", MESSAGES + ".json", GOOD, connection=connection)
        assert got == status
        if mode == "rate-limit":
            assert headers["Retry-After"] == "3" and json.loads(body)["code"] == 20429
        if mode == "truncated":
            with pytest.raises(ValueError):
                json.loads(body)
    else:
        with pytest.raises(status):
            ask(twilio, "POST", MESSAGES + ".json", GOOD, connection=connection)
    connection.close()
    assert twilio.stats().get("created", 0) == created
    assert create(twilio)[0] == 201  # the count is used up


def test_every_mode_is_tested():
    tested = {
        mark.args[1][i][0]
        for mark in test_every_mode.pytestmark
        if mark.name == "parametrize"
        for i in range(len(mark.args[1]))
    }
    assert set(twilio_modes.MODES) - tested == {"close-reused"}


def test_close_reused_spares_the_first_request(twilio):
    twilio.mode("close-reused")
    connection = http.client.HTTPConnection(twilio.url.partition("//")[2], timeout=20)
    assert create(twilio, connection)[0] == 201
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        create(twilio, connection)
    assert twilio.stats()["created"] == 2


def test_rules_for_one_recipient_in_turn(twilio):
    other = "+15551230002"
    twilio.mode("refuse", code=63024, to=other, count=2)
    twilio.mode("error", skip=1, count=1, add=True)
    answers = [
        create(twilio, To=f"whatsapp:{to}")[0] for to in (THEIRS, other, THEIRS, other, other)
    ]
    assert answers == [201, 400, 500, 400, 201]
    with pytest.raises(RuntimeError, match="mode must be one of"):
        twilio.mode("nonsense")


# ---- Webhooks ----


def test_inbound_webhook_is_complete_and_signed(twilio, receiver):
    twilio.config(webhook=receiver.url + "/hook?a=1%2F")
    result = twilio.inbound(From=THEIRS, Body="¿qué? 👋 1+1", Extra="x")
    assert result["status"] == 200
    entry = receiver.got[0]
    assert entry["target"] == "/hook?a=1%2F" and receiver.is_signed(entry)
    fields = entry["fields"]
    assert fields["From"] == f"whatsapp:{THEIRS}" and fields["To"] == f"whatsapp:{NUMBER}"
    assert (
        fields["Body"] == "¿qué? 👋 1+1" and fields["Extra"] == "x" and fields["WaId"] == THEIRS[1:]
    )
    assert (
        fields["MessageSid"] == result["sid"] == fields["SmsSid"]
        and fields["AccountSid"] == ACCOUNT_SID
    )
    assert ask(twilio, "GET", f"{MESSAGES}/{result['sid']}.json")[0] == 200


def test_inbound_webhook_on_wish_wrong(twilio, receiver):
    twilio.config(webhook=receiver.url + "/hook")
    twilio.inbound(From=THEIRS, sign=False)
    twilio.inbound(From=THEIRS, sign="wrong")
    twilio.inbound(From=THEIRS, token="second")
    twilio.inbound(From=THEIRS, MessageSid="SM" + "1" * 32, repeat=3)
    twilio.inbound(From="whatsapp:US.abc", MessageSid=None)
    got = receiver.wait_for(7)
    assert "X-Twilio-Signature" not in got[0]["headers"]
    assert not receiver.is_signed(got[1])
    assert not receiver.is_signed(got[2]) and receiver.is_signed(got[2], "second")
    assert [e["fields"]["MessageSid"] for e in got[3:6]] == ["SM" + "1" * 32] * 3
    assert "WaId" not in got[6]["fields"] and "MessageSid" not in got[6]["fields"]


def test_receipts_in_order_with_repeats_and_failure(twilio, receiver):
    callback = receiver.url + "/status?id=7"
    sid = create(twilio, StatusCallback=callback)[2]["sid"]
    got = receiver.wait_for(3)
    assert [e["fields"]["MessageStatus"] for e in got] == ["sent", "delivered", "read"]
    assert all(receiver.is_signed(e) and e["target"] == "/status?id=7" for e in got)
    assert {e["fields"]["MessageSid"] for e in got} == {sid}
    twilio.callbacks(order=["sent", "undelivered"], repeat=2, error_code=63024, delays_ms=[0, 1])
    create(twilio, StatusCallback=callback)
    got = receiver.wait_for(7)[3:]
    assert [e["fields"]["MessageStatus"] for e in got] == ["sent", "undelivered"] * 2
    assert got[1]["fields"]["ErrorCode"] == "63024" and "ErrorCode" not in got[0]["fields"]
    twilio.callbacks(on=False)
    sid = create(twilio, StatusCallback=callback)[2]["sid"]
    assert twilio.callback(sid, "failed", error_code=63016)["status"] == 200
    assert len(receiver.got) == 8 and receiver.got[7]["fields"]["ErrorCode"] == "63016"


def test_receipts_before_the_reply(twilio, receiver):
    twilio.callbacks(order=["sent", "delivered"], before_reply=True)
    message = create(twilio, StatusCallback=receiver.url + "/status")[2]
    assert [e["fields"]["MessageStatus"] for e in receiver.got] == ["sent", "delivered"]
    assert receiver.got[0]["fields"]["MessageSid"] == message["sid"]


def test_webhook_that_fails_is_logged(twilio, receiver):
    receiver.status = 403
    twilio.config(webhook=receiver.url + "/hook")
    assert twilio.inbound(From=THEIRS)["status"] == 403
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = twilio.inbound(From=THEIRS, url=f"http://127.0.0.1:{port}/")
    assert result["status"] == 0 and "refused" in result["results"][0]["error"].lower()
    assert [entry["status"] for entry in twilio.webhooks()] == [403, 0]


# ---- The demo, and the program ----


def test_demo_answers_and_confirms(receiver):
    with TwilioSimulator(demo=True, webhook=receiver.url + "/hook") as twilio:
        create(twilio, Body="hello", StatusCallback=receiver.url + "/status")
        got = receiver.wait_for(4)
        assert [e["fields"].get("MessageStatus") for e in got] == [
            "sent",
            "delivered",
            "read",
            None,
        ]
        assert (
            got[3]["fields"]["From"] == f"whatsapp:{THEIRS}" and "Hello" in got[3]["fields"]["Body"]
        )
        result = twilio.conversations()
        assert result["sent"] >= 5 and set(result["statuses"]) == {200}


def test_program_prints_its_address_and_ends(receiver):
    program = subprocess.Popen(
        [
            sys.executable,
            "-B",
            str(HERE / "twilio_simulator.py"),
            "--port",
            "0",
            "--auth-token",
            "t",
            "--number",
            "whatsapp:+15550001111",
            "--conversations",
            "--webhook",
            receiver.url + "/hook",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = program.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        got = receiver.wait_for(5)
        assert receiver.is_signed(got[0], "t") and got[0]["fields"]["To"] == "whatsapp:+15550001111"
    finally:
        program.terminate()
        program.wait(20)
        program.stdout.close()


def test_rules_that_are_added_count_after_a_reset_and_after_ok(twilio):
    def status():
        return create(twilio)[0]

    twilio.mode("refuse", http=400, code=21211, count=1, add=True)
    assert status() == 400 and status() == 201
    twilio.mode("ok")
    twilio.mode("error", http=500, count=1, add=True)
    twilio.mode("rate-limit", count=1, add=True)
    assert [status() for _ in range(3)] == [500, 429, 201]
    # "ok" for so many is a rule like any other
    twilio.mode("ok", count=1)
    twilio.mode("error", http=500, add=True)
    assert [status() for _ in range(3)] == [201, 500, 500]
