# SPDX-License-Identifier: Apache-2.0
"""What the simulator does wrong, for whom and how often: rules that can be changed while it
runs."""

# name: what it does to a request for a message (options in brackets)
MODES = {
    "ok": "answers as Twilio does",
    "delay": "answers after [ms]",
    "refuse": "answers error [code] with status [http], nothing made",
    "rate-limit": "answers 429 with Retry-After [retry_after] seconds, or without; nothing made",
    "error": "answers status [http] (500) with Twilio's JSON; a message is made if [create]",
    "html": "answers status [http] (502) with a page of HTML; a message is made if [create]",
    "empty": "answers status [http] (201) without a body; a message is made",
    "truncated": "answers 201 with JSON that ends in the middle; a message is made",
    "short": "announces more bytes than come and closes; a message is made",
    "huge": "answers status [http] (201) with [bytes] (10,000,000); a message is made",
    "no-sid": "answers 201 with JSON without a sid; a message is made",
    "wrong-type": "answers 201 with good JSON that is called text/html; a message is made",
    "reset-before": "resets the connection at the first byte, nothing made",
    "reset-after": "reads, makes a message, and resets the connection",
    "close": "reads, makes a message, and closes without an answer",
    "close-reused": (
        "answers the first request of a connection; reads another, makes a message, closes"
    ),
    "close-after": "answers and closes, without having said so",
    "hang": "reads and never answers, nothing made",
    "hang-after": "reads, makes a message, and never answers",
    "redirect": "answers status [http] (307) to [location], nothing made",
    "slow-drip": "answers byte by byte, [ms] (20) apart; a message is made",
}


class Rules:
    """The rules in their order; the first one that fits a request counts."""

    def __init__(self) -> None:
        self._rules: list[dict] = []

    def set(self, wanted: dict | list) -> None:
        """Replaces the rules, or adds to them when {"add": true}. One rule is {"mode", "count": how
        often (absent: always), "to": for this recipient only, "target": for what is fetched from
        an address with this text in it only, "skip": let so many pass first} and the mode's
        options. {"mode": "ok"} alone takes all rules away."""
        rules = wanted if isinstance(wanted, list) else [wanted]
        for rule in rules:
            if rule.get("mode") not in MODES:
                raise ValueError(f"mode must be one of {', '.join(MODES)}")
            for name in ("count", "skip", "ms", "http", "code", "bytes"):
                if rule.get(name) is not None and not isinstance(rule[name], (int, float)):
                    raise ValueError(f"{name} must be a number")
        if not (isinstance(wanted, dict) and wanted.get("add")):
            self._rules = []
        if wanted != {"mode": "ok"}:  # which would hide every rule that is added to it
            self._rules += [dict(rule) for rule in rules]

    def list(self) -> list[dict]:
        return self._rules

    def take(self, to: str | None, is_first: bool, target: str | None = None) -> dict:
        """The rule for a request to this recipient, or for what is fetched from this address, the
        first one on its connection or not, counted."""
        for index, rule in enumerate(self._rules):
            wanted = rule.get("to")
            if wanted is not None and (to or "").removeprefix("whatsapp:") != wanted:
                continue
            if rule.get("target") is not None and rule["target"] not in (target or ""):
                continue
            if rule["mode"] == "close-reused" and is_first:
                continue
            if rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            if rule.get("count") is not None:
                rule["count"] -= 1
                if rule["count"] <= 0:
                    del self._rules[index]
            return rule
        return {"mode": "ok"}

    def is_next(self, mode: str) -> bool:
        """Whether the next request to anybody meets this mode."""
        first = self._rules[0] if self._rules else {}
        return first.get("mode") == mode and not any(
            first.get(name) for name in ("to", "target", "skip")
        )
