# SPDX-License-Identifier: Apache-2.0
"""A Twilio whose answers wait for the test: it looks at a send while it is under way, then lets it
go on or loses the answer."""

import http.server
import itertools
import json
import threading
from urllib.parse import parse_qsl

LOSE = "lose"  # what a hook gives when the answer shall never come


class Gate:
    """Takes messages at `url`. A recipient's hook runs before the answer; it gives None, LOSE, or
    members that replace the answer's."""

    def __init__(self):
        gate = self
        self._sids = itertools.count(1)
        self._hooks = {}
        self.requests = []
        self.errors = []  # what hooks raised: the test's fixture raises it again

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate._take(self, dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True)))

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def before_answer(self, number, hook):
        """`hook(request, sid)` runs for each message to `number`, in a thread of its own, before
        Twilio's answer is given."""
        self._hooks[f"whatsapp:{number}"] = hook

    def lose_answer(self, number):
        """Twilio has the message, but its answer never comes."""
        self.before_answer(number, lambda request, sid: LOSE)

    def requests_to(self, number):
        return [request for request in self.requests if request["To"] == f"whatsapp:{number}"]

    def _take(self, handler, request):
        self.requests.append(request)
        sid = f"SM{next(self._sids):032x}"
        hook = self._hooks.get(request["To"])
        try:
            change = hook(request, sid) if hook else None
        except BaseException as error:
            self.errors.append(error)
            change = LOSE
        if change == LOSE:
            handler.close_connection = True
            return
        answer = {
            "sid": sid,
            "status": "queued",
            "error_code": None,
            "error_message": None,
            "to": request["To"],
            "from": request["From"],
            "body": request["Body"],
        }
        answer.update(change if isinstance(change, dict) else {})
        text = json.dumps(answer).encode()
        try:
            handler.send_response(201)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)
        except OSError:
            handler.close_connection = True  # the server under test was killed meanwhile
