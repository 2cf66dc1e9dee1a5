# SPDX-License-Identifier: Apache-2.0
"""GET /messages/{id}/media/{n}: attachments of received messages, fetched through the server."""

import base64
import http.client
import json

import pytest

from support.contract import BASE_PATH

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def twilio_get(twilio, path):
    """What Twilio's API answers to its account."""
    connection = http.client.HTTPConnection(twilio.url.partition("://")[2], timeout=30)
    try:
        known = f"{twilio.account.sid}:{twilio.account.token}".encode()
        connection.request(
            "GET", path, headers={"Authorization": "Basic " + base64.b64encode(known).decode()}
        )
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def received(api, twilio, fresh):
    """Makes a received message with attachments that the simulator keeps; gives it as the API
    does."""

    def make(*media, body=""):
        number = fresh.number()
        wanted = [
            {**each, "base64": base64.b64encode(each.get("content", PICTURE)).decode()}
            for each in media
        ]
        for each in wanted:
            each.pop("content", None)
        sid = twilio.inbound(From=number, Body=body, media=wanted, deliver=False)["sid"]
        fields = {"NumMedia": str(len(media))}
        path = f"/2010-04-01/Accounts/{twilio.account.sid}/Messages/{sid}/Media.json"
        for index, each in enumerate(twilio_get(twilio, path)["media_list"]):
            fields[f"MediaUrl{index}"] = twilio.url + each["uri"].removesuffix(".json")
            fields[f"MediaContentType{index}"] = each["content_type"]
        api.plant(number)
        api.webhook(api.account.inbound(number, body, sid, **fields))
        (message,) = api.messages(number)["messages"]
        return message

    return make


def below(url):
    """A media url of the API as a path below the base path."""
    assert url.startswith(BASE_PATH + "/messages/"), url
    return url[len(BASE_PATH) :]


@pytest.mark.every_mpm
def test_a_picture_is_passed_on_as_it_is(api, received):
    message = received({"content_type": "image/png"}, body="look")
    (entry,) = message["media"]
    assert entry == {
        "url": f"{BASE_PATH}/messages/{message['id']}/media/0",
        "contentType": "image/png",
    }
    response = api.fetch("GET", entry["url"])
    assert (response.status, response.body) == (200, PICTURE)
    assert response.headers.get_all("Content-Type") == ["image/png"]
    assert response.headers["Content-Length"] == str(len(PICTURE))
    name = f"whatsapp-{message['id'][:8]}-0.png"
    assert (
        response.headers["Content-Disposition"]
        == f"inline; filename=\"{name}\"; filename*=UTF-8''{name}"
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_twilios_address_is_in_no_answer(api, twilio, received):
    message = received({"content_type": "image/png"})
    assert twilio.url not in json.dumps(message)
    assert twilio.url not in json.dumps(api.since(message["timestamp"] - 1))


def test_each_attachment_has_its_number(api, received):
    contents = [PICTURE + bytes([index]) for index in range(4)]
    message = received(*({"content": each} for each in contents))
    assert [api.fetch("GET", each["url"]).body for each in message["media"]] == contents
    path = below(message["media"][0]["url"])
    for n in ("4", "00", "-1", "x", "0x", "1e1", "99999999999999999999", "+0", " 0"):
        target = path[: -len("0")] + n.replace(" ", "%20")
        assert api.request("GET", target).status == 404, n
    for other in (path + "/", path + "/0", path[: -len("/0")] + "/", path[: -len("/0")]):
        assert api.request("GET", other).status == 404, other


def test_a_large_file_comes_whole(api, received):
    message = received({"content_type": "video/mp4", "content": PICTURE, "times": 20000})
    response = api.fetch("GET", message["media"][0]["url"])
    assert response.status == 200 and response.body == PICTURE * 20000


def test_a_file_over_the_limit_is_refused(api, server, received):
    message = received(
        {"content_type": "video/mp4", "content": b"x" * 1024, "times": 32 * 1024 + 1}
    )
    server.claim("WA0304")
    response = api.get(below(message["media"][0]["url"]))
    assert response.status == 502 and response.json()["code"] == "TWILIO_ERROR"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "audio/x+xml",
        "application/octet-stream",
        "application/vnd.ms-excel",
        "text/vcard",
        "image/pngx",
    ],
)
def test_what_a_browser_might_run_is_only_saved(api, received, content_type):
    message = received({"content_type": content_type, "content": b"<script>alert(1)</script>"})
    response = api.fetch("GET", message["media"][0]["url"])
    assert response.status == 200 and response.body == b"<script>alert(1)</script>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "content_type", ["audio/ogg; codecs=opus", "application/pdf", "IMAGE/JPEG"]
)
def test_what_is_safe_may_be_shown(api, received, content_type):
    message = received({"content_type": content_type})
    response = api.fetch("GET", message["media"][0]["url"])
    assert response.headers["Content-Type"].lower() == content_type.partition(";")[0].lower()
    assert response.headers["Content-Disposition"].startswith("inline; filename=")


def test_a_document_keeps_its_name(api, received):
    message = received({"content_type": "application/pdf"}, body='../Rechnung "März"\u202efdp.exe')
    response = api.fetch("GET", message["media"][0]["url"])
    assert (
        response.headers["Content-Disposition"] == 'inline; filename="_Rechnung _M__rz__fdp.exe"; '
        "filename*=UTF-8''_Rechnung%20_M%C3%A4rz__fdp.exe"
    )


