# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the HTTP tests: servers with the module, clients for them, and fresh numbers,
sids and texts."""

import itertools
import os
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.contract import Contract  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.httpd import Account, Httpd, messenger  # noqa: E402
from support.simulator import Simulator  # noqa: E402

ALL_MPMS = ["event", "worker", "prefork"]
MAIN_MPM = os.environ.get("WA_TEST_MPM", "event")

GATED = Account(
    sid="AC00000000000000000000000000000002",
    token="b2b2c3d4e5f60718293a4b5c6d7e8f91",
    number="+14155238887",
    public_url="https://gated.example.org",
)


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "every_mpm: runs under event, worker and prefork; the others only under WA_TEST_MPM",
    )


def pytest_generate_tests(metafunc):
    if "mpm" in metafunc.fixturenames:
        mpms = ALL_MPMS if metafunc.definition.get_closest_marker("every_mpm") else [MAIN_MPM]
        metafunc.parametrize("mpm", mpms)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in getattr(item, "wa_servers", []):
            lines = "\n".join(server.lines(item.wa_marks.get(server, 0))[-200:])
            report.sections.append((f"error log of {server.directory.name} ({server.mpm})", lines))


class Fresh:
    """Numbers, sids and texts that no other test has used, whatever runs beside it."""

    def __init__(self):
        worker = int(
            "".join(
                letter
                for letter in os.environ.get("PYTEST_XDIST_WORKER", "0")
                if letter in "0123456789"
            )
            or 0
        )
        self._numbers = itertools.count(worker * 10**6)
        self._texts = itertools.count(1)
        self._prefix = uuid.uuid4().hex[:8]

    def number(self):
        return f"+1555{next(self._numbers):07d}"

    @staticmethod
    def sid(kind="SM"):
        return kind + uuid.uuid4().hex

    def text(self):
        return f"planted-{self._prefix}-{next(self._texts)} ¿qué tal? \U0001f44b"


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def fresh():
    return Fresh()


@pytest.fixture(scope="session")
def simulator():
    running = Simulator(Account())
    yield running
    running.gather()
    running.close()
    assert not running.wrong, f"Twilio would refuse what was sent: {running.wrong[:3]}"


@pytest.fixture
def twilio(simulator):
    """The Twilio simulator, with no rule of another test."""
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture(scope="session")
def session_gate():
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture
def gate(session_gate):
    """A Twilio whose answers wait for the test."""
    yield session_gate
    errors, session_gate.errors = session_gate.errors, []
    if errors:
        raise errors[0]


@pytest.fixture(scope="session")
def make_server(contract):
    """Makes a server from a function that gives its configuration."""

    def make(configure, **more):
        return Httpd(configure, contract, **more)

    return make


@pytest.fixture(scope="session")
def servers(make_server, simulator, session_gate):
    """The servers that most tests share: one for each MPM, started when first asked for."""
    running = {}

    def configure(httpd):
        return (
            messenger(
                httpd.account,
                httpd.directory / "store",
                simulator.url,
                extra="WhatsAppMaxSends 512\n",
            )
            + "<VirtualHost *>\nServerName 127.0.0.1\n</VirtualHost>\n"
            + "<VirtualHost *>\nServerName gated.test\n"
            + messenger(GATED, httpd.directory / "store-gated", session_gate.url)
            + "</VirtualHost>\n"
        )

    def get(mpm):
        if mpm not in running:
            running[mpm] = make_server(configure, mpm=mpm, account=Account()).start()
            running[mpm].secrets.add(GATED.token)
        return running[mpm]

    yield get
    errors = []
    for server in running.values():
        try:
            server.close()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


def watch(request, server):
    """Attaches the server's log to the report of a failure."""
    item = request.node
    if not hasattr(item, "wa_servers"):
        item.wa_servers, item.wa_marks = [], {}
    item.wa_servers.append(server)
    item.wa_marks[server] = server.mark()


@pytest.fixture
def server(request, servers, mpm):
    """A running httpd that other tests use too. Any unclaimed line of level warn or above fails the
    test."""
    server = servers(mpm)
    watch(request, server)
    server.claims = [claim for claim in server.claims if claim[0].startswith("AH")]
    yield server
    try:
        server.check_claims()
        server.check_log(server.judged)
    finally:
        server.judged = server.mark()


@pytest.fixture
def api(server):
    """A client of the shared server."""
    return server.client()


@pytest.fixture
def gated_api(server):
    """A client of the virtual host whose Twilio is the gate."""
    return server.client(host="gated.test", account=GATED)


@pytest.fixture
def new_server(request, make_server, simulator, mpm):
    """Makes a server of the test's own, started by `with` and judged when that ends: log, secrets,
    sanitizer. Its MPM is the test's unless `settings_of` is a name of one and its settings."""

    def make(extra="", twilio_url=None, store=None, settings_of=(None, None)):
        def configure(httpd):
            return messenger(
                httpd.account,
                store or httpd.directory / "store",
                twilio_url or simulator.url,
                extra="WhatsAppMaxSends 512\n" + extra,
            )

        name, settings = settings_of
        server = make_server(configure, mpm=name or mpm, account=Account(), mpm_settings=settings)
        watch(request, server)
        return server

    return make
