# SPDX-License-Identifier: Apache-2.0
"""Every path with every method: who answers what, and that all errors look alike."""

import pytest

from support.client import RawConnection, check_headers

UNKNOWN_ID = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
PATHS = {
    "/send": {"POST"},
    "/messages": {"GET", "HEAD"},
    f"/messages/{UNKNOWN_ID}/media/0": {"GET", "HEAD"},
    "/messages-since": {"GET", "HEAD"},
    "/threads": {"GET", "HEAD"},
    "/contacts": {"GET", "HEAD", "POST"},
    f"/contacts/{UNKNOWN_ID}": {"PATCH", "DELETE"},
    "/threads/%2B15550001111/read": {"POST"},
    "/webhook": {"POST"},
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "BREW"]
QUERIES = {"/messages": {"counterpart": "+15550001111"}, "/messages-since": {"since": 0}}


@pytest.mark.every_mpm
@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_path_does_not_have_gives_405_and_allow(api, path):
    for method in METHODS:
        if method in PATHS[path]:
            continue
        response = api.request(method, path)
        assert response.status == 405, (method, response)
        allowed = {word.strip() for word in response.headers["Allow"].split(",")}
        assert allowed - {"OPTIONS"} == PATHS[path], method


@pytest.mark.parametrize("path", PATHS)
def test_options_tells_what_is_allowed(api, path):
    response = api.request("OPTIONS", path, check=False)
    assert response.status in (200, 204, 405)
    allowed = {word.strip() for word in response.headers["Allow"].split(",")}
    assert allowed - {"OPTIONS"} == PATHS[path]


@pytest.mark.parametrize("path", ["/messages", "/messages-since", "/threads", "/contacts"])
def test_head_is_get_without_the_body(api, fresh, path):
    api.send(fresh.number(), fresh.text())
    head = api.request("HEAD", path, query=QUERIES.get(path))
    get = api.get(path, QUERIES.get(path))
    assert head.status == get.status == 200
    for name in ("Content-Type", "Cache-Control", "X-Content-Type-Options"):
        assert head.headers.get_all(name) == get.headers.get_all(name)


def test_head_of_a_bad_request_is_the_same_error_without_the_body(api):
    assert api.request("HEAD", "/messages").status == 400
    assert api.request("HEAD", "/nope").status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/nope",
        "/send/",
        "/send/x",
        "/sen",
        "/sends",
        "/Send",
        "/SEND",
        "/messages/",
        "/messages/x/",
        "/messages-since/x",
        "/threads/",
        "/threads/x/y",
        "/threads/%2B15550001111/read/",
        "/threads/%2B15550001111/write",
        "/threads//read",
        "/contacts/",
        "/webhook/",
        "/webhook/x",
        "/send.json",
        "/%00",
        "/%C3%A9",
        "/%FF",
        "/send%20",
        "/send;x=1",
    ],
)
def test_a_path_that_is_none_of_ours_gives_404(api, method, path):
    if path == "/%00":
        # httpd itself refuses it, before any module is asked
        assert api.request(method, path, check=False).status in (400, 404)
        return
    response = api.request(method, path)
    assert response.status == 404, response


def test_the_read_path_needs_a_known_thread(api, fresh):
    assert api.mark_read(fresh.number(), expect=404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "identifier",
    ["x", "1", "..%2e", UNKNOWN_ID.upper() + "0", "%2B15550001111", "a" * 3000],
    ids=lambda text: text[:12],
)
def test_a_contact_id_that_cannot_be_one_is_an_error(api, identifier):
    assert api.delete(f"/contacts/{identifier}").status in (400, 404)
    assert api.patch(f"/contacts/{identifier}", {"displayName": "Nobody"}).status in (400, 404)


def test_a_body_on_a_get_changes_nothing(api):
    response = api.request(
        "GET", "/threads", body=b'{"phoneNumber":"x"}', headers={"Content-Type": "application/json"}
    )
    assert response.status == 200


def test_other_paths_of_the_host_are_not_ours(api):
    response = api.fetch("GET", "/api/other")
    assert response.status == 404
    assert response.media_type == "text/html"


def test_requests_in_one_connection_do_not_mix(api):
    """An error leaves the connection usable, body read or not."""
    with RawConnection(api.port) as raw:
        for _ in range(3):
            raw.send(
                b"POST /api/whatsapp-messenger/send HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: text/plain\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000
            )
            response = raw.response()
            assert response.status == 415
            check_headers(response)
            raw.send(b"GET /api/whatsapp-messenger/threads HTTP/1.1\r\nHost: x\r\n\r\n")
            response = raw.response()
            assert response.status == 200
            check_headers(response)
            raw.send(
                b"DELETE /api/whatsapp-messenger/send HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 5\r\n\r\nhello"
            )
            assert raw.response().status == 405


def test_pipelined_requests_are_answered_in_order(api):
    with RawConnection(api.port) as raw:
        raw.send(
            b"GET /api/whatsapp-messenger/threads HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /api/whatsapp-messenger/nope HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /api/whatsapp-messenger/contacts HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert [raw.response().status for _ in range(3)] == [200, 404, 200]


@pytest.mark.every_mpm
def test_a_kept_connection_answers_every_request(api):
    """Asked again at once, a few at a time, and while others are asked: whichever thread reads
    on, nothing is lost or mixed up."""
    asked = [("threads", 200), ("nope", 404), ("contacts", 200)]
    with RawConnection(api.port) as busy, RawConnection(api.port) as other:
        for i in range(45):  # 90 requests: httpd closes after 100
            few = [asked[(i + k) % 3] for k in range(1 + i % 3)]
            for raw in (busy, other):
                raw.send(
                    b"".join(
                        b"GET /api/whatsapp-messenger/%s HTTP/1.1\r\nHost: x\r\n\r\n"
                        % path.encode()
                        for path, _ in few
                    )
                )
            for raw in (busy, other):
                for path, status in few:
                    response = raw.response()
                    assert response.status == status
                    assert status == 404 or path in response.json()


def test_http_1_0_gets_the_same_answer(api):
    with RawConnection(api.port) as raw:
        raw.send(b"GET /api/whatsapp-messenger/threads HTTP/1.0\r\n\r\n")
        response = raw.response()
        assert response.status == 200
        check_headers(response)
        assert response.json()["success"] is True


def test_a_large_body_is_refused_before_it_is_sent_with_expect_continue(api):
    with RawConnection(api.port) as raw:
        raw.send(
            b"POST /api/whatsapp-messenger/send HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        response = raw.response()
        assert response.status == 413
        check_headers(response)
