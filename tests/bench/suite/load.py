# SPDX-License-Identifier: Apache-2.0
"""Load: files of ready requests, wrk that sends them as fast as it can and drip that sends them at
a fixed rate."""

import json
import os
import pathlib
import re
import subprocess
import urllib.parse

from .process import Directory, spawn

HERE = pathlib.Path(__file__).resolve().parents[1]
HOST = "bench.example.org"
ORIGIN = f"https://{HOST}"
BASE = "/api/whatsapp-messenger"
WEBHOOK = f"{BASE}/webhook"
TOKEN = "0123456789abcdef0123456789abcdef"


class LoadError(Exception):
    """The load did not run as it must, so that its figures mean nothing."""


def counterpart(number):
    return f"+1555{number:07d}"


def get(path, **query):
    """A ready GET request."""
    target = f"{BASE}/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def send(number, text):
    """A ready POST /send."""
    body = json.dumps(
        {"phoneNumber": counterpart(number), "message": text}, ensure_ascii=False
    ).encode()
    head = (
        f"POST {BASE}/send HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Load:
    """Makes the files and runs the tools. Files are in memory where possible, so that they do not
    use the disk that is measured."""

    def __init__(self, tools, work):
        self.tools = tools
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = Directory(memory or work)
        self.dir = self.directory.path
        self.serial = 0
        self.next_sid = 1 << 40

    def close(self):
        self.directory.remove()

    def _path(self, kind):
        self.serial += 1
        return self.dir / f"{kind}-{self.serial}"

    def file(self, requests):
        """A file of ready requests."""
        path = self._path("requests")
        path.write_bytes(b"".join(b"%06d" % len(one) + one for one in requests))
        return path

    def webhooks(self, count, threads):
        """A file of `count` signed webhooks that were never sent before, over `threads`
        counterparts."""
        path = self._path("webhooks")
        subprocess.run(
            [
                self.tools / "webhooks",
                path,
                HERE / "sentences.txt",
                str(count),
                str(self.next_sid),
                str(threads),
                ORIGIN,
                WEBHOOK,
                TOKEN,
            ],
            check=True,
        )
        self.next_sid += count
        return path

    def wrk_start(self, server, path, seconds, connections, once=False):
        mode = "once" if once else "cycle"
        url = f"http://{server.place.host}:{server.port}/"
        return spawn(
            [*server.place.client, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
            + ["--timeout", "30s", "-s", HERE / "lua" / "requests.lua", url],
            env={**os.environ, "WA_BENCH_FILE": str(path), "WA_BENCH_MODE": mode},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def drip_start(self, server, path, seconds, rate, once=False):
        return spawn(
            [*server.place.client, self.tools / "drip", server.place.host, str(server.port)]
            + [str(rate), str(seconds), path, "once" if once else "cycle"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def result(process):
        """What a tool that was started reports."""
        output = process.communicate()[0]
        found = re.search(r"^RESULT (.*)$", output, re.M)
        if process.returncode != 0 or not found:
            raise LoadError(f"the load tool failed: {output[-400:]}")
        result = json.loads(found.group(1))
        result["said"] = " ".join(line for line in output.splitlines() if line.startswith("drip: "))
        return result

    @classmethod
    def finish(cls, process):
        """The same, where every request must have been answered with success; `rate` is how many a
        second."""
        result = cls.result(process)
        bad = {
            name: result[name]
            for name in ("connect", "read", "write", "timeout", "status", "exhausted", "failed")
            if result.get(name)
        }
        if bad:
            raise LoadError(
                (
                    f"not every request was answered with success: {bad} of {result['requests']} "
                    f"{result['said']}"
                ).rstrip()
            )
        if "duration_us" in result:
            result["rate"] = result["requests"] * 1e6 / result["duration_us"]
        return result

    def wrk(self, *args, **named):
        return self.finish(self.wrk_start(*args, **named))
