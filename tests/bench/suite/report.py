# SPDX-License-Identifier: Apache-2.0
"""The figures as a Markdown page."""

import statistics

from . import plot

# A load average from which on other work disturbs the figures.
BUSY = 0.7

METHOD = """\
All rows of a table were measured in one run, the contenders in turn, each second round backwards, \
so that what else
the machine does hits all alike. After a round that warms up and does not count, a
figure is the median of {rounds} rounds of {seconds:g} s; in brackets the least and the most. Ratios
are ratios of medians. The load tool runs on the same cores: figures are for comparing, \
a server alone does more.

- **bare** is a handler of a few lines in the same httpd that gives the module's own bytes from \
memory, with the same headers, and
  for webhooks parses the form and checks the signature, and stores nothing: \
the most that httpd allows. What the module does between
  two requests of a connection (httpd/keepalive.c) it does too, from the same source: \
a ratio to it is a ratio to httpd's limit.
- **module** is httpd with mod_whatsapp, `WhatsAppStore dbm:`, `WhatsAppSync always`.
- **peer** is the same API on Fastify and LMDB in two processes (tests/bench/peer): \
messages kept as ready-made JSON and sent without
  decoding, the newest page of each thread kept until its thread changes, \
the contact list kept as one answer in LMDB, the thread list
  read row by row (each message changes it), writes of one moment in one transaction, \
answered when they are on the disk. It
  stores a sent message once, after Twilio's answer; the module stores it before and after.

httpd: event MPM, two children with twice as many threads each as there are connections, \
keep-alive, no access log. Data: {messages:,}
messages in {threads} threads, {contacts} contacts of which a quarter are of threads, \
the same for module and peer; each filled by its own store's
code. Reads by wrk on 32 connections. Webhooks are signed beforehand, each is new. \
Files of requests are in memory, not on the disk
that is measured.

Twilio is a stand-in on the same cores, of two kinds: one in C that costs next to nothing, \
so that the figure is the server's, and where the row
says so one on Node's own HTTP server, which takes more processor time for an answer than the send \
itself. Both answer with 201 and a whole
Message, at once or after the time that the row says.

Rows with the client in another network namespace go through a veth pair. \
The client has one core of its own and the servers have
the others: as for a client on another machine, \
the moment that a server gives away after an answer helps no client. That is less
for the servers than in the other rows, for all contenders alike. \
These rows need root and two cores and are left out otherwise."""


def _number(value, unit):
    if unit in ("ms", "s"):
        return f"{value:,.2f}"
    if unit == "MiB":
        return f"{value:,.1f}"
    return f"{value:,.0f}"


def _cell(figures, unit):
    if not figures:
        return "-"
    middle, least, most = (_number(f(figures), unit) for f in (statistics.median, min, max))
    return f"{middle} ({least}-{most})"


def _check(check):
    if check.target is None:
        return f"{check.value:.2f}{check.unit} {check.text}"
    sign = "&ge;" if check.at_least else "&le;"
    state = "reached" if check.is_reached else "**not reached**"
    return f"{check.value:.2f}{check.unit} {check.text} (target {sign} {check.target:g}): {state}"


