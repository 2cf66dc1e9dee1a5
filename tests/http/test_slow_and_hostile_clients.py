# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, that vanish, and that break HTTP: nothing is stored, nothing is logged
above info, and others do not notice."""

import json
import socket

import pytest

from support.client import RawConnection, check_headers

BASE = "/api/whatsapp-messenger"


def post_head(length, more="", path="/send"):
    return (
        f"POST {BASE}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + (f"Content-Length: {length}\r\n" if length is not None else "")
        + more
        + "\r\n"
    ).encode()


def body_for(number, text):
    return json.dumps({"phoneNumber": number, "message": text}).encode()


@pytest.mark.every_mpm
def test_a_body_that_comes_byte_by_byte_is_read(api, fresh):
    number, text = fresh.number(), fresh.text()
    api.plant(number, text)
    body = body_for(number, text)
    with RawConnection(api.port) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_head(len(body)) + body:
            raw.send(bytes([byte]))
        response = raw.response()
    assert response.status == 200
    check_headers(response)
    assert [message["body"] for message in api.messages(number)["messages"]] == [text]


@pytest.mark.every_mpm
def test_others_are_answered_while_many_hang_in_the_middle_of_a_request(api, fresh):
    numbers = [fresh.number() for _ in range(40)]
    bodies = [body_for(number, "never to be finished") for number in numbers]
    hanging = [RawConnection(api.port) for _ in numbers]
    try:
        for index, (raw, body) in enumerate(zip(hanging, bodies)):
            whole = post_head(len(body)) + body
            raw.send(whole[: [10, 60, len(whole) - 1][index % 3]])
        number = fresh.number()
        for _ in range(20):
            api.send(number, fresh.text())
        assert api.thread(number)["messageCount"] == 20
        # those that finish after all are served
        whole = post_head(len(bodies[0])) + bodies[0]
        hanging[0].send(whole[10:])
        assert hanging[0].response().status == 200
    finally:
        for raw in hanging:
            raw.close()
    assert api.thread(numbers[0])["messageCount"] == 1
    known = {row["counterpart"] for row in api.threads()}
    assert not known & set(numbers[1:])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_client_that_vanishes_within_its_body_sends_nothing(
    api, fresh, twilio, share, is_chunked
):
    number = fresh.number()
    body = body_for(number, "cut off in the middle")
    part = body[: int(len(body) * share)]
    with RawConnection(api.port) as raw:
        if is_chunked:
            raw.send(
                post_head(None, "Transfer-Encoding: chunked\r\n")
                + (b"%x\r\n%s\r\n" % (len(part), part) if part else b"")
            )
        else:
            raw.send(post_head(len(body)) + part)
        raw.finish()
        response = raw.response()
        assert response is None or response.status == 400
    assert api.thread(number) is None
    assert twilio.requests_to(number) == []


def test_a_client_that_resets_within_its_body_sends_nothing(api, fresh, twilio):
    number = fresh.number()
    body = body_for(number, "reset in the middle")
    for cut in (1, len(body) // 2, len(body) - 1):
        raw = RawConnection(api.port)
        raw.send(post_head(len(body)) + body[:cut])
        raw.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        raw.close()
    assert api.thread(number) is None
    assert twilio.requests_to(number) == []


def test_a_client_that_does_not_wait_for_the_answer_loses_nothing(api, fresh):
    """The message was whole, so it is sent, whoever is left to hear of it."""
    number, text = fresh.number(), fresh.text()
    body = body_for(number, text)
    since = api.now()
    raw = RawConnection(api.port)
    raw.send(post_head(len(body)) + body)
    raw.finish()
    raw.response()
    raw.close()
    assert [
        message["body"]
        for message in api.since(since)["messages"]
        if message["counterpart"] == number
    ] == [text]


def test_a_client_that_reads_slowly_gets_it_all_and_blocks_nobody(api, fresh):
    number = fresh.number()
    texts = [f"{index:03d} " + "\U0001f600é" * 1300 for index in range(100)]
    for text in texts:
        api.receive(number, text, fresh.sid())
    slow = []
    try:
        for _ in range(8):
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(60)
            raw.connect(("127.0.0.1", api.port))
            raw.sendall(
                f"GET {BASE}/messages?counterpart=%2B{number[1:]}&limit=200 HTTP/1.1\r\n"
                "Host: x\r\nConnection: close\r\n\r\n".encode()
            )
            slow.append(raw)
        for _ in range(10):
            assert api.get("/threads").status == 200
        api.receive(number, "came in the meantime", fresh.sid())
        for raw in slow:
            data = b""
            while True:
                piece = raw.recv(1500)
                if not piece:
                    break
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            if b"transfer-encoding: chunked" in head.lower():
                body = b"".join(body.split(b"\r\n")[1::2])
            bodies = [message["body"] for message in json.loads(body)["messages"]]
            assert [each for each in bodies if each != "came in the meantime"] == texts[::-1]
    finally:
        for raw in slow:
            raw.close()


def test_a_body_slower_than_the_timeout_is_given_up(new_server, fresh):
    with new_server(extra="Timeout 1") as server:
        api = server.client()
        number = fresh.number()
        api.plant(number, "planted: given up in the middle")
        body = body_for(number, "planted: given up in the middle")
        with RawConnection(api.port) as raw:
            raw.send(post_head(len(body)) + body[:-5])
            response = raw.response()
            assert response is None or response.status in (400, 408)
        assert api.threads() == []


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\nx",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Length: 5x\r\n\r\nhello",
        b"Content-Length: 9223372036854775807\r\n\r\nx",
    ],
    ids=lambda framing: framing.decode()[:44],
)
def test_a_body_that_breaks_http_is_refused(api, fresh, framing):
    before = api.now()
    with RawConnection(api.port) as raw:
        raw.send(
            f"POST {BASE}/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
            + framing
        )
        raw.finish()
        response = raw.response()
    assert response is None or response.status in (400, 413, 501), response
    assert api.since(before)["messages"] == []


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /api/whatsapp-messenger/threads\r\n\r\n",
        b"GET /api/whatsapp-messenger/threads HTTP/9.9\r\n\r\n",
        b"GET /api/whatsapp-messenger/threads HTTP/1.1\r\n\r\n",
        b"GET /api/whatsapp-messenger/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/whatsapp-messenger/threads HTTP/1.1\r\nHost: x\r\nX: "
        + b"a" * 9000
        + b"\r\n\r\n",
        b"GET /api/whatsapp-messenger/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/whatsapp-messenger/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/whatsapp-messenger/threads?%00%ff&&&=== HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/whatsapp-messenger/threads/"
        + b"%2B1555" * 400
        + b"/read HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"POST /api/whatsapp-messenger/threads/%00/read HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 0\r\n\r\n",
        b"POST /api/whatsapp-messenger/threads/%FF%FE/read HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 0\r\n\r\n",
        b"POST /api/whatsapp-messenger/threads/%2F/read HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 0\r\n\r\n",
        b"DELETE /api/whatsapp-messenger/contacts/%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\n"
        b"\r\n",
    ],
    ids=lambda request: ascii(request[:60]),
)
def test_a_request_line_from_hell_is_answered_or_closed(server, api, request_):
    server.claim("AH10244", required=False)  # httpd's own word for a path that cannot be decoded
    with RawConnection(api.port) as raw:
        raw.send(request_)
        raw.finish()
        response = raw.response()
    assert response is None or 200 <= response.status < 506
    if response is not None:
        assert "X-Injected" not in response.headers
        assert response.status != 500
    assert api.get("/threads").status == 200
