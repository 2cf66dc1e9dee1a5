# SPDX-License-Identifier: Apache-2.0
"""What is measured, how, and against which target."""

import dataclasses
import statistics
import time

from . import load, servers

MESSAGES = 100_000
THREADS = 100
CONTACTS = 100
PAGE = 50


@dataclasses.dataclass
class Plan:
    """How much is measured."""

    rounds: int
    seconds: int
    # of the sends that wait 200 ms: long, because up to one such wait at the end is lost
    slow_seconds: int
    sizes: list[int]  # of the growth plot
    kill_sizes: list[int]
    kills: int


FULL = Plan(5, 3, 15, [10_000, 100_000, 1_000_000, 10_000_000], [1_000_000, 10_000_000], 5)
QUICK = Plan(3, 2, 5, [10_000, 100_000], [100_000], 2)


@dataclasses.dataclass
class Check:
    """One comparison, with a target (None: only to be known)."""

    text: str
    value: float
    target: float | None
    at_least: bool
    unit: str = ""

    @property
    def is_reached(self):
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclasses.dataclass
class Result:
    """One row: a list of figures for each contender, one a round, and the checks made of their
    medians."""

    key: str
    title: str
    unit: str
    figures: dict[str, list[float]]
    checks: list[Check]
    notes: list[str] = dataclasses.field(default_factory=list)
    # Of rows that are a rate: microseconds of processor time that the server took for one.
    cpu: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    # What the other build did, where its figures stand under other names than "other".
    other: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def median(self, name):
        return statistics.median(self.figures[name])


class Row:
    """A row of the table. `threads` is ThreadsPerChild: one child may get all connections, and an
    httpd that runs short of workers closes connections that are kept alive: twice the connections
    are enough."""

    key = ""
    title = ""
    unit = "requests/s"
    threads = 64
    contenders = ("bare", "module", "peer", "other")
    twilio = ("c", 0)  # the stand-in's kind and its delay in milliseconds
    over_cable = False

    def prepare(self, suite):
        """Before the rounds."""

    def measure(self, suite, server):
        """One round on one server: the figure."""
        raise NotImplementedError

    def checks(self, result):
        return []

    def run(self, suite):
        place = suite.place(self.over_cable)
        with place.entered():
            try:
                return self.rounds(suite, place)
            finally:
                if self.over_cable:
                    suite.stop_servers()

    def rounds(self, suite, place):
        suite.need(self, place)
        self.prepare(suite)
        names = [name for name in self.contenders if name in suite.servers]
        result = Result(self.key, self.title, self.unit, {name: [] for name in names}, [])
        for name in names:
            self.round(suite, result, name, "warming up")
        self.prepare(suite)
        result.figures = {name: [] for name in names}
        result.cpu = {}
        for number in range(suite.plan.rounds):
            # Each second round backwards: who comes after whom makes no difference then.
            for name in names if number % 2 == 0 else reversed(names):
                self.round(suite, result, name, f"round {number + 1} of {suite.plan.rounds}")
        if "module" in names:
            result.checks = self.checks(result)
        self.describe(suite, result)
        return result

    def round(self, suite, result, name, what):
        suite.say(f"{self.key}: {what}, {name}")
        server = suite.servers[name]
        before = server.cpu_seconds()
        try:
            figure = self.measure(suite, server)
        except load.LoadError as error:
            raise load.LoadError(f"{self.key}, {name}: {error}") from error
        result.figures[name].append(figure)
        if self.unit == "requests/s":
            used = (server.cpu_seconds() - before) * 1e6 / (figure * suite.plan.seconds)
            result.cpu.setdefault(name, []).append(used)

    def describe(self, suite, result):
        """Adds notes to the result."""


def figures_of(result, name):
    """Where the figures by size of the module, or of the other build, are kept."""
    return result.figures if name == "module" else result.other


def ratio(result, to, target):
    if to not in result.figures:
        return []
    name = "bare handler" if to == "bare" else to
    return [Check(f"of the {name}", result.median("module") / result.median(to), target, True, "x")]


