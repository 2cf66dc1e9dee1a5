# SPDX-License-Identifier: Apache-2.0
"""What limits sending over all processes: WhatsAppMaxSends, also when children are killed at it."""

import os
import signal
import threading

import pytest

from support.conditions import in_parallel, wait_until


class Held:
    """Sends that Twilio holds until they are let go."""

    def __init__(self, gate, api, fresh):
        self.gate, self.api, self.fresh = gate, api, fresh
        self.release = threading.Event()
        self.threads = []

    def _hold(self, request, sid):
        self.release.wait(60)

    def _send(self, number):
        wait_until(lambda: attempt(self.api, number, self.fresh), "a send to be let in")

    def add(self, count):
        """Holds so many more; returns when Twilio has them all."""
        numbers = [self.fresh.number() for _ in range(count)]
        for number in numbers:
            self.gate.before_answer(number, self._hold)
            self.threads.append(threading.Thread(target=self._send, args=(number,), daemon=True))
            self.threads[-1].start()
        wait_until(
            lambda: all(self.gate.requests_to(number) for number in numbers), "Twilio to be asked"
        )

    def end(self):
        self.release.set()
        for thread in self.threads:
            thread.join(60)


def attempt(api, number, fresh):
    """One send; False when it was not let in. A process that is killed at it is no failure."""
    try:
        return api.send(number, fresh.text(), expect=None).get("code") != "UNAVAILABLE"
    except (OSError, EOFError, api.broken):
        return True


def refused(api, fresh, gate):
    """One more send is 503 at once, and nothing is stored or sent."""
    number = fresh.number()
    answer = api.send(number, fresh.text(), expect=503)
    assert answer["code"] == "UNAVAILABLE"
    assert api.thread(number) is None and gate.requests_to(number) == []


@pytest.mark.every_mpm
def test_the_limit_counts_over_all_processes_and_a_killed_one_gives_its_part_back(
    new_server, fresh, gate
):
    with new_server(twilio_url=gate.url, extra="WhatsAppMaxSends 9\n") as server:
        api = server.client()
        held = Held(gate, api, fresh)
        try:
            held.add(9)
            # under whatever number of processes: 40 connections reach more than one
            in_parallel(40, lambda _: refused(api, fresh, gate))
            killed = set(server.children())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            wait_until(
                lambda: not killed & set(server.children()), "httpd to bury those that were killed"
            )
            held.add(9)
            refused(api, fresh, gate)
        finally:
            held.end()
        api.send(fresh.number(), fresh.text())


def test_the_limit_holds_over_a_graceful_restart(new_server, fresh, gate):
    """What the children of before still send counts on."""
    with new_server(twilio_url=gate.url, extra="WhatsAppMaxSends 4\n") as server:
        api = server.client()
        held = Held(gate, api, fresh)
        try:
            held.add(4)
            server.graceful()
            refused(api, fresh, gate)
        finally:
            held.end()
        api.send(fresh.number(), fresh.text())
