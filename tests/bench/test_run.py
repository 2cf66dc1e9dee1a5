# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own machinery: the bare handler's hook, namespaces that vanish, two builds side
by side."""

import http.client
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("WA_TEST_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(HERE))

from suite import load, network, report, rows, servers, version  # noqa: E402
from suite.process import PREFIX, Directory  # noqa: E402

COUNTER = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
int sched_yield(void)
{
    int fd = open(getenv("WA_YIELDS"), O_WRONLY | O_APPEND);
    if (fd >= 0) {
        (void)!write(fd, "y", 1);
        close(fd);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def tools():
    subprocess.run(["make", "-s", "-C", HERE, f"BUILD={BUILD}", "tools", "fill"], check=True)
    return BUILD / "bench"


@pytest.fixture
def work():
    directory = Directory("/var/tmp")
    directory.path.chmod(0o755)
    yield directory.path
    directory.remove()


def counting(server, work, monkeypatch):
    """Starts `server` with a sched_yield that leaves a byte in the file that is returned."""
    library, counts = work / "yields.so", work / f"yields-{server.name}"
    source = work / "yields.c"
    source.write_text(COUNTER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    counts.touch()
    counts.chmod(0o666)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WA_YIELDS", str(counts))
    server.start()
    return counts


def ask(server, requests):
    """Sends them on one connection, each after the answer to the one before."""
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    for method, path, body in requests:
        connection.request(method, f"{load.BASE}/{path}", body)
        connection.getresponse().read()
    connection.close()


def test_the_bare_handler_gives_the_processor_away_exactly_when_the_module_does(
    tools, work, monkeypatch
):
    place = network.Loopback()
    ours = version.Version("module", BUILD / "mod_whatsapp.so", BUILD / "wa-fill", "")
    store = work / "stores" / "store"
    servers.module_fill(ours.fill, store, 100, 2, 2)
    module = servers.Module(work, place, 4, ours, store, servers.free_port())
    bare = servers.Bare(
        work, place, 4, tools / "mod_bare.so", {"threads": b"{}", "contacts": b"{}"}
    )
    reads = [("GET", "threads", None), ("GET", "contacts", None)] * 20
    seen = {}
    for server in (module, bare):
        try:
            counts = counting(server, work, monkeypatch)
            before = counts.stat().st_size
            ask(server, reads)
            for _ in range(5):
                ask(server, [("POST", "webhook", "a=b")])
        finally:
            server.stop()
        # httpd itself yields nowhere; what a stop does is the same for both.
        seen[server.name] = counts.stat().st_size - before
    assert 0 < seen["module"] < len(reads)
    assert seen["bare"] == seen["module"]


needs_root = pytest.mark.xfail(
    os.geteuid() != 0,
    reason="network namespaces need root",
    strict=True,
    raises=network.NetworkError,
)


@needs_root
def test_a_cable_joins_two_namespaces_and_leaves_this_one_alone():
    before = os.readlink("/proc/self/ns/net")
    cable = network.Cable()
    try:
        with cable.entered():
            inside = os.readlink("/proc/thread-self/ns/net")
            assert inside != before
            done = subprocess.run(
                [*cable.client, "readlink", "/proc/self/ns/net"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.strip() not in (before, inside)
            listener = socket.create_server((cable.host, 0))
            port = listener.getsockname()[1]
            subprocess.run(
                [*cable.client, "bash", "-c", f"exec 3<>/dev/tcp/{cable.host}/{port}"], check=True
            )
            listener.close()
        assert os.readlink("/proc/thread-self/ns/net") == before
        assert not pathlib.Path("/sys/class/net/wa-server").exists()
    finally:
        cable.close()


HOLDS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from suite import network, process
cable = network.Cable()
with cable.entered():
    child = process.spawn(["sleep", "600"])
    print(child.pid, cable._holder.pid, flush=True)
    time.sleep(600)
"""


@needs_root
def test_nothing_of_a_run_outlives_its_kill():
    if os.geteuid() != 0:
        network.Cable()
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", HOLDS, str(HERE)], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
    ends = [os.pidfd_open(pid) for pid in pids]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    for end in ends:
        assert select.select([end], [], [], 60)[0], "it outlived the run"
        os.close(end)


def test_directories_of_killed_runs_go_and_those_of_running_ones_stay(tmp_path):
    running = Directory(tmp_path)
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    new = Directory(tmp_path)
    assert not left.exists() and other.exists() and running.path.exists() and new.path.exists()
    running.remove()
    new.remove()
    assert os.listdir(tmp_path) == ["other"]


def test_two_builds_are_compared_by_medians_and_by_rounds():
    result = rows.Result(
        "page",
        "Pages",
        "requests/s",
        {"module": [90.0, 110.0, 100.0], "other": [100.0, 100.0, 50.0]},
        [],
    )
    sizes = rows.Result("growth", "Sizes", "requests/s", {"10": [5.0]}, [], other={"10": [10.0]})
    table = report._against([result, sizes])
    assert "1.00 (0.90-2.00)" in table[2] and "0.50 (0.50-0.50)" in table[3] and len(table) == 4


def test_another_build_is_a_directory_a_module_or_a_commit(tmp_path):
    fill = tmp_path / "fill"
    (tmp_path / "b").mkdir()
    module = tmp_path / "b" / "mod_whatsapp.so"
    module.touch()
    for against in (str(tmp_path / "b"), str(module)):
        found = version.other(against, fill, tmp_path)
        assert (found.module, found.fill, found.name) == (module, fill, "other")
    with pytest.raises(version.VersionError):
        version.other("no-such-thing", fill, tmp_path)
