# SPDX-License-Identifier: Apache-2.0
"""Where servers and clients meet: the loopback, or a cable between two network namespaces."""

import contextlib
import os
import subprocess

from .process import LIBC, spawn

CLONE_NEWNET = 0x40000000
# Both ends are in namespaces of their own, so that no name and no address can meet another's.
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
NAMESPACE = "/proc/thread-self/ns/net"


class NetworkError(Exception):
    """There can be no second network here."""


class Loopback:
    """Servers and clients on 127.0.0.1."""

    host = "127.0.0.1"
    client = ()
    server = ()

    @contextlib.contextmanager
    def entered(self):
        yield


class Cable:
    """A veth pair between two namespaces. The client has a core of its own, the servers the others:
    as on two machines, neither gets the processor when the other waits. The servers' namespace
    lives by a descriptor of this process, the client's by a child that ends with it: both are gone
    with this process, and with them the pair."""

    host = SERVER

    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        if os.geteuid() != 0:
            raise NetworkError("network namespaces need root")
        if len(cores) < 2:
            raise NetworkError("a client with a core of its own needs a second core")
        self._home = os.open(NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        self._servers = self._holder = None
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            why = (getattr(error, "stderr", None) or str(error)).strip()
            raise NetworkError(f"no pair of network namespaces: {why}") from error
        self.server = ("taskset", "-c", ",".join(str(core) for core in cores[:-1]))
        namespace = f"--net=/proc/{self._holder.pid}/ns/net"
        self.client = ("nsenter", namespace, "taskset", "-c", str(cores[-1]))

    def _make(self):
        self._holder = spawn(
            ["unshare", "--net", "sh", "-c", "echo ready && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._holder.stdout.readline() != "ready\n":
            raise OSError(self._holder.stderr.read())
        try:
            if LIBC.unshare(CLONE_NEWNET) != 0:
                raise OSError("unshare(CLONE_NEWNET) is refused")
            self._servers = os.open(NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
            there = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net")
            pair = "link add wa-server type veth peer name wa-client netns"
            _run("ip", *pair.split(), str(self._holder.pid))
            for prefix, name, address in (((), "wa-server", SERVER), (there, "wa-client", CLIENT)):
                _run(*prefix, "ip", "address", "add", f"{address}/30", "dev", name)
                _run(*prefix, "ip", "link", "set", name, "up")
                _run(*prefix, "ip", "link", "set", "lo", "up")
        finally:
            _join(self._home)

    @contextlib.contextmanager
    def entered(self):
        """In it this thread, and what it starts, is in the servers' namespace."""
        _join(self._servers)
        try:
            yield
        finally:
            _join(self._home)

    def close(self):
        if self._holder:
            self._holder.communicate("")
        for descriptor in (self._servers, self._home):
            if descriptor is not None:
                os.close(descriptor)


def _run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def _join(namespace):
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError("setns is refused")
