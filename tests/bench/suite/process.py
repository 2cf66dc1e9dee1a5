# SPDX-License-Identifier: Apache-2.0
"""Processes and directories that do not outlive the run, however it ends."""

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
PREFIX = "wa-bench-"


def spawn(command, **named):
    """A process that gets SIGTERM when this one is gone, even by SIGKILL."""
    parent = os.getpid()

    def bind():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # gone before it could be asked for
            os._exit(1)

    return subprocess.Popen(command, preexec_fn=bind, **named)


def _lock(path):
    """A descriptor that holds the directory's lock, None when another run has it."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return directory
    except BlockingIOError:
        os.close(directory)
        return None


class Directory:
    """A directory of this run's own below `where`; what runs that were killed left there goes."""

    def __init__(self, where):
        for path in pathlib.Path(where).glob(f"{PREFIX}*"):
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
                lock = _lock(path)
                if lock is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(lock)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
        self._lock = _lock(self.path)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
