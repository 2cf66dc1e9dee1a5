# SPDX-License-Identifier: Apache-2.0
"""An HTTP client for the tests: plain requests that are held against the contract, and raw sockets
for what no client would send."""

import http.client
import json
import socket
from urllib.parse import quote, urlencode

from .contract import BASE_PATH
from .signing import encode_form, sign

TIMEOUT = 60.0


class Response:
    """What came back, with the body read whole."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # http.client's message: get() knows no case
        self.body = body

    @property
    def media_type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0].strip()

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def __repr__(self):
        return f"<{self.status} {self.headers.get('Content-Type')} {self.body[:400]!r}>"


def check_headers(response):
    """The headers that docs/API.md promises of every JSON response."""
    assert response.headers.get_all("Content-Type") == [
        "application/json"
    ], response.headers.items()
    assert response.headers.get_all("Cache-Control") == ["no-store"], response.headers.items()
    assert response.headers.get_all("X-Content-Type-Options") == [
        "nosniff"
    ], response.headers.items()
    if response.status == 405:
        assert response.headers.get("Allow"), response.headers.items()
    if response.status in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1, response.headers.items()


class Client:
    """Requests to one virtual host. Every request has a connection of its own, so it may be shared
    by threads."""

    broken = http.client.HTTPException  # what a connection raises that ends in the middle

    def __init__(self, port, contract, host=None, base=BASE_PATH, secrets=None, account=None):
        self.port = port
        self.contract = contract
        self.host = host or f"127.0.0.1:{port}"
        self.base = base
        self.secrets = secrets if secrets is not None else set()
        self.account = account  # an httpd.Account: who signs webhooks

    # ---- plain requests ----

    def request(
        self, method, path, body=None, headers=None, query=None, check=True, timeout=TIMEOUT
    ):
        """One request to `path` below the base path. `body`: bytes, or an iterable of bytes, which
        is sent chunked."""
        target = self.base + path
        if query:
            target += "?" + (query if isinstance(query, str) else urlencode(query))
        response = self.fetch(method, target, body, headers, timeout)
        if check:
            self.check(method, path, response)
        return response

    def fetch(self, method, target, body=None, headers=None, timeout=TIMEOUT):
        """One request to any target, unchecked."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            fields = {"Host": self.host, "Connection": "close"}
            fields.update(headers or {})
            is_chunked = body is not None and not isinstance(body, (bytes, bytearray))
            connection.request(method, target, body=body, headers=fields, encode_chunked=is_chunked)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def check(self, method, path, response):
        """Holds a response against headers and contract. A webhook's success is TwiML and a HEAD
        has no body; all else is JSON."""
        if response.status == 200 and path.split("?")[0] == "/webhook":
            assert response.headers.get_all("Content-Type")[0].split(";")[0] == "text/xml", response
            assert (
                response.body.decode("utf-8").split("?>")[-1].strip() == "<Response></Response>"
            ), response
            return
        check_headers(response)
        if method == "HEAD":
            assert response.body == b"", response
            return
        assert response.headers.get("Content-Length") is None or int(
            response.headers["Content-Length"]
        ) == len(response.body)
        self.contract.check_json(method, path, response.status, response.json())

    def get(self, path, query=None, **more):
        return self.request("GET", path, query=query, **more)

    def post(self, path, document=None, headers=None, **more):
        """A POST with a JSON body (none when `document` is None)."""
        return self._json("POST", path, document, headers, **more)

    def patch(self, path, document, headers=None, **more):
        return self._json("PATCH", path, document, headers, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def _json(self, method, path, document, headers, **more):
        fields = dict(headers or {})
        body = None
        if document is not None:
            fields.setdefault("Content-Type", "application/json")
            body = json.dumps(document, ensure_ascii=False).encode("utf-8")
        return self.request(method, path, body=body, headers=fields, **more)

    # ---- the endpoints, with the status that is expected ----

    def send(self, number, message, expect=200, headers=None, **members):
        """POST /send; gives the whole answer as a dict. The text is planted: no log may ever show
        it. An `expect` of None takes any status."""
        self.plant(number, message)
        response = self.post(
            "/send", {"phoneNumber": number, "message": message, **members}, headers
        )
        assert expect in (response.status, None), response
        return response.json()

    def messages(self, counterpart, expect=200, **query):
        response = self.get("/messages", {"counterpart": counterpart, **query})
        assert response.status == expect, response
        return response.json()

    def all_messages(self, counterpart, limit=200):
        """The whole thread, newest first."""
        found, page = [], self.messages(counterpart, limit=limit)
        while True:
            found += page["messages"]
            if page["listComplete"]:
                return found
            page = self.messages(counterpart, limit=limit, cursor=page["cursor"])

    def since(self, timestamp, **query):
        response = self.get("/messages-since", {"since": timestamp, **query})
        assert response.status == 200, response
        return response.json()

    def now(self):
        """The store's T of this instant."""
        return self.since(9007199254740991)["timestamp"]

    def threads(self):
        response = self.get("/threads")
        assert response.status == 200, response
        return response.json()["threads"]

    def thread(self, counterpart):
        """The row of one counterpart, None when there is none."""
        rows = [row for row in self.threads() if row["counterpart"] == counterpart]
        assert len(rows) <= 1, rows
        return rows[0] if rows else None

    def mark_read(self, counterpart, expect=200):
        response = self.post(f"/threads/{quote(counterpart, safe='')}/read")
        assert response.status == expect, response
        return response.json()

    def contacts(self):
        response = self.get("/contacts")
        assert response.status == 200, response
        return response.json()["contacts"]

    def add_contact(self, number, name, expect=200):
        self.plant(number)
        response = self.post("/contacts", {"phoneNumber": number, "displayName": name})
        assert response.status == expect, response
        return response.json()["contact"] if expect == 200 else response.json()

    # ---- webhooks ----

    def webhook(
        self,
        fields,
        expect=200,
        token=None,
        url=None,
        signature=None,
        headers=None,
        target=None,
        body=None,
    ):
        """A webhook as Twilio sends it, signed unless `signature` is given ("" sends none)."""
        fields = list(fields.items()) if isinstance(fields, dict) else fields
        raw = encode_form(fields) if body is None else body
        path = target or f"{self.base}/webhook"
        if signature is None:
            signature = sign(
                self.account.token if token is None else token,
                url or self.account.public_url + path,
                raw,
            )
        send = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        if signature:
            send["X-Twilio-Signature"] = signature
        send.update(headers or {})
        response = self.fetch("POST", path, raw, send)
        self.check("POST", path[len(self.base) :].split("?")[0], response)
        assert expect in (response.status, None), response
        return response

    def receive(self, number, text, sid, **fields):
        """An inbound message from `number`; the text is planted."""
        self.plant(number, text)
        return self.webhook(self.account.inbound(number, text, sid, **fields))

    def plant(self, number, text=None):
        """Remembers what must never be seen in a log: the number's digits and the text."""
        digits = "".join(letter for letter in number if letter in "0123456789")
        if len(digits) >= 8:
            self.secrets.add(digits)
        if text is not None and len(text.strip()) >= 12:
            self.secrets.add(text.strip())


class RawConnection:
    """A socket to the server, for bytes that no HTTP client would send."""

    def __init__(self, port, timeout=TIMEOUT):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def finish(self):
        """No more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def response(self, method="GET"):
        """Reads one response; None when the server closed without one."""
        status_line = self._file.readline()
        if not status_line:
            return None
        if not status_line.startswith(b"HTTP/"):
            return Response(
                200, http.client.HTTPMessage(), status_line + self._file.read()
            )  # HTTP/0.9: nothing but the body
        status = int(status_line.split()[1])
        headers = http.client.parse_headers(self._file)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif "chunked" in (headers.get("Transfer-Encoding") or ""):
            body = b""
            while True:
                size = int(self._file.readline().split(b";")[0], 16)
                body += self._file.read(size)
                self._file.readline()
                if size == 0:
                    break
        elif headers.get("Content-Length") is not None:
            body = self._file.read(int(headers["Content-Length"]))
        else:
            body = self._file.read()
        return Response(status, headers, body)

    def close(self):
        self._file.close()
        self.socket.close()
