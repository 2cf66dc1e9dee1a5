# SPDX-License-Identifier: Apache-2.0
"""What is measured: httpd with the module, httpd with the bare handler, the peer; and the Twilio
that they call."""

import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from .load import BASE, HERE, HOST, ORIGIN, TOKEN
from .process import spawn

ACCOUNT = "AC00000000000000000000000000000001"
NUMBER = "+14155238886"
START_SECONDS = 120


class ServerError(Exception):
    """A server did not start or gave an answer that it must not give."""


def free_port():
    """A free port below the range that outgoing connections use."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise ServerError("no free port")


def http_get(address, target, timeout=30.0):
    """(status, body) of a GET on a connection of its own."""
    with socket.create_connection(address, timeout=timeout) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        raise ServerError(f"no HTTP answer to GET {target}")
    return int(head.split()[1]), body


def descendants(pid):
    """The processes below `pid`, of all generations."""
    found = []
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


class Server:
    """A process that serves the API on `port`."""

    name = ""

    def __init__(self, place):
        self.place = place
        self.port = free_port()
        self.process = None

    @property
    def address(self):
        return (self.place.host, self.port)

    def cpu_seconds(self):
        """The processor time that all its processes have taken so far."""
        return sum(cpu_seconds_of(pid) for pid in (self.process.pid, *self.children()))

    def wait_for(self, target, since=None):
        """Waits for the first 200 to GET `target`. Returns the seconds since `since`."""
        since = time.monotonic() if since is None else since
        while True:
            if self.process.poll() is not None:
                raise ServerError(f"{self.name} ended when it was to start: {self.said()[-1500:]}")
            try:
                if http_get(self.address, target)[0] == 200:
                    return time.monotonic() - since
            except (OSError, ServerError):
                pass
            if time.monotonic() - since > START_SECONDS:
                raise ServerError(f"{self.name} does not answer: {self.said()[-1500:]}")
            time.sleep(0.002)

    def said(self):
        return ""

    def json(self, path):
        """The answer to GET `path` below the API."""
        status, body = http_get(self.address, f"{BASE}/{path}")
        if status != 200:
            raise ServerError(f"{self.name} answers GET {path} with {status}: {body[:200]!r}")
        return json.loads(body)

    def children(self):
        return descendants(self.process.pid)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self):
        """SIGKILL for every process of it at once."""
        pids = [self.process.pid, *self.children()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pid in pids[1:]:
            while pathlib.Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
                time.sleep(0.001)
        self.process = None


def cpu_seconds_of(pid):
    """The processor time that `pid` has taken so far; 0 when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def apxs(name):
    program = shutil.which("apxs") or shutil.which("apxs2") or "apxs"
    return subprocess.run(
        [program, "-q", name], check=True, capture_output=True, text=True
    ).stdout.strip()


def httpd_program():
    return f"{apxs('SBINDIR')}/{apxs('PROGNAME')}"


def httpd_user():
    """The user of the children when this runs as root, else None."""
    if os.geteuid() != 0:
        return None
    return next((name for name in ("www-data", "apache", "nobody") if _has_user(name)), None)


