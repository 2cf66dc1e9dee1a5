#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Twilio's WhatsApp API: takes messages, calls webhooks, fails in every way on
demand.

As a program it prints "listening on http://127.0.0.1:PORT" and runs until it is ended. In a test:

    with TwilioSimulator(webhook="http://127.0.0.1:8080/api/whatsapp-messenger/webhook") as twilio:
        twilio.mode("refuse", code=21610, http=400, count=1)
        twilio.inbound(From="+15551230001", Body="hello")

Twilio's side: POST and GET /2010-04-01/Accounts/{AC}/Messages.json, GET Messages/{sid}.json,
Messages/{sid}/Media.json and Messages/{sid}/Media/{ME}.

The control side, JSON both ways:
    GET  /_simulator/health
    GET  /_simulator/requests[?since=N]   what came from the client under test, oldest first
    GET  /_simulator/messages             what exists, oldest first; "shown": what the customer
                                          sees of what was sent
    GET  /_simulator/webhooks             what was sent to webhooks, and what they answered
    GET  /_simulator/stats                counts
    GET  /_simulator/mode, POST           how requests are answered: twilio_modes.py
    POST /_simulator/callbacks            {"on", "order": ["sent", ...], "delays_ms": [..],
    "repeat",
                                          "shuffle", "error_code", "before_reply", "to", "extra"}
    POST /_simulator/callback             {"sid", "status", "error_code", "extra", "url"}: one, now;
                                          "extra" has fields ("ChannelStatusMessage"), and
                                          "error_message", which Twilio's list then has
    POST /_simulator/inbound              Twilio's fields (From, Body, MediaUrl0, ...) and "media",
                                          "repeat", "sign", "token", "url", "deliver", "method",
                                          "seconds_ago",
                                          "headers", "signature", "listed", "media_listed"
    GET  /_simulator/medialist?sid=       the media that there are
    POST /_simulator/listed               {"sid", "listed": members of its JSON to say instead,
                                          "media_listed": the entries of its Media.json; null:
                                          those that there are}
    POST /_simulator/config               {"webhook", "auth_token", "tokens", "numbers", ...;
                                          "next_page": what lists say where the next page is}
    POST /_simulator/conversations        a few example conversations
    POST /_simulator/reset                everything as at the start
