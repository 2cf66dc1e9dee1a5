# SPDX-License-Identifier: Apache-2.0
"""A store that cannot be written: 503, one line for the admin, everything stored can still be read, and it heals by itself."""

import os
import resource
import shutil
import subprocess
import tempfile

import pytest

BIG = "a text that takes some room " + "\U0001f600" * 2000


class FullDisk:
    """A file system of a few megabytes that can be filled. Mounting needs root."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="wa-full-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0755", "none", self.path], check=True)

    def fill(self, server):
        with open(f"{self.path}/filler", "wb") as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
                    filler.flush()
            except OSError:
                pass

    def relieve(self, server):
        os.unlink(f"{self.path}/filler")

    def close(self):
        subprocess.run(["umount", self.path], check=True)
        os.rmdir(self.path)


class FileLimit:
    """No file may grow beyond a few megabytes (RLIMIT_FSIZE on the running children): what any user can do, and httpd ignores SIGXFSZ."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="wa-full-")
        os.chmod(self.path, 0o755)

    def _set(self, server, soft):
        for pid in server.children():
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    def fill(self, server):
        self._set(server, 4 << 20)

    def relieve(self, server):
        self._set(server, resource.RLIM_INFINITY)

    def close(self):
        shutil.rmtree(self.path)


@pytest.fixture(params=[FileLimit] + ([FullDisk] if os.geteuid() == 0 else []), ids=lambda kind: kind.__name__)
def trouble(request):
    made = request.param()
    yield made
    made.close()


def fill_until_refused(api, fresh, number):
    """Big inbound messages until one is refused; gives how many were taken."""
    for count in range(3000):
        response = api.webhook(api.account.inbound(number, BIG, fresh.sid()), expect=None)
        if response.status != 200:
            assert response.status == 503, response
            assert response.json()["code"] == "UNAVAILABLE"
            return count
    raise AssertionError("3,000 big messages fitted into a store that could not grow")


def test_what_cannot_be_stored_is_503_and_what_is_stored_is_read(new_server, fresh, trouble, gate):
    with new_server(store=f"{trouble.path}/store", twilio_url=gate.url) as server:
        api = server.client()
        number, other = fresh.number(), fresh.number()
        api.plant(number, BIG)
        api.receive(number, fresh.text(), fresh.sid())
        contact = api.add_contact(number, "Known before")
        trouble.fill(server)
        # one line a second at most, from each process
        server.claim("WA04*")
        count = fill_until_refused(api, fresh, number)
        assert api.post("/send", {"phoneNumber": other, "message": BIG}).status == 503
        assert gate.requests_to(other) == []
        assert api.webhook(api.account.inbound(other, BIG, fresh.sid()), expect=503).json()["code"] == "UNAVAILABLE"
        assert api.thread(number)["messageCount"] == count + 1 == len(api.all_messages(number))
        assert api.thread(other) is None
        assert contact in api.contacts()
        assert api.since(0)["success"] is True
        trouble.relieve(server)
        api.receive(number, BIG, fresh.sid())
        api.send(other, fresh.text())
        assert api.thread(number)["messageCount"] == count + 2
        server.stop()
        server.start()
        api = server.client()
        assert api.thread(number)["messageCount"] == count + 2 == len(api.all_messages(number))
        server.stop()
