# SPDX-License-Identifier: Apache-2.0
"""What bodies from outside may cost: nothing before a signature, not much more than their own
size, and not for long."""

import json
import zlib

from support.client import RawConnection
from support.conditions import in_parallel, wait_until

BASE = "/api/whatsapp-messenger"
MB = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
# Two processes in all, so that what one request leaves behind is seen, and one thread at a time is
# easy to fill.
SETTINGS = (
    "event",
    """
StartServers 1
ServerLimit 1
ThreadsPerChild 32
ThreadLimit 32
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
""",
)


def memory(server, peak=False):
    """Private and anonymous bytes of all children: what they hold now, or the most they ever
    held."""
    total = 0
    for pid in server.children():
        with open(f"/proc/{pid}/{'status' if peak else 'smaps_rollup'}", encoding="ascii") as file:
            name = "VmHWM:" if peak else "Anonymous:"
            total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
    return total


def post(server, path, media_type, pieces, length=None, more=""):
    """Sends a body piece by piece, as chunks without a length. Gives the answer, though it come
    before all is sent."""
    with RawConnection(server.port) as raw:
        head = (
            f"POST {BASE}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\n{more}"
        )
        head += (
            f"Content-Length: {length}\r\n\r\n"
            if length is not None
            else "Transfer-Encoding: chunked\r\n\r\n"
        )
        try:
            raw.send(head.encode())
            for piece in pieces:
                raw.send(piece if length is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
            if length is None:
                raw.send(b"0\r\n\r\n")
        except OSError:
            pass  # refused before the end: the answer is there
        return raw.response("POST")


def test_large_webhooks_take_no_memory_whoever_signs(new_server):
    with new_server(extra="WhatsAppMaxBody 64M\n", settings_of=SETTINGS) as server:
        server.secrets.add("nothing is planted in this server")
        server.claim("WA0231", "WA0236")
        before = memory(server, peak=True)
        for more in ("", "X-Twilio-Signature: " + "x" * 28 + "\r\n"):
            for length in (60 * MB, None):
                answers = in_parallel(
                    8, lambda _: post(server, "/webhook", FORM, [b"a" * MB] * 60, length, more)
                )
                assert {answer.status for answer in answers if answer} <= {403, 413}
        # 8 bodies of the webhook's own cap, connections and threads; not one of 60 MB
        assert memory(server, peak=True) - before < 16 * MB


def test_the_cap_of_a_webhook_is_its_own_and_exact(new_server, fresh):
    with new_server(extra="WhatsAppMaxBody 1K\n") as server:
        api = server.client()
        number, text = fresh.number(), fresh.text() * 200
        api.receive(number, text, fresh.sid())
        assert [message["body"] for message in api.messages(number)["messages"]] == [text]
        server.claim("WA0231", "WA0236")
        more = "X-Twilio-Signature: " + "x" * 28 + "\r\n"
        for size, status in ((65536, 403), (65537, 413)):
            for length in (size, None):
                assert post(server, "/webhook", FORM, [b"a" * size], length, more).status == status


def test_a_large_json_takes_at_most_twice_its_size_and_gives_it_back(new_server):
    with new_server(extra="WhatsAppMaxBody 64M\n", settings_of=SETTINGS) as server:
        server.secrets.add("nothing is planted in this server")
        start, peak = memory(server), memory(server, peak=True)
        size = 60 * MB
        strings = b'{"x":[' + b",".join([b'"%s"' % (b"s" * (100 * 1024 - 3))] * 614)
        bodies = {
            "values": (b'{"x":[' + b"0," * MB, b"0," * (15 * MB), b"0]}"),
            "one string": (b'{"x":"', b"s" * size, b'"}'),
            "one number": (b'{"x":', b"1" * size, b"}"),
            "escapes": (b'{"x":"', b"\\u0041" * (10 * MB), b'"}'),
            "white space": (b"{", b" " * size, b"}"),
            "strings": (strings, b"]}"),
            "open": (b'{"x":"' + b"s" * size,),
        }
        for name, pieces in bodies.items():
            for length in (sum(map(len, pieces)), None):
                answer = post(server, "/contacts", "application/json", pieces, length)
                assert answer.status == 400, (name, answer)
        assert memory(server, peak=True) - peak < 2 * size + 16 * MB
        wait_until(lambda: memory(server) - start < 16 * MB, "the memory to be given back")


def test_a_compressed_body_counts_as_large_as_it_becomes(make_server, simulator):
    from support.httpd import Account, messenger

    def configure(httpd):
        return "SetInputFilter DEFLATE\nDeflateInflateRatioLimit 2000\n" + messenger(
            httpd.account, httpd.directory / "store", simulator.url
        )

    with make_server(
        configure,
        modules=["filter", "deflate"],
        account=Account(),
        mpm=SETTINGS[0],
        mpm_settings=SETTINGS[1],
    ) as server:
        server.secrets.add("nothing is planted in this server")
        server.claim("WA0236", required=False)
        server.claim("AH*", required=False)
        before = memory(server, peak=True)
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = pack.compress(b"a" * (60 * MB)) + pack.flush()
        more = "Content-Encoding: gzip\r\nX-Twilio-Signature: " + "x" * 28 + "\r\n"
        for path, media_type in (("/webhook", FORM), ("/contacts", "application/json")):
            answer = post(server, path, media_type, [bomb], len(bomb), more)
            assert answer.status == 413
        assert memory(server, peak=True) - before < 16 * MB


def test_the_number_of_names_and_values_is_exact(api, fresh):
    number = fresh.number()
    for more, status in ((994, 200), (995, 400)):
        # the object, two names and two values, and the name of the array are six; the array is the
        # seventh
        body = {"phoneNumber": number, "displayName": "Ana", "x": [0] * (more - 1)}
        answer = api.post("/contacts", body)
        assert answer.status == status, answer
        if status == 400:
            assert "more than 1000 names and values" in answer.json()["error"]
        else:
            api.delete(f"/contacts/{answer.json()['contact']['id']}")
            assert json.loads(answer.body)["success"]