def _table(results, columns, unit_column=True):
    head = ["what", *(["unit"] if unit_column else []), *columns, "against the target"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for result in results:
        cells = [
            result.title,
            *([result.unit] if unit_column else []),
            *(_cell(result.figures.get(name), result.unit) for name in columns),
            "<br>".join(_check(check) for check in result.checks) or "-",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _pairs(figures, other):
    """The ratio of medians, and the least and most of the rounds' own ratios."""
    ratios = [a / b for a, b in zip(figures, other)]
    middle = statistics.median(figures) / statistics.median(other)
    return f"{middle:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _comparisons(results):
    """(title, unit, figures, the other build's figures, both processor times or None) of each row
    or size."""
    for result in results:
        if result.figures.get("module") and result.figures.get("other"):
            cpu = (result.cpu.get("module"), result.cpu.get("other"))
            times = cpu if all(cpu) else None
            yield result.title, result.unit, result.figures["module"], result.figures[
                "other"
            ], times
        for size, other in result.other.items():
            if other and result.figures.get(size):
                yield f"{result.title}: {size}", result.unit, result.figures[size], other, None


def _against(results):
    """The table of two builds: what it is to show is whether a change made a difference."""
    head = [
        "what",
        "unit",
        "other build",
        "this build",
        "this to other",
        "processor time, this to other",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for title, unit, figures, other, times in _comparisons(results):
        cpu = _pairs(*times) if times else "-"
        cells = [title, unit, _cell(other, unit), _cell(figures, unit), _pairs(figures, other), cpu]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def markdown(data, notes, growth_name):
    """The page. `data`: machine, date, plan, results; `notes`: text that is kept by hand;
    `growth_name`: the plot's file."""
    results = data["results"]
    contenders = [r for r in results if not r.key.startswith(("growth", "memory", "kill"))]
    sizes = [r for r in results if r.key.startswith(("growth", "memory", "kill"))]
    checks = [check for result in results for check in result.checks if check.target is not None]
    plan = data["plan"]
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by tests/bench/run; edit tests/bench/NOTES.md instead. -->",
        "",
        f"Measured on {data['date']} with `tests/bench/run{' --quick' if data['quick'] else ''}`: "
        f"{sum(check.is_reached for check in checks)} of {len(checks)} targets reached.",
    ]
    if float(data["machine"]["Load average before"]) > BUSY:
        lines += ["", "**Other work ran on the machine (see its load average): not to be quoted.**"]
    if data["quick"]:
        lines += ["", "**A quick run, only to see that everything works: not to be quoted.**"]
    lines += [
        "",
        "## The machine",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in data["machine"].items()),
    ]
    if contenders:
        lines += [
            "",
            "## Against the limit and the peer",
            "",
            *_table(contenders, ["bare", "module", "peer"]),
        ]
    if data.get("against"):
        lines += ["", f"## Against another build ({data['against']})", ""]
        lines += [
            (
                "Both in the same run, in turn. Ratios are of medians; in brackets the least and "
                "the most of the rounds' own ratios:"
            ),
            "where 1 lies between them, the row shows no difference.",
            "",
            *_against(results),
        ]
    for title, keys in (("Left out", data.get("left_out")), ("Failed", data.get("failed"))):
        if keys:
            lines += ["", f"## {title}", "", *(f"- {key}: {why}" for key, why in keys.items())]
    if sizes:
        columns = list(dict.fromkeys(name for result in sizes for name in result.figures))
        columns.sort(key=lambda name: int(name.replace(",", "")))
        lines += ["", "## As the store grows", "", *_table(sizes, columns)]
    if any(result.key == "growth" for result in results):
        lines += ["", f"![Pages a second as the store grows]({growth_name})"]
    details = [f"- {result.title}: {note}" for result in results for note in result.notes]
    lines += [
        "",
        "## How it is measured",
        "",
        METHOD.format(rounds=plan["rounds"], seconds=plan["seconds"], **data["data"]),
    ]
    if details:
        lines += ["", "Details:", "", *details]
    lines += ["", "To measure again: `make bench`, or `tests/bench/run --help`."]
    lines += [
        (
            "With `--against BUILD` another build of the module runs beside this one, and a table "
            "says what the difference is."
        )
    ]
    if notes:
        lines += ["", notes.strip()]
    return "\n".join(lines) + "\n"


def growth_svg(results):
    """The plot of the growth rows, None when they were not measured."""
    series = {}
    for result in results:
        if result.key in ("growth", "growth-cursor"):
            name = "newest pages" if result.key == "growth" else "pages at random cursors"
            series[name] = {
                int(size.replace(",", "")): (min(f), statistics.median(f), max(f))
                for size, f in result.figures.items()
            }
    return (
        plot.lines("Pages of 50 messages a second as the store grows", "pages a second", series)
        if series
        else None
    )