"""

import argparse
import asyncio
import base64
import collections
import datetime
import hmac
import http.client
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qsl, unquote

import twilio_demo
import twilio_modes
import twilio_rules
import twilio_signing
import twilio_webhooks
from twilio_rules import Form, Message, Refusal

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
NUMBER = "+14155238886"
JSON_TYPE = "application/json; charset=utf-8"
REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024


class Request:
    """One request as it came."""

    __slots__ = ("method", "target", "path", "query", "headers", "body", "number", "peer")

    def __init__(
        self, method: str, target: str, headers: dict, body: bytes, number: int, peer: int
    ):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body
        self.number = number  # of the requests on its connection, from 1
        self.peer = peer  # its connection

    def json(self):
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError as error:
            raise Refusal(20001, message="not JSON") from error


class Answer:
    """What goes back; `action` is None or what happens to the connection instead or afterwards."""

    __slots__ = ("status", "body", "headers", "action", "milliseconds")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = JSON_TYPE,
        action: str | None = None,
        milliseconds: float = 0,
        **headers: str,
    ):
        self.status = status
        self.body = body
        self.headers = {"Content-Type": content_type}
        self.headers.update((k.replace("_", "-"), v) for k, v in headers.items())
        self.action = action
        self.milliseconds = milliseconds

    @classmethod
    def of_json(cls, value, status: int = 200) -> "Answer":
        try:
            return cls(status, json.dumps(value, ensure_ascii=False).encode())
        except UnicodeEncodeError:  # half a surrogate pair has no bytes, but can be escaped
            return cls(status, json.dumps(value).encode())

    def wire(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode() + self.body


class Connection(asyncio.Protocol):
    """HTTP/1.1 with kept connections, one request after the other."""

    def __init__(self, server: "Server"):
        self.server = server
        self.buffer = b""
        self.count = 0
        self.is_busy = False
        self.transport = None
        self.number = 0

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.server.stats["connections"] += 1
        self.number = self.server.stats["connections"]
        self.server.connections.add(self)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc) -> None:
        self.server.connections.discard(self)
        self.transport = None

    def reset(self) -> None:
        """Ends the connection with RST."""
        if self.transport:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.server.rules.is_next("reset-before") and b"/_simulator/" not in data[:200]:
            self.server.rules.take(None, False)
            self.server.stats["resets"] += 1
            self.reset()
            return
        self.buffer += data
        if not self.is_busy:
            self.advance()

    def advance(self) -> None:
        """Serves what is complete in the buffer."""
        while self.transport and not self.is_busy:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > MAX_HEAD:
                    self.transport.abort()
                return
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > MAX_BODY or "transfer-encoding" in headers:
                self.transport.write(Answer(413).wire())
                self.transport.close()
                return
            total = end + 4 + int(length)
            if len(self.buffer) < total:
                if headers.get("expect", "").lower() == "100-continue":
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body = self.buffer[end + 4 : total]
            self.buffer = self.buffer[total:]
            self.count += 1
            method, _, rest = first.partition(" ")
            request = Request(
                method, rest.rpartition(" ")[0], headers, body, self.count, self.number
            )
            self.answer(
                self.server.serve(request), headers.get("connection", "").lower() == "close"
            )

    def answer(self, result, is_last: bool) -> None:
        if not isinstance(result, Answer):
            self.is_busy = True
            task = self.server.loop.create_task(result)
            self.server.tasks.add(task)
            task.add_done_callback(self.server.tasks.discard)
            task.add_done_callback(lambda done: self.resume(done, is_last))
        elif result.milliseconds > 0 and result.action != "drip":
            self.is_busy = True
            wait, result.milliseconds = result.milliseconds, 0
            self.server.loop.call_later(wait / 1000, self.answer_late, result, is_last)
        elif result.action:
            self.misbehave(result)
        else:
            self.transport.write(result.wire())
            if is_last:
                self.transport.close()

    def answer_late(self, result: Answer, is_last: bool) -> None:
        self.is_busy = False
        if self.transport:
            self.answer(result, is_last)
            self.advance()

    def resume(self, done: asyncio.Task, is_last: bool) -> None:
        if not done.cancelled():
            error = done.exception()
            self.answer_late(
                done.result() if not error else Answer(500, repr(error).encode(), "text/plain"),
                is_last,
            )

    def misbehave(self, result: Answer) -> None:
        wire = result.wire()
        if result.action == "reset":
            self.reset()
        elif result.action == "close":
            self.transport.close()
        elif result.action == "hang":
            self.is_busy = True
        elif result.action == "close-after":
            self.transport.write(wire)
            self.transport.close()
        elif result.action == "short":
            self.transport.write(wire[: -len(result.body) // 2])
            self.transport.close()
        elif result.action == "drip":
            self.is_busy = True
            self.drip(wire, result.milliseconds / 1000)

    def drip(self, wire: bytes, pause: float) -> None:
        if not self.transport:
            return
        if wire:
            self.transport.write(wire[:1])
            self.server.loop.call_later(pause, self.drip, wire[1:], pause)
        else:
            self.is_busy = False
            self.advance()


class Server:
    """The account and everything that happens to it; lives in one event loop."""

    def __init__(self, **settings):
        self.settings = settings
        self.loop: asyncio.AbstractEventLoop | None = None
        self.base = ""
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task] = set()
        self.webhooks = twilio_webhooks.Webhooks(
            settings.get("webhook_ca"), settings.get("webhook_insecure", False)
        )
        self.rules = twilio_modes.Rules()
        self.reset()

    def reset(self) -> None:
        """Everything as at the start."""
        settings = self.settings
        self.account = settings.get("account_sid") or ACCOUNT_SID
        self.token = settings.get("auth_token") or AUTH_TOKEN
        self.api_keys: dict[str, str] = dict(settings.get("api_keys") or {})
        self.numbers = list(settings.get("numbers") or [NUMBER])
        self.webhook = settings.get("webhook")
        self.demo = bool(settings.get("demo"))
        self.max_messages = settings.get("max_messages") or 50000
        self.media_redirect = True
        self.next_page: dict | None = None
        self.cut_media: set[str] = set()
        self.callbacks = {"on": settings.get("callbacks", True)}
        self.callbacks_to: dict[str, dict] = {}
        self.messages: collections.OrderedDict[str, Message] = collections.OrderedDict()
        self.requests: collections.deque = collections.deque(maxlen=20000)
        self.stats = collections.Counter()
        self.rules.set({"mode": "ok"})
        self.webhooks.log.clear()
        for task in self.tasks:
            task.cancel()
        self.authorizations = {self.basic(self.account, self.token)}
        self.authorizations |= {self.basic(key, value) for key, value in self.api_keys.items()}

    @staticmethod
    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def spawn(self, work) -> asyncio.Task:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    # ---- requests ----

    def serve(self, request: Request):
        """An Answer, or a coroutine that ends in one."""
        try:
            if request.path.startswith("/_simulator/"):
                return self.control(request)
            return self.api(request)
        except Refusal as refusal:
            return self.refused(refusal)

    def refused(self, refusal: Refusal) -> Answer:
        answer = self.stamp(Answer(refusal.http, refusal.body()))
        if refusal.http == 401:
            answer.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        return answer

    def stamp(self, answer: Answer) -> Answer:
        answer.headers["Twilio-Request-Id"] = twilio_rules.new_sid("RQ")
        answer.headers["Twilio-Concurrent-Requests"] = "1"
        return answer

    def authorize(self, request: Request, account: str) -> None:
        given = request.headers.get("authorization", "")
        if not any(
            hmac.compare_digest(given.encode(), known.encode()) for known in self.authorizations
        ):
            raise Refusal(20003, 401)
        if account != self.account:
            raise Refusal(20404, 404)

    def api(self, request: Request):
        match = re.fullmatch(
            r"/2010-04-01/Accounts/([^/]*)/Messages(?:/([^/.]+))?(/Media(?:/([^/.]+))?)?"
            r"(?:\.json)?",
            request.path,
        )
        if not match:
            raise Refusal(20404, 404)
        account, sid, media, media_sid = match[1], match[2], match[3], match[4]
        if request.method == "POST" and not sid and not media:
            return self.create(request, account)
        if request.method != "GET":
            raise Refusal(20405, 405)
        self.record(request, None, "ok")
        if media_sid:
            if self.settings.get("media_auth"):
                self.authorize(request, account)
            return self.media(sid, media_sid)
        self.authorize(request, account)
        rule = self.rules.take(None, request.number == 1, unquote(request.target))
        if rule["mode"] != "ok":
            return self.misanswer(rule, request, lambda: Answer(200, b'{"messages": []}'))
        if not sid:
            return self.stamp(Answer.of_json(self.list(request)))
        message = self.messages.get(sid)
        if not message:
            raise Refusal(20404, 404)
        if media:
            return self.stamp(
                Answer.of_json(
                    {
                        "media_list": [message.media_json(i) for i in range(len(message.media))]
                        if message.media_listed is None
                        else message.media_listed,
                        "uri": request.target,
                        "next_page_uri": None,
                        "page": 0,
                    }
                )
            )
        return self.stamp(Answer.of_json(message.json()))

    def record(self, request: Request, form: Form | None, mode: str) -> dict:
        self.stats["requests"] += 1
        entry = {
            "n": self.stats["requests"],
            "time": time.time(),
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body,
            "form": form.values if form else None,
            "mode": mode,
            "problems": form.problems() if form else [],
            "connection": request.peer,
            "number_on_connection": request.number,
        }
        entry["headers"] = {k: v for k, v in request.headers.items() if k != "authorization"}
        entry["user"] = self.user_of(request)
        self.requests.append(entry)
        return entry

    @staticmethod
    def user_of(request: Request) -> str | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        try:
            return base64.b64decode(text).decode().partition(":")[0]
        except ValueError:
            return None

    def create(self, request: Request, account: str):
        is_form = (
            request.headers.get("content-type", "").partition(";")[0].strip().lower()
            == "application/x-www-form-urlencoded"
        )
        form = Form(twilio_signing.form_pairs(request.body) if is_form else [])
        rule = self.rules.take(form.one("To"), request.number == 1)
        entry = self.record(request, form, rule["mode"])
        self.authorize(request, account)
        if rule["mode"] == "ok":
            try:
                return self.make(form)
            except Refusal as refusal:
                entry["refused"] = refusal.code
                raise
        return self.misanswer(rule, request, lambda: self.make(form))

    def make(self, form: Form):
        """Takes a message as Twilio does: 201 with its JSON."""
        twilio_rules.check_create(form, self.numbers)
        message = Message.from_form(self.account, form)
        self.keep(message)
        self.stats["created"] += 1
        answer = self.stamp(Answer(201, json.dumps(message.json()).encode()))
        settings = self.callbacks_of(message)
        work = self.live(message, settings)
        if settings.get("before_reply"):
            return self.after(work, answer)
        if settings.get("on") and message.callback or self.demo:
            self.spawn(work)
        else:
            work.close()
        return answer

    @staticmethod
    async def after(work, answer: Answer) -> Answer:
        await work
        return answer

    def keep(self, message: Message) -> None:
        self.messages[message.sid] = message
        while len(self.messages) > self.max_messages:
            self.messages.popitem(last=False)

    def misanswer(self, rule: dict, request: Request, good):
        """What a mode makes of a request; `good` makes the right answer, and the message."""
        mode = rule["mode"]
        if mode == "delay":
            answer = good()
            if isinstance(answer, Answer):
                answer.milliseconds = rule.get("ms", 200)
            return answer
        if mode == "refuse":
            raise Refusal(rule.get("code", 21211), rule.get("http", 400), rule.get("message"))
        if mode == "rate-limit":
            answer = self.refused(Refusal(20429, 429))
            if rule.get("retry_after") is not None:
                answer.headers["Retry-After"] = str(rule["retry_after"])
            return answer
        if mode == "error":
            http_status = rule.get("http", 500)
            if rule.get("create"):
                good()
            raise Refusal(rule.get("code", 20503 if http_status == 503 else 20500), http_status)
        if mode == "html":
            if rule.get("create"):
                good()
            return Answer(rule.get("http", 502), b"<html><h1>Bad gateway</h1></html>", "text/html")
        if mode == "redirect":
            return Answer(
                rule.get("http", 307), Location=rule.get("location", self.base + request.target)
            )
        if mode in ("hang", "reset-before"):
            return Answer(500, action="hang" if mode == "hang" else "reset")
        return self.misdeliver(rule, good())

    @staticmethod
    def misdeliver(rule: dict, answer: Answer) -> Answer:
        """A right answer, spoilt on its way."""
        mode = rule["mode"]
        if mode == "empty":
            return Answer(rule.get("http", 201))
        if mode == "truncated":
            answer.body = answer.body[: len(answer.body) // 2]
        elif mode == "huge":
            answer.status = rule.get("http", 201)
            answer.body = (
                answer.body[:-1] + b', "more": "' + b"x" * rule.get("bytes", 10_000_000) + b'"}'
            )
        elif mode == "no-sid":
            answer.body = b'{"status": "queued"}'
        elif mode == "wrong-type":
            answer.headers["Content-Type"] = "text/html; charset=utf-8"
        elif mode == "slow-drip":
            answer.milliseconds = rule.get("ms", 20)
        answer.action = {
            "reset-after": "reset",
            "close": "close",
            "close-reused": "close",
            "close-after": "close-after",
            "hang-after": "hang",
            "short": "short",
            "slow-drip": "drip",
        }.get(mode)
        return answer

    # ---- lists and media ----

    @staticmethod
    def moment(text: str, is_end: bool) -> float:
        """A filter's date as seconds: a day, or a time."""
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                day = datetime.datetime.fromisoformat(text + "T00:00:00+00:00").timestamp()
                return day + 86399 if is_end else day
            return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        except ValueError as error:
            raise Refusal(20001, message="DateSent is not a date") from error

    def list(self, request: Request) -> dict:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        found = list(reversed(self.messages.values()))
        if query.get("To"):
            found = [m for m in found if m.to == query["To"]]
        if query.get("From"):
            found = [m for m in found if m.sender == query["From"]]
        for name, is_end in (("DateSent>", False), ("DateSent<", True), ("DateSent", False)):
            if query.get(name):
                limit = self.moment(query[name], is_end)
                found = [m for m in found if self.is_within(m, name, limit)]
        size, page = query.get("PageSize", "50"), query.get("Page", "0")
        if not size.isdigit() or not page.isdigit() or not 1 <= int(size) <= 1000:
            raise Refusal(20001, message="PageSize must be 1 to 1000")
        size, page = int(size), int(page)
        start = size * page
        shown = found[start : start + size]
        others = "&".join(
            part
            for part in request.query.split("&")
            if part and not part.startswith(("Page=", "PageToken=", "PageSize="))
        )

        def link(number: int) -> str:
            token = f"&PageToken=PA{shown[-1].sid}" if number and shown else ""
            return (
                f"{request.path}?{others}{'&' if others else ''}"
                f"PageSize={size}&Page={number}{token}"
            )

        following = link(page + 1) if len(found) > start + size else None
        if following and self.next_page is not None:
            following = self.next_page["uri"]
        return {
            "messages": [m.json() for m in shown],
            "first_page_uri": link(0),
            "next_page_uri": following,
            "previous_page_uri": link(page - 1) if page else None,
            "page": page,
            "page_size": size,
            "start": start,
            "end": start + max(len(shown) - 1, 0),
            "uri": request.target,
        }

    @staticmethod
    def is_within(message: Message, name: str, limit: float) -> bool:
        when = int(message.sent if message.sent is not None else message.created)
        if name == "DateSent>":
            return when >= int(limit)
        if name == "DateSent<":
            return when <= int(limit)
        return int(limit) <= when < int(limit) + 86400

    def media(self, sid: str, media_sid: str) -> Answer:
        message = self.messages.get(sid)
        for known, content_type, content in message.media if message else []:
            if known == media_sid:
                if self.media_redirect:
                    return Answer(307, Location=f"{self.base}/_simulator/media/{sid}/{media_sid}")
                return Answer(200, content, content_type)
        raise Refusal(20404, 404)

    # ---- webhooks ----

    def callbacks_of(self, message: Message) -> dict:
        number = message.to.removeprefix("whatsapp:")
        return {**self.callbacks, **self.callbacks_to.get(number, {})}

    async def live(self, message: Message, settings: dict) -> None:
        """A sent message's further life: receipts, and in the demo a reply."""
        fails = self.demo and twilio_demo.fails(message.body)
        order = list(
            settings.get("order") or (["undelivered"] if fails else ["sent", "delivered", "read"])
        )
        delays = settings.get("delays_ms") or ([400, 600, 1500] if self.demo else [0])
        order = order * int(settings.get("repeat", 1))
        if settings.get("shuffle"):
            self.webhooks.shuffle(order)
        for index, status in enumerate(order if settings.get("on") else []):
            await asyncio.sleep(delays[min(index, len(delays) - 1)] / 1000)
            code = (
                settings.get("error_code", 63016) if status in ("failed", "undelivered") else None
            )
            await self.receipt(message, status, code, settings.get("extra"), None)
        if self.demo and not fails and message.direction == "outbound-api":
            await asyncio.sleep(1.2)
            await self.inbound({"From": message.to, **twilio_demo.reply_to(message.body)})

    async def receipt(
        self, message: Message, status: str, code: int | None, extra: dict | None, url: str | None
    ) -> dict | None:
        """Changes a message's status and tells its callback URL."""
        message.status = status
        message.statuses.append(status)
        message.error_code = code
        message.error_message = (extra or {}).get("error_message")
        if status == "sent":
            message.sent = time.time()
        url = url or message.callback
        if not url:
            return None
        number = message.to.removeprefix("whatsapp:")
        fields = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": message.account,
            "From": message.sender or "",
            "To": message.to,
            "ApiVersion": "2010-04-01",
            "ChannelPrefix": "whatsapp",
            "ChannelInstallSid": "XE00000000000000000000000000000003",
            "ChannelToAddress": number[:-4] + "XXXX",
        }
        if status in ("delivered", "read", "undelivered"):
            fields["EventType"] = status.upper()
        if status == "sent":
            fields["StructuredMessage"] = "false"
        if code:
            fields.update(
                ErrorCode=str(code), ErrorMessage="", ChannelStatusMessage="Re-engagement message"
            )
        options = dict(extra or {})
        fields.update({k: v for k, v in options.items() if k[:1].isupper()})
        token = options.get("token", self.token)
        return await self.webhooks.post(url.partition("#")[0], fields, token, "status", options)

    async def inbound(self, wanted: dict) -> dict:
        """A message from the world: kept, and told to the webhook."""
        fields = {k: v for k, v in wanted.items() if k[:1].isupper()}
        options = {k: v for k, v in wanted.items() if not k[:1].isupper()}
        prefix = {"whatsapp": "whatsapp:", "sms": ""}.get(channel := options.get("channel"))
        prefix = "whatsapp:" if channel is None else f"{channel}:" if prefix is None else prefix
        sender = str(fields.pop("From", twilio_demo.ANA))
        sender = sender if ":" in sender else prefix + sender
        to = str(fields.pop("To", self.numbers[0]))
        to = to if ":" in to else prefix + to
        medias = options.get("media") or []
        sid = fields.get("MessageSid") or twilio_rules.new_sid("MM" if medias else "SM")
        message = Message(
            self.account, "inbound", to, sender, str(fields.get("Body", "")), "received", sid
        )
        message.created -= float(options.get("seconds_ago", 0))
        message.sent = message.created + float(options.get("sent_after", 0))
        message.media = [self.media_make(m) for m in medias]
        message.listed = options.get("listed") or {}
        message.media_listed = options.get("media_listed")
        self.keep(message)
        known = self.inbound_fields(message, fields, len(medias))
        for index, (media_sid, content_type, _) in enumerate(message.media):
            known[
                f"MediaUrl{index}"
            ] = f"{self.base}/2010-04-01/Accounts/{self.account}/Messages/{sid}/Media/{media_sid}"
            known[f"MediaContentType{index}"] = content_type
        known.update(fields)
        known = {k: v for k, v in known.items() if v is not None}
        url = options.get("url") or self.webhook
        if not url or not options.get("deliver", True):
            return {"sid": sid, "results": []}
        token = options.get("token", self.token)
        results = await asyncio.gather(
            *[
                self.webhooks.post(url.partition("#")[0], known, token, "inbound", options)
                for _ in range(int(options.get("repeat", 1)))
            ]
        )
        return {
            "sid": sid,
            "status": results[0]["status"],
            "answer": results[0].get("answer"),
            "results": results,
        }

    def inbound_fields(self, message: "Message", fields: dict, media_count: int) -> dict:
        """What Twilio says of a message beside its attachments: of one that did not come by
        WhatsApp it knows no profile, and of an SMS the countries."""
        sid, sender, to = message.sid, message.sender, message.to
        known = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": self.account,
            "From": sender,
            "To": to,
            "Body": message.body,
            "NumMedia": str(media_count),
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
        }
        if sender.startswith("whatsapp:"):
            number = sender.removeprefix("whatsapp:")
            known["MessageType"] = self.type_of(fields, message)
            known["ProfileName"] = twilio_demo.NAMES.get(number, "Simulated")
            if number.startswith("+"):
                known["WaId"] = number[1:]
        elif ":" not in sender:
            known.update(
                FromCountry="US",
                FromCity="",
                FromState="CA",
                FromZip="",
                ToCountry="US",
                ToCity="",
                MessagingServiceSid="MG" + "0" * 32,
            )
        return known

    async def hook(self, wanted: dict) -> dict:
        """A hook of another of Twilio's products: "product", with its fields as Twilio writes
        them."""
        options = {k: v for k, v in wanted.items() if not k[:1].isupper()}
        fields, document = twilio_rules.hook_of(options.pop("product"), self.account)
        fields.update({k: v for k, v in wanted.items() if k[:1].isupper()})
        fields = {k: v for k, v in fields.items() if v is not None}
        url = str(options.get("url") or self.webhook)
        options.setdefault("document", document)
        return await self.webhooks.post(url, fields, self.token, "hook", options)

    def media_make(self, wanted: dict) -> tuple[str, str, bytes]:
        """A file: {"base64", "content_type", "times": the content so often, "cut": ends too
        early}."""
        content = base64.b64decode(wanted["base64"]) if "base64" in wanted else twilio_demo.PICTURE
        sid = twilio_rules.new_sid("ME")
        if wanted.get("cut"):
            self.cut_media.add(sid)
        return sid, wanted.get("content_type", "image/png"), content * int(wanted.get("times", 1))

    @staticmethod
    def type_of(fields: dict, message: Message) -> str:
        if "Latitude" in fields:
            return "location"
        if "ButtonText" in fields:
            return "button"
        if not message.media:
            return "text"
        kind = message.media[0][1].partition(";")[0]
        if kind in ("text/vcard", "text/x-vcard"):
            return "contacts"
        top = kind.partition("/")[0]
        return top if top in ("image", "audio", "video") else "document"

    async def conversations(self) -> dict:
        done = []
        for sender, fields in twilio_demo.CONVERSATIONS:
            done.append(await self.inbound({"From": sender, **fields}))
        return {"sent": len(done), "statuses": [d.get("status") for d in done]}

    async def conversations_when_up(self) -> None:
        """At the start: as soon as the webhook's server can be reached, for half a minute."""
        parts = re.match(r"(https?)://([^/:]+)(?::(\d+))?", self.webhook or "")
        if not parts:
            return
        port = int(parts[3] or (443 if parts[1] == "https" else 80))
        for _ in range(150):
            try:
                _, writer = await asyncio.open_connection(parts[2], port)
                writer.close()
                await self.conversations()
                return
            except OSError:
                await asyncio.sleep(0.2)

    # ---- control ----

    def control(self, request: Request):
        name = request.path.removeprefix("/_simulator/")
        if name.startswith("media/") and request.method == "GET":
            sid, _, media_sid = name.removeprefix("media/").partition("/")
            for known, content_type, content in (
                self.messages[sid].media if sid in self.messages else []
            ):
                if known == media_sid:
                    return Answer(
                        200,
                        content,
                        content_type,
                        action="short" if media_sid in self.cut_media else None,
                    )
            raise Refusal(20404, 404)
        handler = getattr(self, f"{request.method.lower()}_{name}", None)
        if not handler or not re.fullmatch("[a-z]+", name):
            raise Refusal(20404, 404, "no such control")
        try:
            return handler(request)
        except (ValueError, KeyError, TypeError) as error:
            return Answer.of_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def get_health(self, _request: Request) -> Answer:
        return Answer.of_json({"ok": True, "account": self.account, "numbers": self.numbers})

    def get_stats(self, _request: Request) -> Answer:
        return Answer.of_json(
            {
                **self.stats,
                "messages": len(self.messages),
                "open_connections": len(self.connections),
                "webhooks": len(self.webhooks.log),
            }
        )

    def get_requests(self, request: Request) -> Answer:
        since = int(dict(parse_qsl(request.query)).get("since", "0"))
        shown = [
            {**entry, "body": entry["body"].decode("utf-8", "replace")}
            for entry in self.requests
            if entry["n"] > since
        ]
        return Answer.of_json({"requests": shown, "total": self.stats["requests"]})

    def get_messages(self, _request: Request) -> Answer:
        return Answer.of_json(
            {
                "messages": [
                    {
                        **m.json(),
                        "media_urls": m.media_urls,
                        "shown": m.shown,
                        "content_sid": m.content_sid,
                        "content_variables": m.content_variables,
                        "status_callback": m.callback,
                        "statuses": m.statuses,
                    }
                    for m in self.messages.values()
                ]
            }
        )

    def get_medialist(self, request: Request) -> Answer:
        """What a message's Media.json would say if nothing was changed about it."""
        message = self.messages[dict(parse_qsl(request.query))["sid"]]
        return Answer.of_json(
            {"media_list": [message.media_json(i) for i in range(len(message.media))]}
        )

    def get_webhooks(self, _request: Request) -> Answer:
        return Answer.of_json({"webhooks": self.webhooks.log})

    def get_mode(self, _request: Request) -> Answer:
        return Answer.of_json({"rules": self.rules.list(), "modes": twilio_modes.MODES})

    def post_mode(self, request: Request) -> Answer:
        self.rules.set(request.json())
        return Answer.of_json({"rules": self.rules.list()})

    def post_hook(self, request: Request):
        return self.hook(request.json())

    def post_callbacks(self, request: Request) -> Answer:
        wanted = request.json()
        wanted.setdefault("on", True)
        if wanted.get("to"):
            self.callbacks_to[wanted.pop("to")] = wanted
        else:
            self.callbacks = wanted
            self.callbacks_to = {}
        return Answer.of_json({"callbacks": self.callbacks})

    def post_callback(self, request: Request):
        wanted = request.json()
        message = self.messages.get(wanted["sid"])
        if (
            not message
        ):  # of a message that nobody made: Twilio's side may know more than the client's
            message = Message(
                self.account,
                "outbound-api",
                wanted.get("to", "whatsapp:" + twilio_demo.ANA),
                "whatsapp:" + self.numbers[0],
                "",
                "queued",
                wanted["sid"],
            )
            message.callback = wanted.get("url") or self.webhook

        async def work() -> Answer:
            result = await self.receipt(
                message,
                wanted["status"],
                wanted.get("error_code"),
                wanted.get("extra"),
                wanted.get("url"),
            )
            return Answer.of_json(result or {"status": None})

        return work()

    def post_inbound(self, request: Request):
        wanted = request.json()

        async def work() -> Answer:
            return Answer.of_json(await self.inbound(wanted))

        return work()

    def post_listed(self, request: Request) -> Answer:
        wanted = request.json()
        message = self.messages[wanted["sid"]]
        message.listed = wanted.get("listed") or {}
        message.media_listed = wanted.get("media_listed")
        return Answer.of_json(message.json())

    def post_conversations(self, _request: Request):
        async def work() -> Answer:
            return Answer.of_json(await self.conversations())

        return work()

    def post_config(self, request: Request) -> Answer:
        wanted = request.json()
        for name, attribute in (
            ("webhook", "webhook"),
            ("auth_token", "token"),
            ("numbers", "numbers"),
            ("demo", "demo"),
            ("media_redirect", "media_redirect"),
            ("next_page", "next_page"),
        ):
            if name in wanted:
                setattr(self, attribute, wanted[name])
        tokens = wanted.get("tokens") or [self.token]
        self.authorizations = {self.basic(self.account, token) for token in tokens}
        self.authorizations |= {self.basic(key, value) for key, value in self.api_keys.items()}
        return self.get_health(request)

    def post_reset(self, request: Request) -> Answer:
        self.reset()
        return self.get_health(request)

    # ---- life ----

    async def start(self, port: int, tls: ssl.SSLContext | None) -> str:
        self.loop = asyncio.get_running_loop()
        listener = await self.loop.create_server(
            lambda: Connection(self), "127.0.0.1", port, ssl=tls, backlog=1024
        )
        self.listener = listener
        bound = listener.sockets[0].getsockname()[1]
        host = self.settings.get("host_name") or "127.0.0.1"
        self.base = f"{'https' if tls else 'http'}://{host}:{bound}"
        if self.settings.get("conversations"):
            self.spawn(self.conversations_when_up())
        return self.base

    async def stop(self) -> None:
        self.listener.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.webhooks.close()
        for connection in list(self.connections):
            connection.transport.abort()


