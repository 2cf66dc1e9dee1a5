#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What documents and comments name is there: each file and directory, each function, type and constant
# of ours, each `file.c:function` in that file, each document with the sections that are cited, each
# heading that a link leads to.
#
#   docs.sh [ROOT]    the directory that has docs/, mod_whatsapp/ and tools/ (the project's)
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
exec python3 -B - <<'END'
import pathlib
import posixpath
import re
import sys

# At least so much is looked at; less means that this check is broken.
LEAST = {"documents": 5, "comments": 20, "paths": 20, "names": 20, "citations": 5}

# Files of httpd and APR, and standards by their sections.
FOREIGN_FILES = {"httpd.h", "apr.h", "http_config.h", "mod_watchdog.c"}
FOREIGN_DOCUMENTS = {"RFC", "POSIX", "UAX", "UTS"}

# Where a path may begin: an include's in mod_whatsapp/, the web client's in frontend/.
STARTS = ("", "mod_whatsapp/", "mod_whatsapp/store/", "tools/", "tests/", "frontend/")
# A path without an extension counts as one where it begins with one of these.
TOPS = {"mod_whatsapp", "tools", "tests", "docs", "conf", "frontend"}
LAYERS = {"httpd", "api", "messaging", "store", "twilio", "base", "js"}
EXTENSIONS = "c|h|py|sh|js|mjs|md|conf|html|css|yaml|json|svg|supp|lua|filter|load"
TEXTS = {f".{one}" for one in EXTENSIONS.split("|")} | {""}
# The test of this check has what is not there.
PLANTED = "tests/support/test_lint_docs.py"
# Documents that speak of the names of other software, or of the API's.
OF_OTHERS = {"OPERATIONS.md", "API.md", "BENCHMARKS.md"}
# What an installation or a build makes.
MADE = ("build/", "build-", "modules/", "var/", "etc/", "usr/", "opt/", "srv/", "tmp/")

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
URL = re.compile(r"https?://[^\s)>\]\"]+")
PATH = re.compile(rf"(?<![\w/:<>{{}}%$~*-])((?:[\w.-]+/)+(?:[\w.-]*\w)?)")
BARE = re.compile(r"(?<![\w/.*<-])([A-Za-z_][\w-]*\.(?:c|h|sh|py|js))\b(?![/(]|\.\w)")
NAME = re.compile(r"(?<![\w.-])((?:wa|WA)_[A-Za-z0-9_]+)\b(\*?)")
PLACE = re.compile(r"((?:[\w-]+/)*[\w-]+\.[ch]):([a-z_][a-z0-9_]*)")
DOCUMENT = re.compile(r"(?<![\w-])([A-Z][A-Z0-9_-]{2,})\.md\b")
BY_SECTION = re.compile(r"\b([A-Z][A-Z0-9_-]{2,}),? sections? \d")
SECTIONS = re.compile(
    r"\b([A-Z][A-Z0-9_-]{2,})\.md[`)]*,? (?:sections? )?(\d[\d.]*(?:(?:,| and) \d[\d.]*)*)"
)
IN_CODE = re.compile(r"`([a-z][a-z0-9]*_[a-z0-9_]*[a-z0-9])`")
LINK = re.compile(r"\]\(([\w./-]*)#([^)]+)\)")
PLACEHOLDER = re.compile(r"(?<![a-z])[A-Z]{2,}(?=[./]|$)")

wrong = []
seen = dict.fromkeys(LEAST, 0)


def tree_files():
    for path in sorted(pathlib.Path(".").rglob("*")):
        if not {"node_modules", "__pycache__", ".git"} & set(path.parts):
            if path.is_file() and not path.parts[0].startswith("build"):
                yield path


FILES = list(tree_files())
TREE = {str(path) for path in FILES}
DIRECTORIES = {str(directory) for path in FILES for directory in path.parents}
BY_NAME = {}
for one in FILES:
    BY_NAME.setdefault(one.name, []).append(str(one))


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def resolve(name, near):
    """The file or directory that a path means, as people write it; None when it is not there."""
    if re.search(r"(^|/)test_x(\.py)?$", name):
        return name  # any of the tests
    for start in (*STARTS, f"{near}/"):
        path = posixpath.normpath(start + name)
        for there in (path, f"{path}.c"):
            if there in TREE or there in DIRECTORIES:
                return there
        pattern = PLACEHOLDER.sub("*", path)
        if pattern != path and any(pathlib.PurePath(there).match(pattern) for there in TREE):
            return path
    ends = [path for path in BY_NAME.get(name.split("/")[-1], []) if path.endswith(f"/{name}")]
    return ends[0] if len(ends) == 1 else None


