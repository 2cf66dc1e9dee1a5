# SPDX-License-Identifier: Apache-2.0
"""load of every form in which Cloudflare's tools give a namespace, and of what is none of them. The
files in cloudflare/ hold what kv-export.json holds, as `wrangler kv bulk get` prints it
(4.86 with Success!, later ones without), and the REST API's bulk/get answers it."""

import json
import os
import pathlib
import re
import resource
import subprocess

import pytest

from conftest import ACCOUNT, PROGRAM, ROOT, ctl, dump, lines_of

EXPORT = pathlib.Path(__file__).with_name("kv-export.json")
FORMS = sorted(pathlib.Path(__file__).with_name("cloudflare").iterdir())
HERE = "+14155238886"
NUMBER = "+15550000001"


def load(store, source, *words, expect=0, stdin=None):
    return ctl(
        "load", source, "--account-sid", ACCOUNT, *words, store=store, expect=expect, stdin=stdin
    )


def pair(n, body="text"):
    value = {
        "id": f"m-{n}",
        "direction": "received",
        "phoneNumber": HERE,
        "counterpart": NUMBER,
        "body": body,
        "timestamp": 1740000000000 + n,
    }
    return f"msg:{NUMBER}:{value['timestamp']}:m-{n}", json.dumps(value)


def wrangler(pairs, indent=2):
    return json.dumps({k: {"value": v} for k, v in pairs}, indent=indent)


def rest(values, **members):
    answer = {"success": True, "errors": [], "messages": [], "result": {"values": values}}
    return json.dumps({**answer, **members})


def bodies(store):
    return [value["body"] for key, value in dump(store) if key.startswith("msg:")]


@pytest.fixture(scope="module")
def expected(session_directory):
    load(session_directory / "expected", EXPORT)
    return ctl("dump", store=session_directory / "expected").out


def test_there_is_a_file_of_each_form():
    assert len(FORMS) >= 16


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_each_form_gives_the_same_store(directory, expected, form, way):
    if way == "file":
        told = load(directory / "store", form).err
    else:
        told = load(directory / "store", "-", stdin=form.read_bytes().decode("utf-8")).err
    assert "5 messages and 2 contacts loaded; 0 skipped" in told
    assert ctl("dump", store=directory / "store").out == expected
    assert ctl("verify", store=directory / "store").out.endswith("sound\n")
    text = form.read_text(encoding="utf-8")
    nulls = len(re.findall(r'("value"|:deleted"): ?null', text))
    assert (f"{nulls} keys without a value (null) passed over" in told) == (nulls > 0)
    assert ("lines of text around the JSON passed over" in told) == ("Success!" in text)


def test_all_forms_one_after_the_other(directory, expected):
    """A dump, and then every other form, is one input: doubles are skipped."""
    whole = "".join(form.read_text(encoding="utf-8") + "\n" for form in FORMS)
    load(directory / "store", "-", stdin=expected + whole)
    assert ctl("dump", store=directory / "store").out == expected