class Reads(Row):
    """GETs as fast as 32 connections go."""

    of_bare = 0.9
    of_peer = 1.0

    def requests(self, suite, server):
        raise NotImplementedError

    def prepare(self, suite):
        self.files = {
            name: suite.load.file(self.requests(suite, server))
            for name, server in suite.servers.items()
        }
        self.sizes = {
            name: suite.mean_size(server, self.requests(suite, server))
            for name, server in suite.servers.items()
        }

    def measure(self, suite, server):
        return suite.load.wrk(server, self.files[server.name], suite.plan.seconds, 32)["rate"]

    def checks(self, result):
        return ratio(result, "bare", self.of_bare) + ratio(result, "peer", self.of_peer)

    def describe(self, suite, result):
        result.notes.append(
            "bytes an answer: "
            + ", ".join(f"{name} {size:,.0f}" for name, size in self.sizes.items())
        )


class PageNewest(Reads):
    key = "page"
    title = "`GET /messages?limit=50`, newest page, all threads in turn"
    of_bare = 0.85

    def requests(self, suite, server):
        return [
            load.get("messages", counterpart=load.counterpart(i), limit=PAGE)
            for i in range(THREADS)
        ]


class PageOverCable(PageNewest):
    key = "page-cable"
    title = "newest pages, the client in another network namespace and on a core of its own"
    over_cable = True


class PageCursor(PageNewest):
    key = "page-cursor"
    title = "`GET /messages?limit=50&cursor=...`, random cursors of the whole history"
    of_bare = None

    def requests(self, suite, server):
        return suite.cursor_requests(server, MESSAGES, THREADS)


class Threads(Reads):
    key = "threads"
    title = "`GET /threads` (100)"
    of_peer = 2.0

    def requests(self, suite, server):
        return [load.get("threads")]


class Since(Threads):
    key = "since"
    title = "`GET /messages-since`, nothing new (100 threads)"

    def requests(self, suite, server):
        # The time of the newest commit: from here on nothing is new.
        now = (
            server.json("messages-since?since=99999999999999")["timestamp"]
            if server.name != "bare"
            else 1
        )
        return [load.get("messages-since", since=now)]


class Contacts(Reads):
    key = "contacts"
    title = "`GET /contacts` (100)"

    def requests(self, suite, server):
        return [load.get("contacts")]


class PageWhileWriting(PageNewest):
    """Pages as fast as they go while 200 signed webhooks a second arrive."""

    key = "page-writes"
    title = "newest pages while 200 messages a second arrive in all threads"
    of_bare = 0.6
    write_threads = THREADS

    def with_writes(self, suite, server, measure):
        seconds = suite.plan.seconds + 0.5
        webhooks = suite.load.webhooks(int(200 * seconds) + 10, self.write_threads)
        writer = suite.load.drip_start(server, webhooks, seconds, 200, once=True)
        time.sleep(0.2)
        try:
            return measure()
        finally:
            written = suite.load.finish(writer)
            webhooks.unlink()
            if written["requests"] < 200 * seconds * 0.98:
                raise load.LoadError(
                    f"only {written['requests']} of {200 * seconds:.0f} messages arrived"
                )

    def measure(self, suite, server):
        return self.with_writes(
            suite, server, lambda: super(PageWhileWriting, self).measure(suite, server)
        )

    of_peer = None


class PageWhileWritingHere(PageWhileWriting):
    key = "page-writes-one"
    title = "newest page of one thread in which all of the 200 messages a second arrive"
    write_threads = 1

    def requests(self, suite, server):
        return [load.get("messages", counterpart=load.counterpart(0), limit=PAGE)]


class ReadLatency(PageWhileWriting):
    """The tail of reads at a fixed rate."""

    key = "read-p99"
    title = "p99 of 2,000 newest pages a second while 200 messages a second arrive"
    unit = "ms"

    def measure(self, suite, server):
        def reads():
            reader = suite.load.drip_start(
                server, self.files[server.name], suite.plan.seconds, 2000
            )
            return suite.load.finish(reader)["p99_us"] / 1000

        return self.with_writes(suite, server, reads)

    def checks(self, result):
        return [Check("p99", result.median("module"), 10, False, " ms")]


class Webhook(Row):
    key = "webhook"
    title = "`POST /webhook`, signed, each new, durable, 64 connections"
    threads = 128

    def measure(self, suite, server):
        most = int((90_000 if server.name == "bare" else 60_000) * suite.plan.seconds)
        webhooks = suite.load.webhooks(most, THREADS)
        try:
            return suite.load.wrk(server, webhooks, suite.plan.seconds, 64, once=True)["rate"]
        finally:
            webhooks.unlink()

    def checks(self, result):
        return ratio(result, "bare", 0.5) + ratio(result, "peer", 1.0)


