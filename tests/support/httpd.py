# SPDX-License-Identifier: Apache-2.0
"""A real httpd with the module, of its own configuration, directory and port: start, restart, kill,
and what its logs say."""

import functools
import grp
import itertools
import os
import pathlib
import pwd
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

from .client import Client
from .conditions import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIVE_LINE = "resuming normal operations"
LEVELS_THAT_FAIL = {"warn", "error", "crit", "alert", "emerg"}
LOG_LINE = re.compile(r"^\[[^]]+\] \[(?P<module>[^:\]]*):(?P<level>\w+)\] ")
# httpd tells of a crashed child only at notice level, and says nothing of a killed one.
CRASH = re.compile(r"AH0005[12]: child pid \d+ exit signal")

MPM_SETTINGS = {
    "event": """
StartServers 2
ServerLimit 16
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 512
MinSpareThreads 64
MaxSpareThreads 512
AsyncRequestWorkerFactor 10
""",
    "worker": """
StartServers 2
ServerLimit 16
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 512
MinSpareThreads 64
MaxSpareThreads 512
""",
    "prefork": """
StartServers 12
MinSpareServers 8
MaxSpareServers 96
ServerLimit 128
MaxRequestWorkers 96
""",
}


@functools.lru_cache(maxsize=None)
def apxs(name):
    """One value of `apxs -q`."""
    return subprocess.run(
        ["apxs", "-q", name], check=True, capture_output=True, text=True
    ).stdout.strip()


@functools.lru_cache(maxsize=None)
def program():
    """The httpd binary that apxs belongs to."""
    return f"{apxs('SBINDIR')}/{apxs('PROGNAME')}"


@functools.lru_cache(maxsize=None)
def static_modules():
    """The modules that are compiled into the binary, such as mod_watchdog.c on Debian."""
    listing = subprocess.run([program(), "-l"], check=True, capture_output=True, text=True).stdout
    return frozenset(line.strip() for line in listing.splitlines() if line.strip().endswith(".c"))


def is_asan():
    """WA_TEST_ASAN=1 chooses build-asan; make test-asan names library and module itself."""
    return os.environ.get("WA_TEST_ASAN") == "1" or bool(os.environ.get("WA_TEST_PRELOAD"))


def module_path():
    """The module under test: WA_TEST_MODULE, or where make leaves it."""
    default = ROOT / ("build-asan" if is_asan() else "build") / "mod_whatsapp.so"
    return pathlib.Path(os.environ.get("WA_TEST_MODULE", default)).resolve()