def _has_user(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False


class Httpd(Server):
    """An httpd with the event MPM: two children of `threads` threads."""

    def __init__(self, work, place, threads):
        super().__init__(place)
        self.dir = pathlib.Path(work) / f"{self.name}-{self.port}"
        self.dir.mkdir()
        self.threads = threads

    def settings(self):
        """The lines of the configuration that make this server what it is."""
        raise NotImplementedError

    def said(self):
        logs = [self.dir / "stderr", self.dir / "error.log"]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def problems(self):
        """Lines of the error log above warning."""
        return [
            line
            for line in self.said().splitlines()
            if re.search(r":(error|crit|alert|emerg)\]", line)
        ]

    def _modules(self):
        built_in = subprocess.run(
            [httpd_program(), "-l"], check=True, capture_output=True, text=True
        ).stdout
        for name in ("mpm_event", "unixd", "authz_core", "watchdog"):
            path = pathlib.Path(apxs("LIBEXECDIR")) / f"mod_{name}.so"
            if (
                not re.search(rf"\b(mod_{name}|{name.removeprefix('mpm_')})\.c", built_in)
                and path.exists()
            ):
                yield f"LoadModule {name}_module {path}"

    def start(self, target="threads"):
        user = httpd_user()
        total = self.threads * 2
        lines = [
            f'ServerRoot "{self.dir}"',
            f"ServerName {HOST}",
            f"Listen {self.place.host}:{self.port}",
            f'PidFile "{self.dir}/pid"',
            f'DefaultRuntimeDir "{self.dir}"',
            f'ErrorLog "{self.dir}/error.log"',
            "LogLevel warn",
            *self._modules(),
            *([f"User {user}", f"Group #{pwd.getpwnam(user).pw_gid}"] if user else []),
            "StartServers 2",
            "ServerLimit 2",
            f"ThreadLimit {self.threads}",
            f"ThreadsPerChild {self.threads}",
            f"MaxRequestWorkers {total}",
            "MinSpareThreads 1",
            f"MaxSpareThreads {total}",
            "MaxKeepAliveRequests 0",
            "KeepAliveTimeout 60",
            '<Directory "/">',
            "AllowOverride None",
            "</Directory>",
            *self.settings(),
        ]
        conf = self.dir / "httpd.conf"
        conf.write_text("\n".join(lines) + "\n")
        since = time.monotonic()
        self.process = spawn(
            [*self.place.server, httpd_program(), "-f", conf, "-DFOREGROUND"],
            stdout=subprocess.DEVNULL,
            stderr=(self.dir / "stderr").open("w"),
        )
        return self.wait_for(f"{BASE}/{target}", since)


class Module(Httpd):
    """httpd with mod_whatsapp: ours, or with the name "other" the one of another build."""

    def __init__(self, work, place, threads, version, store, twilio_port):
        self.name = version.name
        super().__init__(work, place, threads)
        self.module = version.module
        self.store = store
        self.twilio_port = twilio_port

    def settings(self):
        token = self.dir / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        return [
            f"LoadModule whatsapp_module {self.module}",
            f"WhatsAppAccountSID {ACCOUNT}",
            f"WhatsAppAuthToken file:{token}",
            f"WhatsAppNumber whatsapp:{NUMBER}",
            f"WhatsAppPublicURL {ORIGIN}",
            f"WhatsAppStore dbm:{self.store}",
            f"WhatsAppTwilioURL http://127.0.0.1:{self.twilio_port}",
            "WhatsAppMaxSends 256",
            "WhatsAppReconcile off",
            f'<Location "{BASE}">',
            "SetHandler whatsapp-messenger",
            "Require all granted",
            "</Location>",
        ]


class Bare(Httpd):
    """httpd with the bare handler, which gives the bytes of `answers` (name: bytes)."""

    name = "bare"

    def __init__(self, work, place, threads, library, answers):
        super().__init__(work, place, threads)
        self.library = library
        self.answers = answers

    def settings(self):
        lines = [f"LoadModule bare_module {self.library}", f"BareWebhook {ORIGIN} {TOKEN}"]
        for name, body in self.answers.items():
            (self.dir / name).write_bytes(body)
            lines.append(f'BareFile {name} "{self.dir}/{name}"')
        return [
            *lines,
            f'<Location "{BASE}">',
            "SetHandler whatsapp-messenger",
            "Require all granted",
            "</Location>",
        ]


class Peer(Server):
    """Fastify and LMDB in two processes."""

    name = "peer"

    def __init__(self, work, place, peer_dir, store, twilio_port):
        super().__init__(place)
        self.peer_dir = peer_dir
        self.store = store
        self.twilio_port = twilio_port
        self.log = pathlib.Path(work) / f"peer-{self.port}.log"

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def problems(self):
        return [line for line in self.said().splitlines() if line.strip() != "ready"]

    def start(self):
        environment = {
            **os.environ,
            "NODE_ENV": "production",
            "WA_PEER_WORKERS": "2",
            "WA_PEER_HOST": self.place.host,
            "WA_PEER_PORT": str(self.port),
            "WA_PEER_STORE": str(self.store),
            "WA_PEER_ACCOUNT_SID": ACCOUNT,
            "WA_PEER_AUTH_TOKEN": TOKEN,
            "WA_PEER_NUMBER": NUMBER,
            "WA_PEER_PUBLIC_URL": ORIGIN,
            "WA_PEER_TWILIO_URL": f"http://127.0.0.1:{self.twilio_port}",
        }
        since = time.monotonic()
        self.process = spawn(
            [*self.place.server, "node", self.peer_dir / "server.js"],
            env=environment,
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
        )
        while "ready" not in self.said():
            if self.process.poll() is not None or time.monotonic() - since > START_SECONDS:
                raise ServerError(f"the peer did not start: {self.said()[-1500:]}")
            time.sleep(0.02)
        return self.wait_for(f"{BASE}/threads", since)


class TwilioStandIn:
    """Answers every send with 201, `delay_ms` later. `kind`: "c", one that costs next to nothing,
    or "node", one on Node's own HTTP server."""

    def __init__(self, tools, kind="c", delay_ms=0):
        script = HERE / "tools" / "twilio_standin.mjs"
        program = ["node", script] if kind == "node" else [tools / "twilio_standin"]
        self.process = spawn([*program, str(delay_ms)], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise ServerError(f"Twilio's stand-in ({kind}) did not start")
        self.port = int(line)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def peer_install(build):
    """Puts the peer and its packages below `build`. Returns the directory."""
    target = build / "peer"
    target.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "peer" / "package-lock.json").read_bytes()
    installed = target / "node_modules" / ".installed"
    for path in [*(HERE / "peer").glob("*.js"), *(HERE / "peer").glob("package*.json")]:
        shutil.copy(path, target / path.name)
    if not installed.exists() or installed.read_bytes() != lock:
        subprocess.run(
            [
                "npm",
                "ci",
                "--omit=dev",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ],
            cwd=target,
            check=True,
        )
        installed.write_bytes(lock)
    return target


def peer_seed(peer_dir, store, messages, threads, contacts):
    subprocess.run(
        [
            "node",
            peer_dir / "seed.js",
            store,
            HERE / "sentences.txt",
            str(messages),
            str(threads),
            str(contacts),
        ],
        check=True,
    )


def module_fill(fill, store, messages, threads, contacts):
    """Fills a store directory with the store's own code, as the user that httpd's children are."""
    user = httpd_user()
    identity = {}
    store.parent.mkdir(exist_ok=True)
    if user:
        entry = pwd.getpwnam(user)
        os.chown(store.parent, entry.pw_uid, entry.pw_gid)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    sentences = shutil.copy(HERE / "sentences.txt", store.parent)
    counts = [str(count) for count in (messages, threads, contacts)]
    subprocess.run([fill, f"dbm:{store}", sentences, *counts], check=True, cwd="/", **identity)


def private_memory(pid):
    """Bytes of `pid` that no other process can share and that are not the mapped store: (private,
    mapped files)."""
    private = mapped = 0
    is_file = False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        field = line.split()
        if "-" in field[0] and not field[0].endswith(":"):
            is_file = field[1].endswith("s")
        elif field[0] in ("Private_Clean:", "Private_Dirty:"):
            if is_file:
                mapped += int(field[1]) * 1024
            else:
                private += int(field[1]) * 1024
    return private, mapped
