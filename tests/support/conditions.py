# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition instead of for time, and running many things at the same instant."""

import threading
import time


def wait_until(predicate, what, timeout=60.0, interval=0.01):
    """Calls `predicate` until it gives something true, which is returned. Fails with `what` after
    `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(interval)


def in_parallel(count, work, timeout=120.0):
    """Runs work(0) .. work(count - 1), each in a thread of its own, all released at the same
    instant.

    Gives their results in order; the first exception of any of them is raised here.
    """
    results = [None] * count
    errors = []
    gate = threading.Barrier(count)

    def run(index):
        try:
            gate.wait(timeout)
            results[index] = work(index)
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), f"still busy after {timeout:g} s"
    return results