def server_user():
    """The user that the children run as, when the tests run as root."""
    for name in ("www-data", "apache", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("no user www-data, apache or nobody")


FIRST_PORT, PORTS = 12000, 20000
_offsets = itertools.count()


def free_port():
    """A port that is free now, below the ephemeral range so that no outgoing connection takes it
    before httpd does. Another test run may: start() then takes the next one."""
    start = random.Random(os.getpid()).randrange(PORTS)
    for _ in range(PORTS):
        port = FIRST_PORT + (start + next(_offsets)) % PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Account:
    """One Twilio account as a virtual host is configured for it."""

    def __init__(
        self,
        sid="AC00000000000000000000000000000001",
        token="a1b2c3d4e5f60718293a4b5c6d7e8f90",
        number="+14155238886",
        public_url="https://chat.example.org",
    ):
        self.sid, self.token, self.number, self.public_url = sid, token, number, public_url

    def inbound(self, sender, text, sid, **more):
        """The fields of an inbound text message, as captured from Twilio. A `more` of None removes
        a field."""
        fields = {
            "SmsMessageSid": sid,
            "NumMedia": "0",
            "ProfileName": "Ana Gómez",
            "MessageType": "text",
            "SmsSid": sid,
            "WaId": sender.lstrip("+"),
            "SmsStatus": "received",
            "Body": text,
            "To": f"whatsapp:{self.number}",
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "MessageSid": sid,
            "AccountSid": self.sid,
            "From": f"whatsapp:{sender}",
            "ApiVersion": "2010-04-01",
        }
        fields.update(more)
        return {name: value for name, value in fields.items() if value is not None}

    def status(self, recipient, sid, status, **more):
        """The fields of a status callback."""
        fields = {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "ChannelToAddress": "+1555123XXXX",
            "To": f"whatsapp:{recipient}",
            "ChannelPrefix": "whatsapp",
            "MessageSid": sid,
            "AccountSid": self.sid,
            "From": f"whatsapp:{self.number}",
            "ApiVersion": "2010-04-01",
            "ChannelInstallSid": "XE00000000000000000000000000000003",
        }
        fields.update(more)
        return {name: value for name, value in fields.items() if value is not None}


def messenger(account, store, twilio_url, base="/api/whatsapp-messenger", extra=""):
    """The directives of one messenger, for the server or a virtual host."""
    return f"""
WhatsAppAccountSID {account.sid}
WhatsAppAuthToken {account.token}
WhatsAppNumber whatsapp:{account.number}
WhatsAppPublicURL {account.public_url}
WhatsAppTwilioURL {twilio_url}
WhatsAppStore "dbm:{store}"
WhatsAppReconcile off
<Location "{base}">
    SetHandler whatsapp-messenger
</Location>
{extra}
"""


class Httpd:
    """One httpd. `configure(httpd)` gives the part of the configuration that is the test's own; it
    may use httpd.directory and httpd.port."""

    def __init__(
        self,
        configure,
        contract,
        mpm="event",
        mpm_settings=None,
        modules=(),
        environment=None,
        account=None,
    ):
        self.configure, self.contract, self.mpm, self.account = configure, contract, mpm, account
        self.mpm_settings = MPM_SETTINGS[mpm] if mpm_settings is None else mpm_settings
        self.modules = list(modules)
        self.environment = dict(environment or {})
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wa-http-"))
        self.directory.chmod(0o755)
        for name in ("logs", "run", "htdocs", "sanitizer"):
            (self.directory / name).mkdir()
        self.error_log = self.directory / "logs" / "error.log"
        self.console = self.directory / "logs" / "console.log"
        self.port = None
        self.process = None
        self.secrets = set()
        self.claims = []
        self.noise = None  # a pattern of lines that are no log lines and yet are no trouble
        self.judged = 0  # the log was found in order up to here
        self.file_limit = (
            None  # bytes that no file may exceed (RLIMIT_FSIZE), from the next start on
        )
        if account is not None:
            self.secrets.add(account.token)
        if os.geteuid() == 0:
            user = server_user()
            for name in ("sanitizer",):
                os.chown(self.directory / name, user.pw_uid, user.pw_gid)

    # ---- configuration ----

    def _load(self, name):
        if f"mod_{name}.c" in static_modules():
            return ""
        return f"LoadModule {name}_module {apxs('LIBEXECDIR')}/mod_{name}.so\n"

    def text(self):
        """The whole configuration."""
        modules = [
            f"mpm_{self.mpm}",
            "unixd",
            "log_config",
            "watchdog",
            "authz_core",
            "authz_host",
            "headers",
        ] + self.modules
        loads = "".join(self._load(name) for name in dict.fromkeys(modules))
        owner = ""
        if os.geteuid() == 0:
            user = server_user()
            owner = f"User {user.pw_name}\nGroup {grp.getgrgid(user.pw_gid).gr_name}\n"
        return f"""{loads}LoadModule whatsapp_module {module_path()}
ServerName 127.0.0.1
ServerRoot {self.directory}
DefaultRuntimeDir {self.directory}/run
PidFile {self.directory}/run/httpd.pid
Listen 127.0.0.1:{self.port}
{owner}DocumentRoot {self.directory}/htdocs
ErrorLog {self.error_log}
LogLevel info whatsapp:trace8
LogFormat "%t \\"%m\\" %>s %B %D" tests
CustomLog {self.directory}/logs/access.log tests
{self.mpm_settings}
Timeout 60
KeepAliveTimeout 10
GracefulShutdownTimeout 30
ListenBacklog 1024
<Directory />
    Require all granted
</Directory>
{self.configure(self)}
"""

    def _write(self):
        path = self.directory / "httpd.conf"
        path.write_text(self.text(), encoding="utf-8")
        return path

    def _environment(self):
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.directory),
        }
        if is_asan():
            library = (
                os.environ.get("WA_TEST_PRELOAD")
                or subprocess.run(
                    ["gcc", "-print-file-name=libasan.so"],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout.strip()
            )
            report = self.directory / "sanitizer" / "report"
            environment["LD_PRELOAD"] = library
            environment[
                "ASAN_OPTIONS"
            ] = f"detect_leaks=0:log_path={report}:abort_on_error=0:exitcode=86"
            environment["UBSAN_OPTIONS"] = f"print_stacktrace=1:halt_on_error=1:log_path={report}"
        environment.update(self.environment)
        return environment

    # ---- life ----

    def start(self):
        """Starts it and returns when it answers. A port that was taken in between is replaced by
        another."""
        for _ in range(5):
            self.port = self.port or free_port()
            generations = self._generations()
            config = self._write()
            with open(self.console, "ab") as console:
                # a session of its own: prefork ends its whole process group
                self.process = subprocess.Popen(
                    [program(), "-d", str(self.directory), "-f", str(config), "-DFOREGROUND"],
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    env=self._environment(),
                    cwd=self.directory,
                    start_new_session=True,
                    preexec_fn=self._limit,
                )
            wait_until(
                lambda: self.process.poll() is not None or self._generations() > generations,
                f"httpd to start; console: {self.console_text()}",
            )
            if self.process.poll() is None:
                wait_until(self._is_connectable, "httpd to accept a connection")
                return self
            self.process = None
            if "AH00072" not in self.console_text() + self.log_text():
                break
            self.port = None
            self.claim("AH00072", "AH00015", "AH00016", required=False)
            self.console.write_bytes(b"")
        problem = f"httpd did not start:\n{self.console_text()}\n{self.log_text()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        raise AssertionError(problem)

    def _limit(self):
        """Runs in the new process before httpd does."""
        if self.file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_limit, self.file_limit))

    def check_config(self):
        """apachectl configtest: the exit status and all that it printed."""
        self.port = self.port or free_port()
        done = subprocess.run(
            [program(), "-d", str(self.directory), "-f", str(self._write()), "-t"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd=self.directory,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def _is_connectable(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def _generations(self):
        return self.log_text().count(LIVE_LINE)

    def children(self):
        """The process ids of the children that are alive now."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == self.process.pid and fields[0] != "Z":
                    found.append(int(entry.name))
        return sorted(found)

    def graceful(self, wait_for_old=False):
        """A graceful restart; returns when the new generation runs, and with `wait_for_old` when
        the old children are gone."""
        self._claim_race_of_ending_children()
        generations, old = self._generations(), set(self.children())
        self.process.send_signal(signal.SIGUSR1)
        wait_until(
            lambda: self._generations() > generations, "the generation after a graceful restart"
        )
        if wait_for_old:
            wait_until(
                lambda: not old & set(self.children()),
                "the old children to end after a graceful restart",
            )

    def _claim_race_of_ending_children(self):
        """A child of event that ends while it closes a connection says AH03092, rarely; that is
        httpd's own."""
        self.claim("AH03092", required=False)

    def kill_child(self):
        """kill -9 of one child; returns when httpd has buried it and another one lives."""
        # a generation that is ending may hold children that are about to go: any one that still
        # lives will do
        pid = random.choice(wait_until(self.children, "a child to kill"))
        os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: not pathlib.Path(f"/proc/{pid}").exists(),
            "httpd to notice that a child was killed",
        )
        wait_until(self.children, "a child after one was killed")

    def kill_all(self):
        """kill -9 of everything at once, as a loss of the machine would look to the store; start()
        may follow."""
        group = self.process.pid
        # the whole process group: a child that is being forked right now would survive a list of
        # pids
        os.killpg(group, signal.SIGKILL)
        self.process.wait(30)
        wait_until(lambda: not _group_members(group), "the children to be dead")
        self.process = None
        # what the killed server left: the next start says so and goes on
        self.claim("AH00098", required=False)

    def stop(self):
        """Stops it in order."""
        if self.process is None:
            return
        # graceful-stop: at SIGTERM the event MPM may close a socket that a worker is just freeing,
        # and crash on its own
        self.process.send_signal(signal.SIGWINCH)
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError("httpd did not stop within 45 s of SIGWINCH") from None
        finally:
            self.process = None

    def close(self):
        """Stops it, judges everything it left behind, and removes its directory."""
        try:
            self.stop()
            self.check_log(self.judged)
            # a start says on the terminal what it finds lost or damaged, and the test has claimed
            patterns = [_tag_pattern(tag) for tag, _, _ in self.claims]
            told = self.console_text().splitlines()
            bad = [line for line in told if not any(p.match(line) for p in patterns)]
            assert not bad, f"unexpected output on the console:\n{self.console_text()}"
            self.check_secrets()
        finally:
            if self.process is not None:
                self.kill_all()
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            try:
                self.stop()
            finally:
                print(f"---- error log of {self.directory.name} ----\n{self.log_text()[-20000:]}")
                shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, host=None, account=None, base="/api/whatsapp-messenger"):
        return Client(
            self.port,
            self.contract,
            host=host,
            base=base,
            secrets=self.secrets,
            account=account or self.account,
        )

    # ---- what it says ----

    def log_text(self):
        try:
            return self.error_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def console_text(self):
        try:
            return self.console.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        """A place in the error log, for lines() and check_log()."""
        try:
            return self.error_log.stat().st_size
        except FileNotFoundError:
            return 0

    def lines(self, mark=0, pattern=None):
        """The whole lines since `mark`, those that match the regular expression when one is
        given."""
        try:
            data = self.error_log.read_bytes()[mark:]
        except FileNotFoundError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        found = data.decode("utf-8", errors="replace").splitlines()
        return [line for line in found if re.search(pattern, line)] if pattern else found

    def wait_for_line(self, pattern, mark=0):
        """The first line since `mark` that matches."""
        return wait_until(
            lambda: self.lines(mark, pattern), f"a log line that matches {pattern!r}"
        )[0]

    def claim(self, *tags, required=True):
        """Says that lines of level warn or above with these tags (WAnnnn, AHnnnnn, * and ? as in
        file names) are what the test
        wanted; with `required` there must be at least one for each."""
        mark = self.mark() if required else 0
        for tag in tags:
            self.claims.append((tag, required, mark))

    def check_log(self, mark):
        """Fails on any line since `mark` that tells of a crash, is no log line at all, or has level
        warn or above unclaimed."""
        patterns = [_tag_pattern(tag) for tag, _, _ in self.claims]
        bad = []
        for line in self.lines(mark):
            if self.noise and re.match(self.noise, line):
                continue
            found = LOG_LINE.match(line)
            if (
                CRASH.search(line)
                or not found
                or (
                    found["level"] in LEVELS_THAT_FAIL and not any(p.search(line) for p in patterns)
                )
            ):
                bad.append(line)
        assert not bad, "unexpected lines in the error log:\n" + "\n".join(bad[:40])
        reports = sorted((self.directory / "sanitizer").iterdir())
        assert not reports, "sanitizer report:\n" + reports[0].read_text(errors="replace")[:8000]

    def check_claims(self):
        """Fails when a required claim had no line; forgets the claims that were fulfilled."""
        for tag, required, mark in self.claims:
            if required:
                pattern = _tag_pattern(tag).pattern
                wait_until(
                    lambda: self.lines(mark, pattern), f"the claimed log line {tag}", timeout=10
                )
        self.claims = [(tag, False, mark) for tag, _, mark in self.claims]

    def check_secrets(self):
        """Fails when any log shows a token, a text or a full number that a test planted."""
        assert self.secrets, "nothing was planted: this check could not fail"
        for path in sorted((self.directory / "logs").iterdir()):
            text = path.read_text(encoding="utf-8", errors="replace")
            seen = [secret for secret in self.secrets if secret in text]
            assert not seen, f"{path.name} shows what must stay secret: {seen[:3]}: " + next(
                line for line in text.splitlines() if seen[0].splitlines()[0] in line
            )


def _tag_pattern(tag):
    """A log tag as a regular expression; * and ? stand for letters and digits."""
    return re.compile(r"\b" + re.escape(tag).replace(r"\*", r"\w*").replace(r"\?", r"\w") + r"\b")


def _group_members(group):
    """The processes of a process group that are not dead."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                # the first thread may be gone while another still holds the sockets
                is_gone = fields[0] in "ZX" and len(list((entry / "task").iterdir())) <= 1
            except OSError:
                continue
            if int(fields[2]) == group and not is_gone:
                found.append(int(entry.name))
    return found
