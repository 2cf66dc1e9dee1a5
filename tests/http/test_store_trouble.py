# SPDX-License-Identifier: Apache-2.0
"""A store that cannot be written: 503, one line for the admin, everything stored can still be read,
and it heals by itself."""

import os
import shutil
import subprocess
import tempfile

import pytest

BIG = "a text that takes some room " + "\U0001f600" * 2000


class FullDisk:
    """A file system of a few megabytes that can be filled. Mounting needs root."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="wa-full-")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "none", self.path], check=True
        )

    def before(self, server):
        pass

    def fill(self):
        filler = os.open(f"{self.path}/filler", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, b"x" * 4096)
        except OSError:
            os.close(filler)

    def relieve(self, server):
        os.unlink(f"{self.path}/filler")

    def close(self):
        subprocess.run(["umount", self.path], check=True)
        os.rmdir(self.path)


class FileLimit:
    """No file may grow beyond a few megabytes (RLIMIT_FSIZE, whose signal httpd ignores): what any
    user can do. Relief needs a restart."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="wa-full-")
        os.chmod(self.path, 0o755)

    def before(self, server):
        server.file_limit = 4 << 20

    def fill(self):
        pass

    def relieve(self, server):
        server.stop()
        server.file_limit = None
        server.start()

    def close(self):
        shutil.rmtree(self.path)


@pytest.fixture(
    params=[FileLimit] + ([FullDisk] if os.geteuid() == 0 else []), ids=lambda kind: kind.__name__
)
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
    server = new_server(store=f"{trouble.path}/store", twilio_url=gate.url)
    trouble.before(server)
    with server:
        api = server.client()
        number, other = fresh.number(), fresh.number()
        api.plant(number, BIG)
        api.receive(number, fresh.text(), fresh.sid())
        contact = api.add_contact(number, "Known before")
        trouble.fill()
        # one line a second at most, from each process
        server.claim("WA04*")
        count = fill_until_refused(api, fresh, number)
        assert api.post("/send", {"phoneNumber": other, "message": BIG}).status == 503
        assert gate.requests_to(other) == []
        assert (
            api.webhook(api.account.inbound(other, BIG, fresh.sid()), expect=503).json()["code"]
            == "UNAVAILABLE"
        )
        assert api.thread(number)["messageCount"] == count + 1 == len(api.all_messages(number))
        assert api.thread(other) is None
        assert contact in api.contacts()
        assert api.since(0)["success"] is True
        trouble.relieve(server)
        api = server.client()
        api.receive(number, BIG, fresh.sid())
        api.send(other, fresh.text())
        assert api.thread(number)["messageCount"] == count + 2
        server.stop()
        server.start()
        api = server.client()
        assert api.thread(number)["messageCount"] == count + 2 == len(api.all_messages(number))
        server.stop()
