# SPDX-License-Identifier: Apache-2.0
"""Drives a real httpd with webhooks, sends, receipts, contacts and pollers, kills it in every
way there is, and holds what it
has against what it answered."""

import ctypes
import http.client
import json
import mmap
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.conditions import wait_until  # noqa: E402
from support.contract import Contract  # noqa: E402
from support.httpd import Account, Httpd, is_asan, messenger, program  # noqa: E402
from support.signing import encode_form, sign  # noqa: E402
from support.simulator import Simulator  # noqa: E402

BASE = "/api/whatsapp-messenger"
TIMEOUT = 30.0  # nothing may take so long, whatever was killed
NUMBERS = [f"+1555777{n:04d}" for n in range(6)]
THREADED = """
StartServers 3
ServerLimit 12
ThreadsPerChild 12
ThreadLimit 12
MaxRequestWorkers 48
MinSpareThreads 24
MaxSpareThreads 48
"""
MPMS = {
    "event": THREADED + "AsyncRequestWorkerFactor 10\n",
    "worker": THREADED,
    "prefork": """
StartServers 8
MinSpareServers 6
MaxSpareServers 12
ServerLimit 32
MaxRequestWorkers 24
""",
}
TYPES = ["db", "gdbm", "sdbm"]
SYNCS = ["always", "interval=100ms"]
HOUR = 3600 * 1000
# What a server may say that is killed and whose calls fail: its own lines about the store, busy
# answers, the pid file it left.
CLAIMS = [
    "WA01*",
    "WA02*",
    "WA04*",
    "WA05*",
    "AH00098",
    "AH00045",
    "AH00046",
    "AH00047",
    "AH00170",
    "AH10392",
    "AH10393",
]
# Berkeley DB says on its own, and on stderr, what it could not write.
NOISE = r"^BDB\d{4} "

KILL, KILL_HALF, KILL_AFTER, FAIL, FAIL_HALF = 1, 2, 3, 4, 5
CALLS = [
    "pwrite",
    "fdatasync",
    "fsync",
    "posix_fallocate",
    "rename",
    "open",
    "unlink",
    "ftruncate",
    "write",
]


class Dead(Exception):
    """The server went away before it answered: nobody knows whether it did what it was asked."""


class Faults:
    """The control file of faults.c."""

    class Layout(ctypes.Structure):
        _fields_ = [
            (name, ctypes.c_uint32)
            for name in ("armed", "what", "is_all", "error", "at", "times", "seen", "hits")
        ] + [
            ("call", ctypes.c_char * 32),
            ("path", ctypes.c_char * 64),
            ("clock_shift_ms", ctypes.c_int64),
            ("process", ctypes.c_int64),
        ]

    def __init__(self, directory):
        self.path = directory / "faults"
        self.path.write_bytes(bytes(ctypes.sizeof(self.Layout)))
        self.path.chmod(0o666)
        self._file = open(self.path, "r+b")
        self._map = mmap.mmap(self._file.fileno(), ctypes.sizeof(self.Layout))
        self.control = self.Layout.from_buffer(self._map)

    def arm(self, what, call="", at=1, times=1, error=5, is_all=False, path="/store/"):
        c = self.control
        c.armed = 0
        c.what, c.is_all, c.error, c.at, c.times, c.seen, c.hits = (
            what,
            int(is_all),
            error,
            at,
            times,
            0,
            0,
        )
        c.call, c.path = call.encode(), path.encode()
        c.armed = 1

    def disarm(self):
        self.control.armed = 0
        return self.control.hits

    def shift_clock(self, shift_ms):
        """From now on the server's wall clock is so far from the machine's."""
        self.control.clock_shift_ms = shift_ms

    @property
    def hits(self):
        return self.control.hits


def build_library(directory):
    """Compiles faults.c; a test needs no target in the Makefile for it."""
    library = directory / "faults.so"
    subprocess.run(
        [
            "cc",
            "-std=gnu11",
            "-D_GNU_SOURCE",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            str(pathlib.Path(__file__).with_name("faults.c")),
        ],
        check=True,
    )
    return library