class WebhookOverCable(Webhook):
    key = "webhook-cable"
    title = "signed webhooks, the client in another network namespace and on a core of its own"
    over_cable = True


class Send(Row):
    key = "send"
    title = "`POST /send`, Twilio answering at once"
    contenders = ("module", "peer", "other")
    clients = 32

    def prepare(self, suite):
        self.file = suite.load.file(suite.sends())
        self.standin = {name: [] for name in suite.servers}

    def measure(self, suite, server):
        standin = suite.twilio(suite.loopback, *self.twilio).process.pid
        before = servers.cpu_seconds_of(standin)
        found = suite.load.wrk(server, self.file, suite.plan.seconds, self.clients)
        used = servers.cpu_seconds_of(standin) - before
        busy = used * 1e6 / found["duration_us"]
        self.standin[server.name].append((busy, used * 1e6 / found["requests"]))
        return found["rate"]

    def checks(self, result):
        return ratio(result, "peer", 1.0)

    def describe(self, suite, result):
        # A stand-in that is busy all the time is what the row measures, not the server.
        for name, rounds in self.standin.items():
            busy, used = (statistics.median(column) for column in zip(*rounds))
            result.notes.append(
                f"with {name}, Twilio's stand-in took {busy:.2f} of a core and {used:,.0f} us "
                "for an answer, "
                f"the server {statistics.median(result.cpu[name]):,.0f} us for a send"
            )


class SendToNode(Send):
    key = "send-node"
    title = "`POST /send`, Twilio a server on Node, answering at once"
    twilio = ("node", 0)


class SendToNodeLater(Send):
    key = "send-node-later"
    title = "`POST /send`, Twilio a server on Node, answering after 20 ms, 64 clients"
    twilio = ("node", 20)
    threads = 128
    clients = 64

    def checks(self, result):
        most = self.clients * 1000 / self.twilio[1]
        return [
            *ratio(result, "peer", 1.0),
            Check("of 64 / 0.02 s", result.median("module") / most, None, True, "x"),
        ]


class SendSlow(Row):
    """96 clients whose sends take 200 ms, beside readers of the thread list."""

    key = "send-slow"
    title = "`POST /send`, Twilio taking 200 ms, 96 clients, while 32 read `/threads`"
    unit = "sends/s"
    threads = 256
    contenders = ("module", "peer", "other")
    twilio = ("c", 200)

    def prepare(self, suite):
        self.sends = suite.load.file(suite.sends())
        self.reads = suite.load.file([load.get("threads")])
        self.alone = {name: [] for name in suite.servers}
        self.beside = {name: [] for name in suite.servers}

    def measure(self, suite, server):
        seconds = suite.plan.slow_seconds
        self.alone[server.name].append(
            suite.load.wrk(server, self.reads, suite.plan.seconds, 32)["p99_us"] / 1000
        )
        sender = suite.load.wrk_start(server, self.sends, seconds, 96)
        time.sleep(0.3)
        try:
            reads = suite.load.wrk(server, self.reads, seconds - 1, 32)
        finally:
            sent = suite.load.finish(sender)
        self.beside[server.name].append(reads["p99_us"] / 1000)
        return sent["rate"]

    def checks(self, result):
        alone, beside = (statistics.median(x["module"]) for x in (self.alone, self.beside))
        return [
            Check("of 96 / 0.2 s", result.median("module") / 480, 0.95, True, "x"),
            Check("p99 of `/threads` with sends to without", beside / alone, 2.0, False, "x"),
        ]

    def describe(self, suite, result):
        for name in result.figures:
            alone, beside = (statistics.median(x[name]) for x in (self.alone, self.beside))
            result.notes.append(
                f"p99 of `/threads` at {name}: {alone:.2f} ms without sends, {beside:.2f} ms with"
            )


