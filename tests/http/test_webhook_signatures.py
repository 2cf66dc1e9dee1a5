# SPDX-License-Identifier: Apache-2.0
"""Every signature vector, sent over HTTP to a virtual host that is configured with its token and
URL.

The vectors' paths are not the API's: mod_rewrite leads them to the webhook, which has to check the
target as it was requested.
"""

import json
import pathlib
from urllib.parse import parse_qsl, urlsplit

import pytest

from support.client import RawConnection
from support.httpd import Account, messenger

VECTORS = json.loads(
    (pathlib.Path(__file__).resolve().parents[1] / "signature-vectors.json").read_text(
        encoding="utf-8"
    )
)
# Tokens are configured as text on one line: a token that ends with a newline is for the unit tests.
OVER_HTTP = [vector for vector in VECTORS if not vector["auth_token"].endswith("\n")]


def group_of(vector):
    url = urlsplit(vector["url"])
    return vector["auth_token"], f"{url.scheme}://{url.netloc}"


GROUPS = sorted({group_of(vector) for vector in OVER_HTTP})


@pytest.fixture(scope="module")
def vector_server(make_server):
    """One httpd with a virtual host for each token and URL base, told apart by the Host header."""

    def configure(httpd):
        text = "AllowEncodedSlashes NoDecode\n"
        for index, (token, public_url) in enumerate(GROUPS):
            account = Account(token=token, public_url=public_url)
            rewrite = (
                "AllowEncodedSlashes NoDecode\nRewriteEngine On\n"
                "RewriteRule ^/(?!api/) /api/whatsapp-messenger/webhook [PT,L]\n"
            )
            text += f"<VirtualHost *>\nServerName group{index}.test\n"
            text += (
                messenger(
                    account, httpd.directory / f"store{index}", "http://127.0.0.1:9", extra=rewrite
                )
                + "</VirtualHost>\n"
            )
        return text

    with make_server(configure, modules=["rewrite"], account=Account()) as server:
        server.secrets.update(token for token, _ in GROUPS)
        server.secrets.discard("12345")  # too short to be told from other numbers
        yield server


def target_of(url):
    """The request target that a client asking for `url` sends, byte for byte."""
    return url[url.index("/", url.index("//") + 2) :]


def is_complete(vector):
    """Whether the form is one that the webhook can take: for our account and with a sid."""
    if not vector["content_type"].startswith("application/x-www-form-urlencoded"):
        return False
    fields = dict(parse_qsl(vector["raw_body"], keep_blank_values=True))
    return {"MessageSid", "AccountSid"} <= set(fields)


def test_the_vectors_are_all_there():
    assert len(VECTORS) == 64 and len(OVER_HTTP) == 63
    assert sum(vector["valid"] for vector in VECTORS) == 37


@pytest.mark.parametrize("vector", OVER_HTTP, ids=lambda vector: vector["name"])
def test_a_vector_is_taken_or_refused(vector_server, vector):
    token, public_url = group_of(vector)
    host = f"group{GROUPS.index((token, public_url))}.test"
    account = Account(token=token, public_url=public_url)
    client = vector_server.client(host=host, account=account)
    mark, before = vector_server.mark(), client.now()
    if not vector["valid"] or not is_complete(vector):
        vector_server.claim("WA*", required=False)
    with RawConnection(vector_server.port) as raw:
        body = vector["raw_body"].encode("utf-8")
        head = f"{vector['method']} {target_of(vector['url'])} HTTP/1.1\r\n"
        head += f"Host: {host}\r\nConnection: close\r\n"
        if vector["signature"]:
            head += f"X-Twilio-Signature: {vector['signature']}\r\n"
        if vector["method"] == "POST":
            head += f"Content-Type: {vector['content_type']}\r\nContent-Length: {len(body)}\r\n"
        raw.send(head.encode("ascii") + b"\r\n" + body)
        response = raw.response()
    stored = client.since(before)
    if vector["method"] == "GET":
        # genuine, but the webhook is a POST
        assert response.status == 405
        client.check("GET", "/webhook", response)
        return
    client.check("POST", "/webhook", response)
    is_refused = bool(vector_server.lines(mark, r"WA02\d\d.*signature"))
    if not vector["valid"]:
        assert response.status == 403, response
        assert response.json()["code"] == "UNAUTHORIZED"
        assert is_refused
        assert stored["messages"] == [] and stored["updates"] == []
    elif is_complete(vector):
        assert response.status == 200, response
        fields = dict(parse_qsl(vector["raw_body"], keep_blank_values=True))
        if "MessageStatus" not in fields:
            # by this vector or by an earlier one of the same message
            assert fields["MessageSid"] in [
                message.get("sid") for message in client.since(0)["messages"]
            ]
    else:
        # the signature is right, so the refusal is about what the form or its type lacks
        assert response.status in (400, 403, 415), response
        assert not is_refused
        assert stored["messages"] == []
