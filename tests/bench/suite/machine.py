# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

import os
import pathlib
import re
import subprocess

from .load import HERE


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout + done.stderr


def _first(pattern, text, default="unknown"):
    found = re.search(pattern, text)
    return found.group(1).strip() if found else default


def filesystem(path):
    """The type of the file system that holds `path`."""
    best = ("", "unknown")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if os.path.commonpath([mount, path]) == mount and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def facts(httpd, work_dir):
    """Names and values in the order in which they are shown."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    meminfo = pathlib.Path("/proc/meminfo").read_text()
    release = pathlib.Path("/etc/os-release").read_text()
    package = (HERE / "peer" / "package.json").read_text()
    system = _first(r'PRETTY_NAME="?([^"\n]*)', release)
    memory = int(_first(r"MemTotal:\s+(\d+)", meminfo, "0")) / 1048576
    return {
        "CPU": _first(r"model name\s*:\s*(.*)", cpuinfo),
        "Cores": str(len(os.sched_getaffinity(0))),
        "Memory": f"{memory:.0f} GiB",
        "System": f"{system}, Linux {os.uname().release}",
        "File system": filesystem(str(work_dir)),
        "Load average before": f"{os.getloadavg()[0]:.2f}",
        "httpd": _first(r"Server version: (\S+)", _output(httpd, "-v")) + ", event MPM",
        "APR, APR-util": (
            f"{_output('apr-1-config', '--version').strip()}, "
            f"{_output('apu-1-config', '--version').strip()}"
        ),
        "Compiler": _output("cc", "--version").splitlines()[0],
        "Node": _output("node", "--version").strip(),
        "Fastify, LMDB, undici": ", ".join(
            _first(rf'"{name}": "([^"]*)"', package) for name in ("fastify", "lmdb", "undici")
        ),
        "Load": _first(r"(wrk \S+)", _output("wrk", "-v")) + ", one thread",
    }