def test_a_piece_is_read_again_where_it_lay(directory):
    """Out of order, so that each is looked up by its place; blanks wherever JSON has them."""
    pairs = [pair(n, f"body {n}") for n in (5, 1, 4, 2, 3)]
    text = (
        "{" + ",".join(f"\n {json.dumps(k)} \t:\r\n\n  {json.dumps(v)}  " for k, v in pairs) + "}"
    )
    (directory / "input").write_text(text, encoding="utf-8")
    for name, source, stdin in (("a", directory / "input", None), ("b", "-", text)):
        load(directory / name, source, stdin=stdin)
        assert bodies(directory / name) == [f"body {n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    "text",
    [
        rest(dict([pair(1)])) + rest(dict([pair(2)])),
        wrangler([pair(1)]) + "Success!\n" + wrangler([pair(2)], None),
        wrangler([pair(1)], None) + "\n\n\nSuccess!\n\n" + lines_of([pair(2)]),
        lines_of([pair(1)]) + wrangler([pair(2)]) + "\nSuccess!\n",
        lines_of([pair(1)]) + wrangler([pair(2)], None) + "\nSuccess!",
        lines_of([pair(1)]) + rest(dict([pair(2)])),
        lines_of([pair(1)]) + json.dumps([{"name": k, "value": v} for k, v in [pair(2)]], indent=1),
        json.dumps([{"name": k, "value": v} for k, v in [pair(1), pair(2)]]) + "\nSuccess!",
        json.dumps([json.loads(rest(dict([pair(1)]))), json.loads(rest(dict([pair(2)])))]),
        "\ufeff" + wrangler([pair(1)]) + "\n\ufeff" + wrangler([pair(2)]),
        "\n\n"
        + "".join(json.dumps({"key": k, "value": v}, indent=2) for k, v in [pair(1), pair(2)]),
        wrangler([pair(1), pair(2)]).replace("{\n", "{\n\n\n   ", 1),
        "{}\n\nSuccess!\n" + wrangler([pair(1), pair(2)]),
        "Delegating to locally-installed wrangler...\n" + wrangler([pair(1), pair(2)]),
        "\x1b[33m\u25b2 \x1b[43;33m[WARNING]\x1b[0m careful\n" + wrangler([pair(1), pair(2)]),
        "\uff01 full-width, and begins with the byte of a mark\n" + wrangler([pair(1), pair(2)]),
        "npm warn exec The following package was not found: wrangler@4.20.3\n"
        + wrangler([pair(1), pair(2)]),
        rest({"values": 1}, result={"values": dict([pair(1), pair(2)])}, result_info=None),
        json.dumps({"values": dict([pair(1), pair(2)])}, indent=4),
        json.dumps({"values": dict([pair(1), pair(2)])}),
        json.dumps({"result": dict([pair(1), pair(2)]), "success": True, "errors": None}),
        json.dumps({k: json.loads(v) for k, v in [pair(1), pair(2)]}),
        json.dumps({k: {"value": json.loads(v), "metadata": None} for k, v in [pair(1), pair(2)]}),
        lines_of(
            [
                (k, {"value": v, "metadata": {"a": "b"}, "expiration": 5})
                for k, v in [pair(1), pair(2)]
            ]
        ),
    ],
    ids=[str(n) for n in range(1, 25)],
)
def test_mixed_forms(directory, text):
    load(directory / "file", "-", stdin=text)
    assert bodies(directory / "file") == ["text", "text"]


