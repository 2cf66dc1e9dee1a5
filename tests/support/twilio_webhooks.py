# SPDX-License-Identifier: Apache-2.0
"""Calls webhooks as Twilio does: inbound messages and status callbacks, signed, over kept
connections."""

import asyncio
import hashlib
import json
import random
import ssl
import time
import uuid
from urllib.parse import quote, urlsplit, urlencode

import twilio_signing

TIMEOUT = 15.0
MAX_ANSWER = 64 * 1024
KEPT = "%/?&=+:;,@!$()*~[]'\"<>|^`{}"  # in a URL as it was given: all but what would break the line


class Webhooks:
    """An HTTP client in an event loop, and the log of what it sent."""

    def __init__(self, ca_file: str | None = None, insecure: bool = False):
        self._idle: dict[tuple, list] = {}
        self._random = random.Random(1)
        self._tls: ssl.SSLContext | None = None
        self._ca_file = ca_file
        self._insecure = insecure
        self.log: list[dict] = []

    def close(self) -> None:
        for connections in self._idle.values():
            for _, writer in connections:
                writer.transport.abort()
        self._idle.clear()

    def shuffle(self, things: list) -> None:
        self._random.shuffle(things)

    async def post(self, url: str, fields: dict, token: str, kind: str, options: dict) -> dict:
        """Posts the fields. Options: sign (true, false or "wrong"), signature (this text), headers,
        method ("GET" puts the fields into the query), document (instead of the fields: JSON, signed
        by its digest in the query). The result says what came back."""
        pairs = [(k, str(v)) for k, v in fields.items()]
        self.shuffle(pairs)  # as on Twilio's wire: no order can be relied on
        encoded = urlencode(pairs)
        method = options.get("method", "POST")
        if method == "GET":
            url += ("&" if "?" in url else "?") + encoded
            encoded = ""
        body = encoded.encode()
        document = options.get("document")
        if document is not None:
            encoded = json.dumps(document)
            body = encoded.encode()
            digest = hashlib.sha256(body).hexdigest()
            url += ("&" if "?" in url else "?") + "bodySHA256=" + digest
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "Accept": "*/*",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
            "X-Home-Region": "us1",
        }
        how = options.get("sign", True)
        if how:
            text = options.get("signature") or twilio_signing.sign(
                token if how is True else token + "x",
                url,
                twilio_signing.form_pairs(body) if document is None else [],
            )
            headers["X-Twilio-Signature"] = text
        if document is not None:
            headers["Content-Type"] = "application/json"
        headers.update(options.get("headers") or {})
        start = time.monotonic()
        record = {
            "kind": kind,
            "url": url,
            "sid": fields.get("MessageSid"),
            "message_status": fields.get("MessageStatus"),
            "time": time.time(),
            "body": encoded,
            "signature": headers.get("X-Twilio-Signature"),
        }
        try:
            status, answer_headers, answer = await asyncio.wait_for(
                self._exchange(url, method, headers, body), TIMEOUT
            )
            record.update(
                status=status, headers=answer_headers, answer=answer.decode("utf-8", "replace")
            )
        except (
            OSError,
            EOFError,
            ValueError,
            asyncio.TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ) as error:
            record.update(status=0, error=f"{type(error).__name__}: {error}")
        record["ms"] = round((time.monotonic() - start) * 1000, 3)
        self.log.append(record)
        del self.log[:-20000]
        return record

    async def _exchange(self, url: str, method: str, headers: dict, body: bytes):
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        key = (is_tls, parts.hostname, parts.port or (443 if is_tls else 80))
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        lines = [
            f"{method} {quote(target, safe=KEPT)} HTTP/1.1",
            f"Host: {host}",
            f"Content-Length: {len(body)}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        wire = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        while self._idle.get(key):
            reader, writer = self._idle[key].pop()
            try:
                return await self._ask(key, reader, writer, wire)
            except (OSError, EOFError):
                continue  # closed while idle; webhooks may be repeated
        # Twilio tries to connect twice.
        try:
            reader, writer = await self._connect(key)
        except OSError:
            reader, writer = await self._connect(key)
        return await self._ask(key, reader, writer, wire)

    async def _connect(self, key: tuple):
        is_tls, host, port = key
        if is_tls and not self._tls:
            self._tls = ssl.create_default_context(cafile=self._ca_file)
            if self._insecure:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
        return await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=self._tls if is_tls else None), 5
        )

    async def _ask(self, key: tuple, reader, writer, wire: bytes):
        try:
            writer.write(wire)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            status = int(first.split(" ", 2)[1])
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            answer = await self._read_body(reader, status, headers)
        except BaseException:
            writer.transport.abort()
            raise
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.setdefault(key, []).append((reader, writer))
        return status, headers, answer

    @staticmethod
    async def _read_body(reader, status: int, headers: dict) -> bytes:
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            answer = b""
            while True:
                size = int((await reader.readline()).split(b";")[0], 16)
                answer += (await reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return answer
                if len(answer) > MAX_ANSWER:
                    raise ValueError("answer over 64 kB")
        if "content-length" in headers:
            length = int(headers["content-length"])
            if length > MAX_ANSWER:
                raise ValueError("answer over 64 kB")
            return await reader.readexactly(length)
        headers["connection"] = "close"
        return await reader.read(MAX_ANSWER)
