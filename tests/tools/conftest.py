# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the tests of whatsappctl: the program, stores to try it on, and servers on
them."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid
from urllib.parse import quote

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.contract import Contract  # noqa: E402
from support.httpd import ROOT, Account, Httpd, messenger, module_path, server_user  # noqa: E402
from support.simulator import Simulator  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WA_TEST_BUILD", module_path().parent))
PROGRAM = BUILD / "whatsappctl"
FILL = BUILD / "wa-fill"
ACCOUNT = Account().sid


class Result:
    """What a call of the program came to."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"<status {self.status}\n{self.out}\n{self.err}>"


def ctl(*words, store=None, expect=0, stdin=None):
    """Calls whatsappctl; with `expect` (None: any) the exit status must be that."""
    command = [str(PROGRAM)] + (["--store", str(store)] if store else []) + [str(w) for w in words]
    done = subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        errors="backslashreplace",  # a crafted store holds texts that are none
        timeout=300,
    )
    result = Result(done)
    assert "Sanitizer" not in result.err, result
    assert expect is None or result.status == expect, result
    return result


def dump(store):
    """The lines of a dump as (key, value)."""
    text = ctl("dump", store=store).out
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert all(set(line) == {"key", "value"} for line in lines)
    return [(line["key"], line["value"]) for line in lines]


def lines_of(pairs):
    """Pairs of key and value as JSON lines."""
    return "".join(json.dumps({"key": k, "value": v}, ensure_ascii=False) + "\n" for k, v in pairs)


def give_to_server(store):
    """httpd's children read and write the store."""
    if os.geteuid() == 0:
        user = server_user()
        for path in [store, *store.iterdir()]:
            os.chown(path, user.pw_uid, user.pw_gid)


