# SPDX-License-Identifier: Apache-2.0
"""The Twilio simulator as a process of its own, and what tests ask of it."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from twilio_simulator import Control  # noqa: E402

from .conditions import wait_until  # noqa: E402


class Simulator(Control):
    """A simulator for one account. It makes no callbacks of its own: tests say when one comes."""

    def __init__(self, account):
        self.account = account
        self._rules = []
        self._allowed = set()
        self.wrong = []  # requests that Twilio would refuse or not understand, and nobody wanted
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-B",
                str(pathlib.Path(__file__).with_name("twilio_simulator.py")),
                "--account-sid",
                account.sid,
                "--auth-token",
                account.token,
                "--number",
                account.number,
                "--callbacks",
                "off",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), f"the simulator did not start: {line!r}"
        super().__init__(line.split()[-1])

    def allow(self, *codes):
        """Until the next reset requests may come that are refused with these of Twilio's errors."""
        self._allowed |= set(codes)

    def gather(self):
        """Notes what came and breaks Twilio's rules for requests, unasked by a rule of the test."""
        for entry in self.requests():
            refused = entry.get("refused")
            if entry["problems"] or (refused is not None and refused not in self._allowed):
                self.wrong.append((refused, entry["problems"], entry["form"]))

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()

    def requests_to(self, number):
        """The forms of the requests for messages to `number`, oldest first; none may hold anything
        that Twilio does not know."""
        found = []
        for entry in self.requests():
            form = entry["form"]
            if entry["method"] == "POST" and form and form.get("To") == [f"whatsapp:{number}"]:
                assert entry["problems"] == [], entry
                assert all(len(values) == 1 for values in form.values()), form
                assert entry["user"] == self.account.sid
                found.append({name: values[0] for name, values in form.items()})
        return found

    def lists(self):
        """The requests for lists of messages, oldest first."""
        return [
            each
            for each in self.requests()
            if each["method"] == "GET" and "/Messages.json" in each["target"]
        ]

    def inbound_lists(self):
        """Those for what came in: each run asks for one, whatever else it asks for."""
        return [
            each
            for each in self.lists()
            if "Messages.json?To=" in each["target"] and "From=" not in each["target"]
        ]

    def wait_for_runs(self, count=3):
        """Waits until a server has asked for what came in `count` times more."""
        before = len(self.inbound_lists())
        wait_until(lambda: len(self.inbound_lists()) >= before + count, f"{count} more runs")

    def reset(self):
        self.gather()
        self._rules = []
        self._allowed = set()
        super().reset()

    def fail(self, number, mode, **options):
        """Requests for messages to `number` are answered in this mode (twilio_modes.py) from now
        on."""
        self.spoil(mode, to=number, **options)

    def spoil(self, mode, **options):
        """The same for what the options say, such as `target`."""
        self._rules.append({"mode": mode, **options})
        self.call("POST", "mode", self._rules)