GOOD = wrangler([pair(1)])
BAD = {
    "cut in a value": (GOOD[:60], 2, "the object ends within a member"),
    "cut behind a value": (GOOD[:-2], 4, "the object has no end"),
    "cut in a later value": (wrangler([pair(1), pair(2)])[:-40], 5, "ends within a member"),
    "no comma": (f'{{"{pair(1)[0]}":null\n"{pair(2)[0]}":null}}', 1, "a comma is missing"),
    "no colon": (f'{{"{pair(1)[0]}":null,\n\n"x" null}}', 3, "a colon is missing"),
    "no name": (f'{{"{pair(1)[0]}":null,\n}}', 2, "a name is missing"),
    "no value": (f'{{"{pair(1)[0]}":}}', 1, "JSON"),
    "a bracket too many": (GOOD + "}", 5, "something stands after the end"),
    "a comma behind": (GOOD + "\n,\n" + GOOD, 6, "something stands after the end"),
    "a rest of JSON behind": (GOOD + '\nvalue":"x"}}\n', 6, "something stands after the end"),
    "a line's end in front": (lines_of([pair(1)])[9:] + lines_of([pair(2)]), 1, "JSON"),
    "the failed half": (
        GOOD + "\n\n\u2718 [ERROR] A request to the Cloudflare API failed.\n",
        7,
        "says that something failed",
    ),
    "the failed half in colours": (
        GOOD + "\n\n\x1b[31m\u2718 \x1b[41;31m["
        "\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mAn error.\x1b[0m\n",
        7,
        "says that something failed",
    ),
    "what npm says": ("npm error code E404\n" + GOOD, 1, "says that something failed"),
    "an answer that failed": (
        '{"result":null,"success":false,"errors":[{"code":10000,"message":"x"}],"messages":[]}',
        1,
        "the request failed",
    ),
    "errors and values": (rest(dict([pair(1)]), errors=[{"code": 1}]), 1, "the request failed"),
    "no result": ('{"success":true,"errors":[ ],"messages":[]}', 1, "no result with values"),
    "another result": (rest({}, result={"id": "x"}), 1, "no result with values"),
    "only text": ("Success!\n\nDone in 1.2s.\n", 4, "there is no JSON in it"),
    "a list of keys": (json.dumps([{"name": pair(1)[0]}], indent=2), 2, "value is missing"),
    "a list of keys by REST": (
        rest({}, result=[{"name": pair(1)[0], "expiration": 5}]),
        1,
        "value is missing",
    ),
    "a value alone": (pair(1)[1], 1, "value alone"),
    "a value alone over lines": (
        json.dumps(json.loads(pair(1)[1]), indent=2) + "\n",
        1,
        "value alone",
    ),
    "a member of a value for a key": (f'{{"{pair(1)[0]}":null,\n"value":{{}}}}', 2, "key must be"),
    "another key": (wrangler([pair(1), ("index", "[]")]), 5, "key is none of msg:"),
    "no object": (wrangler([(pair(1)[0], "[]")]), 2, "value must be an object"),
    "no JSON in it": (wrangler([(pair(1)[0], "plain")]), 2, "the string in value"),
    "a key that says another thing": (wrangler([(pair(2)[0], pair(1)[1])]), 2, "key does not say"),
    "a name twice in a wrap": (
        f'{{"{pair(1)[0]}":{{"value":null,"value":null}}}}',
        1,
        "twice",
    ),
    "text between lines": (lines_of([pair(1)]) + "Success!\n" + lines_of([pair(2)]), 2, "JSON"),
    "too deep": ("[" + '{"success":true,"result":[' * 9, 1, "nested too deeply"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_taken_has_its_line(directory, case):
    text, line, what = BAD[case]
    (directory / "input").write_text(text, encoding="utf-8")
    for source, stdin in ((directory / "input", None), ("-", text)):
        result = load(directory / "store", source, expect=1, stdin=stdin)
        said = [each for each in result.err.splitlines() if each.startswith(f"{source}:{line}: ")]
        assert said and what in said[0], result
        assert not (directory / "store").exists()


def test_utf_16_is_named(directory):
    for order in ("utf-16-le", "utf-16-be"):
        (directory / "input").write_bytes(("\ufeff" + GOOD).encode(order))
        result = load(directory / "store", directory / "input", expect=1)
        assert ":1: is UTF-16, as PowerShell writes it: iconv" in result.err


def test_nothing_of_a_file_with_one_bad_key_is_loaded(directory):
    load(directory / "store", "-", stdin=wrangler([pair(1)]))
    before = ctl("dump", store=directory / "store").out
    bad = wrangler([pair(n) for n in range(2, 500)] + [(pair(550)[0], "{}")] + [pair(600)])
    result = ctl("load", "-", store=directory / "store", stdin=bad, expect=1)
    assert f"-:{2 + 3 * 498}: direction is missing" in result.err
    assert "nothing was changed" in result.err
    assert ctl("dump", store=directory / "store").out == before


# ---- large files ----

LARGE = 20000


def write_large(path, form):
    """Some 35 MB; gives how many bytes."""
    pairs = ((k, v) for k, v in (pair(n, f"{n} " + "x" * 1500) for n in range(LARGE)))
    with open(path, "w", encoding="utf-8") as file:
        if form == "rest":
            file.write('{"success":true,"errors":[],"messages":[],"result":{"values":{')
            file.writelines(
                ("," if n else "") + f"{json.dumps(k)}:{json.dumps(v)}"
                for n, (k, v) in enumerate(pairs)
            )
            file.write("}}}")
        elif form == "one line":
            file.write("{")
            file.writelines(
                ("," if n else "") + f'{json.dumps(k)}:{{"value":{json.dumps(v)}}}'
                for n, (k, v) in enumerate(pairs)
            )
            file.write("}\n\nSuccess!\n")
        else:
            file.write("{\n")
            file.writelines(
                (",\n" if n else "") + f'  {json.dumps(k)}: {{\n    "value": {json.dumps(v)}\n  }}'
                for n, (k, v) in enumerate(pairs)
            )
            file.write("\n}\n\nSuccess!\n")
    return path.stat().st_size


@pytest.mark.parametrize("form", ["rest", "one line", "many lines"])
def test_a_large_file_is_read_a_key_at_a_time(directory, form):
    """It may not lie in memory: the store itself is mapped, so what is private is counted."""
    size = write_large(directory / "input", form)
    limit = 24 << 20
    assert size > limit

    is_sanitized = b"__asan_init" in PROGRAM.read_bytes()  # its shadow alone is larger

    def confine():
        if not is_sanitized:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    done = subprocess.run(
        [PROGRAM, "--store", directory / "store", "load", directory / "input"]
        + ["--account-sid", ACCOUNT],
        capture_output=True,
        text=True,
        preexec_fn=confine,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert f"{LARGE} messages and 0 contacts loaded" in done.stderr


def test_a_key_of_another_size_is_refused_with_its_line(directory):
    (directory / "input").write_bytes(
        b'{\n"' + pair(1)[0].encode() + b'": "' + b"x" * (17 << 20) + b'"}'
    )
    result = load(directory / "store", directory / "input", expect=1)
    assert ":2: is longer than 16 MB" in result.err


# ---- what OPERATIONS.md says ----

WRANGLER = r"""#!/usr/bin/python3
import json, sys
values = json.load(open("namespace.json", encoding="utf-8"))
command = sys.argv[1:4]
assert "--namespace-id" in sys.argv and "--remote" in sys.argv
if command[:3] == ["kv", "key", "list"]:
    print(json.dumps([{"name": name} for name in values], indent=2))
else:
    assert command == ["kv", "bulk", "get"]
    names = [key["name"] for key in json.load(open(sys.argv[4], encoding="utf-8"))]
    if len(names) > 100 or "fail" in names:
        sys.exit("\u2718 [ERROR] A request to the Cloudflare API failed.")
    print(json.dumps({name: {"value": values[name]} for name in names}, indent=2))
    print("\nSuccess!")
"""


def commands_documented():
    text = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(npx wrangler kv key list.*?)```", text, re.DOTALL)
    assert block, "OPERATIONS.md tells no more how a namespace is exported"
    return block.group(1)


def run_documented(directory, values):
    """Runs the commands as they stand, with a wrangler that prints what the real one prints."""
    (directory / "namespace.json").write_text(json.dumps(values), encoding="utf-8")
    (directory / "bin").mkdir()
    for name, text in {"wrangler": WRANGLER, "npx": '#!/bin/sh\nexec "$@"\n'}.items():
        (directory / "bin" / name).write_text(text, encoding="utf-8")
        (directory / "bin" / name).chmod(0o755)
    (directory / "bin" / "whatsappctl").symlink_to(PROGRAM)
    script = commands_documented().replace("/var/lib/apache2/whatsapp", "store")
    script = re.sub(r" --user \S+", "", script).replace("AC…", ACCOUNT)
    return subprocess.run(
        ["sh", "-c", script],
        cwd=directory,
        env={**os.environ, "PATH": f"{directory}/bin:{os.environ['PATH']}", "ID": "0" * 32},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_commands_in_the_documentation(directory):
    values = dict(pair(n, f"body {n}") for n in range(1, 251)) | {"settings": "{}"}
    done = run_documented(directory, values)
    assert done.returncode == 0, done
    assert "250 messages and 0 contacts loaded" in done.stderr
    assert bodies(directory / "store") == [f"body {n}" for n in range(1, 251)]


def test_an_export_that_failed_halfway_is_not_loaded(directory):
    values = dict(pair(n) for n in range(1, 151)) | {"fail": "{}"}
    done = run_documented(directory, values)
    assert done.returncode != 0
    assert "says that something failed" in done.stderr
    assert not (directory / "store").exists()