class Control:
    """Speaks to a running simulator's control side."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None):
        self.url = url
        self._tls = tls

    def call(self, method: str, name: str, value=None) -> dict:
        """One control call; RuntimeError when it was refused."""
        scheme, _, authority = self.url.partition("://")
        if scheme == "https":
            connection = http.client.HTTPSConnection(authority, timeout=30, context=self._tls)
        else:
            connection = http.client.HTTPConnection(authority, timeout=30)
        try:
            body = None if value is None else json.dumps(value)
            connection.request(
                method, "/_simulator/" + name, body, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise RuntimeError(f"{name}: {answer.status} {text}")
            return json.loads(text)
        finally:
            connection.close()

    def mode(self, mode: str = "ok", **options) -> None:
        self.call("POST", "mode", {"mode": mode, **options})

    def callbacks(self, **settings) -> None:
        self.call("POST", "callbacks", settings)

    def callback(self, sid: str, status: str, **options) -> dict:
        return self.call("POST", "callback", {"sid": sid, "status": status, **options})

    def inbound(self, **fields) -> dict:
        return self.call("POST", "inbound", fields)

    def hook(self, product: str, **fields) -> dict:
        return self.call("POST", "hook", {"product": product, **fields})

    def config(self, **settings) -> dict:
        return self.call("POST", "config", settings)

    def listed(self, sid: str, **settings) -> dict:
        return self.call("POST", "listed", {"sid": sid, **settings})

    def reset(self) -> None:
        self.call("POST", "reset", {})

    def requests(self, since: int = 0) -> list[dict]:
        return self.call("GET", f"requests?since={since}")["requests"]

    def messages(self) -> list[dict]:
        return self.call("GET", "messages")["messages"]

    def webhooks(self) -> list[dict]:
        return self.call("GET", "webhooks")["webhooks"]

    def stats(self) -> dict:
        return self.call("GET", "stats")

    def conversations(self) -> dict:
        return self.call("POST", "conversations", {})


class TwilioSimulator(Control):
    """A simulator in a thread of this process. Settings: account_sid, auth_token, api_keys,
    numbers,
    webhook, callbacks (False: off), demo, media_auth, webhook_ca, webhook_insecure, host_name."""

    def __init__(self, port: int = 0, cert: str | None = None, key: str | None = None, **settings):
        tls = None
        if cert:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(cert, key)
        self._server = Server(**settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="twilio-simulator", daemon=True)
        self._ready = threading.Event()
        self._port, self._server_tls = port, tls
        self._failure: BaseException | None = None
        client = None
        if cert:
            client = ssl.create_default_context()
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        super().__init__("", client)

    @property
    def account_sid(self) -> str:
        return self._server.account

    @property
    def auth_token(self) -> str:
        return self._server.token

    @property
    def number(self) -> str:
        return self._server.numbers[0]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self.url = self._loop.run_until_complete(
                self._server.start(self._port, self._server_tls)
            )
        except BaseException as error:  # told to whoever started the thread
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._server.stop())
        self._loop.close()

    def start(self) -> "TwilioSimulator":
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> "TwilioSimulator":
        return self.start()

    def __exit__(self, *_exc) -> None:
        self.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description="A stand-in for Twilio's WhatsApp API.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed")
    parser.add_argument("--account-sid", default=ACCOUNT_SID)
    parser.add_argument("--auth-token", default=AUTH_TOKEN)
    parser.add_argument("--number", action="append", help=f"ours; may be repeated ({NUMBER})")
    parser.add_argument("--webhook", help="where inbound messages are posted")
    parser.add_argument("--webhook-ca", help="trusted for https webhooks")
    parser.add_argument("--webhook-insecure", action="store_true", help="any certificate will do")
    parser.add_argument("--callbacks", choices=["on", "off"], default="on")
    parser.add_argument("--media-auth", action="store_true", help="media needs the credentials")
    parser.add_argument("--demo", action="store_true", help="people answer what is sent")
    parser.add_argument(
        "--conversations",
        action="store_true",
        help="start with example conversations, once the webhook is up",
    )
    parser.add_argument("--delay-ms", type=float, default=0, help="every send is answered so late")
    parser.add_argument("--max-messages", type=int, default=50000, help="older ones are forgotten")
    parser.add_argument("--cert", help="PEM: speak TLS")
    parser.add_argument("--key")
    options = parser.parse_args()
    numbers = [number.removeprefix("whatsapp:") for number in options.number or [NUMBER]]
    simulator = TwilioSimulator(
        options.port,
        options.cert,
        options.key,
        account_sid=options.account_sid,
        auth_token=options.auth_token,
        numbers=numbers,
        webhook=options.webhook,
        webhook_ca=options.webhook_ca,
        webhook_insecure=options.webhook_insecure,
        callbacks=options.callbacks == "on",
        demo=options.demo,
        media_auth=options.media_auth,
        conversations=options.conversations,
        max_messages=options.max_messages,
    )
    try:
        simulator.start()
    except OSError as error:
        print(f"cannot listen on port {options.port}: {error}", file=sys.stderr)
        return 1
    if options.delay_ms:
        simulator.mode("delay", ms=options.delay_ms)
    print(f"listening on {simulator.url}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