def test_head_gives_the_headers_alone(api, received):
    message = received({"content_type": "image/png"})
    path = message["media"][0]["url"]
    response, whole = api.fetch("HEAD", path), api.fetch("GET", path)
    assert (response.status, response.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Disposition"):
        assert response.headers[name] == whole.headers[name]


def test_ranges_mean_nothing(api, received):
    message = received({"content_type": "image/png"})
    response = api.fetch("GET", message["media"][0]["url"], headers={"Range": "bytes=0-3"})
    assert (response.status, response.body) == (200, PICTURE)


def test_an_empty_file_is_one(api, received):
    message = received({"content_type": "image/png", "content": b"", "times": 0})
    response = api.fetch("GET", message["media"][0]["url"])
    assert (response.status, response.body) == (200, b"")
    assert response.headers["Content-Type"] == "image/png"


def test_a_file_that_breaks_off_is_seen_to_be_short(api, server, received):
    message = received({"content_type": "image/png", "times": 1000, "cut": True})
    server.claim("WA0304")
    with pytest.raises(http.client.IncompleteRead):
        api.fetch("GET", message["media"][0]["url"])


def test_a_file_that_twilio_deleted_is_404(api, server, twilio, received):
    message = received({"content_type": "image/png"})
    twilio.reset()
    server.claim("WA0304")
    response = api.get(below(message["media"][0]["url"]))
    assert response.status == 404 and response.json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(api, received, method):
    response = api.request(method, below(received({})["media"][0]["url"]))
    assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"


def test_messages_without_attachments_have_none(api, fresh):
    number = fresh.number()
    api.receive(number, fresh.text(), fresh.sid())
    sent = api.send(number, fresh.text())["message"]
    for message in api.messages(number)["messages"]:
        assert api.get(f"/messages/{message['id']}/media/0").status == 404
        assert api.get(f"/messages/{message['sid']}/media/0").status == 404
    assert api.get(f"/messages/{sent['id']}/media/0").status == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "https://twilio.com.evil.example/x",
        "http://api.twilio.com/x",
        "https://user@api.twilio.com/x",
        "https://api.twilio.com:8443/x",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
    ],
)
def test_only_twilios_hosts_are_asked(api, server, fresh, twilio, url):
    number, sid = fresh.number(), fresh.sid("MM")
    asked = len(twilio.requests())
    api.receive(number, "a picture from elsewhere", sid, NumMedia="1", MediaUrl0=url)
    (message,) = api.messages(number)["messages"]
    server.claim("WA0304", required=False)
    response = api.get(f"/messages/{message['id']}/media/0")
    assert response.status == (404 if url.startswith("file:") else 502)
    assert "evil" not in response.body.decode()
    assert len(twilio.requests()) == asked


def test_a_twilio_that_fails_is_502(server, gated_api, gate, fresh):
    """The gate knows no GET: it answers 501."""
    number, sid = fresh.number(), fresh.sid("MM")
    gated_api.receive(number, "a picture that fails", sid, NumMedia="1", MediaUrl0=gate.url + "/x")
    (message,) = gated_api.messages(number)["messages"]
    server.claim("WA0304")
    response = gated_api.get(f"/messages/{message['id']}/media/0")
    assert response.status == 502 and response.json()["code"] == "TWILIO_ERROR"


def test_links_lead_to_where_the_api_is_now(new_server, twilio, fresh):
    """Links are stored with the base path of their time; another one later moves them, and them
    only."""
    server = new_server()
    first, paths = server.configure, ["/api/whatsapp-messenger", "/moved/api"]

    def configure(httpd):
        return first(httpd).replace(paths[0], httpd.base) + f"WhatsAppBasePath {httpd.base}\n"

    server.configure, server.base = configure, paths[0]
    with server:
        number = fresh.number()
        body = f'","media":[{{"url":"{paths[0]}/messages/x/media/0"}}]'
        api = server.client()
        made = twilio.inbound(
            From=number, Body=body, deliver=False, media=[{"content_type": "image/png"}]
        )["sid"]
        (listed,) = twilio_get(
            twilio, f"/2010-04-01/Accounts/{twilio.account.sid}/Messages/{made}/Media.json"
        )["media_list"]
        address = twilio.url + listed["uri"].removesuffix(".json")
        fields = {"NumMedia": "2"}
        for n in range(2):
            fields[f"MediaUrl{n}"] = address
            fields[f"MediaContentType{n}"] = "image/png"
        api.receive(number, body, made, **fields)
        api.send(number, fresh.text(), mediaUrl=f"https://files.test{paths[0]}/messages/a.png")
        before = api.messages(number)["messages"]
        server.stop()
        server.base = paths[1]
        server.start()
        api = server.client(base=paths[1])
        after = api.messages(number)["messages"]
        assert [each["url"] for each in before[1]["media"]] == [
            f"{paths[0]}/messages/{before[1]['id']}/media/{n}" for n in range(2)
        ]
        assert [each["url"] for each in after[1]["media"]] == [
            f"{paths[1]}/messages/{before[1]['id']}/media/{n}" for n in range(2)
        ]
        assert after[0] == before[0] and {**after[1], "media": 0} == {**before[1], "media": 0}
        assert api.since(0)["messages"] == after[::-1]
        assert api.fetch("GET", after[1]["media"][1]["url"]).body.startswith(b"\x89PNG")