class Growth(Row):
    """The same pages from stores of all sizes, and the memory that it takes."""

    key = "growth"
    title = "newest pages, by messages in the store"
    contenders = ("module", "other")

    def run(self, suite):
        running = {}
        files = {}
        try:
            for size in suite.plan.sizes:
                for version in suite.versions:
                    suite.say(f"{self.key}: starting {version.name} with {size:,} messages")
                    server = running[version.name, size] = suite.module_of(version, size)
                    server.start()
                    files[version.name, size] = self.requests(suite, server, size)
            results = [
                Result(self.key, self.title, self.unit, {}, []),
                Result(
                    "growth-cursor",
                    "pages at random cursors, by messages in the store",
                    self.unit,
                    {},
                    [],
                ),
            ]
            for number in range(suite.plan.rounds):
                what = f"round {number + 1} of {suite.plan.rounds}"
                order = list(running) if number % 2 == 0 else list(reversed(running))
                for name, size in order:
                    suite.say(f"{self.key}: {what}, {name}, {size:,} messages")
                    for result, file in zip(results, files[name, size]):
                        found = suite.load.wrk(running[name, size], file, suite.plan.seconds, 32)
                        figures_of(result, name).setdefault(f"{size:,}", []).append(found["rate"])
            small, large = (f"{f(suite.plan.sizes):,}" for f in (min, max))
            text = f"time of a page at {large} to {small}"
            for result in results:
                if result.figures:
                    value = result.median(small) / result.median(large)
                    result.checks = [Check(text, value, 1.25, False, "x")]
            return [*results, self.memory(running)]
        finally:
            for server in running.values():
                server.stop()

    @staticmethod
    def requests(suite, server, size):
        newest = [
            load.get("messages", counterpart=load.counterpart(i), limit=PAGE)
            for i in range(THREADS)
        ]
        return (
            suite.load.file(newest),
            suite.load.file(suite.cursor_requests(server, size, THREADS)),
        )

    @staticmethod
    def memory(running):
        title = "private memory of a child after that, by messages in the store"
        result = Result("memory", title, "MiB", {}, [])
        for (name, size), server in running.items():
            found = [servers.private_memory(pid) for pid in server.children()]
            found = [pair for pair in found if pair[0]]
            figures_of(result, name)[f"{size:,}"] = [private / 2**20 for private, _ in found]
            mapped = max(mapped for _, mapped in found) / 2**20
            if mapped >= 1 and name == "module":
                result.notes.append(
                    f"beside it {mapped:,.0f} MiB of the store's files mapped by one child alone at"
                    f" {size:,} messages (page cache, not counted)"
                )
        if result.figures:
            large = f"{max(size for _, size in running):,}"
            result.checks = [Check(f"at {large}", max(result.figures[large]), 64, False, " MiB")]
        return result


class Kill(Row):
    """The time to the first answer after everything was killed while messages arrived."""

    key = "kill"
    title = "first answer after `kill -9` of everything, by messages in the store"
    unit = "s"
    contenders = ("module", "other")

    def run(self, suite):
        result = Result(self.key, self.title, self.unit, {}, [])
        for size in suite.plan.kill_sizes:
            running = {version.name: suite.module_of(version, size) for version in suite.versions}
            try:
                for server in running.values():
                    server.start()
                for number in range(suite.plan.kills):
                    for name, server in running.items():
                        what = f"kill {number + 1} of {suite.plan.kills}"
                        suite.say(f"{self.key}: {name}, {size:,} messages, {what}")
                        figures = figures_of(result, name).setdefault(f"{size:,}", [])
                        figures.append(self.kill(suite, server))
            finally:
                for server in running.values():
                    server.stop()
        limits = {1_000_000: 2, 10_000_000: 10}
        result.checks = [
            Check(
                f"at {size:,}", max(result.figures[f"{size:,}"]), limits.get(size, 2), False, " s"
            )
            for size in suite.plan.kill_sizes
            if result.figures
        ]
        return result

    def kill(self, suite, server):
        """One kill: the seconds until the first answer."""
        before = self.count(server)
        webhooks = suite.load.webhooks(5000, THREADS)
        writer = suite.load.drip_start(server, webhooks, 5, 1000, once=True)
        time.sleep(1.5)
        server.kill()
        writer.terminate()
        answered = suite.load.result(writer)["requests"]
        webhooks.unlink()
        seconds = server.start(f"messages?counterpart=%2B15550000000&limit={PAGE}")
        there = self.count(server) - before
        if answered == 0 or there < answered:
            raise load.LoadError(
                f"of {answered} messages answered before the kill {there} are there"
            )
        return seconds

    @staticmethod
    def count(server):
        return sum(thread["messageCount"] for thread in server.json("threads")["threads"])


ROWS = [
    PageNewest(),
    PageCursor(),
    Threads(),
    Since(),
    Contacts(),
    PageWhileWriting(),
    PageWhileWritingHere(),
    ReadLatency(),
    Send(),
    SendToNode(),
    Webhook(),
    SendToNodeLater(),
    SendSlow(),
    PageOverCable(),
    WebhookOverCable(),
    Growth(),
    Kill(),
]