def files_of(store):
    """Every file of a store and its bytes."""
    return {path.name: path.read_bytes() for path in store.iterdir()}


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wa-ctl-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def session_directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wa-ctl-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def filled_once(session_directory):
    """A store of 2,000 messages made by wa-fill."""
    store = session_directory / "filled"
    sentences = ROOT / "tests" / "bench" / "sentences.txt"
    done = subprocess.run(
        [FILL, f"dbm:{store}", sentences, "2000", "7", "20"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return store


def copy(store, to):
    shutil.copytree(store, to)
    give_to_server(to)
    return to


@pytest.fixture
def filled(filled_once, directory):
    """A copy of it that the test may spoil."""
    return copy(filled_once, directory / "store")


class Fresh:
    """Numbers, sids and texts that were not used before."""

    def __init__(self):
        self._numbers = itertools.count(1)

    def number(self):
        return f"+1555{next(self._numbers):07d}"

    @staticmethod
    def sid(kind="SM"):
        return kind + uuid.uuid4().hex

    @staticmethod
    def text():
        return f'planted-{uuid.uuid4().hex} ¿qué tal? \U0001f44b "quoted" \\ and\na new line'


@pytest.fixture(scope="session")
def fresh():
    return Fresh()


@pytest.fixture(scope="session")
def simulator():
    running = Simulator(Account())
    yield running
    running.close()


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def serve(simulator, contract):
    """Makes a server on a store, to be started by `with` and judged when that ends."""

    def make(store, extra=""):
        def configure(httpd):
            return messenger(httpd.account, store, simulator.url, extra=extra)

        server = Httpd(configure, contract, account=Account())
        server.secrets.add(server.account.token)
        return server

    return make


def everything(api):
    """All that a client can see of a store."""
    threads = api.threads()
    assert threads, "nothing there: this test could not fail"
    return {
        "threads": threads,
        "contacts": api.contacts(),
        "messages": {t["counterpart"]: api.all_messages(t["counterpart"]) for t in threads},
        "now": api.now(),
    }


def live_through(api, simulator, fresh):
    """Everything that can happen to a store."""
    opt_out_and_in(api, fresh)
    read, unread, refused, renamed = (fresh.number() for _ in range(4))
    for number in (read, unread, renamed):
        for _ in range(3):
            api.receive(number, fresh.text(), fresh.sid())
    api.receive(
        unread,
        "",
        fresh.sid("MM"),
        NumMedia="2",
        MediaUrl0="https://api.twilio.com/a?b=1&c=2",
        MediaContentType0="image/jpeg",
        MediaUrl1="https://api.twilio.com/2",
        MediaContentType1="video/mp4",
    )
    api.webhook(
        api.account.inbound(
            "+15550009999", "from no number", fresh.sid(), From="whatsapp:US.1:2 3é", WaId=None
        )
    )
    sent = [api.send(number, fresh.text())["message"] for number in (read, unread, read)]
    for status in ("sent", "delivered", "read"):
        api.webhook(api.account.status(read, sent[0]["sid"], status))
    api.webhook(api.account.status(unread, sent[1]["sid"], "undelivered", ErrorCode="63016"))
    others = [
        {"mediaUrl": "https://media.example.org/a.jpg?b=1&c=2"},
        {"contentSid": "HX" + "4" * 32},
    ]
    assert all(api.post("/send", {"phoneNumber": read, **each}).status == 200 for each in others)
    api.send(read, "a long one, in parts. " * 100)
    api.post(
        "/send",
        {"phoneNumber": read, "message": fresh.text()},
        headers={"Idempotency-Key": "key of the lived store"},
    )
    simulator.fail(refused, "refuse", http=400, code=21211)
    api.send(refused, fresh.text(), expect=502)
    simulator.fail(refused, "close")
    api.send(refused, fresh.text(), expect=502)
    simulator.reset()
    api.webhook(api.account.status(read, fresh.sid(), "delivered"))  # of a message nobody knows
    api.mark_read(read)
    api.receive(read, fresh.text(), fresh.sid())
    api.mark_read(read)
    api.mark_read(renamed)
    api.receive(renamed, fresh.text(), fresh.sid())
    kept = api.add_contact(renamed, 'Ana "G" \\ Gómez')
    api.patch(f"/contacts/{kept['id']}", {"displayName": "Ana G."})
    for number in (read, fresh.number()):
        gone = api.add_contact(number, "Gone")
        api.delete(f"/contacts/{gone['id']}")
    api.add_contact(fresh.number(), "Never wrote")
    api.send(renamed, fresh.text())


def opt_out_and_in(api, fresh):
    """By words, to several numbers of ours, and by another channel."""
    out, again = fresh.number(), fresh.number()
    api.receive(out, "STOP", fresh.sid())
    api.receive(again, "stop", fresh.sid())
    api.post(f"/threads/{quote(again, safe='')}/block")
    api.receive(again, "to another", fresh.sid(), To="whatsapp:+14155230002")
    api.receive(again, "start", fresh.sid())
    for sender, to in ((out, "+14155238886"), (f"rcs:{again}", "rcs:acme_agent")):
        api.receive(out, "STOP", fresh.sid(), From=sender, To=to, WaId=None, ProfileName=None)


@pytest.fixture(scope="session")
def lived_once(session_directory, serve, simulator, fresh):
    """A store that has been through everything, and what its server said of it."""
    store = session_directory / "lived"
    with serve(store) as server:
        live_through(server.client(), simulator, fresh)
        said = everything(server.client())
    return store, said


@pytest.fixture
def lived(lived_once, directory):
    """A copy of it that the test may spoil."""
    return copy(lived_once[0], directory / "store")


@pytest.fixture
def said(lived_once):
    """What the server said of the lived store."""
    return lived_once[1]


@pytest.fixture(scope="session")
def spoiler(session_directory):
    """The program that writes wrong checkpoints."""
    program = session_directory / "spoil_checkpoint"
    flags = [
        word
        for config in (
            ["apu-1-config", "--includes", "--link-ld"],
            ["apr-1-config", "--cppflags", "--includes", "--link-ld"],
        )
        for word in subprocess.run(
            config, check=True, capture_output=True, text=True
        ).stdout.split()
    ]
    source = pathlib.Path(__file__).with_name("spoil_checkpoint.c")
    sanitizers = ["-fsanitize=address,undefined"] if os.environ.get("WA_TEST_PRELOAD") else []
    subprocess.run(
        [
            "cc",
            "-std=gnu11",
            "-pthread",
            *sanitizers,
            f"-I{ROOT}/mod_whatsapp",
            "-o",
            program,
            source,
            BUILD / "libwa.a",
            *flags,
            "-lcurl",
            "-ljansson",
            "-lutf8proc",
            "-lcrypto",
        ],
        check=True,
    )
    return program
