#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real httpd with the module, the shipped web client and the Twilio simulator, led by lines
of JSON (target.js says which)."""

import base64
import http.client
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from urllib.parse import urlsplit

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from support.contract import Contract  # noqa: E402
from support.httpd import Account, Httpd, free_port, messenger  # noqa: E402
from support.simulator import Simulator  # noqa: E402

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)

PAGES_LOG = "logs/pages.log"
LOGIN_MODULES = ["auth_basic", "authn_core", "authn_file", "authz_user"]


class Between:
    """Stands between the module and the simulator: holds an answer of Twilio back until a test
    lets it go, and has the media."""

    def __init__(self, simulator_url):
        target = urlsplit(simulator_url).netloc
        self.media = {}  # path -> (content type, bytes)
        self.held = []  # one event for each coming send whose answer shall wait
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path in between.media:
                    self.answer(
                        200,
                        "OK",
                        [("Content-Type", between.media[self.path][0])],
                        between.media[self.path][1],
                    )
                    return
                is_send = self.command == "POST" and b"To=" in body
                event = between.held.pop(0) if is_send and between.held else None
                connection = http.client.HTTPConnection(target, timeout=60)
                try:
                    connection.request(
                        self.command, self.path, body or None, dict(self.headers.items())
                    )
                    answer = connection.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException):
                    self.close_connection = True  # the simulator is told to give no answer
                    return
                finally:
                    connection.close()
                if event:
                    event.wait(60)
                self.answer(answer.status, answer.reason, answer.getheaders(), content)

            def answer(self, status, reason, headers, content):
                self.send_response_only(status, reason)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = forward

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Messenger:
    """The operations of target.js."""

    def __init__(self, has_login):
        self.has_login = has_login
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.account = Account(public_url=self.origin)
        self.simulator = Simulator(self.account)
        self.between = Between(self.simulator.url)
        self.released = []
        self.webhook = f"{self.origin}/api/whatsapp-messenger/webhook"
        self.simulator.config(webhook=self.webhook)
        self.httpd = Httpd(
            self.configure,
            Contract(),
            account=self.account,
            modules=["alias", "dir", "mime", "filter", "deflate", *LOGIN_MODULES],
        )
        self.httpd.port = self.port
        self.store = self.httpd.directory / "store"
        self.httpd.start()

    def configure(self, httpd):
        """The shipped configuration of the web client, with this server's own messenger."""
        client = httpd.directory / "frontend"
        if not client.exists():
            shutil.copytree(ROOT / "frontend", client)
            client.chmod(0o755)
        shipped = (
            (ROOT / "conf" / "whatsapp.conf")
            .read_text(encoding="utf-8")
            .replace("/usr/share/mod_whatsapp/frontend", str(client))
        )
        assert str(client) in shipped
        if self.has_login:
            (httpd.directory / "whatsapp-account.conf").write_text(
                "", encoding="utf-8"
            )  # what it would hold is below
            secret = subprocess.run(
                ["openssl", "passwd", "-apr1", "open sesame"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            (httpd.directory / "whatsapp.users").write_text(f"ana:{secret}", encoding="utf-8")
            (httpd.directory / "whatsapp.users").chmod(0o644)
        return (
            "TypesConfig /dev/null\n"
            f'CustomLog {PAGES_LOG} "%>s %m %{{Origin}}i"\n'
            + messenger(self.account, self.store, self.between.url, extra="WhatsAppMaxSends 512\n")
            + shipped
        )

    def api(self, method, path, document=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(
                method,
                "/api/whatsapp-messenger" + path,
                body,
                {"Content-Type": "application/json", **(headers or {})},
            )
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    # ---- operations ----

    def inbound(self, **wanted):
        sid, fields = f"SM{os.urandom(16).hex()}", {}
        for index, kind in enumerate(wanted.get("media") or []):
            messages = f"/2010-04-01/Accounts/{self.account.sid}/Messages"
            path = f"{messages}/{sid}/Media/ME{os.urandom(16).hex()}"
            self.between.media[path] = (kind, PICTURE if kind == "image/png" else b"sample")
            fields.update(
                {
                    f"MediaUrl{index}": self.between.url + path,
                    f"MediaContentType{index}": kind,
                    "NumMedia": str(index + 1),
                }
            )
        fields = {"ProfileName": None, "MessageType": None, **fields, **wanted.get("fields", {})}
        sender = wanted["from"]
        if sender.startswith("sms:"):  # Twilio says nothing before the numbers of an SMS
            sender = sender.removeprefix("sms:")
            fields.update({"From": sender, "To": self.account.number, "WaId": None})
        self.httpd.client().webhook(
            self.account.inbound(sender, wanted.get("body", ""), sid, **fields)
        )

    def outcome(self, fail=None, code=None, unsure=None, hold=False):
        if hold:
            event = threading.Event()
            self.released.append(event)
            self.between.held.append(event)
        elif fail:
            self.rule(mode="refuse", code=code)
        elif unsure:
            self.rule(mode="close")

    def rule(self, **rule):
        """For one send, after the rules there are."""
        rules = [one for one in self.simulator.call("GET", "mode")["rules"] if one["mode"] != "ok"]
        self.simulator.call("POST", "mode", [*rules, {"count": 1, **rule}])

    def release(self):
        self.released.pop(0).set()

    def receipt(self, id, deliveryStatus, errorCode=None, **_):  # noqa: A002
        message = self.find(id)
        sid = message.get("sid") or next(
            one["sid"]
            for one in reversed(self.simulator.messages())
            if one["to"] == "whatsapp:" + message["counterpart"] and one["body"] == message["body"]
        )
        answer = self.simulator.callback(sid, deliveryStatus, error_code=errorCode)
        assert answer["status"] == 200, answer

    def find(self, wanted):
        for thread in self.api("GET", "/threads")["threads"]:
            for message in self.api(
                "GET",
                "/messages?limit=200&counterpart=" + thread["counterpart"].replace("+", "%2B"),
            )["messages"]:
                if message["id"] == wanted:
                    return message
        raise LookupError(wanted)

    def created(self):
        return [
            {"to": one["to"].removeprefix("whatsapp:"), "body": one["body"]}
            for one in self.simulator.messages()
            if one["direction"] == "outbound-api"
        ]

    def seed(self, threads, messages, **wanted):
        client = self.httpd.client()
        texts = [(f"+1555{1_000_000 + index}", f"Thread {index}") for index in range(threads)]
        texts += [(wanted["from"], f"Message {index}") for index in range(messages)]
        for index, (number, text) in enumerate(texts):
            if index >= threads and (index - threads) % 3 == 0 and messages <= 1000:
                self.api("POST", "/send", {"phoneNumber": number, "message": text})
            else:
                sid = f"SM{os.urandom(16).hex()}"
                client.webhook(self.account.inbound(number, text, sid, ProfileName=None))

    def reset(self):
        self.stop()
        shutil.rmtree(self.store, ignore_errors=True)
        self.simulator.reset()
        self.simulator.config(webhook=self.webhook)
        self.start()

    def answers(self):
        """What httpd answered to requests that say which page they come from, oldest first."""
        try:
            lines = (self.httpd.directory / PAGES_LOG).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        answers = [line.split(" ", 2) for line in lines]
        return [
            {"status": int(status), "method": method, "origin": origin}
            for status, method, origin in answers
            if origin != "-"
        ]

    def stop(self):
        self.httpd.stop()

    def start(self):
        self.httpd.start()

    def end(self):
        self.httpd.stop()
        shutil.rmtree(self.httpd.directory, ignore_errors=True)
        self.simulator.close()


def main():
    running = Messenger("--login" in sys.argv[1:])
    operations = {
        "inbound",
        "outcome",
        "release",
        "receipt",
        "created",
        "answers",
        "seed",
        "reset",
        "stop",
        "start",
    }
    try:
        print(json.dumps({"origin": running.origin}), flush=True)
        for line in sys.stdin:
            wanted = json.loads(line)
            name = wanted.pop("op")
            try:
                assert name in operations, name
                answer = {"result": getattr(running, name)(**wanted)}
            except Exception as error:  # the test that asked for it tells
                answer = {"error": f"{name}: {type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    finally:
        running.end()


if __name__ == "__main__":
    main()