def c_split(text):
    """The code without comments and strings, and the comments as (line, words in one line)."""
    comments = []
    for token in TOKEN.finditer(text):
        if token.group().startswith("/"):
            lines = [re.sub(r"^\s*\*(?!/)\s?", "", one) for one in token.group()[2:].split("\n")]
            comments.append((text.count("\n", 0, token.start()) + 1, " ".join(lines)))
    return TOKEN.sub(" ", text), comments


def say(path, line, what):
    wrong.append(f"{path}:{line}: {what}")


def citations_check(path, line, text):
    text = URL.sub(" ", text)
    for name in DOCUMENT.findall(text):
        seen["citations"] += 1
        if f"{name}.md" not in BY_NAME:
            say(path, line, f"cites {name}.md, which is not there")
    for name in BY_SECTION.findall(text):
        if name not in FOREIGN_DOCUMENTS and f"{name}.md" not in BY_NAME:
            say(path, line, f"cites a section of {name}, which is not there")
    for name, numbers in SECTIONS.findall(text):
        for number in re.findall(r"\d+(?:\.\d+)*", numbers):
            if f"{name}.md" in headings and number not in headings[f"{name}.md"]:
                say(path, line, f"cites section {number} of {name}.md, which it has not")


def links_check(path, line, text):
    for name, anchor in LINK.findall(text):
        file = posixpath.normpath(f"{path.parent}/{name}") if name else str(path)
        if anchor not in anchors.get(file, {anchor}):
            say(path, line, f"leads to the heading #{anchor} of {file}, which it has not")


def places_check(path, line, text):
    for name, function in PLACE.findall(text):
        seen["names"] += 1
        file = resolve(name, str(path.parent))
        if function not in defined.get(file, ()):
            say(path, line, f"{function} is not defined in {file or name}")


def paths_check(path, line, text):
    for name in PATH.findall(text):
        is_file = re.search(rf"\.({EXTENSIONS})$", name)
        top = name.split("/")[0]
        is_ours = is_file or top in TOPS or (top in LAYERS and name.endswith("/"))
        if is_ours and not name.startswith(MADE):
            seen["paths"] += 1
            if resolve(name, str(path.parent)) is None:
                say(path, line, f"names {name}, which is not there")
    for name in BARE.findall(text):
        seen["paths"] += 1
        is_known = name in BY_NAME or name in FOREIGN_FILES
        if not is_known and resolve(name, str(path.parent)) is None:
            say(path, line, f"names {name}, which is not there")


def names_check(path, line, text):
    text = URL.sub(" ", text)
    places_check(path, line, text)
    paths_check(path, line, text)
    for name, star in NAME.findall(text):
        seen["names"] += 1
        is_known = name in identifiers
        if star or name.endswith("_"):
            is_known = any(one.startswith(name) for one in identifiers)
        if not is_known:
            say(path, line, f"names {name}, which is nowhere in the code")


identifiers, defined, headings, anchors, comments_of = set(), {}, {}, {}, {}
for path in FILES:
    if path.suffix in (".c", ".h"):
        code, comments_of[path] = c_split(text_of(path))
        identifiers |= set(re.findall(r"[A-Za-z_]\w*", code))
        defined[str(path)] = set(
            re.findall(r"^\w[\w \n*]*?\b(\w+)\((?=[^;{]*\)\s*\{)", code, re.MULTILINE)
        ) | set(re.findall(r"^(?:[a-z][\w *]*? |\} )\*?(\w+)\[\w*\] =", code, re.MULTILINE))
    elif path.suffix in (".py", "") and path.parts[0] in ("tests", "Makefile"):
        identifiers |= set(re.findall(r"WA_[A-Z]\w*", text_of(path)))  # the environment of tests
    elif path.suffix == ".md":
        headings[path.name] = set(
            re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", text_of(path), re.MULTILINE)
        )
        anchors[str(path)] = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
        } | set(re.findall(r'<a id="([^"]+)"', text_of(path)))

for path in FILES:
    is_ours = path.parts[0] in ("mod_whatsapp", "tools")
    if path in comments_of and is_ours:
        for line, words in comments_of[path]:
            seen["comments"] += 1
            names_check(path, line, words)
            citations_check(path, line, words)
    elif path.suffix in TEXTS and path.name != "package-lock.json" and str(path) != PLANTED:
        is_document = path.parts[0] == "docs" and path.suffix == ".md"
        seen["documents"] += is_document
        for line, words in enumerate(text_of(path).split("\n"), 1):
            citations_check(path, line, words)
            if path.suffix == ".md":
                links_check(path, line, words)
            if is_document:
                names_check(path, line, words)
            if is_document and path.name not in OF_OTHERS:
                for name in set(IN_CODE.findall(words)) - identifiers:
                    say(path, line, f"names {name}, which is nowhere in the code")

for what, least in LEAST.items():
    if seen[what] < least:
        wrong.append(f"only {seen[what]} {what} found: the check is broken")
sys.exit("\n".join(wrong) or 0)
END