def faults_environment(directory, faults):
    """What a server that is to fail is started with. A sanitizer has to come first."""
    preload = [str(build_library(directory))]
    if is_asan():
        preload.insert(
            0,
            os.environ.get("WA_TEST_PRELOAD")
            or subprocess.run(
                ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
            ).stdout.strip(),
        )
    return {"LD_PRELOAD": ":".join(preload), "WA_FAULTS": str(faults.path)}


class Ledger:
    """What the server was asked and what it answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked = {}  # sid -> (number, text) of webhooks
        self.received = set()  # sids answered 2xx
        self.sends = {}  # text -> number
        self.sent = {}  # text -> message as answered with 200
        self.unnoted = set()  # texts answered with 200 whose outcome could not be stored
        self.delivered = set()  # sids whose receipt was answered 2xx
        self.contacts = {}  # number -> (id, name) | None: answered last; absent while unsure
        self.unsure = set()  # numbers whose last change was not answered
        self.answers = 0  # successful writes, for choosing instants
        self.busy = 0  # 503
        self.problems = []

    def count(self):
        with self.lock:
            self.answers += 1


class Poller:
    def __init__(self):
        self.since = 0
        self.seen = set()
        self.last = 0

    def take(self, answer):
        assert (
            answer["timestamp"] >= self.since
        ), f"T went back from {self.since} to {answer['timestamp']}"
        for message in answer["messages"]:
            assert message["id"] not in self.seen, f"{message['id']} was polled twice"
            assert (
                self.since < message["timestamp"] >= self.last
            ), f"{message['id']} is before what came before it"
            self.seen.add(message["id"])
            self.last = message["timestamp"]
        assert self.last <= answer["timestamp"]
        self.since = answer["timestamp"]
        return answer["hasMore"]


class Setup:
    """How the server is set up: which MPM, which apr_dbm type, when it syncs."""

    def __init__(self, mpm="event", dbm="db", sync="always"):
        self.mpm, self.dbm, self.sync = mpm, dbm, sync

    @classmethod
    def draw(cls, seed):
        """One of all there are, by the seed."""
        rng = random.Random(f"setup {seed}")
        return cls(rng.choice(list(MPMS)), rng.choice(TYPES), rng.choice(SYNCS))

    def __str__(self):
        return f"{self.mpm}, {self.dbm}, {self.sync}"

    @property
    def sync_calls(self):
        """Calls that a working server makes every moment."""
        return ["pwrite"] if self.sync == "off" else ["pwrite", "fdatasync"]


class Crash:
    """One server under work. Use as a context; run(kills) does everything."""

    def __init__(self, seed, directory, setup, say=print):
        self.random = random.Random(seed)
        self.setup = setup
        self.say = say
        self.account = Account()
        self.ledger = Ledger()
        self.simulator = Simulator(self.account)
        self.kills = {}
        self.fail_stops = 0
        self.faulty = 0
        self.clock_jumps = 0
        self._running = threading.Event()
        self._ending = threading.Event()
        self._idle = threading.Semaphore(0)
        self._threads = []
        self.pollers = [Poller() for _ in range(2)]
        self.faults = Faults(directory)

        def configure(httpd):
            directives = messenger(
                self.account,
                httpd.directory / "store",
                self.simulator.url,
                extra=f"WhatsAppMaxSends 32\nWhatsAppSync {setup.sync}\n",
            )
            return directives.replace('/store"\n', f'/store" type={setup.dbm}\n')

        self.httpd = Httpd(
            configure,
            Contract(),
            mpm=setup.mpm,
            mpm_settings=MPMS[setup.mpm],
            account=self.account,
            environment=faults_environment(directory, self.faults),
        )
        self.httpd.claim(*CLAIMS, required=False)
        self.httpd.noise = NOISE

    def __enter__(self):
        self.httpd.start()
        self.port = self.httpd.port
        works = [self._webhooks] * 4 + [self._sends] * 2 + [self._contacts, self._reads]
        works += [lambda poller=poller: self._poll(poller) for poller in self.pollers]
        for n, work in enumerate(works):
            thread = threading.Thread(target=self._work, args=(work, n), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ending.set()
        self._running.set()
        for thread in self._threads:
            thread.join(TIMEOUT + 5)
        self.simulator.close()
        self.faults.disarm()
        if kind is None:
            self.httpd.close()
        else:
            print(f"the store is kept in {self.httpd.directory}")
            print("---- error log ----\n" + "\n".join(self.httpd.lines()[-60:]))
            self._end()

    # ---- requests ----

    def ask(self, method, path, body=None, headers=None):
        """Status and body; Dead when the server went away."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(
                method, BASE + path, body=body, headers={"Connection": "close", **(headers or {})}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise AssertionError(
                f"{method} {path.split('?')[0]} was not answered in {TIMEOUT:g} s"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise Dead from error
        finally:
            connection.close()

    def ask_json(self, method, path, document=None, headers=None):
        body = None if document is None else json.dumps(document).encode()
        fields = dict(headers or {})
        if body is not None:
            fields["Content-Type"] = "application/json"
        status, text = self.ask(method, path, body, fields)
        answer = json.loads(text)
        assert status < 500 or status == 503 or (status == 502 and path == "/send"), (
            status,
            method,
            path,
            answer,
        )
        if status == 503:
            with self.ledger.lock:
                self.ledger.busy += 1
        return status, answer

    def webhook(self, fields):
        body = encode_form(list(fields.items()))
        signature = sign(self.account.token, f"{self.account.public_url}{BASE}/webhook", body)
        status, text = self.ask(
            "POST",
            "/webhook",
            body,
            {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature},
        )
        assert status in (200, 503), (status, text)
        if status == 503:
            with self.ledger.lock:
                self.ledger.busy += 1
        return status == 200

    # ---- the work; each function is one step of one thread ----

    def _work(self, step, n):
        rng = random.Random(f"{self.random.random()}-{n}")
        while not self._ending.is_set():
            if not self._running.is_set():
                self._idle.release()
                self._running.wait()
                continue
            try:
                step() if step.__name__ == "<lambda>" else step(rng)
            except Dead:
                # connecting again at once would only fill the backlog
                self._ending.wait(0.01)
            except Exception as error:  # judged by the main thread
                with self.ledger.lock:
                    self.ledger.problems.append(f"{type(error).__name__}: {error}")
                self._ending.wait(0.1)

    def _webhooks(self, rng):
        ledger = self.ledger
        with ledger.lock:
            open_sids = [sid for sid in list(ledger.asked)[-40:]]
        if open_sids and rng.random() < 0.25:
            done = self._receive(rng.choice(open_sids))  # Twilio tries again, answered or not
        else:
            done = self._receive_new(rng)
        if not done:
            self._ending.wait(0.02)

    def _receive_new(self, rng):
        sid = "SM" + uuid.UUID(int=rng.getrandbits(128)).hex
        text = f"in {sid} " + "x" * rng.choice([0, 10, 300, 3000])
        with self.ledger.lock:
            self.ledger.asked[sid] = (rng.choice(NUMBERS), text)
        return self._receive(sid)

    def _receive(self, sid):
        number, text = self.ledger.asked[sid]
        if not self.webhook(self.account.inbound(number, text, sid)):
            return False
        with self.ledger.lock:
            self.ledger.received.add(sid)
            self.ledger.answers += 1
        return True

    def _sends(self, rng):
        ledger = self.ledger
        text = f"out {uuid.UUID(int=rng.getrandbits(128)).hex} " + "y" * rng.choice([0, 200])
        number = rng.choice(NUMBERS)
        with ledger.lock:
            ledger.sends[text] = number
        status, answer = self.ask_json("POST", "/send", {"phoneNumber": number, "message": text})
        if status == 200 and "sid" not in answer["message"]:
            # Twilio has it, but that could not be noted any more: the message stays as it was
            # before
            with ledger.lock:
                ledger.unnoted.add(text)
        elif status == 200:
            with ledger.lock:
                ledger.sent[text] = answer["message"]
                ledger.answers += 1
            sid = answer["message"]["sid"]
            if self.webhook(self.account.status(number, sid, "delivered")):
                with ledger.lock:
                    ledger.delivered.add(sid)
        else:
            # 503: nothing was stored or sent. 502 comes with the outcome unknown to nobody but the
            # store: it failed after Twilio.
            assert status in (502, 503), (status, answer)
            self._ending.wait(0.02)

    def _contacts(self, rng):
        ledger = self.ledger
        number = f"+1555888{rng.randrange(12):04d}" if rng.random() < 0.7 else rng.choice(NUMBERS)
        name = f"Name {rng.randrange(10**6)}"
        with ledger.lock:
            known = ledger.contacts.get(number)
            is_sure = number not in ledger.unsure
            ledger.unsure.add(number)
        if not is_sure:
            # What became of it is asked first. It may take effect until the next commit that is
            # answered: a record whose writer was
            # killed before its sync is seen when somebody else syncs.
            if not self._receive_new(rng):
                return
            status, answer = self.ask_json("GET", "/contacts")
            assert status == 200
            found = [c for c in answer["contacts"] if c["phoneNumber"] == number]
            assert len(found) <= 1, found
            known = (found[0]["id"], found[0]["displayName"]) if found else None
        elif known is None:
            status, answer = self.ask_json(
                "POST", "/contacts", {"phoneNumber": number, "displayName": name}
            )
            if status == 503:
                return
            assert status == 200, (status, answer)
            known = (answer["contact"]["id"], name)
        elif rng.random() < 0.5:
            status, answer = self.ask_json("PATCH", f"/contacts/{known[0]}", {"displayName": name})
            if status == 503:
                return
            assert status == 200, (status, answer)
            known = (known[0], name)
        else:
            status, answer = self.ask_json("DELETE", f"/contacts/{known[0]}")
            if status == 503:
                return
            assert status == 200, (status, answer)
            known = None
        with ledger.lock:
            ledger.contacts[number] = known
            ledger.unsure.discard(number)
            ledger.answers += 1

    def _reads(self, rng):
        number = rng.choice(NUMBERS)
        if rng.random() < 0.3:
            status, _ = self.ask_json("POST", f"/threads/{number}/read")
            assert status in (200, 404, 503), status
        status, answer = self.ask_json("GET", f"/messages?counterpart=%2B{number[1:]}&limit=50")
        assert status == 200
        with self.ledger.lock:
            for message in answer["messages"]:
                self._judge(message)

    def _judge(self, message):
        """A message that was served must be one that was asked for, whole. The caller holds the
        ledger's lock."""
        if message["direction"] == "received":
            number, text = self.ledger.asked[message["sid"]]
        else:
            text = message["body"]
            number = self.ledger.sends[text]
        assert (
            message["body"] == text and message["counterpart"] == number
        ), "a message is not what was sent"

    def _poll(self, poller):
        status, answer = self.ask_json(
            "GET", f"/messages-since?since={poller.since}&threads=changed"
        )
        assert status == 200
        poller.take(answer)
        with self.ledger.lock:
            for message in answer["messages"]:
                self._judge(message)
        self._ending.wait(0.01)

    def go(self):
        self._running.set()

    def pause(self):
        """Returns when no thread has a request under way."""
        while self._idle.acquire(blocking=False):
            pass
        self._running.clear()
        idle = 0
        while idle < len(self._threads):
            assert self._idle.acquire(timeout=2 * TIMEOUT), "a request hangs"
            idle += 1
        self.check_problems()

    def check_problems(self):
        with self.ledger.lock:
            assert not self.ledger.problems, self.ledger.problems[:5]

    # ---- the killing ----

    def wait_answers(self, count, what):
        """Waits until so many more writes were answered."""
        target = self.ledger.answers + count

        def is_there():
            self.check_problems()
            return self.ledger.answers >= target

        wait_until(is_there, f"{count} answers {what}", timeout=60)

    def killed(self, kind, count=1):
        self.kills[kind] = self.kills.get(kind, 0) + count

    @property
    def kill_count(self):
        return sum(self.kills.values())

    def _is_dead(self):
        return self.httpd.process.poll() is not None

    def _end(self):
        """Kills what is left of the server."""
        if self.httpd.process is None:
            return
        try:
            self.httpd.kill_all()
        except ProcessLookupError:
            self.httpd.process = None  # it came to its end, with all its processes

    def restart(self):
        self._end()
        if self.random.random() < 0.3:
            # whatever the clock does, time in the store goes forward
            self.faults.shift_clock(
                self.random.choice(
                    [0, self.random.randint(-2 * HOUR, 2 * HOUR), self.random.randint(-2000, 2000)]
                )
            )
            self.clock_jumps += 1
        self.httpd.start()
        assert self.httpd.port == self.port

    def round_child(self):
        self.httpd.kill_child()
        self.killed("child")

    def round_children(self):
        for pid in self.httpd.children():
            try:
                os.kill(pid, 9)
                self.killed("children")
            except ProcessLookupError:
                pass

    def round_server(self):
        self.httpd.kill_all()
        self.killed("server")
        self.restart()

    def round_graceful_kill(self):
        self.httpd.graceful()
        self.round_child()

    def round_fault_kill(self):
        """One process, or the whole server, dies at a certain call."""
        is_all = self.random.random() < 0.5
        call = self.random.choice([*self.setup.sync_calls, ""])
        self.faults.arm(
            self.random.choice([KILL, KILL_HALF, KILL_AFTER]),
            call,
            self.random.randint(1, 40),
            is_all=is_all,
        )
        wait_until(lambda: self.faults.hits, "the call to be made")
        self.faults.disarm()
        self.killed(f"{'server' if is_all else 'child'} at a call")
        if is_all:
            # the children died at that instant; they may not kill the parent, which is root's
            self.httpd.kill_all()
            self.restart()

    def round_fault_start(self):
        """Killed, and killed again at a call of its start."""
        self.httpd.kill_all()
        self.killed("server")
        self.faults.arm(
            self.random.choice([KILL, KILL_AFTER, KILL_HALF]),
            self.random.choice(["", "", "", "rename", "unlink", "fsync"]),
            self.random.randint(1, 40),
            is_all=True,
        )
        generations = self.httpd._generations()
        config = self.httpd._write()
        with open(self.httpd.console, "ab") as console:
            process = subprocess.Popen(
                [program(), "-d", str(self.httpd.directory), "-f", str(config), "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=self.httpd._environment(),
                cwd=self.httpd.directory,
                start_new_session=True,
            )
        self.httpd.process = process
        wait_until(
            lambda: self._is_dead() or self.faults.hits or self.httpd._generations() > generations,
            "the start to end",
        )
        if self.faults.disarm():
            self.killed("server at its start")
        self.restart()

    def round_fault_restart(self):
        """Killed at a call of a graceful restart, while the old generation and perhaps the new
        one write: a child, the parent, or all."""
        is_all = self.random.random() < 0.5
        generations = self.httpd._generations()
        self.faults.arm(
            self.random.choice([KILL, KILL_AFTER]),
            self.random.choice(["open", "open", "", "fdatasync", "rename", "unlink"]),
            self.random.randint(1, 12),
            is_all=is_all,
        )
        self.httpd._claim_race_of_ending_children()
        self.httpd.process.send_signal(signal.SIGUSR1)
        wait_until(
            lambda: self.faults.hits or self._is_dead() or self.httpd._generations() > generations,
            "the restart or a kill",
        )
        if self.faults.disarm():
            self.killed(f"{'server' if is_all else 'process'} at a restart")
            if is_all or self.faults.control.process == self.httpd.process.pid:
                self.restart()

    def round_fault_stop(self):
        """Killed at a call of an orderly stop, which makes a checkpoint."""
        self.faults.arm(
            self.random.choice([KILL, KILL_HALF, KILL_AFTER]),
            self.random.choice(["", "", "", "rename", "unlink", "fsync", "ftruncate"]),
            self.random.randint(1, 30),
            is_all=True,
        )
        # not SIGTERM, at which the event MPM may crash on its own
        self.httpd.process.send_signal(signal.SIGWINCH)
        wait_until(lambda: self.faults.hits or self._is_dead(), "the stop to end")
        if self.faults.disarm():
            self.killed("server at its stop")
        self.restart()

    def round_fault_error(self):
        """Some calls fail: nothing may be answered as stored that is not."""
        error = self.random.choice([5, 28, 122])
        call = self.random.choice(
            ["pwrite", "pwrite", "posix_fallocate", "rename", "open", "write"]
        )
        self.faults.arm(
            self.random.choice([FAIL, FAIL_HALF]),
            call,
            self.random.randint(1, 10),
            self.random.randint(1, 8),
            error,
        )
        self.wait_answers(20, "while calls fail")
        self.faults.disarm()
        self.faulty += 1

    def round_sync_error(self):
        """A sync fails: writing stops until a new start, reading goes on."""
        if self.setup.sync == "off":
            return  # nobody syncs the journal but checkpoints
        self.faults.arm(FAIL, "fdatasync", self.random.randint(1, 20), path="/journal")
        wait_until(lambda: self.faults.hits, "a sync to fail")
        self.faults.disarm()
        busy = self.ledger.busy
        wait_until(
            lambda: self.ledger.busy > busy + 5 or self.ledger.problems, "writes to be refused"
        )
        status, _ = self.ask_json("GET", "/threads")
        assert status == 200
        self.fail_stops += 1
        self.httpd.kill_all()
        self.killed("server after a failed sync")
        self.restart()

    ROUNDS = [
        ("child", 6),
        ("children", 3),
        ("server", 3),
        ("graceful_kill", 1),
        ("fault_kill", 6),
        ("fault_start", 2),
        ("fault_error", 2),
        ("fault_restart", 2),
        ("fault_stop", 2),
        ("sync_error", 1),
    ]

    def run(self, kills):
        rounds = [name for name, weight in self.ROUNDS for _ in range(weight)]
        checked = 0
        self.go()
        self.wait_answers(20, "at the beginning")
        while self.kill_count < kills:
            name = self.random.choice(rounds)
            try:
                getattr(self, f"round_{name}")()
                self.wait_answers(self.random.randint(1, 25), f"after {name}")
            except AssertionError as error:
                raise AssertionError(
                    f"after {self.kill_count} kills, in the round {name}: {error}"
                ) from None
            if self.kill_count - checked >= 10 or self.kill_count >= kills:
                checked = self.kill_count
                self.check_all(f"after {self.kill_count} kills, the last round was {name}")
                self.say(
                    f"{self.kill_count} kills {self.kills}, {len(self.ledger.received)} received,"
                    f" {len(self.ledger.sent)} sent, {self.ledger.busy} refused,"
                    f" {self.fail_stops} failed syncs, {self.clock_jumps} jumps of the clock"
                )
                self.go()
        self.pause()

    # ---- what must hold ----

    def check_all(self, when):
        self.pause()
        try:
            messages = self._check_messages()
            self._check_threads(messages)
            self._check_sends(messages)
            self._check_pollers(messages)
            self._check_contacts()
            self.httpd.check_log(self.httpd.judged)
            assert self.httpd.console_text() == "", self.httpd.console_text()
        except AssertionError as error:
            raise AssertionError(f"{when}: {error}") from None

    def _pages(self, number):
        found, cursor = [], ""
        while True:
            status, page = self.ask_json(
                "GET", f"/messages?counterpart=%2B{number[1:]}&limit=200{cursor}"
            )
            assert status == 200
            found += page["messages"]
            if page["listComplete"]:
                return found
            cursor = f"&cursor={page['cursor']}"

    def _check_messages(self):
        """Everything that was answered is there exactly once, and nothing that was never asked
        for."""
        messages = {}
        sids, texts = {}, {}
        for number in NUMBERS:
            page = self._pages(number)
            times = [message["timestamp"] for message in page]
            assert times == sorted(times, reverse=True), "a thread is out of order"
            for message in page:
                assert message["id"] not in messages, f"{message['id']} is there twice"
                assert message["counterpart"] == number
                self._judge(message)
                messages[message["id"]] = message
                if message["direction"] == "received":
                    assert (
                        sids.setdefault(message["sid"], message["id"]) == message["id"]
                    ), "a webhook was stored twice"
                else:
                    assert (
                        texts.setdefault(message["body"], message["id"]) == message["id"]
                    ), "a send was stored twice"
        missing = self.ledger.received - set(sids)
        assert not missing, f"{len(missing)} webhooks were answered with 200 and are not there"
        missing = (set(self.ledger.sent) | self.ledger.unnoted) - set(texts)
        assert not missing, f"{len(missing)} sends were answered with 200 and are not there"
        return messages

    def _check_threads(self, messages):
        status, answer = self.ask_json("GET", "/threads")
        assert status == 200
        rows = {row["counterpart"]: row for row in answer["threads"]}
        assert len(rows) == len(answer["threads"])
        times = [row["lastMessageTimestamp"] for row in answer["threads"]]
        assert times == sorted(times, reverse=True)
        for number in NUMBERS:
            mine = [message for message in messages.values() if message["counterpart"] == number]
            if not mine:
                assert number not in rows
                continue
            row, last = rows[number], max(mine, key=lambda message: message["timestamp"])
            assert row["messageCount"] == len(
                mine
            ), f"{number} counts {row['messageCount']}, it has {len(mine)}"
            unread = sum(bool(message.get("unread")) for message in mine)
            assert (
                row["unreadCount"] == unread
            ), f"{number} counts {row['unreadCount']} unread, it has {unread}"
            assert (
                row["lastMessageTimestamp"] == last["timestamp"]
                and row["lastDirection"] == last["direction"]
            )
            assert row["lastMessagePreview"] == last["body"][:100]

    def _check_sends(self, messages):
        """What Twilio has, it has once, and it is in the store."""
        at_twilio = {}
        for entry in self.simulator.requests():
            if entry["method"] == "POST" and entry["form"]:
                text = entry["form"]["Body"][0]
                at_twilio[text] = at_twilio.get(text, 0) + 1
        doubles = [text for text, count in at_twilio.items() if count > 1]
        assert not doubles, f"{len(doubles)} messages were sent twice"
        stored = {
            message["body"]: message
            for message in messages.values()
            if message["direction"] == "sent"
        }
        missing = set(at_twilio) - set(stored)
        assert not missing, f"Twilio has {len(missing)} messages that the store has not"
        assert all(at_twilio.get(text) == 1 for text in self.ledger.unnoted)
        assert (
            self.fail_stops or self.faulty or not self.ledger.unnoted
        ), "an outcome was not noted though nothing failed"
        for text, answered in self.ledger.sent.items():
            assert at_twilio.get(text) == 1, "a send was answered with 200 and is not at Twilio"
            message = stored[text]
            assert (message["id"], message["sid"], message["status"]) == (
                answered["id"],
                answered["sid"],
                "success",
            )
            if message["sid"] in self.ledger.delivered:
                assert message["deliveryStatus"] == "delivered", "an answered receipt is lost"

    def _check_pollers(self, messages):
        for poller in self.pollers:
            while True:
                before = poller.since
                status, answer = self.ask_json(
                    "GET", f"/messages-since?since={poller.since}&threads=changed"
                )
                assert status == 200
                if not poller.take(answer) and poller.since == before:
                    break
            assert poller.seen == set(messages), (
                f"a poller missed {len(set(messages) - poller.seen)} messages and saw"
                f" {len(poller.seen - set(messages))} that are not there"
            )

    def _check_contacts(self):
        status, answer = self.ask_json("GET", "/contacts")
        assert status == 200
        by_number = {contact["phoneNumber"]: contact for contact in answer["contacts"]}
        assert len(by_number) == len(answer["contacts"]), "two contacts have one number"
        for number, known in self.ledger.contacts.items():
            if number in self.ledger.unsure:
                continue
            found = by_number.get(number)
            assert (
                found and (found["id"], found["displayName"])
            ) == known, f"the contact {number} is {found}, answered was {known}"


def run(kills, seed, directory, setup=None, say=print):
    """The whole run; gives how often what was killed."""
    setup = setup or Setup.draw(seed)
    started = time.monotonic()
    say(f"seed {seed}: {setup}")
    with Crash(seed, pathlib.Path(directory), setup, say) as crash:
        crash.run(kills)
    say(f"{setup}: {crash.kill_count} kills in {time.monotonic() - started:.0f} s: {crash.kills}")
    return crash
